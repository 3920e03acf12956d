package bgpdmvpn

import (
	"errors"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestPhase1: the spokes have point-to-point tunnels, and of all networks a default route
// by way of the hub, whose policy lets nothing else out. Theirs to the provider is a route
// to the hub alone.
func TestPhase1(t *testing.T) {
	t.Parallel()
	tr := newTrio(t)
	hub, spoke1, spoke2 := tr.hub, tr.spoke1, tr.spoke2
	tr.Start(func(s *cloud.Site) string {
		if s == hub {
			return s.Config(hubLines+hubBGP(s, 65000, " neighbor SPOKES remote-as 65000\n neighbor SPOKES default-originate\n neighbor SPOKES prefix-list DEFAULT-ONLY out\n")) +
				"ip prefix-list DEFAULT-ONLY seq 5 permit 0.0.0.0/0\n"
		}
		return s.Config(cloud.NHRP+cloud.Quick+cloud.Key+" tunnel destination "+hub.NBMA+"\n"+cloud.NHS(hub)+spokeBGP(s, 65000, 65000, "", hub)) +
			"no ip route 0.0.0.0/0 " + s.Gateway + "\nip route " + hub.NBMA + "/32 " + s.Gateway + "\n"
	})
	byHub := "0.0.0.0/0 via " + hub.Tunnel + " dev Tunnel0"
	whole := []func() error{tr.atHub(), routes(spoke1, byHub), routes(spoke2, byHub)}
	tr.Await(whole...)
	tr.Await(spoke1.Path(spoke2, hub, spoke2), says(spoke1, "show ip route", "B* 0.0.0.0/0 [200/0] via 172.31.0.1"))
	if n := spoke1.WAN.Count(harness.All(harness.IsGRE, harness.Between(spoke1.NBMA, spoke2.NBMA))); n != 0 {
		t.Errorf("%d packets went from spoke to spoke", n)
	}

	// A LAN goes and comes, and a spoke dies, which the hub learns from its hold time.
	spoke2.LANLink.DownAt(spoke2.Host)
	tr.Await(routes(hub, via(spoke1, spoke1)))
	spoke2.LANLink.UpAt(spoke2.Host)
	spoke2.Host.Route("default", spoke2.Router)
	tr.Await(whole...)
	spoke2.Uplink.Cut()
	tr.Await(routes(hub, via(spoke1, spoke1)), routes(spoke2), says(hub, "show logging", "%BGP-5-ADJCHANGE: neighbor *172.31.0.12 Down"))
	spoke2.Uplink.Mend()
	tr.Await(append(whole, spoke1.Path(spoke2, hub, spoke2))...)
}

// TestPhase2: the hub reflects routes with the next hops that they have, so packets go
// from spoke to spoke. Sessions have a password: a third spoke, which has another, gets
// nothing. bgpds are killed under traffic.
func TestPhase2(t *testing.T) {
	t.Parallel()
	tr := newTrio(t)
	hub, spoke1, spoke2 := tr.hub, tr.spoke1, tr.spoke2
	stranger := tr.Add("stranger", "203.0.113.5", "172.31.0.13", 13)
	tr.Start(func(s *cloud.Site) string {
		switch s {
		case hub:
			return s.Config(hubLines + hubBGP(s, 65000, graceful+" neighbor SPOKES remote-as 65000\n neighbor SPOKES password s3cret\n neighbor SPOKES route-reflector-client\n"))
		case stranger:
			return s.Config(spokeLines + cloud.NHS(hub) + spokeBGP(s, 65000, 65000, graceful+" neighbor 172.31.0.1 password guessed\n", hub))
		}
		return s.Config(spokeLines + cloud.NHS(hub) + spokeBGP(s, 65000, 65000, graceful+" neighbor 172.31.0.1 password s3cret\n", hub))
	})
	whole := append(tr.direct(), routes(stranger))
	tr.Await(whole...)
	tr.Await(hub.Knows(spoke1, spoke2, stranger), spoke1.Knows(hub), spoke2.Knows(hub)) // no tunnel before it is needed
	tr.Await(spoke1.Path(spoke2, spoke2), spoke1.Knows(hub, spoke2), spoke2.Knows(hub, spoke1),
		says(spoke1, "show ip bgp 10.12.0.0/24", "Originator: 203.0.113.1, Cluster list: 192.0.2.1"))
	tr.survives(whole, []*harness.Flow{tr.flow()}, victim{spoke1, "bgpd"}, victim{hub, "bgpd"})

	bgp := func(src, dst string, signed bool) int {
		return hub.WAN.Count(harness.All(harness.IsGRE, harness.Inside(harness.All(harness.Between(src, dst), harness.IsTCP(179, signed)))))
	}
	tr.Await(func() error { // the stranger knocks, and nobody answers
		if bgp(stranger.Tunnel, "", true) < 2 {
			return errors.New("the one with the wrong password does not try again")
		}
		return nil
	})
	if n := bgp(hub.Tunnel, stranger.Tunnel, true); n != 0 {
		t.Errorf("%d segments went to the one with the wrong password", n)
	}
	for _, s := range tr.Sites {
		if n := bgp(s.Tunnel, "", false); n != 0 {
			t.Errorf("%d segments of %s are not signed", n, s.Name())
		}
		if n := bgp(s.Tunnel, "", true); n == 0 {
			t.Errorf("no segment of %s is signed", s.Name())
		}
	}
	spoke2.LANLink.DownAt(spoke2.Host)
	tr.Await(routes(spoke1, via(hub, hub)))
}

// TestPhase3: the hub is the next hop of all that it reflects, and NHRP finds the direct
// way: the routes of BGP stay, with another next hop in the kernel. The hub's bgpd knows who
// was there also after its zebra was killed.
func TestPhase3(t *testing.T) {
	t.Parallel()
	tr := newTrio(t)
	hub, spoke1, spoke2 := tr.hub, tr.spoke1, tr.spoke2
	tr.Start(func(s *cloud.Site) string {
		if s == hub {
			return s.Config(hubLines + " ip nhrp redirect\n" + hubBGP(s, 65000, graceful+" neighbor SPOKES remote-as 65000\n neighbor SPOKES route-reflector-client\n neighbor SPOKES next-hop-self all\n"))
		}
		return s.Config(spokeLines + cloud.NHS(hub) + spokeBGP(s, 65000, 65000, graceful, hub))
	})
	tr.Await(tr.atHub(), routes(spoke1, via(hub, hub), via(spoke2, hub)), routes(spoke2, via(hub, hub), via(spoke1, hub)))
	flow := tr.flow()
	short := append(tr.direct(), says(spoke1, "show ip route", "B % 10.12.0.0/24 [200/0] via 172.31.0.1"))
	tr.Await(append(short, spoke1.Path(spoke2, spoke2))...)
	tr.survives(short, []*harness.Flow{flow}, victim{hub, "zebra"}, victim{spoke1, "bgpd"}, victim{hub, "bgpd"})
	spoke2.LANLink.DownAt(spoke2.Host)
	tr.Await(routes(spoke1, via(hub, hub)))
}
