package frr_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMixedCloud has our hub with a spoke of ours and one of FRR's, which knows
// the hub's overlay address. Each reaches the other's LAN over the hub.
func TestMixedCloud(t *testing.T) {
	sites := build(t, hubSite, spoke1Site, spoke2Site)
	hub, spoke1, spoke2 := sites[0], sites[1], sites[2]
	hub.ours(t)
	spoke1.ours(t)
	conf := strings.Replace(config(t, "frr-spoke.conf"), "nhs dynamic", "nhs "+hub.tunnel, 1)
	f := spoke2.frr(t, conf, "10.10.0.0/24", hub.tunnel, "10.11.0.0/24", hub.tunnel)
	harness.Eventually(t, converge, func() error {
		return first(
			hub.ShowJSON("show dmvpn", `{"interfaces": [{"interface": "Tunnel0", "type": "Hub", "nbmaPeers": 2, "peers": [
				{"nbma": "198.51.100.1", "tunnel": "172.31.0.11", "state": "UP", "attributes": "D"},
				{"nbma": "203.0.113.1", "tunnel": "172.31.0.12", "state": "UP", "attributes": "D"}]}]}`),
			hasNeighbors(hub.Node, "Tunnel0", map[string]string{"172.31.0.11": "198.51.100.1", "172.31.0.12": "203.0.113.1"}),
			spoke1.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "nbma": "192.0.2.1", "up": true}]}`),
			frrRegistered(hub, spoke2, f))
	})
	exchange(t, spoke1, hub)
	exchange(t, spoke2, hub)
	for _, way := range []struct{ from, to *site }{{spoke1, spoke2}, {spoke2, spoke1}} {
		way.from.hostNode.MustPing(way.to.host, 3)
		path, err := way.from.hostNode.Traceroute(way.to.host)
		want := []string{way.from.lan, hub.tunnel, way.to.tunnel, way.to.host}
		if diff := cmp.Diff(want, path); diff != "" || err != nil {
			t.Errorf("path from %s to %s: %v\n%s", way.from.name, way.to.name, err, diff)
		}
		if n := way.from.uplink.Count(harness.Between(way.from.wan, way.to.wan)); n != 0 {
			t.Errorf("%d packets from %s straight to %s", n, way.from.name, way.to.name)
		}
	}
	checkWire(t, hub)
}
