package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// secretGrammar has secrets in the middle of lines, at their ends, and behind options.
func secretGrammar(t *testing.T) *cli.Grammar {
	t.Helper()
	g, err := cli.Merge(cli.Owned{Owner: "d", Tree: cli.Tree{
		Modes: []cli.Mode{{Name: "peer", Parent: cli.ModeConfig, Prompt: "(config-peer)#"}},
		Commands: []cli.Command{
			{ID: "peer", Mode: cli.ModeConfig, Pattern: "peer name:WORD", Enters: "peer", Key: []string{"name"}},
			{ID: "key", Mode: "peer", Pattern: "key side:[local|remote] [type:{0|6|7|hex}] secret:SECRET", Key: []string{"side"}},
			{ID: "login", Mode: cli.ModeConfig, Pattern: "login " + cli.SecretPart + " level n:<1-9>", Key: []string{"n"}},
		}}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestPutSecret: the tree is as if the other secret had been typed, order included.
func TestPutSecret(t *testing.T) {
	g := secretGrammar(t)
	for _, tc := range []struct{ line, kind, text, want string }{
		{"key zzz", "6", "g1.x", "key 6 g1.x"},
		{"key local local", "6", "g1.x", "key local 6 g1.x"},
		{"key local 0 0", "6", "g1.x", "key local 6 g1.x"},
		{"key remote hex 00", "6", "g1.x", "key remote 6 g1.x"},
		{"key remote 6 g1.x", "", "clear", "key remote clear"},
		{"key 6 ********", "7", "g1.x", "key 7 g1.x"},
		{"key ********", "6", "g1.x", "key 6 g1.x"},
	} {
		text := "peer A\n " + tc.line + "\n key local other\n"
		tree, errs := Load(g, text, "test")
		if errs != nil {
			t.Fatal(errs)
		}
		want, _ := Load(g, strings.Replace(text, tc.line, tc.want, 1), "test")
		var at []string
		tree.EachSecret(func(path []string, n *Node) {
			if n.Line == tc.line {
				at = path
			}
		})
		if at == nil { // the last line of that side is in force
			at = []string{tree.Nodes[0].Key, tree.Nodes[0].Nodes[0].Key}
			want, _ = Load(g, "peer A\n "+tc.want+"\n", "test")
			tree, _ = Load(g, "peer A\n "+tc.line+"\n", "test")
		}
		tree.PutSecret(at, tc.kind, tc.text)
		if diff := cmp.Diff(want, tree, cmp.AllowUnexported(Block{}), cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Block.Nodes.At" || strings.HasSuffix(p.String(), ".At") }, cmp.Ignore())); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", tc.line, diff)
		}
	}
}

// TestPutSecretInTheMiddle: what is behind the secret stays.
func TestPutSecretInTheMiddle(t *testing.T) {
	tree, _ := Load(secretGrammar(t), "login 0 9 level 9\n", "test")
	tree.PutSecret([]string{tree.Nodes[0].Key}, "6", "g1.x")
	if n := tree.Nodes[0]; n.Line != "login 6 g1.x level 9" || n.Redacted != "login 6 ******** level 9" {
		t.Errorf("%q, %q", n.Line, n.Redacted)
	}
}

// TestReveal: the arguments are those of the other secret, the text is not.
func TestReveal(t *testing.T) {
	tree, _ := Load(secretGrammar(t), "login 6 g1.x level 9\n", "test")
	n := tree.Clone().Nodes[0]
	n.Reveal("0", "clear")
	if n.Args.String("secret") != "clear" || n.Args.String("type") != "0" || n.Args.Has("6") || !n.Args.Has("0") || n.Line != tree.Nodes[0].Line {
		t.Errorf("%q %#v", n.Line, n.Args)
	}
	if kind, text, ok := tree.Nodes[0].Secret(); kind != "6" || text != "g1.x" || !ok {
		t.Errorf("the original is %q %q", kind, text)
	}
}
