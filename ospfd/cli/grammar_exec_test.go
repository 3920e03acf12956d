package cli_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// TestExec parses commands and checks the canonical text, and what they ask for.
func TestExec(t *testing.T) {
	g := grammar(t)
	query := func(kind core.ReportKind, process uint16) core.Query { return core.Query{Kind: kind, Process: process} }
	database := func(process uint16, f core.DatabaseFilter) core.Query {
		return core.Query{Kind: core.ReportDatabase, Process: process, Database: f}
	}
	for _, tc := range []struct {
		in, want, id string
		query        core.Query
	}{
		{"sh ip ospf", "show ip ospf", cli.ExecStatus, query(core.ReportStatus, 0)},
		{"show ip ospf 1", "show ip ospf 1", cli.ExecStatus, query(core.ReportStatus, 1)},
		{"sh ip os nei", "show ip ospf neighbor", cli.ExecNeighbor, query(core.ReportNeighbors, 0)},
		{"show ip ospf 1 neighbor tu0 det", "show ip ospf 1 neighbor Tunnel0 detail", cli.ExecNeighbor, query(core.ReportNeighbors, 1)},
		{"show ip ospf neighbor 1.1.1.1", "show ip ospf neighbor 1.1.1.1", cli.ExecNeighbor, query(core.ReportNeighbors, 0)},
		{"show ip ospf neighbor detail", "show ip ospf neighbor detail", cli.ExecNeighbor, query(core.ReportNeighbors, 0)},
		{"sh ip ospf req", "show ip ospf request-list", cli.ExecRequest, core.Query{Kind: core.ReportNeighbors, Lists: true}},
		{"sh ip ospf 1 ret 1.1.1.1", "show ip ospf 1 retransmission-list 1.1.1.1", cli.ExecRetransmit, core.Query{Kind: core.ReportNeighbors, Process: 1, Lists: true}},
		{"sh ip ospf int br", "show ip ospf interface brief", cli.ExecInterface, query(core.ReportInterfaces, 0)},
		{"show ip ospf interface tu0", "show ip ospf interface Tunnel0", cli.ExecInterface, query(core.ReportInterfaces, 0)},
		{"show ip ospf database", "show ip ospf database", cli.ExecDatabase, database(0, core.DatabaseFilter{})},
		{"show ip ospf 1 0 database", "show ip ospf 1 0 database", cli.ExecDatabase, database(1, core.DatabaseFilter{Area: ptr(packet.ID(0))})},
		{"show ip ospf 1 0.0.0.1 database router", "show ip ospf 1 0.0.0.1 database router", cli.ExecDatabase, database(1, core.DatabaseFilter{Area: ptr(packet.ID(1)), Type: packet.RouterLSA})},
		{"show ip ospf database router 1.1.1.1", "show ip ospf database router 1.1.1.1", cli.ExecDatabase, database(0, core.DatabaseFilter{Type: packet.RouterLSA, LinkState: ptr(id("1.1.1.1"))})},
		{"show ip ospf database external 0.0.0.0 adv 1.1.1.1", "show ip ospf database external 0.0.0.0 adv-router 1.1.1.1", cli.ExecDatabase,
			database(0, core.DatabaseFilter{Type: packet.ExternalLSA, LinkState: ptr(packet.ID(0)), Advertising: ptr(id("1.1.1.1"))})},
		{"show ip ospf database nssa self", "show ip ospf database nssa-external self-originate", cli.ExecDatabase, database(0, core.DatabaseFilter{Type: packet.NSSALSA, Self: true})},
		{"show ip ospf database summary", "show ip ospf database summary", cli.ExecDatabase, database(0, core.DatabaseFilter{Type: packet.SummaryLSA})},
		{"show ip ospf database network", "show ip ospf database network", cli.ExecDatabase, database(0, core.DatabaseFilter{Type: packet.NetworkLSA})},
		{"show ip ospf database asbr", "show ip ospf database asbr-summary", cli.ExecDatabase, database(0, core.DatabaseFilter{Type: packet.ASBRSummaryLSA})},
		{"show ip ospf database opaque-link", "show ip ospf database opaque-link", cli.ExecDatabase, database(0, core.DatabaseFilter{Type: packet.OpaqueLinkLSA})},
		{"show ip ospf database opaque-area", "show ip ospf database opaque-area", cli.ExecDatabase, database(0, core.DatabaseFilter{Type: packet.OpaqueAreaLSA})},
		{"show ip ospf database opaque-as", "show ip ospf database opaque-as", cli.ExecDatabase, database(0, core.DatabaseFilter{Type: packet.OpaqueASLSA})},
		{"show ip ospf database database", "show ip ospf database database-summary", cli.ExecDatabase, database(0, core.DatabaseFilter{})},
		{"show ip ospf database self-originate", "show ip ospf database self-originate", cli.ExecDatabase, database(0, core.DatabaseFilter{Self: true})},
		{"show ip ospf database adv-router 1.1.1.1", "show ip ospf database adv-router 1.1.1.1", cli.ExecDatabase, database(0, core.DatabaseFilter{Advertising: ptr(id("1.1.1.1"))})},
		{"show ip ospf border", "show ip ospf border-routers", cli.ExecBorder, query(core.ReportRoutes, 0)},
		{"show ip ospf route", "show ip ospf route", cli.ExecRoute, query(core.ReportRoutes, 0)},
		{"show ip ospf rib 10.0.0.0 255.0.0.0", "show ip ospf rib 10.0.0.0 255.0.0.0", cli.ExecRIB, query(core.ReportRoutes, 0)},
		{"show ip ospf stat", "show ip ospf statistics", cli.ExecStatistics, query(core.ReportStatus, 0)},
		{"show ip ospf traffic", "show ip ospf traffic", cli.ExecTraffic, query(core.ReportStatus, 0)},
		{"show ip ospf traffic tu0", "show ip ospf traffic Tunnel0", cli.ExecTraffic, query(core.ReportInterfaces, 0)},
		{"show ip ospf virtual", "show ip ospf virtual-links", cli.ExecVirtual, query(core.ReportInterfaces, 0)},
		{"show ip ospf summary", "show ip ospf summary-address", cli.ExecSummary, query(core.ReportStatus, 0)},
		{"show ip ospf max", "show ip ospf max-metric", cli.ExecMaxMetric, query(core.ReportStatus, 0)},
		{"show ip ospf nsf", "show ip ospf nsf", cli.ExecNSF, query(core.ReportStatus, 0)},
		{"show ip protocols", "show ip protocols", libcli.ShowProtocols, query(core.ReportStatus, 0)},
	} {
		m, err := g.Parse([]string{"enable"}, tc.in)
		if err != nil {
			t.Errorf("%q:\n%s", tc.in, err.Report())
			continue
		}
		got, ok := cli.About(m.Command.ID, m.Args)
		if diff := cmp.Diff(tc.query, got); m.Canonical != tc.want || m.Command.ID != tc.id || !ok || diff != "" {
			t.Errorf("%q: %q (%s), want %q (%s) %s", tc.in, m.Canonical, m.Command.ID, tc.want, tc.id, diff)
		}
	}
}

// TestClearing reads what is to be cleared.
func TestClearing(t *testing.T) {
	g := grammar(t)
	for line, want := range map[string]core.Clear{
		"clear ip ospf process":             {Kind: core.ClearProcess},
		"clear ip ospf 7 process":           {Kind: core.ClearProcess, Process: 7},
		"clear ip ospf neighbor":            {Kind: core.ClearNeighbors},
		"clear ip ospf neighbor 1.1.1.1":    {Kind: core.ClearNeighbors, Neighbor: id("1.1.1.1")},
		"clear ip ospf 1 neighbor tu0":      {Kind: core.ClearNeighbors, Process: 1, Interface: "Tunnel0"},
		"clear ip ospf counters tu0":        {Kind: core.ClearCounters, Interface: "Tunnel0"},
		"clear ip ospf 1 redistribution":    {Kind: core.ClearRedistribution, Process: 1},
		"clear ip ospf force-spf":           {Kind: core.ClearSPF},
		"clear ip ospf 1 counters":          {Kind: core.ClearCounters, Process: 1},
		"clear ip ospf 65535 redistributio": {Kind: core.ClearRedistribution, Process: 65535},
	} {
		m, err := g.Parse([]string{"enable"}, line)
		if err != nil {
			t.Errorf("%q:\n%s", line, err.Report())
			continue
		}
		if got, ok := cli.Clearing(m.Command.ID, m.Args); got != want || !ok {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
		if _, ok := cli.About(m.Command.ID, m.Args); ok {
			t.Errorf("%q: shows something", line)
		}
	}
}

// TestDebug knows a command for each facility.
func TestDebug(t *testing.T) {
	for _, f := range cli.Facilities.List {
		for _, line := range []string{"debug " + f.Words, "no debug " + f.Words, "undebug " + f.Words} {
			if _, err := grammar(t).Parse([]string{"enable"}, line); err != nil {
				t.Errorf("%q:\n%s", line, err.Report())
			}
		}
	}
}
