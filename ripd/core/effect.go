package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// Effect is what Core.Drain yields. The set is closed.
type Effect interface{ effect() }

// Listen asks for packets of an interface: port 520 in its VRF, and the group
// 224.0.0.9 on it where Group is set (RFC 2453 section 4.5). A later Listen for
// the same interface replaces the one before.
type Listen struct {
	Interface string
	VRF       string
	Group     bool
}

// Unlisten takes a Listen back.
type Unlisten struct{ Interface string }

// TxPacket asks for a datagram to be sent from port 520.
type TxPacket struct {
	Interface string         // by which it goes
	Source    netip.Addr     // an address of the interface
	Dest      netip.AddrPort // the group, 255.255.255.255, or a router
	Packet    []byte         // UDP payload; the receiver of the effect owns it
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
// sweep what is stale. It appears once for each Attached: at once where the core
// has been at work for an update interval and a half, and otherwise then, since
// by that time every living neighbour has told its whole table.
type EndOfReplay struct{}

// Severity is a syslog severity (RFC 5424 section 6.2.1).
type Severity uint8

// The severities in use.
const (
	SeverityError   Severity = 3
	SeverityWarning Severity = 4
	SeverityNotice  Severity = 5
)

// Log is a message for the operator, in Cisco's form:
// %RIP-<Severity>-<Mnemonic>: <Text>. It never holds a password or key.
type Log struct {
	Severity Severity
	Mnemonic string // "NBRCHANGE"
	Text     string
}

// Trace is a debug event; formatting is left to the edge. Traces appear only
// after Tracing.
type Trace struct {
	Event     TraceEvent
	VRF       string
	Interface string
	Peer      netip.AddrPort // sender or receiver of a packet, if there is one
	Prefix    netip.Prefix   // of a route, if the event is about one
	Metric    uint32         // of that route
	Drop      DropReason     // for TraceDropped and TraceEntryDropped
	// Message is what a packet says, for TraceReceived and TraceSent; the
	// receiver of the effect owns it.
	Message *packet.Message
}

// TraceEvent tells traces apart.
type TraceEvent uint8

// The events. The first three are those of `debug rip packets`, the others those
// of `debug rip events`.
const (
	TraceReceived      TraceEvent = 1 + iota // a packet that will be looked at
	TraceSent                                // a packet that was handed to the edge
	TraceDropped                             // a received packet was dropped: Drop says why
	TraceEntryDropped                        // one entry of a packet was ignored: Drop says why
	TraceRegular                             // a regular update begins on Interface
	TraceTriggered                           // a triggered update begins on Interface
	TraceRequested                           // Peer is being answered
	TraceRouteNew                            // Prefix became reachable
	TraceRouteChanged                        // its metric or way changed
	TraceRouteTimeout                        // its last way timed out, or its interface went
	TraceRouteDeleted                        // it was garbage-collected
	TracePeerUp                              // first packet of a neighbour
	TracePeerDown                            // nothing was heard of a neighbour for the timeout
	TraceInterfaceUp                         // RIP begins on Interface
	TraceInterfaceDown                       // RIP ends there
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
