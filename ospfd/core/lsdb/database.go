package lsdb

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Database is the link state database of one scope. It is not safe for concurrent use.
type Database struct {
	options   Options
	addresses []packet.ID // of the router's interfaces, sorted
	records   map[packet.LSAKey]*record
	order     []packet.LSAKey // sorted; nil: not made since keys changed
	timers    clock.Heap[packet.LSAKey]
	lsas      int // that were received
	octets    int // of these
}

// record is the instance of an LSA that the database has.
type record struct {
	lsa     packet.LSA    // with its age at the instant at
	at      clock.Instant // when it was installed
	own     bool          // the router made it
	flooded bool          // it was received by flooding
	counted bool          // against the limits
	wasSent bool
	sent    clock.Instant // to answer an older instance, if wasSent
	waiting *Statement    // comes out when the sequence number has wrapped
}

// New returns an empty database.
func New(o Options) *Database {
	return &Database{options: o.filled(), records: map[packet.LSAKey]*record{}}
}

// SetAddresses says which addresses the router's interfaces have: a network-LSA with one of
// them as its Link State ID is self-originated (section 13.4).
func (d *Database) SetAddresses(addresses []packet.ID) {
	d.addresses = slices.Clone(addresses)
	slices.Sort(d.addresses)
}

// Self reports whether an LSA is self-originated (sections 13.4 and 14.1).
func (d *Database) Self(key packet.LSAKey) bool {
	if key.Router == d.options.Router {
		return true
	}
	_, found := slices.BinarySearch(d.addresses, key.ID)
	return key.Type == packet.NetworkLSA && found
}

// Accepts reports whether an LSA of this name may be in the database. One that may not is not
// to be asked for.
func (d *Database) Accepts(key packet.LSAKey) bool {
	scope, ok := ScopeOf(key.Type)
	return ok && scope == d.options.Scope && (key.Type != packet.RouterLSA || key.ID == key.Router)
}

// Receive judges an LSA that came by flooding, and installs it if it is newer than the copy
// (RFC 2328 section 13). exchanging says whether any neighbour is in state Exchange or
// Loading. The LSA's octets are copied if they are kept.
func (d *Database) Receive(now clock.Instant, lsa packet.LSA, exchanging bool) Receipt {
	key := lsa.LSAKey
	switch {
	case !lsa.ChecksumOK():
		return Receipt{Verdict: BadChecksum}
	case !d.Accepts(key):
		return Receipt{Verdict: Unacceptable}
	}
	if lsa.IsMaxAge() {
		lsa.Age = packet.MaxAge
	}
	self, r := d.Self(key), d.records[key]
	if r == nil {
		if lsa.IsMaxAge() && !exchanging {
			return Receipt{Verdict: Gone, Self: self}
		}
	} else if v := d.compare(now, r, lsa); v != Newer {
		receipt := Receipt{Verdict: v, Self: self}
		if v == Duplicate && lsa.Age&packet.DoNotAge != 0 {
			d.keep(now, r)
		}
		if v == SendBack {
			receipt.Copy = r.present(now)
		}
		return receipt
	}
	if !d.room(r, lsa) {
		return Receipt{Verdict: Full}
	}
	if r != nil && r.lsa.Age&packet.DoNotAge != 0 && !lsa.IsMaxAge() && difference(r, lsa) == PartNone {
		lsa.Age |= packet.DoNotAge
	}
	lsa.Octets = bytes.Clone(lsa.Octets) // else one LSA keeps a whole packet
	part := d.put(now, lsa, record{flooded: true, counted: true})
	return Receipt{Verdict: Newer, Self: self, Change: Change{Installed, lsa, part}}
}

// keep makes the copy one that does not age, since that came as such by another way. What is
// the router's own ages (RFC 4136 section 2).
func (d *Database) keep(now clock.Instant, r *record) {
	if lsa := r.present(now); !r.own && !lsa.IsMaxAge() {
		r.lsa.Age = lsa.Age | packet.DoNotAge
		d.timers.Clear(lsa.LSAKey)
	}
}

// Since returns when an LSA was installed.
func (d *Database) Since(key packet.LSAKey) clock.Instant {
	if r := d.records[key]; r != nil {
		return r.at
	}
	return clock.Never
}

// compare does steps 5a, 7 and 8 of section 13 against the copy.
func (d *Database) compare(now clock.Instant, r *record, lsa packet.LSA) Verdict {
	copied := r.present(now)
	c := lsa.Compare(copied.LSAHeader)
	switch {
	case c > 0 && r.flooded && now.Sub(r.at) < d.options.MinArrival:
		return TooSoon
	case c > 0:
		return Newer
	case c == 0:
		return Duplicate
	case copied.IsMaxAge() && copied.Sequence == packet.MaxSequence:
		return Wrapping
	case r.wasSent && now.Sub(r.sent) < d.options.MinArrival:
		return JustSent
	}
	return SendBack
}

// room reports whether an LSA that was received fits, in the place of old or, if that is nil,
// anew. One that is no longer than its copy always does. Self-originated ones are no exception:
// anybody can send them.
func (d *Database) room(old *record, lsa packet.LSA) bool {
	lsas, octets := 1, len(lsa.Octets)
	if old != nil {
		lsas, octets = 0, octets-len(old.lsa.Octets)
	}
	return (lsas == 0 || d.lsas < d.options.MaxLSAs) && (octets <= 0 || d.octets+octets <= d.options.MaxOctets)
}

// Sent says that the copy of an LSA was sent in a Link State Update: for MinLSArrival it is not
// sent back again to who has an older one (step 8).
func (d *Database) Sent(now clock.Instant, key packet.LSAKey) {
	if r := d.records[key]; r != nil {
		r.wasSent, r.sent = true, now
	}
}

// Exchanged says that the copy of an LSA was received because it was asked for, in the exchange
// of databases, and not by flooding: MinLSArrival does not hold for the next one (step 5a).
func (d *Database) Exchanged(key packet.LSAKey) {
	if r := d.records[key]; r != nil {
		r.flooded = false
	}
}

// put installs an instance, whose age is that of now, and tells what it changes (section
// 13.2).
func (d *Database) put(now clock.Instant, lsa packet.LSA, r record) Part {
	r.lsa, r.at = lsa, now
	old := d.records[lsa.LSAKey]
	if old == nil {
		d.order = nil
	} else {
		d.count(old, -1)
	}
	d.count(&r, +1)
	d.records[lsa.LSAKey] = &r
	d.arm(now, &r)
	return difference(old, lsa)
}

func (d *Database) count(r *record, by int) {
	if r.counted {
		d.lsas += by
		d.octets += by * len(r.lsa.Octets)
	}
}

// Flushed says of a MaxAge LSA that it is on no retransmission list, and no neighbour is in
// state Exchange or Loading: it is removed (section 14). If its sequence number has wrapped,
// what waited for that is originated. Of other LSAs it does nothing. The changes are appended
// to dst.
func (d *Database) Flushed(now clock.Instant, key packet.LSAKey, dst []Change) []Change {
	r := d.records[key]
	if r == nil || !r.lsa.IsMaxAge() {
		return dst
	}
	d.count(r, -1)
	delete(d.records, key)
	d.timers.Clear(key)
	d.order = nil
	dst = append(dst, Change{Removed, r.lsa, PartNone})
	if r.waiting == nil {
		return dst
	}
	if c, err := d.Originate(now, *r.waiting); err == nil { // it was encoded before
		dst = append(dst, c)
	}
	return dst
}

// Get returns an LSA with its present age.
func (d *Database) Get(now clock.Instant, key packet.LSAKey) (lsa packet.LSA, ok bool) {
	r := d.records[key]
	if r == nil {
		return packet.LSA{}, false
	}
	return r.present(now), true
}

// Own reports whether the instance in the database is one that the router made in this life.
func (d *Database) Own(key packet.LSAKey) bool {
	r := d.records[key]
	return r != nil && r.own
}

// Len returns the number of LSAs.
func (d *Database) Len() int { return len(d.records) }

// Load returns how many LSAs there are that were received, and their octets: what the limits
// bound.
func (d *Database) Load() (lsas, octets int) { return d.lsas, d.octets }

// All yields the LSAs with their present ages, in the order of CompareKeys. The database must
// not be changed meanwhile.
func (d *Database) All(now clock.Instant) iter.Seq[packet.LSA] {
	return func(yield func(packet.LSA) bool) {
		for _, key := range d.sorted() {
			if !yield(d.records[key].present(now)) {
				return
			}
		}
	}
}

// OfType yields the LSAs of one type, as All does.
func (d *Database) OfType(now clock.Instant, t packet.LSType) iter.Seq[packet.LSA] {
	return func(yield func(packet.LSA) bool) {
		keys := d.sorted()
		at, _ := slices.BinarySearchFunc(keys, packet.LSAKey{Type: t}, CompareKeys)
		for _, key := range keys[at:] {
			if key.Type != t || !yield(d.records[key].present(now)) {
				return
			}
		}
	}
}

func (d *Database) sorted() []packet.LSAKey {
	if d.order == nil {
		keys := make([]packet.LSAKey, 0, len(d.records))
		for key := range d.records {
			keys = append(keys, key)
		}
		slices.SortFunc(keys, CompareKeys)
		d.order = keys
	}
	return d.order
}

// Summary returns what a new adjacency is told of the database (RFC 2328 sections 10.3 and
// 14): the headers of LSAs for its Database summary list, and the keys of those that are
// MaxAge, which go on its retransmission list instead.
func (d *Database) Summary(now clock.Instant) (headers []packet.LSAHeader, maxAge []packet.LSAKey) {
	for lsa := range d.All(now) {
		if lsa.IsMaxAge() {
			maxAge = append(maxAge, lsa.LSAKey)
		} else {
			headers = append(headers, lsa.LSAHeader)
		}
	}
	return headers, maxAge
}

// errForeign refuses to originate what is no LSA of this router or this database.
var errForeign = errors.New("lsdb: LSA of another scope or router")

// present is the LSA with its age at an instant. What has reached MaxAge by time alone is
// MaxAge already, though Tick has not said so yet.
func (r *record) present(now clock.Instant) packet.LSA {
	lsa := r.lsa
	lsa.Age = grown(lsa.Age, int64(now.Sub(r.at)/time.Second))
	return lsa
}

// grown is an age after some seconds.
func grown(age uint16, seconds int64) uint16 {
	switch {
	case age&packet.DoNotAge != 0:
		return age
	case int64(age)+seconds >= packet.MaxAge:
		return packet.MaxAge
	}
	return age + uint16(seconds)
}

// Delayed returns an LSA as it is copied into a Link State Update: its age is incremented by
// InfTransDelay, in seconds, up to MaxAge (sections 13.3 and 14), also if it does not age (RFC
// 1793 section 2.2).
func Delayed(lsa packet.LSA, delay uint16) packet.LSA {
	bit := lsa.Age & packet.DoNotAge
	lsa.Age = grown(lsa.Age&^packet.DoNotAge, int64(delay)) | bit
	return lsa
}
