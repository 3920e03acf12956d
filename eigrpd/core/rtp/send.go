package rtp

import (
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Send sends a packet on an interface: to the neighbours in to, or, if to is nil, to
// all of the interface for which SetMulticast holds; but never to those in except. It
// returns the sequence number of the packet, 0 if there is nobody to send it to. An INIT
// is always unicast (RFC 7868 section 5.3.3).
func (t *Transport) Send(now clock.Instant, on InterfaceID, to, except []PeerID, pk Packet) uint32 {
	t.now = now
	l := t.links[on]
	if l == nil {
		return 0
	}
	pk.Flags &^= packet.FlagConditionalReceive
	o := &outgoing{Packet: pk, waiting: to == nil && l.Multicast && pk.Flags&packet.FlagInit == 0}
	t.skip(except, true)
	if to == nil {
		for _, p := range l.peers {
			if p.up {
				t.enqueue(p, o)
			}
		}
	}
	for _, id := range to {
		if p := t.peers[id]; p != nil && p.link == l {
			t.enqueue(p, o)
		}
	}
	t.skip(except, false)
	if o.group > 0 {
		l.waiting.push(o)
	} else {
		o.waiting = false
	}
	t.forward(l)
	return o.seq
}

func (t *Transport) skip(except []PeerID, skip bool) {
	for _, id := range except {
		if p := t.peers[id]; p != nil {
			p.skip = skip
		}
	}
}

// enqueue appends a packet to a neighbour's queue. With its first receiver the packet
// gets its sequence number: in each queue they grow.
func (t *Transport) enqueue(p *peer, o *outgoing) {
	n := p.queue.len()
	if p.lost || p.skip || n > 0 && p.queue.back() == o {
		return
	}
	if n >= t.options.QueueLimit {
		t.lose(p, QueueLimit)
		return
	}
	if o.seq == 0 {
		t.last = after(t.last)
		o.seq = t.last
	}
	p.queue.push(o)
	if o.waiting && !p.unicast {
		o.group++
	}
	if n == 0 {
		t.begin(p)
	}
}

// begin turns to the first packet of a queue: it goes by unicast, unless it will be
// multicast.
func (t *Transport) begin(p *peer) {
	p.sent, p.sends, p.tries = false, 0, 0
	if o := p.queue.front(); o.waiting && !p.unicast {
		o.ready++
		return
	}
	t.offer(p)
}

// offer puts a neighbour in line for a unicast transmission.
func (t *Transport) offer(p *peer) {
	if !p.queued {
		p.queued = true
		p.link.xmit.push(p)
	}
}

// forward sends what may be sent on an interface: the next multicast if the flow
// control allows it, and what is in line as pacing allows. A multicast does not stand
// in line behind a thousand neighbours: it is the turn of one of them after it.
func (t *Transport) forward(l *link) {
	for {
		t.offerMulticast(l)
		switch unicasts := l.xmit.len() > 0; {
		case !unicasts && !l.offered:
			t.timers.Clear(timer{pacing, uint32(l.ID)})
			return
		case t.now.Before(l.free):
			t.timers.Set(timer{pacing, uint32(l.ID)}, l.free)
			return
		case l.offered && !(unicasts && l.turn):
			l.offered, l.turn = false, true
			t.multicast(l)
		default:
			l.turn = false
			t.unicast(l.xmit.pop())
		}
	}
}

// offerMulticast puts the next multicast in line, if the one before it was
// acknowledged by all or the flow timer has expired. If none of its receivers is ready
// for it, it waits until all are, but not longer than the flow timer (RFC 7868
// section 5.2: "reschedule the transmission once the queues are no longer full"). So it
// does on a slow link if most are not: each of them would get a packet of its own.
func (t *Transport) offerMulticast(l *link) {
	wait := timer{patience, uint32(l.ID)}
	for l.waiting.len() > 0 && l.waiting.front().group == 0 {
		l.waiting.pop().waiting = false
		l.impatient = false
		t.timers.Clear(wait)
	}
	if l.offered || l.awaited > 0 || l.waiting.len() == 0 {
		return
	}
	o := l.waiting.front()
	_, waits := t.timers.Deadline(wait)
	switch {
	case o.ready == o.group, !waits && o.ready > 0 && (l.impatient || !l.paced() || 2*o.ready >= o.group):
		t.timers.Clear(wait)
		l.offered, l.impatient = true, false
	case !waits:
		t.timers.Set(wait, t.now.Add(l.flowTime()))
	}
}

// multicast sends the next packet for all: to those that have nothing before it. Who
// has, or is not to have it, is told by a Hello not to take it, and gets it by unicast
// when its turn comes. If these are more than fit the Hello, or, on a fast link, than
// the others, it goes by unicast to all.
func (t *Transport) multicast(l *link) {
	if l.waiting.len() == 0 || l.waiting.front().ready == 0 {
		return // its receivers went away meanwhile
	}
	o := l.waiting.pop()
	var lagging []PeerID
	if n := len(l.peers) - o.ready; n > 0 {
		if o.ready < 2 || n > o.ready && !l.paced() || n > t.room(l) {
			t.scatter(l, o)
			return
		}
		lagging = make([]PeerID, 0, n)
	}
	o.waiting = false
	for _, p := range l.peers {
		if p.unicast || p.sent || p.queue.len() == 0 || p.queue.front() != o {
			lagging = append(lagging, p.id)
			continue
		}
		p.sent, p.inFlow, p.first, p.sends = true, true, t.now, 1
	}
	l.awaited = o.ready
	flags := o.Flags
	if len(lagging) > 0 {
		flags |= packet.FlagConditionalReceive
		l.unreliableMulticasts++
		l.crPackets++
		l.debt += l.gap(smallest + len(lagging)*(1+t.options.AddressLen))
		t.effect(SequenceHello{l.ID, lagging, o.seq})
	}
	l.reliableMulticasts++
	t.effect(Transmit{Interface: l.ID, Opcode: o.Opcode, Flags: flags, Seq: o.seq, TLVs: o.TLVs, Attempt: 1})
	l.charge(t.now, t.options.Overhead+len(o.TLVs))
	t.timers.Set(timer{flow, uint32(l.ID)}, t.now.Add(l.flowTime()))
}

// room is how many neighbours a Sequence TLV can list.
func (t *Transport) room(l *link) int {
	const tlvs = 100 // authentication, parameters, version, and the headers of the two TLVs
	return (l.MTU - t.options.Overhead - tlvs) / (1 + t.options.AddressLen)
}

// scatter lets a packet that waits to be multicast go by unicast.
func (t *Transport) scatter(l *link, o *outgoing) {
	o.waiting = false
	l.exceptions++
	for _, p := range l.peers {
		if !p.unicast && !p.sent && p.queue.len() > 0 && p.queue.front() == o {
			t.offer(p)
		}
	}
}

// unicast sends the first packet of a neighbour's queue to it. What was received of
// it last is acknowledged with it.
func (t *Transport) unicast(p *peer) {
	p.queued = false
	if p.gone || p.queue.len() == 0 {
		return
	}
	o, l := p.queue.front(), p.link
	if o.waiting && !p.unicast {
		return // its turn as it was put in line is over
	}
	if !p.sent {
		p.sent, p.first = true, t.now
	}
	p.sends++
	if p.owed {
		p.owed = false
		l.acksSuppressed++
	}
	l.reliableUnicasts++
	t.effect(Transmit{l.ID, p.id, o.Opcode, o.Flags, o.seq, p.last, o.TLVs, p.sends})
	l.charge(t.now, t.options.Overhead+len(o.TLVs))
	// One that is armed is not put off: an INIT may be sent again before its time.
	if _, armed := t.timers.Deadline(timer{retransmit, uint32(p.id)}); !armed {
		t.timers.Set(timer{retransmit, uint32(p.id)}, t.now.Add(p.rto))
	}
}

// expired retransmits, or gives a neighbour up.
func (t *Transport) expired(p *peer) {
	if p == nil || !p.sent {
		return
	}
	if p.tries >= t.options.RetryLimit && t.now.Sub(p.first) >= p.hold {
		t.lose(p, RetryLimit)
		return
	}
	p.tries++
	p.retransmissions++
	p.link.retransmissions++
	p.rto = min(p.rto*3/2, maxRTO)
	t.offer(p)
	t.forward(p.link)
}

// flowExpired leaves those who have not acknowledged the last multicast to their own
// timers: they get it by unicast.
func (t *Transport) flowExpired(l *link) {
	for _, p := range l.peers {
		if p.inFlow {
			p.inFlow = false
			t.timers.Set(timer{retransmit, uint32(p.id)}, max(t.now, p.first.Add(p.rto)))
		}
	}
	l.awaited = 0
	t.forward(l)
}

// leaveFlow waits for a neighbour no longer before the next multicast.
func (t *Transport) leaveFlow(p *peer) {
	if !p.inFlow {
		return
	}
	p.inFlow = false
	p.link.awaited--
	if p.link.awaited == 0 {
		t.timers.Clear(timer{flow, uint32(p.link.ID)})
	}
}
