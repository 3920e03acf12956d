package cli_test

import (
	"strings"
	"sync"
	"testing"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	nhrpcli "github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/ospfd/cli"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// merged is the grammar of all daemons whose lines stand beside ospfd's; it does not
// change.
var merged = sync.OnceValues(func() (*libcli.Grammar, error) {
	return libcli.Merge(libcli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, libcli.Owned{Owner: nhrpcli.Owner, Tree: nhrpcli.Grammar()},
		libcli.Owned{Owner: cli.Owner, Tree: cli.Grammar()})
})

func grammar(t testing.TB) *libcli.Grammar {
	t.Helper()
	g, err := merged()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var (
	inConfig = []string{"config"}
	inRouter = []string{"config", cli.ModeRouter}
	inIf     = []string{"config", "interface"}
)

// TestLines parses lines that engineers paste and checks the canonical text. "" is the
// line itself.
func TestLines(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct {
		stack    []string
		in, want string
	}{
		{inConfig, "router ospf 1", ""},
		{inConfig, "router ospf 1 vrf RED", ""},
		{inRouter, "router-id 1.1.1.1", ""},
		{inRouter, "net 172.31.0.0 0.0.0.255 a 0", "network 172.31.0.0 0.0.0.255 area 0"},
		{inRouter, "network 10.0.0.0 0.255.255.255 area 0.0.0.10", ""},
		{inRouter, "passive default", "passive-interface default"},
		{inRouter, "no passive-interface tu0", "no passive-interface Tunnel0"},
		{inRouter, "neighbor 172.31.0.11 poll-interval 60 priority 5", "neighbor 172.31.0.11 priority 5 poll-interval 60"},
		{inRouter, "neighbor 172.31.0.11 cost 10 database-filter all", ""},
		{inRouter, "area 1 stub", ""},
		{inRouter, "area 1 stub no-summary", ""},
		{inRouter, "area 0.0.0.1 nssa", ""},
		{inRouter, "area 1 nssa no-summary default-information-originate metric-type 1 metric 5", "area 1 nssa default-information-originate metric 5 metric-type 1 no-summary"},
		{inRouter, "area 1 nssa no-redistribution no-summary", ""},
		{inRouter, "area 1 nssa translate type7 suppress-fa", ""},
		{inRouter, "area 1 nssa translate type7 always suppress-fa", ""},
		{inRouter, "area 1 nssa range 10.0.0.0 255.0.0.0 not-advertise", ""},
		{inRouter, "area 1 nssa range 10.0.0.0/8 cost 10 tag 7", ""},
		{inRouter, "area 1 default-cost 10", ""},
		{inRouter, "area 1 range 10.0.0.0 255.255.0.0", ""},
		{inRouter, "area 1 range 10.0.0.0 255.255.0.0 cost 7 advertise", "area 1 range 10.0.0.0 255.255.0.0 advertise cost 7"},
		{inRouter, "area 1 range 10.0.0.0/16 not-advertise", ""},
		{inRouter, "area 1 range 10.0.0.0/16 sub 10.9.0.0/16 cost 5", "area 1 range 10.0.0.0/16 cost 5 substitute 10.9.0.0/16"},
		{inRouter, "area 1 range 10.0.0.0 255.255.0.0 substitute 10.9.0.0 255.255.0.0", ""},
		{inRouter, "area 1 filter-list prefix P in", ""},
		{inRouter, "area 1 exp 10", "area 1 export-list 10"},
		{inRouter, "area 0.0.0.1 import-list LANS", ""},
		{inRouter, "area 1 short en", "area 1 shortcut enable"},
		{inRouter, "area 0 authentication", ""},
		{inRouter, "area 0 authentication message-digest", ""},
		{inRouter, "area 1 virtual-link 2.2.2.2", ""},
		{inRouter, "area 1 virtual-link 2.2.2.2 dead-interval 20 hello-interval 5", "area 1 virtual-link 2.2.2.2 hello-interval 5 dead-interval 20"},
		{inRouter, "area 1 virtual-link 2.2.2.2 authentication message-digest", ""},
		{inRouter, "area 1 virtual-link 2.2.2.2 authentication null", ""},
		{inRouter, "area 1 virtual-link 2.2.2.2 authentication key-chain K", ""},
		{inRouter, "area 1 virtual-link 2.2.2.2 authentication", ""},
		{inRouter, "area 1 virtual-link 2.2.2.2 authentication-key 0 secret", ""},
		{inRouter, "area 1 virtual-link 2.2.2.2 message-digest-key 1 md5 secret", ""},
		{inRouter, "area 1 virtual-link 2.2.2.2 authentication message-digest message-digest-key 1 md5 7 01100F175804", ""},
		{inRouter, "redistribute connected subnets", ""},
		{inRouter, "redistribute eigrp 100 subnets metric 20 metric-type 1", "redistribute eigrp 100 metric 20 metric-type 1 subnets"},
		{inRouter, "redistribute bgp 4200000000 subnets route-map M tag 7", "redistribute bgp 4200000000 tag 7 subnets route-map M"},
		{inRouter, "redistribute ospf 2 subnets nssa-only", ""},
		{inRouter, "redistribute nhrp subnets", ""},
		{inRouter, "default-information originate", ""},
		{inRouter, "default-information originate always metric 10 metric-type 1 route-map M", ""},
		{inRouter, "default-metric 100", ""},
		{inRouter, "distribute-list 10 in", ""},
		{inRouter, "distribute-list prefix P in tu0", "distribute-list prefix P in Tunnel0"},
		{inRouter, "distribute-list route-map R in", ""},
		{inRouter, "distribute-list 10 out", ""},
		{inRouter, "distribute-list prefix P out static", ""},
		{inRouter, "distribute-list 10 out eigrp 100", ""},
		{inRouter, "distance 120", ""},
		{inRouter, "distance ospf external 150", ""},
		{inRouter, "distance ospf intra-area 100 inter-area 105 external 150", ""},
		{inRouter, "distance 85 10.0.0.0 0.0.0.255 10", ""},
		{inRouter, "timers throttle spf 10 100 5000", ""},
		{inRouter, "timers throttle lsa all 10 100 5000", ""},
		{inRouter, "timers throttle lsa 10 100 5000", ""},
		{inRouter, "timers lsa arrival 100", ""},
		{inRouter, "timers pacing flood 10", ""},
		{inRouter, "timers pacing retransmission 100", ""},
		{inRouter, "adjacency stagger none 100", ""},
		{inRouter, "max-metric router-lsa", ""},
		{inRouter, "max-metric router-lsa on-startup 300", ""},
		{inRouter, "max-metric router-lsa summary-lsa include-stub external-lsa on-startup 300", "max-metric router-lsa external-lsa include-stub on-startup 300 summary-lsa"},
		{inRouter, "nsf ietf restart-interval 60", ""},
		{inRouter, "nsf ietf helper disable", ""},
		{inRouter, "nsf ietf helper strict-lsa-checking", ""},
		{inRouter, "auto-cost reference-bandwidth 10000", ""},
		{inRouter, "summary-address 10.0.0.0 255.0.0.0 not-advertise", ""},
		{inRouter, "summary-address 10.0.0.0 255.0.0.0 nssa-only tag 7", "summary-address 10.0.0.0 255.0.0.0 tag 7 nssa-only"},
		{inRouter, "log-adjacency-changes detail", ""},
		{inRouter, "no log-adjacency-changes", ""},
		{inRouter, "no compatible rfc1583", ""},
		{inRouter, "ospf abr stand", "ospf abr-type standard"},
		{inRouter, "ospf abr-type ibm", ""},
		{inRouter, "ospf abr short", "ospf abr-type shortcut"},
		{inRouter, "prefix-suppression", ""},
		{inRouter, "flood-reduction", ""},
		{inRouter, "no capability opaque", ""},
		{inRouter, "capability vrf-lite", ""},
		{inRouter, "max-lsa 12000", ""},
		{inRouter, "maximum-paths 16", ""},
		{inRouter, "shutdown", ""},
		{inIf, "ip ospf 1 area 0", ""},
		{inIf, "ip ospf 1 area 0.0.0.1 secondaries none", ""},
		{inIf, "ip ospf network point-to-multipoint", ""},
		{inIf, "ip ospf net point-to-m non", "ip ospf network point-to-multipoint non-broadcast"},
		{inIf, "ip ospf network point-to-multipoint delay-reflood", ""},
		{inIf, "ip ospf network point-to-point dmvpn", ""},
		{inIf, "ip ospf network broadcast", ""},
		{inIf, "ip ospf network non-broadcast", ""},
		{inIf, "ip ospf priority 0", ""},
		{inIf, "ip ospf cost 1000", ""},
		{inIf, "ip ospf hello-interval 10", ""},
		{inIf, "ip ospf hello 10", "ip ospf hello-interval 10"},
		{inIf, "ip ospf dead-interval 40", ""},
		{inIf, "ip ospf dead-interval minimal hello-multiplier 4", ""},
		{inIf, "ip ospf retransmit-interval 10", ""},
		{inIf, "ip ospf retransmit-window 20", ""},
		{inIf, "ip ospf transmit-delay 2", ""},
		{inIf, "ip ospf mtu-ignore", ""},
		{inIf, "ip ospf neigh SPOKES", "ip ospf neighbor-filter SPOKES"},
		{inIf, "ip ospf neighbor-filter SPOKES 172.31.0.1", ""},
		{inIf, "ip ospf database-filter all out", ""},
		{inIf, "ip ospf flood-reduction", ""},
		{inIf, "ip ospf prefix-suppression disable", ""},
		{inIf, "ip ospf shutdown", ""},
		{inIf, "ip ospf authentication", ""},
		{inIf, "ip ospf authentication message-digest", ""},
		{inIf, "ip ospf authentication null", ""},
		{inIf, "ip ospf authentication key-chain K", ""},
		{inIf, "ip ospf authentication-key cisco", ""},
		{inIf, "ip ospf message-digest-key 1 md5 cisco", ""},
		{inIf, "ip ospf message-digest-key 1 md5 7 01100F175804", ""},
	} {
		m, err := g.Parse(tc.stack, tc.in)
		if err != nil {
			t.Errorf("%q:\n%s", tc.in, err.Report())
			continue
		}
		if tc.want == "" {
			tc.want = tc.in
		}
		if m.Canonical != tc.want || m.Level != len(tc.stack)-1 || m.Command.Hidden {
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
		{inConfig, "router ospf"}, {inConfig, "router ospf 0"}, {inConfig, "router ospf 65536"}, {inConfig, "router ospf X"},
		{inRouter, "area 1"}, {inRouter, "network 10.0.0.0 area 0"}, {inRouter, "network 10.0.0.0 0.0.0.255"}, {inRouter, "redistribute ospf"},
		{inRouter, "area 1 virtual-link"}, {inRouter, "area 1 nssa translate type7"}, {inRouter, "distance ospf"}, {inRouter, "distance 0"},
		{inRouter, "distribute-list route-map R out"}, {inRouter, "distribute-list 10 in ospf 2"}, {inRouter, "maximum-paths 65"},
		{inRouter, "area 4294967296 stub"}, {inRouter, "timers throttle spf 10 100"}, {inRouter, "default-information"}, {inRouter, "nsf ietf helper"},
		{inRouter, "area 1 range 10.0.0.0/8 advertise not-advertise"},
		{inIf, "ip ospf area 0"}, {inIf, "ip ospf 1"}, {inIf, "ip ospf network"}, {inIf, "ip ospf dead-interval 0"}, {inIf, "ip ospf cost 0"}, {inIf, "ip ospf message-digest-key 0 md5 x"},
		{inIf, "ip ospf dead-interval minimal"}, {inIf, "ip ospf priority 256"}, {inIf, "ip ospf database-filter"},
	} {
		if m, err := g.Parse(tc.stack, tc.line); err == nil {
			t.Errorf("%q was taken as %q", tc.line, m.Canonical)
		}
	}
}

func TestPrompt(t *testing.T) {
	if got := grammar(t).Prompt("hub1", inRouter); got != "hub1(config-router)#" {
		t.Errorf("prompt %q", got)
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

// TestNo removes lines in the forms that people type.
func TestNo(t *testing.T) {
	g := grammar(t)
	const router, iface = "router ospf 1", "interface Tunnel0"
	for _, tc := range []struct{ block, lines, no, rest string }{
		{router, "network 10.0.0.0 0.0.0.255 area 0", "no network 10.0.0.0 0.0.0.255 area 0", ""},
		{router, "network 10.0.0.0 0.0.0.255 area 0", "network 10.0.0.0 0.0.0.255 area 1", "network 10.0.0.0 0.0.0.255 area 1"},
		{router, "router-id 1.1.1.1", "no router-id", ""},
		{router, "area 1 stub", "area 1 stub no-summary", "area 1 stub no-summary"},
		{router, "area 1 stub no-summary", "no area 1 stub", ""},
		{router, "area 1 stub\narea 2 stub\narea 1 default-cost 5\narea 1 range 10.0.0.0/8", "no area 1", "area 2 stub"},
		{router, "area 1 nssa\narea 1 nssa translate type7 always", "no area 1 nssa translate type7 always", "area 1 nssa"},
		{router, "area 1 range 10.0.0.0 255.0.0.0 cost 5", "no area 1 range 10.0.0.0 255.0.0.0", ""},
		{router, "area 1 export-list A\narea 1 import-list A\narea 1 export-list 10", "no area 1 import-list", "area 1 export-list 10"},
		{router, "area 1 shortcut enable\narea 1 shortcut disable\narea 2 shortcut enable", "no area 2 shortcut", "area 1 shortcut disable"},
		{router, "area 1 range 10.0.0.0/8 substitute 11.0.0.0/8", "no area 1 range 10.0.0.0/8 substitute 11.0.0.0/8", ""},
		{router, "area 1 range 10.0.0.0 255.0.0.0", "area 1 range 10.0.0.0 255.0.0.0 not-advertise", "area 1 range 10.0.0.0 255.0.0.0 not-advertise"},
		{router, "area 1 filter-list prefix P in\narea 1 filter-list prefix Q out", "no area 1 filter-list prefix P in", "area 1 filter-list prefix Q out"},
		{router, "area 1 virtual-link 2.2.2.2 hello-interval 5\narea 1 virtual-link 2.2.2.2 message-digest-key 1 md5 x\narea 1 virtual-link 3.3.3.3", "no area 1 virtual-link 2.2.2.2", "area 1 virtual-link 3.3.3.3"},
		{router, "area 1 virtual-link 2.2.2.2 message-digest-key 1 md5 x\narea 1 virtual-link 2.2.2.2 message-digest-key 2 md5 y", "no area 1 virtual-link 2.2.2.2 message-digest-key 1", "area 1 virtual-link 2.2.2.2 message-digest-key 2 md5 y"},
		{router, "redistribute ospf 2 subnets\nredistribute static subnets", "no redistribute ospf 2", "redistribute static subnets"},
		{router, "redistribute static", "redistribute static subnets", "redistribute static subnets"},
		{router, "distribute-list 10 in", "distribute-list 11 in", "distribute-list 11 in"},
		{router, "distribute-list 10 in", "distribute-list 11 in Tunnel0", "distribute-list 10 in; distribute-list 11 in Tunnel0"},
		{router, "distribute-list 10 out", "distribute-list 11 out static", "distribute-list 10 out; distribute-list 11 out static"},
		{router, "distance 120", "distance 110", ""},
		{router, "distance 120", "no distance 120", ""},
		{router, "distance 120 10.0.0.0 0.0.0.255", "no distance 120 10.0.0.0 0.0.0.255", ""},
		{router, "distance ospf external 120", "no distance ospf", ""},
		{router, "timers throttle spf 10 100 5000", "no timers throttle spf", ""},
		{router, "timers throttle spf 10 100 5000", "timers throttle spf 50 200 5000", ""},
		{router, "max-metric router-lsa on-startup 300", "no max-metric router-lsa", ""},
		{router, "nsf ietf restart-interval 60", "no nsf ietf", ""},
		{router, "nsf ietf\nnsf ietf helper disable", "no nsf ietf helper disable", "nsf ietf"},
		{router, "auto-cost reference-bandwidth 1000", "no auto-cost reference-bandwidth", ""},
		{router, "log-adjacency-changes detail", "log-adjacency-changes", ""},
		{router, "no log-adjacency-changes", "log-adjacency-changes detail", "log-adjacency-changes detail"},
		{router, "no compatible rfc1583", "compatible rfc1583", ""},
		{router, "passive-interface Tunnel0", "no passive-interface Tunnel0", "no passive-interface Tunnel0"},
		{router, "passive-interface default", "no passive-interface default", ""},
		{router, "neighbor 10.0.0.1 cost 5", "no neighbor 10.0.0.1", ""},
		{router, "default-information originate always", "no default-information originate", ""},
		{router, "summary-address 10.0.0.0 255.0.0.0 tag 5", "no summary-address 10.0.0.0 255.0.0.0", ""},
		{router, "capability vrf-lite", "shutdown", "shutdown"},
		{iface, "ip ospf 1 area 0", "ip ospf 2 area 1", "ip ospf 2 area 1"},
		{iface, "ip ospf 1 area 0", "no ip ospf 1 area 0", ""},
		{iface, "ip ospf cost 5", "no ip ospf cost", ""},
		{iface, "ip ospf network point-to-multipoint", "no ip ospf network", ""},
		{iface, "ip ospf network broadcast", "ip ospf network point-to-multipoint non-broadcast", "ip ospf network point-to-multipoint non-broadcast"},
		{iface, "ip ospf priority 0", "ip ospf priority 1", ""},
		{iface, "ip ospf dead-interval minimal hello-multiplier 4", "ip ospf dead-interval 40", "ip ospf dead-interval 40"},
		{iface, "ip ospf message-digest-key 1 md5 a\nip ospf message-digest-key 2 md5 b", "no ip ospf message-digest-key 1", "ip ospf message-digest-key 2 md5 b"},
		{iface, "ip ospf authentication-key a", "no ip ospf authentication-key", ""},
		{iface, "ip ospf authentication message-digest", "no ip ospf authentication", ""},
	} {
		text := tc.block + "\n " + strings.ReplaceAll(tc.lines, "\n", "\n ") + "\n " + tc.no + "\n"
		tree, errs := conf.Load(g, text, "test")
		if errs != nil {
			t.Errorf("%s: %v", text, errs)
			continue
		}
		var left []string
		for _, n := range tree.Nodes[0].Nodes {
			left = append(left, n.Line)
		}
		if got := strings.Join(left, "; "); got != tc.rest {
			t.Errorf("%s leaves %q, want %q", text, got, tc.rest)
		}
	}
	for _, text := range []string{"router ospf 1\nno router ospf 1\n", "router ospf 1 vrf RED\nno router ospf 1\n"} {
		if tree, errs := conf.Load(g, text, "test"); errs != nil || len(tree.Nodes) != 0 {
			t.Errorf("%s: %v, %s left", text, errs, tree.Text())
		}
	}
}
