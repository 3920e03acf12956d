package fib

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/fake"
)

// bench is a Core over a fake data plane, and a clock that the test moves.
type bench struct {
	*testing.T
	c   *Core
	p   *fake.Provider
	now clock.Instant
}

func newBench(t *testing.T, devices ...string) *bench {
	b := &bench{T: t, c: NewCore(), p: fake.New(devices...)}
	b.p.Pending()
	return b
}

// run works until nothing is due at this instant, and returns the outcomes as
// text.
func (b *bench) run() (said []string) {
	b.Helper()
	for range 1000 {
		for _, ev := range b.p.Pending() {
			b.c.Event(b.now, ev)
		}
		ops := b.c.Next(b.now, 3)
		if len(ops) == 0 {
			for _, o := range b.c.Drain(nil) {
				said = append(said, say(o))
			}
			return said
		}
		b.c.Done(b.now, b.p.Apply(context.Background(), ops))
	}
	b.Fatal("it never comes to rest")
	return nil
}

func say(o Outcome) string {
	verb := "put "
	if o.Object == nil {
		verb = "delete "
	}
	if o.Err != nil {
		return verb + o.Key.String() + ": " + o.Err.Error()
	}
	return verb + o.Key.String()
}

func (b *bench) pass(d time.Duration) { b.now = b.now.Add(d) }

// audit compares with a dump.
func (b *bench) audit(adopt bool) {
	for _, k := range dataplane.Kinds() {
		b.c.BeginDump(k, adopt)
		for o, err := range b.p.Dump(context.Background(), k) {
			if err != nil {
				b.Fatal(err)
			}
			b.c.Dumped(o)
		}
		b.c.EndDump(b.now)
	}
}

func (b *bench) expect(what string, want []string, have []string) {
	b.Helper()
	if d := cmp.Diff(want, have); d != "" {
		b.Errorf("%s (-want +have):\n%s", what, d)
	}
}

// changes returns what the data plane did since the last call.
func (b *bench) changes() (said []string) {
	for _, op := range b.p.Changes() {
		said = append(said, say(Outcome{Key: op.Key, Object: op.Object}))
	}
	return said
}

func aRoute(prefix, device string) dataplane.Route {
	return dataplane.Route{Table: 254, Prefix: netip.MustParsePrefix(prefix), Metric: 20, Protocol: 196,
		NextHops: []dataplane.NextHop{{Device: device, Gateway: netip.MustParseAddr("10.0.0.2")}}}
}

var (
	tunnel0 = dataplane.Tunnel{Name: "Tunnel0", Local: netip.MustParseAddr("192.0.2.1"),
		Attrs: dataplane.Attrs{Admin: dataplane.AdminUp, MTU: 1400}}
	address0  = dataplane.Addr{Device: "Tunnel0", Prefix: netip.MustParsePrefix("10.0.0.1/24")}
	neighbor0 = dataplane.Neighbor{Device: "Tunnel0", Addr: netip.MustParseAddr("10.0.0.2"), NBMA: netip.MustParseAddr("192.0.2.2")}
	route0    = aRoute("203.0.113.0/24", "Tunnel0")
	forward   = dataplane.Sysctl{Path: "ipv4/ip_forward", Value: "1"}
	filter0   = dataplane.Sysctl{Path: "ipv4/conf/Tunnel0/rp_filter", Value: "2"}
)

const (
	saidRoute    = "route 203.0.113.0/24 table 254 metric 20"
	saidAddress  = "address 10.0.0.1/24 on Tunnel0"
	saidNeighbor = "neighbor 10.0.0.2 on Tunnel0"
	saidFilter   = "sysctl ipv4/conf/Tunnel0/rp_filter"
)

var all = []dataplane.Object{neighbor0, route0, filter0, address0, tunnel0, forward}

func (b *bench) putAll() {
	for _, o := range all {
		b.c.Put(o)
	}
}

func TestOrder(t *testing.T) {
	b := newBench(t)
	b.putAll()
	b.expect("puts", []string{"put sysctl ipv4/ip_forward", "put tunnel Tunnel0", "put " + saidFilter,
		"put " + saidAddress, "put " + saidRoute, "put " + saidNeighbor}, b.run())
	b.c.DeleteAll()
	b.expect("deletes", []string{"delete " + saidNeighbor, "delete " + saidRoute, "delete " + saidAddress,
		"delete " + saidFilter, "delete tunnel Tunnel0", "delete sysctl ipv4/ip_forward"}, b.run())
	if b.c.entries.Len() != 0 {
		t.Errorf("%d entries are left", b.c.entries.Len())
	}
}

// TestClamp: a clamp comes before what sends packets to its device, and again
// with another device of the name.
func TestClamp(t *testing.T) {
	b := newBench(t)
	clamp := dataplane.MSSClamp{Device: "Tunnel0", MSS: 1360}
	for _, o := range []dataplane.Object{address0, clamp, tunnel0} {
		b.c.Put(o)
	}
	b.expect("puts", []string{"put tunnel Tunnel0", "put MSS clamp on Tunnel0", "put " + saidAddress}, b.run())
	b.changes()
	b.p.RemoveDevice("Tunnel0")
	b.pass(time.Minute)
	b.run()
	b.expect("puts again", []string{"put tunnel Tunnel0", "put MSS clamp on Tunnel0", "put " + saidAddress}, b.changes())
	b.p.Steal(clamp.Key())
	b.pass(time.Minute)
	b.run()
	b.expect("put back", []string{"put MSS clamp on Tunnel0"}, b.changes())
	b.c.DeleteAll()
	b.expect("deletes", []string{"delete " + saidAddress, "delete MSS clamp on Tunnel0", "delete tunnel Tunnel0"}, b.run())
}

// TestMulticast: peers come after their replicator, wait for it, and go with it.
func TestMulticast(t *testing.T) {
	b := newBench(t)
	replicator := dataplane.Multicast{Device: "Tunnel0"}
	peer := dataplane.MulticastPeer{Device: "Tunnel0", NBMA: netip.MustParseAddr("192.0.2.2")}
	const putBoth, saidPeer = "put multicast replicator on Tunnel0", "put multicast peer 192.0.2.2 on Tunnel0"
	for _, o := range []dataplane.Object{peer, neighbor0, address0, replicator, tunnel0} {
		b.c.Put(o)
	}
	b.expect("puts", []string{"put tunnel Tunnel0", putBoth, "put " + saidAddress, "put " + saidNeighbor, saidPeer}, b.run())
	b.c.Delete(replicator.Key())
	b.expect("without", []string{"delete multicast replicator on Tunnel0", saidPeer + ": multicast peer 192.0.2.2 on Tunnel0: " + dataplane.ErrNoMulticast.Error()}, b.run())
	if r := b.c.Stats().Refused; len(r) != 1 || r[0].Object != "multicast peer 192.0.2.2 on Tunnel0" || r[0].Error == "" {
		t.Errorf("refused: %+v", r)
	}
	b.c.Put(replicator)
	b.expect("at once again", []string{putBoth, saidPeer}, b.run())
	if r := b.c.Stats().Refused; r != nil {
		t.Errorf("still refused: %+v", r)
	}
	b.changes()
	b.p.Steal(replicator.Key())
	b.pass(time.Minute)
	b.run()
	b.expect("put back", []string{putBoth}, b.changes())
	b.p.RemoveDevice("Tunnel0")
	b.pass(time.Minute)
	b.run()
	b.expect("puts again", []string{"put tunnel Tunnel0", putBoth, "put " + saidAddress, "put " + saidNeighbor, saidPeer}, b.changes())
}

// TestMulticastAdopted: the peers of an earlier life stay until they are swept.
func TestMulticastAdopted(t *testing.T) {
	b := newBench(t)
	replicator := dataplane.Multicast{Device: "Tunnel0"}
	peers := []dataplane.MulticastPeer{{Device: "Tunnel0", NBMA: netip.MustParseAddr("192.0.2.2")}, {Device: "Tunnel0", NBMA: netip.MustParseAddr("192.0.2.3")}}
	for _, o := range []dataplane.Object{tunnel0, replicator, peers[0], peers[1]} {
		b.c.Put(o)
	}
	b.run()
	b.changes()
	b.c = NewCore()
	b.audit(true)
	for _, o := range []dataplane.Object{tunnel0, replicator, peers[1]} {
		b.c.Put(o)
	}
	b.run()
	b.expect("without a change", nil, b.changes())
	b.c.Sweep(nil)
	b.run()
	b.expect("swept", []string{"delete multicast peer 192.0.2.2 on Tunnel0"}, b.changes())
}

func TestCoalescing(t *testing.T) {
	b := newBench(t, "eth0")
	r := aRoute("203.0.113.0/24", "eth0")
	for i := range 1000 {
		r.Protocol = []uint8{196, 192}[i%2]
		b.c.Put(r)
		b.c.Delete(r.Key())
		b.c.Put(r)
	}
	if n := b.c.Pending(); n > 2 {
		t.Errorf("%d places in the queues for one object", n)
	}
	b.expect("outcome", []string{"put " + saidRoute}, b.run())
	b.expect("change", []string{"put " + saidRoute}, b.changes())
	b.c.Put(r)
	b.expect("outcome of the same again", []string{"put " + saidRoute}, b.run())
	b.expect("change", nil, b.changes())
}

func TestChangeOfMindInFlight(t *testing.T) {
	b := newBench(t, "eth0")
	r := aRoute("203.0.113.0/24", "eth0")
	b.c.Put(r)
	ops := b.c.Next(0, 10)
	b.c.Delete(r.Key())
	b.c.Done(0, b.p.Apply(context.Background(), ops))
	b.expect("outcome", []string{"delete " + saidRoute}, b.run())
	b.expect("changes", []string{"put " + saidRoute, "delete " + saidRoute}, b.changes())

	b.c.Put(r)
	ops = b.c.Next(0, 10)
	b.c.Event(0, dataplane.LinkGone{Name: "eth0"}) // and came again at once
	b.c.Done(0, b.p.Apply(context.Background(), ops))
	b.p.Forget(func() { b.p.Steal(r.Key()) })
	b.expect("outcome", []string{"put " + saidRoute, "put " + saidRoute}, b.run())
	if b.p.Changes(); b.c.entries.Len() != 1 {
		t.Errorf("%d entries", b.c.entries.Len())
	}
}

func TestBackOff(t *testing.T) {
	b := newBench(t, "eth0")
	full := errors.New("no space")
	b.p.FailWith(func(dataplane.Op) error { return full })
	b.c.Put(aRoute("203.0.113.0/24", "eth0"))
	var waits []time.Duration
	for range 9 {
		b.expect("outcome", []string{"put " + saidRoute + ": no space"}, b.run())
		at := b.c.Wake(b.now)
		waits = append(waits, at.Sub(b.now))
		b.now = at - 1
		b.expect("too early", nil, b.run())
		b.now = at
	}
	s := time.Second
	if d := cmp.Diff([]time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s, 60 * s}, waits); d != "" {
		t.Error(d)
	}
	b.p.FailWith(nil)
	b.expect("outcome", []string{"put " + saidRoute}, b.run())
	if s := b.c.Stats(); s.Failed != 0 || s.Failures != 9 || s.Puts != 1 || s.Installed != 1 || b.c.Wake(b.now) != clock.Never {
		t.Errorf("%+v", s)
	}
}

func TestInvalidWaitsLongest(t *testing.T) {
	b := newBench(t)
	b.c.Put(dataplane.Tunnel{Name: "Tunnel0"})
	b.run()
	if at := b.c.Wake(b.now); at != clock.Instant(RetryMax) {
		t.Errorf("next try at %v", at)
	}
}

func TestRetryWhenDeviceComes(t *testing.T) {
	b := newBench(t)
	b.c.Put(aRoute("203.0.113.0/24", "eth9"))
	b.expect("without the device", []string{"put " + saidRoute + ": eth9: no such device"}, b.run())
	b.p.AddDevice("eth8")
	b.expect("another device", nil, b.run())
	b.p.AddDevice("eth9")
	b.expect("the device", []string{"put " + saidRoute}, b.run())
	b.p.SetUp("eth9", false)
	b.expect("down", []string{"put " + saidRoute + ": eth9: network is down"}, b.run())
	b.p.SetUp("eth9", true)
	b.expect("up", []string{"put " + saidRoute}, b.run())
	b.p.RemoveDevice("eth9")
	b.p.AddDevice("eth9")
	b.expect("another of that name", []string{"put " + saidRoute}, b.run())
}

func TestRetryWhenAddressComes(t *testing.T) {
	b := newBench(t, "eth0")
	b.p.FailWith(func(op dataplane.Op) error {
		if op.Key.Kind == dataplane.KindRoute {
			return errors.New("invalid gateway")
		}
		return nil
	})
	b.c.Put(aRoute("203.0.113.0/24", "eth0"))
	b.run()
	b.p.FailWith(nil)
	b.c.Put(dataplane.Addr{Device: "eth0", Prefix: netip.MustParsePrefix("10.0.0.1/24")})
	b.expect("outcome", []string{"put address 10.0.0.1/24 on eth0", "put " + saidRoute}, b.run())
}

func TestTunnelLostByOthers(t *testing.T) {
	b := newBench(t)
	b.putAll()
	b.run()
	b.changes()
	b.p.RemoveDevice("Tunnel0")
	b.pass(time.Minute)
	b.run()
	b.pass(time.Minute)
	b.run()
	b.expect("all of it came again", []string{"put tunnel Tunnel0", "put " + saidFilter, "put " + saidAddress,
		"put " + saidRoute, "put " + saidNeighbor}, b.changes())
}

// TestUnderlayComesAgain has the device vanish that a tunnel is bound to: the
// kernel goes on with the index of the dead one, so the tunnel must be put again.
func TestUnderlayComesAgain(t *testing.T) {
	b := newBench(t, "ppp0")
	bound := tunnel0
	bound.Underlay = "ppp0"
	b.c.Put(bound)
	b.run()
	b.pass(time.Hour)
	b.run()
	b.pass(time.Hour)
	b.p.RemoveDevice("ppp0")
	b.expect("gone", []string{"put tunnel Tunnel0: ppp0: no such device"}, b.run())
	b.p.AddDevice("ppp0")
	b.expect("come again", []string{"put tunnel Tunnel0"}, b.run())
}

func TestPutBack(t *testing.T) {
	b := newBench(t)
	b.putAll()
	b.run()
	b.pass(time.Hour)
	b.run()
	b.changes()
	b.p.Steal(route0.Key())
	b.expect("stolen", []string{"put " + saidRoute}, b.run())
	b.p.Steal(route0.Key())
	b.expect("stolen again at once", nil, b.run())
	b.pass(PutBackMin)
	b.expect("a second later", []string{"put " + saidRoute}, b.run())
	foreign := route0
	foreign.Protocol = 4
	b.pass(time.Hour)
	b.p.PutForeign(foreign)
	b.expect("taken", []string{"put " + saidRoute}, b.run())
	if b.c.counters.PutBack != 3 {
		t.Errorf("%+v", b.c.counters)
	}
}

func TestAudit(t *testing.T) {
	b := newBench(t, "eth0")
	b.putAll()
	b.run()
	b.pass(time.Hour)
	b.run()
	b.audit(false)
	b.expect("nothing wrong", nil, b.run())
	stray := aRoute("198.51.100.0/24", "eth0")
	foreign := aRoute("192.168.0.0/16", "eth0")
	foreign.Protocol = 4
	b.changes()
	b.p.Forget(func() {
		b.p.Steal(route0.Key())
		b.p.SetUp("Tunnel0", false) // takes the neighbour along
		b.p.Apply(context.Background(), []dataplane.Op{dataplane.Put(stray)})
		b.p.PutForeign(foreign)
	})
	b.changes()
	b.audit(false)
	b.run()
	b.expect("repairs", []string{"delete route 198.51.100.0/24 table 254 metric 20", "put tunnel Tunnel0",
		"put " + saidRoute, "put " + saidNeighbor}, b.changes())
	if c := b.c.counters; c.Repaired != 3 || c.Strays != 1 {
		t.Errorf("%+v", c)
	}
	b.audit(false)
	b.expect("nothing wrong", nil, b.changes())
}

func TestAdoptAndSweep(t *testing.T) {
	b := newBench(t, "eth0")
	b.putAll()
	gone := aRoute("198.51.100.0/24", "eth0")
	ospf := aRoute("198.51.101.0/24", "eth0")
	ospf.Protocol = 188
	old := aRoute("198.51.102.0/24", "eth0")
	b.c.Put(gone)
	b.c.Put(ospf)
	b.c.Put(old)
	foreign := aRoute("192.168.0.0/16", "eth0")
	foreign.Protocol = 4
	b.p.PutForeign(foreign)
	b.run()
	b.changes()

	// Another life begins.
	b.c = NewCore()
	b.audit(true)
	if s := b.c.Stats(); s.Stale != 9 || s.Queued != 0 { // 6 and 3 routes
		t.Errorf("%+v", s)
	}
	b.putAll()
	changed := old
	changed.Protocol = 192
	b.c.Put(changed)
	b.audit(false) // must not take stale ones for strays
	b.run()
	b.expect("what is as wanted is not written", []string{"put route 198.51.102.0/24 table 254 metric 20"}, b.changes())
	if b.c.counters.Kept != 6 {
		t.Errorf("%+v", b.c.counters)
	}
	n := b.c.Sweep(func(o dataplane.Object) bool { r, ok := o.(dataplane.Route); return ok && r.Protocol == 196 })
	b.run()
	b.expect("sweep of static routes", []string{"delete route 198.51.100.0/24 table 254 metric 20"}, b.changes())
	if n != 1 {
		t.Errorf("swept %d", n)
	}
	b.c.Sweep(nil)
	b.run()
	b.expect("sweep", []string{"delete route 198.51.101.0/24 table 254 metric 20"}, b.changes())
	b.c.DeleteAll()
	b.run()
	if d := cmp.Diff(1, len(b.routes())); d != "" {
		t.Errorf("the foreign route alone should be left: %v", b.routes())
	}
}

func (b *bench) routes() (rs []dataplane.Object) {
	for o := range b.p.Dump(context.Background(), dataplane.KindRoute) {
		rs = append(rs, o)
	}
	return rs
}

func TestForeignInPlaceOfStale(t *testing.T) {
	b := newBench(t, "eth0")
	r := aRoute("203.0.113.0/24", "eth0")
	b.p.Apply(context.Background(), []dataplane.Op{dataplane.Put(r)})
	b.audit(true)
	foreign := r
	foreign.Protocol = 4
	b.p.Forget(func() { b.p.PutForeign(foreign) })
	b.audit(false)
	b.c.Sweep(nil)
	b.run()
	if rs := b.routes(); len(rs) != 1 || !rs[0].Equal(foreign) {
		t.Errorf("somebody else's route was swept: %v", rs)
	}
}

func TestFailedDelete(t *testing.T) {
	b := newBench(t, "eth0")
	r := aRoute("203.0.113.0/24", "eth0")
	b.c.Put(r)
	b.run()
	b.p.FailWith(func(dataplane.Op) error { return errors.New("busy") })
	b.c.Delete(r.Key())
	b.expect("outcome", []string{"delete " + saidRoute + ": busy"}, b.run())
	b.p.FailWith(nil)
	b.pass(time.Second)
	b.expect("outcome", []string{"delete " + saidRoute}, b.run())
	if b.c.entries.Len() != 0 || len(b.routes()) != 0 {
		t.Error("something is left")
	}
}

// TestUnsupportedIsNotThere takes back what the data plane cannot do: that it cannot
// remove it either is no failure, for nothing is there.
func TestUnsupportedIsNotThere(t *testing.T) {
	b := newBench(t, "eth0")
	b.p.FailWith(func(dataplane.Op) error { return dataplane.ErrUnsupported })
	r := aRoute("203.0.113.0/24", "eth0")
	b.c.Put(r)
	b.expect("outcome", []string{"put " + saidRoute + ": " + dataplane.ErrUnsupported.Error()}, b.run())
	b.c.Delete(r.Key())
	b.expect("outcome", []string{"delete " + saidRoute}, b.run())
	if b.c.entries.Len() != 0 || b.c.Stats().Failed != 0 {
		t.Errorf("something is left: %+v", b.c.Stats())
	}
}

// TestAddressOfDormantTunnel: the kernel makes a route of an address, which a dormant
// tunnel is not to have, so the tunnel is put again; one that is awake is not.
func TestAddressOfDormantTunnel(t *testing.T) {
	for _, dormant := range []bool{true, false} {
		b := newBench(t)
		tunnel := tunnel0
		tunnel.Dormant = dormant
		b.c.Put(tunnel)
		for range 2 { // the device that came is looked at again
			b.run()
			b.pass(time.Minute)
		}
		b.c.Put(address0)
		want := []string{"put " + saidAddress}
		if dormant {
			want = append(want, "put tunnel Tunnel0")
		}
		b.expect("puts", want, b.run())
	}
}
