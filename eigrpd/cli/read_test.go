package cli_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// comparable lets cmp compare what nothing else may look into.
var comparable = []cmp.Option{cmp.Comparer(func(a, b policy.Secret) bool { return a.Equal(b) }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}

// read reads what of a configuration comes to the daemon.
func read(t testing.TB, text string) (core.Config, []plugin.LineError) {
	t.Helper()
	tree, errs := conf.Load(grammar(t), text, "test")
	if errs != nil {
		t.Fatalf("%s\n%v", text, errs)
	}
	return cli.Read(tree.Filter(cli.Owner, policy.SharedIDs()...))
}

// load reads a configuration that is good.
func load(t testing.TB, text string) core.Config {
	t.Helper()
	cfg, errs := read(t, text)
	for _, err := range errs {
		t.Errorf("%q: %s", err.Path, err.Msg)
	}
	return cfg
}

// lines are those that classic and named mode share: of the address family first,
// then of the topology.
const (
	familyLines = `  network 10.1.2.3
  network 10.0.0.0
  network 172.16.0.0
  network 192.168.1.9
  network 10.4.5.6 0.0.0.255
  network 10.5.0.0 255.255.0.0
  network 0.0.0.0
  neighbor 172.31.0.11 Tunnel0
  neighbor 10.9.9.9 Loopback0 remote 10
  neighbor maximum-prefix 100 90 dampened reset-time 30 restart 4 restart-count 7
  maximum-prefix 1000 warning-only
  metric weights 0 1 2 3 4 5
  timers graceful-restart purge-time 60
  no nsf
  eigrp stub connected static leak-map LEAK
  eigrp router-id 172.31.0.1
  eigrp default-route-tag 1.2.3.4
  no eigrp log-neighbor-changes
  no eigrp log-neighbor-warnings
`
	topologyLines = `  variance 4
  maximum-paths 8
  traffic-share min across-interfaces
  metric maximum-hops 50
  default-metric 100000 10 255 1 1500
  distribute-list 10 in
  distribute-list prefix P gateway G in Tunnel0
  distribute-list gateway G in
  distribute-list route-map R out Tunnel0
  distribute-list 11 out ospf 7
  offset-list 0 in 1000
  offset-list NETS out 2000 Tunnel0
  redistribute connected
  redistribute eigrp 200 metric 1000 100 255 1 1400 route-map M
  redistribute bgp 65000
  redistribute maximum-prefix 500 80
  distance eigrp 80 160
  distance 85 10.0.0.7 0.0.0.255 NETS
  no default-information in
  default-information out 10
  summary-metric 10.0.0.0 255.0.0.0 1000 100 255 1 1500 distance 7
  summary-metric 172.16.0.0/12 distance 9
  timers active-time disabled
`
)

// fullInstance is what these lines mean.
func fullInstance() core.InstanceConfig {
	vector := func(b, d uint32, mtu uint16) *policy.Vector {
		return &policy.Vector{Bandwidth: b, Delay: d, Reliability: 255, Load: 1, MTU: mtu}
	}
	return core.InstanceConfig{
		Key: core.Key{Family: rib.IPv4, AS: 100}, RouterID: addr("172.31.0.1"),
		Networks: []policy.Wildcard{{Bits: 1<<32 - 1}, {Addr: 0x0a000000, Bits: 0xffffff}, {Addr: 0x0a040500, Bits: 0xff}, {Addr: 0x0a050000, Bits: 0xffff},
			{Addr: 0xac100000, Bits: 0xffff}, {Addr: 0xc0a80100, Bits: 0xff}},
		Neighbors: []core.StaticNeighbor{{Addr: addr("10.9.9.9"), Interface: "Loopback0", Remote: true, MaxHops: 10}, {Addr: addr("172.31.0.11"), Interface: "Tunnel0"}},
		Stub:      &core.Stub{Connected: true, Static: true, LeakMap: "LEAK"},
		Weights:   metric.Weights{K1: 1, K2: 2, K3: 3, K4: 4, K5: 5}, MaximumHops: 50, DefaultMetric: vector(100000, 10, 1500),
		Redistribute: []core.Redistribute{{Protocol: rib.BGP, Instance: 65000}, {Protocol: rib.Connected},
			{Protocol: rib.EIGRP, Instance: 200, Metric: vector(1000, 100, 1400), RouteMap: "M"}},
		DefaultIn: core.DefaultInformation{Deny: true}, DefaultOut: core.DefaultInformation{List: "10"}, DefaultRouteTag: 0x01020304,
		InternalDistance: 80, ExternalDistance: 160,
		Distances: []core.SourceDistance{{Distance: 85, Source: policy.Wildcard{Addr: 0x0a000000, Bits: 0xff}, List: "NETS"}},
		Filters: []core.Filter{{List: "10"}, {List: "11", Out: true, Protocol: rib.OSPF, Instance: 7}, {Gateway: "G"},
			{Kind: core.FilterPrefixList, List: "P", Gateway: "G", Interface: "Tunnel0"}, {Kind: core.FilterRouteMap, List: "R", Out: true, Interface: "Tunnel0"}},
		Offsets:      []core.OffsetList{{Offset: 1000}, {List: "NETS", Out: true, Offset: 2000, Interface: "Tunnel0"}},
		MaximumPaths: 8, Variance: 4, TrafficShareMin: true,
		SummaryMetrics:        []core.SummaryMetric{{Prefix: prefix("10.0.0.0/8"), Metric: vector(1000, 100, 1500), Distance: 7}, {Prefix: prefix("172.16.0.0/12"), Distance: 9}},
		MaximumPrefix:         &core.MaximumPrefix{Limit: 1000, WarningOnly: true},
		NeighborMaximumPrefix: &core.MaximumPrefix{Limit: 100, Threshold: 90, Dampened: true, Reset: 30 * time.Minute, Restart: 4 * time.Minute, RestartCount: 7},
		RedistributeMaximum:   &core.MaximumPrefix{Limit: 500, Threshold: 80},
		ActiveTime:            -1, NoNSF: true, PurgeTime: time.Minute, NoLogNeighborChanges: true, NoLogWarnings: true,
	}
}

// keyChains defines a key chain.
const keyChains = "key chain KEYS\n key 1\n  key-string one\n key 2\n  key-string two\n  cryptographic-algorithm md5\n"

func TestReadClassic(t *testing.T) {
	cfg := load(t, keyChains+`interface Tunnel0
 ip bandwidth-percent eigrp 100 200
 ip hello-interval eigrp 100 20
 ip hold-time eigrp 100 90
 ip authentication mode eigrp 100 md5
 ip authentication key-chain eigrp 100 KEYS
 no ip next-hop-self eigrp 100 no-ecmp-mode
 no ip split-horizon eigrp 100
 ip summary-address eigrp 100 10.0.0.0 255.0.0.0 250 leak-map L
 ip summary-address eigrp 100 0.0.0.0 0.0.0.0
 ip hello-interval eigrp 200 7
interface Tunnel1
 no ip next-hop-self eigrp 100
 ip hello-interval eigrp 300 7
router eigrp 100
 passive-interface default
 no passive-interface Tunnel0
`+familyLines+topologyLines+` address-family ipv4 vrf RED autonomous-system 200
  network 10.0.0.0
  passive-interface Tunnel3
 address-family ipv4 vrf BLUE
  network 172.16.0.0
  autonomous-system 5
 address-family ipv4 vrf GREEN
  network 172.16.0.0
router eigrp 400
 eigrp stub
 shutdown
`)
	if cfg.Policy.KeyChain("KEYS") == nil {
		t.Error("the policy has no key chain KEYS")
	}
	full := fullInstance()
	full.Default = core.InterfaceConfig{Passive: true}
	full.Interfaces = []core.InterfaceConfig{
		{Name: "Tunnel0", Hello: 20 * time.Second, Hold: 90 * time.Second, BandwidthPercent: 200, NoSplitHorizon: true, NoNextHopSelf: true, NoECMPMode: true,
			Summaries:      []core.Summary{{Prefix: prefix("0.0.0.0/0")}, {Prefix: prefix("10.0.0.0/8"), Distance: 250, LeakMap: "L"}},
			Authentication: core.AuthenticationMD5, KeyChain: "KEYS"},
		{Name: "Tunnel1", Passive: true, NoNextHopSelf: true},
	}
	ten, sixteen := policy.Wildcard{Addr: 0x0a000000, Bits: 0xffffff}, policy.Wildcard{Addr: 0xac100000, Bits: 0xffff}
	want := []core.InstanceConfig{full,
		{Key: core.Key{Family: rib.IPv4, AS: 400}, Stub: &core.Stub{Connected: true, Summary: true}, Shutdown: true},
		{Key: core.Key{Family: rib.IPv4, VRF: "BLUE", AS: 5}, Networks: []policy.Wildcard{sixteen}},
		{Key: core.Key{Family: rib.IPv4, VRF: "RED", AS: 200}, Networks: []policy.Wildcard{ten},
			Interfaces: []core.InterfaceConfig{{Name: "Tunnel0", Hello: 7 * time.Second}, {Name: "Tunnel3", Passive: true}}},
	}
	if diff := cmp.Diff(want, cfg.Instances, comparable...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadNamed(t *testing.T) {
	cfg := load(t, keyChains+`router eigrp DMVPN
 address-family ipv4 unicast autonomous-system 100
  af-interface default
   passive-interface
   hello-interval 20
   no split-horizon
   no next-hop-self no-ecmp-mode
   bandwidth-percent 25
   add-paths 4
   authentication mode hmac-sha-256 0 secret
   shutdown
  af-interface Tunnel0
   no shutdown
   no passive-interface
   summary-address 10.0.0.0/8 255
   hello-interval 5
   hold-time 16
   bandwidth-percent 200
   split-horizon
   next-hop-self
   add-paths 1
   authentication mode md5
   authentication key-chain KEYS
  af-interface Tunnel1
   no next-hop-self
   authentication mode hmac-sha-256 7 01100F175804
  topology base
`+topologyLines+"  exit-af-topology\n"+familyLines+`  metric rib-scale 64
  metric weights 0 1 2 3 4 5 6
  remote-neighbors source Loopback0 unicast-listen allow-list A max-neighbors 10
 address-family ipv6 unicast vrf RED autonomous-system 100
  af-interface Tunnel0
   summary-address 2001:db8::/32 7 leak-map L
  neighbor fe80::1 Tunnel0
  neighbor 2001:db8::9 Loopback0 remote 5
  remote-neighbors source Loopback0 unicast-listen
router eigrp OFF
 shutdown
 address-family ipv6 autonomous-system 7
`)
	full := fullInstance()
	full.Name, full.RIBScale, full.Weights.K6 = "DMVPN", 64, 6
	full.Listen = &core.RemoteListen{Interface: "Loopback0", AllowList: "A", Maximum: 10}
	full.Default = core.InterfaceConfig{Passive: true, Hello: 20 * time.Second, Hold: time.Minute, NoSplitHorizon: true, NoNextHopSelf: true, NoECMPMode: true,
		BandwidthPercent: 25, AddPaths: 4, Authentication: core.AuthenticationSHA256, Password: policy.NewSecret("secret"), Shutdown: true}
	tunnel1 := full.Default
	tunnel1.Name, tunnel1.NoECMPMode, tunnel1.Password = "Tunnel1", false, policy.NewSecret("cisco")
	full.Interfaces = []core.InterfaceConfig{{Name: "Tunnel0", Hello: 5 * time.Second, Hold: 16 * time.Second, BandwidthPercent: 200,
		Summaries: []core.Summary{{Prefix: prefix("10.0.0.0/8"), Distance: 255}}, Authentication: core.AuthenticationMD5, KeyChain: "KEYS"}, tunnel1}
	want := []core.InstanceConfig{full,
		{Key: core.Key{Family: rib.IPv6, AS: 7}, Name: "OFF", Shutdown: true, AllInterfaces: true},
		{Key: core.Key{Family: rib.IPv6, VRF: "RED", AS: 100}, Name: "DMVPN", AllInterfaces: true,
			Neighbors:  []core.StaticNeighbor{{Addr: addr("2001:db8::9"), Interface: "Loopback0", Remote: true, MaxHops: 5}, {Addr: addr("fe80::1"), Interface: "Tunnel0"}},
			Listen:     &core.RemoteListen{Interface: "Loopback0"},
			Interfaces: []core.InterfaceConfig{{Name: "Tunnel0", Summaries: []core.Summary{{Prefix: prefix("2001:db8::/32"), Distance: 7, LeakMap: "L"}}}}},
	}
	if diff := cmp.Diff(want, cfg.Instances, comparable...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadClassic6(t *testing.T) {
	cfg := load(t, `interface Tunnel0
 ipv6 eigrp 100
 ipv6 hello-interval eigrp 100 20
 no ipv6 split-horizon eigrp 100
 ipv6 summary-address eigrp 100 2001:db8::/32
 ip hello-interval eigrp 100 7
interface Loopback0
 ipv6 eigrp 100
ipv6 router eigrp 100
 eigrp router-id 1.1.1.1
 passive-interface Loopback0
 distribute-list prefix-list P in
 offset-list 0 out 7
router eigrp 100
`)
	want := []core.InstanceConfig{
		{Key: core.Key{Family: rib.IPv4, AS: 100}, Interfaces: []core.InterfaceConfig{{Name: "Tunnel0", Hello: 7 * time.Second}}},
		{Key: core.Key{Family: rib.IPv6, AS: 100}, RouterID: addr("1.1.1.1"), Enabled: []string{"Loopback0", "Tunnel0"},
			Filters: []core.Filter{{Kind: core.FilterPrefixList, List: "P"}}, Offsets: []core.OffsetList{{Out: true, Offset: 7}},
			Interfaces: []core.InterfaceConfig{{Name: "Loopback0", Passive: true}, {Name: "Tunnel0", Hello: 20 * time.Second, Hold: time.Minute, NoSplitHorizon: true,
				Summaries: []core.Summary{{Prefix: prefix("2001:db8::/32")}}}}},
	}
	if diff := cmp.Diff(want, cfg.Instances, comparable...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBlocksOfAVRF: who enters a VRF again without its autonomous system does not
// lose it.
func TestBlocksOfAVRF(t *testing.T) {
	cfg := load(t, `router eigrp 1
 address-family ipv4 vrf RED autonomous-system 2
  network 10.0.0.0
  passive-interface Tunnel0
 address-family ipv4 vrf RED
  network 172.16.0.0
  passive-interface default
`)
	if len(cfg.Instances) != 2 || len(cfg.Instances[1].Networks) != 2 || cfg.Instances[1].AS != 2 || !cfg.Instances[1].Default.Passive {
		t.Errorf("%+v", cfg.Instances)
	}
}

// TestLinesOfBothModes: a line of an interface is for classic mode, in whatever VRF.
func TestLinesOfBothModes(t *testing.T) {
	cfg := load(t, `interface Tunnel0
 ip hello-interval eigrp 1 7
router eigrp 9
 address-family ipv4 vrf RED autonomous-system 1
router eigrp N
 address-family ipv4 autonomous-system 1
 address-family ipv4 vrf BLUE autonomous-system 1
 address-family ipv6 vrf BLUE autonomous-system 1
interface Tunnel0
 ipv6 hello-interval eigrp 1 7
ipv6 router eigrp 1
`)
	for _, in := range cfg.Instances {
		if want := in.Name == "" && in.AS == 1; (len(in.Interfaces) > 0) != want {
			t.Errorf("%+v", in)
		}
	}
}

// TestHoldTime: where no line gives it, it is above the hello interval nevertheless.
func TestHoldTime(t *testing.T) {
	for hello, want := range map[int]time.Duration{4: 0, 14: 0, 15: 45 * time.Second, 60: 180 * time.Second, 65535: 65535 * time.Second} {
		cfg := load(t, fmt.Sprintf("interface Tunnel0\n ip hello-interval eigrp 1 %d\nrouter eigrp 1\n", hello))
		if got := cfg.Instances[0].Interfaces[0].Hold; got != want {
			t.Errorf("hello interval %d s: hold time %v, want %v", hello, got, want)
		}
	}
}

// TestNoSecrets: what is printed of a configuration and of refusals holds no password.
func TestNoSecrets(t *testing.T) {
	const text = "router eigrp N\n address-family ipv4 autonomous-system 1\n  af-interface Tunnel0\n   authentication mode hmac-sha-256 "
	cfg := load(t, text+"hidden\n")
	_, errs := read(t, text+"7 hidden\n")
	b, err := json.Marshal(cfg)
	if shown := fmt.Sprintf("%v %+v %#v %s %v", cfg, cfg, cfg, b, errs); err != nil || len(errs) != 1 || strings.Contains(shown, "hidden") {
		t.Errorf("%v %s", err, shown)
	}
	m, _ := grammar(t).Parse(inInterface, "authentication mode hmac-sha-256 hidden")
	if strings.Contains(m.Redacted, "hidden") {
		t.Errorf("%q is for logs", m.Redacted)
	}
}

// FuzzRead reads trees that no grammar has made: nothing in them may stop the
// daemon, and each error leads to a line.
func FuzzRead(f *testing.F) {
	const named = " address-family ipv4 autonomous-system 1\n  af-interface Tunnel0\n   summary-address 10.0.0.0/8\n   authentication mode hmac-sha-256 7 01100F175804\n"
	for _, text := range []string{"router eigrp 1\n" + familyLines + topologyLines, "router eigrp N\n" + named, "interface Tunnel0\n ip hello-interval eigrp 1 20\nrouter eigrp 1\n",
		"router eigrp 1\n address-family ipv4 vrf A\n  autonomous-system 5\n"} {
		tree, errs := conf.Load(grammar(f), text, "seed")
		if errs != nil {
			f.Fatal(errs)
		}
		seed, err := json.Marshal(tree)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var tree conf.Tree
		if json.Unmarshal(data, &tree) != nil {
			return
		}
		_, errs := cli.Read(&tree)
		for _, err := range errs {
			if len(err.Path) == 0 || err.Msg == "" {
				t.Errorf("error %+v", err)
			}
		}
	})
}

// TestAllFieldsAreRead fails for a field of the core's configuration that no
// configuration in these tests sets.
func TestAllFieldsAreRead(t *testing.T) {
	instance, iface := map[string]bool{}, map[string]bool{}
	note := func(v reflect.Value, seen map[string]bool) {
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				seen[v.Type().Field(i).Name] = true
			}
		}
	}
	cfg := load(t, "router eigrp N\n shutdown\n address-family ipv4 vrf V autonomous-system 1\n"+familyLines+"  metric rib-scale 7\n  remote-neighbors source L0 unicast-listen\n"+
		"  af-interface default\n   passive-interface\n  af-interface Tunnel0\n   hello-interval 20\n   bandwidth-percent 7\n   shutdown\n   no split-horizon\n   no next-hop-self no-ecmp-mode\n"+
		"   add-paths 4\n   summary-address 10.0.0.0/8\n   authentication mode hmac-sha-256 x\n   authentication key-chain K\n  topology base\n"+topologyLines+
		" address-family ipv6 autonomous-system 1\ninterface Tunnel0\n ipv6 eigrp 7\nipv6 router eigrp 7\n")
	for _, in := range cfg.Instances {
		note(reflect.ValueOf(in), instance)
		for _, i := range in.Interfaces {
			note(reflect.ValueOf(i), iface)
		}
	}
	for typ, seen := range map[reflect.Type]map[string]bool{reflect.TypeFor[core.InstanceConfig](): instance, reflect.TypeFor[core.InterfaceConfig](): iface} {
		for i := range typ.NumField() {
			if name := typ.Field(i).Name; !seen[name] {
				t.Errorf("no line sets %s.%s", typ.Name(), name)
			}
		}
	}
}
