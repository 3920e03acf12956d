package daemon

import (
	"testing"
	"time"
)

// TestClockWatch: the time of day is compared with the monotonic clock.
func TestClockWatch(t *testing.T) {
	start := time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)
	c := NewClockWatch(start, start)
	for i, step := range []struct {
		elapsed, wall time.Duration
		set           bool
	}{
		{10 * time.Second, 10 * time.Second, false},
		{20 * time.Second, 20*time.Second + 999*time.Millisecond, false}, // within what NTP slews
		{30 * time.Second, 31 * time.Second, true},
		{40 * time.Second, 41 * time.Second, false},
		{50 * time.Second, 41 * time.Second, true}, // back
		{60 * time.Second, time.Hour, true},        // the machine slept
		{70 * time.Second, time.Hour + 10*time.Second, false},
	} {
		now, set := c.Look(start.Add(step.wall), start.Add(step.elapsed))
		if set != step.set || now != start.Add(step.wall) {
			t.Errorf("step %d: %v, %v", i, now, set)
		}
	}
}
