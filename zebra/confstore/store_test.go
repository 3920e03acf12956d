package confstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/zebra/confstore"
)

// owners records what a store does with zebra ("z") and the daemons "d" and
// "e". The line "bad" is refused by whoever owns it.
type owners struct {
	running []string
	log     []string
	gone    string // daemon that cannot be asked
}

func (o *owners) Enable(_ context.Context, daemons []string) error {
	if slices.Contains(daemons, "nosuch") {
		return errors.New("there is no daemon nosuch")
	}
	if !slices.Equal(o.running, daemons) {
		o.running = slices.Clone(daemons)
		o.log = append(o.log, "run "+strings.Join(daemons, ","))
	}
	return nil
}

func (o *owners) Configure(_ context.Context, owner string, c plugin.Configuration) ([]plugin.LineError, error) {
	if owner == o.gone {
		return nil, errors.New("it is gone")
	}
	if owner != "z" && !slices.Contains(o.running, owner) {
		return nil, errors.New("it does not run")
	}
	phase := map[plugin.Phase]string{plugin.Check: "check", plugin.Commit: "commit"}[c.Phase]
	o.log = append(o.log, fmt.Sprintf("%s %s %d", phase, owner, c.Revision))
	var errs []plugin.LineError
	for _, n := range c.Tree.Nodes {
		for _, inner := range n.Nodes {
			if inner.Owner == owner && strings.Contains(inner.Line, "bad") {
				errs = append(errs, plugin.LineError{Path: []string{n.Key, inner.Key}, Msg: "no good"})
			}
		}
	}
	return errs, nil
}

func newStore(t *testing.T) (*confstore.Store, *owners) {
	t.Helper()
	s, o, _ := newStoreAt(t)
	return s, o
}

func newStoreAt(t *testing.T) (s *confstore.Store, o *owners, startup string) {
	t.Helper()
	line := func(id, mode, pattern string, key ...string) cli.Command {
		return cli.Command{ID: id, Mode: mode, Pattern: pattern, Key: key}
	}
	block := line("z.if", "config", "interface name:WORD", "name")
	block.Enters = "if"
	daemon := line("z.daemon", "config", "daemon name:WORD", "name")
	daemon.DefaultOn, daemon.Default = true, "-"
	g, err := cli.Merge(
		cli.Owned{Owner: "z", Tree: cli.Tree{
			Modes:    []cli.Mode{{Name: "if", Parent: "config", Prompt: "(config-if)#"}},
			Commands: []cli.Command{block, daemon, line("z.mtu", "if", "mtu n:WORD"), line("z.guard", "if", "guard n:WORD"), line("z.list", "config", "list name:WORD", "name")},
		}},
		cli.Owned{Owner: "d", Tree: cli.Tree{Commands: []cli.Command{line("d.x", "if", "dee x:WORD", "x")}}},
		cli.Owned{Owner: "e", Tree: cli.Tree{Commands: []cli.Command{line("e.x", "if", "eee x:WORD", "x")}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	o, startup = &owners{}, filepath.Join(t.TempDir(), "startup")
	return confstore.New(confstore.Options{Grammar: g, Owners: o, Self: "z", Daemon: "z.daemon",
		Shared: []string{"z.list"}, Needs: map[string]string{"z.guard": "e"}, Startup: startup}), o, startup
}

func load(t *testing.T, s *confstore.Store, text string) []conf.LineError {
	t.Helper()
	return s.Load(t.Context(), text, "file")
}

func TestLoadIsWhole(t *testing.T) {
	s, o := newStore(t)
	text := "interface a\n mtu 1\n dee bad1\n!\ninterface b\n mtu bad2\n"
	errs := load(t, s, text)
	var got []string
	for _, e := range errs {
		got = append(got, e.Error())
	}
	want := []string{"file:3: dee bad1: no good", "file:6: mtu bad2: no good"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if s.Running().Len() != 0 || len(o.running) != 0 {
		t.Errorf("something is left of a refused file: %q, daemons %v", s.Running().Text(), o.running)
	}
	if errs := load(t, s, "interface a\n mtu 1\n dee good\n"); len(errs) > 0 {
		t.Fatal(errs)
	}
	if diff := cmp.Diff([]string{"d"}, o.running); diff != "" {
		t.Errorf("daemons (-want +got):\n%s", diff)
	}
}

func TestOnlyTheAffectedAreAsked(t *testing.T) {
	s, o := newStore(t)
	load(t, s, "interface a\n dee 1\n eee 1\n")
	o.log = nil
	apply := func(line string) {
		t.Helper()
		if _, err := s.Apply(t.Context(), []string{"interface a"}, line); err != nil {
			t.Fatal(err.Report())
		}
	}
	apply("dee 2")
	apply("mtu 3")
	apply("dee 2") // no change
	apply("list L")
	want := []string{"check d 2", "commit d 2", "check z 3", "commit z 3",
		"check z 4", "check d 4", "check e 4", "commit z 4", "commit d 4", "commit e 4"}
	if diff := cmp.Diff(want, o.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// A line of zebra's that does nothing without a daemon has it run.
func TestNeededDaemon(t *testing.T) {
	s, o := newStore(t)
	for _, c := range []struct {
		text string
		want []string
	}{
		{"interface a\n guard 1\n", []string{"e"}},
		{"interface a\n guard 1\n dee 1\n", []string{"d", "e"}},
		{"interface a\n guard 1\n!\nno daemon e\n", nil},
		{"interface a\n mtu 1\n", nil},
	} {
		if errs := load(t, s, c.text); len(errs) > 0 {
			t.Fatal(errs)
		}
		if diff := cmp.Diff(c.want, o.running, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q: daemons (-want +got):\n%s", c.text, diff)
		}
	}
}

func TestFirstLineStartsTheDaemon(t *testing.T) {
	s, o := newStore(t)
	if _, err := s.Apply(t.Context(), []string{"interface a"}, "dee bad"); err == nil || !strings.Contains(err.Msg, "no good") {
		t.Fatalf("error = %v", err)
	}
	if len(o.running) != 0 {
		t.Errorf("daemons %v run after their only line was refused", o.running)
	}
	next, err := s.Apply(t.Context(), []string{"interface a"}, "dee 1")
	if err != nil || !slices.Equal(next, []string{"interface a"}) || !slices.Equal(o.running, []string{"d"}) {
		t.Fatalf("next %v, error %v, daemons %v", next, err, o.running)
	}
	if _, err := s.Apply(t.Context(), nil, "no daemon d"); err != nil || len(o.running) != 0 {
		t.Errorf("after no daemon: error %v, daemons %v", err, o.running)
	}
	if _, err := s.Apply(t.Context(), nil, "daemon d"); err != nil || !slices.Equal(o.running, []string{"d"}) {
		t.Errorf("after daemon: error %v, daemons %v", err, o.running)
	}
	if _, err := s.Apply(t.Context(), nil, "no interface a"); err != nil || !slices.Equal(o.running, []string{"d"}) {
		t.Errorf("daemon d stands, yet: error %v, daemons %v", err, o.running)
	}
	if _, err := s.Apply(t.Context(), nil, "daemon nosuch"); err == nil {
		t.Error("an unknown daemon was accepted")
	}
}

func TestDaemonThatCannotBeAskedRefuses(t *testing.T) {
	s, o := newStore(t)
	load(t, s, "interface a\n dee 1\n")
	o.gone = "d"
	_, err := s.Apply(t.Context(), []string{"interface a"}, "dee 2")
	if err == nil || !strings.Contains(err.Msg, "d cannot be asked") {
		t.Errorf("error = %v", err)
	}
	if text := s.Running().Text(); strings.Contains(text, "dee 2") {
		t.Errorf("the line is in force: %s", text)
	}
	// zebra's own lines do not depend on it.
	if _, err := s.Apply(t.Context(), []string{"interface a"}, "mtu 7"); err != nil {
		t.Error(err.Report())
	}
}

func TestRefusalOfAnotherLineSaysWhich(t *testing.T) {
	s, o := newStore(t)
	load(t, s, "interface a\n mtu 1\n")
	o.log = nil
	_, err := s.Apply(t.Context(), nil, "nonsense")
	if err == nil || len(o.log) != 0 {
		t.Errorf("error %v, calls %v", err, o.log)
	}
}

func TestSave(t *testing.T) {
	s, _, startup := newStoreAt(t)
	load(t, s, "interface a\n mtu 1\n")
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(startup)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file is %v, %v; it must be closed to others", info.Mode(), err)
	}
	text, err := s.Startup()
	if err != nil || text != s.Running().Text() {
		t.Errorf("startup = %q, %v", text, err)
	}
	s2, _ := newStore(t)
	if errs := load(t, s2, text); len(errs) > 0 || !s2.Running().Equal(s.Running()) {
		t.Errorf("what was saved reads back as %q, %v", s2.Running().Text(), errs)
	}
}
