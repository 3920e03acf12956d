package masterkey

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const key = "correct horse"

func ring(t *testing.T, keys ...string) (r *Ring) {
	t.Helper()
	for _, k := range keys {
		var err error
		if r, err = r.New(k); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func seal(t *testing.T, r *Ring, text string) string {
	t.Helper()
	word, err := r.Seal(text)
	if err != nil {
		t.Fatal(err)
	}
	return word
}

// TestSealOpen: each time another word, of characters that mean nothing to the
// grammar, that every ring with the key opens and no other.
func TestSealOpen(t *testing.T) {
	r, same, other := ring(t, key), ring(t, key), ring(t, "another key")
	for _, text := range []string{"", " s3cret", "hex 00ff", strings.Repeat("x", 520)} {
		a, b := seal(t, r, text), seal(t, r, text)
		if a == b || strings.Trim(strings.TrimPrefix(a, "g1."), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" || !Mentions("key 6 "+a+"\n") {
			t.Errorf("%q and %q", a, b)
		}
		for _, reader := range []*Ring{r, same, ring(t, key, "another key")} {
			if got, err := reader.Open(a); err != nil || got != text {
				t.Errorf("opened as %q, %v", got, err)
			}
		}
		if got, err := other.Open(a); !errors.Is(err, ErrWrong) || got != "" {
			t.Errorf("with another key: %q, %v", got, err)
		}
		if _, err := (*Ring)(nil).Open(a); !errors.Is(err, ErrNoKey) {
			t.Errorf("without a key: %v", err)
		}
	}
	if _, err := (*Ring)(nil).Seal("x"); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
}

// TestKnownAnswer was computed by Python: hashlib.pbkdf2_hmac and cryptography's
// AESGCM. Words that are stored must be readable for ever.
func TestKnownAnswer(t *testing.T) {
	const word = "g1.AAECAwQFBgcICQoLDA0OD2RlZmdoaWprbG1ub3Fjgiqs4lakBkQB0CFdXw7IBY_1QFzXRtTpwEsdUw"
	if got, err := ring(t, key).Open(word); err != nil || got != "0 Lab-Psk-2026" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestDamage: no octet of a word can be changed, and what is not ours is said to be
// so, such as a word of Cisco's.
func TestDamage(t *testing.T) {
	r := ring(t, key)
	word := seal(t, r, " s3cret")
	for i := len(form) + 16*4/3 + 2; i < len(word); i++ { // behind the salt, of which each costs a derivation
		b := []byte(word)
		if b[i]++; b[i] == '[' {
			b[i] = 'a'
		}
		if got, err := r.Open(string(b)); err == nil {
			t.Errorf("octet %d changed, and opened as %q", i, got)
		}
	}
	for _, foreign := range []string{"", "g1.", "JDYkqyIFWeBvzpljSfWmRZrmRSRE8syxKlOSjP9RCCkFinZbJI3GD5c6rckR", "g2" + word[2:], word[:30], "g1.????", word[:40] + " " + word[40:]} {
		if _, err := r.Open(foreign); !errors.Is(err, ErrForeign) {
			t.Errorf("%q: %v", foreign, err)
		}
	}
}

// TestManySalts: a configuration cannot keep zebra busy with salts.
func TestManySalts(t *testing.T) {
	r := ring(t, key)
	r.salts = map[[saltSize]byte]bool{}
	for i := range maxSalts {
		r.salts[[saltSize]byte{byte(i)}] = true
	}
	if _, err := r.Open(seal(t, ring(t, key), "x")); !errors.Is(err, ErrSalts) {
		t.Errorf("%v", err)
	}
}

func TestLengthOfKeys(t *testing.T) {
	for _, bad := range []string{"", "seven77", strings.Repeat("x", MaxKey+1)} {
		if _, err := (*Ring)(nil).New(bad); err == nil {
			t.Errorf("%d characters are taken", len(bad))
		}
	}
}

// TestReseal: all words of a text that can be opened are of the present key
// afterwards, and nothing else changes.
func TestReseal(t *testing.T) {
	old, foreign := ring(t, key), ring(t, "another key")
	both, err := old.New("the new key")
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := seal(t, old, " s3cret"), seal(t, foreign, "x")
	text := "! a comment\nkey 6 " + mine + "\n  key 6 " + theirs + "\nkey g1.short\nx" + mine + "\n"
	got := both.Reseal(text)
	lines := strings.Split(got, "\n")
	if plain, err := both.Latest().Open(strings.TrimPrefix(lines[1], "key 6 ")); err != nil || plain != " s3cret" {
		t.Errorf("%q, %v", plain, err)
	}
	if want := strings.Replace(text, lineOf(text, 1), lines[1], 1); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func lineOf(text string, n int) string { return strings.Split(text, "\n")[n] }

// TestFile: the file has mode 0600 whatever the umask and its former mode, and
// nothing is left beside it.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if r, open, err := Read(path); r != nil || open || err != nil {
		t.Errorf("without a file: %v, %v, %v", r, open, err)
	}
	old := ring(t, key)
	word := seal(t, old, " s3cret")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	both, _ := old.New("the new key")
	if err := both.Write(path); err != nil {
		t.Fatal(err)
	}
	r, open, err := Read(path)
	if err != nil || open {
		t.Fatal(open, err)
	}
	if got, err := r.Open(word); err != nil || got != " s3cret" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := both.Latest().Open(seal(t, r, "new")); err != nil || got != "new" {
		t.Errorf("it does not seal with the present key: %q, %v", got, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%v", left)
	}
}

// TestFileOfOthers: a file that others can read is closed to them, and says so.
func TestFileOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := ring(t, key).Write(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	r, open, err := Read(path)
	if r == nil || !open || err != nil {
		t.Errorf("%v, %v, %v", r, open, err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("%v", st.Mode())
	}
}

// TestDamagedFile: what is wrong is said without what is in the file.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	salt := `"salt":"AAAAAAAAAAAAAAAAAAAAAA=="`
	for _, text := range []string{"", "s3cret", `{"version":2,"keys":[{"key":"s3crets3cret",` + salt + `}]}`, `{"version":1}`,
		`{"version":1,"keys":[{"key":"s3cret",` + salt + `}]}`, `{"version":1,"keys":[{"key":"s3crets3cret","salt":"AAAA"}]}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, _, err := Read(path); r != nil || err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
}

// TestKeysAreHidden: no printing shows a key.
func TestKeysAreHidden(t *testing.T) {
	r := ring(t, key)
	if s := fmt.Sprintf("%v %+v %#v %s", r, r, r, r); strings.Contains(s, key) {
		t.Errorf("%s", s)
	}
}
