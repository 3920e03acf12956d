package rib

import (
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// The queries below answer from the present state. Answers are values that
// share nothing with the RIB except slices of next hops, which nobody changes.

// VRFs returns the names of the VRFs about which anything is stated, sorted.
func (c *Core) VRFs() []string { return slices.Sorted(maps.Keys(c.tables)) }

// Routes yields the prefixes of a VRF and family in order. The RIB must not be
// stepped meanwhile; use Page to look at a large table piece by piece.
func (c *Core) Routes(vrf string, f rib.Family) iter.Seq[PrefixView] {
	return func(yield func(PrefixView) bool) {
		t := c.tables[vrf]
		if t == nil {
			return
		}
		for _, n := range t.sorted(f) {
			if n.shown() && !yield(c.view(n)) {
				return
			}
		}
	}
}

// Page returns up to limit prefixes of a VRF and family in order, beginning
// behind after; the zero Prefix begins at the start. more tells whether others
// follow. Prefixes that come or go between two pages do not disturb the order.
func (c *Core) Page(vrf string, f rib.Family, after netip.Prefix, limit int) (page []PrefixView, more bool) {
	t := c.tables[vrf]
	if t == nil {
		return nil, false
	}
	add := func(n *node) bool {
		if !n.shown() {
			return true
		}
		if len(page) == limit {
			more = true
			return false
		}
		page = append(page, c.view(n))
		return true
	}
	if after.IsValid() {
		t.sortedAfter(after.Masked())(add)
		return page, more
	}
	for _, n := range t.sorted(f) {
		if !add(n) {
			break
		}
	}
	return page, more
}

// Prefix returns what is known of exactly this prefix.
func (c *Core) Prefix(vrf string, p netip.Prefix) (PrefixView, bool) {
	if t := c.tables[vrf]; t != nil {
		if n, ok := t.nodes.Get(p); ok && n.shown() {
			return c.view(n), true
		}
	}
	return PrefixView{}, false
}

// Lookup returns the longest prefix with a selected route that covers a.
func (c *Core) Lookup(vrf string, a netip.Addr) (PrefixView, bool) {
	t := c.tables[vrf]
	if t == nil || !a.IsValid() {
		return PrefixView{}, false
	}
	for _, n := range t.nodes.Supernets(hostPrefix(a.Unmap())) {
		if n.best != nil {
			return c.view(n), true
		}
	}
	return PrefixView{}, false
}

// shown reports whether anybody states anything about n; if not, it only waits
// for the FIB to take it out.
func (n *node) shown() bool { return len(n.routes)+len(n.overrides) > 0 }

func (c *Core) view(n *node) PrefixView {
	v := PrefixView{VRF: n.table.name, Prefix: n.prefix, FIB: n.fib.state()}
	if n.fib != nil {
		v.Error = n.fib.err
		if n.fib.put {
			v.Forwarding = n.fib.hops
		}
	}
	v.Routes = make([]RouteView, 0, len(n.routes)+1)
	for _, cand := range n.routes {
		v.Routes = append(v.Routes, c.routeView(cand))
	}
	if n.best != nil && n.best.override {
		v.Routes = slices.Insert(v.Routes, 0, c.routeView(n.best))
	}
	if len(n.overrides) > 0 {
		v.Override = c.overrideView(n)
	}
	return v
}

func (c *Core) routeView(cand *candidate) RouteView {
	v := RouteView{
		Owner: cand.owner.name, Route: cand.route, IsOverride: cand.override,
		Selected: cand == cand.node.best, Stale: cand.isStale(), Since: cand.since, Resolved: cand.hops,
	}
	v.Reason, v.Why = cand.why()
	if v.Reason == Active && !v.Selected {
		v.Reason, v.Why = ReasonBetter, "better route: "+cand.node.best.describe()
	}
	for _, nh := range cand.route.NextHops {
		h := NextHopView{NextHop: nh, Reason: c.resolveHop(cand, nh).reason}
		h.Why = h.Reason.explain(nh)
		v.NextHops = append(v.NextHops, h)
	}
	return v
}

// why tells why cand does not resolve.
func (cand *candidate) why() (Reason, string) {
	var nh rib.NextHop
	if int(cand.which) < len(cand.route.NextHops) {
		nh = cand.route.NextHops[cand.which]
	}
	return cand.reason, cand.reason.explain(nh)
}

// describe names a route in the words of `show ip route`.
func (cand *candidate) describe() string {
	r := cand.route
	s := r.Protocol.String()
	if instance(r.Protocol, r.Instance) != 0 {
		s += " " + strconv.FormatUint(uint64(r.Instance), 10)
	}
	return s + " [" + strconv.Itoa(int(r.Distance)) + "/" + strconv.FormatUint(uint64(r.Metric), 10) + "]"
}

// overrideView shows the override in force, or else the first.
func (c *Core) overrideView(n *node) *OverrideView {
	cand := n.overrides[0]
	for _, o := range n.overrides {
		if o == n.over || o == n.best {
			cand = o
		}
	}
	v := &OverrideView{
		Owner: cand.owner.name, Override: cand.asOverride(), Stale: cand.isStale(), Since: cand.since,
		InForce: cand == n.over || cand == n.best,
	}
	v.Reason, v.Why = cand.why()
	if v.Reason == Active && !v.InForce {
		v.Reason, v.Why = ReasonConnected, ReasonConnected.String()
	}
	return v
}

// Watches returns what an owner watches: next hops and routes.
func (c *Core) Watches(owner string) []rib.Watch {
	if o := c.owners[owner]; o != nil {
		return o.sortedWatches()
	}
	return nil
}

// NextHopWatches returns the table of tracked next hops, by owner and watch.
func (c *Core) NextHopWatches() []NextHopWatchView {
	var out []NextHopWatchView
	for _, name := range slices.Sorted(maps.Keys(c.owners)) {
		o := c.owners[name]
		for _, what := range o.sortedWatches() {
			if w := o.watches[what]; w.gw != nil {
				out = append(out, NextHopWatchView{Owner: name, Last: w.last})
			}
		}
	}
	return out
}

// Neighbors returns the neighbours in force, by interface and address.
func (c *Core) Neighbors() []NeighborView {
	out := make([]NeighborView, 0, len(c.neighbors))
	for _, nb := range c.neighbors {
		if len(nb.claims) == 0 {
			continue
		}
		cl := nb.claims[0]
		value, ok := cl.value.(rib.Neighbor)
		if !ok {
			continue
		}
		out = append(out, NeighborView{
			Owner: cl.owner.name, Neighbor: value, Stale: cl.isStale(), Since: cl.since,
			FIB: nb.fib.state(), Error: nb.fib.err,
		})
	}
	slices.SortFunc(out, func(a, b NeighborView) int {
		if d := strings.Compare(a.Neighbor.Interface, b.Neighbor.Interface); d != 0 {
			return d
		}
		return a.Neighbor.Addr.Compare(b.Neighbor.Addr)
	})
	return out
}

// Shapers returns the shapers in force, by interface and NBMA address.
func (c *Core) Shapers() []ShaperView {
	out := []ShaperView{}
	for _, nb := range c.neighbors {
		if len(nb.claims) == 0 {
			continue
		}
		if value, ok := nb.claims[0].value.(rib.Shaper); ok {
			out = append(out, ShaperView{Owner: nb.claims[0].owner.name, Shaper: value, FIB: nb.fib.state(), Error: nb.fib.err})
		}
	}
	slices.SortFunc(out, func(a, b ShaperView) int {
		if d := strings.Compare(a.Shaper.Interface, b.Shaper.Interface); d != 0 {
			return d
		}
		return a.Shaper.NBMA.Compare(b.Shaper.NBMA)
	})
	return out
}

// Owners returns how much each owner holds, by name.
func (c *Core) Owners() []OwnerView {
	out := make([]OwnerView, 0, len(c.owners))
	for _, name := range slices.Sorted(maps.Keys(c.owners)) {
		o := c.owners[name]
		out = append(out, OwnerView{Owner: name, Objects: len(o.objects), Stale: o.stale, Watches: len(o.watches)})
	}
	return out
}

// Stale returns how many stale objects an owner has.
func (c *Core) Stale(owner string) int {
	if o := c.owners[owner]; o != nil {
		return o.stale
	}
	return 0
}

// Summary counts the routes of a VRF and family by protocol, in order of
// protocols. It takes no longer for a larger table.
func (c *Core) Summary(vrf string, f rib.Family) []Counts {
	t := c.tables[vrf]
	if t == nil {
		return nil
	}
	var out []Counts
	for k, n := range t.counts {
		if k.family == f && *n != (Counts{Protocol: n.Protocol}) {
			out = append(out, *n)
		}
	}
	slices.SortFunc(out, func(a, b Counts) int { return int(a.Protocol) - int(b.Protocol) })
	return out
}

// Stated reports whether an owner has stated a security association or policy, a
// neighbour or what is kept like one, in its present life.
func (c *Core) Stated(owner string, key rib.Key) bool {
	if nb := c.neighbors[key]; nb != nil {
		for _, cl := range nb.claims {
			if cl.owner.name == owner {
				return !cl.isStale()
			}
		}
	}
	return false
}
