package suite

import (
	"crypto/ecdh"
	"errors"
	"io"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// ErrPublicValue says that a peer's public value is none of its group's, or one that
// would give the secret away.
var ErrPublicValue = errors.New("suite: invalid public value")

// errRandom says that the source of randomness gives no private key: it is broken.
var errRandom = errors.New("suite: no private key from randomness")

// Exchange is the initiator's half of a key exchange: a private key that is used once.
type Exchange struct {
	public []byte
	secret func(peer []byte) ([]byte, error)
}

// Public returns the Key Exchange Data to send: of MODP groups a number as long as the
// modulus, of ECP groups x and y (RFC 5903 section 7), of Curve25519 the u-coordinate
// (RFC 8031 section 3.1), of ML-KEM the encapsulation key.
func (x *Exchange) Public() []byte { return x.public }

// Secret returns what both ends then share, from the Key Exchange Data of the
// responder: of MODP groups as long as the modulus (RFC 7296 section 2.14), of ECP
// groups the x-coordinate alone (RFC 5903 section 9). The error is ErrPublicValue.
func (x *Exchange) Secret(peer []byte) ([]byte, error) { return x.secret(peer) }

// Supported reports whether a key exchange method is one of ours.
func Supported(g packet.Group) bool {
	return modpGroups[g] != nil || curve(g) != nil || kemSizes(g) != nil
}

// KEM reports whether a method is a key encapsulation, which is an additional key
// exchange only: its public values do not fit IKE_SA_INIT.
func KEM(g packet.Group) bool { return kemSizes(g) != nil }

// Start makes a private key for a group from random. The error is ErrUnsupported, or
// that of random.
func Start(g packet.Group, random io.Reader) (*Exchange, error) {
	if m := modpGroups[g]; m != nil {
		return m.start(random)
	}
	if c := curve(g); c != nil {
		return startECDH(g, c, random)
	}
	if kemSizes(g) != nil {
		return startKEM(g, random)
	}
	return nil, ErrUnsupported
}

// Respond is the responder's half: from the initiator's Key Exchange Data it makes its
// own, and the secret. What is no public value costs next to nothing.
func Respond(g packet.Group, peer []byte, random io.Reader) (public, secret []byte, err error) {
	if kemSizes(g) != nil {
		return encapsulate(g, peer, random)
	}
	if !plausible(g, peer) {
		return nil, nil, ErrPublicValue
	}
	x, err := Start(g, random)
	if err != nil {
		return nil, nil, err
	}
	if secret, err = x.Secret(peer); err != nil {
		return nil, nil, err
	}
	return x.public, secret, nil
}

// plausible reports whether a public value can be one, before a private key is made for
// it: anybody may have sent it. Of groups that are not ours it says nothing.
func plausible(g packet.Group, peer []byte) bool {
	if m := modpGroups[g]; m != nil {
		_, err := m.value(peer)
		return err == nil
	}
	if c := curve(g); c != nil {
		_, err := point(g, c, peer)
		return err == nil
	}
	return true
}

// point reads a public value, which has to be on the curve.
func point(g packet.Group, c ecdh.Curve, peer []byte) (*ecdh.PublicKey, error) {
	if g != packet.Curve25519 {
		peer = append([]byte{uncompressed}, peer...)
	}
	return c.NewPublicKey(peer)
}

// curve returns the curve of a group, nil if it has none of ours.
func curve(g packet.Group) ecdh.Curve {
	switch g {
	case packet.ECP256:
		return ecdh.P256()
	case packet.ECP384:
		return ecdh.P384()
	case packet.ECP521:
		return ecdh.P521()
	case packet.Curve25519:
		return ecdh.X25519()
	}
	return nil
}

// coordinateLen returns the octets of a coordinate, which is also that of a private
// key.
func coordinateLen(g packet.Group) int {
	switch g {
	case packet.ECP384:
		return 48
	case packet.ECP521:
		return 66
	}
	return 32
}

const (
	uncompressed = 4    // the first octet of x and y (SEC 1 section 2.3.3), which IKE leaves out
	topBits521   = 0x01 // what a number of 521 bits has in the first of its 66 octets
	attempts     = 16   // to draw a number below the order: each fails with 2^-32 or less
)

// startECDH draws the private key itself: crypto/ecdh would take no notice of random.
func startECDH(g packet.Group, c ecdh.Curve, random io.Reader) (*Exchange, error) {
	b := make([]byte, coordinateLen(g))
	defer Wipe(b)
	for range attempts {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, err
		}
		if g == packet.ECP521 {
			b[0] &= topBits521
		}
		key, err := c.NewPrivateKey(b)
		if err != nil {
			continue
		}
		return ecdhExchange(g, c, key), nil
	}
	return nil, errRandom
}

func ecdhExchange(g packet.Group, c ecdh.Curve, key *ecdh.PrivateKey) *Exchange {
	public := key.PublicKey().Bytes()
	if g != packet.Curve25519 {
		public = public[1:]
	}
	return &Exchange{public: public, secret: func(peer []byte) ([]byte, error) {
		pub, err := point(g, c, peer)
		if err != nil {
			return nil, ErrPublicValue
		}
		s, err := key.ECDH(pub) // refuses a Curve25519 secret of zeros (RFC 8031 section 3.2)
		if err != nil {
			return nil, ErrPublicValue
		}
		return s, nil
	}}
}
