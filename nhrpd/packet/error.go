package packet

import "fmt"

// ErrorCode is the Error Code of an Error Indication (RFC 2332 section 5.2.7).
type ErrorCode uint16

// Error codes.
const (
	ErrUnrecognizedExtension  ErrorCode = 1
	ErrLoopDetected           ErrorCode = 3
	ErrProtocolUnreachable    ErrorCode = 6
	ErrProtocolError          ErrorCode = 7
	ErrSDUSizeExceeded        ErrorCode = 8
	ErrInvalidExtension       ErrorCode = 9
	ErrInvalidResolutionReply ErrorCode = 10
	ErrAuthenticationFailure  ErrorCode = 11
	ErrHopCountExceeded       ErrorCode = 15
)

// CIECode is the Code of a Client Information Entry: 0 acknowledges, any other
// value is a NAK (RFC 2332 section 5.2.0.1).
type CIECode uint8

// CIE codes (RFC 2332 sections 5.2.2, 5.2.4, 5.3.1).
const (
	CodeSuccess                     CIECode = 0
	CodeAdministrativelyProhibited  CIECode = 4
	CodeInsufficientResources       CIECode = 5
	CodeNoBinding                   CIECode = 12
	CodeBindingNotUnique            CIECode = 13
	CodeUniqueAddressAlreadyPresent CIECode = 14
)

// Reason says why a packet was refused.
type Reason uint8

// Reasons of Parse, Decode and AppendBinary.
const (
	_                        Reason = iota
	ReasonTruncated                 // fewer octets than a length field promises
	ReasonTooLong                   // more than MaxPacketSize
	ReasonVersion                   // ar$op.version is not 1
	ReasonType                      // ar$op.type unknown
	ReasonAddressFamily             // ar$afn is not IPv4 or IPv6
	ReasonProtocol                  // ar$pro.type is not IPv4 or IPv6
	ReasonPacketSize                // ar$pktsz smaller than the Fixed Part
	ReasonChecksum                  // ar$chksum wrong
	ReasonExtensionOffset           // ar$extoff outside the packet
	ReasonAddressLength             // address length or type does not fit the family
	ReasonAddress                   // address is not of the message's family (AppendBinary)
	ReasonTooManyCIEs               // more than MaxCIEs
	ReasonTooManyExtensions         // more than MaxExtensions
	ReasonExtension                 // extension value malformed
	ReasonDuplicateExtension        // extension type repeated that may occur once
	ReasonNoEndOfExtensions         // list not ended by End Of Extensions, or goes on after it
	ReasonContents                  // field set that the packet type does not have (AppendBinary)
)

// Reasons of CheckCompulsory and CheckForward.
const (
	ReasonUnrecognizedExtension Reason = iota + 64
	ReasonHopCountExceeded
)

// ErrorCode returns the code with which RFC 2332 section 5.2.7 reports the
// reason to the sender of the packet.
func (r Reason) ErrorCode() ErrorCode {
	switch r {
	case ReasonTooLong:
		return ErrSDUSizeExceeded
	case ReasonDuplicateExtension:
		return ErrInvalidExtension
	case ReasonUnrecognizedExtension:
		return ErrUnrecognizedExtension
	case ReasonHopCountExceeded:
		return ErrHopCountExceeded
	}
	return ErrProtocolError
}

// Error is the error of this package.
type Error struct {
	Reason Reason
	// Offset is the octet of the packet, counted from the Fixed Part, where
	// the trouble was found: what Error Offset of an Error Indication wants.
	Offset int
}

// Error describes the error for people.
func (e *Error) Error() string {
	return fmt.Sprintf("nhrp: offset %d: %v", e.Offset, e.Reason)
}
