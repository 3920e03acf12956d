package edge

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/godmvpn/godmvpn/ripd/cli"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// tracing says which traces are wanted.
func (e *Edge) tracing() core.Input {
	return core.Tracing{Events: e.Debug().On(cli.DebugEvents), Packets: e.Debug().On(cli.DebugPackets)}
}

// trace writes the lines of a debug event.
func (e *Edge) trace(t core.Trace) {
	facility := facilityOf(t.Event)
	if e.Debug().On(facility) {
		e.Debug().Printf(facility, "RIP: %s", traceText(t, e.source))
	}
}

func inVRF(name string) string {
	if name == "" {
		return ""
	}
	return " in VRF " + name
}

// facilityOf tells which facility an event belongs to.
func facilityOf(e core.TraceEvent) int {
	switch e {
	case core.TraceReceived, core.TraceSent, core.TraceDropped, core.TraceEntryDropped:
		return cli.DebugPackets
	}
	return cli.DebugEvents
}

// traceText words an event as Cisco's `debug ip rip` does, where that has a word
// for it. Authentication is never part of it. source is the address from which a
// packet was sent, if the event is about one.
func traceText(t core.Trace, source netip.Addr) string {
	on := " on " + t.Interface + inVRF(t.VRF)
	var b strings.Builder
	switch t.Event {
	case core.TraceReceived:
		fmt.Fprintf(&b, "received %s from %s%s", kindOf(t.Message), station(t.Peer), on)
		writeEntries(&b, t.Message, true)
	case core.TraceSent:
		fmt.Fprintf(&b, "sending %s to %s via %s (%v)%s", kindOf(t.Message), station(t.Peer), t.Interface, source, inVRF(t.VRF))
		writeEntries(&b, t.Message, false)
	case core.TraceDropped:
		version := ""
		if t.Message != nil {
			version = fmt.Sprintf("v%d ", t.Message.Version)
		}
		fmt.Fprintf(&b, "ignored %spacket from %s%s (%s)", version, station(t.Peer), on, dropText(t.Drop))
	case core.TraceEntryDropped:
		fmt.Fprintf(&b, "ignored %v from %s%s (%s)", t.Prefix, station(t.Peer), on, strings.TrimPrefix(t.Drop.String(), "entry: "))
	case core.TraceRegular:
		b.WriteString("regular update" + on)
	case core.TraceTriggered:
		b.WriteString("triggered update" + on)
	case core.TraceRequested:
		b.WriteString("answering the request of " + station(t.Peer) + on)
	case core.TracePeerUp:
		fmt.Fprintf(&b, "neighbor %v%s is up", t.Peer.Addr(), on)
	case core.TracePeerDown:
		fmt.Fprintf(&b, "neighbor %v%s is down", t.Peer.Addr(), on)
	case core.TraceInterfaceUp:
		b.WriteString("running" + on)
	case core.TraceInterfaceDown:
		b.WriteString("not running" + on + " any more")
	default:
		b.WriteString(routeText(t))
	}
	return b.String()
}

// routeText words what happened to a route.
func routeText(t core.Trace) string {
	route := fmt.Sprintf("route %v%s", t.Prefix, inVRF(t.VRF))
	by := ""
	if t.Interface != "" {
		by = " by " + t.Interface
	}
	switch t.Event {
	case core.TraceRouteNew:
		return fmt.Sprintf("%s is new, metric %d%s", route, t.Metric, by)
	case core.TraceRouteChanged:
		return fmt.Sprintf("%s changed, metric %d%s", route, t.Metric, by)
	case core.TraceRouteTimeout:
		return route + " is unreachable"
	case core.TraceRouteDeleted:
		return route + " is deleted"
	}
	return fmt.Sprintf("event %d", t.Event)
}

// station is the address of a router, with the port where that is not RIP's.
func station(a netip.AddrPort) string {
	if a.Port() == packet.Port {
		return a.Addr().String()
	}
	return a.String()
}

// kindOf is what a message is, such as "v2 update".
func kindOf(m *packet.Message) string {
	if m == nil {
		return "packet"
	}
	what := "update"
	switch {
	case m.WholeTable():
		what = "request for the whole table"
	case m.Command == packet.Request:
		what = "request"
	}
	return fmt.Sprintf("v%d %s", m.Version, what)
}

// writeEntries adds a line for each route of a message.
func writeEntries(b *strings.Builder, m *packet.Message, received bool) {
	if m == nil || m.WholeTable() {
		return
	}
	for _, entry := range m.Entries {
		b.WriteString("\n     ")
		if entry.Family != packet.FamilyIP {
			fmt.Fprintf(b, "address family %d", entry.Family)
			continue
		}
		prefix, ok := entry.Prefix(netip.Prefix{})
		switch {
		case m.Version == packet.Version1: // which has neither masks nor next hops
			fmt.Fprintf(b, "%v", entry.Addr)
		case !ok:
			fmt.Fprintf(b, "%v mask %#08x via %v", entry.Addr, entry.Mask, nextHop(entry))
		default:
			fmt.Fprintf(b, "%v via %v", prefix, nextHop(entry))
		}
		switch {
		case m.Command == packet.Request:
		case received && entry.Metric == packet.Infinity:
			fmt.Fprintf(b, " in %d hops (inaccessible)", entry.Metric)
		case received:
			fmt.Fprintf(b, " in %d hops", entry.Metric)
		default:
			fmt.Fprintf(b, ", metric %d, tag %d", entry.Metric, entry.Tag)
		}
	}
}

func nextHop(e packet.Entry) netip.Addr {
	if e.NextHop.IsValid() {
		return e.NextHop
	}
	return netip.IPv4Unspecified()
}

// dropText says why a packet is ignored. Cisco has one word for all that is wrong
// with authentication.
func dropText(r core.DropReason) string {
	switch r {
	case core.DropAuthMissing, core.DropAuthUnexpected, core.DropAuthMismatch, core.DropAuthFailed, core.DropAuthReplay:
		return "invalid authentication: " + r.String()
	}
	return r.String()
}
