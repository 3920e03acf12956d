package cli_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/core"
)

// content are the files of a trust point: one authority, a certificate of it with an
// ECDSA key, and its list.
var content = sync.OnceValues(func() (map[string][]byte, error) {
	_, ca, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Unix(1_800_000_000, 0)
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: now, NotAfter: now.AddDate(1, 0, 0), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	caDER, err := x509.CreateCertificate(rand.Reader, authority, authority, ca.Public(), ca)
	if err != nil {
		return nil, err
	}
	host := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "hub"}, NotBefore: now, NotAfter: now.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, host, authority, key.Public(), ca)
	if err != nil {
		return nil, err
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.AddDate(0, 1, 0)}, authority, ca)
	if err != nil {
		return nil, err
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ca)
	if err != nil {
		return nil, err
	}
	text := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return map[string][]byte{
		"/ca": text("CERTIFICATE", caDER), "/ca.der": caDER, "/cert": append(text("CERTIFICATE", der), text("CERTIFICATE", caDER)...),
		"/key": append(text("EC PARAMETERS", []byte{6, 0}), text("EC PRIVATE KEY", sec1)...), "/key.der": sec1, "/otherkey": text("PRIVATE KEY", pkcs8),
		"/crl": text("X509 CRL", crl), "/crl.der": crl, "/junk": []byte("secret junk"), "/large": make([]byte, 17<<20),
	}, nil
})

// disk reads those files.
func disk(t testing.TB) func(string) ([]byte, error) {
	t.Helper()
	files, err := content()
	if err != nil {
		t.Fatal(err)
	}
	return func(path string) ([]byte, error) {
		b, ok := files[path]
		if !ok {
			return nil, fmt.Errorf("%s: no such file", path)
		}
		return b, nil
	}
}

func TestFilesAreLoaded(t *testing.T) {
	for _, f := range []cli.Files{
		{Authority: []string{"/ca"}, Certificate: "/cert", Key: "/key", CRLs: []string{"/crl"}},
		{Authority: []string{"/ca.der"}, Certificate: "/cert", Key: "/key.der", CRLs: []string{"/crl.der"}},
	} {
		var tp core.Trustpoint
		if err := f.Load(&tp, disk(t)); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
		if len(tp.Authority) != 1 || len(tp.Chain) != 2 || tp.Key.Signer == nil || len(tp.CRLs) != 1 {
			t.Errorf("%+v: %d authorities, %d certificates, %d lists", f, len(tp.Authority), len(tp.Chain), len(tp.CRLs))
		}
	}
	var tp core.Trustpoint
	if err := (cli.Files{Authority: []string{"/ca", "/cert"}}).Load(&tp, disk(t)); err != nil || len(tp.Authority) != 3 || tp.Key.Signer != nil {
		t.Errorf("%v %d", err, len(tp.Authority))
	}
}

func TestFilesThatAreWrong(t *testing.T) {
	for _, tc := range []struct {
		files cli.Files
		msg   string
	}{
		{cli.Files{Authority: []string{"/none"}}, "/none: no such file"},
		{cli.Files{Authority: []string{"/junk"}}, "/junk: there is no CERTIFICATE in it"},
		{cli.Files{Authority: []string{"/key"}}, "/key: there is no CERTIFICATE in it"},
		{cli.Files{Authority: []string{"/large"}}, "/large: it is longer than"},
		{cli.Files{CRLs: []string{"/ca"}}, "/ca: there is no X509 CRL in it"},
		{cli.Files{Certificate: "/cert"}, "a certificate needs its private key"},
		{cli.Files{Key: "/key"}, "a certificate needs its private key"},
		{cli.Files{Certificate: "/cert", Key: "/junk"}, "/junk: there is no private key in it"},
		{cli.Files{Certificate: "/cert", Key: "/cert"}, "/cert: there is no private key in it"},
		{cli.Files{Certificate: "/cert", Key: "/otherkey"}, "/otherkey: it is not the key of the certificate in /cert"},
	} {
		var tp core.Trustpoint
		err := tc.files.Load(&tp, disk(t))
		if err == nil || !strings.Contains(err.Error(), tc.msg) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %q", tc.files, err, tc.msg)
		}
	}
}
