package rib

import (
	"maps"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// maxFailures is the largest number of failures in one Ack; more go in further
// ones.
const maxFailures = 256

// acks is what an owner is yet to be told of its objects.
type acks struct {
	seen     uint64 // largest Seq that came
	told     uint64 // in the last Ack
	waits    []wait // in order of seq
	compact  int    // length of waits at which to look for what is superseded
	failures []rib.Failure
}

// wait is a Seq that is decided when the FIB has answered gen.
type wait struct {
	seq uint64
	gen uint64
	fib *fibEntry
}

func (a *acks) idle() bool {
	return len(a.waits) == 0 && len(a.failures) == 0 && a.told == a.seen
}

func (a *acks) fail(key rib.Key, err string) {
	a.failures = append(a.failures, rib.Failure{Key: key, Error: err})
}

// decided notes that the object of seq was decided, except for what the FIB
// has yet to say about f, which may be nil.
func (a *acks) decided(seq uint64, f *fibEntry) {
	if seq <= a.seen {
		return
	}
	if a.seen == 0 {
		a.told = seq - 1 // an owner that had nothing for a while is forgotten
	}
	a.seen = seq
	if f == nil || f.answered >= f.gen {
		return
	}
	a.waits = append(a.waits, wait{seq, f.gen, f})
	if len(a.waits) >= max(a.compact, 1024) {
		a.dropSuperseded()
		a.compact = 2 * len(a.waits)
	}
}

// dropSuperseded keeps the last wait for each entry of the FIB: an owner that
// changes its mind faster than the FIB works is told of the last state only,
// and what is kept is bounded by the number of entries.
func (a *acks) dropSuperseded() {
	later := make(map[*fibEntry]bool, len(a.waits))
	kept := len(a.waits)
	for i := len(a.waits) - 1; i >= 0; i-- {
		if w := a.waits[i]; !later[w.fib] {
			later[w.fib] = true
			kept--
			a.waits[kept] = w
		}
	}
	a.waits = slices.Delete(a.waits, 0, kept)
}

// upTo returns the Seq up to which everything is decided.
func (a *acks) upTo() uint64 {
	done := 0
	for done < len(a.waits) && a.waits[done].fib.answered >= a.waits[done].gen {
		done++
	}
	a.waits = a.waits[done:]
	if len(a.waits) > 0 {
		return a.waits[0].seq - 1
	}
	return a.seen
}

// ackAll emits what owners are to be told.
func (c *Core) ackAll() {
	for _, name := range slices.Sorted(maps.Keys(c.owners)) {
		o := c.owners[name]
		if o.lost {
			o.acks = acks{}
			continue
		}
		upTo := o.upTo()
		for len(o.failures) > maxFailures {
			c.emit(ToOwner{o.name, rib.Ack{Seq: o.told, Failures: slices.Clone(o.failures[:maxFailures])}})
			o.failures = o.failures[maxFailures:]
		}
		if upTo > o.told || len(o.failures) > 0 {
			upTo = max(upTo, o.told)
			c.emit(ToOwner{o.name, rib.Ack{Seq: upTo, Failures: o.failures}})
			o.told, o.failures = upTo, nil
		}
		c.dropOwner(o)
	}
}
