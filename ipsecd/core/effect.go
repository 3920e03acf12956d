package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Effect is what Core.Drain yields. The set is closed.
type Effect interface{ effect() }

// Listen asks for datagrams to an address on ports 500 and 4500. A later one for the
// same address and VRF changes nothing.
type Listen struct {
	VRF   string
	Local netip.Addr
}

// Unlisten takes a Listen back.
type Unlisten struct {
	VRF   string
	Local netip.Addr
}

// TxPacket asks for a datagram to be sent, past all policies of IPsec.
type TxPacket struct {
	VRF    string
	Local  netip.AddrPort
	Remote netip.AddrPort
	Packet []byte // UDP payload, on port 4500 with the marker; the receiver of the effect owns it
}

// PutSA states an SA; putting it again under its key changes its lifetime or ports. One
// without keys is of an earlier life, and is to be kept (rib.SA).
type PutSA struct{ SA rib.ESP }

// DelSA withdraws an SA.
type DelSA struct {
	Destination netip.Addr
	SPI         uint32
}

// Alias is an address by which a peer goes here, which is not the only one at its own.
type Alias struct {
	VRF   string     // of the transport
	Local netip.Addr // ours
	Addr  netip.Addr // of 240.0.0.0/4 (protection.IsAlias)
	Outer netip.Addr // what its packets have
}

// PutAlias states that GRE between Local and an alias passes by SAs that have it, and goes
// where Outer is.
type PutAlias struct{ Alias Alias }

// DelAlias takes a PutAlias back.
type DelAlias struct{ Alias Alias }

// WatchSAs asks for the counters of SAs: SAKnown for each of them.
type WatchSAs struct{ SAs []DelSA }

// PeerState tells nhrpd how a peer is secured. It is remembered for a nhrpd that
// restarts.
type PeerState struct {
	Tunnel   string
	Peer     netip.Addr // NBMA address, or alias (protection.IsAlias)
	State    Security
	Identity string     // of the peer, once it is authenticated; for show
	Reason   string     // why it is not secured, in a few words
	Outer    netip.Addr // its NBMA address, if Peer is an alias and that is known
}

// PeerGone takes a PeerState back: there is no such peer any more.
type PeerGone struct {
	Tunnel string
	Peer   netip.Addr
}

// Security is how far a peer is secured.
type Security uint8

// The states. With each of them `show dmvpn` names a layer.
const (
	SecurityIKE   Security = iota // no IKE SA: IKE
	SecurityIPsec                 // an IKE SA, but no child SA: IPSEC
	SecurityUp                    // packets pass
	SecurityLost                  // they did, and do no more: what rests on it goes at once
)

// EndOfReplay says that everything was stated that this life wants of what an earlier one
// left; the rest goes. It follows SAsKnown, ConfigSet and InterfacesKnown.
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
// %<Facility>-<Severity>-<Mnemonic>: <Text>. It never holds a key.
type Log struct {
	Facility string // "IKEV2", "CRYPTO", "PKI"
	Severity Severity
	Mnemonic string
	Text     string
}

// Trace is a debug event; it never holds a key. Traces appear only after Tracing.
type Trace struct {
	Event  TraceEvent
	SPI    uint64 // our SPI of the IKE SA, if the event is about one
	Child  uint32 // inbound SPI of the child SA, if the event is about one
	Remote netip.AddrPort
	Drop   DropReason // for TraceDropped
	Text   string
}

// TraceEvent tells traces apart.
type TraceEvent uint8

// The events, in the order of the parts of `debug crypto` that show them.
const (
	TraceReceived  TraceEvent = 1 + iota // packet: a message that will be looked at
	TraceSent                            // packet
	TraceResent                          // packet: a retransmission
	TraceDropped                         // packet: Drop says why
	TraceState                           // internal: an IKE SA changed its state
	TraceChosen                          // ikev2: proposal, profile or key that was chosen
	TraceRefused                         // ikev2: a request of the peer was refused
	TraceSAUp                            // ikev2: an IKE SA is established
	TraceSADown                          // ikev2
	TraceChildUp                         // ipsec: a child SA is in force
	TraceChildDown                       // ipsec
	TraceAcquired                        // socket: a packet or nhrpd wants a peer to be secured
	TracePublished                       // socket: nhrpd was told of a peer
	numTraceEvents
)

// Answer answers a Query.
type Answer struct {
	ID     uint64
	Report Report
}

func (Listen) effect()      {}
func (Unlisten) effect()    {}
func (TxPacket) effect()    {}
func (PutSA) effect()       {}
func (DelSA) effect()       {}
func (PutAlias) effect()    {}
func (DelAlias) effect()    {}
func (WatchSAs) effect()    {}
func (PeerState) effect()   {}
func (PeerGone) effect()    {}
func (EndOfReplay) effect() {}
func (Log) effect()         {}
func (Trace) effect()       {}
func (Answer) effect()      {}
