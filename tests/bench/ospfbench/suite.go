package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// suite is a routing suite that can be measured.
type suite struct {
	name string
	// installed tells what is missing.
	installed func() error
	// start starts it in a node.
	start func(n *harness.Node, r router)
	// programs are those whose processor time and memory count, as Pids names them;
	// daemon is the one of them that speaks OSPF.
	programs []string
	daemon   string
	// protocol is the number with which its routes are in the kernel.
	protocol int
	// equal says that its throttles can be set to those of others.
	equal bool
}

// own is the name of this suite.
const own = "godmvpn"

var allSuites = []suite{
	{"frr", there("/usr/lib/frr/ospfd"), startFRR, []string{"zebra", "ospfd"}, "ospfd", harness.ProtocolNumber(rib.OSPF), true},
	{"bird", there("/usr/sbin/bird"), startBIRD, []string{"bird"}, "bird", harness.ProtocolBIRD, false},
	{own, func() error { _, err := harness.Binary("ospfd"); return err }, startOurs, []string{"zebra", "ospfd"}, "ospfd", harness.ProtocolNumber(rib.OSPF), true},
}

func there(file string) func() error {
	return func() error { _, err := os.Stat(file); return err }
}

// port is a device on which a router speaks OSPF to one other.
type port struct {
	device string
	cost   int
}

// router is what a router is to do: all is in area 0.
type router struct {
	id    string
	ports []port
	stub  string // device of a network without routers; "": none
	equal bool   // throttles as of equalFRR and equalOurs, not the suite's own
}

// Hello and dead interval of all, in seconds.
const (
	hello = 1
	dead  = 4
)

// What both can be set to: a computation after 1 ms, the next ones after 50 ms, 100 ms and
// so on up to a second; an LSA at once, the next instance after 100 ms; no LSA is refused
// that is 50 ms younger than what it replaces.
const (
	equalFRR  = " timers throttle spf 1 50 1000\n timers throttle lsa all 100\n timers lsa min-arrival 50\n"
	equalOurs = " timers throttle spf 1 50 1000\n timers throttle lsa 0 100 100\n timers lsa arrival 50\n"
)

func startFRR(n *harness.Node, r router) {
	conf := interfaces(r) + fmt.Sprintf("router ospf\n ospf router-id %s\n network 10.0.0.0/8 area 0\n", r.id)
	n.StartFRR(conf+process(r, equalFRR), "ospfd")
}

func startOurs(n *harness.Node, r router) {
	conf := interfaces(r) + fmt.Sprintf("router ospf 1\n router-id %s\n network 10.0.0.0 0.255.255.255 area 0\n", r.id)
	// The harness logs everything; what is measured is a router as users run it.
	n.StartZebra(conf+process(r, equalOurs), "--log-level", "notifications")
}

// interfaces are the lines that FRR and this suite both understand.
func interfaces(r router) string {
	var b strings.Builder
	for _, p := range r.ports {
		fmt.Fprintf(&b, "interface %s\n ip ospf network point-to-point\n ip ospf cost %d\n ip ospf hello-interval %d\n ip ospf dead-interval %d\n", p.device, p.cost, hello, dead)
	}
	return b.String()
}

func process(r router, equal string) (lines string) {
	if r.stub != "" {
		lines += fmt.Sprintf(" passive-interface %s\n", r.stub)
	}
	if r.equal {
		lines += equal
	}
	return lines
}

func startBIRD(n *harness.Node, r router) {
	var b strings.Builder
	for _, p := range r.ports {
		fmt.Fprintf(&b, "  interface %q { type ptp; cost %d; hello %d; dead %d; };\n", p.device, p.cost, hello, dead)
	}
	if r.stub != "" {
		fmt.Fprintf(&b, "  interface %q { stub; };\n", r.stub)
	}
	// The others do not put routes to networks that are connected.
	n.StartBIRD(fmt.Sprintf(`router id %s;
protocol device {}
protocol kernel { ipv4 { import none; export filter { if net ~ %s then reject; accept; }; }; }
protocol ospf v2 {
 ipv4 { import all; export none; };
 area 0 {
%s };
}
`, r.id, loadNetwork, b.String()))
}
