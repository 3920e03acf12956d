package core

import (
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// replay is what is known of the session to zebra, and of how whole the table is.
type replay struct {
	interfaces bool // InterfacesKnown came once
	config     bool // a ConfigSet came once
	atWork     bool // both came: instances may run
	pending    bool // Attached came, EndOfReplay did not follow yet
	stale      int  // objects of an earlier life
}

// attached begins a session. zebra tells all interfaces and watched routes again,
// each with a marker at the end: what it does not tell is gone.
func (c *Core) attached(a Attached) {
	r := &c.replay
	r.pending, r.stale = true, a.Stale
	c.links.Expect()
}

// interfacesKnown ends the interfaces that were not told again.
func (c *Core) interfacesKnown(now clock.Instant) {
	r := &c.replay
	r.interfaces = true
	for _, name := range c.links.Untold() {
		c.linkGone(now, name)
	}
	c.work(now)
}

// work lets the instances begin when interfaces and configuration are known: not
// before, since router ID and neighbours depend on all of it.
func (c *Core) work(now clock.Instant) {
	r := &c.replay
	if r.atWork || !r.interfaces || !r.config {
		return
	}
	r.atWork = true
	for _, in := range c.order {
		in.begin(now)
	}
	for _, name := range c.links.Names() {
		c.listen(name)
	}
	c.listenRemote()
}

// convergeTime limits the time until the neighbours have told their tables: after it a
// router that restarted has what it can get. (IOS's `timers graceful-restart converge` is
// two minutes. That is long for a router that answers nobody.)
const convergeTime = time.Minute

// converge is how far an instance is with getting to know the tables of its
// neighbours.
type converge struct {
	since clock.Instant
	done  bool
	again bool // this daemon lived before: neighbours may have kept its routes
	abort bool // the restart was ended before, since somebody asked
}

// beginConverge begins to wait for the tables of the neighbours.
func (in *instance) beginConverge(now clock.Instant) {
	r := &in.core.replay
	in.converge = converge{since: now, again: r.pending && r.stale > 0}
}

// checkReplay decides whether everything was stated that this life wants. It was at
// once if nothing is stale; else when every instance knows the tables of its
// neighbours.
func (c *Core) checkReplay(now clock.Instant) {
	r := &c.replay
	if !r.atWork {
		return
	}
	whole := true
	for _, in := range c.order {
		if !in.converged(now) {
			whole = false
		}
	}
	if r.pending && (r.stale == 0 || whole) {
		r.pending = false
		c.emit(EndOfReplay{})
	}
}

// converged reports whether the neighbours have told their tables, to their end: all
// that live, since who was not heard for a Hold Time is dead. A router that restarts does
// not listen longer than its neighbours wait for its table.
func (in *instance) converged(now clock.Instant) bool {
	v := &in.converge
	if v.done || !in.on {
		return true
	}
	heard := v.since
	for _, i := range in.order {
		if i.talks() || len(i.remote) > 0 {
			heard = max(heard, v.since.Add(i.cfg.Hold))
		}
	}
	limit := v.since.Add(convergeTime)
	if in.restarting() {
		told := v.since.Add(in.cfg.PurgeTime * 3 / 4) // while those that are configured likewise keep its routes
		heard, limit = min(heard, told), min(limit, told)
	}
	due := limit
	if now < heard {
		due = heard
	}
	if now < due && (now < heard || !in.allEnded(heard)) {
		in.core.arm(timerConverge, in, due, true)
		return false
	}
	v.done = true
	in.core.timers.Clear(timerKey{kind: timerConverge, instance: in})
	if !in.cfg.NoNSF && v.again && !v.abort {
		in.endRestart(now)
	}
	return true
}

// allEnded reports whether all neighbours have told their whole tables that were heard
// until then, but for those that have restarted themselves: they wait for this router.
func (in *instance) allEnded(until clock.Instant) bool {
	for _, n := range in.neighbors { // unordered: all of them
		if !in.routesTold(n) && !n.asksRS && n.since <= until {
			return false
		}
	}
	return true
}
