package rib

import (
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// neighbor is an interface and protocol address for which somebody states a
// link-layer address. If several owners do, the first by name is in force.
type neighbor struct {
	key    rib.Key
	claims []*claim // by owner's name
	fib    fibEntry
	put    rib.Neighbor // last asked of the FIB, while fib.put
}

// claim is what one owner states about a neighbour.
type claim struct {
	held
	neighbor *neighbor
	value    rib.Neighbor
	since    clock.Instant
}

func (nb *neighbor) claim(o *owner) *claim {
	for _, cl := range nb.claims {
		if cl.owner == o {
			return cl
		}
	}
	return nil
}

// putNeighbor enters a neighbour and returns its FIB entry.
func (c *Core) putNeighbor(now clock.Instant, o *owner, v rib.Neighbor) *fibEntry {
	key := v.Key()
	nb := c.neighbors[key]
	if nb == nil {
		nb = &neighbor{key: key}
		c.neighbors[key] = nb
	}
	cl := nb.claim(o)
	switch {
	case cl == nil:
		cl = &claim{neighbor: nb, value: v, since: now}
		o.own(cl)
		i, _ := slices.BinarySearchFunc(nb.claims, cl, func(a, b *claim) int {
			return strings.Compare(a.owner.name, b.owner.name)
		})
		nb.claims = slices.Insert(nb.claims, i, cl)
	case cl.value == v:
		cl.refresh()
		if nb.fib.state() == FIBFailed && cl == nb.claims[0] {
			o.fail(key, nb.fib.err)
		}
	default:
		cl.refresh()
		cl.value, cl.since, cl.failed = v, now, false
	}
	c.tellNeighbor(nb)
	return &nb.fib
}

// remove implements holder.
func (cl *claim) remove(c *Core, _ clock.Instant) {
	nb := cl.neighbor
	nb.claims = slices.DeleteFunc(nb.claims, func(o *claim) bool { return o == cl })
	c.tellNeighbor(nb)
}

// tellNeighbor brings what is asked of the FIB in line with the claims.
func (c *Core) tellNeighbor(nb *neighbor) {
	if len(nb.claims) == 0 {
		if nb.fib.put {
			c.emit(NeighborDelete{Gen: c.ask(&nb.fib, false), Interface: nb.key.Interface, Addr: nb.key.Addr})
		}
		return
	}
	if want := nb.claims[0].value; !nb.fib.put || nb.put != want {
		nb.put = want
		c.emit(NeighborPut{Gen: c.ask(&nb.fib, true), Neighbor: want})
	}
}

// dropNeighbor forgets a neighbour that the FIB has taken out.
func (c *Core) dropNeighbor(nb *neighbor) {
	if len(nb.claims) == 0 {
		delete(c.neighbors, nb.key)
	}
}
