package route

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/ospfd/core/spf"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// hopsOf returns the next hops of a network of an area.
func (t *Table) hopsOf(a *area, r spf.Route) []NextHop {
	hops := t.resolve(a, r.Hops)
	if len(r.Hops) > 0 && len(r.Attached) == 0 {
		return hops
	}
	for _, at := range r.Attached { // own stubs, and networks that the router is attached to
		if at < len(a.links) {
			hops = union(hops, []NextHop{{Interface: a.links[at].Interface}})
		}
	}
	return hops
}

// resolve makes next hops of the first hops of a tree. Those whose virtual link is not
// reached are left out (RFC 2328 section 16.3).
func (t *Table) resolve(a *area, first []spf.Hop) []NextHop {
	if len(first) == 0 {
		return nil
	}
	shared := hops{&first[0], len(first)}
	if known, ok := a.hops[shared]; ok {
		return known
	}
	var hops []NextHop
	for _, h := range first {
		if h.Link >= len(a.links) {
			continue
		}
		l := a.links[h.Link]
		switch {
		case l.Router != 0:
			hops = append(hops, t.through(l)...)
		case h.Router == 0:
			hops = append(hops, NextHop{Interface: l.Interface})
		case h.Addr != 0:
			hops = append(hops, NextHop{Interface: l.Interface, Addr: h.Addr.Addr()})
		default:
			hops = append(hops, NextHop{Interface: l.Interface, Addr: l.Addr})
		}
	}
	slices.SortFunc(hops, compareHops)
	hops = bound(slices.Compact(hops))
	a.hops[shared] = hops
	return hops
}

// through returns the next hops of a virtual link: those to its other end in the transit
// area.
func (t *Table) through(l Link) []NextHop {
	a := t.area(l.Transit)
	if a == nil || l.Transit == Backbone {
		return nil
	}
	v, ok := a.tree.Vertex(false, l.Router, 0)
	if !ok {
		return nil
	}
	return t.resolve(a, v.Hops)
}

func bound(hops []NextHop) []NextHop { return hops[:min(len(hops), spf.MaxHops)] }

// union returns the next hops of two lists.
func union(a, b []NextHop) []NextHop {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0 || slices.Equal(a, b):
		return a
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, compareHops)
	return bound(slices.Compact(all))
}

// merge returns the better of two internal paths; of equal ones the next hops of both.
func merge(a Route, ok bool, b Route) Route {
	switch {
	case !ok || b.Cost < a.Cost:
		return b
	case a.Cost < b.Cost:
		return a
	case a.Area < b.Area:
		a, b = b, a
	}
	a.Hops = union(a.Hops, b.Hops)
	return a
}

// inside computes the best path to a destination within an area or between areas (RFC 2328
// sections 16.1, 16.2 and 16.3), and the discard routes of ranges (section 11.1).
func (t *Table) inside(d *dest) (best Route, ok bool) {
	for _, a := range t.areas {
		w := d.in(a)
		if w == nil {
			continue
		}
		r := w.route
		key := packet.LSAKey{Type: packet.RouterLSA, ID: r.Origin, Router: r.By}
		if r.Transit {
			key.Type = packet.NetworkLSA
		}
		hops := t.hopsOf(a, r)
		if len(hops) == 0 {
			continue
		}
		best = merge(best, ok, Route{Prefix: d.prefix, Type: Intra, Area: a.ID, Cost: r.Cost, Hops: hops, Router: r.By, LSA: key})
		ok = true
	}
	if !ok {
		if s, area, active := t.activeRange(d.prefix); active {
			r := Route{Prefix: d.prefix, Type: Intra, Area: area, Cost: s.Metric, Router: t.cfg.Router, Discard: true}
			return r, s.Advertise
		}
		best, ok = t.between(d)
	}
	if ok {
		best = t.shortcut(d, best)
	}
	return best, ok
}

// activeRange returns the active range that a prefix is.
func (t *Table) activeRange(p netip.Prefix) (RangeState, packet.ID, bool) {
	for _, a := range t.areas {
		for _, s := range a.ranges {
			if s.Active && s.Prefix == p {
				return s, a.ID, true
			}
		}
	}
	return RangeState{}, 0, false
}

// between computes the best inter-area path (section 16.2): if there is none by what is examined
// there, one by the areas of shortcuts.
func (t *Table) between(d *dest) (best Route, ok bool) {
	if best, ok = t.among(d, t.matters); !ok {
		best, ok = t.among(d, t.detours)
	}
	return best, ok
}

// among computes the best path by some of the summary-LSAs.
func (t *Table) among(d *dest, count func(*summary) bool) (best Route, ok bool) {
	for k := range d.summaries {
		s := &d.summaries[k]
		if !count(s) || t.inward(d, s) {
			continue
		}
		b, reached := t.border(s)
		if !reached {
			continue
		}
		r := Route{Prefix: d.prefix, Type: Inter, Area: s.area.ID, Cost: b.Cost + s.metric, Hops: b.Hops, Router: s.key.Router, LSA: s.key}
		best, ok = merge(best, ok, r), true
	}
	return best, ok
}

// matters reports whether a summary-LSA is examined at all (sections 16.2 and RFC 3509).
func (t *Table) matters(s *summary) bool {
	return !t.cfg.Backbone || s.area.ID == Backbone
}

// border returns the entry for the border router that a summary-LSA is from.
func (t *Table) border(s *summary) (Border, bool) {
	b, ok := t.Border(s.key.Router, s.area.ID)
	return b, ok && b.ABR && len(b.Hops) > 0
}

// shortcut looks whether transit areas (section 16.3), or those of shortcuts, have a better path
// to what the backbone has. It stays a path of the backbone: other areas are told of it.
func (t *Table) shortcut(d *dest, r Route) Route {
	if !t.cfg.Border || r.Area != Backbone || r.Discard {
		return r
	}
	for k := range d.summaries {
		if s := &d.summaries[k]; !t.inward(d, s) {
			r.Cost, r.Hops = t.transitPath(s, r.Cost, r.Hops)
		}
	}
	return r
}

// transitPath compares a path of the backbone with that by a summary-LSA of a transit area, or
// one of shortcuts.
func (t *Table) transitPath(s *summary, cost uint32, hops []NextHop) (uint32, []NextHop) {
	if s.area.ID == Backbone || !s.area.transit && !t.shortens(s.area) {
		return cost, hops
	}
	b, ok := t.border(s)
	switch c := b.Cost + s.metric; {
	case !ok || c > cost:
		return cost, hops
	case c < cost:
		return c, b.Hops
	}
	return cost, union(hops, b.Hops)
}

// routers computes the entries for border routers and AS boundary routers (sections 16.1,
// 16.2 and 16.3), and returns those with entries that changed.
func (t *Table) routers() map[packet.ID]struct{} {
	old := t.borders
	t.borders = make(map[packet.ID][]Border, len(old))
	for _, a := range t.areas {
		transit, shared := a.transit, a.shared
		a.transit, a.shared = false, true
		for v, flags := range a.tree.Routers {
			a.transit = a.transit || flags&packet.RouterV != 0 && a.ID != Backbone
			a.shared = a.shared && (v.ID == t.cfg.Router || flags&packet.RouterB == 0 || flags&packet.RouterS != 0)
			if v.ID == t.cfg.Router || flags&(packet.RouterB|packet.RouterE) == 0 {
				continue
			}
			b := Border{Router: v.ID, Area: a.ID, Type: Intra, Cost: v.Distance, Hops: t.resolve(a, v.Hops)}
			b.ABR, b.ASBR, b.Nt = flags&packet.RouterB != 0, flags&packet.RouterE != 0, flags&packet.RouterNt != 0
			if len(b.Hops) > 0 {
				t.borders[v.ID] = append(t.borders[v.ID], b)
			}
		}
		t.all = t.all || a.transit != transit || a.shared != shared // each destination, and not more trees
	}
	for id, list := range t.asbrs { // unordered: each for itself
		if id != t.cfg.Router {
			t.remoteASBR(id, list)
		}
	}
	changed := make(map[packet.ID]struct{})
	for id, list := range t.borders { // unordered: a set
		if !slices.EqualFunc(old[id], list, Border.equal) {
			changed[id] = struct{}{}
		}
	}
	for id := range old { // unordered: a set
		if _, ok := t.borders[id]; !ok {
			changed[id] = struct{}{}
		}
	}
	return changed
}

// remoteASBR computes the inter-area entries for an AS boundary router.
func (t *Table) remoteASBR(id packet.ID, list []summary) {
	t.asbrAmong(id, list, t.matters)
	if !slices.ContainsFunc(t.borders[id], func(b Border) bool { return b.ASBR && t.carries(b.Area) }) {
		t.asbrAmong(id, list, t.detours)
	}
	if !t.cfg.Border {
		return
	}
	all := t.borders[id]
	for k := range list { // section 16.3
		for at := range all {
			if o := &all[at]; o.Area == Backbone && o.ASBR {
				o.Cost, o.Hops = t.transitPath(&list[k], o.Cost, o.Hops)
			}
		}
	}
}

// asbrAmong computes these by some of the summary-LSAs.
func (t *Table) asbrAmong(id packet.ID, list []summary, count func(*summary) bool) {
	for k := range list { // sorted by area
		s := &list[k]
		b, ok := t.border(s)
		if !ok || !count(s) || t.withinAs(id, s.area.ID) {
			continue
		}
		all := t.borders[id]
		at := slices.IndexFunc(all, func(o Border) bool { return o.Area == s.area.ID && o.Type == Inter })
		n := Border{Router: id, Area: s.area.ID, Type: Inter, ASBR: true, Cost: b.Cost + s.metric, Hops: b.Hops}
		switch {
		case at < 0:
			t.borders[id] = append(all, n)
		case n.Cost < all[at].Cost:
			all[at] = n
		case n.Cost == all[at].Cost:
			all[at].Hops = union(all[at].Hops, n.Hops)
		}
	}
}

// withinAs reports whether an AS boundary router is reached within an area as one.
func (t *Table) withinAs(id, area packet.ID) bool {
	b, ok := t.Border(id, area)
	return ok && b.ASBR
}
