package rib

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// watch is a WatchNextHop, WatchRedistribute or WatchNetwork of an owner.
type watch struct {
	owner  *owner
	what   rib.Watch
	listed bool // in Core.touchedWatches

	// Of a WatchNextHop:
	gw   *gateway
	last rib.NextHopChanged
}

// redistKey selects the routes of a WatchRedistribute.
type redistKey struct {
	vrf      string
	family   rib.Family
	protocol rib.Protocol
	instance uint32
}

func (w *watch) redistKey() redistKey {
	return redistKey{w.what.VRF, w.what.Family, w.what.Protocol, instance(w.what.Protocol, w.what.Instance)}
}

// network is what a WatchNetwork is about.
type network struct {
	vrf    string
	prefix netip.Prefix
}

func (n *node) network() network { return network{n.table.name, n.prefix} }

// classE are the addresses that no station has (RFC 1112 section 4). Those that are in use
// are aliases of peers (rib.Policy), which mean something on this machine only.
var classE = netip.PrefixFrom(netip.AddrFrom4([4]byte{240}), 4)

// redistKey returns the key by which a route is redistributed: that of no watch, if it
// is to stay on this machine.
func (cand *candidate) redistKey() redistKey {
	r := &cand.route
	if classE.Contains(r.Prefix.Addr()) {
		return redistKey{}
	}
	return redistKey{r.VRF, rib.FamilyOf(r.Prefix.Addr()), r.Protocol, instance(r.Protocol, r.Instance)}
}

// instance returns the instance by which routes are redistributed. That of a
// static route only tells routes of one prefix apart: see doc.go, "Keys".
func instance(p rib.Protocol, n uint32) uint32 {
	if p == rib.Static {
		return 0
	}
	return n
}

func (o *owner) sortedWatches() []rib.Watch {
	out := make([]rib.Watch, 0, len(o.watches))
	for w := range o.watches {
		out = append(out, w)
	}
	slices.SortFunc(out, compareWatch)
	return out
}

func compareWatch(a, b rib.Watch) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind),
		strings.Compare(a.VRF, b.VRF),
		a.Addr.Compare(b.Addr),
		cmp.Compare(a.Family, b.Family),
		cmp.Compare(a.Protocol, b.Protocol),
		cmp.Compare(a.Instance, b.Instance),
		a.Prefix.Compare(b.Prefix),
	)
}

func (c *Core) watchAdd(name string, what rib.Watch) {
	if what.Kind == rib.WatchNextHop && !what.Addr.IsValid() {
		return
	}
	if what.Kind != rib.WatchNextHop && what.Kind != rib.WatchRedistribute && what.Kind != rib.WatchNetwork {
		return
	}
	o := c.owner(name)
	o.lost = false
	w := o.watches[what]
	if w == nil {
		w = &watch{owner: o, what: what}
		o.watches[what] = w
		c.link(w)
	}
	switch what.Kind {
	case rib.WatchNextHop:
		c.tellWatch(w, true)
	case rib.WatchNetwork:
		c.tellNetwork(w)
	default:
		c.tellAll(w)
	}
}

// link enters a watch where changes will find it.
func (c *Core) link(w *watch) {
	if w.what.Kind == rib.WatchNextHop {
		w.gw = c.table(w.what.VRF).gateway(w.what.Addr)
		w.gw.watches = append(w.gw.watches, w)
		return
	}
	if w.what.Kind == rib.WatchNetwork {
		enter(c.networks, network{w.what.VRF, w.what.Prefix}, w)
		return
	}
	enter(c.redist, w.redistKey(), w)
}

// enter adds a watch to those of a key, which are in order of their owners.
func enter[K comparable](all map[K][]*watch, k K, w *watch) {
	i, _ := slices.BinarySearchFunc(all[k], w, func(a, b *watch) int {
		return strings.Compare(a.owner.name, b.owner.name)
	})
	all[k] = slices.Insert(all[k], i, w)
}

// leave takes a watch from those of a key.
func leave[K comparable](all map[K][]*watch, k K, w *watch) {
	all[k] = slices.DeleteFunc(all[k], func(x *watch) bool { return x == w })
	if len(all[k]) == 0 {
		delete(all, k)
	}
}

func (c *Core) watchDel(name string, what rib.Watch) {
	o := c.owners[name]
	if o == nil || o.watches[what] == nil {
		return
	}
	w := o.watches[what]
	delete(o.watches, what)
	switch {
	case w.gw != nil:
		w.gw.watches = slices.DeleteFunc(w.gw.watches, func(x *watch) bool { return x == w })
		c.dropGateway(w.gw)
	case what.Kind == rib.WatchNetwork:
		leave(c.networks, network{what.VRF, what.Prefix}, w)
	default:
		leave(c.redist, w.redistKey(), w)
	}
	c.dropOwner(o)
}

func (c *Core) listWatch(w *watch) {
	if !w.listed {
		w.listed = true
		c.touchedWatches = append(c.touchedWatches, w)
	}
}

// tellWatch answers a WatchNextHop if the answer is new, or in any case.
func (c *Core) tellWatch(w *watch, always bool) {
	answer := c.track(w)
	l := w.last
	if !always && l.Prefix == answer.Prefix && l.Protocol == answer.Protocol && l.Distance == answer.Distance &&
		l.Metric == answer.Metric && slices.Equal(l.NextHops, answer.NextHops) {
		return
	}
	w.last = answer
	c.emit(ToOwner{w.owner.name, answer})
}

// track tells how the address of a watch is reached. Overrides do not show:
// they are forwarding, and this is routing.
func (c *Core) track(w *watch) rib.NextHopChanged {
	answer := rib.NextHopChanged{Watch: w.what}
	p := w.gw.parent
	if p == nil || p.routed() == nil {
		return answer
	}
	r := p.best.route
	answer.Prefix, answer.Protocol, answer.Distance, answer.Metric = p.prefix, r.Protocol, r.Distance, r.Metric
	nh := rib.NextHop{Addr: w.what.Addr}
	if c.ownAddress(p.best, nh.Addr) {
		nh.Addr = netip.Addr{}
	}
	answer.NextHops = c.through(p, nh, w.what.VRF)
	return answer
}

// tellAll gives a WatchRedistribute the whole picture.
func (c *Core) tellAll(w *watch) {
	if t := c.tables[w.what.VRF]; t != nil {
		for _, n := range t.sorted(w.what.Family) {
			if n.told != nil && n.told.redistKey() == w.redistKey() {
				c.emit(ToOwner{w.owner.name, rib.RouteChanged{Watch: w.what, Route: n.told.route}})
			}
		}
	}
	c.emit(ToOwner{w.owner.name, rib.RoutesKnown{Watch: w.what}})
}

// tellNetwork gives a WatchNetwork the whole picture.
func (c *Core) tellNetwork(w *watch) {
	if t := c.tables[w.what.VRF]; t != nil {
		if n, ok := t.nodes.Get(w.what.Prefix); ok && n.told != nil {
			c.emit(ToOwner{w.owner.name, rib.RouteChanged{Watch: w.what, Route: n.told.route}})
		}
	}
	c.emit(ToOwner{w.owner.name, rib.RoutesKnown{Watch: w.what}})
}

// tellRedistribution tells watches of a change of the selected route of n.
func (c *Core) tellRedistribution(n *node) {
	was, is := n.told, n.best
	if was == is {
		return
	}
	c.countFIB(n, func() {
		if was != nil {
			n.table.count(rib.FamilyOf(n.prefix.Addr()), was.route.Protocol).Selected--
		}
		n.told = is
		if is != nil {
			n.table.count(rib.FamilyOf(n.prefix.Addr()), is.route.Protocol).Selected++
		}
	})
	c.traceSelection(n)
	if was != nil && is != nil && was.route.Equal(is.route) {
		return
	}
	for _, w := range c.networks[n.network()] {
		if is != nil {
			c.emit(ToOwner{w.owner.name, rib.RouteChanged{Watch: w.what, Route: is.route}})
		} else {
			c.emit(ToOwner{w.owner.name, rib.RouteChanged{Watch: w.what, Route: was.route, Withdrawn: true}})
		}
	}
	if was != nil && (is == nil || was.redistKey() != is.redistKey()) {
		for _, w := range c.redist[was.redistKey()] {
			c.emit(ToOwner{w.owner.name, rib.RouteChanged{Watch: w.what, Route: was.route, Withdrawn: true}})
		}
	}
	if is != nil {
		for _, w := range c.redist[is.redistKey()] {
			c.emit(ToOwner{w.owner.name, rib.RouteChanged{Watch: w.what, Route: is.route}})
		}
	}
}

func (c *Core) traceSelection(n *node) {
	if !c.opts.Trace {
		return
	}
	e := Trace{Event: TraceUnselected, VRF: n.table.name, Prefix: n.prefix}
	if n.best != nil {
		e.Event, e.Owner, e.Text = TraceSelected, n.best.owner.name, n.best.route.Protocol.String()
	}
	c.trace(e)
}
