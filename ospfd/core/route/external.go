package route

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// candidate is an external path that is compared with others.
type candidate struct {
	Route
	preferred bool // by the rules of RFC 2328 section 16.4.1
}

// outside computes the best external path to a destination (RFC 2328 section 16.4 with RFC
// 3101 section 2.5).
func (t *Table) outside(d *dest) (Route, bool) {
	var best candidate
	found := false
	for k := range d.externals {
		c, ok := t.candidate(d, &d.externals[k])
		if !ok {
			continue
		}
		switch order := t.compare(c, best); {
		case !found || order < 0:
			best, found = c, true
		case order == 0:
			best = combine(best, c)
		}
	}
	return best.Route, found
}

// candidate makes a path of an external LSA: steps 1 to 5.
func (t *Table) candidate(d *dest, e *external) (c candidate, ok bool) {
	nssa := e.area != nil
	if nssa && d.prefix.Bits() == 0 && t.cfg.Border && (!e.propagate || e.area.NoSummary) {
		return c, false
	}
	by, ok := t.asbr(e)
	if !ok {
		return c, false
	}
	c.Route = Route{Prefix: d.prefix, Type: External1, NSSA: nssa, Cost: by.Cost, Tag: e.Tag, Hops: by.Hops, Router: e.key.Router, LSA: e.key,
		Forward: e.Forwarding, Propagate: e.propagate}
	c.preferred = by.Type == Intra && by.Area != Backbone
	if nssa {
		c.Area = e.area.ID
	}
	if e.Forwarding.IsValid() {
		to, ok := t.forwardTo(e)
		if !ok {
			return c, false
		}
		c.Cost, c.Hops = to.Cost, onLink(to.Hops, e.Forwarding)
		c.preferred = to.Type == Intra && to.Area != Backbone
	}
	if e.Type2 {
		c.Type, c.Type2 = External2, e.Metric
	} else {
		c.Cost += e.Metric
	}
	return c, true
}

// asbr returns the preferred entry for the router that an external LSA is from: step 3.
func (t *Table) asbr(e *external) (best Border, ok bool) {
	for _, b := range t.borders[e.key.Router] {
		if !b.ASBR || !t.serves(e, b) {
			continue
		}
		if !ok || t.compareASBR(b, best) < 0 {
			best, ok = b, true
		}
	}
	return best, ok
}

// serves reports whether the entry for a router may be used for an external LSA: of type 5
// in areas that have these, of type 7 within the NSSA that it comes from.
func (t *Table) serves(e *external, b Border) bool {
	if e.area != nil {
		return b.Area == e.area.ID && b.Type == Intra
	}
	return t.carries(b.Area)
}

// carries reports whether an area has AS-external-LSAs.
func (t *Table) carries(id packet.ID) bool {
	a := t.area(id)
	return a != nil && a.Kind == Normal
}

// compareASBR orders the entries for an AS boundary router, the preferred one first.
func (t *Table) compareASBR(a, b Border) int {
	if !t.cfg.RFC1583 {
		pa, pb := a.Type == Intra && a.Area != Backbone, b.Type == Intra && b.Area != Backbone
		switch {
		case pa && !pb:
			return -1
		case pb && !pa:
			return 1
		}
	}
	return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(b.Area, a.Area))
}

// forwardTo returns the route to the forwarding address of an LSA.
func (t *Table) forwardTo(e *external) (Route, bool) {
	if slices.Contains(t.cfg.Addresses, e.Forwarding) {
		return Route{}, false
	}
	for n := 32; n >= 0; n-- {
		if t.lengths[n] == 0 {
			continue
		}
		p, err := e.Forwarding.Prefix(n)
		if err != nil {
			return Route{}, false
		}
		d := t.dests[p]
		if d == nil || d.inside == nil {
			continue
		}
		r := *d.inside
		if e.area != nil {
			return r, !r.Discard && r.Type == Intra && r.Area == e.area.ID
		}
		return r, !r.Discard && t.carries(r.Area)
	}
	return Route{}, false
}

// onLink replaces networks that the router is attached to by an address in them.
func onLink(hops []NextHop, a netip.Addr) []NextHop {
	if !slices.ContainsFunc(hops, func(h NextHop) bool { return !h.Addr.IsValid() }) {
		return hops
	}
	hops = slices.Clone(hops)
	for k := range hops {
		if !hops[k].Addr.IsValid() {
			hops[k].Addr = a
		}
	}
	slices.SortFunc(hops, compareHops)
	return slices.Compact(hops)
}

// compare orders external paths, the better one first: step 6.
func (t *Table) compare(a, b candidate) int {
	if c := cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Type2, b.Type2)); c != 0 {
		return c
	}
	if !t.cfg.RFC1583 && a.preferred != b.preferred {
		if a.preferred {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.Cost, b.Cost)
}

// combine puts paths of equal preference together. Of LSAs that say the same (RFC 3101
// section 2.5 step 6e) one is used: a type-7 LSA with the P-bit, then one of type 5, then
// that of the highest router ID. This one stands for the route also if they do not.
func combine(a, b candidate) candidate {
	if rank(b) > rank(a) || rank(b) == rank(a) && b.Router > a.Router {
		a, b = b, a
	}
	if !a.Forward.IsValid() || a.Forward != b.Forward {
		a.Hops = union(a.Hops, b.Hops)
	}
	return a
}

func rank(c candidate) int {
	switch {
	case c.NSSA && c.Propagate:
		return 2
	case !c.NSSA:
		return 1
	}
	return 0
}
