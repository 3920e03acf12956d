package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Effect is what Core.Drain yields. The set is closed.
type Effect interface{ effect() }

// Originate has the speaker of a VRF tell a route of ours; telling it again replaces it.
type Originate struct {
	VRF        string
	Prefix     netip.Prefix
	Attributes *locrib.Attributes
}

// Withdraw takes an Originate back.
type Withdraw struct {
	VRF    string
	Prefix netip.Prefix
}

// SetNextHop tells the speaker of a VRF how a next hop is reached.
type SetNextHop struct {
	VRF       string
	Addr      netip.Addr
	Reachable bool
	Metric    uint32
}

// Retell asks for all best paths of an address family again: how they are installed has
// changed.
type Retell struct {
	VRF    string
	Family rib.Family
}

// Settle asks the speaker of a VRF to work on all that it knows; the input Settled follows.
type Settle struct{ VRF string }

// PutRoute states a route; putting it again under its key replaces it.
type PutRoute struct{ Route rib.Route }

// DelRoute withdraws a route.
type DelRoute struct{ Key rib.Key }

// WatchAdd asks zebra to be told of something: RouteChanged or NextHopChanged.
type WatchAdd struct{ Watch rib.Watch }

// WatchDel takes a WatchAdd back.
type WatchDel struct{ Watch rib.Watch }

// EndOfReplay says that everything was stated that this life wants: zebra may sweep what
// is stale. It appears once.
type EndOfReplay struct{}

// Answer answers a Query.
type Answer struct {
	ID     uint64
	Report Report
}

// Report is what a Query asks for.
type Report struct {
	Replayed bool      // the end of replay was told
	Networks []Network // those of the network statements that are told
	NextHops []NextHop
	Routes   int // stated to zebra
	Own      int // told to the speaker
}

// NextHop is a next hop in a Report.
type NextHop struct {
	Addr   netip.Addr
	Known  bool         // zebra has answered
	Prefix netip.Prefix // by which it is reached; not valid: unreachable
	Metric uint32
}

func (Originate) effect()   {}
func (Withdraw) effect()    {}
func (SetNextHop) effect()  {}
func (Retell) effect()      {}
func (Settle) effect()      {}
func (PutRoute) effect()    {}
func (DelRoute) effect()    {}
func (WatchAdd) effect()    {}
func (WatchDel) effect()    {}
func (EndOfReplay) effect() {}
func (Answer) effect()      {}
