package dataplane

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// SA is a security association of ESP.
//
// What it counted must not be lost: begun anew with the same keys, its sequence numbers
// would start from zero, so that the peer drops everything (RFC 4303 section 3.3.3), what
// was recorded can be played back, and a counter mode repeats itself. So an SA that went,
// by its lifetime or by somebody's hand, is never put back: see Keep.
type SA struct {
	rib.ESP
	// Keep has Put fail with ErrGone where the SA is not in force. An SA without keys
	// is always kept: it is the one that is in force under its key, whatever keys that
	// has. Equal ignores Keep.
	Keep bool
	// Count is set by Dump. Equal ignores it.
	Count rib.SACount
}

// Key implements Object.
func (s SA) Key() Key {
	k := Key{Kind: KindSA, Table: s.SPI}
	if s.Destination.IsValid() {
		k.Prefix = netip.PrefixFrom(s.Destination, s.Destination.BitLen())
	}
	return k
}

// Equal implements Object.
func (s SA) Equal(other Object) bool { o, ok := other.(SA); return ok && s.ESP == o.ESP }

// Check returns an error that wraps ErrInvalid if there can be no such SA.
func (s SA) Check() error {
	if err := s.ESP.Check(); err != nil {
		return fmt.Errorf("%v: %w: %w", s.Key(), err, ErrInvalid)
	}
	return nil
}

// sameKeys reports whether the keys are the same, as far as they are known: those that
// are left out are, and a kernel may hide what it has.
func (s SA) sameKeys(have SA) bool {
	return s.Keyless() || have.Keyless() || s.CipherKey == have.CipherKey && s.IntegrityKey == have.IntegrityKey
}

// SAStep is what a Provider has to do for an SA.
type SAStep uint8

// The steps.
const (
	SAStays    SAStep = iota // nothing
	SAAdded                  // a new one
	SAChanged                // parameters that can change
	SAReplaced               // another one, with other keys, takes the place of what is in force
)

// Step says how to come from the SA that is in force under the key, nil if there is
// none, to this one. The error wraps ErrInvalid or ErrGone if there is no way.
func (s SA) Step(have *SA) (SAStep, error) {
	keep := s.Keep || s.Keyless()
	switch {
	case have == nil && keep:
		return 0, fmt.Errorf("%v: %w", s.Key(), ErrGone)
	case have == nil:
		return SAAdded, nil
	case s.sameKeys(*have) && s.fixed() == have.fixed():
		if satisfiedSA(s, *have) {
			return SAStays, nil
		}
		return SAChanged, nil
	case s.sameKeys(*have):
		return 0, fmt.Errorf("%v is in force otherwise, which cannot be changed: %w", s.Key(), ErrInvalid)
	case keep:
		return 0, fmt.Errorf("%v: another is in its place: %w", s.Key(), ErrGone)
	}
	return SAReplaced, nil
}

// fixed returns what cannot change, without keys.
func (s SA) fixed() rib.ESP {
	e := s.ESP
	e.CipherKey, e.IntegrityKey, e.Lifetime = rib.Secret{}, rib.Secret{}, rib.Lifetime{}
	if e.UDP != (rib.UDPEncap{}) {
		e.UDP = rib.UDPEncap{Source: 1, Destination: 1} // whether it is there is fixed
	}
	return e
}

func satisfiedSA(want, have SA) bool {
	if !want.sameKeys(have) {
		return false
	}
	have.CipherKey, have.IntegrityKey = want.CipherKey, want.IntegrityKey
	return want.ESP == have.ESP
}

// SameSA reports whether two objects are one SA, as far as its keys are known: what can
// change of it may be different.
func SameSA(a, b Object) bool {
	s, ok := a.(SA)
	t, also := b.(SA)
	return ok && also && s.Key() == t.Key() && s.sameKeys(t)
}

// Anew reports whether an SA that was to be kept, and is not in force, is now said to be
// one that may be brought into force.
func Anew(old, o Object) bool {
	was, ok := old.(SA)
	s, also := o.(SA)
	return ok && also && was.Keep && !s.Keep && !s.Keyless()
}

// Settled returns an object as it is to be put once it was in force.
func Settled(o Object) Object {
	if s, ok := o.(SA); ok {
		s.Keep = true
		return s
	}
	return o
}

// Policy has GRE between an address of this machine and others pass as ESP only, in
// both directions. What is to go out and finds no SA is dropped, and an Acquire tells
// of it; what comes in clear is dropped.
//
// The policy about more of the address goes first. Since each of them asks for ESP, none lets out or in what another holds back.
type Policy struct {
	rib.Policy
	// Outdated is set by Dump where what is in force is not what Put would make: one
	// direction of it, say.
	Outdated bool
}

// Key implements Object.
func (p Policy) Key() Key {
	return Key{Kind: KindPolicy, Name: p.Local.String(), Prefix: p.Peer}
}

// Equal implements Object.
func (p Policy) Equal(other Object) bool { o, ok := other.(Policy); return ok && p == o }

// Check returns an error that wraps ErrInvalid if there can be no such policy.
func (p Policy) Check() error {
	err := p.Policy.Check()
	if err == nil && p.Outdated {
		err = ErrInvalid
	}
	if err != nil {
		return fmt.Errorf("%v: %w: %w", p.Key(), err, ErrInvalid)
	}
	return nil
}

// Guard returns the Policy that holds back all GRE of an address that is not ESP.
func Guard(local netip.Addr) Policy {
	return Policy{Policy: rib.Policy{Local: local, Peer: everybody(local.Is6())}}
}

// everybody is all addresses of a family.
func everybody(ipv6 bool) netip.Prefix {
	if ipv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// IsGuard reports whether a policy is about everybody, as those of Guard are.
func (p Policy) IsGuard() bool { return p.Peer.Bits() == 0 }

// PortESPinUDP is the port of UDP to which ESP comes from behind NATs (RFC 3948 section 2.1).
const PortESPinUDP = 4500

// ESPinUDP has ESP that comes in UDP taken as if it had come without, to any address of a
// family and a VRF, as long as the provider lives, whether or not there is a daemon for
// IKE. What else comes is dropped, unless that daemon has a socket with the address to
// which it comes, and shares the port: that goes before.
type ESPinUDP struct {
	IPv6   bool
	Device string // of the VRF; "" for the default one
}

// Key implements Object.
func (e ESPinUDP) Key() Key {
	return Key{Kind: KindESPinUDP, Name: e.Device, Prefix: everybody(e.IPv6)}
}

// Equal implements Object.
func (e ESPinUDP) Equal(other Object) bool { o, ok := other.(ESPinUDP); return ok && e == o }

// Acquire tells of a packet that a Policy held back since there is no SA for it. The
// kernel tells once in half a minute for each pair of addresses. Such events are
// samples: they are dropped where their reader does not keep up.
type Acquire struct {
	// Source is unspecified for a multipoint tunnel over IPv6, where there are several
	// that it may be. Destination is the alias of a peer that has one.
	Source, Destination netip.Addr
}

// SAExpired tells that an SA reached a limit of its lifetime. At a hard limit it is
// gone, and an ObjectGone follows.
type SAExpired struct {
	Key  Key // of the SA
	Hard bool
}

// MappingChanged tells that an authentic packet of ESP in UDP came from another address
// or port than its SA says: a NAT before the peer forgot what it had. It is told
// again and again until the SA is put with the new port: once a second, and by kernels
// before 5.17 for each packet. Such events are samples: they are
// dropped where their reader does not keep up.
type MappingChanged struct {
	Key      Key // of the SA
	Old, New netip.AddrPort
}

// Unsure says that events about objects of ours may have been lost: compare with Dump.
type Unsure struct{}

func (SA) object()       {}
func (Policy) object()   {}
func (ESPinUDP) object() {}

func (Acquire) event()        {}
func (SAExpired) event()      {}
func (MappingChanged) event() {}
func (Unsure) event()         {}
