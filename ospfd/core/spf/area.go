package spf

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Area is the graph of an area. The zero value is an area without LSAs. It is not safe for
// concurrent use.
type Area struct {
	routers  map[packet.ID]*node   // by router ID
	networks map[packet.ID][]*node // by Link State ID; of several routers that claim one, by router ID

	order []*node // all of them, sorted: made by Run
	stale bool    // order is not

	heap queue
	run  uint32
	best map[netip.Prefix]int // of Routes: kept for its room
}

// node is a vertex with what its LSA says.
type node struct {
	network bool
	id      packet.ID // router ID or Link State ID
	by      packet.ID // of a network: the designated router, which advertises it
	router  packet.Router
	back    []packet.RouterLink // of a router: its links that are no stubs, by type and ID
	links   []packet.ID         // of a network: attached routers, sorted
	mask    uint32              // of a network

	// What Run found; meaningful if run is that of the Area.
	run      uint32
	distance uint32
	done     bool
	hops     []Hop
	at       int // in the heap; -1: not there
}

// SetRouter enters the router-LSA of a router, or replaces it. The body is kept, and must
// not be changed. It reports whether the tree may be another one now; otherwise only stub
// links, flags or nothing have changed, and Routes is all that is to be done.
func (a *Area) SetRouter(id packet.ID, body packet.Router) (tree bool) {
	if a.routers == nil {
		a.routers = make(map[packet.ID]*node)
	}
	n := a.routers[id]
	if n == nil {
		n = &node{id: id, at: -1}
		a.routers[id], a.stale, tree = n, true, true
	}
	tree = tree || !slices.Equal(edges(n.router), edges(body))
	n.router = body
	if tree {
		n.back = slices.DeleteFunc(edges(body), func(l packet.RouterLink) bool { return l == packet.RouterLink{} })
		slices.SortStableFunc(n.back, compareLinks)
	}
	return tree
}

// edges are the links that are no stubs. The index of a link is part of a Hop, so links
// that move count as changed.
func edges(r packet.Router) []packet.RouterLink {
	out := make([]packet.RouterLink, 0, len(r.Links))
	for _, l := range r.Links {
		if l.Type == packet.LinkStub {
			l = packet.RouterLink{}
		}
		out = append(out, l)
	}
	for len(out) > 0 && out[len(out)-1] == (packet.RouterLink{}) {
		out = out[:len(out)-1]
	}
	return out
}

// RemoveRouter takes the router-LSA of a router back.
func (a *Area) RemoveRouter(id packet.ID) {
	if _, ok := a.routers[id]; ok {
		delete(a.routers, id)
		a.stale = true
	}
}

// SetNetwork enters a network-LSA: id is its Link State ID, by the router that advertises
// it. It reports whether the tree may be another one now.
func (a *Area) SetNetwork(id, by packet.ID, body packet.Network) (tree bool) {
	if a.networks == nil {
		a.networks = make(map[packet.ID][]*node)
	}
	links := slices.Clone(body.Routers)
	slices.Sort(links)
	links = slices.Compact(links)
	list := a.networks[id]
	at, ok := slices.BinarySearchFunc(list, by, compareBy)
	if ok {
		n := list[at]
		tree = !slices.Equal(n.links, links)
		n.links, n.mask = links, body.Mask
		return tree
	}
	n := &node{network: true, id: id, by: by, links: links, mask: body.Mask, at: -1}
	a.networks[id], a.stale = slices.Insert(list, at, n), true
	return true
}

func compareBy(n *node, by packet.ID) int { return cmp.Compare(n.by, by) }

// RemoveNetwork takes a network-LSA back.
func (a *Area) RemoveNetwork(id, by packet.ID) {
	list := a.networks[id]
	at, ok := slices.BinarySearchFunc(list, by, compareBy)
	if !ok {
		return
	}
	if list = slices.Delete(list, at, at+1); len(list) == 0 {
		delete(a.networks, id)
	} else {
		a.networks[id] = list
	}
	a.stale = true
}

// sorted returns all vertices, routers first, by ID.
func (a *Area) sorted() []*node {
	if !a.stale {
		return a.order
	}
	clear(a.order)
	a.order = a.order[:0]
	for _, n := range a.routers { // unordered: sorted below
		a.order = append(a.order, n)
	}
	for _, list := range a.networks { // unordered: sorted below
		a.order = append(a.order, list...)
	}
	slices.SortFunc(a.order, compareNodes)
	a.stale = false
	return a.order
}

func compareNodes(n, o *node) int {
	switch {
	case n.network != o.network && o.network:
		return -1
	case n.network != o.network:
		return 1
	}
	return cmp.Or(cmp.Compare(n.id, o.id), cmp.Compare(n.by, o.by))
}

// attached returns the transit network that a link of a router leads to: of those with the
// Link State ID the first whose LSA lists the router.
func (a *Area) attached(id, router packet.ID) *node {
	for _, n := range a.networks[id] {
		if _, ok := slices.BinarySearch(n.links, router); ok {
			return n
		}
	}
	return nil
}

// linkBack returns a link of router w that leads back to v: to a router by a link of the
// same type, to a network by a transit link.
func linkBack(w, v *node, t packet.LinkType) (packet.RouterLink, bool) {
	at, ok := slices.BinarySearchFunc(w.back, packet.RouterLink{Type: t, ID: v.id}, compareLinks)
	if !ok {
		return packet.RouterLink{}, false
	}
	return w.back[at], true
}

func compareLinks(a, b packet.RouterLink) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
}
