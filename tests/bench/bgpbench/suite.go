package main

import (
	"fmt"
	"os"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// The link between the router and its neighbour, and their autonomous systems.
const (
	device        = "eth0"
	routerAddress = "10.255.0.1"
	feederAddress = "10.255.0.2"
	routerAS      = 65001
	feederAS      = 65002
)

// own is the name of this suite.
const own = "godmvpn"

// suite is a routing suite that can be measured.
type suite struct {
	name string
	// installed tells what is missing.
	installed func() error
	// start starts the suite in a node. It waits for the neighbour to connect.
	start func(n *harness.Node)
	// programs are those whose processor time counts, as Pids names them.
	programs []string
}

var allSuites = []suite{
	{"frr", there("/usr/lib/frr/bgpd"), startFRR, []string{"zebra", "bgpd"}},
	{"bird", there("/usr/sbin/bird"), startBIRD, []string{"bird"}},
	{own, func() error { _, err := harness.Binary("bgpd"); return err }, startOurs, []string{"zebra", "bgpd"}},
}

func there(file string) func() error {
	return func() error { _, err := os.Stat(file); return err }
}

func startFRR(n *harness.Node) {
	n.StartFRR(fmt.Sprintf(`router bgp %[1]d
 bgp router-id %[2]s
 no bgp ebgp-requires-policy
 neighbor %[3]s remote-as %[4]d
 neighbor %[3]s passive
`, routerAS, routerAddress, feederAddress, feederAS), "bgpd")
}

func startBIRD(n *harness.Node) {
	n.StartBIRD(fmt.Sprintf(`router id %[2]s;
protocol device { }
protocol direct { ipv4; }
protocol kernel {
	ipv4 { import none; export where source = RTS_BGP; };
}
protocol bgp feeder {
	local %[2]s as %[1]d;
	neighbor %[3]s as %[4]d;
	passive on;
	ipv4 { import all; export none; };
}
`, routerAS, routerAddress, feederAddress, feederAS))
}

func startOurs(n *harness.Node) {
	// The harness logs everything; what is measured is a router as users run it.
	n.StartZebra(fmt.Sprintf(`router bgp %[1]d
 bgp router-id %[2]s
 neighbor %[3]s remote-as %[4]d
 neighbor %[3]s transport connection-mode passive
`, routerAS, routerAddress, feederAddress, feederAS), "--log-level", "notifications")
}
