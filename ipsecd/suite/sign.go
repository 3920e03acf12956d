package suite

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// ErrSignature says that a signature is wrong, or not made as is allowed.
var ErrSignature = errors.New("suite: wrong signature")

// Bounds of RSA keys: of the modulus in bits (RFC 8247 section 3.2.1; the longest is a
// bound of ours, of what a stranger can have computed), and the smallest public exponent
// (FIPS 186-5 appendix A.1.1).
const (
	MinRSA      = 2048
	MaxRSA      = 8192
	minExponent = 1<<16 + 1
)

// kind is the kind of a key.
type kind uint8

const (
	kindRSA kind = iota + 1
	kindPSS      // RSA with padding of PSS
	kindECDSA
	kindEd25519
)

// Scheme is a way to sign: an AlgorithmIdentifier, which stands before the signature
// (RFC 7427 section 3 and appendix A), or a method of its own that needs none.
type Scheme struct {
	Name      string
	Method    packet.AuthMethod
	Algorithm []byte // as DER; of packet.AuthSignature
	Hash      packet.HashAlgorithm
	kind      kind
}

func scheme(name string, k kind, h packet.HashAlgorithm, algorithm string) *Scheme {
	b, err := hex.DecodeString(algorithm)
	if err != nil {
		panic(err)
	}
	return &Scheme{name, packet.AuthSignature, b, h, k}
}

// schemes are ours, the best of a kind first. They are compared octet by octet: there
// is no parser of ASN.1 that a peer could reach.
var schemes = []*Scheme{
	// RSASSA-PSS: hash, mask generation by the same hash, a salt as long as that (RFC
	// 7427 appendix A.4.3, RFC 8247 section 3.2).
	scheme("RSASSA-PSS with SHA-256", kindPSS, packet.HashSHA2256, pss("01", "20")),
	scheme("RSASSA-PSS with SHA-384", kindPSS, packet.HashSHA2384, pss("02", "30")),
	scheme("RSASSA-PSS with SHA-512", kindPSS, packet.HashSHA2512, pss("03", "40")),
	// RSASSA-PKCS1-v1_5 (appendix A.1)
	scheme("RSA with SHA-256", kindRSA, packet.HashSHA2256, "300d06092a864886f70d01010b0500"),
	scheme("RSA with SHA-384", kindRSA, packet.HashSHA2384, "300d06092a864886f70d01010c0500"),
	scheme("RSA with SHA-512", kindRSA, packet.HashSHA2512, "300d06092a864886f70d01010d0500"),
	// appendix A.3
	scheme("ECDSA with SHA-256", kindECDSA, packet.HashSHA2256, "300a06082a8648ce3d040302"),
	scheme("ECDSA with SHA-384", kindECDSA, packet.HashSHA2384, "300a06082a8648ce3d040303"),
	scheme("ECDSA with SHA-512", kindECDSA, packet.HashSHA2512, "300a06082a8648ce3d040304"),
	// RFC 8420 appendix A
	scheme("Ed25519", kindEd25519, packet.HashIdentity, "300506032b6570"),
}

// fixed are the methods without an AlgorithmIdentifier, for peers that do not announce
// RFC 7427: ECDSA with a curve and a hash that belong together (RFC 4754 section 7), and
// RSASSA-PKCS1-v1_5, whose hash RFC 7296 section 3.8 leaves open; it is not SHA-1 here.
var fixed = []*Scheme{
	{"ECDSA-256", packet.AuthECDSA256, nil, packet.HashSHA2256, kindECDSA},
	{"ECDSA-384", packet.AuthECDSA384, nil, packet.HashSHA2384, kindECDSA},
	{"ECDSA-521", packet.AuthECDSA512, nil, packet.HashSHA2512, kindECDSA},
	{"RSA with SHA-256", packet.AuthRSA, nil, packet.HashSHA2256, kindRSA},
}

// pss returns the AlgorithmIdentifier of RSASSA-PSS with the hash
// 2.16.840.1.101.3.4.2.oid and a salt of so many octets, all as hexadecimal.
func pss(oid, salt string) string {
	hash := "300d0609608648016503040" + "2" + oid + "0500"
	return "304606092a864886f70d01010a3039" + "a00f" + hash + "a11c301a06092a864886f70d010108" + hash + "a20302" + "01" + salt + "a303020101"
}

var hashes = map[packet.HashAlgorithm]crypto.Hash{
	packet.HashSHA2256: crypto.SHA256, packet.HashSHA2384: crypto.SHA384, packet.HashSHA2512: crypto.SHA512,
}

// Hashes are the hash algorithms to announce by SIGNATURE_HASH_ALGORITHMS (RFC 7427
// section 4). SHA-1 is not among them.
func Hashes() []packet.HashAlgorithm {
	return []packet.HashAlgorithm{packet.HashSHA2256, packet.HashSHA2384, packet.HashSHA2512, packet.HashIdentity}
}

// usable returns the kinds of scheme that a public key can have, none if it is too weak
// or of another sort.
func usable(pub crypto.PublicKey) []kind {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= MinRSA && n <= MaxRSA && k.E >= minExponent && k.E%2 == 1 {
			return []kind{kindPSS, kindRSA}
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
			return []kind{kindECDSA}
		}
	case ed25519.PublicKey:
		return []kind{kindEd25519}
	}
	return nil
}

// Acceptable reports whether a public key is of a kind and a strength that signatures are
// believed of: RSA of MinRSA to MaxRSA bits with a sound exponent, ECDSA on P-256, P-384 or
// P-521, Ed25519.
func Acceptable(pub crypto.PublicKey) bool { return len(usable(pub)) > 0 }

// KeyHash returns the SHA-1 hash by which a Certificate Request names an authority; key is
// its SubjectPublicKeyInfo as DER (RFC 7296 section 3.7).
func KeyHash(key []byte) []byte {
	h := sha1.Sum(key)
	return h[:]
}

// FixedFor returns the scheme for signatures by the key that belongs to pub, for a peer
// that does not announce RFC 7427. Ed25519 keys have none. The error is ErrUnsupported.
func FixedFor(pub crypto.PublicKey) (*Scheme, error) {
	kinds := usable(pub)
	for _, s := range fixed {
		if slices.Contains(kinds, s.kind) && (s.kind == kindRSA || fits(pub, s.Hash)) {
			return s, nil
		}
	}
	return nil, ErrUnsupported
}

// SchemeFor returns the scheme for signatures by the key that belongs to pub, for a peer
// that announced hashes. ECDSA keys want the hash of their size first (RFC 7427 section
// 4); RSA keys sign by PSS, or by PKCS #1 v1.5 if pkcs1. The error is ErrUnsupported.
func SchemeFor(pub crypto.PublicKey, announced []packet.HashAlgorithm, pkcs1 bool) (*Scheme, error) {
	kinds := usable(pub)
	if pkcs1 && len(kinds) == 2 {
		kinds = kinds[1:]
	}
	var best *Scheme
	for _, s := range schemes {
		if !slices.Contains(kinds, s.kind) || !slices.Contains(announced, s.Hash) {
			continue
		}
		if best == nil || s.kind == best.kind && fits(pub, s.Hash) {
			best = s
		}
	}
	if best == nil {
		return nil, ErrUnsupported
	}
	return best, nil
}

// fits reports whether a hash is the one for an ECDSA key of this size.
func fits(pub crypto.PublicKey, h packet.HashAlgorithm) bool {
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return false
	}
	switch k.Curve.Params().BitSize {
	case 256:
		return h == packet.HashSHA2256
	case 384:
		return h == packet.HashSHA2384
	}
	return h == packet.HashSHA2512
}

// Sign returns the AUTH payload of a signature over octets. ECDSA signatures take no
// randomness (RFC 6979).
func (s *Scheme) Sign(key crypto.Signer, octets []byte, random io.Reader) (*packet.Auth, error) {
	if !slices.Contains(usable(key.Public()), s.kind) {
		return nil, ErrUnsupported
	}
	if s.kind == kindECDSA {
		random = nil
	}
	sig, err := key.Sign(random, s.digest(octets), s.options())
	if err != nil {
		return nil, err
	}
	if s.kind == kindECDSA && s.Method != packet.AuthSignature {
		var v struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(sig, &v); err != nil {
			return nil, err
		}
		n := (key.Public().(*ecdsa.PublicKey).Curve.Params().BitSize + 7) / 8
		sig = append(v.R.FillBytes(make([]byte, n)), v.S.FillBytes(make([]byte, n))...)
	}
	return &packet.Auth{Method: s.Method, Algorithm: s.Algorithm, Data: sig}, nil
}

// digest returns the hash of what is signed; of Ed25519 that itself.
func (s *Scheme) digest(octets []byte) []byte {
	return digest(hashes[s.Hash], octets)
}

func digest(h crypto.Hash, octets []byte) []byte {
	if h == 0 {
		return octets
	}
	d := h.New()
	d.Write(octets)
	return d.Sum(nil)
}

func (s *Scheme) options() crypto.SignerOpts {
	if s.kind == kindPSS {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hashes[s.Hash]}
	}
	return hashes[s.Hash]
}

// Verify reports by a nil error whether an AUTH payload is a signature over octets by
// the key that belongs to pub: one of RFC 7427, of RFC 4754 (ECDSA with a curve and a
// hash that are fixed), or of RSA with padding of PKCS #1 v1.5 and one of SHA-256, -384 and
// -512. The error is ErrSignature.
func Verify(pub crypto.PublicKey, a *packet.Auth, octets []byte) error {
	switch a.Method {
	case packet.AuthSignature:
	case packet.AuthRSA:
		return verifyRSA(pub, a, octets)
	default:
		return verifyFixed(pub, a, octets)
	}
	i := slices.IndexFunc(schemes, func(s *Scheme) bool { return bytes.Equal(s.Algorithm, a.Algorithm) })
	if i < 0 || !slices.Contains(usable(pub), schemes[i].kind) || !schemes[i].verify(pub, a.Data, octets) {
		return ErrSignature
	}
	return nil
}

func (s *Scheme) verify(pub crypto.PublicKey, sig, octets []byte) bool {
	h, d := hashes[s.Hash], s.digest(octets)
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if s.kind == kindPSS {
			return rsa.VerifyPSS(k, h, d, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}) == nil
		}
		return rsa.VerifyPKCS1v15(k, h, d, sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, d, sig)
	case ed25519.PublicKey:
		return len(k) == ed25519.PublicKeySize && ed25519.Verify(k, octets, sig)
	}
	return false
}

// verifyRSA is for the method of RFC 7296, with a hash that its padding names.
func verifyRSA(pub crypto.PublicKey, a *packet.Auth, octets []byte) error {
	for _, s := range schemes {
		if s.kind == kindRSA && slices.Contains(usable(pub), kindRSA) && s.verify(pub, a.Data, octets) {
			return nil
		}
	}
	return ErrSignature
}

// verifyFixed is for the methods of RFC 4754: r and s, each as long as the order.
func verifyFixed(pub crypto.PublicKey, a *packet.Auth, octets []byte) error {
	bits, h := 0, crypto.Hash(0)
	switch a.Method {
	case packet.AuthECDSA256:
		bits, h = 256, crypto.SHA256
	case packet.AuthECDSA384:
		bits, h = 384, crypto.SHA384
	case packet.AuthECDSA512:
		bits, h = 521, crypto.SHA512
	}
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok || k.Curve.Params().BitSize != bits || len(a.Data) != 2*((bits+7)/8) {
		return ErrSignature
	}
	r, s := cut(a.Data, len(a.Data)/2)
	sig, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})
	if err != nil || !ecdsa.VerifyASN1(k, digest(h, octets), sig) {
		return ErrSignature
	}
	return nil
}
