package frr_test

import (
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestFRRHubLearnt has FRR as the hub of a spoke of ours that knows its NBMA address
// alone: the spoke learns the tunnel address from the Registration Reply, loses it
// when the hub's nhrpd is dead, and learns it again.
func TestFRRHubLearnt(t *testing.T) {
	sites := build(t, hubSite, spoke1Site)
	hub, spoke := sites[0], sites[1]
	f := hub.frr(t, config(t, "frr-hub.conf"), "10.11.0.0/24", spoke1Site.tunnel)
	conf := strings.NewReplacer(" ip nhrp map 172.31.0.1 192.0.2.1\n", "", " ip nhrp map multicast 192.0.2.1\n", "",
		" ip nhrp nhs 172.31.0.1\n", " ip nhrp nhs dynamic nbma 192.0.2.1 multicast\n").Replace(config(t, "spoke1.conf"))
	spoke.StartZebra(conf)
	registered := func() error {
		return first(
			spoke.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "nbma": "192.0.2.1", "dynamic": true, "up": true}]}`),
			hasNeighbors(hub.Node, "gre1", map[string]string{"172.31.0.11": "198.51.100.1"}),
			hasNeighbors(spoke.Node, "Tunnel0", map[string]string{"172.31.0.1": "192.0.2.1"}))
	}
	harness.Eventually(t, converge, registered)
	exchange(t, spoke, hub)
	f.Process("nhrpd").Kill()
	harness.Eventually(t, converge, func() error {
		return first(
			spoke.ShowJSON("show ip nhrp nhs", `{"servers": [{"nbma": "192.0.2.1", "dynamic": true, "up": false, "recovery": "PROBE"}]}`),
			hasNeighbors(spoke.Node, "Tunnel0", map[string]string{}))
	})
	f.Start("nhrpd")
	harness.Eventually(t, converge, registered)
	exchange(t, spoke, hub)
}
