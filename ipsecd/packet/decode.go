package packet

import (
	"bytes"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// Offsets of the fields of the header.
const (
	offNext    = 16
	offVersion = 17
	offLength  = 24
)

// criticalBit is C of the Generic Payload Header (RFC 7296 section 3.2).
const criticalBit = 0x80

// most says how often a payload may be there (RFC 7296 sections 1.2, 1.3 and 1.4; the
// larger ones are bounds of ours).
var most = map[PayloadType]int{
	TypeCert: 8, TypeCertReq: 20, TypeNotify: 40, TypeDelete: 20, TypeVendorID: 32,
	TypeSA: 1, TypeKE: 1, TypeIDi: 1, TypeIDr: 1, TypeAuth: 1, TypeNonce: 1, TypeTSi: 1, TypeTSr: 1, TypeConfig: 1,
}

// ParseHeader returns the header of a message of IKE, and its major version. Of a
// message of IKEv1 the SPIs are its cookies, the exchange and the flags are of that
// version, and the error is an *Error of ReasonIKEv1; of one of a version to come it is
// ReasonVersion, and the rest is as far as that is possible.
func ParseHeader(b []byte) (h Header, version uint8, err error) {
	if len(b) < HeaderLen {
		return Header{}, 0, &Error{Reason: ReasonTruncated, Offset: len(b)}
	}
	r := wire.NewReader(b)
	h.SPIi, h.SPIr = SPI(r.U64()), SPI(r.U64())
	r.Skip(1)
	version = r.U8() >> 4
	h.Exchange = ExchangeType(r.U8())
	h.Flags = Flags(r.U8())
	h.MessageID = r.U32()
	switch version {
	case 1:
		return h, version, &Error{Reason: ReasonIKEv1, Offset: offVersion}
	case Version >> 4:
		h.Flags &= knownFlags
		return h, version, nil
	}
	return h, version, &Error{Reason: ReasonVersion, Offset: offVersion}
}

// Parse returns the message in b, the whole of a UDP datagram without the non-ESP
// marker. It keeps no reference to b. The error is an *Error.
func Parse(b []byte) (*Message, error) {
	h, _, err := ParseHeader(b)
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(b)
	r.Skip(offLength)
	switch n := r.U32(); {
	case len(b) > MaxMessageSize:
		return nil, &Error{Reason: ReasonTooLong, Offset: MaxMessageSize}
	case uint64(n) > uint64(len(b)):
		return nil, &Error{Reason: ReasonTruncated, Offset: offLength}
	case uint64(n) < uint64(len(b)):
		return nil, &Error{Reason: ReasonTrailing, Offset: offLength}
	}
	r = wire.NewReader(bytes.Clone(b))
	r.Skip(HeaderLen)
	d := decoder{}
	m := &Message{Header: h}
	m.Payloads = d.chain(PayloadType(b[offNext]), &r)
	m.Encrypted = d.encrypted
	if d.err.Reason != 0 {
		return nil, &d.err
	}
	return m, nil
}

// ParsePayloads returns the chain of payloads in b, what an Encrypted payload contained
// without padding; first is the type of the first (RFC 7296 section 3.14). It keeps no
// reference to b. The error is an *Error, with offsets in b.
func ParsePayloads(first PayloadType, b []byte) ([]Payload, error) {
	if len(b) > MaxMessageSize {
		return nil, &Error{Reason: ReasonTooLong, Offset: MaxMessageSize}
	}
	r := wire.NewReader(bytes.Clone(b))
	d := decoder{inner: true}
	ps := d.chain(first, &r)
	if d.err.Reason != 0 {
		return nil, &d.err
	}
	return ps, nil
}

// decoder reads payloads. The first error sticks.
type decoder struct {
	inner     bool // the chain was encrypted
	current   PayloadType
	seen      map[PayloadType]int
	encrypted *Encrypted
	err       Error
}

func (d *decoder) fail(r Reason, off int) {
	if d.err.Reason == 0 {
		d.err = Error{Reason: r, Offset: off, Payload: d.current}
	}
}

func (d *decoder) failed() bool { return d.err.Reason != 0 }

// chain reads payloads up to the end of r, the first of which has type next.
func (d *decoder) chain(next PayloadType, r *wire.Reader) []Payload {
	var ps []Payload
	d.seen = map[PayloadType]int{}
	for next != NoNextPayload && !d.failed() {
		d.current = next
		if len(ps) == MaxPayloads {
			d.fail(ReasonTooMany, r.Offset())
			break
		}
		p, following := d.payload(next, r)
		if d.encrypted != nil {
			if r.Len() > 0 {
				d.fail(ReasonNotLast, r.Offset())
			}
			return ps
		}
		ps = append(ps, p)
		next = following
	}
	if !d.failed() && r.Len() > 0 {
		d.current = 0
		d.fail(ReasonTrailing, r.Offset())
	}
	return ps
}

// payload reads one payload (RFC 7296 section 3.2) and returns the type of the one
// that follows. An Encrypted one it puts into d.
func (d *decoder) payload(t PayloadType, r *wire.Reader) (p Payload, next PayloadType) {
	at := r.Offset()
	next, flags, n := PayloadType(r.U8()), r.U8(), int(r.U16())
	switch {
	case r.Failed():
		d.fail(ReasonTruncated, r.Offset())
	case n < genericLen:
		d.fail(ReasonPayloadLength, at+2)
	case n-genericLen > r.Len():
		d.fail(ReasonTruncated, at+2)
	}
	if d.failed() {
		return nil, 0
	}
	v := r.Sub(n - genericLen)
	if d.seen[t]++; most[t] > 0 && d.seen[t] > most[t] {
		d.fail(ReasonTooMany, at)
		return nil, 0
	}
	if t == TypeSK || t == TypeSKF {
		d.sealed(t, next, at, &v)
		return nil, 0
	}
	p = d.contents(t, flags&criticalBit != 0, at, &v)
	if v.Failed() {
		d.fail(ReasonPayloadLength, at+2)
	}
	if v.Len() > 0 {
		d.fail(ReasonPayloadLength, at+2)
	}
	return p, next
}

// contents reads the contents of a payload in clear.
func (d *decoder) contents(t PayloadType, critical bool, at int, v *wire.Reader) Payload {
	switch t {
	case TypeSA:
		return d.sa(v)
	case TypeKE:
		return d.ke(v)
	case TypeIDi, TypeIDr:
		return d.id(t, v)
	case TypeCert:
		return &Cert{CertEncoding(v.U8()), d.some(v)}
	case TypeCertReq:
		return &CertReq{CertEncoding(v.U8()), rest(v)}
	case TypeAuth:
		return d.auth(v)
	case TypeNonce:
		if n := v.Len(); n < MinNonce || n > MaxNonce {
			d.fail(ReasonNonce, at)
		}
		return &Nonce{rest(v)}
	case TypeNotify:
		return d.notify(v)
	case TypeDelete:
		return d.delete(v)
	case TypeVendorID:
		return &VendorID{rest(v)}
	case TypeTSi, TypeTSr:
		return d.ts(t, v)
	case TypeConfig:
		return d.config(v)
	case TypeEAP:
		d.fail(ReasonEAP, at)
		return nil
	}
	if critical {
		d.fail(ReasonCritical, at)
	}
	return &Raw{t, rest(v)}
}

// rest reads what is left; nil if that is nothing.
func rest(v *wire.Reader) []byte {
	if v.Len() == 0 {
		return nil
	}
	return v.Rest()
}

// some reads what is left, which must be something.
func (d *decoder) some(v *wire.Reader) []byte {
	if !v.Failed() && v.Len() == 0 {
		d.fail(ReasonEmpty, v.Offset())
	}
	return rest(v)
}

// sealed reads an Encrypted payload or an Encrypted Fragment.
func (d *decoder) sealed(t, first PayloadType, at int, v *wire.Reader) {
	e := &Encrypted{First: first}
	if d.inner {
		d.fail(ReasonNested, at)
	}
	if t == TypeSKF {
		e.Number, e.Total = v.U16(), v.U16()
		switch {
		case v.Failed():
			d.fail(ReasonPayloadLength, at+2)
		case e.Number == 0, e.Number > e.Total, e.Total > MaxFragments:
			d.fail(ReasonFragment, at+genericLen)
		case e.Number > 1 && e.First != NoNextPayload:
			d.fail(ReasonFragment, at)
		}
	}
	e.Offset = v.Offset()
	e.Data = d.some(v)
	if !d.failed() {
		d.encrypted = e
	}
}

func (d *decoder) ke(v *wire.Reader) Payload {
	p := &KE{Group: Group(v.U16())}
	v.Skip(2)
	p.Data = d.some(v)
	return p
}

func (d *decoder) id(t PayloadType, v *wire.Reader) Payload {
	p := &ID{Responder: t == TypeIDr, Kind: IDType(v.U8())}
	v.Skip(3)
	at := v.Offset()
	p.Data = rest(v)
	if !v.Failed() && !p.fits() {
		d.fail(ReasonAddress, at)
	}
	return p
}

// fits reports whether the identity is as long as its type wants.
func (p *ID) fits() bool {
	switch p.Kind {
	case IDIPv4Addr:
		return len(p.Data) == 4
	case IDIPv6Addr:
		return len(p.Data) == 16
	}
	return true
}

func (d *decoder) auth(v *wire.Reader) Payload {
	p := &Auth{Method: AuthMethod(v.U8())}
	v.Skip(3)
	if p.Method == AuthSignature {
		at := v.Offset()
		n := int(v.U8())
		if !v.Failed() && (n == 0 || n > v.Len()) {
			d.fail(ReasonSignature, at)
			return p
		}
		p.Algorithm = v.Bytes(n)
	}
	p.Data = d.some(v)
	return p
}

func (d *decoder) notify(v *wire.Reader) Payload {
	p := &Notify{Protocol: Protocol(v.U8())}
	at := v.Offset()
	n := int(v.U8())
	p.Kind = NotifyType(v.U16())
	switch {
	case n == 0 || v.Failed():
		p.Protocol = NoProtocol
	case n == 4 && p.Protocol.spiLen() == 4:
		p.SPI = v.U32()
	default:
		d.fail(ReasonSPI, at)
	}
	p.Data = rest(v)
	return p
}

func (d *decoder) delete(v *wire.Reader) Payload {
	at := v.Offset()
	p := &Delete{Protocol: Protocol(v.U8())}
	size, n := int(v.U8()), int(v.U16())
	if v.Failed() {
		return p
	}
	switch want := p.Protocol.spiLen(); {
	case want == 0:
		d.fail(ReasonProtocol, at)
	case p.Protocol == ProtocolIKE:
		if size != 0 || n != 0 {
			d.fail(ReasonSPI, at+1)
		}
	case size != want || n*want != v.Len():
		d.fail(ReasonSPI, at+1)
	default:
		for range n {
			p.SPIs = append(p.SPIs, v.U32())
		}
	}
	return p
}

func (d *decoder) config(v *wire.Reader) Payload {
	p := &Config{Kind: ConfigType(v.U8())}
	v.Skip(3)
	for v.Len() > 0 && !d.failed() {
		at := v.Offset()
		a := ConfigAttribute{Type: v.U16() &^ shortBit}
		if n := int(v.U16()); v.Failed() || n > v.Len() {
			d.fail(ReasonAttribute, at)
		} else if n > 0 {
			a.Value = v.Bytes(n)
		}
		if len(p.Attributes) == MaxConfig {
			d.fail(ReasonTooMany, at)
		}
		p.Attributes = append(p.Attributes, a)
	}
	return p
}
