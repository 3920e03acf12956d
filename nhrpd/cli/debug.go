package cli

import "github.com/godmvpn/godmvpn/lib/telemetry"

// Numbers of what can be debugged, in Facilities.
const (
	DebugNHRP   = iota // servers and tunnels; with it all that follow
	DebugPacket        // packets received, sent and forwarded
	DebugCache         // entries of the cache
	DebugError         // packets dropped, registrations refused, error indications
)

// Facilities are what nhrpd can debug: "debug nhrp [packet|cache|error]".
var Facilities = telemetry.Facilities{Heading: "NHRP", List: []telemetry.Facility{
	DebugNHRP:   {Words: "nhrp", Text: "NHRP protocol debugging", Help: "Next Hop Resolution Protocol"},
	DebugPacket: {Words: "nhrp packet", Text: "NHRP activity debugging", Help: "Packets received, sent and forwarded"},
	DebugCache:  {Words: "nhrp cache", Text: "NHRP cache debugging", Help: "Entries of the cache that come, change and go"},
	DebugError:  {Words: "nhrp error", Text: "NHRP errors debugging", Help: "Packets dropped and registrations refused"},
}}
