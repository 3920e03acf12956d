package policy

import (
	"fmt"
	"time"
)

// KeyChain is a key chain: its keys by number. Keys without a secret are none.
type KeyChain struct {
	Name string
	Keys []Key
}

// Key is one key of a chain.
type Key struct {
	ID        uint32
	Secret    Secret
	Algorithm Algorithm
	Accept    Lifetime // when messages with the key are accepted
	Send      Lifetime // when messages are sent with it
}

// Algorithm is what cryptographic-algorithm says.
type Algorithm uint8

// The algorithms.
const (
	AlgorithmDefault Algorithm = iota // what the protocol or its interface says
	AlgorithmMD5
	AlgorithmHMACSHA1
	AlgorithmHMACSHA256
	AlgorithmHMACSHA384
	AlgorithmHMACSHA512
)

var algorithmNames = [...]string{"", "md5", "hmac-sha-1", "hmac-sha-256", "hmac-sha-384", "hmac-sha-512"}

// String returns Cisco's word, "" for AlgorithmDefault.
func (a Algorithm) String() string {
	if int(a) >= len(algorithmNames) {
		return fmt.Sprintf("algorithm-%d", uint8(a))
	}
	return algorithmNames[a]
}

// Lifetime is a span of time. The zero Lifetime is always.
type Lifetime struct {
	Start time.Time // first instant; zero: since ever
	End   time.Time // first instant that is no more in it; zero: for ever
}

// Contains tells whether the instant is in the lifetime.
func (l Lifetime) Contains(now time.Time) bool {
	return !now.Before(l.Start) && (l.End.IsZero() || now.Before(l.End))
}

// SendKey returns the key to send with: of those whose send lifetime contains
// now the one with the smallest number. ok is false if there is none.
func (c *KeyChain) SendKey(now time.Time) (key Key, ok bool) {
	if c == nil {
		return Key{}, false
	}
	for _, k := range c.Keys {
		if k.Send.Contains(now) {
			return k, true
		}
	}
	return Key{}, false
}

// AcceptKeys returns the keys whose accept lifetime contains now, by number.
func (c *KeyChain) AcceptKeys(now time.Time) []Key {
	var out []Key
	if c == nil {
		return out
	}
	for _, k := range c.Keys {
		if k.Accept.Contains(now) {
			out = append(out, k)
		}
	}
	return out
}

// AcceptKey returns the key of that number if its accept lifetime contains now.
func (c *KeyChain) AcceptKey(now time.Time, id uint32) (key Key, ok bool) {
	if c == nil {
		return Key{}, false
	}
	for _, k := range c.Keys {
		if k.ID == id && k.Accept.Contains(now) {
			return k, true
		}
	}
	return Key{}, false
}

// NextChange returns the earliest instant after now at which a lifetime of the
// chain begins or ends: until then SendKey and AcceptKeys say the same. ok is
// false if there is none.
func (c *KeyChain) NextChange(now time.Time) (at time.Time, ok bool) {
	if c == nil {
		return time.Time{}, false
	}
	for _, k := range c.Keys {
		for _, t := range []time.Time{k.Accept.Start, k.Accept.End, k.Send.Start, k.Send.End} {
			if t.After(now) && (!ok || t.Before(at)) {
				at, ok = t, true
			}
		}
	}
	return at, ok
}
