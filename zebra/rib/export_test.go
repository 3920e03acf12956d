package rib

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// NodeState is what others resolve through, for the model test.
type NodeState struct {
	VRF        string
	Prefix     netip.Prefix
	Owner      string // of the selected route, "" if none
	Key        rib.Key
	Origin     string
	IsOverride bool
	Hops       []rib.NextHop
	Depth      int
	Used       uint64
	Loop       bool
	OverOwner  string // of the override in force
	OverHops   []rib.NextHop
}

// States returns the state of every prefix that takes part in lookups.
func (c *Core) States() []NodeState {
	var out []NodeState
	for _, t := range c.tables {
		for p, n := range t.nodes.All() {
			if n.best == nil && !n.loop {
				continue
			}
			s := NodeState{VRF: t.name, Prefix: p, Loop: n.loop}
			if b := n.best; b != nil {
				s.Owner, s.Key, s.Origin, s.IsOverride, s.Hops, s.Depth = b.owner.name, b.key(), b.origin, b.override, b.hops, int(b.depth)
				s.Used = b.used
			}
			if n.over != nil {
				s.OverOwner, s.OverHops = n.over.owner.name, n.over.hops
			}
			out = append(out, s)
		}
	}
	return out
}

// Leaks returns what is left in a RIB from which everything was removed.
func (c *Core) Leaks() error {
	for name, n := range map[string]int{
		"tables": len(c.tables), "interfaces": len(c.interfaces), "owners": len(c.owners),
		"neighbors": len(c.neighbors), "watches": len(c.redist), "timers": c.hold.Len(), "looped": len(c.looped),
		"queue": len(c.queue), "touched": len(c.touched), "touched watches": len(c.touchedWatches),
	} {
		if n != 0 {
			return fmt.Errorf("%d %s left", n, name)
		}
	}
	return nil
}

// Waits returns how many sequence numbers of an owner wait for the FIB.
func (c *Core) Waits(owner string) int { return len(c.owners[owner].waits) }

// Freeze evaluates a prefix as if it had been so too often for one input.
func (c *Core) Freeze(p netip.Prefix) {
	n, _ := c.tables[""].nodes.Get(p)
	n.epoch, n.rounds = c.epoch+1, maxRounds
	c.enqueue(n)
	c.settle(0)
}
