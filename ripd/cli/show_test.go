package cli_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/cli"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

var update = flag.Bool("update", false, "write the golden files in testdata")

// golden compares both forms of an output with testdata/NAME.txt and NAME.json.
func golden(t *testing.T, name string, o libcli.Output) {
	t.Helper()
	for ext, asJSON := range map[string]bool{".txt": false, ".json": true} {
		var got bytes.Buffer
		if err := o.Write(&got, asJSON); err != nil {
			t.Fatal(err)
		}
		if asJSON && !json.Valid(got.Bytes()) {
			t.Errorf("%s is no JSON", name)
		}
		file := filepath.Join("testdata", name+ext)
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// TestKeysAreCamelCase reads all keys of the golden JSON files.
func TestKeysAreCamelCase(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	key := regexp.MustCompile(`"([^"]*)":`)
	camel := regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.FindAllSubmatch(b, -1) {
			if !camel.Match(m[1]) {
				t.Errorf("%s: key %q", file, m[1])
			}
		}
	}
}

// table has a route of each source, equal-cost paths, and one that is going.
func table() *core.RouteReport {
	path := func(nextHop, from, ifname string, metric uint32, age time.Duration) core.PathEntry {
		return core.PathEntry{NextHop: addr(nextHop), From: addr(from), Interface: ifname, Metric: metric, Age: age,
			Left: 180*time.Second - age, Distance: 120}
	}
	learned := func(p string, metric uint32, paths ...core.PathEntry) core.RouteEntry {
		return core.RouteEntry{Prefix: prefix(p), Source: core.SourceLearned, Metric: metric, Paths: paths}
	}
	both := learned("10.12.0.0/24", 3, path("172.31.0.12", "172.31.0.1", "Tunnel0", 3, 8*time.Second), path("172.31.1.12", "172.31.1.12", "Tunnel1", 3, 21*time.Second))
	both.Tag = 700
	backup := core.RouteEntry{Prefix: prefix("10.14.0.0/16"), Source: core.SourceRedistributed, Protocol: rib.Static, Metric: 5, Tag: 65535,
		Paths: []core.PathEntry{path("172.31.0.11", "172.31.0.11", "Tunnel0", 2, time.Second)}}
	return &core.RouteReport{Exists: true, Routes: []core.RouteEntry{
		{Prefix: prefix("0.0.0.0/0"), Source: core.SourceDefault, Metric: 1},
		{Prefix: prefix("10.0.0.0/8"), Source: core.SourceSummary, Interface: "Tunnel0", Metric: 1},
		{Prefix: prefix("10.9.0.0/16"), Source: core.SourceStatic, Metric: 1},
		{Prefix: prefix("10.10.0.0/24"), Source: core.SourceConnected, Interface: "GigabitEthernet2", Metric: 1, Changed: true},
		learned("10.11.0.0/24", 2, path("172.31.0.11", "172.31.0.11", "Tunnel0", 2, 8*time.Second)),
		both,
		{Prefix: prefix("10.13.0.0/24"), Source: core.SourceLearned, Metric: 16, Garbage: true, Holddown: true, Left: 42 * time.Second},
		backup,
		{Prefix: prefix("192.0.2.0/24"), Source: core.SourceRedistributed, Protocol: rib.BGP, Metric: 1},
	}}
}

// args are the arguments of an exec line.
func args(t *testing.T, line string) libcli.Args {
	t.Helper()
	m, err := grammar(t).Parse(enable, line)
	if err != nil {
		t.Fatal(err.Report())
	}
	return m.Args
}

func TestShowRoutes(t *testing.T) {
	golden(t, "show_ip_rip", cli.ShowRIP(table(), nil))
	golden(t, "show_ip_rip_database", cli.ShowDatabase(table(), nil))
	golden(t, "show_ip_rip_none", cli.ShowRIP(&core.RouteReport{VRF: "RED"}, nil))
	golden(t, "show_ip_rip_database_one", cli.ShowDatabase(table(), args(t, "show ip rip database 10.12.0.0 255.255.255.0")))
}

// TestShowOneRoute: a network is that network, an address the longest prefix that
// forwards it.
func TestShowOneRoute(t *testing.T) {
	for line, want := range map[string]string{
		"show ip rip 10.12.0.0/24":                        "10.12.0.0/24",
		"show ip rip 10.12.0.0/23":                        "",
		"show ip rip 10.12.0.0 255.255.255.0":             "10.12.0.0/24",
		"show ip rip 10.12.0.9 255.255.255.0":             "10.12.0.0/24",
		"show ip rip 10.12.0.9":                           "10.12.0.0/24",
		"show ip rip 10.12.1.9":                           "10.0.0.0/8",
		"show ip rip 10.13.0.9":                           "10.0.0.0/8", // its own network is unreachable
		"show ip rip 10.13.0.0/24":                        "10.13.0.0/24",
		"show ip rip 198.51.100.1":                        "0.0.0.0/0",
		"show ip rip 0.0.0.0 0.0.0.0":                     "0.0.0.0/0",
		"show ip rip database 10.13.0.0 255.255.255.0":    "10.13.0.0/24",
		"show ip rip database 10.99.0.0 255.255.255.0":    "",
		"show ip rip database 0.0.0.0 0.0.0.0 vrf ORANGE": "0.0.0.0/0",
	} {
		a, show := args(t, line), cli.ShowRIP
		if a.Has("mask") {
			show = cli.ShowDatabase
		}
		var b bytes.Buffer
		if err := show(table(), a).Write(&b, true); err != nil {
			t.Fatal(err)
		}
		var got struct{ Routes []struct{ Prefix string } }
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		switch {
		case want == "" && len(got.Routes) == 0:
		case len(got.Routes) != 1 || got.Routes[0].Prefix != want:
			t.Errorf("%q shows %v, want %q", line, got.Routes, want)
		}
	}
	golden(t, "show_ip_rip_absent", cli.ShowRIP(table(), args(t, "show ip rip 10.99.0.0/16")))
}

// status is a hub's.
func status() *core.StatusReport {
	counters := func(scale uint64) (c core.Counters) {
		c = core.Counters{ReceivedRequests: scale, ReceivedResponses: 20 * scale, SentRequests: 2 * scale, SentResponses: 12 * scale, SentEntries: 340 * scale}
		c.Dropped[core.DropAuthFailed] = 3 * scale
		c.Dropped[core.DropEntryFilter] = 17 * scale
		return c
	}
	config := core.RouterConfig{Version: 2, Networks: []netip.Prefix{prefix("10.0.0.0/8"), prefix("172.31.0.0/16"), prefix("192.168.4.0/23")},
		NetworkInterfaces: []string{"Tunnel9"}, Passive: []string{"GigabitEthernet2"},
		Timers:       core.Timers{Update: 30 * time.Second, Invalid: 180 * time.Second, Flush: 240 * time.Second},
		MaximumPaths: 4, Distance: 120, DefaultMetric: 5,
		Offsets:      []core.OffsetList{{Offset: 2}, {Out: true, List: "21", Offset: 3, Interface: "Tunnel0"}},
		Distances:    []core.SourceDistance{{Distance: 90, Source: policy.Wildcard{Addr: 0xac1f000c}}, {Distance: 255, Source: policy.Wildcard{Addr: 0x0a000000, Bits: 0xffffff}, List: "NETS"}},
		Filters:      []core.Filter{{List: "10", Out: true}, {List: "P", Prefix: true, Out: true}, {List: "DMZ", Out: true, Interface: "Tunnel1"}, {List: "7", Interface: "Tunnel0"}},
		Redistribute: []core.Redistribute{{Protocol: rib.Static, Metric: 3}, {Protocol: rib.OSPF, Instance: 1, RouteMap: "M"}, {Protocol: rib.EIGRP, Instance: 100, Transparent: true}}}
	return &core.StatusReport{Exists: true, Config: config, NextUpdate: 12*time.Second + 400*time.Millisecond, Routes: 1234, Counters: counters(10),
		Interfaces: []core.InterfaceStatus{
			{Name: "GigabitEthernet2", Up: true, Passive: true, Send: core.Version2, Receive: core.Version2},
			{Name: "Tunnel0", Up: true, Send: core.Version2, Receive: core.Version2, SplitHorizon: core.SplitHorizonOff, Authentication: packet.HMACSHA256,
				KeyChain: "KEYS", Triggered: 3, NextUpdate: 12 * time.Second, Counters: counters(1)},
			{Name: "Tunnel1", Send: core.Version1 | core.Version2, Receive: core.Version1, SplitHorizon: core.SplitHorizonPoison, Authentication: packet.SimplePassword},
			{Name: "eth3", Up: true, Send: core.Version1, Receive: core.Version1 | core.Version2, NextUpdate: 29 * time.Second},
		},
		Neighbors: []core.NeighborStatus{
			{Addr: addr("172.31.0.11"), Interface: "Tunnel0", Version: 2, LastUpdate: 8 * time.Second, Routes: 12, BadPackets: 1, BadRoutes: 2, Distance: 120},
			{Addr: addr("172.31.0.12"), Interface: "Tunnel0", Version: 2, LastUpdate: 21 * time.Second, Routes: 1, Distance: 90},
			{Addr: addr("192.168.4.2"), Interface: "eth3", Configured: true, Distance: 120},
		}}
}

func TestShowStatus(t *testing.T) {
	golden(t, "show_ip_rip_status", cli.ShowStatus(status()))
	golden(t, "show_ip_rip_status_none", cli.ShowStatus(&core.StatusReport{}))
}

func TestShowProtocols(t *testing.T) {
	golden(t, "show_ip_protocols", cli.ShowProtocols(status()))
	golden(t, "show_ip_protocols_none", cli.ShowProtocols(&core.StatusReport{VRF: "RED"}))
	plain := &core.StatusReport{Exists: true, VRF: "RED", Config: core.RouterConfig{Networks: []netip.Prefix{prefix("0.0.0.0/0")},
		Timers:       core.Timers{Update: 30 * time.Second, Invalid: 180 * time.Second, Holddown: 180 * time.Second, Flush: 240 * time.Second},
		MaximumPaths: 4, Distance: 120, DefaultMetric: 1}}
	golden(t, "show_ip_protocols_plain", cli.ShowProtocols(plain))
}

func TestClear(t *testing.T) {
	for line, want := range map[string]core.Clear{
		"clear ip rip":                  {Routes: true},
		"clear ip rip vrf RED":          {VRF: "RED", Routes: true},
		"clear ip rip counters":         {Counters: true},
		"clear ip rip counters vrf RED": {VRF: "RED", Counters: true},
	} {
		m, err := grammar(t).Parse(enable, line)
		if err != nil {
			t.Fatal(err.Report())
		}
		if got, ok := cli.Clear(m.Command.ID, m.Args); !ok || got != want {
			t.Errorf("%q: %+v %v, want %+v", line, got, ok, want)
		}
	}
	if _, ok := cli.Clear(cli.ExecRIP, nil); ok {
		t.Error("show ip rip was taken for a clear command")
	}
}
