package core

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/core/route"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// maxMetric is MaxLinkMetric (RFC 6987 section 2).
const maxMetric = 0xffff

// settleLinks compares the router-LSAs and network-LSAs of areas where something changed.
func (in *instance) settleLinks(now clock.Instant) {
	r := &in.routes
	for _, a := range in.order {
		if !r.links[a.id] {
			continue
		}
		body, links := a.routerLSA(now)
		in.state(now, ownName{a.scope, packet.RouterLSA, in.id},
			&lsdb.Statement{Type: packet.RouterLSA, ID: in.id, Options: a.lsaOptions(), Body: body.Append(nil)})
		if r.table.SetRoot(a.id, body, links) {
			in.schedule(now, true, packet.RouterLSA)
		}
		in.settleNetworks(now, a)
	}
	clear(r.links)
}

// settleNetworks compares the network-LSAs of an area: one for each network whose designated
// router this is, with a neighbour that is full (RFC 2328 section 12.4.2).
func (in *instance) settleNetworks(now clock.Instant, a *area) {
	want := map[packet.ID]*lsdb.Statement{}
	for _, i := range a.ifaces {
		if i.state != fsm.InterfaceDR || !i.anyFull() {
			continue
		}
		body := packet.Network{Mask: maskOf(i.addr), Routers: []packet.ID{in.id}}
		if i.suppresses() {
			body.Mask = 0xffffffff // RFC 6860 section 2.2
		}
		for _, n := range i.neighbors {
			if n.full() {
				body.Routers = append(body.Routers, n.id)
			}
		}
		slices.Sort(body.Routers[1:])
		id := packet.IDOf(i.addr.Addr())
		want[id] = &lsdb.Statement{Type: packet.NetworkLSA, ID: id, Options: a.lsaOptions(), Body: body.Append(nil)}
	}
	in.stateAll(now, a.scope, packet.NetworkLSA, want)
}

// stateAll states all LSAs of a type.
func (in *instance) stateAll(now clock.Instant, s *scope, t packet.LSType, want map[packet.ID]*lsdb.Statement) {
	var ids []packet.ID
	for name, o := range in.routes.own[s] {
		if name.typ == t && o.want != nil && want[name.id] == nil {
			ids = append(ids, name.id)
		}
	}
	for id := range want {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		in.state(now, ownName{s, t, id}, want[id])
	}
}

func (i *iface) anyFull() bool { return slices.ContainsFunc(i.neighbors, (*neighbor).full) }

// suppresses reports whether the prefixes of the interface are not told (RFC 6860 section
// 2): it has only routers on it.
func (i *iface) suppresses() bool {
	return *i.cfg.PrefixSuppression && !i.passive && i.state != fsm.InterfaceLoopback && i.virtual == nil
}

// routerLSA makes the router-LSA of an area (section 12.4.1), with what its links are.
func (a *area) routerLSA(now clock.Instant) (body packet.Router, links []route.Link) {
	in := a.instance
	r := &in.routes
	if r.border {
		body.Flags |= packet.RouterB
	}
	if a.cfg.Kind != AreaStub && (r.boundary || r.border && in.hasNSSA()) { // RFC 3101 section 3.1
		body.Flags |= packet.RouterE
	}
	if a.cfg.Kind == AreaNSSA && r.border && a.cfg.TranslateAlways {
		body.Flags |= packet.RouterNt
	}
	if a.shortcut() != route.NoShortcut {
		body.Flags |= packet.RouterS
	}
	add := func(l packet.RouterLink, to route.Link) {
		body.Links, links = append(body.Links, l), append(links, to)
	}
	for _, i := range in.ifaces {
		if v := i.virtual; v != nil && v.transit == a.id && i.anyFull() {
			body.Flags |= packet.RouterV
		}
		if i.area == a && i.state != fsm.InterfaceIsDown {
			i.describe(add)
		}
	}
	in.maximize(now, &body)
	return body, links
}

// hasNSSA reports whether an area is an NSSA.
func (in *instance) hasNSSA() bool {
	return slices.ContainsFunc(in.order, func(a *area) bool { return a.cfg.Kind == AreaNSSA })
}

// describe adds the links of an interface (sections 12.4.1.1 to 12.4.1.4).
func (i *iface) describe(add func(packet.RouterLink, route.Link)) {
	here := route.Link{Interface: i.name}
	stub := func(p netip.Prefix, metric uint16) {
		add(packet.RouterLink{ID: packet.IDOf(p.Masked().Addr()), Data: maskOf(p), Type: packet.LinkStub, Metric: metric}, here)
	}
	host := netip.PrefixFrom(i.addr.Addr(), 32)
	suppress := i.suppresses()
	switch {
	case i.typ == fsm.VirtualLink:
		i.describeVirtual(add)
		return
	case i.state == fsm.InterfaceLoopback && i.instance.core.ifaceConfig(i.name).Type != fsm.PointToPoint:
		stub(host, i.cost)
	case i.state == fsm.InterfaceLoopback:
		stub(i.addr, i.cost)
	case i.typ == fsm.PointToMultipoint || i.cfg.Spoke:
		i.describePeers(add)
		if !suppress {
			stub(host, 0)
		}
	case i.typ == fsm.PointToPoint:
		i.describePeers(add)
		if !suppress && !i.unnumbered() {
			stub(i.addr, i.cost)
		}
	case i.transit():
		add(packet.RouterLink{ID: packet.IDOf(i.dr), Data: uint32(packet.IDOf(i.addr.Addr())), Type: packet.LinkTransit, Metric: i.cost}, here)
	case !suppress:
		stub(i.addr, i.cost)
	}
	if suppress || i.cfg.NoSecondary {
		return
	}
	for _, x := range i.link.Addresses {
		if x.Secondary && x.Prefix.Addr().Is4() && (!i.byNetwork || i.instance.matchesArea(x.Prefix.Addr(), i.area.id)) {
			stub(x.Prefix, i.cost)
		}
	}
}

// matchesArea reports whether a `network` line has an address in an area.
func (in *instance) matchesArea(a netip.Addr, id packet.ID) bool {
	for _, w := range in.cfg.Networks {
		if w.Addresses.Match(a) {
			return w.Area == id
		}
	}
	return false
}

// transit reports whether the network is told as a transit network: this router is fully
// adjacent to the designated router, or is that itself with somebody adjacent to it (section
// 12.4.1.2).
func (i *iface) transit() bool {
	if !i.dr.IsValid() || i.state == fsm.InterfaceWaiting {
		return false
	}
	if i.state == fsm.InterfaceDR {
		return i.anyFull()
	}
	n := i.byAddr[i.dr]
	return n != nil && n.full()
}

// unnumbered reports whether the address of the interface is borrowed from another.
func (i *iface) unnumbered() bool {
	return i.addr.IsSingleIP() && i.instance.core.links.Own(i.link.VRF, i.addr.Addr()) > 1
}

// describePeers adds a link to each neighbour that is full.
func (i *iface) describePeers(add func(packet.RouterLink, route.Link)) {
	data := uint32(packet.IDOf(i.addr.Addr()))
	if i.unnumbered() && i.typ == fsm.PointToPoint {
		data = uint32(i.link.Index) // MIB-II ifIndex: section 12.4.1.1
	}
	for _, n := range i.neighbors {
		if n.full() {
			add(packet.RouterLink{ID: n.id, Data: data, Type: packet.LinkPointToPoint, Metric: n.linkCost()}, route.Link{Interface: i.name, Addr: n.addr})
		}
	}
}

func (i *iface) describeVirtual(add func(packet.RouterLink, route.Link)) {
	v := i.virtual
	if i.anyFull() {
		add(packet.RouterLink{ID: v.router, Data: uint32(packet.IDOf(i.addr.Addr())), Type: packet.LinkVirtual, Metric: i.cost},
			route.Link{Transit: v.transit, Router: v.router})
	}
}

// maximize makes the router a stub router while `max-metric router-lsa` is in force: nobody
// shall pass through it (RFC 6987 section 2).
func (in *instance) maximize(now clock.Instant, body *packet.Router) {
	if !in.stubRouter(now) {
		return
	}
	for k := range body.Links {
		if l := &body.Links[k]; l.Type != packet.LinkStub || in.cfg.MaxMetric.IncludeStub {
			l.Metric = maxMetric
		}
	}
}

// stubRouter reports whether `max-metric router-lsa` is in force.
func (in *instance) stubRouter(now clock.Instant) bool {
	m := in.cfg.MaxMetric
	return m != nil && (m.OnStartup == 0 || now < in.since.Add(m.OnStartup))
}

// stubRouterEnd is when it is not any more.
func (in *instance) stubRouterEnd() deadline {
	m := in.cfg.MaxMetric
	if m == nil || m.OnStartup == 0 || !in.routes.maximized {
		return deadline{}
	}
	return deadline{in.since.Add(m.OnStartup), true}
}

// checkStubRouter has all LSAs compared when it begins or ends to be in force.
func (in *instance) checkStubRouter(now clock.Instant) {
	r := &in.routes
	if on := in.stubRouter(now); on != r.maximized {
		r.maximized = on
		for _, a := range in.order {
			r.links[a.id] = true
		}
		r.summaries, r.external.all = true, true
	}
}

// maximum returns the metric that a network is told with: that of max-metric, if that is in
// force and says one.
func (in *instance) maximum(now clock.Instant, configured func(*MaxMetric) uint32, metric uint32) uint32 {
	if !in.stubRouter(now) {
		return metric
	}
	return cmp.Or(configured(in.cfg.MaxMetric), metric)
}
