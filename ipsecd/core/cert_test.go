package core

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// RFC 7427, RFC 8420: certificates of each kind, made by OpenSSL, on both ends and in both
// roles. IKE_AUTH goes in fragments (RFC 7383), there and back.
func TestCertificateMethods(t *testing.T) {
	names := []string{"rsa", "p256", "p384", "p521", "ed25519"}
	subjects := map[string]string{"rsa": "CN=rsa,O=Example", "p256": "CN=p256,O=Example", "p384": "CN=p384,O=Example", "p521": "CN=p521,O=Example", "ed25519": `CN=Zo?\, of \+ \"ed\",O=Example,C=DE`}
	for i, one := range names {
		for _, other := range []string{one, names[(i+1)%len(names)]} {
			x, y := openssl(t, one), openssl(t, other)
			if one == "ed25519" || other == "ed25519" {
				x.Trustpoints[0].Revocation, y.Trustpoints[0].Revocation = false, false
			}
			r, a, b := pair(t, x, y)
			r.secure(a, b)
			r.run(time.Second)
			r.agree(a, b, 1)
			sa, peer := r.ready(a, 1)[0], r.ready(b, 1)[0]
			if sa.LocalMethod != x.Profiles[0].LocalMethod || sa.RemoteMethod != y.Profiles[0].LocalMethod || peer.LocalMethod != sa.RemoteMethod || peer.RemoteMethod != sa.LocalMethod {
				t.Errorf("%s, %s: methods %d %d, %d %d", one, other, sa.LocalMethod, sa.RemoteMethod, peer.LocalMethod, peer.RemoteMethod)
			}
			if sa.Identity.String() != subjects[one] || sa.Peer.String() != subjects[other] || peer.Peer.String() != subjects[one] || a.states[b.addr.String()].Identity != subjects[other] {
				t.Errorf("%s, %s: %v, %v", one, other, sa.Identity, sa.Peer)
			}
			for _, n := range r.nodes {
				if fragments := strings.Count(strings.ToUpper(n.exchanges()), "AUTH"); fragments < 2 {
					t.Errorf("%s, %s: IKE_AUTH in %d", one, other, fragments)
				}
			}
			r.rekey(a)
			r.run(10 * time.Second)
			r.agree(a, b, 1)
			if s := r.ready(b, 1)[0]; s.LocalMethod != peer.LocalMethod || s.RemoteMethod != peer.RemoteMethod {
				t.Errorf("%s, %s: after a rekey %+v", one, other, s)
			}
		}
	}
}

// One end by a certificate, the other by a key, either way.
func TestMixedMethods(t *testing.T) {
	for _, initiator := range []bool{true, false} {
		x, y := openssl(t, "p256"), openssl(t, "p384")
		x.Profiles[0].RemoteMethods = []Method{MethodPSK}
		y.Profiles[0].LocalMethod, y.Profiles[0].RemoteMethods = MethodPSK, []Method{MethodECDSA}
		x.Profiles[0].Keyring, y.Profiles[0].Keyring = "k", "k"
		r, a, b := pair(t, x, y)
		if initiator {
			r.secure(a, b)
		} else {
			r.secure(b, a)
		}
		r.run(time.Second)
		r.agree(a, b, 1)
		if s := r.ready(a, 1)[0]; s.LocalMethod != MethodECDSA || s.RemoteMethod != MethodPSK || s.Peer.String() != b.addr.String() {
			t.Errorf("%+v", s)
		}
		if s := r.ready(b, 1)[0]; s.LocalMethod != MethodPSK || s.RemoteMethod != MethodECDSA || s.Peer.String() != "CN=p256,O=Example" {
			t.Errorf("%+v", s)
		}
	}
}

// pass lets two ends get to where the initiator is about to send IKE_AUTH; change is done to
// both before.
func pass(t *testing.T, a, b Config, change func(*announced)) (*rig, *node, *node) {
	r, x, y := pair(t, a, b)
	r.secure(x, y)
	for len(y.order) == 0 {
		r.next(r.now.Add(time.Second))
	}
	change(&y.order[0].nego.announced)
	sa := x.order[0]
	r.bend = func(f *flight) []time.Duration { return nil } // what is sent before the change
	for sa.state != StateAuthSent {
		r.next(r.now.Add(time.Second))
	}
	r.bend = nil
	change(&sa.nego.announced)
	sa.request = nil
	x.enqueue(r.now, sa, authTask{})
	r.drain(x)
	return r, x, y
}

// Peers that do not announce RFC 7427 get the signatures of RFC 4754, or of RFC 7296 with
// SHA-2; for Ed25519 there is none.
func TestWithoutRFC7427(t *testing.T) {
	for name, want := range map[string]packet.AuthMethod{"rsa": packet.AuthRSA, "p256": packet.AuthECDSA256, "p384": packet.AuthECDSA384, "p521": packet.AuthECDSA512, "ed25519": 0} { // unordered: each by itself
		cfg := openssl(t, name)
		r, a, b := pass(t, cfg, cfg, func(n *announced) {
			if !n.rfc7427 || len(n.hashes) != 4 || len(n.authorities) != 0 && n.authorities[0] == "" {
				t.Errorf("%s: %+v", name, n)
			}
			n.rfc7427, n.hashes = false, nil
		})
		if name == "ed25519" {
			r.run(time.Second)
			r.agree(a, b, 0)
			if s := a.states[b.addr.String()]; s.Reason != "the peer cannot verify signatures of our key" {
				t.Errorf("%+v", s)
			}
			continue
		}
		sa := a.order[0]
		own, why := a.prove(sa, a.Core.profile("i"), Identity{}, 1)
		if why != "" || own.auth.Method != want || own.auth.Algorithm != nil {
			t.Errorf("%s: %+v %s", name, own.auth, why)
		}
		r.run(time.Second)
		r.agree(a, b, 1)
	}
}

// RFC 7427 section 4: the hash is one that the peer announced.
func TestAnnouncedHash(t *testing.T) {
	cfg := openssl(t, "p256")
	r, a, b := pass(t, cfg, cfg, func(n *announced) { n.hashes = []packet.HashAlgorithm{packet.HashSHA2512} })
	own, _ := a.prove(a.order[0], a.Core.profile("i"), Identity{}, 1)
	if own.auth.Method != packet.AuthSignature || !bytes.Equal(own.auth.Algorithm, []byte{0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4}) {
		t.Errorf("%+v", own.auth)
	}
	r.run(time.Second)
	r.agree(a, b, 1)
}

// What the ends announce and ask for: hashes if certificates are wanted, and the SHA-1
// hashes of the keys of the authorities (RFC 7296 section 3.7).
func TestCertificateRequests(t *testing.T) {
	cfg := openssl(t, "p256")
	r, a, b := pair(t, cfg, cfg)
	r.secure(a, b)
	for a.order[0].state != StateAuthSent {
		r.next(r.now.Add(time.Second))
	}
	check := func(ps []packet.Payload) {
		t.Helper()
		q, ok := packet.Find(ps, packet.TypeCertReq).(*packet.CertReq)
		if !ok || q.Encoding != packet.CertX509Signature || len(q.Authorities()) != 3 || !bytes.Equal(q.Authorities()[1], suite.KeyHash(parsed(t, der(t, "ecroot.pem")).RawSubjectPublicKeyInfo)) {
			t.Errorf("%+v", q)
		}
	}
	for _, n := range r.nodes {
		inits := slices.DeleteFunc(slices.Clone(n.sends), func(f *flight) bool { return f.h.Exchange != packet.IKESAInit })
		m, err := packet.Parse(inits[len(inits)-1].tx.Packet)
		if err != nil {
			t.Fatal(err)
		}
		h, ok := packet.FindNotify(m.Payloads, packet.SignatureHashAlgorithms).Hashes()
		if !ok || !slices.Equal(h, []packet.HashAlgorithm{packet.HashSHA2256, packet.HashSHA2384, packet.HashSHA2512, packet.HashIdentity}) {
			t.Error(h)
		}
		if n == b {
			check(m.Payloads)
		}
	}
	_, ps, _ := authTask{}.request(a.Core, r.now, a.order[0])
	check(ps)
	// Where no certificate is wanted nothing is said of any.
	r, a, b = pair(t, plain(), plain())
	r.secure(a, b)
	r.next(r.now.Add(time.Second))
	for _, n := range r.nodes {
		m, err := packet.Parse(n.sends[0].tx.Packet)
		if err != nil || packet.FindNotify(m.Payloads, packet.SignatureHashAlgorithms) != nil || packet.Find(m.Payloads, packet.TypeCertReq) != nil {
			t.Error(err, m)
		}
	}
}

// Of several certificates the one is shown that the other end asks for.
func TestRequestedCertificate(t *testing.T) {
	one, two := newMaker(t, "one", 1), newMaker(t, "two", 2)
	for _, want := range []*maker{one, two} {
		cfg := one.own("first", 3)
		cfg.Trustpoints = append(cfg.Trustpoints, two.own("second", 4).Trustpoints...)
		cfg.Trustpoints[1].Name = "u"
		cfg.Profiles[0].Trustpoints = nil
		r, a, b := pair(t, cfg, want.own("other", 5))
		r.secure(a, b)
		r.run(time.Second)
		name := map[*maker]string{one: "CN=first,O=Example", two: "CN=second,O=Example"}[want]
		r.agree(a, b, 1)
		if s := r.ready(b, 1)[0]; s.Peer.String() != name {
			t.Errorf("%v, want %s", s.Peer, name)
		}
		r.secure(b, a) // and as responder
		r.step(a, Clear{IKE: true, AllVRFs: true})
		r.step(a, Unsecure{"Tunnel0", b.addr})
		r.run(10 * time.Second)
		if s := r.ready(b, 1)[0]; !s.Initiator || s.Peer.String() != name {
			t.Errorf("%+v, want %s", s, name)
		}
	}
}

// What OpenSSL says of certificates and CRLs at the time of the rig, and what we do.
func TestAgainstOpenSSL(t *testing.T) {
	tp := openssl(t, "rsa").Trustpoints[0]
	tp.CRLs = append(tp.CRLs, der(t, "old.crl"))
	read, notes := readTrustpoint(&tp)
	if len(notes) != 0 || len(read.crls) != 4 {
		t.Fatal(notes)
	}
	f, err := os.Open("testdata/pki/verify.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := map[string]string{"OK": "", "CRL has expired": "CRL_EXPIRED", "certificate has expired": "CERTIFICATE_INVALID_EXPIRED",
		"certificate is not yet valid": "CERTIFICATE_INVALID_NOT_YET_VALID", "certificate revoked": "CERTIFICATE_REVOKED", "invalid CA certificate": "CERTIFICATE_INVALID"}
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
		name, says, _ := strings.Cut(s.Text(), ": ")
		says, _, _ = strings.Cut(says, " (")
		mnemonic, ok := want[says]
		if !ok {
			t.Fatal(s.Text())
		}
		certs := []*x509.Certificate{parsed(t, der(t, name+".pem")), parsed(t, der(t, "middle.pem")), parsed(t, der(t, "p256.pem"))}
		got := ""
		d := read.believe(rigWall, certs)
		if d != nil {
			got = d.mnemonic
		}
		if got != mnemonic {
			t.Errorf("%s: %+v", s.Text(), d)
		}
	}
	if n != 9 {
		t.Errorf("%d certificates", n)
	}
}
