package rib

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Effect is what the RIB wants done or told. The set is closed.
type Effect interface{ effect() }

// FIBPut asks for a route in the forwarding table, in place of an earlier one
// for the same VRF and prefix. Connected, local and kernel routes are never
// put: the kernel has them by itself.
//
// There is no metric: the RIB has chosen, and the forwarding table holds one
// route for each prefix, which a put can replace in one operation.
type FIBPut struct {
	Gen        uint64 // larger in each effect; comes back in Result
	VRF        string
	Prefix     netip.Prefix
	Protocol   rib.Protocol // of the selected route, overridden or not
	Overridden bool         // NextHops are those of a rib.Override
	// NextHops are resolved: each has an interface, or is a discard; the
	// address is absent where the destination is on the link. OnLink is set
	// where the gateway lies in no subnet of the interface. VRF and LeaveVRF
	// tell where the interface's VRF is not the route's. Read-only.
	NextHops []rib.NextHop
}

// FIBDelete takes back a FIBPut.
type FIBDelete struct {
	Gen    uint64
	VRF    string
	Prefix netip.Prefix
}

// NeighborPut asks for a neighbour entry, in place of an earlier one for the
// same interface and address.
type NeighborPut struct {
	Gen      uint64
	Neighbor rib.Neighbor
}

// NeighborDelete takes back a NeighborPut.
type NeighborDelete struct {
	Gen       uint64
	Interface string
	Addr      netip.Addr
}

// PeerPut asks for a multicast peer.
type PeerPut struct {
	Gen  uint64
	Peer rib.MulticastPeer
}

// PeerDelete takes back a PeerPut.
type PeerDelete struct {
	Gen  uint64
	Peer rib.MulticastPeer
}

// LinePut says whether the line protocol of an interface may be up. That takes
// effect by InterfaceChanged.
type LinePut struct {
	Gen  uint64
	Line rib.LineProtocol
}

// LineDelete takes back a LinePut.
type LineDelete struct {
	Gen       uint64
	Interface string
}

// ShaperPut asks for a shaper, in place of an earlier one for the same interface and
// address.
type ShaperPut struct {
	Gen    uint64
	Shaper rib.Shaper
}

// ShaperDelete takes back a ShaperPut.
type ShaperDelete struct {
	Gen       uint64
	Interface string
	NBMA      netip.Addr
}

// SAPut asks for a security association that Owner states, in place of what was asked
// for under its key.
type SAPut struct {
	Gen   uint64
	Owner string
	SA    rib.SA
}

// SADelete takes back an SAPut.
type SADelete struct {
	Gen uint64
	SA  rib.Key
}

// PolicyPut asks for a policy of a daemon, in place of what was asked for under its key.
type PolicyPut struct {
	Gen    uint64
	Policy rib.Policy
}

// PolicyDelete takes back a PolicyPut.
type PolicyDelete struct {
	Gen    uint64
	Policy rib.Key
}

// ToOwner is an event for a daemon or a built-in owner: an Ack, an answer to
// a watch.
//
// In Ack.Failures a failure with an empty Error says that an object which was
// reported as failed is now in force.
type ToOwner struct {
	Owner string
	Event rib.Event
}

// Trace reports a decision, for the log. It is emitted if Options.Trace is set.
type Trace struct {
	Event  TraceEvent
	Owner  string       // "" if no single one
	VRF    string       // of Prefix
	Prefix netip.Prefix // zero if the event is about no prefix
	Text   string
}

// TraceEvent tells the kinds of Trace apart.
type TraceEvent uint8

// The events that are traced.
const (
	TraceSelected   TraceEvent = 1 + iota // a route was selected, or the selected one changed
	TraceUnselected                       // a prefix has no selected route any more
	TraceRefused                          // an object made no sense
	TraceStale                            // an owner was lost
	TraceSwept                            // stale objects were removed
	TraceUnsettled                        // recursion did not settle; the prefix is held inactive
)

var traceNames = [...]string{
	TraceSelected:   "selected",
	TraceUnselected: "unselected",
	TraceRefused:    "refused",
	TraceStale:      "stale",
	TraceSwept:      "swept",
	TraceUnsettled:  "unsettled",
}

// String returns the event's name.
func (e TraceEvent) String() string {
	if e == 0 || int(e) >= len(traceNames) {
		return "unknown"
	}
	return traceNames[e]
}

// Key returns the key under which the FIB gives its verdict: kind, VRF and
// prefix, without the protocol.
func (e FIBPut) Key() rib.Key { return fibKey(e.VRF, e.Prefix) }

// Key returns the key under which the FIB gives its verdict.
func (e FIBDelete) Key() rib.Key { return fibKey(e.VRF, e.Prefix) }

// Key returns the key under which the FIB gives its verdict.
func (e NeighborPut) Key() rib.Key { return e.Neighbor.Key() }

// Key returns the key under which the FIB gives its verdict.
func (e NeighborDelete) Key() rib.Key {
	return rib.Key{Kind: rib.KindNeighbor, Interface: e.Interface, Addr: e.Addr}
}

// Key returns the key under which the FIB gives its verdict.
func (e PeerPut) Key() rib.Key { return e.Peer.Key() }

// Key returns the key under which the FIB gives its verdict.
func (e PeerDelete) Key() rib.Key { return e.Peer.Key() }

// Key returns the key under which the verdict is given.
func (e LinePut) Key() rib.Key { return e.Line.Key() }

// Key returns the key under which the verdict is given.
func (e LineDelete) Key() rib.Key { return rib.LineProtocol{Interface: e.Interface}.Key() }

// Key returns the key under which the FIB gives its verdict.
func (e ShaperPut) Key() rib.Key { return e.Shaper.Key() }

// Key returns the key under which the FIB gives its verdict.
func (e ShaperDelete) Key() rib.Key {
	return rib.Key{Kind: rib.KindShaper, Interface: e.Interface, Addr: e.NBMA}
}

// Key returns the key under which the FIB gives its verdict.
func (e SAPut) Key() rib.Key { return e.SA.Key() }

// Key returns the key under which the FIB gives its verdict.
func (e SADelete) Key() rib.Key { return e.SA }

// Key returns the key under which the FIB gives its verdict.
func (e PolicyPut) Key() rib.Key { return e.Policy.Key() }

// Key returns the key under which the FIB gives its verdict.
func (e PolicyDelete) Key() rib.Key { return e.Policy }

func fibKey(vrf string, p netip.Prefix) rib.Key {
	return rib.Key{Kind: rib.KindRoute, VRF: vrf, Prefix: p}
}

func (FIBPut) effect()         {}
func (FIBDelete) effect()      {}
func (NeighborPut) effect()    {}
func (NeighborDelete) effect() {}
func (PeerPut) effect()        {}
func (PeerDelete) effect()     {}
func (LinePut) effect()        {}
func (LineDelete) effect()     {}
func (ShaperPut) effect()      {}
func (ShaperDelete) effect()   {}
func (SAPut) effect()          {}
func (SADelete) effect()       {}
func (PolicyPut) effect()      {}
func (PolicyDelete) effect()   {}
func (ToOwner) effect()        {}
func (Trace) effect()          {}
