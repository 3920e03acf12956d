package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

const (
	commonLen   = 8  // common header up to the addresses
	cieFixedLen = 12 // Client Information Entry up to the addresses
)

// Len returns the number of octets that AppendBinary appends, ar$pktsz.
func (m *Message) Len() int {
	return FixedLen + m.mandatoryLen() + m.extensionsLen()
}

func addrSize(a netip.Addr) int { return a.BitLen() / 8 }

func (m *Message) mandatoryLen() int {
	n := commonLen + addrSize(m.SrcNBMA) + len(m.SrcSubaddress) +
		addrSize(m.SrcProtocol) + addrSize(m.DstProtocol) + len(m.Payload)
	return n + ciesLen(m.CIEs)
}

func (m *Message) hasExtensions() bool { return len(m.Extensions) > 0 || m.EndOfExtensions }

func (m *Message) extensionsLen() int {
	if !m.hasExtensions() {
		return 0
	}
	n := extensionHeader // End Of Extensions
	for i := range m.Extensions {
		n += m.Extensions[i].size()
	}
	return n
}

func (e *Extension) size() int { return extensionHeader + len(e.Value) + ciesLen(e.CIEs) }

func ciesLen(cs []CIE) int {
	n := 0
	for i := range cs {
		c := &cs[i]
		n += cieFixedLen + addrSize(c.NBMA) + len(c.NBMASubaddress) + addrSize(c.Protocol)
	}
	return n
}

// AppendBinary appends the packet to b and returns the longer slice. It checks
// what Parse checks, so that all it writes can be parsed; the error is an
// *Error whose offset is counted from the start of the packet, and b is then
// returned unchanged. It does not allocate if b has room for Len octets.
func (m *Message) AppendBinary(b []byte) ([]byte, error) {
	a := appender{m: m, b: b, base: len(b)}
	a.message()
	if a.err.Reason != 0 {
		e := a.err
		return b, &e
	}
	return a.b, nil
}

// appender writes a Message. The first error sticks; writing goes on
// harmlessly, bounded by the check of the size at the start.
type appender struct {
	m    *Message
	b    []byte
	base int
	cies int
	err  Error
}

func (a *appender) off() int { return len(a.b) - a.base }

func (a *appender) fail(r Reason, off int) {
	if a.err.Reason == 0 {
		a.err = Error{Reason: r, Offset: off}
	}
}

func (a *appender) message() {
	m := a.m
	size := m.Len()
	switch {
	case m.NBMA.addrLen() == 0:
		a.fail(ReasonAddressFamily, offAFN)
	case m.Protocol.addrLen() == 0:
		a.fail(ReasonProtocol, offProtocol)
	case m.Type < ResolutionRequest || m.Type > TrafficIndication:
		a.fail(ReasonType, offType)
	case size > MaxPacketSize:
		a.fail(ReasonTooLong, offSize)
	case m.contents():
		a.fail(ReasonContents, FixedLen)
	}
	if a.err.Reason != 0 {
		return
	}
	extOff := 0
	if m.hasExtensions() {
		extOff = FixedLen + m.mandatoryLen()
	}
	a.fixed(size, extOff)
	a.common()
	a.addCIEs(m.CIEs)
	a.b = append(a.b, m.Payload...)
	a.extensions()
	if a.err.Reason == 0 {
		wire.PutU16(a.b, a.base+offChecksum, wire.Checksum(a.b[a.base:]))
	}
}

// contents reports whether m has fields that its type has no place for.
func (m *Message) contents() bool {
	if m.Type.IsIndication() {
		return m.Flags != 0 || m.RequestID != 0 || len(m.CIEs) != 0
	}
	return m.ErrorCode != 0 || m.ErrorOffset != 0 || len(m.Payload) != 0
}

func (a *appender) fixed(size, extOff int) {
	m := a.m
	a.b = wire.AppendU16(a.b, uint16(m.NBMA))
	a.b = wire.AppendU16(a.b, uint16(m.Protocol))
	a.b = wire.AppendZeros(a.b, 5) // ar$pro.snap: zero in the short form
	a.b = wire.AppendU8(a.b, m.HopCount)
	a.b = wire.AppendU16(a.b, uint16(size))
	a.b = wire.AppendU16(a.b, 0) // ar$chksum, later
	a.b = wire.AppendU16(a.b, uint16(extOff))
	a.b = wire.AppendU8(a.b, Version)
	a.b = wire.AppendU8(a.b, uint8(m.Type))
	a.b = wire.AppendU8(a.b, a.addrLen(m.SrcNBMA, m.NBMA.addrLen()))
	a.b = wire.AppendU8(a.b, a.subaddressLen(m.SrcSubaddress))
}

func (a *appender) common() {
	m := a.m
	a.b = wire.AppendU8(a.b, a.addrLen(m.SrcProtocol, m.Protocol.addrLen()))
	a.b = wire.AppendU8(a.b, a.addrLen(m.DstProtocol, m.Protocol.addrLen()))
	if m.Type.IsIndication() {
		a.b = wire.AppendU16(a.b, 0)
		a.b = wire.AppendU16(a.b, uint16(m.ErrorCode))
		a.b = wire.AppendU16(a.b, m.ErrorOffset)
	} else {
		a.b = wire.AppendU16(a.b, uint16(m.Flags))
		a.b = wire.AppendU32(a.b, m.RequestID)
	}
	a.addr(m.SrcNBMA)
	a.b = append(a.b, m.SrcSubaddress...)
	a.addr(m.SrcProtocol)
	a.addr(m.DstProtocol)
}

func (a *appender) addCIEs(cs []CIE) {
	if a.cies += len(cs); a.cies > MaxCIEs {
		a.fail(ReasonTooManyCIEs, a.off())
	}
	for i := range cs {
		c := &cs[i]
		a.b = append(a.b, byte(c.Code), c.PrefixLength, 0, 0)
		a.b = wire.AppendU16(a.b, c.MTU)
		a.b = wire.AppendU16(a.b, c.HoldingTime)
		a.b = wire.AppendU8(a.b, a.addrLen(c.NBMA, a.m.NBMA.addrLen()))
		a.b = wire.AppendU8(a.b, a.subaddressLen(c.NBMASubaddress))
		a.b = wire.AppendU8(a.b, a.addrLen(c.Protocol, a.m.Protocol.addrLen()))
		a.b = wire.AppendU8(a.b, c.Preference)
		a.addr(c.NBMA)
		a.b = append(a.b, c.NBMASubaddress...)
		a.addr(c.Protocol)
	}
}

// addrLen returns the length octet of an address, which must be of the family
// whose addresses have want octets and have no zone.
func (a *appender) addrLen(addr netip.Addr, want int) uint8 {
	n := addrSize(addr)
	if n != 0 && (n != want || addr.Zone() != "") {
		a.fail(ReasonAddress, a.off())
	}
	return uint8(n)
}

func (a *appender) subaddressLen(s []byte) uint8 {
	if len(s) > MaxSubaddress {
		a.fail(ReasonAddressLength, a.off())
	}
	return uint8(len(s))
}

func (a *appender) addr(addr netip.Addr) {
	switch addrSize(addr) {
	case 4:
		v := addr.As4()
		a.b = append(a.b, v[:]...)
	case 16:
		v := addr.As16()
		a.b = append(a.b, v[:]...)
	}
}

func (a *appender) extensions() {
	m := a.m
	if !m.hasExtensions() {
		return
	}
	if len(m.Extensions) > MaxExtensions {
		a.fail(ReasonTooManyExtensions, a.off())
		return
	}
	for i := range m.Extensions {
		e := &m.Extensions[i]
		at := a.off()
		a.checkExtension(i, at)
		head := uint16(e.Type)
		if e.Compulsory {
			head |= compulsoryBit
		}
		a.b = wire.AppendU16(a.b, head)
		a.b = wire.AppendU16(a.b, uint16(e.size()-extensionHeader))
		a.addCIEs(e.CIEs)
		a.b = append(a.b, e.Value...)
	}
	a.b = wire.AppendU16(a.b, compulsoryBit|uint16(EndOfExtensions))
	a.b = wire.AppendU16(a.b, 0)
}

// checkExtension applies to the i-th extension, which starts at offset at, what
// Parse would refuse.
func (a *appender) checkExtension(i, at int) {
	e := &a.m.Extensions[i]
	deviceCaps := e.Type == NATAddress && len(e.Value) == deviceCapabilitiesLen
	switch {
	case e.Type == EndOfExtensions || e.Type > extensionTypeMax,
		len(e.CIEs) > 0 && (!e.Type.HasCIEs() || len(e.Value) > 0),
		len(e.Value) > 0 && e.Type.HasCIEs() && !deviceCaps,
		e.Type == ResponderAddress && len(e.CIEs) > 1,
		e.Type == Authentication && len(e.Value) < authFixedLen,
		e.Type == VendorPrivate && len(e.Value) < ouiLen:
		a.fail(ReasonExtension, at)
	}
	if e.Type == VendorPrivate {
		return
	}
	for j := range i {
		if a.m.Extensions[j].Type == e.Type {
			a.fail(ReasonDuplicateExtension, at)
		}
	}
}
