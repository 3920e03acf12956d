package packet

import (
	"crypto/md5"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// Offsets in a message.
const (
	offCommand  = 0
	offVersion  = 1
	offZero     = 2
	offAuthType = HeaderLen + 2
	offAuthEnd  = HeaderLen + 4 // RIPv2 Packet Length: where the trailer is
	offAuthLen  = HeaderLen + 7
)

// Offsets in an entry.
const (
	entryTag     = 2
	entryAddr    = 4
	entryMask    = 8
	entryNextHop = 12
	entryMetric  = 16
)

// Parse returns the message in b, to which it keeps no reference. The error is
// an *Error.
func Parse(b []byte) (*Message, error) {
	m := new(Message)
	if err := m.Decode(b); err != nil {
		return nil, err
	}
	return m, nil
}

// Decode makes m the message in b. It checks what makes b a message, not the
// entries (see Entry.Check) nor the authentication (see Verify). It keeps no
// reference to b, and uses the memory of m.Entries again: in the long run it
// does not allocate. The error is an *Error; after it m is not usable, but for
// another Decode.
func (m *Message) Decode(b []byte) error {
	*m = Message{Entries: m.Entries[:0]}
	if e := m.decode(b); e.Reason != 0 {
		return &Error{Reason: e.Reason, Offset: e.Offset} // here, so that the good case does not allocate
	}
	return nil
}

func (m *Message) decode(b []byte) Error {
	if len(b) < HeaderLen {
		return Error{ReasonTruncated, len(b)}
	}
	r := wire.NewReader(b)
	m.Command, m.Version = Command(r.U8()), r.U8()
	zero := r.U16()
	switch {
	case m.Version == 0: // RFC 2453 section 5
		return Error{ReasonVersion, offVersion}
	case m.Version == Version1 && zero != 0:
		return Error{ReasonMustBeZero, offZero}
	case m.Command != Request && m.Command != Response:
		return Error{ReasonCommand, offCommand}
	}
	m.Version = min(m.Version, Version2)
	end, e := m.decodeAuth(b)
	switch {
	case e.Reason != 0:
		return e
	case (end-HeaderLen)%EntryLen != 0:
		return Error{ReasonLength, end}
	case end > HeaderLen+MaxEntries*EntryLen:
		return Error{ReasonTooManyEntries, HeaderLen + MaxEntries*EntryLen}
	}
	n := (end - HeaderLen) / EntryLen
	if m.Auth.Type != AuthNone {
		r.Skip(EntryLen)
		n--
	}
	for range n {
		at := r.Offset()
		m.Entries = append(m.Entries, decodeEntry(&r))
		if off := m.mustBeZero(); off != 0 {
			return Error{ReasonMustBeZero, at + off}
		}
	}
	return Error{}
}

func decodeEntry(r *wire.Reader) Entry {
	var e Entry
	e.Family, e.Tag = r.U16(), r.U16()
	e.Addr = addrFrom(r.U32())
	e.Mask = r.U32()
	e.NextHop = addrFrom(r.U32())
	e.Metric = r.U32()
	return e
}

func addrFrom(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// mustBeZero returns the offset in the last entry of a field that version 1
// wants to be zero and is not (RFC 2453 sections 3.6 and 5), else 0. An entry of
// another family has another layout: Check refuses it alone.
func (m *Message) mustBeZero() int {
	e := &m.Entries[len(m.Entries)-1]
	switch {
	case m.Version != Version1 || e.Family != FamilyIP && e.Family != FamilyUnspecified:
		return 0
	case e.Tag != 0:
		return entryTag
	case e.Mask != 0:
		return entryMask
	case e.NextHop != netip.IPv4Unspecified():
		return entryNextHop
	}
	return 0
}

// decodeAuth fills m.Auth and returns where the entries end. Authentication is
// of version 2: in version 1 its entry is one of an unknown family (RFC 2453
// section 5.2).
func (m *Message) decodeAuth(b []byte) (end int, e Error) {
	if m.Version == Version1 || len(b) < HeaderLen+EntryLen {
		return len(b), Error{}
	}
	r := wire.NewReader(b)
	r.Skip(HeaderLen)
	if r.U16() != FamilyAuthentication {
		return len(b), Error{}
	}
	m.Auth.Type = AuthType(r.U16())
	switch m.Auth.Type {
	case AuthPassword:
		return len(b), Error{}
	case AuthCryptographic:
		end = int(r.U16())
		m.Auth.KeyID = r.U8()
		field := int(r.U8())
		m.Auth.Sequence = r.U32()
		return end, m.decodeTrailer(b, end, field)
	}
	return 0, Error{ReasonAuthType, offAuthType}
}

// decodeTrailer finds the Authentication Data behind the entries. Its length is
// what the datagram has left; the Auth Data Len field must agree. RFC 4822
// section 2.1 counts the data in it; with Keyed-MD5 some routers count the four
// octets before the data too.
func (m *Message) decodeTrailer(b []byte, end, field int) Error {
	if end < HeaderLen+EntryLen {
		return Error{ReasonTrailer, offAuthEnd}
	}
	at := end + trailerHeaderLen
	n := len(b) - at
	if n <= 0 {
		return Error{ReasonTruncated, len(b)}
	}
	r := wire.NewReader(b[end:])
	switch {
	case r.U16() != FamilyAuthentication || r.U16() != trailerType:
		return Error{ReasonTrailer, end}
	case n > maxDigestLen:
		return Error{ReasonLength, at + maxDigestLen}
	case field != n && (n != md5.Size || field != n+trailerHeaderLen):
		return Error{ReasonTrailer, offAuthLen}
	}
	m.Auth.DigestLen, m.Auth.Offset = uint8(n), uint16(at)
	return Error{}
}

// trailerType follows 0xFFFF at the start of the trailer.
const trailerType = 1
