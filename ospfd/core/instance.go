package core

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// instance is an OSPF process.
type instance struct {
	core  *Core
	key   Key
	cfg   InstanceConfig // normal
	id    packet.ID      // router ID, 0 while there is none
	on    bool           // it runs: it is not shut down, and has a router ID
	since clock.Instant  // when it began

	areas     map[packet.ID]*area // those with interfaces
	order     []*area             // the values of areas, by ID
	as        *scope
	byName    map[string]*iface
	ifaces    []*iface // by name, virtual links last
	virtuals  int      // virtual links that there were: they are numbered
	neighbors int      // of all interfaces

	exchanging int         // neighbours in state Exchange or Loading
	forming    int         // neighbours in state ExStart, Exchange or Loading
	waiting    []*neighbor // for one of these to end (RFC 4222 section 2, recommendation 5)
	unflushed  bool        // a MaxAge LSA may be on no list any more
	boxes      []*outbox   // with something new to be sent

	sequence   sequence
	begun      bool // it began in this life
	lived      bool // there was a life of the daemon before this one, with this router ID
	restart    restart
	restarting bool // a graceful restart of this router: it originates and installs nothing
	converge   converge
	counters   Counters
	logs       quiet

	routes    routesState
	reduction reduction
}

// scope is a database with what is flooded alike: an area's, that of the AS, or a link's.
type scope struct {
	instance *instance
	area     *area  // nil: of the AS
	iface    *iface // of a link's, else nil
	db       *lsdb.Database
	flushing map[packet.LSAKey]bool // MaxAge LSAs, until all neighbours have them
	unable   map[packet.LSAKey]bool // LSAs with the DC-bit clear
	ages     bool                   // there may be no LSA that does not age
	kept     bool                   // there may be one
	next     deadline               // timerScope
}

// area is an area that the router has interfaces in.
type area struct {
	instance *instance
	id       packet.ID
	cfg      AreaConfig // with the defaults filled in
	scope    *scope
	ifaces   []*iface // by name, virtual links last
}

func newInstance(c *Core, k Key) *instance {
	return &instance{core: c, key: k, areas: make(map[packet.ID]*area), byName: make(map[string]*iface)}
}

func (in *instance) newScope(kind lsdb.Scope, a *area, i *iface) *scope {
	return &scope{instance: in, area: a, iface: i, flushing: make(map[packet.LSAKey]bool), unable: make(map[packet.LSAKey]bool), db: lsdb.New(lsdb.Options{
		Router: in.id, Scope: kind, MinArrival: in.cfg.Timers.Arrival, MaxLSAs: in.cfg.MaxLSA, MaxOctets: MaxLSAOctets,
	})}
}

// begin starts the instance if it can run and does not yet.
func (in *instance) begin(now clock.Instant) {
	if in.on || in.cfg.Shutdown {
		return
	}
	if id := packet.IDOf(in.cfg.RouterID); id != 0 {
		in.id = id
	} else if in.id == 0 {
		if in.id = in.formerID(); in.id == 0 {
			in.id = in.chooseID()
		}
	}
	if in.id == 0 {
		return
	}
	in.on, in.begun, in.since = true, true, now
	in.as = in.newScope(lsdb.ScopeAS, nil, nil)
	in.lived = in.core.remembered[in.key].RouterID == in.id
	in.beginRestart(now)
	in.sequence.begin(now, in)
	in.beginConverge(now)
	in.routesBegin(now)
	for _, name := range in.core.links.Names() {
		in.reconcile(now, name)
	}
	in.reconcileVirtuals(now)
}

// end stops the instance for good: its LSAs are flushed, neighbours see a Hello that lists
// nobody, and all that it stated is taken back.
func (in *instance) end(now clock.Instant) {
	if !in.on {
		return
	}
	in.flushOwn(now)
	in.drain(now)
	for _, i := range slices.Clone(in.ifaces) {
		i.goodbye(now)
		in.removeIface(now, i)
	}
	in.routesEnd(now)
	c := in.core
	for _, k := range [...]timerKind{timerRoutes, timerConverge, timerRestart, timerSettle} {
		c.timers.Clear(timerKey{kind: k, instance: in})
	}
	c.timers.Clear(timerKey{kind: timerScope, scope: in.as})
	in.on, in.id, in.as, in.restarting, in.routes, in.reduction = false, 0, nil, false, routesState{}, reduction{}
	in.boxes, in.waiting = nil, nil
}

// settle lets routes work until nothing is left to do, and sends what is to be flooded.
func (in *instance) settle(now clock.Instant) {
	if !in.on {
		return
	}
	for more := true; more; {
		more = in.settleReduction(now)
		more = in.routesSettle(now) || more
		more = in.removeFlushed(now) || more
	}
	for len(in.boxes) > 0 {
		box := in.boxes[0]
		in.boxes = in.boxes[1:]
		box.fresh = false
		box.due(now)
	}
	for s := range in.scopes() {
		at, ok := s.db.Next()
		in.core.armOnce(&s.next, timerKey{kind: timerScope, scope: s}, max(at, now+1), ok)
	}
}

// scopes yields all databases: that of the AS, then each area's with those of its links.
func (in *instance) scopes() iter.Seq[*scope] {
	return func(yield func(*scope) bool) {
		if !yield(in.as) {
			return
		}
		for _, a := range in.order {
			if !yield(a.scope) {
				return
			}
			for _, i := range a.ifaces {
				if !yield(i.scope) {
					return
				}
			}
		}
	}
}

// formerID is the router ID that the life of the daemon before this one had, if this router
// still has it for an address: with another one its neighbours would not know it any more.
// 0: there is none.
func (in *instance) formerID() packet.ID {
	id := in.core.remembered[in.key].RouterID
	if in.begun || in.core.links.Own(in.key.VRF, id.Addr()) == 0 || in.taken(id) {
		return 0
	}
	return id
}

// chooseID chooses a router ID among the addresses of the VRF as IOS does: the highest of
// its loopbacks that are up, or else of all interfaces, that no other process has. RFC 2328
// leaves it open. 0: there is none.
func (in *instance) chooseID() packet.ID {
	c := in.core
	var best netip.Addr
	var loopback bool
	for _, name := range c.links.Names() {
		link, _ := c.links.Get(name)
		if link.VRF != in.key.VRF || !link.Up && !link.HeldDown {
			continue
		}
		for _, a := range link.Addresses {
			addr, lo := a.Prefix.Addr(), link.Type == rib.TypeLoopback
			if !addr.Is4() || addr.IsLoopback() || loopback && !lo || in.taken(packet.IDOf(addr)) {
				continue
			}
			if !best.IsValid() || lo && !loopback || best.Less(addr) {
				best, loopback = addr, lo
			}
		}
	}
	return packet.IDOf(best)
}

// taken reports whether another process of the VRF has a router ID.
func (in *instance) taken(id packet.ID) bool {
	return slices.ContainsFunc(in.core.order, func(o *instance) bool { return o != in && o.key.VRF == in.key.VRF && o.id == id })
}

// areaFor returns an area, which is made if it is not there.
func (in *instance) areaFor(id packet.ID) *area {
	if a := in.areas[id]; a != nil {
		return a
	}
	a := &area{instance: in, id: id, cfg: in.areaConfig(id)}
	a.scope = in.newScope(lsdb.ScopeArea, a, nil)
	in.areas[id] = a
	in.reduction.changed = true
	at, _ := slices.BinarySearchFunc(in.order, id, func(a *area, id packet.ID) int { return cmp.Compare(a.id, id) })
	in.order = slices.Insert(in.order, at, a)
	return a
}

// dropArea forgets an area that has no interfaces any more, and its database.
func (in *instance) dropArea(now clock.Instant, a *area) {
	for lsa := range a.scope.db.All(now) {
		in.routesChanged(now, a.scope, lsdb.Change{Kind: lsdb.Removed, LSA: lsa, Part: lsdb.PartTree})
	}
	in.core.timers.Clear(timerKey{kind: timerScope, scope: a.scope})
	in.routes.forgetScope(a.scope)
	delete(in.areas, a.id)
	in.reduction.changed = true
	in.order = slices.DeleteFunc(in.order, func(o *area) bool { return o == a })
}

// external reports whether LSAs of the whole AS are flooded in the area (RFC 2328 section
// 3.6, RFC 3101 section 2.2).
func (a *area) external() bool { return a.cfg.Kind == AreaNormal }

// lsaOptions are what own LSAs of the area say: those of its Hellos, and that LSAs that do not
// age are taken (RFC 1793 section 2.1).
func (a *area) lsaOptions() packet.Options { return a.options() | packet.OptionDC }

// options are what Hellos of the area say (RFC 2328 section 12.1.2, RFC 3101
// section 2.1).
func (a *area) options() packet.Options {
	switch a.cfg.Kind {
	case AreaNSSA:
		return packet.OptionNP
	case AreaStub:
		return 0
	}
	return packet.OptionE
}

func (in *instance) identity() Identity {
	return Identity{Key: in.key, RouterID: in.id, Dotted: in.cfg.Dotted}
}
