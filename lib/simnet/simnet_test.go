package simnet_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/lib/sm"
)

const second = clock.Instant(time.Second)

var rough = simnet.Quality{
	Latency: 20 * time.Millisecond, Jitter: 30 * time.Millisecond,
	Loss: 0.2, Duplicate: 0.1, Reorder: 0.1, HoldBack: 100 * time.Millisecond,
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLatency(t *testing.T) {
	c := newCloud(1, 1, simnet.Quality{Latency: 40 * time.Millisecond}, time.Hour)
	start := clientOf(c.spokes[0]).next
	must(t, c.RunUntil(10*second, func() bool { return clientOf(c.spokes[0]).acked == 1 }))
	if got := clientOf(c.spokes[0]).first; got != start.Add(80*time.Millisecond) {
		t.Errorf("acknowledged at %v, sent at %v over 2 × 40 ms", got, start)
	}
	must(t, c.Run(20*second))
	if c.Now() != 20*second {
		t.Errorf("Now() = %v after Run(20s)", c.Now())
	}
	if s := c.Stats(); s.Sent != 2 || s.Delivered != 2 || s.SentBytes != 8 {
		t.Errorf("Stats() = %+v", s)
	}
}

// TestSameSeedSameHash runs a rough network with a crash, a restart and a partition
// twice; another seed gives another hash.
func TestSameSeedSameHash(t *testing.T) {
	run := func(seed uint64) (uint64, simnet.Stats) {
		c := newCloud(seed, 50, rough, 5*time.Second)
		c.After(7*time.Second, func() { c.spokes[c.Rand().IntN(50)].Crash() })
		c.After(9*time.Second, func() { c.link.Partition(1, c.spokes[3].Port(0), c.spokes[4].Port(0)) })
		c.After(20*time.Second, func() { c.link.Heal(); c.hub.Restart() })
		must(t, c.Run(60*second))
		return c.Hash(), c.Stats()
	}
	h1, s1 := run(42)
	h2, s2 := run(42)
	if h1 != h2 || s1 != s2 {
		t.Errorf("two runs: %x %+v, %x %+v", h1, s1, h2, s2)
	}
	if h3, _ := run(43); h3 == h1 {
		t.Error("another seed has the same hash")
	}
	for name, n := range map[string]uint64{"Lost": s1.Lost, "Duplicated": s1.Duplicated, "HeldBack": s1.HeldBack, "Partitioned": s1.Partitioned} {
		if n == 0 {
			t.Errorf("%s = 0: the run does not show it", name)
		}
	}
}

// TestLossIsOvercome has retransmission bring all spokes up, and compares the
// share of lost packets with the probability.
func TestLossIsOvercome(t *testing.T) {
	c := newCloud(5, 500, rough, 2*time.Second)
	must(t, c.RunUntil(60*second, c.registered))
	must(t, c.Run(120*second))
	s := c.Stats()
	if got := float64(s.Lost) / float64(s.Sent); got < 0.18 || got > 0.22 {
		t.Errorf("lost %d of %d packets: %.3f, want about 0.2", s.Lost, s.Sent, got)
	}
	if got := float64(s.Duplicated) / float64(s.Sent-s.Lost); got < 0.08 || got > 0.12 {
		t.Errorf("doubled %.3f of the packets, want about 0.1", got)
	}
	inFlight := s.Sent - s.Lost + s.Duplicated - s.Delivered
	if inFlight > uint64(s.MaxQueue) {
		t.Errorf("%d packets vanished: %+v", inFlight, s)
	}
}

func TestBetween(t *testing.T) {
	c := newCloud(1, 2, simnet.Quality{}, time.Hour)
	c.link.Between(c.spokes[1].Port(0), c.hub.Port(0), simnet.Quality{Loss: 1})
	must(t, c.Run(10*second))
	if a, b := clientOf(c.spokes[0]).acked, clientOf(c.spokes[1]).acked; a != 1 || b != 0 {
		t.Errorf("acked %d and %d, want 1 and 0", a, b)
	}
}

func TestPartition(t *testing.T) {
	c := newCloud(1, 2, simnet.Quality{}, time.Hour)
	c.link.Partition(1, c.spokes[1].Port(0))
	must(t, c.Run(10*second))
	if a, b := clientOf(c.spokes[0]).acked, clientOf(c.spokes[1]).acked; a != 1 || b != 0 {
		t.Errorf("acked %d and %d, want 1 and 0", a, b)
	}
	c.link.Heal()
	must(t, c.RunFor(2*time.Second))
	if b := clientOf(c.spokes[1]); b.acked != 1 || b.resent == 0 {
		t.Errorf("after Heal: %+v", b)
	}
}

func TestCrashAndRestart(t *testing.T) {
	c := newCloud(1, 1, simnet.Quality{Latency: time.Second}, time.Hour)
	c.hub.Crash()
	must(t, c.Run(5*second))
	if s := c.Stats(); s.ToDead == 0 || s.Delivered != 0 || c.hub.Machine() != nil || c.hub.Alive() {
		t.Errorf("crashed hub: %+v", s)
	}
	c.hub.Post(toyIn{rx: true, number: 99}) // to nobody
	c.hub.Restart()
	must(t, c.Run(10*second))
	if got := clientOf(c.spokes[0]).acked; got != 1 {
		t.Errorf("acked = %d after the restart, want 1", got)
	}
	before := c.hub.Machine()
	c.hub.PostAt(12*second, toyIn{rx: true, number: 99})
	c.hub.Restart()
	must(t, c.Run(20*second))
	if m := c.hub.Machine().(*server); m == before || len(m.seen) != 0 {
		t.Errorf("restarted hub saw %v: an input of its earlier life", m.seen)
	}
}

func TestRenumberAndUnreachable(t *testing.T) {
	c := newCloud(1, 1, simnet.Quality{}, time.Second)
	must(t, c.Run(5*second))
	c.spokes[0].Port(0).Renumber(netip.MustParseAddr("10.9.9.9"))
	must(t, c.Run(10*second))
	seen := c.hub.Machine().(*server).seen
	if _, ok := seen[simnet.Addr(netip.MustParseAddr("10.9.9.9"))]; !ok || len(seen) != 2 {
		t.Errorf("hub saw %v", seen)
	}
	c.hub.Port(0).Renumber(netip.MustParseAddr("203.0.113.9"))
	must(t, c.Run(20*second))
	if s := c.Stats(); s.Unreachable == 0 {
		t.Errorf("packets to an address that moved away: %+v", s)
	}
}

// sink keeps the inputs that it gets, with their instants.
type sink struct {
	at  []clock.Instant
	got []toyIn
}

func (s *sink) Step(now clock.Instant, in toyIn) { s.at, s.got = append(s.at, now), append(s.got, in) }
func (s *sink) Wake() (clock.Instant, bool)      { return 0, false }
func (s *sink) Drain(dst []toyOut) []toyOut      { return dst }

func TestMulticast(t *testing.T) {
	for _, multicast := range []bool{true, false} {
		n := simnet.New(1)
		lan := n.Link(simnet.Quality{})
		lan.Multicast = multicast
		sender := addClient(n, "a", simnet.Addr(netip.MustParseAddr("224.0.0.9")), time.Hour)
		lan.Attach(sender, spokeAddr(1))
		sinks := []*sink{{}, {}}
		for i, s := range sinks {
			v := simnet.Add(n, "b", behavior(func(uint64) sm.Machine[toyIn, toyOut] { return s }))
			lan.Attach(v, spokeAddr(2+i))
		}
		must(t, n.Run(second-1))
		want := 0
		if multicast {
			want = 1
		}
		for i, s := range sinks {
			if len(s.got) != want {
				t.Errorf("multicast %v: receiver %d got %d packets, want %d", multicast, i, len(s.got), want)
			}
		}
		if got := clientOf(sender).acked; got != 0 {
			t.Error("the sender received its own multicast")
		}
	}
}

// TestHub: on a link with a hub, what others send to a group reaches the hub only, and what the
// hub sends all of them.
func TestHub(t *testing.T) {
	for _, of := range []int{0, 1, 2} { // which port is the hub, the sender's first
		n := simnet.New(1)
		tunnel := n.Link(simnet.Quality{})
		tunnel.Multicast = true
		ports := []*simnet.Port{tunnel.Attach(addClient(n, "a", simnet.Addr(netip.MustParseAddr("224.0.0.9")), time.Hour), spokeAddr(1))}
		sinks := []*sink{{}, {}}
		for i, s := range sinks {
			v := simnet.Add(n, "b", behavior(func(uint64) sm.Machine[toyIn, toyOut] { return s }))
			ports = append(ports, tunnel.Attach(v, spokeAddr(2+i)))
		}
		tunnel.Hub = ports[of]
		must(t, n.Run(second-1))
		for i, s := range sinks {
			want := 0
			if of == 0 || of == 1+i {
				want = 1
			}
			if len(s.got) != want {
				t.Errorf("hub %d: receiver %d got %d packets, want %d", of, i, len(s.got), want)
			}
		}
	}
}

// TestHoldBackReorders wants packets to overtake each other only where one was
// held back, and that as often as Reorder says.
func TestHoldBackReorders(t *testing.T) {
	n := simnet.New(3)
	l := n.Link(simnet.Quality{Latency: time.Second, Reorder: 0.1, HoldBack: 10 * time.Second})
	s := &sink{}
	to := simnet.Add(n, "to", behavior(func(uint64) sm.Machine[toyIn, toyOut] { return s }))
	l.Attach(to, spokeAddr(1))
	from := simnet.Add(n, "from", simnet.Behavior[toyIn, toyOut]{
		New: func(uint64) sm.Machine[toyIn, toyOut] { return &burst{left: 1000} },
		Effect: func(e *simnet.Env[toyIn, toyOut], o toyOut) {
			e.Send(0, simnet.Packet{Dst: simnet.Addr(spokeAddr(1)), Payload: []byte{0, 0, byte(o.number >> 8), byte(o.number)}})
		},
	})
	l.Attach(from, spokeAddr(2))
	must(t, n.Run(20*second))
	order := []uint32{}
	for _, in := range s.got {
		order = append(order, in.number)
	}
	late := int(n.Stats().HeldBack)
	if late < 70 || late > 130 || len(order) != 1000 {
		t.Fatalf("%d of %d packets held back", late, len(order))
	}
	if !slices.IsSorted(order[:1000-late]) || !slices.IsSorted(order[1000-late:]) || slices.IsSorted(order) {
		t.Error("packets that were not held back overtook each other, or none was held back")
	}
}

// burst sends so many packets at birth.
type burst struct{ left int }

func (b *burst) Step(clock.Instant, toyIn)   {}
func (b *burst) Wake() (clock.Instant, bool) { return 0, false }
func (b *burst) Drain(dst []toyOut) []toyOut {
	for i := range b.left {
		dst = append(dst, toyOut{number: uint32(i)})
	}
	b.left = 0
	return dst
}

// TestInstants posts inputs for later, now and the past.
func TestInstants(t *testing.T) {
	n := simnet.New(1)
	s := &sink{}
	v := simnet.Add(n, "a", behavior(func(uint64) sm.Machine[toyIn, toyOut] { return s }))
	n.At(3*second, func() { v.Post(toyIn{number: 1}) })
	n.At(second, func() { v.PostAt(0, toyIn{number: 2}) }) // the past is now
	v.PostAt(2*second, toyIn{number: 3})
	must(t, n.Run(5*second))
	if !slices.Equal(s.at, []clock.Instant{second, 2 * second, 3 * second}) {
		t.Errorf("inputs at %v: %+v", s.at, s.got)
	}
	if got := v.Stats(); got.Steps != 3 || got.MaxQueue != 2 {
		t.Errorf("Stats() = %+v", got)
	}
}

// TestAfter has an effect ask for an input later on, and a crash in between.
func TestAfter(t *testing.T) {
	n := simnet.New(1)
	var machines []*echoLater
	v := simnet.Add(n, "a", simnet.Behavior[toyIn, toyOut]{
		New: func(uint64) sm.Machine[toyIn, toyOut] {
			machines = append(machines, &echoLater{})
			return machines[len(machines)-1]
		},
		Effect: func(e *simnet.Env[toyIn, toyOut], o toyOut) { e.After(time.Second, toyIn{number: o.number - 1}) },
	})
	v.Post(toyIn{number: 3})
	must(t, n.Run(2*second+second/2))
	if got := machines[0].at; !slices.Equal(got, []clock.Instant{0, second, 2 * second}) {
		t.Errorf("inputs at %v", got)
	}
	v.Crash()
	v.Restart()
	must(t, n.Run(10*second))
	if len(machines[0].at) != 3 || len(machines) != 2 || len(machines[1].at) != 0 {
		t.Errorf("an answer to an earlier life arrived: %v, %v", machines[0].at, machines[1].at)
	}
}

// echoLater gives each number above 0 back as an effect.
type echoLater struct {
	sink
	out []toyOut
}

func (e *echoLater) Step(now clock.Instant, in toyIn) {
	e.sink.Step(now, in)
	if in.number > 0 {
		e.out = append(e.out, toyOut{number: in.number})
	}
}
func (e *echoLater) Drain(dst []toyOut) []toyOut {
	dst = append(dst, e.out...)
	e.out = nil
	return dst
}

// TestNoteChangesHash wants effects that send nothing in the hash if noted.
func TestNoteChangesHash(t *testing.T) {
	run := func(note uint64) uint64 {
		n := simnet.New(1)
		v := simnet.Add(n, "a", simnet.Behavior[toyIn, toyOut]{
			New:    func(uint64) sm.Machine[toyIn, toyOut] { return &echoLater{} },
			Effect: func(e *simnet.Env[toyIn, toyOut], _ toyOut) { e.Note(note) },
		})
		v.Post(toyIn{number: 1})
		must(t, n.Run(second))
		return n.Hash()
	}
	if first, again, other := run(1), run(1), run(2); first == other || first != again {
		t.Error("the hash does not follow the notes")
	}
}

func TestCheckEndsTheRun(t *testing.T) {
	c := newCloud(1, 10, simnet.Quality{}, time.Second)
	broken := errors.New("eleven packets")
	c.Check(3, func() error {
		if c.Stats().Delivered >= 11 {
			return broken
		}
		return nil
	})
	err := c.Run(100 * second)
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "at ") {
		t.Fatalf("Run = %v", err)
	}
	if s := c.Stats(); s.Delivered > 14 || s.Events%3 != 0 {
		t.Errorf("noticed late: %+v", s)
	}
	if again := c.Run(200 * second); again != err {
		t.Errorf("Run after a failure = %v", again)
	}
}

func TestCheckAtTheEnd(t *testing.T) {
	c := newCloud(1, 1, simnet.Quality{}, time.Second)
	c.Check(1<<30, func() error { return errors.New("never content") })
	if err := c.Run(second); err == nil {
		t.Error("a run shorter than the period was not checked")
	}
}

func TestRunUntilNotReached(t *testing.T) {
	c := newCloud(1, 1, simnet.Quality{Loss: 1}, time.Second)
	if err := c.RunUntil(5*second, c.registered); !errors.Is(err, simnet.ErrNotReached) {
		t.Errorf("RunUntil = %v", err)
	}
}

// TestDiscontentMachine wants an error for a timer that stays due for ever.
func TestDiscontentMachine(t *testing.T) {
	n := simnet.New(1)
	simnet.Add(n, "stuck", behavior(func(uint64) sm.Machine[toyIn, toyOut] { return stuck{} }))
	if err := n.Run(second); err == nil || !strings.Contains(err.Error(), "stuck: still wants to be woken") {
		t.Errorf("Run = %v", err)
	}
}

type stuck struct{}

func (stuck) Step(clock.Instant, toyIn)   {}
func (stuck) Wake() (clock.Instant, bool) { return 1, true }
func (stuck) Drain(dst []toyOut) []toyOut { return dst }

// TestTickBeforeInput wants a due timer to come before an input of the same
// instant, although the input's event is older.
func TestTickBeforeInput(t *testing.T) {
	n := simnet.New(1)
	m := &early{at: second}
	v := simnet.Add(n, "a", simnet.Behavior[toyIn, toyOut]{New: func(uint64) sm.Machine[toyIn, toyOut] { return m }})
	v.PostAt(second, toyIn{number: 5})
	must(t, n.Run(2*second))
	if !slices.Equal(m.got, []uint32{0, 5}) {
		t.Errorf("inputs %v, want the tick (0), then 5", m.got)
	}
}

type early struct {
	at  clock.Instant
	got []uint32
}

func (e *early) Step(now clock.Instant, in toyIn) {
	if e.got = append(e.got, in.number); now >= e.at {
		e.at = clock.Never
	}
}
func (e *early) Wake() (clock.Instant, bool) { return e.at, true }
func (e *early) Drain(dst []toyOut) []toyOut { return dst }

// TestTenThousand registers 10,000 spokes with one hub and refreshes for a while.
func TestTenThousand(t *testing.T) {
	run := func() (uint64, simnet.Stats) {
		c := newCloud(2026, 10000, rough, 10*time.Second)
		c.Check(1000, func() error {
			if q := c.Stats().MaxQueue; q > 60000 {
				return errors.New("unbounded queue")
			}
			return nil
		})
		must(t, c.Run(30*second))
		if !c.registered() {
			t.Error("not all spokes are registered")
		}
		return c.Hash(), c.Stats()
	}
	start := time.Now()
	h1, s := run()
	took := time.Since(start)
	t.Logf("%d events in %v: %.0f events/s; hash %016x; longest queue %d", s.Events, took, float64(s.Events)/took.Seconds(), h1, s.MaxQueue)
	if h2, _ := run(); h1 != h2 {
		t.Errorf("two runs have hashes %x and %x", h1, h2)
	}
}

func BenchmarkCloud10000(b *testing.B) {
	c := newCloud(1, 10000, simnet.Quality{Latency: 20 * time.Millisecond, Jitter: 30 * time.Millisecond}, 100*time.Millisecond)
	must(b, c.RunFor(2*time.Second))
	before := c.Stats().Events
	b.ReportAllocs()
	b.ResetTimer()
	for c.Stats().Events-before < uint64(b.N) {
		must(b, c.RunFor(time.Millisecond))
	}
	b.ReportMetric(float64(c.Stats().Events-before)/b.Elapsed().Seconds(), "events/s")
}

// TestTimerEventsDoNotPileUp moves a timer to and fro: what waits in the queue
// stays bounded.
func TestTimerEventsDoNotPileUp(t *testing.T) {
	n := simnet.New(1)
	m := &early{at: clock.Never}
	v := simnet.Add(n, "a", simnet.Behavior[toyIn, toyOut]{New: func(uint64) sm.Machine[toyIn, toyOut] { return m }})
	var move func()
	move = func() {
		m.at = n.Now().Add(time.Duration(n.Rand().IntN(5)+1) * 10 * time.Millisecond)
		v.Post(toyIn{})
		n.After(time.Millisecond, move)
	}
	move()
	must(t, n.Run(10*second))
	if q := n.Stats().MaxQueue; q > 60 {
		t.Errorf("%d events waited for one timer and one script", q)
	}
}

// TestPayloadChangesHash wants a single bit of a payload in the hash.
func TestPayloadChangesHash(t *testing.T) {
	run := func(b byte) uint64 {
		n := simnet.New(1)
		l := n.Link(simnet.Quality{})
		l.Attach(addServer(n), hubAddr)
		v := simnet.Add(n, "a", simnet.Behavior[toyIn, toyOut]{
			New: func(uint64) sm.Machine[toyIn, toyOut] { return &burst{left: 1} },
			Effect: func(e *simnet.Env[toyIn, toyOut], _ toyOut) {
				e.Send(0, simnet.Packet{Dst: simnet.Addr(hubAddr), Payload: []byte{1, 2, 3, 4, 5, 6, 7, 8, b}})
			},
		})
		l.Attach(v, spokeAddr(1))
		must(t, n.Run(second))
		return n.Hash()
	}
	if first, again, other := run(1), run(1), run(3); first == other || first != again {
		t.Error("the hash does not follow the payload")
	}
}
