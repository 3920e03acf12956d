package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// ReportKind tells what a Query asks for.
type ReportKind uint8

// The kinds of reports.
const (
	ReportSAs    ReportKind = 1 + iota // *SAReport: `show crypto ikev2 sa`, `session`, `show crypto ipsec sa`
	ReportPeers                        // *PeerReport: `show crypto socket`, `show crypto session`
	ReportConfig                       // *ConfigReport: `show crypto ikev2 proposal`, `policy`, `profile` …
	ReportStats                        // *StatsReport: `show crypto ikev2 stats`
)

// Report is an answer to a Query. The set is closed; reports are values that share
// nothing with the core, and have no keys in them.
type Report interface{ report() }

// SAReport are the IKE SAs in the order in which they began.
type SAReport struct{ SAs []SAStatus }

// State is the state of an IKE SA.
type State uint8

// The states, in the order in which an IKE SA goes through them.
const (
	StateInitSent     State = 1 + iota // IKE_SA_INIT was sent
	StateInitAnswered                  // IKE_SA_INIT was answered: half-open
	StateIntermediate                  // IKE_INTERMEDIATE under way (RFC 9242)
	StateAuthSent                      // IKE_AUTH was sent
	StateReady                         // established
	StateRekeyed                       // replaced by another, waits for its deletion
	StateDeleting                      // a DELETE was sent
)

// SAStatus is an IKE SA.
type SAStatus struct {
	Number         int // for show, used again
	State          State
	Initiator      bool // we began it
	VRF            string
	Local, Remote  netip.AddrPort
	Alias          netip.Addr // by which the peer goes here; the zero Addr if by Remote
	SPI, PeerSPI   packet.SPI
	Suite          suite.IKE
	Group          packet.Group
	Additional     []packet.Group
	Profile        string
	Identity, Peer Identity
	LocalMethod    Method
	RemoteMethod   Method
	Age, Lifetime  time.Duration
	DPD            *DPD
	NATLocal       bool // a NAT is before us
	NATRemote      bool // a NAT is before the peer
	Fragmentation  bool
	PeerWindow     uint32
	NextRequest    uint32 // Message ID
	NextExpected   uint32
	Childless      bool
	Children       []ChildStatus
}

// ChildStatus is a pair of ESP SAs.
type ChildStatus struct {
	Tunnel   string
	In, Out  rib.ESP // without keys
	InCount  rib.SACount
	OutCount rib.SACount
	Group    packet.Group // of PFS, 0 for none
	// Additional are the methods of additional key exchanges (RFC 9370).
	Additional []packet.Group
	Age        time.Duration
	Lifetime   time.Duration
	RekeyIn    time.Duration // until it is replaced
	Rekeyed    bool          // replaced already
	LocalTS    []packet.Selector
	RemoteTS   []packet.Selector
}

// PeerReport are the peers that are to be secured, by tunnel and address.
type PeerReport struct{ Peers []PeerStatus }

// PeerStatus is a peer that is to be secured, or is.
type PeerStatus struct {
	Tunnel   string
	Profile  string
	Local    netip.Addr
	Peer     netip.Addr // where nhrpd has it: its address or its alias
	Outer    netip.Addr // its address, if Peer is an alias and that is known
	State    Security
	Since    time.Duration
	Wanted   bool   // nhrpd wants it
	Identity string // of the peer
	Reason   string // why it is not up
	Attempts int
	NextTry  time.Duration
}

// ConfigReport is the configuration with the defaults filled in.
type ConfigReport struct{ Config Config }

// StatsReport are the numbers of `show crypto ikev2 stats`.
type StatsReport struct {
	Incoming, Outgoing       int // IKE SAs under negotiation
	Established              int // IKE SAs
	Children                 int
	MaxIncoming, MaxOutgoing int
	MaxSAs                   int
	Cookies                  bool // are wanted at present
	Counters                 Counters
}

// Counters count messages and what became of them.
type Counters struct {
	Sent, Received        [numExchanges]uint64 // by exchange, requests and responses
	Resent                uint64
	Accepted, Refused     uint64 // requests for an IKE SA
	Succeeded, Failed     uint64 // negotiations that we began
	Rekeyed, ChildRekeyed uint64
	IKEv1                 uint64
	Dropped               [NumDropReasons]uint64
}

const numExchanges = 16

// DropReason says why a datagram was not taken.
type DropReason uint8

// The reasons.
const (
	DropMalformed DropReason = 1 + iota // packet.Parse refused it
	DropIKEv1                           // it is of IKEv1
	DropUnknownSA                       // it is of no IKE SA
	DropIntegrity                       // its checksum is wrong, or it has none
	DropMessageID                       // it is neither the next request nor the answer to ours
	DropState                           // its exchange has no place in this state
	DropAddress                         // nobody listens there
	DropLimit                           // too many are under negotiation
	DropRate                            // an answer would be one too many
	DropCookie                          // its cookie is wrong
	DropFragment                        // a fragment that fits nothing
	NumDropReasons
)

func (*SAReport) report()     {}
func (*PeerReport) report()   {}
func (*ConfigReport) report() {}
func (*StatsReport) report()  {}
