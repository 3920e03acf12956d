package core

import (
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// reduction is what an instance knows of LSAs that do not age (RFC 1793 sections 2.1 to
// 2.5, RFC 4136).
type reduction struct {
	changed bool     // whether areas may have them is to be looked at
	stale   deadline // when those of routers that are gone are looked for
	gone    map[origin]clock.Instant
}

// origin is a router that has LSAs in a database.
type origin struct {
	scope  *scope
	router packet.ID
}

// staleCheck is how often LSAs are looked for whose routers are gone.
const staleCheck = time.Minute

// reduces reports whether LSAs of a type go out by the interface as such that do not age:
// where that is configured, and all routers take them (RFC 1793 section 3.3). Grace-LSAs
// and others of the link have to age.
func (i *iface) reduces(t packet.LSType) bool {
	if !i.cfg.FloodReduction {
		return false
	}
	s := i.scopeOf(t)
	return s != nil && s.iface == nil && !s.ages
}

// reduced is an LSA as it goes out by the interface.
func (i *iface) reduced(lsa packet.LSA) packet.LSA {
	if !lsa.IsMaxAge() && i.reduces(lsa.Type) { // RFC 1793 section 3.3 step 2
		lsa.Age |= packet.DoNotAge
	}
	return lsa
}

// spared reports whether the neighbour need not be told of an LSA: it was told the same
// before, in one that does not age (RFC 1793 section 3.3 step 1).
func (n *neighbor) spared(c lsdb.Change) bool {
	return c.Part == lsdb.PartNone && !c.LSA.IsMaxAge() && n.state == fsm.NeighborFull && n.kept[c.LSA.LSAKey] &&
		n.iface.reduces(c.LSA.Type) && !n.flood.List.Has(c.LSA.LSAKey)
}

// keeps notes whether the neighbour has an LSA as one that does not age.
func (n *neighbor) keeps(key packet.LSAKey, yes bool) {
	switch {
	case !yes:
		delete(n.kept, key)
	case n.kept == nil:
		n.kept = map[packet.LSAKey]bool{key: true}
	default:
		n.kept[key] = true
	}
}

// noteCapable notes whether an LSA comes from a router that takes LSAs that do not age: its
// DC-bit is set (RFC 1793 section 2.1).
func (in *instance) noteCapable(s *scope, c lsdb.Change) {
	key := c.LSA.LSAKey
	unable := c.Kind != lsdb.Removed && !c.LSA.IsMaxAge() && c.LSA.Options&packet.OptionDC == 0
	if s.iface != nil || s.unable[key] == unable {
		return
	}
	in.reduction.changed = true
	if unable {
		s.unable[key] = true
	} else {
		delete(s.unable, key)
	}
}

// noteKept notes that an LSA came that does not age.
func (in *instance) noteKept(now clock.Instant, s *scope, lsa packet.LSA) {
	if lsa.Age&packet.DoNotAge == 0 || lsa.IsMaxAge() || s.iface != nil {
		return
	}
	r := &in.reduction
	s.kept = true
	r.changed = r.changed || s.ages
	if !r.stale.set {
		r.stale = deadline{now.Add(staleCheck), true}
	}
}

// settleReduction looks in which databases LSAs may be that do not age, and flushes them
// from the others. It reports whether it flushed any.
func (in *instance) settleReduction(now clock.Instant) (again bool) {
	if in.restarting {
		return false
	}
	again = in.flushStale(now)
	if !in.reduction.changed {
		return again
	}
	in.reduction.changed, in.routes.summaries = false, true // indication-LSAs
	unable := len(in.as.unable) > 0
	in.as.ages = unable
	for _, a := range in.order { // RFC 1793 sections 2.5 and 2.5.1
		a.scope.ages = len(a.scope.unable) > 0 || unable && a.external()
		in.as.ages = in.as.ages || a.scope.ages && a.external()
	}
	for s := range in.scopes() {
		if s.ages && s.kept {
			s.kept = false
			again = in.purge(now, s, func(packet.LSA) bool { return true }) || again
		}
	}
	return again
}

// purge flushes LSAs that do not age, whoever's they are (RFC 1793 sections 2.3 and 2.5).
func (in *instance) purge(now clock.Instant, s *scope, which func(packet.LSA) bool) (any bool) {
	var keys []packet.LSAKey
	for lsa := range s.db.All(now) {
		if lsa.Age&packet.DoNotAge != 0 && which(lsa) {
			keys = append(keys, lsa.LSAKey)
		}
	}
	for _, key := range keys {
		if c := s.db.Purge(now, key); c.Kind != lsdb.Nothing {
			in.changed(now, s, c, nil)
			any = true
		}
	}
	return any
}

// flushStale flushes LSAs that do not age, that are in the database for MaxAge, and whose
// routers are not reached for MaxAge (RFC 1793 section 2.3). It reports whether there were
// any.
func (in *instance) flushStale(now clock.Instant) (again bool) {
	r := &in.reduction
	switch {
	case !r.stale.set || now < r.stale.at:
		return false
	case !in.routesDone():
		r.stale.at = now.Add(time.Second)
		return false
	}
	r.stale = deadline{now.Add(staleCheck), false}
	gone := make(map[origin]clock.Instant)
	for s := range in.scopes() {
		if !s.kept {
			continue
		}
		s.kept = false
		reached := map[packet.ID]bool{}
		again = in.purge(now, s, func(lsa packet.LSA) bool {
			from := origin{s, lsa.LSAKey.Router}
			here, known := reached[from.router]
			if !known {
				here = in.reaches(from)
				reached[from.router] = here
			}
			s.kept = true
			if here {
				return false
			}
			since, missed := r.gone[from]
			if !missed {
				since = now
			}
			gone[from] = since
			return now.Sub(since) >= packet.MaxAge*time.Second && now.Sub(s.db.Since(lsa.LSAKey)) >= packet.MaxAge*time.Second
		}) || again
		r.stale.set = r.stale.set || s.kept
	}
	r.gone = gone
	return again
}

// reaches reports whether the routing table has a router: within the area, or an AS boundary
// router anywhere.
func (in *instance) reaches(o origin) bool {
	if o.router == in.id {
		return true
	}
	if o.scope.area != nil {
		_, _, ok := in.routes.table.Router(o.router, o.scope.area.id)
		return ok
	}
	_, ok := in.routes.table.ASBR(o.router)
	return ok
}

// foundAgain forgets that routers were gone which the table has, after it was computed.
func (in *instance) foundAgain() {
	for o := range in.reduction.gone { // unordered: each for itself
		if in.reaches(o) {
			delete(in.reduction.gone, o)
		}
	}
}

// unables are the LSAs of an area whose DC-bit is clear.
type unables struct {
	routers    bool      // others than indication-LSAs
	indication packet.ID // the highest router ID of another that originates one; 0: none
}

// unables looks through the LSAs of an area whose DC-bit is clear. Indication-LSAs are
// type-4 LSAs in which a border router tells of itself (RFC 1793 section 2.5.1).
func (a *area) unables() (u unables) {
	for key := range a.scope.unable { // unordered: a maximum
		switch {
		case !isIndication(key):
			u.routers = true
		case key.Router != a.instance.id:
			u.indication = max(u.indication, key.Router)
		}
	}
	return u
}

// indicates reports whether this border router tells an area that there are routers in
// others which do not take LSAs that do not age (RFC 1793 section 2.5.1): not where there
// are such routers, nor where one with a higher router ID does it (section 2.5.1.1).
func (a *area) indicates() bool {
	if u := a.unables(); u.routers || u.indication > a.instance.id {
		return false
	}
	for _, from := range a.instance.order {
		if from == a || !from.external() {
			continue
		}
		if u := from.unables(); u.routers || from.id == backbone && u.indication != 0 {
			return true
		}
	}
	return false
}

// isIndication reports whether an LSA whose DC-bit is clear is an indication-LSA.
func isIndication(key packet.LSAKey) bool {
	return key.Type == packet.ASBRSummaryLSA && key.ID == key.Router
}

// demand counts the LSAs of the database by what RFC 1793 says of them.
func (s *scope) demand(now clock.Instant) DemandSummary {
	out := DemandSummary{DCClear: len(s.unable)}
	for key := range s.unable { // unordered: counted
		if isIndication(key) {
			out.Indication++
		}
	}
	if !s.kept {
		return out
	}
	for lsa := range s.db.All(now) {
		if lsa.Age&packet.DoNotAge != 0 && !lsa.IsMaxAge() {
			out.DoNotAge++
		}
	}
	return out
}
