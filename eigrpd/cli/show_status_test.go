package cli_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// defaults is a configuration as it is reported if nothing else is configured.
func defaults(id core.Identity) core.InstanceConfig {
	return core.InstanceConfig{Key: id.Key, Name: id.Name, Weights: metric.DefaultWeights, MaximumHops: 100, RIBScale: 128, InternalDistance: 90, ExternalDistance: 170,
		MaximumPaths: 4, Variance: 1, ActiveTime: 3 * time.Minute, PurgeTime: 4 * time.Minute}
}

// status has an instance of which everything is to be said, one in named mode, and one
// of IPv6.
func status() *core.StatusReport {
	full := core.InstanceStatus{Identity: classic(), Config: defaults(classic()), Interfaces: []string{"GigabitEthernet2", "Tunnel0"}, Passive: []string{"GigabitEthernet2"},
		Neighbors: neighbors().Instances[0].Neighbors, Prefixes: 1234, Active: 1, Routes: 1200, Redistributed: 17, NextTimer: 234 * time.Millisecond}
	c := &full.Config
	c.Networks = []policy.Wildcard{{Addr: 0x0a0a0000, Bits: 0xff}, {Addr: 0x0a000000, Bits: 0xffffff}, {Addr: 0xac1f0001}, {Bits: 0xffffffff}, {Addr: 0x0a000001, Bits: 0xff00}, {Addr: 0xc0a80000, Bits: 0xffff}}
	c.Stub = &core.Stub{Connected: true, Summary: true, LeakMap: "LEAK"}
	c.Redistribute = []core.Redistribute{{Protocol: rib.Static}, {Protocol: rib.OSPF, Instance: 1, RouteMap: "M"}, {Protocol: rib.Static}}
	c.Filters = []core.Filter{{List: "10", Out: true}, {Kind: core.FilterPrefixList, List: "P", Out: true}, {Kind: core.FilterRouteMap, List: "R"},
		{Kind: core.FilterPrefixList, List: "DMZ", Gateway: "GW", Out: true, Interface: "Tunnel1"}, {Gateway: "GW", Interface: "Tunnel0"},
		{List: "11", Out: true, Protocol: rib.OSPF, Instance: 1}}
	c.Offsets = []core.OffsetList{{Offset: 500000}, {Out: true, List: "21", Offset: 3, Interface: "Tunnel0"}}
	c.Distances = []core.SourceDistance{{Distance: 95, Source: policy.Wildcard{Addr: 0xac1f000c}}, {Distance: 255, Source: policy.Wildcard{Addr: 0x0a000000, Bits: 0xffffff}, List: "NETS"}}
	c.DefaultIn, c.DefaultOut = core.DefaultInformation{Deny: true}, core.DefaultInformation{List: "D"}
	c.Interfaces = []core.InterfaceConfig{{Name: "Tunnel0", Summaries: []core.Summary{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}, {Prefix: netip.MustParsePrefix("172.16.0.0/12")}}},
		{Name: "Tunnel1", Summaries: []core.Summary{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}}}
	c.ActiveTime, c.NoNSF, c.Variance = 90*time.Second, true, 2
	full.Counters = core.Counters{Hello: core.PacketCounter{Sent: 523, Received: 519}, Update: core.PacketCounter{Sent: 14, Received: 12}, Query: core.PacketCounter{Sent: 2, Received: 1},
		Reply: core.PacketCounter{Sent: 1, Received: 2}, Ack: core.PacketCounter{Sent: 13, Received: 11}, SIAQuery: core.PacketCounter{Sent: 4, Received: 3}, SIAReply: core.PacketCounter{Sent: 3, Received: 4}}
	full.Counters.Dropped[core.DropKValues] = 7
	full.Counters.Dropped[core.DropRouterID] = 1
	full.Restarts, full.RestartIn, full.Down = 2, 114*time.Second, true
	full.Penalties = []core.Penalty{{Addr: netip.MustParseAddr("172.31.0.21"), Interface: "Tunnel0", Restarts: 2, RestartIn: 114 * time.Second},
		{Addr: netip.MustParseAddr("172.31.0.22"), Interface: "Tunnel0", Restarts: 3}}
	red := core.InstanceStatus{Identity: named(), Config: defaults(named())}
	red.Config.ActiveTime, red.Config.Shutdown, red.Config.Stub = -1, true, &core.Stub{ReceiveOnly: true}
	v6 := core.InstanceStatus{Identity: six(), Config: defaults(six()), Interfaces: []string{"Loopback0", "Tunnel0"}, Passive: []string{"Loopback0"}, Down: true, Restarts: 3}
	none := core.InstanceStatus{Identity: core.Identity{Key: core.Key{Family: rib.IPv6, VRF: "BLUE", AS: 7}}, Down: true} // without a router ID
	none.Config = defaults(none.Identity)
	none.Config.Redistribute = []core.Redistribute{{Protocol: rib.BGP, Instance: 65000}, {Protocol: rib.Connected}}
	return &core.StatusReport{Instances: []core.InstanceStatus{full, red, v6, none}}
}

func TestShowTraffic(t *testing.T) {
	golden(t, "traffic", cli.ShowTraffic(status(), cli.Process{ID: 7, QueueLimit: 16384, QueueHighest: 37, QueueDrops: 5, SocketDrops: 12}, viewOf(t, "show ip eigrp traffic")))
}

// TestTrafficNamesEveryDrop counts one packet for each reason.
func TestTrafficNamesEveryDrop(t *testing.T) {
	for _, r := range core.DropReasons() {
		in := core.InstanceStatus{Identity: classic()}
		in.Counters.Dropped[r] = 3
		lines := printed(t, cli.ShowTraffic(&core.StatusReport{Instances: []core.InstanceStatus{in}}, cli.Process{}, cli.View{}))
		if got, want := lines[len(lines)-1], "  Dropped:        3 "+r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if strings.Count(strings.Join(lines, "\n"), "Dropped") != 1 {
			t.Errorf("more is dropped: %q", lines)
		}
	}
}

func TestShowAccounting(t *testing.T) {
	golden(t, "accounting", cli.ShowAccounting(status(), viewOf(t, "show ip eigrp accounting")))
}

func TestShowProtocols(t *testing.T) {
	golden(t, "protocols", cli.ShowEIGRPProtocols(status(), viewOf(t, "show eigrp protocols")))
	golden(t, "ip_protocols", cli.ShowProtocols(status()))
	golden(t, "ip_protocols_none", cli.ShowProtocols(&core.StatusReport{}))
}
