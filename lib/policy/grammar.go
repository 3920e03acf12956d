package policy

import (
	"maps"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Modes of the policy commands.
const (
	ModeStandard = "std-nacl"
	ModeExtended = "ext-nacl"
	ModeRouteMap = "route-map"
	ModeKeyChain = "keychain"
	ModeKey      = "keychain-key"
)

// Print order among the global lines: keys before what uses them, lists behind
// interfaces, routers and routes.
const (
	weightKeyChain   = 45
	weightPathList   = 905
	weightNamed      = 910
	weightPrefixList = 920
	weightAccessList = 930
	weightRouteMap   = 950
)

// maxSeq is the largest sequence number of IOS: of prefix-lists 4294967294, of
// access-lists 2147483647.
const (
	maxPrefixSeq = 4294967294
	maxAccessSeq = 2147483647
)

// Grammar returns the modes and commands of policy: configuration and show.
func Grammar() cli.Tree {
	tree := cli.Tree{
		Modes: []cli.Mode{
			{Name: ModeStandard, Parent: cli.ModeConfig, Prompt: "(config-std-nacl)#"},
			{Name: ModeExtended, Parent: cli.ModeConfig, Prompt: "(config-ext-nacl)#"},
			{Name: ModeRouteMap, Parent: cli.ModeConfig, Prompt: "(config-route-map)#"},
			{Name: ModeKeyChain, Parent: cli.ModeConfig, Prompt: "(config-keychain)#"},
			{Name: ModeKey, Parent: ModeKeyChain, Prompt: "(config-keychain-key)#"},
		},
		Help: cli.Help{
			"ip": "Internet Protocol", "ipv6": "Internet Protocol version 6", "show": "Show running system information",
			"prefix-list": "Prefix-list", "access-list": "Access-list", "name": "Name of the list",
			"permit": "Permit what matches", "deny": "Deny what matches", "seq": "Sequence number",
			"description": "What it is for", "text": "Text", "remark": "A comment on what follows",
			"any": "Any address", "host": "One address", "established": "TCP segments with ACK or RST",
			"eq": "Only this port", "neq": "All ports but this", "gt": "Greater ports", "lt": "Lower ports", "range": "Ports from the first to the second",
			"key": "Keys", "chain": "Key chains",
		},
	}
	for _, c := range [][]cli.Command{prefixListCommands(), accessListCommands(), pathListCommands(), routeMapCommands(), keyChainCommands(), showCommands()} {
		tree.Commands = append(tree.Commands, c...)
	}
	return tree
}

func prefixListCommands() []cli.Command {
	help := cli.Help{"prefix": "Network and length", "ge": "Smallest length that matches", "le": "Largest length that matches",
		"min": "Length", "max": "Length"}
	family := func(id, text, head, kind, bits string) []cli.Command {
		return []cli.Command{
			{ID: id, Mode: cli.ModeConfig, Weight: weightPrefixList, Help: help, Key: []string{"name", "seq"},
				Pattern: head + " name:WORD(63) [seq seq:<1-4294967294>] action:{permit|deny} prefix:" + kind + " [ge min:<0-" + bits + ">] [le max:<0-" + bits + ">]",
				AutoSeq: &cli.AutoSeq{Arg: "seq", Keyword: "seq", Words: 3, Step: 5, Max: maxPrefixSeq}},
			{ID: text, Mode: cli.ModeConfig, Weight: weightPrefixList, Key: []string{"name"},
				Pattern: head + " name:WORD(63) description text:LINE(80)"},
			{ID: id + ".no", Mode: cli.ModeConfig, Pattern: head + " name:WORD(63)", NoForm: cli.NoOnly, Removes: []string{id, text}},
			{ID: id + ".no-seq", Mode: cli.ModeConfig, Pattern: head + " name:WORD(63) seq seq:<1-4294967294>", NoForm: cli.NoOnly, Removes: []string{id}},
		}
	}
	return append(family(CmdPrefixList, CmdPrefixListText, "ip prefix-list", "PREFIX4", "32"),
		family(CmdPrefixList6, CmdPrefixList6Text, "ipv6 prefix-list", "PREFIX6", "128")...)
}

// Parts of the patterns of access-lists. Groups are read by their text.
const (
	action       = "action:{permit|deny} "
	standardPart = action + "src:{any|host from:A.B.C.D|addr:A.B.C.D [wild:WILDCARD]}"
	protocols    = "{ahp|eigrp|esp|gre|icmp|igmp|ip|ipinip|ospf|pcp|pim|number:<0-255>}"
	source       = " src:{any|host from:A.B.C.D|addr:A.B.C.D wild:WILDCARD}"
	destination  = " dst:{any|host to:A.B.C.D|dest:A.B.C.D destwild:WILDCARD}"
	sourcePort   = " sport:[{eq|neq|gt|lt} port:WORD(20)|range first:WORD(20) last:WORD(20)]"
	destPort     = " dport:[{eq|neq|gt|lt} destport:WORD(20)|range destfirst:WORD(20) destlast:WORD(20)]"
	otherPart    = action + "proto:" + protocols + source + destination
	tcpPart      = action + "proto:{tcp}" + source + sourcePort + destination + destPort + " [established]"
	udpPart      = action + "proto:{udp}" + source + sourcePort + destination + destPort
)

func accessListCommands() []cli.Command {
	help := cli.Help{"n": "Number of the list", "addr": "Address", "from": "Address", "to": "Address", "dest": "Address",
		"wild": "Wildcard bits: ones are not compared", "destwild": "Wildcard bits: ones are not compared",
		"number": "IP protocol number", "standard": "By source address", "extended": "By protocol, addresses and ports",
		"ahp": "Authentication Header", "eigrp": "EIGRP", "esp": "Encapsulating Security Payload", "gre": "Generic Routing Encapsulation",
		"icmp": "ICMP", "igmp": "IGMP", "ip": "Any IP protocol", "ipinip": "IP in IP", "ospf": "OSPF", "pcp": "Payload compression",
		"pim": "PIM", "tcp": "TCP", "udp": "UDP", "port": "Port number or name", "first": "Port number or name", "last": "Port number or name",
		"destport": "Port number or name", "destfirst": "Port number or name", "destlast": "Port number or name"}
	var out []cli.Command
	numbered := func(pattern string, key ...string) {
		out = append(out, cli.Command{ID: CmdAccessList, Mode: cli.ModeConfig, Pattern: "access-list " + pattern, Help: help,
			Weight: weightAccessList, Ordered: true, Sort: []string{"n"}, Key: append([]string{"n"}, key...)})
	}
	numbered("{n:<1-99>|n:<1300-1999>} "+standardPart, "action", "src")
	for _, part := range []string{otherPart, udpPart, tcpPart} {
		key := []string{"action", "proto", "src", "dst"}
		if part != otherPart {
			key = append(key, "sport", "dport")
		}
		if part == tcpPart {
			key = append(key, "established")
		}
		numbered("{n:<100-199>|n:<2000-2699>} "+part, key...)
	}
	numbered("{n:<1-199>|n:<1300-2699>} remark text:LINE(100)", "text")
	out = append(out, cli.Command{ID: CmdAccessList + ".no", Mode: cli.ModeConfig, Pattern: "access-list {n:<1-199>|n:<1300-2699>}",
		Help: help, NoForm: cli.NoOnly, Removes: []string{CmdAccessList}})
	named := func(id, kind, mode, entry string, parts ...string) {
		out = append(out, cli.Command{ID: id, Mode: cli.ModeConfig, Pattern: "ip access-list " + kind + " name:WORD(63)", Help: help,
			Enters: mode, Weight: weightNamed, Key: []string{"name"}})
		for _, part := range append(parts, "remark text:LINE(100)") {
			out = append(out, cli.Command{ID: entry, Mode: mode, Pattern: "[seq:<1-2147483647>] " + part, Help: help,
				Key: []string{"seq"}, AutoSeq: &cli.AutoSeq{Arg: "seq", Step: 10, Max: maxAccessSeq}})
		}
	}
	named(CmdStandard, "standard", ModeStandard, cmdStdEntry, standardPart)
	named(CmdExtended, "extended", ModeExtended, cmdExtEntry, otherPart, udpPart, tcpPart)
	return out
}

func keyChainCommands() []cli.Command {
	const when = "start:WORD(8) {month:WORD(9) day:<1-31>|day:<1-31> month:WORD(9)} year:<1993-2099> " +
		"{infinite|duration seconds:<1-2147483646>|end:WORD(8) {endmonth:WORD(9) endday:<1-31>|endday:<1-31> endmonth:WORD(9)} endyear:<1993-2099>}"
	help := cli.Help{"name": "Name of the key chain", "id": "Number of the key", "key-string": "The secret",
		"accept-lifetime": "When the key is accepted (UTC)", "send-lifetime": "When the key is sent (UTC)",
		"start": "Time of the start, hh:mm:ss", "month": "Month", "day": "Day of the month", "year": "Year",
		"infinite": "Never ends", "duration": "Ends some time after the start", "seconds": "Seconds", "end": "Time of the end, hh:mm:ss",
		"endmonth": "Month", "endday": "Day of the month", "endyear": "Year",
		"cryptographic-algorithm": "Algorithm of the authentication", "md5": "MD5", "hmac-sha-1": "HMAC-SHA-1",
		"hmac-sha-256": "HMAC-SHA-256", "hmac-sha-384": "HMAC-SHA-384", "hmac-sha-512": "HMAC-SHA-512"}
	maps.Copy(help, cli.SecretHelp())
	line := func(id, pattern string, weight int) cli.Command {
		return cli.Command{ID: id, Mode: ModeKey, Pattern: pattern, Help: help, Weight: weight}
	}
	return []cli.Command{
		{ID: CmdKeyChain, Mode: cli.ModeConfig, Pattern: "key chain name:WORD(63)", Help: help, Enters: ModeKeyChain,
			Key: []string{"name"}, Weight: weightKeyChain},
		{ID: cmdKey, Mode: ModeKeyChain, Pattern: "key id:<0-2147483647>", Help: help, Enters: ModeKey, Key: []string{"id"}},
		line(cmdKeyString, "key-string "+cli.SecretPart, 1),
		line(cmdAccept, "accept-lifetime "+when, 2),
		line(cmdSend, "send-lifetime "+when, 3),
		line(cmdAlgorithm, "cryptographic-algorithm algorithm:{md5|hmac-sha-1|hmac-sha-256|hmac-sha-384|hmac-sha-512}", 4),
	}
}

func showCommands() []cli.Command {
	show := func(id, pattern string, help cli.Help) cli.Command {
		return cli.Command{ID: id, Mode: cli.ModeExec, Pattern: pattern, Help: help}
	}
	lists := cli.Help{"access-lists": "Access-lists", "name": "Name or number of the list"}
	return []cli.Command{
		show(ShowPrefixList, "show ip prefix-list [name:WORD(63)]", cli.Help{"prefix-list": "IPv4 prefix-lists"}),
		show(ShowPrefixList6, "show ipv6 prefix-list [name:WORD(63)]", cli.Help{"prefix-list": "IPv6 prefix-lists"}),
		show(ShowAccessList, "show access-lists [name:WORD(63)]", lists),
		show(ShowAccessList, "show ip access-lists [name:WORD(63)]", lists),
		show(ShowRouteMap, "show route-map [name:WORD(63)]", cli.Help{"route-map": "Route-maps", "name": "Name of the route-map"}),
		show(ShowASPathList, "show ip as-path-access-list [name:<1-500>]", cli.Help{"as-path-access-list": "Lists of AS paths", "name": "Number of the list"}),
		show(ShowCommunityList, "show ip community-list [name:WORD(63)]", cli.Help{"community-list": "Lists of communities", "name": "Number or name of the list"}),
		show(ShowExtList, "show ip extcommunity-list [name:WORD(63)]", cli.Help{"extcommunity-list": "Lists of extended communities", "name": "Number or name of the list"}),
		show(ShowLargeList, "show ip large-community-list [name:WORD(63)]", cli.Help{"large-community-list": "Lists of large communities", "name": "Number or name of the list"}),
		show(ShowKeyChain, "show key chain [name:WORD(63)]", cli.Help{"chain": "Key chains, without their secrets", "name": "Name of the key chain"}),
	}
}
