package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// The link between the two routers.
const (
	device          = "eth0"
	network         = "10.255.0.0/24"
	senderAddress   = "10.255.0.1/24"
	receiverAddress = "10.255.0.2/24"
)

// suite is a routing suite that can be measured.
type suite struct {
	name string
	// installed tells what is missing.
	installed func() error
	// start starts zebra and ripd in a node, with these static discard routes.
	start func(n *harness.Node, static []netip.Prefix, tm timers)
	// programs are those whose processor time counts, as Pids names them.
	programs []string
	// static is the protocol number with which discard routes are in the kernel.
	static int
}

var allSuites = []suite{
	{"frr", func() error { _, err := os.Stat("/usr/lib/frr/ripd"); return err }, startFRR, []string{"zebra", "ripd"}, unix.RTPROT_BOOT},
	{"godmvpn", func() error { _, err := harness.Binary("ripd"); return err }, startOurs, []string{"zebra", "ripd"}, harness.ProtocolNumber(rib.Static)},
}

// prefixes are n networks of /24 outside of the link's.
func prefixes(n int) []netip.Prefix {
	all := make([]netip.Prefix, n)
	for i := range all {
		all[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + i>>16), byte(i >> 8), byte(i), 0}), 24)
	}
	return all
}

// startFRR gives FRR its discard routes by the kernel: its staticd 8.4.4 gets stuck on
// a configuration with 10,000 of them (seen: 2,580 reached the kernel).
func startFRR(n *harness.Node, static []netip.Prefix, tm timers) {
	conf := fmt.Sprintf("router rip\n version 2\n timers basic %s\n network %s\n", tm.frr, network)
	if len(static) > 0 {
		conf += " redistribute kernel metric 1\n"
		n.Blackholes(static...)
	}
	n.StartFRR(conf, "ripd")
}

func startOurs(n *harness.Node, static []netip.Prefix, tm timers) {
	var b strings.Builder
	for _, p := range static {
		fmt.Fprintf(&b, "ip route %v Null0\n", p)
	}
	fmt.Fprintf(&b, "router rip\n version 2\n timers basic %s\n network %s\n", tm.ours, network)
	if len(static) > 0 {
		b.WriteString(" redistribute static metric 1\n")
	}
	// The harness logs everything; what is measured is a router as users run it.
	n.StartZebra(b.String(), "--log-level", "notifications")
}
