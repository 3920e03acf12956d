package conf

import (
	"fmt"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Limits of a configuration text.
const (
	MaxText   = 64 << 20 // bytes
	maxErrors = 1000     // refused lines that are reported
)

// LineError is a line that was refused.
type LineError struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line"`   // 1-based; 0 if the line was not read from a text
	Column int    `json:"column"` // 1-based, in characters, within Text
	Text   string `json:"text"`   // the line, its secrets replaced by stars
	Msg    string `json:"msg"`
}

// Error returns "file:line: text: message".
func (e LineError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", strings.TrimSpace(e.Text), e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, strings.TrimSpace(e.Text), e.Msg)
}

// Report returns the place, the line with a caret under the offending word, and
// the message.
func (e LineError) Report() string {
	err := cli.Error{Line: e.Text, Column: e.Column, Msg: e.Msg}
	if e.Line == 0 {
		return err.Report()
	}
	return fmt.Sprintf("%s:%d:\n%s", e.File, e.Line, err.Report())
}

// Load reads a whole configuration text. source names it in errors. If any line
// is refused, the tree is nil and all refused lines are returned.
//
// A line belongs to the innermost mode that knows it, as in a shell. Indentation
// is a hint where it is used: a line that is indented no deeper than the line
// that opened a block, after deeper ones, is looked for outside of that block
// first.
func Load(g *cli.Grammar, text, source string) (*Tree, []LineError) {
	return Merge(g, &Tree{}, text, source)
}

// Merge applies a text line by line onto a copy of a tree, as if it were typed.
func Merge(g *cli.Grammar, onto *Tree, text, source string) (*Tree, []LineError) {
	if len(text) > MaxText {
		return nil, []LineError{{File: source, Line: 1, Column: 1, Msg: fmt.Sprintf("the configuration is larger than %d bytes", MaxText)}}
	}
	l := loader{g: g, tree: onto.Clone(), source: source, refused: -1}
	for i := 1; text != "" && len(l.errs) < maxErrors; i++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		l.number = i
		l.line(strings.TrimRight(line, "\r"))
	}
	if len(l.errs) > 0 {
		return nil, l.errs
	}
	return l.tree, nil
}

// loader is the state between lines.
type loader struct {
	g       *cli.Grammar
	tree    *Tree
	source  string
	path    Path
	levels  []level // one per element of path
	number  int
	refused int // indentation of a refused line, to which deeper ones belong; or -1
	errs    []LineError
}

// level is how an open block was indented.
type level struct {
	indent int
	deeper bool // a line below it was indented deeper
}

func (l *loader) line(line string) {
	if cli.Comment(line) {
		return
	}
	indent := indentation(line)
	if l.refused >= 0 && indent > l.refused {
		l.fail(&cli.Error{Line: strings.TrimSpace(l.mask(line)), Column: 1, Msg: "The block that this line belongs to was refused"})
		return
	}
	l.refused = -1
	hint := len(l.path)
	for hint > 0 && l.levels[hint-1].deeper && indent <= l.levels[hint-1].indent {
		hint--
	}
	m, err := l.g.Parse(l.path[:hint].Stack(), line)
	at := l.path[:hint]
	if err != nil && hint < len(l.path) {
		if m2, err2 := l.g.Parse(l.path.Stack(), line); err2 == nil {
			m, err, at = m2, nil, l.path
		}
	}
	if err == nil && m.Command == nil {
		return // "do" and a comment
	}
	if err == nil {
		if _, e := l.tree.Apply(at, m); e != nil {
			err = &cli.Error{Line: m.Redacted, Column: 1, Msg: e.Error()}
		}
		l.place(at, m)
	}
	if err != nil {
		l.fail(err)
		l.refused, l.path, l.levels = indent, l.path[:hint], l.levels[:hint]
		return
	}
	if len(at) > 0 && indent > l.levels[len(at)-1].indent {
		l.levels[len(at)-1].deeper = true
	}
	l.path = at.Next(m)
	if m.Command.Enters != "" && !m.No && !m.Default {
		l.levels = append(l.levels[:m.Level], level{indent: indent})
	}
	l.levels = l.levels[:len(l.path)]
}

// place notes where the line stands that was just applied.
func (l *loader) place(at Path, m cli.Match) {
	if m.Command.Owner == cli.SessionOwner {
		return
	}
	b := &l.tree.Block
	for _, opener := range at[:min(m.Level, len(at))] {
		n := b.Get(opener.Identity())
		if n == nil {
			return
		}
		b = &n.Block
	}
	lines, _ := b.expand(m) // after the line was applied: the numbers that it was given
	for _, line := range lines {
		if n := b.Get(line.Identity()); n != nil {
			n.At = l.number
		}
	}
}

// mask hides what may be a secret in a line that was not understood, since its
// block was not: only the first word is kept.
func (l *loader) mask(line string) string {
	first, _, more := strings.Cut(strings.TrimSpace(line), " ")
	if more {
		return first + " …"
	}
	return first
}

func (l *loader) fail(e *cli.Error) {
	l.errs = append(l.errs, LineError{File: l.source, Line: l.number, Column: e.Column, Text: e.Line, Msg: e.Msg})
}

// indentation counts the blanks before a line; a tab counts as eight.
func indentation(line string) int {
	n := 0
	for _, c := range line {
		switch c {
		case ' ':
			n++
		case '\t':
			n += 8
		default:
			return n
		}
	}
	return n
}
