package cli_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/clock"
	librib "github.com/godmvpn/godmvpn/lib/rib"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/engine"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/rib"
	"github.com/godmvpn/godmvpn/zebra/supervisor"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

// golden compares an output, as text and as JSON, with files of testdata.
func golden(t *testing.T, name string, o cli.Output) {
	t.Helper()
	for _, ext := range []string{".txt", ".json"} {
		var out bytes.Buffer
		if err := o.Write(&out, ext == ".json"); err != nil {
			t.Fatal(err)
		}
		if ext == ".json" && !json.Valid(out.Bytes()) {
			t.Errorf("%s: no JSON", name)
		}
		file := filepath.Join("testdata", name+ext)
		if *rewrite {
			if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if diff := cmp.Diff(string(want), out.String()); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", file, err, diff)
		}
	}
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

func ifaceOf(name, vrf string, prefixes ...string) librib.Interface {
	i := librib.Interface{Name: name, KernelName: strings.ToLower(name[:3]), Index: 1, VRF: vrf, AdminUp: true, Up: true, MTU: 1500, Bandwidth: 1000000, Delay: 1}
	for _, p := range prefixes {
		i.Addresses = append(i.Addresses, librib.Address{Prefix: prefix(p)})
	}
	return i
}

// table is a RIB with a route of each kind, a minute old.
func table(t *testing.T) *rib.Core {
	t.Helper()
	c := rib.New(rib.Options{})
	seq := uint64(0)
	put := func(owner string, o librib.Object) {
		seq++
		c.Step(0, rib.Put{Owner: owner, Seq: seq, Object: o})
	}
	for _, i := range []librib.Interface{ifaceOf("GigabitEthernet1", "", "192.0.2.1/30", "2001:db8::1/64"), ifaceOf("GigabitEthernet2", "", "10.10.0.1/24"),
		ifaceOf("Tunnel0", "", "172.31.0.1/24"), ifaceOf("GigabitEthernet3", "RED", "10.0.0.1/24")} {
		c.Step(0, rib.InterfaceChanged{Interface: i})
	}
	route := func(p librib.Protocol, typ librib.RouteType, dst string, distance uint8, metric uint32, hops ...librib.NextHop) librib.Route {
		return librib.Route{Prefix: prefix(dst), Protocol: p, Type: typ, Distance: distance, Metric: metric, NextHops: hops}
	}
	via := func(a string) librib.NextHop { return librib.NextHop{Addr: addr(a)} }
	on := func(a string) librib.NextHop { return librib.NextHop{Addr: addr(a), Interface: "Tunnel0"} }
	null := librib.NextHop{Discard: true}
	st := rib.OwnerStatic
	lost := librib.NextHop{Addr: addr("203.0.113.1"), Interface: "GigabitEthernet9"}
	put(st, route(librib.Static, 0, "0.0.0.0/0", 1, 0, lost, via("192.0.2.2")))
	put(st, route(librib.Static, 0, "10.20.0.0/16", 1, 0, via("172.31.0.11"), via("172.31.0.12"), lost))
	floating := route(librib.Static, 0, "10.20.0.0/16", 250, 0, null)
	floating.Instance = 250
	put(st, floating)
	put(st, route(librib.Static, 0, "10.30.0.0/16", 1, 0, null))
	put(st, route(librib.Static, 0, "10.31.0.0/16", 1, 0, librib.NextHop{Interface: "Tunnel0"}))
	put(st, route(librib.Static, 0, "10.32.0.0/16", 1, 0, librib.NextHop{Interface: "GigabitEthernet1", Addr: addr("192.0.2.2")}))
	red := route(librib.Static, 0, "10.40.0.0/16", 1, 0, via("10.0.0.9"))
	red.VRF = "RED"
	put(st, red)
	put(st, route(librib.Static, 0, "2001:db8:1::/48", 1, 0, via("2001:db8::2")))
	put(rib.OwnerKernel, route(librib.Kernel, 0, "192.168.7.0/24", 0, 5, librib.NextHop{Interface: "GigabitEthernet2"}))
	put("ripd", route(librib.RIP, 0, "192.168.1.0/24", 120, 2, on("172.31.0.11")))
	put("ospfd", route(librib.OSPF, librib.TypeInterArea, "192.168.2.0/24", 110, 20, on("172.31.0.11")))
	put("ospfd", route(librib.OSPF, librib.TypeExternal2, "192.168.3.0/24", 110, 20, on("172.31.0.11")))
	put("eigrpd", route(librib.EIGRP, 0, "10.12.0.0/24", 90, 28160256, on("172.31.0.11")))
	put("eigrpd", route(librib.EIGRP, librib.TypeExternal, "192.168.4.0/24", 170, 28160256, on("172.31.0.11")))
	put("eigrpd", route(librib.EIGRP, librib.TypeSummary, "10.0.0.0/8", 5, 2816, null))
	bgp := route(librib.BGP, librib.TypeEBGP, "192.168.5.0/25", 20, 0, via("172.31.0.12"))
	bgp.Tag = 65001
	put("bgpd", bgp)
	put("nhrpd", librib.Override{Prefix: prefix("10.12.0.0/24"), Protocol: librib.NHRP, Distance: 250, NextHop: on("172.31.0.12")})
	put("nhrpd", librib.Override{Prefix: prefix("10.13.0.0/24"), Protocol: librib.NHRP, Distance: 250, NextHop: on("172.31.0.13")})
	put("nhrpd", route(librib.NHRP, 0, "172.31.0.12/32", 250, 0, librib.NextHop{Interface: "Tunnel0"}))
	c.Step(0, rib.WatchAdd{Owner: "bgpd", Watch: librib.Watch{Kind: librib.WatchNextHop, Addr: addr("10.20.1.1")}})
	c.Step(0, rib.WatchAdd{Owner: "bgpd", Watch: librib.Watch{Kind: librib.WatchNextHop, Addr: addr("10.20.1.2"), VRF: "RED"}})
	var results []rib.Result
	for _, e := range c.Drain(nil) {
		if p, ok := e.(rib.FIBPut); ok {
			r := rib.Result{Key: p.Key(), Gen: p.Gen}
			if p.Prefix == prefix("10.31.0.0/16") {
				r.Error = "network is down"
			}
			results = append(results, r)
		}
	}
	c.Step(0, rib.Installed{Results: results})
	return c
}

const now = clock.Instant(time.Minute + 11*time.Second)

func TestShowRoutes(t *testing.T) {
	c := table(t)
	views := func(vrf string, f librib.Family) []rib.PrefixView {
		v, more := c.Page(vrf, f, netip.Prefix{}, 1000)
		if more {
			t.Fatal("there is more")
		}
		return v
	}
	v4 := views("", librib.IPv4)
	golden(t, "route", zcli.ShowRoutes("", v4, zcli.RouteFilter{}, now))
	golden(t, "route-static", zcli.ShowRoutes("", v4, zcli.RouteFilter{Protocol: librib.Static}, now))
	golden(t, "route-nho", zcli.ShowRoutes("", v4, zcli.RouteFilter{Overrides: true}, now))
	golden(t, "route-longer", zcli.ShowRoutes("", v4, zcli.RouteFilter{Within: prefix("172.31.0.0/16")}, now))
	golden(t, "route-red", zcli.ShowRoutes("RED", views("RED", librib.IPv4), zcli.RouteFilter{}, now))
	golden(t, "route-ipv6", zcli.ShowRoutes("", views("", librib.IPv6), zcli.RouteFilter{}, now))
	golden(t, "route-empty", zcli.ShowRoutes("BLUE", nil, zcli.RouteFilter{}, now))
	for _, p := range []string{"10.20.0.0/16", "10.12.0.0/24", "10.31.0.0/16"} {
		v, found := c.Prefix("", prefix(p))
		golden(t, "route-"+strings.ReplaceAll(p, "/", "-"), zcli.ShowPrefix(v, found, p, now))
	}
	// Overridden, an NHRP route of each kind, a group of next hops, a connected network,
	// an own address, a discard, one that the kernel refused, and none.
	for _, p := range []string{"10.12.0.0/24", "10.13.0.0/24", "172.31.0.12/32", "10.20.0.0/16", "10.10.0.0/24", "10.10.0.1/32", "10.30.0.0/16", "10.31.0.0/16", "10.99.0.0/16"} {
		v, found := c.Prefix("", prefix(p))
		golden(t, "cef-"+strings.ReplaceAll(p, "/", "-"), zcli.ShowCEF(v, found, p))
	}
	golden(t, "route-nhrp", zcli.ShowRoutes("", v4, zcli.RouteFilter{Protocol: librib.NHRP}, now))
	golden(t, "route-missing", zcli.ShowPrefix(rib.PrefixView{}, false, "10.99.0.0/16", now))
	golden(t, "route-summary", zcli.ShowRouteSummary("", c.Summary("", librib.IPv4)))
	golden(t, "nht", zcli.ShowNHT("", c.NextHopWatches()))
}

// TestDefaultThroughAnInterface: IOS names the network itself as the gateway.
func TestDefaultThroughAnInterface(t *testing.T) {
	c := rib.New(rib.Options{})
	c.Step(0, rib.InterfaceChanged{Interface: ifaceOf("Tunnel0", "", "172.31.0.1/24")})
	c.Step(0, rib.Put{Owner: rib.OwnerStatic, Seq: 1, Object: librib.Route{Prefix: prefix("0.0.0.0/0"), Protocol: librib.Static, Distance: 1, NextHops: []librib.NextHop{{Interface: "Tunnel0"}}}})
	v, _ := c.Page("", librib.IPv4, netip.Prefix{}, 10)
	var out bytes.Buffer
	if err := zcli.ShowRoutes("", v, zcli.RouteFilter{}, 0).Write(&out, false); err != nil || !strings.Contains(out.String(), "Gateway of last resort is 0.0.0.0 to network 0.0.0.0\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestShowInterfaces(t *testing.T) {
	tunnel := ifaceOf("Tunnel0", "", "172.31.0.1/24")
	tunnel.Type, tunnel.Description, tunnel.MTU, tunnel.Bandwidth, tunnel.Delay = librib.TypeTunnel, "to the cloud", 1400, 100, 5000
	tunnel.Tunnel = &librib.Tunnel{Mode: librib.TunnelGREMultipoint, SourceInterface: "GigabitEthernet1", Source: addr("192.0.2.1"), HasKey: true, Key: 100, VRF: "INET"}
	p2p := ifaceOf("Tunnel1", "RED")
	p2p.Up, p2p.Tunnel = false, &librib.Tunnel{SourceInterface: "GigabitEthernet9", Destination: addr("203.0.113.1")}
	shut := ifaceOf("GigabitEthernet2", "", "10.1.0.1/24", "2001:db8::1/64")
	shut.AdminUp, shut.Up = false, false
	missing := librib.Interface{Name: "GigabitEthernet9", Bandwidth: 1000000, Delay: 1}
	all := []librib.Interface{ifaceOf("GigabitEthernet1", "", "192.0.2.1/30"), shut, missing, tunnel, p2p}
	o, err := zcli.ShowInterfaces(all, "")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "interfaces", o)
	if o, err = zcli.ShowInterfaces(all, "Tunnel1"); err != nil {
		t.Fatal(err)
	}
	golden(t, "interfaces-one", o)
	if _, err := zcli.ShowInterfaces(all, "Tunnel7"); err == nil || err.Error() != "there is no interface Tunnel7" {
		t.Errorf("error = %v", err)
	}
	held := tunnel
	held.Name, held.Up, held.HeldDown = "Tunnel2", false, true
	all = append(all, held)
	if o, err = zcli.ShowInterfaces(all, "Tunnel2"); err != nil {
		t.Fatal(err)
	}
	golden(t, "interfaces-held", o)
	golden(t, "interface-brief", zcli.ShowIfBrief(all))
}

func TestShowSystem(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	golden(t, "daemons", zcli.ShowDaemons([]supervisor.Status{
		{Name: "eigrpd", State: supervisor.Backoff, Restarts: 3, LastExit: "exit status 2", Build: "v1.0"},
		{Name: "nhrpd", State: supervisor.Running, PID: 4711, Since: at, Build: "v1.0", Reattached: true, Memory: 7_340_032},
		{Name: "ripd", State: supervisor.Stopped, LastExit: "stopped on request"},
	}, at.Add(26*time.Hour)))
	golden(t, "init", zcli.ShowInit(engine.Signals{LinksKnown: true, ConfigLoaded: true, DaemonsAttached: true}))
	golden(t, "fib", zcli.ShowFIB(fib.Totals{Stats: fib.Stats{Counters: fib.Counters{Puts: 1, Deletes: 2, Failures: 3, Kept: 4, PutBack: 5, Repaired: 6, Strays: 7, Lost: 8},
		Wanted: 9, Installed: 10, Stale: 11, Queued: 12, Failed: 13,
		Refused: []fib.Refusal{{Object: "multicast replicator on Tunnel0", Error: "not supported by this data plane"}}}, Audits: 14, Resyncs: 15, Errors: 16}))
	golden(t, "vrf", zcli.ShowVRFs([]zcli.VRF{{Name: "BLUE", Table: 1002, Interfaces: []string{}},
		{Name: "RED", Table: 1001, Description: "red", Interfaces: []string{"GigabitEthernet3", "Tunnel1"}}}))
	var out bytes.Buffer
	if err := zcli.ShowVersion("v1.0", "HUB", 90*time.Minute).Write(&out, false); err != nil {
		t.Fatal(err)
	}
	if want := "godmvpn v1.0 (" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")\nHUB uptime is 01:30:00\n"; out.String() != want {
		t.Errorf("version: %q, want %q", out.String(), want)
	}
}
