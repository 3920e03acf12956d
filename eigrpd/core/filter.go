package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// policy returns the lists that are configured.
func (in *instance) policy() *policy.Set { return in.core.policy }

// filterIn reports whether distribute-lists let a path in. Route-maps may tag it, or
// give it a worse metric.
func (in *instance) filterIn(n *neighbor, p netip.Prefix, a *attribute) bool {
	if !in.defaultPasses(in.cfg.DefaultIn, p, a) {
		return false
	}
	for k := range in.cfg.Filters {
		f := &in.cfg.Filters[k]
		if f.Out || f.Interface != "" && f.Interface != n.iface.name {
			continue
		}
		if f.Gateway != "" && !in.gatewayPasses(f.Gateway, n.addr) {
			return false
		}
		if f.List != "" && !in.passes(f, n.addr, p, a) {
			return false
		}
	}
	return true
}

// filterOut reports whether distribute-lists let a route out by an interface.
func (in *instance) filterOut(i *iface, p netip.Prefix, a *attribute) bool {
	if !in.defaultPasses(in.cfg.DefaultOut, p, a) {
		return false
	}
	for k := range in.cfg.Filters {
		f := &in.cfg.Filters[k]
		if !f.Out || f.Interface != "" && f.Interface != i.name || !f.concerns(a) {
			continue
		}
		if f.List != "" && !in.passes(f, i.addr, p, a) {
			return false
		}
	}
	return true
}

// concerns reports whether a filter out is about a route of this origin.
func (f *Filter) concerns(a *attribute) bool {
	if f.Protocol == rib.Unspecified {
		return true
	}
	if f.Protocol == rib.Connected && a.origin == OriginConnected {
		return true
	}
	return a.origin == OriginRedistributed && a.source == f.Protocol &&
		(f.Instance == 0 || f.Instance == a.more.extra().external.AS)
}

// gatewayPasses reports whether a prefix-list permits a neighbour.
func (in *instance) gatewayPasses(list string, a netip.Addr) bool {
	permit, _ := in.prefixList(list).MatchAddr(a)
	return permit
}

func (in *instance) prefixList(name string) *policy.PrefixList {
	if in.key.Family == rib.IPv6 {
		return in.policy().PrefixList6(name)
	}
	return in.policy().PrefixList(name)
}

// passes asks the list of a filter about a route; from is the router that tells it.
func (in *instance) passes(f *Filter, from netip.Addr, p netip.Prefix, a *attribute) bool {
	switch f.Kind {
	case FilterAccessList:
		permit, _ := in.policy().AccessList(f.List).MatchUpdate(from, p)
		return permit
	case FilterPrefixList:
		permit, _ := in.prefixList(f.List).Match(p)
		return permit
	}
	out, ok := in.policy().RouteMap(f.List).Apply(in.mapInput(p, a))
	if !ok {
		return false
	}
	in.mapped(&out, a)
	return true
}

// mapped carries out what the route-map of a distribute-list sets. A metric counts
// only if it is worse: DUAL is free of loops because distances grow along a path.
func (in *instance) mapped(out *policy.Route, a *attribute) {
	a.tag = out.Tag
	if !out.VectorSet {
		return
	}
	set := *a
	set.vector = in.configured(out.Vector)
	set.hops = a.hops
	old, ok := in.composite(a)
	if new, reach := in.composite(&set); !reach || ok && new >= old {
		*a = set
	}
}

// configured returns a metric as it is configured in the instance's scale.
func (in *instance) configured(v policy.Vector) vector {
	i := rib.Interface{Type: rib.TypeTunnel, Bandwidth: uint64(v.Bandwidth), Delay: v.Delay, MTU: int(v.MTU)}
	out := linkVector(in.wide(), &i)
	if v.Delay == 0 {
		out.delay = 0
	}
	out.reliability, out.load = v.Reliability, v.Load
	return out
}

// defaultPasses is `default-information`: whether the default route passes. Of other
// routes that are candidates for the default only the mark is taken away.
func (in *instance) defaultPasses(d DefaultInformation, p netip.Prefix, a *attribute) bool {
	if p.Bits() != 0 && a.flags&packet.RouteCandidateDefault == 0 {
		return true
	}
	permit := !d.Deny
	if permit && d.List != "" {
		permit, _ = in.policy().AccessList(d.List).MatchPrefix(p)
	}
	if !permit && p.Bits() != 0 {
		a.flags &^= packet.RouteCandidateDefault
		return true
	}
	return permit
}
