package confstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/zebra/masterkey"
)

// ring returns the master keys; nil if there are none.
func (s *Store) ring() *masterkey.Ring {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

func (s *Store) setRing(r *masterkey.Ring) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = r
}

// join returns what is encrypted: the type and the secret, so that every type that a
// grammar has comes back. Only Cisco's type 7 does not, which is no more than the
// secret.
func join(kind, text string) string {
	if plain, ok := policy.DecodeType7(text); ok && kind == "7" {
		kind, text = "0", plain
	}
	return kind + " " + text
}

// Length of what stands for a secret that cannot be decrypted: no longer than the
// secret, so that its line takes it, or as long as every line takes.
const (
	minShut = 8
	maxShut = 43 // 256 bits
)

// standIn returns what stands for a secret that cannot be decrypted: the same until
// zebra ends, and nothing that anybody knows.
func (s *Store) standIn(word string) string {
	sum := sha256.Sum256([]byte(s.shut + word))
	n := masterkey.Len(word) - len(join("0", ""))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:min(max(n, minShut), maxShut)]
}

// encrypted returns the encrypted secret of a line; ok is false if it has none.
func encrypted(n *conf.Node) (word string, ok bool) {
	if n == nil {
		return "", false
	}
	kind, text, ok := n.Secret()
	return text, ok && kind == cli.TypeEncrypted
}

// reveal decrypts the secrets of a tree in place, for those who use them, and returns
// it. Texts of lines stay encrypted. Where a secret cannot be decrypted, a random one
// stands for it: what it protects stays shut, instead of being open without it.
func (s *Store) reveal(tree *conf.Tree, ring *masterkey.Ring) *conf.Tree {
	tree.EachSecret(func(_ []string, n *conf.Node) {
		word, ok := encrypted(n)
		if !ok {
			return
		}
		plain, err := ring.Open(word)
		if err != nil {
			plain = join("0", s.standIn(word))
		}
		kind, text, _ := strings.Cut(plain, " ")
		n.Reveal(kind, text)
	})
	return tree
}

// locked refuses the lines of a candidate whose secrets cannot be decrypted, but for
// those that were there before.
func (s *Store) locked(before, candidate *conf.Tree) (refused []refusal) {
	ring := s.ring()
	candidate.EachSecret(func(path []string, n *conf.Node) {
		word, ok := encrypted(n)
		if old, was := encrypted(before.At(path)); !ok || was && old == word {
			return
		}
		if _, err := ring.Open(word); err != nil {
			refused = append(refused, refusal{s.opts.Self, plugin.LineError{Path: path, Msg: err.Error()}})
		}
	})
	return refused
}

// secret is where a line is to get another secret.
type secret struct {
	path []string
	text string // type and secret, as join has them
}

// seal returns a candidate with its clear secrets encrypted, if it says so and there
// is a master key. A secret that was there before keeps the word that it has.
func (s *Store) seal(before, candidate *conf.Tree) (*conf.Tree, error) {
	ring := s.ring()
	if ring == nil || s.opts.Encrypt == "" || candidate.Find(s.opts.Self, s.opts.Encrypt) == nil {
		return candidate, nil
	}
	var clear []secret
	candidate.EachSecret(func(path []string, n *conf.Node) {
		if kind, text, _ := n.Secret(); kind != cli.TypeEncrypted {
			clear = append(clear, secret{path, join(kind, text)})
		}
	})
	if len(clear) == 0 {
		return candidate, nil
	}
	sealed := candidate.Clone()
	for _, c := range clear {
		if old, was := encrypted(before.At(c.path)); was {
			if plain, err := ring.Open(old); err == nil && plain == c.text {
				sealed.PutSecret(c.path, cli.TypeEncrypted, old)
				continue
			}
		}
		word, err := ring.Seal(c.text)
		if err != nil {
			return nil, err
		}
		sealed.PutSecret(c.path, cli.TypeEncrypted, word)
	}
	return sealed, nil
}

// carryOut carries out an immediate line.
func (s *Store) carryOut(ctx context.Context, m cli.Match) error {
	switch {
	case m.Command.ID != s.opts.KeyLine || s.opts.KeyFile == "":
		return errors.New("there is nothing to carry it out")
	case m.No || m.Default:
		return s.removeKey()
	case !m.Args.Has(m.Command.Ask):
		return errors.New("the master key is missing")
	}
	return s.changeKey(ctx, m.Args.String(m.Command.Ask))
}

// changeKey makes a key the master key. All that is encrypted, in the startup
// configuration too, is encrypted anew. The key before stays in the file until that
// is done, so that a crash at any moment leaves nothing that cannot be read.
func (s *Store) changeKey(ctx context.Context, key string) error {
	was := s.ring()
	ring, err := was.New(key)
	if err != nil {
		return err
	}
	candidate, err := reseal(s.Running(), ring)
	if err != nil {
		return err
	}
	if err := ring.Write(s.opts.KeyFile); err != nil {
		return fmt.Errorf("the master key was not written: %w", err)
	}
	s.setRing(ring)
	if refused := s.transact(ctx, candidate, plugin.Commit); len(refused) > 0 {
		s.setRing(was)
		return errors.Join(errors.New(s.explain(candidate, cli.Match{}, refused)), s.restore(was))
	}
	if err := s.resealStartup(ring); err != nil {
		return fmt.Errorf("the master key is set, but the startup configuration has secrets of the one before: %w", err)
	}
	ring = ring.Latest()
	s.setRing(ring)
	if err := ring.Write(s.opts.KeyFile); err != nil {
		return fmt.Errorf("the master key is set, but the one before stays in its file: %w", err)
	}
	return nil
}

// restore puts the file of the master key back.
func (s *Store) restore(was *masterkey.Ring) error {
	if was == nil {
		return os.Remove(s.opts.KeyFile)
	}
	return was.Write(s.opts.KeyFile)
}

// reseal returns a tree with its encrypted secrets encrypted anew. A secret that
// cannot be decrypted says that the key is not the right one.
func reseal(tree *conf.Tree, ring *masterkey.Ring) (out *conf.Tree, err error) {
	out = tree.Clone()
	tree.EachSecret(func(path []string, n *conf.Node) {
		word, ok := encrypted(n)
		if !ok || err != nil {
			return
		}
		plain, failed := ring.Open(word)
		if failed == nil {
			word, failed = ring.Seal(plain)
		}
		if failed != nil {
			err = fmt.Errorf("%q: %w: enter that one, or remove the line first", n, failed)
			return
		}
		out.PutSecret(path, cli.TypeEncrypted, word)
	})
	return out, err
}

func (s *Store) resealStartup(ring *masterkey.Ring) error {
	text, err := os.ReadFile(s.opts.Startup)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fresh := ring.Reseal(string(text)); fresh != string(text) {
		return s.writeStartup(fresh)
	}
	return nil
}

// removeKey removes the master key, if nothing needs it.
func (s *Store) removeKey() error {
	if s.ring() == nil {
		return errors.New("there is no master key")
	}
	var user *conf.Node
	s.Running().EachSecret(func(_ []string, n *conf.Node) {
		if _, ok := encrypted(n); ok && user == nil {
			user = n
		}
	})
	if user != nil {
		return fmt.Errorf("the secret of %q is encrypted with it and would be lost: enter it as it is after no password encryption aes, or remove the line", user)
	}
	text, err := os.ReadFile(s.opts.Startup)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case masterkey.Mentions(string(text)):
		return errors.New("secrets of the startup configuration are encrypted with it: write memory first")
	}
	if err := os.Remove(s.opts.KeyFile); err != nil {
		return err
	}
	s.setRing(nil)
	return nil
}
