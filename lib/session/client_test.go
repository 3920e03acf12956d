package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/rib"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func route(n, metric int) rib.Route {
	return rib.Route{
		Prefix:   netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 0}), 24),
		Protocol: rib.EIGRP, Metric: uint32(metric), NextHops: []rib.NextHop{{Interface: "Tunnel0"}},
	}
}

func topicWatch(topic string) rib.Watch { return rib.Watch{Kind: rib.WatchTopic, Topic: topic} }

// zebra is the contract of the messages, as zebra has to understand them.
type zebra struct {
	objects map[rib.Key]rib.Object
	watches map[rib.Watch]bool
	topics  map[topicKey]string
	fresh   map[any]bool // repeated in this replay
	ended   bool
	begun   bool
	seq     uint64
	removed int // things that vanished by a sweep
}

func newZebra() *zebra {
	return &zebra{objects: map[rib.Key]rib.Object{}, watches: map[rib.Watch]bool{}, topics: map[topicKey]string{}}
}

func (z *zebra) take(m Up) error {
	if _, ok := m.(Begin); !ok && !z.begun {
		return fmt.Errorf("%T before Begin", m)
	}
	seq := uint64(0)
	switch m := m.(type) {
	case Begin:
		z.begun, z.ended, z.fresh, z.seq = true, false, map[any]bool{}, 0
	case Put:
		z.objects[m.Object.Key()], z.fresh[m.Object.Key()], seq = m.Object, true, m.Seq
	case Delete:
		if z.objects[m.Key] == nil {
			return fmt.Errorf("delete of %v, which zebra never had", m.Key)
		}
		delete(z.objects, m.Key)
		seq = m.Seq
	case WatchAdd:
		z.watches[m.Watch], z.fresh[m.Watch] = true, true
	case WatchDel:
		delete(z.watches, m.Watch)
	case Publish:
		k := topicKey{m.Topic, m.Key}
		if z.topics[k], z.fresh[k] = string(m.Payload), true; m.Payload == nil {
			delete(z.topics, k)
		}
	case EndOfReplay:
		if z.ended {
			return errors.New("second EndOfReplay")
		}
		if z.ended = true; m.Seq < z.seq {
			return fmt.Errorf("EndOfReplay %d after %d", m.Seq, z.seq)
		}
		sweep(z.objects, z)
		sweep(z.watches, z)
		sweep(z.topics, z)
	}
	if seq != 0 && seq <= z.seq {
		return fmt.Errorf("sequence number %d after %d", seq, z.seq)
	}
	z.seq = max(z.seq, seq)
	return nil
}

func sweep[K comparable, V any](held map[K]V, z *zebra) {
	for k := range held {
		if !z.fresh[k] {
			delete(held, k)
			z.removed++
		}
	}
}

// Whatever a daemon does between the turns of a slow zebra and across any number
// of attachments: zebra ends up with what the daemon wants, sequence numbers
// grow, and what the client keeps is bounded by what is wanted.
func TestClientAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewClient(func(rib.Event) {})
		z := newZebra()
		want := newZebra()
		turn := func(n int) {
			for _, m := range c.next(n) {
				if err := z.take(m); err != nil {
					t.Fatal(err)
				}
			}
		}
		attached := false
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				r := route(rapid.IntRange(0, 8).Draw(t, "n"), rapid.IntRange(0, 2).Draw(t, "metric"))
				if _, err := c.Put(r); err != nil {
					t.Fatal(err)
				}
				want.objects[r.Key()] = r
			},
			"delete": func(t *rapid.T) {
				k := route(rapid.IntRange(0, 8).Draw(t, "n"), 0).Key()
				if got, had := c.Delete(k) != 0, want.objects[k] != nil; got != had {
					t.Fatalf("Delete: %v, want %v", got, had)
				}
				delete(want.objects, k)
			},
			"watch": func(t *rapid.T) {
				w := topicWatch(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "topic"))
				if rapid.Bool().Draw(t, "on") {
					c.Watch(w)
					want.watches[w] = true
				} else {
					c.Unwatch(w)
					delete(want.watches, w)
				}
			},
			"publish": func(t *rapid.T) {
				k := topicKey{"t", rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")}
				switch v := rapid.SampledFrom([]string{"-", "", "x", "y"}).Draw(t, "value"); v {
				case "-":
					c.Publish(k.topic, k.key, nil)
					delete(want.topics, k)
				default:
					c.Publish(k.topic, k.key, []byte(v))
					want.topics[k] = v
				}
			},
			"complete": func(*rapid.T) { c.EndOfReplay() },
			"turn": func(t *rapid.T) {
				turn(rapid.IntRange(1, 4).Draw(t, "batch"))
			},
			"attach": func(*rapid.T) {
				if attached {
					c.detach()
				}
				c.attach()
				attached = true
				z.begun = false
			},
			"replay request": func(*rapid.T) {
				if attached {
					c.restart()
				}
			},
			"": func(t *rapid.T) {
				n := 0
				for e := c.list.head; e != nil; e = e.next {
					n++
				}
				held := len(z.objects) + len(z.watches) + len(z.topics)
				if live := len(want.objects) + len(want.watches) + len(want.topics); c.Len() != live || n > live+held {
					t.Fatalf("client keeps %d entries, %d live; wanted %d, zebra has %d", n, c.Len(), live, held)
				}
			},
		})
		// Now zebra catches up.
		if !attached {
			c.attach()
		}
		for c.list.todo != nil || c.begin || c.endDue() {
			turn(3)
		}
		c.EndOfReplay()
		turn(100)
		if !z.ended {
			t.Fatal("no EndOfReplay")
		}
		if d := cmp.Diff(want.objects, z.objects, cmp.Comparer(func(a, b rib.Object) bool { return a.Equal(b) }),
			cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Fatalf("objects (-want +have): %s", d)
		}
		if d := cmp.Diff(fmt.Sprint(want.watches, want.topics), fmt.Sprint(z.watches, z.topics)); d != "" {
			t.Fatalf("watches and topics (-want +have): %s", d)
		}
	})
}

// An object that changes while the replay is under way moves behind everything
// else; EndOfReplay still waits for it, or zebra would sweep it.
func TestEndOfReplayWaitsForWhatMoved(t *testing.T) {
	c := NewClient(func(rib.Event) {})
	for n := range 10 {
		c.Put(route(n, 1))
	}
	c.EndOfReplay()
	z := newZebra()
	drain := func(n int) {
		for _, m := range c.next(n) {
			if err := z.take(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.attach()
	drain(100)
	if !z.ended || len(z.objects) != 10 {
		t.Fatalf("first replay: %+v", z)
	}
	c.detach()
	c.attach()
	z.begun = false
	drain(4)
	c.Put(route(9, 2)) // not repeated yet
	c.Put(route(100, 1))
	for range 20 {
		drain(1)
	}
	if z.removed != 0 || len(z.objects) != 11 || !z.ended {
		t.Errorf("swept %d, holds %d, ended %v", z.removed, len(z.objects), z.ended)
	}
}

// A daemon that declares its state complete in the middle of an attachment means
// its last word on every object, also on those that zebra has an older word on.
func TestEndOfReplayAfterEarlierChanges(t *testing.T) {
	c := NewClient(func(rib.Event) {})
	c.attach()
	c.Put(route(1, 1))
	c.next(10)
	c.Put(route(1, 2))
	c.EndOfReplay()
	got := c.next(10)
	if want := []Up{Put{2, route(1, 2)}, EndOfReplay{Seq: 2}}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sent %v", got)
	}
}

// A daemon that never rests ends its replay all the same.
func TestEndOfReplayUnderChurn(t *testing.T) {
	c := NewClient(func(rib.Event) {})
	for n := range 100 {
		c.Put(route(n, 0))
	}
	c.EndOfReplay()
	c.attach()
	for turn := range 300 {
		c.Put(route(1000+turn*2, turn)) // two changes for every message
		c.Put(route(1001+turn*2, turn))
		for _, m := range c.next(1) {
			if _, ok := m.(EndOfReplay); ok {
				return
			}
		}
	}
	t.Error("no EndOfReplay in 300 turns")
}

func TestCoalescing(t *testing.T) {
	c := NewClient(func(rib.Event) {})
	c.attach()
	c.next(10)
	first, _ := c.Put(route(1, 1))
	c.Put(route(2, 1))
	last, _ := c.Put(route(1, 2))
	if again, _ := c.Put(route(1, 2)); again != last || first >= last {
		t.Errorf("sequence numbers %d, %d, equal put %d", first, last, again)
	}
	c.Put(route(3, 1))
	c.Delete(route(3, 1).Key()) // zebra never heard of it
	got := c.next(10)
	want := []Up{Put{2, route(2, 1)}, Put{3, route(1, 2)}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	c.Delete(route(1, 0).Key())
	c.Put(route(1, 2))
	if got := c.next(10); len(got) != 1 {
		t.Errorf("delete and put: %v", got)
	}
}

func TestRefusals(t *testing.T) {
	c := NewClient(func(rib.Event) {})
	unmasked := route(1, 1)
	unmasked.Prefix = netip.MustParsePrefix("10.0.0.1/24")
	zoned := route(1, 1)
	zoned.NextHops = []rib.NextHop{{Addr: netip.MustParseAddr("fe80::1%eth0")}}
	none := route(1, 1)
	none.NextHops = nil
	control := route(1, 1)
	control.Name = "bell\a"
	guard := rib.Policy{Local: netip.MustParseAddr("192.0.2.1"), Peer: netip.MustParsePrefix("0.0.0.0/0")} // zebra's own
	single := rib.Policy{Local: guard.Local, Peer: netip.MustParsePrefix("192.0.2.2/32")}                  // no alias
	for _, o := range []rib.Object{unmasked, zoned, none, control, rib.Route{}, rib.Neighbor{}, rib.MulticastPeer{}, rib.LineProtocol{}, rib.Shaper{}, rib.Override{}, rib.SA{}, rib.Policy{}, guard, single, nil} {
		if _, err := c.Put(o); !errors.Is(err, ErrInvalid) {
			t.Errorf("Put(%+v): %v", o, err)
		}
	}
	for _, w := range []rib.Watch{{}, {Kind: 99}, {Kind: rib.WatchTopic}, {Kind: rib.WatchTopic, Topic: "x", VRF: "y"},
		{Kind: rib.WatchHairpin, Instance: 1}, {Kind: rib.WatchNeighborMiss, Interface: "x", Instance: 1},
		{Kind: rib.WatchPeerUse}, {Kind: rib.WatchPeerUse, Interface: "x", Instance: 1}, {Kind: rib.WatchUnmatched, Interface: "x"},
		{Kind: rib.WatchIPsec, Instance: 1}, {Kind: rib.WatchSADump, Interface: "x"},
		{Kind: rib.WatchNetwork}, {Kind: rib.WatchNetwork, Prefix: unmasked.Prefix}, {Kind: rib.WatchNetwork, Prefix: route(1, 1).Prefix, Instance: 1}} {
		if err := c.Watch(w); !errors.Is(err, ErrInvalid) {
			t.Errorf("Watch(%+v): %v", w, err)
		}
	}
	sa := rib.Key{Kind: rib.KindSA, Addr: guard.Local, Instance: 256}
	if err := CheckKey(sa); err != nil {
		t.Error(err)
	}
	prefixed, named := sa, sa
	prefixed.Prefix, named.Interface = guard.Peer, "x"
	for _, k := range []rib.Key{prefixed, named, guard.Key(), {Kind: rib.KindSA}, {Kind: rib.KindPolicy}} {
		if err := CheckKey(k); !errors.Is(err, ErrInvalid) {
			t.Errorf("CheckKey(%+v): %v", k, err)
		}
	}
	if err := c.Publish("", "k", nil); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if err := c.Publish("t", "k", make([]byte, MaxPayload+1)); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if c.Len() != 0 {
		t.Errorf("%d entries of refused values", c.Len())
	}
}

func TestLogsAndCounters(t *testing.T) {
	c := NewClient(func(rib.Event) {})
	for n := range logRing + 5 {
		c.Log(Log{Message: fmt.Sprint(n)})
	}
	c.Log(Log{Message: strings.Repeat("é", MaxText), Attrs: make([]LogAttr, MaxAttrs+1)})
	c.Count([]Counter{{"rx", 1}})
	c.Put(route(1, 1))
	c.attach()
	var logs []Log
	counters, puts := 0, 0
	for batch := c.next(16); len(batch) > 0; batch = c.next(16) {
		for _, m := range batch {
			switch m := m.(type) {
			case Log:
				logs = append(logs, m)
			case Counters:
				counters++
			case Put:
				if puts++; len(logs) > 100 {
					t.Error("logs hold up objects")
				}
			}
		}
	}
	last := logs[len(logs)-1]
	if len(logs) != logRing || logs[0].Dropped != 6 || logs[0].Message != "6" || logs[1].Dropped != 0 {
		t.Errorf("%d records, first %+v", len(logs), logs[0])
	}
	if len(last.Message) > MaxText || !strings.HasSuffix(last.Message, "é") || len(last.Attrs) != MaxAttrs {
		t.Errorf("last record has %d bytes, %d attributes", len(last.Message), len(last.Attrs))
	}
	if got := TrimLog(Log{Message: "a\x1b[2J\xffb\n\tc\u009b"}).Message; got != "a\uFFFD[2J\uFFFDb\n\tc\uFFFD" {
		t.Errorf("control characters: %q", got)
	}
	if counters != 1 || puts != 1 {
		t.Errorf("%d counters, %d puts", counters, puts)
	}
}

// Run over the in-memory twin: replay at each attachment, events in order, and
// every way in which an attachment ends.
func TestRun(t *testing.T) {
	events := make(chan rib.Event, 100)
	c := NewClient(func(e rib.Event) { events <- e })
	for n := range 1000 {
		c.Put(route(n, 1))
	}
	c.EndOfReplay()
	for round := range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		s, h := Pipe()
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx, s) }()
		z := newZebra()
		for !z.ended {
			batch, err := h.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if len(batch) > MaxBatch {
				t.Fatalf("batch of %d", len(batch))
			}
			for _, m := range batch {
				if err := z.take(m); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(z.objects) != 1000 {
			t.Fatalf("round %d: %d objects", round, len(z.objects))
		}
		s2, _ := Pipe()
		if err := c.Run(ctx, s2); !errors.Is(err, ErrAttached) {
			t.Errorf("second Run: %v", err)
		}
		h.Send([]Down{Event{rib.Attached{Epoch: uint64(round)}}, Event{rib.InterfacesKnown{}}})
		if a, ok := (<-events).(rib.Attached); !ok || a.Epoch != uint64(round) {
			t.Errorf("first event %v", a)
		}
		<-events
		switch round {
		case 0:
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run ended by its context: %v", err)
			}
		case 1:
			h.Close()
			if err := <-done; err != nil {
				t.Errorf("Run ended by zebra: %v", err)
			}
		case 2:
			h.Send([]Down{ReplayRequest{}})
			for begun := false; !begun; {
				batch, err := h.Recv()
				if err != nil {
					t.Fatal(err)
				}
				_, begun = batch[0].(Begin)
			}
		}
		cancel()
		h.Close()
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // the last Run is on its way out
		c.mu.Lock()
		attached := c.attached
		c.mu.Unlock()
		if !attached {
			return
		}
		if time.Now().After(end) {
			t.Fatal("Run does not end")
		}
	}
}

// A zebra that does not read makes neither memory nor messages grow.
func TestSlowZebra(t *testing.T) {
	c := NewClient(func(rib.Event) {})
	ctx, cancel := context.WithCancel(context.Background())
	s, h := Pipe()
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, s) }()
	if _, err := h.Recv(); err != nil { // Begin
		t.Fatal(err)
	}
	for metric := range 200 {
		for n := range 100 {
			c.Put(route(n, metric))
		}
	}
	if c.Len() != 100 {
		t.Errorf("%d entries", c.Len())
	}
	z := newZebra()
	z.begun, z.fresh = true, map[any]bool{}
	messages := 0
	for len(z.objects) < 100 || z.objects[route(99, 0).Key()].(rib.Route).Metric != 199 {
		batch, err := h.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range batch {
			messages++
			z.take(m)
		}
	}
	if bound := (pipeDepth + 3) * MaxBatch; messages > bound {
		t.Errorf("%d messages for 20,000 changes, want at most %d", messages, bound)
	}
	cancel()
	<-done
}

func BenchmarkPutAndTake(b *testing.B) {
	c := NewClient(func(rib.Event) {})
	c.attach()
	b.ReportAllocs()
	for i := range b.N {
		c.Put(route(i&0xffff, i))
		if i%MaxBatch == 0 {
			c.next(MaxBatch)
		}
	}
}

// TestSettle waits until all is sent, and no longer than it may.
func TestSettle(t *testing.T) {
	c := NewClient(func(rib.Event) {})
	if _, err := c.Put(route(1, 1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := c.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without zebra: %v", err)
	}
	ctx, end := context.WithCancel(context.Background())
	ours, theirs := Pipe()
	done := make(chan error)
	go func() { done <- c.Run(ctx, ours) }()
	got := make(chan int)
	go func() {
		n := 0
		for {
			ups, err := theirs.Recv()
			if err != nil {
				break
			}
			n += len(ups)
		}
		got <- n
	}()
	if err := c.Settle(ctx); err != nil || !c.Idle() {
		t.Errorf("attached: %v", err)
	}
	end()
	<-done
	theirs.Close()
	if n := <-got; n < 2 { // Begin, Put
		t.Errorf("%d messages were sent", n)
	}
}
