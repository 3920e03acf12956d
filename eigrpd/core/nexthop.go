package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
)

// tellHops decides which next hop is told of a route on an interface: this router,
// or, with `no next-hop-self`, that which the route has on the same link. With
// `add-paths` the next hops of the other paths at the same cost go along.
func (in *instance) tellHops(i *iface, p netip.Prefix, a *attribute) {
	own := in.hopOn(i, a)
	a.hop = hop{}
	x := a.more.extra()
	if x.count > 0 {
		clear(x.paths[:])
		x.count = 0
		a.more = moreOf(x)
	}
	if !i.cfg.NoNextHopSelf {
		return
	}
	if !i.cfg.NoECMPMode && i.cfg.AddPaths < 2 {
		a.hop = hopOf(own)
		return
	}
	paths := in.pathsOn(i, p)
	if len(paths) == 0 {
		return
	}
	a.hop = hopOf(paths[0].NextHop)
	for _, path := range paths[1:min(len(paths), max(i.cfg.AddPaths, 1))] {
		path.Tag = a.tag // which a route-map may have set
		if !a.external { // as the TLV is
			path.Protocol, path.Flags = 0, 0
		}
		x.paths[x.count] = path
		x.count++
	}
	a.more = moreOf(x)
}

// hopOn returns the next hop of a path if it is on the link of an interface, else the
// zero Addr.
func (in *instance) hopOn(i *iface, a *attribute) netip.Addr {
	h := a.hop.addr()
	n := in.neighbors[a.via]
	switch {
	case n != nil && (n.iface != i || n.remote):
		return netip.Addr{}
	case n != nil && !h.IsValid():
		h = n.addr
	}
	if !h.IsValid() || in.fromOwn(i, h) || !i.onLink(h) {
		return netip.Addr{}
	}
	return h
}

// pathsOn returns the paths in use at the least cost of a route, and those that were told
// with them, whose next hops are on the link of an interface: one for each next hop.
func (in *instance) pathsOn(i *iface, p netip.Prefix) (paths []packet.Path) {
	add := func(a *attribute, path packet.Path) {
		h := in.hopOn(i, a)
		if h.IsValid() && !slices.ContainsFunc(paths, func(o packet.Path) bool { return o.NextHop == h }) {
			path.NextHop = h
			paths = append(paths, path)
		}
	}
	for _, used := range in.table.Used(p) {
		if !used.Successor {
			continue
		}
		a, x := used.Attribute, used.Attribute.more.extra()
		add(&a, packet.Path{RouterID: a.router, Protocol: x.external.Protocol, Flags: x.external.Flags})
		for _, other := range x.paths[:x.count] {
			a.hop = hopOf(other.NextHop)
			add(&a, other)
		}
	}
	return paths
}
