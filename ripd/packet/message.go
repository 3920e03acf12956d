package packet

import "net/netip"

// Numbers of the protocol (RFC 2453 sections 3.6 and 4.1, RFC 1058 section 3.4).
const (
	Port       = 520 // UDP port of every router
	Infinity   = 16  // metric of a destination that cannot be reached
	MaxEntries = 25  // entries of a message, an authentication entry included
	MaxLen     = 512 // octets of a datagram that every router can receive
	HeaderLen  = 4   // octets of command, version and a field that must be zero
	EntryLen   = 20  // octets of an entry
)

// MaxDatagram is the longest message with the longest trailer, in octets. A
// receive buffer one octet larger shows every datagram that is too long.
const MaxDatagram = HeaderLen + MaxEntries*EntryLen + trailerHeaderLen + maxDigestLen

// Group is the multicast address of RIP version 2 (RFC 2453 section 4.5).
var Group = netip.AddrFrom4([4]byte{224, 0, 0, 9})

// Versions of the protocol.
const (
	Version1 = 1
	Version2 = 2
)

// Command says what a message is for (RFC 2453 section 3.6).
type Command uint8

// Commands. The others of RFC 1058 section 3.1 are obsolete and are refused.
const (
	Request  Command = 1 // asks for all or a part of the routing table
	Response Command = 2 // carries all or a part of the sender's routing table
)

// Address families of an entry.
const (
	FamilyUnspecified    = 0      // with metric 16, alone in a Request: the whole table
	FamilyIP             = 2      // AF_INET
	FamilyAuthentication = 0xffff // the first entry only: authentication (RFC 2453 section 4.1)
)

// Message is one RIP message.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  command (1)  |  version (1)  |       must be zero (2)        |
//	+---------------+---------------+-------------------------------+
//	~              authentication entry (20), optional              ~
//	+---------------------------------------------------------------+
//	~                       entries (20 each)                       ~
//	+---------------------------------------------------------------+
//	~       trailer of cryptographic authentication, optional       ~
//	+---------------------------------------------------------------+
type Message struct {
	Command Command
	// Version is 1 or 2. Decode reads every greater version as 2 (RFC 2453
	// section 5).
	Version uint8
	// Auth is the authentication found by Decode. Append ignores it.
	Auth Auth
	// Entries are the entries but for authentication. Decode writes them over
	// those that were here.
	Entries []Entry
}

// WholeTableRequest returns the Request for the whole routing table: one entry
// of family 0 and metric 16 (RFC 2453 section 3.9.1).
func WholeTableRequest(version uint8) Message {
	return Message{
		Command: Request, Version: version,
		Entries: []Entry{{
			Family: FamilyUnspecified, Metric: Infinity,
			Addr: netip.IPv4Unspecified(), NextHop: netip.IPv4Unspecified(),
		}},
	}
}

// WholeTable reports whether m asks for the whole routing table. Any other
// Request asks for its entries, one by one.
func (m *Message) WholeTable() bool {
	return m.Command == Request && len(m.Entries) == 1 &&
		m.Entries[0].Family == FamilyUnspecified && m.Entries[0].Metric == Infinity
}
