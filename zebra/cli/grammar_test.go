package cli_test

import (
	"testing"

	"github.com/godmvpn/godmvpn/lib/cli"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

func grammar(t *testing.T) *cli.Grammar {
	t.Helper()
	g, err := cli.Merge(cli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestLines parses lines that engineers paste and checks the canonical text.
func TestLines(t *testing.T) {
	g := grammar(t)
	global, inIf := []string{"config"}, []string{"config", "interface"}
	for _, tc := range []struct {
		stack    []string
		in, want string
	}{
		{global, "int tu0", "interface Tunnel0"},
		{global, "interface GigabitEthernet1", "interface GigabitEthernet1"},
		{global, "ip route 0.0.0.0 0.0.0.0 192.0.2.2", "ip route 0.0.0.0 0.0.0.0 192.0.2.2"},
		{global, "ip route 10.0.0.0/8 null0 250 name FLOAT tag 7", "ip route 10.0.0.0/8 Null0 250 tag 7 name FLOAT"},
		{global, "ip route vrf INET 0.0.0.0 0.0.0.0 Gi1 192.0.2.2", "ip route vrf INET 0.0.0.0 0.0.0.0 GigabitEthernet1 192.0.2.2"},
		{global, "no daemon ripd", "no daemon ripd"},
		{inIf, " ip address 172.31.0.1 255.255.255.0", "ip address 172.31.0.1 255.255.255.0"},
		{inIf, "ip addr 10.0.0.1/24 sec", "ip address 10.0.0.1/24 secondary"},
		{inIf, "no ip redirects", "no ip redirects"},
		{inIf, "tun mo gre mu", "tunnel mode gre multipoint"},
		{inIf, "tunnel source GigabitEthernet1", "tunnel source GigabitEthernet1"},
		{inIf, "tunnel source 192.0.2.1", "tunnel source 192.0.2.1"},
		{inIf, "tunnel key 100", "tunnel key 100"},
		{inIf, "no shut", "no shutdown"},
		{inIf, "ip tcp adjust-mss 1360", "ip tcp adjust-mss 1360"},
		{[]string{"enable"}, "sh ip ro", "show ip route"},
		{[]string{"enable"}, "sh ip route 10.1.2.3", "show ip route 10.1.2.3"},
		{[]string{"enable"}, "show ip route static", "show ip route static"},
		{[]string{"enable"}, "wr", "write"},
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

// TestRefused has lines that must not be accepted.
func TestRefused(t *testing.T) {
	g := grammar(t)
	for _, line := range []string{"ip redirects", "ip route 10.0.0.1 255.0.0.0.0 1.2.3.4", "tunnel mode ipip", "ip mtu 40",
		"ip route 10.0.0.0 255.0.255.0 1.2.3.4", "ip route 10.0.0.1/8 1.2.3.4"} {
		if m, err := g.Parse([]string{"config", "interface"}, line); err == nil {
			t.Errorf("%q was taken as %q", line, m.Canonical)
		}
	}
}
