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

// golden is a packet as octets, written by hand from RFC 2328 appendix A and others, and as
// a Message. Checksums were worked out by another program: those of LSAs by
// trying all values. TestTshark has tshark read them all.
type golden struct {
	name string
	hex  string // octets; from '|' to the end of the line is commentary
	msg  Message
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

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }
func id(s string) ID         { return IDOf(ip(s)) }

// same compares Messages.
var same = cmp.Options{
	cmp.AllowUnexported(Auth{}), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty(),
}

func mustLSA(h LSAHeader, body []byte) LSA {
	l, err := NewLSA(h, body)
	if err != nil {
		panic(err)
	}
	return l
}

// header of an LSA of 10.0.0.1.
func header(t LSType, ls string, age uint16) LSAHeader {
	return LSAHeader{Age: age, Options: OptionE, LSAKey: LSAKey{t, id(ls), id("10.0.0.1")}, Sequence: InitialSequence}
}

func goldens() []golden {
	return []golden{
		{"Hello without neighbours (RFC 2328 section A.3.2)", `
			02 01 002c            | version 2, Hello, 44 octets
			0a000001 00000000     | router 10.0.0.1, backbone
			f29d 0000             | checksum, no authentication
			00000000 00000000
			ffffff00              | mask
			000a 02 01            | every 10 s, E, priority 1
			00000028              | dead after 40 s
			00000000 00000000     | no designated router, no backup`,
			Message{Type: Hello, RouterID: id("10.0.0.1"), HelloBody: HelloBody{Mask: 0xffffff00, Interval: 10,
				Options: OptionE, Priority: 1, DeadInterval: 40}}},
		{"Hello with neighbours", `
			02 01 0034
			0a000001 00000001
			5a8c 0000
			00000000 00000000
			ffffff00 000a 02 00 00000028
			c0000201 c0000202     | designated router and backup, by address
			0a000002 0a000003     | neighbours, by router ID`,
			Message{Type: Hello, RouterID: id("10.0.0.1"), AreaID: 1, HelloBody: HelloBody{Mask: 0xffffff00, Interval: 10,
				Options: OptionE, DeadInterval: 40, Designated: ip("192.0.2.1"), Backup: ip("192.0.2.2"),
				Neighbors: []ID{id("10.0.0.2"), id("10.0.0.3")}}}},
		{"Hello with link-local signalling (RFC 5613)", `
			02 01 002c 0a000001 00000000 e29d 0000 00000000 00000000
			ffffff00 000a 12 01 00000028 00000000 00000000 | E and L
			fff6 0003             | checksum of the block, three words
			0001 0004 00000001    | extended options: LSDB resynchronization`,
			Message{Type: Hello, RouterID: id("10.0.0.1"), HelloBody: HelloBody{Mask: 0xffffff00, Interval: 10,
				Options: OptionE | OptionL, Priority: 1, DeadInterval: 40},
				LLS: &LLS{TLVs: []TLV{{LLSExtendedOptions, []byte{0, 0, 0, 1}}}}}},
		{"Hello with a password (section D.3)", `
			02 01 002c 0a000001 00000000 f29c 0001
			7365637265740000      | secret
			ffffff00 000a 02 01 00000028 00000000 00000000`,
			Message{Type: Hello, RouterID: id("10.0.0.1"), HelloBody: HelloBody{Mask: 0xffffff00, Interval: 10,
				Options: OptionE, Priority: 1, DeadInterval: 40},
				Auth: Auth{Type: AuthSimple, Password: [8]byte{'s', 'e', 'c', 'r', 'e', 't'}}}},
		{"Database Description (section A.3.3)", `
			02 02 0034
			0a000001 00000000 d8a4 0000 00000000 00000000
			05dc 42 03            | MTU 1500, E and O, more follow, master
			00001234              | DD sequence number
			0005 02 01            | age 5, E, router-LSA
			0a000001 0a000001 80000001 2ae3 0024`,
			Message{Type: DatabaseDescription, RouterID: id("10.0.0.1"), Description: Description{MTU: 1500,
				Options: OptionE | OptionO, Flags: DDMaster | DDMore, Sequence: 0x1234,
				Headers: []LSAHeader{{5, OptionE, LSAKey{RouterLSA, id("10.0.0.1"), id("10.0.0.1")}, InitialSequence, 0x2ae3, 36}}}}},
		{"Link State Request (section A.3.4)", `
			02 03 0030
			0a000001 00000000 ab8a 0000 00000000 00000000
			00000001 0a000002 0a000002
			00000005 c6336400 0a000003`,
			Message{Type: LinkStateRequest, RouterID: id("10.0.0.1"), Requests: []LSAKey{
				{RouterLSA, id("10.0.0.2"), id("10.0.0.2")}, {ExternalLSA, id("198.51.100.0"), id("10.0.0.3")}}}},
		{"Link State Acknowledgment (section A.3.6)", `
			02 05 002c
			0a000001 00000000 8562 0000 00000000 00000000
			0e10 02 02            | MaxAge, E, network-LSA
			c0000201 0a000001 80000002 1234 0020`,
			Message{Type: LinkStateAck, RouterID: id("10.0.0.1"), Acks: []LSAHeader{
				{MaxAge, OptionE, LSAKey{NetworkLSA, id("192.0.2.1"), id("10.0.0.1")}, InitialSequence + 1, 0x1234, 32}}}},
		{"Link State Update (sections A.3.5 and A.4)", `
			02 04 00f0
			0a000001 00000000 01f0 0000 00000000 00000000
			00000006              | six LSAs
			0001 02 01 0a000001 0a000001 80000001 1fcd 003c | router-LSA
			  03 00 0003          | B and E, three links
			  0a000002 c0000201 01 00 000a | point-to-point to 10.0.0.2
			  c0000205 c0000206 02 00 0001 | transit
			  c0000208 fffffff8 03 00 0001 | stub
			0001 02 02 c0000201 0a000001 80000001 1262 0020 | network-LSA
			  ffffff00 0a000001 0a000002
			0001 02 03 c6336400 0a000001 80000001 05da 001c | summary-LSA of a network
			  ffffff00 00000014
			0001 02 04 0a000009 0a000001 80000001 201e 001c | of an AS boundary router
			  00000000 00ffffff
			0001 02 05 cb007100 0a000001 80000001 3ff6 0024 | AS-external-LSA
			  ffffff00 80000014   | type 2, metric 20
			  c0000202 0000007b   | forwarding address, tag 123
			0001 02 09 03000000 0a000001 80000001 606b 001c | grace-LSA (RFC 3623)
			  0001 0004 00000078  | 120 s`,
			Message{Type: LinkStateUpdate, RouterID: id("10.0.0.1"), Updates: []LSA{
				mustLSA(header(RouterLSA, "10.0.0.1", 1), routerBody.Append(nil)),
				mustLSA(header(NetworkLSA, "192.0.2.1", 1), networkBody.Append(nil)),
				mustLSA(header(SummaryLSA, "198.51.100.0", 1), summaryBody.Append(nil)),
				mustLSA(header(ASBRSummaryLSA, "10.0.0.9", 1), Summary{Metric: LSInfinity}.Append(nil)),
				mustLSA(header(ExternalLSA, "203.0.113.0", 1), externalBody.Append(nil)),
				mustLSA(header(OpaqueLinkLSA, "3.0.0.0", 1), AppendTLVs(nil, graceBody)),
			}}},
	}
}

// Bodies of the LSAs in the golden update.
var (
	routerBody = Router{Flags: RouterB | RouterE, Links: []RouterLink{
		{id("10.0.0.2"), uint32(id("192.0.2.1")), LinkPointToPoint, 10},
		{id("192.0.2.5"), uint32(id("192.0.2.6")), LinkTransit, 1},
		{id("192.0.2.8"), 0xfffffff8, LinkStub, 1}}}
	networkBody  = Network{0xffffff00, []ID{id("10.0.0.1"), id("10.0.0.2")}}
	summaryBody  = Summary{0xffffff00, 20}
	externalBody = External{0xffffff00, true, 20, ip("192.0.2.2"), 123}
	graceBody    = []TLV{{1, []byte{0, 0, 0, 120}}}
)

// key returns the key with which a golden message is authenticated.
func (g *golden) key() *Key {
	if g.msg.Auth.Type == AuthSimple {
		return &Key{Algorithm: SimplePassword, Secret: []byte("secret")}
	}
	return nil
}

func TestGoldens(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			want := octets(t, g.hex)
			b, err := g.msg.Append([]byte("before"), g.key(), 0, netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			if b = b[len("before"):]; !bytes.Equal(b, want) {
				t.Errorf("appended\n%x, want\n%x", b, want)
			}
			m, err := Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&g.msg, m, same); d != "" {
				t.Errorf("parsed (-want +got):\n%s", d)
			}
			for _, l := range m.Updates {
				if !l.ChecksumOK() {
					t.Errorf("%v: wrong checksum", l.LSAKey)
				}
			}
		})
	}
}

// TestBodies reads the bodies of the golden LSAs.
func TestBodies(t *testing.T) {
	all := goldens()
	lsas := all[len(all)-1].msg.Updates
	check := func(want, got any, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		} else if d := cmp.Diff(want, got, same); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	r, err := lsas[0].Router()
	check(routerBody, r, err)
	n, err := lsas[1].Network()
	check(networkBody, n, err)
	s, err := lsas[2].Summary()
	check(summaryBody, s, err)
	s, err = lsas[3].Summary()
	check(Summary{Metric: LSInfinity}, s, err)
	e, err := lsas[4].External()
	check(externalBody, e, err)
	o, err := lsas[5].Opaque()
	check(graceBody, o, err)
	if typ, opaque := lsas[5].OpaqueType(); typ != 3 || opaque != 0 {
		t.Errorf("opaque type %d, ID %d", typ, opaque)
	}
}
