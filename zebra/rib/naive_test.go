package rib_test

import (
	"cmp"
	"net/netip"
	"slices"

	lib "github.com/godmvpn/godmvpn/lib/rib"

	"github.com/godmvpn/godmvpn/zebra/rib"
)

// naive is the RIB as its rules read: plain maps, linear scans, everything
// computed again and again until it stands still.
type naive struct {
	objects    map[string]map[lib.Key]lib.Object
	interfaces map[string]lib.Interface
}

// place is a prefix of a VRF.
type place struct {
	vrf    string
	prefix netip.Prefix
}

// entry is a candidate.
type entry struct {
	owner    string
	origin   string
	override bool
	route    lib.Route
}

// choice is what is selected at a place; loop if nothing is since recursion
// goes in a circle over others.
type choice struct {
	best  *entry
	hops  []lib.NextHop
	depth int
	used  uint64 // by index of the next hop
	loop  bool

	over     *entry
	overHops []lib.NextHop
}

func (m *naive) entries() map[place][]*entry {
	out := map[place][]*entry{}
	add := func(e *entry) {
		p := place{e.route.VRF, e.route.Prefix}
		out[p] = append(out[p], e)
	}
	for owner, objs := range m.objects {
		for _, obj := range objs {
			switch o := obj.(type) {
			case lib.Route:
				add(&entry{owner: owner, route: o})
			case lib.Override:
				add(&entry{owner: owner, override: true, route: lib.Route{
					VRF: o.VRF, Prefix: o.Prefix, Protocol: o.Protocol, Distance: o.Distance, Metric: 255, NextHops: []lib.NextHop{o.NextHop},
				}})
			}
		}
	}
	for _, i := range m.interfaces {
		if !i.Up {
			continue
		}
		seen := map[netip.Prefix]bool{}
		for _, a := range i.Addresses {
			subnet, host := a.Prefix.Masked(), netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen())
			for p, proto := range map[netip.Prefix]lib.Protocol{host: lib.Local, subnet: lib.Connected} {
				if !seen[p] {
					seen[p] = true
					add(&entry{owner: rib.OwnerConnected, origin: i.Name, route: lib.Route{
						VRF: i.VRF, Prefix: p, Protocol: proto, NextHops: []lib.NextHop{{Interface: i.Name}},
					}})
				}
			}
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b *entry) int {
			rank := func(e *entry) int {
				if e.override {
					return 1
				}
				return 0
			}
			x, y := a.route, b.route
			return cmp.Or(rank(a)-rank(b), cmp.Compare(x.Distance, y.Distance), cmp.Compare(x.Metric, y.Metric),
				cmp.Compare(x.Protocol, y.Protocol), cmp.Compare(x.Instance, y.Instance),
				cmp.Compare(a.owner, b.owner), cmp.Compare(a.origin, b.origin))
		})
	}
	return out
}

// solve computes from nothing until nothing changes; ok is false if it does
// not come to rest, or if some recursion goes in a circle, where which solution
// is found may depend on the order of events.
func (m *naive) solve() (state map[place]choice, ok bool) {
	state = map[place]choice{}
	entries := m.entries()
	var places []place
	for p := range entries {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.vrf, b.vrf), a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	for range 1000 {
		changed, circles := false, false
		for _, p := range places {
			c, circle := m.choose(state, p, entries[p])
			circles = circles || circle
			if !c.equal(state[p]) {
				changed = true
			}
			state[p] = c
			if c.best == nil && !c.loop {
				delete(state, p)
			}
		}
		if !changed {
			return state, !circles
		}
	}
	return state, false
}

func (c choice) equal(o choice) bool {
	same := func(a, b *entry) bool {
		return (a == nil) == (b == nil) && (a == nil || a.owner == b.owner && a.origin == b.origin &&
			a.override == b.override && a.route.Equal(b.route))
	}
	return same(c.best, o.best) && same(c.over, o.over) && slices.Equal(c.hops, o.hops) &&
		slices.Equal(c.overHops, o.overHops) && c.depth == o.depth && c.loop == o.loop && c.used == o.used
}

// routed reports whether a route is selected, and not an override in place of one.
func (c choice) routed() bool { return c.best != nil && !c.best.override }

// choose applies the rules of selection at one place, given what is selected
// everywhere.
func (m *naive) choose(state map[place]choice, p place, list []*entry) (c choice, circle bool) {
	allCircle := false
	for _, e := range list {
		hops, depth, used, round := m.hops(state, p, e)
		circle = circle || round
		if len(hops) == 0 {
			allCircle = allCircle || round
			continue
		}
		switch {
		case c.best == nil:
			c.best, c.hops, c.depth, c.used = e, hops, depth, used
		case e.override && !c.best.override && c.over == nil && c.best.route.Protocol != lib.Connected && c.best.route.Protocol != lib.Local:
			c.over, c.overHops = e, hops
		}
	}
	c.loop = !c.routed() && allCircle
	return c, circle
}

// hops resolves all next hops of e; circle tells that one of them goes round.
func (m *naive) hops(state map[place]choice, p place, e *entry) (out []lib.NextHop, depth int, used uint64, circle bool) {
	if e.route.Distance == 255 {
		return nil, 0, 0, false
	}
	for i, nh := range e.route.NextHops {
		hops, d, round := m.hop(state, p, e, nh)
		circle = circle || round
		if len(hops) > 0 {
			depth = max(depth, d)
			used |= 1 << i
		}
		for _, h := range hops {
			known := slices.ContainsFunc(out, func(o lib.NextHop) bool { o.Weight = h.Weight; return o == h })
			if !known && len(out) < 64 {
				out = append(out, h)
			}
		}
	}
	real := slices.DeleteFunc(slices.Clone(out), func(h lib.NextHop) bool { return h.Discard })
	if len(real) > 0 {
		out = real
	}
	return out, depth, used, circle
}

func (m *naive) hop(state map[place]choice, p place, e *entry, nh lib.NextHop) (out []lib.NextHop, depth int, circle bool) {
	vrf := p.vrf
	if nh.LeaveVRF {
		vrf = nh.VRF
	}
	if nh.Discard {
		return []lib.NextHop{{Discard: true}}, 0, false
	}
	if nh.Interface != "" {
		i, ok := m.interfaces[nh.Interface]
		if !ok || !i.Up || i.VRF != vrf || m.owns(i, nh.Addr) {
			return nil, 0, false
		}
		return []lib.NextHop{m.finish(nh, vrf, p.vrf)}, 0, false
	}
	at, found := m.match(state, vrf, nh.Addr)
	if !found {
		return nil, 0, false
	}
	if own := p.vrf == vrf && p.prefix.Contains(nh.Addr); own && at.prefix.Bits() <= p.prefix.Bits() {
		return nil, 0, false // by itself
	}
	if at.prefix.Bits() == 0 && e.route.Protocol != lib.Static {
		return nil, 0, false
	}
	via := state[at]
	if via.loop || m.leadsTo(state, at, p, map[place]bool{}) {
		return nil, 0, true
	}
	if via.depth >= 10 {
		return nil, 0, false
	}
	if proto := via.best.route.Protocol; proto == lib.Local || proto == lib.Connected && m.owns(m.interfaces[via.best.origin], nh.Addr) {
		return nil, 0, false
	}
	return m.through(via, at, nh, p.vrf), via.depth + 1, false
}

func (m *naive) through(via choice, at place, nh lib.NextHop, vrf string) (out []lib.NextHop) {
	for _, h := range via.hops {
		if h.Discard {
			out = append(out, h)
			continue
		}
		in := at.vrf
		if h.LeaveVRF {
			in = h.VRF
		}
		if !h.Addr.IsValid() {
			h.Addr, h.OnLink = nh.Addr, false
			h = m.finish(h, in, vrf)
		}
		if len(via.hops) == 1 {
			h.Weight = nh.Weight
		}
		h.VRF, h.LeaveVRF = "", in != vrf
		if h.LeaveVRF {
			h.VRF = in
		}
		out = append(out, h)
	}
	return out
}

// finish fills in what a hop out of a named interface needs.
func (m *naive) finish(h lib.NextHop, in, own string) lib.NextHop {
	if !h.Addr.IsValid() {
		h.OnLink = false
	} else if !h.OnLink {
		h.OnLink = !slices.ContainsFunc(m.interfaces[h.Interface].Addresses, func(a lib.Address) bool { return a.Prefix.Masked().Contains(h.Addr) })
	}
	h.LeaveVRF = in != own
	h.VRF = ""
	if h.LeaveVRF {
		h.VRF = in
	}
	return h
}

func (m *naive) owns(i lib.Interface, a netip.Addr) bool {
	return slices.ContainsFunc(i.Addresses, func(ad lib.Address) bool { return ad.Prefix.Addr() == a })
}

// match finds the longest prefix with a selected (or circling) route.
func (m *naive) match(state map[place]choice, vrf string, a netip.Addr) (at place, found bool) {
	for p, c := range state {
		if (c.routed() || c.loop) && p.vrf == vrf && p.prefix.Contains(a) && (!found || p.prefix.Bits() > at.prefix.Bits()) {
			at, found = p, true
		}
	}
	return at, found
}

// leadsTo follows the recursion of what is selected at from.
func (m *naive) leadsTo(state map[place]choice, from, to place, seen map[place]bool) bool {
	if from == to {
		return true
	}
	c := state[from]
	if seen[from] || !c.routed() {
		return false
	}
	seen[from] = true
	for i, nh := range c.best.route.NextHops {
		if nh.Interface != "" || nh.Discard || c.used&(1<<i) == 0 {
			continue
		}
		vrf := from.vrf
		if nh.LeaveVRF {
			vrf = nh.VRF
		}
		at, ok := m.match(state, vrf, nh.Addr)
		if ok && m.leadsTo(state, at, to, seen) {
			return true
		}
	}
	return false
}
