package packet

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// digests were worked out by another program from the text of RFC 2328 section D.4.3, RFC
// 5709 section 3.3 and RFC 7474 section 5, for the golden Hello without neighbours: with the
// secret, with a secret of nine octets more than the digest, and Extended.
var digests = []struct {
	algorithm               Algorithm
	plain, longer, extended string
}{
	{KeyedMD5, "fc0c59e82227e63ad08036ab6ed3df14", "", ""},
	{HMACSHA1, "4fb31974bc8acf03f3b60f486641cd6b67be5661", "e2c40b42ffbe18c5bef230178d9b28ed213ff766",
		"96a98079e5bff32e341ced18834dd0ef209584b1"},
	{HMACSHA256, "24671844b757b06e7636e46bed705dab1cb1549c660e91803dcd43609aa4059c",
		"595e4efd5676b7d5ab4b1646974ad0820c5523dc05e70aaa0672d707a7f21f1f",
		"b912ce8d126e9c91759c8c7186bd3cf91a7d54adb7c8ba77128a680abd43b4cd"},
	{HMACSHA384, "e9742479a8b206e3f4d6ab3ea469519395e1c0fa1be14298436a67cbe00dd2aaa1982d4af4d850c2c73cd40fd39f2734",
		"16bedb9374eb9f9c4f241d173890edf6e830048593713557fc9990931a0a0b51888b0b1464e3e97a3eb29af28aed6cf5",
		"d2b4a80bda469e3582664cccb214da121fdb34d681782de71f8a7fffa8c065ad1eb34a63c10a1c6c9434ca78e7f59466"},
	{HMACSHA512, "984217b357aa225bcc46dd7f0dd3c7cf9ffc79da545757136bd299187e2df2f5d878ef7f85da6a7aab1fd2543ecc009df805b310550a734e5ba46b2cbad647c1",
		"649517d0b96d7ede6c56d2b520a1282afbe08a688737a96aa36a4df547decfa0e2e41271852f8bb64b37f45a7339ed50539c46284c5a343b6452c54a256d9e62",
		"33a1a3386753655ae144c3987760d452b08c245ec0c31cabd5e400a9ecdafdda3c1cb54b8aafe4c4e748a1a2fe6df0fa4131da2181029f27c9b86065fdbb9741"},
}

func TestDigests(t *testing.T) {
	source, hello := ip("192.0.2.1"), goldens()[0].msg
	check := func(key Key, sequence uint64, want string) {
		t.Helper()
		b, err := hello.Append(nil, &key, sequence, source)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b[len(b)-key.Algorithm.DigestLen():]); got != want {
			t.Errorf("algorithm %d: digest %s, want %s", key.Algorithm, got, want)
		}
		if len(b) != HeaderLen+helloLen+key.TrailerLen() {
			t.Errorf("algorithm %d: %d octets", key.Algorithm, len(b))
		}
		m, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Verify(b, key, source) || m.Auth.Sequence != sequence || m.Auth.KeyID != key.ID {
			t.Errorf("algorithm %d: not verified: %v", key.Algorithm, m.Auth)
		}
		refused(t, m, b, key, source)
	}
	for _, d := range digests {
		check(Key{ID: 7, Algorithm: d.algorithm, Secret: []byte("secret")}, 5, d.plain)
		if d.longer != "" {
			long := []byte(strings.Repeat("k", d.algorithm.DigestLen()+9))
			check(Key{ID: 7, Algorithm: d.algorithm, Secret: long}, 5, d.longer)
			check(Key{ID: 70000, Algorithm: d.algorithm, Secret: []byte("secret"), Extended: true}, 2<<32|9, d.extended)
		}
	}
}

// refused changes each octet, and the key, and wants nothing of it verified.
func refused(t *testing.T, m *Message, b []byte, key Key, source netip.Addr) {
	t.Helper()
	for i := range b {
		c := append([]byte(nil), b...)
		c[i] ^= 1
		if m, err := Parse(c); err == nil && m.Verify(c, key, source) {
			t.Errorf("algorithm %d: verified with octet %d changed", key.Algorithm, i)
		}
	}
	other := []func(*Key){
		func(k *Key) { k.ID++ }, func(k *Key) { k.Secret = []byte("other") }, func(k *Key) { k.Secret = nil },
		func(k *Key) { k.Algorithm = SimplePassword }, func(k *Key) { k.Extended = !k.Extended },
	}
	for i, change := range other {
		k := key
		change(&k)
		if m.Verify(b, k, source) {
			t.Errorf("algorithm %d: verified with the wrong key %d", key.Algorithm, i)
		}
	}
	if key.Extended && m.Verify(b, key, ip("192.0.2.2")) {
		t.Errorf("algorithm %d: verified from another source (RFC 7474 section 5)", key.Algorithm)
	}
}

// TestExtendedLength: also a length that does not count the sequence number is read.
func TestExtendedLength(t *testing.T) {
	source, key := ip("192.0.2.1"), Key{ID: 1, Algorithm: HMACSHA256, Secret: []byte("secret"), Extended: true}
	b, err := goldens()[0].msg.Append(nil, &key, 1, source)
	if err != nil {
		t.Fatal(err)
	}
	b[authFieldAt+3] -= extendedSequenceLen
	m, err := Parse(b)
	if err != nil || m.Auth.DigestLen != 32 {
		t.Errorf("%v, %+v", err, m)
	}
}

func TestPassword(t *testing.T) {
	all := goldens()
	b := octets(t, all[3].hex)
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if !m.Verify(b, *all[3].key(), netip.Addr{}) || m.Verify(b, Key{Algorithm: SimplePassword, Secret: []byte("secrets")}, netip.Addr{}) {
		t.Error("the password is not told from another")
	}
	if plain, _ := Parse(octets(t, all[0].hex)); plain.Verify(nil, *all[3].key(), netip.Addr{}) {
		t.Error("a packet without authentication is verified")
	}
	if s := fmt.Sprintf("%v %+v %x %#v %s", m.Auth, m.Auth, m.Auth, all[3].key(), *all[3].key()); strings.Contains(s, "secret") || strings.Contains(s, "736563") {
		t.Errorf("the password is printed: %s", s)
	}
}
