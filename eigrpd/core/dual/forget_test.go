package dual

import (
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// TestForget wants nothing kept of a destination that was unreachable for a while:
// memory is bounded by what is reachable. One that is back in time stays.
func TestForget(t *testing.T) {
	r := newRouter(Config{})
	now := clock.Instant(0)
	r.step(now, NeighborUp{ID: 1, Interface: 1})
	lose := func() {
		r.step(now, Own[vector]{Prefix: destination, Attribute: vector{metric: 1}})
		r.step(now, OwnGone{Prefix: destination})
		r.step(now, Received[vector]{1, Message[vector]{Kind: Reply, Prefix: destination, Unreachable: true}})
	}
	lose()
	now = now.Add(time.Minute)
	lose()
	now = now.Add(lingerTime - 1)
	r.step(now, Tick{})
	if len(r.routes) != 1 {
		t.Fatalf("%d entries while messages may be under way", len(r.routes))
	}
	now = now.Add(1)
	if at, ok := r.Wake(); !ok || at != now {
		t.Fatalf("wants to be woken at %v, want %v", at, now)
	}
	r.step(now, Tick{})
	if _, armed := r.Wake(); len(r.routes) != 0 || len(r.all()) != 0 || armed {
		t.Errorf("%d entries are kept", len(r.routes))
	}
}
