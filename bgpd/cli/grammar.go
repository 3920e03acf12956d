package cli

import (
	"maps"
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

// Configuration modes of bgpd.
const (
	ModeRouter = "router-bgp"       // router bgp AS
	ModeIPv4   = "router-bgp-af"    // address-family ipv4
	ModeIPv6   = "router-bgp-af6"   // address-family ipv6
	ModeVRF    = "router-bgp-vrf"   // address-family ipv4 vrf NAME
	ModeVRF6   = "router-bgp-vrf6"  // address-family ipv6 vrf NAME
	ModePeer   = "router-bgp-ptmp"  // template peer-session NAME
	ModePolicy = "router-bgp-ptmpp" // template peer-policy NAME
)

// IDs of the commands that enter a mode.
const (
	CmdRouter          = "bgp.router"
	CmdFamily          = "bgp.family"
	CmdSessionTemplate = "bgp.template-session"
	CmdPolicyTemplate  = "bgp.template-policy"
)

// IDs of the lines of the process.
const (
	CmdRouterID       = "bgp.router-id"
	CmdLogChanges     = "bgp.log-neighbor-changes"
	CmdListenRange    = "bgp.listen-range"
	CmdListenLimit    = "bgp.listen-limit"
	CmdClusterID      = "bgp.cluster-id"
	CmdDefaultUnicast = "bgp.default-ipv4-unicast"
	CmdAlwaysMED      = "bgp.always-compare-med"
	CmdDeterministic  = "bgp.deterministic-med"
	CmdIgnoreASPath   = "bgp.bestpath-as-path-ignore"
	CmdMultipathRelax = "bgp.bestpath-as-path-multipath-relax"
	CmdCompareID      = "bgp.bestpath-compare-routerid"
	CmdIgnoreMetric   = "bgp.bestpath-igp-metric-ignore"
	CmdLocalPref      = "bgp.default-local-preference"
	CmdMissingMED     = "bgp.bestpath-med-missing-as-worst"
	CmdRestart        = "bgp.graceful-restart"
	CmdRestartTime    = "bgp.graceful-restart-restart-time"
	CmdLongLived      = "bgp.long-lived-graceful-restart"
	CmdUpdateDelay    = "bgp.update-delay"
	CmdTimers         = "bgp.timers"
	CmdWaitInstall    = "bgp.wait-install"
)

// IDs of the lines of an address family.
const (
	CmdNetwork            = "bgp.network"
	CmdAggregate          = "bgp.aggregate-address"
	CmdRedistribute       = "bgp.redistribute"
	CmdDefaultInformation = "bgp.default-information"
	CmdDefaultMetric      = "bgp.default-metric"
	CmdDistance           = "bgp.distance"
	CmdMaximumPaths       = "bgp.maximum-paths"
	CmdMaximumPathsIBGP   = "bgp.maximum-paths-ibgp"
	CmdAutoSummary        = "bgp.auto-summary"
	CmdSynchronization    = "bgp.synchronization"
)

// IDs of the lines about the session with a neighbour, a peer-group, or of a template.
const (
	CmdRemoteAS    = "bgp.remote-as"
	CmdGroup       = "bgp.peer-group"        // neighbor G peer-group
	CmdMember      = "bgp.peer-group-member" // neighbor X peer-group G
	CmdInherit     = "bgp.inherit-peer-session"
	CmdDescription = "bgp.description"
	CmdShutdown    = "bgp.shutdown"
	CmdPassword    = "bgp.password"
	CmdPeerTimers  = "bgp.neighbor-timers"
	CmdConnect     = "bgp.neighbor-timers-connect"
	CmdMultihop    = "bgp.ebgp-multihop"
	CmdTTLSecurity = "bgp.ttl-security"
	CmdSource      = "bgp.update-source"
	CmdLocalAS     = "bgp.local-as"
	CmdTransport   = "bgp.transport-connection-mode"
	CmdPeerRestart = "bgp.ha-mode-graceful-restart"
	CmdVersion     = "bgp.version"
	CmdConnected   = "bgp.disable-connected-check"
	CmdPathMTU     = "bgp.transport-path-mtu-discovery"
)

// IDs of the lines about the routes of a neighbour.
const (
	CmdActivate         = "bgp.activate"
	CmdNextHopSelf      = "bgp.next-hop-self"
	CmdNextHopUnchanged = "bgp.next-hop-unchanged"
	CmdReflectorClient  = "bgp.route-reflector-client"
	CmdSendCommunity    = "bgp.send-community"
	CmdSoft             = "bgp.soft-reconfiguration"
	CmdDefaultOriginate = "bgp.default-originate"
	CmdPrefixList       = "bgp.prefix-list"
	CmdDistributeList   = "bgp.distribute-list"
	CmdFilterList       = "bgp.filter-list"
	CmdRouteMap         = "bgp.route-map"
	CmdAllowASIn        = "bgp.allowas-in"
	CmdASOverride       = "bgp.as-override"
	CmdRemovePrivate    = "bgp.remove-private-as"
	CmdMaximumPrefix    = "bgp.maximum-prefix"
	CmdWeight           = "bgp.weight"
	CmdAddPaths         = "bgp.additional-paths"
	CmdInheritPolicy    = "bgp.inherit-peer-policy"
)

// weightRouter places the router behind those of the interior protocols, as on IOS.
const weightRouter = 610

// Grammar returns what bgpd adds to the command line.
func Grammar() cli.Tree {
	family := []string{"exit-address-family"}
	return cli.Tree{
		Modes: []cli.Mode{
			{Name: ModeRouter, Parent: cli.ModeConfig, Prompt: "(config-router)#"},
			{Name: ModeIPv4, Parent: ModeRouter, Prompt: "(config-router-af)#", Closers: family},
			{Name: ModeIPv6, Parent: ModeRouter, Prompt: "(config-router-af)#", Closers: family},
			{Name: ModeVRF, Parent: ModeRouter, Prompt: "(config-router-af)#", Closers: family},
			{Name: ModeVRF6, Parent: ModeRouter, Prompt: "(config-router-af)#", Closers: family},
			{Name: ModePeer, Parent: ModeRouter, Prompt: "(config-router-stmp)#", Closers: []string{"exit-peer-session"}},
			{Name: ModePolicy, Parent: ModeRouter, Prompt: "(config-router-ptmp)#", Closers: []string{"exit-peer-policy"}},
		},
		Commands: slices.Concat(configCommands(), refusedCommands(), execCommands(), cli.ProtocolsCommands(), plugin.DebugCommands(Facilities)),
		Help: cli.Help{
			"show": "Show running system information", "clear": "Reset", "ip": "Internet Protocol", "ipv6": "Internet Protocol version 6", "ipv4": "Internet Protocol version 4",
			"bgp": "Border Gateway Protocol", "vrf": "VRF name", "as": "Autonomous system", "router": "Configure a routing protocol",
			"in": "Of routes that are received", "out": "Of routes that are sent", "neighbor": "A neighbor, or a peer-group", "addr": "Address of the neighbor",
			"group": "Name of the peer-group", "list": "Name or number of the list", "map": "Name of the route-map", "route-map": "What a route-map permits, and as it says",
			"address-family": "Configure an address family", "unicast": "Unicast routes", "name": "Name", "count": "Number", "seconds": "Seconds",
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

// configCommands returns all lines of the configuration that are not refused.
func configCommands() []cli.Command {
	open := &lines{mode: cli.ModeConfig}
	open.add(weightRouter, CmdRouter, "router bgp as:<1-4294967295>", cli.Help{"as": "Autonomous system of this router"}, "as").Enters = ModeRouter
	r := &lines{mode: ModeRouter}
	r.process()
	r.session(who)
	r.policy(who, 4)
	r.family(4)
	r.templates()
	r.families()
	all := slices.Concat(open.list, r.list)
	for mode, v := range map[string]int{ModeIPv4: 4, ModeIPv6: 6, ModeVRF: 4, ModeVRF6: 6} { // unordered: the grammar sorts by mode
		l := &lines{mode: mode}
		l.family(v)
		l.policy(who, v)
		if mode == ModeVRF || mode == ModeVRF6 {
			l.session(who)
			l.routerID()
			l.ranges()
		}
		all = append(all, l.list...)
	}
	s, p := &lines{mode: ModePeer}, &lines{mode: ModePolicy}
	s.session("")
	p.policy("", 0)
	return slices.Concat(all, s.list, p.list)
}

// families adds the lines that open blocks.
func (l *lines) families() {
	for _, f := range []struct{ words, mode, vrf string }{{"ipv4", ModeIPv4, ModeVRF}, {"ipv6", ModeIPv6, ModeVRF6}} {
		one := l.add(90, CmdFamily, "address-family family:{"+f.words+"} [unicast]", nil, "family")
		one.Enters, one.Weight = f.mode, 90
		l.add(91, CmdFamily, "address-family family:{"+f.words+"} [unicast] vrf vrf:WORD(15)", cli.Help{"vrf": "Of a VRF"}, "family", "vrf").Enters = f.vrf
	}
}

func (l *lines) templates() {
	help := cli.Help{"template": "Settings to inherit from", "peer-session": "About the session", "peer-policy": "About the routes", "name": "Name of the template"}
	l.add(30, CmdSessionTemplate, "template peer-session name:WORD(63)", help, "name").Enters = ModePeer
	l.add(31, CmdPolicyTemplate, "template peer-policy name:WORD(63)", help, "name").Enters = ModePolicy
}

// with joins helps; later ones go before earlier ones.
func with(helps ...cli.Help) cli.Help {
	all := cli.Help{}
	for _, h := range helps {
		maps.Copy(all, h)
	}
	return all
}
