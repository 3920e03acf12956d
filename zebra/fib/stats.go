package fib

// Counters count what happened since the Core was made.
type Counters struct {
	Puts, Deletes uint64 // operations that succeeded
	Failures      uint64 // operations that failed
	Kept          uint64 // objects that were found installed as wanted, without a write
	PutBack       uint64 // objects that somebody else removed or changed
	Repaired      uint64 // differences that a dump showed and no event had told
	Strays        uint64 // objects marked as ours that nobody wants, found by a dump
	Lost          uint64 // objects that went down with their device
}

// Stats is a picture of the present.
type Stats struct {
	Counters
	Wanted    int // objects that shall be installed
	Installed int // of these, those that are
	Stale     int // objects of an earlier life, neither wanted nor swept
	Queued    int // differences waiting for their turn
	Failed    int // differences waiting for another try
	// Refused are the first of the failed, with the reason.
	Refused []Refusal
}

// Refusal says why an object is not as it is wanted.
type Refusal struct{ Object, Error string }

// maxRefused bounds Stats.Refused.
const maxRefused = 16

// refused returns the first of what failed.
func (c *Core) refused() (first []Refusal) {
	es := make([]*entry, 0, len(c.failed))
	for _, e := range c.failed {
		es = append(es, e)
	}
	sortEntries(es)
	for _, e := range es[:min(len(es), maxRefused)] {
		first = append(first, Refusal{Object: e.key.String(), Error: e.waits.err})
	}
	return first
}

// Stats returns a picture of the present.
func (c *Core) Stats() Stats {
	s := Stats{Counters: c.counters, Queued: c.Pending(), Failed: len(c.failed)}
	s.Refused = c.refused()
	for _, e := range c.entries.All() {
		switch {
		case e.want != nil:
			s.Wanted++
			if !e.differs() {
				s.Installed++
			}
		case e.stale:
			s.Stale++
		}
	}
	return s
}
