package rippeers_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/rippeers"
)

// TestTunnel has FRR as the hub and BIRD as a spoke over mGRE with a key, on which
// nobody copies multicast: each sends to the other's address.
func TestTunnel(t *testing.T) {
	tp := harness.New(t)
	hub, spoke := tp.Router("hub"), tp.Router("spoke")
	tp.Link(hub, "wan", "192.0.2.1/30", spoke, "wan", "192.0.2.2/30")
	wire := hub.Capture("wan")
	tunnel(t, hub, "192.0.2.1", "172.31.0.1", "172.31.0.2", "192.0.2.2")
	tunnel(t, spoke, "192.0.2.2", "172.31.0.2", "172.31.0.1", "192.0.2.1")
	inside := hub.Capture("gre1")
	config := func(static, neighbor string) rippeers.RIP {
		return rippeers.RIP{Static: []string{static}, Interfaces: []rippeers.Interface{{Device: "gre1",
			Network: "172.31.0.0/24", Neighbors: []string{neighbor}, Auth: rippeers.WithKey(rippeers.MD5, "overgre")}}}
	}
	f := hub.StartFRR(config("10.1.0.0/24", "172.31.0.2").FRR(), rippeers.FRRDaemons...)
	b := spoke.StartBIRD(config("10.2.0.0/24", "172.31.0.1").BIRD("192.0.2.2"))
	known := func() error {
		if err := hub.HasRoutes(harness.ProtocolNumber(rib.RIP), "10.2.0.0/24 via 172.31.0.2 dev gre1"); err != nil {
			return err
		}
		return spoke.HasRoutes(harness.ProtocolBIRD, "10.1.0.0/24 via 172.31.0.1 dev gre1")
	}
	harness.Eventually(t, converge, known)
	b.Stop() // its RIP says nothing: FRR's timers decide
	hub.WaitRoutes(converge, harness.ProtocolNumber(rib.RIP))
	b.Start()
	harness.Eventually(t, converge, known)
	f.Kill("ripd") // says nothing
	spoke.WaitRoutes(converge, harness.ProtocolBIRD)
	f.Start("ripd")
	harness.Eventually(t, converge, known)

	rip := harness.IsUDP(harness.PortRIP)
	for _, c := range []*harness.Capture{wire, inside} {
		c.Stop()
		if n := c.Count(harness.All(rip, harness.Inside(harness.Between("172.31.0.1", "172.31.0.2")))); n < 2 {
			t.Errorf("%d RIP packets from hub to spoke", n)
		}
	}
	if err := harness.CheckDissected("rip", 4, wire, inside); err != nil {
		t.Error(err)
	}
	if n := inside.Count(harness.IsGRE); n != 0 {
		t.Errorf("%d packets of GRE inside of GRE", n)
	}
}

// tunnel makes an mGRE device with one static neighbour.
func tunnel(t *testing.T, n *harness.Node, local, addr, peer, nbma string) {
	t.Helper()
	a := netlink.NewLinkAttrs()
	a.Name, a.MTU = "gre1", 1400
	if err := n.Netlink().LinkAdd(&netlink.Gretun{LinkAttrs: a, Local: netip.MustParseAddr(local).AsSlice(), IKey: 100, OKey: 100, Ttl: 64}); err != nil {
		t.Fatal(err)
	}
	l, err := n.Netlink().LinkByName("gre1")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Netlink().LinkSetARPOn(l); err != nil {
		t.Fatal(err)
	}
	if err := n.Netlink().LinkSetMulticastOn(l); err != nil {
		t.Fatal(err)
	}
	n.Addr("gre1", addr+"/24")
	n.Up("gre1")
	if err := n.Netlink().NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT,
		IP: netip.MustParseAddr(peer).AsSlice(), LLIPAddr: netip.MustParseAddr(nbma).AsSlice()}); err != nil {
		t.Fatal(err)
	}
}

// TestHMAC has two BIRDs with a link for each HMAC of RFC 4822 that FRR has not,
// over which they exchange their routes with equal cost.
func TestHMAC(t *testing.T) {
	tp := harness.New(t)
	a, b := tp.Router("a"), tp.Router("b")
	config := func(static string) (c rippeers.RIP) {
		c.Static, c.Extra = []string{static}, "ecmp on;"
		for i, mode := range []rippeers.Mode{rippeers.HMACSHA1, rippeers.HMACSHA256, rippeers.HMACSHA384, rippeers.HMACSHA512} {
			c.Interfaces = append(c.Interfaces, rippeers.Interface{Device: fmt.Sprintf("eth%d", i),
				Network: fmt.Sprintf("10.9.%d.0/24", i), Auth: rippeers.WithKey(mode, "k-"+string(mode))})
		}
		return c
	}
	var hops, back string
	var captures []*harness.Capture
	for i := range 4 {
		dev := fmt.Sprintf("eth%d", i)
		tp.Link(a, dev, fmt.Sprintf("10.9.%d.1/24", i), b, dev, fmt.Sprintf("10.9.%d.2/24", i))
		hops += fmt.Sprintf(" via 10.9.%d.2 dev %s", i, dev)
		back += fmt.Sprintf(" via 10.9.%d.1 dev %s", i, dev)
		captures = append(captures, a.Capture(dev))
	}
	a.StartBIRD(config("10.1.0.0/24").BIRD("192.0.2.1"))
	b.StartBIRD(config("10.2.0.0/24").BIRD("192.0.2.2"))
	a.WaitRoutes(converge, harness.ProtocolBIRD, "10.2.0.0/24"+hops)
	b.WaitRoutes(converge, harness.ProtocolBIRD, "10.1.0.0/24"+back)
	// RFC 4822 section 2.1: the length of the authentication data is that of the hash.
	for i, octets := range []int{20, 32, 48, 64} {
		for _, f := range captures[i].Frames(harness.IsUDP(harness.PortRIP)) {
			data := f.UDP()
			if len(data) < 24 || data[4] != 0xff || data[5] != 0xff || data[6] != 0 || data[7] != 3 {
				t.Errorf("eth%d: a packet without cryptographic authentication: %x", i, data)
				continue
			}
			if trailer := len(data) - (int(data[8])<<8 | int(data[9])) - 4; trailer != octets {
				t.Errorf("eth%d: %d octets of authentication data, want %d", i, trailer, octets)
			}
		}
	}
}
