package frr_test

import (
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// frrRegistered tells whether our hub has FRR's spoke2, and FRR our hub.
func frrRegistered(hub, spoke *site, f *harness.FRR) error {
	return first(
		hub.ShowJSON("show ip nhrp", `{"entries": [{"interface": "Tunnel0", "target": "172.31.0.12/32",
			"nextHop": "172.31.0.12", "nbma": "203.0.113.1", "type": "dynamic", "holdtime": 9,
			"flags": ["unique", "registered"], "requester": "172.31.0.12"}]}`),
		f.ShowJSON("show ip nhrp nhs json", `{"table": [{"interface": "gre1", "nbma": "192.0.2.1", "protocol": "172.31.0.1"}]}`),
		f.ShowJSON("show ip nhrp cache json", `{"table": [
			{"interface": "gre1", "type": "local", "protocol": "172.31.0.12", "nbma": "203.0.113.1"},
			{"interface": "gre1", "type": "nhs", "protocol": "172.31.0.1", "nbma": "192.0.2.1"}]}`),
		hasNeighbors(spoke.Node, "gre1", map[string]string{"172.31.0.1": "192.0.2.1"}),
	)
}

// TestFRRSpoke has FRR as the only spoke of our hub. FRR does not know the hub's
// overlay address ("nhs dynamic"): it puts its own into the request's destination
// and takes the hub's from the reply's (RFC 2332 section 5.2.3). The hub is
// restarted; FRR's next refresh registers it again. FRR's nhrpd is killed and started
// again; its request identifiers begin anew, which RFC 2332 section 5.2.3 forbids
// and a hub must bear.
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
	request, reply := nhrp(spoke.wan, packet.RegistrationRequest), nhrp(hub.wan, packet.RegistrationReply)
	answered := spoke.uplink.Count(reply)
	captured(t, spoke, request, spoke.uplink.Count(request)+1) // FRR asks, nobody answers
	hub.RestartZebra()
	harness.Eventually(t, converge, registered)
	captured(t, spoke, reply, answered+1)
	exchange(t, spoke, hub)

	f.Process("nhrpd").Kill()
	f.Start("nhrpd")
	harness.Eventually(t, converge, registered)
	exchange(t, spoke, hub)
	checkWire(t, spoke)
}

// TestUniqueAddress gives two FRR spokes the same overlay address. FRR registers
// with the uniqueness bit: the second is refused with code 14 (RFC 2332 section
// 5.2.4), as long as the first one's registration lasts.
func TestUniqueAddress(t *testing.T) {
	thief := spoke1Site
	thief.tunnel = spoke2Site.tunnel
	sites := build(t, hubSite, spoke2Site, thief)
	hub, owner, second := sites[0], sites[1], sites[2]
	hub.ours(t)
	f := owner.frr(t, config(t, "frr-spoke.conf"))
	harness.Eventually(t, converge, func() error { return frrRegistered(hub, owner, f) })
	g := second.frr(t, config(t, "frr-spoke.conf"))
	refused := harness.All(nhrp(hub.wan, packet.RegistrationReply), func(f harness.Frame) bool {
		m, err := packet.Parse(f.Payload)
		return err == nil && len(m.CIEs) == 1 && m.CIEs[0].Code == packet.CodeUniqueAddressAlreadyPresent
	})
	captured(t, second, refused, 1)
	if err := frrRegistered(hub, owner, f); err != nil {
		t.Errorf("after the refusal: %v", err)
	}
	if err := hasNeighbors(hub.Node, "Tunnel0", map[string]string{"172.31.0.12": "203.0.113.1"}); err != nil {
		t.Errorf("after the refusal: %v", err)
	}
	if err := g.ShowJSON("show ip nhrp cache json", `{"table": [{"type": "nhs"}]}`); err == nil {
		t.Error("FRR takes a refusal as success")
	}

	f.Process("nhrpd").Kill() // the hub forgets the owner after the holding time
	harness.Eventually(t, converge, func() error {
		return first(
			hasNeighbors(hub.Node, "Tunnel0", map[string]string{"172.31.0.12": "198.51.100.1"}),
			g.ShowJSON("show ip nhrp cache json", `{"table": [{"type": "nhs", "protocol": "172.31.0.1"}]}`))
	})
	checkWire(t, second)
}
