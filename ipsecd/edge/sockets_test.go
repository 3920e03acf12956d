package edge

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	near, far = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	// The host has these as well, and before the others.
	spare, spare6 = netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9")

	near6, far6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
)

// bench is a host with sockets, and another one that sends to it.
type bench struct {
	t       *testing.T
	network *faulty
	device  *memnet.Device
	wire    *memnet.Wire
	others  map[port]rawsock.IPConn
	sockets *sockets
	stop    func()

	mu    sync.Mutex
	heard []string
	said  []string
}

// port is one of UDP, of a family.
type port struct {
	number uint16
	ipv6   bool
}

// faulty is a network with faults.
type faulty struct {
	*memnet.Host
	mu   sync.Mutex
	open []error // of the next calls of ListenIP
	cfgs []rawsock.IPConfig
}

func (f *faulty) ListenIP(cfg rawsock.IPConfig) (rawsock.IPConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.open) > 0 {
		err := f.open[0]
		f.open = f.open[1:]
		return nil, err
	}
	f.cfgs = append(f.cfgs, cfg)
	return f.Host.ListenIP(cfg)
}

func newBench(t *testing.T) *bench {
	n := memnet.New()
	b := &bench{t: t, wire: n.Wire(), others: map[port]rawsock.IPConn{}, network: &faulty{Host: n.Host()}}
	other := n.Host()
	other.Add(b.wire, memnet.Spec{Index: 7, Name: "far", Addrs: []netip.Addr{far, far6}})
	for _, p := range []port{{number: 500}, {number: 4500}, {number: 500, ipv6: true}, {number: 4500, ipv6: true}} {
		c, err := other.ListenIP(rawsock.IPConfig{Port: p.number, IPv6: p.ipv6})
		if err != nil {
			t.Fatal(err)
		}
		b.others[p] = c
	}
	b.add("", 5)
	ctx, cancel := context.WithCancel(context.Background())
	b.sockets = newSockets(ctx, b.network, b.receive, b.say)
	b.stop = func() {
		cancel()
		b.sockets.close()
		for _, c := range b.others {
			c.Close()
		}
	}
	return b
}

// add gives the host its device, in place of the one before.
func (b *bench) add(vrf string, index int) {
	if b.device != nil {
		b.device.Remove()
	}
	b.device = b.network.Add(b.wire, memnet.Spec{Index: index, Name: "eth0", VRF: vrf, Addrs: []netip.Addr{spare, spare6, near, near6}})
}

func (b *bench) receive(in core.RxPacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, fmt.Sprintf("%q from %v to %v vrf %q", in.Packet, in.Remote, in.Local, in.VRF))
}

func (b *bench) say(l core.Log) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, fmt.Sprintf("%s-%d-%s: %s", l.Facility, l.Severity, l.Mnemonic, l.Text))
}

// transmit has the other host send a text to a port.
func (b *bench) transmit(text string, number uint16, to netip.Addr) {
	b.t.Helper()
	c := b.others[port{number: number, ipv6: to.Is6()}]
	if err := c.WriteTo([]byte(text), rawsock.Meta{Dst: netip.AddrPortFrom(to, number), Index: 7}); err != nil {
		b.t.Error(err)
	}
	synctest.Wait()
}

// want compares what was heard, or said, since the last call.
func (b *bench) want(what string, list *[]string, want ...string) {
	b.t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff(want, *list); diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	*list = nil
}

// TestListen: datagrams to both ports are heard from Listen to Unlisten, but for what is
// the kernel's; answers leave from the address and port that the core says.
func TestListen(t *testing.T) {
	for _, family := range []struct{ near, far, spare netip.Addr }{{near, far, spare}, {near6, far6, spare6}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			defer b.stop()
			b.transmit("too early", 500, family.near)
			b.sockets.listen(core.Listen{Local: family.near})
			b.transmit("request", 500, family.near)
			b.transmit("to another address", 500, family.spare)
			b.transmit("\x00\x00\x00\x00request", 4500, family.near)
			b.transmit("\x00\x00\x12\x34ESP, of the kernel", 4500, family.near)
			b.transmit("\xff", 4500, family.near)
			b.want("heard", &b.heard, fmt.Sprintf(`"request" from %v to %v vrf ""`, netip.AddrPortFrom(family.far, 500), netip.AddrPortFrom(family.near, 500)),
				fmt.Sprintf(`"\x00\x00\x00\x00request" from %v to %v vrf ""`, netip.AddrPortFrom(family.far, 4500), netip.AddrPortFrom(family.near, 4500)))
			for _, number := range ports {
				b.sockets.send(core.TxPacket{Local: netip.AddrPortFrom(family.near, number), Remote: netip.AddrPortFrom(family.far, 500), Packet: []byte("answer")})
				buf := make([]byte, 100)
				n, m, err := b.others[port{number: 500, ipv6: family.near.Is6()}].ReadFrom(buf)
				if err != nil || string(buf[:n]) != "answer" || m.Src != netip.AddrPortFrom(family.near, number) || m.TTL != hops {
					t.Errorf("%q %+v %v", buf[:n], m, err)
				}
			}
			for _, c := range b.network.cfgs {
				if c.ESPinUDP != (c.Port == 4500) || !c.Fragment || c.TOS != 0xc0 || c.ReceiveBuffer == 0 || c.Local != family.near {
					t.Errorf("socket: %+v", c)
				}
			}
			b.sockets.unlisten(core.Unlisten{Local: family.near})
			synctest.Wait()
			b.transmit("too late", 500, family.near)
			b.want("after Unlisten", &b.heard)
			b.want("in all", &b.said)
			if len(b.network.cfgs) != 2 {
				t.Errorf("%d sockets", len(b.network.cfgs))
			}
		})
	}
}

// TestVRF: the sockets of a VRF wait for its device, and follow it.
func TestVRF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.add("vrf-red", 5)
		b.sockets.listen(core.Listen{VRF: "RED", Local: near})
		b.transmit("too early", 500, near)
		red := rib.Interface{Name: "RED", KernelName: "vrf-red", Index: 20, Type: rib.TypeVRF}
		b.sockets.interfaceChanged(red)
		b.transmit("in red", 500, near)
		b.want("with the VRF", &b.heard, `"in red" from 192.0.2.2:500 to 192.0.2.1:500 vrf "RED"`)
		b.sockets.interfaceGone("RED")
		synctest.Wait()
		b.transmit("no VRF", 500, near)
		b.want("without the VRF", &b.heard)
		b.add("vrf-rot", 6)
		red.Index, red.KernelName = 21, "vrf-rot"
		b.sockets.interfaceChanged(red)
		b.transmit("again", 500, near)
		red.Index = 22
		b.sockets.interfaceChanged(red) // made anew, and nobody said that it was gone
		synctest.Wait()
		b.transmit("and again", 500, near)
		b.want("with others of the name", &b.heard, `"again" from 192.0.2.2:500 to 192.0.2.1:500 vrf "RED"`, `"and again" from 192.0.2.2:500 to 192.0.2.1:500 vrf "RED"`)
		if len(b.network.cfgs) != 6 {
			t.Errorf("%d sockets", len(b.network.cfgs))
		}
		b.want("in all", &b.said)
	})
}

// TestPortInUse: a port is another program's, until that ends; one complaint a minute.
func TestPortInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.network.open = []error{unix.EADDRINUSE, unix.EADDRINUSE, unix.EADDRINUSE, unix.EADDRINUSE}
		b.sockets.listen(core.Listen{Local: near})
		synctest.Wait()
		b.mu.Lock()
		for _, text := range b.said {
			if !strings.HasPrefix(text, "IKEV2-3-NOSOCKET: cannot use UDP port ") || !strings.HasSuffix(text, ": address already in use") {
				t.Error(text)
			}
		}
		if len(b.said) != 2 {
			t.Error(b.said)
		}
		b.said = nil
		b.mu.Unlock()
		b.sockets.send(core.TxPacket{Local: netip.AddrPortFrom(near, 500), Remote: netip.AddrPortFrom(far, 500)}) // lost
		time.Sleep(3 * reopenAfter)
		b.transmit("at last", 500, near)
		b.want("in the end", &b.heard, `"at last" from 192.0.2.2:500 to 192.0.2.1:500 vrf ""`)
		b.want("within the minute", &b.said)
	})
}

// TestNotSent: what cannot be sent is told once a minute for each reason.
func TestNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.listen(core.Listen{Local: near})
		for range 3 {
			b.sockets.send(core.TxPacket{Local: netip.AddrPortFrom(near, 500), Remote: netip.MustParseAddrPort("203.0.113.99:500"), Packet: []byte("x")})
		}
		b.want("once", &b.said, "IKEV2-3-NOTSENT: a datagram for 203.0.113.99:500 was not sent from 192.0.2.1:500: network is unreachable")
	})
}
