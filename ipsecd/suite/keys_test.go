package suite

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// RFC 4231 section 4.2 and RFC 2202 section 3, test case 1: the functions below.
func TestPRFKnownAnswers(t *testing.T) {
	for prf, want := range map[uint16]string{ // unordered: each by itself
		packet.PRFHMACSHA1:    "b617318655057264e28bc0b6fb378c8ef146be00",
		packet.PRFHMACSHA2256: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
		packet.PRFHMACSHA2384: "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
		packet.PRFHMACSHA2512: "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
	} {
		got := PRF(prf).Sum(bytes.Repeat([]byte{0x0b}, 20), []byte("Hi "), []byte("There"))
		if hex.EncodeToString(got) != want {
			t.Errorf("PRF %d: %x", prf, got)
		}
	}
}

// cavp is an answer of NIST's component tests for the key derivation of IKEv2 (SP
// 800-135 section 4.2), in which the keying material is one string of octets.
type cavp struct {
	prf                                                          uint16
	ni, nr, gir, girNew, spiI, spiR, skeyseed, material, reSeeds string
}

var cavpAnswers = []cavp{{
	prf: packet.PRFHMACSHA1,
	ni:  "32b50d5f4a3763f3", nr: "9206a04b26564cb1", spiI: "34c9e7c188868785", spiR: "3ff77d760d2b2199",
	gir:      "4b2c1f971981a8ad8d0abeafabf38cf75fc8349c148142465ed9c8b516b8be52",
	girNew:   "863f3c9d06efd39d2b907b97f8699e5dd5251ef64a2a176f36ee40c87d4f9330",
	skeyseed: "a9a7b222b59f8f48645f28a1db5b5f5d7479cba7",
	reSeeds:  "63e81194946ebd05df7df5ebf5d8750056bf1f1d",
	material: `a14293677cc80ff8f9cc0eee30d895da9d8f405666e30ef0dfcb63c634a46002a2a63080e514a062768b76606f9fa5e9
		92204fc5a670bde3f10d6b027113936a5c55b648a194ae587b0088d52204b702c979fa280870d2ed41efa9c549fd1119
		8af1670b143d384bd275c5f594cf266b05ebadca855e4249520a441a81157435a7a56cc4`,
}, {
	prf: packet.PRFHMACSHA2256,
	ni:  "3f302be1abcb28e1", nr: "8c332ee006064c9b", spiI: "40dac39e1e1a8640", spiR: "8619a1cf9a6e4c07",
	gir:      "0f4d257d7a58fc4545c7d7a88119eee5d5c9690c5b4c989171d3abbfd99d1d29",
	girNew:   "25f3b12d6f282739256e39bf54eda53b60ffcf379bb7bcc90c27b4c4c578616c",
	skeyseed: "5f00d1bd2c58ec224b1e6b71fa0f19a1faa7a193952c444411b47c1a9d8ba6fe",
	reSeeds:  "2d63f6debc92048b4fef3889c4c99ca67d6496e0fac14a2bca9a2d6566ff2398",
	material: `0b137d669b0947d7d026d593f0305ad401ff0c471357d695778a9c7f4b4869ece98aca531188d16041b3bb936d2dbb3b
		4993a6e768a809160de45d0283f273a6cdf6854379e31be72b8d3d1fa990cf9c5b015ca9f918a7df6253c958114a09d4
		e1c19bdcd4db14b29d98db1a74ad405c588662c14a04d0d36aa4ab55e90f8986d12d4aad`,
}, {
	prf: packet.PRFHMACSHA2384,
	ni:  "fd1b572a8e735591", nr: "6013b0ef88dacd3d", spiI: "2116ad07ce61f749", spiR: "24880e55f11a65b7",
	gir:      "d3288cd87565101e88fe3bad918f31939d8dd26ff1071f8b2d7f447524e58d7c",
	girNew:   "3358f620539473aee8d07e779764c4c6a9aabddc79a28e136b3bac021dbde44a",
	skeyseed: "69fe7a1ac94adaeb711295f5fe004b1a8d6a0b65d05692758ce8ad2f7a45f59d7d0b596f51f7dfcf3330061888f6a94f",
	reSeeds:  "e0548c1682e13bce454026b3b1bdf42985b24e4e7408095a7c529de38c3d1fcb04c9fe6868042a34c9614c6c99e3fcea",
	material: `4f904c2025c90c817ea5ff9b662a6fdb445a73b57cdf09eacd379b95e1f03cacb04cd6deeda4f952191dd9bc1f7a9502
		471a648d74dc06d38112de48a42501f6b1a3ad55c2099cd9a648e5f17e5bf3e34bf9b5953decb768a34f875fe2b78dca
		0c2fcca81ec1a412006dfaed38fa06882e61f4c148105fb8e231fdb33c4d484c001721d4`,
}}

func (c *cavp) nonces(t *testing.T) Nonces {
	spi := func(s string) (v packet.SPI) {
		for _, b := range octets(t, s) {
			v = v<<8 | packet.SPI(b)
		}
		return v
	}
	return Nonces{octets(t, c.ni), octets(t, c.nr), spi(c.spiI), spi(c.spiR)}
}

// join puts the keys in the order of RFC 7296 section 2.14.
func (k *Keys) join() []byte { return slices.Concat(k.D, k.Ai, k.Ar, k.Ei, k.Er, k.Pi, k.Pr) }

// NIST's answers for SKEYSEED, the keys, and the SKEYSEED of an IKE SA that replaces
// another (RFC 7296 sections 2.13, 2.14, 2.18).
func TestCAVP(t *testing.T) {
	for _, c := range cavpAnswers {
		prf, n := PRF(c.prf), c.nonces(t)
		if got := prf.Sum(slices.Concat(n.Ni, n.Nr), octets(t, c.gir)); !bytes.Equal(got, octets(t, c.skeyseed)) {
			t.Errorf("PRF %d: SKEYSEED %x", c.prf, got)
		}
		s := IKE{Encryption: encr(packet.EncrAESCBC, 128), Integrity: packet.AuthHMACSHA1, PRF: prf}
		k := s.Derive(octets(t, c.gir), n)
		all, material := k.join(), octets(t, c.material)
		m := min(len(all), len(material))
		if !bytes.Equal(all[:m], material[:m]) {
			t.Errorf("PRF %d: keys\n%x, want\n%x", c.prf, all, material)
		}
		if got := prf.Plus(octets(t, c.skeyseed), 132, n.Ni, n.Nr, octets(t, c.spiI), octets(t, c.spiR)); !bytes.Equal(got, material) {
			t.Errorf("PRF %d: prf+ %x", c.prf, got)
		}
		got := s.Rekey(prf, material[:prf.KeyLen()], n, octets(t, c.girNew))
		if want := s.expand(octets(t, c.reSeeds), n); !bytes.Equal(got.join(), want.join()) {
			t.Errorf("PRF %d: keys after a rekey %x", c.prf, got.join())
		}
	}
}

// The same answers for child SAs, without and with a key exchange of their own (RFC 7296
// section 2.17): NIST's for SHA-1.
func TestCAVPChild(t *testing.T) {
	c := cavpAnswers[0]
	prf, n := PRF(c.prf), c.nonces(t)
	d := octets(t, c.material)[:prf.KeyLen()]
	// 2*(32+32) octets, the first of 132
	s := ESP{Encryption: encr(packet.EncrAESCBC, 256), Integrity: packet.AuthHMACSHA256}
	for _, v := range []struct {
		secret []byte
		want   string
	}{
		{nil, `8059e3ee8810e6c3a91bc8bcd2a7a41151b8d0e6ae239c7b38093ad85ef4c5811a8e7b5d1cdabd9560b2d5e092d1f24e
			2d4b85eccdf0ad0dc9abd94b51ee71814ca6dbc8bb51b6309f5b9545c7eb35cf5580b1e521a8fe20754a2d883ba0c2cf
			285f524aea6545b33106bc03e614296d319d41d4b50b3f510b1c0a22f3e66499`},
		{octets(t, c.girNew), `bb43244c1860ad65ee1e211ffe8bb3661750c8f89cb9f547df7f4fa61d37301628190e38c66232eab4b3ab14c400a519
			7dd3730ed4820a8a10394d51e1c0400052f63ebd36b0e7ef53aaed31eba4a5080d7d4b5666023a8bbb5ffb7857240f9a
			05884d1b7d2f933708450b7b3288f1fc863ab49fa901227cffc06e27899c7054`},
	} {
		k := s.Derive(prf, d, n, v.secret)
		want := octets(t, v.want)
		if got := slices.Concat(k.Ei, k.Ai, k.Er, k.Ar); !bytes.Equal(got, want) {
			t.Errorf("%x, want\n%x", got, want)
		}
		if len(k.Ei) != 32 || len(k.Ai) != 32 || len(k.Er) != 32 || len(k.Ar) != 32 {
			t.Error("lengths")
		}
	}
}

// second is the derivation written again, from RFC 9370 section 2.2 and by HKDF, which
// has the same two steps (RFC 5869): extract is prf with the key as salt, expand is
// prf+.
type second struct {
	h func() hash.Hash
}

func (s second) seed(t *testing.T, key []byte, data ...[]byte) []byte {
	out, err := hkdf.Extract(s.h, slices.Concat(data...), key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s second) keys(t *testing.T, key []byte, n int, data ...[]byte) []byte {
	out, err := hkdf.Expand(s.h, key, string(slices.Concat(data...)), n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The keys of an IKE SA with Curve25519 and then ML-KEM-768 and -1024, as both ends
// reckon them and as HKDF does (RFC 9370 section 2.2.2); of the child and the IKE SA
// that replace it, with an additional key exchange each (section 2.2.4).
func TestAdditionalKeyExchanges(t *testing.T) {
	s := IKE{Encryption: encr(packet.EncrAESGCM16, 256), PRF: PRF(packet.PRFHMACSHA2384)}
	n := Nonces{seq(0x10, 32), seq(0x40, 32), 0x0102030405060708, 0x1112131415161718}
	spis := append(seq(1, 8), seq(0x11, 8)...)
	ref := second{sha512.New384}
	const size = 3*48 + 2*36

	first := agree(t, packet.Curve25519, 1)
	seed := ref.seed(t, slices.Concat(n.Ni, n.Nr), first)
	want := ref.keys(t, seed, size, n.Ni, n.Nr, spis)
	k := s.Derive(first, n)
	if !bytes.Equal(k.join(), want) {
		t.Fatal("IKE_SA_INIT")
	}
	for i, g := range []packet.Group{packet.MLKEM768, packet.MLKEM1024} {
		secret := agree(t, g, byte(10+i))
		if len(secret) != 32 {
			t.Fatalf("%v: secret of %d octets", g, len(secret))
		}
		seed = ref.seed(t, want[:48], secret, n.Ni, n.Nr)
		want = ref.keys(t, seed, size, n.Ni, n.Nr, spis)
		before := k
		if k = s.Again(k, secret, n); !bytes.Equal(k.join(), want) {
			t.Fatalf("after %v", g)
		}
		if bytes.Equal(before.D, k.D) || bytes.Equal(before.Ei, k.Ei) || bytes.Equal(before.Pi, k.Pi) {
			t.Fatalf("%v: a key stayed", g)
		}
	}

	dh, kem := agree(t, packet.ECP384, 20), agree(t, packet.MLKEM768, 21)
	esp := ESP{Encryption: encr(packet.EncrAESGCM16, 128)}
	child := esp.Derive(s.PRF, k.D, n, dh, kem)
	if got := slices.Concat(child.Ei, child.Er); !bytes.Equal(got, ref.keys(t, want[:48], 40, dh, n.Ni, n.Nr, kem)) {
		t.Error("child")
	}
	// The new IKE SA has another PRF: SKEYSEED is that of the old one.
	next := IKE{Encryption: encr(packet.EncrChaCha20, 0), PRF: PRF(packet.PRFHMACSHA2256)}
	got := next.Rekey(s.PRF, k.D, n, dh, kem)
	seed = ref.seed(t, want[:48], dh, n.Ni, n.Nr, kem)
	if w := (second{sha256.New}).keys(t, seed, 3*32+2*36, n.Ni, n.Nr, spis); !bytes.Equal(got.join(), w) {
		t.Error("IKE SA replaced")
	}
}

// The lengths and the order of keys (RFC 7296 section 2.14).
func TestKeyLengths(t *testing.T) {
	for _, c := range []struct {
		s       IKE
		d, a, e int
	}{
		{IKE{encr(packet.EncrAESCBC, 256), packet.AuthHMACSHA512, PRF(packet.PRFHMACSHA2512)}, 64, 64, 32},
		{IKE{encr(packet.EncrAESCBC, 128), packet.AuthHMACSHA1, PRF(packet.PRFHMACSHA1)}, 20, 20, 16},
		{IKE{encr(packet.EncrAESCBC, 192), packet.AuthHMACSHA384, PRF(packet.PRFHMACSHA2384)}, 48, 48, 24},
		{IKE{encr(packet.EncrAESGCM16, 128), 0, PRF(packet.PRFHMACSHA2256)}, 32, 0, 20},
		{IKE{encr(packet.EncrAESGCM16, 256), 0, PRF(packet.PRFHMACSHA2256)}, 32, 0, 36},
		{IKE{encr(packet.EncrChaCha20, 0), 0, PRF(packet.PRFHMACSHA2256)}, 32, 0, 36},
	} {
		k := c.s.Derive(seq(1, 32), Nonces{Ni: seq(2, 16), Nr: seq(3, 16)})
		for _, l := range []struct{ got, want int }{
			{len(k.D), c.d}, {len(k.Pi), c.d}, {len(k.Pr), c.d}, {len(k.Ai), c.a}, {len(k.Ar), c.a}, {len(k.Ei), c.e}, {len(k.Er), c.e},
		} {
			if l.got != l.want {
				t.Errorf("%v: %d octets, want %d", c.s.Encryption, l.got, l.want)
			}
		}
	}
}

// RFC 7296 section 2.13: prf+ ends after 255 blocks.
func TestPlusEnds(t *testing.T) {
	p := PRF(packet.PRFHMACSHA1)
	if got := p.Plus(seq(1, 20), 255*20, seq(1, 4)); len(got) != 255*20 {
		t.Errorf("%d octets", len(got))
	}
	if got := p.Plus(seq(1, 20), 255*20+1, seq(1, 4)); got != nil {
		t.Errorf("%d octets", len(got))
	}
}

// What is not ours, or does not go together, is refused before any key is made.
func TestCheck(t *testing.T) {
	for name, s := range suites() { // unordered: each by itself
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := (ESP{s.Encryption, s.Integrity}).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	prf := PRF(packet.PRFHMACSHA2256)
	unknown := encr(packet.EncrAESGCM16, 128)
	unknown.Attributes = []packet.Attribute{{Type: 99}}
	for _, s := range []IKE{
		{}, {encr(packet.EncrAESCBC, 128), 0, prf}, {encr(packet.EncrAESGCM16, 128), packet.AuthHMACSHA256, prf},
		{encr(packet.EncrAESCBC, 0), packet.AuthHMACSHA256, prf}, {encr(packet.EncrAESCBC, 129), packet.AuthHMACSHA256, prf},
		{encr(packet.EncrChaCha20, 256), 0, prf}, {encr(packet.Encr3DES, 0), packet.AuthHMACSHA256, prf},
		{encr(packet.EncrAESGCM8, 128), 0, prf}, {encr(packet.EncrNull, 0), packet.AuthHMACSHA256, prf},
		{encr(packet.EncrAESCBC, 128), packet.AuthHMACMD5, prf}, {encr(packet.EncrAESCBC, 128), packet.AuthHMACSHA256, PRF(packet.PRFHMACMD5)},
		{encr(packet.EncrAESGCM16, 0), 0, prf}, {unknown, 0, prf},
	} {
		if err := s.Check(); err != ErrUnsupported {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// Keys are not printed, in whatever way.
func TestKeysDoNotPrint(t *testing.T) {
	k := &Keys{D: []byte("secretsecret")}
	c := &ChildKeys{Ei: []byte("secretsecret")}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, s := range []string{fmt.Sprintf(format, k), fmt.Sprintf(format, c), fmt.Sprintf(format, *k), fmt.Sprintf(format, *c)} {
			if strings.Contains(s, "secret") || strings.Contains(s, "73656372") || strings.Contains(s, "115 101") || !strings.HasPrefix(s, "keys of") {
				t.Errorf("%s: %s", format, s)
			}
		}
	}
	for _, v := range []any{k, *k, c, *c} {
		if b, err := json.Marshal(v); err != nil || !strings.HasPrefix(string(b), `"keys of`) {
			t.Errorf("%T as JSON: %s, %v", v, b, err)
		}
	}
	k.Wipe()
	c.Wipe()
	if !bytes.Equal(k.D, make([]byte, 12)) || !bytes.Equal(c.Ei, make([]byte, 12)) {
		t.Error("not wiped")
	}
}

// The AUTH payload of a shared secret, step by step as RFC 7296 section 2.15 has it, by
// hmac itself.
func TestSharedKeyAuth(t *testing.T) {
	sum := func(key []byte, data ...[]byte) []byte {
		m := hmac.New(sha256.New, key)
		m.Write(slices.Concat(data...))
		return m.Sum(nil)
	}
	prf := PRF(packet.PRFHMACSHA2256)
	id := &packet.ID{Kind: packet.IDFQDN, Data: []byte("spoke")}
	message, nonce, skp := []byte("message 1"), seq(0x20, 16), seq(0x40, 32)
	want := slices.Concat(message, nonce, sum(skp, []byte{2, 0, 0, 0}, []byte("spoke")))
	octets := SignedOctets(prf, message, nonce, skp, id, nil, nil, 1)
	if !bytes.Equal(octets, want) {
		t.Fatalf("%x\n%x", octets, want)
	}
	a := SharedKeyAuth(prf, []byte("cisco"), octets)
	if w := sum(sum([]byte("cisco"), []byte("Key Pad for IKEv2")), want); a.Method != packet.AuthSharedKey || !bytes.Equal(a.Data, w) {
		t.Errorf("%+v, want %x", a, w)
	}
	if !VerifySharedKey(prf, []byte("cisco"), octets, a) {
		t.Error("own AUTH refused")
	}
	empty := SharedKeyAuth(prf, nil, octets)
	for _, c := range []struct {
		secret string
		octets []byte
		a      *packet.Auth
	}{
		{"Cisco", octets, a}, {"", octets, empty}, {"cisco", octets[1:], a},
		{"cisco", octets, &packet.Auth{Method: packet.AuthRSA, Data: a.Data}},
		{"cisco", octets, &packet.Auth{Method: packet.AuthSharedKey, Data: a.Data[:31]}},
		{"cisco", octets, &packet.Auth{Method: packet.AuthSharedKey}},
	} {
		if VerifySharedKey(prf, []byte(c.secret), c.octets, c.a) {
			t.Errorf("%q, %+v: accepted", c.secret, c.a)
		}
	}
}

// RFC 9242 section 3.3.2: two intermediate exchanges, by hmac itself. What is
// authenticated does not depend on fragmentation, and has the lengths adjusted.
func TestIntAuth(t *testing.T) {
	s := suites()["AES-CBC-256 SHA256"]
	prf := PRF(packet.PRFHMACSHA2256)
	sender, receiver := s.pair(t)
	inner := []packet.Payload{&packet.KE{Group: packet.MLKEM768, Data: seq(0, 200)}}
	plain, err := packet.AppendPayloads(nil, inner)
	if err != nil {
		t.Fatal(err)
	}
	m := message()
	m.Exchange = packet.IKEIntermediate
	whole, err := sender.Append(nil, m, inner, seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := sender.Fragments(m, inner, 200, seeded(2))
	if err != nil || len(pieces) < 2 {
		t.Fatal(len(pieces), err)
	}
	var r Reassembly
	for _, b := range pieces {
		got := parse(t, b)
		p, err := receiver.Open(b, got.Encrypted.Offset)
		if err != nil {
			t.Fatal(err)
		}
		r.Add(b, got.Encrypted, p)
	}
	// The message as drawn in Figure 1: header and payload header, lengths without IV,
	// padding and checksum, and the inner payloads.
	a := slices.Clone(whole[:32])
	copy(a[24:], []byte{0, 0, 0, byte(32 + len(plain))})
	copy(a[30:], []byte{0, byte(4 + len(plain))})
	sum := func(key []byte, data ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		h.Write(slices.Concat(data...))
		return h.Sum(nil)
	}
	sk1, sk2 := seq(1, 32), seq(2, 32)
	want := sum(sk2, sum(sk1, a, plain), a, plain)
	for name, head := range map[string]struct {
		octets   []byte
		fragment bool
	}{"whole": {whole[:32], false}, "fragments": {r.Head, true}} { // unordered: each by itself
		var i IntAuth
		if !i.Add(prf, sk1, head.octets, head.fragment, plain) || !i.Add(prf, sk2, head.octets, head.fragment, plain) || !bytes.Equal(i, want) {
			t.Errorf("%s: %x, want %x", name, i, want)
		}
	}
	var i IntAuth
	if i.Add(prf, sk1, whole[:31], false, plain) || i.Add(prf, sk1, whole[:32], true, plain) || i.Add(prf, sk1, whole[:40], true, plain) || i != nil {
		t.Error("a head that is none was accepted")
	}
	id := &packet.ID{Kind: packet.IDFQDN, Data: []byte("x")}
	short := SignedOctets(prf, []byte("m"), []byte("n"), sk1, id, nil, nil, 3)
	long := SignedOctets(prf, []byte("m"), []byte("n"), sk1, id, IntAuth("int i"), IntAuth("int r"), 3)
	if !bytes.Equal(long, slices.Concat(short, []byte("int iint r\x00\x00\x00\x03"))) {
		t.Errorf("%x\n%x", short, long)
	}
}
