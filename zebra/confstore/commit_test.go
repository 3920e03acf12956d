package confstore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/zebra/confstore"
)

// brittle are owners of which one does not start, or whose caller gives up while
// they commit.
type brittle struct {
	owners
	dead   string
	cancel context.CancelFunc
}

func (b *brittle) Enable(ctx context.Context, daemons []string) error {
	if err := b.owners.Enable(ctx, daemons); err != nil {
		return err
	}
	if slices.Contains(daemons, b.dead) {
		return errors.New(b.dead + " did not start")
	}
	return nil
}

func (b *brittle) Configure(ctx context.Context, owner string, c plugin.Configuration) ([]plugin.LineError, error) {
	if c.Phase == plugin.Commit && b.cancel != nil {
		b.cancel()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return b.owners.Configure(ctx, owner, c)
}

// nested is a grammar in which a list is shared, and a group inside of it has
// lines of zebra's.
func nested(t *testing.T, o confstore.Owners, forced ...string) *confstore.Store {
	t.Helper()
	line := func(id, mode, pattern string, key ...string) cli.Command {
		return cli.Command{ID: id, Mode: mode, Pattern: pattern, Key: key}
	}
	block, list, group := line("z.if", "config", "interface name:WORD", "name"), line("z.list", "if", "list name:WORD", "name"), line("z.group", "list", "group name:WORD", "name")
	block.Enters, list.Enters, group.Enters = "if", "list", "group"
	g, err := cli.Merge(
		cli.Owned{Owner: "z", Tree: cli.Tree{
			Modes: []cli.Mode{{Name: "if", Parent: "config", Prompt: "(config-if)#"}, {Name: "list", Parent: "if", Prompt: "(config-list)#"},
				{Name: "group", Parent: "list", Prompt: "(config-group)#"}},
			Commands: []cli.Command{block, list, group, line("z.term", "group", "term n:WORD", "n"), line("z.mtu", "if", "mtu n:WORD")},
		}},
		cli.Owned{Owner: "d", Tree: cli.Tree{Commands: []cli.Command{line("d.x", "if", "dee x:WORD", "x")}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return confstore.New(confstore.Options{Grammar: g, Owners: o, Self: "z", Daemon: "z.daemon", Shared: []string{"z.list"}, Forced: forced})
}

func TestLineInANestedSharedBlock(t *testing.T) {
	o := &owners{}
	s := nested(t, o)
	if errs := load(t, s, "interface a\n dee 1\n list L\n  group G\n   term 1\n"); len(errs) > 0 {
		t.Fatal(errs)
	}
	o.log = nil
	for _, line := range []string{"term 2", "no term 2"} {
		if _, err := s.Apply(t.Context(), []string{"interface a", "list L", "group G"}, line); err != nil {
			t.Fatal(err.Report())
		}
	}
	want := []string{"check z 2", "check d 2", "commit z 2", "commit d 2", "check z 3", "check d 3", "commit z 3", "commit d 3"}
	if diff := cmp.Diff(want, o.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestForcedDaemonIsConfigured: a daemon that runs without any line gets its
// (empty) configuration, with which its life begins.
func TestForcedDaemonIsConfigured(t *testing.T) {
	o := &owners{}
	s := nested(t, o, "d")
	if errs := load(t, s, "interface a\n mtu 1\n"); len(errs) > 0 {
		t.Fatal(errs)
	}
	want := []string{"run d", "check z 1", "check d 1", "commit z 1", "commit d 1"}
	if diff := cmp.Diff(want, o.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestDaemonThatDoesNotStart: its first line is refused, and it is not tried
// again behind everybody's back.
func TestDaemonThatDoesNotStart(t *testing.T) {
	b := &brittle{dead: "d"}
	s := nested(t, b)
	if errs := load(t, s, "interface a\n mtu 1\n"); len(errs) > 0 {
		t.Fatal(errs)
	}
	_, err := s.Apply(t.Context(), []string{"interface a"}, "dee 1")
	if err == nil || !strings.Contains(err.Msg, "d did not start") {
		t.Errorf("error = %v", err)
	}
	if len(b.running) != 0 || strings.Contains(s.Running().Text(), "dee") {
		t.Errorf("daemons %v run, configuration %q", b.running, s.Running().Text())
	}
}

// TestCommitIsWhole: whoever types a line may give up, but not half a commit.
func TestCommitIsWhole(t *testing.T) {
	b := &brittle{}
	s := nested(t, b)
	if errs := load(t, s, "interface a\n dee 1\n list L\n"); len(errs) > 0 {
		t.Fatal(errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel, b.log = cancel, nil
	if _, err := s.Apply(ctx, []string{"interface a", "list L"}, "group G"); err != nil {
		t.Fatal(err.Report())
	}
	want := []string{"check z 2", "check d 2", "commit z 2", "commit d 2"}
	if diff := cmp.Diff(want, b.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
