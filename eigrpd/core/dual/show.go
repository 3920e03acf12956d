package dual

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// Path is one way to a destination, as it is installed and shown.
type Path[A comparable] struct {
	Neighbor  NeighborID // 0 for a route of this router itself
	Source    Source     // which of those
	Interface InterfaceID
	Attribute A        // with the link added
	Distance  Distance // CD
	Reported  Distance // RD of the neighbour
	Successor bool     // in use, at the least cost
	Feasible  bool     // meets the Feasibility Condition
}

// Entry is what the topology table holds of one prefix.
type Entry[A comparable] struct {
	Prefix   netip.Prefix
	State    State
	Feasible Distance // FD
	Reported Distance // RD of this router
	Paths    []Path[A]
	Waiting  []NeighborID  // from whom a REPLY is awaited
	Used     int           // number of paths installed
	Owed     NeighborID    // the successor whose QUERY has no REPLY yet; 0: none
	Since    clock.Instant // ACTIVE: since when
	Serial   uint64        // counts changes of what is used in the table: that of the last of this entry
	// SIAQueries is how many SIA-QUERYs went to those in Waiting since the QUERY.
	SIAQueries int
}

// Entries yields the topology table by prefix, without entries that are kept for
// the sake of late messages only. The table must not be stepped meanwhile.
func (t *Table[A]) Entries() iter.Seq[Entry[A]] {
	return func(yield func(Entry[A]) bool) {
		for _, r := range t.all() {
			if r.state == Passive && len(r.paths) == 0 {
				continue
			}
			if !yield(t.showRoute(r)) {
				return
			}
		}
	}
}

// Entry returns what the table holds of a prefix.
func (t *Table[A]) Entry(p netip.Prefix) (e Entry[A], ok bool) {
	r := t.routes[p]
	if r == nil || r.state == Passive && len(r.paths) == 0 {
		return e, false
	}
	return t.showRoute(r), true
}

// Used returns the paths by which a prefix is installed, as Install has them; none if
// it is not. They are not to be changed.
func (t *Table[A]) Used(p netip.Prefix) []Path[A] {
	if r := t.routes[p]; r != nil {
		return r.installed
	}
	return nil
}

// Installed returns how many prefixes are installed.
func (t *Table[A]) Installed() int { return t.installed }

// Active returns how many prefixes are ACTIVE.
func (t *Table[A]) Active() int { return t.active }

// Reports reports whether the table has a path by a neighbour.
func (t *Table[A]) Reports(p netip.Prefix, n NeighborID) bool {
	r := t.routes[p]
	if r == nil {
		return false
	}
	_, ok := r.at(via(n))
	return ok
}

// ReportedBy returns the prefixes to which there is a path by a neighbour.
func (t *Table[A]) ReportedBy(n NeighborID) map[netip.Prefix]struct{} {
	all := make(map[netip.Prefix]struct{})
	for _, r := range t.all() {
		if _, ok := r.at(via(n)); ok {
			all[r.prefix] = struct{}{}
		}
	}
	return all
}

func (t *Table[A]) showRoute(r *route[A]) Entry[A] {
	e := Entry[A]{Prefix: r.prefix, State: r.state, Feasible: r.fd, Reported: r.rd, Waiting: slices.Clone(r.waiting), Used: len(r.used),
		Owed: r.owed, Since: r.since, Serial: r.serial}
	if r.state != Passive {
		e.SIAQueries = r.rounds
	}
	for i := range r.paths {
		p := t.show(r, &r.paths[i])
		p.Successor = p.Distance == r.distance(r.successor) && slices.Contains(r.used, r.paths[i].hop)
		e.Paths = append(e.Paths, p)
	}
	return e
}

func (t *Table[A]) show(r *route[A], p *path[A]) Path[A] {
	out := Path[A]{Neighbor: p.neighbor, Source: p.source, Attribute: p.attr, Distance: p.cd, Reported: p.rd, Feasible: r.meets(p)}
	if n := t.neighbors[p.neighbor]; n != nil {
		out.Interface = n.Interface
	}
	return out
}
