package rip_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestEncryptedSecret: a stores its keys encrypted, b has them in clear. They have each
// other's routes before and after a restart of a, until a has lost its master key: then
// it starts, but nothing is authentic any more, in either direction, until the master
// key is entered again. No file, log or output of a has a secret.
func TestEncryptedSecret(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	a, b := &router{Node: tp.Router("a")}, &router{Node: tp.Router("b")}
	tp.Link(a.Node, "eth0", "10.9.0.1/24", b.Node, "eth0", "10.9.0.2/24")
	tp.Link(a.Node, "eth1", "10.9.1.1/24", b.Node, "eth1", "10.9.1.2/24")
	a.Stub("lan", "10.1.0.1/24")
	b.Stub("lan", "10.2.0.1/24")
	const chain, text, master = "s3cret-of-a-chain", "s3cret-string", "m4ster-of-all"
	const config = "key chain K\n key 1\n  key-string " + chain + "\n" +
		"interface eth0\n ip rip authentication mode hmac-sha-256\n ip rip authentication key-chain K\n" +
		"interface eth1\n ip rip authentication mode text\n ip rip authentication string " + text + "\n" +
		"ip prefix-list LAN permit 10.0.0.0/14 ge 24 le 24\nrouter rip\n version 2\n network 10.0.0.0\n timers basic 1 6 0 9\n maximum-paths 4\n distribute-list prefix LAN out\n"
	start(t, map[*router]string{a: "hostname A\n", b: config})

	enter := func(lines string) (string, error) {
		file := filepath.Join(t.TempDir(), "lines")
		if err := os.WriteFile(file, []byte("configure terminal\n"+lines+"end\n"), 0o600); err != nil {
			return "", err
		}
		bin, err := harness.Binary("vtysh")
		if err != nil {
			return "", err
		}
		return a.Run(bin, "--rundir", a.Rundir(), "-f", file)
	}
	if out, err := enter("key config-key password-encrypt " + master + "\npassword encryption aes\n" + config); err != nil {
		t.Fatal(out, err)
	}
	a.MustVtysh("write memory")
	open := tables{a: {"10.2.0.0/24 via 10.9.0.2 dev eth0 via 10.9.1.2 dev eth1"}, b: {"10.1.0.0/24 via 10.9.0.1 dev eth0 via 10.9.1.1 dev eth1"}}
	open.wait(t, converge)

	restart := func() {
		if err := a.zebra.Terminate(30 * time.Second); err != nil {
			t.Fatal(err)
		}
		a.zebra = a.RestartZebra()
	}
	restart()
	open.wait(t, converge)
	hidden(t, a, chain, text, master)

	key := filepath.Join(a.Rundir(), "godmvpn.conf.key")
	if err := os.Rename(key, filepath.Join(t.TempDir(), "lost")); err != nil {
		t.Fatal(err)
	}
	restart()
	tables{a: nil, b: nil}.wait(t, converge)
	for _, r := range []*router{a, b} {
		harness.Eventually(t, converge, func() error { return refusesAll(r) })
	}
	log := a.MustVtysh("show logging")
	for _, line := range []string{"key-string 6 ********", "ip rip authentication string 6 ********"} {
		if !logged(log, "a secret cannot be used", line, "there is no master key") {
			t.Errorf("%q is not in the log:\n%s", line, log)
		}
	}
	if _, err := enter("key config-key password-encrypt another-key\n"); err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("a wrong master key: %v", err)
	}
	if out, err := enter("key config-key password-encrypt " + master + "\n"); err != nil {
		t.Fatal(out, err)
	}
	open.wait(t, converge)
	hidden(t, a, chain, text, master)
}

// refusesAll tells whether a router refuses what comes on both links.
func refusesAll(r *router) error {
	v, err := r.JSON("show ip rip status")
	if err != nil {
		return err
	}
	for _, i := range v.(map[string]any)["interfaces"].([]any) {
		i := i.(map[string]any)
		dropped := i["counters"].(map[string]any)["dropped"].(map[string]any)
		if n, _ := dropped["authenticationFailure"].(float64); n < 1 && i["name"] != "lan" {
			return fmt.Errorf("%s refuses nothing on %v: %v", r.Name(), i["name"], dropped)
		}
	}
	return nil
}

// hidden sees to it that nothing that a router shows, and no file of it but the one of
// the master key, has a secret, and that others cannot read its files.
func hidden(t *testing.T, r *router, secrets ...string) {
	t.Helper()
	search := func(where, text string) {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s has %q:\n%s", where, s, text)
			}
		}
	}
	for _, command := range []string{"show running-config", "show running-config | json", "show startup-config", "show startup-config | json",
		"show running-config key chain K", "show key chain | json", "show logging", "show ip rip status | json", "show history"} {
		search(command, r.MustVtysh(command))
	}
	err := filepath.WalkDir(r.Rundir(), func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // it has another name by now, as what was written anew
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o007 != 0 || strings.HasSuffix(path, ".key") && mode != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if !info.Mode().IsRegular() || strings.HasSuffix(path, ".key") {
			return nil
		}
		text, err := os.ReadFile(path)
		search(path, string(text))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
