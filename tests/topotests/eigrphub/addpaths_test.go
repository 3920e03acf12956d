package eigrphub

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// family is an EIGRP instance in named mode with these lines of Tunnel0.
func family(tunnel, more string) string {
	return fmt.Sprintf(`router eigrp CLOUD
 address-family ipv4 unicast autonomous-system 100
  af-interface Tunnel0
   hello-interval 1
   hold-time 5
%s  exit-af-interface
  topology base
  exit-af-topology
  network 172.31.0.0 0.0.0.255
  network 10.0.0.0
%s exit-address-family
`, tunnel, more)
}

// hubLines keep the next hops, all of equal cost.
const hubLines = "   no split-horizon\n   no next-hop-self no-ecmp-mode\n   add-paths 4\n"

// shared is a network behind two routers.
const shared = "10.50.0.0/24"

// TestAddPaths: two routers of a site have the same network, each with a tunnel. Both
// hubs tell a third router of both next hops, and it sends to both at once, which the
// kernel's table says; also over one hub only, and when one of the two routers dies.
func TestAddPaths(t *testing.T) {
	c := cloud.New(t)
	hubs := []*cloud.Site{c.AddRouter("hub1", "192.0.2.1", "172.31.0.1"), c.AddRouter("hub2", "192.0.2.5", "172.31.0.2")}
	left := c.AddRouter("left", "198.51.100.1", "172.31.0.11")
	right := c.AddRouter("right", "198.51.100.5", "172.31.0.12")
	far := c.AddRouter("far", "203.0.113.1", "172.31.0.13")
	const nhrp = cloud.NHRP + cloud.Multipoint + cloud.Key + cloud.Quick
	c.Start(func(s *cloud.Site) string {
		switch s {
		case hubs[0]:
			return s.Config(nhrp + family(hubLines, ""))
		case hubs[1]:
			return s.Config(nhrp + family(hubLines, ""))
		}
		lines := nhrp + cloud.NHS(hubs[0]) + cloud.NHS(hubs[1])
		if s != far {
			lines += "interface Loopback1\n ip address 10.50.0.1 255.255.255.0\n"
		}
		return s.Config(lines + family("", "  eigrp stub connected\n"))
	})
	both := []string{left.Tunnel, right.Tunnel}
	// With both hubs, since either may be asked where a router is, and has to know.
	for _, hub := range hubs {
		c.Await(hub.Knows(left, right, far), func() error { return neighbors(hub, 3) })
	}
	c.Await(leads(far, both...))

	// The same after the hub told its table again.
	hubs[0].MustVtysh("clear ip eigrp neighbors soft")
	c.Await(leads(far, both...))
	text := far.MustVtysh("show ip eigrp topology " + shared)
	for _, next := range both {
		if !strings.Contains(text, next) {
			t.Errorf("the topology table does not name the next hop %s:\n%s", next, text)
		}
	}
	if r, err := far.Ping("10.50.0.1", "", 3); err != nil || r.Received != 3 {
		t.Errorf("ping of what both have: %+v, %v", r, err)
	}

	// One hub goes: the other has told the same.
	c.KillSite(hubs[1])
	c.Await(func() error { return neighbors(far, 1) }, leads(far, both...))

	// One of the routers goes: the hub notices by the hold time.
	c.KillSite(left)
	c.Await(leads(far, right.Tunnel))

	// Without add-paths one next hop is told.
	left.Restart()
	c.Await(leads(far, both...))
	hubs[0].Configure("router eigrp CLOUD\naddress-family ipv4 unicast autonomous-system 100\naf-interface Tunnel0\nno add-paths\n")
	c.Await(func() error {
		hops, err := hopsOf(far)
		if err == nil && len(hops) != 1 {
			err = fmt.Errorf("without add-paths %s has the next hops %v", far.Name(), hops)
		}
		return err
	})
}

// hopsOf are the gateways of the shared network in the kernel.
func hopsOf(s *cloud.Site) (hops []string, err error) {
	for _, r := range s.RoutesOf(harness.ProtocolNumber(rib.EIGRP)) {
		if r.Prefix.String() == shared {
			for _, h := range r.Hops {
				hops = append(hops, h.Gateway.String())
			}
			return hops, nil
		}
	}
	return nil, fmt.Errorf("%s has no route to %s", s.Name(), shared)
}

// leads tells whether the kernel's route to the shared network has exactly these gateways.
func leads(s *cloud.Site, want ...string) func() error {
	return func() error {
		got, err := hopsOf(s)
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			return fmt.Errorf("gateways of %s (-want +got):\n%s", s.Name(), diff)
		}
		return err
	}
}

// neighbors tells whether a router has so many EIGRP neighbours.
func neighbors(s *cloud.Site, want int) error {
	text, err := s.Vtysh("show ip eigrp neighbors")
	if got := strings.Count(text, " Tu0 "); err == nil && got != want {
		return fmt.Errorf("%s has %d neighbors, want %d:\n%s", s.Name(), got, want, text)
	}
	return err
}
