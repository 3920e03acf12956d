package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// grammar is the policy grammar as zebra has it, beside lines of its own.
func grammar(t testing.TB) *cli.Grammar {
	t.Helper()
	g, err := cli.Merge(cli.Owned{Owner: "zebra", Tree: Grammar()}, cli.Owned{Owner: "ripd", Tree: cli.Tree{
		Modes:    []cli.Mode{{Name: "router", Parent: "config"}},
		Commands: []cli.Command{{ID: "router", Mode: "config", Pattern: "router rip", Enters: "router"}, {ID: "version", Mode: "router", Pattern: "version 2"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// load loads a configuration and hands it to Read as a daemon gets it.
func load(t testing.TB, text string) (*Set, []conf.Refusal, *conf.Tree) {
	t.Helper()
	tree, errs := conf.Load(grammar(t), text, "test")
	if errs != nil {
		t.Fatal(errs)
	}
	sent, err := json.Marshal(tree.Filter("ripd", SharedIDs()...))
	if err != nil {
		t.Fatal(err)
	}
	var got conf.Tree
	if err := json.Unmarshal(sent, &got); err != nil {
		t.Fatal(err)
	}
	set, refused := Read(&got)
	return set, refused, tree
}

// read is load for a configuration without mistakes.
func read(t testing.TB, text string) *Set {
	t.Helper()
	set, refused, _ := load(t, text)
	if refused != nil {
		t.Fatal(refused)
	}
	return set
}

// example has each configuration command.
const example = `router rip
 version 2
!
key chain K
 key 1
  key-string 7 070C285F4D06
  accept-lifetime 00:00:00 Jan 1 2026 duration 3600
  send-lifetime 00:00:00 1 January 2026 01:00:00 2 Feb 2026
  cryptographic-algorithm hmac-sha-256
 key 10
  key-string plain
  accept-lifetime 00:00:00 Jan 1 2026 infinite
!
ip access-list extended E
 10 permit tcp any eq www host 10.0.0.1 range 1024 65535 established
 20 deny udp 10.0.0.0 0.0.0.255 any neq isakmp
 30 permit gre any any
 40 permit 99 any any
!
ip access-list standard S
 10 permit 10.0.0.0 0.255.255.255
 20 deny host 1.2.3.4
 30 remark spaces  inside
 40 permit any
!
ip prefix-list P description what it is for
ip prefix-list P seq 5 permit 10.0.0.0/8 ge 16 le 24
ip prefix-list P seq 10 deny 0.0.0.0/0
ipv6 prefix-list P seq 5 permit 2001:db8::/32 le 48
access-list 10 remark one
access-list 10 permit 10.1.0.0 0.0.255.255
access-list 10 deny any
access-list 101 permit ip host 10.0.0.0 host 255.0.0.0
access-list 1300 permit any
access-list 2000 permit tcp any any eq 22
!
route-map M permit 10
 description first
 match interface Tunnel0
 match ip address 10
 match ip address S
 match ip address prefix-list P
 match ip next-hop 10
 match ip next-hop prefix-list P
 match ip route-source S
 match metric 5
 match source-protocol eigrp 100
 match source-protocol ospf
 match source-protocol rip
 match tag 1
 match tag 2
 set community 100:1 no-export additive
 set ip next-hop 10.0.0.1
 set ipv6 next-hop 2001:db8::1
 set local-preference 200
 set metric +10
 set metric-type type-1
 set tag 77
 call N
 continue 30
!
route-map M deny 20
 match ipv6 address prefix-list P
!
route-map M permit 30
 set community none
 set metric 100000 10 255 1 1500
 continue
!
route-map N permit 10
 set metric 5
`

// The printed example is the example, and loads to the same tree.
func TestRoundTrip(t *testing.T) {
	_, refused, tree := load(t, example)
	if refused != nil {
		t.Fatal(refused)
	}
	if d := cmp.Diff(example, tree.Text()); d != "" {
		t.Errorf("printed (-example +got):\n%s", d)
	}
	_, _, again := load(t, tree.Text())
	if !again.Equal(tree) {
		t.Errorf("loaded again:\n%s", again.Text())
	}
}

// What people type becomes what is stored.
func TestTyped(t *testing.T) {
	for _, c := range []struct{ name, typed, want string }{
		{"numbers", "ip prefix-list A permit 10.0.0.0/8 le 24\nip prefix-list A deny 0.0.0.0/0 le 32\nip access-list extended X\npermit ip any any\nremark x\ndeny tcp any any",
			"ip access-list extended X\n 10 permit ip any any\n 20 remark x\n 30 deny tcp any any\n!\nip prefix-list A seq 5 permit 10.0.0.0/8 le 24\nip prefix-list A seq 10 deny 0.0.0.0/0 le 32\n"},
		{"no prefix-list seq", "ip prefix-list A permit 10.0.0.0/8\nip prefix-list A permit 11.0.0.0/8\nno ip prefix-list A seq 5", "ip prefix-list A seq 10 permit 11.0.0.0/8\n"},
		{"no prefix-list", "ip prefix-list A permit 10.0.0.0/8\nip prefix-list A description x\nipv6 prefix-list A permit ::/0\nno ip prefix-list A", "ipv6 prefix-list A seq 5 permit ::/0\n"},
		{"no access-list", "access-list 7 permit any\naccess-list 7 remark x\naccess-list 101 permit ip any any\nno access-list 7", "access-list 101 permit ip any any\n"},
		{"one line of an access-list", "access-list 7 permit any\naccess-list 7 deny 1.1.1.1\nno access-list 7 permit any", "access-list 7 deny 1.1.1.1\n"},
		{"no route-map entry", "route-map M permit 10\nset tag 1\nroute-map M deny 20\nroute-map N deny 1\nno route-map M permit 10", "route-map M deny 20\n!\nroute-map N deny 1\n"},
		{"no route-map", "route-map M permit 10\nset tag 1\nroute-map M deny 20\nroute-map N deny 1\nno route-map M", "route-map N deny 1\n"},
		{"lines in blocks", "ip access-list standard 10\npermit 1.1.1.1\n15 deny any\nno 10\nroute-map M permit 1\nmatch ip address A B\nmatch tag 1 2\nno match tag 1\nno match ip address A\nset metric 1\nno set metric",
			"ip access-list standard 10\n 15 deny any\n!\nroute-map M permit 1\n match ip address B\n match tag 2\n"},
		{"order of route-map entries", "route-map M deny 100\nroute-map M permit 20\nroute-map M deny 3", "route-map M deny 3\n!\nroute-map M permit 20\n!\nroute-map M deny 100\n"},
		{"a list named like a keyword", "route-map M permit 1\nmatch ip address prefix-list prefix-list", "route-map M permit 1\n match ip address prefix-list prefix-list\n"},
		{"wide communities", "ip extcommunity-list standard A permit rt 1:1 soo 2:2\nip extcommunity-list 100 deny RT:1\nip large-community-list 1 permit 1:2:3 4:5:6\nip large-community-list expanded X permit _1:\n" +
			"ip extcommunity-list 2 permit rt 1:1\nno ip extcommunity-list 2\nip large-community-list standard Y permit 1:1:1\nno ip large-community-list standard Y\n" +
			"route-map M permit 1\nset extcommunity rt 1:1 2:2 additive\nset extcommunity rt 3:3 additive\nset extcommunity soo 4:4\nset large-community none\nset large-community 1:2:3\nmatch extcommunity A B\nmatch large-community X exact-match\nset extcomm-list A delete\nset large-comm-list X delete",
			"ip large-community-list 1 permit 1:2:3 4:5:6\nip extcommunity-list 100 deny RT:1\nip extcommunity-list standard A permit rt 1:1 soo 2:2\nip large-community-list expanded X permit _1:\n!\nroute-map M permit 1\n" +
				" match extcommunity A\n match extcommunity B\n match large-community X exact-match\n set extcomm-list A delete\n set extcommunity rt 3:3 additive\n set extcommunity soo 4:4\n set large-comm-list X delete\n set large-community 1:2:3\n"},
		{"keys", "key chain A\nkey 2\nkey-string 0 x\nkey 1\nkey chain B\nno key chain A", "key chain B\n"},
		{"abbreviated", "ip prefix-l A se 5 per 1.0.0.0/8\naccess-l 10 per a\nroute-m M p 10\nma ip a p A\nse met 5", "ip prefix-list A seq 5 permit 1.0.0.0/8\naccess-list 10 permit any\n!\nroute-map M permit 10\n match ip address prefix-list A\n set metric 5\n"},
	} {
		_, _, tree := load(t, c.typed)
		if d := cmp.Diff(c.want, tree.Text()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// Lines that the grammar refuses.
func TestGrammarRefuses(t *testing.T) {
	g := grammar(t)
	for text, want := range map[string]string{
		"ip prefix-list A permit 10.0.0.1/8":             "host bits",
		"ip prefix-list A permit 10.0.0.0/8 ge 33":       "not in <0-32>",
		"ip prefix-list A permit 2001:db8::/32":          "Invalid input",
		"ip prefix-list A seq 0 permit 1.0.0.0/8":        "not in",
		"ip prefix-list A":                               "Incomplete",
		"access-list 200 permit any":                     "not in",
		"access-list 10 permit tcp any any":              "Invalid input",
		"access-list 100 permit any":                     "Invalid input",
		"access-list 100 permit gre any eq 5 any":        "Invalid input",
		"access-list 100 permit udp any any established": "Invalid input",
		"route-map M":                                   "Incomplete",
		"route-map M permit":                            "Incomplete",
		"route-map M permit 65536":                      "not in",
		"key chain K\nkey 1\nkey-string geheimnis lang": "Invalid input",
		"key chain K\nkey 1\naccept-lifetime local 00:00:00 Jan 1 2026 infinite": "Invalid input",
		"route-map M permit 10\nmatch as-path 501":                               "not in",
	} {
		_, errs := conf.Load(g, text, "test")
		if len(errs) != 1 || !strings.Contains(errs[0].Msg, want) {
			t.Errorf("%q: %v, want %q", text, errs, want)
		}
		if strings.Contains(fmt.Sprint(errs), "geheimnis") {
			t.Errorf("the error shows the secret: %v", errs)
		}
	}
}

// Lines that Read refuses: which and why.
func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ text, line, want string }{
		{"ip prefix-list A permit 10.0.0.0/8 ge 7", "", "8 <= ge <= le <= 32"},
		{"ip prefix-list A permit 10.0.0.0/8 ge 24 le 16", "", "8 <= ge"},
		{"ipv6 prefix-list A permit 2001:db8::/32 le 16", "", "32 <= ge <= le <= 128"},
		{"access-list 100 permit tcp any eq wwww any", "", "is no port"},
		{"access-list 100 permit tcp any range 5 3 any", "", "ends before"},
		{"access-list 100 permit tcp any gt 65535 any", "", "no port"},
		{"access-list 100 permit udp any eq telnet any", "", "is no port"},
		{"access-list 10 permit any\nip access-list standard 10\npermit any", "ip access-list standard 10", "no access-list 10"},
		{"ip access-list standard 100\npermit any", "", "standard access-lists are"},
		{"ip access-list extended 10\npermit ip any any", "", "extended access-lists are"},
		{"ip access-list standard 300", "", "1-199"},
		{"ip access-list standard 010", "", "1-199"},
		{"route-map M deny 10\ncontinue", "continue", "cannot continue"},
		{"route-map M deny 10\ncall N", "call N", "cannot call"},
		{"route-map M permit 10\ncontinue 10", "continue 10", "behind 10"},
		{"route-map M permit 10\ncall M", "call M", "circle"},
		{"route-map M permit 10\nset metric x5", "set metric x5", "no metric"},
		{"route-map M permit 10\nset metric +4294967296", "set metric +4294967296", "no metric"},
		{"route-map M permit 10\nset metric ++5", "set metric ++5", "no metric"},
		{"route-map M permit 10\nset metric +", "set metric +", "no metric"},
		{"route-map M permit 10\nset community 1:65536", "set community 1:65536", "no community"},
		{"ip extcommunity-list 1 permit rt 65000", "", "no extended community"},
		{"ip extcommunity-list 1 permit 65000:1", "", "no extended community"},
		{"ip extcommunity-list 1 permit rt 1:1 soo", "", "no value is behind soo"},
		{"ip extcommunity-list expanded A permit (", "", "no regular expression"},
		{"ip large-community-list 1 permit 1:2", "", "no large community"},
		{"ip large-community-list standard A permit 1:2:3\nip large-community-list expanded A permit 1", "", "of the other kind"},
		{"route-map M permit 10\nset extcommunity rt 1", "set extcommunity rt 1", "no extended community"},
		{"route-map M permit 10\nset large-community 1", "set large-community 1", "no large community"},
		{"route-map M permit 10\nset ip next-hop 0.0.0.0", "set ip next-hop 0.0.0.0", "not the address"},
		{"key chain K\nkey 1\nkey-string 7 geheimnis", "key-string 7 ********", "type 7"},
		{"key chain K\nkey 1\nkey-string 6 geheimnis", "key-string 6 ********", "only zebra"},
		{"key chain K\nkey 1\nkey-string 7 5300", "key-string 7 ********", "type 7"},
		{"key chain K\nkey 1\nkey-string " + strings.Repeat("x", 81), "key-string ********", "80"},
		{"key chain K\nkey 1\nsend-lifetime 25:00:00 Jan 1 2026 infinite", "send-lifetime 25:00:00 Jan 1 2026 infinite", "time of day"},
		{"key chain K\nkey 1\nsend-lifetime 00:00:00 Janu 1 2026 00:00:00 x 1 2027", "", "no month"},
		{"key chain K\nkey 1\nsend-lifetime 00:00:00 Feb 29 2026 infinite", "", "no day 29"},
		{"key chain K\nkey 1\nsend-lifetime 00:00:00 Feb 2 2026 00:00:00 Feb 1 2026", "", "ends before"},
	} {
		_, refused, tree := load(t, c.text)
		if len(refused) != 1 || !strings.Contains(refused[0].Msg, c.want) {
			t.Errorf("%q: %v, want %q", c.text, refused, c.want)
			continue
		}
		if strings.Contains(refused[0].Error(), "geheimnis") {
			t.Errorf("the error shows the secret: %v", refused[0])
		}
		b, n := &tree.Block, (*conf.Node)(nil)
		for _, key := range refused[0].Path {
			if n = b.Get(key); n == nil {
				t.Fatalf("%q: the path %v leads nowhere", c.text, refused[0].Path)
			}
			b = &n.Block
		}
		if c.line != "" && n.String() != c.line {
			t.Errorf("%q: refused %q, want %q", c.text, n, c.line)
		}
	}
	_, refused, _ := load(t, "ip access-list standard X\npermit any\nip access-list extended X\npermit ip any any")
	if len(refused) != 2 {
		t.Errorf("two lists of one name: %v", refused)
	}
}

// All that the grammar has is explained, and the patterns of the same ID fit.
func TestUndocumented(t *testing.T) {
	for _, w := range grammar(t).Undocumented() {
		if strings.HasPrefix(w, "zebra ") {
			t.Error("no help for", w)
		}
	}
}

// A secret shows in no form of printing or encoding.
func TestSecretsAreHidden(t *testing.T) {
	set := read(t, "key chain K\nkey 1\nkey-string geheimnis\nkey 2\nkey-string 7 070C285F4D06")
	chain := set.KeyChain("K")
	if got := string(chain.Keys[0].Secret.Bytes()) + " " + string(chain.Keys[1].Secret.Bytes()); got != "geheimnis cisco" {
		t.Fatalf("the secrets are %q", got)
	}
	encoded, err := json.Marshal(chain)
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct{ k Key }{chain.Keys[0]}
	all := fmt.Sprintf("%v %+v %#v %v %x %q %v %+v %#v %v %s", chain, chain, chain, chain.Keys[0], chain.Keys[0].Secret, chain.Keys[0].Secret, hidden, set, hidden, *set, encoded)
	out, _ := Exec(set, ShowKeyChain, nil, time.Now())
	var text bytes.Buffer
	out.Write(&text, false)
	out.Write(&text, true)
	all += text.String()
	for _, form := range []string{"geheimnis", "67656865696d6e6973", "cisco", fmt.Sprint([]byte("geheimnis"))} {
		if strings.Contains(all, form) {
			t.Errorf("a secret shows as %q in %s", form, all)
		}
	}
	if !strings.Contains(all, stars) {
		t.Error("no stars were printed")
	}
}

// The lists of a daemon are those of zebra.
func TestSharedIDs(t *testing.T) {
	_, _, tree := load(t, example)
	got := tree.Filter("ospfd", SharedIDs()...)
	want, errs := conf.Load(grammar(t), strings.TrimPrefix(example, "router rip\n version 2\n"), "test")
	if errs != nil {
		t.Fatal(errs)
	}
	if !got.Equal(want) {
		t.Errorf("a daemon gets\n%s", got.Text())
	}
}
