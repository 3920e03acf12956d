package cli

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// summaryOf is the end of the lines of a summary address.
const summaryOf = " [distance:<1-255>] [leak-map map:WORD(63)]"

// ifaceHelp explains the lines of interfaces in both modes.
var ifaceHelp = cli.Help{"bandwidth-percent": "How much of the interface's bandwidth EIGRP may use", "percent": "Percent; more than 100 if the bandwidth is set low",
	"hello-interval": "Time between Hellos", "seconds": "Seconds", "hold-time": "How long neighbors keep this router without a packet of it",
	"authentication": "Authentication of packets", "mode": "How packets are authenticated", "md5": "Keyed MD5, with a key chain", "hmac-sha-256": "HMAC-SHA-256, with a password or a key chain",
	"0": "The password follows as it is", "7": "The password follows in Cisco's type 7", "secret": "Password", "key-chain": "Keys with lifetimes", "chain": "Name of the key chain",
	"next-hop-self": "Tell routes with this router as their next hop", "no-ecmp-mode": "Look at all paths of a route for a next hop, not just at the first",
	"split-horizon": "Tell nothing of a route where it was learnt", "summary-address": "Tell a summary in place of its parts",
	"distance": "Distance of the discard route; 255: none", "leak-map": "Tell parts that a route-map permits as well",
	"passive-interface": "Tell of the network and have no neighbors", "shutdown": "Run no EIGRP here", "add-paths": "Tell several paths of equal cost",
	"paths": "Paths of a route, at most"}

// holdHelp is for hold times, which have a minimum of their own.
var holdHelp = cli.Help{"seconds": "Seconds; more than the hello interval"}

// namedCommands returns named mode.
func namedCommands() []cli.Command {
	router := &lines{mode: ModeNamed}
	router.add(1, CmdShutdown, "shutdown", cli.Help{"shutdown": "Run none of the address families"})
	family := router.add(50, CmdFamily, "address-family family:{ipv4|ipv6} [unicast] [vrf vrf:WORD(15)] autonomous-system as:<1-65535>",
		cli.Help{"unicast": "Unicast routes", "ipv6": "IPv6"}, "family", "vrf", "as")
	family.Enters = ModeFamily
	enter := cli.Command{ID: CmdNamed, Mode: cli.ModeConfig, Pattern: "router eigrp name:WORD(32)", Enters: ModeNamed, Key: []string{"name"}, Weight: weightRouter,
		Help: cli.Help{"name": "Name of a virtual instance: EIGRP in named mode"}}
	topology := &lines{mode: ModeTopology}
	topology.topology()
	return slices.Concat([]cli.Command{enter}, router.list, familyCommands(), namedInterface(ModeDefault), namedInterface(ModeInterface), topology.list)
}

// familyCommands returns the lines of an address family.
func familyCommands() []cli.Command {
	l := &lines{mode: ModeFamily}
	help := cli.Help{"af-interface": "Interfaces", "default": "What holds for all that say nothing else", "topology": "Topologies", "base": "The one of all routes"}
	l.add(10, CmdAFDefault, "af-interface default", help).Enters = ModeDefault
	l.add(11, CmdAFInterface, "af-interface ifname:IFNAME", help, "ifname").Enters = ModeInterface
	l.add(20, CmdTopology, "topology base", help).Enters = ModeTopology
	l.instance()
	l.add(33, CmdRIBScale, "metric rib-scale scale:<1-255>", cli.Help{"metric": "Metrics", "rib-scale": "What metrics are divided by in the routing table",
		"scale": "Divisor"}).Default = "metric rib-scale 128"
	l.add(53, CmdRemoteNeighbors, "remote-neighbors source ifname:IFNAME unicast-listen [allow-list list:WORD(63)] [max-neighbors count:<1-65535>]", cli.Help{
		"remote-neighbors": "Neighbors several hops away", "source": "By whose address they know this router", "unicast-listen": "Take those that come",
		"allow-list": "Access-list of their addresses", "max-neighbors": "How many there may be", "count": "Neighbors"})
	return l.list
}

// namedInterface returns the lines of af-interface. Under an interface both forms of
// a switch and all values are kept, since they go before those of `af-interface
// default`; there, what is the default anyway is not, but for a hold time, which
// otherwise depends on the hello interval.
func namedInterface(mode string) []cli.Command {
	l := &lines{mode: mode}
	value := func(id, pattern, def string, help cli.Help) {
		c := l.add(20, id, pattern, help)
		if mode == ModeDefault {
			c.Default = def
		}
	}
	toggle := func(weight int, id, pattern string, on bool) {
		c := l.add(weight, id, pattern, ifaceHelp)
		if mode == ModeInterface {
			c.DefaultOn, c.Default = true, "-"
		} else {
			c.DefaultOn = on
		}
	}
	toggle(1, CmdIfShutdown, "shutdown", false)
	if mode == ModeInterface {
		l.add(10, CmdIfSummary, "summary-address {addr:A.B.C.D mask:MASK|prefix:PREFIX}"+summaryOf, ifaceHelp, "addr", "mask", "prefix")
	}
	value(CmdIfBandwidth, "bandwidth-percent percent:<1-999999>", "bandwidth-percent 50", ifaceHelp)
	value(CmdIfHello, "hello-interval seconds:<1-65535>", "hello-interval 5", ifaceHelp)
	value(CmdIfHold, "hold-time seconds:<1-65535>", "", with(ifaceHelp, holdHelp))
	value(CmdIfAddPaths, "add-paths paths:<1-4>", "add-paths 1", ifaceHelp)
	l.add(21, CmdIfAuthMode, "authentication mode md5", ifaceHelp)
	l.add(21, CmdIfAuthMode, "authentication mode hmac-sha-256 "+cli.SecretPart, with(ifaceHelp, cli.SecretHelp()))
	l.add(22, CmdIfAuthKeys, "authentication key-chain chain:WORD(63)", ifaceHelp)
	toggle(30, CmdIfNextHopSelf, "next-hop-self [no-ecmp-mode]", true)
	toggle(30, CmdIfPassive, "passive-interface", false)
	toggle(30, CmdIfSplit, "split-horizon", true)
	return l.list
}
