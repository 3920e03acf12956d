package core_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestSharedNextHops installs routes whose next hops are those of the one before, and
// others (RFC 4271 section 9.1.3): equal ones are kept once, and what was stated stays as
// it was.
func TestSharedNextHops(t *testing.T) {
	c := core.New()
	c.Step(0, core.Attached{})
	c.Step(0, core.ConfigSet{Config: core.Config{Instances: []core.InstanceConfig{{AS: 65000}}}})
	c.Step(0, core.Started{})
	one, two := netip.MustParseAddr("172.31.0.11"), netip.MustParseAddr("172.31.0.12")
	ways := [][]netip.Addr{{one}, {one}, {two}, {one, two}, {one, two}, {one}}
	best := core.Best{}
	for i, w := range ways {
		r := core.Route{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16)}
		for _, a := range w {
			r.Paths = append(r.Paths, core.Path{NextHop: a, External: true})
		}
		best.Routes = append(best.Routes, r)
	}
	c.Step(0, best)
	var got [][]rib.NextHop
	for _, e := range c.Drain(nil) {
		if put, ok := e.(core.PutRoute); ok {
			got = append(got, put.Route.NextHops)
		}
	}
	if len(got) != len(ways) {
		t.Fatalf("%d routes were stated, want %d", len(got), len(ways))
	}
	for i, w := range ways {
		if !slices.EqualFunc(got[i], w, func(h rib.NextHop, a netip.Addr) bool { return h == rib.NextHop{Addr: a} }) {
			t.Errorf("route %d goes by %v, want %v", i, got[i], w)
		}
	}
	for i, shared := range []bool{true, false, false, true, false} {
		if same := &got[i][0] == &got[i+1][0]; same != shared {
			t.Errorf("routes %d and %d share their next hops: %t, want %t", i, i+1, same, shared)
		}
	}
}
