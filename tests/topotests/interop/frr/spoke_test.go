package frr_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// frrRegistered tells whether our hub has FRR's spoke2, and FRR our hub.
func frrRegistered(hub, spoke *site, f *harness.FRR) error {
	return first(
		hub.ShowJSON("show ip nhrp", `{"entries": [{"interface": "Tunnel0", "target": "172.31.0.12/32",
			"nextHop": "172.31.0.12", "nbma": "203.0.113.1", "type": "dynamic", "holdtime": 15,
			"flags": ["unique", "registered"], "requester": "172.31.0.12"}]}`),
		frrJSON(f, "show ip nhrp nhs json", `{"table": [{"interface": "gre1", "nbma": "192.0.2.1", "protocol": "172.31.0.1"}]}`),
		frrJSON(f, "show ip nhrp cache json", `{"table": [
			{"interface": "gre1", "type": "local", "protocol": "172.31.0.12", "nbma": "203.0.113.1"},
			{"interface": "gre1", "type": "nhs", "protocol": "172.31.0.1", "nbma": "192.0.2.1"}]}`),
		hasNeighbors(spoke.Node, "gre1", map[string]string{"172.31.0.1": "192.0.2.1"}),
	)
}

// TestFRRSpoke has FRR as the only spoke of our hub. FRR does not know the hub's
// overlay address ("nhs dynamic"): it puts its own into the request's destination
// and takes the hub's from the reply's (RFC 2332 section 5.2.3). The hub is
// restarted; FRR's next refresh registers it again.
func TestFRRSpoke(t *testing.T) {
	sites := build(t, hubSite, spoke2Site)
	hub, spoke := sites[0], sites[1]
	zebra := hub.ours(t)
	f := spoke.frr(t, config(t, "frr-spoke.conf"), "10.10.0.0/24", hubSite.tunnel)
	registered := func() error {
		return first(
			hub.ShowJSON("show dmvpn", `{"interfaces": [{"interface": "Tunnel0", "type": "Hub", "nbmaPeers": 1, "peers": [
				{"nbma": "203.0.113.1", "tunnel": "172.31.0.12", "state": "UP", "attributes": "D"}]}]}`),
			hasNeighbors(hub.Node, "Tunnel0", map[string]string{"172.31.0.12": "203.0.113.1"}),
			frrRegistered(hub, spoke, f))
	}
	harness.Eventually(t, converge, registered)
	exchange(t, spoke, hub)

	if err := zebra.Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	requests := func() int { return spoke.uplink.Count(nhrp("203.0.113.1", packet.RegistrationRequest)) }
	replies := func() int { return spoke.uplink.Count(nhrp("192.0.2.1", packet.RegistrationReply)) }
	before, answered := requests(), replies()
	harness.Eventually(t, converge, func() error {
		if requests() < before+1 {
			return fmt.Errorf("FRR sent %d requests, as many as before the hub ended", before)
		}
		return nil
	})
	hub.RestartZebra()
	harness.Eventually(t, converge, registered)
	if replies() <= answered {
		t.Error("FRR is registered after the restart without a reply on the wire")
	}
	exchange(t, spoke, hub)
	checkWire(t, spoke)
}

// exchange sends pings from LAN to LAN, both ways, and finds them in GRE with the
// key on the uplink of a.
func exchange(t *testing.T, a, b *site) {
	t.Helper()
	const pings = 3
	out, in := a.uplink.Count(data(a.wan, b.wan)), a.uplink.Count(data(b.wan, a.wan))
	a.hostNode.MustPing(b.host, pings)
	b.hostNode.MustPing(a.host, pings)
	out, in = a.uplink.Count(data(a.wan, b.wan))-out, a.uplink.Count(data(b.wan, a.wan))-in
	if diff := cmp.Diff([2]int{2 * pings, 2 * pings}, [2]int{out, in}); diff != "" {
		t.Errorf("packets in GRE with key %d from and to %s (-want +got):\n%s", key, a.name, diff)
	}
}
