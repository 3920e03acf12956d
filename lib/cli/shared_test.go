package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// travelled returns a tree as it arrives at the other end of a connection.
func travelled(t *testing.T, tree Tree) Tree {
	t.Helper()
	b, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var out Tree
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func suite() []Owned {
	daemon := func(name string, more ...Command) Owned {
		return Owned{name, Tree{Commands: append(append(more, DebuggingCommands()...), ProtocolsCommands()...)}}
	}
	return []Owned{
		{"zebra", Tree{Commands: DebuggingCommands()}},
		daemon("ripd", Command{ID: "rip.show", Mode: ModeExec, Pattern: "show ip rip"}),
		daemon("bgpd"),
	}
}

// TestShared wants every owner of a shared command to be known, in the order of
// the trees, here, at the far end of a connection, and in a rebuilt grammar.
func TestShared(t *testing.T) {
	here, err := Merge(suite()...)
	if err != nil {
		t.Fatal(err)
	}
	var far []Owned
	for _, o := range suite() {
		far = append(far, Owned{o.Owner, travelled(t, o.Tree)})
	}
	there, err := Merge(far...)
	if err != nil {
		t.Fatal(err)
	}
	rebuilt, err := Rebuild(travelled(t, here.Tree()))
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]*Grammar{"here": here, "there": there, "rebuilt": rebuilt} {
		for line, want := range map[string]struct {
			id     string
			owners []string
		}{
			"sh ip prot":              {ShowProtocols, []string{"ripd", "bgpd"}},
			"show ip protocols vrf A": {ShowProtocols, []string{"ripd", "bgpd"}},
			"und all":                 {UndebugAll, []string{"zebra", "ripd", "bgpd"}},
			"no debug all":            {UndebugAll, []string{"zebra", "ripd", "bgpd"}},
			"show debugging":          {ShowDebugging, []string{"zebra", "ripd", "bgpd"}},
			"show ip rip":             {"rip.show", nil},
		} {
			m, lineErr := g.Parse([]string{ModeEnable}, line)
			if lineErr != nil {
				t.Errorf("%s: %s", name, lineErr.Report())
				continue
			}
			if c := m.Command; c.ID != want.id || c.Shared != (want.owners != nil) || cmp.Diff(want.owners, c.Owners) != "" {
				t.Errorf("%s: %q is %s of %v, want %s of %v", name, line, c.ID, c.Owners, want.id, want.owners)
			}
		}
		if _, lineErr := g.Parse([]string{ModeEnable}, "debug all"); lineErr == nil {
			t.Errorf("%s: debug all is accepted", name)
		}
	}
}

// TestSharedTyped wants help and completion to see a shared command once.
func TestSharedTyped(t *testing.T) {
	g, err := Merge(suite()...)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string][]Candidate{
		"show ip ": {{"protocols", "State of the routing protocols", true}, {"rip", "", true}},
		"und":      {{"undebug", "Turn debugging off", true}},
		"undebug ": {{"all", "All debugging", true}},
		"no debug": {{"debug", "Debugging", true}},
	} {
		if diff := cmp.Diff(want, g.Complete([]string{ModeEnable}, line).Candidates); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
	if c := g.Complete([]string{ModeEnable}, "show ip pro"); c.Extension != "tocols " {
		t.Errorf("TAB appends %q", c.Extension)
	}
	if u := g.Undocumented(); cmp.Diff([]string{"ripd rip.show: ip", "ripd rip.show: rip", "ripd rip.show: show"}, u) != "" {
		t.Errorf("without help: %q", u)
	}
}

// TestSharedRefused has declarations that do not agree.
func TestSharedRefused(t *testing.T) {
	base := Command{ID: "x", Mode: ModeExec, Pattern: "show x", Shared: true}
	with := func(change func(*Command)) []Command {
		c := base
		change(&c)
		return []Command{c}
	}
	second := Command{ID: "x", Mode: ModeExec, Pattern: "show x all", Shared: true}
	for want, b := range map[string][]Command{
		`"show x" is shared with a, but differs in id (y, not x)`:              with(func(c *Command) { c.ID = "y" }),
		`"show x" is shared with a, but differs in shared (false, not true)`:   with(func(c *Command) { c.Shared = false }),
		`"show x" is shared with a, but differs in help (map[x:X], not map[])`: with(func(c *Command) { c.Help = Help{"x": "X"} }),
		`differs in noForm (yes, not ), hidden (true, not false)`:              with(func(c *Command) { c.NoForm, c.Hidden = NoAllowed, true }),
		`"show x" is declared twice`:                                           {base, base},
		`is claimed by a x and by b z`:                                         with(func(c *Command) { c.ID, c.Pattern = "z", "show [x]..." }),
		`command x is shared: "show x" is of a, b, but "show x all" of b`:      {base, second},
		`command x is shared: "show x" is of a, but "show x all" of b`:         {second},
		`b: command c: only a command of an exec mode can be shared`:           {{ID: "c", Mode: ModeConfig, Pattern: "c", Shared: true}},
		`mode "exec": "show x" is claimed by b w and by a x`:                   nil,
	} {
		trees := []Owned{{"a", Tree{Commands: []Command{base}}}, {"b", Tree{Commands: b}}}
		if b == nil { // the other is not shared and comes first
			trees = []Owned{{"b", Tree{Commands: []Command{{ID: "w", Mode: ModeExec, Pattern: "show x"}}}}, trees[0]}
		}
		if _, err := Merge(trees...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestSharedClaim wants a tree's own word on who contributes to be ignored.
func TestSharedClaim(t *testing.T) {
	claimed := Command{ID: "x", Mode: ModeExec, Pattern: "show x", Shared: true, Owners: []string{"zebra", "b"}}
	trees := []Owned{{"a", Tree{Commands: []Command{claimed}}}}
	g, err := Merge(trees...)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Tree().Commands; got[len(got)-1].Owners[0] != "a" || len(got[len(got)-1].Owners) != 1 {
		t.Errorf("owners %v", got[len(got)-1].Owners)
	}
	if len(trees[0].Tree.Commands[0].Owners) != 2 {
		t.Error("Merge changed what it was given")
	}
}
