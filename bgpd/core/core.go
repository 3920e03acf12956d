package core

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Core is an sm.Machine[Input, Effect]. Make it with New.
type Core struct {
	policy    *policy.Set
	instances map[string]*instance // by VRF
	watches   map[rib.Watch]int    // how many want it
	timers    clock.Heap[timerKey]
	replay    replay
	out       []Effect
}

// timerKey tells the deadlines apart.
type timerKey uint8

// timerDelay: the wait for the neighbours is over.
const timerDelay timerKey = 1

// instance is BGP in a VRF.
type instance struct {
	core *Core
	cfg  InstanceConfig

	networks map[netip.Prefix]*network
	sources  []*source
	own      map[netip.Prefix]origination // what the speaker was told to originate
	hops     map[netip.Addr]*hop
	routes   bart.Lite         // what zebra was told
	ended    map[Neighbor]bool // who has told all of its routes
	last     []rib.NextHop     // of the last route, shared with it
	scratch  []rib.NextHop

	running   bool       // there is a speaker
	returning []Neighbor // awaited by it, of listen ranges
	settling  settling
}

// New returns a core without configuration.
func New() *Core {
	return &Core{instances: make(map[string]*instance), watches: make(map[rib.Watch]int)}
}

// Step implements sm.Machine.
func (c *Core) Step(now clock.Instant, in Input) {
	for {
		if _, ok := c.timers.PopDue(now); !ok {
			break
		}
		c.replay.over = true
	}
	switch in := in.(type) {
	case Attached:
		c.attached(in)
	case ConfigSet:
		c.configure(now, in.Config)
	case RouteChanged:
		c.each(func(i *instance) { i.routeChanged(in) })
	case RoutesKnown:
		c.each(func(i *instance) { i.routesKnown(in.Watch) })
	case NextHopChanged:
		if i := c.instances[in.Watch.VRF]; i != nil {
			i.hopChanged(in.NextHopChanged)
		}
	case Query:
		c.out = append(c.out, Answer{in.ID, c.report(in.VRF)})
	default:
		c.stepSpeaker(in)
	}
	c.checkReplay()
}

// stepSpeaker takes in what a speaker tells.
func (c *Core) stepSpeaker(in Input) {
	switch in := in.(type) {
	case Started:
		if i := c.instances[in.VRF]; i != nil {
			i.started(in.Returning)
		}
	case Stopped:
		if i := c.instances[in.VRF]; i != nil {
			i.stopped()
		}
	case Best:
		if i := c.instances[in.VRF]; i != nil {
			for _, r := range in.Routes {
				i.best(r)
			}
		}
	case NextHopUsed:
		if i := c.instances[in.VRF]; i != nil {
			i.hopUsed(in.Addr, in.Used)
		}
	case EndOfRIB:
		if i := c.instances[in.VRF]; i != nil {
			i.ended[in.Neighbor] = true
		}
	case Settled:
		if i := c.instances[in.VRF]; i != nil {
			i.settled()
		}
	}
}

// Wake implements sm.Machine.
func (c *Core) Wake() (at clock.Instant, ok bool) { return c.timers.Next() }

// Drain implements sm.Machine.
func (c *Core) Drain(dst []Effect) []Effect {
	dst = append(dst, c.out...)
	clear(c.out)
	c.out = c.out[:0]
	return dst
}

func (c *Core) emit(e Effect) { c.out = append(c.out, e) }

// each visits the instances by VRF.
func (c *Core) each(visit func(*instance)) {
	for _, vrf := range sortedKeys(c.instances, strings.Compare) {
		visit(c.instances[vrf])
	}
}

// watch asks zebra for something that one more wants; unwatch takes that back.
func (c *Core) watch(w rib.Watch) {
	if c.watches[w]++; c.watches[w] == 1 {
		c.emit(WatchAdd{w})
	}
}

func (c *Core) unwatch(w rib.Watch) {
	if c.watches[w]--; c.watches[w] == 0 {
		delete(c.watches, w)
		c.emit(WatchDel{w})
	}
}

// configure brings a configuration into force.
func (c *Core) configure(now clock.Instant, cfg Config) {
	c.policy = cfg.Policy
	wanted := map[string]InstanceConfig{}
	for _, i := range cfg.Instances {
		wanted[i.VRF] = i
	}
	for _, vrf := range sortedKeys(c.instances, strings.Compare) {
		i := c.instances[vrf]
		if w, ok := wanted[vrf]; !ok || w.AS != i.cfg.AS {
			i.end()
			delete(c.instances, vrf)
		}
	}
	for _, want := range cfg.Instances {
		i := c.instances[want.VRF]
		if i == nil {
			i = &instance{core: c, networks: map[netip.Prefix]*network{}, own: map[netip.Prefix]origination{},
				hops: map[netip.Addr]*hop{}, ended: map[Neighbor]bool{}}
			c.instances[want.VRF] = i
		}
		i.configure(want)
	}
	c.configured(now)
}

// configure brings the configuration of an instance into force.
func (i *instance) configure(cfg InstanceConfig) {
	old := i.cfg
	i.cfg = cfg
	i.configureNetworks()
	i.configureSources()
	i.originateAll()
	for _, f := range []rib.Family{rib.IPv4, rib.IPv6} {
		if was, is := old.family(f).Distance.Or(), cfg.family(f).Distance.Or(); old.AS != 0 && was != is {
			i.core.emit(Retell{cfg.VRF, f})
		}
	}
}

// end takes back all that an instance has stated and asked.
func (i *instance) end() {
	for _, n := range sortedKeys(i.networks, netip.Prefix.Compare) {
		i.core.unwatch(i.networks[n].watch)
	}
	for _, s := range i.sources {
		i.core.unwatch(s.watch)
	}
	i.stopped()
}

// started begins with a speaker that knows nothing.
func (i *instance) started(returning []Neighbor) {
	i.stopped()
	i.running, i.returning = true, returning
	for _, p := range sortedKeys(i.own, netip.Prefix.Compare) {
		i.core.emit(Originate{i.cfg.VRF, p, i.own[p].attributes})
	}
}

// stopped takes back what a speaker has told.
func (i *instance) stopped() {
	for _, p := range slices.Collect(i.routes.AllSorted()) {
		i.remove(p)
	}
	for _, a := range sortedKeys(i.hops, netip.Addr.Compare) {
		i.hopUsed(a, false)
	}
	clear(i.ended)
	i.running, i.returning, i.settling = false, nil, unasked
}

func sortedKeys[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}
