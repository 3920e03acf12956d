package cli_test

import (
	"encoding/json"
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
	"github.com/godmvpn/godmvpn/ripd/cli"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// read reads what of a configuration comes to the daemon.
func read(t *testing.T, text string) (core.Config, []plugin.LineError) {
	t.Helper()
	tree, errs := conf.Load(grammar(t), text, "test")
	if errs != nil {
		t.Fatalf("%s\n%v", text, errs)
	}
	return cli.Read(tree.Filter(cli.Owner, policy.SharedIDs()...))
}

// load reads a configuration that is good.
func load(t *testing.T, text string) core.Config {
	t.Helper()
	cfg, errs := read(t, text)
	for _, err := range errs {
		t.Errorf("%q: %s", err.Path, err.Msg)
	}
	return cfg
}

// secrets lets cmp compare secrets, which nothing else may look into.
var secrets = cmp.Comparer(func(a, b policy.Secret) bool { return a.Equal(b) })

var addresses = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
var prefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

// full has most lines.
const full = `key chain KEYS
 key 1
  key-string one
interface Tunnel0
 ip rip authentication mode hmac-sha-256
 ip rip authentication key-chain KEYS
 ip rip send version 1 2
 ip rip receive version 2
 ip rip v2-broadcast
 ip rip next-hop-self
 no ip split-horizon
 ip summary-address rip 10.0.0.0 255.0.0.0
interface Tunnel1
 ip rip authentication string 7 120A0014000E18
 ip split-horizon poisoned-reverse
interface Tunnel2
 ip address 10.9.9.1 255.255.255.0
router rip
 version 2
 timers basic 5 15 7 30
 network 10.1.2.3
 network 10.0.0.0
 network 172.31.9.0
 network 192.168.1.7
 network 10.4.0.0/16
 network 0.0.0.0
 network Tunnel9
 neighbor 172.31.0.11
 passive-interface default
 no passive-interface Tunnel0
 passive-interface Tunnel1
 output-delay 20
 maximum-paths 8
 default-metric 4
 offset-list 0 in 2
 offset-list NETS out 3 Tunnel0
 distance 100
 distance 90 10.0.0.7 0.0.0.255 NETS
 distribute-list prefix P in
 distribute-list 10 out Tunnel0
 default-information originate route-map M
 redistribute connected
 redistribute eigrp 100 metric transparent
 redistribute bgp 65000 metric 3 route-map M
 route 10.9.0.0/16
 no validate-update-source
 log-neighbor-changes
 address-family ipv4 vrf RED
  version 1
  network 10.0.0.0
  passive-interface Tunnel3
`

func TestRead(t *testing.T) {
	cfg := load(t, full)
	if cfg.Policy.KeyChain("KEYS") == nil {
		t.Error("the policy has no key chain KEYS")
	}
	cfg.Policy = nil
	want := core.Config{
		Routers: []core.RouterConfig{{
			Version: 2, Networks: []netip.Prefix{prefix("0.0.0.0/0"), prefix("10.0.0.0/8"), prefix("10.4.0.0/16"),
				prefix("172.31.0.0/16"), prefix("192.168.1.0/24")},
			NetworkInterfaces: []string{"Tunnel9"}, Neighbors: []netip.Addr{addr("172.31.0.11")},
			PassiveDefault: true, Passive: []string{"Tunnel0"},
			Timers:      core.Timers{Update: 5 * time.Second, Invalid: 15 * time.Second, Holddown: 7 * time.Second, Flush: 30 * time.Second},
			OutputDelay: 20 * time.Millisecond, MaximumPaths: 8, DefaultMetric: 4,
			Offsets:  []core.OffsetList{{Offset: 2}, {List: "NETS", Out: true, Offset: 3, Interface: "Tunnel0"}},
			Distance: 100, Distances: []core.SourceDistance{{Distance: 90, Source: policy.Wildcard{Addr: 0x0a000000, Bits: 0xff}, List: "NETS"}},
			Filters: []core.Filter{{List: "10", Out: true, Interface: "Tunnel0"}, {Prefix: true, List: "P"}},
			Redistribute: []core.Redistribute{{Protocol: rib.BGP, Instance: 65000, Metric: 3, RouteMap: "M"}, {Protocol: rib.Connected},
				{Protocol: rib.EIGRP, Instance: 100, Transparent: true}},
			Static: []netip.Prefix{prefix("10.9.0.0/16")}, DefaultOriginate: true, DefaultRouteMap: "M",
			NoValidateSource: true, LogNeighbors: true,
		}, {VRF: "RED", Version: 1, Networks: []netip.Prefix{prefix("10.0.0.0/8")}, Passive: []string{"Tunnel3"}}},
		Interfaces: []core.InterfaceConfig{
			{Name: "Tunnel0", Send: core.Version1 | core.Version2, Receive: core.Version2, V2Broadcast: true, SplitHorizon: core.SplitHorizonOff,
				NextHopSelf: true, Summaries: []netip.Prefix{prefix("10.0.0.0/8")}, Authentication: packet.HMACSHA256, KeyChain: "KEYS"},
			{Name: "Tunnel1", SplitHorizon: core.SplitHorizonPoison, Authentication: packet.SimplePassword, KeyString: policy.NewSecret("secret")},
		},
	}
	if diff := cmp.Diff(want, cfg, secrets, addresses, prefixes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReadRefuses has lines that the grammar takes and that cannot be. The last
// of the path is the line that is blamed.
func TestReadRefuses(t *testing.T) {
	const chain = "key chain K\n key 300\n  key-string 12345678901234567\n"
	for _, tc := range []struct{ text, line, want string }{
		{"router rip\n timers basic 30 20 0 240\n", "timers", "invalid between two updates"},
		{"router rip\n timers basic 30 180 0 180\n", "timers", "flushed before they are invalid"},
		{"router rip\n network 224.0.0.0\n", "network", "class A, B or C"},
		{"router rip\n network 127.0.0.0\n", "network", "class A, B or C"},
		{"router rip\n neighbor 224.0.0.9\n", "neighbor", "not the address of a router"},
		{"router rip\n neighbor 0.0.0.0\n", "neighbor", "not the address of a router"},
		{"router rip\n route 127.0.0.0/8\n", "route", "cannot be announced"},
		{"router rip\n distribute-list 10 out connected\n", "distribute-list", "route-map of redistribute"},
		{"router rip\n address-family ipv4 vrf RED\n  network 224.0.0.0\n", "network", "class A, B or C"},
		{"interface Tunnel0\n ip rip authentication key-chain K\n ip rip authentication string x\n", "string", "contradicts"},
		{"interface Tunnel0\n ip rip authentication string 12345678901234567\n", "string", "longer than 16"},
		{"interface Tunnel0\n ip rip authentication string 7 12345678901234567\n", "string", "type 7"},
		{"interface Tunnel0\n no ip split-horizon\n ip split-horizon poisoned-reverse\n", "poison", "contradicts no ip split-horizon"},
		{"interface Tunnel0\n ip summary-address rip 10.1.0.0 255.0.0.0\n", "summary", "host bits"},
		{"interface Tunnel0\n ip summary-address rip 224.0.0.0 255.0.0.0\n", "summary", "cannot be announced"},
		{chain + "interface Tunnel0\n ip rip authentication key-chain K\n", "key-chain", "longer than the 16 bytes"},
		{"key chain K\n key 1\n  key-string 12345678901234567\ninterface Tunnel0\n ip rip authentication key-chain K\n ip rip authentication mode text\n", "key-chain", "longer than the 16 bytes"},
		{chain + "interface Tunnel0\n ip rip authentication key-chain K\n ip rip authentication mode md5\n", "key-chain", "key numbers up to 255"},
	} {
		_, errs := read(t, tc.text)
		if len(errs) != 1 || !strings.Contains(errs[0].Msg, tc.want) || !strings.Contains(errs[0].Path[len(errs[0].Path)-1], tc.line) {
			t.Errorf("%s\nerrors %+v, want one of the line %q saying %q", tc.text, errs, tc.line, tc.want)
		}
		for _, err := range errs {
			if strings.Contains(err.Msg, "12345678901234567") {
				t.Errorf("the error shows the key: %s", err.Msg)
			}
			if tree, _ := conf.Load(grammar(t), tc.text, ""); node(tree, err.Path) == nil {
				t.Errorf("the path %q leads to no line", err.Path)
			}
		}
	}
}

// node follows the path of an error.
func node(tree *conf.Tree, path []string) (n *conf.Node) {
	b := &tree.Block
	for _, key := range path {
		if n = b.Get(key); n == nil {
			return nil
		}
		b = &n.Block
	}
	return n
}

// TestAuthenticationWithoutMode: a key alone is text, as on IOS; a mode alone is
// kept, so that the core sends and accepts nothing (and never the key in clear).
func TestAuthenticationWithoutMode(t *testing.T) {
	for line, want := range map[string]packet.Algorithm{
		"ip rip authentication key-chain K": packet.SimplePassword,
		"ip rip authentication string k":    packet.SimplePassword,
		"ip rip authentication mode md5":    packet.KeyedMD5,
		"ip rip v2-broadcast":               packet.NoAlgorithm,
	} {
		cfg := load(t, "interface Tunnel0\n "+line+"\n")
		if got := cfg.Interfaces[0].Authentication; got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}

// TestKeysWithTheirOwnAlgorithm: a long key of a chain that mode text uses is no
// password if it names an algorithm.
func TestKeysWithTheirOwnAlgorithm(t *testing.T) {
	load(t, "key chain K\n key 255\n  key-string 12345678901234567\n  cryptographic-algorithm hmac-sha-256\n"+
		"interface Tunnel0\n ip rip authentication key-chain K\n")
}

// TestNothing reads a whole configuration, of which nothing is RIP's.
func TestNothing(t *testing.T) {
	tree, errs := conf.Load(grammar(t), "interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n", "test")
	if errs != nil {
		t.Fatal(errs)
	}
	cfg, refused := cli.Read(tree)
	if refused != nil {
		t.Error(refused)
	}
	if len(cfg.Routers)+len(cfg.Interfaces) != 0 {
		t.Errorf("a configuration without RIP became %+v", cfg)
	}
}

// samples has at least one line for every configuration command; "|" separates
// the lines that must be there already.
var samples = map[string][]string{
	cli.CmdVersion:         {"version 1", "version 2"},
	cli.CmdNetwork:         {"network 10.0.0.0", "network 10.1.0.0/16", "network Tunnel0"},
	cli.CmdNeighbor:        {"neighbor 10.0.0.2"},
	cli.CmdPassiveDefault:  {"passive-interface default"},
	cli.CmdPassive:         {"passive-interface Tunnel0", "passive-interface default|no passive-interface Tunnel0"},
	cli.CmdTimers:          {"timers basic 31 180 0 240", "timers basic 30 181 0 240", "timers basic 30 180 1 240", "timers basic 30 180 0 241"},
	cli.CmdOutputDelay:     {"output-delay 8"},
	cli.CmdMaximumPaths:    {"maximum-paths 1"},
	cli.CmdDefaultMetric:   {"default-metric 2"},
	cli.CmdOffsetList:      {"offset-list 0 in 1", "offset-list A in 1", "offset-list 0 out 1", "offset-list 0 in 2", "offset-list 0 in 1 Tunnel0"},
	cli.CmdDistance:        {"distance 1"},
	cli.CmdDistanceSource:  {"distance 1 10.0.0.0 0.0.0.0", "distance 1 10.0.0.0 0.0.0.1", "distance 1 10.0.0.0 0.0.0.0 A", "distance 1 10.0.0.4 0.0.0.0"},
	cli.CmdDistributeList:  {"distribute-list A in", "distribute-list A out", "distribute-list prefix A in", "distribute-list A in Tunnel0"},
	cli.CmdDefault:         {"default-information originate", "default-information originate route-map M"},
	cli.CmdRedistribute:    {"redistribute connected", "redistribute kernel", "redistribute static", "redistribute nhrp", "redistribute ospf 1", "redistribute ospf 2", "redistribute eigrp 1", "redistribute bgp 1", "redistribute static metric 3", "redistribute static metric transparent", "redistribute static route-map M"},
	cli.CmdRoute:           {"route 10.0.0.0/8"},
	cli.CmdValidateSource:  {"no validate-update-source"},
	cli.CmdLogNeighbors:    {"log-neighbor-changes"},
	cli.CmdIfSend:          {"ip rip send version 1", "ip rip send version 2", "ip rip send version 1 2"},
	cli.CmdIfReceive:       {"ip rip receive version 1", "ip rip receive version 2", "ip rip receive version 1 2"},
	cli.CmdIfBroadcast:     {"ip rip v2-broadcast"},
	cli.CmdIfSplitHorizon:  {"no ip split-horizon"},
	cli.CmdIfPoison:        {"ip split-horizon poisoned-reverse"},
	cli.CmdIfSummary:       {"ip summary-address rip 10.0.0.0 255.0.0.0"},
	cli.CmdIfAuthMode:      {"ip rip authentication mode text", "ip rip authentication mode md5", "ip rip authentication mode hmac-sha-1", "ip rip authentication mode hmac-sha-256", "ip rip authentication mode hmac-sha-384", "ip rip authentication mode hmac-sha-512"},
	cli.CmdIfAuthKeyChain:  {"ip rip authentication key-chain K"},
	cli.CmdIfAuthKeyString: {"ip rip authentication string K"},
	cli.CmdIfNextHopSelf:   {"ip rip next-hop-self"},
}

// openers are the lines around the lines of a mode, with lines that are there
// whatever is tested.
var openers = map[string]string{
	cli.ModeRouter: "router rip\n",
	cli.ModeFamily: "router rip\n address-family ipv4 vrf RED\n",
	"interface":    "interface Tunnel0\n ip summary-address rip 192.168.0.0 255.255.0.0\n",
}

// TestEveryLineReachesTheCore adds each line of the grammar to a configuration:
// the core's must be another one with it, and all samples of a command must
// differ among each other.
func TestEveryLineReachesTheCore(t *testing.T) {
	compare := cmp.Options{secrets, addresses, prefixes}
	for _, c := range cli.Grammar().Commands {
		if c.Enters != "" || openers[c.Mode] == "" || c.Ignored != "" {
			continue
		}
		if len(samples[c.ID]) == 0 {
			t.Errorf("no sample of %s (%s)", c.ID, c.Pattern)
		}
		seen := map[string]core.Config{}
		for _, sample := range samples[c.ID] {
			before, line := "", sample
			if i := strings.LastIndex(sample, "|"); i >= 0 {
				before, line = strings.ReplaceAll(sample[:i+1], "|", "\n"), sample[i+1:]
			}
			without, with := load(t, openers[c.Mode]+before), load(t, openers[c.Mode]+before+line+"\n")
			without.Policy, with.Policy = nil, nil
			if cmp.Equal(without, with, compare) {
				t.Errorf("mode %s: %q changes nothing", c.Mode, line)
			}
			for other, cfg := range seen {
				if cmp.Equal(cfg, with, compare) {
					t.Errorf("mode %s: %q and %q mean the same", c.Mode, line, other)
				}
			}
			seen[line] = with
		}
	}
}

// TestEveryFieldCanBeConfigured goes the other way: no field of the core's
// configuration stays zero with all samples.
func TestEveryFieldCanBeConfigured(t *testing.T) {
	set := map[string]bool{}
	for _, c := range cli.Grammar().Commands {
		for _, sample := range samples[c.ID] {
			cfg := load(t, openers[c.Mode]+strings.ReplaceAll(sample, "|", "\n")+"\n")
			cfg.Policy = nil
			mark(set, "Config", reflect.ValueOf(cfg))
		}
	}
	for _, typ := range []any{core.RouterConfig{}, core.InterfaceConfig{}, core.Timers{}, core.OffsetList{}, core.SourceDistance{}, core.Filter{}, core.Redistribute{}} {
		v := reflect.TypeOf(typ)
		for i := range v.NumField() {
			if name := v.Name() + "." + v.Field(i).Name; !set[name] {
				t.Errorf("no line sets %s", name)
			}
		}
	}
}

// mark notes the fields that are not zero.
func mark(set map[string]bool, name string, v reflect.Value) {
	if v.IsZero() {
		return
	}
	set[name] = true
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			mark(set, name, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				mark(set, v.Type().Name()+"."+f.Name, v.Field(i))
			}
		}
	}
}

// FuzzRead reads trees that no grammar has made: nothing in them may stop the
// daemon, and each error leads to a line.
func FuzzRead(f *testing.F) {
	g, err := merged()
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{full, "router rip\n network 10.0.0.0\n timers basic 30 20 0 1\n", "interface Tunnel0\n ip summary-address rip 10.0.0.0 255.0.0.0\n"} {
		tree, errs := conf.Load(g, text, "seed")
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
			if len(err.Path) < 2 || err.Msg == "" {
				t.Errorf("error %+v", err)
			}
		}
	})
}
