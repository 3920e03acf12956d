package memnet_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
)

// Package rawsock's tests run over memnet and the kernel alike; here is only
// what a pair of Ethernet devices cannot show.

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPointToPoint sends without a link-layer address, which a multipoint device
// refuses.
func TestPointToPoint(t *testing.T) {
	n := memnet.New()
	wire, a, b := n.Wire(), n.Host(), n.Host()
	a.Add(wire, memnet.Spec{Index: 1})
	device := b.Add(wire, memnet.Spec{Index: 1})
	nhrp := rawsock.PacketConfig{Index: 1, Protocol: rawsock.EtherTypeNHRP}
	ca, err := a.ListenPacket(nhrp)
	check(t, err)
	cb, err := b.ListenPacket(nhrp)
	check(t, err)
	check(t, ca.WriteTo([]byte("x"), netip.Addr{}))
	if n, from, err := cb.ReadFrom(make([]byte, 10)); n != 1 || from.IsValid() || err != nil {
		t.Errorf("ReadFrom = %d, %v, %v", n, from, err)
	}
	if device.Sent() != 0 {
		t.Errorf("Sent() = %d of a device that only received", device.Sent())
	}
	c := n.Host()
	c.Add(wire, memnet.Spec{Index: 1, Link: netip.MustParseAddr("10.0.0.3")})
	cc, err := c.ListenPacket(nhrp)
	check(t, err)
	if err := cc.WriteTo([]byte("x"), netip.Addr{}); !errors.Is(err, rawsock.ErrAddress) {
		t.Errorf("WriteTo nobody on a multipoint device: %v", err)
	}
}

// TestSocketBufferIsBounded wants the oldest 256 packets kept.
func TestSocketBufferIsBounded(t *testing.T) {
	n := memnet.New()
	wire, a, b := n.Wire(), n.Host(), n.Host()
	a.Add(wire, memnet.Spec{Index: 1})
	b.Add(wire, memnet.Spec{Index: 1})
	nhrp := rawsock.PacketConfig{Index: 1, Protocol: rawsock.EtherTypeNHRP}
	ca, err := a.ListenPacket(nhrp)
	check(t, err)
	cb, err := b.ListenPacket(nhrp)
	check(t, err)
	for i := range 300 {
		check(t, ca.WriteTo([]byte{byte(i >> 8), byte(i)}, netip.Addr{}))
	}
	buf := make([]byte, 2)
	for i := range 256 {
		if _, _, err := cb.ReadFrom(buf); err != nil || int(buf[0])<<8|int(buf[1]) != i {
			t.Fatalf("packet %d: %x, %v", i, buf, err)
		}
	}
	check(t, ca.WriteTo([]byte{9, 9}, netip.Addr{}))
	if _, _, err := cb.ReadFrom(buf); err != nil || buf[0] != 9 {
		t.Errorf("after the overflow: %x, %v", buf, err)
	}
}

// TestVRF wants sockets of a VRF to see its devices only, and those of the
// default VRF not to see them.
func TestVRF(t *testing.T) {
	n := memnet.New()
	wire, a, b := n.Wire(), n.Host(), n.Host()
	ip := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, i}) }
	a.Add(wire, memnet.Spec{Index: 1, Addrs: []netip.Addr{ip(1)}})
	b.Add(wire, memnet.Spec{Index: 1, VRF: "red", Addrs: []netip.Addr{ip(2)}})
	b.Add(wire, memnet.Spec{Index: 2, Addrs: []netip.Addr{ip(3)}})
	from, err := a.ListenIP(rawsock.IPConfig{Protocol: 88})
	check(t, err)
	red, err := b.ListenIP(rawsock.IPConfig{Protocol: 88, Device: "red"})
	check(t, err)
	plain, err := b.ListenIP(rawsock.IPConfig{Protocol: 88})
	check(t, err)
	for _, to := range []byte{2, 3} {
		check(t, from.WriteTo([]byte{to}, rawsock.Meta{Dst: netip.AddrPortFrom(ip(to), 0)}))
	}
	buf := make([]byte, 1)
	if _, m, err := red.ReadFrom(buf); err != nil || buf[0] != 2 || m.Index != 1 {
		t.Errorf("red read %v by %d, %v", buf, m.Index, err)
	}
	if _, m, err := plain.ReadFrom(buf); err != nil || buf[0] != 3 || m.Index != 2 {
		t.Errorf("the default VRF read %v by %d, %v", buf, m.Index, err)
	}
}
