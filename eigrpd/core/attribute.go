package core

import (
	"net/netip"
	"unique"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// attribute is what DUAL hands on of a route. There are several for each prefix, so
// it is small; what few routes have is in more, once for all that have the same.
type attribute struct {
	vector
	tag      uint32            // administrator's tag
	router   packet.RouterID   // of the router that is the source; 0: not told
	via      dual.NeighborID   // who told; 0 in what is told, and of own routes
	flags    packet.RouteFlags // those that go from router to router
	origin   Origin            // of an own route; 0: learnt
	source   rib.Protocol      // of a redistributed one: where it comes from
	rank     rank              // of an own route
	external bool
	hop      hop  // next hop; the zero one: who tells the route
	more     more // what few routes have
}

// rank says before which paths by neighbours an own route goes, whatever its metric is:
// those that its administrative distance beats. For by that the routing table decides
// which of them is used, and what is told must be used (RFC 7868 section 5.4).
type rank uint8

const (
	rankNone     rank = iota
	rankExternal      // before external ones
	rankAll
)

// rankOf returns the rank of an own route with a distance in the routing table.
func (in *instance) rankOf(distance uint8) rank {
	switch {
	case distance < byDefault(in.cfg.InternalDistance, DefaultInternalDistance):
		return rankAll
	case distance < byDefault(in.cfg.ExternalDistance, DefaultExternalDistance):
		return rankExternal
	}
	return rankNone
}

// vector is the metric of a path or a link: metric.Classic of an instance in classic
// mode, metric.Wide of one in named mode, without the extended attributes.
type vector struct {
	delay       uint64
	bandwidth   uint64
	mtu         uint32
	hops        uint8
	reliability uint8
	load        uint8
}

func classicVector(c metric.Classic) vector {
	return vector{uint64(c.Delay), uint64(c.Bandwidth), c.MTU, c.Hops, c.Reliability, c.Load}
}

func wideVector(w metric.Wide) vector {
	return vector{w.Delay, w.Bandwidth, w.MTU, w.Hops, w.Reliability, w.Load}
}

// classic returns the vector of an instance in classic mode.
func (v vector) classic() metric.Classic {
	return metric.Classic{Delay: uint32(v.delay), Bandwidth: uint32(v.bandwidth), MTU: v.mtu,
		Hops: v.hops, Reliability: v.reliability, Load: v.load}
}

// wide returns the vector of an instance in named mode.
func (v vector) wide() metric.Wide {
	return metric.Wide{Delay: v.delay, Bandwidth: v.bandwidth, MTU: v.mtu,
		Hops: v.hops, Reliability: v.reliability, Load: v.load}
}

// hop is an address in the room of a pointer. The zero value is the zero Addr.
type hop struct{ h unique.Handle[netip.Addr] }

func hopOf(a netip.Addr) hop {
	if !a.IsValid() {
		return hop{}
	}
	return hop{unique.Make(a)}
}

func (h hop) addr() netip.Addr {
	if h == (hop{}) {
		return netip.Addr{}
	}
	return h.h.Value()
}

// extra is what few routes have.
type extra struct {
	external packet.External // without its Tag, which is attribute.tag

	// The extended attributes (RFC 7868 section 6.9.3). Those that have no field of
	// their own are encoded; see encodeAttributes.
	jitter            uint64
	quiescent, energy uint32
	communities       string
	attributes        string

	paths [packet.MaxPaths]packet.Path // AddPath attributes (section 6.9.3.8)
	count int                          // of paths
}

// more is an extra in the room of a pointer. The zero value is the zero extra.
type more struct{ h unique.Handle[extra] }

func moreOf(x extra) more {
	if x == (extra{}) {
		return more{}
	}
	return more{unique.Make(x)}
}

func (m more) extra() extra {
	if m == (more{}) {
		return extra{}
	}
	return m.h.Value()
}

// extended returns a wide metric with the extended attributes of a route.
func (a *attribute) extended() metric.Wide {
	w := a.wide()
	if a.more != (more{}) {
		x := a.more.extra()
		w.Jitter, w.QuiescentEnergy, w.Energy = x.jitter, x.quiescent, x.energy
	}
	return w
}

// report returns the metric for people.
func (v vector) report(wide bool) Vector {
	w := v.wide()
	if !wide {
		w = v.classic().Wide()
	}
	return Vector{Bandwidth: w.Bandwidth, Delay: w.Delay, Reliability: w.Reliability, Load: w.Load, MTU: w.MTU, Hops: w.Hops}
}
