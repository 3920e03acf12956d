package core

import (
	"fmt"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/flood"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// updated takes a Link State Update (RFC 2328 section 13).
func (n *neighbor) updated(now clock.Instant, m *packet.Message) DropReason {
	if n.state < fsm.NeighborExchange {
		return DropState
	}
	in := n.iface.instance
	var direct []packet.LSAHeader
	for _, lsa := range m.Updates {
		ack, ok := n.install(now, lsa)
		if !ok {
			break
		}
		h := lsa.LSAHeader
		switch ack {
		case flood.DirectAck:
			direct = append(direct, h)
		case flood.DelayedAck:
			n.acknowledge(now, h)
		}
	}
	n.sendAcks(now, direct)
	if in.exchanging > 0 {
		in.requestMore(now)
	}
	return 0
}

// requestMore has all neighbours asked for what is next, where what was asked for has come
// from any of them.
func (in *instance) requestMore(now clock.Instant) {
	for _, i := range in.ifaces {
		for _, n := range i.neighbors {
			switch {
			case n.state == fsm.NeighborLoading, n.state == fsm.NeighborExchange && len(n.exchange.asked) > 0:
				n.request(now)
			}
		}
	}
}

// install does what section 13 says with one LSA. ok is false if the rest of the update is
// not to be looked at any more.
func (n *neighbor) install(now clock.Instant, lsa packet.LSA) (ack flood.Ack, ok bool) {
	i, in := n.iface, n.iface.instance
	s := i.scopeOf(lsa.Type)
	if s == nil {
		i.dropLSA(DropLSA)
		return flood.NoAck, true
	}
	in.noteKept(now, s, lsa)
	fromDR := n.addr == i.dr
	_, asked := n.flood.Requests[lsa.LSAKey]
	r := s.db.Receive(now, lsa, in.exchanging > 0)
	if in.core.tracing.Flood {
		i.traceFlood(n.addr, n.id, lsa.LSAHeader, fmt.Sprintf("received: %v, ", r.Verdict))
	}
	switch r.Verdict {
	case lsdb.Newer:
		if asked {
			s.db.Exchanged(lsa.LSAKey)
		}
		return n.newer(now, s, r, fromDR), true
	case lsdb.BadChecksum:
		i.dropLSA(DropChecksum)
		return flood.NoAck, true
	case lsdb.Unacceptable:
		i.dropLSA(DropLSA)
		return flood.NoAck, true
	case lsdb.TooSoon:
		i.dropLSA(DropTooSoon)
		return flood.NoAck, true
	case lsdb.Full:
		i.dropLSA(DropFull)
		if in.logs.allow(now) {
			in.core.emit(Log{SeverityWarning, "MAX_LSA", fmt.Sprintf("Process %d, no room for %v from %v on %s", in.key.Process, lsa.LSAKey, n.id, i.name)})
		}
		return flood.NoAck, true
	case lsdb.Gone:
		return flood.Acknowledge(flood.UnknownFlush, i.state, fromDR), true
	}
	if asked { // step 6
		n.event(now, fsm.BadLSReq, "BadLSReq")
		return flood.NoAck, false
	}
	switch r.Verdict {
	case lsdb.Duplicate: // step 7
		if same, _ := n.flood.List.Acked(lsa.LSAHeader); same {
			n.unlisted(now, s, lsa.LSAKey)
			return flood.Acknowledge(flood.Implied, i.state, fromDR), true
		}
		return flood.Acknowledge(flood.Unexpected, i.state, fromDR), true
	case lsdb.SendBack: // step 8
		i.sendUpdates(now, n, []packet.LSA{r.Copy})
		s.db.Sent(now, lsa.LSAKey)
	}
	return flood.NoAck, true
}

// newer floods what was installed (steps 5b to 5f).
func (n *neighbor) newer(now clock.Instant, s *scope, r lsdb.Receipt, fromDR bool) flood.Ack {
	i, in := n.iface, n.iface.instance
	back := in.changed(now, s, r.Change, n)
	in.heardGrace(now, n, r.Change.LSA)
	if r.Self {
		in.selfReceived(now, s, r.Change.LSA)
	}
	if back {
		return flood.Acknowledge(flood.FloodedBack, i.state, fromDR)
	}
	return flood.Acknowledge(flood.MoreRecent, i.state, fromDR)
}

// selfReceived deals with an LSA of a former life (section 13.4).
func (in *instance) selfReceived(now clock.Instant, s *scope, lsa packet.LSA) {
	switch {
	case in.restarting: // RFC 3623 section 2.2: they stay as they are
		in.checkRestart(now)
	case s.iface != nil:
		in.flush(now, s, lsa.LSAKey)
	case lsa.Type >= packet.OpaqueLinkLSA:
		in.flush(now, s, lsa.LSAKey)
	default:
		in.routesSelf(now, s, lsa)
	}
}

func (i *iface) dropLSA(reason DropReason) {
	i.counters.Dropped[reason]++
	i.instance.counters.Dropped[reason]++
}

// acknowledged takes a Link State Acknowledgment (section 13.7).
func (n *neighbor) acknowledged(now clock.Instant, m *packet.Message) DropReason {
	if n.state < fsm.NeighborExchange {
		return DropState
	}
	for _, h := range m.Acks {
		n.iface.traceFlood(n.addr, n.id, h, "acknowledgment received, ")
		if same, _ := n.flood.List.Acked(h); same {
			n.unlisted(now, n.iface.scopeOf(h.Type), h.LSAKey)
		}
	}
	n.armRetransmit(now)
	return 0
}

// unlisted says that the neighbour has an LSA: one that is MaxAge may go then.
func (n *neighbor) unlisted(now clock.Instant, s *scope, key packet.LSAKey) {
	if s != nil && s.flushing[key] {
		n.iface.instance.unflushed = true
	}
	n.armRetransmit(now)
}
