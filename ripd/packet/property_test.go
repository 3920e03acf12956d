package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawAddr(t *rapid.T, label string) netip.Addr {
	return addrFrom(rapid.Uint32().Draw(t, label))
}

func drawEntry(t *rapid.T, m *Message) Entry {
	lo := uint32(1)
	if m.Command == Request {
		lo = 0
	}
	e := Entry{
		Family:  rapid.SampledFrom([]uint16{FamilyIP, FamilyUnspecified}).Draw(t, "family"),
		Addr:    drawAddr(t, "addr"),
		NextHop: netip.IPv4Unspecified(),
		Metric:  rapid.Uint32Range(lo, Infinity).Draw(t, "metric"),
	}
	if m.Version == Version2 {
		e.Tag = rapid.Uint16().Draw(t, "tag")
		e.Mask = mask(rapid.IntRange(0, 32).Draw(t, "length"))
		e.NextHop = drawAddr(t, "next hop")
	}
	return e
}

// drawMessage draws any message that can be sent, and its key or nil.
func drawMessage(t *rapid.T) (*Message, *Key) {
	m := &Message{
		Command: Command(rapid.Uint8Range(1, 2).Draw(t, "command")),
		Version: rapid.Uint8Range(1, 2).Draw(t, "version"),
	}
	var k *Key
	room := MaxEntries
	if a := Algorithm(rapid.Uint8Range(0, uint8(HMACSHA512)).Draw(t, "algorithm")); a != NoAlgorithm && m.Version == Version2 {
		k = &Key{ID: rapid.Uint8().Draw(t, "id"), Algorithm: a, Secret: rapid.SliceOfN(rapid.Byte(), 1, 150).Draw(t, "secret")}
		room--
	}
	for range rapid.IntRange(0, room).Draw(t, "entries") {
		m.Entries = append(m.Entries, drawEntry(t, m))
	}
	return m, k
}

// wantAuth is what Decode has to find in a message of n entries with key k.
func wantAuth(k *Key, n int, sequence uint32) Auth {
	switch {
	case k == nil:
		return Auth{}
	case k.Algorithm == SimplePassword:
		return Auth{Type: AuthPassword}
	}
	return Auth{Type: AuthCryptographic, KeyID: k.ID, Sequence: sequence,
		DigestLen: uint8(k.Algorithm.DigestLen()), Offset: uint16(28 + 20*n)}
}

// What is written is read back and proves authentic; it does not depend on what
// the Message held before, and no reference to the octets remains.
func TestRoundTrip(t *testing.T) {
	var reused Message
	rapid.Check(t, func(t *rapid.T) {
		m, k := drawMessage(t)
		sequence := rapid.Uint32().Draw(t, "sequence")
		b, err := m.Append(nil, k, sequence)
		if err != nil {
			t.Fatal(err)
		}
		in := bytes.Clone(b)
		if err := reused.Decode(in); err != nil {
			t.Fatal(err)
		}
		if k != nil && !reused.Verify(in, *k) {
			t.Fatal("not verified")
		}
		for i := range in {
			in[i] ^= 0xff
		}
		m.Auth = wantAuth(k, len(m.Entries), sequence)
		if d := cmp.Diff(m, &reused, sameMessage); d != "" {
			t.Fatalf("Decode (-want +got):\n%s", d)
		}
		again, err := reused.Append(make([]byte, 0, 3), k, sequence)
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("second writing differs: %v\n%x\n%x", err, b, again)
		}
	})
}

// A subnet mask is contiguous exactly if it is one of the 33.
func TestMaskBits(t *testing.T) {
	for n := range 33 {
		if got, ok := maskBits(mask(n)); !ok || got != n {
			t.Errorf("mask of %d: %d, %v", n, got, ok)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint32().Draw(t, "mask")
		n, ok := maskBits(v)
		if inv := ^v; ok != (inv&(inv+1) == 0) || ok && mask(n) != v {
			t.Fatalf("%08x: %d, %v", v, n, ok)
		}
	})
}

// FuzzDecode: whatever Decode accepts keeps to the bounds, its entries can be
// checked and their prefixes taken, no key proves it by chance, and what Append
// accepts of it reads back as the same Message.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens() {
		f.Add(g.bytes(f))
	}
	for _, c := range captures(f) {
		f.Add(c.payload)
	}
	keys := []Key{{ID: 1, Algorithm: SimplePassword, Secret: secret("\x01long random secret")}}
	for _, a := range cryptographic {
		keys = append(keys, Key{ID: 1, Algorithm: a, Secret: secret("\x01long random secret")})
	}
	var reused Message
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			e, ok := err.(*Error)
			if !ok || e.Offset < 0 || e.Offset > len(b) || e.Reason == 0 {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if len(m.Entries) > MaxEntries || len(b) > MaxDatagram {
			t.Fatalf("%d entries of %d octets", len(m.Entries), len(b))
		}
		checkFuzzed(t, m, b, keys)
		var k *Key
		if m.Auth.Type != AuthNone {
			k = &Key{ID: m.Auth.KeyID, Algorithm: SimplePassword, Secret: secret("k")}
			if i := slices.IndexFunc(cryptographic, func(a Algorithm) bool { return a.DigestLen() == int(m.Auth.DigestLen) }); i >= 0 {
				k.Algorithm = cryptographic[i]
			} else if m.Auth.Type == AuthCryptographic {
				return
			}
		}
		out, err := m.Append(nil, k, m.Auth.Sequence)
		if err != nil {
			return
		}
		if err := reused.Decode(out); err != nil {
			t.Fatalf("written but cannot be read: %v\n%x", err, out)
		}
		if d := cmp.Diff(m, &reused, sameMessage); d != "" {
			t.Fatalf("changed (-first +second):\n%s", d)
		}
	})
}

// checkFuzzed does with a message what a receiver does.
func checkFuzzed(t *testing.T, m *Message, b []byte, keys []Key) {
	t.Helper()
	for i := range m.Entries {
		e := &m.Entries[i]
		p, ok := e.Prefix(pfx("10.9.0.1/24"))
		if e.Check() == 0 && (!ok || !p.IsValid() || p != p.Masked()) {
			t.Fatalf("entry %+v passes with prefix %v, %v", e, p, ok)
		}
	}
	for _, k := range keys {
		if m.Verify(b, k) {
			t.Fatalf("%v proves %x", k, b)
		}
	}
}
