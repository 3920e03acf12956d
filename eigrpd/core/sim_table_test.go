package core

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

func heap() float64 {
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	return float64(mem.HeapAlloc) / 1e6
}

// TestSimTable: two routers, of which one redistributes many routes. The other learns
// all of them, by packets that are full; keeps them while nothing happens, without a word
// about them; has them again after a restart of either; and loses them all with their
// source.
func TestSimTable(t *testing.T) {
	n := *simPrefixes
	l, a, b := pair(t)
	for _, r := range l.routers {
		r.edit("Eth0", func(x *rib.Interface) { x.Bandwidth = 1_000_000 })
	}
	watch := rib.Watch{Kind: rib.WatchRedistribute, Family: rib.IPv4, Protocol: rib.Static}
	a.instance().Redistribute = []Redistribute{{Protocol: rib.Static, Metric: &policy.Vector{Bandwidth: 100_000, Delay: 1, Reliability: 255, Load: 1, MTU: 1500}}}
	before := heap()
	l.start()
	state := func(gone bool) {
		for k := range n {
			a.core.Step(l.now, RouteChanged{Watch: watch, Withdrawn: gone, Route: rib.Route{Prefix: simPrefix(k), Protocol: rib.Static,
				NextHops: []rib.NextHop{{Addr: addr("10.1.0.9"), Interface: "Eth1"}}}})
			if k%1000 == 999 { // the edge hands over many at once
				a.step(Tick{})
			}
		}
		a.step(RoutesKnown{Watch: watch})
	}
	act := func(what string, most time.Duration, done func() bool) {
		t.Helper()
		packets, began := l.sent, time.Now()
		at := l.now
		for !done() {
			if l.now.Sub(at) > most {
				t.Fatalf("%s: not done after %v; %d routes", what, most, len(b.fib))
			}
			l.advance(50 * time.Millisecond)
			for _, r := range l.routers {
				r.take()
			}
		}
		t.Logf("%s: %.1f s of virtual time, %d packets, %.1f s", what, l.now.Sub(at).Seconds(), l.sent-packets, time.Since(began).Seconds())
	}
	full := func() bool { return len(b.fib) == n+1 }
	l.advance(3 * time.Second)
	state(false)
	act("all prefixes", time.Minute, full)
	t.Logf("%d prefixes: %.0f MB of heap with both cores, %.0f octets for each prefix and router", n, heap()-before, 1e6*(heap()-before)/float64(2*n))

	packets := l.sent
	l.advance(time.Minute)
	if p := l.sent - packets; p > 100 {
		t.Errorf("%d packets in a minute of peace", p)
	}
	for _, r := range []*router{b, a} {
		r.crash()
		r.start()
		if r == a {
			state(false)
		}
		ended := false
		act("restart of "+r.name, 2*time.Minute, func() bool { ended = r.core.order[0].converge.done; return ended })
		l.advance(5 * time.Second)
		if !full() {
			t.Fatalf("%d routes after a restart of %s", len(b.fib), r.name)
		}
	}
	b.step(Clear{})
	b.take()
	act("reset", time.Minute, full)
	state(true)
	act("all gone", time.Minute, func() bool { return len(b.fib) == 1 })
	if got := b.routes(); !slices.Equal(got, []string{"10.1.0.0/24 [90/30720] 10.0.0.1,Eth0"}) {
		t.Errorf("left: %q", got)
	}
}
