package core_test

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var simSeeds = flag.Int("sim-seeds", 0, "seeds in the simulation of shortcuts, each with -sim-spokes spokes; 0: a few small ones")

// simAct is a part of a story: something happens, and the cloud gets over it.
type simAct struct {
	name string
	do   func(*simWAN)
	last time.Duration
	// hole is how long packets may lead nowhere at most, uneven how long the two ends of
	// a flow may disagree about the way.
	hole, uneven time.Duration
}

// simRetries is how long the retries of a Purge Request or a registration take, after
// 1, 2, 4 and 8 s: five messages, of which 5 % are lost, all get lost in one of three
// million cases.
const simRetries = 15 * time.Second

// simLastRetry is the longest time between two tries of a spoke to register. Until then
// what goes to it may go from hub to hub, and nobody is told of a shorter way.
const simLastRetry = 64 * time.Second

// simUneven is how long two ends may disagree. The routes of both change within
// simConverge; an indication may be lost, and comes again with a packet after the
// redirect timeout of 8 s; five requests or their answers may be lost within 29 s, of
// three or four ways each, which is remembered for 10 s; and all that once more, but not
// to the end.
const simUneven = simConverge + (8+29+10+8)*time.Second + simRetries

// simActs tells the story. share is how many things happen at once.
func simActs(share int, remembers bool) []simAct {
	move := func(w *simWAN, kill bool) {
		for range share {
			l := w.Rand().IntN(len(w.owner))
			to := w.Rand().IntN(len(w.spokes))
			if from := w.owner[l]; to == from || !w.spokes[to].node.Alive() {
				continue
			} else if kill {
				w.killSpoke(from)
			} else {
				w.moveLAN(l, to)
			}
		}
	}
	gone := simConverge + time.Second + simRetries
	return []simAct{
		{"traffic begins", func(*simWAN) {}, simSeconds(90), 0, simUneven},
		{"LANs move", func(w *simWAN) { move(w, false) }, simSeconds(90), gone, simUneven},
		{"spokes die, their LANs move", func(w *simWAN) { move(w, true) }, simSeconds(90), gone, simUneven},
		{"NATs get other addresses", func(w *simWAN) { w.rebindSome(share, 1) }, simSeconds(180), simRegister + 2*simConverge + simRetries, simRegister + simUneven},
		{"the first hub dies", func(w *simWAN) { w.crash(w.hubs[0]) }, simSeconds(90), simConverge + time.Second, simUneven},
		{"it comes back", func(w *simWAN) { w.restart(w.hubs[0], remembers) }, simSeconds(240), simConverge + time.Second, 2*simLastRetry + simUneven},
		{"spokes die again", func(w *simWAN) { move(w, true) }, simSeconds(90), gone, simUneven},
		{"quiet", func(*simWAN) {}, simSeconds(120), 0, 0},
	}
}

// killSpoke ends a spoke; its LANs are behind others from then on.
func (w *simWAN) killSpoke(k int) {
	w.crash(w.spokes[k])
	for l, owner := range w.owner {
		if owner != k {
			continue
		}
		for {
			if to := w.Rand().IntN(len(w.spokes)); w.spokes[to].node.Alive() {
				w.moveLAN(l, to)
				break
			}
		}
	}
}

// rebindSome gives some of the NATs another address.
func (w *simWAN) rebindSome(n, generation int) {
	for range n {
		k := w.Rand().IntN(len(w.spokes)) / 4 * 4
		if s := w.spokes[k]; isNATed(k) && s.node.Alive() && s.nbma == simPublic(k) {
			w.rebind(k, generation)
		}
	}
}

// story plays all acts and checks each act.
func (w *simWAN) story(t *testing.T, acts []simAct) {
	n := len(w.spokes)
	for limit := 240; !w.allUp(); limit-- {
		if limit == 0 {
			t.Fatalf("%v: not all adjacencies are up", w.Now())
		}
		w.converge()
		if err := w.RunFor(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("all %d spokes are up at %v, %d messages, %d in the busiest second", n, w.Now(), w.sent, w.peak)
	for _, act := range acts {
		w.watch = simWatch{}
		sent := w.sent
		w.peak = 0
		act.do(w)
		if err := w.pass(act.last); err != nil {
			t.Fatal(err)
		}
		w.judge(t, act, w.sent-sent)
	}
}

// simMessages is how many messages an act may take: each spoke registers with two hubs,
// and each direction of a flow is asked for some times; all of it is repeated where it
// is lost.
func (w *simWAN) simMessages(act simAct) int {
	registrations := len(w.spokes) * 2 * 2 * (int(act.last/simRegister) + 1)
	return registrations*5/4 + len(w.flows)*2*20
}

// judge compares what an act brought with what it may bring.
func (w *simWAN) judge(t *testing.T, act simAct, messages int) {
	t.Helper()
	v := w.watch
	hole, uneven := simSeconds(v.hole), simSeconds(v.uneven)
	t.Logf("%-28s hole %v of %v at most, %d in all; ends disagree %v of %v; %d of %d direct; %d messages, %d/s at most",
		act.name, hole, act.hole, v.holes, uneven, act.uneven, v.direct, v.all, messages, w.peak)
	if hole > act.hole {
		t.Errorf("%s: packets lead nowhere for %v, at %s", act.name, hole, v.where)
	}
	if uneven > act.uneven {
		t.Errorf("%s: the ends disagree for %v, at %s", act.name, uneven, v.which)
	}
	if v.direct != v.all {
		t.Errorf("%s: %d of %d directions are direct in the end", act.name, v.direct, v.all)
	}
	if most := w.simMessages(act); messages > most {
		t.Errorf("%s: %d messages, %d expected at most", act.name, messages, most)
	}
	most := 4*len(w.spokes) + 8*len(w.flows)
	if w.ipsec != nil {
		most += 8 * len(w.flows) // both ends ask each other whether what is sent arrives, and again until it does
	}
	if w.peak > most {
		t.Errorf("%s: %d messages in a second, %d expected at most", act.name, w.peak, most)
	}
}

// TestSimShortcuts has clouds of Phase 3 go through loss, LANs that move, spokes that
// die, NATs that change and a hub that dies, and follows packets each second.
func TestSimShortcuts(t *testing.T) {
	seeds, spokes, flows := 4, 60, 60
	if *simSeeds > 0 {
		seeds, spokes, flows = *simSeeds, *simSpokes, min(2000, 3**simSpokes)
	}
	run := func(t *testing.T, seed uint64) uint64 {
		began := time.Now()
		w := newSimWAN(seed, spokes, flows, 0.05)
		w.story(t, simActs(max(1, spokes/50), seed%4 < 2))
		t.Logf("%d events, %.1f s, hash %016x", w.Stats().Events, time.Since(began).Seconds(), w.Hash())
		return w.Hash()
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			hash := run(t, seed)
			if *simSeeds == 0 || seed == 0 {
				if again := run(t, seed); again != hash {
					t.Errorf("two runs differ: %016x and %016x", hash, again)
				}
			}
		})
	}
}
