package cli

import "github.com/godmvpn/godmvpn/lib/cli"

// bestpath explains how paths are chosen.
var bestpath = cli.Help{"bestpath": "How the best path is chosen", "as-path": "The AS path", "ignore": "Its length does not matter",
	"igp-metric": "The metric to the next hop", "multipath-relax": "Paths of equal length share load, whatever is in them", "compare-routerid": "Of external paths the lowest router ID counts, not the oldest",
	"med": "MULTI_EXIT_DISC", "missing-as-worst": "One that is missing is the worst", "always-compare-med": "Compare MULTI_EXIT_DISC of different autonomous systems",
	"deterministic-med": "Compare MULTI_EXIT_DISC in the deterministic way"}

// process adds the lines `bgp …` of a router.
func (l *lines) process() {
	l.routerID()
	l.add(2, CmdLogChanges, "bgp log-neighbor-changes", cli.Help{"log-neighbor-changes": "Log neighbors that come and go"}).DefaultOn = true
	l.ranges()
	l.add(4, CmdListenLimit, "bgp listen limit count:<1-100000>", listenHelp)
	l.add(5, CmdClusterID, "bgp cluster-id {id:A.B.C.D|number:<1-4294967295>}", cli.Help{"cluster-id": "Number of the cluster of this route reflector", "id": "In the form of an address",
		"number": "As a number"})
	standard := cli.Help{"default": "What neighbors and routes have by default", "ipv4-unicast": "IPv4 is active"}
	l.add(6, CmdDefaultUnicast, "bgp default ipv4-unicast", standard).DefaultOn = true
	l.add(6, CmdLocalPref, "bgp default local-preference value:<1-4294967295>", with(standard, cli.Help{"local-preference": "LOCAL_PREF of routes that have none", "value": "LOCAL_PREF; the greatest is the best"})).Default = "bgp default local-preference 100"
	l.add(7, CmdAlwaysMED, "bgp always-compare-med", bestpath)
	l.add(7, CmdDeterministic, "bgp deterministic-med", bestpath).Ignored = "it is always compared so"
	l.add(7, CmdIgnoreASPath, "bgp bestpath as-path ignore", bestpath)
	l.add(7, CmdMultipathRelax, "bgp bestpath as-path multipath-relax", bestpath)
	l.add(7, CmdCompareID, "bgp bestpath compare-routerid", bestpath)
	l.add(7, CmdIgnoreMetric, "bgp bestpath igp-metric ignore", bestpath)
	l.add(7, CmdMissingMED, "bgp bestpath med missing-as-worst", bestpath)
	restart := cli.Help{"graceful-restart": "Neighbors keep the routes of this router while bgpd restarts, and the other way round", "restart-time": "How long this router may take, as it tells neighbors",
		"long-lived-graceful-restart": "Keep stale routes, as the worst ones, beyond the restart time", "stale-time": "How long", "update-delay": "How long a restarted bgpd waits for its neighbors' routes"}
	l.add(8, CmdRestart, "bgp graceful-restart", restart)
	l.add(8, CmdRestartTime, "bgp graceful-restart restart-time seconds:<1-3600>", restart).Default = "bgp graceful-restart restart-time 120"
	l.add(8, CmdLongLived, "bgp long-lived-graceful-restart stale-time seconds:<1-16777215>", restart)
	l.add(9, CmdUpdateDelay, "bgp update-delay seconds:<30-540>", restart).Default = "bgp update-delay 120"
	l.add(9, CmdWaitInstall, "bgp update wait-install", cli.Help{"update": "What is told to neighbors", "wait-install": "Only routes that the kernel has taken"})
	l.add(10, CmdTimers, "timers bgp keepalive:<1-65535> hold:<3-65535>", timersHelp).Default = "timers bgp 60 180"
}

func (l *lines) routerID() {
	l.add(1, CmdRouterID, "bgp router-id id:A.B.C.D", cli.Help{"router-id": "Number of this router, no two may have the same", "id": "Number in the form of an address"})
}

var listenHelp = cli.Help{"listen": "Neighbors that are not configured", "range": "Whoever connects from a network", "prefix": "Network", "peer-group": "Has the settings of a peer-group",
	"limit": "So many of them at most"}

func (l *lines) ranges() {
	l.add(3, CmdListenRange, "bgp listen range prefix:PREFIX peer-group group:WORD(63)", listenHelp, "prefix")
}

var timersHelp = cli.Help{"timers": "Timers", "keepalive": "Seconds between KEEPALIVEs", "hold": "Seconds without a message after which a neighbor is dead"}

// family adds the lines of an address family of version 4 or 6.
func (l *lines) family(v int) {
	network := cli.Help{"network": "Tell a network that the routing table has", "addr": "Network", "mask": "Network mask; without it the network of class A, B or C", "prefix": "Network"}
	aggregate := cli.Help{"aggregate-address": "Tell one network in place of, or beside, its parts", "addr": "Network", "mask": "Network mask", "prefix": "Network",
		"as-set": "With the AS numbers of the parts", "summary-only": "The parts are not told", "attribute-map": "Attributes that it has"}
	const options = " [as-set] [summary-only] [attribute-map map:WORD(63)]"
	if v == 4 {
		l.add(40, CmdNetwork, "network addr:A.B.C.D [mask mask:MASK] [route-map map:WORD(63)]", network, "addr", "mask")
		l.add(41, CmdAggregate, "aggregate-address addr:A.B.C.D mask:MASK"+options, aggregate, "addr", "mask")
	} else {
		l.add(40, CmdNetwork, "network prefix:PREFIX6 [route-map map:WORD(63)]", network, "prefix")
		l.add(41, CmdAggregate, "aggregate-address prefix:PREFIX6"+options, aggregate, "prefix")
	}
	l.redistribution()
	l.add(44, CmdDefaultInformation, "default-information originate", cli.Help{"default-information": "The default route", "originate": "Redistribute it as well"})
	l.add(45, CmdDefaultMetric, "default-metric metric:<1-4294967295>", cli.Help{"default-metric": "Metric of routes that are redistributed of other routing protocols", "metric": "Metric"})
	l.add(85, CmdDistance, "distance bgp external:<1-255> internal:<1-255> local:<1-255>", cli.Help{"distance": "Administrative distances", "external": "Of routes of external neighbors",
		"internal": "Of routes of internal neighbors", "local": "Of aggregates"}).Default = "distance bgp 20 200 200"
	paths := cli.Help{"maximum-paths": "Use several paths", "ibgp": "Of internal neighbors", "paths": "Number of paths"}
	l.add(86, CmdMaximumPaths, "maximum-paths paths:<1-32>", paths).Default = "maximum-paths 1"
	l.add(86, CmdMaximumPathsIBGP, "maximum-paths ibgp paths:<1-32>", paths).Default = "maximum-paths ibgp 1"
	if v == 4 {
		for _, o := range []struct{ id, word, why string }{{CmdAutoSummary, "auto-summary", "networks are never summarized by class"},
			{CmdSynchronization, "synchronization", "routes of internal neighbors need no other protocol"}} {
			c := l.add(89, o.id, o.word, cli.Help{o.word: "Not done"})
			c.NoForm, c.Ignored = cli.NoOnly, o.why
		}
	}
}

func (l *lines) redistribution() {
	help := cli.Help{"redistribute": "Tell routes of another protocol", "connected": "Connected subnets", "kernel": "Routes of the kernel", "static": "Static routes", "nhrp": "NHRP",
		"rip": "RIP", "ospf": "OSPF", "eigrp": "EIGRP", "number": "Process or autonomous system", "metric": "MULTI_EXIT_DISC that they get", "value": "Metric"}
	const options = " [metric value:<0-4294967295>] [route-map map:WORD(63)]"
	l.add(42, CmdRedistribute, "redistribute protocol:{connected|kernel|static|nhrp|rip}"+options, help, "protocol")
	l.add(42, CmdRedistribute, "redistribute protocol:{ospf|eigrp} number:<1-65535>"+options, help, "protocol", "number")
}
