package core_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/core"
)

// world is a core under a script: it keeps time, has the configuration and the
// interfaces, and prints effects.
type world struct {
	t       testing.TB
	core    *core.Core
	now     clock.Instant
	wall    time.Time // at instant zero
	config  core.Config
	policy  string
	links   map[string]rib.Interface
	started bool // links and configuration are handed over as they come
	out     strings.Builder
	brief   bool // routes are not printed, of packets the number of entries only
	traces  bool // all of them, not only drops
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, links: map[string]rib.Interface{}, wall: time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC)}
	w.birth(1)
	return w
}

func (w *world) birth(seed uint64) {
	w.core = core.New(core.Options{Source: rand.NewPCG(seed, seed), Wall: w.wall})
	w.core.Step(w.now, core.Tracing{Events: true})
	w.core.Drain(nil)
}

func (w *world) output() string {
	s := w.out.String()
	w.out.Reset()
	return s
}

// step hands an input to the core and prints what comes of it.
func (w *world) step(in core.Input) {
	w.core.Step(w.now, in)
	for _, e := range w.core.Drain(nil) {
		w.effect(e)
	}
}

// advance lets time pass, from one deadline to the next.
func (w *world) advance(d time.Duration) {
	end := w.now.Add(d)
	for n := 0; ; n++ {
		at, ok := w.core.Wake()
		if !ok || at > end {
			break
		}
		if n > 100_000 {
			w.t.Fatalf("the core wants to be woken at %v again and again", at)
		}
		w.now = max(at, w.now)
		w.step(core.Tick{})
	}
	w.now = end
}

func (w *world) printf(format string, v ...any) {
	fmt.Fprintf(&w.out, "%10.3fs  %s\n", time.Duration(w.now).Seconds(), fmt.Sprintf(format, v...))
}

func (w *world) command(line string) {
	a := parseArgs(line)
	switch a.word(0) {
	case "policy": // a line of it, with its indentation
		w.policy += strings.TrimPrefix(line, "policy ") + "\n"
		w.config.Policy = core.ParsePolicy(w.t, w.policy)
	case "no":
		w.remove(a)
	case "router":
		w.router(a)
	case "interface":
		w.iface(a)
	case "config":
		w.step(core.ConfigSet{Config: w.config})
	case "link":
		w.link(a)
	case "start":
		w.start(a)
	case "restart": // the next life of the daemon
		w.birth(2)
		w.start(a)
	case "attached": // again, by a restarted zebra
		w.step(core.Attached{Stale: a.number("stale")})
	case "advance":
		w.advance(must(time.ParseDuration(a.word(1))))
	case "wall":
		now := must(time.Parse(time.RFC3339, a.word(1)))
		w.wall = now.Add(-time.Duration(w.now))
		w.step(core.WallClock{Now: now})
	case "rx":
		w.rx(a)
	case "route":
		w.route(a)
	case "show":
		w.show(a)
	case "traces":
		w.traces = a.word(1) == "on"
	case "brief":
		w.brief = a.word(1) == "on"
	case "room":
		w.step(core.SendRoom{Interface: a.word(1), Full: a.word(2) == "full"})
	case "clear":
		w.step(core.Clear{VRF: a.get("vrf", ""), AllVRFs: a.has("all"), Routes: a.has("routes"), Counters: a.has("counters")})
	case "shutdown":
		w.step(core.Shutdown{})
	default:
		w.t.Fatal("unknown command: " + line)
	}
}

// start is what a session says first, and the configuration after it.
func (w *world) start(a args) {
	w.started = true
	w.step(core.Attached{Stale: a.number("stale")})
	for _, name := range sortedKeys(w.links) {
		w.step(core.InterfaceChanged{Interface: w.links[name]})
	}
	w.step(core.InterfacesKnown{})
	w.step(core.ConfigSet{Config: w.config})
}

// remove takes a part of the configuration out: no router [vrf=V], no interface
// NAME, no policy.
func (w *world) remove(a args) {
	w.config.Routers, w.config.Interfaces = slices.Clone(w.config.Routers), slices.Clone(w.config.Interfaces)
	switch a.word(1) {
	case "router":
		w.config.Routers = slices.DeleteFunc(w.config.Routers, func(r core.RouterConfig) bool { return r.VRF == a.get("vrf", "") })
	case "interface":
		w.config.Interfaces = slices.DeleteFunc(w.config.Interfaces, func(i core.InterfaceConfig) bool { return i.Name == a.word(2) })
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
func (w *world) router(a args) {
	r := core.RouterConfig{
		VRF: a.get("vrf", ""), Version: uint8(a.number("version")), Passive: a.pairs["passive"], PassiveDefault: a.has("passive-default"),
		OutputDelay: must(time.ParseDuration(a.get("output-delay", "0s"))), MaximumPaths: a.number("paths"),
		DefaultMetric: uint8(a.number("default-metric")), Distance: uint8(a.number("distance")),
		DefaultOriginate: a.has("default-originate"), DefaultRouteMap: a.get("default-map", ""),
		NoValidateSource: a.has("no-validate"), LogNeighbors: a.has("log"),
	}
	for _, v := range a.pairs["network"] {
		if p, err := netip.ParsePrefix(v); err == nil {
			r.Networks = append(r.Networks, p)
		} else {
			r.NetworkInterfaces = append(r.NetworkInterfaces, v)
		}
	}
	for _, v := range a.pairs["neighbor"] {
		r.Neighbors = append(r.Neighbors, netip.MustParseAddr(v))
	}
	if v := a.get("timers", ""); v != "" {
		f := strings.Split(v, ",")
		seconds := func(n int) time.Duration { return time.Duration(must(strconv.Atoi(f[n]))) * time.Second }
		r.Timers = core.Timers{Update: seconds(0), Invalid: seconds(1), Holddown: seconds(2), Flush: seconds(3)}
	}
	for _, v := range a.pairs["static"] {
		r.Static = append(r.Static, netip.MustParsePrefix(v))
	}
	r.Offsets, r.Distances, r.Filters = offsets(a), distances(a), filters(a)
	for _, v := range a.pairs["redistribute"] {
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

func offsets(a args) (all []core.OffsetList) {
	for _, v := range a.pairs["offset"] {
		f := strings.Split(v, ",")
		all = append(all, core.OffsetList{List: f[0], Out: f[1] == "out", Offset: uint8(must(strconv.Atoi(f[2]))), Interface: nth(f, 3)})
	}
	return all
}

func distances(a args) (all []core.SourceDistance) {
	number := func(s string) uint32 {
		b := netip.MustParseAddr(s).As4()
		return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	}
	for _, v := range a.pairs["distance-of"] {
		f := strings.Split(v, ",")
		all = append(all, core.SourceDistance{
			Distance: uint8(must(strconv.Atoi(f[0]))), List: nth(f, 3),
			Source: policy.Wildcard{Addr: number(f[1]) &^ number(f[2]), Bits: number(f[2])},
		})
	}
	return all
}

func filters(a args) (all []core.Filter) {
	for _, v := range a.pairs["filter"] {
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
			r.Metric = uint8(must(strconv.Atoi(value)))
		case "transparent":
			r.Transparent = true
		case "map":
			r.RouteMap = value
		case "instance":
			r.Instance = uint32(must(strconv.Atoi(value)))
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
func (w *world) iface(a args) {
	i := core.InterfaceConfig{
		Name: a.word(1), Send: versions(a.get("send", "")), Receive: versions(a.get("receive", "")), V2Broadcast: a.has("v2-broadcast"),
		NextHopSelf: a.has("next-hop-self"), Authentication: algorithm(a.get("auth", "none")), KeyChain: a.get("chain", ""),
	}
	switch a.get("split-horizon", "simple") {
	case "poison":
		i.SplitHorizon = core.SplitHorizonPoison
	case "off":
		i.SplitHorizon = core.SplitHorizonOff
	}
	for _, v := range a.pairs["summary"] {
		i.Summaries = append(i.Summaries, netip.MustParsePrefix(v))
	}
	if v := a.get("key", ""); v != "" {
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
func (w *world) link(a args) {
	name := a.word(1)
	i, ok := w.links[name]
	if !ok {
		i = rib.Interface{Name: name, KernelName: name, Index: len(w.links) + 2, Multicast: true, MTU: 1500}
	}
	i.AdminUp, i.Up = true, a.has("up")
	if _, ok := a.pairs["vrf"]; ok {
		i.VRF = a.get("vrf", "")
	}
	switch {
	case a.has("loopback"):
		i.Type = rib.TypeLoopback
	case a.has("ptp"):
		i.Type = rib.TypePointToPoint
	case a.has("multipoint"):
		i.Type, i.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr("192.0.2.1")}
	case a.has("tunnel"):
		i.Type, i.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGRE, Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("192.0.2.2")}
	}
	if len(a.pairs["addr"]) > 0 {
		i.Addresses = nil
	}
	for _, v := range a.pairs["addr"] {
		addr := rib.Address{Prefix: netip.MustParsePrefix(v)}
		if peer := a.get("peer", ""); peer != "" {
			addr.Peer = netip.PrefixFrom(netip.MustParseAddr(peer), 32)
		}
		i.Addresses = append(i.Addresses, addr)
	}
	for _, v := range a.pairs["secondary"] {
		i.Addresses = append(i.Addresses, rib.Address{Prefix: netip.MustParsePrefix(v), Secondary: true})
	}
	w.links[name] = i
	if a.has("gone") {
		delete(w.links, name)
		if w.started {
			w.step(core.InterfaceGone{Name: name})
		}
		return
	}
	if w.started {
		w.step(core.InterfaceChanged{Interface: i})
	}
}

// route is a route of another protocol: route add|del PROTOCOL PREFIX
// [metric=N] [tag=N] [via=A] [if=IF] [vrf=V] [instance=N] [distance=N], or
// route known PROTOCOL.
func (w *world) route(a args) {
	p := protocol(a.word(2))
	watch := rib.Watch{Kind: rib.WatchRedistribute, VRF: a.get("vrf", ""), Family: rib.IPv4, Protocol: p, Instance: uint32(a.number("instance"))}
	if a.word(1) == "known" {
		w.step(core.RoutesKnown{Watch: watch})
		return
	}
	hop := rib.NextHop{Interface: a.get("if", "")}
	if v := a.get("via", ""); v != "" {
		hop.Addr = netip.MustParseAddr(v)
	}
	w.step(core.RouteChanged{Watch: watch, Withdrawn: a.word(1) == "del", Route: rib.Route{
		VRF: watch.VRF, Prefix: netip.MustParsePrefix(a.word(3)), Protocol: p, Instance: watch.Instance, Distance: p.Distance(),
		Metric: uint32(a.number("metric")), Tag: uint32(a.number("tag")), NextHops: []rib.NextHop{hop},
	}})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
