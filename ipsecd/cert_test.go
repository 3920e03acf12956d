package ipsecd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// certified returns a configuration with a certificate of core/testdata/pki, from files in a
// folder.
func certified(t *testing.T, dir, name, method string, files ...string) string {
	t.Helper()
	for _, f := range append(files, name+".pem", name+".key") {
		b, err := os.ReadFile(filepath.Join("core", "testdata", "pki", f))
		if err != nil {
			t.Fatal(err)
		}
		if f == "middle.pem" { // behind the certificate, as it is sent
			own, err := os.ReadFile(filepath.Join("core", "testdata", "pki", name+".pem"))
			if err != nil {
				t.Fatal(err)
			}
			f, b = "chain.pem", append(own, b...)
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certificate := name + ".pem"
	if _, err := os.Stat(filepath.Join(dir, "chain.pem")); err == nil {
		certificate = "chain.pem"
	}
	text := strings.Replace(config, "authentication local pre-share\n keyring local K", "authentication local "+method+"\n pki trustpoint T", 1)
	text = strings.Replace(text, " authentication remote pre-share\n", " authentication remote rsa-sig\n authentication remote ecdsa-sig\n", 1)
	return fmt.Sprintf(`crypto pki trustpoint T
 ca-certificate file %[1]s/root.pem
 ca-certificate file %[1]s/ecroot.pem
 certificate file %[1]s/%[2]s
 private-key file %[1]s/%[3]s.key
 crl file %[1]s/root.crl
 crl file %[1]s/middle.crl
 crl file %[1]s/ecroot.crl
`, dir, certificate, name) + text
}

// TestCertificates: a hub with an ECDSA certificate and a spoke with an RSA one, from files.
// As long as the hub has no CRL it believes nobody, and says so; when that comes, it does.
func TestCertificates(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		for _, s := range []*station{hub, spoke} {
			s.wall.Store(int64(time.Until(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))))
		}
		at := certified(t, here, "p256", "ecdsa-sig", "root.pem", "ecroot.pem", "ecroot.crl")
		hub.start(at)
		spoke.start(certified(t, there, "rsa", "rsa-sig", "root.pem", "ecroot.pem", "middle.pem", "root.crl", "middle.crl", "ecroot.crl"))
		spoke.want(hub, true)
		time.Sleep(time.Second)
		agree(t, hub, spoke, 0)
		if log := hub.log.String(); !strings.Contains(log, "middle.crl: no such file") || !strings.Contains(log, "%PKI-3-NOFILE") {
			t.Error(log)
		}
		certified(t, here, "p256", "ecdsa-sig", "middle.crl")
		time.Sleep(3 * time.Minute)
		if log := hub.log.String(); !strings.Contains(log, "root.crl: no such file") {
			t.Error(log)
		}
		certified(t, here, "p256", "ecdsa-sig", "root.crl")
		time.Sleep(3 * time.Minute)
		agree(t, hub, spoke, 2)
		got := hub.exec("show crypto ikev2 sa detailed", false)
		for _, want := range []string{"Auth sign: ECDSA, Auth verify: RSA", "Local id: CN=p256,O=Example", "Remote id: CN=rsa,O=Example"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s\nwant %s", got, want)
			}
		}
		if strings.Contains(hub.log.String()+spoke.log.String(), "PRIVATE KEY") {
			t.Error("a key is in the log")
		}
	})
}
