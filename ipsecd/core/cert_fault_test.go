package core

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// forged lets the first of two ends send an IKE_AUTH that is not what it would be, as who
// has the keys of the IKE SA can.
func forged(t testing.TB, a, b Config, change func(ps []packet.Payload) []packet.Payload) (*rig, *node, *node) {
	r, x, y := pair(t, a, b)
	r.secure(x, y)
	sa := x.order[0]
	for sa.state != StateAuthSent {
		r.next(r.now.Add(time.Second))
	}
	r.flying = nil
	_, ps, ok := authTask{}.request(x.Core, r.now, sa)
	if !ok {
		t.Fatal(x.logs)
	}
	first, plain := chained(t, change(ps))
	r.step(y, RxPacket{Local: sa.remote, Remote: sa.local, Packet: x.seal(sa, packet.IKEAuth, 0, sa.request.id, first, plain)})
	r.drain(x)
	return r, x, y
}

// chained writes payloads one behind the other, as many as there are.
func chained(t testing.TB, ps []packet.Payload) (first packet.PayloadType, out []byte) {
	for i, p := range ps {
		b, err := packet.AppendPayloads(nil, []packet.Payload{p})
		if err != nil {
			t.Fatal(err)
		}
		if i+1 < len(ps) {
			b[0] = byte(ps[i+1].Type())
		}
		out = append(out, b...)
	}
	return ps[0].Type(), out
}

// rejected fails unless a forged IKE_AUTH came to nothing.
func rejected(t *testing.T, name string, b *node, want string) {
	t.Helper()
	if len(b.sas) != 0 || len(b.order) != 0 || len(b.states) != 0 {
		t.Errorf("%s: %v %v %v", name, b.order, b.sas, b.states)
	}
	if want != "" && !slices.Contains(b.logs, "peer 192.0.2.1: "+want) {
		t.Errorf("%s: %q, want %s", name, b.logs, want)
	}
}

// F11: signatures that are none, and methods that are not those of the certificate.
func TestF11Signatures(t *testing.T) {
	ecdsa256, rsa256 := []byte{0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}, []byte{0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0}
	pss := []byte{0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10, 0x30, 0}
	der := func(r, s int64) []byte {
		b, _ := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(r), big.NewInt(s)})
		return b
	}
	for _, own := range []string{"p256", "rsa"} {
		for _, c := range []struct {
			name string
			auth packet.Auth
		}{
			{"ECDSA 0, 0", packet.Auth{Method: packet.AuthSignature, Algorithm: ecdsa256, Data: der(0, 0)}},
			{"ECDSA 1, 0", packet.Auth{Method: packet.AuthSignature, Algorithm: ecdsa256, Data: der(1, 0)}},
			{"ECDSA 0, 1", packet.Auth{Method: packet.AuthSignature, Algorithm: ecdsa256, Data: der(0, 1)}},
			{"ECDSA -1, 1", packet.Auth{Method: packet.AuthSignature, Algorithm: ecdsa256, Data: der(-1, 1)}},
			{"ECDSA without anything", packet.Auth{Method: packet.AuthSignature, Algorithm: ecdsa256, Data: []byte{0x30, 0}}},
			{"ECDSA of zeros", packet.Auth{Method: packet.AuthECDSA256, Data: make([]byte, 64)}},
			{"ECDSA of nothing", packet.Auth{Method: packet.AuthECDSA256, Data: []byte{0}}},
			{"ECDSA of another curve", packet.Auth{Method: packet.AuthECDSA384, Data: make([]byte, 96)}},
			{"RSA 0", packet.Auth{Method: packet.AuthSignature, Algorithm: rsa256, Data: make([]byte, 256)}},
			{"RSA 1", packet.Auth{Method: packet.AuthSignature, Algorithm: rsa256, Data: append(make([]byte, 255), 1)}},
			{"RSA too long", packet.Auth{Method: packet.AuthSignature, Algorithm: rsa256, Data: bytes.Repeat([]byte{1}, 4096)}},
			{"RSA of method 1", packet.Auth{Method: packet.AuthRSA, Data: append(make([]byte, 255), 1)}},
			{"PSS without parameters", packet.Auth{Method: packet.AuthSignature, Algorithm: pss, Data: make([]byte, 256)}},
			{"DSS", packet.Auth{Method: packet.AuthDSS, Data: make([]byte, 40)}},
			{"NULL", packet.Auth{Method: packet.AuthNull, Data: make([]byte, 32)}},
			{"no method", packet.Auth{Data: make([]byte, 32)}},
		} {
			cfg := openssl(t, own)
			_, _, b := forged(t, cfg, cfg, func(ps []packet.Payload) []packet.Payload {
				return replaced(ps, &c.auth)
			})
			rejected(t, own+", "+c.name, b, "authentication failed")
		}
	}
}

// replaced puts payloads in the place of the first of their type.
func replaced(ps []packet.Payload, by ...packet.Payload) []packet.Payload {
	out := slices.Clone(ps)
	for _, p := range by {
		out[slices.IndexFunc(out, func(o packet.Payload) bool { return o.Type() == p.Type() })] = p
	}
	return out
}

// F11: keys that are no keys. Nothing is computed with them.
func TestF11WeakKeys(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	odd := func(bits uint) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1))
	}
	good := ca.own("good", 10)
	good.Profiles[0].RemoteMethods = []Method{MethodRSA, MethodECDSA}
	for name, pub := range map[string]crypto.PublicKey{
		"512 bits": &rsa.PublicKey{N: odd(512), E: 65537}, "1024 bits": &rsa.PublicKey{N: odd(1024), E: 65537}, "2047 bits": &rsa.PublicKey{N: odd(2047), E: 65537},
		"8193 bits": &rsa.PublicKey{N: odd(8193), E: 65537}, "exponent 3": &rsa.PublicKey{N: odd(2048), E: 3}, "exponent 1": &rsa.PublicKey{N: odd(2048), E: 1},
	} { // unordered: each by itself
		_, _, b := forged(t, ca.own("bad", 11), good, func(ps []packet.Payload) []packet.Payload {
			return replaced(ps, &packet.Cert{Encoding: packet.CertX509Signature, Data: ca.issue("bad", pub)})
		})
		rejected(t, name, b, "the key of the certificate is too weak, or of a kind that is not supported")
		// As an authority between it is not even tried.
		middle := ca.issue("middle", pub, asAuthority)
		tp, _ := readTrustpoint(&good.Trustpoints[0])
		leaf := ca.below("middle", 12).issue("bad", ecKey(t, 11).Public())
		if d := tp.believe(rigWall, []*x509.Certificate{parsed(t, leaf), parsed(t, middle)}); d == nil || strings.Contains(d.text, "possibly") {
			t.Errorf("%s: %+v", name, d)
		}
		if _, notes := readTrustpoint(&Trustpoint{Authority: [][]byte{middle}}); len(notes) != 1 || !strings.Contains(notes[0], "too weak") {
			t.Errorf("%s: %q", name, notes)
		}
	}
}

// F12: chains that are long, or go in a circle, and constraints that are not obeyed.
func TestF12Chains(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	good, _ := readTrustpoint(&Trustpoint{Authority: [][]byte{ca.cert.Raw}})
	key := ecKey(t, 9).Public()
	x := &maker{t, parsed(t, newMaker(t, "y", 3).issue("x", ecKey(t, 2).Public(), asAuthority)), ecKey(t, 2)}
	y := &maker{t, parsed(t, x.issue("y", ecKey(t, 3).Public(), asAuthority)), ecKey(t, 3)}
	circle := []*x509.Certificate{parsed(t, x.issue("spoke", key)), y.cert, x.cert, y.cert, x.cert, parsed(t, y.issue("x", ecKey(t, 2).Public(), asAuthority, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(99) }))}
	many := []*x509.Certificate{}
	for i := range 7 {
		many = append(many, parsed(t, x.issue("x", ecKey(t, 2).Public(), asAuthority, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(int64(i + 1)); c.Subject = x.cert.Subject })))
	}
	many = append([]*x509.Certificate{parsed(t, x.issue("spoke", key))}, many...)
	names := func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.com"}
		c.ExcludedIPRanges = []*net.IPNet{{IP: net.IP{198, 51, 100, 0}, Mask: net.CIDRMask(24, 32)}}
	}
	under := ca.below("under", 4, names)
	flat := ca.below("flat", 5, func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })
	deeper := flat.below("deeper", 6)
	for _, c := range []struct {
		name  string
		certs []*x509.Certificate
		ok    bool
	}{
		{"a circle", circle, false},
		{"many of the same name", many, false},
		{"within name constraints", []*x509.Certificate{parsed(t, under.issue("a", key, func(c *x509.Certificate) { c.DNSNames = []string{"a.example.com"} })), under.cert}, true},
		{"against name constraints", []*x509.Certificate{parsed(t, under.issue("a", key, func(c *x509.Certificate) { c.DNSNames = []string{"a.example.com", "a.example.org"} })), under.cert}, false},
		{"an address that is excluded", []*x509.Certificate{parsed(t, under.issue("a", key, func(c *x509.Certificate) { c.IPAddresses = []net.IP{{198, 51, 100, 7}} })), under.cert}, false},
		{"within the length of the path", []*x509.Certificate{parsed(t, flat.issue("a", key)), flat.cert}, true},
		{"beyond the length of the path", []*x509.Certificate{parsed(t, deeper.issue("a", key)), deeper.cert, flat.cert}, false},
	} {
		if d := good.believe(rigWall, c.certs); (d == nil) != c.ok {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
}

// F12: more certificates and requests than anybody needs are refused before they are read,
// and what cannot be read is.
func TestF12Numbers(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	cert := &packet.Cert{Encoding: packet.CertX509Signature, Data: ca.issue("x", ecKey(t, 5).Public())}
	for name, c := range map[string]struct {
		more []packet.Payload
		want string
	}{
		"9 certificates":                     {slices.Repeat([]packet.Payload{cert}, 8), ""},
		"21 requests":                        {slices.Repeat([]packet.Payload{&packet.CertReq{Encoding: packet.CertX509Signature, Data: make([]byte, 20)}}, 20), ""},
		"no certificate, as an intermediate": {[]packet.Payload{&packet.Cert{Encoding: packet.CertX509Signature, Data: bytes.Repeat([]byte{0x30, 0x80}, 10000)}}, "a certificate cannot be read"},
	} { // unordered: each by itself
		_, _, b := forged(t, ca.own("a", 10), ca.own("b", 11), func(ps []packet.Payload) []packet.Payload { return append(slices.Clone(c.more), ps...) })
		if c.want == "" {
			if f := b.sends[len(b.sends)-1]; len(b.order) != 0 || len(f.tx.Packet) > 100 {
				t.Errorf("%s: %v, %d octets", name, b.order, len(f.tx.Packet))
			}
			continue
		}
		rejected(t, name, b, c.want)
	}
	_, _, b := forged(t, ca.own("a", 10), ca.own("b", 11), func(ps []packet.Payload) []packet.Payload {
		return slices.DeleteFunc(slices.Clone(ps), func(p packet.Payload) bool { return p.Type() == packet.TypeCert })
	})
	rejected(t, "no certificate", b, "no certificate")
}

// F13: what a peer names to be fetched is not fetched: a certificate by hash and URL is none,
// and one whose CRL is somewhere has none.
func TestF13NothingIsFetched(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	urls := func(c *x509.Certificate) {
		c.CRLDistributionPoints, c.OCSPServer, c.IssuingCertificateURL = []string{"http://127.0.0.1:1/crl"}, []string{"http://127.0.0.1:1/ocsp"}, []string{"http://127.0.0.1:1/ca"}
		u, _ := url.Parse("http://127.0.0.1:1/")
		c.URIs = []*url.URL{u}
	}
	fetch := []packet.Payload{
		&packet.Cert{Encoding: packet.CertHashURL, Data: append(make([]byte, 20), "http://127.0.0.1:1/"...)},
		&packet.Cert{Encoding: packet.CertHashURLBundle, Data: append(make([]byte, 20), "http://127.0.0.1:1/"...)},
		&packet.Cert{Encoding: packet.CertCRL, Data: ca.crl(nil)}, &packet.Cert{Encoding: packet.CertRawPublicKey, Data: []byte{0x30, 0}},
	}
	_, _, b := forged(t, ca.own("a", 10), ca.own("b", 11), func(ps []packet.Payload) []packet.Payload {
		return append(slices.Clone(fetch), slices.DeleteFunc(slices.Clone(ps), func(p packet.Payload) bool { return p.Type() == packet.TypeCert })...)
	})
	rejected(t, "other encodings", b, "no certificate")
	_, _, b = forged(t, ca.own("a", 10), ca.own("b", 11), func(ps []packet.Payload) []packet.Payload { return append(slices.Clone(fetch), ps...) })
	if len(b.order) != 1 || b.order[0].state != StateReady {
		t.Errorf("other encodings besides: %v %q", b.order, b.logs)
	}
	strict := ca.own("b", 11)
	strict.Trustpoints[0].Revocation = true
	refused(t, "a CRL that is elsewhere", strict, ca.own("a", 10, urls), nil, "CRL_MISSING")
	// A CRL that a peer sends is not one that the trust point has.
	_, _, b = forged(t, ca.own("a", 10), strict, func(ps []packet.Payload) []packet.Payload { return append(slices.Clone(fetch), ps...) })
	rejected(t, "a CRL from the peer", b, "its certificate is not believed")
}

// F14: the identity chooses the profile, and the profile the methods and the trust points,
// before anything is accepted.
func TestF14Methods(t *testing.T) {
	ecdsa := openssl(t, "p256")
	only := func(cfg Config, remote ...Method) Config {
		cfg.Profiles = slices.Clone(cfg.Profiles)
		cfg.Profiles[0].RemoteMethods, cfg.Profiles[0].Keyring = remote, "k"
		return cfg
	}
	psk := plain()
	refused(t, "RSA where ECDSA is wanted", only(ecdsa, MethodECDSA), only(openssl(t, "rsa"), MethodECDSA), nil, "IKEv2 profile i wants no certificates of this kind")
	refused(t, "Ed25519 where ECDSA is wanted", only(ecdsa, MethodECDSA), only(openssl(t, "ed25519"), MethodECDSA), nil, "IKEv2 profile i wants no certificates of this kind")
	mixed := only(ecdsa, MethodPSK, MethodECDSA) // who lets the good one in, so that it is the good one that refuses
	refused(t, "a certificate where a key is wanted", psk, mixed, nil, "IKEv2 profile i wants a pre-shared key")
	bad := only(plain(), MethodPSK, MethodECDSA, MethodRSA)
	bad.Trustpoints = ecdsa.Trustpoints
	refused(t, "a key where a certificate is wanted", only(ecdsa, MethodECDSA), bad, nil, "IKEv2 profile i wants no pre-shared key")
}

// F14: who has a certificate of one trust point does not get in by the name of those of
// another, nor a peer by a profile that was not begun with.
func TestF14TrustPointOfProfile(t *testing.T) {
	one, two := newMaker(t, "one", 1), newMaker(t, "two", 2)
	named := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = []string{name} }
	}
	hub := one.own("hub", 10)
	hub.Trustpoints = append(hub.Trustpoints, two.own("hub", 10).Trustpoints...)
	hub.Trustpoints[1].Name = "u"
	hub.Profiles[0].Matches = []Identity{{Kind: IdentityFQDN, Name: "one.example", Domain: true}}
	hub.Profiles = append(hub.Profiles, hub.Profiles[0])
	hub.Profiles[1].Name, hub.Profiles[1].Trustpoints, hub.Profiles[1].Matches = "j", []string{"u"}, []Identity{{Kind: IdentityAny}}
	hub.IPsec[0].Profile = ""
	spoke := func(m *maker, name string) Config {
		cfg := m.own("spoke", 11, named(name))
		cfg.Profiles[0].Identity = Identity{Kind: IdentityFQDN, Name: name}
		cfg.Trustpoints[0].Authority = [][]byte{one.cert.Raw, two.cert.Raw}
		return cfg
	}
	for _, c := range []struct {
		by      *maker
		name    string
		profile string
	}{{one, "a.one.example", "i"}, {two, "a.two.example", "j"}, {two, "a.one.example", ""}, {one, "a.two.example", ""}} {
		r, a, b := pair(t, hub, spoke(c.by, c.name))
		r.secure(b, a)
		r.run(time.Second)
		if c.profile == "" {
			r.agree(a, b, 0)
			if len(a.pki) != 1 || a.pki[0].Mnemonic != "CERTIFICATE_INVALID" {
				t.Errorf("%s: %+v", c.name, a.pki)
			}
			continue
		}
		r.agree(a, b, 1)
		if s := r.ready(a, 1)[0]; s.Profile != c.profile {
			t.Errorf("%s: profile %s", c.name, s.Profile)
		}
	}
	// As initiator the hub begins with the one that an address fits, and takes no other.
	r, a, b := pair(t, hub, spoke(one, "a.one.example"))
	r.secure(a, b)
	r.run(time.Second)
	if len(a.order) != 0 || len(a.sas) != 0 {
		t.Error(a.order)
	}
}

// F14: who is not authenticated ends nothing by INITIAL_CONTACT, and no state of a peer
// changes.
func TestF14NothingBefore(t *testing.T) {
	ca, other := newMaker(t, "ca", 1), newMaker(t, "other", 2)
	r, a, b := pair(t, ca.own("a", 10), ca.own("b", 11))
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 1)
	events := len(b.events)
	evil := r.add(9, trusting(other.own("a", 12), ca)) // with the subject of a
	r.nodes = []*node{evil, b}
	evil.addr = a.addr
	r.step(evil, InterfaceChanged{interfaceAt(a.addr)})
	r.secure(evil, b)
	r.run(time.Second)
	if len(b.sas) != 2 || len(b.order) != 1 || len(b.events) != events || len(evil.sas) != 0 || len(b.pki) != 1 {
		t.Errorf("%v %v %v %v", b.sas, b.order, b.events, b.pki)
	}
	r.nodes = []*node{a, b}
	r.agree(a, b, 1)
}

// FuzzAuth: any certificates, identity and signature in IKE_AUTH, from who has the keys of
// the IKE SA but not that of a certificate.
func FuzzAuth(f *testing.F) {
	for _, name := range []string{"rsa", "p256", "ed25519"} {
		c := parsed(f, der(f, name+".pem"))
		f.Add(byte(packet.IDDERASN1DN), c.RawSubject, c.Raw, der(f, "middle.pem"), byte(packet.AuthSignature), []byte{0x30, 5, 6, 3, 0x2b, 0x65, 0x70}, make([]byte, 64))
		f.Add(byte(packet.IDFQDN), []byte(name+".example.com"), c.Raw, c.Raw, byte(packet.AuthECDSA256), []byte{1}, make([]byte, 64))
	}
	hub := openssl(f, "p256")
	r, x, y := pair(f, hub, hub)
	r.secure(x, y)
	for x.order[0].state != StateAuthSent {
		r.next(r.now.Add(time.Second))
	}
	sa := y.order[0]
	f.Fuzz(func(t *testing.T, kind byte, id, cert, above []byte, method byte, algorithm, data []byte) {
		a := &packet.Auth{Method: packet.AuthMethod(method), Algorithm: algorithm, Data: data}
		p, why := y.verify(r.now, sa, []packet.Payload{
			&packet.ID{Kind: packet.IDType(kind), Data: id}, a,
			&packet.Cert{Encoding: packet.CertX509Signature, Data: cert}, &packet.Cert{Encoding: packet.CertX509Signature, Data: above},
		}, true, 1, "")
		for _, e := range y.Drain(nil) {
			if l, ok := e.(Log); !ok || len(l.Text) > 1000 || l.Text != printable(l.Text) {
				t.Fatalf("%+v", e)
			}
		}
		if why == "" {
			t.Fatalf("%+v is believed", p)
		}
	})
}

// F17: the answer that asks for certificates of many authorities goes to who has shown that
// it is where it says, if it is longer than the request.
func TestF17CertificateRequests(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	hub := ca.own("hub", 10)
	for i := range byte(30) {
		hub.Trustpoints[0].Authority = append(hub.Trustpoints[0].Authority, newMaker(t, "other", 20+i).cert.Raw)
	}
	r, a, b := pair(t, ca.own("spoke", 11), hub)
	r.secure(a, b)
	r.next(r.now.Add(time.Second))
	if in, out := len(a.sends[0].tx.Packet), len(b.sends[0].tx.Packet); out > in || len(b.half) != 0 {
		t.Errorf("%d octets for %d, %d half-open", out, in, len(b.half))
	}
	r.run(time.Second)
	r.agree(a, b, 1)
	m, err := packet.Parse(b.sends[1].tx.Packet)
	if err != nil {
		t.Fatal(err)
	}
	if q := packet.Find(m.Payloads, packet.TypeCertReq).(*packet.CertReq); len(q.Authorities()) != maxAuthorities {
		t.Errorf("%d authorities", len(q.Authorities()))
	}
}
