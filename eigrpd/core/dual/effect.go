package dual

import "net/netip"

// Effect is what a Table wants done; the types below are all there are.
type Effect interface{ isEffect() }

// Send sends a message on an interface: to the neighbours in To, or, if To is
// empty, to all neighbours that are up there but those in Except.
type Send[A comparable] struct {
	Interface InterfaceID
	To        []NeighborID
	Except    []NeighborID
	Message[A]
}

// Install puts a route in place of what was installed for its prefix: its
// successors first, then the feasible successors that variance makes usable. If
// the route is the router's own, that is the only path.
type Install[A comparable] struct {
	Prefix netip.Prefix
	Paths  []Path[A]
}

// Withdraw takes what was installed for a prefix away.
type Withdraw struct{ Prefix netip.Prefix }

// Stuck says that a neighbour did not answer a QUERY in time. DUAL treats the
// neighbour as down from here on; its adjacency is to be reset (RFC 7868 section
// 4.4.1, option b).
type Stuck struct {
	Prefix   netip.Prefix
	Neighbor NeighborID
}

// Trace tells of something for debugging: a step of the state machine, or a
// message that was dropped.
type Trace struct {
	Event    TraceEvent
	Prefix   netip.Prefix
	Neighbor NeighborID // who caused it, or 0
	From, To State      // of a Transition
	Clause   string     // of a Transition: the number in RFC 7868 section 3.5
}

func (Send[A]) isEffect()    {}
func (Install[A]) isEffect() {}
func (Withdraw) isEffect()   {}
func (Stuck) isEffect()      {}
func (Trace) isEffect()      {}

// TraceEvent is what a Trace tells.
type TraceEvent uint8

// What is traced.
const (
	Transition      TraceEvent = iota + 1
	UnknownNeighbor            // a message of somebody who is no neighbour: dropped
	UnknownKind                // a message of no known kind: dropped
	UnwantedReply              // a REPLY nobody waits for: dropped (section 4.3)
)

var traceEvents = [...]string{"?", "transition", "unknown-neighbor", "unknown-kind", "unwanted-reply"}

// String returns the name of the event.
func (e TraceEvent) String() string {
	if int(e) < len(traceEvents) {
		return traceEvents[e]
	}
	return traceEvents[0]
}
