package core_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

var simSpokes = flag.Int("sim-spokes", 200, "spokes in the simulation of a hub")

// simCloud is a hub and its spokes on a multipoint tunnel: what the hub sends to
// the group reaches all spokes, what a spoke sends reaches the hub alone.
type simCloud struct {
	*simnet.Network
	hub     *simSite
	spokes  []*simSite
	summary netip.Prefix // that the hub announces instead of all; zero: none (Phase 2)
	right   int          // routes that are as they should be
	other   int          // and those that are not
	lost    int          // routes withdrawn
	dead    map[int]bool // spokes
	failed  error
	link    *simnet.Link
}

// simSite is a router of the cloud.
type simSite struct {
	cloud   *simCloud
	id      int // of a spoke; -1: the hub
	node    *coreNode
	life    int32
	config  core.Config
	routes  map[int]simRoute // the hub's and, under a summary, the spokes'
	state   []uint8          // by prefix: simNone, simRight, simOther
	lives   []uint8          // by prefix: the life of the daemon that stated it
	noStub  bool             // the LAN is down
	ownBack int              // routes to its own LAN
	replays int
}

const (
	simNone = iota
	simRight
	simOther
)

var (
	simHubAddr = netip.MustParseAddr("172.16.0.1")
	simHubLAN  = netip.MustParsePrefix("10.255.255.0/24")
)

func simTunnelAddr(k int) netip.Addr {
	return netip.AddrFrom4([4]byte{172, 16 + byte((k+16)>>16), byte((k + 16) >> 8), byte(k + 16)})
}

func newSimCloud(seed uint64, spokes int, summary netip.Prefix, horizon core.SplitHorizon, self bool) *simCloud {
	c := &simCloud{Network: simnet.New(seed), summary: summary, dead: map[int]bool{}}
	link := c.Link(simnet.Quality{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.02, Duplicate: 0.005})
	link.Multicast = true
	c.link = link
	tunnel := core.InterfaceConfig{Name: "Tunnel0", SplitHorizon: horizon, NextHopSelf: self}
	if summary.IsValid() {
		tunnel.Summaries = []netip.Prefix{summary}
	}
	c.hub = c.addSite("hub", -1, tunnel)
	c.hub.routes = map[int]simRoute{}
	link.Attach(c.hub.node, simHubAddr)
	c.hub.boot()
	for k := range spokes {
		s := c.addSite(fmt.Sprintf("spoke%d", k), k, core.InterfaceConfig{Name: "Tunnel0"})
		c.spokes = append(c.spokes, s)
		link.Attach(s.node, simTunnelAddr(k))
		s.node.Crash()
		c.After(time.Duration(c.Rand().Int64N(int64(20*time.Second))), s.boot)
	}
	for _, s := range append(c.spokes, c.hub) {
		s.state, s.lives = make([]uint8, spokes+2), make([]uint8, spokes+2)
	}
	c.Check(100_000, func() error { return c.failed })
	return c
}

func (c *simCloud) addSite(name string, id int, tunnel core.InterfaceConfig) *simSite {
	s := &simSite{cloud: c, id: id, config: core.Config{Interfaces: []core.InterfaceConfig{tunnel}, Routers: []core.RouterConfig{{Version: 2,
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12")}}}}}
	s.node = simnet.Add(c.Network, name, simnet.Behavior[core.Input, core.Effect]{
		New: func(seed uint64) sm.Machine[core.Input, core.Effect] {
			return core.New(core.Options{Source: rand.NewPCG(seed, 7), Wall: simWall})
		},
		Tick: coreInput(core.Tick{}),
		Receive: func(_ *simnet.Port, p simnet.Packet) (core.Input, bool) {
			to := p.Dst.Addr()
			if p.Protocol == simGroup {
				to = packet.Group
			}
			return core.RxPacket{Interface: "Tunnel0", Source: p.Src, Dest: to, Packet: p.Payload}, true
		},
		Effect: s.effect,
	})
	return s
}

// Protocol numbers: of what was sent to a router, and of what was sent to the
// group and is carried to a router.
const (
	simUnicast = 17
	simGroup   = 18
)

func (s *simSite) addr() (tunnel netip.Addr, lan netip.Prefix) {
	if s.id < 0 {
		return simHubAddr, simHubLAN
	}
	return simTunnelAddr(s.id), simStub(s.id)
}

func (s *simSite) lan() core.Input {
	_, lan := s.addr()
	return core.InterfaceChanged{Interface: rib.Interface{Name: "Eth0", Type: rib.TypeLoopback, AdminUp: true, Up: !s.noStub, MTU: 1500,
		Addresses: []rib.Address{{Prefix: netip.PrefixFrom(lan.Addr().Next(), lan.Bits())}}}}
}

func (s *simSite) boot() {
	s.node.Restart()
	s.life++
	s.replays = 0
	stale := 0
	for _, x := range s.state {
		if x != simNone {
			stale++
		}
	}
	tunnel, _ := s.addr()
	s.node.Post(core.Attached{Stale: stale})
	s.node.Post(s.lan())
	s.node.Post(core.InterfaceChanged{Interface: rib.Interface{Name: "Tunnel0", Type: rib.TypeTunnel, AdminUp: true, Up: true, Multicast: true, MTU: 1400,
		Addresses: []rib.Address{{Prefix: netip.PrefixFrom(tunnel, 12)}}, Tunnel: &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr("192.0.2.1")}}})
	s.node.Post(core.InterfacesKnown{})
	s.node.Post(core.ConfigSet{Config: s.config})
}

// number numbers prefixes: the spokes' LANs, then the hub's, then the summary.
func (c *simCloud) number(p netip.Prefix) int {
	switch {
	case p == simHubLAN:
		return len(c.spokes)
	case p == c.summary:
		return len(c.spokes) + 1
	}
	b := p.Addr().As4()
	return int(b[1])<<8 | int(b[2])
}

func (s *simSite) effect(e *coreEnv, out core.Effect) {
	switch out := out.(type) {
	case core.TxPacket:
		p := simnet.Packet{Src: netip.AddrPortFrom(out.Source, packet.Port), Dst: out.Dest, Protocol: simUnicast, Payload: out.Packet}
		if out.Dest.Addr() == packet.Group {
			p.Protocol = simGroup
			if s.id >= 0 {
				p.Dst = netip.AddrPortFrom(simHubAddr, packet.Port)
			}
		}
		e.Send(0, p)
	case core.PutRoute:
		k := s.cloud.number(out.Route.Prefix)
		e.Note(uint64(k)<<8 | uint64(out.Route.Metric))
		s.lives[k] = uint8(s.life)
		s.set(k, s.judge(k, out.Route))
	case core.DelRoute:
		k := s.cloud.number(out.Key.Prefix)
		e.Note(uint64(k) << 8)
		s.cloud.lost++
		s.set(k, simNone)
	case core.EndOfReplay:
		s.replays++
		for k, x := range s.state {
			if x != simNone && s.lives[k] != uint8(s.life) {
				s.cloud.lost++
				s.set(k, simNone)
			}
		}
	}
}

func (s *simSite) set(k int, x uint8) {
	c := s.cloud
	for _, by := range [...]struct {
		state uint8
		n     int
	}{{s.state[k], -1}, {x, 1}} {
		switch by.state {
		case simRight:
			c.right += by.n
		case simOther:
			c.other += by.n
		}
	}
	s.state[k] = x
}

// judge says whether a route is as it should be: the hub has the spokes' LANs by
// the spokes themselves; spokes have the others' by those, with the hub's metric
// on the way (RFC 2453 section 4.4), or the summary by the hub.
func (s *simSite) judge(k int, r rib.Route) uint8 {
	c, hub := s.cloud, len(s.cloud.spokes)
	if s.id == k || s.id < 0 && k == hub {
		s.ownBack++
	}
	want := rib.NextHop{Addr: simHubAddr, Interface: "Tunnel0"}
	metric := uint32(1)
	switch {
	case s.id < 0 && k == hub+1: // the hub's own summary
		if len(r.NextHops) == 1 && r.NextHops[0].Discard {
			return simRight
		}
		return simOther
	case s.id < 0:
		want.Addr = simTunnelAddr(k)
	case k < hub && !c.summary.IsValid():
		want.Addr, metric = simTunnelAddr(k), 2
	case c.summary.IsValid() != (k == hub+1):
		return simOther
	}
	if len(r.NextHops) == 1 && r.NextHops[0] == want && r.Metric == metric {
		return simRight
	}
	return simOther
}

// want is how many routes there should be.
func (c *simCloud) want() int {
	alive := len(c.spokes) - len(c.dead)
	switch {
	case !c.summary.IsValid():
		return alive + alive*alive // the hub's, and each spoke's: the others and the hub
	case c.summary.Bits() > 0:
		return alive + 1 + alive // with the discard route
	}
	return alive + alive
}

func (c *simCloud) good() bool { return c.right == c.want() && c.other == 0 }

func (c *simCloud) kill(k int) {
	s := c.spokes[k]
	s.node.Crash()
	c.dead[k] = true
	for j := range s.state {
		s.set(j, simNone)
	}
}

// story lets all spokes start, one die and come back, and the hub be restarted.
func (c *simCloud) story(t *testing.T) {
	t.Helper()
	n := len(c.spokes)
	began, sent := time.Now(), c.Stats()
	act := func(what string, at clock.Instant) {
		s := c.Stats()
		t.Logf("%s: %.1f s of virtual time; %d packets sent, %d received, %.1f s", what, c.Now().Sub(at).Seconds(),
			s.Sent-sent.Sent, s.Delivered-sent.Delivered, time.Since(began).Seconds())
		began, sent = time.Now(), s
	}
	until := func(what string, within time.Duration) {
		t.Helper()
		at := c.Now()
		if err := c.RunUntil(at.Add(within), c.good); err != nil {
			t.Fatalf("%s: %v; %d routes right of %d, %d others", what, err, c.right, c.want(), c.other)
		}
		act(what, at)
	}
	runFor := func(d time.Duration) {
		t.Helper()
		if err := c.RunFor(d); err != nil {
			t.Fatal(err)
		}
	}
	// The last spoke starts after 20 s. What is lost is told again by the next
	// regular updates of the spoke and of the hub, if it is not lost once more.
	until("start", 20*time.Second+4*simRegular)

	at := c.Now()
	c.lost = 0
	runFor(2 * core.DefaultUpdate)
	act("two update intervals", at)
	if c.lost > 0 || !c.good() {
		t.Errorf("in peace: %d routes withdrawn; %d right of %d, %d others", c.lost, c.right, c.want(), c.other)
	}

	// A spoke dies unseen: the hub waits for its timeout and tells the others. The
	// packet may be lost for one of them, which then waits for a regular update.
	c.kill(n / 2)
	until("death of a spoke", core.DefaultInvalid+simHold+3*simRegular)
	c.spokes[n/2].boot()
	delete(c.dead, n/2)
	until("its return", 4*simRegular)

	// The hub's daemon is gone for a while: nobody loses a route. (A spoke of whom
	// both the answer and the next update are lost is forgotten until it speaks
	// again; with 5,000 of them, that happens to two.)
	c.lost, c.link.Quality.Loss = 0, 0
	c.hub.node.Crash()
	runFor(10 * time.Second)
	c.hub.boot()
	at = c.Now()
	runFor(core.DefaultUpdate*3/2 + time.Second)
	act("restart of the hub", at)
	if c.lost > 0 || !c.good() || c.hub.replays != 1 {
		t.Errorf("restart of the hub: %d routes withdrawn, %d EndOfReplay; %d right of %d, %d others", c.lost, c.hub.replays, c.right, c.want(), c.other)
	}
	for k, s := range c.spokes {
		if s.ownBack > 0 {
			t.Errorf("spoke %d learnt its own LAN", k)
		}
	}
}

func heapMB() float64 {
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	return float64(mem.HeapAlloc) / 1e6
}

func simHub(t *testing.T, n int, summary netip.Prefix) (uint64, simnet.Stats) {
	t.Helper()
	began := time.Now()
	before := heapMB()
	c := newSimCloud(11, n, summary, core.SplitHorizonOff, false)
	c.story(t)
	s := c.Stats()
	t.Logf("%d spokes: %d events, %.1f s, %.0f MB of heap with all cores, hash %016x", n, s.Events, time.Since(began).Seconds(), heapMB()-before, c.Hash())
	runtime.KeepAlive(c)
	return c.Hash(), s
}

// TestSimHub: a hub without split horizon tells its spokes of each other, with the
// spokes themselves as next hops (Phase 2).
func TestSimHub(t *testing.T) {
	n := *simSpokes
	if n > 1000 {
		defer debug.SetGCPercent(debug.SetGCPercent(40)) // each spoke has a route to each
	}
	simHub(t, n, netip.Prefix{})
	a, s := simHub(t, min(n, 100), netip.Prefix{})
	if b, again := simHub(t, min(n, 100), netip.Prefix{}); a != b || s != again {
		t.Errorf("two runs of one seed differ: %016x %+v, %016x %+v", a, s, b, again)
	}
}

// TestSimHubSummary: a hub tells its spokes a summary alone, or a default route
// alone (Phases 1 and 3).
func TestSimHubSummary(t *testing.T) {
	for _, summary := range []string{"10.0.0.0/8", "0.0.0.0/0"} {
		t.Run(summary, func(t *testing.T) { simHub(t, *simSpokes, netip.MustParsePrefix(summary)) })
	}
}
