package rtp

import "time"

// PeerStats is what `show ip eigrp neighbors` has of the transport.
type PeerStats struct {
	SRTT            time.Duration // smooth round-trip time; 0 before it is measured
	RTO             time.Duration // retransmission timeout, with back-off
	Queue           int           // packets that it has not acknowledged
	LastSeq         uint32        // sequence number that was received last, 0 for none
	Retransmissions uint64        // all
	Retries         int           // of the packet that is under way
}

// Peer returns the figures of a neighbour.
func (t *Transport) Peer(id PeerID) (PeerStats, bool) {
	p := t.peers[id]
	if p == nil {
		return PeerStats{}, false
	}
	return PeerStats{p.srtt, p.rto, p.queue.len(), p.last, p.retransmissions, p.tries}, true
}

// Backlog returns how many packets wait behind one that is under way, and will go before
// the next that is sent: to the neighbour in to that has the fewest, or, if to is nil, to
// all on the interface. Who has much to say may keep it until there are none: a later
// word takes the place of an earlier one then.
func (t *Transport) Backlog(on InterfaceID, to []PeerID) int {
	l := t.links[on]
	switch {
	case l == nil:
		return 0
	case to == nil && l.Multicast:
		return l.waiting.len()
	}
	least := -1
	note := func(p *peer) {
		if n := max(p.queue.len()-1, 0); p.up && (least < 0 || n < least) {
			least = n
		}
	}
	if to == nil {
		for _, p := range l.peers {
			note(p)
		}
	}
	for _, id := range to {
		if p := t.peers[id]; p != nil {
			note(p)
		}
	}
	return max(least, 0)
}

// LinkStats is what `show ip eigrp interfaces detail` has of the transport. Hellos
// but those with a Sequence TLV are the caller's to add.
type LinkStats struct {
	Peers            int
	XmitQueue        int           // reliable packets that pacing holds up; unreliable ones never wait
	PeerQueue        int           // packets in the queues of the neighbours
	Pending          int           // packets that wait to be multicast
	MeanSRTT         time.Duration // of the neighbours for whom it is known
	UnreliablePacing time.Duration // of the smallest packet
	ReliablePacing   time.Duration // of the largest
	FlowTimer        time.Duration // multicast flow timer

	UnreliableMulticasts uint64 // Hellos with a Sequence TLV
	ReliableMulticasts   uint64
	UnreliableUnicasts   uint64 // acknowledgments
	ReliableUnicasts     uint64 // with retransmissions
	MulticastExceptions  uint64 // packets for all that went by unicast
	CRPackets            uint64 // multicasts with the CR flag
	AcksSuppressed       uint64 // acknowledgments that rode on a packet
	Retransmissions      uint64
	OutOfSequence        uint64 // packets received too late
}

// counters are those of an interface.
type counters struct {
	unreliableMulticasts, reliableMulticasts, unreliableUnicasts, reliableUnicasts uint64
	exceptions, crPackets, acksSuppressed, retransmissions, outOfSequence          uint64
}

// LinkStats returns the figures of an interface.
func (t *Transport) LinkStats(id InterfaceID) (LinkStats, bool) {
	l := t.links[id]
	if l == nil {
		return LinkStats{}, false
	}
	offered := 0
	if l.offered {
		offered = 1
	}
	s := LinkStats{
		Peers: len(l.peers), XmitQueue: l.xmit.len() + offered, Pending: l.waiting.len(),
		MeanSRTT: l.meanSRTT(), UnreliablePacing: l.gap(smallest), ReliablePacing: l.gap(largest), FlowTimer: l.flowTime(),
		UnreliableMulticasts: l.unreliableMulticasts, ReliableMulticasts: l.reliableMulticasts,
		UnreliableUnicasts: l.unreliableUnicasts, ReliableUnicasts: l.reliableUnicasts,
		MulticastExceptions: l.exceptions, CRPackets: l.crPackets, AcksSuppressed: l.acksSuppressed,
		Retransmissions: l.retransmissions, OutOfSequence: l.outOfSequence,
	}
	for _, p := range l.peers {
		s.PeerQueue += p.queue.len()
	}
	return s, true
}
