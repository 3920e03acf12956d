package rtp

import "github.com/godmvpn/godmvpn/eigrpd/packet"

// Effect is what a Transport wants done; the types below are all there are. They go
// out in the order in which they come.
type Effect interface{ isEffect() }

// Transmit sends a packet, to one neighbour or to the group.
type Transmit struct {
	Interface InterfaceID
	Peer      PeerID // 0: multicast
	Opcode    packet.Opcode
	Flags     packet.Flags
	Seq       uint32
	Ack       uint32
	TLVs      []byte // not to be changed
	Attempt   int    // 1, and more for a retransmission
}

// SequenceHello sends a multicast Hello with a Sequence TLV that lists neighbours,
// and a Multicast Sequence TLV: those that are not listed shall take the multicast
// packet Next, which comes at once after this and has the CR flag (RFC 7868 sections
// 5.2, 6.7.3, 6.7.5).
type SequenceHello struct {
	Interface InterfaceID
	Lagging   []PeerID // sorted
	Next      uint32
}

// SendAck sends an acknowledgment, a Hello with nothing but an Acknowledgment Number.
type SendAck struct {
	Interface InterfaceID
	Peer      PeerID
	Ack       uint32
}

// Acked says that a neighbour has a packet.
type Acked struct {
	Peer   PeerID
	Seq    uint32
	Opcode packet.Opcode
	Flags  packet.Flags
	Left   int // packets that it does not have yet; 0: its queue is empty
}

// PeerLost says that a neighbour cannot be served: its adjacency is to be reset, with
// PeerDown. Until then it is sent nothing, and nothing of it is delivered.
type PeerLost struct {
	Peer PeerID
	Why  Loss
}

func (Transmit) isEffect()      {}
func (SequenceHello) isEffect() {}
func (SendAck) isEffect()       {}
func (Acked) isEffect()         {}
func (PeerLost) isEffect()      {}

// Loss is why a neighbour is lost.
type Loss uint8

// The reasons.
const (
	RetryLimit Loss = iota + 1 // a packet was retransmitted 16 times, and longer than its Hold Time
	QueueLimit                 // too many packets wait for it
)

// String returns the reason as IOS puts it.
func (l Loss) String() string {
	switch l {
	case RetryLimit:
		return "retry limit exceeded"
	case QueueLimit:
		return "queue limit exceeded"
	}
	return "?"
}
