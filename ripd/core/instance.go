package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// instance is RIP in one VRF.
type instance struct {
	vrf   string
	cfg   RouterConfig // normal
	rules *rules

	ifaces    map[string]*iface // those that RIP runs on, whether they are up or not
	order     []*iface          // the values of ifaces, by name
	neighbors map[neighborKey]*neighbor

	table          table
	heard          pathList
	garbage        []garbage // by when they were lost
	siftAt         int       // length of garbage at which what is over is taken out
	changed        []*route  // that the next triggered update tells of
	changedAt      clock.Instant
	hold           clock.Instant // until when no triggered update follows the last one
	static         []key         // `route`
	summaries      []*summary    // by prefix
	summaryChanged bool          // and of a summary

	watched map[rib.Watch]*watch
	origin  defaultRoute
	answers map[answerKey]*job // answers to requests for the whole table, waiting or under way
	full    quiet              // of the log message that the table is full

	counters Counters
}

// garbage is a route or summary that was lost at an instant.
type garbage struct {
	route   *route
	summary *summary
	lost    clock.Instant
}

// over reports whether what was lost came back since.
func (g garbage) over() bool {
	if s := g.summary; s != nil {
		return !s.garbage || s.lost != g.lost
	}
	return g.route.removed || g.route.metric != packet.Infinity || g.route.lost != g.lost
}

// quiet limits a log message that others can provoke.
type quiet struct{ until clock.Instant }

// logInterval is the time between two log messages of a kind.
const logInterval = 10 * time.Second

// allow reports whether the message may be logged now.
func (q *quiet) allow(now clock.Instant) bool {
	if now < q.until {
		return false
	}
	q.until = now.Add(logInterval)
	return true
}

// minGarbage is the shortest garbage-collection time: the hold of triggered
// updates, so that every loss is told once at least.
const minGarbage = maxHold

// garbageTime is how long an unreachable route is kept and announced.
func (in *instance) garbageTime() time.Duration {
	return max(in.cfg.Timers.Flush-in.cfg.Timers.Invalid, minGarbage)
}

// settle follows a change of what is announced of a route: its metric and tag
// are computed anew, summaries and the default route that depend on it too, and
// the next triggered update tells of it.
func (c *Core) settle(now clock.Instant, in *instance, r *route) {
	old := r.metric
	r.metric, r.tag = r.best()
	in.mark(now, r)
	if r.metric != old {
		c.summarize(now, in, r.key, old, r.metric)
	}
	c.considerDefault(now, in, r.key)
	switch {
	case r.metric == packet.Infinity && old != packet.Infinity:
		r.lost = now
		c.bury(in, garbage{route: r, lost: now})
		c.event(Trace{Event: TraceRouteTimeout, VRF: in.vrf, Prefix: r.key.prefix(), Metric: uint32(r.metric)})
	case r.metric != packet.Infinity && old == packet.Infinity:
		c.event(Trace{Event: TraceRouteNew, VRF: in.vrf, Prefix: r.key.prefix(), Metric: uint32(r.metric)})
	case r.metric != packet.Infinity:
		c.event(Trace{Event: TraceRouteChanged, VRF: in.vrf, Prefix: r.key.prefix(), Metric: uint32(r.metric)})
	}
}

// mark sets the route change flag (RFC 2453 section 3.10.1).
func (in *instance) mark(now clock.Instant, r *route) {
	in.changedAt = now
	if !r.changed {
		r.changed = true
		in.changed = append(in.changed, r)
	}
}

// minSift is a length of garbage that is not worth a look.
const minSift = 64

// bury starts the garbage-collection time. What comes and goes over and over
// leaves garbage that is over; it never gets to be more than the rest.
func (c *Core) bury(in *instance, g garbage) {
	if len(in.garbage) >= max(in.siftAt, minSift) {
		in.garbage = slices.DeleteFunc(in.garbage, garbage.over)
		in.siftAt = 2 * len(in.garbage)
	}
	in.garbage = append(in.garbage, g)
	if len(in.garbage) == 1 {
		c.armGarbage(in)
	}
}

func (c *Core) armGarbage(in *instance) {
	if len(in.garbage) > 0 {
		c.timers.Set(timerKey{kind: timerGarbage, instance: in}, in.garbage[0].lost.Add(in.garbageTime()))
	}
}

// collect deletes what has been unreachable for the garbage-collection time (RFC
// 2453 section 3.8).
func (c *Core) collect(now clock.Instant, in *instance) {
	for len(in.garbage) > 0 && in.garbage[0].lost.Add(in.garbageTime()) <= now {
		g := in.garbage[0]
		in.garbage = in.garbage[1:]
		switch r := g.route; {
		case g.over():
		case g.summary != nil:
			g.summary.garbage = false
		default:
			in.table.remove(r)
			c.event(Trace{Event: TraceRouteDeleted, VRF: in.vrf, Prefix: r.key.prefix(), Metric: packet.Infinity})
		}
	}
	if len(in.garbage) == 0 {
		in.garbage = nil
	}
	c.armGarbage(in)
}

// armExpire arms the timeout of the oldest path. Paths that are told again move
// back in the list; the timer finds out when it comes.
func (c *Core) armExpire(in *instance) {
	k := timerKey{kind: timerExpire, instance: in}
	if p := in.heard.oldest; p != nil {
		c.timers.Set(k, p.heard.Add(in.cfg.Timers.Invalid))
	} else {
		c.timers.Clear(k)
	}
}

// expire ends the paths that were not told again within the timeout (RFC 2453
// section 3.8).
func (c *Core) expire(now clock.Instant, in *instance) {
	for p := in.heard.oldest; p != nil && p.heard.Add(in.cfg.Timers.Invalid) <= now; p = in.heard.oldest {
		c.losePath(now, in, p)
	}
	c.armExpire(in)
}

// own reports whether an address is one of this router's in the VRF.
func (c *Core) isOwn(in *instance, a netip.Addr) bool { return c.links.Own(in.vrf, a) > 0 }
