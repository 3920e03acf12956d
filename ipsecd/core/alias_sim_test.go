package core

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/protection"
)

// sharedSchedule is a random run of a hub with some spokes behind one NAT address: while
// datagrams are lost and late, SAs are replaced and cleared, ports change, spokes are silent
// for a while, and daemons are started again. Then there is peace, and GRE of each spoke goes
// to and comes from it alone.
func sharedSchedule(t *testing.T, seed int) {
	rng := rand.New(rand.NewPCG(uint64(seed), 11))
	quick := func(c *Config) {
		c.Global.DPD = &DPD{Interval: 10 * time.Second, Retry: 2 * time.Second, Periodic: true}
		c.Global.Lifetime = 90 * time.Second
		c.Profiles[0].Lifetime = 4 * time.Minute
	}
	s := behindOne(t, 2+rng.IntN(3), quick)
	quick(&s.hub.config)
	s.step(s.hub, ConfigSet{s.hub.config})
	loss, late := rng.IntN(20), rng.IntN(20)
	still := s.bend
	s.bend = func(f *flight) []time.Duration {
		switch out := still(f); {
		case rng.IntN(100) < loss:
			return nil
		case rng.IntN(100) < late && out != nil:
			return []time.Duration{time.Duration(rng.IntN(3000)) * time.Millisecond}
		default:
			return out
		}
	}
	for range 40 {
		s.disturb(rng)
		s.run(time.Duration(rng.IntN(8000)) * time.Millisecond)
		s.apart(seed)
	}
	s.bend = still
	clear(s.dead)
	for _, x := range s.spokes {
		s.secure(x, s.hub)
	}
	s.run(5 * time.Minute)
	s.quiet()
	if t.Failed() {
		return
	}
	s.where()
	if len(s.hub.sas) != 2*len(s.hub.Core.children) || len(s.hub.left) != 0 || t.Failed() {
		t.Fatalf("seed %d: %d SAs, %d left", seed, len(s.hub.sas), len(s.hub.left))
	}
}

// disturb does something that happens.
func (s *shared) disturb(rng *rand.Rand) {
	x := s.spokes[rng.IntN(len(s.spokes))]
	switch rng.IntN(10) {
	case 0, 1, 2:
		s.secure(x, s.hub)
	case 3:
		s.plus[x] += 7
	case 4:
		if s.dead[x] = !s.dead[x]; !s.dead[x] {
			delete(s.dead, x)
		}
	case 5:
		s.rig.restart(x, s.hub)
	case 6:
		s.rig.restart(s.hub)
		for _, p := range slices.Clone(s.hub.listed) {
			s.step(s.hub, Secure{Tunnel: "Tunnel0", Peer: p.remote})
		}
	case 7:
		s.step(s.hub, Clear{IKE: rng.IntN(2) == 0, Children: true, AllVRFs: true})
	default:
		for _, n := range []*node{x, s.hub} {
			for _, sa := range slices.Clone(n.order) {
				if rng.IntN(2) == 0 {
					sa.reauth = rng.IntN(4) == 0
					n.lifetimeDue(s.now, sa)
				}
			}
			s.drain(n)
			for _, sa := range s.ikeSAs(n) {
				for _, c := range sa.Children {
					s.step(n, Expired{c.Out.Destination, c.Out.SPI, rng.IntN(8) == 0})
				}
			}
		}
	}
}

// apart fails if GRE of two spokes is not told apart: at the address of the NAT and at each
// alias there is one of them, and an alias is stated as long as it has SAs.
func (s *shared) apart(seed int) {
	s.t.Helper()
	for _, f := range s.hub.sends {
		if protection.IsAlias(f.tx.Remote.Addr()) {
			s.t.Fatalf("seed %d: sent to %v", seed, f.tx.Remote)
		}
	}
	s.hub.sends = nil
	aliased := map[Alias]bool{}
	for _, p := range s.hub.listed {
		for _, ch := range p.children {
			if ch.sa.peerID != p.who || ch.in.SourceAlias != ch.out.DestinationAlias || ch.in.SourceAlias.IsValid() != p.aliased() {
				s.t.Fatalf("seed %d: %v is %v, and has a child SA of %v", seed, p.remote, p.who, ch.sa.peerID)
			}
		}
		if p.placed {
			aliased[Alias{Local: p.local, Addr: p.remote, Outer: s.nat}] = true
		}
		if p.placed != (p.aliased() && len(p.children)+len(p.left) > 0) {
			s.t.Fatalf("seed %d: alias %v", seed, p.remote)
		}
	}
	for p := range aliased { // unordered: each by itself
		if !s.hub.aliases[p] {
			s.t.Fatalf("seed %d: no %v", seed, p)
		}
	}
	if len(aliased) != len(s.hub.aliases) {
		s.t.Fatalf("seed %d: aliases %v, want %v", seed, s.hub.aliases, aliased)
	}
}

// Random schedules; as TestSchedules.
func TestAliasSchedules(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		sharedSchedule(t, seed)
	}
}
