package ipsec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Of TestAcquireCost.
const (
	acquires  = 15
	lookEvery = time.Millisecond
)

// established sends a packet that wants associations and returns after which time the
// node's kernel has a pair of them with an address. Those before have to be gone: charon says
// so a moment before it is so.
func established(t *testing.T, n *harness.Node, to, address string) time.Duration {
	t.Helper()
	at := netip.MustParseAddr(address)
	harness.Eventually(t, converge, func() error {
		if have := n.ESP(); slices.ContainsFunc(have, func(s harness.ESP) bool { return s.Source == at || s.Destination == at }) {
			return fmt.Errorf("there are associations with %s: %v", address, have)
		}
		return nil
	})
	begin := time.Now()
	if err := n.Do(func() error { return flood(to, 1) }); err != nil {
		t.Fatal(err)
	}
	for {
		have, took := 0, time.Since(begin)
		for _, s := range n.ESP() {
			if s.Source == at || s.Destination == at {
				have++
			}
		}
		if have >= 2 {
			return took
		}
		if took > converge {
			t.Fatalf("no associations with %s: %v", address, n.ESP())
		}
		time.Sleep(lookEvery)
	}
}

// trap is a connection of charon's that packets have it begin.
func trap(text string) string {
	return strings.Replace(text, "mode = transport", "mode = transport\n    start_action = trap", 1)
}

// pairOfCharons are two nodes with charon and a tunnel between them, of which the first
// begins.
func pairOfCharons(t *testing.T, tp *harness.Topology, inet *harness.Node, ike, esp string) (a *harness.Node, begins *harness.Charon) {
	a = tp.Router("a")
	b := tp.Router("b")
	tp.Uplink(inet, a, "203.0.113.1/30")
	tp.Uplink(inet, b, "203.0.113.5/30")
	a.GRE("gre1", "203.0.113.1", 100, "172.30.0.1/24")
	b.GRE("gre1", "203.0.113.5", 100, "172.30.0.2/24")
	a.GREPeer("gre1", "172.30.0.2", "203.0.113.5")
	b.GREPeer("gre1", "172.30.0.1", "203.0.113.1")
	b.StartCharon("").Load(replaced(charonPSK, "LOCAL", "203.0.113.5", "REMOTE", "%any", "IKE", ike, "ESP", esp))
	begins = a.StartCharon("")
	begins.Load(trap(replaced(charonPSK, "LOCAL", "203.0.113.1", "REMOTE", "203.0.113.5", "IKE", ike, "ESP", esp)))
	return a, begins
}

// TestAcquireCost says how long it takes from a packet that wants associations until the
// kernel of who began has them: of us and of charon, alternately, each with charon as the
// responder. Nothing passes or fails by it.
func TestAcquireCost(t *testing.T) {
	const ike, esp = "aes256gcm16-prfsha384-x25519", "aes256gcm16-ecp256"
	c, tp, inet := newCloud(t)
	c.startCharon()
	a, begins := pairOfCharons(t, tp, inet, ike, esp)
	const first = 40 // of the sites
	for n := first; n < first+acquires; n++ {
		c.site(n)
		c.charon.Load(connection(n, ike, esp, ""))
		c.ours.GREPeer("Tunnel0", overlay(n), nbma(n))
	}
	var we, charon []time.Duration
	for n := first; n < first+acquires; n++ {
		we = append(we, established(t, c.ours, overlay(n), nbma(n)))
		charon = append(charon, established(t, a, "172.30.0.2", "203.0.113.5"))
		if _, err := begins.Ask("terminate", harness.Section{"ike": "gre", "timeout": "10000"}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(we)
	slices.Sort(charon)
	t.Logf("we begin: median %v, at best %v; charon begins: median %v, at best %v", we[acquires/2], we[0], charon[acquires/2], charon[0])
}
