package cli

import (
	"maps"
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Pieces of patterns.
const (
	metricOf = "bandwidth:<1-4294967295> delay:<0-4294967295> reliability:<0-255> load:<1-255> mtu:<1-65535>"
	limitOf  = " limit:<1-4294967295> [threshold:<1-100>] [dampened] [reset-time reset:<1-65535>] [restart restart:<1-65535>] [restart-count count:<1-65535>] [warning-only]"
)

// metricHelp explains metricOf.
var metricHelp = cli.Help{"bandwidth": "Bandwidth, kilobits per second", "delay": "Delay, tens of microseconds", "reliability": "Reliability, 255 is best",
	"load": "Load, 255 is worst", "mtu": "MTU, bytes", "metric": "Metric of these routes"}

// limitHelp explains limitOf.
var limitHelp = cli.Help{"maximum-prefix": "Limit a number of prefixes", "limit": "Prefixes", "threshold": "Percentage at which a warning is logged",
	"dampened": "Double the restart interval each time", "reset-time": "Time after which the count of restarts begins anew", "reset": "Minutes",
	"restart": "Time after which neighbors may come back; minutes", "restart-count": "Restarts until an operator has to clear", "count": "Restarts",
	"warning-only": "Log a warning and nothing else"}

// with joins helps; later ones go before earlier ones.
func with(helps ...cli.Help) cli.Help {
	all := cli.Help{}
	for _, h := range helps {
		maps.Copy(all, h)
	}
	return all
}

// instance adds the lines about an instance that named mode has in the address family.
func (l *lines) instance() {
	l.add(2, CmdShutdown, "shutdown", cli.Help{"shutdown": "Run no EIGRP"})
	if l.mode != ModeClassic6 {
		l.add(40, CmdNetwork, "network addr:A.B.C.D [wild:WILDCARD]", cli.Help{"network": "Run EIGRP on interfaces", "addr": "Those with an address of this network",
			"wild": "Wildcard bits: ones are not compared; without them the network of class A, B or C"}, "addr", "wild")
	}
	neighbor := cli.Help{"neighbor": "A neighbor that is configured", "addr": "Its address", "ifname": "Interface that it is on, or by whose address it knows this router",
		"remote": "It may be several hops away", "hops": "Hops at most"}
	l.add(50, CmdNeighbor, "neighbor addr:ADDR ifname:IFNAME [remote hops:<2-100>]", neighbor, "addr", "ifname")
	l.add(51, CmdMaxPrefixNeighbor, "neighbor maximum-prefix"+limitOf, with(limitHelp, neighbor))
	l.add(52, CmdMaxPrefix, "maximum-prefix"+limitOf, limitHelp)
	k := "metric weights tos:<0-0> k1:<0-255> k2:<0-255> k3:<0-255> k4:<0-255> k5:<0-255>"
	if l.mode == ModeFamily {
		k += " [k6:<0-255>]"
	}
	l.add(30, CmdWeights, k, cli.Help{"metric": "Metrics", "weights": "Coefficients, the same on all routers", "tos": "Type of service", "k1": "K1, of bandwidth",
		"k2": "K2, of load", "k3": "K3, of delay", "k4": "K4, of reliability", "k5": "K5, of reliability", "k6": "K6, of extended attributes"}).Default = "metric weights 0 1 0 1 0 0"
	l.add(61, CmdPurgeTime, "timers graceful-restart purge-time seconds:<20-300>", cli.Help{"timers": "Timers", "graceful-restart": "Restart of neighbors",
		"purge-time": "How long the routes of a neighbor that restarts are kept", "seconds": "Seconds"}).Default = "timers graceful-restart purge-time 240"
	l.add(62, CmdNSF, "nsf", cli.Help{"nsf": "Ask the neighbors to keep the routes of this router while it restarts"}).DefaultOn = true
	l.identity()
}

// identity adds the lines `eigrp …` of an instance.
func (l *lines) identity() {
	l.add(80, CmdStub, "eigrp stub [receive-only] [connected] [static] [summary] [redistributed] [leak-map map:WORD(63)]", cli.Help{
		"stub": "Be no transit for others and get no queries; tell connected routes and summaries unless told otherwise", "receive-only": "Tell nothing",
		"connected": "Tell connected routes", "static": "Tell redistributed static routes", "summary": "Tell summaries", "redistributed": "Tell redistributed routes",
		"leak-map": "Tell learnt routes that a route-map permits"})
	l.add(81, CmdRouterID, "eigrp router-id id:A.B.C.D", cli.Help{"router-id": "Number of this router, no two may have the same", "id": "Number in the form of an address"})
	l.add(82, CmdDefaultTag, "eigrp default-route-tag {dotted:A.B.C.D|tag:<1-4294967295>}", cli.Help{"default-route-tag": "Tag of internal routes",
		"dotted": "Tag in the form of an address", "tag": "Tag"})
	l.add(83, CmdLogChanges, "eigrp log-neighbor-changes", cli.Help{"log-neighbor-changes": "Log neighbors that come and go"}).DefaultOn = true
	l.add(84, CmdLogWarnings, "eigrp log-neighbor-warnings", cli.Help{"log-neighbor-warnings": "Log what is wrong with packets of neighbors"}).DefaultOn = true
}

// topology adds the lines about an instance that named mode has in its topology.
func (l *lines) topology() {
	l.add(10, CmdVariance, "variance multiplier:<1-128>", cli.Help{"variance": "Use paths that are worse than the best as well", "multiplier": "So many times at most"}).Default = "variance 1"
	l.add(11, CmdMaximumPaths, "maximum-paths paths:<1-32>", cli.Help{"maximum-paths": "Use several paths", "paths": "Number of paths"}).Default = "maximum-paths 4"
	l.add(12, CmdTrafficShare, "traffic-share {balanced|min across-interfaces}", cli.Help{"traffic-share": "What paths of unequal metric carry", "balanced": "In proportion to metrics",
		"min": "Only the best", "across-interfaces": "By all interfaces of the best"}).Default = "traffic-share balanced"
	l.add(31, CmdMaximumHops, "metric maximum-hops hops:<1-255>", cli.Help{"metric": "Metrics", "maximum-hops": "Routes that are farther away are unreachable",
		"hops": "Hops"}).Default = "metric maximum-hops 100"
	l.add(32, CmdDefaultMetric, "default-metric "+metricOf, with(metricHelp, cli.Help{"default-metric": "Metric of redistributed routes"}))
	l.filters()
	l.redistribution()
	l.distances()
	information := cli.Help{"default-information": "The default route", "in": "Take it from neighbors", "out": "Tell it to neighbors", "list": "Access-list that it must pass"}
	in := l.add(70, CmdDefaultIn, "default-information in [list:WORD(63)]", information)
	in.DefaultOn, in.Default = true, "default-information in"
	out := l.add(70, CmdDefaultOut, "default-information out [list:WORD(63)]", information)
	out.DefaultOn, out.Default = true, "default-information out"
	summary := with(metricHelp, cli.Help{"summary-metric": "Metric of a summary, whatever its parts have", "distance": "Distance of its discard route"})
	const value = " {" + metricOf + " [distance distance:<1-255>]|distance distance:<1-255>}"
	l.add(71, CmdSummaryMetric, "summary-metric addr:A.B.C.D mask:MASK"+value, summary, "addr", "mask")
	l.add(71, CmdSummaryMetric, "summary-metric prefix:PREFIX"+value, summary, "prefix")
	l.add(72, CmdActiveTime, "timers active-time {minutes:<1-65535>|disabled}", cli.Help{"timers": "Timers", "active-time": "How long answers to a query may take",
		"minutes": "Minutes", "disabled": "For ever"}).Default = "timers active-time 3"
	auto := l.add(89, CmdAutoSummary, "auto-summary", cli.Help{"auto-summary": "Summarize at the boundaries of classes"})
	auto.NoForm, auto.Ignored = cli.NoOnly, "subnets are never summarized by class; see summary-address"
}

func (l *lines) filters() {
	help := cli.Help{"distribute-list": "Filter routes", "prefix": "By a prefix-list", "prefix-list": "By a prefix-list", "gateway": "Only those of these neighbors", "gw": "Prefix-list of the neighbors",
		"route-map": "By a route-map", "number": "Process or autonomous system", "connected": "Connected networks", "kernel": "Routes that somebody else installed",
		"static": "Static routes", "rip": "RIP", "nhrp": "NHRP", "ospf": "OSPF", "eigrp": "EIGRP", "bgp": "BGP"}
	const by = "distribute-list {list:WORD(63)|{prefix|prefix-list} list:WORD(63) [gateway gw:WORD(63)]|gateway gw:WORD(63)|route-map list:WORD(63)} "
	key := []string{"prefix", "prefix-list", "route-map", "gw"}
	l.add(34, CmdDistributeList, by+"direction:{in|out} [ifname:IFNAME]", help, append(slices.Clone(key), "direction", "ifname")...)
	l.outOf(by, help, key)
	l.add(35, CmdOffsetList, "offset-list list:WORD(63) direction:{in|out} offset:<0-2147483647> [ifname:IFNAME]", cli.Help{"offset-list": "Add to metrics",
		"list": "Name or number of an access-list, 0 for all networks", "offset": "What is added"}, "direction", "ifname")
}

// outOf adds the forms of `distribute-list … out PROTOCOL`.
func (l *lines) outOf(by string, help cli.Help, key []string) {
	one := append(slices.Clone(key), "protocol")
	several := append(slices.Clone(one), "number")
	l.add(34, CmdDistributeList, by+"out protocol:{connected|kernel|static|rip|nhrp}", help, one...)
	l.add(34, CmdDistributeList, by+"out protocol:{ospf|eigrp} number:<1-65535>", help, several...)
	l.add(34, CmdDistributeList, by+"out protocol:{bgp} number:<1-4294967295>", help, several...)
}

func (l *lines) redistribution() {
	help := with(metricHelp, cli.Help{"redistribute": "Tell the routes of another protocol", "connected": "Connected networks", "kernel": "Routes that somebody else installed",
		"static": "Static routes", "rip": "RIP", "nhrp": "NHRP", "ospf": "OSPF", "eigrp": "EIGRP of another autonomous system", "bgp": "BGP", "number": "Process or autonomous system"})
	const options = " [metric " + metricOf + "] [route-map map:WORD(63)]"
	l.add(42, CmdRedistribute, "redistribute protocol:{connected|kernel|static|rip|nhrp}"+options, help, "protocol")
	l.add(42, CmdRedistribute, "redistribute protocol:{ospf|eigrp} number:<1-65535>"+options, help, "protocol", "number")
	l.add(42, CmdRedistribute, "redistribute protocol:{bgp} number:<1-4294967295>"+options, help, "protocol", "number")
	l.add(43, CmdMaxPrefixRedist, "redistribute maximum-prefix"+limitOf, with(limitHelp, help))
}

func (l *lines) distances() {
	help := cli.Help{"distance": "Administrative distance", "eigrp": "Of this process", "internal": "Distance of internal routes", "external": "Distance of external routes",
		"value": "Distance of internal routes; 255: do not use", "addr": "Address of the router that sends", "wild": "Wildcard bits: ones are not compared",
		"list": "Access-list of the networks"}
	l.add(73, CmdDistance, "distance eigrp internal:<1-255> external:<1-255>", help).Default = "distance eigrp 90 170"
	if l.mode != ModeClassic6 {
		l.add(74, CmdDistanceSource, "distance value:<1-255> addr:A.B.C.D wild:WILDCARD [list:WORD(63)]", help, "addr", "wild", "list").Ordered = true
	}
}
