package suite

import (
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"io"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// kem are the lengths of a key encapsulation, in octets.
type kem struct{ key, ciphertext int }

// kemSizes returns the lengths of ML-KEM (FIPS 203 section 8), nil for other methods.
// ML-KEM-512 is not one of ours.
func kemSizes(g packet.Group) *kem {
	switch g {
	case packet.MLKEM768:
		return &kem{mlkem.EncapsulationKeySize768, mlkem.CiphertextSize768}
	case packet.MLKEM1024:
		return &kem{mlkem.EncapsulationKeySize1024, mlkem.CiphertextSize1024}
	}
	return nil
}

// encapsulationRandom is the length of m (FIPS 203 algorithm 20).
const encapsulationRandom = 32

// startKEM makes a decapsulation key. What the responder sends is checked for its
// length alone: of a wrong ciphertext a secret comes out that the peer does not have
// (FIPS 203 section 6.3).
func startKEM(g packet.Group, random io.Reader) (*Exchange, error) {
	seed := make([]byte, mlkem.SeedSize)
	defer Wipe(seed)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, err
	}
	var public []byte
	var decapsulate func([]byte) ([]byte, error)
	if g == packet.MLKEM768 {
		k, err := mlkem.NewDecapsulationKey768(seed)
		if err != nil {
			return nil, err
		}
		public, decapsulate = k.EncapsulationKey().Bytes(), k.Decapsulate
	} else {
		k, err := mlkem.NewDecapsulationKey1024(seed)
		if err != nil {
			return nil, err
		}
		public, decapsulate = k.EncapsulationKey().Bytes(), k.Decapsulate
	}
	return &Exchange{public: public, secret: func(ciphertext []byte) ([]byte, error) {
		s, err := decapsulate(ciphertext)
		if err != nil {
			return nil, ErrPublicValue
		}
		return s, nil
	}}, nil
}

// Repeatable is randomness of which the same is wanted in every run: that of simulations
// and tests. From any other reader ML-KEM's encapsulation takes none, but from the
// library's own source.
type Repeatable struct{ io.Reader }

// encapsulate makes a secret and its ciphertext for an encapsulation key, which is
// checked (FIPS 203 section 7.2). Only for Repeatable randomness it uses mlkemtest: see
// docs/decisions/ike-crypto.md.
func encapsulate(g packet.Group, key []byte, random io.Reader) (ciphertext, secret []byte, err error) {
	var m []byte // FIPS 203 algorithm 20
	if _, ok := random.(Repeatable); ok {
		m = make([]byte, encapsulationRandom)
		defer Wipe(m)
		if _, err := io.ReadFull(random, m); err != nil {
			return nil, nil, err
		}
	}
	if g == packet.MLKEM768 {
		k, err := mlkem.NewEncapsulationKey768(key)
		if err != nil {
			return nil, nil, ErrPublicValue
		}
		if m == nil {
			secret, ciphertext = k.Encapsulate()
			return ciphertext, secret, nil
		}
		secret, ciphertext, err = mlkemtest.Encapsulate768(k, m)
		return ciphertext, secret, err
	}
	k, err := mlkem.NewEncapsulationKey1024(key)
	if err != nil {
		return nil, nil, ErrPublicValue
	}
	if m == nil {
		secret, ciphertext = k.Encapsulate()
		return ciphertext, secret, nil
	}
	secret, ciphertext, err = mlkemtest.Encapsulate1024(k, m)
	return ciphertext, secret, err
}
