package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
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

// values are what arguments are drawn from: few, so that lines meet each other.
var values = map[string][]string{"A.B.C.D": {"0.0.0.1", "10.0.0.0", "172.16.0.0"}, "MASK": {"255.0.0.0", "255.255.0.0"}, "WILDCARD": {"0.0.0.255", "0.255.255.255"},
	"PREFIX4": {"10.0.0.0/8", "172.16.0.0/12", "0.0.0.0/0"}, "IFNAME": {"Tunnel0", "Tunnel1"}, "WORD": {"A", "10", "ospf"}, "SECRET": {"s3cret", "01100F175804"}}

// drawer draws the text of a pattern.
type drawer struct {
	t       *rapid.T
	pattern string
}

// sequence draws up to the end of a group or of the pattern, or skips it.
func (d *drawer) sequence(skip bool) string {
	var words []string
	for d.pattern != "" && !strings.ContainsRune("|}]", rune(d.pattern[0])) {
		if d.pattern[0] == ' ' || d.pattern[0] == '.' { // the dots of a repetition
			d.pattern = d.pattern[1:]
			continue
		}
		end := strings.IndexAny(d.pattern, " |{}[]")
		if end < 0 {
			end = len(d.pattern)
		}
		word := d.pattern[:end]
		d.pattern = d.pattern[end:]
		if word == "" || strings.HasSuffix(word, ":") {
			word = d.group(skip)
		} else if !skip {
			word = d.word(word)
		}
		if word != "" && !skip {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// group draws one alternative of "{a|b}", or none of "[a]".
func (d *drawer) group(skip bool) string {
	optional, chosen, depth, alternatives := d.pattern[0] == '[', 0, 0, 1
	for i, c := range d.pattern {
		switch {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == '|' && depth == 1:
			alternatives++
		}
		if depth == 0 && i > 0 {
			break
		}
	}
	if !skip {
		chosen = rapid.IntRange(0, alternatives-1).Draw(d.t, "alternative")
		if optional && rapid.Bool().Draw(d.t, "left out") {
			chosen = -1
		}
	}
	var text string
	for i := 0; ; i++ {
		d.pattern = d.pattern[1:] // the bracket or bar
		if drawn := d.sequence(skip || i != chosen); drawn != "" {
			text = drawn
		}
		if d.pattern[0] != '|' {
			d.pattern = d.pattern[1:]
			return text
		}
	}
}

// word draws a keyword or an argument.
func (d *drawer) word(word string) string {
	name, kind, ok := strings.Cut(word, ":")
	if !ok {
		return word
	}
	if lo, hi, ok := strings.Cut(strings.Trim(kind, "<>"), "-"); ok {
		first, _ := strconv.ParseUint(lo, 10, 64)
		last, _ := strconv.ParseUint(hi, 10, 64)
		return fmt.Sprint(rapid.OneOf(rapid.Uint64Range(first, min(last, first+2)), rapid.Uint64Range(first, last)).Draw(d.t, name))
	}
	kind, _, _ = strings.Cut(kind, "(")
	return rapid.SampledFrom(values[kind]).Draw(d.t, name)
}

// drawable are the lines of each mode that are drawn.
var drawable = sync.OnceValue(func() map[string][]libcli.Command {
	all := map[string][]libcli.Command{}
	for _, c := range cli.Grammar().Commands {
		if c.Enters == "" && !c.Hidden && c.NoForm != libcli.NoOnly {
			all[c.Mode] = append(all[c.Mode], c)
		}
	}
	return all
})

// TestPrintedParsesBack: a configuration of lines that are drawn from the grammar itself,
// and that can stand together, is printed as text that means the same.
func TestPrintedParsesBack(t *testing.T) {
	g := grammar(t)
	rapid.Check(t, func(t *rapid.T) {
		tree := &conf.Tree{}
		for _, block := range []struct{ open, mode string }{{"router ospf 1", cli.ModeRouter}, {"router ospf 2 vrf RED", cli.ModeRouter}, {"interface Tunnel0", "interface"}, {"interface Tunnel1", "interface"}} {
			for range rapid.IntRange(0, 12).Draw(t, block.open) {
				c := rapid.SampledFrom(drawable()[block.mode]).Draw(t, "command")
				d := drawer{t: t, pattern: c.Pattern}
				text := d.sequence(false)
				if c.DefaultOn && rapid.Bool().Draw(t, "no") {
					text = "no " + text
				}
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
