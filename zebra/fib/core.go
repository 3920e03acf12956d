package fib

import (
	"errors"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// Times between tries.
const (
	RetryMin = time.Second // after the first failure; doubled by each one that follows
	RetryMax = time.Minute
	// PutBackMin is the shortest time between two puts of an object that others
	// keep changing.
	PutBackMin = time.Second
)

// Outcome says what became of an object.
type Outcome struct {
	Key    dataplane.Key
	Object dataplane.Object // what was put; nil if it was deleted
	Err    error            // nil: the data plane is as wanted
}

// entry is what is known of one key.
type entry struct {
	key    dataplane.Key
	want   dataplane.Object // nil: not wanted
	have   dataplane.Object // nil: not installed, or not known to be
	last   clock.Instant    // of the last put
	waits  *trouble         // it failed, or has a time at which to try again
	gen    uint8            // of the dump that showed it
	inPut  bool             // it has a place in the queue of puts
	inDel  bool             // it has a place in the queue of deletes
	stale  bool             // have is of an earlier life, and nobody spoke for it yet
	doomed bool             // not wanted, and to be removed
	flying bool             // an operation is with the provider
	undone bool             // while it was, the object was lost
	once   bool             // want was in force: an SA that was is kept, and not begun anew
}

// trouble is what is known of an object that failed.
type trouble struct {
	fails uint8  // in a row
	err   string // of the last try
	gone  error  // why it cannot be in force, for good
}

// gone is why the object cannot be in force, for good; nil if it can.
func (e *entry) gone() error {
	if e.waits == nil {
		return nil
	}
	return e.waits.gone
}

// wait has the object wait.
func (e *entry) wait() *trouble {
	if e.waits == nil {
		e.waits = &trouble{}
	}
	return e.waits
}

// differs reports whether there is something to do.
func (e *entry) differs() bool {
	if e.want == nil {
		return e.doomed
	}
	return e.have == nil || !dataplane.Satisfied(e.want, e.have)
}

// Core compares what is wanted with what is installed. It is a plain value
// driven by one goroutine at a time.
type Core struct {
	entries  dataplane.Map[*entry]
	devices  map[dataplane.Key]*entry // of entries, those that are devices
	puts     [numRanks]queue
	dels     [numRanks]queue
	retry    clock.Heap[dataplane.Key]
	failed   map[dataplane.Key]*entry
	links    map[string]dataplane.LinkInfo
	flying   []flight
	outcomes []Outcome
	counters Counters
	dump     dumpState
}

// flight is an operation that the provider has.
type flight struct {
	e  *entry
	op dataplane.Op
}

// NewCore returns a Core that wants nothing and knows of nothing.
func NewCore() *Core {
	return &Core{
		devices: map[dataplane.Key]*entry{},
		failed:  map[dataplane.Key]*entry{},
		links:   map[string]dataplane.LinkInfo{},
	}
}

func (c *Core) entry(k dataplane.Key) *entry {
	e := c.entries.Get(k)
	if e == nil {
		e = &entry{key: k, last: -clock.Never}
		c.entries.Set(k, e)
		if !onDevice(k.Kind) {
			c.devices[k] = e
		}
	}
	return e
}

// Put makes o wanted, in the place of what was wanted under its key. An Outcome
// follows, now if o is installed already, unless it failed before and waits for
// another try.
func (c *Core) Put(o dataplane.Object) {
	e := c.entry(o.Key())
	if e.want != nil && e.want.Equal(o) {
		switch {
		case e.gone() != nil && (e.once || !dataplane.Anew(e.want, o)):
			c.outcomes = append(c.outcomes, Outcome{Key: e.key, Object: o, Err: e.gone()})
			return
		case e.gone() != nil:
		case !e.flying && !e.differs():
			c.outcomes = append(c.outcomes, Outcome{Key: e.key, Object: o})
			return
		default:
			return
		}
	}
	e.once = e.once && dataplane.SameSA(e.want, o)
	kept := e.stale
	e.want, e.stale, e.doomed = o, false, false
	c.calm(e)
	switch {
	case e.flying || e.differs():
		c.queue(e)
	default:
		if kept {
			c.counters.Kept++
		}
		e.once = true
		c.outcomes = append(c.outcomes, Outcome{Key: e.key, Object: o})
	}
}

// Delete makes the object with key k not wanted.
func (c *Core) Delete(k dataplane.Key) {
	e := c.entries.Get(k)
	if e == nil || e.want == nil && !e.stale {
		return
	}
	c.doom(e)
}

// doom has an object removed. The removal is tried even if the object is not
// known to be installed: a put that failed may have done half its work.
func (c *Core) doom(e *entry) {
	e.want, e.stale, e.doomed = nil, false, true
	c.calm(e)
	c.queue(e)
}

// Sweep has the stale objects removed for which filter holds (all if it is
// nil), and returns their number.
func (c *Core) Sweep(filter func(dataplane.Object) bool) int {
	return c.doomAll(func(e *entry) bool {
		return e.stale && e.have != nil && (filter == nil || filter(e.have))
	})
}

// DeleteAll makes nothing wanted, stale objects included.
func (c *Core) DeleteAll() {
	c.doomAll(func(e *entry) bool { return e.want != nil || e.have != nil })
}

func (c *Core) doomAll(pick func(*entry) bool) int {
	es := c.pick(pick)
	for _, e := range es {
		c.doom(e)
	}
	return len(es)
}

// calm forgets earlier failures, and the time at which to try again.
func (c *Core) calm(e *entry) {
	if e.waits == nil {
		return
	}
	e.waits = nil
	c.retry.Clear(e.key)
	delete(c.failed, e.key)
}

// Next returns up to max operations that are due, in the order in which they
// are to be done. Their results must be given to Done before Next is called
// again.
func (c *Core) Next(now clock.Instant, max int) []dataplane.Op {
	for {
		k, ok := c.retry.PopDue(now)
		if !ok {
			break
		}
		delete(c.failed, k)
		if e := c.entries.Get(k); e != nil {
			c.queue(e)
		}
	}
	c.flying = c.flying[:0]
	sas := rank(dataplane.Key{Kind: dataplane.KindSA})
	for r := numRanks - 1; r >= 0; r-- {
		if r != sas {
			c.take(&c.dels[r], true, max)
		}
	}
	for r := range c.puts {
		c.take(&c.puts[r], false, max)
	}
	c.take(&c.dels[sas], true, max)
	ops := make([]dataplane.Op, len(c.flying))
	for i, f := range c.flying {
		ops[i] = f.op
	}
	return ops
}

// take moves entries from a queue into the batch.
func (c *Core) take(q *queue, del bool, max int) {
	for len(c.flying) < max {
		e := q.pop()
		if e == nil {
			return
		}
		if del {
			e.inDel = false
		} else {
			e.inPut = false
		}
		switch {
		case e.flying || !e.differs():
			c.forget(e)
		case del != (e.want == nil):
			// Its mind was changed; it has a place in the other queue.
		case del:
			e.flying = true
			c.flying = append(c.flying, flight{e, dataplane.Delete(e.key)})
		default:
			e.flying = true
			c.flying = append(c.flying, flight{e, e.put()})
		}
	}
}

// put returns the operation that brings what is wanted into force.
func (e *entry) put() dataplane.Op {
	if e.once {
		return dataplane.Put(dataplane.Settled(e.want))
	}
	return dataplane.Put(e.want)
}

// Done takes the results of the operations of the last Next, one for each.
func (c *Core) Done(now clock.Instant, results []dataplane.Result) {
	for i, f := range c.flying {
		f.e.flying = false
		c.landed(now, f, results[i].Err)
		f.e.undone = false
	}
	clear(c.flying)
	c.flying = c.flying[:0]
}

func (c *Core) landed(now clock.Instant, f flight, err error) {
	e := f.e
	if f.op.IsDelete() && errors.Is(err, dataplane.ErrUnsupported) {
		err = nil // what cannot be done is not there
	}
	if f.op.Object != nil {
		e.last = now
	}
	switch {
	case err != nil:
		c.counters.Failures++
		e.have = nil
	case f.op.IsDelete():
		c.counters.Deletes++
		e.have = nil
		e.doomed = false
	default:
		c.counters.Puts++
		e.have = f.op.Object
		if e.undone {
			e.have = nil
		}
		e.doomed = e.want == nil
	}
	if err == nil {
		c.follow(f.op)
		e.once = dataplane.SameSA(f.op.Object, e.want)
	}
	if c.current(f) {
		c.outcomes = append(c.outcomes, Outcome{Key: e.key, Object: f.op.Object, Err: err})
	}
	switch {
	case err != nil && c.current(f):
		c.later(now, e, err)
	case e.differs():
		c.queue(e)
	default:
		c.calm(e)
		c.forget(e)
	}
}

// current reports whether an operation did what is still wanted.
func (c *Core) current(f flight) bool {
	if f.op.IsDelete() {
		return f.e.want == nil
	}
	return f.e.want != nil && f.e.want.Equal(f.op.Object)
}

// later plans another try. What can never succeed waits the longest time; what is gone
// for good is not tried.
func (c *Core) later(now clock.Instant, e *entry, err error) {
	wait := RetryMax
	t := e.wait()
	if t.fails < 6 {
		wait = RetryMin << t.fails
		t.fails++
	}
	if errors.Is(err, dataplane.ErrInvalid) || errors.Is(err, dataplane.ErrUnsupported) {
		wait = RetryMax
	}
	t.err = err.Error()
	c.failed[e.key] = e
	if errors.Is(err, dataplane.ErrGone) {
		t.gone = err
		return
	}
	c.retry.Set(e.key, now.Add(min(wait, RetryMax)))
}

// queue gives an entry that differs its place, unless it has one.
func (c *Core) queue(e *entry) {
	r := rank(e.key)
	if e.want == nil {
		if !e.inDel {
			e.inDel = true
			c.dels[r].push(e)
		}
	} else if !e.inPut {
		e.inPut = true
		c.puts[r].push(e)
	}
}

// forget drops an entry about which nothing is left to know.
func (c *Core) forget(e *entry) {
	if e.want == nil && e.have == nil && !e.doomed && !e.flying && !e.inPut && !e.inDel {
		c.entries.Delete(e.key)
		delete(c.devices, e.key)
		c.calm(e)
	}
}

// Wake returns the instant at which Next has something to do: now if there is
// something already, clock.Never if nothing is planned.
func (c *Core) Wake(now clock.Instant) clock.Instant {
	if c.Pending() > 0 {
		return now
	}
	at, ok := c.retry.Next()
	if !ok {
		return clock.Never
	}
	return at
}

// Pending returns the number of places taken in the queues: 0 if every
// difference was tried at least once.
func (c *Core) Pending() int {
	n := 0
	for r := range c.puts {
		n += c.puts[r].len() + c.dels[r].len()
	}
	return n
}

// Drain appends the outcomes since the last Drain to dst.
func (c *Core) Drain(dst []Outcome) []Outcome {
	dst = append(dst, c.outcomes...)
	clear(c.outcomes)
	c.outcomes = c.outcomes[:0]
	return dst
}

// Installed returns what is believed to be installed under k.
func (c *Core) Installed(k dataplane.Key) (dataplane.Object, bool) {
	e := c.entries.Get(k)
	if e == nil || e.have == nil {
		return nil, false
	}
	return e.have, true
}
