package core

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/flood"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// originate says something in an LSA of this router's own. Nothing happens if the last
// instance says so already. Minimum intervals are the caller's.
func (in *instance) originate(now clock.Instant, s *scope, what lsdb.Statement) {
	c, err := s.db.Originate(now, what)
	if err != nil {
		if in.logs.allow(now) {
			in.core.emit(Log{SeverityError, "LSA", fmt.Sprintf("Process %d, %v %v cannot be originated: %v", in.key.Process, what.Type, what.ID, err)})
		}
		return
	}
	if c.Kind != lsdb.Nothing {
		in.changed(now, s, c, nil)
	}
}

// flush ages an LSA of this router prematurely (RFC 2328 section 14.1).
func (in *instance) flush(now clock.Instant, s *scope, key packet.LSAKey) {
	if c := s.db.Flush(now, key); c.Kind != lsdb.Nothing {
		in.changed(now, s, c, nil)
	}
}

// flushOwn flushes all LSAs of this router.
func (in *instance) flushOwn(now clock.Instant) {
	for s := range in.scopes() {
		var own []packet.LSAKey
		for lsa := range s.db.All(now) {
			if s.db.Own(lsa.LSAKey) {
				own = append(own, lsa.LSAKey)
			}
		}
		for _, key := range own {
			in.flush(now, s, key)
		}
	}
}

// changed floods what is new in a database, and tells the routes. back says that it was
// flooded out of the interface that it came by.
func (in *instance) changed(now clock.Instant, s *scope, c lsdb.Change, from *neighbor) (back bool) {
	key := c.LSA.LSAKey
	if c.Kind == lsdb.Corrupt {
		in.core.emit(Log{SeverityError, "BADCHECKSUM", fmt.Sprintf("Process %d, checksum of %v in the database is wrong", in.key.Process, key)})
		return false
	}
	if in.core.tracing.Generation && s.db.Own(key) {
		in.trace(Trace{Event: TraceGeneration, LSA: key, Text: fmt.Sprintf("%v, sequence 0x%08x", c.Kind, uint32(c.LSA.Sequence))})
	}
	switch {
	case c.Kind == lsdb.Removed:
		delete(s.flushing, key)
	case c.LSA.IsMaxAge():
		s.flushing[key], in.unflushed = true, true
	default:
		delete(s.flushing, key)
	}
	in.noteCapable(s, c)
	in.noteKept(now, s, c.LSA)
	if c.Flood() {
		back = in.flood(now, s, c, from)
	}
	in.routesChanged(now, s, c)
	in.endHelpOnChange(now, s, c)
	return back
}

// flood has an LSA sent to whom it concerns (section 13.3).
func (in *instance) flood(now clock.Instant, s *scope, c lsdb.Change, from *neighbor) (back bool) {
	switch {
	case s.iface != nil:
		return s.iface.flood(now, c, from)
	case s.area != nil:
		for _, i := range s.area.ifaces {
			back = i.flood(now, c, from) || back
		}
		return back
	}
	for _, i := range in.ifaces {
		if i.area.external() && i.virtual == nil {
			back = i.flood(now, c, from) || back
		}
	}
	return back
}

// flood has an LSA sent by the interface. back says that this is the interface that it
// came by, and that the sender hears it: from a group.
func (i *iface) flood(now clock.Instant, c lsdb.Change, from *neighbor) (back bool) {
	if len(i.neighbors) == 0 {
		return false
	}
	h := c.LSA.LSAHeader
	arrival := flood.Arrival{}
	if from != nil && from.iface == i {
		arrival = flood.Arrival{Here: true, FromDesignated: i.typ.Elects() && from.addr == i.dr, FromBackup: i.typ.Elects() && from.addr == i.bdr}
	}
	var told []*neighbor
	keep := i.reduces(h.Type) && !h.IsMaxAge()
	for _, n := range i.neighbors {
		if n != from && n.spared(c) {
			continue
		}
		n.keeps(h.LSAKey, false)
		n.flood.List.Remove(h.LSAKey)
		if !n.takes(h.Type) || n.filtered() || !n.flood.Offer(now, h, n == from) {
			continue
		}
		n.keeps(h.LSAKey, keep)
		n.armRetransmit(now)
		if !arrival.Here || !i.cfg.DelayReflood || i.typ != fsm.PointToMultipoint {
			told = append(told, n)
		}
	}
	if !flood.SendOut(len(told) > 0, arrival, i.state) {
		return false
	}
	if _, ok := i.group(); ok {
		i.box.put(h.LSAKey)
		return arrival.Here
	}
	for _, n := range told {
		n.box.put(h.LSAKey)
	}
	return false // the sender hears nothing of it
}

// outbox has the LSAs that go out by an interface to its group, or to one neighbour, paced
// (`timers pacing flood`): what comes together goes in one packet.
type outbox struct {
	iface *iface
	to    *neighbor // nil: the group
	again bool      // retransmissions
	keys  []packet.LSAKey
	have  map[packet.LSAKey]bool
	next  clock.Instant // when the next packet may go
	fresh bool          // it is on the instance's list
}

// put has an LSA sent.
func (b *outbox) put(key packet.LSAKey) {
	if b.have[key] {
		return
	}
	if b.have == nil {
		b.have = make(map[packet.LSAKey]bool)
	}
	b.have[key] = true
	b.keys = append(b.keys, key)
	if !b.fresh {
		b.fresh = true
		b.iface.instance.boxes = append(b.iface.instance.boxes, b)
	}
}

// pacing is the time between two packets.
func (b *outbox) pacing() time.Duration {
	if b.again {
		return b.iface.instance.cfg.Timers.RetransmissionPacing
	}
	return b.iface.instance.cfg.Timers.FloodPacing
}

// due sends the next packet, if one may go, and arms the timer of what is left.
func (b *outbox) due(now clock.Instant) {
	if len(b.keys) > 0 && now >= b.next {
		b.send(now)
		b.next = now.Add(b.pacing())
	}
	b.iface.instance.core.arm(timerKey{kind: timerFlood, box: b}, max(b.next, now+1), len(b.keys) > 0)
}

// send sends one packet of the LSAs that wait.
func (b *outbox) send(now clock.Instant) {
	i := b.iface
	room := i.room() - countLen
	var all []packet.LSA
	for len(b.keys) > 0 {
		key := b.keys[0]
		s := i.scopeOf(key.Type)
		var lsa packet.LSA
		ok := false
		if s != nil {
			lsa, ok = s.db.Get(now, key)
		}
		if ok && b.again && !b.to.flood.List.Has(key) {
			ok = false // acknowledged meanwhile
		}
		if ok {
			if room -= int(lsa.Length); room < 0 && len(all) > 0 {
				break
			}
			all = append(all, lsa)
		}
		b.keys = b.keys[1:]
		delete(b.have, key)
	}
	if len(all) == 0 {
		return
	}
	if b.to != nil {
		i.sendUpdate(now, b.to.addr, all)
		return
	}
	if group, ok := i.group(); ok {
		i.sendUpdate(now, group, all)
	}
}

const countLen = 4 // octets of the number of LSAs in an update

// sendUpdates sends LSAs to a neighbour, in as many packets as they need.
func (i *iface) sendUpdates(now clock.Instant, n *neighbor, all []packet.LSA) {
	to := n.dest()
	for len(all) > 0 {
		room, k := i.room()-countLen, 0
		for k < len(all) && (k == 0 || int(all[k].Length) <= room) {
			room -= int(all[k].Length)
			k++
		}
		i.sendUpdate(now, to, all[:k])
		all = all[k:]
	}
}

// sendUpdate sends one Link State Update. Ages grow on the way (section 13.3).
func (i *iface) sendUpdate(now clock.Instant, to netip.Addr, all []packet.LSA) {
	out := make([]packet.LSA, len(all))
	for k, lsa := range all {
		out[k] = lsdb.Delayed(i.reduced(lsa), uint16(i.cfg.TransmitDelay/time.Second))
	}
	i.send(now, to, &packet.Message{Type: packet.LinkStateUpdate, Updates: out})
	for _, lsa := range out {
		i.traceFlood(to, 0, lsa.LSAHeader, "sent, ")
	}
}

// armRetransmit arms the timer of the retransmission list.
func (n *neighbor) armRetransmit(now clock.Instant) {
	at, ok := n.flood.List.Next()
	n.iface.instance.core.arm(timerKey{kind: timerRetransmit, neighbor: n}, max(at, now+1), ok)
}

// retransmit sends again what was not acknowledged (section 13.6), always to the neighbour
// alone.
func (n *neighbor) retransmit(now clock.Instant) {
	keys := n.flood.List.Due(now, n.iface.cfg.RetransmitWindow, nil)
	for _, key := range keys {
		n.resend.put(key)
	}
	if k := uint64(len(keys)); k > 0 {
		n.retransmitted += k
		n.iface.counters.Retransmissions += k
		n.iface.instance.counters.Retransmissions += k
	}
	n.armRetransmit(now)
}

// ackDelay is how long acknowledgments wait for others (section 13.5): less than any
// RxmtInterval.
const ackDelay = 500 * time.Millisecond

// acknowledge has an LSA acknowledged with others.
func (n *neighbor) acknowledge(now clock.Instant, h packet.LSAHeader) {
	i := n.iface
	if _, ok := i.group(); ok || i.typ.Elects() {
		i.acks = append(i.acks, h)
	} else {
		n.acks = append(n.acks, h)
	}
	if !i.acking {
		i.acking = true
		i.instance.core.timers.Set(timerKey{kind: timerAck, iface: i}, now.Add(min(ackDelay, i.cfg.Retransmit/4)))
	}
}

// sendAcks sends the delayed acknowledgments: to the group, on NBMA networks to all that
// are adjacent, and elsewhere to whom they concern.
func (i *iface) sendAcks(now clock.Instant) {
	i.acking = false
	acks := i.acks
	i.acks = nil
	if group, ok := i.group(); ok {
		i.sendAckTo(now, group, acks)
		return
	}
	for _, n := range i.neighbors {
		own := slices.Concat(acks, n.acks)
		n.acks = nil
		if n.state >= fsm.NeighborExchange {
			i.sendAckTo(now, n.addr, own)
		}
	}
}

// sendAcks acknowledges LSAs to the neighbour at once.
func (n *neighbor) sendAcks(now clock.Instant, acks []packet.LSAHeader) {
	n.iface.sendAckTo(now, n.dest(), acks)
}

func (i *iface) sendAckTo(now clock.Instant, to netip.Addr, acks []packet.LSAHeader) {
	room := max(i.room()/packet.LSAHeaderLen, 1)
	for part := range slices.Chunk(acks, room) {
		i.send(now, to, &packet.Message{Type: packet.LinkStateAck, Acks: part})
		for _, h := range part {
			i.traceFlood(to, 0, h, "acknowledged, ")
		}
	}
}

// traceFlood traces what becomes of an LSA (`debug ip ospf flood`); router is 0 for a group.
func (i *iface) traceFlood(peer netip.Addr, router packet.ID, h packet.LSAHeader, what string) {
	if i.instance.core.tracing.Flood {
		i.instance.trace(Trace{Event: TraceFlood, Interface: i.name, Peer: peer, Router: router, LSA: h.LSAKey, Text: fmt.Sprintf("%ssequence 0x%08x", what, uint32(h.Sequence))})
	}
}
