package cli_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/cli/clitest"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// drawn are the lines that are drawn from the grammar itself, so that none is left out.
var drawn = clitest.Lines{Commands: cli.Grammar().Commands, Values: map[string][]string{
	"A.B.C.D": {"10.0.0.0", "10.1.0.0", "172.31.0.2"}, "ADDR": {"172.31.0.2", "172.31.0.3", "2001:db8::2"}, "MASK": {"255.0.0.0", "255.255.0.0"},
	"PREFIX": {"10.0.0.0/8", "172.31.0.0/24", "2001:db8::/32"}, "PREFIX4": {"10.0.0.0/8", "172.31.0.0/24"}, "PREFIX6": {"2001:db8::/32", "::/0"},
	"IFNAME": {"Tunnel0", "Loopback0"}, "WORD": {"A", "G", "65001", "10"}, "SECRET": {"s3cret", "01100F175804"}, "LINE": {"what it is for"},
}, Keep: func(c libcli.Command) bool { return c.NoForm != libcli.NoOnly }}

// drawBlocks are filled with drawn lines.
var drawBlocks = []struct{ open, mode string }{
	{"router bgp 65000", cli.ModeRouter}, {"router bgp 65000", cli.ModeRouter},
	{"router bgp 65000\ntemplate peer-session A", cli.ModePeer}, {"router bgp 65000\ntemplate peer-policy A", cli.ModePolicy},
	{"router bgp 65000\naddress-family ipv4", cli.ModeIPv4}, {"router bgp 65000\naddress-family ipv6", cli.ModeIPv6},
	{"router bgp 65000\naddress-family ipv4 vrf RED", cli.ModeVRF}, {"router bgp 65000\naddress-family ipv6 vrf RED", cli.ModeVRF6},
}

// TestPrintedParsesBack: a configuration of drawn lines that can stand together is printed
// as text that is read as the same, and means the same.
func TestPrintedParsesBack(t *testing.T) {
	meaning := []cmp.Option{cmp.Exporter(func(reflect.Type) bool { return true }), cmp.Comparer(func(a, b *policy.Set) bool { return true }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().Type().Kind() == reflect.Func }, cmp.Ignore())}
	understood := func(tree *conf.Tree) (cli.Config, bool) {
		c, refused := cli.Read(tree.Filter(cli.Owner, policy.SharedIDs()...), &cli.Policies{})
		return c, len(refused) == 0
	}
	rapid.Check(t, func(t *rapid.T) {
		tree := &conf.Tree{}
		add := func(text string) {
			next, errs := conf.Merge(merged, tree, text, "drawn")
			if errs != nil {
				t.Fatalf("%s: %v", text, errs)
			}
			if _, ok := understood(next); ok {
				tree = next
			}
		}
		add("router bgp 65000\nneighbor G peer-group\nneighbor G remote-as 65000\nneighbor 172.31.0.2 remote-as 65001\nneighbor 2001:db8::2 remote-as 65002\n")
		for _, block := range drawBlocks {
			for range rapid.IntRange(0, 8).Draw(t, block.open) {
				add(block.open + "\n" + drawn.Draw(t, block.mode, nil) + "\n")
			}
		}
		again, errs := conf.Load(merged, tree.Text(), "printed")
		if errs != nil || !again.Equal(tree) || again.Text() != tree.Text() {
			t.Fatalf("%s\nis read as\n%s%v", tree.Text(), again.Text(), errs)
		}
		want, _ := understood(tree)
		got, ok := understood(again)
		if diff := cmp.Diff(want, got, meaning...); diff != "" || !ok {
			t.Fatalf("%s\n%v %s", strings.TrimSpace(tree.Text()), ok, diff)
		}
	})
}
