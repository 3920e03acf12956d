package bgp

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestPolicies has a chain of three systems and a second internal router:
//
//	a 65001 ── b 65002 ── c 65003
//	           ║
//	           d 65002
//
// a marks its networks with communities, b chooses and changes by lists of prefixes, AS
// paths and communities, c and d see what comes of it. no-export stays inside, MULTI_EXIT_DISC
// stays with the next system (RFC 4271 section 5.1.4), summaries
// hide their parts, the default route is told to who is to have it, and too many prefixes
// end the session. What is changed counts without a reset.
func TestPolicies(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	hosts := tp.Node("hosts")
	a, b, c, d := tp.Router("a"), tp.Router("b"), tp.Router("c"), tp.Router("d")
	tp.Link(a, "eth0", "10.9.1.1/30", b, "to-a", "10.9.1.2/30")
	tp.Link(b, "to-c", "10.9.2.1/30", c, "eth0", "10.9.2.2/30")
	tp.Link(b, "to-d", "10.9.3.1/30", d, "eth0", "10.9.3.2/30")
	port(tp, hosts, a, "lan", "10.1.0.1/24", "10.1.1.1/24", "10.1.2.1/24", "10.1.3.1/24")
	port(tp, hosts, b, "lan", "10.2.0.1/24", "10.2.1.1/24")
	harness.StartZebras(t, map[*harness.Node]string{
		a: `ip prefix-list ONE permit 10.1.1.0/24
ip prefix-list TWO permit 10.1.2.0/24
route-map MARK permit 10
 match ip address prefix-list ONE
 set community 65001:1 no-export
 set metric 11
route-map MARK permit 20
 match ip address prefix-list TWO
 set community 65001:2 65001:9
 set as-path prepend 65001 65001
route-map MARK permit 30
 set origin incomplete
 set metric 33
router bgp 65001
` + timers + ` neighbor 10.9.1.2 remote-as 65002
 neighbor 10.9.1.2 send-community
 neighbor 10.9.1.2 route-map MARK out
 network 10.1.0.0 mask 255.255.255.0
 network 10.1.1.0 mask 255.255.255.0
 network 10.1.2.0 mask 255.255.255.0
 network 10.1.3.0 mask 255.255.255.0
`,
		b: `ip route 10.77.0.0/24 Null0
ip community-list standard TWOS permit 65001:2
ip community-list 1 permit 65001:9
ip as-path access-list 1 permit ^65001$
ip prefix-list THREE permit 10.1.3.0/24
ip prefix-list STATICS permit 10.77.0.0/24
route-map IN permit 10
 match community TWOS
 set local-preference 222
 set comm-list 1 delete
 set community 65002:5 additive
route-map IN deny 20
 match as-path 1
 match ip address prefix-list THREE
route-map IN permit 30
route-map STATICS permit 10
 match ip address prefix-list STATICS
 set metric 7
router bgp 65002
` + timers + ` neighbor 10.9.1.1 remote-as 65001
 neighbor 10.9.1.1 route-map IN in
 neighbor 10.9.1.1 maximum-prefix 10
 neighbor 10.9.2.2 remote-as 65003
 neighbor 10.9.2.2 send-community both
 neighbor 10.9.2.2 default-originate
 neighbor 10.9.3.2 remote-as internal
 neighbor 10.9.3.2 send-community
 neighbor 10.9.3.2 next-hop-self
 network 10.2.0.0 mask 255.255.255.0
 network 10.2.1.0 mask 255.255.255.0
 aggregate-address 10.2.0.0 255.255.0.0 summary-only
 redistribute static route-map STATICS
`,
		c: "router bgp 65003\n" + timers + " neighbor 10.9.2.1 remote-as 65002\n",
		d: "router bgp 65002\n" + timers + " neighbor 10.9.3.1 remote-as internal\n",
	})
	at := func(gateway string, nets ...string) (out []string) {
		for _, n := range nets {
			out = append(out, n+" via "+gateway+" dev eth0")
		}
		return out
	}
	inside := at("10.9.3.1", "10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/24", "10.2.0.0/16", "10.77.0.0/24")
	outside := at("10.9.2.1", "0.0.0.0/0", "10.1.0.0/24", "10.1.2.0/24", "10.2.0.0/16", "10.77.0.0/24")
	await(t, routes(a, at("10.9.1.2", "10.2.0.0/16", "10.77.0.0/24")...), routes(c, outside...), routes(d, inside...),
		routes(b, "10.1.0.0/24 via 10.9.1.1 dev to-a", "10.1.1.0/24 via 10.9.1.1 dev to-a", "10.1.2.0/24 via 10.9.1.1 dev to-a", "blackhole 10.2.0.0/16"))
	await(t, shows(c, "show ip bgp", `{"routes": [
			{"prefix": "10.1.2.0/24", "paths": [{"asPath": "65002 65001 65001 65001", "communities": ["65001:2", "65002:5"]}]},
			{"prefix": "10.1.0.0/24", "paths": [{"asPath": "65002 65001", "origin": "?", "med": 0}]},
			{"prefix": "10.77.0.0/24", "paths": [{"med": 7}]}]}`),
		shows(d, "show ip bgp", `{"routes": [
			{"prefix": "10.1.2.0/24", "paths": [{"localPref": 222}]},
			{"prefix": "10.1.1.0/24", "paths": [{"localPref": 100, "med": 11, "communities": ["65001:1", "no-export"]}]}]}`),
		shows(b, "show ip bgp", `{"routes": [{"prefix": "10.1.3.0/24", "paths": [{"denied": true, "best": false}]}]}`))

	// What is changed counts at once, without a reset.
	var before struct{ Neighbors []struct{ Resets int } } // at first, where both connect at once
	if err := json.Unmarshal([]byte(b.MustVtysh("show ip bgp neighbors 10.9.1.1 | json")), &before); err != nil || len(before.Neighbors) != 1 {
		t.Fatal(before, err)
	}
	sessions := shows(b, "show ip bgp neighbors 10.9.1.1", fmt.Sprintf(`{"neighbors": [{"state": "Established", "resets": %d}]}`, before.Neighbors[0].Resets))
	b.Configure("no route-map IN deny 20\nrouter bgp 65002\nno neighbor 10.9.2.2 default-originate\nno aggregate-address 10.2.0.0 255.255.0.0 summary-only")
	await(t, routes(c, at("10.9.2.1", "10.1.0.0/24", "10.1.2.0/24", "10.1.3.0/24", "10.2.0.0/24", "10.2.1.0/24", "10.77.0.0/24")...), sessions)
	c.MustVtysh("clear ip bgp * soft in")
	await(t, established(c, "10.9.2.1"))
	b.Configure("router bgp 65002\nneighbor 10.9.1.1 maximum-prefix 4")
	await(t, established(b, "10.9.1.1"))
	a.Configure("router bgp 65001\nnetwork 10.9.1.0 mask 255.255.255.252")
	await(t, routes(b), says(b, "show logging", "%BGP-3-MAXPFXEXCEED"))
	b.Configure("router bgp 65002\nno neighbor 10.9.1.1 maximum-prefix 4")
	b.MustVtysh("clear ip bgp 10.9.1.1")
	await(t, routes(b, "10.1.0.0/24 via 10.9.1.1 dev to-a", "10.1.1.0/24 via 10.9.1.1 dev to-a", "10.1.2.0/24 via 10.9.1.1 dev to-a", "10.1.3.0/24 via 10.9.1.1 dev to-a"))
}

// TestBalance has two external paths of which both are used, and the security of TTLs: a
// neighbour one hop away is heard, and one that says it is farther is not.
func TestBalance(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	hosts := tp.Node("hosts")
	a, b := tp.Router("a"), tp.Router("b")
	tp.Link(a, "eth0", "10.9.1.1/30", b, "eth0", "10.9.1.2/30")
	tp.Link(a, "eth1", "10.9.2.1/30", b, "eth1", "10.9.2.2/30")
	port(tp, hosts, a, "lan", "10.1.0.1/24")
	port(tp, hosts, b, "lan", "10.2.0.1/24")
	wire := a.Capture("eth0")
	harness.StartZebras(t, map[*harness.Node]string{
		a: "router bgp 65001\n" + timers + " neighbor 10.9.1.2 remote-as 65002\n neighbor 10.9.1.2 ttl-security hops 1\n neighbor 10.9.2.2 remote-as 65002\n maximum-paths 2\n network 10.1.0.0 mask 255.255.255.0\n",
		b: "router bgp 65002\n" + timers + " neighbor 10.9.1.1 remote-as 65001\n neighbor 10.9.1.1 ttl-security hops 1\n neighbor 10.9.2.1 remote-as 65001\n network 10.2.0.0 mask 255.255.255.0\n",
	})
	both := routes(a, "10.2.0.0/24 via 10.9.1.2 dev eth0 via 10.9.2.2 dev eth1")
	await(t, both)
	await(t, routes(b, "10.1.0.0/24 via 10.9.1.1 dev eth0"))
	const ttlAt = 14 + 8
	// All but the resets of a kernel that has no socket yet, which are not of the session.
	for _, f := range wire.Frames(segment("10.9.1.1", false)) {
		if f.Data[ttlAt] != 255 {
			t.Fatalf("sent with a TTL of %d", f.Data[ttlAt])
		}
	}
	// The other one forgets the line, and with it sends a TTL of 1.
	b.Configure("router bgp 65002\nno neighbor 10.9.1.1 ttl-security hops 1")
	await(t, routes(a, "10.2.0.0/24 via 10.9.2.2 dev eth1"))
	b.Configure("router bgp 65002\nneighbor 10.9.1.1 ttl-security hops 1")
	await(t, both)
}
