package ipsec

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// authority is a certification authority.
type authority struct {
	t      *testing.T
	cert   *x509.Certificate
	key    crypto.Signer
	pem    []byte
	serial int64
}

// newSigner makes a key pair of a kind: "rsa", "ecdsa" or "eddsa".
func newSigner(t *testing.T, kind string) (key crypto.Signer) {
	t.Helper()
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newAuthority makes an authority, with an ECDSA key.
func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, key: newSigner(t, "ecdsa")}
	a.cert = a.template("CA")
	a.cert.IsCA, a.cert.BasicConstraintsValid, a.cert.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	a.pem = a.sign(a.cert, a.key)
	block, _ := pem.Decode(a.pem)
	var err error
	if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) template(name string) *x509.Certificate {
	a.serial++
	return &x509.Certificate{SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{Organization: []string{"Cloud"}, CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
}

// sign signs a certificate for a key; the result is PEM.
func (a *authority) sign(c *x509.Certificate, key crypto.Signer) []byte {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// issue makes a key of a kind and a certificate for a name, both in PEM.
func (a *authority) issue(kind, name string) (cert, key []byte) {
	a.t.Helper()
	c, k := a.template(name), newSigner(a.t, kind)
	c.DNSNames, c.KeyUsage = []string{name}, x509.KeyUsageDigitalSignature
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.sign(c, k), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// revoke makes a list of certificates that are revoked, in PEM.
func (a *authority) revoke(serials ...int64) []byte {
	a.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: list.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// TestCertificates has both ends prove by certificates who they are, with each kind of
// key, in both roles. Those of RSA are so large that IKE_AUTH goes in fragments. A peer
// whose certificate is revoked gets nowhere.
func TestCertificates(t *testing.T) {
	c, _, _ := newCloud(t)
	c.startCharon()
	for i, kind := range []string{"rsa", "ecdsa", "eddsa"} {
		ca := newAuthority(t)
		here, there := kind+".ours.example.net", kind+".charon.example.net"
		cert, key := ca.issue(kind, here)
		dir := filepath.Join(c.ours.Rundir(), "pki-"+kind)
		write := func(name string, b []byte) {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write("ca.pem", ca.pem)
		write("cert.pem", cert)
		write("key.pem", key)
		write("crl.pem", ca.revoke())
		c.ours.Configure(replaced(`crypto pki trustpoint KIND
ca-certificate file DIR/ca.pem
certificate file DIR/cert.pem
private-key file DIR/key.pem
crl file DIR/crl.pem
crypto ikev2 profile KIND
match identity remote fqdn domain charon.example.net
identity local fqdn HERE
authentication remote KIND-sig
authentication local KIND-sig
pki trustpoint KIND
crypto ipsec profile CLOUD
set ikev2-profile KIND
`, "KIND", kind, "DIR", dir, "HERE", here))
		cert, key = ca.issue(kind, there)
		revoked := ca.serial
		c.charon.LoadPEM(cert, ca.pem, key)
		for j, role := range []string{"responder", "initiator"} {
			n := 60 + 2*i + j
			c.site(n)
			t.Run(kind+"/"+role, func(t *testing.T) {
				c.wire.Clear()
				c.charon.Load(byCertificate(n, here, there))
				if role == "responder" {
					if err := c.charon.Initiate(name(n), "gre"); err != nil {
						t.Fatal(err)
					}
				}
				c.maps(n)
				c.up(t, n)
				if ours, theirs := c.fragments(ourAddr), c.fragments(nbma(n)); kind == "rsa" && (ours < 2 || theirs < 2) {
					t.Errorf("%d fragments from us, %d from charon", ours, theirs)
				}
				c.passes(t, n)
			})
		}
		if kind != "ecdsa" {
			continue
		}
		t.Run("revoked", func(t *testing.T) {
			const n = 70
			c.site(n)
			write("crl.pem", ca.revoke(revoked))
			c.ours.MustVtysh("clear crypto session remote " + nbma(n)) // by which files are read
			c.charon.Load(byCertificate(n, here, there))
			if err := c.charon.Initiate(name(n), "gre"); err == nil {
				t.Error("established")
			}
			if have := c.all(n); len(have) > 0 {
				t.Errorf("there are %v", have)
			}
			if c.charon.Logged("received AUTHENTICATION_FAILED notify error") == 0 {
				t.Error("charon is not told")
			}
		})
	}
	if t.Failed() {
		t.Log(c.ours.Vtysh("show crypto session detail"))
	}
}

// byCertificate is charon's connection with a site, of which each end is known by a name.
func byCertificate(n int, here, there string) string {
	text := connection(n, "aes256gcm16-prfsha384-x25519", "aes256gcm16-ecp256", "")
	text = strings.Replace(text, "local {\n   auth = psk", "local {\n   auth = pubkey\n   id = "+there, 1)
	return strings.Replace(text, "remote {\n   auth = psk", "remote {\n   auth = pubkey\n   id = "+here, 1)
}

// fragments counts the datagrams from an end that are fragments of messages (RFC 7383).
func (c *cloud) fragments(from string) int {
	return c.wire.Count(harness.All(harness.IsIKE, harness.Between(from, ""), func(f harness.Frame) bool {
		b := bytes.TrimPrefix(f.UDP(), make([]byte, 4)) // the marker of port 4500
		const nextPayload, skf = 16, 53                 // RFC 7296 section 3.1, RFC 7383 section 2.5
		return len(b) > nextPayload && b[nextPayload] == skf
	}))
}
