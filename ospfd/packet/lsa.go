package packet

import (
	"cmp"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// LSAHeaderLen is the length of the header of an LSA, in octets (RFC 2328 section A.4.1).
const LSAHeaderLen = 20

// Architectural constants of LSAs (RFC 2328 appendix B). Ages are in seconds.
const (
	MaxAge                  = 3600
	MaxAgeDiff              = 900
	LSRefreshTime           = 1800
	LSInfinity              = 0xffffff
	InitialSequence   int32 = -0x7fffffff // 0x80000001
	MaxSequence       int32 = 0x7fffffff
	DoNotAge                = 0x8000 // bit of an age: the LSA does not age (RFC 1793 section 2.2)
	lsaChecksumFrom         = 2      // the checksum does not cover the age
	lsaChecksumOffset       = 16
	lsaLengthOffset         = 18
)

// LSType is the type of an LSA (RFC 2328 section A.4.1).
type LSType uint8

// Types of LSAs.
const (
	RouterLSA      LSType = 1
	NetworkLSA     LSType = 2
	SummaryLSA     LSType = 3 // of a network
	ASBRSummaryLSA LSType = 4 // of an AS boundary router
	ExternalLSA    LSType = 5
	NSSALSA        LSType = 7  // RFC 3101 section 2.4
	OpaqueLinkLSA  LSType = 9  // link-local (RFC 5250 section 3)
	OpaqueAreaLSA  LSType = 10 // area-local
	OpaqueASLSA    LSType = 11 // AS-wide
)

// LSAKey names an LSA, all instances of it (RFC 2328 section 12.1).
type LSAKey struct {
	Type   LSType
	ID     ID // Link State ID
	Router ID // Advertising Router
}

// LSAHeader is the header of an LSA:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            LS age             |    Options    |    LS type    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Link State ID                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     Advertising Router                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     LS sequence number                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         LS checksum           |             length            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type LSAHeader struct {
	Age     uint16 // seconds, with the bit DoNotAge
	Options Options
	LSAKey
	Sequence int32
	Checksum uint16
	Length   uint16 // octets, with the header
}

// IsMaxAge reports whether the age is the largest: the LSA is being flushed.
func (h LSAHeader) IsMaxAge() bool { return h.Age&^DoNotAge >= MaxAge }

// Compare tells which of two instances of an LSA is more recent (RFC 2328 section 13.1):
// it is positive if h is, negative if o is, and 0 if they count as the same.
func (h LSAHeader) Compare(o LSAHeader) int {
	if c := cmp.Compare(h.Sequence, o.Sequence); c != 0 {
		return c
	}
	if c := cmp.Compare(h.Checksum, o.Checksum); c != 0 {
		return c
	}
	switch a, b := h.IsMaxAge(), o.IsMaxAge(); {
	case a != b && a:
		return 1
	case a != b:
		return -1
	}
	if diff := int(h.Age&^DoNotAge) - int(o.Age&^DoNotAge); diff > MaxAgeDiff || diff < -MaxAgeDiff {
		return -diff // the younger one
	}
	return 0
}

// LSA is a link state advertisement: its header, and all its octets, of which the header
// is the first part.
type LSA struct {
	LSAHeader
	// Octets is the LSA as it is on the wire. It is shared by those who flood it, and
	// must not be changed; the age in it is not that of the header.
	Octets []byte
}

// Body returns what follows the header.
func (l LSA) Body() []byte { return l.Octets[LSAHeaderLen:] }

// ChecksumOK reports whether the checksum is right (RFC 2328 section 12.1.7): an LSA
// where it is not is discarded (section 13, step 1).
func (l LSA) ChecksumOK() bool {
	if len(l.Octets) < LSAHeaderLen || l.Checksum == 0 {
		return false
	}
	c0, c1 := fletcher(l.Octets[lsaChecksumFrom:])
	return c0 == 0 && c1 == 0
}

// NewLSA returns the LSA of a body, with length and checksum. Header.Checksum and
// Header.Length are ignored. The error is an *Error if the body is too long.
func NewLSA(h LSAHeader, body []byte) (LSA, error) {
	n := LSAHeaderLen + len(body)
	if n > MaxPacketSize-HeaderLen-4 {
		return LSA{}, &Error{ReasonTooLong, n}
	}
	h.Length, h.Checksum = uint16(n), 0
	b := append(h.append(make([]byte, 0, n)), body...)
	h.Checksum = checksum(b)
	wire.PutU16(b, lsaChecksumOffset, h.Checksum)
	return LSA{LSAHeader: h, Octets: b}, nil
}

// fletcher returns the two sums of the Fletcher checksum (RFC 905 annex B). The sums are
// reduced often enough for 32 bits.
func fletcher(b []byte) (c0, c1 uint32) {
	const chunk = 4102 // the most octets after which c1 fits 32 bits
	for len(b) > 0 {
		n := min(len(b), chunk)
		for _, x := range b[:n] {
			c0 += uint32(x)
			c1 += c0
		}
		c0, c1, b = c0%255, c1%255, b[n:]
	}
	return c0, c1
}

// checksum computes the checksum of an LSA whose checksum field is zero.
func checksum(b []byte) uint16 {
	b = b[lsaChecksumFrom:]
	at := lsaChecksumOffset - lsaChecksumFrom
	c0, c1 := fletcher(b)
	x := (int(len(b)-at-1)*int(c0) - int(c1)) % 255
	if x <= 0 {
		x += 255
	}
	y := 510 - int(c0) - x
	if y > 255 {
		y -= 255
	}
	return uint16(x)<<8 | uint16(y)
}

func (h LSAHeader) append(b []byte) []byte {
	b = wire.AppendU16(b, h.Age)
	b = append(b, uint8(h.Options), uint8(h.Type))
	b = wire.AppendU32(b, uint32(h.ID))
	b = wire.AppendU32(b, uint32(h.Router))
	b = wire.AppendU32(b, uint32(h.Sequence))
	b = wire.AppendU16(b, h.Checksum)
	return wire.AppendU16(b, h.Length)
}

func readLSAHeader(r *wire.Reader) (h LSAHeader) {
	h.Age = r.U16()
	h.Options, h.Type = Options(r.U8()), LSType(r.U8())
	h.ID, h.Router = ID(r.U32()), ID(r.U32())
	h.Sequence = int32(r.U32())
	h.Checksum, h.Length = r.U16(), r.U16()
	return h
}
