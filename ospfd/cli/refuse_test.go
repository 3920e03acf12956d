package cli_test

import (
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ospfd/cli"
)

// TestContradictions has configurations that are refused, with the line that is blamed:
// that of a key, innermost last.
func TestContradictions(t *testing.T) {
	const router, iface = "router ospf 1\n ", "interface Tunnel0\n "
	for _, tc := range []struct{ text, line, msg string }{
		{"router ospf 1 vrf RED\n router-id 1.1.1.1\nrouter ospf 1\n", "ospf.router/1/", "process 1 is there already"},
		{"router ospf 1\n router-id 1.1.1.1\nrouter ospf 2\n router-id 1.1.1.1\n", "ospf.router-id", "process 1 has this router ID"},
		{router + "router-id 0.0.0.0\n", "ospf.router-id", "no number of a router"},
		{router + "router-id 255.255.255.255\n", "ospf.router-id", "no number of a router"},
		{router + "area 0 stub\n", "ospf.area-stub/0", "the backbone"},
		{router + "area 0.0.0.0 nssa\n", "ospf.area-nssa/0.0.0.0", "the backbone"},
		{router + "area 1 stub\n area 1 nssa\n", "ospf.area-nssa/1", "not both"},
		{router + "area 1 stub\n area 0.0.0.1 nssa\n", "ospf.area-nssa/0.0.0.1", "not both"},
		{router + "area 1 stub\n area 1 nssa translate type7 always\n", "ospf.area-nssa-translate/1", "not both"},
		{router + "area 1 stub\n area 0.0.0.1 stub no-summary\n", "ospf.area-stub", "another notation"},
		{router + "area 1 stub\n area 1 nssa range 10.0.0.0/8\n", "ospf.area-nssa-range/1", "not both"},
		{router + "area 1 stub\n area 1 virtual-link 2.2.2.2\n", "ospf.area-virtual-link/1/2.2.2.2", "neither stub nor NSSA"},
		{router + "area 1 nssa\n area 1 virtual-link 2.2.2.2 message-digest-key 1 md5 x\n", "ospf.area-virtual-link-digest-key/1/2.2.2.2/1", "neither stub nor NSSA"},
		{router + "area 0 virtual-link 2.2.2.2\n", "ospf.area-virtual-link/0/2.2.2.2", "through another area"},
		{router + "area 1 virtual-link 0.0.0.0\n", "ospf.area-virtual-link/1/0.0.0.0", "no number of a router"},
		{router + "area 1 virtual-link 2.2.2.2 hello-interval 20 dead-interval 20\n", "ospf.area-virtual-link/1/2.2.2.2", "not above the hello interval"},
		{router + "area 1 virtual-link 2.2.2.2 authentication null\n area 1 virtual-link 2.2.2.2 authentication authentication-key x\n", "ospf.area-virtual-link-key", "another authentication"},
		{router + "area 1 virtual-link 2.2.2.2 authentication-key 123456789\n", "ospf.area-virtual-link-key", "longer than 8"},
		{router + "area 1 export-list A\n area 0.0.0.1 export-list B\n", "ospf.area-export-list/", "another notation"},
		{router + "area 1 range 10.1.0.0 255.0.0.0\n", "ospf.area-range/1/10.1.0.0", "host bits set: the network is 10.0.0.0/8"},
		{router + "area 1 range 10.0.0.0 255.0.0.0\n area 1 range 10.0.0.0/8 cost 5\n", "ospf.area-range/1/", "another notation"},
		{router + "area 1 range 10.0.0.0/8\n area 0.0.0.1 range 10.0.0.0/8\n", "ospf.area-range/", "another notation"},
		{router + "area 1 range 10.0.0.0/8 not-advertise cost 5\n", "ospf.area-range/1/", "no cost"},
		{router + "area 1 range 10.0.0.0/8 not-advertise substitute 11.0.0.0/8\n", "ospf.area-range/1/", "no substitute"},
		{router + "area 1 range 10.0.0.0/8 substitute 11.1.0.0 255.0.0.0\n", "ospf.area-range/1/", "host bits set: the network is 11.0.0.0/8"},
		{router + "area 1 range 10.0.0.0/8 substitute 224.0.0.0 255.0.0.0\n", "ospf.area-range/1/", "not a network of routers"},
		{router + "area 1 range 224.0.0.0/8\n", "ospf.area-range/1/", "not a network of routers"},
		{router + "summary-address 10.0.0.0 255.0.0.0\n summary-address 10.0.0.0/8 tag 5\n", "ospf.summary-address/", "another notation"},
		{router + "redistribute ospf 1 subnets\n", "ospf.redistribute/ospf/1", "its own routes"},
		{router + "network 10.0.0.0 0.0.0.255 area 0\n network 10.0.0.1 0.0.0.255 area 1\n", "ospf.network/10.0.0.1/0.0.0.255", "another notation"},
		{router + "neighbor 224.0.0.5\n", "ospf.neighbor/224.0.0.5", "not the address of a router"},
		{router + "neighbor 10.0.0.1 priority 1 cost 5\n", "ospf.neighbor/10.0.0.1", "cost is for point-to-multipoint"},
		{router + "timers throttle spf 100 10 50\n", "ospf.timers-throttle-spf", "longest wait"},
		{router + "timers throttle lsa 10 100 50\n", "ospf.timers-throttle-lsa", "longest wait"},
		{router + "adjacency stagger 10 20\n", "ospf.adjacency-stagger", "same at first and later"},
		{router + "distance ospf external 5 external 6\n", "ospf.distance-ospf", "two distances"},
		{iface + "ip ospf hello-interval 40\n ip ospf dead-interval 40\n", "ospf.if-dead-interval", "not above the hello interval, 40 seconds"},
		{iface + "ip ospf hello-interval 1\n ip ospf dead-interval minimal hello-multiplier 4\n", "ospf.if-dead-interval", "take the line hello-interval away"},
		{iface + "ip ospf neighbor-filter N 224.0.0.5\n", "ospf.if-neighbor-filter/224.0.0.5", "not the address of a router"},
		{iface + "ip ospf authentication-key 123456789\n", "ospf.if-authentication-key", "longer than 8"},
		{iface + "ip ospf authentication-key 7 zz\n", "ospf.if-authentication-key", "Cisco's type 7"},
		{iface + "ip ospf message-digest-key 1 md5 12345678901234567\n", "ospf.if-message-digest-key/1", "longer than 16"},
	} {
		_, errs := read(t, tc.text)
		if len(errs) != 1 || !strings.Contains(errs[0].Msg, tc.msg) || !strings.Contains(errs[0].Path[len(errs[0].Path)-1], tc.line) {
			t.Errorf("%s: %q, want %q about %q", tc.text, errs, tc.msg, tc.line)
		}
	}
}

// TestRefused wants a reason for each line that is known and not done, and for its block
// to be taken without it.
func TestRefused(t *testing.T) {
	g := grammar(t)
	opener := map[string]string{cli.ModeRouter: "router ospf 1\n", "interface": "interface Tunnel0\n", "config": ""}
	plain := strings.NewReplacer("{area:A.B.C.D|area:<0-4294967295>}", "1", " [rest:LINE(200)]", " x y", "addr:A.B.C.D", "10.0.0.1", "router:A.B.C.D", "2.2.2.2", "ifname:IFNAME", "Tunnel0",
		"number:<1-65535>", "1", "count:<1-4294967295>", "100", "more:LINE(200)", "80 warning-only", " [external-lsa [external:<1-16777215>]] [include-stub]", " external-lsa",
		"{list:WORD(63)|prefix list:WORD(63)}", "prefix P", "interface:IFNAME", "Tunnel0", "{isis|lisp|mobile|odr|omp}", "isis")
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
	if found < 50 {
		t.Errorf("%d refused lines", found)
	}
}
