package core

import (
	"testing"
	"time"
)

// TestTriggered: RFC 2453 section 3.10.1. The first change is told at once; those
// within the hold of 1 to 5 seconds together, when it is over.
func TestTriggered(t *testing.T) {
	r := hub(t, nil)
	r.advance(60 * time.Second)
	for len(r.responses("eth1")) == 0 { // just after a regular update
		r.advance(100 * time.Millisecond)
	}
	r.advance(6 * time.Second)
	r.take()
	at := r.now
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.2.0/24", metric: 1})
	same(t, "at once, changed routes only", r.responses("eth1"), "192.168.2.0/24 2")
	if r.entry("192.168.2.0/24").Changed {
		t.Error("the change flag is not cleared")
	}
	r.advance(200 * time.Millisecond)
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.4.0/24", metric: 1})
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.3.0/24", metric: 1})
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.4.0/24", metric: 2})
	same(t, "during the hold", r.responses("eth1"))
	if !r.entry("192.168.4.0/24").Changed {
		t.Error("the change flag is not set")
	}
	var got []string
	for len(got) == 0 && r.now < at.Add(maxHold) {
		r.advance(100 * time.Millisecond)
		got = r.responses("eth1")
	}
	same(t, "after the hold", got, "192.168.3.0/24 2", "192.168.4.0/24 3")
	if hold := r.now.Sub(at); hold < minHold || hold > maxHold {
		t.Errorf("after %v", hold)
	}
}

// TestTriggeredLoss: bad news travel with metric 16 to all, also to where the
// route came from.
func TestTriggeredLoss(t *testing.T) {
	r := hub(t, nil)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 16})
	r.advance(6 * time.Second)
	out := r.take()
	for _, ifname := range []string{"eth0", "eth1"} {
		got := entries(t, out, func(x sent) bool { return x.ifname == ifname })
		if len(got) == 0 || got[0] != net1+" 16 tag 9" {
			t.Errorf("%s: %q", ifname, got)
		}
	}
}

// TestTriggeredSuppressed: where a regular update began after the last change,
// there is nothing left to tell.
func TestTriggeredSuppressed(t *testing.T) {
	suppressed := 0
	for seconds := range 40 { // of which some have a regular update within the hold
		r := hub(t, nil)
		r.advance(time.Duration(seconds) * time.Second)
		r.rx("eth0", "10.0.0.2", told{prefix: "192.168.2.0/24", metric: 1})
		r.advance(time.Millisecond)
		r.take()
		r.rx("eth0", "10.0.0.2", told{prefix: "192.168.3.0/24", metric: 1})
		r.advance(6 * time.Second)
		var sizes []int // of the packets that tell it
		for _, p := range packets(t, r.take()) {
			if p.ifname == "eth1" && p.m.Entries[len(p.m.Entries)-1].Addr == addr("192.168.3.0") {
				sizes = append(sizes, len(p.m.Entries))
			}
		}
		switch {
		case len(sizes) == 0:
			t.Errorf("after %d s: not told", seconds)
		case sizes[0] > 1 && len(sizes) > 1:
			t.Errorf("after %d s: told again after the regular update", seconds)
		case sizes[0] > 1:
			suppressed++
		}
	}
	if suppressed == 0 {
		t.Error("no regular update came within a hold")
	}
}

// TestTriggeredBeforeRegular: a change is told before an update under way ends.
func TestTriggeredBeforeRegular(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers[0].OutputDelay = time.Second
	for k := range 25 * 60 {
		r.cfg.Routers[0].Static = append(r.cfg.Routers[0].Static, prefix(addrOf(0xc0000000+uint32(k)<<8).String()+"/24"))
	}
	r.start(link("eth0", "10.0.0.1/24"), link("eth1", "10.1.0.1/24"))
	r.advance(150 * time.Second)
	r.take()
	r.rx("eth0", "10.0.0.2", told{prefix: "223.0.0.0/24", metric: 1})
	r.advance(2 * time.Second)
	found := false
	for _, s := range r.responses("eth1") {
		found = found || s == "223.0.0.0/24 2"
	}
	if !found {
		t.Error("the change waits for the end of the regular update")
	}
}
