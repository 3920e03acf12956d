package core

import (
	"github.com/godmvpn/godmvpn/eigrpd/core/rtp"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// answer answers a Query.
func (c *Core) answer(now clock.Instant, q Query) Report {
	var selected []*instance
	for _, in := range c.order {
		if selects(in, q.Family, q.VRF, q.AllVRFs, q.AS) {
			selected = append(selected, in)
		}
	}
	switch q.Kind {
	case ReportNeighbors:
		r := new(NeighborReport)
		for _, in := range selected {
			part := InstanceNeighbors{Identity: in.identity(), Neighbors: in.neighborStatus(now)}
			if l := in.cfg.Listen; l != nil {
				part.MaxRemote = l.Maximum
			}
			r.Instances = append(r.Instances, part)
		}
		return r
	case ReportInterfaces:
		r := new(InterfaceReport)
		for _, in := range selected {
			r.Instances = append(r.Instances, InstanceInterfaces{in.identity(), in.interfaceStatus(now)})
		}
		return r
	case ReportTopology:
		r := new(TopologyReport)
		for _, in := range selected {
			r.Instances = append(r.Instances, in.topologyReport(now, q))
		}
		return r
	case ReportStatus:
		r := new(StatusReport)
		for _, in := range selected {
			r.Instances = append(r.Instances, in.status(now))
		}
		return r
	case ReportEvents:
		r := new(EventReport)
		for _, in := range selected {
			r.Instances = append(r.Instances, InstanceEvents{in.identity(), in.events.latest(now)})
		}
		return r
	}
	return nil
}

func (in *instance) identity() Identity {
	return Identity{Key: in.key, Name: in.cfg.Name, RouterID: in.id, Wide: in.wide()}
}

// neighborStatus returns the neighbours in the order in which they came.
func (in *instance) neighborStatus(now clock.Instant) []NeighborStatus {
	if !in.on {
		return nil
	}
	var all []NeighborStatus
	for _, n := range in.sorted() {
		s := NeighborStatus{
			Handle: n.handle, Addr: n.addr, Interface: n.iface.name, Static: n.static, Remote: n.remote, Pending: !n.up,
			Hold: max(n.heard.Add(n.hold).Sub(now), 0), HoldTime: n.hold, Uptime: now.Sub(n.since), LastUpdate: now.Sub(max(n.told, n.since)),
			Software: n.software, Prefixes: n.routes.prefixes, Stub: n.flags, IsStub: n.stub,
		}
		if n.restart != nil {
			s.Restarting, s.RestartTime = true, now.Sub(n.restart.since)
		}
		if t, ok := in.transport.Peer(n.peer()); ok {
			s.Transport = PeerTransport{
				SRTT: t.SRTT, RTO: t.RTO, Queue: t.Queue, Sequence: t.LastSeq, Retransmissions: t.Retransmissions, Retries: t.Retries,
			}
		}
		all = append(all, s)
	}
	return all
}

// interfaceStatus returns the interfaces by name.
func (in *instance) interfaceStatus(now clock.Instant) []InterfaceStatus {
	var all []InterfaceStatus
	for _, i := range in.order {
		s := InterfaceStatus{
			Config: i.cfg, Up: i.up, Peers: i.peers, Bandwidth: i.link.Bandwidth, Delay: uint64(i.link.Delay) * 10_000_000,
			HelloSent: i.helloSent, HelloReceived: i.helloReceived, SendKey: i.auth.sendID(in.core.wallTime(now)),
		}
		if at, ok := in.core.timers.Deadline(timerKey{kind: timerHello, iface: i}); ok {
			s.NextHello = at.Sub(now)
		}
		if t, ok := in.transport.LinkStats(rtp.InterfaceID(i.id)); ok {
			s.Transport = linkTransport(t, i.helloSent)
		}
		all = append(all, s)
	}
	return all
}

// linkTransport puts the figures of reliable transport and of Hellos together.
func linkTransport(t rtp.LinkStats, hellos uint64) LinkTransport {
	return LinkTransport{
		QueueReliable: t.XmitQueue, PeerQueueReliable: t.PeerQueue, MeanSRTT: t.MeanSRTT,
		PacingUnreliable: t.UnreliablePacing, PacingReliable: t.ReliablePacing, MulticastFlow: t.FlowTimer, PendingRoutes: t.Pending,
		UnreliableMulticasts: t.UnreliableMulticasts + hellos, ReliableMulticasts: t.ReliableMulticasts,
		UnreliableUnicasts: t.UnreliableUnicasts, ReliableUnicasts: t.ReliableUnicasts, MulticastExceptions: t.MulticastExceptions,
		ConditionalReceive: t.CRPackets, AcksSuppressed: t.AcksSuppressed, Retransmissions: t.Retransmissions, OutOfSequence: t.OutOfSequence,
	}
}

// status returns what is in no table. Routes adds what it knows.
func (in *instance) status(now clock.Instant) InstanceStatus {
	s := InstanceStatus{Identity: in.identity(), Config: in.cfg, Counters: in.counters, Down: !in.on, Neighbors: in.neighborStatus(now)}
	for _, i := range in.order {
		s.Interfaces = append(s.Interfaces, i.name)
		if i.cfg.Passive {
			s.Passive = append(s.Passive, i.name)
		}
	}
	if at, ok := in.core.timers.Deadline(timerKey{kind: timerTransport, instance: in}); ok {
		s.NextTimer = at.Sub(now)
	}
	in.routesStatus(now, &s)
	return s
}
