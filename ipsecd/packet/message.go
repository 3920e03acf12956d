package packet

// Numbers and bounds of the protocol.
const (
	Port      = 500  // UDP port (RFC 7296 section 2)
	PortNAT   = 4500 // UDP port of IKE and ESP where there is NAT (RFC 7296 section 2.23)
	Version   = 0x20 // major version 2, minor version 0 (section 3.1)
	HeaderLen = 28   // octets of the header

	// MaxMessageSize is the largest message that is read or written, in octets.
	MaxMessageSize = 65535
	// MaxPayloads bounds the payloads of a message, encrypted ones apart.
	MaxPayloads = 100
	// MaxProposals bounds the proposals of an SA payload.
	MaxProposals = 64
	// MaxTransforms bounds the transforms of a proposal.
	MaxTransforms = 128
	// MaxAttributes bounds the attributes of a transform besides Key Length. The RFC
	// knows none.
	MaxAttributes = 8
	// MaxConfig bounds the attributes of a configuration.
	MaxConfig = 256
	// MaxFragments bounds the Total Fragments of a fragment (RFC 7383 section 2.5).
	// More would be more than MaxMessageSize with 256 octets in each.
	MaxFragments = 256

	genericLen = 4 // octets of the Generic Payload Header (RFC 7296 section 3.2)
)

// SPI is the Security Parameter Index of an IKE SA.
type SPI uint64

// Header is the header of a message (RFC 7296 section 3.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       IKE SA Initiator's SPI                  |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       IKE SA Responder's SPI                  |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Payload | MjVer | MnVer | Exchange Type |     Flags     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Message ID                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            Length                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Next Payload and Length follow from the rest.
type Header struct {
	SPIi, SPIr SPI // SPIr is 0 in the first message
	Exchange   ExchangeType
	Flags      Flags
	MessageID  uint32
}

// Response reports whether the message answers another.
func (h *Header) Response() bool { return h.Flags&FlagResponse != 0 }

// FromInitiator reports whether the message comes from the original initiator of the
// IKE SA.
func (h *Header) FromInitiator() bool { return h.Flags&FlagInitiator != 0 }

// Message is one IKE message.
type Message struct {
	Header
	// Payloads are those that stand in clear, in their order.
	Payloads []Payload
	// Encrypted is the SK or SKF payload, nil for none. It is the last.
	Encrypted *Encrypted
}

// Encrypted is an Encrypted payload (RFC 7296 section 3.14), or an Encrypted Fragment
// (RFC 7383 section 2.5) if Total is not 0:
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Next Payload  |C|  RESERVED   |         Payload Length        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Fragment Number        |        Total Fragments        |  only in SKF
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~     initialization vector, ciphertext, integrity checksum     ~
//	+---------------------------------------------------------------+
type Encrypted struct {
	// First is the type of the first payload within. Of fragments, only the first
	// has it (RFC 7383 section 2.5).
	First PayloadType
	// Number and Total say which fragment this is, from 1, and of how many. 0 and 0:
	// not a fragment.
	Number, Total uint16
	// Data is the initialization vector, the ciphertext and the checksum.
	Data []byte
	// Offset is where Data starts in the message, in octets. What is before it is
	// authenticated with it (RFC 5282 section 5.1). Parse fills it in; AppendBinary
	// ignores it.
	Offset int
}

// Fragment reports whether e is an Encrypted Fragment payload.
func (e *Encrypted) Fragment() bool { return e.Total != 0 }

// Type returns TypeSK or TypeSKF.
func (e *Encrypted) Type() PayloadType {
	if e.Fragment() {
		return TypeSKF
	}
	return TypeSK
}

// headerLen returns the octets before Data.
func (e *Encrypted) headerLen() int {
	if e.Fragment() {
		return genericLen + 4
	}
	return genericLen
}

// Find returns the first payload of a type in ps, nil if there is none.
func Find(ps []Payload, t PayloadType) Payload {
	for _, p := range ps {
		if p.Type() == t {
			return p
		}
	}
	return nil
}

// FindNotify returns the first notification of a type in ps, nil if there is none.
func FindNotify(ps []Payload, t NotifyType) *Notify {
	for _, p := range ps {
		if n, ok := p.(*Notify); ok && n.Kind == t {
			return n
		}
	}
	return nil
}
