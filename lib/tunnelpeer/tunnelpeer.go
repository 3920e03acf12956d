// Package tunnelpeer is what nhrpd tells routing protocols about the stations at the other
// ends of tunnels. They share no code but this, and a topic of zebra, which remembers the
// last value of each key for whoever begins to watch:
//
//	nhrpd                                     eigrpd, ospfd
//	 a client registered, or a server answered
//	 ── Tunnel0 10.0.0.2 is a client ─────────▶  may be talked to
//	 ── Tunnel0 10.0.0.2 is lost ─────────────▶  its adjacency goes at once
//	 (later: withdrawn)
//
// Told are clients (NHC) and servers (NHS) to which packets pass, and no stations of
// shortcuts: no protocol talks to those. A server whose NHRP alone is silent is not lost:
// its routes need not suffer by that.
//
// A value that is withdrawn says nothing: the station was lost some time ago, NHRP does not
// run on the tunnel any more, or nhrpd has ended and not come back within the time for
// which zebra keeps what it said. Who was not told that a station is Up has nothing to do
// when it is Lost.
package tunnelpeer

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Topic is the topic.
const Topic = "nhrp.peers"

// Peer is a station at another end of a tunnel.
type Peer struct {
	Tunnel string     // interface, as configured
	Addr   netip.Addr // its protocol address, without a zone; of IPv6 it may be a link-local one
}

// Key returns the key under which a peer stands.
func (p Peer) Key() string { return p.Tunnel + " " + p.Addr.String() }

// ParseKey reads a key.
func ParseKey(key string) (Peer, error) {
	tunnel, address, ok := strings.Cut(key, " ")
	a, err := netip.ParseAddr(address)
	if !ok || tunnel == "" || err != nil || a.Zone() != "" || a.Is4In6() {
		return Peer{}, fmt.Errorf("tunnelpeer: %q names no peer", key)
	}
	return Peer{Tunnel: tunnel, Addr: a}, nil
}

// State is what a peer is.
type State uint8

// The states. The zero State is that of a value that is withdrawn.
const (
	Client State = 1 + iota // registered here
	Server                  // this router is registered there
	Lost                    // was one of them; packets do not pass any more, or its registration ended
)

// Up reports whether packets pass to the peer.
func (s State) Up() bool { return s == Client || s == Server }

var stateNames = [...]string{0: "withdrawn", Client: "client", Server: "server", Lost: "lost"}

// String names a state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// version is the first octet of a value.
const version = 1

// ErrState says that octets are no State.
var ErrState = errors.New("tunnelpeer: malformed state")

// Append writes a state.
func (s State) Append(b []byte) []byte { return append(b, version, byte(s)) }

// ParseState reads a state; no octets are the value of a key that was withdrawn.
func ParseState(b []byte) (State, error) {
	switch {
	case len(b) == 0:
		return 0, nil
	case len(b) != 2 || b[0] != version || State(b[1]) < Client || State(b[1]) > Lost:
		return 0, ErrState
	}
	return State(b[1]), nil
}

// Parse reads a key and its value.
func Parse(key string, value []byte) (Peer, State, error) {
	p, err := ParseKey(key)
	if err != nil {
		return Peer{}, 0, err
	}
	s, err := ParseState(value)
	return p, s, err
}
