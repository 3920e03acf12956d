package core

import (
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// backoff is a Throttle at work: how long the next event has to wait.
type backoff struct {
	ran  bool
	last clock.Instant // when the last event was served
	wait time.Duration // after it
}

// due returns when an event of now may be served.
func (b *backoff) due(now clock.Instant, t Throttle) clock.Instant {
	if b.calm(now, t) {
		return now.Add(t.Start)
	}
	return max(now, b.last.Add(b.wait))
}

// calm reports whether nothing has happened for so long that the back-off begins anew.
func (b *backoff) calm(now clock.Instant, t Throttle) bool {
	return !b.ran || now.Sub(b.last) >= max(2*t.Maximum, b.wait)
}

// served says that an event is served now.
func (b *backoff) served(now clock.Instant, t Throttle) {
	if b.calm(now, t) {
		b.wait = t.Hold
	} else {
		b.wait = min(2*b.wait, t.Maximum)
	}
	b.ran, b.last = true, now
}

// ownName names an LSA of this router.
type ownName struct {
	scope *scope
	typ   packet.LSType
	id    packet.ID // Link State ID
}

// ownLSA is what this router says, or wants to say, in an LSA.
type ownLSA struct {
	want    *lsdb.Statement // nil: nothing, it is flushed
	said    bool            // an instance is in the database
	pending bool            // what is wanted is not said yet
	backoff backoff         // MinLSInterval, and what goes beyond it (RFC 2328 section 12.4)
}

// state says what an LSA of this router has to say; nil: there is to be none. It is
// originated when its throttle allows.
func (in *instance) state(now clock.Instant, name ownName, want *lsdb.Statement) {
	r := &in.routes
	all := r.own[name.scope]
	if all == nil {
		all = make(map[ownName]*ownLSA)
		r.own[name.scope] = all
	}
	o := all[name]
	switch {
	case o == nil && want == nil:
		return
	case o == nil:
		o = &ownLSA{}
		all[name] = o
	case want == nil && o.want == nil, want != nil && o.want != nil && sameStatement(*want, *o.want):
		return
	}
	o.want = want
	if want == nil {
		o.pending = false
		r.throttled.Set(name, o.backoff.last.Add(2*in.cfg.Timers.LSA.Maximum)) // then it is forgotten
		if o.said {
			o.said = false
			in.flush(now, name.scope, packet.LSAKey{Type: name.typ, ID: name.id, Router: in.id})
		}
		return
	}
	in.originateSoon(now, name, o)
}

// originateSoon originates an LSA when its throttle allows.
func (in *instance) originateSoon(now clock.Instant, name ownName, o *ownLSA) {
	if !o.pending {
		o.pending = true
		in.routes.throttled.Set(name, o.backoff.due(now, in.cfg.Timers.LSA))
	}
}

func sameStatement(a, b lsdb.Statement) bool {
	return a.Type == b.Type && a.ID == b.ID && a.Options == b.Options && a.DoNotAge == b.DoNotAge && slices.Equal(a.Body, b.Body)
}

// originateDue originates what has waited long enough. It reports whether there was any.
func (in *instance) originateDue(now clock.Instant) (again bool) {
	r := &in.routes
	for {
		name, ok := r.throttled.PopDue(now)
		if !ok {
			return again
		}
		o := r.own[name.scope][name]
		switch {
		case o == nil:
		case o.want == nil:
			delete(r.own[name.scope], name)
		case o.pending:
			o.pending, o.said = false, true
			o.backoff.served(now, in.cfg.Timers.LSA)
			in.originate(now, name.scope, *o.want)
			again = true
		}
	}
}

// restate has all that this router says of a type of LSAs said again, also if it is not
// new: what is in the database may be of a former life.
func (in *instance) restate(now clock.Instant, s *scope, lsa packet.LSA) {
	name := ownName{s, lsa.Type, lsa.ID}
	o := in.routes.own[s][name]
	if o == nil || o.want == nil {
		in.flush(now, s, lsa.LSAKey)
		return
	}
	in.originateSoon(now, name, o)
}

// forgetScope forgets what was said in a scope that is no more.
func (r *routesState) forgetScope(s *scope) {
	for name := range r.own[s] { // unordered: each is disarmed
		r.throttled.Clear(name)
	}
	delete(r.own, s)
	for _, t := range [...]packet.LSType{packet.SummaryLSA, packet.NSSALSA, packet.ExternalLSA} {
		delete(r.told, toldKey{s, t})
	}
}
