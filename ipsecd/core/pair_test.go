package core

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// RFC 7296 section 1.2: two round trips make an IKE SA and a child SA for GRE, in
// transport mode.
func TestEstablish(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 1)
	if got := a.exchanges() + " / " + b.exchanges(); got != "INIT AUTH / init auth" {
		t.Error(got)
	}
	sa, peer := r.ready(a, 1)[0], r.ready(b, 1)[0]
	if !sa.Initiator || peer.Initiator || sa.SPI != peer.PeerSPI || sa.PeerSPI != peer.SPI || sa.Peer.String() != "192.0.2.2" || peer.Profile != "i" {
		t.Errorf("%+v\n%+v", sa, peer)
	}
	c := sa.Children[0]
	if c.In.Protocol != protocolGRE || !c.In.Keyless() || c.LocalTS[0].IPProtocol != protocolGRE || c.LocalTS[0].Start != a.addr {
		t.Errorf("%+v", c)
	}
	r.run(time.Minute)
	r.agree(a, b, 1)
	if len(a.sends) != 2 {
		t.Error(a.exchanges())
	}
}

// Cisco's defaults on both ends, with ML-KEM in IKE_INTERMEDIATE (RFC 9242, RFC 9370).
func TestDefaultsWithMLKEM(t *testing.T) {
	cfg := plain()
	cfg.Policies, cfg.Proposals, cfg.IPsec[0].Transforms = nil, nil, []string{DefaultName}
	r, a, b := pair(t, cfg, cfg)
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 1)
	if got := a.exchanges(); got != "INIT INT INT INT AUTH" {
		t.Error(got)
	}
	if s := r.ready(a, 1)[0]; s.Group != packet.ECP256 || !slices.Equal(s.Additional, []packet.Group{packet.MLKEM768}) || !s.Fragmentation {
		t.Errorf("%+v", s)
	}
}

// The first group is not the responder's: INVALID_KE_PAYLOAD, and the same offer again
// (RFC 7296 section 1.3).
func TestWrongGroup(t *testing.T) {
	other := plain()
	other.Proposals[0].Groups = []packet.Group{packet.ECP256}
	r, a, b := pair(t, plain(), other)
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 1)
	if got := a.exchanges(); got != "INIT INIT AUTH" {
		t.Error(got)
	}
}

// RFC 7296 section 2.6: a responder with many half-open IKE SAs keeps nothing for who has
// not shown that it is where it says.
func TestCookies(t *testing.T) {
	cfg := plain()
	cfg.Global.CookieChallenge = 1
	r, a, b := pair(t, plain(), cfg)
	c := r.add(1, plain())
	r.bend = func(f *flight) []time.Duration {
		if f.from == c && f.h.Exchange != packet.IKESAInit {
			return nil
		}
		return []time.Duration{delay}
	}
	r.secure(c, b)
	r.run(time.Second)
	r.secure(a, b)
	r.run(500 * time.Millisecond)
	if got := a.exchanges(); got != "INIT INIT AUTH" || len(b.half) != 1 || b.states[a.addr.String()].State != SecurityUp {
		t.Errorf("%s, %d half-open, %v", got, len(b.half), b.states)
	}
	r.step(c, Unsecure{"Tunnel0", b.addr})
	r.run(2 * time.Minute)
	if len(b.half) != 0 {
		t.Error("a half-open IKE SA stays")
	}
}

// Every datagram is lost once, and each that arrives does so twice.
func TestLossAndDuplicates(t *testing.T) {
	cfg := plain()
	cfg.Policies, cfg.Proposals = nil, nil
	r, a, b := pair(t, cfg, cfg)
	seen := map[string]int{}
	r.bend = func(f *flight) []time.Duration {
		k := f.from.name + string(f.tx.Packet)
		if seen[k]++; seen[k] == 1 {
			return nil
		}
		return []time.Duration{delay, 3 * delay}
	}
	r.secure(a, b)
	r.run(30 * time.Second)
	r.agree(a, b, 1)
	r.ready(a, 1)
	r.ready(b, 1)
}

// Who changes a datagram changes nothing else: those that are right are still taken.
func TestCorruption(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	for i := range 200 {
		r.bend = func(f *flight) []time.Duration {
			if f.h.Exchange != packet.IKESAInit {
				bad := slices.Clone(f.tx.Packet)
				bad[i%len(bad)] ^= 1 << (i % 8)
				to := r.nodes[1-slices.Index(r.nodes, f.from)]
				r.flying = append(r.flying, &flight{at: r.now.Add(1), number: f.number, from: f.from, tx: TxPacket{Local: f.tx.Local, Remote: f.tx.Remote, Packet: bad}})
				_ = to
			}
			return []time.Duration{delay}
		}
		if i == 0 {
			r.secure(a, b)
		} else {
			r.step(a, Clear{IKE: true, AllVRFs: true})
		}
		r.run(10 * time.Second)
		r.agree(a, b, 1)
	}
}

// A key that is not the peer's: nobody is told why, and it is tried again ever more
// slowly.
func TestWrongKey(t *testing.T) {
	bad := plain()
	bad.Keyrings[0].Peers[0].Local = policy.NewSecret("another one, just as long")
	bad.Keyrings[0].Peers[0].Remote = bad.Keyrings[0].Peers[0].Local
	r, a, b := pair(t, plain(), bad)
	r.secure(a, b)
	r.run(5 * time.Minute)
	r.agree(a, b, 0)
	if s := a.states[b.addr.String()]; s.State != SecurityIKE || s.Reason != "refused: AUTHENTICATION_FAILED" {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(a.exchanges(), "AUTH"); n < 16 || n > 26 { // each maxTry at last
		t.Errorf("%d attempts", n)
	}
	if !slices.Contains(b.logs, "peer 192.0.2.1: authentication failed") {
		t.Error(b.logs)
	}
	r.step(b, ConfigSet{plain()})
	r.run(time.Minute)
	r.agree(a, b, 1)
}

// No transform set in common: the IKE SA stands and the child SA does not. It is asked for
// again by that IKE SA, ever more slowly, and comes as soon as the peer allows it.
func TestNoChild(t *testing.T) {
	other := plain()
	other.Transforms[0].ESP = proposal.DefaultESP()
	r, a, b := pair(t, plain(), other)
	r.secure(a, b)
	r.run(time.Second)
	r.agree(a, b, 0)
	if s := a.states[b.addr.String()]; s.State != SecurityIPsec || s.Reason != "refused: NO_PROPOSAL_CHOSEN" {
		t.Errorf("%+v", s)
	}
	if len(a.order) != 1 {
		t.Fatal("no IKE SA")
	}
	one := a.order[0]
	r.run(2 * time.Minute)
	if s := a.exchanges(); strings.Count(s, "AUTH") != 1 || strings.Count(s, "CREATE") < 6 || strings.Count(s, "CREATE") > 12 {
		t.Errorf("exchanges: %s", s)
	}
	r.step(b, ConfigSet{plain()})
	r.run(20 * time.Second)
	r.agree(a, b, 1)
	if len(a.order) != 1 || a.order[0] != one || one.state != StateReady {
		t.Errorf("%d IKE SAs, the first is %v", len(a.order), one.state)
	}
}

// A peer that is not there is given up after a minute, and tried again.
func TestNoAnswer(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.bend = func(*flight) []time.Duration { return nil }
	r.secure(a, b)
	r.run(70 * time.Second)
	if s := a.states[b.addr.String()]; s.State != SecurityIKE || s.Reason != "no answer" {
		t.Errorf("%+v", s)
	}
	r.bend = nil
	r.run(5 * time.Minute)
	r.agree(a, b, 1)
}

// Both ends begin at once: one IKE SA is left, the same on both, and GRE passed all the
// time.
func TestCrossed(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	r.secure(b, a)
	r.run(time.Second)
	r.agree(a, b, 2)
	if lost := r.traffic(a, b, 10*time.Second); lost > 0 {
		t.Errorf("%d packets lost", lost)
	}
	r.agree(a, b, 1)
	r.ready(a, 1)
	r.ready(b, 1)
	for _, n := range r.nodes {
		for _, e := range n.events {
			if strings.Contains(e, " 3 ") {
				t.Errorf("%s lost its peer: %v", n.name, n.events)
			}
		}
	}
}

// Both ends begin, and one is late: what the other end is to delete is not sent by, even
// if that takes it a while.
func TestCrossedLate(t *testing.T) {
	spared := 0
	for seed := range byte(8) {
		r := newRig(t)
		a, b := r.add(2*seed, plain()), r.add(2*seed+1, plain())
		r.bend = func(f *flight) []time.Duration {
			if f.from == a && f.h.Exchange == packet.IKESAInit && !f.h.Response() {
				return []time.Duration{time.Second}
			}
			return []time.Duration{delay}
		}
		r.secure(a, b)
		r.secure(b, a)
		r.run(reapDelay) // b's is there before a's
		if slices.ContainsFunc(b.order, func(sa *ikeSA) bool { return sa.spare }) {
			spared++
			r.bend = func(f *flight) []time.Duration {
				if f.from == a { // its DELETE comes later than b would begin to send
					return []time.Duration{3 * time.Second}
				}
				return []time.Duration{delay}
			}
			sending := slices.Clone(b.puts)
			r.run(2 * time.Second)
			if !slices.Equal(b.puts, sending) {
				t.Errorf("seed %d: SAs of b were %v, are %v", seed, sending, b.puts)
			}
		}
		r.bend = nil
		r.run(time.Minute)
		r.agree(a, b, 1)
	}
	if spared == 0 {
		t.Error("the late one was never the one to go")
	}
}

// Both ends begin, and an answer is late: who gives it does not send by what the other end
// does not have yet, as long as it has a child SA that it began itself.
func TestCrossedAnswerLate(t *testing.T) {
	stays := map[bool]int{}
	for seed := range byte(8) {
		r := newRig(t)
		a, b := r.add(2*seed, plain()), r.add(2*seed+1, plain())
		r.bend = func(f *flight) []time.Duration {
			switch {
			case f.from == b && f.h.Exchange == packet.IKEAuth && !f.h.Response():
				return []time.Duration{10 * delay}
			case f.from == a && f.h.Exchange == packet.IKEAuth && f.h.Response():
				return []time.Duration{time.Second}
			}
			return []time.Duration{delay}
		}
		r.secure(a, b)
		r.secure(b, a)
		r.run(8 * delay)
		r.agree(a, b, 1) // what a began
		if lost := r.traffic(a, b, 2*reapDelay); lost > 0 {
			t.Errorf("seed %d: %d packets lost", seed, lost)
		}
		r.bend = nil
		r.run(time.Minute)
		r.agree(a, b, 1)
		stays[a.order[0].initiator]++
	}
	if len(stays) < 2 {
		t.Error("it was always the same end's that stayed")
	}
}

// The answer to the DELETE of an IKE SA comes when its child SAs are gone: the peer takes
// nothing by them any more once it has it.
func TestDeleteAnswered(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	r.run(time.Second)
	answers := 0
	r.bend = func(f *flight) []time.Duration {
		if f.from == b && f.h.Exchange == packet.Informational && f.h.Response() {
			if answers++; len(b.sas) > 0 {
				t.Errorf("b has %d SAs yet", len(b.sas))
			}
		}
		return []time.Duration{delay}
	}
	r.step(a, Clear{IKE: true, AllVRFs: true})
	r.run(100 * time.Millisecond)
	if answers == 0 {
		t.Error("b did not answer")
	}
}

// Section 2.4: an end that began anew says so, and the other forgets what it had.
func TestInitialContact(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	r.run(time.Second)
	again := &node{}
	*again = *a
	n := r.add(2, plain())
	n.addr, again.addr = a.addr, b.addr
	r.step(n, InterfaceChanged{interfaceAt(a.addr)})
	r.nodes = []*node{n, b}
	r.run(time.Second)
	r.secure(n, b)
	r.run(time.Second)
	r.agree(n, b, 1)
	r.ready(b, 1)
}

// Dead peer detection as on IOS, periodically: five times every two seconds after ten of
// silence. Then the peer is lost, and is negotiated with again.
func TestDPD(t *testing.T) {
	cfg := plain()
	cfg.Global.DPD = &DPD{Interval: 10 * time.Second, Retry: 2 * time.Second, Periodic: true}
	r, a, b := pair(t, cfg, plain())
	r.secure(a, b)
	r.run(time.Minute)
	r.agree(a, b, 1)
	if got := b.exchanges(); !strings.HasPrefix(got, "init auth info info info") {
		t.Error(got)
	}
	r.bend = func(*flight) []time.Duration { return nil }
	r.run(25 * time.Second)
	if s := a.states[b.addr.String()]; s.State != SecurityLost || s.Reason != "no answer" {
		t.Errorf("%+v", s)
	}
	if len(a.sas) != 0 {
		t.Error(a.sas)
	}
	r.bend = nil
	r.run(2 * time.Minute)
	r.agree(a, b, 1)
}

// DPD on demand asks only if packets went out and none came.
func TestDPDOnDemand(t *testing.T) {
	cfg := plain()
	cfg.Global.DPD = &DPD{Interval: 10 * time.Second, Retry: 2 * time.Second}
	r, a, b := pair(t, cfg, plain())
	r.secure(a, b)
	r.run(time.Minute)
	if got := a.exchanges(); got != "INIT AUTH" {
		t.Error(got)
	}
	out := r.ready(a, 1)[0].Children[0].Out
	k := SAKnown{SA: out}
	k.Count.Packets = 7
	r.step(a, k)
	r.run(11 * time.Second)
	if got := a.exchanges(); got != "INIT AUTH INFO" {
		t.Error(got)
	}
	r.agree(a, b, 1)
}

// What one end deletes goes at the other; what is wanted is negotiated anew.
func TestClear(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	r.run(time.Second)
	first := r.ready(a, 1)[0].SPI
	r.step(b, Clear{IKE: true, AllVRFs: true})
	r.run(500 * time.Millisecond)
	r.agree(a, b, 0)
	if s := a.states[b.addr.String()]; s.State != SecurityLost || s.Reason != "deleted by the peer" {
		t.Errorf("%+v", s)
	}
	r.run(10 * time.Second)
	r.agree(a, b, 1)
	if r.ready(a, 1)[0].SPI == first {
		t.Error("the same IKE SA")
	}
	r.step(a, Shutdown{})
	r.run(time.Second)
	r.agree(a, b, 0)
}

// A tunnel is served until its protection is no longer configured, whatever becomes of
// the interface.
func TestTunnelGoes(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	if len(a.listen) != 1 {
		t.Fatal(a.listen)
	}
	r.secure(a, b)
	r.run(time.Second)
	r.step(a, InterfaceGone{"Tunnel0"})
	if len(a.listen) != 1 || len(a.sas) != 2 {
		t.Error("all gone with the interface")
	}
	cfg := plain()
	cfg.Tunnels = nil
	r.step(a, ConfigSet{cfg})
	if len(a.listen) != 0 || len(a.sas) != 0 || len(a.peers) != 0 {
		t.Error(a.listen, a.sas, a.peers)
	}
}

// A peer that leaves out the additional key exchange that was agreed on is refused (RFC
// 9370 section 2.2.2).
func TestAdditionalLeftOut(t *testing.T) {
	cfg := plain()
	cfg.Proposals[0].Additional = proposal.DefaultIKE().Additional
	r, a, b := pair(t, cfg, cfg)
	r.secure(a, b)
	r.next(r.now.Add(time.Second))
	r.next(r.now.Add(time.Second))
	sa := a.order[0]
	if sa.state != StateIntermediate {
		t.Fatal(sa.state)
	}
	r.flying, sa.nego.intermedial = nil, false
	x, ps, _ := authTask{}.request(a.Core, r.now, sa)
	for _, m := range a.compose(sa, x, 1, 0, ps) {
		r.step(b, RxPacket{Local: sa.remote, Remote: sa.local, Packet: m})
	}
	if len(b.order) != 0 || !slices.Contains(b.logs, "peer 192.0.2.1: key exchanges are missing") {
		t.Error(b.logs)
	}
}

// Peers can have only so much logged.
func TestLogLimit(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	for range 100 {
		r.step(a, RxPacket{Local: netip.AddrPortFrom(a.addr, 500), Remote: netip.AddrPortFrom(b.addr, 500), Packet: append(append(make([]byte, 17), 0x10), make([]byte, 10)...)})
	}
	if len(a.logs) != logBurst || a.counters.IKEv1 != 100 {
		t.Errorf("%d, %d", len(a.logs), a.counters.IKEv1)
	}
}

// RFC 9242 section 3.3.2: what the ends authenticate has in it what both sent in
// IKE_INTERMEDIATE, and the Message ID of IKE_AUTH.
func TestIntermediateAuthenticated(t *testing.T) {
	cfg := plain()
	cfg.Proposals[0].Additional = proposal.DefaultIKE().Additional
	r, a, b := pair(t, cfg, cfg)
	r.secure(a, b)
	for a.order[0].state != StateAuthSent {
		r.next(r.now.Add(time.Second))
	}
	x, y := a.order[0], b.order[0]
	id := Identity{Kind: IdentityFQDN, Name: "x"}.payload(false)
	n := x.nego
	want := suite.SignedOctets(x.suite.PRF, n.init[0], x.nonces.Nr, x.keys.Pi, id, n.intI, n.intR, 2)
	if got := x.octets(true, id, 2); len(n.intI) != 32 || len(n.intR) != 32 || !slices.Equal(got, want) || !slices.Equal(y.octets(true, id, 2), want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// A peer that wants no child SA yet gets none (RFC 6023).
func TestChildless(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	r.next(r.now.Add(time.Second))
	r.next(r.now.Add(time.Second))
	sa := a.order[0]
	r.flying = nil
	_, ps, _ := authTask{}.request(a.Core, r.now, sa)
	ps = slices.DeleteFunc(ps, func(p packet.Payload) bool {
		return p.Type() == packet.TypeSA || p.Type() == packet.TypeTSi || p.Type() == packet.TypeTSr
	})
	for _, m := range a.compose(sa, packet.IKEAuth, 1, 0, ps) {
		r.step(b, RxPacket{Local: sa.remote, Remote: sa.local, Packet: m})
	}
	if !sa.childless || len(b.order) != 1 || b.order[0].state != StateReady || len(b.sas) != 0 || len(b.sends) != 2 {
		t.Errorf("%v %v", b.order, b.sas)
	}
}
