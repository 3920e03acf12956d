package core_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
)

func birth(t testing.TB) scripttest.World {
	return &world{t: t, core: core.New(), cfg: map[string]*core.InstanceConfig{}}
}

// TestScripts runs the scripts of testdata, whose commands are those of world.
func TestScripts(t *testing.T) { scripttest.Run(t, birth) }

// TestScriptsTwice makes each script yield the same in every run.
func TestScriptsTwice(t *testing.T) { scripttest.Repeat(t, 2, birth) }

// TestScriptsCite makes each script say which clause it is about.
func TestScriptsCite(t *testing.T) { scripttest.Cite(t, "RFC ") }

// world drives a core by the commands of a script:
//
//	advance 10s
//	attached [stale=N]
//	vrf [NAME] as=N [network=P[:MAP]]… [redistribute=PROTOCOL[:INSTANCE][:metric:N][:map:M]]… [default-information]
//	    [default-metric=N] [distance=E,I,L] [await=ADDR]… [ranges] [delay=D]   of IPv4; networks of both
//	no-vrf [NAME]
//	policy LINE; LINE…        the policy of the configuration
//	commit                    hands the configuration over
//	route|gone PROTOCOL[:INSTANCE] PREFIX [metric=N] [tag=N] [vrf=V]
//	network|no-network PREFIX PROTOCOL [metric=N] [vrf=V]
//	known PREFIX|PROTOCOL [vrf=V]
//	hop ADDR [by=PREFIX] [metric=N] [vrf=V]
//	started [V] [returning=ADDR]…
//	stopped|settled [V]
//	best PREFIX [via=ADDR]… [own] [aggregate] [external] [med=N] [as=N] [vrf=V]
//	used|unused ADDR [vrf=V]
//	eor ADDR [vrf=V]
//	report [V]
type world struct {
	t      testing.TB
	core   *core.Core
	now    clock.Instant
	cfg    map[string]*core.InstanceConfig
	order  []string
	policy *policy.Set
	out    strings.Builder
}

// Output implements scripttest.World.
func (w *world) Output() string {
	text := w.out.String()
	w.out.Reset()
	return text
}

// Command implements scripttest.World.
func (w *world) Command(line string) {
	a := scripttest.ParseArgs(line)
	vrf := a.Get("vrf", "")
	switch verb := a.Word(0); verb {
	case "advance":
		w.advance(w.now.Add(scripttest.Must(time.ParseDuration(a.Word(1)))))
	case "attached":
		w.step(core.Attached{Stale: a.Number("stale", 0)})
	case "vrf":
		w.vrf(a)
	case "no-vrf":
		delete(w.cfg, strings.Join(a.Words[1:], ""))
	case "policy":
		w.readPolicy(strings.TrimPrefix(line, "policy "))
	case "commit":
		c := core.Config{Policy: w.policy}
		for _, name := range w.order {
			if i := w.cfg[name]; i != nil {
				c.Instances = append(c.Instances, *i)
			}
		}
		w.step(core.ConfigSet{Config: c})
	case "route", "gone":
		r := w.route(a.Word(2), a.Word(1), a)
		w.step(core.RouteChanged{Watch: redistribution(r), Route: r, Withdrawn: verb == "gone"})
	case "network", "no-network":
		r := w.route(a.Word(1), a.Word(2), a)
		w.step(core.RouteChanged{Watch: rib.Watch{Kind: rib.WatchNetwork, VRF: vrf, Prefix: r.Prefix}, Route: r, Withdrawn: verb == "no-network"})
	case "known":
		if p, err := netip.ParsePrefix(a.Word(1)); err == nil {
			w.step(core.RoutesKnown{Watch: rib.Watch{Kind: rib.WatchNetwork, VRF: vrf, Prefix: p}})
		} else {
			w.step(core.RoutesKnown{Watch: redistribution(w.route("0.0.0.0/0", a.Word(1), a))})
		}
	default:
		w.speaker(verb, vrf, a)
	}
}

// speaker does the commands about speakers and next hops.
func (w *world) speaker(verb, vrf string, a scripttest.Args) {
	switch verb {
	case "hop":
		e := rib.NextHopChanged{Watch: rib.Watch{Kind: rib.WatchNextHop, VRF: vrf, Addr: netip.MustParseAddr(a.Word(1))}, Metric: uint32(a.Number("metric", 0))}
		if by := a.Get("by", ""); by != "" {
			e.Prefix, e.NextHops = netip.MustParsePrefix(by), []rib.NextHop{{Interface: "Tunnel0"}}
		}
		w.step(core.NextHopChanged{NextHopChanged: e})
	case "started":
		in := core.Started{VRF: strings.Join(a.Words[1:], "")}
		for _, addr := range a.Pairs["returning"] {
			n := netip.MustParseAddr(addr)
			in.Returning = append(in.Returning, core.Neighbor{Addr: n, Family: rib.FamilyOf(n)})
		}
		w.step(in)
	case "settled":
		w.step(core.Settled{VRF: strings.Join(a.Words[1:], "")})
	case "stopped":
		w.step(core.Stopped{VRF: strings.Join(a.Words[1:], "")})
	case "best":
		r := core.Route{Prefix: netip.MustParsePrefix(a.Word(1))}
		for _, via := range a.Pairs["via"] {
			r.Paths = append(r.Paths, core.Path{NextHop: netip.MustParseAddr(via), External: a.Has("external"), MED: uint32(a.Number("med", 0)), AS: uint32(a.Number("as", 0))})
		}
		if a.Has("own") || a.Has("aggregate") {
			r.Paths = append(r.Paths, core.Path{NextHop: netip.IPv4Unspecified(), Own: true, Aggregate: a.Has("aggregate")})
		}
		w.step(core.Best{VRF: vrf, Routes: []core.Route{r}})
	case "used", "unused":
		w.step(core.NextHopUsed{VRF: vrf, Addr: netip.MustParseAddr(a.Word(1)), Used: verb == "used"})
	case "eor":
		addr := netip.MustParseAddr(a.Word(1))
		w.step(core.EndOfRIB{VRF: vrf, Neighbor: core.Neighbor{Addr: addr, Family: rib.FamilyOf(addr)}})
	case "report":
		w.step(core.Query{ID: 1, VRF: strings.Join(a.Words[1:], "")})
	default:
		w.t.Fatalf("unknown command %q", verb)
	}
}

func (w *world) route(prefix, protocol string, a scripttest.Args) rib.Route {
	name, instance, _ := strings.Cut(protocol, ":")
	p, ok := rib.ParseProtocol(name)
	if !ok {
		w.t.Fatalf("protocol %q", name)
	}
	r := rib.Route{VRF: a.Get("vrf", ""), Prefix: netip.MustParsePrefix(prefix), Protocol: p, Metric: uint32(a.Number("metric", 0)), Tag: uint32(a.Number("tag", 0))}
	fmt.Sscan(instance, &r.Instance)
	return r
}

func redistribution(r rib.Route) rib.Watch {
	return rib.Watch{Kind: rib.WatchRedistribute, VRF: r.VRF, Family: rib.FamilyOf(r.Prefix.Addr()), Protocol: r.Protocol, Instance: r.Instance}
}

// vrf reads an instance.
func (w *world) vrf(a scripttest.Args) {
	name := ""
	if len(a.Words) > 1 && !a.Has("ranges") && !a.Has("default-information") {
		name = a.Word(1)
	}
	c := &core.InstanceConfig{VRF: name, AS: uint32(a.Number("as", 0)), Ranges: a.Has("ranges"), UpdateDelay: a.Duration("delay", 0)}
	for _, n := range a.Pairs["network"] {
		prefix, routeMap, _ := strings.Cut(n, "@")
		network := core.Network{Prefix: netip.MustParsePrefix(prefix), RouteMap: routeMap}
		if network.Prefix.Addr().Is4() {
			c.IPv4.Networks = append(c.IPv4.Networks, network)
		} else {
			c.IPv6.Networks = append(c.IPv6.Networks, network)
		}
	}
	for _, line := range a.Pairs["redistribute"] {
		words := strings.Split(line, ",")
		r := core.Redistribute{}
		protocol, instance, _ := strings.Cut(words[0], ":")
		r.Protocol, _ = rib.ParseProtocol(protocol)
		fmt.Sscan(instance, &r.Instance)
		for i := 1; i+1 < len(words); i += 2 {
			if words[i] == "map" {
				r.RouteMap = words[i+1]
				continue
			}
			r.Metric = new(uint32)
			fmt.Sscan(words[i+1], r.Metric)
		}
		c.IPv4.Redistribute = append(c.IPv4.Redistribute, r)
	}
	c.IPv4.DefaultInformation = a.Has("default-information")
	if n := a.Number("default-metric", -1); n >= 0 {
		metric := uint32(n)
		c.IPv4.DefaultMetric = &metric
	}
	fmt.Sscanf(a.Get("distance", ""), "%d,%d,%d", &c.IPv4.Distance.External, &c.IPv4.Distance.Internal, &c.IPv4.Distance.Local)
	for _, addr := range a.Pairs["await"] {
		n := netip.MustParseAddr(addr)
		c.Awaited = append(c.Awaited, core.Neighbor{Addr: n, Family: rib.FamilyOf(n)})
	}
	if w.cfg[name] == nil {
		w.order = append(w.order, name)
	}
	w.cfg[name] = c
}

// readPolicy reads policy lines, separated by semicolons.
func (w *world) readPolicy(lines string) {
	w.policy = policytest.Parse(w.t, strings.ReplaceAll(lines, ";", "\n"))
}

// advance lets time pass; the core is woken where it wants to be.
func (w *world) advance(to clock.Instant) {
	for {
		at, ok := w.core.Wake()
		if !ok || at > to {
			break
		}
		w.now = at
		w.step(core.Tick{})
	}
	w.now = to
}

func (w *world) step(in core.Input) {
	w.core.Step(w.now, in)
	for _, e := range w.core.Drain(nil) {
		fmt.Fprintf(&w.out, "%8.3fs  %s\n", time.Duration(w.now).Seconds(), effect(e))
	}
}

// effect prints an effect.
func effect(e core.Effect) string {
	in := func(vrf string) string {
		if vrf == "" {
			return ""
		}
		return " in " + vrf
	}
	switch e := e.(type) {
	case core.Originate:
		a := e.Attributes
		out := fmt.Sprintf("originate %v%s origin %v med %d weight %d", e.Prefix, in(e.VRF), a.Origin, a.MED, a.Weight)
		if a.HasLocalPref {
			out += fmt.Sprintf(" localpref %d", a.LocalPref)
		}
		for _, c := range a.Communities {
			out += " community " + c.String()
		}
		if !a.NextHop.IsUnspecified() {
			out += " next hop " + a.NextHop.String()
		}
		return out
	case core.Withdraw:
		return fmt.Sprintf("withdraw %v%s", e.Prefix, in(e.VRF))
	case core.SetNextHop:
		return fmt.Sprintf("next hop %v%s reachable %t metric %d", e.Addr, in(e.VRF), e.Reachable, e.Metric)
	case core.Retell:
		return fmt.Sprintf("retell family %d%s", e.Family, in(e.VRF))
	case core.PutRoute:
		r := e.Route
		out := fmt.Sprintf("put %v%s [%d/%d] bgp %d type %s", r.Prefix, in(r.VRF), r.Distance, r.Metric, r.Instance,
			map[rib.RouteType]string{rib.TypeEBGP: "external", rib.TypeIBGP: "internal", rib.TypeInternal: "own"}[r.Type])
		for _, h := range r.NextHops {
			if h.Discard {
				out += " Null0"
			} else {
				out += " via " + h.Addr.String()
			}
		}
		if r.Tag != 0 {
			out += fmt.Sprintf(" tag %d", r.Tag)
		}
		return out
	case core.DelRoute:
		return fmt.Sprintf("delete %v%s bgp %d", e.Key.Prefix, in(e.Key.VRF), e.Key.Instance)
	case core.WatchAdd:
		return "watch " + watch(e.Watch)
	case core.WatchDel:
		return "unwatch " + watch(e.Watch)
	case core.Settle:
		return "settle" + in(e.VRF)
	case core.EndOfReplay:
		return "end of replay"
	case core.Answer:
		return fmt.Sprintf("report %+v", e.Report)
	}
	return fmt.Sprintf("%T", e)
}

func watch(w rib.Watch) string {
	out := map[rib.WatchKind]string{rib.WatchNextHop: "next hop " + w.Addr.String(), rib.WatchNetwork: "network " + w.Prefix.String(),
		rib.WatchRedistribute: fmt.Sprintf("%v %d of family %d", w.Protocol, w.Instance, w.Family)}[w.Kind]
	return strings.TrimSuffix(out+" in "+cmp.Or(w.VRF, "default"), " in default")
}

// TestApply: what a route-map makes of attributes, and that it leaves alone what it does
// not change.
func TestApply(t *testing.T) {
	w := &world{t: t}
	w.readPolicy("route-map M permit 10;match ip address prefix-list P;set metric 7;set local-preference 50;set community 65000:1 additive;set ip next-hop 10.0.0.9;ip prefix-list P permit 10.0.0.0/8;" +
		"route-map BGP permit 10;match as-path 1;set as-path prepend 65000 65009;set weight 7;set origin incomplete;ip as-path access-list 1 permit ^65001$;" +
		"route-map WIDE permit 10;match extcommunity 1;match large-community 1;set extcommunity soo 65000:9;set large-community 65000:2:2 additive;ip extcommunity-list 1 permit rt 65000:1;ip large-community-list 1 permit 65000:1:1;" +
		"route-map SAME permit 10")
	a := &locrib.Attributes{NextHop: netip.MustParseAddr("10.0.0.1"), Communities: []policy.Community{65000<<16 | 2}}
	r := policy.Route{Prefix: netip.MustParsePrefix("10.0.0.0/8")}
	got, ok := core.Apply(w.policy.RouteMap("M"), r, a)
	if !ok || got.MED != 7 || !got.HasMED || got.LocalPref != 50 || !got.HasLocalPref || got.NextHop != netip.MustParseAddr("10.0.0.9") || len(got.Communities) != 2 {
		t.Errorf("%+v, %t", got, ok)
	}
	if a.MED != 0 || len(a.Communities) != 1 {
		t.Error("the attributes that were given are others now")
	}
	if got, ok := core.Apply(w.policy.RouteMap("SAME"), r, a); got != a || !ok {
		t.Errorf("%+v, %t", got, ok)
	}
	b := &locrib.Attributes{ASPath: locrib.ASPath{{Type: locrib.Sequence, AS: []uint32{65001}}}}
	if got, ok := core.Apply(w.policy.RouteMap("BGP"), r, b); !ok || got.ASPath.String() != "65000 65009 65001" || got.Weight != 7 || got.Origin != locrib.Incomplete || b.ASPath.Len() != 1 {
		t.Errorf("%+v, %t", got, ok)
	}
	wide := &locrib.Attributes{Extended: []policy.ExtCommunity{{0, 2, 0xFD, 0xE8, 0, 0, 0, 1}}, Large: []policy.LargeCommunity{{65000, 1, 1}}}
	if got, ok := core.Apply(w.policy.RouteMap("WIDE"), r, wide); !ok || fmt.Sprint(got.Extended, got.Large) != "[RT:65000:1 SoO:65000:9] [65000:1:1 65000:2:2]" || len(wide.Extended) != 1 {
		t.Errorf("%v %v, %t", got.Extended, got.Large, ok)
	}
	if _, ok := core.Apply(w.policy.RouteMap("WIDE"), r, a); ok {
		t.Error("a route without extended and large communities is permitted")
	}
	r.Prefix = netip.MustParsePrefix("11.0.0.0/8")
	if _, ok := core.Apply(w.policy.RouteMap("M"), r, a); ok {
		t.Error("permitted")
	}
	if _, ok := core.Apply(nil, r, a); ok {
		t.Error("a route-map that is not defined permits")
	}
}
