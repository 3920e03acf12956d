package packet

import (
	"fmt"
	"net/netip"
	"strings"
)

// String returns the RFC's name of the opcode.
func (o Opcode) String() string {
	switch o {
	case Update:
		return "Update"
	case Request:
		return "Request"
	case Query:
		return "Query"
	case Reply:
		return "Reply"
	case Hello:
		return "Hello"
	case 6:
		return "IPX SAP"
	case 7:
		return "Probe"
	case 8:
		return "Ack"
	case SIAQuery:
		return "SIA-Query"
	case SIAReply:
		return "SIA-Reply"
	}
	return fmt.Sprintf("Opcode %d", uint8(o))
}

// String returns the identifier in the form of an IPv4 address.
func (r RouterID) String() string {
	return netip.AddrFrom4([4]byte{byte(r >> 24), byte(r >> 16), byte(r >> 8), byte(r)}).String()
}

// String returns the algorithm's name.
func (a Algorithm) String() string {
	switch a {
	case NoAlgorithm:
		return "none"
	case KeyedMD5:
		return "MD5"
	case HMACSHA256:
		return "HMAC-SHA-256"
	}
	return fmt.Sprintf("type %d", uint16(a))
}

// String returns the name of the protocol.
func (p ExternalProtocol) String() string {
	if int(p) < len(externalNames) && p > 0 {
		return externalNames[p]
	}
	return fmt.Sprintf("protocol %d", uint8(p))
}

var externalNames = [...]string{
	ProtocolIGRP: "IGRP", ProtocolEIGRP: "EIGRP", ProtocolStatic: "Static", ProtocolRIP: "RIP",
	ProtocolHELLO: "HELLO", ProtocolOSPF: "OSPF", ProtocolISIS: "IS-IS", ProtocolEGP: "EGP",
	ProtocolBGP: "BGP", ProtocolIDRP: "IDRP", ProtocolConnected: "Connected",
}

// bitName is a bit and what to call it.
type bitName struct {
	bit  uint32
	name string
}

// bitText names bits, separated by spaces; unknown ones are a hexadecimal number at
// the end.
func bitText(v uint32, names []bitName) string {
	var out []string
	for _, n := range names {
		if v&n.bit != 0 {
			out = append(out, n.name)
			v &^= n.bit
		}
	}
	if v != 0 {
		out = append(out, fmt.Sprintf("%#x", v))
	}
	return strings.Join(out, " ")
}

var (
	flagNames = []bitName{
		{uint32(FlagInit), "init"}, {uint32(FlagConditionalReceive), "cr"},
		{uint32(FlagRestart), "rs"}, {uint32(FlagEndOfTable), "eot"},
	}
	stubNames = []bitName{
		{uint32(StubConnected), "connected"}, {uint32(StubStatic), "static"}, {uint32(StubSummary), "summary"},
		{uint32(StubRedistributed), "redistributed"}, {uint32(StubLeakMap), "leak-map"}, {uint32(StubReceiveOnly), "receive-only"},
	}
	routeNames = []bitName{
		{uint32(RouteSourceWithdraw), "source-withdraw"}, {uint32(RouteCandidateDefault), "candidate-default"},
		{uint32(RouteActive), "active"}, {uint32(RouteReplicated), "replicated"},
	}
)

// String names the flags, separated by spaces.
func (f Flags) String() string { return bitText(uint32(f), flagNames) }

// String names the flags, separated by spaces, in the words of `eigrp stub`.
func (f StubFlags) String() string { return bitText(uint32(f), stubNames) }

// String names the flags, separated by spaces.
func (f RouteFlags) String() string { return bitText(uint32(f), routeNames) }

var reasonNames = map[Reason]string{
	ReasonTruncated:     "truncated",
	ReasonTooLong:       "packet too long",
	ReasonVersion:       "unknown version",
	ReasonOpcode:        "unknown opcode",
	ReasonChecksum:      "checksum error",
	ReasonVRID:          "reserved virtual router id",
	ReasonAS:            "autonomous system 0",
	ReasonTLVLength:     "wrong TLV length",
	ReasonDuplicate:     "TLV or attribute repeated",
	ReasonAuthType:      "unknown authentication type",
	ReasonAuthLength:    "wrong length of the digest",
	ReasonAddressLength: "wrong address length",
	ReasonAddressFamily: "unsupported address family",
	ReasonPrefixLength:  "prefix length too large",
	ReasonNoDestination: "route without a destination",
	ReasonAttribute:     "malformed extended attribute",
	ReasonCommunity:     "malformed community list",
	ReasonTIDs:          "malformed topology list",
	ReasonTooManyPaths:  "too many additional paths",
	ReasonType:          "TLV type not to be written so",
	ReasonAddress:       "address of another family",
	ReasonRange:         "number out of range",
	ReasonContents:      "field that the type does not have",
	ReasonKey:           "unusable key",
}

// String describes the reason in a few words.
func (r Reason) String() string {
	if s, ok := reasonNames[r]; ok {
		return s
	}
	return fmt.Sprintf("reason %d", uint8(r))
}
