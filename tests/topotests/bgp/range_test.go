package bgp

import (
	"errors"
	"fmt"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// segment matches TCP segments of BGP with or without the MD5 option of RFC 2385, from an
// address.
func segment(from string, signed bool) harness.Match {
	return harness.All(harness.Between(from, ""), harness.IsTCP(179, signed))
}

// TestReflector is a route reflector whose clients are whoever comes from a network and
// knows the password: three do, one has another password and gets nothing, and one beyond
// the limit is refused. Reflected routes keep the next hop, and name who began and what
// they passed. Then the password is changed, and then the group goes.
func TestReflector(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	hosts, cloud := tp.Node("hosts"), tp.Node("cloud")
	cloud.Bridge("switch", "192.0.2.1/24")
	add := func(n int) *harness.Node {
		r := tp.Router(fmt.Sprintf("r%d", n))
		tp.Link(cloud, r.Name(), "", r, "eth0", fmt.Sprintf("172.31.0.%d/24", n))
		cloud.Enslave(r.Name(), "switch")
		port(tp, hosts, r, "lan", fmt.Sprintf("10.%d.0.1/24", n))
		return r
	}
	hub, r2, r3, stranger := add(1), add(2), add(3), add(9)
	wire := hub.Capture("eth0")
	spoke := func(n int, password string) string {
		return fmt.Sprintf("router bgp 65000\n%s neighbor 172.31.0.1 remote-as 65000\n neighbor 172.31.0.1 password %s\n network 10.%d.0.0 mask 255.255.255.0\n", timers, password, n)
	}
	harness.StartZebras(t, map[*harness.Node]string{
		hub: "router bgp 65000\n bgp cluster-id 10.0.0.77\n bgp listen range 172.31.0.0/24 peer-group SPOKES\n bgp listen limit 2\n" + timers +
			" neighbor SPOKES peer-group\n neighbor SPOKES remote-as 65000\n neighbor SPOKES password s3cret\n neighbor SPOKES route-reflector-client\n network 10.1.0.0 mask 255.255.255.0\n",
		r2: spoke(2, "s3cret"), r3: spoke(3, "s3cret"), stranger: spoke(9, "guessed"),
	})
	via := func(n, hop int) string { return fmt.Sprintf("10.%d.0.0/24 via 172.31.0.%d dev eth0", n, hop) }
	all := []func() error{routes(hub, via(2, 2), via(3, 3)), routes(r2, via(1, 1), via(3, 3)), routes(r3, via(1, 1), via(2, 2)), routes(stranger)}
	await(t, all...)
	await(t, shows(hub, "show ip bgp summary", `{"dynamicNeighbors": 2, "neighbors": [{"address": "172.31.0.2", "dynamic": true, "peerGroup": "SPOKES", "prefixesReceived": 1}, {"address": "172.31.0.3", "dynamic": true}]}`),
		shows(r2, "show ip bgp 10.3.0.0/24", `{"paths": [{"nextHop": "172.31.0.3", "originatorId": "172.31.0.3", "clusterList": ["10.0.0.77"], "best": true}]}`),
		func() error { // the stranger knocks, and nobody answers
			if wire.Count(segment("172.31.0.9", true)) < 2 {
				return errors.New("the one with the wrong password does not try again")
			}
			return nil
		})
	if n := wire.Count(func(f harness.Frame) bool {
		return segment("172.31.0.1", true)(f) && f.Dst.String() == "172.31.0.9"
	}); n != 0 {
		t.Errorf("%d segments went to the one with the wrong password", n)
	}
	for _, addr := range []string{"172.31.0.1", "172.31.0.2", "172.31.0.3"} {
		if n := wire.Count(segment(addr, false)); n != 0 {
			t.Errorf("%d segments of %s are not signed", n, addr)
		}
	}

	// The third with the right password is beyond the limit, until there is room.
	stranger.Configure("router bgp 65000\nneighbor 172.31.0.1 password s3cret")
	await(t, says(hub, "show logging", "172.31.0.9", "limit"), routes(stranger))
	hub.Configure("router bgp 65000\nbgp listen limit 10")
	await(t, routes(stranger, via(1, 1), via(2, 2), via(3, 3)), routes(r2, via(1, 1), via(3, 3), via(9, 9)))

	// Another password for all: sessions begin anew, of those who know it.
	hub.Configure("router bgp 65000\nneighbor SPOKES password other")
	await(t, routes(hub))
	r2.Configure("router bgp 65000\nneighbor 172.31.0.1 password other")
	r3.Configure("router bgp 65000\nneighbor 172.31.0.1 password other")
	await(t, all...)
	hub.Configure("router bgp 65000\nno bgp listen range 172.31.0.0/24 peer-group SPOKES")
	await(t, routes(hub), routes(r2), routes(r3))
}
