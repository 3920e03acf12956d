package cli

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Grammar is the merged and compiled grammar of all daemons. It does not change
// and may be used by several goroutines.
type Grammar struct {
	tree  Tree
	modes map[string]*mode
}

type mode struct {
	Mode
	root   *trie
	cmds   []*command
	shared map[form]contribution
}

// Owned is a daemon's tree with the daemon's name.
type Owned struct {
	Owner string `json:"owner"`
	Tree  Tree   `json:"tree"`
}

// maxCommands bounds the commands of one grammar.
const maxCommands = 20000

// Merge joins the trees of all owners and the built-in session tree (see
// SessionTree) into a Grammar. All mistakes are reported, joined: patterns that
// do not compile, unknown modes, keys that are no arguments, lines that two
// commands claim, and shared commands that their owners declare differently.
func Merge(trees ...Owned) (*Grammar, error) {
	return merge(trees, false)
}

// merge is Merge; joined says that the shared commands have their Owners already.
func merge(trees []Owned, joined bool) (*Grammar, error) {
	g := &Grammar{modes: map[string]*mode{}}
	var errs []error
	for _, m := range builtinModes() {
		g.addMode(m)
	}
	all := append([]Owned{{SessionOwner, SessionTree()}}, trees...)
	for _, o := range all {
		for _, m := range o.Tree.Modes {
			if err := g.addMode(m); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", o.Owner, err))
			}
		}
	}
	errs = append(errs, g.checkParents()...)
	total := 0
	for _, o := range all {
		total += len(o.Tree.Commands)
	}
	g.tree.Commands = make([]Command, 0, min(total, maxCommands))
	for _, o := range all {
		for _, c := range o.Tree.Commands {
			if c.Owner = o.Owner; !joined {
				c.Owners = nil
			}
			if err := g.addCommand(c, o.Tree.Help); err != nil {
				errs = append(errs, fmt.Errorf("%s: command %s: %w", o.Owner, c.ID, err))
			}
		}
	}
	errs = append(errs, g.checkForms()...)
	errs = append(errs, g.finish()...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return g, nil
}

// Tree returns the merged tree: every command with its owner, and the help of
// each word filled in. Merging it again is not needed to use it: Rebuild does.
func (g *Grammar) Tree() Tree { return g.tree }

// Rebuild compiles a merged tree that came over a connection.
func Rebuild(t Tree) (*Grammar, error) {
	var trees []Owned
	at := map[string]int{}
	add := func(owner string) *Tree {
		i, ok := at[owner]
		if !ok {
			i = len(trees)
			at[owner] = i
			trees = append(trees, Owned{Owner: owner})
		}
		return &trees[i].Tree
	}
	for _, c := range t.Commands {
		if c.Owner != SessionOwner {
			o := add(c.Owner)
			o.Commands = append(o.Commands, c)
		}
	}
	if len(t.Modes) > 0 {
		o := add("")
		o.Modes = t.Modes
	}
	return merge(trees, true)
}

func (g *Grammar) addMode(m Mode) error {
	if old, dup := g.modes[m.Name]; dup && !sameMode(old.Mode, m) {
		return fmt.Errorf("mode %q is declared twice and differently", m.Name)
	} else if dup {
		return nil
	}
	if m.Name == "" || strings.ContainsAny(m.Name, " \t\n") {
		return fmt.Errorf("mode %q: not a name", m.Name)
	}
	g.modes[m.Name] = &mode{Mode: m, root: &trie{}}
	if m.Name != ModeExec && m.Name != ModeEnable && m.Name != ModeConfig && m.Name != ModePipe {
		g.tree.Modes = append(g.tree.Modes, m)
	}
	return nil
}

func sameMode(a, b Mode) bool {
	return a.Parent == b.Parent && a.Prompt == b.Prompt && slices.Equal(a.Closers, b.Closers)
}

// checkParents sees to it that every mode leads up to the global configuration.
func (g *Grammar) checkParents() []error {
	var errs []error
	for _, m := range g.tree.Modes {
		name := m.Name
		for hops := 0; name != ModeConfig; hops++ {
			p, ok := g.modes[name]
			if !ok || hops > maxDepth || p.Parent == "" {
				errs = append(errs, fmt.Errorf("mode %q does not lead to mode config", m.Name))
				break
			}
			name = p.Parent
		}
	}
	return errs
}

func (g *Grammar) addCommand(c Command, shared Help) error {
	m, ok := g.modes[c.Mode]
	if !ok {
		return fmt.Errorf("unknown mode %q", c.Mode)
	}
	if c.ID == "" {
		return errors.New("no id")
	}
	if joined, err := g.join(m, c); joined {
		return err
	}
	if len(g.tree.Commands) >= maxCommands {
		return errors.New("too many commands")
	}
	if err := c.checkShared(); err != nil {
		return err
	}
	declared := c
	root, toks, err := compile(c.Pattern)
	if err != nil {
		return err
	}
	c.fillHelp(toks, shared)
	if c.Enters != "" {
		sub, ok := g.modes[c.Enters]
		if !ok || sub.Parent != c.Mode {
			return fmt.Errorf("enters %q, which is no mode inside of %q", c.Enters, c.Mode)
		}
		if c.Close = ""; len(sub.Closers) > 0 {
			c.Close = sub.Closers[0]
		}
	}
	for _, k := range c.Key {
		if !slices.ContainsFunc(toks, func(t *token) bool { return t.name == k || t.group == k || t.flag && t.word == k }) {
			return fmt.Errorf("key %q is no argument of %q", k, c.Pattern)
		}
	}
	if err := c.checkLists(toks); err != nil {
		return err
	}
	if err := c.checkSecrets(root); err != nil {
		return err
	}
	if c.Shared && len(c.Owners) == 0 {
		c.Owners = []string{c.Owner}
	}
	cmd := &command{Command: c, toks: toks}
	cmd.lead, cmd.rest = leading(root)
	m.root.insert(cmd)
	m.cmds = append(m.cmds, cmd)
	g.tree.Commands = append(g.tree.Commands, c)
	if c.Shared {
		m.share(declared, cmd, len(g.tree.Commands)-1)
	}
	return nil
}

// fillHelp gives each token its help, and the command that of all its words.
func (c *Command) fillHelp(toks []*token, shared Help) {
	help := Help{}
	for _, t := range toks {
		w := t.word + t.name
		if t.help = c.Help[w]; t.help == "" {
			t.help = shared[w]
		}
		if t.help != "" {
			help[w] = t.help
		}
	}
	if len(help) > 0 {
		c.Help = help
	}
}

// checkLists refuses what Sort, AutoSeq, Split and Removes cannot mean.
func (c *Command) checkLists(toks []*token) error {
	for _, s := range c.Sort {
		if !slices.ContainsFunc(toks, func(t *token) bool { return t.name == s || t.group == s }) {
			return fmt.Errorf("sorted by %q, which is no argument of %q", s, c.Pattern)
		}
	}
	if a := c.AutoSeq; a != nil && (c.Enters != "" || a.Step == 0 || a.Words < 0 || !slices.Contains(c.Key, a.Arg)) {
		return errors.New("AutoSeq wants a step, a number that is part of the key, and a line that opens no block")
	}
	if last := len(toks) - 1; c.Split != "" && (!toks[last].repeated || toks[last].name != c.Split && toks[last].group != c.Split || c.AutoSeq != nil || c.Enters != "") {
		return fmt.Errorf("split by %q, which is no repeated argument at the end of %q", c.Split, c.Pattern)
	}
	if len(c.Removes) > 0 && c.NoForm != NoOnly {
		return errors.New("a command that removes others has a no form only")
	}
	return nil
}

// leading splits off the keywords with which every form of the pattern begins.
func leading(root *node) (lead []*token, rest *node) {
	kids := root.kids
	for len(kids) > 0 && kids[0].op == opToken && kids[0].tok.word != "" {
		lead, kids = append(lead, kids[0].tok), kids[1:]
	}
	if len(kids) == 0 {
		return lead, nil
	}
	return lead, &node{op: opSeq, kids: kids}
}

// finish adds the closers of modes and looks for lines that two commands claim.
func (g *Grammar) finish() []error {
	var errs []error
	for _, m := range g.tree.Modes {
		for _, w := range m.Closers {
			c := Command{ID: SessionClose, Owner: SessionOwner, Mode: m.Name, Pattern: w}
			root, toks, err := compile(w)
			if err != nil || root.kids[0].op != opToken {
				errs = append(errs, fmt.Errorf("mode %q: closer %q is no keyword", m.Name, w))
				continue
			}
			toks[0].help = "Exit from this configuration mode"
			cmd := &command{Command: c, toks: toks}
			cmd.lead, cmd.rest = leading(root)
			g.modes[m.Name].root.insert(cmd)
			g.modes[m.Name].cmds = append(g.modes[m.Name].cmds, cmd)
		}
	}
	names := make([]string, 0, len(g.modes))
	for n := range g.modes {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		errs = append(errs, g.modes[n].collisions()...)
	}
	return errs
}

// collisions finds equal forms of different commands.
func (m *mode) collisions() []error {
	var errs []error
	seen := map[string]*command{}
	var text []byte
	for _, c := range m.cmds {
		whole := &node{op: opSeq}
		for _, t := range c.lead {
			whole.kids = append(whole.kids, &node{op: opToken, tok: t})
		}
		if c.rest != nil {
			whole.kids = append(whole.kids, c.rest)
		}
		for s := range shapes(whole) {
			text = text[:0]
			if c.NoForm == NoOnly {
				text = append(text, "no"...)
			}
			text = appendShape(text, s)
			old, dup := seen[string(text)]
			if dup && old != c {
				errs = append(errs, fmt.Errorf("mode %q: %q is claimed by %s %s and by %s %s",
					m.Name, bytes.TrimSpace(text), old.Owner, old.ID, c.Owner, c.ID))
				break
			}
			if !dup {
				seen[string(text)] = c
			}
		}
	}
	return errs
}
