// Package dptest is the suite that every dataplane.Provider must pass: what is
// put is what Dump shows; putting it again changes nothing; changes keep what
// they must; what somebody else does is told. A provider's own test calls Run
// with an Env that can make data planes and act on them as somebody else.
package dptest

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// Env is a fresh data plane with somebody else in it. It has a device named
// Under, up, with the address 192.0.2.1/24, that is not ours.
type Env interface {
	Provider() dataplane.Provider
	// Changes returns how many changes of the data plane were seen by somebody
	// else since the last call.
	Changes() int
	// Remove removes an SA, policy, route, neighbour, MSS clamp, multicast replicator, hairpin
	// detector, watch of peer use or all shapers of a device behind the provider's back.
	Remove(dataplane.Object)
	// AddRoute adds a route as somebody else, replacing one with its key.
	AddRoute(dataplane.Route)
	SetUp(device string, up bool)
	// Send has the machine send a packet to a neighbour on a tunnel.
	Send(device string, to netip.Addr)
	AddDevice(name string)
	RemoveDevice(name string)
}

// Under is the device that every Env has.
const Under = "under0"

// ForeignProtocol is a route protocol number that is not ours (RTPROT_STATIC).
const ForeignProtocol = 4

// limit is how long an event may take.
const limit = 10 * time.Second

// Run runs the suite; make is called once for each test. Tests that need what
// the provider cannot do are skipped, naming it.
func Run(t *testing.T, make func(testing.TB) Env) {
	for _, c := range []struct {
		name string
		test func(*T)
	}{
		{"route", testRoute}, {"routes in a batch", testBatch}, {"route to replace", testReplace},
		{"route of two families", testVia}, {"blackhole", testBlackhole}, {"refusals", testRefusals},
		{"address", testAddr}, {"address of others", testForeignAddr},
		{"sysctl", testSysctl}, {"link of others", testExisting}, {"dummy", testDummy}, {"vrf", testVRF},
		{"tunnel", testTunnel}, {"tunnel attributes", testTunnelChange}, {"tunnel mode", testTunnelMode},
		{"tunnel name taken", testTunnelTaken}, {"neighbor", testNeighbor}, {"late device", testLate},
		{"beginning", testBeginning}, {"route gone", testRouteGone}, {"foreign route", testForeignRoute},
		{"link events", testLinkEvents}, {"neighbor gone", testNeighborGone},
		{"mss clamp", testMSSClamp}, {"mss clamp of a tunnel", testTunnelClamp}, {"mss clamp gone", testClampGone},
		{"multicast", testMulticast}, {"multicast refused", testMulticastRefused}, {"multicast of a tunnel", testMulticastTunnel},
		{"multicast gone", testMulticastGone}, {"multicast of a device that goes", testMulticastDevice}, {"multicast and mss clamp", testMulticastClamp},
		{"tunnel over IPv6", testTunnel6}, {"tunnel over IPv6, attributes", testTunnelChange6},
		{"tunnel over IPv6, refused", testTunnelRefused6}, {"tunnel over IPv4, then IPv6", testTunnelTransport}, {"multicast over IPv6", testMulticast6},
		{"hairpin", testHairpin}, {"hairpin gone", testHairpinGone}, {"hairpin and other filters", testHairpinOthers},
		{"peer use", testPeerUse}, {"peer use told", testPeerUseTold}, {"peer use told over IPv6", testPeerUseTold6}, {"peer use gone", testPeerUseGone},
		{"policy", testPolicy}, {"policy refused", testPolicyRefused}, {"policy gone", testPolicyGone}, {"tunnel and its guard", testGuarded},
		{"SA", testSA}, {"SA refused", testSARefused}, {"SA that changes", testSAChange}, {"SA kept", testSAKeep},
		{"SA without keys", testSAKeyless}, {"SA gone", testSAGone}, {"SAs to one address", testSAs},
		{"ESP in UDP", testESPinUDP}, {"ESP in UDP of a VRF that goes", testESPinUDPDevice},
		{"shaper", testShaper}, {"shaper refused", testShaperRefused}, {"shaper of a tunnel", testShaperTunnel},
		{"shaper gone", testShaperGone}, {"shaper of a device that goes", testShaperDevice}, {"shaper and other filters", testShaperOthers},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := make(t)
			c.test(&T{TB: t, Env: e, p: e.Provider()})
		})
	}
}

// T is one test at work.
type T struct {
	testing.TB
	Env
	p    dataplane.Provider
	seen []dataplane.Event
}

// need skips the test if the provider lacks an ability.
func (t *T) need(have bool, what string) {
	t.Helper()
	if !have {
		t.Skipf("%s has no %s", t.p.Caps().Name, what)
	}
}

// apply performs operations and returns their errors.
func (t *T) apply(ops ...dataplane.Op) []error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	results := t.p.Apply(ctx, ops)
	if len(results) != len(ops) {
		t.Fatalf("%d results for %d operations", len(results), len(ops))
	}
	var errs []error
	for _, r := range results {
		errs = append(errs, r.Err)
	}
	return errs
}

// must performs operations that must succeed.
func (t *T) must(ops ...dataplane.Op) {
	t.Helper()
	for i, err := range t.apply(ops...) {
		if err != nil {
			t.Fatalf("%v: %v", ops[i].Key, err)
		}
	}
}

// put puts objects, and again, the second time without any change.
func (t *T) put(objects ...dataplane.Object) {
	t.Helper()
	var ops []dataplane.Op
	for _, o := range objects {
		ops = append(ops, dataplane.Put(o))
	}
	t.must(ops...)
	t.wants(objects...)
	t.Changes()
	t.must(ops...)
	if n := t.Changes(); n != 0 {
		t.Errorf("%d changes when everything was put again", n)
	}
}

// find returns the object with key k that is in force, nil if there is none.
func (t *T) find(k dataplane.Key) (found dataplane.Object) {
	t.Helper()
	for o, err := range t.p.Dump(context.Background(), k.Kind) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Key() == k {
			found = o
		}
	}
	return found
}

// wants checks that the objects are in force.
func (t *T) wants(objects ...dataplane.Object) {
	t.Helper()
	for _, o := range objects {
		if have := t.find(o.Key()); have == nil || !dataplane.Satisfied(o, have) {
			t.Errorf("in force is %+v, wanted %+v", have, o)
		}
	}
}

// gone checks that nothing is in force under the keys.
func (t *T) gone(keys ...dataplane.Key) {
	t.Helper()
	for _, k := range keys {
		if have := t.find(k); have != nil {
			t.Errorf("still in force: %+v", have)
		}
	}
}

// drop deletes objects, and again, the second time without any change.
func (t *T) drop(objects ...dataplane.Object) {
	t.Helper()
	var ops []dataplane.Op
	for i := range objects {
		ops = append(ops, dataplane.Delete(objects[len(objects)-1-i].Key()))
	}
	t.must(ops...)
	t.Changes()
	t.must(ops...)
	if n := t.Changes(); n != 0 {
		t.Errorf("%d changes when everything was deleted again", n)
	}
}

// link returns the latest facts of a device for which ok holds.
func (t *T) link(name string, ok func(dataplane.LinkInfo) bool) (l dataplane.LinkInfo) {
	t.Helper()
	t.event("link "+name, func(ev dataplane.Event) bool {
		c, is := ev.(dataplane.LinkChanged)
		if is && c.Link.Name == name && ok(c.Link) {
			l = c.Link
			return true
		}
		return false
	})
	return l
}

func always(dataplane.LinkInfo) bool { return true }

// event waits for an event, among those that came and those that come.
func (t *T) event(what string, match func(dataplane.Event) bool) {
	t.Helper()
	for i := len(t.seen) - 1; i >= 0; i-- {
		if match(t.seen[i]) {
			return
		}
	}
	timeout := time.After(limit)
	for {
		select {
		case ev, ok := <-t.p.Events():
			if !ok {
				t.Fatalf("events ended while waiting for %s", what)
			}
			t.seen = append(t.seen, ev)
			if match(ev) {
				return
			}
		case <-timeout:
			t.Fatalf("no event: %s; seen: %v", what, t.seen)
		}
	}
}

// forget forgets the events that came so far, up to the first Known.
func (t *T) forget() {
	t.Helper()
	t.event("Known", func(ev dataplane.Event) bool { return ev == dataplane.Known{} })
	t.seen = nil
}

func (t *T) same(what string, want, have any) {
	t.Helper()
	if d := cmp.Diff(want, have, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); d != "" {
		t.Errorf("%s (-want +have):\n%s", what, d)
	}
}

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func ip(s string) netip.Addr    { return netip.MustParseAddr(s) }

// route is a route of ours by a gateway on Under.
func route(prefix string, gateways ...string) dataplane.Route {
	r := dataplane.Route{Table: dataplane.TableMain, Prefix: pfx(prefix), Metric: dataplane.MetricDefault, Protocol: 196}
	for _, g := range gateways {
		r.NextHops = append(r.NextHops, dataplane.NextHop{Device: Under, Gateway: ip(g)})
	}
	return r
}

// mgre is a multipoint tunnel with everything set.
func mgre() dataplane.Tunnel {
	return dataplane.Tunnel{
		Name: "Tunnel0", Local: ip("192.0.2.1"), HasKey: true, GREKey: 100000, TTL: 255, Resolve: true,
		Attrs: dataplane.Attrs{Admin: dataplane.AdminUp, MTU: 1400},
	}
}
