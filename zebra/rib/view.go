package rib

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// FIBState tells how far a prefix is in the forwarding table. It is a fact
// apart from selection: a selected route may not be installed, and why is
// PrefixView.Error.
type FIBState uint8

// The states of a prefix in the forwarding table.
const (
	FIBNone      FIBState = iota // nothing is asked for: not selected, or the kernel has it by itself
	FIBPending                   // asked for or taken back, and no verdict yet
	FIBInstalled                 // in force
	FIBFailed                    // the FIB reported an error
)

// PrefixView is all that the RIB knows of one prefix.
type PrefixView struct {
	VRF      string
	Prefix   netip.Prefix
	Routes   []RouteView // candidates, best first; the selected one, if any, has Selected set
	FIB      FIBState
	Error    string        // why, if FIB is FIBFailed
	Override *OverrideView // in force or waiting; nil if there is none
	// Forwarding are the next hops last asked of the FIB: those of the
	// override where one is in force.
	Forwarding []rib.NextHop
}

// Selected returns the selected route.
func (v PrefixView) Selected() (RouteView, bool) {
	for _, r := range v.Routes {
		if r.Selected {
			return r, true
		}
	}
	return RouteView{}, false
}

// RouteView is one candidate for a prefix. An override that counts as a route,
// as no route has its prefix, appears as one, with IsOverride set.
type RouteView struct {
	Owner      string
	Route      rib.Route
	IsOverride bool
	Selected   bool
	Stale      bool          // its owner was lost and has not repeated it
	Since      clock.Instant // of the last change
	Resolved   []rib.NextHop // what the next hops come down to; empty if Reason is not Active
	NextHops   []NextHopView // one for each of Route.NextHops
	Reason     Reason        // why it is not selected; Active if it is
	Why        string        // Reason in words, with the address or interface concerned
}

// NextHopView tells how one next hop of a route fares.
type NextHopView struct {
	NextHop rib.NextHop
	Reason  Reason // Active if it resolves
	Why     string
}

// OverrideView is an override of a prefix.
type OverrideView struct {
	Owner    string
	Override rib.Override
	InForce  bool // as an override of the selected route, or as a route itself
	Stale    bool
	Since    clock.Instant
	Reason   Reason // why it is not in force
	Why      string
}

// NextHopWatchView is a row of the table of tracked next hops.
type NextHopWatchView struct {
	Owner string
	Last  rib.NextHopChanged // what the owner was told last
}

// NeighborView is a neighbour entry.
type NeighborView struct {
	Owner    string
	Neighbor rib.Neighbor
	Stale    bool
	Since    clock.Instant
	FIB      FIBState
	Error    string
}

// ShaperView is a shaper in force.
type ShaperView struct {
	Owner  string
	Shaper rib.Shaper
	FIB    FIBState
	Error  string
}

// OwnerView counts what an owner holds.
type OwnerView struct {
	Owner   string
	Objects int // all kinds
	Stale   int // of these, not repeated since the owner was lost
	Watches int
}

// Counts are the routes of one protocol in a VRF and address family.
type Counts struct {
	Protocol  rib.Protocol
	Routes    int // candidates
	Selected  int
	Installed int // of the selected, in the forwarding table by our doing
	Failed    int // of the selected, refused by the forwarding table
}
