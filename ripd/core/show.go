package core

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// answer makes a report.
func (c *Core) answer(now clock.Instant, q Query) Report {
	in := c.instances[q.VRF]
	if q.Kind == ReportRoutes {
		return c.routeReport(now, in, q.VRF)
	}
	return c.statusReport(now, in, q.VRF)
}

func (c *Core) routeReport(now clock.Instant, in *instance, vrf string) *RouteReport {
	rep := &RouteReport{VRF: vrf, Exists: in != nil}
	if in == nil {
		return rep
	}
	for _, r := range in.table.all() {
		rep.Routes = append(rep.Routes, in.routeEntry(now, r))
	}
	for _, s := range in.summaries {
		if s.metric == packet.Infinity && !s.garbage {
			continue
		}
		for _, i := range s.users {
			e := RouteEntry{Prefix: s.key.prefix(), Source: SourceSummary, Metric: uint32(s.metric), Interface: i.name,
				Garbage: s.metric == packet.Infinity, Changed: s.changed}
			if e.Garbage {
				e.Left = s.lost.Add(in.garbageTime()).Sub(now)
			}
			rep.Routes = append(rep.Routes, e)
		}
	}
	slices.SortStableFunc(rep.Routes, func(a, b RouteEntry) int {
		if n := a.Prefix.Addr().Compare(b.Prefix.Addr()); n != 0 {
			return n
		}
		return a.Prefix.Bits() - b.Prefix.Bits()
	})
	return rep
}

func (in *instance) routeEntry(now clock.Instant, r *route) RouteEntry {
	e := RouteEntry{Prefix: r.key.prefix(), Source: SourceLearned, Metric: uint32(r.metric), Tag: r.tag,
		Garbage: r.metric == packet.Infinity, Holddown: r.own == nil && r.inHolddown(now, in), Changed: r.changed}
	if r.own != nil {
		e.Source, e.Protocol, e.Interface = r.own.source, r.own.protocol, r.own.iface
	}
	if e.Garbage {
		e.Left = r.lost.Add(in.garbageTime()).Sub(now)
	}
	for p := r.paths; p != nil; p = p.next {
		e.Paths = append(e.Paths, PathEntry{
			NextHop: addrOf(p.nextHop), From: p.neighbor.addr, Interface: p.neighbor.iface.name,
			Metric: uint32(p.metric), Distance: p.distance,
			Age: now.Sub(p.heard), Left: p.heard.Add(in.cfg.Timers.Invalid).Sub(now),
		})
	}
	return e
}

func (c *Core) statusReport(now clock.Instant, in *instance, vrf string) *StatusReport {
	rep := &StatusReport{VRF: vrf, Exists: in != nil}
	if in == nil {
		return rep
	}
	rep.Config, rep.Routes, rep.Counters = in.cfg.clone(), len(in.table.routes), in.counters
	next := clock.Never
	for _, i := range in.order {
		s := InterfaceStatus{
			Name: i.name, Up: i.active, Passive: i.passive, Send: i.sends(), Receive: i.receives(),
			SplitHorizon: i.cfg.SplitHorizon, Authentication: i.cfg.Authentication, KeyChain: i.cfg.KeyChain,
			Triggered: i.triggered, Counters: i.counters,
		}
		if at, ok := c.timers.Deadline(timerKey{kind: timerRegular, iface: i}); ok {
			s.NextUpdate, next = at.Sub(now), min(next, at)
		}
		rep.Interfaces = append(rep.Interfaces, s)
	}
	if next != clock.Never {
		rep.NextUpdate = next.Sub(now)
	}
	for _, n := range in.sortedNeighbors() {
		rep.Neighbors = append(rep.Neighbors, NeighborStatus{
			Addr: n.addr, Interface: n.iface.name, Version: n.version, LastUpdate: now.Sub(n.heard), Routes: n.paths,
			BadPackets: n.badPackets, BadRoutes: n.badRoutes, Distance: in.neighborDistance(n),
			Configured: slices.Contains(in.cfg.Neighbors, n.addr),
		})
	}
	return rep
}

// neighborDistance is the distance of what a neighbour tells, where no list
// decides by route.
func (in *instance) neighborDistance(n *neighbor) uint8 {
	for _, d := range in.cfg.Distances {
		if d.List == "" && d.Source.Match(n.addr) {
			return d.Distance
		}
	}
	return in.cfg.Distance
}

// clone copies the configuration, so that a report shares nothing with the core.
func (rc RouterConfig) clone() RouterConfig {
	rc.Networks, rc.NetworkInterfaces = slices.Clone(rc.Networks), slices.Clone(rc.NetworkInterfaces)
	rc.Neighbors, rc.Passive, rc.Static = slices.Clone(rc.Neighbors), slices.Clone(rc.Passive), slices.Clone(rc.Static)
	rc.Offsets, rc.Distances = slices.Clone(rc.Offsets), slices.Clone(rc.Distances)
	rc.Filters, rc.Redistribute = slices.Clone(rc.Filters), slices.Clone(rc.Redistribute)
	return rc
}
