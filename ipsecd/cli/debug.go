package cli

import "github.com/godmvpn/godmvpn/lib/telemetry"

// Numbers of the debug facilities.
const (
	DebugIKEv2    = iota // core.Tracing.IKEv2
	DebugPackets         // core.Tracing.Packets
	DebugInternal        // core.Tracing.Internal
	DebugIPsec           // core.Tracing.IPsec
	DebugSocket          // core.Tracing.Socket
)

// Facilities are what `debug crypto` turns on.
var Facilities = telemetry.Facilities{Heading: "Cryptographic Subsystem", List: []telemetry.Facility{
	DebugIKEv2:    {Words: "crypto ikev2", Text: "IKEv2 default debugging", Help: "IKE SAs that come and go"},
	DebugPackets:  {Words: "crypto ikev2 packet", Text: "IKEv2 packet debugging", Help: "Messages received and sent"},
	DebugInternal: {Words: "crypto ikev2 internal", Text: "IKEv2 internal debugging", Help: "States and decisions"},
	DebugIPsec:    {Words: "crypto ipsec", Text: "Crypto IPSEC debugging", Help: "Security associations of ESP that come and go"},
	DebugSocket:   {Words: "crypto socket", Text: "Crypto Secure Socket debugging", Help: "Peers that are to be secured, and what is told of them"},
}}
