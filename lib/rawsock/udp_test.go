package rawsock_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rawsock"
)

// TestUDPBroadcast wants 255.255.255.255 to reach the other side and, as a
// broadcast does, the sender's own socket.
func TestUDPBroadcast(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := ipPair(t, w, rawsock.IPConfig{Port: 520, TOS: 0xc0})
		all := netip.MustParseAddr("255.255.255.255")
		check(t, a.WriteTo([]byte("response"), rawsock.Meta{
			Src: netip.AddrPortFrom(aIP, 0), Dst: netip.AddrPortFrom(all, 520), Index: w.ai,
		}))
		for c, index := range map[rawsock.IPConn]int{b: w.bi, a: w.ai} {
			got, m := readIP(t, c)
			if got != "response" {
				t.Errorf("read %q", got)
			}
			wantMeta(t, m, rawsock.Meta{Src: netip.AddrPortFrom(aIP, 520), Dst: netip.AddrPortFrom(all, 0), Index: index, TTL: 1})
		}
	})
}

// TestIPReceiveBuffer wants a buffer to hold more packets than that of a socket
// that asks for none, where the system allows it.
func TestIPReceiveBuffer(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		if w.kernel {
			if most := rmemMax(t); most < 1<<20 {
				t.Skipf("net.core.rmem_max is %d", most)
			}
		}
		b, err := w.b.ListenIP(rawsock.IPConfig{Port: 520, ReceiveBuffer: 1 << 20})
		check(t, err)
		defer b.Close()
		a, err := w.a.ListenIP(rawsock.IPConfig{Port: 520})
		check(t, err)
		defer a.Close()
		const burst = 400 // packets of a full RIP message: the table of a neighbour with 10,000 routes
		for i := range burst {
			packet := make([]byte, 504)
			binary.BigEndian.PutUint16(packet, uint16(i))
			for err := rawsock.ErrBusy; errors.Is(err, rawsock.ErrBusy); {
				err = a.WriteTo(packet, rawsock.Meta{Dst: netip.AddrPortFrom(bIP, 520), Index: w.ai})
				if err != nil && !errors.Is(err, rawsock.ErrBusy) {
					t.Fatal(err)
				}
			}
		}
		for i := range burst {
			if got, _ := readIP(t, b); binary.BigEndian.Uint16([]byte(got)) != uint16(i) {
				t.Fatalf("packet %d is %d", i, binary.BigEndian.Uint16([]byte(got)))
			}
		}
	})
}

func rmemMax(t *testing.T) (n int) {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	check(t, err)
	for _, c := range strings.TrimSpace(string(b)) {
		n = 10*n + int(c-'0')
	}
	return n
}

// TestUDPBusy fills the socket with packets for stations that do not answer ARP:
// WriteTo says so and does not wait for them.
func TestUDPBusy(t *testing.T) {
	w := kernelWorld(t)
	a, err := w.a.ListenIP(rawsock.IPConfig{Port: 520})
	check(t, err)
	defer a.Close()
	began := time.Now()
	for i := range 10_000 {
		nobody := netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i%100)})
		err := a.WriteTo(make([]byte, 504), rawsock.Meta{Dst: netip.AddrPortFrom(nobody, 520), Index: w.ai})
		if errors.Is(err, rawsock.ErrBusy) {
			if waited := time.Since(began); waited > 2*time.Second { // ARP gives up, and makes room, after three
				t.Errorf("packet %d: after %v", i, waited)
			}
			return
		}
		check(t, err)
	}
	t.Error("10,000 packets went, and nobody was there")
}

// TestUDPVRF has one socket in a VRF and one outside of it on the same port:
// each gets what came by its own interfaces, told by these; and sends by them.
func TestUDPVRF(t *testing.T) {
	w := kernelWorld(t)
	n := w.b.(inNamespace)
	h, err := netlink.NewHandleAt(n.ns)
	check(t, err)
	defer h.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "RED"
	if err := h.LinkAdd(&netlink.Vrf{LinkAttrs: attrs, Table: 100}); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("this kernel has no VRFs; User-Mode Linux has")
	} else {
		check(t, err)
	}
	red, err := h.LinkByName("RED")
	check(t, err)
	check(t, h.LinkSetUp(red))
	l, err := h.LinkByIndex(w.bi)
	check(t, err)

	a, err := w.a.ListenIP(rawsock.IPConfig{Port: 520})
	check(t, err)
	defer a.Close()
	plain, err := w.b.ListenIP(rawsock.IPConfig{Port: 520})
	check(t, err)
	defer plain.Close()
	inRed, err := w.b.ListenIP(rawsock.IPConfig{Port: 520, Device: "RED"})
	check(t, err)
	defer inRed.Close()
	group, all := netip.MustParseAddr("224.0.0.9"), netip.MustParseAddr("255.255.255.255")
	check(t, a.Join(group, w.ai))
	for _, c := range []rawsock.IPConn{plain, inRed} { // before the interface moves: memberships outlive that
		check(t, c.Join(group, w.bi))
	}
	exchange := func(c rawsock.IPConn, text string) {
		t.Helper()
		for _, dst := range []netip.Addr{group, all, bIP} {
			check(t, a.WriteTo([]byte(text), rawsock.Meta{
				Src: netip.AddrPortFrom(aIP, 0), Dst: netip.AddrPortFrom(dst, 520), Index: w.ai}))
			got, m := readIP(t, c)
			if got != text {
				t.Errorf("to %v: read %q", dst, got)
			}
			wantMeta(t, m, rawsock.Meta{Src: netip.AddrPortFrom(aIP, 520), Dst: netip.AddrPortFrom(dst, 0), Index: w.bi, TTL: 1})
			if dst == all {
				readIP(t, a) // its own
			}
		}
		for _, dst := range []netip.Addr{group, all, aIP} {
			check(t, c.WriteTo([]byte("answer"), rawsock.Meta{
				Src: netip.AddrPortFrom(bIP, 0), Dst: netip.AddrPortFrom(dst, 520), Index: w.bi}))
			got, m := readIP(t, a)
			if got != "answer" {
				t.Errorf("from the other side to %v: read %q", dst, got)
			}
			wantMeta(t, m, rawsock.Meta{Src: netip.AddrPortFrom(bIP, 520), Dst: netip.AddrPortFrom(dst, 0), Index: w.ai, TTL: 1})
			if dst == all {
				readIP(t, c)
			}
		}
	}
	exchange(plain, "default")
	check(t, h.LinkSetMaster(l, red))
	exchange(inRed, "red")
	check(t, h.LinkSetNoMaster(l))
	exchange(plain, "default again") // which has heard nothing in between
	check(t, h.LinkDel(red))
	if err := inRed.WriteTo([]byte("x"), rawsock.Meta{Dst: netip.AddrPortFrom(aIP, 520)}); !errors.Is(err, rawsock.ErrGone) {
		t.Errorf("WriteTo in a VRF that is gone: %v", err)
	}
}

// TestIPTooManyGroups wants the limit named by which a join fails.
func TestIPTooManyGroups(t *testing.T) {
	w := kernelWorld(t)
	a, err := w.a.ListenIP(rawsock.IPConfig{Port: 520})
	check(t, err)
	defer a.Close()
	for i := range 10_000 {
		err := a.Join(netip.AddrFrom4([4]byte{239, 0, byte(i >> 8), byte(i)}), w.ai)
		if errors.Is(err, unix.ENOBUFS) {
			if !strings.Contains(err.Error(), "igmp_max_memberships") {
				t.Errorf("group %d: %v", i, err)
			}
			return
		}
		check(t, err)
	}
	t.Error("no limit")
}

// TestUDPSource wants the source address that was asked for, not the first of
// the interface.
func TestUDPSource(t *testing.T) {
	w := kernelWorld(t)
	n := w.a.(inNamespace)
	h, err := netlink.NewHandleAt(n.ns)
	check(t, err)
	defer h.Close()
	l, err := h.LinkByIndex(w.ai)
	check(t, err)
	second := netip.MustParseAddr("192.0.2.9")
	check(t, h.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: second.AsSlice(), Mask: net.CIDRMask(24, 32)}}))
	a, b := ipPair(t, w, rawsock.IPConfig{Port: 520})
	group := netip.MustParseAddr("224.0.0.9")
	check(t, b.Join(group, w.bi))
	for _, dst := range []netip.Addr{group, netip.MustParseAddr("255.255.255.255"), bIP} {
		for _, src := range []netip.Addr{second, aIP} {
			check(t, a.WriteTo([]byte("x"), rawsock.Meta{Src: netip.AddrPortFrom(src, 0), Dst: netip.AddrPortFrom(dst, 520), Index: w.ai}))
			if _, m := readIP(t, b); m.Src != netip.AddrPortFrom(src, 520) {
				t.Errorf("to %v: from %v, want %v", dst, m.Src, src)
			}
		}
	}
}
