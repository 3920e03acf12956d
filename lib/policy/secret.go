package policy

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Secret is the secret of a key. However it is printed, logged or encoded, it
// shows stars.
type Secret struct {
	text *string // behind a pointer, so that printing by reflection does not find it either
}

// NewSecret makes a Secret.
func NewSecret(text string) Secret { return Secret{&text} }

// Bytes returns a copy of the secret; nil if there is none.
func (s Secret) Bytes() []byte {
	if s.text == nil {
		return nil
	}
	return []byte(*s.text)
}

// Equal compares two secrets.
func (s Secret) Equal(o Secret) bool { return string(s.Bytes()) == string(o.Bytes()) }

const stars = "********"

// String returns stars.
func (s Secret) String() string { return stars }

// Format writes stars, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, stars) }

// MarshalText returns stars.
func (s Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }

// ReadSecret reads the arguments of cli.SecretPart: a secret as it is (type 0, or none),
// in Cisco's type 7, or, where the grammar has it, in hexadecimal digits (hex). Type 6
// does not come here, since zebra decrypts what daemons get. max is the most
// bytes that the secret may have. What is wrong with it is said without showing it.
func ReadSecret(a cli.Args, max int) (s Secret, wrong string) {
	text := a.String(cli.SecretText)
	switch a.String(cli.SecretType) {
	case cli.TypeEncrypted:
		return Secret{}, "the secret is encrypted, and only zebra can read it"
	case "7":
		plain, ok := DecodeType7(text)
		if !ok {
			return Secret{}, "the secret is not in Cisco's type 7"
		}
		text = plain
	case "hex":
		b, err := hex.DecodeString(text)
		if err != nil || len(b) == 0 {
			return Secret{}, "the secret is not an even number of hexadecimal digits"
		}
		text = string(b)
	}
	if len(text) > max {
		return Secret{}, fmt.Sprintf("the secret is longer than %d characters", max)
	}
	return NewSecret(text), ""
}

// type7 is the constant text that Cisco's type 7 combines with a secret.
const type7 = "dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87"

// DecodeType7 returns what a text in Cisco's type 7 hides; ok is false if it is not in
// it. Two decimal digits say where in the constant to begin, then each byte, in
// hexadecimal, is the exclusive or of the secret's and the constant's, which repeats.
// It hides a secret from a glance only.
func DecodeType7(text string) (plain string, ok bool) {
	if len(text) < 4 {
		return "", false
	}
	at, err := strconv.ParseUint(text[:2], 10, 8)
	b, err2 := hex.DecodeString(text[2:])
	if err != nil || err2 != nil || at >= uint64(len(type7)) {
		return "", false
	}
	for i := range b {
		b[i] ^= type7[(int(at)+i)%len(type7)]
		if b[i] < ' ' || b[i] > '~' {
			return "", false
		}
	}
	return string(b), true
}
