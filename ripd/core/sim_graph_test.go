package core_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// simGraph is routers and the links that join them: wires of two and LANs of
// more.
type simGraph struct {
	routers int
	links   [][]int // the routers on each
	degree  []int   // interfaces of each router
	public  bool    // the links' networks are announced, and not the stubs alone
}

const simMaxDegree = 5

func (g *simGraph) join(routers ...int) {
	g.links = append(g.links, routers)
	for _, r := range routers {
		g.degree[r]++
	}
}

// spare returns up to n distinct routers, at random from those given, that may
// have another interface.
func (g *simGraph) spare(rng *rand.Rand, n int, from []int) []int {
	var found []int
	for range 4 * n {
		r := from[rng.IntN(len(from))]
		if g.degree[r] < simMaxDegree && !slices.Contains(found, r) {
			if found = append(found, r); len(found) == n {
				break
			}
		}
	}
	return found
}

// randomGraph returns a connected graph of routers with 2 to 5 interfaces: a ring
// in random order, a chord for every third, and LANs of 3 to 6 routers. Of 500 routers, no two are more than a dozen hops apart.
func randomGraph(rng *rand.Rand, n int) *simGraph {
	g := &simGraph{routers: n, degree: make([]int, n)}
	order := rng.Perm(n)
	for k, r := range order {
		g.join(r, order[(k+1)%n])
	}
	for range n / 3 {
		if two := g.spare(rng, 2, order); len(two) == 2 {
			g.join(two...)
		}
	}
	for range max(1, n/25) {
		if lan := g.spare(rng, 3+rng.IntN(4), order); len(lan) >= 3 {
			g.join(lan...)
		}
	}
	return g
}

// longGraph returns a connected graph that is wider across than RIP can see: rows
// of routers, each joined to the next by a few wires or a LAN.
func longGraph(rng *rand.Rand, n int) *simGraph {
	g := &simGraph{routers: n, degree: make([]int, n)}
	rows := max(20, n/12)
	row := func(k int) (all []int) {
		for r := k * n / rows; r < (k+1)*n/rows; r++ {
			all = append(all, r)
		}
		return all
	}
	for k := range rows {
		here := row(k)
		for j := range here[1:] {
			g.join(here[j], here[j+1])
		}
		if k == 0 {
			continue
		}
		before := row(k - 1)
		if k%5 == 0 {
			g.join(before[0], here[0], here[len(here)-1])
			continue
		}
		for range 4 {
			g.join(before[rng.IntN(len(before))], here[rng.IntN(len(here))])
		}
	}
	return g
}

// Addresses: the stub of router r is 10.x.y.0/24. Link k is 172.16.0.0/24 + k if
// links are announced; otherwise it has eight link-local addresses, which RIP
// does not announce. The router's place on the link makes the host part.

func simStub(r int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(r >> 8), byte(r), 0}), 24)
}

func (g *simGraph) addr(link, place int) netip.Prefix {
	if g.public {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16 + byte(link>>8), byte(link), byte(place + 1)}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, byte(link >> 5), byte(link<<3 | (place + 1))}), 29)
}

// at returns which router has an address, and on which link.
func (g *simGraph) at(a netip.Addr) (link, router int, ok bool) {
	b := a.As4()
	place := 0
	switch {
	case g.public && b[0] == 172:
		link, place = int(b[1]-16)<<8|int(b[2]), int(b[3])-1
	case !g.public && b[0] == 169:
		link, place = int(b[2])<<5|int(b[3])>>3, int(b[3]&7)-1
	default:
		return 0, 0, false
	}
	if link >= len(g.links) || place < 0 || place >= len(g.links[link]) {
		return 0, 0, false
	}
	return link, g.links[link][place], true
}

// prefixes returns the number of prefixes of the whole graph: the stubs, and then
// the links. prefix and number translate between a number and its prefix.
func (g *simGraph) prefixes() int {
	if g.public {
		return g.routers + len(g.links)
	}
	return g.routers
}

func (g *simGraph) number(p netip.Prefix) int {
	b := p.Addr().As4()
	if b[0] == 10 {
		return int(b[1])<<8 | int(b[2])
	}
	return g.routers + (int(b[1]-16)<<8 | int(b[2]))
}

func (g *simGraph) prefix(n int) netip.Prefix {
	if n < g.routers {
		return simStub(n)
	}
	return g.addr(n-g.routers, 0).Masked()
}

// simState is what of a graph works.
type simState struct {
	*simGraph
	dead    []bool         // routers
	stubOff []bool         // by router: the stub's interface is down
	off     []map[int]bool // by link: routers whose interface is down
	apart   []map[int]int  // by link: routers on a side of their own, which nobody can see
	side    []int          // by router: of a partition of the whole network
}

func newSimState(g *simGraph) *simState {
	s := &simState{simGraph: g, dead: make([]bool, g.routers), stubOff: make([]bool, g.routers), side: make([]int, g.routers)}
	for range g.links {
		s.off, s.apart = append(s.off, map[int]bool{}), append(s.apart, map[int]int{})
	}
	return s
}

// hear reports whether two routers hear each other on a link.
func (s *simState) hear(link, a, b int) bool {
	return a != b && !s.dead[a] && !s.dead[b] && !s.off[link][a] && !s.off[link][b] &&
		s.apart[link][a] == s.apart[link][b] && s.side[a] == s.side[b]
}

// broken tells whether anything on a link is.
func (s *simState) broken(link int) bool { return len(s.off[link])+len(s.apart[link]) > 0 }

// hop is a neighbour on a link.
type hop struct{ link, router int }

// truth is what the routers should have found out: the shortest paths of a state,
// computed without any of their code.
type truth struct {
	*simState
	near [][]hop  // the neighbours of each router
	dist [][]int8 // by prefix and router: hops to the nearest router that has it; simNowhere
}

// simNowhere is a distance that RIP does not reach: with the network itself, which
// counts 1, it is 16 (RFC 2453 section 3.4.1).
const simNowhere = 15

func (s *simState) truth() *truth {
	t := &truth{simState: s, near: make([][]hop, s.routers)}
	for k, on := range s.links {
		for _, a := range on {
			for _, b := range on {
				if s.hear(k, a, b) {
					t.near[a] = append(t.near[a], hop{k, b})
				}
			}
		}
	}
	for p := range s.prefixes() {
		t.dist = append(t.dist, t.spread(s.owners(p)))
	}
	return t
}

// owners returns the routers that have a prefix on an interface.
func (s *simState) owners(p int) (all []int) {
	if p < s.routers {
		if !s.dead[p] && !s.stubOff[p] {
			all = append(all, p)
		}
		return all
	}
	for _, r := range s.links[p-s.routers] {
		if !s.dead[r] && !s.off[p-s.routers][r] {
			all = append(all, r)
		}
	}
	return all
}

// spread is a breadth-first search from some routers.
func (t *truth) spread(from []int) []int8 {
	dist := make([]int8, t.routers)
	for r := range dist {
		dist[r] = simNowhere
	}
	queue := slices.Clone(from)
	for _, r := range from {
		dist[r] = 0
	}
	for len(queue) > 0 {
		r := queue[0]
		queue = queue[1:]
		for _, h := range t.near[r] {
			if dist[h.router] > dist[r]+1 {
				dist[h.router] = dist[r] + 1
				queue = append(queue, h.router)
			}
		}
	}
	return dist
}

// reaches reports whether a router should have a learnt route for a prefix.
func (t *truth) reaches(router, prefix int) bool {
	d := t.dist[prefix][router]
	return !t.dead[router] && d > 0 && d < simNowhere
}

// judge compares what a router has for a prefix with the graph: "" if it is right.
// The metric is exact; next hops are neighbours nearer to the destination, and as
// many of them as there are, up to paths.
func (t *truth) judge(router, prefix int, r *simRoute, paths int) string {
	d, want := t.dist[prefix][router], t.reaches(router, prefix)
	switch {
	case t.right(router, prefix, r, paths):
		return ""
	case !want:
		return fmt.Sprintf("has a route that should not be: metric %d via %v", r.metric, r.hops)
	case !r.have:
		return fmt.Sprintf("has no route, the distance is %d", d)
	case r.metric != uint8(d):
		return fmt.Sprintf("has metric %d via %v, the distance is %d", r.metric, r.hops, d)
	}
	return fmt.Sprintf("has next hops %v at distance %d, neighbours are %v", r.hops, d, t.near[router])
}

// right is judge without an explanation.
func (t *truth) right(router, prefix int, r *simRoute, paths int) bool {
	dist := t.dist[prefix]
	if !t.reaches(router, prefix) || !r.have {
		return r.have == t.reaches(router, prefix)
	}
	d := dist[router]
	nearer := 0
	for _, h := range t.near[router] {
		if dist[h.router] == d-1 {
			nearer++
		}
	}
	if r.metric != uint8(d) || len(r.hops) != min(nearer, paths) {
		return false
	}
	for k, h := range r.hops {
		link, via, ok := t.at(h.Addr)
		if !ok || !t.hear(link, router, via) || dist[via] != d-1 || h.Interface != simNames[link] || slices.Contains(r.hops[:k], h) {
			return false
		}
	}
	return true
}

// loop looks for a forwarding loop: routers whose next hops for a prefix lead back
// to them.
func (t *truth) loop(prefix int, route func(router int) *simRoute) (loop []int) {
	const unseen, open, closed = 0, 1, 2
	state := make([]uint8, t.routers)
	var path []int
	var visit func(r int) bool
	visit = func(r int) bool {
		state[r] = open
		path = append(path, r)
		if x := route(r); x.have && t.dist[prefix][r] != 0 {
			for _, h := range x.hops {
				_, via, ok := t.at(h.Addr)
				if ok && (state[via] == open || state[via] == unseen && visit(via)) {
					return true
				}
			}
		}
		state[r], path = closed, path[:len(path)-1]
		return false
	}
	for r := range t.routers {
		if state[r] == unseen && visit(r) {
			return path
		}
	}
	return nil
}

// simNames are interface names by link.
var simNames = func() (names [4096]string) {
	for k := range names {
		names[k] = fmt.Sprintf("Eth%d", k)
	}
	return names
}()

// simRoute is what zebra holds of a router for a prefix.
type simRoute struct {
	have   bool
	metric uint8
	life   int32 // of the daemon that stated it
	hops   []rib.NextHop
}
