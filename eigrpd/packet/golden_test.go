package packet

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/wire"
)

// golden is a packet as bytes, written by hand from RFC 7868, and as a Message.
// The checksum octets are XXXX; TestGoldenChecksums has some worked out elsewhere.
type golden struct {
	name   string
	hex    string // octets; from '|' to the end of the line is commentary
	msg    Message
	key    *Key
	source netip.Addr
	// reads says that hex is another form of msg: it is read, and not written.
	reads bool
	// noTshark says why tshark does not read it as meant.
	noTshark string
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

// bytes returns the packet with its checksum.
func (g *golden) bytes(tb testing.TB) []byte {
	tb.Helper()
	return repair(octets(tb, strings.Replace(g.hex, "XXXX", "0000", 1)))
}

// repair writes the checksum of an edited packet.
func repair(b []byte) []byte {
	if len(b) >= HeaderLen {
		wire.PutU16(b, offChecksum, 0)
		wire.PutU16(b, offChecksum, wire.Checksum(b))
	}
	return b
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func prefixes(ss ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range ss {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// sameMessage compares Messages without the memory that Decode reuses.
var sameMessage = cmp.Options{
	cmpopts.IgnoreUnexported(Message{}),
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
}

func goldens() []golden {
	return append(append(generalGoldens(), classicGoldens()...), wideGoldens()...)
}

func generalGoldens() []golden {
	return []golden{{
		name: "hello of a spoke",
		hex: `
			02 05 XXXX      | Header Version 2, Hello, Checksum
			00000000        | Flags
			00000000        | Sequence Number
			00000000        | Acknowledgment Number
			0000 0064       | Virtual Router ID 0, AS 100
			0001 000c       | Parameter
			01 00 01 00     |   K1 to K4
			00 00 000f      |   K5, K6, Hold Time 15
			0004 0008       | Software Version
			0f 00 02 00     |   OS 15.0, TLV version 2.0
			0006 0006       | Peer Information
			0005            |   stub: connected, summary
			0008 000a       | TID List
			0000 0002 0000  |   flags, 2 octets, the base topology`,
		msg: Message{
			Opcode: Hello, AS: 100,
			Parameters: &Parameters{Weights: metric.DefaultWeights, HoldTime: 15},
			Software:   &Software{15, 0, 2, 0},
			Stub:       StubConnected | StubSummary,
			TIDs:       []uint16{0},
		},
	}, {
		name: "hello with sequence, before a multicast packet",
		hex: `
			02 05 XXXX 00000000 00000000 00000000 0000 ffff | Hello, AS 65535
			0001 000c 01 02 03 04 05 06 003c                | Parameter, hold time 60
			0003 0018                                       | Sequence
			04 0a000002                                     |   length 4, 10.0.0.2
			04 0a000003                                     |   length 4, 10.0.0.3
			04 0a000004                                     |   length 4, 10.0.0.4
			04 0a000005                                     |   length 4, 10.0.0.5
			0005 0008 0000002a                              | Multicast Sequence 42`,
		msg: Message{
			Opcode: Hello, AS: 65535,
			Parameters:        &Parameters{Weights: metric.Weights{K1: 1, K2: 2, K3: 3, K4: 4, K5: 5, K6: 6}, HoldTime: 60},
			SequenceAddrs:     []netip.Addr{ip("10.0.0.2"), ip("10.0.0.3"), ip("10.0.0.4"), ip("10.0.0.5")},
			MulticastSequence: 42,
		},
	}, {
		name: "hello with sequence, IPv6",
		hex: `
			02 05 XXXX 00000000 00000000 00000000 0000 0001 | Hello, AS 1
			0003 0015                                       | Sequence
			10 fe800000000000000000000000000002             |   length 16, fe80::2`,
		msg: Message{Opcode: Hello, AS: 1, SequenceAddrs: []netip.Addr{ip("fe80::2")}},
	}, {
		name: "goodbye",
		hex: `
			02 05 XXXX 00000000 00000000 00000000 0000 0064 | Hello
			0001 000c ff ff ff ff ff 00 000f                | Parameter, all K but K6 255`,
		msg: Message{Opcode: Hello, AS: 100, Parameters: Goodbye(15)},
	}, {
		name: "peer termination",
		hex: `
			02 05 XXXX 00000000 00000000 00000000 0000 0064 | Hello
			0007 000e 04 0a000002 04 0a000003               | 10.0.0.2, 10.0.0.3`,
		msg: Message{Opcode: Hello, AS: 100, Terminated: []netip.Addr{ip("10.0.0.2"), ip("10.0.0.3")}},
	}, {
		name: "acknowledgment",
		hex:  `02 05 XXXX 00000000 00000000 0000002a 0000 0064 | Hello that acknowledges 42`,
		msg:  Message{Opcode: Hello, Ack: 42, AS: 100},
	}, {
		name: "first update",
		hex: `
			02 01 XXXX 00000001  | Update, INIT
			00000007 00000000    | Sequence Number 7
			0000 0064            | AS 100`,
		msg: Message{Opcode: Update, Flags: FlagInit, Sequence: 7, AS: 100},
	}, {
		name: "end of table while restarting, service family",
		hex: `
			02 01 XXXX 0000000c  | Update, RS and EOT
			00000008 00000009    | Sequence and Acknowledgment Number
			8000 0064            | VRID of the service family`,
		msg: Message{Opcode: Update, Flags: FlagRestart | FlagEndOfTable, Sequence: 8, Ack: 9, VRID: VRIDService, AS: 100},
	}, {
		name: "unknown TLVs",
		hex: `
			02 02 XXXX 80000002 00000001 00000000 0001 0064 | Request, CR and an unknown flag, multicast VRID
			00f5 000a 0000 0002 0000                        | of a class that is known
			dead 0004                                       | empty
			0501 0009 0102030405                            | of five octets`,
		msg: Message{
			Opcode: Request, Flags: 0x80000000 | FlagConditionalReceive, Sequence: 1, VRID: VRIDMulticast, AS: 100,
			Unknown: []TLV{{0x00f5, []byte{0, 0, 0, 2, 0, 0}}, {0xdead, nil}, {0x0501, []byte{1, 2, 3, 4, 5}}},
		},
		noTshark: "it wants a service in 0x0501",
	}, {
		// The Hello of a router of Cisco's, key-string password12345, as a test of a
		// password cracker has it.
		name: "hello with MD5, Cisco",
		hex: `
			02 05 XXXX 00000000 00000000 00000000 0000 002a | Hello, AS 42
			0002 0028                                       | Authentication
			0002 0010                                       |   MD5, 16 octets
			00000001                                        |   Key ID 1
			00000000 0000000000000000                       |   Key Sequence, zeros
			1a42aaf8ebe2f766100ea1fa05a5fa55                |   digest
			0001 000c 01 00 01 00 00 00 000f                | Parameter
			0004 0008 05 00 03 00                           | Software Version 5.0, TLV version 3.0`,
		msg: Message{
			Opcode: Hello, AS: 42, Auth: Auth{Algorithm: KeyedMD5, KeyID: 1, Offset: 44},
			Parameters: &Parameters{Weights: metric.DefaultWeights, HoldTime: 15},
			Software:   &Software{5, 0, 3, 0},
		},
		key: &Key{1, KeyedMD5, []byte("password12345")}, source: ip("10.0.0.1"),
	}, {
		// The Hello of a router of Cisco's at 10.0.0.2, of the same origin. It ends
		// with the TID list of older releases.
		name: "hello with HMAC-SHA-256, Cisco",
		hex: `
			02 05 XXXX 00000000 00000000 00000000 0000 000a | Hello, AS 10
			0002 0038                                       | Authentication
			0003 0020                                       |   SHA2-256, 32 octets
			00000000                                        |   Key ID 0
			00000000 0000000000000000                       |   Key Sequence, zeros
			cff66484cea20c6f58f175f8c004fc6d                |   digest
			73be72090e53429c2616309aca38d5f3                |
			0001 000c 01 00 01 00 00 00 000f                | Parameter
			0004 0008 0f 00 02 00                           | Software Version
			00f5 000a 0000 0002 0000                        | the base topology`,
		msg: Message{
			Opcode: Hello, AS: 10, Auth: Auth{Algorithm: HMACSHA256, KeyID: 0, Offset: 44},
			Parameters: &Parameters{Weights: metric.DefaultWeights, HoldTime: 15},
			Software:   &Software{15, 0, 2, 0},
			Unknown:    []TLV{{0x00f5, []byte{0, 0, 0, 2, 0, 0}}},
		},
		key: &Key{0, HMACSHA256, []byte("password12345")}, source: ip("10.0.0.2"),
	}}
}

// Every golden is read as its Message.
func TestGoldenParse(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			b := g.bytes(t)
			m, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&g.msg, m, sameMessage); d != "" {
				t.Errorf("message (-want +got):\n%s", d)
			}
			if g.key != nil && !m.Verify(b, *g.key, g.source) {
				t.Error("not authentic")
			}
		})
	}
}

// Every Message is written as its golden, after what the buffer held before.
func TestGoldenAppend(t *testing.T) {
	for _, g := range goldens() {
		if g.reads {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			b, err := g.msg.Append([]byte("abc"), g.key, g.source)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(hex.EncodeToString(g.bytes(t)), hex.EncodeToString(b[3:])); d != "" {
				t.Errorf("octets (-want +got):\n%s", d)
			}
			n := g.msg.Len()
			if g.key != nil {
				n += AuthLen(g.key.Algorithm)
			}
			if !bytes.HasPrefix(b, []byte("abc")) || len(b) != 3+n {
				t.Errorf("Len %d, wrote %d", n, len(b)-3)
			}
		})
	}
}

// Checksums of goldens, added up by hand: the ones' complement of the sum of 16-bit
// words (RFC 7868 section 6.5).
func TestGoldenChecksums(t *testing.T) {
	for name, want := range map[string]uint16{
		"acknowledgment": 0xfd6c, // 0205 + 2a + 64 = 0293
		"first update":   0xfd92, // 0201 + 1 + 7 + 64 = 026d
	} {
		b := goldenNamed(t, name).bytes(t)
		if got := uint16(b[2])<<8 | uint16(b[3]); got != want {
			t.Errorf("%s: %#04x, want %#04x", name, got, want)
		}
	}
}
