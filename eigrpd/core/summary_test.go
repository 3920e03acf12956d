package core

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
)

// summaryNet is a router a between b, to which it summarizes, and c, whose networks
// are the parts.
func summaryNet(t testing.TB, lan InterfaceConfig, cfg InstanceConfig, text string) (w *routesNet, a, b, c *routesRouter) {
	w = newRoutesNet(t)
	a, b, c = w.router("a", "1.1.1.1", cfg), w.router("b", "2.2.2.2", InstanceConfig{}), w.router("c", "3.3.3.3", InstanceConfig{})
	a.core.policy = policytest.Parse(t, text)
	a.iface("lan", "Gi1", "192.168.0.1/24", 1_000_000, 1, lan)
	a.iface("behind", "Gi2", "192.168.1.1/24", 1_000_000, 1, InterfaceConfig{})
	b.iface("lan", "Gi1", "192.168.0.2/24", 1_000_000, 1, InterfaceConfig{})
	c.iface("behind", "Gi1", "192.168.1.3/24", 1_000_000, 1, InterfaceConfig{})
	w.peer(a, b, "lan")
	w.peer(a, c, "behind")
	return w, a, b, c
}

// down takes an interface down.
func (r *routesRouter) down(name string) {
	i := r.ifaces[name]
	i.up = false
	r.routesIfaceDown(r.net.now, i)
	delete(r.ifaces, name)
	r.order = slices.DeleteFunc(r.order, func(x *iface) bool { return x == i })
	r.flush()
	r.net.run()
}

// TestSummaryComesAndGoes follows a summary from its first part to its last: it has
// the metric of the nearest part, and parts that change are not told.
func TestSummaryComesAndGoes(t *testing.T) {
	w, a, b, c := summaryNet(t, InterfaceConfig{Summaries: []Summary{{Prefix: prefix("10.0.0.0/8")}}}, InstanceConfig{}, "")
	const behind = "D 192.168.1.0/24 [90/3072] via 192.168.0.1 Gi1"
	b.want(behind)

	c.iface("far", "Gi2", "10.1.0.1/24", 1_000_000, 1001, InterfaceConfig{})
	w.run()
	b.want(behind, "D 10.0.0.0/8 [90/259328] via 192.168.0.1 Gi1")
	a.want("D S 10.0.0.0/8 [5/259072] Null0", "D 10.1.0.0/24 [90/259072] via 192.168.1.3 Gi2")

	w.record = true
	c.iface("far2", "Gi3", "10.2.0.1/24", 1_000_000, 2001, InterfaceConfig{})
	w.run()
	if slices.ContainsFunc(w.packets, func(s string) bool { return len(s) > 6 && s[:6] == "a → b" }) {
		t.Errorf("a part that does not matter is told: %q", w.packets)
	}
	b.want(behind, "D 10.0.0.0/8 [90/259328] via 192.168.0.1 Gi1")

	c.iface("near", "Gi4", "10.3.0.1/24", 1_000_000, 1, InterfaceConfig{})
	w.run()
	b.want(behind, "D 10.0.0.0/8 [90/3328] via 192.168.0.1 Gi1")
	c.down("Gi4")
	b.want(behind, "D 10.0.0.0/8 [90/259328] via 192.168.0.1 Gi1")
	c.down("Gi2")
	b.want(behind, "D 10.0.0.0/8 [90/515328] via 192.168.0.1 Gi1")
	c.down("Gi3")
	b.want(behind)
	a.want()
}

// TestSummaryConfigured checks what the words of `summary-address` and `summary-metric`
// do.
func TestSummaryConfigured(t *testing.T) {
	const (
		behind = "D 192.168.1.0/24 [90/3072] via 192.168.0.1 Gi1"
		part   = "D 10.1.0.0/24 [90/3328] via 192.168.0.1 Gi1"
		part2  = "D 10.1.1.0/24 [90/3328] via 192.168.0.1 Gi1"
		whole  = "D 10.0.0.0/8 [90/3328] via 192.168.0.1 Gi1"
		here   = "D 10.1.0.0/24 [90/3072] via 192.168.1.3 Gi2"
		here2  = "D 10.1.1.0/24 [90/3072] via 192.168.1.3 Gi2"
		null   = "D S 10.0.0.0/8 [5/3072] Null0"
	)
	vector := &policy.Vector{Bandwidth: 100_000, Delay: 10, Reliability: 255, Load: 1, MTU: 1500}
	tests := map[string]struct {
		summaries []Summary
		cfg       InstanceConfig
		a, b      []string
	}{
		"none":            {a: []string{here, here2}, b: []string{behind, part, part2}},
		"one":             {[]Summary{{Prefix: prefix("10.0.0.0/8")}}, InstanceConfig{}, []string{null, here, here2}, []string{behind, whole}},
		"distance":        {[]Summary{{Prefix: prefix("10.0.0.0/8"), Distance: 200}}, InstanceConfig{}, []string{"D S 10.0.0.0/8 [200/3072] Null0", here, here2}, []string{behind, whole}},
		"no Null0":        {[]Summary{{Prefix: prefix("10.0.0.0/8"), Distance: 255}}, InstanceConfig{}, []string{here, here2}, []string{behind, whole}},
		"leak-map":        {[]Summary{{Prefix: prefix("10.0.0.0/8"), LeakMap: "LEAK"}}, InstanceConfig{}, []string{null, here, here2}, []string{behind, whole, part}},
		"leak-map absent": {[]Summary{{Prefix: prefix("10.0.0.0/8"), LeakMap: "NONE"}}, InstanceConfig{}, []string{null, here, here2}, []string{behind, whole}},
		"two, one in the other": {[]Summary{{Prefix: prefix("10.0.0.0/8")}, {Prefix: prefix("10.1.0.0/23")}}, InstanceConfig{},
			[]string{null, "D S 10.1.0.0/23 [5/3072] Null0", here, here2}, []string{behind, whole, "D 10.1.0.0/23 [90/3328] via 192.168.0.1 Gi1"}},
		"no parts": {[]Summary{{Prefix: prefix("172.16.0.0/12")}}, InstanceConfig{}, []string{here, here2}, []string{behind, part, part2}},
		"default route": {[]Summary{{Prefix: prefix("0.0.0.0/0")}}, InstanceConfig{},
			[]string{"D S 0.0.0.0/0 [5/2816] Null0", here, here2}, []string{"D 0.0.0.0/0 [90/3072] via 192.168.0.1 Gi1"}},
		"metric": {[]Summary{{Prefix: prefix("10.0.0.0/8")}}, InstanceConfig{SummaryMetrics: []SummaryMetric{{Prefix: prefix("10.0.0.0/8"), Metric: vector, Distance: 9}}},
			[]string{"D S 10.0.0.0/8 [9/28160] Null0", here, here2}, []string{behind, "D 10.0.0.0/8 [90/28416] via 192.168.0.1 Gi1"}},
		"tag": {[]Summary{{Prefix: prefix("10.0.0.0/8")}}, InstanceConfig{DefaultRouteTag: 7},
			[]string{"D S 10.0.0.0/8 [5/3072] tag 7 Null0", here, here2},
			[]string{"D 192.168.1.0/24 [90/3072] tag 7 via 192.168.0.1 Gi1", "D 10.0.0.0/8 [90/3328] tag 7 via 192.168.0.1 Gi1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			const text = "ip prefix-list L permit 10.1.0.0/24\nroute-map LEAK permit 10\n match ip address prefix-list L\n"
			w, a, b, c := summaryNet(t, InterfaceConfig{Summaries: test.summaries}, test.cfg, text)
			c.iface("far", "Gi2", "10.1.0.1/24", 1_000_000, 1, InterfaceConfig{})
			c.iface("far2", "Gi3", "10.1.1.1/24", 1_000_000, 1, InterfaceConfig{})
			w.run()
			a.want(test.a...)
			b.want(test.b...)
			if len(test.summaries) == 0 {
				return
			}
			// Taken away and configured again, everything is as it was.
			i := a.ifaces["Gi1"]
			i.cfg.Summaries = nil
			a.routesIfaceChanged(w.now, i)
			a.flush()
			w.run()
			a.want(here, here2)
			if test.cfg.DefaultRouteTag == 0 {
				b.want(behind, part, part2)
			}
			i.cfg.Summaries = test.summaries
			a.routesIfaceChanged(w.now, i)
			a.flush()
			w.run()
			a.want(test.a...)
			b.want(test.b...)
		})
	}
}

// TestSummaryOfOneInterface checks that a summary is told where it is configured only.
func TestSummaryOfOneInterface(t *testing.T) {
	w, a, _, c := summaryNet(t, InterfaceConfig{Summaries: []Summary{{Prefix: prefix("10.0.0.0/8")}}}, InstanceConfig{}, "")
	a.iface("own", "Gi3", "10.1.0.1/24", 1_000_000, 1, InterfaceConfig{})
	w.run()
	c.want("D 10.1.0.0/24 [90/3072] via 192.168.1.1 Gi1", "D 192.168.0.0/24 [90/3072] via 192.168.1.1 Gi1")
}

// TestPartHeap compares the nearest part with a search.
func TestPartHeap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var h partHeap
	parts := map[netip.Prefix]part{}
	for n := range 5000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(200))}), 32)
		if rng.IntN(3) == 0 {
			h.remove(p)
			delete(parts, p)
		} else {
			x := part{prefix: p, metric: uint64(rng.IntN(50))}
			h.put(x)
			parts[p] = x
		}
		var want part
		found := false
		for _, x := range parts {
			if !found || x.before(want) {
				want, found = x, true
			}
		}
		if got, ok := h.best(); ok != found || got != want {
			t.Fatalf("step %d: best is %v, %v; want %v, %v", n, got, ok, want, found)
		}
		if len(h.heap) != len(parts) || len(h.at) != len(parts) {
			t.Fatalf("step %d: %d parts, want %d", n, len(h.heap), len(parts))
		}
	}
}
