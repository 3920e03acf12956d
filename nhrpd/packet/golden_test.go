package packet

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// golden is a packet as bytes, written by hand from RFC 2332, and as a Message.
type golden struct {
	name string
	hex  string // octets; from '|' to the end of the line is commentary
	msg  Message
}

func (g *golden) bytes(tb testing.TB) []byte {
	tb.Helper()
	var sb strings.Builder
	for line := range strings.Lines(g.hex) {
		octets, _, _ := strings.Cut(line, "|")
		sb.WriteString(strings.Join(strings.Fields(octets), ""))
	}
	b, err := hex.DecodeString(sb.String())
	if err != nil {
		tb.Fatalf("%s: %v", g.name, err)
	}
	return b
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// sameMessage compares Messages without the memory that Decode reuses.
var sameMessage = cmp.Options{
	cmpopts.IgnoreUnexported(Message{}),
	cmpopts.EquateComparable(netip.Addr{}),
}

func goldens() []golden {
	return append(requestGoldens(), otherGoldens()...)
}

func requestGoldens() []golden {
	return []golden{{
		// A spoke registers at its hub the way IOS does: hop count 255, size
		// 92, extensions at 52, "unique nat", prefix 32, MTU 17916, no client
		// addresses, NAT extension with the hub's binding.
		name: "registration request, IOS",
		hex: `
			0001            | ar$afn: IPv4
			0800            | ar$pro.type: IPv4
			0000000000      | ar$pro.snap
			ff              | ar$hopcnt 255
			005c            | ar$pktsz 92
			5dc5            | ar$chksum
			0034            | ar$extoff 52
			01              | ar$op.version
			03              | ar$op.type: Registration Request
			04 00           | ar$shtl 4, ar$sstl 0
			04 04           | Src Proto Len, Dst Proto Len
			8002            | Flags: U, Cisco NAT
			00000003        | Request ID
			c0000203        | Source NBMA Address 192.0.2.3
			0a010103        | Source Protocol Address 10.1.1.3
			0a010104        | Destination Protocol Address 10.1.1.4
			00 20 0000      | CIE: Code 0, Prefix Length 32, unused
			45fc 1c20       | MTU 17916, Holding Time 7200
			00 00 00 00     | Cli Addr T/L, SAddr T/L, Proto Len, Preference
			8003 0000       | Responder Address, Compulsory, empty
			8004 0000       | Forward Transit NHS Record, Compulsory, empty
			8005 0000       | Reverse Transit NHS Record, Compulsory, empty
			0009 0014       | NAT Address, 20 octets
			00 20 0000      |   Code 0, Prefix Length 32, unused
			0000 0000       |   MTU, Holding Time
			04 00 04 00     |   Cli Addr T/L 4, SAddr T/L, Proto Len 4, Preference
			c0000204        |   Client NBMA Address 192.0.2.4
			0a010104        |   Client Protocol Address 10.1.1.4
			8000 0000       | End Of Extensions`,
		msg: Message{
			NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 255, Type: RegistrationRequest,
			Flags: FlagRegistrationUnique | FlagNAT, RequestID: 3,
			SrcNBMA: ip("192.0.2.3"), SrcProtocol: ip("10.1.1.3"), DstProtocol: ip("10.1.1.4"),
			CIEs: []CIE{{PrefixLength: 32, MTU: 17916, HoldingTime: 7200}},
			Extensions: []Extension{
				{Type: ResponderAddress, Compulsory: true},
				{Type: ForwardTransitNHS, Compulsory: true},
				{Type: ReverseTransitNHS, Compulsory: true},
				{Type: NATAddress, CIEs: []CIE{{PrefixLength: 32, NBMA: ip("192.0.2.4"), Protocol: ip("10.1.1.4")}}},
			},
		},
	}, {
		// The same with the defaults of FRR: hop count 1, prefix 255, the
		// string "secret" in the Authentication extension.
		name: "registration request, FRR",
		hex: `
			0001 0800 0000000000 | IPv4 over IPv4
			01                   | ar$hopcnt 1
			0056 bcc9 0034       | ar$pktsz 86, ar$chksum, ar$extoff 52
			01 03 04 00          | version 1, Registration Request, ar$shtl 4
			04 04 8000           | address lengths, Flags: U
			00000001             | Request ID
			c0000203             | Source NBMA Address
			0a010103             | Source Protocol Address
			0a010104             | Destination Protocol Address
			00 ff 0000           | CIE: Code 0, Prefix Length 255
			0000 1c20            | MTU 0, Holding Time 7200
			00 00 00 00          | no addresses, Preference 0
			8003 0000            | Responder Address
			8004 0000            | Forward Transit NHS Record
			8005 0000            | Reverse Transit NHS Record
			8007 000a            | Authentication, 10 octets
			0000 0001            |   Reserved, SPI 1: clear text
			736563726574         |   "secret"
			0009 0000            | NAT Address, empty
			8000 0000            | End Of Extensions`,
		msg: Message{
			NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 1, Type: RegistrationRequest,
			Flags: FlagRegistrationUnique, RequestID: 1,
			SrcNBMA: ip("192.0.2.3"), SrcProtocol: ip("10.1.1.3"), DstProtocol: ip("10.1.1.4"),
			CIEs: []CIE{{PrefixLength: 255, HoldingTime: 7200}},
			Extensions: []Extension{
				{Type: ResponderAddress, Compulsory: true},
				{Type: ForwardTransitNHS, Compulsory: true},
				{Type: ReverseTransitNHS, Compulsory: true},
				{Type: Authentication, Compulsory: true, Value: []byte("\x00\x00\x00\x01secret")},
				{Type: NATAddress},
			},
		},
	}, {
		name: "registration request with a group",
		hex: `
			0001 0800 0000000000 | IPv4 over IPv4
			ff                   | ar$hopcnt
			0050 6744 0034       | ar$pktsz 80, ar$chksum, ar$extoff 52
			01 03 04 00          | version 1, Registration Request
			04 04 0002           | address lengths, Flags: Cisco NAT
			00000004             | Request ID
			c0000203             | Source NBMA Address
			0a010103             | Source Protocol Address
			0a010104             | Destination Protocol Address
			00 20 0000           | CIE: Code 0, Prefix Length 32
			05c0 0258            | MTU 1472, Holding Time 600
			00 00 00 00          | no addresses
			8003 0000            | Responder Address
			0008 000c            | Vendor-Private, 12 octets
			00000c               |   Cisco
			0001 0005            |   type 1, 5 octets
			474f4c4431           |   "GOLD1"
			0009 0000            | NAT Address, empty
			8000 0000            | End Of Extensions`,
		msg: Message{
			NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 255, Type: RegistrationRequest,
			Flags: FlagNAT, RequestID: 4,
			SrcNBMA: ip("192.0.2.3"), SrcProtocol: ip("10.1.1.3"), DstProtocol: ip("10.1.1.4"),
			CIEs: []CIE{{PrefixLength: 32, MTU: 1472, HoldingTime: 600}},
			Extensions: []Extension{
				{Type: ResponderAddress, Compulsory: true},
				{Type: VendorPrivate, Value: []byte("\x00\x00\x0c\x00\x01\x00\x05GOLD1")},
				{Type: NATAddress},
			},
		},
	}, {
		name: "resolution request through one transit NHS",
		hex: `
			0001 0800 0000000000 | IPv4 over IPv4
			fe                   | ar$hopcnt 254
			0058 5ca9 0034       | ar$pktsz 88, ar$chksum, ar$extoff 52
			01 01 04 00          | version 1, Resolution Request
			04 04 c802           | address lengths, Flags: Q A S, Cisco NAT
			0000000b             | Request ID 11
			c0000203             | Source NBMA Address 192.0.2.3
			0a010103             | Source Protocol Address 10.1.1.3
			0ac80001             | Destination Protocol Address 10.200.0.1
			00 00 0000           | CIE: Code 0, Prefix Length 0
			05dc 0258            | MTU 1500, Holding Time 600
			00 00 00 00          | no addresses
			8003 0000            | Responder Address, asked for
			8004 0014            | Forward Transit NHS Record
			00 00 0000           |   Code 0, Prefix Length 0
			0578 0e10            |   MTU 1400, Holding Time 3600
			04 00 04 00          |   lengths
			c0000204             |   192.0.2.4
			0a010104             |   10.1.1.4
			8005 0000            | Reverse Transit NHS Record, asked for
			8000 0000            | End Of Extensions`,
		msg: Message{
			NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 254, Type: ResolutionRequest,
			Flags: FlagRouter | FlagAuthoritative | FlagSourceStable | FlagNAT, RequestID: 11,
			SrcNBMA: ip("192.0.2.3"), SrcProtocol: ip("10.1.1.3"), DstProtocol: ip("10.200.0.1"),
			CIEs: []CIE{{MTU: 1500, HoldingTime: 600}},
			Extensions: []Extension{
				{Type: ResponderAddress, Compulsory: true},
				{Type: ForwardTransitNHS, Compulsory: true, CIEs: []CIE{
					{MTU: 1400, HoldingTime: 3600, NBMA: ip("192.0.2.4"), Protocol: ip("10.1.1.4")}}},
				{Type: ReverseTransitNHS, Compulsory: true},
			},
		},
	}, {
		name: "purge request without reply",
		hex: `
			0001 0800 0000000000 | IPv4 over IPv4
			ff                   | ar$hopcnt
			0038 cde7 0000       | ar$pktsz 56, ar$chksum, no extensions
			01 05 04 00          | version 1, Purge Request
			04 04 8000           | address lengths, Flags: N
			00000009             | Request ID
			c0000203             | Source NBMA Address
			0a010103             | Source Protocol Address
			0a010104             | Destination Protocol Address
			00 18 0000           | CIE: Code 0, Prefix Length 24
			0000 0000            | MTU, Holding Time
			00 00 04 00          | Cli Proto Len 4
			c0a80300             | Client Protocol Address 192.168.3.0`,
		msg: Message{
			NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 255, Type: PurgeRequest,
			Flags: FlagPurgeNoReply, RequestID: 9,
			SrcNBMA: ip("192.0.2.3"), SrcProtocol: ip("10.1.1.3"), DstProtocol: ip("10.1.1.4"),
			CIEs: []CIE{{PrefixLength: 24, Protocol: ip("192.168.3.0")}},
		},
	}}
}

func otherGoldens() []golden {
	return []golden{{
		name: "registration reply, refused",
		hex: `
			0001 0800 0000000000 | IPv4 over IPv4
			ff                   | ar$hopcnt
			0034 86b4 0000       | ar$pktsz 52, ar$chksum, no extensions
			01 04 04 00          | version 1, Registration Reply
			04 04 8000           | address lengths, Flags: U
			00000003             | Request ID
			c0000203             | Source NBMA Address
			0a010103             | Source Protocol Address
			0a010104             | Destination Protocol Address
			0e ff 0000           | CIE: Code 14, Prefix Length 255
			0000 0000            | MTU 0, Holding Time 0 on a NAK
			00 00 00 00          | no addresses`,
		msg: Message{
			NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 255, Type: RegistrationReply,
			Flags: FlagRegistrationUnique, RequestID: 3,
			SrcNBMA: ip("192.0.2.3"), SrcProtocol: ip("10.1.1.3"), DstProtocol: ip("10.1.1.4"),
			CIEs: []CIE{{Code: CodeUniqueAddressAlreadyPresent, PrefixLength: 255}},
		},
	}, {
		name: "resolution reply, IPv6 over IPv4, vendor and unknown extensions",
		hex: `
			0001 86dd 0000000000 | IPv6 over IPv4
			ff                   | ar$hopcnt
			00a7 035c 0060       | ar$pktsz 167, ar$chksum, ar$extoff 96
			01 02 04 00          | version 1, Resolution Reply
			10 10 e000           | address lengths 16, Flags: Q A D
			deadbeef             | Request ID
			c0000203             | Source NBMA Address
			20010db8000100000000000000000003 | Source Protocol Address 2001:db8:1::3
			20010db8000200000000000000000001 | Destination Protocol Address 2001:db8:2::1
			00 40 0000           | CIE: Code 0, Prefix Length 64
			0578 0258            | MTU 1400, Holding Time 600
			04 00 10 07          | lengths 4 and 16, Preference 7
			c0000205             | Client NBMA Address 192.0.2.5
			20010db8000100000000000000000005 | Client Protocol Address 2001:db8:1::5
			8003 0020            | Responder Address
			00 00 0000           |   Code 0, Prefix Length 0
			0000 0258            |   MTU, Holding Time 600
			04 00 10 00          |   lengths
			c0000205             |   192.0.2.5
			20010db8000100000000000000000005 | 2001:db8:1::5
			0008 0007            | Vendor-Private
			00000c 01020304      |   Cisco, 4 octets of data
			0008 0004            | Vendor-Private once more
			00005e ff            |   IANA, 1 octet of data
			b801 0000            | Compulsory, type 0x3801 of the experimental range, empty
			1001 0004            | type 0x1001 of the ATM Forum
			cafef00d             |   kept raw
			8000 0000            | End Of Extensions`,
		msg: Message{
			NBMA: AFNIPv4, Protocol: ProtocolIPv6, HopCount: 255, Type: ResolutionReply,
			Flags: FlagRouter | FlagAuthoritative | FlagDestStable, RequestID: 0xdeadbeef,
			SrcNBMA: ip("192.0.2.3"), SrcProtocol: ip("2001:db8:1::3"), DstProtocol: ip("2001:db8:2::1"),
			CIEs: []CIE{{PrefixLength: 64, MTU: 1400, HoldingTime: 600, Preference: 7,
				NBMA: ip("192.0.2.5"), Protocol: ip("2001:db8:1::5")}},
			Extensions: []Extension{
				{Type: ResponderAddress, Compulsory: true, CIEs: []CIE{
					{HoldingTime: 600, NBMA: ip("192.0.2.5"), Protocol: ip("2001:db8:1::5")}}},
				{Type: VendorPrivate, Value: []byte{0, 0, 0x0c, 1, 2, 3, 4}},
				{Type: VendorPrivate, Value: []byte{0, 0, 0x5e, 0xff}},
				{Type: 0x3801, Compulsory: true},
				{Type: 0x1001, Value: []byte{0xca, 0xfe, 0xf0, 0x0d}},
			},
		},
	}, {
		name: "purge reply, IPv4 over IPv6, end of extensions only",
		hex: `
			0002 0800 0000000000 | IPv4 over IPv6
			ff                   | ar$hopcnt
			0058 d095 0054       | ar$pktsz 88, ar$chksum, ar$extoff 84
			01 06 10 00          | version 1, Purge Reply, ar$shtl 16
			04 04 0000           | address lengths, no Flags
			00000009             | Request ID
			20010db8000000000000000000000003 | Source NBMA Address 2001:db8::3
			0a010103             | Source Protocol Address
			0a010104             | Destination Protocol Address
			00 20 0000           | CIE: Code 0, Prefix Length 32
			0000 0000            | MTU, Holding Time
			10 00 04 00          | lengths 16 and 4
			20010db8000000000000000000000005 | Client NBMA Address 2001:db8::5
			0a010105             | Client Protocol Address
			8000 0000            | End Of Extensions`,
		msg: Message{
			NBMA: AFNIPv6, Protocol: ProtocolIPv4, HopCount: 255, Type: PurgeReply, RequestID: 9,
			SrcNBMA: ip("2001:db8::3"), SrcProtocol: ip("10.1.1.3"), DstProtocol: ip("10.1.1.4"),
			CIEs:            []CIE{{PrefixLength: 32, NBMA: ip("2001:db8::5"), Protocol: ip("10.1.1.5")}},
			EndOfExtensions: true,
		},
	}, {
		name: "error indication, authentication failure",
		hex: `
			0001 0800 0000000000 | IPv4 over IPv4
			ff                   | ar$hopcnt
			005c 1580 0000       | ar$pktsz 92, ar$chksum, no extensions
			01 07 04 00          | version 1, Error Indication
			04 04 0000           | address lengths, unused
			000b 0000            | Error Code 11, Error Offset 0
			c0000204             | Source NBMA Address 192.0.2.4
			0a010104             | Source Protocol Address
			0a010103             | Destination Protocol Address
			0001080000000000     | the packet in error: a Registration Request
			00ff003478950000
			0103040004048000
			00000003c0000203
			0a0101030a010104
			00ff000000001c20
			00000000`,
		msg: Message{
			NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 255, Type: ErrorIndication,
			ErrorCode: ErrAuthenticationFailure,
			SrcNBMA:   ip("192.0.2.4"), SrcProtocol: ip("10.1.1.4"), DstProtocol: ip("10.1.1.3"),
			Payload: []byte{
				0, 1, 8, 0, 0, 0, 0, 0, 0, 0xff, 0, 0x34, 0x78, 0x95, 0, 0, 1, 3, 4, 0,
				4, 4, 0x80, 0, 0, 0, 0, 3, 192, 0, 2, 3, 10, 1, 1, 3, 10, 1, 1, 4,
				0, 0xff, 0, 0, 0, 0, 0x1c, 0x20, 0, 0, 0, 0,
			},
		},
	}, {
		name: "traffic indication with authentication",
		hex: `
			0001 0800 0000000000 | IPv4 over IPv4
			01                   | ar$hopcnt
			0054 5174 0044       | ar$pktsz 84, ar$chksum, ar$extoff 68
			01 08 04 00          | version 1, Traffic Indication
			04 04 0000           | address lengths, unused
			0000 0000            | no code, no offset
			c0000204             | Source NBMA Address 192.0.2.4
			0a010104             | Source Protocol Address
			0a010103             | Destination Protocol Address
			45000054 00004000    | the redirected packet: an IPv4 header
			3f01b256             |   TTL 63, ICMP, header checksum
			c0a80301 c0a80501    |   192.168.3.1 -> 192.168.5.1
			0800f7ff 00000000    |   ICMP echo request
			8007 0008            | Authentication, 8 octets
			0000 0001 61626364   |   clear text "abcd"
			8000 0000            | End Of Extensions`,
		msg: Message{
			NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 1, Type: TrafficIndication,
			SrcNBMA: ip("192.0.2.4"), SrcProtocol: ip("10.1.1.4"), DstProtocol: ip("10.1.1.3"),
			Payload: []byte{
				0x45, 0, 0, 0x54, 0, 0, 0x40, 0, 0x3f, 1, 0xb2, 0x56, 0xc0, 0xa8, 3, 1, 0xc0, 0xa8, 5, 1,
				8, 0, 0xf7, 0xff, 0, 0, 0, 0,
			},
			Extensions: []Extension{{Type: Authentication, Compulsory: true, Value: []byte("\x00\x00\x00\x01abcd")}},
		},
	}}
}

func TestGoldenParse(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			m, err := Parse(g.bytes(t))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&g.msg, m, sameMessage); d != "" {
				t.Errorf("Parse (-want +got):\n%s", d)
			}
		})
	}
}

func TestGoldenAppend(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			want := g.bytes(t)
			got, err := g.msg.AppendBinary([]byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(got, []byte("before")) {
				t.Fatalf("AppendBinary overwrote what was there: %x", got)
			}
			if d := cmp.Diff(want, got[len("before"):]); d != "" {
				t.Errorf("AppendBinary (-want +got):\n%s\n%x", d, got[6:])
			}
			if g.msg.Len() != len(want) {
				t.Errorf("Len = %d, want %d", g.msg.Len(), len(want))
			}
		})
	}
}

// The checksums of the goldens, computed in the words of RFC 1071 section 1
// without the code under test.
func TestGoldenChecksums(t *testing.T) {
	for _, g := range goldens() {
		b := append(g.bytes(t), 0) // odd lengths are padded (RFC 2332 section 5.1)
		want := uint16(b[12])<<8 | uint16(b[13])
		b[12], b[13] = 0, 0
		var sum uint32
		for i := 0; i+1 < len(b); i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		if got := ^uint16(sum); got != want {
			t.Errorf("%s: checksum %04x, golden has %04x", g.name, got, want)
		}
	}
}
