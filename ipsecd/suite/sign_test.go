package suite

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// signers are a key of each kind, made once.
var signers = sync.OnceValue(func() map[string]crypto.Signer {
	out := map[string]crypto.Signer{}
	for name, c := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} { // unordered: into a map
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		out[name] = k
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	out["RSA"], out["Ed25519"] = r, e
	return out
})

// The AlgorithmIdentifiers of RFC 7427 appendix A and RFC 8420 appendix A; those of PSS
// beyond SHA-256 as encoding/asn1 has them from RFC 4055 section 3.1.
func TestAlgorithmIdentifiers(t *testing.T) {
	want := map[string]string{
		"RSA with SHA-256":        "300d 0609 2a86 4886 f70d 0101 0b05 00",
		"RSA with SHA-384":        "300d 0609 2a86 4886 f70d 0101 0c05 00",
		"RSA with SHA-512":        "300d 0609 2a86 4886 f70d 0101 0d05 00",
		"ECDSA with SHA-256":      "300a 0608 2a86 48ce 3d04 0302",
		"ECDSA with SHA-384":      "300a 0608 2a86 48ce 3d04 0303",
		"ECDSA with SHA-512":      "300a 0608 2a86 48ce 3d04 0304",
		"RSASSA-PSS with SHA-256": "3046 0609 2a86 4886 f70d 0101 0a30 39a0 0f30 0d06 0960 8648 0165 0304 0201 0500 a11c 301a 0609 2a86 4886 f70d 0101 0830 0d06 0960 8648 0165 0304 0201 0500 a203 0201 20a3 0302 0101",
		"Ed25519":                 "3005 0603 2b65 70",
	}
	type algorithm struct {
		OID        asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	type parameters struct {
		Hash    algorithm `asn1:"explicit,tag:0"`
		MGF     algorithm `asn1:"explicit,tag:1"`
		Salt    int       `asn1:"explicit,tag:2"`
		Trailer int       `asn1:"explicit,tag:3"`
	}
	marshal := func(v any) asn1.RawValue {
		b, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return asn1.RawValue{FullBytes: b}
	}
	for name, c := range map[string]struct{ oid, salt int }{"RSASSA-PSS with SHA-384": {2, 48}, "RSASSA-PSS with SHA-512": {3, 64}} { // unordered: into a map
		h := algorithm{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, c.oid}, asn1.NullRawValue}
		mgf := algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}, marshal(h)}
		pss := algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}, marshal(parameters{h, mgf, c.salt, 1})}
		want[name] = hex.EncodeToString(marshal(pss).FullBytes)
	}
	for _, s := range schemes {
		if !bytes.Equal(s.Algorithm, octets(t, want[s.Name])) {
			t.Errorf("%s: %x", s.Name, s.Algorithm)
		}
		delete(want, s.Name)
	}
	if len(want) != 0 {
		t.Errorf("missing: %v", want)
	}
}

// Each key signs by the scheme that is meant for it, and the signature is verified; by
// another key, over other octets, with another algorithm it is not (F11, F16).
func TestSignVerify(t *testing.T) {
	all := Hashes()
	for _, c := range []struct {
		key       string
		announced []packet.HashAlgorithm
		pkcs1     bool
		want      string
	}{
		{"P-256", all, false, "ECDSA with SHA-256"}, {"P-384", all, false, "ECDSA with SHA-384"}, {"P-521", all, false, "ECDSA with SHA-512"},
		{"P-256", []packet.HashAlgorithm{packet.HashSHA2512}, false, "ECDSA with SHA-512"},
		{"RSA", all, false, "RSASSA-PSS with SHA-256"}, {"RSA", all, true, "RSA with SHA-256"},
		{"RSA", []packet.HashAlgorithm{packet.HashSHA2384}, false, "RSASSA-PSS with SHA-384"},
		{"RSA", []packet.HashAlgorithm{packet.HashSHA2512}, false, "RSASSA-PSS with SHA-512"},
		{"RSA", []packet.HashAlgorithm{packet.HashSHA2384}, true, "RSA with SHA-384"},
		{"RSA", []packet.HashAlgorithm{packet.HashSHA2512, packet.HashSHA1}, true, "RSA with SHA-512"},
		{"Ed25519", all, false, "Ed25519"},
	} {
		key := signers()[c.key]
		s, err := SchemeFor(key.Public(), c.announced, c.pkcs1)
		if err != nil || s.Name != c.want {
			t.Fatalf("%s: %v, %v, want %s", c.key, s, err, c.want)
		}
		msg := []byte("signed octets")
		a, err := s.Sign(key, msg, seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		if a.Method != packet.AuthSignature || !bytes.Equal(a.Algorithm, s.Algorithm) {
			t.Errorf("%s: %+v", c.want, a)
		}
		if err := Verify(key.Public(), a, msg); err != nil {
			t.Errorf("%s: %v", c.want, err)
		}
		again, err := s.Sign(key, msg, seeded(1))
		if err != nil || !bytes.Equal(a.Data, again.Data) {
			t.Errorf("%s: not a function of its randomness", c.want)
		}
		wrong := func(what string, pub crypto.PublicKey, a packet.Auth, msg string) {
			if err := Verify(pub, &a, []byte(msg)); err != ErrSignature {
				t.Errorf("%s, %s: %v", c.want, what, err)
			}
		}
		wrong("other octets", key.Public(), *a, "signed octet")
		for name, other := range signers() { // unordered: each by itself
			if name != c.key {
				wrong("key "+name, other.Public(), *a, "signed octets")
			}
		}
		for _, o := range schemes {
			if o != s {
				b := *a
				b.Algorithm = o.Algorithm
				wrong("said to be "+o.Name, key.Public(), b, "signed octets")
			}
		}
		for i, data := range [][]byte{nil, {0}, a.Data[1:], append(slices.Clone(a.Data), 0), make([]byte, len(a.Data)), bytes.Repeat([]byte{0xff}, len(a.Data))} {
			b := *a
			b.Data = data
			wrong("signature "+string(rune('0'+i)), key.Public(), b, "signed octets")
		}
		for _, m := range []packet.AuthMethod{0, packet.AuthRSA, packet.AuthSharedKey, packet.AuthNull, packet.AuthECDSA256} {
			if m == packet.AuthRSA && s.kind == kindRSA {
				continue // see TestFixed
			}
			b := *a
			b.Method = m
			wrong("method", key.Public(), b, "signed octets")
		}
	}
}

// What nobody should sign or accept: SHA-1, short RSA keys, keys of other kinds, PSS with
// empty or default parameters (F11).
func TestSchemesRefused(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pub       crypto.PublicKey
		announced []packet.HashAlgorithm
	}{
		{weak.Public(), Hashes()}, {"a string", Hashes()}, {nil, Hashes()}, {signers()["RSA"].Public(), []packet.HashAlgorithm{packet.HashSHA1}},
		{signers()["RSA"].Public(), nil}, {signers()["Ed25519"].Public(), []packet.HashAlgorithm{packet.HashSHA2256}},
	} {
		if s, err := SchemeFor(c.pub, c.announced, false); err != ErrUnsupported {
			t.Errorf("%T, %v: %v, %v", c.pub, c.announced, s, err)
		}
	}
	d := sha256.Sum256([]byte("x"))
	sig, err := rsa.SignPKCS1v15(nil, weak, crypto.SHA256, d[:])
	if err != nil {
		t.Fatal(err)
	}
	rsa256 := schemes[slices.IndexFunc(schemes, func(s *Scheme) bool { return s.Name == "RSA with SHA-256" })]
	if err := Verify(weak.Public(), &packet.Auth{Method: packet.AuthSignature, Algorithm: rsa256.Algorithm, Data: sig}, []byte("x")); err != ErrSignature {
		t.Errorf("1024 bits: %v", err)
	}
	if _, err := rsa256.Sign(weak, []byte("x"), seeded(1)); err != ErrUnsupported {
		t.Errorf("1024 bits: %v", err)
	}
	if _, err := rsa256.Sign(signers()["P-256"], []byte("x"), seeded(1)); err != ErrUnsupported {
		t.Errorf("another key: %v", err)
	}
	for _, algorithm := range []string{
		"300d06092a864886f70d01010505 00",  // sha1WithRSAEncryption
		"300d06092a864886f70d01010a3000",   // PSS, empty parameters
		"300906072a8648ce3d0401",           // ecdsa-with-SHA1
		"300b06092a864886f70d01010b", "30", // SHA-256 without NULL; nothing
		strings.Repeat("30", 255),
	} {
		for name, key := range signers() { // unordered: each by itself
			a := &packet.Auth{Method: packet.AuthSignature, Algorithm: octets(t, algorithm), Data: sig}
			if err := Verify(key.Public(), a, []byte("x")); err != ErrSignature {
				t.Errorf("%s, %s: %v", name, algorithm, err)
			}
		}
	}
}

// RFC 4754 section 7: r and s, each as long as the order; a zero is none (F11).
func TestECDSAFixed(t *testing.T) {
	for name, c := range map[string]struct {
		method packet.AuthMethod
		n      int
		hash   func([]byte) []byte
	}{
		"P-256": {packet.AuthECDSA256, 32, func(b []byte) []byte { d := sha256.Sum256(b); return d[:] }},
		"P-384": {packet.AuthECDSA384, 48, func(b []byte) []byte { d := sha512.Sum384(b); return d[:] }},
		"P-521": {packet.AuthECDSA512, 66, func(b []byte) []byte { d := sha512.Sum512(b); return d[:] }},
	} { // unordered: each by itself
		key := signers()[name].(*ecdsa.PrivateKey)
		der, err := key.Sign(nil, c.hash([]byte("x")), map[int]crypto.Hash{32: crypto.SHA256, 48: crypto.SHA384, 66: crypto.SHA512}[c.n])
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &v); err != nil {
			t.Fatal(err)
		}
		data := append(v.R.FillBytes(make([]byte, c.n)), v.S.FillBytes(make([]byte, c.n))...)
		if err := Verify(key.Public(), &packet.Auth{Method: c.method, Data: data}, []byte("x")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		zero := slices.Clone(data)
		clear(zero[c.n:])
		for _, d := range [][]byte{nil, der, data[1:], append(slices.Clone(data), 0), zero, make([]byte, 2*c.n)} {
			if err := Verify(key.Public(), &packet.Auth{Method: c.method, Data: d}, []byte("x")); err != ErrSignature {
				t.Errorf("%s: %x: %v", name, d, err)
			}
		}
		for _, m := range []packet.AuthMethod{packet.AuthECDSA256, packet.AuthECDSA384, packet.AuthECDSA512, packet.AuthRSA} {
			if m != c.method {
				if err := Verify(key.Public(), &packet.Auth{Method: m, Data: data}, []byte("x")); err != ErrSignature {
					t.Errorf("%s as %v: %v", name, m, err)
				}
			}
		}
		if err := Verify(signers()["RSA"].Public(), &packet.Auth{Method: c.method, Data: data}, []byte("x")); err != ErrSignature {
			t.Errorf("%s by RSA: %v", name, err)
		}
	}
}

// Methods without an AlgorithmIdentifier, for peers without RFC 7427: RFC 4754 section 7,
// and RSA with SHA-2; SHA-1, which RFC 7296 section 3.8 has as the default, is refused.
func TestFixed(t *testing.T) {
	for name, want := range map[string]packet.AuthMethod{"P-256": packet.AuthECDSA256, "P-384": packet.AuthECDSA384, "P-521": packet.AuthECDSA512, "RSA": packet.AuthRSA} { // unordered: each by itself
		key := signers()[name]
		s, err := FixedFor(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.Sign(key, []byte("x"), seeded(1))
		if err != nil || a.Method != want || a.Algorithm != nil {
			t.Fatalf("%s: %+v, %v", name, a, err)
		}
		if err := Verify(key.Public(), a, []byte("x")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := Verify(key.Public(), a, []byte("y")); err != ErrSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FixedFor(signers()["Ed25519"].Public()); err != ErrUnsupported {
		t.Error(err)
	}
	key := signers()["RSA"].(*rsa.PrivateKey)
	for h, want := range map[crypto.Hash]error{crypto.SHA1: ErrSignature, crypto.SHA256: nil, crypto.SHA384: nil, crypto.SHA512: nil} { // unordered: each by itself
		sig, err := rsa.SignPKCS1v15(nil, key, h, digest(h, []byte("x")))
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(key.Public(), &packet.Auth{Method: packet.AuthRSA, Data: sig}, []byte("x")); err != want {
			t.Errorf("%v: %v", h, err)
		}
	}
}

// F11: a modulus of few or of too many bits, an exponent that is small or even, and a
// curve that is not offered are no keys.
func TestAcceptable(t *testing.T) {
	odd := func(bits int) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits)-1)
		return n.SetBit(n, 0, 1)
	}
	for _, c := range []struct {
		pub  crypto.PublicKey
		want bool
	}{
		{&rsa.PublicKey{N: odd(2048), E: 65537}, true}, {&rsa.PublicKey{N: odd(8192), E: 65537}, true},
		{&rsa.PublicKey{N: odd(2047), E: 65537}, false}, {&rsa.PublicKey{N: odd(8193), E: 65537}, false}, {&rsa.PublicKey{N: big.NewInt(0), E: 65537}, false},
		{&rsa.PublicKey{N: odd(2048), E: 0}, false}, {&rsa.PublicKey{N: odd(2048), E: 1}, false}, {&rsa.PublicKey{N: odd(2048), E: 3}, false}, {&rsa.PublicKey{N: odd(2048), E: 65538}, false},
		{&ecdsa.PublicKey{Curve: elliptic.P224()}, false}, {&ecdsa.PublicKey{Curve: elliptic.P256()}, true}, {ed25519.PublicKey(make([]byte, 32)), true}, {nil, false},
	} {
		if got := Acceptable(c.pub); got != c.want {
			t.Errorf("%+v: %v", c.pub, got)
		}
	}
}

// F11, with the public exponent 3, where a sloppy reader of the padding can be cheated: the
// key is not used at all. A hash that is cut off, garbage behind it, and padding that is too
// short are no signatures of a key that is used.
func TestPKCS1Slack(t *testing.T) {
	key := signers()["RSA"].(*rsa.PrivateKey)
	d := sha256.Sum256([]byte("x"))
	info := octets(t, "3031300d060960864801650304020105000420")
	n := key.Size()
	raw := func(em []byte) []byte {
		m := new(big.Int).SetBytes(em)
		return m.Exp(m, key.D, key.N).FillBytes(make([]byte, n))
	}
	block := func(pad int, content []byte) []byte {
		em := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, pad)...)
		em = append(append(em, 0), content...)
		return append(em, make([]byte, max(0, n-len(em)))...)
	}
	whole := append(slices.Clone(info), d[:]...)
	check := func(name string, em []byte, want error) {
		for _, m := range []packet.AuthMethod{packet.AuthSignature, packet.AuthRSA} {
			a := &packet.Auth{Method: m, Algorithm: octets(t, "300d06092a864886f70d01010b0500"), Data: raw(em)}
			if err := Verify(key.Public(), a, []byte("x")); err != want {
				t.Errorf("%s, %v: %v", name, m, err)
			}
		}
	}
	check("as it is to be", block(n-3-len(whole), whole), nil)
	check("garbage behind the hash", block(8, whole), ErrSignature)
	check("hash cut off", block(n-3-len(whole)+16, whole[:len(whole)-16]), ErrSignature)
	check("no parameters", block(n-3-len(whole)+2, append(octets(t, "302f300b0609608648016503040201"+"0420"), d[:]...)), ErrSignature)
	check("hash alone", block(n-3-32, d[:]), ErrSignature)
	check("type 2", append([]byte{0, 2}, block(n-3-len(whole), whole)[2:]...), ErrSignature)
}

// FuzzVerify: any AUTH payload, by any key.
func FuzzVerify(f *testing.F) {
	names := []string{"P-256", "P-384", "P-521", "RSA", "Ed25519"}
	for i, s := range schemes {
		f.Add(byte(i), byte(packet.AuthSignature), s.Algorithm, seq(1, 64))
	}
	f.Add(byte(0), byte(packet.AuthECDSA256), []byte{}, seq(1, 64))
	f.Fuzz(func(t *testing.T, which, method byte, algorithm, data []byte) {
		a := &packet.Auth{Method: packet.AuthMethod(method), Algorithm: algorithm, Data: data}
		if Verify(signers()[names[int(which)%len(names)]].Public(), a, []byte("x")) == nil {
			t.Fatal("a signature out of the blue")
		}
	})
}
