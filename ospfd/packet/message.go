package packet

import "net/netip"

// Protocol is OSPF's IP protocol number (RFC 2328 section 4.3).
const Protocol = 89

// Version is the version in every packet (RFC 2328 section A.3.1).
const Version = 2

// Groups of multicast (RFC 2328 section A.1).
var (
	AllSPFRouters = netip.AddrFrom4([4]byte{224, 0, 0, 5}) // all routers on a link
	AllDRouters   = netip.AddrFrom4([4]byte{224, 0, 0, 6}) // the designated router and its backup
)

// HeaderLen is the length of the header, in octets (RFC 2328 section A.3.1).
const HeaderLen = 24

// MaxPacketSize is the largest packet without digest and signalling, in octets: what an
// IP packet has room for.
const MaxPacketSize = 65535 - 20

// MaxHeaders is how many headers of LSAs a packet has room for.
const MaxHeaders = (MaxPacketSize - HeaderLen) / LSAHeaderLen

// ID is a router ID, an area ID or a Link State ID: 32 bits, written like an IPv4 address.
type ID uint32

// Type is the type of a packet (RFC 2328 section A.3.1).
type Type uint8

// Types.
const (
	Hello               Type = 1
	DatabaseDescription Type = 2
	LinkStateRequest    Type = 3
	LinkStateUpdate     Type = 4
	LinkStateAck        Type = 5
)

// Options are the optional capabilities (RFC 2328 section A.2).
type Options uint8

// Options. Bits without a name survive.
const (
	OptionE  Options = 0x02 // AS-external-LSAs are flooded
	OptionMC Options = 0x04 // multicast (RFC 1584)
	OptionNP Options = 0x08 // Hello: NSSA; type-7 LSA: to be propagated (RFC 3101 section 2.5)
	OptionL  Options = 0x10 // the packet has an LLS data block (RFC 5613 section 2.1)
	OptionDC Options = 0x20 // demand circuits (RFC 1793)
	OptionO  Options = 0x40 // opaque LSAs (RFC 5250 section 4.1); Database Description only
	OptionDN Options = 0x80 // LSA: not to be used by a PE (RFC 4576)
)

// Message is one OSPF packet. Of HelloBody, Description, Requests, Updates and Acks the
// one that belongs to Type is in use.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Version #   |     Type      |         Packet length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Router ID                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           Area ID                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Checksum            |             AuType            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Authentication                          |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Message struct {
	Type     Type
	RouterID ID
	AreaID   ID

	// Auth is the authentication that Parse found; AppendBinary ignores it.
	Auth Auth

	HelloBody   HelloBody
	Description Description
	Requests    []LSAKey    // Link State Request
	Updates     []LSA       // Link State Update
	Acks        []LSAHeader // Link State Acknowledgment

	// LLS is the data block of link-local signalling, nil for none (RFC 5613). It is
	// there if OptionL is set in a Hello or a Database Description.
	LLS *LLS
}

// HelloBody is the body of a Hello (RFC 2328 section A.3.2):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Network Mask                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         HelloInterval         |    Options    |    Rtr Pri    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     RouterDeadInterval                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Designated Router                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   Backup Designated Router                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                          Neighbor ...                         ~
//	+---------------------------------------------------------------+
type HelloBody struct {
	Mask         uint32
	Interval     uint16 // seconds
	Options      Options
	Priority     uint8
	DeadInterval uint32     // seconds
	Designated   netip.Addr // interface address; the zero Addr, on the wire zeros, is none
	Backup       netip.Addr
	Neighbors    []ID // from which Hellos came of late
}

// Description is the body of a Database Description (RFC 2328 section A.3.3):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Interface MTU         |    Options    |0|0|0|0|R|I|M|MS
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     DD sequence number                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                      LSA headers ...                          ~
//	+---------------------------------------------------------------+
type Description struct {
	MTU      uint16 // octets; 0 on virtual links
	Options  Options
	Flags    DDFlags
	Sequence uint32
	Headers  []LSAHeader
}

// DDFlags are the flags of a Database Description.
type DDFlags uint8

// Flags of a Database Description. Bits without a name survive.
const (
	DDMaster DDFlags = 0x01 // MS: the sender is the master
	DDMore   DDFlags = 0x02 // M: more packets follow
	DDInit   DDFlags = 0x04 // I: the first packet
	DDResync DDFlags = 0x08 // R: out-of-band resynchronization (RFC 4811 section 2.1)
)

// LLS is the data block of link-local signalling (RFC 5613 section 2):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Checksum           |       LLS Data Length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                           LLS TLVs                            ~
//	+---------------------------------------------------------------+
//
// Its length is in words of 32 bits, and the checksum is zero where authentication is
// cryptographic, whose digest does not cover the block.
type LLS struct{ TLVs []TLV }

// TLV is a type, a length of 16 bits each, and a value that zeros fill up to a multiple
// of four octets: of link-local signalling (RFC 5613 section 2.3) and of opaque LSAs
// (RFC 3623 section A).
type TLV struct {
	Type  uint16
	Value []byte // without the zeros
}

// Types of TLVs of link-local signalling.
const (
	LLSExtendedOptions = 1 // 32 bits (RFC 5613 section 2.4)
	LLSAuthentication  = 2 // digest of the block (RFC 5613 section 2.5)
)
