package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

// Input is what may be handed to Core.Step. The set is closed.
type Input interface{ input() }

// RxPacket is the payload of an IP packet of protocol 88 that arrived. The core
// decodes it itself, so that a malformed packet is a counted drop like any other; it
// keeps no reference to Packet.
type RxPacket struct {
	Interface string     // configuration name of the interface by which it came
	Source    netip.Addr // without a zone
	Dest      netip.Addr // the group, or an address of ours; without a zone
	Packet    []byte
}

// Tick says that the instant of Core.Wake has come.
type Tick struct{}

// Attached says that a session to zebra opened. Stale is the number of objects
// of an earlier life of this daemon that still forward; they are swept after
// the effect EndOfReplay.
type Attached struct{ Stale int }

// InterfaceChanged gives the present state of an interface, new or changed.
type InterfaceChanged struct{ Interface rib.Interface }

// InterfaceGone says that an interface does not exist any more.
type InterfaceGone struct{ Name string }

// InterfacesKnown follows the first InterfaceChanged of every interface that
// exists when a session opens.
type InterfacesKnown struct{}

// RouteChanged says that a route of a watch came, changed or went (effect
// WatchRoutes).
type RouteChanged struct {
	Watch     rib.Watch
	Route     rib.Route
	Withdrawn bool
}

// RoutesKnown follows the last RouteChanged of the routes that were there when a
// watch began.
type RoutesKnown struct{ Watch rib.Watch }

// ConfigSet replaces the whole configuration. Setting an equal configuration
// again changes nothing but the policy that is used from now on.
type ConfigSet struct{ Config Config }

// WallClock says what time it is; it is given at birth (Options.Wall) and whenever
// the wall clock was set. Lifetimes of keys depend on it.
type WallClock struct{ Now time.Time }

// TunnelPeer says what a station at another end of a tunnel is (lib/tunnelpeer). One that
// is lost, having been up, is no neighbour any more: its Hold Time is not waited for.
type TunnelPeer struct {
	Peer  tunnelpeer.Peer
	State tunnelpeer.State
}

// Clear resets neighbours (`clear ip eigrp neighbors`) or counters.
type Clear struct {
	Family    rib.Family
	VRF       string
	AllVRFs   bool
	AS        uint16     // 0 for all
	Addr      netip.Addr // the neighbour; zero for all
	Interface string     // "" for all
	Soft      bool       // resynchronize and keep the adjacency (`soft`)
	Counters  bool       // no neighbours, but the counters of traffic
}

// Query asks for a report; the effect Answer with the same ID follows within
// the same Step.
type Query struct {
	ID       uint64
	Kind     ReportKind
	Family   rib.Family // 0 for all
	VRF      string
	AllVRFs  bool
	AS       uint16       // 0 for all
	Prefix   netip.Prefix // ReportTopology: this one only, if valid
	Selected Selected     // ReportTopology
}

// Selected says which entries of the topology table are reported.
type Selected uint8

// The selections.
const (
	SelectedFeasible Selected = iota // entries, and of their paths those that are feasible
	SelectedAllLinks                 // all paths (`all-links`)
	SelectedActive                   // entries that are ACTIVE
	SelectedPending                  // entries of which something waits to be sent
	SelectedSummary                  // numbers only
	SelectedZero                     // entries without a feasible path (`zero-successors`)
)

// Tracing turns the Trace effects on or off (`debug eigrp`).
type Tracing struct {
	Packets   bool // every packet received and sent
	FSM       bool // DUAL
	Neighbors bool
	Transmit  bool // reliable transport
	Timers    bool
}

// Shutdown says that the daemon is about to end for good: the core takes leave of
// its neighbours (RFC 7868 section 6.7.7). It is not to be given where the daemon is
// merely restarted.
type Shutdown struct{}

func (RxPacket) input()         {}
func (Tick) input()             {}
func (Attached) input()         {}
func (InterfaceChanged) input() {}
func (InterfaceGone) input()    {}
func (InterfacesKnown) input()  {}
func (RouteChanged) input()     {}
func (RoutesKnown) input()      {}
func (ConfigSet) input()        {}
func (WallClock) input()        {}
func (TunnelPeer) input()       {}
func (Clear) input()            {}
func (Query) input()            {}
func (Tracing) input()          {}
func (Shutdown) input()         {}
