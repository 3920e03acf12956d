package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/engine"
)

// earlier is what an earlier zebra left in the kernel.
func earlier() []dataplane.Object {
	return []dataplane.Object{
		dataplane.Addr{Device: "eth0", Prefix: prefix("198.51.100.9/24")},
		dataplane.Route{Table: 254, Prefix: prefix("10.1.1.0/24"), Metric: 20, Protocol: 196, Blackhole: true},
		dataplane.Route{Table: 254, Prefix: prefix("10.2.0.0/16"), Metric: 20, Protocol: 191, Blackhole: true},
		dataplane.Route{Table: 254, Prefix: prefix("10.3.0.0/16"), Metric: 20, Protocol: 186, Blackhole: true},
		dataplane.Neighbor{Device: "eth0", Addr: addr("192.0.2.2"), NBMA: addr("203.0.113.1")},
		dataplane.Neighbor{Device: "eth0", Addr: addr("192.0.2.3"), NBMA: addr("203.0.113.2")},
	}
}

// TestSweeps follows a start: what is swept when.
func TestSweeps(t *testing.T) {
	inWorld(t, earlier(), func(w *world) {
		w.engine.Enabled([]string{"bgpd", "nhrpd"})
		all := w.left()
		w.engine.Configured()
		w.expect("with the configuration alone", w.left(), all)
		w.ready()
		const ofDaemons = "neighbor eth0 192.0.2.2 at 203.0.113.1; neighbor eth0 192.0.2.3 at 203.0.113.2; route 254 10.2.0.0/16 p191 blackhole; route 254 10.3.0.0/16 p186 blackhole"
		w.expect("with links and configuration", w.left(), ofDaemons)
		w.attach("nhrpd", session.Begin{}, session.Put{Seq: 1, Object: neighbor("GigabitEthernet1", "192.0.2.2", "203.0.113.1")})
		w.expect("in the replay", w.left(), "neighbor eth0 192.0.2.3 at 203.0.113.2; route 254 10.2.0.0/16 p191 blackhole; route 254 10.3.0.0/16 p186 blackhole")
		w.say("nhrpd", session.EndOfReplay{Seq: 1})
		w.expect("after nhrpd's replay", w.left(), "neighbor eth0 192.0.2.3 at 203.0.113.2; route 254 10.3.0.0/16 p186 blackhole")
		w.attach("bgpd", session.Begin{}, session.EndOfReplay{})
		w.expect("after the last replay", w.left(), "")
		w.expect("neighbours", w.wanted(neighbour), "neighbor eth0 192.0.2.2 at 203.0.113.1")
		var s engine.Signals
		if err := w.engine.Do(w.t.Context(), func() { s = w.engine.Signals() }); err != nil || s != (engine.Signals{LinksKnown: true, ConfigLoaded: true, DaemonsAttached: true, Replayed: true, FIBSynced: true}) {
			t.Errorf("signals %+v, %v", s, err)
		}
	})
}

// TestSweepAfterHold: a daemon that never comes to its end of replay is waited
// for until its hold time, also one that told it after it was enabled.
func TestSweepAfterHold(t *testing.T) {
	for _, attaches := range []bool{false, true} {
		inWorld(t, earlier(), func(w *world) {
			w.engine.Expected([]string{"nhrpd"})
			w.engine.SetHold("nhrpd", time.Hour)
			w.ready()
			put := session.Put{Seq: 1, Object: neighbor("GigabitEthernet1", "192.0.2.2", "203.0.113.1")}
			if attaches {
				w.attach("nhrpd", session.Begin{}, put)
			}
			synctest.Wait()
			time.Sleep(time.Hour - time.Second)
			if got := w.left(); !strings.Contains(got, "neighbor eth0 192.0.2.3") {
				t.Errorf("swept before the hold time: %s", got)
			}
			time.Sleep(2 * time.Second)
			w.expect("after the hold time", w.left(), "")
			if attaches {
				w.expect("of this life", w.wanted(neighbour), "neighbor eth0 192.0.2.2 at 203.0.113.1")
			}
			w.expect("withdrawn", w.withdrawn(), map[bool]string{true: "", false: "nhrpd"}[attaches])
		})
	}
}

// TestDisablingEndsTheWait: nobody waits for a daemon that is not enabled.
func TestDisablingEndsTheWait(t *testing.T) {
	inWorld(t, earlier(), func(w *world) {
		w.engine.Expected([]string{"nhrpd"})
		w.ready()
		w.engine.Enabled(nil)
		w.expect("left", w.left(), "")
	})
}

// foreignRoute is a route that a person added.
func foreignRoute(p, device string) dataplane.RouteChanged {
	return dataplane.RouteChanged{Route: dataplane.Route{Table: 254, Prefix: prefix(p), Metric: 5, Protocol: 4,
		NextHops: []dataplane.NextHop{{Device: device, Gateway: addr("192.0.2.2")}}}}
}

// TestKernelRoutes come and go as the kernel has them.
func TestKernelRoutes(t *testing.T) {
	for name, tc := range map[string]struct {
		after func(*world)
		left  bool
	}{
		"stays": {func(w *world) { w.device("lan", 3) }, true},
		"removed": {func(w *world) {
			ev := foreignRoute("10.50.0.0/16", "eth0")
			ev.Gone = true
			w.engine.Event(ev)
		}, false},
		"not repeated in a resync": {func(w *world) {
			w.engine.Event(dataplane.Resync{})
			w.device("eth0", 2, "192.0.2.1/30")
			w.engine.Event(dataplane.Known{})
		}, false},
		"repeated in a resync": {func(w *world) {
			w.engine.Event(dataplane.Resync{})
			w.device("eth0", 2, "192.0.2.1/30")
			w.engine.Event(foreignRoute("10.50.0.0/16", "eth0"))
			w.engine.Event(dataplane.Known{})
		}, true},
		"device comes again": {func(w *world) {
			w.engine.Event(dataplane.LinkGone{Name: "eth0", Index: 2})
			w.device("eth0", 7, "192.0.2.1/30")
		}, false},
		"device down and up": {func(w *world) {
			w.engine.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "eth0", Index: 2, Kind: "veth", MTU: 1500}})
			w.device("eth0", 2, "192.0.2.1/30")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.ready()
				w.engine.Event(foreignRoute("10.50.0.0/16", "eth0"))
				if got := w.routes(""); !strings.Contains(got, "10.50.0.0/16 kernel") {
					t.Fatalf("table: %s", got)
				}
				tc.after(w)
				if got := w.routes(""); strings.Contains(got, "10.50.0.0/16") != tc.left {
					t.Errorf("table: %s", got)
				}
				if got := w.wanted(route); got != "" {
					t.Errorf("a kernel route is written: %s", got)
				}
			})
		})
	}
}

// TestEarlyWatchIsAnswered: a daemon may ask before zebra is ready to tell it
// anything. What it is told then comes behind Attached; the hub drops the rest.
func TestEarlyWatchIsAnswered(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.engine.Expected([]string{"ripd"})
		w.attach("ripd", session.Begin{},
			session.WatchAdd{Watch: librib.Watch{Kind: librib.WatchRedistribute, Family: librib.IPv4, Protocol: librib.Static}},
			session.WatchAdd{Watch: librib.Watch{Kind: librib.WatchNextHop, Addr: addr("192.0.2.2")}})
		w.told("ripd")
		w.ready(static("", "10.9.0.0/16", librib.NextHop{Addr: addr("192.0.2.2")}))
		_, told, _ := strings.Cut(w.told("ripd"), "attached")
		for _, want := range []string{"rib.RouteChanged", "rib.RoutesKnown", "rib.NextHopChanged"} {
			if !strings.Contains(told, want) {
				t.Errorf("no %s behind attached: %s", want, told)
			}
		}
	})
}

// TestEarlyAckIsTold: what a daemon repeats is decided before zebra is ready to tell it
// anything. What failed is said behind Attached, in the order in which it happened, and
// not to the next session.
func TestEarlyAckIsTold(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.answers(func(dataplane.Key) error { return dataplane.ErrGone })
		w.engine.Expected([]string{"nhrpd"})
		put := func(seq uint64) session.Put {
			return session.Put{Seq: seq, Object: neighbor("GigabitEthernet1", fmt.Sprintf("192.0.2.%d", seq), "203.0.113.1")}
		}
		w.attach("nhrpd", session.Begin{}, put(200))
		synctest.Wait()
		w.attach("nhrpd", session.Begin{})
		for seq := range uint64(100) {
			w.say("nhrpd", put(seq+1))
			synctest.Wait()
		}
		w.ready()
		_, told, _ := strings.Cut(w.told("nhrpd"), "attached")
		if !strings.Contains(told, "192.0.2.1}") || !strings.Contains(told, "; ack 100 [") || strings.Contains(told, "ack 200") {
			t.Errorf("told behind attached: %s", told)
		}
		if n := strings.Count(told, "ack "); n > 64 {
			t.Errorf("%d acknowledgements waited", n)
		}
	})
}

// TestEarlyAckTellsTheLastWord: where acknowledgements that wait are joined, an object that
// failed and came into force by turns is told of once, as it is in the end.
func TestEarlyAckTellsTheLastWord(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.engine.Expected([]string{"nhrpd"})
		w.attach("nhrpd", session.Begin{}, session.Put{Seq: 1, Object: neighbor("GigabitEthernet1", "192.0.2.2", "203.0.113.1")})
		synctest.Wait()
		for n := range 100 { // fib tries again
			w.answers(func(dataplane.Key) error { return []error{dataplane.ErrGone, nil}[n%2] })
			w.Put(dataplane.Neighbor{Device: "GigabitEthernet1", Addr: addr("192.0.2.2"), NBMA: addr("203.0.113.1")})
			synctest.Wait()
		}
		w.ready()
		_, told, _ := strings.Cut(w.told("nhrpd"), "attached")
		acks := strings.Split(told, "; ack ")[1:]
		if len(acks) != 64 {
			t.Fatalf("%d acknowledgements waited", len(acks))
		}
		if last := acks[63]; strings.Count(last, "192.0.2.2") != 1 || !strings.HasSuffix(last, "192.0.2.2} }]") {
			t.Errorf("told last: %s", last)
		}
	})
}
