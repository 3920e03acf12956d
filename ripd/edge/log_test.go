package edge

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ripd/cli"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// TestTraceText: the lines of `debug rip`. Those of packets are as Cisco IOS
// prints them.
func TestTraceText(t *testing.T) {
	hub, spoke := netip.MustParseAddr("172.31.0.1"), netip.MustParseAddrPort("172.31.0.11:520")
	group := netip.MustParseAddrPort("224.0.0.9:520")
	prefix := netip.MustParsePrefix("10.11.0.0/24")
	update := &packet.Message{Command: packet.Response, Version: 2, Entries: []packet.Entry{
		packet.Route(prefix, 0, netip.Addr{}, 1),
		packet.Route(netip.MustParsePrefix("0.0.0.0/0"), 7, netip.MustParseAddr("172.31.0.12"), 16),
		{Family: 9}, {Family: packet.FamilyIP, Addr: netip.MustParseAddr("10.0.0.0"), Mask: 0xff00ff00, Metric: 2},
	}}
	old := &packet.Message{Command: packet.Response, Version: 1, Entries: []packet.Entry{{Family: packet.FamilyIP, Addr: netip.MustParseAddr("10.0.0.0"), Metric: 3}}}
	whole := packet.WholeTableRequest(2)
	some := &packet.Message{Command: packet.Request, Version: 2, Entries: []packet.Entry{packet.Route(prefix, 0, netip.Addr{}, 0)}}
	for _, c := range []struct {
		t    core.Trace
		want string
	}{
		{core.Trace{Event: core.TraceReceived, Peer: spoke, Message: update}, `received v2 update from 172.31.0.11 on Tunnel0
     10.11.0.0/24 via 0.0.0.0 in 1 hops
     0.0.0.0/0 via 172.31.0.12 in 16 hops (inaccessible)
     address family 9
     10.0.0.0 mask 0xff00ff00 via 0.0.0.0 in 2 hops`},
		{core.Trace{Event: core.TraceReceived, VRF: "RED", Peer: spoke, Message: old}, "received v1 update from 172.31.0.11 on Tunnel0 in VRF RED\n     10.0.0.0 in 3 hops"},
		{core.Trace{Event: core.TraceReceived, Peer: netip.MustParseAddrPort("172.31.0.11:4000"), Message: &whole},
			"received v2 request for the whole table from 172.31.0.11:4000 on Tunnel0"},
		{core.Trace{Event: core.TraceReceived, Peer: spoke, Message: some}, "received v2 request from 172.31.0.11 on Tunnel0\n     10.11.0.0/24 via 0.0.0.0"},
		{core.Trace{Event: core.TraceSent, Peer: group, Message: update}, `sending v2 update to 224.0.0.9 via Tunnel0 (172.31.0.1)
     10.11.0.0/24 via 0.0.0.0, metric 1, tag 0
     0.0.0.0/0 via 172.31.0.12, metric 16, tag 7
     address family 9
     10.0.0.0 mask 0xff00ff00 via 0.0.0.0, metric 2, tag 0`},
		{core.Trace{Event: core.TraceSent, Peer: group}, "sending packet to 224.0.0.9 via Tunnel0 (172.31.0.1)"},
		{core.Trace{Event: core.TraceDropped, Peer: spoke, Message: update, Drop: core.DropAuthFailed},
			"ignored v2 packet from 172.31.0.11 on Tunnel0 (invalid authentication: authentication failure)"},
		{core.Trace{Event: core.TraceDropped, Peer: spoke, Drop: core.DropSource}, "ignored packet from 172.31.0.11 on Tunnel0 (source not on a connected network)"},
		{core.Trace{Event: core.TraceEntryDropped, Peer: spoke, Prefix: prefix, Drop: core.DropEntryFilter}, "ignored 10.11.0.0/24 from 172.31.0.11 on Tunnel0 (filtered)"},
		{core.Trace{Event: core.TraceRegular}, "regular update on Tunnel0"},
		{core.Trace{Event: core.TraceTriggered, VRF: "RED"}, "triggered update on Tunnel0 in VRF RED"},
		{core.Trace{Event: core.TraceRequested, Peer: spoke}, "answering the request of 172.31.0.11 on Tunnel0"},
		{core.Trace{Event: core.TraceRouteNew, Prefix: prefix, Metric: 2}, "route 10.11.0.0/24 is new, metric 2 by Tunnel0"},
		{core.Trace{Event: core.TraceRouteChanged, Prefix: prefix, Metric: 3}, "route 10.11.0.0/24 changed, metric 3 by Tunnel0"},
		{core.Trace{Event: core.TraceRouteTimeout, Prefix: prefix, VRF: "RED"}, "route 10.11.0.0/24 in VRF RED is unreachable"},
		{core.Trace{Event: core.TraceRouteDeleted, Prefix: prefix}, "route 10.11.0.0/24 is deleted"},
		{core.Trace{Event: core.TracePeerUp, Peer: spoke}, "neighbor 172.31.0.11 on Tunnel0 is up"},
		{core.Trace{Event: core.TracePeerDown, Peer: spoke}, "neighbor 172.31.0.11 on Tunnel0 is down"},
		{core.Trace{Event: core.TraceInterfaceUp}, "running on Tunnel0"},
		{core.Trace{Event: core.TraceInterfaceDown}, "not running on Tunnel0 any more"},
	} {
		c.t.Interface = "Tunnel0"
		if got := traceText(c.t, hub); got != c.want {
			t.Errorf("event %d: %q, want %q", c.t.Event, got, c.want)
		}
	}
	for e := core.TraceReceived; e <= core.TraceInterfaceDown; e++ {
		if want := e <= core.TraceEntryDropped; (facilityOf(e) == cli.DebugPackets) != want {
			t.Errorf("event %d belongs to packets: %t", e, !want)
		}
		if got := traceText(core.Trace{Event: e, Interface: "Tunnel0"}, hub); strings.Contains(got, "event") {
			t.Errorf("event %d has no words: %q", e, got)
		}
	}
}

// TestTraceTellsNoSecret: what a packet says of authentication is not printed.
func TestTraceTellsNoSecret(t *testing.T) {
	m := &packet.Message{Command: packet.Response, Version: 2}
	b, err := m.Append(nil, &packet.Key{Algorithm: packet.SimplePassword, Secret: []byte("S3CRET")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Decode(b); err != nil {
		t.Fatal(err)
	}
	for e := core.TraceReceived; e <= core.TraceEntryDropped; e++ {
		if got := traceText(core.Trace{Event: e, Message: m, Drop: core.DropAuthFailed}, netip.Addr{}); strings.Contains(got, "S3CRET") {
			t.Errorf("event %d: %s", e, got)
		}
	}
}
