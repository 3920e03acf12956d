package zebra

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/vtysh/client"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/confstore"
	"github.com/godmvpn/godmvpn/zebra/ctl"
	"github.com/godmvpn/godmvpn/zebra/engine"
)

// house is a zebra without a kernel and without daemons, its files, and vtysh's
// connection to it.
type house struct {
	*router
	t     *testing.T
	vtysh *client.Client
	log   bytes.Buffer
}

// newHouse starts a zebra with what is in a directory.
func newHouse(t *testing.T, dir string) *house {
	t.Helper()
	h := &house{router: execRouter(nil), t: t}
	h.router.log = slog.New(slog.NewTextHandler(&h.log, nil))
	h.opts.config, h.opts.rundir = filepath.Join(dir, "godmvpn.conf"), t.TempDir()
	h.engine = engine.New(h.router.log, func(string, session.Log) {})
	var err error
	if h.file, err = telemetry.NewLog(telemetry.LogConfig{Output: &h.log}); err != nil {
		t.Fatal(err)
	}
	trees := []cli.Owned{{Owner: zcli.Owner, Tree: zcli.Grammar()}}
	grammar, err := cli.Merge(trees...)
	if err != nil {
		t.Fatal(err)
	}
	h.store = confstore.New(h.storeOptions(grammar))
	if h.server, err = ctl.New(ctl.Options{Store: h.store, Trees: trees, Zebra: h.router, Log: h.router.log}); err != nil {
		t.Fatal(err)
	}
	if h.socket, err = ctl.Listen(h.opts.rundir); err != nil {
		t.Fatal(err)
	}
	go h.server.Serve(h.socket)
	if h.vtysh, err = client.Dial(h.opts.rundir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.vtysh.Close(); h.server.Stop() })
	if err := h.loadStartup(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// enter applies a line of the global configuration, or of blocks around it.
func (h *house) enter(line string, blocks ...string) {
	h.t.Helper()
	if err := h.vtysh.Apply(h.t.Context(), blocks, line); err != nil {
		h.t.Fatalf("%s: %v", line, err)
	}
}

// says returns the output of a command.
func (h *house) says(line string, asJSON bool) string {
	h.t.Helper()
	var out bytes.Buffer
	if err := h.vtysh.Exec(h.t.Context(), line, asJSON, &out); err != nil {
		h.t.Fatalf("%s: %v", line, err)
	}
	return out.String()
}

// secretOf returns what zebra itself uses for key 1 of chain K.
func (h *house) secretOf() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.policy.KeyChain("K").Keys[0].Secret.Bytes())
}

// TestSecretsOfZebra: a key chain whose secret is in use, and in no output, log or
// file, over a restart, a change of the master key, and its loss.
func TestSecretsOfZebra(t *testing.T) {
	dir := t.TempDir()
	h := newHouse(t, dir)
	h.enter("key-string s3cret-of-a-chain", "key chain K", "key 1")
	h.enter("password encryption aes")
	h.enter("key config-key password-encrypt m4ster-of-all")
	h.says("write memory", false)
	check := func(h *house, want string) {
		t.Helper()
		if got := h.secretOf(); (got == "s3cret-of-a-chain") != (want == "") {
			t.Errorf("in use: %q", got)
		}
		text := h.log.String()
		for _, line := range []string{"show running-config", "show startup-config", "show running-config key chain K", "show key chain K"} {
			text += h.says(line, false) + h.says(line, true)
		}
		for _, secret := range []string{"s3cret", "m4ster"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is to be read in\n%s", secret, text)
			}
		}
		if strings.Count(text, "key-string 6 g1.") != 6 || !strings.Contains(text, want) {
			t.Errorf("%s", text)
		}
	}
	check(h, "")
	check(newHouse(t, dir), "")
	h = newHouse(t, dir)
	h.enter("key config-key password-encrypt m4ster-of-others")
	check(h, "")
	check(newHouse(t, dir), "")

	key := filepath.Join(dir, "godmvpn.conf.key")
	if err := os.WriteFile(key, []byte("m4ster damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	h = newHouse(t, dir)
	check(h, "the master key cannot be read")
	check(h, "key-string 6 ********: the secret is encrypted, and there is no master key")
	h.enter("key config-key password-encrypt m4ster-of-others")
	check(newHouse(t, dir), "")
	for name, mode := range map[string]os.FileMode{"godmvpn.conf": 0o640, "godmvpn.conf.key": 0o600} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

// TestOpenFiles: files that others can read are reported, and that of the key closed.
func TestOpenFiles(t *testing.T) {
	dir := t.TempDir()
	h := newHouse(t, dir)
	h.enter("key config-key password-encrypt m4ster-of-all")
	h.says("write memory", false)
	for _, name := range []string{"godmvpn.conf", "godmvpn.conf.key"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h = newHouse(t, dir)
	for _, want := range []string{"everybody can read the startup configuration", "the master key could be read by others"} {
		if !strings.Contains(h.log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, h.log.String())
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "godmvpn.conf.key")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}
