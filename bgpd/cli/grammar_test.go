package cli_test

import (
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

var merged = func() *libcli.Grammar {
	g, err := libcli.Merge(libcli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, libcli.Owned{Owner: cli.Owner, Tree: cli.Grammar()})
	if err != nil {
		panic(err)
	}
	return g
}()

// load reads a configuration.
func load(t *testing.T, text string) *conf.Tree {
	t.Helper()
	tree, errs := conf.Load(merged, text, "test")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return tree
}

// part is bgpd's part of it.
func part(t *testing.T, text string) *conf.Tree {
	return load(t, text).Filter(cli.Owner, policy.SharedIDs()...)
}

var (
	inConfig = []string{"config"}
	inRouter = []string{"config", cli.ModeRouter}
	inIPv4   = []string{"config", cli.ModeRouter, cli.ModeIPv4}
	inIPv6   = []string{"config", cli.ModeRouter, cli.ModeIPv6}
	inVRF    = []string{"config", cli.ModeRouter, cli.ModeVRF}
	inPeer   = []string{"config", cli.ModeRouter, cli.ModePeer}
	inPolicy = []string{"config", cli.ModeRouter, cli.ModePolicy}
)

// TestLines parses lines that engineers paste and checks the canonical text. "" is the
// line itself.
func TestLines(t *testing.T) {
	for _, tc := range []struct {
		stack    []string
		in, want string
	}{
		{inConfig, "router bgp 4200000000", ""},
		{inRouter, "bgp router-id 10.255.0.1", ""},
		{inRouter, "bgp listen range 172.31.0.0/24 peer-group SPOKES", ""},
		{inRouter, "neighbor SPOKES peer-group", ""},
		{inRouter, "nei 10.0.0.2 remote 65001", "neighbor 10.0.0.2 remote-as 65001"},
		{inRouter, "neighbor 2001:db8::2 remote-as external", ""},
		{inRouter, "neighbor 10.0.0.2 peer-group SPOKES", ""},
		{inRouter, "neighbor 10.0.0.2 update-source lo0", "neighbor 10.0.0.2 update-source Loopback0"},
		{inRouter, "neighbor 10.0.0.2 ebgp-multihop", ""},
		{inRouter, "neighbor 10.0.0.2 timers 10 30", ""},
		{inRouter, "neighbor 10.0.0.2 description to the other hub", ""},
		{inRouter, "neighbor SPOKES route-reflector-client", ""},
		{inRouter, "neighbor SPOKES next-hop-self all", ""},
		{inRouter, "neighbor SPOKES send-community both", ""},
		{inRouter, "neighbor SPOKES route-map M out", ""},
		{inRouter, "no neighbor 10.0.0.2 activate", ""},
		{inRouter, "neighbor 10.0.0.2 maximum-prefix 100 80 restart 5", ""},
		{inRouter, "network 10.0.0.0", ""},
		{inRouter, "network 10.1.0.0 mask 255.255.0.0 route-map M", ""},
		{inRouter, "aggregate-address 10.0.0.0 255.0.0.0 summary-only as-set", "aggregate-address 10.0.0.0 255.0.0.0 as-set summary-only"},
		{inRouter, "redistribute connected", ""},
		{inRouter, "redistribute eigrp 100 route-map M metric 5", "redistribute eigrp 100 metric 5 route-map M"},
		{inRouter, "maximum-paths ibgp 4", ""},
		{inRouter, "distance bgp 20 200 200", ""},
		{inRouter, "no auto-summary", ""},
		{inRouter, "no synchronization", ""},
		{inRouter, "no bgp default ipv4-unicast", ""},
		{inRouter, "address-family ipv4", ""},
		{inRouter, "address-family ipv4 unicast vrf RED", ""},
		{inRouter, "address-family ipv6", ""},
		{inRouter, "template peer-session S", ""},
		{inIPv4, "neighbor SPOKES activate", ""},
		{inIPv4, "neighbor 10.0.0.2 remote-as 65001", ""}, // a line of the mode around it
		{inIPv6, "network 2001:db8::/32", ""},
		{inIPv6, "neighbor 2001:db8::2 prefix-list P in", ""},
		{inVRF, "neighbor 10.0.0.2 remote-as 65001", ""},
		{inVRF, "neighbor 10.0.0.2 password s3cret", ""},
		{inPeer, "remote-as 65000", ""},
		{inPeer, "inherit peer-session BASE", ""},
		{inPolicy, "route-map M in", ""},
		{inPolicy, "inherit peer-policy BASE 10", ""},
	} {
		m, err := merged.Parse(tc.stack, tc.in)
		if want := tc.want; err != nil {
			t.Errorf("%s: %s", tc.in, err.Report())
		} else if want == "" && m.Canonical != tc.in || want != "" && m.Canonical != want {
			t.Errorf("%s: %q, want %q", tc.in, m.Canonical, want)
		}
	}
	for _, line := range []string{"bgp router-id 10.0.0", "neighbor 10.0.0.2 remote-as 0", "neighbor 10.0.0.2 frobnicate", "redistribute bgp", "timers bgp 1 2", "network 10.0.0.0 255.0.0.0"} {
		if m, err := merged.Parse(inRouter, line); err == nil && !strings.HasPrefix(m.Command.ID, "bgp.refused") {
			t.Errorf("%s: accepted as %q", line, m.Canonical)
		}
	}
}

// TestDocumented: every word has help.
func TestDocumented(t *testing.T) {
	for _, word := range merged.Undocumented() {
		if strings.HasPrefix(word, cli.Owner+" ") && !strings.Contains(word, "refused") {
			t.Error(word)
		}
	}
}

// legacy and modern are one configuration in both of its forms.
const (
	legacy = `router bgp 65000
 bgp router-id 10.255.0.1
 neighbor SPOKES peer-group
 neighbor SPOKES remote-as 65000
 neighbor 172.31.0.11 peer-group SPOKES
 neighbor SPOKES route-reflector-client
 neighbor SPOKES send-community
 neighbor SPOKES prefix-list P in
 network 10.1.0.0 mask 255.255.0.0
 redistribute static metric 5
 distance bgp 30 190 200
ip prefix-list P seq 5 permit 10.0.0.0/8 le 32
`
	modern = `router bgp 65000
 bgp router-id 10.255.0.1
 no bgp default ipv4-unicast
 neighbor SPOKES peer-group
 neighbor SPOKES remote-as 65000
 neighbor 172.31.0.11 peer-group SPOKES
 address-family ipv4
  neighbor SPOKES activate
  neighbor SPOKES route-reflector-client
  neighbor SPOKES send-community
  neighbor SPOKES prefix-list P in
  network 10.1.0.0 mask 255.255.0.0
  redistribute static metric 5
  distance bgp 30 190 200
 exit-address-family
ip prefix-list P seq 5 permit 10.0.0.0/8 le 32
`
)

// TestPrint: what is printed parses back to the same.
func TestPrint(t *testing.T) {
	for _, text := range []string{legacy, modern} {
		tree := load(t, text)
		printed := tree.Text()
		if again := load(t, printed); !again.Equal(tree) {
			t.Errorf("%s\nis not\n%s", again.Text(), printed)
		}
	}
}
