package cli_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files in testdata")

// golden compares both forms of an output with testdata/NAME.txt and NAME.json.
func golden(t *testing.T, name string, o libcli.Output) {
	t.Helper()
	for ext, asJSON := range map[string]bool{".txt": false, ".json": true} {
		var got bytes.Buffer
		if err := o.Write(&got, asJSON); err != nil {
			t.Fatal(err)
		}
		if asJSON && !json.Valid(got.Bytes()) {
			t.Errorf("%s is no JSON", name)
		}
		file := filepath.Join("testdata", name+ext)
		if *rewrite {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// TestKeysAreCamelCase reads all keys of the golden JSON files.
func TestKeysAreCamelCase(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	key := regexp.MustCompile(`"([^"]*)":`)
	camel := regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.FindAllSubmatch(b, -1) {
			if !camel.Match(m[1]) {
				t.Errorf("%s: key %q", file, m[1])
			}
		}
	}
}

// viewOf is the view of an exec line.
func viewOf(t *testing.T, line string) cli.View {
	t.Helper()
	m, err := grammar(t).Parse([]string{"enable"}, line)
	if err != nil {
		t.Fatal(err.Report())
	}
	return cli.ViewOf(m.Args)
}

// printed is an output for people, line by line.
func printed(t *testing.T, o libcli.Output) []string {
	t.Helper()
	var b bytes.Buffer
	if err := o.Write(&b, false); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// classic is an instance in classic mode, named one in named mode in a VRF, six one of
// IPv6.
func classic() core.Identity {
	return core.Identity{Key: core.Key{Family: rib.IPv4, AS: 100}, RouterID: netip.MustParseAddr("172.31.0.1")}
}

func named() core.Identity {
	return core.Identity{Key: core.Key{Family: rib.IPv4, VRF: "RED", AS: 100}, Name: "DMVPN", RouterID: netip.MustParseAddr("172.31.0.1"), Wide: true}
}

func six() core.Identity {
	return core.Identity{Key: core.Key{Family: rib.IPv6, AS: 6}, Name: "DMVPN", RouterID: netip.MustParseAddr("172.31.0.1"), Wide: true}
}

// spoke is the neighbour of reference section 4.6.
func spoke() core.NeighborStatus {
	return core.NeighborStatus{Handle: 1, Addr: netip.MustParseAddr("172.31.0.12"), Interface: "Tunnel0", Hold: 13*time.Second + 400*time.Millisecond,
		HoldTime: 15 * time.Second, Uptime: 4 * time.Second, LastUpdate: 3 * time.Second, Software: packet.Software{OSMajor: 25, TLVMajor: 2}, Prefixes: 1,
		Transport: core.PeerTransport{SRTT: 10300 * time.Microsecond, RTO: 1440 * time.Millisecond, Sequence: 6, Retransmissions: 1}}
}

// neighbors has a neighbour of each kind.
func neighbors() *core.NeighborReport {
	hub := spoke()
	stub := core.NeighborStatus{Handle: 0, Addr: netip.MustParseAddr("172.31.0.11"), Interface: "Tunnel0", Hold: 11 * time.Second, HoldTime: 15 * time.Second,
		Uptime: 26 * time.Hour, LastUpdate: 90 * time.Minute, Software: packet.Software{OSMajor: 12, OSMinor: 4, TLVMajor: 1, TLVMinor: 2},
		Prefixes: 2, IsStub: true, Stub: packet.StubConnected | packet.StubSummary,
		Transport: core.PeerTransport{SRTT: 1604 * time.Millisecond, RTO: 5 * time.Second, Sequence: 4294967295}}
	oneWay := core.NeighborStatus{Handle: 2, Addr: netip.MustParseAddr("172.31.0.13"), Interface: "Tunnel0", Pending: true, Hold: 14 * time.Second,
		HoldTime: 15 * time.Second, Uptime: 42 * time.Second, Transport: core.PeerTransport{RTO: 5 * time.Second, Queue: 1, Retransmissions: 9, Retries: 9}}
	half := core.NeighborStatus{Handle: 3, Addr: netip.MustParseAddr("172.31.0.14"), Interface: "Tunnel1", Pending: true, Hold: 14 * time.Second,
		HoldTime: 15 * time.Second, Uptime: 2 * time.Second, Static: true, Transport: core.PeerTransport{RTO: 3 * time.Second, Queue: 2, Sequence: 3}}
	receiver := core.NeighborStatus{Handle: 4, Addr: netip.MustParseAddr("10.10.0.2"), Interface: "GigabitEthernet2", Hold: 14 * time.Second, HoldTime: 15 * time.Second,
		Uptime: 3 * time.Second, Software: packet.Software{OSMajor: 25, TLVMajor: 2}, IsStub: true, Stub: packet.StubReceiveOnly, Restarting: true, RestartTime: 2 * time.Second}
	far := core.NeighborStatus{Handle: 1234, Addr: netip.MustParseAddr("198.51.100.77"), Interface: "Loopback0", Remote: true, Static: true, Hold: 44 * time.Second,
		HoldTime: time.Minute, Uptime: 400 * 24 * time.Hour, Software: packet.Software{OSMajor: 25, TLVMajor: 2}, Prefixes: 77}
	listened := far
	listened.Handle, listened.Static, listened.Addr = 5, false, netip.MustParseAddr("198.51.100.78")
	local := spoke()
	local.Addr = netip.MustParseAddr("fe80::1234:5678:9abc:def0")
	return &core.NeighborReport{Instances: []core.InstanceNeighbors{
		{Identity: classic(), Neighbors: []core.NeighborStatus{stub, hub, oneWay, half, receiver}},
		{Identity: named(), MaxRemote: 10, Neighbors: []core.NeighborStatus{far, listened}},
		{Identity: six(), Neighbors: []core.NeighborStatus{local}},
		{Identity: core.Identity{Key: core.Key{Family: rib.IPv6, AS: 7, VRF: "BLUE"}}},
	}}
}

func TestShowNeighbors(t *testing.T) {
	golden(t, "neighbors", cli.ShowNeighbors(neighbors(), viewOf(t, "show ip eigrp neighbors")))
	golden(t, "neighbors_detail", cli.ShowNeighbors(neighbors(), viewOf(t, "show ip eigrp neighbors detail")))
	golden(t, "neighbors_interface", cli.ShowNeighbors(neighbors(), viewOf(t, "show ip eigrp neighbors gi2")))
}

// TestShowNothing says that there is no EIGRP, and of what.
func TestShowNothing(t *testing.T) {
	for line, want := range map[string]string{
		"show ip eigrp neighbors":               "% EIGRP is not configured",
		"show ip eigrp 7 neighbors":             "% EIGRP is not configured for AS 7",
		"show ip eigrp vrf RED traffic":         "% EIGRP is not configured in VRF RED",
		"show ipv6 eigrp vrf RED 100 neighbors": "% EIGRP is not configured for AS 100 in VRF RED",
	} {
		if got := printed(t, cli.ShowNeighbors(&core.NeighborReport{}, viewOf(t, line))); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q", line, got)
		}
	}
	golden(t, "none", cli.ShowTraffic(&core.StatusReport{}, cli.Process{ID: 7}, viewOf(t, "show ip eigrp traffic")))
}

// interfaces has an interface of each kind.
func interfaces() *core.InterfaceReport {
	config := core.InterfaceConfig{Name: "Tunnel0", Hello: 5 * time.Second, Hold: 15 * time.Second, BandwidthPercent: 50}
	tunnel := core.InterfaceStatus{Config: config, Up: true, Peers: 2, Bandwidth: 100, Delay: 50_000_000_000, HelloSent: 380, HelloReceived: 712,
		NextHello: 3200 * time.Millisecond, SendKey: -1,
		Transport: core.LinkTransport{MeanSRTT: 19200 * time.Microsecond, PacingReliable: time.Millisecond, MulticastFlow: 84 * time.Millisecond,
			ReliableMulticasts: 4, UnreliableUnicasts: 4, ReliableUnicasts: 2, Retransmissions: 1}}
	hub := tunnel
	hub.Peers, hub.SendKey = 4321, 2
	hub.Config = core.InterfaceConfig{Name: "Tunnel1", Hello: 20 * time.Second, Hold: time.Minute, BandwidthPercent: 75, NoSplitHorizon: true, NoNextHopSelf: true,
		NoECMPMode: true, AddPaths: 4, Authentication: core.AuthenticationMD5, KeyChain: "KEYS",
		Summaries: []core.Summary{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}, {Prefix: netip.MustParsePrefix("172.16.0.0/12")}}}
	hub.Transport = core.LinkTransport{QueueUnreliable: 12, QueueReliable: 345, PeerQueueUnreliable: 6, PeerQueueReliable: 7890, MeanSRTT: 1604 * time.Millisecond,
		PacingUnreliable: 12 * time.Millisecond, PacingReliable: 1345 * time.Millisecond, MulticastFlow: 8016 * time.Millisecond, PendingRoutes: 4567,
		UnreliableMulticasts: 9, ReliableMulticasts: 8, UnreliableUnicasts: 7, ReliableUnicasts: 6, MulticastExceptions: 5, ConditionalReceive: 4, AcksSuppressed: 3,
		Retransmissions: 2, OutOfSequence: 1}
	expired := tunnel
	expired.Peers = 0
	expired.Config = core.InterfaceConfig{Name: "GigabitEthernet2", Hello: 5 * time.Second, Hold: 15 * time.Second, BandwidthPercent: 50, NoNextHopSelf: true,
		Authentication: core.AuthenticationSHA256, KeyChain: "KEYS"}
	password := expired
	password.Config.Name, password.Config.KeyChain, password.SendKey = "eth3", "", 0
	lost := password
	lost.Config.Name, lost.SendKey = "eth4", -1
	passive := tunnel
	passive.Config.Name, passive.Config.Passive = "GigabitEthernet1", true
	down := tunnel
	down.Config.Name, down.Up = "Tunnel9", false
	return &core.InterfaceReport{Instances: []core.InstanceInterfaces{
		{Identity: classic(), Interfaces: []core.InterfaceStatus{passive, expired, tunnel, hub, down, password, lost}},
		{Identity: named(), Interfaces: []core.InterfaceStatus{tunnel}},
	}}
}

func TestShowInterfaces(t *testing.T) {
	golden(t, "interfaces", cli.ShowInterfaces(interfaces(), viewOf(t, "show ip eigrp interfaces")))
	golden(t, "interfaces_detail", cli.ShowInterfaces(interfaces(), viewOf(t, "show ip eigrp interfaces detail")))
	golden(t, "interfaces_one", cli.ShowInterfaces(interfaces(), viewOf(t, "show ip eigrp interfaces detail tu1")))
}

func TestShowEvents(t *testing.T) {
	at := func(number uint64, age time.Duration, trace core.Trace) core.Event {
		return core.Event{Number: number, Age: age, Trace: trace}
	}
	peer := netip.MustParseAddr("172.31.0.12")
	r := &core.EventReport{Instances: []core.InstanceEvents{
		{Identity: classic(), Events: []core.Event{
			at(5, 12345*time.Millisecond, core.Trace{Event: core.TraceInstalled, Prefix: netip.MustParsePrefix("10.12.0.0/24"), Peer: peer}),
			at(4, 12346*time.Millisecond, core.Trace{Event: core.TracePeerUp, Interface: "Tunnel0", Peer: peer}),
			at(3, time.Minute, core.Trace{Event: core.TraceDropped, Interface: "Tunnel0", Peer: peer, Drop: core.DropKValues}),
			at(2, time.Hour, core.Trace{Event: core.TraceDropped, Interface: "Tunnel0", Peer: peer, Prefix: netip.MustParsePrefix("10.99.0.0/24"), Drop: core.DropRouterID}),
			at(1, 26*time.Hour, core.Trace{Event: core.TracePeerDown, Interface: "Tunnel0", Peer: peer, Text: "holding time expired"}),
		}},
		{Identity: six()},
		{Identity: named()},
		{Identity: core.Identity{Key: core.Key{Family: rib.IPv6, VRF: "RED", AS: 6}}},
	}}
	golden(t, "events", cli.ShowEvents(r, viewOf(t, "show ip eigrp events")))
}

func TestShowTimers(t *testing.T) {
	list := neighbors().Instances[0].Neighbors
	slices.Reverse(list) // what expires first comes first, whoever came first
	status := &core.StatusReport{Instances: []core.InstanceStatus{
		{Identity: classic(), Config: core.InstanceConfig{ActiveTime: 3 * time.Minute}, NextTimer: 234 * time.Millisecond, Neighbors: list},
		{Identity: six(), Config: core.InstanceConfig{ActiveTime: -1}},
	}}
	golden(t, "timers", cli.ShowTimers(status, interfaces(), viewOf(t, "show ip eigrp timers")))
}
