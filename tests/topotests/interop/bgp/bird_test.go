package bgp

import (
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// birdConfig is BIRD's, towards 10.9.1.1: a session for each family.
const birdConfig = `router id 10.9.1.2;
protocol device { scan time 1; }
protocol kernel kernel4 { persist; graceful restart on; ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel kernel6 { persist; graceful restart on; ipv6 { import none; export where source = RTS_BGP; }; }
protocol static static4 { ipv4; route 10.2.0.0/24 blackhole; }
protocol static static6 { ipv6; route 2001:db8:2::/64 blackhole; }
filter out4 {
	if source != RTS_STATIC then reject;
	bgp_community.add((65000, 7));
	bgp_large_community.add((4200000002, 1, 2));
	bgp_ext_community.add((rt, 65000, 9));
	accept;
}
template bgp godmvpn {
	passive;
	local as 4200000002;
	hold time 15; keepalive time 3;
	connect delay time 1; connect retry time 2; error wait time 1, 2;
	graceful restart on; graceful restart time 60;
}
protocol bgp bgp4 from godmvpn {
	neighbor 10.9.1.1 as 4200000001;
	password "s3cret";
	ipv4 { import all; export filter out4; };
}
protocol bgp bgp6 from godmvpn {
	neighbor 2001:db8:9:1::1 as 4200000001;
	ipv6 { import all; export where source = RTS_STATIC; };
}
`

// TestBIRD is TestFRR with BIRD.
func TestBIRD(t *testing.T) {
	t.Parallel()
	us, they, wire := pair(t, "bird")
	b := they.StartBIRD(birdConfig)
	us.StartZebra(ours(1, ""))
	all := []func() error{routes(us, atOurs...), told(us),
		func() error {
			return they.HasRoutes(harness.ProtocolBIRD, "10.1.0.0/24 via 10.9.1.1 dev eth0", "2001:db8:1::/64 via 2001:db8:9:1::1 dev eth0")
		}}
	await(t, all...)
	await(t, shows(us, "show ip bgp 10.2.0.0/24", theirs),
		birdSays(b, "show route 10.1.0.0/24 all", "BGP.as_path: 4200000001", "BGP.next_hop: 10.9.1.1", "BGP.med: 50", "BGP.community: (65001,5)"))

	wire.Clear()
	if _, err := b.Birdc("reload in bgp4"); err != nil {
		t.Fatal(err)
	}
	await(t, refreshed(wire, "10.9.1.2", "10.9.1.1"))

	watches := []*harness.RouteWatch{us.WatchRoutes(protocol), they.WatchRoutes(harness.ProtocolBIRD)}
	b.Kill()
	await(t, shows(us, "show ip bgp 10.2.0.0/24", `{"paths": [{"stale": true}]}`))
	b.Recover()
	await(t, all...)
	kill(t, us)
	await(t, append(all, birdSays(b, "show protocols", "Established", "!Connect", "!Active", "!Passive"))...)
	for i, w := range watches {
		if err := w.Withdrawn(); err != nil {
			t.Errorf("%s: %v", []string{"ours", "BIRD"}[i], err)
		}
	}
	if err := harness.CheckDissected("bgp", 20, wire); err != nil {
		t.Error(err)
	}
}

// TestLongLived has BIRD die and stay dead: its routes stay when its restart time is over,
// as the last choice (RFC 9494). And the other way round.
func TestLongLived(t *testing.T) {
	t.Parallel()
	us, they, _ := pair(t, "bird")
	const config = `router id 10.9.1.2;
protocol device { scan time 1; }
protocol kernel { persist; ipv4 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; route 10.2.0.0/24 blackhole; }
protocol bgp bgp4 {
	local as 65002;
	neighbor 10.9.1.1 as 65001;
	hold time 15; keepalive time 3; connect delay time 1; connect retry time 2; error wait time 1, 2;
	graceful restart on; graceful restart time 2;
	long lived graceful restart on; long lived stale time 3600;
	ipv4 { import all; export where source = RTS_STATIC; };
}
`
	b := they.StartBIRD(config)
	z := us.StartZebra(`router bgp 65001
 bgp graceful-restart
 bgp graceful-restart restart-time 2
 bgp long-lived-graceful-restart stale-time 3600
 timers bgp 3 15
 neighbor 10.9.1.2 remote-as 65002
 network 10.1.0.0 mask 255.255.255.0
`)
	await(t, routes(us, atOurs[0]), birdSays(b, "show route 10.1.0.0/24 all", "BGP.next_hop: 10.9.1.1"))
	watch := us.WatchRoutes(protocol)
	b.Kill()
	await(t, shows(us, "show ip bgp 10.2.0.0/24", `{"paths": [{"stale": true, "best": true, "communities": ["65535:6"]}]}`))
	b.Recover()
	await(t, told(us), routes(us, atOurs[0]), birdSays(b, "show protocols bgp4", "Established"))
	if err := watch.Withdrawn(); err != nil {
		t.Error(err)
	}
	z.Kill()
	for _, pid := range us.Pids("") {
		us.KillPid(pid)
	}
	await(t, birdSays(b, "show route 10.1.0.0/24 all", "BGP.community: (65535,6)"))
}
