package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Effect is what Core.Drain yields. The set is closed.
type Effect interface{ effect() }

// Listen asks for packets of an interface: IP protocol 88 of the family, and the
// group (packet.GroupIPv4, packet.GroupIPv6) where Group is set. A later Listen for
// the same interface and family replaces the one before. Without an Interface it asks
// for what is sent to addresses of this router, whichever interface of the VRF it comes
// by: the packets of remote neighbours.
type Listen struct {
	Interface string
	VRF       string
	Family    rib.Family
	Group     bool
}

// Unlisten takes a Listen back.
type Unlisten struct {
	Interface string
	VRF       string // of a Listen without Interface
	Family    rib.Family
}

// TxPacket asks for an IP packet of protocol 88 to be sent.
type TxPacket struct {
	Interface string // by which it goes; "" where the routing table says
	VRF       string
	Source    netip.Addr // an address of the interface: link-local for IPv6
	Dest      netip.Addr // the group, or a router
	TTL       uint8      // 0: the usual one
	Packet    []byte     // the receiver of the effect owns it
}

// PutRoute states a route; putting it again under its key replaces it.
type PutRoute struct{ Route rib.Route }

// DelRoute withdraws a route.
type DelRoute struct{ Key rib.Key }

// WatchRoutes asks for the routes of another protocol: RouteChanged, and
// RoutesKnown after the first of them.
type WatchRoutes struct{ Watch rib.Watch }

// UnwatchRoutes takes a WatchRoutes back.
type UnwatchRoutes struct{ Watch rib.Watch }

// EndOfReplay says that everything was stated that this life wants: zebra may
// sweep what is stale. It appears once for each Attached, as soon as the neighbours
// have told their tables, or a while after the last of them could have.
type EndOfReplay struct{}

// Severity is a syslog severity (RFC 5424 section 6.2.1).
type Severity uint8

// The severities in use.
const (
	SeverityError   Severity = 3
	SeverityWarning Severity = 4
	SeverityNotice  Severity = 5
	SeverityInfo    Severity = 6
)

// Log is a message for the operator, in Cisco's form:
// %DUAL-<Severity>-<Mnemonic>: <Text>. It never holds a password or key.
type Log struct {
	Facility string // "DUAL", "EIGRP"
	Severity Severity
	Mnemonic string // "NBRCHANGE"
	Text     string // "EIGRP-IPv4 100: Neighbor 172.31.0.11 (Tunnel0) is up: new adjacency"
}

// Trace is a debug event; formatting is left to the edge. Traces appear only
// after Tracing.
type Trace struct {
	Event     TraceEvent
	Key       Key
	Interface string
	Peer      netip.Addr      // sender or receiver of a packet, or the neighbour concerned
	Prefix    netip.Prefix    // of a route, if the event is about one
	Drop      DropReason      // for TraceDropped
	Message   *packet.Message // for TraceReceived and TraceSent; the receiver of the effect owns it
	From, To  dual.State      // for TraceTransition
	Clause    string          // for TraceTransition: the number in RFC 7868 section 3.5
	Text      string          // what else is to be said
}

// TraceEvent tells traces apart.
type TraceEvent uint8

// The events, in the order of the parts of `debug eigrp` that show them.
const (
	TraceReceived TraceEvent = 1 + iota // packets: a packet that will be looked at
	TraceSent                           // packets: a packet that was handed to the edge
	TraceDropped                        // packets: a received packet was dropped: Drop says why

	TraceTransition // fsm: a step of DUAL's state machine
	TraceMessage    // fsm: DUAL was told something of Prefix that it ignored
	TraceInstalled  // fsm: Prefix was put into the routing table, by way of Peer, the first of its next hops
	TraceWithdrawn  // fsm: Prefix was taken out of it

	TracePeerNew  // neighbors: first packet of a neighbour
	TracePeerUp   // neighbors: its table is exchanged
	TracePeerDown // neighbors: Text says why

	TraceEnqueued    // transmit: a reliable packet waits for Peer
	TraceRetransmit  // transmit: it was sent again
	TraceAcked       // transmit: it was acknowledged
	TraceConditional // transmit: a multicast packet goes out with some neighbours excluded

	TraceTimer // timers: Text says which ran out
	numTraceEvents
)

// Answer answers a Query.
type Answer struct {
	ID     uint64
	Report Report
}

func (Listen) effect()        {}
func (Unlisten) effect()      {}
func (TxPacket) effect()      {}
func (PutRoute) effect()      {}
func (DelRoute) effect()      {}
func (WatchRoutes) effect()   {}
func (UnwatchRoutes) effect() {}
func (EndOfReplay) effect()   {}
func (Log) effect()           {}
func (Trace) effect()         {}
func (Answer) effect()        {}
