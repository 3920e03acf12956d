package packet

import "net/netip"

// Sizes and bounds.
const (
	// FixedLen is the length of the Fixed Part (RFC 2332 section 5).
	FixedLen = 20
	// MaxPacketSize is the largest packet that is parsed or built, in octets:
	// what fits a jumbo frame.
	MaxPacketSize = 9216
	// MaxCIEs bounds the Client Information Entries of one packet, those in
	// extensions included.
	MaxCIEs = 256
	// MaxExtensions bounds the extensions of one packet, End Of Extensions not
	// counted.
	MaxExtensions = 32
	// MaxSubaddress is the longest NBMA subaddress: its length field has 6
	// bits (RFC 2332 section 5.1).
	MaxSubaddress = 63
	// Version is ar$op.version for NHRP (RFC 2332 section 5.1).
	Version = 1
	// GREProtocol is the GRE protocol type of NHRP. It stands in for the
	// LLC/SNAP encapsulation of RFC 2332 section 5 on GRE tunnels.
	GREProtocol = 0x2001
)

// AddressFamily is ar$afn, the address family number of the NBMA network.
type AddressFamily uint16

// The address families that can be NBMA networks here.
const (
	AFNIPv4 AddressFamily = 1
	AFNIPv6 AddressFamily = 2
)

// ProtocolType is ar$pro.type, the internetwork layer protocol. Parse turns
// the NLPID and SNAP codings of IPv4 and IPv6 into these Ethertypes, which are
// the only form to be transmitted (RFC 2332 section 5.1).
type ProtocolType uint16

// The internetwork protocols that can be carried.
const (
	ProtocolIPv4 ProtocolType = 0x0800
	ProtocolIPv6 ProtocolType = 0x86dd
)

// Type is ar$op.type, the packet type.
type Type uint8

// Packet types of RFC 2332 section 5.1, and Cisco's Traffic Indication, which a
// hub sends to tell a spoke that a shorter path exists.
const (
	ResolutionRequest   Type = 1
	ResolutionReply     Type = 2
	RegistrationRequest Type = 3
	RegistrationReply   Type = 4
	PurgeRequest        Type = 5
	PurgeReply          Type = 6
	ErrorIndication     Type = 7
	TrafficIndication   Type = 8
)

// IsIndication reports whether the type has the Mandatory Part of RFC 2332
// section 5.2.7 (error code, offset, contents of a packet) instead of that of
// section 5.2.0.1 (flags, Request ID, Client Information Entries).
func (t Type) IsIndication() bool { return t == ErrorIndication || t == TrafficIndication }

// IsRequest reports whether the type is answered by a reply.
func (t Type) IsRequest() bool {
	return t == ResolutionRequest || t == RegistrationRequest || t == PurgeRequest
}

// IsReply reports whether the type answers a request.
func (t Type) IsReply() bool {
	return t == ResolutionReply || t == RegistrationReply || t == PurgeReply
}

// Reply returns the type of the reply to a request, which RFC 2332 sections
// 5.2.2, 5.2.4 and 5.2.6 form by changing the type code alone. For a type that
// is no request it returns 0.
func (t Type) Reply() Type {
	if t.IsRequest() {
		return t + 1
	}
	return 0
}

// Flags is the Flags field of the common header. Its bits mean different things
// in different packet types.
type Flags uint16

// Flags of Resolution Request and Reply (RFC 2332 sections 5.2.1, 5.2.2).
const (
	FlagRouter           Flags = 0x8000 // Q: the requester is a router
	FlagAuthoritative    Flags = 0x4000 // A: authoritative information wanted or given
	FlagDestStable       Flags = 0x2000 // D: destination binding is stable (reply)
	FlagResolutionUnique Flags = 0x1000 // U: only a unique binding
	FlagSourceStable     Flags = 0x0800 // S: source binding is stable
)

// Flags of the other types.
const (
	FlagRegistrationUnique Flags = 0x8000 // U, Registration (RFC 2332 section 5.2.3)
	FlagPurgeNoReply       Flags = 0x8000 // N, Purge: no reply expected (section 5.2.5)
	FlagNAT                Flags = 0x0002 // Cisco: sender knows the NAT address extension
)

// Message is an NHRP packet. The Fixed Part, from which ar$pktsz, ar$chksum,
// ar$extoff, ar$op.version and the two length fields are computed
// (RFC 2332 section 5.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            ar$afn             |          ar$pro.type          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          ar$pro.snap                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ar$pro.snap  |   ar$hopcnt   |            ar$pktsz           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           ar$chksum           |            ar$extoff          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| ar$op.version |   ar$op.type  |    ar$shtl    |    ar$sstl    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The common header of the Mandatory Part (section 5.2.0.1), which is followed
// by Client Information Entries:
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Src Proto Len | Dst Proto Len |           Flags               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Request ID                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Source NBMA Address (variable length)              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Source NBMA Subaddress (variable length)             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Source Protocol Address (variable length)            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       Destination  Protocol Address (variable length)         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// In an Error Indication (section 5.2.7) the first two words are different,
// and the contents of the packet in error take the place of the entries:
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Src Proto Len | Dst Proto Len |            unused             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Error Code          |        Error Offset           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Cisco's Traffic Indication has that same layout; its error code and offset
// are zero, and the packet is the start of the IP packet that was redirected.
//
// Slices in a Message that Decode filled belong to the Message and are valid
// until the next Decode into it; Clone makes them independent. Do not Decode
// into a copy of a Message while the original is in use.
type Message struct {
	NBMA     AddressFamily // ar$afn
	Protocol ProtocolType  // ar$pro.type
	HopCount uint8         // ar$hopcnt: NHSs that the packet may still traverse
	Type     Type          // ar$op.type

	Flags     Flags  // zero in Error Indications
	RequestID uint32 // not in indications

	ErrorCode   ErrorCode // indications only
	ErrorOffset uint16    // indications only: octet of the packet in error

	// SrcNBMA is the Source NBMA Address; the zero Addr if its length is 0.
	SrcNBMA netip.Addr
	// SrcSubaddress is the Source NBMA Subaddress, which IP underlays do not
	// have: nil.
	SrcSubaddress []byte
	// SrcProtocol and DstProtocol are the protocol addresses of the station
	// that sends the request and of the one toward which it goes; the same in
	// the reply. The zero Addr stands for length 0.
	SrcProtocol netip.Addr
	DstProtocol netip.Addr

	CIEs    []CIE  // Client Information Entries; not in indications
	Payload []byte // contents of the packet in error or redirected; indications only

	// Extensions are in the order of the packet, without End Of Extensions.
	Extensions []Extension
	// EndOfExtensions says that an Extensions Part is written although
	// Extensions is empty. Decode sets it for such a packet.
	EndOfExtensions bool

	own storage
}

// storage is what Decode reuses from packet to packet.
type storage struct {
	b    []byte
	cies []CIE
	exts []Extension
}

// CIE is a Client Information Entry (RFC 2332 section 5.2.0.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Code       | Prefix Length |         unused                |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Maximum Transmission Unit    |        Holding Time           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Cli Addr T/L | Cli SAddr T/L | Cli Proto Len |  Preference   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Client NBMA Address (variable length)              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Client NBMA Subaddress (variable length)            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Client Protocol Address (variable length)            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type CIE struct {
	Code         CIECode
	PrefixLength uint8  // raw; see PrefixBits
	MTU          uint16 // octets; 0 means the default
	HoldingTime  uint16 // seconds
	Preference   uint8  // higher is preferred

	// NBMA is the Client NBMA Address. In a Registration Request the zero Addr
	// means the Source NBMA Address (section 5.2.3).
	NBMA netip.Addr
	// NBMASubaddress is the Client NBMA Subaddress, which IP underlays do not
	// have: nil.
	NBMASubaddress []byte
	// Protocol is the Client Protocol Address. In a Registration Request the
	// zero Addr means the Source Protocol Address.
	Protocol netip.Addr
}

// PrefixHost is the Prefix Length that names one address only. RFC 2332
// demands it where the uniqueness bit is set (sections 5.2.1, 5.2.3).
const PrefixHost = 0xff

// PrefixBits returns how many leading bits of addr the Prefix Length covers:
// the full length for 0 and 255 (RFC 2332 section 5.2.0.1). It reports false
// for a length that addr does not have, and for the zero Addr.
func (c *CIE) PrefixBits(addr netip.Addr) (int, bool) {
	n := int(c.PrefixLength)
	if n == 0 || n == PrefixHost {
		n = addr.BitLen()
	}
	return n, addr.IsValid() && n <= addr.BitLen()
}

// Prefix returns the prefix that the entry covers when it is anchored at addr:
// the Destination Protocol Address in Resolution packets, the Client Protocol
// Address in Registration and Purge (sections 5.2.1, 5.2.3, 5.2.5).
func (c *CIE) Prefix(addr netip.Addr) (netip.Prefix, bool) {
	n, ok := c.PrefixBits(addr)
	if !ok {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, n).Masked(), true
}
