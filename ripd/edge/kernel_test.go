package edge

import (
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

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
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
	panic("RIP has no packet sockets")
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

// TestKernel: the sockets over those of the kernel. A neighbour's table of 10,000
// routes arrives at the pace at which it is sent, as multicasts, and the same
// again after the interface was made anew.
func TestKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	a, b := newNamespace(t), newNamespace(t)
	received := make(chan uint16, 10_000)
	said := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	s := newSockets(ctx, b, func(ifname string, m rawsock.Meta, octets []byte) {
		if ifname == "Ethernet1" && m.Src == netip.AddrPortFrom(hostB, packet.Port) && len(octets) == 504 {
			received <- binary.BigEndian.Uint16(octets)
		}
	}, func(l core.Log) { said <- fmt.Sprintf("%s: %s", l.Mnemonic, l.Text) }, func(core.SendRoom) {})
	defer s.close()
	defer cancel()
	s.listen(listen)
	for range 2 {
		far, near := wire(t, a, b)
		s.interfaceChanged(rib.Interface{Name: "Ethernet1", KernelName: "Ethernet1", Index: near, Up: true})
		exchange(t, a, far, s, received)
		l, err := a.handle.LinkByName("far")
		must(t, err)
		must(t, a.handle.LinkDel(l))
		s.interfaceChanged(rib.Interface{Name: "Ethernet1"})
	}
	select {
	case text := <-said:
		t.Error(text)
	default:
	}
}

// exchange sends 400 packets to s, in bursts as the core does, and one back to
// the group, to all, and to the other router.
func exchange(t *testing.T, a namespace, far int, s *sockets, received <-chan uint16) {
	t.Helper()
	c, err := a.ListenIP(rawsock.IPConfig{Port: packet.Port})
	must(t, err)
	defer c.Close()
	must(t, c.Join(packet.Group, far))
	const burst, all = 32, 400
	for i := range uint16(all) {
		if i > 0 && i%burst == 0 {
			time.Sleep(5 * time.Millisecond) // the pace of the core, no waiting
		}
		octets := make([]byte, 504)
		binary.BigEndian.PutUint16(octets, i)
		must(t, c.WriteTo(octets, rawsock.Meta{Dst: netip.AddrPortFrom(packet.Group, packet.Port), Index: far}))
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
	for _, dst := range []netip.Addr{packet.Group, limited, hostB} {
		s.send(core.TxPacket{Interface: "Ethernet1", Source: hostA, Dest: netip.AddrPortFrom(dst, packet.Port), Packet: []byte("answer")})
		buf := make([]byte, 100)
		read := make(chan error, 1)
		var n int
		var m rawsock.Meta
		go func() {
			var err error
			n, m, err = c.ReadFrom(buf)
			read <- err
		}()
		select {
		case err := <-read:
			must(t, err)
		case <-time.After(10 * time.Second):
			c.Close()
			t.Fatalf("no packet to %v within 10 s", dst)
		}
		if string(buf[:n]) != "answer" || m.Src != netip.AddrPortFrom(hostA, packet.Port) || m.Dst.Addr() != dst || m.TTL != 1 {
			t.Errorf("to %v: %q, %+v", dst, buf[:n], m)
		}
	}
}
