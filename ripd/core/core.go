package core

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/links"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// Core is the protocol machine: an sm.Machine[Input, Effect]. Make it with New.
type Core struct {
	rng    *rand.Rand
	wall   time.Time     // what time it was
	wallAt clock.Instant // at this instant

	links  links.Table
	config map[string]InterfaceConfig // by name, of the last ConfigSet
	policy *policy.Set

	instances map[string]*instance
	order     []*instance // the values of instances, by VRF
	timers    clock.Heap[timerKey]
	replay    replay

	ended   bool // Shutdown came: nothing is sent any more
	tracing Tracing
	in      packet.Message // decoded anew for each packet
	msg     packet.Message // filled anew for each packet
	out     []Effect
}

// Options are what a Core is given at birth.
type Options struct {
	// Source is the only randomness: jitter of timers. A Core made with the
	// same options and inputs yields the same effects.
	Source rand.Source
	// Wall is the time of day at instant zero; see WallClock.
	Wall time.Time
}

// New returns a core that knows of no interface and has no configuration.
func New(o Options) *Core {
	return &Core{
		rng:       rand.New(o.Source),
		wall:      o.Wall,
		config:    make(map[string]InterfaceConfig),
		instances: make(map[string]*instance),
	}
}

// timerKind tells the deadlines apart.
type timerKind uint8

const (
	timerRegular  timerKind = 1 + iota // iface: the regular update is due
	timerLane                          // lane: the gap between two bursts is over
	timerTrigger                       // instance: the hold after a triggered update is over
	timerExpire                        // instance: the oldest path may have timed out
	timerGarbage                       // instance: the oldest garbage is to be deleted
	timerNeighbor                      // neighbor: it may have fallen silent
	timerReplay                        // an update interval and a half since everything was known
)

type timerKey struct {
	kind     timerKind
	instance *instance
	iface    *iface
	lane     *lane
	neighbor *neighbor
}

// Step implements sm.Machine.
func (c *Core) Step(now clock.Instant, in Input) {
	c.tick(now)
	switch in := in.(type) {
	case RxPacket:
		c.receive(now, in)
	case Tick:
	case InterfaceChanged:
		c.linkChanged(now, in.Interface)
	case InterfaceGone:
		c.linkGone(now, in.Name)
	case InterfacesKnown:
		c.interfacesKnown(now)
	case Attached:
		c.attached(now, in)
	case ConfigSet:
		c.configure(now, in.Config)
	case RouteChanged:
		c.routeChanged(now, in)
	case RoutesKnown:
		c.routesKnown(now, in.Watch)
	case SendRoom:
		c.sendRoom(now, in)
	case WallClock:
		c.wall, c.wallAt = in.Now, now
	case Clear:
		c.clear(now, in)
	case Query:
		c.emit(Answer{ID: in.ID, Report: c.answer(now, in)})
	case Tracing:
		c.tracing = in
	case Shutdown:
		for _, in := range c.order {
			c.withdraw(now, in)
		}
		c.ended = true
	}
	for _, in := range c.order {
		c.trigger(now, in)
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

// event traces what `debug rip events` shows.
func (c *Core) event(t Trace) {
	if c.tracing.Events {
		c.out = append(c.out, t)
	}
}

// wallTime returns the time of day of an instant.
func (c *Core) wallTime(now clock.Instant) time.Time { return c.wall.Add(now.Sub(c.wallAt)) }

// tick serves the deadlines that have come.
func (c *Core) tick(now clock.Instant) {
	for {
		key, ok := c.timers.PopDue(now)
		if !ok {
			return
		}
		switch key.kind {
		case timerRegular:
			c.regular(now, key.iface)
		case timerLane:
			c.run(now, key.lane)
		case timerTrigger:
			// trigger follows at the end of the Step
		case timerExpire:
			c.expire(now, key.instance)
		case timerGarbage:
			c.collect(now, key.instance)
		case timerNeighbor:
			c.checkNeighbor(now, key.neighbor)
		case timerReplay:
			c.endReplay()
		}
	}
}

// between returns a random duration from lo to hi.
func (c *Core) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(c.rng.Int64N(int64(hi-lo)+1))
}

// linkChanged takes the present state of an interface.
func (c *Core) linkChanged(now clock.Instant, link rib.Interface) {
	if c.links.Put(link) {
		c.reconcileName(now, link.Name)
	}
}

func (c *Core) linkGone(now clock.Instant, name string) {
	if c.links.Delete(name) {
		c.reconcileName(now, name)
	}
}

// reconcileName brings every instance in line with the state of an interface: the
// one that it is in last, since it may just have left another.
func (c *Core) reconcileName(now clock.Instant, name string) {
	home := c.instances[c.links.VRF(name)]
	for _, in := range c.order {
		if in != home {
			c.reconcile(now, in, name)
		}
	}
	if home != nil {
		c.reconcile(now, home, name)
	}
}

// clear implements `clear ip rip`.
func (c *Core) clear(now clock.Instant, cl Clear) {
	for _, in := range c.order {
		if !cl.AllVRFs && cl.VRF != in.vrf {
			continue
		}
		if cl.Counters {
			in.counters = Counters{}
			for _, i := range in.order {
				i.counters, i.triggered = Counters{}, 0
			}
			for _, n := range in.sortedNeighbors() {
				n.badPackets, n.badRoutes = 0, 0
			}
		}
		if !cl.Routes {
			continue
		}
		for in.heard.oldest != nil {
			c.losePath(now, in, in.heard.oldest)
		}
		for _, r := range in.table.routes { // unordered: each for itself
			r.from = 0 // no holddown: whoever answers is believed
		}
		for _, i := range in.order {
			c.sendRequests(now, i)
		}
	}
}

func compareInstances(a *instance, vrf string) int { return cmp.Compare(a.vrf, vrf) }

// addInstance makes the instance of a VRF.
func (c *Core) addInstance(vrf string) *instance {
	in := &instance{
		vrf: vrf, ifaces: make(map[string]*iface), neighbors: make(map[neighborKey]*neighbor),
		answers: make(map[answerKey]*job), watched: make(map[rib.Watch]*watch),
	}
	c.instances[vrf] = in
	at, _ := slices.BinarySearchFunc(c.order, vrf, compareInstances)
	c.order = slices.Insert(c.order, at, in)
	return in
}
