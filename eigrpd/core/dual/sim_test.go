package dual

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

var (
	simSeeds   = flag.Int("sim-seeds", 30, "graphs of TestSimGraphs")
	simRouters = flag.Int("sim-routers", 60, "routers of each")
)

// simLink is a link of a graph. A session begins when it comes up; what is under
// way when it ends is lost.
type simLink struct {
	a, b    int
	cost    Distance
	up      bool
	session int
	pending int              // ends that have not noticed the last change
	last    [2]clock.Instant // when the last message in each direction arrives
}

// simNet is routers on a random graph, over a transport that is reliable and keeps
// the order of each direction, but takes its time: a lost packet is one that comes
// later. Links are slow in different ways, so that news overtakes news.
type simNet struct {
	t        *testing.T
	rng      *rand.Rand
	now      clock.Instant
	routers  []*router
	links    []*simLink
	byPair   map[[2]int]*simLink
	prefixes []netip.Prefix
	owns     [][]Distance // by router and prefix; Infinity: not
	queue    clock.Heap[int]
	events   map[int]func()
	number   int
	hash     hash.Hash64
	messages int
	queries  int
	stuck    int
}

func newSimNet(t *testing.T, seed uint64, n int) *simNet {
	s := &simNet{t: t, rng: rand.New(rand.NewPCG(seed, 1)), byPair: map[[2]int]*simLink{}, events: map[int]func(){}, hash: fnv.New64a()}
	for p := range 3 {
		s.prefixes = append(s.prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(p), 0, 0}), 16))
	}
	for range n {
		s.routers = append(s.routers, newRouter(Config{Variance: 1 + s.rng.IntN(2)}))
		s.owns = append(s.owns, slices.Repeat([]Distance{Infinity}, len(s.prefixes)))
	}
	for b := 1; b < n; b++ { // a tree near the last few, and chords
		s.join(b, max(0, b-1-s.rng.IntN(8)))
		if s.rng.IntN(2) == 0 {
			s.join(b, s.rng.IntN(b))
		}
	}
	for p := range s.prefixes {
		for range 1 + s.rng.IntN(2) {
			s.own(s.rng.IntN(n), p, Distance(1+s.rng.IntN(5)))
		}
	}
	return s
}

// after lets something happen after a time.
func (s *simNet) after(d time.Duration, f func()) {
	s.number++
	s.events[s.number] = f
	s.queue.Set(s.number, s.now.Add(d))
}

func (s *simNet) upTo(most time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(most)) + 1)
}

func (s *simNet) join(a, b int) {
	if a == b || s.byPair[[2]int{a, b}] != nil {
		return
	}
	l := &simLink{a: a, b: b, cost: Distance(1 + s.rng.IntN(10))}
	s.byPair[[2]int{a, b}], s.byPair[[2]int{b, a}] = l, l
	s.links = append(s.links, l)
	s.raise(l)
}

// both hands inputs to the ends of a link, which notice at different times.
func (s *simNet) both(l *simLink, most time.Duration, in func(peer int) Input) {
	for _, end := range [][2]int{{l.a, l.b}, {l.b, l.a}} {
		l.pending++
		s.after(s.upTo(most), func() {
			l.pending--
			s.step(end[0], in(end[1]))
		})
	}
}

func (s *simNet) raise(l *simLink) {
	l.up = true
	l.session++
	s.both(l, time.Millisecond, func(peer int) Input { return NeighborUp{ID: NeighborID(peer + 1), Interface: InterfaceID(peer + 1)} })
	for _, end := range [][2]int{{l.a, l.b}, {l.b, l.a}} {
		s.routers[end[0]].arithmetic.cost[NeighborID(end[1]+1)] = l.cost
	}
}

func (s *simNet) own(n, p int, d Distance) {
	s.owns[n][p] = d
	if d == Infinity {
		s.step(n, OwnGone{Prefix: s.prefixes[p]})
		return
	}
	s.step(n, Own[vector]{Prefix: s.prefixes[p], Attribute: vector{metric: d}})
}

// change changes something.
func (s *simNet) change() {
	l := s.links[s.rng.IntN(len(s.links))]
	switch k := s.rng.IntN(8); {
	case k == 0:
		n, p := s.rng.IntN(len(s.routers)), s.rng.IntN(len(s.prefixes))
		s.own(n, p, Distance(1+s.rng.IntN(20)))
	case k == 1:
		for n := range s.routers {
			if p := s.rng.IntN(len(s.prefixes)); s.owns[n][p] != Infinity {
				s.own(n, p, Infinity)
				return
			}
		}
	case k == 2 && l.up && l.pending == 0:
		s.fall(l)
	case k == 3:
		s.partition(s.rng.IntN(len(s.routers)))
	case k == 4:
		for _, l := range s.links {
			if !l.up && l.pending == 0 {
				s.raise(l)
			}
		}
	case l.up && l.pending == 0:
		cost := Distance(1 + s.rng.IntN(30))
		l.cost = cost
		s.both(l, 50*time.Millisecond, func(peer int) Input { return costChanged{NeighborID(peer + 1), cost} })
	}
}

func (s *simNet) fall(l *simLink) {
	l.up = false
	l.session++
	s.both(l, 300*time.Millisecond, func(peer int) Input { return NeighborDown{NeighborID(peer + 1)} })
}

// partition cuts all links between the routers before and after one.
func (s *simNet) partition(at int) {
	for _, l := range s.links {
		if (l.a < at) != (l.b < at) && l.up && l.pending == 0 {
			s.fall(l)
		}
	}
}

// step hands an input to a router and its messages to the network.
func (s *simNet) step(n int, in Input) {
	r := s.routers[n]
	for _, e := range r.step(s.now, in) {
		switch e := e.(type) {
		case Send[vector]:
			for _, to := range r.receivers(e) {
				s.send(n, int(to)-1, e.Message)
			}
		case Install[vector]:
			s.walk(n, e.Prefix)
		case Stuck:
			s.stuck++
		}
	}
	if at, ok := r.Wake(); ok && at <= s.now {
		s.t.Fatalf("router %d wants to be woken in the past", n)
	}
}

func (s *simNet) send(from, to int, m Message[vector]) {
	l := s.byPair[[2]int{from, to}]
	s.messages++
	if m.Kind == Query {
		s.queries++
	}
	s.note(from, to, int(m.Kind), int(m.Attribute.metric), int(bit(m.Unreachable)), int(m.Prefix.Addr().As4()[1]))
	if !l.up {
		return
	}
	delay := 2*time.Millisecond + s.upTo(20*time.Millisecond)
	for s.rng.IntN(10) == 0 { // lost, and sent again
		delay += s.upTo(time.Second)
	}
	direction := int(bit(from == l.a))
	l.last[direction] = max(l.last[direction]+1, s.now.Add(delay))
	session := l.session
	s.after(l.last[direction].Sub(s.now), func() {
		if l.session == session {
			s.step(to, Received[vector]{NeighborID(from + 1), m})
		}
	})
}

// note adds to the hash of the run.
func (s *simNet) note(v ...int) {
	b := binary.AppendVarint(nil, int64(s.now))
	for _, n := range v {
		b = binary.AppendVarint(b, int64(n))
	}
	s.hash.Write(b)
}

// walk looks for a loop through a router that has just changed its successors.
func (s *simNet) walk(start int, p netip.Prefix) {
	seen := make([]bool, len(s.routers))
	todo := []int{start}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, hop := range s.routers[n].next(p) {
			to := int(hop) - 1
			if !s.byPair[[2]int{n, to}].up {
				continue
			}
			if to == start {
				s.t.Fatalf("%v: a loop of %v through router %d", s.now, p, start)
			}
			if !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
}

// run lets time pass until nothing is under way, or until an instant.
func (s *simNet) run(until clock.Instant) {
	for {
		at, ok := s.queue.Next()
		if !ok || at > until {
			return
		}
		id, _ := s.queue.PopDue(at)
		s.now = at
		f := s.events[id]
		delete(s.events, id)
		f()
	}
}

// check compares the routers with shortest paths by Dijkstra.
func (s *simNet) check() {
	for p, prefix := range s.prefixes {
		want := s.shortest(p)
		for n, r := range s.routers {
			got := Infinity
			if e := r.routes[prefix]; e != nil {
				if got = e.rd; e.state != Passive {
					s.t.Fatalf("router %d is %v in %v for ever, waiting for %v", n, e.state, prefix, e.waiting)
				}
			}
			if got != want[n] {
				s.t.Fatalf("router %d has %v at %s, want %s", n, prefix, printDistance(got), printDistance(want[n]))
			}
		}
	}
}

func (s *simNet) shortest(p int) []Distance {
	want := make([]Distance, len(s.routers))
	done := make([]bool, len(s.routers))
	for n := range want {
		want[n] = s.owns[n][p]
	}
	for {
		near := -1
		for n := range want {
			if !done[n] && want[n] != Infinity && (near < 0 || want[n] < want[near]) {
				near = n
			}
		}
		if near < 0 {
			return want
		}
		done[near] = true
		for _, l := range s.links {
			if l.up && (l.a == near || l.b == near) {
				peer := l.a + l.b - near
				want[peer] = min(want[peer], want[near]+l.cost)
			}
		}
	}
}

// simulate runs a graph through changes, and wants it to settle after each burst.
func simulate(t *testing.T, seed uint64, n int) *simNet {
	s := newSimNet(t, seed, n)
	s.run(clock.Never - 1)
	s.check()
	for range 6 {
		for range 1 + s.rng.IntN(8) {
			s.change()
			s.run(s.now.Add(s.upTo(400 * time.Millisecond)))
		}
		s.run(clock.Never - 1)
		s.check()
	}
	return s
}

// TestSimGraphs runs random graphs through changes and partitions, several under
// way at once: no loop at any instant, all PASSIVE at the end, with the distances of
// shortest paths, and the same in each run.
func TestSimGraphs(t *testing.T) {
	messages, queries, stuck := 0, 0, 0
	for seed := range uint64(*simSeeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := simulate(t, seed, *simRouters)
			if seed == 0 {
				if again := simulate(t, seed, *simRouters); again.hash.Sum64() != s.hash.Sum64() {
					t.Errorf("two runs differ: %x and %x", s.hash.Sum64(), again.hash.Sum64())
				}
			}
			messages, queries, stuck = messages+s.messages, queries+s.queries, stuck+s.stuck
		})
	}
	t.Logf("%d graphs of %d routers: %d messages, %d of them QUERYs, %d neighbours stuck", *simSeeds, *simRouters, messages, queries, stuck)
	if queries == 0 {
		t.Error("no route was ever ACTIVE")
	}
}
