package conf

import "slices"

// Change is one difference between two trees. Old is nil for a line that was
// added, New for one that was removed; both are set for a line that was replaced
// by another of the same identity. A block that was added or removed is one
// change, with its lines inside; a block that is in both trees is none of its
// own, unless its line changed.
type Change struct {
	Path []string // the lines of the blocks around it, outermost first
	Old  *Node
	New  *Node
}

// Diff lists what leads from old to new: within each block first what was
// removed, in old order, then what was added or changed, in new order, blocks
// followed by their inner changes.
func Diff(old, new *Tree) []Change {
	return diffBlock(nil, nil, &old.Block, &new.Block)
}

func diffBlock(out []Change, path []string, old, new *Block) []Change {
	for _, o := range old.Nodes {
		if new.Get(o.Key) == nil {
			out = append(out, Change{Path: path, Old: o})
		}
	}
	moved := reordered(old, new)
	for _, n := range new.Nodes {
		o := old.Get(n.Key)
		switch {
		case o == nil:
			out = append(out, Change{Path: path, New: n})
			continue
		case o.Line != n.Line || moved[n.ID]:
			out = append(out, Change{Path: path, Old: o, New: n})
		}
		inner := append(slices.Clone(path), n.Line)
		out = diffBlock(out, inner, &o.Block, &n.Block)
	}
	return out
}

// reordered finds the ordered commands whose new lines are not the old ones that
// stayed, in their order, followed by the added ones. All their lines change.
func reordered(old, new *Block) map[string]bool {
	want := map[string][]string{} // by ID: what appending would lead to
	for _, n := range old.Nodes {
		if n.Ordered && new.Get(n.Key) != nil {
			want[n.ID] = append(want[n.ID], n.Key)
		}
	}
	got := map[string][]string{}
	for _, n := range new.Nodes {
		if n.Ordered {
			got[n.ID] = append(got[n.ID], n.Key)
			if old.Get(n.Key) == nil {
				want[n.ID] = append(want[n.ID], n.Key)
			}
		}
	}
	ids := map[string]bool{}
	for id := range got {
		ids[id] = !slices.Equal(want[id], got[id])
	}
	return ids
}

// Filter returns the part of the tree that a daemon gets: its own lines, those of
// the commands in shared (by ID; a shared block with all of its lines), and the
// blocks around them, whoever owns those.
func (t *Tree) Filter(owner string, shared ...string) *Tree {
	return &Tree{t.Block.filter(owner, shared)}
}

func (b *Block) filter(owner string, shared []string) Block {
	var out Block
	for _, n := range b.Nodes {
		if slices.Contains(shared, n.ID) {
			c := *n
			c.Block = n.Block.clone()
			out.Nodes = append(out.Nodes, &c)
			continue
		}
		inner := n.Block.filter(owner, shared)
		if n.Owner != owner && len(inner.Nodes) == 0 {
			continue
		}
		c := *n
		c.Block = inner
		out.Nodes = append(out.Nodes, &c)
	}
	out.index()
	return out
}

// Owners lists the daemons that have lines in the tree, sorted.
func (t *Tree) Owners() []string {
	seen := map[string]bool{}
	var walk func(b *Block)
	walk = func(b *Block) {
		for _, n := range b.Nodes {
			seen[n.Owner] = true
			walk(&n.Block)
		}
	}
	walk(&t.Block)
	out := make([]string, 0, len(seen))
	for o := range seen {
		out = append(out, o)
	}
	slices.Sort(out)
	return out
}
