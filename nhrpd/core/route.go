package core

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

const (
	// routeIdle is how long zebra is asked about an address that nothing rests on
	// any more.
	routeIdle = 60 * time.Second
	// maxRoutes bounds the addresses that zebra is asked about at a time.
	maxRoutes = 1 << 14
	// maxWaiting bounds what waits for zebra's answer about one address.
	maxWaiting = 64
)

// routeKey is an address of a VRF.
type routeKey struct {
	vrf  string
	addr netip.Addr
}

// route is what zebra says of how an address is reached by routing alone, without
// what NHRP itself put over it. zebra tells of every change as long as it is watched.
type route struct {
	key     routeKey
	known   bool
	is      NextHopChanged
	waiting []func(now clock.Instant)
	entries map[*entry]bool // that are true only as long as the route is: shortcuts, and own prefixes that others were told of
	relays  map[*relay]bool // requests for this address that were passed on
}

// routeTo returns how an address is reached from a tunnel, asking zebra if that is
// not known yet; nil if too much was asked.
func (c *Core) routeTo(now clock.Instant, i *iface, a netip.Addr) *route {
	k := routeKey{i.link.VRF, a}
	r := c.routes[k]
	if r == nil {
		if len(c.routes) >= maxRoutes {
			c.trace(Trace{Event: TraceNoRoom, Interface: i.key.name, Peer: a})
			return nil
		}
		r = &route{key: k, entries: map[*entry]bool{}, relays: map[*relay]bool{}}
		c.routes[k] = r
		c.emit(WatchNextHop{VRF: k.vrf, Addr: a})
	}
	c.timers.Set(timerKey{kind: timerRoute, route: r}, now.Add(routeIdle))
	return r
}

// whenKnown does f as soon as zebra has told of a route: now, if it has. It reports
// false if too much waits already.
func (c *Core) whenKnown(now clock.Instant, r *route, f func(now clock.Instant)) bool {
	switch {
	case r.known:
		f(now)
	case len(r.waiting) >= maxWaiting:
		return false
	default:
		r.waiting = append(r.waiting, f)
	}
	return true
}

// routeIdleDue serves timerRoute: what nothing rests on is not watched any more.
func (c *Core) routeIdleDue(now clock.Instant, r *route) {
	for _, x := range sortedRelays(r.relays) {
		if x.until <= now {
			c.dropRelay(x)
		}
	}
	if len(r.entries)+len(r.relays) > 0 {
		c.timers.Set(timerKey{kind: timerRoute, route: r}, now.Add(routeIdle))
		return
	}
	delete(c.routes, r.key)
	c.emit(UnwatchNextHop{VRF: r.key.vrf, Addr: r.key.addr})
}

// rest has an entry rest on the route to an address.
func (c *Core) rest(e *entry, r *route) {
	if e.route == r {
		return
	}
	c.unrest(e)
	if e.route = r; r != nil {
		r.entries[e] = true
	}
}

func (c *Core) unrest(e *entry) {
	if e.route != nil {
		delete(e.route.entries, e)
		e.route = nil
	}
}

// nextHopChanged takes what zebra says of an address.
func (c *Core) nextHopChanged(now clock.Instant, in NextHopChanged) {
	r := c.routes[routeKey{in.VRF, in.Addr}]
	if r == nil {
		return // not watched any more
	}
	was, first := r.is, !r.known
	r.is, r.known = in, true
	waiting := r.waiting
	r.waiting = nil
	for _, f := range waiting {
		f(now)
	}
	if !first && was.equal(in) {
		return
	}
	entries := make([]*entry, 0, len(r.entries))
	for e := range r.entries {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(a.iface.key.compare(b.iface.key), comparePrefix(a.target, b.target))
	})
	for _, e := range entries {
		if e.route == r { // or one before took it along
			c.parentChanged(now, e, first)
		}
	}
	c.relaysChanged(now, r)
}

// recheckLocal takes back what was told of prefixes behind this router that would be
// told in another way by now: the summary maps changed.
func (c *Core) recheckLocal(now clock.Instant, i *iface) {
	for _, e := range i.cache.sorted() {
		if e.kind == EntryLocal && e.route != nil && e.route.known {
			c.parentChanged(now, e, false)
		}
	}
}

// parentChanged follows a change of the route that an entry rests on.
func (c *Core) parentChanged(now clock.Instant, e *entry, first bool) {
	if e.kind == EntryLocal {
		p, ok := c.egress(e.route, e.iface)
		if target, _ := e.iface.answerPrefix(p, e.asked); !ok || target != e.target {
			c.removeEntry(now, e, TraceEntryDeleted, "Route changed")
		}
		return
	}
	if out, _, ok := c.overTunnel(e.route, e.iface); !ok || out != e.iface {
		c.removeEntry(now, e, TraceEntryDeleted, "Route changed")
		return
	}
	c.stateShortcut(e)
	if !first {
		c.renew(now, e, true)
	}
}

// equal reports whether two answers say the same.
func (n NextHopChanged) equal(o NextHopChanged) bool {
	return n.VRF == o.VRF && n.Addr == o.Addr && n.Prefix == o.Prefix && n.Protocol == o.Protocol &&
		n.Metric == o.Metric && slices.Equal(n.NextHops, o.NextHops)
}

// overTunnel returns the instance and the next hop by which a route leads into the
// NHRP network of like; ok is false if it leads elsewhere or nowhere.
func (c *Core) overTunnel(r *route, like *iface) (out *iface, hop netip.Addr, ok bool) {
	if r == nil || !r.known {
		return nil, hop, false
	}
	for _, h := range r.is.NextHops {
		o := c.ifaces[ifaceKey{h.Interface, like.key.family}]
		if h.Discard || o == nil || o.cfg.NetworkID != like.cfg.NetworkID {
			continue
		}
		if hop = h.Addr; !hop.IsValid() {
			hop = r.key.addr
		}
		return o, hop, true
	}
	return nil, hop, false
}

// egress returns the prefix of a route that leads out of the NHRP network here; ok
// is false if it leads into it, or nowhere.
func (c *Core) egress(r *route, like *iface) (p netip.Prefix, ok bool) {
	if _, _, tunnel := c.overTunnel(r, like); tunnel || !r.known || !r.is.Prefix.IsValid() {
		return p, false
	}
	if !slices.ContainsFunc(r.is.NextHops, func(h rib.NextHop) bool { return !h.Discard }) {
		return p, false
	}
	if r.is.Protocol != rib.Local {
		return r.is.Prefix, true
	}
	// An own address: what is asked about is its subnet.
	for _, h := range r.is.NextHops {
		for _, a := range c.links[h.Interface].Addresses {
			if a.Prefix.Addr() == r.key.addr {
				return a.Prefix.Masked(), true
			}
		}
	}
	return r.is.Prefix, true
}
