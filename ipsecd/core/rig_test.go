package core

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// rig is some cores, a virtual clock, and a network that a script can bend.
type rig struct {
	t      testing.TB
	now    clock.Instant
	nodes  []*node
	flying []*flight
	sent   int
	// bend says what becomes of a datagram: when its copies arrive. nil: it arrives after
	// the delay of the network.
	bend func(f *flight) []time.Duration
	nat  func(f *flight)
}

// flight is a datagram on its way.
type flight struct {
	at     clock.Instant
	number int
	from   *node
	tx     TxPacket
	h      packet.Header
}

// node is a core and what it had put in force.
type node struct {
	*Core
	name    string
	addr    netip.Addr
	sas     map[saKey]rib.ESP // in force, as a kernel has them
	puts    []saKey           // as they came into force
	stated  map[saKey]bool    // by this life
	seed    byte
	lives   byte
	config  Config
	listen  map[netip.Addr]bool
	aliases map[Alias]bool // stated by this life
	states  map[string]PeerState
	events  []string // of peers
	logs    []string
	pki     []Log // of facility PKI
	sends   []*flight
	report  Report
	// broken says which SAs the kernel does not take; nil: it takes all.
	broken func(rib.ESP) bool
	gone   []SAGone // what it did not take, and did not say yet
}

type saKey struct {
	dst netip.Addr
	spi uint32
}

const delay = 10 * time.Millisecond

func newRig(t testing.TB) *rig { return &rig{t: t} }

func (r *rig) add(seed byte, cfg Config) *node {
	i := len(r.nodes)
	n := &node{
		name: string(rune('a' + i)), addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}),
		sas: map[saKey]rib.ESP{}, listen: map[netip.Addr]bool{}, states: map[string]PeerState{}, seed: seed, config: cfg,
	}
	r.nodes = append(r.nodes, n)
	r.live(n)
	return n
}

// live begins a life of a node.
func (r *rig) live(n *node) {
	n.lives++
	n.Core = New(Options{Random: suite.Repeatable{Reader: rand.NewChaCha8([32]byte{n.seed, n.name[0] - 'a', n.lives - 1})}, Wall: rigWall})
	n.stated, n.aliases = map[saKey]bool{}, map[Alias]bool{}
	r.step(n, ConfigSet{n.config})
	r.step(n, InterfaceChanged{interfaceAt(n.addr)})
}

// restart begins another life of a node, whose kernel goes on; wants are what nhrpd asks
// for again.
func (r *rig) restart(n *node, wants ...*node) {
	old := slices.Clone(n.puts)
	r.live(n)
	r.step(n, Attached{Stale: len(old)})
	for _, p := range wants {
		r.secure(n, p)
	}
	for _, k := range old {
		r.step(n, SAKnown{SA: keyless(n.sas[k])})
	}
	r.step(n, InterfacesKnown{})
	r.step(n, SAsKnown{})
}

func (r *rig) step(n *node, in Input) {
	n.Step(r.now, in)
	r.drain(n)
}

func (r *rig) drain(n *node) {
	for _, e := range n.Drain(nil) {
		switch e := e.(type) {
		case TxPacket:
			r.sent++
			f := &flight{number: r.sent, from: n, tx: e}
			b := e.Packet
			if e.Local.Port() == packet.PortNAT {
				_, b = packet.Decapsulate(b)
			}
			f.h, _, _ = packet.ParseHeader(b)
			n.sends = append(n.sends, f)
			if r.nat != nil {
				r.nat(f)
			}
			when := []time.Duration{delay}
			if r.bend != nil {
				when = r.bend(f)
			}
			for _, d := range when {
				c := *f
				c.at = r.now.Add(d)
				r.flying = append(r.flying, &c)
			}
		case PutSA:
			r.putSA(n, e.SA)
		case DelSA:
			n.removeSA(saKey{e.Destination, e.SPI})
		case PutAlias:
			n.aliases[e.Alias] = true
		case DelAlias:
			delete(n.aliases, e.Alias)
		case EndOfReplay:
			for _, k := range slices.Clone(n.puts) {
				if !n.stated[k] {
					n.removeSA(k)
				}
			}
		case Listen:
			n.listen[e.Local] = true
		case Unlisten:
			delete(n.listen, e.Local)
		case PeerState:
			n.states[e.Peer.String()] = e
			n.events = append(n.events, fmt.Sprintf("%v %d %s", e.Peer, e.State, e.Reason))
		case PeerGone:
			n.events = append(n.events, fmt.Sprintf("%v gone from %s", e.Peer, e.Tunnel))
		case Log:
			n.logs = append(n.logs, e.Text)
			if e.Facility == "PKI" {
				n.pki = append(n.pki, e)
			}
		case Answer:
			n.report = e.Report
		}
	}
	if len(n.gone) > 0 {
		g := n.gone[0]
		n.gone = n.gone[1:]
		r.step(n, g)
	}
}

// putSA puts an SA in force; one without keys has to be there.
func (r *rig) putSA(n *node, e rib.ESP) {
	k := saKey{e.Destination, e.SPI}
	old, there := n.sas[k]
	if err := e.Check(); err != nil || e.Keyless() && !there {
		r.t.Fatalf("%s: SA %v %v", n.name, k, err)
	}
	alias := func(a Alias) bool { return a.Addr == e.Alias() }
	if e.Alias().IsValid() && !e.Keyless() && !slices.ContainsFunc(slices.Collect(maps.Keys(n.aliases)), alias) {
		r.t.Fatalf("%s: SA %v before its alias %v", n.name, k, e.Alias())
	}
	if n.broken != nil && n.broken(e) {
		n.removeSA(k)
		n.gone = append(n.gone, SAGone{e.Destination, e.SPI})
		return
	}
	if !there {
		n.puts = append(n.puts, k)
	}
	if e.Keyless() {
		e.CipherKey, e.IntegrityKey = old.CipherKey, old.IntegrityKey
	}
	n.sas[k], n.stated[k] = e, true
}

func (n *node) removeSA(k saKey) {
	delete(n.sas, k)
	delete(n.stated, k)
	n.puts = slices.DeleteFunc(n.puts, func(o saKey) bool { return o == k })
}

// next makes the next thing happen that is due by the end; ok is false if there is none.
func (r *rig) next(end clock.Instant) (ok bool) {
	at, who, fly := end.Add(1), (*node)(nil), -1
	for _, n := range r.nodes {
		if w, ok := n.Wake(); ok && w.Before(at) {
			at, who = w, n
		}
	}
	for i, f := range r.flying {
		if f.at.Before(at) || fly >= 0 && f.at == at && f.number < r.flying[fly].number {
			at, fly, who = f.at, i, nil
		}
	}
	if at.After(end) {
		return false
	}
	if at.After(r.now) {
		r.now = at
	}
	if fly < 0 {
		r.step(who, Tick{})
		return true
	}
	f := r.flying[fly]
	r.flying = slices.Delete(r.flying, fly, fly+1)
	for _, n := range r.nodes {
		if n.addr == f.tx.Remote.Addr() {
			r.step(n, RxPacket{VRF: f.tx.VRF, Local: f.tx.Remote, Remote: f.tx.Local, Packet: slices.Clone(f.tx.Packet)})
		}
	}
	return true
}

// run lets time pass.
func (r *rig) run(d time.Duration) {
	end := r.now.Add(d)
	for i := 0; r.next(end); i++ {
		if i > 100000 {
			r.t.Fatal("no end of events")
		}
	}
	r.now = end
}

// secure has one node want another to be secured.
func (r *rig) secure(a, b *node) { r.step(a, Secure{Tunnel: "Tunnel0", Peer: b.addr}) }

func (r *rig) show(n *node, k ReportKind) Report {
	r.step(n, Query{ID: 1, Kind: k})
	return n.report
}

func (r *rig) ikeSAs(n *node) []SAStatus { return r.show(n, ReportSAs).(*SAReport).SAs }

// agree fails unless every ESP SA of one end is that of another with the same keys, and
// there are n pairs.
func (r *rig) agree(a, b *node, n int) {
	r.t.Helper()
	if len(a.sas) != 2*n || len(b.sas) != 2*n {
		r.t.Fatalf("%d and %d SAs, want %d\n%v\n%v", len(a.sas), len(b.sas), 2*n, a.sas, b.sas)
	}
	for k, x := range a.sas { // unordered: each by itself
		y, ok := b.sas[k]
		if !ok || x.CipherKey != y.CipherKey || x.IntegrityKey != y.IntegrityKey || x.Cipher != y.Cipher || x.ESN != y.ESN || x.Source != y.Source {
			r.t.Fatalf("the ends differ about %v:\n%+v\n%+v", k, x, y)
		}
	}
	if n > 0 && (a.states[b.addr.String()].State != SecurityUp || b.states[a.addr.String()].State != SecurityUp) {
		r.t.Fatalf("states %v and %v", a.states, b.states)
	}
}

// ready fails unless there are n IKE SAs, all established.
func (r *rig) ready(node *node, n int) []SAStatus {
	r.t.Helper()
	sas := r.ikeSAs(node)
	if len(sas) != n {
		r.t.Fatalf("%s has %d IKE SAs, want %d: %v", node.name, len(sas), n, sas)
	}
	for _, s := range sas {
		if s.State != StateReady {
			r.t.Fatalf("%s: %v", node.name, s.State)
		}
	}
	return sas
}

// exchanges lists what a node sent, requests in capitals.
func (n *node) exchanges() string {
	var out []string
	for _, f := range n.sends {
		s := map[packet.ExchangeType]string{packet.IKESAInit: "INIT", packet.IKEIntermediate: "INT", packet.IKEAuth: "AUTH", packet.CreateChildSA: "CREATE", packet.Informational: "INFO", packet.IKEFollowupKE: "FOLLOW"}[f.h.Exchange]
		if f.h.Response() {
			s = strings.ToLower(s)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func address(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// plain is a configuration with a wildcard key, and algorithms that cost little.
func plain() Config {
	key := policy.NewSecret("correct horse battery staple")
	return Config{
		Proposals: []Proposal{{"p", proposal.IKE{
			Encryption: []packet.Transform{{ID: packet.EncrAESGCM16, KeyLength: 256}}, PRF: []uint16{packet.PRFHMACSHA2256},
			Groups: []packet.Group{packet.Curve25519, packet.ECP256},
		}}},
		Policies:   []Policy{{Name: "p", Proposals: []string{"p"}}},
		Keyrings:   []Keyring{{"k", []KeyringPeer{{Name: "any", Address: address("0.0.0.0/0"), Local: key, Remote: key}}}},
		Profiles:   []Profile{{Name: "i", Matches: []Identity{{Kind: IdentityAny}}, LocalMethod: MethodPSK, RemoteMethods: []Method{MethodPSK}, Keyring: "k"}},
		Transforms: []Transform{{"t", proposal.ESP{Encryption: []packet.Transform{{ID: packet.EncrAESGCM16, KeyLength: 256}}}}},
		IPsec:      []IPsec{{Name: "v", Transforms: []string{"t"}, Profile: "i"}},
		Tunnels:    []Protection{{Interface: "Tunnel0", Profile: "v"}},
	}
}

// pair is two nodes with configurations.
func pair(t testing.TB, a, b Config) (*rig, *node, *node) {
	r := newRig(t)
	return r, r.add(1, a), r.add(1, b)
}

func interfaceAt(a netip.Addr) rib.Interface {
	return rib.Interface{Name: "Tunnel0", Tunnel: &rib.Tunnel{Source: a}}
}

// traffic has GRE pass both ways every millisecond, for a while, by the newest SA that each
// end has for sending as the kernel does. It returns how many packets were lost.
func (r *rig) traffic(a, b *node, d time.Duration) (lost int) {
	type sent struct {
		at  clock.Instant
		to  *node
		key saKey
		sa  rib.ESP
	}
	var flying []sent
	end := r.now.Add(d)
	for r.now.Before(end.Add(delay)) {
		for _, p := range [][2]*node{{a, b}, {b, a}} {
			if i := slices.IndexFunc(p[0].puts, func(k saKey) bool { return k.dst == p[1].addr }); r.now.Before(end) && i < 0 {
				lost++
			} else if r.now.Before(end) {
				k := p[0].newest(p[1].addr)
				flying = append(flying, sent{r.now.Add(delay), p[1], k, p[0].sas[k]})
			}
		}
		r.run(time.Millisecond)
		for len(flying) > 0 && !r.now.Before(flying[0].at) {
			f := flying[0]
			flying = flying[1:]
			if e, ok := f.to.sas[f.key]; !ok || e.CipherKey != f.sa.CipherKey {
				lost++
			}
		}
	}
	return lost
}

// newest returns the SA to an address that came into force last.
func (n *node) newest(to netip.Addr) (out saKey) {
	for _, k := range n.puts {
		if k.dst == to {
			out = k
		}
	}
	return out
}
