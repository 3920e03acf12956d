package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// networksOf returns the connected networks of an interface that EIGRP tells of. Of IPv4 those networks are told whose address a
// `network` matches; of IPv6 all but the link's own.
func (in *instance) networksOf(i *iface) (networks []netip.Prefix) {
	for _, x := range i.link.Addresses {
		a := x.Prefix.Addr()
		if rib.FamilyOf(a) != in.key.Family {
			continue
		}
		p := x.Prefix.Masked()
		if x.Peer.IsValid() {
			p = x.Peer.Masked()
		}
		if routable(p) && in.covers(a) {
			networks = append(networks, p)
		}
	}
	slices.SortFunc(networks, comparePrefixes)
	return slices.Compact(networks)
}

// covers reports whether a `network` matches an address.
func (in *instance) covers(a netip.Addr) bool {
	if in.key.Family == rib.IPv6 {
		return true
	}
	for _, w := range in.cfg.Networks {
		if w.Match(a) {
			return true
		}
	}
	return false
}

// connect gives an interface its networks, in place of those before.
func (in *instance) connect(now clock.Instant, i *iface, networks []netip.Prefix) {
	r := &in.routes
	old := i.routes.networks
	i.routes.networks = networks
	for _, p := range old {
		if _, still := slices.BinarySearchFunc(networks, p, comparePrefixes); !still {
			r.connected[p] = slices.DeleteFunc(r.connected[p], func(x *iface) bool { return x == i })
			in.stateConnected(now, p)
		}
	}
	for _, p := range networks {
		if !slices.Contains(r.connected[p], i) {
			r.connected[p] = append(r.connected[p], i)
		}
		in.stateConnected(now, p)
	}
}

// stateConnected tells DUAL of a connected network, or that there is none any more.
func (in *instance) stateConnected(now clock.Instant, p netip.Prefix) {
	i, a := in.nearestOf(p)
	if i == nil {
		delete(in.routes.connected, p)
		in.step(now, dual.OwnGone{Prefix: p, Source: dual.Source(OriginConnected)})
		return
	}
	in.step(now, dual.Own[attribute]{Prefix: p, Source: dual.Source(OriginConnected), Attribute: a})
}

// nearestOf returns the nearest of the interfaces that are in a connected network, the
// first by name if they are equal, and what is told of it; nil if there is none.
func (in *instance) nearestOf(p netip.Prefix) (best *iface, a attribute) {
	nearest := dual.Infinity
	for _, i := range in.routes.connected[p] {
		x := attribute{vector: i.routes.link, origin: OriginConnected, rank: rankAll, router: in.routes.routerID, tag: in.cfg.DefaultRouteTag}
		d := in.natural(&x)
		if best == nil || d < nearest || d == nearest && i.name < best.name {
			best, a, nearest = i, x, d
		}
	}
	return best, a
}
