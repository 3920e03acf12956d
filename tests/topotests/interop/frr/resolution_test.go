package frr_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// multipoint is the configuration of a spoke of ours with a multipoint tunnel.
func multipoint(t *testing.T, name string) string {
	t.Helper()
	return strings.Replace(config(t, name+".conf"), "tunnel destination 192.0.2.1",
		"tunnel mode gre multipoint\n ip nhrp map 172.31.0.1 192.0.2.1", 1)
}

// oursMultipoint is ours with a multipoint tunnel on a spoke, and further lines, which
// belong to the top or to Tunnel0.
func (s *site) oursMultipoint(t *testing.T, lines ...string) *harness.Zebra {
	t.Helper()
	return s.StartZebra(multipoint(t, s.name) + strings.Join(lines, "\n") + "\n")
}

// resolved tells whether a router of ours has resolved a station of the tunnel.
func resolved(s *site, station, nbma string) error {
	return first(
		s.ShowJSON("show ip nhrp", fmt.Sprintf(`{"entries": [{"target": "%s/32", "type": "dynamic", "nbma": %q}]}`, station, nbma)),
		has(s.Node, "Tunnel0", station, nbma))
}

// has tells whether a kernel has a neighbour on a tunnel.
func has(n *harness.Node, device, station, nbma string) error {
	if got := neighbors(n, device)[station]; got != nbma {
		return fmt.Errorf("%s: %s is at %q on %s in the kernel, want %s", n.Name(), station, got, device, nbma)
	}
	return nil
}

// TestResolutionByFRRHub has two spokes of ours find each other's tunnel address over
// FRR as the hub, which answers nothing itself but passes requests and replies on (RFC
// 2332 sections 5.2.1, 5.2.2). The first packet arrives, by way of the hub; then they
// go directly. One spoke ends in order: it takes back what it answered by a Purge
// Request to the other (section 5.2.5).
func TestResolutionByFRRHub(t *testing.T) {
	sites := build(t, hubSite, spoke1Site, spoke2Site)
	hub, spoke1, spoke2 := sites[0], sites[1], sites[2]
	hub.frr(t, config(t, "frr-hub.conf"), "10.11.0.0/24", spoke1Site.tunnel, "10.12.0.0/24", spoke2Site.tunnel)
	spoke1.oursMultipoint(t)
	zebra := spoke2.oursMultipoint(t)
	harness.Eventually(t, converge, func() error {
		return hasNeighbors(hub.Node, "gre1", map[string]string{"172.31.0.11": "198.51.100.1", "172.31.0.12": "203.0.113.1"})
	})
	for _, s := range []*site{spoke1, spoke2} {
		harness.Eventually(t, converge, func() error {
			return s.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "up": true}]}`)
		})
	}
	spoke1.MustPing(spoke2.tunnel, 3)
	harness.Eventually(t, converge, func() error {
		return first(resolved(spoke1, spoke2.tunnel, spoke2.wan), resolved(spoke2, spoke1.tunnel, spoke1.wan))
	})
	request := harness.All(nhrp(spoke1.wan, packet.ResolutionRequest), harness.Between("", hub.wan))
	if n := cloud.Questions(spoke1.uplink, request); n != 1 {
		t.Errorf("%d Resolution Requests of spoke1 to FRR, want 1", n)
	}
	there, back := data(spoke1.wan, spoke2.wan), data(spoke2.wan, spoke1.wan)
	before := [2]int{spoke1.uplink.Count(there), spoke1.uplink.Count(back)}
	spoke1.MustPing(spoke2.tunnel, 3)
	captured(t, spoke1, there, before[0]+3)
	captured(t, spoke1, back, before[1]+3)

	if err := zebra.Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	captured(t, hub, nhrp(spoke2.wan, packet.PurgeRequest), 1)
	checkWire(t, hub)
	checkWire(t, spoke1)
}

// TestResolutionOfFRRSpoke has a spoke of ours find FRR's spoke with our hub, which
// answers from the registration. The hub forgets it, and purges it from who was told;
// FRR's next registration brings it back. FRR's spoke ends without a word: what was told
// of it ends with its holding time.
func TestResolutionOfFRRSpoke(t *testing.T) {
	sites := build(t, hubSite, spoke1Site, spoke2Site)
	hub, spoke1, spoke2 := sites[0], sites[1], sites[2]
	hub.ours(t)
	spoke1.oursMultipoint(t)
	f := spoke2.frr(t, config(t, "frr-spoke.conf"), "10.10.0.0/24", hub.tunnel, "10.11.0.0/24", hub.tunnel)
	harness.Eventually(t, converge, func() error {
		return first(frrRegistered(hub, spoke2, f),
			spoke1.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "up": true}]}`))
	})
	spoke1.hostNode.MustPing(spoke2.tunnel, 3) // FRR answers the host by way of the hub
	harness.Eventually(t, converge, func() error { return resolved(spoke1, spoke2.tunnel, spoke2.wan) })
	there := data(spoke1.wan, spoke2.wan)
	before := spoke1.uplink.Count(there)
	spoke1.hostNode.MustPing(spoke2.tunnel, 3)
	captured(t, spoke1, there, before+3)

	hub.MustVtysh("clear ip nhrp " + spoke2.tunnel)
	captured(t, spoke1, harness.All(nhrp(hub.wan, packet.PurgeRequest), harness.Between("", spoke1.wan)), 1)
	captured(t, spoke1, harness.All(nhrp(spoke1.wan, packet.PurgeReply), harness.Between("", hub.wan)), 1)
	harness.Eventually(t, converge, func() error { return frrRegistered(hub, spoke2, f) })

	f.Process("nhrpd").Kill()
	harness.Eventually(t, converge, func() error {
		return hasNeighbors(spoke1.Node, "Tunnel0", map[string]string{hub.tunnel: hub.wan})
	})
	checkWire(t, spoke1)
}
