package core

import (
	"cmp"
	"math/rand/v2"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/links"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

// Core is the protocol machine: an sm.Machine[Input, Effect]. Make it with New.
type Core struct {
	rng    *rand.Rand
	wall   time.Time     // what time it was
	wallAt clock.Instant // at this instant

	links  links.Table
	ends   map[tunnelpeer.Peer]bool // other ends of tunnels that are up
	policy *policy.Set

	instances map[Key]*instance
	order     []*instance // the values of instances, sorted
	listens   map[listenKey]Listen
	timers    clock.Heap[timerKey]
	replay    replay

	ended   bool // Shutdown came: nothing is sent any more
	tracing Tracing
	in      packet.Message // decoded anew for each packet
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
		rng: rand.New(o.Source), wall: o.Wall,
		ends:      make(map[tunnelpeer.Peer]bool),
		instances: make(map[Key]*instance), listens: make(map[listenKey]Listen),
	}
}

// timerKind tells the deadlines apart.
type timerKind uint8

const (
	timerHello     timerKind = 1 + iota // iface: the next Hello is due
	timerHold                           // neighbor: its Hold Time may be over
	timerPurge                          // neighbor: what it told before its restart is to go
	timerTransport                      // instance: reliable transport
	timerRoutes                         // instance: topology table and all that follows
	timerConverge                       // instance: the neighbours may have told their tables
)

type timerKey struct {
	kind     timerKind
	instance *instance
	iface    *iface
	neighbor *neighbor
}

// Step implements sm.Machine.
func (c *Core) Step(now clock.Instant, in Input) {
	if c.ended {
		if q, ok := in.(Query); ok {
			c.emit(Answer{ID: q.ID, Report: c.answer(now, q)})
		}
		return
	}
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
		c.attached(in)
		for _, x := range c.order {
			x.routesAttached(now)
		}
	case ConfigSet:
		c.configure(now, in.Config)
	case RouteChanged:
		for _, x := range c.order {
			x.routesRedistribution(now, in)
		}
	case RoutesKnown:
		for _, x := range c.order {
			x.routesRedistributionKnown(now, in.Watch)
		}
	case WallClock:
		c.wall, c.wallAt = in.Now, now
	case TunnelPeer:
		c.tunnelPeer(now, in)
	case Clear:
		c.clear(now, in)
	case Query:
		c.settle(now)
		c.emit(Answer{ID: in.ID, Report: c.answer(now, in)})
	case Tracing:
		c.tracing = in
	case Shutdown:
		c.shutdown(now)
		return
	}
	c.settle(now)
	c.checkReplay(now)
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

// wallTime returns the time of day of an instant.
func (c *Core) wallTime(now clock.Instant) time.Time { return c.wall.Add(now.Sub(c.wallAt)) }

// between returns a random duration from lo to hi.
func (c *Core) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(c.rng.Int64N(int64(hi-lo)+1))
}

// tick serves the deadlines that have come.
func (c *Core) tick(now clock.Instant) {
	for {
		key, ok := c.timers.PopDue(now)
		if !ok {
			return
		}
		switch key.kind {
		case timerHello:
			key.iface.timer(now, "Hello")
			key.iface.hello(now)
		case timerHold:
			key.neighbor.checkHold(now)
		case timerPurge:
			key.neighbor.iface.timer(now, "graceful restart purge")
			key.neighbor.purge(now)
		case timerTransport:
			key.instance.transport.Tick(now)
		case timerRoutes:
			key.instance.routesTick(now)
		case timerConverge: // checkReplay follows
		}
	}
}

// settle carries on what an input began, until nothing is left to do, and arms the
// timers of what is beneath.
func (c *Core) settle(now clock.Instant) {
	for _, in := range c.order {
		in.settle(now)
	}
}

// arm sets a timer of an instance to what the part that it is for wants.
func (c *Core) arm(kind timerKind, in *instance, at clock.Instant, ok bool) {
	k := timerKey{kind: kind, instance: in}
	switch was, armed := c.timers.Deadline(k); {
	case !ok:
		c.timers.Clear(k)
	case !armed || was != at:
		c.timers.Set(k, at)
	}
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

// reconcileName brings every instance in line with the state of an interface.
func (c *Core) reconcileName(now clock.Instant, name string) {
	if !c.replay.atWork {
		return
	}
	for _, in := range c.order {
		in.begin(now) // this may be the first address, of which a router ID can be made
		in.reconcile(now, name)
		in.routesLinkChanged(now, name)
	}
	c.listen(name)
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.VRF, b.VRF), cmp.Compare(a.AS, b.AS))
}

// shutdown takes leave of all neighbours.
func (c *Core) shutdown(now clock.Instant) {
	for _, in := range c.order {
		for _, i := range in.order {
			i.goodbye(now)
		}
	}
	c.ended, c.timers = true, clock.Heap[timerKey]{}
}
