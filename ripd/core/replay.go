package core

import (
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// replay is what is known of the session to zebra, and of how whole the table is.
type replay struct {
	interfaces bool // InterfacesKnown came once
	config     bool // a ConfigSet came once
	atWork     bool // both came: neighbours can be heard
	since      clock.Instant
	pending    bool // Attached came, EndOfReplay did not follow yet
	stale      int
}

// attached begins a session. zebra tells all interfaces and watched routes again,
// each with a marker at the end: what it does not tell is gone.
func (c *Core) attached(now clock.Instant, a Attached) {
	r := &c.replay
	r.pending, r.stale = true, a.Stale
	c.links.Expect()
	for _, in := range c.order {
		in.markWatches()
	}
	c.checkReplay(now)
}

// interfacesKnown ends the interfaces that were not told again.
func (c *Core) interfacesKnown(now clock.Instant) {
	r := &c.replay
	r.interfaces = true
	for _, name := range c.links.Untold() {
		c.linkGone(now, name)
	}
	c.checkReplay(now)
}

// checkReplay decides whether everything was stated that this life wants. It was
// at once if nothing is stale, or if RIP runs nowhere; else after an update
// interval and a half: every neighbour that lives has told its table by then.
func (c *Core) checkReplay(now clock.Instant) {
	r := &c.replay
	if !r.interfaces || !r.config {
		return
	}
	if !r.atWork {
		r.atWork, r.since = true, now
	}
	if !r.pending {
		return
	}
	var longest time.Duration
	for _, in := range c.order {
		longest = max(longest, in.cfg.Timers.Update)
	}
	whole := r.since.Add(longest + longest/2)
	if r.stale == 0 || now >= whole {
		c.endReplay()
		return
	}
	c.timers.Set(timerKey{kind: timerReplay}, whole)
}

func (c *Core) endReplay() {
	if c.replay.pending {
		c.replay.pending = false
		c.timers.Clear(timerKey{kind: timerReplay})
		c.emit(EndOfReplay{})
	}
}
