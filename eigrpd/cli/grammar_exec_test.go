package cli_test

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
	nhrpcli "github.com/godmvpn/godmvpn/nhrpd/cli"
	ripcli "github.com/godmvpn/godmvpn/ripd/cli"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// merged is the grammar of all daemons whose lines stand beside eigrpd's; it does not
// change.
var merged = sync.OnceValues(func() (*libcli.Grammar, error) {
	return libcli.Merge(libcli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, libcli.Owned{Owner: nhrpcli.Owner, Tree: nhrpcli.Grammar()},
		libcli.Owned{Owner: ripcli.Owner, Tree: ripcli.Grammar()}, libcli.Owned{Owner: cli.Owner, Tree: cli.Grammar()})
})

func grammar(t testing.TB) *libcli.Grammar {
	t.Helper()
	g, err := merged()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestExec parses commands and checks the canonical text and the ID.
func TestExec(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct{ in, want, id string }{
		{"sh ip eigrp nei", "show ip eigrp neighbors", cli.ExecNeighbors},
		{"show ip eigrp 100 neighbors detail Tu0", "show ip eigrp 100 neighbors detail Tunnel0", cli.ExecNeighbors},
		{"show ip eigrp vrf RED 100 neighbors tu0", "show ip eigrp vrf RED 100 neighbors Tunnel0", cli.ExecNeighbors},
		{"show ip eigrp vrf * neighbors", "show ip eigrp vrf * neighbors", cli.ExecNeighbors},
		{"show ipv6 eigrp neighbors detail", "show ipv6 eigrp neighbors detail", cli.ExecNeighbors},
		{"show eigrp address-family ipv4 100 neighbors", "show eigrp address-family ipv4 100 neighbors", cli.ExecNeighbors},
		{"show eigrp add ipv6 vrf RED neighbors", "show eigrp address-family ipv6 vrf RED neighbors", cli.ExecNeighbors},
		{"sh ip ei topo", "show ip eigrp topology", cli.ExecTopology},
		{"show ip eigrp topology all", "show ip eigrp topology all-links", cli.ExecTopology},
		{"show ip eigrp topology active", "show ip eigrp topology active", cli.ExecTopology},
		{"show ip eigrp topology 10.12.0.0/24", "show ip eigrp topology 10.12.0.0/24", cli.ExecTopology},
		{"show ip eigrp topology 10.12.0.0 255.255.255.0", "show ip eigrp topology 10.12.0.0 255.255.255.0", cli.ExecTopology},
		{"show ipv6 eigrp topology 2001:db8::/32", "show ipv6 eigrp topology 2001:db8::/32", cli.ExecTopology},
		{"show ip eigrp int det", "show ip eigrp interfaces detail", cli.ExecInterfaces},
		{"show ip eigrp traffic", "show ip eigrp traffic", cli.ExecTraffic},
		{"show ip eigrp timers", "show ip eigrp timers", cli.ExecTimers},
		{"show ip eigrp accounting", "show ip eigrp accounting", cli.ExecAccounting},
		{"show ip eigrp events", "show ip eigrp events", cli.ExecEvents},
		{"show eigrp protocols vrf RED", "show eigrp protocols vrf RED", cli.ExecProtocols},
		{"show eigrp upgrade-cli 100 DMVPN", "show eigrp upgrade-cli 100 DMVPN", cli.ExecUpgrade},
		{"show eigrp downgrade-cli DMVPN", "show eigrp downgrade-cli DMVPN", cli.ExecDowngrade},
		{"show ip protocols", "show ip protocols", libcli.ShowProtocols},
		{"clear ip eigrp nei", "clear ip eigrp neighbors", cli.ExecClearNeighbors},
		{"clear ip eigrp 100 neighbors 172.31.0.11 soft", "clear ip eigrp 100 neighbors 172.31.0.11 soft", cli.ExecClearNeighbors},
		{"clear ip eigrp neighbors soft", "clear ip eigrp neighbors soft", cli.ExecClearNeighbors},
		{"clear ip eigrp vrf RED neighbors Tu0", "clear ip eigrp vrf RED neighbors Tunnel0", cli.ExecClearNeighbors},
		{"clear eigrp address-family ipv6 neighbors fe80::1", "clear eigrp address-family ipv6 neighbors fe80::1", cli.ExecClearNeighbors},
		{"clear ip eigrp counters", "clear ip eigrp counters", cli.ExecClearCounters},
		{"debug eigrp fsm", "debug eigrp fsm", "debug.eigrp fsm"},
		{"no debug eigrp packets", "no debug eigrp packets", "debug.eigrp packets"},
	} {
		m, err := g.Parse([]string{"enable"}, tc.in)
		if err != nil {
			t.Errorf("%q:\n%s", tc.in, err.Report())
			continue
		}
		if m.Canonical != tc.want || m.Command.ID != tc.id {
			t.Errorf("%q: %q (%s), want %q (%s)", tc.in, m.Canonical, m.Command.ID, tc.want, tc.id)
		}
	}
}

// TestAbout reads what commands are about.
func TestAbout(t *testing.T) {
	g := grammar(t)
	for line, want := range map[string]core.Query{
		"show ip eigrp neighbors":                                  {Family: rib.IPv4},
		"show ip eigrp vrf RED 100 neighbors":                      {Family: rib.IPv4, VRF: "RED", AS: 100},
		"show ipv6 eigrp vrf * traffic":                            {Family: rib.IPv6, AllVRFs: true},
		"show eigrp address-family ipv6 5 timers":                  {Family: rib.IPv6, AS: 5},
		"show eigrp address-family ipv4 vrf B topology":            {Family: rib.IPv4, VRF: "B"},
		"show eigrp protocols vrf RED":                             {VRF: "RED"},
		"show ip eigrp topology zero-successors":                   {Family: rib.IPv4, Selected: core.SelectedZero},
		"show ip eigrp topology all-links":                         {Family: rib.IPv4, Selected: core.SelectedAllLinks},
		"show ip eigrp topology 10.1.2.3 255.255.0.0":              {Family: rib.IPv4, Prefix: netip.MustParsePrefix("10.1.0.0/16")},
		"show ip eigrp topology 10.1.2.3":                          {Family: rib.IPv4, Prefix: netip.MustParsePrefix("10.1.2.3/32")},
		"show eigrp address-family ipv6 topology 2001:db8::/32":    {Family: rib.IPv6, Prefix: netip.MustParsePrefix("2001:db8::/32")},
		"show eigrp address-family ipv6 vrf * topology 2001:db8::": {Family: rib.IPv6, AllVRFs: true, Prefix: netip.MustParsePrefix("2001:db8::/128")},
	} {
		m, err := g.Parse([]string{"enable"}, line)
		if err != nil {
			t.Errorf("%q:\n%s", line, err.Report())
			continue
		}
		got := cli.About(m.Args)
		got.Prefix, got.Selected = cli.Entries(m.Args)
		if got != want {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}

// TestClearing reads what is to be cleared.
func TestClearing(t *testing.T) {
	g := grammar(t)
	for line, want := range map[string]core.Clear{
		"clear ip eigrp neighbors":                         {Family: rib.IPv4},
		"clear ip eigrp 7 neighbors 172.31.0.11 soft":      {Family: rib.IPv4, AS: 7, Addr: netip.MustParseAddr("172.31.0.11"), Soft: true},
		"clear ipv6 eigrp vrf RED neighbors tu0":           {Family: rib.IPv6, VRF: "RED", Interface: "Tunnel0"},
		"clear eigrp address-family ipv4 vrf * counters":   {Family: rib.IPv4, AllVRFs: true, Counters: true},
		"clear eigrp address-family ipv4 1 neighbors soft": {Family: rib.IPv4, AS: 1, Soft: true},
	} {
		m, err := g.Parse([]string{"enable"}, line)
		if err != nil {
			t.Errorf("%q:\n%s", line, err.Report())
			continue
		}
		if got := cli.Clearing(m.Command.ID, m.Args); got != want {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}
