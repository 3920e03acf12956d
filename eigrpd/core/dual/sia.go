package dual

import "time"

// maxRounds is how many SIA-QUERYs may be sent in a diffusing computation
// (RFC 7868 section 4.4.1.1).
const maxRounds = 3

// lingerTime is how long an unreachable entry is kept: longer than messages about
// it can be under way.
const lingerTime = 3 * time.Minute

// arm starts the next half of the active time.
func (t *Table[A]) arm(r *route[A]) {
	if t.config.ActiveTime > 0 {
		t.timers.Set(r.prefix, t.now.Add(t.config.ActiveTime/2))
	}
}

func (t *Table[A]) linger(r *route[A]) { t.timers.Set(r.prefix, t.now.Add(lingerTime)) }

// expire does what is due.
func (t *Table[A]) expire() {
	for {
		p, ok := t.timers.PopDue(t.now)
		if !ok {
			return
		}
		switch r := t.routes[p]; {
		case r == nil:
		case r.state == Passive:
			if len(r.paths) == 0 {
				t.forget(r)
			}
		default:
			t.round(r)
		}
	}
}

// round ends one half of the active time: who did not answer the last SIA-QUERY,
// or not the third by a REPLY, is stuck; the others are asked again (RFC 7868
// section 4.4.1).
func (t *Table[A]) round(r *route[A]) {
	computation := r.computations
	for _, n := range append([]NeighborID(nil), r.waiting...) {
		if r.rounds == maxRounds || r.rounds > 0 && !has(r.alive, n) {
			t.effect(Stuck{r.prefix, n})
			t.down(n)
		}
	}
	if r.state == Passive || r.computations != computation {
		return
	}
	r.rounds++
	r.alive = nil
	for _, n := range r.waiting {
		t.one(r, t.neighbors[n], Message[A]{Kind: SIAQuery})
	}
	t.arm(r)
}

// receiveSIAQuery answers an SIA-QUERY. If the neighbour's QUERY never came, it is
// that QUERY; else it is no second one, whose REPLY would pass for the REPLY to a
// later QUERY (RFC 7868 section 4.4.1.1).
func (t *Table[A]) receiveSIAQuery(r *route[A], in Received[A], new path[A]) {
	if r == nil || r.owed != in.Neighbor && !has(r.answered, in.Neighbor) {
		t.receiveQuery(r, in, new)
		if r = t.routes[in.Prefix]; r == nil || r.owed != in.Neighbor {
			return
		}
	} else {
		t.learn(r, new, cause{in.Neighbor, true})
	}
	t.one(r, t.neighbors[in.Neighbor], Message[A]{Kind: SIAReply, Active: r.state != Passive})
}

// receiveSIAReply gives a neighbour more time if it is ACTIVE itself. It is not the
// REPLY (RFC 7868 section 3.4).
func (t *Table[A]) receiveSIAReply(r *route[A], in Received[A], new path[A]) {
	if r == nil && new.rd == Infinity {
		return
	}
	r = t.entry(in.Prefix)
	if in.Active && has(r.waiting, in.Neighbor) {
		r.alive = add(r.alive, in.Neighbor)
	}
	t.learn(r, new, cause{in.Neighbor, true})
}
