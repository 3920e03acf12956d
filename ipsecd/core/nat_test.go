package core

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// behindNAT puts the first node behind a NAT, whose ports are higher by plus.
func behindNAT(t *testing.T, plus *uint16) (*rig, *node, *node, netip.Addr) {
	cfg := plain()
	cfg.Profiles[0].Identity = Identity{Kind: IdentityFQDN, Name: "spoke.example"}
	r, a, b := pair(t, cfg, plain())
	nat := netip.MustParseAddr("203.0.113.9")
	r.nat = func(f *flight) {
		if f.from == a {
			f.tx.Local = netip.AddrPortFrom(nat, f.tx.Local.Port()+*plus)
		} else if f.tx.Remote.Addr() == nat {
			f.tx.Remote = netip.AddrPortFrom(a.addr, f.tx.Remote.Port()-*plus)
		}
	}
	return r, a, b, nat
}

// RFC 7296 section 2.23: a NAT is seen, IKE moves to port 4500, ESP is in UDP; section
// 2.23.1: selectors have the addresses that each end has for itself. RFC 3948 section 4:
// the end behind the NAT keeps its mapping.
func TestNAT(t *testing.T) {
	plus := uint16(10000)
	r, a, b, nat := behindNAT(t, &plus)
	r.secure(a, b)
	r.run(time.Second)
	s, p := r.ready(a, 1)[0], r.ready(b, 1)[0]
	if !s.NATLocal || s.NATRemote || p.NATLocal || !p.NATRemote || s.Local.Port() != packet.PortNAT || p.Remote != netip.AddrPortFrom(nat, 14500) || p.Peer.String() != "spoke.example" {
		t.Errorf("%+v\n%+v", s, p)
	}
	in, out := s.Children[0].Out, p.Children[0].In
	if in.SPI != out.SPI || in.UDP != (rib.UDPEncap{Source: 4500, Destination: 4500}) || out.UDP != (rib.UDPEncap{Source: 14500, Destination: 4500}) || out.Source != nat {
		t.Errorf("%+v\n%+v", in, out)
	}
	if st := b.states[nat.String()]; st.State != SecurityUp || st.Identity != "spoke.example" {
		t.Errorf("%+v", b.states)
	}
	before := len(a.sends)
	r.run(time.Minute)
	if got := len(a.sends) - before; got != 3 || string(a.sends[before].tx.Packet) != "\xff" {
		t.Errorf("%d keepalives", got)
	}
	plus = 20000 // the NAT began anew
	r.step(b, MappingChanged{out.Destination, out.SPI, netip.AddrPortFrom(nat, 24500)})
	if p := r.ready(b, 1)[0]; p.Remote.Port() != 24500 || p.Children[0].Out.UDP.Destination != 24500 || p.Children[0].In.UDP.Source != 24500 {
		t.Errorf("%+v", p)
	}
	r.soft(a)
	r.run(time.Second)
	r.step(b, Secure{Tunnel: "Tunnel0", Peer: nat})
	r.rekey(b)
	r.run(time.Second)
	if p := r.ready(b, 1)[0]; len(p.Children) != 1 || p.Children[0].Out.UDP.Destination != 24500 || len(b.sas) != 2 {
		t.Errorf("%+v", p)
	}
}

// Authentic IKE from another port moves an established IKE SA too.
func TestNATMoves(t *testing.T) {
	plus := uint16(10000)
	r, a, b, _ := behindNAT(t, &plus)
	r.secure(a, b)
	r.run(time.Second)
	plus = 20000
	r.soft(a)
	r.run(time.Second)
	if p := r.ready(b, 1)[0]; p.Remote.Port() != 24500 {
		t.Errorf("%v", p.Remote)
	}
}

// Identities and keyrings: who is nobody's peer is refused, the most specific key counts
// (F14: a key is bound to the identity that the profile wants).
func TestIdentities(t *testing.T) {
	one, two := policy.NewSecret("first secret of some length"), policy.NewSecret("second secret of some length")
	for _, c := range []struct {
		name    string
		own     Identity
		matches Identity
		ring    []KeyringPeer
		want    string
	}{
		{"address", Identity{}, Identity{Kind: IdentityAddress, Prefix: address("192.0.2.0/24")}, []KeyringPeer{{Address: address("192.0.2.1/32"), Remote: one}}, ""},
		{"address of another net", Identity{}, Identity{Kind: IdentityAddress, Prefix: address("198.51.100.0/24")}, []KeyringPeer{{Address: address("0.0.0.0/0"), Remote: one}}, "no IKEv2 profile for 192.0.2.1"},
		{"name", Identity{Kind: IdentityFQDN, Name: "A.example"}, Identity{Kind: IdentityFQDN, Name: "a.example"}, []KeyringPeer{{Address: address("0.0.0.0/0"), Remote: one}}, ""},
		{"domain", Identity{Kind: IdentityFQDN, Name: "a.example"}, Identity{Kind: IdentityFQDN, Name: "example", Domain: true}, []KeyringPeer{{Address: address("0.0.0.0/0"), Remote: one}}, ""},
		{"end of a name", Identity{Kind: IdentityFQDN, Name: "badexample"}, Identity{Kind: IdentityFQDN, Name: "example", Domain: true}, []KeyringPeer{{Address: address("0.0.0.0/0"), Remote: one}}, "no IKEv2 profile for badexample"},
		{"name as e-mail", Identity{Kind: IdentityEmail, Name: "a@example"}, Identity{Kind: IdentityFQDN, Name: "a@example"}, nil, "no IKEv2 profile for a@example"},
		{"key ID", Identity{Kind: IdentityKeyID, Name: "\x1b[2J"}, Identity{Kind: IdentityKeyID, Name: "x"}, nil, "no IKEv2 profile for ?[2J"},
		{"most specific", Identity{}, Identity{Kind: IdentityAny}, []KeyringPeer{{Address: address("0.0.0.0/0"), Remote: two}, {Address: address("192.0.2.1/32"), Remote: one}}, ""},
		{"identity before address", Identity{Kind: IdentityFQDN, Name: "a.example"}, Identity{Kind: IdentityAny}, []KeyringPeer{{Address: address("192.0.2.1/32"), Remote: two}, {Identity: Identity{Kind: IdentityFQDN, Name: "a.example"}, Remote: one}}, ""},
		{"another key", Identity{}, Identity{Kind: IdentityAny}, []KeyringPeer{{Address: address("0.0.0.0/0"), Remote: two}}, "authentication failed"},
		{"no key", Identity{}, Identity{Kind: IdentityAny}, nil, "authentication failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := plain(), plain()
			a.Keyrings[0].Peers = []KeyringPeer{{Address: address("0.0.0.0/0"), Local: one, Remote: one}}
			a.Profiles[0].Identity = c.own
			for i := range c.ring {
				c.ring[i].Local = one
			}
			b.Keyrings[0].Peers, b.Profiles[0].Matches = c.ring, []Identity{c.matches}
			r, x, y := pair(t, a, b)
			r.secure(x, y)
			r.run(time.Second)
			if c.want == "" {
				r.agree(x, y, 1)
			} else if r.agree(x, y, 0); !strings.HasSuffix(strings.Join(y.logs, "\n"), ": "+c.want) {
				t.Errorf("%q", y.logs)
			}
		})
	}
}

// Selectors are narrowed to GRE of the two ends; those for single ports, which of GRE are
// keys, are passed over (RFC 7296 section 2.9).
func TestNarrow(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9")
	sel := func(protocol uint8, from, to netip.Addr, lo, hi uint16) packet.Selector {
		return packet.Selector{Kind: packet.SelectorIPv4, IPProtocol: protocol, Start: from, End: to, StartPort: lo, EndPort: hi}
	}
	for name, c := range map[string]struct {
		s    []packet.Selector
		nat  bool
		want netip.Addr
	}{
		"just it":           {[]packet.Selector{gre(a)}, false, a},
		"a range, any":      {[]packet.Selector{sel(0, netip.MustParseAddr("192.0.2.0"), b, 0, 65535)}, false, a},
		"TCP":               {[]packet.Selector{sel(6, a, a, 0, 65535)}, false, netip.Addr{}},
		"another":           {[]packet.Selector{gre(b)}, false, netip.Addr{}},
		"another, NAT":      {[]packet.Selector{gre(b)}, true, b},
		"a range, NAT":      {[]packet.Selector{sel(0, b, netip.MustParseAddr("192.0.2.99"), 0, 65535)}, true, netip.Addr{}},
		"with a key, first": {[]packet.Selector{sel(47, a, a, 42, 42), gre(a)}, false, a},
		"with a key only":   {[]packet.Selector{sel(47, a, a, 42, 42)}, false, netip.Addr{}},
	} { // unordered: each by itself
		got, ok := narrow(&packet.TS{Selectors: c.s}, a, c.nat)
		if ok != c.want.IsValid() || ok && (got.Start != c.want || got.End != c.want || got.IPProtocol != protocolGRE) {
			t.Errorf("%s: %v %v", name, got, ok)
		}
	}
}
