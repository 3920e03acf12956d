package suite

import (
	"encoding/binary"
	"fmt"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// IKE is what the ends of an IKE SA agreed on.
type IKE struct {
	Encryption packet.Transform // ID and KeyLength count
	Integrity  uint16           // AuthNone with an AEAD cipher
	PRF        PRF
}

// ESP is what the ends of a child SA agreed on.
type ESP struct {
	Encryption packet.Transform
	Integrity  uint16
}

// Keys are the keys of an IKE SA (RFC 7296 section 2.14). They print as nothing that
// would give them away.
type Keys struct {
	D      []byte // SK_d: makes the keys of child SAs and of the next IKE SA
	Ai, Ar []byte // SK_ai and SK_ar: integrity of what initiator and responder send
	Ei, Er []byte // SK_ei and SK_er: encryption, with the salt of AEAD ciphers behind the key
	Pi, Pr []byte // SK_pi and SK_pr: for the AUTH payloads
}

// ChildKeys are the keys of a child SA (RFC 7296 section 2.17). What the initiator of
// the exchange sends is protected by Ei and Ai.
type ChildKeys struct {
	Ei, Ai []byte // Ei has the salt of AEAD ciphers behind the key
	Er, Ar []byte
}

const (
	keysText      = "keys of an IKE SA"
	childKeysText = "keys of a child SA"
)

// Format writes no key.
func (k Keys) Format(s fmt.State, _ rune) { fmt.Fprint(s, keysText) }

// Format writes no key.
func (k ChildKeys) Format(s fmt.State, _ rune) { fmt.Fprint(s, childKeysText) }

// MarshalText writes no key: that is what JSON and loggers use.
func (k Keys) MarshalText() ([]byte, error) { return []byte(keysText), nil }

// MarshalText writes no key.
func (k ChildKeys) MarshalText() ([]byte, error) { return []byte(childKeysText), nil }

// Wipe overwrites the keys.
func (k *Keys) Wipe() { Wipe(k.D, k.Ai, k.Ar, k.Ei, k.Er, k.Pi, k.Pr) }

// Wipe overwrites the keys.
func (k *ChildKeys) Wipe() { Wipe(k.Ei, k.Ai, k.Er, k.Ar) }

// Wipe overwrites secrets. The garbage collector may have left copies.
func Wipe(secrets ...[]byte) {
	for _, s := range secrets {
		clear(s)
	}
}

// Nonces are those of the exchange from which keys are made, and the SPIs of the IKE SA
// that they are for.
type Nonces struct {
	Ni, Nr     []byte
	SPIi, SPIr packet.SPI // not used for child SAs
}

// Derive makes the keys of the first IKE SA with a peer from the secret of the key
// exchange, g^ir (RFC 7296 section 2.14):
//
//	SKEYSEED = prf(Ni | Nr, g^ir)
//	{SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr}
//	         = prf+ (SKEYSEED, Ni | Nr | SPIi | SPIr)
//
// Check must have accepted s.
func (s IKE) Derive(secret []byte, n Nonces) *Keys {
	seed := s.PRF.Sum(append(append([]byte(nil), n.Ni...), n.Nr...), secret)
	return s.expand(seed, n)
}

// Again makes all keys anew after an additional key exchange (RFC 9370 section 2.2.2);
// k are the keys before, and n is what they were made from:
//
//	SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr)
//	{SK_*(n)}   = prf+ (SKEYSEED(n), Ni | Nr | SPIi | SPIr)
func (s IKE) Again(k *Keys, secret []byte, n Nonces) *Keys {
	return s.expand(s.PRF.Sum(k.D, secret, n.Ni, n.Nr), n)
}

// Rekey makes the keys of an IKE SA that replaces another, of which old is the PRF and d
// the SK_d (RFC 7296 section 2.18). secrets are those of the key exchange and of the
// additional ones (RFC 9370 section 2.2.4):
//
//	SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr [| SK(1) | ... SK(n)])
func (s IKE) Rekey(old PRF, d []byte, n Nonces, secret []byte, more ...[]byte) *Keys {
	return s.expand(old.Sum(d, append([][]byte{secret, n.Ni, n.Nr}, more...)...), n)
}

// expand makes the seven keys out of SKEYSEED, which it overwrites.
func (s IKE) expand(skeyseed []byte, n Nonces) *Keys {
	p, e, a := s.PRF.KeyLen(), encryptionKeyLen(s.Encryption), integrityKeyLen(s.Integrity)
	var spis [16]byte
	binary.BigEndian.PutUint64(spis[:], uint64(n.SPIi))
	binary.BigEndian.PutUint64(spis[8:], uint64(n.SPIr))
	b := s.PRF.Plus(skeyseed, 3*p+2*e+2*a, n.Ni, n.Nr, spis[:])
	Wipe(skeyseed)
	k := &Keys{}
	for _, part := range []struct {
		key *[]byte
		n   int
	}{{&k.D, p}, {&k.Ai, a}, {&k.Ar, a}, {&k.Ei, e}, {&k.Er, e}, {&k.Pi, p}, {&k.Pr, p}} {
		*part.key, b = cut(b, part.n)
	}
	return k
}

// cut returns the first n octets of b, and the rest.
func cut(b []byte, n int) (first, rest []byte) { return b[:n:n], b[n:] }

// Derive makes the keys of a child SA (RFC 7296 section 2.17); prf and d are the PRF and
// the SK_d of its IKE SA. secret is that of a new key exchange, nil if there was none,
// and more are those of additional ones (RFC 9370 section 2.2.4):
//
//	KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr [| SK(1) | ... SK(n)])
//
// Keys for what the initiator sends come first, and of each direction that of the
// encryption before that of the integrity. Check must have accepted s.
func (s ESP) Derive(prf PRF, d []byte, n Nonces, secret []byte, more ...[]byte) *ChildKeys {
	e, a := encryptionKeyLen(s.Encryption), integrityKeyLen(s.Integrity)
	b := prf.Plus(d, 2*e+2*a, append([][]byte{secret, n.Ni, n.Nr}, more...)...)
	k := &ChildKeys{}
	k.Ei, b = cut(b, e)
	k.Ai, b = cut(b, a)
	k.Er, b = cut(b, e)
	k.Ar, _ = cut(b, a)
	return k
}
