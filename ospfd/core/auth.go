package core

import (
	"reflect"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// authenticator signs and verifies the packets of an interface (RFC 2328 appendix D). What
// of a key chain is valid it looks up anew whenever a lifetime begins or ends.
type authenticator struct {
	kind   Authentication
	keys   []packet.Key // of a password or of `message-digest-key`, the youngest last
	chain  *policy.KeyChain
	legacy bool // several keys sign until all neighbours use the youngest

	from, until time.Time // when what follows is right; until zero: for ever
	known       bool
	send        []packet.Key // the one to sign with, or none
	accept      []packet.Key
}

// newAuthenticator makes what the configuration of an interface asks for.
func newAuthenticator(ic InterfaceConfig, set *policy.Set) *authenticator {
	a := &authenticator{kind: ic.Authentication}
	switch ic.Authentication {
	case AuthenticationSimple:
		if secret := ic.Password.Bytes(); len(secret) > 0 {
			a.keys = []packet.Key{{Algorithm: packet.SimplePassword, Secret: secret}}
		} else {
			a.keys = []packet.Key{{Algorithm: packet.SimplePassword, Secret: make([]byte, 8)}} // IOS: a password of zeros
		}
	case AuthenticationMD5:
		for _, k := range ic.DigestKeys {
			if secret := k.Key.Bytes(); len(secret) > 0 {
				a.keys = append(a.keys, packet.Key{ID: uint32(k.ID), Algorithm: packet.KeyedMD5, Secret: secret})
			}
		}
		if len(a.keys) == 0 { // IOS: key 0, of zeros
			a.keys = []packet.Key{{Algorithm: packet.KeyedMD5, Secret: make([]byte, 16)}}
		}
		a.legacy = true
	case AuthenticationKeyChain:
		a.chain = set.KeyChain(ic.KeyChain)
	}
	return a
}

// same reports whether the configuration asks for what this authenticator does.
func (a *authenticator) same(ic InterfaceConfig, set *policy.Set) bool {
	b := newAuthenticator(ic, set)
	return a.kind == b.kind && reflect.DeepEqual(a.keys, b.keys) && reflect.DeepEqual(a.chain, b.chain)
}

// algorithms are those of key chains. A key that names none is one of MD5.
var algorithms = [...]packet.Algorithm{
	policy.AlgorithmDefault: packet.KeyedMD5, policy.AlgorithmMD5: packet.KeyedMD5, policy.AlgorithmHMACSHA1: packet.HMACSHA1,
	policy.AlgorithmHMACSHA256: packet.HMACSHA256, policy.AlgorithmHMACSHA384: packet.HMACSHA384, policy.AlgorithmHMACSHA512: packet.HMACSHA512,
}

// key is a key of a chain. One whose number does not fit eight bits is for packets with
// extended sequence numbers (RFC 7474 section 3), which have room for it; the others sign
// as RFC 5709 says.
func chainKey(k policy.Key) packet.Key {
	return packet.Key{ID: k.ID, Algorithm: algorithms[k.Algorithm], Secret: k.Secret.Bytes(), Extended: k.ID > 255}
}

// look finds the keys of the chain that are valid at an instant.
func (a *authenticator) look(wall time.Time) {
	if a.known && !wall.Before(a.from) && (a.until.IsZero() || wall.Before(a.until)) {
		return
	}
	a.known, a.from, a.until, a.send, a.accept = true, wall, time.Time{}, nil, nil
	if a.kind != AuthenticationKeyChain {
		a.accept = a.keys
		if n := len(a.keys); n > 0 {
			a.send = a.keys[n-1:]
		}
		return
	}
	if at, ok := a.chain.NextChange(wall); ok {
		a.until = at
	}
	if k, ok := a.chain.SendKey(wall); ok {
		a.send = []packet.Key{chainKey(k)}
	}
	for _, k := range a.chain.AcceptKeys(wall) {
		a.accept = append(a.accept, chainKey(k))
	}
}

// signing returns the keys to send with: a packet goes out once with each. Without
// authentication that is one, which is nil. While neighbours still use another of several
// MD5 keys, all of them sign (rollover).
func (i *iface) signing(wall time.Time) (keys []*packet.Key, rollover bool) {
	a := i.auth
	if a.kind == AuthenticationNull {
		return []*packet.Key{nil}, false
	}
	a.look(wall)
	if a.legacy && len(a.keys) > 1 {
		youngest := a.keys[len(a.keys)-1].ID
		rollover = slices.ContainsFunc(i.neighbors, func(n *neighbor) bool { return n.keyed && n.keyID != youngest })
	}
	all := a.send
	if rollover {
		all = a.keys
	}
	for k := range all {
		keys = append(keys, &all[k])
	}
	slices.Reverse(keys)
	return keys, rollover
}

// verify tells whether a message, which was parsed from b, may be believed: 0 if so (RFC
// 2328 section D.5). Sequence numbers are checked by authSequence.
func (i *iface) verify(wall time.Time, m *packet.Message, rx RxPacket) DropReason {
	a := i.auth
	kind := map[packet.AuType]bool{
		packet.AuthNull: a.kind == AuthenticationNull, packet.AuthSimple: a.kind == AuthenticationSimple,
		packet.AuthCryptographic: a.kind >= AuthenticationMD5, packet.AuthExtended: a.kind == AuthenticationKeyChain,
	}
	switch {
	case !kind[m.Auth.Type]:
		return DropAuthType
	case a.kind == AuthenticationNull:
		return 0
	}
	a.look(wall)
	for k := range a.accept {
		if key := a.accept[k]; key.ID == m.Auth.KeyID || a.kind == AuthenticationSimple {
			if m.Verify(rx.Packet, key, rx.Source) {
				return 0
			}
			return DropDigest
		}
	}
	return DropKey
}

// authSequence are the last sequence numbers of a neighbour: that of RFC 2328 section D.3,
// which does not go back, and one for each type of packet with RFC 7474 section 4.
type authSequence struct {
	last     uint64
	extended [packet.LinkStateAck + 1]uint64
}

// old reports whether a packet was there before.
func (s *authSequence) old(m *packet.Message) bool {
	switch m.Auth.Type {
	case packet.AuthCryptographic:
		return m.Auth.Sequence < s.last
	case packet.AuthExtended:
		return m.Auth.Sequence <= s.extended[m.Type]
	}
	return false
}

// take remembers the number of a packet.
func (s *authSequence) take(m *packet.Message) {
	switch m.Auth.Type {
	case packet.AuthCryptographic:
		s.last = m.Auth.Sequence
	case packet.AuthExtended:
		s.extended[m.Type] = m.Auth.Sequence
	}
}

// sequence makes the sequence numbers of packets that are sent. That of RFC 2328 follows
// the time of day in seconds, which lives of the daemon have in common, but never goes
// back; that of RFC 7474 is a boot count, which is remembered, and a count of packets.
type sequence struct {
	seconds uint64
	boot    uint64
	packets uint64
}

func (s *sequence) begin(now clock.Instant, in *instance) {
	m := in.core.remembered[in.key]
	wall := uint64(uint32(in.core.wallTime(now).Unix()))
	*s = sequence{seconds: max(m.Sequence&0xffffffff, wall), boot: m.Sequence>>32 + 1}
	m.RouterID, m.Sequence = in.id, s.boot<<32|s.seconds
	in.core.remembered[in.key] = m
	m.Restart = time.Time{} // what comes after this life is no planned restart
	in.core.emit(Remember{Key: in.key, Value: m})
}

// next returns the number for a packet with a key.
func (s *sequence) next(key *packet.Key, wall time.Time) uint64 {
	switch {
	case key == nil:
		return 0
	case key.Extended:
		s.packets++
		return s.boot<<32 + s.packets
	}
	s.seconds = max(s.seconds, uint64(uint32(wall.Unix())))
	return s.seconds
}

// uses remembers the key of a packet. A neighbour that has the youngest one is sent it
// alone, though it may sign with older ones too for the sake of others.
func (n *neighbor) uses(m *packet.Message) {
	keys := n.iface.auth.keys
	if len(keys) > 0 && n.keyed && n.keyID == keys[len(keys)-1].ID {
		return
	}
	n.keyed, n.keyID = m.Auth.Type >= packet.AuthCryptographic, m.Auth.KeyID
}
