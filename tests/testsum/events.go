package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of go test -json (see go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// reader counts events and shows what a person needs to see of them.
type reader struct {
	c       *counts
	out     io.Writer
	printed map[[2]string]*strings.Builder // output by package and test
	failed  map[string]int                 // failed tests by package
	timeUp  map[string]bool                // packages that failed by timeIsUp only, so far
}

func newReader(c *counts, out io.Writer) *reader {
	return &reader{c: c, out: out, printed: map[[2]string]*strings.Builder{}, failed: map[string]int{}, timeUp: map[string]bool{}}
}

// maxLine bounds one line of the input in bytes.
const maxLine = 16 << 20

// read reads events to the end; lines that are none are shown as they are.
func (r *reader) read(in io.Reader) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, maxLine)
	for sc.Scan() {
		var e event
		if json.Unmarshal(sc.Bytes(), &e) != nil || e.Action == "" {
			fmt.Fprintln(r.out, sc.Text())
			continue
		}
		r.take(e)
	}
	return sc.Err()
}

// take books one event.
func (r *reader) take(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if r.printed[key] == nil {
			r.printed[key] = &strings.Builder{}
		}
		r.printed[key].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			r.test(e, key)
		} else {
			r.packageDone(e, key)
		}
		delete(r.printed, key)
	}
}

// test books the end of a test.
func (r *reader) test(e event, key [2]string) {
	switch {
	case e.Action == "pass":
		r.c.Passed++
		return
	case e.Action == "fail" && r.timeIsUp(key):
		r.c.Passed++
		r.timeUp[e.Package] = true
		return
	}
	switch e.Action {
	case "skip":
		r.c.Skipped++
	case "fail":
		r.c.Failed++
		r.failed[e.Package]++
		r.note(e.Package+" "+e.Test, key)
	}
	r.show(key)
}

// timeIsUp tells whether a fuzz target "failed" because its time was over, and
// for nothing else. go test does that if the end comes while it waits for a
// worker: it reports its own deadline, and no failing input.
func (r *reader) timeIsUp(key [2]string) bool {
	b := r.printed[key]
	if b == nil || !strings.HasPrefix(key[1], "Fuzz") {
		return false
	}
	rest, deadline := "", false
	for line := range strings.Lines(b.String()) {
		switch said := strings.TrimSpace(line); {
		case said == "context deadline exceeded":
			deadline = true
		case strings.HasPrefix(said, "fuzz: "), strings.HasPrefix(said, "=== RUN"), strings.HasPrefix(said, "--- FAIL: "+key[1]), said == "":
		default:
			rest += said
		}
	}
	return deadline && rest == ""
}

// packageDone books the end of a package. One that fails without a failed test, as
// when it does not build or its TestMain gives up, counts as one failure.
func (r *reader) packageDone(e event, key [2]string) {
	switch e.Action {
	case "fail":
		if r.failed[e.Package] == 0 && r.timeUp[e.Package] {
			fmt.Fprintf(r.out, "ok   %s (%.1f s)\n", e.Package, e.Elapsed)
			return
		}
		if r.failed[e.Package] == 0 {
			r.c.Failed++
			r.note(e.Package, key)
		}
		for k := range r.printed { // of tests that a panic or a limit cut off
			if k[0] == e.Package && k[1] != "" {
				r.show(k)
				delete(r.printed, k)
			}
		}
		r.show(key)
	case "pass":
		fmt.Fprintf(r.out, "ok   %s (%.1f s)\n", e.Package, e.Elapsed)
	}
}

// note keeps what a failed test or package has printed about its failure.
func (r *reader) note(name string, key [2]string) {
	output := ""
	if b := r.printed[key]; b != nil {
		output = b.String()
	}
	r.c.note(name, output)
}

// show prints what a test or package has printed.
func (r *reader) show(key [2]string) {
	if b := r.printed[key]; b != nil {
		fmt.Fprint(r.out, b.String())
	}
}
