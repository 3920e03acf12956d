// Package lktest makes network namespaces with a linuxkernel.Provider in them,
// for the suite of dptest, and vishvananda/netlink beside it as the one who looks
// from outside and does things behind its back.
package lktest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
)

// Namespace makes a network namespace that ends with the test. The test is
// skipped if this is not root.
func Namespace(t testing.TB) *os.File {
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

// Env is a namespace with a Provider in it. It implements dptest.Env.
type Env struct {
	P       *linuxkernel.Provider
	NS      *os.File
	Handle  *netlink.Handle // somebody else
	t       testing.TB
	monitor int // socket that listens as somebody else
	writes  uint64
	buf     []byte
}

// New makes an Env that ends with the test.
func New(t testing.TB) *Env { return NewWith(t, linuxkernel.Options{}) }

// NewWith makes an Env whose provider has options; the namespace is filled in.
func NewWith(t testing.TB, opt linuxkernel.Options) *Env {
	t.Helper()
	e := &Env{t: t, NS: Namespace(t), buf: make([]byte, 64<<10)}
	var err error
	e.Handle, err = netlink.NewHandleAt(netns.NsHandle(e.NS.Fd()))
	e.must(err)
	t.Cleanup(e.Handle.Close)
	e.AddDevice(dptest.Under)
	e.must(e.Handle.LinkSetUp(e.Link("lo")))
	a, err := netlink.ParseAddr("192.0.2.1/24")
	e.must(err)
	e.must(e.Handle.AddrAdd(e.Link(dptest.Under), a))
	e.Open(opt)
	e.Do(func() error {
		e.monitor, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		return err
	})
	t.Cleanup(func() { unix.Close(e.monitor) })
	e.must(unix.Bind(e.monitor, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	e.must(unix.SetsockoptInt(e.monitor, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20))
	for _, g := range []int{unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_NEIGH} {
		e.must(unix.SetsockoptInt(e.monitor, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g))
	}
	return e
}

// Open makes another Provider the Env's. It ends with the test.
func (e *Env) Open(opt linuxkernel.Options) {
	e.t.Helper()
	opt.Namespace = e.NS
	p, err := linuxkernel.New(opt)
	e.must(err)
	e.t.Cleanup(func() { p.Close() })
	e.P, e.writes = p, p.Counters().Writes
}

// Do runs f on a thread in the namespace; programs that it starts are there too.
func (e *Env) Do(f func() error) { e.t.Helper(); In(e.t, e.NS, f) }

// In is Env.Do for any namespace.
func In(t testing.TB, ns *os.File, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func (e *Env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// Link returns a device as somebody else sees it.
func (e *Env) Link(name string) netlink.Link {
	e.t.Helper()
	l, err := e.Handle.LinkByName(name)
	e.must(err)
	return l
}

// Provider implements dptest.Env.
func (e *Env) Provider() dataplane.Provider { return e.P }

// Changes implements dptest.Env. It counts the notifications that the
// provider's writer caused, and its writes of devices and switches, whose
// notifications bear no name. IPv6 routes are left out: the kernel tells of a
// replacement even by the same.
func (e *Env) Changes() int {
	e.t.Helper()
	c := e.P.Counters()
	n := int(c.Writes - e.writes)
	e.writes = c.Writes
	for {
		size, _, err := unix.Recvfrom(e.monitor, e.buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return n
		}
		e.must(err)
		ms, err := syscall.ParseNetlinkMessage(e.buf[:size])
		e.must(err)
		for _, m := range ms {
			if m.Header.Pid == c.Port {
				n++
			}
		}
	}
}

func (e *Env) route(r dataplane.Route) *netlink.Route {
	n := &netlink.Route{Table: int(r.Table), Priority: int(r.Metric), Protocol: netlink.RouteProtocol(r.Protocol)}
	n.Dst = &net.IPNet{IP: r.Prefix.Addr().AsSlice(), Mask: net.CIDRMask(r.Prefix.Bits(), r.Prefix.Addr().BitLen())}
	for _, h := range r.NextHops {
		n.Gw = h.Gateway.AsSlice()
		n.LinkIndex = e.Link(h.Device).Attrs().Index
	}
	return n
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// Remove implements dptest.Env.
func (e *Env) Remove(o dataplane.Object) {
	e.t.Helper()
	switch o := o.(type) {
	case dataplane.Route:
		e.must(e.Handle.RouteDel(e.route(o)))
	case dataplane.Neighbor:
		e.must(e.Handle.NeighDel(&netlink.Neigh{LinkIndex: e.Link(o.Device).Attrs().Index, IP: o.Addr.AsSlice()}))
	case dataplane.MSSClamp, dataplane.Multicast, dataplane.Hairpin, dataplane.PeerUse:
		for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
			filters, err := e.Handle.FilterList(e.Link(o.Key().Name), parent)
			e.must(err)
			for _, f := range filters {
				e.must(e.Handle.FilterDel(f))
			}
		}
	case dataplane.SA:
		e.must(e.Handle.XfrmStateDel(&netlink.XfrmState{Dst: o.Destination.AsSlice(), Proto: netlink.XFRM_PROTO_ESP, Spi: int(o.SPI)}))
	case dataplane.Policy:
		e.must(e.Handle.XfrmPolicyDel(&netlink.XfrmPolicy{Src: ipNet(netip.PrefixFrom(o.Local, o.Local.BitLen())), Dst: ipNet(o.Peer),
			Proto: unix.IPPROTO_GRE, Dir: netlink.XFRM_DIR_OUT}))
	case dataplane.Shaper:
		e.must(e.Handle.QdiscDel(&netlink.Htb{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: e.Link(o.Device).Attrs().Index, Parent: netlink.HANDLE_ROOT}}))
	default:
		e.t.Fatalf("remove %T", o)
	}
}

// AddRoute implements dptest.Env.
func (e *Env) AddRoute(r dataplane.Route) {
	e.t.Helper()
	e.must(e.Handle.RouteReplace(e.route(r)))
}

// SetUp implements dptest.Env.
func (e *Env) SetUp(device string, up bool) {
	e.t.Helper()
	if up {
		e.must(e.Handle.LinkSetUp(e.Link(device)))
	} else {
		e.must(e.Handle.LinkSetDown(e.Link(device)))
	}
}

// Send implements dptest.Env.
func (e *Env) Send(device string, to netip.Addr) {
	e.t.Helper()
	e.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		const discard = 9 // RFC 863
		return errors.Join(unix.BindToDevice(fd, device), unix.Sendto(fd, []byte("data"), 0, &unix.SockaddrInet4{Port: discard, Addr: to.As4()}))
	})
}

// AddDevice implements dptest.Env.
func (e *Env) AddDevice(name string) {
	e.t.Helper()
	e.must(e.Handle.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "-peer"}))
	e.must(e.Handle.LinkSetUp(e.Link(name)))
	e.must(e.Handle.LinkSetUp(e.Link(name + "-peer")))
}

// RemoveDevice implements dptest.Env.
func (e *Env) RemoveDevice(name string) {
	e.t.Helper()
	e.must(e.Handle.LinkDel(e.Link(name)))
}
