package core

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Times of SAs that have no IKE SA.
const (
	spreadEach = 20 * time.Millisecond // between two peers that are negotiated with anew
	maxSpread  = 2 * time.Minute
	leaveAfter = 3 * outboundWait // until they go, once there is a child SA with the peer
	orphanLife = 30 * time.Second // of those whose IKE SA the peer has lost, or whose peer could not be negotiated with, if nothing takes their place
)

// leftover is an ESP SA that has no IKE SA: of an earlier life of this daemon, or one whose
// IKE SA the peer has lost. GRE passes by it until there is a child SA with the peer.
type leftover struct {
	rib.ESP // without keys
	peer    *peer
	inbound bool
}

type leftKey struct {
	destination netip.Addr
	spi         uint32
}

func (l *leftover) key() leftKey { return leftKey{l.Destination, l.SPI} }

// attached takes in that zebra is there. If something of an earlier life protects traffic,
// nothing is begun until it is known what.
func (c *Core) attached(in Attached) {
	if !c.dumped { // what is known already is not told again
		c.known = nil
		c.waiting = in.Stale > 0 && !c.replayed
	}
}

// saKnown takes in what an SA did, or that there is one of an earlier life.
func (c *Core) saKnown(in SAKnown) {
	ch := c.childOf(in.SA.Destination, in.SA.SPI)
	switch {
	case ch == nil && c.left[leftKey{in.SA.Destination, in.SA.SPI}] != nil:
	case ch == nil && !c.replayed:
		c.known = append(c.known, keyless(in.SA))
	case ch == nil:
		c.emit(DelSA{in.SA.Destination, in.SA.SPI}) // its end was not heard of
	case ch.in.SPI == in.SA.SPI && ch.in.Destination == in.SA.Destination:
		ch.inCount = in.Count
	default:
		ch.outCount = in.Count
	}
}

// replay takes over what an earlier life left, once configuration and interfaces say whose
// it is. What is not taken over goes with the end of the replay.
func (c *Core) replay(now clock.Instant) {
	if !c.dumped || len(c.known) > 0 && !(c.configured && c.interfaces) {
		return
	}
	for _, e := range c.known {
		c.takeOver(now, e)
	}
	c.known, c.dumped, c.waiting, c.replayed = nil, false, false, true
	for _, p := range slices.Clone(c.listed) {
		c.settle(now, p) // that a peer is up still is said before the end of the replay
		if len(p.told) == 0 && c.peers[p.peerKey] == p {
			c.publish(p)
		}
	}
	c.emit(EndOfReplay{})
}

func (c *Core) takeOver(now clock.Instant, e rib.ESP) {
	for _, t := range c.tunnels {
		inbound := e.Destination == t.local
		if !inbound && e.Source != t.local || e.Protocol != protocolGRE {
			continue
		}
		remote := e.Destination
		if inbound {
			remote = e.Source
		}
		p := c.getPeer(now, peerKey{t.vrf, t.local, cmp.Or(e.Alias(), remote)})
		if e.Alias().IsValid() {
			p.outer = remote
		}
		c.emit(PutSA{e})
		life := cmp.Or(time.Duration(e.Lifetime.HardTime)*time.Second, c.config.Global.Lifetime)
		p.renew = true
		c.keep(now, p, e, inbound, life)
		return
	}
}

// keep has an SA be a leftover, for a while at most.
func (c *Core) keep(now clock.Instant, p *peer, e rib.ESP, inbound bool, life time.Duration) {
	l := &leftover{keyless(e), p, inbound}
	c.left[l.key()] = l
	p.left = append(p.left, l)
	c.timers.Set(timerKey{kind: timerLeft, left: l}, now.Add(life))
}

// kept reports whether GRE passes in both directions by leftovers.
func (p *peer) kept() bool {
	is := func(inbound bool) bool {
		return slices.ContainsFunc(p.left, func(l *leftover) bool { return l.inbound == inbound })
	}
	return is(true) && is(false)
}

// spread is how long one of the peers that have leftovers waits until it is negotiated
// with, so that not all of them are at once.
func (c *Core) spread() time.Duration {
	most := min(time.Duration(len(c.left)/2)*spreadEach, maxSpread)
	return time.Duration(uint64(most) * uint64(binary.BigEndian.Uint16(c.bytes(2))) >> 16)
}

// endLeft takes a leftover out of force.
func (c *Core) endLeft(now clock.Instant, l *leftover, reason string) {
	delete(c.left, l.key())
	l.peer.left = slices.DeleteFunc(l.peer.left, func(o *leftover) bool { return o == l })
	c.timers.Clear(timerKey{kind: timerLeft, left: l})
	c.emit(DelSA{l.Destination, l.SPI})
	l.peer.reason = reason
	c.settle(now, l.peer)
}

// endLeftovers takes those of a peer out of force, or those for sending alone.
func (c *Core) endLeftovers(now clock.Instant, p *peer, all bool, reason string) {
	for _, l := range slices.Clone(p.left) {
		if all || !l.inbound {
			c.endLeft(now, l, reason)
		}
	}
}

// leaveDue ends the leftovers of a peer, whose child SA both ends use by now.
func (c *Core) leaveDue(now clock.Instant, p *peer) {
	if len(p.children) > 0 {
		c.endLeftovers(now, p, true, "replaced")
	}
}

// orphan has the children of an IKE SA, which the peer has lost, go on without one: its
// kernel goes on with them. What takes their place is negotiated at once; nothing may, and
// then they go.
func (c *Core) orphan(now clock.Instant, sa *ikeSA) {
	p := sa.peer
	for _, ch := range slices.Clone(sa.children) {
		c.forgetChild(ch)
		c.keep(now, p, ch.in, true, orphanLife)
		if ch.sending {
			c.keep(now, p, ch.out, false, orphanLife)
		}
	}
}

// doubtLeftovers has those of a peer, which could not be negotiated with, end soon.
func (c *Core) doubtLeftovers(now clock.Instant, p *peer) {
	for _, l := range p.left {
		k := timerKey{kind: timerLeft, left: l}
		if c.until(now, k) > orphanLife {
			c.timers.Set(k, now.Add(orphanLife))
		}
	}
}

// moveLeftovers follows a peer whose NAT gave it another port.
func (c *Core) moveLeftovers(p *peer, to netip.AddrPort) {
	if to.Addr() != p.address() {
		return
	}
	for _, l := range p.left {
		if l.UDP == (rib.UDPEncap{}) {
			continue
		}
		if l.inbound {
			l.UDP.Source = to.Port()
		} else {
			l.UDP.Destination = to.Port()
		}
		c.emit(PutSA{l.ESP})
	}
}
