package core

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

var (
	seeds     = flag.Int("schedules", 200, "random schedules of TestSchedules")
	firstSeed = flag.Int("schedule", 0, "the first of them")
)

// witness holds the octets of every answer against those before (RFC 7296 section 2.1).
type witness map[string][]byte

func (w witness) see(t testing.TB, f *flight) {
	b := f.tx.Packet
	if f.tx.Local.Port() == packet.PortNAT {
		_, b = packet.Decapsulate(b)
	}
	m, err := packet.Parse(b)
	if err != nil || m.Encrypted == nil {
		return
	}
	k := fmt.Sprint(f.from.name, m.SPIi, m.SPIr, m.Response(), m.MessageID, m.Encrypted.Number)
	if old, ok := w[k]; ok && !bytes.Equal(old, b) {
		t.Fatalf("message %s is sent with other contents", k)
	}
	w[k] = slices.Clone(b)
}

// schedule is one random run of two or three ends: for a while datagrams are lost, late,
// doubled and changed while SAs are replaced, cleared and asked for and daemons are started
// again. Then there is peace.
func schedule(t testing.TB, seed int) {
	rng := rand.New(rand.NewPCG(uint64(seed), 7))
	cfg := plain()
	cfg.Global.DPD = &DPD{Interval: 10 * time.Second, Retry: 2 * time.Second, Periodic: true}
	cfg.Global.Lifetime = 90 * time.Second
	cfg.Profiles[0].Lifetime = 4 * time.Minute
	cfg.Global.CookieChallenge = 1 + rng.IntN(3)
	if rng.IntN(3) == 0 {
		cfg.IPsec[0].PFS = []packet.Group{packet.Curve25519}
	}
	if rng.IntN(8) == 0 {
		cfg.Policies, cfg.Proposals = nil, nil
	}
	r := newRig(t)
	more, optional := rng.IntN(4) == 0, rng.IntN(2) == 0
	for range 2 + rng.IntN(2) {
		n := cfg
		if more && (!optional || rng.IntN(3) > 0) {
			n = additional(cfg, optional)
		}
		r.add(byte(seed), n)
	}
	w := witness{}
	loss, dup, late := rng.IntN(30), rng.IntN(20), rng.IntN(30)
	r.bend = func(f *flight) (out []time.Duration) {
		w.see(t, f)
		if rng.IntN(100) < loss {
			return nil
		}
		for range 1 + max(0, 1-rng.IntN(100)/max(1, dup)) {
			d := delay
			if rng.IntN(100) < late {
				d = time.Duration(rng.IntN(3000)) * time.Millisecond
			}
			out = append(out, d)
		}
		if rng.IntN(20) == 0 {
			c := *f
			c.tx.Packet = slices.Clone(c.tx.Packet)
			c.tx.Packet[rng.IntN(len(c.tx.Packet))] ^= 1 << rng.IntN(8)
			c.at = r.now.Add(delay / 2)
			r.flying = append(r.flying, &c)
		}
		return out
	}
	for range 40 {
		r.disturb(rng)
		r.run(time.Duration(rng.IntN(8000)) * time.Millisecond)
	}
	r.bend = func(f *flight) []time.Duration { w.see(t, f); return []time.Duration{delay} }
	for _, n := range r.nodes {
		for _, p := range r.nodes {
			if n != p {
				r.secure(n, p)
			}
		}
	}
	r.run(4 * time.Minute)
	r.quiet()
	r.peace(seed)
}

// additional is a configuration with additional key exchanges for all SAs.
func additional(cfg Config, optional bool) Config {
	more := []proposal.Additional{{Groups: []packet.Group{packet.MLKEM768}, Optional: optional}}
	cfg.Proposals, cfg.IPsec = slices.Clone(cfg.Proposals), slices.Clone(cfg.IPsec)
	for i := range cfg.Proposals {
		cfg.Proposals[i].Additional = more
	}
	cfg.IPsec[0].PFS, cfg.IPsec[0].Additional = []packet.Group{packet.Curve25519}, more
	return cfg
}

// disturb does something that happens.
func (r *rig) disturb(rng *rand.Rand) {
	i := rng.IntN(len(r.nodes))
	n, p := r.nodes[i], r.nodes[(i+1+rng.IntN(len(r.nodes)-1))%len(r.nodes)]
	switch rng.IntN(12) {
	case 0, 1, 2:
		r.secure(n, p)
	case 3:
		r.step(n, Unsecure{"Tunnel0", p.addr})
	case 4:
		r.step(n, Acquire{n.addr, p.addr})
	case 5:
		r.step(n, Clear{IKE: rng.IntN(2) == 0, Children: true, AllVRFs: true})
	case 6:
		if len(n.order) > 0 {
			sa := n.order[rng.IntN(len(n.order))]
			sa.reauth = rng.IntN(3) == 0
			n.lifetimeDue(r.now, sa)
			r.drain(n)
		}
	case 7:
		if rng.IntN(2) == 0 {
			r.restart(n, p)
		} else {
			r.restart(n)
		}
	default:
		for _, q := range []*node{n, p} {
			for _, s := range r.ikeSAs(q) {
				for _, c := range s.Children {
					r.step(q, Expired{c.Out.Destination, c.Out.SPI, rng.IntN(8) == 0})
				}
			}
		}
	}
}

// quiet waits for a moment in which nothing is being negotiated.
func (r *rig) quiet() {
	for range 600 {
		busy := len(r.flying) > 0
		for _, n := range r.nodes {
			for _, sa := range n.order {
				busy = busy || sa.request != nil || len(sa.queue) > 0 || sa.state != StateReady
				if _, ok := n.timers.Deadline(timerKey{kind: timerReap, sa: sa}); ok {
					busy = true
				}
				for _, ch := range sa.children {
					busy = busy || !ch.sending
				}
			}
		}
		if !busy {
			return
		}
		r.run(250 * time.Millisecond)
	}
	r.t.Fatal("no peace")
}

// peace is what has to hold when all is quiet: both ends have the same SAs, each peer is
// secured, nothing is half-open, and nothing is left of what was.
func (r *rig) peace(seed int) {
	for _, n := range r.nodes {
		if len(n.half) != 0 || n.outgoing != 0 || len(n.sas) != 2*len(n.Core.children) {
			r.t.Fatalf("seed %d: %s has %d half-open, %d outgoing, %d SAs of %d children", seed, n.name, len(n.half), n.outgoing, len(n.sas), len(n.Core.children))
		}
		for _, sa := range n.order {
			if !slices.ContainsFunc(r.nodes, func(o *node) bool {
				p := o.Core.sas[sa.peerSPI]
				return p != nil && p.peerSPI == sa.spi && p.nextID == sa.expectedID && len(p.children) == len(sa.children)
			}) {
				r.t.Fatalf("seed %d: %s alone has IKE SA %v", seed, n.name, sa.spi)
			}
		}
		for k, x := range n.sas { // unordered: each by itself
			if !slices.ContainsFunc(r.nodes, func(o *node) bool {
				y, ok := o.sas[k]
				return o != n && ok && x.CipherKey == y.CipherKey
			}) {
				r.t.Fatalf("seed %d: %s alone has SA %v", seed, n.name, k)
			}
		}
		for _, p := range n.listed {
			if p.state != SecurityUp {
				r.t.Fatalf("seed %d: %s to %v: %v %s", seed, n.name, p.remote, p.state, p.reason)
			}
		}
		known := map[timerKey]bool{}
		for at, ok := n.timers.Next(); ok; at, ok = n.timers.Next() {
			k, _ := n.timers.PopDue(clock.Never)
			if known[k] || k.sa != nil && !n.alive(k.sa) || k.child != nil && n.Core.children[k.child.in.SPI] != k.child || k.peer != nil && n.peers[k.peer.peerKey] != k.peer {
				r.t.Fatalf("seed %d: a timer %d of what is gone, at %v", seed, k.kind, at)
			}
			known[k] = true
		}
	}
}

// Random schedules; -schedules 100000 for a night, -schedule N -schedules 1 for one.
func TestSchedules(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		schedule(t, seed)
	}
}

// The same inputs have the same effects.
func TestRepeatable(t *testing.T) {
	var runs [2][]byte
	for i := range runs {
		cfg := plain()
		cfg.Policies, cfg.Proposals = nil, nil
		r, a, b := establish(t, cfg, cfg)
		r.soft(a)
		r.rekey(b)
		r.run(time.Minute)
		for _, n := range r.nodes {
			for _, f := range n.sends {
				runs[i] = append(runs[i], f.tx.Packet...)
			}
		}
	}
	if !bytes.Equal(runs[0], runs[1]) {
		t.Error("two runs differ")
	}
}
