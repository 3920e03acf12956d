package rtp

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// hub returns a transport with neighbours on one interface that are up.
func hub(n int) *Transport {
	t := New(Options{})
	t.SetLink(0, Link{ID: 1, Multicast: true})
	for id := PeerID(1); id <= PeerID(n); id++ {
		t.PeerUp(0, id, 1, false)
		t.Received(0, id, Header{Opcode: packet.Update, Flags: packet.FlagInit, Seq: 1})
		t.SetMulticast(0, id, true)
	}
	t.Flush(0)
	t.Drain(nil)
	return t
}

// round sends a packet to all, and acknowledges it for all but one.
func round(t *Transport, now clock.Instant, n int, silent PeerID, effects []Effect) []Effect {
	seq := t.Send(now, 1, nil, nil, Packet{Opcode: packet.Update, TLVs: payload})
	for id := PeerID(1); id <= PeerID(n); id++ {
		if id != silent {
			t.Received(now, id, Header{Opcode: packet.Hello, Ack: seq})
		}
	}
	return t.Drain(effects[:0])
}

var payload = make([]byte, 1400)

// BenchmarkMulticast is a packet to all neighbours and all their acknowledgments.
func BenchmarkMulticast(b *testing.B) {
	for _, n := range []int{10, 1000, 5000} {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			t := hub(n)
			var effects []Effect
			b.ReportAllocs()
			for b.Loop() {
				effects = round(t, 0, n, 0, effects)
			}
		})
	}
}

// BenchmarkUnicast is the same where there is no multicast.
func BenchmarkUnicast(b *testing.B) {
	const n = 1000
	t := hub(n)
	t.SetLink(0, Link{ID: 1})
	var effects []Effect
	b.ReportAllocs()
	for b.Loop() {
		effects = round(t, 0, n, 0, effects)
	}
}

// TestMulticastAllocations wants a packet for many neighbours to be one: its queueing
// and sending allocate nothing for each of them.
func TestMulticastAllocations(t *testing.T) {
	const n = 5000
	r := hub(n)
	var effects []Effect
	for range 3 { // queues get their memory
		effects = round(r, 0, n, 0, effects)
	}
	got := testing.AllocsPerRun(10, func() {
		seq := r.Send(0, 1, nil, nil, Packet{Opcode: packet.Update, TLVs: payload})
		effects = r.Drain(effects[:0])
		if len(effects) != 1 || &effects[0].(Transmit).TLVs[0] != &payload[0] {
			t.Fatal("not one packet with the payload")
		}
		acknowledge(r, seq)
		effects = r.Drain(effects[:0])
	})
	if got > n+20 { // an effect tells of each acknowledgment
		t.Errorf("%v allocations for a packet to %d neighbours and their acknowledgments", got, n)
	}
}

func acknowledge(r *Transport, seq uint32) {
	for id := range PeerID(len(r.peers)) {
		r.Received(0, id+1, Header{Opcode: packet.Hello, Ack: seq})
	}
}

// TestDeadSpokes wants a hub whose thousand spokes are all gone to stay within half of
// its 100 kbit/s (RFC 7868 section 5.2.1).
func TestDeadSpokes(t *testing.T) {
	const n, seconds = 1000, 60
	r := hub(n)
	r.SetLink(0, Link{ID: 1, Bandwidth: 100, Multicast: true})
	r.Send(0, 1, nil, nil, Packet{Opcode: packet.Update, TLVs: payload})
	octets := 0
	for now := clock.Instant(0); now < clock.Instant(seconds*time.Second); {
		for _, e := range r.Drain(nil) {
			if tx, ok := e.(Transmit); ok {
				octets += smallest + len(tx.TLVs)
			}
		}
		at, ok := r.Wake()
		if !ok {
			t.Fatal("gave up")
		}
		now = at
		r.Tick(now)
	}
	if limit := (seconds + 1) * 50_000 / 8; octets > limit || octets < limit*8/10 {
		t.Errorf("%d octets sent in %d s, want up to %d", octets, seconds, limit)
	}
}
