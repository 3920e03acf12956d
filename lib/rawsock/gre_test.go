package rawsock_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rawsock"
)

// greWorld puts a GRE tunnel over the kernel world's wire. Multipoint tunnels
// have no destination and a key.
func greWorld(t *testing.T, multipoint bool) world {
	t.Helper()
	w := kernelWorld(t)
	w.ai = addGRE(t, w.a.(inNamespace), aIP, bIP, multipoint)
	w.bi = addGRE(t, w.b.(inNamespace), bIP, aIP, multipoint)
	return w
}

func addGRE(t *testing.T, n inNamespace, local, remote netip.Addr, multipoint bool) (index int) {
	t.Helper()
	h, err := netlink.NewHandleAt(n.ns)
	check(t, err)
	defer h.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "tunnel0"
	tunnel := &netlink.Gretun{LinkAttrs: attrs, Local: local.AsSlice(), Ttl: 64}
	if multipoint {
		const keyPresent = 0x2000 // GRE_KEY of RFC 2890, network byte order
		tunnel.IKey, tunnel.OKey, tunnel.IFlags, tunnel.OFlags = 42, 42, keyPresent, keyPresent
	} else {
		tunnel.Remote = remote.AsSlice()
	}
	if err := h.LinkAdd(tunnel); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("this kernel has no GRE devices (module ip_gre); User-Mode Linux has")
	} else {
		check(t, err)
	}
	l, err := h.LinkByName("tunnel0")
	check(t, err)
	ip := &net.IPNet{IP: tunnelIP(local).AsSlice(), Mask: net.CIDRMask(24, 32)}
	check(t, h.AddrAdd(l, &netlink.Addr{IPNet: ip}))
	check(t, h.LinkSetUp(l))
	return l.Attrs().Index
}

// tunnelIP returns the protocol address of the tunnel whose source is given.
func tunnelIP(nbma netip.Addr) netip.Addr {
	return netip.AddrFrom4([4]byte{172, 31, 0, nbma.As4()[3]})
}

// TestGREMulticastReplication sends a multicast to one peer of a multipoint
// tunnel, as an IP packet of its own making: this is how hellos reach all peers.
func TestGREMulticastReplication(t *testing.T) {
	w := greWorld(t, true)
	group := netip.MustParseAddr("224.0.0.10")
	b, err := w.b.ListenIP(rawsock.IPConfig{Protocol: 88})
	check(t, err)
	defer b.Close()
	check(t, b.Join(group, w.bi))
	a, err := w.a.ListenPacket(rawsock.PacketConfig{Index: w.ai, Protocol: rawsock.EtherTypeIPv4, SendOnly: true})
	check(t, err)
	defer a.Close()
	h := &ipv4.Header{
		Version: 4, Len: ipv4.HeaderLen, TotalLen: ipv4.HeaderLen + 5, TTL: 1, Protocol: 88,
		Src: tunnelIP(aIP).AsSlice(), Dst: group.AsSlice(),
	}
	packet, err := h.Marshal()
	check(t, err)
	sum := uint32(0)
	for i := 0; i < len(packet); i += 2 {
		sum += uint32(packet[i])<<8 | uint32(packet[i+1])
	}
	sum = ^(sum>>16 + sum&0xffff)
	packet[10], packet[11] = byte(sum>>8), byte(sum)
	check(t, a.WriteTo(append(packet, "hello"...), bIP))
	got, m := readIP(t, b)
	if got != "hello" {
		t.Errorf("b read %q", got)
	}
	wantMeta(t, m, rawsock.Meta{
		Src: netip.AddrPortFrom(tunnelIP(aIP), 0), Dst: netip.AddrPortFrom(group, 0), Index: w.bi, TTL: 1,
	})
}

// TestGREMultipoint sends NHRP as nhrpd does: the NBMA address picks the peer,
// and the receiver learns the sender's.
func TestGREMultipoint(t *testing.T) {
	w := greWorld(t, true)
	a, b := packetPair(t, w, rawsock.EtherTypeNHRP)
	check(t, a.WriteTo([]byte("registration"), bIP))
	got, from := readPacket(t, b)
	if string(got) != "registration" || from != aIP {
		t.Errorf("b read %q from %v, want it from %v", got, from, aIP)
	}
	check(t, b.WriteTo([]byte("reply"), from))
	if got, from := readPacket(t, a); string(got) != "reply" || from != bIP {
		t.Errorf("a read %q from %v, want it from %v", got, from, bIP)
	}
	if err := a.WriteTo([]byte("to nobody"), netip.Addr{}); !errors.Is(err, rawsock.ErrAddress) {
		t.Errorf("WriteTo nobody on a multipoint tunnel: %v", err)
	}
}

// TestGREPointToPoint wants the peer to be implied, whatever address is given.
func TestGREPointToPoint(t *testing.T) {
	w := greWorld(t, false)
	a, b := packetPair(t, w, rawsock.EtherTypeNHRP)
	for _, to := range []netip.Addr{{}, bIP, netip.MustParseAddr("198.51.100.99")} {
		check(t, a.WriteTo([]byte("registration"), to))
		got, from := readPacket(t, b)
		if string(got) != "registration" {
			t.Errorf("to %v: b read %q", to, got)
		}
		t.Logf("to %v: sender is reported as %v", to, from)
	}
}

// TestGREDeviceReplaced deletes a tunnel and makes it anew, as a change of its
// mode does: the old socket says that its device is gone, a new one works.
func TestGREDeviceReplaced(t *testing.T) {
	w := greWorld(t, true)
	_, b := packetPair(t, w, rawsock.EtherTypeNHRP)
	n := w.b.(inNamespace)
	h, err := netlink.NewHandleAt(n.ns)
	check(t, err)
	defer h.Close()
	l, err := h.LinkByIndex(w.bi)
	check(t, err)
	check(t, h.LinkDel(l))
	within(t, "ReadFrom", func() {
		if _, _, err := b.ReadFrom(make([]byte, 10)); !rawsock.Retryable(err) {
			t.Errorf("ReadFrom on a tunnel that is gone: %v", err)
		}
	})
	if err := b.WriteTo([]byte("x"), aIP); !errors.Is(err, rawsock.ErrGone) {
		t.Errorf("WriteTo on a tunnel that is gone: %v", err)
	}
	w.bi = addGRE(t, n, bIP, aIP, true)
	a, b := packetPair(t, w, rawsock.EtherTypeNHRP)
	check(t, a.WriteTo([]byte("again"), bIP))
	if got, from := readPacket(t, b); string(got) != "again" || from != aIP {
		t.Errorf("b read %q from %v", got, from)
	}
}
