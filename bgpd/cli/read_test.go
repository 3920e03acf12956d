package cli_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

func read(t *testing.T, text string) cli.Config {
	t.Helper()
	c, errs := cli.Read(part(t, text), &cli.Policies{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return c
}

func neighbor(t *testing.T, c cli.Config, addr string) speaker.Settings {
	t.Helper()
	for _, r := range c.Routers {
		for _, n := range r.Speaker.Neighbors {
			if n.Address.String() == addr {
				return n.Settings
			}
		}
	}
	t.Fatalf("no neighbor %s", addr)
	return speaker.Settings{}
}

// TestBothForms: the two forms of a configuration say the same.
func TestBothForms(t *testing.T) {
	memory := &cli.Policies{}
	a, errs := cli.Read(part(t, legacy), memory)
	b, more := cli.Read(part(t, modern), memory)
	if len(errs)+len(more) > 0 {
		t.Fatal(errs, more)
	}
	if !reflect.DeepEqual(a.Routers, b.Routers) || !reflect.DeepEqual(a.Core.Instances, b.Core.Instances) {
		t.Errorf("%+v\nis not\n%+v", a.Routers, b.Routers)
	}
	n := neighbor(t, a, "172.31.0.11")
	if !n.IPv4.ReflectorClient || !n.IPv4.SendStandard || n.IPv4.SendExtended || n.IPv4.Import == nil || n.IPv4.Export != nil || n.RemoteAS != 65000 || n.IPv6.Active {
		t.Errorf("%+v", n)
	}
	if n.IPv4.Import != neighbor(t, b, "172.31.0.11").IPv4.Import {
		t.Error("a policy that has not changed is another value")
	}
	want := core.FamilyConfig{Networks: []core.Network{{Prefix: netip.MustParsePrefix("10.1.0.0/16")}}, Distance: core.Distance{External: 30, Internal: 190, Local: 200},
		Redistribute: []core.Redistribute{{Protocol: rib.Static, Metric: new(uint32)}}}
	*want.Redistribute[0].Metric = 5
	if d := cmp.Diff(want, a.Core.Instances[0].IPv4, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

// TestInheritance: a neighbour's own line counts before its group's, and that before a
// template's.
func TestInheritance(t *testing.T) {
	c := read(t, `router bgp 65000
 template peer-session BASE
  timers 7 21
  remote-as 65001
  ebgp-multihop 3
 template peer-session UPPER
  inherit peer-session BASE
  timers 8 24
 template peer-policy POLICY
  next-hop-self
  weight 7
 template peer-policy SECOND
  weight 9
  allowas-in 2
 neighbor G peer-group
 neighbor G inherit peer-session UPPER
 neighbor G password secret
 neighbor G inherit peer-policy SECOND 20
 neighbor G inherit peer-policy POLICY 10
 neighbor G additional-paths send receive
 neighbor 10.0.0.1 peer-group G
 neighbor 10.0.0.1 next-hop-self all
 neighbor 10.0.0.1 description one
 neighbor 10.0.0.1 update-source Loopback0
 neighbor 10.0.0.2 peer-group G
 neighbor 10.0.0.2 timers 10 30
 neighbor 10.0.0.2 remote-as 65002
 neighbor 10.0.0.3 description not complete
 bgp listen range 172.31.0.0/24 peer-group G
 bgp listen range 172.31.1.0/24 peer-group G
 bgp listen range 172.31.2.0/24 peer-group NONE
 bgp listen limit 7
`)
	one, two := neighbor(t, c, "10.0.0.1"), neighbor(t, c, "10.0.0.2")
	if one.RemoteAS != 65001 || one.Timers.Keepalive != 8*time.Second || one.Timers.Hold != 24*time.Second || one.MultihopTTL != 3 || one.Weight != 7 || one.IPv4.AllowASIn != 2 ||
		one.IPv4.NextHop != speaker.NextHopSelfAll || string(one.Password.Reveal()) != "secret" || !one.IPv4.AddPathReceive || one.IPv4.AddPathSend == 0 {
		t.Errorf("%+v", one)
	}
	if two.RemoteAS != 65002 || two.Timers.Keepalive != 10*time.Second || two.IPv4.NextHop != speaker.NextHopSelf {
		t.Errorf("%+v", two)
	}
	r := c.Routers[0]
	if len(r.Speaker.Groups) != 1 || len(r.Speaker.Groups[0].Ranges) != 2 || r.Speaker.Groups[0].Settings.RemoteAS != 65001 || r.Speaker.ListenLimit != 7 || !c.Core.Instances[0].Ranges {
		t.Errorf("%+v", r.Speaker.Groups)
	}
	if p := r.Peers[netip.MustParseAddr("10.0.0.1")]; p.Description != "one" || p.Group != "G" || p.Source != "Loopback0" {
		t.Errorf("%+v", p)
	}
	if len(r.Idle) != 1 || r.Idle[0] != netip.MustParseAddr("10.0.0.3") {
		t.Errorf("idle: %v", r.Idle)
	}
}

// TestProcess: lines of the process, VRFs, and what they have of it.
func TestProcess(t *testing.T) {
	c := read(t, `router bgp 65000
 bgp router-id 10.255.0.1
 bgp cluster-id 7
 bgp graceful-restart
 bgp graceful-restart restart-time 200
 bgp long-lived-graceful-restart stale-time 3600
 bgp always-compare-med
 bgp bestpath as-path ignore
 bgp update wait-install
 bgp update-delay 60
 timers bgp 5 15
 no bgp log-neighbor-changes
 maximum-paths 4
 neighbor 10.0.0.1 remote-as internal
 neighbor 10.0.0.1 ha-mode graceful-restart disable
 neighbor 2001:db8::1 remote-as external
 address-family ipv6
  neighbor 2001:db8::1 activate
  network 2001:db8:1::/48
  maximum-paths 4
 address-family ipv4 vrf RED
  neighbor 10.0.0.1 remote-as 65001
  neighbor 10.0.0.1 ttl-security hops 1
  redistribute ospf 7 route-map M
  aggregate-address 10.0.0.0 255.0.0.0 summary-only
`)
	if len(c.Routers) != 2 || c.Routers[1].VRF != "RED" {
		t.Fatalf("%+v", c.Routers)
	}
	r, red := c.Routers[0], c.Routers[1]
	want := locrib.Selection{Paths: 4, AlwaysCompareMED: true, IgnoreASPath: true}
	if r.Speaker.Selection != want || !r.Speaker.WaitInstall || !r.Speaker.TrackNextHops || !r.NoLogChanges || r.RouterID != netip.MustParseAddr("10.255.0.1") ||
		r.Speaker.ClusterID != netip.MustParseAddr("0.0.0.7") || c.Core.Instances[0].UpdateDelay != time.Minute {
		t.Errorf("%+v", r)
	}
	if red.Speaker.Selection.Paths != 0 || !red.Speaker.Selection.AlwaysCompareMED || red.RouterID.IsValid() || !red.Speaker.WaitInstall {
		t.Errorf("RED: %+v", red)
	}
	inner, outer := r.Speaker.Neighbors[0], r.Speaker.Neighbors[1]
	if inner.RemoteAS != 65000 || inner.RestartTime != 0 || inner.Timers.Hold != 15*time.Second || !inner.IPv4.Active {
		t.Errorf("%+v", inner)
	}
	if outer.RemoteAS != 0 || outer.RestartTime != 200 || outer.LongLived != 3600 || outer.IPv4.Active || !outer.IPv6.Active {
		t.Errorf("%+v", outer)
	}
	if n := red.Speaker.Neighbors[0]; !n.IPv4.Active || n.TTLSecurity != 255 || n.RemoteAS != 65001 {
		t.Errorf("%+v", n)
	}
	if a := red.Speaker.Aggregates; len(a) != 1 || !a[0].SummaryOnly {
		t.Errorf("%+v", a)
	}
	if got := c.Core.Instances[0].Awaited; len(got) != 2 || got[1].Family != rib.IPv6 {
		t.Errorf("%+v", got)
	}
}

// TestRefused has configurations that are refused, and what is said.
func TestRefused(t *testing.T) {
	for _, tc := range []struct{ lines, line, msg string }{
		{" neighbor 10.0.0.1 fall-over bfd", "bgp.refused-fall-over", "there is no BFD"},
		{" bgp confederation identifier 7", "bgp.refused-confederation", "route reflector"},
		{" network 10.1.0.0 mask 255.0.0.0", "bgp.network/10.1.0.0/255.0.0.0", "bits that the mask has not"},
		{" network 10.0.0.0\n network 10.0.0.0 mask 255.0.0.0", "bgp.network/10.0.0.0/255.0.0.0", "another notation"},
		{" network 224.0.0.0", "bgp.network/224.0.0.0/", "class A, B or C"},
		{" neighbor 10.0.0.300 remote-as 5", "bgp.remote-as//10.0.0.300", "neither an address nor the name"},
		{" neighbor 224.0.0.5 remote-as 5", "bgp.remote-as/224.0.0.5/", "not the address of a router"},
		{" neighbor 10.0.0.1 remote-as 65000\n neighbor 10.0.0.1 as-override", "bgp.", "as-override is for external neighbors"},
		{" neighbor 10.0.0.1 remote-as 65001\n neighbor 10.0.0.1 route-reflector-client", "bgp.", "an internal neighbor"},
		{" neighbor 10.0.0.1 remote-as 65001\n neighbor 10.0.0.1 password 7 zz", "bgp.password/10.0.0.1/", "type 7"},
		{" bgp router-id 0.0.0.0", "bgp.router-id", "no number of a router"},
		{" maximum-paths 2\n address-family ipv6\n  maximum-paths 3", "bgp.maximum-paths", "the same for both"},
		{" address-family ipv6\n  redistribute rip", "bgp.redistribute", "RIP has no IPv6"},
		{" template peer-policy P\n  default-originate\n neighbor 10.0.0.1 local-as 7", "bgp.refused-local-as", "no-prepend replace-as"},
	} {
		_, errs := cli.Read(part(t, "router bgp 65000\n"+tc.lines+"\n"), &cli.Policies{})
		if len(errs) != 1 || !strings.Contains(errs[0].Msg, tc.msg) || !strings.Contains(errs[0].Path[len(errs[0].Path)-1], tc.line) {
			t.Errorf("%s: %+v, want %q at %s", tc.lines, errs, tc.msg, tc.line)
		}
	}
	if _, errs := cli.Read(part(t, "router bgp 65000\nrouter bgp 65001\n"), &cli.Policies{}); len(errs) != 1 {
		t.Errorf("two routers: %v", errs)
	}
}

// TestFilter: what routes have to pass.
func TestFilter(t *testing.T) {
	const policies = `ip prefix-list P seq 5 permit 10.0.0.0/8 le 24
ip as-path access-list 1 permit ^$
ip as-path access-list 1 permit _65001$
access-list 10 permit 10.1.0.0 0.0.255.255
route-map M permit 10
 set local-preference 200
`
	c := read(t, "router bgp 65000\n neighbor 10.0.0.1 remote-as 65001\n neighbor 10.0.0.1 prefix-list P in\n neighbor 10.0.0.1 distribute-list 10 in\n neighbor 10.0.0.1 filter-list 1 in\n neighbor 10.0.0.1 route-map M in\n neighbor 10.0.0.1 route-map NONE out\n"+policies)
	f := neighbor(t, c, "10.0.0.1").IPv4
	a := &locrib.Attributes{}
	for prefix, want := range map[string]bool{"10.1.0.0/16": true, "10.2.0.0/16": false, "10.1.0.0/25": false, "11.0.0.0/8": false} {
		out, ok := f.Import.Apply(locrib.Route{Prefix: netip.MustParsePrefix(prefix), Attributes: a})
		if ok != want || ok && out.LocalPref != 200 {
			t.Errorf("%s: %t, %+v", prefix, ok, out)
		}
	}
	far := &locrib.Attributes{ASPath: locrib.ASPath{{Type: locrib.Sequence, AS: []uint32{65001, 7}}}}
	if _, ok := f.Import.Apply(locrib.Route{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Attributes: far}); ok {
		t.Error("a path that the filter-list does not permit is permitted")
	}
	if _, ok := f.Export.Apply(locrib.Route{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Attributes: a}); ok {
		t.Error("a route-map that is not defined permits")
	}
}

// TestDefaultMap: the map of default-originate says what the default route has, and has of
// the route that it permits nothing but what it adds to.
func TestDefaultMap(t *testing.T) {
	c := read(t, `router bgp 65000
 bgp default local-preference 150
 bgp bestpath igp-metric ignore
 neighbor 10.0.0.1 remote-as 65001
 neighbor 10.0.0.1 disable-connected-check
 neighbor 10.0.0.1 transport path-mtu-discovery
 neighbor 10.0.0.1 default-originate route-map UPLINK
 neighbor 10.0.0.2 remote-as 65001
 neighbor 10.0.0.2 default-originate
ip prefix-list UPLINK seq 5 permit 192.0.2.0/24
ip community-list 1 permit 65000:1
route-map UPLINK permit 10
 match ip address prefix-list UPLINK
 match community 1
 set metric 7
 set community 65000:9
 set as-path prepend 65000
 set origin igp
`)
	f := neighbor(t, c, "10.0.0.1").IPv4
	if o := neighbor(t, c, "10.0.0.2").IPv4; !o.DefaultOriginate || o.DefaultMap != nil || !f.DefaultOriginate || c.Routers[0].Speaker.LocalPref != 150 || !c.Routers[0].Speaker.Selection.IgnoreMetric {
		t.Fatalf("%+v %+v", o, c.Routers[0].Speaker)
	}
	route := locrib.Route{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Attributes: &locrib.Attributes{NextHop: netip.MustParseAddr("10.9.9.9"), MED: 7, HasMED: true, LocalPref: 300, HasLocalPref: true,
		Communities: []policy.Community{65000<<16 | 1}, ASPath: locrib.ASPath{{Type: locrib.Sequence, AS: []uint32{65009}}}, Origin: locrib.Incomplete}}
	want := &locrib.Attributes{MED: 7, HasMED: true, Communities: []policy.Community{65000<<16 | 9}, ASPath: locrib.ASPath{{Type: locrib.Sequence, AS: []uint32{65000}}}}
	if out, permit := f.DefaultMap.Apply(route); !permit || !out.Equal(want) {
		t.Errorf("%t %+v", permit, out)
	}
	route.Attributes = &locrib.Attributes{}
	if _, permit := f.DefaultMap.Apply(route); permit {
		t.Error("permitted without the community")
	}
}

// TestPolicyMemory: policies that changed are other values, and those that are not used
// are forgotten.
func TestPolicyMemory(t *testing.T) {
	const router = "router bgp 65000\n neighbor 10.0.0.1 remote-as 65001\n neighbor 10.0.0.1 prefix-list P in\n"
	memory := &cli.Policies{}
	get := func(text string) speaker.Policy {
		c, errs := cli.Read(part(t, text), memory)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		return neighbor(t, c, "10.0.0.1").IPv4.Import
	}
	a := get(router + "ip prefix-list P seq 5 permit 10.0.0.0/8\n")
	if b := get(router + " neighbor 10.0.0.1 weight 5\nip prefix-list P seq 5 permit 10.0.0.0/8\n"); a != b {
		t.Error("another line changed the policy")
	}
	if b := get(router + "ip prefix-list P seq 5 permit 11.0.0.0/8\n"); a == b {
		t.Error("the policy changed, and is the same value")
	}
}

// TestConnectRetry: who is not reached at the first attempt is tried again soon (RFC 4271
// section 10, ConnectRetryTime), unless the neighbour or its group says otherwise.
func TestConnectRetry(t *testing.T) {
	c := read(t, "router bgp 65000\n neighbor HUBS peer-group\n neighbor HUBS remote-as 65000\n neighbor HUBS timers connect 33\n"+
		" neighbor 10.0.0.1 remote-as 65000\n neighbor 10.0.0.2 remote-as 65000\n neighbor 10.0.0.2 timers connect 120\n neighbor 10.0.0.3 peer-group HUBS\n")
	for addr, want := range map[string]time.Duration{"10.0.0.1": 10 * time.Second, "10.0.0.2": 2 * time.Minute, "10.0.0.3": 33 * time.Second} {
		if got := neighbor(t, c, addr).Timers.Connect; got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}
