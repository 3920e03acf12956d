package core

import (
	"flag"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

var simPrefixes = flag.Int("sim-prefixes", 5_000, "prefixes in the simulation of two routers")

// simPrefix is the n-th of up to 2^24 prefixes of 24 bits or longer.
func simPrefix(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(n>>16), byte(n >> 8), byte(n)}), 24)
}

// TestSimPrefixes has a router tell another of many prefixes, which come one by one from
// another protocol or are there already, and then go: nothing is lost, packets are full,
// and it takes no longer for each of many than for each of a few.
func TestSimPrefixes(t *testing.T) {
	n := *simPrefixes
	l := newTown(t)
	a := l.router("a", func(ic *InstanceConfig) { ic.Redistribute = []Redistribute{{Protocol: rib.Static, Metric: fastVector}} }).on("lan", "Eth0", "10.0.0.1/24")
	b := l.router("b").on("lan", "Eth0", "10.0.0.2/24")
	packets, routes := 0, 0
	l.pass = func(_, _ *router, m *packet.Message) bool {
		if len(m.Routes) > 0 {
			packets, routes = packets+1, routes+len(m.Routes)
		}
		return true
	}
	l.start()
	l.advance(10 * time.Second)
	static := rib.Watch{Kind: rib.WatchRedistribute, Family: rib.IPv4, Protocol: rib.Static}
	change := func(withdrawn bool) {
		for k := range n {
			a.step(RouteChanged{Watch: static, Route: rib.Route{Prefix: simPrefix(k), Protocol: rib.Static}, Withdrawn: withdrawn})
		}
	}
	phase := func(name string, want int, do func()) {
		packets, routes = 0, 0
		began := time.Now()
		do()
		took := time.Since(began)
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if got := len(b.fib); got != want {
			t.Errorf("%s: %d routes, want %d", name, got, want)
		}
		t.Logf("%s: %d prefixes in %v, %v for each; %d routes in %d packets; heap %d MB", name, n, took.Round(time.Millisecond),
			(took / time.Duration(n)).Round(100*time.Nanosecond), routes, packets, m.HeapAlloc>>20)
		if full := routes / max(packets, 1); full < 20 {
			t.Errorf("%s: %d routes in a packet, in which 30 have room", name, full)
		}
	}
	phase("come", n, func() { change(false); l.advance(2 * time.Minute) })
	phase("table", n, func() {
		b.step(Clear{})
		l.advance(10 * time.Minute)
	})
	phase("go", 0, func() { change(true); l.advance(10 * time.Minute) })
	if len(a.fib)+len(b.fib) != 0 {
		t.Error("routes are left")
	}
}
