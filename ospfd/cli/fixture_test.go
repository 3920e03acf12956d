package cli_test

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// The reports of a hub that is border router of three areas, and of a process in a VRF that
// does not run.

var hub, red = core.Identity{Key: core.Key{Process: 1}, RouterID: id("172.31.0.1"), Dotted: []packet.ID{9}}, core.Identity{Key: core.Key{Process: 2, VRF: "RED"}}

func counters() core.Counters {
	c := core.Counters{Hello: core.PacketCounter{Sent: 100, Received: 90}, Description: core.PacketCounter{Sent: 7, Received: 6}, Request: core.PacketCounter{Sent: 2, Received: 3},
		Update: core.PacketCounter{Sent: 20, Received: 18}, Ack: core.PacketCounter{Sent: 11, Received: 12}, Retransmissions: 4}
	c.Dropped[core.DropHello], c.Dropped[core.DropChecksum] = 5, 1
	return c
}

func statusReport() *core.StatusReport {
	config := core.InstanceConfig{Key: hub.Key, RFC1583: true, ABR: core.ABRShortcut, LogAdjacency: true, Reference: 1000, MaximumPaths: 4, AdjacencyParallel: 64, PassiveDefault: true, Passive: []string{"Tunnel0"},
		Networks: []core.Network{{Addresses: wild("172.31.0.0", "0.0.0.255"), Area: 0}, {Addresses: wild("10.0.0.0", "0.255.255.255"), Area: 9}},
		Timers: core.Timers{SPF: core.Throttle{Start: 50 * time.Millisecond, Hold: 200 * time.Millisecond, Maximum: 5 * time.Second}, LSA: core.Throttle{Hold: 5 * time.Second, Maximum: 5 * time.Second},
			Arrival: time.Second, FloodPacing: 33 * time.Millisecond, RetransmissionPacing: 66 * time.Millisecond},
		Restart: core.Restart{Enabled: true, Interval: time.Minute, Strict: true}, MaxMetric: &core.MaxMetric{OnStartup: 5 * time.Minute, IncludeStub: true, Summary: 0xff0000, External: 7},
		Distance:         core.Distances{Intra: 110, Inter: 110, External: 150},
		Filters:          []core.Filter{{List: "10"}, {Prefix: true, List: "P", Interface: "Tunnel0"}, {Prefix: true, List: "O", Out: true, Protocol: rib.EIGRP, Instance: 100}},
		SummaryAddresses: []core.SummaryAddress{{Prefix: prefix("10.0.0.0/8"), Tag: 7}, {Prefix: prefix("172.16.0.0/12"), NotAdvertise: true, NSSAOnly: true}},
	}
	return &core.StatusReport{Instances: []core.InstanceStatus{{Identity: hub, Config: config, Uptime: 3*time.Hour + 25*time.Millisecond, AreaBorder: true, ASBoundary: true, StubRouter: true, StubLeft: 90 * time.Second,
		External: core.LSASummary{Count: 2, Checksum: 0x1a2e8}, Demand: core.DemandSummary{DoNotAge: 1}, Counters: counters(), LastRestart: "all adjacencies are back",
		SPF: core.SPFStatus{Runs: 12, Partial: 5, Pending: true, In: 150 * time.Millisecond, HoldTime: 400 * time.Millisecond, Last: []core.SPFRun{
			{Ago: 12 * time.Second, Full: true, Areas: []packet.ID{0, 9}, Reason: "R, N", Intra: 5, Inter: 3, Ext: 2, Changed: 1}, {Ago: 26 * time.Hour, Reason: "X", Intra: 5, Inter: 3, Ext: 1, Changed: 1}}},
		Redistribute: []core.RedistributeStatus{{Redistribute: core.Redistribute{Protocol: rib.Static, Classful: true}, Known: true, Routes: 3},
			{Redistribute: core.Redistribute{Protocol: rib.EIGRP, Instance: 100, Metric: ptr(uint32(20)), Type1: true, Tag: 9, RouteMap: "M", NSSAOnly: true}, Known: true, Routes: 5, Filtered: 1}},
		Summaries: []core.SummaryStatus{{SummaryAddress: core.SummaryAddress{Prefix: prefix("10.0.0.0/8"), Tag: 7}, Active: true, Metric: 20}},
		Areas: []core.AreaStatus{
			{Config: core.AreaConfig{ID: 0, Authentication: core.AuthenticationMD5}, Interfaces: 3, Loopbacks: 1, SPFRuns: 7, LastSPF: 12*time.Second + 456*time.Millisecond, LSAs: core.LSASummary{Count: 5, Checksum: 0x285ac},
				BorderCount: 1, ASBRCount: 2, Types: map[packet.LSType]core.LSASummary{packet.RouterLSA: {Count: 3, Checksum: 0x18000}, packet.SummaryLSA: {Count: 2, Checksum: 0x105ac}},
				Ranges: []core.RangeStatus{{Range: core.Range{Prefix: prefix("10.3.0.0/16")}, Active: true, Metric: 11}, {Range: core.Range{Prefix: prefix("10.5.0.0/16"), Substitute: prefix("192.168.0.0/16")}, Active: true, Metric: 3}, {Range: core.Range{Prefix: prefix("10.4.0.0/16"), NotAdvertise: true}},
					{Range: core.Range{Prefix: prefix("10.5.0.0/16"), Cost: ptr(uint32(5))}, Active: true, Metric: 5}}},
			{Config: core.AreaConfig{ID: 1, Kind: core.AreaStub, NoSummary: true, DefaultCost: 10, Authentication: core.AuthenticationSimple, FilterIn: "I", FilterOut: "O", ImportList: "10", ExportList: "E", Shortcut: core.ShortcutEnable}, Interfaces: 1, Transit: true, Shortcut: true, ShortcutBit: true},
			{Config: core.AreaConfig{ID: 9, Kind: core.AreaNSSA, NSSADefault: &core.DefaultOriginate{}, SuppressFA: true, NoRedistribution: true, Ranges: []core.Range{{Prefix: prefix("10.9.0.0/16"), NSSA: true}}},
				Translator: true, Elected: true, Opaque: core.LSASummary{Count: 1, Checksum: 0x1234}, Flood: 2, Demand: core.DemandSummary{DoNotAge: 4, DCClear: 3, Indication: 1}},
		}}, {Identity: red, Config: core.InstanceConfig{Key: red.Key, MaximumPaths: 16, Distance: core.Distances{Intra: 110, Inter: 110, External: 110}}}}}
}

func lsaHeader(t packet.LSType, id string, age uint16) packet.LSAHeader {
	h := packet.LSAHeader{Age: age, LSAKey: packet.LSAKey{Type: t, ID: packet.IDOf(addr(id)), Router: packet.IDOf(addr("172.31.0.1"))}, Sequence: packet.InitialSequence + 1, Checksum: 0x6572}
	return h
}

func neighborReport() *core.NeighborReport {
	return &core.NeighborReport{Instances: []core.InstanceNeighbors{{Identity: hub, Neighbors: []core.NeighborStatus{
		{RouterID: id("10.11.0.1"), Addr: addr("172.31.0.11"), Interface: "Tunnel0", State: fsm.NeighborFull, Options: packet.OptionE | packet.OptionO, Dead: 112 * time.Second, Uptime: 10 * time.Minute, Changes: 6,
			LastChange: 10 * time.Minute, Retransmission: 1, Retransmitted: 3, Reason: "Dead timer expired", Static: true, Offered: true, HelpEnded: "completed",
			Lists: &core.NeighborLists{Retransmission: []packet.LSAHeader{lsaHeader(packet.RouterLSA, "172.31.0.1", 1), lsaHeader(packet.ExternalLSA, "0.0.0.0", packet.DoNotAge|7)}, Due: 1148 * time.Millisecond}},
		{RouterID: id("10.12.0.1"), Addr: addr("172.31.0.12"), Interface: "Tunnel0", State: fsm.NeighborExchange, Options: packet.OptionE, Dead: 100 * time.Second, Changes: 3, LastChange: time.Second,
			Master: true, Sequence: 0x1234, Summary: 2, Request: 1, Static: true,
			Lists: &core.NeighborLists{Request: []packet.LSAHeader{lsaHeader(packet.RouterLSA, "10.12.0.1", 1800)}}},
		{RouterID: id("2.2.2.2"), Addr: addr("10.0.9.2"), Interface: "GigabitEthernet1", Area: 9, State: fsm.NeighborFull, Priority: 1, Elects: true, DR: addr("10.0.9.2"), BDR: addr("10.0.9.1"),
			Options: packet.OptionNP, Dead: 35 * time.Second, Uptime: 26 * time.Hour, Changes: 5, LastChange: 26 * time.Hour, Helping: true, HelpLeft: 50 * time.Second, RestartReason: 1},
		{RouterID: id("3.3.3.3"), Addr: addr("10.0.9.3"), Interface: "GigabitEthernet1", Area: 9, State: fsm.NeighborTwoWay, Priority: 0, Elects: true, DR: addr("10.0.9.2"), BDR: addr("10.0.9.1"), Dead: 800 * time.Millisecond, Changes: 2, LastChange: time.Minute},
		{RouterID: 0, Addr: addr("10.0.9.4"), Interface: "GigabitEthernet1", Area: 9, State: fsm.NeighborAttempt, Elects: true, Static: true, Changes: 1, LastChange: time.Minute},
	}}, {Identity: red}}}
}

func interfaceReport() *core.InterfaceReport {
	timers := func(hello, dead int) core.InterfaceConfig {
		return core.InterfaceConfig{Hello: time.Duration(hello) * time.Second, Dead: time.Duration(dead) * time.Second, Retransmit: 5 * time.Second, RetransmitWindow: 50 * time.Millisecond, TransmitDelay: time.Second}
	}
	tunnel, ethernet, fast, virtual := timers(30, 120), timers(10, 40), timers(0, 1), timers(10, 40)
	tunnel.RetransmitWindow = 100 * time.Millisecond
	tunnel.NeighborFilters = []core.NeighborFilter{{List: "SPOKES"}, {List: "OTHERS", Addr: addr("172.31.0.2")}}
	tunnel.Authentication, tunnel.MTUIgnore, tunnel.DelayReflood, tunnel.NoBroadcast = core.AuthenticationMD5, true, true, true
	ethernet.Authentication, ethernet.KeyChain, ethernet.NoSecondary = core.AuthenticationKeyChain, "K", true
	fast.HelloPerSecond, fast.Authentication, fast.DatabaseFilterOut, fast.FloodReduction = 4, core.AuthenticationSimple, true, true
	return &core.InterfaceReport{Instances: []core.InstanceInterfaces{{Identity: hub, Interfaces: []core.InterfaceStatus{
		{Name: "Tunnel0", Up: true, ByNetwork: true, Config: tunnel, Addr: prefix("172.31.0.1/24"), Type: fsm.PointToMultipoint, State: fsm.InterfacePointToPoint, Cost: 1000, MTU: 1400, Priority: 1, NextHello: 12 * time.Second,
			Neighbors: 2, Adjacent: 1, Adjacencies: []packet.ID{id("10.11.0.1")}, Flood: 1, Counters: counters(), AuthKeys: []uint32{2, 1}, Rollover: true, Mismatch: "hello interval 10, 30 configured from 172.31.0.13", MismatchAgo: 5 * time.Second},
		{Name: "GigabitEthernet1", Up: true, Area: 9, Config: ethernet, Addr: prefix("10.0.9.1/24"), Type: fsm.Broadcast, State: fsm.InterfaceBackup, Cost: 1, MTU: 1500, Priority: 1, DR: addr("10.0.9.2"), BDR: addr("10.0.9.1"),
			DRID: id("2.2.2.2"), BDRID: id("172.31.0.1"), NextHello: 3 * time.Second, Neighbors: 2, Adjacent: 1, Adjacencies: []packet.ID{id("2.2.2.2")}, Suppress: true, AuthKeys: []uint32{7000}},
		{Name: "GigabitEthernet2", Up: true, Area: 1, Config: fast, Addr: prefix("10.0.1.1/24"), Type: fsm.NonBroadcast, State: fsm.InterfaceWaiting, Cost: 1, Priority: 1, NextHello: 150 * time.Millisecond, Wait: 500 * time.Millisecond},
		{Name: "GigabitEthernet3", Area: 1, Config: timers(10, 40), Type: fsm.PointToPoint, Cost: 10, Passive: true},
		{Name: "Loopback0", Up: true, Addr: prefix("172.31.255.1/32"), Type: fsm.Broadcast, State: fsm.InterfaceLoopback, Cost: 1},
		{Name: "OSPF_VL0", Up: true, Virtual: id("4.4.4.4"), Transit: 9, Config: virtual, Type: fsm.VirtualLink, State: fsm.InterfacePointToPoint, Cost: 11, NextHello: 2 * time.Second, Neighbors: 1, Adjacent: 1, Adjacencies: []packet.ID{id("4.4.4.4")}},
		{Name: "OSPF_VL1", Virtual: id("5.5.5.5"), Transit: 9, Config: virtual, Type: fsm.VirtualLink},
	}}, {Identity: red}}}
}

func lsa(age uint16, options packet.Options, typ packet.LSType, lsid, router string, body []byte) packet.LSA {
	l, err := packet.NewLSA(packet.LSAHeader{Age: age, Options: options, LSAKey: packet.LSAKey{Type: typ, ID: id(lsid), Router: id(router)}, Sequence: packet.InitialSequence + 2}, body)
	if err != nil {
		panic(err)
	}
	return l
}

func databaseReport() *core.DatabaseReport {
	link := func(typ packet.LinkType, lid, data string, metric uint16) packet.RouterLink {
		return packet.RouterLink{ID: id(lid), Data: uint32(id(data)), Type: typ, Metric: metric}
	}
	router := packet.Router{Flags: packet.RouterB | packet.RouterE | packet.RouterV, Links: []packet.RouterLink{link(packet.LinkPointToPoint, "10.11.0.1", "172.31.0.1", 1000), link(packet.LinkStub, "172.31.0.1", "255.255.255.255", 0),
		link(packet.LinkTransit, "10.0.9.2", "10.0.9.1", 1), link(packet.LinkVirtual, "4.4.4.4", "10.0.9.1", 11)}}
	network := packet.Network{Mask: 0xffffff00, Routers: []packet.ID{id("2.2.2.2"), id("172.31.0.1")}}
	external := packet.External{Mask: 0xff000000, Type2: true, Metric: 20, Tag: 7}
	nssa := packet.External{Mask: 0xffff0000, Metric: 5, Forwarding: addr("10.0.9.2")}
	grace := packet.AppendTLVs(nil, []packet.TLV{{Type: 1, Value: []byte{0, 0, 0, 120}}, {Type: 2, Value: []byte{1}}, {Type: 3, Value: []byte{10, 0, 9, 2}}})
	info := packet.AppendTLVs(nil, []packet.TLV{{Type: 1, Value: []byte{0x70, 0, 0, 0}}})
	e, dc := packet.OptionE, packet.OptionDC
	broken := lsa(1, e, packet.RouterLSA, "6.6.6.6", "6.6.6.6", []byte{0, 0, 0, 9})
	return &core.DatabaseReport{Instances: []core.InstanceDatabase{{Identity: hub, Areas: []core.AreaDatabase{
		{Area: 0, LSAs: []packet.LSA{lsa(5|packet.DoNotAge, e|dc, packet.RouterLSA, "10.11.0.1", "10.11.0.1", packet.Router{}.Append(nil)), lsa(123, e|dc, packet.RouterLSA, "172.31.0.1", "172.31.0.1", router.Append(nil)), broken,
			lsa(400, e, packet.SummaryLSA, "10.3.0.0", "172.31.0.1", packet.Summary{Mask: 0xffff0000, Metric: 11}.Append(nil)), lsa(3600, e, packet.ASBRSummaryLSA, "3.3.3.3", "172.31.0.1", packet.Summary{Metric: 21}.Append(nil)),
			lsa(7, e, packet.OpaqueAreaLSA, "4.0.0.0", "10.11.0.1", info)}},
		{Area: 9, Kind: core.AreaNSSA, LSAs: []packet.LSA{lsa(44, 0, packet.NetworkLSA, "10.0.9.2", "2.2.2.2", network.Append(nil)), lsa(1800, packet.OptionNP, packet.NSSALSA, "10.7.0.0", "2.2.2.2", nssa.Append(nil))},
			Links: []core.LinkDatabase{{Interface: "GigabitEthernet1", LSAs: []packet.LSA{lsa(3, 0, packet.OpaqueLinkLSA, "3.0.0.0", "2.2.2.2", grace)}}}},
	}, AS: []packet.LSA{lsa(900, e, packet.ExternalLSA, "10.0.0.0", "172.31.0.1", external.Append(nil)), lsa(9, e, packet.OpaqueASLSA, "4.0.0.1", "10.11.0.1", info)}}, {Identity: red}}}
}

func routeReport() *core.RouteReport {
	via := func(a, name string) core.HopStatus {
		h := core.HopStatus{Interface: name}
		if a != "" {
			h.Addr = netip.MustParseAddr(a)
		}
		return h
	}
	one, two := via("172.31.0.11", "Tunnel0"), via("172.31.0.12", "Tunnel0")
	return &core.RouteReport{Instances: []core.InstanceRoutes{{Identity: hub,
		Routes: []core.RouteStatus{
			{Prefix: prefix("10.0.9.0/24"), Type: core.PathIntra, Area: 9, Cost: 1, Hops: []core.HopStatus{via("", "GigabitEthernet1")}, Why: "directly connected"},
			{Prefix: prefix("10.11.0.0/24"), Type: core.PathIntra, Cost: 1001, Hops: []core.HopStatus{one, two}, Installed: true},
			{Prefix: prefix("10.20.0.0/16"), Type: core.PathInter, Cost: 1011, Hops: []core.HopStatus{one}, Installed: true, Router: id("10.11.0.1")},
			{Prefix: prefix("10.30.0.0/16"), Type: core.PathExternal1, Cost: 1020, Tag: 3, Hops: []core.HopStatus{one}, Installed: true},
			{Prefix: prefix("10.40.0.0/16"), Type: core.PathExternal2, Cost: 1000, Type2: 20, Tag: 7, Hops: []core.HopStatus{two}, Why: "distribute-list"},
			{Prefix: prefix("10.40.7.0/24"), Type: core.PathExternal2, NSSA: true, Cost: 1, Type2: 5, Hops: []core.HopStatus{via("10.0.9.2", "GigabitEthernet1")}, Installed: true},
		},
		Routers: []core.BorderStatus{{Router: id("2.2.2.2"), Type: core.PathIntra, ASBoundary: true, Area: 9, Cost: 1, Hops: []core.HopStatus{via("10.0.9.2", "GigabitEthernet1")}, SPF: 7},
			{Router: id("10.11.0.1"), Type: core.PathIntra, AreaBorder: true, ASBoundary: true, Cost: 1000, Hops: []core.HopStatus{one}, SPF: 7}, {Router: id("3.3.3.3"), Type: core.PathInter, AreaBorder: true, Cost: 1005, Hops: []core.HopStatus{one, two}, SPF: 7}}},
		{Identity: red}}}
}
