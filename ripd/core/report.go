package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// ReportKind tells what a Query asks for.
type ReportKind uint8

// The kinds of reports.
const (
	ReportRoutes ReportKind = 1 + iota // *RouteReport: `show ip rip`, `show ip rip database`
	ReportStatus                       // *StatusReport: `show ip rip status`, `show ip protocols`
)

// Report is an answer to a Query. The set is closed; reports are values that
// share nothing with the core.
type Report interface{ report() }

// RouteReport is the RIP table of a VRF.
type RouteReport struct {
	VRF    string
	Exists bool         // RIP is configured for the VRF
	Routes []RouteEntry // by prefix
}

// RouteSource tells where a route comes from.
type RouteSource uint8

// The sources, the strongest first.
const (
	SourceConnected     RouteSource = 1 + iota // network of an interface that RIP runs on
	SourceStatic                               // `route`
	SourceDefault                              // `default-information originate`
	SourceRedistributed                        // `redistribute`
	SourceLearned                              // a neighbour told it
	SourceSummary                              // `ip summary-address rip`
)

// RouteEntry is one prefix of the table with what is known of it.
type RouteEntry struct {
	Prefix    netip.Prefix
	Source    RouteSource
	Protocol  rib.Protocol // for SourceRedistributed
	Metric    uint32       // as RFC 2453 counts: a connected network has 1; 16 is unreachable
	Tag       uint16
	Interface string        // for SourceConnected and SourceSummary
	Garbage   bool          // unreachable, and announced as such until it is deleted
	Holddown  bool          // not taken from others yet
	Left      time.Duration // until the deletion, for Garbage
	Paths     []PathEntry   // for SourceLearned, also where another source is stronger
	Changed   bool          // the next triggered update tells of it
}

// PathEntry is one way of a learnt route.
type PathEntry struct {
	NextHop   netip.Addr // where packets go
	From      netip.Addr // who told
	Interface string
	Metric    uint32
	Age       time.Duration // since it was last told
	Left      time.Duration // until it times out
	Distance  uint8
}

// StatusReport is the state of the protocol in a VRF.
type StatusReport struct {
	VRF        string
	Exists     bool
	Config     RouterConfig // with the defaults filled in
	NextUpdate time.Duration
	Interfaces []InterfaceStatus // those that RIP runs on, by name
	Neighbors  []NeighborStatus  // by address
	Routes     int               // in the table
	Counters   Counters
}

// InterfaceStatus is the state of RIP on an interface.
type InterfaceStatus struct {
	Name           string
	Up             bool
	Passive        bool
	Send, Receive  Versions
	SplitHorizon   SplitHorizon
	Authentication packet.Algorithm
	KeyChain       string
	Triggered      uint64 // triggered updates sent
	NextUpdate     time.Duration
	Counters       Counters
}

// NeighborStatus is the state of a router from which responses come.
type NeighborStatus struct {
	Addr       netip.Addr
	Interface  string
	Version    uint8         // of its last packet
	LastUpdate time.Duration // since its last response
	Routes     int           // paths in use through it
	BadPackets uint64
	BadRoutes  uint64 // entries ignored as malformed
	Distance   uint8
	Configured bool // by `neighbor`
}

func (*RouteReport) report()  {}
func (*StatusReport) report() {}
