package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each test here proves a sentence of RFC 2453 or RFC 4822 that the codec is
// answerable for; the sentence is quoted or named by its section.

func parseEdited(t *testing.T, name string, edit func([]byte) []byte) *Message {
	t.Helper()
	m, err := Parse(edit(goldenNamed(t, name).bytes(t)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// RFC 2453 section 5: "RIP messages of any version greater than 1 should not be
// discarded simply because an MBZ field contains a value other than zero".
// Versions above 2 are read as 2.
func TestLaterVersions(t *testing.T) {
	for _, v := range []byte{2, 3, 99, 255} {
		m := parseEdited(t, "response", set(1, v, 0xab, 0xcd))
		if d := cmp.Diff(&goldenNamed(t, "response").msg, m, sameMessage); d != "" {
			t.Errorf("version %d:\n%s", v, d)
		}
	}
	m := parseEdited(t, "whole table request", set(1, 7, 1, 1, 0, 0, 0xff, 0xff))
	if !m.WholeTable() {
		t.Error("a tag in an unspecified entry matters")
	}
	m = parseEdited(t, "response, HMAC-SHA-1", set(16, 1, 2, 3, 4, 5, 6, 7, 8)) // reserved
	if m.Auth != goldenNamed(t, "response, HMAC-SHA-1").msg.Auth {
		t.Errorf("reserved octets matter: %+v", m.Auth)
	}
}

// RFC 2453 section 5.2: a version 1 router sees an entry with family 0xFFFF as
// one of an unknown family, ignores it, and sees the others. Of such an entry
// nothing must be zero, for its layout is unknown.
func TestVersion1HasNoAuthentication(t *testing.T) {
	b := goldenNamed(t, "response, version 1").bytes(t)
	b = slices.Insert(b, HeaderLen, append([]byte{0xff, 0xff, 0, 2}, "password of 16.."...)...)
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Auth != (Auth{}) || len(m.Entries) != 2 {
		t.Fatalf("%+v", m)
	}
	if a, b := m.Entries[0].Check(), m.Entries[1].Check(); a != ReasonFamily || b != 0 {
		t.Errorf("entries: %v, %v", a, b)
	}
}

// RFC 2453 section 4.1: "the first (and only the first) entry".
func TestAuthenticationOnlyFirst(t *testing.T) {
	m := parseEdited(t, "response", set(24, 0xff, 0xff, 0, 2))
	if m.Auth != (Auth{}) || len(m.Entries) != 3 {
		t.Fatalf("%+v", m)
	}
	for i, want := range []Reason{0, ReasonFamily, 0} {
		if got := m.Entries[i].Check(); got != want {
			t.Errorf("entry %d: %v, want %v", i, got, want)
		}
	}
	m = parseEdited(t, "response, simple password", set(24, 0xff, 0xff, 0, 3))
	if m.Auth != (Auth{Type: AuthPassword}) || m.Entries[0].Check() != ReasonFamily {
		t.Errorf("%+v", m)
	}
}

// RFC 2453 section 3.9.2: "If any check fails, ignore that entry and proceed to
// the next."
func TestBadEntryLeavesOthers(t *testing.T) {
	m := parseEdited(t, "response", set(40, 0, 0, 0, 17))
	for i, want := range []Reason{0, ReasonMetric, 0} {
		if got := m.Entries[i].Check(); got != want {
			t.Errorf("entry %d: %v, want %v", i, got, want)
		}
	}
}

// RFC 2453 section 3.9.1: "If there is exactly one entry in the request, and it
// has an address family identifier of zero and a metric of infinity".
func TestWholeTable(t *testing.T) {
	one := WholeTableRequest(Version1)
	edit := func(f func(m *Message)) Message {
		m := one
		m.Entries = slices.Clone(one.Entries)
		f(&m)
		return m
	}
	tests := []struct {
		name string
		m    Message
		want bool
	}{
		{"version 1", one, true},
		{"version 2", WholeTableRequest(Version2), true},
		{"response", edit(func(m *Message) { m.Command = Response }), false},
		{"no entry", edit(func(m *Message) { m.Entries = nil }), false},
		{"two entries", edit(func(m *Message) { m.Entries = append(m.Entries, m.Entries[0]) }), false},
		{"family IP", edit(func(m *Message) { m.Entries[0].Family = FamilyIP }), false},
		{"metric 15", edit(func(m *Message) { m.Entries[0].Metric = 15 }), false},
	}
	for _, tt := range tests {
		if got := tt.m.WholeTable(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	// The authentication entry is not one of the entries.
	b, err := one.Append(nil, nil, 0)
	if err != nil || len(b) != 24 {
		t.Fatal(len(b), err)
	}
	m := Message{Command: Request, Version: 2, Entries: one.Entries}
	b, err = m.Append(nil, &Key{Algorithm: SimplePassword, Secret: secret("k")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(b); err != nil || !got.WholeTable() {
		t.Errorf("with authentication: %+v, %v", got, err)
	}
}

// RFC 2453 section 3.9.1: "change the command from Request to Response and send
// the datagram back".
func TestAnswerInPlace(t *testing.T) {
	m := parseEdited(t, "request for two networks", slices.Clone[[]byte])
	m.Command = Response
	m.Entries[0].Metric = 3
	b, err := m.Append(nil, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := set(23, 3)(set(0, 2)(goldenNamed(t, "request for two networks").bytes(t)))
	if !bytes.Equal(b, want) {
		t.Errorf("answered %x, want %x", b, want)
	}
}

// RFC 2453 sections 3.7 and 4.3: what an entry's destination is, by its mask, or
// without one by that of the interface's network, or of the address class. The
// first lines are the example of section 3.7: net 128.6 with mask 255.255.255.0.
func TestPrefix(t *testing.T) {
	const iface = "128.6.9.1/24"
	tests := []struct {
		addr  string
		mask  uint32
		iface string // empty: without an address
		want  string // empty: no prefix
	}{
		{"128.6.4.0", 0, iface, "128.6.4.0/24"},
		{"128.6.4.1", 0, iface, "128.6.4.1/32"},
		{"128.6.0.0", 0, "128.7.0.1/24", "128.6.0.0/16"},
		{"128.6.4.0", 0, "128.7.0.1/24", "128.6.4.0/32"},
		{"128.6.0.0", 0, iface, "128.6.0.0/24"}, // the zero subnet, not the network
		{"0.0.0.0", 0, iface, "0.0.0.0/0"},
		{"0.0.0.0", 0, "", "0.0.0.0/0"},
		{"10.0.0.0", 0, "", "10.0.0.0/8"},
		{"172.16.0.0", 0, "", "172.16.0.0/16"},
		{"192.168.7.0", 0, "", "192.168.7.0/24"},
		{"192.168.7.1", 0, "", "192.168.7.1/32"},
		{"10.1.0.0", 0, "", "10.1.0.0/32"},
		{"10.1.2.4", 0, "10.1.2.1/30", "10.1.2.4/30"},
		{"10.1.2.4", 0, "10.1.2.1/32", "10.1.2.4/32"},
		{"192.168.7.0", 0, "192.168.0.1/16", "192.168.7.0/24"}, // a supernet is no mask of the class
		{"192.168.7.0", 0, "192.168.7.1/16", "192.168.7.0/24"},
		{"127.0.0.0", 0, "", "127.0.0.0/8"},
		{"128.0.0.0", 0, "", "128.0.0.0/16"},
		{"191.255.0.0", 0, "", "191.255.0.0/16"},
		{"192.0.0.0", 0, "", "192.0.0.0/24"},
		{"223.255.255.0", 0, "", "223.255.255.0/24"},
		{"10.0.0.0", 0, "2001:db8::1/64", "10.0.0.0/8"},
		{"224.0.0.9", 0, "", "224.0.0.9/32"},
		{"10.1.2.0", 0xffffff00, iface, "10.1.2.0/24"},
		{"10.1.2.3", 0xffffff00, iface, "10.1.2.0/24"}, // the non-host portion
		{"128.6.4.0", 0xfffffe00, iface, "128.6.4.0/23"},
		{"10.1.2.3", 0xffffffff, iface, "10.1.2.3/32"},
		{"0.0.0.0", 0x80000000, iface, "0.0.0.0/1"},
		{"10.1.2.3", 0xff00ff00, iface, ""},
		{"2001:db8::", 0, iface, ""},
	}
	for _, tt := range tests {
		e := Entry{Family: FamilyIP, Addr: ip(tt.addr), Mask: tt.mask, Metric: 1}
		var iface netip.Prefix
		if tt.iface != "" {
			iface = pfx(tt.iface)
		}
		p, ok := e.Prefix(iface)
		if ok != (tt.want != "") || ok && p.String() != tt.want {
			t.Errorf("%s mask %08x on %q: %v, %v, want %q", tt.addr, tt.mask, tt.iface, p, ok, tt.want)
		}
	}
	if p, ok := (&Entry{}).Prefix(netip.Prefix{}); ok {
		t.Errorf("no address: %v", p)
	}
}

// RFC 2453 section 4.1: "If the password is under 16 octets, it must be
// left-justified and padded to the right with nulls"; a longer one is cut.
func TestPasswordField(t *testing.T) {
	m := Message{Command: Response, Version: 2}
	for in, want := range map[string]string{
		"p":                  "p\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"0123456789abcdef":   "0123456789abcdef",
		"0123456789abcdefgh": "0123456789abcdef",
	} {
		k := Key{Algorithm: SimplePassword, Secret: secret(in)}
		b, err := m.Append(nil, &k, 5)
		if err != nil {
			t.Fatal(err)
		}
		if string(b[8:]) != want {
			t.Errorf("%q: %q", in, b[8:])
		}
		if got, err := Parse(b); err != nil || !got.Verify(b, k) {
			t.Errorf("%q: not verified: %v", in, err)
		}
	}
}

// RFC 4822 section 2.5: "The Authentication Data Length is equal to the Message
// Digest Size", and is never truncated; section 2.1: RIPv2 Packet Length is the
// offset of the trailer, Sequence Number and reserved as in the figure.
func TestAuthenticationEntry(t *testing.T) {
	m := Message{Command: Response, Version: 2, Entries: table}
	for a, n := range map[Algorithm]int{KeyedMD5: 16, HMACSHA1: 20, HMACSHA256: 32, HMACSHA384: 48, HMACSHA512: 64} {
		b, err := m.Append(nil, &Key{ID: 200, Algorithm: a, Secret: secret("k")}, 0xfffffffe)
		if err != nil {
			t.Fatal(err)
		}
		want := []byte{0xff, 0xff, 0, 3, 0, 84, 200, byte(n), 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0}
		if !bytes.Equal(b[4:24], want) || !bytes.Equal(b[84:88], []byte{0xff, 0xff, 0, 1}) || len(b) != 88+n || a.DigestLen() != n {
			t.Errorf("%v: %x", a, b)
		}
	}
	if NoAlgorithm.DigestLen() != 0 || SimplePassword.DigestLen() != 0 {
		t.Error("a digest where there is none")
	}
}

// RFC 1058 section 3.4: datagrams have at most 512 octets; RFC 2453 section 4.1:
// at most 24 entries with authentication.
func TestMaxEntriesWith(t *testing.T) {
	for a, want := range map[Algorithm]int{
		NoAlgorithm: 25, SimplePassword: 24, KeyedMD5: 23, HMACSHA1: 23, HMACSHA256: 22, HMACSHA384: 21, HMACSHA512: 21,
	} {
		if got := MaxEntriesWith(a); got != want {
			t.Errorf("%v: %d, want %d", a, got, want)
		}
		var k *Key
		if a != NoAlgorithm {
			k = &Key{ID: 1, Algorithm: a, Secret: secret("k")}
		}
		m := Message{Command: Response, Version: 2, Entries: slices.Repeat([]Entry{route("10.0.0.0/8", 1)}, want)}
		b, err := m.Append(nil, k, 1)
		if err != nil || len(b) > MaxLen {
			t.Errorf("%v: %d octets, %v", a, len(b), err)
		}
		m.Entries = append(m.Entries, m.Entries[0])
		if b, err := m.Append(nil, k, 1); err == nil && len(b) <= MaxLen {
			t.Errorf("%v: one more has room: %d octets", a, len(b))
		}
	}
}

// RFC 2453 section 4.2: the route tag is kept as it is; section 4.4: the zero
// Addr as next hop is 0.0.0.0, the sender.
func TestRoute(t *testing.T) {
	got := Route(pfx("10.1.2.3/24"), 77, netip.Addr{}, 4)
	want := Entry{Family: FamilyIP, Tag: 77, Addr: ip("10.1.2.0"), Mask: 0xffffff00, NextHop: ip("0.0.0.0"), Metric: 4}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got = Route(pfx("0.0.0.0/0"), 0, ip("10.0.0.1"), 1)
	want = Entry{Family: FamilyIP, Addr: ip("0.0.0.0"), NextHop: ip("10.0.0.1"), Metric: 1}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	b, err := (&Message{Command: Response, Version: 1, Entries: []Entry{RouteV1(pfx("10.1.2.0/24"), 4), {Family: FamilyIP, Metric: 1}}}).Append(nil, nil, 0)
	if err != nil || !bytes.Equal(b, unhex(t, "02010000"+"00020000"+"0a010200"+"0000000000000000"+"00000004"+"00020000"+"000000000000000000000000"+"00000001")) {
		t.Errorf("version 1: %x, %v", b, err)
	}
}

// RFC 2453 section 4.5: "The IP multicast address is 224.0.0.9"; section 3.6:
// port 520.
func TestAddresses(t *testing.T) {
	if Group.String() != "224.0.0.9" || Port != 520 {
		t.Error(Group, Port)
	}
}
