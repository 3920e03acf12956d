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
	var hops *packet.Error
	way := i.way(m, in.NBMA)
	switch {
	case i.recorded(m):
		c.fault(now, i, in, DropLoop, packet.ErrLoopDetected, c.extensionOffset(packet.ForwardTransitNHS))
		return
	case errors.As(m.CheckForward(), &hops):
		c.fault(now, i, in, DropHopCount, hops.Reason.ErrorCode(), hops.Offset)
		return
	case !way.IsValid() && m.Type == packet.ResolutionRequest:
		c.refuseResolution(now, i, in, packet.CodeNoBinding)
		return
	case !way.IsValid():
		c.fault(now, i, in, DropUnreachable, packet.ErrProtocolUnreachable, offAddresses)
		return
	case way == in.NBMA:
		// The way leads back to where it came from.
		c.fault(now, i, in, DropLoop, packet.ErrLoopDetected, offAddresses)
		return
	}
	m.HopCount--
	if e := m.Extension(packet.ForwardTransitNHS); e != nil {
		own := i.ownCIE()
		if m.CheckCompulsory() != nil {
			// It must not present itself as an egress router (section 5.3):
			// then its NBMA address is left out (section 5.3.2).
			own.NBMA = packet.CIE{}.NBMA
		}
		e.CIEs = append(slices.Clip(e.CIEs), own)
	}
	i.reauthenticate(m)
	c.send(now, i, way, m, sendForwarded)
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

// recorded reports whether this node is in the Forward Transit NHS Record: by
// its protocol address, as RFC 2332 section 5.3.2 has it.
func (i *iface) recorded(m *packet.Message) bool {
	e := m.Extension(packet.ForwardTransitNHS)
	return e != nil && slices.ContainsFunc(e.CIEs, func(cie packet.CIE) bool { return i.own(cie.Protocol) })
}
