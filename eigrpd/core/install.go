package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// install gives zebra a route by the paths that DUAL uses. Of the router's own routes
// only summaries are given: others have who made them.
func (in *instance) install(now clock.Instant, p netip.Prefix, paths []dual.Path[attribute]) {
	first := &paths[0]
	r := rib.Route{
		VRF: in.key.VRF, Prefix: p, Protocol: rib.EIGRP, Instance: uint32(in.key.AS),
		Metric: in.ribMetric(&first.Attribute), Tag: first.Attribute.tag,
	}
	switch {
	case first.Neighbor != 0:
		r.Distance = in.distance(p, first)
		if first.Attribute.external {
			r.Type = rib.TypeExternal
		}
		r.NextHops = in.nextHops(paths)
	case first.Attribute.origin == OriginSummary:
		r.Type, r.Distance = rib.TypeSummary, in.summaryDistance(p)
		r.NextHops = []rib.NextHop{{Discard: true}}
	}
	if len(r.NextHops) == 0 || r.Distance == rib.MaxDistance {
		in.uninstall(now, p)
		return
	}
	in.routes.installed[p] = struct{}{}
	in.core.emit(PutRoute{r})
	hop := &r.NextHops[0]
	in.hooks.trace(now, Trace{Event: TraceInstalled, Key: in.key, Interface: hop.Interface, Peer: hop.Addr, Prefix: p})
}

// uninstall takes a route back from zebra, if it has it.
func (in *instance) uninstall(now clock.Instant, p netip.Prefix) {
	if _, ok := in.routes.installed[p]; !ok {
		return
	}
	delete(in.routes.installed, p)
	in.core.emit(DelRoute{rib.Route{VRF: in.key.VRF, Prefix: p, Protocol: rib.EIGRP, Instance: uint32(in.key.AS)}.Key()})
	in.hooks.trace(now, Trace{Event: TraceWithdrawn, Key: in.key, Prefix: p})
}

// reinstall gives zebra all routes anew: what they are given with was configured.
func (in *instance) reinstall(now clock.Instant) {
	for e := range in.table.Entries() {
		if used := in.table.Used(e.Prefix); len(used) > 0 {
			in.install(now, e.Prefix, used)
		}
	}
}

// ribMetric returns the metric that a route has in the routing table.
func (in *instance) ribMetric(a *attribute) uint32 {
	m, ok := in.composite(a)
	switch {
	case !ok:
		return metric.ClassicInfinity
	case !in.wide():
		return uint32(m)
	}
	return metric.RIB(m, in.ribScale())
}

func (in *instance) ribScale() uint8 {
	if in.cfg.RIBScale == 0 {
		return metric.DefaultRIBScale
	}
	return in.cfg.RIBScale
}

// distance returns the administrative distance of a path: of an internal one what
// `distance` says of who told it.
func (in *instance) distance(p netip.Prefix, path *dual.Path[attribute]) uint8 {
	if path.Attribute.external {
		return byDefault(in.cfg.ExternalDistance, DefaultExternalDistance)
	}
	if n := in.neighbors[path.Neighbor]; n != nil {
		for k := range in.cfg.Distances {
			d := &in.cfg.Distances[k]
			if !d.Source.Match(n.addr) {
				continue
			}
			if permit, _ := in.policy().AccessList(d.List).MatchPrefix(p); d.List == "" || permit {
				return d.Distance
			}
		}
	}
	return byDefault(in.cfg.InternalDistance, DefaultInternalDistance)
}

func byDefault(n, fallback uint8) uint8 {
	if n == 0 {
		return fallback
	}
	return n
}

// nextHops returns the ways out of a route: the next hop of each path and those of its
// AddPath attributes, as many as maximum-paths admits. With traffic-share min only the
// nearest carry traffic.
func (in *instance) nextHops(paths []dual.Path[attribute]) []rib.NextHop {
	limit := in.cfg.MaximumPaths
	if limit < 1 {
		limit = DefaultMaximumPaths
	}
	best, farthest := paths[0].Distance.Metric(), paths[len(paths)-1].Distance.Metric()
	var all []rib.NextHop
	add := func(n *neighbor, a netip.Addr, weight uint16) {
		h := rib.NextHop{Addr: n.addr, Weight: weight}
		if a.IsValid() {
			h.Addr = a
		}
		if !n.remote {
			h.Interface, h.OnLink = n.iface.name, !n.iface.onLink(h.Addr)
		}
		for k := range all {
			if all[k].Addr == h.Addr && all[k].Interface == h.Interface {
				return
			}
		}
		if len(all) < limit {
			all = append(all, h)
		}
	}
	for k := range paths {
		path := &paths[k]
		n := in.neighbors[path.Neighbor]
		if n == nil || in.cfg.TrafficShareMin && path.Distance.Metric() != best {
			continue
		}
		weight := uint16(0)
		if farthest != best && !in.cfg.TrafficShareMin {
			weight = share(best, path.Distance.Metric())
		}
		add(n, path.Attribute.hop.addr(), weight)
		x := path.Attribute.more.extra()
		for _, other := range x.paths[:x.count] {
			if a := in.usableHop(n, other.NextHop); a.IsValid() {
				add(n, a, weight)
			}
		}
	}
	return all
}

// maxWeight is the largest share of a path: what the kernel takes.
const maxWeight = 256

// share returns the share of traffic of a path, in inverse proportion to its metric:
// that of the nearest is maxWeight.
func share(best, metric uint64) uint16 {
	if metric <= best {
		return maxWeight
	}
	for best > 1<<48 { // no overflow, and no precision that matters is lost
		best, metric = best>>1, metric>>1
	}
	return uint16(max((best*maxWeight+metric/2)/metric, 1))
}
