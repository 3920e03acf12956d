package rib_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	lib "github.com/godmvpn/godmvpn/lib/rib"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

var compareNetip = []cmp.Option{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

// world is a RIB with everything around it: the naive model, a FIB and daemons
// that believe the effects.
type world struct {
	t      *rapid.T
	core   *rib.Core
	twin   *rib.Core // gets the same inputs, to prove determinism
	now    clock.Instant
	model  naive
	stale  map[string]map[lib.Key]bool
	limit  map[string]clock.Instant
	seq    map[string]uint64
	acked  map[string]uint64
	fib    map[lib.Key]rib.FIBPut
	nbrs   map[lib.Key]lib.Object // neighbours, multicast peers and shapers
	answer map[lib.Key]rib.Result // pending, by key: the FIB coalesces
	routes map[told]map[netip.Prefix]lib.Route
	hops   map[told]lib.NextHopChanged
	// unsettled is set once recursion was too circular to come to rest: the
	// prefix held inactive then need not be what the rules give.
	unsettled bool
	adding    bool // a watch is being added: the whole picture may be repeated
}

type told struct {
	owner string
	watch lib.Watch
}

var (
	owners    = []string{"bgpd", "nhrpd", "ospfd", "static"}
	modelNets = []string{
		"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.1/32", "10.1.1.4/30", "10.2.0.0/16", "10.2.2.0/24",
		"20.0.0.0/8", "20.1.0.0/16", "20.1.1.0/24", "30.0.0.0/8",
	}
	modelHosts = []string{"10.1.1.1", "10.1.1.5", "10.2.2.2", "10.3.3.3", "20.1.1.1", "20.2.2.2", "30.0.0.1"}
	modelAddrs = []string{"10.1.1.1/24", "10.1.1.6/30", "10.2.2.1/24", "20.1.1.1/32", "20.1.9.9/16", "10.1.1.1/24"}
	modelIfs   = []string{"e0", "e1", "e2"}
	modelVRFs  = []string{"", "", "", "RED"}
)

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, core: rib.New(rib.Options{Trace: true}), twin: rib.New(rib.Options{Trace: true}),
		model: naive{map[string]map[lib.Key]lib.Object{}, map[string]lib.Interface{}},
		stale: map[string]map[lib.Key]bool{}, limit: map[string]clock.Instant{},
		seq: map[string]uint64{}, acked: map[string]uint64{}, fib: map[lib.Key]rib.FIBPut{},
		nbrs: map[lib.Key]lib.Object{}, answer: map[lib.Key]rib.Result{},
		routes: map[told]map[netip.Prefix]lib.Route{}, hops: map[told]lib.NextHopChanged{},
	}
	for _, o := range owners {
		w.model.objects[o] = map[lib.Key]lib.Object{}
		w.stale[o] = map[lib.Key]bool{}
	}
	return w
}

// TestModel drives the core with arbitrary inputs. After each, what its
// effects add up to must be what the naive model computes.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"put":       w.put,
			"put2":      w.put,
			"put3":      w.put,
			"delete":    w.delete,
			"interface": w.iface,
			"gone":      w.gone,
			"watch":     w.watch,
			"unwatch":   w.unwatch,
			"lost":      w.lost,
			"replayed":  w.replayed,
			"advance":   w.advance,
			"fib":       func(*rapid.T) { w.answerAll(rapid.Bool().Draw(t, "fail")) },
			"":          w.check,
		})
		w.tearDown()
	})
}

func pick[T any](t *rapid.T, name string, of []T) T { return rapid.SampledFrom(of).Draw(t, name) }

func (w *world) hop(t *rapid.T) lib.NextHop {
	var nh lib.NextHop
	kind := rapid.IntRange(0, 9).Draw(t, "hop")
	switch {
	case kind < 6:
		nh.Addr = netip.MustParseAddr(pick(t, "gateway", modelHosts))
	case kind < 7:
		nh.Interface = pick(t, "out", modelIfs)
	default:
		nh.Addr = netip.MustParseAddr(pick(t, "gateway", modelHosts))
		nh.Interface = pick(t, "out", modelIfs)
		nh.OnLink = kind == 9
	}
	if rapid.IntRange(0, 7).Draw(t, "leave") == 0 {
		nh.LeaveVRF, nh.VRF = true, pick(t, "hop VRF", modelVRFs)
	}
	nh.Weight = uint16(rapid.IntRange(0, 2).Draw(t, "weight"))
	return nh
}

func (w *world) object(t *rapid.T, owner string) lib.Object {
	vrf, prefix := pick(t, "VRF", modelVRFs), netip.MustParsePrefix(pick(t, "prefix", modelNets))
	if owner == "nhrpd" {
		switch rapid.IntRange(0, 8).Draw(t, "neighbor") {
		case 6:
			return lib.SA{Epoch: uint64(rapid.IntRange(0, 1).Draw(t, "epoch")), ESP: lib.ESP{Source: netip.MustParseAddr("192.0.2.1"),
				Destination: netip.MustParseAddr("192.0.2.2"), SPI: uint32(rapid.IntRange(256, 258).Draw(t, "SPI")), Cipher: lib.AESGCM16, Window: 64}}
		case 7:
			return lib.Policy{Local: netip.MustParseAddr("192.0.2.1"), Peer: netip.MustParsePrefix(pick(t, "alias", []string{"240.0.0.1/32", "240.0.0.2/32"})),
				Outer: netip.MustParseAddr(pick(t, "of", []string{"192.0.2.2", "192.0.2.3"}))}
		case 0:
			return lib.MulticastPeer{Interface: pick(t, "on", modelIfs), NBMA: netip.MustParseAddr(pick(t, "NBMA", modelHosts))}
		case 5:
			return lib.LineProtocol{Interface: pick(t, "on", modelIfs), Down: rapid.Bool().Draw(t, "down")}
		case 4:
			return lib.Shaper{Interface: pick(t, "on", modelIfs), NBMA: netip.MustParseAddr(pick(t, "NBMA", modelHosts)),
				Rate: uint64(rapid.IntRange(1, 3).Draw(t, "rate")), Policy: "P"}
		case 1:
			return lib.Neighbor{
				Interface: pick(t, "on", modelIfs), Addr: netip.MustParseAddr(pick(t, "neighbor", modelHosts)),
				NBMA: netip.MustParseAddr(pick(t, "NBMA", modelHosts)),
			}
		}
		return lib.Override{VRF: vrf, Prefix: prefix, Protocol: lib.NHRP, Distance: 250, NextHop: w.hop(t)}
	}
	proto := map[string]lib.Protocol{"bgpd": lib.BGP, "ospfd": lib.OSPF, "static": lib.Static}[owner]
	r := lib.Route{
		VRF: vrf, Prefix: prefix, Protocol: proto, Distance: pick(t, "distance", []uint8{proto.Distance(), 1, 200, 255}),
		Metric: uint32(rapid.IntRange(0, 1).Draw(t, "metric")), Instance: uint32(rapid.IntRange(0, 1).Draw(t, "instance")),
		NextHops: []lib.NextHop{w.hop(t)},
	}
	switch rapid.IntRange(0, 9).Draw(t, "hops") {
	case 0, 1:
		r.NextHops = append(r.NextHops, w.hop(t))
	case 2:
		r.NextHops = []lib.NextHop{{Discard: true}}
	}
	return r
}

func (w *world) put(t *rapid.T) {
	owner := pick(t, "owner", owners)
	obj := w.object(t, owner)
	w.seq[owner]++
	w.model.objects[owner][obj.Key()] = obj
	delete(w.stale[owner], obj.Key())
	w.step(rib.Put{Owner: owner, Seq: w.seq[owner], Object: obj})
}

func (w *world) delete(t *rapid.T) {
	owner := pick(t, "owner", owners)
	keys := w.keys(owner)
	if len(keys) == 0 {
		t.Skip("nothing to delete")
	}
	w.deleteKey(owner, pick(t, "key", keys))
}

// keys returns the keys of an owner's objects in some fixed order.
func (w *world) keys(owner string) []lib.Key {
	return slices.SortedFunc(maps.Keys(w.model.objects[owner]), func(a, b lib.Key) int {
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
}

func (w *world) deleteKey(owner string, key lib.Key) {
	w.seq[owner]++
	delete(w.model.objects[owner], key)
	delete(w.stale[owner], key)
	w.step(rib.Delete{Owner: owner, Seq: w.seq[owner], Key: key})
}

func (w *world) iface(t *rapid.T) {
	i := lib.Interface{Name: pick(t, "name", modelIfs), Up: rapid.IntRange(0, 3).Draw(t, "up") > 0, VRF: pick(t, "VRF", modelVRFs)}
	for range rapid.IntRange(0, 2).Draw(t, "addresses") {
		i.Addresses = append(i.Addresses, lib.Address{Prefix: netip.MustParsePrefix(pick(t, "address", modelAddrs))})
	}
	w.model.interfaces[i.Name] = i
	w.step(rib.InterfaceChanged{Interface: i})
}

func (w *world) gone(t *rapid.T) {
	name := pick(t, "name", modelIfs)
	delete(w.model.interfaces, name)
	w.step(rib.InterfaceGone{Name: name})
}

func (w *world) watchOf(t *rapid.T) told {
	k := told{owner: pick(t, "owner", owners)}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		k.watch = lib.Watch{Kind: lib.WatchNextHop, VRF: pick(t, "VRF", modelVRFs), Addr: netip.MustParseAddr(pick(t, "addr", modelHosts))}
		return k
	case 1:
		k.watch = lib.Watch{Kind: lib.WatchNetwork, VRF: pick(t, "VRF", modelVRFs), Prefix: netip.MustParsePrefix(pick(t, "network", modelNets))}
		return k
	}
	k.watch = lib.Watch{
		Kind: lib.WatchRedistribute, VRF: pick(t, "VRF", modelVRFs), Family: lib.IPv4,
		Protocol: pick(t, "protocol", []lib.Protocol{lib.Connected, lib.Static, lib.OSPF, lib.NHRP}),
		Instance: uint32(rapid.IntRange(0, 1).Draw(t, "instance")),
	}
	return k
}

func (w *world) watch(t *rapid.T) {
	k := w.watchOf(t)
	if k.watch.Kind != lib.WatchNextHop {
		w.routes[k] = map[netip.Prefix]lib.Route{}
	} else {
		w.hops[k] = lib.NextHopChanged{}
	}
	w.adding = true
	w.step(rib.WatchAdd{Owner: k.owner, Watch: k.watch})
	w.adding = false
}

func (w *world) unwatch(t *rapid.T) {
	k := w.watchOf(t)
	delete(w.routes, k)
	delete(w.hops, k)
	w.step(rib.WatchDel{Owner: k.owner, Watch: k.watch})
}

func (w *world) lost(t *rapid.T) {
	owner := pick(t, "owner", owners)
	if len(w.stale[owner]) == 0 && len(w.model.objects[owner]) > 0 {
		w.limit[owner] = w.now.Add(time.Minute)
	}
	for k := range w.model.objects[owner] {
		w.stale[owner][k] = true
	}
	maps.DeleteFunc(w.routes, func(k told, _ map[netip.Prefix]lib.Route) bool { return k.owner == owner })
	maps.DeleteFunc(w.hops, func(k told, _ lib.NextHopChanged) bool { return k.owner == owner })
	w.seq[owner], w.acked[owner] = 0, 0
	w.step(rib.OwnerLost{Owner: owner, Limit: time.Minute})
}

func (w *world) sweep(owner string) {
	for k := range w.stale[owner] {
		delete(w.model.objects[owner], k)
	}
	clear(w.stale[owner])
	delete(w.limit, owner)
}

func (w *world) replayed(t *rapid.T) {
	owner := pick(t, "owner", owners)
	w.sweep(owner)
	w.step(rib.EndOfReplay{Owner: owner})
}

func (w *world) advance(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
	for owner, at := range w.limit {
		if at <= w.now {
			w.sweep(owner)
		}
	}
	w.step(rib.Tick{})
}

func (w *world) answerAll(fail bool) {
	var results []rib.Result
	for _, r := range w.answer {
		if fail && r.Gen%3 == 0 {
			r.Error = "no"
		}
		results = append(results, r)
	}
	slices.SortFunc(results, func(a, b rib.Result) int { return int(a.Gen) - int(b.Gen) })
	clear(w.answer)
	w.step(rib.Installed{Results: results})
	for owner, seq := range w.seq {
		if w.acked[owner] != seq {
			w.t.Fatalf("%s: acked up to %d, not %d, after the FIB answered", owner, w.acked[owner], seq)
		}
	}
}

// step steps the core and its twin and believes the effects.
func (w *world) step(in rib.Input) {
	w.core.Step(w.now, in)
	w.twin.Step(w.now, in)
	effects, twin := w.core.Drain(nil), w.twin.Drain(nil)
	w.t.Logf("%s", describeInput(in))
	for _, e := range effects {
		w.t.Logf("    %s", formatEffect(e))
	}
	if d := cmp.Diff(effects, twin, compareNetip...); d != "" {
		w.t.Fatalf("the same inputs had other effects:\n%s", d)
	}
	for _, e := range effects {
		w.believe(e)
	}
}

func (w *world) believe(e rib.Effect) {
	switch e := e.(type) {
	case rib.FIBPut:
		k, old := e.Key(), w.fib[e.Key()]
		if old.Gen != 0 && old.Protocol == e.Protocol && old.Overridden == e.Overridden && slices.Equal(old.NextHops, e.NextHops) {
			w.t.Fatalf("put again without a change: %s", formatEffect(e))
		}
		w.fib[k] = e
		w.answer[k] = rib.Result{Key: k, Gen: e.Gen}
	case rib.FIBDelete:
		if _, ok := w.fib[e.Key()]; !ok {
			w.t.Fatalf("deleted without need: %s", formatEffect(e))
		}
		delete(w.fib, e.Key())
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.NeighborPut:
		w.nbrs[e.Key()] = e.Neighbor
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.NeighborDelete:
		delete(w.nbrs, e.Key())
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.PeerPut:
		w.nbrs[e.Key()] = e.Peer
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.ShaperPut:
		w.nbrs[e.Key()] = e.Shaper
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.SAPut:
		w.nbrs[e.Key()] = e.SA
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.SADelete:
		delete(w.nbrs, e.Key())
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.PolicyPut:
		w.nbrs[e.Key()] = e.Policy
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.PolicyDelete:
		delete(w.nbrs, e.Key())
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.ShaperDelete:
		delete(w.nbrs, e.Key())
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.PeerDelete:
		delete(w.nbrs, e.Key())
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.LinePut:
		w.nbrs[e.Key()] = e.Line
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.LineDelete:
		delete(w.nbrs, e.Key())
		w.answer[e.Key()] = rib.Result{Key: e.Key(), Gen: e.Gen}
	case rib.ToOwner:
		w.hear(e)
	case rib.Trace:
		if e.Event == rib.TraceUnsettled {
			w.unsettled = true
		}
	}
}

func (w *world) hear(e rib.ToOwner) {
	switch ev := e.Event.(type) {
	case lib.Ack:
		if ev.Seq < w.acked[e.Owner] || ev.Seq > w.seq[e.Owner] {
			w.t.Fatalf("%s: ack %d after %d, of %d", e.Owner, ev.Seq, w.acked[e.Owner], w.seq[e.Owner])
		}
		w.acked[e.Owner] = ev.Seq
	case lib.RouteChanged:
		have, ok := w.routes[told{e.Owner, ev.Watch}]
		if !ok {
			w.t.Fatalf("%s: unasked: %s", e.Owner, formatEvent(ev))
		}
		old, known := have[ev.Route.Prefix]
		if ev.Withdrawn != known && ev.Withdrawn || known && !ev.Withdrawn && old.Equal(ev.Route) {
			w.t.Fatalf("%s: no change: %s", e.Owner, formatEvent(ev))
		}
		have[ev.Route.Prefix] = ev.Route
		if ev.Withdrawn {
			delete(have, ev.Route.Prefix)
		}
	case lib.NextHopChanged:
		k := told{e.Owner, ev.Watch}
		if old, ok := w.hops[k]; !ok || !w.adding && cmp.Equal(old, ev, compareNetip...) {
			w.t.Fatalf("%s: no change, or unasked: %s", e.Owner, formatEvent(ev))
		}
		w.hops[k] = ev
	}
}

// check compares what the effects add up to with the model.
func (w *world) check(t *rapid.T) {
	state := w.coreState()
	entries := w.model.entries()
	for p, list := range entries {
		want, _ := w.model.choose(state, p, list)
		if got := state[p]; !got.equal(want) && !w.unsettled {
			t.Fatalf("%v: at rest with %s, but the rules give %s", p, got, want)
		}
	}
	for p := range state {
		if entries[p] == nil {
			t.Fatalf("%v is selected, and nobody states it", p)
		}
	}
	if scratch, ok := w.model.solve(); ok && !w.unsettled {
		w.compareScratch(t, state, scratch)
	}
	w.checkEffects(t, state, entries)
}

// compareScratch compares what is selected with what is computed from nothing.
// A circle that came to be when a way out went may still be known as such,
// where from nothing its members are merely unreachable: neither forwards.
func (w *world) compareScratch(t *rapid.T, state, scratch map[place]choice) {
	for p, got := range state {
		if want := scratch[p]; got.best != nil && !got.equal(want) {
			t.Fatalf("%v: %s, computed anew: %s", p, got, want)
		}
	}
	for p, want := range scratch {
		if got := state[p]; want.best != nil && !got.equal(want) {
			t.Fatalf("%v: %s, computed anew: %s", p, got, want)
		}
	}
}

func (c choice) String() string {
	s := "nothing"
	if c.best != nil {
		s = fmt.Sprintf("%s %s %s depth %d", c.best.owner, protoName(c.best.route), hopsString(c.hops), c.depth)
	}
	if c.over != nil {
		s += " over " + hopsString(c.overHops)
	}
	if c.loop {
		s += " loop"
	}
	return s
}

// coreState reads what the core has selected, in the model's terms.
func (w *world) coreState() map[place]choice {
	entries := w.model.entries()
	out := map[place]choice{}
	for _, s := range w.core.States() {
		p := place{s.VRF, s.Prefix}
		c := choice{hops: s.Hops, depth: s.Depth, used: s.Used, loop: s.Loop, overHops: s.OverHops}
		for _, e := range entries[p] {
			if e.override && e.owner == s.OverOwner {
				c.over = e
			}
			same := e.owner == s.Owner && e.origin == s.Origin && e.override == s.IsOverride
			if same && (e.override || e.route.Key() == s.Key) {
				c.best = e
			}
		}
		out[p] = c
	}
	return out
}

func (w *world) checkEffects(t *rapid.T, state map[place]choice, entries map[place][]*entry) {
	fib := map[lib.Key]rib.FIBPut{}
	for p, c := range state {
		if c.best == nil || c.best.route.Protocol == lib.Connected || c.best.route.Protocol == lib.Local {
			continue
		}
		f := rib.FIBPut{VRF: p.vrf, Prefix: p.prefix, Protocol: c.best.route.Protocol, NextHops: c.hops}
		if c.over != nil {
			f.NextHops, f.Overridden = c.overHops, true
		}
		f.Gen = w.fib[f.Key()].Gen
		fib[f.Key()] = f
	}
	if d := cmp.Diff(fib, w.fib, compareNetip...); d != "" {
		t.Fatalf("FIB (-want +got):\n%s", d)
	}
	nbrs := map[lib.Key]lib.Object{}
	for _, objs := range w.model.objects {
		for k, obj := range objs {
			if k.Kind != lib.KindRoute && k.Kind != lib.KindOverride {
				nbrs[k] = obj
			}
		}
	}
	if d := cmp.Diff(nbrs, w.nbrs, compareNetip...); d != "" {
		t.Fatalf("neighbours (-want +got):\n%s", d)
	}
	w.checkWatches(t, state)
	w.checkViews(t, state, entries)
}

func (w *world) checkWatches(t *rapid.T, state map[place]choice) {
	for k, have := range w.routes {
		want := map[netip.Prefix]lib.Route{}
		for p, c := range state {
			if c.best == nil || p.vrf != k.watch.VRF {
				continue
			}
			if r := c.best.route; k.watch.Kind == lib.WatchNetwork && p.prefix == k.watch.Prefix ||
				r.Protocol == k.watch.Protocol && (r.Instance == k.watch.Instance || r.Protocol == lib.Static) {
				want[p.prefix] = c.best.route
			}
		}
		if d := cmp.Diff(want, have, compareNetip...); d != "" {
			t.Fatalf("%v: redistributed (-want +got):\n%s", k, d)
		}
	}
	for k, have := range w.hops {
		want := lib.NextHopChanged{Watch: k.watch}
		if at, ok := w.model.match(state, k.watch.VRF, k.watch.Addr); ok && state[at].routed() {
			c := state[at]
			r := c.best.route
			want.Prefix, want.Protocol, want.Distance, want.Metric = at.prefix, r.Protocol, r.Distance, r.Metric
			nh := lib.NextHop{Addr: k.watch.Addr}
			if r.Protocol == lib.Local || r.Protocol == lib.Connected && w.model.owns(w.model.interfaces[c.best.origin], nh.Addr) {
				want.NextHops = []lib.NextHop{{Interface: c.best.origin}}
			} else {
				want.NextHops = w.model.through(c, at, nh, k.watch.VRF)
			}
		}
		if d := cmp.Diff(want, have, compareNetip...); d != "" {
			t.Fatalf("%v: tracked (-want +got):\n%s", k, d)
		}
	}
}

// checkViews holds the queries against the model.
func (w *world) checkViews(t *rapid.T, state map[place]choice, entries map[place][]*entry) {
	type sum struct{ routes, selected, installed, failed int }
	for _, vrf := range []string{"", "RED"} {
		sums, last := map[lib.Protocol]*sum{}, netip.Prefix{}
		count := func(p lib.Protocol) *sum {
			if sums[p] == nil {
				sums[p] = &sum{}
			}
			return sums[p]
		}
		shown := 0
		for v := range w.core.Routes(vrf, lib.IPv4) {
			page, _ := w.core.Page(vrf, lib.IPv4, last, 1)
			if d := cmp.Diff([]rib.PrefixView{v}, page, compareNetip...); d != "" {
				t.Fatalf("page after %v differs:\n%s", last, d)
			}
			last = v.Prefix
			shown++
			for _, r := range v.Routes {
				if !r.IsOverride {
					count(r.Route.Protocol).routes++
				}
				if (r.Reason == rib.Active) != r.Selected {
					t.Fatalf("%v: selected %v with reason %v", v.Prefix, r.Selected, r.Reason)
				}
			}
			sel, ok := v.Selected()
			if ok != (state[place{vrf, v.Prefix}].best != nil) {
				t.Fatalf("%v: view says selected %v", v.Prefix, ok)
			}
			if ok {
				s := count(sel.Route.Protocol)
				s.selected++
				switch v.FIB {
				case rib.FIBInstalled:
					s.installed++
				case rib.FIBFailed:
					s.failed++
				}
			}
		}
		for p := range entries {
			if p.vrf == vrf {
				shown--
			}
		}
		if shown != 0 {
			t.Fatalf("VRF %q: %d prefixes too many shown", vrf, shown)
		}
		for _, c := range w.core.Summary(vrf, lib.IPv4) {
			if got, want := (sum{c.Routes, c.Selected, c.Installed, c.Failed}), *count(c.Protocol); got != want {
				t.Fatalf("VRF %q %v: counted %+v, want %+v", vrf, c.Protocol, got, want)
			}
			delete(sums, c.Protocol)
		}
		for p, s := range sums {
			if *s != (sum{}) {
				t.Fatalf("VRF %q %v: not counted: %+v", vrf, p, *s)
			}
		}
	}
	for _, o := range w.core.Owners() {
		if o.Owner != rib.OwnerConnected && (o.Objects != len(w.model.objects[o.Owner]) || o.Stale != len(w.stale[o.Owner])) {
			t.Fatalf("%+v, want %d objects, %d stale", o, len(w.model.objects[o.Owner]), len(w.stale[o.Owner]))
		}
	}
	for _, a := range modelHosts {
		at, ok := w.bestMatch(state, netip.MustParseAddr(a))
		if v, found := w.core.Lookup("", netip.MustParseAddr(a)); found != ok || found && v.Prefix != at {
			t.Fatalf("lookup of %s: %v %v, want %v %v", a, v.Prefix, found, at, ok)
		}
	}
}

// bestMatch finds the longest prefix by which a packet is forwarded, be it an
// override's.
func (w *world) bestMatch(state map[place]choice, a netip.Addr) (best netip.Prefix, found bool) {
	for p, c := range state {
		if c.best != nil && p.vrf == "" && p.prefix.Contains(a) && (!found || p.prefix.Bits() > best.Bits()) {
			best, found = p.prefix, true
		}
	}
	return best, found
}

// tearDown removes everything and expects nothing to be left.
func (w *world) tearDown() {
	for _, owner := range owners {
		for k := range w.hops {
			w.step(rib.WatchDel{Owner: k.owner, Watch: k.watch})
		}
		for k := range w.routes {
			w.step(rib.WatchDel{Owner: k.owner, Watch: k.watch})
		}
		clear(w.hops)
		clear(w.routes)
		for _, k := range w.keys(owner) {
			w.deleteKey(owner, k)
		}
	}
	for _, name := range modelIfs {
		w.step(rib.InterfaceGone{Name: name})
	}
	w.answerAll(false)
	for _, owner := range owners {
		w.step(rib.EndOfReplay{Owner: owner})
	}
	if len(w.fib) != 0 || len(w.nbrs) != 0 {
		w.t.Fatalf("left in the FIB: %v %v", w.fib, w.nbrs)
	}
	if err := w.core.Leaks(); err != nil {
		w.t.Fatal(err)
	}
}

func describeInput(in rib.Input) string {
	switch in := in.(type) {
	case rib.Put:
		switch o := in.Object.(type) {
		case lib.Route:
			return fmt.Sprintf("put %s %s %s dist %d metric %d %s", in.Owner, inVRF(o.VRF, o.Prefix), protoName(o), o.Distance, o.Metric, hopsString(o.NextHops))
		case lib.Override:
			return fmt.Sprintf("put %s override %s %s", in.Owner, inVRF(o.VRF, o.Prefix), hopsString([]lib.NextHop{o.NextHop}))
		}
	case rib.InterfaceChanged:
		i := in.Interface
		return fmt.Sprintf("interface %s up %v vrf %q %v", i.Name, i.Up, i.VRF, i.Addresses)
	}
	return fmt.Sprintf("%T %+v", in, in)
}
