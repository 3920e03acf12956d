package simnet_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/simnet"
)

// natCloud has two spokes behind one NAT, whose packets have no ports.
func natCloud(nat func(public netip.Addr) simnet.NAT, interval time.Duration) *cloud {
	c := &cloud{Network: simnet.New(1)}
	c.link = c.Link(simnet.Quality{})
	c.hub = addServer(c.Network)
	c.link.Attach(c.hub, hubAddr)
	var ports []*simnet.Port
	for i := range 2 {
		v := addClient(c.Network, "spoke", simnet.Addr(hubAddr), interval)
		ports = append(ports, c.link.Attach(v, spokeAddr(i)))
		c.spokes = append(c.spokes, v)
	}
	public := netip.MustParseAddr("198.51.100.7")
	c.link.Behind(nat(public), public, ports...)
	return c
}

func masquerade(idle time.Duration) func(netip.Addr) simnet.NAT {
	return func(public netip.Addr) simnet.NAT { return simnet.NewMasquerade(public, idle) }
}

// TestMasqueradeWithoutPorts shows what such a NAT does to GRE: the hub sees one
// address for two spokes, and answers reach whoever spoke last.
func TestMasqueradeWithoutPorts(t *testing.T) {
	c := natCloud(masquerade(time.Minute), time.Hour)
	must(t, c.Run(10*second))
	seen := c.hub.Machine().(*server).seen
	if _, ok := seen[simnet.Addr(netip.MustParseAddr("198.51.100.7"))]; !ok || len(seen) != 1 {
		t.Errorf("hub saw %v", seen)
	}
	if a, b := clientOf(c.spokes[0]).acked, clientOf(c.spokes[1]).acked; a != 1 || b != 1 {
		t.Errorf("acked %d, %d: each asked at its own time and should have its answer", a, b)
	}
}

func TestStaticNAT(t *testing.T) {
	c := natCloud(func(public netip.Addr) simnet.NAT {
		return simnet.StaticNAT{Private: spokeAddr(1), Public: public}
	}, time.Hour)
	must(t, c.Run(10*second))
	if a, b := clientOf(c.spokes[0]).acked, clientOf(c.spokes[1]).acked; a != 0 || b != 1 {
		t.Errorf("acked %d, %d; only spoke 1 is mapped", a, b)
	}
	if c.Stats().Filtered == 0 {
		t.Error("spoke 0's packets were not counted as filtered")
	}
}

func packet(src, dst string) simnet.Packet {
	return simnet.Packet{Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst), Protocol: 17}
}

// TestMasqueradePorts checks RFC 4787's mapping and filtering on single packets.
func TestMasqueradePorts(t *testing.T) {
	m := simnet.NewMasquerade(netip.MustParseAddr("198.51.100.7"), 30*time.Second)
	a := packet("10.0.0.1:500", "203.0.113.1:500")
	b := packet("10.0.0.2:500", "203.0.113.1:500")
	a2 := packet("10.0.0.1:500", "203.0.113.2:500")
	for _, p := range []*simnet.Packet{&a, &b, &a2} {
		if !m.Out(0, p) || p.Src.Addr() != netip.MustParseAddr("198.51.100.7") {
			t.Fatalf("Out: %+v", p)
		}
	}
	if a.Src != a2.Src || a.Src == b.Src {
		t.Errorf("public sources %v and %v of one private, %v of the other", a.Src, a2.Src, b.Src)
	}
	answer := simnet.Packet{Src: b.Dst, Dst: b.Src, Protocol: 17}
	if !m.In(20*second, &answer) || answer.Dst.String() != "10.0.0.2:500" {
		t.Errorf("answer: %+v", answer)
	}
	stranger := simnet.Packet{Src: netip.MustParseAddrPort("192.0.2.1:500"), Dst: b.Src, Protocol: 17}
	if m.In(20*second, &stranger) {
		t.Error("a stranger got in")
	}
	answer = simnet.Packet{Src: b.Dst, Dst: b.Src, Protocol: 17}
	if !m.In(50*second, &answer) {
		t.Error("an answer does not keep the flow open")
	}
	late := simnet.Packet{Src: a.Dst, Dst: a.Src, Protocol: 17}
	if m.In(31*second, &late) {
		t.Error("an idle flow was not forgotten")
	}
	m.Forget()
	answer = simnet.Packet{Src: b.Dst, Dst: b.Src, Protocol: 17}
	if m.In(51*second, &answer) {
		t.Error("Forget does not forget")
	}
}

// TestPrivateStaysPrivate wants nodes behind one NAT to reach each other without
// it, and nobody outside to reach a private address.
func TestPrivateStaysPrivate(t *testing.T) {
	n := simnet.New(1)
	l := n.Link(simnet.Quality{})
	inner := addServer(n)
	near := addClient(n, "near", simnet.Addr(spokeAddr(0)), time.Hour)
	far := addClient(n, "far", simnet.Addr(spokeAddr(0)), time.Hour)
	public := netip.MustParseAddr("198.51.100.7")
	l.Behind(simnet.NewMasquerade(public, time.Minute), public, l.Attach(inner, spokeAddr(0)), l.Attach(near, spokeAddr(1)))
	l.Attach(far, netip.MustParseAddr("203.0.113.50"))
	must(t, n.Run(5*second))
	if a, b := clientOf(near).acked, clientOf(far).acked; a != 1 || b != 0 {
		t.Errorf("acked %d inside and %d outside, want 1 and 0", a, b)
	}
	seen := inner.Machine().(*server).seen
	if _, ok := seen[simnet.Addr(spokeAddr(1))]; !ok || len(seen) != 1 || n.Stats().Unreachable == 0 {
		t.Errorf("server behind the NAT saw %v", seen)
	}
}

// TestRebind gives a NAT another public address: packets from behind it carry the new
// one, and the old one leads nowhere.
func TestRebind(t *testing.T) {
	was, is := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("198.51.100.8")
	c := natCloud(func(public netip.Addr) simnet.NAT {
		return simnet.StaticNAT{Private: spokeAddr(0), Public: public}
	}, time.Second)
	must(t, c.Run(10*second))
	before, lost := clientOf(c.spokes[0]).acked, c.Stats().Unreachable
	c.link.Rebind(was, is, simnet.StaticNAT{Private: spokeAddr(0), Public: is})
	must(t, c.Run(20*second))
	seen := c.hub.Machine().(*server).seen
	if _, ok := seen[simnet.Addr(is)]; !ok || clientOf(c.spokes[0]).acked <= before {
		t.Errorf("after the change the hub has seen %v", seen)
	}
	if c.Stats().Unreachable != lost {
		t.Errorf("%d packets were unreachable", c.Stats().Unreachable-lost)
	}
}
