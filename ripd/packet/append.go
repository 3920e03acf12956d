package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// Append appends the message to b and returns the longer slice. key
// authenticates it, none if nil; sequence is the Sequence Number of a
// cryptographic key. m.Auth is ignored.
//
// Append writes only what the RFC lets a router send: a known command, version
// 1 or 2 (2 if authenticated), families IP and unspecified, in version 1 no
// tag, mask and next hop, metrics up to 16, in a Response from 1 on, masks
// without gaps, at most MaxEntries entries with the authentication counted (see
// MaxEntriesWith for how many to send). The error is an *Error, its offset
// counted from the start of the message; b is then returned unchanged.
//
// If b has room, Append allocates only for the hash.
func (m *Message) Append(b []byte, key *Key, sequence uint32) ([]byte, error) {
	if e := m.checkAppend(key); e.Reason != 0 {
		return b, &Error{Reason: e.Reason, Offset: e.Offset} // here, so that the good case does not allocate
	}
	base := len(b)
	out := append(b, byte(m.Command), m.Version, 0, 0)
	if key != nil {
		out = key.appendAuth(out, len(m.Entries), sequence)
	}
	for i := range m.Entries {
		out = appendEntry(out, &m.Entries[i])
	}
	if key != nil && key.Algorithm.DigestLen() > 0 {
		out = wire.AppendU16(out, FamilyAuthentication)
		out = wire.AppendU16(out, trailerType)
		out = key.digest(out, out[base:])
	}
	return out, nil
}

// checkAppend refuses what must not be sent.
func (m *Message) checkAppend(key *Key) Error {
	at, room := HeaderLen, MaxEntries
	if key != nil {
		at, room = HeaderLen+EntryLen, MaxEntries-1
	}
	switch {
	case m.Command != Request && m.Command != Response:
		return Error{ReasonCommand, offCommand}
	case m.Version != Version1 && m.Version != Version2, key != nil && m.Version == Version1:
		return Error{ReasonVersion, offVersion}
	case key != nil && !key.usable():
		return Error{ReasonKey, HeaderLen}
	case len(m.Entries) > room:
		return Error{ReasonTooManyEntries, at + room*EntryLen}
	}
	for i := range m.Entries {
		if e := m.checkEntry(&m.Entries[i]); e.Reason != 0 {
			e.Offset += at + i*EntryLen
			return e
		}
	}
	return Error{}
}

// checkEntry refuses an entry that must not be sent; the offset is one in the
// entry.
func (m *Message) checkEntry(e *Entry) Error {
	_, contiguous := maskBits(e.Mask)
	v1 := m.Version == Version1
	switch {
	case e.Family != FamilyIP && e.Family != FamilyUnspecified:
		return Error{ReasonFamily, 0}
	case v1 && e.Tag != 0:
		return Error{ReasonMustBeZero, entryTag}
	case e.Addr.IsValid() && !e.Addr.Is4():
		return Error{ReasonAddress, entryAddr}
	case v1 && e.Mask != 0:
		return Error{ReasonMustBeZero, entryMask}
	case !contiguous:
		return Error{ReasonMask, entryMask}
	case e.NextHop.IsValid() && !e.NextHop.Is4():
		return Error{ReasonNextHop, entryNextHop}
	case v1 && e.NextHop.IsValid() && !e.NextHop.IsUnspecified():
		return Error{ReasonMustBeZero, entryNextHop}
	case e.Metric > Infinity, e.Metric == 0 && m.Command == Response:
		return Error{ReasonMetric, entryMetric}
	}
	return Error{}
}

// appendAuth appends the authentication entry of a message with n other entries.
func (k *Key) appendAuth(b []byte, n int, sequence uint32) []byte {
	b = wire.AppendU16(b, FamilyAuthentication)
	if k.Algorithm == SimplePassword {
		b = wire.AppendU16(b, uint16(AuthPassword))
		p := k.padded()
		return append(b, p[:]...)
	}
	b = wire.AppendU16(b, uint16(AuthCryptographic))
	b = wire.AppendU16(b, uint16(HeaderLen+EntryLen*(1+n)))
	b = append(b, k.ID, uint8(k.Algorithm.DigestLen()))
	b = wire.AppendU32(b, sequence)
	return wire.AppendZeros(b, 8)
}

func appendEntry(b []byte, e *Entry) []byte {
	b = wire.AppendU16(b, e.Family)
	b = wire.AppendU16(b, e.Tag)
	b = appendAddr(b, e.Addr)
	b = wire.AppendU32(b, e.Mask)
	b = appendAddr(b, e.NextHop)
	return wire.AppendU32(b, e.Metric)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return wire.AppendZeros(b, 4)
	}
	v := a.As4()
	return append(b, v[:]...)
}
