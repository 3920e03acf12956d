package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/wire"
)

// route decodes a route TLV: RFC 7868 sections 6.8 and 6.9.
func (d *decoder) route(typ TLVType, v *wire.Reader) {
	rt := Route{Type: typ}
	if typ.Wide() {
		d.multiprotocol(&rt, v)
	} else {
		rt.NextHop = nextHop(v, rt.family())
		if typ.External() {
			rt.External = external(v)
		}
		rt.Classic.Delay, rt.Classic.Bandwidth = v.U32(), v.U32()
		rt.Classic.MTU, rt.Classic.Hops = v.U24(), v.U8()
		rt.Classic.Reliability, rt.Classic.Load = v.U8(), v.U8()
		rt.InternalTag, rt.Flags = v.U8(), RouteFlags(v.U8())
	}
	if !d.readOK(v) {
		return
	}
	rt.Destinations = d.destinations(v, rt.family())
	d.m.own.routes = append(d.m.own.routes, rt)
}

// nextHop reads an address; zeros are the zero Addr.
func nextHop(v *wire.Reader, f AddressFamily) netip.Addr {
	a, ok := netip.AddrFromSlice(v.Bytes(f.addrLen()))
	if !ok || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// external reads the Exterior Section (RFC 7868 section 6.8.3).
func external(v *wire.Reader) External {
	e := External{RouterID: RouterID(v.U32()), AS: v.U32(), Tag: v.U32(), Metric: v.U32()}
	v.Skip(2)
	e.Protocol, e.Flags = ExternalProtocol(v.U8()), v.U8()
	return e
}

// u48 reads 48 bits.
func u48(v *wire.Reader) uint64 { return uint64(v.U16())<<32 | uint64(v.U32()) }

// multiprotocol decodes what is before the destinations of a wide route (RFC 7868
// sections 6.9.1, 6.9.2 and 6.9.4).
func (d *decoder) multiprotocol(rt *Route, v *wire.Reader) {
	at := v.Offset()
	rt.TID, rt.AFI = v.U16(), AddressFamily(v.U16())
	rt.RouterID = RouterID(v.U32())
	words := int(v.U8())
	rt.Priority = v.U8()
	w := metric.Wide{Reliability: v.U8(), Load: v.U8(), MTU: v.U24(), Hops: v.U8(), Delay: u48(v), Bandwidth: u48(v)}
	v.Skip(2)
	rt.Flags = RouteFlags(v.U16())
	rt.Wide = w
	if !d.readOK(v) {
		return
	}
	if rt.AFI.addrLen() == 0 {
		d.fail(ReasonAddressFamily, at+2)
		return
	}
	attributes := v.Sub(2 * words)
	if !d.readOK(v) {
		return
	}
	d.attributes(rt, &attributes)
	rt.NextHop = nextHop(v, rt.AFI)
	if rt.Type.External() {
		rt.External = external(v)
	}
}

// destinations decodes prefixes up to the end of v; there has to be one. After a bit
// count of 0 one octet of zeros is skipped, if it is there: were it another default
// route, it would be the same one.
func (d *decoder) destinations(v *wire.Reader, f AddressFamily) []netip.Prefix {
	own := &d.m.own
	first := len(own.prefixes)
	for v.Len() > 0 {
		at := v.Offset()
		n := int(v.U8())
		if n > 8*f.addrLen() {
			d.fail(ReasonPrefixLength, at)
			return nil
		}
		var a [16]byte
		if n > 0 {
			copy(a[:f.addrLen()], v.Bytes(prefixOctets(n, f == AFIPv4)))
		} else if peek := *v; peek.Len() > 0 && peek.U8() == 0 {
			v.Skip(1)
		}
		if v.Failed() {
			return nil
		}
		addr, _ := netip.AddrFromSlice(a[:f.addrLen()])
		own.prefixes = append(own.prefixes, netip.PrefixFrom(addr, n).Masked())
	}
	if len(own.prefixes) == first {
		d.fail(ReasonNoDestination, v.Offset())
	}
	return nilIfEmpty(own.prefixes[first:])
}

// attributes decodes the extended attributes (RFC 7868 section 6.9.3) up to the end
// of v.
func (d *decoder) attributes(rt *Route, v *wire.Reader) {
	own := &d.m.own
	paths, rest := len(own.paths), len(own.attributes)
	var seen uint8 // bits of the typed ones
	for v.Len() > 0 && !d.failed() {
		at := v.Offset()
		typ, n := AttributeType(v.U8()), 2*int(v.U8())
		data := v.Sub(n)
		if v.Failed() {
			d.fail(ReasonAttribute, at)
			return
		}
		if !typ.typed() {
			own.attributes = append(own.attributes, Attribute{Type: typ, Data: nilIfEmpty(data.Rest())})
			continue
		}
		if typ != AttributeNoOp && typ != AttributeAddPath {
			if seen&(1<<typ) != 0 {
				d.fail(ReasonDuplicate, at)
				return
			}
			seen |= 1 << typ
		}
		if typ == AttributeAddPath && len(own.paths)-paths == MaxPaths {
			d.fail(ReasonTooManyPaths, at)
			return
		}
		d.attribute(rt, typ, &data)
		if data.Failed() || data.Len() > 0 {
			d.fail(ReasonAttribute, at)
		}
	}
	rt.Paths, rt.Attributes = nilIfEmpty(own.paths[paths:]), nilIfEmpty(own.attributes[rest:])
}

// attribute decodes one that has a field of its own. What is left of v, or is
// missing in it, is found by the caller.
func (d *decoder) attribute(rt *Route, typ AttributeType, v *wire.Reader) {
	switch typ {
	case AttributeTag:
		rt.Tag = v.U32()
	case AttributeCommunities:
		rt.Communities = d.communityList(v)
	case AttributeJitter:
		rt.Wide.Jitter = u48(v)
	case AttributeQuiescentEnergy:
		rt.Wide.QuiescentEnergy = v.U32()
	case AttributeEnergy:
		rt.Wide.Energy = v.U32()
	case AttributeAddPath:
		p := Path{NextHop: nextHop(v, rt.AFI), RouterID: RouterID(v.U32()), Tag: v.U32()}
		if rt.Type.External() {
			p.Protocol, p.Flags = ExternalProtocol(v.U8()), v.U8()
		}
		d.m.own.paths = append(d.m.own.paths, p)
	}
}
