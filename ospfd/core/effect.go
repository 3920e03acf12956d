package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Effect is what Core.Drain yields. The set is closed.
type Effect interface{ effect() }

// Listen asks for packets of IP protocol 89 of an interface: to addresses of this router,
// to AllSPFRouters where Group is set and to AllDRouters where Designated is. A later
// Listen for the same interface replaces the one before. Without an Interface it asks for
// what is sent to addresses of this router by whichever interface of the VRF: the packets
// of virtual links.
type Listen struct {
	Interface         string
	VRF               string
	Group, Designated bool
}

// Unlisten takes a Listen back.
type Unlisten struct {
	Interface string
	VRF       string // of a Listen without Interface
}

// TxPacket asks for an IP packet of protocol 89 to be sent, with precedence
// internetwork control (RFC 2328 section A.1).
type TxPacket struct {
	Interface string // by which it goes; "" where the routing table says (virtual links)
	VRF       string
	Source    netip.Addr
	Dest      netip.Addr // a group, or a router
	TTL       uint8      // 1; 0: the usual one of the system (virtual links)
	Packet    []byte     // the receiver of the effect owns it
}

// PutRoute states a route; putting it again under its key replaces it.
type PutRoute struct{ Route rib.Route }

// DelRoute withdraws a route.
type DelRoute struct{ Key rib.Key }

// WatchRoutes asks for the routes of another protocol: RouteChanged, and RoutesKnown
// after the first of them.
type WatchRoutes struct{ Watch rib.Watch }

// UnwatchRoutes takes a WatchRoutes back.
type UnwatchRoutes struct{ Watch rib.Watch }

// Remember asks that Value be given to the next life of the daemon (input Remembered),
// in place of what was remembered of the instance before.
type Remember struct {
	Key   Key
	Value Memory
}

// Forget takes a Remember back.
type Forget struct{ Key Key }

// EndOfReplay says that everything was stated that this life wants: zebra may sweep what
// is stale. It appears once for each Attached, as soon as the neighbours have told their
// databases and routes were computed, or a while after the last of them could have.
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
// %OSPF-<Severity>-<Mnemonic>: <Text>. It never holds a password or key.
type Log struct {
	Severity Severity
	Mnemonic string // "ADJCHG"
	Text     string // "Process 1, Nbr 10.0.0.2 on Tunnel0 from LOADING to FULL, Loading Done"
}

// Trace is a debug event; formatting is left to the edge. Traces appear only after
// Tracing.
type Trace struct {
	Event     TraceEvent
	Key       Key
	Interface string
	Peer      netip.Addr // sender or receiver of a packet, or the neighbour concerned
	Router    packet.ID  // its router ID
	LSA       packet.LSAKey
	Drop      DropReason      // for TraceDropped
	Message   *packet.Message // for TraceReceived and TraceSent; the receiver of the effect owns it
	Text      string          // what else is to be said
}

// TraceEvent tells traces apart.
type TraceEvent uint8

// The events, in the order of the parts of `debug ip ospf` that show them.
const (
	TraceReceived   TraceEvent = 1 + iota // packets and hello: a packet that will be looked at
	TraceSent                             // packets and hello: a packet that was handed to the edge
	TraceDropped                          // packets and hello: a received packet was dropped: Drop says why
	TraceNeighbor                         // adj: a neighbour's state
	TraceInterface                        // adj: an interface's state, an election
	TraceFlood                            // flood: an LSA was installed, refused, sent, or acknowledged by either side
	TraceGeneration                       // lsa-generation: an own LSA was made or flushed
	TraceSPF                              // spf: a computation
	TraceRoute                            // rib: a route was put or taken away
	TraceRestart                          // nsf: graceful restart
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
func (Remember) effect()      {}
func (Forget) effect()        {}
func (EndOfReplay) effect()   {}
func (Log) effect()           {}
func (Trace) effect()         {}
func (Answer) effect()        {}
