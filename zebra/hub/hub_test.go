package hub

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func drain(q *queue) (out []rib.Event) {
	for {
		batch := q.take(7)
		if len(batch) == 0 {
			return out
		}
		for _, d := range batch {
			if e, ok := d.(session.Event); ok {
				out = append(out, e.Event)
			}
		}
	}
}

func ifUp(name string, mtu int) rib.Event {
	return rib.InterfaceChanged{Interface: rib.Interface{Name: name, MTU: mtu}}
}

func openQueue() *queue {
	q := newQueue()
	q.put(rib.Attached{Epoch: 1})
	q.take(1)
	return &q
}

func TestQueueCoalesces(t *testing.T) {
	nh := rib.Watch{Kind: rib.WatchNextHop, Addr: netip.MustParseAddr("10.0.0.1")}
	rd := rib.Watch{Kind: rib.WatchRedistribute, Family: rib.IPv4, Protocol: rib.OSPF}
	change := func(n, metric int, gone bool) rib.Event {
		return rib.RouteChanged{Watch: rd, Withdrawn: gone, Route: rib.Route{
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), 0, 0}), 16), Metric: uint32(metric)}}
	}
	key := func(n int) rib.Key { return rib.Key{Kind: rib.KindRoute, Instance: uint32(n)} }
	fail := func(n int, text string) rib.Failure { return rib.Failure{Key: key(n), Error: text} }
	for _, c := range []struct {
		name     string
		in, want []rib.Event
	}{
		{"interface: last state, at the end",
			[]rib.Event{ifUp("a", 1), ifUp("b", 1), ifUp("a", 2)}, []rib.Event{ifUp("b", 1), ifUp("a", 2)}},
		{"interface gone replaces changed",
			[]rib.Event{ifUp("a", 1), rib.InterfaceGone{Name: "a"}}, []rib.Event{rib.InterfaceGone{Name: "a"}}},
		{"a change does not slip behind the marker",
			[]rib.Event{ifUp("a", 1), rib.InterfacesKnown{}, ifUp("a", 2), ifUp("c", 1)},
			[]rib.Event{ifUp("a", 2), rib.InterfacesKnown{}, ifUp("c", 1)}},
		{"next hop by watch",
			[]rib.Event{rib.NextHopChanged{Watch: nh, Metric: 1}, rib.NextHopChanged{Watch: nh, Metric: 2}},
			[]rib.Event{rib.NextHopChanged{Watch: nh, Metric: 2}}},
		{"route by watch and prefix, withdrawal last",
			[]rib.Event{change(1, 1, false), change(2, 1, false), rib.RoutesKnown{Watch: rd}, change(1, 1, true), change(3, 1, false), change(3, 2, false)},
			[]rib.Event{change(1, 1, true), change(2, 1, false), rib.RoutesKnown{Watch: rd}, change(3, 2, false)}},
		{"acks without failures join", []rib.Event{rib.Ack{Seq: 1}, rib.Ack{Seq: 5}}, []rib.Event{rib.Ack{Seq: 5}}},
		{"an ack with failures is not joined with a later one",
			[]rib.Event{rib.Ack{Seq: 1}, rib.Ack{Seq: 2, Failures: []rib.Failure{fail(1, "x")}}, rib.Ack{Seq: 3}, rib.Ack{Seq: 4}},
			[]rib.Event{rib.Ack{Seq: 2, Failures: []rib.Failure{fail(1, "x")}}, rib.Ack{Seq: 4}}},
		{"topic by topic and key",
			[]rib.Event{rib.TopicMessage{Topic: "t", Key: "a", Payload: []byte("1")}, rib.TopicMessage{Topic: "t", Key: "b"}, rib.TopicMessage{Topic: "t", Key: "a"}},
			[]rib.Event{rib.TopicMessage{Topic: "t", Key: "b"}, rib.TopicMessage{Topic: "t", Key: "a"}}},
		{"use of peers is joined by interface",
			[]rib.Event{used("a", "192.0.2.9", "192.0.2.7"), used("b", "192.0.2.7"), used("a", "192.0.2.8", "192.0.2.9")},
			[]rib.Event{used("a", "192.0.2.7", "192.0.2.8", "192.0.2.9"), used("b", "192.0.2.7")}},
		{"acquires by addresses",
			[]rib.Event{acquired(1), acquired(2), acquired(1)}, []rib.Event{acquired(2), acquired(1)}},
		{"what becomes of an SA, by SA",
			[]rib.Event{rib.SAExpired{SA: key(1)}, rib.SAExpired{SA: key(2)}, rib.MappingChanged{SA: key(1)}, rib.SAExpired{SA: key(1), Hard: true},
				rib.MappingChanged{SA: key(1), New: netip.MustParseAddrPort("192.0.2.1:1")}},
			[]rib.Event{rib.SAExpired{SA: key(2)}, rib.SAExpired{SA: key(1), Hard: true}, rib.MappingChanged{SA: key(1), New: netip.MustParseAddrPort("192.0.2.1:1")}}},
		{"the parts of one answer",
			[]rib.Event{rib.SADump{Question: 1}, rib.SADump{Question: 1, Part: 1, Last: true}, rib.SADump{Question: 2}, rib.SADump{Question: 2, Part: 1, Last: true}},
			[]rib.Event{rib.SADump{Question: 2}, rib.SADump{Question: 2, Part: 1, Last: true}}},
		{"hairpins are all kept", []rib.Event{rib.Hairpin{In: "a"}, rib.Hairpin{In: "a"}}, []rib.Event{rib.Hairpin{In: "a"}, rib.Hairpin{In: "a"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := openQueue()
			for _, e := range c.in {
				q.put(e)
			}
			if got := drain(q); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			if len(q.by) != 0 || q.len() != 0 || q.hairpins != 0 || q.acks != 0 {
				t.Errorf("empty queue keeps %+v", q)
			}
		})
	}
}

func acquired(peer int) rib.Event {
	return rib.Acquired{Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.AddrFrom4([4]byte{198, 18, byte(peer >> 8), byte(peer)})}
}

func used(ifname string, nbma ...string) rib.PeersUsed {
	u := rib.PeersUsed{Interface: ifname}
	for _, a := range nbma {
		u.NBMA = append(u.NBMA, netip.MustParseAddr(a))
	}
	return u
}

// TestQueueUse joins no more addresses than a message may have.
func TestQueueUse(t *testing.T) {
	q := openQueue()
	for n := range 4 {
		u := rib.PeersUsed{Interface: "a"}
		for i := range session.MaxUsed {
			u.NBMA = append(u.NBMA, netip.AddrFrom4([4]byte{10, byte(n), byte(i >> 8), byte(i)}))
		}
		q.put(u)
	}
	got := drain(q)
	if len(got) != 1 || len(got[0].(rib.PeersUsed).NBMA) != session.MaxUsed {
		t.Errorf("%d events", len(got))
	}
}

func TestQueueBounds(t *testing.T) {
	q := openQueue()
	for n := range 5000 {
		q.put(rib.Hairpin{In: "a"})
		q.put(rib.NeighborMiss{Interface: "a", Addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})})
		q.put(acquired(n))
		q.put(rib.Ack{Seq: uint64(n), Failures: []rib.Failure{{Key: rib.Key{Instance: uint32(n % 10)}, Error: fmt.Sprint(n)}}})
	}
	if q.len() > maxHairpins+maxMisses+maxAcks {
		t.Errorf("%d events queued", q.len())
	}
	if q.dropped != 15000-maxHairpins-maxMisses {
		t.Errorf("%d dropped", q.dropped)
	}
	last := rib.Ack{}
	for _, e := range drain(q) {
		if a, ok := e.(rib.Ack); ok {
			last = a
		}
	}
	if last.Seq != 4999 || len(last.Failures) != 10 || last.Failures[9].Error != "4999" {
		t.Errorf("last ack %+v", last)
	}
	if q.misses != 0 || q.hairpins != 0 || q.acks != 0 {
		t.Errorf("counts %d %d %d", q.misses, q.hairpins, q.acks)
	}
	q.put(rib.Hairpin{In: "b"})
	if got := drain(q); len(got) != 1 {
		t.Error("a queue that was full takes no more")
	}
}

// Whatever is queued and taken, the reader's picture is the last state, and
// every interface of before the marker is known at the marker.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := openQueue()
		want, have := map[string]int{}, map[string]int{}
		owed := map[string]bool{} // told before the last marker was queued
		read := func(n int) {
			for _, d := range q.take(n) {
				switch e := d.(session.Event).Event.(type) {
				case rib.InterfaceChanged:
					have[e.Interface.Name] = e.Interface.MTU
				case rib.InterfaceGone:
					have[e.Name] = -1
				case rib.InterfacesKnown:
					for name := range owed {
						if _, ok := have[name]; !ok {
							t.Fatalf("%s is not known at the marker", name)
						}
					}
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				name, mtu := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name"), rapid.IntRange(0, 99).Draw(t, "mtu")
				q.put(ifUp(name, mtu))
				want[name] = mtu
			},
			"gone": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name")
				q.put(rib.InterfaceGone{Name: name})
				want[name] = -1
			},
			"marker": func(t *rapid.T) {
				q.put(rib.InterfacesKnown{})
				for name := range want {
					owed[name] = true
				}
			},
			"read": func(t *rapid.T) { read(rapid.IntRange(1, 3).Draw(t, "n")) },
			"": func(t *rapid.T) {
				if q.len() > 5 {
					t.Fatalf("%d events for 4 interfaces and a marker", q.len())
				}
			},
		})
		for q.len() > 0 {
			read(3)
		}
		if !reflect.DeepEqual(want, have) {
			t.Fatalf("want %v, have %v", want, have)
		}
	})
}

// daemon is one attached daemon of a test.
type daemon struct {
	t      *testing.T
	s      session.Stream
	served chan error
	got    []rib.Event
}

// attach attaches a daemon to h and opens its queue as zebra would.
func attach(t *testing.T, h *Hub, owner string, epoch uint64) *daemon {
	s, hs := session.Pipe()
	d := &daemon{t: t, s: s, served: make(chan error, 1)}
	go func() { d.served <- h.Serve(context.Background(), owner, hs) }()
	waitFor(t, func() bool {
		for _, p := range h.Peers() {
			if p.Owner == owner {
				return true
			}
		}
		return false
	})
	h.Send(owner, rib.Attached{Epoch: epoch})
	return d
}

func (d *daemon) detach() error {
	d.s.Close()
	return <-d.served
}

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what was waited for did not happen")
		}
	}
}

// say sends messages and waits until the hub has dealt with them.
func (d *daemon) say(h *Hub, owner string, ups ...session.Up) {
	d.t.Helper()
	count := func() uint64 {
		for _, p := range h.Peers() {
			if p.Owner == owner {
				return p.Received
			}
		}
		return 1 << 62
	}
	until := count() + uint64(len(ups))
	if err := d.s.Send(ups); err != nil {
		d.t.Fatal(err)
	}
	waitFor(d.t, func() bool { return count() >= until })
}

// hears reads events until there are n of them.
func (d *daemon) hears(n int) []rib.Event {
	d.t.Helper()
	for len(d.got) < n {
		batch, err := d.s.Recv()
		if err != nil {
			d.t.Fatal(err)
		}
		for _, m := range batch {
			if e, ok := m.(session.Event); ok {
				d.got = append(d.got, e.Event)
			}
		}
	}
	out := d.got[:n]
	d.got = d.got[n:]
	return out
}

func (d *daemon) wants(want ...rib.Event) {
	d.t.Helper()
	if got := d.hears(len(want)); !reflect.DeepEqual(got, want) {
		d.t.Errorf("heard %+v\nwant  %+v", got, want)
	}
}

func topic(key, value string) rib.Event {
	m := rib.TopicMessage{Topic: "peers", Key: key}
	if value != "-" {
		m.Payload = []byte(value)
	}
	return m
}

func publish(key, value string) session.Up {
	m := session.Publish{Topic: "peers", Key: key}
	if value != "-" {
		m.Payload = []byte(value)
	}
	return m
}

var watchPeers = session.WatchAdd{Watch: rib.Watch{Kind: rib.WatchTopic, Topic: "peers"}}

func TestTopics(t *testing.T) {
	h := New(func(Message) {}, 0)
	nhrp, ipsec := attach(t, h, "nhrpd", 1), attach(t, h, "ipsecd", 2)
	nhrp.wants(rib.Attached{Epoch: 1})
	ipsec.wants(rib.Attached{Epoch: 2})
	nhrp.say(h, "nhrpd", session.Begin{}, publish("b", "1"), publish("a", "1"), publish("a", "2"), watchPeers)
	ipsec.say(h, "ipsecd", session.Begin{}, watchPeers)
	ipsec.wants(topic("a", "2"), topic("b", "1")) // the present picture, in order of keys
	nhrp.say(h, "nhrpd", publish("c", "3"), publish("b", "-"))
	ipsec.wants(topic("c", "3"), topic("b", "-"))

	// A second publisher of a key; the one who publishes is not told its own.
	ipsec.say(h, "ipsecd", publish("a", "mine"))
	nhrp.wants(topic("a", "mine"))
	third := attach(t, h, "third", 3)
	third.say(h, "third", session.Begin{}, watchPeers)
	third.wants(rib.Attached{Epoch: 3}, topic("a", "mine"), topic("c", "3"))
	ipsec.say(h, "ipsecd", publish("a", "-"))
	nhrp.wants(topic("a", "-"))
	third.wants(topic("a", "2")) // the other one's value stands again

	// The publisher goes: its values stay until its replay does not repeat them.
	nhrp.detach()
	nhrp = attach(t, h, "nhrpd", 4)
	nhrp.say(h, "nhrpd", session.Begin{}, publish("a", "2"), publish("c", "4"), session.EndOfReplay{})
	third.wants(topic("c", "4")) // "a" was repeated: no news
	nhrp.detach()
	nhrp = attach(t, h, "nhrpd", 5)
	nhrp.say(h, "nhrpd", session.Begin{}, publish("c", "4"), session.EndOfReplay{})
	third.wants(topic("a", "-"))
	nhrp.detach()
	h.Withdraw("nhrpd")
	third.wants(topic("c", "-"))
	if len(h.topics.byTopic) != 0 || h.topics.count["nhrpd"] != 0 {
		t.Errorf("left: %+v", h.topics)
	}

	// A watch that is not repeated in a replay ends.
	third.say(h, "third", session.Begin{}, session.EndOfReplay{})
	ipsec.say(h, "ipsecd", publish("z", "1"))
	h.Send("third", rib.InterfacesKnown{})
	third.wants(rib.InterfacesKnown{})
	third.detach()
	ipsec.detach()
}

func TestServe(t *testing.T) {
	inbox := make(chan Message, 100)
	h := New(func(m Message) { inbox <- m }, 7)
	d := attach(t, h, "ripd", 8)
	if m := <-inbox; m != (Attached{"ripd", 8}) {
		t.Errorf("%+v", m)
	}
	_, hs := session.Pipe()
	if err := h.Serve(context.Background(), "ripd", hs); !errors.Is(err, ErrAttached) {
		t.Errorf("second attachment: %v", err)
	}
	put := session.Put{Seq: 1, Object: rib.Neighbor{Interface: "Tunnel0"}}
	hairpin := session.WatchAdd{Watch: rib.Watch{Kind: rib.WatchHairpin, Interface: "Tunnel0"}}
	d.say(h, "ripd", session.Begin{Replay: 1}, put, watchPeers, publish("a", "1"), hairpin, session.EndOfReplay{Seq: 1})
	want := Received{"ripd", 8, []session.Up{session.Begin{Replay: 1}, put, hairpin, session.EndOfReplay{Seq: 1}}}
	if got := <-inbox; !reflect.DeepEqual(got, want) {
		t.Errorf("posted %+v\nwant   %+v", got, want)
	}
	h.RequestReplay("ripd")
	for {
		batch, err := d.s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := batch[len(batch)-1].(session.ReplayRequest); ok {
			break
		}
	}
	if err := d.detach(); err != nil {
		t.Error(err)
	}
	if m := <-inbox; m != (Detached{"ripd", 8, nil}) {
		t.Errorf("%+v", m)
	}
	h.Send("ripd", rib.InterfacesKnown{}) // goes nowhere

	d = attach(t, h, "ripd", 9)
	d.s.Send([]session.Up{put})
	if err := <-d.served; !errors.Is(err, ErrProtocol) {
		t.Errorf("put before Begin: %v", err)
	}
	if m := (<-inbox).(Attached); m.Epoch != 9 {
		t.Errorf("%+v", m)
	}
}

// Nothing is sent before rib.Attached, and zebra's events of before are dropped,
// but topic values are not.
func TestNothingBeforeAttached(t *testing.T) {
	h := New(func(Message) {}, 0)
	p := attach(t, h, "nhrpd", 1)
	p.say(h, "nhrpd", session.Begin{}, publish("a", "1"))
	s, hs := session.Pipe()
	served := make(chan error, 1)
	go func() { served <- h.Serve(context.Background(), "ipsecd", hs) }()
	d := &daemon{t: t, s: s, served: served}
	waitFor(t, func() bool { return len(h.Peers()) == 2 })
	d.say(h, "ipsecd", session.Begin{}, watchPeers)
	h.Send("ipsecd", rib.InterfacesKnown{}, rib.Attached{Epoch: 5}, ifUp("a", 1))
	d.wants(rib.Attached{Epoch: 5}, topic("a", "1"), ifUp("a", 1))
	d.detach()
	p.detach()
}

// A full inbox makes the daemon wait and not the hub grow.
func TestBackPressure(t *testing.T) {
	gate := make(chan struct{})
	var mu sync.Mutex
	var received []session.Up
	h := New(func(m Message) {
		if r, ok := m.(Received); ok {
			<-gate
			mu.Lock()
			defer mu.Unlock()
			received = append(received, r.Ups...)
		}
	}, 0)
	seenLast := func(last netip.Addr) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range received {
			if p, ok := m.(session.Put); ok && p.Object.(rib.Neighbor).NBMA == last {
				return true
			}
		}
		return false
	}
	c := session.NewClient(func(rib.Event) {})
	s, hs := session.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	served, ran := make(chan error, 1), make(chan error, 1)
	go func() { served <- h.Serve(ctx, "ripd", hs) }()
	go func() { ran <- c.Run(ctx, s) }()
	n := 0
	for range 100 {
		for i := range 1000 {
			n++
			c.Put(rib.Neighbor{Interface: "Tunnel0", Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), NBMA: netip.AddrFrom4([4]byte{1, byte(n >> 16), byte(n >> 8), byte(n)})})
		}
	}
	c.EndOfReplay()
	close(gate)
	waitFor(t, func() bool { return h.Peers()[0].Received >= 1000 })
	last := netip.AddrFrom4([4]byte{1, byte(n >> 16), byte(n >> 8), byte(n)})
	waitFor(t, c.Idle)
	waitFor(t, func() bool { return seenLast(last) })
	cancel()
	<-served
	<-ran
	if len(received) > 10000 {
		t.Errorf("%d messages of %d changes to 1000 objects", len(received), n)
	}
}

func TestNextGeneration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "generation")
	var last uint64
	for round := range 3 {
		n, err := NextGeneration(path)
		if err != nil || n <= last+1<<31 {
			t.Errorf("round %d: %d after %d, %v", round, n, last, err)
		}
		last = n
	}
	os.WriteFile(path, []byte("garbage"), 0o600)
	if n, err := NextGeneration(path); err != nil || n != 1<<generationShift {
		t.Errorf("damaged file: %d, %v", n, err)
	}
	if _, err := NextGeneration("/nonexistent/x"); err == nil {
		t.Error("no error")
	}
}

func BenchmarkSend(b *testing.B) {
	q := openQueue()
	b.ReportAllocs()
	for i := range b.N {
		q.put(rib.RouteChanged{Route: rib.Route{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)}})
		if i%256 == 255 {
			q.take(256)
		}
	}
}
