package dual

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// hop is where a path leads: to a neighbour, or, if that is 0, to the router's own
// route of a source. none leads nowhere.
type hop struct {
	neighbor NeighborID
	source   Source
	own      bool
}

var none hop

func via(n NeighborID) hop { return hop{neighbor: n} }

func (h hop) compare(g hop) int {
	return cmp.Or(cmp.Compare(h.neighbor, g.neighbor), cmp.Compare(h.source, g.source))
}

// path is one way to a destination.
type path[A comparable] struct {
	hop
	reported A        // what the neighbour said
	rd       Distance // its distance: the neighbour's RD; 0 for an own route
	attr     A        // with the link added
	cd       Distance // its distance: CD (RFC 7868 section 2.2)
}

// route is the entry of a prefix in the topology table (RFC 7868 section 5.4).
type route[A comparable] struct {
	prefix netip.Prefix
	paths  []path[A] // by hop; none is reported unreachable
	state  State
	fd     Distance // Feasible Distance

	// What the router reports: in ACTIVE state frozen (section 3.2).
	successor hop
	attr      A
	rd        Distance
	used      []hop // in ACTIVE state the successor at most
	installed []Path[A]

	told     []told[A]    // by interface
	waiting  []NeighborID // whose REPLY status flag is 1, sorted; none in PASSIVE state
	owed     NeighborID   // the successor whose QUERY has no REPLY yet
	answered []NeighborID // whose last QUERY has its REPLY, sorted

	computations int           // begun so far
	rounds       int           // SIA-QUERYs sent in this one
	since        clock.Instant // ACTIVE: since when
	serial       uint64        // when what is used changed last
	alive        []NeighborID  // who answered the last of them, sorted
	dead         bool          // no longer in the table
}

// at returns the place of a hop in paths.
func (r *route[A]) at(h hop) (int, bool) {
	return slices.BinarySearchFunc(r.paths, h, func(p path[A], h hop) int { return p.compare(h) })
}

// distance returns CD over a hop.
func (r *route[A]) distance(h hop) Distance {
	if i, ok := r.at(h); ok {
		return r.paths[i].cd
	}
	return Infinity
}

// put enters a path, or removes it if its rd is infinite.
func (r *route[A]) put(p path[A]) {
	i, ok := r.at(p.hop)
	switch {
	case ok && p.rd == Infinity:
		r.paths = slices.Delete(r.paths, i, i+1)
	case ok:
		r.paths[i] = p
	case p.rd != Infinity:
		r.paths = slices.Insert(r.paths, i, p)
	}
}

// meets is the Feasibility Condition, Source Node Condition (RFC 7868 section
// 3.3): the neighbour is closer than this router ever was since the last diffusing
// computation. What the router owns leads nowhere else.
func (r *route[A]) meets(p *path[A]) bool {
	return p.cd != Infinity && (p.own || p.rd < r.fd)
}

// nearest returns the least CD of all paths, feasible or not.
func (r *route[A]) nearest() Distance {
	d := Infinity
	for i := range r.paths {
		d = min(d, r.paths[i].cd)
	}
	return d
}

// feasible is true if a path of least cost meets the Feasibility Condition
// (RFC 7868 section 3.2), or if the destination was and is unreachable.
func (r *route[A]) feasible() bool {
	d := r.nearest()
	if d == Infinity {
		return r.fd == Infinity
	}
	return slices.ContainsFunc(r.paths, func(p path[A]) bool { return p.cd == d && r.meets(&p) })
}

// choose returns the paths to be used, the successor first: it is an own route,
// the present successor, or the lowest neighbour of those that are equal.
func (r *route[A]) choose(c Config) []hop {
	best := r.nearest()
	var paths []path[A]
	for i := range r.paths {
		if p := &r.paths[i]; r.meets(p) && p.cd.within(c.Variance, best) {
			paths = append(paths, *p)
		}
	}
	slices.SortStableFunc(paths, func(a, b path[A]) int {
		return cmp.Or(cmp.Compare(a.cd, b.cd), rank(a.own, b.own), rank(a.hop == r.successor, b.hop == r.successor), a.compare(b.hop))
	})
	if len(paths) > 0 && paths[0].own {
		return []hop{paths[0].hop}
	}
	var hops []hop
	for _, p := range paths {
		if !p.own && len(hops) < c.MaximumPaths {
			hops = append(hops, p.hop)
		}
	}
	return hops
}

// rank orders true before false.
func rank(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// add and remove keep sorted lists of neighbours.
func add(list []NeighborID, n NeighborID) []NeighborID {
	if i, ok := slices.BinarySearch(list, n); !ok {
		return slices.Insert(list, i, n)
	}
	return list
}

func remove(list []NeighborID, n NeighborID) []NeighborID {
	if i, ok := slices.BinarySearch(list, n); ok {
		return slices.Delete(list, i, i+1)
	}
	return list
}

func has(list []NeighborID, n NeighborID) bool {
	_, ok := slices.BinarySearch(list, n)
	return ok
}
