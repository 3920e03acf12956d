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

var (
	aLocal, bLocal = netip.MustParseAddr("fe80::a"), netip.MustParseAddr("fe80::b")
	group6         = netip.MustParseAddr("ff02::a")
	eigrp6         = rawsock.IPConfig{IPv6: true, Protocol: 88, TTL: 2, TOS: 0xc0}
)

// bothIPv6 runs a test over sockets in memory and of the kernel, in worlds with
// link-local addresses.
func bothIPv6(t *testing.T, test func(t *testing.T, w world)) {
	t.Run("memnet", func(t *testing.T) {
		n := memnet.New()
		wire, a, b := n.Wire(), n.Host(), n.Host()
		a.Add(wire, memnet.Spec{Index: 5, Name: "veth-a", Addrs: []netip.Addr{aIP, aLocal}})
		d := b.Add(wire, memnet.Spec{Index: 6, Name: "veth-b", Addrs: []netip.Addr{bIP, bLocal}})
		test(t, world{a: a, b: b, ai: 5, bi: 6, remove: d.Remove})
	})
	t.Run("kernel", func(t *testing.T) {
		w := kernelWorld(t)
		addLocal(t, w.a.(inNamespace), w.ai, aLocal)
		addLocal(t, w.b.(inNamespace), w.bi, bLocal)
		test(t, w)
	})
}

// addLocal gives an interface a link-local address that can be used at once.
func addLocal(t *testing.T, n inNamespace, index int, a netip.Addr) {
	t.Helper()
	h, err := netlink.NewHandleAt(n.ns)
	check(t, err)
	defer h.Close()
	l, err := h.LinkByIndex(index)
	check(t, err)
	check(t, h.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(64, 128)}, Flags: unix.IFA_F_NODAD}))
}

// TestIPv6Multicast sends as EIGRP does, to the group and to a neighbour, from the
// link-local address.
func TestIPv6Multicast(t *testing.T) {
	bothIPv6(t, func(t *testing.T, w world) {
		a, b := ipPair(t, w, eigrp6)
		v4, err := w.b.ListenIP(rawsock.IPConfig{Protocol: 88})
		check(t, err)
		defer v4.Close()
		check(t, b.Join(group6, w.bi))
		check(t, b.Join(group6, w.bi)) // twice is no error
		check(t, a.Join(group6, w.ai))
		for _, dst := range []netip.Addr{group6, bLocal} {
			check(t, a.WriteTo([]byte("hello"), rawsock.Meta{
				Src: netip.AddrPortFrom(aLocal, 0), Dst: netip.AddrPortFrom(dst, 0), Index: w.ai}))
			got, m := readIP(t, b)
			if got != "hello" {
				t.Errorf("b read %q", got)
			}
			wantMeta(t, m, rawsock.Meta{Src: netip.AddrPortFrom(aLocal, 0), Dst: netip.AddrPortFrom(dst, 0), Index: w.bi, TTL: 2})
		}
		// a is in the group too, but hears only b; and the IPv4 socket heard neither.
		check(t, b.WriteTo([]byte("from b"), rawsock.Meta{Src: netip.AddrPortFrom(bLocal, 0), Dst: netip.AddrPortFrom(group6, 0), Index: w.bi}))
		if got, _ := readIP(t, a); got != "from b" {
			t.Errorf("a read %q", got)
		}
		v4a, err := w.a.ListenIP(rawsock.IPConfig{Protocol: 88})
		check(t, err)
		defer v4a.Close()
		check(t, v4a.WriteTo([]byte("four"), rawsock.Meta{Dst: netip.AddrPortFrom(bIP, 0)}))
		if got, _ := readIP(t, v4); got != "four" {
			t.Errorf("the IPv4 socket read %q", got)
		}
		check(t, b.Leave(group6, w.bi))
		check(t, b.Leave(group6, w.bi)) // no more in it: no error
		check(t, a.WriteTo([]byte("to the group"), rawsock.Meta{Src: netip.AddrPortFrom(aLocal, 0), Dst: netip.AddrPortFrom(group6, 0), Index: w.ai}))
		check(t, a.WriteTo([]byte("to b"), rawsock.Meta{Src: netip.AddrPortFrom(aLocal, 0), Dst: netip.AddrPortFrom(bLocal, 0), Index: w.ai}))
		if got, _ := readIP(t, b); got != "to b" {
			t.Errorf("after Leave b read %q", got)
		}
	})
}

// TestIPv6Errors wants addresses of IPv4 refused, as those of IPv6 are elsewhere.
func TestIPv6Errors(t *testing.T) {
	bothIPv6(t, func(t *testing.T, w world) {
		a, _ := ipPair(t, w, eigrp6)
		for _, m := range []rawsock.Meta{
			{Dst: netip.AddrPortFrom(bIP, 0)}, {},
			{Src: netip.AddrPortFrom(aIP, 0), Dst: netip.AddrPortFrom(bLocal, 0), Index: w.ai},
		} {
			if err := a.WriteTo([]byte("x"), m); !errors.Is(err, rawsock.ErrAddress) {
				t.Errorf("WriteTo %+v: %v", m, err)
			}
		}
		for _, group := range []netip.Addr{netip.MustParseAddr("224.0.0.10"), bLocal} {
			if err := a.Join(group, w.ai); !errors.Is(err, rawsock.ErrAddress) {
				t.Errorf("Join %v: %v", group, err)
			}
		}
		if err := a.Join(group6, 999); !errors.Is(err, rawsock.ErrGone) {
			t.Errorf("Join on no interface: %v", err)
		}
	})
}

// TestIPTTL wants a packet to have the TTL that is asked for it.
func TestIPTTL(t *testing.T) {
	bothIPv6(t, func(t *testing.T, w world) {
		for _, c := range []struct {
			cfg      rawsock.IPConfig
			src, dst netip.Addr
			group    netip.Addr
		}{
			{rawsock.IPConfig{Protocol: 88, TTL: 2}, aIP, bIP, netip.MustParseAddr("224.0.0.10")},
			{eigrp6, aLocal, bLocal, group6},
		} {
			a, b := ipPair(t, w, c.cfg)
			check(t, b.Join(c.group, w.bi))
			for _, dst := range []netip.Addr{c.dst, c.group} {
				for _, ttl := range []int{100, 0, 255} {
					check(t, a.WriteTo([]byte("x"), rawsock.Meta{
						Src: netip.AddrPortFrom(c.src, 0), Dst: netip.AddrPortFrom(dst, 0), Index: w.ai, TTL: ttl}))
					want := ttl
					if ttl == 0 {
						want = 2
					}
					if _, m := readIP(t, b); m.TTL != want {
						t.Errorf("to %v: TTL %d, want %d", dst, m.TTL, want)
					}
				}
			}
		}
	})
}

// TestOverrun wants packets counted that a socket had no room for.
func TestOverrun(t *testing.T) {
	w := kernelWorld(t)
	a, err := w.a.ListenIP(rawsock.IPConfig{Protocol: 88})
	check(t, err)
	defer a.Close()
	b, err := w.b.ListenIP(rawsock.IPConfig{Protocol: 88, ReceiveBuffer: 1 << 16})
	check(t, err)
	if n := rawsock.Overrun(b); n != 0 {
		t.Errorf("%d packets lost before there was one", n)
	}
	const sent = 2000
	for range sent {
		check(t, a.WriteTo(make([]byte, 20), rawsock.Meta{Dst: netip.AddrPortFrom(bIP, 0), Index: w.ai}))
	}
	lost := rawsock.Overrun(b)
	if lost == 0 || lost >= sent {
		t.Fatalf("%d of %d packets lost in 64 KiB", lost, sent)
	}
	for range sent - lost {
		readIP(t, b)
	}
	check(t, b.Close())
	if n := rawsock.Overrun(b); n != 0 {
		t.Errorf("%d packets lost by a closed socket", n)
	}
}
