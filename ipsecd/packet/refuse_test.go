package packet

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// wantError checks that err is an *Error with these fields.
func wantError(t *testing.T, err error, want Error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v (%T), want *Error", err, err)
	}
	if *e != want {
		t.Fatalf("error is %v, want %v", e, &want)
	}
}

const spis = "a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8 "

// repair writes the length of an edited message.
func repair(b []byte) []byte {
	if len(b) >= HeaderLen {
		wire.PutU32(b, offLength, uint32(len(b)))
	}
	return b
}

// Each malformed field of a message has its own reason and offset (RFC 7296 sections
// 2.5, 3.1 and 3.2, RFC 7383 section 2.5).
func TestParseRefuses(t *testing.T) {
	const info = spis + "2e 20 25 08 00000001 00000000 "
	const skf = spis + "35 20 25 08 00000001 00000000 "
	for _, c := range []struct {
		name string
		hex  string
		want Error
	}{
		{"nothing at all", "", Error{ReasonTruncated, 0, 0}},
		{"half a header", spis + "2e20", Error{ReasonTruncated, 18, 0}},
		{"IKEv1, main mode", spis + "01 10 02 00 00000000 00000000", Error{ReasonIKEv1, 17, 0}},
		{"version 3", spis + "01 30 25 00 00000000 00000000", Error{ReasonVersion, 17, 0}},
		{"version 0", spis + "01 00 25 00 00000000 00000000", Error{ReasonVersion, 17, 0}},
		{"no payload, yet more octets", spis + "00 20 25 00 00000000 00000000 00", Error{ReasonTrailing, 28, 0}},
		{"payload promised", spis + "29 20 25 00 00000000 00000000", Error{ReasonTruncated, 28, TypeNotify}},
		{"payload shorter than its header", spis + "29 20 25 00 00000000 00000000 00000003", Error{ReasonPayloadLength, 30, TypeNotify}},
		{"payload of length 0", spis + "29 20 25 00 00000000 00000000 29000000", Error{ReasonPayloadLength, 30, TypeNotify}},
		{"payload beyond the end", spis + "29 20 25 00 00000000 00000000 0000000900004000", Error{ReasonTruncated, 30, TypeNotify}},
		{"critical payload", spis + "c8 20 25 00 00000000 00000000 00800004", Error{ReasonCritical, 28, 200}},
		{"critical payload of IKEv1", spis + "0d 20 25 00 00000000 00000000 00800004", Error{ReasonCritical, 28, 13}},
		{"octets behind the last payload", spis + "29 20 25 00 00000000 00000000 0000000800004000 00", Error{ReasonTrailing, 36, 0}},
		{"payload behind SK", info + "29000006abcd 0000000800004000", Error{ReasonNotLast, 34, TypeSK}},
		{"SK without data", info + "29000004", Error{ReasonEmpty, 32, TypeSK}},
		{"SKF without numbers", skf + "29000006 0001", Error{ReasonPayloadLength, 30, TypeSKF}},
		{"fragment 0", skf + "29000009 0000 0002 aa", Error{ReasonFragment, 32, TypeSKF}},
		{"fragment 3 of 2", skf + "00000009 0003 0002 aa", Error{ReasonFragment, 32, TypeSKF}},
		{"fragment 0 of 0", skf + "00000009 0000 0000 aa", Error{ReasonFragment, 32, TypeSKF}},
		{"fragment 1 of 257", skf + "29000009 0001 0101 aa", Error{ReasonFragment, 32, TypeSKF}},
		{"second fragment with a first payload", skf + "29000009 0002 0002 aa", Error{ReasonFragment, 28, TypeSKF}},
		{"fragment without data", skf + "29000008 0001 0002", Error{ReasonEmpty, 36, TypeSKF}},
		{"EAP", spis + "30 20 23 00 00000000 00000000 00000008 02010004", Error{ReasonEAP, 28, TypeEAP}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(repair(octets(t, c.hex)))
			wantError(t, err, c.want)
		})
	}
}

// Each malformed payload has its own reason and offset (RFC 7296 section 3). The
// chain is the payload alone, whose contents are given.
func TestContentsRefused(t *testing.T) {
	const prop, encr = "00 00 0014 01 03 04 01 01020304 ", "00 00 0008 01 00 0014"
	for _, c := range []struct {
		name   string
		typ    PayloadType
		hex    string
		reason Reason
		offset int
	}{
		{"SA without a proposal", TypeSA, "", ReasonProposal, 4},
		{"proposal of 7 octets", TypeSA, "00 00 0007 01 03 04", ReasonProposal, 4},
		{"proposal beyond the end", TypeSA, "00 00 0015 01 03 04 01 01020304 " + encr, ReasonProposal, 4},
		{"last proposal, and more", TypeSA, prop + encr + prop + encr, ReasonProposal, 4},
		{"more promised", TypeSA, "02" + prop[2:] + encr, ReasonProposal, 4},
		{"Last Substruc 1", TypeSA, "01" + prop[2:] + encr, ReasonProposal, 4},
		{"ESP with an SPI of 3 octets", TypeSA, "00 00 000b 01 03 03 00 010203", ReasonSPI, 10},
		{"ESP without an SPI", TypeSA, "00 00 0010 01 03 00 01" + encr, ReasonSPI, 10},
		{"IKE with an SPI of 4 octets", TypeSA, "00 00 0014 01 01 04 01 01020304" + encr, ReasonSPI, 10},
		{"SPI beyond the end", TypeSA, "00 00 000a 01 09 ff 00 0102", ReasonSPI, 10},
		{"fewer transforms than there are", TypeSA, "00 00 0014 01 03 04 00 01020304 " + encr, ReasonProposal, 11},
		{"more transforms than there are", TypeSA, "00 00 0014 01 03 04 02 01020304 03" + encr[2:], ReasonProposal, 16},
		{"129 transforms", TypeSA, "00 00 0014 01 03 04 81 01020304 " + encr, ReasonProposal, 11},
		{"last transform, and more", TypeSA, "00 00 001c 01 03 04 02 01020304" + encr + encr, ReasonProposal, 16},
		{"last of all said to be followed", TypeSA, "00 00 0014 01 03 04 01 01020304 03" + encr[2:], ReasonProposal, 16},
		{"octets behind the last transform", TypeSA, "00 00 0015 01 03 04 01 01020304" + encr + "00", ReasonProposal, 16},
		{"transform of 7 octets", TypeSA, "00 00 0013 01 03 04 01 01020304 00 00 0007 01 00 00", ReasonProposal, 16},
		{"attribute of 3 octets", TypeSA, "00 00 0017 01 03 04 01 01020304 00 00 000b 01 00 0014 800e 01", ReasonAttribute, 24},
		{"attribute beyond the end", TypeSA, "00 00 0019 01 03 04 01 01020304 00 00 000d 01 00 0014 000e 0002 01", ReasonAttribute, 24},

		{"KE without a group", TypeKE, "00", ReasonPayloadLength, 2},
		{"KE without data", TypeKE, "0013 0000", ReasonEmpty, 8},
		{"ID of 3 octets", TypeIDi, "01 0000", ReasonPayloadLength, 2},
		{"IPv4 address of 5 octets", TypeIDi, "01 000000 0102030405", ReasonAddress, 8},
		{"IPv6 address of 4 octets", TypeIDr, "05 000000 01020304", ReasonAddress, 8},
		{"CERT of nothing", TypeCert, "", ReasonPayloadLength, 2},
		{"CERT without data", TypeCert, "04", ReasonEmpty, 5},
		{"CERTREQ of nothing", TypeCertReq, "", ReasonPayloadLength, 2},
		{"AUTH without data", TypeAuth, "02 000000", ReasonEmpty, 8},
		{"signature without an algorithm", TypeAuth, "0e 000000 00 aabb", ReasonSignature, 8},
		{"algorithm beyond the end", TypeAuth, "0e 000000 03 aabb", ReasonSignature, 8},
		{"algorithm without a signature", TypeAuth, "0e 000000 02 aabb", ReasonEmpty, 11},
		{"nonce of 15 octets", TypeNonce, "000102030405060708090a0b0c0d0e", ReasonNonce, 0},
		{"Notify of 3 octets", TypeNotify, "00 00 40", ReasonPayloadLength, 2},
		{"Notify of ESP with an SPI of 8 octets", TypeNotify, "03 08 4009 0102030405060708", ReasonSPI, 5},
		{"Notify of no protocol with an SPI", TypeNotify, "00 04 4009 01020304", ReasonSPI, 5},
		{"Notify with an SPI beyond the end", TypeNotify, "03 04 4009 010203", ReasonPayloadLength, 2},
		{"Delete of no protocol", TypeDelete, "00 00 0000", ReasonProtocol, 4},
		{"Delete of protocol 4", TypeDelete, "04 04 0001 01020304", ReasonProtocol, 4},
		{"Delete of ESP with SPIs of 8 octets", TypeDelete, "03 08 0001 0102030405060708", ReasonSPI, 5},
		{"Delete of more SPIs than there are", TypeDelete, "03 04 0002 01020304", ReasonSPI, 5},
		{"Delete of 65535 SPIs", TypeDelete, "03 04 ffff 01020304", ReasonSPI, 5},
		{"Delete of fewer SPIs than there are", TypeDelete, "03 04 0000 01020304", ReasonSPI, 5},
		{"Delete of an IKE SA with an SPI", TypeDelete, "01 08 0001 0102030405060708", ReasonSPI, 5},
		{"no selectors", TypeTSi, "00 000000", ReasonSelector, 4},
		{"fewer selectors than promised", TypeTSi, "02 000000 07 00 0010 0000 ffff 0a000001 0a000001", ReasonSelector, 24},
		{"more selectors than promised", TypeTSr, "01 000000 07 00 0010 0000 ffff 0a000001 0a000001 00", ReasonPayloadLength, 2},
		{"selector of 3 octets", TypeTSr, "01 000000 07 00 0003", ReasonSelector, 8},
		{"selector beyond the end", TypeTSr, "01 000000 07 00 0011 0000 ffff 0a000001 0a000001", ReasonSelector, 8},
		{"IPv4 selector with IPv6 addresses", TypeTSi, "01 000000 07 00 0028 0000 ffff 20010db8000000000000000000000001 20010db8000000000000000000000001", ReasonSelector, 8},
		{"IPv6 selector with IPv4 addresses", TypeTSi, "01 000000 08 00 0010 0000 ffff 0a000001 0a000001", ReasonSelector, 8},
		{"addresses that end before they start", TypeTSi, "01 000000 07 00 0010 0000 ffff 0a000002 0a000001", ReasonSelector, 8},
		{"ports that end before they start", TypeTSi, "01 000000 07 11 0010 0002 0001 0a000001 0a000001", ReasonSelector, 8},
		{"attribute of a configuration beyond the end", TypeConfig, "01 000000 0001 0002 aa", ReasonAttribute, 8},
		{"half an attribute of a configuration", TypeConfig, "01 000000 0001", ReasonAttribute, 8},
		{"SK within SK", TypeSK, "aabb", ReasonNested, 0},
		{"SKF within SK", TypeSKF, "0001 0001 aabb", ReasonNested, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := octets(t, c.hex)
			_, err := ParsePayloads(c.typ, append(wire.AppendU16([]byte{0, 0}, uint16(4+len(body))), body...))
			wantError(t, err, Error{c.reason, c.offset, c.typ})
		})
	}
}

// Nonces have 16 to 256 octets (RFC 7296 section 3.9).
func TestNonceLength(t *testing.T) {
	for n, ok := range map[int]bool{15: false, 16: true, 256: true, 257: false} { // unordered: each by itself
		ps := []Payload{&Nonce{make([]byte, n)}}
		_, err := AppendPayloads(nil, ps)
		if (err == nil) != ok {
			t.Errorf("%d octets written: %v", n, err)
		}
		b := append(wire.AppendU16([]byte{0, 0}, uint16(4+n)), make([]byte, n)...)
		if _, err := ParsePayloads(TypeNonce, b); (err == nil) != ok {
			t.Errorf("%d octets read: %v", n, err)
		}
	}
}

// A payload that may be there once is refused the second time, and there is an end to
// the others.
func TestTooMany(t *testing.T) {
	many := func(t PayloadType, n int) []byte {
		var b []byte
		first := byte(IDRFC822)
		if t == TypeDelete {
			first = byte(ProtocolIKE)
		}
		for i := range n {
			next := t
			if i == n-1 {
				next = 0
			}
			b = append(b, byte(next), 0, 0, 8, first, 0, 0, 0)
		}
		return b
	}
	for _, c := range []struct {
		typ PayloadType
		ok  int
	}{{TypeVendorID, 32}, {TypeNotify, 40}, {200, MaxPayloads}, {TypeIDi, 1}, {TypeDelete, 20}} {
		if _, err := ParsePayloads(c.typ, many(c.typ, c.ok)); err != nil {
			t.Errorf("%d of %v: %v", c.ok, c.typ, err)
		}
		_, err := ParsePayloads(c.typ, many(c.typ, c.ok+1))
		wantError(t, err, Error{ReasonTooMany, 8 * c.ok, c.typ})
		ps := slices.Repeat([]Payload{&Raw{Kind: c.typ}}, c.ok+1)
		switch c.typ {
		case TypeVendorID:
			ps = slices.Repeat([]Payload{&VendorID{}}, c.ok+1)
		case 200:
		default:
			continue
		}
		_, err = AppendPayloads(nil, ps)
		wantError(t, err, Error{ReasonTooMany, 4 * c.ok, c.typ})
	}
	p := Proposal{Number: 1, Protocol: ProtocolIKE}
	sa := &SA{slices.Repeat([]Proposal{p}, MaxProposals)}
	b, err := AppendPayloads(nil, []Payload{sa})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParsePayloads(TypeSA, b); err != nil {
		t.Error(err)
	}
	b[4+8*(MaxProposals-1)] = moreProposals
	b = append(b, 0, 0, 0, 8, 1, 1, 0, 0)
	wire.PutU16(b, 2, uint16(len(b)))
	_, err = ParsePayloads(TypeSA, b)
	wantError(t, err, Error{ReasonProposal, 4 + 8*MaxProposals, TypeSA})
}

// There is an end to attributes (RFC 7296 sections 3.3.5 and 3.15.1 have none).
func TestTooManyAttributes(t *testing.T) {
	for _, n := range []int{MaxAttributes, MaxAttributes + 1} {
		p := &SA{[]Proposal{{Number: 1, Protocol: ProtocolIKE, Transforms: []Transform{{Type: Encryption, Attributes: slices.Repeat([]Attribute{{Type: 99}}, n)}}}}}
		_, err := AppendPayloads(nil, []Payload{p})
		m := 8 + 4*n
		b := append([]byte{0, 0, 0, byte(12 + m), 0, 0, 0, byte(8 + m), 1, 1, 0, 1, 0, 0, 0, byte(m), 1, 0, 0, 0}, slices.Repeat([]byte{0, 99, 0, 0}, n)...)
		_, read := ParsePayloads(TypeSA, b)
		if n <= MaxAttributes {
			if err != nil || read != nil {
				t.Error(err, read)
			}
			continue
		}
		wantError(t, err, Error{ReasonTooMany, 0, TypeSA})
		wantError(t, read, Error{ReasonTooMany, 20 + 4*MaxAttributes, TypeSA})
	}
	for _, n := range []int{MaxConfig, MaxConfig + 1} {
		_, err := AppendPayloads(nil, []Payload{&Config{Attributes: make([]ConfigAttribute, n)}})
		b := append([]byte{0, 0, byte((8 + 4*n) >> 8), byte((8 + 4*n) & 0xff), 1, 0, 0, 0}, make([]byte, 4*n)...)
		_, read := ParsePayloads(TypeConfig, b)
		if n <= MaxConfig {
			if err != nil || read != nil {
				t.Error(err, read)
			}
			continue
		}
		wantError(t, err, Error{ReasonTooMany, 0, TypeConfig})
		wantError(t, read, Error{ReasonTooMany, 8 + 4*MaxConfig, TypeConfig})
	}
}

// The header's length is that of the datagram (RFC 7296 section 3.1).
func TestLength(t *testing.T) {
	b := octets(t, goldens(t)[2].hex)
	b[27]--
	_, err := Parse(b)
	wantError(t, err, Error{ReasonTrailing, 24, 0})
	b[27] += 2
	_, err = Parse(b)
	wantError(t, err, Error{ReasonTruncated, 24, 0})
	b[24] = 0xff
	_, err = Parse(b)
	wantError(t, err, Error{ReasonTruncated, 24, 0})
	m := Message{Encrypted: &Encrypted{Data: make([]byte, MaxMessageSize-HeaderLen-4)}}
	if b, err = m.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(b); err != nil {
		t.Error(err)
	}
	_, err = Parse(append(b, 0))
	wantError(t, err, Error{ReasonTooLong, MaxMessageSize, 0})
	_, err = ParsePayloads(200, make([]byte, MaxMessageSize+1))
	wantError(t, err, Error{ReasonTooLong, MaxMessageSize, 0})
	m.Payloads = []Payload{&Notify{}}
	_, err = m.AppendBinary(nil)
	wantError(t, err, Error{ReasonTooLong, 36, 0})
	_, err = AppendPayloads(nil, []Payload{&Raw{200, make([]byte, 60000)}, &Raw{200, make([]byte, 6000)}})
	wantError(t, err, Error{ReasonTooLong, 60004, 200})
}

// Cut anywhere, a message is refused, but where a payload ends.
func TestTruncatedEverywhere(t *testing.T) {
	for _, g := range goldens(t) {
		b := octets(t, g.hex)
		for n := range b {
			c := slices.Clone(b[:n])
			if _, err := Parse(c); err == nil {
				t.Errorf("%s: cut to %d octets, and read", g.name, n)
			}
			// An Encrypted payload whose length was repaired too is not the codec's matter.
			if _, err := Parse(repair(c)); err == nil {
				t.Errorf("%s: cut to %d octets and repaired, and read", g.name, n)
			}
		}
	}
	for _, c := range chains() {
		b := octets(t, c.hex)
		for n := range b {
			if _, err := ParsePayloads(c.first, b[:n]); err == nil {
				t.Errorf("%s: cut to %d octets, and read", c.name, n)
			}
		}
	}
}

// What could not be read again is not written, and the buffer is left alone.
func TestAppendRefuses(t *testing.T) {
	prop := func(edit func(*Proposal)) Payload {
		p := Proposal{Number: 1, Protocol: ProtocolESP, SPI: seq(1, 4), Transforms: []Transform{{Type: Encryption, ID: EncrAESCBC, KeyLength: 128}}}
		edit(&p)
		return &SA{[]Proposal{p}}
	}
	attr := func(a Attribute) Payload {
		return prop(func(p *Proposal) { p.Transforms[0] = Transform{Attributes: []Attribute{a}} })
	}
	sel := func(edit func(*Selector)) Payload {
		s := Selector{Kind: SelectorIPv4, EndPort: 65535, Start: ip("10.0.0.1"), End: ip("10.0.0.1")}
		edit(&s)
		return &TS{Selectors: []Selector{s}}
	}
	for _, c := range []struct {
		name   string
		p      Payload
		reason Reason
	}{
		{"known payload raw", &Raw{Kind: TypeNotify}, ReasonType},
		{"SKF raw", &Raw{Kind: TypeSKF}, ReasonType},
		{"EAP", &Raw{Kind: TypeEAP}, ReasonType},
		{"payload too long", &Raw{200, make([]byte, 65532)}, ReasonSize},
		{"no proposals", &SA{}, ReasonProposal},
		{"65 proposals", &SA{make([]Proposal, 65)}, ReasonProposal},
		{"129 transforms", prop(func(p *Proposal) { p.Transforms = make([]Transform, 129) }), ReasonProposal},
		{"ESP without an SPI", prop(func(p *Proposal) { p.SPI = nil }), ReasonSPI},
		{"SPI of 256 octets", prop(func(p *Proposal) { p.Protocol, p.SPI = 9, make([]byte, 256) }), ReasonSize},
		{"attribute of 16 bits", attr(Attribute{Type: 0x8000}), ReasonSize},
		{"short attribute of 3 octets", attr(Attribute{Type: 1, Short: true, Value: seq(1, 3)}), ReasonAttribute},
		{"Key Length as another attribute", attr(Attribute{14, true, []byte{0, 128}}), ReasonType},
		{"KE without data", &KE{Group: ECP256}, ReasonEmpty},
		{"address of 3 octets", &ID{Kind: IDIPv4Addr, Data: seq(1, 3)}, ReasonAddress},
		{"CERT without data", &Cert{Encoding: CertX509Signature}, ReasonEmpty},
		{"AUTH without data", &Auth{Method: AuthSharedKey}, ReasonEmpty},
		{"algorithm of a shared key", &Auth{AuthSharedKey, seq(1, 1), seq(1, 1)}, ReasonContents},
		{"signature without an algorithm", &Auth{AuthSignature, nil, seq(1, 1)}, ReasonSignature},
		{"algorithm of 256 octets", &Auth{AuthSignature, make([]byte, 256), seq(1, 1)}, ReasonSignature},
		{"nonce of 15 octets", &Nonce{seq(1, 15)}, ReasonNonce},
		{"SPI of no protocol", &Notify{SPI: 1}, ReasonContents},
		{"Notify of IKE", &Notify{Protocol: ProtocolIKE}, ReasonSPI},
		{"Delete of no protocol", &Delete{}, ReasonProtocol},
		{"Delete of an IKE SA with SPIs", &Delete{ProtocolIKE, []uint32{1}}, ReasonContents},
		{"no selectors", &TS{}, ReasonSelector},
		{"256 selectors", &TS{Selectors: make([]Selector, 256)}, ReasonSize},
		{"IPv6 address in an IPv4 selector", sel(func(s *Selector) { s.End = ip("2001:db8::1") }), ReasonAddress},
		{"no address", sel(func(s *Selector) { s.Start = netip.Addr{} }), ReasonAddress},
		{"zone", sel(func(s *Selector) { s.Kind, s.Start, s.End = SelectorIPv6, ip("fe80::1%eth0"), ip("fe80::1%eth0") }), ReasonAddress},
		{"end before start", sel(func(s *Selector) { s.Start = ip("10.0.0.2") }), ReasonSelector},
		{"data of a known selector", sel(func(s *Selector) { s.Data = seq(1, 1) }), ReasonContents},
		{"addresses of an unknown selector", sel(func(s *Selector) { s.Kind = 9 }), ReasonContents},
		{"attribute of a configuration of 16 bits", &Config{Attributes: []ConfigAttribute{{Type: 0x8000}}}, ReasonSize},
		{"nil", nil, ReasonType},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Message{Payloads: []Payload{&VendorID{}, c.p}}
			want := Error{c.reason, HeaderLen + 4, 0}
			if c.p != nil {
				want.Payload = c.p.Type()
			}
			b, err := m.AppendBinary([]byte("abc"))
			wantError(t, err, want)
			want.Offset = 4
			chain, err := AppendPayloads([]byte("abc"), m.Payloads)
			wantError(t, err, want)
			if string(b) != "abc" || string(chain) != "abc" {
				t.Errorf("buffers are %q, %q", b, chain)
			}
		})
	}
	for _, e := range []Encrypted{
		{}, {Number: 1, Data: seq(1, 1)}, {Total: 2, Data: seq(1, 1)}, {Number: 3, Total: 2, Data: seq(1, 1)},
		{Number: 2, Total: 2, First: TypeSA, Data: seq(1, 1)}, {Number: 1, Total: MaxFragments + 1, Data: seq(1, 1)},
	} {
		m := Message{Encrypted: &e}
		if b, err := m.AppendBinary([]byte("abc")); err == nil || string(b) != "abc" {
			t.Errorf("%+v: written, %q", e, b)
		}
	}
}

// Each reason has words of its own, and a refusal says what it is about.
func TestReasonNames(t *testing.T) {
	seen := map[string]Reason{}
	for r, s := range reasonNames { // unordered: a set
		if o, dup := seen[s]; dup {
			t.Errorf("%d and %d are both %q", r, o, s)
		}
		seen[s] = r
	}
	for _, r := range []Reason{ReasonSignature, ReasonSize} {
		if _, ok := reasonNames[r]; !ok {
			t.Errorf("reason %d has no name", r)
		}
		if s := (r + 1).String(); s[:7] != "reason " {
			t.Errorf("reason after %v: %q", r, s)
		}
	}
	if s := (&Error{ReasonNonce, 28, TypeNonce}).Error(); s != "ike: offset 28: NONCE: wrong length of nonce" {
		t.Error(s)
	}
	if s := (&Error{ReasonTooLong, 65535, 0}).Error(); s != "ike: offset 65535: message too long" {
		t.Error(s)
	}
}
