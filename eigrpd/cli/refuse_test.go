package cli_test

import (
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// TestContradictions has configurations that are refused, with the line that is
// blamed: that of a key, innermost last.
func TestContradictions(t *testing.T) {
	const af, af6 = "router eigrp N\n address-family ipv4 autonomous-system 1\n", "router eigrp N\n address-family ipv6 autonomous-system 1\n"
	const tunnel = af + "  af-interface Tunnel0\n"
	for _, tc := range []struct{ text, line, msg string }{
		{"router eigrp 1\n" + af, "eigrp.family/ipv4//1", "autonomous system 1 is there twice, in classic mode and in router eigrp N"},
		{af + "router eigrp O\n address-family ipv4 unicast autonomous-system 1\n", "eigrp.family/ipv4//1", "is there twice, in router eigrp N and in router eigrp O"},
		{"router eigrp 1\n address-family ipv4 vrf A autonomous-system 5\nrouter eigrp 2\n address-family ipv4 vrf A\n  autonomous-system 5\n", "eigrp.autonomous-system", "autonomous system 5 is there twice"},
		{"router eigrp 1\n address-family ipv4 vrf A autonomous-system 5\n  autonomous-system 6\n", "eigrp.autonomous-system", "autonomous system 5 already"},
		{"ipv6 router eigrp 1\n" + af6, "eigrp.classic6/1", "there twice, in router eigrp N and in classic mode"},
		{"router eigrp 70000\n", "eigrp.named/70000", "a number up to 65535"},
		{"interface Tunnel0\n ip hello-interval eigrp 1 20\n" + af, "eigrp.if-hello-interval/ip/1", "the line goes under af-interface Tunnel0 of router eigrp N"},
		{"interface Tunnel0\n ip dampening-change eigrp 1\n" + af, "eigrp.refused-if-dampening", "not supported: metrics of interfaces"},
		{"interface Tunnel0\n ip hello-interval eigrp 1 20\n ip hold-time eigrp 1 20\nrouter eigrp 1\n", "eigrp.if-hello-interval/ip/1", "not above the hello interval"},
		{"interface Tunnel0\n ip hold-time eigrp 1 5\nrouter eigrp 1\n", "eigrp.if-hold-time/ip/1", "hold time, 5 seconds, is not above the hello interval, 5 seconds"},
		{af + "  af-interface default\n   hello-interval 20\n  af-interface Tunnel0\n   hold-time 10\n", "eigrp.if-hold-time", "not above the hello interval"},
		{af + "  af-interface default\n   hello-interval 20\n   hold-time 15\n", "eigrp.if-hello-interval", "not above the hello interval"},
		{"router eigrp 1\n eigrp stub receive-only connected\n", "eigrp.stub", "receive-only tells of nothing"},
		{"router eigrp 1\n eigrp stub receive-only leak-map M\n", "eigrp.stub", "receive-only tells of nothing"},
		{"router eigrp 1\n eigrp router-id 0.0.0.0\n", "eigrp.router-id", "is no number of a router"},
		{"router eigrp 1\n redistribute eigrp 1\n", "eigrp.redistribute/eigrp/1", "its own routes"},
		{"router eigrp 1\n network 224.0.0.0\n", "eigrp.network/224.0.0.0/", "in no network of class A, B or C"},
		{"router eigrp 1\n neighbor 224.0.0.1 Tunnel0\n", "eigrp.neighbor/224.0.0.1/Tunnel0", "not the address of a router"},
		{"router eigrp 1\n neighbor fe80::1 Tunnel0\n", "eigrp.neighbor/fe80::1/Tunnel0", "no address of IPv4"},
		{"ipv6 router eigrp 1\n neighbor 2001:db8::1 Tunnel0\n", "eigrp.neighbor/2001:db8::1/Tunnel0", "link-local"},
		{"ipv6 router eigrp 1\n neighbor fe80::1 Tunnel0 remote 5\n", "eigrp.neighbor/fe80::1/Tunnel0", "several hops away"},
		{"ipv6 router eigrp 1\n distribute-list 10 in\n", "eigrp.distribute-list/////in/", "no network of IPv6"},
		{"ipv6 router eigrp 1\n offset-list 10 in 5\n", "eigrp.offset-list/in", "no network of IPv6"},
		{"router eigrp 1\n distribute-list gateway G out\n", "eigrp.distribute-list////G/out", "no gateway"},
		{"router eigrp 1\n metric weights 0 0 0 0 0 0\n", "eigrp.metric-weights", "the same metric"},
		{"router eigrp 1\n maximum-prefix 10 warning-only dampened\n", "eigrp.maximum-prefix", "nothing is torn down"},
		{"router eigrp 1\n no default-information in 10\n", "eigrp.default-information-in", "leave the list out"},
		{"router eigrp 1\n summary-metric 10.0.0.0/8 distance 5\n summary-metric 10.0.0.0 255.0.0.0 distance 6\n", "eigrp.summary-metric/10.0.0.0/", "another notation"},
		{"router eigrp 1\n summary-metric 10.1.0.0 255.0.0.0 distance 6\n", "eigrp.summary-metric/10.1.0.0/255.0.0.0", "has host bits set: the network is 10.0.0.0/8"},
		{"router eigrp 1\n summary-metric 2001:db8::/32 distance 6\n", "eigrp.summary-metric/2001:db8::/32", "no address of IPv4"},
		{af6 + "  network 10.0.0.0\n", "eigrp.network/10.0.0.0/", "runs on all interfaces"},
		{af6 + "  topology base\n   distance 80 10.0.0.0 0.0.0.0\n", "eigrp.distance-source/10.0.0.0/0.0.0.0/", "IPv4 addresses only"},
		{tunnel + "   summary-address 10.1.0.0 255.0.0.0\n", "eigrp.if-summary-address/10.1.0.0/255.0.0.0/", "has host bits set"},
		{tunnel + "   summary-address 10.0.0.0/8\n   summary-address 10.0.0.0 255.0.0.0\n", "eigrp.if-summary-address///10.0.0.0/8", "another notation"},
		{tunnel + "   summary-address 2001:db8::/32\n", "eigrp.if-summary-address///2001:db8::/32", "no address of IPv4"},
		{tunnel + "   summary-address 224.0.0.0 240.0.0.0\n", "eigrp.if-summary-address/224.0.0.0/240.0.0.0/", "not a network of routers"},
		{tunnel + "   next-hop-self no-ecmp-mode\n", "eigrp.if-next-hop-self", "no next-hop-self no-ecmp-mode"},
		{"key chain K\n key 1\n  key-string x\n key 2\n  key-string x\n  cryptographic-algorithm hmac-sha-256\n" + tunnel + "   authentication mode md5\n   authentication key-chain K\n",
			"eigrp.if-authentication-key-chain", "key 2 of key chain K is for hmac-sha-256, but packets are authenticated by md5"},
		{"key chain K\n key 1\n  key-string x\n  cryptographic-algorithm md5\n" + af + "  af-interface default\n   authentication key-chain K\n  af-interface Tunnel0\n   authentication mode hmac-sha-256 x\n",
			"eigrp.if-authentication-mode", "key 1 of key chain K is for md5, but packets are authenticated by hmac-sha-256"},
		{tunnel + "   authentication mode hmac-sha-256 7 zz\n", "eigrp.if-authentication-mode", "Cisco's type 7"},
		{tunnel + "   authentication mode hmac-sha-256 123456789012345678901234567890123\n", "eigrp.if-authentication-mode", "longer than 32"},
	} {
		_, errs := read(t, tc.text)
		if len(errs) != 1 || !strings.Contains(errs[0].Msg, tc.msg) || !strings.Contains(errs[0].Path[len(errs[0].Path)-1], tc.line) {
			t.Errorf("%s: %q, want %q about %q", tc.text, errs, tc.msg, tc.line)
		}
	}
}

// TestRefused wants a reason for each line that is known and not done, in each of its
// modes, and for its block to be taken without it.
func TestRefused(t *testing.T) {
	g := grammar(t)
	opener := map[string]string{
		cli.ModeClassic: "router eigrp 1\n", cli.ModeClassicAF: "router eigrp 1\n address-family ipv4 vrf R autonomous-system 2\n", cli.ModeClassic6: "ipv6 router eigrp 1\n",
		cli.ModeNamed: "router eigrp N\n", cli.ModeFamily: "router eigrp N\n address-family ipv4 autonomous-system 1\n", "interface": "interface Tunnel0\n",
		cli.ModeDefault:   "router eigrp N\n address-family ipv4 autonomous-system 1\n  af-interface default\n",
		cli.ModeInterface: "router eigrp N\n address-family ipv4 autonomous-system 1\n  af-interface Tunnel0\n",
		cli.ModeTopology:  "router eigrp N\n address-family ipv4 autonomous-system 1\n  topology base\n",
	}
	plain := strings.NewReplacer("{ip|ipv6}", "ip", "{ipv4|ipv6}", "ipv4", "family:", "", "as:<1-65535>", "1", " [rest:LINE(200)]", " x y", "addr:ADDR", "10.0.0.1",
		"ifname:IFNAME", "Tunnel0", "hops:<2-100>", "5", "number:<1-65535>", "1", "seconds:<1-65535>", "10", "name:WORD(32)", "N", "{version|holddown}", "version",
		"{isis|lisp|mobile|odr|omp}", "isis", "{event-log-size|event-logging|log-event-type}", "event-logging")
	found := 0
	for _, c := range cli.Grammar().Commands {
		if !c.Hidden {
			continue
		}
		found++
		text := opener[c.Mode] + "   " + plain.Replace(c.Pattern) + "\n"
		tree, errs := conf.Load(g, text, "test")
		if errs != nil {
			t.Errorf("%s: %v", text, errs)
			continue
		}
		if _, refused := cli.Read(tree.Filter(cli.Owner, policy.SharedIDs()...)); len(refused) != 1 || !strings.HasPrefix(refused[0].Msg, "not supported: ") {
			t.Errorf("%s: refused with %q", text, refused)
		}
	}
	if found < 60 {
		t.Errorf("%d refused lines", found)
	}
}
