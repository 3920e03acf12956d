package cli

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// IDs of exec commands. Those that show have the argument "process", see About.
const (
	ExecStatus     = "ospf.show"
	ExecNeighbor   = "ospf.show-neighbor"
	ExecRequest    = "ospf.show-request-list"
	ExecRetransmit = "ospf.show-retransmission-list"
	ExecInterface  = "ospf.show-interface"
	ExecDatabase   = "ospf.show-database"
	ExecBorder     = "ospf.show-border-routers"
	ExecRoute      = "ospf.show-route"
	ExecRIB        = "ospf.show-rib"
	ExecStatistics = "ospf.show-statistics"
	ExecTraffic    = "ospf.show-traffic"
	ExecVirtual    = "ospf.show-virtual-links"
	ExecSummary    = "ospf.show-summary-address"
	ExecMaxMetric  = "ospf.show-max-metric"
	ExecNSF        = "ospf.show-nsf"

	ExecClearProcess        = "ospf.clear-process"
	ExecClearNeighbor       = "ospf.clear-neighbor"
	ExecClearCounters       = "ospf.clear-counters"
	ExecClearRedistribution = "ospf.clear-redistribution"
	ExecClearSPF            = "ospf.clear-force-spf"
)

func execCommands() []cli.Command {
	var all []cli.Command
	about := cli.Help{"process": "One process", "ifname": "One interface", "router": "Router ID", "detail": "In full"}
	show := func(id, words string, help cli.Help) {
		all = append(all, cli.Command{ID: id, Mode: cli.ModeExec, Pattern: "show ip ospf [process:<1-65535>]" + words, Help: with(about, help)})
	}
	clear := func(id, words string, help cli.Help) {
		all = append(all, cli.Command{ID: id, Mode: cli.ModeEnable, Pattern: "clear ip ospf [process:<1-65535>]" + words, Help: with(about, help)})
	}
	show(ExecStatus, "", nil)
	show(ExecNeighbor, " neighbor [{ifname:IFNAME|router:A.B.C.D}] [detail]", cli.Help{"neighbor": "Neighbors"})
	show(ExecRequest, " request-list [{ifname:IFNAME|router:A.B.C.D}]", cli.Help{"request-list": "LSAs that neighbors are asked for"})
	show(ExecRetransmit, " retransmission-list [{ifname:IFNAME|router:A.B.C.D}]", cli.Help{"retransmission-list": "LSAs that neighbors did not acknowledge yet"})
	show(ExecInterface, " interface [ifname:IFNAME] [brief]", cli.Help{"interface": "Interfaces that OSPF runs on", "brief": "One line each"})
	all = append(all, databaseCommands(about)...)
	show(ExecBorder, " border-routers", cli.Help{"border-routers": "Area border routers and AS boundary routers"})
	show(ExecRoute, " route [{prefix:PREFIX4|addr:A.B.C.D [mask:MASK]}]", cli.Help{"route": "Routes, by type", "prefix": "One network", "addr": "One network, or the one of an address", "mask": "Network mask"})
	show(ExecRIB, " rib [{prefix:PREFIX4|addr:A.B.C.D [mask:MASK]}]", cli.Help{"rib": "Routes, and what became of them", "prefix": "One network", "addr": "One network, or the one of an address", "mask": "Network mask"})
	show(ExecStatistics, " statistics", cli.Help{"statistics": "Computations of routes"})
	show(ExecTraffic, " traffic [ifname:IFNAME]", cli.Help{"traffic": "Packets sent, received and dropped"})
	show(ExecVirtual, " virtual-links", cli.Help{"virtual-links": "Virtual links"})
	show(ExecSummary, " summary-address", cli.Help{"summary-address": "Summaries of external routes"})
	show(ExecMaxMetric, " max-metric", cli.Help{"max-metric": "Whether links are told with the largest metric"})
	show(ExecNSF, " nsf", cli.Help{"nsf": "Graceful restart"})
	clear(ExecClearProcess, " process", cli.Help{"process": "Begin anew, with all adjacencies"})
	clear(ExecClearNeighbor, " neighbor [{ifname:IFNAME|router:A.B.C.D}]", cli.Help{"neighbor": "Adjacencies"})
	clear(ExecClearCounters, " counters [ifname:IFNAME]", cli.Help{"counters": "Counters of packets and neighbors"})
	clear(ExecClearRedistribution, " redistribution", cli.Help{"redistribution": "External LSAs are made anew"})
	clear(ExecClearSPF, " force-spf", cli.Help{"force-spf": "Compute all routes"})
	return all
}

// databaseTypes are the words of `show ip ospf database`, in the order of the types.
var databaseTypes = map[string]packet.LSType{"router": packet.RouterLSA, "network": packet.NetworkLSA, "summary": packet.SummaryLSA, "asbr-summary": packet.ASBRSummaryLSA,
	"external": packet.ExternalLSA, "nssa-external": packet.NSSALSA, "opaque-link": packet.OpaqueLinkLSA, "opaque-area": packet.OpaqueAreaLSA, "opaque-as": packet.OpaqueASLSA}

func databaseCommands(about cli.Help) []cli.Command {
	help := with(about, cli.Help{"database": "Link state database", "area": "Of one area", "type": "LSAs of one type", "router": "Router LSAs", "network": "Network LSAs", "summary": "Summary LSAs of networks",
		"asbr-summary": "Summary LSAs of AS boundary routers", "external": "AS external LSAs", "nssa-external": "Type-7 LSAs", "opaque-link": "Opaque LSAs of a link", "opaque-area": "Opaque LSAs of an area",
		"opaque-as": "Opaque LSAs of the AS", "lsid": "Link State ID", "self-originate": "Of this router", "adv-router": "Of one router", "adv": "Its router ID", "database-summary": "How many there are"})
	const of = "show ip ospf [process:<1-65535> [" + areaArg + "]] database"
	const by = " [{self-originate|adv-router adv:A.B.C.D}]"
	return []cli.Command{
		{ID: ExecDatabase, Mode: cli.ModeExec, Pattern: of + by, Help: help},
		{ID: ExecDatabase, Mode: cli.ModeExec, Pattern: of + " view:{database-summary}", Help: help},
		{ID: ExecDatabase, Mode: cli.ModeExec, Pattern: of + " type:{router|network|summary|asbr-summary|external|nssa-external|opaque-link|opaque-area|opaque-as} [lsid:A.B.C.D]" + by, Help: help},
	}
}

// queries are the reports that commands show.
var queries = map[string]core.ReportKind{ExecStatus: core.ReportStatus, ExecNeighbor: core.ReportNeighbors, ExecRequest: core.ReportNeighbors, ExecRetransmit: core.ReportNeighbors, ExecInterface: core.ReportInterfaces, ExecDatabase: core.ReportDatabase,
	ExecBorder: core.ReportRoutes, ExecRoute: core.ReportRoutes, ExecRIB: core.ReportRoutes, ExecStatistics: core.ReportStatus, ExecTraffic: core.ReportInterfaces,
	ExecVirtual: core.ReportInterfaces, ExecSummary: core.ReportStatus, ExecMaxMetric: core.ReportStatus, ExecNSF: core.ReportStatus, cli.ShowProtocols: core.ReportStatus}

// About returns the Query that a command needs answered, but for its ID; ok is false if
// the command shows no report.
func About(id string, a cli.Args) (q core.Query, ok bool) {
	q.Kind, ok = queries[id]
	q.Process = uint16(a.Uint("process"))
	q.Lists = id == ExecRequest || id == ExecRetransmit
	if id == ExecTraffic && !a.Has("ifname") {
		q.Kind = core.ReportStatus
	}
	if id == ExecDatabase {
		f := &q.Database
		f.Type, f.Self = databaseTypes[a.String("type")], a.Has("self-originate")
		id := func(name string) *packet.ID {
			if !a.Has(name) {
				return nil
			}
			v := areaID(a, name)
			return &v
		}
		f.LinkState, f.Advertising, f.Area = id("lsid"), id("adv"), id("area")
	}
	return q, ok
}

// clears are what the commands that clear ask for.
var clears = map[string]core.ClearKind{ExecClearProcess: core.ClearProcess, ExecClearNeighbor: core.ClearNeighbors, ExecClearCounters: core.ClearCounters,
	ExecClearRedistribution: core.ClearRedistribution, ExecClearSPF: core.ClearSPF}

// Clearing returns the Clear that a command asks for; ok is false if it is none of them.
func Clearing(id string, a cli.Args) (c core.Clear, ok bool) {
	c.Kind, ok = clears[id]
	c.Process, c.Interface = uint16(a.Uint("process")), a.String("ifname")
	c.Neighbor = packet.IDOf(a.Addr("router"))
	return c, ok
}

// selected returns the routes that `route` and `rib` are asked for: all; the one of a
// network; or the most specific that has an address.
func selected(routes []core.RouteStatus, a cli.Args) []core.RouteStatus {
	p, one := a.Prefix("prefix"), a.Has("prefix")
	if a.Has("mask") {
		p, one = a.MaskedPrefix("addr", "mask")
	}
	switch {
	case one:
		return slices.DeleteFunc(slices.Clone(routes), func(r core.RouteStatus) bool { return r.Prefix != p.Masked() })
	case a.Has("addr"):
		var best netip.Prefix
		for _, r := range routes {
			if r.Prefix.Contains(a.Addr("addr")) && (!best.IsValid() || r.Prefix.Bits() > best.Bits()) {
				best = r.Prefix
			}
		}
		return slices.DeleteFunc(slices.Clone(routes), func(r core.RouteStatus) bool { return r.Prefix != best })
	}
	return routes
}
