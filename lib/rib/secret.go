package rib

import (
	"fmt"
	"unique"
)

// Secret is key material. Whatever prints, logs or marshals it gets hidden: the bytes
// are behind a pointer, so that not even a print of what has it in a field of its own
// shows them. Secrets are equal by == if their bytes are; the zero value is empty.
type Secret struct{ bytes unique.Handle[string] }

// hidden is what is seen of a Secret.
const hidden = "(secret)"

// NewSecret returns a Secret with a copy of b.
func NewSecret(b []byte) Secret {
	if len(b) == 0 {
		return Secret{}
	}
	return Secret{unique.Make(string(b))}
}

// Reveal returns a copy of the bytes, for who hands them to a cipher or to the kernel.
func (s Secret) Reveal() []byte { return []byte(s.value()) }

// Len returns the number of bytes.
func (s Secret) Len() int { return len(s.value()) }

// Empty reports whether there are no bytes.
func (s Secret) Empty() bool { return s == Secret{} }

func (s Secret) value() string {
	if s.Empty() {
		return ""
	}
	return s.bytes.Value()
}

// String implements fmt.Stringer. It tells whether there is a secret, and no more.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return hidden
}

// Format implements fmt.Formatter: all verbs print as String does.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalText implements encoding.TextMarshaler, by which JSON and slog go.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
