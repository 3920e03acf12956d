package conf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// listGrammar has lists as Cisco IOS has them.
func listGrammar(t testing.TB) *cli.Grammar {
	t.Helper()
	g, err := cli.Merge(cli.Owned{Owner: "z", Tree: cli.Tree{
		Modes: []cli.Mode{{Name: "acl", Parent: "config"}, {Name: "map", Parent: "config"}},
		Commands: []cli.Command{
			{ID: "pl", Mode: "config", Pattern: "ip prefix-list name:WORD [seq seq:<1-100>] {permit|deny} prefix:PREFIX4",
				Key: []string{"name", "seq"}, AutoSeq: &cli.AutoSeq{Arg: "seq", Keyword: "seq", Words: 3, Step: 5, Max: 100}},
			{ID: "pl.text", Mode: "config", Pattern: "ip prefix-list name:WORD description text:LINE", Key: []string{"name"}},
			{ID: "pl.all", Mode: "config", Pattern: "ip prefix-list name:WORD", NoForm: cli.NoOnly, Removes: []string{"pl", "pl.text"}},
			{ID: "pl.seq", Mode: "config", Pattern: "ip prefix-list name:WORD seq seq:<1-100>", NoForm: cli.NoOnly, Removes: []string{"pl"}},
			{ID: "num", Mode: "config", Pattern: "access-list n:<1-99> action:{permit|deny} addr:A.B.C.D", Ordered: true, Sort: []string{"n"}, Key: []string{"n", "action", "addr"}, Weight: 1},
			{ID: "num.all", Mode: "config", Pattern: "access-list n:<1-99>", NoForm: cli.NoOnly, Removes: []string{"num"}},
			{ID: "acl", Mode: "config", Pattern: "ip access-list name:WORD", Enters: "acl", Key: []string{"name"}, Weight: 2},
			{ID: "ace", Mode: "acl", Pattern: "[seq:<1-100>] {permit|deny} addr:A.B.C.D", Key: []string{"seq"}, AutoSeq: &cli.AutoSeq{Arg: "seq", Step: 10, Max: 100}},
			{ID: "ace", Mode: "acl", Pattern: "[seq:<1-100>] remark text:LINE", Key: []string{"seq"}, AutoSeq: &cli.AutoSeq{Arg: "seq", Step: 10, Max: 100}},
			{ID: "map", Mode: "config", Pattern: "route-map name:WORD action:{permit|deny} seq:<1-100>", Enters: "map", Key: []string{"name", "seq"}, Sort: []string{"name", "seq"}, Weight: 3},
			{ID: "tag", Mode: "map", Pattern: "match tag tag:<1-100>...", Key: []string{"tag"}, Split: "tag"},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestLists(t *testing.T) {
	g := listGrammar(t)
	for _, c := range []struct{ name, text, want string }{
		{"numbered from the step", "ip prefix-list A permit 10.0.0.0/8\nip prefix-list A deny 0.0.0.0/0\nip prefix-list B deny 0.0.0.0/0",
			"ip prefix-list A seq 5 permit 10.0.0.0/8\nip prefix-list A seq 10 deny 0.0.0.0/0\nip prefix-list B seq 5 deny 0.0.0.0/0\n"},
		{"the next is a step from the last", "ip prefix-list A seq 3 permit 10.0.0.0/8\nip prefix-list A deny 0.0.0.0/0",
			"ip prefix-list A seq 3 permit 10.0.0.0/8\nip prefix-list A seq 8 deny 0.0.0.0/0\n"},
		{"sorted by number", "ip prefix-list A seq 10 permit 10.0.0.0/8\nip prefix-list A seq 9 deny 0.0.0.0/0",
			"ip prefix-list A seq 9 deny 0.0.0.0/0\nip prefix-list A seq 10 permit 10.0.0.0/8\n"},
		{"the same line twice", "ip prefix-list A seq 7 permit 10.0.0.0/8\nip prefix-list A permit 10.0.0.0/8", "ip prefix-list A seq 7 permit 10.0.0.0/8\n"},
		{"a number again", "ip prefix-list A seq 7 permit 10.0.0.0/8\nip prefix-list A seq 7 deny 10.0.0.0/8", "ip prefix-list A seq 7 deny 10.0.0.0/8\n"},
		{"no by number", "ip prefix-list A permit 10.0.0.0/8\nip prefix-list A deny 0.0.0.0/0\nno ip prefix-list A seq 5", "ip prefix-list A seq 10 deny 0.0.0.0/0\n"},
		{"no by content", "ip prefix-list A permit 10.0.0.0/8\nip prefix-list A deny 0.0.0.0/0\nno ip prefix-list A deny 0.0.0.0/0", "ip prefix-list A seq 5 permit 10.0.0.0/8\n"},
		{"no by other content", "ip prefix-list A permit 10.0.0.0/8\nno ip prefix-list A deny 10.0.0.0/8", "ip prefix-list A seq 5 permit 10.0.0.0/8\n"},
		{"no of the whole list", "ip prefix-list A permit 10.0.0.0/8\nip prefix-list A description x y\nip prefix-list AB deny 0.0.0.0/0\nno ip prefix-list A", "ip prefix-list AB seq 5 deny 0.0.0.0/0\n"},
		{"no keeps lists of another kind", "ip prefix-list A permit 10.0.0.0/8\nip access-list A\n permit 1.1.1.1\nno ip prefix-list A", "ip access-list A\n 10 permit 1.1.1.1\n"},
		{"lists that are in order of entry", "access-list 10 permit 9.9.9.9\naccess-list 2 permit 1.1.1.1\naccess-list 10 deny 1.1.1.1",
			"access-list 2 permit 1.1.1.1\naccess-list 10 permit 9.9.9.9\naccess-list 10 deny 1.1.1.1\n"},
		{"no access-list", "access-list 10 permit 9.9.9.9\naccess-list 2 permit 1.1.1.1\naccess-list 10 deny 1.1.1.1\nno access-list 10", "access-list 2 permit 1.1.1.1\n"},
		{"within a block", "ip access-list X\n permit 1.1.1.1\n remark  a  b\n 15 deny 2.2.2.2\n permit 3.3.3.3\n no 10\n no permit 3.3.3.3",
			"ip access-list X\n 15 deny 2.2.2.2\n 20 remark a  b\n"},
		{"sorted by argument", "route-map X permit 10\nroute-map X deny 20\nroute-map X permit 9", "route-map X permit 9\n!\nroute-map X permit 10\n!\nroute-map X deny 20\n"},
		{"the action changes", "route-map X permit 10\n match tag 1\nroute-map X deny 10", "route-map X deny 10\n match tag 1\n"},
		{"split", "route-map X permit 10\n match tag 10 2 2\n match tag 3\n no match tag 10 4", "route-map X permit 10\n match tag 2\n match tag 3\n"},
	} {
		tree, errs := Load(g, c.text, "test")
		if errs != nil {
			t.Errorf("%s: %v", c.name, errs)
			continue
		}
		if d := cmp.Diff(c.want, tree.Text()); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
		again, errs := Load(g, tree.Text(), "again")
		if errs != nil || !again.Equal(tree) {
			t.Errorf("%s: printed and loaded it is\n%s%v", c.name, again.Text(), errs)
		}
	}
}

func TestListsRefuse(t *testing.T) {
	g := listGrammar(t)
	for text, want := range map[string]string{
		"ip prefix-list A":          "Incomplete",
		"ip prefix-list A seq 5":    "Incomplete",
		"access-list 10":            "Incomplete",
		"no ip prefix-list":         "Incomplete",
		"no access-list 100":        "not in <1-99>",
		"ip access-list X\n permit": "Incomplete",
		"ip prefix-list A seq 100 permit 1.0.0.0/8\nip prefix-list A permit 2.0.0.0/8": "no number left",
	} {
		_, errs := Load(g, text, "test")
		if len(errs) != 1 || !strings.Contains(errs[0].Msg, want) {
			t.Errorf("%q: %v, want %q", text, errs, want)
		}
	}
}

// Lines that were numbered or split know where they stand in the text.
func TestListsPlace(t *testing.T) {
	tree, errs := Load(listGrammar(t), "ip prefix-list A permit 10.0.0.0/8\n\nroute-map X permit 10\n match tag 4 5\n", "test")
	if errs != nil {
		t.Fatal(errs)
	}
	tags := tree.Nodes[1].Nodes
	if tree.Nodes[0].At != 1 || len(tags) != 2 || tags[0].At != 4 || tags[1].At != 4 {
		t.Errorf("line 1 is at %d, the tags are %v", tree.Nodes[0].At, tags)
	}
}

func TestListsMergeRefuses(t *testing.T) {
	key := []string{"n"}
	for _, c := range []cli.Command{
		{Pattern: "x n:<1-9>", AutoSeq: &cli.AutoSeq{Arg: "n", Step: 1}},
		{Pattern: "x n:<1-9>", Key: key, AutoSeq: &cli.AutoSeq{Arg: "n"}},
		{Pattern: "x n:<1-9>", Key: key, Split: "n"},
		{Pattern: "x n:<1-9>... {y|z}", Key: key, Split: "n"},
		{Pattern: "x n:<1-9>", Removes: []string{"y"}},
		{Pattern: "x n:<1-9>", Sort: []string{"m"}},
	} {
		c.ID, c.Mode = "c", "config"
		if _, err := cli.Merge(cli.Owned{Owner: "z", Tree: cli.Tree{Commands: []cli.Command{c}}}); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

// Whatever was typed, the printed list loads to the same tree and all numbers
// are different; a list is gone after its "no".
func TestListsRapid(t *testing.T) {
	g := listGrammar(t)
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		for range rapid.IntRange(0, 30).Draw(t, "lines") {
			fmt.Fprintln(&text, rapid.SampledFrom([]string{
				"ip prefix-list A permit 10.0.0.0/8", "ip prefix-list A deny 10.0.0.0/8", "ip prefix-list A seq 7 permit 11.0.0.0/8",
				"ip prefix-list B permit 10.0.0.0/8", "no ip prefix-list A seq 5", "no ip prefix-list A permit 10.0.0.0/8", "no ip prefix-list A",
				"ip prefix-list A description d", "access-list 1 permit 1.1.1.1", "access-list 1 deny 2.2.2.2", "access-list 2 permit 1.1.1.1",
				"no access-list 1", "no access-list 1 deny 2.2.2.2",
			}).Draw(t, "line"))
		}
		tree, errs := Load(g, text.String(), "t")
		if errs != nil {
			t.Fatal(errs)
		}
		again, errs := Load(g, tree.Text(), "again")
		if errs != nil || !again.Equal(tree) {
			t.Fatalf("printed:\n%s\nloaded:\n%s%v", tree.Text(), again.Text(), errs)
		}
		tree, _ = Merge(g, tree, "no ip prefix-list A\nno access-list 1", "t")
		for _, n := range tree.Nodes {
			if n.Args.String("name") == "A" || n.Args.String("n") == "1" {
				t.Fatalf("%q is left", n)
			}
		}
	})
}

// "do" before a comment is a comment.
func TestLoadDoComment(t *testing.T) {
	tree, errs := Load(listGrammar(t), "do !\naccess-list 1 permit 1.1.1.1\n", "test")
	if errs != nil || tree.Len() != 1 {
		t.Errorf("%v, %v", tree, errs)
	}
}
