package core

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// Limits of what waits for a peer to be secured. Who asks asks again: what is dropped is
// late at most.
const (
	heldLife   = 5 * time.Second
	maxHeld    = 4       // packets for a peer
	maxHeldLen = 8 << 10 // octets of them
	maxHeldAll = 1 << 10 // packets for all peers
)

// waiting is a packet for a peer that is not secured yet.
type waiting struct {
	iface  *iface
	packet []byte
	of     origin
	head   packet.Message // what traces and counters say of it
	until  clock.Instant
}

// hold keeps a packet until packets pass to its receiver. One that repeats another takes
// its place.
func (c *Core) hold(now clock.Instant, i *iface, to netip.Addr, m *packet.Message, o origin) {
	b, err := m.AppendBinary(make([]byte, 0, m.Len()))
	if err != nil {
		c.unsent(i, to, m, DropEncode)
		return
	}
	w := waiting{iface: i, packet: b, of: o, until: now.Add(heldLife),
		head: packet.Message{Type: m.Type, RequestID: m.RequestID, SrcProtocol: m.SrcProtocol, DstProtocol: m.DstProtocol, ErrorCode: m.ErrorCode}}
	if !i.secures() || !i.station(to) {
		c.unsent(i, to, m, DropNotSecured)
		return
	}
	p := c.getPeer(peerKey{i.key.name, to})
	if at := slices.IndexFunc(p.waiting, w.repeats); at >= 0 {
		p.waiting = slices.Delete(p.waiting, at, at+1)
		c.heldCount--
	}
	octets := len(b)
	for _, x := range p.waiting {
		octets += len(x.packet)
	}
	if len(p.waiting) >= maxHeld || octets > maxHeldLen || c.heldCount >= maxHeldAll {
		c.unsent(i, to, m, DropNotSecured)
	} else {
		p.waiting = append(p.waiting, w)
		c.heldCount++
	}
	c.armHeld(p)
}

// repeats reports whether a packet says again what another one says.
func (w waiting) repeats(o waiting) bool {
	a, b := w.head, o.head
	return w.iface == o.iface && a.Type == b.Type && a.RequestID == b.RequestID && a.SrcProtocol == b.SrcProtocol &&
		a.DstProtocol == b.DstProtocol && (!a.Type.IsIndication() || bytes.Equal(w.packet, o.packet))
}

func (c *Core) armHeld(p *peer) {
	if len(p.waiting) > 0 {
		c.timers.Set(timerKey{kind: timerHeld, peer: p}, p.waiting[0].until)
	}
}

// release sends what waited for a peer.
func (c *Core) release(now clock.Instant, p *peer) {
	all := p.waiting
	p.waiting = nil
	c.heldCount -= len(all)
	c.timers.Clear(timerKey{kind: timerHeld, peer: p})
	for _, w := range all {
		i := w.iface
		switch {
		case c.ifaces[i.key] != i || !i.ready:
		case !i.take(now):
			c.unsent(i, p.key.nbma, &w.head, DropMaxSend)
		default:
			c.transmit(i, p.key.nbma, &w.head, w.packet, w.of)
		}
	}
	c.identify(now, p)
}

// heldDue serves timerHeld: a peer was not secured in time.
func (c *Core) heldDue(now clock.Instant, p *peer) {
	c.dropHeld(p, func(w waiting) bool { return w.until <= now })
	if len(p.waiting) == 0 {
		c.identify(now, p) // it is refused, and told so
	}
	c.armHeld(p)
}

// dropHeld drops some of the packets that wait for a peer.
func (c *Core) dropHeld(p *peer, which func(waiting) bool) {
	var left []waiting
	for _, w := range p.waiting {
		if !which(w) {
			left = append(left, w)
			continue
		}
		c.heldCount--
		c.unsent(w.iface, p.key.nbma, &w.head, DropNotSecured)
	}
	p.waiting = left
	c.touch(p)
}

// unhold drops what waits on an instance that ends, or whose tunnel is not protected any
// more.
func (c *Core) unhold(i *iface) {
	all := make([]*peer, 0, len(i.peers))
	for _, p := range i.peers {
		if len(p.waiting) > 0 {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *peer) int { return a.key.compare(b.key) })
	for _, p := range all {
		c.dropHeld(p, func(w waiting) bool { return w.iface == i })
		if len(p.waiting) == 0 && len(p.arrived) == 0 {
			c.timers.Clear(timerKey{kind: timerHeld, peer: p})
		}
	}
}
