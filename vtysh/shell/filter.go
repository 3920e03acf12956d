package shell

import (
	"bytes"
	"fmt"
	"io"
	"regexp"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// maxFilterLine bounds the bytes of a line that a filter holds back; a longer
// one is taken in pieces.
const maxFilterLine = 1 << 20

// filter passes on some of the lines that are written to it.
type filter struct {
	out  io.Writer
	held []byte
	line func(line []byte) error // with its newline, if it had one
	end  func() error            // after the last line
}

// Write implements io.Writer.
func (f *filter) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		line := b[:i+1]
		if len(f.held) > 0 {
			line = append(f.held, line...)
			f.held = f.held[:0]
		}
		if err := f.line(line); err != nil {
			return 0, err
		}
		b = b[i+1:]
	}
	f.held = append(f.held, b...)
	if len(f.held) > maxFilterLine {
		line := f.held
		f.held = nil
		if err := f.line(line); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// finish passes on what is held back.
func (f *filter) finish() error {
	if len(f.held) > 0 {
		if err := f.line(f.held); err != nil {
			return err
		}
	}
	if f.end != nil {
		return f.end()
	}
	return nil
}

// pipeline puts the filters in front of out. finish must be called after the last
// write.
func pipeline(filters []cli.Match, out io.Writer) (w io.Writer, finish func() error, err error) {
	var stages []*filter
	w = out
	for i := len(filters) - 1; i >= 0; i-- {
		f, err := newFilter(filters[i], w)
		if err != nil {
			return nil, nil, err
		}
		if f != nil {
			stages = append(stages, f)
			w = f
		}
	}
	return w, func() error {
		for i := len(stages) - 1; i >= 0; i-- { // first filter first
			if err := stages[i].finish(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// newFilter makes the filter of a pipe command; nil for JSON, which the command
// itself does.
func newFilter(m cli.Match, out io.Writer) (*filter, error) {
	f := &filter{out: out}
	re, err := regexp.Compile(m.Args.String("regex"))
	if err != nil {
		return nil, fmt.Errorf("not a regular expression: %v", err)
	}
	pass := func(line []byte) error { _, err := out.Write(line); return err }
	match := func(line []byte) bool { return re.Match(bytes.TrimRight(line, "\r\n")) }
	switch m.Command.ID {
	case cli.PipeInclude, cli.PipeExclude:
		want := m.Command.ID == cli.PipeInclude
		f.line = func(line []byte) error {
			if match(line) == want {
				return pass(line)
			}
			return nil
		}
	case cli.PipeBegin:
		begun := false
		f.line = func(line []byte) error {
			if begun = begun || match(line); begun {
				return pass(line)
			}
			return nil
		}
	case cli.PipeSection:
		f.line = section(match, pass, m.Args.Has("exclude"))
	case cli.PipeCount:
		n := 0
		f.line = func(line []byte) error {
			if match(line) {
				n++
			}
			return nil
		}
		f.end = func() error {
			_, err := fmt.Fprintf(out, "Number of lines which match regexp = %d\n", n)
			return err
		}
	case cli.PipeJSON:
		return nil, nil
	default:
		return nil, fmt.Errorf("this shell does not know the filter %q", m.Canonical)
	}
	return f, nil
}

// section passes lines that match, and the deeper indented ones that follow each;
// or all but those.
func section(match func([]byte) bool, pass func([]byte) error, exclude bool) func([]byte) error {
	inside, depth := false, 0
	return func(line []byte) error {
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		if !inside || indent <= depth {
			if inside = match(line); inside {
				depth = indent
			}
		}
		if inside != exclude {
			return pass(line)
		}
		return nil
	}
}
