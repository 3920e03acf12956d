package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// best takes in the best paths of a prefix.
func (i *instance) best(r Route) {
	route, ok := i.route(r)
	if !ok {
		i.remove(r.Prefix)
		return
	}
	i.routes.Insert(r.Prefix)
	i.core.emit(PutRoute{route})
}

// remove takes a route back.
func (i *instance) remove(p netip.Prefix) {
	if i.routes.Get(p) {
		i.routes.Delete(p)
		i.core.emit(DelRoute{rib.Key{Kind: rib.KindRoute, VRF: i.cfg.VRF, Prefix: p, Protocol: rib.BGP, Instance: i.cfg.AS}})
	}
}

// route makes the route of zebra; ok is false if there is none: the prefix is gone, or
// an own route, which the routing table has by itself.
func (i *instance) route(r Route) (out rib.Route, ok bool) {
	if len(r.Paths) == 0 {
		return out, false
	}
	best := &r.Paths[0]
	distance := i.cfg.family(rib.FamilyOf(r.Prefix.Addr())).Distance.Or()
	out = rib.Route{VRF: i.cfg.VRF, Prefix: r.Prefix, Protocol: rib.BGP, Instance: i.cfg.AS, Metric: best.MED, Tag: best.AS}
	switch {
	case best.Aggregate:
		out.Distance, out.NextHops = distance.Local, []rib.NextHop{{Discard: true}}
		return out, true
	case best.Own:
		return out, false
	case best.External:
		out.Distance, out.Type = distance.External, rib.TypeEBGP
	default:
		out.Distance, out.Type = distance.Internal, rib.TypeIBGP
	}
	out.NextHops = i.nextHops(r.Paths)
	return out, len(out.NextHops) > 0
}

// nextHops returns the next hops of paths. Where they are those of the route before, and
// of a full table they mostly are, it is the same slice.
func (i *instance) nextHops(paths []Path) []rib.NextHop {
	i.scratch = i.scratch[:0]
	for _, p := range paths {
		if !p.Own && p.NextHop.IsValid() && len(i.scratch) < maxNextHops {
			i.scratch = append(i.scratch, rib.NextHop{Addr: p.NextHop})
		}
	}
	if !slices.Equal(i.scratch, i.last) {
		i.last = slices.Clone(i.scratch)
	}
	return i.last
}

// maxNextHops bounds the next hops of a route (the limit of lib/session is 256).
const maxNextHops = 64
