package edge

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestResolve: what of a speaker's configuration depends on interfaces.
func TestResolve(t *testing.T) {
	addr := netip.MustParseAddr
	iface := func(name string, kind rib.InterfaceType, vrf string, up bool, addresses ...string) rib.Interface {
		i := rib.Interface{Name: name, KernelName: "k" + name, Index: 3, Type: kind, VRF: vrf, Up: up}
		for _, a := range addresses {
			i.Addresses = append(i.Addresses, rib.Address{Prefix: netip.MustParsePrefix(a)})
		}
		return i
	}
	links := map[string]rib.Interface{}
	put := func(i rib.Interface) { links[i.Name] = i }
	put(iface("eth0", rib.TypeEthernet, "", true, "192.0.2.7/24", "2001:db8::7/64"))
	put(iface("eth1", rib.TypeEthernet, "", false, "203.0.113.7/24"))
	put(iface("eth2", rib.TypeEthernet, "RED", true, "10.9.0.1/24"))
	put(iface("RED", rib.TypeVRF, "", true))
	r := &cli.Router{Peers: map[netip.Addr]*cli.Peer{addr("192.0.2.1"): {}, addr("192.0.2.2"): {Source: "Loopback0"}, addr("2001:db8::1"): {Source: "eth0"}}}
	for _, n := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"} {
		r.Speaker.Neighbors = append(r.Speaker.Neighbors, speaker.Neighbor{Address: addr(n)})
	}
	check := func(what, id string, neighbors int, old string) speaker.Config {
		t.Helper()
		var was netip.Addr
		if old != "" {
			was = addr(old)
		}
		c, ok := resolve(r, links, was)
		if ok != (id != "") || ok && (c.Process.RouterID != addr(id) || len(c.Neighbors) != neighbors) {
			t.Errorf("%s: %t, router ID %v, %d neighbors", what, ok, c.Process.RouterID, len(c.Neighbors))
		}
		return c
	}
	c := check("an interface that is up", "192.0.2.7", 2, "")
	if c.Neighbors[1].Source != addr("2001:db8::7") || c.Neighbors[0].Source.IsValid() || c.Process.Device != "" {
		t.Errorf("%+v", c.Neighbors)
	}
	put(iface("Loopback0", rib.TypeLoopback, "", true, "10.255.0.1/32"))
	if c = check("a loopback", "10.255.0.1", 3, ""); c.Neighbors[1].Source != addr("10.255.0.1") {
		t.Errorf("%+v", c.Neighbors)
	}
	check("the one in use", "192.0.2.7", 3, "192.0.2.7")
	check("the one in use, gone", "10.255.0.1", 3, "192.0.2.99")
	r.RouterID = addr("1.1.1.1")
	check("the configured one", "1.1.1.1", 3, "192.0.2.7")
	r.RouterID = netip.Addr{}
	r.VRF = "RED"
	if c = check("a VRF", "10.9.0.1", 3, ""); c.Process.Device != "kRED" {
		t.Errorf("device %q", c.Process.Device)
	}
	delete(links, "RED")
	check("no VRF", "", 0, "")
	r.VRF, links = "", map[string]rib.Interface{}
	check("no address", "", 0, "")
}

// TestReturning: who was there before the restart comes back to its group, and is awaited
// with the families of the group; others are not.
func TestReturning(t *testing.T) {
	addr := netip.MustParseAddr
	settings := speaker.Settings{RemoteAS: 1, RestartTime: 60, IPv4: speaker.Family{Active: true}, IPv6: speaker.Family{Active: true}}
	deaf := settings
	deaf.RestartTime = 0
	groups := []speaker.Group{
		{Name: "A", Ranges: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Settings: settings},
		{Name: "B", Ranges: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}, Settings: deaf},
	}
	c := speaker.Config{Groups: groups, Neighbors: []speaker.Neighbor{{Address: addr("10.1.0.7"), Settings: settings}}}
	var m memory
	for _, key := range []string{"10.1.0.1", "10.1.0.7", "10.2.0.1", "10.3.0.1", "10.1.0.2 RED", "bogus"} {
		m.recall(rib.TopicMessage{Topic: memoryTopic, Key: key, Payload: memoryValue})
	}
	m.recall(rib.TopicMessage{Topic: memoryTopic, Key: "10.1.0.9"}) // has gone
	if got := m.before["RED"]; len(got) != 1 || got[0] != addr("10.1.0.2") {
		t.Errorf("in the VRF: %v", got)
	}
	if got := returning(&c, m.before[""]); got != nil {
		t.Errorf("without a restart: %v", got)
	}
	c.Process.Restarting = true
	got := returning(&c, m.before[""])
	if want := []core.Neighbor{{Addr: addr("10.1.0.1"), Family: rib.IPv4}, {Addr: addr("10.1.0.1"), Family: rib.IPv6}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if a := c.Groups[0].Returning; len(a) != 1 || a[0] != addr("10.1.0.1") || c.Groups[1].Returning != nil || groups[0].Returning != nil {
		t.Errorf("%+v of %+v", c.Groups, groups)
	}
	m.whole = true
	m.recall(rib.TopicMessage{Topic: memoryTopic, Key: "10.1.0.8", Payload: memoryValue})
	if len(m.before[""]) != 4 {
		t.Errorf("this life's own: %v", m.before)
	}
}
