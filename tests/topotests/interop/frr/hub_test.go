package frr_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestFRRHub has FRR as the hub of two spokes of ours, one with mGRE and one with
// a point-to-point tunnel. FRR's nhrpd is killed, which the spokes notice by their
// registrations, and started again with an empty cache. A spoke ends in order and
// comes back: it takes its registration back by a Purge Request, which FRR 8.4.4
// reads and leaves without effect and answer (its cache kept the entry until the
// holding time ended).
func TestFRRHub(t *testing.T) {
	sites := build(t, hubSite, spoke1Site, spoke2Site)
	hub, spoke1, spoke2 := sites[0], sites[1], sites[2]
	f := hub.frr(t, config(t, "frr-hub.conf"), "10.11.0.0/24", spoke1Site.tunnel, "10.12.0.0/24", spoke2Site.tunnel)
	spoke1.ours(t)
	zebra := spoke2.ours(t)
	servers := func(want string) error {
		return first(spoke1.ShowJSON("show ip nhrp nhs", want), spoke2.ShowJSON("show ip nhrp nhs", want))
	}
	registered := func() error {
		return first(
			servers(`{"servers": [{"address": "172.31.0.1", "nbma": "192.0.2.1", "up": true}]}`),
			f.ShowJSON("show ip nhrp cache json", `{"table": [
				{"interface": "gre1", "type": "local", "protocol": "172.31.0.1", "nbma": "192.0.2.1"},
				{"interface": "gre1", "type": "dynamic", "protocol": "172.31.0.11", "nbma": "198.51.100.1"},
				{"interface": "gre1", "type": "dynamic", "protocol": "172.31.0.12", "nbma": "203.0.113.1"}]}`),
			hasNeighbors(hub.Node, "gre1", map[string]string{"172.31.0.11": "198.51.100.1", "172.31.0.12": "203.0.113.1"}))
	}
	harness.Eventually(t, converge, func() error {
		return first(registered(),
			spoke1.ShowJSON("show dmvpn", `{"interfaces": [{"interface": "Tunnel0", "type": "Spoke", "nbmaPeers": 1, "peers": [
				{"nbma": "192.0.2.1", "tunnel": "172.31.0.1", "state": "UP", "attributes": "S"}]}]}`),
			hasNeighbors(spoke1.Node, "Tunnel0", map[string]string{"172.31.0.1": "192.0.2.1"}))
	})
	exchange(t, spoke1, hub)
	exchange(t, spoke2, hub)
	path, err := spoke1.hostNode.Traceroute(spoke2.host)
	if diff := cmp.Diff([]string{spoke1.lan, hub.tunnel, spoke2.tunnel, spoke2.host}, path); diff != "" || err != nil {
		t.Errorf("path from spoke to spoke over FRR: %v\n%s", err, diff)
	}

	f.Process("nhrpd").Kill()
	harness.Eventually(t, converge, func() error {
		return servers(`{"servers": [{"address": "172.31.0.1", "up": false}]}`)
	})
	f.Start("nhrpd")
	harness.Eventually(t, converge, registered)
	exchange(t, spoke1, hub)
	exchange(t, spoke2, hub)

	if err := zebra.Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	captured(t, hub, nhrp(spoke2.wan, packet.PurgeRequest), 1)
	spoke2.RestartZebra()
	harness.Eventually(t, converge, registered)
	exchange(t, spoke2, hub)
	for _, s := range []*site{spoke1, spoke2} {
		captured(t, hub, harness.All(harness.Between("", s.wan), nhrp(hub.wan, packet.RegistrationReply)), 2)
	}
	checkWire(t, hub)
}
