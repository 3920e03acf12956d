package flood

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Neighbor is what flooding has to know of a neighbour.
type Neighbor struct {
	State    fsm.NeighborState
	Requests map[packet.LSAKey]packet.LSAHeader // Link state request list: instances that the neighbour has
	List     *List
}

// Offer decides whether a neighbour has to be sent a new LSA, and then puts it on its
// retransmission list (RFC 2328 section 13.3 step 1). An instance on the request list that is not
// more recent is taken off it. sender says that the LSA came from this neighbour.
func (n *Neighbor) Offer(now clock.Instant, h packet.LSAHeader, sender bool) (added bool) {
	if n.State < fsm.NeighborExchange {
		return false
	}
	if asked, ok := n.Requests[h.LSAKey]; ok && n.State < fsm.NeighborFull {
		c := h.Compare(asked)
		if c >= 0 {
			delete(n.Requests, h.LSAKey)
		}
		if c <= 0 {
			return false
		}
	}
	if sender {
		return false
	}
	n.List.Add(now, h)
	return true
}

// Arrival is how an LSA came to an interface; the zero value is not by that interface.
type Arrival struct {
	Here           bool // it was received on the interface
	FromDesignated bool // its sender is the designated router there
	FromBackup     bool // its sender is the backup designated router there
}

// SendOut decides whether a new LSA is flooded out of an interface: added says that some
// neighbour on it has to be sent the LSA (section 13.3 steps 2 to 5). If it is not, though added,
// the retransmission lists see to it.
func SendOut(added bool, a Arrival, s fsm.InterfaceState) bool {
	switch {
	case !added:
		return false
	case a.Here && (a.FromDesignated || a.FromBackup):
		return false
	case a.Here && s == fsm.InterfaceBackup:
		return false
	}
	return true
}

// Group is the address to which flooded updates and delayed acknowledgments go on a broadcast
// network (sections 13.3 step 5 and 13.5), and on a point-to-point one (section 8.1). ok is false
// for other networks, where each adjacent neighbour is sent its own.
func Group(t fsm.NetworkType, s fsm.InterfaceState) (group netip.Addr, ok bool) {
	switch {
	case t == fsm.PointToPoint, t == fsm.Broadcast && (s == fsm.InterfaceDR || s == fsm.InterfaceBackup):
		return packet.AllSPFRouters, true
	case t == fsm.Broadcast:
		return packet.AllDRouters, true
	}
	return netip.Addr{}, false
}

// Circumstance is how an LSA was received: the rows of Table 19 (section 13.5).
type Circumstance uint8

// Circumstances.
const (
	FloodedBack  Circumstance = iota + 1 // flooded out of the interface that it came in by
	MoreRecent                           // more recent than the copy, and not flooded back
	Implied                              // a duplicate that was an implied acknowledgment
	Unexpected                           // a duplicate that was none
	UnknownFlush                         // MaxAge, no copy, and nobody exchanging
)

// Ack is how an LSA is acknowledged.
type Ack uint8

// Acknowledgments.
const (
	NoAck      Ack = iota
	DelayedAck     // with others, to all adjacent routers on the interface
	DirectAck      // at once, to the sender
)

// String names the acknowledgment.
func (a Ack) String() string {
	names := [...]string{"none", "delayed", "direct"}
	if int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("ack(%d)", uint8(a))
}

// Acknowledge is Table 19 of RFC 2328: how an LSA that came in by an interface in state s is
// acknowledged.
func Acknowledge(c Circumstance, s fsm.InterfaceState, fromDesignated bool) Ack {
	backup := s == fsm.InterfaceBackup
	switch c {
	case MoreRecent:
		if !backup || fromDesignated {
			return DelayedAck
		}
	case Implied:
		if backup && fromDesignated {
			return DelayedAck
		}
	case Unexpected, UnknownFlush:
		return DirectAck
	}
	return NoAck
}
