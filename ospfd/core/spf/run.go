package spf

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// MaxHops is how many paths of equal cost a vertex has at most.
const MaxHops = 64

// Hop is how a vertex is reached from the root.
type Hop struct {
	Link   int       // index of the link in the root's router-LSA
	Router packet.ID // the first router; 0: the vertex is a network on that link
	Addr   packet.ID // that router's address on a transit network; 0 on other links
}

// direct reports whether a hop of a network is the network itself.
func direct(h Hop) bool { return h.Router == 0 }

func compareHops(a, b Hop) int {
	return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.Router, b.Router), cmp.Compare(a.Addr, b.Addr))
}

// Vertex is a router or a transit network that is reached.
type Vertex struct {
	Network  bool
	ID       packet.ID // router ID, or Link State ID of the network-LSA
	By       packet.ID // of a network: the router that advertises it
	Distance uint32
	Hops     []Hop // sorted; none for the root. Not to be changed
}

// Tree is the shortest-path tree that Run found. It is valid until the Area is changed or
// Run again.
type Tree struct {
	area *Area
	root *node // nil: it has no LSA
}

// Run computes the shortest-path tree from a router on (RFC 2328 section 16.1, first
// stage).
func (a *Area) Run(root packet.ID) Tree {
	a.run++
	r := a.routers[root]
	if r == nil {
		return Tree{area: a}
	}
	a.heap = a.heap[:0]
	r.reach(a, 0, nil)
	r.done = true
	a.relax(r, r)
	for len(a.heap) > 0 {
		v := heap.Pop(&a.heap).(*node)
		v.done = true
		a.relax(r, v)
	}
	return Tree{area: a, root: r}
}

// relax looks at the edges of a vertex that has joined the tree (step 2).
func (a *Area) relax(root, v *node) {
	if v.network {
		for _, id := range v.links {
			w := a.routers[id]
			if w == nil || w.finished(a.run) {
				continue
			}
			if back, ok := linkBack(w, v, packet.LinkTransit); ok {
				a.offer(root, v, w, v.distance, Hop{Router: w.id, Addr: packet.ID(back.Data)})
			}
		}
		return
	}
	for i, l := range v.router.Links {
		var w *node
		hop := Hop{Link: i}
		switch l.Type {
		case packet.LinkTransit:
			w = a.attached(l.ID, v.id)
		case packet.LinkPointToPoint, packet.LinkVirtual:
			if w = a.routers[l.ID]; w != nil {
				if _, ok := linkBack(w, v, l.Type); !ok {
					w = nil
				}
			}
			hop.Router = l.ID
		}
		if w != nil && w != v && !w.finished(a.run) {
			a.offer(root, v, w, v.distance+uint32(l.Metric), hop)
		}
	}
}

func (n *node) finished(run uint32) bool { return n.run == run && n.done }

// offer takes a path to w through v (steps 2c and 2d). hop is what the first hop is where v
// is the root, or a network on a link of it.
func (a *Area) offer(root, v, w *node, distance uint32, hop Hop) {
	if w.run == a.run && distance > w.distance {
		return
	}
	hops := v.hops
	switch {
	case v == root:
		hops = []Hop{hop}
	case v.network && slices.ContainsFunc(hops, direct): // section 16.1.1
		hops = onNetwork(hops, hop)
	}
	if w.run == a.run && distance == w.distance {
		w.hops = union(w.hops, hops)
		return
	}
	w.reach(a, distance, hops)
	if w.at < 0 {
		heap.Push(&a.heap, w)
	} else {
		heap.Fix(&a.heap, w.at)
	}
}

// onNetwork puts the router behind a network on links of the root in their hops. Hops that
// lead to the network by other routers stay.
func onNetwork(hops []Hop, hop Hop) []Hop {
	out := slices.Clone(hops)
	for i, h := range out {
		if direct(h) {
			out[i] = Hop{Link: h.Link, Router: hop.Router, Addr: hop.Addr}
		}
	}
	slices.SortFunc(out, compareHops)
	return slices.Compact(out)
}

// reach gives a vertex a shorter way.
func (n *node) reach(a *Area, distance uint32, hops []Hop) {
	if n.run != a.run {
		n.run, n.done, n.at = a.run, false, -1
	}
	n.distance, n.hops = distance, hops
}

// union merges two sorted lists of hops, of which none is changed.
func union(a, b []Hop) []Hop {
	if subset(b, a) {
		return a
	}
	out := make([]Hop, 0, len(a)+len(b))
	out = append(append(out, a...), b...)
	slices.SortFunc(out, compareHops)
	out = slices.Compact(out)
	return out[:min(len(out), MaxHops)]
}

// subset reports whether all of a is in b.
func subset(a, b []Hop) bool {
	for _, h := range a {
		if _, ok := slices.BinarySearchFunc(b, h, compareHops); !ok {
			return false
		}
	}
	return true
}

// Vertex returns a router, or, with network set, the transit network with a Link State ID
// of the router by; ok is false if it is not reached.
func (t Tree) Vertex(network bool, id, by packet.ID) (v Vertex, ok bool) {
	n := t.area.routers[id]
	if network {
		n = nil
		if at, found := slices.BinarySearchFunc(t.area.networks[id], by, compareBy); found {
			n = t.area.networks[id][at]
		}
	}
	if n == nil || !n.finished(t.area.run) || t.root == nil {
		return Vertex{}, false
	}
	return n.vertex(), true
}

func (n *node) vertex() Vertex {
	return Vertex{Network: n.network, ID: n.id, By: n.by, Distance: n.distance, Hops: n.hops}
}

// Routers yields the routers that are reached, the root among them, by ID, with their flags.
func (t Tree) Routers(yield func(Vertex, packet.RouterFlags) bool) {
	if t.root == nil {
		return
	}
	for _, n := range t.area.sorted() {
		if n.finished(t.area.run) && !n.network && !yield(n.vertex(), n.router.Flags) {
			return
		}
	}
}

// queue is the candidate list: a heap by distance. Of the same distance networks go before
// routers, so that all paths of equal cost are found (step 3).
type queue []*node

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	if a.distance != b.distance {
		return a.distance < b.distance
	}
	return compareNodes(b, a) < 0
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *queue) Push(x any) {
	n := x.(*node)
	n.at = len(*q)
	*q = append(*q, n)
}

func (q *queue) Pop() any {
	old := *q
	n := old[len(old)-1]
	n.at = -1
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return n
}
