package cli

import "github.com/godmvpn/godmvpn/lib/cli"

// Weights of the interface lines: behind `ip tcp adjust-mss`, in the order of IOS.
const (
	weightIfAuth = 82 + iota
	weightIfKey
	weightIfNetwork
	weightIfTimers
	weightIfMore
	weightIfFlood
	weightIfArea
	weightIfCost
)

// interfaceCommands returns the lines `ip ospf …`.
func interfaceCommands() []cli.Command {
	l := &lines{mode: modeIf}
	l.add(weightIfAuth, CmdIfAuth, "ip ospf authentication [{message-digest|null|key-chain chain:WORD(63)}]", cli.Help{"authentication": "Authentication of packets; by password unless it says more"})
	l.add(weightIfAuth, CmdIfPlain, "ip ospf authentication-key "+cli.SecretPart, cli.SecretHelp())
	l.add(weightIfKey, CmdIfMD5, "ip ospf message-digest-key key:<1-255> md5 "+cli.SecretPart, cli.SecretHelp(), "key")
	l.add(weightIfNetwork, CmdIfNetwork, "ip ospf network {broadcast|non-broadcast|point-to-multipoint [non-broadcast] [delay-reflood]|point-to-point [dmvpn]}", cli.Help{
		"network": "Type of the network", "broadcast": "Broadcast, with a designated router", "non-broadcast": "No broadcast: neighbors are configured, or known to NHRP",
		"point-to-multipoint": "One router speaks with several", "delay-reflood": "Do not tell an LSA at once to the others of the network that it came from",
		"point-to-point": "One neighbor", "dmvpn": "This is a spoke, and its hub is point-to-multipoint"})
	l.add(weightIfTimers, CmdIfDead, "ip ospf dead-interval {seconds:<1-65535>|minimal hello-multiplier count:<3-20>}", cli.Help{"dead-interval": "Time without a Hello after which a neighbor is dead", "seconds": "Seconds",
		"minimal": "One second", "hello-multiplier": "Hellos in that second", "count": "Hellos"})
	l.add(weightIfTimers, CmdIfHello, "ip ospf hello-interval seconds:<1-65535>", cli.Help{"hello-interval": "Time between Hellos", "seconds": "Seconds"})
	l.add(weightIfMore, CmdIfRetransmit, "ip ospf retransmit-interval seconds:<1-65535>", cli.Help{"retransmit-interval": "Time between retransmissions", "seconds": "Seconds"}).Default = "ip ospf retransmit-interval 5"
	l.add(weightIfMore, CmdIfWindow, "ip ospf retransmit-window ms:<20-1000>", cli.Help{"retransmit-window": "LSAs that are to be retransmitted within this time go together", "ms": "Milliseconds"}).Default = "ip ospf retransmit-window 50"
	l.add(weightIfMore, CmdIfDelay, "ip ospf transmit-delay seconds:<1-65535>", cli.Help{"transmit-delay": "What is added to the age of LSAs", "seconds": "Seconds"}).Default = "ip ospf transmit-delay 1"
	l.add(weightIfMore, CmdIfPriority, "ip ospf priority priority:<0-255>", cli.Help{"priority": "Priority in the election of the designated router, 0 for never"}).Default = "ip ospf priority 1"
	l.add(weightIfFlood, CmdIfMTU, "ip ospf mtu-ignore", cli.Help{"mtu-ignore": "Be adjacent to neighbors with a larger MTU"})
	l.add(weightIfFlood, CmdIfFilter, "ip ospf database-filter all out", cli.Help{"database-filter": "Send no LSAs", "all": "None at all", "out": "By this interface"})
	l.add(weightIfFlood, CmdIfNeighbors, "ip ospf neighbor-filter list:WORD(63) [addr:A.B.C.D]", cli.Help{"neighbor-filter": "Take no packets of routers whose address a prefix-list denies", "list": "Name of the prefix-list",
		"addr": "While the interface has this address"}, "addr")
	l.add(weightIfFlood, CmdIfReduction, "ip ospf flood-reduction", cli.Help{"flood-reduction": "LSAs that go out here do not age, and are not sent again while nothing changes"})
	l.add(weightIfFlood, CmdIfSuppression, "ip ospf prefix-suppression [disable]", cli.Help{"prefix-suppression": "Tell nothing of the network of this interface", "disable": "Tell of it, whatever the process says"})
	l.add(weightIfFlood, CmdIfShutdown, "ip ospf shutdown", cli.Help{"shutdown": "Run no OSPF here"})
	l.add(weightIfArea, CmdIfArea, "ip ospf process:<1-65535> area "+areaArg+" [secondaries none]", cli.Help{"area": "Run OSPF here, in an area", "secondaries": "Secondary addresses", "none": "Tell nothing of their networks"})
	l.add(weightIfCost, CmdIfCost, "ip ospf cost cost:<1-65535>", cli.Help{"cost": "Cost of this interface, not by its bandwidth"})
	return l.list
}
