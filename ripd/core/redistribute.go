package core

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// watch is a protocol whose routes this instance is told of.
type watch struct {
	what   rib.Watch
	line   *Redistribute // nil: for the route-map of the default route only
	routes map[key]rib.Route
	stale  map[key]bool // not told again by a restarted zebra, until RoutesKnown
}

// defaultSources are the protocols that the route-map of the default route sees
// besides RIP.
var defaultSources = []rib.Protocol{rib.Connected, rib.Kernel, rib.Static, rib.OSPF, rib.EIGRP, rib.BGP, rib.NHRP}

// configureWatches begins and ends watches as the configuration wants them, and
// judges all redistributed routes anew: route-maps may have changed.
func (c *Core) configureWatches(now clock.Instant, in *instance) {
	want := make(map[rib.Watch]*Redistribute)
	order := make([]rib.Watch, 0, len(in.cfg.Redistribute))
	add := func(p rib.Protocol, number uint32, line *Redistribute) {
		w := rib.Watch{Kind: rib.WatchRedistribute, VRF: in.vrf, Family: rib.IPv4, Protocol: p, Instance: number}
		if _, ok := want[w]; !ok {
			want[w] = line
			order = append(order, w)
		}
	}
	for k := range in.cfg.Redistribute {
		line := &in.cfg.Redistribute[k]
		add(line.Protocol, line.Instance, line)
	}
	if in.cfg.DefaultOriginate && in.cfg.DefaultRouteMap != "" {
		for _, p := range defaultSources {
			add(p, 0, nil)
		}
	}
	for _, w := range in.sortedWatches() {
		if _, ok := want[w.what]; !ok {
			c.endWatch(now, in, w)
		}
	}
	for _, what := range order {
		w := in.watched[what]
		if w == nil {
			w = &watch{what: what, routes: make(map[key]rib.Route)}
			in.watched[what] = w
			c.emit(WatchRoutes{what})
		}
		w.line = want[what]
		for _, k := range w.sortedKeys() {
			c.redistribute(now, in, w, k)
		}
	}
}

func (c *Core) endWatch(now clock.Instant, in *instance, w *watch) {
	c.emit(UnwatchRoutes{w.what})
	delete(in.watched, w.what)
	for _, k := range w.sortedKeys() {
		c.dropOwn(now, in, k, w.origin())
	}
}

func (w *watch) sortedKeys() []key {
	keys := make([]key, 0, len(w.routes))
	for k := range w.routes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (w *watch) origin() origin {
	return origin{source: SourceRedistributed, protocol: w.what.Protocol, instance: w.what.Instance}
}

// routeChanged follows a route of another protocol.
func (c *Core) routeChanged(now clock.Instant, x RouteChanged) {
	in := c.instances[x.Watch.VRF]
	if in == nil || in.watched[x.Watch] == nil || !announceable(x.Route.Prefix) {
		return
	}
	w, k := in.watched[x.Watch], keyOf(x.Route.Prefix.Masked())
	if x.Withdrawn {
		c.routeGone(now, in, w, k)
		return
	}
	delete(w.stale, k)
	w.routes[k] = x.Route
	c.redistribute(now, in, w, k)
	c.considerDefault(now, in, k)
}

func (c *Core) routeGone(now clock.Instant, in *instance, w *watch, k key) {
	delete(w.stale, k)
	delete(w.routes, k)
	c.dropOwn(now, in, k, w.origin())
	c.considerDefault(now, in, k)
}

// routesKnown ends what zebra did not tell again after its restart.
func (c *Core) routesKnown(now clock.Instant, what rib.Watch) {
	in := c.instances[what.VRF]
	if in == nil || in.watched[what] == nil {
		return
	}
	w := in.watched[what]
	for _, k := range w.sortedKeys() {
		if w.stale[k] {
			c.routeGone(now, in, w, k)
		}
	}
	w.stale = nil
}

// markWatches says that zebra is about to tell all watched routes again.
func (in *instance) markWatches() {
	for _, w := range in.sortedWatches() {
		w.stale = make(map[key]bool, len(w.routes))
		for _, k := range w.sortedKeys() {
			w.stale[k] = true
		}
	}
}

// redistribute announces a route of another protocol as its line says, or does
// not.
func (c *Core) redistribute(now clock.Instant, in *instance, w *watch, k key) {
	x := w.routes[k]
	o := w.origin()
	if w.line == nil || !c.translate(in, w.line, x, &o) || o.metric >= packet.Infinity {
		c.dropOwn(now, in, k, o)
		return
	}
	c.setOwn(now, in, k, o)
}

// translate gives a redistributed route its metric and tag. It reports whether
// the route-map permits the route.
func (c *Core) translate(in *instance, line *Redistribute, x rib.Route, o *origin) bool {
	metric, tag := uint32(in.cfg.DefaultMetric), x.Tag
	switch {
	case line.Metric != 0:
		metric = uint32(line.Metric)
	case line.Transparent:
		metric = min(x.Metric, packet.Infinity)
	}
	if line.RouteMap != "" {
		out, ok := c.policy.RouteMap(line.RouteMap).Apply(mapInput(x))
		if !ok {
			return false
		}
		if tag = out.Tag; out.MetricSet {
			metric = out.Metric
		}
	}
	o.metric, o.tag = clampMetric(metric), uint16(tag)
	o.nextHops = x.NextHops
	return true
}
