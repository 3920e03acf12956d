package cli_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/ripd/cli"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// merged is the grammar of zebra and ripd together; it does not change.
var merged = sync.OnceValues(func() (*libcli.Grammar, error) {
	return libcli.Merge(libcli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, libcli.Owned{Owner: cli.Owner, Tree: cli.Grammar()})
})

func grammar(t *testing.T) *libcli.Grammar {
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
	inFamily = []string{"config", cli.ModeRouter, cli.ModeFamily}
	inIf     = []string{"config", "interface"}
	enable   = []string{"enable"}
)

// TestLines parses lines that engineers paste and checks the canonical text.
func TestLines(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct {
		stack    []string
		in, want string
	}{
		{inConfig, "router rip", "router rip"},
		{inRouter, "address-family ipv4 vrf RED", "address-family ipv4 vrf RED"},
		{inFamily, "ver 2", "version 2"},
		{inFamily, "net 10.0.0.0", "network 10.0.0.0"},
		{inRouter, "network 10.0.0.0", "network 10.0.0.0"},
		{inRouter, "network 10.4.0.0/16", "network 10.4.0.0/16"},
		{inRouter, "network tu0", "network Tunnel0"},
		{inRouter, "no auto-summary", "no auto-summary"},
		{inRouter, "passive default", "passive-interface default"},
		{inRouter, "no passive-interface tu0", "no passive-interface Tunnel0"},
		{inRouter, "timers basic 5 15 0 30", "timers basic 5 15 0 30"},
		{inRouter, "redistribute ospf 1 route-map M metric 3", "redistribute ospf 1 metric 3 route-map M"},
		{inRouter, "redistribute static metric transparent", "redistribute static metric transparent"},
		{inRouter, "redistribute bgp 4200000000", "redistribute bgp 4200000000"},
		{inRouter, "distribute-list prefix NETS out", "distribute-list prefix NETS out"},
		{inRouter, "distribute-list 10 in Gi1", "distribute-list 10 in GigabitEthernet1"},
		{inRouter, "offset-list 0 in 3 Tu0", "offset-list 0 in 3 Tunnel0"},
		{inRouter, "distance 90", "distance 90"},
		{inRouter, "distance 90 10.0.0.0 0.0.0.255 10", "distance 90 10.0.0.0 0.0.0.255 10"},
		{inRouter, "default-information originate", "default-information originate"},
		{inRouter, "route 10.9.0.0/16", "route 10.9.0.0/16"},
		{inIf, "ip rip send version 1 2", "ip rip send version 1 2"},
		{inIf, "ip rip rec ver 2", "ip rip receive version 2"},
		{inIf, "ip rip auth mode md5", "ip rip authentication mode md5"},
		{inIf, "ip rip authentication mode hmac-sha-256", "ip rip authentication mode hmac-sha-256"},
		{inIf, "ip rip auth key-chain KEYS", "ip rip authentication key-chain KEYS"},
		{inIf, "no ip split-horizon", "no ip split-horizon"},
		{inIf, "no ip split", "no ip split-horizon"},
		{inIf, "ip split-horizon poison", "ip split-horizon poisoned-reverse"},
		{inIf, "ip summary-address rip 10.0.0.0 255.0.0.0", "ip summary-address rip 10.0.0.0 255.0.0.0"},
		{enable, "sh ip rip", "show ip rip"},
		{enable, "sh ip rip data", "show ip rip database"},
		{enable, "show ip rip database 10.1.0.0 255.255.0.0 vrf RED", "show ip rip database 10.1.0.0 255.255.0.0 vrf RED"},
		{enable, "show ip rip database vrf RED", "show ip rip database vrf RED"},
		{enable, "show ip rip vrf RED 10.0.0.0/8", "show ip rip vrf RED 10.0.0.0/8"},
		{enable, "show ip rip 10.0.0.1", "show ip rip 10.0.0.1"},
		{enable, "show ip rip 10.0.0.0 255.0.0.0", "show ip rip 10.0.0.0 255.0.0.0"},
		{enable, "show ip rip status vrf RED", "show ip rip status vrf RED"},
		{enable, "show ip protocols vrf RED", "show ip protocols vrf RED"},
		{enable, "clear ip rip vrf RED", "clear ip rip vrf RED"},
		{enable, "clear ip rip counters", "clear ip rip counters"},
		{enable, "debug rip packets", "debug rip packets"},
	} {
		m, err := g.Parse(tc.stack, tc.in)
		if err != nil {
			t.Errorf("%q:\n%s", tc.in, err.Report())
			continue
		}
		if m.Canonical != tc.want {
			t.Errorf("%q: canonical %q, want %q", tc.in, m.Canonical, tc.want)
		}
	}
}

// TestRefused has lines that must not be accepted: what is not done, and what
// could be misread.
func TestRefused(t *testing.T) {
	g := grammar(t)
	for line, want := range map[string]string{
		"auto-summary":                   "subnets are never summarized by class",
		"timers basic 30 180 240":        "", // another router's three numbers
		"timers basic 30 180 0 240 5":    "",
		"version 3":                      "",
		"network 10.0.0.1/8":             "the network is 10.0.0.0/8",
		"network 10.0.0.0 0.0.0.255":     "", // OSPF's form
		"network 300.0.0.0":              "",
		"redistribute ospf":              "",
		"redistribute rip":               "",
		"redistribute static metric 0":   "",
		"offset-list 0 in 17":            "",
		"maximum-paths 33":               "",
		"output-delay 5":                 "",
		"distribute-list 10 out ospf 1":  "",
		"flash-update-threshold 10":      "",
		"input-queue 20":                 "",
		"bfd all-interfaces":             "",
		"timers basic 30 180 180":        "",
		"ip rip triggered":               "",
		"ip rip send version":            "",
		"ip rip authentication mode sha": "", // ambiguous or unknown
	} {
		stack := inRouter
		if strings.HasPrefix(line, "ip ") {
			stack = inIf
		}
		m, err := g.Parse(stack, line)
		if err == nil {
			t.Errorf("%q was taken as %q", line, m.Canonical)
		} else if !strings.Contains(err.Report(), want) {
			t.Errorf("%q: %s\nwant %q", line, err.Report(), want)
		}
	}
}

func TestPrompts(t *testing.T) {
	g := grammar(t)
	for want, stack := range map[string][]string{"hub1(config-router)#": inRouter, "hub1(config-router-af)#": inFamily} {
		if got := g.Prompt("hub1", stack); got != want {
			t.Errorf("%v: prompt %q, want %q", stack, got, want)
		}
	}
}

// TestEveryWordHasHelp wants a line of help for what "?" offers.
func TestEveryWordHasHelp(t *testing.T) {
	for _, word := range grammar(t).Undocumented() {
		if strings.HasPrefix(word, cli.Owner+" ") {
			t.Errorf("no help for %s", word)
		}
	}
}

// TestBothModesKnowTheSameLines compares `router rip` with the VRFs under it.
func TestBothModesKnowTheSameLines(t *testing.T) {
	patterns := map[string][]string{}
	for _, c := range cli.Grammar().Commands {
		if c.ID != cli.CmdFamily {
			patterns[c.Mode] = append(patterns[c.Mode], c.Pattern)
		}
	}
	if diff := cmp.Diff(patterns[cli.ModeRouter], patterns[cli.ModeFamily]); diff != "" || len(patterns[cli.ModeFamily]) < 15 {
		t.Error(diff)
	}
}

// running is a configuration as an IOS router prints it, but for the order of
// lines; printed is what becomes of it.
const running = `interface Tunnel0
 ip address 172.31.0.1 255.255.255.0
 ip mtu 1400
 no ip split-horizon
 ip tcp adjust-mss 1360
 ip rip authentication mode md5
 ip rip authentication key-chain KEYS
 ip summary-address rip 10.0.0.0 255.0.0.0
!
router rip
 version 2
 timers basic 30 180 0 240
 redistribute static metric 2
 passive-interface default
 no passive-interface Tunnel0
 network 10.0.0.0
 network 172.31.0.0
 maximum-paths 4
 no auto-summary
 !
 address-family ipv4 vrf RED
  network 192.168.1.0
  no auto-summary
  version 2
 exit-address-family
!
ip route 10.0.0.0 255.0.0.0 Null0
`

const printed = `interface Tunnel0
 ip address 172.31.0.1 255.255.255.0
 ip mtu 1400
 ip rip authentication key-chain KEYS
 ip rip authentication mode md5
 no ip split-horizon
 ip summary-address rip 10.0.0.0 255.0.0.0
 ip tcp adjust-mss 1360
!
router rip
 version 2
 redistribute static metric 2
 passive-interface default
 no passive-interface Tunnel0
 network 10.0.0.0
 network 172.31.0.0
 address-family ipv4 vrf RED
  version 2
  network 192.168.1.0
 exit-address-family
!
ip route 10.0.0.0 255.0.0.0 Null0
`

// body is a text without comments at its end and without the end line.
func body(s string) string {
	var keep []string
	for line := range strings.Lines(s) {
		if strings.TrimSpace(line) != "end" {
			keep = append(keep, line)
		}
	}
	return strings.TrimRight(strings.Join(keep, ""), "!\n") + "\n"
}

func TestPaste(t *testing.T) {
	g := grammar(t)
	tree, errs := conf.Load(g, running, "running-config")
	if errs != nil {
		t.Fatal(errs)
	}
	if diff := cmp.Diff(printed, body(tree.Text())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, errs := conf.Load(g, tree.Text(), "again")
	if errs != nil || !again.Equal(tree) {
		t.Errorf("what was printed reads back as another configuration: %v", errs)
	}
}

// TestNo removes lines in the forms that people type.
func TestNo(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct{ block, line, no, rest string }{
		{"router rip", "version 2", "no version", ""},
		{"router rip", "timers basic 5 15 0 30", "no timers basic", ""},
		{"router rip", "timers basic 5 15 0 30", "timers basic 30 180 0 240", ""},
		{"router rip", "maximum-paths 8", "maximum-paths 4", ""},
		{"router rip", "redistribute ospf 1 metric 3", "no redistribute ospf 1", ""},
		{"router rip", "redistribute ospf 1 metric 3", "no redistribute ospf 2", "redistribute ospf 1 metric 3"},
		{"router rip", "redistribute ospf 1 metric 3", "redistribute ospf 1 route-map M", "redistribute ospf 1 route-map M"},
		{"router rip", "default-information originate route-map M", "no default-information originate", ""},
		{"router rip", "no validate-update-source", "validate-update-source", ""},
		{"router rip", "passive-interface Tunnel0", "no passive-interface Tunnel0", "no passive-interface Tunnel0"},
		{"router rip", "passive-interface Tunnel0", "default passive-interface Tunnel0", ""},
		{"router rip", "passive-interface default", "no passive-interface default", ""},
		{"router rip", "distribute-list 10 in Tunnel0", "no distribute-list 10 in Tunnel0", ""},
		{"router rip", "distribute-list 10 in", "distribute-list 11 in", "distribute-list 11 in"},
		{"router rip", "distribute-list 10 in", "distribute-list 11 in Tunnel0", "distribute-list 10 in; distribute-list 11 in Tunnel0"},
		{"router rip", "distribute-list 10 in", "distribute-list prefix P in", "distribute-list 10 in; distribute-list prefix P in"},
		{"router rip", "offset-list 10 in 3", "offset-list 11 in 4", "offset-list 11 in 4"},
		{"router rip", "offset-list 10 in 3", "offset-list 10 in 4 Tunnel0", "offset-list 10 in 3; offset-list 10 in 4 Tunnel0"},
		{"router rip", "offset-list 10 in 3", "no offset-list 10 in 3", ""},
		{"router rip", "distance 90", "no distance 90", ""},
		{"router rip", "distance 90", "no distance", ""},
		{"router rip", "no distance", "distance 90 10.0.0.0 0.0.0.255", "distance 90 10.0.0.0 0.0.0.255"},
		{"interface Tunnel0", "no ip split-horizon", "ip split-horizon", ""},
		{"interface Tunnel0", "ip split-horizon poisoned-reverse", "no ip split-horizon poisoned-reverse", ""},
		{"interface Tunnel0", "ip rip authentication mode md5", "no ip rip authentication mode", ""},
		{"interface Tunnel0", "ip rip authentication mode md5", "no ip rip authentication mode md5", ""},
		{"interface Tunnel0", "ip rip authentication key-chain K", "no ip rip authentication key-chain", ""},
		{"interface Tunnel0", "ip rip send version 1 2", "no ip rip send version", ""},
	} {
		tree, errs := conf.Load(g, tc.block+"\n "+tc.line+"\n "+tc.no+"\n", "test")
		if errs != nil {
			t.Errorf("%q: %v", tc.no, errs)
			continue
		}
		var rest []string
		for _, n := range tree.Nodes[0].Nodes {
			rest = append(rest, n.Line)
		}
		if got := strings.Join(rest, "; "); got != tc.rest {
			t.Errorf("%q then %q leaves %q, want %q", tc.line, tc.no, got, tc.rest)
		}
	}
}

// TestDistancesKeepTheirOrder: the first that fits decides.
func TestDistancesKeepTheirOrder(t *testing.T) {
	cfg := load(t, "router rip\n distance 200 10.0.0.2 0.0.0.0\n distance 100 10.0.0.0 0.0.0.255\n distance 50 10.0.0.1 0.0.0.0 7\n")
	var got []uint8
	for _, d := range cfg.Routers[0].Distances {
		got = append(got, d.Distance)
	}
	if want := []uint8{200, 100, 50}; !slices.Equal(got, want) {
		t.Errorf("distances in the order %v, want %v", got, want)
	}
}
