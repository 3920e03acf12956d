package core

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Pacing: so many packets at once, then a gap. What goes to the group of a
// multipoint tunnel is copied to each of its stations, and slower therefore.
const (
	burst           = 32
	gap             = 5 * time.Millisecond
	burstMultipoint = 4
	gapMultipoint   = 50 * time.Millisecond
)

// lane sends the jobs of an interface one after the other, paced.
type lane struct {
	iface  *iface
	jobs   []*job
	burst  int
	gap    time.Duration
	left   int           // packets of the present burst
	refill clock.Instant // when the next burst may begin
}

// jobKind tells why packets are sent.
type jobKind uint8

const (
	jobRegular jobKind = iota
	jobTriggered
	jobAnswer
	jobWithdraw
)

// job is an update under way: a walk through the table that goes on, packet by
// packet, at the key where it stopped.
type job struct {
	kind    jobKind
	iface   *iface
	version uint8
	dests   []netip.AddrPort
	only    netip.Addr // the one router that it is for; zero if it is for more

	summaries []*summary // still to be told
	list      []*route   // triggered: what changed, by key; otherwise the whole table is told
	next      key        // from which on routes are still to be told
	done      bool       // next went beyond the last
	class     key        // version 1: the last network of a class that was told
	spoke     bool       // a packet was sent
	passed    bool       // a triggered update went before it
	answer    answerKey  // jobAnswer
}

// setPace sets the pace for the kind of interface.
func (i *iface) setPace() {
	i.multicast.burst, i.multicast.gap = burst, gap
	i.unicast.burst, i.unicast.gap = burst, gap
	if i.link.Tunnel != nil && i.link.Tunnel.Mode == rib.TunnelGREMultipoint {
		i.multicast.burst, i.multicast.gap = burstMultipoint, gapMultipoint
	}
	if d := i.instance.cfg.OutputDelay; d > 0 {
		i.multicast.burst, i.multicast.gap = 1, d
		i.unicast.burst, i.unicast.gap = 1, d
	}
}

// enqueue puts a job into the lane. Triggered updates go before the others: they
// are short, and bad news should not wait. But where changes come faster than they
// can be told, they neither pile up nor keep the others from their turn: they join
// one that waits, and go before each of the others once.
func (l *lane) enqueue(j *job) {
	if j.kind != jobTriggered {
		l.jobs = append(l.jobs, j)
		return
	}
	at := 0
	for at < len(l.jobs) && (l.jobs[at].kind == jobTriggered || l.jobs[at].passed) {
		if l.jobs[at].join(j) {
			return
		}
		at++
	}
	for _, o := range l.jobs[at:] {
		o.passed = true
	}
	l.jobs = slices.Insert(l.jobs, at, j)
}

// join takes over what another triggered update has to tell, unless it has begun
// itself or goes elsewhere.
func (j *job) join(o *job) bool {
	if j.kind != jobTriggered || j.spoke || j.next != 0 || j.version != o.version || j.only != o.only || !slices.Equal(j.dests, o.dests) {
		return false
	}
	if len(o.list) > 0 {
		j.list = slices.Concat(j.list, o.list)
		slices.SortFunc(j.list, func(a, b *route) int { return cmp.Compare(a.key, b.key) })
		j.list = slices.Compact(j.list)
	}
	for _, s := range o.summaries {
		if !slices.Contains(j.summaries, s) {
			j.summaries = append(slices.Clone(j.summaries), s)
		}
	}
	return true
}

// run sends what may be sent now.
func (c *Core) run(now clock.Instant, l *lane) {
	k := timerKey{kind: timerLane, lane: l}
	if l.iface.full {
		c.timers.Clear(k)
		return
	}
	if now >= l.refill {
		l.left, l.refill = l.burst, now.Add(l.gap)
	}
	for len(l.jobs) > 0 && l.left > 0 {
		j := l.jobs[0]
		sent, more := c.advance(now, j)
		l.left -= sent
		if !more {
			l.jobs = slices.Delete(l.jobs, 0, 1)
			j.finish()
		}
	}
	if len(l.jobs) > 0 {
		c.timers.Set(k, l.refill)
	} else {
		c.timers.Clear(k)
	}
}

// sendRoom stops the lanes of an interface, or has them go on.
func (c *Core) sendRoom(now clock.Instant, in SendRoom) {
	for _, instance := range c.order {
		i := instance.ifaces[in.Interface]
		if i == nil || !i.active {
			continue
		}
		if i.full = in.Full; !i.full {
			c.run(now, &i.multicast)
			c.run(now, &i.unicast)
		}
	}
}

// stopLane drops what was still to be sent.
func (c *Core) stopLane(l *lane) {
	for _, j := range l.jobs {
		j.finish()
	}
	l.jobs = nil
	c.timers.Clear(timerKey{kind: timerLane, lane: l})
}

func (j *job) finish() {
	switch j.kind {
	case jobRegular:
		j.iface.going--
	case jobAnswer:
		delete(j.iface.instance.answers, j.answer)
	}
}
