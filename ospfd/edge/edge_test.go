package edge

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network notes what is done with sockets.
type network struct{ did []string }

func (*network) ListenPacket(rawsock.PacketConfig) (rawsock.PacketConn, error) {
	panic("OSPF has no packet sockets")
}

func (n *network) ListenIP(cfg rawsock.IPConfig) (rawsock.IPConn, error) {
	n.did = append(n.did, fmt.Sprintf("open %+v", cfg))
	return &conn{network: n, closed: make(chan struct{})}, nil
}

type conn struct {
	*network
	closed chan struct{}
}

func (c *conn) ReadFrom([]byte) (int, rawsock.Meta, error) {
	<-c.closed
	return 0, rawsock.Meta{}, rawsock.ErrGone
}

func (c *conn) WriteTo(b []byte, m rawsock.Meta) error {
	c.did = append(c.did, fmt.Sprintf("%s from %v to %v by %d ttl %d", b, m.Src, m.Dst, m.Index, m.TTL))
	return nil
}

func (c *conn) Join(group netip.Addr, index int) error {
	c.did = append(c.did, fmt.Sprintf("join %v on %d", group, index))
	return nil
}

func (c *conn) Leave(group netip.Addr, index int) error {
	c.did = append(c.did, fmt.Sprintf("leave %v on %d", group, index))
	return nil
}

func (c *conn) Close() error { close(c.closed); return nil }

// TestSockets: they are OSPF's; packets of a link have a TTL of 1, those of virtual links
// are routed.
func TestSockets(t *testing.T) {
	n := &network{}
	e := New(slog.New(slog.DiscardHandler), daemon.World{Network: n, Wall: time.Now, Random: rand.NewPCG(1, 1)})
	e.event(rib.InterfaceChanged{Interface: rib.Interface{Name: "Ethernet1", Index: 5}})
	self, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	e.handle([]core.Effect{
		core.Listen{Interface: "Ethernet1", Group: true},
		core.Listen{Interface: "Ethernet1", Group: true, Designated: true},
		core.TxPacket{Interface: "Ethernet1", Source: self, Dest: packet.AllDRouters, TTL: 1, Packet: []byte("update")},
		core.Listen{},
		core.TxPacket{Source: self, Dest: other, Packet: []byte("virtual")},
		core.Listen{Interface: "Ethernet1", Group: true},
		core.Unlisten{Interface: "Ethernet1"},
	})
	cfg := rawsock.IPConfig{Protocol: 89, TTL: 1, TOS: 0xc0, ReceiveBuffer: 4 << 20, Fragment: true}
	want := []string{fmt.Sprintf("open %+v", cfg), "join 224.0.0.5 on 5", "join 224.0.0.6 on 5",
		"update from 192.0.2.1:0 to 224.0.0.6:0 by 5 ttl 1", "virtual from 192.0.2.1:0 to 198.51.100.1:0 by 0 ttl 64",
		"leave 224.0.0.6 on 5", "leave 224.0.0.5 on 5"}
	if diff := cmp.Diff(want, n.did); diff != "" {
		t.Error(diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.Run(ctx)
}
