package core_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
)

var simSpokes = flag.Int("sim-spokes", 16, "spokes of the hub in the simulation of DMVPNs")

// simHub is a DMVPN: a hub and its spokes on a multipoint tunnel, of which only the hub
// hears what others send to a group, and they what the hub sends. Each spoke redistributes a
// network, and the hub tells a default route.
type simHub struct {
	*simGraph
	typ   fsm.NetworkType
	cloud *simWire
	away  map[*simRouter]bool // parted from the hub
}

const simCloudCost = 10

func newSimHub(seed uint64, typ fsm.NetworkType, spokes int) *simHub {
	h := &simHub{simGraph: &simGraph{Network: simnet.New(seed)}, typ: typ, away: map[*simRouter]bool{}}
	h.cloud = &simWire{graph: h.simGraph, link: h.Link(simnet.Quality{Latency: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: simLoss, Duplicate: 0.01})}
	h.cloud.link.Multicast = true
	h.wires = []*simWire{h.cloud}
	zero := uint8(0)
	for k := range spokes + 1 {
		r := &simRouter{graph: h.simGraph, id: k, routes: map[netip.Prefix]simRoute{}, names: map[string]int{}, memory: map[core.Key]core.Memory{}}
		ic := core.InstanceConfig{Key: core.Key{Process: 1}, RouterID: simStub(k).Addr(), RFC1583: true}
		tunnel := core.InterfaceConfig{Name: h.cloud.name(), HasArea: true, Process: 1, Type: typ, Cost: simCloudCost, Hello: 2 * time.Second, Dead: 8 * time.Second, Retransmit: 2 * time.Second}
		if k == 0 {
			ic.DefaultOriginate = &core.DefaultOriginate{Always: true}
		} else {
			ic.Redistribute = []core.Redistribute{{Protocol: rib.Static}}
			if tunnel.Priority = &zero; typ == fsm.PointToMultipoint {
				tunnel.Priority = nil
			}
		}
		r.config.Instances = []core.InstanceConfig{ic}
		r.config.Interfaces = []core.InterfaceConfig{{Name: "Loopback0", HasArea: true, Process: 1, Cost: simLAN}, tunnel}
		r.node = simnet.Add(h.Network, fmt.Sprintf("r%d", k), r.behavior())
		h.routers, h.cloud.on, h.cloud.cost = append(h.routers, r), append(h.cloud.on, r), append(h.cloud.cost, simCloudCost)
		r.wires, r.names[h.cloud.name()] = h.wires, 0
		h.cloud.link.Attach(r.node, h.addr(r))
	}
	h.cloud.link.Hub = h.routers[0].node.Port(0)
	for _, r := range h.routers {
		r.node.Crash()
		h.After(time.Duration(h.Rand().Int64N(int64(5*time.Second))), func() { h.boot(r) })
	}
	return h
}

func (h *simHub) addr(r *simRouter) netip.Addr { return h.cloud.addr(r).Addr() }

func simStatic(r *simRouter) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168 + byte(r.id>>8), byte(r.id), 0}), 24)
}

// boot starts a router; zebra tells it of its static route.
func (h *simHub) boot(r *simRouter) {
	r.boot()
	if r.id > 0 {
		w := rib.Watch{Kind: rib.WatchRedistribute, Family: rib.IPv4, Protocol: rib.Static}
		r.node.Post(core.RouteChanged{Watch: w, Route: rib.Route{Prefix: simStatic(r), Protocol: rib.Static}})
		r.node.Post(core.RoutesKnown{Watch: w})
	}
}

// wrong says what is not as it should be: every router has the networks of all others that
// live and are not parted from the hub, by the hub, or, on a broadcast network, from spoke to
// spoke.
func (h *simHub) wrong() string {
	hub := h.routers[0]
	for _, r := range h.routers {
		if !r.node.Alive() {
			continue
		}
		want := map[netip.Prefix]string{}
		for _, o := range h.routers {
			if o == r || h.away[o] || h.away[r] || !o.node.Alive() || !hub.node.Alive() {
				continue
			}
			next, cost := o, simCloudCost
			if r != hub && o != hub && h.typ == fsm.PointToMultipoint {
				next, cost = hub, 2*simCloudCost
			}
			via := fmt.Sprintf(" via %v", h.addr(next))
			want[simStub(o.id)] = fmt.Sprint(cost+simLAN, via)
			if o == hub {
				want[netip.PrefixFrom(netip.IPv4Unspecified(), 0)] = fmt.Sprint(1, via)
			} else {
				want[simStatic(o)] = fmt.Sprint(core.DefaultExternalMetric, via)
			}
			if h.typ == fsm.PointToMultipoint {
				want[netip.PrefixFrom(h.addr(o), 32)] = fmt.Sprint(cost, via)
			}
		}
		for p, w := range want { // unordered: any that is wrong
			if x := r.routes[p].route; len(x.NextHops) != 1 || fmt.Sprint(x.Metric, " via ", x.NextHops[0].Addr) != w {
				return fmt.Sprintf("router %d to %v: %d %v, want %s", r.id, p, x.Metric, x.NextHops, w)
			}
		}
		if len(r.routes) != len(want) {
			return fmt.Sprintf("router %d has %d routes, want %d", r.id, len(r.routes), len(want))
		}
	}
	return ""
}

// trouble lets something happen; what it is to the hub happens once.
func (h *simHub) trouble(rng *rand.Rand) {
	r := h.routers[1+rng.IntN(len(h.routers)-1)]
	later := time.Duration(1+rng.IntN(20)) * time.Second
	switch rng.IntN(3) {
	case 0:
		if r.node.Alive() {
			r.node.Crash()
			h.After(later, func() { h.boot(r) })
		}
	case 1:
		h.cloud.link.Partition(1, r.node.Port(0))
		h.After(later, h.cloud.link.Heal)
	case 2:
		if r.node.Alive() {
			r.node.Post(core.Clear{Kind: core.ClearNeighbors})
		}
	}
}

func (h *simHub) settle(t *testing.T, what string) {
	t.Helper()
	if err := h.RunFor(6 * time.Second); err != nil { // until all that was to happen has happened
		t.Fatal(err)
	}
	at, next := h.Now(), h.Now()
	err := h.RunUntil(at.Add(2*time.Minute), func() bool {
		if h.Now() < next {
			return false
		}
		next = h.Now().Add(time.Second)
		return h.wrong() == ""
	})
	if err != nil {
		t.Fatalf("%s: %v; %s", what, err, h.wrong())
	}
	t.Logf("%s: right after %v", what, h.Now().Sub(at))
}

func runHub(t *testing.T, seed uint64, typ fsm.NetworkType, spokes int) uint64 {
	t.Helper()
	h := newSimHub(seed, typ, spokes)
	h.Check(1000, func() error { return h.failure })
	h.settle(t, "the beginning")
	for k := range 20 {
		h.After(time.Duration(3*k)*time.Second, func() { h.trouble(h.Rand()) })
	}
	if err := h.RunFor(90 * time.Second); err != nil {
		t.Fatal(err)
	}
	h.settle(t, "trouble")
	h.routers[0].node.Crash()
	if err := h.RunFor(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	h.boot(h.routers[0])
	h.settle(t, "a restart of the hub")
	for _, r := range h.routers[1:4] {
		h.away[r] = true
		h.cloud.link.Partition(1, r.node.Port(0))
	}
	if err := h.RunFor(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	h.settle(t, "three spokes parted")
	if err := h.RunFor(31 * time.Minute); err != nil { // LSRefreshTime
		t.Fatal(err)
	}
	h.calm()
	h.settle(t, "all LSAs were refreshed")
	if err := h.RunFor(time.Minute); err != nil {
		t.Fatal(err)
	}
	if w := h.wrong(); w != "" {
		t.Error(w)
	}
	t.Logf("seed %d: %d packets, hash %016x", seed, h.Stats().Sent, h.Hash())
	return h.Hash()
}

// TestSimHub: DMVPNs of Phase 2 (broadcast, the hub is designated router) and Phase 3
// (point-to-multipoint), whose packets are lost, spokes fail, are cleared and are parted, and
// whose hub restarts. The same seed gives the same run.
func TestSimHub(t *testing.T) {
	for _, typ := range []fsm.NetworkType{fsm.PointToMultipoint, fsm.Broadcast} {
		t.Run(fmt.Sprint(typ), func(t *testing.T) {
			if a, b := runHub(t, 1, typ, *simSpokes), runHub(t, 1, typ, *simSpokes); a != b {
				t.Errorf("two runs of one seed differ: %016x, %016x", a, b)
			}
		})
	}
}
