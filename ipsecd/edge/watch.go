package edge

import (
	"fmt"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/daemon"
)

// How often the watch looks, and how often files of certificates are read again.
const (
	lookEvery   = 10 * time.Second
	reloadEvery = time.Minute
)

// look tells the core when somebody sets the time of day, or the machine slept; reads
// files again; and tells the operator of datagrams that nobody had the time to read. It
// ends with Run.
func (e *Edge) look() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	c := daemon.NewClockWatch(e.wall(), time.Now())
	var lost, unread uint64
	read := time.Now()
	for {
		select {
		case <-e.life.Done():
			return
		case <-ticker.C:
		}
		if now, set := c.Look(e.wall(), time.Now()); set {
			e.driver.Post(core.WallClock{Now: now})
		}
		e.topics.expire(time.Now())
		for _, u := range e.topics.unwanted(time.Now()) {
			e.driver.Post(u)
		}
		if time.Since(read) >= reloadEvery {
			read = time.Now()
			e.reload()
		}
		e.overrun(&lost, e.driver.Stats().Dropped, "more came than could be looked at")
		e.overrun(&unread, e.sockets.unread(), "the buffer of a socket was full (net.core.rmem_max limits it)")
	}
}

// overrun tells of datagrams that were lost since the last look.
func (e *Edge) overrun(before *uint64, now uint64, why string) {
	if now > *before {
		e.logMessage(core.Log{Facility: "IKEV2", Severity: core.SeverityWarning, Mnemonic: "OVERRUN",
			Text: fmt.Sprintf("%d datagrams dropped: %s", now-*before, why)})
	}
	*before = now
}
