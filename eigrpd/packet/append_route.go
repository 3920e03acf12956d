package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

// Len returns the length of the route's TLV in octets.
func (r *Route) Len() int {
	n := tlvHeader + r.family().addrLen()
	if r.Type.Wide() {
		n += multiprotocolLen + wideMetricLen + r.attributesLen()
	} else {
		n += classicMetricLen
	}
	if r.Type.External() {
		n += externalLen
	}
	for _, p := range r.Destinations {
		n += DestinationLen(p)
	}
	return n
}

// Lengths of the data of extended attributes, and of what is before it.
const (
	attributeHeader = 2
	tagLen          = 4
	jitterLen       = 6
	energyLen       = 4
)

// attributesLen returns the length of the extended attributes, padding included.
func (r *Route) attributesLen() int {
	n := 0
	for _, x := range [...]struct {
		sent bool
		n    int
	}{
		{r.Tag != 0, tagLen}, {len(r.Communities) > 0, communityLen * len(r.Communities)},
		{r.Wide.Jitter != 0, jitterLen}, {r.Wide.QuiescentEnergy != 0, energyLen}, {r.Wide.Energy != 0, energyLen},
	} {
		if x.sent {
			n += attributeHeader + x.n
		}
	}
	n += len(r.Paths) * (attributeHeader + r.pathLen())
	for i := range r.Attributes {
		n += attributeHeader + len(r.Attributes[i].Data)
	}
	return n + padding(n)
}

// padding returns the octets of the NoOp that aligns attributes of n octets (RFC
// 7868 section 6.9.3.1), 0 where it finds no room.
func padding(n int) int {
	if n+n%4 > 2*maxAttributeWords {
		return 0
	}
	return n % 4
}

func (a *appender) route(r *Route) {
	if reason := r.check(); reason != 0 {
		a.fail(reason)
		return
	}
	a.tlv(r.Type, r.Len())
	if r.Type.Wide() {
		a.multiprotocol(r)
	} else {
		a.nextHop(r.NextHop, r.family())
		if r.Type.External() {
			a.external(&r.External)
		}
		c := &r.Classic
		a.u32(c.Delay)
		a.u32(c.Bandwidth)
		a.u24(c.MTU)
		a.u8(c.Hops, c.Reliability, c.Load, r.InternalTag, uint8(r.Flags))
	}
	for _, p := range r.Destinations {
		a.destination(p)
	}
}

// maxMTU is the largest number in 24 bits.
const maxMTU = 1<<24 - 1

// check refuses a route that must not be written.
func (r *Route) check() Reason {
	f := r.family()
	switch {
	case !r.Type.IsRoute():
		return ReasonType
	case f.addrLen() == 0:
		return ReasonAddressFamily
	case r.NextHop.IsValid() && !f.holds(r.NextHop):
		return ReasonAddress
	case r.Classic.MTU > maxMTU || r.Wide.MTU > maxMTU:
		return ReasonRange
	case !r.Type.External() && r.External != External{}:
		return ReasonContents
	case len(r.Destinations) == 0:
		return ReasonNoDestination
	}
	for _, p := range r.Destinations {
		if !p.IsValid() || !f.holds(p.Addr()) || p != p.Masked() {
			return ReasonAddress
		}
	}
	if r.Type.Wide() {
		return r.checkWide()
	}
	switch {
	case r.Flags > 0xff:
		return ReasonRange
	case r.AFI != 0 || r.TID != 0 || r.RouterID != 0 || r.Tag != 0 || r.Priority != 0 || r.Wide != metric.Wide{},
		len(r.Communities) > 0 || len(r.Paths) > 0 || len(r.Attributes) > 0:
		return ReasonContents
	}
	return 0
}

// checkWide refuses what only routes of version 2.0 have.
func (r *Route) checkWide() Reason {
	w := &r.Wide
	switch {
	case r.InternalTag != 0 || r.Classic != metric.Classic{}:
		return ReasonContents
	case w.Delay > metric.Unreachable || w.Bandwidth > metric.Unreachable || w.Jitter > metric.Unreachable:
		return ReasonRange
	case len(r.Paths) > MaxPaths:
		return ReasonTooManyPaths
	case r.attributesLen() > 2*maxAttributeWords:
		return ReasonAttribute
	}
	for i := range r.Paths {
		p := &r.Paths[i]
		switch {
		case p.NextHop.IsValid() && !r.AFI.holds(p.NextHop):
			return ReasonAddress
		case !r.Type.External() && (p.Protocol != 0 || p.Flags != 0):
			return ReasonContents
		}
	}
	for i := range r.Attributes {
		if t := &r.Attributes[i]; t.Type.typed() || len(t.Data)%2 != 0 {
			return ReasonAttribute
		}
	}
	return 0
}

// nextHop writes an address, zeros for the zero Addr.
func (a *appender) nextHop(ad netip.Addr, f AddressFamily) {
	if !ad.IsValid() {
		a.zeros(f.addrLen())
		return
	}
	a.addr(ad)
}

func (a *appender) external(e *External) {
	a.u32(uint32(e.RouterID))
	a.u32(e.AS)
	a.u32(e.Tag)
	a.u32(e.Metric)
	a.u16(0)
	a.u8(uint8(e.Protocol), e.Flags)
}

func (a *appender) multiprotocol(r *Route) {
	w := &r.Wide
	a.u16(r.TID)
	a.u16(uint16(r.AFI))
	a.u32(uint32(r.RouterID))
	a.u8(uint8(r.attributesLen()/2), r.Priority, w.Reliability, w.Load)
	a.u24(w.MTU)
	a.u8(w.Hops)
	a.u48(w.Delay)
	a.u48(w.Bandwidth)
	a.u16(0)
	a.u16(uint16(r.Flags))
	a.attributes(r)
	a.nextHop(r.NextHop, r.AFI)
	if r.Type.External() {
		a.external(&r.External)
	}
}

// attributes writes the extended attributes: those of the metric only where they are
// not 0, since a router that cannot measure them does not send them (RFC 7868
// section 5.6.2.1).
func (a *appender) attributes(r *Route) {
	first := len(a.b)
	if r.Tag != 0 {
		a.u8(uint8(AttributeTag), tagLen/2)
		a.u32(r.Tag)
	}
	if len(r.Communities) > 0 {
		a.u8(uint8(AttributeCommunities), uint8(communityLen*len(r.Communities)/2))
		a.communityList(r.Communities)
	}
	if r.Wide.Jitter != 0 {
		a.u8(uint8(AttributeJitter), jitterLen/2)
		a.u48(r.Wide.Jitter)
	}
	if r.Wide.QuiescentEnergy != 0 {
		a.u8(uint8(AttributeQuiescentEnergy), energyLen/2)
		a.u32(r.Wide.QuiescentEnergy)
	}
	if r.Wide.Energy != 0 {
		a.u8(uint8(AttributeEnergy), energyLen/2)
		a.u32(r.Wide.Energy)
	}
	for i := range r.Paths {
		p := &r.Paths[i]
		a.u8(uint8(AttributeAddPath), uint8(r.pathLen()/2))
		a.nextHop(p.NextHop, r.AFI)
		a.u32(uint32(p.RouterID))
		a.u32(p.Tag)
		if r.Type.External() {
			a.u8(uint8(p.Protocol), p.Flags)
		}
	}
	for i := range r.Attributes {
		t := &r.Attributes[i]
		a.u8(uint8(t.Type), uint8(len(t.Data)/2))
		a.raw(t.Data)
	}
	a.zeros(padding(len(a.b) - first))
}

// destination writes a prefix (RFC 7868 section 6.8.4).
func (a *appender) destination(p netip.Prefix) {
	n, v4 := p.Bits(), p.Addr().Is4()
	a.u8(uint8(n))
	if v4 {
		v := p.Addr().As4()
		a.raw(v[:prefixOctets(n, v4)])
		return
	}
	v := p.Addr().As16()
	a.raw(v[:prefixOctets(n, v4)])
}
