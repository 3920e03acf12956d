package conf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// testGrammar has lines of three owners, among them traps: "bandwidth" is known
// in the global and in an inner mode, one command is ordered, one is on by default.
func testGrammar(t testing.TB) *cli.Grammar {
	t.Helper()
	zebra := cli.Tree{
		Modes: []cli.Mode{{Name: "interface", Parent: "config", Prompt: "(config-if)#"}},
		Commands: []cli.Command{
			{ID: "hostname", Mode: "config", Pattern: "hostname name:WORD(63)", Weight: 1},
			{ID: "bandwidth.global", Mode: "config", Pattern: "bandwidth kbit:<1-1000000>", Weight: 90},
			{ID: "interface", Mode: "config", Pattern: "interface name:IFNAME", Enters: "interface", Key: []string{"name"}, Weight: 50},
			{ID: "route", Mode: "config", Pattern: "ip route net:A.B.C.D mask:MASK {nh:A.B.C.D|if:IFNAME} [distance:<1-255>]", Key: []string{"net", "mask", "nh", "if"}, Weight: 80},
			{ID: "acl", Mode: "config", Pattern: "access-list n:<1-99> {permit|deny} addr:A.B.C.D", Key: []string{"n", "addr"}, Ordered: true, Weight: 85},
			{ID: "address", Mode: "interface", Pattern: "ip address addr:A.B.C.D mask:MASK", NoExact: true, Weight: 10},
			{ID: "bandwidth", Mode: "interface", Pattern: "bandwidth kbit:<1-1000000>", Weight: 5},
			{ID: "description", Mode: "interface", Pattern: "description text:LINE(240)", Weight: 1},
			{ID: "redirects", Mode: "interface", Pattern: "ip redirects", NoForm: cli.NoOnly, Ignored: "always off"},
			{ID: "tunnel.mode", Mode: "interface", Pattern: "tunnel mode gre {ip|multipoint}", Default: "tunnel mode gre ip", Weight: 30},
			{ID: "tunnel.key", Mode: "interface", Pattern: "tunnel key key:<0-4294967295>", Weight: 31},
			{ID: "shutdown", Mode: "interface", Pattern: "shutdown", Weight: 2},
			{ID: "show.version", Mode: "exec", Pattern: "show version"},
		},
	}
	nhrp := cli.Tree{Commands: []cli.Command{
		{ID: "auth", Mode: "interface", Pattern: "ip nhrp authentication [type:{0|6|7}] secret:SECRET(8)", Weight: 20},
		{ID: "id", Mode: "interface", Pattern: "ip nhrp network-id id:<1-4294967295>", Weight: 20},
		{ID: "map", Mode: "interface", Pattern: "ip nhrp map addr:A.B.C.D nbma:ADDR", Key: []string{"addr"}, Weight: 20},
		{ID: "nhs", Mode: "interface", Pattern: "ip nhrp nhs addr:A.B.C.D [nbma nbma:HOST [multicast]] [priority priority:<0-255>] [cluster cluster:<0-10>]", Key: []string{"addr"}, Weight: 20},
		{ID: "shortcut", Mode: "interface", Pattern: "ip nhrp shortcut", DefaultOn: true, Weight: 20},
	}}
	eigrp := cli.Tree{
		Modes: []cli.Mode{
			{Name: "router-eigrp", Parent: "config"},
			{Name: "eigrp-af", Parent: "router-eigrp", Closers: []string{"exit-address-family"}},
			{Name: "eigrp-af-if", Parent: "eigrp-af", Closers: []string{"exit-af-interface"}},
			{Name: "eigrp-topology", Parent: "eigrp-af", Closers: []string{"exit-af-topology"}},
		},
		Commands: []cli.Command{
			{ID: "router", Mode: "config", Pattern: "router eigrp {as:<1-65535>|name:WORD}", Enters: "router-eigrp", Key: []string{"as", "name"}, Weight: 60},
			{ID: "network", Mode: "router-eigrp", Pattern: "network addr:A.B.C.D [wild:WILDCARD]", Key: []string{"addr", "wild"}},
			{ID: "passive", Mode: "router-eigrp", Pattern: "passive-interface {default|if:IFNAME}", Key: []string{"if"}},
			{ID: "af", Mode: "router-eigrp", Pattern: "address-family ipv4 [unicast] autonomous-system as:<1-65535>", Enters: "eigrp-af", Key: []string{"as"}},
			{ID: "af.network", Mode: "eigrp-af", Pattern: "network addr:A.B.C.D [wild:WILDCARD]", Key: []string{"addr", "wild"}, Weight: 9},
			{ID: "af-if", Mode: "eigrp-af", Pattern: "af-interface {default|name:IFNAME}", Enters: "eigrp-af-if", Key: []string{"default", "name"}, Weight: 1},
			{ID: "topology", Mode: "eigrp-af", Pattern: "topology base", Enters: "eigrp-topology", Weight: 2},
			{ID: "hello", Mode: "eigrp-af-if", Pattern: "hello-interval s:<1-65535>"},
			{ID: "af-if.passive", Mode: "eigrp-af-if", Pattern: "passive-interface"},
			{ID: "variance", Mode: "eigrp-topology", Pattern: "variance n:<1-128>"},
		},
	}
	g, err := cli.Merge(cli.Owned{Owner: "zebra", Tree: zebra}, cli.Owned{Owner: "nhrpd", Tree: nhrp}, cli.Owned{Owner: "eigrpd", Tree: eigrp})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func load(t testing.TB, g *cli.Grammar, text string) *Tree {
	t.Helper()
	tree, errs := Load(g, text, "test")
	for _, e := range errs {
		t.Error(e.Report())
	}
	if errs != nil {
		t.FailNow()
	}
	return tree
}

// labHub is a hub's configuration as a user pastes it.
const labHub = `! HUB
hostname HUB
interface Tunnel0
 ip address 172.31.0.1 255.255.255.0
 no ip redirects
 ip nhrp authentication DMVPNKEY
 ip nhrp network-id 1
 no ip nhrp shortcut
 tunnel mode gre multipoint
 tunnel key 100
interface Tunnel10
 tunnel mode gre ip
interface Tunnel2
 bandwidth 1000
router eigrp DMVPN
 address-family ipv4 unicast autonomous-system 100
  af-interface default
   passive-interface
  exit-af-interface
  af-interface Tunnel0
   hello-interval 20
   no passive-interface
  exit-af-interface
  topology base
  exit-af-topology
  network 172.31.0.0 0.0.0.255
  network 10.10.0.0 0.0.0.255
 exit-address-family
ip route 0.0.0.0 0.0.0.0 192.0.2.2
access-list 10 permit 10.2.0.0
access-list 10 deny 10.1.0.0
bandwidth 5
end
`

const labHubPrinted = `hostname HUB
!
interface Tunnel0
 ip address 172.31.0.1 255.255.255.0
 ip nhrp authentication DMVPNKEY
 ip nhrp network-id 1
 no ip nhrp shortcut
 tunnel mode gre multipoint
 tunnel key 100
!
interface Tunnel2
 bandwidth 1000
!
interface Tunnel10
 exit
!
router eigrp DMVPN
 address-family ipv4 unicast autonomous-system 100
  af-interface Tunnel0
   hello-interval 20
  exit-af-interface
  af-interface default
   passive-interface
  exit-af-interface
  topology base
  exit-af-topology
  network 10.10.0.0 0.0.0.255
  network 172.31.0.0 0.0.0.255
 exit-address-family
!
ip route 0.0.0.0 0.0.0.0 192.0.2.2
access-list 10 permit 10.2.0.0
access-list 10 deny 10.1.0.0
bandwidth 5
`

func TestLoadAndPrint(t *testing.T) {
	g := testGrammar(t)
	tree := load(t, g, labHub)
	if diff := cmp.Diff(labHubPrinted, tree.Text()); diff != "" {
		t.Error(diff)
	}
	if again := load(t, g, tree.Text()); !again.Equal(tree) {
		t.Error("printed configuration reads back differently")
	}
	flat := ""
	for _, l := range strings.Split(labHub, "\n") {
		flat += strings.TrimSpace(l) + "\n"
	}
	if got := load(t, g, flat); !got.Equal(tree) {
		t.Errorf("without indentation:\n%s", cmp.Diff(tree.Text(), got.Text()))
	}
}

func TestLoadReportsEveryLine(t *testing.T) {
	g := testGrammar(t)
	tree, errs := Load(g, `hostname a
hostnam
interface Tunnel0
 ip address 10.0.0.1 255.0.255.0
 ip nhrp authentication S3cret!! x
 tunnel key 5
interface @@@
 ip nhrp authentication S3cret!!
show version
no ip address
`, "f.conf")
	if tree != nil {
		t.Error("a tree in spite of errors")
	}
	var got []string
	for _, e := range errs {
		got = append(got, fmt.Sprintf("%d:%d", e.Line, e.Column))
		if e.File != "f.conf" || strings.Contains(e.Error()+e.Report()+e.Text, "S3cret") {
			t.Errorf("bad error %q", e.Report())
		}
	}
	if diff := cmp.Diff([]string{"2:9", "4:22", "5:34", "7:11", "8:1", "9:1", "10:7"}, got); diff != "" {
		t.Errorf("%s\n%v", diff, errs)
	}
}

// session applies lines as a shell would.
func session(t testing.TB, g *cli.Grammar, tree *Tree, lines ...string) (errs []string) {
	t.Helper()
	var p Path
	for _, line := range lines {
		m, err := g.Parse(p.Stack(), line)
		if err != nil {
			t.Fatalf("%s", err.Report())
		}
		if _, err := tree.Apply(p, m); err != nil {
			errs = append(errs, err.Error())
		}
		p = p.Next(m)
	}
	return errs
}

func TestApply(t *testing.T) {
	g := testGrammar(t)
	base := []string{"int tu0", "ip address 10.0.0.1 255.255.255.0", "tunnel key 5", "ip nhrp map 10.0.0.2 192.0.2.1", "ip nhrp nhs 10.0.0.2", "tunnel mode gre multipoint"}
	for _, tc := range []struct {
		name  string
		lines []string
		want  string // lines of the block, joined by ";"
	}{
		{"replace", []string{"tunnel key 6"}, "ip address 10.0.0.1 255.255.255.0;ip nhrp map 10.0.0.2 192.0.2.1;ip nhrp nhs 10.0.0.2;tunnel mode gre multipoint;tunnel key 6"},
		{"keyed", []string{"ip nhrp map 10.0.0.3 192.0.2.3", "ip nhrp map 10.0.0.2 192.0.2.9"}, "ip address 10.0.0.1 255.255.255.0;ip nhrp map 10.0.0.2 192.0.2.9;ip nhrp map 10.0.0.3 192.0.2.3;ip nhrp nhs 10.0.0.2;tunnel mode gre multipoint;tunnel key 5"},
		{"no short", []string{"no ip address", "no tunnel key", "no ip nhrp nhs 10.0.0.2"}, "ip nhrp map 10.0.0.2 192.0.2.1;tunnel mode gre multipoint"},
		{"default line", []string{"tunnel mode gre ip"}, "ip address 10.0.0.1 255.255.255.0;ip nhrp map 10.0.0.2 192.0.2.1;ip nhrp nhs 10.0.0.2;tunnel key 5"},
		{"default command", []string{"default tunnel mode", "default tunnel key"}, "ip address 10.0.0.1 255.255.255.0;ip nhrp map 10.0.0.2 192.0.2.1;ip nhrp nhs 10.0.0.2"},
		{"off and on", []string{"no ip nhrp shortcut", "no tunnel key", "no tunnel mode", "no ip address", "no ip nhrp map 10.0.0.2 192.0.2.1"}, "ip nhrp nhs 10.0.0.2;no ip nhrp shortcut"},
		{"off and on again", []string{"no ip nhrp shortcut", "ip nhrp shortcut", "no tunnel key", "no tunnel mode", "no ip address", "no ip nhrp map 10.0.0.2 192.0.2.1"}, "ip nhrp nhs 10.0.0.2"},
		{"merge", []string{"exit", "interface Tunnel0", "no tunnel mode", "no ip nhrp nhs 10.0.0.2"}, "ip address 10.0.0.1 255.255.255.0;ip nhrp map 10.0.0.2 192.0.2.1;tunnel key 5"},
		{"reset block", []string{"default interface Tunnel0"}, ""},
		{"no redirects", []string{"no ip redirects", "default interface Tunnel0"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree := &Tree{}
			session(t, g, tree, append(slices.Clone(base), tc.lines...)...)
			var got []string
			for _, n := range tree.Nodes[0].Nodes {
				got = append(got, n.Line)
			}
			if s := strings.Join(got, ";"); s != tc.want {
				t.Errorf("got  %s\nwant %s", s, tc.want)
			}
		})
	}
	tree := &Tree{}
	if errs := session(t, g, tree, append(base, "no ip address 10.0.0.9 255.255.255.0")...); len(errs) != 1 || !strings.Contains(errs[0], "10.0.0.1") {
		t.Errorf("removing an address that is not there: %v", errs)
	}
	session(t, g, tree, "no interface Tunnel0", "no interface Tunnel7")
	if tree.Len() != 0 {
		t.Errorf("left: %s", tree.Text())
	}
	if errs := session(t, g, tree, "do show version"); len(errs) != 1 {
		t.Errorf("exec command applied: %v", errs)
	}
}

func TestDiffAndFilter(t *testing.T) {
	g := testGrammar(t)
	old := load(t, g, labHub)
	new := old.Clone()
	session(t, g, new, "no hostname", "no interface Tunnel2", "int tu0", "tunnel key 7", "ip nhrp map 10.0.0.2 192.0.2.1",
		"no ip nhrp network-id", "interface Gi1", "description x", "no access-list 10 permit 10.2.0.0", "access-list 10 permit 10.2.0.0")
	var got []string
	for _, c := range Diff(old, new) {
		s := strings.Join(c.Path, "/")
		if c.Old != nil {
			s += " -" + c.Old.Line
		}
		if c.New != nil {
			s += " +" + c.New.Line
		}
		got = append(got, s)
	}
	want := []string{
		" -hostname HUB",
		" -interface Tunnel2",
		" +interface GigabitEthernet1",
		"interface Tunnel0 -ip nhrp network-id 1",
		"interface Tunnel0 +ip nhrp map 10.0.0.2 192.0.2.1",
		"interface Tunnel0 -tunnel key 100 +tunnel key 7",
		" -access-list 10 deny 10.1.0.0 +access-list 10 deny 10.1.0.0",
		" -access-list 10 permit 10.2.0.0 +access-list 10 permit 10.2.0.0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(Diff(old, old.Clone())) != 0 {
		t.Error("a clone differs")
	}
	wantFiltered := `interface Tunnel0
 ip nhrp authentication DMVPNKEY
 ip nhrp network-id 1
 no ip nhrp shortcut
!
access-list 10 permit 10.2.0.0
access-list 10 deny 10.1.0.0
`
	if diff := cmp.Diff(wantFiltered, old.Filter("nhrpd", "acl").Text()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"eigrpd", "nhrpd", "zebra"}, old.Owners()); diff != "" {
		t.Error(diff)
	}
}

func TestSection(t *testing.T) {
	g := testGrammar(t)
	tree := load(t, g, labHub)
	for words, want := range map[string]string{
		"interface Tunnel2": "interface Tunnel2\n bandwidth 1000\n",
		"int tu2":           "interface Tunnel2\n bandwidth 1000\n",
		"hostname":          "hostname HUB\n",
		"ip route":          "ip route 0.0.0.0 0.0.0.0 192.0.2.2\n",
		"nothing":           "",
	} {
		if got := tree.Section(g, words).Text(); got != want {
			t.Errorf("%q: got\n%s", words, got)
		}
	}
	if got := tree.Section(g, "interface"); len(got.Nodes) != 3 {
		t.Errorf("interface: %s", got.Text())
	}
}

func TestNodesHideSecrets(t *testing.T) {
	tree := load(t, testGrammar(t), labHub)
	n := tree.Nodes[1].Find("nhrpd", "auth")
	if s := fmt.Sprintf("%v %s", n, n.Args); strings.Contains(s, "DMVPNKEY") {
		t.Errorf("secret in %s", s)
	}
	if n.Args.String("secret") != "DMVPNKEY" {
		t.Error("the secret is lost")
	}
}

// someConfig draws lines as users type them, in any order and mode.
func someConfig(rt *rapid.T) string {
	var b strings.Builder
	n := rapid.IntRange(0, 40).Draw(rt, "lines")
	num := func(max int) int { return rapid.IntRange(1, max).Draw(rt, "n") }
	word := func() string {
		return rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9!|#._-]{0,7}`).Draw(rt, "word")
	}
	for range n {
		l := rapid.SampledFrom([]func() string{
			func() string { return "hostname " + word() },
			func() string { return fmt.Sprintf("interface Tunnel%d", num(12)) },
			func() string { return fmt.Sprintf("no interface Tunnel%d", num(12)) },
			func() string { return fmt.Sprintf("int gi%d", num(3)) },
			func() string { return fmt.Sprintf("bandwidth %d", num(5)) },
			func() string { return fmt.Sprintf("ip address 10.0.%d.1 255.255.255.0", num(9)) },
			func() string { return "description " + word() + "  " + word() },
			func() string { return "shutdown" },
			func() string { return "tunnel mode gre ip" },
			func() string { return "tunnel mode gre multipoint" },
			func() string { return "no ip nhrp shortcut" },
			func() string { return "ip nhrp shortcut" },
			func() string { return "ip nhrp authentication " + word() },
			func() string {
				return fmt.Sprintf("ip nhrp nhs 10.0.0.%d cluster %d nbma %s.x multicast", num(30), num(9), "h")
			},
			func() string { return fmt.Sprintf("ip route 10.%d.0.0 255.255.0.0 Null0 %d", num(200), num(9)) },
			func() string {
				return fmt.Sprintf("access-list %d %s 10.0.0.%d", num(3), []string{"", "permit", "deny"}[num(2)], num(5))
			},
			func() string { return fmt.Sprintf("no access-list 1 permit 10.0.0.%d", num(5)) },
			func() string { return fmt.Sprintf("router eigrp %d", num(3)) },
			func() string { return "router eigrp " + word() },
			func() string { return fmt.Sprintf("network 10.%d.0.0 0.0.255.255", num(20)) },
			func() string { return "address-family ipv4 autonomous-system 100" },
			func() string { return fmt.Sprintf("af-interface Tunnel%d", num(12)) },
			func() string { return "passive-interface" },
			func() string { return "passive-interface default" },
			func() string { return fmt.Sprintf("hello-interval %d", num(9)) },
			func() string { return "topology base" },
			func() string { return "exit" },
			func() string { return "!" },
		}).Draw(rt, "line")()
		b.WriteString(strings.Repeat(" ", rapid.SampledFrom([]int{0, 0, 1}).Draw(rt, "indent")) + l + "\n")
	}
	return b.String()
}

// loose applies the lines that the grammar accepts and returns the tree.
func loose(g *cli.Grammar, text string) *Tree {
	tree := &Tree{}
	var p Path
	for line := range strings.Lines(text) {
		m, err := g.Parse(p.Stack(), strings.TrimRight(line, "\n"))
		if err != nil {
			continue
		}
		if _, err := tree.Apply(p, m); err == nil {
			p = p.Next(m)
		}
	}
	return tree
}

func TestPrintLoadIsIdentity(t *testing.T) {
	g := testGrammar(t)
	rapid.Check(t, func(rt *rapid.T) {
		tree := loose(g, someConfig(rt))
		text := tree.Text()
		again, errs := Load(g, text, "printed")
		if errs != nil {
			rt.Fatalf("printed configuration is refused: %v\n%s", errs, text)
		}
		if !again.Equal(tree) {
			rt.Fatalf("reads back differently:\n%s\nthen\n%s", text, again.Text())
		}
		data, err := json.Marshal(tree)
		if err != nil {
			rt.Fatal(err)
		}
		var sent Tree
		if err := json.Unmarshal(data, &sent); err != nil || !sent.Equal(tree) {
			rt.Fatalf("JSON reads back differently: %v", err)
		}
	})
}

// TestDiffLeadsFromOldToNew replays a difference and must arrive.
func TestDiffLeadsFromOldToNew(t *testing.T) {
	g := testGrammar(t)
	rapid.Check(t, func(rt *rapid.T) {
		old, new := loose(g, someConfig(rt)), loose(g, someConfig(rt))
		got := old.Clone()
		for _, c := range Diff(old, new) {
			b := &got.Block
			for _, line := range c.Path {
				i := slices.IndexFunc(b.Nodes, func(n *Node) bool { return n.Line == line })
				b = &b.Nodes[i].Block
			}
			if c.Old != nil {
				inner := b.Get(c.Old.Key)
				b.remove(c.Old.Key)
				if c.New != nil {
					n := *c.New
					n.Block = inner.Block
					b.put(&n)
					continue
				}
			}
			if c.New != nil {
				n := *c.New
				n.Block = c.New.Block.clone()
				b.put(&n)
			}
		}
		if !got.Equal(new) {
			rt.Fatalf("got\n%s\nwant\n%s", got.Text(), new.Text())
		}
	})
}

func FuzzLoad(f *testing.F) {
	g := testGrammar(f)
	f.Add(labHub)
	f.Add("interface Tunnel0\n ip address\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		tree, errs := Load(g, text, "fuzz")
		if errs != nil {
			return
		}
		again, errs := Load(g, tree.Text(), "printed")
		if errs != nil || !again.Equal(tree) {
			t.Fatalf("%v\n%s", errs, tree.Text())
		}
	})
}

func BenchmarkLoad10kLines(b *testing.B) {
	g := testGrammar(b)
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "interface Tunnel%d\n ip address 10.%d.%d.1 255.255.255.0\n ip nhrp network-id 1\n ip nhrp authentication abc\n ip nhrp map 10.0.0.1 192.0.2.1\n ip nhrp nhs 10.0.0.1 nbma 192.0.2.1 multicast\n tunnel key %d\n tunnel mode gre multipoint\n", i, i/256, i%256, i)
		fmt.Fprintf(&text, "ip route 10.%d.%d.0 255.255.255.0 Null0\nip route 10.%d.%d.0 255.255.255.0 10.0.0.1\n", i/256, i%256, i/256, i%256)
	}
	for b.Loop() {
		if _, errs := Load(g, text.String(), "bench"); errs != nil {
			b.Fatal(errs[0])
		}
	}
}
