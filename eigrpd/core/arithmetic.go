package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// arithmetic is what DUAL asks of an instance. That DUAL is free of loops rests on two
// things: what Via adds and Report adds makes a distance larger or leaves it.
type arithmetic struct{ in *instance }

// Distance implements dual.Arithmetic: RFC 7868 section 5.6, and internal routes
// before external ones (section 5.4.1).
//
// The distance of an own route is small if it goes before others. So it is chosen, and
// the Feasible Distance is less than what is told, which is on the safe side.
func (x arithmetic) Distance(a attribute) dual.Distance {
	d := x.in.natural(&a)
	switch {
	case d == dual.Infinity:
		return d
	case a.rank == rankAll:
		return min(d, 1)
	case a.rank == rankExternal:
		return min(d, dual.External(1))
	}
	return d
}

// natural returns the distance of an attribute by its metric alone.
func (in *instance) natural(a *attribute) dual.Distance {
	m, ok := in.composite(a)
	switch {
	case !ok:
		return dual.Infinity
	case a.external:
		return dual.External(m)
	}
	return internalDistance(m)
}

// internalDistance keeps the distance of an internal route below all external ones.
func internalDistance(m uint64) dual.Distance {
	if m >= uint64(dual.External(0)) {
		return dual.Infinity
	}
	return dual.Distance(m)
}

// composite returns the composite metric of an attribute in the instance's scale. ok
// is false if it is unreachable.
func (in *instance) composite(a *attribute) (m uint64, ok bool) {
	if in.wide() {
		m = a.extended().Composite(in.weights())
		return m, m != metric.WideInfinity
	}
	c := a.classic().Composite(in.weights())
	return uint64(c), c != metric.ClassicInfinity
}

// wide reports whether the instance counts in wide metrics.
func (in *instance) wide() bool { return in.cfg.Name != "" }

func (in *instance) weights() metric.Weights {
	if in.cfg.Weights == (metric.Weights{}) {
		return metric.DefaultWeights
	}
	return in.cfg.Weights
}

func (in *instance) maximumHops() uint8 {
	if in.cfg.MaximumHops == 0 {
		return metric.MaxHops
	}
	return in.cfg.MaximumHops
}

// Via implements dual.Arithmetic: the link to the neighbour is added (RFC 7868
// section 5.6.2.1), filters and offset lists of what comes in are applied, and the
// next hop is taken if it is on the link.
func (x arithmetic) Via(id dual.NeighborID, p netip.Prefix, a attribute) (attribute, bool) {
	in := x.in
	n := in.neighbors[id]
	if n == nil {
		return a, false
	}
	a.vector = in.add(a.vector, n.iface.routes.link)
	a.via = id
	a.hop = hopOf(in.usableHop(n, a.hop.addr()))
	if a.hops > in.maximumHops() || !in.filterIn(n, p, &a) {
		return a, false
	}
	a.vector = in.offset(a.vector, n.iface, p, false)
	return a, true
}

// add returns the vector of the path over a link.
func (in *instance) add(v, link vector) vector {
	if in.wide() {
		return wideVector(v.wide().Add(link.wide()))
	}
	return classicVector(v.classic().Add(link.classic()))
}

// usableHop returns the next hop that a neighbour told, or the zero Addr if that is
// the neighbour itself, or cannot be: it is this router, or it is not on the link.
func (in *instance) usableHop(n *neighbor, a netip.Addr) netip.Addr {
	if !a.IsValid() || a == n.addr || n.remote || in.fromOwn(n.iface, a) || !n.iface.onLink(a) {
		return netip.Addr{}
	}
	return a
}

// onLink reports whether an address is in a subnet of the interface.
func (i *iface) onLink(a netip.Addr) bool {
	for _, x := range i.link.Addresses {
		if p := x.Prefix; p.Contains(a) && p.Addr() != a {
			return true
		}
	}
	return a.Is6() && a.IsLinkLocalUnicast()
}

// Report implements dual.Arithmetic: what is told on an interface of a route. A
// stub tells little (`eigrp stub`); the parts of a summary are withheld where it is
// told, and distribute lists may withhold anything.
func (x arithmetic) Report(id dual.InterfaceID, p netip.Prefix, a attribute) (attribute, bool) {
	in := x.in
	i := in.routes.links[id]
	if i == nil || !in.told(i, p, &a) || !in.filterOut(i, p, &a) {
		return a, false
	}
	a.vector = in.offset(a.vector, i, p, true)
	in.tellHops(i, p, &a)
	a.via, a.origin, a.source, a.rank = 0, 0, rib.Unspecified, rankNone
	return a, true
}

// told reports whether a route is told on an interface, whatever lists say.
func (in *instance) told(i *iface, p netip.Prefix, a *attribute) bool {
	if a.origin == OriginSummary && !in.summaryOn(i, p) {
		return false
	}
	return in.stubTells(p, a) && !in.withheld(i, p, a)
}

// linkVector returns the metric of an interface: its bandwidth and delay, fully
// reliable and hardly loaded, since neither is measured (RFC 7868 section 5.6.1.1: "not
// dynamically measured").
func linkVector(wide bool, i *rib.Interface) vector {
	const picosPerUnit = 10_000_000 // ten microseconds
	w := metric.Wide{
		Bandwidth: max(i.Bandwidth, 1), Delay: max(uint64(i.Delay), 1) * picosPerUnit,
		MTU: uint32(min(max(i.MTU, 0), 1<<24-1)), Reliability: 255, Load: 1,
	}
	if !wide {
		return classicVector(w.Classic())
	}
	// What is faster than 1 Gbit/s has a shorter delay than can be configured (section
	// 5.6.1.2), unless a longer one is.
	if _, fast := metric.LinkDelay(w.Bandwidth); i.Type == rib.TypeEthernet && i.Delay <= 1 && fast < w.Delay {
		w.Delay = fast
	}
	return wideVector(w)
}
