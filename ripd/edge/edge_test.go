package edge

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is one where sending finds no room a few times, and that notes what sockets
// are wanted.
type network struct {
	mu   sync.Mutex
	cfgs []rawsock.IPConfig
	busy int
	sent int
	in   []netip.Addr // groups
}

func (n *network) ListenPacket(rawsock.PacketConfig) (rawsock.PacketConn, error) {
	panic("RIP has no packet sockets")
}

func (n *network) ListenIP(cfg rawsock.IPConfig) (rawsock.IPConn, error) {
	n.cfgs = append(n.cfgs, cfg)
	return conn{n, make(chan struct{})}, nil
}

type conn struct {
	*network
	closed chan struct{}
}

func (c conn) ReadFrom([]byte) (int, rawsock.Meta, error) {
	<-c.closed
	return 0, rawsock.Meta{}, rawsock.ErrGone
}

func (c conn) WriteTo([]byte, rawsock.Meta) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy > 0 {
		c.busy--
		return rawsock.ErrBusy
	}
	c.sent++
	return nil
}

func (c conn) Join(group netip.Addr, _ int) error { c.in = append(c.in, group); return nil }
func (c conn) Leave(netip.Addr, int) error        { return nil }
func (c conn) Close() error                       { close(c.closed); return nil }

// TestSending: the socket is RIP's; the core is told where there is no room; the farewell
// is paced and waits for room.
func TestSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		e := New(slog.New(slog.DiscardHandler), daemon.World{Network: n, Wall: time.Now, Random: rand.NewPCG(1, 1)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		e.sockets.InterfaceChanged(rib.Interface{Name: "RED", KernelName: "vrf-red", Index: 3, Type: rib.TypeVRF})
		e.sockets.InterfaceChanged(rib.Interface{Name: "Ethernet1", Index: 5, VRF: "RED"})
		e.handle([]core.Effect{core.Listen{Interface: "Ethernet1", VRF: "RED", Group: true}})
		want := []rawsock.IPConfig{{Port: 520, Device: "vrf-red", TTL: 1, TOS: 0xc0, ReceiveBuffer: 1 << 20}}
		if diff := cmp.Diff(want, n.cfgs, cmpopts.EquateComparable(netip.Addr{})) + cmp.Diff([]string{"224.0.0.9"}, []string{n.in[0].String()}); diff != "" {
			t.Error(diff)
		}
		tx := core.TxPacket{Interface: "Ethernet1", Source: netip.MustParseAddr("192.0.2.1"), Dest: netip.AddrPortFrom(packet.Group, packet.Port)}
		n.busy = 1
		e.handle([]core.Effect{tx})
		synctest.Wait()
		if posted := e.Driver.Stats().Posted; posted != 2 {
			t.Errorf("%d inputs say that there is no room, and then some", posted)
		}
		go func() { defer close(done); e.Run(ctx) }()
		if err := e.Goodbye(t.Context()); err != nil {
			t.Error(err)
		}
		n.busy = 3
		began, before := time.Now(), n.sent
		for range 10 * farewellBurst {
			e.handle([]core.Effect{tx})
		}
		if took := time.Since(began); took != 10*farewellPause+6*time.Millisecond || n.sent-before != 10*farewellBurst {
			t.Errorf("the farewell took %v, %d packets", took, n.sent-before)
		}
		time.Sleep(time.Minute)
		began, n.busy = time.Now(), 1
		e.handle([]core.Effect{tx})
		if took := time.Since(began); took != 0 {
			t.Errorf("long after it, waited %v", took)
		}
		cancel()
		<-done
	})
}
