package core

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core/rtp"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// neighborKey names a router by how it is heard.
type neighborKey struct {
	iface *iface
	addr  netip.Addr
}

// peer is the neighbour as reliable transport names it.
func (n *neighbor) peer() rtp.PeerID { return rtp.PeerID(n.id) }

// origin is how a router that is heard may be a neighbour.
type origin struct {
	static, remote, listened bool
	ttl                      uint8
}

// remoteTTL is the TTL of packets to a remote neighbour, if nothing is configured.
const remoteTTL = 100

// meet enters a neighbour, pending at first: it is sent nothing but an empty UPDATE
// with the INIT flag (RFC 7868 sections 5.3.3 and 5.3.5). It returns nil if there are
// too many.
func (in *instance) meet(now clock.Instant, i *iface, addr netip.Addr, how origin) *neighbor {
	if len(in.neighbors) >= MaxNeighbors {
		return nil
	}
	for in.neighborID++; in.neighborID == 0 || in.neighbors[in.neighborID] != nil; in.neighborID++ {
	}
	n := &neighbor{
		id: in.neighborID, addr: addr, iface: i, handle: in.handles.take(), since: now, heard: now,
		static: how.static, remote: how.remote, listened: how.listened, ttl: how.ttl, hold: DefaultHold,
	}
	in.neighbors[n.id], in.byAddr[neighborKey{i, addr}] = n, n
	i.peers++
	if n.listened {
		in.listening++
	}
	in.transport.PeerUp(now, n.peer(), rtp.InterfaceID(i.id), how.static || how.remote)
	in.trace(now, Trace{Event: TracePeerNew, Interface: i.name, Peer: addr})
	return n
}

// greet begins the three-way handshake with a neighbour that was met: an expedited
// Hello, so that it knows of this router, and the INIT (RFC 7868 section 5.3.4).
func (n *neighbor) greet(now clock.Instant) {
	in := n.iface.instance
	n.iface.expedite(now, n)
	flags := packet.FlagInit
	if in.restarting() || n.restart != nil {
		flags |= packet.FlagRestart
	}
	in.transport.Send(now, rtp.InterfaceID(n.iface.id), []rtp.PeerID{n.peer()}, nil, rtp.Packet{Opcode: packet.Update, Flags: flags})
}

// rise ends the handshake: the neighbour is told the table, and takes part in DUAL.
func (in *instance) rise(now clock.Instant, n *neighbor) {
	if n.up {
		return
	}
	n.up = true
	in.transport.SetMulticast(now, n.peer(), true)
	in.neighborChanged(now, n, TracePeerUp, "up", "new adjacency")
	in.routesNeighborUp(now, n)
}

// Whether a neighbour that is reset is told so.
const (
	quietly = false
	aloud   = true
)

// down resets the adjacency with a neighbour. aloud: the neighbour is told (RFC 7868
// section 6.7.7).
func (in *instance) down(now clock.Instant, n *neighbor, why string, tell bool) {
	if in.neighbors[n.id] != n {
		return
	}
	in.abandonRestart(n)
	if n.up {
		in.routesNeighborDown(now, n)
	}
	in.transport.PeerDown(now, n.peer())
	delete(in.neighbors, n.id)
	delete(in.byAddr, neighborKey{n.iface, n.addr})
	in.handles.give(n.handle)
	n.iface.peers--
	if n.listened {
		in.listening--
	}
	in.core.timers.Clear(timerKey{kind: timerHold, neighbor: n})
	if tell {
		n.iface.terminated = append(n.iface.terminated, n)
	}
	if n.up || in.pending.allow(now) {
		in.neighborChanged(now, n, TracePeerDown, "down", why)
	} else {
		in.trace(now, Trace{Event: TracePeerDown, Interface: n.iface.name, Peer: n.addr, Text: why})
	}
	n.up = false
}

// neighborChanged logs in the words of IOS, and traces.
func (in *instance) neighborChanged(now clock.Instant, n *neighbor, event TraceEvent, state, why string) {
	in.trace(now, Trace{Event: event, Interface: n.iface.name, Peer: n.addr, Text: why})
	if !in.cfg.NoLogNeighborChanges {
		in.log(SeverityNotice, "NBRCHANGE", fmt.Sprintf("Neighbor %v (%s) is %s: %s", n.addr, n.iface.name, state, why))
	}
}

// log emits a message about the instance.
func (in *instance) log(s Severity, mnemonic, text string) {
	in.core.emit(Log{Facility: "DUAL", Severity: s, Mnemonic: mnemonic, Text: in.title() + ": " + text})
}

// warn logs what others can provoke, seldom enough not to flood the log.
func (in *instance) warn(now clock.Instant, q *quiet, mnemonic, text string) {
	if !in.cfg.NoLogWarnings && q.allow(now) {
		in.log(SeverityWarning, mnemonic, text)
	}
}

// quiet limits a log message that others can provoke.
type quiet struct{ until clock.Instant }

// logInterval is the time between two log messages of a kind.
const logInterval = 10 * time.Second

// allow reports whether the message may be logged now.
func (q *quiet) allow(now clock.Instant) bool {
	if now < q.until {
		return false
	}
	q.until = now.Add(logInterval)
	return true
}

// setHold takes the Hold Time over that a neighbour announces.
func (n *neighbor) setHold(now clock.Instant, hold time.Duration) {
	hold = max(hold, time.Second)
	k := timerKey{kind: timerHold, neighbor: n}
	at, armed := n.iface.instance.core.timers.Deadline(k)
	if armed && hold == n.hold {
		return // checkHold looks when it was heard last
	}
	n.hold = hold
	n.iface.instance.transport.SetHold(n.peer(), hold)
	if due := n.heard.Add(hold); !armed || due < at {
		n.iface.instance.core.timers.Set(k, due)
	}
}

// checkHold resets a neighbour that fell silent (RFC 7868 section 5.3.1): any packet
// keeps it.
func (n *neighbor) checkHold(now clock.Instant) {
	in := n.iface.instance
	if due := n.heard.Add(n.hold); due > now {
		in.core.timers.Set(timerKey{kind: timerHold, neighbor: n}, due)
		return
	}
	why := "holding time expired"
	if n.badAuth {
		why = "Auth failure"
	}
	n.iface.timer(now, "Hold Time of "+n.addr.String())
	in.down(now, n, why, aloud)
}

// timer traces a timer that has run out.
func (i *iface) timer(now clock.Instant, what string) {
	if i.instance.core.tracing.Timers {
		i.instance.trace(now, Trace{Event: TraceTimer, Interface: i.name, Text: what})
	}
}

// configureNeighbors finds the `neighbor` lines of the interface.
func (i *iface) configureNeighbors() {
	i.static, i.remote = nil, nil
	for _, x := range i.instance.cfg.Neighbors {
		switch {
		case x.Interface != i.name:
		case x.Remote:
			i.remote = append(i.remote, x)
		default:
			i.static = append(i.static, x.Addr)
		}
	}
}

// reconcileNeighbors ends the adjacencies that the `neighbor` lines do not admit any
// more. On IOS an interface with static neighbours has no others.
func (i *iface) reconcileNeighbors(now clock.Instant, static []netip.Addr, remote []StaticNeighbor) {
	in := i.instance
	if slices.Equal(static, i.static) && slices.Equal(remote, i.remote) && (in.listening == 0 || in.cfg.Listen != nil) {
		return
	}
	in.transport.SetLink(now, i.transportLink())
	for _, n := range in.sorted() {
		if n.iface != i {
			continue
		}
		how, _, reason := in.mayBe(i, n.addr, !n.static && !n.remote)
		if reason != 0 || how.static != n.static || how.remote != n.remote {
			in.down(now, n, "Static peer configured", aloud)
		}
		n.ttl = how.ttl
	}
	i.armHello(now)
}

// hasRemote reports whether packets of remote neighbours are wanted.
func (in *instance) hasRemote() bool {
	return in.on && (in.cfg.Listen != nil || slices.ContainsFunc(in.cfg.Neighbors, func(x StaticNeighbor) bool { return x.Remote }))
}

// mayBe says how a router from which a packet came by an interface, nil for one that
// EIGRP does not run on, may be a neighbour, and of which interface. Where it may not,
// it says why.
func (in *instance) mayBe(by *iface, from netip.Addr, multicast bool) (how origin, i *iface, reason DropReason) {
	if !multicast {
		if how, i := in.mayBeRemote(from); i != nil {
			return how, i, 0
		}
	}
	switch {
	case by == nil || !by.talks():
		return how, nil, DropPassive
	case len(by.static) > 0 && multicast:
		return how, by, DropMulticast
	case len(by.static) > 0:
		if !slices.Contains(by.static, from) {
			return how, by, DropSource
		}
		return origin{static: true}, by, 0
	case !by.reaches(from):
		return how, by, DropSource
	}
	return how, by, 0
}

// mayBeRemote says whether a router may be a remote neighbour, and of which interface.
func (in *instance) mayBeRemote(from netip.Addr) (how origin, i *iface) {
	for k := range in.cfg.Neighbors {
		x := &in.cfg.Neighbors[k]
		if i := in.ifaces[x.Interface]; x.Remote && x.Addr == from && i != nil && i.up {
			how = origin{remote: true, static: true, ttl: x.MaxHops}
			if how.ttl == 0 {
				how.ttl = remoteTTL
			}
			return how, i
		}
	}
	l := in.cfg.Listen
	if l == nil {
		return how, nil
	}
	i = in.ifaces[l.Interface]
	if i == nil || !i.up {
		return how, nil
	}
	if permit, _ := in.core.policy.AccessList(l.AllowList).MatchAddr(from); l.AllowList != "" && !permit {
		return how, nil
	}
	return origin{remote: true, listened: true, ttl: remoteTTL}, i
}
