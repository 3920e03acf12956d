package core

import (
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

func watchOf(p rib.Protocol, number uint32) rib.Watch {
	return rib.Watch{Kind: rib.WatchRedistribute, Family: rib.IPv4, Protocol: p, Instance: number}
}

func (r *rig) other(w rib.Watch, p string, metric uint32, gone bool, hops ...rib.NextHop) {
	r.t.Helper()
	r.step(RouteChanged{Watch: w, Withdrawn: gone, Route: rib.Route{
		Prefix: prefix(p), Protocol: w.Protocol, Instance: w.Instance, Metric: metric, Tag: 7, NextHops: hops}})
}

// TestRedistribute: which metric a route of another protocol gets.
func TestRedistribute(t *testing.T) {
	for _, x := range []struct {
		name string
		line Redistribute
		set  string
		want string // "" for none
	}{
		{"default-metric", Redistribute{}, "", "5"},
		{"metric", Redistribute{Metric: 3}, "", "3"},
		{"transparent", Redistribute{Transparent: true}, "", "11"},
		{"route-map", Redistribute{Metric: 3, RouteMap: "M"}, "route-map M permit 10\n set metric 9\n", "9"},
		{"route-map without metric", Redistribute{Metric: 3, RouteMap: "M"}, "route-map M permit 10\n", "3"},
		{"route-map tag", Redistribute{Metric: 3, RouteMap: "M"}, "route-map M permit 10\n set tag 8\n", "3 tag 8"},
		{"route-map denies", Redistribute{RouteMap: "M"}, "route-map M deny 10\n", ""},
		{"no such route-map", Redistribute{RouteMap: "M"}, "", ""},
		{"unreachable", Redistribute{Metric: 16}, "", ""},
	} {
		r := newRig(t)
		rc := &r.cfg.Routers[0]
		x.line.Protocol = rib.Static
		rc.DefaultMetric, rc.Redistribute = 5, []Redistribute{x.line}
		r.cfg.Policy = policytest.Parse(t, x.set)
		r.start(link("eth0", "10.0.0.1/24"))
		w := watchOf(rib.Static, 0)
		if !r.watch[w] {
			t.Errorf("%s: static routes are not watched", x.name)
		}
		r.other(w, "172.16.0.0/16", 11, false)
		r.other(w, "127.0.0.0/8", 1, false)
		r.other(w, "169.254.0.0/16", 1, false)
		r.other(w, "224.0.0.0/8", 1, false)
		var want []string
		if x.want != "" {
			want = []string{"172.16.0.0/16 " + x.want + " tag 7"}
			if len(x.want) > 1 && x.want[len(x.want)-1] == '8' {
				want = []string{"172.16.0.0/16 " + x.want}
			}
		}
		same(t, x.name, r.full("eth0"), want...)
		same(t, x.name+" installed", r.routes())
	}
}

// TestRedistributeEnds: a route that was withdrawn, or is not redistributed any
// more, is told as unreachable until it is collected, unless it is learnt as well.
func TestRedistributeEnds(t *testing.T) {
	r := hub(t, func(r *rig) {
		r.cfg.Routers[0].Redistribute = []Redistribute{{Protocol: rib.Static}, {Protocol: rib.OSPF, Instance: 1}}
	})
	static, ospf := watchOf(rib.Static, 0), watchOf(rib.OSPF, 1)
	r.other(static, "172.16.0.0/16", 0, false)
	r.other(static, net1, 0, false)
	r.other(ospf, "172.17.0.0/16", 0, false)
	if e := r.entry(net1); e.Source != SourceRedistributed || e.Protocol != rib.Static || e.Metric != 1 {
		t.Errorf("%+v", e)
	}
	r.other(static, "172.16.0.0/16", 0, true)
	r.other(static, net1, 0, true)
	if e := r.entry("172.16.0.0/16"); !e.Garbage {
		t.Errorf("withdrawn: %+v", e)
	}
	if e := r.entry(net1); e.Garbage || e.Source != SourceLearned || e.Metric != 3 {
		t.Errorf("withdrawn, but learnt: %+v", e)
	}
	r.cfg.Routers = []RouterConfig{r.cfg.Routers[0]}
	r.cfg.Routers[0].Redistribute = nil
	r.configure()
	if e := r.entry("172.17.0.0/16"); !e.Garbage || len(r.watch) > 0 {
		t.Errorf("not redistributed any more: %+v %v", e, r.watch)
	}
	r.advance(time.Minute)
	if e := r.entry("172.17.0.0/16"); e != nil {
		t.Errorf("not collected: %+v", e)
	}
}

// TestRedistributeReadsPolicyAnew: a route-map that changes applies to what was
// told before.
func TestRedistributeReadsPolicyAnew(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers[0].Redistribute = []Redistribute{{Protocol: rib.Static, RouteMap: "M"}}
	r.start(link("eth0", "10.0.0.1/24"))
	r.other(watchOf(rib.Static, 0), "172.16.0.0/16", 0, false)
	if r.entry("172.16.0.0/16") != nil {
		t.Error("announced without a route-map")
	}
	for metric, set := range map[uint32]string{4: "route-map M permit 10\n set metric 4\n", 16: "route-map M deny 10\n"} {
		r.cfg.Policy = policytest.Parse(t, "route-map M permit 10\n")
		r.configure()
		r.cfg.Policy = policytest.Parse(t, set)
		r.configure()
		if e := r.entry("172.16.0.0/16"); e == nil || e.Metric != metric {
			t.Errorf("%q: %+v", set, e)
		}
	}
}

// TestGateway: a redistributed route by another router of the subnet is told with
// that router as its next hop (RFC 2453 appendix A).
func TestGateway(t *testing.T) {
	for self, want := range map[bool]string{false: "172.16.0.0/16 1 via 10.0.0.9 tag 7", true: "172.16.0.0/16 1 tag 7"} {
		r := newRig(t)
		r.cfg.Routers[0].Redistribute = []Redistribute{{Protocol: rib.Static}}
		r.iface("eth0").NextHopSelf = self
		r.start(link("eth0", "10.0.0.1/24"), link("eth1", "10.1.0.1/24"))
		r.other(watchOf(rib.Static, 0), "172.16.0.0/16", 0, false, rib.NextHop{Addr: addr("10.0.0.9"), Interface: "eth0"})
		same(t, "on its subnet", r.full("eth0"), "10.1.0.0/24 1", want)
		same(t, "elsewhere", r.full("eth1"), "10.0.0.0/24 1", "172.16.0.0/16 1 tag 7")
	}
}

func TestDefault(t *testing.T) {
	r := hub(t, func(r *rig) { r.cfg.Routers[0].DefaultOriginate = true })
	same(t, "told", r.full("eth0"), "0.0.0.0/0 1", "10.1.0.0/24 1")
	r.cfg.Routers = []RouterConfig{r.cfg.Routers[0]}
	r.cfg.Routers[0].DefaultOriginate = false
	r.configure()
	if e := r.entry("0.0.0.0/0"); !e.Garbage {
		t.Errorf("%+v", e)
	}
}

// TestDefaultWithMap: the default route is announced while a route passes.
func TestDefaultWithMap(t *testing.T) {
	r := hub(t, func(r *rig) {
		r.cfg.Policy = policytest.Parse(t, "ip prefix-list P permit 172.16.0.0/12 le 32\nroute-map M permit 10\n match ip address prefix-list P\n set metric 5\n set tag 3\n")
		r.cfg.Routers[0].DefaultOriginate, r.cfg.Routers[0].DefaultRouteMap = true, "M"
	})
	static, nhrp := watchOf(rib.Static, 0), watchOf(rib.NHRP, 0)
	if !r.watch[static] || !r.watch[nhrp] || r.watch[watchOf(rib.RIP, 0)] || r.watch[watchOf(rib.Local, 0)] {
		t.Errorf("watched: %v", r.watch)
	}
	on := func(want bool) {
		t.Helper()
		e := r.entry("0.0.0.0/0")
		if got := e != nil && e.Metric == 5 && e.Tag == 3 && e.Source == SourceDefault; got != want {
			t.Errorf("announced: %v, want %v: %+v", got, want, e)
		}
	}
	on(false)
	r.other(static, "192.168.0.0/16", 0, false)
	on(false)
	r.other(static, "172.16.0.0/16", 0, false)
	on(true)
	if r.entry("172.16.0.0/16") != nil {
		t.Error("what is watched for the map is redistributed")
	}
	r.rx("eth0", "10.0.0.2", told{prefix: "172.17.0.0/16", metric: 1})
	r.other(static, "172.16.0.0/16", 0, true)
	on(true) // the learnt one passes as well
	r.rx("eth0", "10.0.0.2", told{prefix: "172.17.0.0/16", metric: packet.Infinity})
	on(false)
	r.step(InterfaceChanged{link("lan", "10.5.0.1/24", "172.20.0.1/24")})
	on(false) // RIP does not run on that network
	r.other(nhrp, "172.18.0.0/16", 0, false)
	on(true)
	r.cfg.Policy = policytest.Parse(t, "route-map M deny 10\n")
	r.configure()
	on(false)
	r.cfg.Routers = []RouterConfig{r.cfg.Routers[0]}
	r.cfg.Routers[0].DefaultRouteMap = ""
	r.configure()
	if e := r.entry("0.0.0.0/0"); e.Metric != 1 || len(r.watch) > 0 {
		t.Errorf("without the map: %+v %v", e, r.watch)
	}
}

// TestRoutesKnown: what a restarted zebra does not tell again is gone.
func TestRoutesKnown(t *testing.T) {
	r := hub(t, func(r *rig) { r.cfg.Routers[0].Redistribute = []Redistribute{{Protocol: rib.Static}} })
	w := watchOf(rib.Static, 0)
	r.other(w, "172.16.0.0/16", 0, false)
	r.other(w, "172.17.0.0/16", 0, false)
	r.step(RoutesKnown{w})
	r.step(Attached{})
	r.other(w, "172.17.0.0/16", 0, false)
	if e := r.entry("172.16.0.0/16"); e.Garbage {
		t.Error("gone before zebra told all")
	}
	r.step(RoutesKnown{w})
	if a, b := r.entry("172.16.0.0/16"), r.entry("172.17.0.0/16"); !a.Garbage || b.Garbage {
		t.Errorf("%+v %+v", a, b)
	}
}
