package fsm

import "fmt"

// NetworkType is the type of the network that an interface attaches to (RFC 2328 section 9).
type NetworkType uint8

// Types of networks.
const (
	Broadcast NetworkType = iota + 1
	NonBroadcast
	PointToPoint
	PointToMultipoint
	VirtualLink
)

// Elects reports whether there is a designated router on such networks.
func (t NetworkType) Elects() bool { return t == Broadcast || t == NonBroadcast }

// InterfaceState is the state of an interface (section 9.1), in order of progress.
type InterfaceState uint8

// States of interfaces.
const (
	InterfaceIsDown InterfaceState = iota
	InterfaceLoopback
	InterfaceWaiting
	InterfacePointToPoint
	InterfaceDROther
	InterfaceBackup
	InterfaceDR
	interfaceStates
)

// String returns the state in the words of the RFC.
func (s InterfaceState) String() string {
	names := [...]string{"Down", "Loopback", "Waiting", "Point-to-Point", "DR Other", "Backup", "DR"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// InterfaceEvent is what happens to an interface (section 9.2).
type InterfaceEvent uint8

// Events of interfaces.
const (
	InterfaceUp InterfaceEvent = iota
	WaitTimer
	BackupSeen
	NeighborChange
	LoopInd
	UnloopInd
	InterfaceDown
	interfaceEvents
)

// String returns the event in the words of the RFC.
func (e InterfaceEvent) String() string {
	names := [...]string{"InterfaceUp", "WaitTimer", "BackupSeen", "NeighborChange", "LoopInd", "UnloopInd", "InterfaceDown"}
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("event(%d)", uint8(e))
}

// InterfaceAction is what a transition of an interface asks for: a set of bits, to be done from
// the lowest on.
type InterfaceAction uint8

// Actions of interfaces (section 9.3).
const (
	Reset          InterfaceAction = 1 << iota // reset variables, disable timers, KillNbr for all neighbours
	StartHello                                 // start the Hello Timer
	StartWait                                  // start the Wait Timer
	StartNeighbors                             // Start for each configured neighbour that may become designated router
	RunElection                                // Elect: its State is the next one
)

// interfaceCell is an entry of the table. The zero value is no entry.
type interfaceCell struct {
	valid bool
	to    InterfaceState
	do    InterfaceAction
}

// interfaceTable is section 9.3, but for InterfaceUp, where the state depends on the network.
var interfaceTable = func() (t [interfaceStates][interfaceEvents]interfaceCell) {
	for s := range interfaceStates {
		t[s][LoopInd] = interfaceCell{true, InterfaceLoopback, Reset}
		t[s][InterfaceDown] = interfaceCell{true, InterfaceIsDown, Reset}
	}
	for s := InterfaceDROther; s <= InterfaceDR; s++ {
		t[s][NeighborChange] = interfaceCell{true, s, RunElection}
	}
	t[InterfaceWaiting][BackupSeen] = interfaceCell{true, InterfaceWaiting, RunElection}
	t[InterfaceWaiting][WaitTimer] = interfaceCell{true, InterfaceWaiting, RunElection}
	t[InterfaceLoopback][UnloopInd] = interfaceCell{true, InterfaceIsDown, 0}
	return t
}()

// NextInterface returns the state that an event brings an interface to, and what is to be done
// (RFC 2328 section 9.3). eligible says whether the router may become designated router, with a
// priority above 0. With RunElection next is only the state until the election. ok is false if
// the event means nothing in that state, which then stays.
func NextInterface(s InterfaceState, e InterfaceEvent, t NetworkType, eligible bool) (next InterfaceState, do InterfaceAction, ok bool) {
	if s == InterfaceIsDown && e == InterfaceUp {
		next, do = up(t, eligible)
		return next, do, true
	}
	if s >= interfaceStates || e >= interfaceEvents || !interfaceTable[s][e].valid {
		return s, 0, false
	}
	cell := interfaceTable[s][e]
	return cell.to, cell.do, true
}

func up(t NetworkType, eligible bool) (InterfaceState, InterfaceAction) {
	switch {
	case !t.Elects():
		return InterfacePointToPoint, StartHello
	case !eligible:
		return InterfaceDROther, StartHello
	case t == NonBroadcast:
		return InterfaceWaiting, StartHello | StartWait | StartNeighbors
	}
	return InterfaceWaiting, StartHello | StartWait
}
