package edge

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// network notes what sockets are wanted, and in which groups.
type network struct {
	cfgs   []rawsock.IPConfig
	groups []netip.Addr
}

func (*network) ListenPacket(rawsock.PacketConfig) (rawsock.PacketConn, error) {
	panic("EIGRP has no packet sockets")
}

func (n *network) ListenIP(cfg rawsock.IPConfig) (rawsock.IPConn, error) {
	n.cfgs = append(n.cfgs, cfg)
	return &conn{network: n, closed: make(chan struct{})}, nil
}

type conn struct {
	rawsock.IPConn
	*network
	closed chan struct{}
}

func (c *conn) ReadFrom([]byte) (int, rawsock.Meta, error) {
	<-c.closed
	return 0, rawsock.Meta{}, rawsock.ErrGone
}

func (c *conn) Join(group netip.Addr, _ int) error {
	c.groups = append(c.groups, group)
	return nil
}

func (c *conn) Close() error { close(c.closed); return nil }

// TestSockets: they are EIGRP's.
func TestSockets(t *testing.T) {
	n := &network{}
	e := New(slog.New(slog.DiscardHandler), daemon.World{Network: n, Wall: time.Now, Random: rand.NewPCG(1, 1)})
	e.sockets.InterfaceChanged(rib.Interface{Name: "Ethernet1", Index: 5})
	e.handle([]core.Effect{core.Listen{Interface: "Ethernet1", Family: rib.IPv4, Group: true}, core.Listen{Interface: "Ethernet1", Family: rib.IPv6, Group: true}})
	want := []rawsock.IPConfig{{Protocol: 88, TTL: 2, TOS: 0xc0, ReceiveBuffer: 4 << 20}, {IPv6: true, Protocol: 88, TTL: 255, TOS: 0xc0, ReceiveBuffer: 4 << 20}}
	if diff := cmp.Diff(want, n.cfgs, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	if got := fmt.Sprint(n.groups); got != "[224.0.0.10 ff02::a]" {
		t.Error(got)
	}
	e.sockets.Close()
}
