package core

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// TestToldBounded: no number of askers makes a core remember more than it may, and
// who was told something that is over makes room.
func TestToldBounded(t *testing.T) {
	c := New(Options{Source: rand.NewPCG(1, 1)})
	i := &iface{}
	second := clock.Instant(time.Second)
	entries := []*entry{{iface: i, kind: EntryDynamic, expires: second}, {iface: i, kind: EntryLocal, expires: second}}
	for _, e := range entries {
		granted := 0
		for k := range maxTold + 10 {
			c.in.SrcProtocol = netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)})
			if c.remember(0, e, netip.Addr{}) {
				granted++
			}
		}
		want := maxTold
		if e.kind == EntryLocal {
			want = maxToldLocal
		}
		if granted != want || len(e.told) != want || c.told != want {
			t.Errorf("%v: %d granted, %d and %d remembered, want %d", e.kind, granted, len(e.told), c.told, want)
		}
		e.expires = 2 * second
		if !c.remember(second, e, netip.Addr{}) || len(e.told) != 1 {
			t.Errorf("%v: %d remembered after all is over", e.kind, len(e.told))
		}
		c.purge(second, e) // the instance is not ready: nothing is sent
		if c.told != 0 || e.told != nil || len(i.purges) != 0 {
			t.Errorf("%v: %d remembered after the purge", e.kind, c.told)
		}
	}
}
