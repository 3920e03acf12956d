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
	"github.com/godmvpn/godmvpn/tests/ikefault"
)

// stand is a core under attack: a peer that is up already must not notice, and nothing may
// be left.
type stand struct {
	*rig
	t         *testing.T
	n         *node // that is attacked
	bystander *node
	p         *ikefault.Peer
	base      census
	events    []string // of the bystander
	seen      int      // of what n sent
}

// census counts what a core keeps.
type census struct{ sas, half, children, peers, listed, outgoing, timers, esp int }

func (n *node) census() census {
	return census{len(n.Core.sas), len(n.half), len(n.Core.children), len(n.peers), len(n.listed), n.outgoing, n.timers.Len(), len(n.sas)}
}

var attacker = netip.MustParseAddrPort("203.0.113.7:500")

// faultConfig has what the faults are about: MODP beside curves; CBC and ML-KEM by request.
func faultConfig(cbc, mlkem bool) Config {
	cfg := plain()
	p := &cfg.Proposals[0].IKE
	p.Groups = append(p.Groups, packet.MODP2048)
	if cbc {
		p.Encryption, p.Integrity = []packet.Transform{{ID: packet.EncrAESCBC, KeyLength: 256}}, []uint16{packet.AuthHMACSHA256}
	}
	if mlkem {
		p.Additional = proposal.DefaultIKE().Additional
	}
	return cfg
}

func newStand(t *testing.T, cbc, mlkem bool) *stand {
	cfg := faultConfig(cbc, mlkem)
	r, n, b := pair(t, cfg, cfg)
	r.secure(b, n)
	r.run(time.Second)
	r.agree(n, b, 1)
	s := &stand{rig: r, t: t, n: n, bystander: b, base: n.census(), seen: len(n.sends)}
	s.events = s.ofBystander()
	s.p = &ikefault.Peer{
		Local: attacker, Remote: netip.AddrPortFrom(n.addr, packet.Port), Key: cfg.Keyrings[0].Peers[0].Remote.Bytes(), CBC: cbc, MLKEM: mlkem,
		Random: suite.Repeatable{Reader: rand.NewChaCha8([32]byte{99})},
	}
	return s
}

// ofBystander is what nhrpd was told of the bystander.
func (s *stand) ofBystander() (out []string) {
	for _, e := range s.n.events {
		if strings.HasPrefix(e, s.bystander.addr.String()+" ") {
			out = append(out, e)
		}
	}
	return out
}

// tell gives datagrams to the core, and returns the answers.
func (s *stand) tell(bs [][]byte) [][]byte {
	for _, b := range bs {
		s.step(s.n, RxPacket{Local: s.p.Remote, Remote: s.p.Local, Packet: slices.Clone(b)})
	}
	return s.heard(true)
}

// heard returns what the core sent to the attacker: answers, or the first request with all
// of its fragments.
func (s *stand) heard(answers bool) (out [][]byte) {
	for i := s.seen; i < len(s.n.sends); i++ {
		f := s.n.sends[i]
		if f.tx.Remote != attacker || f.h.Response() != answers {
			continue
		}
		out = append(out, f.tx.Packet)
	}
	s.seen = len(s.n.sends)
	return out
}

// serve answers, as is right, what the core asks, as long as it asks; but at stop it
// returns the answer.
func (s *stand) serve(ask [][]byte, stop packet.ExchangeType) *ikefault.Draft {
	s.t.Helper()
	for ; len(ask) > 0; ask = s.heard(false) {
		d, err := s.p.Answer(ask)
		if err != nil {
			s.t.Fatal(err)
		}
		if d.Exchange == stop {
			return d
		}
		s.seen = len(s.n.sends)
		for _, b := range s.p.Write(d) {
			s.step(s.n, RxPacket{Local: s.p.Remote, Remote: s.p.Local, Packet: b})
		}
	}
	if stop != 0 {
		s.t.Fatalf("%v was not asked for", stop)
	}
	return nil
}

// target is the IKE SA of the core with the attacker, nil if there is none.
func (s *stand) target() *ikeSA {
	for _, sa := range s.n.order {
		if sa.remote == attacker {
			return sa
		}
	}
	return nil
}

// esp counts the ESP SAs with the attacker.
func (s *stand) esp() (n int) {
	for _, e := range s.n.sas { // unordered: a sum
		if e.Source == attacker.Addr() || e.Destination == attacker.Addr() {
			n++
		}
	}
	return n
}

var dropReasons = map[ikefault.Reason]DropReason{
	ikefault.Malformed: DropMalformed, ikefault.IKEv1: DropIKEv1, ikefault.UnknownSA: DropUnknownSA, ikefault.NotAuthentic: DropIntegrity,
	ikefault.WrongID: DropMessageID, ikefault.OutOfState: DropState, ikefault.NoFragment: DropFragment,
}

// drops fails unless everything since before was dropped for a reason.
func (s *stand) drops(before [NumDropReasons]uint64, r ikefault.Reason) {
	s.t.Helper()
	for i, v := range s.n.counters.Dropped {
		if (v != before[i]) != (DropReason(i) == dropReasons[r] && i != 0) {
			s.t.Errorf("drops of reason %d: %d", i, v-before[i])
		}
	}
}

func octetsOf(bs [][]byte) (n int) {
	for _, b := range bs {
		n += len(b)
	}
	return n
}

// request runs a fault in a request of the attacker, who began the IKE SA or did not.
func (s *stand) request(f ikefault.Fault, began bool) {
	if began {
		if err := s.p.Reach(f.At, s.tell); err != nil {
			s.t.Fatal(err)
		}
	} else {
		s.step(s.n, Secure{Tunnel: "Tunnel0", Peer: attacker.Addr()})
		s.serve(s.heard(false), 0)
		s.step(s.n, Unsecure{Tunnel: "Tunnel0", Peer: attacker.Addr()})
	}
	d := s.p.Draft(f.At)
	f.Do(s.p, d)
	before, esp, drops := s.n.census(), s.esp(), s.n.counters.Dropped
	out := s.p.Write(d)
	got := s.tell(out)
	if f.At == ikefault.Init && octetsOf(got) > octetsOf(out) { // F17, CVE-2016-5361
		s.t.Errorf("%d octets for %d from who may be anybody", octetsOf(got), octetsOf(out))
	}
	switch f.Want.Kind {
	case ikefault.Dropped:
		s.ignored(f, before, drops, out, got)
	case ikefault.Refused:
		s.refused(f, got)
		if f.At.Established() && s.esp() != esp {
			s.t.Errorf("%d ESP SAs, before %d", s.esp(), esp)
		}
	case ikefault.Ended:
		s.ended(f, out, got)
	case ikefault.Taken:
		s.taken(f, got)
	}
}

// outside fails unless what was answered to something that is dropped is no more than a
// hint in clear, and not more octets than that.
func (s *stand) outside(out, got [][]byte) {
	s.t.Helper()
	for _, b := range got {
		m, err := packet.Parse(b)
		hint := err == nil && m.Encrypted == nil && len(m.Payloads) == 1 && slices.ContainsFunc([]packet.NotifyType{packet.InvalidIKESPI, packet.InvalidMajorVersion, packet.UnsupportedCriticalPayload},
			func(n packet.NotifyType) bool { return packet.FindNotify(m.Payloads, n) != nil })
		if !hint || octetsOf(got) > octetsOf(out) {
			s.t.Errorf("it is answered by %x", got)
		}
	}
}

// ignored: no answer, nothing changes, and what is right is answered afterwards.
func (s *stand) ignored(f ikefault.Fault, before census, drops [NumDropReasons]uint64, out, got [][]byte) {
	s.outside(out, got)
	after := s.n.census()
	if f.Want.Reason == ikefault.Incomplete {
		after.timers-- // until the fragments go
	}
	if after != before {
		s.t.Errorf("%+v, before %+v", after, before)
	}
	s.drops(drops, f.Want.Reason)
	if err := s.p.Do(f.At, s.tell); err != nil {
		s.t.Errorf("what is right: %v", err)
	}
}

// errorOf returns the error that is answered, 0 for none.
func (s *stand) errorOf(f ikefault.Fault, got [][]byte) packet.NotifyType {
	s.t.Helper()
	if len(got) == 0 {
		s.t.Fatal("no answer")
	}
	var ps []packet.Payload
	if f.At == ikefault.Init {
		m, err := packet.Parse(got[0])
		if err != nil {
			s.t.Fatal(err)
		}
		ps = m.Payloads
	} else {
		var err error
		if ps, err = s.p.Take(got); err != nil {
			s.t.Fatal(err)
		}
	}
	if e := ikefault.Notifies(ps); len(e) > 0 {
		return e[0]
	}
	return 0
}

// refused: the error, and all goes on.
func (s *stand) refused(f ikefault.Fault, got [][]byte) {
	if e := s.errorOf(f, got); e != f.Want.Notify {
		s.t.Errorf("answer %v", e)
	}
	next := ikefault.Probe
	if f.At == ikefault.Init {
		if s.n.census() != s.base {
			s.t.Errorf("%+v is kept", s.n.census())
		}
		next = ikefault.Init
	}
	if err := s.p.Do(next, s.tell); err != nil {
		s.t.Errorf("afterwards: %v", err)
	}
}

// ended: the error, and there is nothing left; what is sent again finds nobody (F5,
// CVE-2024-2357).
func (s *stand) ended(f ikefault.Fault, out, got [][]byte) {
	if e := s.errorOf(f, got); e != f.Want.Notify {
		s.t.Errorf("answer %v", e)
	}
	if s.n.census() != s.base {
		s.t.Errorf("%+v is kept, before %+v", s.n.census(), s.base)
	}
	drops := s.n.counters.Dropped
	s.outside(out, s.tell(out))
	s.drops(drops, ikefault.UnknownSA)
}

func (s *stand) taken(f ikefault.Fault, got [][]byte) {
	if f.At == ikefault.Init {
		if err := s.p.TakeInit(got[0]); s.p.Cookie != nil { // the answer would be larger than the request
			if err := s.p.Do(ikefault.Init, s.tell); err != nil {
				s.t.Error(err)
			}
		} else if err != nil {
			s.t.Error(err)
		}
		return
	}
	if e := s.errorOf(f, got); e != 0 {
		s.t.Errorf("answer %v", e)
	}
	if f.At != ikefault.Rekey {
		if err := s.p.Do(ikefault.Probe, s.tell); err != nil {
			s.t.Errorf("afterwards: %v", err)
		}
	}
}

// answer runs a fault in an answer of the attacker, whom the core has to secure.
func (s *stand) answer(f ikefault.Fault) {
	s.step(s.n, Secure{Tunnel: "Tunnel0", Peer: attacker.Addr()})
	d := s.reach(f.At)
	sa := s.target()
	right := d.Copy()
	f.Do(s.p, d)
	if f.Want.Kind == ikefault.Dropped {
		wrong := d.Copy()
		before, drops := s.n.census(), s.n.counters.Dropped
		out := s.p.Write(wrong)
		s.outside(out, s.tell(out))
		if s.n.census() != before {
			s.t.Errorf("%+v, before %+v", s.n.census(), before)
		}
		s.drops(drops, f.Want.Reason)
		d.Datagrams = nil
		*d = *d.With(right)
	}
	s.seen = len(s.n.sends)
	for _, b := range s.p.Write(d) {
		s.step(s.n, RxPacket{Local: s.p.Remote, Remote: s.p.Local, Packet: b})
	}
	switch f.Want.Kind {
	case ikefault.Ended:
		s.seen = len(s.n.sends)
		s.run(100 * time.Second)
		if s.n.alive(sa) || s.esp() != 0 {
			s.t.Errorf("the IKE SA is %v, %d ESP SAs", sa.state, s.esp())
		}
		s.recovers()
	case ikefault.Refused:
		s.serve(s.heard(false), 0)
		if !s.n.alive(sa) || sa.state != StateReady || s.esp() != 2 {
			s.t.Errorf("the IKE SA is %v, %d ESP SAs", sa.state, s.esp())
		}
	default:
		s.serve(s.heard(false), 0)
		if s.n.states[attacker.Addr().String()].State != SecurityUp && f.At != ikefault.AnswerDelete {
			s.t.Errorf("the peer is not secured: %+v", s.n.states[attacker.Addr().String()])
		}
	}
}

// reach goes on to the answer that is to be wrong.
func (s *stand) reach(at ikefault.Moment) *ikefault.Draft {
	x := map[ikefault.Moment]packet.ExchangeType{ikefault.AnswerInit: packet.IKESAInit, ikefault.AnswerIntermediate: packet.IKEIntermediate, ikefault.AnswerAuth: packet.IKEAuth}
	if stop, ok := x[at]; ok {
		return s.serve(s.heard(false), stop)
	}
	s.serve(s.heard(false), 0)
	sa := s.target()
	switch at {
	case ikefault.AnswerCreate:
		ch := sa.children[0]
		s.step(s.n, Expired{ch.out.Destination, ch.out.SPI, false})
		return s.serve(s.heard(false), packet.CreateChildSA)
	case ikefault.AnswerRekey:
		s.n.lifetimeDue(s.now, sa)
		s.drain(s.n)
		return s.serve(s.heard(false), packet.CreateChildSA)
	}
	s.step(s.n, Clear{Children: true, Remote: attacker.Addr(), AllVRFs: true})
	return s.serve(s.heard(false), packet.Informational)
}

// recovers fails unless the same peer gets in, once it does what is right.
func (s *stand) recovers() {
	s.t.Helper()
	for range 200 {
		s.seen = len(s.n.sends)
		s.run(time.Second)
		ask := s.heard(false)
		if len(ask) == 0 {
			continue
		}
		if m, err := packet.Parse(ask[0]); err == nil && m.Exchange == packet.IKESAInit {
			s.serve(ask[:1], 0)
			break
		}
	}
	if st := s.n.states[attacker.Addr().String()]; st.State != SecurityUp {
		s.t.Errorf("it does not get in afterwards: %+v", st)
	}
}

// after: the attacker is gone; nothing is left of it, the bystander did not notice, and a
// newcomer gets in.
func (s *stand) after() {
	s.t.Helper()
	s.step(s.n, Unsecure{Tunnel: "Tunnel0", Peer: attacker.Addr()})
	s.run(40 * time.Second)
	s.step(s.n, Clear{IKE: true, Remote: attacker.Addr(), AllVRFs: true})
	s.run(100 * time.Second)
	if s.n.census() != s.base {
		s.t.Errorf("%+v is left, before %+v", s.n.census(), s.base)
	}
	s.agree(s.n, s.bystander, 1)
	if got := s.ofBystander(); !slices.Equal(got, s.events) {
		s.t.Errorf("the bystander noticed: %q", got)
	}
	fresh := s.add(9, s.n.config)
	s.secure(fresh, s.n)
	s.run(time.Second)
	if s.n.states[fresh.addr.String()].State != SecurityUp {
		s.t.Error("a newcomer does not get in")
	}
}

// The classes F1 to F10, F15, F16, F18 and F19, and the lists of other implementations,
// against the responder, the initiator, and both ends of an established IKE SA.
func TestFaults(t *testing.T) {
	seen := map[string]int{}
	for _, f := range ikefault.Faults() {
		name := fmt.Sprintf("%s/%v/%s", f.Class, f.At, f.Name)
		if f.CBC {
			name += ", CBC"
		}
		seen[name]++
		run := func(name string, do func(s *stand)) {
			t.Run(name, func(t *testing.T) {
				s := newStand(t, f.CBC, f.MLKEM)
				do(s)
				s.after()
				if t.Failed() {
					t.Logf("%s", f.Why)
				}
			})
		}
		switch {
		case f.At.Answer():
			run(name, func(s *stand) { s.answer(f) })
		default:
			run(name, func(s *stand) { s.request(f, true) })
			if f.At.Established() {
				run(name+", from the responder", func(s *stand) { s.request(f, false) })
			}
		}
	}
	for name := range maps.Keys(seen) { // unordered: each by itself
		if seen[name] > 1 {
			t.Errorf("%s is there %d times", name, seen[name])
		}
	}
}
