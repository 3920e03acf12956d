package lab1_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/lab1"
)

func TestMain(m *testing.M) { harness.Main(m) }

// converge is how long a cloud may take until its spokes are registered: one that had no
// answer for long asks again after up to 64 s.
const converge = (60 + 64) * time.Second

func build(t *testing.T) (*lab1.Cloud, map[string]*harness.Zebra) {
	c := lab1.Build(harness.New(t))
	return c, c.Start()
}

// registered tells whether the hub has both spokes as NHRP peers, in its own
// words and in the kernel's.
func registered(c *lab1.Cloud) error {
	if err := c.Hub.ShowJSON("show dmvpn", `{"interfaces": [{"interface": "Tunnel0", "type": "Hub", "nbmaPeers": 2, "peers": [
		{"nbma": "198.51.100.1", "tunnel": "172.31.0.11", "state": "UP", "attributes": "D"},
		{"nbma": "203.0.113.1", "tunnel": "172.31.0.12", "state": "UP", "attributes": "D"}]}]}`); err != nil {
		return err
	}
	want := map[string]string{"172.31.0.11": "198.51.100.1", "172.31.0.12": "203.0.113.1"}
	if diff := cmp.Diff(want, neighbors(c.Hub)); diff != "" {
		return fmt.Errorf("the hub's neighbours in the kernel (-want +got):\n%s", diff)
	}
	for _, spoke := range []*harness.Node{c.Spoke1, c.Spoke2} {
		if err := spoke.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "nbma": "192.0.2.1", "up": true}]}`); err != nil {
			return err
		}
	}
	return nil
}

// neighbors are the IPv4 neighbours on the tunnel, by the kernel's own table.
func neighbors(n *harness.Node) map[string]string {
	got := map[string]string{}
	for _, e := range n.Neighbors("Tunnel0") {
		if e.Address.Is4() && !e.Address.IsMulticast() {
			got[e.Address.String()] = e.NBMA.String()
		}
	}
	return got
}

// TestPhase1 registers two spokes and sends packets from LAN to LAN over the hub:
// GRE with the key on the underlay, and never from spoke to spoke.
func TestPhase1(t *testing.T) {
	c := lab1.Build(harness.New(t))
	wan := c.Spoke1.Capture("wan")
	c.Start()
	harness.Eventually(t, converge, func() error { return registered(c) })
	c.LAN1.MustPing("10.12.0.10", 5)
	c.LAN1.MustPing("10.10.0.10", 3)
	path, err := c.LAN1.Traceroute("10.12.0.10")
	want := []string{"10.11.0.1", "172.31.0.1", "172.31.0.12", "10.12.0.10"}
	if diff := cmp.Diff(want, path); diff != "" || err != nil {
		t.Errorf("path from LAN to LAN: %v\n%s", err, diff)
	}
	keyed := func(f harness.Frame) bool { return f.HasKey && f.GREKey == 100 }
	harness.Eventually(t, converge, func() error { // captures come behind
		if n := wan.Count(harness.All(harness.IsGRE, keyed, harness.Between("198.51.100.1", "192.0.2.1"))); n < 8 {
			return fmt.Errorf("%d keyed GRE packets from spoke to hub, want the 8 pings at least", n)
		}
		return nil
	})
	if n := wan.Count(harness.All(harness.IsGRE, harness.Between("198.51.100.1", "203.0.113.1"))); n != 0 {
		t.Errorf("%d GRE packets from spoke to spoke in Phase 1", n)
	}
	if n := wan.Count(harness.IsNHRP); n < 2 {
		t.Errorf("%d NHRP packets captured, want request and reply", n)
	}
	if err := c.Hub.ShowJSON("show ip nhrp", `{"entries": [
		{"target": "172.31.0.11/32", "type": "dynamic", "nbma": "198.51.100.1", "holdtime": 600},
		{"target": "172.31.0.12/32", "type": "dynamic", "nbma": "203.0.113.1"}]}`); err != nil {
		t.Error(err)
	}
	if out := c.Hub.MustVtysh("show ip nhrp"); !strings.Contains(out, "172.31.0.11/32 via 172.31.0.11") {
		t.Errorf("show ip nhrp:\n%s", out)
	}
	for _, r := range c.Routers() {
		if err := r.ShowJSON("show zebra init", `{"signals": [{"signal": "LINKS_KNOWN", "reached": true}, {"signal": "CONFIG_LOADED", "reached": true}, {"signal": "DAEMONS_ATTACHED", "reached": true}]}`); err != nil {
			t.Error(err)
		}
	}
}
