package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// The link between the two routers.
const (
	device          = "eth0"
	network         = "10.255.0.0"
	senderAddress   = "10.255.0.1/24"
	receiverAddress = "10.255.0.2/24"
)

// suite is a routing suite that can be measured.
type suite struct {
	name string
	// installed tells what is missing.
	installed func() error
	// start starts zebra and eigrpd in a node, with these static discard routes
	// redistributed.
	start func(n *harness.Node, static []netip.Prefix)
	// programs are those whose processor time counts, as Pids names them.
	programs []string
}

var allSuites = []suite{
	{"frr", func() error { _, err := os.Stat("/usr/lib/frr/eigrpd"); return err }, startFRR, []string{"zebra", "eigrpd"}},
	{"godmvpn", func() error { _, err := harness.Binary("eigrpd"); return err }, startOurs, []string{"zebra", "eigrpd"}},
}

// stub is the name of the sender's device number i, address the address on it.
func stub(i int) string    { return fmt.Sprintf("d%d", i) }
func address(i int) string { return fmt.Sprintf("10.%d.%d.1/24", 1+i>>8, i&255) }

// prefixes are n networks of /24 outside of the others.
func prefixes(n int) []netip.Prefix {
	all := make([]netip.Prefix, n)
	for i := range all {
		all[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + i>>16), byte(i >> 8), byte(i), 0}), 24)
	}
	return all
}

func startFRR(n *harness.Node, _ []netip.Prefix) {
	n.StartFRR("router eigrp 100\n network 10.0.0.0/8\n", "eigrpd")
}

func startOurs(n *harness.Node, static []netip.Prefix) {
	var b strings.Builder
	for _, p := range static {
		fmt.Fprintf(&b, "ip route %v Null0\n", p)
	}
	b.WriteString("router eigrp 100\n network 10.0.0.0\n")
	if len(static) > 0 {
		b.WriteString(" redistribute static metric 10000 100 255 1 1500\n")
	}
	// The harness logs everything; what is measured is a router as users run it.
	n.StartZebra(b.String(), "--log-level", "notifications")
}
