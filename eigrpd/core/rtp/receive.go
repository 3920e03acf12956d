package rtp

import (
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Received judges a packet of a neighbour, and takes its acknowledgment in. What is
// delivered is acknowledged by the next packet to that neighbour, or by Flush.
func (t *Transport) Received(now clock.Instant, id PeerID, h Header) Verdict {
	t.now = now
	p := t.peers[id]
	if p == nil || p.lost {
		return Unknown
	}
	unsure := p.greeting != nil && !p.met && !p.isInit()
	v := p.judge(h)
	if v == Restarted {
		return v // it acknowledges what its former life was sent
	}
	if !h.Multicast { // RFC 7868 section 5.2: multicasts acknowledge nothing
		t.acked(p, h.Ack)
	}
	switch v {
	case Deliver:
		if p.owed { // acknowledgments are not cumulative
			t.sendAck(p)
		}
		p.last = h.Seq
		t.owe(p)
		if unsure {
			t.greetAgain(p)
		}
	case Duplicate:
		t.owe(p)
	case OutOfOrder:
		p.link.outOfSequence++
	}
	return v
}

// judge says what is to be done with a packet, and remembers INITs and the mode.
func (p *peer) judge(h Header) Verdict {
	switch {
	case h.Seq == 0:
		return Unreliable
	case h.Multicast && h.Flags&packet.FlagConditionalReceive != 0 && !p.accepts(h.Seq):
		return NotForUs
	case h.Flags&packet.FlagInit != 0 && !h.Multicast && (!p.met || h.Seq != p.init):
		// As long as ours is not acknowledged, an INIT is the answer to it or has crossed
		// it. Else two routers could make each other begin anew for ever. One that comes
		// after it may be late; not so if more than that is under way or was acknowledged.
		if !p.isInit() && (p.met || p.beyond || p.greeting != nil && p.sent) {
			return Restarted
		}
		if p.met && newer(p.init, h.Seq) && h.Ack != p.queue.front().seq {
			return OutOfOrder // most likely late; what it is shows when ours is acknowledged
		}
		p.met, p.init, p.accept = true, h.Seq, false
		return Deliver
	case !p.met:
		return Early
	case h.Seq == p.last:
		return Duplicate
	case !newer(h.Seq, p.last):
		return OutOfOrder
	}
	if h.Multicast {
		p.accept = false
	}
	return Deliver
}

// greetAgain sends our INIT once more: it was acknowledged before that of the neighbour
// came, perhaps by a life that is gone. One that has it acknowledges it as a duplicate.
func (t *Transport) greetAgain(p *peer) {
	if p.queue.len() > 0 {
		if o := p.queue.front(); o.waiting && !p.unicast {
			o.ready--
		}
	}
	p.queue.unpop(p.greeting)
	t.begin(p)
	t.forward(p.link)
}

// accepts reports whether we are in Conditionally Received mode for a packet.
func (p *peer) accepts(seq uint32) bool { return p.accept && (p.next == 0 || p.next == seq) }

// HelloSequence takes in a Hello with a Sequence TLV: unless this router is listed,
// it is in Conditionally Received mode for the packet next, or, if next is 0 (there is
// no Multicast Sequence TLV), for the next one (RFC 7868 sections 5.2 and 6.5).
func (t *Transport) HelloSequence(now clock.Instant, id PeerID, listed bool, next uint32) {
	t.now = now
	if p := t.peers[id]; p != nil {
		p.accept, p.next = !listed, next
	}
}

// acked takes an acknowledgment in. It is for one packet, the one that is under way;
// any other is an old one, or nonsense (RFC 7868 section 5.2).
func (t *Transport) acked(p *peer, seq uint32) {
	if seq == 0 || !p.sent || p.queue.front().seq != seq {
		return
	}
	o := p.queue.pop()
	if p.sends == 1 { // Karn's rule
		p.measure(t.now.Sub(p.first))
	}
	p.sent, p.tries = false, 0
	p.rto = p.timeout()
	t.timers.Clear(timer{retransmit, uint32(p.id)})
	t.leaveFlow(p)
	p.beyond = p.greeting != nil
	if o.Flags&packet.FlagInit != 0 {
		p.greeting = o
		if p.owed { // it waited to go with this
			t.owing = append(t.owing, p)
		}
	}
	t.effect(Acked{p.id, seq, o.Opcode, o.Flags, p.queue.len()})
	if p.queue.len() > 0 {
		t.begin(p)
	}
	t.forward(p.link)
}

// measure takes a round-trip time into the average: the last few count.
func (p *peer) measure(rtt time.Duration) {
	if !p.measured {
		p.measured, p.srtt = true, rtt
		return
	}
	p.srtt = (8*p.srtt + 2*rtt) / 10
}

// owe notes that a neighbour is to be sent an acknowledgment.
func (t *Transport) owe(p *peer) {
	if !p.owed {
		p.owed = true
		t.owing = append(t.owing, p)
	}
}

// Flush sends the acknowledgments that found no packet to ride on. It is called when
// all that came of an input was sent; Tick does it as well.
func (t *Transport) Flush(now clock.Instant) {
	t.now = now
	for i, p := range t.owing {
		t.owing[i] = nil
		switch {
		case !p.owed || p.gone:
		case p.isInit():
			// A neighbour whose INIT is acknowledged knows ours: it goes with it, again if
			// need be.
			t.offer(p)
			t.forward(p.link)
		default:
			t.sendAck(p)
		}
	}
	t.owing = t.owing[:0]
}

func (t *Transport) sendAck(p *peer) {
	l := p.link
	p.owed = false
	l.unreliableUnicasts++
	l.debt += l.gap(smallest)
	t.effect(SendAck{l.ID, p.id, p.last})
}
