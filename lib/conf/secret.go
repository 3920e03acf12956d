package conf

import (
	"maps"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Secret returns the secret of a line (cli.SecretPart) and its type, "" where the line
// does not say it. ok is false if the line has none.
func (n *Node) Secret() (kind, text string, ok bool) {
	v, ok := n.Args[cli.SecretText]
	if !ok || v.Kind != cli.KindSecret {
		return "", "", false
	}
	return n.Args.String(cli.SecretType), v.Text, true
}

// EachSecret calls visit for each line that has a secret, with the keys of the
// blocks around it and its own.
func (t *Tree) EachSecret(visit func(path []string, n *Node)) { t.Block.eachSecret(nil, visit) }

func (b *Block) eachSecret(around []string, visit func(path []string, n *Node)) {
	for _, n := range b.Nodes {
		path := append(slices.Clone(around), n.Key)
		if _, _, ok := n.Secret(); ok {
			visit(path, n)
		}
		n.Block.eachSecret(path, visit)
	}
}

// At returns the line at a path of keys, or nil.
func (t *Tree) At(path []string) (n *Node) {
	b := &t.Block
	for _, key := range path {
		if n = b.Get(key); n == nil {
			return nil
		}
		b = &n.Block
	}
	return n
}

// Reveal gives a line the arguments that it has with another secret and type; its
// text stays as it is. It is for what is handed to those who use the secret.
func (n *Node) Reveal(kind, text string) {
	args := maps.Clone(n.Args)
	delete(args, args.String(cli.SecretType)) // the keyword of the type is an argument as well
	delete(args, cli.SecretType)
	if kind != "" {
		args[kind] = cli.Value{Kind: cli.KindFlag, Text: kind}
		args[cli.SecretType] = args[kind]
	}
	args[cli.SecretText] = cli.Value{Kind: cli.KindSecret, Text: text}
	n.Args = args
}

// PutSecret replaces the secret and its type of the line at a path of keys, in its
// text as well. The lines below it stay.
func (t *Tree) PutSecret(path []string, kind, text string) {
	b := &t.Block
	if outer := t.At(path[:len(path)-1]); outer != nil {
		b = &outer.Block
	}
	old := b.Get(path[len(path)-1])
	n := *old
	n.Line, n.Redacted = n.retype(kind, text)
	n.Reveal(kind, text)
	b.put(&n)
}

// retype returns the text of a line with another secret and type, and the same
// with the secret hidden.
func (n *Node) retype(kind, text string) (line, hidden string) {
	words, shown := strings.Split(n.Line, " "), strings.Split(n.String(), " ")
	old := n.Args[cli.SecretText]
	i := len(words) - 1
	for i > 0 && (words[i] != old.Text || shown[i] != old.String()) {
		i--
	}
	from := i
	if n.Args.Has(cli.SecretType) {
		from--
	}
	var typed []string
	if kind != "" {
		typed = []string{kind}
	}
	line = strings.Join(slices.Concat(words[:from], typed, []string{text}, words[i+1:]), " ")
	return line, strings.Join(slices.Concat(shown[:from], typed, []string{old.String()}, shown[i+1:]), " ")
}
