package dual

import (
	"cmp"
	"slices"
)

// told is what the neighbours on an interface were told of a route.
type told[A comparable] struct {
	id     InterfaceID
	ever   bool // anything was told
	attr   A
	rd     Distance
	uneven bool // some were told something else, or nothing
	// exposed is true while somebody may hold a finite distance: it was told one, and
	// did not since answer a QUERY that took it back. Only who was never exposed can be
	// spared a QUERY without harm (RFC 7868 section 5.4.2.3, the exception).
	exposed bool
	taken   bool // the QUERY under way takes back what all on the interface hold
}

// on returns what was told on an interface.
func (r *route[A]) on(id InterfaceID) *told[A] {
	i, ok := slices.BinarySearchFunc(r.told, id, func(w told[A], id InterfaceID) int { return cmp.Compare(w.id, id) })
	if !ok {
		r.told = slices.Insert(r.told, i, told[A]{id: id, rd: Infinity})
	}
	return &r.told[i]
}

// untell forgets what was told on an interface that has no neighbours any more.
func (r *route[A]) untell(id InterfaceID) {
	r.told = slices.DeleteFunc(r.told, func(w told[A]) bool { return w.id == id })
}

// asked notes that all REPLYs are in.
func (r *route[A]) asked() {
	for i := range r.told {
		w := &r.told[i]
		w.exposed = w.exposed && !w.taken
		w.taken = false
	}
}

// hidden is true if the route is in use over an interface with split horizon: it is
// reported there as unreachable (RFC 7868 section 5.4.2).
func (t *Table[A]) hidden(r *route[A], on *iface) bool {
	return on.split && slices.ContainsFunc(r.used, func(h hop) bool { return has(on.neighbors, h.neighbor) })
}

// report returns what is to be told of a route on an interface.
func (t *Table[A]) report(r *route[A], on *iface) (a A, rd Distance) {
	a = r.attr
	if len(r.used) == 0 || r.rd == Infinity || t.hidden(r, on) {
		return a, Infinity
	}
	out, ok := t.arithmetic.Report(on.id, r.prefix, a)
	if !ok {
		return a, Infinity
	}
	return out, t.arithmetic.Distance(out)
}

// same is true if a and rd is what was told last.
func (w *told[A]) same(a A, rd Distance) bool {
	return w.rd == rd && (rd == Infinity || w.attr == a)
}

// tell sends an UPDATE to each interface whose neighbours were last told something
// else. A poison reverse is sent even where nothing was told (RFC 7868 sections
// 5.4.2.1, 5.4.2.2), and then to the successors alone: the others have nothing that it
// could take back, and a hub has thousands of them.
func (t *Table[A]) tell(r *route[A]) {
	for _, on := range t.interfaces {
		t.tellOn(r, on)
	}
}

// tellOn is tell for one interface.
func (t *Table[A]) tellOn(r *route[A], on *iface) {
	if len(on.neighbors) == 0 {
		return
	}
	a, rd := t.report(r, on)
	w := r.on(on.id)
	if !w.uneven && w.same(a, rd) && (w.ever || rd == Infinity && !t.hidden(r, on)) {
		return
	}
	var to []NeighborID
	if !w.ever && !w.uneven && rd == Infinity {
		to = r.successorsOn(on)
	}
	w.ever, w.attr, w.rd, w.uneven = true, a, rd, false
	w.exposed = w.exposed || rd != Infinity
	t.send(on.id, to, nil, Message[A]{Kind: Update, Prefix: r.prefix, Attribute: a, Unreachable: rd == Infinity})
}

// successorsOn returns the neighbours on an interface by which the route is used, sorted.
func (r *route[A]) successorsOn(on *iface) (all []NeighborID) {
	for _, h := range r.used {
		if has(on.neighbors, h.neighbor) {
			all = add(all, h.neighbor)
		}
	}
	return all
}

// welcome tells a new neighbour of a route. What is ACTIVE it is told when it is
// PASSIVE (RFC 7868 section 3.5, 7).
func (t *Table[A]) welcome(r *route[A], n *neighbor) {
	w := r.on(n.on.id)
	if r.state != Passive {
		w.uneven = true
		return
	}
	a, rd := t.report(r, n.on)
	if rd == Infinity {
		return
	}
	w.ever, w.attr, w.rd, w.exposed = true, a, rd, true
	t.send(n.on.id, []NeighborID{n.ID}, nil, Message[A]{Kind: Update, Prefix: r.prefix, Attribute: a})
}

// query sends a QUERY to all neighbours but stubs, and awaits their REPLYs. If the
// successor's message is the reason, the successor is not asked, nor who is behind
// split horizon on its interface and cannot hold a distance that it was told before
// (RFC 7868 section 3.5, 3 and 4; section 5.4.2.3).
func (t *Table[A]) query(r *route[A], bySuccessor bool) {
	r.waiting = nil
	for _, on := range t.interfaces {
		if len(on.neighbors) == 0 {
			continue
		}
		a, rd := t.report(r, on)
		w := r.on(on.id)
		var to, except []NeighborID
		toSuccessor := bySuccessor && has(on.neighbors, r.successor.neighbor)
		for _, n := range on.neighbors {
			spared := toSuccessor && (n == r.successor.neighbor || on.split && !w.exposed)
			if spared || t.neighbors[n].Stub {
				except = append(except, n)
				continue
			}
			to = append(to, n)
		}
		w.taken = rd == Infinity && !toSuccessor
		if len(to) == 0 {
			w.uneven = w.uneven || !w.same(a, rd)
			continue
		}
		w.uneven = len(except) > 0 && (w.uneven || !w.same(a, rd))
		w.ever, w.attr, w.rd = true, a, rd
		w.exposed = w.exposed || rd != Infinity
		for _, n := range to {
			r.waiting = add(r.waiting, n)
		}
		t.send(on.id, to, except, Message[A]{Kind: Query, Prefix: r.prefix, Attribute: a, Unreachable: rd == Infinity})
	}
}

// answer sends a REPLY.
func (t *Table[A]) answer(r *route[A], to NeighborID) {
	n := t.neighbors[to]
	if n == nil {
		return
	}
	r.answered = add(r.answered, to)
	t.one(r, n, Message[A]{Kind: Reply})
}

// one tells one neighbour of a route.
func (t *Table[A]) one(r *route[A], n *neighbor, m Message[A]) {
	a, rd := t.report(r, n.on)
	w := r.on(n.on.id)
	if !w.same(a, rd) {
		if len(n.on.neighbors) == 1 {
			w.ever, w.attr, w.rd, w.uneven = true, a, rd, false
		} else {
			w.uneven = true
		}
	}
	w.exposed = w.exposed || rd != Infinity
	m.Prefix, m.Attribute, m.Unreachable = r.prefix, a, rd == Infinity
	t.send(n.on.id, []NeighborID{n.ID}, nil, m)
}

// send sends to the neighbours in to, or to all but those in except if that says
// it in fewer words.
func (t *Table[A]) send(on InterfaceID, to, except []NeighborID, m Message[A]) {
	if len(to) > 0 && (len(to) == len(t.on(on).neighbors) || len(except) > 0 && len(except) <= len(to)) {
		to = nil
	}
	if to != nil {
		except = nil
	}
	t.effect(Send[A]{on, to, except, m})
}
