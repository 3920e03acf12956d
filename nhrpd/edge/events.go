package edge

import (
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// maxEvents is how many events are remembered.
const maxEvents = 1000

// events remembers what happened last, and counts it.
type events struct {
	mu     sync.Mutex
	ring   []cli.Event // used as a ring once it is full
	oldest int         // index in a full ring
	since  time.Time   // of the counts
	counts map[string]map[core.TraceEvent]uint64
}

// add takes in an event of the core.
func (e *events) add(now time.Time, t core.Trace) {
	if !cli.Happened(t.Event) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.counts == nil {
		e.counts = map[string]map[core.TraceEvent]uint64{}
	}
	if e.counts[t.Interface] == nil {
		e.counts[t.Interface] = map[core.TraceEvent]uint64{}
	}
	e.counts[t.Interface][t.Event]++
	if n := len(e.ring); n > 0 {
		if last := &e.ring[(e.oldest+n-1)%n]; last.Trace == t {
			last.Time, last.Repeated = now, last.Repeated+1
			return
		}
	}
	if len(e.ring) < maxEvents {
		e.ring = append(e.ring, cli.Event{Time: now, Trace: t})
		return
	}
	e.ring[e.oldest] = cli.Event{Time: now, Trace: t}
	e.oldest = (e.oldest + 1) % maxEvents
}

// recent returns what is remembered, oldest first.
func (e *events) recent() []cli.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append(slices.Clone(e.ring[e.oldest:]), e.ring[:e.oldest]...)
}

// stats returns the counts.
func (e *events) stats(now time.Time) cli.Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := cli.Stats{Since: now.Sub(e.since), Counts: map[string]map[core.TraceEvent]uint64{}}
	for name, counts := range e.counts {
		of := map[core.TraceEvent]uint64{}
		for event, n := range counts {
			of[event] = n
		}
		s.Counts[name] = of
	}
	return s
}

// clear sets the counts of an interface to zero, "" for all. What is remembered stays.
func (e *events) clear(now time.Time, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if name != "" {
		delete(e.counts, name)
		return
	}
	e.counts, e.since = nil, now
}

// Events returns what happened last, oldest first.
func (e *Edge) Events() []cli.Event { return e.events.recent() }

// Stats returns how often what happened.
func (e *Edge) Stats() cli.Stats { return e.events.stats(time.Now()) }

// ClearStats begins to count anew, on one interface or ("") on all.
func (e *Edge) ClearStats(name string) { e.events.clear(time.Now(), name) }
