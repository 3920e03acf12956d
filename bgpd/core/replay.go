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

// settling is whether a speaker has made of what it knows all that follows.
type settling uint8

const (
	unasked settling = iota
	asked
	doubted // asked, and something was missing since: what it answers is not all
	settled
)

// checkReplay ends the replay once everything was stated that this life wants: at once
// where nothing is stale.
func (c *Core) checkReplay() {
	r := &c.replay
	if !r.pending || !r.config || r.stale && !r.over && !c.converged() {
		return
	}
	r.pending = false
	c.timers.Clear(timerDelay)
	c.emit(EndOfReplay{})
}

// converged reports whether all neighbours that are awaited have told their routes, zebra
// the own ones and how next hops are reached, and the speakers have chosen from them.
func (c *Core) converged() bool {
	whole, all := true, true
	c.each(func(i *instance) { whole = whole && i.whole() })
	c.each(func(i *instance) {
		switch {
		case !whole && i.settling == asked:
			i.settling = doubted
		case !whole && i.settling == settled:
			i.settling = unasked
		case whole && i.settling == unasked:
			i.settling = asked
			c.emit(Settle{i.cfg.VRF})
		}
		all = all && i.settling == settled
	})
	return all
}

// settled takes in that the speaker has settled.
func (i *instance) settled() {
	switch i.settling {
	case asked:
		i.settling = settled
	case doubted:
		i.settling = unasked
	}
}

// whole reports whether the speaker was told all that it is to choose from.
func (i *instance) whole() bool {
	// Who will come by listen ranges if nobody is known to return?
	all := i.running && (!i.cfg.Ranges || len(i.returning) > 0)
	for _, list := range [][]Neighbor{i.cfg.Awaited, i.returning} {
		for _, n := range list {
			all = all && i.ended[n]
		}
	}
	for _, n := range i.networks { // unordered: all of them
		all = all && n.known
	}
	for _, s := range i.sources {
		all = all && s.known
	}
	for _, h := range i.hops { // unordered: all of them
		all = all && h.known
	}
	return all
}
