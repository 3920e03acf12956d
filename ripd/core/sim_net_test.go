package core_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

type (
	coreNode  = simnet.Node[core.Input, core.Effect]
	coreEnv   = simnet.Env[core.Input, core.Effect]
	coreInput = core.Input
)

const (
	simSecond = clock.Instant(time.Second)
	// simHold is the longest time that a change waits for its triggered update
	// (RFC 2453 section 3.10.1), simRegular that to the next regular one, with its
	// jitter.
	simHold    = 5 * time.Second
	simRegular = core.DefaultUpdate + core.DefaultUpdate/6
	simGarbage = core.DefaultFlush - core.DefaultInvalid
	simLatency = 20 * time.Millisecond // at most, of a link that is left alone
)

var simWall = time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC)

// simNet is a graph of routers at work.
type simNet struct {
	*simnet.Network
	*simState
	intact  *truth // the graph with nothing broken: nothing is ever nearer
	routers []*simRouter
	wires   []*simnet.Link
	lossy   simnet.Quality // links, until the network is left alone
	hold    time.Duration  // Holddown
	msg     packet.Message

	// Once the network is left alone, the truth and what differs from it.
	truth     *truth
	wrong     int // routes that are not as they should be
	dead      int // of them, those for what cannot be reached any more
	rightAt   clock.Instant
	deadGone  clock.Instant
	worst     uint8 // metric that a route to a dead prefix counted up to
	violation error
	sampled   int // packets that were looked into
	busiest   int // packets in a second by one port
}

// simRouter is a router: its daemon, and what zebra holds of it.
type simRouter struct {
	net     *simNet
	id      int
	node    *coreNode
	config  core.Config
	horizon map[int]core.SplitHorizon // by link
	ports   []*simPort
	life    int32
	rib     []simRoute
	replays int // EndOfReplay of this life
	limit   int // packets per port and second
}

type simPort struct {
	link   int
	place  int
	port   *simnet.Port
	second clock.Instant
	sent   int
}

// newSimNet puts a network together. horizon chooses the split horizon of each
// interface.
func newSimNet(seed uint64, g *simGraph, lossy simnet.Quality, horizon func(rng *rand.Rand) core.SplitHorizon) *simNet {
	n := &simNet{Network: simnet.New(seed), simState: newSimState(g), lossy: lossy}
	n.intact = n.simState.truth()
	for range g.links {
		l := n.Link(lossy)
		l.Quality.Latency = time.Millisecond + time.Duration(n.Rand().Int64N(int64(simLatency-time.Millisecond)))
		l.Multicast = true
		n.wires = append(n.wires, l)
	}
	for id := range g.routers {
		r := &simRouter{net: n, id: id, horizon: map[int]core.SplitHorizon{}, rib: make([]simRoute, g.prefixes())}
		n.routers = append(n.routers, r)
		r.node = simnet.Add(n.Network, fmt.Sprintf("r%d", id), r.behavior())
		r.config.Routers = []core.RouterConfig{{Version: 2, Timers: core.Timers{Holddown: n.hold}, Networks: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("169.254.0.0/16")}}}
	}
	neighbors := make([]int, g.routers)
	for k, on := range g.links {
		for place, id := range on {
			r := n.routers[id]
			r.horizon[k] = horizon(n.Rand())
			r.config.Interfaces = append(r.config.Interfaces, core.InterfaceConfig{Name: simNames[k], SplitHorizon: r.horizon[k]})
			r.ports = append(r.ports, &simPort{link: k, place: place, port: n.wires[k].Attach(r.node, g.addr(k, place).Addr())})
			neighbors[id] = max(neighbors[id], len(on)-1)
		}
	}
	for _, r := range n.routers {
		// A regular update, two triggered ones, and the answers to all who may ask
		// (again, if their requests were doubled).
		r.limit = (g.prefixes()/packet.MaxEntries + 1) * (3 + 2*neighbors[r.id])
		r.node.Crash()
		n.After(time.Duration(n.Rand().Int64N(int64(10*time.Second))), func() { r.boot() })
	}
	return n
}

func (r *simRouter) behavior() simnet.Behavior[core.Input, core.Effect] {
	return simnet.Behavior[core.Input, core.Effect]{
		New: func(seed uint64) sm.Machine[core.Input, core.Effect] {
			return core.New(core.Options{Source: rand.NewPCG(seed, 5), Wall: simWall})
		},
		Tick: coreInput(core.Tick{}),
		Receive: func(port *simnet.Port, p simnet.Packet) (core.Input, bool) {
			x := r.ports[port.Index()]
			if r.net.off[x.link][r.id] {
				return nil, false
			}
			return core.RxPacket{Interface: simNames[x.link], Source: p.Src, Dest: p.Dst.Addr(), Packet: p.Payload}, true
		},
		Effect: r.effect,
	}
}

// boot begins a life of the daemon. What zebra still holds of an earlier one is
// stale.
func (r *simRouter) boot() {
	r.node.Restart()
	r.life++
	r.replays = 0
	stale := 0
	for k := range r.rib {
		if r.rib[k].have {
			stale++
		}
	}
	r.node.Post(core.Attached{Stale: stale})
	r.stub()
	for _, p := range r.ports {
		r.link(p)
	}
	r.node.Post(core.InterfacesKnown{})
	r.node.Post(core.ConfigSet{Config: r.config})
}

// stub and link tell the daemon of an interface as it is.
func (r *simRouter) stub() {
	p := simStub(r.id)
	r.node.Post(core.InterfaceChanged{Interface: rib.Interface{Name: "Loopback0", Type: rib.TypeLoopback, AdminUp: true,
		Up: !r.net.stubOff[r.id], MTU: 65536, Addresses: []rib.Address{{Prefix: netip.PrefixFrom(p.Addr().Next(), p.Bits())}}}})
}

func (r *simRouter) link(p *simPort) {
	r.node.Post(core.InterfaceChanged{Interface: rib.Interface{Name: simNames[p.link], Type: rib.TypeEthernet, AdminUp: true,
		Up: !r.net.off[p.link][r.id], Multicast: true, MTU: 1500, Addresses: []rib.Address{{Prefix: r.net.addr(p.link, p.place)}}}})
}

func (r *simRouter) port(name string) *simPort {
	for _, p := range r.ports {
		if simNames[p.link] == name {
			return p
		}
	}
	return nil
}

func (r *simRouter) fail(format string, v ...any) {
	if r.net.violation == nil {
		r.net.violation = fmt.Errorf("%v, router %d: %s", time.Duration(r.net.Now()), r.id, fmt.Sprintf(format, v...))
	}
}

func (r *simRouter) effect(e *coreEnv, out core.Effect) {
	switch out := out.(type) {
	case core.TxPacket:
		r.transmit(e, out)
	case core.PutRoute:
		k := r.net.number(out.Route.Prefix)
		e.Note(uint64(k)<<8 | uint64(out.Route.Metric))
		// No route is ever better than the shortest path of the intact network.
		if least := r.net.intact.dist[k][r.id]; out.Route.Metric < uint32(least) || out.Route.Metric > 14 || len(out.Route.NextHops) == 0 {
			r.fail("puts %+v, the distance is %d if nothing is broken", out.Route, least)
		}
		r.set(k, simRoute{have: true, metric: uint8(out.Route.Metric), life: r.life, hops: out.Route.NextHops})
	case core.DelRoute:
		k := r.net.number(out.Key.Prefix)
		e.Note(uint64(k) << 8)
		if !r.rib[k].have || r.rib[k].life != r.life {
			r.fail("withdraws %v, which it did not state", out.Key.Prefix)
		}
		r.set(k, simRoute{})
	case core.EndOfReplay:
		if r.replays++; r.replays > 1 {
			r.fail("a second EndOfReplay")
		}
		for k := range r.rib { // zebra sweeps what is stale
			if r.rib[k].have && r.rib[k].life != r.life {
				r.set(k, simRoute{})
			}
		}
	}
}

// set changes what zebra holds, and keeps account of what is wrong with it.
func (r *simRouter) set(k int, x simRoute) {
	n := r.net
	old := r.rib[k]
	r.rib[k] = x
	if n.truth == nil || n.simState.dead[r.id] {
		return
	}
	n.count(r.id, k, &old, -1)
	n.count(r.id, k, &x, 1)
	if n.wrong == 0 {
		n.rightAt = n.Now()
	}
	if n.dead == 0 && old.have && !x.have {
		n.deadGone = n.Now()
	}
	if x.have && !n.truth.reaches(r.id, k) {
		n.worst = max(n.worst, x.metric)
	}
}

func (n *simNet) count(id, k int, x *simRoute, by int) {
	if n.truth.right(id, k, x, core.DefaultMaximumPaths) {
		return
	}
	n.wrong += by
	if !n.truth.reaches(id, k) {
		n.dead += by
	}
}

// transmit sends a packet, counts it, and looks into some.
func (r *simRouter) transmit(e *coreEnv, tx core.TxPacket) {
	p := r.port(tx.Interface)
	if p == nil || r.net.off[p.link][r.id] {
		r.fail("sends on %s, which is down", tx.Interface)
		return
	}
	if second := e.Now() / simSecond; p.second != second {
		p.second, p.sent = second, 0
	}
	p.sent++
	r.net.busiest = max(r.net.busiest, p.sent)
	if p.sent > r.limit {
		r.fail("%d packets in a second on %s, at most %d expected", p.sent, tx.Interface, r.limit)
	}
	if e.Node().Stats().Sent%16 == 0 {
		r.inspect(p, tx)
	}
	e.Send(p.port.Index(), simnet.Packet{Src: netip.AddrPortFrom(tx.Source, packet.Port), Dst: tx.Dest, Protocol: 17, Payload: tx.Packet})
}

// inspect checks what is announced: no metric is better than the intact network
// has it (RFC 2453 section 3.4), and what was learnt on the interface is told as
// split horizon has it (section 3.4.3).
func (r *simRouter) inspect(p *simPort, tx core.TxPacket) {
	r.net.sampled++
	m := &r.net.msg
	if err := m.Decode(tx.Packet); err != nil {
		r.fail("sends what cannot be decoded: %v", err)
		return
	}
	if m.Command == packet.Request {
		return
	}
	for k := range m.Entries {
		entry := &m.Entries[k]
		prefix, ok := entry.Prefix(netip.Prefix{})
		if !ok {
			r.fail("sends entry %+v", entry)
			return
		}
		number := r.net.number(prefix)
		if least := r.net.intact.dist[number][r.id]; entry.Metric < uint32(least)+1 || entry.Metric > packet.Infinity {
			r.fail("announces %v with metric %d, the distance is %d if nothing is broken", prefix, entry.Metric, least)
		}
		x := &r.rib[number]
		if !x.have || x.life != r.life || entry.Metric == packet.Infinity || r.horizon[p.link] == core.SplitHorizonOff {
			continue
		}
		for _, h := range x.hops {
			if h.Interface == tx.Interface {
				r.fail("announces %v with metric %d where it learnt it: %v", prefix, entry.Metric, x.hops)
			}
		}
	}
}

// table asks a daemon for its table.
func (r *simRouter) table() []core.RouteEntry {
	m := r.node.Machine()
	m.Step(r.net.Now(), core.Query{Kind: core.ReportRoutes})
	for _, e := range m.Drain(nil) {
		if a, ok := e.(core.Answer); ok {
			return a.Report.(*core.RouteReport).Routes
		}
	}
	return nil
}

// portOn returns the router's port on a link.
func (r *simRouter) portOn(link, place int) *simnet.Port {
	for _, p := range r.ports {
		if p.link == link && p.place == place {
			return p.port
		}
	}
	panic("no such port")
}

// nextHopSelf has all routers name themselves as next hops. It is called before
// they start.
func (n *simNet) nextHopSelf() {
	for _, r := range n.routers {
		for k := range r.config.Interfaces {
			r.config.Interfaces[k].NextHopSelf = true
		}
	}
}
