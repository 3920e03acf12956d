package core

import (
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// routesResync says that a neighbour restarts and its adjacency is kept, or that it is
// asked for its table anew: what it has told is kept until it has told its table to
// the end, and then what it did not tell again goes.
func (in *instance) routesResync(now clock.Instant, n *neighbor) {
	n.routes.told = false
	n.routes.stale = in.table.ReportedBy(n.id)
}

// routesRetell tells a neighbour the whole table anew, to the end.
func (in *instance) routesRetell(now clock.Instant, n *neighbor) {
	in.step(now, dual.Retell{Neighbor: n.id})
	in.endOfTable(n)
}

// tableReceived says that a neighbour told its table to the end.
func (in *instance) tableReceived(now clock.Instant, n *neighbor) {
	n.routes.told = true
	gone := sortedPrefixes(n.routes.stale)
	n.routes.stale = nil
	for _, p := range gone {
		in.received(now, n, dual.Message[attribute]{Kind: dual.Update, Prefix: p, Unreachable: true})
	}
}

// routesTold reports whether a neighbour has told its table to the end.
func (in *instance) routesTold(n *neighbor) bool { return n.routes.told }

// routesRestarted ends the restart of this router, during which it told nothing and gave
// zebra nothing: of some tables alone it might have chosen ways that lead through it,
// since its neighbours kept theirs. Now it knows all of them.
func (in *instance) routesRestarted(now clock.Instant) {
	for _, id := range in.routes.outOrder { // QUERYs and REPLYs stay
		if o := in.routes.out[id]; o != nil {
			o.dropUpdates()
		}
	}
	for _, n := range in.sorted() {
		if n.up {
			in.routesRetell(now, n)
		}
	}
	in.reinstall(now)
}

// dropUpdates takes the UPDATEs out of the outbox.
func (o *outbox) dropUpdates() {
	o.keep(slices.DeleteFunc(slices.Clone(o.groups), func(g *sending) bool { return g.gone || g.kind == dual.Update }))
}

// cameBackWorse reports whether a neighbour that has restarted tells a longer distance
// than before. It has forgotten its Feasible Distance, and may have chosen a way through
// a router that still relies on what it told before: the adjacency has to be reset.
func (in *instance) cameBackWorse(n *neighbor, m *dual.Message[attribute]) bool {
	if _, kept := n.routes.stale[m.Prefix]; !kept || m.Unreachable {
		return false
	}
	e, _ := in.table.Entry(m.Prefix)
	for k := range e.Paths {
		if p := &e.Paths[k]; p.Neighbor == n.id {
			return arithmetic{in}.Distance(m.Attribute) > p.Reported
		}
	}
	return false
}
