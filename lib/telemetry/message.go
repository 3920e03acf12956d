package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Severity is one of Cisco's (and RFC 5424's) eight severities; 0 is the worst.
type Severity uint8

// The severities.
const (
	Emergency Severity = iota
	Alert
	Critical
	Error
	Warning
	Notification
	Informational
	Debugging
)

// severities has the name of each severity as in `logging buffered LEVEL`.
var severities = [...]struct {
	name  string
	level slog.Level
}{
	Emergency:     {"emergencies", LevelCritical + 8},
	Alert:         {"alerts", LevelCritical + 4},
	Critical:      {"critical", LevelCritical},
	Error:         {"errors", slog.LevelError},
	Warning:       {"warnings", slog.LevelWarn},
	Notification:  {"notifications", LevelNotice},
	Informational: {"informational", slog.LevelInfo},
	Debugging:     {"debugging", slog.LevelDebug},
}

// Level returns the slog level of a severity.
func (s Severity) Level() slog.Level { return severities[min(s, Debugging)].level }

// String returns the name of a severity as in `logging buffered LEVEL`.
func (s Severity) String() string { return severities[min(s, Debugging)].name }

// SeverityOf returns the severity of a slog level.
func SeverityOf(l slog.Level) Severity {
	for s := Emergency; s < Debugging; s++ {
		if l >= severities[s].level {
			return s
		}
	}
	return Debugging
}

// Message names a kind of log line as Cisco does, %FACILITY-SEVERITY-MNEMONIC.
// Programs declare theirs as variables.
type Message struct {
	Facility string // "DMVPN"
	Severity Severity
	Mnemonic string // "NHRP_NHS_UP"
}

// String returns the tag, "%DMVPN-5-NHRP_NHS_UP".
func (m Message) String() string {
	return fmt.Sprintf("%%%s-%d-%s", m.Facility, m.Severity, m.Mnemonic)
}

// Log logs "%FACILITY-SEVERITY-MNEMONIC: text" at the severity's level.
func (m Message) Log(l *slog.Logger, format string, args ...any) {
	ctx := context.Background()
	if l.Enabled(ctx, m.Severity.Level()) {
		l.Log(ctx, m.Severity.Level(), m.String()+": "+fmt.Sprintf(format, args...))
	}
}

// LogLimited is Log if the limiter allows one more line for the message and key,
// such as a peer's address. The next line that is logged tells how many were not.
func (m Message) LogLimited(l *slog.Logger, limit *Limiter, key, format string, args ...any) {
	ok, suppressed := limit.Allow(m.String() + " " + key)
	switch {
	case !ok:
	case suppressed > 0:
		m.Log(l, "%s (%d similar not shown)", fmt.Sprintf(format, args...), suppressed)
	default:
		m.Log(l, format, args...)
	}
}

// maxKeys bounds the keys that a Limiter tells apart.
const maxKeys = 1024

// Limiter allows a burst of events for each key and then one per interval. It
// remembers a bounded number of keys; what comes beyond shares one allowance.
// It may be used concurrently.
type Limiter struct {
	burst int
	per   time.Duration
	mu    sync.Mutex // guards what follows
	keys  map[string]*allowance
	swept time.Time // when keys were last looked through
}

type allowance struct {
	left       int
	since      time.Time // when left was counted
	suppressed uint64
}

// NewLimiter returns a limiter with that burst, refilled by one for each per.
func NewLimiter(burst int, per time.Duration) *Limiter {
	return &Limiter{burst: max(burst, 1), per: max(per, 1), keys: map[string]*allowance{}}
}

// Allow reports whether one more event for the key is allowed and, if so, how
// many were not since the last one that was.
func (l *Limiter) Allow(key string) (ok bool, suppressed uint64) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.allowance(key, now)
	if refill := int64(now.Sub(a.since) / l.per); refill > 0 {
		a.left = int(min(int64(l.burst), int64(a.left)+refill))
		a.since = a.since.Add(time.Duration(refill) * l.per)
	}
	if a.left == 0 {
		a.suppressed++
		return false, 0
	}
	a.left--
	suppressed, a.suppressed = a.suppressed, 0
	return true, suppressed
}

// allowance returns that of a key. Where there are too many keys, those are
// forgotten that have their whole burst again.
func (l *Limiter) allowance(key string, now time.Time) *allowance {
	if a := l.keys[key]; a != nil {
		return a
	}
	if len(l.keys) >= maxKeys && now.Sub(l.swept) >= l.per {
		l.swept = now
		for k, a := range l.keys {
			if now.Sub(a.since) >= time.Duration(l.burst)*l.per {
				delete(l.keys, k)
			}
		}
	}
	if len(l.keys) >= maxKeys {
		if key = ""; l.keys[key] != nil {
			return l.keys[key]
		}
	}
	a := &allowance{left: l.burst, since: now}
	l.keys[key] = a
	return a
}
