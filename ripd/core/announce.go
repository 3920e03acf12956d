package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// noClass is the class of a job that told no class yet; it is no key.
const noClass = ^key(0)

// entry returns what a job says of a route, and false if it says nothing (RFC
// 2453 sections 3.10.2, 4.2 and 4.4).
func (i *iface) entry(j *job, r *route) (packet.Entry, bool) {
	if i.hides(r.key) {
		return packet.Entry{}, false
	}
	metric, nextHop := i.view(j, r)
	if metric == 0 {
		return packet.Entry{}, false
	}
	prefix := r.key.prefix()
	if j.version == packet.Version1 {
		said, ok := version1Prefix(i.addr, prefix)
		switch {
		case !ok:
			return packet.Entry{}, false
		case said.Bits() > 0 && said.Bits() == packet.NaturalBits(said.Addr()):
			return i.classEntry(j, said)
		}
	}
	return i.filtered(j, prefix, r.tag, nextHop, metric)
}

// filtered finishes an entry: distribute-lists, offsets, and the version.
func (i *iface) filtered(j *job, p netip.Prefix, tag uint16, nextHop netip.Addr, metric uint32) (packet.Entry, bool) {
	rules := i.instance.rules
	if !rules.permit(true, i.name, netip.Addr{}, p) {
		return packet.Entry{}, false
	}
	metric = min(metric+rules.offset(true, i.name, p), packet.Infinity)
	if j.kind == jobWithdraw {
		if metric == packet.Infinity {
			return packet.Entry{}, false
		}
		metric = packet.Infinity
	}
	e := packet.Route(p, tag, nextHop, metric)
	switch {
	case j.version == packet.Version1:
		e.Tag, e.Mask, e.NextHop = 0, 0, netip.Addr{}
	case metric == packet.Infinity:
		e.NextHop = netip.Addr{}
	}
	return e, true
}

// classEntry returns the entry for the network of a class, which stands for its
// subnets in version 1: once, with the lowest metric among them.
func (i *iface) classEntry(j *job, class netip.Prefix) (packet.Entry, bool) {
	k := keyOf(class)
	if j.class == k {
		return packet.Entry{}, false
	}
	j.class = k
	metric := uint32(packet.Infinity)
	for _, r := range i.instance.table.within(k) {
		if r.removed || i.hides(r.key) {
			continue
		}
		if said, _ := version1Prefix(i.addr, r.key.prefix()); said != class {
			continue
		}
		if m, _ := i.view(j, r); m != 0 {
			metric = min(metric, m)
		}
	}
	return i.filtered(j, class, 0, netip.Addr{}, metric)
}

// summaryEntry returns what a job says of a summary. Once nothing is inside of it,
// a route of its own may have its prefix, and is told instead.
func (i *iface) summaryEntry(j *job, s *summary) (packet.Entry, bool) {
	over := s.metric == packet.Infinity && (!s.garbage || i.instance.table.get(s.key) != nil)
	if over || len(s.users) > 0 && !slices.Contains(s.users, i) {
		return packet.Entry{}, false
	}
	p := s.key.prefix()
	if j.version == packet.Version1 {
		if said, ok := version1Prefix(i.addr, p); !ok || said != p {
			return packet.Entry{}, false
		}
	}
	return i.filtered(j, p, 0, netip.Addr{}, uint32(s.metric))
}

// view returns the metric of a route as the interface tells it, 0 if it does not,
// and the next hop where that is another router of the same subnet. It is here
// that split horizon is (RFC 2453 section 3.4.3).
func (i *iface) view(j *job, r *route) (metric uint32, nextHop netip.Addr) {
	if i.connects(r.key) {
		return 0, nextHop
	}
	if r.own != nil {
		return uint32(r.own.metric), i.gateway(r.own.nextHops)
	}
	metric = uint32(r.metric)
	for p := r.paths; p != nil; p = p.next {
		if p.neighbor.iface != i {
			continue
		}
		switch {
		case i.cfg.SplitHorizon == SplitHorizonPoison:
			return packet.Infinity, netip.Addr{}
		case i.cfg.SplitHorizon == SplitHorizonSimple, j.only.IsValid() && p.neighbor.addr == j.only:
			return 0, netip.Addr{}
		case !nextHop.IsValid() && !i.cfg.NextHopSelf:
			if a := addrOf(p.nextHop); i.onSubnet(a) {
				nextHop = a
			}
		}
	}
	return metric, nextHop
}

// connects reports whether k is a network of the interface itself. A host route
// is none: on a tunnel whose address has 32 bits, it is what the others need.
func (i *iface) connects(k key) bool {
	return k.bits() < 32 && slices.Contains(i.connected, k)
}

// gateway returns the first of the next hops that the neighbours on the interface
// can use themselves (RFC 2453 appendix A).
func (i *iface) gateway(hops []rib.NextHop) netip.Addr {
	if i.cfg.NextHopSelf {
		return netip.Addr{}
	}
	for _, h := range hops {
		if (h.Interface == i.name || h.Interface == "") && h.Addr.Is4() && !h.Discard && i.onSubnet(h.Addr) && !i.hasAddr(h.Addr) {
			return h.Addr
		}
	}
	return netip.Addr{}
}
