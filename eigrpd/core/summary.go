package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// summary is a summary address of one or more interfaces. It is a route of this
// router as long as there is a route in use inside of it, and has the metric of the
// nearest of them.
type summary struct {
	prefix netip.Prefix
	parts  partHeap
	stated attribute // what DUAL was told; without origin: nothing
	dirty  bool      // in routes.dirty
}

// summaryOn reports whether a prefix is a summary address of an interface.
func (in *instance) summaryOn(i *iface, p netip.Prefix) bool {
	return slices.ContainsFunc(i.cfg.Summaries, func(s Summary) bool { return s.Prefix == p })
}

// withheld reports whether a route is part of a summary that an interface tells
// instead. Leak-maps let parts out, and a summary within a summary is told as well.
// Since a route that is told is in use, its summary is there.
func (in *instance) withheld(i *iface, p netip.Prefix, a *attribute) bool {
	if a.origin == OriginSummary {
		return false
	}
	inside := false
	for k := range i.cfg.Summaries {
		s := &i.cfg.Summaries[k]
		if s.Prefix.Bits() >= p.Bits() || !s.Prefix.Contains(p.Addr()) {
			continue
		}
		if s.LeakMap != "" && in.leaks(s.LeakMap, p, a) {
			return false
		}
		inside = true
	}
	return inside
}

// configureSummaries begins and ends summaries as the interfaces that are up want
// them. For a new one the whole table is searched.
func (in *instance) configureSummaries(now clock.Instant) {
	r := &in.routes
	want := make(map[netip.Prefix]bool)
	for _, i := range in.order {
		if r.links[i.id] != i {
			continue
		}
		for _, s := range i.cfg.Summaries {
			want[s.Prefix] = rib.FamilyOf(s.Prefix.Addr()) == in.key.Family
		}
	}
	for _, s := range in.sortedSummaries() {
		if !want[s.prefix] {
			delete(r.summaries, s.prefix)
			in.step(now, dual.OwnGone{Prefix: s.prefix, Source: dual.Source(OriginSummary)})
		}
	}
	var fresh bool
	for p, ours := range want { // unordered: parts are found by prefix, and the summaries stated in order below
		if ours && r.summaries[p] == nil {
			r.summaries[p] = &summary{prefix: p}
			fresh = true
		}
	}
	r.lengths = r.lengths[:0]
	for _, s := range in.sortedSummaries() {
		r.lengths = append(r.lengths, s.prefix.Bits())
	}
	slices.Sort(r.lengths)
	r.lengths = slices.Compact(r.lengths)
	if fresh {
		for e := range in.table.Entries() {
			if used := in.table.Used(e.Prefix); len(used) > 0 {
				in.changed(e.Prefix, &used[0])
			}
		}
	}
	for _, s := range in.sortedSummaries() {
		in.soil(s) // `summary-metric` may have changed
	}
	in.step(now, dual.Tick{})
}

func (in *instance) sortedSummaries() []*summary {
	all := make([]*summary, 0, len(in.routes.summaries))
	for _, s := range in.routes.summaries { // unordered: sorted below
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *summary) int { return comparePrefixes(a.prefix, b.prefix) })
	return all
}

// changed says that a route is used by another path now, or not any more if path is
// nil. It costs as many steps as there are lengths of summaries.
func (in *instance) changed(p netip.Prefix, path *dual.Path[attribute]) {
	for _, bits := range in.routes.lengths {
		if bits >= p.Bits() {
			return
		}
		whole, err := p.Addr().Prefix(bits)
		s := in.routes.summaries[whole]
		if err != nil || s == nil {
			continue
		}
		best, had := s.parts.best()
		if path == nil {
			s.parts.remove(p)
		} else {
			s.parts.put(part{p, in.natural(&path.Attribute).Metric(), path.Attribute.vector})
		}
		if now, has := s.parts.best(); now != best || has != had {
			in.soil(s)
		}
	}
}

func (in *instance) soil(s *summary) {
	if !s.dirty {
		s.dirty = true
		in.routes.dirty = append(in.routes.dirty, s)
	}
}

// summarize tells DUAL of the summaries whose nearest part changed. It reports whether
// there was anything to tell.
func (in *instance) summarize(now clock.Instant) bool {
	told := false
	dirty := in.routes.dirty
	in.routes.dirty = nil
	for _, s := range dirty {
		s.dirty = false
		a, ok := in.summaryAttribute(s)
		if in.routes.summaries[s.prefix] != s || a == s.stated {
			continue
		}
		s.stated, told = a, true
		if ok {
			in.table.Step(now, dual.Own[attribute]{Prefix: s.prefix, Source: dual.Source(OriginSummary), Attribute: a})
		} else {
			in.table.Step(now, dual.OwnGone{Prefix: s.prefix, Source: dual.Source(OriginSummary)})
		}
	}
	return told
}

// summaryAttribute returns what a summary is told with: the metric of its nearest part,
// or that of `summary-metric`. ok is false if it has no parts.
func (in *instance) summaryAttribute(s *summary) (a attribute, ok bool) {
	best, ok := s.parts.best()
	distance := in.summaryDistance(s.prefix)
	if !ok || in.floats(s.prefix, distance) {
		return a, false
	}
	a = attribute{vector: best.vector, origin: OriginSummary, rank: in.rankOf(distance), router: in.routes.routerID, tag: in.cfg.DefaultRouteTag}
	for k := range in.cfg.SummaryMetrics {
		if m := &in.cfg.SummaryMetrics[k]; m.Prefix == s.prefix && m.Metric != nil {
			a.vector = in.configured(*m.Metric)
		}
	}
	a.hops = 0
	return a, true
}

// floats reports whether a summary with such a distance gives way to a route for the
// same prefix that a neighbour tells: so does a default route that is to be told only
// where there is no other (`summary-address 0.0.0.0 0.0.0.0 250`).
func (in *instance) floats(p netip.Prefix, distance uint8) bool {
	if in.rankOf(distance) == rankAll {
		return false
	}
	e, _ := in.table.Entry(p)
	for k := range e.Paths {
		if x := &e.Paths[k]; x.Neighbor != 0 && x.Distance != dual.Infinity && distance > in.distance(p, x) {
			return true
		}
	}
	return false
}

// summaryDistance returns the distance of the discard route of a summary: the least of
// its interfaces', unless `summary-metric` has one. 255: there is none.
func (in *instance) summaryDistance(p netip.Prefix) uint8 {
	for k := range in.cfg.SummaryMetrics {
		if m := &in.cfg.SummaryMetrics[k]; m.Prefix == p && m.Distance != 0 {
			return m.Distance
		}
	}
	least := uint8(rib.MaxDistance)
	for _, i := range in.order {
		for _, s := range i.cfg.Summaries {
			if s.Prefix == p && in.routes.links[i.id] == i {
				least = min(least, byDefault(s.Distance, DefaultSummaryDistance))
			}
		}
	}
	return least
}
