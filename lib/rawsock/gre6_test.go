package rawsock_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
)

// The ends of a tunnel over IPv6.
var a6, b6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")

// over6 is a world whose tunnel is over IPv6; in the kernel there is none, since its
// sockets need none.
func over6(t *testing.T, test func(t *testing.T, w world)) {
	t.Run("memnet", func(t *testing.T) {
		n := memnet.New()
		wire, a, b := n.Wire(), n.Host(), n.Host()
		a.Add(wire, memnet.Spec{Index: 5, Name: "Tunnel0", Link: a6})
		b.Add(wire, memnet.Spec{Index: 6, Name: "Tunnel0", Link: b6})
		test(t, world{a: a, b: b, ai: 5, bi: 6})
	})
	t.Run("kernel", func(t *testing.T) {
		w := kernelWorld(t)
		address(t, w.a.(inNamespace), "veth-a", a6)
		address(t, w.b.(inNamespace), "veth-b", b6)
		test(t, w)
	})
}

func address(t *testing.T, n inNamespace, device string, addr netip.Addr) {
	t.Helper()
	h, err := netlink.NewHandleAt(n.ns)
	check(t, err)
	defer h.Close()
	l, err := h.LinkByName(device)
	check(t, err)
	a, err := netlink.ParseAddr(addr.String() + "/64")
	check(t, err)
	a.Flags = unix.IFA_F_NODAD
	check(t, h.AddrAdd(l, a))
}

// TestGRE6: the sender's NBMA address is told, and the peer chosen by it, with a key
// and without; another key is another tunnel.
func TestGRE6(t *testing.T) {
	for _, key := range []rawsock.GRE6{{}, {HasKey: true, Key: 100}} {
		over6(t, func(t *testing.T, w world) {
			open := func(n rawsock.Network, index int, local netip.Addr) rawsock.PacketConn {
				g := key
				g.Local = local
				c, err := n.ListenPacket(rawsock.PacketConfig{Index: index, Protocol: rawsock.EtherTypeNHRP, GRE6: g})
				check(t, err)
				t.Cleanup(func() { c.Close() })
				return c
			}
			a, b := open(w.a, w.ai, a6), open(w.b, w.bi, b6)
			if w.kernel {
				other, err := w.a.ListenPacket(rawsock.PacketConfig{Index: w.ai, Protocol: rawsock.EtherTypeNHRP,
					GRE6: rawsock.GRE6{Local: a6, HasKey: true, Key: 7}})
				check(t, err)
				check(t, other.WriteTo([]byte("of another tunnel"), b6))
				defer other.Close()
				narrow, err := w.b.ListenPacket(rawsock.PacketConfig{Index: w.bi, Protocol: rawsock.EtherTypeNHRP,
					GRE6: rawsock.GRE6{Local: b6, Remote: netip.MustParseAddr("2001:db8::9"), HasKey: key.HasKey, Key: key.Key}})
				check(t, err)
				defer narrow.Close()
				heard := make(chan error, 1)
				go func() { _, _, err := narrow.ReadFrom(make([]byte, 100)); heard <- err }()
				defer func() {
					narrow.Close()
					if err := <-heard; !errors.Is(err, net.ErrClosed) {
						t.Errorf("a point-to-point tunnel hears another station: %v", err)
					}
				}()
				data, err := w.a.ListenPacket(rawsock.PacketConfig{Index: w.ai, Protocol: rawsock.EtherTypeIPv4, SendOnly: true,
					GRE6: rawsock.GRE6{Local: a6, HasKey: key.HasKey, Key: key.Key}})
				check(t, err)
				check(t, data.WriteTo([]byte("data"), b6))
				defer data.Close()
			}
			check(t, a.WriteTo([]byte("hello"), b6))
			buf := make([]byte, 100)
			n, from, err := b.ReadFrom(buf)
			if err != nil || string(buf[:n]) != "hello" || from != a6 {
				t.Errorf("b read %q from %v, %v", buf[:n], from, err)
			}
			check(t, b.WriteTo([]byte("long"), from))
			if n, from, err := a.ReadFrom(buf[:2]); err != nil || string(buf[:n]) != "lo" || from != b6 {
				t.Errorf("a read %q from %v, %v", buf[:n], from, err)
			}
			for _, to := range []netip.Addr{aIP, {}} {
				if err := a.WriteTo([]byte("lost"), to); !errors.Is(err, rawsock.ErrAddress) {
					t.Errorf("to %v: %v", to, err)
				}
			}
			check(t, a.Close())
			if _, _, err := a.ReadFrom(buf); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a closed socket: %v", err)
			}
		})
	}
}

// TestGRE6AddressComes: the source is not there yet, which passes.
func TestGRE6AddressComes(t *testing.T) {
	w := kernelWorld(t)
	cfg := rawsock.PacketConfig{Index: w.ai, Protocol: rawsock.EtherTypeNHRP, GRE6: rawsock.GRE6{Local: a6}}
	if _, err := w.a.ListenPacket(cfg); !rawsock.Retryable(err) {
		t.Errorf("without the address: %v", err)
	}
	address(t, w.a.(inNamespace), "veth-a", a6)
	c, err := w.a.ListenPacket(cfg)
	check(t, err)
	check(t, c.Close())
}
