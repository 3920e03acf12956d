package cli

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Weights of the interface lines: behind `ip mtu` and before `ip nhrp`, as IOS has
// them, but for the summaries, which stand before `ip tcp adjust-mss`.
const (
	weightIfTimers  = 47
	weightIfAuth    = 48 // the mode; its key chain follows
	weightIfRoutes  = 49
	weightIfSummary = 56
	weightIfEnable  = 62 // behind `ipv6 address`
)

// classicCommands returns classic mode.
func classicCommands() []cli.Command {
	number := cli.Help{"as": "Autonomous system: EIGRP in classic mode"}
	return slices.Concat([]cli.Command{
		{ID: CmdClassic, Mode: cli.ModeConfig, Pattern: "router eigrp as:<1-65535>", Enters: ModeClassic, Key: []string{"as"}, Weight: weightRouter, Help: number},
		{ID: CmdClassic6, Mode: cli.ModeConfig, Pattern: "ipv6 router eigrp as:<1-65535>", Enters: ModeClassic6, Key: []string{"as"}, Weight: weightRouter6, Help: number},
		{ID: CmdClassicAF, Mode: ModeClassic, Pattern: "address-family ipv4 vrf vrf:WORD(15) [autonomous-system as:<1-65535>]", Enters: ModeClassicAF,
			Key: []string{"vrf", "as"}, Weight: 90}, // Read joins the blocks of a VRF: who comes back without the number does not lose it
		{ID: CmdClassicAF, Mode: ModeClassic, Pattern: "address-family ipv4 vrf vrf:WORD(15)", NoForm: cli.NoOnly, Removes: []string{CmdClassicAF}},
		{ID: CmdAS, Mode: ModeClassicAF, Pattern: "autonomous-system as:<1-65535>", Weight: 1},
	}, classicLines(ModeClassic), classicLines(ModeClassicAF), classicLines(ModeClassic6), classicInterface())
}

// classicLines returns the lines of an instance in classic mode.
func classicLines(mode string) []cli.Command {
	l := &lines{mode: mode}
	l.instance()
	l.topology()
	help := cli.Help{"passive-interface": "Tell of the network and have no neighbors", "default": "On no interface", "ifname": "On this interface"}
	l.add(44, CmdPassiveDefault, "passive-interface default", help)
	one := l.add(45, CmdPassive, "passive-interface ifname:IFNAME", help, "ifname")
	one.DefaultOn, one.Default = true, "-" // both forms are stored: which one counts depends on the default
	return l.list
}

// classicInterface returns the lines of interfaces in classic mode. Each is about the
// instances of one family and autonomous system.
func classicInterface() []cli.Command {
	l := &lines{mode: modeIf}
	add := func(weight int, id, before, after string, help cli.Help, key ...string) *cli.Command {
		return l.add(weight, id, "family:{ip|ipv6} "+before+" eigrp as:<1-65535>"+after, help, append([]string{"family", "as"}, key...)...)
	}
	add(weightIfTimers, CmdIfBandwidth, "bandwidth-percent", " percent:<1-999999>", ifaceHelp)
	add(weightIfTimers, CmdIfHello, "hello-interval", " seconds:<1-65535>", ifaceHelp)
	add(weightIfTimers, CmdIfHold, "hold-time", " seconds:<1-65535>", with(ifaceHelp, holdHelp))
	add(weightIfAuth, CmdIfAuthMode, "authentication mode", " md5", ifaceHelp)
	add(weightIfAuth, CmdIfAuthKeys, "authentication key-chain", " chain:WORD(63)", ifaceHelp)
	add(weightIfRoutes, CmdIfNextHopSelf, "next-hop-self", " [no-ecmp-mode]", ifaceHelp).DefaultOn = true
	add(weightIfRoutes, CmdIfSplit, "split-horizon", "", ifaceHelp).DefaultOn = true
	l.add(weightIfSummary, CmdIfSummary, "ip summary-address eigrp as:<1-65535> {addr:A.B.C.D mask:MASK|prefix:PREFIX4}"+summaryOf, ifaceHelp, "as", "addr", "mask", "prefix")
	l.add(weightIfSummary, CmdIfSummary, "ipv6 summary-address eigrp as:<1-65535> prefix:PREFIX6"+summaryOf, ifaceHelp, "as", "prefix")
	l.add(weightIfEnable, CmdIfEnable, "ipv6 eigrp as:<1-65535>", cli.Help{"as": "Run EIGRP of this autonomous system for IPv6"}, "as")
	return l.list
}
