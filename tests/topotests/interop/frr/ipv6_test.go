package frr_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// frrHub6 is FRR's configuration of a hub for IPv6 in the tunnel. FRR 8.4.4 has no
// authentication for it, and takes the device's shortest prefix for its address, which
// it then finds not to be a host's: it must not have a link-local one.
const frrHub6 = `hostname FRRHUB
debug nhrp all
interface gre1
 no link-detect
 ipv6 nhrp network-id 1
 ipv6 nhrp holdtime 60
`

// spoke6 is a spoke of ours with IPv6 in its tunnel.
func spoke6(s *site, tunnel string) string {
	return fmt.Sprintf(`interface wan
 ip address %s 255.255.255.252
ip route 0.0.0.0 0.0.0.0 %s
interface Tunnel0
 ipv6 address %s/64
 ipv6 nhrp network-id 1
 ipv6 nhrp nhs 2001:db8::1 nbma 192.0.2.1
 ip mtu 1400
 tunnel source wan
 tunnel mode gre multipoint
 tunnel key %d
`, s.wan, s.gateway, tunnel, key)
}

// neighbors6 are the global IPv6 neighbours on a tunnel.
func neighbors6(n *harness.Node, device string) map[string]string {
	got := map[string]string{}
	for _, e := range n.Neighbors(device) {
		if e.Address.Is6() && e.Address.IsGlobalUnicast() && e.NBMA.IsValid() {
			got[e.Address.String()] = e.NBMA.String()
		}
	}
	return got
}

// TestFRRHubIPv6 has FRR as the hub of two spokes of ours with IPv6 in the tunnel. They
// register with a CIE for their link-local addresses too, and resolve each other by it.
func TestFRRHubIPv6(t *testing.T) {
	sites := build(t, hubSite, spoke1Site, spoke2Site)
	hub, spoke1, spoke2 := sites[0], sites[1], sites[2]
	batch := fmt.Sprintf(`addr add %s/30 dev wan
route add default via %s
link add gre1 type gre key %d local %s ttl 64
link set gre1 addrgenmode none
link set gre1 mtu 1400 up
addr add 2001:db8::1/128 dev gre1
route add 2001:db8::/64 dev gre1
`, hub.wan, hub.gateway, key, hub.wan)
	file := filepath.Join(hub.Rundir(), "ip.batch")
	if err := os.WriteFile(file, []byte(batch), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Run("ip", "-batch", file); err != nil {
		t.Fatal(err)
	}
	f := hub.StartFRR(frrHub6, "nhrpd")
	spoke1.StartZebra(spoke6(spoke1, "2001:db8::11"))
	spoke2.StartZebra(spoke6(spoke2, "2001:db8::12"))
	for _, s := range []*site{spoke1, spoke2} {
		harness.Eventually(t, converge, func() error {
			return s.ShowJSON("show ipv6 nhrp nhs", `{"servers": [{"address": "2001:db8::1", "nbma": "192.0.2.1", "up": true}]}`)
		})
	}
	want := func(n *harness.Node, device string, neighbor map[string]string) {
		t.Helper()
		harness.Eventually(t, converge, func() error {
			if diff := cmp.Diff(neighbor, neighbors6(n, device)); diff != "" {
				return fmt.Errorf("%s: neighbours on %s in the kernel (-want +got):\n%s", n.Name(), device, diff)
			}
			return nil
		})
	}
	want(hub.Node, "gre1", map[string]string{"2001:db8::11": "198.51.100.1", "2001:db8::12": "203.0.113.1"})
	if err := f.ShowJSON("show ipv6 nhrp cache json", `{"table": [
		{"interface": "gre1", "type": "dynamic", "protocol": "2001:db8::11", "nbma": "198.51.100.1"},
		{"interface": "gre1", "type": "dynamic", "protocol": "2001:db8::12", "nbma": "203.0.113.1"}]}`); err != nil {
		t.Error(err)
	}
	harness.Eventually(t, converge, func() error { return spoke1.Reaches("2001:db8::1") })
	harness.Eventually(t, converge, func() error { return spoke1.Reaches("2001:db8::12") })
	want(spoke1.Node, "Tunnel0", map[string]string{"2001:db8::1": "192.0.2.1", "2001:db8::12": "203.0.113.1"})
}
