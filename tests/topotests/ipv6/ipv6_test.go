package ipv6

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// overIPv4 is IPv6 in tunnels over IPv4.
var overIPv4 = plan{over: six, under: four, uplink: 30,
	tunnel: [3]string{"2001:db8::1/64", "2001:db8::11/64", "2001:db8::12/64"},
	nbma:   [3]string{"192.0.2.1", "198.51.100.1", "203.0.113.1"},
	lan:    [3]string{"", "2001:db8:11::/64", "2001:db8:12::/64"}, summary: "2001:db8:10::/44",
}

// TestIPv6OverIPv4 is phase2 with IPv6 in the tunnel.
func TestIPv6OverIPv4(t *testing.T) {
	c := build(t, overIPv4)
	c.linkLocal()
	c.multicast("ff05::9")
	c.phase2()
}

// overIPv6 is IPv4 in tunnels over IPv6, bothIPv6 IPv6 over IPv6.
var (
	overIPv6 = plan{over: four, under: six, uplink: 64,
		tunnel: [3]string{"172.31.0.1/24", "172.31.0.11/24", "172.31.0.12/24"},
		nbma:   [3]string{"2001:db8:f0::1", "2001:db8:f1::1", "2001:db8:f2::1"},
		lan:    [3]string{"", "10.11.0.0/24", "10.12.0.0/24"}, summary: "10.0.0.0/8",
	}
	bothIPv6 = plan{over: six, under: six, uplink: 64,
		tunnel: overIPv4.tunnel, nbma: overIPv6.nbma, lan: overIPv4.lan, summary: overIPv4.summary}
)

// TestIPv4OverIPv6 is phase2 with IPv6 as the transport.
func TestIPv4OverIPv6(t *testing.T) {
	c := build(t, overIPv6)
	c.multicast("239.1.2.3")
	c.phase2()
}

// TestIPv6OverIPv6 is phase2 with IPv6 on both levels, and without a key: such packets
// have key 0 before Linux 6.2, which is none for Linux.
func TestIPv6OverIPv6(t *testing.T) {
	p := bothIPv6
	p.keyless = true
	c := build(t, p)
	c.linkLocal()
	c.multicast("ff05::9")
	c.phase2()
}

// phase1 is a plan with point-to-point tunnels from the spokes.
func phase1(p plan) plan { p.phase = 1; return p }

// phase3 is a plan with a redirecting hub.
func phase3(p plan) plan { p.phase = 3; return p }

// TestPhase1OverIPv6: point-to-point tunnels over IPv6, by a front-door VRF, to a
// multipoint one. All goes by way of the hub.
func TestPhase1OverIPv6(t *testing.T) {
	p := phase1(overIPv6)
	p.frontDoor = true
	c := build(t, p)
	c.multicast("239.1.2.3")
	r, err := c.hosts[1].Ping(c.p.host(2, 2), "", 20)
	if err != nil || r.Received != r.Sent {
		t.Errorf("%d of %d packets arrived, %v", r.Received, r.Sent, err)
	}
	if n, m := c.echoes(1, 0), c.echoes(1, 2); n != 20 || m != 0 {
		t.Errorf("%d packets to the hub and %d to the other spoke on the underlay", n, m)
	}
}

// TestPhase3IPv6OverIPv4, TestPhase3IPv6OverIPv6: the hub redirects, the spokes have a
// shortcut for each other's LAN.
func TestPhase3IPv6OverIPv4(t *testing.T) { build(t, phase3(overIPv4)).shortcut() }

func TestPhase3IPv6OverIPv6(t *testing.T) { build(t, phase3(bothIPv6)).shortcut() }

// TestKilledOverIPv6: zebra and nhrpd are killed where packets are sent over IPv6, and
// started again, and none is lost; TCP goes through in segments of many packets.
func TestKilledOverIPv6(t *testing.T) {
	c := build(t, overIPv6)
	flow := c.hosts[1].Flow(c.p.host(2, 2), 20*time.Millisecond)
	c.want(1, 0, 2)
	c.want(2, 0, 1)
	if err := c.transfer(); err != nil {
		t.Error(err)
	}
	flow.Stop()

	flow = c.hosts[1].Flow(c.p.host(2, 2), 20*time.Millisecond)
	pids := c.routers[1].Pids("nhrpd")
	c.zebras[1].Kill()
	for _, pid := range pids {
		c.routers[1].KillPid(pid)
	}
	killed := flow.Sent()
	harness.Eventually(t, converge, func() error {
		if n := flow.Sent(); n < killed+20 {
			return fmt.Errorf("%d packets without zebra", n-killed)
		}
		return nil
	})
	c.routers[1].RestartZebra()
	harness.Eventually(t, converge, func() error {
		return c.routers[1].ShowJSON("show ip nhrp nhs", `{"servers": [{"up": true}]}`)
	})
	c.want(1, 0, 2)
	if r := flow.Stop(); r.Received < r.Sent {
		t.Errorf("%d of %d packets arrived; lost: %v", r.Received, r.Sent, r.Lost)
	}
	if err := c.transfer(); err != nil {
		t.Error(err)
	}
}

// shortcut: a flow by way of the hub is redirected, once for each direction, and goes
// directly from then on by a route of NHRP, and no packet is lost.
func (c *cloud) shortcut() {
	t := c.t
	routes := func(i int) error {
		other := 3 - i
		for _, r := range c.routers[i].RoutesOf(harness.ProtocolNumber(rib.NHRP)) {
			if r.Prefix.String() == c.p.lan[other] && len(r.Hops) == 1 && r.Hops[0].Gateway.String() == c.p.station(other) && r.Hops[0].Device == "Tunnel0" {
				return nil
			}
		}
		return fmt.Errorf("%s has no route of NHRP to %s: %v", c.routers[i].Name(), c.p.lan[other], c.routers[i].Routes())
	}
	began := time.Now()
	flow := c.hosts[1].Flow(c.p.host(2, 2), 20*time.Millisecond)
	for i := 1; i < 3; i++ {
		harness.Eventually(t, converge, func() error { return routes(i) })
		c.want(i, 0, 3-i)
		n, most := c.wan[i].Count(c.nhrp(packet.TrafficIndication, 0, i)), 1+int(time.Since(began)/core.DefaultRedirectTimeout)
		if n < 1 || n > most {
			t.Errorf("%d Traffic Indications for %s, want 1, and %d at most", n, c.routers[i].Name(), most)
		}
	}
	out, back := c.echoes(1, 2), c.echoes(2, 1)
	harness.Eventually(t, converge, func() error {
		if c.echoes(1, 2) < out+20 || c.echoes(2, 1) < back+20 {
			return errors.New("no packets from spoke to spoke")
		}
		return nil
	})
	if r := flow.Stop(); r.Received < r.Sent || r.Sent < 20 {
		t.Errorf("%d of %d packets arrived; lost: %v", r.Received, r.Sent, r.Lost)
	}
	if n := c.requests(); n != 1 {
		t.Errorf("%d Resolution Requests for one flow, want 1", n)
	}
	c.dissected()

	// The LAN goes, and with it the shortcut to it.
	c.routers[2].Down(c.lans[2])
	harness.Eventually(t, converge, func() error {
		if routes(1) == nil {
			return errors.New("the shortcut outlives the LAN")
		}
		return nil
	})
}

// linkLocal: hub and spokes reach each other by their link-local addresses, as
// routing protocols for IPv6 do, and the hub need not be asked for those of spokes.
func (c *cloud) linkLocal() {
	c.t.Helper()
	at := [3]string{"fe80::d0", "fe80::d1", "fe80::d2"} // as configured
	for i := 1; i < 3; i++ {
		harness.Eventually(c.t, converge, func() error {
			return c.routers[0].ShowJSON("show ipv6 nhrp "+at[i], fmt.Sprintf(
				`{"entries": [{"target": "%s/128", "nbma": "%s", "type": "dynamic", "requester": "%s"}]}`, at[i], c.p.nbma[i], c.p.station(i)))
		})
	}
	for _, way := range [][2]int{{0, 1}, {0, 2}, {1, 0}, {1, 2}} {
		harness.Eventually(c.t, converge, func() error { return c.routers[way[0]].Reaches(at[way[1]] + "%Tunnel0") })
	}
}

// multicast: what the hub sends to a group goes to every spoke, and what a spoke
// sends, to the hub; each once. It does as soon as the list of who is there is whole.
func (c *cloud) multicast(group string) {
	c.t.Helper()
	for from, to := range map[int][]int{0: {1, 2}, 1: {0}, 2: {0}} {
		const port = 5000
		for i := range c.wan {
			c.wan[i].Clear()
		}
		text := "" // of the packet that was sent last
		copies := func(at int, m harness.Match) int {
			return c.wan[at].Count(harness.All(m, harness.IsGRE, harness.Inside(harness.Between("", group)),
				func(f harness.Frame) bool { return string(f.UDP()) == text }))
		}
		harness.Eventually(c.t, converge, func() error {
			if text != "" && copies(from, harness.IsUDP(port)) == len(to) {
				return nil
			}
			text += "again "
			if err := toGroup(c.routers[from], "Tunnel0", netip.AddrPortFrom(netip.MustParseAddr(group), port), text); err != nil {
				return err
			}
			return fmt.Errorf("%s does not send to all", c.routers[from].Name())
		})
		for _, i := range to {
			harness.Eventually(c.t, converge, func() error {
				if n := copies(i, harness.Between(c.p.nbma[from], c.p.nbma[i])); n != 1 {
					return fmt.Errorf("%s has %d copies of what %s sent", c.routers[i].Name(), n, c.routers[from].Name())
				}
				return nil
			})
		}
		if n := copies(from, harness.IsUDP(port)); n != len(to) {
			c.t.Errorf("%s sent %d copies, want %d", c.routers[from].Name(), n, len(to))
		}
	}
}

// phase2: the first packet between two spokes arrives, by way of the hub, and none
// after it is lost; what follows goes directly, after one request of each.
func (c *cloud) phase2() {
	t := c.t
	flow := c.hosts[1].Flow(c.p.host(2, 2), 20*time.Millisecond)
	c.want(1, 0, 2)
	c.want(2, 0, 1)
	if n := c.requests(c.p.station(2), c.p.host(2, 2)); n != 1 {
		t.Errorf("%d Resolution Requests for one flow, want 1", n)
	}
	arrived := flow.Received()
	harness.Eventually(t, converge, func() error {
		if n := flow.Received(); n < arrived+20 {
			return fmt.Errorf("%d packets since both are resolved", n-arrived)
		}
		return nil
	})
	if out, back := c.echoes(1, 2), c.echoes(2, 1); out < 20 || back < 20 {
		t.Errorf("%d packets to and %d from the other spoke on the underlay, want 20 at least", out, back)
	}
	if r := flow.Stop(); r.Received < r.Sent || r.Sent < 20 {
		t.Errorf("%d of %d packets arrived while the spokes resolved each other; lost: %v", r.Received, r.Sent, r.Lost)
	}
	if err := c.routers[1].ShowJSON("show dmvpn "+map[family]string{four: "ipv4", six: "ipv6"}[c.p.over], fmt.Sprintf(
		`{"interfaces": [{"interface": "Tunnel0", "type": "Spoke", "peers": [{"nbma": "%s", "tunnel": "%s", "state": "UP"}]}]}`,
		c.p.nbma[2], c.p.station(2))); err != nil {
		t.Error(err)
	}

	// What the hub forgets it takes back from whom it told.
	c.routers[0].MustVtysh(fmt.Sprintf("clear %s nhrp %s", c.p.over.word, c.p.station(2)))
	harness.Eventually(t, converge, func() error {
		if c.wan[1].Count(c.nhrp(packet.PurgeRequest, 0, 1)) == 0 {
			return errors.New("no Purge Request")
		}
		return nil
	})
	c.want(1, 0)
	c.dissected()
}

// dissected has tshark read the NHRP packets of spoke1. It looks for the sender's
// address in the Authentication extension, which Cisco's form does not have, and
// misses it where there is no room for one.
func (c *cloud) dissected() {
	c.t.Helper()
	got, err := harness.Dissect([]*harness.Capture{c.wan[1]}, "nhrp")
	if err != nil || len(got) < 4 {
		c.t.Errorf("tshark finds %d NHRP packets, %v", len(got), err)
	}
	for _, d := range got {
		if d.Complaint != "" && d.Complaint != "_ws.malformed Incomplete Authentication Extension" {
			c.t.Errorf("tshark says %q about %v", d.Complaint, d.Frame)
		}
	}
}
