package many

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/labs"
)

// TestMain gives the machine room for a hundred and fifty processes.
func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{Memory: "4G", IPsec: true}) }

// spokes is how many there are.
const spokes = 50

// limit is how long all of them may take for something: there is one CPU.
const limit = 200 * time.Second

// protoGRE is the protocol number of GRE.
const protoGRE = 47

// TestMany secures and registers all spokes, has one of them reach all others directly
// without a lost packet, and restarts the hub: its daemon, all in order, and then by a
// loss of power, of which the spokes hear nothing: they still send by what the hub has
// forgotten. Nothing of all that is in clear.
func TestMany(t *testing.T) {
	c := cloud.New(t)
	hub := c.AddRouter("hub", "192.0.2.1", "172.31.0.1")
	all := map[string]string{}
	for n := range spokes {
		s := c.AddRouter(fmt.Sprintf("spoke%d", n+1), fmt.Sprintf("198.18.%d.1", n+1), fmt.Sprintf("172.31.0.%d", n+11))
		all[s.Tunnel] = s.NBMA
	}
	hub.WarmESP()
	provider := c.Inet.Capture("to-hub")
	const tunnel = cloud.NHRP + cloud.Multipoint + cloud.Key + labs.Protection
	began := time.Now()
	c.Start(func(s *cloud.Site) string {
		if s == hub {
			return labs.Crypto() + s.Config(tunnel)
		}
		return labs.Crypto() + s.Config(tunnel+" ip nhrp registration timeout 30\n"+cloud.NHS(hub))
	})
	t.Logf("started in %v", time.Since(began))
	back := func() error { return secured(hub, all) }
	harness.Await(t, limit, back, func() error {
		return hub.ShowJSON("show dmvpn", fmt.Sprintf(`{"interfaces": [{"type": "Hub", "nbmaPeers": %d}]}`, spokes))
	})
	t.Logf("secured and registered in %v", time.Since(began))

	// Every other spoke, each with one packet that must not be lost.
	first := c.Sites[1]
	harness.Eventually(t, limit, func() error {
		return first.ShowJSON("show dmvpn", fmt.Sprintf(`{"interfaces": [{"peers": [{"nbma": "%s", "state": "UP"}]}]}`, hub.NBMA))
	})
	for _, s := range c.Sites[2:] {
		if r, err := first.PingLossless(s.Tunnel, 1); err != nil || r.Received != 1 {
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

	c.KillDaemon(hub, "nhrpd")
	harness.Eventually(t, limit, back)
	if err := hub.Zebra.Terminate(limit); err != nil {
		t.Fatal(err)
	}
	again(t, c, back, "a restart of the hub")
	c.KillSite(hub)
	hub.FlushESP()
	again(t, c, back, "the hub lost its power")
	if l := provider.Frames(func(f harness.Frame) bool { return f.IP && f.Protocol == protoGRE }); len(l) > 0 {
		t.Errorf("%d packets passed in clear, the first is %v", len(l), l[0])
	}
	if provider.Count(harness.IsESP) == 0 {
		t.Error("no ESP passed")
	}
}

// secured tells whether the hub knows all spokes, by tunnel address, and its kernel has
// security associations to all of them.
func secured(hub *cloud.Site, all map[string]string) error {
	if err := hub.KnowsAt(all)(); err != nil {
		return err
	}
	out := map[string]bool{}
	for _, sa := range hub.ESP() {
		if sa.Source.String() == hub.NBMA {
			out[sa.Destination.String()] = true
		}
	}
	if len(out) != len(all) {
		return fmt.Errorf("the hub's kernel has security associations to %d spokes", len(out))
	}
	return nil
}

// again starts the hub, and waits until each spoke reaches it.
func again(t *testing.T, c *cloud.Cloud, back func() error, after string) {
	t.Helper()
	hub, began := c.Sites[0], time.Now()
	hub.Restart()
	harness.Eventually(t, limit, func() error {
		if err := back(); err != nil {
			return err
		}
		for _, s := range c.Sites[1:] {
			if err := s.Reaches(hub.Tunnel); err != nil {
				return fmt.Errorf("%s: %w", s.Name(), err)
			}
		}
		return nil
	})
	t.Logf("all back %v after %s", time.Since(began), after)
}
