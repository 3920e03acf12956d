package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// The kernel refuses an SA in each step of each exchange, once: both ends are soon secured
// again, by the same SAs, and nothing is left (impairments of libreswan: failures of
// installation).
func TestKernelRefuses(t *testing.T) {
	for name, do := range map[string]func(r *rig, a, b *node){ // unordered: each by itself
		"negotiation":   func(r *rig, a, b *node) {},
		"child rekey":   func(r *rig, a, b *node) { r.soft(a) },
		"crossed rekey": func(r *rig, a, b *node) { r.soft(a); r.soft(b) },
		"rekey, child":  func(r *rig, a, b *node) { r.rekey(a); r.run(time.Second); r.soft(b) },
	} {
		for who := range 2 {
			for k := 1; k <= 4; k++ {
				t.Run(fmt.Sprintf("%s/%d/SA %d", name, who, k), func(t *testing.T) {
					r, a, b := pair(t, plain(), plain())
					n, seen := r.nodes[who], 0
					refuse := func(rib.ESP) bool { seen++; return seen == k }
					if name == "negotiation" {
						n.broken = refuse
					}
					r.secure(a, b)
					r.run(time.Second)
					r.secure(b, a)
					r.run(10 * time.Second)
					if name != "negotiation" {
						n.broken = refuse
					}
					do(r, a, b)
					r.run(2 * time.Minute)
					r.agree(a, b, 1)
					r.quiet()
					r.peace(0)
				})
			}
		}
	}
}

// A kernel that takes no SA at all: it is tried ever more slowly, nothing piles up, and
// once it does all is well.
func TestKernelBroken(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	a.broken = func(rib.ESP) bool { return true }
	r.secure(a, b)
	r.run(10 * time.Minute)
	if n := len(a.sends); n > 120 || len(a.sas)+len(b.sas) != 0 || len(a.order) > 1 || a.outgoing > 0 {
		t.Errorf("%d messages, %d and %d SAs, %d IKE SAs", n, len(a.sas), len(b.sas), len(a.order))
	}
	a.broken = nil
	r.run(2 * time.Minute)
	r.agree(a, b, 1)
	r.quiet()
	r.peace(0)
}

// A child SA that the kernel loses while another replaces it is missed by nobody: the other
// is sent by at once.
func TestSuccessorSends(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.bend = func(f *flight) []time.Duration {
		if f.h.Exchange == packet.Informational {
			return nil
		}
		return []time.Duration{delay}
	}
	r.soft(a)
	r.run(time.Second)
	old := b.order[0].children[0]
	if old.successor == nil || old.successor.sending {
		t.Fatalf("%+v", old)
	}
	r.step(b, SAGone{old.out.Destination, old.out.SPI})
	if !old.successor.sending || b.states[a.addr.String()].State != SecurityUp {
		t.Error("nothing is sent")
	}
}
