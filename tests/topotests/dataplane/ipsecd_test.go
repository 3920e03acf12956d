package dataplane

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
)

// negotiator is what stands for ipsecd: a session with zebra, and what it was told.
type negotiator struct {
	*testing.T
	c *session.Client

	mu   sync.Mutex
	told []rib.Event
}

func newNegotiator(t *testing.T) *negotiator {
	n := &negotiator{T: t}
	n.c = session.NewClient(func(e rib.Event) { n.mu.Lock(); n.told = append(n.told, e); n.mu.Unlock() })
	return n
}

// attach opens a session with a life of zebra; the function that is returned cuts it.
func (n *negotiator) attach(l *life) (cut func()) {
	n.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	down, up := session.Pipe()
	var running sync.WaitGroup
	running.Go(func() { _ = l.hub.Serve(ctx, "ipsecd", up) })
	running.Go(func() { _ = n.c.Run(ctx, down) })
	cut = sync.OnceFunc(func() { cancel(); running.Wait() })
	n.Cleanup(cut)
	return cut
}

// hears waits until it was told something, and forgets what it was told until then.
func (n *negotiator) hears(what string, match func(rib.Event) bool) (e rib.Event) {
	n.Helper()
	harness.Eventually(n, limit, func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		i := slices.IndexFunc(n.told, match)
		if i < 0 {
			return fmt.Errorf("not told: %s, but %+v", what, n.told)
		}
		e = n.told[i]
		n.told = slices.Delete(n.told, 0, i+1)
		return nil
	})
	return e
}

// put states an SA and waits for what becomes of it; "" if it is in force.
func (n *negotiator) put(s dataplane.SA, epoch uint64) (failure string) {
	n.Helper()
	seq, err := n.c.Put(rib.SA{ESP: s.ESP, Epoch: epoch})
	if err != nil {
		n.Fatal(err)
	}
	key := rib.SA{ESP: s.ESP}.Key()
	n.hears("acknowledgement", func(e rib.Event) bool {
		a, ok := e.(rib.Ack)
		for _, f := range a.Failures {
			if ok && f.Key == key {
				failure = f.Error
			}
		}
		return ok && a.Seq >= seq
	})
	return failure
}

// dump asks which SAs there are.
func (n *negotiator) dump(question uint32) (all map[uint32]rib.SAState) {
	n.Helper()
	w := rib.Watch{Kind: rib.WatchSADump, Instance: question}
	if err := n.c.Watch(w); err != nil {
		n.Fatal(err)
	}
	defer n.c.Unwatch(w)
	all = map[uint32]rib.SAState{}
	n.hears("answer", func(e rib.Event) bool {
		d, ok := e.(rib.SADump)
		if !ok || d.Question != question {
			return false
		}
		for _, s := range d.SAs {
			all[s.SA.SPI] = s
		}
		return d.Last
	})
	return all
}

// epoch waits for the beginning of a session.
func (n *negotiator) epoch() uint64 {
	n.Helper()
	return n.hears("attachment", func(e rib.Event) bool { _, ok := e.(rib.Attached); return ok }).(rib.Attached).Epoch
}

// TestNegotiator has what stands for ipsecd give a protected tunnel its SAs, die, come
// again, and see zebra die and come again: SAs that are in force stay so, with what they
// counted; one that went never comes back; packets go by ESP or not at all.
func TestNegotiator(t *testing.T) {
	p := newPair(t)
	remove(t, p.a, mgre)
	state := filepath.Join(t.TempDir(), "saved.json")
	p.a.P.Close()
	ab, ba := between(func(*dataplane.SA) {})
	put(t, p.b.P, dataplane.Guard(ip("192.0.2.2")), ab, ba)

	zebra := newLife(t, p.a, state, 0, protectedSpoke("DMVPN", "192.0.2.1"), "ipsecd")
	first := newNegotiator(t)
	if err := first.c.Watch(rib.Watch{Kind: rib.WatchIPsec}); err != nil {
		t.Fatal(err)
	}
	cut := first.attach(zebra)
	epoch := first.epoch()
	up := func() bool {
		l, err := p.a.Handle.LinkByName("Tunnel0")
		return err == nil && l.Attrs().Flags&1 != 0
	}
	zebra.settled(t, "the tunnel", up)
	first.hears("its profile", func(e rib.Event) bool {
		i, ok := e.(rib.InterfaceChanged)
		return ok && i.Interface.Tunnel != nil && i.Interface.Tunnel.Protection == "DMVPN"
	})
	harness.Eventually(t, limit, func() error { // there may be no address yet
		p.a.Do(func() error { _ = p.push(p.a, overlay(2), ip("192.0.2.2")); return nil })
		first.mu.Lock()
		defer first.mu.Unlock()
		if !slices.ContainsFunc(first.told, func(e rib.Event) bool {
			return e == rib.Acquired{Source: ip("192.0.2.1"), Destination: ip("192.0.2.2")}
		}) {
			return errNot("an acquire")
		}
		return nil
	})
	for _, s := range []dataplane.SA{ba, ab} {
		if why := first.put(s, epoch); why != "" {
			t.Fatal(why)
		}
	}
	p.passed()
	send := func(n int) {
		for range n {
			p.a.Do(func() error { return p.push(p.a, overlay(2), ip("192.0.2.2")) })
		}
	}
	send(3)
	p.counted(p.b, ab, 3)
	first.c.EndOfReplay()

	// It dies: its SAs go on, and its next life finds and keeps them, without their keys.
	cut()
	send(2)
	p.counted(p.b, ab, 5)
	second := newNegotiator(t)
	cut = second.attach(zebra)
	epoch = second.epoch()
	have := second.dump(1)
	if s := have[ab.SPI]; len(have) != 2 || s.Live || s.Count.Packets != 5 || !s.SA.Keyless() || s.SA.Window != ab.Window {
		t.Errorf("found %+v", have)
	}
	for _, s := range []dataplane.SA{ba, ab} {
		s.CipherKey = rib.Secret{}
		if why := second.put(s, 0); why != "" {
			t.Error(why)
		}
	}
	second.c.EndOfReplay()
	harness.Eventually(t, limit, func() error {
		if have := second.dump(2); len(have) != 2 || !have[ab.SPI].Live || !have[ba.SPI].Live {
			return fmt.Errorf("kept %+v", have)
		}
		return nil
	})

	// zebra dies: the kernel goes on. SAs are taken away meanwhile, one of which the keys
	// are known and one of which they are not.
	known := dptest.SA("192.0.2.2", "192.0.2.1", 0x4000)
	if why := second.put(known, epoch); why != "" {
		t.Error(why)
	}
	zebra.end()
	cut()
	send(1)
	p.counted(p.b, ab, 6)
	p.a.Remove(ba)
	p.a.Remove(known)
	zebra = newLife(t, p.a, state, 1<<32, protectedSpoke("DMVPN", "192.0.2.1"), "ipsecd")
	second.told = nil
	cut = second.attach(zebra)
	epoch = second.epoch()
	gone := map[rib.Key]bool{}
	second.hears("which ones went", func(e rib.Event) bool {
		a, _ := e.(rib.Ack)
		for _, f := range a.Failures {
			gone[f.Key] = strings.Contains(f.Error, dataplane.ErrGone.Error())
		}
		return gone[rib.SA{ESP: ba.ESP}.Key()] && gone[rib.SA{ESP: known.ESP}.Key()]
	})
	if have := second.dump(3); len(have) != 1 || !have[ab.SPI].Live || have[ab.SPI].Count.Packets != 6 {
		t.Errorf("after zebra's death: %+v", have)
	}
	send(1)
	p.counted(p.b, ab, 7)

	// Another in the place of the one that went.
	next := ba
	next.SPI, next.CipherKey = 0x3000, repeat(36)
	put(t, p.b.P, next)
	second.c.Delete(rib.SA{ESP: ba.ESP}.Key())
	second.c.Delete(rib.SA{ESP: known.ESP}.Key())
	if why := second.put(next, epoch); why != "" {
		t.Error(why)
	}
	if have := p.passed(); have.byA != 0 {
		t.Errorf("on the wire %+v", have)
	}
	text := fmt.Sprintf("%+v %v", second.told, second.c)
	if strings.Contains(text, "\x11\x11\x11\x11") || strings.Contains(text, "17 17 17 17") {
		t.Error("a key is printed")
	}
	cut()
}
