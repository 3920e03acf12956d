package core

import (
	"bytes"
	"crypto/x509"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// announced is what the other end said in IKE_SA_INIT of the signatures that it can verify.
type announced struct {
	rfc7427     bool                   // SIGNATURE_HASH_ALGORITHMS was there
	hashes      []packet.HashAlgorithm // those of it that we know
	authorities []string               // the hashes of Certificate Requests that are of our trust points
}

// signatures reports whether a profile authenticates peers by certificates.
func (p *Profile) signatures() bool {
	return slices.ContainsFunc(p.RemoteMethods, func(m Method) bool { return m != MethodPSK && m != MethodNone })
}

// verifiers are the profiles that can be those of an IKE SA at an address, and authenticate
// peers by certificates.
func (c *Core) verifiers(d domain) (out []*Profile) {
	t := c.tunnelAt(d)
	if t == nil {
		return nil
	}
	name := c.profileName(t)
	for i := range c.config.Profiles {
		p := &c.config.Profiles[i]
		if p.usable() && p.signatures() && (name == "" || p.Name == name) && (p.AnyFVRF || p.FVRF == t.vrf) {
			out = append(out, p)
		}
	}
	return out
}

// announceHashes tells which signatures we can verify, if we want to see any (RFC 7427
// section 4).
func (c *Core) announceHashes(d domain) []packet.Payload {
	if len(c.verifiers(d)) == 0 {
		return nil
	}
	return []packet.Payload{packet.NewHashes(suite.Hashes()...)}
}

// askCerts is what an answer to IKE_SA_INIT has about certificates.
func (c *Core) askCerts(d domain) []packet.Payload {
	return append(c.announceHashes(d), c.requestCerts(c.verifiers(d)...)...)
}

// requestCerts asks for certificates that the trust points of profiles will believe (RFC
// 7296 section 3.7).
func (c *Core) requestCerts(ps ...*Profile) []packet.Payload {
	var hashes [][]byte
	for _, p := range ps {
		if !p.signatures() {
			continue
		}
		for _, t := range c.trusted(p) {
			for _, a := range t.authorities {
				h := suite.KeyHash(a.RawSubjectPublicKeyInfo)
				if len(hashes) < maxAuthorities && !slices.ContainsFunc(hashes, func(o []byte) bool { return bytes.Equal(o, h) }) {
					hashes = append(hashes, h)
				}
			}
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	return []packet.Payload{&packet.CertReq{Encoding: packet.CertX509Signature, Data: slices.Concat(hashes...)}}
}

// note takes in what the other end says of signatures and of the authorities that it
// believes.
func (a *announced) note(c *Core, ps []packet.Payload) {
	if n := packet.FindNotify(ps, packet.SignatureHashAlgorithms); n != nil {
		hashes, ok := n.Hashes()
		a.rfc7427 = a.rfc7427 || ok
		for _, h := range suite.Hashes() {
			if slices.Contains(hashes, h) && !slices.Contains(a.hashes, h) {
				a.hashes = append(a.hashes, h)
			}
		}
	}
	for _, p := range ps {
		r, ok := p.(*packet.CertReq)
		if !ok {
			continue
		}
		for _, h := range r.Authorities() {
			if s := string(h); c.authorityKnown(s) && !slices.Contains(a.authorities, s) {
				a.authorities = append(a.authorities, s)
			}
		}
	}
}

func (c *Core) authorityKnown(hash string) bool {
	return slices.ContainsFunc(c.trustpoints, func(t *trustpoint) bool { return t.under([]string{hash}) })
}

// under reports whether the own certificate is below one of the authorities.
func (t *trustpoint) under(hashes []string) bool {
	if len(t.chain) == 0 {
		return false
	}
	is := func(c *x509.Certificate) bool {
		return slices.Contains(hashes, string(suite.KeyHash(c.RawSubjectPublicKeyInfo)))
	}
	return slices.ContainsFunc(t.chain[1:], is) || slices.ContainsFunc(t.authorities, is)
}

// credential returns the trust point whose certificate we show: of those of the profile that
// have one of its method the first that the other end asked for, or the first of all. It is
// nil if there is none.
func (c *Core) credential(sa *ikeSA, p *Profile) (best *trustpoint) {
	for _, t := range c.trusted(p) {
		if t.method != p.LocalMethod || t.method == MethodNone {
			continue
		}
		if t.under(sa.nego.announced.authorities) {
			return t
		}
		if best == nil {
			best = t
		}
	}
	return best
}

// certIdentity is what a certificate is of: its subject, or if that is empty an alternative
// name.
func certIdentity(cert *x509.Certificate) (Identity, bool) {
	if id, ok := dnIdentity(cert.RawSubject); ok {
		return id, true
	}
	switch {
	case len(cert.DNSNames) > 0:
		return Identity{Kind: IdentityFQDN, Name: cert.DNSNames[0]}, true
	case len(cert.EmailAddresses) > 0:
		return Identity{Kind: IdentityEmail, Name: cert.EmailAddresses[0]}, true
	}
	for _, a := range addresses(cert) {
		return addressIdentity(a), true
	}
	return Identity{}, false
}

// proof is how we authenticate ourselves.
type proof struct {
	id    *packet.ID
	certs []packet.Payload
	auth  *packet.Auth
}

// prove makes the payloads by which we authenticate ourselves as a profile wants it: by the
// key for who the peer is, if that is known, or by a certificate. messageID is that of
// IKE_AUTH. why is not "" if that is not possible.
func (c *Core) prove(sa *ikeSA, p *Profile, who Identity, messageID uint32) (out proof, why string) {
	sa.method = p.LocalMethod
	if p.LocalMethod == MethodPSK {
		key, _ := c.keys(p, sa.remote.Addr(), who)
		if len(key) == 0 {
			return out, "no pre-shared key"
		}
		sa.id = c.ownIdentity(sa, p)
		out.id = sa.id.payload(!sa.initiator)
		out.auth = suite.SharedKeyAuth(sa.suite.PRF, key, sa.octets(sa.initiator, out.id, messageID))
		return out, ""
	}
	t := c.credential(sa, p)
	if t == nil {
		return out, "no certificate for the method of the IKEv2 profile"
	}
	if sa.id = c.ownIdentity(sa, p); p.Identity.Kind == IdentityNone || p.Identity.Kind == IdentityDN {
		id, ok := certIdentity(t.chain[0])
		if !ok || p.Identity.Kind == IdentityDN && id.Kind != IdentityDN {
			return out, "the certificate has no name in it"
		}
		sa.id = id
	}
	out.id = sa.id.payload(!sa.initiator)
	for _, one := range t.chain {
		out.certs = append(out.certs, &packet.Cert{Encoding: packet.CertX509Signature, Data: one.Raw})
	}
	out.auth, why = c.sign(sa, t, sa.octets(sa.initiator, out.id, messageID))
	return out, why
}

// sign signs octets in a way that the peer can verify: by RFC 7427 if it announced that.
func (c *Core) sign(sa *ikeSA, t *trustpoint, octets []byte) (*packet.Auth, string) {
	scheme, err := suite.FixedFor(t.chain[0].PublicKey)
	if a := &sa.nego.announced; a.rfc7427 {
		scheme, err = suite.SchemeFor(t.chain[0].PublicKey, a.hashes, false)
	}
	if err != nil {
		return nil, "the peer cannot verify signatures of our key"
	}
	auth, err := scheme.Sign(t.key, octets, c.random)
	if err != nil {
		return nil, "the private key does not sign"
	}
	return auth, ""
}

// verifySignature authenticates a peer by its certificate: that must be for a method of the
// profile, have the identity in it, belong to the key that signed, and be believed. It
// returns the method, or why not.
func (c *Core) verifySignature(now clock.Instant, sa *ikeSA, p *Profile, who Identity, ps []packet.Payload, octets []byte) ([]*x509.Certificate, Method, string) {
	if !p.signatures() {
		return nil, MethodNone, "IKEv2 profile " + p.Name + " wants a pre-shared key"
	}
	certs, why := certificates(ps)
	if why != "" {
		return nil, MethodNone, why
	}
	m := methodOf(certs[0].PublicKey)
	switch auth := packet.Find(ps, packet.TypeAuth).(*packet.Auth); {
	case m == MethodNone:
		return certs, m, "the key of the certificate is too weak, or of a kind that is not supported"
	case !slices.Contains(p.RemoteMethods, m):
		return certs, m, "IKEv2 profile " + p.Name + " wants no certificates of this kind"
	case !who.in(certs[0]):
		return certs, m, "its certificate is not one of " + who.String()
	case suite.Verify(certs[0].PublicKey, auth, octets) != nil:
		return certs, m, "authentication failed"
	}
	if d := c.believe(now, p, certs); d != nil {
		c.logAs("PKI", SeverityError, d.mnemonic, sa.remote.Addr(), d.text)
		return certs, m, "its certificate is not believed"
	}
	return certs, m, ""
}

// certificates reads the certificates of a message. The first is that of the key that signs
// (RFC 7296 section 3.6). Other encodings are passed over: nothing is fetched from where a
// peer says.
func certificates(ps []packet.Payload) (out []*x509.Certificate, why string) {
	for _, p := range ps {
		c, ok := p.(*packet.Cert)
		if !ok || c.Encoding != packet.CertX509Signature {
			continue
		}
		if len(out) == maxCerts {
			return nil, "too many certificates"
		}
		one, err := x509.ParseCertificate(c.Data)
		if err != nil {
			return nil, "a certificate cannot be read"
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		return nil, "no certificate"
	}
	return out, ""
}
