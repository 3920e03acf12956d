package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Input is what may be handed to Core.Step. The set is closed.
type Input interface{ input() }

// Tick says that the instant of Core.Wake has come.
type Tick struct{}

// Attached says that a session to zebra opened. Stale is the number of objects of an
// earlier life of this daemon that still forward; they are swept after the effect
// EndOfReplay.
type Attached struct{ Stale int }

// ConfigSet replaces the whole configuration.
type ConfigSet struct{ Config Config }

// RouteChanged says that a route of a watch came, changed or went (effect WatchAdd).
type RouteChanged struct {
	Watch     rib.Watch
	Route     rib.Route
	Withdrawn bool
}

// RoutesKnown follows the last RouteChanged of the routes that were there when a watch
// began.
type RoutesKnown struct{ Watch rib.Watch }

// NextHopChanged says how a next hop that is watched is reached.
type NextHopChanged struct{ rib.NextHopChanged }

// Started says that the speaker of a VRF runs: a new one, which knows no routes.
type Started struct {
	VRF string
	// Returning are those who had come from listen ranges in the daemon's earlier life:
	// they are awaited like configured neighbours.
	Returning []Neighbor
}

// Stopped says that the speaker of a VRF runs no more, and that its routes are gone.
type Stopped struct{ VRF string }

// Best says what the best paths of prefixes are now.
type Best struct {
	VRF    string
	Routes []Route
}

// Route is a prefix and its best paths, the best first; none: it is gone.
type Route struct {
	Prefix netip.Prefix
	Paths  []Path
}

// Path is a best path.
type Path struct {
	NextHop   netip.Addr
	Own       bool   // originated here
	Aggregate bool   // made here of more specific prefixes
	External  bool   // of an external neighbour
	MED       uint32 // MULTI_EXIT_DISC
	AS        uint32 // the neighbouring AS that it came through
}

// NextHopUsed says that some path has a next hop, or that none has it any more.
type NextHopUsed struct {
	VRF  string
	Addr netip.Addr
	Used bool
}

// EndOfRIB says that a neighbour has told all of its routes (RFC 4724 section 2).
type EndOfRIB struct {
	VRF string
	Neighbor
}

// Settled answers Settle: all that follows from what the speaker of a VRF was told before
// has been told to core.
type Settled struct{ VRF string }

// Query asks for a report; the effect Answer with the same ID follows within the same
// Step.
type Query struct {
	ID  uint64
	VRF string
}

func (Tick) input()           {}
func (Attached) input()       {}
func (ConfigSet) input()      {}
func (RouteChanged) input()   {}
func (RoutesKnown) input()    {}
func (NextHopChanged) input() {}
func (Started) input()        {}
func (Stopped) input()        {}
func (Best) input()           {}
func (NextHopUsed) input()    {}
func (EndOfRIB) input()       {}
func (Settled) input()        {}
func (Query) input()          {}
