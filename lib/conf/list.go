package conf

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// expand returns the lines of the block that a line stands for: the line itself
// unless its command numbers it or splits it. None: a "no" line that names a
// line of a list by its content, which the list does not have.
func (b *Block) expand(m cli.Match) ([]cli.Match, error) {
	c := m.Command
	switch {
	case c.AutoSeq != nil && !m.Args.Has(c.AutoSeq.Arg):
		return b.number(m)
	case c.Split != "" && len(m.Args[c.Split].List) > 1:
		return split(m), nil
	}
	return []cli.Match{m}, nil
}

// number gives a line without number the one of the same line in its list, or
// else the next (cli.AutoSeq).
func (b *Block) number(m cli.Match) ([]cli.Match, error) {
	auto := m.Command.AutoSeq
	list, content := cutWords(m.Canonical, prefix(m), auto.Words)
	if auto.Keyword != "" {
		list += auto.Keyword + " "
	}
	last, err := uint64(0), error(nil)
	for _, n := range b.Nodes {
		if n.ID != m.Command.ID || n.Owner != m.Command.Owner || !strings.HasPrefix(n.Line, list) {
			continue
		}
		digits, text, _ := strings.Cut(n.Line[len(list):], " ")
		seq, e := strconv.ParseUint(digits, 10, 64)
		if e != nil {
			continue
		}
		if text == content {
			return []cli.Match{numbered(m, seq)}, nil
		}
		last = max(last, seq)
	}
	if m.No || m.Default {
		return nil, nil
	}
	if last > auto.Max || auto.Max-last < auto.Step {
		err = fmt.Errorf("the list has no number left behind %d: give the line one", last)
		return nil, err
	}
	return []cli.Match{numbered(m, last+auto.Step)}, nil
}

// numbered returns the line with its number.
func numbered(m cli.Match, seq uint64) cli.Match {
	auto := m.Command.AutoSeq
	text := strconv.FormatUint(seq, 10)
	m.Args = maps.Clone(m.Args)
	m.Args[auto.Arg] = cli.Value{Kind: cli.KindNumber, Text: text}
	if auto.Keyword != "" {
		text = auto.Keyword + " " + text
	}
	insert := func(line string) string {
		before, after := cutWords(line, prefix(m), auto.Words)
		return prefix(m) + before + text + " " + after
	}
	m.Canonical, m.Redacted = insert(m.Canonical), insert(m.Redacted)
	return m
}

// prefix is what stands before a canonical line that does not set something.
func prefix(m cli.Match) string {
	switch {
	case m.No:
		return "no "
	case m.Default:
		return "default "
	}
	return ""
}

// cutWords cuts a canonical line behind its prefix and first n words.
func cutWords(line, prefix string, n int) (before, after string) {
	line = strings.TrimPrefix(line, prefix)
	at := 0
	for ; n > 0; n-- {
		i := strings.IndexByte(line[at:], ' ')
		if i < 0 {
			return line, ""
		}
		at += i + 1
	}
	return line[:at], line[at:]
}

// split makes a line of each word of the repeated argument.
func split(m cli.Match) []cli.Match {
	name := m.Command.Split
	all := m.Args[name]
	head := strings.TrimSuffix(m.Canonical, all.Text)
	hidden := strings.TrimSuffix(m.Redacted, all.Text)
	var out []cli.Match
	for _, word := range all.List {
		one := m
		one.Args = maps.Clone(m.Args)
		one.Args[name] = cli.Value{Kind: all.Kind, Text: word, List: []string{word}}
		one.Canonical, one.Redacted = head+word, hidden+word
		out = append(out, one)
	}
	return out
}

// removeList removes the lines that a line with cli.Command.Removes names.
func (b *Block) removeList(m cli.Match) bool {
	had := len(b.Nodes)
	b.Nodes = slices.DeleteFunc(b.Nodes, func(n *Node) bool {
		if n.Owner != m.Command.Owner || !slices.Contains(m.Command.Removes, n.ID) {
			return false
		}
		for name, v := range m.Args {
			if n.Args.String(name) != v.Text {
				return false
			}
		}
		return true
	})
	if len(b.Nodes) == had {
		return false
	}
	b.byKey = nil
	b.index()
	return true
}

// sortArgs is what Node.Sort holds.
func sortArgs(c *cli.Command, args cli.Args) string {
	words := make([]string, len(c.Sort))
	for i, name := range c.Sort {
		words[i] = args.String(name)
	}
	return strings.Join(words, " ")
}
