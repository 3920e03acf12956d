package core

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// routesGraph is a network drawn at random: routers with a LAN each, and networks that
// join two or three of them.
type routesGraph struct {
	*routesNet
	rng   *rand.Rand
	wide  bool
	joins [][]*routesRouter // by network
	up    map[string]bool   // adjacencies
}

func drawGraph(t *testing.T, seed uint64) *routesGraph {
	rng := rand.New(rand.NewPCG(seed, 3))
	g := &routesGraph{routesNet: newRoutesNet(t), rng: rng, wide: rng.IntN(2) == 0, up: map[string]bool{}}
	cfg := InstanceConfig{MaximumPaths: 1 + rng.IntN(4)}
	if g.wide {
		cfg.Name = "N"
	}
	for k := range 4 + rng.IntN(5) {
		r := g.router(fmt.Sprintf("r%d", k), fmt.Sprintf("1.1.1.%d", k+1), cfg)
		r.iface("", "Lan", fmt.Sprintf("10.%d.0.1/24", k), g.bandwidth(), g.delay(), InterfaceConfig{})
	}
	for k := range len(g.routers) + rng.IntN(6) {
		on := slices.Clone(g.routers)
		rng.Shuffle(len(on), func(a, b int) { on[a], on[b] = on[b], on[a] })
		on = on[:2+rng.IntN(2)]
		for n, r := range on {
			// With split horizon a router does not tell one on a network of another there,
			// who may be no neighbour of it.
			open := len(on) > 2 || rng.IntN(3) == 0
			r.iface(fmt.Sprintf("net%d", k), fmt.Sprintf("Net%d", k), fmt.Sprintf("192.168.%d.%d/24", k, n+1), g.bandwidth(), g.delay(), InterfaceConfig{NoSplitHorizon: open})
		}
		g.joins = append(g.joins, on)
	}
	return g
}

func (g *routesGraph) bandwidth() uint64 {
	return []uint64{100, 1544, 10_000, 100_000, 1_000_000}[g.rng.IntN(5)]
}
func (g *routesGraph) delay() uint32 { return uint32(1 + g.rng.IntN(5000)) }

// change does one of the things that may happen.
func (g *routesGraph) change() {
	k := g.rng.IntN(len(g.joins))
	on, lan := g.joins[k], fmt.Sprintf("net%d", k)
	a, b := g.rng.IntN(len(on)), g.rng.IntN(len(on)-1)
	if b >= a {
		b++
	}
	ra, rb := on[min(a, b)], on[max(a, b)]
	key := lan + ra.name + rb.name
	switch {
	case g.rng.IntN(3) == 0:
		i := ra.on(lan)
		i.link.Bandwidth, i.link.Delay = g.bandwidth(), g.delay()
		ra.routesIfaceChanged(g.now, i)
		ra.flush()
	case g.rng.IntN(6) == 0:
		i := ra.ifaces["Lan"]
		i.link.Delay = g.delay()
		ra.routesIfaceChanged(g.now, i)
		ra.flush()
	default:
		g.set(lan, ra, rb, key, !g.up[key])
	}
}

// set makes or ends an adjacency without waiting for what comes of it.
func (g *routesGraph) set(lan string, a, b *routesRouter, key string, up bool) {
	if up == g.up[key] {
		return
	}
	g.up[key] = up
	for _, x := range [...][2]*routesRouter{{a, b}, {b, a}} {
		if up {
			x[0].adopt(x[1], lan)
		} else {
			n := x[0].neighborAt(x[1].on(lan).addr)
			x[0].routesNeighborDown(g.now, n)
			delete(x[0].neighbors, n.id)
		}
	}
	a.flush()
	b.flush()
	g.queue = slices.DeleteFunc(g.queue, func(p routesPacket) bool { return p.to.neighbors[p.id] == nil })
	if !up { // what was under way between the two is lost, also if they meet again
		g.queue = slices.DeleteFunc(g.queue, func(p routesPacket) bool {
			return p.from == a && p.to == b && p.net == lan || p.from == b && p.to == a && p.net == lan
		})
	}
}

// deliverSome delivers up to n packets, in any order but that between two routers on a
// network.
func (g *routesGraph) deliverSome(n int) {
	for ; n > 0 && len(g.queue) > 0; n-- {
		k := g.rng.IntN(len(g.queue))
		p := g.queue[k]
		first := slices.IndexFunc(g.queue, func(q routesPacket) bool { return q.from == p.from && q.to == p.to && q.net == p.net })
		p = g.queue[first]
		g.queue = slices.Delete(g.queue, first, first+1)
		g.deliver(p)
	}
}

// walk follows the first next hops from a router to a network, and adds up the metric
// as RFC 7868 section 5.6 has it. It reports false if there is no way, or a loop.
func (g *routesGraph) walk(r *routesRouter, p netip.Prefix) (metric uint64, ok bool) {
	slowest, delay := ^uint64(0), uint64(0)
	for range len(g.routers) + 1 {
		if i := r.ifaces["Lan"]; i.link.Addresses[0].Prefix.Masked() == p {
			return g.composite(min(slowest, i.link.Bandwidth), delay+uint64(i.link.Delay)), true
		}
		x, has := r.fib[p]
		if !has {
			return 0, false
		}
		i := r.ifaces[x.NextHops[0].Interface]
		slowest, delay = min(slowest, i.link.Bandwidth), delay+uint64(i.link.Delay)
		next := slices.IndexFunc(g.routers, func(o *routesRouter) bool {
			return slices.ContainsFunc(o.order, func(far *iface) bool { return far.addr == x.NextHops[0].Addr })
		})
		r = g.routers[next]
	}
	g.t.Errorf("a loop to %v", p)
	return 0, false
}

// composite is the metric of a bandwidth in kbit/s and a delay in tens of microseconds,
// as the routing table has it.
func (g *routesGraph) composite(bandwidth, delay uint64) uint64 {
	if g.wide {
		return (65536*10_000_000/bandwidth + 65536*delay*10) / 128
	}
	return 256 * (10_000_000/bandwidth + delay)
}

// reaches returns the routers that there is a way to.
func (g *routesGraph) reaches(r *routesRouter) map[*routesRouter]bool {
	seen := map[*routesRouter]bool{r: true}
	for grown := true; grown; {
		grown = false
		for k, on := range g.joins {
			for a := range on {
				for b := range on {
					x, y := on[min(a, b)], on[max(a, b)]
					if g.up[fmt.Sprintf("net%d", k)+x.name+y.name] && seen[on[a]] && !seen[on[b]] {
						seen[on[b]], grown = true, true
					}
				}
			}
		}
	}
	return seen
}

// TestRoutesOfGraphs has things happen to networks while packets are under way, and
// checks at each moment that there is no loop, and in the end that every router has a
// way to all that can be reached, with the metric of that way, and that no neighbour
// offers a better one.
func TestRoutesOfGraphs(t *testing.T) {
	for seed := range uint64(150) {
		g := drawGraph(t, seed)
		for range 60 {
			g.change()
			g.deliverSome(g.rng.IntN(30))
			for _, r := range g.routers {
				for _, o := range g.routers {
					g.walk(r, o.ifaces["Lan"].link.Addresses[0].Prefix.Masked())
				}
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		for range 1000 {
			g.deliverSome(1000)
		}
		if len(g.queue) > 0 {
			t.Fatalf("seed %d: messages without end", seed)
		}
		for _, r := range g.routers {
			g.judge(r)
			if r.table.Active() > 0 {
				t.Errorf("%s: %d routes are ACTIVE", r.name, r.table.Active())
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// judge checks the routes of one router.
func (g *routesGraph) judge(r *routesRouter) {
	for o := range g.reaches(r) {
		if o == r {
			continue
		}
		p := o.ifaces["Lan"].link.Addresses[0].Prefix.Masked()
		x, has := r.fib[p]
		want, ok := g.walk(r, p)
		if !has || !ok || uint64(x.Metric) != want {
			g.t.Errorf("%s to %v: metric %d, of the way %d", r.name, p, x.Metric, want)
		}
		for _, n := range r.neighbors {
			e, _ := r.table.Entry(p)
			for _, path := range e.Paths {
				if path.Neighbor == n.id && uint64(r.ribMetric(&path.Attribute)) < want {
					g.t.Errorf("%s to %v: %v is nearer", r.name, p, n.addr)
				}
			}
		}
	}
	if lost := len(r.fib); lost > 0 {
		reach := g.reaches(r)
		for _, o := range g.routers {
			p := o.ifaces["Lan"].link.Addresses[0].Prefix.Masked()
			if _, has := r.fib[p]; has && !reach[o] {
				g.t.Errorf("%s has a way to %v, which there is not", r.name, p)
			}
		}
	}
}
