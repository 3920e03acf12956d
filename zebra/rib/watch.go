package rib

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// watch is a WatchNextHop or WatchRedistribute of an owner.
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
	)
}

func (c *Core) watchAdd(name string, what rib.Watch) {
	if what.Kind == rib.WatchNextHop && !what.Addr.IsValid() {
		return
	}
	if what.Kind != rib.WatchNextHop && what.Kind != rib.WatchRedistribute {
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
	if what.Kind == rib.WatchNextHop {
		c.tellWatch(w, true)
		return
	}
	c.tellAll(w)
}

// link enters a watch where changes will find it.
func (c *Core) link(w *watch) {
	if w.what.Kind == rib.WatchNextHop {
		w.gw = c.table(w.what.VRF).gateway(w.what.Addr)
		w.gw.watches = append(w.gw.watches, w)
		return
	}
	k := w.redistKey()
	i, _ := slices.BinarySearchFunc(c.redist[k], w, func(a, b *watch) int {
		return strings.Compare(a.owner.name, b.owner.name)
	})
	c.redist[k] = slices.Insert(c.redist[k], i, w)
}

func (c *Core) watchDel(name string, what rib.Watch) {
	o := c.owners[name]
	if o == nil || o.watches[what] == nil {
		return
	}
	w := o.watches[what]
	delete(o.watches, what)
	same := func(x *watch) bool { return x == w }
	if w.gw != nil {
		w.gw.watches = slices.DeleteFunc(w.gw.watches, same)
		c.dropGateway(w.gw)
	} else {
		k := w.redistKey()
		c.redist[k] = slices.DeleteFunc(c.redist[k], same)
		if len(c.redist[k]) == 0 {
			delete(c.redist, k)
		}
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
