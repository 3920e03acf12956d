package speaker

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// The default route of default-originate, and what it may depend on.

// condition is a DefaultMap of some class. What permits the default route is the first
// prefix, in order, whose best path the map permits: it stays the same whatever came in
// which order.
type condition struct {
	policy Policy
	family rib.Family
	prefix netip.Prefix       // not valid: nothing is permitted
	out    *locrib.Attributes // of the default route
	search bool               // the table has to be gone through
}

// enterMaps makes sure that there is a condition for each map of the classes.
func (e *exporter) enterMaps() {
	for _, c := range e.classes {
		for _, f := range families {
			if m := c.key.family(defaultPrefix(f)).defaultMap; m != nil && e.condition(m, f) == nil {
				e.maps = append(e.maps, &condition{policy: m, family: f, search: true})
			}
		}
	}
}

// leaveMaps forgets the conditions that no class has.
func (e *exporter) leaveMaps() {
	e.maps = slices.DeleteFunc(e.maps, func(m *condition) bool {
		return !slices.ContainsFunc(e.classes, func(c *class) bool { return c.key.family(defaultPrefix(m.family)).defaultMap == m.policy })
	})
}

func (e *exporter) condition(m Policy, f rib.Family) *condition {
	i := slices.IndexFunc(e.maps, func(c *condition) bool { return c.policy == m && c.family == f })
	if i < 0 {
		return nil
	}
	return e.maps[i]
}

// consider takes the new best paths of a prefix, and tells whether a default route is
// another for it. Where the one that permitted it does so no more, that has to wait until
// nothing is marked: a neighbour that goes may take many along, one after another.
func (e *exporter) consider(p netip.Prefix, best []locrib.Path) (changed bool) {
	for _, m := range e.maps {
		if m.family != familyOf(p) {
			continue
		}
		var o *locrib.Path
		if len(best) > 0 {
			o = &best[0]
		}
		switch out, permit := m.apply(p, o); {
		case permit && (!m.prefix.IsValid() || p.Compare(m.prefix) <= 0):
			changed = m.set(p, out) || changed
		case p == m.prefix:
			m.search = true
		}
	}
	return changed
}

// search goes through the table for those who have to know, and tells whether a default
// route is another now.
func (e *exporter) search(t *locrib.Table) (changed bool) {
	for _, m := range e.maps {
		if !m.search {
			continue
		}
		m.search = false
		var first netip.Prefix
		var out *locrib.Attributes
		for p, o := range t.Bests(m.family) {
			if given, permit := m.apply(p, o); permit {
				first, out = p, given
				break
			}
		}
		changed = m.set(first, out) || changed
	}
	return changed
}

func (m *condition) apply(p netip.Prefix, o *locrib.Path) (*locrib.Attributes, bool) {
	if o == nil {
		return nil, false
	}
	r := locrib.Route{Prefix: p, Attributes: o.Attributes}
	if o.Neighbor != nil {
		r.From = o.Neighbor.Address
	}
	return m.policy.Apply(r)
}

// set notes what permits the default route, and tells whether that makes a difference.
func (m *condition) set(p netip.Prefix, out *locrib.Attributes) bool {
	changed := m.prefix.IsValid() != p.IsValid() || !out.Equal(m.out)
	m.prefix, m.out = p, out
	return changed
}

// originated tells whether neighbours with f get a default route, and what attributes a
// map gives it.
func (e *exporter) originated(f *outbound, p netip.Prefix) (out *locrib.Attributes, met bool) {
	if !isDefault(p) || !f.defaultOriginate {
		return nil, false
	}
	if f.defaultMap == nil {
		return nil, true
	}
	m := e.condition(f.defaultMap, familyOf(p))
	if m == nil || !m.prefix.IsValid() {
		return nil, false
	}
	return m.out, true
}

// defaultRoute works out what a class gets of the default route: what a map gives it, if
// it is not one of the table.
func (e *exporter) defaultRoute(k *classKey, p netip.Prefix, o *locrib.Path, out *locrib.Attributes, synthetic bool) (c change, problem string) {
	c = k.base(p)
	if synthetic && out != nil {
		given := *out
		if !given.NextHop.IsValid() {
			given.NextHop = o.Attributes.NextHop
		}
		if c, problem = e.difference(k, p, o, &given); problem != "" {
			return change{deny: true}, problem
		}
	}
	c.self = !c.hop.IsValid()
	problem = c.checkSelf(k, p, o.Attributes)
	return c, problem
}
