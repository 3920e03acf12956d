package core

import (
	"fmt"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// hooks are what routes want of the rest of the instance.
type hooks struct {
	// send hands a packet to reliable transport: to some neighbours, or, if to is empty,
	// to all that are up on the interface but those in except.
	send func(now clock.Instant, i *iface, to, except []dual.NeighborID, op packet.Opcode, flags packet.Flags, tlvs []byte)
	// backlog returns how many packets reliable transport has for some neighbours, or all,
	// that cannot go yet; nil: never any.
	backlog func(i *iface, to []dual.NeighborID) int
	// reset ends an adjacency, which may form again.
	reset func(now clock.Instant, n *neighbor, why string)
	trace func(now clock.Instant, t Trace)
}

// resetStuck resets the neighbours that did not answer a QUERY (RFC 7868 section
// 4.4.1).
func (in *instance) resetStuck(now clock.Instant) {
	for len(in.routes.stuck) > 0 {
		s := in.routes.stuck[0]
		in.routes.stuck = in.routes.stuck[1:]
		in.core.emit(Log{"DUAL", SeverityError, "SIA", fmt.Sprintf("Route %v stuck-in-active state in %s. Cleaning up", s.Prefix, in.title())})
		if n := in.neighbors[s.Neighbor]; n != nil {
			in.hooks.reset(now, n, "stuck in active")
		}
	}
}

// traceDUAL shows what DUAL does.
func (in *instance) traceDUAL(now clock.Instant, t dual.Trace) {
	tr := Trace{Event: TraceMessage, Key: in.key, Prefix: t.Prefix, From: t.From, To: t.To, Clause: t.Clause}
	if t.Event == dual.Transition {
		tr.Event = TraceTransition
	} else {
		tr.Text = t.Event.String()
	}
	if n := in.neighbors[t.Neighbor]; n != nil {
		tr.Peer, tr.Interface = n.addr, n.iface.name
	}
	in.hooks.trace(now, tr)
}
