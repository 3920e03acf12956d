package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// BenchmarkExternals has a router redistribute 5,000 routes, and its neighbour put them.
func BenchmarkExternals(b *testing.B) {
	const n = 5000
	routes := make([]string, n)
	for k := range routes {
		routes[k] = fmt.Sprintf("172.%d.%d.0/24", 16+k>>8, k&255)
	}
	b.ReportAllocs()
	for b.Loop() {
		l, from, to := pair(b)
		from.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
		l.start()
		l.until(time.Minute, "Full", func() bool { return to.full() == 1 })
		at := l.now
		from.redistribute(rib.Static, routes...)
		l.until(time.Minute, "all routes", func() bool { return len(to.fib) == n })
		b.ReportMetric(l.now.Sub(at).Seconds(), "virtual-s")
	}
}
