package cli

import "github.com/godmvpn/godmvpn/lib/telemetry"

// Numbers of the debug facilities.
const (
	DebugPackets    = iota // core.Tracing.Packets
	DebugHello             // core.Tracing.Hello
	DebugAdjacency         // core.Tracing.Adjacency
	DebugFlood             // core.Tracing.Flood
	DebugGeneration        // core.Tracing.Generation
	DebugSPF               // core.Tracing.SPF
	DebugRoutes            // core.Tracing.Routes
	DebugRestart           // core.Tracing.Restart
)

// Facilities are what `debug ip ospf` turns on; there is no `debug ip ospf` for all, as
// on IOS.
var Facilities = telemetry.Facilities{Heading: "IP routing", List: []telemetry.Facility{
	DebugPackets:    {Words: "ip ospf packet", Text: "OSPF packet debugging", Help: "Packets sent, received and dropped"},
	DebugHello:      {Words: "ip ospf hello", Text: "OSPF hello debugging", Help: "Hellos sent, received and dropped"},
	DebugAdjacency:  {Words: "ip ospf adj", Text: "OSPF adjacency debugging", Help: "States of neighbors and interfaces, elections"},
	DebugFlood:      {Words: "ip ospf flood", Text: "OSPF flooding debugging", Help: "LSAs that are received, sent and acknowledged"},
	DebugGeneration: {Words: "ip ospf lsa-generation", Text: "OSPF lsa-generation debugging", Help: "LSAs of this router"},
	DebugSPF:        {Words: "ip ospf spf", Text: "OSPF SPF debugging", Help: "Computations of routes"},
	DebugRoutes:     {Words: "ip ospf rib", Text: "OSPF RIB debugging", Help: "Routes that come and go"},
	DebugRestart:    {Words: "ip ospf nsf", Text: "OSPF nsf debugging", Help: "Graceful restart"},
}}
