package rtp

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
)

// call is one step of a transport under test.
type call func(t *Transport, now clock.Instant)

// machine makes an sm.Machine of a transport: each step is calls, and a flush.
type machine struct{ *Transport }

func (m machine) Step(now clock.Instant, in call) {
	in(m.Transport, now)
	m.Flush(now)
}

// world is a router under a script. What stands in one line between semicolons is
// one step, with one flush of acknowledgments at its end:
//
//	link 1 [bw=100] [percent=50] [mtu=1500] [nbma]; unlink 1
//	up 1 on=1 [unicast]          neighbour 1, pending
//	multicast 1 [no]; hold 1 30s; down 1
//	send update on=1 [to=1 to=2] [except=3] [init] [rs] [eot] [size=100]
//	rx 1 update seq=5 [ack=3] [init] [rs] [cr] [multicast]
//	ack 1 3                      a Hello with an acknowledgment
//	hello 1 [listed] [next=7]    with a Sequence TLV
//	advance 90s; show
type world struct {
	*scripttest.Stage[call, Effect]
	t *Transport
}

func birth(testing.TB) scripttest.World {
	w := &world{}
	w.born(Options{})
	return w
}

func (w *world) born(o Options) {
	w.t = New(o)
	w.Stage = &scripttest.Stage[call, Effect]{Machine: machine{w.t}, Tick: (*Transport).Tick, Effect: func(e Effect) { w.Printf("%s", print(e)) }}
}

func TestScripts(t *testing.T)      { scripttest.Run(t, birth) }
func TestScriptsTwice(t *testing.T) { scripttest.Repeat(t, 2, birth) }
func TestScriptsCite(t *testing.T)  { scripttest.Cite(t, "RFC ") }

func (w *world) Command(line string) {
	a := scripttest.ParseArgs(line)
	switch a.Word(0) {
	case "options":
		w.born(Options{First: uint32(a.Number("first", 0)), RetryLimit: a.Number("retries", 0), QueueLimit: a.Number("queue", 0)})
	case "advance":
		w.Advance(scripttest.Must(time.ParseDuration(a.Word(1))))
	case "show":
		w.show()
	default:
		var calls []call
		for _, c := range strings.Split(line, ";") {
			calls = append(calls, w.call(scripttest.ParseArgs(c)))
		}
		w.Step(func(t *Transport, now clock.Instant) {
			for _, c := range calls {
				c(t, now)
			}
		})
	}
}

func (w *world) call(a scripttest.Args) call {
	switch a.Word(0) {
	case "link":
		l := Link{ID: InterfaceID(number(a.Word(1))), Bandwidth: uint64(a.Number("bw", 0)), Percent: a.Number("percent", 0), MTU: a.Number("mtu", 0), Multicast: !a.Has("nbma")}
		return func(t *Transport, now clock.Instant) { t.SetLink(now, l) }
	case "unlink":
		return func(t *Transport, now clock.Instant) { t.RemoveLink(now, InterfaceID(number(a.Word(1)))) }
	case "up":
		return func(t *Transport, now clock.Instant) {
			t.PeerUp(now, peerWord(a.Word(1)), InterfaceID(a.Number("on", 1)), a.Has("unicast"))
		}
	case "multicast":
		return func(t *Transport, now clock.Instant) { t.SetMulticast(now, peerWord(a.Word(1)), !a.Has("no")) }
	case "hold":
		return func(t *Transport, now clock.Instant) {
			t.SetHold(peerWord(a.Word(1)), scripttest.Must(time.ParseDuration(a.Word(2))))
		}
	case "down":
		return func(t *Transport, now clock.Instant) { t.PeerDown(now, peerWord(a.Word(1))) }
	case "send":
		return w.send(a)
	case "rx", "ack":
		return w.receive(a)
	case "hello":
		return func(t *Transport, now clock.Instant) {
			t.HelloSequence(now, peerWord(a.Word(1)), a.Has("listed"), uint32(a.Number("next", 0)))
		}
	}
	panic(fmt.Sprintf("unknown command: %v", a.Words))
}

func (w *world) send(a scripttest.Args) call {
	pk := Packet{Opcode: opcodes[a.Word(1)], Flags: flagWords(a), TLVs: make([]byte, a.Number("size", 0))}
	to, except := peerWords(a.Pairs["to"]), peerWords(a.Pairs["except"])
	return func(t *Transport, now clock.Instant) {
		if t.Send(now, InterfaceID(a.Number("on", 1)), to, except, pk) == 0 {
			w.Printf("to nobody")
		}
	}
}

func (w *world) receive(a scripttest.Args) call {
	h := Header{Opcode: packet.Hello, Seq: uint32(a.Number("seq", 0)), Ack: uint32(a.Number("ack", 0)), Flags: flagWords(a), Multicast: a.Has("multicast")}
	if a.Word(0) == "ack" {
		h.Ack = uint32(number(a.Word(2)))
	} else {
		h.Opcode = opcodes[a.Word(2)]
	}
	return func(t *Transport, now clock.Instant) {
		if v := t.Received(now, peerWord(a.Word(1)), h); v != Unreliable || a.Word(0) == "rx" {
			w.Printf("%v", v)
		}
	}
}

var opcodes = map[string]packet.Opcode{"update": packet.Update, "query": packet.Query, "reply": packet.Reply, "hello": packet.Hello, "sia-query": packet.SIAQuery}

func flagWords(a scripttest.Args) (f packet.Flags) {
	for _, w := range []struct {
		word string
		flag packet.Flags
	}{{"init", packet.FlagInit}, {"cr", packet.FlagConditionalReceive}, {"rs", packet.FlagRestart}, {"eot", packet.FlagEndOfTable}} {
		if a.Has(w.word) {
			f |= w.flag
		}
	}
	return f
}

func number(s string) int      { return scripttest.Must(strconv.Atoi(s)) }
func peerWord(s string) PeerID { return PeerID(number(s)) }
func peerWords(s []string) (p []PeerID) {
	for _, s := range s {
		p = append(p, peerWord(s))
	}
	return p
}

// print is an effect as the scripts have it.
func print(e Effect) string {
	switch e := e.(type) {
	case Transmit:
		to := "to all"
		if e.Peer != 0 {
			to = fmt.Sprintf("to %d", e.Peer)
		}
		s := fmt.Sprintf("tx %d %s: %s%s seq=%d ack=%d", e.Interface, to, opcodeName(e.Opcode), flagNames(e.Flags), e.Seq, e.Ack)
		if e.Attempt > 1 {
			s += fmt.Sprintf(" attempt=%d", e.Attempt)
		}
		return s
	case SequenceHello:
		return fmt.Sprintf("tx %d to all: HELLO sequence=%v next=%d", e.Interface, e.Lagging, e.Next)
	case SendAck:
		return fmt.Sprintf("tx %d to %d: ACK ack=%d", e.Interface, e.Peer, e.Ack)
	case Acked:
		return fmt.Sprintf("%d has %s%s %d, %d left", e.Peer, opcodeName(e.Opcode), flagNames(e.Flags), e.Seq, e.Left)
	case PeerLost:
		return fmt.Sprintf("%d is lost: %v", e.Peer, e.Why)
	}
	panic("unknown effect")
}

func opcodeName(o packet.Opcode) string {
	for name, op := range opcodes { // unordered: one matches
		if op == o {
			return strings.ToUpper(name)
		}
	}
	return "?"
}

func flagNames(f packet.Flags) (s string) {
	for i, name := range []string{"INIT", "CR", "RS", "EOT"} {
		if f&(1<<i) != 0 {
			s += " " + name
		}
	}
	return s
}

func (w *world) show() {
	for id := InterfaceID(0); id < 10; id++ {
		if s, ok := w.t.LinkStats(id); ok {
			w.Printf("interface %d: peers=%d xmit=%d peerq=%d pending=%d srtt=%v pacing=%v/%v flow=%v", id, s.Peers, s.XmitQueue, s.PeerQueue, s.Pending, s.MeanSRTT, s.UnreliablePacing, s.ReliablePacing, s.FlowTimer)
			w.Printf("  multicasts %d/%d unicasts %d/%d exceptions=%d cr=%d suppressed=%d retransmissions=%d out-of-sequence=%d",
				s.UnreliableMulticasts, s.ReliableMulticasts, s.UnreliableUnicasts, s.ReliableUnicasts, s.MulticastExceptions, s.CRPackets, s.AcksSuppressed, s.Retransmissions, s.OutOfSequence)
		}
	}
	for id := PeerID(0); id < 10; id++ {
		if s, ok := w.t.Peer(id); ok {
			w.Printf("peer %d: srtt=%v rto=%v q=%d seq=%d retrans=%d retries=%d", id, s.SRTT, s.RTO, s.Queue, s.LastSeq, s.Retransmissions, s.Retries)
		}
	}
}
