package cli_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// Configurations are drawn from the grammar itself, so that no line is left out.

// drawn are what arguments are drawn from: few, so that lines meet each other.
var drawn = map[string][]string{
	"A.B.C.D": {"10.0.0.0", "192.0.2.1", "0.0.0.0"}, "ADDR": {"192.0.2.1", "2001:db8::1"}, "MASK": {"255.0.0.0", "255.255.255.0"}, "X:X::X:X": {"2001:db8::1"},
	"PREFIX6": {"2001:db8::/32", "::/0"}, "WORD": {"A", "B", "/etc/x", "any"}, "SECRET": {"s3cret", "01100F175804", "00ff", "remote"}, "LINE": {"what it is for"},
}

// drawer draws the text of a pattern.
type drawer struct {
	t       *rapid.T
	pattern string
}

// sequence draws up to the end of a group or of the pattern, or skips it.
func (d *drawer) sequence(skip bool) string {
	var words []string
	for d.pattern != "" && !strings.ContainsRune("|}]", rune(d.pattern[0])) {
		if d.pattern[0] == ' ' {
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
			word = d.word(strings.TrimSuffix(word, "..."))
		}
		if word != "" && !skip {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// group draws one alternative of "{a|b}", or none of "[a]"; of "{a|b}..." one or two.
func (d *drawer) group(skip bool) string {
	whole := d.pattern
	text := d.alternative(skip)
	if more, ok := strings.CutPrefix(d.pattern, "..."); ok {
		if !skip && rapid.Bool().Draw(d.t, "again") {
			d.pattern = whole
			text += " " + d.alternative(false)
		}
		d.pattern = more
	}
	return text
}

func (d *drawer) alternative(skip bool) string {
	optional := d.pattern[0] == '['
	chosen, depth, alternatives := 0, 0, 1
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
		if words := d.sequence(skip || i != chosen); words != "" {
			text = words
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
		return fmt.Sprint(rapid.OneOf(rapid.Uint64Range(first, min(last, first+20)), rapid.Uint64Range(first, last)).Draw(d.t, name))
	}
	kind, _, _ = strings.Cut(kind, "(")
	return rapid.SampledFrom(drawn[kind]).Draw(d.t, name)
}

// drawable are the lines of each mode that are drawn: those that open no block.
var drawable = sync.OnceValue(func() map[string][]libcli.Command {
	all := map[string][]libcli.Command{}
	for _, c := range cli.Grammar().Commands {
		if c.Enters == "" && !c.Hidden {
			all[c.Mode] = append(all[c.Mode], c)
		}
	}
	return all
})

// blocks are the blocks that are filled with drawn lines; of transform sets the line
// itself says much.
var blocks = [][2]string{{"config", ""}, {cli.ModeTrustpoint, "crypto pki trustpoint A"}, {cli.ModeProposal, "crypto ikev2 proposal A"}, {cli.ModeProposal, "crypto ikev2 proposal default"},
	{cli.ModePolicy, "crypto ikev2 policy A"}, {cli.ModePeer, "crypto ikev2 keyring A\npeer B"}, {cli.ModePeer, "crypto ikev2 keyring A\npeer A"}, {cli.ModeProfile, "crypto ikev2 profile A"},
	{cli.ModeTransform, "crypto ipsec transform-set A esp-gcm"}, {cli.ModeTransform, "crypto ipsec transform-set B esp-sha-hmac esp-aes 256"}, {cli.ModeIPsec, "crypto ipsec profile A"}}

// drawTree makes a configuration of drawn lines that can stand together, and that is
// accepted; what is refused is left out again.
func drawTree(t *rapid.T, g *libcli.Grammar) *conf.Tree {
	whole := &conf.Tree{}
	for _, b := range blocks {
		for range rapid.IntRange(0, 6).Draw(t, b[0]) {
			c := rapid.SampledFrom(drawable()[b[0]]).Draw(t, "command")
			text := (&drawer{t: t, pattern: c.Pattern}).sequence(false)
			if c.DefaultOn && rapid.Bool().Draw(t, "no") {
				text = "no " + text
			}
			tree, errs := conf.Merge(g, whole, b[1]+"\n"+text+"\n", "drawn")
			if errs != nil {
				t.Fatalf("%s\n%s\n%v", b[1], text, errs)
			}
			if _, _, refused := cli.Read(tree.Filter(cli.Owner)); refused == nil {
				whole = tree
			}
		}
	}
	return whole
}

// TestPrintedParsesBack: what is printed of a configuration is that configuration, and
// means the same.
func TestPrintedParsesBack(t *testing.T) {
	g := grammar(t)
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t, g)
		again, errs := conf.Load(g, tree.Text(), "printed")
		if errs != nil {
			t.Fatalf("%s\n%v", tree.Text(), errs)
		}
		if !tree.Equal(again) {
			t.Fatalf("%s\nis read as\n%s", tree.Text(), again.Text())
		}
		want, files, _ := cli.Read(tree.Filter(cli.Owner))
		got, gotFiles, refused := cli.Read(again.Filter(cli.Owner))
		if diff := cmp.Diff(want, got, comparable...) + cmp.Diff(files, gotFiles); diff != "" || refused != nil {
			t.Fatalf("%s\n%v\n%s", tree.Text(), refused, diff)
		}
	})
}
