package core

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// forward passes a request on toward its destination protocol address, as a
// transit NHS (RFC 2332 sections 5.2.3 and 5.3.2). The way is the cache's: the
// station itself, if it is known.
func (c *Core) forward(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	way := i.way(m, in.NBMA)
	switch {
	case !way.IsValid() && m.Type == packet.ResolutionRequest && !c.recorded(m, i):
		c.refuseResolution(now, i, in, packet.CodeNoBinding)
	default:
		c.relayTo(now, i, in, i, way)
	}
}

// relayTo passes the request in c.in on to an NBMA address of a tunnel, and reports
// whether that went well. What cannot be passed on is reported to who asked.
func (c *Core) relayTo(now clock.Instant, i *iface, in RxPacket, out *iface, way netip.Addr) bool {
	m := &c.in
	var hops *packet.Error
	switch {
	case c.recorded(m, i):
		c.fault(now, i, in, DropLoop, packet.ErrLoopDetected, c.extensionOffset(packet.ForwardTransitNHS))
		return false
	case errors.As(m.CheckForward(), &hops):
		c.fault(now, i, in, DropHopCount, hops.Reason.ErrorCode(), hops.Offset)
		return false
	case !way.IsValid():
		c.fault(now, i, in, DropUnreachable, packet.ErrProtocolUnreachable, offAddresses)
		return false
	case m.Type == packet.ResolutionRequest && (i.aliased(in.NBMA) || out.aliased(way)):
		// The answer would lead to a tunnel between two that cannot reach each other.
		c.refuseResolution(now, i, in, packet.CodeNoBinding)
		return false
	case way == in.NBMA:
		// The way leads back to where it came from.
		c.fault(now, i, in, DropLoop, packet.ErrLoopDetected, offAddresses)
		return false
	}
	m.HopCount--
	if e := m.Extension(packet.ForwardTransitNHS); e != nil {
		own := out.ownCIE()
		if m.CheckCompulsory() != nil {
			// It must not present itself as an egress router (section 5.3):
			// then its NBMA address is left out (section 5.3.2).
			own.NBMA = netip.Addr{}
		}
		e.CIEs = append(slices.Clip(e.CIEs), own)
	}
	out.reauthenticate(m)
	c.send(now, out, way, m, sendForwarded)
	return true
}

// way returns the NBMA address to which a request goes on: that of the station, or
// of the map that covers it; for a Resolution Request also that of a server of this
// node's own, which knows more. It is the zero Addr if there is no way.
func (i *iface) way(m *packet.Message, from netip.Addr) netip.Addr {
	if e := i.cache.lookup(m.DstProtocol); e != nil && e.kind != EntryLocal {
		return e.nbma
	}
	if s := i.bestServer(from); s != nil && m.Type == packet.ResolutionRequest && s.nbma != m.SrcNBMA {
		return s.nbma
	}
	return netip.Addr{}
}

// recorded reports whether this node is in the Forward Transit NHS Record: by one of
// its protocol addresses, as RFC 2332 section 5.3.2 has it, of any tunnel of the
// network.
func (c *Core) recorded(m *packet.Message, like *iface) bool {
	e := m.Extension(packet.ForwardTransitNHS)
	return e != nil && slices.ContainsFunc(e.CIEs, func(cie packet.CIE) bool { return c.ownOf(like, cie.Protocol) })
}

// ownOf reports whether an address is this node's on any tunnel of a network.
func (c *Core) ownOf(like *iface, a netip.Addr) bool {
	return slices.ContainsFunc(c.order, func(o *iface) bool {
		return o.key.family == like.key.family && o.cfg.NetworkID == like.cfg.NetworkID && o.own(a)
	})
}
