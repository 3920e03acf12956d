package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

// Numbers and bounds of the protocol.
const (
	Protocol  = 88 // IP protocol number, of IPv4 and IPv6 (RFC 7868 section 6.1)
	Version   = 2  // Header Version (section 6.5); TLVs have versions of their own
	HeaderLen = 20 // octets of the header
	// MaxPacketSize is the largest packet that is read or written, in octets: what
	// fits a jumbo frame.
	MaxPacketSize = 9216
	// MaxPaths bounds the AddPath attributes of a route (section 6.9.3.8).
	MaxPaths = 4
)

// The multicast addresses of all EIGRP routers (RFC 7868 section 6.1).
var (
	GroupIPv4 = netip.AddrFrom4([4]byte{224, 0, 0, 10})
	GroupIPv6 = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x0a})
)

// Opcode is the type of a message (RFC 7868 section 6.5).
type Opcode uint8

// Opcodes. 6 to 9 are reserved and refused: IPX SAP, probe, acknowledgment (which is
// a Hello with an Acknowledgment Number) and one without a name.
const (
	Update   Opcode = 1
	Request  Opcode = 2
	Query    Opcode = 3
	Reply    Opcode = 4
	Hello    Opcode = 5
	SIAQuery Opcode = 10
	SIAReply Opcode = 11
)

// Known reports whether messages of this type can be read and written.
func (o Opcode) Known() bool {
	return o >= Update && o <= Hello || o == SIAQuery || o == SIAReply
}

// Flags is the Flags field of the header (RFC 7868 section 6.5). Bits without a
// name survive Decode and AppendBinary.
type Flags uint32

// Flags.
const (
	FlagInit               Flags = 0x01 // INIT: send me your full set of routes
	FlagConditionalReceive Flags = 0x02 // CR: only for those in Conditionally Received mode
	FlagRestart            Flags = 0x04 // RS: graceful restart is going on
	FlagEndOfTable         Flags = 0x08 // EOT: the Updates of the start are complete
)

// Virtual Router IDs (RFC 7868 section 6.5); the others are reserved and refused.
const (
	VRIDUnicast   uint16 = 0x0000 // unicast address family
	VRIDMulticast uint16 = 0x0001 // multicast address family
	VRIDService   uint16 = 0x8000 // service family
)

// RouterID is a Router Identifier, written like an IPv4 address.
type RouterID uint32

// Message is one EIGRP packet (RFC 7868 section 6.5):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Header Version | Opcode        |           Checksum            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                             Flags                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Sequence Number                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     Acknowledgment Number                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Virtual Router ID             |   Autonomous System Number    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                        TLVs (variable)                        ~
//	+---------------------------------------------------------------+
//
// Slices and pointers in a Message that Decode filled belong to the Message and are
// valid until the next Decode into it; Clone makes them independent. Do not Decode
// into a copy of a Message while the original is in use.
type Message struct {
	Opcode Opcode
	Flags  Flags
	// Sequence is the Sequence Number; 0 wants no acknowledgment.
	Sequence uint32
	// Ack is the Acknowledgment Number: the Sequence of the receiver that is
	// acknowledged, 0 for none. Only in unicast packets.
	Ack  uint32
	VRID uint16 // virtual router; one of the VRID constants
	AS   uint16 // autonomous system, 1 to 65535

	// Auth is the authentication that Decode found; AppendBinary ignores it.
	Auth Auth
	// Parameters is the Parameter TLV, nil for none.
	Parameters *Parameters
	// SequenceAddrs is the Sequence TLV: neighbours that shall not enter
	// Conditionally Received mode (RFC 7868 section 6.7.3). Empty: no TLV.
	SequenceAddrs []netip.Addr
	// Software is the Software Version TLV, nil for none.
	Software *Software
	// MulticastSequence is the Multicast Sequence TLV: the Sequence of the next
	// multicast packet (section 6.7.5). 0: no TLV.
	MulticastSequence uint32
	// Stub is the Peer Information TLV, which the RFC reserves (section 6.7.6) and
	// in which routers say that they are stubs. 0: no TLV.
	Stub StubFlags
	// Terminated is the Peer Termination TLV: neighbours whose adjacency the sender
	// has reset (section 6.7.7). Empty: no TLV.
	Terminated []netip.Addr
	// TIDs is the TID List TLV: topologies of the sender, with the base topology 0
	// (section 6.7.8). Empty: no TLV.
	TIDs []uint16
	// Routes are the route TLVs, in the order of the packet.
	Routes []Route
	// Communities are the Community TLVs, in the order of the packet.
	Communities []Communities
	// Unknown are the other TLVs, in the order of the packet.
	Unknown []TLV

	own storage
}

// storage is what Decode uses again from packet to packet.
type storage struct {
	b           []byte
	parameters  Parameters
	software    Software
	addrs       []netip.Addr
	tids        []uint16
	routes      []Route
	lists       []Communities
	tlvs        []TLV
	prefixes    []netip.Prefix
	communities []Community
	paths       []Path
	attributes  []Attribute
}

// IsAck reports whether m is an acknowledgment rather than a Hello (RFC 7868 section
// 6.5).
func (m *Message) IsAck() bool { return m.Opcode == Hello && m.Ack != 0 }

// Parameters is the Parameter TLV (RFC 7868 section 6.7.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            0x0001             |            0x000C             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       K1      |       K2      |       K3      |       K4      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       K5      |       K6      |           Hold Time           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Parameters struct {
	Weights  metric.Weights
	HoldTime uint16 // seconds for which the sender is valid without a Hello
}

// goodbyeWeights say that the sender ends the adjacency: all 255 but K6 (RFC 7868
// section 6.7.7).
var goodbyeWeights = metric.Weights{K1: 255, K2: 255, K3: 255, K4: 255, K5: 255}

// Goodbye returns the Parameters of a router that takes leave of all its
// neighbours. Older routers know this and not the Peer Termination TLV.
func Goodbye(holdTime uint16) *Parameters {
	return &Parameters{Weights: goodbyeWeights, HoldTime: holdTime}
}

// Goodbye reports whether p is a farewell; K6 does not matter.
func (p *Parameters) Goodbye() bool {
	w := p.Weights
	w.K6 = 0
	return w == goodbyeWeights
}

// Software is the Software Version TLV (RFC 7868 section 6.7.4). The length that
// the RFC draws, 0x000C, is not that of its fields; all routers send 8.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            0x0004             |            0x0008             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Vendor Major V.|Vendor Minor V.| EIGRP Major V.| EIGRP Minor V.|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Software struct {
	OSMajor, OSMinor   uint8
	TLVMajor, TLVMinor uint8 // the newest version of TLVs that the sender reads
}

// Wide reports whether the sender reads the multiprotocol TLVs of version 2.0, with
// wide metrics. Others must be sent TLVs of version 1.2 (RFC 7868 section 6.7.4).
func (s *Software) Wide() bool { return s.TLVMajor >= 2 }

// StubFlags say what a stub router advertises; queries are not sent to it. The bits
// are not in the RFC: they are what Cisco's routers send and Wireshark knows. Others
// survive.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            0x0006             |            0x0006             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|             Flags             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type StubFlags uint16

// Stub flags.
const (
	StubConnected     StubFlags = 0x0001
	StubStatic        StubFlags = 0x0002
	StubSummary       StubFlags = 0x0004
	StubRedistributed StubFlags = 0x0008
	StubLeakMap       StubFlags = 0x0010
	StubReceiveOnly   StubFlags = 0x0020
)
