package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// The hold after a triggered update is random within these bounds (RFC 2453
// section 3.10.1).
const (
	minHold = 1 * time.Second
	maxHold = 5 * time.Second
)

// maxWithdraw bounds the packets for each interface and version with which an
// instance takes leave; what they do not tell times out.
const maxWithdraw = 256

// trigger sends a triggered update if something changed: at once, or when the hold
// after the last one is over.
func (c *Core) trigger(now clock.Instant, in *instance) {
	if len(in.changed) == 0 && !in.summaryChanged {
		return
	}
	if now < in.hold {
		c.timers.Set(timerKey{kind: timerTrigger, instance: in}, in.hold)
		return
	}
	c.timers.Clear(timerKey{kind: timerTrigger, instance: in})
	in.hold = now.Add(c.between(minHold, maxHold))
	list := in.changed
	in.changed = nil
	for _, r := range list {
		r.changed = false
	}
	slices.SortFunc(list, func(a, b *route) int { return cmp.Compare(a.key, b.key) })
	var summaries []*summary
	if in.summaryChanged {
		in.summaryChanged = false
		for _, s := range in.summaries {
			if s.changed {
				summaries = append(summaries, s)
				s.changed = false
			}
		}
	}
	in.table.sort()
	for _, i := range in.order {
		// A regular update that began since the last change tells it all.
		if !i.active || i.silent() || i.lastFull > in.changedAt {
			continue
		}
		var own []*summary
		for _, s := range summaries {
			if slices.Contains(i.summaries, s) {
				own = append(own, s)
			}
		}
		c.launch(now, i, i.jobs(jobTriggered, nonNil(list), own))
	}
}

// nonNil keeps a job without changed routes from telling the whole table.
func nonNil(list []*route) []*route {
	if list == nil {
		return []*route{}
	}
	return list
}

// withdraw tells the neighbours that nothing can be reached through this router
// any more: once, and without pacing, since nobody will be there to go on.
func (c *Core) withdraw(now clock.Instant, in *instance) {
	in.table.sort()
	for _, i := range in.order {
		if !i.active || i.silent() {
			continue
		}
		c.stopLane(&i.multicast)
		c.stopLane(&i.unicast)
		for _, j := range i.jobs(jobWithdraw, nil, i.summaries) {
			for range maxWithdraw {
				if _, more := c.advance(now, j); !more {
					break
				}
			}
		}
	}
}
