package rib_test

import (
	"net/netip"
	"strings"
	"testing"

	lib "github.com/godmvpn/godmvpn/lib/rib"

	"github.com/godmvpn/godmvpn/zebra/rib"
)

func drainAll(c *rib.Core) []string {
	var out []string
	for _, e := range c.Drain(nil) {
		out = append(out, formatEffect(e))
	}
	return out
}

// TestKernelRoutes are selected and resolved through, and never put, but for an
// override: that goes under its own protocol.
func TestKernelRoutes(t *testing.T) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	kernel := lib.Route{Prefix: netip.MustParsePrefix("20.0.0.0/8"), Protocol: lib.Kernel, NextHops: []lib.NextHop{{Addr: netip.MustParseAddr("10.0.0.9"), Interface: "eth0"}}}
	put(c, rib.OwnerKernel, 0, kernel)
	if got := drainAll(c); len(got) != 0 {
		t.Errorf("a kernel route causes %q", got)
	}
	put(c, "static", 1, staticRoute("30.0.0.0/8", via("20.0.0.1")))
	put(c, "nhrpd", 1, lib.Override{Prefix: kernel.Prefix, Protocol: lib.NHRP, Distance: 250, NextHop: lib.NextHop{Addr: netip.MustParseAddr("10.0.0.7"), Interface: "eth0"}})
	got, want := drainAll(c), []string{
		"fib put 1 30.0.0.0/8 static {10.0.0.9%eth0}",
		"fib put 2 20.0.0.0/8 nhrp overridden {10.0.0.7%eth0}",
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("effects %q, want %q", got, want)
	}
	c.Step(0, rib.Delete{Owner: rib.OwnerKernel, Key: kernel.Key()})
	got = drainAll(c)
	if len(got) != 2 || got[0] != "fib put 3 20.0.0.0/8 nhrp {10.0.0.7%eth0}" {
		t.Errorf("without the kernel's route: %q", got)
	}
}

// TestNeighborOwners gives a neighbour that two owners state to the first.
func TestNeighborOwners(t *testing.T) {
	c := rib.New(rib.Options{})
	n := func(nbma string) lib.Neighbor {
		return lib.Neighbor{Interface: "Tunnel0", Addr: netip.MustParseAddr("10.0.0.9"), NBMA: netip.MustParseAddr(nbma)}
	}
	put(c, "b", 0, n("192.0.2.2"))
	put(c, "a", 0, n("192.0.2.1"))
	put(c, "c", 0, n("192.0.2.3"))
	c.Step(0, rib.OwnerLost{Owner: "a"})
	c.Step(0, rib.OwnerLost{Owner: "b"})
	c.Step(0, rib.OwnerLost{Owner: "c"})
	put(c, "c", 0, n("192.0.2.3"))
	got, want := drainAll(c), []string{
		"neighbor put 1 Tunnel0 10.0.0.9 -> 192.0.2.2", "neighbor put 2 Tunnel0 10.0.0.9 -> 192.0.2.1",
		"neighbor put 3 Tunnel0 10.0.0.9 -> 192.0.2.2", "neighbor put 4 Tunnel0 10.0.0.9 -> 192.0.2.3",
		"neighbor delete 5 Tunnel0 10.0.0.9", "neighbor put 6 Tunnel0 10.0.0.9 -> 192.0.2.3",
	}
	if len(got) != len(want) {
		t.Fatalf("effects %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("effect %q, want %q", got[i], want[i])
		}
	}
	if v := c.Neighbors(); len(v) != 1 || v[0].FIB != rib.FIBPending || v[0].Owner != "c" {
		t.Errorf("neighbours %+v", v)
	}
}

// TestEarlierVerdict on a failed object does not pass for one on its last effect.
func TestEarlierVerdict(t *testing.T) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	key := lib.Key{Kind: lib.KindRoute, Prefix: netip.MustParsePrefix("20.0.0.0/8")}
	put(c, "static", 1, staticRoute("20.0.0.0/8", lib.NextHop{Addr: netip.MustParseAddr("10.1.0.2"), Interface: "eth0"}))
	c.Step(0, rib.Installed{Results: []rib.Result{{Key: key, Gen: 1, Error: "no"}}})
	drainAll(c)
	// Now the gateway is in the subnet: generation 2.
	addresses := []lib.Address{{Prefix: netip.MustParsePrefix("10.1.0.1/24")}}
	c.Step(0, rib.InterfaceChanged{Interface: lib.Interface{Name: "eth0", Up: true, Addresses: addresses}})
	drainAll(c)
	c.Step(0, rib.Installed{Results: []rib.Result{{Key: key, Gen: 1}}})
	if got := drainAll(c); len(got) != 0 {
		t.Errorf("told %q", got)
	}
	c.Step(0, rib.Installed{Results: []rib.Result{{Key: key, Gen: 2}}})
	if got := drainAll(c); len(got) != 1 || got[0] != "static: ack 1; 20.0.0.0/8: in force again" {
		t.Errorf("told %q", got)
	}
}

// TestVerdicts leaves alone what they are not about.
func TestVerdicts(t *testing.T) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	p := netip.MustParsePrefix("20.0.0.0/8")
	key := lib.Key{Kind: lib.KindRoute, Prefix: p}
	state := func() rib.FIBState { v, _ := c.Prefix("", p); return v.FIB }
	put(c, "static", 1, staticRoute("20.0.0.0/8", via("10.0.0.2"))) // generation 1
	put(c, "static", 2, staticRoute("20.0.0.0/8", via("10.0.0.3"))) // generation 2
	for _, step := range []struct {
		result rib.Result
		want   rib.FIBState
	}{
		{rib.Result{Key: key, Gen: 3}, rib.FIBPending}, // never asked
		{rib.Result{Key: key, Gen: 1, Error: "no"}, rib.FIBPending},
		{rib.Result{Key: lib.Key{Kind: lib.KindRoute, VRF: "RED", Prefix: p}, Gen: 2}, rib.FIBPending},
		{rib.Result{Key: lib.Key{Kind: lib.KindRoute, Prefix: netip.MustParsePrefix("10.0.0.0/24")}, Gen: 2}, rib.FIBPending},
		{rib.Result{Key: lib.Key{Kind: lib.KindNeighbor, Interface: "eth0"}, Gen: 2}, rib.FIBPending},
		{rib.Result{Key: key, Gen: 2}, rib.FIBInstalled},
		{rib.Result{Key: key, Gen: 1, Error: "late"}, rib.FIBInstalled},
		{rib.Result{Key: key, Gen: 2, Error: "lost"}, rib.FIBFailed},
		{rib.Result{Key: key, Gen: 2}, rib.FIBInstalled},
	} {
		c.Step(0, rib.Installed{Results: []rib.Result{step.result}})
		if got := state(); got != step.want {
			t.Errorf("after %+v: %v, want %v", step.result, got, step.want)
		}
		if told := strings.Join(drainAll(c), " "); strings.Contains(told, "8: no") || strings.Contains(told, "late") {
			t.Errorf("after %+v: told %q", step.result, told)
		}
	}
}
