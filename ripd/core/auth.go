package core

import (
	"math"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// authenticator signs and verifies the messages of one interface: the RIPv2
// Security Associations of RFC 4822 section 2.2 and, with simple passwords, RFC
// 2453 section 4.1.
//
// A key is used in its lifetime only. RFC 4822 section 5.1 (2) would have the
// last key live on after its end, and asks for a knob to have routing fail
// instead ("fail secure"); package policy ends what its owner has ended, so this
// is always so here. The end is reported to the operator (ended).
//
// The sequence numbers that it sends are the seconds of the wall clock, which
// serves as the memory that RFC 4822 section 2.3.2 wants to outlast a restart.
type authenticator struct {
	configured packet.Algorithm
	keys       []securityAssociation // by key ID
	sent       uint32                // last sequence number
	windows    map[netip.Addr][]window
}

// securityAssociation is a key with its lifetimes (RFC 4822 section 2.2).
type securityAssociation struct {
	key          packet.Key
	accept, send policy.Lifetime
}

// window is the last sequence number that a sender used with a key.
type window struct {
	id   uint8
	last uint32
}

// keyStringID is the key ID of a key that has none, `ip rip authentication
// string`.
const keyStringID = 1

// newAuthenticator makes what the configuration of an interface asks for. Keys
// with a number above 255 are left out: the Key Identifier has 8 bits.
func newAuthenticator(ic InterfaceConfig, set *policy.Set) *authenticator {
	a := &authenticator{configured: ic.Authentication, windows: map[netip.Addr][]window{}}
	switch {
	case a.configured == packet.NoAlgorithm:
	case ic.KeyChain == "":
		if secret := ic.KeyString.Bytes(); len(secret) > 0 {
			a.keys = []securityAssociation{{key: packet.Key{ID: keyStringID, Algorithm: a.configured, Secret: secret}}}
		}
	default:
		a.addChain(set.KeyChain(ic.KeyChain))
	}
	return a
}

func (a *authenticator) addChain(chain *policy.KeyChain) {
	if chain == nil {
		return
	}
	for _, k := range chain.Keys {
		secret := k.Secret.Bytes()
		if k.ID > math.MaxUint8 || len(secret) == 0 {
			continue
		}
		a.keys = append(a.keys, securityAssociation{
			key:    packet.Key{ID: uint8(k.ID), Algorithm: keyAlgorithm(k.Algorithm, a.configured), Secret: secret},
			accept: k.Accept, send: k.Send,
		})
	}
}

// keyAlgorithm is what a key's cryptographic-algorithm says; without one it is
// the algorithm of the interface.
func keyAlgorithm(own policy.Algorithm, configured packet.Algorithm) packet.Algorithm {
	switch own {
	case policy.AlgorithmMD5:
		return packet.KeyedMD5
	case policy.AlgorithmHMACSHA1:
		return packet.HMACSHA1
	case policy.AlgorithmHMACSHA256:
		return packet.HMACSHA256
	case policy.AlgorithmHMACSHA384:
		return packet.HMACSHA384
	case policy.AlgorithmHMACSHA512:
		return packet.HMACSHA512
	}
	return configured
}

// takeOver goes on where old stopped: a new configuration neither opens the
// replay windows nor sets the sequence number back.
func (a *authenticator) takeOver(old *authenticator) {
	if old == nil {
		return
	}
	a.sent, a.windows = max(a.sent, old.sent), old.windows
}

// enabled tells whether messages must be authentic.
func (a *authenticator) enabled() bool { return a.configured != packet.NoAlgorithm }

// sendKey returns the key to send with: the valid one with the smallest number,
// nil if there is none.
func (a *authenticator) sendKey(wall time.Time) *packet.Key {
	for i := range a.keys {
		if a.keys[i].send.Contains(wall) {
			return &a.keys[i].key
		}
	}
	return nil
}

// algorithm returns the algorithm of the next message, which says how many
// entries it has room for.
func (a *authenticator) algorithm(wall time.Time) packet.Algorithm {
	if k := a.sendKey(wall); k != nil {
		return k.Algorithm
	}
	return a.configured
}

// ended returns the number of the send key that ended last, for the report that
// no key is left (RFC 4822 section 5.1). ok is false while there is a key, and if
// none has ended.
func (a *authenticator) ended(wall time.Time) (id uint8, ok bool) {
	if a.sendKey(wall) != nil {
		return 0, false
	}
	var last time.Time
	for i := range a.keys {
		if end := a.keys[i].send.End; !end.IsZero() && !end.After(wall) && (!ok || end.After(last)) {
			id, last, ok = a.keys[i].key.ID, end, true
		}
	}
	return id, ok
}

// sign appends m as a datagram to b, authenticated where that is configured. It
// reports false, and appends nothing, if there is no valid key or m cannot be
// sent. Version 1 has no authentication (RFC 2453 section 5.2).
func (a *authenticator) sign(wall time.Time, m *packet.Message, b []byte) ([]byte, bool) {
	if !a.enabled() || m.Version == packet.Version1 {
		out, err := m.Append(b, nil, 0)
		return out, err == nil
	}
	k := a.sendKey(wall)
	if k == nil {
		return b, false
	}
	a.sent = max(a.sent, sequence(wall))
	out, err := m.Append(b, k, a.sent)
	return out, err == nil
}

// sequence is the sequence number of an instant.
func sequence(wall time.Time) uint32 {
	return uint32(min(max(wall.Unix(), 0), math.MaxUint32))
}

// verify tells whether m, which was decoded from b and came from that address,
// may be used: DropNone if so. Only then does the replay window of the sender
// move (RFC 4822 section 2.3.2 step 7).
//
// Version 1 messages are dropped where authentication is configured, as RFC 2453
// section 5.2 advises for maximum security.
func (a *authenticator) verify(wall time.Time, from netip.Addr, m *packet.Message, b []byte) DropReason {
	switch {
	case !a.enabled() && m.Auth.Type == packet.AuthNone:
		return DropNone
	case !a.enabled():
		return DropAuthUnexpected
	case m.Auth.Type == packet.AuthNone:
		return DropAuthMissing
	case m.Auth.Type == packet.AuthPassword:
		return a.verifyPassword(wall, m, b)
	}
	k := a.acceptKey(wall, m.Auth.KeyID)
	switch {
	case k == nil || int(m.Auth.DigestLen) != k.Algorithm.DigestLen():
		return DropAuthMismatch
	case !m.Verify(b, *k):
		return DropAuthFailed
	}
	return a.advance(from, m)
}

// verifyPassword takes any of the valid passwords (RFC 2453 section 4.1): no key
// ID tells which one it is.
func (a *authenticator) verifyPassword(wall time.Time, m *packet.Message, b []byte) DropReason {
	reason := DropAuthMismatch
	for i := range a.keys {
		s := &a.keys[i]
		if s.key.Algorithm != packet.SimplePassword || !s.accept.Contains(wall) {
			continue
		}
		if m.Verify(b, s.key) {
			return DropNone
		}
		reason = DropAuthFailed
	}
	return reason
}

// acceptKey returns the valid key of that number, nil if there is none: no other
// may be tried (RFC 4822 section 3.2).
func (a *authenticator) acceptKey(wall time.Time, id uint8) *packet.Key {
	for i := range a.keys {
		if s := &a.keys[i]; s.key.ID == id && s.accept.Contains(wall) {
			return &s.key
		}
	}
	return nil
}

// advance checks the sequence number of an authentic message and moves the
// window up to it. A request makes no window: who only asks has no routes here
// that a replay could harm (step 6), and nobody would forget it. The digest does
// not cover the sender's address, so windows are counted.
func (a *authenticator) advance(from netip.Addr, m *packet.Message) DropReason {
	known, ok := a.windows[from]
	for i := range known {
		if known[i].id != m.Auth.KeyID {
			continue
		}
		if m.Auth.Sequence < known[i].last {
			return DropAuthReplay
		}
		known[i].last = m.Auth.Sequence
		return DropNone
	}
	switch {
	case m.Command == packet.Request:
		return DropNone
	case !ok && len(a.windows) >= MaxNeighbors:
		return DropTooManyNeighbors
	}
	a.windows[from] = append(known, window{id: m.Auth.KeyID, last: m.Auth.Sequence})
	return DropNone
}

// forget resets the replay windows of a neighbour that was lost: after that it
// may start with any sequence number (RFC 4822 section 2.3.2 step 6).
func (a *authenticator) forget(from netip.Addr) { delete(a.windows, from) }
