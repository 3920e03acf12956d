package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Input is what may be handed to Core.Step. The set is closed.
type Input interface{ input() }

// RxPacket is a UDP datagram that arrived on port 520 (RFC 2453 section 3.9).
// The core decodes it itself, so that a malformed packet is a counted drop like
// any other; it keeps no reference to Packet.
type RxPacket struct {
	Interface string         // configuration name of the interface by which it came
	Source    netip.AddrPort // a response must come from port 520
	Dest      netip.Addr     // the group, a broadcast address, or an address of ours
	Packet    []byte         // UDP payload
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

// SendRoom says whether packets of an interface wait for room to be sent, as on a
// slow link. While they do, the core begins no packet of an update there, so that
// updates go as fast as the link takes them.
type SendRoom struct {
	Interface string
	Full      bool
}

// WallClock says what time it is. The core counts on from there; it is given at
// birth (Options.Wall) and whenever the wall clock was set. Lifetimes of keys and
// the sequence numbers of authentication depend on it.
type WallClock struct{ Now time.Time }

// Clear forgets what was learnt from neighbours and asks them anew
// (`clear ip rip`), or sets counters to zero.
type Clear struct {
	VRF      string
	AllVRFs  bool
	Routes   bool
	Counters bool
}

// Query asks for a report; the effect Answer with the same ID follows within
// the same Step.
type Query struct {
	ID   uint64
	Kind ReportKind
	VRF  string
}

// Tracing turns the Trace effects on or off (`debug rip`).
type Tracing struct {
	Events  bool // what happens to routes, neighbours and timers
	Packets bool // every packet received and sent
}

// Shutdown says that the daemon is about to end for good: the core withdraws its
// routes from its neighbours by announcing them with metric 16. It is not to be
// given where the daemon is merely restarted.
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
func (SendRoom) input()         {}
func (WallClock) input()        {}
func (Clear) input()            {}
func (Query) input()            {}
func (Tracing) input()          {}
func (Shutdown) input()         {}
