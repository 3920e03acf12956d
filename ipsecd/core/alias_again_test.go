package core

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// A spoke that comes again, from another port, has the alias that it had; the first one, too,
// its address; what there was of its former life goes at once, and the others are not touched.
func TestAliasAgain(t *testing.T) {
	for i := range 3 {
		for _, gone := range []bool{false, true} {
			s := behindOne(t, 3, nil)
			at := s.up()
			others := maps.Clone(s.hub.sas)
			maps.DeleteFunc(others, func(_ saKey, e rib.ESP) bool {
				return e.UDP.Source == s.plus[s.spokes[i]]+4500 || e.UDP.Destination == s.plus[s.spokes[i]]+4500
			})
			x := s.spokes[i]
			if gone { // and was found dead before
				s.dead[x] = true
				s.hub.doubt(s.now, s.hub.order[i])
				s.drain(s.hub)
				s.run(time.Minute)
				if st := s.hub.states[at[i].String()]; len(s.hub.sas) != 4 || st.State == SecurityUp || len(s.hub.aliases) > 2-min(i, 1) {
					t.Fatalf("%+v: %v", st, s.hub.aliases)
				}
				s.dead[x] = false
				delete(s.dead, x)
			}
			s.plus[x] += 700
			x.sas, x.puts = map[saKey]rib.ESP{}, nil
			s.live(x)
			s.step(x, InterfacesKnown{})
			s.step(x, SAsKnown{})
			s.secure(x, s.hub)
			s.run(2 * time.Second)
			if now := s.where(); !slices.Equal(now, at) || len(s.hub.sas) != 6 {
				t.Errorf("spoke %d: %v, were %v; %d SAs", i, now, at, len(s.hub.sas))
			}
			for k := range others { // unordered: each by itself
				if _, ok := s.hub.sas[k]; !ok {
					t.Errorf("spoke %d: %v is gone", i, k)
				}
			}
		}
	}
}

// The loss of one does not touch the others, and takes its alias along; who comes then has
// the address of the NAT, if nobody has it any more.
func TestAliasLoss(t *testing.T) {
	dpd := func(c *Config) {
		c.Global.DPD = &DPD{Interval: 10 * time.Second, Retry: 2 * time.Second, Periodic: true}
	}
	for i := range 3 {
		s := behindOne(t, 3, dpd)
		dpd(&s.hub.config)
		s.step(s.hub, ConfigSet{s.hub.config})
		at := s.up()
		x := s.spokes[i]
		s.dead[x] = true
		s.run(5 * time.Minute)
		if st := s.hub.states[at[i].String()]; st.State != SecurityLost {
			t.Fatalf("%+v", st)
		}
		all := s.spokes
		s.spokes = slices.Delete(slices.Clone(all), i, i+1)
		if now := s.where(); !slices.Equal(now, slices.Delete(slices.Clone(at), i, i+1)) {
			t.Errorf("%v, were %v", now, at)
		}
		for _, y := range s.spokes {
			s.lostNone(y)
		}
	}
}

// The hub's ipsecd is started again: what passes goes on, each peer is at once known by the
// address that it had, and keeps that when it negotiates anew, in whatever order. The hub
// cannot begin; it says so of one that it lost.
func TestAliasRestart(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		s := behindOne(t, 3, func(c *Config) {
			c.Global.DPD = &DPD{Interval: 60 * time.Second, Retry: 5 * time.Second, Periodic: true}
		})
		at := s.up()
		old := maps.Clone(s.hub.sas)
		puts := slices.Clone(s.hub.puts)
		clear(s.hub.states)
		s.hub.events = nil
		s.live(s.hub)
		s.step(s.hub, Attached{Stale: len(puts)})
		for _, a := range at {
			s.step(s.hub, Secure{Tunnel: "Tunnel0", Peer: a})
		}
		for _, k := range puts {
			s.step(s.hub, SAKnown{SA: keyless(old[k])})
		}
		s.step(s.hub, InterfacesKnown{})
		s.step(s.hub, SAsKnown{})
		for i, a := range at {
			if st := s.hub.states[a.String()]; st.State != SecurityUp || len(s.hub.aliases) != 2 {
				t.Fatalf("%+v %v", st, s.hub.aliases)
			}
			s.carries(i, a)
			s.plus[s.spokes[i]]++ // the NAT gives it another port meanwhile
			in := s.hub.sas[s.spokes[i].towards(s.hub.addr)]
			s.step(s.hub, MappingChanged{in.Destination, in.SPI, netip.AddrPortFrom(s.nat, in.UDP.Source+1)})
			s.carries(i, a)
		}
		for _, i := range order {
			x := s.spokes[i]
			s.soft(x) // its IKE SA is not known at the hub any more
			s.run(20 * time.Second)
			s.carries(i, at[i])
		}
		s.run(30 * time.Second)
		if now := s.where(); !slices.Equal(now, at) || len(s.hub.left) != 0 || len(s.hub.sas) != 6 {
			t.Errorf("%v, were %v; %v", now, at, s.hub.left)
		}
		s.lostNone(append(s.spokes, s.hub)...)
		for _, f := range s.hub.sends {
			if f.tx.Remote.Addr() != s.nat {
				if _, ok := s.plus[s.node(f.tx.Remote.Addr())]; !ok {
					t.Errorf("sent to %v", f.tx.Remote)
				}
			}
		}
	}
}

// A spoke with an alias comes from another port when the hub does not know any more whose
// SAs those are: it has its alias by who it is.
func TestAliasRestartMoved(t *testing.T) {
	s := behindOne(t, 3, nil)
	at := s.up()
	s.rig.restart(s.hub)
	for i, x := range s.spokes[1:] {
		s.plus[x] += 7
		s.rig.restart(x, s.hub)
		s.run(10 * time.Second)
		if p := s.hub.peers[peerKey{"", s.hub.addr, at[i+1]}]; p == nil || len(p.children) != 1 || p.identity() != x.config.Profiles[0].Identity.Name {
			t.Errorf("%s was at %v", x.name, at[i+1])
		}
	}
}

func (s *shared) node(a netip.Addr) *node {
	for _, n := range s.nodes {
		if n.addr == a {
			return n
		}
	}
	return nil
}

// A router behind the NAT says that it is another: it has the same port, so it is known by
// what it was known by, and what it was before is not beside it.
func TestAliasRenamed(t *testing.T) {
	s := behindOne(t, 3, nil)
	at := s.up()
	for i, x := range s.spokes {
		x.config.Profiles[0].Identity.Name = "z.example"
		x.sas, x.puts = map[saKey]rib.ESP{}, nil
		s.live(x)
		s.step(x, InterfacesKnown{})
		s.step(x, SAsKnown{})
		s.secure(x, s.hub)
		s.run(time.Second)
		if p := s.hub.peers[peerKey{"", s.hub.addr, at[i]}]; p.identity() != "z.example" || len(s.hub.listed) != 3 {
			t.Errorf("%v is %s", at[i], p.identity())
		}
		s.hub.recognize(s.hub.peers[peerKey{"", s.hub.addr, at[i]}], Identity{Kind: IdentityFQDN, Name: "done.example"})
	}
}
