package core

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// iface is an interface that an instance runs on, or a virtual link (RFC 2328 section 9).
type iface struct {
	instance  *instance
	area      *area
	name      string
	link      rib.Interface
	cfg       InterfaceConfig // normal
	byNetwork bool            // attached by a `network` line
	passive   bool
	virtual   *virtual // of a virtual link, else nil

	typ      fsm.NetworkType
	state    fsm.InterfaceState
	addr     netip.Prefix // primary address; of an unnumbered one the whole length
	cost     uint16
	dr, bdr  netip.Addr // zero: none
	drID     packet.ID  // router IDs of these
	bdrID    packet.ID
	scope    *scope // LSAs of the link (type 9)
	auth     *authenticator
	static   map[netip.Addr]*StaticNeighbor // `neighbor`, and those that NHRP offers
	waitTill clock.Instant

	neighbors []*neighbor // by address
	byAddr    map[netip.Addr]*neighbor
	box       *outbox // LSAs for the group
	acks      []packet.LSAHeader
	acking    bool // timerAck runs

	counters Counters
	mismatch mismatch
}

// virtual is what a virtual link is (RFC 2328 section 15).
type virtual struct {
	transit packet.ID // area that it leads through
	router  packet.ID // at the other end
	number  int       // of its name
	remote  netip.Addr
}

// attachment is how an interface belongs to an instance.
type attachment struct {
	area      packet.ID
	byNetwork bool
}

// primary returns the address that packets of an interface come from.
func primary(link rib.Interface) netip.Prefix {
	for _, a := range link.Addresses {
		if a.Prefix.Addr().Is4() && !a.Secondary {
			return a.Prefix
		}
	}
	return netip.Prefix{}
}

// attaches reports whether and where OSPF runs on an interface, by configuration. `ip ospf
// PROCESS area A` goes before `network` lines, and of several processes whose lines match
// the first has the interface.
func (in *instance) attaches(link rib.Interface) (at attachment, ok bool) {
	if !in.on || link.VRF != in.key.VRF || link.Type == rib.TypeVRF {
		return at, false
	}
	if ic := in.core.ifaceConfig(link.Name); ic.HasArea {
		return attachment{area: ic.Area}, ic.Process == in.key.Process
	}
	for _, o := range in.core.order {
		if area, matches := o.network(link); matches && o.on && o.key.VRF == link.VRF {
			return attachment{area, true}, o == in
		}
	}
	return at, false
}

// network returns the area of the first `network` line that matches.
func (in *instance) network(link rib.Interface) (area packet.ID, ok bool) {
	p := primary(link)
	for _, w := range in.cfg.Networks {
		if p.IsValid() && w.Addresses.Match(p.Addr()) {
			return w.Area, true
		}
	}
	return 0, false
}

// isPassive reports whether no packets go by an interface.
func (in *instance) isPassive(name string) bool {
	return in.cfg.PassiveDefault != slices.Contains(in.cfg.Passive, name)
}

// reconcile brings the instance in line with an interface as it is and as it is
// configured. What cannot change while it runs makes it begin anew.
func (in *instance) reconcile(now clock.Instant, name string) {
	link, known := in.core.links.Get(name)
	i := in.byName[name]
	at, runs := attachment{}, false
	if known {
		at, runs = in.attaches(link)
	}
	if !runs {
		if i != nil {
			in.removeIface(now, i)
		}
		return
	}
	ic := in.core.ifaceConfig(name)
	if ic.Type = cmp.Or(ic.Type, networkType(link.Type)); link.Type == rib.TypeLoopback {
		ic.Type = fsm.PointToPoint
	}
	ic = ic.normal(in, in.areaConfig(at.area))
	addr, passive := primary(link), in.isPassive(name)
	if i != nil && (i.area.id != at.area || i.typ != ic.Type || i.addr != addr || i.passive != passive ||
		i.cfg.NoBroadcast != ic.NoBroadcast || i.cfg.Spoke != ic.Spoke) {
		in.removeIface(now, i)
		i = nil
	}
	if i == nil {
		i = newIface(in, in.areaFor(at.area), name)
		i.typ, i.addr, i.passive = ic.Type, addr, passive
		in.enter(i)
	}
	old := *i
	i.link, i.byNetwork = link, at.byNetwork
	i.adopt(now, ic)
	in.countAddresses()
	i.reconcileNeighbors(now)
	i.upOrDown(now)
	if !old.link.Equal(link) || !reflect.DeepEqual(old.cfg, i.cfg) || old.cost != i.cost {
		in.routesInterface(now, i)
	}
}

// adopt takes a configuration over.
func (i *iface) adopt(now clock.Instant, ic InterfaceConfig) {
	old := i.cfg
	i.cfg = ic
	if i.virtual == nil {
		i.cost = i.instance.costOf(i.link, ic)
	}
	if i.auth == nil || !i.auth.same(ic, i.instance.core.policy) {
		i.auth = newAuthenticator(ic, i.instance.core.policy)
	}
	if i.state < fsm.InterfaceWaiting || i.passive {
		return
	}
	if ic.Hello != old.Hello {
		i.helloDue(now)
	}
	if *ic.Priority != *old.Priority {
		i.event(now, fsm.NeighborChange)
	}
}

// costOf is the cost of an interface: what is configured, or else that of its bandwidth
// (RFC 2328 appendix C.3 leaves it open; this is IOS's).
func (in *instance) costOf(link rib.Interface, ic InterfaceConfig) uint16 {
	switch {
	case ic.Cost != 0:
		return ic.Cost
	case link.Type == rib.TypeLoopback || link.Bandwidth == 0:
		return 1
	}
	return uint16(min(max(uint64(in.cfg.Reference)*1000/link.Bandwidth, 1), 65535))
}

// upOrDown follows the line protocol.
func (i *iface) upOrDown(now clock.Instant) {
	up := i.link.Up && i.addr.IsValid() && !i.cfg.Shutdown
	switch {
	case up && i.state == fsm.InterfaceIsDown && i.link.Type == rib.TypeLoopback:
		i.event(now, fsm.LoopInd)
	case up && i.state == fsm.InterfaceIsDown:
		i.instance.core.listen(i.name) // before the first Hello, which would have no socket
		i.instance.expectNeighbors(now, i)
		i.event(now, fsm.InterfaceUp)
	case !up && i.state != fsm.InterfaceIsDown:
		i.event(now, fsm.InterfaceDown)
	}
}

func newIface(in *instance, a *area, name string) *iface {
	i := &iface{instance: in, area: a, name: name, byAddr: make(map[netip.Addr]*neighbor)}
	i.scope, i.box = in.newScope(lsdb.ScopeLink, a, i), &outbox{iface: i}
	return i
}

// enter makes an interface one of the instance and its area.
func (in *instance) enter(i *iface) {
	in.byName[i.name] = i
	in.ifaces = insertIface(in.ifaces, i)
	i.area.ifaces = insertIface(i.area.ifaces, i)
}

func insertIface(all []*iface, i *iface) []*iface {
	at, _ := slices.BinarySearchFunc(all, i, func(a, b *iface) int {
		return cmp.Or(cmp.Compare(a.number(), b.number()), cmp.Compare(a.name, b.name))
	})
	return slices.Insert(all, at, i)
}

// number sorts virtual links behind all else.
func (i *iface) number() int {
	if i.virtual == nil {
		return -1
	}
	return i.virtual.number
}

// removeIface ends OSPF on an interface, and the area if it was the last one.
func (in *instance) removeIface(now clock.Instant, i *iface) {
	i.event(now, fsm.InterfaceDown)
	for _, n := range slices.Clone(i.neighbors) { // configured ones, which are down
		i.forget(n)
	}
	delete(in.byName, i.name)
	gone := func(o *iface) bool { return o == i }
	in.ifaces = slices.DeleteFunc(in.ifaces, gone)
	i.area.ifaces = slices.DeleteFunc(i.area.ifaces, gone)
	in.core.timers.Clear(timerKey{kind: timerScope, scope: i.scope})
	in.routesInterface(now, i)
	if len(i.area.ifaces) == 0 {
		in.dropArea(now, i.area)
	}
	in.countAddresses()
}

// countAddresses tells the databases which addresses this router has (RFC 2328 section
// 13.4).
func (in *instance) countAddresses() {
	var all []packet.ID
	for _, i := range in.ifaces {
		if i.virtual == nil && i.addr.IsValid() {
			all = append(all, packet.IDOf(i.addr.Addr()))
		}
	}
	for _, a := range in.order {
		a.scope.db.SetAddresses(all)
	}
}

// speaks reports whether packets are sent and taken on the interface.
func (i *iface) speaks() bool { return i.state >= fsm.InterfaceWaiting && !i.passive }

// multicasts reports whether Hellos go to AllSPFRouters.
func (i *iface) multicasts() bool {
	return i.typ == fsm.Broadcast || i.typ == fsm.PointToPoint || i.typ == fsm.PointToMultipoint && !i.cfg.NoBroadcast
}

// byRouter reports whether neighbours are told apart by router ID, and not by address (RFC
// 2328 section 8.2).
func (i *iface) byRouter() bool { return i.typ == fsm.PointToPoint || i.typ == fsm.VirtualLink }

// mtu is the largest IP packet that goes by the interface.
func (i *iface) mtu() int {
	if i.link.MTU < 576 || i.virtual != nil {
		return 576
	}
	return i.link.MTU
}

// setState changes the state of the interface.
func (i *iface) setState(now clock.Instant, s fsm.InterfaceState) {
	if i.state == s {
		return
	}
	old := i.state
	i.state = s
	in := i.instance
	if in.core.tracing.Adjacency {
		in.trace(Trace{Event: TraceInterface, Interface: i.name, Text: "from " + old.String() + " to " + s.String()})
	}
	in.core.listen(i.name)
	in.routesInterface(now, i)
}

// event is what happens to the interface (RFC 2328 section 9.3).
func (i *iface) event(now clock.Instant, e fsm.InterfaceEvent) {
	next, do, ok := fsm.NextInterface(i.state, e, i.typ, *i.cfg.Priority > 0)
	if !ok {
		return
	}
	i.setState(now, next)
	if do&fsm.Reset != 0 {
		i.reset(now)
	}
	if do&fsm.StartHello != 0 && !i.passive {
		i.announceAgain(now, i.neighbors...)
		i.firstHello(now)
	}
	if do&fsm.StartWait != 0 {
		i.waitTill = now.Add(i.cfg.Dead)
		i.instance.core.timers.Set(timerKey{kind: timerWait, iface: i}, i.waitTill)
	}
	if do&fsm.StartHello != 0 {
		i.startNeighbors(now, do&fsm.StartNeighbors == 0)
	}
	if do&fsm.RunElection != 0 {
		i.elect(now)
	}
}

// reset forgets all that the interface learned.
func (i *iface) reset(now clock.Instant) {
	c := i.instance.core
	for _, n := range slices.Clone(i.neighbors) {
		n.event(now, fsm.KillNbr, "Neighbor Down: Interface down or detached")
	}
	for _, k := range [...]timerKind{timerHello, timerWait, timerAck} {
		c.timers.Clear(timerKey{kind: k, iface: i})
	}
	c.timers.Clear(timerKey{kind: timerFlood, box: i.box})
	i.box = &outbox{iface: i}
	i.dr, i.bdr, i.drID, i.bdrID = netip.Addr{}, netip.Addr{}, 0, 0
	i.acks, i.acking = nil, false
}

// elect calculates the designated router (RFC 2328 section 9.4).
func (i *iface) elect(now clock.Instant) {
	in := i.instance
	self := fsm.Router{ID: in.id, Address: packet.IDOf(i.addr.Addr()), Priority: *i.cfg.Priority,
		Designated: packet.IDOf(i.dr), Backup: packet.IDOf(i.bdr)}
	var others []fsm.Router
	for _, n := range i.neighbors {
		if n.state >= fsm.NeighborTwoWay {
			others = append(others, n.router())
		}
	}
	e := fsm.Elect(self, others)
	i.dr, i.drID = i.routerAt(e.Designated)
	i.bdr, i.bdrID = i.routerAt(e.Backup)
	in.core.timers.Clear(timerKey{kind: timerWait, iface: i})
	i.setState(now, e.State)
	if !e.Changed {
		return
	}
	in.routesInterface(now, i)
	if e.Promoted && i.typ == fsm.NonBroadcast {
		i.startNeighbors(now, true)
	}
	i.adjust(now)
}

// adjust has all neighbours looked at anew for who is to be adjacent (section 9.4 step 7).
func (i *iface) adjust(now clock.Instant) {
	for _, n := range slices.Clone(i.neighbors) {
		if n.state >= fsm.NeighborTwoWay {
			n.event(now, fsm.AdjOK, "AdjOK?")
		}
	}
}

// routerAt returns the address and router ID of a router on the network.
func (i *iface) routerAt(id packet.ID) (addr netip.Addr, router packet.ID) {
	if id == 0 {
		return netip.Addr{}, 0
	}
	addr = id.Addr()
	if addr == i.addr.Addr() {
		return addr, i.instance.id
	}
	if n := i.byAddr[addr]; n != nil {
		router = n.id
	}
	return addr, router
}

// admits reports whether the neighbor-filter lets packets of a router in.
func (i *iface) admits(a netip.Addr) bool {
	list := i.cfg.NeighborFilter(i.addr.Addr())
	if list == "" {
		return true
	}
	permit, _ := i.instance.core.policy.PrefixList(list).MatchAddr(a)
	return permit
}

// reaches reports whether an address can be that of a router on the interface.
func (i *iface) reaches(a netip.Addr) bool {
	if !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return false
	}
	if i.byRouter() || i.anySource() {
		return true
	}
	for _, x := range i.link.Addresses {
		if x.Peer.Contains(a) || x.Prefix.Contains(a) && !x.Prefix.IsSingleIP() {
			return true
		}
	}
	return false
}

// anySource reports whether any sender that comes by the interface is on it: it is a tunnel
// or a point-to-point link that has no subnet, but unnumbered or host addresses.
func (i *iface) anySource() bool {
	return (i.link.Type == rib.TypeTunnel || i.link.Type == rib.TypePointToPoint) && i.addr.IsSingleIP()
}
