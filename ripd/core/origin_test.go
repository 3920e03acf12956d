package core

import "testing"

// TestOwnRouteComesBack: within the hold after a triggered update the neighbours do
// not know yet that an own network is lost. It is not learnt back from one that
// repeats it (as a hub without split horizon does), but from then on.
func TestOwnRouteComesBack(t *testing.T) {
	r := newRig(t)
	lan := link("eth1", "10.1.0.1/24")
	r.start(link("eth0", "10.0.0.1/24"), lan)
	r.quietDown()
	set := func(up bool) {
		lan.Up = up
		r.step(InterfaceChanged{Interface: lan})
	}
	echo := func() { r.rx("eth0", "10.0.0.2", told{prefix: "10.1.0.0/24", metric: 2}) }
	set(false)
	set(true)
	set(false) // not told yet: a triggered update has just gone out
	r.take()
	echo()
	if e := r.entry("10.1.0.0/24"); e == nil || e.Metric != 16 || len(e.Paths) > 0 {
		t.Fatalf("learnt back: %+v", e)
	}
	r.advance(maxHold)
	same(t, "told", r.responses("eth0"), "10.1.0.0/24 16")
	echo()
	if e := r.entry("10.1.0.0/24"); e == nil || e.Metric != 3 {
		t.Fatalf("not learnt: %+v", e)
	}
}
