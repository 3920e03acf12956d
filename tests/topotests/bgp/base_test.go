package bgp

import (
	"fmt"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestBase has external sessions at both ends of an internal one between loopbacks, for
// both families:
//
//	e 65001 ── r1 65000 ══ r2 65000 ── c 65002
//
// All know all networks, with next hops and distances as they are to be; a network that
// goes, goes everywhere, and so do those of a router that dies. tshark decodes all that
// passes.
func TestBase(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	e, r1, r2, c := tp.Router("e"), tp.Router("r1"), tp.Router("r2"), tp.Router("c")
	link := func(a, b *harness.Node, net int) *harness.Link {
		l := tp.Link(a, "to-"+b.Name(), fmt.Sprintf("10.9.%d.1/30", net), b, "to-"+a.Name(), fmt.Sprintf("10.9.%d.2/30", net))
		a.Addr("to-"+b.Name(), fmt.Sprintf("2001:db8:9:%d::1/64", net))
		b.Addr("to-"+a.Name(), fmt.Sprintf("2001:db8:9:%d::2/64", net))
		return l
	}
	link(e, r1, 1)
	link(r1, r2, 2)
	last := link(r2, c, 3)
	hosts := tp.Node("hosts")
	for i, n := range []*harness.Node{e, r1, r2, c} {
		port(tp, hosts, n, "lan", fmt.Sprintf("10.%d.0.1/24", i+1), fmt.Sprintf("2001:db8:%d::1/64", i+1))
	}
	port(tp, hosts, r1, "loop", "10.255.0.1/32", "2001:db8:ff::1/128")
	port(tp, hosts, r2, "loop", "10.255.0.2/32", "2001:db8:ff::2/128")
	wires := []*harness.Capture{e.Capture("to-r1"), r1.Capture("to-r2")}
	family := func(lines4, lines6 string) string {
		return " address-family ipv4\n" + lines4 + " exit-address-family\n address-family ipv6\n" + lines6 + " exit-address-family\n"
	}
	edge := func(as, n, net int, other string) string {
		return fmt.Sprintf("router bgp %d\n%s neighbor 10.9.%d.%s remote-as 65000\n neighbor 2001:db8:9:%d::%s remote-as 65000\n", as, timers, net, other, net, other) +
			family(fmt.Sprintf("  network 10.%d.0.0 mask 255.255.255.0\n", n),
				fmt.Sprintf("  neighbor 2001:db8:9:%d::%s activate\n  network 2001:db8:%d::/64\n", net, other, n))
	}
	inner := func(n, other int, beside, net string, as int) string {
		return fmt.Sprintf(`ip route 10.255.0.%[2]d/32 10.9.2.%[2]d
ipv6 route 2001:db8:ff::%[2]d/128 2001:db8:9:2::%[2]d
router bgp 65000
%[6]s neighbor 10.255.0.%[2]d remote-as internal
 neighbor 10.255.0.%[2]d update-source loop
 neighbor 2001:db8:ff::%[2]d remote-as 65000
 neighbor 2001:db8:ff::%[2]d update-source loop
 neighbor 10.9.%[4]s.%[3]s remote-as %[5]d
 neighbor 2001:db8:9:%[4]s::%[3]s remote-as external
`, n, other, beside, net, as, timers) +
			family(fmt.Sprintf("  neighbor 10.255.0.%[2]d next-hop-self\n  network 10.%[1]d.0.0 mask 255.255.255.0\n", n+1, other),
				fmt.Sprintf("  neighbor 2001:db8:ff::%[2]d activate\n  neighbor 2001:db8:ff::%[2]d next-hop-self\n  neighbor 2001:db8:9:%[4]s::%[3]s activate\n  network 2001:db8:%[1]d::/64\n", n+1, other, beside, net))
	}
	harness.StartZebras(t, map[*harness.Node]string{
		e: edge(65001, 1, 1, "2"), c: edge(65002, 4, 3, "1"),
		r1: inner(1, 2, "1", "1", 65001), r2: inner(2, 1, "2", "3", 65002),
	})
	at := func(device, gateway, gateway6 string, nets ...int) (out []string) {
		for _, n := range nets {
			out = append(out, fmt.Sprintf("10.%d.0.0/24 via %s dev %s", n, gateway, device), fmt.Sprintf("2001:db8:%d::/64 via %s dev %s", n, gateway6, device))
		}
		return out
	}
	all := []func() error{
		routes(e, at("to-r1", "10.9.1.2", "2001:db8:9:1::2", 2, 3, 4)...),
		routes(r1, append(at("to-e", "10.9.1.1", "2001:db8:9:1::1", 1), at("to-r2", "10.9.2.2", "2001:db8:9:2::2", 3, 4)...)...),
		routes(r2, append(at("to-c", "10.9.3.2", "2001:db8:9:3::2", 4), at("to-r1", "10.9.2.1", "2001:db8:9:2::1", 1, 2)...)...),
		routes(c, at("to-r2", "10.9.3.1", "2001:db8:9:3::1", 1, 2, 3)...),
	}
	await(t, all...)
	await(t, reaches(e, "10.4.0.1", "10.1.0.1"), reaches(e, "2001:db8:4::1", "2001:db8:1::1"),
		says(r1, "show ip route", "B 10.1.0.0/24 [20/0] via 10.9.1.1", "B 10.4.0.0/24 [200/0] via 10.255.0.2"),
		shows(e, "show ip bgp", `{"routes": [{"prefix": "10.4.0.0/24", "paths": [{"nextHop": "10.9.1.2", "asPath": "65000 65002", "best": true, "external": true}]}]}`),
		shows(r1, "show ip bgp", `{"routes": [{"prefix": "10.4.0.0/24", "paths": [{"nextHop": "10.255.0.2", "asPath": "65002", "localPref": 100, "external": false}]}]}`),
		says(r1, "show logging", "%BGP-5-ADJCHANGE: neighbor 10.9.1.1 Up", "%BGP-5-ADJCHANGE: neighbor 10.255.0.2 Up"))

	// A network goes and comes; then a neighbour dies of which only the link tells.
	hosts.Down("c-lan")
	await(t, routes(e, at("to-r1", "10.9.1.2", "2001:db8:9:1::2", 2, 3)...))
	hosts.Up("c-lan")
	await(t, all...)
	last.Down()
	await(t, routes(e, at("to-r1", "10.9.1.2", "2001:db8:9:1::2", 2, 3)...), routes(c),
		says(r2, "show logging", "%BGP-5-ADJCHANGE: neighbor 10.9.3.2 Down"))
	if err := harness.CheckDissected("bgp", 10, wires...); err != nil {
		t.Error(err)
	}
}
