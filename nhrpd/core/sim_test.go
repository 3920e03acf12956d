package core_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

var simSpokes = flag.Int("sim-spokes", 10000, "spokes in the registration simulation")

type (
	coreNode  = simnet.Node[core.Input, core.Effect]
	coreEnv   = simnet.Env[core.Input, core.Effect]
	coreInput = core.Input
)

const simSecond = clock.Instant(time.Second)

var hubNBMA = netip.MustParseAddr("192.0.2.1")

// simCloud is a hub and many spokes on one lossy underlay; every twentieth spoke
// is behind a NAT of its own.
type simCloud struct {
	*simnet.Network
	hub       *coreNode
	spokes    []*coreNode
	up        int // spokes whose server is up
	isUp      map[int]bool
	neighbors map[netip.Addr]netip.Addr
	deleted   int                               // neighbours that the hub withdrew
	tables    map[int]map[netip.Addr]netip.Addr // neighbours of the spokes, by node
	memory    map[string]savedAt
	replays   int
	hubLives  uint32
	sent      [core.NumMessageTypes]int
}

type savedAt struct {
	data []byte
	at   clock.Instant
}

func (c *simCloud) transmit(e *coreEnv, tx core.TxPacket) {
	c.sent[tx.Packet[17]]++
	e.Send(0, simnet.Packet{Dst: simnet.Addr(tx.NBMA), Protocol: packet.GREProtocol, Payload: tx.Packet})
}

func receiveNHRP(_ *simnet.Port, p simnet.Packet) (core.Input, bool) {
	return core.RxPacket{Interface: "Tunnel0", NBMA: p.Src.Addr(), Packet: p.Payload}, true
}

// tunnel returns the inputs that bring a tunnel to life.
func tunnel(addr netip.Prefix, source netip.Addr, cfg func(*core.InterfaceConfig)) []core.Input {
	c := core.DefaultInterfaceConfig("Tunnel0", rib.IPv4)
	c.NetworkID, c.Authentication = 1, "SIMKEY"
	if cfg != nil {
		cfg(&c)
	}
	return []core.Input{
		core.ConfigSet{Config: core.Config{Interfaces: []core.InterfaceConfig{c}}},
		core.InterfaceChanged{Interface: rib.Interface{
			Name: "Tunnel0", Type: rib.TypeTunnel, AdminUp: true, Up: true, MTU: 1400,
			Addresses: []rib.Address{{Prefix: addr}},
			Tunnel:    &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: source},
		}},
	}
}

func newSimCloud(seed uint64, spokes int, loss float64) *simCloud {
	c := &simCloud{
		Network: simnet.New(seed), isUp: map[int]bool{}, neighbors: map[netip.Addr]netip.Addr{}, memory: map[string]savedAt{},
		tables: map[int]map[netip.Addr]netip.Addr{},
	}
	link := c.Link(simnet.Quality{Latency: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: loss, Duplicate: loss / 5})
	c.hub = simnet.Add(c.Network, "hub", c.hubBehavior())
	link.Attach(c.hub, hubNBMA)
	for k := range spokes {
		s := simnet.Add(c.Network, fmt.Sprintf("spoke%d", k), c.spokeBehavior())
		c.spokes = append(c.spokes, s)
		nbma := netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)})
		port := link.Attach(s, nbma)
		if k%20 == 0 {
			public := simPublic(k)
			link.Behind(simnet.StaticNAT{Private: nbma, Public: public}, public, port)
		}
		overlay := simOverlay(k)
		for _, in := range append(tunnel(netip.PrefixFrom(overlay, 12), nbma, func(cfg *core.InterfaceConfig) {
			cfg.NHSs = []core.NHSConfig{{Addr: hubAddr.Addr(), NBMA: hubNBMA, Multicast: true}}
		}), core.Attached{}, core.InterfacesKnown{}) {
			s.Post(in)
		}
	}
	c.startHub(0)
	return c
}

// simOverlay returns the protocol address of spoke k, simPublic the address of the
// NAT that it may be behind.
func simOverlay(k int) netip.Addr {
	return netip.AddrFrom4([4]byte{172, 16 + byte((k+16)>>16), byte((k + 16) >> 8), byte(k + 16)})
}

func simPublic(k int) netip.Addr {
	return netip.AddrFrom4([4]byte{100, 64 + byte(k>>16), byte(k >> 8), byte(k)})
}

var hubAddr = netip.MustParsePrefix("172.16.0.1/12")

func (c *simCloud) spokeBehavior() simnet.Behavior[core.Input, core.Effect] {
	return simnet.Behavior[core.Input, core.Effect]{
		New: func(seed uint64) sm.Machine[core.Input, core.Effect] {
			return core.New(core.Options{Source: rand.NewPCG(seed, 1), RequestID: uint32(seed)})
		},
		Tick: coreInput(core.Tick{}), Receive: receiveNHRP,
		Effect: func(e *coreEnv, out core.Effect) {
			switch out := out.(type) {
			case core.TxPacket:
				c.transmit(e, out)
			case core.PutNeighbor:
				id := e.Node().ID()
				if c.tables[id] == nil {
					c.tables[id] = map[netip.Addr]netip.Addr{}
				}
				c.tables[id][out.Neighbor.Addr] = out.Neighbor.NBMA
			case core.DelNeighbor:
				delete(c.tables[e.Node().ID()], out.Key.Addr)
			case core.Log:
				id := e.Node().ID()
				switch {
				case out.Mnemonic == "NHRP_NHS_UP" && !c.isUp[id]:
					c.isUp[id] = true
					c.up++
				case out.Mnemonic == "NHRP_NHS_DOWN" && c.isUp[id]: // it may never have been up
					c.isUp[id] = false
					c.up--
				}
			}
		},
	}
}

func (c *simCloud) hubBehavior() simnet.Behavior[core.Input, core.Effect] {
	return simnet.Behavior[core.Input, core.Effect]{
		New: func(seed uint64) sm.Machine[core.Input, core.Effect] {
			c.hubLives++
			return core.New(core.Options{Source: rand.NewPCG(seed, 2), RequestID: c.hubLives << 20})
		},
		Tick: coreInput(core.Tick{}), Receive: receiveNHRP,
		Effect: func(e *coreEnv, out core.Effect) {
			switch out := out.(type) {
			case core.TxPacket:
				c.transmit(e, out)
			case core.PutNeighbor:
				c.neighbors[out.Neighbor.Addr] = out.Neighbor.NBMA
			case core.DelNeighbor:
				delete(c.neighbors, out.Key.Addr)
				c.deleted++
			case core.SaveEntry:
				c.memory[out.Key] = savedAt{out.Data, e.Now()}
			case core.ForgetEntry:
				delete(c.memory, out.Key)
			case core.EndOfReplay:
				c.replays++
			}
		},
	}
}

// startHub hands a new-born hub what zebra tells it.
func (c *simCloud) startHub(stale int) {
	for _, key := range slices.Sorted(maps.Keys(c.memory)) {
		m := c.memory[key]
		c.hub.Post(core.RestoreEntry{Key: key, Data: m.data, Elapsed: c.Now().Sub(m.at)})
	}
	c.hub.Post(core.Attached{Stale: stale})
	for _, in := range tunnel(hubAddr, hubNBMA, nil) {
		c.hub.Post(in)
	}
	c.hub.Post(core.InterfacesKnown{})
}

// hubEntries asks the hub for its cache.
func (c *simCloud) hubEntries() int {
	m := c.hub.Machine()
	m.Step(c.Now(), core.Query{Kind: core.ReportCache})
	for _, e := range m.Drain(nil) {
		if a, ok := e.(core.Answer); ok {
			return len(a.Report.(*core.CacheReport).Entries)
		}
	}
	return -1
}

func (c *simCloud) total() (n int) {
	for _, s := range c.sent {
		n += s
	}
	return n
}

// story lets the spokes register, the hub be restarted with its memory and
// without, and checks after each act.
func (c *simCloud) story(t *testing.T) {
	n := len(c.spokes)
	all := func() bool { return c.up == n && len(c.neighbors) == n }
	check := func(what string, until clock.Instant, messages int) {
		t.Helper()
		before := c.total()
		if err := c.RunUntil(until, all); err != nil {
			t.Fatalf("%s: %v; %d of %d up, %d neighbours", what, err, c.up, n, len(c.neighbors))
		}
		if sent := c.total() - before; sent > messages {
			t.Errorf("%s: %d messages, at most %d expected", what, sent, messages)
		}
		t.Logf("%s: all %d up at %v, %d messages", what, n, c.Now(), c.total()-before)
	}
	// Everybody at once. max-send lets 10,000 replies out in the first 10 s, which
	// with the doubled requests are not quite enough: the last ones need retries.
	check("start", 120*simSecond, 3*n)

	// Steady: a request and a reply for each spoke in each period of 200 s, and
	// what the loss of 5 % costs.
	before := c.total()
	if err := c.Run(c.Now().Add(400 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if sent, most := c.total()-before, 2*n*2*13/10; sent > most {
		t.Errorf("steady: %d messages in two periods, at most %d expected", sent, most)
	}
	if got := c.hubEntries(); got != n || c.deleted > 0 {
		t.Errorf("steady: hub has %d entries, %d neighbours were withdrawn", got, c.deleted)
	}

	for k := 0; k < n; k += 20 { // those behind a NAT are reached by its address
		if got, want := c.neighbors[simOverlay(k)], simPublic(k); got != want {
			t.Fatalf("spoke %d behind a NAT is reached at %v, want %v", k, got, want)
		}
	}

	// The hub dies and comes back with its memory: all is as before, at once.
	c.hub.Crash()
	if err := c.RunFor(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	c.hub.Restart()
	c.startHub(n)
	if err := c.RunFor(time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := c.hubEntries(); got != n || c.deleted > 0 || c.replays != 1 {
		t.Errorf("restart: %d entries, %d withdrawn, %d replays", got, c.deleted, c.replays)
	}
	if err := c.RunFor(601 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := c.hubEntries(); got != n || c.deleted > 0 || c.replays != 2 {
		t.Errorf("after the replay: %d entries, %d withdrawn, %d replays", got, c.deleted, c.replays)
	}

	// It dies and remembers nothing: all are back within a period.
	c.hub.Crash()
	clear(c.memory)
	clear(c.neighbors)
	if err := c.RunFor(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	c.hub.Restart()
	c.startHub(0)
	check("restart without memory", c.Now().Add(240*time.Second), 3*n)
}

// TestSimRegistration registers 10,000 spokes with one hub core, twice, and
// compares the two runs event by event through their hashes.
func TestSimRegistration(t *testing.T) {
	n := *simSpokes
	if testing.Short() || raceEnabled {
		n = min(n, 1000)
	}
	run := func() (uint64, simnet.Stats) {
		began := time.Now()
		c := newSimCloud(7, n, 0.05)
		c.story(t)
		var mem runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&mem)
		t.Logf("%d spokes: %d events, %.1f s of wall clock, %.0f MB of heap with all cores, hash %016x; sent by type %v",
			n, c.Stats().Events, time.Since(began).Seconds(), float64(mem.HeapAlloc)/1e6, c.Hash(), c.sent)
		runtime.KeepAlive(c)
		return c.Hash(), c.Stats()
	}
	h1, s1 := run()
	h2, s2 := run()
	if h1 != h2 || s1 != s2 {
		t.Errorf("two runs of one seed differ: %016x %+v, %016x %+v", h1, s1, h2, s2)
	}
}

// TestSimSeeds runs small clouds with much loss; each must converge.
func TestSimSeeds(t *testing.T) {
	for seed := range uint64(20) {
		c := newSimCloud(seed, 40, 0.2)
		err := c.RunUntil(400*simSecond, func() bool { return c.up == 40 && len(c.neighbors) == 40 })
		if err != nil {
			t.Errorf("seed %d: %v; %d up", seed, err, c.up)
		}
	}
}
