package dual

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// decode turns octets into inputs: neighbours that come and go as they like, and
// messages that follow no rule of the protocol.
func decode(b []byte) (in Input, wait time.Duration, rest []byte) {
	op, n, v, rest := b[0], NeighborID(b[1]%6), b[2], b[3:]
	prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, v >> 6}), 16)
	metric := Distance(v & 31)
	switch {
	case v&31 == 31:
		metric = Infinity - 1
	case v&31 == 30:
		metric = External(7)
	case v&31 == 29:
		metric = Infinity
	}
	switch op % 16 {
	case 0:
		in = NeighborUp{n, InterfaceID(v % 3), v&8 != 0}
	case 1:
		in = NeighborDown{n}
	case 2:
		in = costChanged{n, Distance(v)}
	case 3:
		in = Own[vector]{prefix, Source(op >> 7), vector{metric: metric}}
	case 4:
		in = OwnGone{prefix, Source(op >> 7)}
	case 5:
		in = Interface{InterfaceID(n % 3), v&1 != 0}
	case 6:
		in = Config{int(n), int(v % 4), time.Duration(v%3) * time.Minute}
	case 7:
		in, wait = Tick{}, time.Duration(v)*time.Second
	default:
		in = Received[vector]{n, Message[vector]{Kind(op % 8), prefix, vector{metric: metric}, v&32 != 0, op&16 != 0}}
	}
	return in, wait, rest
}

// FuzzTable hands a table anything: it has no assertion that fails, and stays whole.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 2, 2, 9, 1, 5, 10, 1, 37, 11, 2, 6, 7, 0, 255, 1, 1, 0})
	f.Add([]byte{0, 1, 1, 3, 0, 4, 9, 1, 31, 10, 1, 29, 12, 1, 3, 13, 1, 3, 7, 0, 200, 7, 0, 200, 7, 0, 200, 7, 0, 200})
	f.Fuzz(nonsense)
}

// TestNonsense does what FuzzTable does, with long random inputs.
func TestNonsense(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		b := make([]byte, 3000)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		nonsense(t, b)
	}
}

func nonsense(t *testing.T, b []byte) {
	r := newRouter(Config{})
	now := clock.Instant(0)
	for len(b) >= 3 {
		in, wait, rest := decode(b)
		b = rest
		now = now.Add(wait)
		r.step(now, in)
		for _, e := range r.all() {
			whole(t, r, e)
		}
	}
}

// whole wants what holds of a route between any two inputs.
func whole(t *testing.T, r *router, e *route[vector]) {
	switch {
	case (e.state == Passive) != (len(e.waiting) == 0):
		t.Fatalf("%v awaits %v", e.state, e.waiting)
	case e.state == Passive && e.owed != 0:
		t.Fatalf("PASSIVE, and owes %d a REPLY", e.owed)
	case e.owed != 0 && r.neighbors[e.owed] == nil:
		t.Fatalf("owes %d a REPLY, who is gone", e.owed)
	case e.state == Passive && !e.feasible():
		t.Fatal("PASSIVE, and the condition is not met")
	case e.state == Passive && e.rd != e.nearest():
		t.Fatalf("RD %v, and the nearest at %v", e.rd, e.nearest())
	case e.rd < e.fd:
		t.Fatalf("RD %v less than FD %v", e.rd, e.fd)
	case len(e.installed) != len(e.used):
		t.Fatalf("uses %v, installed %v", e.used, e.installed)
	}
	for _, list := range [][]NeighborID{e.waiting, e.answered, e.alive} {
		for _, n := range list {
			if r.neighbors[n] == nil {
				t.Fatalf("remembers %d, who is gone", n)
			}
		}
		if !slices.IsSorted(list) {
			t.Fatalf("not sorted: %v", list)
		}
	}
}
