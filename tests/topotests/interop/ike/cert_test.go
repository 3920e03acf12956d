package ike

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// file returns a file of the certificates of ipsecd/core.
func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../../ipsecd/core/testdata/pki/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// der returns what is in PEM in a file.
func der(t *testing.T, name string) []byte {
	t.Helper()
	b, _ := pem.Decode(file(t, name))
	if b == nil {
		t.Fatalf("%s is no PEM", name)
	}
	return b.Bytes
}

func subject(t *testing.T, name string) []byte {
	t.Helper()
	c, err := x509.ParseCertificate(der(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return c.RawSubject
}

// methods are those of the certificates.
var methods = map[string]core.Method{"rsa": core.MethodRSA, "p256": core.MethodECDSA, "p384": core.MethodECDSA, "p521": core.MethodECDSA, "ed25519": core.MethodEdDSA}

// certified is our configuration with a certificate. The CRL of the Ed25519 authority is too
// old, so that a peer with such a certificate is believed without.
func certified(t *testing.T, own, peer string) core.Config {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(der(t, own+".key"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(aead(packet.PRFHMACSHA2256, packet.Curve25519))
	tp := core.Trustpoint{Name: "t", Chain: [][]byte{der(t, own+".pem")}, Key: core.PrivateKey{Signer: key.(crypto.Signer)}, Revocation: peer != "ed25519"}
	if own == "rsa" {
		tp.Chain = append(tp.Chain, der(t, "middle.pem"))
	}
	for _, a := range []string{"root", "ecroot", "edroot"} {
		tp.Authority = append(tp.Authority, der(t, a+".pem"))
	}
	for _, l := range []string{"root.crl", "middle.crl", "ecroot.crl"} {
		tp.CRLs = append(tp.CRLs, der(t, l))
	}
	cfg.Trustpoints = []core.Trustpoint{tp}
	p := &cfg.Profiles[0]
	p.LocalMethod, p.RemoteMethods, p.Keyring = methods[own], []core.Method{methods[peer]}, ""
	return cfg
}

// certConn is a connection of charon with certificates.
func certConn(id string) string {
	return strings.NewReplacer("auth = psk\n  }\n  remote", "auth = pubkey\n   id = "+id+"\n  }\n  remote", "auth = psk", "auth = pubkey").Replace(conn("aes256gcm16-prfsha256-x25519", ""))
}

// subjects are what the ends call themselves.
var subjects = map[string]string{"rsa": "CN=rsa,O=Example", "p256": "CN=p256,O=Example", "p384": "CN=p384,O=Example", "p521": "CN=p521,O=Example", "ed25519": `CN=Zo?\, of \+ \"ed\",O=Example,C=DE`}

// loadCerts gives charon the authorities and its own certificates.
func (w *world) loadCerts(t *testing.T, names ...string) {
	t.Helper()
	for _, a := range []string{"root", "ecroot", "edroot"} {
		w.charon.LoadPEM(nil, file(t, a+".pem"), nil)
	}
	w.charon.LoadPEM(file(t, "middle.pem"), nil, nil)
	for _, n := range names {
		w.charon.LoadPEM(file(t, n+".pem"), nil, file(t, n+".key"))
	}
}

// TestCertificates authenticates both ends by certificates of each kind, in both roles
// (RFC 7427, RFC 8420). The messages go in fragments.
func TestCertificates(t *testing.T) {
	w := newWorld(t, "")
	pairs := [][2]string{{"rsa", "p256"}, {"p256", "rsa"}, {"p384", "p521"}, {"p521", "p384"}, {"p256", "ed25519"}, {"ed25519", "rsa"}}
	for _, p := range pairs { // ours, charon's
		w.loadCerts(t, p[1])
		id := p[1] + ".example.com"
		says := id
		if p[1] == "ed25519" {
			id, says = "asn1dn:#"+hex.EncodeToString(subject(t, "ed25519.pem")), subjects[p[1]]
		}
		w.with("initiator/"+p[0]+"-"+p[1], certified(t, p[0], p[1]), certConn(id), func(t *testing.T, o *ours) {
			o.secure()
			o.says(":500 drop=0 " + says) // it is up; charon's kernel has no ESP, so that the child is refused
		})
		w.with("responder/"+p[0]+"-"+p[1], certified(t, p[0], p[1]), strings.Replace(certConn(id), "  version", "  "+childless+"\n  version", 1), func(t *testing.T, o *ours) {
			w.initiates(t, o)
			sa := o.ready()
			if sa.LocalMethod != methods[p[0]] || sa.RemoteMethod != methods[p[1]] || sa.Identity.String() != subjects[p[0]] || sa.Peer.String() != says || !sa.Fragmentation {
				t.Errorf("%+v", sa)
			}
		})
	}
}

// TestCertificatesWithoutRFC7427: charon does not announce it. ECDSA goes by RFC 4754; with
// RSA charon insists on SHA-1, and there is no IKE SA.
func TestCertificatesWithoutRFC7427(t *testing.T) {
	w := newWorld(t, "signature_authentication = no\n")
	w.loadCerts(t, "p384", "rsa")
	w.with("initiator", certified(t, "p256", "p384"), certConn("p384.example.com"), func(t *testing.T, o *ours) {
		o.secure()
		o.says("up ")
	})
	w.with("responder", certified(t, "p256", "p384"), strings.Replace(certConn("p384.example.com"), "  version", "  "+childless+"\n  version", 1), func(t *testing.T, o *ours) { w.initiates(t, o) })
	w.with("RSA", certified(t, "p256", "rsa"), certConn("rsa.example.com"), func(t *testing.T, o *ours) {
		if err := w.charon.Initiate("c", ""); err == nil {
			t.Error("a signature with SHA-1 is accepted")
		}
		o.says("IKEV2-AUTHFAIL: peer " + there + ": authentication failed")
	})
}

// TestCertificateRefused: there is no CRL of the authority of charon's certificate.
func TestCertificateRefused(t *testing.T) {
	w := newWorld(t, "")
	w.loadCerts(t, "rsa")
	cfg := certified(t, "p256", "rsa")
	cfg.Trustpoints[0].CRLs = cfg.Trustpoints[0].CRLs[:1]
	w.with("no CRL", cfg, certConn("rsa.example.com"), func(t *testing.T, o *ours) {
		if err := w.charon.Initiate("c", ""); err == nil {
			t.Error("accepted")
		}
		o.says("PKI-CRL_MISSING: peer " + there + ": trust point t has no CRL of CN=Middle,OU=Routers,O=Example")
	})
}
