package packet

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash"
)

// AuthType is the Authentication Type of a message.
type AuthType uint16

// Authentication types: RFC 2453 section 4.1, RFC 4822 section 2.1.
const (
	AuthNone          AuthType = 0
	AuthPassword      AuthType = 2
	AuthCryptographic AuthType = 3
)

// Auth is what Decode finds of a message's authentication. It holds no secret
// and proves nothing before Verify said so.
//
// The entry and trailer of cryptographic authentication (RFC 4822 section 2.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+---------------+---------------+-------------------------------+
//	|             0xFFFF            |  Authentication Type=0x0003   |
//	+---------------+---------------+---------------+---------------+
//	|     RIPv2 Packet Length       |   Key ID      | Auth Data Len |
//	+---------------+---------------+---------------+---------------+
//	|               Sequence Number (non-decreasing)                |
//	+---------------+---------------+---------------+---------------+
//	|                     reserved must be zero (8)                 |
//	+---------------+---------------+---------------+---------------+
//	~                            entries                            ~
//	+---------------+---------------+---------------+---------------+
//	|             0xFFFF            |            0x0001             |
//	+---------------+---------------+---------------+---------------+
//	~                 Authentication Data (variable)                ~
//	+---------------+---------------+---------------+---------------+
//
// In the entry of a simple password 16 octets of password follow the type.
type Auth struct {
	Type AuthType
	// KeyID selects the key together with the interface. Only of cryptographic
	// authentication, like all that follows.
	KeyID uint8
	// Sequence may not decrease from one message of a sender to the next with
	// the same KeyID (RFC 4822 section 2.3.2).
	Sequence uint32
	// DigestLen is the length of the Authentication Data in octets, without
	// the four octets before it.
	DigestLen uint8
	// Offset of the Authentication Data, in octets from the start.
	Offset uint16
}

// Algorithm is how a Key authenticates messages. It is never on the wire, but
// for the length of its result.
type Algorithm uint8

// Algorithms: RFC 2453 section 4.1, then RFC 4822 section 2.2.
const (
	NoAlgorithm    Algorithm = iota // no authentication
	SimplePassword                  // the secret, in clear
	KeyedMD5
	HMACSHA1
	HMACSHA256
	HMACSHA384
	HMACSHA512
)

// DigestLen returns the number of octets of Authentication Data, 0 if the
// algorithm is not cryptographic.
func (a Algorithm) DigestLen() int {
	switch a {
	case KeyedMD5:
		return md5.Size
	case HMACSHA1:
		return sha1.Size
	case HMACSHA256:
		return sha256.Size
	case HMACSHA384:
		return sha512.Size384
	case HMACSHA512:
		return sha512.Size
	}
	return 0
}

// hash returns the hash function of a cryptographic algorithm.
func (a Algorithm) hash() func() hash.Hash {
	switch a {
	case KeyedMD5:
		return md5.New
	case HMACSHA1:
		return sha1.New
	case HMACSHA256:
		return sha256.New
	case HMACSHA384:
		return sha512.New384
	}
	return sha512.New
}

const (
	passwordLen      = 16 // of a simple password and of a Keyed-MD5 key
	trailerHeaderLen = 4  // 0xFFFF, 0x0001
	maxDigestLen     = sha512.Size
)

// MaxEntriesWith returns how many routes to put into one message authenticated
// by a, so that its datagram has no more than MaxLen octets: 25 without
// authentication, 24 with a simple password, 23 with Keyed-MD5 and HMAC-SHA-1,
// fewer with longer digests. RFC 2453 section 4.1 alone would allow 24 and a
// trailer beyond MaxLen; routers with a buffer of MaxLen octets drop that.
func MaxEntriesWith(a Algorithm) int {
	switch {
	case a == NoAlgorithm:
		return MaxEntries
	case a == SimplePassword:
		return MaxEntries - 1
	}
	return (MaxLen - HeaderLen - EntryLen - trailerHeaderLen - a.DigestLen()) / EntryLen
}

// Key is what sender and receiver share: the part of a RIPv2 Security
// Association (RFC 4822 section 2.2) that concerns a single message.
type Key struct {
	// ID is on the wire with cryptographic algorithms.
	ID        uint8
	Algorithm Algorithm
	// Secret is the password or key. It must not be empty. Of a simple password
	// and a Keyed-MD5 key the first 16 octets count.
	Secret []byte
}

// String names the key without its secret.
func (k Key) String() string { return fmt.Sprintf("key %d (%v)", k.ID, k.Algorithm) }

// GoString is String: no verb of package fmt prints the secret.
func (k Key) GoString() string { return k.String() }

// usable reports whether k can authenticate anything.
func (k *Key) usable() bool {
	return len(k.Secret) > 0 && k.Algorithm > NoAlgorithm && k.Algorithm <= HMACSHA512
}

// padded returns the secret left-justified in 16 octets.
func (k *Key) padded() (p [passwordLen]byte) {
	copy(p[:], k.Secret)
	return p
}

// Verify reports whether key proves b authentic, of which Decode made m. It
// takes time that does not depend on where a digest or password is wrong. A key
// of another type, of another ID, or without a secret proves nothing.
//
// The caller selects the key by m.Auth.KeyID, never by trying all (RFC 4822
// section 3.2), and checks m.Auth.Sequence afterwards.
func (m *Message) Verify(b []byte, key Key) bool { return m.Auth.verify(b, &key) }

func (a *Auth) verify(b []byte, key *Key) bool {
	if !key.usable() {
		return false
	}
	switch a.Type {
	case AuthPassword:
		const at = HeaderLen + 4
		if key.Algorithm != SimplePassword || len(b) < at+passwordLen {
			return false
		}
		want := key.padded()
		return subtle.ConstantTimeCompare(b[at:at+passwordLen], want[:]) == 1
	case AuthCryptographic:
		n, at := int(a.DigestLen), int(a.Offset)
		if n == 0 || n != key.Algorithm.DigestLen() || a.KeyID != key.ID || at+n != len(b) {
			return false
		}
		var want [maxDigestLen]byte
		return hmac.Equal(b[at:], key.digest(want[:0], b[:at]))
	}
	return false
}

// apad is what stands in the place of the Authentication Data while it is
// computed (RFC 4822 section 2.5).
var apad = [4]byte{0x87, 0x8f, 0xe1, 0xf3}

// digest appends to dst the Authentication Data of the message b, which ends
// with the header of the trailer.
func (k *Key) digest(dst, b []byte) []byte {
	if k.Algorithm == KeyedMD5 { // section 2.4: the key takes the digest's place
		h := md5.New()
		h.Write(b)
		key := k.padded()
		h.Write(key[:])
		return h.Sum(dst)
	}
	newHash := k.Algorithm.hash()
	ko := k.Secret
	if len(ko) > k.Algorithm.DigestLen() { // section 2.5 (1): longer than L, not than the block
		h := newHash()
		h.Write(ko)
		ko = h.Sum(nil)
	}
	h := hmac.New(newHash, ko) // pads ko with zeros
	h.Write(b)
	for range k.Algorithm.DigestLen() / len(apad) {
		h.Write(apad[:])
	}
	return h.Sum(dst)
}
