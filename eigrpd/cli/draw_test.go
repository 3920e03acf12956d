package cli_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// Configurations are drawn from the grammar itself, so that no line is left out.

// values are what arguments are drawn from: few, so that lines meet each other.
var values = map[string][]string{
	"A.B.C.D": {"10.0.0.0", "10.1.2.3", "172.16.0.0", "192.168.7.0"}, "ADDR": {"10.0.0.1", "172.31.0.2", "fe80::1", "2001:db8::1"},
	"MASK": {"255.0.0.0", "255.255.0.0"}, "WILDCARD": {"0.0.0.255", "0.255.255.255", "255.255.0.0"}, "PREFIX4": {"10.0.0.0/8", "172.16.0.0/12", "0.0.0.0/0"},
	"PREFIX6": {"2001:db8::/32", "::/0"}, "PREFIX": {"10.0.0.0/8", "2001:db8::/32"}, "IFNAME": {"Tunnel0", "Tunnel1", "Loopback0"},
	"WORD": {"A", "B", "10", "eigrp"}, "SECRET": {"s3cret", "01100F175804"},
}

// drawer draws the text of a pattern.
type drawer struct {
	t       *rapid.T
	pattern string
	as      string // what a number named "as" is
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
	if name == "as" {
		return d.as
	}
	if lo, hi, ok := strings.Cut(strings.Trim(kind, "<>"), "-"); ok {
		first, _ := strconv.ParseUint(lo, 10, 64)
		last, _ := strconv.ParseUint(hi, 10, 64)
		return fmt.Sprint(rapid.OneOf(rapid.Uint64Range(first, min(last, first+20)), rapid.Uint64Range(first, last)).Draw(d.t, name))
	}
	kind, _, _ = strings.Cut(kind, "(")
	return rapid.SampledFrom(values[kind]).Draw(d.t, name)
}

// drawable are the lines of each mode that are drawn: those that open no block.
var drawable = sync.OnceValue(func() map[string][]libcli.Command {
	all := map[string][]libcli.Command{}
	for _, c := range cli.Grammar().Commands {
		if c.Enters == "" && !c.Hidden && c.NoForm != libcli.NoOnly && c.ID != cli.CmdAS {
			all[c.Mode] = append(all[c.Mode], c)
		}
	}
	return all
})

// line draws one line of a mode, in its positive or its "no" form.
func line(t *rapid.T, mode, as string) string {
	c := rapid.SampledFrom(drawable()[mode]).Draw(t, "command")
	d := drawer{t: t, pattern: c.Pattern, as: as}
	text := d.sequence(false)
	if c.DefaultOn && rapid.Bool().Draw(t, "no") {
		return "no " + text
	}
	return text
}

// builder makes a configuration of the drawn lines that can stand together.
type builder struct {
	t    *rapid.T
	g    *libcli.Grammar
	tree *conf.Tree
}

// fill adds drawn lines to a block; what is refused there is left out again.
func (b *builder) fill(mode, as string, block ...string) {
	lines := rapid.IntRange(0, 6).Draw(b.t, mode)
	for i := range lines + 1 {
		text := strings.Join(block, "\n") + "\n"
		if i > 0 {
			text += line(b.t, mode, as) + "\n"
		}
		tree, errs := conf.Merge(b.g, b.tree, text, "drawn")
		if errs != nil {
			b.t.Fatalf("%s\n%v", text, errs)
		}
		if _, refused := readTree(tree); refused == nil {
			b.tree = tree
		}
	}
}

// drawClassic draws a configuration in classic mode.
func drawClassic(t *rapid.T, g *libcli.Grammar) *conf.Tree {
	b := &builder{t, g, &conf.Tree{}}
	some := func() bool { return rapid.Bool().Draw(t, "there") }
	number := rapid.SampledFrom([]string{"100", "200", "300"})
	b.fill(cli.ModeClassic, "100", "router eigrp 100")
	if some() {
		b.fill(cli.ModeClassicAF, "", "router eigrp 100", "address-family ipv4 vrf RED autonomous-system "+number.Draw(t, "RED"))
	}
	if some() {
		b.fill(cli.ModeClassicAF, "", "router eigrp 100", "address-family ipv4 vrf BLUE autonomous-system "+number.Draw(t, "BLUE"))
	}
	if some() {
		b.fill(cli.ModeClassic, "200", "router eigrp 200")
	}
	if some() {
		b.fill(cli.ModeClassic6, "100", "ipv6 router eigrp 100")
	}
	for _, name := range []string{"Tunnel0", "Tunnel1", "Loopback1"} {
		for range 2 {
			b.fill("interface", number.Draw(t, "as"), "interface "+name)
		}
	}
	return b.tree
}

// drawNamed draws a configuration in named mode.
func drawNamed(t *rapid.T, g *libcli.Grammar) *conf.Tree {
	b := &builder{t, g, &conf.Tree{}}
	b.fill(cli.ModeNamed, "", "router eigrp N")
	for _, family := range []string{"ipv4 unicast autonomous-system 100", "ipv4 vrf RED autonomous-system 300", "ipv6 autonomous-system 100"} {
		open := []string{"router eigrp N", "address-family " + family}
		if !rapid.Bool().Draw(t, "there") {
			continue
		}
		b.fill(cli.ModeFamily, "", open...)
		b.fill(cli.ModeTopology, "", append(slices.Clone(open), "topology base")...)
		for _, name := range []string{"Tunnel0", "Tunnel1"} {
			b.fill(cli.ModeInterface, "", append(slices.Clone(open), "af-interface "+name)...)
		}
		if rapid.Bool().Draw(t, "default") {
			b.fill(cli.ModeDefault, "", append(slices.Clone(open), "af-interface default")...)
		}
	}
	return b.tree
}

// readTree reads what of a configuration comes to the daemon.
func readTree(tree *conf.Tree) (core.Config, error) {
	c, errs := cli.Read(tree.Filter(cli.Owner, policy.SharedIDs()...))
	if len(errs) > 0 {
		return c, fmt.Errorf("%v", errs)
	}
	return c, nil
}
