package core

import (
	"testing"
	"time"
)

func (r *rig) ended() int {
	n := 0
	for _, e := range r.take() {
		if _, ok := e.(EndOfReplay); ok {
			n++
		}
	}
	return n
}

// TestEndOfReplay: when everything was stated that this life wants.
func TestEndOfReplay(t *testing.T) {
	for _, x := range []struct {
		name  string
		stale int
		cfg   Config
		after time.Duration
	}{
		{"nothing is stale", 0, Config{Routers: []RouterConfig{{Version: 2}}}, 0},
		{"nothing is configured", 5, Config{}, 0},
		{"an update interval and a half", 5, Config{Routers: []RouterConfig{{Version: 2}}}, 45 * time.Second},
		{"the longest", 5, Config{Routers: []RouterConfig{{VRF: "a", Timers: Timers{Update: 10 * time.Second}}, {VRF: "b", Timers: Timers{Update: 20 * time.Second}}}}, 30 * time.Second},
	} {
		for order := range 3 {
			r := newRig(t)
			r.cfg = x.cfg
			inputs := []Input{Attached{Stale: x.stale}, InterfacesKnown{}, ConfigSet{r.cfg}}
			for k := range inputs {
				if r.ended() > 0 {
					t.Errorf("%s: before all is known", x.name)
				}
				r.step(inputs[(k+order)%3])
			}
			if x.after > 0 {
				r.advance(x.after - 1)
				if r.ended() > 0 {
					t.Errorf("%s: before %v", x.name, x.after)
				}
				r.advance(1)
			}
			if n := r.ended(); n != 1 {
				t.Errorf("%s, order %d: %d ends after %v", x.name, order, n, x.after)
			}
			r.advance(5 * time.Minute)
			if n := r.ended(); n != 0 {
				t.Errorf("%s: %d ends more", x.name, n)
			}
		}
	}
}

// TestEndOfReplayAgain: a core that is at work for long has stated all when zebra
// comes back; one that is not takes the time that is left.
func TestEndOfReplayAgain(t *testing.T) {
	r := newRig(t)
	r.step(Attached{Stale: 3})
	r.step(InterfacesKnown{})
	r.configure()
	r.advance(20 * time.Second)
	r.step(Attached{Stale: 3})
	r.advance(25*time.Second - 1)
	if r.ended() != 0 {
		t.Error("before an interval and a half")
	}
	r.advance(1)
	if n := r.ended(); n != 1 {
		t.Errorf("%d ends for a session", n)
	}
	r.step(Attached{Stale: 3})
	if n := r.ended(); n != 1 {
		t.Errorf("%d ends at once", n)
	}
}

// TestInterfacesToldAgain: one that a restarted zebra does not tell is gone.
func TestInterfacesToldAgain(t *testing.T) {
	r := hub(t, nil)
	r.step(Attached{})
	r.step(InterfaceChanged{link("eth1", "10.1.0.1/24")})
	if !r.heard["eth0"] {
		t.Error("gone before zebra told all")
	}
	r.step(InterfacesKnown{})
	if r.heard["eth0"] || !r.heard["eth1"] {
		t.Errorf("listens to %v", r.heard)
	}
	same(t, "routes", r.routes())
}
