package pb

import (
	"net/netip"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// FromUps encodes messages of a daemon.
func FromUps(messages []session.Up) *UpBatch {
	out := make([]*Up, 0, len(messages))
	for _, m := range messages {
		out = append(out, fromUp(m))
	}
	return &UpBatch{Messages: out}
}

func fromUp(m session.Up) *Up {
	switch m := m.(type) {
	case session.Begin:
		return &Up{What: &Up_Begin{&Begin{Replay: m.Replay}}}
	case session.Put:
		return fromPut(m)
	case session.Delete:
		return &Up{Seq: m.Seq, What: &Up_Delete{fromKey(m.Key)}}
	case session.WatchAdd:
		return &Up{What: &Up_Watch{fromWatch(m.Watch)}}
	case session.WatchDel:
		return &Up{What: &Up_Unwatch{fromWatch(m.Watch)}}
	case session.Publish:
		return &Up{What: &Up_Publish{&Publish{Topic: m.Topic, Key: m.Key, Payload: m.Payload}}}
	case session.EndOfReplay:
		return &Up{Seq: m.Seq, What: &Up_EndOfReplay{&Empty{}}}
	case session.Log:
		return &Up{What: &Up_Log{FromLog(m)}}
	case session.Counters:
		return &Up{What: &Up_Counters{fromCounters(m)}}
	}
	return &Up{} // the set is closed; decoding refuses this
}

func fromPut(m session.Put) *Up {
	switch o := m.Object.(type) {
	case rib.Route:
		return &Up{Seq: m.Seq, What: &Up_Route{fromRoute(o)}}
	case rib.Neighbor:
		return &Up{Seq: m.Seq, What: &Up_Neighbor{&Neighbor{
			Interface: o.Interface, Addr: fromAddr(o.Addr), Nbma: fromAddr(o.NBMA)}}}
	case rib.MulticastPeer:
		return &Up{Seq: m.Seq, What: &Up_MulticastPeer{&MulticastPeer{Interface: o.Interface, Nbma: fromAddr(o.NBMA)}}}
	case rib.LineProtocol:
		return &Up{Seq: m.Seq, What: &Up_LineProtocol{&LineProtocol{Interface: o.Interface, Down: o.Down}}}
	case rib.Shaper:
		return &Up{Seq: m.Seq, What: &Up_Shaper{&Shaper{
			Interface: o.Interface, Nbma: fromAddr(o.NBMA), Rate: o.Rate, Burst: o.Burst, Policy: o.Policy}}}
	case rib.SA:
		return &Up{Seq: m.Seq, What: &Up_Sa{fromSA(o)}}
	case rib.Policy:
		return &Up{Seq: m.Seq, What: &Up_Policy{&Policy{Local: fromAddr(o.Local), Peer: fromPrefix(o.Peer), Outer: fromAddr(o.Outer)}}}
	case rib.Override:
		return &Up{Seq: m.Seq, What: &Up_Override{&Override{
			Vrf: o.VRF, Prefix: fromPrefix(o.Prefix), Protocol: uint32(o.Protocol),
			Distance: uint32(o.Distance), NextHop: fromNextHop(o.NextHop)}}}
	}
	return &Up{Seq: m.Seq}
}

// FromLog encodes a log record.
func FromLog(l session.Log) *LogRecord {
	out := &LogRecord{TimeNs: l.Time.UnixNano(), Level: int32(l.Level), Message: l.Message, Dropped: l.Dropped}
	if l.Time.Equal(time.Time{}) {
		out.TimeNs = 0
	}
	for _, a := range l.Attrs {
		out.Attrs = append(out.Attrs, &LogAttr{Key: a.Key, Value: a.Value})
	}
	return out
}

func fromCounters(c session.Counters) *Counters {
	out := &Counters{Values: make([]*Counter, 0, len(c.Values))}
	for _, v := range c.Values {
		out.Values = append(out.Values, &Counter{Name: v.Name, Value: v.Value})
	}
	return out
}

// FromDowns encodes messages of zebra.
func FromDowns(messages []session.Down) *DownBatch {
	out := make([]*Down, 0, len(messages))
	for _, m := range messages {
		switch m := m.(type) {
		case session.Event:
			out = append(out, &Down{What: &Down_Event{fromEvent(m.Event)}})
		case session.ReplayRequest:
			out = append(out, &Down{What: &Down_ReplayRequest{&Empty{}}})
		}
	}
	return &DownBatch{Messages: out}
}

func fromEvent(e rib.Event) *Event {
	switch e := e.(type) {
	case rib.Attached:
		return &Event{What: &Event_Attached{&Attached{Epoch: e.Epoch, Stale: uint64(e.Stale)}}}
	case rib.InterfaceChanged:
		return &Event{What: &Event_InterfaceChanged{fromInterface(e.Interface)}}
	case rib.InterfaceGone:
		return &Event{What: &Event_InterfaceGone{text(e.Name)}}
	case rib.InterfacesKnown:
		return &Event{What: &Event_InterfacesKnown{&Empty{}}}
	case rib.NextHopChanged:
		return &Event{What: &Event_NextHopChanged{&NextHopChanged{
			Watch: fromWatch(e.Watch), Prefix: fromPrefix(e.Prefix), Protocol: uint32(e.Protocol),
			Distance: uint32(e.Distance), Metric: e.Metric, NextHops: fromNextHops(e.NextHops)}}}
	case rib.RouteChanged:
		return &Event{What: &Event_RouteChanged{&RouteChanged{
			Watch: fromWatch(e.Watch), Route: fromRoute(e.Route), Withdrawn: e.Withdrawn}}}
	case rib.RoutesKnown:
		return &Event{What: &Event_RoutesKnown{fromWatch(e.Watch)}}
	case rib.TopicMessage:
		return &Event{What: &Event_Topic{&TopicMessage{Topic: e.Topic, Key: e.Key, Payload: e.Payload}}}
	case rib.Hairpin:
		return &Event{What: &Event_Hairpin{&Hairpin{In: e.In, Out: e.Out, Packet: e.Packet}}}
	case rib.NeighborMiss:
		return &Event{What: &Event_NeighborMiss{&NeighborMiss{Interface: e.Interface, Addr: fromAddr(e.Addr)}}}
	case rib.UnmatchedGRE:
		return &Event{What: &Event_UnmatchedGre{fromUnmatched(e)}}
	case rib.PeersUsed:
		return &Event{What: &Event_PeersUsed{fromPeersUsed(e)}}
	case rib.Acquired:
		return &Event{What: &Event_Acquired{&Acquired{Source: fromAddr(e.Source), Destination: fromAddr(e.Destination)}}}
	case rib.SAExpired:
		return &Event{What: &Event_SaExpired{&SAExpired{Sa: fromKey(e.SA), Hard: e.Hard}}}
	case rib.MappingChanged:
		return &Event{What: &Event_MappingChanged{&MappingChanged{Sa: fromKey(e.SA), OldAddr: fromAddr(e.Old.Addr()), OldPort: uint32(e.Old.Port()),
			NewAddr: fromAddr(e.New.Addr()), NewPort: uint32(e.New.Port())}}}
	case rib.SADump:
		return &Event{What: &Event_SaDump{fromSADump(e)}}
	case rib.Ack:
		return &Event{What: &Event_Ack{fromAck(e)}}
	}
	return &Event{} // the set is closed; decoding refuses this
}

func fromUnmatched(u rib.UnmatchedGRE) *UnmatchedGRE {
	out := &UnmatchedGRE{}
	for _, r := range u.Rows {
		out.Rows = append(out.Rows, &UnmatchedRow{Source: fromAddr(r.Source), Destination: fromAddr(r.Destination),
			HasKey: r.HasKey, Key: r.Key, Packets: r.Packets, Why: text(r.Why)})
	}
	return out
}

func fromPeersUsed(u rib.PeersUsed) *PeersUsed {
	out := &PeersUsed{Interface: u.Interface}
	for _, a := range u.NBMA {
		out.Nbma = append(out.Nbma, fromAddr(a))
	}
	return out
}

func fromAck(a rib.Ack) *Ack {
	out := &Ack{Seq: a.Seq}
	for _, f := range a.Failures {
		out.Failures = append(out.Failures, &Failure{Key: fromKey(f.Key), Error: text(f.Error)})
	}
	return out
}

func fromInterface(i rib.Interface) *Interface {
	out := &Interface{
		Name: text(i.Name), KernelName: text(i.KernelName), Index: uint32(i.Index), Type: uint32(i.Type), Vrf: i.VRF,
		AdminUp: i.AdminUp, Up: i.Up, HeldDown: i.HeldDown, Multicast: i.Multicast, Mtu: uint32(i.MTU),
		Bandwidth: i.Bandwidth, Delay: i.Delay, Description: text(i.Description),
	}
	for _, a := range i.Addresses {
		out.Addresses = append(out.Addresses, &InterfaceAddress{
			Prefix: fromPrefix(a.Prefix), Peer: fromPrefix(a.Peer), Secondary: a.Secondary})
	}
	if t := i.Tunnel; t != nil {
		out.Tunnel = &Tunnel{
			Mode: uint32(t.Mode), SourceInterface: t.SourceInterface, Source: fromAddr(t.Source),
			Destination: fromAddr(t.Destination), HasKey: t.HasKey, Key: t.Key, Vrf: t.VRF,
			Ipv6Transport: t.IPv6Transport, Protection: t.Protection, Shared: t.Shared}
	}
	return out
}

func fromRoute(r rib.Route) *Route {
	return &Route{
		Vrf: r.VRF, Prefix: fromPrefix(r.Prefix), Protocol: uint32(r.Protocol), Instance: r.Instance,
		Type: uint32(r.Type), Distance: uint32(r.Distance), Metric: r.Metric, Tag: r.Tag, Name: r.Name,
		NextHops: fromNextHops(r.NextHops),
	}
}

func fromNextHops(hops []rib.NextHop) []*NextHop {
	if len(hops) == 0 {
		return nil
	}
	out := make([]*NextHop, 0, len(hops))
	for _, h := range hops {
		out = append(out, fromNextHop(h))
	}
	return out
}

func fromNextHop(h rib.NextHop) *NextHop {
	return &NextHop{
		Addr: fromAddr(h.Addr), Interface: h.Interface, Vrf: h.VRF, LeaveVrf: h.LeaveVRF,
		OnLink: h.OnLink, Discard: h.Discard, Weight: uint32(h.Weight),
	}
}

func fromKey(k rib.Key) *Key {
	return &Key{
		Kind: uint32(k.Kind), Vrf: k.VRF, Prefix: fromPrefix(k.Prefix), Protocol: uint32(k.Protocol),
		Instance: k.Instance, Interface: k.Interface, Addr: fromAddr(k.Addr),
	}
}

func fromWatch(w rib.Watch) *Watch {
	return &Watch{
		Kind: uint32(w.Kind), Vrf: w.VRF, Addr: fromAddr(w.Addr), Family: uint32(w.Family),
		Protocol: uint32(w.Protocol), Instance: w.Instance, Interface: w.Interface, Topic: w.Topic,
		Prefix: fromPrefix(w.Prefix),
	}
}

// text makes what comes from people and from the kernel UTF-8, which a protobuf
// string has to be.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// fromAddr returns nil for the zero address.
func fromAddr(a netip.Addr) []byte { return a.AsSlice() }

// fromPrefix returns nil for an invalid prefix.
func fromPrefix(p netip.Prefix) []byte {
	if !p.IsValid() {
		return nil
	}
	a := p.Addr()
	if a.Is4() {
		b := a.As4()
		return []byte{b[0], b[1], b[2], b[3], byte(p.Bits())}
	}
	b := a.As16()
	return append(b[:], byte(p.Bits()))
}
