package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Output is the result of an exec command in both of its forms.
type Output struct {
	Text func(w io.Writer) // the layout for people
	JSON any               // the same facts for programs
}

// Write writes one of the forms.
func (o Output) Write(w io.Writer, asJSON bool) error {
	e := &errWriter{w: w}
	if asJSON {
		return WriteJSON(w, o.JSON)
	}
	if o.Text != nil {
		o.Text(e)
	}
	return e.err
}

// errWriter remembers the first error, so that Text functions need not.
type errWriter struct {
	w   io.Writer
	err error
}

func (e *errWriter) Write(b []byte) (int, error) {
	if e.err != nil {
		return len(b), nil
	}
	_, e.err = e.w.Write(b)
	return len(b), nil
}

// WriteJSON writes v indented by two spaces, with a newline. nil is written as {}.
func WriteJSON(w io.Writer, v any) error {
	if v == nil {
		v = struct{}{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Table writes rows of fixed columns, as Cisco's tables have them. Format has one
// printf verb per column, with its width: "%6d %-15s %15s %5s %8s %5s". A value
// wider than its column pushes the rest of the row to the right.
type Table struct {
	W      io.Writer
	Format string
}

// Header writes the titles in the widths of the columns and, if rule is not
// empty, a line of rule characters as wide as each column below them.
func (t Table) Header(rule string, titles ...string) {
	widths, left := t.columns()
	cells, lines := make([]string, len(titles)), make([]string, len(titles))
	for i, title := range titles {
		w := len(title)
		if i < len(widths) && widths[i] > 0 {
			w = widths[i]
		}
		switch {
		case i < len(left) && left[i]:
			cells[i] = fmt.Sprintf("%-*s", w, title)
		default:
			cells[i] = fmt.Sprintf("%*s", w, title)
		}
		lines[i] = strings.Repeat(rule, w)
	}
	fmt.Fprintln(t.W, strings.TrimRight(strings.Join(cells, " "), " "))
	if rule != "" {
		fmt.Fprintln(t.W, strings.Join(lines, " "))
	}
}

// Row writes one row; spaces at its end are dropped.
func (t Table) Row(values ...any) {
	fmt.Fprintln(t.W, strings.TrimRight(fmt.Sprintf(t.Format, values...), " "))
}

// columns reads the widths and alignments of the verbs of Format.
func (t Table) columns() (widths []int, left []bool) {
	f := t.Format
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			continue
		}
		i++
		minus := i < len(f) && f[i] == '-'
		if minus {
			i++
		}
		w := 0
		for i < len(f) && digit(f[i]) {
			w, i = w*10+int(f[i]-'0'), i+1
		}
		if i < len(f) && f[i] == '%' {
			continue
		}
		widths, left = append(widths, w), append(left, minus)
	}
	return widths, left
}

// Duration formats a time span as Cisco does: hh:mm:ss below a day, then 6d12h
// below a week, 3w5d below a year, 1y2w. Negative spans count as zero.
func Duration(d time.Duration) string {
	s := int64(d / time.Second)
	if s < 0 {
		s = 0
	}
	const day = 24 * 60 * 60
	days := s / day
	switch {
	case s < day:
		return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
	case days < 7:
		return fmt.Sprintf("%dd%02dh", days, s%day/3600)
	case days < 365:
		return fmt.Sprintf("%dw%dd", days/7, days%7)
	}
	return fmt.Sprintf("%dy%dw", days/365, days%365/7)
}

// Never is printed in place of a duration for what has not happened.
const Never = "never"
