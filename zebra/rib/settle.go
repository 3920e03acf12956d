package rib

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// maxRounds is how often a prefix may be evaluated for one input before it
// counts as unsettled. A chain of recursion needs one round for each level;
// what needs more is circular in a way that the loop rules do not see.
const maxRounds = 64

// enqueue marks a node for evaluation.
func (c *Core) enqueue(n *node) {
	if n.queued || n.frozen && n.epoch == c.epoch {
		return
	}
	n.queued = true
	c.queue = append(c.queue, n)
}

func (c *Core) enqueueUsers(s *source, force bool) {
	for _, u := range s.users {
		u.cand.node.force = u.cand.node.force || force
		c.enqueue(u.cand.node)
	}
}

// list marks a node whose outward face may have changed.
func (c *Core) list(n *node) {
	if !n.listed {
		n.listed = true
		c.touched = append(c.touched, n)
	}
}

// settle evaluates what is queued, and what depends on it, until nothing
// changes, and then emits the net result.
func (c *Core) settle(now clock.Instant) {
	c.epoch++
	for afresh := true; ; afresh = false {
		for i := 0; i < len(c.queue); i++ {
			n := c.queue[i]
			n.queued = false
			c.list(n)
			c.decide(now, n)
		}
		clear(c.queue)
		c.queue = c.queue[:0]
		if !c.edgesChanged || len(c.looped) == 0 {
			break
		}
		c.edgesChanged = false
		c.retryLooped(afresh)
	}
	c.edgesChanged = false
	for _, n := range c.touched {
		n.listed = false
		c.tellRedistribution(n)
		c.tellFIB(n)
	}
	for _, w := range c.touchedWatches {
		w.listed = false
		c.tellWatch(w, false)
	}
	for _, n := range c.touched {
		c.dropNode(n)
	}
	clear(c.touched)
	clear(c.touchedWatches)
	c.touched, c.touchedWatches = c.touched[:0], c.touchedWatches[:0]
}

// retryLooped queues what goes in a circle, as a change elsewhere may have
// opened it. afresh makes every circle prove itself again: its members hold
// each other, even after the way out whose hiding made them a circle is gone.
func (c *Core) retryLooped(afresh bool) {
	for _, n := range sortedNodes(c.looped) {
		c.enqueue(n)
		if afresh && n.loop && !n.frozen {
			n.loop = false
			c.propagate(n, true)
		}
	}
}

// sortedNodes returns the nodes of a set in order of VRF and prefix.
func sortedNodes(set map[*node]struct{}) []*node {
	nodes := make([]*node, 0, len(set))
	for n := range set {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b *node) int {
		return cmp.Or(strings.Compare(a.table.name, b.table.name), comparePrefix(a.prefix, b.prefix))
	})
	return nodes
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// decide evaluates the candidates of a node, selects, and queues what depends
// on the node if the outcome differs from before.
func (c *Core) decide(now clock.Instant, n *node) {
	before, was := faceOf(n), n.best
	if n.epoch != c.epoch {
		n.epoch, n.rounds, n.frozen = c.epoch, 0, false
	}
	n.rounds++
	c.choose(n)
	if n.rounds > maxRounds {
		c.freeze(n)
	}
	after := faceOf(n)
	same, sameBest := after.same(before), after.best == before.best
	if n.best != nil && !(same && n.best == was) {
		n.best.since = now
	}
	if after.used != before.used {
		c.edgesChanged = true
	}
	if !same || !sameBest || n.force {
		c.propagate(n, !same || n.force)
	}
	n.force = false
}

// face is what others see of a node when they resolve through it.
type face struct {
	best     *candidate
	hops     []rib.NextHop
	depth    int16
	loop     bool
	protocol rib.Protocol
	used     uint64 // not seen by users, but by the search for circles
}

func faceOf(n *node) face {
	best := n.routed()
	f := face{best: best, loop: n.loop}
	if best != nil {
		f.hops, f.depth, f.protocol, f.used = best.hops, best.depth, best.route.Protocol, best.used
	}
	return f
}

func (f face) same(o face) bool {
	return (f.best == nil) == (o.best == nil) && f.loop == o.loop && f.depth == o.depth &&
		f.protocol == o.protocol && slices.Equal(f.hops, o.hops)
}

// choose evaluates all candidates and overrides of n and sets what is selected
// and in force.
func (c *Core) choose(n *node) {
	n.over, n.loop = nil, false
	var best, over *candidate
	loops, circle := false, false
	for _, list := range [2][]*candidate{n.routes, n.overrides} {
		for _, cand := range list {
			c.evaluate(cand)
			loops = loops || cand.reason == ReasonLoop || cand.circle
			circle = circle || cand.circle && cand.reason != Active
			switch {
			case cand.reason != Active:
			case !cand.override && best == nil:
				best = cand
			case cand.override && over == nil:
				over = cand
			}
		}
	}
	if best == nil {
		best, over = over, nil
	}
	if best != nil && isConnected(best.route.Protocol) {
		over = nil
	}
	n.best, n.over = best, over
	n.loop = n.routed() == nil && circle
	if loops {
		c.looped[n] = struct{}{}
	} else {
		delete(c.looped, n)
	}
}

func isConnected(p rib.Protocol) bool { return p == rib.Connected || p == rib.Local }

// freeze holds a node inactive for the rest of the input in hand.
func (c *Core) freeze(n *node) {
	n.frozen = true
	n.best, n.over, n.loop = nil, nil, true
	for _, list := range [2][]*candidate{n.routes, n.overrides} {
		for _, cand := range list {
			cand.hops, cand.used, cand.reason, cand.circle = nil, 0, ReasonLoop, true
		}
	}
	c.looped[n] = struct{}{}
	c.trace(Trace{Event: TraceUnsettled, VRF: n.table.name, Prefix: n.prefix})
}

// propagate gives the gateways that n covers a new parent where that follows,
// and queues their users. users are left alone if n means the same to them as
// before (another metric, say); watches look in any case.
func (c *Core) propagate(n *node, users bool) {
	for _, g := range n.table.gateways.Subnets(n.prefix) {
		p := g.parent
		if p != nil && p != n && p.prefix.Bits() > n.prefix.Bits() && p.covers() {
			continue // hidden by a longer prefix
		}
		parent := n.table.lookup(g.addr)
		if parent == p && p != n {
			continue
		}
		c.edgesChanged = true
		g.parent = parent
		for _, w := range g.watches {
			c.listWatch(w)
		}
		if users {
			c.enqueueUsers(&g.source, false)
		}
	}
}
