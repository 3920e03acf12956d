package cli

import (
	"maps"
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

// Configuration modes of ospfd.
const (
	ModeRouter = "router-ospf" // router ospf PROCESS
	modeIf     = "interface"   // zebra's
)

// IDs of the lines of a process.
const (
	CmdRouter            = "ospf.router"
	CmdShutdown          = "ospf.shutdown"
	CmdRouterID          = "ospf.router-id"
	CmdPrefixSuppression = "ospf.prefix-suppression"
	CmdFloodReduction    = "ospf.flood-reduction"
	CmdStagger           = "ospf.adjacency-stagger"
	CmdMaxMetric         = "ospf.max-metric"
	CmdLogChanges        = "ospf.log-adjacency-changes"
	CmdAutoCost          = "ospf.auto-cost"
	CmdRFC1583           = "ospf.compatible-rfc1583"
	CmdABRType           = "ospf.abr-type"
	CmdOpaque            = "ospf.capability-opaque"
	CmdVRFLite           = "ospf.capability-vrf-lite"
	CmdNSF               = "ospf.nsf"
	CmdNSFHelper         = "ospf.nsf-helper-disable"
	CmdNSFStrict         = "ospf.nsf-helper-strict"
	CmdThrottleSPF       = "ospf.timers-throttle-spf"
	CmdThrottleLSA       = "ospf.timers-throttle-lsa"
	CmdArrival           = "ospf.timers-lsa-arrival"
	CmdPacingFlood       = "ospf.timers-pacing-flood"
	CmdPacingRetransmit  = "ospf.timers-pacing-retransmission"
	CmdSummaryAddress    = "ospf.summary-address"
	CmdRedistribute      = "ospf.redistribute"
	CmdPassiveDefault    = "ospf.passive-interface-default"
	CmdPassive           = "ospf.passive-interface"
	CmdNetwork           = "ospf.network"
	CmdNeighbor          = "ospf.neighbor"
	CmdDefaultOriginate  = "ospf.default-information"
	CmdDefaultMetric     = "ospf.default-metric"
	CmdDistributeList    = "ospf.distribute-list"
	CmdDistance          = "ospf.distance"
	CmdDistanceOSPF      = "ospf.distance-ospf"
	CmdDistanceSource    = "ospf.distance-source"
	CmdMaximumPaths      = "ospf.maximum-paths"
	CmdMaxLSA            = "ospf.max-lsa"
)

// IDs of the lines `area A …`.
const (
	cmdArea         = "ospf.area" // its no form: all lines of an area
	CmdAreaAuth     = "ospf.area-authentication"
	CmdAreaCost     = "ospf.area-default-cost"
	CmdAreaExport   = "ospf.area-export-list"
	CmdAreaFilter   = "ospf.area-filter-list"
	CmdAreaImport   = "ospf.area-import-list"
	CmdAreaShortcut = "ospf.area-shortcut"
	CmdAreaNSSA     = "ospf.area-nssa"
	CmdAreaNSSA7    = "ospf.area-nssa-translate"
	CmdAreaNSSAR    = "ospf.area-nssa-range"
	CmdAreaRange    = "ospf.area-range"
	CmdAreaStub     = "ospf.area-stub"
	CmdVirtual      = "ospf.area-virtual-link"
	CmdVirtualMD5   = "ospf.area-virtual-link-digest-key"
	CmdVirtualPlain = "ospf.area-virtual-link-key"
	cmdVirtualNo    = "ospf.area-virtual-link-all" // its no form: all lines of a virtual link
)

// IDs of the lines of an interface.
const (
	CmdIfArea        = "ospf.if-area"
	CmdIfNetwork     = "ospf.if-network"
	CmdIfCost        = "ospf.if-cost"
	CmdIfPriority    = "ospf.if-priority"
	CmdIfHello       = "ospf.if-hello-interval"
	CmdIfDead        = "ospf.if-dead-interval"
	CmdIfRetransmit  = "ospf.if-retransmit-interval"
	CmdIfWindow      = "ospf.if-retransmit-window"
	CmdIfDelay       = "ospf.if-transmit-delay"
	CmdIfMTU         = "ospf.if-mtu-ignore"
	CmdIfNeighbors   = "ospf.if-neighbor-filter"
	CmdIfFilter      = "ospf.if-database-filter"
	CmdIfReduction   = "ospf.if-flood-reduction"
	CmdIfSuppression = "ospf.if-prefix-suppression"
	CmdIfShutdown    = "ospf.if-shutdown"
	CmdIfAuth        = "ospf.if-authentication"
	CmdIfPlain       = "ospf.if-authentication-key"
	CmdIfMD5         = "ospf.if-message-digest-key"
)

// weightRouter places the processes behind EIGRP's and before RIP's, as on IOS.
const weightRouter = 610

// areaArg is an area in a pattern, areaHelp explains it.
const areaArg = "{area:A.B.C.D|area:<0-4294967295>}"

// Grammar returns what ospfd adds to the command line.
func Grammar() cli.Tree {
	return cli.Tree{
		Modes:    []cli.Mode{{Name: ModeRouter, Parent: cli.ModeConfig, Prompt: "(config-router)#"}},
		Commands: slices.Concat(routerCommands(), areaCommands(), interfaceCommands(), refusedCommands(), execCommands(), cli.ProtocolsCommands(), plugin.DebugCommands(Facilities)),
		Help: cli.Help{
			"show": "Show running system information", "clear": "Reset", "ip": "Internet Protocol", "ospf": "Open Shortest Path First", "router": "Configure a routing protocol",
			"process": "Number of the process, known to this router only", "vrf": "VRF name", "area": "Area: a number, or one in the form of an address",
			"in": "What comes in", "out": "What goes out", "ifname": "Interface", "list": "Name or number of the list", "map": "Name of the route-map",
			"route-map": "What a route-map permits, and as it says", "addr": "Address", "mask": "Network mask", "prefix": "Network", "metric": "Metric",
			"metric-type": "Type of the external metric", "1": "Comparable with OSPF's own", "2": "Larger than any of OSPF's own", "tag": "Tag", "authentication": "Authentication of packets",
			"message-digest": "By MD5 digests, with the keys of message-digest-key", "null": "None", "key-chain": "By the keys of a key chain, whose algorithms are MD5 and HMAC-SHA",
			"chain": "Name of the key chain", "message-digest-key": "A key for MD5 digests", "authentication-key": "The password of simple authentication",
			"md5": "MD5", "key": "Number of the key", "not-advertise": "Tell neither it nor its parts",
		},
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

// with joins helps; later ones go before earlier ones.
func with(helps ...cli.Help) cli.Help {
	all := cli.Help{}
	for _, h := range helps {
		maps.Copy(all, h)
	}
	return all
}
