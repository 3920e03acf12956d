package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// stubTells reports whether a stub tells of a route: of its own ones those that `eigrp
// stub` names, and of those that it learnt only what the leak-map permits. Whoever is
// no stub tells of all.
func (in *instance) stubTells(p netip.Prefix, a *attribute) bool {
	s := in.cfg.Stub
	if s == nil {
		return true
	}
	if s.ReceiveOnly {
		return false
	}
	switch {
	case a.origin == OriginConnected && s.Connected,
		a.origin == OriginSummary && s.Summary,
		a.origin == OriginRedistributed && s.Redistributed,
		a.origin == OriginRedistributed && a.source == rib.Connected && s.Connected,
		a.origin == OriginRedistributed && a.source == rib.Static && s.Static:
		return true
	}
	return s.LeakMap != "" && in.leaks(s.LeakMap, p, a)
}

// leaks reports whether a leak-map permits a route. It sets nothing.
func (in *instance) leaks(name string, p netip.Prefix, a *attribute) bool {
	_, ok := in.policy().RouteMap(name).Apply(in.mapInput(p, a))
	return ok
}

// mapInput is a route as route-maps see it.
func (in *instance) mapInput(p netip.Prefix, a *attribute) policy.Route {
	r := policy.Route{Prefix: p, Tag: a.tag, Protocol: rib.EIGRP, Instance: uint32(in.key.AS), NextHop: a.hop.addr()}
	switch {
	case a.origin == OriginConnected:
		r.Protocol, r.Instance = rib.Connected, 0
	case a.origin == OriginRedistributed:
		r.Protocol, r.Instance = a.source, a.more.extra().external.AS
	}
	if n := in.neighbors[a.via]; n != nil {
		r.Source, r.Interface = n.addr, n.iface.name
		if !r.NextHop.IsValid() {
			r.NextHop = n.addr
		}
	}
	r.Metric = in.ribMetric(a)
	return r
}
