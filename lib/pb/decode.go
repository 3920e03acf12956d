package pb

import (
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", session.ErrInvalid, fmt.Sprintf(format, args...))
}

// maxBatch is how many messages are taken in one batch: more than any sender of
// ours packs, so that another implementation has room.
const maxBatch = 16 * session.MaxBatch

// ToUps decodes messages of a daemon. The error wraps session.ErrInvalid if
// there is anything that a daemon must not send.
func ToUps(b *UpBatch) ([]session.Up, error) {
	if len(b.GetMessages()) > maxBatch {
		return nil, invalid("batch of %d messages", len(b.GetMessages()))
	}
	out := make([]session.Up, 0, len(b.GetMessages()))
	d := decoder{}
	for _, m := range b.GetMessages() {
		up, err := d.up(m)
		if err != nil {
			return nil, err
		}
		out = append(out, up)
	}
	return out, nil
}

func (d *decoder) up(m *Up) (session.Up, error) {
	switch w := m.GetWhat().(type) {
	case *Up_Begin:
		return session.Begin{Replay: w.Begin.GetReplay()}, nil
	case *Up_Route, *Up_Neighbor, *Up_MulticastPeer, *Up_LineProtocol, *Up_Shaper, *Up_Sa, *Up_Policy, *Up_Override:
		return d.put(m)
	case *Up_Delete:
		k, err := toKey(w.Delete)
		return session.Delete{Seq: m.GetSeq(), Key: k}, err
	case *Up_Watch:
		watch, err := toWatch(w.Watch)
		return session.WatchAdd{Watch: watch}, err
	case *Up_Unwatch:
		watch, err := toWatch(w.Unwatch)
		return session.WatchDel{Watch: watch}, err
	case *Up_Publish:
		p := session.Publish{Topic: w.Publish.GetTopic(), Key: w.Publish.GetKey(), Payload: w.Publish.GetPayload()}
		return p, session.CheckPublish(p)
	case *Up_EndOfReplay:
		return session.EndOfReplay{Seq: m.GetSeq()}, nil
	case *Up_Log:
		return ToLog(w.Log)
	case *Up_Counters:
		return toCounters(w.Counters)
	}
	return nil, invalid("message of unknown kind")
}

func (d *decoder) put(m *Up) (session.Up, error) {
	var obj rib.Object
	switch w := m.GetWhat().(type) {
	case *Up_Route:
		obj = d.route(w.Route)
	case *Up_Neighbor:
		n := w.Neighbor
		obj = rib.Neighbor{Interface: n.GetInterface(), Addr: d.addr(n.GetAddr()), NBMA: d.addr(n.GetNbma())}
	case *Up_MulticastPeer:
		p := w.MulticastPeer
		obj = rib.MulticastPeer{Interface: p.GetInterface(), NBMA: d.addr(p.GetNbma())}
	case *Up_LineProtocol:
		obj = rib.LineProtocol{Interface: w.LineProtocol.GetInterface(), Down: w.LineProtocol.GetDown()}
	case *Up_Shaper:
		s := w.Shaper
		obj = rib.Shaper{Interface: s.GetInterface(), NBMA: d.addr(s.GetNbma()), Rate: s.GetRate(), Burst: s.GetBurst(), Policy: s.GetPolicy()}
	case *Up_Sa:
		obj = d.sa(w.Sa)
	case *Up_Policy:
		obj = rib.Policy{Local: d.addr(w.Policy.GetLocal()), Peer: d.prefix(w.Policy.GetPeer()), Outer: d.addr(w.Policy.GetOuter())}
	case *Up_Override:
		o := w.Override
		obj = rib.Override{
			VRF: o.GetVrf(), Prefix: d.prefix(o.GetPrefix()), Protocol: d.protocol(o.GetProtocol()),
			Distance: uint8(d.limit("distance", o.GetDistance(), math.MaxUint8)), NextHop: d.nextHop(o.GetNextHop())}
	}
	if d.err != nil {
		return nil, d.err
	}
	return session.Put{Seq: m.GetSeq(), Object: obj}, session.Check(obj)
}

func toKey(k *Key) (rib.Key, error) {
	d := decoder{}
	key := d.key(k)
	if d.err != nil {
		return key, d.err
	}
	return key, session.CheckKey(key)
}

func toWatch(w *Watch) (rib.Watch, error) {
	d := decoder{}
	watch := d.watch(w)
	if d.err != nil {
		return watch, d.err
	}
	return watch, session.CheckWatch(watch)
}

// ToLog decodes a log record.
func ToLog(l *LogRecord) (session.Log, error) {
	if len(l.GetAttrs()) > session.MaxAttrs {
		return session.Log{}, invalid("log record with %d attributes", len(l.GetAttrs()))
	}
	out := session.Log{Level: slog.Level(l.GetLevel()), Message: l.GetMessage(), Dropped: l.GetDropped()}
	if l.GetTimeNs() != 0 {
		out.Time = time.Unix(0, l.GetTimeNs())
	}
	for _, a := range l.GetAttrs() {
		out.Attrs = append(out.Attrs, session.LogAttr{Key: a.GetKey(), Value: a.GetValue()})
	}
	return session.TrimLog(out), nil
}

func toCounters(c *Counters) (session.Up, error) {
	if len(c.GetValues()) > session.MaxCounters {
		return nil, invalid("%d counters", len(c.GetValues()))
	}
	values := make([]session.Counter, 0, len(c.GetValues()))
	for _, v := range c.GetValues() {
		values = append(values, session.Counter{Name: v.GetName(), Value: v.GetValue()})
	}
	return session.Counters{Values: values}, session.CheckCounters(values)
}

// ToDowns decodes messages of zebra.
func ToDowns(b *DownBatch) ([]session.Down, error) {
	if len(b.GetMessages()) > maxBatch {
		return nil, invalid("batch of %d messages", len(b.GetMessages()))
	}
	out := make([]session.Down, 0, len(b.GetMessages()))
	for _, m := range b.GetMessages() {
		switch w := m.GetWhat().(type) {
		case *Down_Event:
			e, err := toEvent(w.Event)
			if err != nil {
				return nil, err
			}
			out = append(out, session.Event{Event: e})
		case *Down_ReplayRequest:
			out = append(out, session.ReplayRequest{})
		default:
			return nil, invalid("message of unknown kind")
		}
	}
	return out, nil
}

func toEvent(e *Event) (rib.Event, error) {
	d := decoder{}
	out := d.event(e)
	return out, d.err
}

func (d *decoder) event(e *Event) rib.Event {
	switch w := e.GetWhat().(type) {
	case *Event_Attached:
		return rib.Attached{Epoch: w.Attached.GetEpoch(), Stale: int(min(w.Attached.GetStale(), math.MaxInt32))}
	case *Event_InterfaceChanged:
		return rib.InterfaceChanged{Interface: d.iface(w.InterfaceChanged)}
	case *Event_InterfaceGone:
		return rib.InterfaceGone{Name: w.InterfaceGone}
	case *Event_InterfacesKnown:
		return rib.InterfacesKnown{}
	case *Event_NextHopChanged:
		n := w.NextHopChanged
		return rib.NextHopChanged{
			Watch: d.watch(n.GetWatch()), Prefix: d.prefix(n.GetPrefix()), Protocol: d.protocol(n.GetProtocol()),
			Distance: uint8(d.limit("distance", n.GetDistance(), math.MaxUint8)),
			Metric:   n.GetMetric(), NextHops: d.nextHops(n.GetNextHops())}
	case *Event_RouteChanged:
		return rib.RouteChanged{
			Watch: d.watch(w.RouteChanged.GetWatch()), Route: d.route(w.RouteChanged.GetRoute()),
			Withdrawn: w.RouteChanged.GetWithdrawn()}
	case *Event_RoutesKnown:
		return rib.RoutesKnown{Watch: d.watch(w.RoutesKnown)}
	case *Event_Topic:
		return rib.TopicMessage{Topic: w.Topic.GetTopic(), Key: w.Topic.GetKey(), Payload: w.Topic.GetPayload()}
	case *Event_Hairpin:
		return rib.Hairpin{In: w.Hairpin.GetIn(), Out: w.Hairpin.GetOut(), Packet: w.Hairpin.GetPacket()}
	case *Event_NeighborMiss:
		return rib.NeighborMiss{Interface: w.NeighborMiss.GetInterface(), Addr: d.addr(w.NeighborMiss.GetAddr())}
	case *Event_UnmatchedGre:
		return d.unmatched(w.UnmatchedGre)
	case *Event_PeersUsed:
		return d.peersUsed(w.PeersUsed)
	case *Event_Acquired:
		return rib.Acquired{Source: d.addr(w.Acquired.GetSource()), Destination: d.addr(w.Acquired.GetDestination())}
	case *Event_SaExpired:
		return rib.SAExpired{SA: d.key(w.SaExpired.GetSa()), Hard: w.SaExpired.GetHard()}
	case *Event_MappingChanged:
		m := w.MappingChanged
		return rib.MappingChanged{SA: d.key(m.GetSa()), Old: d.addrPort(m.GetOldAddr(), m.GetOldPort()), New: d.addrPort(m.GetNewAddr(), m.GetNewPort())}
	case *Event_SaDump:
		return d.saDump(w.SaDump)
	case *Event_Ack:
		return d.ack(w.Ack)
	}
	d.fail("event of unknown kind")
	return nil
}

func (d *decoder) unmatched(u *UnmatchedGRE) rib.Event {
	out := rib.UnmatchedGRE{}
	d.limit("rows", uint32(min(len(u.GetRows()), math.MaxInt32)), session.MaxUnmatched)
	for _, r := range u.GetRows() {
		out.Rows = append(out.Rows, rib.UnmatchedRow{Source: d.addr(r.GetSource()), Destination: d.addr(r.GetDestination()),
			HasKey: r.GetHasKey(), Key: r.GetKey(), Packets: r.GetPackets(), Why: r.GetWhy()})
	}
	return out
}

func (d *decoder) peersUsed(u *PeersUsed) rib.Event {
	out := rib.PeersUsed{Interface: u.GetInterface()}
	d.limit("addresses", uint32(min(len(u.GetNbma()), math.MaxInt32)), session.MaxUsed)
	for _, b := range u.GetNbma() {
		out.NBMA = append(out.NBMA, d.addr(b))
	}
	return out
}

func (d *decoder) ack(a *Ack) rib.Event {
	out := rib.Ack{Seq: a.GetSeq()}
	d.limit("failures", uint32(min(len(a.GetFailures()), math.MaxInt32)), session.MaxFailures)
	for _, f := range a.GetFailures() {
		out.Failures = append(out.Failures, rib.Failure{Key: d.key(f.GetKey()), Error: f.GetError()})
	}
	return out
}

// decoder turns fields into values and remembers the first error.
type decoder struct {
	err  error
	hops []rib.NextHop // of the last route, shared with it
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = invalid(format, args...)
	}
}

// limit returns v, or 0 and an error if it is larger than most.
func (d *decoder) limit(what string, v, most uint32) uint32 {
	if v > most {
		d.fail("%s %d", what, v)
		return 0
	}
	return v
}

func (d *decoder) protocol(v uint32) rib.Protocol {
	return rib.Protocol(d.limit("protocol", v, uint32(rib.NHRP)))
}

func (d *decoder) addr(b []byte) netip.Addr {
	if len(b) == 0 {
		return netip.Addr{}
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok || a.Is4In6() {
		d.fail("address of %d bytes", len(b))
	}
	return a
}

func (d *decoder) prefix(b []byte) netip.Prefix {
	if len(b) == 0 {
		return netip.Prefix{}
	}
	a := d.addr(b[:len(b)-1])
	p := netip.PrefixFrom(a, int(b[len(b)-1]))
	if !p.IsValid() {
		d.fail("prefix %x", b[:min(len(b), 17)])
	}
	return p
}

func (d *decoder) nextHop(h *NextHop) rib.NextHop {
	return rib.NextHop{
		Addr: d.addr(h.GetAddr()), Interface: h.GetInterface(), VRF: h.GetVrf(), LeaveVRF: h.GetLeaveVrf(),
		OnLink: h.GetOnLink(), Discard: h.GetDiscard(), Weight: uint16(d.limit("weight", h.GetWeight(), math.MaxUint16)),
	}
}

func (d *decoder) nextHops(hops []*NextHop) []rib.NextHop {
	if len(hops) == 0 {
		return nil
	}
	if len(hops) > session.MaxNextHops {
		d.fail("%d next hops", len(hops))
		return nil
	}
	if len(hops) == len(d.hops) {
		same := true
		for i, h := range hops {
			same = same && d.nextHop(h) == d.hops[i]
		}
		if same { // as for most of a message's routes
			return d.hops
		}
	}
	d.hops = make([]rib.NextHop, len(hops))
	for i, h := range hops {
		d.hops[i] = d.nextHop(h)
	}
	return d.hops
}

func (d *decoder) route(r *Route) rib.Route {
	return rib.Route{
		VRF: r.GetVrf(), Prefix: d.prefix(r.GetPrefix()), Protocol: d.protocol(r.GetProtocol()),
		Instance: r.GetInstance(), Type: rib.RouteType(d.limit("route type", r.GetType(), uint32(rib.TypeIBGP))),
		Distance: uint8(d.limit("distance", r.GetDistance(), math.MaxUint8)), Metric: r.GetMetric(), Tag: r.GetTag(),
		Name: r.GetName(), NextHops: d.nextHops(r.GetNextHops()),
	}
}

func (d *decoder) key(k *Key) rib.Key {
	return rib.Key{
		Kind: rib.Kind(d.limit("kind", k.GetKind(), uint32(rib.KindPolicy))), VRF: k.GetVrf(),
		Prefix: d.prefix(k.GetPrefix()), Protocol: d.protocol(k.GetProtocol()), Instance: k.GetInstance(),
		Interface: k.GetInterface(), Addr: d.addr(k.GetAddr()),
	}
}

func (d *decoder) watch(w *Watch) rib.Watch {
	return rib.Watch{
		Kind: rib.WatchKind(d.limit("watch kind", w.GetKind(), uint32(rib.WatchNetwork))), VRF: w.GetVrf(),
		Addr: d.addr(w.GetAddr()), Family: rib.Family(d.limit("family", w.GetFamily(), math.MaxUint8)),
		Protocol: d.protocol(w.GetProtocol()), Instance: w.GetInstance(), Interface: w.GetInterface(), Topic: w.GetTopic(),
		Prefix: d.prefix(w.GetPrefix()),
	}
}

func (d *decoder) iface(i *Interface) rib.Interface {
	out := rib.Interface{
		Name: i.GetName(), KernelName: i.GetKernelName(), Index: int(d.limit("index", i.GetIndex(), math.MaxInt32)),
		Type: rib.InterfaceType(d.limit("interface type", i.GetType(), uint32(rib.TypePointToPoint))), VRF: i.GetVrf(),
		AdminUp: i.GetAdminUp(), Up: i.GetUp(), HeldDown: i.GetHeldDown(), Multicast: i.GetMulticast(), MTU: int(d.limit("MTU", i.GetMtu(), math.MaxInt32)),
		Bandwidth: i.GetBandwidth(), Delay: i.GetDelay(), Description: i.GetDescription(),
	}
	for _, a := range i.GetAddresses() {
		out.Addresses = append(out.Addresses, rib.Address{
			Prefix: d.prefix(a.GetPrefix()), Peer: d.prefix(a.GetPeer()), Secondary: a.GetSecondary()})
	}
	if t := i.GetTunnel(); t != nil {
		out.Tunnel = &rib.Tunnel{
			Mode:            rib.TunnelMode(d.limit("tunnel mode", t.GetMode(), uint32(rib.TunnelGREMultipoint))),
			SourceInterface: t.GetSourceInterface(), Source: d.addr(t.GetSource()), Destination: d.addr(t.GetDestination()),
			HasKey: t.GetHasKey(), Key: t.GetKey(), VRF: t.GetVrf(), IPv6Transport: t.GetIpv6Transport(),
			Protection: t.GetProtection(), Shared: t.GetShared()}
	}
	return out
}
