package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// Len returns how many octets AppendBinary writes for m.
func (m *Message) Len() int {
	n := HeaderLen
	if m.Parameters != nil {
		n += parameterLen
	}
	n += addrsLen(m.SequenceAddrs)
	if m.Software != nil {
		n += softwareLen
	}
	if m.MulticastSequence != 0 {
		n += multicastLen
	}
	if m.Stub != 0 {
		n += stubLen
	}
	n += addrsLen(m.Terminated)
	if len(m.TIDs) > 0 {
		n += tidListLen + 2*len(m.TIDs)
	}
	for i := range m.Routes {
		n += m.Routes[i].Len()
	}
	for i := range m.Communities {
		n += m.Communities[i].len()
	}
	for i := range m.Unknown {
		n += tlvHeader + len(m.Unknown[i].Value)
	}
	return n
}

// addrsLen returns the length of a TLV of addresses, 0 if it is not sent.
func addrsLen(as []netip.Addr) int {
	if len(as) == 0 {
		return 0
	}
	n := tlvHeader
	for _, a := range as {
		n += 1 + a.BitLen()/8
	}
	return n
}

// len returns the length of the TLV.
func (c *Communities) len() int {
	return tlvHeader + c.Destination.BitLen()/8 + 4 + communityLen*len(c.List)
}

// AppendBinary appends the message to b, without authentication, and returns the
// longer slice. m.Auth is ignored. The order of TLVs is that of the fields of
// Message.
//
// It refuses what could not be read again: unknown opcodes, AS 0, addresses of
// another family, numbers that do not fit, fields that a route's Type does not have,
// more than MaxPacketSize octets. The error is an *Error; b is then returned
// unchanged.
func (m *Message) AppendBinary(b []byte) ([]byte, error) { return m.Append(b, nil, netip.Addr{}) }

// Append is AppendBinary with authentication by a key, none if nil. source is the
// address from which the packet goes out; HMAC-SHA-256 has it in its key.
func (m *Message) Append(b []byte, key *Key, source netip.Addr) ([]byte, error) {
	a := appender{b: b, base: len(b)}
	a.message(m, key, source)
	if a.err.Reason != 0 {
		e := a.err
		return b, &e
	}
	return a.b, nil
}

// AppendTLVs appends the TLVs of m alone, as AppendBinary would, without header and
// authentication: what is sent reliably is kept in this form until it is acknowledged.
func (m *Message) AppendTLVs(b []byte) ([]byte, error) {
	a := appender{b: b, base: len(b) - HeaderLen}
	a.tlvs(m)
	if a.err.Reason == 0 && a.at() > MaxPacketSize {
		a.err = Error{ReasonTooLong, MaxPacketSize}
	}
	if a.err.Reason != 0 {
		e := a.err
		return b, &e
	}
	return a.b, nil
}

// AppendAround is Append with TLVs that AppendTLVs wrote in place of those of m: it
// adds the header of m, and authentication.
func (m *Message) AppendAround(b, tlvs []byte, key *Key, source netip.Addr) ([]byte, error) {
	a := appender{b: b, base: len(b)}
	if a.check(m, HeaderLen+len(tlvs), key, source); a.err.Reason == 0 {
		a.header(m, key)
		a.raw(tlvs)
		a.seal(key, source)
	}
	if a.err.Reason != 0 {
		e := a.err
		return b, &e
	}
	return a.b, nil
}

// appender writes a Message. The first error sticks.
type appender struct {
	b    []byte
	base int // where the packet begins
	err  Error
}

// at returns the offset of what is written next.
func (a *appender) at() int { return len(a.b) - a.base }

// fail records a refusal of what is written next.
func (a *appender) fail(r Reason) {
	if a.err.Reason == 0 {
		a.err = Error{Reason: r, Offset: a.at()}
	}
}

func (a *appender) u8(v ...byte) { a.b = append(a.b, v...) }
func (a *appender) u16(v uint16) { a.b = wire.AppendU16(a.b, v) }
func (a *appender) u24(v uint32) { a.b = wire.AppendU24(a.b, v) }
func (a *appender) u32(v uint32) { a.b = wire.AppendU32(a.b, v) }
func (a *appender) u48(v uint64) { a.u16(uint16(v >> 32)); a.u32(uint32(v)) }
func (a *appender) zeros(n int)  { a.b = wire.AppendZeros(a.b, n) }
func (a *appender) raw(v []byte) { a.b = append(a.b, v...) }
func (a *appender) tlv(t TLVType, n int) {
	a.u16(uint16(t))
	a.u16(uint16(n))
}

func (a *appender) message(m *Message, key *Key, source netip.Addr) {
	if a.check(m, m.Len(), key, source); a.err.Reason != 0 {
		return
	}
	a.header(m, key)
	a.tlvs(m)
	if a.err.Reason == 0 {
		a.seal(key, source)
	}
}

// header writes the header, and the Authentication TLV with a digest of zeros.
func (a *appender) header(m *Message, key *Key) {
	a.u8(Version, uint8(m.Opcode), 0, 0)
	a.u32(uint32(m.Flags))
	a.u32(m.Sequence)
	a.u32(m.Ack)
	a.u16(m.VRID)
	a.u16(m.AS)
	if key != nil {
		a.auth(key)
	}
}

// tlvs writes all TLVs but that of authentication.
func (a *appender) tlvs(m *Message) {
	a.general(m)
	for i := range m.Routes {
		a.route(&m.Routes[i])
	}
	for i := range m.Communities {
		a.communities(&m.Communities[i])
	}
	for i := range m.Unknown {
		u := &m.Unknown[i]
		if u.Type.known() {
			a.fail(ReasonType)
		}
		a.tlv(u.Type, tlvHeader+len(u.Value))
		a.raw(u.Value)
	}
}

// seal fills in the digest and the checksum.
func (a *appender) seal(key *Key, source netip.Addr) {
	p := a.b[a.base:]
	if key != nil {
		key.digest(p[authDigest:authDigest], p, authDigest, source)
	}
	wire.PutU16(p, offChecksum, wire.Checksum(p))
}

// check refuses what concerns the whole packet, of n octets without authentication.
func (a *appender) check(m *Message, n int, key *Key, source netip.Addr) {
	if key != nil {
		n += key.Algorithm.tlvLen()
	}
	switch {
	case !m.Opcode.Known():
		a.err = Error{ReasonOpcode, offOpcode}
	case m.VRID != VRIDUnicast && m.VRID != VRIDMulticast && m.VRID != VRIDService:
		a.err = Error{ReasonVRID, offVRID}
	case m.AS == 0:
		a.err = Error{ReasonAS, offAS}
	case key != nil && !key.usable(source):
		a.err = Error{ReasonKey, HeaderLen}
	case n > MaxPacketSize:
		a.err = Error{ReasonTooLong, MaxPacketSize}
	}
}

// general writes the TLVs of RFC 7868 section 6.7 but for authentication.
func (a *appender) general(m *Message) {
	if p := m.Parameters; p != nil {
		a.tlv(TypeParameter, parameterLen)
		k := p.Weights
		a.u8(k.K1, k.K2, k.K3, k.K4, k.K5, k.K6)
		a.u16(p.HoldTime)
	}
	a.addrs(TypeSequence, m.SequenceAddrs)
	if s := m.Software; s != nil {
		a.tlv(TypeSoftwareVersion, softwareLen)
		a.u8(s.OSMajor, s.OSMinor, s.TLVMajor, s.TLVMinor)
	}
	if m.MulticastSequence != 0 {
		a.tlv(TypeMulticastSequence, multicastLen)
		a.u32(m.MulticastSequence)
	}
	if m.Stub != 0 {
		a.tlv(TypePeerInformation, stubLen)
		a.u16(uint16(m.Stub))
	}
	a.addrs(TypePeerTermination, m.Terminated)
	if len(m.TIDs) > 0 {
		a.tlv(TypeTIDList, tidListLen+2*len(m.TIDs))
		a.u16(0) // flags
		a.u16(uint16(2 * len(m.TIDs)))
		for _, t := range m.TIDs {
			a.u16(t)
		}
	}
}

func (a *appender) addrs(t TLVType, as []netip.Addr) {
	if len(as) == 0 {
		return
	}
	for _, ad := range as {
		if !AFIPv4.holds(ad) && !AFIPv6.holds(ad) {
			a.fail(ReasonAddress)
		}
	}
	a.tlv(t, addrsLen(as))
	for _, ad := range as {
		a.u8(uint8(ad.BitLen() / 8))
		a.addr(ad)
	}
}

// addr writes an address.
func (a *appender) addr(ad netip.Addr) {
	switch ad.BitLen() {
	case 32:
		v := ad.As4()
		a.raw(v[:])
	case 128:
		v := ad.As16()
		a.raw(v[:])
	}
}

func (a *appender) communities(c *Communities) {
	t := TypeIPv4Community
	switch {
	case AFIPv6.holds(c.Destination):
		t = TypeIPv6Community
	case !AFIPv4.holds(c.Destination):
		a.fail(ReasonAddress)
	}
	if len(c.List) == 0 {
		a.fail(ReasonCommunity)
	}
	a.tlv(t, c.len())
	a.addr(c.Destination)
	a.u16(0)
	a.u16(uint16(communityLen * len(c.List)))
	a.communityList(c.List)
}

func (a *appender) communityList(cs []Community) {
	for i := range cs {
		a.raw(cs[i][:])
	}
}
