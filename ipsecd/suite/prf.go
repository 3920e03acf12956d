package suite

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// PRF is a pseudo-random function by its transform ID (RFC 7296 section 2.13): HMAC
// with SHA-1, SHA-256, SHA-384 or SHA-512 (RFC 2104, RFC 4868). The zero PRF is none.
type PRF uint16

// hash returns the hash below, nil if the PRF is not supported.
func (p PRF) hash() func() hash.Hash {
	switch uint16(p) {
	case packet.PRFHMACSHA1:
		return sha1.New
	case packet.PRFHMACSHA2256:
		return sha256.New
	case packet.PRFHMACSHA2384:
		return sha512.New384
	case packet.PRFHMACSHA2512:
		return sha512.New
	}
	return nil
}

// Supported reports whether the function is one of ours. The others of its methods need
// that.
func (p PRF) Supported() bool { return p.hash() != nil }

// KeyLen returns the preferred length of a key in octets, which is that of the output
// (RFC 7296 section 2.13, RFC 4868 section 2.1.2).
func (p PRF) KeyLen() int { return p.hash()().Size() }

// Sum returns prf(key, data), where data is what is given, one after the other.
func (p PRF) Sum(key []byte, data ...[]byte) []byte {
	m := hmac.New(p.hash(), key)
	for _, d := range data {
		m.Write(d)
	}
	return m.Sum(nil)
}

// maxBlocks is how often prf+ may feed on itself (RFC 7296 section 2.13).
const maxBlocks = 255

// Plus returns the first n octets of prf+(key, seed), where seed is what is given, one
// after the other (RFC 7296 section 2.13):
//
//	prf+ (K,S) = T1 | T2 | T3 | T4 | ...
//	T1 = prf (K, S | 0x01)
//	T2 = prf (K, T1 | S | 0x02)
//
// It is nil if n is more than prf+ has.
func (p PRF) Plus(key []byte, n int, seed ...[]byte) []byte {
	m := hmac.New(p.hash(), key)
	if n > maxBlocks*m.Size() {
		return nil
	}
	var out, t []byte
	for i := byte(1); len(out) < n; i++ {
		m.Reset()
		m.Write(t)
		for _, s := range seed {
			m.Write(s)
		}
		m.Write([]byte{i})
		out = m.Sum(out)
		t = out[len(out)-m.Size():]
	}
	return out[:n:n]
}
