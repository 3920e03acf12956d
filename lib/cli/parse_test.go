package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testTree is a grammar of real lines of cisco-dmvpn shape.
func testTree() Tree {
	return Tree{
		Help: Help{"ip": "IP configuration", "tunnel": "Tunnel settings", "nhrp": "NHRP settings", "show": "Show running system information"},
		Modes: []Mode{
			{Name: "interface", Parent: "config", Prompt: "(config-if)#"},
			{Name: "router-eigrp", Parent: "config", Prompt: "(config-router)#"},
			{Name: "eigrp-af", Parent: "router-eigrp", Prompt: "(config-router-af)#", Closers: []string{"exit-address-family"}},
			{Name: "eigrp-af-if", Parent: "eigrp-af", Prompt: "(config-router-af-interface)#", Closers: []string{"exit-af-interface"}},
		},
		Commands: []Command{
			{ID: "hostname", Mode: "config", Pattern: "hostname name:WORD(63)"},
			{ID: "interface", Mode: "config", Pattern: "interface name:IFNAME", Enters: "interface", Key: []string{"name"},
				Help: Help{"interface": "Select an interface to configure", "name": "Interface name"}},
			{ID: "route", Mode: "config", Pattern: "ip route [vrf vrf:WORD] {prefix:PREFIX4|net:A.B.C.D mask:MASK} {nh:A.B.C.D|if:IFNAME [nh:A.B.C.D]} [distance:<1-255>] [tag tag:<1-4294967295>] [name name:WORD]",
				Key: []string{"vrf", "prefix", "net", "mask", "nh", "if"}},
			{ID: "eigrp", Mode: "config", Pattern: "router eigrp {as:<1-65535>|name:WORD}", Enters: "router-eigrp", Key: []string{"as", "name"}},
			{ID: "af", Mode: "router-eigrp", Pattern: "address-family ipv4 [unicast] autonomous-system as:<1-65535>", Enters: "eigrp-af", Key: []string{"as"}},
			{ID: "network", Mode: "router-eigrp", Pattern: "network addr:A.B.C.D [wild:WILDCARD]", Key: []string{"addr", "wild"}},
			{ID: "af.network", Mode: "eigrp-af", Pattern: "network addr:A.B.C.D [wild:WILDCARD]", Key: []string{"addr", "wild"}},
			{ID: "af-if", Mode: "eigrp-af", Pattern: "af-interface {default|name:IFNAME}", Enters: "eigrp-af-if", Key: []string{"default", "name"}},
			{ID: "hello", Mode: "eigrp-af-if", Pattern: "hello-interval s:<1-65535>"},
			{ID: "ip.address", Mode: "interface", Pattern: "ip address {addr:A.B.C.D mask:MASK|prefix:A.B.C.D/M}", NoExact: true},
			{ID: "ip.address.secondary", Mode: "interface", Pattern: "ip address {addr:A.B.C.D mask:MASK|prefix:A.B.C.D/M} secondary", Key: []string{"addr", "prefix"}},
			{ID: "description", Mode: "interface", Pattern: "description text:LINE(240)"},
			{ID: "redirects", Mode: "interface", Pattern: "ip redirects", NoForm: NoOnly, Ignored: "redirects are always off on a tunnel"},
			{ID: "mtu", Mode: "interface", Pattern: "ip mtu mtu:<68-9216>"},
			{ID: "shutdown", Mode: "interface", Pattern: "shutdown"},
			{ID: "tunnel.source", Mode: "interface", Pattern: "tunnel source {addr:ADDR|if:IFNAME}"},
			{ID: "tunnel.mode", Mode: "interface", Pattern: "tunnel mode gre {ip|multipoint}", Default: "tunnel mode gre ip"},
			{ID: "tunnel.key", Mode: "interface", Pattern: "tunnel key key:<0-4294967295>"},
			{ID: "nhrp.auth", Mode: "interface", Pattern: "ip nhrp authentication [type:{0|6|7}] secret:SECRET(8)"},
			{ID: "nhrp.id", Mode: "interface", Pattern: "ip nhrp network-id id:<1-4294967295>"},
			{ID: "nhrp.map", Mode: "interface", Pattern: "ip nhrp map addr:A.B.C.D [mask:MASK] nbma:ADDR", Key: []string{"addr", "mask"}},
			{ID: "nhrp.mcast", Mode: "interface", Pattern: "ip nhrp map multicast {dynamic|nbma:ADDR}", Key: []string{"dynamic", "nbma"}},
			{ID: "nhrp.nhs", Mode: "interface", Pattern: "ip nhrp nhs {addr:A.B.C.D|dynamic} [nbma nbma:HOST [multicast]] [priority priority:<0-255>] [cluster cluster:<0-10>]", Key: []string{"addr", "dynamic"}},
			{ID: "nhrp.shortcut", Mode: "interface", Pattern: "ip nhrp shortcut", DefaultOn: true},
			{ID: "crypto.enc", Mode: "config", Pattern: "encryption enc:{aes-cbc-128|aes-cbc-256|3des}..."},
			{ID: "show.nhrp", Mode: "exec", Pattern: "show ip nhrp [brief|detail]", Help: Help{"brief": "Short listing", "detail": "Long listing"}},
			{ID: "show.run", Mode: "enable", Pattern: "show running-config [section:LINE]"},
			{ID: "debug", Mode: "enable", Pattern: "debug nhrp [packet|cache]", NoForm: NoAllowed},
		},
	}
}

func testGrammar(t testing.TB) *Grammar {
	t.Helper()
	g, err := Merge(Owned{"test", testTree()})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var (
	inIf   = []string{"config", "interface"}
	inConf = []string{"config"}
	inAFIf = []string{"config", "router-eigrp", "eigrp-af", "eigrp-af-if"}
)

func TestParse(t *testing.T) {
	g := testGrammar(t)
	for _, tc := range []struct {
		stack []string
		line  string
		want  string // "id level canonical" with "do " before if so
	}{
		{inConf, "int tu0", "interface 0 interface Tunnel0"},
		{inConf, "interface Tunnel 0", "interface 0 interface Tunnel0"},
		{inConf, "interface gi0/0.10", "interface 0 interface GigabitEthernet0/0.10"},
		{inConf, "interface eth0", "interface 0 interface eth0"},
		{inConf, "interface Eth0", "interface 0 interface Ethernet0"},
		{inConf, "interface lo", "interface 0 interface lo"},
		{inConf, "interface Lo0", "interface 0 interface Loopback0"},
		{inConf, "HOSTNAME Hub1", "hostname 0 hostname Hub1"},
		{inConf, "ip route 0.0.0.0 0.0.0.0 192.0.2.2", "route 0 ip route 0.0.0.0 0.0.0.0 192.0.2.2"},
		{inConf, "ip route 10.0.0.0/8 Null0 250 name bh tag 5", "route 0 ip route 10.0.0.0/8 Null0 250 tag 5 name bh"},
		{inConf, "ip route vrf INET 10.0.0.0/8 Gi1 192.0.2.2", "route 0 ip route vrf INET 10.0.0.0/8 GigabitEthernet1 192.0.2.2"},
		{inConf, "router eigrp 100", "eigrp 0 router eigrp 100"},
		{inConf, "router eigrp DMVPN", "eigrp 0 router eigrp DMVPN"},
		{inConf, "encr aes-cbc-1 3des", "crypto.enc 0 encryption aes-cbc-128 3des"},
		{inIf, "tun mo gre mu", "tunnel.mode 1 tunnel mode gre multipoint"},
		{inIf, "tun so gi1", "tunnel.source 1 tunnel source GigabitEthernet1"},
		{inIf, "tunnel source 192.0.2.1", "tunnel.source 1 tunnel source 192.0.2.1"},
		{inIf, "  ip nhrp map 10.0.0.1   203.0.113.1 ", "nhrp.map 1 ip nhrp map 10.0.0.1 203.0.113.1"},
		{inIf, "ip nhrp map mult dyn", "nhrp.mcast 1 ip nhrp map multicast dynamic"},
		{inIf, "ip nhrp nhs 172.31.0.1 cluster 1 nbma hub.example.org multicast priority 2",
			"nhrp.nhs 1 ip nhrp nhs 172.31.0.1 nbma hub.example.org multicast priority 2 cluster 1"},
		{inIf, "description  to the  hub | x", "description 1 description to the  hub | x"},
		{inIf, "tunnel key 0100", "tunnel.key 1 tunnel key 100"},
		{inIf, "interface Tunnel1", "interface 0 interface Tunnel1"},
		{inIf, "ip route 0.0.0.0 0.0.0.0 192.0.2.2", "route 0 ip route 0.0.0.0 0.0.0.0 192.0.2.2"},
		{inIf, "do show ip nh", "do show.nhrp 0 show ip nhrp"},
		{inIf, "do sh run", "do show.run 0 show running-config"},
		{inIf, "exit", "session.exit 0 exit"},
		{inIf, "no ip redirects", "redirects 1 no ip redirects"},
		{inIf, "no ip address", "ip.address 1 no ip address"},
		{inIf, "no ip address 10.0.0.1 255.255.255.0", "ip.address 1 no ip address 10.0.0.1 255.255.255.0"},
		{inIf, "no ip address 10.0.0.1/24 sec", "ip.address.secondary 1 no ip address 10.0.0.1/24 secondary"},
		{inIf, "no tunnel key", "tunnel.key 1 no tunnel key"},
		{inIf, "no ip nhrp auth", "nhrp.auth 1 no ip nhrp authentication"},
		{inIf, "no ip nhrp nhs 172.31.0.1", "nhrp.nhs 1 no ip nhrp nhs 172.31.0.1"},
		{inIf, "no ip nhrp shortcut", "nhrp.shortcut 1 no ip nhrp shortcut"},
		{inIf, "default tunnel mode", "tunnel.mode 1 default tunnel mode"},
		{inIf, "no int tu0", "interface 0 no interface Tunnel0"},
		{inAFIf, "hello 20", "hello 3 hello-interval 20"},
		{inAFIf, "exit-af-interface", "session.close 3 exit-af-interface"},
		{inAFIf, "exit-address-family", "session.close 2 exit-address-family"},
		{inAFIf, "network 10.0.0.0 0.0.0.255", "af.network 2 network 10.0.0.0 0.0.0.255"},
		{inAFIf, "af-interface default", "af-if 2 af-interface default"},
		{inAFIf, "interface Tunnel0", "interface 0 interface Tunnel0"},
		{[]string{"enable"}, "conf t", "session.configure 0 configure terminal"},
		{[]string{"enable"}, "show ip nhrp brief", "show.nhrp 0 show ip nhrp brief"},
		{[]string{"enable"}, "no debug nhrp", "debug 0 no debug nhrp"},
		{[]string{"exec"}, "en", "session.enable 0 enable"},
		{inIf, "! a comment", ""},
		{inIf, "   ", ""},
		{inIf, "# a comment", ""},
	} {
		m, err := g.Parse(tc.stack, tc.line)
		if err != nil {
			t.Errorf("%q: %v\n%s", tc.line, err, err.Report())
			continue
		}
		got := ""
		if m.Command != nil {
			got = fmt.Sprintf("%s %d %s", m.Command.ID, m.Level, m.Canonical)
		}
		if m.Do {
			got = "do " + got
		}
		if got != tc.want {
			t.Errorf("%q:\n got %q\nwant %q", tc.line, got, tc.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	g := testGrammar(t)
	for _, tc := range []struct {
		stack []string
		line  string
		kind  ErrorKind
		col   int
		say   string
	}{
		{inConf, "blah", ErrUnknown, 1, "expected"},
		{inConf, "no", ErrIncomplete, 4, "Incomplete"},
		{inConf, "interface", ErrIncomplete, 11, "IFNAME"},
		{inConf, "e", ErrAmbiguous, 1, "encryption, end, exit"},
		{inIf, " tunnel key 4294967296", ErrUnknown, 13, "4294967296 is not in <0-4294967295>"},
		{inIf, "ip nhrp map 10.0.0.1 255.0.255.0 1.1.1.1", ErrUnknown, 34, ""},
		{inIf, "ip address 10.0.0.1 255.0.255.0", ErrUnknown, 21, "not a netmask"},
		{inIf, "ip address 10.0.0.300/24", ErrUnknown, 12, "A.B.C.D"},
		{inIf, "ip address", ErrIncomplete, 12, "A.B.C.D"},
		{inIf, "tunnel source 10.0.0.300", ErrUnknown, 15, "IFNAME"},
		{inIf, "tunnel mode gre", ErrIncomplete, 17, "ip, multipoint"},
		{inIf, "tunnel mode gre multipoint x", ErrUnknown, 28, ""},
		{inIf, "no ip nhrp map", ErrIncomplete, 16, ""},
		{inIf, "ip redirects", ErrRefused, 1, "always off"},
		{inIf, "show ip nhrp", ErrUnknown, 1, ""},
		{inIf, "do show ip blah", ErrUnknown, 12, "nhrp"},
		{inIf, "no exit", ErrRefused, 4, `"exit" has no "no" form`},
		{inConf, "ip route 10.0.0.1/24 Null0", ErrUnknown, 10, "the network is 10.0.0.0/24"},
		{inConf, "ip route 10.0.0.0/8 Null0 0", ErrUnknown, 27, "<1-255>"},
		{[]string{"enable"}, "no show ip nhrp", ErrRefused, 4, "form"},
		{[]string{"exec"}, "show running-config", ErrUnknown, 6, "ip"},
		{inIf, "description a\x01b", ErrRefused, 14, "Control"},
		{inIf, strings.Repeat("x", 5000), ErrRefused, 1, "longer than 4096"},
	} {
		_, err := g.Parse(tc.stack, tc.line)
		if err == nil {
			t.Errorf("%q: accepted", tc.line)
			continue
		}
		if err.Kind != tc.kind || err.Column != tc.col || !strings.Contains(err.Msg, tc.say) {
			t.Errorf("%q: kind %d column %d: %s; want kind %d column %d with %q", tc.line, err.Kind, err.Column, err.Msg, tc.kind, tc.col, tc.say)
		}
	}
}

func TestSecretsStaySecret(t *testing.T) {
	g := testGrammar(t)
	for _, line := range []string{
		"ip nhrp authentication S3cret! more",
		"ip nhrp authentication S3cret!toolong",
		"no ip nhrp authentication S3cret! x",
	} {
		_, err := g.Parse(inIf, line)
		if err == nil {
			t.Fatalf("%q: accepted", line)
		}
		if strings.Contains(err.Report()+err.Error()+fmt.Sprintf("%+v", err), "S3cret") {
			t.Errorf("%q: secret in %s", line, err.Report())
		}
	}
	m, err := g.Parse(inIf, "ip nhrp authentication S3cret!")
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", m.Args, m.Args, m.Args, m.Redacted); strings.Contains(s, "S3cret") {
		t.Errorf("secret in %s", s)
	}
	if m.Args.String("secret") != "S3cret!" {
		t.Errorf("the accessor must return the secret: %q", m.Args.String("secret"))
	}
}

// TestPositiveAndNegativeTwins: a line may have one command for itself and another
// for its "no" form, in either order.
func TestPositiveAndNegativeTwins(t *testing.T) {
	only := Command{ID: "minus", Mode: "config", Pattern: "alpha beta", NoForm: NoOnly}
	plus := Command{ID: "plus", Mode: "config", Pattern: "alpha beta"}
	for _, cmds := range [][]Command{{only, plus}, {plus, only}} {
		g, err := Merge(Owned{"x", Tree{Commands: cmds}})
		if err != nil {
			t.Fatal(err)
		}
		for line, want := range map[string]string{"alpha beta": "plus", "no al be": "minus"} {
			if m, err := g.Parse(inConf, line); err != nil || m.Command.ID != want {
				t.Errorf("%q: %v %v, want %s", line, m.Command, err, want)
			}
		}
	}
}

// TestWhichReadingWins: exact keyword, typed argument, abbreviated keyword, WORD,
// LINE; whatever the order of the commands. A word that begins both a keyword and
// longer ones made from it means the short one.
func TestWhichReadingWins(t *testing.T) {
	cmds := []Command{
		{ID: "line", Mode: "config", Pattern: "alpha l:LINE"},
		{ID: "word", Mode: "config", Pattern: "alpha w:WORD"},
		{ID: "number", Mode: "config", Pattern: "alpha n:<1-9>"},
		{ID: "beta", Mode: "config", Pattern: "alpha beta"},
		{ID: "betamax", Mode: "config", Pattern: "alpha betamax"},
		{ID: "10", Mode: "config", Pattern: "alpha 10base"},
	}
	for range 2 {
		g, err := Merge(Owned{"x", Tree{Commands: cmds}})
		if err != nil {
			t.Fatal(err)
		}
		for line, want := range map[string]string{
			"alpha beta": "beta", "alpha betam": "betamax", "alpha 1": "number", "alpha 10": "10",
			"alpha gamma": "word", "alpha bet": "beta", "alpha a b": "line", "alpha beta b": "line",
		} {
			if m, err := g.Parse(inConf, line); err != nil || m.Command.ID != want {
				t.Errorf("%q: %v %v, want %s", line, m.Command, err, want)
			}
		}
		slices.Reverse(cmds)
	}
}

func TestArgs(t *testing.T) {
	g := testGrammar(t)
	m, err := g.Parse(inIf, "ip nhrp nhs 172.31.0.1 nbma 192.0.2.1 multicast priority 3")
	if err != nil {
		t.Fatal(err)
	}
	a := m.Args
	if a.Addr("nbma").String() != "192.0.2.1" || a.Uint("priority") != 3 || !a.Has("multicast") || a.Has("cluster") || a.UintOr("cluster", 7) != 7 {
		t.Errorf("args %v", a)
	}
	m, _ = g.Parse(inConf, "encryption aes-cbc-256 3des")
	if diff := cmp.Diff([]string{"aes-cbc-256", "3des"}, m.Args.Strings("enc")); diff != "" {
		t.Error(diff)
	}
	m, _ = g.Parse(inIf, "ip address 10.1.2.3 255.255.255.0")
	if p, ok := m.Args.MaskedPrefix("addr", "mask"); !ok || p.String() != "10.1.2.3/24" {
		t.Errorf("prefix %v %v", p, ok)
	}
	m, _ = g.Parse(inIf, "tunnel mode gre multipoint")
	if !m.Args.Has("multipoint") || m.Args.Has("ip") {
		t.Errorf("args %v", m.Args)
	}
}
