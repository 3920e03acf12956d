package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// network is a network statement, and the route that makes it true.
type network struct {
	Network
	watch rib.Watch
	route *rib.Route
	stale bool // not told again by a restarted zebra, until RoutesKnown
	known bool // zebra has told what there was
}

// source is a protocol whose routes are redistributed, with those that zebra told.
type source struct {
	Redistribute
	family rib.Family
	watch  rib.Watch
	routes map[netip.Prefix]rib.Route
	stale  map[netip.Prefix]bool
	known  bool // zebra has told what there was
}

// origination is what a speaker was told to originate.
type origination struct {
	attributes *locrib.Attributes
	network    bool // a network statement says it
}

// families are those of an instance.
var families = []rib.Family{rib.IPv4, rib.IPv6}

// configureNetworks begins and ends watches as the network statements want them.
func (i *instance) configureNetworks() {
	wanted := map[netip.Prefix]Network{}
	for _, f := range families {
		for _, n := range i.cfg.family(f).Networks {
			wanted[n.Prefix] = n
		}
	}
	for _, p := range sortedKeys(i.networks, netip.Prefix.Compare) {
		if _, ok := wanted[p]; !ok {
			i.core.unwatch(i.networks[p].watch)
			delete(i.networks, p)
		}
	}
	for _, p := range sortedKeys(wanted, netip.Prefix.Compare) {
		n := i.networks[p]
		if n == nil {
			n = &network{watch: rib.Watch{Kind: rib.WatchNetwork, VRF: i.cfg.VRF, Prefix: p}}
			i.networks[p] = n
			i.core.watch(n.watch)
		}
		n.Network = wanted[p]
	}
}

// configureSources begins and ends watches as the redistribute lines want them.
func (i *instance) configureSources() {
	old := i.sources
	i.sources = nil
	for _, f := range families {
		for _, line := range i.cfg.family(f).Redistribute {
			w := rib.Watch{Kind: rib.WatchRedistribute, VRF: i.cfg.VRF, Family: f, Protocol: line.Protocol, Instance: line.Instance}
			if sourceOf(i.sources, w) != nil {
				continue
			}
			s := sourceOf(old, w)
			if s == nil {
				s = &source{family: f, watch: w, routes: map[netip.Prefix]rib.Route{}}
				i.core.watch(w)
			}
			s.Redistribute = line
			i.sources = append(i.sources, s)
		}
	}
	for _, s := range old {
		if sourceOf(i.sources, s.watch) == nil {
			i.core.unwatch(s.watch)
		}
	}
}

func sourceOf(list []*source, w rib.Watch) *source {
	for _, s := range list {
		if s.watch == w {
			return s
		}
	}
	return nil
}

// routeChanged follows a route of another protocol.
func (i *instance) routeChanged(c RouteChanged) {
	p := c.Route.Prefix
	if n := i.networks[c.Watch.Prefix]; n != nil && n.watch == c.Watch {
		n.route, n.stale = nil, false
		if !c.Withdrawn {
			n.route = &c.Route
		}
		i.originate(c.Watch.Prefix)
		return
	}
	s := sourceOf(i.sources, c.Watch)
	if s == nil || !p.IsValid() || rib.FamilyOf(p.Addr()) != s.family {
		return
	}
	delete(s.stale, p)
	if s.routes[p] = c.Route; c.Withdrawn {
		delete(s.routes, p)
	}
	i.originate(p)
}

// routesStale says that zebra is about to tell all watched routes again.
func (i *instance) routesStale() {
	for _, n := range i.networks { // unordered: marks only
		n.stale = true
	}
	for _, s := range i.sources {
		s.stale = make(map[netip.Prefix]bool, len(s.routes))
		for p := range s.routes { // unordered: a set of the same
			s.stale[p] = true
		}
	}
}

// routesKnown ends what zebra did not tell again after its restart.
func (i *instance) routesKnown(w rib.Watch) {
	if n := i.networks[w.Prefix]; n != nil && n.watch == w {
		n.known = true
		if n.stale {
			n.route, n.stale = nil, false
			i.originate(w.Prefix)
		}
	}
	if s := sourceOf(i.sources, w); s != nil {
		s.known = true
		gone := sortedKeys(s.stale, netip.Prefix.Compare)
		s.stale = nil
		for _, p := range gone {
			delete(s.routes, p)
			i.originate(p)
		}
	}
}

// originateAll judges all own routes anew: lines and route-maps may have changed.
func (i *instance) originateAll() {
	all := map[netip.Prefix]struct{}{}
	for p := range i.own { // unordered: a set
		all[p] = struct{}{}
	}
	for p := range i.networks { // unordered: a set
		all[p] = struct{}{}
	}
	for _, s := range i.sources {
		for p := range s.routes { // unordered: a set
			all[p] = struct{}{}
		}
	}
	for _, p := range sortedKeys(all, netip.Prefix.Compare) {
		i.originate(p)
	}
}

// originate brings the own route of a prefix up to date.
func (i *instance) originate(p netip.Prefix) {
	a, isNetwork := i.wanted(p)
	old, was := i.own[p]
	switch {
	case a == nil && was:
		delete(i.own, p)
		i.core.emit(Withdraw{i.cfg.VRF, p})
	case a != nil && (!was || !a.Equal(old.attributes)):
		i.own[p] = origination{a, isNetwork}
		i.core.emit(Originate{i.cfg.VRF, p, a})
	case a != nil:
		i.own[p] = origination{old.attributes, isNetwork}
	}
}

// wanted returns the attributes of the own route of a prefix; nil: there is none.
func (i *instance) wanted(p netip.Prefix) (a *locrib.Attributes, isNetwork bool) {
	if n := i.networks[p]; n != nil && n.route != nil && n.route.Protocol != rib.BGP {
		metric := n.route.Metric
		if a := i.attributes(*n.route, metric, n.RouteMap, locrib.IGP); a != nil {
			return a, true
		}
	}
	for _, s := range i.sources {
		r, ok := s.routes[p]
		fam := i.cfg.family(s.family)
		if !ok || p.Bits() == 0 && !fam.DefaultInformation {
			continue
		}
		if a := i.attributes(r, s.metric(r, fam), s.RouteMap, locrib.Incomplete); a != nil {
			return a, false
		}
	}
	return nil, false
}

// metric returns the metric of a route that is redistributed. The default metric is
// not for connected and static routes, as on IOS.
func (s *source) metric(r rib.Route, fam *FamilyConfig) uint32 {
	switch {
	case s.Metric != nil:
		return *s.Metric
	case fam.DefaultMetric != nil && r.Protocol != rib.Connected && r.Protocol != rib.Static && r.Protocol != rib.Kernel:
		return *fam.DefaultMetric
	}
	return r.Metric
}

// attributes makes the path attributes of an own route, nil if the route-map denies it.
func (i *instance) attributes(r rib.Route, metric uint32, routeMap string, origin locrib.Origin) *locrib.Attributes {
	a := &locrib.Attributes{Origin: origin, NextHop: netip.IPv4Unspecified(), MED: metric, HasMED: true, Weight: locrib.OwnWeight}
	if r.Prefix.Addr().Is6() {
		a.NextHop = netip.IPv6Unspecified()
	}
	if routeMap == "" {
		return a
	}
	in := policy.Route{Prefix: r.Prefix, Tag: r.Tag, Protocol: r.Protocol, Instance: r.Instance, Metric: metric}
	if len(r.NextHops) > 0 {
		in.NextHop, in.Interface = r.NextHops[0].Addr, r.NextHops[0].Interface
	}
	out, permit := Apply(i.core.policy.RouteMap(routeMap), in, a)
	if !permit {
		return nil
	}
	return out
}
