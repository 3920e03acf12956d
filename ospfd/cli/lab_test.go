package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/cli/clitest"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ospfd/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
)

// unprinted are lines of the labs that say what is so anyway.
var unprinted = []string{"no ip redirects", "ip nhrp shortcut", "ip nhrp map multicast dynamic"}

// TestLabs has configurations of a hub and a spoke as engineers paste them: each state on
// the way is accepted, and they are printed unchanged.
func TestLabs(t *testing.T) {
	g := grammar(t)
	for _, name := range []string{"hub", "spoke"} {
		b, err := os.ReadFile(filepath.Join("testdata", name+".conf"))
		if err != nil {
			t.Fatal(err)
		}
		tree, path, want := &conf.Tree{}, conf.Path(nil), ""
		for line := range strings.Lines(string(b)) {
			if !slices.Contains(unprinted, strings.TrimSpace(line)) {
				want += line
			}
			m, err := g.Parse(path.Stack(), strings.TrimSuffix(line, "\n"))
			if err != nil {
				t.Fatalf("%s: %s", name, err.Report())
			}
			if _, err := tree.Apply(path, m); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			path = path.Next(m)
			if _, err := readTree(tree); err != nil {
				t.Errorf("%s: after %q: %v", name, line, err)
			}
		}
		if diff := cmp.Diff(want, strings.ReplaceAll(tree.Text(), "!\n", "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// readTree reads what of a configuration comes to the daemon.
func readTree(tree *conf.Tree) (core.Config, error) {
	c, errs := cli.Read(tree.Filter(cli.Owner, policy.SharedIDs()...))
	if len(errs) > 0 {
		return c, fmt.Errorf("%v", errs)
	}
	return c, nil
}

// samePolicies takes policies for equal: there are none.
var samePolicies = append(slices.Clone(comparable), cmp.Comparer(func(a, b *policy.Set) bool { return true }))

// lines are those that are drawn.
var lines = clitest.Lines{Commands: cli.Grammar().Commands, Values: map[string][]string{"A.B.C.D": {"0.0.0.1", "10.0.0.0", "172.16.0.0"}, "MASK": {"255.0.0.0", "255.255.0.0"}, "WILDCARD": {"0.0.0.255", "0.255.255.255"},
	"PREFIX4": {"10.0.0.0/8", "172.16.0.0/12", "0.0.0.0/0"}, "IFNAME": {"Tunnel0", "Tunnel1"}, "WORD": {"A", "10", "ospf"}, "SECRET": {"s3cret", "01100F175804"}},
	Keep: func(c libcli.Command) bool { return c.NoForm != libcli.NoOnly }}

// TestPrintedParsesBack: a configuration of lines that are drawn from the grammar itself,
// and that can stand together, is printed as text that means the same.
func TestPrintedParsesBack(t *testing.T) {
	g := grammar(t)
	rapid.Check(t, func(t *rapid.T) {
		tree := &conf.Tree{}
		for _, block := range []struct{ open, mode string }{{"router ospf 1", cli.ModeRouter}, {"router ospf 2 vrf RED", cli.ModeRouter}, {"interface Tunnel0", "interface"}, {"interface Tunnel1", "interface"}} {
			for range rapid.IntRange(0, 12).Draw(t, block.open) {
				text := lines.Draw(t, block.mode, nil)
				next, errs := conf.Merge(g, tree, block.open+"\n "+text+"\n", "drawn")
				if errs != nil {
					t.Fatalf("%s: %s: %v", block.open, text, errs)
				}
				if _, err := readTree(next); err == nil {
					tree = next
				}
			}
		}
		again, errs := conf.Load(g, tree.Text(), "printed")
		if errs != nil || !again.Equal(tree) || again.Text() != tree.Text() {
			t.Fatalf("%s\nis read as\n%s%v", tree.Text(), again.Text(), errs)
		}
		want, err := readTree(tree)
		got, err2 := readTree(again)
		if diff := cmp.Diff(want, got, samePolicies...); diff != "" || err != nil || err2 != nil {
			t.Fatalf("%v %v %s", err, err2, diff)
		}
	})
}
