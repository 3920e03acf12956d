package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// drawBytes draws octets; no octets are nil, as they are read.
func drawBytes(t *rapid.T, lo, hi int) []byte {
	if b := rapid.SliceOfN(rapid.Byte(), lo, hi).Draw(t, "octets"); len(b) > 0 {
		return b
	}
	return nil
}

func drawAddr(t *rapid.T, n int) netip.Addr {
	a, _ := netip.AddrFromSlice(drawBytes(t, n, n))
	return a
}

func drawTransform(t *rapid.T) Transform {
	tr := Transform{
		Type: TransformType(rapid.Uint8().Draw(t, "type")), ID: rapid.Uint16().Draw(t, "id"),
		KeyLength: rapid.SampledFrom([]uint16{0, 128, 256}).Draw(t, "key length"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "attributes") {
		a := Attribute{Type: rapid.Uint16Range(15, shortBit-1).Draw(t, "attribute"), Short: rapid.Bool().Draw(t, "short")}
		if a.Short {
			a.Value = drawBytes(t, 2, 2)
		} else {
			a.Value = drawBytes(t, 0, 5)
		}
		tr.Attributes = append(tr.Attributes, a)
	}
	return tr
}

func drawSA(t *rapid.T) *SA {
	p := &SA{}
	for range rapid.IntRange(1, 3).Draw(t, "proposals") {
		pr := Proposal{Number: rapid.Uint8().Draw(t, "number"), Protocol: Protocol(rapid.IntRange(0, 4).Draw(t, "protocol"))}
		pr.SPI = drawBytes(t, pr.Protocol.spiLen(), pr.Protocol.spiLen())
		for range rapid.IntRange(0, 3).Draw(t, "transforms") {
			pr.Transforms = append(pr.Transforms, drawTransform(t))
		}
		p.Proposals = append(p.Proposals, pr)
	}
	return p
}

func drawSelector(t *rapid.T) Selector {
	s := Selector{Kind: SelectorType(rapid.Uint8Range(6, 9).Draw(t, "kind")), IPProtocol: rapid.Uint8().Draw(t, "ip protocol")}
	n := s.Kind.addrLen()
	if n == 0 {
		s.Data = drawBytes(t, 0, 9)
		return s
	}
	s.StartPort, s.EndPort = rapid.Uint16().Draw(t, "port"), rapid.Uint16().Draw(t, "port")
	s.StartPort, s.EndPort = min(s.StartPort, s.EndPort), max(s.StartPort, s.EndPort)
	if rapid.Bool().Draw(t, "opaque") {
		s.StartPort, s.EndPort = 65535, 0
	}
	s.Start, s.End = drawAddr(t, n), drawAddr(t, n)
	if s.Start.Compare(s.End) > 0 {
		s.Start, s.End = s.End, s.Start
	}
	return s
}

func drawID(t *rapid.T, responder bool) *ID {
	p := &ID{Responder: responder, Kind: IDType(rapid.IntRange(0, 14).Draw(t, "id"))}
	switch p.Kind {
	case IDIPv4Addr:
		p.Data = drawBytes(t, 4, 4)
	case IDIPv6Addr:
		p.Data = drawBytes(t, 16, 16)
	default:
		p.Data = drawBytes(t, 0, 20)
	}
	return p
}

func drawAuth(t *rapid.T) *Auth {
	p := &Auth{Method: AuthMethod(rapid.IntRange(0, 14).Draw(t, "method")), Data: drawBytes(t, 1, 9)}
	if p.Method == AuthSignature {
		p.Algorithm = drawBytes(t, 1, 255)
	}
	return p
}

func drawNotify(t *rapid.T) *Notify {
	p := &Notify{Kind: NotifyType(rapid.Uint16().Draw(t, "notify")), Data: drawBytes(t, 0, 9)}
	if p.Protocol = rapid.SampledFrom([]Protocol{NoProtocol, ProtocolAH, ProtocolESP}).Draw(t, "protocol"); p.Protocol != NoProtocol {
		p.SPI = rapid.Uint32().Draw(t, "spi")
	}
	return p
}

func drawDelete(t *rapid.T) *Delete {
	p := &Delete{Protocol: rapid.SampledFrom([]Protocol{ProtocolIKE, ProtocolAH, ProtocolESP}).Draw(t, "protocol")}
	if p.Protocol != ProtocolIKE {
		for range rapid.IntRange(0, 3).Draw(t, "spis") {
			p.SPIs = append(p.SPIs, rapid.Uint32().Draw(t, "spi"))
		}
	}
	return p
}

func drawConfig(t *rapid.T) *Config {
	p := &Config{Kind: ConfigType(rapid.Uint8().Draw(t, "kind"))}
	for range rapid.IntRange(0, 3).Draw(t, "attributes") {
		p.Attributes = append(p.Attributes, ConfigAttribute{rapid.Uint16Range(0, shortBit-1).Draw(t, "type"), drawBytes(t, 0, 9)})
	}
	return p
}

func drawTS(t *rapid.T, responder bool) *TS {
	p := &TS{Responder: responder}
	for range rapid.IntRange(1, 4).Draw(t, "selectors") {
		p.Selectors = append(p.Selectors, drawSelector(t))
	}
	return p
}

// drawPayload draws a payload of a type.
func drawPayload(t *rapid.T, typ PayloadType) Payload {
	switch typ {
	case TypeSA:
		return drawSA(t)
	case TypeKE:
		return &KE{Group(rapid.Uint16().Draw(t, "group")), drawBytes(t, 1, 40)}
	case TypeIDi, TypeIDr:
		return drawID(t, typ == TypeIDr)
	case TypeCert:
		return &Cert{CertEncoding(rapid.Uint8().Draw(t, "encoding")), drawBytes(t, 1, 20)}
	case TypeCertReq:
		return &CertReq{CertEncoding(rapid.Uint8().Draw(t, "encoding")), drawBytes(t, 0, 60)}
	case TypeAuth:
		return drawAuth(t)
	case TypeNonce:
		return &Nonce{drawBytes(t, MinNonce, MaxNonce)}
	case TypeNotify:
		return drawNotify(t)
	case TypeDelete:
		return drawDelete(t)
	case TypeVendorID:
		return &VendorID{drawBytes(t, 0, 20)}
	case TypeTSi, TypeTSr:
		return drawTS(t, typ == TypeTSr)
	case TypeConfig:
		return drawConfig(t)
	}
	return &Raw{typ, drawBytes(t, 0, 20)}
}

// payloadTypes are the types that a payload in clear can have, and two unknown ones.
var payloadTypes = []PayloadType{
	TypeSA, TypeKE, TypeIDi, TypeIDr, TypeCert, TypeCertReq, TypeAuth, TypeNonce, TypeNotify, TypeDelete, TypeVendorID,
	TypeTSi, TypeTSr, TypeConfig, 13, 200,
}

// drawPayloads draws payloads, those that may be there more than once perhaps twice.
func drawPayloads(t *rapid.T) []Payload {
	var ps []Payload
	for _, typ := range payloadTypes {
		n := rapid.IntRange(0, 2).Draw(t, "how many")
		if most[typ] > 0 {
			n = min(n, most[typ])
		}
		for range n {
			ps = append(ps, drawPayload(t, typ))
		}
	}
	if len(ps) == 0 {
		return nil
	}
	return rapid.Permutation(ps).Draw(t, "payloads")
}

func drawMessage(t *rapid.T) *Message {
	m := &Message{Header: Header{
		SPIi: SPI(rapid.Uint64().Draw(t, "SPIi")), SPIr: SPI(rapid.Uint64().Draw(t, "SPIr")),
		Exchange: ExchangeType(rapid.Uint8().Draw(t, "exchange")), Flags: Flags(rapid.Uint8().Draw(t, "flags")) & knownFlags,
		MessageID: rapid.Uint32().Draw(t, "message id"),
	}}
	m.Payloads = drawPayloads(t)
	if rapid.Bool().Draw(t, "encrypted") {
		m.Encrypted = &Encrypted{First: PayloadType(rapid.Uint8().Draw(t, "first")), Data: drawBytes(t, 1, 50)}
		if rapid.Bool().Draw(t, "fragment") {
			m.Encrypted.Total = rapid.Uint16Range(1, MaxFragments).Draw(t, "total")
			m.Encrypted.Number = rapid.Uint16Range(1, m.Encrypted.Total).Draw(t, "number")
			if m.Encrypted.Number > 1 {
				m.Encrypted.First = 0
			}
		}
	}
	return m
}

// What is written is read back, and written the same again.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		in := slices.Clone(b)
		got, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		for i := range in {
			in[i] ^= 0xff // Parse keeps no reference
		}
		if d := cmp.Diff(m, got, sameMessage); d != "" {
			t.Fatalf("Parse (-want +got):\n%s", d)
		}
		again, err := got.AppendBinary(make([]byte, 0, 3))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, again) {
			t.Fatalf("second writing differs:\n%x\n%x", b, again)
		}
	})
}

// So it is with the chain of payloads in an Encrypted one.
func TestRoundTripPayloads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := drawPayloads(t)
		b, err := AppendPayloads(nil, ps)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParsePayloads(First(ps), b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(ps, got, sameMessage); d != "" {
			t.Fatalf("ParsePayloads (-want +got):\n%s", d)
		}
	})
}

// checkError fails on an error that is not one of the codec's.
func checkError(t *testing.T, err error, n int) {
	t.Helper()
	e, ok := err.(*Error)
	if !ok || e.Offset < 0 || e.Offset > n || e.Reason == 0 || e.Reason >= ReasonType {
		t.Fatalf("error %#v", err)
	}
}

// checkPayloads: whatever was accepted can be written, and what was written reads back
// the same. It may be longer by nothing: all is written in the form it is read.
func checkPayloads(t *testing.T, ps []Payload, n int) {
	t.Helper()
	out, err := AppendPayloads(nil, ps)
	if err != nil {
		t.Fatalf("accepted but cannot be written: %v\n%+v", err, ps)
	}
	if len(out) > n {
		t.Fatalf("%d octets became %d", n, len(out))
	}
	again, err := ParsePayloads(First(ps), out)
	if err != nil {
		t.Fatalf("written but cannot be read: %v\n%x", err, out)
	}
	if d := cmp.Diff(ps, again, sameMessage); d != "" {
		t.Fatalf("changed (-first +second):\n%s", d)
	}
	for _, p := range ps { // what looks into a payload takes any
		switch p := p.(type) {
		case *Notify:
			p.Group()
			p.Hashes()
			p.Cookie()
			p.NATHash()
			p.Link()
			p.Unsupported()
		case *CertReq:
			p.Authorities()
		case *SA:
			for _, pr := range p.Proposals {
				for _, tr := range pr.Transforms {
					_ = tr.String()
				}
			}
		}
	}
}

// FuzzParse: any datagram. The length is corrected, so that the fuzzer gets past it.
func FuzzParse(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(octets(f, g.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = repair(slices.Clone(b))
		m, err := Parse(b)
		if err != nil {
			checkError(t, err, len(b))
			return
		}
		checkPayloads(t, m.Payloads, len(b))
		out, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatalf("accepted but cannot be written: %v\n%+v", err, m)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("written but cannot be read: %v\n%x", err, out)
		}
		if d := cmp.Diff(m, again, sameMessage); d != "" {
			t.Fatalf("changed (-first +second):\n%s", d)
		}
	})
}

// FuzzPayloads: any decrypted contents.
func FuzzPayloads(f *testing.F) {
	for _, c := range chains() {
		f.Add(byte(c.first), octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, first byte, b []byte) {
		ps, err := ParsePayloads(PayloadType(first), b)
		if err != nil {
			checkError(t, err, len(b))
			return
		}
		checkPayloads(t, ps, len(b))
	})
}

// fuzzPayload fuzzes the contents of payloads of the types given, the first of which
// have the goldens' contents for seeds.
func fuzzPayload(f *testing.F, types ...PayloadType) {
	var all []Payload
	for _, c := range chains() {
		all = append(all, c.payloads...)
	}
	for _, g := range goldens(f) {
		all = append(all, g.msg.Payloads...)
	}
	for _, p := range all {
		if i := slices.Index(types, p.Type()); i >= 0 {
			b, err := AppendPayloads(nil, []Payload{p})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i), b[genericLen:])
		}
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		if len(body) > MaxMessageSize-genericLen {
			return
		}
		b := append(wire.AppendU16([]byte{0, 0}, uint16(genericLen+len(body))), body...)
		ps, err := ParsePayloads(types[int(which)%len(types)], b)
		if err != nil {
			checkError(t, err, len(b))
			return
		}
		checkPayloads(t, ps, len(b))
	})
}

// FuzzSA: the contents of SA payloads.
func FuzzSA(f *testing.F) { fuzzPayload(f, TypeSA) }

// FuzzTS: the contents of traffic selectors.
func FuzzTS(f *testing.F) { fuzzPayload(f, TypeTSi, TypeTSr) }

// FuzzSPIs: the contents of payloads with SPIs and attributes.
func FuzzSPIs(f *testing.F) { fuzzPayload(f, TypeNotify, TypeDelete, TypeConfig) }

// FuzzIdentity: the contents of the payloads that authenticate.
func FuzzIdentity(f *testing.F) {
	fuzzPayload(f, TypeIDi, TypeIDr, TypeCert, TypeCertReq, TypeAuth, TypeKE, TypeNonce, TypeVendorID)
}
