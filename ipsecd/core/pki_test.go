package core

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// rigWall is the time of day at which the rig begins; see testdata/pki.
var rigWall = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// der returns the DER of a file of testdata/pki.
func der(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "pki", file))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := pem.Decode(b)
	if p == nil {
		t.Fatalf("%s is no PEM", file)
	}
	return p.Bytes
}

func parsed(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// privateKey returns the key of a file of testdata/pki.
func privateKey(t testing.TB, file string) PrivateKey {
	t.Helper()
	b := der(t, file)
	k, err := x509.ParsePKCS8PrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return PrivateKey{k.(crypto.Signer)}
}

// steady signs without randomness, so that what it signs is the same in every run.
type steady struct{ crypto.Signer }

func (s steady) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.Signer.Sign(nil, digest, opts)
}

// ecKey returns a key that follows from a number.
func ecKey(t testing.TB, n byte) steady {
	t.Helper()
	raw := make([]byte, 32)
	raw[0], raw[31] = 1, n
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return steady{k}
}

func edKey(n byte) steady { return steady{ed25519.NewKeyFromSeed([]byte{31: n})} }

// maker is an authority of the tests.
type maker struct {
	t    testing.TB
	cert *x509.Certificate
	key  steady
}

// newMaker makes an authority that nobody is above.
func newMaker(t testing.TB, name string, key byte, change ...func(*x509.Certificate)) *maker {
	m := &maker{t, &x509.Certificate{Subject: pkix.Name{CommonName: name}}, ecKey(t, key)}
	m.cert = parsed(t, m.issue(name, m.key.Public(), append([]func(*x509.Certificate){asAuthority}, change...)...))
	return m
}

// below makes an authority below this one.
func (m *maker) below(name string, key byte, change ...func(*x509.Certificate)) *maker {
	k := ecKey(m.t, key)
	return &maker{m.t, parsed(m.t, m.issue(name, k.Public(), append([]func(*x509.Certificate){asAuthority}, change...)...)), k}
}

func asAuthority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

// issue returns a certificate as DER.
func (m *maker) issue(name string, pub crypto.PublicKey, change ...func(*x509.Certificate)) []byte {
	m.t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name))<<8 + int64(name[0])), Subject: pkix.Name{Organization: []string{"Example"}, CommonName: name},
		NotBefore: rigWall.Add(-24 * time.Hour), NotAfter: rigWall.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, f := range change {
		f(c)
	}
	if m.cert.Raw == nil {
		m.cert.Subject = c.Subject
	}
	der, err := x509.CreateCertificate(nil, c, m.cert, pub, m.key)
	if err != nil {
		m.t.Fatal(err)
	}
	return der
}

// crl returns a CRL in force with the serial numbers of certificates.
func (m *maker) crl(revoked []*x509.Certificate, change ...func(*x509.RevocationList)) []byte {
	m.t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: rigWall.Add(-time.Hour), NextUpdate: rigWall.Add(time.Hour)}
	for _, c := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: rigWall.Add(-2 * time.Hour)})
	}
	for _, f := range change {
		f(l)
	}
	der, err := x509.CreateRevocationList(nil, l, m.cert, m.key)
	if err != nil {
		m.t.Fatal(err)
	}
	return der
}

// certified is a configuration with one method for both ends, and a trust point.
func certified(m Method, tp Trustpoint) Config {
	cfg := plain()
	tp.Name = "t"
	cfg.Trustpoints = []Trustpoint{tp}
	p := &cfg.Profiles[0]
	p.LocalMethod, p.RemoteMethods, p.Keyring, p.Trustpoints = m, []Method{m}, "", []string{"t"}
	return cfg
}

// openssl is the configuration for a certificate of testdata/pki.
func openssl(t testing.TB, name string) Config {
	tp := Trustpoint{
		Authority: [][]byte{der(t, "root.pem"), der(t, "ecroot.pem"), der(t, "edroot.pem")},
		Chain:     [][]byte{der(t, name+".pem")}, Key: privateKey(t, name+".key"),
		CRLs: [][]byte{der(t, "root.crl"), der(t, "middle.crl"), der(t, "ecroot.crl")}, Revocation: true,
	}
	m := methodOf(tp.Key.Public())
	switch m {
	case MethodRSA:
		tp.Chain = append(tp.Chain, der(t, "middle.pem"))
	case MethodEdDSA: // its CRL is too old
		tp.Revocation = false
	}
	cfg := certified(m, tp)
	cfg.Profiles[0].RemoteMethods = []Method{MethodRSA, MethodECDSA, MethodEdDSA}
	return cfg
}

// own is the configuration for a certificate of a maker, with a key that follows from a
// number; it believes that maker.
func (m *maker) own(name string, key byte, change ...func(*x509.Certificate)) Config {
	k := ecKey(m.t, key)
	return certified(MethodECDSA, Trustpoint{Authority: [][]byte{m.cert.Raw}, Chain: [][]byte{m.issue(name, k.Public(), change...)}, Key: PrivateKey{k}})
}
