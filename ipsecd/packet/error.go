package packet

import "fmt"

// Reason says why a message was refused; 0 is no reason.
type Reason uint8

// Reasons of Parse, ParsePayloads and AppendBinary.
const (
	_                   Reason = iota
	ReasonTruncated            // fewer octets than a length field promises
	ReasonTrailing             // more octets than a length field promises
	ReasonTooLong              // more than MaxMessageSize
	ReasonIKEv1                // major version 1
	ReasonVersion              // major version that is neither 1 nor 2
	ReasonPayloadLength        // length of a payload smaller than its header, or not that of its contents
	ReasonCritical             // unknown payload with the critical bit
	ReasonTooMany              // payload repeated that may not be, or too many of anything
	ReasonNotLast              // payloads after the Encrypted one
	ReasonNested               // Encrypted payload among encrypted ones
	ReasonEAP                  // EAP payload
	ReasonEmpty                // a contents of no octets, where some are needed
	ReasonSPI                  // SPI of a size that its protocol does not have
	ReasonProposal             // malformed proposal or transform
	ReasonAttribute            // attribute longer than what holds it
	ReasonAddress              // address of a wrong length
	ReasonNonce                // nonce shorter than 16 or longer than 256 octets
	ReasonProtocol             // deletion of what is neither an IKE SA, AH nor ESP
	ReasonSelector             // malformed traffic selector, or none
	ReasonFragment             // fragment number 0 or larger than the total
	ReasonSignature            // algorithm of a signature missing or too long
)

// Reasons of AppendBinary alone.
const (
	ReasonType     Reason = iota + 64 // raw payload or attribute of a type that is known, or nil
	ReasonContents                    // field set that the payload does not have
	ReasonSize                        // length that its field has no room for
)

// Error is the refusal of a message.
type Error struct {
	Reason Reason
	// Offset of the field at fault, in octets from the start of the message or of the
	// chain of payloads. Of AppendBinary it is that of the payload.
	Offset int
	// Payload is the type of the payload at fault, 0 for the header.
	Payload PayloadType
}

// Error describes the refusal.
func (e *Error) Error() string {
	if e.Payload == 0 {
		return fmt.Sprintf("ike: offset %d: %v", e.Offset, e.Reason)
	}
	return fmt.Sprintf("ike: offset %d: %v: %v", e.Offset, e.Payload, e.Reason)
}

// Notify returns the notification that answers a request which is refused for this
// reason (RFC 7296 sections 2.5 and 3.10.1), and its data. There is none for IKEv1.
// Whether one is sent is another matter: without an SA it is, at most, at a limited
// rate (section 2.21).
func (e *Error) Notify() (t NotifyType, data []byte, ok bool) {
	switch e.Reason {
	case ReasonIKEv1:
		return 0, nil, false
	case ReasonVersion:
		return InvalidMajorVersion, nil, true
	case ReasonCritical:
		return UnsupportedCriticalPayload, []byte{byte(e.Payload)}, true
	}
	return InvalidSyntax, nil, true
}
