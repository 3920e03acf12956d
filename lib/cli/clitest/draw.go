// Package clitest draws lines from a grammar, for tests: what is drawn from the grammar
// itself leaves out no line.
package clitest

import (
	"fmt"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Lines draws lines of configuration.
type Lines struct {
	Commands []cli.Command // of the grammar
	// Values are what arguments are drawn from, by the kind of the argument ("WORD"): few,
	// so that lines meet each other. Numbers are drawn from their range.
	Values map[string][]string
	// Keep says which commands are drawn; nil: all. Those that open a block and hidden ones
	// never are.
	Keep func(cli.Command) bool
}

// of returns the commands of a mode that are drawn.
func (l *Lines) of(mode string) []cli.Command {
	var all []cli.Command
	for _, c := range l.Commands {
		if c.Mode == mode && c.Enters == "" && !c.Hidden && (l.Keep == nil || l.Keep(c)) {
			all = append(all, c)
		}
	}
	return all
}

// Draw draws a line of a mode. What is on by default is drawn with "no", too. Arguments
// named in fixed have these values.
func (l *Lines) Draw(t *rapid.T, mode string, fixed map[string]string) string {
	c := rapid.SampledFrom(l.of(mode)).Draw(t, "command")
	text := (&drawer{t: t, pattern: c.Pattern, values: l.Values, fixed: fixed}).sequence(false)
	if c.DefaultOn && rapid.Bool().Draw(t, "no") {
		return "no " + text
	}
	return text
}

// drawer draws the text of a pattern.
type drawer struct {
	t       *rapid.T
	pattern string // what is left of it
	values  map[string][]string
	fixed   map[string]string
}

// sequence draws up to the end of a group or of the pattern, or skips it.
func (d *drawer) sequence(skip bool) string {
	var words []string
	for d.pattern != "" && !strings.ContainsRune("|}]", rune(d.pattern[0])) {
		if d.pattern[0] == ' ' {
			d.pattern = d.pattern[1:]
			continue
		}
		end := strings.IndexAny(d.pattern, " |{}[]")
		if end < 0 {
			end = len(d.pattern)
		}
		word := d.pattern[:end]
		d.pattern = d.pattern[end:]
		if word == "" || strings.HasSuffix(word, ":") {
			word = d.group(skip)
		} else if !skip {
			word = d.word(strings.TrimSuffix(word, "..."))
		}
		if word != "" && !skip {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// group draws one alternative of "{a|b}", or none of "[a]"; of "{a|b}..." one or two.
func (d *drawer) group(skip bool) string {
	whole := d.pattern
	text := d.alternative(skip)
	if more, ok := strings.CutPrefix(d.pattern, "..."); ok {
		if !skip && rapid.Bool().Draw(d.t, "again") {
			d.pattern = whole
			text = strings.TrimSpace(text + " " + d.alternative(false))
		}
		d.pattern = more
	}
	return text
}

func (d *drawer) alternative(skip bool) string {
	optional := d.pattern[0] == '['
	chosen, depth, alternatives := 0, 0, 1
	for i, c := range d.pattern {
		switch {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == '|' && depth == 1:
			alternatives++
		}
		if depth == 0 && i > 0 {
			break
		}
	}
	if !skip {
		chosen = rapid.IntRange(0, alternatives-1).Draw(d.t, "alternative")
		if optional && rapid.Bool().Draw(d.t, "left out") {
			chosen = -1
		}
	}
	var text string
	for i := 0; ; i++ {
		d.pattern = d.pattern[1:] // the bracket or bar
		if words := d.sequence(skip || i != chosen); words != "" {
			text = words
		}
		if d.pattern[0] != '|' {
			d.pattern = d.pattern[1:]
			return text
		}
	}
}

// word draws a keyword or an argument.
func (d *drawer) word(word string) string {
	name, kind, ok := strings.Cut(word, ":")
	if !ok {
		return word
	}
	if v, ok := d.fixed[name]; ok {
		return v
	}
	if lo, hi, ok := strings.Cut(strings.Trim(kind, "<>"), "-"); ok {
		first, _ := strconv.ParseUint(lo, 10, 64)
		last, _ := strconv.ParseUint(hi, 10, 64)
		return fmt.Sprint(rapid.OneOf(rapid.Uint64Range(first, min(last, first+20)), rapid.Uint64Range(first, last)).Draw(d.t, name))
	}
	kind, _, _ = strings.Cut(kind, "(")
	return rapid.SampledFrom(d.values[kind]).Draw(d.t, name)
}
