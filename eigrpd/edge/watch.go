package edge

import (
	"fmt"
	"os"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
)

// How often the watch looks, and how far the time of day must be from where it
// was expected to count as set.
const (
	watchEvery = 10 * time.Second
	wallStep   = time.Second
)

// watch tells the core when somebody sets the time of day, or the machine slept;
// tries again what failed; and tells the operator of packets that nobody had the time
// to read. It ends with Run.
func (e *Edge) watch() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	c := clockWatch{wall: e.wall(), at: time.Now()}
	var lost, unread uint64
	for {
		select {
		case <-e.life.Done():
			return
		case <-ticker.C:
		}
		if now, set := c.look(e.wall(), time.Now()); set {
			e.driver.Post(core.WallClock{Now: now})
		}
		e.sockets.retry()
		e.overrun(&lost, e.driver.Stats().Dropped, "more came than could be looked at")
		e.overrun(&unread, e.sockets.unread(), "the buffer of a socket was full (net.core.rmem_max limits it)")
	}
}

// Process returns what is counted for the daemon as a whole. What waits when this is
// asked was looked at before the question.
func (e *Edge) Process() cli.Process {
	stats := e.driver.Stats()
	return cli.Process{ID: os.Getpid(), QueueLimit: rxQueue, QueueHighest: stats.MaxQueue, QueueDrops: stats.Dropped, SocketDrops: e.sockets.unread()}
}

// overrun tells of packets that were lost since the last look.
func (e *Edge) overrun(before *uint64, now uint64, why string) {
	if now > *before {
		e.logMessage(core.Log{Facility: "EIGRP", Severity: core.SeverityWarning, Mnemonic: "OVERRUN",
			Text: fmt.Sprintf("%d packets dropped: %s", now-*before, why)})
	}
	*before = now
}

// clockWatch knows when it was what time of day.
type clockWatch struct{ wall, at time.Time }

// look compares the time of day with what is expected from the monotonic clock.
func (c *clockWatch) look(wall, at time.Time) (now time.Time, set bool) {
	expected := c.wall.Add(at.Sub(c.at))
	if diff := wall.Sub(expected); diff.Abs() < wallStep {
		return wall, false
	}
	c.wall, c.at = wall, at
	return wall, true
}
