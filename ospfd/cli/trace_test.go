package cli_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/ospfd/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// traces has one of each event, and one packet of each type.
func traces() []core.Trace {
	key := core.Key{Process: 1}
	external := packet.LSAKey{Type: packet.ExternalLSA, ID: id("10.0.0.0"), Router: id("10.11.0.1")}
	header := packet.LSAHeader{Age: 5, LSAKey: external, Sequence: packet.InitialSequence}
	peer, router := addr("172.31.0.11"), id("10.11.0.1")
	auth := packet.Auth{Type: packet.AuthSimple, Password: [8]byte{'h', 'i', 'd', 'd', 'e', 'n'}}
	message := func(typ packet.Type) *packet.Message {
		return &packet.Message{Type: typ, RouterID: router, Auth: auth}
	}
	hello, description, request, update, ack := message(packet.Hello), message(packet.DatabaseDescription), message(packet.LinkStateRequest), message(packet.LinkStateUpdate), message(packet.LinkStateAck)
	hello.HelloBody = packet.HelloBody{Mask: 0xffffff00, Interval: 30, DeadInterval: 120, Options: packet.OptionE, Designated: addr("172.31.0.1"), Neighbors: []packet.ID{id("172.31.0.1")}}
	description.Description = packet.Description{MTU: 1400, Options: packet.OptionE | packet.OptionO, Flags: packet.DDInit | packet.DDMaster, Sequence: 0x1234, Headers: []packet.LSAHeader{header}}
	request.Requests = []packet.LSAKey{external}
	update.Updates = []packet.LSA{{LSAHeader: header}}
	ack.Acks = slices.Repeat([]packet.LSAHeader{header}, 20)
	var out []core.Trace
	for _, m := range []*packet.Message{hello, description, request, update, ack} {
		out = append(out, core.Trace{Event: core.TraceReceived, Key: key, Interface: "Tunnel0", Peer: peer, Router: router, Message: m})
	}
	return append(out,
		core.Trace{Event: core.TraceSent, Key: key, Interface: "Tunnel0", Peer: packet.AllSPFRouters, Message: hello},
		core.Trace{Event: core.TraceSent, Key: key, Interface: "Tunnel0", Peer: peer},
		core.Trace{Event: core.TraceDropped, Key: key, Interface: "Tunnel0", Peer: peer, Drop: core.DropDigest},
		core.Trace{Event: core.TraceDropped, Key: key, Interface: "Tunnel0", Peer: peer, Drop: core.DropHello, Message: hello},
		core.Trace{Event: core.TraceDropped, Key: key, Interface: "Tunnel0", Peer: peer, Drop: core.DropTooSoon, LSA: external},
		core.Trace{Event: core.TraceNeighbor, Key: key, Interface: "Tunnel0", Peer: peer, Router: router, Text: "Process 1, Nbr 10.11.0.1 on Tunnel0 from LOADING to FULL, Loading Done"},
		core.Trace{Event: core.TraceInterface, Key: key, Interface: "GigabitEthernet1", Text: "from Waiting to DR"},
		core.Trace{Event: core.TraceFlood, Key: key, Interface: "Tunnel0", Peer: peer, Router: router, LSA: external, Text: "received: newer, sequence 0x80000001"},
		core.Trace{Event: core.TraceFlood, Key: key, Interface: "Tunnel0", Peer: packet.AllSPFRouters, LSA: external, Text: "sent, sequence 0x80000001"},
		core.Trace{Event: core.TraceGeneration, Key: key, LSA: external, Text: "originated"},
		core.Trace{Event: core.TraceSPF, Key: key, Text: "full computation of area 0"},
		core.Trace{Event: core.TraceRoute, Key: key, Text: "put 10.0.0.0/8"},
		core.Trace{Event: core.TraceRestart, Key: key, Interface: "Tunnel0", Peer: peer, Router: router, Text: "helps for 120 s"},
	)
}

// TestTraces compares the words of traces with testdata, and wants no secret in them.
func TestTraces(t *testing.T) {
	var b strings.Builder
	for _, trace := range traces() {
		b.WriteString(cli.TraceText(trace) + "\n")
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
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(b.String(), "hidden") {
		t.Error("a password is shown")
	}
}

// TestFacilities: every facility has a trace, every trace a facility, and Hellos two.
func TestFacilities(t *testing.T) {
	seen := map[int]bool{}
	for _, trace := range traces() {
		all := cli.FacilitiesOf(trace)
		if len(all) == 0 {
			t.Errorf("%+v belongs to none", trace)
		}
		for _, f := range all {
			seen[f] = true
		}
		if m := trace.Message; m != nil && slices.Contains(all, cli.DebugHello) != (m.Type == packet.Hello) {
			t.Errorf("%v belongs to %v", m.Type, all)
		}
	}
	for f := range cli.Facilities.List {
		if !seen[f] {
			t.Errorf("nothing belongs to %s", cli.Facilities.List[f].Words)
		}
	}
}
