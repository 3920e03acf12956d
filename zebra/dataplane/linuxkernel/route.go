package linuxkernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// checkRoute refuses what the kernel would misunderstand.
func checkRoute(r dataplane.Route) error {
	bad := ""
	switch {
	case !r.Prefix.IsValid() || r.Prefix != r.Prefix.Masked():
		bad = "prefix is not masked"
	case r.Prefix.Addr().Is6() && r.Metric == 0:
		bad = "an IPv6 route needs a metric"
	case r.Blackhole == (len(r.NextHops) > 0):
		bad = "next hops, or none and blackhole"
	}
	for _, n := range r.NextHops {
		switch {
		case n.Device == "":
			bad = "next hop without a device"
		case n.Gateway.Is4() && r.Prefix.Addr().Is6():
			bad = "IPv4 gateway of an IPv6 route"
		case n.Weight > 256:
			bad = "weight above 256"
		}
	}
	if bad != "" {
		return fmt.Errorf("route %v: %s: %w", r.Prefix, bad, dataplane.ErrInvalid)
	}
	return nil
}

// putRoute puts a route into the batch, in the place of whatever has its prefix,
// table and metric.
func (p *Provider) putRoute(tag int, r dataplane.Route) error {
	if err := checkRoute(r); err != nil {
		return err
	}
	var few [4]int
	indices := few[:0]
	for _, n := range r.NextHops {
		i, err := p.index(n.Device)
		if err != nil {
			return err
		}
		indices = append(indices, i)
	}
	e := p.w.begin(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	encodeRoute(e, r, indices)
	p.w.commit(tag)
	return nil
}

func encodeRoute(e *encoder, r dataplane.Route, indices []int) {
	kind, scope := uint8(unix.RTN_UNICAST), uint8(unix.RT_SCOPE_UNIVERSE)
	flags := uint32(0)
	switch {
	case r.Blackhole:
		kind = unix.RTN_BLACKHOLE
	case len(r.NextHops) == 1:
		if r.NextHops[0].OnLink {
			flags = unix.RTNH_F_ONLINK
		}
		if !r.NextHops[0].Gateway.IsValid() && r.Prefix.Addr().Is4() {
			scope = unix.RT_SCOPE_LINK
		}
	}
	routeHeader(e, r.Prefix, r.Table, r.Protocol, scope, kind, flags)
	e.addr(unix.RTA_DST, r.Prefix.Addr())
	e.u32(unix.RTA_TABLE, r.Table)
	e.u32(unix.RTA_PRIORITY, r.Metric)
	if r.Source.IsValid() {
		e.addr(unix.RTA_PREFSRC, r.Source)
	}
	if len(indices) == 1 {
		e.u32(unix.RTA_OIF, uint32(indices[0]))
		encodeGateway(e, r.Prefix.Addr().Is4(), r.NextHops[0].Gateway)
	} else if len(indices) > 1 {
		encodeMultipath(e, r, indices)
	}
}

// routeHeader appends a struct rtmsg.
func routeHeader(e *encoder, p netip.Prefix, table uint32, proto, scope, kind uint8, flags uint32) {
	if table > 255 {
		table = unix.RT_TABLE_UNSPEC // RTA_TABLE holds it
	}
	e.raw(family(p.Addr()), uint8(p.Bits()), 0, 0, uint8(table), proto, scope, kind)
	e.raw32(flags)
}

func encodeGateway(e *encoder, v4 bool, gw netip.Addr) {
	switch {
	case !gw.IsValid():
	case v4 && gw.Is6(): // RFC 5549: an IPv4 route by an IPv6 next hop
		e.attrHeader(unix.RTA_VIA, 2+16)
		e.b = native.AppendUint16(e.b, unix.AF_INET6)
		e.address(gw)
		e.pad()
	default:
		e.addr(unix.RTA_GATEWAY, gw)
	}
}

func encodeMultipath(e *encoder, r dataplane.Route, indices []int) {
	mp := e.open(unix.RTA_MULTIPATH)
	for i, n := range r.NextHops {
		start := len(e.b) // struct rtnexthop: length, flags, hops, index
		flags := uint8(0)
		if n.OnLink {
			flags = unix.RTNH_F_ONLINK
		}
		e.raw(0, 0, flags, uint8(max(n.Weight, 1)-1))
		e.raw32(uint32(indices[i]))
		encodeGateway(e, r.Prefix.Addr().Is4(), n.Gateway)
		native.PutUint16(e.b[start:], uint16(len(e.b)-start))
	}
	e.shut(mp)
}

// deleteRoute puts the removal of a route into the batch.
func (p *Provider) deleteRoute(tag int, k dataplane.Key) error {
	if !k.Prefix.IsValid() {
		return fmt.Errorf("%v: %w", k, dataplane.ErrInvalid)
	}
	e := p.w.begin(unix.RTM_DELROUTE, 0)
	routeHeader(e, k.Prefix, k.Table, unix.RTPROT_UNSPEC, unix.RT_SCOPE_NOWHERE, unix.RTN_UNSPEC, 0)
	e.addr(unix.RTA_DST, k.Prefix.Addr())
	e.u32(unix.RTA_TABLE, k.Table)
	if k.Metric != 0 {
		e.u32(unix.RTA_PRIORITY, k.Metric)
	}
	p.w.commit(tag)
	return nil
}

// parseRoute reads an RTM_NEWROUTE or RTM_DELROUTE. ok is false for what is not
// an ordinary route: the local table, cached entries, kinds that we do not know.
func (p *Provider) parseRoute(m message) (r dataplane.Route, ok bool) {
	if len(m.data) < unix.SizeofRtMsg || m.data[2] != 0 || m.data[3] != 0 {
		return r, false // by source or by TOS
	}
	fam, bits, kind, flags := m.data[0], int(m.data[1]), m.data[7], getU32(m.data[8:])
	r.Table, r.Protocol = uint32(m.data[4]), m.data[5]
	if flags&unix.RTM_F_CLONED != 0 || kind != unix.RTN_UNICAST && kind != unix.RTN_BLACKHOLE {
		return r, false
	}
	dst := netip.IPv4Unspecified()
	if fam == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	} else if fam != unix.AF_INET {
		return r, false
	}
	var hop dataplane.NextHop
	oif := 0
	for typ, v := range attrs(m.body(unix.SizeofRtMsg)) {
		switch typ {
		case unix.RTA_DST:
			dst = getAddr(v)
		case unix.RTA_TABLE:
			r.Table = getU32(v)
		case unix.RTA_PRIORITY:
			r.Metric = getU32(v)
		case unix.RTA_PREFSRC:
			r.Source = getAddr(v)
		case unix.RTA_OIF:
			oif = int(getU32(v))
		case unix.RTA_GATEWAY, unix.RTA_VIA:
			hop.Gateway = gateway(typ, v)
		case unix.RTA_MULTIPATH:
			r.NextHops = p.parseMultipath(v)
		}
	}
	r.Prefix = netip.PrefixFrom(dst, bits)
	if !r.Prefix.IsValid() || r.Table == unix.RT_TABLE_LOCAL {
		return r, false
	}
	if kind == unix.RTN_BLACKHOLE {
		r.Blackhole, r.NextHops = true, nil
	} else if r.NextHops == nil {
		hop.Device, hop.OnLink, hop.Weight = p.names.name(oif), flags&unix.RTNH_F_ONLINK != 0, 1
		r.NextHops = []dataplane.NextHop{hop}
	}
	return r, true
}

func gateway(typ uint16, v []byte) netip.Addr {
	if typ == unix.RTA_VIA && len(v) >= 2 {
		return getAddr(v[2:])
	}
	return getAddr(v)
}

func (p *Provider) parseMultipath(b []byte) (hops []dataplane.NextHop) {
	for len(b) >= unix.SizeofRtNexthop {
		n := int(native.Uint16(b))
		if n < unix.SizeofRtNexthop || n > len(b) {
			break
		}
		h := dataplane.NextHop{
			Device: p.names.name(int(getU32(b[4:]))),
			OnLink: b[2]&unix.RTNH_F_ONLINK != 0,
			Weight: uint16(b[3]) + 1,
		}
		for typ, v := range attrs(b[unix.SizeofRtNexthop:n]) {
			if typ == unix.RTA_GATEWAY || typ == unix.RTA_VIA {
				h.Gateway = gateway(typ, v)
			}
		}
		hops = append(hops, h)
		b = b[min(align(n), len(b)):]
	}
	return hops
}

// ownRoute reports whether a protocol number is one that zebra gives to routes.
func ownRoute(proto uint8) bool { _, ok := rib.ProtocolOfKernel(proto); return ok }
