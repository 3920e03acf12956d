package core

import (
	"cmp"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// replay is how whole the state of this life is.
type replay struct {
	attached bool // Attached came once
	config   bool // a ConfigSet came once
	pending  bool // EndOfReplay did not follow yet
	stale    bool // a former life left routes
	over     bool // the time to wait for neighbours is over
	settled  bool // what neighbours told was chosen from and stated
}

// attached begins a session. zebra tells all watched routes again.
func (c *Core) attached(a Attached) {
	r := &c.replay
	if !r.attached {
		r.attached, r.pending, r.stale = true, true, a.Stale > 0
	}
	c.each(func(i *instance) { i.routesStale() })
}

// configured begins the wait for the neighbours.
func (c *Core) configured(now clock.Instant) {
	if c.replay.config {
		return
	}
	c.replay.config = true
	delay := time.Duration(0)
	c.each(func(i *instance) { delay = max(delay, cmp.Or(i.cfg.UpdateDelay, DefaultUpdateDelay)) })
	c.timers.Set(timerDelay, now.Add(delay))
}

// settleTime is how long the speakers may take to choose among what the last neighbour
// told, once zebra has resolved the next hops.
const settleTime = 5 * time.Second

// checkReplay ends the replay once everything was stated that this life wants: at once
// where nothing is stale.
func (c *Core) checkReplay(now clock.Instant) {
	r := &c.replay
	if !r.pending || !r.config {
		return
	}
	if r.stale && !r.over && !r.settled {
		if _, armed := c.timers.Deadline(timerSettle); !armed && c.converged() {
			c.timers.Set(timerSettle, now.Add(settleTime))
		}
		return
	}
	r.pending = false
	c.timers.Clear(timerDelay)
	c.timers.Clear(timerSettle)
	c.emit(EndOfReplay{})
}

// converged reports whether all neighbours that are awaited have told their routes, and
// zebra knows their next hops.
func (c *Core) converged() bool {
	all := true
	c.each(func(i *instance) {
		all = all && !i.cfg.Ranges
		for _, n := range i.cfg.Awaited {
			all = all && i.ended[n]
		}
		for _, h := range i.hops { // unordered: all of them
			all = all && h.known
		}
	})
	return all
}
