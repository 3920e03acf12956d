package suite

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

func parse(tb testing.TB, b []byte) *packet.Message {
	tb.Helper()
	m, err := packet.Parse(b)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// RFC 7634 appendix B, both ways: the IV there is what the counter of ours would be
// after many messages.
func TestRFC7634(t *testing.T) {
	want := octets(t, `c0 c1 c2 c3 c4 c5 c6 c7 d0 d1 d2 d3 d4 d5 d6 d7 2e 20 25 00 00 00 00 09 00 00 00 45 29 00 00 29
		10 11 12 13 14 15 16 17 61 03 94 70 1f 8d 01 7f 7c 12 92 48 89 6b 71 bf e2 52 36 ef d7 cd c6 70 66 90 63 15 b2`)
	s := suites()["CHACHA20-POLY1305"]
	c, err := s.NewCipher(append(seq(0x80, 32), 0xa0, 0xa1, 0xa2, 0xa3), nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := c.Open(want, parse(t, want).Encrypted.Offset)
	if err != nil || !bytes.Equal(plain, octets(t, "00 00 00 0c 00 00 40 01 00 00 00 0a")) {
		t.Fatalf("%x, %v", plain, err)
	}
	c.sent = 0x1011121314151617
	m := &packet.Message{Header: packet.Header{SPIi: 0xc0c1c2c3c4c5c6c7, SPIr: 0xd0d1d2d3d4d5d6d7, Exchange: packet.Informational, MessageID: 9}}
	b, err := c.Append(nil, m, []packet.Payload{&packet.Notify{Kind: packet.SetWindowSize, Data: []byte{0, 0, 0, 10}}}, failing{})
	if err != nil || !bytes.Equal(b, want) {
		t.Errorf("%x, %v", b, err)
	}
}

// What Seal writes is what the ciphers of the library make of it by themselves: RFC 7296
// section 3.14 for CBC, RFC 5282 sections 3, 5 and 8 for GCM, RFC 7634 for ChaCha20.
func TestSealByHand(t *testing.T) {
	plain := seq(1, 21)
	head := seq(0x70, 32)
	seal := func(s IKE) ([]byte, *Keys) {
		sender, _ := s.pair(t)
		b := append(slices.Clone(head), make([]byte, sender.SealedLen(len(plain)))...)
		if err := sender.Seal(b, plain, seeded(1)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b[:32], head) {
			t.Fatal("head changed")
		}
		return b[32:], s.Derive(seq(1, 32), Nonces{seq(0x10, 16), seq(0x20, 16), 1, 2})
	}
	aead := func(name string, a cipher.AEAD, b, salt []byte) {
		nonce := append(slices.Clone(salt), b[:8]...)
		got, err := a.Open(nil, nonce, b[8:], head)
		if err != nil || !bytes.Equal(got, append(slices.Clone(plain), 0)) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	b, k := seal(suites()["AES-GCM-256"])
	block, _ := aes.NewCipher(k.Ei[:32])
	gcm, _ := cipher.NewGCM(block)
	aead("GCM", gcm, b, k.Ei[32:])
	b, k = seal(suites()["CHACHA20-POLY1305"])
	cc, _ := chacha20poly1305.New(k.Ei[:32])
	aead("ChaCha20", cc, b, k.Ei[32:])

	b, k = seal(suites()["AES-CBC-128 SHA256"])
	if len(b) != 16+32+16 {
		t.Fatalf("%d octets", len(b))
	}
	mac := hmac.New(sha256.New, k.Ai)
	mac.Write(head)
	mac.Write(b[:48])
	if !bytes.Equal(mac.Sum(nil)[:16], b[48:]) {
		t.Error("CBC: checksum")
	}
	block, _ = aes.NewCipher(k.Ei)
	got := make([]byte, 32)
	cipher.NewCBCDecrypter(block, b[:16]).CryptBlocks(got, b[16:48])
	if want := append(append(slices.Clone(plain), make([]byte, 10)...), 10); !bytes.Equal(got, want) {
		t.Errorf("CBC: %x, want %x", got, want)
	}
}

// Of any length, what is sealed is opened, and is as long as announced.
func TestSealOpen(t *testing.T) {
	for name, s := range suites() { // unordered: each by itself
		sender, receiver := s.pair(t)
		random := seeded(1)
		for n := range 70 {
			plain, head := seq(0, n), seq(9, 32)
			b := append(slices.Clone(head), make([]byte, sender.SealedLen(n))...)
			if err := sender.Seal(b, plain, random); err != nil {
				t.Fatal(err)
			}
			before := slices.Clone(b)
			got, err := receiver.Open(b, 32)
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%s, %d octets: %x, %v", name, n, got, err)
			}
			if !bytes.Equal(b, before) {
				t.Fatalf("%s: Open changed the message", name)
			}
		}
	}
}

// Every octet of a message is authenticated, and so is its length (F16, F19: a checksum
// that is not looked at, a body shorter than IV and checksum).
func TestEveryOctetIsAuthenticated(t *testing.T) {
	for name, s := range suites() { // unordered: each by itself
		sender, receiver := s.pair(t)
		b, err := sender.Append(nil, message(), []packet.Payload{&packet.Delete{Protocol: packet.ProtocolIKE}}, seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			for _, bit := range []byte{1, 0x80} {
				c := slices.Clone(b)
				c[i] ^= bit
				if _, err := receiver.Open(c, 32); err != ErrAuthentication {
					t.Fatalf("%s: octet %d changed: %v", name, i, err)
				}
			}
		}
		for n := range b {
			if _, err := receiver.Open(b[:n], min(n, 32)); err != ErrAuthentication {
				t.Fatalf("%s: cut to %d: %v", name, n, err)
			}
		}
		if _, err := receiver.Open(append(slices.Clone(b), make([]byte, 16)...), 32); err != ErrAuthentication {
			t.Errorf("%s: longer by a block: %v", name, err)
		}
		for _, off := range []int{-1, 31, 33, len(b), len(b) + 1} {
			if _, err := receiver.Open(b, off); err != ErrAuthentication {
				t.Errorf("%s: offset %d: %v", name, off, err)
			}
		}
		if _, err := receiver.Open(b, 32); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Padding of any contents and length is taken off, if it is no longer than what there is
// (RFC 7296 section 3.14: a recipient accepts any length that aligns; F19).
func TestPadding(t *testing.T) {
	s := suites()["AES-CBC-128 SHA256"]
	k := s.Derive(seq(1, 32), Nonces{seq(0x10, 16), seq(0x20, 16), 1, 2})
	block, _ := aes.NewCipher(k.Ei)
	_, receiver := s.pair(t)
	sealed := func(padded []byte) []byte {
		b := append(seq(9, 32), seq(5, 16)...)
		body := slices.Clone(padded)
		cipher.NewCBCEncrypter(block, b[32:48]).CryptBlocks(body, body)
		b = append(b, body...)
		m := hmac.New(sha256.New, k.Ai)
		m.Write(b)
		return append(b, m.Sum(nil)[:16]...)
	}
	long := append(append([]byte("abc"), bytes.Repeat([]byte{0xee}, 44)...), 44)
	if got, err := receiver.Open(sealed(long), 32); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
	all := append(bytes.Repeat([]byte{7}, 15), 15)
	if got, err := receiver.Open(sealed(all), 32); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	for _, n := range []byte{16, 255} {
		all[15] = n
		if got, err := receiver.Open(sealed(all), 32); err != ErrAuthentication {
			t.Errorf("pad length %d of 15: %q, %v", n, got, err)
		}
	}
	if got, err := receiver.Open(sealed(nil), 32); err != ErrAuthentication {
		t.Errorf("no block: %q, %v", got, err)
	}
}

// The IV of AEAD ciphers never occurs twice, and ends before it would (RFC 5282 section
// 3); that of CBC comes from the randomness.
func TestIV(t *testing.T) {
	s := suites()["AES-GCM-128"]
	sender, receiver := s.pair(t)
	seen := map[string]bool{}
	for range 300 {
		b, err := sender.Append(nil, message(), nil, failing{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := receiver.Open(b, 32); err != nil {
			t.Fatal(err)
		}
		seen[string(b[32:40])] = true
	}
	if len(seen) != 300 {
		t.Errorf("%d IVs in 300 messages", len(seen))
	}
	sender.sent = math.MaxUint64
	if _, err := sender.Append(nil, message(), nil, failing{}); err != errExhausted {
		t.Error(err)
	}
	sender, _ = suites()["AES-CBC-256 SHA256"].pair(t)
	b, err := sender.Append(nil, message(), nil, bytes.NewReader(seq(0x55, 16)))
	if err != nil || !bytes.Equal(b[32:48], seq(0x55, 16)) {
		t.Errorf("%x, %v", b, err)
	}
	if _, err := sender.Append([]byte("abc"), message(), nil, failing{}); err != errRandom {
		t.Error(err)
	}
}

// Keys of a wrong length are refused (F10).
func TestNewCipherRefuses(t *testing.T) {
	for name, s := range suites() { // unordered: each by itself
		e, a := encryptionKeyLen(s.Encryption), integrityKeyLen(s.Integrity)
		if _, err := s.NewCipher(make([]byte, e), make([]byte, a)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, l := range [][2]int{{e - 1, a}, {e + 1, a}, {0, a}, {e, a + 1}} {
			if _, err := s.NewCipher(make([]byte, l[0]), make([]byte, l[1])); err != ErrUnsupported {
				t.Errorf("%s, keys of %v: %v", name, l, err)
			}
		}
	}
	if _, err := (IKE{}).NewCipher(nil, nil); err != ErrUnsupported {
		t.Error(err)
	}
}

// A message whole or in fragments of any size comes out the same, and no fragment is
// larger than wanted (RFC 7383 sections 2.5 and 2.6).
func TestFragments(t *testing.T) {
	inner := []packet.Payload{&packet.ID{Kind: packet.IDFQDN, Data: []byte("hub")}, &packet.Cert{Encoding: packet.CertX509Signature, Data: seq(0, 1500)}}
	plain, err := packet.AppendPayloads(nil, inner)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range suites() { // unordered: each by itself
		for _, size := range []int{150, 151, 165, 576, 1000, 1280, 1500, 5000} {
			sender, receiver := s.pair(t)
			out, err := sender.Fragments(message(), inner, size, seeded(3))
			if err != nil {
				t.Fatalf("%s, %d: %v", name, size, err)
			}
			var r Reassembly
			var whole []byte
			for i, b := range out {
				m := parse(t, b)
				if len(b) > size || m.Header != message().Header {
					t.Fatalf("%s, %d: fragment of %d octets, %+v", name, size, len(b), m.Header)
				}
				got, err := receiver.Open(b, m.Encrypted.Offset)
				if err != nil {
					t.Fatal(err)
				}
				if !m.Encrypted.Fragment() {
					whole, r.First = got, m.Encrypted.First
					break
				}
				var done bool
				if whole, done = r.Add(b, m.Encrypted, got); done != (i == len(out)-1) {
					t.Fatalf("%s, %d: done after %d of %d", name, size, i+1, len(out))
				}
			}
			if !bytes.Equal(whole, plain) {
				t.Fatalf("%s, %d: another message", name, size)
			}
			ps, err := packet.ParsePayloads(r.First, whole)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(inner, ps); d != "" {
				t.Error(d)
			}
			if size == 5000 && len(out) != 1 || size == 1500 && len(out) != 2 {
				t.Errorf("%s, %d: %d messages", name, size, len(out))
			}
		}
	}
	sender, _ := suites()["AES-CBC-256 SHA256"].pair(t)
	for _, size := range []int{0, 60, 83} {
		if _, err := sender.Fragments(message(), inner, size, seeded(1)); err != ErrFragments {
			t.Errorf("size %d: %v", size, err)
		}
	}
	big := []packet.Payload{&packet.Cert{Encoding: packet.CertX509Signature, Data: make([]byte, 20000)}}
	if _, err := sender.Fragments(message(), big, 120, seeded(1)); err != ErrFragments {
		t.Errorf("more than 256 fragments: %v", err)
	}
	m := message()
	m.Payloads = []packet.Payload{&packet.VendorID{}}
	if out, err := sender.Fragments(m, inner, 576, seeded(1)); err != nil || len(out) != 1 {
		t.Errorf("payloads in clear: %d, %v", len(out), err)
	}
}

// Fragments in any order, again, of another cut, and more than there can be (RFC 7383
// section 2.6; F8).
func TestReassembly(t *testing.T) {
	frag := func(number, total uint16) *packet.Encrypted {
		e := &packet.Encrypted{Number: number, Total: total, Offset: 36}
		if number == 1 {
			e.First = packet.TypeIDi
		}
		return e
	}
	b := seq(0, 60)
	var r Reassembly
	add := func(number, total uint16, plain string) (string, bool) {
		t.Helper()
		whole, done := r.Add(b, frag(number, total), []byte(plain))
		return string(whole), done
	}
	for _, c := range []struct {
		number, total uint16
		plain, whole  string
	}{
		{3, 3, "ghi", ""}, {1, 3, "abc", ""}, {1, 3, "no", ""}, {0, 3, "no", ""}, {4, 3, "no", ""}, {2, 2, "no", ""}, {2, 3, "", ""}, {2, 3, "def", "abcdefghi"},
		{2, 3, "no", ""},                                                                                 // it is there
		{1, 4, "ab", ""}, {4, 4, "gh", ""}, {3, 3, "no", ""}, {2, 4, "cd", ""}, {3, 4, "ef", "abcdefgh"}, // a new cut
	} {
		if whole, done := add(c.number, c.total, c.plain); whole != c.whole || done != (c.whole != "") {
			t.Fatalf("%+v: %q, %v", c, whole, done)
		}
	}
	if r.First != packet.TypeIDi || !bytes.Equal(r.Head, b[:36]) {
		t.Errorf("%v, %x", r.First, r.Head)
	}
	r = Reassembly{}
	chunk := string(make([]byte, 40000))
	add(1, 3, chunk)
	if add(2, 3, chunk); r.octets != 40000 || r.have != 1 {
		t.Errorf("%d octets kept in %d chunks", r.octets, r.have)
	}
	if _, done := add(2, 3, "x"); done || r.have != 2 {
		t.Error("a smaller one does not fit")
	}
}

// FuzzOpen: any octets in the place of an Encrypted payload.
func FuzzOpen(f *testing.F) {
	all := suites()
	names := []string{"AES-CBC-128 SHA256", "AES-GCM-256", "CHACHA20-POLY1305", "AES-CBC-256 SHA96"}
	for i, name := range names {
		sender, _ := all[name].pair(f)
		b, err := sender.Append(nil, message(), []packet.Payload{&packet.VendorID{Data: seq(1, 9)}}, seeded(1))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), 32, b)
	}
	f.Fuzz(func(t *testing.T, which byte, offset int, b []byte) {
		_, receiver := all[names[int(which)%len(names)]].pair(t)
		if plain, err := receiver.Open(b, offset); err != nil && (err != ErrAuthentication || plain != nil) {
			t.Fatal(err)
		}
	})
}

// FuzzReassembly: any fragments, one after the other; each is number, total and how many
// octets.
func FuzzReassembly(f *testing.F) {
	f.Add([]byte{1, 2, 3, 2, 2, 5})
	f.Add([]byte{3, 3, 1, 1, 3, 1, 2, 4, 1, 1, 4, 9})
	f.Fuzz(func(t *testing.T, script []byte) {
		var r Reassembly
		for ; len(script) >= 3; script = script[3:] {
			e := &packet.Encrypted{Number: uint16(script[0]), Total: uint16(script[1]), Offset: 36}
			whole, done := r.Add(make([]byte, 40), e, make([]byte, int(script[2])*300))
			if done && len(whole) != r.octets || r.octets > packet.MaxMessageSize || len(r.chunks) > 255 {
				t.Fatalf("%d octets of %d, %d chunks", len(whole), r.octets, len(r.chunks))
			}
		}
	})
}
