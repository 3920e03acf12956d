package rib

import (
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// neighbor is an interface and protocol address for which somebody states a
// link-layer address, or an interface and link-layer address to which somebody
// wants multicast to go, or to which somebody wants no more to go than a rate; or an
// interface whose line protocol somebody wants up or down; or a security association or
// a policy that somebody wants. If several owners do, the first by name is in force.
type neighbor struct {
	key    rib.Key
	claims []*claim // by owner's name
	fib    fibEntry
	put    rib.Object // last asked of the FIB, while fib.put: what a claim has for its value
}

// claim is what one owner states about a neighbour.
type claim struct {
	held
	neighbor *neighbor
	value    rib.Object
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

// isNeighbor reports whether a key is that of a neighbor.
func isNeighbor(k rib.Key) bool {
	switch k.Kind {
	case rib.KindNeighbor, rib.KindMulticastPeer, rib.KindLineProtocol, rib.KindShaper, rib.KindSA, rib.KindPolicy:
		return true
	}
	return false
}

// putNeighbor enters a neighbour, or what is kept like one, and returns its FIB entry.
func (c *Core) putNeighbor(now clock.Instant, o *owner, v rib.Object) *fibEntry {
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
	case cl.value.Equal(v):
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
			c.emit(deleteOf(nb.key, c.ask(&nb.fib, false)))
		}
		return
	}
	if first := nb.claims[0]; !nb.fib.put || !nb.put.Equal(first.value) {
		nb.put = first.value
		c.emit(putOf(first, c.ask(&nb.fib, true)))
	}
}

func putOf(cl *claim, gen uint64) Effect {
	switch o := cl.value.(type) {
	case rib.SA:
		return SAPut{Gen: gen, Owner: cl.owner.name, SA: o}
	case rib.Policy:
		return PolicyPut{Gen: gen, Policy: o}
	case rib.MulticastPeer:
		return PeerPut{Gen: gen, Peer: o}
	case rib.LineProtocol:
		return LinePut{Gen: gen, Line: o}
	case rib.Shaper:
		return ShaperPut{Gen: gen, Shaper: o}
	}
	n, _ := cl.value.(rib.Neighbor)
	return NeighborPut{Gen: gen, Neighbor: n}
}

func deleteOf(k rib.Key, gen uint64) Effect {
	switch k.Kind {
	case rib.KindSA:
		return SADelete{Gen: gen, SA: k}
	case rib.KindPolicy:
		return PolicyDelete{Gen: gen, Policy: k}
	case rib.KindLineProtocol:
		return LineDelete{Gen: gen, Interface: k.Interface}
	case rib.KindMulticastPeer:
		return PeerDelete{Gen: gen, Peer: rib.MulticastPeer{Interface: k.Interface, NBMA: k.Addr}}
	case rib.KindShaper:
		return ShaperDelete{Gen: gen, Interface: k.Interface, NBMA: k.Addr}
	}
	return NeighborDelete{Gen: gen, Interface: k.Interface, Addr: k.Addr}
}

// dropNeighbor forgets a neighbour that the FIB has taken out.
func (c *Core) dropNeighbor(nb *neighbor) {
	if len(nb.claims) == 0 {
		delete(c.neighbors, nb.key)
	}
}
