package vrfsock

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// namespace is a network of the kernel's of its own.
type namespace struct {
	t      *testing.T
	ns     netns.NsHandle
	handle *netlink.Handle
}

func newNamespace(t *testing.T) namespace {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := netns.Get()
	must(t, err)
	defer before.Close()
	ns, err := netns.New()
	must(t, err)
	must(t, netns.Set(before))
	h, err := netlink.NewHandleAt(ns)
	must(t, err)
	t.Cleanup(func() { h.Close(); ns.Close() })
	return namespace{t, ns, h}
}

// ListenIP implements rawsock.Network.
func (n namespace) ListenIP(cfg rawsock.IPConfig) (c rawsock.IPConn, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := netns.Get()
	must(n.t, err)
	defer before.Close()
	must(n.t, netns.Set(n.ns))
	defer func() { must(n.t, netns.Set(before)) }()
	return rawsock.Kernel{}.ListenIP(cfg)
}

// ListenPacket implements rawsock.Network.
func (namespace) ListenPacket(rawsock.PacketConfig) (rawsock.PacketConn, error) {
	panic("no packet sockets here")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wire joins device "far" of a to "Ethernet1" of b and returns their indexes.
func wire(t *testing.T, a, b namespace) (far, near int) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "far"
	must(t, a.handle.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "Ethernet1", PeerNamespace: netlink.NsFd(b.ns)}))
	up := func(n namespace, name string, addr netip.Addr) int {
		l, err := n.handle.LinkByName(name)
		must(t, err)
		must(t, n.handle.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(24, 32)}}))
		must(t, n.handle.LinkSetUp(l))
		return l.Attrs().Index
	}
	far, near = up(a, "far", hostB), up(b, "Ethernet1", hostA)
	for n, name := range map[namespace]string{a: "far", b: "Ethernet1"} {
		await(t, name+" is up", func() bool {
			l, err := n.handle.LinkByName(name)
			must(t, err)
			return l.Attrs().OperState == netlink.OperUp
		})
	}
	return far, near
}

// await polls for up to 10 s.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 5000 {
		if done() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("not within 10 s: %s", what)
}

// local gives a device a link-local address that can be used at once.
func (n namespace) local(name string, a netip.Addr) {
	n.t.Helper()
	l, err := n.handle.LinkByName(name)
	must(n.t, err)
	must(n.t, n.handle.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(64, 128)}, Flags: unix.IFA_F_NODAD}))
}

// TestKernel: the sockets over those of the kernel, of both families, and the same
// again after the interface was made anew.
func TestKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	a, b := newNamespace(t), newNamespace(t)
	received := make(chan string, 100)
	said := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	s := New(ctx, config(b, func(ifname string, m rawsock.Meta, octets []byte) {
		received <- fmt.Sprintf("%s from %v to %v on %s", octets, m.Src.Addr(), m.Dst.Addr(), ifname)
	}, func(mnemonic, text string) { said <- mnemonic + ": " + text }))
	defer s.Close()
	defer cancel()
	s.Listen(listen)
	s.Listen(Listen{Interface: "Ethernet1", Family: rib.IPv6, Groups: []netip.Addr{group6}})
	for range 2 {
		far, near := wire(t, a, b)
		a.local("far", far6)
		b.local("Ethernet1", local6)
		s.InterfaceChanged(rib.Interface{Name: "Ethernet1", KernelName: "Ethernet1", Index: near, Up: true})
		exchange(t, a, far, s, received, rawsock.IPConfig{Protocol: protocol}, group4, hostB, hostA, 2)
		exchange(t, a, far, s, received, rawsock.IPConfig{IPv6: true, Protocol: protocol}, group6, far6, local6, 255)
		l, err := a.handle.LinkByName("far")
		must(t, err)
		must(t, a.handle.LinkDel(l))
		s.InterfaceChanged(rib.Interface{Name: "Ethernet1"})
	}
	select {
	case text := <-said:
		t.Error(text)
	default:
	}
}

// exchange sends a packet to the group and one to the router, and two back.
func exchange(t *testing.T, a namespace, index int, s *Sockets, received <-chan string, cfg rawsock.IPConfig, group, far, near netip.Addr, ttl int) {
	t.Helper()
	c, err := a.ListenIP(cfg)
	must(t, err)
	defer c.Close()
	must(t, c.Join(group, index))
	for _, dst := range []netip.Addr{group, near} {
		must(t, c.WriteTo([]byte("hello"), rawsock.Meta{Src: netip.AddrPortFrom(far, 0), Dst: netip.AddrPortFrom(dst, 0), Index: index}))
		want := fmt.Sprintf("hello from %v to %v on Ethernet1", far, dst)
		select {
		case got := <-received:
			if got != want {
				t.Errorf("received %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("within 10 s there was no %s", want)
		}
	}
	for _, dst := range []netip.Addr{group, far} {
		s.Send(Packet{Interface: "Ethernet1", Source: near, Dest: netip.AddrPortFrom(dst, 0), Payload: []byte("answer")})
		n, m := read(t, c)
		if n != "answer" || m.Src.Addr() != near || m.Dst.Addr() != dst || m.TTL != ttl {
			t.Errorf("to %v: %q, %+v", dst, n, m)
		}
	}
}

// TestKernelUDP: the sockets over those of the kernel, with a port of UDP. Bursts of
// multicasts arrive, at a pace, and the router's packets to the group, to all, and to a
// host.
func TestKernelUDP(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	const port, burst, all = 520, 32, 400
	a, b := newNamespace(t), newNamespace(t)
	received := make(chan uint16, all)
	ctx, cancel := context.WithCancel(context.Background())
	cfg := config(b, func(ifname string, m rawsock.Meta, octets []byte) {
		if ifname == "Ethernet1" && m.Src == netip.AddrPortFrom(hostB, port) && len(octets) == 504 {
			received <- binary.BigEndian.Uint16(octets)
		}
	}, func(_, text string) { t.Error(text) })
	cfg.IPv4 = rawsock.IPConfig{Port: port, TTL: 1, ReceiveBuffer: 1 << 20}
	s := New(ctx, cfg)
	defer s.Close()
	defer cancel()
	s.Listen(listen)
	far, near := wire(t, a, b)
	s.InterfaceChanged(rib.Interface{Name: "Ethernet1", KernelName: "Ethernet1", Index: near, Up: true})
	c, err := a.ListenIP(rawsock.IPConfig{Port: port})
	must(t, err)
	defer c.Close()
	must(t, c.Join(group4, far))
	for i := range uint16(all) {
		if i > 0 && i%burst == 0 {
			time.Sleep(5 * time.Millisecond) // the pace of ripd's core, no waiting
		}
		octets := make([]byte, 504)
		binary.BigEndian.PutUint16(octets, i)
		must(t, c.WriteTo(octets, rawsock.Meta{Dst: netip.AddrPortFrom(group4, port), Index: far}))
	}
	for i := range uint16(all) {
		select {
		case got := <-received:
			if got != i {
				t.Fatalf("packet %d came for %d", got, i)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("packet %d did not come within 10 s", i)
		}
	}
	for _, dst := range []netip.Addr{group4, netip.MustParseAddr("255.255.255.255"), hostB} {
		s.Send(Packet{Interface: "Ethernet1", Source: hostA, Dest: netip.AddrPortFrom(dst, port), Payload: []byte("answer")})
		n, m := read(t, c)
		if n != "answer" || m.Src != netip.AddrPortFrom(hostA, port) || m.Dst.Addr() != dst || m.TTL != 1 {
			t.Errorf("to %v: %q, %+v", dst, n, m)
		}
	}
}

// read returns the next packet of a socket.
func read(t *testing.T, c rawsock.IPConn) (string, rawsock.Meta) {
	t.Helper()
	type result struct {
		b   []byte
		m   rawsock.Meta
		err error
	}
	done := make(chan result, 1)
	go func() {
		buf := make([]byte, 100)
		n, m, err := c.ReadFrom(buf)
		done <- result{buf[:n], m, err}
	}()
	select {
	case r := <-done:
		must(t, r.err)
		return string(r.b), r.m
	case <-time.After(10 * time.Second):
		c.Close()
		t.Fatal("no packet within 10 s")
		return "", rawsock.Meta{}
	}
}

// TestManyNeighbors: the acknowledgments of 1,000 spokes arrive in one burst, and all
// of them reach the core; nothing is lost without being counted.
func TestManyNeighbors(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	a, b := newNamespace(t), newNamespace(t)
	const all = 1000
	received := make(chan uint16, all)
	ctx, cancel := context.WithCancel(context.Background())
	s := New(ctx, config(b, func(_ string, _ rawsock.Meta, octets []byte) {
		received <- binary.BigEndian.Uint16(octets)
	}, func(_, text string) { t.Error(text) }))
	defer s.Close()
	defer cancel()
	s.Listen(listen)
	far, near := wire(t, a, b)
	s.InterfaceChanged(rib.Interface{Name: "Ethernet1", KernelName: "Ethernet1", Index: near, Up: true})
	c, err := a.ListenIP(rawsock.IPConfig{Protocol: protocol})
	must(t, err)
	defer c.Close()
	ack := bytes.Repeat([]byte{0}, 20)
	for i := range uint16(all) {
		binary.BigEndian.PutUint16(ack, i)
		must(t, c.WriteTo(ack, rawsock.Meta{Dst: netip.AddrPortFrom(hostA, 0), Index: far}))
	}
	seen := 0
	await(t, fmt.Sprintf("%d acknowledgments are read or counted as lost", all), func() bool {
		for {
			select {
			case <-received:
				seen++
			default:
				return seen+int(s.Unread()) == all
			}
		}
	})
	if seen < all {
		t.Errorf("%d acknowledgments of %d arrived, %d were lost", seen, all, s.Unread())
	}
}
