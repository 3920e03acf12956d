package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMergeFindsMistakes(t *testing.T) {
	cmd := func(mode, id, pattern string) Command { return Command{ID: id, Mode: mode, Pattern: pattern} }
	one := func(c ...Command) Tree { return Tree{Commands: c} }
	for _, tc := range []struct {
		name string
		a, b Tree
		say  string // "" if the trees go together
	}{
		{"fine", one(cmd("config", "a", "alpha x:WORD")), one(cmd("config", "b", "alpha x:<1-9>")), ""},
		{"same id twice is one line", one(cmd("config", "a", "alpha x:WORD"), cmd("config", "a", "alpha two y:WORD")), Tree{}, ""},
		{"other mode", one(cmd("config", "a", "alpha x:WORD")), one(cmd("exec", "a", "alpha x:WORD")), ""},
		{"duplicate", one(cmd("config", "a", "alpha x:WORD")), one(cmd("config", "b", "alpha y:WORD")), "claimed by d1 a and by d2 b"},
		{"duplicate by option", one(cmd("config", "a", "alpha [beta]")), one(cmd("config", "b", "alpha {beta|gamma}")), "claimed"},
		{"duplicate in another case", one(cmd("config", "a", "alpha")), one(cmd("config", "b", "Alpha")), "claimed"},
		{"session word", one(cmd("config", "a", "end")), Tree{}, "claimed by session"},
		{"unknown mode", one(cmd("moon", "a", "alpha")), Tree{}, `unknown mode "moon"`},
		{"enters unknown", one(Command{ID: "a", Mode: "config", Pattern: "alpha", Enters: "moon"}), Tree{}, "no mode inside"},
		{"key", one(Command{ID: "a", Mode: "config", Pattern: "alpha x:WORD", Key: []string{"y"}}), Tree{}, `key "y"`},
		{"no id", one(cmd("config", "", "alpha")), Tree{}, "no id"},
		{"mode twice", Tree{Modes: []Mode{{Name: "m", Parent: "config", Prompt: "a"}}}, Tree{Modes: []Mode{{Name: "m", Parent: "config", Prompt: "b"}}}, "declared twice"},
		{"mode declared alike", Tree{Modes: []Mode{{Name: "m", Parent: "config"}}}, Tree{Modes: []Mode{{Name: "m", Parent: "config"}}}, ""},
		{"mode without way out", Tree{Modes: []Mode{{Name: "m", Parent: "n"}, {Name: "n", Parent: "m"}}}, Tree{}, "does not lead"},
		{"closer", Tree{Modes: []Mode{{Name: "m", Parent: "config", Closers: []string{"{"}}}}, Tree{}, "is no keyword"},
	} {
		_, err := Merge(Owned{"d1", tc.a}, Owned{"d2", tc.b})
		switch {
		case tc.say == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.say != "" && (err == nil || !strings.Contains(err.Error(), tc.say)):
			t.Errorf("%s: %v, want %q", tc.name, err, tc.say)
		}
	}
}

func TestPatternMistakes(t *testing.T) {
	for pattern, say := range map[string]string{
		"":                             "missing",
		"{a|b":                         "missing",
		"a]":                           "unexpected",
		"a {|b}":                       "missing",
		"[a]":                          "empty line",
		"a [[b]]":                      "may be empty",
		"a {[b]}...":                   "may be empty",
		"a x:MOON":                     "not a kind",
		"a :WORD":                      "without a name",
		"a x:<9-1>":                    "not a range",
		"a x:<1-99999999999999999999>": "not a range",
		"a x:WORD(0)":                  "wrong size",
		"a x:A.B.C.D(3)":               "wrong size",
		"a x:LINE b":                   "must come last",
		"a x:WORD x:WORD":              "occurs twice",
		strings.Repeat("{", 20):        "nested",
		strings.Repeat("a ", 2000):     "longer",
	} {
		if _, _, err := compile(pattern); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%.40q: %v, want %q", pattern, err, say)
		}
	}
}

// TestGrammarTravels: the merged tree compiled on the other side of a connection
// understands the same.
func TestGrammarTravels(t *testing.T) {
	g := testGrammar(t)
	data, err := json.Marshal(g.Tree())
	if err != nil {
		t.Fatal(err)
	}
	var tree Tree
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	h, err := Rebuild(tree)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g.Tree(), h.Tree()); diff != "" {
		t.Error(diff)
	}
	for _, line := range []string{"", "tunnel ", "ip nhrp nhs 1.1.1.1 ", "no ", "do show ip nhrp "} {
		if diff := cmp.Diff(g.Complete(inIf, line), h.Complete(inIf, line)); diff != "" {
			t.Errorf("%q: %s", line, diff)
		}
	}
	m, perr := h.Parse(inAFIf, "exit-address-family")
	if perr != nil || m.Command.ID != SessionClose {
		t.Errorf("closers were lost: %v %v", m, perr)
	}
}

func TestComplete(t *testing.T) {
	g := testGrammar(t)
	for _, tc := range []struct {
		stack []string
		line  string
		want  string // words
		ext   string
	}{
		{inIf, "ip nhrp ", "authentication map network-id nhs shortcut", ""},
		{inIf, "ip nhrp n", "network-id nhs", ""},
		{inIf, "ip nhrp ne", "network-id", "twork-id "},
		{inIf, "ip nhrp map ", "multicast A.B.C.D", ""},
		{inIf, "ip nhrp map mu", "multicast", "lticast "},
		{inIf, "ip nhrp map 10", "A.B.C.D", ""},
		{inIf, "ip nhrp map 10.0.0.1 ", "A.B.C.D A.B.C.D|X:X::X:X", ""},
		{inIf, "ip nhrp nhs 1.1.1.1 ", "cluster nbma priority <cr>", ""},
		{inIf, "ip nhrp nhs 1.1.1.1 cluster 2 ", "nbma priority <cr>", ""},
		{inIf, "ip nhrp nhs 1.1.1.1 nbma h ", "cluster multicast priority <cr>", ""},
		{inIf, "ip ", "address mtu nhrp", ""},
		{inIf, "no ip ", "address mtu nhrp redirects", ""},
		{inIf, "no ip redirects ", "<cr>", ""},
		{inIf, "tunnel key 99999999999", "", ""},
		{inIf, "interface ", "IFNAME", ""}, // of the global configuration
		{inIf, "def", "default", "ault "},
		{inConf, "encryption aes-cbc-128 ", "3des aes-cbc-128 aes-cbc-256 <cr>", ""},
		{inConf, "encryption a", "aes-cbc-128 aes-cbc-256", "es-cbc-"},
		{[]string{"exec"}, "show ", "history ip", ""},
		{[]string{"enable"}, "show ", "history ip running-config", ""},
		{[]string{"enable"}, "no ", "debug", "debug "},
		{[]string{"enable"}, "zzz ", "", ""},
		{[]string{"exec"}, "qu", "", ""}, // hidden
		{inIf, "! comm", "", ""},
	} {
		c := g.Complete(tc.stack, tc.line)
		var words []string
		for _, x := range c.Candidates {
			words = append(words, x.Word)
		}
		if got := strings.Join(words, " "); got != tc.want || c.Extension != tc.ext {
			t.Errorf("%q: %q extension %q, want %q %q", tc.line, got, c.Extension, tc.want, tc.ext)
		}
	}
	// An inner mode shows its own commands and those of the session.
	all := g.Complete(inIf, "").Candidates
	for _, w := range []string{"tunnel", "exit", "end", "do", "no", "default"} {
		if !slices.ContainsFunc(all, func(c Candidate) bool { return c.Word == w }) {
			t.Errorf("%q is not offered in an interface", w)
		}
	}
	if slices.ContainsFunc(all, func(c Candidate) bool { return c.Word == "hostname" || c.Word == CarriageReturn }) {
		t.Errorf("offered in an interface: %v", all)
	}
	// Every completion of a keyword is one that Parse takes.
	if c := g.Complete(inIf, "ip nhrp blah "); c.Err == nil || c.Err.Column != 9 {
		t.Errorf("error of a completion: %+v", c.Err)
	}
}

func TestSplitPipe(t *testing.T) {
	g := testGrammar(t)
	for _, tc := range []struct {
		stack []string
		line  string
		want  []string // command, then filters
	}{
		{[]string{"exec"}, "show x", []string{"show x"}},
		{[]string{"exec"}, "show x | inc a|b | count", []string{"show x ", " inc a|b ", " count"}},
		{[]string{"exec"}, "show x |inc a", []string{"show x ", "inc a"}},
		{inIf, "description a | b", []string{"description a | b"}},
		{inIf, "do show x | inc a", []string{"do show x ", " inc a"}},
	} {
		cmd, filters := g.SplitPipe(tc.stack, tc.line)
		if diff := cmp.Diff(tc.want, append([]string{cmd}, filters...)); diff != "" {
			t.Errorf("%q: %s", tc.line, diff)
		}
	}
}

func TestInterfaceNames(t *testing.T) {
	for in, want := range map[string]string{
		"tu0": "Tunnel0", "Tun0": "Tunnel0", "gi0/0/1.5": "GigabitEthernet0/0/1.5", "lo0": "Loopback0", "lo": "lo",
		"eth0": "eth0", "et0": "et0", "Et0/0": "Ethernet0/0", "ethernet0": "Ethernet0", "ens3": "ens3", "Null0": "Null0",
		"t0": "t0", "wg0": "wg0", "Fa0/1": "FastEthernet0/1", "te1": "TenGigabitEthernet1", "tunnelx": "tunnelx", "br-lan": "br-lan",
	} {
		if got := InterfaceName(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
		if again := InterfaceName(InterfaceName(in)); again != want {
			t.Errorf("%s: not stable: %s", in, again)
		}
	}
	for in, want := range map[string]string{"Tunnel0": "Tu0", "GigabitEthernet2": "Gi2", "eth0": "eth0", "Loopback12": "Lo12"} {
		if got := ShortInterfaceName(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		0: "00:00:00", -time.Second: "00:00:00", 12*time.Minute + 26*time.Second: "00:12:26", day - 1: "23:59:59",
		day: "1d00h", 6*day + 12*time.Hour: "6d12h", 7 * day: "1w0d", 26 * day: "3w5d", 365 * day: "1y0w", (365 + 15) * day: "1y2w",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// TestTable writes the rows of show dmvpn, byte for byte as a router does.
func TestTable(t *testing.T) {
	var b strings.Builder
	tab := Table{W: &b, Format: "%6d %-15s %15s %5s %8s %5s"}
	tab.Row(1, "192.0.2.1", "172.31.0.1", "UP", "00:12:26", "S")
	tab.Row(2, "203.0.113.1", "172.31.0.12", "UP", "00:00:09", "DT1")
	Table{W: &b, Format: "%-8s %-5d %5s"}.Header("-", "Name", "Nbr", "Up")
	want := `     1 192.0.2.1            172.31.0.1    UP 00:12:26     S
     2 203.0.113.1         172.31.0.12    UP 00:00:09   DT1
Name     Nbr      Up
-------- ----- -----
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestOutput(t *testing.T) {
	o := Output{JSON: map[string]string{"a": "<b>"}}
	var b strings.Builder
	if err := o.Write(&b, true); err != nil || b.String() != "{\n  \"a\": \"<b>\"\n}\n" {
		t.Errorf("%v %q", err, b.String())
	}
	b.Reset()
	if err := (Output{}).Write(&b, true); err != nil || b.String() != "{}\n" {
		t.Errorf("%v %q", err, b.String())
	}
}

// someLine draws a line that the pattern matches, keywords abbreviated or not.
func someLine(rt *rapid.T, n *node) []string {
	switch n.op {
	case opToken:
		return []string{someWord(rt, n.tok)}
	case opChoice:
		return someLine(rt, n.kids[rapid.IntRange(0, len(n.kids)-1).Draw(rt, "alt")])
	case opRepeat:
		var out []string
		lo := 1
		if n.optional {
			lo = 0
		}
		for range rapid.IntRange(lo, 3).Draw(rt, "rounds") {
			out = append(out, someLine(rt, n.kids[0])...)
		}
		return out
	case opSet:
		var out []string
		for _, k := range rapid.Permutation(n.kids).Draw(rt, "order") {
			if rapid.Bool().Draw(rt, "option") {
				out = append(out, someLine(rt, k)...)
			}
		}
		return out
	}
	var out []string
	for _, k := range n.kids {
		out = append(out, someLine(rt, k)...)
	}
	return out
}

func someWord(rt *rapid.T, t *token) string {
	byteOf := func() int { return rapid.IntRange(0, 255).Draw(rt, "byte") }
	v4 := func() string { return fmt.Sprintf("%d.%d.%d.%d", byteOf(), byteOf(), byteOf(), byteOf()) }
	switch t.kind {
	case KindFlag:
		n := rapid.IntRange(min(3, len(t.word)), len(t.word)).Draw(rt, "cut")
		w := t.word[:n]
		if rapid.Bool().Draw(rt, "upper") {
			w = strings.ToUpper(w)
		}
		return w
	case KindNumber:
		return fmt.Sprint(rapid.Uint64Range(t.lo, t.hi).Draw(rt, "number"))
	case KindAddr4, KindAddr, KindWild:
		return v4()
	case KindHost:
		return rapid.SampledFrom([]string{v4(), "hub.example.org", "2001:DB8::1"}).Draw(rt, "host")
	case KindMask:
		return rapid.SampledFrom([]string{"255.255.255.0", "255.0.0.0", "0.0.0.0", "255.255.255.255"}).Draw(rt, "mask")
	case KindIfAddr4:
		return v4() + fmt.Sprintf("/%d", rapid.IntRange(0, 32).Draw(rt, "len"))
	case KindPrefix4, KindPrefix:
		return fmt.Sprintf("%d.%d.0.0/16", byteOf(), byteOf())
	case KindIfname:
		return rapid.SampledFrom([]string{"tu0", "Tunnel 3", "gi0/1", "eth0", "lo", "Null0"}).Draw(rt, "if")
	case KindLine:
		return rapid.StringMatching(`[!-~]{1,5}(  ?[!-~]{1,5}){0,3}`).Draw(rt, "line")
	}
	return rapid.StringMatching(`[!-~]{1,8}`).Draw(rt, "word")
}

// TestCanonicalIsStable: whatever form of a line is accepted, its canonical text is
// accepted too, means the same, and is its own canonical text.
func TestCanonicalIsStable(t *testing.T) {
	g := testGrammar(t)
	var cmds []*command
	for _, name := range []string{"config", "interface", "router-eigrp", "eigrp-af", "eigrp-af-if", "exec", "enable"} {
		for _, c := range g.modes[name].cmds {
			if c.Owner != SessionOwner {
				cmds = append(cmds, c)
			}
		}
	}
	accepted := 0
	rapid.Check(t, func(rt *rapid.T) {
		c := rapid.SampledFrom(cmds).Draw(rt, "command")
		root, _, err := compile(c.Pattern)
		if err != nil {
			rt.Fatal(err)
		}
		line := strings.Join(someLine(rt, root), rapid.SampledFrom([]string{" ", "  "}).Draw(rt, "blank"))
		if rapid.IntRange(0, 4).Draw(rt, "no") == 0 {
			line = "no " + line
		}
		stack := []string{c.Mode}
		m, perr := g.Parse(stack, line)
		if perr != nil {
			return // an abbreviation that was too short, or a "no" that is not allowed
		}
		accepted++
		again, perr := g.Parse(stack, m.Canonical)
		if perr != nil {
			rt.Fatalf("%q became %q, which is refused: %s", line, m.Canonical, perr.Report())
		}
		if again.Canonical != m.Canonical || again.Command != m.Command || !cmp.Equal(again.Args, m.Args) || again.No != m.No {
			rt.Fatalf("%q became %q and that %q", line, m.Canonical, again.Canonical)
		}
	})
	if accepted == 0 {
		t.Error("no line was accepted")
	}
}

func FuzzCompile(f *testing.F) {
	for _, c := range testTree().Commands {
		f.Add(c.Pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		g, err := Merge(Owned{"f", Tree{Commands: []Command{{ID: "x", Mode: "config", Pattern: pattern}}}})
		if err != nil {
			return
		}
		g.Complete(inConf, "")
		g.Parse(inConf, pattern)
		g.Parse(inConf, "no "+pattern)
	})
}

func FuzzParse(f *testing.F) {
	g := testGrammar(f)
	for _, l := range []string{"ip nhrp nhs 1.1.1.1 nbma h multicast", "no ip address", "do show ip nhrp | inc x", "encryption aes-cbc-128 3des", "default tunnel mode", "interface Tunnel 0", "ip nhrp authentication abc"} {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, stack := range [][]string{inIf, inConf, inAFIf, {"enable"}, {"pipe"}} {
			g.Complete(stack, line)
			g.SplitPipe(stack, line)
			m, err := g.Parse(stack, line)
			if err != nil {
				if err.Report() == "" || err.Column < 1 {
					t.Fatalf("%q: %+v", line, err)
				}
				continue
			}
			if m.Command == nil || m.Do {
				continue
			}
			again, err := g.Parse(stack, m.Canonical)
			if err != nil || again.Canonical != m.Canonical || again.Level != m.Level {
				t.Fatalf("%q: %q then %q, %v", line, m.Canonical, again.Canonical, err)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	g := testGrammar(b)
	for b.Loop() {
		if _, err := g.Parse(inIf, "ip nhrp nhs 172.31.0.1 nbma 192.0.2.1 multicast priority 1"); err != nil {
			b.Fatal(err)
		}
	}
}
