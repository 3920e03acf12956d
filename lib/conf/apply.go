package conf

import (
	"fmt"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Path is the way to a block: the lines that open the modes, outermost first.
// The empty path is the global configuration.
type Path []cli.Match

// Stack returns the mode stack for cli.Grammar.Parse.
func (p Path) Stack() []string {
	stack := make([]string, 0, len(p)+1)
	stack = append(stack, cli.ModeConfig)
	for _, m := range p {
		stack = append(stack, m.Command.Enters)
	}
	return stack
}

// Lines returns the canonical lines of the path.
func (p Path) Lines() []string {
	out := make([]string, len(p))
	for i, m := range p {
		out[i] = m.Canonical
	}
	return out
}

// Next returns the path after a line that was parsed on it: deeper if the line
// opens a block, shorter if it belongs to an outer mode, closes one, or is
// "exit" or "end".
func (p Path) Next(m cli.Match) Path {
	c := m.Command
	if c == nil || m.Do {
		return p
	}
	if c.Owner == cli.SessionOwner {
		switch c.ID {
		case cli.SessionExit:
			return p[:max(len(p)-1, 0)]
		case cli.SessionEnd:
			return nil
		case cli.SessionClose:
			return p[:max(m.Level-1, 0)]
		}
		return p
	}
	outer := p[:m.Level:m.Level]
	if c.Enters != "" && !m.No && !m.Default {
		return append(outer, m)
	}
	return outer
}

// Resolve parses the lines of a path, for instance one that came from a shell.
func Resolve(g *cli.Grammar, lines []string) (Path, *cli.Error) {
	var p Path
	for _, line := range lines {
		m, err := g.Parse(p.Stack(), line)
		if err != nil {
			return nil, err
		}
		next := p.Next(m)
		if len(next) != len(p)+1 {
			return nil, &cli.Error{Kind: cli.ErrRefused, Line: m.Redacted, Column: 1, Msg: "Not a line that opens a block inside of the one before"}
		}
		p = next
	}
	return p, nil
}

// Apply applies a line that was parsed on path: it inserts, replaces or removes
// according to the line's identity, its "no" form and its default. Lines of lists
// are numbered, split, and removed together as their command says. Blocks on the
// path that are missing are made. It returns whether the tree changed. Lines that
// belong to the session (exit, end, comments) change nothing; an exec command is
// an error.
func (t *Tree) Apply(path Path, m cli.Match) (changed bool, err error) {
	c := m.Command
	switch {
	case c == nil || c.Owner == cli.SessionOwner && !m.Do:
		return false, nil
	case m.Do || c.Mode == cli.ModeExec || c.Mode == cli.ModeEnable || c.Mode == cli.ModePipe:
		return false, fmt.Errorf("%q is not a configuration line", m.Redacted)
	case c.Immediate:
		return false, fmt.Errorf("%q is carried out when it is entered by itself, and is no part of a configuration", m.Redacted)
	case m.Level > len(path):
		return false, fmt.Errorf("%q: the path is too short for its mode", m.Redacted)
	case c.Ignored != "":
		return false, nil
	}
	store := stores(m) && len(c.Removes) == 0
	b := &t.Block
	for _, opener := range path[:m.Level] {
		n := b.Get(opener.Identity())
		if n == nil {
			if !store {
				return false, nil
			}
			n = newNode(opener)
			b.put(n)
			changed = true
		}
		b = &n.Block
	}
	if len(c.Removes) > 0 {
		return b.removeList(m), nil
	}
	lines, err := b.expand(m)
	if err != nil {
		return changed, err
	}
	for _, line := range lines {
		did := false
		if store {
			did = b.put(newNode(line))
		} else if did, err = b.drop(line); err != nil {
			return changed, err
		}
		changed = changed || did
	}
	return changed, nil
}

// stores tells whether the line leaves something to be stored.
func stores(m cli.Match) bool {
	c := m.Command
	switch {
	case m.Default:
		return false
	case m.No:
		return c.DefaultOn || c.NoForm == cli.NoOnly
	case c.DefaultOn:
		return c.Default != "" && m.Canonical != c.Default
	}
	return c.Default == "" || m.Canonical != c.Default
}

// drop removes what a "no" or "default" line, or a line that equals the default,
// takes away.
func (b *Block) drop(m cli.Match) (bool, error) {
	old := b.Get(m.Identity())
	if old == nil {
		return false, nil
	}
	if m.Default && m.Command.Enters != "" {
		had := len(old.Nodes) > 0
		old.Block = Block{}
		return had, nil
	}
	if m.No && m.Command.NoExact {
		for _, name := range m.Args.Names() {
			if old.Args[name].Text != m.Args[name].Text {
				return false, fmt.Errorf("not configured: the line is %q", old)
			}
		}
	}
	return b.remove(old.Key), nil
}

// newNode makes the node of a line.
func newNode(m cli.Match) *Node {
	c := m.Command
	n := &Node{
		Line: m.Canonical, ID: c.ID, Owner: c.Owner, Key: m.Identity(), Args: m.Args, No: m.No,
		Weight: c.Weight, Ordered: c.Ordered, Sort: sortArgs(c, m.Args),
	}
	if m.Redacted != m.Canonical {
		n.Redacted = m.Redacted
	}
	if !m.No {
		n.Enters, n.Close = c.Enters, c.Close
	}
	return n
}
