package route

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/ospfd/core/spf"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Outcome is what Calculate has done.
type Outcome struct {
	Trees   []packet.ID    // areas whose shortest-path tree was computed
	Changed []netip.Prefix // networks whose route changed, came or went, sorted
	Borders bool           // entries for routers changed
	Ranges  bool           // the state of a range did
}

// Calculate brings the table up to date.
func (t *Table) Calculate() Outcome {
	var o Outcome
	for _, a := range t.areas {
		if a.run || t.all {
			a.tree = a.graph.Run(t.cfg.Router)
			a.run, a.collect, t.trees = false, true, true
			a.runs++
			clear(a.hops)
			o.Trees = append(o.Trees, a.ID)
		}
	}
	t.virtual(len(o.Trees) > 0)
	for _, a := range t.areas {
		if a.collect || t.all {
			t.networks(a)
			o.Ranges = t.rangeStates(a) || o.Ranges
			a.collect = false
		}
	}
	if t.trees || t.all {
		changed := t.routers()
		o.Borders = len(changed) > 0
		t.markBehind(changed)
	}
	if t.all {
		for _, d := range t.dests { // unordered: each is marked
			t.mark(d)
		}
	}
	o.Changed = t.destinations()
	t.all, t.trees = false, false
	return o
}

// virtual has the backbone's next hops resolved anew where they lead by virtual links.
func (t *Table) virtual(trees bool) {
	a := t.area(Backbone)
	if a == nil || !trees || !slices.ContainsFunc(a.links, func(l Link) bool { return l.Router != 0 }) {
		return
	}
	a.collect, t.trees = true, true
	clear(a.hops)
}

// networks takes the networks of an area from its tree, and marks those that changed.
func (t *Table) networks(a *area) {
	a.takes++
	clear(a.hops)
	old, now := a.intra, a.spare[:0]
	for _, r := range a.tree.Routes() {
		d := t.at(r.Prefix)
		w := d.in(a)
		if w == nil {
			d.within = &within{area: a, run: a.takes, route: r, next: d.within}
			t.mark(d)
		} else {
			o := w.route
			w.run, w.route = a.takes, r
			// Next hops are compared with their destination: the links of the root may be others.
			if o.Cost != r.Cost || o.By != r.By || o.Origin != r.Origin || o.Transit != r.Transit || len(o.Hops) != len(r.Hops) || t.moved(d, a, r) {
				t.mark(d)
			}
		}
		now = append(now, d)
	}
	for _, d := range old {
		if d.in(a).run != a.takes {
			d.leave(a)
			t.mark(d)
		}
	}
	clear(old) // what is gone is not to be kept
	a.intra, a.spare = now, old
}

// moved reports whether the route to a network of an area has other next hops than it had.
func (t *Table) moved(d *dest, a *area, r spf.Route) bool {
	return d.inside == nil || !slices.Equal(d.inside.Hops, t.hopsOf(a, r))
}

// rangeStates computes which ranges of an area are active (RFC 2328 section 12.4.3), and
// reports whether that changed.
func (t *Table) rangeStates(a *area) (changed bool) {
	old := a.ranges
	a.ranges = nil
	if t.cfg.Border {
		for _, r := range a.Ranges {
			a.ranges = append(a.ranges, RangeState{Range: r})
		}
	}
	for _, d := range a.intra {
		p, r := d.prefix, d.in(a).route
		for k := range a.ranges {
			s := &a.ranges[k]
			if p.Bits() < s.Prefix.Bits() || !s.Prefix.Contains(p.Addr()) || !a.Exports(p) {
				continue
			}
			switch {
			case !s.Active:
				s.Active, s.Metric = true, r.Cost
			case t.cfg.RFC1583:
				s.Metric = min(s.Metric, r.Cost)
			default:
				s.Metric = max(s.Metric, r.Cost)
			}
		}
	}
	for k := range a.ranges {
		if s := &a.ranges[k]; s.Active && s.Cost != nil {
			s.Metric = *s.Cost
		}
	}
	if slices.EqualFunc(old, a.ranges, sameState) {
		return false
	}
	for _, r := range slices.Concat(old, a.ranges) {
		t.mark(t.at(r.Prefix))
	}
	return true
}

func sameState(a, b RangeState) bool {
	return a.Prefix == b.Prefix && a.Advertise == b.Advertise && a.Active == b.Active && a.Metric == b.Metric
}

// markBehind marks the destinations that are reached through some routers.
func (t *Table) markBehind(routers map[packet.ID]struct{}) {
	if len(routers) == 0 {
		return
	}
	for _, d := range t.dests { // unordered: each is marked
		for k := range d.summaries {
			if _, ok := routers[d.summaries[k].key.Router]; ok {
				t.mark(d)
			}
		}
		for k := range d.externals {
			if _, ok := routers[d.externals[k].key.Router]; ok {
				t.mark(d)
			}
		}
	}
}

// manyChanges is from how many changes of routes on the room for what is marked is given
// back: a table comes, and then little changes.
const manyChanges = 1000

// destinations computes what is marked: first the internal paths, since external ones may
// lead to an address that these reach.
func (t *Table) destinations() []netip.Prefix {
	t.internal = t.internal[:0]
	for _, d := range t.dirty {
		r, ok := t.inside(d)
		switch had := d.inside != nil; {
		case !ok && !had, ok && had && r.Equal(*d.inside):
			continue
		case !ok:
			t.lengths[d.prefix.Bits()]--
			d.inside = nil
		default:
			if !had {
				t.lengths[d.prefix.Bits()]++
			}
			in := r
			d.inside = &in
		}
		t.internal = append(t.internal, d.prefix)
	}
	if len(t.internal) > 0 {
		t.markForwarded()
	}
	var changed []netip.Prefix
	for _, d := range t.dirty {
		d.marked = false
		best := d.inside
		if best == nil {
			best = t.outsideOf(d)
		}
		if best != d.best && (best == nil || d.best == nil || !best.Equal(*d.best)) {
			changed = append(changed, d.prefix)
		}
		t.count(d, -1)
		d.best = best
		t.count(d, 1)
		if best == nil && d.within == nil && len(d.summaries) == 0 && len(d.externals) == 0 {
			delete(t.dests, d.prefix)
		}
	}
	clear(t.dirty)
	if t.dirty = t.dirty[:0]; len(changed) > manyChanges {
		t.dirty = nil
	}
	slices.SortFunc(changed, comparePrefixes)
	return changed
}

// outsideOf is the best external path to a destination: the one that it has, if that is the
// same; nil if there is none.
func (t *Table) outsideOf(d *dest) *Route {
	switch r, ok := t.outside(d); {
	case !ok:
		return nil
	case d.best != nil && r.Equal(*d.best):
		return d.best
	default:
		kept := r
		return &kept
	}
}

// markForwarded marks the destinations with a forwarding address to which a route changed.
func (t *Table) markForwarded() {
	many := len(t.internal) > 64
	for d := range t.forward { // unordered: each is marked
		if many || slices.ContainsFunc(d.externals, func(e external) bool {
			return e.Forwarding.IsValid() && slices.ContainsFunc(t.internal, func(p netip.Prefix) bool { return p.Contains(e.Forwarding) })
		}) {
			t.mark(d)
		}
	}
}
