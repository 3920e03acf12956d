package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Limits of waiting, and waits of what is measured.
const (
	lossLimit = time.Minute
	poll      = 2 * time.Millisecond
	// settle is longer than any throttle of the suites' own remembers, 10 s (twice its longest
	// wait, of 5 s): each loss finds all at rest.
	settle = 11 * time.Second
	// between is up to how long is waited before a loss, so that it finds BIRD's work of each
	// second at any phase.
	between = time.Second
)

// ring is five routers of one suite:
//
//	near ── r2 ── r3 ── far ── station     each link costs 10
//	   └───────── r5 ────┘                 these two 100
//
// The link between r3 and far, which is a wire of its own, fails. near is two routers away from
// where it is seen.
type ring struct {
	suite              suite
	tp                 *harness.Topology
	equal              bool
	near, far, station *harness.Node
	wire               *harness.Node // between r3 and far: no suite has a hand in it
	watch              *harness.RouteWatch
}

// The station's network, and near's two next hops to it.
const (
	stationNetwork = "10.9.0.0/24"
	stationAddress = "10.9.0.10"
	primaryHop     = "10.0.1.2"
	backupHop      = "10.0.4.2"
)

// newRing makes the routers and starts them.
func newRing(t harness.TB, s suite, equal bool) *ring {
	tp := harness.New(t)
	names := []string{"near", "r2", "r3", "far", "r5"}
	nodes := make([]*harness.Node, len(names))
	routers := make([]router, len(names))
	for k, name := range names {
		nodes[k] = tp.Router(name)
		nodes[k].Sysctl("net/ipv4/conf/all/rp_filter", "0") // the stream's way back may be another
		nodes[k].Sysctl("net/ipv4/conf/default/rp_filter", "0")
		routers[k] = router{id: fmt.Sprintf("%[1]d.%[1]d.%[1]d.%[1]d", k+1), equal: equal}
	}
	r := &ring{suite: s, tp: tp, equal: equal, near: nodes[0], far: nodes[3]}
	for k, l := range []struct{ a, b, cost int }{{0, 1, 10}, {1, 2, 10}, {2, 3, 10}, {0, 4, 100}, {4, 3, 100}} {
		toA, toB := "to-"+names[l.a], "to-"+names[l.b]
		addrA, addrB := fmt.Sprintf("10.0.%d.1/24", k+1), fmt.Sprintf("10.0.%d.2/24", k+1)
		if k == 2 {
			r.wire = tp.Node("wire")
			r.wire.Bridge("wire", "192.0.2.1/32")
			for _, end := range []struct {
				node         *harness.Node
				device, addr string
			}{{nodes[l.a], toB, addrA}, {nodes[l.b], toA, addrB}} {
				tp.Link(end.node, end.device, end.addr, r.wire, end.node.Name(), "")
				r.wire.Enslave(end.node.Name(), "wire")
			}
		} else {
			tp.Link(nodes[l.a], toB, addrA, nodes[l.b], toA, addrB)
		}
		routers[l.a].ports = append(routers[l.a].ports, port{toB, l.cost})
		routers[l.b].ports = append(routers[l.b].ports, port{toA, l.cost})
	}
	r.station = tp.Host("station", r.far, stationAddress+"/24", "10.9.0.1")
	routers[3].stub = "lan-station"
	r.watch = r.near.WatchRoutes(s.protocol)
	for k, n := range nodes {
		s.start(n, routers[k])
	}
	return r
}

// via is when near's kernel last got a route to the station by this next hop alone; ok says
// whether that is the route it has.
func (r *ring) via(t harness.TB, hop string) (at time.Time, ok bool) {
	changes, err := r.watch.Changes()
	if err != nil {
		t.Fatalf("%v", err)
	}
	want, gateway := netip.MustParsePrefix(stationNetwork), netip.MustParseAddr(hop)
	for _, c := range slices.Backward(changes) {
		if c.Route.Prefix == want && !c.Removed {
			return c.At, len(c.Route.Hops) == 1 && c.Route.Hops[0].Gateway == gateway
		}
	}
	return at, false
}

// await waits until near's route to the station goes by this next hop.
func (r *ring) await(t harness.TB, hop string) (at time.Time) {
	end := time.Now().Add(lossLimit)
	for {
		at, ok := r.via(t, hop)
		if ok {
			return at
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v: a route of %s by %s", r.suite.name, lossLimit, r.near.Name(), hop)
		}
		time.Sleep(poll)
	}
}

// loss is what one loss of the link cost.
type loss struct {
	table  time.Duration // until near's kernel has the other way
	packet time.Duration // until packets pass: when the last one left that was lost
}

// wait waits until the loss of a moment is over.
func (r *ring) wait(t harness.TB, s *stream, began time.Time) loss {
	at := r.await(t, backupHop)
	last, ok := s.lost(at.Add(50*time.Millisecond), lossLimit)
	if s.end(); !ok {
		t.Fatalf("%s: nothing passes after the change of routes", r.suite.name)
	}
	return loss{at.Sub(began), max(0, last.Sub(began))}
}

// carriers has each ring lose its link, one after the other: r3's and far's devices lose
// their carrier. (A device that is set down by hand, zebra sets up again.)
func carriers(t harness.TB, rings []*ring) (all []loss) {
	for _, r := range rings {
		s := newStream(t, r.near, r.station, stationAddress, time.Millisecond)
		if !r.suite.equal {
			time.Sleep(rand.N(between))
		}
		began := time.Now()
		r.wire.Down("far")
		r.wire.Down("r3")
		all = append(all, r.wait(t, s, began))
	}
	mend(t, rings, func(r *ring) { r.wire.Up("far"); r.wire.Up("r3") })
	return all
}

// silences has each ring's link swallow all packets, as a switch that stands still. The rings wait for their timers at the
// same time.
func silences(t harness.TB, rings []*ring) (all []loss) {
	time.Sleep(rand.N(between))
	streams, began := make([]*stream, len(rings)), make([]time.Time, len(rings))
	for k, r := range rings {
		streams[k] = newStream(t, r.near, r.station, stationAddress, 5*time.Millisecond)
		began[k] = time.Now()
		r.wire.Down("wire")
	}
	for k, r := range rings {
		all = append(all, r.wait(t, streams[k], began[k]))
	}
	mend(t, rings, func(r *ring) { r.wire.Up("wire") })
	return all
}

// mend brings the links back, and waits until all is as it was, and at rest.
func mend(t harness.TB, rings []*ring, how func(*ring)) {
	for _, r := range rings {
		how(r)
	}
	for _, r := range rings {
		r.await(t, primaryHop)
	}
	time.Sleep(settle)
}
