package lsdb

import (
	"cmp"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// arm sets the deadline of an LSA: the next verification of its checksum, or the age at which
// it is refreshed or expires, whatever is first.
func (d *Database) arm(now clock.Instant, r *record) {
	age := r.present(now).Age
	if age&packet.DoNotAge != 0 || age >= packet.MaxAge {
		d.timers.Clear(r.lsa.LSAKey)
		return
	}
	next := min((age/CheckAge+1)*CheckAge, r.end())
	d.timers.Set(r.lsa.LSAKey, r.at.Add(time.Duration(next-r.lsa.Age)*time.Second))
}

// end is the age at which the LSA is refreshed or expires.
func (r *record) end() uint16 {
	if r.own {
		return packet.LSRefreshTime
	}
	return packet.MaxAge
}

// Next returns when Tick is to be called.
func (d *Database) Next() (at clock.Instant, ok bool) { return d.timers.Next() }

// Tick does what is due: it verifies checksums, refreshes the router's own LSAs and lets those
// of others reach MaxAge (RFC 2328 sections 12.4 and 14). The changes are appended to dst.
func (d *Database) Tick(now clock.Instant, dst []Change) []Change {
	for {
		key, ok := d.timers.PopDue(now)
		if !ok {
			return dst
		}
		r := d.records[key]
		if !r.lsa.ChecksumOK() {
			dst = append(dst, Change{Corrupt, r.present(now), PartNone})
		}
		switch age := r.present(now).Age; {
		case age < r.end():
			d.arm(now, r)
		case r.own:
			dst = append(dst, d.refresh(now, r))
		default:
			dst = append(dst, d.maxAge(now, r, Expired))
		}
	}
}

// refresh makes a new instance of an LSA of the router's own that says the same.
func (d *Database) refresh(now clock.Instant, r *record) Change {
	s := Statement{Type: r.lsa.Type, ID: r.lsa.ID, Options: r.lsa.Options, Body: r.lsa.Body()}
	c, err := d.next(now, s)
	if err != nil { // its length was accepted before
		return d.maxAge(now, r, Expired)
	}
	if c.Kind == Originated {
		c.Kind = Refreshed
	}
	return c
}

// maxAge ages an LSA to MaxAge, in its place.
func (d *Database) maxAge(now clock.Instant, r *record, why Kind) Change {
	lsa := r.lsa
	lsa.Age = packet.MaxAge
	part := d.put(now, lsa, record{own: r.own, counted: r.counted, waiting: r.waiting})
	return Change{why, lsa, part}
}

// Originate makes the instance of an LSA of the router's own that says s. Nothing changes if
// the last one says so already. If the sequence number wraps, the last one is flushed, and the
// new one comes with Flushed (RFC 2328 section 12.1.6).
func (d *Database) Originate(now clock.Instant, s Statement) (Change, error) {
	key := packet.LSAKey{Type: s.Type, ID: s.ID, Router: d.options.Router}
	if !d.Accepts(key) {
		return Change{}, errForeign
	}
	if r := d.records[key]; r != nil && r.own && !r.lsa.IsMaxAge() && r.says(s) {
		return Change{}, nil
	}
	return d.next(now, s)
}

// next makes the next instance, whether or not it says something new.
func (d *Database) next(now clock.Instant, s Statement) (Change, error) {
	h := packet.LSAHeader{Options: s.Options, Sequence: cmp.Or(s.First, packet.InitialSequence),
		LSAKey: packet.LSAKey{Type: s.Type, ID: s.ID, Router: d.options.Router}}
	if s.DoNotAge {
		h.Age = packet.DoNotAge
	}
	r := d.records[h.LSAKey]
	wrap := r != nil && r.lsa.Sequence == packet.MaxSequence
	if r != nil && !wrap {
		h.Sequence = max(h.Sequence, r.lsa.Sequence+1)
	}
	lsa, err := packet.NewLSA(h, s.Body)
	switch {
	case err != nil:
		return Change{}, err
	case !wrap:
		return Change{Originated, lsa, d.put(now, lsa, record{own: true})}, nil
	}
	r.waiting = &s
	if r.lsa.IsMaxAge() {
		return Change{}, nil
	}
	return d.maxAge(now, r, Flushing), nil
}

// Purge ages an LSA prematurely that does not age, whoever's it is (RFC 1793 sections 2.3 and
// 2.5). Of others it does nothing.
func (d *Database) Purge(now clock.Instant, key packet.LSAKey) Change {
	r := d.records[key]
	if r == nil || r.lsa.Age&packet.DoNotAge == 0 || r.lsa.IsMaxAge() {
		return Change{}
	}
	return d.maxAge(now, r, Flushing)
}

// Flush ages a self-originated LSA prematurely (RFC 2328 section 14.1), and forgets what waits
// for it. Nothing changes if there is none, it is MaxAge, or is not the router's own.
func (d *Database) Flush(now clock.Instant, key packet.LSAKey) Change {
	r := d.records[key]
	if r == nil || !d.Self(key) {
		return Change{}
	}
	r.waiting = nil
	if r.lsa.IsMaxAge() {
		return Change{}
	}
	return d.maxAge(now, r, Flushing)
}
