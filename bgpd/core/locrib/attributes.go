package locrib

import (
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/godmvpn/godmvpn/lib/policy"
)

// Origin is the ORIGIN attribute (RFC 4271, section 5.1.1).
type Origin uint8

// The origins, the best first.
const (
	IGP        Origin = 0 // network
	EGP        Origin = 1
	Incomplete Origin = 2 // redistribute
)

// String returns the origin as Cisco writes it in tables.
func (o Origin) String() string {
	switch o {
	case IGP:
		return "i"
	case EGP:
		return "e"
	}
	return "?"
}

// SegmentType is the type of a segment of an AS_PATH.
type SegmentType uint8

// The types (RFC 4271, section 4.3; RFC 5065, section 3).
const (
	Set            SegmentType = 1
	Sequence       SegmentType = 2
	ConfedSequence SegmentType = 3
	ConfedSet      SegmentType = 4
)

// Segment is a segment of an AS_PATH.
type Segment struct {
	Type SegmentType
	AS   []uint32
}

// ASPath is the AS_PATH attribute (RFC 4271, section 5.1.2), with numbers of four
// octets.
type ASPath []Segment

// Len returns the length that selection compares: a set counts as one, the
// segments of a confederation not at all (RFC 4271, section 9.1.2.2; RFC 5065,
// section 5.3).
func (p ASPath) Len() (n int) {
	for _, s := range p {
		switch s.Type {
		case Sequence:
			n += len(s.AS)
		case Set:
			n++
		}
	}
	return n
}

// First returns the neighbouring AS that the path came through; 0 if the path is
// from within the own one.
func (p ASPath) First() uint32 {
	for _, s := range p {
		if s.Type == Sequence && len(s.AS) > 0 {
			return s.AS[0]
		}
		if s.Type == Set {
			return 0
		}
	}
	return 0
}

// Count returns how often an AS is in the path.
func (p ASPath) Count(as uint32) (n int) {
	for _, s := range p {
		for _, a := range s.AS {
			if a == as {
				n++
			}
		}
	}
	return n
}

// Prepend returns the path with an AS before it, n times.
func (p ASPath) Prepend(as uint32, n int) ASPath {
	if n <= 0 {
		return p
	}
	list := slices.Repeat([]uint32{as}, n)
	if len(p) > 0 && p[0].Type == Sequence && len(p[0].AS)+n <= 255 {
		return append(ASPath{{Sequence, append(list, p[0].AS...)}}, p[1:]...)
	}
	return append(ASPath{{Sequence, list}}, p...)
}

// String returns the path as Cisco prints it: "65001 {65002,65003}".
func (p ASPath) String() string {
	var out []string
	for _, s := range p {
		words := make([]string, len(s.AS))
		for i, as := range s.AS {
			words[i] = strconv.FormatUint(uint64(as), 10)
		}
		switch s.Type {
		case Set:
			out = append(out, "{"+strings.Join(words, ",")+"}")
		case ConfedSequence:
			out = append(out, "("+strings.Join(words, " ")+")")
		case ConfedSet:
			out = append(out, "["+strings.Join(words, ",")+"]")
		default:
			out = append(out, words...)
		}
	}
	return strings.Join(out, " ")
}

// Communities that this package obeys, beside those of lib/policy.
const (
	LLGRStale policy.Community = 0xFFFF0006 // RFC 9494, section 4.3
	NoLLGR    policy.Community = 0xFFFF0007 // RFC 9494, section 4.2
)

// Aggregator is the AGGREGATOR attribute (RFC 4271, section 5.1.7).
type Aggregator struct {
	AS uint32
	ID netip.Addr // IPv4; not valid: no such attribute
}

// Attributes are the path attributes of a route (RFC 4271, section 5). They are
// shared and must not be changed: who wants to change one makes a copy, and new
// slices for those that differ.
type Attributes struct {
	Origin       Origin
	ASPath       ASPath
	NextHop      netip.Addr // the unspecified address: the speaker itself
	MED          uint32
	HasMED       bool
	LocalPref    uint32
	HasLocalPref bool
	Weight       uint32 // Cisco's: it is not sent to anybody

	AtomicAggregate bool
	Aggregator      Aggregator
	Communities     []policy.Community
	Extended        []policy.ExtCommunity
	Large           []policy.LargeCommunity
	OriginatorID    netip.Addr // RFC 4456
	ClusterList     []netip.Addr

	// Other is what the speaker keeps of attributes that have no field here.
	Other any
}

// DefaultLocalPref is LOCAL_PREF where none was received (RFC 4271, section 5.1.5;
// the value is Cisco's).
const DefaultLocalPref = 100

// Preference returns LOCAL_PREF, or its default.
func (a *Attributes) Preference() uint32 {
	if a.HasLocalPref {
		return a.LocalPref
	}
	return DefaultLocalPref
}

// Has tells whether a community is among the standard ones.
func (a *Attributes) Has(c policy.Community) bool { return slices.Contains(a.Communities, c) }

// Equal compares attributes by what they say.
func (a *Attributes) Equal(b *Attributes) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil {
		return false
	}
	return a.Origin == b.Origin && a.NextHop == b.NextHop && a.MED == b.MED && a.HasMED == b.HasMED &&
		a.LocalPref == b.LocalPref && a.HasLocalPref == b.HasLocalPref && a.Weight == b.Weight &&
		a.AtomicAggregate == b.AtomicAggregate && a.Aggregator == b.Aggregator && a.OriginatorID == b.OriginatorID &&
		slices.Equal(a.Communities, b.Communities) && slices.Equal(a.Extended, b.Extended) && slices.Equal(a.Large, b.Large) &&
		slices.Equal(a.ClusterList, b.ClusterList) && a.ASPath.equal(b.ASPath) && reflect.DeepEqual(a.Other, b.Other)
}

func (p ASPath) equal(q ASPath) bool {
	return slices.EqualFunc(p, q, func(a, b Segment) bool { return a.Type == b.Type && slices.Equal(a.AS, b.AS) })
}

// Route is what a policy decides on.
type Route struct {
	Prefix     netip.Prefix
	From       netip.Addr  // the neighbour that sent it; not valid: it is our own
	Attributes *Attributes // not to be changed
}

// Policy lets routes pass or not, and may change them. Apply returns the attributes of
// the route themselves if it changes none, and a changed copy otherwise. It depends
// on nothing but the route, may be called by several goroutines, and is compared by
// ==: a changed policy is another one.
type Policy interface {
	Apply(r Route) (a *Attributes, permit bool)
}
