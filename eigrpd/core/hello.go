package core

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core/rtp"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// What Hellos say of this software: the version of the operating system that sends
// them is nobody's business but that of people, and of EIGRP the version of TLVs that
// it reads (RFC 7868 section 6.7.4).
const (
	osMajor, osMinor = 1, 0
)

// helloMessage is a Hello as it goes out regularly (RFC 7868 section 5.3.2).
func (i *iface) helloMessage() packet.Message {
	in := i.instance
	m := packet.Message{
		Opcode: packet.Hello, AS: in.key.AS,
		Parameters: &packet.Parameters{Weights: in.cfg.Weights, HoldTime: seconds(i.cfg.Hold)},
		Software:   &packet.Software{OSMajor: osMajor, OSMinor: osMinor, TLVMajor: 1, TLVMinor: 2},
		Stub:       in.stubFlags(),
	}
	if in.wide() {
		m.Software.TLVMajor, m.Software.TLVMinor = 2, 0
		m.TIDs = []uint16{0} // the base topology (section 6.7.8)
	}
	if in.restarting() {
		m.Flags |= packet.FlagRestart
	}
	return m
}

// seconds turns a time into what fits the Parameter TLV.
func seconds(d time.Duration) uint16 {
	return uint16(min(max(d/time.Second, 1), 1<<16-1))
}

// stubFlags say what kind of stub this router is, 0 for none.
func (in *instance) stubFlags() (f packet.StubFlags) {
	s := in.cfg.Stub
	if s == nil {
		return 0
	}
	for _, x := range [...]struct {
		on   bool
		flag packet.StubFlags
	}{
		{s.Connected, packet.StubConnected}, {s.Static, packet.StubStatic}, {s.Summary, packet.StubSummary},
		{s.Redistributed, packet.StubRedistributed}, {s.LeakMap != "", packet.StubLeakMap}, {s.ReceiveOnly, packet.StubReceiveOnly},
	} {
		if x.on {
			f |= x.flag
		}
	}
	return f
}

// hello sends a Hello to all whom it concerns, and arms the timer of the next.
func (i *iface) hello(now clock.Instant) {
	if !i.up {
		return
	}
	m := i.helloMessage()
	i.helloAll(now, &m)
	i.armNext(now)
}

// helloAll sends a Hello to the group, or to the static neighbours one by one, and to
// the remote neighbours.
func (i *iface) helloAll(now clock.Instant, m *packet.Message) {
	i.helloAt = now
	if i.multicasts() {
		i.sendHello(now, i.instance.group(), 0, m)
	}
	if i.talks() {
		for _, a := range i.static {
			i.sendHello(now, a, 0, m)
		}
	}
	for _, x := range i.remote {
		ttl := x.MaxHops
		if ttl == 0 {
			ttl = remoteTTL
		}
		i.sendHello(now, x.Addr, ttl, m)
	}
	if i.instance.listening > 0 {
		for _, n := range i.instance.sorted() {
			if n.iface == i && n.listened {
				i.sendHello(now, n.addr, n.ttl, m)
			}
		}
	}
}

func (i *iface) sendHello(now clock.Instant, to netip.Addr, ttl uint8, m *packet.Message) {
	i.helloSent++
	i.instance.send(now, i, to, ttl, m, nil)
}

// helloTo sends a Hello that concerns one neighbour, in the way in which it takes them.
func (n *neighbor) helloTo(now clock.Instant, m *packet.Message) {
	if n.static || n.remote {
		n.iface.sendHello(now, n.addr, n.ttl, m)
		return
	}
	n.iface.helloAt = now
	n.iface.sendHello(now, n.iface.instance.group(), 0, m)
}

// armHello arms the timer of Hellos; the first goes out at once.
func (i *iface) armHello(now clock.Instant) {
	if !i.talks() && len(i.remote) == 0 && i.instance.listening == 0 {
		i.instance.core.timers.Clear(timerKey{kind: timerHello, iface: i})
		return
	}
	i.hello(now)
}

// armNext arms the timer of the next Hello. It comes a little early at random, so that
// routers do not speak in step.
func (i *iface) armNext(now clock.Instant) {
	c, d := i.instance.core, i.cfg.Hello
	c.timers.Set(timerKey{kind: timerHello, iface: i}, now.Add(c.between(d-d/10, d)))
}

// Of expedited Hellos, those to the group reach all neighbours: where there are many,
// they wait, so that no more than 1,000 copies a second come of them.
const (
	expediteGap     = 100 * time.Millisecond
	expediteGapEach = time.Millisecond
)

// expedite lets a neighbour that was just met know of this router (RFC 7868 section
// 5.3.4, step 2). IOS takes no Hello by unicast but of a static neighbour.
func (i *iface) expedite(now clock.Instant, n *neighbor) {
	k := timerKey{kind: timerHello, iface: i}
	at, armed := i.instance.core.timers.Deadline(k)
	if n.static || n.remote {
		m := i.helloMessage()
		n.helloTo(now, &m)
		if !armed { // the first that found its way to `remote-neighbors`
			i.armNext(now)
		}
		return
	}
	due := i.helloAt.Add(expediteGap + time.Duration(i.peers)*expediteGapEach)
	if due <= now {
		i.hello(now)
		return
	}
	if !armed || due < at {
		i.instance.core.timers.Set(k, due)
	}
}

// goodbye takes leave of all neighbours of an interface: a Hello with K-values of 255
// (RFC 7868 section 6.7.7). Nobody answers.
func (i *iface) goodbye(now clock.Instant) {
	if !i.up || i.peers == 0 {
		return
	}
	m := i.helloMessage()
	m.Flags = 0
	m.Parameters = packet.Goodbye(m.Parameters.HoldTime)
	i.helloAll(now, &m)
}

// maxTerminated is how many neighbours one Peer Termination TLV lists.
const maxTerminated = 50

// tellTerminated tells the neighbours whose adjacency was reset so (RFC 7868 section
// 6.7.7).
func (in *instance) tellTerminated(now clock.Instant) {
	for _, i := range in.order {
		gone := i.terminated
		i.terminated = nil
		for len(gone) > 0 {
			m, n := i.helloMessage(), gone[0]
			k := 1
			for k < len(gone) && k < maxTerminated && !n.static && !n.remote && !gone[k].static && !gone[k].remote {
				k++
			}
			for _, x := range gone[:k] {
				m.Terminated = append(m.Terminated, x.addr)
			}
			n.helloTo(now, &m)
			gone = gone[k:]
		}
	}
}

// sequenceHello sends a Hello with a Sequence TLV (RFC 7868 section 5.2).
func (in *instance) sequenceHello(now clock.Instant, e rtp.SequenceHello) {
	i := in.byID[ifaceID(e.Interface)]
	if i == nil {
		return
	}
	m := i.helloMessage()
	m.MulticastSequence = e.Next
	for _, p := range e.Lagging {
		if n := in.neighbors[neighborID(p)]; n != nil {
			m.SequenceAddrs = append(m.SequenceAddrs, n.addr)
		}
	}
	i.sendHello(now, in.group(), 0, &m)
}

// receiveHello takes a Hello, of a neighbour or of a router that may become one.
func (in *instance) receiveHello(now clock.Instant, i *iface, n *neighbor, from netip.Addr, how origin, multicast bool) DropReason {
	m := &in.core.in
	i.helloReceived++
	p := m.Parameters
	switch {
	case p != nil && p.Goodbye():
		if n == nil {
			return DropNoNeighbor
		}
		in.down(now, n, "Interface Goodbye received", quietly)
		return 0
	case slices.Contains(m.Terminated, i.addr):
		if n == nil {
			return DropNoNeighbor
		}
		in.down(now, n, "Interface PEER-TERMINATION received", quietly)
		return 0
	case p != nil && !in.sameWeights(p.Weights, m.Software):
		return in.badWeights(now, i, n, from)
	}
	if n == nil {
		// IOS ignores Hellos that are sent to it alone, but those of static neighbours:
		// else one side would take for a neighbour who does not take it for one.
		if p == nil || p.HoldTime == 0 || !multicast && !how.static && !how.remote || len(m.TIDs) > 0 && !slices.Contains(m.TIDs, 0) {
			return DropNoNeighbor
		}
		if how.listened && in.cfg.Listen.Maximum > 0 && in.listening >= in.cfg.Listen.Maximum {
			return DropLimit
		}
		if !in.routesAdmit(from, i) {
			return DropPrefixLimit
		}
		if n = in.meet(now, i, from, how); n == nil {
			return DropLimit
		}
		n.learn(m)
		n.asksRS = m.Flags&packet.FlagRestart != 0
		n.setHold(now, time.Duration(p.HoldTime)*time.Second)
		n.greet(now)
		return 0
	}
	in.neighborHello(now, n)
	return 0
}

// neighborHello takes the Hello of a neighbour.
func (in *instance) neighborHello(now clock.Instant, n *neighbor) {
	m := &in.core.in
	if p := m.Parameters; p != nil {
		n.setHold(now, time.Duration(p.HoldTime)*time.Second)
		if n.changed(m) { // whether it is asked, and what it understands, depends on it
			in.down(now, n, "peer info changed", aloud)
			return
		}
		n.learn(m)
	}
	if len(m.SequenceAddrs) > 0 || m.MulticastSequence != 0 {
		in.transport.HelloSequence(now, n.peer(), slices.Contains(m.SequenceAddrs, n.iface.addr), m.MulticastSequence)
	}
	n.asksRS = m.Flags&packet.FlagRestart != 0
	n.hearRestart(now)
}

// changed reports whether a Hello says something else of its sender than those before
// it: another kind of router must be made acquaintance with anew.
func (n *neighbor) changed(m *packet.Message) bool {
	return n.stub != (m.Stub != 0) ||
		m.Software != nil && n.wide != m.Software.Wide() ||
		n.base && len(m.TIDs) > 0 && !slices.Contains(m.TIDs, 0)
}

// learn remembers what a Hello says of its sender.
func (n *neighbor) learn(m *packet.Message) {
	n.flags, n.stub = m.Stub, m.Stub != 0
	n.base = slices.Contains(m.TIDs, 0)
	if m.Software != nil {
		n.software, n.wide = *m.Software, m.Software.Wide()
	}
}

// sameWeights reports whether K-values are ours (RFC 7868 section 5.3.2). Routers that
// know classic metrics alone have no K6.
func (in *instance) sameWeights(w metric.Weights, s *packet.Software) bool {
	ours := in.cfg.Weights
	if !in.wide() || s == nil || !s.Wide() {
		w.K6, ours.K6 = 0, 0
	}
	return w == ours
}

// badWeights refuses a router that counts otherwise.
func (in *instance) badWeights(now clock.Instant, i *iface, n *neighbor, from netip.Addr) DropReason {
	const why = "K-value mismatch"
	switch {
	case n != nil:
		in.down(now, n, why, quietly)
	case !in.cfg.NoLogNeighborChanges && i.badK.allow(now):
		in.log(SeverityNotice, "NBRCHANGE", fmt.Sprintf("Neighbor %v (%s) is down: %s", from, i.name, why))
	}
	return DropKValues
}
