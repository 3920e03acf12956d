package selftest

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// proto is a protocol number that nobody has.
const proto = 77

// TestHasRoutes compares routes with lines: what is left out is not compared, all
// else must be so.
func TestHasRoutes(t *testing.T) {
	tp := harness.New(t)
	a, b := tp.Node("a"), tp.Node("b")
	tp.Link(a, "eth0", "192.0.2.1/30", b, "eth0", "192.0.2.2/30")
	tp.Link(a, "eth1", "192.0.2.5/30", b, "eth1", "192.0.2.6/30")
	watch := a.WatchRoutes(proto)
	add(t, a, &netlink.Route{Dst: network("10.1.0.0/24"), Priority: 20, MultiPath: []*netlink.NexthopInfo{
		{Gw: net.ParseIP("192.0.2.6")}, {Gw: net.ParseIP("192.0.2.2")}}})
	add(t, a, &netlink.Route{Dst: network("10.2.0.0/24"), Type: unix.RTN_BLACKHOLE})
	const paths, hole = "10.1.0.0/24 via 192.0.2.2 dev eth0 via 192.0.2.6 dev eth1", "blackhole 10.2.0.0/24"
	for _, tc := range []struct {
		want []string
		ok   bool
	}{
		{[]string{paths + " metric 20", hole}, true},
		{[]string{hole, paths}, true},
		{[]string{hole, "10.1.0.0/24"}, true},
		{[]string{hole, "10.1.0.0/24 metric 20"}, true},
		{[]string{hole}, false},
		{[]string{hole, paths + " metric 21"}, false},
		{[]string{hole, "10.1.0.0/24 via 192.0.2.2 dev eth0 metric 20"}, false},
		{[]string{"10.2.0.0/24", paths}, false},
		{[]string{hole, paths, "10.3.0.0/24"}, false},
		{nil, false},
	} {
		if err := a.HasRoutes(proto, tc.want...); (err == nil) != tc.ok {
			t.Errorf("%q: %v", tc.want, err)
		}
	}
	if _, err := watch.WaitPrefixes(2, 20*time.Second); err != nil {
		t.Error(err)
	}
	if err := watch.Withdrawn(); err != nil {
		t.Error(err)
	}
	if err := a.Netlink().RouteDel(&netlink.Route{Dst: network("10.2.0.0/24"), Protocol: proto, Type: unix.RTN_BLACKHOLE}); err != nil {
		t.Fatal(err)
	}
	if _, err := watch.WaitPrefixes(1, 20*time.Second); err != nil {
		t.Error(err)
	}
	if err := watch.Withdrawn(); err == nil || !strings.Contains(err.Error(), hole) {
		t.Errorf("the watch has not seen that a route went: %v", err)
	}
	if _, err := watch.WaitPrefixes(2, 0); err == nil {
		t.Error("the watch counts a route that went")
	}
}

func network(s string) *net.IPNet {
	p := netip.MustParsePrefix(s)
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}

func add(t *testing.T, n *harness.Node, r *netlink.Route) {
	t.Helper()
	r.Protocol = proto
	if err := n.Netlink().RouteAdd(r); err != nil {
		t.Fatal(err)
	}
}

// TestLinkFailures breaks a link at one end, in one direction, and without a sign.
func TestLinkFailures(t *testing.T) {
	tp := harness.New(t)
	a, b := tp.Node("a"), tp.Node("b")
	link := tp.Link(a, "left", "192.0.2.1/30", b, "right", "192.0.2.2/30")
	carrier := func(n *harness.Node, device string) bool {
		l, err := n.Netlink().LinkByName(device)
		return err == nil && l.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
	}
	link.DownAt(b)
	harness.Eventually(t, 10*time.Second, func() error {
		if carrier(a, "left") {
			return fmt.Errorf("a has carrier although b is down")
		}
		return nil
	})
	link.UpAt(b)
	a.MustPing("192.0.2.2", 1)
	heard := b.Capture("right")
	echo := harness.All(harness.IsProtocol(1), harness.Between("192.0.2.1", ""))
	link.LossFrom(b, 100) // requests arrive, replies do not
	if err := a.Reaches("192.0.2.2"); err == nil {
		t.Error("a reply came out of a node that loses all")
	}
	harness.Eventually(t, 10*time.Second, func() error {
		if heard.Count(echo) == 0 {
			return fmt.Errorf("no request arrived")
		}
		return nil
	})
	link.Cut()
	heard.Clear()
	if err := a.Reaches("192.0.2.2"); err == nil || heard.Count(echo) != 0 || !carrier(a, "left") || !carrier(b, "right") {
		t.Errorf("a link that is cut: %v, %d requests arrived, carrier %v and %v", err, heard.Count(echo), carrier(a, "left"), carrier(b, "right"))
	}
	link.Mend()
	link.Mend() // what is not broken needs no mending
	a.MustPing("192.0.2.2", 1)
}

// TestDissect has tshark judge a right and a wrong RIP packet, of a link and of a
// tunnel over it.
func TestDissect(t *testing.T) {
	c := newCloud(t, 2)
	a, b := c.routers[0], c.routers[1]
	wire, inside := b.Capture("wan"), b.Capture("tun0")
	var listener net.PacketConn // an ICMP error would quote the packet
	if err := b.Do(func() (err error) {
		listener, err = net.ListenPacket("udp4", fmt.Sprintf(":%d", harness.PortRIP))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	send := func(data []byte) {
		t.Helper()
		err := a.Do(func() error {
			conn, err := net.DialUDP("udp4", &net.UDPAddr{Port: harness.PortRIP}, &net.UDPAddr{IP: net.ParseIP(tunnel(1)), Port: harness.PortRIP})
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Write(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rip := harness.All(harness.IsUDP(harness.PortRIP), harness.Inside(harness.Between(tunnel(0), tunnel(1))))
	seen := func(n int) {
		t.Helper()
		harness.Eventually(t, 20*time.Second, func() error {
			if w, i := wire.Count(rip), inside.Count(rip); w != n || i != n {
				return fmt.Errorf("%d and %d packets, want %d", w, i, n)
			}
			return nil
		})
	}
	request := append([]byte{1, 2, 0, 0}, make([]byte, 20)...) // RFC 2453 section 3.9.1
	request[23] = 16
	send(request)
	seen(1)
	if err := harness.CheckDissected("rip", 1, wire, inside); err != nil {
		t.Error(err)
	}
	if err := harness.CheckDissected("rip", 2, wire); err == nil {
		t.Error("one packet is taken for two")
	}
	if got := inside.Frames(rip)[0].UDP(); string(got) != string(request) {
		t.Errorf("captured %x, sent %x", got, request)
	}
	got, err := inside.Dissect("rip", "rip.command", "rip.version")
	if err != nil || len(got) != 1 || got[0].Fields["rip.command"] != "1" || got[0].Fields["rip.version"] != "2" {
		t.Errorf("dissected: %+v, %v", got, err)
	}
	send([]byte{2, 2, 0, 0, 0, 2, 0, 0, 10, 0}) // ends in an address
	seen(2)
	if err := harness.CheckDissected("rip", 1, wire, inside); err == nil || strings.Count(err.Error(), "tshark says") != 2 {
		t.Errorf("a malformed packet on wire and tunnel: %v", err)
	}
}

// TestBIRD starts two instances of BIRD, and one of them again.
func TestBIRD(t *testing.T) {
	tp := harness.New(t)
	const static = "router id 192.0.2.1; protocol device {} protocol kernel { ipv4 { export all; }; } protocol static { ipv4; route %s blackhole; }\n"
	a, b := tp.Router("a"), tp.Router("b")
	birds := []*harness.BIRD{a.StartBIRD(fmt.Sprintf(static, "10.1.0.0/24")), b.StartBIRD(fmt.Sprintf(static, "10.2.0.0/24"))}
	a.WaitRoutes(20*time.Second, harness.ProtocolBIRD, "blackhole 10.1.0.0/24 metric 32")
	b.WaitRoutes(20*time.Second, harness.ProtocolBIRD, "blackhole 10.2.0.0/24")
	if out, err := birds[1].Birdc("show route"); err != nil || !strings.Contains(out, "10.2.0.0/24") {
		t.Errorf("show route: %v\n%s", err, out)
	}
	birds[0].Reconfigure(fmt.Sprintf(static, "10.3.0.0/24"))
	a.WaitRoutes(20*time.Second, harness.ProtocolBIRD, "blackhole 10.3.0.0/24")
	birds[0].Kill()
	if err := a.HasRoutes(harness.ProtocolBIRD, "blackhole 10.3.0.0/24"); err != nil {
		t.Errorf("after a kill: %v", err)
	}
	birds[0].Start()
	birds[0].Stop()
	a.WaitRoutes(20*time.Second, harness.ProtocolBIRD)
}
