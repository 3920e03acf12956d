// Package protection is what nhrpd and ipsecd tell each other about peers of protected
// tunnels (`tunnel protection`). They share no code but this, and talk through two topics
// of zebra, which remembers the last value of each key for whoever begins to watch:
//
//	TopicWanted   nhrpd → ipsecd   a peer is to be secured; the key is there as long as that holds
//	TopicState    ipsecd → nhrpd   how far a peer is
//
//	nhrpd                                   ipsecd
//	 wants to send to an NBMA address
//	 ── Tunnel0 203.0.113.1 is wanted ────▶  negotiates
//	 ◀─── IKE ─────────────────────────────  no IKE SA yet
//	 ◀─── IPsec ───────────────────────────  an IKE SA, no child SA yet
//	 ◀─── Up, generation 1 ────────────────  packets pass
//	 registers, sends, states neighbours
//	 ◀─── Lost ────────────────────────────  they do not any more
//	 purges what rests on it
//
// ipsecd tells of peers that nobody wanted, too: they began. A rekey is no loss: the state
// stays Up, and so does Generation. Who sees Up with another Generation has missed a loss.
//
// A value that is withdrawn says nothing: ipsecd does not have the peer any more, or has
// ended and not come back within the time for which zebra keeps what it said.
package protection

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// The topics.
const (
	TopicWanted = "protection.wanted"
	TopicState  = "protection.state"
)

// Peer is a peer of a protected tunnel.
type Peer struct {
	Tunnel string     // interface, as configured
	NBMA   netip.Addr // transport address of the other end, as packets come from it here; or its alias
}

// Key returns the key under which a peer stands in both topics.
func (p Peer) Key() string { return p.Tunnel + " " + p.NBMA.String() }

// ParseKey reads a key.
func ParseKey(key string) (Peer, error) {
	tunnel, address, ok := strings.Cut(key, " ")
	nbma, err := netip.ParseAddr(address)
	if !ok || tunnel == "" || err != nil || nbma.Zone() != "" || nbma.Is4In6() {
		return Peer{}, fmt.Errorf("protection: %q names no peer", key)
	}
	return Peer{Tunnel: tunnel, NBMA: nbma}, nil
}

// aliases are the addresses of class E (RFC 1112 section 4), which no station has.
var aliases = netip.PrefixFrom(netip.AddrFrom4([4]byte{240}), 4)

// IsAlias reports whether an address is an alias: what ipsecd calls a peer that is not the
// only one behind its NAT address. Packets of a protected tunnel come from it and go to it
// in this router only; others can do nothing with it.
func IsAlias(a netip.Addr) bool {
	return aliases.Contains(a) && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Security is how far a peer is secured.
type Security uint8

// The states.
const (
	IKE   Security = 1 + iota // there is no IKE SA with it
	IPsec                     // there is an IKE SA, and no child SA
	Up                        // packets pass
	Lost                      // they did, and do no more: what rests on it goes at once
)

// String names the layer that is stuck, as `show dmvpn` does.
func (s Security) String() string {
	switch s {
	case IKE:
		return "IKE"
	case IPsec:
		return "IPSEC"
	case Up:
		return "UP"
	case Lost:
		return "LOST"
	}
	return fmt.Sprintf("security %d", uint8(s))
}

// State is what ipsecd says of a peer.
type State struct {
	Security   Security
	Generation uint32     // counts how often it came up in the life of ipsecd and of those before it
	Identity   string     // of the peer (RFC 7296 section 3.5), once it is authenticated; printable
	Reason     string     // why it is not up, in a few words; printable
	Outer      netip.Addr // where the peer is, if it goes by an alias and that is known
}

// The versions of the octets of a State: without and with Outer.
const (
	version      = 1
	versionOuter = 2
)

// maxText bounds the texts of a State, in octets.
const maxText = 512

// ErrState says that octets are no State.
var ErrState = errors.New("protection: malformed state")

// Append writes a state: version, security, generation, both texts with their lengths, and
// Outer if there is one.
// Texts that are too long are cut.
func (s State) Append(b []byte) []byte {
	v := uint8(version)
	if s.Outer.Is4() {
		v = versionOuter
	}
	b = wire.AppendU8(b, v)
	b = wire.AppendU8(b, uint8(s.Security))
	b = wire.AppendU32(b, s.Generation)
	for _, text := range []string{s.Identity, s.Reason} {
		text = cut(text)
		b = append(wire.AppendU16(b, uint16(len(text))), text...)
	}
	if v == versionOuter {
		b = append(b, s.Outer.AsSlice()...)
	}
	return b
}

// cut shortens a text to what a State may have, at the end of a character.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// ParseState reads a state.
func ParseState(b []byte) (s State, err error) {
	r := wire.NewReader(b)
	v := r.U8()
	s.Security, s.Generation = Security(r.U8()), r.U32()
	for _, text := range []*string{&s.Identity, &s.Reason} {
		n := int(r.U16())
		if n > maxText {
			return State{}, ErrState
		}
		*text = string(r.Bytes(n))
	}
	if v == versionOuter {
		s.Outer, _ = netip.AddrFromSlice(r.Bytes(4))
	}
	if r.Err() != nil || r.Len() != 0 || v != version && v != versionOuter || s.Security < IKE || s.Security > Lost {
		return State{}, ErrState
	}
	return s, nil
}
