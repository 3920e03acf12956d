package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// failure is what a failed test, or package, said of it. It is repeated at the end, since
// the rest of what was printed is long, and a log may keep its last lines only.
type failure struct {
	Name string   `json:"name"`
	Said []string `json:"said,omitempty"` // lines
}

// Bounds of what is repeated.
const (
	maxFailures = 20  // of a step
	maxSaid     = 10  // lines of a failure
	maxMessage  = 5   // lines of a message
	maxWidth    = 300 // octets of a line
)

// message matches the first line of a message that a test gave, by Error, Fatal or Log,
// not that of a helper: "    x_test.go:12: …".
var message = regexp.MustCompile(`^( +)\S+_test\.go:\d+: `)

// said picks the lines of a test's output that say why it failed: the beginnings of its
// last messages, or where there is none the first lines of all.
func said(output string) []string {
	var messages [][]string
	var others []string
	inside := "" // the indentation of what belongs to the message before
	for line := range strings.Lines(output) {
		line = clip(strings.TrimRight(line, "\n"))
		switch m := message.FindStringSubmatch(line); {
		case m != nil:
			messages, inside = append(messages, []string{line}), m[1]+"    "
		case inside != "" && strings.HasPrefix(line, inside):
			if last := &messages[len(messages)-1]; len(*last) < maxMessage {
				*last = append(*last, line)
			}
		default:
			inside = ""
			if t := strings.TrimSpace(line); t != "" && !strings.HasPrefix(t, "=== ") && !strings.HasPrefix(t, "--- ") {
				others = append(others, line)
			}
		}
	}
	var lines []string
	for _, m := range slices.Backward(messages) {
		if len(lines)+len(m) > maxSaid {
			break
		}
		lines = append(m, lines...)
	}
	if lines == nil {
		lines = others[:min(len(others), maxSaid)]
	}
	return lines
}

func clip(line string) string {
	if len(line) > maxWidth {
		return strings.ToValidUTF8(line[:maxWidth], "") + "…"
	}
	return line
}

// note keeps what a failed test or package said.
func (c *counts) note(name, output string) {
	if len(c.Failures) < maxFailures {
		c.Failures = append(c.Failures, failure{name, said(output)})
	}
}

// tell prints what failed.
func (c *counts) tell(w io.Writer) {
	for _, f := range c.Failures {
		fmt.Fprintf(w, "FAIL %s: %s\n", c.Step, f.Name)
		for _, line := range f.Said {
			fmt.Fprintln(w, line)
		}
	}
}
