package bgpdmvpn

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// redLAN is the network of a site's LAN in VRF RED.
func redLAN(s *cloud.Site) string { return strings.Replace(s.LAN, "10.", "10.1", 1) }

// TestVRF has a second network in a VRF, with a tunnel of the same address and a router
// bgp of its own, whose sessions have another password. Each has its routes alone, in its
// own table of the kernel; bgpds are killed under traffic in both.
func TestVRF(t *testing.T) {
	t.Parallel()
	tr := newTrio(t)
	hub, spoke1, spoke2 := tr.hub, tr.spoke1, tr.spoke2
	red := map[*cloud.Site]*harness.Node{}
	for _, s := range tr.Sites {
		red[s] = tr.Topology.Node(s.Name() + "-red")
		tr.Topology.Link(red[s], "eth0", strings.TrimSuffix(redLAN(s), "0/24")+"10/24", s.Node, "red", "")
		red[s].Route("default", strings.TrimSuffix(redLAN(s), "0/24")+"1")
	}
	tr.Start(func(s *cloud.Site) string {
		nhrp, bgp := cloud.NHRP, hubBGP(s, 65000, graceful+" neighbor SPOKES remote-as 65000\n neighbor SPOKES password green\n neighbor SPOKES route-reflector-client\n")+
			" address-family ipv4 vrf RED\n  bgp listen range 172.31.0.0/24 peer-group REDS\n  neighbor REDS peer-group\n  neighbor REDS remote-as 65000\n  neighbor REDS password red\n  neighbor REDS route-reflector-client\n"
		if s != hub {
			nhrp = cloud.NHRP + cloud.Quick + cloud.NHS(hub)
			bgp = spokeBGP(s, 65000, 65000, graceful+" neighbor 172.31.0.1 password green\n", hub) +
				" address-family ipv4 vrf RED\n  neighbor 172.31.0.1 remote-as 65000\n  neighbor 172.31.0.1 password red\n"
		}
		return s.Config(nhrp+cloud.Multipoint+cloud.Key) + bgp + " " + network(redLAN(s)) + " exit-address-family\n" +
			fmt.Sprintf("vrf definition RED\ninterface red\n vrf forwarding RED\n ip address %s1/24\n", strings.TrimSuffix(redLAN(s), "0/24")) +
			fmt.Sprintf("interface Tunnel1\n vrf forwarding RED\n ip address %s/24\n ip mtu 1400\n tunnel source wan\n tunnel key 200\n%s%s", s.Tunnel, cloud.Multipoint, nhrp)
	})
	inRed := func(s *cloud.Site, others ...*cloud.Site) func() error {
		return func() error {
			link, err := s.Netlink().LinkByName("RED")
			if err != nil {
				return err
			}
			var want []string
			for _, o := range others {
				want = append(want, redLAN(o)+" via "+o.Tunnel+" dev Tunnel1")
			}
			return s.HasRoutesIn(int(link.(*netlink.Vrf).Table), protocol, want...)
		}
	}
	whole := append(tr.direct(), inRed(hub, spoke1, spoke2), inRed(spoke1, hub, spoke2), inRed(spoke2, hub, spoke1))
	tr.Await(whole...)
	other := strings.TrimSuffix(redLAN(spoke2), "0/24") + "10"
	tr.Await(func() error { return red[spoke1].Reaches(other) }, spoke1.Path(spoke2, spoke2))
	for _, s := range tr.Sites {
		whole = append(whole, fresh(s, "show ip bgp vrf RED", "show ip route vrf RED"))
	}
	tr.survives(whole, []*harness.Flow{tr.flow(), red[spoke1].Flow(other, flowEvery)}, victim{spoke1, "bgpd"}, victim{hub, "bgpd"})
	signed := map[uint32]int{}
	for _, f := range hub.WAN.Frames(harness.All(harness.IsGRE, harness.Inside(harness.IsTCP(179, true)))) {
		signed[f.GREKey]++
	}
	if n := hub.WAN.Count(harness.Inside(harness.IsTCP(179, false))); len(signed) != 2 || n != 0 {
		t.Errorf("signed segments by key: %v, and %d that are not signed", signed, n)
	}
}
