package core_test

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/ripd/core"
)

// world is a core under a script: it keeps time, has the configuration and the
// interfaces, and prints effects.
type world struct {
	t testing.TB
	*scripttest.Stage[core.Input, core.Effect]
	core    *core.Core
	wall    time.Time // at instant zero
	config  core.Config
	policy  string
	links   map[string]rib.Interface
	started bool // links and configuration are handed over as they come
	brief   bool // routes are not printed, of packets the number of entries only
	traces  bool // all of them, not only drops
}

func newWorld(t testing.TB) *world {
	w := &world{Stage: &scripttest.Stage[core.Input, core.Effect]{Tick: core.Tick{}}, t: t, links: map[string]rib.Interface{}, wall: time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC)}
	w.Effect = w.effect
	w.birth(1)
	return w
}

func (w *world) birth(seed uint64) {
	w.core = core.New(core.Options{Source: rand.NewPCG(seed, seed), Wall: w.wall})
	w.Machine = w.core
	w.core.Step(w.Now, core.Tracing{Events: true})
	w.core.Drain(nil)
}

// Command does a line of a script.
func (w *world) Command(line string) {
	a := scripttest.ParseArgs(line)
	switch a.Word(0) {
	case "policy": // a line of it, with its indentation
		w.policy += strings.TrimPrefix(line, "policy ") + "\n"
		w.config.Policy = policytest.Parse(w.t, w.policy)
	case "no":
		w.remove(a)
	case "router":
		w.router(a)
	case "interface":
		w.iface(a)
	case "config":
		w.Step(core.ConfigSet{Config: w.config})
	case "link":
		w.link(a)
	case "start":
		w.start(a)
	case "restart": // the next life of the daemon
		w.birth(2)
		w.start(a)
	case "attached": // again, by a restarted zebra
		w.Step(core.Attached{Stale: a.Number("stale", 0)})
	case "advance":
		w.Advance(scripttest.Must(time.ParseDuration(a.Word(1))))
	case "wall":
		now := scripttest.Must(time.Parse(time.RFC3339, a.Word(1)))
		w.wall = now.Add(-time.Duration(w.Now))
		w.Step(core.WallClock{Now: now})
	case "rx":
		w.rx(a)
	case "route":
		w.route(a)
	case "show":
		w.show(a)
	case "traces":
		w.traces = a.Word(1) == "on"
	case "brief":
		w.brief = a.Word(1) == "on"
	case "room":
		w.Step(core.SendRoom{Interface: a.Word(1), Full: a.Word(2) == "full"})
	case "clear":
		w.Step(core.Clear{VRF: a.Get("vrf", ""), AllVRFs: a.Has("all"), Routes: a.Has("routes"), Counters: a.Has("counters")})
	case "shutdown":
		w.Step(core.Shutdown{})
	default:
		w.t.Fatal("unknown command: " + line)
	}
}

// start is what a session says first, and the configuration after it.
func (w *world) start(a scripttest.Args) {
	w.started = true
	w.Step(core.Attached{Stale: a.Number("stale", 0)})
	for _, name := range slices.Sorted(maps.Keys(w.links)) {
		w.Step(core.InterfaceChanged{Interface: w.links[name]})
	}
	w.Step(core.InterfacesKnown{})
	w.Step(core.ConfigSet{Config: w.config})
}

// remove takes a part of the configuration out: no router [vrf=V], no interface
// NAME, no policy.
func (w *world) remove(a scripttest.Args) {
	w.config.Routers, w.config.Interfaces = slices.Clone(w.config.Routers), slices.Clone(w.config.Interfaces)
	switch a.Word(1) {
	case "router":
		w.config.Routers = slices.DeleteFunc(w.config.Routers, func(r core.RouterConfig) bool { return r.VRF == a.Get("vrf", "") })
	case "interface":
		w.config.Interfaces = slices.DeleteFunc(w.config.Interfaces, func(i core.InterfaceConfig) bool { return i.Name == a.Word(2) })
	case "policy":
		w.policy, w.config.Policy = "", nil
	}
}

// router describes an instance anew:
//
//	router [vrf=V] [version=N] [network=P|IF]… [neighbor=A]… [passive-default]
//	[passive=IF]… [timers=UPDATE,INVALID,HOLDDOWN,FLUSH] [output-delay=D]
//	[paths=N] [default-metric=N] [offset=LIST,in|out,N[,IF]]… [distance=N]
//	[distance-of=N,ADDR,WILDCARD[,LIST]]… [filter=[prefix:]LIST,in|out[,IF]]…
//	[redistribute=PROTOCOL[,metric:N][,transparent][,map:M][,instance:N]]…
//	[static=P]… [default-originate] [default-map=M] [no-validate] [log]
func (w *world) router(a scripttest.Args) {
	r := core.RouterConfig{
		VRF: a.Get("vrf", ""), Version: uint8(a.Number("version", 0)), Passive: a.Pairs["passive"], PassiveDefault: a.Has("passive-default"),
		OutputDelay: a.Duration("output-delay", 0), MaximumPaths: a.Number("paths", 0),
		DefaultMetric: uint8(a.Number("default-metric", 0)), Distance: uint8(a.Number("distance", 0)),
		DefaultOriginate: a.Has("default-originate"), DefaultRouteMap: a.Get("default-map", ""),
		NoValidateSource: a.Has("no-validate"), LogNeighbors: a.Has("log"),
	}
	for _, v := range a.Pairs["network"] {
		if p, err := netip.ParsePrefix(v); err == nil {
			r.Networks = append(r.Networks, p)
		} else {
			r.NetworkInterfaces = append(r.NetworkInterfaces, v)
		}
	}
	for _, v := range a.Pairs["neighbor"] {
		r.Neighbors = append(r.Neighbors, netip.MustParseAddr(v))
	}
	if v := a.Get("timers", ""); v != "" {
		f := strings.Split(v, ",")
		seconds := func(n int) time.Duration { return time.Duration(scripttest.Must(strconv.Atoi(f[n]))) * time.Second }
		r.Timers = core.Timers{Update: seconds(0), Invalid: seconds(1), Holddown: seconds(2), Flush: seconds(3)}
	}
	for _, v := range a.Pairs["static"] {
		r.Static = append(r.Static, netip.MustParsePrefix(v))
	}
	r.Offsets, r.Distances, r.Filters = offsets(a), distances(a), filters(a)
	for _, v := range a.Pairs["redistribute"] {
		r.Redistribute = append(r.Redistribute, redistribute(v))
	}
	w.config.Routers = slices.DeleteFunc(slices.Clone(w.config.Routers), func(o core.RouterConfig) bool { return o.VRF == r.VRF })
	w.config.Routers = append(w.config.Routers, r)
}

// nth returns the n-th of some words, "" if there are fewer.
func nth(words []string, n int) string {
	if n < len(words) {
		return words[n]
	}
	return ""
}

func offsets(a scripttest.Args) (all []core.OffsetList) {
	for _, v := range a.Pairs["offset"] {
		f := strings.Split(v, ",")
		all = append(all, core.OffsetList{List: f[0], Out: f[1] == "out", Offset: uint8(scripttest.Must(strconv.Atoi(f[2]))), Interface: nth(f, 3)})
	}
	return all
}

func distances(a scripttest.Args) (all []core.SourceDistance) {
	number := func(s string) uint32 {
		b := netip.MustParseAddr(s).As4()
		return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	}
	for _, v := range a.Pairs["distance-of"] {
		f := strings.Split(v, ",")
		all = append(all, core.SourceDistance{
			Distance: uint8(scripttest.Must(strconv.Atoi(f[0]))), List: nth(f, 3),
			Source: policy.Wildcard{Addr: number(f[1]) &^ number(f[2]), Bits: number(f[2])},
		})
	}
	return all
}

func filters(a scripttest.Args) (all []core.Filter) {
	for _, v := range a.Pairs["filter"] {
		f := strings.Split(v, ",")
		list, prefix := strings.CutPrefix(f[0], "prefix:")
		all = append(all, core.Filter{Prefix: prefix, List: list, Out: f[1] == "out", Interface: nth(f, 2)})
	}
	return all
}

func redistribute(v string) core.Redistribute {
	f := strings.Split(v, ",")
	r := core.Redistribute{Protocol: protocol(f[0])}
	for _, v := range f[1:] {
		key, value, _ := strings.Cut(v, ":")
		switch key {
		case "metric":
			r.Metric = uint8(scripttest.Must(strconv.Atoi(value)))
		case "transparent":
			r.Transparent = true
		case "map":
			r.RouteMap = value
		case "instance":
			r.Instance = uint32(scripttest.Must(strconv.Atoi(value)))
		}
	}
	return r
}

func protocol(name string) rib.Protocol {
	p, ok := rib.ParseProtocol(name)
	if !ok {
		panic("no protocol: " + name)
	}
	return p
}

// iface describes an interface's configuration anew:
//
//	interface NAME [send=1|2|12] [receive=1|2|12] [v2-broadcast]
//	[split-horizon=simple|poison|off] [next-hop-self] [summary=P]…
//	[auth=ALGORITHM] [chain=K] [key=TEXT]
func (w *world) iface(a scripttest.Args) {
	i := core.InterfaceConfig{
		Name: a.Word(1), Send: versions(a.Get("send", "")), Receive: versions(a.Get("receive", "")), V2Broadcast: a.Has("v2-broadcast"),
		NextHopSelf: a.Has("next-hop-self"), Authentication: algorithm(a.Get("auth", "none")), KeyChain: a.Get("chain", ""),
	}
	switch a.Get("split-horizon", "simple") {
	case "poison":
		i.SplitHorizon = core.SplitHorizonPoison
	case "off":
		i.SplitHorizon = core.SplitHorizonOff
	}
	for _, v := range a.Pairs["summary"] {
		i.Summaries = append(i.Summaries, netip.MustParsePrefix(v))
	}
	if v := a.Get("key", ""); v != "" {
		i.KeyString = policy.NewSecret(v)
	}
	w.config.Interfaces = slices.DeleteFunc(slices.Clone(w.config.Interfaces), func(o core.InterfaceConfig) bool { return o.Name == i.Name })
	w.config.Interfaces = append(w.config.Interfaces, i)
}

func versions(s string) (v core.Versions) {
	if strings.Contains(s, "1") {
		v |= core.Version1
	}
	if strings.Contains(s, "2") {
		v |= core.Version2
	}
	return v
}

// link describes an interface:
//
//	link NAME up|down|gone [addr=P]… [secondary=P]… [peer=A] [vrf=V] [loopback|multipoint|tunnel|ptp]
//
// What is not said again stays as it was.
func (w *world) link(a scripttest.Args) {
	name := a.Word(1)
	i, ok := w.links[name]
	if !ok {
		i = rib.Interface{Name: name, KernelName: name, Index: len(w.links) + 2, Multicast: true, MTU: 1500}
	}
	i.AdminUp, i.Up = true, a.Has("up")
	if _, ok := a.Pairs["vrf"]; ok {
		i.VRF = a.Get("vrf", "")
	}
	switch {
	case a.Has("loopback"):
		i.Type = rib.TypeLoopback
	case a.Has("ptp"):
		i.Type = rib.TypePointToPoint
	case a.Has("multipoint"):
		i.Type, i.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr("192.0.2.1")}
	case a.Has("tunnel"):
		i.Type, i.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGRE, Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("192.0.2.2")}
	}
	if len(a.Pairs["addr"]) > 0 {
		i.Addresses = nil
	}
	for _, v := range a.Pairs["addr"] {
		addr := rib.Address{Prefix: netip.MustParsePrefix(v)}
		if peer := a.Get("peer", ""); peer != "" {
			addr.Peer = netip.PrefixFrom(netip.MustParseAddr(peer), 32)
		}
		i.Addresses = append(i.Addresses, addr)
	}
	for _, v := range a.Pairs["secondary"] {
		i.Addresses = append(i.Addresses, rib.Address{Prefix: netip.MustParsePrefix(v), Secondary: true})
	}
	w.links[name] = i
	if a.Has("gone") {
		delete(w.links, name)
		if w.started {
			w.Step(core.InterfaceGone{Name: name})
		}
		return
	}
	if w.started {
		w.Step(core.InterfaceChanged{Interface: i})
	}
}

// route is a route of another protocol: route add|del PROTOCOL PREFIX
// [metric=N] [tag=N] [via=A] [if=IF] [vrf=V] [instance=N] [distance=N], or
// route known PROTOCOL.
func (w *world) route(a scripttest.Args) {
	p := protocol(a.Word(2))
	watch := rib.Watch{Kind: rib.WatchRedistribute, VRF: a.Get("vrf", ""), Family: rib.IPv4, Protocol: p, Instance: uint32(a.Number("instance", 0))}
	if a.Word(1) == "known" {
		w.Step(core.RoutesKnown{Watch: watch})
		return
	}
	hop := rib.NextHop{Interface: a.Get("if", "")}
	if v := a.Get("via", ""); v != "" {
		hop.Addr = netip.MustParseAddr(v)
	}
	w.Step(core.RouteChanged{Watch: watch, Withdrawn: a.Word(1) == "del", Route: rib.Route{
		VRF: watch.VRF, Prefix: netip.MustParsePrefix(a.Word(3)), Protocol: p, Instance: watch.Instance, Distance: p.Distance(),
		Metric: uint32(a.Number("metric", 0)), Tag: uint32(a.Number("tag", 0)), NextHops: []rib.NextHop{hop},
	}})
}
