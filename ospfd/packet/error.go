package packet

import "fmt"

// Reason says why a packet or an LSA was refused; 0 is no reason.
type Reason uint8

// Reasons of Parse, and of the bodies of LSAs.
const (
	_               Reason = iota
	ReasonTruncated        // fewer octets than a length field promises
	ReasonTooLong          // more than there is room for
	ReasonVersion          // version is not 2
	ReasonType             // unknown type of packet
	ReasonLength           // length is not one that the type can have
	ReasonChecksum         // checksum wrong
	ReasonAuthType         // unknown type of authentication
	ReasonDigest           // the digest is not there, or longer than any
	ReasonLSALength        // length of an LSA that its type cannot have, or beyond the packet
	ReasonLSAType          // type of LSA that does not fit 8 bits
	ReasonLinks            // more links than a router-LSA has room for
	ReasonTLV              // TLV beyond its block
	ReasonLLS              // data block of link-local signalling malformed, or its checksum wrong
)

// Reasons of Append alone.
const (
	ReasonAddress Reason = iota + 64 // address that is not IPv4
	ReasonKey                        // key without a secret or a known algorithm
)

// Error is the refusal of a packet or of an LSA.
type Error struct {
	Reason Reason
	// Offset of the field at fault, in octets from the start of the packet, or of the LSA.
	Offset int
}

// Error describes the refusal.
func (e *Error) Error() string {
	return fmt.Sprintf("ospf: offset %d: %v", e.Offset, e.Reason)
}

var reasonNames = map[Reason]string{
	ReasonTruncated: "truncated", ReasonTooLong: "too long", ReasonVersion: "another version", ReasonType: "unknown type",
	ReasonLength: "wrong length", ReasonChecksum: "wrong checksum", ReasonAuthType: "unknown type of authentication",
	ReasonDigest: "no digest", ReasonLSALength: "wrong length of an LSA", ReasonLSAType: "type of LSA out of range",
	ReasonLinks: "more links than there is room for", ReasonTLV: "TLV beyond its block", ReasonLLS: "malformed link-local signalling",
	ReasonAddress: "not an IPv4 address", ReasonKey: "unusable key",
}

// String describes the reason in a few words.
func (r Reason) String() string {
	if s, ok := reasonNames[r]; ok {
		return s
	}
	return fmt.Sprintf("reason %d", uint8(r))
}
