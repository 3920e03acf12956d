package policy

import "github.com/godmvpn/godmvpn/lib/cli"

func routeMapCommands() []cli.Command {
	help := cli.Help{"route-map": "Define a route-map", "name": "Name of the route-map", "seq": "Sequence number of the entry",
		"match": "What the entry applies to", "set": "What the entry changes"}
	out := []cli.Command{
		{ID: CmdRouteMap, Mode: cli.ModeConfig, Pattern: "route-map name:WORD(63) action:{permit|deny} seq:<0-65535>", Help: help,
			Enters: ModeRouteMap, Key: []string{"name", "seq"}, Sort: []string{"name", "seq"}, Weight: weightRouteMap},
		{ID: CmdRouteMap + ".no", Mode: cli.ModeConfig, Pattern: "route-map name:WORD(63)", Help: help, NoForm: cli.NoOnly, Removes: []string{CmdRouteMap}},
		{ID: cmdMapText, Mode: ModeRouteMap, Pattern: "description text:LINE(100)", Help: help},
		{ID: cmdContinue, Mode: ModeRouteMap, Pattern: "continue [seq:<1-65535>]", Weight: 40,
			Help: cli.Help{"continue": "Go on with a later entry", "seq": "Sequence number to go on at (the next entry)"}},
		{ID: cmdCall, Mode: ModeRouteMap, Pattern: "call name:WORD(63)", Weight: 30,
			Help: cli.Help{"call": "Ask another route-map as well", "name": "Name of the route-map"}},
	}
	out = append(out, matchCommands()...)
	return append(append(out, setCommands()...), bgpMapCommands()...)
}

// matchCommands are lines of which each word is one more value that fits.
func matchCommands() []cli.Command {
	help := cli.Help{"match": "What the entry applies to", "address": "Network of the route", "prefix-list": "By prefix-lists",
		"next-hop": "Next hop of the route", "route-source": "Router that the route was learned from",
		"list": "Name or number of an access-list", "name": "Name of a prefix-list",
		"interface": "Outgoing interface of the route", "ifname": "Interface", "tag": "Tag of the route", "value": "Value",
		"metric": "Metric of the route", "source-protocol": "Protocol that the route comes from",
		"connected": "Connected subnets", "static": "Static routes", "kernel": "Routes of the kernel", "rip": "RIP", "nhrp": "NHRP",
		"ospf": "OSPF", "eigrp": "EIGRP", "bgp": "BGP", "instance": "Process or autonomous system number"}
	match := func(id, pattern, each string) cli.Command {
		return cli.Command{ID: id, Mode: ModeRouteMap, Pattern: "match " + pattern, Help: help, Key: []string{each}, Split: each, Weight: 10}
	}
	process := cli.Command{ID: cmdMatchProtocol, Mode: ModeRouteMap, Help: help, Key: []string{"protocol", "instance"}, Weight: 10,
		Pattern: "match source-protocol protocol:{ospf|eigrp|bgp} instance:<1-4294967295>"}
	return []cli.Command{
		match(cmdMatchList, "ip address list:WORD(63)...", "list"),
		match(cmdMatchPrefix, "ip address prefix-list name:WORD(63)...", "name"),
		match(cmdMatchPrefix6, "ipv6 address prefix-list name:WORD(63)...", "name"),
		match(cmdMatchHop, "ip next-hop list:WORD(63)...", "list"),
		match(cmdMatchHopPfx, "ip next-hop prefix-list name:WORD(63)...", "name"),
		match(cmdMatchSource, "ip route-source list:WORD(63)...", "list"),
		match(cmdMatchIface, "interface ifname:IFNAME...", "ifname"),
		match(cmdMatchTag, "tag value:<0-4294967295>...", "value"),
		match(cmdMatchMetric, "metric value:<0-4294967295>...", "value"),
		match(cmdMatchProtocol, "source-protocol protocol:{connected|static|kernel|rip|nhrp|ospf|eigrp|bgp}...", "protocol"), process,
	}
}

func setCommands() []cli.Command {
	help := cli.Help{"set": "What the entry changes", "metric": "Metric", "value": "Metric", "change": "+N or -N: add to or subtract from the metric",
		"bandwidth": "EIGRP bandwidth, kilobits per second", "delay": "EIGRP delay, tens of microseconds", "reliability": "EIGRP reliability, 255 is best",
		"load": "EIGRP load, 255 is worst", "mtu": "EIGRP MTU", "tag": "Tag", "tagvalue": "Value", "next-hop": "Next hop", "addr": "Address",
		"metric-type": "Type of an external metric", "type-1": "OSPF external type 1", "type-2": "OSPF external type 2",
		"local-preference": "BGP local preference", "preference": "Value", "community": "BGP communities", "none": "No communities",
		"internet": "The Internet", "local-AS": "Not outside of the confederation member (RFC 1997)", "no-advertise": "To no peer (RFC 1997)",
		"no-export": "Not outside of the confederation (RFC 1997)", "number": "aa:nn or a number", "additive": "Add to those of the route"}
	set := func(id, pattern string) cli.Command {
		return cli.Command{ID: id, Mode: ModeRouteMap, Pattern: "set " + pattern, Help: help, Weight: 20}
	}
	return []cli.Command{
		set(cmdSetMetric, "metric {value:<0-4294967295>|change:WORD(11)}"),
		set(cmdSetMetric, "metric bandwidth:<1-4294967295> delay:<0-4294967295> reliability:<0-255> load:<1-255> mtu:<1-65535>"),
		set(cmdSetTag, "tag tagvalue:<0-4294967295>"),
		set(cmdSetHop, "ip next-hop addr:A.B.C.D"),
		set(cmdSetHop6, "ipv6 next-hop addr:X:X::X:X"),
		set(cmdSetType, "metric-type type:{type-1|type-2}"),
		set(cmdSetPref, "local-preference preference:<0-4294967295>"),
		set(cmdSetCommunity, "community communities:{internet|local-AS|no-advertise|no-export|number:WORD(21)}... [additive]"),
		set(cmdSetCommunity, "community none"),
	}
}
