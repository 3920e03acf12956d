package fsm

import "fmt"

// NeighborState is the state of a neighbour (RFC 2328 section 10.1), in order of progress.
type NeighborState uint8

// States of neighbours.
const (
	NeighborDown NeighborState = iota
	NeighborAttempt
	NeighborInit
	NeighborTwoWay
	NeighborExStart
	NeighborExchange
	NeighborLoading
	NeighborFull
	neighborStates
)

// String returns the state in the words of the RFC.
func (s NeighborState) String() string {
	names := [...]string{"Down", "Attempt", "Init", "2-Way", "ExStart", "Exchange", "Loading", "Full"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// NeighborEvent is what happens to a neighbour (section 10.2).
type NeighborEvent uint8

// Events of neighbours.
const (
	HelloReceived NeighborEvent = iota
	Start
	TwoWayReceived
	NegotiationDone
	ExchangeDone
	BadLSReq
	LoadingDone
	AdjOK
	SeqNumberMismatch
	OneWayReceived
	KillNbr
	InactivityTimer
	LLDown
	neighborEvents
)

// String returns the event in the words of the RFC.
func (e NeighborEvent) String() string {
	names := [...]string{"HelloReceived", "Start", "2-WayReceived", "NegotiationDone", "ExchangeDone", "BadLSReq", "LoadingDone",
		"AdjOK?", "SeqNumberMismatch", "1-WayReceived", "KillNbr", "InactivityTimer", "LLDown"}
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("event(%d)", uint8(e))
}

// NeighborAction is what a transition of a neighbour asks for: a set of bits, to be done from
// the lowest on.
type NeighborAction uint8

// Actions of neighbours (section 10.3).
const (
	ClearLists      NeighborAction = 1 << iota // empty the retransmission, summary and request lists
	StartInactivity                            // start the Inactivity Timer, or restart it
	StopInactivity                             // disable it
	SendHello                                  // to the neighbour, now
	Negotiate                                  // increment the DD sequence number, claim to be master, send Database Descriptions with I, M and MS
	ListDatabase                               // fill the summary list; MaxAge LSAs go on the retransmission list
	SendRequests                               // start or go on sending Link State Requests
)

// condition is what a transition depends on.
type condition uint8

const (
	always     condition = iota
	adjacent             // an adjacency is wanted
	nothingDue           // the request list is empty
)

// neighborCell is an entry of the table: where to, and what to do, or what instead if the
// condition does not hold. The zero value is no entry.
type neighborCell struct {
	valid    bool
	to       NeighborState
	do       NeighborAction
	when     condition
	elseTo   NeighborState
	elseDoIt NeighborAction
}

// neighborTable is section 10.3.
var neighborTable = func() (t [neighborStates][neighborEvents]neighborCell) {
	set := func(from, upTo NeighborState, e NeighborEvent, cell neighborCell) {
		cell.valid = true
		for s := from; s <= upTo; s++ {
			t[s][e] = cell
		}
	}
	stay := func(from, upTo NeighborState, e NeighborEvent, do NeighborAction) {
		for s := from; s <= upTo; s++ {
			set(s, s, e, neighborCell{to: s, do: do})
		}
	}
	form := neighborCell{when: adjacent, to: NeighborExStart, do: Negotiate, elseTo: NeighborTwoWay}
	again := neighborCell{to: NeighborExStart, do: ClearLists | Negotiate}

	set(NeighborDown, NeighborDown, Start, neighborCell{to: NeighborAttempt, do: SendHello | StartInactivity})
	set(NeighborDown, NeighborAttempt, HelloReceived, neighborCell{to: NeighborInit, do: StartInactivity})
	stay(NeighborInit, NeighborFull, HelloReceived, StartInactivity)
	stay(NeighborInit, NeighborInit, OneWayReceived, 0)
	set(NeighborTwoWay, NeighborFull, OneWayReceived, neighborCell{to: NeighborInit, do: ClearLists})
	set(NeighborInit, NeighborInit, TwoWayReceived, form)
	stay(NeighborTwoWay, NeighborFull, TwoWayReceived, 0)
	set(NeighborTwoWay, NeighborTwoWay, AdjOK, form)
	for s := NeighborExStart; s <= NeighborFull; s++ {
		set(s, s, AdjOK, neighborCell{when: adjacent, to: s, elseTo: NeighborTwoWay, elseDoIt: ClearLists})
	}
	set(NeighborExStart, NeighborExStart, NegotiationDone, neighborCell{to: NeighborExchange, do: ListDatabase})
	set(NeighborExchange, NeighborExchange, ExchangeDone,
		neighborCell{when: nothingDue, to: NeighborFull, elseTo: NeighborLoading, elseDoIt: SendRequests})
	set(NeighborLoading, NeighborLoading, LoadingDone, neighborCell{to: NeighborFull})
	set(NeighborExchange, NeighborFull, SeqNumberMismatch, again)
	set(NeighborExchange, NeighborFull, BadLSReq, again)
	set(NeighborDown, NeighborFull, KillNbr, neighborCell{to: NeighborDown, do: ClearLists | StopInactivity})
	set(NeighborDown, NeighborFull, LLDown, neighborCell{to: NeighborDown, do: ClearLists | StopInactivity})
	set(NeighborDown, NeighborFull, InactivityTimer, neighborCell{to: NeighborDown, do: ClearLists})
	return t
}()

// NextNeighbor returns the state that an event brings a neighbour to, and what is to be done
// (RFC 2328 section 10.3). wanted says whether an adjacency is to be (Adjacent), complete
// whether the neighbour's request list is empty. ok is false if the event means nothing in
// that state, which then stays.
func NextNeighbor(s NeighborState, e NeighborEvent, wanted, complete bool) (next NeighborState, do NeighborAction, ok bool) {
	if s >= neighborStates || e >= neighborEvents || !neighborTable[s][e].valid {
		return s, 0, false
	}
	cell := neighborTable[s][e]
	if cell.when == adjacent && !wanted || cell.when == nothingDue && !complete {
		return cell.elseTo, cell.elseDoIt, true
	}
	return cell.to, cell.do, true
}

// Bidirectional reports whether a neighbour that has gone from one state to another has become
// bidirectional or ceased to be: the interface's event NeighborChange (section 9.2).
func Bidirectional(from, to NeighborState) bool {
	return (from >= NeighborTwoWay) != (to >= NeighborTwoWay)
}

// Adjacent reports whether an adjacency is wanted with a bidirectional neighbour, who may be the
// designated router or its backup, on an interface of some type and state (section 10.4).
func Adjacent(t NetworkType, s InterfaceState, designated, backup bool) bool {
	return !t.Elects() || s == InterfaceDR || s == InterfaceBackup || designated || backup
}
