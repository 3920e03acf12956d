package core

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// routes is what an instance keeps of routes beside DUAL's table. The methods that
// begin with "routes" are all that the rest of the instance calls. routesFlush comes
// last in each step; nothing is sent before it.
type routes struct {
	routerID      packet.RouterID // that own routes were stated with
	links         map[dual.InterfaceID]*iface
	connected     map[netip.Prefix][]*iface    // networks of interfaces, by name
	sources       []*source                    // of redistributed routes, in the order of the configuration
	redistributed map[netip.Prefix]struct{}    // those that DUAL was told of
	limits        limits                       // `maximum-prefix`
	summaries     map[netip.Prefix]*summary    // of all interfaces
	installed     map[netip.Prefix]struct{}    // what zebra was given
	out           map[dual.InterfaceID]*outbox // what waits for routesFlush
	outOrder      []dual.InterfaceID           // keys of out, as they came
	stuck         []dual.Stuck                 // neighbours to be reset
	lengths       []int                        // of their prefixes, sorted
	dirty         []*summary                   // whose nearest part changed
	busy          bool                         // step is at work
	effects       []dual.Effect                // of a step
	buffer        []byte                       // a TLV
}

// ifaceRoutes is what routes keep of an interface.
type ifaceRoutes struct {
	link     vector         // its metric
	networks []netip.Prefix // that it has in connected, sorted
	peers    int            // neighbours that are up
	classic  int            // neighbours that do not read wide TLVs
}

// neighborRoutes is what routes keep of a neighbour.
type neighborRoutes struct {
	told     bool                      // it told its table to the end
	prefixes int                       // paths by it
	stale    map[netip.Prefix]struct{} // not told again since it restarted
	classic  bool                      // it counts in ifaceRoutes.classic
}

// routesBegin makes a new instance ready. Interfaces come after it.
func (in *instance) routesBegin(now clock.Instant) {
	in.routes = routes{
		routerID: in.routerID(), links: make(map[dual.InterfaceID]*iface),
		connected: make(map[netip.Prefix][]*iface), redistributed: make(map[netip.Prefix]struct{}),
		summaries: make(map[netip.Prefix]*summary), installed: make(map[netip.Prefix]struct{}),
		out: make(map[dual.InterfaceID]*outbox),
	}
	in.table = dual.New[attribute](arithmetic{in}, in.dualConfig())
	in.configureSources(now)
}

func (in *instance) dualConfig() dual.Config {
	return dual.Config{MaximumPaths: in.cfg.MaximumPaths, Variance: in.cfg.Variance, ActiveTime: in.cfg.ActiveTime}
}

// routerID returns the router ID as packets have it.
func (in *instance) routerID() packet.RouterID {
	if !in.id.Is4() {
		return 0
	}
	b := in.id.As4()
	return packet.RouterID(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]))
}

// routesConfigured takes a changed configuration, or changed policy, or another router
// ID in: everything is judged anew, which may take as long as the table is large.
// Interfaces that come or go are told by their own methods.
func (in *instance) routesConfigured(now clock.Instant, old InstanceConfig) {
	in.routes.routerID = in.routerID()
	for _, i := range in.order {
		if in.routes.links[i.id] == i {
			in.relink(now, i)
		}
	}
	in.configureSources(now)
	in.step(now, dual.LinkChanged{})
	in.step(now, in.dualConfig()) // by which neighbours are told what is told otherwise now
	in.reinstall(now)
}

// routesIfaceUp takes an interface in whose networks are to be told; neighbours may be
// found on it from now on.
func (in *instance) routesIfaceUp(now clock.Instant, i *iface) {
	in.routes.links[i.id] = i
	in.relink(now, i)
	in.step(now, dual.Interface{ID: i.id, NoSplitHorizon: i.cfg.NoSplitHorizon})
}

// routesIfaceChanged says that metric, addresses or configuration of an interface
// changed that is up.
func (in *instance) routesIfaceChanged(now clock.Instant, i *iface) {
	if in.routes.links[i.id] != i {
		return
	}
	in.relink(now, i)
	in.step(now, dual.LinkChanged{Interface: i.id})
	in.step(now, dual.Interface{ID: i.id, NoSplitHorizon: i.cfg.NoSplitHorizon})
}

// routesIfaceDown takes an interface back. Its neighbours went down before.
func (in *instance) routesIfaceDown(now clock.Instant, i *iface) {
	if in.routes.links[i.id] != i {
		return
	}
	in.connect(now, i, nil)
	delete(in.routes.links, i.id)
	delete(in.routes.out, i.id)
	in.configureSummaries(now)
}

// relink notes the metric and the networks of an interface.
func (in *instance) relink(now clock.Instant, i *iface) {
	i.routes.link = linkVector(in.wide(), &i.link)
	in.connect(now, i, in.networksOf(i))
	in.configureSummaries(now)
}

// routesNeighborUp tells a neighbour the table: it is no longer pending, and its INIT
// was acknowledged (RFC 7868 section 5.3.4).
func (in *instance) routesNeighborUp(now clock.Instant, n *neighbor) {
	n.routes = neighborRoutes{}
	n.iface.routes.peers++
	if n.routes.classic = !n.wide; n.routes.classic {
		n.iface.routes.classic++
	}
	// A stub that leaks has routes of others, and who is not asked of those may make a
	// loop: it is asked, unlike on IOS.
	in.step(now, dual.NeighborUp{ID: n.id, Interface: n.iface.id, Stub: n.stub && n.flags&packet.StubLeakMap == 0})
	in.endOfTable(n)
}

// routesNeighborDown takes back all that a neighbour told; it was up.
func (in *instance) routesNeighborDown(now clock.Instant, n *neighbor) {
	n.iface.routes.peers--
	if n.routes.classic {
		n.iface.routes.classic--
	}
	for _, s := range in.sortedSummaries() { // one may come back
		in.soil(s)
	}
	in.step(now, dual.NeighborDown{ID: n.id})
	n.routes = neighborRoutes{}
}

// routesTick does what is due.
func (in *instance) routesTick(now clock.Instant) {
	in.step(now, dual.Tick{})
	in.liftDue(now)
}

// routesWake returns when routesTick is wanted next.
func (in *instance) routesWake() (at clock.Instant, ok bool) {
	at, ok = in.table.Wake()
	if t, has := in.routes.limits.timers.Next(); has && (!ok || t < at) {
		return t, true
	}
	return at, ok
}

// routesEnd takes back all that zebra was given: the instance ends.
func (in *instance) routesEnd(now clock.Instant) {
	for _, p := range sortedPrefixes(in.routes.installed) {
		in.uninstall(now, p)
	}
	in.endSources()
	in.table, in.routes = nil, routes{}
}

// step hands an input to DUAL, and does what comes of it. What comes of that in turn,
// since summaries change with their parts, follows in the same step.
func (in *instance) step(now clock.Instant, x dual.Input) {
	in.table.Step(now, x)
	if in.routes.busy {
		return
	}
	in.routes.busy = true
	for {
		in.routes.effects = in.table.Drain(in.routes.effects[:0])
		if len(in.routes.effects) == 0 && !in.summarize(now) {
			break
		}
		for _, e := range in.routes.effects {
			in.do(now, e)
		}
		clear(in.routes.effects)
	}
	in.routes.busy = false
}

// do carries out an effect of DUAL.
func (in *instance) do(now clock.Instant, e dual.Effect) {
	switch e := e.(type) {
	case dual.Send[attribute]:
		in.enqueue(e)
	case dual.Install[attribute]:
		if !in.restarting() {
			in.install(now, e.Prefix, e.Paths)
		}
		in.changed(e.Prefix, &e.Paths[0])
	case dual.Withdraw:
		in.uninstall(now, e.Prefix)
		in.changed(e.Prefix, nil)
	case dual.Stuck:
		in.routes.stuck = append(in.routes.stuck, e)
	case dual.Trace:
		in.traceDUAL(now, e)
	}
}

// sortedPrefixes returns the keys of a map.
func sortedPrefixes[V any](m map[netip.Prefix]V) []netip.Prefix {
	return slices.SortedFunc(maps.Keys(m), comparePrefixes)
}

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}
