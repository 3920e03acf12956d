package confstore_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/zebra/confstore"
	"github.com/godmvpn/godmvpn/zebra/masterkey"
)

// users are zebra ("z") and a daemon ("d"). They note the secrets that they are given
// to use, as "type text" by the line's first word, and the texts of those lines.
type users struct {
	secrets map[string]string
	texts   []string
	refuse  string // the text of a secret that is refused
}

func (u *users) Enable(context.Context, []string) error { return nil }

func (u *users) Configure(_ context.Context, owner string, c plugin.Configuration) (errs []plugin.LineError, err error) {
	for name, text := range secretsOf(c.Tree, owner) {
		if u.refuse != "" && strings.HasSuffix(text, u.refuse) {
			errs = append(errs, plugin.LineError{Path: []string{c.Tree.Nodes[0].Key}, Msg: "no good"})
		}
		if c.Phase == plugin.Commit {
			u.secrets[name] = text
		}
	}
	c.Tree.EachSecret(func(_ []string, n *conf.Node) { u.texts = append(u.texts, n.Line) })
	return errs, nil
}

func secretsOf(tree *conf.Tree, owner string) map[string]string {
	out := map[string]string{}
	tree.EachSecret(func(_ []string, n *conf.Node) {
		if kind, text, _ := n.Secret(); n.Owner == owner {
			word, _, _ := strings.Cut(n.Line, " ")
			out[word] = kind + " " + text
		}
	})
	return out
}

// box is a directory with a startup configuration and a master key, and a store that
// works with them.
type box struct {
	*confstore.Store
	t            *testing.T
	users        *users
	startup, key string
}

func newBox(t *testing.T) *box {
	dir := t.TempDir()
	b := &box{t: t, startup: filepath.Join(dir, "startup"), key: filepath.Join(dir, "startup.key")}
	b.restart()
	return b
}

// restart makes a new store that knows only what the files say, and returns the lines
// that it reports as locked.
func (b *box) restart() (locked []string) {
	b.t.Helper()
	line := func(id, mode, pattern string, key ...string) cli.Command {
		return cli.Command{ID: id, Mode: mode, Pattern: pattern, Key: key}
	}
	block := line("z.if", "config", "interface name:WORD", "name")
	block.Enters = "if"
	master := line("z.master", "config", "master-key [word:SECRET(128)]")
	master.Immediate, master.Ask = true, "word"
	g, err := cli.Merge(
		cli.Owned{Owner: "z", Tree: cli.Tree{
			Modes:    []cli.Mode{{Name: "if", Parent: "config", Prompt: "(config-if)#"}},
			Commands: []cli.Command{block, master, line("z.encrypt", "config", "encrypt"), line("z.login", "config", "login "+cli.SecretPart)},
		}},
		cli.Owned{Owner: "d", Tree: cli.Tree{Commands: []cli.Command{line("d.psk", "if", "psk [type:{0|6|7|hex}] secret:SECRET(800)"),
			line("d.auth", "if", "auth "+cli.SecretPart)}}},
	)
	if err != nil {
		b.t.Fatal(err)
	}
	ring, _, err := masterkey.Read(b.key)
	if err != nil {
		b.t.Fatal(err)
	}
	b.users = &users{secrets: map[string]string{}}
	b.Store = confstore.New(confstore.Options{Grammar: g, Owners: b.users, Self: "z", Daemon: "z.daemon", Startup: b.startup,
		Encrypt: "z.encrypt", KeyLine: "z.master", KeyFile: b.key, Keys: ring})
	text, err := b.Startup()
	if err != nil {
		return nil
	}
	refused, shut := b.Boot(b.t.Context(), text, "startup")
	if len(refused) > 0 {
		b.t.Fatal(refused)
	}
	for _, e := range shut {
		locked = append(locked, e.Error())
	}
	return locked
}

// apply applies a line, in a block if one is given before a bar; it returns why it was
// refused.
func (b *box) apply(line string) string {
	b.t.Helper()
	var blocks []string
	if around, inner, ok := strings.Cut(line, "|"); ok {
		blocks, line = []string{around}, inner
	}
	if _, err := b.Apply(b.t.Context(), blocks, line); err != nil {
		return err.Report()
	}
	return ""
}

func (b *box) must(lines ...string) {
	b.t.Helper()
	for _, line := range lines {
		if why := b.apply(line); why != "" {
			b.t.Fatalf("%q: %s", line, why)
		}
	}
}

// want compares what those who use secrets have, and sees to it that no text, in
// memory or on disk, shows one.
func (b *box) want(secrets map[string]string) {
	b.t.Helper()
	if diff := cmp.Diff(secrets, b.users.secrets); diff != "" {
		b.t.Errorf("secrets in use (-want +got):\n%s", diff)
	}
	all := maps.Clone(secretsOf(b.Part("d").Tree, "d"))
	for _, name := range []string{"psk", "auth"} {
		if all[name] != secrets[name] {
			b.t.Errorf("a daemon that starts now gets %q for %s", all[name], name)
		}
	}
}

func (b *box) hidden(secrets ...string) {
	b.t.Helper()
	startup, _ := b.Startup()
	text := b.Running().Text() + startup + strings.Join(b.users.texts, "\n")
	for _, s := range secrets {
		if strings.Contains(text, s) {
			b.t.Errorf("%q is to be read in\n%s", s, text)
		}
	}
}

var theirs = map[string]string{"login": "0 topsecret", "psk": "hex 00ff", "auth": " mykey"}

// fill makes a configuration with all kinds of secrets, encrypted and saved.
func (b *box) fill() {
	b.must("login 0 topsecret", "interface a|psk hex 00ff", "interface a|auth mykey", "master-key correct-horse", "encrypt")
	b.users.texts = nil
}

// TestSecretsAreStoredEncrypted: from when both lines are there, all clear secrets
// are encrypted, whoever has them, and those who use them get what was entered, now
// and after a restart.
func TestSecretsAreStoredEncrypted(t *testing.T) {
	b := newBox(t)
	b.must("login 0 topsecret", "interface a|psk hex 00ff", "master-key correct-horse")
	if text := b.Running().Text(); !strings.Contains(text, "login 0 topsecret") {
		t.Errorf("without the line that says so:\n%s", text)
	}
	b.must("encrypt", "interface a|auth mykey")
	b.users.texts = nil
	b.must("interface a|auth again", "interface a|auth mykey")
	b.want(theirs)
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	b.hidden("topsecret", "00ff", "mykey", "again", "correct-horse")
	running := b.Running()
	if n := strings.Count(running.Text(), " 6 g1."); n != 3 {
		t.Errorf("%d encrypted secrets in\n%s", n, running.Text())
	}
	if locked := b.restart(); locked != nil {
		t.Errorf("locked: %v", locked)
	}
	b.want(theirs)
	b.hidden("topsecret", "00ff", "mykey")
	if !b.Running().Equal(running) {
		t.Errorf("restart changes\n%sto\n%s", running.Text(), b.Running().Text())
	}
}

// TestType7IsDecoded: of Cisco's type 7 nothing is left, and what stands for it when the
// key is lost is no longer than the secret, which its line might not take.
func TestType7IsDecoded(t *testing.T) {
	b := newBox(t)
	b.must("encrypt", "master-key correct-horse", "login 7 0215015819031B6C434844485614")
	got := b.users.secrets["login"]
	want, _ := policy.DecodeType7("0215015819031B6C434844485614")
	if err := b.Save(); err != nil || got != "0 "+want || want == "" {
		t.Errorf("in use: %q, %v", got, err)
	}
	if err := os.Remove(b.key); err != nil {
		t.Fatal(err)
	}
	if b.restart(); len(b.users.secrets["login"]) != len(got) {
		t.Errorf("in use: %q, %q", b.users.secrets["login"], want)
	}
}

// TestOrderDoesNotMatter: the line may come before the master key.
func TestOrderDoesNotMatter(t *testing.T) {
	b := newBox(t)
	b.must("encrypt", "interface a|auth mykey")
	if !strings.Contains(b.Running().Text(), "auth mykey") {
		t.Errorf("without a master key:\n%s", b.Running().Text())
	}
	b.must("master-key correct-horse")
	b.users.texts = nil
	b.must("interface a|psk other")
	b.hidden("mykey", "other")
	b.must("no encrypt") // what is encrypted stays so
	b.hidden("mykey", "other")
	b.must("interface a|psk clear")
	if !strings.Contains(b.Running().Text(), "psk clear") {
		t.Errorf("it is still encrypted:\n%s", b.Running().Text())
	}
}

// TestSameSecretKeepsItsWord: loading a file with clear secrets again changes nothing.
func TestSameSecretKeepsItsWord(t *testing.T) {
	b := newBox(t)
	b.fill()
	before := b.Running().Text()
	const file = "encrypt\nlogin 0 topsecret\ninterface a\n psk hex 00ff\n auth mykey\n"
	if errs := b.Load(t.Context(), file, "file"); errs != nil || b.Running().Text() != before {
		t.Errorf("%v\n%s\nbecame\n%s", errs, before, b.Running().Text())
	}
	if b.must("interface a|auth other"); b.Running().Text() == before {
		t.Error("another secret has the same word")
	}
}

// TestEncryptedSecretsFromElsewhere: another router with the same master key reads
// what this one encrypted; without it, or with another one, lines are refused.
func TestEncryptedSecretsFromElsewhere(t *testing.T) {
	b := newBox(t)
	b.fill()
	text := b.Running().Text()
	same, wrong, none := newBox(t), newBox(t), newBox(t)
	same.must("master-key correct-horse")
	wrong.must("master-key another-key")
	if errs := same.Merge(t.Context(), text, "file"); errs != nil {
		t.Fatal(errs)
	}
	same.want(theirs)
	for who, other := range map[string]*box{"another master key": wrong, "there is no master key": none} {
		for _, load := range []func(context.Context, string, string) []conf.LineError{other.Merge, other.Check, other.Load} {
			errs := load(t.Context(), text, "file")
			if len(errs) != 3 || !strings.Contains(errs[0].Error(), who) || errs[0].Line != 4 || strings.Contains(errs[0].Error(), "g1.") {
				t.Errorf("%s: %v", who, errs)
			}
		}
	}
	if why := b.apply("interface a|auth 6 JDYkqyIFWeBvzpljSfWmRZrmRSRE8syxKlOSjP9R"); !strings.Contains(why, "Cisco's own type 6") || strings.Contains(why, "JDYk") {
		t.Errorf("a word of Cisco's: %s", why)
	}
}

// TestLostKeyFile: zebra starts, says which lines are locked, and what they protect
// stays shut; nothing is lost, and the right master key opens them.
func TestLostKeyFile(t *testing.T) {
	b := newBox(t)
	b.fill()
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(b.key); err != nil {
		t.Fatal(err)
	}
	const why = ": the secret is encrypted, and there is no master key: enter key config-key password-encrypt"
	want := []string{"startup:4: auth 6 ********" + why, "startup:5: psk 6 ********" + why, "startup:7: login 6 ********" + why}
	if diff := cmp.Diff(want, b.restart()); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	shut := b.users.secrets["auth"]
	if len(shut) != len("0 ")+8 || shut == b.users.secrets["psk"] || shut == theirs["auth"] || len(b.users.secrets["login"]) != len(theirs["login"]) {
		t.Errorf("in use: %v", b.users.secrets)
	}
	if got := secretsOf(b.Part("d").Tree, "d")["auth"]; got != shut {
		t.Errorf("a daemon that starts gets %q, not %q", got, shut)
	}
	first := b.users.secrets["auth"]
	if b.restart(); b.users.secrets["auth"] == first {
		t.Error("what stands for a locked secret can be foreseen")
	}
	b.must("interface b|auth fine") // locked lines are nobody's hindrance
	b.must("no interface b")
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	if why := b.apply("master-key another-key"); !strings.Contains(why, `"auth 6 ********": the secret is encrypted with another master key`) {
		t.Errorf("a wrong master key: %s", why)
	}
	b.must("master-key correct-horse")
	b.want(theirs)
	if locked := b.restart(); locked != nil {
		t.Errorf("locked: %v", locked)
	}
	b.want(theirs)
}

// TestChangeOfTheMasterKey: all is encrypted anew, the startup configuration too,
// with its comments; of the key before nothing is left.
func TestChangeOfTheMasterKey(t *testing.T) {
	b := newBox(t)
	b.fill()
	old := b.Running().Text()
	if err := os.WriteFile(b.startup, []byte("! mine\n"+old), 0o600); err != nil {
		t.Fatal(err)
	}
	b.must("master-key another-key")
	b.want(theirs)
	startup, err := b.Startup()
	for _, text := range []string{b.Running().Text(), startup} {
		for _, word := range strings.Fields(old) {
			if strings.HasPrefix(word, "g1.") && strings.Contains(text, word) {
				t.Errorf("a word of the old key is left in\n%s", text)
			}
		}
	}
	if err != nil || !strings.HasPrefix(startup, "! mine\n") {
		t.Errorf("%v\n%s", err, startup)
	}
	if file, err := os.ReadFile(b.key); err != nil || strings.Contains(string(file), "correct-horse") {
		t.Errorf("the old key is still in the file: %v", err)
	}
	if st, err := os.Stat(b.startup); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the startup configuration is %v, %v", st.Mode(), err)
	}
	if locked := b.restart(); locked != nil {
		t.Errorf("locked: %v", locked)
	}
	b.want(theirs)
}

// TestCrashInAChange: after a crash between the file of the key and the startup
// configuration everything can be read.
func TestCrashInAChange(t *testing.T) {
	b := newBox(t)
	b.fill()
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	ring, _, _ := masterkey.Read(b.key)
	ring, err := ring.New("another-key")
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Write(b.key); err != nil {
		t.Fatal(err)
	}
	if locked := b.restart(); locked != nil {
		t.Errorf("locked: %v", locked)
	}
	b.want(theirs)
	b.must("master-key third-key")
	if locked := b.restart(); locked != nil {
		t.Errorf("locked after the next change: %v", locked)
	}
	b.want(theirs)
}

// TestRefusedChange: a master key that is refused leaves all as it was.
func TestRefusedChange(t *testing.T) {
	b := newBox(t)
	b.fill()
	before, _ := os.ReadFile(b.key)
	text := b.Running().Text()
	for line, want := range map[string]string{"master-key short": "8 to 128 characters", "master-key": "is missing"} {
		if why := b.apply(line); !strings.Contains(why, want) || strings.Contains(why, "short") {
			t.Errorf("%q: %s", line, why)
		}
	}
	b.users.refuse = "mykey"
	if why := b.apply("master-key another-key"); !strings.Contains(why, "no good") || strings.Contains(why, "another-key") {
		t.Errorf("%s", why)
	}
	if after, err := os.ReadFile(b.key); err != nil || string(after) != string(before) || b.Running().Text() != text {
		t.Errorf("it changed: %v", err)
	}
	if errs := b.Merge(t.Context(), "master-key another-key\n", "file"); len(errs) != 1 || !strings.Contains(errs[0].Msg, "no part of a configuration") || strings.Contains(errs[0].Error(), "another") {
		t.Errorf("in a file: %v", errs)
	}
}

// TestRemovalOfTheMasterKey: as long as anything needs it, it stays.
func TestRemovalOfTheMasterKey(t *testing.T) {
	b := newBox(t)
	if why := b.apply("no master-key"); !strings.Contains(why, "there is no master key") {
		t.Errorf("without one: %s", why)
	}
	b.fill()
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	if why := b.apply("no master-key"); !strings.Contains(why, `"auth 6 ********" is encrypted with it`) {
		t.Errorf("in use: %s", why)
	}
	b.must("no encrypt", "login new", "interface a|psk new", "interface a|auth new")
	if why := b.apply("no master-key"); !strings.Contains(why, "startup configuration") {
		t.Errorf("in the startup configuration: %s", why)
	}
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	b.must("no master-key")
	if _, err := os.Stat(b.key); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
	if why := b.apply("no master-key"); !strings.Contains(why, "there is no master key") {
		t.Errorf("removed already: %s", why)
	}
}

// TestModes: whatever the modes were, others can read neither file afterwards, nor
// anything that is left in the directory.
func TestModes(t *testing.T) {
	b := newBox(t)
	for _, path := range []string{b.startup, b.key} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	b.fill()
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(b.key))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		info, _ := e.Info()
		got[e.Name()] = info.Mode().String()
	}
	if diff := cmp.Diff(map[string]string{"startup": "-rw-r-----", "startup.key": "-rw-------"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
