package core

import (
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// established returns two ends with an IKE SA and a child SA.
func establish(t testing.TB, a, b Config) (*rig, *node, *node) {
	t.Helper()
	r, x, y := pair(t, a, b)
	r.secure(x, y)
	r.run(time.Second)
	r.secure(y, x)
	r.agree(x, y, 1)
	return r, x, y
}

// soft tells a node that its child SA is to be replaced.
func (r *rig) soft(n *node) {
	s := r.ikeSAs(n)[0].Children[0]
	r.step(n, Expired{s.Out.Destination, s.Out.SPI, false})
}

// rekey has a node replace its IKE SA.
func (r *rig) rekey(n *node) {
	n.lifetimeDue(r.now, n.order[0])
	r.drain(n)
}

// settledOn fails unless the ends have one IKE SA, the same, and one child SA, which is not
// the first; and neither lost its peer.
func (r *rig) settledOn(a, b *node, first SAStatus, ike bool) {
	r.t.Helper()
	r.agree(a, b, 1)
	s, p := r.ready(a, 1)[0], r.ready(b, 1)[0]
	if s.SPI != p.PeerSPI || s.PeerSPI != p.SPI || (s.SPI == first.SPI) == ike {
		r.t.Errorf("IKE SAs %v %v and %v %v, first %v", s.SPI, s.PeerSPI, p.SPI, p.PeerSPI, first.SPI)
	}
	if (s.Children[0].In.SPI == first.Children[0].In.SPI) != ike {
		r.t.Error("child SA")
	}
	for _, n := range []*node{a, b} {
		if e := strings.Join(n.events, "\n"); strings.Contains(e, " 3 ") {
			r.t.Errorf("%s lost its peer: %s", n.name, e)
		}
	}
}

func withPFS() Config {
	cfg := plain()
	cfg.IPsec[0].PFS = []packet.Group{packet.Curve25519}
	return cfg
}

// RFC 7296 section 1.3.3: a child SA is replaced, then the old one is deleted.
func TestChildRekey(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": plain(), "PFS": withPFS()} { // unordered: each by itself
		for i, who := range []string{"initiator", "responder"} {
			t.Run(name+" "+who, func(t *testing.T) {
				r, a, b := establish(t, cfg, cfg)
				first := r.ready(a, 1)[0]
				r.soft(r.nodes[i])
				r.run(time.Second)
				r.settledOn(a, b, first, false)
				if g := r.ready(a, 1)[0].Children[0].Group; (g == packet.Curve25519) != (name == "PFS") {
					t.Error(g)
				}
			})
		}
	}
}

// The peer sends by the new SA only when the old one is deleted, so that there is always
// one that the other end knows.
func TestChildRekeyOutbound(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.bend = func(f *flight) []time.Duration {
		if f.h.Exchange == packet.Informational {
			return nil
		}
		return []time.Duration{delay}
	}
	r.soft(a)
	r.run(900 * time.Millisecond)
	if len(a.sas) != 4 || len(b.sas) != 3 {
		t.Errorf("%d and %d SAs", len(a.sas), len(b.sas))
	}
	r.run(5 * time.Second)
	if len(b.sas) != 4 {
		t.Errorf("%d SAs", len(b.sas))
	}
}

// Another group for PFS is wanted by the peer.
func TestChildRekeyWrongGroup(t *testing.T) {
	a, b := withPFS(), withPFS()
	a.IPsec[0].PFS = []packet.Group{packet.ECP256, packet.Curve25519}
	r, x, y := establish(t, a, b)
	first := r.ready(x, 1)[0]
	r.soft(x)
	r.run(time.Second)
	r.settledOn(x, y, first, false)
}

// Section 2.8.1: both replace the same child SA at once; whatever is slow.
func TestChildRekeyCollision(t *testing.T) {
	for _, late := range []string{"", "a", "b"} {
		for _, exchange := range []packet.ExchangeType{0, packet.CreateChildSA, packet.Informational} {
			for seed := range byte(8) {
				r := newRig(t)
				a, b := r.add(seed, plain()), r.add(seed, plain())
				r.secure(a, b)
				r.run(time.Second)
				r.secure(b, a)
				first := r.ready(a, 1)[0]
				r.bend = func(f *flight) []time.Duration {
					if f.from.name == late && f.h.Exchange == exchange {
						return []time.Duration{20 * delay}
					}
					return []time.Duration{delay}
				}
				r.soft(a)
				r.soft(b)
				r.run(20 * time.Second)
				r.settledOn(a, b, first, false)
			}
		}
	}
}

// Section 2.25.1: one replaces what the other deletes.
func TestChildRekeyDeleted(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.soft(a)
	r.step(b, Clear{Children: true, AllVRFs: true})
	r.run(time.Minute)
	r.agree(a, b, 1)
	r.ready(a, 1)
}

// Both delete the same child SA: each answer leaves out what its sender deletes (section
// 1.4.1).
func TestChildDeleteCollision(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.step(a, Clear{Children: true, AllVRFs: true})
	r.step(b, Clear{Children: true, AllVRFs: true})
	r.run(time.Minute)
	r.agree(a, b, 1)
	r.ready(a, 1)
	if !strings.Contains(a.exchanges()+b.exchanges(), "CREATE") {
		t.Error("not by CREATE_CHILD_SA")
	}
}

// Section 1.3.2: an IKE SA is replaced and the child SA stays; then the old one is
// deleted. The new one can be used.
func TestIKERekey(t *testing.T) {
	for i := range 2 {
		r, a, b := establish(t, plain(), plain())
		first := r.ready(a, 1)[0]
		r.rekey(r.nodes[i])
		r.run(time.Second)
		r.settledOn(a, b, first, true)
		first = r.ready(a, 1)[0]
		r.soft(r.nodes[1-i])
		r.run(time.Second)
		r.settledOn(a, b, first, false)
	}
}

// Section 2.8.2: both replace the IKE SA at once.
func TestIKERekeyCollision(t *testing.T) {
	for _, late := range []string{"", "a", "b"} {
		for _, exchange := range []packet.ExchangeType{0, packet.CreateChildSA, packet.Informational} {
			for seed := range byte(8) {
				r := newRig(t)
				a, b := r.add(seed, plain()), r.add(seed, plain())
				r.secure(a, b)
				r.run(time.Second)
				r.secure(b, a)
				first := r.ready(a, 1)[0]
				r.bend = func(f *flight) []time.Duration {
					if f.from.name == late && f.h.Exchange == exchange {
						return []time.Duration{20 * delay}
					}
					return []time.Duration{delay}
				}
				r.rekey(a)
				r.rekey(b)
				r.run(2 * time.Minute)
				r.settledOn(a, b, first, true)
			}
		}
	}
}

// Section 2.25.2: an IKE SA and its child SA are replaced at once, from both ends.
func TestIKEAndChildRekey(t *testing.T) {
	for i := range 2 {
		r, a, b := establish(t, plain(), plain())
		first := r.ready(a, 1)[0]
		r.rekey(r.nodes[i])
		r.soft(r.nodes[1-i])
		r.run(time.Minute)
		r.agree(a, b, 1)
		s := r.ready(a, 1)[0]
		if s.SPI == first.SPI || s.Children[0].In.SPI == first.Children[0].In.SPI {
			t.Error("not replaced")
		}
	}
}

// Section 2.25.2: one replaces the IKE SA that the other deletes.
func TestIKERekeyDeleted(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.rekey(a)
	r.step(b, Clear{IKE: true, AllVRFs: true})
	r.run(2 * time.Minute)
	r.agree(a, b, 1)
	r.ready(a, 1)
	r.ready(b, 1)
}

// Lifetimes pass for days, and GRE passes all the time.
func TestLifetimes(t *testing.T) {
	cfg := plain()
	cfg.Profiles[0].Lifetime = 3 * time.Hour
	r, a, b := establish(t, cfg, plain())
	first := r.ready(a, 1)[0]
	r.run(50 * time.Hour)
	r.agree(a, b, 1)
	if s := r.ready(a, 1)[0]; s.SPI == first.SPI || len(a.events) > 2 || len(b.events) > 2 {
		t.Errorf("%v %v", a.events, b.events)
	}
}

// The same collision where the answer to one end is lost: the other deletes the old IKE SA
// before it comes again (section 2.25.2).
func TestIKERekeyCollisionLostAnswer(t *testing.T) {
	for seed := range byte(8) {
		r := newRig(t)
		a, b := r.add(seed, plain()), r.add(seed, plain())
		r.secure(a, b)
		r.run(time.Second)
		r.secure(b, a)
		first, lost := r.ready(a, 1)[0], false
		r.bend = func(f *flight) []time.Duration {
			if f.from == b && f.h.Exchange == packet.CreateChildSA && f.h.Response() && !lost {
				lost = true
				return nil
			}
			return []time.Duration{delay}
		}
		r.rekey(a)
		r.rekey(b)
		r.run(2 * time.Minute)
		r.settledOn(a, b, first, true)
	}
}

// Section 2.25.1: who is asked to replace a child SA that it is deleting says
// TEMPORARY_FAILURE, and is asked again.
func TestTemporaryFailure(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	first := r.ready(a, 1)[0]
	old := b.order[0].children[0]
	old.deleting = true
	r.soft(a)
	r.run(time.Second)
	if len(a.order[0].children) != 1 || a.order[0].children[0].successor != nil {
		t.Fatal("replaced")
	}
	if again := a.until(r.now, timerKey{kind: timerRekey, child: a.order[0].children[0]}); again > retryRekey {
		t.Errorf("again after %v", again)
	}
	// Section 1.4.1: what we are deleting ourselves is not in the answer, and nothing twice
	// (F15).
	spi := old.out.SPI
	if got := b.deleted(r.now, b.order[0], []uint32{spi, spi, 1}); len(got) != 0 {
		t.Errorf("%v", got)
	}
	r.drain(b)
	r.run(time.Minute)
	r.agree(a, b, 1)
	if r.ready(a, 1)[0].Children[0].In.SPI == first.Children[0].In.SPI {
		t.Error("the same child SA")
	}
	ch := b.order[0].children[0]
	if got := b.deleted(r.now, b.order[0], []uint32{ch.out.SPI, ch.out.SPI}); len(got) != 1 || got[0] != ch.in.SPI {
		t.Errorf("%v", got)
	}
}

// What nobody wants any more is not replaced, and ends with its lifetime.
func TestUnwanted(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.step(b, Unsecure{"Tunnel0", a.addr})
	r.run(10 * time.Hour)
	r.agree(a, b, 1)
	r.step(a, Unsecure{"Tunnel0", b.addr})
	r.run(2 * time.Hour)
	r.agree(a, b, 0)
	r.run(24 * time.Hour)
	if len(a.order)+len(b.order)+len(a.listed)+len(b.listed) != 0 {
		t.Error(a.order, b.order, a.listed, b.listed)
	}
}
