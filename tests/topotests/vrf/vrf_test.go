package vrf

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// site is a router with a second LAN, in VRF RED, with the addresses of the first.
type site struct {
	*cloud.Site
	red *harness.Node
}

func add(c *cloud.Cloud, name, nbma, tunnel string, lan int) site {
	s := site{c.Add(name, nbma, tunnel, lan), c.Topology.Node(name + "-red")}
	c.Topology.Link(s.red, "eth0", s.HostIP+"/24", s.Node, "red", "")
	s.red.Route("default", s.Router)
	return s
}

// config is that of a site with routes to the LANs of the others, in both tables.
func (s site) config(nhrp string, others ...site) string {
	routes := ""
	for _, o := range others {
		routes += fmt.Sprintf("ip route %s %s\nip route vrf RED %s %s\n", o.LAN, o.Tunnel, o.LAN, o.Tunnel)
	}
	tunnel := func(name, vrf, key string) string {
		return fmt.Sprintf(`interface %s
%s ip address %s/24
 ip mtu 1400
%s tunnel source wan
 tunnel mode gre multipoint
 tunnel key %s
 tunnel vrf INET
`, name, vrf, s.Tunnel, nhrp, key)
	}
	return fmt.Sprintf(`hostname %s
vrf definition INET
vrf definition RED
ip route vrf INET 0.0.0.0/0 %s
interface wan
 vrf forwarding INET
 ip address %s/30
interface lan
 ip address %s/24
interface red
 vrf forwarding RED
 ip address %s/24
`, s.Name(), s.Gateway, s.NBMA, s.Router, s.Router) +
		tunnel("Tunnel0", "", "100") + tunnel("Tunnel1", " vrf forwarding RED\n", "200") + routes
}

// TestVRF: both tunnels resolve by themselves, each packet has the key of its tunnel,
// none comes into the other network, and none is lost while daemons are killed.
func TestVRF(t *testing.T) {
	c := cloud.New(t)
	hub := add(c, "hub", "192.0.2.1", "172.31.0.1", 10)
	spoke1 := add(c, "spoke1", "198.51.100.1", "172.31.0.11", 11)
	spoke2 := add(c, "spoke2", "203.0.113.1", "172.31.0.12", 12)
	spoke := cloud.NHRP + cloud.Quick + cloud.NHS(hub.Site)
	configs := map[*cloud.Site]string{
		hub.Site:    hub.config(cloud.NHRP, spoke1, spoke2),
		spoke1.Site: spoke1.config(spoke, hub, spoke2),
		spoke2.Site: spoke2.config(spoke, hub, spoke1),
	}
	c.Start(func(s *cloud.Site) string { return configs[s] })
	knows := func(s site, others ...site) func() error {
		want := map[string]string{}
		for _, o := range others {
			want[o.Tunnel] = o.NBMA
		}
		return func() error {
			for _, tunnel := range []string{"Tunnel0", "Tunnel1"} {
				if diff := cmp.Diff(want, s.Peers(tunnel)); diff != "" {
					return fmt.Errorf("%s of %s (-want +got):\n%s", tunnel, s.Name(), diff)
				}
			}
			return nil
		}
	}
	c.Await(knows(hub, spoke1, spoke2), knows(spoke1, hub), knows(spoke2, hub))

	// One network after the other: what happens in one is nothing to the other.
	global := spoke1.Host.Flow(spoke2.HostIP, 20*time.Millisecond)
	c.Await(spoke1.Knows(hub.Site, spoke2.Site), spoke2.Knows(hub.Site, spoke1.Site))
	if diff := cmp.Diff(map[string]string{hub.Tunnel: hub.NBMA}, spoke1.Peers("Tunnel1")); diff != "" {
		t.Errorf("Tunnel1 of spoke1 knows what was resolved for Tunnel0:\n%s", diff)
	}
	red := spoke1.red.Flow(spoke2.HostIP, 20*time.Millisecond)
	direct := []func() error{knows(spoke1, hub, spoke2), knows(spoke2, hub, spoke1)}
	c.Await(direct...)
	hub.WAN.Clear()
	for _, victim := range []struct {
		site
		daemon string
	}{{spoke1, "nhrpd"}, {spoke2, "zebra"}, {hub, "zebra"}} {
		c.KillDaemon(victim.Site, victim.daemon)
		c.More(global, 20)
		c.More(red, 20)
		c.Await(append(direct, knows(hub, spoke1, spoke2))...)
	}
	c.Lossless(global, "global table")
	c.Lossless(red, "VRF RED")
	if n := hub.WAN.Count(cloud.Data(spoke1.Site, spoke2.Site)); n != 0 {
		t.Errorf("%d packets passed the hub", n)
	}
	keys := map[uint32]int{}
	for _, f := range spoke1.WAN.Frames(harness.All(cloud.Data(spoke1.Site, spoke2.Site), harness.Between(spoke1.NBMA, spoke2.NBMA))) {
		keys[f.GREKey]++
	}
	if len(keys) != 2 || keys[100] < 20 || keys[200] < 20 {
		t.Errorf("packets from spoke to spoke, by key: %v", keys)
	}
	for _, name := range []string{"Tunnel0", "Tunnel1"} {
		if out := spoke1.MustVtysh("show dmvpn detail"); !strings.Contains(out, name+" is up/up") || !strings.Contains(out, `Tunnel VRF "INET"`) {
			t.Errorf("show dmvpn detail:\n%s", out)
		}
	}

	// A key that is changed under way takes its network along, and no other.
	flow := spoke1.Host.Flow(spoke2.HostIP, 20*time.Millisecond)
	for _, s := range []site{spoke1, spoke2, hub} {
		s.Configure("interface Tunnel1\ntunnel key 201")
	}
	c.Await(func() error { return spoke1.red.Reaches(spoke2.HostIP) })
	c.More(flow, 10)
	c.Lossless(flow, "another tunnel changes its key")
}
