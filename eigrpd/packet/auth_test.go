package packet

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

// Digests of Cisco's routers, from the tests of a password cracker. What the digest
// does not cover was not published, and is filled in.
func TestDigestsOfRouters(t *testing.T) {
	auth := func(as, digest string) string {
		return "0205 0000 00000000 00000000 00000000 0000 " + as + " 0002 0028 0002 0010 00000001" + zeros(12) + digest
	}
	const tail = "0001000c 01000100 0000000f 00040008 05000300"
	for _, c := range []struct{ secret, hex string }{
		{"password12345", auth("002a", "1a42aaf8ebe2f766100ea1fa05a5fa55") + tail},
		{"1234567812345", auth("002a", "f29e7d44351d37e6fc71e2aacca63d28") + tail},
		{"ninja", auth("0001", "212acb1cb76b31a810a9752c5cf6f554") + tail},
		// longer than 16 octets: all of them count
		{"123456789012345678901234567890", auth("002a", "61f237e29d28538a372f01121f2cd12f") + tail},
		// 109 octets, of which the last 20 do not count
		{"password12345", auth("002a", "560c87396267310978883da92c0cff90") + tail +
			"00f5000c 0000 0004 0000 0000 0003 0009 04 0a000002 0005 0008 00000001"},
	} {
		b := repair(octets(t, c.hex))
		m, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Verify(b, Key{1, KeyedMD5, []byte(c.secret)}, netip.Addr{}) {
			t.Errorf("%q: not authentic", c.secret)
		}
		if m.Verify(b, Key{1, KeyedMD5, []byte(c.secret + "x")}, netip.Addr{}) {
			t.Errorf("%q: another secret is as good", c.secret)
		}
	}
}

// authenticated returns an Update with two routes, authenticated, as octets and read
// again.
func authenticated(t *testing.T, key Key, source netip.Addr) ([]byte, *Message) {
	t.Helper()
	m := Message{Opcode: Update, Sequence: 1, AS: 100, Routes: []Route{
		{Type: TypeIPv4Internal, Classic: metric.Classic{Delay: 1, Bandwidth: 2}, Destinations: prefixes("10.1.0.0/24")},
		{Type: TypeIPv4Internal, Classic: metric.Classic{Delay: 1, Bandwidth: 2}, Destinations: prefixes("10.2.0.0/24")},
	}}
	b, err := m.Append(nil, &key, source)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return b, got
}

// Every type of packet can be authenticated, and is.
func TestEveryOpcodeIsAuthenticated(t *testing.T) {
	for _, alg := range []Algorithm{KeyedMD5, HMACSHA256} {
		for _, o := range []Opcode{Update, Request, Query, Reply, Hello, SIAQuery, SIAReply} {
			m := Message{Opcode: o, AS: 100, Parameters: Goodbye(3), Software: &Software{1, 2, 2, 0}}
			key := Key{7, alg, []byte("secret")}
			b, err := m.Append(nil, &key, ip("10.0.0.1"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if got.Auth.KeyID != 7 || !got.Verify(b, key, ip("10.0.0.1")) {
				t.Errorf("%v, %v: not authentic", o, alg)
			}
			if got.Verify(b, Key{7, alg, []byte("Secret")}, ip("10.0.0.1")) {
				t.Errorf("%v, %v: another secret is as good", o, alg)
			}
		}
	}
}

// A change of any octet shows, where the digest covers it: HMAC-SHA-256 all,
// Keyed-MD5 all but the last 20. The checksum is no part of either.
func TestEveryOctetIsProtected(t *testing.T) {
	source := ip("10.0.0.1")
	for _, key := range []Key{{1, KeyedMD5, []byte("secret")}, {1, HMACSHA256, []byte("secret")}} {
		b, m := authenticated(t, key, source)
		end := len(b)
		if key.Algorithm == KeyedMD5 {
			end -= HeaderLen
		}
		for i := range b {
			b[i] ^= 0x40
			want := i < end && i != offChecksum && i != offChecksum+1
			if ok := m.Verify(b, key, source); ok == want {
				t.Errorf("%v: octet %d changed, authentic %v", key, i, ok)
			}
			b[i] ^= 0x40
		}
	}
}

// What the comment of the package warns of: in a packet of nothing but
// authentication Keyed-MD5 has no secret in it. HMAC-SHA-256 has.
func TestAcknowledgmentHasNoSecretInMD5(t *testing.T) {
	for alg, want := range map[Algorithm]bool{KeyedMD5: true, HMACSHA256: false} { // unordered: each by itself
		key, other := Key{1, alg, []byte("secret")}, Key{1, alg, []byte("other")}
		b, err := (&Message{Opcode: Hello, Ack: 3, AS: 100}).Append(nil, &key, ip("10.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Verify(b, key, ip("10.0.0.1")) || m.Verify(b, other, ip("10.0.0.1")) != want {
			t.Errorf("%v: wrong", alg)
		}
	}
}

// What proves nothing.
func TestVerifyRefuses(t *testing.T) {
	source := ip("10.0.0.1")
	md5 := Key{1, KeyedMD5, []byte("secret")}
	sha := Key{1, HMACSHA256, []byte("secret")}
	for _, good := range []Key{md5, sha} {
		b, m := authenticated(t, good, source)
		if !m.Verify(b, good, source) {
			t.Fatalf("%v: not authentic", good)
		}
		other := md5
		if good.Algorithm == KeyedMD5 {
			other = sha
		}
		for name, k := range map[string]Key{ // unordered: each by itself
			"another ID":        {2, good.Algorithm, good.Secret},
			"another algorithm": other,
			"no algorithm":      {1, NoAlgorithm, good.Secret},
			"no secret":         {1, good.Algorithm, nil},
			"another secret":    {1, good.Algorithm, []byte("secreT")},
		} {
			if m.Verify(b, k, source) {
				t.Errorf("%v: %s is as good", good, name)
			}
		}
		if m.Verify(b[:len(b)-1], good, source) && good.Algorithm == HMACSHA256 {
			t.Errorf("%v: a shorter packet is as good", good)
		}
		if m.Verify(b[:50], good, source) {
			t.Errorf("%v: half a digest is as good", good)
		}
	}
	b, m := authenticated(t, sha, source)
	if m.Verify(b, sha, ip("10.0.0.2")) || m.Verify(b, sha, netip.Addr{}) {
		t.Error("another sender is as good")
	}
	plain, err := (&Message{Opcode: Hello, AS: 1}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := Parse(plain); err != nil || m.Verify(plain, md5, source) {
		t.Errorf("a packet without authentication is authentic, %v", err)
	}
}

// The zone of a link-local source is the receiver's own affair.
func TestZoneOfSource(t *testing.T) {
	key := Key{1, HMACSHA256, []byte("secret")}
	b, m := authenticated(t, key, ip("fe80::1%tun0"))
	if !m.Verify(b, key, ip("fe80::1%eth7")) || !m.Verify(b, key, ip("fe80::1")) {
		t.Error("the zone matters")
	}
}

// The TLV may stand behind others (RFC 7868 section 6.6: in any order).
func TestAuthenticationBehindOthers(t *testing.T) {
	key := Key{1, HMACSHA256, []byte("secret")}
	first := octets(t, helloHeader+"0001 000c 01000100 0000000f"+"0002 0038 0003 0020 00000001"+zeros(44))
	copy(first[56:], key.digest(nil, first, 56, ip("10.0.0.1")))
	b := repair(first)
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Auth.Offset != 56 || !m.Verify(b, key, ip("10.0.0.1")) {
		t.Errorf("not authentic: %+v", m.Auth)
	}
}

// No verb of package fmt prints the secret.
func TestKeyHidesSecret(t *testing.T) {
	k := Key{3, HMACSHA256, []byte("hunter2")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, s := range []string{fmt.Sprintf(verb, k), fmt.Sprintf(verb, &k)} {
			if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e74657232") || strings.Contains(s, "104 117") {
				t.Errorf("%s prints %s", verb, s)
			}
		}
	}
	if got := k.String(); got != "key 3 (HMAC-SHA-256)" {
		t.Errorf("String is %q", got)
	}
}
