package core

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// news is one entry of a response that may be believed.
type news struct {
	key      key
	nextHop  uint32
	tag      uint16
	metric   uint8 // with the cost of the network
	distance uint8
}

// response takes in what a neighbour tells (RFC 2453 section 3.9.2).
func (c *Core) response(now clock.Instant, i *iface, n *neighbor) {
	for k := range c.in.Entries {
		e := &c.in.Entries[k]
		x, reason := c.judge(i, n, e)
		if reason == DropNone {
			reason = c.learn(now, i.instance, n, x)
		}
		if reason == DropNone {
			continue
		}
		i.drop(reason)
		if reason < DropEntryFilter {
			n.badRoutes++
		}
		if c.tracing.Events {
			p, _ := e.Prefix(i.addr)
			c.event(Trace{Event: TraceEntryDropped, VRF: i.instance.vrf, Interface: i.name,
				Peer: netip.AddrPortFrom(n.addr, packet.Port), Prefix: p, Metric: e.Metric, Drop: reason})
		}
	}
}

// judge validates an entry.
func (c *Core) judge(i *iface, n *neighbor, e *packet.Entry) (x news, reason DropReason) {
	switch e.Check() {
	case 0:
	case packet.ReasonFamily:
		return x, DropEntryFamily
	case packet.ReasonMetric:
		return x, DropEntryMetric
	case packet.ReasonMask:
		return x, DropEntryMask
	default:
		return x, DropEntryAddress
	}
	p, ok := e.Prefix(i.addr)
	if !ok || p.Addr() != e.Addr {
		return x, DropEntryMask
	}
	in := i.instance
	x = news{key: keyOf(p), nextHop: addr4(n.addr), tag: e.Tag}
	if e.NextHop != netip.IPv4Unspecified() {
		switch { // RFC 2453 section 4.4
		case c.isOwn(in, e.NextHop):
			// The neighbour's way is through this router: if it had another
			// one, that is over, as poisoned reverse would say.
			if r := in.table.get(x.key); r != nil {
				if old, _ := r.pathFrom(n); old != nil {
					x.metric = packet.Infinity
					return x, DropNone
				}
			}
			return x, DropEntryNextHop
		case i.reaches(e.NextHop):
			x.nextHop = addr4(e.NextHop)
		}
	}
	if x.distance = in.rules.distance(n.addr, p); x.distance == rib.MaxDistance || !in.rules.permit(false, i.name, n.addr, p) {
		return x, DropEntryFilter // nothing of it is in the table: see rejudge
	}
	const cost = 1 // of the network on which it arrived
	x.metric = uint8(min(e.Metric+cost+in.rules.offset(false, i.name, p), packet.Infinity))
	return x, DropNone
}

// learn changes the table as RFC 2453 section 3.9.2 says, with more than one
// path where they are equally good. The distance goes before the metric: that is
// what it is configured for.
func (c *Core) learn(now clock.Instant, in *instance, n *neighbor, x news) DropReason {
	r := in.table.get(x.key)
	if r == nil {
		switch {
		case x.metric == packet.Infinity:
			return DropNone // there is no point in adding it
		case len(in.table.routes) >= MaxRoutes:
			if in.full.allow(now) {
				c.log(SeverityWarning, "TABLEFULL", fmt.Sprintf("%d routes%s, %v from %v is not taken", MaxRoutes, inVRF(in.vrf), x.key.prefix(), n.addr))
			}
			return DropEntryTable
		}
		r = in.table.add(x.key)
	}
	if r.connected() {
		return DropNone // nothing is nearer
	}
	old, count := r.pathFrom(n)
	if old != nil && x.same(old) {
		old.heard = now
		in.heard.remove(old)
		in.heard.add(old)
		return DropNone
	}
	if old == nil && (x.metric == packet.Infinity || r.paths != nil && x.compare(r.paths) > 0) {
		return DropNone // the commonest news of all
	}
	before := in.wanted(x.key)
	switch {
	case old != nil && x.metric == packet.Infinity:
		c.lose(now, in, old)
	case old != nil:
		c.change(now, in, old, x, count)
	case r.paths != nil:
		c.compete(now, in, r, n, x, count)
	case r.ownLost && r.changed:
		// What others say of it is what this router told before: it would believe its
		// own words, and count to infinity with who repeats them.
	case !in.heldDown(now, r, n):
		r.ownLost = false
		c.adopt(now, in, r, n, x)
	}
	c.restate(in, x.key, before)
	return DropNone
}

// same reports whether the news is what the path says already.
func (x news) same(p *path) bool {
	return x.metric == p.metric && x.nextHop == p.nextHop && x.tag == p.tag && x.distance == p.distance
}

// compare tells which is better: less than 0 if the news is.
func (x news) compare(p *path) int {
	return cmp.Or(cmp.Compare(x.distance, p.distance), cmp.Compare(x.metric, p.metric))
}

// heldDown reports whether a lost route is not taken from this neighbour yet.
func (in *instance) heldDown(now clock.Instant, r *route, n *neighbor) bool {
	return r.inHolddown(now, in) && r.from != addr4(n.addr)
}

func (r *route) inHolddown(now clock.Instant, in *instance) bool {
	return r.paths == nil && r.from != 0 && now < r.lost.Add(in.cfg.Timers.Holddown)
}

// change follows other news of the neighbour that told the path.
func (c *Core) change(now clock.Instant, in *instance, p *path, x news, count int) {
	r := p.route
	order := x.compare(p)
	if order > 0 && count > 1 { // the others are better now
		c.lose(now, in, p)
		return
	}
	if order < 0 {
		for q := r.paths; q != nil; q = r.paths {
			if q == p {
				if q = q.next; q == nil {
					break
				}
			}
			c.unlink(in, q)
		}
	}
	p.heard, p.nextHop, p.tag, p.metric, p.distance = now, x.nextHop, x.tag, x.metric, x.distance
	in.heard.remove(p)
	in.heard.add(p)
	c.pathsChanged(now, in, r)
}

// compete takes a way that another neighbour than those in use offers.
func (c *Core) compete(now clock.Instant, in *instance, r *route, n *neighbor, x news, count int) {
	switch order := x.compare(r.paths); {
	case order > 0:
		return
	case order < 0:
		for r.paths != nil {
			c.unlink(in, r.paths)
		}
	case count >= in.cfg.MaximumPaths:
		// The heuristic of section 3.9.2: one that shows signs of timing out is
		// replaced.
		oldest := r.paths
		for p := r.paths; p != nil; p = p.next {
			if p.heard < oldest.heard {
				oldest = p
			}
		}
		if now.Sub(oldest.heard) < in.cfg.Timers.Invalid/2 {
			return
		}
		c.unlink(in, oldest)
	}
	c.adopt(now, in, r, n, x)
}

// adopt adds a path.
func (c *Core) adopt(now clock.Instant, in *instance, r *route, n *neighbor, x news) {
	p := &path{neighbor: n, heard: now, nextHop: x.nextHop, tag: x.tag, metric: x.metric, distance: x.distance}
	first := in.heard.oldest == nil
	in.heard.add(p)
	r.addPath(p)
	n.paths++
	if first {
		c.armExpire(in)
	}
	c.pathsChanged(now, in, r)
}

// unlink takes a path out of everything that knows it.
func (c *Core) unlink(in *instance, p *path) {
	in.heard.remove(p)
	p.route.dropPath(p)
	p.neighbor.paths--
}

// lose ends a path: it timed out, was told to be unreachable, its interface went,
// or it is not permitted any more.
func (c *Core) lose(now clock.Instant, in *instance, p *path) {
	r := p.route
	c.unlink(in, p)
	if r.paths == nil {
		r.from, r.lost = addr4(p.neighbor.addr), now
	}
	c.pathsChanged(now, in, r)
}

// losePath ends a path and says so to zebra.
func (c *Core) losePath(now clock.Instant, in *instance, p *path) {
	k := p.route.key
	before := in.wanted(k)
	c.lose(now, in, p)
	c.restate(in, k, before)
}

// pathsChanged follows a change of the learnt paths.
func (c *Core) pathsChanged(now clock.Instant, in *instance, r *route) {
	if r.own == nil {
		c.settle(now, in, r)
	} else {
		c.considerDefault(now, in, r.key) // nothing else is announced
	}
}

// wanted returns how a prefix is to be forwarded: by the learnt paths, also where
// this router announces it by itself. Without next hops it is not.
func (in *instance) wanted(k key) rib.Route {
	x := rib.Route{VRF: in.vrf, Protocol: rib.RIP}
	if s := in.summary(k); s != nil && s.discards() {
		x.Type, x.Distance = rib.TypeSummary, summaryDistance
		x.NextHops = []rib.NextHop{{Discard: true}}
		return x
	}
	if r := in.table.get(k); r != nil && r.paths != nil {
		x.Distance, x.Metric, x.Tag = r.paths.distance, uint32(r.paths.metric)-1, uint32(r.paths.tag)
		x.NextHops = nextHops(r.paths)
	}
	return x
}

// restate tells zebra how a prefix is to be forwarded if that is not as before.
func (c *Core) restate(in *instance, k key, before rib.Route) {
	after := in.wanted(k)
	if after.Equal(before) {
		return
	}
	after.Prefix = k.prefix()
	if after.NextHops == nil {
		c.emit(DelRoute{after.Key()})
	} else {
		c.emit(PutRoute{after})
	}
}

// nextHops returns the ways of the paths, each once.
func nextHops(first *path) []rib.NextHop {
	var all []rib.NextHop
	for p := first; p != nil; p = p.next {
		all = append(all, rib.NextHop{Addr: addrOf(p.nextHop), Interface: p.neighbor.iface.name})
	}
	if len(all) > 1 {
		slices.SortFunc(all, func(a, b rib.NextHop) int {
			return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Interface, b.Interface))
		})
		all = slices.Compact(all)
	}
	return all
}
