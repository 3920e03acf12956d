package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// Offsets of the fields of the Fixed Part (RFC 2332 section 5.1).
const (
	offAFN      = 0
	offProtocol = 2
	offHopCount = 9
	offSize     = 10
	offChecksum = 12
	offExtOff   = 14
	offVersion  = 16
	offType     = 17
	offSHTL     = 18
)

// Codings of IP in ar$pro.type other than by Ethertype (RFC 2332 section 5.1):
// an NLPID, or 0x0080 and the SNAP header in ar$pro.snap.
const (
	protocolSNAP      = 0x0080
	protocolNLPIDIPv4 = 0x00cc
	protocolNLPIDIPv6 = 0x008e
)

// Parse returns the message in b. It keeps no reference to b. The error is an
// *Error.
func Parse(b []byte) (*Message, error) {
	m := new(Message)
	if err := m.Decode(b); err != nil {
		return nil, err
	}
	return m, nil
}

// Decode is Parse into m, whose former content it overwrites and whose memory
// it uses again: in the long run it does not allocate. It keeps no reference to
// b. After an error m is not usable, but for another Decode.
func (m *Message) Decode(b []byte) error {
	own := m.own
	*m = Message{own: storage{b: own.b[:0], cies: own.cies[:0], exts: own.exts[:0]}}
	size, err := checkEnvelope(b)
	if err != nil {
		return err
	}
	m.own.b = append(m.own.b, b[:size]...)
	d := decoder{m: m}
	d.message(m.own.b)
	if d.err.Reason != 0 {
		e := d.err // only now, so that the good case does not allocate
		return &e
	}
	return nil
}

// checkEnvelope checks what must hold before any other field can be trusted:
// version, ar$pktsz and checksum. It returns ar$pktsz.
func checkEnvelope(b []byte) (int, error) {
	if len(b) < FixedLen {
		return 0, &Error{Reason: ReasonTruncated, Offset: len(b)}
	}
	if b[offVersion] != Version {
		return 0, &Error{Reason: ReasonVersion, Offset: offVersion}
	}
	size := int(b[offSize])<<8 | int(b[offSize+1])
	switch {
	case size < FixedLen:
		return 0, &Error{Reason: ReasonPacketSize, Offset: offSize}
	case size > MaxPacketSize:
		return 0, &Error{Reason: ReasonTooLong, Offset: offSize}
	case size > len(b):
		return 0, &Error{Reason: ReasonTruncated, Offset: len(b)}
	case !wire.ChecksumOK(b[:size]):
		return 0, &Error{Reason: ReasonChecksum, Offset: offChecksum}
	}
	return size, nil
}

// decoder fills a Message. The first error sticks.
type decoder struct {
	m   *Message
	err Error
}

func (d *decoder) fail(r Reason, off int) {
	if d.err.Reason == 0 {
		d.err = Error{Reason: r, Offset: off}
	}
}

func (d *decoder) failed() bool { return d.err.Reason != 0 }

// message decodes b, which is one whole packet.
func (d *decoder) message(b []byte) {
	m := d.m
	r := wire.NewReader(b)
	m.NBMA = AddressFamily(r.U16())
	m.Protocol = protocol(r.U16(), r.U8(), r.U32())
	m.HopCount = r.U8()
	r.Skip(offExtOff - offSize)
	extOff := int(r.U16())
	r.Skip(1)
	m.Type = Type(r.U8())
	shtl, sstl := r.U8(), r.U8()

	end := extOff
	if extOff == 0 {
		end = len(b)
	}
	switch {
	case m.NBMA.addrLen() == 0:
		d.fail(ReasonAddressFamily, offAFN)
	case m.Protocol.addrLen() == 0:
		d.fail(ReasonProtocol, offProtocol)
	case m.Type < ResolutionRequest || m.Type > TrafficIndication:
		d.fail(ReasonType, offType)
	case end < FixedLen || end > len(b):
		d.fail(ReasonExtensionOffset, offExtOff)
	}
	if d.failed() {
		return
	}
	mand := r.Sub(end - FixedLen)
	d.mandatory(&mand, shtl, sstl)
	if extOff != 0 && !d.failed() {
		d.extensions(&r)
	}
}

// protocol returns the Ethertype for ar$pro.type and the two parts of
// ar$pro.snap. The latter is ignored in the short form.
func protocol(typ uint16, snapHigh uint8, snapLow uint32) ProtocolType {
	switch typ {
	case protocolNLPIDIPv4:
		return ProtocolIPv4
	case protocolNLPIDIPv6:
		return ProtocolIPv6
	case protocolSNAP:
		if snapHigh == 0 && snapLow <= 0xffff { // OUI 00-00-00: an Ethertype follows
			return ProtocolType(snapLow)
		}
	}
	return ProtocolType(typ)
}

// mandatory decodes the Mandatory Part: sections 5.2.0.1 and 5.2.7.
func (d *decoder) mandatory(r *wire.Reader, shtl, sstl uint8) {
	m := d.m
	at := r.Offset()
	srcLen, dstLen := r.U8(), r.U8()
	if m.Type.IsIndication() {
		r.Skip(2)
		m.ErrorCode, m.ErrorOffset = ErrorCode(r.U16()), r.U16()
	} else {
		m.Flags, m.RequestID = Flags(r.U16()), r.U32()
	}
	m.SrcNBMA = d.nbma(r, shtl, offSHTL)
	m.SrcSubaddress = d.subaddress(r, sstl, offSHTL+1)
	m.SrcProtocol = d.protocolAddr(r, srcLen, at)
	m.DstProtocol = d.protocolAddr(r, dstLen, at+1)
	if !d.readOK(r) {
		return
	}
	if m.Type.IsIndication() {
		m.Payload = nilIfEmpty(r.Rest())
		return
	}
	m.CIEs = d.cies(r)
}

// readOK turns a failure of the reader into a ReasonTruncated.
func (d *decoder) readOK(r *wire.Reader) bool {
	if r.Failed() {
		d.fail(ReasonTruncated, r.Offset())
	}
	return !d.failed()
}

// cies decodes Client Information Entries up to the end of r.
func (d *decoder) cies(r *wire.Reader) []CIE {
	own := &d.m.own
	first := len(own.cies)
	for r.Len() > 0 && !d.failed() {
		if len(own.cies) == MaxCIEs {
			d.fail(ReasonTooManyCIEs, r.Offset())
			break
		}
		own.cies = append(own.cies, d.cie(r))
		d.readOK(r)
	}
	n := len(own.cies)
	if n == first {
		return nil
	}
	return own.cies[first:n:n]
}

// cie decodes one Client Information Entry.
func (d *decoder) cie(r *wire.Reader) CIE {
	var c CIE
	c.Code = CIECode(r.U8())
	c.PrefixLength = r.U8()
	r.Skip(2)
	c.MTU = r.U16()
	c.HoldingTime = r.U16()
	at := r.Offset()
	addrTL, subTL, protoLen := r.U8(), r.U8(), r.U8()
	c.Preference = r.U8()
	c.NBMA = d.nbma(r, addrTL, at)
	c.NBMASubaddress = d.subaddress(r, subTL, at+1)
	c.Protocol = d.protocolAddr(r, protoLen, at+2)
	return c
}

// Parts of a type/length octet (RFC 2332 section 5.1).
const (
	tlReserved = 0x80 // must be zero
	tlE164     = 0x40 // address is a native E.164 number, which IP has not
	tlLength   = 0x3f
)

// nbma decodes an NBMA address; tl is its type/length octet, found at offset at.
func (d *decoder) nbma(r *wire.Reader, tl uint8, at int) netip.Addr {
	return d.addr(r, d.length(tl, at), d.m.NBMA.addrLen(), at)
}

// length checks a type/length octet and returns the length.
func (d *decoder) length(tl uint8, at int) int {
	n := tl & tlLength
	if tl&tlReserved != 0 || n != 0 && tl&tlE164 != 0 {
		d.fail(ReasonAddressLength, at)
		return 0
	}
	return int(n)
}

// subaddress decodes an NBMA subaddress, which is kept raw.
func (d *decoder) subaddress(r *wire.Reader, tl uint8, at int) []byte {
	return nilIfEmpty(r.Bytes(d.length(tl, at)))
}

// protocolAddr decodes a protocol address of n octets; the length was found at
// offset at.
func (d *decoder) protocolAddr(r *wire.Reader, n uint8, at int) netip.Addr {
	return d.addr(r, int(n), d.m.Protocol.addrLen(), at)
}

// addr decodes an address of n octets, which must be 0 or want.
func (d *decoder) addr(r *wire.Reader, n, want, at int) netip.Addr {
	if n == 0 || d.failed() {
		return netip.Addr{}
	}
	if n != want && !r.Failed() {
		d.fail(ReasonAddressLength, at)
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(r.Bytes(n))
	return a
}

// extensions decodes the Extensions Part (RFC 2332 section 5.3).
func (d *decoder) extensions(r *wire.Reader) {
	m := d.m
	for {
		at := r.Offset()
		if r.Len() == 0 {
			d.fail(ReasonNoEndOfExtensions, at)
			return
		}
		head, n := r.U16(), int(r.U16())
		value := r.Sub(n)
		if !d.readOK(r) {
			return
		}
		e := Extension{Type: ExtensionType(head & extensionTypeMax), Compulsory: head&compulsoryBit != 0}
		if e.Type == EndOfExtensions {
			d.endOfExtensions(r, n, at)
			break
		}
		switch {
		case len(m.own.exts) == MaxExtensions:
			d.fail(ReasonTooManyExtensions, at)
		case e.Type != VendorPrivate && d.seen(e.Type):
			d.fail(ReasonDuplicateExtension, at)
		default:
			d.value(&e, &value, at)
		}
		if d.failed() {
			return
		}
		m.own.exts = append(m.own.exts, e)
	}
	if n := len(m.own.exts); n > 0 {
		m.Extensions = m.own.exts[:n:n]
	} else {
		m.EndOfExtensions = true
	}
}

// endOfExtensions checks the terminator, which has length 0 (section 5.3.0) and
// is the last thing in the packet. Its Compulsory bit is always sent, but not
// demanded.
func (d *decoder) endOfExtensions(r *wire.Reader, n, at int) {
	if n != 0 {
		d.fail(ReasonExtension, at)
	}
	if r.Len() != 0 {
		d.fail(ReasonNoEndOfExtensions, r.Offset())
	}
}

// seen reports whether an extension of type t was decoded before.
func (d *decoder) seen(t ExtensionType) bool {
	for i := range d.m.own.exts {
		if d.m.own.exts[i].Type == t {
			return true
		}
	}
	return false
}

// value decodes the value of an extension that starts at offset at.
func (d *decoder) value(e *Extension, r *wire.Reader, at int) {
	n := r.Len()
	switch {
	case e.Type == NATAddress && n == deviceCapabilitiesLen:
	case e.Type.HasCIEs():
		e.CIEs = d.cies(r)
		if e.Type == ResponderAddress && len(e.CIEs) > 1 {
			d.fail(ReasonExtension, at) // section 5.3.1: a single CIE
		}
		return
	case e.Type == Authentication && n < authFixedLen, e.Type == VendorPrivate && n < ouiLen:
		d.fail(ReasonExtension, at)
	}
	e.Value = nilIfEmpty(r.Rest())
}

func nilIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// addrLen returns the length of an address in octets, 0 for a family that is
// not supported.
func (f AddressFamily) addrLen() int {
	switch f {
	case AFNIPv4:
		return 4
	case AFNIPv6:
		return 16
	}
	return 0
}

// addrLen returns the length of an address in octets, 0 for a protocol that is
// not supported.
func (p ProtocolType) addrLen() int {
	switch p {
	case ProtocolIPv4:
		return 4
	case ProtocolIPv6:
		return 16
	}
	return 0
}
