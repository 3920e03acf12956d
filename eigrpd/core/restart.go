package core

import (
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core/rtp"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// restart is a neighbour that has begun anew, and whose routes are kept until it has
// told its table again (RFC 7868 section 6.5, RS-Flag and EOT-Flag).
type restart struct {
	since clock.Instant
	began bool // its INIT has come: what follows is its new table
}

// restarting reports whether this router has restarted, and asks its neighbours to
// keep its routes (RFC 7868 section 6.5, RS-Flag).
func (in *instance) restarting() bool {
	return !in.cfg.NoNSF && in.converge.again && !in.converge.done && !in.converge.abort
}

// abortRestart ends the restart of this router before it knows the tables of all its
// neighbours: one of them sends a QUERY, so the topology changes, and nobody may wait for
// a router that waits for all.
func (in *instance) abortRestart(now clock.Instant) {
	if in.restarting() {
		in.converge.abort = true
		in.endRestart(now)
	}
}

// endRestart follows when a router that restarted knows the tables of its neighbours.
func (in *instance) endRestart(now clock.Instant) {
	for _, i := range in.order { // the RS flag is off from now on
		i.armHello(now)
	}
	in.routesRestarted(now)
	in.settle(now)
}

// hearRestart takes notice of whether the Hellos of a neighbour have the RS flag: it has
// restarted. Its INIT will follow, once it has heard of this router.
func (n *neighbor) hearRestart(now clock.Instant) {
	in := n.iface.instance
	switch {
	case n.asksRS && n.up && n.restart == nil && in.routesTold(n):
		n.restart = &restart{since: now}
		in.neighborChanged(now, n, TracePeerNew, "resync", "peer NSF restarted")
		in.armPurge(now, n)
		n.iface.expedite(now, n)
	case !n.asksRS && n.restart != nil && !n.restart.began: // that Hello was an old one
		in.abandonRestart(n)
	}
}

func (in *instance) armPurge(now clock.Instant, n *neighbor) {
	in.core.timers.Set(timerKey{kind: timerPurge, neighbor: n}, now.Add(in.cfg.PurgeTime))
}

// restarted follows when a neighbour that is known sends an INIT: it has begun anew.
// Its routes go, unless it asks to keep them (RS). It returns the neighbour as which it
// goes on, nil if it cannot.
func (in *instance) restarted(now clock.Instant, n *neighbor) *neighbor {
	if in.core.in.Flags&packet.FlagRestart != 0 && n.up && !in.awaits(n) {
		if n.restart == nil || n.restart.began {
			in.neighborChanged(now, n, TracePeerNew, "resync", "peer graceful-restart")
			n.restart = &restart{since: now}
		}
		in.resync(now, n)
		return n
	}
	old := *n
	in.down(now, n, "peer restarted", quietly)
	next := in.meet(now, old.iface, old.addr, origin{static: old.static, remote: old.remote, listened: old.listened, ttl: old.ttl})
	if next == nil {
		return nil
	}
	next.software, next.wide, next.flags, next.stub, next.base = old.software, old.wide, old.flags, old.stub, old.base
	next.setHold(now, old.hold)
	next.greet(now)
	return next
}

// resync exchanges tables with a neighbour anew and keeps its routes meanwhile. What
// waited to be sent to it is in the table.
func (in *instance) resync(now clock.Instant, n *neighbor) {
	if n.restart == nil {
		n.restart = &restart{since: now}
	}
	n.restart.began = true
	n.met, n.initAcked = false, false
	in.routesResync(now, n)
	in.transport.PeerUp(now, n.peer(), rtp.InterfaceID(n.iface.id), n.static || n.remote)
	in.transport.SetMulticast(now, n.peer(), true)
	in.transport.SetHold(n.peer(), n.hold)
	in.armPurge(now, n)
	n.greet(now)
	in.routesRetell(now, n)
}

// awaits reports whether DUAL waits for a REPLY of a neighbour. One that has restarted
// knows of no QUERY.
func (in *instance) awaits(n *neighbor) bool {
	for e := range in.table.Entries() {
		if slices.Contains(e.Waiting, n.id) {
			return true
		}
	}
	return false
}

// purge ends the restart of a neighbour that has had its time for it: what it did not
// tell again is gone, and all if it did not even begin.
func (n *neighbor) purge(now clock.Instant) {
	in := n.iface.instance
	switch r := n.restart; {
	case r == nil:
	case !r.began:
		in.down(now, n, "graceful restart purge time expired", aloud)
	default:
		in.abandonRestart(n)
		in.tableReceived(now, n)
	}
}

// abandonRestart forgets that a neighbour restarts.
func (in *instance) abandonRestart(n *neighbor) {
	n.restart = nil
	in.core.timers.Clear(timerKey{kind: timerPurge, neighbor: n})
}
