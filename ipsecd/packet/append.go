package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// AppendBinary appends the message to b and returns the longer slice. The data of an
// Encrypted payload is written as it is: room for what is encrypted later in place,
// from Encrypted.Data's place at the end.
//
// It refuses what could not be read again; b is then returned unchanged. The error is
// an *Error.
func (m *Message) AppendBinary(b []byte) ([]byte, error) {
	a := appender{b: b, start: len(b)}
	first, last := First(m.Payloads), NoNextPayload
	if m.Encrypted != nil {
		last = m.Encrypted.Type()
		if len(m.Payloads) == 0 {
			first = last
		}
	}
	a.b = wire.AppendU64(a.b, uint64(m.SPIi))
	a.b = wire.AppendU64(a.b, uint64(m.SPIr))
	a.u8(byte(first), Version, byte(m.Exchange), byte(m.Flags&knownFlags))
	a.b = wire.AppendU32(a.b, m.MessageID)
	a.b = wire.AppendU32(a.b, 0)
	a.chain(m.Payloads, last)
	if m.Encrypted != nil {
		a.sealed(m.Encrypted)
	}
	if len(a.b)-a.start > MaxMessageSize {
		a.current = 0
		a.fail(ReasonTooLong)
	}
	if a.err.Reason != 0 {
		return b, &a.err
	}
	wire.PutU32(a.b, a.start+offLength, uint32(len(a.b)-a.start))
	return a.b, nil
}

// AppendPayloads appends a chain of payloads, what an Encrypted payload will contain,
// to b and returns the longer slice. First has the type of the first. The error is an
// *Error, and b then returned unchanged.
func AppendPayloads(b []byte, ps []Payload) ([]byte, error) {
	a := appender{b: b, start: len(b)}
	a.chain(ps, NoNextPayload)
	if len(a.b)-a.start > MaxMessageSize {
		a.fail(ReasonTooLong)
	}
	if a.err.Reason != 0 {
		return b, &a.err
	}
	return a.b, nil
}

// First returns the type of the first payload, NoNextPayload if there is none.
func First(ps []Payload) PayloadType {
	if len(ps) == 0 || ps[0] == nil {
		return NoNextPayload
	}
	return ps[0].Type()
}

// appender writes a message. The first error sticks.
type appender struct {
	b       []byte
	start   int // of the message in b
	at      int // of the payload in the message
	current PayloadType
	err     Error
}

func (a *appender) fail(r Reason) {
	if a.err.Reason == 0 {
		a.err = Error{Reason: r, Offset: a.at, Payload: a.current}
	}
}

func (a *appender) u8(v ...byte) { a.b = append(a.b, v...) }
func (a *appender) u16(v uint16) { a.b = wire.AppendU16(a.b, v) }
func (a *appender) raw(v []byte) { a.b = append(a.b, v...) }
func (a *appender) octet(n int) byte {
	if n > 255 {
		a.fail(ReasonSize)
	}
	return byte(n)
}

// size writes a length of 16 bits.
func (a *appender) size(n int) {
	if n > 0xffff {
		a.fail(ReasonSize)
	}
	a.u16(uint16(n))
}

// chain writes payloads; last is what follows them.
func (a *appender) chain(ps []Payload, last PayloadType) {
	seen := map[PayloadType]int{}
	for i, p := range ps {
		a.at = len(a.b) - a.start
		if p == nil {
			a.current = 0
			a.fail(ReasonType)
			return
		}
		a.current = p.Type()
		if seen[a.current]++; i >= MaxPayloads || most[a.current] > 0 && seen[a.current] > most[a.current] {
			a.fail(ReasonTooMany)
			return
		}
		next := last
		if i < len(ps)-1 {
			next = First(ps[i+1:])
		}
		a.u8(byte(next), 0)
		a.size(genericLen + p.length())
		p.write(a)
		if a.err.Reason != 0 {
			return
		}
	}
}

func (a *appender) sealed(e *Encrypted) {
	a.at, a.current = len(a.b)-a.start, e.Type()
	switch {
	case len(e.Data) == 0:
		a.fail(ReasonEmpty)
	case !e.Fragment() && e.Number != 0:
		a.fail(ReasonContents)
	case e.Fragment() && (e.Number == 0 || e.Number > e.Total || e.Total > MaxFragments):
		a.fail(ReasonFragment)
	case e.Number > 1 && e.First != NoNextPayload:
		a.fail(ReasonFragment)
	}
	a.u8(byte(e.First), 0)
	a.size(e.headerLen() + len(e.Data))
	if e.Fragment() {
		a.u16(e.Number)
		a.u16(e.Total)
	}
	a.raw(e.Data)
}

// some writes a contents that may not be empty.
func (a *appender) some(v []byte) {
	if len(v) == 0 {
		a.fail(ReasonEmpty)
	}
	a.raw(v)
}

func (p *Raw) length() int { return len(p.Data) }

func (p *Raw) write(a *appender) {
	if p.Kind.Known() || p.Kind == NoNextPayload {
		a.fail(ReasonType)
	}
	a.raw(p.Data)
}

// Known reports whether payloads of the type are understood. EAP is: it is refused.
func (t PayloadType) Known() bool {
	return t >= TypeSA && t <= TypeEAP || t == TypeSKF
}

func (p *KE) length() int { return 4 + len(p.Data) }

func (p *KE) write(a *appender) {
	a.u16(uint16(p.Group))
	a.u16(0)
	a.some(p.Data)
}

func (p *ID) length() int { return 4 + len(p.Data) }

func (p *ID) write(a *appender) {
	if !p.fits() {
		a.fail(ReasonAddress)
	}
	a.b = p.AppendBody(a.b)
}

func (p *Cert) length() int { return 1 + len(p.Data) }

func (p *Cert) write(a *appender) {
	a.u8(byte(p.Encoding))
	a.some(p.Data)
}

func (p *CertReq) length() int { return 1 + len(p.Data) }

func (p *CertReq) write(a *appender) {
	a.u8(byte(p.Encoding))
	a.raw(p.Data)
}

func (p *Auth) length() int {
	n := 4 + len(p.Data)
	if p.Method == AuthSignature {
		n += 1 + len(p.Algorithm)
	}
	return n
}

func (p *Auth) write(a *appender) {
	a.u8(byte(p.Method), 0, 0, 0)
	switch {
	case p.Method != AuthSignature && len(p.Algorithm) > 0:
		a.fail(ReasonContents)
	case p.Method != AuthSignature:
	case len(p.Algorithm) == 0 || len(p.Algorithm) > 255:
		a.fail(ReasonSignature)
	default:
		a.u8(byte(len(p.Algorithm)))
		a.raw(p.Algorithm)
	}
	a.some(p.Data)
}

func (p *Nonce) length() int { return len(p.Data) }

func (p *Nonce) write(a *appender) {
	if len(p.Data) < MinNonce || len(p.Data) > MaxNonce {
		a.fail(ReasonNonce)
	}
	a.raw(p.Data)
}

func (p *VendorID) length() int { return len(p.Data) }

func (p *VendorID) write(a *appender) { a.raw(p.Data) }

func (p *Delete) length() int { return 4 + p.Protocol.deleteLen()*len(p.SPIs) }

// deleteLen is the octets of an SPI in a Delete payload: that of an IKE SA is in the
// header.
func (p Protocol) deleteLen() int {
	if p == ProtocolIKE {
		return 0
	}
	return p.spiLen()
}

func (p *Delete) write(a *appender) {
	switch {
	case p.Protocol.spiLen() == 0:
		a.fail(ReasonProtocol)
	case p.Protocol == ProtocolIKE && len(p.SPIs) > 0:
		a.fail(ReasonContents)
	}
	a.u8(byte(p.Protocol), byte(p.Protocol.deleteLen()))
	a.size(len(p.SPIs))
	for _, s := range p.SPIs {
		a.b = wire.AppendU32(a.b, s)
	}
}

func (p *Config) length() int {
	n := 4
	for i := range p.Attributes {
		n += 4 + len(p.Attributes[i].Value)
	}
	return n
}

func (p *Config) write(a *appender) {
	if len(p.Attributes) > MaxConfig {
		a.fail(ReasonTooMany)
	}
	a.u8(byte(p.Kind), 0, 0, 0)
	for i := range p.Attributes {
		at := &p.Attributes[i]
		if at.Type >= shortBit {
			a.fail(ReasonSize)
		}
		a.u16(at.Type)
		a.size(len(at.Value))
		a.raw(at.Value)
	}
}

func (p *TS) length() int {
	n := 4
	for i := range p.Selectors {
		n += p.Selectors[i].length()
	}
	return n
}

func (s *Selector) length() int {
	if n := s.Kind.addrLen(); n > 0 {
		return selectorLen + 4 + 2*n
	}
	return selectorLen + len(s.Data)
}

func (p *TS) write(a *appender) {
	if len(p.Selectors) == 0 {
		a.fail(ReasonSelector)
	}
	a.u8(a.octet(len(p.Selectors)), 0, 0, 0)
	for i := range p.Selectors {
		a.selector(&p.Selectors[i])
	}
}

func (a *appender) selector(s *Selector) {
	a.u8(byte(s.Kind), s.IPProtocol)
	a.size(s.length())
	n := s.Kind.addrLen()
	switch {
	case n == 0:
		if s.StartPort != 0 || s.EndPort != 0 || s.Start.IsValid() || s.End.IsValid() {
			a.fail(ReasonContents)
		}
		a.raw(s.Data)
		return
	case len(s.Data) > 0:
		a.fail(ReasonContents)
	case !holds(n, s.Start), !holds(n, s.End):
		a.fail(ReasonAddress)
	case !s.ordered():
		a.fail(ReasonSelector)
	}
	a.u16(s.StartPort)
	a.u16(s.EndPort)
	a.raw(s.Start.AsSlice())
	a.raw(s.End.AsSlice())
}

// holds reports whether an address has n octets, and no zone.
func holds(n int, ad netip.Addr) bool { return ad.BitLen() == 8*n && ad.Zone() == "" }

func (p *Notify) length() int {
	n := 4 + len(p.Data)
	if p.Protocol != NoProtocol {
		n += 4
	}
	return n
}

func (p *Notify) write(a *appender) {
	switch {
	case p.Protocol == NoProtocol:
		if p.SPI != 0 {
			a.fail(ReasonContents)
		}
		a.u8(0, 0)
		a.u16(uint16(p.Kind))
	case p.Protocol.spiLen() != 4:
		a.fail(ReasonSPI)
	default:
		a.u8(byte(p.Protocol), 4)
		a.u16(uint16(p.Kind))
		a.b = wire.AppendU32(a.b, p.SPI)
	}
	a.raw(p.Data)
}
