package cli

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Value is one argument of a line: its kind and its canonical text. It was
// checked when the line was matched; a Value that came over a connection is
// checked again by the accessors of Args, which return zero values for nonsense.
type Value struct {
	Kind Kind   `json:"k"`
	Text string `json:"t"`
	// List has the texts of an argument that may be repeated; Text then has
	// them all, separated by spaces.
	List []string `json:"l,omitempty"`
}

// redacted stands for a secret in whatever people read.
const redacted = "********"

// String returns the text, or stars for a secret: use Args.String for the
// secret itself.
func (v Value) String() string {
	if v.Kind == KindSecret {
		return redacted
	}
	return v.Text
}

// GoString is String: a secret is not printed by %#v either.
func (v Value) GoString() string { return fmt.Sprintf("cli.Value{%s %q}", v.Kind, v.String()) }

// LogValue keeps secrets out of structured logs.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// Args are the arguments of a line by name: named arguments and groups, and the
// keywords of options and choices by their own text.
type Args map[string]Value

// Has tells whether the argument or keyword was in the line.
func (a Args) Has(name string) bool { _, ok := a[name]; return ok }

// String returns the canonical text of an argument, "" if it is absent. It
// returns secrets as they are.
func (a Args) String(name string) string { return a[name].Text }

// Strings returns all texts of an argument that may be repeated.
func (a Args) Strings(name string) []string {
	v, ok := a[name]
	if !ok {
		return nil
	}
	if v.List == nil {
		return []string{v.Text}
	}
	return slices.Clone(v.List)
}

// Addr returns an address, also that of a prefix with host bits; the zero Addr
// if it is absent or no address (HOST may hold a name).
func (a Args) Addr(name string) netip.Addr {
	text := a[name].Text
	if i := strings.IndexByte(text, '/'); i >= 0 {
		text = text[:i]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// Prefix returns a prefix; the zero Prefix if it is absent. Host bits are kept
// where the kind keeps them.
func (a Args) Prefix(name string) netip.Prefix {
	p, err := netip.ParsePrefix(a[name].Text)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// MaskedPrefix joins an address and a MASK argument, as in "ip address A M". A
// missing mask means a host. ok is false if the address is absent.
func (a Args) MaskedPrefix(addr, mask string) (p netip.Prefix, ok bool) {
	ip := a.Addr(addr)
	if !ip.IsValid() {
		return p, false
	}
	if !a.Has(mask) {
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	bits, ok := maskBits(a.Addr(mask))
	return netip.PrefixFrom(ip, bits), ok && ip.Is4()
}

// Uint returns a number, 0 if it is absent.
func (a Args) Uint(name string) uint64 {
	n, err := strconv.ParseUint(a[name].Text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// UintOr returns a number, or def if it is absent.
func (a Args) UintOr(name string, def uint64) uint64 {
	if !a.Has(name) {
		return def
	}
	return a.Uint(name)
}

// Names returns the names of all arguments in order.
func (a Args) Names() []string {
	names := make([]string, 0, len(a))
	for n := range a {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// add appends a text to an argument; repeated ones become a list.
func (a Args) add(name string, kind Kind, text string, repeated bool) {
	v, ok := a[name]
	if ok {
		v.Text += " " + text
	} else {
		v = Value{Kind: kind, Text: text}
	}
	if repeated {
		v.List = append(v.List, text)
	}
	a[name] = v
}
