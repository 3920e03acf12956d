package conf

import (
	"io"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Print writes the configuration as a router shows it: blocks indented by one
// space per level, "!" between the blocks of the global configuration. Load reads
// it back to an equal tree. Secrets are written as they are.
func (t *Tree) Print(w io.Writer) error {
	var b strings.Builder
	inBlock := false
	for i, n := range t.Nodes {
		block := n.Enters != ""
		if i > 0 && (block || inBlock) {
			b.WriteString("!\n")
		}
		n.print(&b, 0, t.after(i))
		inBlock = block
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Text returns what Print writes.
func (t *Tree) Text() string {
	var b strings.Builder
	t.Print(&b) // a Builder does not fail
	return b.String()
}

// after returns the line behind the i-th, or nil.
func (b *Block) after(i int) *Node {
	if i+1 < len(b.Nodes) {
		return b.Nodes[i+1]
	}
	return nil
}

// print writes a line and its block. An empty block says "exit" where the next
// line might otherwise be taken for one of its own.
func (n *Node) print(b *strings.Builder, depth int, next *Node) {
	indent := strings.Repeat(" ", depth)
	b.WriteString(indent + n.Line + "\n")
	for i, c := range n.Nodes {
		c.print(b, depth+1, n.after(i))
	}
	switch {
	case n.Close != "":
		b.WriteString(indent + n.Close + "\n")
	case n.Enters != "" && len(n.Nodes) == 0 && next != nil && next.ID != n.ID:
		b.WriteString(indent + " exit\n")
	}
}

// Section returns the part of the tree that "show running-config SECTION" shows:
// the line or block that the words name, abbreviated or not ("int tu0"), or else
// all top-level lines that begin with the words ("router").
func (t *Tree) Section(g *cli.Grammar, words string) *Tree {
	out := &Tree{}
	if m, err := g.Parse([]string{cli.ModeConfig}, words); err == nil && m.Command != nil && m.Command.Owner != cli.SessionOwner {
		if n := t.Get(m.Identity()); n != nil {
			out.Nodes = []*Node{n}
			return out
		}
	}
	want := strings.Fields(words)
	for _, n := range t.Nodes {
		if begins(n.Line, want) {
			out.Nodes = append(out.Nodes, n)
		}
	}
	return out
}

// begins tells whether the words of a line begin with the wanted ones: the last
// may be cut short, all may be abbreviated.
func begins(line string, want []string) bool {
	have := strings.Fields(line)
	if len(have) < len(want) {
		return false
	}
	for i, w := range want {
		if len(have[i]) < len(w) || !strings.EqualFold(have[i][:len(w)], w) {
			return false
		}
	}
	return true
}
