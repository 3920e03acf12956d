package engine_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/hub"
	"github.com/godmvpn/godmvpn/zebra/iface"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

const route, neighbour = dataplane.KindRoute, dataplane.KindNeighbor

// TestStaticRoutes follows static routes from the configuration to the FIB: names
// of the kernel, tables of VRFs, Null0, and back.
func TestStaticRoutes(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready(static("", "10.9.0.0/16", librib.NextHop{Addr: addr("192.0.2.2")}),
			static("", "10.8.0.0/16", librib.NextHop{Discard: true}),
			static("RED", "10.7.0.0/16", librib.NextHop{Interface: "red0"}),
			static("", "10.6.0.0/16", librib.NextHop{Addr: addr("198.51.100.1")}))
		w.expect("routes", w.wanted(route), "route 254 10.8.0.0/16 p196 blackhole; route 254 10.9.0.0/16 p196 192.0.2.2@eth0")
		w.expect("table", w.routes(""), "10.1.0.0/24 connected; 10.1.0.1/32 local; 10.8.0.0/16 static installed; 10.9.0.0/16 static installed; 192.0.2.0/30 connected; 192.0.2.1/32 local")

		w.engine.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "RED", Index: 9, Kind: "vrf", Table: 1001, Up: true, Running: true}})
		w.engine.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "red0", Index: 5, Kind: "veth", Master: "RED", MasterIndex: 9, Up: true, Running: true, MTU: 1500}})
		w.expect("VRF", w.routes("RED"), "10.7.0.0/16 static installed")
		if got := w.wanted(route); !strings.Contains(got, "route 1001 10.7.0.0/16 p196 invalid IP@red0") {
			t.Errorf("routes: %s", got)
		}

		w.engine.Configure(config(), []librib.Route{static("", "10.9.0.0/16", librib.NextHop{Addr: addr("192.0.2.2")}, librib.NextHop{Addr: addr("10.1.0.9")})})
		w.expect("changed", w.wanted(route), "route 254 10.9.0.0/16 p196 192.0.2.2@eth0 10.1.0.9@lan")
		w.engine.Event(dataplane.LinkGone{Name: "eth0", Index: 2})
		w.expect("without eth0", w.wanted(route), "route 254 10.9.0.0/16 p196 10.1.0.9@lan")
	})
}

// TestVRFGone: routes of a VRF that is not there any more are deleted from the
// table that it had, and no others.
func TestVRFGone(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		null := librib.NextHop{Discard: true}
		global := []librib.Route{static("", "10.6.0.0/16", null), static("", "10.7.0.0/16", null)}
		w.ready(append(global, static("RED", "10.6.0.0/16", null), static("RED", "10.7.0.0/16", null), static("RED", "10.8.0.0/16", null))...)
		if got := w.wanted(route); !strings.Contains(got, "route 1001 10.7.0.0/16") {
			t.Fatalf("routes: %s", got)
		}
		w.engine.Configure(iface.Config{}, global)
		w.expect("routes", w.wanted(route), "route 254 10.6.0.0/16 p196 blackhole; route 254 10.7.0.0/16 p196 blackhole")
		w.expect("table", w.routes("RED"), "")
	})
}

// TestRouteWithoutVRF: a route of a VRF that does not exist is told as failed, is
// put as soon as the VRF comes, and can be taken back before and after.
func TestRouteWithoutVRF(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"bgpd"})
		r := librib.Route{VRF: "BLUE", Prefix: prefix("10.7.0.0/16"), Protocol: librib.BGP, Distance: 20, NextHops: []librib.NextHop{{Discard: true}}}
		w.attach("bgpd", session.Begin{}, session.Put{Seq: 1, Object: r})
		w.expect("table", w.routes("BLUE"), "10.7.0.0/16 bgp failed: there is no VRF BLUE")
		if got := w.told("bgpd"); !strings.Contains(got, "there is no VRF BLUE") {
			t.Errorf("bgpd was told %s", got)
		}
		w.engine.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "BLUE", Index: 8, Kind: "vrf", Table: 1077, Up: true, Running: true}})
		w.expect("table, with the VRF", w.routes("BLUE"), "10.7.0.0/16 bgp installed")
		w.expect("routes, with the VRF", w.wanted(route), "route 1077 10.7.0.0/16 p186 blackhole")
		w.say("bgpd", session.Delete{Seq: 2, Key: r.Key()})
		w.expect("table", w.routes("BLUE"), "")
		w.expect("routes", w.wanted(route), "")
		other := r
		other.VRF = "GREEN"
		w.say("bgpd", session.Put{Seq: 3, Object: other}, session.Delete{Seq: 4, Key: other.Key()})
		w.engine.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "GREEN", Index: 7, Kind: "vrf", Table: 1078, Up: true, Running: true}})
		w.expect("routes of what was taken back before", w.wanted(route), "")
	})
}

// TestOutcomes: failures are shown, later success too, and a late outcome of an
// operation before the last one says nothing.
func TestOutcomes(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.answers(nil)
		w.ready(static("", "10.9.0.0/16", librib.NextHop{Addr: addr("192.0.2.2")}))
		only := func() string {
			for _, r := range strings.Split(w.routes(""), "; ") {
				if strings.HasPrefix(r, "10.9.") {
					return r
				}
			}
			return ""
		}
		w.expect("asked", only(), "10.9.0.0/16 static pending")
		first := w.route()
		w.engine.Outcomes([]fib.Outcome{{Key: first.Key(), Object: first, Err: errors.New("no buffer space")}})
		w.expect("failed", only(), "10.9.0.0/16 static failed: no buffer space")
		w.engine.Outcomes([]fib.Outcome{{Key: first.Key(), Object: first}})
		w.expect("later", only(), "10.9.0.0/16 static installed")

		w.engine.Configure(config(), []librib.Route{static("", "10.9.0.0/16", librib.NextHop{Addr: addr("10.1.0.9")})})
		w.expect("changed", only(), "10.9.0.0/16 static pending")
		w.engine.Outcomes([]fib.Outcome{{Key: first.Key(), Object: first}})
		w.expect("by a late outcome", only(), "10.9.0.0/16 static pending")
		w.engine.Outcomes([]fib.Outcome{{Key: first.Key(), Object: w.route()}})
		w.expect("by its own", only(), "10.9.0.0/16 static installed")
	})
}

// TestNeighbors: a neighbour goes to the FIB under kernel names and its failure
// to the daemon.
func TestNeighbors(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.answers(func(k dataplane.Key) error {
			if k.Kind == neighbour {
				return errors.New("no such device")
			}
			return nil
		})
		w.ready()
		w.engine.Enabled([]string{"nhrpd"})
		w.attach("nhrpd", session.Begin{}, session.Put{Seq: 1, Object: neighbor("GigabitEthernet1", "192.0.2.2", "203.0.113.1")})
		w.expect("neighbours", w.wanted(neighbour), "neighbor eth0 192.0.2.2 at 203.0.113.1")
		if got := w.told("nhrpd"); !strings.Contains(got, "no such device") {
			t.Errorf("nhrpd was told %s", got)
		}
	})
}

// TestMulticastPeers: a peer goes to the FIB under kernel names, and away again;
// its failure to the daemon.
func TestMulticastPeers(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		var fail error
		w.answers(func(dataplane.Key) error { return fail })
		w.ready()
		w.engine.Enabled([]string{"nhrpd"})
		p := librib.MulticastPeer{Interface: "GigabitEthernet1", NBMA: addr("203.0.113.1")}
		w.attach("nhrpd", session.Begin{}, session.Put{Seq: 1, Object: p})
		key := dataplane.MulticastPeer{Device: "eth0", NBMA: p.NBMA}.Key()
		if have := w.wanted(dataplane.KindMulticastPeer); !strings.Contains(have, key.String()) {
			t.Errorf("wanted %q", have)
		}
		w.say("nhrpd", session.Delete{Seq: 2, Key: p.Key()})
		w.expect("withdrawn", w.wanted(dataplane.KindMulticastPeer), "")
		fail = errors.New("no replicator")
		w.say("nhrpd", session.Put{Seq: 3, Object: p})
		if got := w.told("nhrpd"); !strings.Contains(got, "no replicator") {
			t.Errorf("nhrpd was told %s", got)
		}
	})
}

// TestShapers: a shaper goes to the FIB under kernel names, changes, and goes away
// again; its failure to the daemon. Its policy is for show commands alone.
func TestShapers(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		var fail error
		w.answers(func(dataplane.Key) error { return fail })
		w.ready()
		w.engine.Enabled([]string{"nhrpd"})
		s := librib.Shaper{Interface: "GigabitEthernet1", NBMA: addr("203.0.113.1"), Rate: 1e6, Policy: "GOLD"}
		w.attach("nhrpd", session.Begin{}, session.Put{Seq: 1, Object: s})
		key := dataplane.Shaper{Device: "eth0", NBMA: s.NBMA}.Key()
		if have := w.wanted(dataplane.KindShaper); !strings.Contains(have, key.String()) {
			t.Errorf("wanted %q", have)
		}
		if have := w.engine.RIB().Shapers(); len(have) != 1 || have[0].Owner != "nhrpd" || have[0].Shaper != s || have[0].FIB != rib.FIBInstalled {
			t.Errorf("in the RIB: %+v", have)
		}
		w.say("nhrpd", session.Delete{Seq: 2, Key: s.Key()})
		w.expect("withdrawn", w.wanted(dataplane.KindShaper), "")
		fail = errors.New("no such queueing discipline")
		w.say("nhrpd", session.Put{Seq: 3, Object: s})
		if got := w.told("nhrpd"); !strings.Contains(got, "no such queueing discipline") {
			t.Errorf("nhrpd was told %s", got)
		}
	})
}

// TestTroubleIsSaidOnce: an object of the configuration that cannot be is logged
// once for each reason, however often it is tried.
func TestTroubleIsSaidOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		m := dataplane.Multicast{Device: "Tunnel0"}
		for _, why := range []string{"no BPF", "no BPF", "no clsact", "", "no clsact"} {
			o := fib.Outcome{Key: m.Key(), Object: m}
			if why != "" {
				o.Err = errors.New(why)
			}
			w.engine.Outcomes([]fib.Outcome{o})
		}
		synctest.Wait()
		if text := w.log.String(); strings.Count(text, "not in force") != 3 || strings.Count(text, "no BPF") != 1 || !strings.Contains(text, "multicast replicator on Tunnel0") {
			t.Errorf("logged:\n%s", text)
		}
	})
}

// TestPictureWaitsForTheStart: a daemon that outlived an earlier zebra sees
// nothing before the configuration and the kernel's links are known.
func TestPictureWaitsForTheStart(t *testing.T) {
	inWorld(t, []dataplane.Object{dataplane.Neighbor{Device: "Tunnel0", Addr: addr("172.31.0.9"), NBMA: addr("1.2.3.4")}}, func(w *world) {
		w.engine.Enabled([]string{"nhrpd"})
		w.attach("nhrpd", session.Begin{})
		w.expect("at first", w.told("nhrpd"), "")
		w.engine.Event(dataplane.Resync{})
		w.device("eth0", 2, "192.0.2.1/30")
		w.engine.Event(dataplane.Known{})
		w.expect("with links", w.told("nhrpd"), "")
		w.engine.Configured()
		w.expect("with configuration", w.told("nhrpd"), "attached stale=1; interface eth0; known")
		w.attach("nhrpd", session.Begin{}, session.EndOfReplay{})
		w.expect("again", w.told("nhrpd"), "attached stale=1; interface eth0; known")
		w.attach("nhrpd", session.Begin{})
		w.expect("after the sweep", w.told("nhrpd"), "attached stale=0; interface eth0; known")
	})
}

// TestNothingIsLostBeforeEnabled: a daemon that an earlier zebra left attaches,
// and repeats everything, while zebra still waits for another one.
func TestNothingIsLostBeforeEnabled(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Expected([]string{"bgpd", "nhrpd"})
		w.attach("nhrpd", session.Begin{}, session.Put{Seq: 1, Object: neighbor("GigabitEthernet1", "192.0.2.2", "203.0.113.1")}, session.EndOfReplay{Seq: 1})
		w.engine.Enabled([]string{"bgpd", "nhrpd"})
		w.expect("neighbours", w.wanted(neighbour), "neighbor eth0 192.0.2.2 at 203.0.113.1")
	})
}

// TestDisabled: what belongs to a daemon that is disabled goes, and nothing that
// is still under way from it comes back.
func TestDisabled(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"nhrpd"})
		n := session.Put{Seq: 1, Object: neighbor("GigabitEthernet1", "192.0.2.2", "203.0.113.1")}
		w.attach("nhrpd", session.Begin{}, n, session.EndOfReplay{Seq: 1})
		w.engine.Enabled(nil)
		w.expect("neighbours", w.wanted(neighbour), "")
		w.say("nhrpd", n)
		w.expect("of a disabled daemon", w.wanted(neighbour), "")
		w.expect("withdrawn", w.withdrawn(), "nhrpd")
		w.engine.Enabled([]string{"nhrpd"})
		w.engine.Message(hub.Detached{Owner: "nhrpd", Epoch: w.epoch})
		w.attach("nhrpd", session.Begin{}, n)
		w.expect("enabled again", w.wanted(neighbour), "neighbor eth0 192.0.2.2 at 203.0.113.1")
	})
}

// TestEarlierSession: the end of a session, and what it said, come after the
// next one has opened.
func TestEarlierSession(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"nhrpd"})
		w.attach("nhrpd", session.Begin{})
		old := w.epoch
		w.attach("nhrpd", session.Begin{}, session.Put{Seq: 1, Object: neighbor("GigabitEthernet1", "192.0.2.2", "203.0.113.1")}, session.EndOfReplay{Seq: 1})
		w.engine.Message(hub.Received{Owner: "nhrpd", Epoch: old, Ups: []session.Up{session.Begin{}}})
		w.engine.Message(hub.Detached{Owner: "nhrpd", Epoch: old})
		synctest.Wait()
		time.Sleep(3 * time.Hour)
		w.expect("neighbours", w.wanted(neighbour), "neighbor eth0 192.0.2.2 at 203.0.113.1")
	})
}

// TestHold: what a daemon put stays without it for its hold time, no longer.
func TestHold(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"nhrpd"})
		w.engine.SetHold("nhrpd", time.Hour)
		n := session.Put{Seq: 1, Object: neighbor("GigabitEthernet1", "192.0.2.2", "203.0.113.1")}
		w.attach("nhrpd", session.Begin{}, n, session.EndOfReplay{Seq: 1})
		w.engine.Message(hub.Detached{Owner: "nhrpd", Epoch: w.epoch})
		synctest.Wait()
		time.Sleep(time.Hour - time.Second)
		w.expect("before", w.wanted(neighbour), "neighbor eth0 192.0.2.2 at 203.0.113.1")
		w.expect("withdrawn too early", w.withdrawn(), "")
		time.Sleep(2 * time.Second)
		w.expect("after", w.wanted(neighbour), "")
		w.expect("withdrawn", w.withdrawn(), "nhrpd")
	})
}

// TestNeighborMisses go to those who watch the interface.
func TestNeighborMisses(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"a", "nhrpd"})
		w.attach("a", session.Begin{})
		w.attach("nhrpd", session.Begin{}, session.WatchAdd{Watch: librib.Watch{Kind: librib.WatchNeighborMiss, Interface: "GigabitEthernet1"}})
		w.told("a")
		w.told("nhrpd")
		miss := dataplane.NeighborMiss{Device: "eth0", Addr: addr("192.0.2.2")}
		w.engine.Event(miss)
		w.engine.Event(dataplane.NeighborMiss{Device: "lan", Addr: addr("10.1.0.2")})
		w.expect("a", w.told("a"), "")
		w.expect("nhrpd", w.told("nhrpd"), "miss GigabitEthernet1 192.0.2.2")
		w.say("nhrpd", session.WatchDel{Watch: librib.Watch{Kind: librib.WatchNeighborMiss, Interface: "GigabitEthernet1"}})
		w.engine.Event(miss)
		w.expect("without watch", w.told("nhrpd"), "")
	})
}

// TestPostWaits: many goroutines post more than the inbox holds; nothing is
// lost, the order of each is kept, and after the end nobody hangs.
func TestPostWaits(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		const posters, each = 8, 1000
		got := make([][]int, posters)
		var wg sync.WaitGroup
		for p := range posters {
			wg.Go(func() {
				for i := range each {
					w.engine.Post(func() { got[p] = append(got[p], i) })
				}
			})
		}
		wg.Wait()
		if err := w.engine.Do(w.t.Context(), func() {}); err != nil {
			t.Fatal(err)
		}
		for p := range got {
			for i, n := range got[p] {
				if i != n {
					t.Fatalf("poster %d: input %d came at place %d", p, n, i)
				}
			}
			if len(got[p]) != each {
				t.Errorf("poster %d: %d inputs came", p, len(got[p]))
			}
		}
	})
}

// TestAfterTheEnd: nobody hangs on an engine that has ended.
func TestAfterTheEnd(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.stop()
		for range 5000 {
			w.engine.Post(func() { t.Error("ran after the end") })
		}
		if err := w.engine.Do(w.t.Context(), func() {}); err == nil {
			t.Error("Do did not say that the engine has ended")
		}
	})
}

// TestClockMoves: the engine's own clock is that of the machine.
func TestClockMoves(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		before := w.engine.Now()
		time.Sleep(time.Minute)
		if got := w.engine.Now().Sub(before); got != time.Minute {
			t.Errorf("a minute took %v", got)
		}
	})
}
