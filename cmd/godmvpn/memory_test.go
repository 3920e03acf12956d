package main

import "testing"

// TestQuiet looks at a process that starts, loads a table, idles and works a little: it
// gives back once after each load that is worth it, and not while it is busy.
func TestQuiet(t *testing.T) {
	const mega = 1 << 20
	var q quiet
	for i, step := range []struct {
		allocates uint64
		want      bool
	}{
		{8 * mega, false}, {0, false}, // the start is not worth it
		{40 * mega, false}, {40 * mega, false}, {mega + 1, false}, // busy
		{mega, true}, {0, false}, {mega, false}, // quiet, and nothing new
		{15 * mega, false}, {0, true}, // again
	} {
		if got := q.look(q.last + step.allocates); got != step.want {
			t.Errorf("step %d, of %d octets: gives back: %t, want %t", i, step.allocates, got, step.want)
		}
	}
}
