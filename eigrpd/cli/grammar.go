package cli

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

// Configuration modes of eigrpd.
const (
	ModeClassic   = "router-eigrp"              // router eigrp AS
	ModeClassicAF = "router-eigrp-vrf"          // a VRF's part of it
	ModeClassic6  = "router-eigrp6"             // ipv6 router eigrp AS
	ModeNamed     = "router-eigrp-named"        // router eigrp NAME
	ModeFamily    = "router-eigrp-af"           // an address family of it
	ModeDefault   = "router-eigrp-af-default"   // af-interface default
	ModeInterface = "router-eigrp-af-interface" // af-interface IF
	ModeTopology  = "router-eigrp-af-topology"  // topology base
	modeIf        = "interface"                 // zebra's
)

// IDs of the commands that enter a mode.
const (
	CmdClassic     = "eigrp.classic"
	CmdClassicAF   = "eigrp.classic-family"
	CmdClassic6    = "eigrp.classic6"
	CmdNamed       = "eigrp.named"
	CmdFamily      = "eigrp.family"
	CmdAFDefault   = "eigrp.af-interface-default"
	CmdAFInterface = "eigrp.af-interface"
	CmdTopology    = "eigrp.topology"
)

// IDs of the lines of an instance. Classic and named mode share them.
const (
	CmdAS                = "eigrp.autonomous-system"
	CmdShutdown          = "eigrp.shutdown"
	CmdNetwork           = "eigrp.network"
	CmdNeighbor          = "eigrp.neighbor"
	CmdRemoteNeighbors   = "eigrp.remote-neighbors"
	CmdPassive           = "eigrp.passive-interface"
	CmdPassiveDefault    = "eigrp.passive-interface-default"
	CmdRouterID          = "eigrp.router-id"
	CmdStub              = "eigrp.stub"
	CmdLogChanges        = "eigrp.log-neighbor-changes"
	CmdLogWarnings       = "eigrp.log-neighbor-warnings"
	CmdDefaultTag        = "eigrp.default-route-tag"
	CmdWeights           = "eigrp.metric-weights"
	CmdRIBScale          = "eigrp.metric-rib-scale"
	CmdPurgeTime         = "eigrp.purge-time"
	CmdNSF               = "eigrp.nsf"
	CmdMaxPrefix         = "eigrp.maximum-prefix"
	CmdMaxPrefixNeighbor = "eigrp.neighbor-maximum-prefix"
	CmdMaximumHops       = "eigrp.metric-maximum-hops"
	CmdDefaultMetric     = "eigrp.default-metric"
	CmdRedistribute      = "eigrp.redistribute"
	CmdMaxPrefixRedist   = "eigrp.redistribute-maximum-prefix"
	CmdDefaultIn         = "eigrp.default-information-in"
	CmdDefaultOut        = "eigrp.default-information-out"
	CmdDistance          = "eigrp.distance"
	CmdDistanceSource    = "eigrp.distance-source"
	CmdDistributeList    = "eigrp.distribute-list"
	CmdOffsetList        = "eigrp.offset-list"
	CmdMaximumPaths      = "eigrp.maximum-paths"
	CmdVariance          = "eigrp.variance"
	CmdTrafficShare      = "eigrp.traffic-share"
	CmdSummaryMetric     = "eigrp.summary-metric"
	CmdActiveTime        = "eigrp.active-time"
	CmdAutoSummary       = "eigrp.auto-summary"
)

// IDs of the lines of an interface: `ip … eigrp AS` of classic mode and the lines of
// af-interface share them.
const (
	CmdIfEnable      = "eigrp.if-enable" // ipv6 eigrp AS
	CmdIfHello       = "eigrp.if-hello-interval"
	CmdIfHold        = "eigrp.if-hold-time"
	CmdIfBandwidth   = "eigrp.if-bandwidth-percent"
	CmdIfPassive     = "eigrp.if-passive-interface"
	CmdIfShutdown    = "eigrp.if-shutdown"
	CmdIfSplit       = "eigrp.if-split-horizon"
	CmdIfNextHopSelf = "eigrp.if-next-hop-self"
	CmdIfAddPaths    = "eigrp.if-add-paths"
	CmdIfSummary     = "eigrp.if-summary-address"
	CmdIfAuthMode    = "eigrp.if-authentication-mode"
	CmdIfAuthKeys    = "eigrp.if-authentication-key-chain"
)

// weightRouter places the routers between the interfaces (500) and those of other
// protocols, as on IOS.
const (
	weightRouter  = 600
	weightRouter6 = 950 // behind the static routes, as on IOS
)

// Grammar returns what eigrpd adds to the command line.
func Grammar() cli.Tree {
	closers := []string{"exit-address-family"}
	return cli.Tree{
		Modes: []cli.Mode{
			{Name: ModeClassic, Parent: cli.ModeConfig, Prompt: "(config-router)#"},
			{Name: ModeClassicAF, Parent: ModeClassic, Prompt: "(config-router-af)#", Closers: closers},
			{Name: ModeClassic6, Parent: cli.ModeConfig, Prompt: "(config-rtr)#"},
			{Name: ModeNamed, Parent: cli.ModeConfig, Prompt: "(config-router)#"},
			{Name: ModeFamily, Parent: ModeNamed, Prompt: "(config-router-af)#", Closers: closers},
			{Name: ModeDefault, Parent: ModeFamily, Prompt: "(config-router-af-interface)#", Closers: []string{"exit-af-interface"}},
			{Name: ModeInterface, Parent: ModeFamily, Prompt: "(config-router-af-interface)#", Closers: []string{"exit-af-interface"}},
			{Name: ModeTopology, Parent: ModeFamily, Prompt: "(config-router-af-topology)#", Closers: []string{"exit-af-topology"}},
		},
		Commands: slices.Concat(classicCommands(), namedCommands(), refusedCommands(), execCommands(), cli.ProtocolsCommands(), plugin.DebugCommands(Facilities)),
		Help: cli.Help{
			"show": "Show running system information", "clear": "Reset", "ip": "Internet Protocol", "ipv6": "Internet Protocol version 6",
			"eigrp": "Enhanced Interior Gateway Routing Protocol", "vrf": "VRF name", "as": "Autonomous system", "autonomous-system": "Autonomous system",
			"in": "Of routes that are received", "out": "Of routes that are told", "ifname": "Interface", "list": "Name or number of the list",
			"map": "Name of the route-map", "route-map": "What a route-map permits, and as it says", "router": "Configure a routing protocol",
			"addr": "Address", "mask": "Network mask", "prefix": "Network", "address-family": "Configure an address family", "ipv4": "IPv4",
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
