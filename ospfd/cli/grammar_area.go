package cli

import "github.com/godmvpn/godmvpn/lib/cli"

// areaLines are the IDs of all lines `area A …`, virtualLines those of a virtual link.
var (
	areaLines = []string{CmdAreaAuth, CmdAreaCost, CmdAreaExport, CmdAreaFilter, CmdAreaImport, CmdAreaNSSA, CmdAreaNSSA7, CmdAreaNSSAR, CmdAreaRange, CmdAreaShortcut, CmdAreaStub,
		CmdVirtual, CmdVirtualMD5, CmdVirtualPlain}
	virtualLines = []string{CmdVirtual, CmdVirtualMD5, CmdVirtualPlain}
)

// areaCommands returns the lines `area A …` of a process.
func areaCommands() []cli.Command {
	l := &lines{mode: ModeRouter}
	const area = "area " + areaArg + " "
	l.add(20, cmdArea, "area "+areaArg, cli.Help{"area": "All that is said of an area"})
	l.list[0].NoForm, l.list[0].Removes = cli.NoOnly, areaLines
	l.add(20, CmdAreaAuth, area+"authentication [message-digest]", cli.Help{"authentication": "Authentication of packets on its interfaces; by password unless it says more"}, "area")
	l.add(21, CmdAreaStub, area+"stub [no-summary]", cli.Help{"stub": "It knows no external routes but a default route", "no-summary": "Nor routes of other areas"}, "area")
	l.nssa(area)
	l.add(23, CmdAreaCost, area+"default-cost cost:<1-16777214>", cli.Help{"default-cost": "Cost of the default route that is told into a stub area or NSSA", "cost": "Cost"}, "area")
	ranges := cli.Help{"range": "Tell one route into other areas in place of its parts", "advertise": "Tell it, as without the word", "cost": "Cost, not the largest of its parts", "metric": "Cost",
		"substitute": "Tell another network in its place", "to": "Address of the other network", "tomask": "Network mask", "toprefix": "The other network",
		"nssa": "Not-so-stubby area"}
	const network = "{addr:A.B.C.D mask:MASK|prefix:PREFIX4}"
	l.add(24, CmdAreaRange, area+"range "+network+" [{advertise|not-advertise}] [cost metric:<0-16777214>] [substitute {to:A.B.C.D tomask:MASK|toprefix:PREFIX4}]", ranges, "area", "addr", "mask", "prefix")
	l.add(25, CmdAreaNSSAR, area+"nssa range "+network+" [not-advertise] [cost metric:<0-16777214>] [tag tag:<0-4294967295>]",
		with(ranges, cli.Help{"range": "Translate type-7 LSAs into one, in place of its parts", "tag": "Tag of the route"}), "area", "addr", "mask", "prefix")
	l.add(26, CmdAreaFilter, area+"filter-list prefix list:WORD(63) direction:{in|out}", cli.Help{"filter-list": "Filter what is told of networks between areas", "prefix": "By a prefix-list",
		"in": "What is told into this area", "out": "What is told out of this area"}, "area", "direction")
	l.add(26, CmdAreaExport, area+"export-list list:WORD(63)", cli.Help{"export-list": "Filter networks of this area that are told into others, by an access-list"}, "area")
	l.add(26, CmdAreaImport, area+"import-list list:WORD(63)", cli.Help{"import-list": "Filter what is told of networks into this area, by an access-list"}, "area")
	l.add(26, CmdAreaShortcut, area+"shortcut mode:{default|enable|disable}", cli.Help{"shortcut": "Paths by this area beside those of the backbone, with ospf abr-type shortcut",
		"default": "Unless there is a neighbor in the backbone", "enable": "Also then, if all border routers of the area set the S-bit", "disable": "Never"}, "area")
	l.virtual(area)
	return l.list
}

func (l *lines) nssa(area string) {
	help := cli.Help{"nssa": "Not-so-stubby area: external routes only of its own routers", "no-redistribution": "Redistribute nothing into it", "no-summary": "Nor routes of other areas but a default route",
		"default-information-originate": "Tell a default route into it", "translate": "Translation into external routes for other areas", "type7": "Of type-7 LSAs", "always": "Translate whoever is elected",
		"suppress-fa": "Without forwarding address"}
	l.add(22, CmdAreaNSSA, area+"nssa [default-information-originate [metric metric:<0-16777214>] [metric-type type:{1|2}]] [no-redistribution] [no-summary]", help, "area")
	l.add(23, CmdAreaNSSA7, area+"nssa translate type7 {always [suppress-fa]|suppress-fa}", help, "area")
}

func (l *lines) virtual(area string) {
	help := cli.Help{"virtual-link": "Join a border router to the backbone through this area", "router": "Its router ID", "hello-interval": "Time between Hellos", "dead-interval": "Time without one after which it is dead",
		"retransmit-interval": "Time between retransmissions", "transmit-delay": "What is added to the age of LSAs", "hello": "Seconds", "dead": "Seconds", "retransmit": "Seconds", "delay": "Seconds"}
	const link = "virtual-link router:A.B.C.D"
	all := l.add(27, cmdVirtualNo, area+link, help)
	all.NoForm, all.Removes = cli.NoOnly, virtualLines
	l.add(27, CmdVirtual, area+link+" [authentication [{message-digest|null|key-chain chain:WORD(63)}]] [hello-interval hello:<1-8192>] [retransmit-interval retransmit:<1-8192>]"+
		" [transmit-delay delay:<1-8192>] [dead-interval dead:<1-8192>]", help, "area", "router")
	l.add(28, CmdVirtualPlain, area+link+" [authentication] authentication-key "+cli.SecretPart, with(cli.SecretHelp(), help), "area", "router")
	l.add(29, CmdVirtualMD5, area+link+" [authentication message-digest] message-digest-key key:<1-255> md5 "+cli.SecretPart, with(cli.SecretHelp(), help), "area", "router", "key")
}
