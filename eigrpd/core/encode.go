package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// encode returns the route TLV that tells what a message says: of version 2.0 if wide,
// else of version 1.2, which has no room for extended attributes, nor for a tag of
// an internal route beyond 8 bits (RFC 7868 sections 6.8.2 and 6.9.2).
func (in *instance) encode(m *dual.Message[attribute], wide bool) packet.Route {
	a := &m.Attribute
	x := a.more.extra()
	rt := packet.Route{
		Type: in.routeType(a.external, wide), NextHop: a.hop.addr(), Flags: a.flags,
		Destinations: []netip.Prefix{m.Prefix},
	}
	if m.Active {
		rt.Flags |= packet.RouteActive
	}
	if a.external {
		rt.External = x.external
		rt.External.Tag = a.tag
	}
	if wide {
		in.encodeWide(&rt, a, &x)
	} else {
		in.encodeClassic(&rt, a)
	}
	if m.Unreachable {
		rt.Classic.Delay, rt.Wide.Delay = 0, 0
		if wide {
			rt.Wide.Delay = metric.Unreachable
		} else {
			rt.Classic.Delay = metric.ClassicUnreachable
		}
	}
	return rt
}

func (in *instance) encodeWide(rt *packet.Route, a *attribute, x *extra) {
	rt.AFI, rt.RouterID = in.afi(), a.router
	rt.Wide = a.wide()
	if !in.wide() {
		rt.Wide = a.classic().Wide()
	}
	rt.Wide.Jitter, rt.Wide.QuiescentEnergy, rt.Wide.Energy = x.jitter, x.quiescent, x.energy
	if !a.external {
		rt.Tag = a.tag
	}
	rt.Paths = x.paths[:x.count]
	rt.Communities, rt.Attributes = decodeAttributes(x.communities, x.attributes)
}

func (in *instance) encodeClassic(rt *packet.Route, a *attribute) {
	rt.Flags &= 0xff
	rt.Classic = a.classic()
	if in.wide() {
		rt.Classic = a.wide().Classic()
	}
	if !a.external && a.tag <= 0xff {
		rt.InternalTag = uint8(a.tag)
	}
}

// routeType returns the type of the TLV of a route.
func (in *instance) routeType(external, wide bool) packet.TLVType {
	internal := packet.TypeIPv4Internal
	switch {
	case wide:
		internal = packet.TypeInternal
	case in.key.Family == rib.IPv6:
		internal = packet.TypeIPv6Internal
	}
	if external {
		return internal + 1
	}
	return internal
}

func (in *instance) afi() packet.AddressFamily {
	if in.key.Family == rib.IPv6 {
		return packet.AFIPv6
	}
	return packet.AFIPv4
}

// encodeAttributes makes comparable what a route has of communities and of attributes
// that are not understood, which are passed along (RFC 7868 section 6.9.3).
func encodeAttributes(cs []packet.Community, as []packet.Attribute) (communities, attributes string) {
	var b []byte
	for _, c := range cs {
		b = append(b, c[:]...)
	}
	communities, b = string(b), nil
	for _, a := range as {
		b = append(b, byte(a.Type), byte(len(a.Data)/2))
		b = append(b, a.Data...)
	}
	return communities, string(b)
}

func decodeAttributes(communities, attributes string) (cs []packet.Community, as []packet.Attribute) {
	for b := []byte(communities); len(b) > 0; b = b[len(packet.Community{}):] {
		cs = append(cs, packet.Community(b))
	}
	for b := []byte(attributes); len(b) > 0; {
		n := 2 + 2*int(b[1])
		as = append(as, packet.Attribute{Type: packet.AttributeType(b[0]), Data: b[2:n:n]})
		b = b[n:]
	}
	return cs, as
}
