package core

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// crl is a list of revoked certificates (RFC 5280 section 5).
type crl struct {
	*x509.RevocationList
	serials map[string]bool
	// signer is the certificate of an issuer by which its signature was found to be right.
	signer []byte
}

// readCRL reads a CRL. One that has an extension which is critical and not understood, as
// those of other CRLs than complete ones of their issuer, is not used (RFC 5280 section
// 5.2), nor is one whose signature has SHA-1 in it.
func readCRL(der []byte) (l *crl, why string) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, "it cannot be read"
	}
	switch list.SignatureAlgorithm {
	case x509.UnknownSignatureAlgorithm, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1:
		return nil, "its signature is of a kind that is not accepted"
	}
	if list.NextUpdate.IsZero() {
		return nil, "it does not say when the next one is to come"
	}
	for _, x := range list.Extensions {
		if x.Critical {
			return nil, "its extension " + x.Id.String() + " is not supported"
		}
	}
	l = &crl{RevocationList: list, serials: map[string]bool{}}
	for i := range list.RevokedCertificateEntries {
		e := &list.RevokedCertificateEntries[i]
		for _, x := range e.Extensions {
			if x.Critical {
				return nil, "the extension " + x.Id.String() + " of an entry is not supported"
			}
		}
		l.serials[string(e.SerialNumber.Bytes())] = true
	}
	return l, ""
}

// from reports whether a CRL is that of an issuer. The check of the signature takes long
// with long lists, so that the last one is remembered.
func (l *crl) from(issuer *x509.Certificate) bool {
	if !bytes.Equal(l.RawIssuer, issuer.RawSubject) {
		return false
	}
	if bytes.Equal(l.signer, issuer.Raw) {
		return true
	}
	if issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 || l.CheckSignatureFrom(issuer) != nil {
		return false
	}
	l.signer = issuer.Raw
	return true
}

// revoked reports by nil that no certificate of a chain was revoked, if the trust point
// wants that to be known. The last of the chain is trusted by configuration. Of each other
// one there must be a CRL of its issuer that is in force at the time.
func (t *trustpoint) revoked(at time.Time, chain []*x509.Certificate) *distrust {
	if !t.revocation {
		return nil
	}
	for i, one := range chain[:len(chain)-1] {
		lists := slices.DeleteFunc(slices.Clone(t.crls), func(l *crl) bool { return !l.from(chain[i+1]) })
		if len(lists) == 0 {
			return &distrust{"CRL_MISSING", "trust point " + t.name + " has no CRL of " + subject(chain[i+1])}
		}
		current := false
		for _, l := range lists {
			if l.serials[string(one.SerialNumber.Bytes())] {
				return &distrust{"CERTIFICATE_REVOKED", "the certificate " + serial(one) + " is revoked"}
			}
			current = current || !at.Before(l.ThisUpdate) && !at.After(l.NextUpdate)
		}
		if !current {
			return &distrust{"CRL_EXPIRED", "trust point " + t.name + " has no CRL of " + subject(chain[i+1]) + " that is in force"}
		}
	}
	return nil
}
