package core

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// lose has a node forget all without a word, kernel and all: its machine was started again.
func (r *rig) lose(n *node) {
	n.puts, n.sas = nil, map[saKey]rib.ESP{}
	r.live(n)
}

// clear returns the message that a node sent last, in clear.
func (n *node) lastSent(t *testing.T) *packet.Message {
	t.Helper()
	m, err := packet.Parse(n.sends[len(n.sends)-1].tx.Packet)
	if err != nil || m.Encrypted != nil {
		t.Fatal(m, err)
	}
	return m
}

// RFC 7296 section 2.21.4: a peer that was started again says that it does not know an IKE
// SA; the other finds out at once whether that is so, well before DPD alone.
func TestInvalidIKESPI(t *testing.T) {
	cfg := plain()
	cfg.Global.DPD = &DPD{Interval: 10 * time.Second, Retry: 10 * time.Second, Periodic: true}
	r, a, b := pair(t, cfg, plain())
	r.secure(a, b)
	r.run(time.Second)
	r.lose(b)
	r.run(11 * time.Second)
	m := b.lastSent(t)
	if packet.FindNotify(m.Payloads, packet.InvalidIKESPI) == nil || m.Exchange != packet.Informational || !m.Response() || m.SPIi != a.order[0].spi {
		t.Errorf("%+v", m)
	}
	r.run(6 * time.Second)
	if len(b.Core.children) != 1 {
		t.Error("nothing new")
	}
	r.run(leaveAfter)
	r.agree(a, b, 1)
	r.lostNone(a)
}

// The hint alone does nothing: who has the IKE SA says so, and the next one counts only
// after a while. Others than the peer, and answers, bring about nothing.
func TestForgedHint(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	sa := a.order[0]
	forged := packet.Message{Header: packet.Header{SPIi: sa.spi, SPIr: sa.peerSPI, Exchange: packet.Informational, Flags: packet.FlagResponse, MessageID: sa.nextID}}
	forged.Payloads = []packet.Payload{notify(packet.InvalidIKESPI)}
	m, _ := forged.AppendBinary(nil)
	hint := func(from netip.AddrPort) int {
		n := len(a.sends)
		r.step(a, RxPacket{Local: sa.local, Remote: from, Packet: m})
		return len(a.sends) - n
	}
	if hint(netip.MustParseAddrPort("198.51.100.7:500")) != 0 || hint(sa.remote) != 1 || hint(sa.remote) != 0 {
		t.Error(a.exchanges())
	}
	r.run(time.Second)
	if sa.doubted || hint(sa.remote) != 0 || a.exchanges() != "INIT AUTH INFO" {
		t.Errorf("%v %s", sa.doubted, a.exchanges())
	}
	r.run(time.Minute)
	r.one(a, b)
}

// A request that waits for its answer is sent again sooner after a hint; the IKE SA is
// given up after some tries, not before.
func TestHintHurries(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	r.bend = func(f *flight) []time.Duration {
		if f.h.Response() && f.h.Exchange == packet.Informational && f.tx.Packet[16] == byte(packet.TypeNotify) {
			return []time.Duration{delay}
		}
		return nil
	}
	r.soft(a)
	r.run(100 * time.Millisecond)
	sa := a.order[0]
	a.doubt(r.now, sa)
	r.drain(a)
	r.run(2500 * time.Millisecond)
	if !a.alive(sa) || sa.request.tries < 2 {
		t.Errorf("alive %v, %d tries", a.alive(sa), sa.request.tries)
	}
	r.run(3 * time.Second)
	if a.alive(sa) {
		t.Error("it is not given up")
	}
	if s := a.states[b.addr.String()]; s.State != SecurityUp {
		t.Errorf("%+v", s)
	}
	r.run(orphanLife)
	if s := a.states[b.addr.String()]; s.State != SecurityLost || len(a.sas) != 0 {
		t.Errorf("%+v %v", s, a.sas)
	}
}

// Section 2.21.4: answers are limited in rate; answers are not answered, nor requests to
// begin, nor what is shorter than our answer.
func TestOutsideLimits(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	good := a.seal(a.order[0], packet.Informational, 0, a.order[0].nextID, 0, nil)
	good[0] ^= 0xff
	r.lose(b)
	r.run(time.Minute)
	send := func(m []byte, n int) int {
		sent := len(b.sends)
		for range n {
			r.step(b, RxPacket{Local: netip.AddrPortFrom(b.addr, 500), Remote: netip.AddrPortFrom(a.addr, 500), Packet: m})
		}
		return len(b.sends) - sent
	}
	answer := slices.Clone(good)
	answer[19] |= byte(packet.FlagResponse)
	begin := slices.Clone(good)
	begin[18] = byte(packet.IKESAInit)
	if send(answer, 1)+send(begin, 1) != 0 {
		t.Error("answered")
	}
	if got := send(good, 1000); got != outsideBurst || b.counters.Dropped[DropRate] != 1000-outsideBurst {
		t.Errorf("%d answers", got)
	}
	r.run(outsideWindow)
	if send(good, 1) != 1 {
		t.Error("no answer in the next window")
	}
	if m := b.lastSent(t); m.MessageID != a.order[0].nextID || m.FromInitiator() || uint64(m.SPIi)>>56 != uint64(good[0]) {
		t.Errorf("%+v", m)
	}
}

// Section 2.5: a later major version is told ours; a payload that has to be known, and is
// not, is named. A message of neither that cannot be read is not answered.
func TestRefusedInClear(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	first := a.sends[0].tx
	send := func(m []byte) *packet.Message {
		sent := len(b.sends)
		r.step(b, RxPacket{Local: first.Remote, Remote: first.Local, Packet: m})
		if len(b.sends) == sent {
			return nil
		}
		return b.lastSent(t)
	}
	later := slices.Clone(first.Packet)
	later[17] = 0x30
	if m := send(later); m == nil || packet.FindNotify(m.Payloads, packet.InvalidMajorVersion) == nil || !m.Response() || m.SPIi != a.order[0].spi {
		t.Errorf("%+v", m)
	}
	later[19] |= byte(packet.FlagResponse)
	critical := slices.Clone(first.Packet)
	critical[16], critical[29] = 200, critical[29]|0x80
	m := send(critical)
	if m == nil {
		t.Fatal("no answer")
	}
	if n := packet.FindNotify(m.Payloads, packet.UnsupportedCriticalPayload); n == nil || !bytes.Equal(n.Data, []byte{200}) {
		t.Errorf("%+v", m)
	}
	for _, bad := range [][]byte{later, first.Packet[:40], append(slices.Clone(first.Packet), 0)} {
		if m := send(bad); m != nil {
			t.Errorf("%+v", m)
		}
	}
}

// Sections 2.21.2 and 2.21.3: INVALID_SYNTAX ends the IKE SA at both ends, without a
// Delete payload; a critical payload that is not known does so in IKE_AUTH only.
func TestFatalErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		x     packet.ExchangeType
		first packet.PayloadType
		plain []byte
		ends  bool
	}{
		{"a payload that is too short", packet.Informational, packet.TypeDelete, []byte{0, 0, 0, 5, 1}, true},
		{"CREATE_CHILD_SA of nothing", packet.CreateChildSA, 0, nil, true},
		{"a critical payload", packet.Informational, 200, []byte{0, 0x80, 0, 4}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, a, b := establish(t, plain(), plain())
			x, y := a.order[0], b.order[0]
			x.request = &request{task: &nothing{}, exchange: c.x, id: x.nextID, wait: firstResend, limit: maxTries}
			x.request.messages = [][]byte{a.seal(x, c.x, 0, x.nextID, c.first, c.plain)}
			a.transmit(x, x.request.messages)
			r.drain(a)
			r.run(500 * time.Millisecond)
			if a.alive(x) == c.ends || b.alive(y) == c.ends {
				t.Errorf("alive: %v %v", a.alive(x), b.alive(y))
			}
			if got := a.exchanges() + b.exchanges(); bytes.Count([]byte(got), []byte("INFO")) > 1 {
				t.Error(got)
			}
			r.run(time.Minute)
			r.agree(a, b, 1)
		})
	}
}

// nothing is a task that wants to know no answer.
type nothing struct{ probe }

func (*nothing) answered(*Core, clock.Instant, *ikeSA, []packet.Payload) {}

// A critical payload in IKE_AUTH ends the half-open IKE SA.
func TestFatalInAuth(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	r.next(r.now.Add(time.Second))
	r.next(r.now.Add(time.Second))
	sa := a.order[0]
	r.flying = nil
	r.step(b, RxPacket{Local: sa.remote, Remote: sa.local, Packet: a.seal(sa, packet.IKEAuth, 0, 1, 200, []byte{0, 0x80, 0, 4})})
	if len(b.order) != 0 || len(b.half) != 0 {
		t.Error("half-open all the same")
	}
	r.run(10 * time.Second)
	r.agree(a, b, 1)
}
