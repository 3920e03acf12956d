package rib

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// owner is a daemon or a built-in owner.
type owner struct {
	name    string
	objects []holder
	life    uint32 // counts the times that it was lost; objects of an earlier life are stale
	stale   int
	lost    bool // and not heard of since
	watches map[rib.Watch]*watch
	acks
}

// held is the owner's side of an object.
type held struct {
	owner  *owner
	life   uint32
	pos    int32 // in owner.objects
	failed bool  // and the owner was told
}

func (h *held) base() *held { return h }

// holder is a *candidate or a *claim.
type holder interface {
	base() *held
	// remove takes the object out of the table or neighbour that it is in.
	remove(c *Core, now clock.Instant)
}

func (h *held) isStale() bool { return h.life != h.owner.life }

// report tells the owner that an object failed, or that it is in force after
// it had failed.
func (h *held) report(key rib.Key, err string) {
	if err != "" || h.failed {
		h.owner.fail(key, err)
	}
	h.failed = err != ""
}

func (c *Core) owner(name string) *owner {
	o := c.owners[name]
	if o == nil {
		o = &owner{name: name, watches: map[rib.Watch]*watch{}}
		c.owners[name] = o
	}
	return o
}

// dropOwner forgets an owner that has nothing and waits for nothing.
func (c *Core) dropOwner(o *owner) {
	if len(o.objects) == 0 && len(o.watches) == 0 && o.acks.idle() {
		c.hold.Clear(o.name)
		delete(c.owners, o.name)
	}
}

// own enters an object as a fresh one of o.
func (o *owner) own(h holder) {
	b := h.base()
	b.owner, b.life, b.pos = o, o.life, int32(len(o.objects))
	o.objects = append(o.objects, h)
}

// disown removes an object from o.
func (o *owner) disown(h holder) {
	b := h.base()
	if b.isStale() {
		o.stale--
	}
	last := len(o.objects) - 1
	o.objects[b.pos] = o.objects[last]
	o.objects[b.pos].base().pos = b.pos
	o.objects[last] = nil
	o.objects = o.objects[:last]
}

// refresh marks an object as repeated in the present life.
func (h *held) refresh() {
	if h.isStale() {
		h.owner.stale--
		h.life = h.owner.life
	}
}

func (c *Core) put(now clock.Instant, in Put) {
	o := c.owner(in.Owner)
	o.lost = false
	key := in.Object.Key()
	if err := validate(in.Object); err != nil {
		o.fail(key, err.Error())
		c.trace(Trace{Event: TraceRefused, Owner: o.name, VRF: key.VRF, Prefix: key.Prefix, Text: err.Error()})
		o.decided(in.Seq, c.remove(now, o, key))
		return
	}
	var f *fibEntry
	switch obj := in.Object.(type) {
	case rib.Route:
		f = c.putRoute(now, o, obj, false)
	case rib.Override:
		f = c.putRoute(now, o, routeOf(obj), true)
	case rib.Neighbor, rib.MulticastPeer, rib.LineProtocol, rib.Shaper, rib.SA, rib.Policy:
		f = c.putNeighbor(now, o, obj)
	}
	o.decided(in.Seq, f)
}

func (c *Core) delete(now clock.Instant, in Delete) {
	o := c.owner(in.Owner)
	o.lost = false
	o.decided(in.Seq, c.remove(now, o, in.Key))
	c.dropOwner(o)
}

// remove removes the object under key, if there is one, and returns the FIB
// entry that it concerns.
func (c *Core) remove(now clock.Instant, o *owner, key rib.Key) *fibEntry {
	h, entry := c.find(o, key)
	if h == nil {
		return entry()
	}
	o.disown(h)
	h.remove(c, now)
	c.settle(now)
	return entry()
}

// find returns the object of o under key, and how to get at its FIB entry.
func (c *Core) find(o *owner, key rib.Key) (holder, func() *fibEntry) {
	if isNeighbor(key) {
		nb := c.neighbors[key]
		if nb == nil {
			return nil, func() *fibEntry { return nil }
		}
		entry := func() *fibEntry { return &nb.fib }
		if cl := nb.claim(o); cl != nil {
			return cl, entry
		}
		return nil, entry
	}
	t := c.tables[key.VRF]
	if t == nil {
		return nil, func() *fibEntry { return nil }
	}
	n, ok := t.nodes.Get(key.Prefix)
	if !ok {
		return nil, func() *fibEntry { return nil }
	}
	entry := func() *fibEntry { return n.fib }
	if cand := n.candidate(o, key, ""); cand != nil {
		return cand, entry
	}
	return nil, entry
}

// candidate returns the candidate of o under key that derives from origin.
func (n *node) candidate(o *owner, key rib.Key, origin string) *candidate {
	list := n.routes
	if key.Kind == rib.KindOverride {
		list = n.overrides
	}
	for _, cand := range list {
		if cand.owner == o && cand.origin == origin &&
			(cand.override || cand.route.Protocol == key.Protocol && cand.route.Instance == key.Instance) {
			return cand
		}
	}
	return nil
}

// overrideMetric is the metric of an override that stands in for a route, as IOS
// shows it: [250/255].
const overrideMetric = 255

// routeOf returns the route that an override may become.
func routeOf(o rib.Override) rib.Route {
	return rib.Route{
		VRF: o.VRF, Prefix: o.Prefix, Protocol: o.Protocol, Distance: o.Distance, Metric: overrideMetric, NextHops: []rib.NextHop{o.NextHop},
	}
}

func (cand *candidate) asOverride() rib.Override {
	r := cand.route
	return rib.Override{VRF: r.VRF, Prefix: r.Prefix, Protocol: r.Protocol, Distance: r.Distance, NextHop: r.NextHops[0]}
}

// key returns the key of the object that cand was put as.
func (cand *candidate) key() rib.Key {
	if cand.override {
		return cand.asOverride().Key()
	}
	return cand.route.Key()
}

// putRoute enters a route or override and returns the FIB entry of its prefix.
func (c *Core) putRoute(now clock.Instant, o *owner, r rib.Route, override bool) *fibEntry {
	t := c.table(r.VRF)
	n := t.node(r.Prefix)
	key := r.Key()
	if override {
		key = rib.Key{Kind: rib.KindOverride, VRF: r.VRF, Prefix: r.Prefix}
	}
	old := n.candidate(o, key, "")
	if old != nil && old.route.Equal(r) {
		old.refresh()
		if n.fib.state() == FIBFailed && (old == n.best || old == n.over) {
			o.fail(old.key(), n.fib.err)
		}
		return n.fib
	}
	c.enter(now, n, o, &candidate{route: r, override: override}, old)
	c.settle(now)
	return n.fib
}

// enter places a new candidate in n, instead of old unless that is nil, and
// queues n.
func (c *Core) enter(now clock.Instant, n *node, o *owner, cand, old *candidate) {
	cand.node, cand.since = n, now
	cand.route.VRF, cand.route.Prefix = n.table.name, n.prefix // one copy of the name
	c.depend(cand)
	if old != nil {
		o.disown(old)
		old.unlink(c)
	}
	o.own(cand)
	if cand.override {
		n.overrides = insertSorted(n.overrides, cand)
	} else {
		n.routes = insertSorted(n.routes, cand)
		n.table.count(rib.FamilyOf(n.prefix.Addr()), cand.route.Protocol).Routes++
	}
	c.enqueue(n)
}

func insertSorted(list []*candidate, cand *candidate) []*candidate {
	i, _ := slices.BinarySearchFunc(list, cand, compare)
	return slices.Insert(list, i, cand)
}

// unlink takes cand out of its node and the dependency index.
func (cand *candidate) unlink(c *Core) {
	n := cand.node
	c.undepend(cand)
	if cand.override {
		n.overrides = slices.DeleteFunc(n.overrides, func(o *candidate) bool { return o == cand })
		return
	}
	n.routes = slices.DeleteFunc(n.routes, func(o *candidate) bool { return o == cand })
	n.table.count(rib.FamilyOf(n.prefix.Addr()), cand.route.Protocol).Routes--
}

// remove implements holder.
func (cand *candidate) remove(c *Core, _ clock.Instant) {
	cand.unlink(c)
	c.enqueue(cand.node)
}

func (c *Core) ownerLost(now clock.Instant, in OwnerLost) {
	o := c.owners[in.Owner]
	if o == nil {
		return
	}
	for _, w := range o.sortedWatches() {
		c.watchDel(o.name, w)
	}
	before := o.stale
	o.lost, o.acks = true, acks{}
	o.life++
	o.stale = len(o.objects)
	c.trace(Trace{Event: TraceStale, Owner: o.name, Text: fmt.Sprintf("%d objects", o.stale)})
	if in.Limit <= 0 {
		c.sweep(now, o)
		return
	}
	// A daemon that crashes again before its replay is complete gains no time.
	if before == 0 && o.stale > 0 {
		c.hold.Set(o.name, now.Add(in.Limit))
	}
	c.dropOwner(o)
}

func (c *Core) endOfReplay(now clock.Instant, name string) {
	if o := c.owners[name]; o != nil {
		o.lost = false
		c.sweep(now, o)
	}
}

// sweep removes the stale objects of o.
func (c *Core) sweep(now clock.Instant, o *owner) {
	if o == nil {
		return
	}
	c.hold.Clear(o.name)
	if swept := o.stale; swept > 0 {
		for i := len(o.objects) - 1; i >= 0; i-- {
			if h := o.objects[i]; h.base().isStale() {
				o.disown(h)
				h.remove(c, now)
			}
		}
		c.settle(now)
		c.trace(Trace{Event: TraceSwept, Owner: o.name, Text: fmt.Sprintf("%d objects", swept)})
	}
	c.dropOwner(o)
}

// validate tells what is wrong with an object.
func validate(obj rib.Object) error {
	switch obj := obj.(type) {
	case rib.Route:
		if len(obj.NextHops) == 0 || len(obj.NextHops) > MaxNextHops {
			return fmt.Errorf("%d next hops, not 1 to %d", len(obj.NextHops), MaxNextHops)
		}
		return validateRoute(obj)
	case rib.Override:
		return validateRoute(routeOf(obj))
	case rib.Neighbor:
		if obj.Interface == "" || !obj.Addr.IsValid() || !obj.NBMA.IsValid() {
			return errors.New("a neighbour needs an interface and both addresses")
		}
		return nil
	case rib.MulticastPeer:
		if obj.Interface == "" || !obj.NBMA.IsValid() {
			return errors.New("a multicast peer needs an interface and an address")
		}
		return nil
	case rib.LineProtocol:
		if obj.Interface == "" {
			return errors.New("a line protocol needs an interface")
		}
		return nil
	case rib.Shaper:
		if obj.Interface == "" || !obj.NBMA.IsValid() || obj.Rate == 0 {
			return errors.New("a shaper needs an interface, an address and a rate")
		}
		return nil
	case rib.SA:
		return obj.Check()
	case rib.Policy:
		return obj.CheckOne()
	}
	return fmt.Errorf("unknown kind of object %T", obj)
}

func validateRoute(r rib.Route) error {
	switch {
	case !r.Prefix.IsValid() || r.Prefix != r.Prefix.Masked() || r.Prefix.Addr().Is4In6():
		return fmt.Errorf("prefix %v is invalid or has host bits set", r.Prefix)
	case r.Protocol.Distance() == rib.MaxDistance:
		return fmt.Errorf("unknown protocol %v", r.Protocol)
	case isConnected(r.Protocol):
		return fmt.Errorf("%v routes follow from interfaces alone", r.Protocol)
	}
	for _, nh := range r.NextHops {
		if err := validateHop(nh, r.Prefix.Addr(), len(r.NextHops)); err != nil {
			return err
		}
	}
	return nil
}

func validateHop(nh rib.NextHop, dst netip.Addr, hops int) error {
	switch {
	case nh.Discard && (hops > 1 || nh.Interface != "" || nh.Addr.IsValid()):
		return errors.New("Null0 can only stand alone")
	case nh.Discard:
		return nil
	case !nh.Addr.IsValid() && nh.Interface == "":
		return errors.New("a next hop needs an address or an interface")
	case nh.VRF != "" && !nh.LeaveVRF:
		return errors.New("a next hop has a VRF that it does not use")
	case !nh.Addr.IsValid():
		return nil
	case nh.Addr.BitLen() != dst.BitLen() || nh.Addr.Is4In6() || nh.Addr.Zone() != "":
		return fmt.Errorf("next hop %v does not fit the prefix", nh.Addr)
	case nh.Addr.IsUnspecified() || nh.Addr.IsMulticast():
		return fmt.Errorf("%v cannot be a next hop", nh.Addr)
	case nh.Addr.Is6() && nh.Addr.IsLinkLocalUnicast() && nh.Interface == "":
		return fmt.Errorf("next hop %v needs an interface", nh.Addr)
	}
	return nil
}
