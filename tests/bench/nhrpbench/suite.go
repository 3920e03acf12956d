package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// The hub: its uplink leads to the spokes' node.
const (
	uplink      = "wan"
	hubUplink   = "192.0.2.1/30"
	spokesLink  = "192.0.2.2/30"
	gateway     = "192.0.2.2"
	tunnelKey   = 100
	tunnelMTU   = 1400
	ourDevice   = "Tunnel0"
	frrDevice   = "gre1"
	stopLimit   = time.Minute
	settleLimit = 3 * time.Minute
)

var (
	hubNBMA    = netip.MustParseAddr("192.0.2.1")
	hubOverlay = netip.MustParsePrefix("172.16.0.1/12")
)

// hub is a hub of one of the suites, running.
type hub interface {
	// usage is of zebra and nhrpd, and of nhrpd alone.
	usage() (both, nhrpd *harness.Usage)
	// device is the tunnel's name in the kernel.
	device() string
	// killNHRP kills nhrpd alone, killAll zebra as well; stop ends both in order.
	// start starts what does not run.
	killNHRP()
	killAll()
	stop()
	start()
}

// suite is what can be measured.
type suite struct {
	name string
	// installed tells what is missing.
	installed func() error
	// start starts a hub in a node that has the uplink.
	start func(t harness.TB, n *harness.Node) hub
	// member starts a hub or a spoke of Phase 3, whose tunnel is called device.
	member func(t harness.TB, m, hub *member, spokes []*member)
	device string
}

var allSuites = []suite{
	{"frr", func() error { _, err := os.Stat("/usr/lib/frr/nhrpd"); return err }, startFRR, startFRRPhase3, frrDevice},
	{"godmvpn", func() error { _, err := harness.Binary("nhrpd"); return err }, startOurs, startOursPhase3, ourDevice},
}

// programs of a hub in both suites.
var programs = []string{"zebra", "nhrpd"}

// ours is a hub of this suite.
type ours struct {
	t     harness.TB
	node  *harness.Node
	zebra *harness.Zebra
}

// quiet has zebra log what users have logged; the harness logs everything.
var quiet = []string{"--log-level", "notifications"}

func startOurs(t harness.TB, n *harness.Node) hub {
	conf := fmt.Sprintf(`interface-alias GigabitEthernet1 %s
interface GigabitEthernet1
 ip address %v 255.255.255.252
 no shutdown
ip route 0.0.0.0 0.0.0.0 %s
interface Tunnel0
 ip address %v 255.240.0.0
 ip mtu %d
 ip nhrp map multicast dynamic
 ip nhrp max-send 65535 every 10
 ip nhrp network-id 1
 tunnel source GigabitEthernet1
 tunnel mode gre multipoint
 tunnel key %d
`, uplink, hubNBMA, gateway, hubOverlay.Addr(), tunnelMTU, tunnelKey)
	return &ours{t, n, n.StartZebra(conf, quiet...)}
}

func (h *ours) usage() (both, nhrpd *harness.Usage) {
	return h.node.Usage(programs...), h.node.Usage("nhrpd")
}
func (h *ours) device() string { return ourDevice }
func (h *ours) killNHRP() {
	for _, pid := range h.node.Pids("nhrpd") {
		h.node.KillPid(pid)
	}
}
func (h *ours) killAll() {
	h.zebra.Kill()
	h.killNHRP()
	gone(h.t, h.node)
}
func (h *ours) stop() {
	if err := h.zebra.Terminate(stopLimit); err != nil {
		h.t.Fatalf("zebra: %v", err)
	}
	gone(h.t, h.node)
}

// start starts zebra unless only nhrpd was killed, which zebra starts again itself.
func (h *ours) start() {
	if !h.zebra.Running() {
		h.zebra = h.node.RestartZebra(quiet...)
	}
}

// gone waits until none of the hub's programs runs any more.
func gone(t harness.TB, n *harness.Node) {
	harness.Eventually(t, stopLimit, func() error {
		if pids := n.Pids(""); len(pids) > 0 {
			return fmt.Errorf("%s: %v still run", n.Name(), pids)
		}
		return nil
	})
}

// theirs is a hub of FRR.
type theirs struct {
	node *harness.Node
	frr  *harness.FRR
}

// frrTunnel makes a GRE device as FRR's nhrpd 8.4.4 wants it: from outside, with a
// host address; the subnet comes with the peer. routes are those over it.
func frrTunnel(t harness.TB, n *harness.Node, local, overlay netip.Addr, subnet netip.Prefix, routes ...string) {
	batch := fmt.Sprintf(`link add %[1]s type gre key %[2]d local %[3]v ttl 64
addr add %[4]v peer %[5]v dev %[1]s
link set %[1]s mtu %[6]d up
`, frrDevice, tunnelKey, local, overlay, subnet.Masked(), tunnelMTU)
	for _, r := range routes {
		batch += "route add " + r + "\n"
	}
	file := filepath.Join(n.Rundir(), "ip.batch")
	fatal(t, os.WriteFile(file, []byte(batch), 0o644))
	_, err := n.Run("ip", "-batch", file)
	fatal(t, err)
}

func startFRR(t harness.TB, n *harness.Node) hub {
	n.Addr(uplink, hubUplink)
	n.Route("default", gateway)
	frrTunnel(t, n, hubNBMA, hubOverlay.Addr(), hubOverlay)
	conf := "interface " + frrDevice + `
 no link-detect
 ip nhrp network-id 1
 ip nhrp holdtime 600
 ip nhrp map multicast dynamic
`
	return &theirs{n, n.StartFRR(conf, "nhrpd")}
}

func (h *theirs) usage() (both, nhrpd *harness.Usage) {
	return h.node.Usage(programs...), h.node.Usage("nhrpd")
}
func (h *theirs) device() string { return frrDevice }
func (h *theirs) killNHRP()      { h.frr.Kill("nhrpd") }
func (h *theirs) killAll()       { h.frr.Kill("zebra"); h.frr.Kill("nhrpd") }
func (h *theirs) stop()          { h.frr.Stop("nhrpd"); h.frr.Stop("zebra") }
func (h *theirs) start() {
	for _, d := range programs {
		if !h.frr.Process(d).Running() {
			h.frr.Start(d)
		}
	}
}
