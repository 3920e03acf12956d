package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// source is a watch on routes of another protocol, with those that zebra told.
type source struct {
	what   rib.Watch
	line   Redistribute // zero of the watch on the default route
	routes map[netip.Prefix]rib.Route
	stale  map[netip.Prefix]struct{} // not told again by a restarted zebra, until RoutesKnown
	known  bool                      // RoutesKnown came
}

// configureSources begins and ends watches as the configuration wants them.
func (in *instance) configureSources() {
	e := &in.routes.external
	old := e.sources
	e.sources = nil
	add := func(w rib.Watch, line Redistribute) {
		if slices.ContainsFunc(e.sources, func(o *source) bool { return o.what == w }) {
			return
		}
		s := &source{what: w, line: line, routes: make(map[netip.Prefix]rib.Route)}
		if k := slices.IndexFunc(old, func(o *source) bool { return o.what == w }); k >= 0 {
			s.routes, s.stale, s.known = old[k].routes, old[k].stale, old[k].known
		} else {
			in.core.emit(WatchRoutes{w})
		}
		e.sources = append(e.sources, s)
	}
	for _, line := range in.cfg.Redistribute {
		if line.Protocol == rib.OSPF && line.Instance == uint32(in.key.Process) {
			continue
		}
		add(rib.Watch{Kind: rib.WatchRedistribute, VRF: in.key.VRF, Family: rib.IPv4, Protocol: line.Protocol, Instance: line.Instance}, line)
	}
	if in.wantsDefault() {
		add(rib.Watch{Kind: rib.WatchNetwork, VRF: in.key.VRF, Family: rib.IPv4, Prefix: defaultPrefix}, Redistribute{})
	}
	for _, s := range old {
		if !slices.ContainsFunc(e.sources, func(o *source) bool { return o.what == s.what }) {
			in.core.emit(UnwatchRoutes{s.what})
		}
	}
	e.all = true
}

// endSources takes the watches back.
func (in *instance) endSources() {
	for _, s := range in.routes.external.sources {
		in.core.emit(UnwatchRoutes{s.what})
	}
	in.routes.external.sources = nil
}

func (e *externals) source(w rib.Watch) *source {
	for _, s := range e.sources {
		if s.what == w {
			return s
		}
	}
	return nil
}

// attached says that zebra is about to tell all watched routes again.
func (e *externals) attached() {
	for _, s := range e.sources {
		s.stale = make(map[netip.Prefix]struct{}, len(s.routes))
		for p := range s.routes { // unordered: a set of the same
			s.stale[p] = struct{}{}
		}
	}
}

// routesRedistribution: a route of another protocol came, changed or went.
func (in *instance) routesRedistribution(_ clock.Instant, c RouteChanged) {
	e := &in.routes.external
	s := e.source(c.Watch)
	p := c.Route.Prefix.Masked()
	if s == nil || !p.Addr().Is4() {
		return
	}
	delete(s.stale, p)
	if c.Withdrawn {
		delete(s.routes, p)
	} else {
		s.routes[p] = c.Route
	}
	e.changed(p)
}

// routesRedistributionKnown: the routes of a watch are all told. What a restarted zebra did
// not tell again is gone.
func (in *instance) routesRedistributionKnown(_ clock.Instant, w rib.Watch) {
	e := &in.routes.external
	s := e.source(w)
	if s == nil {
		return
	}
	for p := range s.stale { // unordered: each is deleted and marked
		delete(s.routes, p)
		e.changed(p)
	}
	s.stale, s.known = nil, true
}

// redistributed makes an external network of a route of another protocol. filtered says that
// policy keeps it out.
func (in *instance) redistributed(s *source, x rib.Route) (n network, filtered bool) {
	if len(x.NextHops) > 0 {
		if i := in.byName[x.NextHops[0].Interface]; i != nil && x.Protocol == rib.Connected && i.area != nil {
			return n, true // it is in OSPF already
		}
		n.forward = in.forwarding(x.NextHops[0])
	}
	line := s.line
	n.type1, n.tag, n.nssaOnly, n.metric = line.Type1, x.Tag, line.NSSAOnly, in.defaultMetric(x)
	if line.Tag != 0 {
		n.tag = line.Tag
	}
	if line.Metric != nil {
		n.metric = *line.Metric
	}
	if line.Classful && !classful(x.Prefix) || !in.filtersOut(s, x) {
		return n, true
	}
	if line.RouteMap == "" {
		return n, false
	}
	r := mapInput(x)
	r.Tag = n.tag
	out, permit := in.core.policy.RouteMap(line.RouteMap).Apply(r)
	n.apply(out)
	return n, !permit
}

// apply takes over what a route-map set.
func (n *network) apply(out policy.Route) {
	n.tag = out.Tag
	if out.MetricSet {
		n.metric = out.Metric
	}
	switch out.MetricType {
	case policy.MetricType1:
		n.type1 = true
	case policy.MetricType2:
		n.type1 = false
	}
}

func mapInput(x rib.Route) policy.Route {
	r := policy.Route{Prefix: x.Prefix, Tag: x.Tag, Protocol: x.Protocol, Instance: x.Instance, Metric: x.Metric}
	if len(x.NextHops) > 0 {
		r.NextHop, r.Interface = x.NextHops[0].Addr, x.NextHops[0].Interface
	}
	return r
}

// defaultMetric is the metric of a redistributed route that nothing else says: that of
// another OSPF process stays as it is.
func (in *instance) defaultMetric(x rib.Route) uint32 {
	switch {
	case in.cfg.DefaultMetric != 0:
		return in.cfg.DefaultMetric
	case x.Protocol == rib.BGP:
		return DefaultBGPMetric
	case x.Protocol == rib.OSPF:
		return x.Metric
	}
	return DefaultExternalMetric
}

// filtersOut reports whether the distribute-lists out let a route of another protocol become
// external.
func (in *instance) filtersOut(s *source, x rib.Route) bool {
	for k := range in.cfg.Filters {
		f := &in.cfg.Filters[k]
		if f.Out && (f.Protocol == 0 || f.Protocol == s.what.Protocol && (f.Instance == 0 || f.Instance == s.what.Instance)) &&
			!in.passesFilter(f, mapInput(x)) {
			return false
		}
	}
	return true
}

// classful reports whether a prefix is a network of its class (RFC 791 section 3.2).
func classful(p netip.Prefix) bool {
	switch first := p.Addr().As4()[0]; {
	case first < 128:
		return p.Bits() == 8
	case first < 192:
		return p.Bits() == 16
	case first < 224:
		return p.Bits() == 24
	}
	return false
}
