package packet

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// golden is a message as octets, written by hand from the RFCs, and as a value.
type golden struct {
	name string
	hex  string // octets; from '|' to the end of the line is commentary
	msg  Message
}

// chain is a golden chain of payloads, as it is inside an Encrypted payload.
type chain struct {
	name     string
	hex      string
	first    PayloadType
	payloads []Payload
}

// octets turns annotated hexadecimal into bytes.
func octets(tb testing.TB, s string) []byte {
	tb.Helper()
	var sb strings.Builder
	for line := range strings.Lines(s) {
		o, _, _ := strings.Cut(line, "|")
		sb.WriteString(strings.Join(strings.Fields(o), ""))
	}
	b, err := hex.DecodeString(sb.String())
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// seq returns n octets that count from first.
func seq(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// sameMessage compares messages but for where their Encrypted payload starts.
var sameMessage = cmp.Options{
	cmpopts.IgnoreFields(Encrypted{}, "Offset"),
	cmpopts.EquateComparable(netip.Addr{}),
}

const (
	spiI SPI = 0xa1a2a3a4a5a6a7a8
	spiR SPI = 0xb1b2b3b4b5b6b7b8
)

func header(x ExchangeType, f Flags, id uint32) Header { return Header{spiI, spiR, x, f, id} }

// rfc5903KEi are the octets of the public value in the KEi payload of RFC 5903
// section 8.1.
const rfc5903KEi = `DAD0B653 94221CF9 B051E1FE CA5787D0 98DFE637 FC90B9EF
	945D0C37 72581180 5271A046 1CDB8252 D61F1C45 6FA3E59A B1F45B33 ACCF5F58
	389E0577 B8990BB3`

func goldens(tb testing.TB) []golden {
	return append(initGoldens(tb), sealedGoldens(tb)...)
}

func initGoldens(tb testing.TB) []golden {
	key := func(bits uint16) Transform {
		return Transform{Type: Encryption, ID: EncrAESCBC, KeyLength: bits}
	}
	return []golden{{
		name: "IKE_SA_INIT, Cisco's default proposal",
		hex: `
			a1a2a3a4a5a6a7a8      | SPIi
			0000000000000000      | SPIr
			21 20 22 08           | next SA, version 2.0, IKE_SA_INIT, initiator
			00000000 00000118     | message 0, length
			22 00 0050            | next KE, SA
			00 00 004c            |   last proposal
			01 01 00 08           |   number 1, IKE, no SPI, 8 transforms
			03 00 000c 01 00 000c |     encryption, AES-CBC
			800e 0100             |       Key Length 256
			03 00 0008 02 00 0007 |     PRF, SHA-512
			03 00 0008 02 00 0006 |     PRF, SHA-384
			03 00 0008 03 00 000e |     integrity, SHA-512
			03 00 0008 03 00 000d |     integrity, SHA-384
			03 00 0008 04 00 0013 |     group 19
			03 00 0008 04 00 000e |     group 14
			00 00 0008 04 00 0015 |     the last: group 21
			28 00 0048 0013 0000  | next Nonce, KE, group 19; octets of RFC 5903 section 8.1
			` + rfc5903KEi + `
			2b 00 0024            | next Vendor ID, Nonce
			202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f
			29 00 000c 4f50454e 49504543 | next Notify, Vendor ID
			29 00 001c 0000 4004  | next Notify, Notify: NAT_DETECTION_SOURCE_IP
			000102030405060708090a0b0c0d0e0f10111213
			29 00 0008 0000 402e  | next Notify, Notify: IKEV2_FRAGMENTATION_SUPPORTED
			00 00 0010 0000 402f  | last, Notify: SIGNATURE_HASH_ALGORITHMS
			0002 0003 0004 0005   |   SHA-256, 384, 512, identity`,
		msg: Message{
			Header: Header{SPIi: spiI, Exchange: IKESAInit, Flags: FlagInitiator},
			Payloads: []Payload{
				&SA{[]Proposal{{Number: 1, Protocol: ProtocolIKE, Transforms: []Transform{
					key(256), {Type: PRF, ID: PRFHMACSHA2512}, {Type: PRF, ID: PRFHMACSHA2384},
					{Type: Integrity, ID: AuthHMACSHA512}, {Type: Integrity, ID: AuthHMACSHA384},
					{Type: KeyExchange, ID: uint16(ECP256)}, {Type: KeyExchange, ID: uint16(MODP2048)}, {Type: KeyExchange, ID: uint16(ECP521)},
				}}}},
				&KE{ECP256, octets(tb, rfc5903KEi)},
				&Nonce{seq(0x20, 32)},
				&VendorID{[]byte("OPENIPEC")},
				&Notify{Kind: NATDetectionSourceIP, Data: seq(0, 20)},
				&Notify{Kind: FragmentationSupported},
				NewHashes(HashSHA2256, HashSHA2384, HashSHA2512, HashIdentity),
			},
		},
	}, {
		name: "IKE_SA_INIT with ML-KEM as additional key exchange",
		hex: `
			a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8
			21 20 22 20           | next SA, version 2.0, IKE_SA_INIT, response
			00000000 00000078
			28 00 0040            | next Nonce, SA
			00 00 003c            |   last proposal
			02 01 00 06           |   number 2, IKE, no SPI, 6 transforms
			03 00 000c 01 00 0014 |     encryption, AES-GCM-16
			800e 0080             |       Key Length 128
			03 00 0008 02 00 0005 |     PRF, SHA-256
			03 00 0008 04 00 001f |     Curve25519
			03 00 0008 06 00 0024 |     additional key exchange 1: ML-KEM-768
			03 00 0008 07 00 0000 |     additional key exchange 2: none
			00 00 0008 05 00 0000 |     no ESN
			29 00 0014 101112131415161718191a1b1c1d1e1f
			00 00 0008 0000 4036  | INTERMEDIATE_EXCHANGE_SUPPORTED`,
		msg: Message{
			Header: header(IKESAInit, FlagResponse, 0),
			Payloads: []Payload{
				&SA{[]Proposal{{Number: 2, Protocol: ProtocolIKE, Transforms: []Transform{
					{Type: Encryption, ID: EncrAESGCM16, KeyLength: 128}, {Type: PRF, ID: PRFHMACSHA2256},
					{Type: KeyExchange, ID: uint16(Curve25519)}, {Type: AddKE1, ID: uint16(MLKEM768)}, {Type: AddKE2}, {Type: ESN},
				}}}},
				&Nonce{seq(0x10, 16)},
				&Notify{Kind: IntermediateExchangeSupported},
			},
		},
	}, {
		name: "a cookie",
		hex: `
			a1a2a3a4a5a6a7a8 0000000000000000
			29 20 22 20 00000000 0000002c
			00 00 0010 0000 4006 0102030405060708`,
		msg: Message{
			Header:   Header{SPIi: spiI, Exchange: IKESAInit, Flags: FlagResponse},
			Payloads: []Payload{&Notify{Kind: Cookie, Data: seq(1, 8)}},
		},
	}, {
		name: "another group is wanted",
		hex: `
			a1a2a3a4a5a6a7a8 0000000000000000
			29 20 22 20 00000000 00000026
			00 00 000a 0000 0011 000e | INVALID_KE_PAYLOAD, group 14`,
		msg: Message{
			Header:   Header{SPIi: spiI, Exchange: IKESAInit, Flags: FlagResponse},
			Payloads: []Payload{NewInvalidKE(MODP2048)},
		},
	}}
}

func sealedGoldens(tb testing.TB) []golden {
	return []golden{{
		name: "RFC 7634 appendix B",
		hex: `
			c0 c1 c2 c3 c4 c5 c6 c7 d0 d1 d2 d3 d4 d5 d6 d7
			2e 20 25 00 00 00 00 09 00 00 00 45 29 00 00 29
			10 11 12 13 14 15 16 17 61 03 94 70 1f 8d 01 7f
			7c 12 92 48 89 6b 71 bf e2 52 36 ef d7 cd c6 70
			66 90 63 15 b2`,
		msg: Message{
			Header: Header{0xc0c1c2c3c4c5c6c7, 0xd0d1d2d3d4d5d6d7, Informational, 0, 9},
			Encrypted: &Encrypted{First: TypeNotify, Data: octets(tb, `1011121314151617 610394701f8d017f7c12924889
				6b71bfe25236efd7cdc67066906315b2`)},
		},
	}, {
		name: "the first fragment",
		hex: `
			a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8
			35 20 23 08 00000001 00000028
			23 00 000c            | next, within, IDi; SKF
			0001 0002             |   fragment 1 of 2
			deadbeef`,
		msg: Message{
			Header:    header(IKEAuth, FlagInitiator, 1),
			Encrypted: &Encrypted{First: TypeIDi, Number: 1, Total: 2, Data: []byte{0xde, 0xad, 0xbe, 0xef}},
		},
	}, {
		name: "the last fragment, of an intermediate exchange",
		hex: `
			a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8
			35 20 2b 20 00000001 00000026
			00 00 000a 0002 0002 cafe`,
		msg: Message{
			Header:    header(IKEIntermediate, FlagResponse, 1),
			Encrypted: &Encrypted{Number: 2, Total: 2, Data: []byte{0xca, 0xfe}},
		},
	}, {
		name: "liveness, empty but for what is encrypted",
		hex: `
			a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8
			2e 20 25 28 00000009 00000024
			00 00 0008 01020304`,
		msg: Message{
			Header:    header(Informational, FlagInitiator|FlagResponse, 9),
			Encrypted: &Encrypted{Data: seq(1, 4)},
		},
	}, {
		name: "payloads in clear and encrypted",
		hex: `
			a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8
			c8 20 2c 10 00000002 00000032
			29 00 0006 abcd       | type 200, next Notify
			2e 00 0008 0000 4000  | next SK, INITIAL_CONTACT
			00 00 0008 01020304`,
		msg: Message{
			Header:    header(IKEFollowupKE, FlagVersion, 2),
			Payloads:  []Payload{&Raw{200, []byte{0xab, 0xcd}}, &Notify{Kind: InitialContact}},
			Encrypted: &Encrypted{Data: seq(1, 4)},
		},
	}}
}

func chains() []chain {
	transport := []Selector{{Kind: SelectorIPv4, IPProtocol: 47, EndPort: 65535, Start: ip("192.0.2.1"), End: ip("192.0.2.1")}}
	return []chain{{
		name:  "IKE_AUTH of a spoke, with its key",
		first: TypeIDi,
		hex: `
			24 00 000c 01 000000 c0000201 | next IDr, IDi: address 192.0.2.1
			27 00 000b 02 000000 687562   | next AUTH, IDr: fqdn hub
			29 00 000c 02 000000 a0a1a2a3 | next Notify, AUTH: shared key
			29 00 0008 0000 4000          | next Notify, INITIAL_CONTACT
			21 00 0008 0000 4007          | next SA, USE_TRANSPORT_MODE
			2c 00 0040                    | next TSi, SA
			02 00 0020 01 03 04 02 c1c2c3c4 | proposal 1, ESP, SPI, 2 transforms
			03 00 000c 01 00 0014 800e 0100 |   AES-GCM-16, 256 bits
			00 00 0008 05 00 0001           |   ESN
			00 00 001c 02 03 04 02 c1c2c3c5 | proposal 2, the last
			03 00 0008 01 00 001c           |   ChaCha20-Poly1305
			00 00 0008 05 00 0000           |   no ESN
			2d 00 0018 01 000000            | next TSr, TSi: one
			07 2f 0010 0000 ffff c0000201 c0000201 | IPv4, GRE, all ports, 192.0.2.1
			00 00 0018 01 000000            | TSr
			07 2f 0010 0000 ffff cb007101 cb007101`,
		payloads: []Payload{
			&ID{Kind: IDIPv4Addr, Data: []byte{192, 0, 2, 1}},
			&ID{Responder: true, Kind: IDFQDN, Data: []byte("hub")},
			&Auth{Method: AuthSharedKey, Data: seq(0xa0, 4)},
			&Notify{Kind: InitialContact}, &Notify{Kind: UseTransportMode},
			&SA{[]Proposal{
				{1, ProtocolESP, seq(0xc1, 4), []Transform{{Type: Encryption, ID: EncrAESGCM16, KeyLength: 256}, {Type: ESN, ID: ESNYes}}},
				{2, ProtocolESP, []byte{0xc1, 0xc2, 0xc3, 0xc5}, []Transform{{Type: Encryption, ID: EncrChaCha20}, {Type: ESN, ID: ESNNo}}},
			}},
			&TS{Selectors: transport},
			&TS{Responder: true, Selectors: []Selector{{Kind: SelectorIPv4, IPProtocol: 47, EndPort: 65535, Start: ip("203.0.113.1"), End: ip("203.0.113.1")}}},
		},
	}, {
		name:  "certificates and a signature",
		first: TypeCert,
		hex: `
			25 00 0008 04 308201          | next CERT, CERT: X.509
			26 00 0008 07 308202          | next CERTREQ, CERT: CRL
			26 00 0019 04 404142434445464748494a4b4c4d4e4f50515253 | next CERTREQ: one authority
			27 00 0005 04                 | next AUTH: any authority
			00 00 0018 0e 000000          | AUTH: digital signature
			0c 300a06082a8648ce3d040302   |   12 octets: ecdsa-with-SHA256
			010203                        |   the signature`,
		payloads: []Payload{
			&Cert{CertX509Signature, []byte{0x30, 0x82, 1}}, &Cert{CertCRL, []byte{0x30, 0x82, 2}},
			&CertReq{CertX509Signature, seq(0x40, 20)}, &CertReq{Encoding: CertX509Signature},
			&Auth{AuthSignature, []byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}, seq(1, 3)},
		},
	}, {
		name:  "selectors of all kinds",
		first: TypeTSi,
		hex: `
			00 00 0048 03 000000           | TSi: three
			08 00 0028 0000 ffff 20010db8000000000000000000000001 20010db80000000000000000000000ff
			07 11 0010 ffff 0000 0a000000 0affffff | UDP, OPAQUE ports
			0a 00 0008 73656375            | a security label: not known`,
		payloads: []Payload{&TS{Selectors: []Selector{
			{Kind: SelectorIPv6, EndPort: 65535, Start: ip("2001:db8::1"), End: ip("2001:db8::ff")},
			{Kind: SelectorIPv4, IPProtocol: 17, StartPort: 65535, Start: ip("10.0.0.0"), End: ip("10.255.255.255")},
			{Kind: 10, Data: []byte("secu")},
		}}},
	}, {
		name:  "rekey of a child",
		first: TypeNotify,
		hex: `
			28 00 000c 03 04 4009 c1c2c3c4 | next Nonce, Notify: ESP, SPI, REKEY_SA
			00 00 0014 101112131415161718191a1b1c1d1e1f`,
		payloads: []Payload{&Notify{ProtocolESP, 0xc1c2c3c4, RekeySA, nil}, &Nonce{seq(0x10, 16)}},
	}, {
		name:  "deletion of two children and of the IKE SA",
		first: TypeDelete,
		hex: `
			2a 00 0010 03 04 0002 01020304 05060708
			00 00 0008 01 00 0000`,
		payloads: []Payload{&Delete{ProtocolESP, []uint32{0x01020304, 0x05060708}}, &Delete{Protocol: ProtocolIKE}},
	}, {
		name:  "configuration",
		first: TypeConfig,
		hex: `
			00 00 0014 01 000000           | CP: request
			0001 0000                      |   INTERNAL_IP4_ADDRESS
			0008 0004 0a000001`,
		payloads: []Payload{&Config{ConfigRequest, []ConfigAttribute{{Type: 1}, {8, []byte{10, 0, 0, 1}}}}},
	}, {
		name:  "attributes that are not known",
		first: TypeSA,
		hex: `
			00 00 0034
			00 00 0030 01 09 02 02 abcd    | protocol 9 with an SPI of 2 octets
			03 00 0016 01 00 000c          |   AES-CBC
			800e 0080 800e 0100            |     two Key Lengths
			000f 0002 1234                 |     and type 15, of 2 octets
			00 00 0010 03 00 000c          |   HMAC-SHA-256
			800e 0000                      |     Key Length 0
			000e 0000                      |     Key Length without a value`,
		payloads: []Payload{&SA{[]Proposal{{1, 9, []byte{0xab, 0xcd}, []Transform{
			{Encryption, EncrAESCBC, 128, []Attribute{{14, true, []byte{1, 0}}, {15, false, []byte{0x12, 0x34}}}},
			{Integrity, AuthHMACSHA256, 0, []Attribute{{14, true, []byte{0, 0}}, {14, false, nil}}},
		}}}}},
	}, {
		name: "nothing", first: NoNextPayload,
	}}
}

// Every golden is read as its Message.
func TestGoldenParse(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			b := octets(t, g.hex)
			in := slices.Clone(b)
			m, err := Parse(in)
			if err != nil {
				t.Fatal(err)
			}
			clear(in) // Parse keeps no reference
			if d := cmp.Diff(&g.msg, m, sameMessage); d != "" {
				t.Errorf("message (-want +got):\n%s", d)
			}
			if e := m.Encrypted; e != nil && !bytes.Equal(b[e.Offset:], e.Data) {
				t.Errorf("Offset is %d", e.Offset)
			}
		})
	}
	for _, c := range chains() {
		t.Run(c.name, func(t *testing.T) {
			in := octets(t, c.hex)
			ps, err := ParsePayloads(c.first, in)
			if err != nil {
				t.Fatal(err)
			}
			clear(in)
			if d := cmp.Diff(c.payloads, ps, sameMessage); d != "" {
				t.Errorf("payloads (-want +got):\n%s", d)
			}
		})
	}
}

// Every value is written as its golden, after what the buffer held before.
func TestGoldenAppend(t *testing.T) {
	check := func(t *testing.T, want string, b []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, []byte("abc")) {
			t.Fatalf("buffer is %q", b)
		}
		if d := cmp.Diff(hex.EncodeToString(octets(t, want)), hex.EncodeToString(b[3:])); d != "" {
			t.Errorf("octets (-want +got):\n%s", d)
		}
	}
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			b, err := g.msg.AppendBinary([]byte("abc"))
			check(t, g.hex, b, err)
		})
	}
	for _, c := range chains() {
		t.Run(c.name, func(t *testing.T) {
			b, err := AppendPayloads([]byte("abc"), c.payloads)
			check(t, c.hex, b, err)
			if f := First(c.payloads); f != c.first {
				t.Errorf("First is %v, want %v", f, c.first)
			}
		})
	}
}
