package packet

import (
	"fmt"
	"strings"
)

// String returns the RFC's name of the packet type.
func (t Type) String() string {
	switch t {
	case ResolutionRequest:
		return "Resolution Request"
	case ResolutionReply:
		return "Resolution Reply"
	case RegistrationRequest:
		return "Registration Request"
	case RegistrationReply:
		return "Registration Reply"
	case PurgeRequest:
		return "Purge Request"
	case PurgeReply:
		return "Purge Reply"
	case ErrorIndication:
		return "Error Indication"
	case TrafficIndication:
		return "Traffic Indication"
	}
	return fmt.Sprintf("Type %d", uint8(t))
}

// String returns the RFC's name of the extension.
func (t ExtensionType) String() string {
	switch t {
	case EndOfExtensions:
		return "End Of Extensions"
	case ResponderAddress:
		return "Responder Address"
	case ForwardTransitNHS:
		return "Forward Transit NHS Record"
	case ReverseTransitNHS:
		return "Reverse Transit NHS Record"
	case Authentication:
		return "Authentication"
	case VendorPrivate:
		return "Vendor-Private"
	case NATAddress:
		return "NAT Address"
	}
	return fmt.Sprintf("Extension %d", uint16(t))
}

// String returns the RFC's words for the error.
func (c ErrorCode) String() string {
	switch c {
	case ErrUnrecognizedExtension:
		return "Unrecognized Extension"
	case ErrLoopDetected:
		return "NHRP Loop Detected"
	case ErrProtocolUnreachable:
		return "Protocol Address Unreachable"
	case ErrProtocolError:
		return "Protocol Error"
	case ErrSDUSizeExceeded:
		return "NHRP SDU Size Exceeded"
	case ErrInvalidExtension:
		return "Invalid Extension"
	case ErrInvalidResolutionReply:
		return "Invalid NHRP Resolution Reply Received"
	case ErrAuthenticationFailure:
		return "Authentication Failure"
	case ErrHopCountExceeded:
		return "Hop Count Exceeded"
	}
	return fmt.Sprintf("Error %d", uint16(c))
}

// String returns the RFC's words for the code.
func (c CIECode) String() string {
	switch c {
	case CodeSuccess:
		return "Success"
	case CodeAdministrativelyProhibited:
		return "Administratively Prohibited"
	case CodeInsufficientResources:
		return "Insufficient Resources"
	case CodeNoBinding:
		return "No Internetworking Layer Address to NBMA Address Binding Exists"
	case CodeBindingNotUnique:
		return "Binding Exists But Is Not Unique"
	case CodeUniqueAddressAlreadyPresent:
		return "Unique Internetworking Layer Address Already Registered"
	}
	return fmt.Sprintf("Code %d", uint8(c))
}

var reasonNames = map[Reason]string{
	ReasonTruncated:             "truncated",
	ReasonTooLong:               "packet too long",
	ReasonVersion:               "unknown version",
	ReasonType:                  "unknown packet type",
	ReasonAddressFamily:         "unsupported address family",
	ReasonProtocol:              "unsupported protocol type",
	ReasonPacketSize:            "packet size too small",
	ReasonChecksum:              "checksum error",
	ReasonExtensionOffset:       "extension offset outside the packet",
	ReasonAddressLength:         "wrong address length",
	ReasonAddress:               "address of another family",
	ReasonTooManyCIEs:           "too many client information entries",
	ReasonTooManyExtensions:     "too many extensions",
	ReasonExtension:             "malformed extension",
	ReasonDuplicateExtension:    "extension repeated",
	ReasonNoEndOfExtensions:     "extensions not ended properly",
	ReasonContents:              "field that the packet type does not have",
	ReasonUnrecognizedExtension: "unrecognized compulsory extension",
	ReasonHopCountExceeded:      "hop count exceeded",
}

// String describes the reason in a few words.
func (r Reason) String() string {
	if s, ok := reasonNames[r]; ok {
		return s
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// flagNames are the bits of each packet type, most significant first.
var (
	resolutionFlags = []flagName{
		{FlagRouter, "router"}, {FlagAuthoritative, "authoritative"}, {FlagDestStable, "dest-stable"},
		{FlagResolutionUnique, "unique"}, {FlagSourceStable, "source-stable"}, {FlagNAT, "nat"},
	}
	registrationFlags = []flagName{{FlagRegistrationUnique, "unique"}, {FlagNAT, "nat"}}
	purgeFlags        = []flagName{{FlagPurgeNoReply, "no-reply"}, {FlagNAT, "nat"}}
)

type flagName struct {
	bit  Flags
	name string
}

// Text names the flags as a packet of type t means them, separated by spaces;
// unknown bits are a hexadecimal number at the end.
func (f Flags) Text(t Type) string {
	var names []flagName
	switch t {
	case ResolutionRequest, ResolutionReply:
		names = resolutionFlags
	case RegistrationRequest, RegistrationReply:
		names = registrationFlags
	case PurgeRequest, PurgeReply:
		names = purgeFlags
	}
	var out []string
	for _, n := range names {
		if f&n.bit != 0 {
			out = append(out, n.name)
			f &^= n.bit
		}
	}
	if f != 0 {
		out = append(out, fmt.Sprintf("%#04x", uint16(f)))
	}
	return strings.Join(out, " ")
}
