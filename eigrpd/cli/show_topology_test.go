package cli_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// learnt is a path by a neighbour on Tunnel0.
func learnt(neighbor string, distance, reported uint64) core.TopologyPath {
	return core.TopologyPath{Neighbor: netip.MustParseAddr(neighbor), Interface: "Tunnel0", Distance: distance, Reported: reported, Feasible: true,
		Vector:       core.Vector{Bandwidth: 100, Delay: 50_010_000_000, Reliability: 255, Load: 1, MTU: 1400, Hops: 1},
		OriginRouter: 0xac1f000c}
}

// entries are what a classic table can have: metrics of the labs.
func entries() []core.TopologyEntry {
	first := learnt("172.31.0.12", 28160256, 26880256)
	first.Successor, first.Installed = true, true
	kept := learnt("172.31.0.1", 28160256, 26880256) // next hop not self: the hub tells, another router forwards
	kept.NextHop = netip.MustParseAddr("172.31.0.12")
	worse := learnt("172.31.0.13", 28672000, 28160256)
	worse.Feasible = false
	connected := core.TopologyPath{Source: core.OriginConnected, Interface: "GigabitEthernet2", Distance: 2816, Successor: true, Feasible: true,
		Vector: core.Vector{Bandwidth: 1_000_000, Delay: 10_000_000, Reliability: 255, Load: 1, MTU: 1500}, OriginRouter: 0xac1f0001}
	summary := connected
	summary.Source, summary.Interface = core.OriginSummary, "Null0"
	redistributed := core.TopologyPath{Source: core.OriginRedistributed, Protocol: rib.Static, Distance: 51200, Successor: true, Feasible: true, External: true, Tag: 12,
		Vector:       core.Vector{Bandwidth: 100_000, Delay: 1_000_000_000, Reliability: 255, Load: 1, MTU: 1500},
		OriginRouter: 0xac1f0001, ExternalData: packet.External{RouterID: 0xac1f0001, AS: 1, Tag: 12, Metric: 3, Protocol: packet.ProtocolStatic}}
	external := learnt("172.31.0.11", 28160256, 26880256)
	external.External, external.Tag = true, 4294967295
	external.ExternalData = packet.External{RouterID: 0xac1f000b, AS: 65000, Tag: 4294967295, Metric: 20, Protocol: packet.ProtocolBGP}
	lost := learnt("172.31.0.11", uint64(metric.ClassicInfinity), uint64(metric.ClassicInfinity))
	lost.Vector = core.Vector{Delay: metric.Unreachable, Reliability: 255, Load: 1, MTU: 1500}
	tagged := first
	tagged.Tag = 111
	list := []core.TopologyEntry{
		{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Successors: 1, Feasible: 51200, Tag: 12, Serial: 9, Paths: []core.TopologyPath{redistributed}},
		{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Successors: 1, Feasible: 2816, Serial: 2, Paths: []core.TopologyPath{summary}},
		{Prefix: netip.MustParsePrefix("10.10.0.0/24"), Successors: 1, Feasible: 2816, Serial: 1, Paths: []core.TopologyPath{connected}},
		{Prefix: netip.MustParsePrefix("10.12.0.0/24"), Successors: 1, Feasible: 28160256, Serial: 5, Paths: []core.TopologyPath{tagged, kept, worse}},
		{Prefix: netip.MustParsePrefix("10.13.0.0/24"), State: dual.Active1, Feasible: uint64(metric.ClassicInfinity), Serial: 7, ActiveFor: 159 * time.Second, SIAQueries: 1,
			Paths: []core.TopologyPath{lost}, Waiting: []core.WaitingNeighbor{{Addr: netip.MustParseAddr("172.31.0.11"), Interface: "Tunnel0"},
				{Addr: netip.MustParseAddr("172.31.0.11"), Interface: "Tunnel1"}, {Addr: netip.MustParseAddr("172.31.0.12"), Interface: "Tunnel0"}}},
		{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Successors: 1, Feasible: 28160256, Tag: 4294967295, Serial: 8, Paths: []core.TopologyPath{external}},
	}
	for i, s := range []dual.State{dual.Active0, dual.Active2, dual.Active3} {
		e := list[4]
		e.Prefix, e.State, e.SIAQueries, e.ActiveFor = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 14, byte(i), 0}), 24), s, 0, time.Duration(i)*time.Second
		e.Waiting, e.Serial = e.Waiting[:1], uint64(10+i)
		list = append(list, e)
	}
	return list
}

// topology has a table in classic mode, one with wide metrics in a VRF, and one of IPv6.
func topology() *core.TopologyReport {
	wide := learnt("172.31.0.1", 9830481920, 163840)
	wide.Successor, wide.Vector.Delay = true, 50_010_000_000
	inaccessible := learnt("172.31.0.1", metric.WideInfinity, metric.WideInfinity)
	connected := learnt("172.31.0.1", 0, 0)
	connected = core.TopologyPath{Source: core.OriginConnected, Interface: "Loopback0", Distance: 1310720, Successor: true, Vector: connected.Vector, OriginRouter: 0xac1f0001}
	local := wide
	local.Neighbor = netip.MustParseAddr("fe80::11")
	again := connected
	again.Source, again.Protocol, again.External = core.OriginRedistributed, rib.Connected, true
	other := again
	other.Protocol, other.NextHop = rib.OSPF, netip.MustParseAddr("2001:db8::9")
	return &core.TopologyReport{Instances: []core.InstanceTopology{
		{Identity: classic(), RIBScale: 128, Entries: entries(), Summary: core.TopologySummary{Routes: 9, Active: 4, PendingReplies: 6, Interfaces: 2, Neighbors: 3}},
		{Identity: named(), RIBScale: 128, Entries: []core.TopologyEntry{
			{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Successors: 1, Feasible: 9830481920, Serial: 3, Paths: []core.TopologyPath{wide}},
			{Prefix: netip.MustParsePrefix("10.12.0.0/24"), Feasible: metric.WideInfinity, Serial: 4, Paths: []core.TopologyPath{inaccessible}}},
			Summary: core.TopologySummary{Routes: 2, Interfaces: 1, Neighbors: 1}},
		{Identity: six(), RIBScale: 1, Entries: []core.TopologyEntry{
			{Prefix: netip.MustParsePrefix("2001:db8:10::/48"), Successors: 1, Feasible: 1310720, Serial: 1, Paths: []core.TopologyPath{connected, again, other}},
			{Prefix: netip.MustParsePrefix("2001:db8:11::/48"), Successors: 1, Feasible: 9830481920, Serial: 2, Paths: []core.TopologyPath{local}}}},
	}}
}

func TestShowTopology(t *testing.T) {
	golden(t, "topology", cli.ShowTopology(topology(), viewOf(t, "show ip eigrp topology")))
	golden(t, "topology_all_links", cli.ShowTopology(topology(), viewOf(t, "show ip eigrp topology all-links")))
	golden(t, "topology_summary", cli.ShowTopology(topology(), viewOf(t, "show ip eigrp topology summary")))
}

func TestShowEntry(t *testing.T) {
	for name, line := range map[string]string{
		"entry_learnt":        "show ip eigrp topology 10.12.0.0/24",
		"entry_connected":     "show ip eigrp topology 10.10.0.0 255.255.255.0",
		"entry_summary":       "show ip eigrp topology 10.0.0.0/8",
		"entry_redistributed": "show ip eigrp topology 0.0.0.0/0",
		"entry_external":      "show ip eigrp topology 198.51.100.0/24",
		"entry_active":        "show ip eigrp topology 10.13.0.0/24",
		"entry_ipv6":          "show ipv6 eigrp topology 2001:db8:10::/48",
		"entry_absent":        "show ip eigrp topology 10.99.0.0/24",
	} {
		golden(t, name, cli.ShowTopology(topology(), viewOf(t, line)))
	}
}

// TestShowOneEntry: a network is that network, an address the longest prefix that it is in.
func TestShowOneEntry(t *testing.T) {
	for line, want := range map[string]string{
		"show ip eigrp topology 10.12.0.0/24":               "10.12.0.0/24",
		"show ip eigrp topology 10.12.0.0 255.255.255.0":    "10.12.0.0/24",
		"show ip eigrp topology 10.12.0.0/23":               "",
		"show ip eigrp topology 10.12.0.77":                 "10.12.0.0/24",
		"show ip eigrp topology 10.12.1.77":                 "10.0.0.0/8",
		"show ip eigrp topology 192.0.2.1":                  "0.0.0.0/0",
		"show ip eigrp topology 198.51.100.1":               "198.51.100.0/24",
		"show ip eigrp topology 0.0.0.0 0.0.0.0":            "0.0.0.0/0",
		"show ip eigrp topology 10.12.0.77 255.255.255.255": "",
	} {
		r := topology()
		r.Instances = r.Instances[:1]
		var b bytes.Buffer
		if err := cli.ShowTopology(r, viewOf(t, line)).Write(&b, true); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Instances []struct{ Routes []struct{ Prefix string } }
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		switch routes := got.Instances[0].Routes; {
		case want == "" && len(routes) == 0:
		case len(routes) != 1 || routes[0].Prefix != want:
			t.Errorf("%q shows %v, want %q", line, routes, want)
		}
	}
}

// TestTopologyQuery: an entry in full has all of its paths; an address is looked up in
// the whole table.
func TestTopologyQuery(t *testing.T) {
	for line, want := range map[string]core.Query{
		"show ip eigrp topology":                {Kind: core.ReportTopology, Family: rib.IPv4},
		"show ip eigrp vrf * 9 topology active": {Kind: core.ReportTopology, Family: rib.IPv4, AllVRFs: true, AS: 9, Selected: core.SelectedActive},
		"show ip eigrp topology 10.1.2.0/24":    {Kind: core.ReportTopology, Family: rib.IPv4, Selected: core.SelectedAllLinks, Prefix: netip.MustParsePrefix("10.1.2.0/24")},
		"show ip eigrp topology 10.1.2.3":       {Kind: core.ReportTopology, Family: rib.IPv4, Selected: core.SelectedAllLinks},
		"show ipv6 eigrp topology 2001:db8::":   {Kind: core.ReportTopology, Family: rib.IPv6, Selected: core.SelectedAllLinks},
		"show ip eigrp vrf R topology 10.1.2.3 255.0.0.0": {Kind: core.ReportTopology, Family: rib.IPv4, VRF: "R", Selected: core.SelectedAllLinks,
			Prefix: netip.MustParsePrefix("10.0.0.0/8")},
	} {
		if got := viewOf(t, line).Query(core.ReportTopology); got != want {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}
