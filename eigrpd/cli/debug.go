package cli

import "github.com/godmvpn/godmvpn/lib/telemetry"

// Numbers of the debug facilities.
const (
	DebugPackets   = iota // core.Tracing.Packets
	DebugFSM              // core.Tracing.FSM
	DebugNeighbors        // core.Tracing.Neighbors
	DebugTransmit         // core.Tracing.Transmit
	DebugTimers           // core.Tracing.Timers
)

// Facilities are what `debug eigrp` turns on; there is no `debug eigrp` for all, as
// on IOS.
var Facilities = telemetry.Facilities{Heading: "EIGRP", List: []telemetry.Facility{
	DebugPackets:   {Words: "eigrp packets", Text: "EIGRP Packets debugging", Help: "Packets sent, received and dropped"},
	DebugFSM:       {Words: "eigrp fsm", Text: "EIGRP Finite State Machine debugging", Help: "Steps of DUAL, routes that come and go"},
	DebugNeighbors: {Words: "eigrp neighbors", Text: "EIGRP Neighbors debugging", Help: "Neighbors that come and go"},
	DebugTransmit:  {Words: "eigrp transmit", Text: "EIGRP Transmission debugging", Help: "Queues and retransmissions of reliable packets"},
	DebugTimers:    {Words: "eigrp timers", Text: "EIGRP Timers debugging", Help: "Timers that run out"},
}}
