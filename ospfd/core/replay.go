package core

import (
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
)

// replay is what is known of the session to zebra, and of how whole the routes are.
type replay struct {
	interfaces bool // InterfacesKnown came once
	config     bool // a ConfigSet came once
	atWork     bool // both came: instances may run
	pending    bool // Attached came, EndOfReplay did not follow yet
	stale      int  // objects of an earlier life
}

// attached begins a session. zebra tells all interfaces and watched routes again, each
// with a marker at the end: what it does not tell is gone.
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

// work lets the instances begin when interfaces and configuration are known: not before,
// since router ID and neighbours depend on all of it.
func (c *Core) work(now clock.Instant) {
	r := &c.replay
	if r.atWork || !r.interfaces || !r.config {
		return
	}
	r.atWork = true
	for _, in := range c.order {
		in.begin(now)
	}
	c.listenAll()
}

// convergeTime limits the time until the neighbours have told their databases: after it a
// router that restarted has what it can get.
const convergeTime = 2 * time.Minute

// converge is how far an instance is with getting to know the databases of its neighbours.
type converge struct {
	until clock.Instant // neighbours may be heard for the first time until then
	limit clock.Instant
	done  bool
}

// beginConverge begins to wait for the neighbours.
func (in *instance) beginConverge(now clock.Instant) {
	in.converge = converge{until: now, limit: now.Add(convergeTime)}
	if in.restarting {
		in.converge.limit = max(in.converge.limit, in.restart.until.Add(convergeTime))
	}
}

// expectNeighbors waits for the neighbours on an interface: each sends a Hello within its
// Hello interval.
func (in *instance) expectNeighbors(now clock.Instant, i *iface) {
	if v := &in.converge; !v.done {
		v.until = max(v.until, now.Add(i.cfg.Hello+time.Second))
	}
}

// converged reports whether the neighbours have told their databases: all that were heard
// within a Hello interval are adjacent, as far as they should be.
func (in *instance) converged(now clock.Instant) bool {
	v := &in.converge
	switch {
	case v.done || !in.on || now >= v.limit:
		v.done = true
		in.core.timers.Clear(timerKey{kind: timerConverge, instance: in})
		return true
	case now < v.until:
		in.core.arm(timerKey{kind: timerConverge, instance: in}, min(v.until, v.limit), true)
		return false
	}
	in.core.arm(timerKey{kind: timerConverge, instance: in}, v.limit, true)
	if in.restarting || in.forming > 0 || len(in.waiting) > 0 {
		return false
	}
	for _, i := range in.ifaces {
		if i.state == fsm.InterfaceWaiting && !i.passive {
			return false
		}
	}
	v.done = true
	in.core.timers.Clear(timerKey{kind: timerConverge, instance: in})
	return true
}

// checkReplay decides whether everything was stated that this life wants. It was at once
// if nothing is stale; else when every instance knows the databases of its neighbours, and
// has computed routes of them.
func (c *Core) checkReplay(now clock.Instant) {
	r := &c.replay
	if !r.atWork {
		return
	}
	whole := true
	for _, in := range c.order {
		if !in.converged(now) || in.on && !in.routesDone() {
			whole = false
		}
	}
	if r.pending && (r.stale == 0 || whole) {
		r.pending = false
		c.emit(EndOfReplay{})
	}
}
