package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestFuzzTimeIsUp: a fuzz target that ends by its own deadline has passed; one
// that found something has failed, whatever else it says, and so has any other
// test that runs into a deadline.
func TestFuzzTimeIsUp(t *testing.T) {
	const progress = "=== RUN   FuzzX\nfuzz: elapsed: 20s, execs: 242969 (12538/sec), new interesting: 0 (total: 52)\n"
	for _, tc := range []struct {
		name, test, output string
		passed, failed     int
	}{
		{"time is up", "FuzzX", progress + "--- FAIL: FuzzX (20.07s)\n    context deadline exceeded\n", 1, 0},
		{"found", "FuzzX", progress + "--- FAIL: FuzzX (20.07s)\n    x_test.go:3: bad\n    Failing input written to testdata/fuzz/FuzzX/1\n", 0, 1},
		{"found at the end", "FuzzX", progress + "--- FAIL: FuzzX (20.07s)\n    panic: no\n    context deadline exceeded\n", 0, 1},
		{"no fuzz target", "TestX", "=== RUN   TestX\n--- FAIL: TestX (20.07s)\n    context deadline exceeded\n", 0, 1},
	} {
		var in bytes.Buffer
		enc := json.NewEncoder(&in)
		for line := range strings.Lines(tc.output) {
			_ = enc.Encode(event{Action: "output", Package: "p", Test: tc.test, Output: line}) // to memory
		}
		_ = enc.Encode(event{Action: "fail", Package: "p", Test: tc.test})
		_ = enc.Encode(event{Action: "fail", Package: "p"})
		var c counts
		if err := newReader(&c, &bytes.Buffer{}).read(&in); err != nil {
			t.Fatal(err)
		}
		if c.Passed != tc.passed || c.Failed != tc.failed {
			t.Errorf("%s: %s", tc.name, c)
		}
	}
}
