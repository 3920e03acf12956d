package cli

import "github.com/godmvpn/godmvpn/lib/telemetry"

// Numbers of the debug facilities.
const (
	DebugEvents  = iota // sessions that come and go
	DebugUpdates        // best paths that change
	DebugNexthop        // next hops
	DebugZebra          // routes stated to zebra
)

// Facilities are what `debug ip bgp` turns on.
var Facilities = telemetry.Facilities{Heading: "BGP", List: []telemetry.Facility{
	DebugEvents:  {Words: "ip bgp events", Text: "BGP events debugging", Help: "Sessions that come and go, ends of tables"},
	DebugUpdates: {Words: "ip bgp updates", Text: "BGP updates debugging", Help: "Best paths that change, own routes"},
	DebugNexthop: {Words: "ip bgp nexthop", Text: "BGP next-hop debugging", Help: "Next hops and how they are reached"},
	DebugZebra:   {Words: "ip bgp rib", Text: "BGP routing table debugging", Help: "Routes that go to the routing table"},
}}
