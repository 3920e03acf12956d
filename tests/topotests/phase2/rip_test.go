package phase2

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// flowEvery is the time between two packets of the traffic under which things happen.
const flowEvery = 20 * time.Millisecond

// Lines of Tunnel0, of hubs and spokes.
const (
	hubLines   = cloud.NHRP + cloud.Multipoint + cloud.Key + " no ip split-horizon\n"
	spokeLines = cloud.NHRP + cloud.Quick + cloud.Multipoint + cloud.Key
)

// rip tells whether the kernel of a site has exactly these routes of RIP: each LAN by
// way of the router that it is behind.
func rip(s *cloud.Site, others ...*cloud.Site) func() error {
	var want []string
	for _, o := range others {
		want = append(want, fmt.Sprintf("%s via %s dev Tunnel0", o.LAN, o.Tunnel))
	}
	return func() error { return s.HasRoutes(harness.ProtocolNumber(rib.RIP), want...) }
}

// TestRIP has a hub that preserves RIP's next hops: the first packet between two
// spokes goes by way of the hub, the path is one hop shorter from then on, and no
// packet is lost, also while the daemons of all three are killed.
func TestRIP(t *testing.T) {
	t.Parallel()
	c := cloud.New(t)
	hub := c.Add("hub", "192.0.2.1", "172.31.0.1", 10)
	spoke1 := c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11)
	spoke2 := c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)
	c.Start(func(s *cloud.Site) string {
		if s == hub {
			return s.Config(hubLines + cloud.RIP(""))
		}
		return s.Config(spokeLines + cloud.NHS(hub) + cloud.RIP(""))
	})
	converged := []func() error{rip(hub, spoke1, spoke2), rip(spoke1, hub, spoke2), rip(spoke2, hub, spoke1)}
	c.Await(converged...)

	// The hub answers for the second hop of the first packets, unless the other spoke is
	// found before the second probe is sent.
	first, err := spoke1.Host.Traceroute(spoke2.HostIP)
	if err != nil || len(first) < 2 || first[1] != hub.Tunnel && first[1] != spoke2.Tunnel {
		t.Errorf("the first path is %v, %v", first, err)
	}
	direct := []func() error{spoke1.Knows(hub, spoke2), spoke2.Knows(hub, spoke1)}
	c.Await(direct...)
	c.Await(spoke1.Path(spoke2, spoke2), spoke2.Path(spoke1, spoke1))
	if n := cloud.Questions(spoke1.WAN, harness.All(cloud.Message(packet.ResolutionRequest), harness.Between(spoke1.NBMA, hub.NBMA))); n != 1 {
		t.Errorf("%d Resolution Requests, want 1", n)
	}

	hub.WAN.Clear()
	flow := spoke1.Host.Flow(spoke2.HostIP, flowEvery)
	for _, victim := range []struct {
		site   *cloud.Site
		daemon string
	}{{hub, "nhrpd"}, {spoke1, "nhrpd"}, {spoke2, "nhrpd"}, {spoke1, "ripd"}, {spoke1, "zebra"}, {hub, "zebra"}} {
		c.KillDaemon(victim.site, victim.daemon)
		c.More(flow, 20)
		c.Await(append(direct, converged...)...)
	}
	c.Lossless(flow, "daemons killed")
	if n := hub.WAN.Count(cloud.Data(spoke1, spoke2)); n != 0 {
		t.Errorf("%d packets passed the hub while daemons were killed", n)
	}
}

// TestDaisyChain has two hubs in one cloud, each the server of the other, and a spoke
// at each. A spoke asks its own hub, which passes the question on to the other, where
// the station is registered; the answer comes back the same way.
func TestDaisyChain(t *testing.T) {
	t.Parallel()
	c := cloud.New(t)
	hub1 := c.Add("hub1", "192.0.2.1", "172.31.0.1", 10)
	hub2 := c.Add("hub2", "192.0.2.5", "172.31.0.2", 20)
	spoke1 := c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11)
	spoke2 := c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)
	c.Start(func(s *cloud.Site) string {
		switch s {
		case hub1:
			return s.Config(hubLines + cloud.NHS(hub2) + cloud.RIP(""))
		case hub2:
			return s.Config(hubLines + cloud.NHS(hub1) + cloud.RIP(""))
		case spoke1:
			return s.Config(spokeLines + cloud.NHS(hub1) + cloud.RIP(""))
		}
		return s.Config(spokeLines + cloud.NHS(hub2) + cloud.RIP(""))
	})
	c.Await(rip(hub1, hub2, spoke1, spoke2), rip(hub2, hub1, spoke1, spoke2),
		rip(spoke1, hub1, hub2, spoke2), rip(spoke2, hub1, hub2, spoke1))

	flow := spoke1.Host.Flow(spoke2.HostIP, flowEvery)
	c.Await(spoke1.Knows(hub1, spoke2), spoke2.Knows(hub2, spoke1))
	c.More(flow, 20)
	hub1.WAN.Clear()
	c.More(flow, 20)
	if n := hub1.WAN.Count(cloud.Data(spoke1, spoke2)); n != 0 {
		t.Errorf("%d packets passed the hub", n)
	}
	c.Lossless(flow, "two hubs resolve")
	if err := spoke1.Path(spoke2, spoke2)(); err != nil {
		t.Error(err)
	}
	for _, s := range []*cloud.Site{spoke1, spoke2} {
		if n := cloud.Questions(s.WAN, harness.All(cloud.Message(packet.ResolutionRequest), harness.Between(s.NBMA, ""))); n != 1 {
			t.Errorf("%s sent %d Resolution Requests, want 1", s.Name(), n)
		}
	}

	// What goes is taken back along the chain, and what comes back is found again.
	if err := spoke2.Zebra.Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	c.Await(spoke1.Knows(hub1), func() error {
		out, err := spoke1.Vtysh("show ip nhrp")
		if err == nil && strings.Contains(out, spoke2.NBMA) {
			err = fmt.Errorf("spoke1 still has %s:\n%s", spoke2.NBMA, out)
		}
		return err
	})
	spoke2.Restart()
	c.Await(rip(spoke1, hub1, hub2, spoke2), rip(spoke2, hub1, hub2, spoke1))
	c.Await(func() error { return spoke1.Host.Reaches(spoke2.HostIP) }, spoke1.Knows(hub1, spoke2), spoke1.Path(spoke2, spoke2))
}
