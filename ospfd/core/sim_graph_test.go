package core_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

var (
	simFirst   = flag.Uint64("sim-first", 1, "seed of the first graph")
	simSeeds   = flag.Int("sim-seeds", 3, "graphs in the simulation of graphs")
	simRouters = flag.Int("sim-routers", 20, "routers in each graph")
)

type (
	coreNode = simnet.Node[core.Input, core.Effect]
	coreEnv  = simnet.Env[core.Input, core.Effect]
)

var simWall = time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC)

const (
	simLoss = 0.03
	simLAN  = 7 // cost of a router's own network
)

// simGraph is a graph of routers at work, in areas of which some are random, on wires and
// LANs, and some a hub or two with spokes on multipoint tunnels, that lose packets.
type simGraph struct {
	*simnet.Network
	seed    uint64
	routers []*simRouter
	wires   []*simWire
	areas   int  // besides the backbone
	reduced bool // half of the routers reduce flooding
	failure error
}

// simWire is a network that joins routers.
type simWire struct {
	graph  *simGraph
	number int
	area   packet.ID
	link   *simnet.Link
	typ    fsm.NetworkType
	hub    *simRouter // of a multipoint tunnel, the first on it; else nil
	on     []*simRouter
	cost   []uint16 // of each of them
	down   bool     // its interfaces are down
}

type simRouter struct {
	graph  *simGraph
	id     int
	home   packet.ID // area of its own network: the backbone if it is a border router
	node   *coreNode
	wires  []*simWire // by port
	names  map[string]int
	config core.Config
	routes map[netip.Prefix]simRoute
	memory map[core.Key]core.Memory
	noLAN  bool
	life   int
	logs   int // adjacencies that were lost
	done   int // EndOfReplay in this life
}

type simRoute struct {
	route rib.Route
	life  int
}

func (w *simWire) name() string { return fmt.Sprintf("Eth%d", w.number) }

func (w *simWire) addr(r *simRouter) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16 + byte(w.number>>8), byte(w.number), byte(slices.Index(w.on, r) + 1)}), 24)
}

func simStub(k int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(k >> 8), byte(k), 1}), 32)
}

// stubby reports whether an area is totally stubby: in large graphs, so that not every router
// knows of every network.
func (g *simGraph) stubby(area packet.ID) bool { return g.areas > 2 && area > 0 }

// tunnels returns what the tunnels of an area are, if it is one of hubs and spokes.
func (g *simGraph) tunnels(area packet.ID) (typ fsm.NetworkType, ok bool) {
	if area > 0 {
		switch (uint64(area) + g.seed) % 3 {
		case 1:
			return fsm.PointToMultipoint, true
		case 2:
			return fsm.Broadcast, true
		}
	}
	return 0, false
}

// newSimGraph makes a backbone and areas about it with two border routers each: a ring in
// random order with chords and a LAN or two, or spokes of both.
func newSimGraph(seed uint64, n int) *simGraph {
	g := &simGraph{Network: simnet.New(seed), seed: seed, areas: max(1, n/50), reduced: seed%2 == 0}
	rng := g.Rand()
	parts := make([][]int, g.areas+1)
	for id := range n {
		area := id % len(parts)
		parts[area] = append(parts[area], id)
		r := &simRouter{graph: g, id: id, home: packet.ID(area), routes: map[netip.Prefix]simRoute{}, names: map[string]int{}, memory: map[core.Key]core.Memory{}}
		r.config.Instances = []core.InstanceConfig{{Key: core.Key{Process: 1}, RouterID: simStub(id).Addr(), RFC1583: true, LogAdjacency: true, FloodReduction: g.reduced && id%2 == 0,
			PrefixSuppression: g.areas > 2}}
		for area := range packet.ID(g.areas + 1) {
			if g.stubby(area) {
				r.config.Instances[0].Areas = append(r.config.Instances[0].Areas, core.AreaConfig{ID: area, Kind: core.AreaStub, NoSummary: true})
			}
		}
		r.config.Interfaces = []core.InterfaceConfig{{Name: "Loopback0", HasArea: true, Process: 1, Area: r.home, Cost: simLAN}}
		r.node = simnet.Add(g.Network, fmt.Sprintf("r%d", id), r.behavior())
		g.routers = append(g.routers, r)
	}
	for area, ids := range parts {
		if area > 0 {
			for _, k := range rng.Perm(len(parts[0]))[:min(2, len(parts[0]))] {
				ids = append(ids, parts[0][k])
			}
		}
		if typ, ok := g.tunnels(packet.ID(area)); ok {
			for _, hub := range ids[len(parts[area]):] {
				g.join(rng, packet.ID(area), typ, append([]int{hub}, parts[area]...)...).star()
			}
			continue
		}
		g.fill(rng, packet.ID(area), ids)
	}
	for _, r := range g.routers {
		r.node.Crash()
		g.After(time.Duration(rng.Int64N(int64(5*time.Second))), r.boot)
	}
	return g
}

// fill joins the routers of an area.
func (g *simGraph) fill(rng *rand.Rand, area packet.ID, ids []int) {
	n := len(ids)
	rng.Shuffle(n, func(a, b int) { ids[a], ids[b] = ids[b], ids[a] })
	for k := range n {
		g.join(rng, area, g.wireType(rng), ids[k], ids[(k+1)%n])
	}
	for range n / 2 {
		if a, b := rng.IntN(n), rng.IntN(n); a != b {
			g.join(rng, area, g.wireType(rng), ids[a], ids[b])
		}
	}
	for range max(1, n/15) {
		var some []int
		for _, k := range rng.Perm(n)[:min(n, 3+rng.IntN(4))] {
			some = append(some, ids[k])
		}
		g.join(rng, area, fsm.Broadcast, some...)
	}
}

// wireType is what a wire between two routers is.
func (g *simGraph) wireType(rng *rand.Rand) fsm.NetworkType {
	if rng.IntN(4) == 0 {
		return fsm.Broadcast
	}
	return fsm.PointToPoint
}

func (g *simGraph) join(rng *rand.Rand, area packet.ID, typ fsm.NetworkType, ids ...int) *simWire {
	w := &simWire{graph: g, number: len(g.wires), area: area, typ: typ, link: g.Link(simnet.Quality{Latency: time.Millisecond, Jitter: 5 * time.Millisecond, Loss: simLoss, Duplicate: 0.01})}
	w.link.Multicast = true
	g.wires = append(g.wires, w)
	for _, id := range ids {
		r := g.routers[id]
		w.on = append(w.on, r)
		w.cost = append(w.cost, uint16(1+rng.IntN(100)))
		r.config.Interfaces = append(r.config.Interfaces, core.InterfaceConfig{Name: w.name(), HasArea: true, Process: 1, Area: area, Type: typ,
			Cost: w.cost[len(w.cost)-1], Hello: time.Second, Dead: 4 * time.Second, Retransmit: 2 * time.Second})
	}
	for _, r := range w.on {
		w.link.Attach(r.node, w.addr(r).Addr())
		r.names[w.name()] = len(r.wires)
		r.wires = append(r.wires, w)
	}
	return w
}

// star makes a multipoint tunnel of a network, whose hub is the first router on it: the others
// hear only the hub, and are never its designated router.
func (w *simWire) star() {
	w.hub = w.on[0]
	w.link.Hub = w.hub.node.Port(w.hub.names[w.name()])
	for _, r := range w.on[1:] {
		if c := &r.config.Interfaces[len(r.config.Interfaces)-1]; w.typ == fsm.Broadcast {
			c.Priority = new(uint8)
		}
	}
}

// joins reports whether OSPF has a link by the network from one router to another: spokes on
// point-to-multipoint networks have none to each other, and those of a broadcast network only
// while the hub lives.
func (w *simWire) joins(from, to *simRouter) bool {
	switch {
	case w.down || from == to || !to.node.Alive():
		return false
	case w.hub == nil || from == w.hub || to == w.hub:
		return true
	}
	return w.typ == fsm.Broadcast && w.hub.node.Alive()
}

func (r *simRouter) behavior() simnet.Behavior[core.Input, core.Effect] {
	return simnet.Behavior[core.Input, core.Effect]{
		New: func(seed uint64) sm.Machine[core.Input, core.Effect] {
			return core.New(core.Options{Wall: simWall})
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
		port, ok := r.names[out.Interface]
		switch {
		case !ok:
			r.graph.failure = fmt.Errorf("%v: router %d sends on %q", r.graph.Now(), r.id, out.Interface)
			return
		case r.wires[port].down: // at this instant; it will be told
			return
		}
		e.Send(port, simnet.Packet{Src: simnet.Addr(out.Source), Dst: simnet.Addr(out.Dest), Protocol: packet.Protocol, Payload: out.Packet})
	case core.PutRoute:
		e.Note(uint64(out.Route.Metric))
		r.routes[out.Route.Prefix] = simRoute{out.Route, r.life}
	case core.DelRoute:
		e.Note(1)
		delete(r.routes, out.Key.Prefix)
	case core.Remember:
		r.memory[out.Key] = out.Value
	case core.Forget:
		delete(r.memory, out.Key)
	case core.Log:
		if out.Mnemonic == "ADJCHG" && strings.Contains(out.Text, "to DOWN") {
			r.logs++
		}
	case core.EndOfReplay:
		r.done++
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
	r.done = 0
	for k, m := range r.memory { // unordered: there is one
		r.node.Post(core.Remembered{Key: k, Value: m})
	}
	r.node.Post(core.Attached{Stale: len(r.routes)})
	r.lan()
	for _, w := range r.wires {
		r.wire(w)
	}
	r.node.Post(core.InterfacesKnown{})
	r.node.Post(core.ConfigSet{Config: r.config})
}

func (r *simRouter) lan() {
	r.node.Post(core.InterfaceChanged{Interface: rib.Interface{Name: "Loopback0", Type: rib.TypeLoopback, AdminUp: true, Up: !r.noLAN, MTU: 1500,
		Addresses: []rib.Address{{Prefix: simStub(r.id)}}}})
}

func (r *simRouter) wire(w *simWire) {
	r.node.Post(core.InterfaceChanged{Interface: rib.Interface{Name: w.name(), AdminUp: true, Up: !w.down, Multicast: true, MTU: 1500,
		Addresses: []rib.Address{{Prefix: w.addr(r)}}}})
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

// trouble lets something happen to the graph; last says that it stays so.
func (g *simGraph) trouble(last bool) {
	rng := g.Rand()
	later := func(undo func()) {
		if !last {
			g.After(time.Duration(1+rng.Int64N(20))*time.Second, undo)
		}
	}
	r, w := g.routers[rng.IntN(len(g.routers))], g.wires[rng.IntN(len(g.wires))]
	switch rng.IntN(5) {
	case 0: // a wire is cut, and the routers see it
		w.set(true)
		later(func() { w.set(false) })
	case 1: // a wire is silent
		if !last {
			w.link.Quality.Loss = 1
			later(func() { w.link.Quality.Loss = simLoss })
		}
	case 2: // a LAN is parted
		if !last && len(w.on) > 2 {
			w.link.Partition(1, w.on[0].node.Port(w.on[0].names[w.name()]), w.on[1].node.Port(w.on[1].names[w.name()]))
			later(w.link.Heal)
		}
	case 3: // a router's network comes and goes
		r.noLAN = true
		if r.node.Alive() {
			r.lan()
		}
		later(func() {
			if r.noLAN = false; r.node.Alive() {
				r.lan()
			}
		})
	case 4: // a daemon dies and is started again, soon or late
		if r.node.Alive() {
			r.node.Crash()
			later(r.boot)
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
		next = g.Now().Add(time.Second)
		return g.wrong() == ""
	})
	if err != nil {
		t.Fatalf("%v; %s", err, g.wrong())
	}
	return g.Now().Sub(at)
}

// calm ends the loss of packets: with it, four Hellos in a row are lost now and then.
func (g *simGraph) calm() {
	for _, w := range g.wires {
		w.link.Quality.Loss = 0
	}
}

// runGraph lets a network start, befalls it with trouble of which some stays, and leaves it
// alone: it comes right while packets are lost, and nothing changes any more when none are.
func runGraph(t *testing.T, seed uint64, n int) uint64 {
	t.Helper()
	g := newSimGraph(seed, n)
	g.Check(1000, func() error { return g.failure })
	for k := range 25 {
		for range 1 + n/100 {
			g.After(time.Duration(20+4*k)*time.Second, func() { g.trouble(k >= 22) })
		}
	}
	began := time.Now()
	if err := g.RunFor(150 * time.Second); err != nil {
		t.Fatal(err)
	}
	took := g.settle(t, time.Minute)
	g.calm()
	if err := g.RunFor(10 * time.Second); err != nil { // an adjacency may have been lost just now
		t.Error(err)
	}
	g.settle(t, 20*time.Second)
	for k := 0; k < 4 && !t.Failed(); k++ {
		if err := g.RunFor(12 * time.Second); err != nil {
			t.Error(err)
		}
		if w := g.wrong(); w != "" {
			t.Errorf("right after %v, and wrong again at %v: %s", took, g.Now(), w)
		}
	}
	t.Logf("seed %d: %d routers, %d areas, %d wires, right %.1f s after the last trouble, %d packets, %.1f s, hash %016x", seed, n, g.areas, len(g.wires), took.Seconds(),
		g.Stats().Sent, time.Since(began).Seconds(), g.Hash())
	return g.Hash()
}

// TestSimCore: graphs of routers in random areas and in areas of hubs and spokes, of which each
// is a whole core, on networks that lose packets, and with wires, LANs, tunnels, networks and
// daemons that fail, end at the shortest paths over what is left, and with equal databases (RFC
// 2328 sections 13 and 16). With every other seed half of the routers reduce flooding (RFC 4136).
func TestSimCore(t *testing.T) {
	for k := range uint64(*simSeeds) {
		seed := *simFirst + k
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runGraph(t, seed, *simRouters) })
	}
	n := min(*simRouters, 50)
	if a, b := runGraph(t, *simFirst, n), runGraph(t, *simFirst, n); a != b {
		t.Errorf("two runs of one seed differ: %016x, %016x", a, b)
	}
}

// TestSimRestart restarts the daemons of a graph gracefully one after the other, as planned
// or after a crash: nobody misses a route at any time, none changes, and no adjacency is
// lost (RFC 3623).
func TestSimRestart(t *testing.T) {
	for seed := range uint64(min(*simSeeds, 4)) {
		g := newSimGraph(seed+1, min(*simRouters, 14))
		for _, r := range g.routers {
			r.config.Instances[0].Restart.Enabled = true
		}
		for _, w := range g.wires {
			w.link.Quality = simnet.Quality{Latency: time.Millisecond}
		}
		if err := g.RunFor(30 * time.Second); err != nil {
			t.Fatal(err)
		}
		g.settle(t, 20*time.Second)
		dist := g.allWithin()
		g.Check(50, func() error {
			if w := g.wrongRoutes(dist); w != "" {
				return fmt.Errorf("%v: %s", g.Now(), w)
			}
			return g.failure
		})
		for k, r := range g.routers {
			if k%2 == 0 {
				r.node.Post(core.Shutdown{Restart: true})
				if err := g.RunFor(100 * time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
			r.node.Restart() // nothing happens in this life
			if err := g.RunFor(time.Second); err != nil {
				t.Fatalf("seed %d: router %d died: %v", seed+1, r.id, err)
			}
			r.boot()
			if err := g.RunFor(40 * time.Second); err != nil || r.done != 1 {
				t.Fatalf("seed %d: router %d restarted: %v, %d EndOfReplay", seed+1, r.id, err, r.done)
			}
		}
		for _, r := range g.routers {
			if r.logs > 0 {
				t.Errorf("seed %d: router %d lost %d adjacencies", seed+1, r.id, r.logs)
			}
		}
	}
}

// database returns what a router knows of an area, but for what is being flushed.
func (r *simRouter) database(area packet.ID) string {
	m := r.node.Machine()
	m.Step(r.graph.Now(), core.Query{ID: 1, Kind: core.ReportDatabase, Database: core.DatabaseFilter{Area: &area}})
	var all strings.Builder
	for _, e := range m.Drain(nil) {
		if a, ok := e.(core.Answer); ok {
			for _, d := range a.Report.(*core.DatabaseReport).Instances[0].Areas {
				for _, l := range d.LSAs {
					if !l.IsMaxAge() {
						instance := fmt.Sprint(l.Sequence, l.Checksum)
						if r.graph.reduced { // what says the same is not always told
							instance = fmt.Sprintf("%x %x", l.Options, l.Body())
						}
						fmt.Fprintln(&all, l.LSAKey, instance)
					}
				}
			}
		}
	}
	return all.String()
}
