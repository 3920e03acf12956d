package supervisor

import (
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// The bounds of the wait before a daemon is started again, and how long a daemon
// must have run for the wait to begin at the lower bound again.
const (
	BackoffMin  = time.Second
	BackoffMax  = time.Minute
	StableAfter = time.Minute
)

// backoff decides when a daemon that has died is started again: after 1, 2, 4 …
// 60 seconds.
type backoff struct {
	wait    time.Duration
	running bool
	since   clock.Instant
}

// started notes that the daemon is up.
func (b *backoff) started(now clock.Instant) { b.running, b.since = true, now }

// failed notes that the daemon died, or could not be started, and returns when
// to try next.
func (b *backoff) failed(now clock.Instant) clock.Instant {
	if b.running && now.Sub(b.since) >= StableAfter {
		b.wait = 0
	}
	b.running = false
	b.wait = min(max(2*b.wait, BackoffMin), BackoffMax)
	return now.Add(b.wait)
}

// reset makes the next wait a short one: the user has intervened.
func (b *backoff) reset() { *b = backoff{} }
