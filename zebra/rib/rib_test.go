package rib_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	lib "github.com/godmvpn/godmvpn/lib/rib"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

func staticRoute(prefix string, hops ...lib.NextHop) lib.Route {
	return lib.Route{Prefix: netip.MustParsePrefix(prefix), Protocol: lib.Static, Distance: 1, NextHops: hops}
}

func via(addr string) lib.NextHop { return lib.NextHop{Addr: netip.MustParseAddr(addr)} }

func put(c *rib.Core, owner string, seq uint64, obj lib.Object) {
	c.Step(0, rib.Put{Owner: owner, Seq: seq, Object: obj})
}

func reasonOf(t *testing.T, c *rib.Core, prefix string) (rib.Reason, string) {
	t.Helper()
	v, ok := c.Prefix("", netip.MustParsePrefix(prefix))
	if !ok || len(v.Routes) == 0 {
		t.Fatalf("%s is not known", prefix)
	}
	return v.Routes[0].Reason, v.Routes[0].Why
}

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts rib.Options
		want [3]rib.Reason // static by default, one level deep, two levels deep
	}{
		{"defaults", rib.Options{}, [3]rib.Reason{rib.Active, rib.Active, rib.Active}},
		{"no default route", rib.Options{ViaDefault: []lib.Protocol{}}, [3]rib.Reason{rib.ReasonDefaultOnly, rib.Active, rib.Active}},
		{"BGP by default", rib.Options{ViaDefault: []lib.Protocol{lib.BGP}}, [3]rib.Reason{rib.ReasonDefaultOnly, rib.Active, rib.Active}},
		{"one level", rib.Options{MaxDepth: 1}, [3]rib.Reason{rib.ReasonDepth, rib.Active, rib.ReasonDepth}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := rib.New(tc.opts)
			linkUp(c, "eth0", "10.0.0.1/24")
			put(c, "static", 1, staticRoute("0.0.0.0/0", via("10.0.0.254")))
			put(c, "static", 2, staticRoute("20.0.0.0/8", via("99.0.0.1")))
			put(c, "static", 3, staticRoute("30.0.0.0/8", via("10.0.0.2")))
			put(c, "static", 4, staticRoute("40.0.0.0/8", via("30.0.0.1")))
			var got [3]rib.Reason
			for i, p := range []string{"20.0.0.0/8", "30.0.0.0/8", "40.0.0.0/8"} {
				got[i], _ = reasonOf(t, c, p)
			}
			if got != tc.want {
				t.Errorf("reasons %v, want %v", got, tc.want)
			}
		})
	}
}

// TestNextHopReasons shows each next hop of a route with its own reason.
func TestNextHopReasons(t *testing.T) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	put(c, "static", 1, staticRoute("20.0.0.0/8", via("10.0.0.2"), via("99.0.0.1"), lib.NextHop{Interface: "eth9"}))
	v, _ := c.Prefix("", netip.MustParsePrefix("20.0.0.0/8"))
	var got []string
	for _, nh := range v.Routes[0].NextHops {
		got = append(got, nh.Why)
	}
	want := []string{"active", "next hop 99.0.0.1 unreachable", "interface eth9 down"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(v.Routes[0].Resolved) != 1 {
		t.Errorf("resolved to %v", v.Routes[0].Resolved)
	}
}

// TestMultipath keeps 64 next hops with their weights, and refuses 65.
func TestMultipath(t *testing.T) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	var hops []lib.NextHop
	for i := range rib.MaxNextHops + 1 {
		nh := via(fmt.Sprintf("10.0.0.%d", 100+i))
		nh.Weight = uint16(i + 1)
		hops = append(hops, nh)
	}
	put(c, "static", 1, staticRoute("20.0.0.0/8", hops[:64]...))
	put(c, "static", 2, staticRoute("21.0.0.0/8", via("20.0.0.1")))
	for _, p := range []string{"20.0.0.0/8", "21.0.0.0/8"} {
		v, _ := c.Prefix("", netip.MustParsePrefix(p))
		if len(v.Forwarding) != 64 || v.Forwarding[63].Weight != 64 || v.Forwarding[63].Interface != "eth0" {
			t.Errorf("%s: forwarding by %d next hops: %v", p, len(v.Forwarding), v.Forwarding)
		}
	}
	put(c, "static", 3, staticRoute("20.0.0.0/8", hops...))
	if _, ok := c.Prefix("", netip.MustParsePrefix("20.0.0.0/8")); ok {
		t.Error("a route with 65 next hops was taken")
	}
}

// TestIPv6 resolves recursively, and by link-local gateways, which need no
// connected route.
func TestIPv6(t *testing.T) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "2001:db8::1/64")
	put(c, "ospfd", 1, lib.Route{
		Prefix: netip.MustParsePrefix("2001:db8:9::9/128"), Protocol: lib.OSPF, Distance: 110,
		NextHops: []lib.NextHop{{Addr: netip.MustParseAddr("fe80::2"), Interface: "eth0"}},
	})
	put(c, "bgpd", 1, lib.Route{
		Prefix: netip.MustParsePrefix("2001:db8:a::/48"), Protocol: lib.BGP, Distance: 200, NextHops: []lib.NextHop{via("2001:db8:9::9")},
	})
	v, ok := c.Lookup("", netip.MustParseAddr("2001:db8:a::1"))
	if want := "{fe80::2%eth0}"; !ok || hopsString(v.Forwarding) != want {
		t.Errorf("forwarding by %s, want %s", hopsString(v.Forwarding), want)
	}
	if _, ok := c.Lookup("", netip.MustParseAddr("10.0.0.1")); ok {
		t.Error("an IPv4 address matched an IPv6 prefix")
	}
}

// TestPage walks tables of both families in pages of every size.
func TestPage(t *testing.T) {
	prefixes := map[lib.Family][]string{
		lib.IPv4: {
			"0.0.0.0/0", "1.0.0.0/8", "1.0.0.0/9", "1.0.0.0/32", "1.0.0.1/32", "1.128.0.0/9", "2.0.0.0/7", "2.0.0.0/8", "3.255.255.255/32",
			"4.0.0.0/32", "128.0.0.0/1", "255.255.255.255/32",
		},
		lib.IPv6: {"::/0", "2000::/3", "2001:db8::/32", "2001:db8::/33", "2001:db8:8000::/33", "2001:db8:8000::1/128", "fc00::/7", "ffff::/16"},
	}
	c := rib.New(rib.Options{})
	seq := uint64(0)
	for _, list := range prefixes {
		for _, p := range list {
			seq++
			put(c, "static", seq, staticRoute(p, lib.NextHop{Discard: true}))
		}
	}
	for f, want := range prefixes {
		for size := 1; size <= len(want)+1; size++ {
			var got []string
			var after netip.Prefix
			for more := true; more; {
				var page []rib.PrefixView
				page, more = c.Page("", f, after, size)
				for _, v := range page {
					got = append(got, v.Prefix.String())
					after = v.Prefix
				}
				if len(page) > size || len(page) == 0 {
					t.Fatalf("a page of %d has %d", size, len(page))
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("pages of %d:\n%s", size, d)
			}
		}
	}
	// A prefix that is not there serves as a mark as well.
	page, more := c.Page("", lib.IPv4, netip.MustParsePrefix("3.0.0.0/8"), 1)
	if len(page) != 1 || page[0].Prefix.String() != "3.255.255.255/32" || !more {
		t.Errorf("after 3.0.0.0/8: %v %v", page, more)
	}
}

// TestFailuresAreBounded spreads many failures over several Acks.
func TestFailuresAreBounded(t *testing.T) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	const n = 1000
	for i := range n {
		put(c, "static", uint64(i+1), lib.Route{Prefix: nthPrefix(i), Protocol: lib.Static, Distance: 1, NextHops: []lib.NextHop{via("10.0.0.2")}})
	}
	var results []rib.Result
	for _, e := range c.Drain(nil) {
		switch e := e.(type) {
		case rib.FIBPut:
			results = append(results, rib.Result{Key: e.Key(), Gen: e.Gen, Error: "no"})
		case rib.ToOwner:
			t.Fatalf("told before the FIB answered: %v", e)
		}
	}
	c.Step(0, rib.Installed{Results: results})
	failures, last := 0, lib.Ack{}
	for _, e := range c.Drain(nil) {
		last = e.(rib.ToOwner).Event.(lib.Ack)
		failures += len(last.Failures)
		if len(last.Failures) > 256 {
			t.Errorf("an Ack with %d failures", len(last.Failures))
		}
	}
	if failures != n || last.Seq != n {
		t.Errorf("%d failures, acked up to %d", failures, last.Seq)
	}
}

// TestWaitsAreBounded lets an owner change its mind while the FIB is silent.
func TestWaitsAreBounded(t *testing.T) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	c.Drain(nil)
	const n = 100_000
	var last rib.FIBPut
	for i := range n {
		put(c, "static", uint64(i+1), staticRoute("20.0.0.0/8", via(fmt.Sprintf("10.0.0.%d", 2+i%2))))
		for _, e := range c.Drain(nil) {
			if p, ok := e.(rib.FIBPut); ok {
				last = p
			}
		}
	}
	if got := c.Waits("static"); got > 4096 {
		t.Errorf("%d waits for one prefix", got)
	}
	c.Step(0, rib.Installed{Results: []rib.Result{{Key: last.Key(), Gen: last.Gen}}})
	if got, want := formatEffect(c.Drain(nil)[0]), fmt.Sprintf("static: ack %d", n); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWake asks to be woken for the hold limit of a lost owner, and no more.
func TestWake(t *testing.T) {
	c := rib.New(rib.Options{})
	put(c, "ripd", 1, staticRoute("20.0.0.0/8", lib.NextHop{Discard: true}))
	if at, ok := c.Wake(); ok {
		t.Errorf("to be woken at %v without need", at)
	}
	c.Step(clock.Instant(time.Second), rib.OwnerLost{Owner: "ripd", Limit: time.Minute})
	if at, ok := c.Wake(); !ok || at != clock.Instant(61*time.Second) || c.Stale("ripd") != 1 {
		t.Errorf("to be woken at %v %v, %d stale", at, ok, c.Stale("ripd"))
	}
	// Any input at or after the limit sweeps, a late repetition included.
	c.Step(clock.Instant(61*time.Second), rib.Put{Owner: "ripd", Seq: 1, Object: staticRoute("20.0.0.0/8", lib.NextHop{Discard: true})})
	if _, ok := c.Wake(); ok || c.Stale("ripd") != 0 {
		t.Errorf("still %d stale", c.Stale("ripd"))
	}
	c.Step(clock.Instant(62*time.Second), rib.OwnerLost{Owner: "ripd"})
	if _, ok := c.Prefix("", netip.MustParsePrefix("20.0.0.0/8")); ok {
		t.Error("in force after a loss without limit")
	}
}

// TestInputsAreNotChanged hands the same slices in twice.
func TestInputsAreNotChanged(t *testing.T) {
	hops := []lib.NextHop{via("10.0.0.9"), {Interface: "eth0", Addr: netip.MustParseAddr("100.64.0.1")}}
	before := slices.Clone(hops)
	addresses := []lib.Address{{Prefix: netip.MustParsePrefix("10.0.0.1/24")}}
	c := rib.New(rib.Options{})
	c.Step(0, rib.InterfaceChanged{Interface: lib.Interface{Name: "eth0", Up: true, Addresses: addresses}})
	put(c, "static", 1, staticRoute("20.0.0.0/8", hops...))
	addresses[0].Prefix = netip.MustParsePrefix("11.0.0.1/24")
	put(c, "static", 2, staticRoute("21.0.0.0/8", hops...))
	if !slices.Equal(hops, before) {
		t.Errorf("next hops became %v", hops)
	}
	v, _ := c.Prefix("", netip.MustParsePrefix("21.0.0.0/8"))
	if want := "{10.0.0.9%eth0, 100.64.0.1%eth0 onlink}"; hopsString(v.Forwarding) != want {
		t.Errorf("forwarding by %s, want %s", hopsString(v.Forwarding), want)
	}
}

// TestUnsettled holds a prefix inactive whose recursion does not come to rest,
// with what resolves through it, until recursion changes somewhere.
func TestUnsettled(t *testing.T) {
	c := rib.New(rib.Options{Trace: true})
	linkUp(c, "eth0", "10.0.0.1/24")
	put(c, "static", 1, staticRoute("20.0.0.0/8", via("10.0.0.2")))
	put(c, "static", 2, staticRoute("30.0.0.0/8", via("20.0.0.1")))
	c.Drain(nil)
	c.Freeze(netip.MustParsePrefix("20.0.0.0/8"))
	for _, p := range []string{"20.0.0.0/8", "30.0.0.0/8"} {
		if got, _ := reasonOf(t, c, p); got != rib.ReasonLoop {
			t.Errorf("%s: reason %v", p, got)
		}
	}
	if got := drainAll(c); !slices.Contains(got, "fib delete 3 20.0.0.0/8") || !strings.Contains(got[0], "unsettled") {
		t.Errorf("effects %q", got)
	}
	put(c, "static", 3, staticRoute("40.0.0.0/8", via("20.0.0.1")))
	put(c, "static", 4, staticRoute("20.0.0.0/24", via("10.0.0.3")))
	for _, p := range []string{"20.0.0.0/8", "30.0.0.0/8", "40.0.0.0/8"} {
		if got, why := reasonOf(t, c, p); got != rib.Active {
			t.Errorf("%s: %s", p, why)
		}
	}
}

// TestCircleBehindAnotherReason has a circle whose member is inactive for some
// other reason in the first place; it has to come to rest all the same.
func TestCircleBehindAnotherReason(t *testing.T) {
	c := rib.New(rib.Options{Trace: true})
	put(c, "static", 1, staticRoute("30.0.0.0/8", via("30.0.0.1"), via("20.1.1.1")))
	put(c, "static", 2, staticRoute("20.1.1.0/24", via("10.1.1.5"), via("30.0.0.1")))
	put(c, "static", 3, staticRoute("20.1.0.0/16", lib.NextHop{Discard: true}))
	for _, e := range drainAll(c) {
		if strings.Contains(e, "unsettled") {
			t.Error(e)
		}
	}
	if got, why := reasonOf(t, c, "20.1.1.0/24"); got != rib.ReasonUnreachable {
		t.Errorf("reason %v: %s", got, why)
	}
}

func TestNames(t *testing.T) {
	for r := rib.Active; r <= rib.ReasonConnected; r++ {
		if r.String() == "" || r.String() == "unknown" {
			t.Errorf("reason %d has no name", r)
		}
	}
	for e := rib.TraceSelected; e <= rib.TraceUnsettled; e++ {
		if e.String() == "" || e.String() == "unknown" {
			t.Errorf("trace event %d has no name", e)
		}
	}
	if s := (rib.Reason(200)).String() + rib.TraceEvent(0).String(); strings.Count(s, "unknown") != 2 {
		t.Errorf("names of what is not there: %q", s)
	}
}
