package cli

import (
	"fmt"
	"slices"
	"strings"
)

// ErrorKind classifies what is wrong with a line.
type ErrorKind int

// The kinds of errors, and Cisco's sentence for each.
const (
	ErrUnknown    ErrorKind = iota // "% Invalid input detected at '^' marker."
	ErrIncomplete                  // "% Incomplete command."
	ErrAmbiguous                   // "% Ambiguous command"
	ErrRefused                     // a line that is understood but cannot be
)

// Error says why a line was refused and where. Words of the line that are
// secrets have been replaced in it.
type Error struct {
	Kind   ErrorKind
	Line   string // the line, secrets replaced by stars
	Column int    // 1-based, in characters: where the offending word begins in Line
	// Expected are the words that could stand there, or the candidates of an
	// ambiguous abbreviation.
	Expected []string
	Msg      string // what is wrong, without the line
}

// Error returns the message without the line.
func (e *Error) Error() string { return e.Msg }

// Report returns the line, the caret under the offending word, and the message,
// as a router shows it.
func (e *Error) Report() string {
	line := strings.ReplaceAll(e.Line, "\t", " ")
	return fmt.Sprintf("%s\n%s^\n%% %s\n", line, strings.Repeat(" ", max(e.Column-1, 0)), e.Msg)
}

// maxExpected bounds how many expected words a message lists.
const maxExpected = 12

// failure remembers why a line did not match one mode.
type failure struct {
	kind     ErrorKind
	at       int // index of the word; len(words) for an incomplete line
	expected []string
	why      []string
	word     string
	secrets  map[int]bool // words that hold secrets
}

// message composes the text for people.
func (f *failure) message() string {
	list := f.expected
	tail := ""
	if len(list) > maxExpected {
		list, tail = list[:maxExpected], ", …"
	}
	words := strings.Join(list, ", ") + tail
	switch {
	case f.kind == ErrRefused:
		return strings.Join(f.why, "; ")
	case f.kind == ErrAmbiguous:
		return fmt.Sprintf("Ambiguous command: %q may be %s", f.word, words)
	case f.kind == ErrIncomplete && words != "":
		return "Incomplete command: expected " + words
	case f.kind == ErrIncomplete:
		return "Incomplete command."
	case len(f.why) > 0:
		return "Invalid input detected at '^' marker: " + strings.Join(f.why, "; ")
	case words != "":
		return "Invalid input detected at '^' marker: expected " + words
	}
	return "Invalid input detected at '^' marker."
}

// further tells whether f got further into the line than other: its message
// helps more. A line that was understood and refused is furthest.
func (f *failure) further(other *failure) bool {
	if other != nil && (f.kind == ErrRefused) != (other.kind == ErrRefused) {
		return f.kind == ErrRefused
	}
	if other == nil || f.at != other.at {
		return other == nil || f.at > other.at
	}
	return f.kind == ErrAmbiguous && other.kind != ErrAmbiguous
}

// err makes the Error: it masks secrets and finds the column.
func (f *failure) err(line string, words []word) *Error {
	var b strings.Builder
	last, at := 0, len(line)
	for i, w := range words {
		b.WriteString(line[last:w.start])
		if i == f.at {
			at = b.Len()
		}
		if f.secrets[i] {
			b.WriteString(redacted)
		} else {
			b.WriteString(w.text)
		}
		last = w.start + len(w.text)
	}
	if f.at >= len(words) {
		b.WriteString(" ")
		at = b.Len()
	}
	masked := b.String()
	return &Error{Kind: f.kind, Line: strings.TrimRight(masked, " "), Column: column(masked, at), Expected: f.expected, Msg: f.message()}
}

func uniq(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}
