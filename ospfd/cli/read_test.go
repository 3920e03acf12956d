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

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func id(s string) packet.ID        { return packet.IDOf(addr(s)) }
func ptr[T any](v T) *T            { return &v }

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

const fullRouter = `router ospf 1
 router-id 172.31.0.1
 no capability opaque
 prefix-suppression
 flood-reduction
 max-metric router-lsa external-lsa 7 include-stub on-startup 300 summary-lsa
 log-adjacency-changes detail
 auto-cost reference-bandwidth 1000
 no compatible rfc1583
 ospf abr-type ibm
 nsf ietf restart-interval 60
 nsf ietf helper disable
 nsf ietf helper strict-lsa-checking
 timers throttle spf 10 100 5000
 timers throttle lsa all 0 100 6000
 timers lsa arrival 100
 timers pacing flood 10
 timers pacing retransmission 100
 adjacency stagger 100 100
 area 0 authentication message-digest
 area 0.0.0.1 authentication
 area 1 stub no-summary
 area 1 default-cost 10
 area 1 shortcut enable
 area 2 shortcut disable
 area 3 shortcut default
 area 2 nssa default-information-originate metric 5 metric-type 1 no-redistribution no-summary
 area 2 nssa translate type7 always suppress-fa
 area 2 nssa range 10.2.0.0 255.255.0.0 cost 0 tag 7
 area 3 range 10.3.0.0 255.255.0.0 cost 9
 area 3 range 10.4.0.0/16 not-advertise
 area 3 range 10.5.0.0 255.255.0.0 cost 5 substitute 192.168.0.0 255.255.0.0
 area 3 range 10.6.0.0/16 substitute 172.16.0.0/16
 area 3 filter-list prefix I in
 area 3 export-list E
 area 3 import-list 10
 area 3 filter-list prefix O out
 area 3 virtual-link 2.2.2.2 authentication message-digest hello-interval 5 retransmit-interval 6 transmit-delay 2 dead-interval 20
 area 3 virtual-link 2.2.2.2 message-digest-key 2 md5 two
 area 3 virtual-link 2.2.2.2 authentication message-digest message-digest-key 1 md5 7 01100F175804
 area 3 virtual-link 3.3.3.3 authentication authentication-key secret
 area 3 virtual-link 4.4.4.4 authentication key-chain K
 summary-address 10.0.0.0 255.0.0.0 not-advertise
 summary-address 172.16.0.0/12 tag 7 nssa-only
 redistribute connected subnets
 redistribute eigrp 100 metric 0 metric-type 1 tag 9 subnets nssa-only route-map M
 redistribute bgp 65000
 passive-interface default
 passive-interface Tunnel1
 no passive-interface Tunnel0
 network 10.0.0.0 0.255.255.255 area 3
 network 172.31.0.0 0.0.0.255 area 0
 network 10.9.0.0 255.255.0.0 area 0.0.0.9
 neighbor 172.31.0.11 priority 5 poll-interval 60
 neighbor 172.31.0.12 cost 10 database-filter all
 default-information originate always metric 10 metric-type 1 route-map D
 default-metric 50
 distribute-list 10 in
 distribute-list prefix P in Tunnel0
 distribute-list route-map R in
 distribute-list prefix P out eigrp 100
 distance 100
 distance ospf external 150 inter-area 105
 distance 85 10.0.0.7 0.0.0.255 NETS
 maximum-paths 16
 max-lsa 12000
`

func fullInstance() core.InstanceConfig {
	secret := func(s string) core.DigestKey { return core.DigestKey{Key: policy.NewSecret(s)} }
	one, two := secret("cisco"), secret("two")
	one.ID, two.ID = 1, 2
	ms := time.Millisecond
	network := func(a, wild string, area packet.ID) core.Network {
		bits := uint32(id(wild))
		return core.Network{Addresses: policy.Wildcard{Addr: uint32(id(a)), Bits: bits}, Area: area}
	}
	link := func(router string, c core.InterfaceConfig) core.VirtualLink {
		c.Type = fsm.VirtualLink
		return core.VirtualLink{Router: id(router), Interface: c}
	}
	return core.InstanceConfig{
		Key: core.Key{Process: 1}, RouterID: addr("172.31.0.1"), NoOpaque: true, PrefixSuppression: true, FloodReduction: true,
		MaxMetric:    &core.MaxMetric{OnStartup: 5 * time.Minute, IncludeStub: true, Summary: 16711680, External: 7},
		LogAdjacency: true, LogDetail: true, Reference: 1000, AdjacencyParallel: 100, ABR: core.ABRIBM,
		Restart: core.Restart{Enabled: true, Interval: time.Minute, NoHelper: true, Strict: true},
		Timers: core.Timers{SPF: core.Throttle{Start: 10 * ms, Hold: 100 * ms, Maximum: 5 * time.Second}, LSA: core.Throttle{Hold: 100 * ms, Maximum: 6 * time.Second},
			Arrival: 100 * ms, FloodPacing: 10 * ms, RetransmissionPacing: 100 * ms},
		Dotted: []packet.ID{1, 9},
		Areas: []core.AreaConfig{
			{ID: 0, Authentication: core.AuthenticationMD5},
			{ID: 1, Kind: core.AreaStub, NoSummary: true, DefaultCost: 10, Authentication: core.AuthenticationSimple, Shortcut: core.ShortcutEnable},
			{ID: 2, Kind: core.AreaNSSA, NoSummary: true, NSSADefault: &core.DefaultOriginate{Metric: ptr(uint32(5)), Type1: true}, NoRedistribution: true, TranslateAlways: true, SuppressFA: true, Shortcut: core.ShortcutDisable,
				Ranges: []core.Range{{Prefix: prefix("10.2.0.0/16"), Cost: ptr(uint32(0)), NSSA: true, Tag: 7}}},
			{ID: 3, Ranges: []core.Range{{Prefix: prefix("10.3.0.0/16"), Cost: ptr(uint32(9))}, {Prefix: prefix("10.4.0.0/16"), NotAdvertise: true},
				{Prefix: prefix("10.5.0.0/16"), Cost: ptr(uint32(5)), Substitute: prefix("192.168.0.0/16")}, {Prefix: prefix("10.6.0.0/16"), Substitute: prefix("172.16.0.0/16")}}, FilterIn: "I", FilterOut: "O", ExportList: "E", ImportList: "10",
				VirtualLinks: []core.VirtualLink{
					link("2.2.2.2", core.InterfaceConfig{Hello: 5 * time.Second, Dead: 20 * time.Second, Retransmit: 6 * time.Second, TransmitDelay: 2 * time.Second,
						Authentication: core.AuthenticationMD5, DigestKeys: []core.DigestKey{one, two}}),
					link("4.4.4.4", core.InterfaceConfig{Authentication: core.AuthenticationKeyChain, KeyChain: "K"}),
					link("3.3.3.3", core.InterfaceConfig{Authentication: core.AuthenticationSimple, Password: policy.NewSecret("secret")}),
				}},
		},
		SummaryAddresses: []core.SummaryAddress{{Prefix: prefix("10.0.0.0/8"), NotAdvertise: true}, {Prefix: prefix("172.16.0.0/12"), Tag: 7, NSSAOnly: true}},
		Redistribute: []core.Redistribute{{Protocol: rib.BGP, Instance: 65000, Classful: true}, {Protocol: rib.Connected},
			{Protocol: rib.EIGRP, Instance: 100, Metric: ptr(uint32(0)), Type1: true, Tag: 9, RouteMap: "M", NSSAOnly: true}},
		PassiveDefault: true, Passive: []string{"Tunnel0"},
		Networks:         []core.Network{network("172.31.0.0", "0.0.0.255", 0), network("10.9.0.0", "0.0.255.255", 9), network("10.0.0.0", "0.255.255.255", 3)},
		Neighbors:        []core.StaticNeighbor{{Addr: addr("172.31.0.11"), Priority: 5, Poll: time.Minute}, {Addr: addr("172.31.0.12"), Cost: 10, DatabaseFilterOut: true}},
		DefaultOriginate: &core.DefaultOriginate{Always: true, Metric: ptr(uint32(10)), Type1: true, RouteMap: "D"}, DefaultMetric: 50,
		Filters:  []core.Filter{{List: "10"}, {Prefix: true, List: "P", Interface: "Tunnel0"}, {Prefix: true, List: "P", Out: true, Protocol: rib.EIGRP, Instance: 100}, {RouteMap: true, List: "R"}},
		Distance: core.Distances{Intra: 100, Inter: 105, External: 150}, SourceDistances: []core.SourceDistance{{Distance: 85, Router: policy.Wildcard{Addr: 0x0a000000, Bits: 0xff}, List: "NETS"}},
		MaximumPaths: 16, MaxLSA: 12000,
	}
}

const fullInterfaces = `interface Tunnel0
 ip ospf authentication message-digest
 ip ospf authentication-key 7 01100F175804
 ip ospf message-digest-key 2 md5 two
 ip ospf message-digest-key 1 md5 one
 ip ospf network point-to-multipoint non-broadcast delay-reflood
 ip ospf dead-interval 60
 ip ospf hello-interval 20
 ip ospf retransmit-interval 7
 ip ospf retransmit-window 100
 ip ospf transmit-delay 3
 ip ospf priority 0
 ip ospf mtu-ignore
 ip ospf database-filter all out
 ip ospf neighbor-filter N
 ip ospf neighbor-filter M 10.0.0.1
 ip ospf flood-reduction
 ip ospf prefix-suppression disable
 ip ospf shutdown
 ip ospf 1 area 0.0.0.7 secondaries none
 ip ospf cost 1000
interface Tunnel1
 ip ospf network point-to-point dmvpn
 ip ospf dead-interval minimal hello-multiplier 4
 ip ospf authentication key-chain K
interface Tunnel2
 ip ospf network broadcast
 ip ospf authentication
 ip ospf prefix-suppression
interface Tunnel3
 ip ospf network non-broadcast
 ip ospf authentication null
interface Loopback0
 ip ospf 1 area 0
interface Loopback1
`

func TestRead(t *testing.T) {
	cfg := load(t, fullRouter+"router ospf 2 vrf RED\n shutdown\n ospf abr-type standard\n passive-interface Tunnel0\n no passive-interface Tunnel1\n no log-adjacency-changes\nrouter ospf 3\n shutdown\n ospf abr-type shortcut\n")
	want := []core.InstanceConfig{fullInstance(), {Key: core.Key{Process: 2, VRF: "RED"}, Shutdown: true, RFC1583: true, ABR: core.ABRStandard, Passive: []string{"Tunnel0"}},
		{Key: core.Key{Process: 3}, Shutdown: true, RFC1583: true, LogAdjacency: true, ABR: core.ABRShortcut}}
	if diff := cmp.Diff(want, cfg.Instances, comparable...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadInterfaces(t *testing.T) {
	cfg := load(t, fullInterfaces+"key chain K\n key 70000\n  key-string x\n  cryptographic-algorithm hmac-sha-256\nrouter ospf 1\n network 10.0.0.0 0.0.0.0 area 7\n")
	key := func(n uint8, s string) core.DigestKey { return core.DigestKey{ID: n, Key: policy.NewSecret(s)} }
	want := []core.InterfaceConfig{
		{Name: "Loopback0", HasArea: true, Process: 1},
		{Name: "Tunnel0", HasArea: true, Process: 1, Area: 7, NoSecondary: true, Type: fsm.PointToMultipoint, NoBroadcast: true, DelayReflood: true, Cost: 1000, Priority: ptr(uint8(0)),
			Hello: 20 * time.Second, Dead: time.Minute, Retransmit: 7 * time.Second, RetransmitWindow: 100 * time.Millisecond, TransmitDelay: 3 * time.Second, MTUIgnore: true, DatabaseFilterOut: true, FloodReduction: true,
			PrefixSuppression: ptr(false), Shutdown: true, NeighborFilters: []core.NeighborFilter{{List: "M", Addr: addr("10.0.0.1")}, {List: "N"}}, Authentication: core.AuthenticationMD5, Password: policy.NewSecret("cisco"), DigestKeys: []core.DigestKey{key(1, "one"), key(2, "two")}},
		{Name: "Tunnel1", Type: fsm.PointToPoint, Spoke: true, Dead: time.Second, HelloPerSecond: 4, Authentication: core.AuthenticationKeyChain, KeyChain: "K"},
		{Name: "Tunnel2", Type: fsm.Broadcast, Authentication: core.AuthenticationSimple, PrefixSuppression: ptr(true)},
		{Name: "Tunnel3", Type: fsm.NonBroadcast, Authentication: core.AuthenticationNull},
	}
	if diff := cmp.Diff(want, cfg.Interfaces, comparable...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if cfg.Policy.KeyChain("K") == nil {
		t.Error("the policy has no key chain K")
	}
	if diff := cmp.Diff([]packet.ID(nil), cfg.Instances[0].Dotted); diff != "" {
		t.Errorf("areas are written as the first line has them: %s", diff)
	}
}

// TestDefaults wants what a line of the default says to be the same as no line.
func TestDefaults(t *testing.T) {
	bare := load(t, "router ospf 1\ninterface Tunnel0\n ip ospf 1 area 0\n")
	said := load(t, `router ospf 1
 capability opaque
 capability vrf-lite
 log-adjacency-changes
 auto-cost reference-bandwidth 100
 compatible rfc1583
 ospf abr-type cisco
 timers throttle spf 50 200 5000
 timers throttle lsa 0 5000 5000
 timers lsa arrival 1000
 timers pacing flood 33
 timers pacing retransmission 66
 adjacency stagger none 64
 distance 110
 maximum-paths 4
interface Tunnel0
 ip ospf 1 area 0
 ip ospf retransmit-interval 5
 ip ospf retransmit-window 50
 ip ospf transmit-delay 1
 ip ospf priority 1
`)
	if diff := cmp.Diff(bare, said, samePolicies...); diff != "" {
		t.Error(diff)
	}
	if c := bare.Instances[0]; !c.RFC1583 || !c.LogAdjacency || core.DefaultReference != 100 || core.DefaultMaximumPaths != 4 || core.DefaultDistance != 110 {
		t.Errorf("%+v", c)
	}
}

// TestAllFieldsAreRead fails for a field of the core's configuration that no
// configuration in these tests sets.
func TestAllFieldsAreRead(t *testing.T) {
	seen := map[string]bool{}
	var note func(v reflect.Value)
	note = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				note(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				note(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				name := v.Type().Name() + "." + v.Type().Field(i).Name
				if !v.Type().Field(i).IsExported() || v.Type().PkgPath() != reflect.TypeFor[core.Config]().PkgPath() {
					continue
				}
				seen[name] = seen[name] || !v.Field(i).IsZero()
				note(v.Field(i))
			}
		}
	}
	cfg := load(t, fullRouter+fullInterfaces+"router ospf 2 vrf RED\n shutdown\n")
	note(reflect.ValueOf(cfg))
	with := load(t, "router ospf 3\n")
	note(reflect.ValueOf(with))
	for name, ok := range seen {
		if !ok {
			t.Errorf("no line sets %s", name)
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d fields", len(seen))
	}
}

// TestNoSecrets: what is printed of a configuration and of refusals holds no password.
func TestNoSecrets(t *testing.T) {
	cfg := load(t, "interface Tunnel0\n ip ospf authentication-key hidden\n ip ospf message-digest-key 1 md5 hidden\nrouter ospf 1\n area 1 virtual-link 1.1.1.1 authentication-key hidden\n")
	_, errs := read(t, "interface Tunnel0\n ip ospf authentication-key 7 hidden\n ip ospf message-digest-key 1 md5 hidden-and-too-long\n")
	b, err := json.Marshal(cfg)
	if shown := fmt.Sprintf("%v %+v %#v %s %v", cfg, cfg, cfg, b, errs); err != nil || len(errs) != 2 || strings.Contains(shown, "hidden") {
		t.Errorf("%v %s", err, shown)
	}
	for _, line := range []string{"ip ospf authentication-key hidden", "ip ospf message-digest-key 1 md5 0 hidden"} {
		if m, _ := grammar(t).Parse(inIf, line); strings.Contains(m.Redacted, "hidden") {
			t.Errorf("%q is for logs", m.Redacted)
		}
	}
}

// FuzzRead reads trees that no grammar has made: nothing in them may stop the daemon, and
// each error leads to a line.
func FuzzRead(f *testing.F) {
	for _, text := range []string{fullRouter, fullInterfaces, "router ospf 1 vrf A\n area 1 stub\n area 1 virtual-link 1.1.1.1\n"} {
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
