package core_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/ripd/core"
)

var (
	simSeeds   = flag.Int("sim-seeds", 4, "random graphs in the simulation of graphs")
	simRouters = flag.Int("sim-routers", 100, "routers in each graph")
)

// The acts of a simulation of a graph.
const (
	simCalm  = 45 * simSecond  // until then nothing but loss befalls the network
	simAlone = 180 * simSecond // from then on it is left alone
)

// simDeadBound is the time within which no route is left to what cannot be
// reached, once the network is left alone and where split horizon is off or with
// poisoned reverse.
//
// By then, what was heard from a neighbour that fell silent has timed out. Of the
// routes that are left, look at one with the lowest metric m, in the table of A.
// Its neighbour B lives and is heard, and has told m-1 once, but since nobody
// has less than m now, B has m at least: it has told A so, or will in its next
// triggered update, or has told it in one that was lost before, and will in its
// next regular one. So the lowest metric rises by 1 at least in the longest hold
// of a triggered update, and is infinite after 15 of them.
const simDeadBound = core.DefaultInvalid + simRegular + 15*(simHold+simLatency)

// simSimpleBound is the same for simple split horizon, with which B may be silent:
// before it told A that it lost its route, it took the one that somebody else
// offers on the network of A, where it says nothing of it therefore. A hears of
// it by its own timeout only. Nothing but chance keeps that from happening again
// and again; the simulation prints how long it took.
const simSimpleBound = simDeadBound + 14*core.DefaultInvalid

// simRightBound is the time within which all is as it should be: after the dead
// routes, the living ones are told by a regular update, and spread by triggered
// ones.
const simRightBound = simSimpleBound + simRegular + 15*(simHold+simLatency)

// simStory is how one network fares.
type simStory struct {
	seed    uint64
	routers int
	long    bool // wider across than RIP can see
	public  bool // the links' networks are announced as well
	horizon func(rng *rand.Rand) core.SplitHorizon
	self    bool          // without split horizon: the next hop is not told either, so that two routers may believe each other
	bound   time.Duration // for dead routes
}

// simOutcome is what a simulation says for the log.
type simOutcome struct {
	hash       uint64
	stats      simnet.Stats
	wall       time.Duration
	dead       time.Duration // until the last route to what is dead had gone, since the network was left alone
	right      time.Duration // until all was right
	wrong      int           // how many routes were wrong when it was left alone
	unreached  int           // pairs of living routers without a path, or with too long a one
	deadRoutes int           // routes to what cannot be reached when it was left alone
	worst      uint8         // metric that such a route counted up to since
	busiest    int
	sampled    int
}

func mixedHorizon(rng *rand.Rand) core.SplitHorizon { return core.SplitHorizon(rng.IntN(3)) }

func fixedHorizon(h core.SplitHorizon) func(*rand.Rand) core.SplitHorizon {
	return func(*rand.Rand) core.SplitHorizon { return h }
}

// simStoryOf deals out shapes and split horizons to seeds.
func simStoryOf(seed uint64, routers int) simStory {
	s := simStory{seed: seed, routers: routers, long: seed%3 == 1, public: routers <= 100 && seed%4 >= 2}
	switch seed % 5 {
	case 0, 3:
		s.horizon, s.bound = mixedHorizon, simSimpleBound
	case 1:
		s.horizon, s.bound = fixedHorizon(core.SplitHorizonSimple), simSimpleBound
	case 2:
		s.horizon, s.bound = fixedHorizon(core.SplitHorizonPoison), simDeadBound
	case 4:
		s.horizon, s.bound, s.self = fixedHorizon(core.SplitHorizonOff), simDeadBound, seed%2 == 0
	}
	return s
}

// build makes the network and plans what befalls it.
func (s simStory) build() *simNet {
	rng := rand.New(rand.NewPCG(s.seed, 6))
	shape := randomGraph
	if s.long {
		shape = longGraph
	}
	g := shape(rng, s.routers)
	g.public = s.public
	n := newSimNet(s.seed, g, simnet.Quality{Jitter: 15 * time.Millisecond, Loss: 0.08, Duplicate: 0.03}, s.horizon)
	if s.self {
		n.nextHopSelf()
	}
	for at := simCalm; at < simAlone-25*simSecond; {
		at = at.Add(time.Duration(rng.Int64N(int64(time.Second) * 250 / int64(s.routers))))
		n.At(at, func() { n.befall(rng) })
	}
	n.Check(10_000, func() error { return n.violation })
	return n
}

// leaveAlone ends all loss, and computes what should come of it.
func (n *simNet) leaveAlone() {
	for _, l := range n.wires {
		l.Quality.Loss, l.Quality.Duplicate, l.Quality.Jitter = 0, 0, 0
	}
	n.truth = n.simState.truth()
	n.rightAt, n.deadGone = n.Now(), n.Now()
	for id, r := range n.routers {
		if n.simState.dead[id] {
			continue
		}
		for k := range r.rib {
			n.count(id, k, &r.rib[k], 1)
		}
	}
}

// example describes the first routes that are wrong.
func (n *simNet) example(limit int) (text string) {
	for id, r := range n.routers {
		for k := range r.rib {
			if n.simState.dead[id] || limit == 0 {
				continue
			}
			if why := n.truth.judge(id, k, &r.rib[k], core.DefaultMaximumPaths); why != "" {
				text += fmt.Sprintf("\n  router %d, %v: %s", id, n.prefix(k), why)
				limit--
			}
		}
	}
	return text
}

// run tells the story once.
func (s simStory) run(t *testing.T) simOutcome {
	began := time.Now()
	n := s.build()
	if err := n.Run(simAlone); err != nil {
		t.Fatal(err)
	}
	n.leaveAlone()
	o := simOutcome{wrong: n.wrong, deadRoutes: n.dead}
	err := n.RunUntil(simAlone.Add(simRightBound), func() bool { return n.wrong == 0 })
	if err != nil {
		t.Fatalf("left alone for %v: %v; %d routes are wrong, %d of them to what cannot be reached%s", simRightBound, err, n.wrong, n.dead, n.example(5))
	}
	o.dead, o.right = n.deadGone.Sub(simAlone), n.rightAt.Sub(simAlone)
	if o.dead > s.bound {
		t.Errorf("a route to what cannot be reached was there until %v after the network was left alone, at most %v is possible", o.dead, s.bound)
	}
	// It stays so, and the garbage goes.
	if err := n.RunFor(simGarbage + simHold); err != nil {
		t.Fatal(err)
	}
	if n.wrong > 0 || n.rightAt > n.Now().Add(-simGarbage) {
		t.Errorf("what was right went wrong again; %d routes are wrong%s", n.wrong, n.example(5))
	}
	n.checkTables(t)
	o.hash, o.stats, o.wall = n.Hash(), n.Stats(), time.Since(began)
	o.worst, o.busiest, o.sampled = n.worst, n.busiest, n.sampled
	o.unreached = n.unreached()
	runtime.KeepAlive(n)
	return o
}

// checkTables compares the tables, with their garbage, and looks for loops.
func (n *simNet) checkTables(t *testing.T) {
	t.Helper()
	for id, r := range n.routers {
		if n.simState.dead[id] {
			continue
		}
		if r.replays != 1 {
			t.Errorf("router %d: %d EndOfReplay", id, r.replays)
		}
		seen := 0
		for _, e := range r.table() {
			d := n.truth.dist[n.number(e.Prefix)][id]
			if d == simNowhere || e.Metric != uint32(d)+1 || e.Garbage {
				t.Fatalf("router %d at the end, distance %d: %+v", id, d, e)
			}
			seen++
		}
		for k := range n.prefixes() {
			if n.truth.dist[k][id] < simNowhere {
				seen--
			}
		}
		if seen != 0 {
			t.Errorf("router %d: %d routes too many in the table", id, seen)
		}
	}
	for k := range n.prefixes() {
		if loop := n.truth.loop(k, func(r int) *simRoute { return &n.routers[r].rib[k] }); loop != nil {
			t.Errorf("%v: packets turn in a circle of %v", n.prefix(k), loop)
		}
	}
}

// unreached counts the living routers and prefixes without a way.
func (n *simNet) unreached() (count int) {
	for id := range n.routers {
		for k := range n.prefixes() {
			if !n.simState.dead[id] && n.truth.dist[k][id] == simNowhere {
				count++
			}
		}
	}
	return count
}

func (o simOutcome) String() string {
	return fmt.Sprintf("%d routes wrong when left alone, %d of them to what is not there; those had gone after %.0f s (metric up to %d), all right after %.0f s; "+
		"%d routes that cannot be; %d events, %d packets, %d looked into, at most %d a second by a port; %.1f s, %.0f events/s, hash %016x",
		o.wrong, o.deadRoutes, o.dead.Seconds(), o.worst, o.right.Seconds(), o.unreached, o.stats.Events, o.stats.Sent, o.sampled, o.busiest,
		o.wall.Seconds(), float64(o.stats.Events)/o.wall.Seconds(), o.hash)
}

// TestSimGraphs: networks that lose and double packets, fall apart, heal, and whose
// routers crash, find all shortest paths when they are left alone, and forget
// what cannot be reached.
func TestSimGraphs(t *testing.T) {
	if *simRouters > 200 {
		defer debug.SetGCPercent(debug.SetGCPercent(300))
	}
	var mu sync.Mutex
	hashes := map[uint64]bool{}
	var events uint64
	var wall, dead, right time.Duration
	t.Run("seeds", func(t *testing.T) {
		for seed := range uint64(*simSeeds) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				o := simStoryOf(seed, *simRouters).run(t)
				t.Log(o)
				if seed == 0 { // a seed is a story, event by event
					if again := simStoryOf(seed, *simRouters).run(t); again.hash != o.hash || again.stats != o.stats {
						t.Errorf("two runs of one seed differ: %016x %+v, %016x %+v", o.hash, o.stats, again.hash, again.stats)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				events, wall, dead, right = events+o.stats.Events, wall+o.wall, max(dead, o.dead), max(right, o.right)
				if hashes[o.hash] {
					t.Errorf("two seeds have the same hash %016x", o.hash)
				}
				hashes[o.hash] = true
			})
		}
	})
	t.Logf("%d graphs of %d routers: %d events, %.0f s of wall clock added up; the last dead route went after %v, all was right after %v",
		*simSeeds, *simRouters, events, wall.Seconds(), dead, right)
}
