package confstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/zebra/masterkey"
)

// Owners are those to whom parts of the configuration belong.
type Owners interface {
	// Enable makes sure that exactly these daemons run, and waits until those
	// that are new can be asked. Unknown names are an error.
	Enable(ctx context.Context, daemons []string) error

	// Configure hands an owner its part of the configuration.
	Configure(ctx context.Context, owner string, c plugin.Configuration) ([]plugin.LineError, error)
}

// Options tell a Store what it works with.
type Options struct {
	Grammar *cli.Grammar
	Owners  Owners
	Self    string   // the owner that is no daemon: zebra
	Daemon  string   // ID of the line "daemon NAME"
	Forced  []string // daemons that run whatever the configuration says
	// Needs has for IDs of Self's lines, at whatever depth, the daemon without which they
	// do nothing.
	Needs   map[string]string
	Shared  []string // IDs of commands that every daemon gets beside its own
	Startup string   // path of the startup configuration

	Encrypt string          // ID of the line that has secrets stored encrypted; "" for none
	KeyLine string          // ID of the immediate line that sets the master key
	KeyFile string          // path of the file of the master key
	Keys    *masterkey.Ring // what was in it; nil for none
}

// Store holds the running configuration. Its methods may be called by several
// goroutines; changes happen one after the other.
type Store struct {
	opts Options

	change sync.Mutex // held during a whole transaction

	mu       sync.Mutex // guards the following, for a moment only
	running  *conf.Tree // read-only once here
	revision uint64
	keys     *masterkey.Ring

	shut string // what stands for secrets that cannot be decrypted is made of it
}

// New returns a store with an empty running configuration.
func New(opts Options) *Store {
	return &Store{opts: opts, running: &conf.Tree{}, keys: opts.Keys, shut: rand.Text()}
}

// Grammar returns the grammar of the configuration.
func (s *Store) Grammar() *cli.Grammar { return s.opts.Grammar }

// Revision counts the changes of the running configuration.
func (s *Store) Revision() uint64 {
	_, revision := s.snapshot()
	return revision
}

// Running returns the running configuration; it must not be changed.
func (s *Store) Running() *conf.Tree {
	tree, _ := s.snapshot()
	return tree
}

func (s *Store) snapshot() (*conf.Tree, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running, s.revision
}

// Part returns an owner's part of the running configuration, as handed to a
// daemon that was restarted.
func (s *Store) Part(owner string) plugin.Configuration {
	s.mu.Lock() // the keys are those of the tree
	tree, rev, ring := s.running, s.revision, s.keys
	s.mu.Unlock()
	return plugin.Configuration{Revision: rev, Tree: s.reveal(tree.Filter(owner, s.opts.Shared...), ring), Phase: plugin.Commit}
}

// Daemons returns the names of the daemons that a configuration enables, sorted.
func (s *Store) Daemons(tree *conf.Tree) []string {
	on := map[string]bool{}
	for _, owner := range tree.Owners() {
		on[owner] = true
	}
	for id, name := range s.opts.Needs {
		on[name] = on[name] || hasLine(tree.Nodes, id)
	}
	for _, n := range tree.All(s.opts.Self, s.opts.Daemon) {
		on[n.Args.String("name")] = !n.No
	}
	for _, name := range s.opts.Forced {
		on[name] = true
	}
	delete(on, s.opts.Self)
	var names []string
	for name, yes := range on {
		if yes {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// hasLine reports whether a line is there, in its "no" form or not, at whatever depth.
func hasLine(nodes []*conf.Node, id string) bool {
	return slices.ContainsFunc(nodes, func(n *conf.Node) bool { return n.ID == id || hasLine(n.Nodes, id) })
}

// Load makes a text the running configuration, wholly or not at all. The errors
// name lines of the source.
func (s *Store) Load(ctx context.Context, text, source string) []conf.LineError {
	return s.load(ctx, &conf.Tree{}, text, source, plugin.Commit, s.try)
}

// Boot is Load at the start, which must not fail because the file of the master key
// is lost: lines whose secrets cannot be decrypted are returned as locked. They are
// part of the running configuration, and what they protect stays shut until the right
// master key is entered.
func (s *Store) Boot(ctx context.Context, text, source string) (refused, locked []conf.LineError) {
	if refused = s.load(ctx, &conf.Tree{}, text, source, plugin.Commit, s.transact); len(refused) > 0 {
		return refused, nil
	}
	running := s.Running()
	for _, r := range s.locked(&conf.Tree{}, running) {
		locked = append(locked, r.at(running, source))
	}
	return nil, locked
}

// Merge applies a text onto the running configuration, wholly or not at all.
func (s *Store) Merge(ctx context.Context, text, source string) []conf.LineError {
	return s.load(ctx, nil, text, source, plugin.Commit, s.try)
}

// Check says what Merge would refuse, and changes nothing.
func (s *Store) Check(ctx context.Context, text, source string) []conf.LineError {
	return s.load(ctx, nil, text, source, plugin.Check, s.try)
}

// load applies a text onto a configuration, the running one if it is nil, and then
// does what is to be done with the candidate.
func (s *Store) load(ctx context.Context, onto *conf.Tree, text, source string, phase plugin.Phase,
	do func(context.Context, *conf.Tree, plugin.Phase) []refusal) []conf.LineError {
	s.change.Lock()
	defer s.change.Unlock()
	if onto == nil {
		onto = s.Running()
	}
	candidate, errs := conf.Merge(s.opts.Grammar, onto, text, source)
	if errs != nil {
		return errs
	}
	for _, e := range do(ctx, candidate, phase) {
		errs = append(errs, e.at(candidate, source))
	}
	slices.SortStableFunc(errs, func(a, b conf.LineError) int { return a.Line - b.Line })
	return errs
}

// refusal is a line that an owner refuses.
type refusal struct {
	owner string
	plugin.LineError
}

// at finds the line in the source that the refusal is about.
func (r refusal) at(tree *conf.Tree, source string) conf.LineError {
	e := conf.LineError{File: source, Column: 1, Msg: r.Msg}
	if n := find(tree, r.Path); n != nil {
		e.Line, e.Text = n.At, n.String()
	}
	return e
}

// find returns the node at a path of keys, or the innermost block on the way.
func find(tree *conf.Tree, path []string) *conf.Node {
	var found *conf.Node
	block := &tree.Block
	for _, key := range path {
		n := block.Get(key)
		if n == nil {
			break
		}
		found, block = n, &n.Block
	}
	return found
}

// try is transact, but refuses secrets that are new and that nobody can decrypt.
func (s *Store) try(ctx context.Context, candidate *conf.Tree, phase plugin.Phase) []refusal {
	if refused := s.locked(s.Running(), candidate); len(refused) > 0 {
		return refused
	}
	return s.transact(ctx, candidate, phase)
}

// transact brings a candidate into force, or leaves everything as it was and
// says who refuses what. In phase Check it leaves everything as it was anyway.
func (s *Store) transact(ctx context.Context, candidate *conf.Tree, phase plugin.Phase) []refusal {
	before, revision := s.snapshot()
	candidate, err := s.seal(before, candidate)
	if err != nil {
		return []refusal{s.refusal(err)}
	}
	revision++
	daemons := s.Daemons(candidate)
	was := s.Daemons(before)
	if err := s.opts.Owners.Enable(ctx, union(daemons, was)); err != nil {
		return append(s.backTo(ctx, was), s.refusal(err))
	}
	if revision == 1 {
		was = nil // a daemon that runs by force has no configuration yet
	}
	owners := s.affected(before, candidate, daemons, was)
	refused := s.ask(ctx, owners, candidate, revision, plugin.Check)
	if len(refused) > 0 || phase == plugin.Check {
		return append(refused, s.backTo(ctx, s.Daemons(before))...)
	}
	s.mu.Lock()
	s.running, s.revision = candidate, revision
	s.mu.Unlock()
	// A daemon that fails now has checked its part; it gets it again when it is
	// back, so what it says here is not a reason to undo the others' commits. Nor
	// is somebody's impatience: half a commit is the one thing that must not be.
	ctx = context.WithoutCancel(ctx)
	s.ask(ctx, owners, candidate, revision, plugin.Commit)
	if err := s.opts.Owners.Enable(ctx, daemons); err != nil {
		return []refusal{s.refusal(err)}
	}
	return nil
}

// backTo lets the daemons run that ran before a candidate was refused.
func (s *Store) backTo(ctx context.Context, was []string) []refusal {
	if err := s.opts.Owners.Enable(context.WithoutCancel(ctx), was); err != nil {
		return []refusal{s.refusal(err)}
	}
	return nil
}

// refusal is zebra's own, of the configuration as a whole.
func (s *Store) refusal(err error) refusal {
	return refusal{s.opts.Self, plugin.LineError{Msg: err.Error()}}
}

// affected lists the owners whose part differs, and the daemons that are new,
// zebra first.
func (s *Store) affected(before, after *conf.Tree, daemons, was []string) []string {
	touched := map[string]bool{}
	everyone := false
	var note func(n *conf.Node)
	note = func(n *conf.Node) {
		touched[n.Owner] = true
		everyone = everyone || slices.Contains(s.opts.Shared, n.ID)
		for _, c := range n.Nodes {
			note(c)
		}
	}
	for _, c := range conf.Diff(before, after) {
		everyone = everyone || s.inShared(before, c.Path) || s.inShared(after, c.Path)
		for _, n := range []*conf.Node{c.Old, c.New} {
			if n != nil {
				note(n)
			}
		}
	}
	owners := []string{}
	if touched[s.opts.Self] || everyone {
		owners = append(owners, s.opts.Self)
	}
	for _, name := range daemons {
		if touched[name] || everyone || !slices.Contains(was, name) {
			owners = append(owners, name)
		}
	}
	return owners
}

// inShared reports whether a block on a path is shared.
func (s *Store) inShared(tree *conf.Tree, path []string) bool {
	block := &tree.Block
	for _, line := range path {
		i := slices.IndexFunc(block.Nodes, func(n *conf.Node) bool { return n.Line == line })
		if i < 0 {
			return false
		}
		n := block.Nodes[i]
		if slices.Contains(s.opts.Shared, n.ID) {
			return true
		}
		block = &n.Block
	}
	return false
}

func (s *Store) ask(ctx context.Context, owners []string, tree *conf.Tree, revision uint64, phase plugin.Phase) []refusal {
	var refused []refusal
	for _, owner := range owners {
		var part *conf.Tree
		if owner != s.opts.Self {
			part = tree.Filter(owner, s.opts.Shared...)
		} else {
			part = tree.Clone()
		}
		s.reveal(part, s.ring())
		errs, err := s.opts.Owners.Configure(ctx, owner, plugin.Configuration{Revision: revision, Tree: part, Phase: phase})
		if err != nil {
			errs = append(errs, plugin.LineError{Msg: fmt.Sprintf("%s cannot be asked: %v", owner, err)})
		}
		for _, e := range errs {
			refused = append(refused, refusal{owner, e})
		}
	}
	return refused
}

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Apply applies one line on a path of blocks and returns the path after it.
func (s *Store) Apply(ctx context.Context, blocks []string, line string) (next []string, lineErr *cli.Error) {
	s.change.Lock()
	defer s.change.Unlock()
	path, lineErr := conf.Resolve(s.opts.Grammar, blocks)
	if lineErr != nil {
		return blocks, lineErr
	}
	m, lineErr := s.opts.Grammar.Parse(path.Stack(), line)
	if lineErr != nil {
		return blocks, lineErr
	}
	refuse := func(msg string) *cli.Error {
		return &cli.Error{Kind: cli.ErrRefused, Line: m.Redacted, Column: 1, Msg: msg}
	}
	if m.Command != nil && m.Command.Immediate {
		if err := s.carryOut(ctx, m); err != nil {
			return blocks, refuse(err.Error())
		}
		return path.Next(m).Lines(), nil
	}
	candidate := s.Running().Clone()
	changed, err := candidate.Apply(path, m)
	if err != nil {
		return blocks, refuse(err.Error())
	}
	if changed {
		if refused := s.try(ctx, candidate, plugin.Commit); len(refused) > 0 {
			return blocks, refuse(s.explain(candidate, m, refused))
		}
	}
	return path.Next(m).Lines(), nil
}

// explain joins refusals for somebody who typed one line: a refusal of another
// line says which one.
func (s *Store) explain(candidate *conf.Tree, m cli.Match, refused []refusal) string {
	var msgs []string
	for _, r := range refused {
		msg := r.Msg
		if n := find(candidate, r.Path); n != nil && n.String() != m.Redacted {
			msg = fmt.Sprintf("%s (%q)", msg, n.String())
		}
		if !slices.Contains(msgs, msg) {
			msgs = append(msgs, msg)
		}
	}
	return strings.Join(msgs, "; ")
}

// Section returns the part of the running configuration that the words name,
// or all of it.
func (s *Store) Section(words string) *conf.Tree {
	if strings.TrimSpace(words) == "" {
		return s.Running()
	}
	return s.Running().Section(s.opts.Grammar, words)
}
