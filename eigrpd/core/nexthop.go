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
	hops := in.hopsOn(i, p)
	if len(hops) == 0 {
		return
	}
	a.hop = hopOf(hops[0])
	for _, h := range hops[1:min(len(hops), max(i.cfg.AddPaths, 1))] {
		path := packet.Path{NextHop: h, RouterID: a.router, Tag: a.tag}
		if a.external {
			path.Protocol, path.Flags = x.external.Protocol, x.external.Flags
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

// hopsOn returns the next hops on a link of all paths of a route that are in use at
// the least cost, each once.
func (in *instance) hopsOn(i *iface, p netip.Prefix) (hops []netip.Addr) {
	add := func(h netip.Addr) {
		if h.IsValid() && !slices.Contains(hops, h) {
			hops = append(hops, h)
		}
	}
	for _, path := range in.table.Used(p) {
		if !path.Successor {
			continue
		}
		add(in.hopOn(i, &path.Attribute))
		x := path.Attribute.more.extra()
		for k := range x.count {
			one := path.Attribute
			one.hop = hopOf(x.paths[k].NextHop)
			add(in.hopOn(i, &one))
		}
	}
	return hops
}
