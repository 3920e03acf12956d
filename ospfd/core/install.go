package core

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/route"
)

// DefaultDiscardExternal is the distance of the discard route of a `summary-address`.
const DefaultDiscardExternal = 254

// install gives zebra the route to a network, or takes it back.
func (in *instance) install(p netip.Prefix) {
	x, _, ok := in.ribRoute(p)
	if !ok {
		in.uninstall(p)
		return
	}
	r := &in.routes
	if old, there := r.installed[p]; there && old.Equal(x) {
		return
	}
	r.installed[p] = x
	in.core.emit(PutRoute{x})
	if in.core.tracing.Routes {
		hop := x.NextHops[0]
		in.trace(Trace{Event: TraceRoute, Interface: hop.Interface, Peer: hop.Addr, Text: p.String() + " put"})
	}
}

// uninstall takes a route back from zebra, if it has it.
func (in *instance) uninstall(p netip.Prefix) {
	r := &in.routes
	old, there := r.installed[p]
	if !there {
		return
	}
	delete(r.installed, p)
	in.core.emit(DelRoute{old.Key()})
	if in.core.tracing.Routes {
		in.trace(Trace{Event: TraceRoute, Text: p.String() + " taken away"})
	}
}

// installAll compares all routes with what was installed.
func (in *instance) installAll(clock.Instant) {
	r := &in.routes
	var all []netip.Prefix
	for p := range r.installed {
		all = append(all, p)
	}
	for _, rt := range r.table.All() {
		all = append(all, rt.Prefix)
	}
	for p := range r.external.discard {
		all = append(all, p)
	}
	slices.SortFunc(all, comparePrefixes)
	for _, p := range slices.Compact(all) {
		in.install(p)
	}
}

// ribRoute returns the route to a network as zebra is to have it; if it is not to have it,
// why not.
func (in *instance) ribRoute(p netip.Prefix) (x rib.Route, why string, ok bool) {
	x = rib.Route{VRF: in.key.VRF, Prefix: p, Protocol: rib.OSPF, Instance: uint32(in.key.Process)}
	rt, ok := in.routes.table.Get(p)
	switch {
	case !ok && !in.routes.external.discard[p]:
		return x, "no route", false
	case !ok:
		x.Type, x.Distance, x.NextHops = rib.TypeSummary, DefaultDiscardExternal, []rib.NextHop{{Discard: true}}
		return x, "", true
	case rt.Discard:
		x.Type, x.Distance, x.Metric, x.NextHops = rib.TypeSummary, in.cfg.Distance.Intra, rt.Cost, []rib.NextHop{{Discard: true}}
		return x, "", true
	case rt.Connected():
		return x, "directly connected", false
	}
	x.Type, x.Metric, x.Tag = ribType(rt), rt.Cost, rt.Tag
	if rt.Type == route.External2 {
		x.Metric = rt.Type2
	}
	if x.Distance = in.distance(rt); x.Distance == rib.MaxDistance {
		return x, "distance 255", false
	}
	for _, h := range rt.Hops {
		if len(x.NextHops) < in.cfg.MaximumPaths && in.filterIn(rt, h) {
			hop := rib.NextHop{Addr: h.Addr, Interface: h.Interface, OnLink: !in.onSubnet(h)}
			if x.NextHops == nil {
				x.NextHops = in.routes.only(hop)
			} else {
				x.NextHops = append(x.NextHops, hop) // which has no room for it: shared ones stay
			}
		}
	}
	return x, "distribute-list", len(x.NextHops) > 0
}

// maxShared is how many lists of next hops are remembered to be shared.
const maxShared = 1000

// only returns the next hops of routes that have one, which all of them share.
func (r *routesState) only(hop rib.NextHop) []rib.NextHop {
	all, ok := r.shared[hop]
	if !ok {
		if len(r.shared) >= maxShared {
			clear(r.shared)
		}
		all = []rib.NextHop{hop}
		r.shared[hop] = all
	}
	return all
}

// onSubnet reports whether a next hop is in a subnet of its interface.
func (in *instance) onSubnet(h route.NextHop) bool {
	i := in.byName[h.Interface]
	return i != nil && slices.ContainsFunc(i.link.Addresses, func(a rib.Address) bool { return a.Prefix.Contains(h.Addr) })
}

func ribType(rt route.Route) rib.RouteType {
	switch {
	case rt.Type == route.Inter:
		return rib.TypeInterArea
	case rt.Type == route.External1 && rt.NSSA:
		return rib.TypeNSSAExternal1
	case rt.Type == route.External1:
		return rib.TypeExternal1
	case rt.Type == route.External2 && rt.NSSA:
		return rib.TypeNSSAExternal2
	case rt.Type == route.External2:
		return rib.TypeExternal2
	}
	return rib.TypeInternal
}

// distance returns the administrative distance of a route: what `distance` says of the
// router that advertises it, or else of its type.
func (in *instance) distance(rt route.Route) uint8 {
	for k := range in.cfg.SourceDistances {
		d := &in.cfg.SourceDistances[k]
		if !d.Router.Match(rt.Router.Addr()) {
			continue
		}
		if permit, _ := in.core.policy.AccessList(d.List).MatchPrefix(rt.Prefix); d.List == "" || permit {
			return d.Distance
		}
	}
	d := &in.cfg.Distance
	switch rt.Type {
	case route.Intra:
		return d.Intra
	case route.Inter:
		return d.Inter
	}
	return d.External
}

// filterIn reports whether the distribute-lists in let a route by a next hop into the routing
// table.
func (in *instance) filterIn(rt route.Route, h route.NextHop) bool {
	for k := range in.cfg.Filters {
		f := &in.cfg.Filters[k]
		if f.Out || f.Interface != "" && f.Interface != h.Interface {
			continue
		}
		x := policy.Route{Prefix: rt.Prefix, NextHop: h.Addr, Source: rt.Router.Addr(), Interface: h.Interface, Tag: rt.Tag,
			Protocol: rib.OSPF, Instance: uint32(in.key.Process), Metric: cmp.Or(rt.Type2, rt.Cost), MetricType: metricType(rt)}
		if !in.passesFilter(f, x) {
			return false
		}
	}
	return true
}

func metricType(rt route.Route) policy.MetricType {
	switch rt.Type {
	case route.External1:
		return policy.MetricType1
	case route.External2:
		return policy.MetricType2
	}
	return policy.MetricTypeNone
}

// passesFilter asks the list of a filter about a route.
func (in *instance) passesFilter(f *Filter, x policy.Route) bool {
	switch {
	case f.RouteMap:
		_, permit := in.core.policy.RouteMap(f.List).Apply(x)
		return permit
	case f.Prefix:
		permit, _ := in.core.policy.PrefixList(f.List).Match(x.Prefix)
		return permit
	}
	permit, _ := in.core.policy.AccessList(f.List).MatchPrefix(x.Prefix)
	return permit
}
