package bgp

import (
	"fmt"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestReflector has FRR and BIRD as clients of a reflector of ours, and another BIRD that
// is sent all paths. What both announce has two paths there, by path identifiers (RFC
// 7911), and so it has at ours of an FRR that sends all that it has.
func TestReflector(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	hosts := tp.Node("hosts")
	us, frr, bird, all := tp.Router("ours"), tp.Router("frr"), tp.Router("bird"), tp.Router("more")
	for i, n := range []*harness.Node{frr, bird, all} {
		tp.Link(us, fmt.Sprintf("eth%d", i+1), fmt.Sprintf("10.9.%d.1/24", i+1), n, "eth0", fmt.Sprintf("10.9.%d.2/24", i+1))
		n.Route("10.9.0.0/16", fmt.Sprintf("10.9.%d.1", i+1))
		lan(tp, hosts, n, fmt.Sprintf("10.%d.0.1/24", i+2), "10.66.0.1/24")
	}
	wire := us.Capture("eth3")
	f := frr.StartFRR(`router bgp 65000
 timers bgp 3 15
 neighbor 10.9.1.1 remote-as 65000
 neighbor 10.9.1.1 timers connect 2
 address-family ipv4 unicast
  network 10.2.0.0/24
  network 10.66.0.0/24
  neighbor 10.9.1.1 addpath-tx-all-paths
 exit-address-family
`, "bgpd")
	config := func(n int, channel string, networks ...string) string {
		out := fmt.Sprintf("router id 10.9.%d.2;\nprotocol device { scan time 1; }\nprotocol kernel { learn; ipv4 { import all; export where source = RTS_BGP; }; }\nprotocol direct { ipv4; interface \"eth0\"; }\nprotocol static { ipv4;\n", n)
		for _, p := range networks {
			out += " route " + p + " blackhole;\n"
		}
		return out + fmt.Sprintf("}\nprotocol bgp bgp1 { local as 65000; neighbor 10.9.%d.1 as 65000; hold time 15; keepalive time 3; connect delay time 1; connect retry time 2; error wait time 1, 2;\n ipv4 { import all; export where source = RTS_STATIC; %s }; }\n", n, channel)
	}
	b := bird.StartBIRD(config(2, "", "10.3.0.0/24", "10.66.0.0/24"))
	a := all.StartBIRD(config(3, "add paths rx;", "10.4.0.0/24"))
	us.StartZebra(`router bgp 65000
 bgp router-id 10.9.1.1
 timers bgp 3 15
 neighbor CLIENTS peer-group
 neighbor CLIENTS remote-as 65000
 neighbor CLIENTS route-reflector-client
 neighbor CLIENTS additional-paths send receive
 neighbor 10.9.1.2 peer-group CLIENTS
 neighbor 10.9.2.2 peer-group CLIENTS
 neighbor 10.9.3.2 peer-group CLIENTS
 maximum-paths ibgp 2
`)
	await(t, routes(us, "10.2.0.0/24 via 10.9.1.2 dev eth1", "10.3.0.0/24 via 10.9.2.2 dev eth2", "10.4.0.0/24 via 10.9.3.2 dev eth3",
		"10.66.0.0/24 via 10.9.1.2 dev eth1 via 10.9.2.2 dev eth2"),
		routes(frr, "10.3.0.0/24 via 10.9.1.1 dev eth0", "10.4.0.0/24 via 10.9.1.1 dev eth0"))
	await(t, birdSays(a, "show route 10.66.0.0/24 all", "BGP.next_hop: 10.9.1.2", "BGP.next_hop: 10.9.2.2", "BGP.originator_id: 10.9.2.2", "BGP.cluster_list: 10.9.1.1"),
		birdSays(b, "show route 10.2.0.0/24 all", "BGP.next_hop: 10.9.1.2", "BGP.local_pref: 100"),
		frrShows(f, "show bgp ipv4 unicast 10.3.0.0/24 json", `{"paths": [{"nexthops": [{"ip": "10.9.2.2"}], "originatorId": "10.9.2.2"}]}`))
	b.Stop()
	await(t, birdSays(a, "show route 10.66.0.0/24 all", "BGP.next_hop: 10.9.1.2", "!BGP.next_hop: 10.9.2.2"),
		routes(frr, "10.4.0.0/24 via 10.9.1.1 dev eth0"))
	if err := harness.CheckDissected("bgp", 10, wire); err != nil {
		t.Error(err)
	}
}
