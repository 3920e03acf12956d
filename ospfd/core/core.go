package core

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/links"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
)

// Core is the protocol machine: an sm.Machine[Input, Effect]. Make it with New.
type Core struct {
	wall   time.Time     // what time it was
	wallAt clock.Instant // at this instant

	links  links.Table
	peers  map[tunnelPeer]bool
	policy *policy.Set
	cfg    Config

	instances  map[Key]*instance
	order      []*instance // the values of instances, sorted
	remembered map[Key]Memory
	listens    map[listenKey]Listen
	timers     clock.Heap[timerKey]
	replay     replay

	ended   bool // Shutdown came: nothing is sent any more
	tracing Tracing
	out     []Effect
}

// tunnelPeer is what NHRP offers (input TunnelPeer).
type tunnelPeer struct {
	iface string
	addr  netip.Addr
}

// Options are what a Core is given at birth. Nothing in it is left to chance: a Core made with
// the same options and inputs yields the same effects.
type Options struct {
	// Wall is the time of day at instant zero; see WallClock.
	Wall time.Time
}

// New returns a core that knows of no interface and has no configuration.
func New(o Options) *Core {
	return &Core{
		wall:      o.Wall,
		peers:     make(map[tunnelPeer]bool),
		instances: make(map[Key]*instance), remembered: make(map[Key]Memory), listens: make(map[listenKey]Listen),
	}
}

// timerKind tells the deadlines apart.
type timerKind uint8

const (
	timerHello      timerKind = 1 + iota // iface: the next Hello is due
	timerWait                            // iface: the Wait Timer (RFC 2328 section 9)
	timerAck                             // iface: delayed acknowledgments go out (section 13.5)
	timerFlood                           // outbox: the next packet of updates may go out
	timerInactivity                      // neighbor: the Inactivity Timer (section 10)
	timerPoll                            // neighbor: the next Hello to one that is down (section 9.5.1)
	timerExchange                        // neighbor: a Database Description is sent again (section 10.8)
	timerRequest                         // neighbor: a Link State Request is sent again (section 10.9)
	timerRetransmit                      // neighbor: LSAs that are not acknowledged (section 13.6)
	timerHelp                            // neighbor: the grace period is over (RFC 3623 section 3.2)
	timerScope                           // scope: an LSA is to be refreshed, or is too old (section 14)
	timerRestart                         // instance: the own grace period is over (RFC 3623 section 2.2)
	timerSettle                          // instance: the adjacencies of before the restart are back for long enough
	timerConverge                        // instance: the neighbours may have told their databases
	timerRoutes                          // instance: whatever routes wait for
)

type timerKey struct {
	kind     timerKind
	instance *instance
	iface    *iface
	neighbor *neighbor
	scope    *scope
	box      *outbox
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
	case TunnelPeer:
		c.tunnelPeer(now, in)
	case Attached:
		c.attached(in)
		for _, x := range c.order {
			x.routesAttached(now)
		}
	case Remembered:
		c.remembered[in.Key] = in.Value
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
	case Clear:
		c.clear(now, in)
	case Query:
		c.settle(now)
		c.emit(Answer{ID: in.ID, Report: c.answer(now, in)})
	case Tracing:
		c.tracing = in
	case Shutdown:
		c.shutdown(now, in.Restart)
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

// tick serves the deadlines that have come.
func (c *Core) tick(now clock.Instant) {
	for {
		key, ok := c.timers.PopDue(now)
		if !ok {
			return
		}
		switch key.kind {
		case timerHello:
			key.iface.helloDue(now)
		case timerWait:
			key.iface.event(now, fsm.WaitTimer)
		case timerAck:
			key.iface.sendAcks(now)
		case timerFlood:
			key.box.due(now)
		case timerInactivity:
			key.neighbor.inactive(now)
		case timerPoll:
			key.neighbor.poll(now)
		case timerExchange:
			key.neighbor.describeAgain(now)
		case timerRequest:
			key.neighbor.requestAgain(now)
		case timerRetransmit:
			key.neighbor.retransmit(now)
		case timerHelp:
			key.neighbor.endHelp(now, "grace period expired")
		case timerScope:
			key.scope.age(now)
		case timerRestart:
			key.instance.endRestart(now, "grace period expired")
		case timerSettle:
			key.instance.checkRestart(now)
		case timerRoutes:
			key.instance.routesTick(now)
		case timerConverge: // checkReplay follows
		}
	}
}

// settle carries on what an input began, until nothing is left to do, and arms the timers
// of what is beneath.
func (c *Core) settle(now clock.Instant) {
	for _, in := range c.order {
		in.settle(now)
	}
}

// arm sets a timer, or stops it.
func (c *Core) arm(k timerKey, at clock.Instant, ok bool) {
	switch was, armed := c.timers.Deadline(k); {
	case !ok:
		c.timers.Clear(k)
	case !armed || was != at:
		c.timers.Set(k, at)
	}
}

// armOnce arms a timer whose deadline last is known to its owner, who forgets it when the timer
// comes: what is armed after each input costs little while nothing changes.
func (c *Core) armOnce(last *deadline, k timerKey, at clock.Instant, ok bool) {
	next := deadline{set: ok}
	if ok {
		next.at = at
	}
	if next != *last {
		*last = next
		c.arm(k, at, ok)
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
	}
	c.listen(name)
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.VRF, b.VRF), cmp.Compare(a.Process, b.Process))
}

// shutdown takes leave.
func (c *Core) shutdown(now clock.Instant, restart bool) {
	for _, in := range c.order {
		if restart && in.cfg.Restart.Enabled && in.on {
			in.announceRestart(now)
			continue
		}
		in.end(now)
	}
	c.ended, c.timers = true, clock.Heap[timerKey]{}
}
