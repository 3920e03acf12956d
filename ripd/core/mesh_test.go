package core_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/core"
)

// mesh is some routers on some wires. A packet arrives at once, or is lost.
type mesh struct {
	routers []*mirror
	wires   [][]int // routers on each
	down    map[int]bool
	dead    map[int]bool // routers that say and hear nothing
	now     clock.Instant
	rng     *rand.Rand
	loss    float64
	queue   []meshPacket
	sent    int
}

type meshPacket struct {
	to int
	rx core.RxPacket
}

func wireName(k int) string { return fmt.Sprintf("Eth%d", k) }

// wireAddr is router r's address on wire k.
func wireAddr(k, r int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(k), byte(r + 1)}) }

// stub is the network that only router r has.
func stub(r int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(r), 0}), 24)
}

func newMesh(seed uint64, routers int, wires [][]int, horizon func(wire, router int) core.SplitHorizon) *mesh {
	m := &mesh{wires: wires, down: map[int]bool{}, dead: map[int]bool{}, rng: rand.New(rand.NewPCG(seed, 1))}
	for r := range routers {
		x := newMirror(seed + uint64(r))
		x.attached = 1
		m.routers = append(m.routers, x)
		cfg := core.Config{Routers: []core.RouterConfig{{Version: 2, MaximumPaths: 16,
			Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.0.0/16")}}}}
		m.step(r, core.Attached{})
		m.step(r, core.InterfaceChanged{Interface: rib.Interface{Name: "Loopback0", Type: rib.TypeLoopback, Up: true, AdminUp: true,
			Addresses: []rib.Address{{Prefix: netip.PrefixFrom(stub(r).Addr().Next(), 24)}}}})
		for k, on := range wires {
			if slices.Contains(on, r) {
				m.link(k, r, true)
				cfg.Interfaces = append(cfg.Interfaces, core.InterfaceConfig{Name: wireName(k), SplitHorizon: horizon(k, r)})
			}
		}
		m.step(r, core.InterfacesKnown{})
		m.step(r, core.ConfigSet{Config: cfg})
	}
	return m
}

func (m *mesh) link(wire, router int, up bool) {
	m.step(router, core.InterfaceChanged{Interface: rib.Interface{Name: wireName(wire), Up: up, AdminUp: true, Multicast: true,
		Addresses: []rib.Address{{Prefix: netip.PrefixFrom(wireAddr(wire, router), 24)}}}})
}

// step hands an input to a router and puts what it sends on the wires.
func (m *mesh) step(r int, in core.Input) {
	x := m.routers[r]
	x.now = m.now
	x.core.Step(m.now, in)
	for _, e := range x.core.Drain(nil) {
		x.effect(e)
		tx, ok := e.(core.TxPacket)
		if !ok || m.dead[r] {
			continue
		}
		m.sent++
		wire := int(tx.Source.As4()[2])
		for _, to := range m.wires[wire] {
			wanted := !tx.Dest.Addr().IsPrivate() || tx.Dest.Addr() == wireAddr(wire, to)
			if !wanted || m.down[wire] || m.dead[to] || m.rng.Float64() < m.loss {
				continue // the sender hears its own multicast
			}
			m.queue = append(m.queue, meshPacket{to, core.RxPacket{Interface: wireName(wire),
				Source: netip.AddrPortFrom(tx.Source, 520), Dest: tx.Dest.Addr(), Packet: slices.Clone(tx.Packet)}})
		}
	}
}

// run lets time pass.
func (m *mesh) run(d time.Duration) {
	end := m.now.Add(d)
	for {
		for len(m.queue) > 0 {
			p := m.queue[0]
			m.queue = m.queue[1:]
			m.step(p.to, p.rx)
		}
		first := -1
		var at clock.Instant
		for r, x := range m.routers {
			if w, ok := x.core.Wake(); ok && (first < 0 || w < at) {
				first, at = r, w
			}
		}
		if first < 0 || at > end {
			m.now = end
			return
		}
		m.now = max(m.now, at)
		m.step(first, core.Tick{})
	}
}

// distances are the hops from a router to all that it can reach.
func (m *mesh) distances(from int) map[int]int {
	dist, next := map[int]int{from: 0}, []int{from}
	for len(next) > 0 {
		r := next[0]
		next = next[1:]
		for k, on := range m.wires {
			if m.down[k] || !slices.Contains(on, r) {
				continue
			}
			for _, o := range on {
				if _, ok := dist[o]; !ok && !m.dead[o] {
					dist[o] = dist[r] + 1
					next = append(next, o)
				}
			}
		}
	}
	return dist
}

// check compares each living router's routes to the stubs with the graph: the
// metric is the distance, and the next hops are all neighbours that are nearer.
func (m *mesh) check(t *rapid.T, when string) {
	for r, x := range m.routers {
		if m.dead[r] {
			continue
		}
		want, got := map[string]string{}, map[string]string{}
		for o, d := range m.distances(r) { // unordered: into a map
			if o == r {
				continue
			}
			var hops []string
			for k, on := range m.wires {
				for _, via := range on {
					if dist, ok := m.distances(via)[o]; slices.Contains(on, r) && !m.down[k] && !m.dead[via] && via != r && ok && dist == d-1 {
						hops = append(hops, wireAddr(k, via).String())
					}
				}
			}
			slices.Sort(hops)
			want[stub(o).String()] = fmt.Sprintf("%d via %v", d, hops)
		}
		for key, route := range x.routes { // unordered: into a map
			if key.Prefix.Addr().As4()[0] != 192 {
				continue
			}
			var hops []string
			for _, h := range route.NextHops {
				hops = append(hops, h.Addr.String())
			}
			slices.Sort(hops)
			got[key.Prefix.String()] = fmt.Sprintf("%d via %v", route.Metric, hops)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s: router %d of %v (-graph +routes):\n%s", when, r, m.wires, d)
		}
		if len(x.trouble) > 0 {
			t.Fatalf("%s: router %d: %v", when, r, x.trouble)
		}
	}
}

// slow is how long a lost destination may be counted to infinity. Where two
// routers take it from each other at the same instant, simple split horizon keeps
// both from saying so, and the timeout of 180 s alone ends it (RFC 2453 section
// 3.4.3); that may happen for every second metric.
const slow = 40 * time.Minute

// TestMesh: routers on any graph, with any split horizon, find the shortest paths,
// all of them (RFC 2453 section 3.4), although packets are lost meanwhile; and find
// them again when a wire breaks, seen by both ends or by nobody, and when a router
// dies.
func TestMesh(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "routers")
		var wires [][]int
		for r := 1; r < n; r++ { // a tree, then some more
			wires = append(wires, []int{rapid.IntRange(0, r-1).Draw(t, "to"), r})
		}
		for range rapid.IntRange(0, 3).Draw(t, "more wires") {
			on := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 2, min(n, 4), rapid.ID).Draw(t, "wire")
			wires = append(wires, on)
		}
		horizons := map[[2]int]core.SplitHorizon{}
		m := newMesh(rapid.Uint64Range(0, 1<<32).Draw(t, "seed"), n, wires, func(k, r int) core.SplitHorizon {
			h, ok := horizons[[2]int{k, r}]
			if !ok {
				h = core.SplitHorizon(pick(t, "split horizon", 0, 0, 1, 2))
				horizons[[2]int{k, r}] = h
			}
			return h
		})
		m.loss = pick(t, "loss", 0, 0.2)
		m.run(3 * time.Minute)
		m.loss = 0
		m.run(2 * time.Minute)
		m.check(t, "at first")

		broken := rapid.IntRange(0, len(wires)-1).Draw(t, "broken")
		m.down[broken] = true
		if pick(t, "seen", true, false) {
			for _, r := range wires[broken] {
				m.link(broken, r, false)
			}
		}
		m.run(slow)
		m.check(t, "after a wire broke")

		m.down[broken] = false
		for _, r := range wires[broken] {
			m.link(broken, r, true)
		}
		m.run(time.Minute)
		m.check(t, "after it was mended")

		m.dead[rapid.IntRange(0, n-1).Draw(t, "dead")] = true
		m.run(slow)
		m.check(t, "after a router died")
	})
}

// TestConvergence: a change crosses a row of routers by triggered updates alone,
// in less time than the regular ones would take (RFC 2453 section 3.4.4).
func TestConvergence(t *testing.T) {
	const n = 10
	var wires [][]int
	for r := 1; r < n; r++ {
		wires = append(wires, []int{r - 1, r})
	}
	m := newMesh(7, n, wires, func(int, int) core.SplitHorizon { return core.SplitHorizonSimple })
	m.run(3 * time.Minute)
	m.step(0, core.InterfaceGone{Name: "Loopback0"})
	m.run(5 * time.Second * (n - 1))
	key := rib.Key{Kind: rib.KindRoute, Prefix: stub(0), Protocol: rib.RIP}
	for r, x := range m.routers {
		if _, ok := x.routes[key]; ok {
			t.Errorf("router %d still has the route after %v", r, 5*time.Second*(n-1))
		}
	}
}
