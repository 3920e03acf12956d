package cli

import (
	"strings"
	"testing"
)

// outerGrammar has a mode whose "key-string" may be abbreviated to the "key" of
// the mode around it.
func outerGrammar(t *testing.T) *Grammar {
	t.Helper()
	g, err := Merge(Owned{Owner: "z", Tree: Tree{
		Modes: []Mode{{Name: "chain", Parent: "config"}, {Name: "key", Parent: "chain"}},
		Commands: []Command{
			{ID: "chain", Mode: "config", Pattern: "key chain name:WORD", Enters: "chain", Key: []string{"name"}},
			{ID: "key", Mode: "chain", Pattern: "key id:<0-9>", Enters: "key", Key: []string{"id"}},
			{ID: "string", Mode: "key", Pattern: "key-string " + SecretPart},
			{ID: "send", Mode: "key", Pattern: "send-lifetime seconds:<1-9>"},
			{ID: "other", Mode: "config", Pattern: "send other"},
		}}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestExactWordOfOuterMode(t *testing.T) {
	g := outerGrammar(t)
	stack := []string{ModeConfig, "chain", "key"}
	for line, want := range map[string]struct {
		id    string
		level int
	}{
		"key 2":        {"key", 1},
		"no key 2":     {"key", 1},
		"key chain B":  {"chain", 0},
		"key x":        {"string", 2}, // the outer "key" wants a number
		"key-s 2":      {"string", 2},
		"key-string 2": {"string", 2},
		"send 5":       {"send", 2},
		"send other":   {"other", 0},
	} {
		m, err := g.Parse(stack, line)
		if err != nil || m.Command.ID != want.id || m.Level != want.level {
			t.Errorf("%q: %v at level %d, %v; want %+v", line, m.Command, m.Level, err, want)
		}
	}
}

// What follows a secret may be the rest of it.
func TestWordsBehindSecretAreHidden(t *testing.T) {
	_, err := outerGrammar(t).Parse([]string{ModeConfig, "chain", "key"}, "key-string 6 hush now")
	if err == nil || strings.Contains(err.Line+err.Msg, "hush") || strings.Contains(err.Line+err.Msg, "now") {
		t.Errorf("the error is %v in %q", err, err.Line)
	}
}
