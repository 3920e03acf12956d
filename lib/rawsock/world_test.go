package rawsock_test

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
)

func TestMain(m *testing.M) {
	rightsIfAsked()
	goleak.VerifyTestMain(m)
}

// world is two hosts, a and b, joined by a wire between a's device and b's.
type world struct {
	a, b   rawsock.Network
	ai, bi int  // index of the device
	kernel bool // the link-layer is Ethernet and tells no NBMA addresses
	down   func(b bool)
	remove func() // b's device
}

var (
	aIP, bIP = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	// As a link-layer address, an NBMA address is its four bytes. In the kernel
	// world the wire is a veth pair, whose devices get the MAC address
	// 0a:00:00:0x:00:00, which is what the kernel makes of these four bytes.
	aLink, bLink = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
)

// both runs a test over sockets in memory and over those of the kernel.
func both(t *testing.T, test func(t *testing.T, w world)) {
	t.Run("memnet", func(t *testing.T) { test(t, memoryWorld()) })
	t.Run("kernel", func(t *testing.T) { test(t, kernelWorld(t)) })
}

func memoryWorld() world {
	n := memnet.New()
	wire, a, b := n.Wire(), n.Host(), n.Host()
	a.Add(wire, memnet.Spec{Index: 5, Name: "veth-a", Link: aLink, Addrs: []netip.Addr{aIP}})
	d := b.Add(wire, memnet.Spec{Index: 6, Name: "veth-b", Link: bLink, Addrs: []netip.Addr{bIP}})
	return world{a: a, b: b, ai: 5, bi: 6, down: func(down bool) { d.SetUp(!down) }, remove: d.Remove}
}

// inNamespace opens the kernel's sockets in a network namespace.
type inNamespace struct {
	t  *testing.T
	ns netns.NsHandle
}

func (n inNamespace) ListenPacket(cfg rawsock.PacketConfig) (c rawsock.PacketConn, err error) {
	n.do(func() { c, err = rawsock.Kernel{}.ListenPacket(cfg) })
	return c, err
}

func (n inNamespace) ListenIP(cfg rawsock.IPConfig) (c rawsock.IPConn, err error) {
	n.do(func() { c, err = rawsock.Kernel{}.ListenIP(cfg) })
	return c, err
}

func (n inNamespace) do(f func()) {
	n.t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := netns.Get()
	check(n.t, err)
	defer before.Close()
	check(n.t, netns.Set(n.ns))
	defer func() { check(n.t, netns.Set(before)) }()
	f()
}

func kernelWorld(t *testing.T) world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces and raw sockets")
	}
	na, nb := newNamespace(t), newNamespace(t)
	ha, err := netlink.NewHandleAt(na.ns)
	check(t, err)
	hb, err := netlink.NewHandleAt(nb.ns)
	check(t, err)
	t.Cleanup(func() { ha.Close(); hb.Close() })

	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = "veth-a", mac(aLink)
	check(t, ha.LinkAdd(&netlink.Veth{
		LinkAttrs: attrs, PeerName: "veth-b", PeerHardwareAddr: mac(bLink), PeerNamespace: netlink.NsFd(nb.ns),
	}))
	a, b := linkUp(t, ha, "veth-a", aIP), linkUp(t, hb, "veth-b", bIP)
	awaitUp(t, ha, "veth-a")
	awaitUp(t, hb, "veth-b")
	return world{
		a: na, b: nb, ai: a.Attrs().Index, bi: b.Attrs().Index, kernel: true,
		down: func(down bool) {
			if down {
				check(t, hb.LinkSetDown(b))
			} else {
				check(t, hb.LinkSetUp(b))
				awaitUp(t, ha, "veth-a")
				awaitUp(t, hb, "veth-b")
			}
		},
		remove: func() { check(t, hb.LinkDel(b)) },
	}
}

func newNamespace(t *testing.T) inNamespace {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := netns.Get()
	check(t, err)
	defer before.Close()
	ns, err := netns.New()
	check(t, err)
	t.Cleanup(func() { ns.Close() })
	check(t, netns.Set(before))
	return inNamespace{t, ns}
}

func linkUp(t *testing.T, h *netlink.Handle, name string, ip netip.Addr) netlink.Link {
	t.Helper()
	l, err := h.LinkByName(name)
	check(t, err)
	check(t, h.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(24, 32)}}))
	check(t, h.LinkSetUp(l))
	return l
}

func awaitUp(t *testing.T, h *netlink.Handle, name string) {
	t.Helper()
	for range 5000 { // about 10 s; the kernel takes up to one
		l, err := h.LinkByName(name)
		check(t, err)
		if l.Attrs().OperState == netlink.OperUp {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("%s does not come up", name)
}

func mac(nbma netip.Addr) net.HardwareAddr { return append(nbma.AsSlice(), 0, 0) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
