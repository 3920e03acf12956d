package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Input is what may be handed to Core.Step. The set is closed.
type Input interface{ input() }

// RxPacket is the payload of an IP packet of protocol 89 that arrived. The core decodes
// it itself, so that a malformed packet is a counted drop like any other; it keeps no
// reference to Packet.
type RxPacket struct {
	Interface string // configuration name of the interface by which it came
	Source    netip.Addr
	Dest      netip.Addr // a group, or an address of ours
	Packet    []byte
}

// Tick says that the instant of Core.Wake has come.
type Tick struct{}

// Attached says that a session to zebra opened. Stale is the number of objects of an
// earlier life of this daemon that still forward; they are swept after the effect
// EndOfReplay.
type Attached struct{ Stale int }

// InterfaceChanged gives the present state of an interface, new or changed.
type InterfaceChanged struct{ Interface rib.Interface }

// InterfaceGone says that an interface does not exist any more.
type InterfaceGone struct{ Name string }

// InterfacesKnown follows the first InterfaceChanged of every interface that exists
// when a session opens.
type InterfacesKnown struct{}

// RouteChanged says that a route of a watch came, changed or went (effect WatchRoutes).
type RouteChanged struct {
	Watch     rib.Watch
	Route     rib.Route
	Withdrawn bool
}

// RoutesKnown follows the last RouteChanged of the routes that were there when a watch
// began.
type RoutesKnown struct{ Watch rib.Watch }

// TunnelPeer says that NHRP has, or has no more, a router at the other end of a
// multipoint tunnel: a server, or a client that registered.
type TunnelPeer struct {
	Interface string
	Addr      netip.Addr // its address in the tunnel
	Up        bool
}

// Remembered gives what an earlier life of the daemon asked to be remembered (effect
// Remember). It comes before Attached, so that a restart after a crash can be a graceful
// one (RFC 3623 section 5).
type Remembered struct {
	Key   Key
	Value Memory
}

// Memory is what an instance remembers for its next life.
type Memory struct {
	RouterID packet.ID
	// Sequences are the sequence numbers of cryptographic authentication, so that
	// neighbours take what comes after a restart: the next life begins above them.
	Sequence uint64
	// Restart is the time of day at which grace periods end, where one was asked for
	// before the end (planned restart); zero for a crash.
	Restart time.Time
}

// ConfigSet replaces the whole configuration. Setting an equal configuration again
// changes nothing but the policy that is used from now on.
type ConfigSet struct{ Config Config }

// WallClock says what time it is; it is given at birth (Options.Wall) and whenever the
// wall clock was set. Lifetimes of keys depend on it.
type WallClock struct{ Now time.Time }

// ClearKind says what a Clear is about.
type ClearKind uint8

// The kinds of Clear.
const (
	ClearProcess        ClearKind = iota // all of it begins anew, also the router ID
	ClearNeighbors                       // adjacencies
	ClearCounters                        // counters of neighbours, interfaces and traffic
	ClearRedistribution                  // external LSAs are made anew
	ClearSPF                             // `clear ip ospf force-spf`
)

// Clear is `clear ip ospf …`.
type Clear struct {
	Kind      ClearKind
	Process   uint16 // 0 for all
	VRF       string // with Process 0: every VRF
	Interface string // ClearNeighbors and ClearCounters: "" for all
	Neighbor  packet.ID
}

// Query asks for a report; the effect Answer with the same ID follows within the same
// Step.
type Query struct {
	ID      uint64
	Kind    ReportKind
	Process uint16 // 0 for all
	// Database narrows a ReportDatabase.
	Database DatabaseFilter
	Lists    bool // a ReportNeighbors has what is on the neighbours' lists
}

// Tracing turns the Trace effects on or off (`debug ip ospf`).
type Tracing struct {
	Packets    bool // every packet received and sent
	Hello      bool
	Adjacency  bool // states of neighbours and interfaces, elections
	Flood      bool
	Generation bool // own LSAs
	SPF        bool
	Routes     bool
	Restart    bool // graceful restart
}

// Shutdown says that the daemon is about to end. For good: its LSAs are flushed and its
// neighbours see an empty Hello. To be started again, with graceful restart configured:
// grace-LSAs are sent and acknowledged, and nothing is flushed (RFC 3623 section 2.1).
type Shutdown struct{ Restart bool }

func (RxPacket) input()         {}
func (Tick) input()             {}
func (Attached) input()         {}
func (InterfaceChanged) input() {}
func (InterfaceGone) input()    {}
func (InterfacesKnown) input()  {}
func (RouteChanged) input()     {}
func (RoutesKnown) input()      {}
func (TunnelPeer) input()       {}
func (Remembered) input()       {}
func (ConfigSet) input()        {}
func (WallClock) input()        {}
func (Clear) input()            {}
func (Query) input()            {}
func (Tracing) input()          {}
func (Shutdown) input()         {}
