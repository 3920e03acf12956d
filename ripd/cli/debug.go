package cli

import "github.com/godmvpn/godmvpn/lib/telemetry"

// Numbers of the debug facilities.
const (
	DebugRIP     = iota // lines that are neither of the others
	DebugEvents         // core.Tracing.Events
	DebugPackets        // core.Tracing.Packets
)

// Facilities are what `debug rip` turns on.
var Facilities = telemetry.Facilities{Heading: "RIP", List: []telemetry.Facility{
	DebugRIP:     {Words: "rip", Text: "RIP protocol debugging", Help: "Routing Information Protocol"},
	DebugEvents:  {Words: "rip events", Text: "RIP event debugging", Help: "Updates, neighbors, routes that come and go"},
	DebugPackets: {Words: "rip packets", Text: "RIP packet debugging", Help: "Packets sent, received and dropped"},
}}
