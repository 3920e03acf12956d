package core

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/core/route"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// routesState is what the routes of an instance are computed from, what was stated of them,
// and what this router says in LSAs of its own. What it has to say is computed from the
// state of interfaces, the routing table and redistributed routes, compared with what it
// said last, and what differs goes through the throttles: nothing is originated because of
// an event.
type routesState struct {
	table  *route.Table
	cfg    route.Config // of table
	synced bool         // … and it is what it should be

	own       map[*scope]map[ownName]*ownLSA
	throttled clock.Heap[ownName]
	told      map[toldKey]*told
	former    []formerLSA // of a former life, to be originated anew or flushed

	links       map[packet.ID]bool // areas whose router-LSA and network-LSAs are to be compared
	summaries   bool               // summary-LSAs are
	external    externals
	spf         spfState
	virtuals    bool // virtual links are to be looked at
	translators bool // who translates type-7 LSAs is

	border   bool // area border router
	boundary bool // AS boundary router

	next      deadline // timerRoutes
	installed map[netip.Prefix]rib.Route
	shared    map[rib.NextHop][]rib.NextHop // next hops of routes that have one
	maximized bool                          // max-metric router-lsa is in force
	again     bool                          // all routes are to be compared with what was installed
}

// formerLSA is an LSA of a former life.
type formerLSA struct {
	scope *scope
	lsa   packet.LSA
}

// What adjacencies tell the routes. Nothing of it may come back at once: what follows is
// done in routesSettle.

// routesBegin: the instance runs, with a router ID, and no interface yet.
func (in *instance) routesBegin(now clock.Instant) {
	in.routes = routesState{
		table: route.New(), own: make(map[*scope]map[ownName]*ownLSA), told: make(map[toldKey]*told),
		links: make(map[packet.ID]bool), installed: make(map[netip.Prefix]rib.Route), shared: make(map[rib.NextHop][]rib.NextHop),
	}
	in.routes.external.begin(now, in)
	in.syncTable(now)
}

// routesEnd: the instance ends; its own LSAs were flushed, routes are to be taken back. Of
// a restart nothing comes here.
func (in *instance) routesEnd(now clock.Instant) {
	r := &in.routes
	var all []netip.Prefix
	for p := range r.installed {
		all = append(all, p)
	}
	slices.SortFunc(all, comparePrefixes)
	for _, p := range all {
		in.uninstall(p)
	}
	in.endSources()
}

// routesChanged: an LSA of a database came, changed or went, an own one too.
func (in *instance) routesChanged(now clock.Instant, s *scope, c lsdb.Change) {
	if c.Part == lsdb.PartNone || c.Part == lsdb.PartOpaque || s.iface != nil {
		return
	}
	var id packet.ID
	if s.area != nil {
		id = s.area.id
	}
	r := &in.routes
	if s.area != nil && !slices.ContainsFunc(r.cfg.Areas, func(a route.Area) bool { return a.ID == id }) {
		r.synced = false // the area is new
	}
	in.syncTable(now)
	if c.Kind == lsdb.Removed {
		r.table.Remove(id, c.LSA.LSAKey)
	} else {
		r.table.Put(id, c.LSA)
	}
	in.schedule(now, c.Part == lsdb.PartTree, c.LSA.Type)
}

// routesInterface: something about an interface or its neighbours changed that an own LSA
// may depend on: state, cost, designated router, address, neighbours that are full.
func (in *instance) routesInterface(_ clock.Instant, i *iface) {
	r := &in.routes
	r.links[i.area.id] = true
	if i.virtual != nil { // the V-bit
		r.links[i.virtual.transit] = true
	}
	r.virtuals = true
	r.external.all = true // forwarding addresses, and what OSPF has itself
	r.synced = false
}

// routesSelf: an LSA of this router of a former life came, and is in the database (RFC
// 2328 section 13.4): it is to be originated anew or flushed.
func (in *instance) routesSelf(_ clock.Instant, s *scope, lsa packet.LSA) {
	in.routes.former = append(in.routes.former, formerLSA{s, lsa})
}

// routesConfigured: the configuration of the instance or what a policy says changed, or a
// graceful restart of this router is over.
func (in *instance) routesConfigured(clock.Instant) {
	r := &in.routes
	for _, a := range in.order {
		r.links[a.id] = true
	}
	r.summaries, r.virtuals, r.translators, r.again, r.external.all = true, true, true, true, true
	r.synced = false
	in.configureSources()
}

// routesAttached: a session to zebra opened, which has all routes that were stated. Watched
// routes are told again.
func (in *instance) routesAttached(clock.Instant) { in.routes.external.attached() }

// routesTick: timerRoutes has come; routesSettle follows.
func (in *instance) routesTick(clock.Instant) { in.routes.next = deadline{} }

// routesSettle ends each Step: own LSAs are compared with what they should say, and
// computations are done that are due. It reports whether it originated or flushed anything.
func (in *instance) routesSettle(now clock.Instant) (again bool) {
	r := &in.routes
	in.syncTable(now)
	if !in.restarting {
		in.settleLinks(now)
	}
	again = in.compute(now)
	if !in.restarting {
		in.settleVirtuals(now)
		in.settleTranslators(now)
		in.settleExternals(now)
		if r.summaries {
			r.summaries = false
			in.settleSummaries(now)
		}
		if r.again {
			r.again = false
			in.installAll(now)
		}
		again = in.originateDue(now) || again
		in.settleFormer(now)
	}
	in.armRoutes(now)
	return again || len(r.links) > 0 && !in.restarting
}

// settleFormer deals with LSAs of a former life, as soon as it is known what this one has to
// say: what depends on routes stays until they are computed (RFC 3623 section 2.3).
func (in *instance) settleFormer(now clock.Instant) {
	r := &in.routes
	if r.spf.due.set {
		return
	}
	former := r.former
	r.former = nil
	for _, f := range former {
		in.restate(now, f.scope, f.lsa)
	}
}

// armRoutes arms timerRoutes for the earliest of what waits.
func (in *instance) armRoutes(now clock.Instant) {
	r := &in.routes
	at, ok := r.throttled.Next()
	for _, d := range [...]deadline{r.spf.due, r.external.due, r.external.translators, in.stubRouterEnd(), in.reduction.stale} {
		if d.set && (!ok || d.at < at) {
			at, ok = d.at, true
		}
	}
	in.core.armOnce(&r.next, timerKey{kind: timerRoutes, instance: in}, max(at, now+1), ok)
}

// deadline is an instant, if it is set.
type deadline struct {
	at  clock.Instant
	set bool
}

// syncTable gives the table its configuration, if it is another: areas and their kinds, and
// whether this router is a border router.
func (in *instance) syncTable(now clock.Instant) {
	r := &in.routes
	if r.synced {
		return
	}
	r.synced = true
	active, connected := 0, false
	cfg := route.Config{Router: in.id, RFC1583: in.cfg.RFC1583}
	for _, a := range in.order {
		x := route.Area{ID: a.id, Kind: route.Kind(a.cfg.Kind), NoSummary: a.cfg.NoSummary, Export: in.core.policy.AccessList(a.cfg.ExportList), Shortcut: a.shortcut()}
		for _, g := range a.cfg.Ranges {
			if !g.NSSA {
				x.Ranges = append(x.Ranges, route.Range{Prefix: g.Prefix.Masked(), Advertise: !g.NotAdvertise, Cost: g.Cost, Substitute: g.Substitute})
			}
		}
		cfg.Areas = append(cfg.Areas, x)
		if a.active() {
			active++
		}
		connected = connected || a.id == backbone && a.adjacent()
	}
	for _, i := range in.ifaces {
		if i.addr.IsValid() && i.virtual == nil {
			for _, x := range i.link.Addresses {
				cfg.Addresses = append(cfg.Addresses, x.Prefix.Addr())
			}
		}
	}
	slices.SortFunc(cfg.Addresses, netip.Addr.Compare)
	cfg.Border = active > 1 && in.bordersBackbone()
	cfg.Backbone = cfg.Border && (connected || in.cfg.ABR == ABRStandard || in.cfg.ABR == ABRShortcut)
	if reflect.DeepEqual(cfg, r.cfg) {
		return
	}
	changed := r.border != cfg.Border
	for k, x := range cfg.Areas { // the S-bit
		if k >= len(r.cfg.Areas) || r.cfg.Areas[k].ID != x.ID || r.cfg.Areas[k].Shortcut != x.Shortcut {
			r.links[x.ID] = true
		}
	}
	r.border, r.cfg = cfg.Border, cfg
	r.table.Configure(cfg)
	if changed {
		r.translators = true
		for _, a := range in.order {
			r.links[a.id] = true
		}
		r.external.all = true
	}
	r.summaries = true
	in.schedule(now, true, packet.RouterLSA)
}

// bordersBackbone reports whether the backbone is attached as a border router of the type that is
// configured has it (RFC 3509 section 2.1; RFC 2328 section 3.3 and
// draft-ietf-ospf-shortcut-abr-02 do not ask).
func (in *instance) bordersBackbone() bool {
	b := in.areas[backbone] // which has interfaces
	switch in.cfg.ABR {
	case ABRIBM:
		return b != nil
	case ABRStandard, ABRShortcut:
		return true
	}
	return b != nil && b.active()
}

// shortcut says when this router takes shortcuts through the area
// (draft-ietf-ospf-shortcut-abr-02); it sets the S-bit there if it ever does.
func (a *area) shortcut() route.Shortcut {
	b := a.instance.areas[backbone]
	switch {
	case a.instance.cfg.ABR != ABRShortcut || a.id == backbone || a.cfg.Shortcut == ShortcutDisable:
		return route.NoShortcut
	case b == nil || !b.adjacent():
		return route.ShortcutAlways
	case a.cfg.Shortcut == ShortcutEnable:
		return route.ShortcutIfShared
	}
	return route.NoShortcut
}

// active reports whether an interface of the area is up.
func (a *area) active() bool {
	return slices.ContainsFunc(a.ifaces, func(i *iface) bool { return i.state != fsm.InterfaceIsDown })
}

// adjacent reports whether the area has a neighbour that is full.
func (a *area) adjacent() bool {
	return slices.ContainsFunc(a.ifaces, func(i *iface) bool { return slices.ContainsFunc(i.neighbors, (*neighbor).full) })
}

// routesDone reports whether routes are computed of all that the databases say.
func (in *instance) routesDone() bool { return !in.routes.spf.due.set }

// routesCleared: `clear ip ospf redistribution` or `force-spf`.
func (in *instance) routesCleared(now clock.Instant, kind ClearKind) {
	switch kind {
	case ClearSPF:
		in.routes.table.Recompute()
		in.schedule(now, true, packet.RouterLSA)
	case ClearRedistribution:
		in.clearExternals(now)
	}
}
