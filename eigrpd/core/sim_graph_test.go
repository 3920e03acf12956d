package core_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/lib/sm"
)

var (
	simSeeds   = flag.Int("sim-seeds", 6, "random graphs in the simulation of graphs")
	simRouters = flag.Int("sim-routers", 20, "routers in each graph")
)

// simGraph is a random graph of routers at work, on wires and LANs that lose packets.
type simGraph struct {
	*simnet.Network
	routers []*simRouter
	wires   []*simWire
	failure error
	peace   [][]uint32 // metrics of each router to each LAN
}

// simWire is a network that joins routers, at a delay in tens of microseconds.
type simWire struct {
	link  *simnet.Link
	on    []*simRouter
	delay uint32
	down  bool // its interfaces are down
}

type simRouter struct {
	graph   *simGraph
	id      int
	node    *coreNode
	config  core.Config
	wires   []*simWire // by port
	routes  map[netip.Prefix]simRoute
	noLAN   bool
	life    int
	replays int
}

const (
	simBandwidth = 100_000 // kbit/s, of all interfaces: so metrics add up by delay
	simLANDelay  = 7
)

func (w *simWire) name() string { return fmt.Sprintf("Eth%d", w.number()) }

func (w *simWire) number() int { return slices.Index(w.on[0].graph.wires, w) }

func (w *simWire) addr(r *simRouter) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16 + byte(w.number()>>8), byte(w.number()), byte(slices.Index(w.on, r) + 1)}), 24)
}

// newSimGraph makes a ring in random order, chords, and a LAN or two.
func newSimGraph(seed uint64, n int, nsf bool) *simGraph {
	g := &simGraph{Network: simnet.New(seed)}
	rng := g.Rand()
	for id := range n {
		r := &simRouter{graph: g, id: id, routes: map[netip.Prefix]simRoute{}}
		ic := core.InstanceConfig{Key: core.Key{Family: rib.IPv4, AS: 1}, Networks: simEverywhere, NoNSF: !nsf || rng.IntN(2) == 0}
		if seed%2 == 0 {
			ic.Name = "NAMED"
		}
		r.config.Instances = []core.InstanceConfig{ic}
		r.node = simnet.Add(g.Network, fmt.Sprintf("r%d", id), r.behavior())
		g.routers = append(g.routers, r)
	}
	order := rng.Perm(n)
	for k := range n {
		g.join(rng, order[k], order[(k+1)%n])
	}
	for range n / 2 {
		if a, b := rng.IntN(n), rng.IntN(n); a != b {
			g.join(rng, a, b)
		}
	}
	for range max(1, n/15) {
		g.join(rng, rng.Perm(n)[:min(n, 3+rng.IntN(4))]...)
	}
	for _, r := range g.routers {
		r.node.Crash()
		g.After(time.Duration(rng.Int64N(int64(5*time.Second))), r.boot)
	}
	return g
}

func (g *simGraph) join(rng *rand.Rand, ids ...int) {
	w := &simWire{link: g.Link(simnet.Quality{Latency: time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.05, Duplicate: 0.01}), delay: 1 + uint32(rng.IntN(1000))}
	w.link.Multicast = true
	g.wires = append(g.wires, w)
	for _, id := range ids {
		w.on = append(w.on, g.routers[id])
	}
	for _, r := range w.on {
		w.link.Attach(r.node, w.addr(r).Addr())
		r.wires = append(r.wires, w)
	}
}

func (r *simRouter) behavior() simnet.Behavior[core.Input, core.Effect] {
	return simnet.Behavior[core.Input, core.Effect]{
		New: func(seed uint64) sm.Machine[core.Input, core.Effect] {
			return core.New(core.Options{Source: rand.NewPCG(seed, 3), Wall: simWall})
		},
		Tick: core.Tick{},
		Receive: func(port *simnet.Port, p simnet.Packet) (core.Input, bool) {
			w := r.wires[port.Index()]
			return core.RxPacket{Interface: w.name(), Source: p.Src.Addr(), Dest: p.Dst.Addr(), Packet: p.Payload}, !w.down
		},
		Effect: r.effect,
	}
}

func (r *simRouter) effect(e *coreEnv, out core.Effect) {
	switch out := out.(type) {
	case core.TxPacket:
		port := slices.IndexFunc(r.wires, func(w *simWire) bool { return w.name() == out.Interface })
		if port < 0 || r.wires[port].down {
			r.graph.failure = fmt.Errorf("%v: router %d sends on %s", r.graph.Now(), r.id, out.Interface)
			return
		}
		e.Send(port, simnet.Packet{Src: simnet.Addr(out.Source), Dst: simnet.Addr(out.Dest), Protocol: packet.Protocol, Payload: out.Packet})
	case core.PutRoute:
		e.Note(uint64(out.Route.Metric))
		r.routes[out.Route.Prefix] = simRoute{out.Route, r.life}
	case core.DelRoute:
		e.Note(1)
		delete(r.routes, out.Key.Prefix)
	case core.EndOfReplay:
		r.replays++
		for p, x := range r.routes {
			if x.life != r.life {
				delete(r.routes, p)
			}
		}
	}
}

func (r *simRouter) boot() {
	r.node.Restart()
	r.life++
	r.node.Post(core.Attached{Stale: len(r.routes)})
	r.lan()
	for _, w := range r.wires {
		r.wire(w)
	}
	r.node.Post(core.InterfacesKnown{})
	r.node.Post(core.ConfigSet{Config: r.config})
}

func (r *simRouter) lan() {
	p := simStub(r.id)
	r.node.Post(core.InterfaceChanged{Interface: rib.Interface{Name: "Loopback0", Type: rib.TypeLoopback, AdminUp: true, Up: !r.noLAN, MTU: 1500,
		Bandwidth: simBandwidth, Delay: simLANDelay, Addresses: []rib.Address{{Prefix: netip.PrefixFrom(p.Addr().Next(), p.Bits())}}}})
}

func (r *simRouter) wire(w *simWire) {
	r.node.Post(core.InterfaceChanged{Interface: rib.Interface{Name: w.name(), AdminUp: true, Up: !w.down, Multicast: true, MTU: 1500,
		Bandwidth: simBandwidth, Delay: w.delay, Addresses: []rib.Address{{Prefix: w.addr(r)}}}})
}

// set brings a network up or down, and tells the routers that live.
func (w *simWire) set(down bool) {
	w.down = down
	for _, r := range w.on {
		if r.node.Alive() {
			r.wire(w)
		}
	}
}

// distances returns for each router the least delay to another one's LAN, by
// relaxation: independent of DUAL and of its tables. -1: there is no way.
func (g *simGraph) distances(to *simRouter) []int {
	dist := make([]int, len(g.routers))
	for k := range dist {
		dist[k] = -1
	}
	if to.noLAN || !to.node.Alive() {
		return dist
	}
	dist[to.id] = simLANDelay
	for changed := true; changed; {
		changed = false
		for _, w := range g.wires {
			for _, a := range w.on {
				for _, b := range w.on {
					if w.down || a == b || dist[a.id] < 0 || !a.node.Alive() || !b.node.Alive() {
						continue
					}
					if d := dist[a.id] + int(w.delay); dist[b.id] < 0 || d < dist[b.id] {
						dist[b.id], changed = d, true
					}
				}
			}
		}
	}
	return dist
}

// wrong says what is not as it should be, "" if all is: each router has the shortest way
// to each LAN, by neighbours that are on one.
func (g *simGraph) wrong() string {
	for _, to := range g.routers {
		dist := g.distances(to)
		for _, r := range g.routers {
			if r == to || !r.node.Alive() {
				continue
			}
			x, have := r.routes[simStub(to.id)]
			if have != (dist[r.id] >= 0) {
				return fmt.Sprintf("router %d to %v: %v, distance %d", r.id, simStub(to.id), have, dist[r.id])
			}
			if !have {
				continue
			}
			if want := g.metric(r, dist[r.id]); x.route.Metric != want {
				return fmt.Sprintf("router %d to %v: metric %d, want %d", r.id, simStub(to.id), x.route.Metric, want)
			}
			for _, h := range x.route.NextHops {
				if next := g.at(h.Addr); next == nil || dist[next.id] < 0 || dist[next.id] >= dist[r.id] {
					return fmt.Sprintf("router %d to %v by %v, which is no nearer", r.id, simStub(to.id), h.Addr)
				}
			}
		}
	}
	return ""
}

// metric is the metric of a route by its delay, worked out by RFC 7868 sections 5.6.1.1
// and 5.6.2.5: in named mode divided by 128 for the routing table.
func (g *simGraph) metric(r *simRouter, delay int) uint32 {
	if r.config.Instances[0].Name == "" {
		return uint32(256 * (10_000_000/simBandwidth + delay))
	}
	const scale = 65536
	return uint32((scale*10_000_000/simBandwidth + scale*delay*10) / 128)
}

func (g *simGraph) at(a netip.Addr) *simRouter {
	for _, w := range g.wires {
		for _, r := range w.on {
			if w.addr(r).Addr() == a {
				return r
			}
		}
	}
	return nil
}

// trouble lets something happen to the graph, which is undone later.
func (g *simGraph) trouble() {
	rng := g.Rand()
	later := time.Duration(1+rng.Int64N(20)) * time.Second
	r, w := g.routers[rng.IntN(len(g.routers))], g.wires[rng.IntN(len(g.wires))]
	switch rng.IntN(4) {
	case 0: // a wire is cut, and the routers see it
		w.set(true)
		g.After(later, func() { w.set(false) })
	case 1: // a wire is silent
		w.link.Quality.Loss = 1
		g.After(later, func() { w.link.Quality.Loss = 0.05 })
	case 2: // a LAN comes and goes
		r.noLAN = true
		if r.node.Alive() {
			r.lan()
		}
		g.After(later, func() {
			if r.noLAN = false; r.node.Alive() {
				r.lan()
			}
		})
	case 3: // a daemon dies and is started again, soon or late
		if r.node.Alive() {
			r.node.Crash()
			g.After(later/2, r.boot)
		}
	}
}

// settle lets the graph alone until all is right, at most for so long.
func (g *simGraph) settle(t *testing.T, most time.Duration) time.Duration {
	t.Helper()
	at, next := g.Now(), g.Now()
	err := g.RunUntil(at.Add(most), func() bool {
		if g.Now() < next {
			return false
		}
		next = g.Now().Add(100 * time.Millisecond)
		return g.wrong() == ""
	})
	if err != nil {
		t.Errorf("%v; %s", err, g.wrong())
	}
	return g.Now().Sub(at)
}

// runGraph lets a network start, befalls it with trouble, and leaves it alone.
func runGraph(t *testing.T, seed uint64, n int, nsf bool, most time.Duration) uint64 {
	t.Helper()
	g := newSimGraph(seed, n, nsf)
	g.Check(1000, func() error { return g.failure })
	for k := range 25 {
		g.After(time.Duration(20+4*k)*time.Second, g.trouble)
	}
	if err := g.RunFor(140 * time.Second); err != nil {
		t.Fatal(err)
	}
	took := g.settle(t, most)
	if err := g.RunFor(time.Minute); err != nil {
		t.Error(err)
	}
	if w := g.wrong(); w != "" && !nsf && !t.Failed() {
		t.Errorf("right after %v, and wrong again: %s", took, w)
	}
	t.Logf("seed %d: %d wires, right %.1f s after the last trouble, %d packets, hash %016x", seed, len(g.wires), took.Seconds(), g.Stats().Sent, g.Hash())
	return g.Hash()
}

// TestSimCore: random graphs of routers, of which each is a whole core, on networks that
// lose packets, and with wires, LANs and daemons that fail, end at the shortest paths, as
// soon as what fell silent is noticed (a Hold Time) and what came back is greeted.
func TestSimCore(t *testing.T) {
	for seed := range uint64(*simSeeds) {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) { runGraph(t, seed+1, *simRouters, false, 30*time.Second) })
	}
	if a, b := runGraph(t, 1, *simRouters, false, 30*time.Second), runGraph(t, 1, *simRouters, false, 30*time.Second); a != b {
		t.Errorf("two runs of one seed differ: %016x, %016x", a, b)
	}
}

// TestSimCoreNSF is the same with half of the daemons asking for graceful restart in the
// midst of the trouble. What the neighbours keep may then be wrong, and what comes of it
// has to be found out by their timers, in the worst case by that of a route that is
// stuck in active (three times half of the active time, and the last REPLY).
func TestSimCoreNSF(t *testing.T) {
	for seed := range uint64(*simSeeds) {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) { runGraph(t, seed+1, *simRouters, true, 8*time.Minute) })
	}
}

// TestSimRestart restarts the daemons of a graph one after the other. Nobody has a wrong
// route at any time, and nobody misses one.
func TestSimRestart(t *testing.T) {
	for seed := range uint64(min(*simSeeds, 4)) {
		g := newSimGraph(seed+1, min(*simRouters, 12), true)
		for _, r := range g.routers {
			r.config.Instances[0].NoNSF = false
		}
		for _, w := range g.wires {
			w.link.Quality.Loss = 0.01
		}
		if err := g.RunFor(20 * time.Second); err != nil {
			t.Fatal(err)
		}
		g.settle(t, 20*time.Second)
		for _, r := range g.routers {
			g.peace = append(g.peace, make([]uint32, len(g.routers)))
			for _, to := range g.routers {
				g.peace[r.id][to.id] = r.routes[simStub(to.id)].route.Metric
			}
		}
		g.Check(50, func() error {
			if g.failure != nil {
				return g.failure
			}
			if w := g.lost(); w != "" {
				return fmt.Errorf("%v: %s", g.Now(), w)
			}
			return nil
		})
		for _, r := range g.routers {
			r.node.Crash()
			if err := g.RunFor(time.Second); err != nil {
				t.Fatalf("seed %d: router %d died: %v", seed+1, r.id, err)
			}
			r.replays = 0
			r.boot()
			if err := g.RunFor(25 * time.Second); err != nil || r.replays != 1 {
				t.Fatalf("seed %d: router %d restarted: %v, %d EndOfReplay", seed+1, r.id, err, r.replays)
			}
		}
	}
}

// lost says which router misses a route, or has one that is not the shortest, while all
// live or are about to be restarted.
func (g *simGraph) lost() string {
	for _, to := range g.routers {
		p := simStub(to.id)
		for _, r := range g.routers {
			x, have := r.routes[p]
			if r == to {
				continue
			}
			if want := g.peace[r.id][to.id]; !have || x.route.Metric != want {
				return fmt.Sprintf("router %d to %v: %v, metric %d of %d", r.id, p, have, x.route.Metric, want)
			}
		}
	}
	return ""
}
