package packet

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

func goldenNamed(tb testing.TB, name string) *golden {
	tb.Helper()
	gs := goldens()
	i := slices.IndexFunc(gs, func(g golden) bool { return g.name == name })
	if i < 0 {
		tb.Fatalf("no golden %q", name)
	}
	return &gs[i]
}

// wantError checks that err is an *Error with these fields.
func wantError(t *testing.T, err error, r Reason, off int) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v (%T), want *Error", err, err)
	}
	if *e != (Error{Reason: r, Offset: off}) {
		t.Fatalf("error is %v at %d, want %v at %d", e.Reason, e.Offset, r, off)
	}
}

// set overwrites octets from off on.
func set(off int, v ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[off:], v)
		return b
	}
}

// cut shortens to n octets; add appends.
func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
func add(v ...byte) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, v...) }
}

// entries replaces all entries by n empty ones.
func entries(n int) func([]byte) []byte {
	return func(b []byte) []byte { return append(b[:HeaderLen:HeaderLen], make([]byte, n*EntryLen)...) }
}

// Each malformed field has its own reason and offset. The response with
// Keyed-MD5 that is edited has its authentication at 4, entries at 24, 44 and
// 64, the trailer at 84 and the digest at 88 to 104.
func TestDecodeRefuses(t *testing.T) {
	const v1, v2, md5, sha = "response, version 1", "response", "response, Keyed-MD5", "response, HMAC-SHA-256"
	tests := []struct {
		name, golden string
		edit         func(b []byte) []byte
		reason       Reason
		offset       int
	}{
		{"nothing", v2, cut(0), ReasonTruncated, 0},
		{"half a header", v2, cut(3), ReasonTruncated, 3},
		{"version 0", v2, set(1, 0), ReasonVersion, 1},
		{"command 0", v2, set(0, 0), ReasonCommand, 0},
		{"command 3, traceon", v2, set(0, 3), ReasonCommand, 0},
		{"command 9, triggered request", v2, set(0, 9), ReasonCommand, 0},
		{"half an entry", v2, cut(34), ReasonLength, 34},
		{"an octet too many", v2, add(0), ReasonLength, 65},
		{"26 entries", v2, entries(26), ReasonTooManyEntries, 504},
		{"much too long", v2, entries(3000), ReasonTooManyEntries, 504},
		{"version 1, header", v1, set(3, 1), ReasonMustBeZero, 2},
		{"version 1, after the family", v1, set(7, 1), ReasonMustBeZero, 6},
		{"version 1, mask", v1, set(12, 255), ReasonMustBeZero, 12},
		{"version 1, next hop", v1, set(19, 1), ReasonMustBeZero, 16},
		{"version 1, family 0", v1, set(4, 0, 0, 0, 1), ReasonMustBeZero, 6},
		{"half an authentication entry", md5, cut(20), ReasonLength, 20},
		{"no more than its family", md5, cut(6), ReasonLength, 6},
		{"authentication type 1", md5, set(7, 1), ReasonAuthType, 6},
		{"authentication type 4", md5, set(7, 4), ReasonAuthType, 6},
		{"packet length 0", md5, set(8, 0, 0), ReasonTrailer, 8},
		{"packet length without the entry", md5, set(8, 0, 23), ReasonTrailer, 8},
		{"packet length inside an entry", md5, set(8, 0, 83), ReasonTrailer, 83},
		{"packet length beyond the datagram", md5, set(8, 255, 255), ReasonTruncated, 104},
		{"packet length at the end", md5, set(8, 0, 104), ReasonTruncated, 104},
		{"auth data length 15", md5, set(11, 15), ReasonTrailer, 11},
		{"auth data length 17", md5, set(11, 17), ReasonTrailer, 11},
		{"auth data length 0", md5, set(11, 0), ReasonTrailer, 11},
		{"trailer family", md5, set(84, 0, 2), ReasonTrailer, 84},
		{"trailer type", md5, set(86, 0, 3), ReasonTrailer, 84},
		{"trailer without data", md5, cut(88), ReasonTruncated, 88},
		{"trailer lost", md5, cut(84), ReasonTruncated, 84},
		{"octet after the digest", md5, add(0), ReasonTrailer, 11},
		{"digest of 65 octets", sha, add(make([]byte, 33)...), ReasonLength, 152},
		{"entries not of 20 octets", md5, func(b []byte) []byte { return slices.Insert(set(8, 0, 85)(b), 84, 0) }, ReasonLength, 85},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse(tt.edit(goldenNamed(t, tt.golden).bytes(t)))
			if m != nil {
				t.Error("Parse returned a message with an error")
			}
			wantError(t, err, tt.reason, tt.offset)
		})
	}
}

// The bounds themselves are accepted: 25 entries, and 24 with authentication
// and the longest trailer, which is MaxDatagram.
func TestDecodeAcceptsBounds(t *testing.T) {
	m, err := Parse(entries(MaxEntries)(goldenNamed(t, "response").bytes(t)))
	if err != nil || len(m.Entries) != MaxEntries {
		t.Errorf("%d entries: %v", MaxEntries, err)
	}
	full := Message{Command: Response, Version: 2, Entries: slices.Repeat([]Entry{route("10.0.0.0/8", 1)}, MaxEntries-1)}
	b, err := full.Append(nil, &Key{ID: 1, Algorithm: HMACSHA512, Secret: secret("k")}, 1)
	if err != nil || len(b) != MaxDatagram {
		t.Fatalf("%d octets: %v", len(b), err)
	}
	if m, err := Parse(b); err != nil || len(m.Entries) != MaxEntries-1 {
		t.Error(err)
	}
}

// A message that lost its tail is refused but between two entries without
// cryptographic authentication. A digest of 20 octets that lost four looks like
// Keyed-MD5 from a router that counts the four octets before; no key proves it.
func TestDecodeCutEverywhere(t *testing.T) {
	for _, g := range goldens() {
		b := g.bytes(t)
		for n := range b {
			m, err := Parse(b[:n])
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || e.Offset > n {
					t.Errorf("%s: cut at %d: %v", g.name, n, err)
				}
				continue
			}
			if m.Auth.Type == AuthCryptographic && m.Auth.DigestLen == 16 && b[offAuthLen] == 20 {
				md5 := Key{ID: g.key.ID, Algorithm: KeyedMD5, Secret: g.key.Secret}
				if m.Verify(b[:n], md5) || m.Verify(b[:n], *g.key) {
					t.Errorf("%s: cut at %d is verified", g.name, n)
				}
				continue
			}
			if (n-HeaderLen)%EntryLen != 0 || m.Auth.Type == AuthCryptographic {
				t.Errorf("%s: cut at %d of %d is accepted", g.name, n, len(b))
			}
		}
	}
}

// Each test of RFC 2453 section 3.9.2 refuses one entry, and Decode none.
func TestEntryCheck(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	tests := []struct {
		name string
		edit func(e *Entry)
		want Reason
	}{
		{"good", func(e *Entry) {}, 0},
		{"metric 16", func(e *Entry) { e.Metric = 16 }, 0},
		{"metric 0", func(e *Entry) { e.Metric = 0 }, ReasonMetric},
		{"metric 17", func(e *Entry) { e.Metric = 17 }, ReasonMetric},
		{"metric 2^32-1", func(e *Entry) { e.Metric = 1<<32 - 1 }, ReasonMetric},
		{"family 0", func(e *Entry) { e.Family = 0 }, ReasonFamily},
		{"family 10", func(e *Entry) { e.Family = 10 }, ReasonFamily},
		{"authentication not in the first place", func(e *Entry) { e.Family = 0xffff }, ReasonFamily},
		{"mask 255.0.255.0", func(e *Entry) { e.Mask = 0xff00ff00 }, ReasonMask},
		{"mask 0.0.0.255", func(e *Entry) { e.Mask = 0xff }, ReasonMask},
		{"no mask", func(e *Entry) { e.Mask = 0 }, 0},
		{"host mask", func(e *Entry) { e.Mask = 0xffffffff }, 0},
		{"default", func(e *Entry) { e.Addr, e.Mask = ip("0.0.0.0"), 0 }, 0},
		{"0.0.0.0/1", func(e *Entry) { e.Addr, e.Mask = ip("0.0.0.0"), 1<<31 }, 0},
		{"0.0.0.0/8", func(e *Entry) { e.Addr, e.Mask = ip("0.0.0.0"), 0xff000000 }, ReasonAddress},
		{"net 0", func(e *Entry) { e.Addr = ip("0.1.2.0") }, ReasonAddress},
		{"net 0 without mask", func(e *Entry) { e.Addr, e.Mask = ip("0.1.2.0"), 0 }, ReasonAddress},
		{"net 127", func(e *Entry) { e.Addr = ip("127.0.0.0") }, ReasonAddress},
		{"class C at its end", func(e *Entry) { e.Addr = ip("223.255.255.0") }, 0},
		{"class D", func(e *Entry) { e.Addr = ip("224.0.0.9") }, ReasonAddress},
		{"class E", func(e *Entry) { e.Addr = ip("240.0.0.0") }, ReasonAddress},
		{"broadcast", func(e *Entry) { e.Addr = ip("255.255.255.255") }, ReasonAddress},
		{"IPv6", func(e *Entry) { e.Addr = v6 }, ReasonAddress},
		{"no address", func(e *Entry) { e.Addr = netip.Addr{} }, ReasonAddress},
		{"next hop is advice only", func(e *Entry) { e.NextHop = ip("127.0.0.1") }, 0},
	}
	for _, tt := range tests {
		e := route("10.1.2.0/24", 1)
		tt.edit(&e)
		if got := e.Check(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	v6 := ip("2001:db8::1")
	md5 := &Key{ID: 1, Algorithm: KeyedMD5, Secret: secret("k")}
	many := slices.Repeat([]Entry{route("10.0.0.0/8", 1)}, 26)
	v1 := func(f func(e *Entry)) func(m *Message) {
		return func(m *Message) {
			m.Version, m.Entries = 1, []Entry{RouteV1(pfx("10.0.0.0/8"), 1), RouteV1(pfx("11.0.0.0/8"), 1)}
			f(&m.Entries[1])
		}
	}
	tests := []struct {
		name   string
		key    *Key
		edit   func(m *Message)
		reason Reason
		offset int
	}{
		{"command 0", nil, func(m *Message) { m.Command = 0 }, ReasonCommand, 0},
		{"command 3", nil, func(m *Message) { m.Command = 3 }, ReasonCommand, 0},
		{"version 0", nil, func(m *Message) { m.Version = 0 }, ReasonVersion, 1},
		{"version 3", nil, func(m *Message) { m.Version = 3 }, ReasonVersion, 1},
		{"version 1 with authentication", md5, v1(func(*Entry) {}), ReasonVersion, 1},
		{"no secret", &Key{Algorithm: HMACSHA1}, func(m *Message) {}, ReasonKey, 4},
		{"no algorithm", &Key{Secret: secret("k")}, func(m *Message) {}, ReasonKey, 4},
		{"unknown algorithm", &Key{Algorithm: HMACSHA512 + 1, Secret: secret("k")}, func(m *Message) {}, ReasonKey, 4},
		{"26 entries", nil, func(m *Message) { m.Entries = many }, ReasonTooManyEntries, 504},
		{"25 entries with authentication", md5, func(m *Message) { m.Entries = many[:25] }, ReasonTooManyEntries, 504},
		{"family", nil, func(m *Message) { m.Entries[1].Family = 10 }, ReasonFamily, 24},
		{"authentication as entry", nil, func(m *Message) { m.Entries[0].Family = 0xffff }, ReasonFamily, 4},
		{"family after authentication", md5, func(m *Message) { m.Entries[1].Family = 10 }, ReasonFamily, 44},
		{"IPv6", nil, func(m *Message) { m.Entries[1].Addr = v6 }, ReasonAddress, 28},
		{"mask", nil, func(m *Message) { m.Entries[1].Mask = 5 }, ReasonMask, 32},
		{"IPv6 next hop", nil, func(m *Message) { m.Entries[1].NextHop = v6 }, ReasonNextHop, 36},
		{"metric 0", nil, func(m *Message) { m.Entries[1].Metric = 0 }, ReasonMetric, 40},
		{"metric 17", nil, func(m *Message) { m.Entries[1].Metric = 17 }, ReasonMetric, 40},
		{"metric 17 in a request", nil, func(m *Message) { m.Command = Request; m.Entries[1].Metric = 17 }, ReasonMetric, 40},
		{"version 1 with a tag", nil, v1(func(e *Entry) { e.Tag = 1 }), ReasonMustBeZero, 26},
		{"version 1 with a mask", nil, v1(func(e *Entry) { e.Mask = 0xff000000 }), ReasonMustBeZero, 32},
		{"version 1 with a next hop", nil, v1(func(e *Entry) { e.NextHop = ip("10.0.0.1") }), ReasonMustBeZero, 36},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := goldenNamed(t, "response").msg
			m.Entries = slices.Clone(m.Entries)
			tt.edit(&m)
			b, err := m.Append([]byte("before"), tt.key, 1)
			wantError(t, err, tt.reason, tt.offset)
			if !bytes.Equal(b, []byte("before")) {
				t.Errorf("Append left %q", b)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, r := range []Reason{ReasonTruncated, ReasonLength, ReasonTooManyEntries, ReasonVersion, ReasonCommand,
		ReasonMustBeZero, ReasonAuthType, ReasonTrailer, ReasonFamily, ReasonMetric, ReasonMask, ReasonAddress,
		ReasonNextHop, ReasonKey} {
		if _, ok := reasonNames[r]; !ok {
			t.Errorf("reason %d has no name", r)
		}
	}
	for got, want := range map[string]string{
		(&Error{Reason: ReasonVersion, Offset: 1}).Error(): "rip: offset 1: unsupported version",
		Reason(0).String():         "reason 0",
		Request.String():           "Request",
		Response.String():          "Response",
		Command(3).String():        "Traceon",
		Command(4).String():        "Traceoff",
		Command(5).String():        "Poll",
		Command(6).String():        "Poll Entry",
		Command(9).String():        "Command 9",
		NoAlgorithm.String():       "none",
		Algorithm(99).String():     "algorithm 99",
		AuthNone.String():          "none",
		AuthPassword.String():      "simple password",
		AuthCryptographic.String(): "cryptographic",
		AuthType(4).String():       "type 4",
	} {
		if got != want {
			t.Errorf("name %q, want %q", got, want)
		}
	}
}
