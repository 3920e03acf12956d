package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// AppendBinary appends the message to b, without authentication, and returns the longer
// slice. m.Auth is ignored. It refuses unknown types, addresses that are not IPv4, and what
// is longer than MaxPacketSize, and LSAs whose octets are not as long as their header says.
// The error is an *Error; b is then returned unchanged.
//
// The L bit of the options is written as LLS says.
func (m *Message) AppendBinary(b []byte) ([]byte, error) { return m.Append(b, nil, 0, netip.Addr{}) }

// Append is AppendBinary with authentication by a key, none if nil. sequence is the
// cryptographic sequence number: larger than those before, 32 bits, or 64 if the key is
// Extended. source is the address from which the packet goes out; only an Extended key
// wants it.
func (m *Message) Append(b []byte, key *Key, sequence uint64, source netip.Addr) ([]byte, error) {
	switch {
	case m.Type < Hello || m.Type > LinkStateAck:
		return b, &Error{ReasonType, typeAt}
	case key != nil && !key.usable(source):
		return b, &Error{ReasonKey, authFieldAt}
	case !addressOK(m.HelloBody.Designated), !addressOK(m.HelloBody.Backup):
		return b, &Error{ReasonAddress, HeaderLen}
	}
	for _, l := range m.Updates {
		if len(l.Octets) < LSAHeaderLen || len(l.Octets) != int(l.Length) {
			return b, &Error{ReasonLSALength, HeaderLen + countLen}
		}
	}
	base := len(b)
	out := append(b, Version, uint8(m.Type), 0, 0)
	out = wire.AppendU32(out, uint32(m.RouterID))
	out = wire.AppendU32(out, uint32(m.AreaID))
	out = wire.AppendZeros(out, HeaderLen-checksumAt)
	out = m.appendBody(out)
	n := len(out) - base
	if n > MaxPacketSize {
		return b, &Error{ReasonTooLong, n}
	}
	wire.PutU16(out, base+lengthAt, uint16(n))
	if key == nil || key.Algorithm == SimplePassword {
		wire.PutU16(out, base+auTypeAt, uint16(typeOf(key)))
		wire.PutU16(out, base+checksumAt, wire.Checksum(out[base:]))
		if key != nil {
			key.field(out[base:], 0)
		}
	} else {
		out = key.sign(out, base, sequence, source)
	}
	return m.appendLLS(out, key), nil
}

func typeOf(key *Key) AuType {
	if key == nil {
		return AuthNull
	}
	return key.auType()
}

// sign fills in the header and appends the digest of the packet that begins at base.
func (k *Key) sign(out []byte, base int, sequence uint64, source netip.Addr) []byte {
	wire.PutU16(out, base+auTypeAt, uint16(k.auType()))
	k.field(out[base:], sequence)
	if k.Extended {
		out = wire.AppendU64(out, sequence)
	}
	return k.appendDigest(out, out[base:], source)
}

func addressOK(a netip.Addr) bool { return !a.IsValid() || a.Is4() }

func (m *Message) appendBody(b []byte) []byte {
	switch m.Type {
	case Hello:
		return m.HelloBody.append(b, m.LLS != nil)
	case DatabaseDescription:
		d := &m.Description
		b = wire.AppendU16(b, d.MTU)
		b = append(b, uint8(withL(d.Options, m.LLS != nil)), uint8(d.Flags))
		b = wire.AppendU32(b, d.Sequence)
		return appendHeaders(b, d.Headers)
	case LinkStateRequest:
		for _, k := range m.Requests {
			b = wire.AppendU32(b, uint32(k.Type))
			b = wire.AppendU32(b, uint32(k.ID))
			b = wire.AppendU32(b, uint32(k.Router))
		}
		return b
	case LinkStateUpdate:
		b = wire.AppendU32(b, uint32(len(m.Updates)))
		for _, l := range m.Updates {
			b = wire.AppendU16(b, l.Age)
			b = append(b, l.Octets[2:]...)
		}
		return b
	}
	return appendHeaders(b, m.Acks)
}

func (h *HelloBody) append(b []byte, lls bool) []byte {
	b = wire.AppendU32(b, h.Mask)
	b = wire.AppendU16(b, h.Interval)
	b = append(b, uint8(withL(h.Options, lls)), h.Priority)
	b = wire.AppendU32(b, h.DeadInterval)
	b = wire.AppendU32(b, addrTo(h.Designated))
	b = wire.AppendU32(b, addrTo(h.Backup))
	for _, id := range h.Neighbors {
		b = wire.AppendU32(b, uint32(id))
	}
	return b
}

func appendHeaders(b []byte, headers []LSAHeader) []byte {
	for _, h := range headers {
		b = h.append(b)
	}
	return b
}

// withL sets or clears the L bit.
func withL(o Options, lls bool) Options {
	if lls {
		return o | OptionL
	}
	return o &^ OptionL
}

// appendLLS appends the data block of link-local signalling.
func (m *Message) appendLLS(b []byte, key *Key) []byte {
	if m.LLS == nil || m.Type > DatabaseDescription {
		return b
	}
	base := len(b)
	b = wire.AppendZeros(b, llsHeaderLen)
	b = AppendTLVs(b, m.LLS.TLVs)
	wire.PutU16(b, base+2, uint16((len(b)-base)/4))
	if t := typeOf(key); t == AuthNull || t == AuthSimple {
		wire.PutU16(b, base, wire.Checksum(b[base:]))
	}
	return b
}
