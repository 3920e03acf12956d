package cli

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// IDs of commands.
const (
	CmdNetworkID   = "nhrp.network-id"
	CmdAuth        = "nhrp.authentication"
	CmdHoldtime    = "nhrp.holdtime"
	CmdMap         = "nhrp.map"
	CmdMapDynamic  = "nhrp.map-multicast-dynamic"
	CmdMapMcast    = "nhrp.map-multicast"
	CmdNHS         = "nhrp.nhs"
	CmdNHSDynamic  = "nhrp.nhs-dynamic"
	CmdNHSCluster  = "nhrp.nhs-cluster"
	CmdNHSFallback = "nhrp.nhs-fallback"
	CmdServerOnly  = "nhrp.server-only"
	CmdIfState     = "nhrp.if-state"
	CmdRegTimeout  = "nhrp.registration-timeout"
	CmdRegNoUnique = "nhrp.registration-no-unique"
	CmdRegIdentity = "nhrp.registration-identity"
	CmdRegRequire  = "nhrp.registration-require-identity"
	CmdMaxSend     = "nhrp.max-send"
	CmdRedirect    = "nhrp.redirect"
	CmdShortcut    = "nhrp.shortcut"
	CmdKeepalive   = "nhrp.shortcut-keepalive"
	CmdMinPrefix   = "nhrp.minimum-prefix-length"
	CmdGroup       = "nhrp.group"
	CmdRecord      = "nhrp.record"
	CmdSummaryMap  = "nhrp.summary-map"
	CmdResponder   = "nhrp.responder"
	CmdMapGroup    = "nhrp.map-group"

	CmdPolicyMap = "nhrp.policy-map"
	CmdClass     = "nhrp.policy-class"
	CmdShape     = "nhrp.policy-shape"
	CmdNoShape   = "nhrp.policy-refused"
)

// weight places the lines between "ip mtu" and "ip tcp adjust-mss" of the
// interface, where IOS has them; among each other they are sorted.
const weight = 50

// Grammar returns what nhrpd adds to the command line.
func Grammar() cli.Tree {
	tree := cli.Tree{Help: cli.Help{
		"ip": "Internet Protocol", "ipv6": "Internet Protocol version 6", "nhrp": "Next Hop Resolution Protocol", "show": "Show running system information",
		"map": "Static mapping", "multicast": "Multicast packets", "registration": "Registration with the next hop servers",
		"clear": "Reset", "dmvpn": "Dynamic Multipoint VPN", "interface": "One interface", "ifname": "Interface",
		"detail": "In full", "addr": "Protocol address", "prefix": "Protocol address and prefix length", "vrf": "Tunnels of one VRF",
	}}
	tree.Modes = []cli.Mode{
		{Name: ModePolicy, Parent: cli.ModeConfig, Prompt: "(config-pmap)#"},
		{Name: ModeClass, Parent: ModePolicy, Prompt: "(config-pmap-c)#"},
	}
	tree.Commands = slices.Concat(bothFamilies(configCommands()), bothFamilies(optionCommands()), bothFamilies(refusedCommands()), alwaysCommands(),
		groupCommands(), policyCommands(), []cli.Command{ifStateCommand()}, bothFamilies(execCommands()), bothFamilies(clearCommands()), bothFamilies(traceCommands()),
		debugCommands(), plugin.DebugCommands(Facilities))
	return tree
}

func configCommands() []cli.Command {
	line := func(id, pattern string, help cli.Help, key ...string) cli.Command {
		return cli.Command{ID: id, Mode: "interface", Pattern: "ip nhrp " + pattern, Weight: weight, Help: help, Key: key}
	}
	dynamic := line(CmdMapDynamic, "map multicast dynamic", cli.Help{"dynamic": "To every registered client"})
	dynamic.DefaultOn = true
	noUnique := line(CmdRegNoUnique, "registration no-unique", cli.Help{"no-unique": "Let another NBMA address take over the registration"})
	noUnique.DefaultOn = true
	shortcut := line(CmdShortcut, "shortcut", cli.Help{"shortcut": "Send directly to other stations what they answer for"})
	shortcut.DefaultOn = true
	authentication := cli.SecretHelp()
	authentication["authentication"], authentication["secret"] = "String that all stations of the network share", "At most 8 characters, sent in clear text"
	return []cli.Command{
		line(CmdNetworkID, "network-id id:<1-4294967295>", cli.Help{"network-id": "Enable NHRP, in this network", "id": "Number of the network, of local meaning"}),
		line(CmdAuth, "authentication "+cli.SecretPart, authentication),
		line(CmdHoldtime, "holdtime seconds:<1-65535>", cli.Help{"holdtime": "How long others may use what this router tells of itself", "seconds": "Seconds"}),
		line(CmdMap, "map addr:A.B.C.D [mask:MASK] nbma:ADDR", cli.Help{"nbma": "NBMA address", "mask": "Network mask"}, "addr", "mask"),
		dynamic,
		line(CmdMapMcast, "map multicast nbma:ADDR", cli.Help{"nbma": "NBMA address"}, "nbma"),
		line(CmdNHS, "nhs addr:A.B.C.D [nbma nbma:HOST [multicast]] [priority priority:<0-255>] [cluster cluster:<0-10>]",
			cli.Help{"nhs": "Next hop server", "nbma": "NBMA address or name of the server", "multicast": "Send it multicast packets as well",
				"priority": "Priority of the server, 0 is best", "cluster": "Cluster that the server belongs to"}, "addr"),
		line(CmdNHSDynamic, "nhs dynamic nbma nbma:HOST [multicast] [priority priority:<0-255>] [cluster cluster:<0-10>]",
			cli.Help{"nhs": "Next hop server", "dynamic": "Learn the server's protocol address from it", "nbma": "NBMA address or name of the server",
				"multicast": "Send it multicast packets as well", "priority": "Priority of the server, 0 is best", "cluster": "Cluster that the server belongs to"}, "nbma"),
		line(CmdNHSCluster, "nhs cluster number:<0-10> max-connections most:<0-255>", cli.Help{"nhs": "Next hop server", "cluster": "Cluster of servers", "number": "Its number",
			"max-connections": "Limit how many of its servers are registered with", "most": "Servers; 0 for none"}, "number"),
		line(CmdNHSFallback, "nhs fallback seconds:<0-60>", cli.Help{"nhs": "Next hop server", "fallback": "How long a server stays connected when better ones are back", "seconds": "Seconds"}),
		line(CmdServerOnly, "server-only [non-caching]", cli.Help{"server-only": "Never resolve addresses, only answer and forward", "non-caching": "Keep nothing of replies that are forwarded, as is always so"}),
		line(CmdRegTimeout, "registration timeout seconds:<1-65535>", cli.Help{"timeout": "Time between registrations", "seconds": "Seconds"}),
		noUnique,
		line(CmdRegIdentity, "registration identity identity:WORD(128) addr:A.B.C.D [mask:MASK]", cli.Help{"identity": "Who may register an address, and no others",
			"mask": "Any address of a network"}, "identity", "addr", "mask"),
		line(CmdRegRequire, "registration require-identity", cli.Help{"require-identity": "Refuse addresses that are bound to no identity"}),
		line(CmdRedirect, "redirect [timeout seconds:<2-30>]", cli.Help{"redirect": "Tell who sends through this router of shorter ways",
			"timeout": "Time until the same is told again", "seconds": "Seconds"}),
		shortcut,
		line(CmdKeepalive, "shortcut keepalive seconds:<1-60>", cli.Help{"shortcut": "Send directly to other stations what they answer for",
			"keepalive": "Ask stations that shortcuts lead to whether they are there", "seconds": "Seconds between two questions"}),
		line(CmdMinPrefix, "resolution minimum-prefix-length length:<1-128>", cli.Help{"resolution": "What this router answers",
			"minimum-prefix-length": "Shortest prefix that is answered; what is routed by a shorter one is answered for the address asked for", "length": "Length of the prefix"}),
		line(CmdMaxSend, "max-send packets:<1-65535> every seconds:<10-65535>", cli.Help{"max-send": "Limit the rate of NHRP packets",
			"packets": "Packets", "every": "Interval", "seconds": "Seconds"}),
	}
}

// ifStateCommand returns the line that ties the tunnel's line protocol to its
// servers; IOS has it behind the `ip` lines.
func ifStateCommand() cli.Command {
	return cli.Command{ID: CmdIfState, Mode: "interface", Pattern: "if-state nhrp", Weight: 85,
		Help: cli.Help{"if-state": "What else decides on the line protocol", "nhrp": "Down while no next hop server responds"}}
}

// Modes of the policies.
const (
	ModePolicy = "policy-map"
	ModeClass  = "policy-map-class"
)

// weightPolicy places the policies before the interfaces.
const weightPolicy = 60

// groupCommands returns the lines about groups, which are those of both families, in
// the form of today and in the older one: what is entered last is in force.
func groupCommands() []cli.Command {
	var all []cli.Command
	for _, form := range []string{"nhrp ", "ip nhrp "} {
		all = append(all, cli.Command{ID: CmdGroup, Mode: "interface", Pattern: form + "group name:WORD(63)", Weight: weight,
			Help: cli.Help{"group": "Group of this router, which the next hop servers are told", "name": "Name of the group"}},
			cli.Command{ID: CmdMapGroup, Mode: "interface", Pattern: form + "map group name:WORD(63) service-policy output policy:WORD(40)", Weight: weight,
				Key: []string{"name"}, Help: cli.Help{"group": "What to do for the clients of a group", "name": "Name of the group",
					"service-policy": "Apply a policy", "output": "To what is sent to them", "policy": "Name of the policy-map"}})
	}
	return all
}

// policyCommands returns the policies: what applies to what is sent to a client.
func policyCommands() []cli.Command {
	all := []cli.Command{
		{ID: CmdPolicyMap, Mode: cli.ModeConfig, Pattern: "policy-map name:WORD(40)", Enters: ModePolicy, Key: []string{"name"}, Weight: weightPolicy,
			Help: cli.Help{"policy-map": "What applies to what is sent to a client", "name": "Name of the policy"}},
		{ID: CmdClass, Mode: ModePolicy, Pattern: "class name:WORD(40)", Enters: ModeClass, Key: []string{"name"},
			Help: cli.Help{"class": "A class of packets", "name": "class-default: all packets"}},
		{ID: CmdShape, Mode: ModeClass, Pattern: "shape average rate:<8000-100000000000> [bc:<256-4000000000>]",
			Help: cli.Help{"shape": "Hold down to a rate", "average": "On the average", "rate": "Bits in a second", "bc": "Bits that may be sent at once after a pause"}},
	}
	for _, refused := range []string{"bandwidth", "fair-queue", "police", "priority", "queue-limit", "random-detect", "service-policy", "set"} {
		all = append(all, cli.Command{ID: CmdNoShape, Mode: ModeClass, Pattern: refused + " [what:LINE(200)]", Hidden: true})
	}
	return all
}

// The grammar above agrees on lengths with the core and with the packet.
var (
	_ [core.MaxAuthentication]byte = [8]byte{}
	_ [packet.MaxGroup]byte        = [63]byte{}
)
