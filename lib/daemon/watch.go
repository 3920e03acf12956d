package daemon

import (
	"fmt"
	"time"

	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// How often the watch looks, and how far the time of day must be from where it
// was expected to count as set.
const (
	watchEvery = 10 * time.Second
	wallStep   = time.Second
)

// watch tells the core when somebody sets the time of day, or the machine slept; has the
// edge try again what failed; and tells the operator of packets that nobody had the time
// to read. It ends with Run.
func (e *Edge[In, Out, Report]) watch() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var c *ClockWatch
	if e.cfg.Wall != nil {
		c = NewClockWatch(e.cfg.Wall(), time.Now())
	}
	var lost, unread uint64
	for {
		select {
		case <-e.life.Done():
			return
		case <-ticker.C:
		}
		if c != nil {
			if now, set := c.Look(e.cfg.Wall(), time.Now()); set {
				e.Driver.Post(e.cfg.WallClock(now))
			}
		}
		if e.cfg.Look != nil {
			e.cfg.Look()
		}
		e.overrun(&lost, e.Driver.Stats().Dropped, "more came than could be looked at")
		if e.cfg.Unread != nil {
			e.overrun(&unread, e.cfg.Unread(), "the buffer of a socket was full (net.core.rmem_max limits it)")
		}
	}
}

// overrun tells of packets that were lost since the last look.
func (e *Edge[In, Out, Report]) overrun(before *uint64, now uint64, why string) {
	if now > *before {
		e.Message("", telemetry.Warning, "OVERRUN", fmt.Sprintf("%d packets dropped: %s", now-*before, why))
	}
	*before = now
}

// ClockWatch knows when it was what time of day.
type ClockWatch struct{ wall, at time.Time }

// NewClockWatch begins with a time of day and a reading of the monotonic clock.
func NewClockWatch(wall, at time.Time) *ClockWatch { return &ClockWatch{wall, at} }

// Look compares the time of day with what is expected from the monotonic clock. It
// returns the time of day, and whether somebody set it, or the machine slept.
func (c *ClockWatch) Look(wall, at time.Time) (now time.Time, set bool) {
	expected := c.wall.Add(at.Sub(c.at))
	if diff := wall.Sub(expected); diff.Abs() < wallStep {
		return wall, false
	}
	c.wall, c.at = wall, at
	return wall, true
}
