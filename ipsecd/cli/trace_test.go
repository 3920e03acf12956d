package cli_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/core"
)

func TestTraceText(t *testing.T) {
	remote := netip.MustParseAddrPort("192.0.2.1:500")
	for _, tc := range []struct {
		trace    core.Trace
		facility int
		want     string
	}{
		{core.Trace{Event: core.TraceReceived, Remote: remote, Text: "IKE_SA_INIT"}, cli.DebugPackets, "IKEv2-PAK:Received Packet [peer 192.0.2.1:500], IKE_SA_INIT"},
		{core.Trace{Event: core.TraceDropped, Remote: remote, Drop: core.DropCookie}, cli.DebugPackets, "IKEv2-PAK:Dropped packet [peer 192.0.2.1:500], cookie"},
		{core.Trace{Event: core.TraceState, SPI: 0xdb35eeb4, Text: "READY"}, cli.DebugInternal, "IKEv2-INTERNAL:(SA ID = 00000000DB35EEB4):SA state changed, READY"},
		{core.Trace{Event: core.TraceSAUp, SPI: 1, Remote: remote, Text: "x\x1b[2J"}, cli.DebugIKEv2, "IKEv2:(SA ID = 0000000000000001):SA established [peer 192.0.2.1:500], x?[2J"},
		{core.Trace{Event: core.TraceChildUp, SPI: 1, Child: 0x1000, Remote: remote}, cli.DebugIPsec, "IPSEC:(SA ID = 0000000000000001):SA created [peer 192.0.2.1:500] spi 0x1000"},
		{core.Trace{Event: core.TraceAcquired, Text: "Tunnel0 192.0.2.1"}, cli.DebugSocket, "CRYPTO_SS:Peer is to be secured, Tunnel0 192.0.2.1"},
	} {
		if got := cli.TraceText(tc.trace); got != tc.want || cli.FacilityOf(tc.trace.Event) != tc.facility {
			t.Errorf("facility %d, %q, want %d, %q", cli.FacilityOf(tc.trace.Event), got, tc.facility, tc.want)
		}
	}
	for e := core.TraceReceived; e <= core.TracePublished; e++ {
		if strings.Contains(cli.TraceText(core.Trace{Event: e})+"|", ":|") {
			t.Errorf("event %d has no words", e)
		}
	}
}
