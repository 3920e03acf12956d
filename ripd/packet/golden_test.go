package packet

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// golden is a message as octets and as a Message. The digests are those that
// BIRD and FRR computed (testdata/captures.txt); the rest is written by hand
// from the RFCs.
type golden struct {
	name     string
	hex      string // octets; from '|' to the end of the line is commentary
	msg      Message
	key      *Key
	sequence uint32
}

func (g *golden) bytes(tb testing.TB) []byte {
	tb.Helper()
	var sb strings.Builder
	for line := range strings.Lines(g.hex) {
		octets, _, _ := strings.Cut(line, "|")
		sb.WriteString(strings.Join(strings.Fields(octets), ""))
	}
	return unhex(tb, sb.String())
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func ip(s string) netip.Addr         { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix      { return netip.MustParsePrefix(s) }
func secret(s string) []byte         { return []byte(s) }
func route(p string, m uint32) Entry { return Route(pfx(p), 0, ip("0.0.0.0"), m) }

// sameMessage compares Messages; no entries are no entries, nil or not.
var sameMessage = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})}

// table is what the captured routers tell: see testdata/captures.txt.
var table = []Entry{route("0.0.0.0/0", 1), route("172.16.0.0/12", 1), route("10.1.0.0/24", 1)}

const tableHex = `
	0002 0000            | address family IP, route tag
	00000000 00000000    | 0.0.0.0/0: address, mask
	00000000 00000001    | next hop, metric 1
	0002 0000            |
	ac100000 fff00000    | 172.16.0.0/12
	00000000 00000001    |
	0002 0000            |
	0a010000 ffffff00    | 10.1.0.0/24
	00000000 00000001    |`

func goldens() []golden {
	return slices.Concat(plainGoldens(), authGoldens())
}

func plainGoldens() []golden {
	return []golden{{
		name: "whole table request",
		hex: `
			01 02 0000         | Request, version 2, must be zero
			0000 0000          | address family unspecified
			00000000 00000000 00000000
			00000010           | metric 16`,
		msg: WholeTableRequest(Version2),
	}, {
		name: "request for two networks",
		hex: `
			01 02 0000         | Request, version 2
			0002 0000          | IP, no tag
			0a010000 ffff0000  | 10.1.0.0/16
			00000000 00000000  | next hop, metric 0
			0002 0000          |
			c0a80100 ffffff00  | 192.168.1.0/24
			00000000 00000010  | metric 16`,
		msg: Message{Command: Request, Version: 2, Entries: []Entry{route("10.1.0.0/16", 0), route("192.168.1.0/24", 16)}},
	}, {
		name: "response",
		hex: `
			02 02 0000         | Response, version 2
			0002 0000          | IP, no tag
			00000000 00000000  | default route
			00000000 00000001  | via the sender, metric 1
			0002 0102          | IP, tag 258
			0a010200 ffffff00  | 10.1.2.0/24
			c0000207 0000000f  | via 192.0.2.7, metric 15
			0002 ffff          | tag 65535
			cb007105 ffffffff  | the host 203.0.113.5
			00000000 00000010  | unreachable`,
		msg: Message{Command: Response, Version: 2, Entries: []Entry{
			route("0.0.0.0/0", 1),
			Route(pfx("10.1.2.0/24"), 258, ip("192.0.2.7"), 15),
			Route(pfx("203.0.113.5/32"), 65535, ip("0.0.0.0"), 16),
		}},
	}, {
		name: "response, version 1",
		hex: `
			02 01 0000         | Response, version 1, must be zero
			0002 0000          | IP, must be zero
			0a010000           | 10.1.0.0
			00000000 00000000  | must be zero
			00000003           | metric 3`,
		msg: Message{Command: Response, Version: 1, Entries: []Entry{
			{Family: FamilyIP, Addr: ip("10.1.0.0"), NextHop: ip("0.0.0.0"), Metric: 3},
		}},
	}, {
		name: "empty request",
		hex:  `01 01 0000`,
		msg:  Message{Command: Request, Version: 1},
	}}
}

func authGoldens() []golden {
	return []golden{{
		name: "response, simple password",
		hex: `
			02 02 0000                        | Response, version 2
			ffff 0002                         | authentication, simple password
			7269702073656372 6574000000000000 | "rip secret", filled with zeros` + tableHex,
		msg: Message{Command: Response, Version: 2, Auth: Auth{Type: AuthPassword}, Entries: table},
		key: &Key{Algorithm: SimplePassword, Secret: secret("rip secret")},
	}, {
		name: "response, Keyed-MD5", // the digest of FRR, auth-length rfc
		hex: `
			02 02 0000         | Response, version 2
			ffff 0003          | authentication, cryptographic
			0054 05 10         | RIPv2 Packet Length 84, Key ID 5, Auth Data Len 16
			00000001           | Sequence Number
			00000000 00000000  | reserved
			0002 0000 00000000 00000000 00000000 00000001 | 0.0.0.0/0
			0002 0000 0a010000 ffffff00 00000000 00000001 | 10.1.0.0/24
			0002 0000 ac100000 fff00000 00000000 00000001 | 172.16.0.0/12
			ffff 0001          | trailer
			cb9ea1c17b473123 9f7d5201a8563c0a`,
		msg: Message{Command: Response, Version: 2, Entries: []Entry{table[0], table[2], table[1]},
			Auth: Auth{Type: AuthCryptographic, KeyID: 5, Sequence: 1, DigestLen: 16, Offset: 88}},
		key: &Key{ID: 5, Algorithm: KeyedMD5, Secret: secret("ripsecret")}, sequence: 1,
	}, {
		name: "response, HMAC-SHA-1", // the digest of BIRD
		hex: `
			02 02 0000         | Response, version 2
			ffff 0003          | authentication, cryptographic
			0054 07 14         | RIPv2 Packet Length 84, Key ID 7, Auth Data Len 20
			6b04847c           | Sequence Number
			00000000 00000000  | reserved` + tableHex + `
			ffff 0001          | trailer
			c8f862441b233a25 f92f84f52ccbcad7 b4aa7727`,
		msg: Message{Command: Response, Version: 2, Entries: table,
			Auth: Auth{Type: AuthCryptographic, KeyID: 7, Sequence: 0x6b04847c, DigestLen: 20, Offset: 88}},
		key: &Key{ID: 7, Algorithm: HMACSHA1, Secret: secret("rip secret")}, sequence: 0x6b04847c,
	}, {
		name: "response, HMAC-SHA-256", // the digest of BIRD
		hex: `
			02 02 0000         | Response, version 2
			ffff 0003          | authentication, cryptographic
			0054 07 20         | RIPv2 Packet Length 84, Key ID 7, Auth Data Len 32
			6b048482           | Sequence Number
			00000000 00000000  | reserved` + tableHex + `
			ffff 0001          | trailer
			dbdb1182c0a53c22 896e32b4a457048e
			1d2f6844c9961218 3a7a1a42978b0a15`,
		msg: Message{Command: Response, Version: 2, Entries: table,
			Auth: Auth{Type: AuthCryptographic, KeyID: 7, Sequence: 0x6b048482, DigestLen: 32, Offset: 88}},
		key: &Key{ID: 7, Algorithm: HMACSHA256, Secret: secret("rip secret")}, sequence: 0x6b048482,
	}}
}

func TestGoldenDecode(t *testing.T) {
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
			if g.key != nil && !m.Verify(b, *g.key) {
				t.Error("Verify refuses it")
			}
		})
	}
}

func TestGoldenAppend(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			b, err := g.msg.Append([]byte("before"), g.key, g.sequence)
			if err != nil {
				t.Fatal(err)
			}
			if want := append([]byte("before"), g.bytes(t)...); !bytes.Equal(b, want) {
				t.Errorf("wrote\n%x, want\n%x", b, want)
			}
		})
	}
}

// capture is a line of testdata/captures.txt.
type capture struct {
	name    string
	key     *Key
	payload []byte
}

func captures(tb testing.TB) []capture {
	tb.Helper()
	text, err := os.ReadFile("testdata/captures.txt")
	if err != nil {
		tb.Fatal(err)
	}
	var out []capture
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), " | ")
		if len(f) != 5 {
			tb.Fatalf("%d fields in %q", len(f), line)
		}
		c := capture{name: f[0], payload: unhex(tb, f[4])}
		for a := SimplePassword; a <= HMACSHA512; a++ {
			if id, err := strconv.Atoi(f[2]); a.String() == f[1] && err == nil {
				c.key = &Key{ID: uint8(id), Algorithm: a, Secret: secret(f[3])}
			}
		}
		if (c.key == nil) != (f[1] == "none") {
			tb.Fatalf("unknown algorithm in %q", line)
		}
		out = append(out, c)
	}
	return out
}

// otherKo is the capture with a key whose length is between those of digest and
// block of its algorithm: BIRD uses it as it is (RFC 2104), RFC 4822 section
// 2.5 (1) hashes it first.
const otherKo = "BIRD HMAC-SHA-1, key longer than the digest"

// What other routers send is decoded, passes Check, proves to be authentic with
// the key and only with it, and is written again as it was, but for an Auth
// Data Len that counts the trailer's first octets.
func TestCaptures(t *testing.T) {
	cs := captures(t)
	if len(cs) < 34 {
		t.Fatalf("%d captures", len(cs))
	}
	for _, c := range cs {
		t.Run(c.name, func(t *testing.T) {
			m, err := Parse(c.payload)
			if err != nil {
				t.Fatal(err)
			}
			checkCapturedEntries(t, m)
			if (c.key == nil) != (m.Auth.Type == AuthNone) {
				t.Fatalf("authentication is %v", m.Auth.Type)
			}
			if c.key == nil {
				again(t, m, c)
				return
			}
			if got, want := m.Verify(c.payload, *c.key), !strings.HasPrefix(c.name, otherKo); got != want {
				t.Fatalf("Verify = %v, want %v", got, want)
			} else if !want {
				return
			}
			wrong := *c.key
			wrong.Secret = append([]byte("x"), wrong.Secret...)
			if m.Verify(c.payload, wrong) {
				t.Error("verified with a wrong key")
			}
			again(t, m, c)
		})
	}
}

func checkCapturedEntries(t *testing.T, m *Message) {
	t.Helper()
	if m.Command == Request {
		if !m.WholeTable() {
			t.Errorf("request %+v is not for the whole table", m.Entries)
		}
		return
	}
	for i := range m.Entries {
		e := &m.Entries[i]
		p, ok := e.Prefix(pfx("10.9.0.1/24"))
		if r := e.Check(); r != 0 || !ok {
			t.Fatalf("entry %+v: %v, %v", e, r, ok)
		}
		want := []string{"0.0.0.0/0", "10.1.0.0/24", "172.16.0.0/12"}
		if e.Metric != 1 || !slices.Contains(want, p.String()) {
			t.Errorf("route %v metric %d", p, e.Metric)
		}
	}
}

// again wants m written as it was captured.
func again(t *testing.T, m *Message, c capture) {
	t.Helper()
	b, err := m.Append(nil, c.key, m.Auth.Sequence)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(c.payload)
	if m.Auth.Type == AuthCryptographic && want[offAuthLen] != m.Auth.DigestLen {
		if want[offAuthLen] != m.Auth.DigestLen+trailerHeaderLen {
			t.Fatalf("Auth Data Len %d", want[offAuthLen])
		}
		want[offAuthLen] = m.Auth.DigestLen
		b, want = b[:m.Auth.Offset], want[:m.Auth.Offset] // the digest covers the field
	}
	if !bytes.Equal(b, want) {
		t.Errorf("wrote\n%x, captured\n%x", b, want)
	}
}
