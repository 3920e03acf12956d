package spf

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Route is a network of the area (RFC 2328 section 11 lists what a routing table entry has).
type Route struct {
	Prefix   netip.Prefix
	Cost     uint32
	Hops     []Hop     // sorted; none for the root's own stubs. Not to be changed
	Transit  bool      // a transit network, by its network-LSA; otherwise a stub link
	Origin   packet.ID // the LSA's Link State ID: of a stub the router's
	By       packet.ID // … and its advertising router
	Attached []int     // links of the root that lead to the network itself, sorted
}

// Routes returns a route for each network that the tree reaches (section 16.1, second
// stage), by prefix. Networks with a mask that has gaps are left out.
func (t Tree) Routes() []Route {
	if t.root == nil {
		return nil
	}
	out := make([]Route, 0, len(t.area.best)) // as many as last time, or so
	if t.area.best == nil {
		t.area.best = make(map[netip.Prefix]int)
	}
	clear(t.area.best)
	best := t.area.best // where each is in out
	add := func(r Route, ok bool) {
		if !ok {
			return
		}
		at, known := best[r.Prefix]
		if !known {
			best[r.Prefix] = len(out)
			out = append(out, r)
			return
		}
		out[at] = better(out[at], r)
	}
	for _, n := range t.area.sorted() {
		switch {
		case !n.finished(t.area.run):
		case n.network && n.mask == 0xffffffff: // its prefix is suppressed (RFC 6860)
		case n.network:
			p, ok := prefix(n.id, n.mask)
			add(Route{Prefix: p, Cost: n.distance, Hops: n.hops, Transit: true, Origin: n.id, By: n.by, Attached: attachedLinks(n.hops)}, ok)
		default:
			t.stubs(n, add)
		}
	}
	slices.SortFunc(out, func(a, b Route) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	return out
}

// stubs adds the stub links of a router.
func (t Tree) stubs(n *node, add func(Route, bool)) {
	for i, l := range n.router.Links {
		if l.Type != packet.LinkStub {
			continue
		}
		p, ok := prefix(l.ID, l.Data)
		r := Route{Prefix: p, Cost: n.distance + uint32(l.Metric), Hops: n.hops, Origin: n.id, By: n.id}
		if n == t.root {
			r.Attached = []int{i}
		}
		add(r, ok)
	}
}

// better returns the shorter one of two routes to a network, or both as one.
func better(a, b Route) Route {
	switch {
	case a.Cost < b.Cost:
		return a
	case b.Cost < a.Cost:
		return b
	case a.Transit != b.Transit && b.Transit: // a network-LSA says more
		a, b = b, a
	}
	a.Hops = union(a.Hops, b.Hops)
	a.Attached = append(slices.Clone(a.Attached), b.Attached...)
	slices.Sort(a.Attached)
	a.Attached = slices.Compact(a.Attached)
	return a
}

// attachedLinks are the links of the root on a network.
func attachedLinks(hops []Hop) (links []int) {
	for _, h := range hops {
		if direct(h) {
			links = append(links, h.Link)
		}
	}
	return links
}

// prefix makes a prefix of a network and its mask.
func prefix(id packet.ID, mask uint32) (netip.Prefix, bool) {
	n := bits.LeadingZeros32(^mask)
	if uint64(mask) != uint64(0xffffffff)<<(32-n)&0xffffffff {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(id.Addr(), n).Masked(), true
}
