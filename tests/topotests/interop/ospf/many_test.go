package ospf

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/ospfpeers"
)

// many is how many external routes each of the others tells.
const many = 5000

// prefixes are that many networks of /24.
func prefixes(first byte) (all []netip.Prefix) {
	for i := range many {
		all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{first, byte(i >> 8), byte(i), 0}), 24))
	}
	return all
}

// TestMany has FRR and BIRD tell 5,000 external routes each, by way of ours, which tells as
// many itself. All are withdrawn, and come again after a crash of ours.
//
//	frr (20.0.0.0/8) ── ours (21.0.0.0/8) ── bird (22.0.0.0/8)
func TestMany(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	us, f, b := &router{Node: tp.Router("ours")}, &router{Node: tp.Router("frr"), Suite: frr}, &router{Node: tp.Router("bird"), Suite: bird}
	tp.Link(us.Node, "eth0", "10.9.1.1/24", f.Node, "eth0", "10.9.1.2/24")
	tp.Link(us.Node, "eth1", "10.9.2.1/24", b.Node, "eth0", "10.9.2.2/24")
	wires := []*harness.Capture{us.Capture("eth0"), us.Capture("eth1")}
	us.Blackholes(prefixes(21)...)
	f.Blackholes(prefixes(20)...)
	us.Boot("interface eth0\n" + ospfpeers.Slow + "interface eth1\n" + ospfpeers.Slow + ospfpeers.RouterOurs("1.1.1.1") + " redistribute kernel subnets\n network 10.9.0.0 0.0.255.255 area 0\n")
	f.Boot("interface eth0\n" + ospfpeers.Slow + ospfpeers.RouterFRR("2.2.2.2") + " redistribute kernel\n network 10.9.0.0/16 area 0\n")
	var static []string
	for _, p := range prefixes(22) {
		static = append(static, p.String())
	}
	birdText := func(static ...string) string {
		return ospfpeers.BIRDConfig("3.3.3.3", " area 0 {\n  interface \"eth0\" { hello 1; dead 12; type broadcast; };\n };\n", static...)
	}
	b.Boot(birdText(static...))

	all := []func() error{has(us, map[int]int{20: many, 22: many}), has(f, map[int]int{21: many, 22: many}), has(b, map[int]int{20: many, 21: many})}
	await(t, append(all, ospfpeers.SameDatabases(us, f, b))...)

	f.FRR.Configure("router ospf\nno redistribute kernel")
	b.BIRD.Reconfigure(birdText(static[:1]...))
	await(t, has(us, map[int]int{22: 1}), has(f, map[int]int{21: many, 22: 1}), has(b, map[int]int{21: many}))
	f.FRR.Configure("router ospf\nredistribute kernel")
	b.BIRD.Reconfigure(birdText(static...))
	await(t, all...)

	us.Crash()
	us.Revive()
	await(t, append(all, ospfpeers.SameDatabases(us, f, b))...)
	if err := harness.CheckDissected("ospf && !icmp", 100, wires...); err != nil {
		t.Error(err)
	}
}

// has tells whether a kernel has so many routes of OSPF to networks of these first octets,
// and no others but those to links.
func has(r *router, want map[int]int) func() error {
	return func() error {
		have := map[int]int{}
		for _, route := range r.RoutesOf(r.Protocol()) {
			if text := route.String(); !strings.HasPrefix(text, "10.9.") {
				have[int(route.Prefix.Addr().As4()[0])]++
			}
		}
		for first, n := range want { // unordered: all the same
			if have[first] != n || len(have) != len(want) {
				return fmt.Errorf("%s has %v routes by their first octet, want %v", r.Name(), have, want)
			}
		}
		return nil
	}
}
