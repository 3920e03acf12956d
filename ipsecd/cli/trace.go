package cli

import (
	"fmt"

	"github.com/godmvpn/godmvpn/ipsecd/core"
)

// FacilityOf tells which facility a trace belongs to.
func FacilityOf(e core.TraceEvent) int {
	switch e {
	case core.TraceReceived, core.TraceSent, core.TraceResent, core.TraceDropped:
		return DebugPackets
	case core.TraceState:
		return DebugInternal
	case core.TraceChildUp, core.TraceChildDown:
		return DebugIPsec
	case core.TraceAcquired, core.TracePublished:
		return DebugSocket
	}
	return DebugIKEv2
}

// traceWords say what happened.
var traceWords = map[core.TraceEvent]string{core.TraceReceived: "Received Packet", core.TraceSent: "Sending Packet", core.TraceResent: "Retransmitting packet", core.TraceDropped: "Dropped packet",
	core.TraceState: "SA state changed", core.TraceChosen: "Chosen", core.TraceRefused: "Refused", core.TraceSAUp: "SA established", core.TraceSADown: "SA deleted",
	core.TraceChildUp: "SA created", core.TraceChildDown: "SA deleted", core.TraceAcquired: "Peer is to be secured", core.TracePublished: "State told to client"}

// TraceText words a trace as Cisco's `debug crypto` does: "IKEv2:(SESSION ID = SPI): …".
// What a peer said is in it as printable characters only.
func TraceText(t core.Trace) string {
	out := "IKEv2"
	switch FacilityOf(t.Event) {
	case DebugPackets:
		out = "IKEv2-PAK"
	case DebugInternal:
		out = "IKEv2-INTERNAL"
	case DebugIPsec:
		out = "IPSEC"
	case DebugSocket:
		out = "CRYPTO_SS"
	}
	if t.SPI != 0 {
		out += fmt.Sprintf(":(SA ID = %016X)", t.SPI)
	}
	out += ":" + traceWords[t.Event]
	if t.Remote.IsValid() {
		out += fmt.Sprintf(" [peer %v:%d]", t.Remote.Addr(), t.Remote.Port())
	}
	if t.Child != 0 {
		out += fmt.Sprintf(" spi 0x%X", t.Child)
	}
	if t.Drop != 0 && t.Drop < core.NumDropReasons {
		out += ", " + dropNames[t.Drop]
	}
	if t.Text != "" {
		out += ", " + printable(t.Text)
	}
	return out
}
