package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// prefixesFull reports whether a limit keeps a route of a neighbour out.
func (in *instance) prefixesFull(n *neighbor, p netip.Prefix) bool {
	return n.routes.prefixes >= MaxPrefixes && !in.table.Reports(p, n.id)
}

// counted notes that a neighbour has a path more, or one less.
func (in *instance) counted(now clock.Instant, n *neighbor, more bool) {
	if more {
		n.routes.prefixes++
	} else {
		n.routes.prefixes--
	}
}
