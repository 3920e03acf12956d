package vrfsock

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	hostA, hostB = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	local6, far6 = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")
)

// The tests use the protocol and the groups of EIGRP, and a port of UDP.
const protocol = 88

var group4, group6 = netip.MustParseAddr("224.0.0.10"), netip.MustParseAddr("ff02::a")

// config is a protocol's.
func config(n rawsock.Network, receive func(string, rawsock.Meta, []byte), complain func(mnemonic, text string)) Config {
	const room = 4 << 20
	return Config{Network: n, MaxPacket: 1500, MaxWaiting: 100, Protocol: "EIGRP", Service: "IP protocol 88", Receive: receive, Complain: complain,
		IPv4: rawsock.IPConfig{Protocol: protocol, TTL: 2, TOS: Precedence, ReceiveBuffer: room},
		IPv6: rawsock.IPConfig{Protocol: protocol, TTL: 255, TOS: Precedence, ReceiveBuffer: room}}
}

// bench is a host with sockets, and another one that sends to it.
type bench struct {
	t       *testing.T
	net     *memnet.Net
	wire    *memnet.Wire
	device  *memnet.Device
	far     *memnet.Host
	other   rawsock.IPConn
	network *faulty
	sockets *Sockets
	stop    func()

	mu    sync.Mutex
	heard []string
	said  []string
	rooms []string
}

// newBench has the host's device "Ethernet1" on a wire under index 5, and the
// other host's under index 7.
func newBench(t *testing.T) *bench {
	n := memnet.New()
	b := &bench{t: t, net: n, wire: n.Wire()}
	host := n.Host()
	b.far = n.Host()
	b.far.Add(b.wire, memnet.Spec{Index: 7, Name: "far", Addrs: []netip.Addr{hostB, far6}})
	var err error
	if b.other, err = b.far.ListenIP(rawsock.IPConfig{Protocol: protocol}); err != nil {
		t.Fatal(err)
	}
	if err := b.other.Join(group4, 7); err != nil {
		t.Fatal(err)
	}
	b.network = &faulty{Host: host}
	b.device = host.Add(b.wire, memnet.Spec{Index: 5, Name: "Ethernet1", Addrs: []netip.Addr{hostA, local6}})
	ctx, cancel := context.WithCancel(context.Background())
	b.sockets = New(ctx, config(b.network, b.receive, b.say))
	b.sockets.cfg.Room = b.room
	b.stop = func() { cancel(); b.sockets.Close(); b.other.Close() }
	return b
}

func (b *bench) receive(ifname string, m rawsock.Meta, octets []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, fmt.Sprintf("%s to %v on %s", octets, m.Dst.Addr(), ifname))
}

func (b *bench) say(mnemonic, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, mnemonic+": "+text)
}

func (b *bench) room(ifname string, full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rooms = append(b.rooms, fmt.Sprint(ifname, " ", full))
}

// link tells the sockets of an interface of the host.
func (b *bench) link(index int) rib.Interface {
	return rib.Interface{Name: "Ethernet1", KernelName: "Ethernet1", Index: index, Up: true, AdminUp: true}
}

// transmit has the other host send a text.
func (b *bench) transmit(text string, to netip.Addr) {
	b.t.Helper()
	if err := b.other.WriteTo([]byte(text), rawsock.Meta{Dst: netip.AddrPortFrom(to, 0), Index: 7}); err != nil {
		b.t.Error(err)
	}
	synctest.Wait()
}

// want compares what was heard since the last want.
func (b *bench) want(what string, want ...string) {
	b.t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff(want, b.heard); diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	b.heard = nil
}

// wantSaid compares what was logged since the last wantSaid.
func (b *bench) wantSaid(what string, want ...string) {
	b.t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff(want, b.said); diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	b.said = nil
}

// answer has the sockets send, and returns what the other host reads.
func (b *bench) answer(dst netip.Addr) string {
	b.t.Helper()
	b.sockets.Send(Packet{Interface: "Ethernet1", Source: hostA, Dest: netip.AddrPortFrom(dst, 0), Payload: []byte("answer")})
	buf := make([]byte, 100)
	n, m, err := b.other.ReadFrom(buf)
	if err != nil {
		b.t.Error(err)
	}
	return fmt.Sprintf("%s from %v ttl %d", buf[:n], m.Src.Addr(), m.TTL)
}

// faulty is a network with faults.
type faulty struct {
	*memnet.Host
	mu    sync.Mutex
	open  []error // of the next calls of ListenIP
	write []error // of the next calls of WriteTo
	conns []*faultyConn
	cfgs  []rawsock.IPConfig
}

// faultyConn is a socket that fails when it is told to.
type faultyConn struct {
	rawsock.IPConn
	net    *faulty
	broken error
}

func (f *faulty) ListenIP(cfg rawsock.IPConfig) (rawsock.IPConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.open) > 0 {
		err := f.open[0]
		f.open = f.open[1:]
		if err != nil {
			return nil, err
		}
	}
	c, err := f.Host.ListenIP(cfg)
	if err != nil {
		return nil, err
	}
	fc := &faultyConn{IPConn: c, net: f}
	f.conns, f.cfgs = append(f.conns, fc), append(f.cfgs, cfg)
	return fc, nil
}

// fail ends the reader of the newest socket with an error.
func (f *faulty) fail(err error) {
	f.mu.Lock()
	c := f.conns[len(f.conns)-1]
	c.broken = err
	f.mu.Unlock()
	c.IPConn.Close()
}

func (c *faultyConn) ReadFrom(b []byte) (int, rawsock.Meta, error) {
	n, m, err := c.IPConn.ReadFrom(b)
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.broken != nil {
		err = c.broken
	}
	return n, m, err
}

func (c *faultyConn) WriteTo(b []byte, m rawsock.Meta) error {
	c.net.mu.Lock()
	if len(c.net.write) > 0 {
		err := c.net.write[0]
		c.net.write = c.net.write[1:]
		c.net.mu.Unlock()
		return err
	}
	c.net.mu.Unlock()
	return c.IPConn.WriteTo(b, m)
}

var listen = Listen{Interface: "Ethernet1", Family: rib.IPv4, Groups: []netip.Addr{group4}}

// TestListen: packets of an interface are heard from Listen to Unlisten, those of
// others are not.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		aside := b.net.Wire()
		b.network.Add(aside, memnet.Spec{Index: 6, Name: "Ethernet2", Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.1")}})
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.InterfaceChanged(rib.Interface{Name: "Ethernet2", KernelName: "Ethernet2", Index: 6, Up: true})
		b.transmit("too early", group4)
		b.want("before Listen")
		b.sockets.Listen(listen)
		for _, to := range []netip.Addr{group4, hostA} {
			b.transmit("update", to)
		}
		b.want("after Listen", "update to 224.0.0.10 on Ethernet1", "update to 192.0.2.1 on Ethernet1")
		for _, to := range []netip.Addr{group4, hostB} {
			if got := b.answer(to); got != "answer from 192.0.2.1 ttl 2" {
				t.Error(got)
			}
		}
		if c := b.network.cfgs[0]; c.TOS != 0xc0 || c.Device != "" || c.IPv6 || c.Protocol != 88 || c.ReceiveBuffer < 3000*1024 {
			t.Errorf("socket: %+v", c)
		}

		// Another interface that nobody listens on.
		third := b.net.Host()
		third.Add(aside, memnet.Spec{Index: 1, Name: "eth", Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.2")}})
		c, err := third.ListenIP(rawsock.IPConfig{Protocol: protocol})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sendAside := func() {
			for _, to := range []netip.Addr{group4, netip.MustParseAddr("198.51.100.1")} {
				if err := c.WriteTo([]byte("x"), rawsock.Meta{Dst: netip.AddrPortFrom(to, 0), Index: 1}); err != nil {
					t.Fatal(err)
				}
			}
		}
		sendAside()
		b.want("on another interface")
		b.sockets.cfg.AnyInterface = true
		sendAside()
		b.want("on any interface", "x to 198.51.100.1 on Ethernet2")

		b.sockets.Listen(Listen{Interface: "Ethernet1", Family: rib.IPv4})
		b.transmit("to the group", group4)
		b.transmit("to the host", hostA)
		b.want("without the group", "to the host to 192.0.2.1 on Ethernet1")
		b.sockets.Unlisten(Listen{Interface: "Ethernet1", Family: rib.IPv4})
		synctest.Wait()
		b.transmit("too late", hostA)
		b.want("after Unlisten")
		if err := b.network.conns[0].IPConn.Join(group4, 5); err == nil {
			t.Error("the socket is still open")
		}
		b.wantSaid("in all")
	})
}

// TestWithoutInterface: each VRF's socket is open as long as anybody listens there.
func TestWithoutInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.cfg.AnyInterface = true
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.InterfaceChanged(rib.Interface{Name: "RED", KernelName: "vrf-red", Index: 20, Type: rib.TypeVRF, Up: true})
		b.network.Add(b.net.Wire(), memnet.Spec{Index: 6, Name: "Ethernet2", VRF: "vrf-red", Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.1")}})
		b.sockets.Listen(Listen{Family: rib.IPv4})
		b.sockets.Listen(Listen{VRF: "RED", Family: rib.IPv4})
		b.sockets.Unlisten(Listen{VRF: "RED", Family: rib.IPv4})
		b.transmit("to the host", hostA)
		b.transmit("to the group", group4)
		b.want("without an interface", "to the host to 192.0.2.1 on Ethernet1")
		b.sockets.Unlisten(Listen{Family: rib.IPv4})
		synctest.Wait()
		b.transmit("too late", hostA)
		b.want("after Unlisten")
		if len(b.network.conns) != 2 {
			t.Errorf("%d sockets", len(b.network.conns))
		}
	})
}

// TestGroups: an interface is in the groups that are wanted at the time.
func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		all, designated := netip.MustParseAddr("224.0.0.5"), netip.MustParseAddr("224.0.0.6")
		b.sockets.InterfaceChanged(b.link(5))
		for _, step := range []struct {
			groups []netip.Addr
			want   []string
		}{
			{[]netip.Addr{all}, []string{"x to 224.0.0.5 on Ethernet1"}},
			{[]netip.Addr{all, designated}, []string{"x to 224.0.0.5 on Ethernet1", "x to 224.0.0.6 on Ethernet1"}},
			{[]netip.Addr{designated}, []string{"x to 224.0.0.6 on Ethernet1"}},
			{nil, nil},
		} {
			b.sockets.Listen(Listen{Interface: "Ethernet1", Family: rib.IPv4, Groups: step.groups})
			b.transmit("x", all)
			b.transmit("x", designated)
			b.want(fmt.Sprint("in ", step.groups), step.want...)
		}
		if len(b.network.conns) != 1 {
			t.Errorf("%d sockets", len(b.network.conns))
		}
	})
}

// TestIPv6: the family has a socket of its own, in its group, from the link-local
// address.
func TestIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		other, err := b.far.ListenIP(rawsock.IPConfig{IPv6: true, Protocol: protocol, TTL: 255})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(listen)
		b.sockets.Listen(Listen{Interface: "Ethernet1", Family: rib.IPv6, Groups: []netip.Addr{group6}})
		for _, to := range []netip.Addr{group6, local6} {
			if err := other.WriteTo([]byte("six"), rawsock.Meta{Src: netip.AddrPortFrom(far6, 0), Dst: netip.AddrPortFrom(to, 0), Index: 7}); err != nil {
				t.Error(err)
			}
		}
		b.want("of IPv6", "six to ff02::a on Ethernet1", "six to fe80::1 on Ethernet1")
		b.transmit("four", group4)
		b.want("of IPv4", "four to 224.0.0.10 on Ethernet1")
		for ttl, want := range map[int]int{0: 255, 7: 7} {
			b.sockets.Send(Packet{Interface: "Ethernet1", Source: local6, Dest: netip.AddrPortFrom(far6, 0), TTL: ttl, Payload: []byte("answer")})
			buf := make([]byte, 100)
			if n, m, err := other.ReadFrom(buf); err != nil || string(buf[:n]) != "answer" || m.Src.Addr() != local6 || m.TTL != want {
				t.Errorf("%q, %+v, %v", buf[:n], m, err)
			}
		}
		b.sockets.Unlisten(Listen{Interface: "Ethernet1", Family: rib.IPv6})
		synctest.Wait()
		b.transmit("four", group4)
		b.want("without IPv6", "four to 224.0.0.10 on Ethernet1")
		if err := b.network.conns[1].IPConn.Join(group6, 5); err == nil {
			t.Error("the socket of IPv6 is still open")
		}
	})
}

// TestIndexChange: the device of an interface is made anew.
func TestIndexChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.Listen(listen) // before the interface is known
		b.sockets.InterfaceChanged(b.link(5))
		b.transmit("first", group4)
		b.device.Remove()
		b.sockets.InterfaceChanged(b.link(0))
		b.network.Add(b.wire, memnet.Spec{Index: 50, Name: "Ethernet1", Addrs: []netip.Addr{hostA}})
		b.transmit("nobody knows of the new device", group4)
		b.sockets.InterfaceChanged(b.link(50))
		b.transmit("second", group4)
		b.want("two devices", "first to 224.0.0.10 on Ethernet1", "second to 224.0.0.10 on Ethernet1")
		if got := b.answer(group4); !strings.HasPrefix(got, "answer") {
			t.Error(got)
		}
		b.sockets.InterfaceGone("Ethernet1")
		b.transmit("after the end", group4)
		b.want("none")
		if len(b.network.conns) != 1 {
			t.Errorf("%d sockets", len(b.network.conns))
		}
		b.wantSaid("in all")
	})
}

// TestVRF: the socket of a VRF waits for the VRF's device, and follows it.
func TestVRF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.device.Remove()
		add := func(vrf string, index int) *memnet.Device {
			return b.network.Add(b.wire, memnet.Spec{Index: index, Name: "Ethernet1", VRF: vrf, Addrs: []netip.Addr{hostA}})
		}
		device := add("vrf-red", 5)
		moved := b.link(5)
		moved.VRF = "RED"
		red := rib.Interface{Name: "RED", KernelName: "vrf-red", Index: 20, Type: rib.TypeVRF, Up: true}
		inRed := Listen{Interface: "Ethernet1", VRF: "RED", Family: rib.IPv4, Groups: []netip.Addr{group4}}
		b.sockets.InterfaceChanged(moved)
		b.sockets.Listen(inRed)
		b.transmit("too early", group4)
		b.sockets.InterfaceChanged(red)
		b.transmit("in red", group4)
		b.want("with the VRF", "in red to 224.0.0.10 on Ethernet1")
		if c := b.network.cfgs[0]; c.Device != "vrf-red" {
			t.Errorf("socket: %+v", c)
		}
		b.sockets.InterfaceGone("RED")
		b.transmit("no VRF", group4)
		b.want("without the VRF")
		red.Index, red.KernelName = 21, "vrf-rot"
		device.Remove()
		device = add("vrf-rot", 5)
		b.sockets.InterfaceChanged(red)
		b.transmit("again", group4)
		b.want("with another VRF of the name", "again to 224.0.0.10 on Ethernet1")

		red.Index = 22
		b.sockets.InterfaceChanged(red) // made anew, and nobody said that it was gone
		b.transmit("and again", group4)
		b.want("with a third VRF of the name", "and again to 224.0.0.10 on Ethernet1")
		if len(b.network.conns) != 3 {
			t.Errorf("%d sockets", len(b.network.conns))
		}

		// The interface moves: until the core follows, nothing is heard.
		device.Remove()
		add("", 5)
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(Listen{Interface: "none", Family: rib.IPv4}) // opens the default VRF's socket
		b.transmit("not yet", group4)
		b.want("the interface has moved")
		b.sockets.Listen(listen)
		b.transmit("default", group4)
		b.want("the core has followed", "default to 224.0.0.10 on Ethernet1")
		b.wantSaid("in all")
	})
}

// TestReopen: a socket that fails is opened again, and joins its groups.
func TestReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(listen)
		b.network.fail(rawsock.ErrGone)
		synctest.Wait()
		b.sockets.Send(Packet{Interface: "Ethernet1", Source: hostA, Dest: netip.AddrPortFrom(group4, 0)}) // lost
		time.Sleep(time.Second)
		b.transmit("after a pause", group4)
		b.want("reopened", "after a pause to 224.0.0.10 on Ethernet1")
		b.wantSaid("quietly")
		b.network.fail(errors.New("out of luck"))
		time.Sleep(reopenAfter + time.Second)
		b.transmit("after trouble", group4)
		b.want("reopened again", "after trouble to 224.0.0.10 on Ethernet1")
		b.wantSaid("trouble", "NOSOCKET: EIGRP cannot use IP protocol 88: out of luck")
		if len(b.network.conns) != 3 {
			t.Errorf("%d sockets", len(b.network.conns))
		}
	})
}

// TestPortInUse: the port is another program's, until that ends.
func TestPortInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.network.open = []error{unix.EADDRINUSE, unix.EADDRINUSE}
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(listen)
		b.wantSaid("the first time", "NOSOCKET: EIGRP cannot use IP protocol 88: address already in use")
		time.Sleep(2*reopenAfter + time.Second)
		b.transmit("at last", group4)
		b.want("in the end", "at last to 224.0.0.10 on Ethernet1")
		b.wantSaid("within the minute")
	})
}

// TestSendErrors: what passes is not worth a word, the rest one a minute.
func TestSendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(listen)
		try := func(errs ...error) {
			b.network.mu.Lock()
			b.network.write = slices.Clone(errs)
			b.network.mu.Unlock()
			for range errs {
				b.sockets.Send(Packet{Interface: "Ethernet1", Source: hostA, Dest: netip.AddrPortFrom(group4, 0)})
			}
		}
		try(rawsock.ErrGone, rawsock.ErrDown)
		b.wantSaid("of devices")
		busy := fmt.Errorf("%w: %w", rawsock.ErrBusy, unix.EAGAIN)
		odd := errors.New("odd")
		try(odd, odd, odd)
		b.wantSaid("a fault", "NOTSENT: a packet for 224.0.0.10 was not sent on Ethernet1: odd")
		time.Sleep(time.Minute)
		try(odd)
		b.wantSaid("a fault a minute later",
			"NOTSENT: a packet for 224.0.0.10 was not sent on Ethernet1: odd (and 2 times before)")

		// Settle waits for room.
		b.network.mu.Lock()
		b.network.write = []error{busy, busy, busy}
		b.network.mu.Unlock()
		if got := b.answer(group4); !strings.HasPrefix(got, "answer") {
			t.Error(got)
		}
		try(busy)
		b.sockets.Settle(t.Context())
		b.sockets.mu.RLock()
		defer b.sockets.mu.RUnlock()
		if n := len(b.sockets.waiting); n > 0 {
			t.Errorf("packets wait still on %d interfaces", n)
		}
	})
}

// TestJoinRefused: the kernel allows no more groups; later it does.
func TestJoinRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		full := &fullHost{faulty: b.network, full: true}
		b.sockets.cfg.Network = full
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(listen)
		b.wantSaid("full", "NOGROUP: no multicasts for 224.0.0.10 are received on Ethernet1: too many groups")
		full.full = false
		b.sockets.Retry()
		b.transmit("update", group4)
		b.want("with room", "update to 224.0.0.10 on Ethernet1")
	})
}

// fullHost refuses memberships.
type fullHost struct {
	*faulty
	full bool
}

type fullConn struct {
	rawsock.IPConn
	host *fullHost
}

func (f *fullHost) ListenIP(cfg rawsock.IPConfig) (rawsock.IPConn, error) {
	c, err := f.faulty.ListenIP(cfg)
	return fullConn{c, f}, err
}

func (c fullConn) Join(group netip.Addr, index int) error {
	if c.host.full {
		return errors.New("too many groups")
	}
	return c.IPConn.Join(group, index)
}

// TestAllocations: what sending costs beside the system call.
func TestAllocations(t *testing.T) {
	s := New(t.Context(), Config{})
	s.links["Ethernet1"] = rib.Interface{Index: 5}
	s.wanted[listen.key()] = listen
	s.open[place{"", rib.IPv4}] = &socket{conn: nowhere{}}
	p := Packet{Interface: "Ethernet1", Source: hostA, Dest: netip.AddrPortFrom(group4, 0), Payload: make([]byte, 504)}
	if n := testing.AllocsPerRun(100, func() { s.Send(p) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

type nowhere struct{ rawsock.IPConn }

func (nowhere) WriteTo([]byte, rawsock.Meta) error { return nil }
