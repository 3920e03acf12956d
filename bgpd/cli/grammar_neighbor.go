package cli

import "github.com/godmvpn/godmvpn/lib/cli"

// who is what a line about a neighbour begins with; templates have nothing in its place.
const who = "neighbor {addr:ADDR|group:WORD(63)} "

// about returns the key of a line about a neighbour or of a template.
func about(who string, more ...string) []string {
	if who == "" {
		return more
	}
	return append([]string{"addr", "group"}, more...)
}

// session adds the lines about the session with a neighbour or peer-group.
func (l *lines) session(who string) {
	add := func(weight int, id, pattern string, help cli.Help, key ...string) *cli.Command {
		return l.add(weight, id, who+pattern, help, about(who, key...)...)
	}
	members := cli.Help{"peer-group": "Group of neighbors with the same settings", "member": "The group that it is in"}
	if who != "" {
		l.add(50, CmdGroup, "neighbor group:WORD(63) peer-group", members, "group")
		l.add(52, CmdMember, "neighbor addr:ADDR peer-group member:WORD(63)", members, "addr")
	}
	add(51, CmdRemoteAS, "remote-as {as:<1-4294967295>|external|internal}", cli.Help{"remote-as": "Autonomous system of the neighbor", "external": "Any but this router's",
		"internal": "This router's"})
	inherit := cli.Help{"inherit": "Settings of a template", "peer-session": "About the session", "template": "Name of the template"}
	add(53, CmdInherit, "inherit peer-session template:WORD(63)", inherit)
	add(54, CmdDescription, "description text:LINE(80)", cli.Help{"description": "What it is for", "text": "Text"})
	add(55, CmdShutdown, "shutdown", cli.Help{"shutdown": "No session"})
	add(56, CmdPassword, "password "+cli.SecretPart, with(cli.SecretHelp(), cli.Help{"password": "TCP segments are signed by it (MD5)"}))
	add(57, CmdSource, "update-source ifname:IFNAME", cli.Help{"update-source": "Own address of the session", "ifname": "That of this interface"})
	add(58, CmdMultihop, "ebgp-multihop [hops:<1-255>]", cli.Help{"ebgp-multihop": "An external neighbor that is several hops away", "hops": "Hops at most (255)"})
	add(58, CmdTTLSecurity, "ttl-security hops hops:<1-254>", cli.Help{"ttl-security": "Packets of stations that are farther away are not accepted (RFC 5082)", "hops": "Hops at most"})
	add(59, CmdLocalAS, "local-as as:<1-4294967295> no-prepend replace-as", cli.Help{"local-as": "Be of another autonomous system for an external neighbor", "no-prepend": "It is not put before what it sends",
		"replace-as": "The own one is not sent to it"})
	add(60, CmdPeerTimers, "timers keepalive:<1-65535> hold:<3-65535>", timersHelp)
	add(60, CmdConnect, "timers connect seconds:<1-65535>", with(timersHelp, cli.Help{"connect": "Time between attempts to connect"}))
	add(61, CmdTransport, "transport connection-mode passive", cli.Help{"transport": "TCP", "connection-mode": "Who connects", "passive": "The neighbor, never this router"})
	add(62, CmdPeerRestart, "ha-mode graceful-restart [disable]", cli.Help{"ha-mode": "High availability", "graceful-restart": "Graceful restart with this neighbor", "disable": "Without it"})
	add(63, CmdConnected, "disable-connected-check", cli.Help{"disable-connected-check": "An external neighbor need not be on a connected network"}).Ignored = "it need not be anyway"
	add(63, CmdPathMTU, "transport path-mtu-discovery", cli.Help{"transport": "TCP", "path-mtu-discovery": "Segments as large as the path lets through"}).Ignored = "the kernel does it"
	add(63, CmdVersion, "version 4", cli.Help{"version": "Version of BGP", "4": "Version 4"}).Ignored = "there is no other"
}

// policy adds the lines about the routes of a neighbour or peer-group, for addresses of
// version 4 or 6; 0 is both.
func (l *lines) policy(who string, v int) {
	add := func(weight int, id, pattern string, help cli.Help, key ...string) *cli.Command {
		return l.add(weight, id, who+pattern, help, about(who, key...)...)
	}
	if who != "" {
		one := add(70, CmdActivate, "activate", cli.Help{"activate": "Exchange routes of this address family"})
		one.DefaultOn, one.Default = true, "-" // both forms are stored: which one counts depends on bgp default ipv4-unicast
	}
	inherit := cli.Help{"inherit": "Settings of a template", "peer-policy": "About the routes", "template": "Name of the template", "seq": "Templates with lower numbers count first"}
	add(71, CmdInheritPolicy, "inherit peer-policy template:WORD(63) [seq:<1-65535>]", inherit, "template")
	add(72, CmdReflectorClient, "route-reflector-client", cli.Help{"route-reflector-client": "Reflect routes of internal neighbors to it, and its routes to them"})
	hop := cli.Help{"next-hop-self": "This router is the next hop of what is sent", "all": "Of reflected routes too", "next-hop-unchanged": "Send next hops as they are to an external neighbor"}
	add(73, CmdNextHopSelf, "next-hop-self [all]", hop)
	add(73, CmdNextHopUnchanged, "next-hop-unchanged", hop)
	add(74, CmdSendCommunity, "send-community [kind:{standard|extended|large|both|all}]", cli.Help{"send-community": "Send communities", "standard": "Of RFC 1997", "extended": "Extended ones",
		"large": "Large ones", "both": "Standard and extended ones", "all": "All of them"})
	add(75, CmdSoft, "soft-reconfiguration inbound", cli.Help{"soft-reconfiguration": "Keep what the neighbor sends", "inbound": "As it was before policy"}).Ignored = "it is always kept"
	add(75, CmdDefaultOriginate, "default-originate [route-map map:WORD(63)]", cli.Help{"default-originate": "Send a default route, whether there is one or not",
		"route-map": "While it permits a route of the table; with what it sets"})
	add(76, CmdWeight, "weight weight:<0-65535>", cli.Help{"weight": "Weight of what it sends; the greatest is the best"})
	add(77, CmdAllowASIn, "allowas-in [count:<1-10>]", cli.Help{"allowas-in": "Accept routes that have passed the own AS", "count": "So many times at most (3)"})
	add(77, CmdASOverride, "as-override", cli.Help{"as-override": "Put the own AS number in place of the neighbor's"})
	add(77, CmdRemovePrivate, "remove-private-as all [replace-as]", cli.Help{"remove-private-as": "Send no private AS numbers", "all": "Also where there are others in the path", "replace-as": "Put the own one in their place"})
	add(78, CmdMaximumPrefix, "maximum-prefix limit:<1-2147483647> [threshold:<1-100>] [{warning-only|restart minutes:<1-65535>}]", cli.Help{"maximum-prefix": "End the session when it sends too much",
		"limit": "Prefixes at most", "threshold": "Percentage at which a warning is logged (75)", "warning-only": "Log a warning and nothing else", "restart": "Try again", "minutes": "After so many minutes"})
	add(79, CmdAddPaths, "additional-paths {send|receive|send receive|disable}", cli.Help{"additional-paths": "Several paths to a prefix (RFC 7911)", "send": "Sent", "receive": "Received", "disable": "None"})
	l.filters(who)
}

// filters adds the lines that filter what is received from or sent to a neighbour.
func (l *lines) filters(who string) {
	help := cli.Help{"prefix-list": "Filter by a prefix-list", "distribute-list": "Filter by an access-list", "filter-list": "Filter by AS path", "path": "Number of an as-path access-list"}
	for i, f := range []struct{ id, words string }{{CmdDistributeList, "distribute-list list:WORD(63)"}, {CmdPrefixList, "prefix-list list:WORD(63)"}, {CmdFilterList, "filter-list path:<1-500>"},
		{CmdRouteMap, "route-map map:WORD(63)"}} {
		l.add(80+i, f.id, who+f.words+" direction:{in|out}", help, about(who, "direction")...)
	}
}
