package core

import (
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/route"
)

// routesStatus fills in its part of a report.
func (in *instance) routesStatus(now clock.Instant, st *InstanceStatus) {
	r := &in.routes
	st.AreaBorder, st.ASBoundary, st.StubRouter = r.border, r.boundary || r.border && in.hasNSSA(), in.stubRouter(now)
	if d := in.stubRouterEnd(); d.set {
		st.StubLeft = d.at.Sub(now)
	}
	borders := r.table.Borders()
	for k := range st.Areas {
		as := &st.Areas[k]
		id := as.Config.ID
		as.Shortcut, as.ShortcutBit = r.table.Shortens(id), r.table.Shortcut(id) != route.NoShortcut
		as.Transit, as.SPFRuns = r.table.Transit(id), r.table.Runs(id)
		if t := r.external.areas[id]; t != nil {
			as.Translator, as.Elected = t.on, t.elected
		}
		for _, b := range borders {
			if b.Area == id && b.Type == route.Intra && b.ABR {
				as.BorderCount++
			}
			if b.Area == id && b.ASBR {
				as.ASBRCount++
			}
		}
		for _, p := range r.spf.last {
			for _, x := range p.Areas {
				if x == id && as.LastSPF == 0 {
					as.LastSPF = now.Sub(p.at)
				}
			}
		}
		for _, g := range r.table.Ranges(id) {
			as.Ranges = append(as.Ranges, RangeStatus{Range: Range{Prefix: g.Prefix, NotAdvertise: !g.Advertise, Cost: g.Cost, Substitute: g.Substitute}, Active: g.Active, Metric: g.Metric})
		}
	}
	st.SPF = SPFStatus{Runs: r.spf.runs, Partial: r.spf.partial, Pending: r.spf.due.set, HoldTime: r.spf.backoff.wait}
	if r.spf.due.set {
		st.SPF.In = r.spf.due.at.Sub(now)
	}
	for _, p := range r.spf.last {
		run := p.SPFRun
		run.Ago = now.Sub(p.at)
		st.SPF.Last = append(st.SPF.Last, run)
	}
	st.Redistribute = in.redistributeStatus()
	for _, x := range in.cfg.SummaryAddresses {
		sum, active := r.external.sums[x.Prefix.Masked()]
		st.Summaries = append(st.Summaries, SummaryStatus{SummaryAddress: x, Active: active, Metric: sum.metric, Type1: sum.type1})
	}
}

func (in *instance) redistributeStatus() (all []RedistributeStatus) {
	e := &in.routes.external
	for _, s := range e.sources {
		if s.what.Kind != rib.WatchRedistribute {
			continue
		}
		x := RedistributeStatus{Redistribute: s.line, Known: s.known}
		for p := range s.routes { // unordered: counted
			switch {
			case e.filtered[p]:
				x.Filtered++
			case tellable(p):
				x.Routes++
			}
		}
		all = append(all, x)
	}
	return all
}

// routesReport is the routing table of the instance.
func (in *instance) routesReport(clock.Instant) InstanceRoutes {
	out := InstanceRoutes{Identity: in.identity()}
	if !in.on {
		return out
	}
	t := in.routes.table
	for _, rt := range t.All() {
		_, there := in.routes.installed[rt.Prefix]
		x := RouteStatus{Prefix: rt.Prefix, Type: PathType(rt.Type), NSSA: rt.NSSA, Area: rt.Area, Cost: rt.Cost, Type2: rt.Type2, Tag: rt.Tag,
			Hops: hopStatus(rt.Hops), Installed: there, Router: rt.Router}
		if !there {
			_, x.Why, _ = in.ribRoute(rt.Prefix)
		}
		out.Routes = append(out.Routes, x)
	}
	for _, b := range t.Borders() {
		out.Routers = append(out.Routers, BorderStatus{Router: b.Router, Type: PathType(b.Type), AreaBorder: b.ABR, ASBoundary: b.ASBR,
			Area: b.Area, Cost: b.Cost, Hops: hopStatus(b.Hops), SPF: t.Runs(b.Area)})
	}
	return out
}

func hopStatus(hops []route.NextHop) []HopStatus {
	all := make([]HopStatus, 0, len(hops))
	for _, h := range hops {
		all = append(all, HopStatus{Addr: h.Addr, Interface: h.Interface})
	}
	return all
}
