// Package clock is the only notion of time that a protocol core has.
//
// A core never asks what time it is: every input carries an Instant, and the
// core answers when it wants to be woken next. An Instant counts nanoseconds
// since an origin that the driver chose (process start at the edge, zero in a
// simulation), so it is comparable, storable and the same in every run of a
// simulation. Deadlines are kept in a Heap keyed by what they are for.
package clock

import "time"

// Instant is a point in monotonic time, in nanoseconds since the driver's origin.
type Instant int64

// Never lies after every deadline.
const Never Instant = 1<<63 - 1

// Add returns the instant d after t, or Never if that cannot be represented.
func (t Instant) Add(d time.Duration) Instant {
	if t == Never || (d > 0 && t > Never-Instant(d)) {
		return Never
	}
	return t + Instant(d)
}

// Sub returns the time from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// Before reports whether t is earlier than u.
func (t Instant) Before(u Instant) bool { return t < u }

// After reports whether t is later than u.
func (t Instant) After(u Instant) bool { return t > u }

// String renders the instant as the duration since the origin.
func (t Instant) String() string {
	if t == Never {
		return "never"
	}
	return time.Duration(t).String()
}
