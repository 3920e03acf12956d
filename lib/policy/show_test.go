package policy

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// run runs a show line through the grammar.
func run(t *testing.T, set *Set, line string, asJSON bool) string {
	t.Helper()
	m, e := grammar(t).Parse([]string{cli.ModeEnable}, line)
	if e != nil {
		t.Fatal(e)
	}
	out, ok := Exec(set, m.Command.ID, m.Args, at("2026-01-01T00:30:00Z"))
	if !ok {
		t.Fatalf("%q is not run", line)
	}
	var b bytes.Buffer
	if err := out.Write(&b, asJSON); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestShow(t *testing.T) {
	set := read(t, example)
	for line, want := range map[string]string{
		"show ip prefix-list": `ip prefix-list P: 2 entries
   Description: what it is for
   seq 5 permit 10.0.0.0/8 ge 16 le 24
   seq 10 deny 0.0.0.0/0
`,
		"show ipv6 prefix-list P": "ipv6 prefix-list P: 1 entries\n   seq 5 permit 2001:db8::/32 le 48\n",
		"show ip prefix-list Q":   "",
		"show access-lists": `Standard IP access list 10
    10 permit 10.1.0.0, wildcard bits 0.0.255.255
    20 deny   any
Extended IP access list 101
    10 permit ip host 10.0.0.0 host 255.0.0.0
Standard IP access list 1300
    10 permit any
Extended IP access list 2000
    10 permit tcp any any eq 22
Extended IP access list E
    10 permit tcp any eq www host 10.0.0.1 range 1024 65535 established
    20 deny udp 10.0.0.0 0.0.0.255 any neq isakmp
    30 permit gre any any
    40 permit 99 any any
Standard IP access list S
    10 permit 10.0.0.0, wildcard bits 0.255.255.255
    20 deny   1.2.3.4
    40 permit any
`,
		"show ip access-lists 1300": "Standard IP access list 1300\n    10 permit any\n",
		"show route-map M": `route-map M, permit, sequence 10
  Description:
    first
  Match clauses:
    ip address (access-lists): 10 S
    ip address prefix-lists: P
    interface Tunnel0
    ip next-hop (access-lists): 10
    ip next-hop prefix-lists: P
    ip route-source (access-lists): S
    metric 5
    source-protocol eigrp 100 ospf rip
    tag 1 2
  Continue: sequence 30
  Set clauses:
    metric +10
    metric-type type-1
    tag 77
    ip next-hop 10.0.0.1
    ipv6 next-hop 2001:db8::1
    local-preference 200
    community 100:1 no-export additive
  Call: N
route-map M, deny, sequence 20
  Match clauses:
    ipv6 address prefix-lists: P
  Set clauses:
route-map M, permit, sequence 30
  Match clauses:
  Continue: next sequence
  Set clauses:
    metric 100000 10 255 1 1500
    community none
`,
		"show key chain": `Key-chain K:
    key 1 -- text "********"
        cryptographic-algorithm: hmac-sha-256
        accept lifetime (00:00:00 UTC Jan 1 2026) - (01:00:00 UTC Jan 1 2026) [valid now]
        send lifetime (00:00:00 UTC Jan 1 2026) - (01:00:00 UTC Feb 2 2026) [valid now]
    key 10 -- text "********"
        accept lifetime (00:00:00 UTC Jan 1 2026) - (infinite) [valid now]
        send lifetime (always valid) - (always valid) [valid now]
`,
	} {
		if d := cmp.Diff(want, run(t, set, line, false)); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
}

// Bits that are not compared are zero, as IOS stores them.
func TestShowWildcard(t *testing.T) {
	got := run(t, read(t, "access-list 11 permit 10.1.2.3 0.0.0.255"), "show access-lists", false)
	if want := "Standard IP access list 11\n    10 permit 10.1.2.0, wildcard bits 0.0.0.255\n"; got != want {
		t.Errorf("%q", got)
	}
}

func TestShowJSON(t *testing.T) {
	set := read(t, example)
	for line, want := range map[string]string{
		"show ipv6 prefix-list":     `{"prefixLists":[{"name":"P","entries":[{"seq":5,"action":"permit","prefix":"2001:db8::/32","minLength":32,"maxLength":48}]}]}`,
		"show access-lists 2000":    `{"accessLists":[{"name":"2000","type":"Extended","entries":[{"seq":10,"action":"permit","protocol":"tcp","source":"any","destination":"any","destinationPort":"eq 22"}]}]}`,
		"show ip access-lists 1300": `{"accessLists":[{"name":"1300","type":"Standard","entries":[{"seq":10,"action":"permit","source":"any"}]}]}`,
		"show route-map N":          `{"routeMaps":[{"name":"N","entries":[{"seq":10,"action":"permit","match":[],"set":["metric 5"]}]}]}`,
		"show route-map none":       `{"routeMaps":[]}`,
		"show key chain": `{"keyChains":[{"name":"K","keys":[
			{"id":1,"algorithm":"hmac-sha-256","accept":{"start":"2026-01-01T00:00:00Z","end":"2026-01-01T01:00:00Z","validNow":true},"send":{"start":"2026-01-01T00:00:00Z","end":"2026-02-02T01:00:00Z","validNow":true}},
			{"id":10,"accept":{"start":"2026-01-01T00:00:00Z","validNow":true},"send":{"validNow":true}}]}]}`,
	} {
		var got, wanted any
		if err := json.Unmarshal([]byte(run(t, set, line, true)), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(wanted, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", line, d)
		}
	}
}

// All show commands of the grammar run, with nothing configured as well; others
// are left to their owners.
func TestExec(t *testing.T) {
	for _, c := range Grammar().Commands {
		_, ok := Exec(nil, c.ID, cli.Args{}, at("2026-01-01T00:00:00Z"))
		if ok != (c.Mode == cli.ModeExec) {
			t.Errorf("%s runs: %v", c.ID, ok)
		}
	}
	var none *Set
	if none.PrefixList("x") != nil || none.PrefixList6("x") != nil || none.AccessList("x") != nil || none.RouteMap("x") != nil || none.KeyChain("x") != nil {
		t.Error("nothing is defined, and yet something is")
	}
}

// FuzzRead hands any text that loads to Read, evaluates what comes out, and wants
// the printed configuration to mean the same.
func FuzzRead(f *testing.F) {
	g := grammar(f)
	for _, seed := range []string{example, lists, "route-map A permit 10\ncall B\nroute-map B permit 10\ncall A\n",
		"ip prefix-list A permit 0.0.0.0/0 ge 0 le 32\nipv6 prefix-list A permit ::/0 ge 0 le 128", "key chain K\nkey 1\nkey-string 7 070C285F4D06\naccept-lifetime 00:00:00 Jan 1 2026 infinite",
		"access-list 100 permit tcp any range 1 2 any gt 5 established\nno access-list 100", "ip access-list extended 100\npermit ip any any\nno 10"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		tree, errs := conf.Load(g, text, "fuzz")
		if errs != nil {
			return
		}
		set, refused := Read(tree)
		again, errs := conf.Load(g, tree.Text(), "again")
		if errs != nil || !again.Equal(tree) {
			t.Fatalf("printed:\n%s\n%v", tree.Text(), errs)
		}
		set2, refused2 := Read(again)
		if d := cmp.Diff(refused, refused2); d != "" {
			t.Fatal(d)
		}
		now := at("2026-01-01T00:00:00Z")
		for _, id := range []string{ShowPrefixList, ShowPrefixList6, ShowAccessList, ShowRouteMap, ShowKeyChain} {
			var a, b strings.Builder
			out, _ := Exec(set, id, nil, now)
			out.Write(&a, true)
			out.Write(&a, false)
			out, _ = Exec(set2, id, nil, now)
			out.Write(&b, true)
			out.Write(&b, false)
			if a.String() != b.String() {
				t.Fatalf("%s\n%s", a.String(), b.String())
			}
		}
		evaluate(set)
	})
}

// evaluate asks all that a Set can answer.
func evaluate(set *Set) {
	six := base()
	six.Prefix, six.NextHop = prefix("2001:db8::/32"), addr("fe80::1")
	for _, m := range set.maps {
		m.Apply(base())
		m.Apply(six)
	}
	for _, l := range set.access {
		l.MatchAddr(addr("10.0.0.1"))
		l.MatchPrefix(prefix("10.0.0.0/8"))
		l.MatchUpdate(addr("10.0.0.1"), prefix("10.0.0.0/8"))
		l.MatchPacket(Packet{Protocol: 6, Source: addr("10.0.0.1"), Destination: addr("10.0.0.2"), HasPorts: true})
	}
	for _, c := range set.chains {
		c.NextChange(at("2026-01-01T00:00:00Z"))
	}
}
