package core

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Bounds of certificates.
const (
	maxCerts       = 8  // of one end
	maxAuthorities = 20 // that are asked for
)

// trustpoint is a Trustpoint that was read.
type trustpoint struct {
	name        string
	authorities []*x509.Certificate
	roots       *x509.CertPool // authorities; never nil, since that would be those of the system
	chain       []*x509.Certificate
	key         PrivateKey
	method      Method // that the own certificate is for, MethodNone if there is none
	crls        []*crl
	revocation  bool
}

// distrust is why a certificate is not believed: a message of Cisco's facility PKI.
type distrust struct{ mnemonic, text string }

func invalid(text string) *distrust { return &distrust{"CERTIFICATE_INVALID", text} }

// readTrustpoints reads what the configuration has; what cannot be read or is too weak is
// left out and logged.
func (c *Core) readTrustpoints() {
	c.trustpoints = nil
	for i := range c.config.Trustpoints {
		t, notes := readTrustpoint(&c.config.Trustpoints[i])
		for _, n := range notes {
			c.emit(Log{"PKI", SeverityWarning, "TRUSTPOINT", "trust point " + t.name + ": " + n})
		}
		c.trustpoints = append(c.trustpoints, t)
	}
}

func readTrustpoint(in *Trustpoint) (t *trustpoint, notes []string) {
	t = &trustpoint{name: in.Name, roots: x509.NewCertPool(), revocation: in.Revocation}
	for _, der := range in.Authority {
		a, err := x509.ParseCertificate(der)
		switch {
		case err != nil:
			notes = append(notes, "a certificate of an authority cannot be read")
		case !suite.Acceptable(a.PublicKey):
			notes = append(notes, "the key of the authority "+subject(a)+" is too weak, or of a kind that is not supported")
		default:
			t.authorities = append(t.authorities, a)
			t.roots.AddCert(a)
		}
	}
	for _, der := range in.CRLs {
		l, why := readCRL(der)
		if why != "" {
			notes = append(notes, "a CRL is not used: "+why)
			continue
		}
		t.crls = append(t.crls, l)
	}
	if why := t.readOwn(in); why != "" {
		notes = append(notes, "the certificate is not used: "+why)
		t.chain, t.key, t.method = nil, PrivateKey{}, MethodNone
	}
	return t, notes
}

// readOwn reads the own certificate with those above it.
func (t *trustpoint) readOwn(in *Trustpoint) (why string) {
	if len(in.Chain) > maxCerts {
		return fmt.Sprintf("there are more than %d in its chain", maxCerts)
	}
	for _, der := range in.Chain {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return "it cannot be read"
		}
		t.chain = append(t.chain, one)
	}
	if len(t.chain) == 0 {
		return ""
	}
	public, ok := t.chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if t.key = in.Key; t.key.Signer == nil || !ok || !public.Equal(t.key.Public()) {
		return "its private key is not there"
	}
	if t.method = methodOf(t.chain[0].PublicKey); t.method == MethodNone {
		return "its key is too weak, or of a kind that is not supported"
	}
	return ""
}

// methodOf returns the method that a public key is for, MethodNone if it is too weak or of
// another kind.
func methodOf(pub crypto.PublicKey) Method {
	if !suite.Acceptable(pub) {
		return MethodNone
	}
	switch pub.(type) {
	case *rsa.PublicKey:
		return MethodRSA
	case *ecdsa.PublicKey:
		return MethodECDSA
	case ed25519.PublicKey:
		return MethodEdDSA
	}
	return MethodNone
}

// trusted returns the trust points of a profile: those that it names, or all.
func (c *Core) trusted(p *Profile) (out []*trustpoint) {
	for _, t := range c.trustpoints {
		if len(p.Trustpoints) == 0 || slices.Contains(p.Trustpoints, t.name) {
			out = append(out, t)
		}
	}
	return out
}

// wallTime returns the time of day; ok is false if nobody said what it is.
func (c *Core) wallTime(now clock.Instant) (at time.Time, ok bool) {
	return c.wall.Add(now.Sub(c.wallAt)), !c.wall.IsZero()
}

// believe reports by nil that one of the trust points of a profile has the certificate of a
// peer be believed; the first of certs is that one, the others may be above it (RFC 5280
// section 6.1). Nothing is fetched, and no authority of the system is believed.
func (c *Core) believe(now clock.Instant, p *Profile, certs []*x509.Certificate) *distrust {
	at, known := c.wallTime(now)
	if !known {
		return invalid("the time of day is not known")
	}
	if why := purpose(certs[0]); why != "" {
		return &distrust{"CERTIFICATE_INVALID_UNAUTHORIZED", why}
	}
	why := invalid("no trust point in the IKEv2 profile")
	for _, t := range c.trusted(p) {
		if why = t.believe(at, certs); why == nil {
			return nil
		}
	}
	return why
}

func (t *trustpoint) believe(at time.Time, certs []*x509.Certificate) *distrust {
	above := x509.NewCertPool()
	for _, one := range certs[1:] {
		// What is not an authority, or has a key that takes long, is not even looked at.
		if one.IsCA && suite.Acceptable(one.PublicKey) {
			above.AddCert(one)
		}
	}
	chains, err := certs[0].Verify(x509.VerifyOptions{
		Roots: t.roots, Intermediates: above, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return wrong(at, err)
	}
	var why *distrust
	for _, chain := range chains {
		if why = t.revoked(at, chain); why == nil {
			why = confined(chain)
		}
		if why == nil {
			return nil
		}
	}
	return why
}

// confined looks at the purposes that authorities of a chain below the one that is trusted
// are confined to.
func confined(chain []*x509.Certificate) *distrust {
	for _, one := range chain[1:max(1, len(chain)-1)] {
		if !forIKE(one) {
			return &distrust{"CERTIFICATE_INVALID_UNAUTHORIZED", "the authority " + subject(one) + " has no purpose that is accepted"}
		}
	}
	return nil
}

// wrong words an error of crypto/x509.
func wrong(at time.Time, err error) *distrust {
	var e x509.CertificateInvalidError
	if errors.As(err, &e) && e.Reason == x509.Expired && e.Cert != nil {
		if at.Before(e.Cert.NotBefore) {
			return &distrust{"CERTIFICATE_INVALID_NOT_YET_VALID", "the certificate " + serial(e.Cert) + " is valid from " + stamp(e.Cert.NotBefore) + " on"}
		}
		return &distrust{"CERTIFICATE_INVALID_EXPIRED", "the certificate " + serial(e.Cert) + " was valid until " + stamp(e.Cert.NotAfter)}
	}
	return invalid(short(strings.TrimPrefix(err.Error(), "x509: ")))
}

// stamp words a time of day.
func stamp(t time.Time) string { return t.UTC().Format("15:04:05 UTC Jan 2 2006") }

// serial and subject word what identifies a certificate.
func serial(c *x509.Certificate) string {
	b := c.SerialNumber.Bytes()
	return fmt.Sprintf("(SN: %X)", b[:min(20, len(b))])
}

func subject(c *x509.Certificate) string { return short(c.Subject.String()) }

// short bounds what a peer can have logged at once.
func short(s string) string { return printable(s[:min(len(s), 200)]) }

// Purposes of certificates of IKE that encoding leaves to us.
var (
	oidIPsecIKE        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 17}
	oidIKEIntermediate = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 8, 2, 2}
)

// purpose returns why a certificate is not one for IKE, "" if it is. Its key must be for
// signatures, if the extension Key Usage is there (RFC 4945 section 5.1.3.2).
func purpose(c *x509.Certificate) string {
	const signs = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	switch {
	case c.KeyUsage != 0 && c.KeyUsage&signs == 0:
		return "the key of the certificate " + serial(c) + " is not for signatures"
	case !forIKE(c):
		return "the certificate " + serial(c) + " has no purpose that is accepted"
	}
	return ""
}

// forIKE reports whether a certificate is good for IKE by its extension Extended Key Usage:
// it has none, or has in it id-kp-ipsecIKE or anyExtendedKeyUsage (RFC 4945 section
// 5.1.3.12). Beyond that RFC iKEIntermediate is accepted, which other implementations ask
// for, and the purposes of TLS, since many authorities write no others; certificates for
// mail, code, time stamps or OCSP alone are refused.
func forIKE(c *x509.Certificate) bool {
	if len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.ContainsFunc(c.ExtKeyUsage, func(u x509.ExtKeyUsage) bool {
		return u == x509.ExtKeyUsageAny || u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageClientAuth
	}) || slices.ContainsFunc(c.UnknownExtKeyUsage, func(o asn1.ObjectIdentifier) bool {
		return o.Equal(oidIPsecIKE) || o.Equal(oidIKEIntermediate)
	})
}

// in reports whether an identity is in a certificate: as a subjectAltName, or as the
// subject (RFC 4945 section 3.1). Wildcards and common names are nobody's identity.
func (i Identity) in(c *x509.Certificate) bool {
	switch i.Kind {
	case IdentityAddress:
		return slices.ContainsFunc(addresses(c), func(a netip.Addr) bool { return a == i.Prefix.Addr() })
	case IdentityFQDN:
		return slices.ContainsFunc(c.DNSNames, func(n string) bool { return foldCase(n) == foldCase(i.Name) && !strings.Contains(n, "*") })
	case IdentityEmail:
		return slices.ContainsFunc(c.EmailAddresses, func(n string) bool { return sameMail(n, i.Name) })
	case IdentityDN:
		return sameDN([]byte(i.DER), c.RawSubject)
	}
	return false
}

// addresses returns those of subjectAltName.
func addresses(c *x509.Certificate) (out []netip.Addr) {
	for _, ip := range c.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, a)
		}
	}
	return out
}

// sameMail compares addresses of mail: the case matters before the @ only (RFC 5280 section
// 7.5).
func sameMail(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	return i > 0 && i == j && a[:i] == b[:j] && foldCase(a[i:]) == foldCase(b[j:])
}
