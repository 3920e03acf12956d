package core

import (
	"net/netip"
	"reflect"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// authenticator signs and verifies the packets of an interface, of every type (RFC
// 7868 section 6.7.2). What it takes for valid it looks up anew whenever a lifetime
// begins or ends.
//
// Where nothing is configured, packets with authentication are not taken, as on IOS.
type authenticator struct {
	algorithm packet.Algorithm
	chain     *policy.KeyChain
	password  *packet.Key // without a chain

	from, until time.Time // when what follows is right; until zero: for ever
	known       bool
	send        *packet.Key // nil: there is none
	accept      []packet.Key
}

// algorithms are what Authentication is in packets.
var algorithms = [...]packet.Algorithm{
	AuthenticationNone: packet.NoAlgorithm, AuthenticationMD5: packet.KeyedMD5, AuthenticationSHA256: packet.HMACSHA256,
}

// newAuthenticator makes what the configuration of an interface asks for.
func newAuthenticator(ic InterfaceConfig, set *policy.Set) *authenticator {
	a := &authenticator{algorithm: algorithms[ic.Authentication]}
	switch secret := ic.Password.Bytes(); {
	case a.algorithm == packet.NoAlgorithm:
	case ic.KeyChain != "":
		a.chain = set.KeyChain(ic.KeyChain)
	case ic.Authentication == AuthenticationSHA256 && len(secret) > 0:
		a.password = &packet.Key{Algorithm: a.algorithm, Secret: secret}
	}
	return a
}

// same reports whether the configuration asks for what this authenticator does.
func (a *authenticator) same(ic InterfaceConfig, set *policy.Set) bool {
	b := newAuthenticator(ic, set)
	return a.algorithm == b.algorithm && reflect.DeepEqual(a.chain, b.chain) && reflect.DeepEqual(a.password, b.password)
}

// look finds the keys that are valid at an instant.
func (a *authenticator) look(wall time.Time) {
	if a.known && !wall.Before(a.from) && (a.until.IsZero() || wall.Before(a.until)) {
		return
	}
	a.known, a.from, a.until, a.send, a.accept = true, wall, time.Time{}, nil, nil
	if a.chain == nil {
		if a.password != nil {
			a.send, a.accept = a.password, []packet.Key{*a.password}
		}
		return
	}
	if at, ok := a.chain.NextChange(wall); ok {
		a.until = at
	}
	if k, ok := a.chain.SendKey(wall); ok {
		key := a.key(k)
		a.send = &key
	}
	for _, k := range a.chain.AcceptKeys(wall) {
		a.accept = append(a.accept, a.key(k))
	}
}

// key is a key of a chain. The algorithm is that of the interface, whatever the chain
// says: the mode of authentication is part of the interface's configuration.
func (a *authenticator) key(k policy.Key) packet.Key {
	return packet.Key{ID: k.ID, Algorithm: a.algorithm, Secret: k.Secret.Bytes()}
}

// sendKey returns the key to send with, nil where there is no authentication. ok is
// false if there should be a key, and none is valid: then nothing is to be sent.
func (a *authenticator) sendKey(wall time.Time) (key *packet.Key, ok bool) {
	if a.algorithm == packet.NoAlgorithm {
		return nil, true
	}
	a.look(wall)
	return a.send, a.send != nil
}

// verify tells whether a message, which was decoded from b, may be believed: 0 if so.
//
// What Keyed-MD5 does not cover (see package packet) is taken as it is, since other
// routers send it so: an acknowledgment, an empty UPDATE and the end of every packet.
// It is no protection against who can alter packets; HMAC-SHA-256 is.
func (a *authenticator) verify(wall time.Time, m *packet.Message, b []byte, from netip.Addr) DropReason {
	switch {
	case m.Auth.Algorithm != a.algorithm:
		return DropUnauthenticated
	case a.algorithm == packet.NoAlgorithm:
		return 0
	}
	a.look(wall)
	for k := range a.accept {
		if a.accept[k].ID != m.Auth.KeyID {
			continue
		}
		if m.Verify(b, a.accept[k], from) {
			return 0
		}
		return DropDigest
	}
	return DropKey
}

// sendID returns the number of the key that packets are sent with, -1 for none.
func (a *authenticator) sendID(wall time.Time) int64 {
	if k, _ := a.sendKey(wall); k != nil {
		return int64(k.ID)
	}
	return -1
}
