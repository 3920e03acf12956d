package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/core/route"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// settleSummaries compares the summary-LSAs of all areas (RFC 2328 section 12.4.3). Only
// area border routers originate any.
func (in *instance) settleSummaries(now clock.Instant) {
	r := &in.routes
	if r.spf.tree { // the table is about to change
		r.summaries = true
		return
	}
	for _, a := range in.order {
		networks := map[netip.Prefix]lsdb.Statement{}
		routers := map[packet.ID]*lsdb.Statement{}
		if r.border {
			a.summarize(now, networks)
			a.summarizeRouters(now, routers)
		}
		in.tellAll(now, a.scope, packet.SummaryLSA, networks)
		in.stateAll(now, a.scope, packet.ASBRSummaryLSA, routers)
	}
}

// summarize collects what is told into an area of networks outside of it.
func (a *area) summarize(now clock.Instant, want map[netip.Prefix]lsdb.Statement) {
	in := a.instance
	tell := func(p netip.Prefix, cost uint32) {
		cost = in.maximum(now, func(m *MaxMetric) uint32 { return m.Summary }, cost)
		if cost < packet.LSInfinity {
			want[p] = a.summaryLSA(p, cost)
		}
	}
	if a.cfg.Kind != AreaNormal && (a.cfg.Kind == AreaStub || a.cfg.NoSummary) { // section 12.4.3.1, RFC 3101 section 2.7
		want[defaultPrefix] = a.summaryLSA(defaultPrefix, a.cfg.DefaultCost)
	}
	if a.cfg.Kind != AreaNormal && a.cfg.NoSummary {
		return
	}
	for rt := range in.routes.table.Internal() {
		switch {
		case rt.Discard || rt.Area == a.id || a.leadsInto(rt.Hops) || !a.passes(rt.Area, rt.Prefix):
		case a.cfg.Kind != AreaNormal && rt.Prefix == defaultPrefix:
		case rt.Type == route.Inter && (a.id == backbone || rt.Area != backbone):
		case rt.Type == route.Intra && (in.inRange(rt, a) || !in.exports(rt)):
		default:
			tell(rt.Prefix, rt.Cost)
		}
	}
	told := map[netip.Prefix]uint32{} // ranges: several may be told as one network, which costs what the cheapest does
	for _, from := range in.order {
		if from == a || from.id == backbone && in.routes.table.Transit(a.id) {
			continue
		}
		for _, g := range in.routes.table.Ranges(from.id) {
			p := g.Told()
			if cost, twice := told[p]; g.Active && g.Advertise && a.passes(from.id, p) && (!twice || g.Metric < cost) {
				told[p] = g.Metric
				tell(p, g.Metric)
			}
		}
	}
}

var defaultPrefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{}), 0)

func (a *area) summaryLSA(p netip.Prefix, cost uint32) lsdb.Statement {
	return lsdb.Statement{Type: packet.SummaryLSA, Options: a.lsaOptions(), Body: packet.Summary{Mask: maskOf(p), Metric: cost}.Append(nil)}
}

// inRange reports whether a network within an area is part of a range of that area, so that
// it is not told by itself. Networks of the backbone are told as they are into transit
// areas (section 12.4.3).
func (in *instance) inRange(rt route.Route, into *area) bool {
	if rt.Area == backbone && in.routes.table.Transit(into.id) {
		return false
	}
	for _, g := range in.routes.table.Ranges(rt.Area) {
		if g.Prefix.Bits() <= rt.Prefix.Bits() && g.Prefix.Contains(rt.Prefix.Addr()) {
			return true
		}
	}
	return false
}

// leadsInto reports whether all next hops are on interfaces of the area itself.
func (a *area) leadsInto(hops []route.NextHop) bool {
	return len(hops) > 0 && !slices.ContainsFunc(hops, func(h route.NextHop) bool {
		i := a.instance.byName[h.Interface]
		return i == nil || i.area != a
	})
}

// exports reports whether the export-list of its area lets a network be told to others.
func (in *instance) exports(rt route.Route) bool {
	f := in.areas[rt.Area]
	if f == nil {
		return true
	}
	permit, _ := in.core.policy.AccessList(f.cfg.ExportList).MatchPrefix(rt.Prefix)
	return permit
}

// passes reports whether filter-lists, and the import-list, let a network of an area into this
// one.
func (a *area) passes(from packet.ID, p netip.Prefix) bool {
	in := a.instance
	list := func(name string) bool {
		if name == "" {
			return true
		}
		permit, _ := in.core.policy.PrefixList(name).Match(p)
		return permit
	}
	f := in.areas[from]
	imported, _ := in.core.policy.AccessList(a.cfg.ImportList).MatchPrefix(p)
	return imported && list(a.cfg.FilterIn) && (f == nil || list(f.cfg.FilterOut))
}

// summarizeRouters collects what is told into an area of AS boundary routers, and of routers
// that do not take LSAs that do not age.
func (a *area) summarizeRouters(now clock.Instant, want map[packet.ID]*lsdb.Statement) {
	in := a.instance
	if a.cfg.Kind != AreaNormal {
		return
	}
	if a.indicates() {
		want[in.id] = &lsdb.Statement{Type: packet.ASBRSummaryLSA, ID: in.id, Options: a.options(), Body: packet.Summary{Metric: packet.LSInfinity}.Append(nil)}
	}
	for _, b := range in.routes.table.Borders() {
		best, ok := in.routes.table.ASBR(b.Router)
		if !ok || best.Area == a.id || best.Type == route.Inter && (a.id == backbone || best.Area != backbone) || a.leadsInto(best.Hops) {
			continue
		}
		cost := in.maximum(now, func(m *MaxMetric) uint32 { return m.Summary }, best.Cost)
		if cost < packet.LSInfinity {
			want[b.Router] = &lsdb.Statement{Type: packet.ASBRSummaryLSA, ID: b.Router, Options: a.lsaOptions(), Body: packet.Summary{Metric: cost}.Append(nil)}
		}
	}
}
