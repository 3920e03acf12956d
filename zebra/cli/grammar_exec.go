package cli

import "github.com/godmvpn/godmvpn/lib/cli"

// IDs of exec commands.
const (
	ExecRunning     = "zebra.show.running-config"
	ExecStartup     = "zebra.show.startup-config"
	ExecWrite       = "zebra.write"
	ExecVersion     = "zebra.show.version"
	ExecDaemons     = "zebra.show.daemons"
	ExecInit        = "zebra.show.init"
	ExecFIB         = "zebra.show.fib"
	ExecLogging     = "zebra.show.logging"
	ExecVRF         = "zebra.show.vrf"
	ExecInterfaces  = "zebra.show.interfaces"
	ExecIfBrief     = "zebra.show.interface-brief"
	ExecRoute       = "zebra.show.route"
	ExecRouteLookup = "zebra.show.route-lookup"
	ExecRouteSum    = "zebra.show.route-summary"
	ExecCEF         = "zebra.show.cef"
	ExecNHT         = "zebra.show.nht"
	ExecShapers     = "zebra.show.shapers"
	ExecUnmatched   = "zebra.show.unmatched"
	ExecPing        = "zebra.ping"
	ExecTraceroute  = "zebra.traceroute"
	ExecRestart     = "zebra.restart-daemon"
)

func execCommands() []cli.Command {
	exec := func(id, mode, pattern string, help cli.Help) cli.Command {
		return cli.Command{ID: id, Mode: mode, Pattern: pattern, Help: help}
	}
	route := func(id, pattern string) cli.Command {
		return exec(id, cli.ModeExec, pattern, cli.Help{"route": "Routing table", "prefix": "One prefix",
			"addr": "Address to look up", "next-hop-override": "With the next hops that override the protocols' own",
			"summary": "Counts", "connected": "Connected routes", "static": "Static routes", "kernel": "Routes that somebody else installed",
			"rip": "RIP routes", "ospf": "OSPF routes", "eigrp": "EIGRP routes", "bgp": "BGP routes", "nhrp": "NHRP routes",
			"longer-prefixes": "This prefix and all inside of it"})
	}
	const protocols = "protocol:{connected|static|kernel|rip|ospf|eigrp|bgp|nhrp}"
	running := cli.Help{"running-config": "Configuration in force", "section": "First words of the sections to show"}
	ping := cli.Help{"ping": "Send echo requests", "traceroute": "Show the hops on the way", "target": "Address or name",
		"repeat": "How many", "size": "Bytes of each packet", "timeout": "Seconds to wait for an answer", "df-bit": "Forbid fragmentation",
		"source": "Source address or interface", "count": "Count", "bytes": "Bytes", "seconds": "Seconds",
		"probes": "Probes for each hop", "ttl": "Most hops", "hops": "Hops"}
	return []cli.Command{
		exec(ExecRunning, cli.ModeEnable, "show running-config [section:LINE(200)]", running),
		exec(ExecStartup, cli.ModeEnable, "show startup-config", cli.Help{"startup-config": "Configuration that the next start will use"}),
		exec(ExecWrite, cli.ModeEnable, "write [memory]", cli.Help{"write": "Save the running configuration", "memory": "Save the running configuration"}),
		exec(ExecWrite, cli.ModeEnable, "copy running-config startup-config", cli.Help{"copy": "Copy a configuration",
			"running-config": "Configuration in force", "startup-config": "Configuration that the next start will use"}),
		exec(ExecVersion, cli.ModeExec, "show version", cli.Help{"version": "Version of the software"}),
		exec(ExecDaemons, cli.ModeExec, "show daemons", cli.Help{"daemons": "Protocol daemons and their state"}),
		exec(ExecInit, cli.ModeExec, "show zebra init", cli.Help{"zebra": "The RIB manager", "init": "Steps of the start"}),
		exec(ExecFIB, cli.ModeExec, "show zebra fib", cli.Help{"zebra": "The RIB manager", "fib": "State of what is written to the kernel"}),
		exec(ExecLogging, cli.ModeExec, "show logging", cli.Help{"logging": "Recent log messages"}),
		exec(ExecVRF, cli.ModeExec, "show vrf", cli.Help{"vrf": "VRFs"}),
		exec(ExecInterfaces, cli.ModeExec, "show interfaces [name:IFNAME]", cli.Help{"interfaces": "Interfaces in full", "name": "One interface"}),
		exec(ExecIfBrief, cli.ModeExec, "show ip interface brief", cli.Help{"interface": "IP state of interfaces", "brief": "A line each"}),
		route(ExecRoute, "show family:{ip|ipv6} route [vrf vrf:WORD(15)] ["+protocols+"|next-hop-override]"),
		route(ExecRouteLookup, "show family:{ip|ipv6} route [vrf vrf:WORD(15)] {addr:ADDR [mask:MASK]|prefix:PREFIX} [longer-prefixes]"),
		route(ExecRouteSum, "show family:{ip|ipv6} route [vrf vrf:WORD(15)] summary"),
		exec(ExecCEF, cli.ModeExec, "show family:{ip|ipv6} cef [vrf vrf:WORD(15)] {addr:ADDR [mask:MASK]|prefix:PREFIX}", cli.Help{
			"cef": "How packets leave", "addr": "Address to look up, or network", "mask": "Network mask", "prefix": "One prefix"}),
		exec(ExecNHT, cli.ModeExec, "show ip nht [vrf vrf:WORD(15)]", cli.Help{"nht": "Next hops that daemons watch"}),
		exec(ExecShapers, cli.ModeExec, "show policy-map multipoint [ifname:IFNAME] [nbma:ADDR]", cli.Help{"policy-map": "Policies for what is sent to clients",
			"multipoint": "What the policies of the peers of tunnels did", "ifname": "One tunnel", "nbma": "One peer, by its NBMA address"}),
		exec(ExecUnmatched, cli.ModeExec, "show tunnel unmatched", cli.Help{"tunnel": "Tunnels", "unmatched": "GRE packets that came for no tunnel"}),
		exec(ExecPing, cli.ModeExec, "ping [vrf vrf:WORD(15)] target:HOST [repeat count:<1-100000>] [size bytes:<36-9200>] [timeout seconds:<1-60>] [df-bit] [source source:WORD(64)]", ping),
		exec(ExecTraceroute, cli.ModeExec, "traceroute [vrf vrf:WORD(15)] target:HOST [probe probes:<1-10>] [ttl hops:<1-255>] [timeout seconds:<1-60>] [source source:WORD(64)]", ping),
		exec(ExecRestart, cli.ModeEnable, "restart daemon name:WORD(32)", cli.Help{"restart": "Start again", "daemon": "A protocol daemon", "name": "Name of the daemon"}),
	}
}
