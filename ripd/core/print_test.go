package core_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/ripd/core"
)

// effect prints an effect on one line.
func (w *world) effect(e core.Effect) {
	switch e := e.(type) {
	case core.Listen:
		w.Printf("listen %s vrf=%q group=%v", e.Interface, e.VRF, e.Group)
	case core.Unlisten:
		w.Printf("unlisten %s", e.Interface)
	case core.TxPacket:
		text := describe(e.Packet)
		if n := strings.Count(text, "="); w.brief && n > 0 {
			text = fmt.Sprintf("%d entries, %d octets", n, len(e.Packet))
		}
		w.Printf("tx %s %v > %v: %s", e.Interface, e.Source, e.Dest, text)
	case core.PutRoute:
		if !w.brief {
			w.Printf("put %s", routeText(e.Route))
		}
	case core.DelRoute:
		w.Printf("del %v%s %v", e.Key.Prefix, vrfText(e.Key.VRF), e.Key.Protocol)
	case core.WatchRoutes:
		w.Printf("watch %s", watchText(e.Watch))
	case core.UnwatchRoutes:
		w.Printf("unwatch %s", watchText(e.Watch))
	case core.EndOfReplay:
		w.Printf("end of replay")
	case core.Log:
		w.Printf("%%RIP-%d-%s: %s", e.Severity, e.Mnemonic, e.Text)
	case core.Trace:
		if w.traces || e.Event == core.TraceDropped || e.Event == core.TraceEntryDropped {
			w.Printf("trace %s", traceText(e))
		}
	case core.Answer:
		w.report(e.Report)
	default:
		w.Printf("unknown effect %T", e)
	}
}

func vrfText(vrf string) string {
	if vrf == "" {
		return ""
	}
	return " vrf=" + vrf
}

func watchText(w rib.Watch) string {
	s := w.Protocol.String() + vrfText(w.VRF)
	if w.Instance != 0 {
		s += fmt.Sprintf(" instance=%d", w.Instance)
	}
	if w.Kind != rib.WatchRedistribute || w.Family != rib.IPv4 {
		s += fmt.Sprintf(" WRONG: %+v", w)
	}
	return s
}

func routeText(r rib.Route) string {
	s := fmt.Sprintf("%v%s [%d/%d]", r.Prefix, vrfText(r.VRF), r.Distance, r.Metric)
	if r.Tag != 0 {
		s += fmt.Sprintf(" tag %d", r.Tag)
	}
	if r.Type == rib.TypeSummary {
		s += " summary"
	}
	for _, h := range r.NextHops {
		if h.Discard {
			s += " discard"
			continue
		}
		s += fmt.Sprintf(" via %v %s", h.Addr, h.Interface)
		if h.OnLink {
			s += " onlink"
		}
	}
	if r.Protocol != rib.RIP || r.Instance != 0 {
		s += fmt.Sprintf(" WRONG: %v %d", r.Protocol, r.Instance)
	}
	return s
}

var traceNames = map[core.TraceEvent]string{
	core.TraceReceived: "received", core.TraceSent: "sent", core.TraceDropped: "dropped", core.TraceEntryDropped: "entry dropped",
	core.TraceRegular: "regular update", core.TraceTriggered: "triggered update", core.TraceRequested: "requested",
	core.TraceRouteNew: "route new", core.TraceRouteChanged: "route changed", core.TraceRouteTimeout: "route timed out",
	core.TraceRouteDeleted: "route deleted", core.TracePeerUp: "peer up", core.TracePeerDown: "peer down",
	core.TraceInterfaceUp: "interface up", core.TraceInterfaceDown: "interface down",
}

func traceText(t core.Trace) string {
	parts := []string{traceNames[t.Event]}
	if t.VRF != "" {
		parts = append(parts, "vrf="+t.VRF)
	}
	if t.Interface != "" {
		parts = append(parts, t.Interface)
	}
	if t.Peer.IsValid() {
		parts = append(parts, "peer="+t.Peer.Addr().String())
	}
	if t.Prefix.IsValid() {
		parts = append(parts, fmt.Sprintf("%v=%d", t.Prefix, t.Metric))
	}
	if t.Drop != core.DropNone {
		parts = append(parts, fmt.Sprintf("reason=%q", t.Drop))
	}
	return strings.Join(parts, " ")
}

// show asks: show routes [vrf=V], show status [vrf=V].
func (w *world) show(a scripttest.Args) {
	kind := core.ReportRoutes
	if a.Word(1) == "status" {
		kind = core.ReportStatus
	}
	w.Step(core.Query{ID: 1, Kind: kind, VRF: a.Get("vrf", "")})
}

func (w *world) report(r core.Report) {
	switch r := r.(type) {
	case *core.RouteReport:
		if !r.Exists {
			w.Printf("no RIP in VRF %q", r.VRF)
		}
		for _, e := range r.Routes {
			w.routeEntry(e)
		}
	case *core.StatusReport:
		w.status(r)
	}
}

var sourceNames = map[core.RouteSource]string{
	core.SourceConnected: "connected", core.SourceStatic: "static", core.SourceDefault: "default", core.SourceRedistributed: "redistributed",
	core.SourceLearned: "learned", core.SourceSummary: "summary",
}

func (w *world) routeEntry(e core.RouteEntry) {
	s := fmt.Sprintf("%v %s metric %d", e.Prefix, sourceNames[e.Source], e.Metric)
	if e.Source == core.SourceRedistributed {
		s += " from " + e.Protocol.String()
	}
	if e.Tag != 0 {
		s += fmt.Sprintf(" tag %d", e.Tag)
	}
	if e.Interface != "" {
		s += " " + e.Interface
	}
	if e.Garbage {
		s += " garbage left " + seconds(e.Left)
	}
	if e.Holddown {
		s += " holddown"
	}
	if e.Changed {
		s += " changed"
	}
	for _, p := range e.Paths {
		s += fmt.Sprintf(" {via %v from %v %s metric %d distance %d age %s left %s}", p.NextHop, p.From, p.Interface, p.Metric, p.Distance, seconds(p.Age), seconds(p.Left))
	}
	w.Printf("%s", s)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

func (w *world) status(r *core.StatusReport) {
	if !r.Exists {
		w.Printf("no RIP in VRF %q", r.VRF)
		return
	}
	w.Printf("status vrf=%q routes %d next update %s %s", r.VRF, r.Routes, seconds(r.NextUpdate), countersText(r.Counters))
	for _, i := range r.Interfaces {
		s := fmt.Sprintf("interface %s up=%v send=%d receive=%d split-horizon=%d", i.Name, i.Up, i.Send, i.Receive, i.SplitHorizon)
		if i.Passive {
			s += " passive"
		}
		if i.Authentication != 0 {
			s += fmt.Sprintf(" auth=%v chain=%q", i.Authentication, i.KeyChain)
		}
		w.Printf("%s triggered %d next update %s %s", s, i.Triggered, seconds(i.NextUpdate), countersText(i.Counters))
	}
	for _, n := range r.Neighbors {
		w.Printf("neighbor %v %s v%d last %s routes %d bad %d/%d distance %d configured=%v", n.Addr, n.Interface, n.Version,
			seconds(n.LastUpdate), n.Routes, n.BadPackets, n.BadRoutes, n.Distance, n.Configured)
	}
}

func countersText(c core.Counters) string {
	s := fmt.Sprintf("rx %d+%d tx %d+%d entries %d", c.ReceivedRequests, c.ReceivedResponses, c.SentRequests, c.SentResponses, c.SentEntries)
	for _, r := range core.DropReasons() {
		if n := c.Dropped[r]; n > 0 {
			s += fmt.Sprintf(" %q=%d", r, n)
		}
	}
	return s
}
