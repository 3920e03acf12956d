package packet

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// RFC 7296 section 3.1: the minor version, unknown flags and the reserved bits are
// ignored on receipt and zero on transmission; section 3.2: so are the critical bits of
// known payloads; sections 3.3 to 3.13: and all RESERVED fields.
func TestReservedIgnored(t *testing.T) {
	clean := octets(t, spis+`29 20 25 08 00000001 00000000
		21 00 0008 0000 4000
		22 00 001c 00 00 0018 01 01 00 02 03 00 0008 01 00 0014 00 00 0008 02 00 0005
		23 00 0009 0013 0000 aa
		27 00 0009 02 000000 aa
		2c 00 0009 02 000000 aa
		2f 00 0018 01 000000 07 00 0010 0000 ffff 0a000001 0a000001
		2e 00 000c 01 000000 0001 0000
		00 00 0005 aa`)
	dirty := octets(t, spis+`29 2f 25 cf 00000001 00000000
		21 ff 0008 0100 4000
		22 ff 001c 00 ff 0018 01 01 00 02 03 ff 0008 01 ff 0014 00 ff 0008 02 ff 0005
		23 ff 0009 0013 ffff aa
		27 ff 0009 02 ffffff aa
		2c ff 0009 02 ffffff aa
		2f ff 0018 01 ffffff 07 00 0010 0000 ffff 0a000001 0a000001
		2e ff 000c 01 ffffff 8001 0000
		00 ff 0005 aa`)
	want, err := Parse(repair(clean))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(repair(dirty))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, sameMessage); d != "" {
		t.Errorf("(-clean +dirty):\n%s", d)
	}
	b, err := got.AppendBinary(nil)
	if err != nil || !bytes.Equal(b, clean) {
		t.Errorf("%v\n%x\n%x", err, b, clean)
	}
}

// RFC 7296 section 2.5: unknown payloads without the critical bit are passed over, and
// payloads of IKEv1 are unknown.
func TestUnknownPayloadsKept(t *testing.T) {
	for _, typ := range []PayloadType{1, 13, 32, 49, 52, 54, 255} {
		ps, err := ParsePayloads(typ, []byte{byte(TypeNotify), 0, 0, 5, 0xaa, 0, 0, 0, 8, 0, 0, 0x40, 0})
		if err != nil {
			t.Fatal(err)
		}
		want := []Payload{&Raw{typ, []byte{0xaa}}, &Notify{Kind: InitialContact}}
		if d := cmp.Diff(want, ps); d != "" {
			t.Errorf("%v (-want +got):\n%s", typ, d)
		}
	}
}

// RFC 7296 section 2.5: what answers a message that is refused.
func TestErrorNotify(t *testing.T) {
	for _, c := range []struct {
		err  Error
		kind NotifyType
		data []byte
		ok   bool
	}{
		{Error{ReasonIKEv1, 17, 0}, 0, nil, false},
		{Error{ReasonVersion, 17, 0}, InvalidMajorVersion, nil, true},
		{Error{ReasonCritical, 28, 200}, UnsupportedCriticalPayload, []byte{200}, true},
		{Error{ReasonNonce, 28, TypeNonce}, InvalidSyntax, nil, true},
		{Error{ReasonTruncated, 28, 0}, InvalidSyntax, nil, true},
	} {
		if kind, data, ok := c.err.Notify(); kind != c.kind || ok != c.ok || !bytes.Equal(data, c.data) {
			t.Errorf("%v: %v %x %v", &c.err, kind, data, ok)
		}
	}
}

// A message of IKEv1 is known by its header, with enough to name it in a log.
func TestIKEv1(t *testing.T) {
	// Identity Protection (main mode), the first message: RFC 2408 section 3.1.
	b := octets(t, `0102030405060708 0000000000000000 01 10 02 00 00000000 00000054`)
	h, version, err := ParseHeader(b)
	wantError(t, err, Error{ReasonIKEv1, 17, 0})
	if version != 1 || h.SPIi != 0x0102030405060708 || h.Exchange != 2 {
		t.Errorf("version %d, %+v", version, h)
	}
	b[17] = 0x20
	b[18], b[19] = byte(IKESAInit), 0xff
	h, version, err = ParseHeader(b)
	if err != nil || version != 2 || h != (Header{SPIi: 0x0102030405060708, Exchange: IKESAInit, Flags: knownFlags}) {
		t.Errorf("version %d, %+v, %v", version, h, err)
	}
	b[17] = 0x31
	_, version, err = ParseHeader(b)
	wantError(t, err, Error{ReasonVersion, 17, 0})
	if version != 3 {
		t.Errorf("version %d", version)
	}
}

// RFC 7296 section 3.10: the Protocol ID is ignored where there is no SPI.
func TestProtocolWithoutSPI(t *testing.T) {
	for _, protocol := range []byte{0, 1, 3, 77} {
		ps, err := ParsePayloads(TypeNotify, []byte{0, 0, 0, 8, protocol, 0, 0x40, 0})
		if err != nil {
			t.Fatal(err)
		}
		if n := ps[0].(*Notify); n.Protocol != NoProtocol {
			t.Errorf("protocol %d became %v", protocol, n.Protocol)
		}
	}
}

// The KE payloads of RFC 5903 section 8, with their generic header.
func TestRFC5903Payloads(t *testing.T) {
	for _, g := range []struct {
		group Group
		hex   string
	}{
		{ECP256, "00000048 00130000" + rfc5903KEi},
		{ECP384, `00000068 00140000 667842D7 D180AC2C DE6F74F3 7551F557 55C7645C 20EF73E3
			1634FE72 B4C55EE6 DE3AC808 ACB4BDB4 C88732AE E95F41AA 9482ED1F C0EEB9CA
			FC498462 5CCFC23F 65032149 E0E144AD A0241815 35A0F38E EB9FCFF3 C2C947DA
			E69B4C63 4573A81C`},
	} {
		b := octets(t, g.hex)
		ps, err := ParsePayloads(TypeKE, b)
		if err != nil {
			t.Fatal(err)
		}
		if k := ps[0].(*KE); k.Group != g.group || !bytes.Equal(k.Data, b[8:]) {
			t.Errorf("%+v", k)
		}
		if out, err := AppendPayloads(nil, ps); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%v\n%x", err, out)
		}
	}
}

// The packets of RFC 7634 appendix B as the snoop file there has them: an IKE message
// on port 500, which is the one that the text shows.
func TestRFC7634Capture(t *testing.T) {
	frame, err := base64.StdEncoding.DecodeString(
		"2Gzp9RAEeDHBtynCCABFAABhI0UAAEAR3qfLAHGZywBxBQH0AfQATQhRwMHCw8TFxsfQ0dLT1NXW1y4gJQAAAAAJAAAARSkAACkQERITFBUWF2EDlHAfjQF/fBKSSIlrcb/iUjbv183GcGaQYxWy")
	if err != nil {
		t.Fatal(err)
	}
	ike := frame[14+20+8:]
	if g := octets(t, goldens(t)[4].hex); !bytes.Equal(g, ike) {
		t.Fatalf("%x\n%x", ike, g)
	}
}

// RFC 7427 section 3 and appendix A: the octet before the AlgorithmIdentifier.
func TestSignatureForm(t *testing.T) {
	ps, err := ParsePayloads(TypeAuth, octets(t, "00 00 0019 0e000000 0f 300d06092a864886f70d01010b0500 aa"))
	if err != nil {
		t.Fatal(err)
	}
	a := ps[0].(*Auth)
	if hex.EncodeToString(a.Algorithm) != "300d06092a864886f70d01010b0500" || !bytes.Equal(a.Data, []byte{0xaa}) {
		t.Errorf("%+v", a)
	}
}

// What notifications have for data, and what they must not (RFC 7296 sections 2.6,
// 2.23, 3.10.1; RFC 7427 section 4; RFC 9370 section 2.2.4).
func TestNotifyData(t *testing.T) {
	if g, ok := NewInvalidKE(ECP384).Group(); !ok || g != ECP384 {
		t.Error(g, ok)
	}
	if hs, ok := NewHashes(HashSHA1, HashIdentity).Hashes(); !ok || !slices.Equal(hs, []HashAlgorithm{1, 5}) {
		t.Error(hs, ok)
	}
	if p, ok := (&Notify{Kind: UnsupportedCriticalPayload, Data: []byte{200}}).Unsupported(); !ok || p != 200 {
		t.Error(p, ok)
	}
	ask := map[NotifyType]func(*Notify) bool{
		InvalidKEPayload:           func(n *Notify) bool { _, ok := n.Group(); return ok },
		SignatureHashAlgorithms:    func(n *Notify) bool { _, ok := n.Hashes(); return ok },
		Cookie:                     func(n *Notify) bool { _, ok := n.Cookie(); return ok },
		NATDetectionSourceIP:       func(n *Notify) bool { _, ok := n.NATHash(); return ok },
		NATDetectionDestinationIP:  func(n *Notify) bool { _, ok := n.NATHash(); return ok },
		AdditionalKeyExchange:      func(n *Notify) bool { _, ok := n.Link(); return ok },
		UnsupportedCriticalPayload: func(n *Notify) bool { _, ok := n.Unsupported(); return ok },
	}
	good := map[NotifyType]func(n int) bool{
		InvalidKEPayload:           func(n int) bool { return n == 2 },
		SignatureHashAlgorithms:    func(n int) bool { return n > 0 && n%2 == 0 },
		Cookie:                     func(n int) bool { return n >= 1 && n <= 64 },
		NATDetectionSourceIP:       func(n int) bool { return n == 20 },
		NATDetectionDestinationIP:  func(n int) bool { return n == 20 },
		AdditionalKeyExchange:      func(n int) bool { return n > 0 },
		UnsupportedCriticalPayload: func(n int) bool { return n == 1 },
	}
	for kind, ok := range ask { // unordered: each by itself
		for n := range 70 {
			if got := ok(&Notify{Kind: kind, Data: make([]byte, n)}); got != good[kind](n) {
				t.Errorf("%v of %d octets: %v", kind, n, got)
			}
			if ok(&Notify{Kind: InitialContact, Data: make([]byte, n)}) {
				t.Errorf("%v of another notification", kind)
			}
		}
	}
}

// RFC 7296 section 3.7: an authority is a hash of 20 octets.
func TestAuthorities(t *testing.T) {
	c := CertReq{CertX509Signature, seq(0, 40)}
	if as := c.Authorities(); len(as) != 2 || !bytes.Equal(as[1], seq(20, 20)) {
		t.Errorf("%x", as)
	}
	for _, c := range []CertReq{{CertX509Signature, seq(0, 39)}, {CertX509Signature, nil}, {CertHashURL, seq(0, 20)}} {
		if as := c.Authorities(); as != nil {
			t.Errorf("%+v: %x", c, as)
		}
	}
}

// RFC 7296 section 2.15: what of an identity is authenticated.
func TestIDBody(t *testing.T) {
	id := ID{Responder: true, Kind: IDFQDN, Data: []byte("hub")}
	if b := id.AppendBody([]byte{1}); !bytes.Equal(b, []byte{1, 2, 0, 0, 0, 'h', 'u', 'b'}) {
		t.Errorf("%x", b)
	}
}

// RFC 3948 sections 2 and 3: what is on port 4500.
func TestDecapsulate(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		want Encapsulated
		out  []byte
	}{
		{nil, NotEncapsulated, nil},
		{[]byte{0xff}, EncapsulatedNothing, nil},
		{[]byte{0}, NotEncapsulated, nil},
		{[]byte{0, 0, 0}, NotEncapsulated, nil},
		{[]byte{0, 0, 0, 0}, EncapsulatedIKE, []byte{}},
		{AppendMarker(nil), EncapsulatedIKE, []byte{}},
		{[]byte{0, 0, 0, 0, 9}, EncapsulatedIKE, []byte{9}},
		{[]byte{0, 0, 0, 1, 9}, EncapsulatedESP, []byte{0, 0, 0, 1, 9}},
		{[]byte{0xff, 0, 0, 0}, EncapsulatedESP, []byte{0xff, 0, 0, 0}},
	} {
		if kind, out := Decapsulate(c.in); kind != c.want || !bytes.Equal(out, c.out) {
			t.Errorf("%x: %v %x", c.in, kind, out)
		}
	}
}

// Errors are below 16384 (RFC 7296 section 3.10.1).
func TestIsError(t *testing.T) {
	for k, want := range map[NotifyType]bool{StateNotFound: true, 16383: true, InitialContact: false, AdditionalKeyExchange: false} { // unordered: each by itself
		if k.IsError() != want {
			t.Errorf("%v: %v", k, !want)
		}
	}
}

// Find finds the first of a kind.
func TestFind(t *testing.T) {
	ps := []Payload{&Notify{Kind: InitialContact}, &Notify{Kind: Cookie, Data: seq(1, 1)}, &Notify{Kind: Cookie}, &VendorID{}}
	if Find(ps, TypeVendorID) != ps[3] || Find(ps, TypeNotify) != ps[0] || Find(ps, TypeSA) != nil {
		t.Error("Find")
	}
	if FindNotify(ps, Cookie) != ps[1] || FindNotify(ps, RekeySA) != nil {
		t.Error("FindNotify")
	}
}

// Numbers without a name are shown as numbers.
func TestNames(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{TypeSKF.String(), "ENCR_FRAG"}, {PayloadType(200).String(), "payload 200"},
		{IKEFollowupKE.String(), "IKE_FOLLOWUP_KE"}, {ExchangeType(2).String(), "exchange 2"},
		{ProtocolESP.String(), "ESP"}, {AddKE7.String(), "additional key exchange 7"},
		{MLKEM768.String(), "ML-KEM-768"}, {Group(99).String(), "group 99"},
		{Transform{Type: Encryption, ID: EncrAESGCM16, KeyLength: 256}.String(), "AES-GCM-256"},
		{Transform{Type: AddKE1, ID: 37}.String(), "ML-KEM-1024"},
		{Transform{Type: PRF, ID: PRFHMACSHA2512}.String(), "SHA512"},
		{Transform{Type: Integrity, ID: AuthHMACSHA1}.String(), "SHA96"},
		{Transform{Type: ESN, ID: 1}.String(), "ESN"},
		{Transform{Type: 99, ID: 1, Attributes: make([]Attribute, 1)}.String(), "transform type 99, transform 1 with unknown attributes"},
		{IDKeyID.String(), "key-id"}, {AuthSignature.String(), "digital signature"}, {HashIdentity.String(), "identity"},
		{StateNotFound.String(), "STATE_NOT_FOUND"}, {NotifyType(40960).String(), "notification 40960"},
		{(FlagInitiator | FlagResponse).String(), "INITIATOR MSG-RESPONSE"}, {SPI(0xab).String(), "00000000000000AB"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
