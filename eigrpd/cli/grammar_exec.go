package cli

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// IDs of exec commands. Each has the forms `show ip eigrp`, `show ipv6 eigrp` and
// `show eigrp address-family`, which About tells apart.
const (
	ExecNeighbors  = "eigrp.show-neighbors"  // arguments: "detail", "ifname"
	ExecTopology   = "eigrp.show-topology"   // arguments: see Entries
	ExecInterfaces = "eigrp.show-interfaces" // arguments: "detail", "ifname"
	ExecTraffic    = "eigrp.show-traffic"
	ExecTimers     = "eigrp.show-timers"
	ExecAccounting = "eigrp.show-accounting"
	ExecEvents     = "eigrp.show-events"

	ExecClearNeighbors = "eigrp.clear-neighbors" // arguments: "addr", "ifname", "soft"
	ExecClearCounters  = "eigrp.clear-counters"
)

// IDs of exec commands that are of no family.
const (
	ExecProtocols = "eigrp.show-protocols" // argument: "vrf"
	ExecUpgrade   = "eigrp.show-upgrade"   // arguments of Upgrade: "as", "name"
	ExecDowngrade = "eigrp.show-downgrade" // argument of Downgrade: "name"
)

// of is what stands behind `show … eigrp`.
const of = " [vrf vrf:WORD(15)] [as:<1-65535>] "

func execCommands() []cli.Command {
	about := cli.Help{"eigrp": "Enhanced Interior Gateway Routing Protocol", "address-family": "One address family", "ipv4": "IPv4", "ipv6": "IPv6",
		"vrf": "EIGRP in this VRF, or in all: *", "as": "One autonomous system"}
	var all []cli.Command
	each := func(mode, verb, id, words string, help cli.Help) {
		merged := cli.Help{}
		for _, h := range []cli.Help{about, help} {
			for word, text := range h { // unordered: into a map
				merged[word] = text
			}
		}
		for _, form := range []string{"family:{ip|ipv6} eigrp", "eigrp address-family family:{ipv4|ipv6}"} {
			all = append(all, cli.Command{ID: id, Mode: mode, Pattern: verb + " " + form + of + words, Help: merged})
		}
	}
	show := func(id, words string, help cli.Help) { each(cli.ModeExec, "show", id, words, help) }
	clear := func(id, words string, help cli.Help) { each(cli.ModeEnable, "clear", id, words, help) }
	show(ExecNeighbors, "neighbors [detail] [ifname:IFNAME]", cli.Help{"neighbors": "Neighbors", "detail": "In full", "ifname": "On one interface"})
	show(ExecTopology, "topology [{prefix:PREFIX|addr:ADDR [mask:MASK]|view:{all-links|active|pending|summary|zero-successors}}]",
		cli.Help{"topology": "Topology table: feasible paths", "prefix": "One network", "addr": "One network", "mask": "Network mask",
			"all-links": "All paths, also those that might loop", "active": "Routes that neighbors are asked for", "pending": "Routes that are about to be told",
			"summary": "How many there are", "zero-successors": "Routes without a feasible path"})
	show(ExecInterfaces, "interfaces [detail] [ifname:IFNAME]", cli.Help{"interfaces": "Interfaces that EIGRP runs on", "detail": "In full", "ifname": "One interface"})
	show(ExecTraffic, "traffic", cli.Help{"traffic": "Packets sent, received and dropped"})
	show(ExecTimers, "timers", cli.Help{"timers": "When what is due"})
	show(ExecAccounting, "accounting", cli.Help{"accounting": "Prefixes by neighbor and source, and their limits"})
	show(ExecEvents, "events", cli.Help{"events": "What happened last"})
	clear(ExecClearNeighbors, "neighbors [{addr:ADDR|ifname:IFNAME}] [soft]", cli.Help{"neighbors": "Neighbors", "addr": "One neighbor",
		"ifname": "Those on one interface", "soft": "Exchange the routes anew and keep the adjacency"})
	clear(ExecClearCounters, "counters", cli.Help{"counters": "Packet counters"})
	return append(all, plainCommands()...)
}

// plainCommands returns the commands that are of no family.
func plainCommands() []cli.Command {
	convert := cli.Help{"eigrp": "Enhanced Interior Gateway Routing Protocol", "upgrade-cli": "What turns a classic configuration into a named one",
		"downgrade-cli": "What turns a named configuration into a classic one", "as": "Autonomous system", "name": "Virtual instance name"}
	return []cli.Command{
		{ID: ExecProtocols, Mode: cli.ModeExec, Pattern: "show eigrp protocols [vrf vrf:WORD(15)]",
			Help: cli.Help{"protocols": "How EIGRP is configured and what it does", "vrf": "EIGRP in this VRF, or in all: *"}},
		{ID: ExecUpgrade, Mode: cli.ModeExec, Pattern: "show eigrp upgrade-cli as:<1-65535> name:WORD(32)", Help: convert},
		{ID: ExecDowngrade, Mode: cli.ModeExec, Pattern: "show eigrp downgrade-cli name:WORD(32)", Help: convert},
	}
}

// About returns a Query, but for its ID and Kind, for the instances that a command
// is about.
func About(a cli.Args) core.Query {
	q := core.Query{VRF: a.String("vrf"), AS: uint16(a.Uint("as"))}
	if q.VRF == "*" {
		q.VRF, q.AllVRFs = "", true
	}
	switch a.String("family") {
	case "ip", "ipv4":
		q.Family = rib.IPv4
	case "ipv6":
		q.Family = rib.IPv6
	}
	return q
}

// views are the words of Selected.
var views = map[string]core.Selected{"all-links": core.SelectedAllLinks, "active": core.SelectedActive, "pending": core.SelectedPending,
	"summary": core.SelectedSummary, "zero-successors": core.SelectedZero}

// Entries returns which entries of the topology table ExecTopology is about: one, if
// prefix is valid.
func Entries(a cli.Args) (prefix netip.Prefix, selected core.Selected) {
	if a.Has("prefix") {
		return a.Prefix("prefix").Masked(), core.SelectedFeasible
	}
	if p, ok := a.MaskedPrefix("addr", "mask"); ok {
		return p.Masked(), core.SelectedFeasible
	}
	return netip.Prefix{}, views[a.String("view")]
}

// Clearing returns the Clear that ExecClearNeighbors and ExecClearCounters ask for.
func Clearing(id string, a cli.Args) core.Clear {
	q := About(a)
	return core.Clear{Family: q.Family, VRF: q.VRF, AllVRFs: q.AllVRFs, AS: q.AS, Addr: a.Addr("addr"), Interface: a.String("ifname"),
		Soft: a.Has("soft"), Counters: id == ExecClearCounters}
}
