package edge

import (
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// TestEventsAreBounded: the oldest events go, the same again takes no room, and
// packets are no events.
func TestEventsAreBounded(t *testing.T) {
	var e events
	at := time.Unix(0, 0)
	add := func(ev core.TraceEvent, id uint32) {
		at = at.Add(time.Second)
		e.add(at, core.Trace{Event: ev, Interface: "Tunnel0", Peer: netip.MustParseAddr("172.31.0.1"), RequestID: id})
	}
	for k := range uint32(2*maxEvents + 300) {
		add(core.TraceEntryAdded, k)
		add(core.TraceEntryAdded, k)
		add(core.TraceReceived, k)
		add(core.TraceDropped, k)
	}
	got := e.recent()
	if len(got) != maxEvents {
		t.Fatalf("%d events", len(got))
	}
	for k, ev := range got {
		if ev.Trace.RequestID != uint32(maxEvents+300+k) || ev.Repeated != 1 || ev.Time != time.Unix(int64(maxEvents+300+k)*4+2, 0) {
			t.Fatalf("event %d is %+v", k, ev)
		}
	}
	s := e.stats(at)
	if n := s.Counts["Tunnel0"][core.TraceEntryAdded]; n != 2*(2*maxEvents+300) || len(s.Counts["Tunnel0"]) != 1 {
		t.Errorf("counts %v", s.Counts)
	}
	e.clear(at, "Tunnel1")
	if len(e.stats(at).Counts) != 1 {
		t.Error("the counts of another tunnel were cleared")
	}
	e.clear(at, "")
	if s := e.stats(at.Add(time.Minute)); len(s.Counts) != 0 || s.Since != time.Minute || len(e.recent()) != maxEvents {
		t.Errorf("after clear: %+v", s)
	}
}
