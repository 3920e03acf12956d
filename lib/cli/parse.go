package cli

import (
	"fmt"
	"slices"
	"strings"
)

// Match is a line that was understood.
type Match struct {
	// Command is nil for an empty line and a comment.
	Command *Command
	Args    Args
	No      bool // "no" stood before it
	Default bool // "default" stood before it
	Do      bool // "do" stood before it: an exec command in a configuration mode
	// Canonical is the line in full, in the order of the pattern, with "no" or
	// "default" before it. It holds secrets: Redacted is for logs.
	Canonical string
	Redacted  string
	// Level is the place in the mode stack of the mode that knew the line.
	// Lines below it leave the modes inside of it.
	Level int
}

// Identity tells lines of one block apart: two lines with equal identity
// cannot stand beside each other.
func (m *Match) Identity() string { return m.Command.Identity(m.Args) }

// Identity returns what identifies the line with these arguments.
func (c *Command) Identity(args Args) string {
	var b strings.Builder
	b.WriteString(c.Owner)
	b.WriteByte('/')
	b.WriteString(c.ID)
	for _, k := range c.Key {
		b.WriteByte('/')
		b.WriteString(args.String(k))
	}
	return b.String()
}

// Parse matches a line. stack has the names of the modes, outermost first:
// {"enable"} or {"config", "interface"}. The innermost mode is tried first, then
// those around it; an exec command is found in exec mode only.
func (g *Grammar) Parse(stack []string, line string) (Match, *Error) {
	if len(line) > MaxLine {
		return Match{}, &Error{Kind: ErrRefused, Line: line[:64] + "…", Column: 1, Msg: fmt.Sprintf("Line is longer than %d bytes", MaxLine)}
	}
	if Comment(line) {
		return Match{Level: max(len(stack)-1, 0)}, nil
	}
	words := split(line)
	if at, ok := printable(line); !ok {
		return Match{}, &Error{Kind: ErrRefused, Line: strings.ToValidUTF8(line, "?"), Column: column(line, at), Msg: "Control characters are not allowed in a line"}
	}
	if len(words) > maxWords {
		return Match{}, &Error{Kind: ErrRefused, Line: line[:words[1].start], Column: 1, Msg: fmt.Sprintf("Line has more than %d words", maxWords)}
	}
	var best *failure
	for level := len(stack) - 1; level >= 0; level-- {
		m, first, fail := g.parseIn(stack[level], words)
		for outer := level - 1; fail == nil && first == rankAbbrev && outer >= 0; outer-- {
			if m2, exact, fail2 := g.parseIn(stack[outer], words); fail2 == nil && exact == rankExact {
				m, first, level = m2, exact, outer
			}
		}
		if fail == nil {
			m.Level = level
			if m.Command.ID == SessionDo {
				return g.parseDo(line, words)
			}
			return m, nil
		}
		if fail.further(best) {
			best = fail
		}
	}
	if best == nil {
		best = &failure{}
	}
	return Match{}, best.err(line, words)
}

// parseDo parses what follows "do" as an exec command.
func (g *Grammar) parseDo(line string, words []word) (Match, *Error) {
	start := words[1].start
	m, err := g.Parse([]string{ModeEnable}, line[start:])
	if err != nil {
		err.Line = line[:start] + err.Line
		err.Column += column(line, start) - 1
		return m, err
	}
	m.Do = true
	return m, nil
}

// parseIn matches words in one mode, and in the mode whose commands it shares.
// first is the rank of the first word behind "no" and "default".
func (g *Grammar) parseIn(name string, words []word) (m Match, first byte, fail *failure) {
	prefix, rest := polarity(name, words)
	if prefix != "" && len(rest) == 0 {
		return Match{}, 0, &failure{kind: ErrIncomplete, at: 1}
	}
	r := follow(g.roots(name), rest)
	fail = r.fail
	if fail == nil {
		m, first, fail = choose(r.threads, prefix, rest)
	}
	if fail != nil {
		if shift := len(words) - len(rest); shift > 0 {
			fail.shift(shift)
		}
	}
	return m, first, fail
}

// shift moves the word indices of the failure by n words.
func (f *failure) shift(n int) {
	f.at += n
	moved := map[int]bool{}
	for i := range f.secrets {
		moved[i+n] = true
	}
	f.secrets = moved
}

// roots are the threads with which a line begins in a mode. Privileged mode
// knows the exec commands too.
func (g *Grammar) roots(name string) []thread {
	m, ok := g.modes[name]
	if !ok {
		return nil
	}
	roots := []thread{{trie: m.root}}
	if name == ModeEnable {
		roots = append(roots, thread{trie: g.modes[ModeExec].root})
	}
	return roots
}

// polarity splits "no" or "default" off a line. "default" is no prefix in exec mode.
func polarity(mode string, words []word) (prefix string, rest []word) {
	if mode == ModePipe {
		return "", words
	}
	exec := mode == ModeExec || mode == ModeEnable
	switch w := strings.ToLower(words[0].text); {
	case w == "no", w == "default" && !exec:
		return w, words[1:]
	}
	return "", words
}

// reading is a complete or truncated reading of a line.
type reading struct {
	cmd   *command
	caps  *capture
	ranks []byte
}

// choose picks the best of the readings that are left at the end of the line.
// first is the rank of its first word.
func choose(threads []thread, prefix string, words []word) (m Match, first byte, fail *failure) {
	var whole []reading
	fail = &failure{kind: ErrIncomplete, at: len(words)}
	for _, t := range threads {
		t.expand(func(s step) {
			fail.expected = append(fail.expected, s.display())
		}, func(c *command, caps *capture) {
			if prefix != "" || len(c.Removes) == 0 { // a list cannot be entered as a whole
				whole = append(whole, reading{c, caps, ranks(caps, len(words))})
			}
		})
	}
	fail.secrets = secretWords(threads, len(words), nil)
	fail.expected = uniq(fail.expected)
	if prefix != "" && len(whole) == 0 {
		whole = truncated(threads, len(words))
		if len(whole) > 1 {
			fail.expected = nil
			for _, r := range whole {
				fail.expected = append(fail.expected, r.cmd.Pattern)
			}
			return Match{}, 0, fail
		}
	}
	if len(whole) == 0 {
		return Match{}, 0, fail
	}
	best := whole[0]
	for _, r := range whole[1:] {
		d := slices.Compare(r.ranks, best.ranks)
		if d < 0 && r.suits(prefix) >= best.suits(prefix) || r.suits(prefix) > best.suits(prefix) && d <= 0 {
			best = r
		}
	}
	m, fail = best.match(prefix, fail)
	return m, best.ranks[0], fail
}

// suits tells how well a reading goes with the prefix: 0 if it is refused. A
// NoOnly command comes before its positive twin.
func (r reading) suits(prefix string) int {
	switch only := r.cmd.NoForm == NoOnly; {
	case prefix == "" && only, prefix != "" && !r.cmd.canNo():
		return 0
	case prefix == "no" && only:
		return 2
	}
	return 1
}

func (s step) display() string {
	if s.word != "" {
		return s.word
	}
	return s.tok.display()
}

// ranks lists how each of n words was read.
func ranks(c *capture, n int) []byte {
	out := make([]byte, n)
	for ; c != nil; c = c.prev {
		out[c.pos] = c.rank
	}
	return out
}

// truncated finds the commands that a "no" line which ends early may mean: those
// whose key is complete.
func truncated(threads []thread, n int) []reading {
	var out []reading
	add := func(c *command, caps *capture) {
		args := c.args(caps)
		for _, k := range c.Key {
			if !args.Has(k) {
				return
			}
		}
		if c.canNo() && !slices.ContainsFunc(out, func(r reading) bool { return r.cmd.ID == c.ID && r.cmd.Owner == c.Owner }) {
			out = append(out, reading{c, caps, ranks(caps, n)})
		}
	}
	for _, t := range threads {
		if t.cmd != nil {
			add(t.cmd, t.caps)
		} else {
			t.trie.walk(func(c *command) { add(c, t.caps) })
		}
	}
	return out
}

func (t *trie) walk(visit func(*command)) {
	for _, c := range t.cmds {
		visit(c)
	}
	for _, k := range t.kids {
		k.walk(visit)
	}
}

// match makes the Match of a reading, unless its "no" form is not allowed.
func (r reading) match(prefix string, fail *failure) (Match, *failure) {
	c := r.cmd
	refuse := func(why string) (Match, *failure) {
		return Match{}, &failure{kind: ErrRefused, why: []string{why}, secrets: fail.secrets}
	}
	switch {
	case prefix != "" && !c.canNo():
		return refuse(fmt.Sprintf("%q has no %q form", c.head(), prefix))
	case prefix == "" && c.NoForm == NoOnly:
		why := c.Ignored
		if why == "" {
			why = "not supported"
		}
		return refuse(fmt.Sprintf("only \"no %s\" is possible: %s", c.head(), why))
	}
	m := Match{Command: &c.Command, Args: c.args(r.caps), No: prefix == "no", Default: prefix == "default"}
	m.Canonical, m.Redacted = c.canonical(prefix, r.caps)
	return m, nil
}

// head is the leading keywords of the command.
func (c *command) head() string {
	var w []string
	for _, t := range c.lead {
		w = append(w, t.word)
	}
	return strings.Join(w, " ")
}

// sorted returns the captures of a reading in the order of the pattern.
func sorted(last *capture) []*capture {
	var out []*capture
	for c := last; c != nil; c = c.prev {
		out = append(out, c)
	}
	slices.Reverse(out)
	order := func(c *capture) int {
		if c.tok == nil {
			return 0
		}
		return c.tok.order
	}
	slices.SortStableFunc(out, func(a, b *capture) int { return order(a) - order(b) })
	return out
}

// args collects the arguments of a reading.
func (c *command) args(last *capture) Args {
	args := Args{}
	for _, p := range sorted(last) {
		t := p.tok
		if t == nil {
			continue
		}
		switch {
		case t.name != "":
			args.add(t.name, t.kind, p.word, t.repeated)
		case t.flag && !args.Has(t.word):
			args.add(t.word, KindFlag, t.word, false)
		}
		if t.group != "" {
			kind := KindFlag
			if t.kind == KindSecret {
				kind = KindSecret
			}
			args.add(t.group, kind, p.word, t.repeated)
		}
	}
	return args
}

// canonical is the line in full, and the same with secrets hidden.
func (c *command) canonical(prefix string, last *capture) (line, hidden string) {
	var words, masked []string
	if prefix != "" {
		words, masked = append(words, prefix), append(masked, prefix)
	}
	for _, p := range sorted(last) {
		words = append(words, p.word)
		if p.tok != nil && p.tok.kind == KindSecret {
			masked = append(masked, redacted)
		} else {
			masked = append(masked, p.word)
		}
	}
	return strings.Join(words, " "), strings.Join(masked, " ")
}
