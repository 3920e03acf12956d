package spf

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

func id(s string) packet.ID { return packet.IDOf(netip.MustParseAddr(s)) }

func stub(network, mask string, metric uint16) packet.RouterLink {
	return packet.RouterLink{ID: id(network), Data: uint32(id(mask)), Type: packet.LinkStub, Metric: metric}
}

func p2p(to packet.ID, metric uint16) packet.RouterLink {
	return packet.RouterLink{ID: to, Type: packet.LinkPointToPoint, Metric: metric}
}

func transit(network, own string, metric uint16) packet.RouterLink {
	return packet.RouterLink{ID: id(network), Data: uint32(id(own)), Type: packet.LinkTransit, Metric: metric}
}

func links(l ...packet.RouterLink) packet.Router { return packet.Router{Links: l} }

// figure2 is the area of RFC 2328 Figure 2: its routers and networks, with the costs of
// Figure 3. N3 is 10.0.3.0/24, N6 10.0.6.0/24, N8 and N9 alike; router n is 1.1.1.n.
func figure2() *Area {
	rt := func(n int) packet.ID { return id(fmt.Sprintf("1.1.1.%d", n)) }
	var a Area
	a.SetRouter(rt(1), links(stub("10.0.1.0", "255.255.255.0", 3), transit("10.0.3.4", "10.0.3.1", 1)))
	a.SetRouter(rt(2), links(stub("10.0.2.0", "255.255.255.0", 3), transit("10.0.3.4", "10.0.3.2", 1)))
	a.SetRouter(rt(3), links(transit("10.0.3.4", "10.0.3.3", 1), p2p(rt(6), 8), stub("10.0.4.0", "255.255.255.0", 2)))
	a.SetRouter(rt(4), links(transit("10.0.3.4", "10.0.3.4", 1), p2p(rt(5), 8)))
	a.SetRouter(rt(5), links(p2p(rt(4), 8), p2p(rt(6), 7), p2p(rt(7), 6)))
	a.SetRouter(rt(6), links(p2p(rt(3), 6), p2p(rt(5), 6), p2p(rt(10), 7)))
	a.SetRouter(rt(7), links(p2p(rt(5), 6), transit("10.0.6.8", "10.0.6.7", 1)))
	a.SetRouter(rt(8), links(transit("10.0.6.8", "10.0.6.8", 1), stub("10.0.7.0", "255.255.255.0", 4)))
	a.SetRouter(rt(9), links(stub("10.0.11.0", "255.255.255.0", 3), transit("10.0.9.9", "10.0.9.9", 1)))
	a.SetRouter(rt(10), links(p2p(rt(6), 5), transit("10.0.6.8", "10.0.6.10", 1), transit("10.0.8.10", "10.0.8.10", 3)))
	a.SetRouter(rt(11), links(transit("10.0.9.9", "10.0.9.11", 1), transit("10.0.8.10", "10.0.8.11", 2)))
	a.SetRouter(rt(12), links(transit("10.0.9.9", "10.0.9.12", 1), stub("10.0.10.0", "255.255.255.0", 2), stub("10.1.0.1", "255.255.255.255", 10)))
	network := func(ls string, by int, routers ...int) {
		body := packet.Network{Mask: 0xffffff00}
		for _, n := range routers {
			body.Routers = append(body.Routers, rt(n))
		}
		a.SetNetwork(id(ls), rt(by), body)
	}
	network("10.0.3.4", 4, 1, 2, 3, 4)
	network("10.0.6.8", 8, 7, 8, 10)
	network("10.0.8.10", 10, 10, 11)
	network("10.0.9.9", 9, 9, 11, 12)
	return &a
}

// TestFigure6 wants the distances of RFC 2328 Table 2 (the tree of Figure 5 from router 6)
// as far as they are within the area.
func TestFigure6(t *testing.T) {
	tree := figure2().Run(id("1.1.1.6"))
	got := map[string]uint32{}
	hop := map[string]string{}
	for _, r := range tree.Routes() {
		got[r.Prefix.String()] = r.Cost
		if len(r.Hops) == 1 {
			hop[r.Prefix.String()] = r.Hops[0].Router.String()
		}
	}
	want := map[string]uint32{"10.0.1.0/24": 10, "10.0.2.0/24": 10, "10.0.3.0/24": 7, "10.0.4.0/24": 8, "10.0.6.0/24": 8,
		"10.0.7.0/24": 12, "10.0.8.0/24": 10, "10.0.9.0/24": 11, "10.0.10.0/24": 13, "10.0.11.0/24": 14, "10.1.0.1/32": 21}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("distances (-want +got):\n%s", d)
	}
	if hop["10.0.1.0/24"] != "1.1.1.3" || hop["10.0.11.0/24"] != "1.1.1.10" {
		t.Errorf("first hops: %v", hop)
	}
	for router, want := range map[string]uint32{"1.1.1.5": 6, "1.1.1.7": 8, "1.1.1.6": 0} {
		if v, ok := tree.Vertex(false, id(router), 0); !ok || v.Distance != want {
			t.Errorf("router %s: %d, %v, want %d", router, v.Distance, ok, want)
		}
	}
}

// TestHops looks at the first hops on a transit network (section 16.1.1).
func TestHops(t *testing.T) {
	tree := figure2().Run(id("1.1.1.1"))
	v, _ := tree.Vertex(true, id("10.0.3.4"), id("1.1.1.4"))
	if d := cmp.Diff([]Hop{{Link: 1}}, v.Hops); d != "" {
		t.Errorf("the network (-want +got):\n%s", d)
	}
	v, _ = tree.Vertex(false, id("1.1.1.10"), 0)
	both := []Hop{{Link: 1, Router: id("1.1.1.3"), Addr: id("10.0.3.3")}, {Link: 1, Router: id("1.1.1.4"), Addr: id("10.0.3.4")}}
	if d := cmp.Diff(both, v.Hops); d != "" || v.Distance != 16 {
		t.Errorf("router 10 at %d (-want +got):\n%s", v.Distance, d)
	}
	routes := tree.Routes()
	i := slices.IndexFunc(routes, func(r Route) bool { return r.Prefix.String() == "10.0.3.0/24" })
	if r := routes[i]; !r.Transit || !slices.Equal(r.Attached, []int{1}) || r.Cost != 1 {
		t.Errorf("%+v", r)
	}
	i = slices.IndexFunc(routes, func(r Route) bool { return r.Prefix.String() == "10.0.1.0/24" })
	if r := routes[i]; r.Transit || !slices.Equal(r.Attached, []int{0}) || len(r.Hops) > 0 || r.Cost != 3 {
		t.Errorf("%+v", r)
	}
}

// TestOneSided: what only one side claims is not used (section 16.1 step 2b).
func TestOneSided(t *testing.T) {
	var a Area
	a.SetRouter(1, links(p2p(2, 1), transit("10.0.0.3", "10.0.0.1", 1), packet.RouterLink{ID: 4, Type: packet.LinkVirtual, Metric: 1}))
	a.SetRouter(2, links(stub("10.2.0.0", "255.255.0.0", 1)))
	a.SetRouter(3, links(transit("10.0.0.3", "10.0.0.3", 1)))
	a.SetRouter(4, links(p2p(1, 1)))
	a.SetNetwork(id("10.0.0.3"), 3, packet.Network{Mask: 0xffffff00, Routers: []packet.ID{3}})
	reached := func(want ...packet.ID) {
		t.Helper()
		var got []packet.ID
		for v := range a.Run(1).Routers {
			got = append(got, v.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("reached %v, want %v", got, want)
		}
	}
	reached(1)
	if !a.SetRouter(2, links(p2p(1, 1))) {
		t.Error("a link more does not change the tree")
	}
	reached(1, 2)
	a.SetNetwork(id("10.0.0.3"), 3, packet.Network{Mask: 0xffffff00, Routers: []packet.ID{1, 3}})
	reached(1, 2, 3)
	a.RemoveNetwork(id("10.0.0.3"), 3)
	a.RemoveRouter(2)
	reached(1)
	if (len(a.Run(9).Routes()) + len(Tree{area: &a}.Routes())) != 0 {
		t.Error("a root without an LSA has routes")
	}
}

// TestTreeUnchanged: stub links are no reason to run again.
func TestTreeUnchanged(t *testing.T) {
	a := figure2()
	if a.SetRouter(id("1.1.1.1"), links(stub("10.0.1.0", "255.255.255.0", 9), transit("10.0.3.4", "10.0.3.1", 1), stub("10.9.0.0", "255.255.0.0", 1))) {
		t.Error("a stub changes the tree")
	}
	if !a.SetRouter(id("1.1.1.1"), links(transit("10.0.3.4", "10.0.3.1", 1))) {
		t.Error("the index of a link changed, and not the tree")
	}
	if a.SetNetwork(id("10.0.9.9"), id("1.1.1.9"), packet.Network{Routers: []packet.ID{id("1.1.1.12"), id("1.1.1.11"), id("1.1.1.9")}}) {
		t.Error("another order of routers changes the tree")
	}
	if !a.SetNetwork(id("10.0.9.9"), id("1.1.1.9"), packet.Network{Routers: []packet.ID{id("1.1.1.12"), id("1.1.1.9")}}) {
		t.Error("a router that left the network does not change the tree")
	}
}

// TestEqualCost: two ways to a network, and more than MaxHops.
func TestEqualCost(t *testing.T) {
	var a Area
	var hub, far packet.Router
	for i := range MaxHops + 10 {
		mid := packet.ID(100 + i)
		hub.Links = append(hub.Links, p2p(mid, 5))
		far.Links = append(far.Links, p2p(mid, 5))
		a.SetRouter(mid, links(p2p(1, 5), p2p(2, 5)))
	}
	far.Links = append(far.Links, stub("10.0.0.0", "255.0.0.0", 1), stub("10.0.0.0", "255.0.255.0", 1))
	a.SetRouter(1, hub)
	a.SetRouter(2, far)
	routes := a.Run(1).Routes()
	if len(routes) != 1 || len(routes[0].Hops) != MaxHops || routes[0].Cost != 11 || routes[0].Hops[1] != (Hop{1, 101, 0}) {
		t.Errorf("%+v", routes)
	}
}

// graph draws an area of n routers with about so many links, on point-to-point links and
// transit networks, some of them one-sided, and costs from 1 on.
func graph(rng *rand.Rand, n, edges int) *Area {
	bodies := make([]packet.Router, n)
	cost := func() uint16 { return uint16(1 + rng.IntN(20)) }
	for range edges {
		v, w := rng.IntN(n), rng.IntN(n)
		if v == w {
			continue
		}
		bodies[v].Links = append(bodies[v].Links, p2p(packet.ID(w+1), cost()))
		if rng.IntN(20) > 0 {
			bodies[w].Links = append(bodies[w].Links, p2p(packet.ID(v+1), cost()))
		}
	}
	var a Area
	for k := range n / 4 {
		ls := packet.ID(0x0a000000 + k<<8)
		body := packet.Network{Mask: 0xffffff00}
		for range 1 + rng.IntN(5) {
			v := rng.IntN(n)
			body.Routers = append(body.Routers, packet.ID(v+1))
			if rng.IntN(20) > 0 {
				bodies[v].Links = append(bodies[v].Links, packet.RouterLink{ID: ls, Data: uint32(ls) + uint32(v) + 1, Type: packet.LinkTransit, Metric: cost()})
			}
		}
		a.SetNetwork(ls, body.Routers[0], body)
	}
	for v, b := range bodies {
		b.Links = append(b.Links, packet.RouterLink{ID: packet.ID(0x0b000000 + v<<8), Data: 0xffffff00, Type: packet.LinkStub, Metric: cost()})
		a.SetRouter(packet.ID(v+1), b)
	}
	return &a
}

// naive computes distances by relaxing all edges until nothing changes: to routers by ID,
// and to networks by Link State ID.
func naive(a *Area, root packet.ID) (routers, networks map[packet.ID]uint32) {
	routers, networks = map[packet.ID]uint32{root: 0}, map[packet.ID]uint32{}
	shorter := func(to map[packet.ID]uint32, id packet.ID, d uint32) bool {
		if old, ok := to[id]; ok && old <= d {
			return false
		}
		to[id] = d
		return true
	}
	for changed := true; changed; {
		changed = false
		for v, n := range a.routers { // unordered: until nothing changes
			d, ok := routers[v]
			if !ok {
				continue
			}
			for _, l := range n.router.Links {
				switch l.Type {
				case packet.LinkPointToPoint:
					if w := a.routers[l.ID]; w != nil && slices.ContainsFunc(w.router.Links, func(b packet.RouterLink) bool {
						return b.Type == l.Type && b.ID == v
					}) {
						changed = shorter(routers, l.ID, d+uint32(l.Metric)) || changed
					}
				case packet.LinkTransit:
					if w := a.attached(l.ID, v); w != nil {
						changed = shorter(networks, l.ID, d+uint32(l.Metric)) || changed
					}
				}
			}
		}
		for ls, d := range networks { // unordered: until nothing changes
			for _, id := range a.networks[ls][0].links {
				if slices.ContainsFunc(a.routers[id].router.Links, func(b packet.RouterLink) bool { return b.Type == packet.LinkTransit && b.ID == ls }) {
					changed = shorter(routers, id, d) || changed
				}
			}
		}
	}
	return routers, networks
}

// naiveHops are the first hops to a router: each neighbour of the root from which the rest
// of the way is as long as it must be.
func naiveHops(a *Area, root, to packet.ID, from map[packet.ID]map[packet.ID]uint32) (hops []Hop) {
	distance := from[root][to]
	through := func(link int, metric uint32, first packet.ID, addr packet.ID) {
		if d, ok := from[first][to]; ok && metric+d == distance {
			hops = append(hops, Hop{link, first, addr})
		}
	}
	for i, l := range a.routers[root].router.Links {
		switch l.Type {
		case packet.LinkPointToPoint:
			if w := a.routers[l.ID]; w != nil && slices.ContainsFunc(w.router.Links, func(b packet.RouterLink) bool { return b.Type == l.Type && b.ID == root }) {
				through(i, uint32(l.Metric), l.ID, 0)
			}
		case packet.LinkTransit:
			w := a.attached(l.ID, root)
			if w == nil {
				continue
			}
			for _, first := range w.links {
				at := slices.IndexFunc(a.routers[first].router.Links, func(b packet.RouterLink) bool { return b.Type == packet.LinkTransit && b.ID == l.ID })
				if at >= 0 && first != root {
					through(i, uint32(l.Metric), first, packet.ID(a.routers[first].router.Links[at].Data))
				}
			}
		}
	}
	slices.SortFunc(hops, compareHops)
	return slices.Compact(hops)
}

// TestAgainstNaive compares distances and first hops with what they are by definition.
func TestAgainstNaive(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		a := graph(rng, 2+rng.IntN(25), rng.IntN(60))
		from := map[packet.ID]map[packet.ID]uint32{}
		for v := range a.routers { // unordered: into a map
			from[v], _ = naive(a, v)
		}
		for root := range a.routers { // unordered: each for itself
			routers, networks := naive(a, root)
			tree := a.Run(root)
			got := map[packet.ID]uint32{}
			for v := range tree.Routers {
				got[v.ID] = v.Distance
				if v.ID == root {
					continue
				}
				if d := cmp.Diff(naiveHops(a, root, v.ID, from), v.Hops, cmpopts.EquateEmpty()); d != "" {
					t.Fatalf("seed %d, root %v: hops to %v (-want +got):\n%s", seed, root, v.ID, d)
				}
			}
			if d := cmp.Diff(routers, got); d != "" {
				t.Fatalf("seed %d, root %v: routers (-want +got):\n%s", seed, root, d)
			}
			for ls, list := range a.networks { // unordered: each for itself
				v, ok := tree.Vertex(true, ls, list[0].by)
				if want, there := networks[ls]; ok != there || ok && v.Distance != want {
					t.Fatalf("seed %d, root %v: network %v at %d, %v, want %d, %v", seed, root, ls, v.Distance, ok, want, there)
				}
			}
		}
	}
}

// BenchmarkRun is an area of 10,000 routers with 30,000 links: the tree, and the routes.
func BenchmarkRun(b *testing.B) {
	a := graph(rand.New(rand.NewPCG(1, 1)), 10_000, 30_000)
	a.Run(1)
	b.Run("tree", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a.Run(1)
		}
	})
	b.Run("routes", func(b *testing.B) {
		tree := a.Run(1)
		b.ReportAllocs()
		for b.Loop() {
			tree.Routes()
		}
	})
}

// TestStubAndTransit: a network that is told as a stub and as a transit network is one
// route, by its network-LSA.
func TestStubAndTransit(t *testing.T) {
	a := figure2()
	a.SetRouter(id("1.1.1.5"), links(p2p(id("1.1.1.4"), 8), stub("10.0.3.0", "255.255.255.0", 1)))
	a.SetRouter(id("1.1.1.4"), links(transit("10.0.3.4", "10.0.3.4", 9), p2p(id("1.1.1.5"), 8)))
	routes := a.Run(id("1.1.1.4")).Routes()
	i := slices.IndexFunc(routes, func(r Route) bool { return r.Prefix.String() == "10.0.3.0/24" })
	want := Route{Prefix: netip.MustParsePrefix("10.0.3.0/24"), Cost: 9, Transit: true, Origin: id("10.0.3.4"), By: id("1.1.1.4"), Attached: []int{0},
		Hops: []Hop{{Link: 0}, {Link: 1, Router: id("1.1.1.5")}}}
	if d := cmp.Diff(want, routes[i], cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
