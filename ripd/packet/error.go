package packet

import "fmt"

// Reason says why a message or one of its entries was refused; 0 is no reason.
type Reason uint8

// Reasons of Decode, for the whole message.
const (
	_                    Reason = iota
	ReasonTruncated             // shorter than the header, or than the trailer's place says
	ReasonLength                // entries do not fill the message, or octets follow the trailer
	ReasonTooManyEntries        // more than MaxEntries
	ReasonVersion               // version 0; with Append other than 1 and 2, or authentication with 1
	ReasonCommand               // neither Request nor Response
	ReasonMustBeZero            // version 1 with a field set that must be zero
	ReasonAuthType              // authentication of an unknown type
	ReasonTrailer               // the trailer of authentication is malformed
)

// Reasons of Entry.Check, for one entry, and of Append.
const (
	ReasonFamily  Reason = iota + 32 // address family is not IP
	ReasonMetric                     // metric is not 1 to 16
	ReasonMask                       // subnet mask has gaps
	ReasonAddress                    // destination is not unicast, on net 0 or 127, or not IPv4
	ReasonNextHop                    // next hop is not IPv4 (Append)
	ReasonKey                        // key without a secret or a known algorithm (Append)
)

// Error is the refusal of a message.
type Error struct {
	Reason Reason
	// Offset of the field at fault, in octets from the start of the message.
	Offset int
}

// Error describes the refusal.
func (e *Error) Error() string {
	return fmt.Sprintf("rip: offset %d: %v", e.Offset, e.Reason)
}
