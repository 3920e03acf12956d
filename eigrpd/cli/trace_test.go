package cli_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// traces has each event, and packets of each kind.
func traces() []core.Trace {
	key := core.Key{Family: rib.IPv4, AS: 100}
	red := core.Key{Family: rib.IPv6, VRF: "RED", AS: 6}
	peer, group := netip.MustParseAddr("172.31.0.12"), packet.GroupIPv4
	lan := netip.MustParsePrefix("10.12.0.0/24")
	hello := &packet.Message{Opcode: packet.Hello, AS: 100, Auth: packet.Auth{Algorithm: packet.KeyedMD5, KeyID: 2},
		Parameters: &packet.Parameters{Weights: metric.DefaultWeights, HoldTime: 15}, Software: &packet.Software{OSMajor: 25, TLVMajor: 2}, Stub: packet.StubConnected}
	bye := &packet.Message{Opcode: packet.Hello, AS: 100, Parameters: packet.Goodbye(15), Terminated: []netip.Addr{peer}}
	ack := &packet.Message{Opcode: packet.Hello, AS: 100, Ack: 7}
	classicRoute := packet.Route{Type: packet.TypeIPv4Internal, Classic: metric.Wide{Delay: 20_000_000, Bandwidth: 1_000_000, MTU: 1500, Hops: 1, Reliability: 255, Load: 1}.Classic(),
		Destinations: []netip.Prefix{lan}}
	wideRoute := packet.Route{Type: packet.TypeExternal, NextHop: netip.MustParseAddr("2001:db8::9"), Wide: metric.Wide{Delay: 10_000_000, Bandwidth: 1_000_000, Hops: 3},
		Destinations: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}}
	gone := classicRoute
	gone.Classic.Delay = metric.ClassicUnreachable
	update := &packet.Message{Opcode: packet.Update, AS: 100, Flags: packet.FlagInit | packet.FlagEndOfTable, Sequence: 12, Ack: 3, Routes: []packet.Route{classicRoute, gone}}
	sia := &packet.Message{Opcode: packet.SIAQuery, AS: 6, Sequence: 9, Routes: []packet.Route{wideRoute}}
	var addrs []netip.Addr
	many := classicRoute
	many.Destinations = nil
	for i := range 20 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{172, 31, 0, byte(i + 1)}))
		many.Destinations = append(many.Destinations, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16))
	}
	sequence := &packet.Message{Opcode: packet.Hello, AS: 100, SequenceAddrs: addrs, MulticastSequence: 13}
	large := &packet.Message{Opcode: packet.Query, AS: 100, Sequence: 14, Routes: []packet.Route{many}}
	on := func(e core.TraceEvent) core.Trace {
		return core.Trace{Event: e, Key: key, Interface: "Tunnel0", Peer: peer}
	}
	with := func(e core.TraceEvent, change func(*core.Trace)) core.Trace {
		t := on(e)
		change(&t)
		return t
	}
	return []core.Trace{
		with(core.TraceReceived, func(t *core.Trace) { t.Message = hello }),
		with(core.TraceReceived, func(t *core.Trace) { t.Message = bye }),
		with(core.TraceReceived, func(t *core.Trace) { t.Message = ack }),
		with(core.TraceReceived, func(t *core.Trace) { t.Message = update }),
		with(core.TraceSent, func(t *core.Trace) { t.Message, t.Peer = sequence, group }),
		with(core.TraceSent, func(t *core.Trace) { t.Message, t.Peer = large, group }),
		with(core.TraceSent, func(t *core.Trace) { t.Message, t.Key, t.Peer = sia, red, netip.MustParseAddr("fe80::12") }),
		on(core.TraceReceived),
		with(core.TraceDropped, func(t *core.Trace) { t.Message, t.Drop = hello, core.DropUnauthenticated }),
		with(core.TraceDropped, func(t *core.Trace) { t.Drop, t.Text = core.DropMalformed, "checksum error" }),
		with(core.TraceDropped, func(t *core.Trace) { t.Drop, t.Prefix = core.DropHops, lan }),
		with(core.TraceDropped, func(t *core.Trace) { t.Drop, t.Interface = core.DropNoNeighbor, "" }),
		with(core.TraceTransition, func(t *core.Trace) { t.Prefix, t.To, t.Clause = lan, dual.Active1, "4" }),
		{Event: core.TraceTransition, Key: red, Prefix: lan, From: dual.Active1, Clause: "15"},
		with(core.TraceMessage, func(t *core.Trace) { t.Prefix, t.Text = lan, "unwanted reply" }),
		with(core.TraceInstalled, func(t *core.Trace) { t.Prefix = lan }),
		{Event: core.TraceInstalled, Key: key, Prefix: lan},
		{Event: core.TraceWithdrawn, Key: key, Prefix: lan},
		on(core.TracePeerNew),
		on(core.TracePeerUp),
		with(core.TracePeerDown, func(t *core.Trace) { t.Text = "holding time expired" }),
		with(core.TraceEnqueued, func(t *core.Trace) { t.Text = "UPDATE seq 12" }),
		with(core.TraceRetransmit, func(t *core.Trace) { t.Text = "UPDATE seq 12, retry 1, RTO 1440 ms" }),
		on(core.TraceAcked),
		with(core.TraceConditional, func(t *core.Trace) { t.Text = "seq 13" }),
		with(core.TraceTimer, func(t *core.Trace) { t.Text = "holding time" }),
		{Event: core.TraceTimer, Key: key, Text: "active time"},
		{Event: 99, Key: key},
	}
}

// TestTraceText words each event.
func TestTraceText(t *testing.T) {
	var b strings.Builder
	for _, tr := range traces() {
		b.WriteString(cli.Facilities.List[cli.FacilityOf(tr.Event)].Words + "|" + cli.TraceText(tr) + "\n")
	}
	file := filepath.Join("testdata", "traces.txt")
	if *rewrite {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
