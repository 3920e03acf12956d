package core

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// tells has a router tell b of n networks.
func (r *routesRouter) tells(b *routesRouter, n int) {
	for k := range n {
		if from := b.neighborAt(r.on("lan").addr); from != nil {
			b.hears(from.addr, packet.Update, classicRoute(fmt.Sprintf("10.9.%d.0/24", k)))
		}
	}
}

// TestNeighborMaximumPrefix follows a neighbour that tells too much: the warning, the
// reset, how long it is kept away, and that it may try a few times only.
func TestNeighborMaximumPrefix(t *testing.T) {
	const (
		warning = "%DUAL-4-PFXLIMITTHR: EIGRP-IPv4 100: Neighbor 192.168.0.1 (Gi1) threshold prefix level(7) reached."
		reached = "%DUAL-3-PFXLIMIT: EIGRP-IPv4 100: Neighbor 192.168.0.1 (Gi1) prefix limit reached(10)."
		reset   = "192.168.0.1: prefix-limit exceeded"
	)
	w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{NeighborMaximumPrefix: &MaximumPrefix{Limit: 10, Restart: time.Minute, RestartCount: 2, Dampened: true}}, "")
	addr, lan := a.on("lan").addr, b.on("lan")
	again := func() {
		a.routesNeighborDown(w.now, a.neighborAt(lan.addr))
		a.flush()
		w.queue = nil
		w.peer(a, b, "lan")
	}
	at := func(d time.Duration) {
		w.now = clock.Instant(0).Add(d)
		b.routesTick(w.now)
		b.flush()
	}
	// It has told of two networks of its own, and the LAN.
	a.tells(b, 3)
	check(t, "logs", b.logs)
	a.tells(b, 7)
	check(t, "logs", b.logs, warning)
	check(t, "resets", b.resets)
	a.tells(b, 8)
	check(t, "logs", b.logs, warning, reached)
	check(t, "resets", b.resets, reset)
	b.want()
	if b.routesAdmit(addr, lan) || !b.routesAdmit(netip.MustParseAddr("192.168.0.9"), lan) {
		t.Error("it is admitted, or another is not")
	}
	var s InstanceStatus
	b.routesStatus(w.now, &s)
	if !slices.Equal(s.Penalties, []Penalty{{Addr: addr, Interface: "Gi1", Restarts: 1, RestartIn: time.Minute}}) || s.Down {
		t.Errorf("status %+v", s)
	}
	if wake, ok := b.routesWake(); !ok || wake > w.now.Add(time.Minute) {
		t.Errorf("wants to be woken at %v, %v", wake, ok)
	}
	at(59 * time.Second)
	if b.routesAdmit(addr, lan) {
		t.Error("it is admitted too early")
	}
	at(time.Minute)
	if !b.routesAdmit(addr, lan) {
		t.Error("it is not admitted after a minute")
	}
	again()
	a.tells(b, 8) // a second time: twice as long
	at(2 * time.Minute)
	if b.routesAdmit(addr, lan) {
		t.Error("it is admitted too early")
	}
	at(3 * time.Minute)
	if !b.routesAdmit(addr, lan) {
		t.Error("it is not admitted after two minutes more")
	}
	again()
	a.tells(b, 8) // a third time: an operator has to decide
	at(10 * time.Hour)
	if b.routesAdmit(addr, lan) {
		t.Error("it is admitted without a clear")
	}
	b.routesCleared(w.now, netip.MustParseAddr("192.168.0.9"), "")
	if b.routesAdmit(addr, lan) {
		t.Error("the clear was of another")
	}
	b.routesCleared(w.now, addr, "")
	if !b.routesAdmit(addr, lan) {
		t.Error("it is not admitted after a clear")
	}
	check(t, "resets", b.resets, reset, reset, reset)
	check(t, "logs", b.logs, warning, reached, warning, reached, warning, reached)
}

func check(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s %q, want %q", what, got, want)
	}
}

// TestMaximumPrefixReset checks that one who behaves for long enough begins anew.
func TestMaximumPrefixReset(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{NeighborMaximumPrefix: &MaximumPrefix{Limit: 10, Restart: time.Minute, RestartCount: 1, Reset: 10 * time.Minute}}, "")
	a.tells(b, 8)
	w.now = clock.Instant(0).Add(time.Minute)
	b.routesTick(w.now)
	w.now = clock.Instant(0).Add(11 * time.Minute)
	b.routesTick(w.now)
	if len(b.routes.limits.of) != 0 {
		t.Error("it is remembered")
	}
}

// TestMaximumPrefixWarningOnly checks that a warning does not reset anybody.
func TestMaximumPrefixWarningOnly(t *testing.T) {
	_, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{NeighborMaximumPrefix: &MaximumPrefix{Limit: 4, Threshold: 100, WarningOnly: true}}, "")
	a.tells(b, 8)
	check(t, "logs", b.logs, "%DUAL-4-PFXLIMITTHR: EIGRP-IPv4 100: Neighbor 192.168.0.1 (Gi1) threshold prefix level(4) reached.",
		"%DUAL-3-PFXLIMIT: EIGRP-IPv4 100: Neighbor 192.168.0.1 (Gi1) prefix limit reached(4).")
	check(t, "resets", b.resets)
	if len(b.fib) != 10 {
		t.Errorf("%d routes", len(b.fib))
	}
}

// TestRedistributeMaximum checks that nothing is redistributed for a while if there is
// too much.
func TestRedistributeMaximum(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{Redistribute: []Redistribute{{Protocol: rib.Static, Metric: fastVector}},
		RedistributeMaximum: &MaximumPrefix{Limit: 3}}, InstanceConfig{}, "")
	add := func(n int) {
		for k := range n {
			a.redistributes(RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix(fmt.Sprintf("10.9.%d.0/24", k)), Protocol: rib.Static}})
		}
	}
	add(3)
	if len(b.fib) != 5 {
		t.Errorf("%d routes", len(b.fib))
	}
	add(4)
	b.want(one, two)
	check(t, "logs", a.logs, "%DUAL-4-PFXLIMITTHR: EIGRP-IPv4 100: Redistribution threshold prefix level(2) reached.",
		"%DUAL-3-PFXLIMIT: EIGRP-IPv4 100: Redistribution prefix limit reached(3).")
	check(t, "resets", a.resets)
	a.redistributes(RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix("10.9.3.0/24"), Protocol: rib.Static}, Withdrawn: true})
	w.now = clock.Instant(0).Add(defaultRestart)
	a.routesTick(w.now)
	a.flush()
	w.run()
	if len(b.fib) != 5 {
		t.Errorf("%d routes after the restart", len(b.fib))
	}
}

// TestMaximumPrefix checks the limit of everything: all neighbours are reset, nothing
// is redistributed, and nobody is admitted for a while.
func TestMaximumPrefix(t *testing.T) {
	w, a, b := policyPair(t, InstanceConfig{}, InstanceConfig{MaximumPrefix: &MaximumPrefix{Limit: 10},
		Redistribute: []Redistribute{{Protocol: rib.Static, Metric: fastVector}}}, "")
	b.redistributes(RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix("172.16.0.0/24"), Protocol: rib.Static}})
	a.tells(b, 6) // with two of its own, the LAN and the redistributed one
	check(t, "resets", b.resets)
	a.tells(b, 7)
	check(t, "resets", b.resets, "192.168.0.1: prefix-limit exceeded")
	b.want()
	if b.table.Installed() != 1 || b.routesAdmit(netip.MustParseAddr("192.168.0.9"), b.on("lan")) {
		t.Errorf("%d routes are left, or neighbours are admitted", b.table.Installed())
	}
	var s InstanceStatus
	b.routesStatus(w.now, &s)
	if !s.Down || s.Restarts != 1 || s.RestartIn != defaultRestart {
		t.Errorf("status %+v", s)
	}
	w.now = w.now.Add(defaultRestart)
	b.routesTick(w.now)
	b.flush()
	if b.table.Installed() != 2 || !b.routesAdmit(netip.MustParseAddr("192.168.0.9"), b.on("lan")) {
		t.Errorf("%d routes after the restart, or neighbours are not admitted", b.table.Installed())
	}
}
