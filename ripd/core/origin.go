package core

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// setOwn has this router announce a prefix by itself.
func (c *Core) setOwn(now clock.Instant, in *instance, k key, o origin) {
	r := in.table.get(k)
	if r == nil {
		if len(in.table.routes) >= MaxRoutes {
			if in.full.allow(now) {
				c.log(SeverityWarning, "TABLEFULL", fmt.Sprintf("%d routes%s, %v is not announced", MaxRoutes, inVRF(in.vrf), k.prefix()))
			}
			return
		}
		r = in.table.add(k)
	}
	if !r.setOrigin(o) {
		return
	}
	if r.connected() && r.paths != nil {
		before := in.wanted(k)
		for r.paths != nil {
			c.unlink(in, r.paths)
		}
		c.restate(in, k, before)
	}
	r.from = 0
	c.settle(now, in, r)
}

// dropOwn takes a reason to announce a prefix away.
func (c *Core) dropOwn(now clock.Instant, in *instance, k key, o origin) {
	if r := in.table.get(k); r != nil && r.dropOrigin(o) {
		c.settle(now, in, r)
		r.ownLost = r.own == nil && r.paths == nil
	}
}

// connect announces the networks of an interface.
func (c *Core) connect(now clock.Instant, i *iface, networks []key) {
	old := i.connected
	i.connected = networks
	for _, k := range old {
		if !slices.Contains(networks, k) {
			c.dropOwn(now, i.instance, k, origin{source: SourceConnected, iface: i.name})
		}
	}
	for _, k := range networks {
		c.setOwn(now, i.instance, k, origin{source: SourceConnected, iface: i.name, metric: 1})
	}
}

// defaultRoute is the state of `default-information originate`.
type defaultRoute struct {
	routeMap *policy.RouteMap
	mapped   bool // the default route depends on a route-map
	on       bool // it is announced
	witness  key  // mapped, on: the route that passes the map
}

// defaultKey is 0.0.0.0/0.
const defaultKey key = 0

func defaultOrigin(metric uint8, tag uint16) origin {
	return origin{source: SourceDefault, metric: metric, tag: tag}
}

// configureDefault takes `default-information originate` over.
func (c *Core) configureDefault(now clock.Instant, in *instance) {
	d := &in.origin
	d.mapped = in.cfg.DefaultOriginate && in.cfg.DefaultRouteMap != ""
	switch {
	case d.mapped:
		d.routeMap = c.policy.RouteMap(in.cfg.DefaultRouteMap)
		c.searchWitness(now, in)
	case in.cfg.DefaultOriginate:
		d.on = true
		c.setOwn(now, in, defaultKey, defaultOrigin(1, 0))
	case d.on:
		d.on = false
		c.dropOwn(now, in, defaultKey, defaultOrigin(0, 0))
	}
}

// considerDefault follows a change of the routes for k: of the RIP table or of a
// watched protocol.
func (c *Core) considerDefault(now clock.Instant, in *instance, k key) {
	d := &in.origin
	switch {
	case !d.mapped || k == defaultKey:
	case !d.on:
		if o, ok := in.passes(k); ok {
			d.on, d.witness = true, k
			c.setOwn(now, in, defaultKey, o)
		}
	case k == d.witness:
		c.searchWitness(now, in)
	}
}

// searchWitness looks for a route that passes the map: the one that did, if it
// still does.
func (c *Core) searchWitness(now clock.Instant, in *instance) {
	d := &in.origin
	try := func(k key) bool {
		o, ok := in.passes(k)
		if ok {
			d.on, d.witness = true, k
			c.setOwn(now, in, defaultKey, o)
		}
		return ok
	}
	if d.on && d.witness != defaultKey && try(d.witness) {
		return
	}
	keys := make([]key, 0, len(in.table.routes))
	for k := range in.table.routes {
		keys = append(keys, k)
	}
	for _, w := range in.sortedWatches() {
		for k := range w.routes { // unordered: sorted below
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if k != defaultKey && try(k) {
			return
		}
	}
	if d.on {
		d.on = false
		c.dropOwn(now, in, defaultKey, defaultOrigin(0, 0))
	}
}

// passes reports whether a route for k passes the map of the default route, and
// what it makes of the default route.
func (in *instance) passes(k key) (origin, bool) {
	var candidates []policy.Route
	if r := in.table.get(k); r != nil {
		if r.connected() {
			candidates = append(candidates, policy.Route{Protocol: rib.Connected, Interface: r.own.iface})
		}
		for p := r.paths; p != nil; p = p.next {
			candidates = append(candidates, policy.Route{Protocol: rib.RIP, Interface: p.neighbor.iface.name,
				NextHop: addrOf(p.nextHop), Source: p.neighbor.addr, Metric: uint32(p.metric), Tag: uint32(p.tag)})
		}
	}
	for _, w := range in.sortedWatches() {
		if x, ok := w.routes[k]; ok {
			candidates = append(candidates, mapInput(x))
		}
	}
	for _, x := range candidates {
		x.Prefix = k.prefix()
		tag := x.Tag
		out, ok := in.origin.routeMap.Apply(x)
		if !ok {
			continue
		}
		o := defaultOrigin(1, 0)
		if out.MetricSet {
			o.metric = clampMetric(out.Metric)
		}
		if out.Tag != tag {
			o.tag = uint16(out.Tag)
		}
		return o, true
	}
	return origin{}, false
}

// mapInput is what a route-map sees of a route of another protocol.
func mapInput(x rib.Route) policy.Route {
	m := policy.Route{Prefix: x.Prefix, Metric: x.Metric, Tag: x.Tag, Protocol: x.Protocol, Instance: x.Instance}
	if len(x.NextHops) > 0 {
		m.NextHop, m.Interface = x.NextHops[0].Addr, x.NextHops[0].Interface
	}
	return m
}

// clampMetric makes a metric that RIP can carry.
func clampMetric(m uint32) uint8 { return uint8(min(max(m, 1), 16)) }

func (in *instance) sortedWatches() []*watch {
	all := make([]*watch, 0, len(in.watched))
	for _, w := range in.watched {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *watch) int {
		return cmp.Or(cmp.Compare(a.what.Protocol, b.what.Protocol), cmp.Compare(a.what.Instance, b.what.Instance))
	})
	return all
}
