package core

import (
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
