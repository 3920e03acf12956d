package many

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain gives the machine room for 150 processes.
func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{Memory: "3G"}) }

// spokes is how many there are.
const spokes = 50

// limit is how long all of them may take for something: there is one CPU.
const limit = 200 * time.Second

// eigrp is what a router has of EIGRP; loopback is its network besides the cloud.
func eigrp(loopback, more string) string {
	return fmt.Sprintf("interface Loopback1\n ip address %s 255.255.255.255\nrouter eigrp 100\n network 172.31.0.0 0.0.0.255\n network 10.0.0.0\n%s", loopback, more)
}

// hubLoopback is the network of the hub that goes.
const hubLoopback = "10.99.0.1"

// TestMany registers all spokes, has one of them reach all others directly without a
// lost packet, has the hub lose a network of EIGRP, and restarts it.
func TestMany(t *testing.T) {
	c := cloud.New(t)
	hub := c.AddRouter("hub", "192.0.2.1", "172.31.0.1")
	all := map[string]string{}
	for n := range spokes {
		s := c.AddRouter(fmt.Sprintf("spoke%d", n+1), fmt.Sprintf("198.18.%d.1", n+1), fmt.Sprintf("172.31.0.%d", n+11))
		all[s.Tunnel] = s.NBMA
	}
	began := time.Now()
	c.Start(func(s *cloud.Site) string {
		if s == hub {
			return s.Config(cloud.NHRP + cloud.Multipoint + cloud.Key + eigrp(hubLoopback, ""))
		}
		tunnel := cloud.NHRP + cloud.Multipoint + cloud.Key + " ip nhrp registration timeout 30\n" + cloud.NHS(hub)
		return s.Config(tunnel + eigrp(loopback(s), " eigrp stub connected\n"))
	})
	t.Logf("started in %v", time.Since(began))
	harness.Eventually(t, limit, hub.KnowsAt(all))
	t.Logf("registered in %v", time.Since(began))
	if err := hub.ShowJSON("show dmvpn", fmt.Sprintf(`{"interfaces": [{"type": "Hub", "nbmaPeers": %d}]}`, spokes)); err != nil {
		t.Error(err)
	}

	stubs(t, c)
	t.Logf("EIGRP was done with after %v", time.Since(began))

	// Every other spoke, each with one packet that must not be lost.
	first := c.Sites[1]
	for _, s := range c.Sites[2:] {
		if r, err := first.Ping(s.Tunnel, "", 1); err != nil || r.Received != 1 {
			t.Errorf("the first packet to %s: %+v, %v", s.Name(), r, err)
		}
	}
	others := map[string]string{hub.Tunnel: hub.NBMA}
	for tunnel, nbma := range all {
		if netip.MustParseAddr(tunnel) != netip.MustParseAddr(first.Tunnel) {
			others[tunnel] = nbma
		}
	}
	harness.Eventually(t, limit, first.KnowsAt(others))
	t.Logf("resolved in %v", time.Since(began))

	// The hub dies with all that it knows in memory, and comes back; so does one that was
	// restarted in order, which has forgotten all.
	c.KillDaemon(hub, "nhrpd")
	harness.Eventually(t, limit, hub.KnowsAt(all))
	if err := hub.Zebra.Terminate(limit); err != nil {
		t.Fatal(err)
	}
	restarted := time.Now()
	hub.Restart()
	harness.Eventually(t, limit, hub.KnowsAt(all))
	t.Logf("all back %v after a restart of the hub", time.Since(restarted))
}

// loopback is the network of a spoke.
func loopback(s *cloud.Site) string {
	return "10.0.0." + strings.TrimPrefix(s.Tunnel, "172.31.0.")
}

// stubs waits until the hub has the networks of all spokes, and they the hub's. Then the
// hub loses its network: all spokes lose it, and none of them is sent a QUERY, for stubs
// are not asked; an Update is what they hear.
func stubs(t *testing.T, c *cloud.Cloud) {
	t.Helper()
	hub, all := c.Sites[0], c.Sites[1:]
	protocol := harness.ProtocolNumber(rib.EIGRP)
	var want []string
	for _, s := range all {
		want = append(want, loopback(s)+"/32")
	}
	slices.Sort(want)
	harness.Eventually(t, limit, func() error { return hub.HasRoutes(protocol, want...) })
	have := func(s *cloud.Site) bool {
		return slices.ContainsFunc(s.RoutesOf(protocol), func(r harness.Route) bool { return r.Prefix.String() == hubLoopback+"/32" })
	}
	waitAll := func(there bool) {
		t.Helper()
		for _, s := range all {
			harness.Eventually(t, limit, func() error {
				if have(s) != there {
					return fmt.Errorf("%s: the hub's network is there: %v", s.Name(), !there)
				}
				return nil
			})
		}
	}
	waitAll(true)
	hub.WAN.Clear()
	hub.Configure("no interface Loopback1\n")
	waitAll(false)
	if n := hub.WAN.Count(eigrpPacket(packet.Query)); n > 0 {
		t.Errorf("the hub sent %d queries to stubs", n)
	}
	if hub.WAN.Count(eigrpPacket(packet.Update)) == 0 {
		t.Error("the capture saw no update that took the network back")
	}
}

// eigrpPacket matches EIGRP packets of a type.
func eigrpPacket(o packet.Opcode) harness.Match {
	return harness.All(harness.IsProtocol(packet.Protocol), func(f harness.Frame) bool {
		m, err := packet.Parse(f.Inner().Payload)
		return err == nil && m.Opcode == o
	})
}
