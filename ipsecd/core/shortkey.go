package core

import (
	"fmt"
	"slices"

	"github.com/godmvpn/godmvpn/lib/policy"
)

// minKey is how many characters a pre-shared key should have. Who pretends to be the
// responder gets from an initiator what it takes to try keys at home, as many as it likes
// (RFC 7296 section 2.15); nothing but their number prevents that.
const minKey = 16

// warn tells the operator of keys that can be guessed, and of profiles that are not there,
// once.
func (c *Core) warn(before Config) {
	known := before.shortKeys()
	for _, s := range c.config.shortKeys() {
		if !slices.Contains(known, s) {
			c.emit(Log{"IKEV2", SeverityWarning, "SHORTKEY", s})
		}
	}
	known = before.absent()
	for _, s := range c.config.absent() {
		if !slices.Contains(known, s) {
			c.emit(Log{"CRYPTO", SeverityWarning, "NOPROFILE", s})
		}
	}
}

// absent says which tunnels name a profile that does not exist.
func (c *Config) absent() (out []string) {
	for _, t := range c.Tunnels {
		if find(c.IPsec, func(p *IPsec) bool { return p.Name == t.Profile }) == nil {
			out = append(out, fmt.Sprintf("%s: IPsec profile %s does not exist, so nothing passes", t.Interface, t.Profile))
		}
	}
	return out
}

// shortKeys says which keys are short.
func (c *Config) shortKeys() (out []string) {
	check := func(where string, keys ...policy.Secret) {
		if slices.ContainsFunc(keys, func(k policy.Secret) bool { n := len(k.Bytes()); return n > 0 && n < minKey }) {
			out = append(out, fmt.Sprintf("pre-shared key of %s has fewer than %d characters: it can be guessed", where, minKey))
		}
	}
	for i := range c.Keyrings {
		for j := range c.Keyrings[i].Peers {
			p := &c.Keyrings[i].Peers[j]
			check("peer "+p.Name+" in keyring "+c.Keyrings[i].Name, p.Local, p.Remote)
		}
	}
	for i := range c.Profiles {
		check("profile "+c.Profiles[i].Name, c.Profiles[i].Key, c.Profiles[i].RemoteKey)
	}
	return out
}
