package cli

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// routerCommands returns `router ospf` and its lines but those of areas.
func routerCommands() []cli.Command {
	l := &lines{mode: ModeRouter}
	l.identity()
	l.timers()
	l.interfaces()
	l.external()
	l.routes()
	return slices.Concat([]cli.Command{
		{ID: CmdRouter, Mode: cli.ModeConfig, Pattern: "router ospf process:<1-65535> [vrf vrf:WORD(15)]", Enters: ModeRouter, Key: []string{"process", "vrf"}, Weight: weightRouter},
		{ID: CmdRouter, Mode: cli.ModeConfig, Pattern: "router ospf process:<1-65535>", NoForm: cli.NoOnly, Removes: []string{CmdRouter}},
	}, l.list)
}

// identity adds the lines about a process as a whole.
func (l *lines) identity() {
	l.add(1, CmdShutdown, "shutdown", cli.Help{"shutdown": "Run no OSPF, and keep the configuration"})
	l.add(2, CmdRouterID, "router-id id:A.B.C.D", cli.Help{"router-id": "Number of this router, no two may have the same", "id": "Number in the form of an address"})
	capability := cli.Help{"capability": "What this router can", "opaque": "Opaque LSAs, which graceful restart needs", "vrf-lite": "A VRF that is no PE's"}
	l.add(3, CmdOpaque, "capability opaque", capability).DefaultOn = true
	lite := l.add(3, CmdVRFLite, "capability vrf-lite", capability)
	lite.Ignored = "this router is no PE: the checks of a PE are never made"
	l.add(4, CmdPrefixSuppression, "prefix-suppression", cli.Help{"prefix-suppression": "Tell nothing of the networks between routers, but those of loopbacks and passive interfaces"})
	l.add(4, CmdFloodReduction, "flood-reduction", cli.Help{"flood-reduction": "LSAs that go out do not age, and are not sent again while nothing changes"})
	maxMetric := cli.Help{"max-metric": "Tell links with the largest metric", "router-lsa": "Be no transit while another way is left", "external-lsa": "External LSAs as well",
		"summary-lsa": "Summary LSAs as well", "include-stub": "Stub links as well", "on-startup": "For a while after a start", "external": "Metric", "summary": "Metric", "seconds": "Seconds"}
	l.add(6, CmdMaxMetric, "max-metric router-lsa [external-lsa [external:<1-16777215>]] [include-stub] [on-startup seconds:<5-86400>] [summary-lsa [summary:<1-16777215>]]", maxMetric)
	adjacency := l.add(8, CmdLogChanges, "log-adjacency-changes [detail]", cli.Help{"log-adjacency-changes": "Log neighbors that become adjacent and that go", "detail": "Log each state"})
	adjacency.DefaultOn, adjacency.Default = true, "log-adjacency-changes"
	l.add(9, CmdAutoCost, "auto-cost reference-bandwidth mbits:<1-4294967>", cli.Help{"auto-cost": "Costs of interfaces", "reference-bandwidth": "Bandwidth that costs 1",
		"mbits": "Mbit/s"}).Default = "auto-cost reference-bandwidth 100"
	l.add(10, CmdRFC1583, "compatible rfc1583", cli.Help{"compatible": "Compatibility", "rfc1583": "Preference of paths to external routes as in RFC 1583, the same on all routers"}).DefaultOn = true
	l.add(10, CmdABRType, "ospf abr-type type:{cisco|ibm|shortcut|standard}", cli.Help{"ospf": "OSPF as a whole", "abr-type": "What makes an area border router", "cisco": "Areas that are up, the backbone among them (RFC 3509)",
		"ibm": "Areas that are up, and interfaces in the backbone, up or not (RFC 3509)", "standard": "Areas that are up (RFC 2328)",
		"shortcut": "Areas that are up, with paths beside the backbone (draft-ietf-ospf-shortcut-abr-02)"}).Default = "ospf abr-type cisco"
	nsf := cli.Help{"nsf": "Graceful restart", "ietf": "RFC 3623", "restart-interval": "How long neighbors wait for this router at most", "seconds": "Seconds", "helper": "Help for neighbors that restart",
		"disable": "Do not help", "strict-lsa-checking": "Help no more when the network changes"}
	l.add(11, CmdNSF, "nsf ietf [restart-interval seconds:<1-1800>]", nsf)
	l.add(12, CmdNSFHelper, "nsf ietf helper disable", nsf)
	l.add(12, CmdNSFStrict, "nsf ietf helper strict-lsa-checking", nsf)
}

func (l *lines) timers() {
	help := cli.Help{"timers": "Timers", "throttle": "Waits that grow while things change", "spf": "Computations of routes", "lsa": "LSAs", "all": "Of all types",
		"start": "Wait after the first change, milliseconds", "hold": "Wait after the next, milliseconds; doubled each time", "maximum": "Longest wait, milliseconds", "ms": "Milliseconds",
		"arrival": "Shortest time between two instances of an LSA that are taken", "pacing": "Gaps between packets", "flood": "With new LSAs", "retransmission": "With LSAs again"}
	l.add(13, CmdThrottleSPF, "timers throttle spf start:<1-600000> hold:<1-600000> maximum:<1-600000>", help).Default = "timers throttle spf 50 200 5000"
	l.add(14, CmdThrottleLSA, "timers throttle lsa [all] start:<0-600000> hold:<1-600000> maximum:<1-600000>", help).Default = "timers throttle lsa 0 5000 5000"
	l.add(15, CmdArrival, "timers lsa arrival ms:<1-600000>", help).Default = "timers lsa arrival 1000"
	l.add(16, CmdPacingFlood, "timers pacing flood ms:<5-100>", help).Default = "timers pacing flood 33"
	l.add(16, CmdPacingRetransmit, "timers pacing retransmission ms:<5-200>", help).Default = "timers pacing retransmission 66"
	l.add(17, CmdStagger, "adjacency stagger {none|initial:<1-65535>} maximum:<1-65535>", cli.Help{"adjacency": "Adjacencies", "stagger": "Bring up only some at a time",
		"none": "No other number at first", "initial": "At first; the same number", "maximum": "Adjacencies at a time"}).Default = "adjacency stagger none 64"
}

// interfaces adds the lines that say where OSPF runs and with whom.
func (l *lines) interfaces() {
	passive := cli.Help{"passive-interface": "Tell of the network and have no neighbors", "default": "On no interface", "ifname": "On this interface"}
	l.add(44, CmdPassiveDefault, "passive-interface default", passive)
	one := l.add(45, CmdPassive, "passive-interface ifname:IFNAME", passive, "ifname")
	one.DefaultOn, one.Default = true, "-" // both forms are stored: which one counts depends on the default
	l.add(46, CmdNetwork, "network addr:A.B.C.D wild:WILDCARD area "+areaArg, cli.Help{"network": "Run OSPF on interfaces", "addr": "Those with an address of this network",
		"wild": "Wildcard bits: ones are not compared"}, "addr", "wild")
	l.add(47, CmdNeighbor, "neighbor addr:A.B.C.D [priority priority:<0-255>] [poll-interval seconds:<1-65535>] [cost cost:<1-65535>] [database-filter all]", cli.Help{
		"neighbor": "A neighbor that is configured, for networks without broadcast", "addr": "Its address", "priority": "Its priority in the election, 0 for none", "poll-interval": "Time between Hellos to it while it is dead",
		"seconds": "Seconds", "cost": "Cost of the way to it, on point-to-multipoint networks", "database-filter": "Send it no LSAs", "all": "None at all"}, "addr")
}

// external adds the lines about routes of other protocols.
func (l *lines) external() {
	summary := cli.Help{"summary-address": "Tell one external route in place of its parts", "nssa-only": "In NSSAs only", "tag": "Tag of the route"}
	const options = " [not-advertise] [tag tag:<0-4294967295>] [nssa-only]"
	l.add(40, CmdSummaryAddress, "summary-address {addr:A.B.C.D mask:MASK|prefix:PREFIX4}"+options, summary, "addr", "mask", "prefix")
	help := cli.Help{"redistribute": "Tell the routes of another protocol", "connected": "Connected networks", "kernel": "Routes that somebody else installed", "static": "Static routes", "rip": "RIP",
		"nhrp": "NHRP", "ospf": "OSPF of another process", "eigrp": "EIGRP", "bgp": "BGP", "number": "Process or autonomous system", "tag": "Tag of the routes",
		"subnets": "All of them, and not only networks of class A, B and C", "nssa-only": "In NSSAs only"}
	const route = " [metric metric:<0-16777214>] [metric-type type:{1|2}] [tag tag:<0-4294967295>] [subnets] [nssa-only] [route-map map:WORD(63)]"
	l.add(42, CmdRedistribute, "redistribute protocol:{connected|kernel|static|rip|nhrp}"+route, help, "protocol")
	l.add(42, CmdRedistribute, "redistribute protocol:{ospf|eigrp} number:<1-65535>"+route, help, "protocol", "number")
	l.add(42, CmdRedistribute, "redistribute protocol:{bgp} number:<1-4294967295>"+route, help, "protocol", "number")
	l.add(50, CmdDefaultOriginate, "default-information originate [always] [metric metric:<0-16777214>] [metric-type type:{1|2}] [route-map map:WORD(63)]", cli.Help{
		"default-information": "The default route", "originate": "Tell it, if there is one", "always": "Even if there is none", "route-map": "While a route passes this route-map"})
	l.add(51, CmdDefaultMetric, "default-metric metric:<1-16777214>", cli.Help{"default-metric": "Metric of redistributed routes"})
}

// routes adds the lines about what becomes of routes here.
func (l *lines) routes() {
	filter := cli.Help{"distribute-list": "Filter routes", "prefix": "By a prefix-list", "route-map": "By a route-map", "number": "Process or autonomous system", "in": "Keep routes out of the routing table",
		"out": "Keep redistributed routes from being told", "connected": "Connected networks", "kernel": "Routes that somebody else installed", "static": "Static routes", "rip": "RIP", "nhrp": "NHRP",
		"ospf": "OSPF", "eigrp": "EIGRP", "bgp": "BGP", "ifname": "Those by this interface"}
	const by = "distribute-list {list:WORD(63)|prefix list:WORD(63)} "
	l.add(52, CmdDistributeList, "distribute-list {list:WORD(63)|prefix list:WORD(63)|route-map list:WORD(63)} direction:{in} [ifname:IFNAME]", filter, "prefix", "route-map", "direction", "ifname")
	l.add(52, CmdDistributeList, by+"direction:{out}", filter, "prefix", "direction")
	l.add(52, CmdDistributeList, by+"direction:{out} protocol:{connected|kernel|static|rip|nhrp}", filter, "prefix", "direction", "protocol")
	l.add(52, CmdDistributeList, by+"direction:{out} protocol:{ospf|eigrp} number:<1-65535>", filter, "prefix", "direction", "protocol", "number")
	l.add(52, CmdDistributeList, by+"direction:{out} protocol:{bgp} number:<1-4294967295>", filter, "prefix", "direction", "protocol", "number")
	help := cli.Help{"distance": "Administrative distance", "value": "Distance; 255: do not use", "ospf": "By the type of the route", "external": "Of external routes", "inter-area": "Of routes of other areas",
		"intra-area": "Of routes of the same area", "addr": "Router ID of the router that tells the route", "wild": "Wildcard bits: ones are not compared", "list": "Access-list of the networks",
		"e": "Distance; 255: do not use", "ia": "Distance; 255: do not use", "o": "Distance; 255: do not use"}
	l.add(53, CmdDistance, "distance value:<1-255>", help).Default = "distance 110"
	l.add(54, CmdDistanceOSPF, "distance ospf {external e:<1-255>|inter-area ia:<1-255>|intra-area o:<1-255>}...", help)
	l.add(55, CmdDistanceSource, "distance value:<1-255> addr:A.B.C.D wild:WILDCARD [list:WORD(63)]", help, "addr", "wild", "list").Ordered = true
	l.add(56, CmdMaximumPaths, "maximum-paths paths:<1-64>", cli.Help{"maximum-paths": "Use several paths of equal cost", "paths": "Number of paths"}).Default = "maximum-paths 4"
	l.add(57, CmdMaxLSA, "max-lsa count:<1-1000000>", cli.Help{"max-lsa": "Limit the LSAs of other routers", "count": "LSAs; what comes above is not taken"})
}
