package locrib

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/policy"
)

// Aggregate is an aggregate-address.
type Aggregate struct {
	Prefix      netip.Prefix
	SummaryOnly bool   // the more specific prefixes are not advertised
	ASSet       bool   // AS_PATH and communities of all of them (RFC 4271, section 9.2.2.2)
	Map         Policy // attribute-map; nil: none
}

// aggregate is an aggregate in a table.
type aggregate struct {
	Aggregate
	members map[netip.Prefix]bool // the more specific prefixes that have a best path
	active  bool                  // its route is in the table
	dirty   bool
}

// SetAggregates replaces the aggregates.
func (t *Table) SetAggregates(list []Aggregate) {
	if slices.EqualFunc(list, t.aggregates, func(a Aggregate, b *aggregate) bool { return a == b.Aggregate }) {
		return
	}
	for _, g := range t.aggregates {
		t.Withdraw(g.Prefix, Aggregated)
		t.markMembers(g)
	}
	t.aggregates = nil
	for _, a := range list {
		g := &aggregate{Aggregate: a, members: map[netip.Prefix]bool{}, dirty: true}
		for p, d := range t.dests.All() {
			if g.covers(p) && d.told.attributes != nil {
				g.members[p] = true
			}
		}
		t.aggregates = append(t.aggregates, g)
	}
}

func (g *aggregate) covers(p netip.Prefix) bool {
	return p.Bits() > g.Prefix.Bits() && g.Prefix.Contains(p.Addr())
}

// contributes notes whether a prefix has a best path.
func (t *Table) contributes(p netip.Prefix, has bool) {
	for _, g := range t.aggregates {
		if !g.covers(p) || !has && !g.members[p] {
			continue
		}
		if g.members[p] != has {
			g.dirty = true
		}
		if g.dirty = g.dirty || g.ASSet; has {
			g.members[p] = true
		} else {
			delete(g.members, p)
		}
	}
}

// Suppressed tells whether an aggregate takes a prefix's place.
func (t *Table) Suppressed(p netip.Prefix) bool {
	return slices.ContainsFunc(t.aggregates, func(g *aggregate) bool { return g.SummaryOnly && g.active && g.covers(p) })
}

func (t *Table) markMembers(g *aggregate) {
	for p := range g.members { // unordered: only marks
		t.Mark(p)
	}
}

// aggregate brings the routes of the aggregates up to date. It runs when nothing else
// is marked, so all members are known.
func (t *Table) aggregate(now int64) {
	for _, g := range t.aggregates {
		if !g.dirty {
			continue
		}
		g.dirty = false
		was := g.active
		a := t.summary(g)
		if g.active = a != nil; g.active {
			t.Originate(g.Prefix, Aggregated, a, now)
		} else if was {
			t.Withdraw(g.Prefix, Aggregated)
		}
		if was != g.active && g.SummaryOnly {
			t.markMembers(g)
		}
	}
}

// summary makes the attributes of an aggregate; nil if it has no members.
func (t *Table) summary(g *aggregate) *Attributes {
	if len(g.members) == 0 {
		return nil
	}
	// AGGREGATOR and ATOMIC_AGGREGATE: RFC 4271, sections 5.1.6 and 5.1.7.
	a := &Attributes{NextHop: netip.IPv4Unspecified(), Aggregator: Aggregator{t.config.AS, t.config.RouterID}, AtomicAggregate: !g.ASSet,
		Weight: OwnWeight}
	if g.Prefix.Addr().Is6() {
		a.NextHop = netip.IPv6Unspecified()
	}
	if g.ASSet {
		t.merge(g, a)
	}
	if g.Map != nil {
		out, permit := g.Map.Apply(Route{Prefix: g.Prefix, Attributes: a})
		if !permit {
			return nil
		}
		a = out
	}
	return a
}

// OwnWeight is the weight of own routes (Cisco).
const OwnWeight = 32768

// merge unites what the members say: the worst ORIGIN, all AS numbers in a set (none
// where all paths are of the own AS), all communities.
func (t *Table) merge(g *aggregate, a *Attributes) {
	var set []uint32
	var communities []policy.Community
	for p := range g.members { // unordered: sorted below
		d := t.dest(p)
		if d == nil {
			continue
		}
		for _, o := range append([]told{d.told}, d.more...) {
			if o.attributes == nil {
				continue
			}
			a.Origin = max(a.Origin, o.attributes.Origin)
			communities = append(communities, o.attributes.Communities...)
			for _, s := range o.attributes.ASPath {
				set = append(set, s.AS...)
			}
		}
	}
	slices.Sort(set)
	if set = slices.Compact(set); len(set) > 0 {
		a.ASPath = ASPath{{Set, set}}
	}
	slices.Sort(communities)
	a.Communities = slices.Compact(communities)
}
