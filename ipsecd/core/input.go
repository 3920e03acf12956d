package core

import (
	"crypto"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// PrivateKey signs. It prints as nothing that would give the key away.
type PrivateKey struct{ crypto.Signer }

// String prints no key.
func (PrivateKey) String() string { return "private key" }

// GoString prints no key.
func (PrivateKey) GoString() string { return "private key" }

// Input is what may be handed to Core.Step. The set is closed.
type Input interface{ input() }

// RxPacket is a datagram that arrived on port 500 or 4500. The core decodes it itself,
// so that a malformed one is a counted drop like any other; it keeps no reference to
// Packet. ESP in UDP does not come here: the kernel takes it.
type RxPacket struct {
	VRF    string // of the transport (front-door VRF)
	Local  netip.AddrPort
	Remote netip.AddrPort
	Packet []byte // UDP payload, on port 4500 with the marker
}

// Tick says that the instant of Core.Wake has come.
type Tick struct{}

// Attached says that a session to zebra opened. Stale is the number of objects of an
// earlier life of this daemon that still protect traffic; SAKnown tells which. If there are
// any, nothing is begun until they are known.
type Attached struct{ Stale int }

// SAKnown tells of an SA that is in force in the kernel, without its keys, and what it
// did: those of an earlier life after Attached, and what SAsKnown ends; and the answer
// to WatchSAs.
type SAKnown struct {
	SA    rib.ESP
	Count rib.SACount
}

// SAsKnown follows the last SAKnown after Attached.
type SAsKnown struct{}

// InterfaceChanged gives the present state of an interface, new or changed.
type InterfaceChanged struct{ Interface rib.Interface }

// InterfaceGone says that an interface does not exist any more.
type InterfaceGone struct{ Name string }

// InterfacesKnown follows the first InterfaceChanged of every interface that exists
// when a session opens.
type InterfacesKnown struct{}

// Secure asks for a peer to be secured: nhrpd wants to send to it. It holds until
// Unsecure, and is given again after a restart of either daemon.
type Secure struct {
	Tunnel string     // interface
	Peer   netip.Addr // NBMA address
}

// Unsecure takes a Secure back.
type Unsecure struct {
	Tunnel string
	Peer   netip.Addr
}

// Acquire tells of a packet that was held back since there is no SA for it. Local may be
// unspecified where it is of IPv6.
type Acquire struct{ Local, Remote netip.Addr }

// Expired tells that an SA reached a limit of its lifetime; at a hard one it is gone.
type Expired struct {
	Destination netip.Addr
	SPI         uint32
	Hard        bool
}

// SAGone tells that an SA is not in force any more, and nobody here asked for that.
type SAGone struct {
	Destination netip.Addr
	SPI         uint32
}

// MappingChanged tells that authentic ESP in UDP came from another address or port than
// its SA says.
type MappingChanged struct {
	Destination netip.Addr
	SPI         uint32
	New         netip.AddrPort
}

// ConfigSet replaces the whole configuration. Setting an equal one again changes
// nothing.
type ConfigSet struct{ Config Config }

// WallClock says what time it is; it is given at birth (Options.Wall) and whenever the
// wall clock was set. The validity of certificates depends on it.
type WallClock struct{ Now time.Time }

// Clear ends SAs, which are then negotiated anew where they are wanted, or sets
// counters to zero.
type Clear struct {
	IKE      bool // IKE SAs with all that belongs to them (`clear crypto session`, `clear crypto ikev2 sa`)
	Children bool // child SAs only (`clear crypto sa`)
	Counters bool
	Remote   netip.Addr // of this peer only; the zero Addr for all
	VRF      string
	AllVRFs  bool
}

// Query asks for a report; the effect Answer with the same ID follows within the same
// Step.
type Query struct {
	ID     uint64
	Kind   ReportKind
	Remote netip.Addr // of this peer only; the zero Addr for all
}

// Tracing turns the Trace effects on or off (`debug crypto`).
type Tracing struct {
	IKEv2    bool // what happens to IKE SAs
	Packets  bool // every message received and sent
	Internal bool // states and decisions
	IPsec    bool // child SAs
	Socket   bool // what nhrpd asks for and is told
}

// Shutdown says that the daemon is about to end for good: the core deletes its SAs and
// tells the peers. It is not to be given where the daemon is merely restarted.
type Shutdown struct{}

func (RxPacket) input()         {}
func (Tick) input()             {}
func (Attached) input()         {}
func (SAKnown) input()          {}
func (SAsKnown) input()         {}
func (InterfaceChanged) input() {}
func (InterfaceGone) input()    {}
func (InterfacesKnown) input()  {}
func (Secure) input()           {}
func (Unsecure) input()         {}
func (Acquire) input()          {}
func (Expired) input()          {}
func (SAGone) input()           {}
func (MappingChanged) input()   {}
func (ConfigSet) input()        {}
func (WallClock) input()        {}
func (Clear) input()            {}
func (Query) input()            {}
func (Tracing) input()          {}
func (Shutdown) input()         {}
