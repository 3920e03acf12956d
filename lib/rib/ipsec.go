package rib

import (
	"errors"
	"fmt"
	"net/netip"
)

// Cipher is an algorithm of encryption for ESP.
type Cipher uint8

// The ciphers.
const (
	AESCBC           Cipher = 1 + iota // RFC 3602; the key has 16, 24 or 32 bytes
	AESGCM16                           // RFC 4106, ICV of 16 bytes; the key with the salt of 4 bytes at its end
	ChaCha20Poly1305                   // RFC 7634; the key of 32 bytes with the salt of 4 at its end
)

// Integrity is an algorithm of integrity for ESP with a cipher that has none itself.
type Integrity uint8

// The algorithms of integrity.
const (
	IntegrityNone  Integrity = iota // of AESGCM16 and ChaCha20Poly1305
	HMACSHA1x96                     // RFC 2404
	HMACSHA256x128                  // RFC 4868
	HMACSHA384x192                  // RFC 4868
	HMACSHA512x256                  // RFC 4868
)

// saltLen is the length of the salt at the end of the keys of AESGCM16 (RFC 4106
// section 8.1) and ChaCha20Poly1305 (RFC 7634 section 2).
const saltLen = 4

// integrityKeys are the lengths of keys (RFC 2404 section 3, RFC 4868 section 2.1.1).
var integrityKeys = [...]int{HMACSHA1x96: 20, HMACSHA256x128: 32, HMACSHA384x192: 48, HMACSHA512x256: 64}

// MaxWindow is the largest anti-replay window, in packets.
const MaxWindow = 1024

// minSPI is the first SPI that is free for use (RFC 4303 section 2.1).
const minSPI = 256

// UDPEncap are the ports of ESP in UDP (RFC 3948). The zero value is no UDP.
type UDPEncap struct{ Source, Destination uint16 }

// Lifetime is how long a security association may be used; what is 0 has no limit.
// When a soft limit is reached its owner is told, at a hard one it goes.
type Lifetime struct {
	SoftTime, HardTime       uint64 // seconds since it came into force
	SoftBytes, HardBytes     uint64
	SoftPackets, HardPackets uint64
}

// ESP are the parameters of a security association of ESP (RFC 4303) in transport
// mode, for one direction. While it is in force only the ports of UDP and Lifetime
// can change.
type ESP struct {
	Source, Destination netip.Addr // of the packets, as they are seen here
	// SourceAlias and DestinationAlias are addresses by which the peer is known on this
	// machine in place of the one that its packets have, of which at most one is valid:
	// SourceAlias is given to what comes by the association in place of Source, and
	// what goes out by it is for DestinationAlias (BEET mode, draft-nikander-esp-beet-mode:
	// on the wire it is transport mode). So peers that one address does not tell apart
	// have one each.
	SourceAlias, DestinationAlias netip.Addr
	SPI                           uint32
	// Protocol is the next protocol that it is for, 0 for any: packets of others are
	// neither sent by it nor taken from it (RFC 4301 section 5.2).
	Protocol     uint8
	Cipher       Cipher
	CipherKey    Secret
	Integrity    Integrity
	IntegrityKey Secret
	ESN          bool   // extended sequence numbers, RFC 4303 section 2.2.1
	Window       uint32 // of anti-replay, RFC 4303 section 3.4.3, in packets: 32 … MaxWindow
	UDP          UDPEncap
	Lifetime     Lifetime
}

// SACount is what a security association did since it is in force.
type SACount struct {
	Packets, Bytes uint64
	Added, Used    uint64 // seconds since the epoch: when it came, when the first packet passed, 0 if none
	Replayed       uint32 // packets that the window had, or had passed
	Failed         uint32 // packets whose integrity was not right
	Late           uint32 // packets before the window
}

// Keyless reports whether the keys are left out.
func (e ESP) Keyless() bool { return e.CipherKey.Empty() && e.IntegrityKey.Empty() }

// Check tells what is wrong with the parameters.
func (e ESP) Check() error {
	switch {
	case !station(e.Source) || !station(e.Destination) || e.Source.Is4() != e.Destination.Is4():
		return fmt.Errorf("ESP from %v to %v", e.Source, e.Destination)
	case e.SPI < minSPI:
		return fmt.Errorf("SPI %d is reserved", e.SPI)
	case e.Window < 32 || e.Window > MaxWindow:
		return fmt.Errorf("a replay window of %d packets, not 32 to %d", e.Window, MaxWindow)
	case (e.UDP.Source == 0) != (e.UDP.Destination == 0):
		return errors.New("UDP with one port")
	}
	return errors.Join(e.checkAlias(), e.checkKeys())
}

// Alias returns the alias that there is, the zero Addr for none.
func (e ESP) Alias() netip.Addr {
	if e.SourceAlias.IsValid() {
		return e.SourceAlias
	}
	return e.DestinationAlias
}

func (e ESP) checkAlias() error {
	switch a := e.Alias(); {
	case !a.IsValid():
		return nil
	case e.SourceAlias.IsValid() && e.DestinationAlias.IsValid():
		return errors.New("an alias for both ends")
	case !aliasOf(a, e.Source) || !aliasOf(a, e.Destination):
		return fmt.Errorf("%v as an alias", a)
	}
	return nil
}

// aliasOf reports whether an address can stand for another: IPv6 has no translation of
// ports that would need it.
func aliasOf(a, of netip.Addr) bool { return station(a) && a.Is4() && of.Is4() && a != of }

func (e ESP) checkKeys() error {
	salt, aead := 0, e.Cipher != AESCBC
	if aead {
		salt = saltLen
	}
	n, m := e.CipherKey.Len()-salt, e.IntegrityKey.Len()
	switch {
	case e.Cipher < AESCBC || e.Cipher > ChaCha20Poly1305:
		return fmt.Errorf("unknown cipher %d", e.Cipher)
	case e.Integrity > HMACSHA512x256:
		return fmt.Errorf("unknown integrity %d", e.Integrity)
	case aead != (e.Integrity == IntegrityNone):
		return errors.New("cipher and integrity do not go together")
	case e.Keyless():
		return nil
	case n != 32 && (e.Cipher == ChaCha20Poly1305 || n != 16 && n != 24):
		return errors.New("the key has not the cipher's length")
	case m != integrityKeys[e.Integrity]:
		return errors.New("the key has not the length of the integrity's")
	}
	return nil
}

// station reports whether an address can be that of one station.
func station(a netip.Addr) bool {
	return a.IsValid() && !a.Is4In6() && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// SA has a security association in force. It is refused, or reported as failed, where it
// was in force once and is not any more: then another has to be negotiated, since it
// must not begin anew with the same keys (RFC 4303 section 3.3.3).
//
// An SA without keys keeps the one that is in force: so a daemon that was started again
// speaks for what its former life left, which it finds by WatchSADump.
type SA struct {
	ESP
	// Epoch is that of the attachment in which the daemon states it first, so that
	// zebra tells one that is new from one that is repeated: only in that attachment
	// it is brought into force, in others it is kept. What was stated while there was
	// no zebra, and was not acknowledged, may be stated again with another Epoch.
	Epoch uint64
}

// Key implements Object.
func (s SA) Key() Key {
	return Key{Kind: KindSA, Addr: s.Destination, Instance: s.SPI}
}

// Equal implements Object.
func (s SA) Equal(other Object) bool { o, ok := other.(SA); return ok && s == o }

// Policy says that GRE between an address of this machine and others passes as ESP
// only, in both directions. zebra has one about everybody for each protected tunnel; a
// daemon adds one for each peer that has an alias.
type Policy struct {
	Local netip.Addr
	Peer  netip.Prefix // masked; of length 0 for everybody; the alias of one peer
	// Outer is the address that the packets of a peer have for which Peer is an alias
	// (ESP.SourceAlias): only associations with the alias are for it. The zero Addr
	// where Peer is no alias.
	Outer netip.Addr
}

// Key implements Object.
func (p Policy) Key() Key {
	return Key{Kind: KindPolicy, Addr: p.Local, Prefix: p.Peer}
}

// Equal implements Object.
func (p Policy) Equal(other Object) bool { o, ok := other.(Policy); return ok && p == o }

// Check tells what is wrong with it.
func (p Policy) Check() error {
	if !station(p.Local) || !p.Peer.IsValid() || p.Peer != p.Peer.Masked() || p.Peer.Addr().Is4() != p.Local.Is4() {
		return fmt.Errorf("GRE between %v and %v", p.Local, p.Peer)
	}
	if p.Outer.IsValid() && (!p.Peer.IsSingleIP() || !aliasOf(p.Peer.Addr(), p.Local) || !aliasOf(p.Peer.Addr(), p.Outer) || !station(p.Outer)) {
		return fmt.Errorf("%v as the alias of %v", p.Peer, p.Outer)
	}
	return nil
}

// CheckOne is Check for a policy of a daemon, which is about the alias of one peer: the
// one about everybody is zebra's, and stays.
func (p Policy) CheckOne() error {
	if err := p.Check(); err != nil {
		return err
	}
	if !p.Outer.IsValid() {
		return fmt.Errorf("a policy about %v, which is not the alias of a peer", p.Peer)
	}
	return nil
}
