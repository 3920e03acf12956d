package rtp

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// fuzzPeers is how many neighbours nonsense has.
const fuzzPeers = 6

// interpret turns octets into one call: neighbours that come and go as they like,
// and packets that follow no rule of the protocol.
func interpret(b []byte) (do call, rest []byte) {
	op, id, v, rest := b[0], PeerID(b[1]%fuzzPeers), b[2], b[3:]
	on := InterfaceID(v % 2)
	flags := packet.Flags(op >> 4)
	list := func(bits byte) (ids []PeerID) {
		for i := range PeerID(fuzzPeers) {
			if bits>>i&1 != 0 {
				ids = append(ids, i)
			}
		}
		return ids
	}
	switch op % 16 {
	case 0:
		do = func(t *Transport, now clock.Instant) {
			t.SetLink(now, Link{ID: on, Bandwidth: uint64(v>>2) * 100, Percent: int(b[1]), MTU: 200, Multicast: v&2 != 0})
		}
	case 1:
		do = func(t *Transport, now clock.Instant) { t.RemoveLink(now, on) }
	case 2, 3:
		do = func(t *Transport, now clock.Instant) {
			t.PeerUp(now, id, on, v&2 != 0)
			t.SetHold(id, time.Duration(v)*time.Second)
		}
	case 4:
		do = func(t *Transport, now clock.Instant) { t.PeerDown(now, id) }
	case 5, 6:
		do = func(t *Transport, now clock.Instant) { t.SetMulticast(now, id, v&8 == 0) }
	case 7, 8:
		do = func(t *Transport, now clock.Instant) {
			t.Send(now, on, nil, list(v>>2), Packet{Opcode: packet.Query, Flags: flags, TLVs: make([]byte, int(b[1]))})
		}
	case 9:
		do = func(t *Transport, now clock.Instant) {
			t.Send(now, on, list(b[1]), list(v&0x80), Packet{Opcode: packet.Update, Flags: flags})
		}
	case 10:
		do = func(t *Transport, now clock.Instant) { t.HelloSequence(now, id, v&1 != 0, uint32(v/2)) }
	case 11:
		do = func(t *Transport, now clock.Instant) { t.Flush(now) }
	case 12, 13:
		do = func(t *Transport, now clock.Instant) { // what is under way, so that it goes on
			if p := t.peers[id]; p != nil && p.queue.len() > 0 {
				t.Received(now, id, Header{Ack: p.queue.front().seq + uint32(v%8)/7})
			}
		}
	default:
		do = func(t *Transport, now clock.Instant) {
			t.Received(now, id, Header{Opcode: packet.Update, Flags: flags, Seq: uint32(int8(v)), Ack: t.last - uint32(b[1]/16), Multicast: op&1 != 0})
		}
	}
	return do, rest
}

// FuzzTransport hands a transport anything: it has no assertion that fails, stays
// whole, and comes to an end.
func FuzzTransport(f *testing.F) {
	f.Add([]byte{0, 50, 3, 2, 1, 1, 2, 2, 1, 5, 1, 0, 5, 2, 0, 7, 0, 1, 7, 0, 1, 12, 1, 1, 12, 2, 1, 4, 1, 0})
	f.Add([]byte{0, 50, 7, 2, 1, 1, 9, 2, 1, 9, 2, 1, 0, 50, 0, 30, 1, 1, 30, 1, 2, 14, 1, 3, 11, 0, 0})
	f.Fuzz(nonsense)
}

// TestNonsense does what FuzzTransport does, with long random inputs.
func TestNonsense(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		b := make([]byte, 3000)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		nonsense(t, b)
	}
}

func nonsense(t *testing.T, b []byte) {
	r := New(Options{First: 1<<32 - 3, QueueLimit: 8, RetryLimit: 3})
	now := clock.Instant(0)
	for len(b) >= 3 {
		do, rest := interpret(b)
		if b[2]%4 == 0 {
			now = now.Add(time.Duration(b[0]) * time.Millisecond)
			r.Tick(now)
		}
		b = rest
		do(r, now)
		whole(t, r)
		r.Drain(nil)
	}
	// Nobody says anything any more: everybody with a queue is lost, and it is quiet.
	for range 10_000 {
		at, ok := r.Wake()
		if !ok {
			break
		}
		now = max(now, at)
		r.Tick(now)
		whole(t, r)
	}
	if at, ok := r.Wake(); ok {
		t.Fatalf("wants to be woken at %v, again and again", at)
	}
	for id, p := range r.peers {
		if p.queue.len() > 0 {
			t.Fatalf("%d has %d packets for ever", id, p.queue.len())
		}
	}
}

// whole wants what holds of a transport between any two calls. Above all, whatever
// has to be sent has something that will send it.
func whole(t *testing.T, r *Transport) {
	t.Helper()
	armed := func(kind timerKind, id uint32) bool {
		_, ok := r.timers.Deadline(timer{kind, id})
		return ok
	}
	for id, p := range r.peers {
		if i, ok := p.link.find(id); !ok || p.link.peers[i] != p || r.links[p.link.ID] != p.link {
			t.Fatalf("%d is not on its interface", id)
		}
		wholePeer(t, p, armed(retransmit, uint32(id)))
		if p.owed && !slices.Contains(r.owing, p) && !(p.isInit() && p.queued) {
			t.Fatal("nothing sends an acknowledgment")
		}
	}
	for id, l := range r.links {
		inFlow, inLine := 0, 0
		for _, p := range l.peers {
			if p.inFlow {
				inFlow++
			}
			if p.queued {
				inLine++
			}
		}
		for _, p := range l.xmit.all() {
			if !p.gone {
				inLine--
			}
		}
		busy := l.xmit.len() > 0 || l.offered
		switch {
		case inFlow != l.awaited || (inFlow > 0) != armed(flow, uint32(id)):
			t.Fatalf("awaits %d of %d, flow timer %v", l.awaited, inFlow, armed(flow, uint32(id)))
		case inLine != 0:
			t.Fatalf("%d neighbours that should be in line are not", inLine)
		case busy != armed(pacing, uint32(id)):
			t.Fatalf("something is in line: %v, pacing timer %v", busy, armed(pacing, uint32(id)))
		case l.waiting.len() > 0 && !l.offered && l.awaited == 0 && !armed(patience, uint32(id)):
			t.Fatal("a multicast waits for nothing")
		}
		for _, o := range l.waiting.all() {
			wholeWaiting(t, l, o)
		}
	}
}

func wholePeer(t *testing.T, p *peer, armed bool) {
	t.Helper()
	q := p.queue.all()
	for i := range q[:max(0, len(q)-1)] {
		if !newer(q[i+1].seq, q[i].seq) || q[i].seq == 0 {
			t.Fatalf("sequence numbers %d, %d", q[i].seq, q[i+1].seq)
		}
	}
	waits := len(q) > 0 && q[0].waiting && !p.unicast
	switch {
	case len(q) == 0 && (p.sent || p.inFlow || armed), p.lost && len(q) > 0:
		t.Fatal("something is under way from an empty queue")
	case p.sent && !p.inFlow && !armed && !p.queued:
		t.Fatal("nothing retransmits a packet")
	case len(q) > 0 && !p.sent && !waits && !p.queued:
		t.Fatal("nothing sends a packet")
	case p.sent && waits:
		t.Fatal("a packet waits that was sent")
	}
}

func wholeWaiting(t *testing.T, l *link, o *outgoing) {
	t.Helper()
	group, ready := 0, 0
	for _, p := range l.peers {
		if p.unicast || !slices.Contains(p.queue.all(), o) {
			continue
		}
		group++
		if p.queue.front() == o {
			ready++
		}
	}
	if group != o.group || ready != o.ready || !o.waiting {
		t.Fatalf("group %d ready %d, counted %d %d", group, ready, o.group, o.ready)
	}
}
