package cli

import "github.com/godmvpn/godmvpn/lib/cli"

// IDs of the exec commands.
const (
	ExecNHRP       = "nhrp.show"
	ExecNHRPAddr   = "nhrp.show-address"
	ExecSummary    = "nhrp.show-summary"
	ExecSelf       = "nhrp.show-self"
	ExecNHS        = "nhrp.show-nhs"
	ExecTraffic    = "nhrp.show-traffic"
	ExecMulticast  = "nhrp.show-multicast"
	ExecRedirect   = "nhrp.show-redirect"
	ExecStats      = "nhrp.show-stats"
	ExecAllStats   = "nhrp.show-all-stats"
	ExecInterfaces = "nhrp.show-interfaces"
	ExecEvents     = "nhrp.show-event-trace"
	ExecDMVPN      = "nhrp.show-dmvpn"
	ExecDiagnose   = "nhrp.diagnose"
	ExecGroups     = "nhrp.show-group-map"
	ExecPolicy     = "nhrp.show-policy-map"

	ExecClear           = "nhrp.clear"
	ExecClearShortcut   = "nhrp.clear-shortcut"
	ExecClearCounters   = "nhrp.clear-counters"
	ExecClearStats      = "nhrp.clear-stats"
	ExecClearSession    = "nhrp.clear-session"
	ExecClearStatistics = "nhrp.clear-statistics"
)

// Pieces of patterns.
const (
	inVRF       = " [vrf vrf:WORD(15)]"
	onInterface = " [interface ifname:IFNAME]"
)

func execCommands() []cli.Command {
	exec := func(id, pattern string, help cli.Help) cli.Command {
		return cli.Command{ID: id, Mode: cli.ModeExec, Pattern: pattern, Help: help}
	}
	peer := cli.Help{"peer": "One peer", "nbma": "By its NBMA address", "tunnel": "By its tunnel address", "network": "By a network behind it",
		"mask": "Network mask", "static": "Static entries only", "ipv4": "IPv4 in the tunnels", "ipv6": "IPv6 in the tunnels"}
	return []cli.Command{
		exec(ExecNHRP, "show ip nhrp"+inVRF+onInterface+" [view:{brief|dynamic|static|incomplete|local|shortcut}] [detail]",
			cli.Help{"brief": "Two lines for each entry", "dynamic": "Learnt entries", "static": "Configured entries",
				"incomplete": "Entries that are being resolved", "local": "Own entries that others were told of",
				"shortcut": "Entries that packets take instead of the way by the hub"}),
		exec(ExecNHRPAddr, "show ip nhrp addr:A.B.C.D [mask:MASK]"+inVRF, cli.Help{"mask": "Network mask"}),
		exec(ExecSummary, "show ip nhrp summary"+inVRF, cli.Help{"summary": "How many entries there are, by type and flag"}),
		exec(ExecSelf, "show ip nhrp self"+inVRF, cli.Help{"self": "This router as others know it"}),
		exec(ExecNHS, "show ip nhrp nhs"+inVRF+" [detail]", cli.Help{"nhs": "Next hop servers"}),
		exec(ExecTraffic, "show ip nhrp traffic"+inVRF+onInterface+" [detail]", cli.Help{"traffic": "Packets sent, received and dropped"}),
		exec(ExecRedirect, "show ip nhrp redirect"+inVRF, cli.Help{"redirect": "Who was told of shorter ways lately"}),
		exec(ExecMulticast, "show ip nhrp multicast"+inVRF, cli.Help{"multicast": "Where multicast packets go"}),
		exec(ExecGroups, "show ip nhrp group-map"+inVRF+onInterface+" [group group:WORD(63)]",
			cli.Help{"group-map": "Groups that have policies, and their clients", "group": "One group"}),
		exec(ExecPolicy, "show policy-map [name:WORD(40)]", cli.Help{"policy-map": "Policies for what is sent to clients", "name": "One policy"}),
		exec(ExecDMVPN, "show dmvpn [family:{ipv4|ipv6}]"+inVRF+onInterface+" [peer {nbma nbma:ADDR|network {network:A.B.C.D mask:MASK|prefix:PREFIX6}|tunnel tunnel:ADDR}] [static] [detail]", peer),
	}
}

// clearCommands returns what forgets.
func clearCommands() []cli.Command {
	clear := func(id, pattern string, help cli.Help) cli.Command {
		return cli.Command{ID: id, Mode: cli.ModeEnable, Pattern: pattern, Help: help}
	}
	return []cli.Command{
		clear(ExecClear, "clear ip nhrp"+inVRF+onInterface+" [addr:A.B.C.D [mask:MASK]]", cli.Help{"mask": "Network mask"}),
		clear(ExecClear, "clear ip nhrp ifname:IFNAME", nil),
		clear(ExecClearShortcut, "clear ip nhrp shortcut"+inVRF+onInterface, cli.Help{"shortcut": "Entries that packets take instead of the way by the hub"}),
		clear(ExecClearCounters, "clear ip nhrp counters"+inVRF+onInterface, cli.Help{"counters": "Packet counters"}),
		clear(ExecClearSession, "clear dmvpn session"+inVRF+onInterface+" [peer {nbma nbma:ADDR|tunnel tunnel:ADDR}] [static]",
			cli.Help{"session": "Sessions with peers", "peer": "One peer", "nbma": "By its NBMA address", "tunnel": "By its tunnel address",
				"static": "Those with next hop servers as well"}),
		clear(ExecClearStatistics, "clear dmvpn statistics", cli.Help{"statistics": "Packet counters and counts of events"}),
	}
}

// traceCommands returns what shows and clears events, and the tunnels: of both
// families, whichever the line is about.
func traceCommands() []cli.Command {
	exec := func(id, pattern string, help cli.Help) cli.Command {
		return cli.Command{ID: id, Mode: cli.ModeExec, Pattern: pattern, Help: help}
	}
	stats := cli.Help{"stats": "How often what happened"}
	return []cli.Command{
		exec(ExecAllStats, "show nhrp stats [ifname:IFNAME] [detail]", stats),
		exec(ExecStats, "show ip nhrp stats [ifname:IFNAME] [detail]", stats),
		exec(ExecDiagnose, "diagnose dmvpn [peer addr:ADDR]", cli.Help{"diagnose": "Find the layer that fails", "peer": "One peer",
			"addr": "Its tunnel or NBMA address"}),
		exec(ExecInterfaces, "show nhrp interfaces", cli.Help{"interfaces": "Tunnels with NHRP"}),
		exec(ExecEvents, "show monitor event-trace dmvpn all", cli.Help{"monitor": "What was recorded", "event-trace": "Events", "all": "All of them"}),
		{ID: ExecClearStats, Mode: cli.ModeEnable, Pattern: "clear ip nhrp stats [ifname:IFNAME]", Help: stats},
	}
}
