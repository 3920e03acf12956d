package suite

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// ErrUnsupported says that an algorithm, or a length of its key, is not one of ours, or
// that two do not go together.
var ErrUnsupported = errors.New("suite: unsupported algorithm")

const (
	saltLen     = 4  // octets of the salt of AEAD ciphers (RFC 4106 section 4, RFC 7634 section 2)
	aeadIVLen   = 8  // octets of their IV (RFC 5282 section 3, RFC 7634 section 2)
	aeadICVLen  = 16 // octets of their ICV
	chachaKey   = 32
	aesBlockLen = 16
)

// AEAD reports whether a cipher has integrity of its own, so that there is no transform
// for that (RFC 5282 section 8).
func AEAD(encryption uint16) bool {
	return encryption == packet.EncrAESGCM16 || encryption == packet.EncrChaCha20
}

// encryptionKeyLen returns the octets of key, and salt, that a cipher takes from the
// keying material, 0 if it is not supported.
func encryptionKeyLen(t packet.Transform) int {
	if len(t.Attributes) > 0 {
		return 0
	}
	switch {
	case t.ID == packet.EncrChaCha20 && t.KeyLength == 0: // it has one length, and no attribute for it
		return chachaKey + saltLen
	case t.KeyLength != 128 && t.KeyLength != 192 && t.KeyLength != 256:
		return 0
	case t.ID == packet.EncrAESCBC:
		return int(t.KeyLength / 8)
	case t.ID == packet.EncrAESGCM16:
		return int(t.KeyLength/8) + saltLen
	}
	return 0
}

// integrityHash returns the hash below an integrity algorithm and how many octets of
// the HMAC are sent, nil and 0 if it is none or not supported.
func integrityHash(id uint16) (h func() hash.Hash, icv int) {
	switch id {
	case packet.AuthHMACSHA1:
		return sha1.New, 12 // RFC 2404
	case packet.AuthHMACSHA256:
		return sha256.New, 16 // RFC 4868 section 2.3
	case packet.AuthHMACSHA384:
		return sha512.New384, 24
	case packet.AuthHMACSHA512:
		return sha512.New, 32
	}
	return nil, 0
}

// integrityKeyLen returns the octets of key of an integrity algorithm: those of the
// hash's output (RFC 4868 section 2.1.1).
func integrityKeyLen(id uint16) int {
	if h, _ := integrityHash(id); h != nil {
		return h().Size()
	}
	return 0
}

// checkPair reports whether cipher and integrity are ours and go together.
func checkPair(encryption packet.Transform, integrity uint16) error {
	h, _ := integrityHash(integrity)
	switch aead := AEAD(encryption.ID); {
	case encryptionKeyLen(encryption) == 0, !aead && h == nil, aead && integrity != packet.AuthNone:
		return ErrUnsupported
	}
	return nil
}

// Check returns ErrUnsupported if s has an algorithm that is not one of ours, or
// integrity beside an AEAD cipher or none beside another.
func (s IKE) Check() error {
	if !s.PRF.Supported() {
		return ErrUnsupported
	}
	return checkPair(s.Encryption, s.Integrity)
}

// Check is that of IKE.
func (s ESP) Check() error { return checkPair(s.Encryption, s.Integrity) }
