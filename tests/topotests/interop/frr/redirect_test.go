package frr_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// summary is the route to all LANs.
const summary = "10.0.0.0/8"

// pause is the time between two packets of a flow.
const pause = 50 * time.Millisecond

// redirects has FRR as a hub send Traffic Indications: its nhrpd gets copies of
// packets that leave by the tunnel that they came in, by a rule that is the user's to
// make, and which limits the rate.
func (s *site) redirects(t *testing.T) {
	t.Helper()
	const rule = "-A FORWARD -i gre1 -o gre1 -m hashlimit --hashlimit-upto 4/minute --hashlimit-burst 1 --hashlimit-mode srcip,dstip " +
		"--hashlimit-name redirect -j NFLOG --nflog-group 1 --nflog-range 128"
	if _, err := s.Run("iptables-legacy", strings.Fields(rule)...); err != nil {
		t.Fatal(err)
	}
}

// frrHub is FRR's configuration of a hub that redirects, frrShortcut that of a spoke
// that takes shortcuts.
func frrHub(t *testing.T) string {
	return config(t, "frr-hub.conf") + " ip nhrp redirect\nnhrp nflog-group 1\n"
}

func frrShortcut(t *testing.T, hub site) string {
	return strings.Replace(config(t, "frr-spoke.conf"), "nhs dynamic", "nhs "+hub.tunnel, 1) + " ip nhrp shortcut\n"
}

// summarized has a spoke of ours reach all LANs by one route.
func summarized(t *testing.T, name string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(multipoint(t, name)) {
		if !strings.HasPrefix(line, "ip route 10.") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "") + "ip route 10.0.0.0 255.0.0.0 172.31.0.1\n"
}

// network is the prefix of a site's LAN.
func (s site) network() string { return strings.TrimSuffix(s.lan, ".1") + ".0/24" }

// shortcuts waits until packets between two spokes go directly, both ways, and sends
// some that are all to arrive. Before that they go by way of the hub.
func shortcuts(t *testing.T, hub, a, b *site) {
	t.Helper()
	for _, way := range [][2]*site{{a, b}, {b, a}} {
		flow := way[0].hostNode.Flow(way[1].host, pause)
		harness.Eventually(t, converge, func() error {
			path, err := way[0].hostNode.Traceroute(way[1].host)
			if err != nil {
				return err
			}
			if diff := cmp.Diff([]string{way[0].lan, way[1].tunnel, way[1].host}, path); diff != "" {
				return fmt.Errorf("path from %s to %s (-want +got):\n%s", way[0].name, way[1].name, diff)
			}
			return nil
		})
		if r := flow.Stop(); r.Received < r.Sent {
			t.Errorf("%d of %d packets arrived from %s to %s; lost: %v", r.Received, r.Sent, way[0].name, way[1].name, r.Lost)
		}
	}
	byHub := hub.uplink.Count(harness.All(harness.IsGRE, harness.Inside(harness.IsProtocol(icmp))))
	exchange(t, a, b)
	if n := hub.uplink.Count(harness.All(harness.IsGRE, harness.Inside(harness.IsProtocol(icmp)))) - byHub; n > 0 {
		t.Errorf("%d packets by way of the hub, when both have their shortcuts", n)
	}
}

// icmp is the protocol number of what is sent.
const icmp = 1

// shortcutOf tells whether a spoke of ours shows and has the shortcut to another's LAN.
func shortcutOf(s, to *site) error {
	return first(
		s.ShowJSON("show ip nhrp shortcut", fmt.Sprintf(`{"entries": [{"target": %q, "nextHop": %q, "nbma": %q, "type": "dynamic"}]}`,
			to.network(), to.tunnel, to.wan)),
		has(s.Node, "Tunnel0", to.tunnel, to.wan))
}

// frrShortcutOf tells whether a spoke of FRR shows and has the shortcut to another's LAN.
func frrShortcutOf(f *harness.FRR, s, to *site) error {
	return first(
		frrShowsShortcut(f, to),
		has(s.Node, "gre1", to.tunnel, to.wan),
		hasRoute(s.Node, to.network(), to.tunnel))
}

// frrShowsShortcut reads what FRR shows of its shortcuts: JSON, below the heading of a
// table.
func frrShowsShortcut(f *harness.FRR, to *site) error {
	out, err := f.Vtysh("show ip nhrp shortcut json")
	if err != nil {
		return err
	}
	_, text, _ := strings.Cut(out, "\n")
	var got any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return fmt.Errorf("%w in %q", err, out)
	}
	return harness.SubsetText(got, fmt.Sprintf(`{"table": [{"type": "dynamic", "prefix": %q, "via": %q}]}`, to.network(), to.tunnel))
}

// hasRoute tells whether a kernel has a route of NHRP.
func hasRoute(n *harness.Node, prefix, via string) error {
	for _, r := range n.RoutesOf(harness.ProtocolNumber(rib.NHRP)) {
		if r.Prefix.String() == prefix && strings.Contains(r.String(), via) {
			return nil
		}
	}
	return fmt.Errorf("%s: no route of NHRP to %s by %s: %v", n.Name(), prefix, via, n.RoutesOf(harness.ProtocolNumber(rib.NHRP)))
}

// TestRedirectByFRRHub has FRR redirect two spokes of ours to each other: a Traffic
// Indication, a Resolution Request that FRR passes on, and the answer, for each.
func TestRedirectByFRRHub(t *testing.T) {
	sites := build(t, hubSite, spoke1Site, spoke2Site)
	hub, spoke1, spoke2 := sites[0], sites[1], sites[2]
	hub.frr(t, frrHub(t), spoke1Site.network(), spoke1Site.tunnel, spoke2Site.network(), spoke2Site.tunnel)
	hub.redirects(t)
	for _, s := range []*site{spoke1, spoke2} {
		s.StartZebra(summarized(t, s.name))
	}
	harness.Eventually(t, converge, func() error {
		return hasNeighbors(hub.Node, "gre1", map[string]string{"172.31.0.11": "198.51.100.1", "172.31.0.12": "203.0.113.1"})
	})
	shortcuts(t, hub, spoke1, spoke2)
	if err := first(shortcutOf(spoke1, spoke2), shortcutOf(spoke2, spoke1)); err != nil {
		t.Error(err)
	}
	for _, s := range []*site{spoke1, spoke2} {
		captured(t, s, harness.All(nhrp(hub.wan, packet.TrafficIndication), harness.Between("", s.wan)), 1)
	}
	checkWire(t, hub)
	checkWire(t, spoke1)
}

// TestRedirectFRRSpokes has our hub redirect two spokes of FRR to each other.
func TestRedirectFRRSpokes(t *testing.T) {
	sites := build(t, hubSite, spoke1Site, spoke2Site)
	hub, spoke1, spoke2 := sites[0], sites[1], sites[2]
	hub.StartZebra(config(t, "hub.conf") + " ip nhrp redirect\n")
	f1 := spoke1.frrBehind(t, hub, frrShortcut(t, hubSite), summary, hub.tunnel)
	f2 := spoke2.frrBehind(t, hub, frrShortcut(t, hubSite), summary, hub.tunnel)
	harness.Eventually(t, converge, func() error {
		return hasNeighbors(hub.Node, "Tunnel0", map[string]string{"172.31.0.11": "198.51.100.1", "172.31.0.12": "203.0.113.1"})
	})
	shortcuts(t, hub, spoke1, spoke2)
	if err := first(frrShortcutOf(f1, spoke1, spoke2), frrShortcutOf(f2, spoke2, spoke1)); err != nil {
		t.Error(err)
	}
	checkWire(t, hub)
	checkWire(t, spoke1)
}

// TestRedirectMixed has our hub redirect a spoke of ours and one of FRR to each other.
// Ours loses its LAN, and says so by Purge Requests to FRR, which has no handler for
// them: it does not answer, and is asked again.
func TestRedirectMixed(t *testing.T) {
	sites := build(t, hubSite, spoke1Site, spoke2Site)
	hub, spoke1, spoke2 := sites[0], sites[1], sites[2]
	hub.StartZebra(config(t, "hub.conf") + " ip nhrp redirect\n")
	spoke1.StartZebra(summarized(t, spoke1.name))
	f := spoke2.frr(t, frrShortcut(t, hubSite), summary, hub.tunnel)
	harness.Eventually(t, converge, func() error {
		return hasNeighbors(hub.Node, "Tunnel0", map[string]string{"172.31.0.11": "198.51.100.1", "172.31.0.12": "203.0.113.1"})
	})
	shortcuts(t, hub, spoke1, spoke2)
	if err := first(shortcutOf(spoke1, spoke2), frrShortcutOf(f, spoke2, spoke1)); err != nil {
		t.Error(err)
	}

	spoke1.Configure("interface GigabitEthernet2\nshutdown")
	captured(t, spoke1, harness.All(nhrp(spoke1.wan, packet.PurgeRequest), harness.Between("", spoke2.wan)), 3)
	if err := spoke1.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "up": true}]}`); err != nil {
		t.Error(err)
	}
	checkWire(t, hub)
	checkWire(t, spoke1)
}
