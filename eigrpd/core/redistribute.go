package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// source is a protocol whose routes are redistributed, with those that zebra told.
type source struct {
	what   rib.Watch
	line   Redistribute
	routes map[netip.Prefix]rib.Route
	stale  map[netip.Prefix]struct{} // not told again by a restarted zebra, until RoutesKnown
}

// configureSources begins and ends watches as the configuration wants them, and judges
// all redistributed routes anew: metrics and route-maps may have changed.
func (in *instance) configureSources(now clock.Instant) {
	r := &in.routes
	old := r.sources
	r.sources = nil
	for _, line := range in.cfg.Redistribute {
		w := rib.Watch{Kind: rib.WatchRedistribute, VRF: in.key.VRF, Family: in.key.Family, Protocol: line.Protocol, Instance: line.Instance}
		if line.Protocol == rib.EIGRP && line.Instance == uint32(in.key.AS) || in.sourceOf(w) != nil {
			continue
		}
		s := &source{what: w, line: line, routes: make(map[netip.Prefix]rib.Route)}
		if k := slices.IndexFunc(old, func(o *source) bool { return o.what == w }); k >= 0 {
			s.routes, s.stale = old[k].routes, old[k].stale
		} else {
			in.core.emit(WatchRoutes{w})
		}
		r.sources = append(r.sources, s)
	}
	for _, s := range old {
		if in.sourceOf(s.what) == nil {
			in.core.emit(UnwatchRoutes{s.what})
			in.redistributeAll(now, s)
		}
	}
	for _, s := range r.sources {
		in.redistributeAll(now, s)
	}
}

// sourceOf returns the source of a watch, nil if there is none.
func (in *instance) sourceOf(w rib.Watch) *source {
	for _, s := range in.routes.sources {
		if s.what == w {
			return s
		}
	}
	return nil
}

func (in *instance) redistributeAll(now clock.Instant, s *source) {
	for _, p := range sortedPrefixes(s.routes) {
		in.redistribute(now, p)
	}
}

// endSources takes the watches back.
func (in *instance) endSources() {
	for _, s := range in.routes.sources {
		in.core.emit(UnwatchRoutes{s.what})
	}
	in.routes.sources = nil
}

// routesRedistribution follows a route of another protocol.
func (in *instance) routesRedistribution(now clock.Instant, c RouteChanged) {
	s := in.sourceOf(c.Watch)
	p := c.Route.Prefix.Masked()
	if s == nil || !routable(p) || rib.FamilyOf(p.Addr()) != in.key.Family {
		return
	}
	delete(s.stale, p)
	if c.Withdrawn {
		delete(s.routes, p)
	} else {
		s.routes[p] = c.Route
	}
	in.redistribute(now, p)
}

// routesAttached says that zebra is about to tell all watched routes again.
func (in *instance) routesAttached(now clock.Instant) {
	for _, s := range in.routes.sources {
		s.stale = make(map[netip.Prefix]struct{}, len(s.routes))
		for p := range s.routes { // unordered: a set of the same
			s.stale[p] = struct{}{}
		}
	}
}

// routesRedistributionKnown ends what zebra did not tell again after its restart.
func (in *instance) routesRedistributionKnown(now clock.Instant, w rib.Watch) {
	s := in.sourceOf(w)
	if s == nil {
		return
	}
	gone := sortedPrefixes(s.stale)
	s.stale = nil
	for _, p := range gone {
		delete(s.routes, p)
		in.redistribute(now, p)
	}
}

// routesLinkChanged says that an interface, of EIGRP or not, may have another metric:
// connected and static routes that are redistributed have that of their interface.
func (in *instance) routesLinkChanged(now clock.Instant, name string) {
	for _, s := range in.routes.sources {
		if s.what.Protocol != rib.Connected && s.what.Protocol != rib.Static {
			continue
		}
		for _, p := range sortedPrefixes(s.routes) {
			if hops := s.routes[p].NextHops; len(hops) > 0 && hops[0].Interface == name {
				in.redistribute(now, p)
			}
		}
	}
}

// redistribute tells DUAL of a prefix what the first of the sources that has it says.
func (in *instance) redistribute(now clock.Instant, p netip.Prefix) {
	r := &in.routes
	_, stated := r.redistributed[p]
	for _, s := range r.sources {
		x, ok := s.routes[p]
		if !ok || r.suspended() {
			continue
		}
		a, ok := in.translate(s, x)
		if !ok {
			continue
		}
		r.redistributed[p] = struct{}{}
		in.step(now, dual.Own[attribute]{Prefix: p, Source: dual.Source(OriginRedistributed), Attribute: a})
		if !stated {
			in.countRedistributed(now)
		}
		return
	}
	if stated {
		delete(r.redistributed, p)
		in.step(now, dual.OwnGone{Prefix: p, Source: dual.Source(OriginRedistributed)})
	}
}

// externalProtocols are the numbers of protocols (RFC 7868 section 6.2). What has none
// is static: somebody configured it here.
var externalProtocols = map[rib.Protocol]packet.ExternalProtocol{
	rib.Connected: packet.ProtocolConnected, rib.Local: packet.ProtocolConnected, rib.RIP: packet.ProtocolRIP,
	rib.OSPF: packet.ProtocolOSPF, rib.EIGRP: packet.ProtocolEIGRP, rib.BGP: packet.ProtocolBGP,
	rib.Static: packet.ProtocolStatic, rib.Kernel: packet.ProtocolStatic, rib.NHRP: packet.ProtocolStatic,
}

// translate makes an external route of one of another protocol (RFC 7868 section
// 5.4.1.2). ok is false if it has no metric, or the route-map denies it.
func (in *instance) translate(s *source, x rib.Route) (a attribute, ok bool) {
	a = attribute{origin: OriginRedistributed, rank: in.rankOf(x.Distance), source: x.Protocol, external: true, router: in.routes.routerID, tag: x.Tag}
	e := packet.External{RouterID: a.router, AS: s.what.Instance, Metric: x.Metric, Protocol: externalProtocols[s.what.Protocol]}
	if x.Prefix.Bits() == 0 {
		e.Flags = packet.ExternalCandidateDefault
	}
	a.more = moreOf(extra{external: e})
	if len(x.NextHops) > 0 {
		a.hop = hopOf(x.NextHops[0].Addr)
	}
	has := in.sourceMetric(s, x, &a)
	if s.line.RouteMap != "" {
		out, permit := in.policy().RouteMap(s.line.RouteMap).Apply(redistributed(x))
		if !permit {
			return a, false
		}
		a.tag = out.Tag
		if out.VectorSet {
			a.vector, has = in.configured(out.Vector), true
		}
	}
	return a, has
}

// redistributed is a route of another protocol as route-maps see it.
func redistributed(x rib.Route) policy.Route {
	r := policy.Route{Prefix: x.Prefix, Tag: x.Tag, Protocol: x.Protocol, Instance: x.Instance, Metric: x.Metric}
	if len(x.NextHops) > 0 {
		r.NextHop, r.Interface = x.NextHops[0].Addr, x.NextHops[0].Interface
	}
	return r
}

// sourceMetric gives a redistributed route its metric: that of the line; or, of a
// connected or static route, that of its interface, and of EIGRP of another AS, what
// it has there; or else the default metric. It reports whether there is any.
func (in *instance) sourceMetric(s *source, x rib.Route, a *attribute) bool {
	if s.line.Metric != nil {
		a.vector = in.configured(*s.line.Metric)
		return true
	}
	switch s.what.Protocol {
	case rib.Connected, rib.Static:
		if link, ok := in.linkOf(x); ok {
			a.vector = linkVector(in.wide(), &link)
			return true
		}
	case rib.EIGRP:
		if v, ok := in.vectorElsewhere(s.what.Instance, x.Prefix); ok {
			a.vector = v
			return true
		}
	}
	if in.cfg.DefaultMetric == nil {
		return false
	}
	a.vector = in.configured(*in.cfg.DefaultMetric)
	return true
}

// linkOf returns the interface by which a route leads; for Null0 one that is fast.
func (in *instance) linkOf(x rib.Route) (i rib.Interface, ok bool) {
	if len(x.NextHops) == 0 {
		return i, false
	}
	if x.NextHops[0].Discard {
		return rib.Interface{Type: rib.TypeLoopback, Bandwidth: 10_000_000, Delay: 1, MTU: 1500}, true
	}
	i, ok = in.core.links.Get(x.NextHops[0].Interface)
	return i, ok
}

// vectorElsewhere returns the metric that EIGRP of another AS has of a prefix, in the
// scale of this instance.
func (in *instance) vectorElsewhere(as uint32, p netip.Prefix) (v vector, ok bool) {
	if as > 0xffff {
		return v, false
	}
	o := in.core.instances[Key{Family: in.key.Family, VRF: in.key.VRF, AS: uint16(as)}]
	if o == nil || o.table == nil {
		return v, false
	}
	used := o.table.Used(p)
	if len(used) == 0 {
		return v, false
	}
	v = used[0].Attribute.vector
	switch {
	case o.wide() && !in.wide():
		v = classicVector(v.wide().Classic())
	case !o.wide() && in.wide():
		v = wideVector(v.classic().Wide())
	}
	return v, true
}
