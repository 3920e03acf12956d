package masterkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Length of a master key, in bytes; as on IOS.
const (
	MinKey = 8
	MaxKey = 128
)

// The form of encrypted secrets.
const (
	form       = "g1."
	saltSize   = 16
	nonceSize  = 12
	tagSize    = 16
	iterations = 600_000 // of PBKDF2
	keySize    = 32      // AES-256
)

// maxSalts bounds the salts of one ring's life, each of which costs iterations.
// Whoever joins configurations of more routers has to enter secrets anew.
const maxSalts = 32

// Why a secret cannot be decrypted.
var (
	ErrNoKey   = errors.New("the secret is encrypted, and there is no master key: enter key config-key password-encrypt")
	ErrWrong   = errors.New("the secret is encrypted with another master key than this router's, or is damaged")
	ErrForeign = errors.New("the secret was not encrypted by this suite (Cisco's own type 6 cannot be read): enter it as it is, without a type")
	ErrSalts   = fmt.Errorf("the secrets of the configuration were encrypted on more than %d routers: enter this one as it is, without a type", maxSalts)
)

// encoding is that of the words: no character of it means anything to a shell or to
// the grammar.
var encoding = base64.RawURLEncoding.Strict()

// masterKey is one key, with the salt with which it encrypts.
type masterKey struct {
	text string
	salt [saltSize]byte
}

// Ring is the master key, and those before it of whose time something may be left.
// The nil Ring has none. Its methods may be called by several goroutines.
type Ring struct {
	keys []masterKey // the present one first

	mu      sync.Mutex // guards the following
	derived map[masterKey]cipher.AEAD
	salts   map[[saltSize]byte]bool
}

// String hides the keys.
func (r *Ring) String() string { return "master key" }

// GoString hides the keys.
func (r *Ring) GoString() string { return r.String() }

// New returns a ring with a new master key before those of r, which may be nil.
func (r *Ring) New(key string) (*Ring, error) {
	if len(key) < MinKey || len(key) > MaxKey {
		return nil, fmt.Errorf("a master key has %d to %d characters", MinKey, MaxKey)
	}
	k := masterKey{text: key}
	rand.Read(k.salt[:])
	keys := []masterKey{k}
	if r != nil {
		keys = append(keys, r.keys...)
	}
	return ringOf(keys), nil
}

// Latest returns a ring with nothing but the present master key.
func (r *Ring) Latest() *Ring { return ringOf(slices.Clone(r.keys[:1])) }

func ringOf(keys []masterKey) *Ring {
	return &Ring{keys: keys, derived: map[masterKey]cipher.AEAD{}, salts: map[[saltSize]byte]bool{}}
}

// Seal encrypts a text with the present master key: a word, another one each time.
func (r *Ring) Seal(text string) (string, error) {
	if r == nil {
		return "", ErrNoKey
	}
	aead, err := r.cipher(r.keys[0])
	if err != nil {
		return "", err
	}
	b := make([]byte, saltSize+nonceSize, saltSize+nonceSize+len(text)+aead.Overhead())
	copy(b, r.keys[0].salt[:])
	nonce := b[saltSize:]
	rand.Read(nonce)
	return form + encoding.EncodeToString(aead.Seal(b, nonce, []byte(text), []byte(form))), nil
}

// Open decrypts a word that Seal made, here or on another router with one of the
// ring's keys. The error is for people and says nothing of what is inside.
func (r *Ring) Open(word string) (text string, err error) {
	b, err := encoding.DecodeString(strings.TrimPrefix(word, form))
	switch {
	case !strings.HasPrefix(word, form) || err != nil || len(b) < saltSize+nonceSize:
		return "", ErrForeign
	case r == nil:
		return "", ErrNoKey
	}
	salt, nonce, sealed := [saltSize]byte(b), b[saltSize:saltSize+nonceSize], b[saltSize+nonceSize:]
	for _, k := range r.keys {
		aead, err := r.cipher(masterKey{k.text, salt})
		if err != nil {
			return "", err
		}
		if plain, err := aead.Open(nil, nonce, sealed, []byte(form)); err == nil {
			return string(plain), nil
		}
	}
	return "", ErrWrong
}

// Len returns how long the text of a word is that Seal made, 0 if it did not. The
// encryption does not hide that.
func Len(word string) int {
	b, err := encoding.DecodeString(strings.TrimPrefix(word, form))
	if err != nil || !strings.HasPrefix(word, form) {
		return 0
	}
	return max(len(b)-saltSize-nonceSize-tagSize, 0)
}

// cipher returns what a key with a salt is expanded to, and remembers it.
func (r *Ring) cipher(k masterKey) (cipher.AEAD, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if aead := r.derived[k]; aead != nil {
		return aead, nil
	}
	if r.salts[k.salt] = true; len(r.salts) > maxSalts {
		delete(r.salts, k.salt)
		return nil, ErrSalts
	}
	key, err := pbkdf2.Key(sha256.New, k.text, k.salt[:], iterations, keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	r.derived[k] = aead
	return aead, nil
}

// words finds encrypted secrets in a text. The shortest is of an empty text.
var words = regexp.MustCompile(`\bg1\.[A-Za-z0-9_-]{59,}`)

// Mentions tells whether a text, such as that of a configuration, has encrypted
// secrets.
func Mentions(text string) bool { return words.MatchString(text) }

// Reseal encrypts with the present master key all secrets of a text that one of the
// ring's keys decrypts. Nothing else of the text changes.
func (r *Ring) Reseal(text string) string {
	return words.ReplaceAllStringFunc(text, func(word string) string {
		plain, err := r.Open(word)
		if err != nil {
			return word
		}
		if fresh, err := r.Seal(plain); err == nil {
			return fresh
		}
		return word
	})
}
