package cli_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

var (
	inConfig    = []string{"config"}
	inClassic   = []string{"config", cli.ModeClassic}
	inVRF       = []string{"config", cli.ModeClassic, cli.ModeClassicAF}
	inClassic6  = []string{"config", cli.ModeClassic6}
	inNamed     = []string{"config", cli.ModeNamed}
	inFamily    = []string{"config", cli.ModeNamed, cli.ModeFamily}
	inDefault   = []string{"config", cli.ModeNamed, cli.ModeFamily, cli.ModeDefault}
	inInterface = []string{"config", cli.ModeNamed, cli.ModeFamily, cli.ModeInterface}
	inTopology  = []string{"config", cli.ModeNamed, cli.ModeFamily, cli.ModeTopology}
	inIf        = []string{"config", "interface"}
)

// TestLines parses lines that engineers paste and checks the canonical text. "" is
// the line itself.
func TestLines(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct {
		stack    []string
		in, want string
	}{
		{inConfig, "router eigrp 100", ""},
		{inConfig, "router eigrp DMVPN", ""},
		{inConfig, "ipv6 router eigrp 100", ""},
		{inClassic, "net 10.0.0.0", "network 10.0.0.0"},
		{inClassic, "network 10.10.0.0 0.0.0.255", ""},
		{inClassic, "passive default", "passive-interface default"},
		{inClassic, "no passive-interface tu0", "no passive-interface Tunnel0"},
		{inClassic, "neighbor 172.31.0.11 tu0", "neighbor 172.31.0.11 Tunnel0"},
		{inClassic, "neighbor 10.9.9.9 lo0 remote 10", "neighbor 10.9.9.9 Loopback0 remote 10"},
		{inClassic, "eigrp router-id 172.31.0.1", ""},
		{inClassic, "eigrp stub", ""},
		{inClassic, "eigrp stub summary connected", "eigrp stub connected summary"},
		{inClassic, "eigrp stub receive-only", ""},
		{inClassic, "eigrp stub connected leak-map LEAK", ""},
		{inClassic, "no eigrp log-neighbor-changes", ""},
		{inClassic, "no eigrp log-neighbor-warnings", ""},
		{inClassic, "eigrp default-route-tag 1.2.3.4", ""},
		{inClassic, "redistribute static metric 1000 100 255 1 1500", ""},
		{inClassic, "redistribute ospf 1 route-map M metric 1000 100 255 1 1500", "redistribute ospf 1 metric 1000 100 255 1 1500 route-map M"},
		{inClassic, "redistribute eigrp 200 route-map M", ""},
		{inClassic, "redistribute bgp 4200000000", ""},
		{inClassic, "redistribute maximum-prefix 1000 80 warning-only", ""},
		{inClassic, "default-metric 100000 10 255 1 1500", ""},
		{inClassic, "default-information in", ""},
		{inClassic, "no default-information out", ""},
		{inClassic, "default-information in 10", ""},
		{inClassic, "distance eigrp 80 160", ""},
		{inClassic, "distance 85 10.0.0.0 0.0.0.255 10", ""},
		{inClassic, "distribute-list 10 in", ""},
		{inClassic, "distribute-list prefix P out tu0", "distribute-list prefix P out Tunnel0"},
		{inClassic, "distribute-list prefix P gateway G in", ""},
		{inClassic, "distribute-list gateway G in", ""},
		{inClassic, "distribute-list route-map R in Gi1", "distribute-list route-map R in GigabitEthernet1"},
		{inClassic, "distribute-list 10 out static", ""},
		{inClassic, "distribute-list 10 out ospf 1", ""},
		{inClassic, "offset-list 0 in 1000 Tu0", "offset-list 0 in 1000 Tunnel0"},
		{inClassic, "maximum-paths 8", ""},
		{inClassic, "variance 4", ""},
		{inClassic, "metric weights 0 1 1 1 0 0", ""},
		{inClassic, "metric maximum-hops 50", ""},
		{inClassic, "timers active-time 1", ""},
		{inClassic, "timers active-time disabled", ""},
		{inClassic, "timers graceful-restart purge-time 60", ""},
		{inClassic, "nsf", ""},
		{inClassic, "no nsf", ""},
		{inClassic, "traffic-share min across-interfaces", ""},
		{inClassic, "summary-metric 10.0.0.0 255.0.0.0 1000 100 255 1 1500 distance 7", ""},
		{inClassic, "summary-metric 10.0.0.0/8 distance 7", ""},
		{inClassic, "maximum-prefix 1000 80 restart 5 dampened restart-count 2", "maximum-prefix 1000 80 dampened restart 5 restart-count 2"},
		{inClassic, "neighbor maximum-prefix 100", ""},
		{inClassic, "no auto-summary", ""},
		{inClassic, "shutdown", ""},
		{inClassic, "address-family ipv4 vrf RED autonomous-system 200", ""},
		{inClassic, "address-family ipv4 vrf RED", ""},
		{inVRF, "autonomous-system 200", ""},
		{inVRF, "network 10.0.0.0", ""},
		{inClassic6, "eigrp router-id 1.1.1.1", ""},
		{inClassic6, "distribute-list prefix-list P in", ""},
		{inClassic6, "neighbor fe80::1 Tunnel0", ""},
		{inNamed, "address-family ipv4 unicast autonomous-system 100", ""},
		{inNamed, "address-family ipv4 auto 100", "address-family ipv4 autonomous-system 100"},
		{inNamed, "address-family ipv4 vrf RED unicast autonomous-system 100", "address-family ipv4 unicast vrf RED autonomous-system 100"},
		{inNamed, "address-family ipv6 unicast autonomous-system 100", ""},
		{inNamed, "shutdown", ""},
		{inFamily, "af-interface default", ""},
		{inFamily, "af-int tu0", "af-interface Tunnel0"},
		{inFamily, "topology base", ""},
		{inFamily, "network 10.0.0.0", ""},
		{inFamily, "metric rib-scale 64", ""},
		{inFamily, "metric weights 0 1 0 1 0 0 1", ""},
		{inFamily, "remote-neighbors source Lo0 unicast-listen max-neighbors 10 allow-list A", "remote-neighbors source Loopback0 unicast-listen allow-list A max-neighbors 10"},
		{inDefault, "passive-interface", ""},
		{inDefault, "hello-interval 20", ""},
		{inDefault, "no split-horizon", ""},
		{inInterface, "summary-address 10.0.0.0 255.0.0.0", ""},
		{inInterface, "summary-address 10.0.0.0/8 250 leak-map L", ""},
		{inInterface, "summary-address 2001:db8::/32", ""},
		{inInterface, "hold-time 60", ""},
		{inInterface, "no passive-interface", ""},
		{inInterface, "split-horizon", ""},
		{inInterface, "no next-hop-self no-ecmp-mode", ""},
		{inInterface, "add-paths 4", ""},
		{inInterface, "bandwidth-percent 200", ""},
		{inInterface, "authentication mode md5", ""},
		{inInterface, "authentication mode hmac-sha-256 0 s3cret", ""},
		{inInterface, "authentication mode hmac-sha-256 s3cret", ""},
		{inInterface, "authentication key-chain K", ""},
		{inTopology, "redistribute connected", ""},
		{inTopology, "variance 2", ""},
		{inIf, "ip hello eigrp 100 20", "ip hello-interval eigrp 100 20"},
		{inIf, "ip hold-time eigrp 100 60", ""},
		{inIf, "ip bandwidth-percent eigrp 100 25", ""},
		{inIf, "no ip split-horizon eigrp 100", ""},
		{inIf, "no ip next-hop-self eigrp 100", ""},
		{inIf, "no ip next-hop-self eigrp 100 no-ecmp-mode", ""},
		{inIf, "ip summary-address eigrp 100 10.0.0.0 255.0.0.0", ""},
		{inIf, "ip summary-address eigrp 100 10.0.0.0 255.0.0.0 5 leak-map L", ""},
		{inIf, "ip authentication mode eigrp 100 md5", ""},
		{inIf, "ip authentication key-chain eigrp 100 K", ""},
		{inIf, "ipv6 eigrp 100", ""},
		{inIf, "ipv6 hello-interval eigrp 100 20", ""},
		{inIf, "no ipv6 split-horizon eigrp 100", ""},
		{inIf, "ipv6 summary-address eigrp 100 2001:db8::/32", ""},
		{inIf, "no ip split-horizon", ""}, // RIP's
		{inIf, "ip summary-address rip 10.0.0.0 255.0.0.0", ""},
	} {
		m, err := g.Parse(tc.stack, tc.in)
		if err != nil {
			t.Errorf("%q:\n%s", tc.in, err.Report())
			continue
		}
		if tc.want == "" {
			tc.want = tc.in
		}
		if m.Canonical != tc.want || m.Level != len(tc.stack)-1 {
			t.Errorf("%q: canonical %q at level %d, want %q", tc.in, m.Canonical, m.Level, tc.want)
		}
	}
}

// TestNotUnderstood has lines that must not be accepted.
func TestNotUnderstood(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct {
		stack []string
		line  string
	}{
		{inConfig, "router eigrp"},
		{inConfig, "router eigrp 100 DMVPN"},
		{inClassic, "auto-summary"},
		{inClassic, "network 10.0.0.0/8"},
		{inClassic, "network 300.0.0.0"},
		{inClassic, "neighbor 172.31.0.11"},
		{inClassic, "redistribute ospf"},
		{inClassic, "redistribute static metric 100"},
		{inClassic, "maximum-paths 33"},
		{inClassic, "distribute-list 10 in ospf 1"},
		{inClassic, "metric weights 0 1 0 1 0"},
		{inClassic, "metric weights 1 1 0 1 0 0"},
		{inClassic, "address-family ipv4"},
		{inClassic, "af-interface default"},
		{inClassic6, "network 10.0.0.0"},
		{inNamed, "address-family ipv4 unicast"},
		{inNamed, "network 10.0.0.0"},
		{inFamily, "topology tid 3"},
		{inFamily, "variance 2"},
		{inInterface, "authentication mode sha"},
		{inInterface, "hello-interval 0"},
		{inIf, "ip hello-interval eigrp 20"},
		{inIf, "ip authentication mode eigrp 100 hmac-sha-256"},
		{inIf, "ip summary-address eigrp 10.0.0.0 255.0.0.0"},
	} {
		if m, err := g.Parse(tc.stack, tc.line); err == nil {
			t.Errorf("%q was taken as %q", tc.line, m.Canonical)
		}
	}
}

func TestPrompts(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct {
		stack []string
		want  string
	}{
		{inClassic, "hub1(config-router)#"}, {inVRF, "hub1(config-router-af)#"}, {inNamed, "hub1(config-router)#"}, {inFamily, "hub1(config-router-af)#"},
		{inDefault, "hub1(config-router-af-interface)#"}, {inInterface, "hub1(config-router-af-interface)#"}, {inTopology, "hub1(config-router-af-topology)#"},
	} {
		if got := g.Prompt("hub1", tc.stack); got != tc.want {
			t.Errorf("%v: prompt %q, want %q", tc.stack, got, tc.want)
		}
	}
}

// TestEveryWordHasHelp wants a line of help for what "?" offers.
func TestEveryWordHasHelp(t *testing.T) {
	for _, word := range grammar(t).Undocumented() {
		if strings.HasPrefix(word, cli.Owner+" ") && !strings.Contains(word, ".refused-") {
			t.Errorf("no help for %s", word)
		}
	}
}

// patterns returns the lines of a mode that open no block and are not hidden.
func patterns(mode string, except ...string) []string {
	var out []string
	for _, c := range cli.Grammar().Commands {
		if c.Mode == mode && c.Enters == "" && !c.Hidden && !slices.Contains(except, c.ID) {
			out = append(out, c.Pattern)
		}
	}
	slices.Sort(out)
	return out
}

// TestModesKnowTheSameLines compares the modes that say the same.
func TestModesKnowTheSameLines(t *testing.T) {
	if diff := cmp.Diff(patterns(cli.ModeClassic, cli.CmdClassicAF), patterns(cli.ModeClassicAF, cli.CmdAS)); diff != "" {
		t.Errorf("router eigrp AS and its VRFs: %s", diff)
	}
	if diff := cmp.Diff(patterns(cli.ModeClassic, cli.CmdClassicAF, cli.CmdNetwork, cli.CmdDistanceSource), patterns(cli.ModeClassic6)); diff != "" {
		t.Errorf("router eigrp AS and ipv6 router eigrp AS: %s", diff)
	}
	named := slices.Concat(patterns(cli.ModeFamily, cli.CmdRIBScale, cli.CmdRemoteNeighbors, cli.CmdWeights), patterns(cli.ModeTopology))
	slices.Sort(named)
	if diff := cmp.Diff(patterns(cli.ModeClassic, cli.CmdClassicAF, cli.CmdPassive, cli.CmdPassiveDefault, cli.CmdWeights), named); diff != "" {
		t.Errorf("router eigrp AS and an address family with its topology: %s", diff)
	}
	if diff := cmp.Diff(patterns(cli.ModeDefault), patterns(cli.ModeInterface, cli.CmdIfSummary)); diff != "" {
		t.Errorf("af-interface default and af-interface IF: %s", diff)
	}
}

// TestNo removes lines in the forms that people type.
func TestNo(t *testing.T) {
	g := grammar(t)
	const classic, af, iface, standard, tunnel = "router eigrp 1", "router eigrp N\n address-family ipv4 autonomous-system 1", "interface Tunnel0",
		"router eigrp N\n address-family ipv4 autonomous-system 1\n  af-interface default", "router eigrp N\n address-family ipv4 autonomous-system 1\n  af-interface Tunnel0"
	for _, tc := range []struct{ block, line, no, rest string }{
		{classic, "network 10.0.0.0", "no network 10.0.0.0", ""},
		{classic, "network 10.0.0.0 0.0.0.255", "no network 10.0.0.0 0.0.0.127", "network 10.0.0.0 0.0.0.255"},
		{classic, "variance 4", "no variance", ""},
		{classic, "variance 4", "variance 1", ""},
		{classic, "maximum-paths 8", "maximum-paths 4", ""},
		{classic, "metric weights 0 1 1 1 0 0", "metric weights 0 1 0 1 0 0", ""},
		{classic, "timers active-time disabled", "timers active-time 3", ""},
		{classic, "timers active-time 5", "no timers active-time", ""},
		{classic, "timers graceful-restart purge-time 60", "no timers graceful-restart purge-time", ""},
		{classic, "traffic-share min across-interfaces", "traffic-share balanced", ""},
		{classic, "distance eigrp 80 160", "distance eigrp 90 170", ""},
		{classic, "distance 80 10.0.0.0 0.0.0.255", "no distance 80 10.0.0.0 0.0.0.255", ""},
		{classic, "eigrp stub connected", "eigrp stub receive-only", "eigrp stub receive-only"},
		{classic, "eigrp stub connected", "no eigrp stub", ""},
		{classic, "eigrp router-id 1.1.1.1", "no eigrp router-id", ""},
		{classic, "no eigrp log-neighbor-changes", "eigrp log-neighbor-changes", ""},
		{classic, "default-information in 10", "default-information in", ""},
		{classic, "no default-information in", "default-information in", ""},
		{classic, "no default-information in", "default default-information in", ""},
		{classic, "default-information in 10", "no default-information out", "default-information in 10; no default-information out"},
		{classic, "redistribute ospf 1 metric 1 1 1 1 1", "redistribute ospf 1", "redistribute ospf 1"},
		{classic, "redistribute ospf 1", "no redistribute ospf 2", "redistribute ospf 1"},
		{classic, "redistribute ospf 1 route-map M", "no redistribute ospf 1", ""},
		{classic, "redistribute static", "redistribute maximum-prefix 10", "redistribute static; redistribute maximum-prefix 10"},
		{classic, "neighbor 10.0.0.1 Tunnel0", "neighbor 10.0.0.1 Tunnel0 remote 5", "neighbor 10.0.0.1 Tunnel0 remote 5"},
		{classic, "neighbor 10.0.0.1 Tunnel0", "no neighbor 10.0.0.1 Tunnel0", ""},
		{classic, "passive-interface Tunnel0", "no passive-interface Tunnel0", "no passive-interface Tunnel0"},
		{classic, "passive-interface Tunnel0", "default passive-interface Tunnel0", ""},
		{classic, "distribute-list 10 in", "distribute-list 11 in", "distribute-list 11 in"},
		{classic, "distribute-list 10 in", "distribute-list 11 in Tunnel0", "distribute-list 10 in; distribute-list 11 in Tunnel0"},
		{classic, "distribute-list 10 out", "distribute-list 11 out static", "distribute-list 10 out; distribute-list 11 out static"},
		{classic, "distribute-list 10 out ospf 1", "distribute-list 11 out ospf 2", "distribute-list 10 out ospf 1; distribute-list 11 out ospf 2"},
		{classic, "distribute-list 10 in", "distribute-list prefix P in", "distribute-list 10 in; distribute-list prefix P in"},
		{classic, "distribute-list prefix P in", "distribute-list prefix P gateway G in", "distribute-list prefix P gateway G in; distribute-list prefix P in"},
		{classic, "distribute-list prefix P gateway G in", "no distribute-list prefix P gateway G in", ""},
		{classic, "offset-list 10 in 3", "offset-list 11 in 4", "offset-list 11 in 4"},
		{classic, "summary-metric 10.0.0.0/8 1 1 1 1 1", "no summary-metric 10.0.0.0/8", ""},
		{classic, "maximum-prefix 100", "maximum-prefix 200 warning-only", "maximum-prefix 200 warning-only"},
		{classic, "shutdown", "no shutdown", ""},
		{classic, "address-family ipv4 vrf RED", "no address-family ipv4 vrf RED", ""},
		{classic, "address-family ipv4 vrf RED autonomous-system 2", "no address-family ipv4 vrf RED", ""},
		{classic, "address-family ipv4 vrf RED autonomous-system 2", "no address-family ipv4 vrf BLUE", "address-family ipv4 vrf RED autonomous-system 2"},
		{af, "metric rib-scale 64", "metric rib-scale 128", ""},
		{af, "remote-neighbors source Lo0 unicast-listen", "no remote-neighbors source Lo0 unicast-listen", ""},
		{standard, "hello-interval 20", "hello-interval 5", ""},
		{standard, "hold-time 20", "hold-time 15", "hold-time 15"},
		{standard, "no split-horizon", "split-horizon", ""},
		{standard, "passive-interface", "no passive-interface", ""},
		{standard, "no next-hop-self no-ecmp-mode", "next-hop-self", ""},
		{tunnel, "hello-interval 20", "hello-interval 5", "hello-interval 5"},
		{tunnel, "hello-interval 20", "no hello-interval", ""},
		{tunnel, "no split-horizon", "split-horizon", "split-horizon"},
		{tunnel, "no split-horizon", "default split-horizon", ""},
		{tunnel, "no next-hop-self", "no next-hop-self no-ecmp-mode", "no next-hop-self no-ecmp-mode"},
		{tunnel, "authentication mode md5", "authentication mode hmac-sha-256 x", "authentication mode hmac-sha-256 x"},
		{tunnel, "authentication mode md5", "no authentication mode", ""},
		{tunnel, "summary-address 10.0.0.0 255.0.0.0 7", "no summary-address 10.0.0.0 255.0.0.0", ""},
		{iface, "ip hello-interval eigrp 1 20", "no ip hello-interval eigrp 1", ""},
		{iface, "ip hello-interval eigrp 1 20", "ip hello-interval eigrp 2 30", "ip hello-interval eigrp 1 20; ip hello-interval eigrp 2 30"},
		{iface, "ip hello-interval eigrp 1 20", "ipv6 hello-interval eigrp 1 30", "ip hello-interval eigrp 1 20; ipv6 hello-interval eigrp 1 30"},
		{iface, "no ip split-horizon eigrp 1", "ip split-horizon eigrp 1", ""},
		{iface, "no ip split-horizon eigrp 1", "no ip split-horizon eigrp 2", "no ip split-horizon eigrp 1; no ip split-horizon eigrp 2"},
		{iface, "no ip next-hop-self eigrp 1 no-ecmp-mode", "no ip next-hop-self eigrp 1", "no ip next-hop-self eigrp 1"},
		{iface, "ip summary-address eigrp 1 10.0.0.0 255.0.0.0", "no ip summary-address eigrp 1 10.0.0.0 255.0.0.0", ""},
		{iface, "ip summary-address eigrp 1 10.0.0.0 255.0.0.0", "ip summary-address eigrp 1 10.0.0.0 255.0.0.0 9", "ip summary-address eigrp 1 10.0.0.0 255.0.0.0 9"},
		{iface, "ip authentication mode eigrp 1 md5", "no ip authentication mode eigrp 1 md5", ""},
		{iface, "ipv6 eigrp 1", "no ipv6 eigrp 1", ""},
	} {
		tree, errs := conf.Load(g, tc.block+"\n   "+tc.line+"\n   "+tc.no+"\n", "test")
		if errs != nil {
			t.Errorf("%q: %v", tc.no, errs)
			continue
		}
		block := &tree.Block
		for range strings.Count(tc.block, "\n") + 1 {
			block = &block.Nodes[0].Block
		}
		var left []string
		for _, n := range block.Nodes {
			left = append(left, n.Line)
		}
		if got := strings.Join(left, "; "); got != tc.rest {
			t.Errorf("%q then %q leaves %q, want %q", tc.line, tc.no, got, tc.rest)
		}
	}
}
