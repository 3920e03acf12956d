package cli

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// Files are the paths of the files that a trust point names, "" and none where it does
// not.
type Files struct {
	Trustpoint  string
	Authority   []string
	Certificate string
	Key         string
	CRLs        []string
}

// trustpoint reads `crypto pki trustpoint`.
func (r *reader) trustpoint(block *conf.Node) {
	t := core.Trustpoint{Name: block.Args.String("name"), Revocation: true}
	f := Files{Trustpoint: t.Name}
	r.inside(block, func(n *conf.Node) string {
		file := n.Args.String("path")
		switch n.ID {
		case CmdAuthorityFile:
			f.Authority = append(f.Authority, file)
		case CmdCertificateFile:
			f.Certificate = file
		case CmdKeyFile:
			f.Key = file
		case CmdCRLFile:
			f.CRLs = append(f.CRLs, file)
		case CmdRevocation:
			t.Revocation = n.Args.String("method") == "crl"
			return ""
		default:
			return ""
		}
		if !path.IsAbs(file) || path.Clean(file) != file {
			return "the path is to begin at / and to have no . or .. in it"
		}
		return ""
	})
	r.cfg.Trustpoints = append(r.cfg.Trustpoints, t)
	r.files = append(r.files, f)
}

// maxFile bounds what is taken of a file, in octets; a list of revoked certificates may
// be large.
const maxFile = 16 << 20

// Load fills in what of a trust point is in its files, in PEM or DER. read returns the
// content of a file. The error names the file and shows nothing of it.
func (f Files) Load(t *core.Trustpoint, read func(path string) ([]byte, error)) error {
	l := loader{read: read}
	for _, p := range f.Authority {
		t.Authority = append(t.Authority, l.blocks(p, "CERTIFICATE", isCertificate)...)
	}
	if f.Certificate != "" {
		t.Chain = l.blocks(f.Certificate, "CERTIFICATE", isCertificate)
	}
	if f.Key != "" {
		t.Key = l.key(f.Key)
	}
	for _, p := range f.CRLs {
		t.CRLs = append(t.CRLs, l.blocks(p, "X509 CRL", isCRL)...)
	}
	if l.err == nil && (len(t.Chain) == 0) != (t.Key.Signer == nil) {
		l.err = errors.New("a certificate needs its private key, and the other way round")
	}
	if l.err == nil && t.Key.Signer != nil && !belongs(t) {
		l.err = fmt.Errorf("%s: it is not the key of the certificate in %s", f.Key, f.Certificate)
	}
	return l.err
}

// loader reads files; after the first error it does nothing.
type loader struct {
	read func(string) ([]byte, error)
	err  error
}

func (l *loader) file(path string) []byte {
	if l.err != nil {
		return nil
	}
	b, err := l.read(path)
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: it is longer than %d octets", path, maxFile)
	}
	l.err = err
	return b
}

// blocks returns the DER of what a file has of a kind: its PEM blocks, or all of it.
func (l *loader) blocks(path, kind string, good func([]byte) bool) (out [][]byte) {
	data := l.file(path)
	if l.err != nil {
		return nil
	}
	block, rest := pem.Decode(data)
	if block == nil {
		out = [][]byte{data}
	}
	for ; block != nil; block, rest = pem.Decode(rest) {
		if block.Type == kind {
			out = append(out, block.Bytes)
		}
	}
	for _, der := range out {
		if !good(der) {
			out = nil
			break
		}
	}
	if len(out) == 0 {
		l.err = fmt.Errorf("%s: there is no %s in it, or a wrong one", path, kind)
	}
	return out
}

func isCertificate(der []byte) bool { _, err := x509.ParseCertificate(der); return err == nil }
func isCRL(der []byte) bool         { _, err := x509.ParseRevocationList(der); return err == nil }

// key reads a private key: PKCS #8, PKCS #1, or SEC 1.
func (l *loader) key(path string) core.PrivateKey {
	data := l.file(path)
	if l.err != nil {
		return core.PrivateKey{}
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "EC PARAMETERS" {
			data = block.Bytes
			break
		}
	}
	var key any
	for _, parse := range []func([]byte) (any, error){x509.ParsePKCS8PrivateKey,
		func(b []byte) (any, error) { return x509.ParsePKCS1PrivateKey(b) }, func(b []byte) (any, error) { return x509.ParseECPrivateKey(b) }} {
		if k, err := parse(data); err == nil {
			key = k
			break
		}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		l.err = fmt.Errorf("%s: there is no private key in it that signs, or it is encrypted", path)
		return core.PrivateKey{}
	}
	return core.PrivateKey{Signer: signer}
}

// belongs reports whether the key is that of the first certificate.
func belongs(t *core.Trustpoint) bool {
	c, err := x509.ParseCertificate(t.Chain[0])
	public, ok := t.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return err == nil && ok && public.Equal(c.PublicKey)
}
