package core

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Grace-LSAs (RFC 3623 appendix A): opaque LSAs of a link, of type 3.
const (
	graceID       packet.ID = 3 << 24
	gracePeriod             = 1 // TLV: seconds
	graceReason             = 2 // TLV: why
	graceAddress            = 3 // TLV: address on the network
	reasonUnknown           = 0 // also a crash
	reasonRestart           = 1 // software restart
)

// restart is a graceful restart of this router (RFC 3623 section 2).
type restart struct {
	until   clock.Instant // end of the grace period
	told    time.Time     // when the life before told its neighbours; zero: it crashed
	asked   clock.Instant // until then a neighbour may ask again for what it was sent
	settles clock.Instant // when it ends, as all adjacencies are back; 0: not all are
	reason  uint8
	ended   string // how the last one ended
}

// graceSettle is how long a restart goes on when all adjacencies are back: a neighbour may load
// what it lacks yet, and one that ends to help before it is fully adjacent itself tells its area
// that the link is gone (RFC 3623 section 3.2). One that asked for something may have to ask
// again: FRR drops what comes within MinLSArrival, although it asked for that.
const graceSettle = 2 * time.Second

// help is what this router does for a neighbour that restarts (RFC 3623 section 3).
type help struct {
	active bool
	until  clock.Instant
	reason uint8
	ended  string
}

// announceRestart asks the neighbours for a grace period, before the daemon ends (section
// 2.1). Nobody will hear an acknowledgment, so it is said twice.
func (in *instance) announceRestart(now clock.Instant) {
	for range 2 {
		for _, i := range in.ifaces {
			in.sendGrace(now, i, grace{in.cfg.Restart.Interval, reasonRestart, in.core.wallTime(now)}, i.neighbors)
		}
	}
	m := in.core.remembered[in.key]
	m.Restart = in.core.wallTime(now).Add(in.cfg.Restart.Interval)
	in.core.emit(Remember{Key: in.key, Value: m})
}

// grace is what grace-LSAs say, and by whose time of day they are numbered.
type grace struct {
	period time.Duration
	reason uint8
	wall   time.Time
}

// sendGrace originates the grace-LSA of a link, and sends it to its group, or to these
// neighbours where there is none.
func (in *instance) sendGrace(now clock.Instant, i *iface, g grace, to []*neighbor) {
	if !i.speaks() || i.virtual != nil {
		return
	}
	seconds := uint32((g.period + time.Second - 1) / time.Second)
	tlvs := []packet.TLV{{Type: gracePeriod, Value: binary.BigEndian.AppendUint32(nil, seconds)}, {Type: graceReason, Value: []byte{g.reason}}}
	if i.typ != fsm.PointToPoint {
		tlvs = append(tlvs, packet.TLV{Type: graceAddress, Value: i.addr.Addr().AsSlice()})
	}
	what := lsdb.Statement{Type: packet.OpaqueLinkLSA, ID: graceID, Options: i.area.lsaOptions(), Body: packet.AppendTLVs(nil, tlvs),
		First: graceSequence(g.wall)}
	in.originate(now, i.scope, what)
	lsa, ok := i.scope.db.Get(now, packet.LSAKey{Type: packet.OpaqueLinkLSA, ID: graceID, Router: in.id})
	if !ok {
		return
	}
	if i.multicasts() {
		i.sendUpdate(now, packet.AllSPFRouters, []packet.LSA{lsa})
		return
	}
	for _, n := range to {
		i.sendUpdate(now, n.addr, []packet.LSA{lsa})
	}
}

// graceSequence is the sequence number of a life's first grace-LSA: after a crash nobody tells
// it the last one in time, and a neighbour may remember for long the one that was flushed
// after the restart before. The time of day is above both.
func graceSequence(wall time.Time) int32 {
	return int32(int64(packet.InitialSequence) + min(max(wall.Unix(), 0), 1<<32-4))
}

// beginRestart begins a graceful restart if this life follows one that asked for it, or one
// that crashed while routes of it still forward (section 5).
func (in *instance) beginRestart(now clock.Instant) {
	c := in.core
	m := c.remembered[in.key]
	left := m.Restart.Sub(c.wallTime(now))
	planned := !m.Restart.IsZero() && left > 0
	crashed := m.Restart.IsZero() && in.lived && c.replay.stale > 0
	told := m.Restart.Add(-in.cfg.Restart.Interval)
	m.Restart = time.Time{}
	c.remembered[in.key] = m
	if !in.cfg.Restart.Enabled || !planned && !crashed {
		return
	}
	in.restart.reason = reasonRestart
	in.restart.told = told
	if !planned {
		in.restart.told = time.Time{}
		left, in.restart.reason = in.cfg.Restart.Interval, reasonUnknown
	}
	in.restarting, in.restart.until = true, now.Add(left)
	c.timers.Set(timerKey{kind: timerRestart, instance: in}, in.restart.until)
	in.traceRestart("graceful restart begins", nil)
}

// announceAgain sends the grace-LSA of an interface before its first Hello (section 5): to all
// when it comes up, and where nothing is sent to a group to each neighbour that is met later.
// If the life before told its neighbours, it is the very LSA that they have: another one may
// come too soon for them (RFC 2328 section 13 (5) (a)), and would have to be loaded.
func (i *iface) announceAgain(now clock.Instant, to ...*neighbor) {
	in := i.instance
	switch {
	case !in.restarting:
	case in.restart.told.IsZero():
		in.sendGrace(now, i, grace{in.restart.until.Sub(now), in.restart.reason, in.core.wallTime(now)}, to)
	default:
		in.sendGrace(now, i, grace{in.cfg.Restart.Interval, in.restart.reason, in.restart.told}, to)
	}
}

// resume takes the part on a network that this router had before its restart, as a
// neighbour tells (section 2.3).
func (i *iface) resume(now clock.Instant, n *neighbor) {
	self := i.addr.Addr()
	if !i.instance.restarting || i.state != fsm.InterfaceWaiting {
		return
	}
	switch {
	case n.dr == self:
		i.dr = self
	case n.bdr == self && n.dr == n.addr:
		i.bdr = self
	default:
		return
	}
	i.event(now, fsm.WaitTimer)
	i.adjust(now) // the election found what was set here: nothing changed
}

// checkRestart ends the restart when all adjacencies have been there for a while that were
// before it, or one of them cannot be any more (section 2.2).
func (in *instance) checkRestart(now clock.Instant) {
	if !in.restarting {
		return
	}
	whole := len(in.order) > 0
	for _, a := range in.order {
		lsa, ok := a.scope.db.Get(now, packet.LSAKey{Type: packet.RouterLSA, ID: in.id, Router: in.id})
		if !ok {
			whole = false
			continue
		}
		body, err := lsa.Router()
		if err != nil {
			whole = false
			continue
		}
		for _, l := range body.Links {
			there, lost := a.linkBack(now, l)
			if lost {
				in.endRestart(now, "topology changed")
				return
			}
			whole = whole && there
		}
	}
	switch {
	case !whole:
		in.restart.settles = 0
		in.core.timers.Clear(timerKey{kind: timerSettle, instance: in})
	case in.restart.settles == 0:
		in.settleRestart(now.Add(graceSettle))
	case in.restart.settles <= now:
		in.endRestart(now, "completed")
	}
}

// settleRestart lets the restart end at a time, or when no neighbour asks again.
func (in *instance) settleRestart(at clock.Instant) {
	in.restart.settles = max(at, in.restart.asked)
	in.core.timers.Set(timerKey{kind: timerSettle, instance: in}, in.restart.settles)
}

// delayRestart says that a neighbour was sent what it asked for.
func (n *neighbor) delayRestart(now clock.Instant) {
	in := n.iface.instance
	if !in.restarting {
		return
	}
	in.restart.asked = max(in.restart.asked, now.Add(n.iface.cfg.Retransmit+graceSettle))
	if in.restart.settles != 0 {
		in.settleRestart(in.restart.settles)
	}
}

// linkBack reports whether a link of the own router-LSA of before is there again, and
// whether the router at its other end says that it is none any more.
func (a *area) linkBack(now clock.Instant, l packet.RouterLink) (there, lost bool) {
	in := a.instance
	switch l.Type {
	case packet.LinkPointToPoint, packet.LinkVirtual:
		for _, i := range a.ifaces {
			if packet.IDOf(i.addr.Addr()) != packet.ID(l.Data) && uint32(i.link.Index) != l.Data { // unnumbered: the index
				continue
			}
			for _, n := range i.neighbors {
				there = there || n.id == l.ID && n.state == fsm.NeighborFull
			}
		}
		if lsa, ok := a.scope.db.Get(now, packet.LSAKey{Type: packet.RouterLSA, ID: l.ID, Router: l.ID}); ok {
			body, err := lsa.Router()
			lost = err == nil && !slices.ContainsFunc(body.Links, func(o packet.RouterLink) bool { return o.Type == l.Type && o.ID == in.id })
		}
		return there, lost
	case packet.LinkTransit:
		for _, i := range a.ifaces {
			if i.addr.Addr() == packet.ID(l.Data).Addr() {
				return i.networkBack(now, l.ID), false
			}
		}
		return false, false
	}
	return true, false
}

// networkBack reports whether the adjacencies on a network are there again: with its
// designated router, or, if this router is that, with all that its network-LSA lists.
func (i *iface) networkBack(now clock.Instant, designated packet.ID) bool {
	if designated.Addr() != i.addr.Addr() {
		n := i.byAddr[designated.Addr()]
		return n != nil && n.state == fsm.NeighborFull
	}
	lsa, ok := i.area.scope.db.Get(now, packet.LSAKey{Type: packet.NetworkLSA, ID: designated, Router: i.instance.id})
	if !ok {
		return false
	}
	body, err := lsa.Network()
	if err != nil {
		return false
	}
	for _, id := range body.Routers {
		if id != i.instance.id && !slices.ContainsFunc(i.neighbors, func(n *neighbor) bool { return n.id == id && n.state == fsm.NeighborFull }) {
			return false
		}
	}
	return true
}

// endRestart ends the restart: this router speaks for itself again (section 2.3).
func (in *instance) endRestart(now clock.Instant, why string) {
	if !in.restarting {
		return
	}
	in.restarting, in.restart.ended, in.restart.asked, in.restart.settles = false, why, 0, 0
	in.core.timers.Clear(timerKey{kind: timerRestart, instance: in})
	in.core.timers.Clear(timerKey{kind: timerSettle, instance: in})
	in.traceRestart("graceful restart ends: "+why, nil)
	for s := range in.scopes() {
		for _, lsa := range slices.Collect(s.db.All(now)) {
			if s.db.Self(lsa.LSAKey) && !lsa.IsMaxAge() {
				if s.iface != nil {
					in.flush(now, s, lsa.LSAKey)
				} else if !s.db.Own(lsa.LSAKey) {
					in.selfReceived(now, s, lsa)
				}
			}
		}
	}
	for _, i := range in.ifaces {
		in.routesInterface(now, i)
	}
	in.routesConfigured(now)
}

// heardGrace begins or ends to help a neighbour whose grace-LSA came (section 3.1).
func (in *instance) heardGrace(now clock.Instant, from *neighbor, lsa packet.LSA) {
	if lsa.Type != packet.OpaqueLinkLSA || lsa.ID != graceID {
		return
	}
	for _, n := range from.iface.neighbors {
		if n.id != lsa.LSAKey.Router {
			continue
		}
		if lsa.IsMaxAge() {
			n.endHelp(now, "completed")
			return
		}
		period, reason, ok := readGrace(lsa)
		left := time.Duration(int64(period)-int64(lsa.Age)) * time.Second
		if ok && left > 0 && n.mayHelp() {
			n.beginHelp(now, left, reason)
		}
		return
	}
}

func readGrace(lsa packet.LSA) (period uint32, reason uint8, ok bool) {
	tlvs, err := lsa.Opaque()
	for _, t := range tlvs {
		switch {
		case t.Type == gracePeriod && len(t.Value) == 4:
			period, ok = binary.BigEndian.Uint32(t.Value), true
		case t.Type == graceReason && len(t.Value) == 1:
			reason = t.Value[0]
		}
	}
	return min(period, packet.MaxAge), reason, ok && err == nil
}

// mayHelp reports whether the neighbour is helped: it is fully adjacent, this router does not
// restart itself, and, if LSAs are checked strictly, it has all that concerns the topology
// (section 3.1).
func (n *neighbor) mayHelp() bool {
	in := n.iface.instance
	switch {
	case n.help.active:
		return true
	case n.state != fsm.NeighborFull, in.cfg.Restart.NoHelper, in.cfg.NoOpaque, in.restarting:
		return false
	}
	return !in.cfg.Restart.Strict || !n.flood.List.Any(func(key packet.LSAKey) bool { return key.Type < packet.OpaqueLinkLSA })
}

func (n *neighbor) beginHelp(now clock.Instant, left time.Duration, reason uint8) {
	n.help = help{active: true, until: now.Add(left), reason: reason}
	n.iface.instance.core.timers.Set(timerKey{kind: timerHelp, neighbor: n}, n.help.until)
	n.iface.instance.traceRestart(fmt.Sprintf("helping for %v, reason %d", left, reason), n)
}

// endHelp ends to help: the neighbour is what its state says (section 3.2).
func (n *neighbor) endHelp(now clock.Instant, why string) {
	if !n.help.active {
		return
	}
	i, in := n.iface, n.iface.instance
	n.help = help{ended: why}
	in.core.timers.Clear(timerKey{kind: timerHelp, neighbor: n})
	in.traceRestart("helping ends: "+why, n)
	in.routesInterface(now, i)
	if n.due <= now {
		n.event(now, fsm.InactivityTimer, "Neighbor Down: Dead timer expired")
	}
	i.event(now, fsm.NeighborChange)
}

// endHelpOnChange ends to help where the topology changes, if LSAs are checked strictly
// (section 3.2 (3)).
func (in *instance) endHelpOnChange(now clock.Instant, s *scope, c lsdb.Change) {
	if !in.cfg.Restart.Strict || c.Part == lsdb.PartNone || c.Part == lsdb.PartOpaque {
		return
	}
	for _, i := range in.ifaces {
		if s.area != nil && i.area != s.area {
			continue
		}
		for _, n := range slices.Clone(i.neighbors) {
			n.endHelp(now, "topology changed")
		}
	}
}

func (in *instance) traceRestart(text string, n *neighbor) {
	if !in.core.tracing.Restart {
		return
	}
	t := Trace{Event: TraceRestart, Text: text, Peer: netip.Addr{}}
	if n != nil {
		t.Interface, t.Peer, t.Router = n.iface.name, n.addr, n.id
	}
	in.trace(t)
}
