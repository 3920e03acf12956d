package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// Limits of what a remote station can make this node send or log. Error
// indications answer packets that are not authenticated: without a limit, a
// forged source could turn this node against a third one.
const (
	errorInterval = time.Second
	errorBurst    = 4
	logInterval   = 10 * time.Second
	logBurst      = 4

	// limiterSources bounds the sources that a limiter tells apart; those
	// beyond share one allowance.
	limiterSources = 1024
)

// limiter grants each source burst tokens, and one more every interval.
type limiter struct {
	interval time.Duration
	burst    int
	sources  map[netip.Addr]bucket
	swept    clock.Instant
}

type bucket struct {
	tokens int
	at     clock.Instant // up to which tokens were granted
}

// allow takes a token of source's.
func (l *limiter) allow(now clock.Instant, source netip.Addr) bool {
	if l.sources == nil {
		l.sources = make(map[netip.Addr]bucket)
	}
	b, ok := l.sources[source]
	if !ok {
		if len(l.sources) >= limiterSources && now.Sub(l.swept) >= l.interval {
			l.sweep(now)
		}
		if len(l.sources) >= limiterSources {
			source = netip.Addr{} // the shared one
			b, ok = l.sources[source]
		}
		if !ok {
			b = bucket{l.burst, now}
		}
	}
	b = l.refill(now, b)
	granted := b.tokens > 0
	if granted {
		b.tokens--
	}
	l.sources[source] = b
	return granted
}

func (l *limiter) refill(now clock.Instant, b bucket) bucket {
	n := int64(now.Sub(b.at) / l.interval)
	if n >= int64(l.burst) {
		return bucket{l.burst, now}
	}
	b.tokens = min(b.tokens+int(n), l.burst)
	b.at = b.at.Add(time.Duration(n) * l.interval)
	return b
}

// sweep forgets the sources that have their whole allowance back.
func (l *limiter) sweep(now clock.Instant) {
	l.swept = now
	// unordered: each source is judged by itself
	for source, b := range l.sources {
		if l.refill(now, b).tokens >= l.burst {
			delete(l.sources, source)
		}
	}
}
