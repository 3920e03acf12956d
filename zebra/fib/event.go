package fib

import (
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// Event takes what the data plane told. Resync and Known mean nothing here: it
// is for the driver to compare with a dump.
func (c *Core) Event(now clock.Instant, ev dataplane.Event) {
	switch ev := ev.(type) {
	case dataplane.LinkChanged:
		c.linkChanged(now, ev.Link)
	case dataplane.LinkGone:
		c.linkGone(now, ev)
	case dataplane.AddrChanged:
		if ev.Gone {
			// With its last IPv4 address a device loses its IPv4 routes.
			c.lose(ev.Addr.Device, func(k dataplane.Kind) bool { return k == dataplane.KindRoute })
		} else {
			c.kick(ev.Addr.Device)
			if c.links[ev.Addr.Device].Dormant {
				c.recheck(now, ev.Addr.Device) // the kernel made a route of it
			}
		}
	case dataplane.ObjectGone:
		c.unguarded(ev.Key)
		if e := c.entries.Get(ev.Key); e != nil && (e.have != nil || e.flying) {
			c.putBack(now, e)
		}
	}
}

// unguarded puts the tunnels again whose guard went: they are down until it is back.
func (c *Core) unguarded(k dataplane.Key) {
	if k.Kind != dataplane.KindPolicy {
		return
	}
	var es []*entry
	for _, e := range c.devices {
		if t, ok := e.want.(dataplane.Tunnel); ok && t.Guarded && dataplane.Guard(t.Local).Key() == k {
			es = append(es, e)
		}
	}
	sortEntries(es)
	for _, e := range es {
		c.gone(e)
		c.calm(e)
		c.queue(e)
	}
}

func (c *Core) linkChanged(now clock.Instant, l dataplane.LinkInfo) {
	old, known := c.links[l.Name]
	c.links[l.Name] = l
	if known && (old.Index != l.Index || old.Up && !l.Up || old.MasterIndex != l.MasterIndex) {
		c.lose(l.Name, onDevice)
	}
	c.kick(l.Name)
	c.recheck(now, l.Name)
}

func (c *Core) linkGone(now clock.Instant, ev dataplane.LinkGone) {
	if old, ok := c.links[ev.Name]; ok && old.Index != ev.Index {
		return // a device of that name came already
	}
	delete(c.links, ev.Name)
	c.lose(ev.Name, onDevice)
	c.recheck(now, ev.Name)
}

// onDevice tells the kinds that live on a device from those that are one.
func onDevice(k dataplane.Kind) bool {
	return k != dataplane.KindLink && k != dataplane.KindTunnel
}

// needs reports whether an object cannot be without the device.
func needs(o dataplane.Object, device string) bool {
	switch o := o.(type) {
	case dataplane.Route:
		return o.Uses(device)
	case dataplane.Link:
		return o.Name == device || o.Master == device
	case dataplane.Tunnel:
		return o.Name == device || o.Master == device || o.Underlay == device
	}
	return o != nil && o.Key().Device() == device
}

// lose takes everything on a device for not installed: the kernel removed it,
// or may have, and does not say.
func (c *Core) lose(device string, kind func(dataplane.Kind) bool) {
	lost := c.pick(func(e *entry) bool {
		return kind(e.key.Kind) && (e.have != nil || e.flying) && (needs(e.have, device) || needs(e.want, device))
	})
	for _, e := range lost {
		c.counters.Lost++
		c.gone(e)
		if e.want != nil {
			c.queue(e)
		}
		c.forget(e)
	}
}

// follow takes in what an operation that succeeded means for other objects: the
// peers of a multicast replicator go with it, and those that found none can come; so
// can tunnels whose guard came.
func (c *Core) follow(op dataplane.Op) {
	switch {
	case op.Key.Kind == dataplane.KindPolicy && !op.IsDelete():
		c.guarded(op.Key)
	case op.Key.Kind != dataplane.KindMulticast:
	case op.IsDelete():
		c.lose(op.Key.Name, func(k dataplane.Kind) bool { return k == dataplane.KindMulticastPeer })
	default:
		c.kick(op.Key.Name)
	}
}

// gone notes that an object is not installed.
func (c *Core) gone(e *entry) {
	e.have, e.undone = nil, e.flying
	if e.want == nil && !e.doomed {
		e.stale = false
	}
}

// guarded tries at once the tunnels that failed and need the guard.
func (c *Core) guarded(k dataplane.Key) {
	c.kickAll(func(o dataplane.Object) bool {
		t, ok := o.(dataplane.Tunnel)
		return ok && t.Guarded && dataplane.Guard(t.Local).Key() == k
	})
}

// kick tries at once what failed and needs the device.
func (c *Core) kick(device string) {
	c.kickAll(func(o dataplane.Object) bool { return needs(o, device) })
}

func (c *Core) kickAll(which func(dataplane.Object) bool) {
	var es []*entry
	for _, e := range c.failed {
		if which(e.want) {
			es = append(es, e)
		}
	}
	sortEntries(es)
	for _, e := range es {
		c.calm(e)
		c.queue(e)
	}
}

// recheck puts a device again that changed, and the tunnels that are bound to
// it (by an index, which is another when it comes again): the provider writes
// only what differs.
func (c *Core) recheck(now clock.Instant, device string) {
	var es []*entry
	for _, e := range c.devices {
		if e.want == nil {
			continue // stale, or on its way out: there is nothing to put
		}
		t, ok := e.want.(dataplane.Tunnel)
		if (e.key.Name == device || ok && t.Underlay == device) && (e.have != nil || e.flying) {
			es = append(es, e)
		}
	}
	sortEntries(es)
	for _, e := range es {
		c.gone(e)
		c.again(now, e)
		c.forget(e)
	}
}

// putBack restores an object that somebody else removed or changed.
func (c *Core) putBack(now clock.Instant, e *entry) {
	c.gone(e)
	if e.want != nil {
		c.counters.PutBack++
		c.again(now, e)
	}
	c.forget(e)
}

// again puts an object now, or later if it was put a moment ago: two who fight
// for an object shall not burn the processor. A policy does not wait: meanwhile packets
// would go in clear. Nor does an SA, which does not come back, but somebody waits to hear
// of it.
func (c *Core) again(now clock.Instant, e *entry) {
	if e.want == nil {
		return
	}
	if at := e.last.Add(PutBackMin); at.After(now) && e.key.Kind != dataplane.KindPolicy && e.key.Kind != dataplane.KindSA {
		e.wait()
		c.retry.Set(e.key, at)
		return
	}
	c.queue(e)
}
