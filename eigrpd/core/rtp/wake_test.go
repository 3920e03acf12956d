package rtp

import (
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// TestWake wants a caller that forgets Flush to be woken for what is owed, at once.
func TestWake(t *testing.T) {
	r := hub(1)
	if at, ok := r.Wake(); ok {
		t.Fatalf("wants to be woken at %v for nothing", at)
	}
	now := clock.Instant(time.Second)
	r.Received(now, 1, Header{Opcode: packet.Query, Seq: 2})
	if at, ok := r.Wake(); !ok || at != now {
		t.Fatalf("wants to be woken at %v, %v; want %v", at, ok, now)
	}
	r.Tick(now)
	if effects := r.Drain(nil); len(effects) != 1 || effects[0] != (SendAck{1, 1, 2}) {
		t.Fatalf("effects %v", effects)
	}
	if at, ok := r.Wake(); ok {
		t.Fatalf("wants to be woken at %v again", at)
	}
}
