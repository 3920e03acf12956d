package rib

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// fibEntry is what was asked of the FIB under one key, and its verdict.
type fibEntry struct {
	gen      uint64 // of the last effect
	answered uint64 // of the last verdict
	put      bool   // the last effect was a put
	err      string // of the last verdict, if it was on gen

	// Of a route:
	hops       []rib.NextHop
	protocol   rib.Protocol
	overridden bool
}

func (f *fibEntry) state() FIBState {
	switch {
	case f == nil:
		return FIBNone
	case f.answered < f.gen:
		return FIBPending
	case f.err != "":
		return FIBFailed
	case f.put:
		return FIBInstalled
	}
	return FIBNone
}

// ask begins another effect.
func (c *Core) ask(f *fibEntry, put bool) uint64 {
	c.gen++
	f.gen, f.put, f.err = c.gen, put, ""
	return c.gen
}

// wanted returns what n should have in the FIB; ok is false if nothing, since
// nothing is selected or the kernel has it by itself.
func (n *node) wanted() (hops []rib.NextHop, p rib.Protocol, overridden, ok bool) {
	switch {
	case n.best == nil:
		return nil, 0, false, false
	case n.over != nil && n.best.route.Protocol.KernelNumber() == 0:
		return n.over.hops, n.over.route.Protocol, true, true
	case n.over != nil:
		return n.over.hops, n.best.route.Protocol, true, true
	case n.best.route.Protocol.KernelNumber() == 0:
		return nil, 0, false, false
	}
	return n.best.hops, n.best.route.Protocol, false, true
}

// tellFIB brings what is asked of the FIB for n in line with the selection.
func (c *Core) tellFIB(n *node) {
	hops, protocol, overridden, ok := n.wanted()
	f := n.fib
	if !ok {
		if f != nil && f.put {
			c.countFIB(n, func() {
				gen := c.ask(f, false)
				f.hops = nil
				c.emit(FIBDelete{Gen: gen, VRF: n.table.name, Prefix: n.prefix})
			})
		}
		return
	}
	if f == nil {
		f = &fibEntry{}
		n.fib = f
	}
	if f.put && f.protocol == protocol && f.overridden == overridden && slices.Equal(f.hops, hops) {
		return
	}
	c.countFIB(n, func() {
		gen := c.ask(f, true)
		f.hops, f.protocol, f.overridden = hops, protocol, overridden
		c.emit(FIBPut{Gen: gen, VRF: n.table.name, Prefix: n.prefix, Protocol: protocol, Overridden: overridden, NextHops: hops})
	})
}

// countFIB does change, which alters the state of n's FIB entry or what is
// selected, and keeps the counters right.
func (c *Core) countFIB(n *node, change func()) {
	c.addFIB(n, -1)
	change()
	c.addFIB(n, 1)
}

func (c *Core) addFIB(n *node, by int) {
	if n.told == nil {
		return
	}
	switch n.fib.state() {
	case FIBInstalled:
		n.table.count(rib.FamilyOf(n.prefix.Addr()), n.told.route.Protocol).Installed += by
	case FIBFailed:
		n.table.count(rib.FamilyOf(n.prefix.Addr()), n.told.route.Protocol).Failed += by
	}
}

// installed takes a verdict of the FIB.
func (c *Core) installed(now clock.Instant, r Result) {
	switch r.Key.Kind {
	case rib.KindRoute:
		t := c.tables[r.Key.VRF]
		if t == nil {
			return
		}
		n, ok := t.nodes.Get(r.Key.Prefix)
		if !ok || n.fib == nil {
			return
		}
		var verdict bool
		c.countFIB(n, func() {
			verdict = n.fib.verdict(r)
			if verdict && !n.fib.put {
				n.fib = nil // whether it went well is the FIB's to pursue
			}
		})
		if !verdict {
			return
		}
		if n.fib == nil {
			c.dropNode(n)
			return
		}
		for _, cand := range [2]*candidate{n.best, n.over} {
			if cand != nil {
				cand.report(cand.key(), n.fib.err)
			}
		}
	case rib.KindNeighbor, rib.KindMulticastPeer, rib.KindLineProtocol, rib.KindShaper, rib.KindSA, rib.KindPolicy:
		nb := c.neighbors[r.Key]
		if nb == nil || !nb.fib.verdict(r) {
			return
		}
		if !nb.fib.put {
			c.dropNeighbor(nb)
			return
		}
		nb.claims[0].report(r.Key, nb.fib.err)
	}
}

// verdict enters a result and reports whether it is about the last effect.
func (f *fibEntry) verdict(r Result) bool {
	if r.Gen > f.gen || r.Gen < f.answered {
		return false
	}
	f.answered = r.Gen
	if r.Gen < f.gen {
		return false
	}
	f.err = r.Error
	return true
}
