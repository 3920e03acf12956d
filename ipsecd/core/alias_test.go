package core

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// shared is a hub and some spokes behind one NAT address.
type shared struct {
	*rig
	nat    netip.Addr
	spokes []*node
	hub    *node
	plus   map[*node]uint16 // what the NAT adds to the ports of each
	dead   map[*node]bool
}

// behindOne puts n spokes behind one NAT; change adapts their configurations, nil: not.
func behindOne(t *testing.T, n int, change func(*Config)) *shared {
	s := &shared{rig: newRig(t), nat: netip.MustParseAddr("203.0.113.9"), plus: map[*node]uint16{}, dead: map[*node]bool{}}
	for i := range n {
		cfg := plain()
		cfg.Profiles[0].Identity = Identity{Kind: IdentityFQDN, Name: fmt.Sprintf("%c.example", 'a'+i)}
		if change != nil {
			change(&cfg)
		}
		x := s.add(1, cfg)
		s.spokes, s.plus[x] = append(s.spokes, x), uint16(10000*(i+1))
	}
	s.hub = s.add(1, plain())
	s.rig.nat = s.translate
	s.bend = func(f *flight) []time.Duration {
		for x := range s.dead { // unordered: any
			if f.from == x || f.tx.Remote.Addr() == x.addr {
				return nil
			}
		}
		return []time.Duration{delay}
	}
	return s
}

func (s *shared) translate(f *flight) {
	if p, ok := s.plus[f.from]; ok {
		f.tx.Local = netip.AddrPortFrom(s.nat, f.tx.Local.Port()+p)
		return
	}
	for x, p := range s.plus { // unordered: one fits
		if port := f.tx.Remote.Port() - p; f.tx.Remote.Addr() == s.nat && (port == packet.Port || port == packet.PortNAT) {
			f.tx.Remote = netip.AddrPortFrom(x.addr, port)
		}
	}
}

// up has all spokes negotiate, one after the other, and returns where the hub has them.
func (s *shared) up() (at []netip.Addr) {
	s.t.Helper()
	for _, x := range s.spokes {
		s.secure(x, s.hub)
		s.run(time.Second)
	}
	return s.where()
}

// where returns the addresses by which the hub knows the spokes, and fails unless each of
// them has one, is up there, and sends and receives by SAs of its own.
func (s *shared) where() (at []netip.Addr) {
	s.t.Helper()
	aliases := map[Alias]bool{}
	for i, x := range s.spokes {
		name := x.config.Profiles[0].Identity.Name
		var a netip.Addr
		for _, st := range s.hub.states { // unordered: one fits
			if st.Identity == name && st.State == SecurityUp {
				if a.IsValid() {
					s.t.Errorf("%s is at %v and %v", name, a, st.Peer)
				}
				a = st.Peer
			}
		}
		if !a.IsValid() || slices.Contains(at, a) {
			s.t.Fatalf("%s is at %v: %+v", name, a, s.hub.states)
		}
		at = append(at, a)
		if protection.IsAlias(a) {
			aliases[Alias{Local: s.hub.addr, Addr: a, Outer: s.nat}] = true
		} else if a != s.nat {
			s.t.Errorf("%s is at %v", name, a)
		}
		s.carries(i, a)
	}
	if !maps.Equal(aliases, s.hub.aliases) {
		s.t.Errorf("aliases %v, want %v", s.hub.aliases, aliases)
	}
	return at
}

// carries fails unless GRE between the hub and a spoke passes both ways: what the kernel of
// the hub takes for its address is what the spoke has, with its port, and the reverse.
func (s *shared) carries(i int, a netip.Addr) {
	s.t.Helper()
	x, port := s.spokes[i], s.plus[s.spokes[i]]+packet.PortNAT
	out, in := s.hub.towards(a), x.towards(s.hub.addr)
	back, to := x.sas[saKey{x.addr, out.spi}], s.hub.sas[out]
	if to.CipherKey != back.CipherKey || to.UDP.Destination != port || to.Destination != s.nat {
		s.t.Errorf("from the hub to %s: %+v", x.name, to)
	}
	from, own := s.hub.sas[in], x.sas[in]
	if from.CipherKey != own.CipherKey || from.UDP.Source != port || from.Source != s.nat || from.SourceAlias != to.DestinationAlias || to.SourceAlias.IsValid() || own.Alias().IsValid() {
		s.t.Errorf("from %s to the hub: %+v", x.name, from)
	}
}

// towards returns the newest SA by which packets to an address or alias are sent.
func (n *node) towards(a netip.Addr) (out saKey) {
	for _, k := range n.puts {
		if e := n.sas[k]; e.DestinationAlias == a || !e.DestinationAlias.IsValid() && k.dst == a {
			out = k
		}
	}
	return out
}

// GRE to peers behind one NAT address could not be told apart (RFC 7296 section 2.23.1): the
// first is known by that, each of the others by an alias, which its SAs have; and none of
// them notices anything of it.
func TestBehindOneNAT(t *testing.T) {
	s := behindOne(t, 3, nil)
	at := s.up()
	if at[0] != s.nat || !protection.IsAlias(at[1]) || !protection.IsAlias(at[2]) || len(s.hub.sas) != 6 {
		t.Fatalf("%v", at)
	}
	for i, x := range s.spokes {
		if st := x.states[s.hub.addr.String()]; st.State != SecurityUp || len(x.sas) != 2 || len(x.aliases) != 0 {
			t.Errorf("%s: %+v, %v", x.name, st, x.aliases)
		}
		st := s.hub.states[at[i].String()]
		if outer := st.Outer; i > 0 != (outer == s.nat) {
			t.Errorf("%+v", st)
		}
	}
	want := "peer 203.0.113.9: b.example is behind the same NAT address as others: it goes by " + at[1].String() + " here"
	if !slices.Contains(s.hub.logs, want) {
		t.Error(s.hub.logs)
	}
	for i, sa := range s.ready(s.hub, 3) {
		if sa.Remote.Addr() != s.nat || i > 0 && sa.Alias != at[i] || i == 0 && sa.Alias.IsValid() {
			t.Errorf("%+v", sa)
		}
	}
	peers := s.show(s.hub, ReportPeers).(*PeerReport).Peers
	if len(peers) != 3 || peers[1].Outer != s.nat || peers[1].Peer == s.nat || peers[0].Outer.IsValid() {
		t.Errorf("%+v", peers)
	}
	s.step(s.hub, Query{Kind: ReportPeers, Remote: at[2]})
	if p := s.hub.report.(*PeerReport).Peers; len(p) != 1 || p[0].Peer != at[2] {
		t.Errorf("%+v", p)
	}
	s.step(s.hub, Query{Kind: ReportPeers, Remote: s.nat})
	if p := s.hub.report.(*PeerReport).Peers; len(p) != 3 {
		t.Errorf("%+v", p)
	}
	for remote, n := range map[netip.Addr]int{s.nat: 3, at[2]: 1} { // unordered: each by itself
		s.step(s.hub, Query{Kind: ReportSAs, Remote: remote})
		if sas := s.hub.report.(*SAReport).SAs; len(sas) != n {
			t.Errorf("%v: %+v", remote, sas)
		}
	}
}

// Child SAs and IKE SAs are replaced by both ends; each peer keeps its address, and so do
// those whose ports the NAT changes.
func TestAliasRekey(t *testing.T) {
	s := behindOne(t, 3, nil)
	at := s.up()
	for _, a := range at {
		s.step(s.hub, Secure{Tunnel: "Tunnel0", Peer: a})
	}
	before := maps.Clone(s.hub.sas)
	for range 2 {
		for _, x := range append(slices.Clone(s.spokes), s.hub) {
			s.soft(x)
			s.run(10 * time.Second)
			s.rekey(x)
			s.run(40 * time.Second)
		}
	}
	if now := s.where(); !slices.Equal(now, at) {
		t.Errorf("%v, were %v", now, at)
	}
	for k := range s.hub.sas { // unordered: each by itself
		if _, old := before[k]; old {
			t.Errorf("%v was not replaced", k)
		}
	}
	for i, x := range s.spokes {
		s.plus[x] += 1000
		in := s.hub.sas[x.towards(s.hub.addr)]
		s.step(s.hub, MappingChanged{in.Destination, in.SPI, netip.AddrPortFrom(s.nat, s.plus[x]+packet.PortNAT)})
		if s.where()[i] != at[i] {
			t.Errorf("%s moved", x.name)
		}
	}
	s.lostNone(append(s.spokes, s.hub)...)
	s.ready(s.hub, 3)
}

// nhrpd may want a peer by its alias before that is there, and after it is gone: nothing is
// sent to an alias.
func TestAliasAwaited(t *testing.T) {
	s := behindOne(t, 2, nil)
	at := s.up()
	second := s.spokes[1]
	s.step(second, Unsecure{"Tunnel0", s.hub.addr})
	s.step(second, Clear{IKE: true, AllVRFs: true})
	s.step(s.hub, Secure{Tunnel: "Tunnel0", Peer: at[1]})
	s.step(s.hub, Acquire{Local: s.hub.addr, Remote: netip.MustParseAddr("250.1.2.3")})
	s.run(5 * time.Minute)
	if st := s.hub.states[at[1].String()]; st.State != SecurityIKE || st.Reason != waitsForPeer {
		t.Errorf("%+v", st)
	}
	if s.hub.peers[peerKey{"", s.hub.addr, netip.MustParseAddr("250.1.2.3")}] != nil {
		t.Error("a peer that nobody wants any more stays")
	}
	for _, f := range s.hub.sends {
		if protection.IsAlias(f.tx.Remote.Addr()) {
			t.Errorf("sent to %v", f.tx.Remote)
		}
	}
	s.secure(second, s.hub)
	s.run(time.Second)
	if now := s.where(); !slices.Equal(now, at) {
		t.Errorf("%v, were %v", now, at)
	}
}

// Two peers choose the same SPI for what comes to them: at one address a kernel has one SA
// with it, so the second is refused, and comes with another (RFC 4301 section 4.1).
func TestAliasSPI(t *testing.T) {
	spi := uint32(0)
	for range 2 {
		s := behindOne(t, 2, nil)
		s.secure(s.spokes[0], s.hub)
		s.run(time.Second)
		if spi != 0 {
			ch := s.hub.order[0].children[0]
			e := s.hub.sas[saKey{s.nat, ch.out.SPI}]
			s.hub.removeSA(saKey{s.nat, ch.out.SPI})
			e.SPI, ch.out.SPI = spi, spi
			s.putSA(s.hub, e)
		}
		second := s.spokes[1]
		s.secure(second, s.hub)
		s.run(time.Second)
		if spi == 0 {
			spi = second.order[0].children[0].in.SPI
			continue
		}
		if st := second.states[s.hub.addr.String()]; st.State != SecurityIPsec || st.Reason != "refused: NO_PROPOSAL_CHOSEN" {
			t.Errorf("%+v", st)
		}
		s.run(10 * time.Second)
		if ch := second.order[0].children; len(ch) != 1 || ch[0].in.SPI == spi || len(s.hub.sas) != 4 {
			t.Errorf("%v", s.hub.sas)
		}
	}
}

// clear by the address of the NAT is about all behind it, by an alias about one.
func TestAliasCleared(t *testing.T) {
	s := behindOne(t, 3, nil)
	at := s.up()
	first := s.ready(s.hub, 3)
	s.step(s.hub, Clear{IKE: true, Remote: at[1], AllVRFs: true})
	s.run(10 * time.Second)
	if now := s.ready(s.hub, 3); now[0].SPI != first[0].SPI || now[1].SPI != first[2].SPI {
		t.Errorf("%v", now)
	}
	s.step(s.hub, Clear{IKE: true, Remote: s.nat, AllVRFs: true})
	s.run(10 * time.Second)
	for _, sa := range s.ready(s.hub, 3) {
		if slices.ContainsFunc(first, func(o SAStatus) bool { return o.SPI == sa.SPI }) {
			t.Errorf("%v is there", sa.SPI)
		}
	}
	s.where()
}

// Addresses of IPv6 have no aliases, and there are not more aliases than there may be: then
// one of the peers is served. The other is authenticated and gets no child SA, the log says
// why, and the first keeps what it has; when that is gone the other is served.
func TestNoAlias(t *testing.T) {
	s := behindOne(t, 2, nil)
	s.nat = netip.MustParseAddr("2001:db8::9")
	for i, n := range s.nodes {
		n.addr = netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%d", i+1))
		n.config.Keyrings[0].Peers[0].Address = address("::/0")
		s.live(n)
	}
	a, b, x := s.spokes[0], s.spokes[1], s.hub
	s.secure(a, x)
	s.run(time.Second)
	spi := a.order[0].children[0].in.SPI
	s.secure(b, x)
	s.run(20 * time.Second)
	if st := b.states[x.addr.String()]; st.State != SecurityIPsec || st.Reason != "refused: TS_UNACCEPTABLE" || len(b.sas) != 0 {
		t.Errorf("%+v", st)
	}
	want := "peer 2001:db8::9: b.example is behind the same NAT address as a.example: one of them is served"
	if st := x.states[s.nat.String()]; st.State != SecurityUp || st.Identity != "a.example" || len(x.sas) != 2 || !slices.Contains(x.logs, want) {
		t.Errorf("%+v %v %v", st, x.sas, x.logs)
	}
	if p := s.show(x, ReportPeers).(*PeerReport).Peers; len(p) != 1 || p[0].Identity != "a.example" {
		t.Errorf("%+v", p)
	}
	if _, ok := x.sas[saKey{s.nat, spi}]; !ok || len(a.sas) != 2 {
		t.Errorf("the first one lost its SA: %v", x.sas)
	}
	s.dead[a] = true
	s.run(2 * time.Minute)
	if st := x.states[s.nat.String()]; st.State != SecurityUp || st.Identity != "b.example" || b.states[x.addr.String()].State != SecurityUp || len(x.sas) != 2 {
		t.Errorf("%+v %+v", st, b.states)
	}
}

// A router that is behind no NAT has the address to itself, whoever it says that it is.
func TestNoNATNoAlias(t *testing.T) {
	a := plain()
	a.Profiles[0].Identity = Identity{Kind: IdentityFQDN, Name: "a.example"}
	r, x, y := establish(t, a, plain())
	x.config.Profiles[0].Identity.Name = "b.example"
	x.sas, x.puts = map[saKey]rib.ESP{}, nil
	r.live(x)
	r.step(x, InterfacesKnown{})
	r.step(x, SAsKnown{})
	r.secure(x, y)
	r.run(time.Second)
	if st := y.states[x.addr.String()]; st.State != SecurityUp || st.Identity != "b.example" || len(y.aliases) != 0 || len(y.listed) != 1 {
		t.Errorf("%+v %v", st, y.aliases)
	}
}

// Aliases are of class E, as many as there are peers, and another where one is in use.
func TestNewAlias(t *testing.T) {
	s := behindOne(t, 2, nil)
	s.up()
	sa := s.hub.order[1]
	one := sa.candidate(0)
	if sa.peer.remote != one || !strings.HasPrefix(netip.PrefixFrom(one, 4).Masked().String(), "240.0.0.0") {
		t.Fatalf("%v", one)
	}
	sa.peer.who = Identity{Kind: IdentityFQDN, Name: "another"}
	if a := s.hub.newAlias(sa); a != sa.candidate(1) || a == one {
		t.Errorf("%v", a)
	}
	other := *sa
	other.vrf = "other"
	if a := s.hub.newAlias(&other); a == one || a != other.candidate(0) {
		t.Errorf("%v", a)
	}
	s.hub.getPeer(s.now, peerKey{"", s.hub.addr, other.candidate(0)}) // kernels know no VRF of associations
	if a := s.hub.newAlias(&other); a != other.candidate(1) {
		t.Errorf("%v", a)
	}
	for i := range maxAliases {
		p := s.hub.getPeer(s.now, peerKey{"", s.hub.addr, netip.AddrFrom4([4]byte{241, 0, byte(i >> 8), byte(i)})})
		p.children = []*child{{}}
	}
	if a := s.hub.newAlias(sa); a.IsValid() {
		t.Errorf("%v of too many", a)
	}
}
