package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// informationRequest answers INFORMATIONAL (RFC 7296 section 1.4): an empty one only asks
// whether we are alive.
func (c *Core) informationRequest(now clock.Instant, sa *ikeSA, ps []packet.Payload) reply {
	var gone []uint32
	for _, p := range ps {
		d, ok := p.(*packet.Delete)
		if !ok {
			continue
		}
		if d.Protocol == packet.ProtocolIKE {
			asked, _ := sa.asked()
			if t, ok := asked.(*rekeyTask); ok && t.rival != nil && c.alive(t.rival) {
				c.adopt(now, sa, t.rival) // RFC 7296 section 2.25.2
			}
			return reply{end: sa.why("deleted by the peer")}
		}
		if d.Protocol == packet.ProtocolESP {
			gone = append(gone, c.deleted(now, sa, d.SPIs)...)
		}
	}
	if len(gone) == 0 {
		return reply{}
	}
	return reply{payloads: []packet.Payload{&packet.Delete{Protocol: packet.ProtocolESP, SPIs: gone}}}
}

// deleted ends child SAs that the peer deleted, by the SPIs of its inbound SAs, and
// returns those of ours (RFC 7296 section 1.4.1). One that we are deleting too is not
// among them, since our request says so.
func (c *Core) deleted(now clock.Instant, sa *ikeSA, spis []uint32) (gone []uint32) {
	for _, spi := range spis {
		i := slices.IndexFunc(sa.children, func(ch *child) bool { return ch.out.SPI == spi })
		if i < 0 {
			continue
		}
		ch := sa.children[i]
		if !ch.deleting {
			gone = append(gone, ch.in.SPI)
		}
		c.endChild(now, ch, "deleted by the peer")
	}
	return gone
}

// deleteIKE deletes the IKE SA itself, and all that belongs to it.
type deleteIKE struct{}

func (*deleteIKE) request(c *Core, now clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	c.setState(sa, StateDeleting)
	sa.queue = nil
	return packet.Informational, []packet.Payload{&packet.Delete{Protocol: packet.ProtocolIKE}}, true
}

func (*deleteIKE) answered(c *Core, now clock.Instant, sa *ikeSA, _ []packet.Payload) {
	c.end(now, sa, sa.why("deleted"))
}

// why returns the reason for which an IKE SA ends.
func (sa *ikeSA) why(otherwise string) string {
	if sa.reason != "" {
		return sa.reason
	}
	return otherwise
}

// deleteChild tells the peer that a child SA is gone, by its inbound SPI.
type deleteChild struct {
	spi uint32
	ch  *child // it ends with the answer; nil: it has ended
}

func (t *deleteChild) request(c *Core, _ clock.Instant, _ *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	if t.ch != nil && c.children[t.spi] != t.ch {
		return 0, nil, false // the peer was quicker
	}
	return packet.Informational, []packet.Payload{&packet.Delete{Protocol: packet.ProtocolESP, SPIs: []uint32{t.spi}}}, true
}

func (t *deleteChild) answered(c *Core, now clock.Instant, _ *ikeSA, _ []packet.Payload) {
	if t.ch != nil {
		c.endChild(now, t.ch, "deleted")
	}
}

// probe asks whether the peer is alive (RFC 7296 section 2.4).
type probe struct{ retry time.Duration }

func (*probe) request(_ *Core, _ clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	return packet.Informational, nil, true
}

func (*probe) answered(_ *Core, _ clock.Instant, sa *ikeSA, _ []packet.Payload) { sa.probed = false }

// dpd returns how often it is to be seen whether a peer is alive, nil for never.
func (c *Core) dpd(sa *ikeSA) *DPD {
	d := c.config.Global.DPD
	if p := c.profile(sa.profile); p != nil && p.DPD != nil {
		d = p.DPD
	}
	if d == nil || d.Interval <= 0 || d.Retry <= 0 {
		return nil
	}
	return d
}

func (c *Core) watchLiveness(now clock.Instant, sa *ikeSA) {
	if d := c.dpd(sa); d != nil {
		c.timers.Set(timerKey{kind: timerLiveness, sa: sa}, now.Add(d.Interval))
	}
}

// livenessDue asks a peer that was silent for the interval. On demand that is done only
// if packets went out and none came in.
func (c *Core) livenessDue(now clock.Instant, sa *ikeSA) {
	d := c.dpd(sa)
	if d == nil {
		return
	}
	c.timers.Set(timerKey{kind: timerLiveness, sa: sa}, now.Add(d.Interval))
	if sa.probed || sa.request != nil {
		return
	}
	ask := d.Periodic
	if !d.Periodic {
		var in, out uint64
		var watch []DelSA
		for _, ch := range sa.children {
			in, out = in+ch.inCount.Packets, out+ch.outCount.Packets
			watch = append(watch, DelSA{ch.in.Destination, ch.in.SPI}, DelSA{ch.out.Destination, ch.out.SPI})
		}
		ask = out > sa.seenOut && in == sa.seenIn
		sa.seenIn, sa.seenOut = in, out
		if len(watch) > 0 {
			c.emit(WatchSAs{watch})
		}
	}
	if ask && now.Sub(sa.heard) >= d.Interval {
		sa.probed = true
		c.enqueue(now, sa, &probe{d.Retry})
	}
}

// keepaliveDue has the NAT before us keep its mapping (RFC 3948 section 4).
func (c *Core) keepaliveDue(now clock.Instant, sa *ikeSA) {
	if every := c.config.Global.NATKeepalive; every > 0 && sa.natLocal {
		c.emit(TxPacket{sa.vrf, sa.local, sa.remote, []byte{packet.Keepalive}})
		c.timers.Set(timerKey{kind: timerKeepalive, sa: sa}, now.Add(every))
	}
}

// about reports whether a peer is meant, by its address or by its alias.
func (in *Clear) about(remote, alias netip.Addr, vrf string) bool {
	return (!in.Remote.IsValid() || in.Remote.Unmap() == remote || in.Remote.Unmap() == alias) && (in.AllVRFs || in.VRF == vrf)
}

func (c *Core) clearLeftovers(now clock.Instant, in Clear) {
	for _, p := range slices.Clone(c.listed) {
		if (in.IKE || in.Children) && in.about(p.address(), p.remote, p.vrf) {
			c.endLeftovers(now, p, true, "cleared")
		}
	}
}

// clear ends SAs; those that are wanted are negotiated anew.
func (c *Core) clear(now clock.Instant, in Clear) {
	if in.Counters {
		c.counters = Counters{}
	}
	c.clearLeftovers(now, in)
	for _, sa := range slices.Clone(c.order) {
		if !in.about(sa.remote.Addr(), sa.alias(), sa.vrf) {
			continue
		}
		switch {
		case in.IKE && sa.state < StateReady:
			c.fail(now, sa, "cleared")
		case in.IKE:
			sa.reason = "cleared"
			c.enqueue(now, sa, &deleteIKE{})
		case in.Children:
			for _, ch := range slices.Clone(sa.children) {
				c.withdraw(now, ch, "cleared")
			}
		}
	}
}

// shutdown tells all peers that their SAs are gone.
func (c *Core) shutdown(now clock.Instant) {
	c.stopped = true
	for _, p := range slices.Clone(c.listed) {
		c.endLeftovers(now, p, true, "shutdown")
	}
	for _, sa := range slices.Clone(c.order) {
		c.farewell(now, sa, "shutdown")
	}
}
