package edge

import (
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Of the first question, which decides what becomes of an earlier life's SAs.
const (
	dumpAgain = time.Second // after an error
	dumpTries = 10
)

// dump asks zebra which SAs are in force, one question at a time.
type dump struct {
	watch   func(rib.Watch)
	unwatch func(rib.Watch)

	mu     sync.Mutex // guards the following
	number uint32     // of the question
	under  bool       // it was asked and not answered
	done   chan struct{}
	next   chan struct{} // of the question after that; nil if none is wanted
	known  bool          // the first one was answered
	failed int           // attempts at the first one
}

// ask asks, and returns a channel that is closed once an answer to a question that was
// asked now or later was taken in.
func (d *dump) ask() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.under {
		d.done = make(chan struct{})
		d.start()
		return d.done
	}
	if d.next == nil {
		d.next = make(chan struct{})
	}
	return d.next
}

// start puts the question. d.mu is held.
func (d *dump) start() {
	d.number++
	d.under = true
	d.watch(d.question())
}

func (d *dump) question() rib.Watch { return rib.Watch{Kind: rib.WatchSADump, Instance: d.number} }

// current reports whether an answer is that to the present question.
func (d *dump) current(number uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.under && number == d.number
}

// learned reports whether the first question was answered.
func (d *dump) learned() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known
}

// end ends a question; first says that it is the first one that was answered, or was
// asked often enough.
func (d *dump) end(ok bool) (first, again bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unwatch(d.question())
	close(d.done)
	d.under = false
	if d.next != nil {
		d.done, d.next = d.next, nil
		d.start()
	}
	if d.known {
		return false, false
	}
	if d.failed++; !ok && d.failed < dumpTries {
		return false, true
	}
	d.known = true
	return true, false
}

// dumped takes in a part of an answer: what this life states, and at first what an
// earlier one did.
func (e *Edge) dumped(ev rib.SADump) {
	if !e.dump.current(ev.Question) {
		return
	}
	learned := e.dump.learned()
	for _, s := range ev.SAs {
		if s.Live || !learned {
			e.driver.Post(core.SAKnown{SA: s.SA.ESP, Count: s.Count})
		}
	}
	if !ev.Last {
		return
	}
	if ev.Error != "" {
		e.log.Warn("it is not known which security associations are in force", "error", ev.Error)
	}
	first, again := e.dump.end(ev.Error == "")
	if first {
		e.driver.Post(core.SAsKnown{})
	}
	if again {
		time.AfterFunc(dumpAgain, func() {
			if e.life.Err() == nil {
				e.dump.ask()
			}
		})
	}
}
