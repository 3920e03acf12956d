package suite

import (
	"bytes"
	"crypto/mlkem"
	"io"
	"math/big"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// ours are all groups that are supported.
var ours = []packet.Group{
	packet.MODP2048, packet.MODP3072, packet.MODP4096, packet.ECP256, packet.ECP384, packet.ECP521, packet.Curve25519,
	packet.MLKEM768, packet.MLKEM1024,
}

// publicLen are the lengths of the Key Exchange Data of initiator and responder.
var publicLen = map[packet.Group][2]int{
	packet.MODP2048: {256, 256}, packet.MODP3072: {384, 384}, packet.MODP4096: {512, 512},
	packet.ECP256: {64, 64}, packet.ECP384: {96, 96}, packet.ECP521: {132, 132}, packet.Curve25519: {32, 32},
	packet.MLKEM768: {1184, 1088}, packet.MLKEM1024: {1568, 1568},
}

// agree runs a key exchange and returns the secret.
func agree(t *testing.T, g packet.Group, seed byte) []byte {
	t.Helper()
	x, err := Start(g, seeded(seed))
	if err != nil {
		t.Fatal(err)
	}
	public, theirs, err := Respond(g, x.Public(), seeded(seed+100))
	if err != nil {
		t.Fatal(err)
	}
	mine, err := x.Secret(public)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(mine, theirs) {
		t.Fatalf("%v: the ends disagree", g)
	}
	if want := publicLen[g]; len(x.Public()) != want[0] || len(public) != want[1] {
		t.Fatalf("%v: public values of %d and %d octets", g, len(x.Public()), len(public))
	}
	return mine
}

// Both ends get the same, every time another, and with the same randomness the same
// again.
func TestKeyExchange(t *testing.T) {
	for _, g := range ours {
		a, b, again := agree(t, g, 1), agree(t, g, 2), agree(t, g, 1)
		if bytes.Equal(a, b) {
			t.Errorf("%v: twice the same secret", g)
		}
		if !bytes.Equal(a, again) {
			t.Errorf("%v: not a function of its randomness", g)
		}
		if !Supported(g) || KEM(g) != (g == packet.MLKEM768 || g == packet.MLKEM1024) {
			t.Errorf("%v: Supported, KEM", g)
		}
	}
	for _, g := range []packet.Group{packet.NoGroup, packet.MODP1024, packet.MODP1536, packet.Curve448, packet.MLKEM512, 1025} {
		if _, err := Start(g, seeded(1)); err != ErrUnsupported || Supported(g) {
			t.Errorf("%v: %v", g, err)
		}
		if _, _, err := Respond(g, make([]byte, 800), seeded(1)); err != ErrUnsupported {
			t.Errorf("%v: %v", g, err)
		}
	}
}

// RFC 5903 section 8 and RFC 8031 appendix A.
func TestKeyExchangeKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		group                 packet.Group
		i, r, ke, ker, secret string
	}{{
		packet.ECP256,
		"C88F01F5 10D9AC3F 70A292DA A2316DE5 44E9AAB8 AFE84049 C62A9C57 862D1433",
		"C6EF9C5D 78AE012A 011164AC B397CE20 88685D8F 06BF9BE0 B283AB46 476BEE53",
		`DAD0B653 94221CF9 B051E1FE CA5787D0 98DFE637 FC90B9EF 945D0C37 72581180
		 5271A046 1CDB8252 D61F1C45 6FA3E59A B1F45B33 ACCF5F58 389E0577 B8990BB3`,
		`D12DFB52 89C8D4F8 1208B702 70398C34 2296970A 0BCCB74C 736FC755 4494BF63
		 56FBF3CA 366CC23E 8157854C 13C58D6A AC23F046 ADA30F83 53E74F33 039872AB`,
		"D6840F6B 42F6EDAF D13116E0 E1256520 2FEF8E9E CE7DCE03 812464D0 4B9442DE",
	}, {
		packet.ECP384,
		`099F3C70 34D4A2C6 99884D73 A375A67F 7624EF7C 6B3C0F16 0647B674 14DCE655 E35B5380 41E649EE 3FAEF896 783AB194`,
		`41CB0779 B4BDB85D 47846725 FBEC3C94 30FAB46C C8DC5060 855CC9BD A0AA2942 E0308312 916B8ED2 960E4BD5 5A7448FC`,
		`667842D7 D180AC2C DE6F74F3 7551F557 55C7645C 20EF73E3 1634FE72 B4C55EE6 DE3AC808 ACB4BDB4 C88732AE E95F41AA
		 9482ED1F C0EEB9CA FC498462 5CCFC23F 65032149 E0E144AD A0241815 35A0F38E EB9FCFF3 C2C947DA E69B4C63 4573A81C`,
		`E558DBEF 53EECDE3 D3FCCFC1 AEA08A89 A987475D 12FD950D 83CFA417 32BC509D 0D1AC43A 0336DEF9 6FDA41D0 774A3571
		 DCFBEC7A ACF31964 72169E83 8430367F 66EEBE3C 6E70C416 DD5F0C68 759DD1FF F83FA401 42209DFF 5EAAD96D B9E6386C`,
		`11187331 C279962D 93D60424 3FD592CB 9D0A926F 422E4718 7521287E 7156C5C4 D6031355 69B9E9D0 9CF5D4A2 70F59746`,
	}, {
		packet.ECP521,
		`0037ADE9 319A89F4 DABDB3EF 411AACCC A5123C61 ACAB57B5 393DCE47 608172A0 95AA85A3 0FE1C295 2C6771D9 37BA9777 F5957B26
		 39BAB072 462F68C2 7A57382D 4A52`,
		`0145BA99 A847AF43 793FDD0E 872E7CDF A16BE30F DC780F97 BCCC3F07 8380201E 9C677D60 0B343757 A3BDBF2A 3163E4C2 F869CCA7
		 458AA4A4 EFFC311F 5CB15168 5EB9`,
		`0015417E 84DBF28C 0AD3C278 713349DC 7DF153C8 97A1891B D98BAB43 57C9ECBE E1E3BF42 E00B8E38 0AEAE57C 2D107564 94188594
		 2AF5A7F4 601723C4 195D176C ED3E017C AE20B664 1D2EEB69 5786D8C9 46146239 D099E18E 1D5A514C 739D7CB4 A10AD8A7 88015AC4
		 05D7799D C75E7B7D 5B6CF226 1A6A7F15 07438BF0 1BEB6CA3 926F9582`,
		`00D0B397 5AC4B799 F5BEA16D 5E13E9AF 971D5E9B 984C9F39 728B5E57 39735A21 9B97C356 436ADC6E 95BB0352 F6BE64A6 C2912D4E
		 F2D0433C ED2B6171 640012D9 460F015C 68226383 956E3BD0 66E797B6 23C27CE0 EAC2F551 A10C2C72 4D985207 7B87220B 6536C5C4
		 08A1D2AE BB8E86D6 78AE49CB 57091F47 32296579 AB44FCD1 7F0FC56A`,
		`01144C7D 79AE6956 BC8EDB8E 7C787C45 21CB086F A64407F9 7894E5E6 B2D79B04 D1427E73 CA4BAA24 0A347868 59810C06 B3C715A3
		 A8CC3151 F2BEE417 996D19F3 DDEA`,
	}, {
		packet.Curve25519,
		"75 1f b4 30 86 55 b4 76 b6 78 9b 73 25 f9 ea 8c dd d1 6a 58 53 3f f6 d9 e6 00 09 46 4a 5f 9d 94",
		"0a 54 64 52 53 29 0d 60 dd ad d0 e0 30 ba cd 9e 55 01 ef dc 22 07 55 a1 e9 78 f1 b8 39 a0 56 88",
		"48 d5 dd d4 06 12 57 ba 16 6f a3 f9 bb db 74 f1 a4 e8 1c 08 93 84 fa 77 f7 90 70 9f 0d fb c7 66",
		"0b e7 c1 f5 aa d8 7d 7e 44 86 62 67 32 98 a4 43 47 8b 85 97 45 17 9e af 56 4c 79 c0 ef 6e ee 25",
		"c7 49 50 60 7a 12 32 7f-32 04 d9 4b 68 25 bf b0 68 b7 f8 31 9a 9e 37 08-ed 3d 43 ce 81 30 c9 50",
	}} {
		x, err := Start(c.group, bytes.NewReader(octets(t, c.i)))
		if err != nil {
			t.Fatal(err)
		}
		public, secret, err := Respond(c.group, x.Public(), bytes.NewReader(octets(t, c.r)))
		if err != nil {
			t.Fatal(err)
		}
		mine, err := x.Secret(public)
		if err != nil {
			t.Fatal(err)
		}
		want := octets(t, c.secret)
		if !bytes.Equal(x.Public(), octets(t, c.ke)) || !bytes.Equal(public, octets(t, c.ker)) || !bytes.Equal(secret, want) || !bytes.Equal(mine, want) {
			t.Errorf("%v:\n%x\n%x\n%x\n%x", c.group, x.Public(), public, secret, mine)
		}
	}
}

// π to n bits, by Machin's formula.
func pi(n uint) *big.Int {
	const guard = 64
	one := new(big.Int).Lsh(big.NewInt(1), n+guard)
	arctan := func(x int64) *big.Int { // of 1/x
		sum, term := new(big.Int), new(big.Int).Div(one, big.NewInt(x))
		square := big.NewInt(x * x)
		for k := int64(1); term.Sign() != 0; k += 2 {
			d := new(big.Int).Div(term, big.NewInt(k))
			if k%4 == 3 {
				d.Neg(d)
			}
			sum.Add(sum, d)
			term.Div(term, square)
		}
		return sum
	}
	out := new(big.Int).Mul(arctan(5), big.NewInt(16))
	out.Sub(out, new(big.Int).Mul(arctan(239), big.NewInt(4)))
	return out.Rsh(out, guard)
}

// The primes are those that RFC 3526 derives from π: 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130)
// π] + c).
func TestPrimes(t *testing.T) {
	for _, c := range []struct {
		text string
		n    uint
		c    int64
	}{{modp2048, 2048, 124476}, {modp3072, 3072, 1690314}, {modp4096, 4096, 240904}} {
		one := big.NewInt(1)
		p := pi(c.n - 130)
		p.Add(p, big.NewInt(c.c)).Lsh(p, 64)
		p.Add(p, new(big.Int).Lsh(one, c.n)).Sub(p, new(big.Int).Lsh(one, c.n-64)).Sub(p, one)
		if p.Cmp(new(big.Int).SetBytes(octets(t, c.text))) != 0 {
			t.Errorf("%d bits", c.n)
		}
	}
}

// The numbers are those of math/big.
func TestMODPAgainstBig(t *testing.T) {
	for g, text := range map[packet.Group]string{packet.MODP2048: modp2048, packet.MODP3072: modp3072, packet.MODP4096: modp4096} { // unordered: each by itself
		p := new(big.Int).SetBytes(octets(t, text))
		n := len(octets(t, text))
		private := bytes.Repeat([]byte{0xa5, 0x3c, 0x01, 0xff}, modpGroups[g].exponentLen/4)
		x, err := Start(g, bytes.NewReader(private))
		if err != nil {
			t.Fatal(err)
		}
		e := new(big.Int).SetBytes(private)
		if want := new(big.Int).Exp(big.NewInt(2), e, p).FillBytes(make([]byte, n)); !bytes.Equal(x.Public(), want) {
			t.Errorf("%v: public value", g)
		}
		y := big.NewInt(12345)
		got, err := x.Secret(y.FillBytes(make([]byte, n)))
		if want := new(big.Int).Exp(y, e, p).FillBytes(make([]byte, n)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: secret, %v", g, err)
		}
	}
}

// A public value that is none, or gives the secret away, is refused: 0, 1, p-1, p and
// more, another length (RFC 6989 section 2.1, RFC 7296 section 3.4); points that are not
// on the curve, or at infinity (RFC 6989 section 2.3); a secret of zeros (RFC 8031
// section 3.2); an encapsulation key that is not reduced (FIPS 203 section 7.2).
func TestPublicValues(t *testing.T) {
	bad := map[packet.Group][][]byte{}
	for g, text := range map[packet.Group]string{packet.MODP2048: modp2048, packet.MODP3072: modp3072, packet.MODP4096: modp4096} { // unordered: into a map
		p := octets(t, text)
		zero, one := make([]byte, len(p)), make([]byte, len(p))
		one[len(p)-1] = 1
		minus := bytes.Clone(p)
		minus[len(p)-1]--
		two := bytes.Clone(one)
		two[len(p)-1] = 2
		x, err := Start(g, seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Secret(two); err != nil {
			t.Errorf("%v: 2 is a public value: %v", g, err)
		}
		bad[g] = [][]byte{zero, one, minus, p, bytes.Repeat([]byte{0xff}, len(p)), two[1:], append([]byte{0}, two...)}
	}
	for _, g := range []packet.Group{packet.ECP256, packet.ECP384, packet.ECP521} {
		n := publicLen[g][0]
		x, err := Start(g, seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		off := bytes.Clone(x.Public())
		off[n-1] ^= 1
		bad[g] = [][]byte{make([]byte, n), off, x.Public()[1:], append(bytes.Clone(x.Public()), 0), bytes.Repeat([]byte{0xff}, n), x.Public()[:n/2]}
	}
	one := make([]byte, 32)
	one[0] = 1
	bad[packet.Curve25519] = [][]byte{
		make([]byte, 32), one, make([]byte, 31), make([]byte, 33),
		octets(t, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), // of order 8
	}
	bad[packet.MLKEM768] = [][]byte{bytes.Repeat([]byte{0xff}, 1184), make([]byte, 1183), make([]byte, 1185)}
	bad[packet.MLKEM1024] = [][]byte{bytes.Repeat([]byte{0xff}, 1568), make([]byte, 1567), make([]byte, 1569)}
	for _, g := range ours {
		if len(bad[g]) == 0 {
			t.Errorf("%v: no bad values", g)
		}
		x, err := Start(g, seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range append(bad[g], nil, []byte{4}) {
			if _, _, err := Respond(g, v, seeded(2)); err != ErrPublicValue {
				t.Errorf("%v: responder takes %x…: %v", g, v[:min(8, len(v))], err)
			}
			if KEM(g) && len(v) == publicLen[g][1] {
				continue // any ciphertext of the right length gives a secret
			}
			if _, err := x.Secret(v); err != ErrPublicValue {
				t.Errorf("%v: initiator takes %x…: %v", g, v[:min(8, len(v))], err)
			}
		}
	}
}

// A ciphertext that was changed gives a secret that the other end does not have (FIPS
// 203 section 6.3), and not an error.
func TestImplicitRejection(t *testing.T) {
	x, err := Start(packet.MLKEM768, seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	c, secret, err := Respond(packet.MLKEM768, x.Public(), seeded(2))
	if err != nil {
		t.Fatal(err)
	}
	c[5] ^= 1
	got, err := x.Secret(c)
	if err != nil || len(got) != mlkem.SharedKeySize || bytes.Equal(got, secret) {
		t.Errorf("%x, %v", got, err)
	}
}

// Encapsulation repeats where that is wanted, and nowhere else.
func TestRepeatable(t *testing.T) {
	for _, g := range []packet.Group{packet.MLKEM768, packet.MLKEM1024} {
		x, err := Start(g, seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		respond := func(random io.Reader) []byte {
			c, secret, err := Respond(g, x.Public(), random)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := x.Secret(c); err != nil || !bytes.Equal(got, secret) {
				t.Fatalf("%x, %v", got, err)
			}
			return c
		}
		if !bytes.Equal(respond(seeded(2)), respond(seeded(2))) {
			t.Errorf("%v: two runs differ", g)
		}
		if bytes.Equal(respond(seeded(2).Reader), respond(seeded(2).Reader)) {
			t.Errorf("%v: a secret that can be foreseen", g)
		}
	}
}

// Without randomness there is no key.
func TestNoRandomness(t *testing.T) {
	for _, g := range ours {
		if _, err := Start(g, failing{}); err == nil {
			t.Errorf("%v: a key", g)
		}
		x, err := Start(g, seeded(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Respond(g, x.Public(), Repeatable{failing{}}); err == nil {
			t.Errorf("%v: an answer", g)
		}
	}
	// A source of ones never gives a number below the order.
	for _, g := range []packet.Group{packet.ECP256, packet.ECP384} {
		if _, err := Start(g, bytes.NewReader(bytes.Repeat([]byte{0xff}, 10000))); err != errRandom {
			t.Errorf("%v: %v", g, err)
		}
	}
}
