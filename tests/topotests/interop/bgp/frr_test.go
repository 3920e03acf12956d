package bgp

import (
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// frrConfig is FRR's, towards 10.9.1.1.
const frrConfig = `route-map OUT permit 10
 set community 65000:7
 set large-community 4200000002:1:2
 set extcommunity rt 65000:9
router bgp 4200000002
 no bgp ebgp-requires-policy
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 bgp graceful-restart restart-time 60
 timers bgp 3 15
 neighbor 10.9.1.1 remote-as 4200000001
 neighbor 10.9.1.1 password s3cret
 neighbor 10.9.1.1 timers connect 2
 neighbor 2001:db8:9:1::1 remote-as 4200000001
 neighbor 2001:db8:9:1::1 timers connect 2
 address-family ipv4 unicast
  network 10.2.0.0/24
  neighbor 10.9.1.1 route-map OUT out
 exit-address-family
 address-family ipv6 unicast
  neighbor 2001:db8:9:1::1 activate
  network 2001:db8:2::/64
 exit-address-family
`

// TestFRR exchanges routes of both families with FRR, with passwords, communities of three
// kinds and AS numbers of four octets; FRR asks for all routes anew; and each of the two
// bgpds is killed and keeps its routes in both kernels.
func TestFRR(t *testing.T) {
	t.Parallel()
	us, they, wire := pair(t, "frr")
	f := they.StartFRR(frrConfig, "bgpd")
	us.StartZebra(ours(1, ""))
	atFRR := routes(they, "10.1.0.0/24 via 10.9.1.1 dev eth0", "2001:db8:1::/64")
	all := []func() error{routes(us, atOurs...), atFRR, told(us)}
	await(t, all...)
	await(t, shows(us, "show ip bgp 10.2.0.0/24", theirs),
		frrShows(f, "show bgp ipv4 unicast 10.1.0.0/24 json", `{"paths": [{"aspath": {"string": "4200000001"}, "metric": 50, "community": {"string": "65001:5"}, "nexthops": [{"ip": "10.9.1.1"}]}]}`))
	if r, err := us.Ping("2001:db8:2::1", "2001:db8:1::1", 3); err != nil || r.Received != 3 {
		t.Errorf("from LAN to LAN: %+v, %v", r, err)
	}

	wire.Clear()
	if _, err := f.Vtysh("clear bgp ipv4 unicast 10.9.1.1 soft in"); err != nil {
		t.Fatal(err)
	}
	await(t, refreshed(wire, "10.9.1.2", "10.9.1.1"))
	us.MustVtysh("clear ip bgp 10.9.1.2 soft")
	await(t, all...)

	watches := []*harness.RouteWatch{us.WatchRoutes(protocol)}
	f.Kill("bgpd")
	await(t, func() error { return us.ShowJSON("show ip bgp 10.2.0.0/24", `{"paths": [{"stale": true}]}`) })
	f.Start("bgpd")
	await(t, all...)
	watches = append(watches, they.WatchRoutes(protocol))
	kill(t, us, frrShows(f, "show bgp ipv4 unicast 10.1.0.0/24 json", `{"paths": [{"stale": true}]}`))
	await(t, append(all, frrShows(f, "show bgp ipv4 unicast 10.1.0.0/24 json", `{"paths": [{"stale": null, "valid": true}]}`))...)
	for i, w := range watches {
		if err := w.Withdrawn(); err != nil {
			t.Errorf("%s: %v", []string{"ours", "FRR"}[i], err)
		}
	}
	if err := harness.CheckDissected("bgp", 20, wire); err != nil {
		t.Error(err)
	}
}
