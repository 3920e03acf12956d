package dual

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// Table is the topology table of one router with the Diffusing Update Algorithm
// over it: an sm.Machine. It is not safe for concurrent use.
type Table[A comparable] struct {
	arithmetic Arithmetic[A]
	config     Config
	neighbors  map[NeighborID]*neighbor
	interfaces []*iface // sorted
	routes     map[netip.Prefix]*route[A]
	order      []*route[A] // all routes, and perhaps dead ones
	sorted     bool        // order is sorted by prefix, without dead routes
	installed  int         // routes that are in use
	active     int         // routes that are ACTIVE
	serial     uint64      // of the last change

	now     clock.Instant
	timers  clock.Heap[netip.Prefix] // ACTIVE: the next SIA-QUERY; PASSIVE: the end of an unreachable entry
	effects []Effect
}

type neighbor struct {
	NeighborUp
	on *iface
}

// iface is an interface with the neighbours that are up on it, sorted.
type iface struct {
	id        InterfaceID
	split     bool // split horizon
	neighbors []NeighborID
}

// New returns an empty table.
func New[A comparable](a Arithmetic[A], c Config) *Table[A] {
	return &Table[A]{
		arithmetic: a,
		config:     c.filled(),
		neighbors:  map[NeighborID]*neighbor{},
		routes:     map[netip.Prefix]*route[A]{},
	}
}

// Step hands one input to the table.
func (t *Table[A]) Step(now clock.Instant, in Input) {
	t.now = now
	switch in := in.(type) {
	case Received[A]:
		t.receive(in)
	case Own[A]:
		p := path[A]{hop: hop{source: in.Source, own: true}, reported: in.Attribute, attr: in.Attribute}
		p.cd = t.arithmetic.Distance(in.Attribute)
		t.state(in.Prefix, p)
	case OwnGone:
		t.state(in.Prefix, path[A]{hop: hop{source: in.Source, own: true}, rd: Infinity, cd: Infinity})
	case Interface:
		t.setInterface(in)
	case NeighborUp:
		t.up(in)
	case NeighborDown:
		t.down(in.ID)
	case LinkChanged:
		t.relink(in)
	case Retell:
		t.retell(in.Neighbor)
	case Config:
		t.configure(in.filled())
	}
	t.expire()
}

// Wake returns when the table wants its next Tick.
func (t *Table[A]) Wake() (clock.Instant, bool) { return t.timers.Next() }

// Drain appends the effects since the last Drain.
func (t *Table[A]) Drain(dst []Effect) []Effect {
	dst = append(dst, t.effects...)
	clear(t.effects)
	t.effects = t.effects[:0]
	return dst
}

func (t *Table[A]) effect(e Effect) { t.effects = append(t.effects, e) }

// all returns all routes by prefix. Steps on one route make and remove no others.
func (t *Table[A]) all() []*route[A] {
	if !t.sorted {
		t.order = slices.DeleteFunc(t.order, func(r *route[A]) bool { return r.dead })
		slices.SortFunc(t.order, func(a, b *route[A]) int {
			return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
		})
		t.sorted = true
	}
	return t.order
}

// entry returns the route of a prefix, and makes one if there is none.
func (t *Table[A]) entry(p netip.Prefix) *route[A] {
	r := t.routes[p]
	if r == nil {
		r = &route[A]{prefix: p, fd: Infinity, rd: Infinity}
		t.routes[p] = r
		t.order, t.sorted = append(t.order, r), false
	}
	return r
}

// forget removes an unreachable entry.
func (t *Table[A]) forget(r *route[A]) {
	r.dead = true
	delete(t.routes, r.prefix)
	t.timers.Clear(r.prefix)
	t.sorted = false
}

// state enters or takes back a route of this router.
func (t *Table[A]) state(p netip.Prefix, new path[A]) {
	if new.rd == Infinity && t.routes[p] == nil {
		return
	}
	t.learn(t.entry(p), new, cause{})
}

// on returns an interface, made if need be.
func (t *Table[A]) on(id InterfaceID) *iface {
	i, ok := slices.BinarySearchFunc(t.interfaces, id, func(i *iface, id InterfaceID) int { return cmp.Compare(i.id, id) })
	if !ok {
		t.interfaces = slices.Insert(t.interfaces, i, &iface{id: id, split: true})
	}
	return t.interfaces[i]
}

func (t *Table[A]) setInterface(in Interface) {
	on := t.on(in.ID)
	on.split = !in.NoSplitHorizon
	for _, r := range t.all() {
		if r.state == Passive {
			t.tellOn(r, on)
		}
	}
}

func (t *Table[A]) configure(c Config) {
	t.config = c
	for _, r := range t.all() {
		if r.state == Passive {
			t.settle(r)
		}
	}
}

// up enters a neighbour and tells it the table (RFC 7868 section 5.3.4).
func (t *Table[A]) up(in NeighborUp) {
	if in.ID == 0 {
		return
	}
	t.down(in.ID)
	n := &neighbor{in, t.on(in.Interface)}
	t.neighbors[in.ID] = n
	n.on.neighbors = add(n.on.neighbors, in.ID)
	for _, r := range t.all() {
		t.welcome(r, n)
	}
}

// down removes a neighbour and all that it reported. Where its REPLY is awaited,
// it counts as given (RFC 7868 section 3.5, 8 to 10).
func (t *Table[A]) down(id NeighborID) {
	n := t.neighbors[id]
	if n == nil {
		return
	}
	delete(t.neighbors, id)
	n.on.neighbors = remove(n.on.neighbors, id)
	for _, r := range t.all() {
		if len(n.on.neighbors) == 0 {
			r.untell(n.on.id)
		}
		r.answered, r.alive = remove(r.answered, id), remove(r.alive, id)
		if r.owed == id {
			r.owed = 0
		}
		awaited := has(r.waiting, id)
		t.learn(r, path[A]{hop: via(id), rd: Infinity, cd: Infinity}, cause{neighbor: id})
		if r.successor == via(id) {
			r.successor = none // it may come back, and is a neighbour like others then
		}
		if awaited {
			t.replied(r, id)
		}
	}
}

// relink computes the distances through neighbours anew.
func (t *Table[A]) relink(in LinkChanged) {
	for _, r := range t.all() {
		// A step may change what is at a place, but not who is there: learn removes
		// only what is reported unreachable.
		for k := range r.paths {
			p := &r.paths[k]
			n := t.neighbors[p.neighbor]
			if n == nil || in.Neighbor != 0 && in.Neighbor != n.ID || in.Neighbor == 0 && in.Interface != 0 && in.Interface != n.Interface {
				continue
			}
			t.learn(r, t.through(n.ID, r.prefix, p.reported, p.rd), cause{neighbor: n.ID})
		}
	}
}

// retell tells a neighbour of all routes that it is told of.
func (t *Table[A]) retell(id NeighborID) {
	n := t.neighbors[id]
	if n == nil {
		return
	}
	for _, r := range t.all() {
		t.welcome(r, n)
	}
}

// through returns the path by a neighbour. It is always longer than what the
// neighbour has left: two routers at the same distance could each be the other's
// successor.
func (t *Table[A]) through(id NeighborID, p netip.Prefix, reported A, rd Distance) path[A] {
	new := path[A]{hop: via(id), reported: reported, rd: rd, cd: Infinity}
	if rd == Infinity {
		return new
	}
	if attr, ok := t.arithmetic.Via(id, p, reported); ok {
		new.attr, new.cd = attr, max(t.arithmetic.Distance(attr), rd+1)
	}
	return new
}
