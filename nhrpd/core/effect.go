package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

// Effect is what Core.Drain yields. The set is closed.
type Effect interface{ effect() }

// TxPacket asks for an NHRP packet to be sent over a tunnel.
type TxPacket struct {
	Interface string
	NBMA      netip.Addr // destination in the outer header
	Packet    []byte     // from the NHRP fixed header on; the receiver of the effect owns it
}

// PutNeighbor states a neighbour; putting it again under its key replaces it.
type PutNeighbor struct{ Neighbor rib.Neighbor }

// DelNeighbor withdraws a neighbour.
type DelNeighbor struct{ Key rib.Key }

// PutMulticastPeer states that what a tunnel sends to many goes to an NBMA address
// as well. It is stated once for a tunnel and address, whatever speaks for it.
type PutMulticastPeer struct{ Peer rib.MulticastPeer }

// DelMulticastPeer withdraws a PutMulticastPeer.
type DelMulticastPeer struct{ Key rib.Key }

// PutLineProtocol states whether the line protocol of a tunnel may be up
// (`if-state nhrp`).
type PutLineProtocol struct{ Line rib.LineProtocol }

// DelLineProtocol withdraws a PutLineProtocol: the device alone decides.
type DelLineProtocol struct{ Key rib.Key }

// PutShaper states that no more than a rate goes to an NBMA address; putting it again
// under its key replaces it. It is stated once for a tunnel and address, whatever
// entries ask for it.
type PutShaper struct{ Shaper rib.Shaper }

// DelShaper withdraws a PutShaper.
type DelShaper struct{ Key rib.Key }

// WatchMisses asks to be told of packets of a tunnel that have no neighbour, by
// NeighborMiss. It is stated once for a tunnel.
type WatchMisses struct{ Interface string }

// UnwatchMisses takes a WatchMisses back.
type UnwatchMisses struct{ Interface string }

// WatchNextHop asks to be told how an address of a VRF is reached, by NextHopChanged.
type WatchNextHop struct {
	VRF  string
	Addr netip.Addr
}

// UnwatchNextHop takes a WatchNextHop back.
type UnwatchNextHop struct {
	VRF  string
	Addr netip.Addr
}

// WatchHairpins asks to be told of packets that leave by a tunnel and came in by it,
// or by another tunnel of the same group, by Hairpin. It is stated once for a tunnel.
type WatchHairpins struct {
	Interface string
	Group     uint32 // the network-id
}

// UnwatchHairpins takes a WatchHairpins back.
type UnwatchHairpins struct {
	Interface string
	Group     uint32
}

// WatchUse asks to be told to which NBMA addresses of a tunnel data is sent, by
// PeersUsed. It is stated once for a tunnel.
type WatchUse struct{ Interface string }

// UnwatchUse takes a WatchUse back.
type UnwatchUse struct{ Interface string }

// WantPeer asks for another end of a protected tunnel to be secured, and to be told of
// that by PeerSecured. It is stated once for a tunnel and address.
type WantPeer struct {
	Interface string
	NBMA      netip.Addr
}

// UnwantPeer takes a WantPeer back: nothing rests on that end any more.
type UnwantPeer struct {
	Interface string
	NBMA      netip.Addr
}

// PutTunnelPeer tells routing protocols what a client or a server is (lib/tunnelpeer);
// telling it again replaces it.
type PutTunnelPeer struct {
	Peer  tunnelpeer.Peer
	State tunnelpeer.State
}

// DelTunnelPeer withdraws a PutTunnelPeer.
type DelTunnelPeer struct{ Peer tunnelpeer.Peer }

// PutShortcut states a next-hop override: a prefix is sent to another station of the
// cloud directly, whatever the routing protocol's next hop is.
type PutShortcut struct{ Override rib.Override }

// DelShortcut withdraws a PutShortcut.
type DelShortcut struct{ Key rib.Key }

// SaveEntry asks for a cache entry to be kept for a later life of the daemon,
// replacing what was kept under the same key. The keeper remembers by the wall
// clock when it was handed over: RestoreEntry.Elapsed is counted from then.
type SaveEntry struct {
	Key  string // printable, without white space
	Data []byte // opaque, carries its version
}

// ForgetEntry takes a SaveEntry back.
type ForgetEntry struct{ Key string }

// EndOfReplay says that everything was stated that this life wants: zebra may
// sweep what is stale. It appears once for each Attached.
type EndOfReplay struct{}

// ResolveName asks for the addresses of the domain name of a Next Hop Server:
// NameResolved answers it. The name is looked up in the VRF of the transport.
type ResolveName struct {
	Name string
	VRF  string
	IPv6 bool // the tunnel's transport is IPv6: AAAA is wanted, A otherwise
}

// Severity is a syslog severity (RFC 5424 section 6.2.1).
type Severity uint8

// The severities in use.
const (
	SeverityError   Severity = 3
	SeverityWarning Severity = 4
	SeverityNotice  Severity = 5
)

// Log is a message for the operator, in Cisco's form:
// %DMVPN-<Severity>-<Mnemonic>: <Text>. It never holds a password.
type Log struct {
	Severity Severity
	Mnemonic string // "NHRP_NHS_UP"
	Text     string
}

// Trace is a debug event; formatting is left to the edge. Those that every
// packet causes appear only after Tracing.
type Trace struct {
	Event     TraceEvent
	Interface string
	Peer      netip.Addr   // protocol address, if known
	Target    netip.Prefix // of the entry, if the event is about one
	NBMA      netip.Addr   // if known
	Message   uint8        // NHRP packet type, if the event is about a packet
	Code      uint16       // CIE or error code, if there is one
	Drop      DropReason   // for TraceDropped
	RequestID uint32       // if there is one
	Reason    string       // why it came to this, where that is known
}

// Answer answers a Query.
type Answer struct {
	ID     uint64
	Report Report
}

func (TxPacket) effect()         {}
func (PutNeighbor) effect()      {}
func (DelNeighbor) effect()      {}
func (PutMulticastPeer) effect() {}
func (DelMulticastPeer) effect() {}
func (PutLineProtocol) effect()  {}
func (DelLineProtocol) effect()  {}
func (PutShaper) effect()        {}
func (DelShaper) effect()        {}
func (WatchMisses) effect()      {}
func (UnwatchMisses) effect()    {}
func (WatchNextHop) effect()     {}
func (UnwatchNextHop) effect()   {}
func (WatchHairpins) effect()    {}
func (UnwatchHairpins) effect()  {}
func (WatchUse) effect()         {}
func (UnwatchUse) effect()       {}
func (WantPeer) effect()         {}
func (UnwantPeer) effect()       {}
func (PutTunnelPeer) effect()    {}
func (DelTunnelPeer) effect()    {}
func (PutShortcut) effect()      {}
func (DelShortcut) effect()      {}
func (SaveEntry) effect()        {}
func (ForgetEntry) effect()      {}
func (EndOfReplay) effect()      {}
func (ResolveName) effect()      {}
func (Log) effect()              {}
func (Trace) effect()            {}
func (Answer) effect()           {}
