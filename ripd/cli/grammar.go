package cli

import (
	"maps"
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

// Configuration modes of ripd.
const (
	ModeRouter = "router-rip"
	ModeFamily = "router-rip-af" // a VRF's part; knows the same lines
)

// IDs of configuration commands.
const (
	CmdRouter = "rip.router"
	CmdFamily = "rip.family"

	CmdVersion         = "rip.version"
	CmdNetwork         = "rip.network"
	CmdNeighbor        = "rip.neighbor"
	CmdPassive         = "rip.passive-interface"
	CmdPassiveDefault  = "rip.passive-interface-default"
	CmdTimers          = "rip.timers"
	CmdOutputDelay     = "rip.output-delay"
	CmdMaximumPaths    = "rip.maximum-paths"
	CmdDefaultMetric   = "rip.default-metric"
	CmdOffsetList      = "rip.offset-list"
	CmdDistance        = "rip.distance"
	CmdDistanceSource  = "rip.distance-source"
	CmdDistributeList  = "rip.distribute-list"
	CmdDefault         = "rip.default-information"
	CmdRedistribute    = "rip.redistribute"
	CmdRoute           = "rip.route"
	CmdAutoSummary     = "rip.auto-summary"
	CmdValidateSource  = "rip.validate-update-source"
	CmdLogNeighbors    = "rip.log-neighbor-changes"
	CmdIfSend          = "rip.if-send"
	CmdIfReceive       = "rip.if-receive"
	CmdIfBroadcast     = "rip.if-v2-broadcast"
	CmdIfSplitHorizon  = "rip.if-split-horizon"
	CmdIfPoison        = "rip.if-poisoned-reverse"
	CmdIfSummary       = "rip.if-summary-address"
	CmdIfAuthMode      = "rip.if-authentication-mode"
	CmdIfAuthKeyChain  = "rip.if-authentication-key-chain"
	CmdIfAuthKeyString = "rip.if-authentication-string"
	CmdIfNextHopSelf   = "rip.if-next-hop-self"
)

// IDs of exec commands.
const (
	ExecRIP           = "rip.show"
	ExecDatabase      = "rip.show-database"
	ExecStatus        = "rip.show-status"
	ExecClear         = "rip.clear"
	ExecClearCounters = "rip.clear-counters"
)

// Print order. The router stands between the interfaces (500) and the static
// routes (900); interface lines stand with nhrpd's between "ip mtu" and "ip tcp
// adjust-mss", as IOS has them. The lines of the router have their places in
// routerCommands, in the order of IOS.
const (
	weightRouter  = 630
	weightFamily  = 90
	weightIfRIP   = 52
	weightIfSplit = 54
	weightIfSum   = 56
)

// Grammar returns what ripd adds to the command line.
func Grammar() cli.Tree {
	return cli.Tree{
		Modes: []cli.Mode{
			{Name: ModeRouter, Parent: cli.ModeConfig, Prompt: "(config-router)#"},
			{Name: ModeFamily, Parent: ModeRouter, Prompt: "(config-router-af)#", Closers: []string{"exit-address-family"}},
		},
		Commands: slices.Concat(modeCommands(), routerCommands(ModeRouter), routerCommands(ModeFamily), interfaceCommands(),
			execCommands(), cli.ProtocolsCommands(), plugin.DebugCommands(Facilities)),
		Help: cli.Help{
			"ip": "Internet Protocol", "rip": "Routing Information Protocol", "show": "Show running system information",
			"clear": "Reset", "vrf": "VRF", "in": "Of updates that are received", "out": "Of updates that are sent",
			"ifname": "Interface; all if there is none", "list": "Name or number of the list", "map": "Name of the route-map",
			"route-map": "Only what this route-map permits, and as it says", "authentication": "Authentication of updates",
			"metric": "RIP metric",
		},
	}
}

func modeCommands() []cli.Command {
	return []cli.Command{
		{ID: CmdRouter, Mode: cli.ModeConfig, Pattern: "router rip", Enters: ModeRouter, Weight: weightRouter,
			Help: cli.Help{"router": "Configure a routing protocol"}},
		{ID: CmdFamily, Mode: ModeRouter, Pattern: "address-family ipv4 vrf vrf:WORD(15)", Enters: ModeFamily, Key: []string{"vrf"},
			Weight: weightFamily, Help: cli.Help{"address-family": "Configure RIP in a VRF", "ipv4": "IPv4", "vrf": "VRF name"}},
	}
}

// lines makes the commands of one mode.
type lines struct {
	mode string
	list []cli.Command
}

// add adds a line. The command may be changed until the next one is added.
func (l *lines) add(weight int, id, pattern string, help cli.Help, key ...string) *cli.Command {
	l.list = append(l.list, cli.Command{ID: id, Mode: l.mode, Pattern: pattern, Weight: weight, Help: help, Key: key})
	return &l.list[len(l.list)-1]
}

func routerCommands(mode string) []cli.Command {
	l := &lines{mode: mode}
	l.add(1, CmdVersion, "version number:<1-2>", cli.Help{"version": "Version of RIP that is sent and received", "number": "Version"})
	l.add(2, CmdTimers, "timers basic update:<1-4294967295> invalid:<1-4294967295> holddown:<0-4294967295> flush:<1-4294967295>",
		cli.Help{"timers": "Timers", "basic": "Timers of routes", "update": "Seconds between updates", "invalid": "Seconds after which a route is unreachable",
			"holddown": "Seconds for which an unreachable route is not taken from others", "flush": "Seconds after which a route is forgotten",
		}).Default = "timers basic 30 180 0 240"
	l.redistribution()
	l.add(7, CmdNetwork, "network {addr:A.B.C.D|prefix:PREFIX4|ifname:IFNAME}", cli.Help{"network": "Run RIP on interfaces",
		"addr": "Those in this network of class A, B or C", "prefix": "Those in this network", "ifname": "This interface"}, "addr", "prefix", "ifname")
	l.add(8, CmdNeighbor, "neighbor addr:A.B.C.D", cli.Help{"neighbor": "Send updates to one router", "addr": "Its address"}, "addr")
	l.passive()
	l.add(9, CmdRoute, "route prefix:PREFIX4", cli.Help{"route": "Announce a network as if it were connected", "prefix": "Network"}, "prefix")
	l.filters()
	l.distances()
	l.add(14, CmdMaximumPaths, "maximum-paths paths:<1-32>", cli.Help{"maximum-paths": "Use several paths of equal metric",
		"paths": "Number of paths"}).Default = "maximum-paths 4"
	l.add(14, CmdOutputDelay, "output-delay ms:<8-50>", cli.Help{"output-delay": "Time between the packets of an update", "ms": "Milliseconds"})
	l.add(14, CmdValidateSource, "validate-update-source", cli.Help{"validate-update-source": "Take updates from directly connected networks only"}).DefaultOn = true
	l.add(14, CmdLogNeighbors, "log-neighbor-changes", cli.Help{"log-neighbor-changes": "Log neighbors that come and go"})
	auto := l.add(14, CmdAutoSummary, "auto-summary", cli.Help{"auto-summary": "Summarize at the boundaries of classes"})
	auto.NoForm, auto.Ignored = cli.NoOnly, "subnets are never summarized by class; see ip summary-address rip"
	return l.list
}

func (l *lines) redistribution() {
	redistribute := cli.Help{"redistribute": "Announce the routes of another protocol", "connected": "Connected networks",
		"kernel": "Routes that somebody else installed", "static": "Static routes", "nhrp": "NHRP", "ospf": "OSPF", "eigrp": "EIGRP", "bgp": "BGP",
		"number": "Process or autonomous system", "hops": "Metric", "transparent": "The metric that the route has", "metric": "Metric to announce"}
	const options = " [metric {hops:<1-16>|transparent}] [route-map map:WORD(63)]"
	l.add(3, CmdRedistribute, "redistribute protocol:{connected|kernel|static|nhrp}"+options, redistribute, "protocol")
	l.add(3, CmdRedistribute, "redistribute protocol:{ospf|eigrp} number:<1-65535>"+options, redistribute, "protocol", "number")
	l.add(3, CmdRedistribute, "redistribute protocol:{bgp} number:<1-4294967295>"+options, redistribute, "protocol", "number")
	l.add(10, CmdDefaultMetric, "default-metric hops:<1-16>", cli.Help{"default-metric": "Metric of redistributed routes",
		"hops": "Metric"}).Default = "default-metric 1"
	l.add(11, CmdDefault, "default-information originate [route-map map:WORD(63)]", cli.Help{"default-information": "The default route",
		"originate": "Announce it", "route-map": "While a route passes this route-map"})
}

func (l *lines) passive() {
	help := cli.Help{"passive-interface": "Send no updates", "default": "On no interface", "ifname": "On this interface"}
	l.add(4, CmdPassiveDefault, "passive-interface default", help)
	one := l.add(5, CmdPassive, "passive-interface ifname:IFNAME", help, "ifname")
	one.DefaultOn, one.Default = true, "-" // both forms are stored: which one counts depends on the default
}

func (l *lines) filters() {
	l.add(12, CmdDistributeList, "distribute-list {prefix list:WORD(63)|list:WORD(63)} direction:{in|out} [ifname:IFNAME]",
		cli.Help{"distribute-list": "Filter the networks of updates", "prefix": "By a prefix-list"}, "prefix", "direction", "ifname")
	l.add(6, CmdOffsetList, "offset-list list:WORD(63) direction:{in|out} offset:<0-16> [ifname:IFNAME]",
		cli.Help{"offset-list": "Add to metrics", "list": "Name or number of an access-list, 0 for all networks", "offset": "What is added"}, "direction", "ifname")
}

func (l *lines) distances() {
	help := cli.Help{"distance": "Administrative distance", "value": "Distance; 255: do not use", "addr": "Address of the router that sends",
		"wild": "Wildcard bits: ones are not compared", "list": "Access-list of the networks"}
	l.add(13, CmdDistance, "distance value:<1-255>", help).Default = "distance 120"
	l.add(13, CmdDistanceSource, "distance value:<1-255> addr:A.B.C.D wild:WILDCARD [list:WORD(63)]", help, "addr", "wild", "list").Ordered = true
}

func interfaceCommands() []cli.Command {
	l := &lines{mode: "interface"}
	versions := cli.Help{"send": "Updates that are sent", "receive": "Updates that are received", "version": "Version of RIP, not as the router's line says",
		"1": "Version 1", "2": "Version 2"}
	l.add(weightIfRIP, CmdIfSend, "ip rip send version {1 [2]|2}", versions)
	l.add(weightIfRIP, CmdIfReceive, "ip rip receive version {1 [2]|2}", versions)
	l.add(weightIfRIP, CmdIfBroadcast, "ip rip v2-broadcast", cli.Help{"v2-broadcast": "Send version 2 to the broadcast address"})
	l.add(weightIfRIP, CmdIfNextHopSelf, "ip rip next-hop-self", cli.Help{"next-hop-self": "Announce this router as the next hop of every route"})
	l.add(weightIfRIP, CmdIfAuthMode, "ip rip authentication mode mode:{text|md5|hmac-sha-1|hmac-sha-256|hmac-sha-384|hmac-sha-512}",
		cli.Help{"mode": "How updates are authenticated", "text": "Clear text", "md5": "Keyed MD5", "hmac-sha-1": "HMAC-SHA-1",
			"hmac-sha-256": "HMAC-SHA-256", "hmac-sha-384": "HMAC-SHA-384", "hmac-sha-512": "HMAC-SHA-512"})
	l.add(weightIfRIP, CmdIfAuthKeyChain, "ip rip authentication key-chain chain:WORD(63)", cli.Help{"key-chain": "Keys with lifetimes", "chain": "Name of the key chain"})
	secret := cli.SecretHelp()
	secret["string"] = "One key, with the number 1"
	l.add(weightIfRIP, CmdIfAuthKeyString, "ip rip authentication string "+cli.SecretPart, secret)
	horizon := cli.Help{"split-horizon": "Tell nothing of a route where it was learnt", "poisoned-reverse": "Tell there that it is unreachable"}
	l.add(weightIfSplit, CmdIfSplitHorizon, "ip split-horizon", horizon).DefaultOn = true
	l.add(weightIfSplit, CmdIfPoison, "ip split-horizon poisoned-reverse", horizon)
	l.add(weightIfSum, CmdIfSummary, "ip summary-address rip addr:A.B.C.D mask:MASK", cli.Help{"summary-address": "Announce a summary here in place of its parts",
		"addr": "Network", "mask": "Network mask"}, "addr", "mask")
	return l.list
}

func execCommands() []cli.Command {
	help := cli.Help{"database": "Table of routes, as Cisco shows it", "status": "State of the protocol, its interfaces and neighbors",
		"prefix": "Network", "addr": "Network, or an address in it", "mask": "Network mask", "counters": "Packet counters"}
	named := func(more cli.Help) cli.Help {
		all := maps.Clone(help)
		maps.Copy(all, more)
		return all
	}
	exec := func(id, pattern string) cli.Command {
		return cli.Command{ID: id, Mode: cli.ModeExec, Pattern: pattern, Help: named(cli.Help{"vrf": "RIP in this VRF"})}
	}
	clear := func(id, pattern string) cli.Command {
		return cli.Command{ID: id, Mode: cli.ModeEnable, Pattern: pattern, Help: named(cli.Help{"vrf": "RIP in this VRF"})}
	}
	return []cli.Command{
		exec(ExecRIP, "show ip rip [vrf vrf:WORD(15)] [{prefix:PREFIX4|addr:A.B.C.D [mask:MASK]}]"),
		exec(ExecDatabase, "show ip rip database [addr:A.B.C.D mask:MASK] [vrf vrf:WORD(15)]"),
		exec(ExecStatus, "show ip rip status [vrf vrf:WORD(15)]"),
		clear(ExecClear, "clear ip rip [vrf vrf:WORD(15)]"),
		clear(ExecClearCounters, "clear ip rip counters [vrf vrf:WORD(15)]"),
	}
}
