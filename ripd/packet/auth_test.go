package packet

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"slices"
	"strings"
	"testing"
)

// hmacByHand is RFC 4822 section 2.5 step by step, without package hmac: b is
// the block size, l the length of the hash, packet ends before the
// Authentication Data.
func hmacByHand(newHash func() hash.Hash, b, l int, key, packet []byte) []byte {
	sum := func(parts ...[]byte) []byte {
		h := newHash()
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	ko := make([]byte, b) // Ko is L octets; to the block it is filled with zeros
	if len(key) > l {
		key = sum(key)
	}
	copy(ko, key)
	ipad, opad := make([]byte, b), make([]byte, b)
	for i := range ko {
		ipad[i], opad[i] = ko[i]^0x36, ko[i]^0x5c
	}
	pad := bytes.Repeat([]byte{0x87, 0x8f, 0xe1, 0xf3}, l/4)
	return sum(opad, sum(ipad, packet, pad))
}

// expected is the Authentication Data of k over packet, from the RFC's text.
func expected(k Key, packet []byte) []byte {
	switch k.Algorithm {
	case KeyedMD5: // section 2.4: MD5 of packet and key
		key := make([]byte, 16)
		copy(key, k.Secret)
		d := md5.Sum(append(bytes.Clone(packet), key...))
		return d[:]
	case HMACSHA1:
		return hmacByHand(sha1.New, 64, 20, k.Secret, packet)
	case HMACSHA256:
		return hmacByHand(sha256.New, 64, 32, k.Secret, packet)
	case HMACSHA384:
		return hmacByHand(sha512.New384, 128, 48, k.Secret, packet)
	}
	return hmacByHand(sha512.New, 128, 64, k.Secret, packet)
}

var cryptographic = []Algorithm{KeyedMD5, HMACSHA1, HMACSHA256, HMACSHA384, HMACSHA512}

// RFC 4822 sections 2.4 and 2.5: the digest, for keys around the lengths of
// hash and block where their preparation changes.
func TestDigests(t *testing.T) {
	m := Message{Command: Response, Version: 2, Entries: table}
	for _, a := range cryptographic {
		for _, n := range []int{1, 15, 16, 17, 19, 20, 21, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 300} {
			k := Key{ID: 9, Algorithm: a, Secret: []byte(strings.Repeat("0123456789abcdefg", 20)[:n])}
			b, err := m.Append(nil, &k, 77)
			if err != nil {
				t.Fatal(err)
			}
			at := len(b) - a.DigestLen()
			if want := expected(k, b[:at]); !bytes.Equal(b[at:], want) {
				t.Errorf("%v, key of %d octets: %x, want %x", a, n, b[at:], want)
			}
			if got, err := Parse(b); err != nil || !got.Verify(b, k) {
				t.Errorf("%v, key of %d octets: not verified: %v", a, n, err)
			}
		}
	}
}

// RFC 4822 sections 2.3.2 and 4: every octet is protected. Keyed-MD5 and HMAC
// cover the header, all entries, the authentication entry and the trailer.
func TestEveryOctetIsProtected(t *testing.T) {
	m := Message{Command: Response, Version: 2, Entries: table}
	for _, a := range cryptographic {
		k := Key{ID: 9, Algorithm: a, Secret: secret("rip secret")}
		b, err := m.Append(nil, &k, 77)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			c := bytes.Clone(b)
			c[i] ^= 1
			if got, err := Parse(c); err == nil && got.Verify(c, k) {
				t.Errorf("%v: octet %d changed and verified", a, i)
			}
		}
	}
}

// A key proves nothing unless type, ID, algorithm and secret are right.
func TestVerifyRefuses(t *testing.T) {
	m := Message{Command: Response, Version: 2, Entries: table}
	password := Key{Algorithm: SimplePassword, Secret: secret("rip secret")}
	sha := Key{ID: 9, Algorithm: HMACSHA1, Secret: secret("rip secret")}
	tests := []struct {
		name string
		send *Key
		key  Key
		want bool
	}{
		{"right key", &sha, sha, true},
		{"right password", &password, password, true},
		{"the ID is not of a password", &password, Key{ID: 3, Algorithm: SimplePassword, Secret: secret("rip secret")}, true},
		{"nothing sent, password", nil, password, false},
		{"nothing sent, key", nil, sha, false},
		{"nothing sent, nothing wanted", nil, Key{}, false},
		{"wrong ID", &sha, Key{ID: 8, Algorithm: HMACSHA1, Secret: sha.Secret}, false},
		{"wrong secret", &sha, Key{ID: 9, Algorithm: HMACSHA1, Secret: secret("rip sekret")}, false},
		{"no secret", &sha, Key{ID: 9, Algorithm: HMACSHA1}, false},
		{"other algorithm", &sha, Key{ID: 9, Algorithm: HMACSHA256, Secret: sha.Secret}, false},
		{"unknown algorithm", &sha, Key{ID: 9, Algorithm: 99, Secret: sha.Secret}, false},
		{"cryptographic sent, password wanted", &sha, password, false},
		{"password sent, key wanted", &password, sha, false},
		{"wrong password", &password, Key{Algorithm: SimplePassword, Secret: secret("rip sekret")}, false},
		{"a part of the password", &password, Key{Algorithm: SimplePassword, Secret: secret("rip")}, false},
		{"no password", &password, Key{Algorithm: SimplePassword}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := m.Append(nil, tt.send, 1)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if v := got.Verify(b, tt.key); v != tt.want {
				t.Errorf("Verify = %v", v)
			}
			// Octets that are not those of the message prove nothing either.
			for _, other := range [][]byte{nil, b[:10], b[:len(b)-1], append(slices.Clone(b), 0)} {
				if got.Auth.Type == AuthCryptographic && got.Verify(other, tt.key) {
					t.Errorf("verified with %d other octets", len(other))
				}
				if len(other) < 24 && got.Verify(other, tt.key) {
					t.Errorf("verified with %d octets", len(other))
				}
			}
		})
	}
}

// A key is never printed.
func TestKeyHidesSecret(t *testing.T) {
	k := Key{ID: 5, Algorithm: HMACSHA256, Secret: secret("rip secret")}
	for _, s := range []string{fmt.Sprint(k), fmt.Sprint(&k), fmt.Sprintf("%+v %#v", k, k), fmt.Sprintf("%x", k), fmt.Sprint([]Key{k})} {
		if strings.Contains(s, "rip") || strings.Contains(s, "114 105 112") || strings.Contains(s, "726970") {
			t.Errorf("secret in %q", s)
		}
	}
	if k.String() != "key 5 (HMAC-SHA-256)" {
		t.Errorf("String() = %q", k)
	}
	b, err := (&Message{Command: Response, Version: 2}).Append(nil, &Key{Algorithm: SimplePassword, Secret: secret("rip secret")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(b)
	if s := fmt.Sprintf("%v %+v %x", m, m, m); err != nil || strings.Contains(s, "rip secret") || strings.Contains(s, "726970") {
		t.Errorf("password in %q: %v", s, err)
	}
}
