package core

import (
	"errors"
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
	next := i.cache.lookup(m.DstProtocol)
	switch {
	case i.recorded(m):
		c.fault(now, i, in, DropLoop, packet.ErrLoopDetected, c.extensionOffset(packet.ForwardTransitNHS))
		return
	case errors.As(m.CheckForward(), &hops):
		c.fault(now, i, in, DropHopCount, hops.Reason.ErrorCode(), hops.Offset)
		return
	case next == nil || next.kind == EntryIncomplete:
		c.fault(now, i, in, DropUnreachable, packet.ErrProtocolUnreachable, offAddresses)
		return
	case next.nbma == in.NBMA:
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
	c.send(now, i, next.nbma, m, sendForwarded)
}

// recorded reports whether this node is in the Forward Transit NHS Record: by
// its protocol address, as RFC 2332 section 5.3.2 has it.
func (i *iface) recorded(m *packet.Message) bool {
	e := m.Extension(packet.ForwardTransitNHS)
	return e != nil && slices.ContainsFunc(e.CIEs, func(cie packet.CIE) bool { return i.own(cie.Protocol) })
}
