package core

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/tests/ikefault"
)

// F5, CVE-2024-2357: there is no key for the peer. What it sends again finds nothing of
// what failed; and an empty key is not what it has to prove.
func TestNoKey(t *testing.T) {
	s := newStand(t, false, false)
	cfg := faultConfig(false, false)
	ring := &cfg.Keyrings[0].Peers
	(*ring)[0].Address = address("192.0.2.0/24")
	*ring = append(*ring, KeyringPeer{Name: "half", Address: address("203.0.113.0/24"), Local: (*ring)[0].Local}) // what it has to prove is not said
	s.step(s.n, ConfigSet{cfg})
	for i := range 3 {
		if i == 1 {
			s.p.Key = nil
		}
		if err := s.p.Reach(ikefault.Auth, s.tell); err != nil {
			t.Fatal(err)
		}
		out := s.p.Write(s.p.Auth())
		s.ended(ikefault.Fault{At: ikefault.Auth, Want: ikefault.Outcome{Notify: packet.AuthenticationFailed}}, out, s.tell(out))
		s.p.Forget()
	}
	s.after()
}

// F17, CVE-2016-5361: who is not where it says never gets more octets than were sent in
// its name, however often it asks.
func TestAmplification(t *testing.T) {
	for name, change := range map[string]func(*ikefault.Draft){ // unordered: each by itself
		"all":       func(*ikefault.Draft) {},
		"least":     func(d *ikefault.Draft) { d.Drop(packet.TypeNotify) },
		"no answer": func(d *ikefault.Draft) { d.Drop(packet.TypeKE) },
		"group":     func(d *ikefault.Draft) { copy(d.Find(packet.TypeKE).Body, []byte{0, 19}) },
		"version":   func(d *ikefault.Draft) { d.Drop(packet.TypeNotify); d.Version = 0x30 },
		"critical":  func(d *ikefault.Draft) { d.Clear = []ikefault.Part{{Type: 200, Flags: 0x80}} },
		"unknown":   func(d *ikefault.Draft) { d.Clear, d.Exchange, d.SPIr, d.Sealed = nil, packet.Informational, 1, false },
	} {
		for _, port := range []uint16{packet.Port, packet.PortNAT} {
			s := newStand(t, false, false)
			in, out := 0, 0
			for i := range 200 {
				if i%2 == 0 {
					s.p.Forget()
				}
				d := s.p.Init()
				change(d)
				for _, b := range s.p.Write(d) {
					if port == packet.PortNAT {
						b = append(packet.AppendMarker(nil), b...)
					}
					before := len(s.n.sends)
					s.step(s.n, RxPacket{Local: netip.AddrPortFrom(s.n.addr, port), Remote: attacker, Packet: b})
					in += len(b)
					for _, f := range s.n.sends[before:] {
						out += len(f.tx.Packet)
					}
					if out > in {
						t.Fatalf("%s, port %d, message %d: %d octets for %d", name, port, i, out, in)
					}
				}
			}
		}
	}
}

// F18 and replay: everything that a peer ever sent comes once more, several times. The last
// request has the last answer, octet by octet; nothing else happens but that the first
// message may begin a half-open IKE SA.
func TestReplay(t *testing.T) {
	s := newStand(t, false, false)
	var sent [][]byte
	var last [][]byte
	record := func(bs [][]byte) [][]byte {
		sent = append(sent, bs...)
		last = s.tell(bs)
		return last
	}
	if err := s.p.Reach(ikefault.Probe, record); err != nil {
		t.Fatal(err)
	}
	for _, m := range []ikefault.Moment{ikefault.Create, ikefault.ChildRekey, ikefault.Probe, ikefault.Delete, ikefault.Probe} {
		if err := s.p.Do(m, record); err != nil {
			t.Fatal(m, err)
		}
	}
	s.run(2 * outboundWait)
	before := s.n.census()
	for round := range 4 {
		for i, b := range sent {
			got := s.tell([][]byte{b})
			switch {
			case i == 0:
			case i == len(sent)-1:
				if len(got) != 1 || !bytes.Equal(got[0], last[0]) {
					t.Errorf("%x, want %x", got, last)
				}
			case len(got) > 0:
				t.Errorf("message %d is answered by %x", i, got)
			}
		}
		if round > 0 {
			slices.Reverse(sent[1 : len(sent)-1])
		}
	}
	s.run(halfOpen)
	if s.n.census() != before {
		t.Errorf("%+v, before %+v", s.n.census(), before)
	}
	if err := s.p.Do(ikefault.Probe, s.tell); err != nil {
		t.Error(err)
	}
	s.after()
}

// RFC 3948 section 2: what comes to port 4500 and is neither IKE behind its marker nor a
// keepalive is dropped; ESP does not come here.
func TestMarker(t *testing.T) {
	s := newStand(t, false, false)
	good := s.p.Write(s.p.Init())[0]
	to := netip.AddrPortFrom(s.n.addr, packet.PortNAT)
	before, sent := s.n.census(), len(s.n.sends)
	for name, b := range map[string][]byte{ // unordered: each by itself
		"nothing": {}, "an octet": {1}, "two octets": {0xff, 0xff}, "half a marker": {0, 0, 0}, "a marker": {0, 0, 0, 0},
		"ESP": append([]byte{1, 2, 3, 4}, good...), "no marker": good,
	} {
		drops := s.n.counters.Dropped
		s.step(s.n, RxPacket{Local: to, Remote: attacker, Packet: b})
		s.drops(drops, ikefault.Malformed)
		if s.n.census() != before || len(s.n.sends) != sent {
			t.Errorf("%s: %+v, before %+v", name, s.n.census(), before)
		}
	}
	drops := s.n.counters.Dropped
	s.step(s.n, RxPacket{Local: to, Remote: attacker, Packet: []byte{packet.Keepalive}})
	if s.n.counters.Dropped != drops || s.n.census() != before {
		t.Error("a keepalive is not ignored")
	}
	s.step(s.n, RxPacket{Local: to, Remote: attacker, Packet: append(packet.AppendMarker(nil), good...)})
	if len(s.n.sends) != sent+1 {
		t.Error("what is right is not answered")
	}
	s.after()
}

// RFC 7383 section 2.6: fragments whose message never becomes whole are forgotten.
func TestFragmentsForgotten(t *testing.T) {
	s := newStand(t, false, false)
	if err := s.p.Reach(ikefault.Probe, s.tell); err != nil {
		t.Fatal(err)
	}
	d := s.p.Create(false)
	d.Pieces = 3
	bs := s.p.Write(d)
	s.tell(bs[:2])
	s.run(reassemblyTime)
	if got := s.tell(bs[2:]); len(got) > 0 {
		t.Errorf("%x", got)
	}
	if got := s.tell(bs[:2]); len(got) != 1 {
		t.Errorf("%x", got)
	}
	s.after()
}

// A request of ours that comes back from where it went begins nothing: else an end would
// authenticate itself to itself.
func TestReflected(t *testing.T) {
	s := newStand(t, false, false)
	s.step(s.n, Secure{Tunnel: "Tunnel0", Peer: attacker.Addr()})
	before, drops := s.n.census(), s.n.counters.Dropped
	if got := s.tell(s.heard(false)); len(got) > 0 || s.n.census() != before {
		t.Errorf("%x, %+v, before %+v", got, s.n.census(), before)
	}
	s.drops(drops, ikefault.OutOfState)
	s.after()
}

// A peer may have so many child SAs of an IKE SA, and is told when there are no more.
func TestManyChildren(t *testing.T) {
	s := newStand(t, false, false)
	if err := s.p.Reach(ikefault.Probe, s.tell); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxChildren {
		ps, err := s.p.Take(s.tell(s.p.Write(s.p.Create(false))))
		if err != nil {
			t.Fatal(err)
		}
		if refused := packet.FindNotify(ps, packet.NoAdditionalSAs) != nil; refused != (i >= maxChildren-1) {
			t.Errorf("child SA %d: %v", i+2, ikefault.Notifies(ps))
		}
	}
	s.run(2 * outboundWait)
	if s.esp() != 2*maxChildren {
		t.Errorf("%d ESP SAs", s.esp())
	}
	s.after()
}

// A peer that begins ever more IKE SAs keeps the last few; others of the same address, which
// have other identities, keep theirs.
func TestManyIKESAs(t *testing.T) {
	s := newStand(t, false, false)
	s.p.Identity = packet.ID{Kind: packet.IDFQDN, Data: []byte("other.example")}
	other := *s.p
	if err := other.Reach(ikefault.Probe, s.tell); err != nil {
		t.Fatal(err)
	}
	s.p.Identity.Data = []byte("many.example")
	for range 10 * maxPerPeer {
		s.p.Forget()
		if err := s.p.Reach(ikefault.Probe, s.tell); err != nil {
			t.Fatal(err)
		}
	}
	if c := s.n.census(); c.sas != s.base.sas+1+maxPerPeer || c.children != s.base.children+1+maxPerPeer {
		t.Errorf("%+v, before %+v", c, s.base)
	}
	for _, p := range []*ikefault.Peer{s.p, &other} {
		if err := p.Do(ikefault.Probe, s.tell); err != nil {
			t.Error(err)
		}
	}
	s.after()
}

// A peer that falls silent, whatever was asked of it: the request is sent a few times more,
// by the same octets; then nothing is left, and it may begin anew.
func TestSilence(t *testing.T) {
	for at := ikefault.AnswerInit; at <= ikefault.AnswerDelete; at++ {
		t.Run(at.String(), func(t *testing.T) {
			s := newStand(t, false, at == ikefault.AnswerIntermediate)
			s.step(s.n, Secure{Tunnel: "Tunnel0", Peer: attacker.Addr()})
			s.reach(at)
			sa := s.target()
			asked, from := sa.request.messages, len(s.n.sends)
			s.run(75 * time.Second)
			again := 0
			for _, f := range s.n.sends[from:] {
				if slices.ContainsFunc(asked, func(b []byte) bool { return bytes.Equal(b, f.tx.Packet) }) {
					again++
				}
			}
			if again == 0 || again > maxTries*len(asked) || s.n.alive(sa) || s.esp() != 0 {
				t.Errorf("sent again %d times; the IKE SA is %v; %d ESP SAs", again, sa.state, s.esp())
			}
			s.recovers()
			s.after()
		})
	}
}

// Random conversations of what is right and what is wrong, with an authenticated peer that
// asks for ever more: what is kept stays bounded, nothing is left, and nobody else notices.
func TestConversations(t *testing.T) {
	for seed := range uint64(*seeds) / 5 {
		rng := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 3*60)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		converse(t, script)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// FuzzConversation is the same with conversations that find something new.
func FuzzConversation(f *testing.F) {
	f.Add([]byte{0, 0, 0})
	f.Add([]byte{128, 1, 9, 128, 4, 9, 128, 5, 1, 3, 200, 255, 128, 2, 9})
	f.Fuzz(func(t *testing.T, script []byte) { converse(t, script[:min(len(script), 3*30)]) })
}

// attacks are the faults that a peer with an IKE SA may make.
var attacks = slices.DeleteFunc(ikefault.Faults(), func(f ikefault.Fault) bool { return f.At.Answer() || f.CBC || f.MLKEM })

// converse has a peer do what a script says: three octets choose a message, and how long
// it waits then.
func converse(t *testing.T, script []byte) {
	right := []ikefault.Moment{ikefault.Probe, ikefault.Create, ikefault.Create, ikefault.ChildRekey, ikefault.Rekey, ikefault.Delete}
	s := newStand(t, false, false)
	for ; len(script) >= 3; script = script[3:] {
		n := int(script[0])<<8 | int(script[1])
		if sa := s.target(); sa == nil || sa.state != StateReady || s.p.Keys == nil || script[2] < 12 {
			s.p.Forget()
			if err := s.p.Reach(ikefault.Probe, s.tell); err != nil {
				s.run(halfOpen)
				continue
			}
		}
		d := s.p.Draft(right[n%len(right)])
		if n < 1<<15 {
			f := attacks[n%len(attacks)]
			d = s.p.Draft(f.At)
			f.Do(s.p, d)
		}
		_, _ = s.p.Take(s.tell(s.p.Write(d)))
		s.run(time.Duration(script[2]) * 8 * time.Millisecond)
		if c := s.n.census(); c.sas > 60 || c.children > 60*maxChildren || c.timers > 10*(c.sas+c.children+c.peers) {
			t.Fatalf("%+v", c)
		}
	}
	s.after()
}

// F20 is not to be prevented: who pretends to be the responder can guess keys at home. So a
// key that is short is said to be.
func TestShortKey(t *testing.T) {
	cfg := plain()
	r, n, _ := pair(t, cfg, cfg)
	if len(n.logs) > 0 {
		t.Errorf("%q", n.logs)
	}
	cfg.Keyrings = slices.Clone(cfg.Keyrings)
	cfg.Keyrings[0].Peers = []KeyringPeer{{Name: "far", Address: address("0.0.0.0/0"), Local: policy.NewSecret("fifteen octets."), Remote: policy.NewSecret("sixteen octets..")}}
	r.step(n, ConfigSet{cfg})
	if want := []string{"pre-shared key of peer far in keyring k has fewer than 16 characters: it can be guessed"}; !slices.Equal(n.logs, want) {
		t.Errorf("%q", n.logs)
	}
	cfg.Global.NATKeepalive = 7
	r.step(n, ConfigSet{cfg})
	if len(n.logs) != 1 {
		t.Errorf("it is said again: %q", n.logs)
	}
	cfg.Profiles = slices.Clone(cfg.Profiles)
	cfg.Profiles[0].Key = policy.NewSecret("short")
	r.step(n, ConfigSet{cfg})
	if len(n.logs) != 2 {
		t.Errorf("%q", n.logs)
	}
}
