package core

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/flood"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// neighbor is a router on the network of an interface (RFC 2328 section 10).
type neighbor struct {
	iface    *iface
	id       packet.ID // 0: not heard yet
	addr     netip.Addr
	state    fsm.NeighborState
	priority uint8
	dr, bdr  netip.Addr // as it says
	options  packet.Options
	static   *StaticNeighbor // nil: it was heard
	cost     uint16          // `neighbor … cost`; 0: that of the interface

	exchange exchange
	flood    flood.Neighbor // its State follows state
	box      *outbox        // LSAs for this neighbour alone
	resend   *outbox        // LSAs that it did not acknowledge
	acks     []packet.LSAHeader
	kept     map[packet.LSAKey]bool // LSAs that it was told as such that do not age
	help     help

	keyID uint32 // key of the last packet
	keyed bool   // … and that there was one
	last  authSequence

	due           clock.Instant // of the Inactivity Timer
	since         clock.Instant // in the present state
	changes       int
	reason        string // of the last way out of Full
	retransmitted uint64
}

// full reports whether own LSAs tell of the neighbour: it is fully adjacent, or it restarts
// and this router helps (RFC 3623 section 3).
func (n *neighbor) full() bool { return n.state == fsm.NeighborFull || n.help.active }

// linkCost is the cost of the link to the neighbour.
func (n *neighbor) linkCost() uint16 { return cmp.Or(n.cost, n.iface.cost) }

// router is the neighbour as the election sees it.
func (n *neighbor) router() fsm.Router {
	return fsm.Router{ID: n.id, Address: packet.IDOf(n.addr), Priority: n.priority, Designated: packet.IDOf(n.dr), Backup: packet.IDOf(n.bdr)}
}

// opaque reports whether the neighbour takes opaque LSAs (RFC 5250 section 3.1).
func (n *neighbor) opaque() bool {
	return n.exchange.options&packet.OptionO != 0 && !n.iface.instance.cfg.NoOpaque
}

// meet enters a neighbour; nil: there are too many.
func (i *iface) meet(now clock.Instant, id packet.ID, addr netip.Addr) *neighbor {
	in := i.instance
	if in.neighbors >= MaxNeighbors {
		return nil
	}
	in.neighbors++
	n := &neighbor{iface: i, id: id, addr: addr, since: now}
	n.flood.List = flood.NewList(flood.Options{Interval: i.cfg.Retransmit})
	n.flood.Requests = make(map[packet.LSAKey]packet.LSAHeader)
	n.box, n.resend = &outbox{iface: i, to: n}, &outbox{iface: i, to: n, again: true}
	i.insert(n)
	if i.polls() {
		i.announceAgain(now, n)
	}
	return n
}

func compareNeighbors(a, b *neighbor) int {
	return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(a.id, b.id))
}

func (i *iface) insert(n *neighbor) {
	at, _ := slices.BinarySearchFunc(i.neighbors, n, compareNeighbors)
	i.neighbors = slices.Insert(i.neighbors, at, n)
	i.byAddr[n.addr] = n
}

func (i *iface) extract(n *neighbor) {
	i.neighbors = slices.DeleteFunc(i.neighbors, func(o *neighbor) bool { return o == n })
	if i.byAddr[n.addr] == n {
		delete(i.byAddr, n.addr)
	}
}

// forget removes a neighbour that is down.
func (i *iface) forget(n *neighbor) {
	i.extract(n)
	i.instance.neighbors--
	n.stop()
}

// stop stops all timers.
func (n *neighbor) stop() {
	t := &n.iface.instance.core.timers
	for _, k := range [...]timerKind{timerInactivity, timerPoll, timerExchange, timerRequest, timerRetransmit, timerHelp} {
		t.Clear(timerKey{kind: k, neighbor: n})
	}
	for _, b := range [...]*outbox{n.box, n.resend} {
		b.keys, b.have = nil, nil
		t.Clear(timerKey{kind: timerFlood, box: b})
	}
}

// find returns the neighbour that a packet is of, nil if there is none (section 8.2).
func (i *iface) find(id packet.ID, addr netip.Addr) *neighbor {
	if !i.byRouter() {
		return i.byAddr[addr]
	}
	for _, n := range i.neighbors {
		if n.id == id {
			return n
		}
	}
	return nil
}

// wanted reports whether an adjacency with the neighbour is to be (section 10.4).
func (n *neighbor) wanted() bool {
	i := n.iface
	return fsm.Adjacent(i.typ, i.state, n.addr == i.dr, n.addr == i.bdr)
}

// event is what happens to the neighbour (section 10.3). why is for the log.
func (n *neighbor) event(now clock.Instant, e fsm.NeighborEvent, why string) {
	i, in := n.iface, n.iface.instance
	wanted := n.wanted()
	if wanted && n.state < fsm.NeighborExStart && (e == fsm.TwoWayReceived || e == fsm.AdjOK) && !in.mayForm(n) {
		wanted = false
	}
	old := n.state
	next, do, ok := fsm.NextNeighbor(old, e, wanted, len(n.flood.Requests) == 0)
	if !ok {
		return
	}
	if do&fsm.ClearLists != 0 {
		n.clearLists()
	}
	n.setState(now, next, why)
	n.act(now, do)
	if fsm.Bidirectional(old, next) {
		i.event(now, fsm.NeighborChange)
	}
	if next == fsm.NeighborDown && old != fsm.NeighborDown {
		n.isDown(now)
	}
}

// act does what a transition asks for.
func (n *neighbor) act(now clock.Instant, do fsm.NeighborAction) {
	t := &n.iface.instance.core.timers
	if do&fsm.StartInactivity != 0 {
		n.due = now.Add(n.iface.cfg.Dead)
		k := timerKey{kind: timerInactivity, neighbor: n}
		if at, armed := t.Deadline(k); !armed || n.due < at { // else inactive finds it put off
			t.Set(k, n.due)
		}
		t.Clear(timerKey{kind: timerPoll, neighbor: n})
	}
	if do&fsm.StopInactivity != 0 {
		t.Clear(timerKey{kind: timerInactivity, neighbor: n})
	}
	if do&fsm.SendHello != 0 {
		n.iface.sendHello(now, n.addr)
	}
	if do&fsm.Negotiate != 0 {
		n.negotiate(now)
	}
	if do&fsm.ListDatabase != 0 {
		n.listDatabase(now)
	}
	if do&fsm.SendRequests != 0 {
		n.request(now)
	}
}

// inactive is the end of the Inactivity Timer, unless a packet has put it off. A neighbour
// that restarts gracefully is not missed (RFC 3623 section 3.1).
func (n *neighbor) inactive(now clock.Instant) {
	if n.due > now {
		n.iface.instance.core.timers.Set(timerKey{kind: timerInactivity, neighbor: n}, n.due)
		return
	}
	if !n.help.active {
		n.event(now, fsm.InactivityTimer, "Neighbor Down: Dead timer expired")
	}
}

// setState changes the state of the neighbour.
func (n *neighbor) setState(now clock.Instant, s fsm.NeighborState, why string) {
	old, in := n.state, n.iface.instance
	if old == s {
		return
	}
	count := func(by int, s fsm.NeighborState) {
		if s == fsm.NeighborExchange || s == fsm.NeighborLoading {
			in.exchanging += by
		}
		if s >= fsm.NeighborExStart && s < fsm.NeighborFull {
			in.forming += by
		}
	}
	wasFull := n.full()
	count(-1, old)
	count(+1, s)
	n.state, n.flood.State, n.since = s, s, now
	n.changes++
	if in.exchanging == 0 {
		in.unflushed = true
	}
	if old == fsm.NeighborFull {
		n.reason = why
	}
	n.logState(old, why)
	if s < fsm.NeighborExchange {
		n.iface.instance.core.timers.Clear(timerKey{kind: timerRequest, neighbor: n})
	}
	if s < fsm.NeighborExStart || s >= fsm.NeighborLoading {
		in.core.timers.Clear(timerKey{kind: timerExchange, neighbor: n})
	}
	if n.full() != wasFull || n.iface.typ.Elects() && fsm.Bidirectional(old, s) {
		in.routesInterface(now, n.iface)
	}
	if s == fsm.NeighborFull {
		n.forgetRequests()
		in.checkRestart(now)
	}
	in.formNext(now)
}

// forgetRequests gives back what the request list, which is empty, has taken for a large
// database.
func (n *neighbor) forgetRequests() {
	n.flood.Requests = make(map[packet.LSAKey]packet.LSAHeader)
	n.exchange.order, n.exchange.asked = nil, nil
}

// logState logs a change of state in the words of IOS: without `detail` only those to and
// from Full.
func (n *neighbor) logState(old fsm.NeighborState, why string) {
	in := n.iface.instance
	text := fmt.Sprintf("Process %d, Nbr %v on %s from %s to %s, %s", in.key.Process, n.id, n.iface.name, iosState(old), iosState(n.state), why)
	if in.core.tracing.Adjacency {
		in.trace(Trace{Event: TraceNeighbor, Interface: n.iface.name, Peer: n.addr, Router: n.id, Text: text})
	}
	if in.cfg.LogAdjacency && (in.cfg.LogDetail || old == fsm.NeighborFull || n.state == fsm.NeighborFull) {
		in.core.emit(Log{SeverityNotice, "ADJCHG", text})
	}
}

// iosState is a state as IOS writes it.
func iosState(s fsm.NeighborState) string {
	if s == fsm.NeighborTwoWay {
		return "2WAY"
	}
	return strings.ToUpper(s.String())
}

// clearLists empties the lists of the adjacency.
func (n *neighbor) clearLists() {
	in := n.iface.instance
	n.flood.List.Clear()
	n.kept = nil
	clear(n.flood.Requests)
	n.exchange.clear()
	n.acks = nil
	for _, b := range [...]*outbox{n.box, n.resend} {
		b.keys, b.have = nil, nil
	}
	in.core.timers.Clear(timerKey{kind: timerRetransmit, neighbor: n})
}

// isDown ends a neighbour, but for one that is configured: that is polled (section 9.5.1).
func (n *neighbor) isDown(now clock.Instant) {
	n.stop()
	n.help = help{}
	n.iface.instance.routesInterface(now, n.iface)
	n.iface.instance.waiting = slices.DeleteFunc(n.iface.instance.waiting, func(o *neighbor) bool { return o == n })
	if n.static == nil || !n.iface.polls() {
		n.iface.forget(n)
		return
	}
	n.id, n.priority, n.dr, n.bdr, n.last = 0, n.static.Priority, netip.Addr{}, netip.Addr{}, authSequence{}
	if n.iface.state >= fsm.InterfaceWaiting {
		n.schedulePoll(now)
	}
}

// mayForm reports whether one more adjacency may be brought up, and otherwise has it wait
// (RFC 4222 section 2, recommendation 5).
func (in *instance) mayForm(n *neighbor) bool {
	if in.forming < in.cfg.AdjacencyParallel {
		return true
	}
	if !slices.Contains(in.waiting, n) {
		in.waiting = append(in.waiting, n)
	}
	return false
}

// formNext brings up the next adjacency that waits.
func (in *instance) formNext(now clock.Instant) {
	for len(in.waiting) > 0 && in.forming < in.cfg.AdjacencyParallel {
		n := in.waiting[0]
		in.waiting = in.waiting[1:]
		if n.state == fsm.NeighborTwoWay {
			n.event(now, fsm.AdjOK, "AdjOK?")
		}
	}
}

// quiet limits a log message that others can provoke.
type quiet struct{ until clock.Instant }

// logInterval is the time between two log messages of a kind.
const logInterval = 10 * time.Second

// allow reports whether the message may be logged now.
func (q *quiet) allow(now clock.Instant) bool {
	if now < q.until {
		return false
	}
	q.until = now.Add(logInterval)
	return true
}
