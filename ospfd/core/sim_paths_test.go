package core_test

import (
	"container/heap"
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// What follows works out the paths that there should be, of the graph as it is: independent
// of the core, of LSAs and of package spf.

const far = 1 << 30

// simPlace is a router at a distance.
type simPlace struct{ router, distance int }

type simHeap []simPlace

func (h simHeap) Len() int           { return len(h) }
func (h simHeap) Less(a, b int) bool { return h[a].distance < h[b].distance }
func (h simHeap) Swap(a, b int)      { h[a], h[b] = h[b], h[a] }
func (h *simHeap) Push(x any)        { *h = append(*h, x.(simPlace)) }
func (h *simHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// within returns the distances of a router to all others within an area, by Dijkstra's
// algorithm.
func (g *simGraph) within(area packet.ID, from *simRouter) []int {
	dist := make([]int, len(g.routers))
	for k := range dist {
		dist[k] = far
	}
	if !from.node.Alive() || !from.in(area) {
		return dist
	}
	dist[from.id] = 0
	queue := &simHeap{{from.id, 0}}
	for queue.Len() > 0 {
		p := heap.Pop(queue).(simPlace)
		if p.distance > dist[p.router] {
			continue
		}
		r := g.routers[p.router]
		for _, w := range r.wires {
			if w.down || w.area != area {
				continue
			}
			cost := 0
			for k, o := range w.on {
				if o == r {
					cost = int(w.cost[k])
				}
			}
			for _, o := range w.on {
				if d := p.distance + cost; d < dist[o.id] && w.joins(r, o) {
					dist[o.id] = d
					heap.Push(queue, simPlace{o.id, d})
				}
			}
		}
	}
	return dist
}

// in reports whether a router has an interface in an area that is up.
func (r *simRouter) in(area packet.ID) bool {
	if r.home == area && !r.noLAN {
		return true
	}
	for _, w := range r.wires {
		if w.area == area && !w.down {
			return true
		}
	}
	return false
}

// border reports whether a router is an area border router: it is in the backbone and in
// another area (RFC 2328 section 3.3).
func (r *simRouter) border() bool {
	if !r.in(0) {
		return false
	}
	for _, w := range r.wires {
		if w.area != 0 && !w.down {
			return true
		}
	}
	return false
}

// distances returns for each router the length of its path to the network of another one,
// as RFC 2328 section 16 has it: within the area first, else by the backbone. far: there is
// none.
func (g *simGraph) distances(to *simRouter, dist map[packet.ID][][]int) []int {
	out := make([]int, len(g.routers))
	borders := []*simRouter{}
	for _, r := range g.routers {
		out[r.id] = far
		if !to.noLAN && to.node.Alive() {
			out[r.id] = dist[to.home][r.id][to.id]
		}
		if r.border() && r.node.Alive() {
			borders = append(borders, r)
		}
	}
	inner := append([]int(nil), out...)
	byBackbone := func(r *simRouter) {
		for _, b := range borders {
			if to.home != 0 && inner[b.id] < far && dist[0][r.id][b.id] < far {
				out[r.id] = min(out[r.id], dist[0][r.id][b.id]+inner[b.id])
			}
		}
	}
	for _, b := range borders {
		if inner[b.id] == far {
			byBackbone(b)
		}
	}
	reached := append([]int(nil), out...)
	for _, r := range g.routers {
		switch {
		case inner[r.id] < far || r.border():
		case r.in(0):
			byBackbone(r)
		case g.stubby(r.home): // by the default route
		default:
			for _, b := range borders {
				if d := dist[r.home][r.id][b.id]; d < far && reached[b.id] < far {
					out[r.id] = min(out[r.id], d+reached[b.id])
				}
			}
		}
	}
	return out
}

// wrong says what is not as it should be, "" if all is: each router has the shortest way to
// each network, by a neighbour that is nearer or of another area, and routers that reach each
// other within an area know the same of it.
func (g *simGraph) wrong() string {
	dist := g.allWithin()
	if w := g.wrongRoutes(dist); w != "" {
		return w
	}
	return g.wrongDatabases(dist)
}

// allWithin returns all distances, by area.
func (g *simGraph) allWithin() map[packet.ID][][]int {
	dist := map[packet.ID][][]int{}
	for area := range packet.ID(g.areas + 1) {
		for _, r := range g.routers {
			dist[area] = append(dist[area], g.within(area, r))
		}
	}
	return dist
}

// wrongRoutes compares the tables with the distances.
func (g *simGraph) wrongRoutes(dist map[packet.ID][][]int) string {
	for _, to := range g.routers {
		want := g.distances(to, dist)
		for _, r := range g.routers {
			if r == to || !r.node.Alive() {
				continue
			}
			x, have := r.routes[simStub(to.id)]
			switch {
			case have != (want[r.id] < far):
				return fmt.Sprintf("router %d (area %v) to %v (area %v): %v, distance %d", r.id, r.home, simStub(to.id), to.home, have, want[r.id])
			case have && int(x.route.Metric) != want[r.id]+simLAN:
				return fmt.Sprintf("router %d (area %v) to %v (area %v): metric %d, want %d", r.id, r.home, simStub(to.id), to.home, x.route.Metric, want[r.id]+simLAN)
			}
		}
	}
	for _, r := range g.routers {
		if !g.stubby(r.home) || !r.node.Alive() || r.border() {
			continue
		}
		want := far
		for _, b := range g.routers {
			if b.border() && b.node.Alive() {
				want = min(want, dist[r.home][r.id][b.id]+1)
			}
		}
		x, have := r.routes[netip.PrefixFrom(netip.IPv4Unspecified(), 0)]
		if have != (want < far) || have && int(x.route.Metric) != want {
			return fmt.Sprintf("router %d (area %v): default route %v, metric %d, want %d", r.id, r.home, have, x.route.Metric, want)
		}
	}
	return ""
}

// wrongDatabases compares the databases of routers that reach each other.
func (g *simGraph) wrongDatabases(dist map[packet.ID][][]int) string {
	for area := range packet.ID(g.areas + 1) {
		first := map[int]string{} // by the first router of those that reach each other
		for _, r := range g.routers {
			for k, d := range dist[area][r.id] {
				if d == far {
					continue
				}
				db := r.database(area)
				if other, ok := first[k]; !ok {
					first[k] = db
				} else if other != db {
					return fmt.Sprintf("area %v: routers %d and %d know:\n%s\n%s", area, k, r.id, other, db)
				}
				break
			}
		}
	}
	return ""
}
