package many

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain gives the machine room for a hundred processes.
func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{Memory: "2G"}) }

// spokes is how many there are.
const spokes = 50

// limit is how long all of them may take for something: there is one CPU.
const limit = 200 * time.Second

// TestMany registers all spokes, has one of them reach all others directly without a
// lost packet, and restarts the hub.
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
			return s.Config(cloud.NHRP + cloud.Multipoint + cloud.Key)
		}
		return s.Config(cloud.NHRP + cloud.Multipoint + cloud.Key + " ip nhrp registration timeout 30\n" + cloud.NHS(hub))
	})
	t.Logf("started in %v", time.Since(began))
	harness.Eventually(t, limit, hub.KnowsAt(all))
	t.Logf("registered in %v", time.Since(began))
	if err := hub.ShowJSON("show dmvpn", fmt.Sprintf(`{"interfaces": [{"type": "Hub", "nbmaPeers": %d}]}`, spokes)); err != nil {
		t.Error(err)
	}

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
