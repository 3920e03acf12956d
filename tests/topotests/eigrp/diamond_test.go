package eigrp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// named is an EIGRP of both families in named mode; lines are further ones of IPv4's
// base topology.
func named(lines string) string {
	return "router eigrp TEST\n address-family ipv4 unicast autonomous-system 100\n  network 10.0.0.0\n  topology base\n" + lines +
		"  exit-af-topology\n exit-address-family\n address-family ipv6 unicast autonomous-system 100\n exit-address-family\n"
}

// delays gives eth0 and eth1 delays, in tens of microseconds.
func delays(eth0, eth1 int) string {
	return fmt.Sprintf("interface eth0\n delay %d\ninterface eth1\n delay %d\n", eth0, eth1)
}

// rip is RIP between r4 and r5; lines are further ones.
func rip(lines string) string {
	return "router rip\n version 2\n network 172.16.0.0\n no auto-summary\n timers basic 3 12 0 20\n" + lines
}

// TestDiamond has two ways of unequal cost, for both families, of which variance admits
// both; and RIP behind the far end, with routes redistributed in both directions.
func TestDiamond(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	var r [6]*harness.Node
	for i := 1; i < len(r); i++ {
		r[i] = tp.Router(fmt.Sprintf("r%d", i))
	}
	link := func(a, b *harness.Node, net int, da, db string) {
		tp.Link(a, da, fmt.Sprintf("10.9.%d.1/24", net), b, db, fmt.Sprintf("10.9.%d.2/24", net))
	}
	link(r[1], r[2], 1, "eth0", "eth0")
	link(r[1], r[3], 2, "eth1", "eth0")
	link(r[2], r[4], 3, "eth1", "eth0")
	link(r[3], r[4], 4, "eth1", "eth1")
	tp.Link(r[4], "rip", "172.16.5.1/24", r[5], "rip", "172.16.5.2/24")
	r[1].Stub("lan", "10.1.0.1/24", "2001:db8:1::1/64")
	r[4].Stub("lan", "10.4.0.1/24", "2001:db8:4::1/64")
	r[5].Stub("lan", "172.16.55.1/24")
	start(t, map[*harness.Node]string{
		r[1]: delays(100, 500) + named("   variance 4\n"),
		r[2]: delays(100, 100) + named(""),
		r[3]: delays(500, 150) + named(""),
		r[4]: delays(100, 150) + rip(" redistribute eigrp 100 metric 3\n") + named("   redistribute rip metric 1000000 1 255 1 1500\n"),
		r[5]: rip(""),
	})
	await(t, shares(r[1], "10.4.0.0/24", 651./201), shares(r[1], "172.16.55.0/24", 651./201),
		shows(r[1], "show ip route", `{"routes": [{"prefix": "172.16.55.0/24", "routes": [{"protocol": "eigrp", "distance": 170, "installed": true}]},
			{"prefix": "10.4.0.0/24", "routes": [{"protocol": "eigrp", "distance": 90}]}]}`),
		shares(r[4], "10.1.0.0/24"), // without variance
		func() error { return has(r[5], rib.RIP, harness.MainTable, "10.1.0.0/24") },
		func() error { return has(r[4], rib.EIGRP, harness.MainTable, "2001:db8:1::/64") },
		func() error { return has(r[1], rib.EIGRP, harness.MainTable, "2001:db8:4::/64") },
		shows(r[1], "show ipv6 eigrp neighbors", `{"instances": [{"as": 100, "neighbors": [{"interface": "eth0", "state": "up"}, {"interface": "eth1", "state": "up"}]}]}`))
	for _, between := range r[2:4] { // which tell of a route before their kernels have it
		for _, prefix := range []string{"10.1.0.0/24", "172.16.55.0/24", "2001:db8:1::/64", "2001:db8:4::/64"} {
			await(t, func() error { return has(between, rib.EIGRP, harness.MainTable, prefix) })
		}
	}
	if r, err := r[5].Ping("10.1.0.1", "172.16.55.1", 3); err != nil || r.Received != 3 {
		t.Errorf("from RIP to EIGRP: %+v, %v", r, err)
	}
	if r, err := r[1].Ping("2001:db8:4::1", "2001:db8:1::1", 3); err != nil || r.Received != 3 {
		t.Errorf("over IPv6: %+v, %v", r, err)
	}
}

// find returns the kernel's route to a prefix.
func find(n *harness.Node, p rib.Protocol, table int, prefix string) (harness.Route, error) {
	want := netip.MustParsePrefix(prefix)
	all := n.RoutesIn(table, harness.ProtocolNumber(p))
	i := slices.IndexFunc(all, func(r harness.Route) bool { return r.Prefix == want })
	if i < 0 {
		return harness.Route{}, fmt.Errorf("%s has no %s among %v", n.Name(), prefix, all)
	}
	return all[i], nil
}

// has tells whether a kernel has a route to a prefix.
func has(n *harness.Node, p rib.Protocol, table int, prefix string) error {
	_, err := find(n, p, table, prefix)
	return err
}

// shares tells whether a kernel's route to a prefix has one hop, or two of which the
// first has so many times the share of the second.
func shares(n *harness.Node, prefix string, ratio ...float64) func() error {
	return func() error {
		r, err := find(n, rib.EIGRP, harness.MainTable, prefix)
		if err != nil || len(ratio) == 0 && len(r.Hops) == 1 {
			return err
		}
		if len(ratio) == 1 && len(r.Hops) == 2 {
			got := float64(r.Hops[0].Weight) / float64(r.Hops[1].Weight)
			if got/ratio[0] > 0.9 && got/ratio[0] < 1.1 {
				return nil
			}
		}
		return fmt.Errorf("%s has %v, want shares of %v", n.Name(), r, ratio)
	}
}
