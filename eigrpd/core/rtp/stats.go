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
