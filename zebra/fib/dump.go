package fib

import (
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// dumpState is the comparison that goes on.
type dumpState struct {
	kind  dataplane.Kind
	adopt bool
	gen   uint8
}

// BeginDump begins the comparison of one kind with what the data plane lists.
// No operation may be with the provider until EndDump. With adopt, objects of
// ours that are not known are of an earlier life: they become stale. Without,
// they are strays, and are removed.
func (c *Core) BeginDump(kind dataplane.Kind, adopt bool) {
	c.dump.kind, c.dump.adopt = kind, adopt
	c.dump.gen++
	for _, e := range c.entries.All() {
		if e.key.Kind == kind {
			e.gen = c.dump.gen - 1
		}
	}
}

// Dumped takes one object that is installed.
func (c *Core) Dumped(have dataplane.Object) {
	e := c.entries.Get(have.Key())
	if e == nil {
		if !dataplane.Own(have) {
			return
		}
		e = c.entry(have.Key())
		e.have, e.gen = have, c.dump.gen
		if c.dump.adopt {
			e.stale = true
			return
		}
		c.counters.Strays++
		c.doom(e)
		return
	}
	e.gen = c.dump.gen
	if e.want == nil {
		if e.have = have; !dataplane.Own(have) {
			// It was ours, and somebody put another in its place.
			e.have, e.stale, e.doomed = nil, false, false
			c.calm(e)
			c.forget(e)
		}
		return
	}
	believed := e.have
	e.have = have
	if e.differs() {
		c.missed(e, believed)
	} else if believed == nil {
		c.found(e)
	}
}

// found notes that an object is installed that was not known to be.
func (c *Core) found(e *entry) {
	c.calm(e)
	e.once = true
	c.outcomes = append(c.outcomes, Outcome{Key: e.key, Object: e.want})
}

// missed has a difference repaired of which no event told. One that waits for
// another try goes on waiting.
func (c *Core) missed(e *entry, believed dataplane.Object) {
	if believed != nil && dataplane.Satisfied(e.want, believed) {
		c.counters.Repaired++
		c.queue(e)
	}
}

// EndDump ends the comparison: what was not dumped is not installed. It is not
// called if the dump broke off.
func (c *Core) EndDump(now clock.Instant) {
	missing := c.pick(func(e *entry) bool {
		return e.key.Kind == c.dump.kind && e.gen != c.dump.gen && e.have != nil
	})
	for _, e := range missing {
		believed := e.have
		c.gone(e)
		if e.want != nil {
			c.missed(e, believed)
		}
		if e.doomed {
			e.doomed = false
			c.calm(e)
		}
		c.forget(e)
	}
}
