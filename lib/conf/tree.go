package conf

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Tree is a configuration. The zero value is empty and ready to use.
type Tree struct {
	Block
}

// Node is one line, with the lines of its block.
type Node struct {
	// Line is the canonical text, "no" included. It may hold a secret: String
	// is for logs.
	Line string `json:"line"`
	// Redacted is Line without its secrets; empty if it has none.
	Redacted string   `json:"redacted,omitempty"`
	ID       string   `json:"id"`    // cli.Command.ID
	Owner    string   `json:"owner"` // the daemon that understands it
	Key      string   `json:"key"`   // identity among the lines of its block
	Args     cli.Args `json:"args,omitempty"`
	No       bool     `json:"no,omitempty"`
	Enters   string   `json:"enters,omitempty"`  // the mode of its children
	Close    string   `json:"close,omitempty"`   // the line that ends the block in print, if any
	Weight   int      `json:"weight,omitempty"`  // cli.Command.Weight
	Ordered  bool     `json:"ordered,omitempty"` // cli.Command.Ordered
	Sort     string   `json:"sort,omitempty"`    // what the line is sorted by, if not by its text
	// At is the number of the line in the text that was loaded, 0 if it came
	// otherwise. It tells where a refused line stands and is no part of equality.
	At int `json:"-"`
	Block
}

// Block is a list of lines in print order.
type Block struct {
	Nodes []*Node `json:"nodes,omitempty"`
	byKey map[string]*Node
}

// indexFrom is the size from which a block keeps an index.
const indexFrom = 16

// Get returns the line with the identity, or nil.
func (b *Block) Get(key string) *Node {
	if b.byKey != nil {
		return b.byKey[key]
	}
	for _, n := range b.Nodes {
		if n.Key == key {
			return n
		}
	}
	return nil
}

// Find returns the first line of a command, or nil; owner "" means any.
func (b *Block) Find(owner, id string) *Node {
	for _, n := range b.Nodes {
		if n.ID == id && (owner == "" || n.Owner == owner) {
			return n
		}
	}
	return nil
}

// All returns the lines of a command in order; owner "" means any.
func (b *Block) All(owner, id string) []*Node {
	var out []*Node
	for _, n := range b.Nodes {
		if n.ID == id && (owner == "" || n.Owner == owner) {
			out = append(out, n)
		}
	}
	return out
}

// put inserts or replaces a line; true if anything changed. A block that is
// replaced keeps its children.
func (b *Block) put(n *Node) bool {
	if old := b.Get(n.Key); old != nil {
		if old.Line == n.Line {
			return false
		}
		n.Block = old.Block
		i := slices.Index(b.Nodes, old)
		if old.order(n) == 0 {
			b.Nodes[i] = n
			b.note(n)
			return true
		}
		b.Nodes = slices.Delete(b.Nodes, i, i+1)
	}
	// After all lines that do not sort behind it, so that ordered lines keep
	// the order of entry.
	i, _ := slices.BinarySearchFunc(b.Nodes, n, func(x, n *Node) int {
		if x.order(n) <= 0 {
			return -1
		}
		return 1
	})
	b.Nodes = slices.Insert(b.Nodes, i, n)
	b.note(n)
	return true
}

// note keeps the index after n was put.
func (b *Block) note(n *Node) {
	if b.byKey != nil {
		b.byKey[n.Key] = n
	} else {
		b.index()
	}
}

// index makes the index of a block that is large enough. Readers never make one,
// so that several may read.
func (b *Block) index() {
	if len(b.Nodes) < indexFrom {
		return
	}
	b.byKey = make(map[string]*Node, len(b.Nodes))
	for _, n := range b.Nodes {
		b.byKey[n.Key] = n
	}
}

// UnmarshalJSON reads a tree that was sent.
func (t *Tree) UnmarshalJSON(data []byte) error {
	var b Block
	if err := json.Unmarshal(data, &b); err != nil {
		return err
	}
	if !b.sound() {
		return errors.New("configuration with an empty line")
	}
	t.Block = b
	return nil
}

// sound checks a block that was sent, and indexes it.
func (b *Block) sound() bool {
	for _, n := range b.Nodes {
		if n == nil || !n.Block.sound() {
			return false
		}
	}
	b.index()
	return true
}

// remove takes a line out; true if it was there.
func (b *Block) remove(key string) bool {
	old := b.Get(key)
	if old == nil {
		return false
	}
	b.Nodes = slices.Delete(b.Nodes, slices.Index(b.Nodes, old), slices.Index(b.Nodes, old)+1)
	delete(b.byKey, key)
	return true
}

// order compares two lines for printing.
func (n *Node) order(o *Node) int {
	if n.Weight != o.Weight {
		return n.Weight - o.Weight
	}
	return natural(n.sortText(), o.sortText())
}

// sortText is the text by which a line sorts: a "no" line stands where the
// positive one would. Ordered lines of one command are all equal, or those of one
// list are, if the command says by what they are sorted.
func (n *Node) sortText() string {
	if n.Sort != "" {
		return n.Sort
	}
	if n.Ordered {
		return n.ID
	}
	if n.No {
		return strings.TrimPrefix(n.Line, "no ")
	}
	return n.Line
}

// String is the line without its secrets.
func (n *Node) String() string {
	if n.Redacted != "" {
		return n.Redacted
	}
	return n.Line
}

// Clone copies the tree, all blocks included. Arguments are shared: they never change.
func (t *Tree) Clone() *Tree { return &Tree{t.Block.clone()} }

func (b *Block) clone() Block {
	if len(b.Nodes) == 0 {
		return Block{}
	}
	out := Block{Nodes: make([]*Node, len(b.Nodes))}
	for i, n := range b.Nodes {
		c := *n
		c.Block = n.Block.clone()
		out.Nodes[i] = &c
	}
	out.index()
	return out
}

// Equal tells whether two trees hold the same lines in the same order.
func (t *Tree) Equal(o *Tree) bool { return t.Block.equal(&o.Block) }

func (b *Block) equal(o *Block) bool {
	return slices.EqualFunc(b.Nodes, o.Nodes, func(x, y *Node) bool {
		return x.Key == y.Key && x.Line == y.Line && x.Block.equal(&y.Block)
	})
}

// Len counts the lines of the tree.
func (t *Tree) Len() int { return t.Block.count() }

func (b *Block) count() int {
	n := len(b.Nodes)
	for _, c := range b.Nodes {
		n += c.Block.count()
	}
	return n
}

// natural compares text so that numbers in it compare by value: Tunnel2 comes
// before Tunnel10. Equal numbers written differently compare as text.
func natural(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if isDigit(a[i]) && isDigit(b[j]) {
			x, y := number(a[i:]), number(b[j:])
			tx, ty := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(tx) != len(ty) {
				return len(tx) - len(ty)
			}
			if c := strings.Compare(tx, ty); c != 0 {
				return c
			}
			i, j = i+len(x), j+len(y)
			continue
		}
		if a[i] != b[j] {
			return int(a[i]) - int(b[j])
		}
		i, j = i+1, j+1
	}
	if d := (len(a) - i) - (len(b) - j); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func number(s string) string {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return s[:n]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
