package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// null0 is the name of where discard routes lead.
const null0 = "Null0"

// topologyReport reports the entries of the topology table that a Query selects.
func (in *instance) topologyReport(now clock.Instant, q Query) InstanceTopology {
	t := InstanceTopology{Identity: in.identity(), RIBScale: in.ribScale()}
	if in.table == nil {
		return t
	}
	t.Summary = TopologySummary{Active: in.table.Active(), Interfaces: len(in.routes.links)}
	for _, n := range in.neighbors { // unordered: counted
		if n.up {
			t.Summary.Neighbors++
		}
	}
	if q.Prefix.IsValid() {
		if e, ok := in.table.Entry(q.Prefix.Masked()); ok {
			t.Entries = append(t.Entries, in.topologyEntry(now, &e, true))
		}
		return t
	}
	for e := range in.table.Entries() {
		t.Summary.Routes++
		t.Summary.PendingReplies += len(e.Waiting)
		if in.selected(q.Selected, &e) {
			t.Entries = append(t.Entries, in.topologyEntry(now, &e, q.Selected != SelectedFeasible))
		}
	}
	return t
}

// routesStatus fills in the numbers of routes.
func (in *instance) routesStatus(now clock.Instant, s *InstanceStatus) {
	if in.table == nil {
		return
	}
	for range in.table.Entries() {
		s.Prefixes++
	}
	s.Active, s.Routes, s.Redistributed = in.table.Active(), len(in.routes.installed), len(in.routes.redistributed)
	in.limitStatus(now, s)
}

// selected reports whether an entry is among those that a Query asks for.
func (in *instance) selected(s Selected, e *dual.Entry[attribute]) bool {
	switch s {
	case SelectedActive:
		return e.State != dual.Passive
	case SelectedPending:
		return e.Owed != 0
	case SelectedSummary:
		return false
	case SelectedZero:
		return e.Used == 0
	}
	return true
}

// topologyEntry reports an entry, with all of its paths or only the feasible ones.
func (in *instance) topologyEntry(now clock.Instant, e *dual.Entry[attribute], all bool) TopologyEntry {
	out := TopologyEntry{Prefix: e.Prefix, State: e.State, Feasible: in.shown(e.Feasible), Serial: e.Serial, SIAQueries: e.SIAQueries}
	if e.State != dual.Passive {
		out.ActiveFor = now.Sub(e.Since)
	}
	used := in.table.Used(e.Prefix)
	if len(used) > 0 {
		out.Tag = used[0].Attribute.tag
		if used[0].Neighbor == 0 {
			out.Feasible = in.shown(in.natural(&used[0].Attribute))
		}
	}
	for k := range e.Paths {
		p := &e.Paths[k]
		paths := in.topologyPaths(e.Prefix, p, used)
		if p.Successor {
			out.Successors += len(paths)
		}
		if all || p.Feasible {
			out.Paths = append(out.Paths, paths...)
		}
	}
	for _, id := range e.Waiting {
		if n := in.neighbors[id]; n != nil {
			out.Waiting = append(out.Waiting, WaitingNeighbor{Addr: n.addr, Interface: n.iface.name})
		}
	}
	return out
}

// topologyPaths reports a path, and as paths of their own the further next hops that the
// neighbour told with it (AddPath, RFC 7868 section 6.9.3.8).
func (in *instance) topologyPaths(dst netip.Prefix, p *dual.Path[attribute], used []dual.Path[attribute]) []TopologyPath {
	all := []TopologyPath{in.topologyPath(dst, p, used)}
	n, x := in.neighbors[p.Neighbor], p.Attribute.more.extra()
	if n == nil || x.count == 0 {
		return all
	}
	var hops []rib.NextHop
	if all[0].Installed {
		hops = in.nextHops(used)
	}
	for _, other := range x.paths[:x.count] {
		one := all[0]
		one.NextHop, one.OriginRouter, one.Tag = in.usableHop(n, other.NextHop), other.RouterID, other.Tag
		same := func(p TopologyPath) bool { return p.NextHop == one.NextHop }
		if !one.NextHop.IsValid() || slices.ContainsFunc(all, same) {
			continue
		}
		one.Installed = slices.ContainsFunc(hops, func(h rib.NextHop) bool { return h.Addr == one.NextHop && h.Interface == one.Interface })
		all = append(all, one)
	}
	return all
}

func (in *instance) topologyPath(dst netip.Prefix, p *dual.Path[attribute], used []dual.Path[attribute]) TopologyPath {
	a := &p.Attribute
	out := TopologyPath{
		Source: a.origin, Protocol: a.source, NextHop: a.hop.addr(),
		Distance: in.shown(p.Distance), Reported: in.shown(p.Reported),
		Successor: p.Successor, Feasible: p.Feasible, External: a.external,
		Vector: a.report(in.wide()), OriginRouter: a.router, Tag: a.tag, Hops: a.hops,
	}
	if p.Neighbor == 0 {
		out.Distance = in.shown(in.natural(a))
	}
	if a.external {
		out.ExternalData = a.more.extra().external
		out.ExternalData.Tag = a.tag
	}
	if n := in.neighbors[p.Neighbor]; n != nil {
		out.Neighbor, out.Interface = n.addr, n.iface.name
	}
	switch a.origin {
	case OriginSummary:
		out.Interface = null0
	case OriginConnected:
		if i, _ := in.nearestOf(dst); i != nil {
			out.Interface = i.name
		}
	}
	_, installed := in.routes.installed[dst]
	for k := range used {
		if used[k].Neighbor == p.Neighbor && used[k].Source == p.Source {
			out.Installed = installed
		}
	}
	return out
}

// shown returns a distance as it is shown.
func (in *instance) shown(d dual.Distance) uint64 {
	switch {
	case d != dual.Infinity:
		return d.Metric()
	case in.wide():
		return metric.WideInfinity
	}
	return uint64(metric.ClassicInfinity)
}
