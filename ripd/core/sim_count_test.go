package core_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/ripd/core"
)

// simCountBound is the time in which metrics have counted to infinity where no
// neighbour is silent: the argument of simDeadBound, without the timeout.
const simCountBound = simRegular + 15*(simHold+simLatency)

// horizons are the kinds of split horizon. Without it, a router is told its own
// route with itself as the next hop, which it ignores (RFC 2453 section 4.4), but
// not if that is hidden from it.
var horizons = []struct {
	name string
	kind core.SplitHorizon
	self bool
}{
	{"simple", core.SplitHorizonSimple, false},
	{"poison", core.SplitHorizonPoison, false},
	{"off", core.SplitHorizonOff, false},
	{"off, next-hop-self", core.SplitHorizonOff, true},
}

// ringStory is a ring of routers, and one more that hangs on the first by a wire,
// which breaks. What the first says to the second meanwhile is lost for a while,
// so that it learns its own route by the ring: RFC 2453 section 3.4.3's case that
// split horizon cannot mend.
func ringStory(t *testing.T, seed uint64, routers int, horizon core.SplitHorizon, self bool) (gone time.Duration, worst uint8) {
	t.Helper()
	g := &simGraph{routers: routers + 1, degree: make([]int, routers+1)}
	for r := range routers {
		g.join(r, (r+1)%routers)
	}
	g.join(0, routers)
	n := newSimNet(seed, g, simnet.Quality{}, fixedHorizon(horizon))
	if self {
		n.nextHopSelf()
	}
	// At any moment between two regular updates.
	at := simCalm.Add(time.Duration(n.Rand().Int64N(int64(2 * core.DefaultUpdate))))
	if err := n.Run(at); err != nil {
		t.Fatal(err)
	}
	wire := n.wires[0]
	from, to := n.routers[0].portOn(0, 0), n.routers[1].portOn(0, 1)
	wire.Between(from, to, simnet.Quality{Loss: 1})
	n.switchOff(routers, 0)
	n.switchOff(routers, routers)
	if err := n.RunFor(simRegular); err != nil {
		t.Fatal(err)
	}
	wire.Between(from, to, wire.Quality)
	at = n.Now()
	n.leaveAlone()
	bound := simCountBound
	if horizon == core.SplitHorizonSimple { // two may have learnt it from each other at once
		bound += core.DefaultInvalid
	}
	if err := n.RunUntil(at.Add(bound), func() bool { return n.wrong == 0 }); err != nil {
		t.Fatalf("seed %d: after %v: %v%s", seed, bound, err, n.example(5))
	}
	gone, worst = n.deadGone.Sub(at), n.worst
	if err := n.RunFor(simGarbage + simHold); err != nil {
		t.Fatal(err)
	}
	n.checkTables(t)
	return gone, worst
}

// TestSimCount: in a ring that lost the way to a network, metrics count to
// infinity with every kind of split horizon, in a time that is bounded by the hold
// of triggered updates (RFC 2453 sections 3.4.2 to 3.4.4).
func TestSimCount(t *testing.T) {
	for _, routers := range []int{3, 4} {
		for _, h := range horizons {
			t.Run(fmt.Sprintf("%d/%s", routers, h.name), func(t *testing.T) {
				t.Parallel()
				var longest time.Duration
				var worst uint8
				for seed := range uint64(20) {
					gone, metric := ringStory(t, seed, routers, h.kind, h.self)
					longest, worst = max(longest, gone), max(worst, metric)
				}
				t.Logf("20 runs: the last route had gone %.1f s after the loss ended, at most %.1f s was possible; metrics counted up to %d",
					longest.Seconds(), simCountBound.Seconds(), worst)
				if worst < 8 {
					t.Errorf("metrics counted up to %d only: nothing was tested", worst)
				}
			})
		}
	}
}

// TestSimSilence: a router dies, and nobody sees it. Its network is gone when the
// timeout is over, however the ring is configured.
func TestSimSilence(t *testing.T) {
	for _, h := range horizons {
		t.Run(h.name, func(t *testing.T) {
			g := randomGraph(rand.New(rand.NewPCG(3, 8)), 12)
			n := newSimNet(3, g, simnet.Quality{}, fixedHorizon(h.kind))
			if h.self {
				n.nextHopSelf()
			}
			if err := n.Run(2 * simCalm); err != nil {
				t.Fatal(err)
			}
			at := n.Now()
			n.crash(5)
			n.leaveAlone()
			if err := n.RunUntil(at.Add(core.DefaultInvalid-simRegular), func() bool { return n.dead == 0 }); err == nil {
				t.Errorf("the dead router's network was gone %v after its death", n.Now().Sub(at))
			}
			if err := n.RunUntil(at.Add(core.DefaultInvalid+simCountBound), func() bool { return n.wrong == 0 }); err != nil {
				t.Errorf("%v%s", err, n.example(5))
			}
			t.Logf("gone after %.1f s, all right after %.1f s", n.deadGone.Sub(at).Seconds(), n.rightAt.Sub(at).Seconds())
		})
	}
}

// hubStory lets a spoke's LAN die while the hub does not hear the spoke, but tells
// it of that LAN, since it has no split horizon.
func hubStory(t *testing.T, self bool, bound time.Duration) (c *simCloud, gone time.Duration) {
	t.Helper()
	c = newSimCloud(5, 3, netip.Prefix{}, core.SplitHorizonOff, self)
	c.link.Quality.Loss = 0
	if err := c.Run(2 * simCalm); err != nil {
		t.Fatal(err)
	}
	s := c.spokes[0]
	c.link.Between(s.node.Port(0), c.hub.node.Port(0), simnet.Quality{Loss: 1})
	s.noStub = true
	s.node.Post(s.lan())
	if err := c.RunFor(simRegular); err != nil {
		t.Fatal(err)
	}
	if c.hub.state[0] == simNone {
		t.Fatal("the hub heard of the death: nothing was tested")
	}
	c.link.Between(s.node.Port(0), c.hub.node.Port(0), c.link.Quality)
	at := c.Now()
	none := func() bool {
		return c.hub.state[0] == simNone && s.state[0] == simNone && c.spokes[1].state[0] == simNone && c.spokes[2].state[0] == simNone
	}
	if err := c.RunUntil(at.Add(bound), none); err != nil {
		t.Fatalf("%v: hub %d, spokes %d %d %d", err, c.hub.state[0], s.state[0], c.spokes[1].state[0], c.spokes[2].state[0])
	}
	gone = c.Now().Sub(at)
	if err := c.RunFor(simGarbage + simRegular); err != nil || !none() {
		t.Errorf("it came back: %v", err)
	}
	return c, gone
}

// TestSimHubOwnRoute: a spoke does not learn its own LAN from a hub without split
// horizon, because it is the next hop itself (RFC 2453 section 4.4). If the hub
// names itself as the next hop, the spoke cannot know: it believes the hub, does
// not tell it so, for it has split horizon, and the hub waits for its timeout.
func TestSimHubOwnRoute(t *testing.T) {
	bound := simRegular + simHold
	c, gone := hubStory(t, false, bound)
	t.Logf("next hop preserved: gone %.1f s after the hub could hear of it, at most %.1f s was possible", gone.Seconds(), bound.Seconds())
	if n := c.spokes[0].ownBack; n > 0 {
		t.Errorf("the spoke learnt its own LAN %d times", n)
	}
	bound += core.DefaultInvalid
	c, gone = hubStory(t, true, bound)
	t.Logf("hub as next hop: gone after %.1f s, at most %.1f s was possible", gone.Seconds(), bound.Seconds())
	if c.spokes[0].ownBack == 0 {
		t.Error("the spoke did not learn its own LAN: nothing was tested")
	}
}
