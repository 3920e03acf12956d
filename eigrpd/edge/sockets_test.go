package edge

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

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	hostA, hostB = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	local6, far6 = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")
)

// bench is a host with sockets, and another one that sends to it.
type bench struct {
	t       *testing.T
	net     *memnet.Net
	wire    *memnet.Wire
	device  *memnet.Device
	far     *memnet.Host
	other   rawsock.IPConn
	network *faulty
	sockets *sockets
	stop    func()

	mu    sync.Mutex
	heard []string
	said  []string
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
	if b.other, err = b.far.ListenIP(rawsock.IPConfig{Protocol: packet.Protocol}); err != nil {
		t.Fatal(err)
	}
	if err := b.other.Join(packet.GroupIPv4, 7); err != nil {
		t.Fatal(err)
	}
	b.network = &faulty{Host: host}
	b.device = host.Add(b.wire, memnet.Spec{Index: 5, Name: "Ethernet1", Addrs: []netip.Addr{hostA, local6}})
	ctx, cancel := context.WithCancel(context.Background())
	b.sockets = newSockets(ctx, b.network, b.receive, b.say)
	b.stop = func() { cancel(); b.sockets.close(); b.other.Close() }
	return b
}

func (b *bench) receive(ifname string, m rawsock.Meta, octets []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, fmt.Sprintf("%s to %v on %s", octets, m.Dst.Addr(), ifname))
}

func (b *bench) say(l core.Log) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, fmt.Sprintf("%s-%d-%s: %s", l.Facility, l.Severity, l.Mnemonic, l.Text))
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
	b.sockets.send(core.TxPacket{Interface: "Ethernet1", Source: hostA, Dest: dst, Packet: []byte("answer")})
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

var listen = core.Listen{Interface: "Ethernet1", Family: rib.IPv4, Group: true}

// TestListen: packets of an interface are heard from Listen to Unlisten, those of
// others are not.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		aside := b.net.Wire()
		b.network.Add(aside, memnet.Spec{Index: 6, Name: "Ethernet2", Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.1")}})
		b.sockets.interfaceChanged(b.link(5))
		b.sockets.interfaceChanged(rib.Interface{Name: "Ethernet2", KernelName: "Ethernet2", Index: 6, Up: true})
		b.transmit("too early", packet.GroupIPv4)
		b.want("before Listen")
		b.sockets.listen(listen)
		for _, to := range []netip.Addr{packet.GroupIPv4, hostA} {
			b.transmit("update", to)
		}
		b.want("after Listen", "update to 224.0.0.10 on Ethernet1", "update to 192.0.2.1 on Ethernet1")
		for _, to := range []netip.Addr{packet.GroupIPv4, hostB} {
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
		c, err := third.ListenIP(rawsock.IPConfig{Protocol: packet.Protocol})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, to := range []netip.Addr{packet.GroupIPv4, netip.MustParseAddr("198.51.100.1")} {
			if err := c.WriteTo([]byte("x"), rawsock.Meta{Dst: netip.AddrPortFrom(to, 0), Index: 1}); err != nil {
				t.Fatal(err)
			}
		}
		b.want("on another interface", "x to 198.51.100.1 on Ethernet2") // a remote neighbour's may be such

		b.sockets.listen(core.Listen{Interface: "Ethernet1", Family: rib.IPv4})
		b.transmit("to the group", packet.GroupIPv4)
		b.transmit("to the host", hostA)
		b.want("without the group", "to the host to 192.0.2.1 on Ethernet1")
		b.sockets.unlisten(core.Unlisten{Interface: "Ethernet1", Family: rib.IPv4})
		synctest.Wait()
		b.transmit("too late", hostA)
		b.want("after Unlisten")
		if err := b.network.conns[0].IPConn.Join(packet.GroupIPv4, 5); err == nil {
			t.Error("the socket is still open")
		}
		b.wantSaid("in all")
	})
}

// TestIPv6: the family has a socket of its own, in its group, from the link-local
// address.
func TestIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		other, err := b.far.ListenIP(rawsock.IPConfig{IPv6: true, Protocol: packet.Protocol, TTL: 255})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		b.sockets.interfaceChanged(b.link(5))
		b.sockets.listen(listen)
		b.sockets.listen(core.Listen{Interface: "Ethernet1", Family: rib.IPv6, Group: true})
		for _, to := range []netip.Addr{packet.GroupIPv6, local6} {
			if err := other.WriteTo([]byte("six"), rawsock.Meta{Src: netip.AddrPortFrom(far6, 0), Dst: netip.AddrPortFrom(to, 0), Index: 7}); err != nil {
				t.Error(err)
			}
		}
		b.want("of IPv6", "six to ff02::a on Ethernet1", "six to fe80::1 on Ethernet1")
		b.transmit("four", packet.GroupIPv4)
		b.want("of IPv4", "four to 224.0.0.10 on Ethernet1")
		for ttl, want := range map[uint8]int{0: 255, 7: 7} {
			b.sockets.send(core.TxPacket{Interface: "Ethernet1", Source: local6, Dest: far6, TTL: ttl, Packet: []byte("answer")})
			buf := make([]byte, 100)
			if n, m, err := other.ReadFrom(buf); err != nil || string(buf[:n]) != "answer" || m.Src.Addr() != local6 || m.TTL != want {
				t.Errorf("%q, %+v, %v", buf[:n], m, err)
			}
		}
		b.sockets.unlisten(core.Unlisten{Interface: "Ethernet1", Family: rib.IPv6})
		synctest.Wait()
		b.transmit("four", packet.GroupIPv4)
		b.want("without IPv6", "four to 224.0.0.10 on Ethernet1")
		if err := b.network.conns[1].IPConn.Join(packet.GroupIPv6, 5); err == nil {
			t.Error("the socket of IPv6 is still open")
		}
	})
}

// TestIndexChange: the device of an interface is made anew.
func TestIndexChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.listen(listen) // before the interface is known
		b.sockets.interfaceChanged(b.link(5))
		b.transmit("first", packet.GroupIPv4)
		b.device.Remove()
		b.sockets.interfaceChanged(b.link(0))
		b.network.Add(b.wire, memnet.Spec{Index: 50, Name: "Ethernet1", Addrs: []netip.Addr{hostA}})
		b.transmit("nobody knows of the new device", packet.GroupIPv4)
		b.sockets.interfaceChanged(b.link(50))
		b.transmit("second", packet.GroupIPv4)
		b.want("two devices", "first to 224.0.0.10 on Ethernet1", "second to 224.0.0.10 on Ethernet1")
		if got := b.answer(packet.GroupIPv4); !strings.HasPrefix(got, "answer") {
			t.Error(got)
		}
		b.sockets.interfaceGone("Ethernet1")
		b.transmit("after the end", packet.GroupIPv4)
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
		inRed := core.Listen{Interface: "Ethernet1", VRF: "RED", Family: rib.IPv4, Group: true}
		b.sockets.interfaceChanged(moved)
		b.sockets.listen(inRed)
		b.transmit("too early", packet.GroupIPv4)
		b.sockets.interfaceChanged(red)
		b.transmit("in red", packet.GroupIPv4)
		b.want("with the VRF", "in red to 224.0.0.10 on Ethernet1")
		if c := b.network.cfgs[0]; c.Device != "vrf-red" {
			t.Errorf("socket: %+v", c)
		}
		b.sockets.interfaceGone("RED")
		b.transmit("no VRF", packet.GroupIPv4)
		b.want("without the VRF")
		red.Index, red.KernelName = 21, "vrf-rot"
		device.Remove()
		device = add("vrf-rot", 5)
		b.sockets.interfaceChanged(red)
		b.transmit("again", packet.GroupIPv4)
		b.want("with another VRF of the name", "again to 224.0.0.10 on Ethernet1")

		red.Index = 22
		b.sockets.interfaceChanged(red) // made anew, and nobody said that it was gone
		b.transmit("and again", packet.GroupIPv4)
		b.want("with a third VRF of the name", "and again to 224.0.0.10 on Ethernet1")
		if len(b.network.conns) != 3 {
			t.Errorf("%d sockets", len(b.network.conns))
		}

		// The interface moves: until the core follows, nothing is heard.
		device.Remove()
		add("", 5)
		b.sockets.interfaceChanged(b.link(5))
		b.sockets.listen(core.Listen{Interface: "none", Family: rib.IPv4}) // opens the default VRF's socket
		b.transmit("not yet", packet.GroupIPv4)
		b.want("the interface has moved")
		b.sockets.listen(listen)
		b.transmit("default", packet.GroupIPv4)
		b.want("the core has followed", "default to 224.0.0.10 on Ethernet1")
		b.wantSaid("in all")
	})
}

// TestReopen: a socket that fails is opened again, and joins its groups.
func TestReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.interfaceChanged(b.link(5))
		b.sockets.listen(listen)
		b.network.fail(rawsock.ErrGone)
		synctest.Wait()
		b.sockets.send(core.TxPacket{Interface: "Ethernet1", Source: hostA, Dest: packet.GroupIPv4}) // lost
		time.Sleep(time.Second)
		b.transmit("after a pause", packet.GroupIPv4)
		b.want("reopened", "after a pause to 224.0.0.10 on Ethernet1")
		b.wantSaid("quietly")
		b.network.fail(errors.New("out of luck"))
		time.Sleep(reopenAfter + time.Second)
		b.transmit("after trouble", packet.GroupIPv4)
		b.want("reopened again", "after trouble to 224.0.0.10 on Ethernet1")
		b.wantSaid("trouble", "EIGRP-3-NOSOCKET: EIGRP cannot use IP protocol 88: out of luck")
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
		b.sockets.interfaceChanged(b.link(5))
		b.sockets.listen(listen)
		b.wantSaid("the first time", "EIGRP-3-NOSOCKET: EIGRP cannot use IP protocol 88: address already in use")
		time.Sleep(2*reopenAfter + time.Second)
		b.transmit("at last", packet.GroupIPv4)
		b.want("in the end", "at last to 224.0.0.10 on Ethernet1")
		b.wantSaid("within the minute")
	})
}

// TestSendErrors: what passes is not worth a word, the rest one a minute.
func TestSendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.interfaceChanged(b.link(5))
		b.sockets.listen(listen)
		try := func(errs ...error) {
			b.network.mu.Lock()
			b.network.write = slices.Clone(errs)
			b.network.mu.Unlock()
			for range errs {
				b.sockets.send(core.TxPacket{Interface: "Ethernet1", Source: hostA, Dest: packet.GroupIPv4})
			}
		}
		try(rawsock.ErrGone, rawsock.ErrDown)
		b.wantSaid("of devices")
		busy := fmt.Errorf("%w: %w", rawsock.ErrBusy, unix.EAGAIN)
		odd := errors.New("odd")
		try(odd, odd, odd)
		b.wantSaid("a fault", "EIGRP-3-NOTSENT: a packet for 224.0.0.10 was not sent on Ethernet1: odd")
		time.Sleep(time.Minute)
		try(odd)
		b.wantSaid("a fault a minute later",
			"EIGRP-3-NOTSENT: a packet for 224.0.0.10 was not sent on Ethernet1: odd (and 2 times before)")

		// The farewell waits for room.
		b.network.mu.Lock()
		b.network.write = []error{busy, busy, busy}
		b.network.mu.Unlock()
		if got := b.answer(packet.GroupIPv4); !strings.HasPrefix(got, "answer") {
			t.Error(got)
		}
		try(busy)
		b.sockets.settle(t.Context())
		b.sockets.mu.RLock()
		defer b.sockets.mu.RUnlock()
		if waits := b.sockets.open[place{"", rib.IPv4}].waiting; waits != nil {
			t.Errorf("%d packets wait still", len(waits))
		}
	})
}

// TestJoinRefused: the kernel allows no more groups; later it does.
func TestJoinRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		full := &fullHost{faulty: b.network, full: true}
		b.sockets.network = full
		b.sockets.interfaceChanged(b.link(5))
		b.sockets.listen(listen)
		b.wantSaid("full", "EIGRP-3-NOGROUP: no multicasts are received on Ethernet1: too many groups")
		full.full = false
		b.sockets.retry()
		b.transmit("update", packet.GroupIPv4)
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
	s := newSockets(t.Context(), nil, nil, nil)
	s.links["Ethernet1"] = rib.Interface{Index: 5}
	s.wanted[membership{"Ethernet1", rib.IPv4}] = listen
	s.open[place{"", rib.IPv4}] = &socket{conn: nowhere{}}
	p := core.TxPacket{Interface: "Ethernet1", Source: hostA, Dest: packet.GroupIPv4, Packet: make([]byte, 504)}
	if n := testing.AllocsPerRun(100, func() { s.send(p) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

type nowhere struct{ rawsock.IPConn }

func (nowhere) WriteTo([]byte, rawsock.Meta) error { return nil }
