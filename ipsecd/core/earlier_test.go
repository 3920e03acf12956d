package core

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// one fails unless both ends have one IKE SA, the same, and one child SA, and have not lost
// each other.
func (r *rig) one(a, b *node) {
	r.t.Helper()
	r.agree(a, b, 1)
	if s, p := r.ready(a, 1)[0], r.ready(b, 1)[0]; s.SPI != p.PeerSPI || s.PeerSPI != p.SPI {
		r.t.Errorf("IKE SAs %v %v and %v %v", s.SPI, s.PeerSPI, p.SPI, p.PeerSPI)
	}
	r.lostNone(a, b)
}

// lostNone fails if one of the ends said that it lost its peer.
func (r *rig) lostNone(ns ...*node) {
	r.t.Helper()
	for _, n := range ns {
		if e := strings.Join(n.events, "\n"); strings.Contains(e, " 3 ") {
			r.t.Errorf("%s lost its peer:\n%s", n.name, e)
		}
	}
}

// The daemon of one end, or of both, is started again: GRE goes on by what the kernels
// have, without a packet lost, and there is a new IKE SA with a new child SA; then nothing
// is left of the old ones. INITIAL_CONTACT, which would have the peer cut them at once, is
// not said (RFC 7296 section 2.4).
func TestRestart(t *testing.T) {
	for name, who := range map[string][]int{"initiator": {0}, "responder": {1}, "both": {0, 1}} { // unordered: each by itself
		for seed := range byte(4) {
			t.Run(name, func(t *testing.T) {
				r := newRig(t)
				a, b := r.add(seed, plain()), r.add(seed, plain())
				r.secure(a, b)
				r.run(time.Second)
				r.secure(b, a)
				first := r.ready(a, 1)[0]
				for _, i := range who {
					r.restart(r.nodes[i], r.nodes[1-i])
					if s := r.nodes[i].states[r.nodes[1-i].addr.String()]; s.State != SecurityUp {
						t.Fatalf("%+v", s)
					}
				}
				if lost := r.traffic(a, b, 40*time.Second); lost > 0 {
					t.Errorf("%d packets lost", lost)
				}
				r.one(a, b)
				if r.ready(a, 1)[0].Children[0].In.SPI == first.Children[0].In.SPI || len(a.left)+len(b.left) > 0 {
					t.Error("the old SAs are there")
				}
			})
		}
	}
}

// One that nobody wants there is negotiated with by the peer, which is told that its IKE SA
// is not known (section 2.21.4) and goes on with its child SA until there is another.
func TestRestartUnwanted(t *testing.T) {
	cfg := plain()
	cfg.Global.DPD = &DPD{Interval: 30 * time.Second, Retry: 5 * time.Second, Periodic: true}
	hub := plain()
	hub.IPsec[0].ResponderOnly = true
	r, a, b := pair(t, cfg, hub)
	r.secure(a, b)
	r.run(time.Second)
	first := r.ready(a, 1)[0]
	r.restart(b)
	sent := len(b.sends)
	if lost := r.traffic(a, b, 70*time.Second); lost > 0 {
		t.Errorf("%d packets lost", lost)
	}
	r.agree(a, b, 1)
	if r.ready(a, 1)[0].SPI == first.SPI || b.sends[sent].h.Exchange != packet.Informational || b.sends[sent].h.Flags != packet.FlagResponse {
		t.Errorf("%+v", b.sends[sent].h)
	}
	r.lostNone(a, b)
}

// One that nobody wants is negotiated with once all the same: the peer may have given its
// SAs up meanwhile.
func TestRestartRenews(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	first := r.ready(a, 1)[0]
	r.restart(b)
	r.step(b, Unsecure{"Tunnel0", a.addr})
	r.run(time.Minute)
	r.agree(a, b, 1)
	if now := r.ready(a, 1)[0]; now.SPI == first.SPI || now.Initiator {
		t.Errorf("%+v", now)
	}
	r.lostNone(a, b)
}

// A peer that is dead: what was taken over does not outlive by much the first negotiation
// that comes to nothing.
func TestRestartDead(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.bend = func(*flight) []time.Duration { return nil }
	r.restart(a, b)
	r.run(time.Minute)
	if s := a.states[b.addr.String()]; s.State != SecurityUp || len(a.sas) != 2 {
		t.Errorf("while it is negotiated with: %+v", s)
	}
	r.run(time.Minute)
	if s := a.states[b.addr.String()]; s.State == SecurityUp || len(a.sas) != 0 || len(a.left) != 0 {
		t.Errorf("%+v, %v", s, a.sas)
	}
}

// A peer that never comes back: what was taken over goes when the kernel says so, and then
// the peer is lost.
func TestRestartAlone(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.bend = func(*flight) []time.Duration { return nil }
	r.restart(a, b)
	r.run(50 * time.Second)
	if s := a.states[b.addr.String()]; s.State != SecurityUp || len(a.sas) != 2 {
		t.Errorf("%+v", s)
	}
	for k := range a.sas { // unordered: any
		r.step(a, Expired{k.dst, k.spi, true})
		break
	}
	if s := a.states[b.addr.String()]; s.State != SecurityLost {
		t.Errorf("%+v", s)
	}
	r.run(12 * time.Minute)
	if len(a.sas) != 0 || len(a.left) != 0 {
		t.Errorf("%v", a.sas)
	}
	// The peer keeps its IKE SA, and its child SA is replaced or ends; with the network back
	// there is one for both.
	r.bend = nil
	r.run(2 * time.Hour)
	r.agree(a, b, 1)
}

// What no tunnel is for is not taken over, and goes with the end of the replay; nothing is
// begun before.
func TestReplayOrder(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	old := slices.Clone(a.puts)
	foreign := a.sas[old[0]]
	foreign.Source, foreign.Destination = netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
	key := saKey{foreign.Destination, foreign.SPI}
	a.sas[key], a.puts = foreign, append(a.puts, key)
	r.live(a)
	r.step(a, Attached{Stale: 3})
	r.secure(a, b)
	sent := len(a.sends)
	for _, k := range old {
		r.step(a, SAKnown{SA: keyless(a.sas[k])})
	}
	r.step(a, SAKnown{SA: keyless(foreign)})
	r.step(a, SAsKnown{})
	r.step(a, Attached{Stale: 3}) // zebra is started again meanwhile
	r.run(time.Minute)
	if len(a.sends) != sent || len(a.sas) != 3 {
		t.Fatalf("begun before all was known: %s, %v", a.exchanges(), a.sas)
	}
	if s := a.states[b.addr.String()]; s.State != SecurityUp {
		t.Errorf("told %+v before all was known", s)
	}
	r.step(a, InterfacesKnown{})
	if len(a.sas) != 2 || a.states[b.addr.String()].State != SecurityUp {
		t.Errorf("%v", a.sas)
	}
	r.run(time.Minute)
	r.agree(a, b, 1)
	// What comes later, of a zebra that was started again, is not of an earlier life.
	r.step(a, Attached{Stale: 1})
	a.sas[key], a.puts = foreign, append(a.puts, key)
	r.step(a, SAKnown{SA: keyless(foreign)})
	r.step(a, SAsKnown{})
	r.agree(a, b, 1)
}

// A hub with many spokes is started again: they are not negotiated with all at once.
func TestRestartHub(t *testing.T) {
	const n = 50
	r := newRig(t)
	hub := r.add(1, plain())
	for range n {
		s := r.add(1, plain())
		r.secure(s, hub)
		r.secure(hub, s)
	}
	r.run(15 * time.Second)
	if len(hub.sas) != 2*n {
		t.Fatalf("%d SAs", len(hub.sas))
	}
	r.restart(hub, r.nodes[1:]...)
	most := 0
	for range 200 {
		r.run(10 * time.Millisecond)
		most = max(most, hub.outgoing)
	}
	if most > n/4 || most == 0 {
		t.Errorf("%d IKE SAs under negotiation at once", most)
	}
	r.run(time.Minute)
	for _, s := range r.nodes[1:] {
		if len(s.sas) != 2 || s.states[hub.addr.String()].State != SecurityUp {
			t.Fatalf("%s: %v", s.name, s.sas)
		}
	}
	r.lostNone(r.nodes...)
	if len(hub.sas) != 2*n || len(hub.left) != 0 {
		t.Errorf("%d SAs, %d of an earlier life", len(hub.sas), len(hub.left))
	}
}

// A peer that wants no second IKE SA refuses the first attempt; then it is told that this
// one is the only one.
func TestRestartInsists(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.restart(a, b)
	said := []bool{}
	for range 2 {
		for len(a.order) == 0 || a.order[len(a.order)-1].state != StateAuthSent {
			r.next(r.now.Add(time.Minute))
		}
		sa := a.order[len(a.order)-1]
		_, ps, _ := authTask{}.request(a.Core, r.now, sa)
		said = append(said, packet.FindNotify(ps, packet.InitialContact) != nil)
		r.flying = nil
		authTask{}.answered(a.Core, r.now, sa, []packet.Payload{notify(packet.AuthenticationFailed)})
		r.drain(a)
	}
	if said[0] || !said[1] {
		t.Error(said)
	}
	if s := a.states[b.addr.String()]; s.State != SecurityUp {
		t.Errorf("%+v", s)
	}
	r.run(2 * time.Minute)
	r.agree(a, b, 1)
}

// Clear and shutdown end what was taken over, too.
func TestLeftoversCleared(t *testing.T) {
	for _, in := range []Input{Clear{IKE: true, AllVRFs: true}, Clear{Children: true, Remote: netip.MustParseAddr("192.0.2.2")}, Shutdown{}} {
		r, a, _ := establish(t, plain(), plain())
		r.restart(a)
		r.step(a, Clear{IKE: true, VRF: "other"})
		if len(a.sas) != 2 {
			t.Fatal(a.sas)
		}
		if r.step(a, in); len(a.sas)+len(a.left)+len(a.listed) != 0 {
			t.Errorf("%+v: %v %v", in, a.sas, a.listed)
		}
	}
}
