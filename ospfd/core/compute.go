package core

import (
	"fmt"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/route"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// spfState is how far the routing table is behind the databases.
type spfState struct {
	due     deadline
	tree    bool // a shortest-path tree is to be computed
	backoff backoff
	reasons uint16 // bits: types of LSAs that changed
	runs    int
	partial int
	last    []pastRun // the latest first
}

// pastRun is a computation that was done.
type pastRun struct {
	at clock.Instant
	SPFRun
}

// maxPastRuns is how many computations are remembered for show.
const maxPastRuns = 10

// schedule asks for a computation. One of the shortest-path tree waits for the throttle;
// one of routes on the same tree only gathers for a moment what comes with it.
func (in *instance) schedule(now clock.Instant, tree bool, t packet.LSType) {
	s := &in.routes.spf
	s.reasons |= 1 << t
	switch {
	case tree && !s.tree:
		s.tree = true
		s.due = deadline{s.backoff.due(now, in.cfg.Timers.SPF), true}
	case !s.due.set:
		s.due = deadline{now.Add(in.cfg.Timers.SPF.Start), true}
	}
}

// compute brings the routing table up to date if that is due, and routes with it. It
// reports whether it did.
func (in *instance) compute(now clock.Instant) bool {
	in.checkStubRouter(now)
	r := &in.routes
	s := &r.spf
	if !s.due.set || now < s.due.at {
		return false
	}
	// Without an adjacency a tree leads nowhere: what follows the first one does not wait for it.
	if s.tree && slices.ContainsFunc(in.order, (*area).adjacent) {
		s.backoff.served(now, in.cfg.Timers.SPF)
	}
	o := r.table.Calculate()
	in.recordRun(now, o)
	in.foundAgain()
	s.due, s.tree, s.reasons = deadline{}, false, 0
	if len(o.Trees) > 0 || o.Borders {
		r.virtuals, r.translators = true, true
	}
	if len(o.Changed) > 0 || o.Borders || o.Ranges {
		r.summaries = true
	}
	for _, p := range o.Changed {
		r.external.changed(p)
		for _, g := range in.rangeChanged(p) {
			r.external.changed(g)
		}
		if !in.restarting {
			in.install(p)
		}
	}
	return true
}

func (in *instance) recordRun(now clock.Instant, o route.Outcome) {
	s := &in.routes.spf
	run := SPFRun{Full: len(o.Trees) > 0, Areas: o.Trees, Reason: reason(s.reasons), Changed: len(o.Changed)}
	if s.runs++; !run.Full {
		s.partial++
	}
	run.Intra, run.Inter, run.Ext = in.routes.table.Count()
	s.last = append([]pastRun{{now, run}}, s.last[:min(len(s.last), maxPastRuns-1)]...)
	if in.core.tracing.SPF {
		in.trace(Trace{Event: TraceSPF, Text: fmt.Sprintf("areas %v, reason %s, %d routes changed", o.Trees, run.Reason, run.Changed)})
	}
}

// reason names types of LSAs as IOS does.
func reason(types uint16) string {
	var words []string
	for _, x := range [...]struct {
		t    packet.LSType
		word string
	}{{packet.RouterLSA, "R"}, {packet.NetworkLSA, "N"}, {packet.SummaryLSA, "SN"}, {packet.ASBRSummaryLSA, "SA"}, {packet.ExternalLSA, "X"}, {packet.NSSALSA, "X7"}} {
		if types&(1<<x.t) != 0 {
			words = append(words, x.word)
		}
	}
	return strings.Join(words, ", ")
}

// settleVirtuals brings virtual links up whose other end is reached within the transit area
// and takes the others down (RFC 2328 section 15).
func (in *instance) settleVirtuals(now clock.Instant) {
	r := &in.routes
	if !r.virtuals || r.spf.tree {
		return
	}
	r.virtuals = false
	for _, i := range in.ifaces {
		v := i.virtual
		if v == nil {
			continue
		}
		cost, hops, ok := r.table.Router(v.router, v.transit)
		if !ok || len(hops) == 0 || cost >= maxMetric {
			in.virtualDown(now, v.transit, v.router)
			continue
		}
		local := in.byName[hops[0].Interface]
		remote := in.addressOf(now, v.router, v.transit)
		if local == nil || !local.addr.IsValid() || remote == 0 {
			in.virtualDown(now, v.transit, v.router)
			continue
		}
		in.virtualUp(now, v.transit, v.router, local.addr.Addr(), remote.Addr(), uint16(cost))
	}
}

// addressOf returns an address of a router in an area, as its router-LSA has them: of a link
// to other routers, or else of a stub link to itself (sections 15 and 16.1).
func (in *instance) addressOf(now clock.Instant, router, id packet.ID) (found packet.ID) {
	a := in.areas[id]
	if a == nil {
		return 0
	}
	lsa, ok := a.scope.db.Get(now, packet.LSAKey{Type: packet.RouterLSA, ID: router, Router: router})
	if !ok {
		return 0
	}
	body, err := lsa.Router()
	if err != nil {
		return 0
	}
	for _, l := range body.Links {
		switch {
		case (l.Type == packet.LinkTransit || l.Type == packet.LinkPointToPoint) && l.Data >= 1<<24: // no ifIndex
			return packet.ID(l.Data)
		case l.Type == packet.LinkStub && l.Data == 0xffffffff:
			found = l.ID
		}
	}
	return found
}
