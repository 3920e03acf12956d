package core_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// simHubs is a cloud with two clusters of two hubs; every spoke is to be connected to
// the best living hub of each, and to no other.
type simHubs struct {
	*simnet.Network
	hubs   [4]*coreNode
	spokes []*coreNode
	lives  uint32
	down   map[int]bool // line protocols that are down, by node
	sent   int
}

const (
	simFallback  = 10 * time.Second
	simHubsEvery = 20 * time.Second
	// simFailover bounds how long it takes until all spokes have left a hub that is
	// dead, and simReturn until they are back with one that lives again. A hub is asked
	// every simHubsEvery and taken for dead up to 6.7 s later, for want of luck a living
	// one as well; it is probed again after 64 s at most, and one
	// probe of ten is lost.
	simFailover = simHubsEvery + 7*time.Second + 8*64*time.Second
	simReturn   = 8*64*time.Second + simFallback
)

func simHubNBMA(h int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(h + 1)}) }
func simHubAddr(h int) netip.Addr { return netip.AddrFrom4([4]byte{172, 16, 0, byte(h + 1)}) }

func newSimHubs(seed uint64, spokes int, loss float64) *simHubs {
	c := &simHubs{Network: simnet.New(seed), down: map[int]bool{}}
	link := c.Link(simnet.Quality{Latency: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: loss})
	behavior := simnet.Behavior[core.Input, core.Effect]{
		New: func(seed uint64) sm.Machine[core.Input, core.Effect] {
			c.lives++
			return core.New(core.Options{Source: rand.NewPCG(seed, 3), RequestID: c.lives << 16})
		},
		Tick: coreInput(core.Tick{}), Receive: receiveNHRP,
		Effect: func(e *coreEnv, out core.Effect) {
			switch out := out.(type) {
			case core.TxPacket:
				c.sent++
				e.Send(0, simnet.Packet{Dst: simnet.Addr(out.NBMA), Protocol: packet.GREProtocol, Payload: out.Packet})
			case core.PutLineProtocol:
				c.down[e.Node().ID()] = out.Line.Down
			}
		},
	}
	for h := range c.hubs {
		c.hubs[h] = simnet.Add(c.Network, fmt.Sprintf("hub%d", h), behavior)
		link.Attach(c.hubs[h], simHubNBMA(h))
		c.startHub(h)
	}
	for k := range spokes {
		s := simnet.Add(c.Network, fmt.Sprintf("spoke%d", k), behavior)
		c.spokes = append(c.spokes, s)
		nbma := netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)})
		link.Attach(s, nbma)
		s.Post(core.Attached{})
		for _, in := range tunnel(netip.PrefixFrom(simOverlay(k), 12), nbma, simRecovery) {
			s.Post(in)
		}
		s.Post(core.InterfacesKnown{})
	}
	return c
}

func simRecovery(cfg *core.InterfaceConfig) {
	cfg.RegistrationTimeout, cfg.Fallback, cfg.IfState = simHubsEvery, simFallback, true
	cfg.Clusters = []core.ClusterConfig{{Number: 1, MaxConnections: 1}, {Number: 2, MaxConnections: 1}}
	for h := range 4 {
		cfg.NHSs = append(cfg.NHSs, core.NHSConfig{Addr: simHubAddr(h), NBMA: simHubNBMA(h), Multicast: true,
			Priority: uint8(h % 2), Cluster: uint8(1 + h/2)})
	}
}

func (c *simHubs) startHub(h int) {
	c.hubs[h].Post(core.Attached{})
	for _, in := range tunnel(netip.PrefixFrom(simHubAddr(h), 12), simHubNBMA(h), nil) {
		c.hubs[h].Post(in)
	}
	c.hubs[h].Post(core.InterfacesKnown{})
}

// servers asks a spoke for its servers, in the order of the hubs.
func (c *simHubs) servers(s *coreNode) []core.NHSEntry {
	m := s.Machine()
	m.Step(c.Now(), core.Query{Kind: core.ReportNHS})
	for _, e := range m.Drain(nil) {
		if a, ok := e.(core.Answer); ok {
			return a.Report.(*core.NHSReport).Servers
		}
	}
	return nil
}

// settled tells whether every spoke is connected to the best living hub of each
// cluster, alone, and has its line up if there is one.
func (c *simHubs) settled() error {
	for k, s := range c.spokes {
		any := false
		for h, e := range c.servers(s) {
			best := c.hubs[h].Alive() && (h%2 == 0 || !c.hubs[h-1].Alive())
			any = any || best
			if got := e.State == core.NHSResponding; got != best {
				return fmt.Errorf("spoke %d, hub %d: %s (%s), it is the best: %v", k, h, e.State.Recovery(), e.Reason, best)
			}
		}
		if c.down[s.ID()] == any {
			return fmt.Errorf("spoke %d: line down %v, a hub lives: %v", k, c.down[s.ID()], any)
		}
	}
	return nil
}

// never is what must not be at any time: more of a cluster connected than may be, but
// for those that give way within simFallback.
func (c *simHubs) never() error {
	for k, s := range c.spokes {
		all := c.servers(s)
		for h := 0; h < len(all); h += 2 {
			both := all[h].State == core.NHSResponding && all[h+1].State == core.NHSResponding
			if both && (all[h+1].Fallback == core.NoExpiry || all[h+1].Fallback > simFallback) {
				return fmt.Errorf("spoke %d is connected to hubs %d and %d: %+v", k, h, h+1, all)
			}
		}
	}
	return nil
}

// TestSimHubs has hubs die and come back, one by one and a whole cluster at once, with
// a twentieth of all packets lost.
func TestSimHubs(t *testing.T) {
	if testing.Short() {
		t.Skip("simulation")
	}
	story := func(seed uint64) (uint64, int) {
		c := newSimHubs(seed, 60, 0.05)
		c.Check(500, c.never)
		act := func(what string, within time.Duration, do func()) {
			do()
			began, before := c.Now(), c.sent
			var last error
			for next := c.Now(); c.Now() < began.Add(within); {
				next = next.Add(time.Second)
				if err := c.Run(next); err != nil {
					t.Fatalf("seed %d, %s: %v", seed, what, err)
				}
				if last = c.settled(); last == nil {
					break
				}
			}
			if last != nil {
				t.Fatalf("seed %d, %s: not settled within %v: %v", seed, what, within, last)
			}
			// A spoke sends at most 4 retries in a row to each of 4 servers in 8 s, and the
			// hubs an answer to each.
			if spent := c.Now().Sub(began); c.sent-before > len(c.spokes)*8*(4+int(spent/(8*time.Second))*4) {
				t.Errorf("seed %d, %s: %d packets in %v", seed, what, c.sent-before, spent)
			}
		}
		kill := func(hubs ...int) func() {
			return func() {
				for _, h := range hubs {
					c.hubs[h].Crash()
				}
			}
		}
		back := func(hubs ...int) func() {
			return func() {
				for _, h := range hubs {
					c.hubs[h].Restart()
					c.startHub(h)
				}
			}
		}
		act("start", simFailover, func() {})
		act("the first hub dies", simFailover, kill(0))
		act("the first hub is back", simReturn, back(0))
		act("a spare hub dies, which nobody sees", simFailover, kill(3))
		act("its cluster dies", simFailover, kill(2))
		act("the other cluster dies", simFailover, kill(0, 1))
		act("the second hubs are back", simReturn, back(1, 3))
		act("all are back", simReturn, back(0, 2))
		return c.Hash(), c.sent
	}
	for seed := uint64(1); seed <= 10; seed++ {
		hash, sent := story(seed)
		if again, same := story(seed); again != hash || same != sent {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}
