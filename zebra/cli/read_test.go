package cli_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/conf"
	librib "github.com/godmvpn/godmvpn/lib/rib"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/iface"
)

// TestRefusals: lines that parse and cannot be, each with its message under its
// own path.
func TestRefusals(t *testing.T) {
	g := grammar(t)
	sixtyFour := ""
	for i := range 64 {
		sixtyFour += fmt.Sprintf("ip route 10.0.0.0/8 192.0.2.%d\n", i+1)
	}
	for text, want := range map[string]string{
		"vrf definition a/b":                                                                       "the name cannot be that of a Linux device",
		"hostname hub!":                                                                            "a hostname has letters, digits, hyphens, dots and underscores only",
		"interface-alias GigabitEthernet1 a/b":                                                     `"a/b" cannot be the name of a Linux device`,
		"interface-alias Tunnel0 eth0":                                                             "Tunnel0 is made under its own name",
		"interface-alias Loopback0 eth0":                                                           "Loopback0 is made under its own name",
		"interface-alias Gi1 eth0\ninterface-alias Gi2 eth0":                                       "GigabitEthernet1 already stands for eth0",
		"interface Null0\n shutdown":                                                               "Null0 has nothing to configure; use it in routes",
		"interface eth0\n tunnel source eth1":                                                      "eth0 is no tunnel",
		"interface-alias Gi1 eth0\ninterface eth0\n shutdown":                                      "GigabitEthernet1 stands for it here, by an interface-alias",
		"interface Tunnel0\n tunnel source Tunnel0":                                                "a tunnel cannot be its own source",
		"interface eth0\n vrf forwarding RED":                                                      "there is no vrf definition RED",
		"interface Tunnel0\n tunnel vrf RED":                                                       "there is no vrf definition RED",
		"interface Tunnel0\n tunnel source 2001:db8::1\n tunnel mode gre multipoint":               "2001:db8::1 is not of the family of the tunnel's mode",
		"interface Tunnel0\n tunnel destination 192.0.2.1\n tunnel mode gre ipv6":                  "192.0.2.1 is not of the family of the tunnel's mode",
		"interface Tunnel0\n tunnel source 192.0.2.1\n tunnel mode gre multipoint ipv6":            "192.0.2.1 is not of the family of the tunnel's mode",
		"interface Tunnel0\n tunnel mode gre multipoint ipv6\n tunnel destination 2001:db8::1":     "a multipoint tunnel has no destination",
		"vrf definition RED\ninterface Tunnel0\n tunnel mode gre multipoint ipv6\n tunnel vrf RED": "a multipoint tunnel over IPv6 cannot have its transport in a VRF",
		"interface Tunnel0\n tunnel mode gre multipoint ipv6\n tunnel tos 1":                       "a multipoint tunnel over IPv6 cannot copy the type of service",
		"interface Tunnel0\n tunnel mode gre multipoint\n tunnel destination 192.0.2.1":            "a multipoint tunnel has no destination",
		"interface eth0\n ip address 224.0.0.1 255.0.0.0":                                          "224.0.0.1 is not an address of an interface",
		"interface eth0\n ip address 0.0.0.0 255.0.0.0":                                            "0.0.0.0 is not an address of an interface",
		"interface eth0\n ip address 127.0.0.1 255.0.0.0":                                          "127.0.0.1 is not an address of an interface",
		"interface eth0\n ipv6 address ff02::1/64":                                                 "ff02::1 is not an address of an interface",
		"interface eth0\n ipv6 address 2001:db8::1 link-local":                                     "2001:db8::1 is not a link-local address",
		"interface eth0\n ip address 10.0.0.1/0":                                                   "a subnet of length 0 is not possible",
		"interface eth0\n ip address 10.0.0.0/24":                                                  "10.0.0.0 is the network's own or its broadcast address",
		"interface eth0\n ip address 10.0.0.255 255.255.255.0":                                     "10.0.0.255 is the network's own or its broadcast address",
		"interface eth0\n ip address 10.0.0.1/24\n ip address 10.0.0.1/25 secondary":               "10.0.0.1 is already an address of this interface",
		"ip route 10.0.0.1 255.0.0.0 192.0.2.1":                                                    "10.0.0.1/8 has host bits set; the network is 10.0.0.0/8",
		"ip route vrf RED 10.0.0.0 255.0.0.0 192.0.2.1":                                            "there is no vrf definition RED",
		"ip route 10.0.0.0 255.0.0.0 Null0 192.0.2.1":                                              "a discard route is written with Null0 alone",
		"ip route 10.0.0.0 255.0.0.0 Null1":                                                        "a discard route is written with Null0 alone",
		"ip route 10.0.0.0 255.0.0.0 224.0.0.9":                                                    "224.0.0.9 is not the address of a next hop",
		"ipv6 route 2001:db8::/32 ::":                                                              ":: is not the address of a next hop",
		"ip route 10.0.0.0/8 192.0.2.1 tag 5\nip route 10.0.0.0/8 192.0.2.2 tag 6":                 "routes to 10.0.0.0/8 with the same distance must have the same tag, 5",
		sixtyFour + "ip route 10.0.0.0/8 192.0.2.99":                                               "more than 64 next hops for 10.0.0.0/8",
	} {
		tree, lineErrs := conf.Load(g, text, "test")
		if len(lineErrs) > 0 {
			t.Errorf("%q does not parse: %v", text, lineErrs)
			continue
		}
		_, errs := zcli.Read(tree)
		if len(errs) != 1 || errs[0].Msg != want {
			t.Errorf("%q: %+v, want %q", text, errs, want)
			continue
		}
		block := &tree.Block
		for _, key := range errs[0].Path {
			n := block.Get(key)
			if n == nil {
				t.Errorf("%q: there is no line %q of path %q", text, key, errs[0].Path)
				break
			}
			block = &n.Block
		}
	}
}

// TestRead: what a whole configuration comes down to.
func TestRead(t *testing.T) {
	tree, lineErrs := conf.Load(grammar(t), `hostname HUB
logging debugging
daemon nhrpd
no daemon ripd
interface-alias GigabitEthernet1 wan
vrf definition RED
 description the red one
interface GigabitEthernet1
 description uplink
 vrf forwarding RED
 bandwidth 5000
 delay 20
 mtu 1492
 ip address 192.0.2.1 255.255.255.252
 ip address 192.0.2.9 255.255.255.252 secondary
 ipv6 address 2001:db8::1/64
 ip mtu 1480
 ip tcp adjust-mss 1360
 shutdown
interface Loopback0
 ip address 127.0.0.2/32
interface Tunnel0
 tunnel source GigabitEthernet1
 tunnel mode gre multipoint
 tunnel key 100
 tunnel vrf RED
 tunnel ttl 64
 tunnel tos 192
 tunnel path-mtu-discovery
interface Tunnel1
 tunnel source 192.0.2.1
 tunnel destination 203.0.113.1
ip route 0.0.0.0 0.0.0.0 192.0.2.2
ip route 0.0.0.0 0.0.0.0 192.0.2.6 250 name BACKUP
ip route 10.0.0.0/8 172.31.0.11 tag 7
ip route 10.0.0.0/8 Tunnel0 172.31.0.12 tag 7
ip route vrf RED 10.0.0.0/8 Null0
ipv6 route 2001:db8:1::/48 2001:db8::2
`, "test")
	if len(lineErrs) > 0 {
		t.Fatal(lineErrs)
	}
	got, errs := zcli.Read(tree)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	route := func(vrf, p string, distance uint8, tag uint32, name string, hops ...librib.NextHop) librib.Route {
		return librib.Route{VRF: vrf, Prefix: prefix(p), Protocol: librib.Static, Instance: uint32(distance), Distance: distance, Tag: tag, Name: name, NextHops: hops}
	}
	want := zcli.Config{Hostname: "HUB", LogLevel: "debugging", Daemons: map[string]bool{"nhrpd": true, "ripd": false},
		Iface: iface.Config{IPv6: true, Aliases: map[string]string{"GigabitEthernet1": "wan"}, VRFs: []iface.VRF{{Name: "RED", Description: "the red one"}},
			Interfaces: []iface.Interface{
				{Name: "GigabitEthernet1", Description: "uplink", VRF: "RED", Shutdown: true, MTU: 1492, IPMTU: 1480, AdjustMSS: 1360, Bandwidth: 5000, Delay: 20,
					Addresses: []librib.Address{{Prefix: prefix("192.0.2.1/30")}, {Prefix: prefix("192.0.2.9/30"), Secondary: true}, {Prefix: prefix("2001:db8::1/64")}}},
				{Name: "Loopback0", Addresses: []librib.Address{{Prefix: prefix("127.0.0.2/32")}}},
				{Name: "Tunnel0", Tunnel: iface.Tunnel{SourceInterface: "GigabitEthernet1", Multipoint: true, HasKey: true, Key: 100, VRF: "RED", TTL: 64, TOS: 192, PathMTU: true}},
				{Name: "Tunnel1", Tunnel: iface.Tunnel{Source: addr("192.0.2.1"), Destination: addr("203.0.113.1")}}}},
		Static: []librib.Route{
			route("", "0.0.0.0/0", 1, 0, "", librib.NextHop{Addr: addr("192.0.2.2")}),
			route("", "0.0.0.0/0", 250, 0, "BACKUP", librib.NextHop{Addr: addr("192.0.2.6")}),
			route("", "10.0.0.0/8", 1, 7, "", librib.NextHop{Addr: addr("172.31.0.11")}, librib.NextHop{Addr: addr("172.31.0.12"), Interface: "Tunnel0"}),
			route("RED", "10.0.0.0/8", 1, 0, "", librib.NextHop{Discard: true}),
			route("", "2001:db8:1::/48", 1, 0, "", librib.NextHop{Addr: addr("2001:db8::2")})}}
	opts := []cmp.Option{cmpopts.EquateComparable(prefix("0.0.0.0/0"), addr("0.0.0.0")), cmpopts.IgnoreFields(zcli.Config{}, "Policy")}
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// anyLine makes a line that zebra's grammar knows, in the interface mode or the global one.
func anyLine(inInterface bool) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := func(min, max int) int { return rapid.IntRange(min, max).Draw(t, "n") }
		host := fmt.Sprintf("10.%d.%d.%d", n(0, 2), n(0, 2), n(1, 3))
		lines := []string{"description " + rapid.StringMatching(`[a-z]([a-z !|"#]{0,9}[a-z])?`).Draw(t, "text"), "shutdown", "no shutdown", fmt.Sprintf("mtu %d", n(68, 9216)),
			fmt.Sprintf("ip mtu %d", n(68, 9216)), fmt.Sprintf("bandwidth %d", n(1, 10000)), fmt.Sprintf("ip address %s 255.255.255.%d", host, []int{0, 128, 252}[n(0, 2)]),
			fmt.Sprintf("ip address %s/%d secondary", host, n(8, 30)), "ipv6 address 2001:db8::1/64", "no ip redirects", "tunnel source Gi1", "tunnel source " + host,
			"tunnel mode gre multipoint", "tunnel mode gre ip", fmt.Sprintf("tunnel key %d", n(0, 9)), "no tunnel key", "tunnel destination " + host, "tunnel path-mtu-discovery", "no description"}
		if !inInterface {
			lines = []string{fmt.Sprintf("hostname r%d", n(0, 9)), "no hostname", "daemon nhrpd", "no daemon nhrpd", fmt.Sprintf("interface-alias Gi%d eth%d", n(0, 3), n(0, 3)), "logging debugging",
				"logging informational", fmt.Sprintf("vrf definition V%d", n(0, 2)), fmt.Sprintf("no vrf definition V%d", n(0, 2)),
				fmt.Sprintf("ip route 10.%d.0.0 255.255.0.0 %s %d", n(0, 3), host, n(1, 3)), fmt.Sprintf("ip route 10.%d.0.0/16 Null0 name N%d", n(0, 3), n(0, 3)),
				fmt.Sprintf("no ip route 10.%d.0.0/16 Null0", n(0, 3)), "ipv6 route 2001:db8::/32 Tunnel0 fe80::1 tag 3"}
		}
		return rapid.SampledFrom(lines).Draw(t, "line")
	})
}

// TestRoundTrip: what is printed of a configuration reads back to the same tree,
// and stands for the same values.
func TestRoundTrip(t *testing.T) {
	g := grammar(t)
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(0, 6).Draw(t, "blocks") {
			for range rapid.IntRange(0, 4).Draw(t, "lines") {
				b.WriteString(anyLine(false).Draw(t, "global") + "\n")
			}
			b.WriteString(rapid.SampledFrom([]string{"interface Tunnel0\n", "interface Gi1\n", "interface Loopback10\n", "interface Tunnel2\n", "no interface Tunnel0\n"}).Draw(t, "interface"))
			if strings.HasSuffix(b.String(), "no interface Tunnel0\n") {
				continue
			}
			for range rapid.IntRange(0, 6).Draw(t, "inner") {
				b.WriteString(" " + anyLine(true).Draw(t, "line") + "\n")
			}
		}
		text := b.String()
		tree, errs := conf.Load(g, text, "typed")
		errs = slices.DeleteFunc(errs, func(e conf.LineError) bool { return strings.Contains(e.Msg, "not configured") })
		if len(errs) > 0 {
			t.Fatalf("%v in\n%s", errs, text)
		}
		if tree == nil {
			return // a "no" that repeats what is not there
		}
		printed := tree.Text()
		again, errs := conf.Load(g, printed, "printed")
		if len(errs) > 0 || !again.Equal(tree) || again.Text() != printed {
			t.Fatalf("%v: typed\n%s\nprinted\n%s\nand again\n%s", errs, text, printed, again.Text())
		}
		a, aErrs := zcli.Read(tree)
		z, zErrs := zcli.Read(again)
		opts := []cmp.Option{cmpopts.EquateComparable(prefix("0.0.0.0/0"), addr("0.0.0.0")), cmpopts.IgnoreFields(zcli.Config{}, "Policy")}
		if diff := cmp.Diff(a, z, opts...) + cmp.Diff(aErrs, zErrs); diff != "" {
			t.Fatalf("%s", diff)
		}
	})
}
