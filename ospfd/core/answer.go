package core

import (
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// answer makes a report.
func (c *Core) answer(now clock.Instant, q Query) Report {
	var chosen []*instance
	for _, in := range c.order {
		if q.Process == 0 || q.Process == in.key.Process {
			chosen = append(chosen, in)
		}
	}
	slices.SortStableFunc(chosen, func(a, b *instance) int { return int(a.key.Process) - int(b.key.Process) })
	switch q.Kind {
	case ReportInterfaces:
		return report(chosen, func(in *instance) InstanceInterfaces { return in.interfaceReport(now) }, func(all []InstanceInterfaces) Report { return &InterfaceReport{all} })
	case ReportNeighbors:
		return report(chosen, func(in *instance) InstanceNeighbors { return in.neighborReport(now, q.Lists) }, func(all []InstanceNeighbors) Report { return &NeighborReport{all} })
	case ReportDatabase:
		return report(chosen, func(in *instance) InstanceDatabase { return in.databaseReport(now, q.Database) }, func(all []InstanceDatabase) Report { return &DatabaseReport{all} })
	case ReportRoutes:
		return report(chosen, func(in *instance) InstanceRoutes { return in.routesReport(now) }, func(all []InstanceRoutes) Report { return &RouteReport{all} })
	}
	return report(chosen, func(in *instance) InstanceStatus { return in.statusReport(now) }, func(all []InstanceStatus) Report { return &StatusReport{all} })
}

func report[T any](chosen []*instance, one func(*instance) T, whole func([]T) Report) Report {
	all := make([]T, len(chosen))
	for k, in := range chosen {
		all[k] = one(in)
	}
	return whole(all)
}

// left is the time until a deadline, 0 if there is none or it has come.
func (c *Core) left(now clock.Instant, k timerKey) time.Duration {
	at, ok := c.timers.Deadline(k)
	if !ok || at <= now {
		return 0
	}
	return at.Sub(now)
}

func (in *instance) interfaceReport(now clock.Instant) InstanceInterfaces {
	out := InstanceInterfaces{Identity: in.identity()}
	for _, i := range in.ifaces {
		out.Interfaces = append(out.Interfaces, i.status(now))
	}
	return out
}

func (i *iface) status(now clock.Instant) InterfaceStatus {
	c := i.instance.core
	keys, rollover := i.signing(c.wallTime(now))
	st := InterfaceStatus{
		Name: i.name, Up: i.state != fsm.InterfaceIsDown, Area: i.area.id, ByNetwork: i.byNetwork, Config: i.cfg, Addr: i.addr,
		Type: i.typ, State: i.state, Passive: i.passive, Cost: i.cost, MTU: i.link.MTU, Priority: *i.cfg.Priority,
		DR: i.dr, BDR: i.bdr, DRID: i.drID, BDRID: i.bdrID, Suppress: *i.cfg.PrefixSuppression, Counters: i.counters,
		NextHello: c.left(now, timerKey{kind: timerHello, iface: i}), Wait: c.left(now, timerKey{kind: timerWait, iface: i}),
		Rollover: rollover, Mismatch: i.mismatch.text,
	}
	if i.virtual != nil {
		st.Virtual, st.Transit = i.virtual.router, i.virtual.transit
	}
	if st.Mismatch != "" {
		st.MismatchAgo = now.Sub(i.mismatch.at)
	}
	for _, k := range keys {
		if k != nil && k.Algorithm != packet.SimplePassword {
			st.AuthKeys = append(st.AuthKeys, k.ID)
		}
	}
	for _, n := range i.neighbors {
		if n.state >= fsm.NeighborInit {
			st.Neighbors++
		}
		if n.full() {
			st.Adjacent++
			st.Adjacencies = append(st.Adjacencies, n.id)
		}
		st.Flood += n.flood.List.Len()
	}
	return st
}

func (in *instance) neighborReport(now clock.Instant, lists bool) InstanceNeighbors {
	out := InstanceNeighbors{Identity: in.identity()}
	for _, i := range in.ifaces {
		for _, n := range i.neighbors {
			st := n.status(now)
			if lists {
				st.Lists = n.listed(now)
			}
			out.Neighbors = append(out.Neighbors, st)
		}
	}
	return out
}

func (n *neighbor) status(now clock.Instant) NeighborStatus {
	i := n.iface
	st := NeighborStatus{
		RouterID: n.id, Addr: n.addr, Interface: i.name, Area: i.area.id, State: n.state, Priority: n.priority, DR: n.dr, BDR: n.bdr,
		InterfaceState: i.state, Elects: i.typ.Elects(), Static: n.static != nil, Options: n.options,
		Offered: n.static != nil && i.instance.core.peers[tunnelPeer{i.name, n.addr}],
		Changes: n.changes, LastChange: now.Sub(n.since), Reason: n.reason, Master: n.exchange.master, Sequence: n.exchange.sequence,
		Summary: len(n.exchange.summary), Request: len(n.flood.Requests), Retransmission: n.flood.List.Len(),
		Helping: n.help.active, RestartReason: n.help.reason, HelpEnded: n.help.ended, Retransmitted: n.retransmitted,
	}
	if n.state > fsm.NeighborDown && n.due > now {
		st.Dead = n.due.Sub(now)
	}
	if n.state == fsm.NeighborFull {
		st.Uptime = st.LastChange
	}
	if n.help.active {
		st.HelpLeft = n.help.until.Sub(now)
	}
	return st
}

// listed returns what is on the lists of the neighbour.
func (n *neighbor) listed(now clock.Instant) *NeighborLists {
	out := &NeighborLists{Retransmission: n.flood.List.Headers(), Due: n.iface.instance.core.left(now, timerKey{kind: timerRetransmit, neighbor: n})}
	for _, h := range n.flood.Requests { // unordered: sorted below
		out.Request = append(out.Request, h)
	}
	for _, list := range [...][]packet.LSAHeader{out.Request, out.Retransmission} {
		slices.SortFunc(list, func(a, b packet.LSAHeader) int { return lsdb.CompareKeys(a.LSAKey, b.LSAKey) })
	}
	return out
}

func (in *instance) databaseReport(now clock.Instant, f DatabaseFilter) InstanceDatabase {
	out := InstanceDatabase{Identity: in.identity()}
	if !in.on {
		return out
	}
	for _, a := range in.order {
		if f.Area != nil && *f.Area != a.id {
			continue
		}
		d := AreaDatabase{Area: a.id, Kind: a.cfg.Kind, LSAs: a.scope.list(now, f)}
		for _, i := range a.ifaces {
			if all := i.scope.list(now, f); len(all) > 0 {
				d.Links = append(d.Links, LinkDatabase{Interface: i.name, LSAs: all})
			}
		}
		out.Areas = append(out.Areas, d)
	}
	if f.Area == nil {
		out.AS = in.as.list(now, f)
	}
	return out
}

// list returns the LSAs that a filter admits. Their octets are not changed by anybody.
func (s *scope) list(now clock.Instant, f DatabaseFilter) (all []packet.LSA) {
	for lsa := range s.db.All(now) {
		switch {
		case f.Type != 0 && lsa.Type != f.Type, f.LinkState != nil && lsa.ID != *f.LinkState,
			f.Advertising != nil && lsa.LSAKey.Router != *f.Advertising, f.Self && !s.db.Self(lsa.LSAKey):
			continue
		}
		all = append(all, lsa)
	}
	return all
}

func (in *instance) statusReport(now clock.Instant) InstanceStatus {
	st := InstanceStatus{Identity: in.identity(), Config: in.cfg, Counters: in.counters, LastRestart: in.restart.ended}
	if !in.on {
		return st
	}
	st.Uptime, st.Restarting = now.Sub(in.since), in.restarting
	if in.restarting {
		st.RestartLeft = in.restart.until.Sub(now)
	}
	st.External, st.OpaqueAS, _ = in.as.sums(now)
	st.Demand = in.as.demand(now)
	for _, a := range in.order {
		as := AreaStatus{Config: a.cfg}
		for _, i := range a.ifaces {
			switch {
			case i.state == fsm.InterfaceLoopback:
				as.Loopbacks++
				as.Interfaces++
			case i.state != fsm.InterfaceIsDown:
				as.Interfaces++
			}
			for _, n := range i.neighbors {
				as.Flood += n.flood.List.Len()
			}
		}
		as.LSAs, as.Opaque, as.Types = a.scope.sums(now)
		as.Demand = a.scope.demand(now)
		st.Areas = append(st.Areas, as)
	}
	in.routesStatus(now, &st)
	return st
}

// sums counts the LSAs of a database: all that are no opaque ones, those, and by type.
func (s *scope) sums(now clock.Instant) (all, opaque LSASummary, types map[packet.LSType]LSASummary) {
	types = make(map[packet.LSType]LSASummary)
	add := func(sum LSASummary, lsa packet.LSA) LSASummary {
		return LSASummary{sum.Count + 1, sum.Checksum + uint64(lsa.Checksum)}
	}
	for lsa := range s.db.All(now) {
		types[lsa.Type] = add(types[lsa.Type], lsa)
		if kind, _ := lsdb.ScopeOf(lsa.Type); lsa.Type >= packet.OpaqueLinkLSA && kind != 0 {
			opaque = add(opaque, lsa)
		} else {
			all = add(all, lsa)
		}
	}
	return all, opaque, types
}
