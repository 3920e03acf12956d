package core_test

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// effect prints an effect on one line.
func (w *world) effect(e core.Effect) {
	switch e := e.(type) {
	case core.TxPacket:
		w.sent = append(w.sent, e.Packet)
		if packet.Type(e.Packet[17]) == packet.RegistrationRequest {
			w.registrations[e.NBMA] = e.Packet
		}
		w.Printf("tx %s to %v: %s", e.Interface, e.NBMA, describe(e.Packet))
	case core.PutNeighbor:
		w.Printf("put neighbor %s %v nbma %v", e.Neighbor.Interface, e.Neighbor.Addr, e.Neighbor.NBMA)
	case core.PutMulticastPeer:
		w.Printf("put multicast %s nbma %v", e.Peer.Interface, e.Peer.NBMA)
	case core.DelMulticastPeer:
		w.Printf("del multicast %s nbma %v", e.Key.Interface, e.Key.Addr)
	case core.PutShaper:
		w.Printf("put shaper %s nbma %v rate %d burst %d policy %s", e.Shaper.Interface, e.Shaper.NBMA, e.Shaper.Rate, e.Shaper.Burst, e.Shaper.Policy)
	case core.DelShaper:
		w.Printf("del shaper %s nbma %v", e.Key.Interface, e.Key.Addr)
	case core.DelNeighbor:
		w.Printf("del neighbor %s %v", e.Key.Interface, e.Key.Addr)
	case core.PutLineProtocol:
		w.Printf("put line protocol %s down=%v", e.Line.Interface, e.Line.Down)
	case core.DelLineProtocol:
		w.Printf("del line protocol %s", e.Key.Interface)
	case core.WatchMisses:
		w.Printf("watch misses %s", e.Interface)
	case core.UnwatchMisses:
		w.Printf("unwatch misses %s", e.Interface)
	case core.WatchNextHop:
		w.Printf("watch next hop vrf=%q %v", e.VRF, e.Addr)
	case core.UnwatchNextHop:
		w.Printf("unwatch next hop vrf=%q %v", e.VRF, e.Addr)
	case core.WatchHairpins:
		w.Printf("watch hairpins %s group %d", e.Interface, e.Group)
	case core.UnwatchHairpins:
		w.Printf("unwatch hairpins %s group %d", e.Interface, e.Group)
	case core.WatchUse:
		w.Printf("watch use %s", e.Interface)
	case core.UnwatchUse:
		w.Printf("unwatch use %s", e.Interface)
	case core.PutShortcut:
		o := e.Override
		hop := "directly"
		if o.NextHop.Addr.IsValid() {
			hop = "via " + o.NextHop.Addr.String()
		}
		w.Printf("put shortcut vrf=%q %v %s %s distance %d", o.VRF, o.Prefix, hop, o.NextHop.Interface, o.Distance)
	case core.DelShortcut:
		w.Printf("del shortcut vrf=%q %v", e.Key.VRF, e.Key.Prefix)
	case core.WantPeer:
		w.Printf("want peer %s %v", e.Interface, e.NBMA)
	case core.UnwantPeer:
		w.Printf("unwant peer %s %v", e.Interface, e.NBMA)
	case core.PutTunnelPeer:
		w.Printf("tunnel peer %s %v is %v", e.Peer.Tunnel, e.Peer.Addr, e.State)
	case core.DelTunnelPeer:
		w.Printf("tunnel peer %s %v withdrawn", e.Peer.Tunnel, e.Peer.Addr)
	case core.SaveEntry:
		w.saved[e.Key] = saved{e.Data, w.Now}
		w.Printf("save %s", e.Key)
	case core.ForgetEntry:
		delete(w.saved, e.Key)
		w.Printf("forget %s", e.Key)
	case core.EndOfReplay:
		w.Printf("end of replay")
	case core.ResolveName:
		w.Printf("resolve %s vrf=%q ipv6=%v", e.Name, e.VRF, e.IPv6)
	case core.Log:
		w.Printf("%%DMVPN-%d-%s: %s", e.Severity, e.Mnemonic, e.Text)
	case core.Trace:
		if w.traces || e.Event == core.TraceDropped {
			w.Printf("trace %v %s", e.Event, traceText(e))
		}
	case core.Answer:
		w.report(e.Report)
	}
}

func traceText(t core.Trace) string {
	parts := []string{t.Interface}
	if t.Peer.IsValid() {
		parts = append(parts, "peer="+t.Peer.String())
	}
	if t.NBMA.IsValid() {
		parts = append(parts, "nbma="+t.NBMA.String())
	}
	if t.Message != 0 {
		parts = append(parts, "message="+packet.Type(t.Message).String())
	}
	if t.Code != 0 {
		parts = append(parts, fmt.Sprintf("code=%d", t.Code))
	}
	if t.Drop != 0 {
		parts = append(parts, fmt.Sprintf("reason=%q", t.Drop))
	}
	if t.RequestID != 0 {
		parts = append(parts, fmt.Sprintf("id=%d", t.RequestID))
	}
	if t.Reason != "" {
		parts = append(parts, fmt.Sprintf("why=%q", t.Reason))
	}
	return strings.Join(parts, " ")
}

// describe prints a packet.
func describe(b []byte) string {
	m, err := packet.Parse(b)
	if err != nil {
		return fmt.Sprintf("undecodable: %v", err)
	}
	s := fmt.Sprintf("%v hop=%d src=%v nbma=%v dst=%v", m.Type, m.HopCount, m.SrcProtocol, addr(m.SrcNBMA), m.DstProtocol)
	if m.Type.IsIndication() {
		return s + fmt.Sprintf(" code=%d offset=%d encloses=%d", m.ErrorCode, m.ErrorOffset, len(m.Payload))
	}
	s += fmt.Sprintf(" id=%d flags=%#04x", m.RequestID, uint16(m.Flags))
	for _, c := range m.CIEs {
		s += " cie{" + describeCIE(c) + "}"
	}
	for _, e := range m.Extensions {
		s += fmt.Sprintf(" ext%d", e.Type)
		if e.Compulsory {
			s += "!"
		}
		if e.Type == packet.Authentication && len(e.Value) > 4 {
			s += fmt.Sprintf("{%s}", e.Value[4:])
		} else if group := (&packet.Message{Extensions: []packet.Extension{e}}).Group(); group != "" {
			s += fmt.Sprintf("{group %s}", group)
		} else if len(e.Value) > 0 {
			s += fmt.Sprintf("{%x}", e.Value)
		}
		for _, c := range e.CIEs {
			s += "{" + describeCIE(c) + "}"
		}
	}
	return s
}

func describeCIE(c packet.CIE) string {
	return fmt.Sprintf("code=%d len=%d hold=%d mtu=%d %v %v", c.Code, c.PrefixLength, c.HoldingTime, c.MTU, addr(c.Protocol), addr(c.NBMA))
}

func addr(a netip.Addr) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

// show asks for a report.
func (w *world) show(a scripttest.Args) {
	kind := map[string]core.ReportKind{
		"cache": core.ReportCache, "nhs": core.ReportNHS, "traffic": core.ReportTraffic,
		"recovery": core.ReportNHS, "multicast": core.ReportMulticast, "peers": core.ReportPeers,
		"groups": core.ReportGroups, "policies": core.ReportPolicies,
		"redirects": core.ReportRedirects,
	}[a.Word(1)]
	w.queries++
	w.full = a.Has("full")
	w.recovery = a.Word(1) == "recovery"
	w.Step(core.Query{ID: w.queries, Kind: kind, Interface: a.Get("if", ""), VRF: a.Get("vrf", "")})
}

func life(d time.Duration) string {
	if d == core.NoExpiry {
		return "never"
	}
	return d.String()
}

func (w *world) report(r core.Report) {
	switch r := r.(type) {
	case *core.CacheReport:
		for _, e := range r.Entries {
			hits := ""
			if e.Hits > 0 {
				hits = fmt.Sprintf(" hits %d", e.Hits)
			}
			if e.Group != "" {
				hits += " group " + e.Group
			}
			w.Printf("%s/%d %v via %s nbma %s claimed %s %v [%v] age %v expires %s hold %v requester %s id %d refreshed %d%s", e.Interface,
				e.Family, e.Target, addr(e.NextHop), addr(e.NBMA), addr(e.Claimed), e.Type, e.Flags, e.Age, life(e.Expires), e.Holdtime,
				addr(e.Requester), e.RequestID, e.Refreshed, hits)
			for _, t := range e.Told {
				if w.full {
					w.Printf("  told %v at %v id %d ends %v", t.Station, t.NBMA, t.RequestID, t.Ends)
				}
			}
			if w.full && e.Trouble.Text != "" {
				w.Printf("  trouble %q since %v last %v", e.Trouble.Text, e.Trouble.Since, e.Trouble.Last)
			}
		}
	case *core.NHSReport:
		for _, s := range r.Servers {
			if w.recovery {
				w.Printf("%s/%d cluster %d/%d priority %d %s nbma %s %s %v reason %q fallback %s", s.Interface, s.Family, s.Cluster, s.MaxConnections,
					s.Priority, addr(s.Addr), addr(s.NBMA), s.State, s.State.Recovery(), s.Reason, life(s.Fallback))
				continue
			}
			w.server(s)
		}
	case *core.TrafficReport:
		for _, i := range r.Interfaces {
			w.Printf("%s/%d max-send %d/%v usage %d%%", i.Interface, i.Family, i.MaxSend, i.MaxSendInterval, i.Usage)
			w.counters(i.Counters)
		}
		w.Printf("other")
		w.counters(r.Other)
	case *core.RedirectReport:
		for _, e := range r.Entries {
			w.Printf("%s/%d to %v about %v > %v expires %v suppressed %d", e.Interface, e.Family, e.NBMA, e.Source, e.Destination, e.Expires, e.Suppressed)
		}
	case *core.MulticastReport:
		for _, e := range r.Entries {
			w.Printf("%s/%d %v dynamic=%v", e.Interface, e.Family, e.NBMA, e.Dynamic)
		}
	case *core.GroupReport:
		for _, i := range r.Interfaces {
			for _, g := range i.Groups {
				w.Printf("%s/%d group %s policy %s peers %v", i.Interface, i.Family, g.Group, g.Policy, g.Peers)
			}
		}
	case *core.PolicyReport:
		for _, p := range r.Policies {
			w.Printf("policy %s rate %d burst %d", p.Name, p.Rate, p.Burst)
		}
	case *core.PeerReport:
		for _, i := range r.Interfaces {
			w.Printf("%s/%d %v up=%v addr %s source %s multipoint=%v nbma-peers %d", i.Interface, i.Family, i.Role, i.Up, addr(i.Addr),
				addr(i.Source), i.Mode == rib.TunnelGREMultipoint, i.NBMAPeers)
			for _, s := range i.Sessions {
				w.Printf("  session %v %v %v generation %d identity %q reason %q wanted=%v held %d", s.NBMA, s.Security, s.Since, s.Generation, s.Identity, s.Reason, s.Wanted, s.Held)
			}
			for _, p := range i.Peers {
				group := ""
				if p.Group != "" {
					group = " group " + p.Group
				}
				if p.Policy != "" {
					group += " policy " + p.Policy
				}
				w.Printf("  %s %s %v %v %v %s%s", addr(p.NBMA), addr(p.Tunnel), p.State, p.Since, p.Target, p.Attributes, group)
			}
		}
	}
}

func (w *world) server(s core.NHSEntry) {
	next := life(s.NextSend)
	w.Printf("%s/%d %v %v nbma %s since %v sent %d failed %d received %d last-reply %s asked %s pending %v id %d retry %v next %s error %q translated %s name %q",
		s.Interface, s.Family, s.Addr, s.State, addr(s.NBMA), s.Since, s.Sent, s.Failed, s.Received, life(s.LastReply), life(s.Asked), s.Pending,
		s.RequestID, s.Retry, next, s.Trouble.Text, addr(s.Translated), s.Name)
}

func (w *world) counters(c core.Counters) {
	w.Printf("  sent %v received %v forwarded %v", c.Sent[1:], c.Received, c.Forwarded[1:])
	for _, r := range core.DropReasons() {
		if n := c.Drop(r); n > 0 {
			w.Printf("  drop %q %d", r, n)
		}
	}
}
