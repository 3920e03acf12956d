package linuxkernel

import (
	"errors"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
)

// namespace makes a network namespace that ends with the test.
func namespace(t testing.TB) *os.File {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	type made struct {
		f   *os.File
		err error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- made{nil, err}
			return
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		done <- made{f, err}
	}()
	m := <-done
	if m.err != nil {
		t.Fatal(m.err)
	}
	t.Cleanup(func() { m.f.Close() })
	return m.f
}

// env is a namespace with a provider in it, and vishvananda/netlink as the one
// who looks from outside and does things behind its back.
type env struct {
	t       testing.TB
	p       *Provider
	ns      *os.File
	h       *netlink.Handle
	monitor *socket
	writes  uint64
	buf     []byte
}

func newEnv(t testing.TB) *env {
	t.Helper()
	e := &env{t: t, ns: namespace(t), buf: make([]byte, 64<<10)}
	var err error
	if e.h, err = netlink.NewHandleAt(netns.NsHandle(e.ns.Fd())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.h.Close)
	e.AddDevice(dptest.Under)
	lo, err := e.h.LinkByName("lo")
	e.must(err)
	e.must(e.h.LinkSetUp(lo))
	a, err := netlink.ParseAddr("192.0.2.1/24")
	e.must(err)
	e.must(e.h.AddrAdd(e.link(dptest.Under), a))
	if e.p, err = New(Options{Namespace: e.ns}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.p.Close() })
	e.monitor, err = openSocket(e.ns, groups...)
	e.must(err)
	t.Cleanup(func() { e.monitor.close() })
	return e
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) link(name string) netlink.Link {
	e.t.Helper()
	l, err := e.h.LinkByName(name)
	e.must(err)
	return l
}

func (e *env) Provider() dataplane.Provider { return e.p }

// Changes counts the notifications that the provider's writer caused, and its
// writes of devices and switches, whose notifications bear no name. IPv6 routes
// are left out: the kernel tells of a replacement even by the same.
func (e *env) Changes() int {
	e.t.Helper()
	n := int(e.p.w.writes - e.writes)
	e.writes = e.p.w.writes
	for {
		size, err := e.monitor.receive(e.buf, false)
		if errors.Is(err, unix.EAGAIN) {
			return n
		}
		if errors.Is(err, unix.ENOBUFS) {
			n++
			continue
		}
		e.must(err)
		for m := range messages(e.buf[:size]) {
			route6 := (m.typ == unix.RTM_NEWROUTE || m.typ == unix.RTM_DELROUTE) && m.data[0] == unix.AF_INET6
			if m.port == e.p.w.sock.port && !route6 {
				n++
			}
		}
	}
}

func (e *env) route(r dataplane.Route) *netlink.Route {
	n := &netlink.Route{Table: int(r.Table), Priority: int(r.Metric), Protocol: netlink.RouteProtocol(r.Protocol)}
	n.Dst = &net.IPNet{IP: r.Prefix.Addr().AsSlice(), Mask: net.CIDRMask(r.Prefix.Bits(), r.Prefix.Addr().BitLen())}
	for _, h := range r.NextHops {
		n.Gw = h.Gateway.AsSlice()
		n.LinkIndex = e.link(h.Device).Attrs().Index
	}
	return n
}

func (e *env) Remove(o dataplane.Object) {
	e.t.Helper()
	switch o := o.(type) {
	case dataplane.Route:
		e.must(e.h.RouteDel(e.route(o)))
	case dataplane.Neighbor:
		e.must(e.h.NeighDel(&netlink.Neigh{LinkIndex: e.link(o.Device).Attrs().Index, IP: o.Addr.AsSlice()}))
	default:
		e.t.Fatalf("remove %T", o)
	}
}

func (e *env) AddRoute(r dataplane.Route) {
	e.t.Helper()
	e.must(e.h.RouteReplace(e.route(r)))
}

func (e *env) SetUp(device string, up bool) {
	e.t.Helper()
	if up {
		e.must(e.h.LinkSetUp(e.link(device)))
	} else {
		e.must(e.h.LinkSetDown(e.link(device)))
	}
}

func (e *env) AddDevice(name string) {
	e.t.Helper()
	e.must(e.h.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "-peer"}))
	e.must(e.h.LinkSetUp(e.link(name)))
	e.must(e.h.LinkSetUp(e.link(name + "-peer")))
}

func (e *env) RemoveDevice(name string) {
	e.t.Helper()
	e.must(e.h.LinkDel(e.link(name)))
}

func TestSuite(t *testing.T) {
	dptest.Run(t, func(t testing.TB) dptest.Env { return newEnv(t) })
}
