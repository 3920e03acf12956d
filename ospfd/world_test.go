package ospfd_test

import (
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program is the daemon, with zebra's grammar and its own.
var program = func() *plugintest.Program {
	g, err := cli.Merge(cli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, cli.Owned{Owner: ospfd.Name, Tree: ospfd.Grammar()})
	if err != nil {
		panic(err)
	}
	return &plugintest.Program{Name: ospfd.Name, Grammar: g, Shared: policy.SharedIDs(),
		New: func(log *slog.Logger, w daemon.World) plugintest.Daemon { return ospfd.New(log, "test", w) }}
}()

const tunnelIndex = 10

// newStation makes a router with a network of its own, and a tunnel on a wire; the
// daemon does not run. Of its interfaces the tunnel is the second.
func newStation(t *testing.T, n *memnet.Net, w *memnet.Wire, tunnel, lan string) *plugintest.Station {
	s := plugintest.NewStation(t, program, n)
	s.Add(n.Wire(), rib.Interface{Name: "GigabitEthernet2", KernelName: "lan", Index: 2, Bandwidth: 1_000_000}, lan)
	s.Add(w, rib.Interface{Name: "Tunnel0", KernelName: "Tunnel0", Index: tunnelIndex, Type: rib.TypeTunnel, Bandwidth: 100,
		Tunnel: &rib.Tunnel{Mode: rib.TunnelGREMultipoint, HasKey: true, Key: 100}}, tunnel)
	return s
}

// router is `router ospf 1` on all interfaces; broadcast has a Hello each second.
const (
	router = `router ospf 1
 network 0.0.0.0 255.255.255.255 area 0
`
	broadcast = `interface GigabitEthernet2
 ip ospf hello-interval 1
 ip ospf dead-interval 4
interface Tunnel0
 ip ospf network broadcast
 ip ospf hello-interval 1
 ip ospf dead-interval 4
` + router
)

// pair is a hub and a spoke; what each learns from the other is atHub and atSpoke.
func pair(t *testing.T) (hub, spoke *plugintest.Station) {
	n := memnet.New()
	w := n.Wire()
	return newStation(t, n, w, "172.31.0.1/24", "10.1.0.1/24"), newStation(t, n, w, "172.31.0.11/24", "10.11.0.1/24")
}

const (
	atHub   = "10.11.0.0/24 via 172.31.0.11 Tunnel0 [110/1001]"
	atSpoke = "10.1.0.0/24 via 172.31.0.1 Tunnel0 [110/1001]"
)

// exchanged starts both and waits until they have routes.
func exchanged(t *testing.T) (hub, spoke *plugintest.Station) {
	hub, spoke = pair(t)
	hub.Start(broadcast)
	spoke.Start(broadcast)
	time.Sleep(30 * time.Second)
	same(t, "hub", hub.Zebra.Routes(), atHub)
	same(t, "spoke", spoke.Zebra.Routes(), atSpoke)
	return hub, spoke
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
