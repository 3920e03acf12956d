package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// flagsKept are the flags of a route that go from router to router.
const flagsKept = packet.RouteCandidateDefault | packet.RouteReplicated

// dualKinds are the messages that DUAL takes in.
var dualKinds = map[packet.Opcode]dual.Kind{
	packet.Update: dual.Update, packet.Query: dual.Query, packet.Reply: dual.Reply,
	packet.SIAQuery: dual.SIAQuery, packet.SIAReply: dual.SIAReply,
}

// routesReceived hands the routes of a packet that reliable transport delivers to
// DUAL. A route that must not be taken in is unreachable to it, never missing: a QUERY
// has to be answered, and an UPDATE takes the place of the one before.
func (in *instance) routesReceived(now clock.Instant, n *neighbor, m *packet.Message) {
	kind, ok := dualKinds[m.Opcode]
	if !ok || in.routes.down() {
		return
	}
	for k := range m.Routes {
		rt := &m.Routes[k]
		if rt.Type.Wide() && (rt.TID != 0 || rt.AFI != in.afi()) {
			in.counters.Dropped[DropRoute] += uint64(len(rt.Destinations))
			continue
		}
		a := in.decode(rt)
		for _, p := range rt.Destinations {
			if rib.FamilyOf(p.Addr()) != in.key.Family {
				in.counters.Dropped[DropRoute]++
				continue
			}
			in.received(now, n, dual.Message[attribute]{Kind: kind, Prefix: p, Attribute: a,
				Unreachable: rt.Unreachable(), Active: rt.Flags&packet.RouteActive != 0})
		}
	}
	if m.Flags&packet.FlagEndOfTable != 0 {
		in.tableReceived(now, n)
	}
}

// received hands one route to DUAL.
func (in *instance) received(now clock.Instant, n *neighbor, m dual.Message[attribute]) {
	if n.restart != nil && n.restart.began && in.cameBackWorse(n, &m) {
		in.hooks.reset(now, n, "topology changed in graceful restart")
		return
	}
	delete(n.routes.stale, m.Prefix)
	if !m.Unreachable {
		if why := in.refuse(n, &m); why != 0 {
			in.counters.Dropped[why]++
			m.Unreachable = true
		}
	}
	before := in.table.Reports(m.Prefix, n.id)
	in.step(now, dual.Received[attribute]{Neighbor: n.id, Message: m})
	if after := in.table.Reports(m.Prefix, n.id); after != before {
		in.counted(now, n, after)
		if s := in.routes.summaries[m.Prefix]; s != nil { // it may give way, or come back
			in.soil(s)
			in.step(now, dual.Tick{})
		}
	}
}

// refuse says why a route must not be taken in: RFC 7868 sections 5.4.1.2 and 5.6.2.2,
// and what no router may tell of. What a filter keeps out DUAL hears of all the same,
// since the filter may change.
func (in *instance) refuse(n *neighbor, m *dual.Message[attribute]) DropReason {
	a := &m.Attribute
	switch {
	case !routable(m.Prefix), m.Prefix.IsSingleIP() && in.fromOwn(n.iface, m.Prefix.Addr()):
		return DropRoute
	case a.external && a.more.extra().external.RouterID == in.routerID():
		return DropRouterID
	case in.prefixesFull(n, m.Prefix):
		return DropPrefixLimit
	case !in.countsHops(a):
		in.counters.Dropped[DropHops]++
	case len(in.cfg.Filters) > 0 || in.cfg.DefaultIn != (DefaultInformation{}):
		if via := *a; !in.filteredOut(n, m.Prefix, &via) {
			in.counters.Dropped[DropFiltered]++
		}
	}
	return 0
}

// countsHops reports whether a route has not too many hops with the one to here.
func (in *instance) countsHops(a *attribute) bool { return a.hops < in.maximumHops() }

// filteredOut reports whether filters let a path in, as Via finds it.
func (in *instance) filteredOut(n *neighbor, p netip.Prefix, a *attribute) bool {
	_, ok := arithmetic{in}.Via(n.id, p, *a)
	return ok
}

// routable reports whether a prefix can be the destination of a route: no multicast,
// nothing of this host or link.
func routable(p netip.Prefix) bool {
	a := p.Addr()
	switch {
	case !p.IsValid() || a.IsMulticast() || a.IsLoopback() || a.IsLinkLocalUnicast():
		return false
	case a.Is4():
		first := a.As4()[0]
		return (first != 0 || p.Bits() == 0) && first < 224 && !(first == 127 && p.Bits() >= 8)
	}
	return !a.Is4In6() && !(a.IsUnspecified() && p.Bits() == 128)
}

// decode returns the attribute that a route TLV tells, in the instance's scale. Either
// version is understood (RFC 7868 section 6.7.4).
func (in *instance) decode(rt *packet.Route) attribute {
	a := attribute{flags: rt.Flags & flagsKept, external: rt.Type.External(), hop: hopOf(rt.NextHop), router: rt.RouterID}
	switch {
	case rt.Type.Wide() && in.wide():
		a.vector = wideVector(rt.Wide)
	case rt.Type.Wide():
		a.vector = classicVector(rt.Wide.Classic())
	case in.wide():
		a.vector = wideVector(rt.Classic.Wide())
	default:
		a.vector = classicVector(rt.Classic)
	}
	a.tag = rt.AdminTag()
	var x extra
	if a.external {
		x.external = rt.External
		x.external.Tag = 0
		if a.router == 0 {
			a.router = x.external.RouterID
		}
	} else if !rt.Type.Wide() {
		a.tag = uint32(rt.InternalTag)
	}
	if in.wide() {
		x.jitter, x.quiescent, x.energy = rt.Wide.Jitter, rt.Wide.QuiescentEnergy, rt.Wide.Energy
		x.communities, x.attributes = encodeAttributes(rt.Communities, rt.Attributes)
	}
	x.count = copy(x.paths[:], rt.Paths)
	a.more = moreOf(x)
	return a
}
