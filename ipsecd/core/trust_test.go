package core

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// refused fails unless an end refuses another, whoever begins: it keeps nothing, says
// AUTHENTICATION_FAILED and nothing more, and logs why.
func refused(t *testing.T, name string, good, bad Config, change func(bad *node), want string) {
	t.Helper()
	for _, badBegins := range []bool{true, false} {
		r, a, b := pair(t, good, bad)
		if change != nil {
			change(b)
		}
		if badBegins {
			r.secure(b, a)
		} else {
			r.secure(a, b)
		}
		r.run(time.Second)
		if len(a.sas) != 0 || len(a.order) != 0 || slices.ContainsFunc(a.events, func(e string) bool { return strings.Contains(e, " 2 ") }) {
			t.Errorf("%s: accepted: %v %v", name, a.order, a.events)
		}
		found := slices.ContainsFunc(a.logs, func(l string) bool { return strings.Contains(l, want) }) ||
			slices.ContainsFunc(a.pki, func(l Log) bool { return l.Mnemonic == want })
		if !found {
			t.Errorf("%s, bad begins %v: logs %q, want %s", name, badBegins, a.logs, want)
		}
		if !badBegins {
			continue
		}
		if s := b.states[a.addr.String()]; s.Reason != "refused: AUTHENTICATION_FAILED" {
			t.Errorf("%s: %+v", name, s)
		}
		if f := a.sends[len(a.sends)-1]; strings.TrimPrefix(a.exchanges(), "init ") != "init auth" && a.exchanges() != "init auth" || len(f.tx.Packet) > 100 {
			t.Errorf("%s: said %s, %d octets", name, a.exchanges(), len(f.tx.Packet))
		}
	}
}

// Whom nobody has to believe is not believed; the message says why, in Cisco's facility.
func TestUntrusted(t *testing.T) {
	ca, other := newMaker(t, "ca", 1), newMaker(t, "other", 2)
	twin := newMaker(t, "ca", 3) // of the same name
	middle := ca.below("middle", 4)
	good := ca.own("good", 10)
	with := func(change func(*Trustpoint)) Config {
		cfg := ca.own("good", 10)
		change(&cfg.Trustpoints[0])
		return cfg
	}
	checked := func(crls ...[]byte) Config {
		return with(func(tp *Trustpoint) { tp.Revocation, tp.CRLs = true, crls })
	}
	bad := ca.own("bad", 11)
	leaf := parsed(t, bad.Trustpoints[0].Chain[0])
	for _, c := range []struct {
		name      string
		good, bad Config
		want      string
	}{
		{"another authority", good, trusting(other.own("bad", 11), ca), "CERTIFICATE_INVALID"},
		{"an authority of the same name", good, trusting(twin.own("bad", 11), ca), "CERTIFICATE_INVALID"},
		{"signed by itself", good, trusting(selfSigned(t), ca), "CERTIFICATE_INVALID"},
		{"the one between left out", good, trusting(middle.own("bad", 11), ca), "CERTIFICATE_INVALID"},
		{"expired", good, ca.own("bad", 11, func(c *x509.Certificate) { c.NotAfter = rigWall.Add(-time.Second) }), "CERTIFICATE_INVALID_EXPIRED"},
		{"not yet valid", good, ca.own("bad", 11, func(c *x509.Certificate) { c.NotBefore = rigWall.Add(time.Hour) }), "CERTIFICATE_INVALID_NOT_YET_VALID"},
		{"no authority at all", with(func(tp *Trustpoint) { tp.Authority = nil }), bad, "CERTIFICATE_INVALID"},
		{"revoked", checked(ca.crl([]*x509.Certificate{leaf})), bad, "CERTIFICATE_REVOKED"},
		{"no CRL", checked(), bad, "CRL_MISSING"},
		{"CRL of another", checked(other.crl(nil)), bad, "CRL_MISSING"},
		{"CRL of the same name", checked(twin.crl(nil)), bad, "CRL_MISSING"},
		{"CRL too old", checked(ca.crl(nil, func(l *x509.RevocationList) { l.NextUpdate = rigWall.Add(-time.Minute) })), bad, "CRL_EXPIRED"},
		{"CRL of tomorrow", checked(ca.crl(nil, func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = rigWall.Add(time.Hour), rigWall.Add(2*time.Hour)
		})), bad, "CRL_EXPIRED"},
		{"key not for signatures", good, ca.own("bad", 11, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), "CERTIFICATE_INVALID_UNAUTHORIZED"},
		{"for mail", good, ca.own("bad", 11, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }), "CERTIFICATE_INVALID_UNAUTHORIZED"},
		{"critical and unknown", good, ca.own("bad", 11, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}), "CERTIFICATE_INVALID"},
	} {
		refused(t, c.name, c.good, c.bad, nil, c.want)
	}
	r, a, b := pair(t, checked(ca.crl(nil)), bad)
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 1)
	refused(t, "the signature changed", good, bad, func(n *node) { n.trustpoints[0].key.Signer = bent{n.trustpoints[0].key.Signer} }, "authentication failed")
	refused(t, "another key", good, bad, func(n *node) { n.trustpoints[0].key.Signer = ecKey(t, 12) }, "authentication failed")
	refused(t, "no certificate", good, bad, func(n *node) { n.trustpoints[0].chain[0].Raw = []byte{0x30, 0} }, "a certificate cannot be read")
}

// trusting changes whom a configuration believes, by a trust point of its own.
func trusting(cfg Config, m *maker) Config {
	cfg.Trustpoints = slices.Clone(cfg.Trustpoints)
	cfg.Trustpoints[0].Authority = [][]byte{m.cert.Raw}
	return cfg
}

func selfSigned(t testing.TB) Config {
	k := ecKey(t, 11)
	m := &maker{t, &x509.Certificate{Subject: pkix.Name{Organization: []string{"Example"}, CommonName: "bad"}}, k}
	return m.own("bad", 11)
}

// bent signs wrongly.
type bent struct{ crypto.Signer }

func (b bent) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	changed := slices.Clone(digest)
	changed[0] ^= 1
	return b.Signer.Sign(random, changed, opts)
}

// Without the time of day no certificate is believed; when it comes, it is.
func TestTimeUnknown(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	r, a, b := pair(t, ca.own("a", 10), ca.own("b", 11))
	r.step(b, WallClock{})
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 0)
	if len(b.pki) != 1 || !strings.Contains(b.pki[0].Text, "the time of day is not known") {
		t.Error(b.pki)
	}
	r.step(b, WallClock{rigWall.Add(25 * time.Hour)}) // after the end of the certificates
	r.run(3 * time.Second)
	r.agree(a, b, 0)
	r.step(b, WallClock{rigWall})
	r.run(time.Minute)
	r.agree(a, b, 1)
	// It goes on from there.
	b.pki = nil
	r.run(24 * time.Hour)
	r.step(b, Clear{IKE: true, AllVRFs: true})
	r.run(time.Minute)
	r.agree(a, b, 0)
	r.step(b, WallClock{rigWall})
	r.step(a, WallClock{rigWall})
	r.run(2 * time.Minute)
	r.agree(a, b, 1)
	if len(b.pki) == 0 {
		t.Fatal(b.logs)
	}
	if got := b.pki[0]; got.Mnemonic != "CERTIFICATE_INVALID_EXPIRED" || got.Severity != SeverityError || got.Facility != "PKI" {
		t.Errorf("%+v", got)
	}
}

// A chain of several is sent whole, and may be as long as 8.
func TestChains(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	chain := [][]byte{}
	m := ca
	for i := range 7 {
		m = m.below("below "+string(rune('a'+i)), byte(20+i))
		chain = append([][]byte{m.cert.Raw}, chain...)
	}
	cfg := trusting(m.own("spoke", 10), ca)
	leaf := cfg.Trustpoints[0].Chain[0]
	cfg.Trustpoints[0].Chain = append([][]byte{leaf}, chain...)
	good := ca.own("good", 11)
	r, a, b := pair(t, good, cfg)
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 1)
	for i := 1; i < 8; i++ {
		short := trusting(cfg, ca)
		short.Trustpoints[0].Chain = slices.Delete(slices.Clone(cfg.Trustpoints[0].Chain), i, i+1)
		refused(t, "one left out", good, short, nil, "CERTIFICATE_INVALID")
	}
	mixed := trusting(cfg, ca) // their order does not matter, but for the first
	slices.Reverse(mixed.Trustpoints[0].Chain[1:])
	r, a, b = pair(t, mixed, good)
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 1)
	cfg.Trustpoints[0].Chain = append(cfg.Trustpoints[0].Chain, leaf)
	r, a, b = pair(t, good, cfg)
	if len(b.pki) != 1 || b.pki[0].Text != "trust point t: the certificate is not used: there are more than 8 in its chain" {
		t.Error(b.pki)
	}
	r.secure(b, a)
	r.run(time.Second)
	r.agree(a, b, 0)
	if s := b.states[a.addr.String()]; s.Reason != "no certificate for the method of the IKEv2 profile" {
		t.Errorf("%+v", s)
	}
}

// What a trust point has in it that is of no use is said once, and not used.
func TestTrustpointNotes(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	k := ecKey(t, 9)
	tp := Trustpoint{Name: "x", Authority: [][]byte{{1}, ca.cert.Raw, ca.issue("ed", edKey(1).Public())}, Chain: [][]byte{ca.issue("own", ecKey(t, 8).Public())}, Key: PrivateKey{k}, CRLs: [][]byte{{1}, ca.crl(nil)}}
	read, notes := readTrustpoint(&tp)
	want := []string{"a certificate of an authority cannot be read", "a CRL is not used: it cannot be read", "the certificate is not used: its private key is not there"}
	if !slices.Equal(notes, want) || len(read.authorities) != 2 || len(read.crls) != 1 || read.method != MethodNone {
		t.Errorf("%q", notes)
	}
	for name, change := range map[string]func(l *x509.RevocationList){
		"its extension 2.5.29.27 is not supported": func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
		},
		"the extension 2.5.29.29 of an entry is not supported": func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: rigWall, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}}}}
		},
	} { // unordered: each by itself
		if l, why := readCRL(ca.crl(nil, change)); l != nil || why != name {
			t.Errorf("%v, %s, want %s", l, why, name)
		}
	}
}

// CRLs: each certificate but the one that is trusted needs one of its issuer, and one that
// may sign them.
func TestCRLs(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	middle := ca.below("middle", 2)
	mute := ca.below("mute", 3, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	chain := func(m *maker) []*x509.Certificate {
		return []*x509.Certificate{parsed(t, m.issue("spoke", ecKey(t, 9).Public())), m.cert}
	}
	for _, c := range []struct {
		name  string
		certs []*x509.Certificate
		crls  [][]byte
		want  string
	}{
		{"both", chain(middle), [][]byte{ca.crl(nil), middle.crl(nil)}, ""},
		{"that of the root only", chain(middle), [][]byte{ca.crl(nil)}, "CRL_MISSING"},
		{"that of the one below only", chain(middle), [][]byte{middle.crl(nil)}, "CRL_MISSING"},
		{"the one between is revoked", chain(middle), [][]byte{ca.crl([]*x509.Certificate{middle.cert}), middle.crl(nil)}, "CERTIFICATE_REVOKED"},
		{"revoked in one of two", chain(middle), [][]byte{ca.crl(nil), middle.crl(nil), middle.crl(chain(middle)[:1])}, "CERTIFICATE_REVOKED"},
		{"revoked in one that is too old", chain(middle), [][]byte{ca.crl(nil), middle.crl(nil), middle.crl(chain(middle)[:1], func(l *x509.RevocationList) { l.NextUpdate = rigWall.Add(-time.Minute) })}, "CERTIFICATE_REVOKED"},
		{"old and new", chain(middle), [][]byte{ca.crl(nil), middle.crl(nil, func(l *x509.RevocationList) { l.NextUpdate = rigWall.Add(-time.Minute) }), middle.crl(nil)}, ""},
		{"issuer may not sign CRLs", chain(mute), [][]byte{ca.crl(nil), (&maker{t, withCRLSign(mute.cert), mute.key}).crl(nil)}, "CRL_MISSING"},
	} {
		tp, notes := readTrustpoint(&Trustpoint{Authority: [][]byte{ca.cert.Raw}, CRLs: c.crls, Revocation: true})
		if len(notes) != 0 {
			t.Fatal(notes)
		}
		for range 2 { // the second time by what is remembered
			d := tp.believe(rigWall, c.certs)
			if got := d.String(); got != c.want {
				t.Errorf("%s: %+v", c.name, d)
			}
		}
	}
}

func withCRLSign(c *x509.Certificate) *x509.Certificate {
	out := *c
	out.KeyUsage |= x509.KeyUsageCRLSign
	return &out
}

func (d *distrust) String() string {
	if d == nil {
		return ""
	}
	return d.mnemonic
}

// RFC 4945 sections 5.1.3.2 and 5.1.3.12, and what we accept besides.
func TestPurposes(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	for _, c := range []struct {
		name   string
		change func(*x509.Certificate)
		want   bool
	}{
		{"none", func(c *x509.Certificate) {}, true},
		{"server", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, true},
		{"client", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, true},
		{"any", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, true},
		{"IKE", func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 17}}
		}, true},
		{"iKEIntermediate", func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 8, 2, 2}} }, true},
		{"mail", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }, false},
		{"code and OCSP", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageOCSPSigning}
		}, false},
		{"unknown", func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} }, false},
		{"non-repudiation", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }, true},
		{"no key usage", func(c *x509.Certificate) { c.KeyUsage = 0 }, true},
		{"key agreement", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }, false},
	} {
		leaf := parsed(t, ca.issue("x", ecKey(t, 5).Public(), c.change))
		if why := purpose(leaf); (why == "") != c.want {
			t.Errorf("%s: %q", c.name, why)
		}
		if c.name == "none" {
			continue
		}
		m := ca.below("middle", 6, func(a *x509.Certificate) {
			a.ExtKeyUsage, a.UnknownExtKeyUsage = leaf.ExtKeyUsage, leaf.UnknownExtKeyUsage
		})
		tp, _ := readTrustpoint(&Trustpoint{Authority: [][]byte{ca.cert.Raw}})
		d := tp.believe(rigWall, []*x509.Certificate{parsed(t, m.issue("x", ecKey(t, 5).Public())), m.cert})
		if ok := c.want || leaf.KeyUsage == x509.KeyUsageKeyAgreement; (d == nil) != ok {
			t.Errorf("authority, %s: %+v", c.name, d)
		}
	}
}

// Which identities are in a certificate: exactly those, no patterns, and no common name.
func TestIdentityInCertificate(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	cert := parsed(t, ca.issue("cn.example.com", ecKey(t, 5).Public(), func(c *x509.Certificate) {
		c.DNSNames, c.EmailAddresses = []string{"Spoke1.example.com", "*.example.net"}, []string{"Admin@Example.com"}
		for _, a := range []string{"192.0.2.1", "2001:db8::1"} {
			c.IPAddresses = append(c.IPAddresses, netip.MustParseAddr(a).AsSlice())
		}
	}))
	for _, c := range []struct {
		id   *packet.ID
		want bool
	}{
		{&packet.ID{Kind: packet.IDFQDN, Data: []byte("spoke1.EXAMPLE.com")}, true},
		{&packet.ID{Kind: packet.IDFQDN, Data: []byte("spoke1.example.com.")}, false},
		{&packet.ID{Kind: packet.IDFQDN, Data: []byte("spoke1.example.co")}, false},
		{&packet.ID{Kind: packet.IDFQDN, Data: []byte("spoke1.example.com\x00.evil.org")}, false},
		{&packet.ID{Kind: packet.IDFQDN, Data: []byte("cn.example.com")}, false},
		{&packet.ID{Kind: packet.IDFQDN, Data: []byte("*.example.net")}, false},
		{&packet.ID{Kind: packet.IDFQDN, Data: []byte("a.example.net")}, false},
		{&packet.ID{Kind: packet.IDFQDN, Data: []byte("\u017fpoke1.example.com")}, false}, // a long s, which is an s without its case
		{&packet.ID{Kind: packet.IDRFC822, Data: []byte("Admin@example.COM")}, true},
		{&packet.ID{Kind: packet.IDRFC822, Data: []byte("admin@example.com")}, false},
		{&packet.ID{Kind: packet.IDRFC822, Data: []byte("spoke1.example.com")}, false},
		{&packet.ID{Kind: packet.IDIPv4Addr, Data: []byte{192, 0, 2, 1}}, true},
		{&packet.ID{Kind: packet.IDIPv4Addr, Data: []byte{192, 0, 2, 2}}, false},
		{&packet.ID{Kind: packet.IDIPv6Addr, Data: netip.MustParseAddr("2001:db8::1").AsSlice()}, true},
		{&packet.ID{Kind: packet.IDIPv6Addr, Data: netip.MustParseAddr("::ffff:192.0.2.1").AsSlice()}, false},
		{&packet.ID{Kind: packet.IDKeyID, Data: []byte("Spoke1.example.com")}, false},
		{&packet.ID{Kind: packet.IDDERASN1DN, Data: cert.RawSubject}, true},
		{&packet.ID{Kind: packet.IDDERASN1DN, Data: ca.cert.RawSubject}, false},
	} {
		id, ok := identityOf(c.id)
		if !ok || id.in(cert) != c.want {
			t.Errorf("%v %q: %v", c.id.Kind, c.id.Data, !c.want)
		}
		if back := id.payload(false); !bytes.Equal(back.Data, c.id.Data) || back.Kind != c.id.Kind {
			t.Errorf("%v %q: written as %v %q", c.id.Kind, c.id.Data, back.Kind, back.Data)
		}
	}
}

// The identity that is said must be in the certificate, and fit the profile (RFC 7296
// section 3.5); that of the profile is sent as it is.
func TestWrongName(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	named := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = []string{name} }
	}
	bad := ca.own("bad", 11, named("spoke2.example.com"))
	bad.Profiles[0].Identity = Identity{Kind: IdentityFQDN, Name: "spoke1.example.com"}
	refused(t, "the name of another", ca.own("good", 10), bad, nil, "its certificate is not one of spoke1.example.com")
	good := ca.own("good", 10)
	good.Profiles[0].Matches = []Identity{{Kind: IdentityFQDN, Name: "example.com", Domain: true}}
	bad = ca.own("bad", 11, named("spoke2.example.org"))
	bad.Profiles[0].Identity = Identity{Kind: IdentityFQDN, Name: "spoke2.example.org"}
	refused(t, "a name that is not configured", good, bad, nil, "no IKEv2 profile for spoke2.example.org")
	bad.Profiles[0].Identity = Identity{}
	refused(t, "a subject where a name is wanted", good, bad, nil, "no IKEv2 profile for CN=bad,O=Example")
	spoke := ca.own("spoke", 11, named("spoke1.example.com"))
	spoke.Profiles[0].Identity = Identity{Kind: IdentityFQDN, Name: "spoke1.example.com"}
	r, a, b := pair(t, spoke, good)
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 1)
	if s := r.ready(b, 1)[0]; s.Peer.String() != "spoke1.example.com" {
		t.Error(s.Peer)
	}
}

// `identity local dn`, and what a certificate without a subject is called by.
func TestOwnIdentity(t *testing.T) {
	ca := newMaker(t, "ca", 1)
	empty := func(c *x509.Certificate) { c.Subject = pkix.Name{} }
	for _, c := range []struct {
		kind   IdentityKind
		change func(*x509.Certificate)
		want   string
	}{
		{IdentityNone, func(c *x509.Certificate) {}, "CN=spoke,O=Example"},
		{IdentityDN, func(c *x509.Certificate) {}, "CN=spoke,O=Example"},
		{IdentityNone, func(c *x509.Certificate) { empty(c); c.DNSNames = []string{"s.example.com"} }, "s.example.com"},
		{IdentityNone, func(c *x509.Certificate) { empty(c); c.EmailAddresses = []string{"s@example.com"} }, "s@example.com"},
		{IdentityNone, func(c *x509.Certificate) {
			empty(c)
			c.IPAddresses = append(c.IPAddresses, netip.MustParseAddr("192.0.2.77").AsSlice())
		}, "192.0.2.77"},
		{IdentityDN, func(c *x509.Certificate) { empty(c); c.DNSNames = []string{"s.example.com"} }, ""},
		{IdentityNone, empty, ""},
	} {
		cfg := ca.own("spoke", 11, c.change)
		cfg.Profiles[0].Identity = Identity{Kind: c.kind}
		r, a, b := pair(t, cfg, ca.own("hub", 10))
		r.secure(a, b)
		r.run(time.Second)
		if c.want == "" {
			if s := a.states[b.addr.String()]; s.Reason != "the certificate has no name in it" {
				t.Errorf("%+v", s)
			}
			continue
		}
		r.agree(a, b, 1)
		if s := r.ready(b, 1)[0]; s.Peer.String() != c.want {
			t.Errorf("%v, want %s", s.Peer, c.want)
		}
	}
}
