package packet

import "fmt"

// Reason says why a packet was refused; 0 is no reason.
type Reason uint8

// Reasons of Parse, Decode and AppendBinary.
const (
	_                   Reason = iota
	ReasonTruncated            // fewer octets than a length field promises
	ReasonTooLong              // more than MaxPacketSize
	ReasonVersion              // Header Version is not 2
	ReasonOpcode               // unknown or reserved opcode
	ReasonChecksum             // checksum wrong
	ReasonVRID                 // reserved Virtual Router ID
	ReasonAS                   // autonomous system 0
	ReasonTLVLength            // length of a TLV smaller than its header, or not that of its type
	ReasonDuplicate            // TLV or attribute repeated that may occur once
	ReasonAuthType             // authentication of an unknown type
	ReasonAuthLength           // length of the digest is not that of its type
	ReasonAddressLength        // address of a length that is neither IPv4 nor IPv6
	ReasonAddressFamily        // unknown address family
	ReasonPrefixLength         // prefix longer than an address
	ReasonNoDestination        // route without a destination
	ReasonAttribute            // extended attribute malformed or too long
	ReasonCommunity            // list of communities empty, or not a multiple of 8 octets
	ReasonTIDs                 // TID list whose length field does not fit
	ReasonTooManyPaths         // more than MaxPaths
)

// Reasons of AppendBinary alone.
const (
	ReasonType     Reason = iota + 64 // TLV of a type that has a field of its own, or a route that is none
	ReasonAddress                     // address of another family, or with a zone
	ReasonRange                       // number that its field has no room for
	ReasonContents                    // field set that the type does not have
	ReasonKey                         // key without a secret or a known algorithm, or without a source address
)

// Error is the refusal of a packet.
type Error struct {
	Reason Reason
	// Offset of the field at fault, in octets from the start of the packet. Of
	// AppendBinary it is that of the TLV.
	Offset int
}

// Error describes the refusal.
func (e *Error) Error() string {
	return fmt.Sprintf("eigrp: offset %d: %v", e.Offset, e.Reason)
}
