package hierarchy

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait
// for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "2"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.Main(m)
}

// flowEvery is the time between two packets of the traffic under which things happen.
const flowEvery = 20 * time.Millisecond

// Lines of a tunnel.
const (
	redirect   = cloud.NHRP + cloud.Multipoint + cloud.Key + " ip nhrp redirect\n"
	spokeLines = cloud.NHRP + cloud.Multipoint + cloud.Key + " ip nhrp registration timeout 5\n"
)

// shortcut tells whether a kernel sends what is for a LAN to a site, by a route of
// NHRP's on a tunnel.
func shortcut(s *cloud.Site, lan, hop, tunnel string) func() error {
	want := fmt.Sprintf("%s via %s dev %s", lan, hop, tunnel)
	return func() error {
		var have []string
		for _, r := range s.RoutesOf(harness.ProtocolNumber(rib.NHRP)) {
			if line, _, _ := strings.Cut(r.String(), " metric"); line == want {
				return nil
			}
			have = append(have, r.String())
		}
		return fmt.Errorf("%s has no route of NHRP's %q among %q", s.Name(), want, have)
	}
}

// direct lets a flow run until both ends have their shortcuts, and looks at what passes
// the hubs then: nothing.
func direct(c *cloud.Cloud, from, to *cloud.Site, hubs []*cloud.Site, shortcuts ...func() error) {
	flow := from.Host.Flow(to.HostIP, flowEvery)
	c.Await(shortcuts...)
	c.More(flow, 20)
	for _, h := range hubs {
		h.WAN.Clear()
	}
	c.More(flow, 20)
	for _, h := range hubs {
		if n := h.WAN.Count(cloud.Data(from, to)); n != 0 {
			c.T.Errorf("%d packets passed %s", n, h.Name())
		}
	}
	c.Lossless(flow, "redirect from "+from.Name()+" to "+to.Name())
}

// TestLevels has two regional hubs, each with a spoke, which are clients of a central
// one. Each level has no more than a default for what is above it. The question of a
// spoke goes along the whole path, hub by hub; the answer and what follows go from
// spoke to spoke.
func TestLevels(t *testing.T) {
	t.Parallel()
	c := cloud.New(t)
	center := c.Add("center", "192.0.2.1", "172.31.0.1", 10)
	west := c.Add("west", "192.0.2.5", "172.31.0.2", 20)
	east := c.Add("east", "192.0.2.9", "172.31.0.3", 30)
	spoke1 := c.Add("spoke1", "198.51.100.1", "172.31.0.11", 21)
	spoke2 := c.Add("spoke2", "203.0.113.1", "172.31.0.12", 31)
	below := func(lan string, hop *cloud.Site) string { return fmt.Sprintf("ip route %s %s\n", lan, hop.Tunnel) }
	const everything = "10.0.0.0/8"
	configs := map[*cloud.Site]string{
		center: redirect + below(west.LAN, west) + below(spoke1.LAN, west) + below(east.LAN, east) + below(spoke2.LAN, east),
		west:   redirect + cloud.NHS(center) + below(spoke1.LAN, spoke1) + below(everything, center),
		east:   redirect + cloud.NHS(center) + below(spoke2.LAN, spoke2) + below(everything, center),
		spoke1: spokeLines + cloud.NHS(west) + below(everything, west),
		spoke2: spokeLines + cloud.NHS(east) + below(everything, east),
	}
	c.Start(func(s *cloud.Site) string { return s.Config(configs[s]) })
	c.Await(center.Knows(west, east), west.Knows(center, spoke1), east.Knows(center, spoke2))
	direct(c, spoke1, spoke2, []*cloud.Site{center, west, east},
		shortcut(spoke1, spoke2.LAN, spoke2.Tunnel, "Tunnel0"), shortcut(spoke2, spoke1.LAN, spoke1.Tunnel, "Tunnel0"))
	if err := spoke1.Path(spoke2, spoke2)(); err != nil {
		t.Error(err)
	}
	if n := cloud.Questions(spoke1.WAN, harness.All(cloud.Message(packet.ResolutionRequest), harness.Between(spoke1.NBMA, ""))); n != 1 {
		t.Errorf("spoke1 sent %d Resolution Requests, want 1", n)
	}
	// The network of a hub of another region is as near.
	direct(c, spoke1, east, []*cloud.Site{center, west}, shortcut(spoke1, east.LAN, east.Tunnel, "Tunnel0"))

	// The LAN goes: the spoke itself takes it back, across all levels at once.
	spoke2.LANLink.DownAt(spoke2.Host)
	c.Await(func() error {
		if shortcut(spoke1, spoke2.LAN, spoke2.Tunnel, "Tunnel0")() == nil {
			return fmt.Errorf("spoke1 still has a shortcut to a LAN that went")
		}
		return nil
	})
}

// second is the other tunnel of a router: its source is an address of its own, and its
// subnet 172.31.1.0/24.
func second(addr, source, lines string) string {
	return fmt.Sprintf("interface Tunnel1\n ip address %s/24\n ip mtu 1400\n tunnel source %s\n%s", addr, source, lines)
}

// TestTwoTunnels has a hub with two tunnels of one network-id and one key, each with a
// spoke: packets that come in by one and leave by the other are redirected too.
func TestTwoTunnels(t *testing.T) {
	t.Parallel()
	c := cloud.New(t)
	hub := c.Add("hub", "192.0.2.1", "172.31.0.1", 10)
	spoke1 := c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11)
	spoke2 := c.Add("spoke2", "203.0.113.1", "172.31.1.12", 12)
	const other = "192.0.2.65" // the hub's second source
	c.Inet.Route(other+"/32", hub.NBMA)
	configs := map[*cloud.Site]string{
		hub: redirect + "ip route 10.11.0.0/24 172.31.0.11\nip route 10.12.0.0/24 172.31.1.12\n" +
			"interface Loopback0\n ip address " + other + "/32\n" + second("172.31.1.1", "Loopback0", redirect),
		spoke1: spokeLines + cloud.NHS(hub) + "ip route 10.0.0.0/8 172.31.0.1\n",
		spoke2: spokeLines + " ip nhrp nhs 172.31.1.1 nbma " + other + " multicast\nip route 10.0.0.0/8 172.31.1.1\n",
	}
	c.Start(func(s *cloud.Site) string { return s.Config(configs[s]) })
	c.Await(hub.Knows(spoke1), func() error { return spoke2.Host.Reaches(hub.HostIP) })
	direct(c, spoke1, spoke2, []*cloud.Site{hub},
		shortcut(spoke1, spoke2.LAN, spoke2.Tunnel, "Tunnel0"), shortcut(spoke2, spoke1.LAN, spoke1.Tunnel, "Tunnel0"))
	if err := spoke1.Path(spoke2, spoke2)(); err != nil {
		t.Error(err)
	}
}

// TestTwoClouds gives two spokes a tunnel to each of two hubs, in networks of their
// own. RIP prefers the first; when that hub dies, traffic and shortcuts move over to
// the second cloud.
func TestTwoClouds(t *testing.T) {
	t.Parallel()
	c := cloud.New(t)
	hub1 := c.Add("hub1", "192.0.2.1", "172.31.0.1", 10)
	hub2 := c.Add("hub2", "192.0.2.5", "172.31.1.1", 20)
	spoke1 := c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11)
	spoke2 := c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)
	const (
		cloud2 = " ip nhrp network-id 2\n ip nhrp authentication OTHERKEY\n tunnel key 200\n" + cloud.Multipoint
		sum    = " ip summary-address rip 10.0.0.0 255.0.0.0\n"
		// What hub 2 says counts one more.
		worse = "access-list 1 permit any\n"
	)
	spoke := func(s *cloud.Site, tunnel2 string) string {
		return s.Config(spokeLines + cloud.NHS(hub1) +
			second(tunnel2, "wan", cloud2+" ip nhrp registration timeout 5\n"+cloud.NHS(hub2)) + cloud.RIP(" offset-list 1 in 1 Tunnel1\n") + worse)
	}
	configs := map[*cloud.Site]string{
		hub1:   hub1.Config(redirect + sum + cloud.RIP("")),
		hub2:   hub2.Config(cloud2 + " ip nhrp redirect\n" + sum + cloud.RIP("")),
		spoke1: spoke(spoke1, "172.31.1.11"), spoke2: spoke(spoke2, "172.31.1.12"),
	}
	c.Start(func(s *cloud.Site) string { return configs[s] })
	by := func(s *cloud.Site, hop, tunnel string) func() error {
		return func() error {
			return s.HasRoutes(harness.ProtocolNumber(rib.RIP), fmt.Sprintf("10.0.0.0/8 via %s dev %s", hop, tunnel))
		}
	}
	c.Await(func() error {
		return hub1.HasRoutes(harness.ProtocolNumber(rib.RIP), "blackhole 10.0.0.0/8", spoke1.LAN, spoke2.LAN, "172.31.1.0/24")
	}, by(spoke1, hub1.Tunnel, "Tunnel0"), by(spoke2, hub1.Tunnel, "Tunnel0"))
	direct(c, spoke1, spoke2, []*cloud.Site{hub1, hub2},
		shortcut(spoke1, spoke2.LAN, "172.31.0.12", "Tunnel0"), shortcut(spoke2, spoke1.LAN, "172.31.0.11", "Tunnel0"))

	flow := spoke1.Host.Flow(spoke2.HostIP, flowEvery)
	c.KillSite(hub1)
	hub1.Uplink.Cut()
	c.Await(by(spoke1, "172.31.1.1", "Tunnel1"), by(spoke2, "172.31.1.1", "Tunnel1"),
		shortcut(spoke1, spoke2.LAN, "172.31.1.12", "Tunnel1"), shortcut(spoke2, spoke1.LAN, "172.31.1.11", "Tunnel1"))
	c.More(flow, 20)
	// RIP remembers no way but the best (RFC 2453 section 3.9.2): from the moment when that
	// times out there is none until the other hub's next update, which may be the longest
	// interval away. A second is for all that follows from that update.
	const gap = cloud.RIPUpdate*7/6 + time.Second
	if r := flow.Stop(); len(r.Lost) > int(gap/flowEvery) {
		t.Errorf("%d of %d packets arrived while the traffic moved to the other cloud, lost %d to %d: more than %v", r.Received, r.Sent, r.Lost[0], r.Lost[len(r.Lost)-1], gap)
	}
}
