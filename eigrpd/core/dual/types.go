package dual

import (
	"math"
	"net/netip"
)

// NeighborID names a neighbour; 0 is none. A neighbour that was down and is up
// again may have its old name.
type NeighborID uint32

// InterfaceID names an interface.
type InterfaceID uint32

// Source tells the router's own routes to one prefix apart: connected,
// redistributed, a summary. Its meaning and its numbers are the caller's.
type Source uint8

// Distance is the composite metric of a path; smaller is better.
type Distance uint64

// Infinity is the distance of what cannot be reached.
const Infinity Distance = math.MaxUint64

// external makes every external distance larger than every internal one.
const external Distance = 1 << 63

// External returns the distance of an external route. Internal routes are
// preferred whatever the metrics are (RFC 7868 section 5.4.1), so an external
// distance is larger than all internal ones. Metrics of 2^63-1 or more are
// infinite.
func External(metric uint64) Distance {
	if metric >= uint64(external)-1 {
		return Infinity
	}
	return external | Distance(metric)
}

// Metric returns the composite metric, without the mark of external routes.
func (d Distance) Metric() uint64 {
	if d == Infinity {
		return math.MaxUint64
	}
	return uint64(d &^ external)
}

// IsExternal is true of the distance of an external route.
func (d Distance) IsExternal() bool { return d != Infinity && d&external != 0 }

// within is true if d is of the kind of best and at most variance times as far.
func (d Distance) within(variance int, best Distance) bool {
	if d == Infinity || d.IsExternal() != best.IsExternal() {
		return false
	}
	quotient := d.Metric() / uint64(variance)
	return quotient < best.Metric() || quotient == best.Metric() && d.Metric()%uint64(variance) == 0
}

// Arithmetic is what DUAL does not know of metrics. An attribute is all that a
// route carries, its metric vector among it; DUAL hands it on and compares it
// for equality only.
//
// Loop freedom rests on two rules: the distance of Via is larger than that of what
// was reported (the table counts one more where it is not), and that of Report at
// least that of what is reported.
type Arithmetic[A comparable] interface {
	// Distance returns the composite distance of an attribute (RFC 7868 section 5.6).
	Distance(a A) Distance
	// Via returns the attribute of the path through a neighbour that reports a:
	// the link is added. ok is false if the path is not to be used (a filter).
	Via(n NeighborID, p netip.Prefix, a A) (via A, ok bool)
	// Report returns what is told on an interface of a route with attribute a. ok
	// is false if the route is withheld there: it is told unreachable.
	Report(i InterfaceID, p netip.Prefix, a A) (out A, ok bool)
}

// Kind is the kind of a message (RFC 7868 section 3.4).
type Kind uint8

// The kinds.
const (
	Update Kind = iota + 1
	Query
	Reply
	SIAQuery
	SIAReply
)

var kinds = [...]string{"?", "UPDATE", "QUERY", "REPLY", "SIA-QUERY", "SIA-REPLY"}

// String returns the RFC's name.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return kinds[0]
}

// Message is what one packet says about one prefix. What is unreachable has an
// attribute that means nothing but to the caller, who may find tags in it.
type Message[A comparable] struct {
	Kind        Kind
	Prefix      netip.Prefix
	Attribute   A
	Unreachable bool
	Active      bool // in SIA-REPLY: its sender is ACTIVE (section 4.4.1.2)
}
