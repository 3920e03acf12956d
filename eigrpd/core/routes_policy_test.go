package core

import (
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// policyPair is two routers on a LAN of 1 Gbit/s and 10 µs, a with a network of its own of
// the same kind, b with what cfg says.
func policyPair(t testing.TB, a, b InstanceConfig, text string) (w *routesNet, ra, rb *routesRouter) {
	w = newRoutesNet(t)
	ra, rb = w.router("a", "1.1.1.1", a), w.router("b", "2.2.2.2", b)
	ra.core.policy, rb.core.policy = policytest.Parse(t, text), policytest.Parse(t, text)
	ra.iface("net", "Gi2", "10.1.0.1/24", 1_000_000, 1, InterfaceConfig{})
	ra.iface("net2", "Gi3", "10.2.0.1/24", 1_000_000, 1, InterfaceConfig{})
	ra.iface("lan", "Gi1", "192.168.0.1/24", 1_000_000, 1, InterfaceConfig{})
	rb.iface("lan", "Gi1", "192.168.0.2/24", 1_000_000, 1, InterfaceConfig{})
	w.peer(ra, rb, "lan")
	return w, ra, rb
}

const (
	one = "D 10.1.0.0/24 [90/3072] via 192.168.0.1 Gi1"
	two = "D 10.2.0.0/24 [90/3072] via 192.168.0.1 Gi1"
)

const somePolicy = `
access-list 1 permit 10.1.0.0 0.0.255.255
access-list 2 permit 10.2.0.0 0.0.255.255
access-list 100 permit ip host 192.168.0.1 10.1.0.0 0.0.255.255
ip prefix-list P seq 5 permit 10.1.0.0/24
ip prefix-list GW seq 5 permit 192.168.0.1/32
ip prefix-list NOGW seq 5 permit 192.168.0.9/32
route-map TAG permit 10
 match ip address prefix-list P
 set tag 7
route-map TAG permit 20
route-map WORSE permit 10
 set metric 1000 100 255 1 1500
route-map BETTER permit 10
 set metric 10000000 0 255 1 1500
`

// TestDistributeLists checks what each kind of distribute-list lets in and out.
func TestDistributeLists(t *testing.T) {
	tests := map[string]struct {
		filter Filter
		want   []string
	}{
		"access-list":           {Filter{List: "1"}, []string{one}},
		"extended by router":    {Filter{List: "100"}, []string{one}},
		"prefix-list":           {Filter{Kind: FilterPrefixList, List: "P"}, []string{one}},
		"this interface":        {Filter{List: "1", Interface: "Gi1"}, []string{one}},
		"another interface":     {Filter{List: "1", Interface: "Gi9"}, []string{one, two}},
		"gateway":               {Filter{Kind: FilterPrefixList, Gateway: "GW"}, []string{one, two}},
		"other gateway":         {Filter{Kind: FilterPrefixList, Gateway: "NOGW"}, nil},
		"list and gateway":      {Filter{Kind: FilterPrefixList, List: "P", Gateway: "GW"}, []string{one}},
		"route-map tags":        {Filter{Kind: FilterRouteMap, List: "TAG"}, []string{strings.Replace(one, "] ", "] tag 7 ", 1), two}},
		"no such route-map":     {Filter{Kind: FilterRouteMap, List: "NONE"}, nil},
		"no such list":          {Filter{List: "99"}, []string{one, two}},
		"route-map, worse":      {Filter{Kind: FilterRouteMap, List: "WORSE"}, []string{strings.Replace(one, "3072", "2585600", 1), strings.Replace(two, "3072", "2585600", 1)}},
		"route-map, not better": {Filter{Kind: FilterRouteMap, List: "BETTER"}, []string{one, two}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, _, b := policyPair(t, InstanceConfig{}, InstanceConfig{Filters: []Filter{test.filter}}, somePolicy)
			b.want(test.want...)
			old := b.cfg
			b.cfg.Filters = nil
			b.routesConfigured(w.now, old)
			b.flush()
			b.want(one, two)
			old, b.cfg = b.cfg, old
			b.routesConfigured(w.now, old)
			b.flush()
			b.want(test.want...)
		})
		if test.filter.Gateway != "" || strings.HasPrefix(name, "route-map, ") || test.filter.List == "100" {
			continue
		}
		t.Run(name+" out", func(t *testing.T) {
			out := test.filter
			out.Out = true
			w, a, b := policyPair(t, InstanceConfig{Filters: []Filter{out}}, InstanceConfig{}, somePolicy)
			want := test.want
			if name == "route-map tags" {
				want = []string{strings.Replace(one, "] ", "] tag 7 ", 1), two}
			}
			b.want(want...)
			old := a.cfg
			a.cfg.Filters = nil
			a.routesConfigured(w.now, old)
			a.flush()
			w.run()
			b.want(one, two)
		})
	}
}

// TestFilterByProtocol checks a filter that is about routes of one origin only.
func TestFilterByProtocol(t *testing.T) {
	cfg := InstanceConfig{
		Redistribute: []Redistribute{{Protocol: rib.Static, Metric: &policy.Vector{Bandwidth: 1_000_000, Delay: 1, Reliability: 255, Load: 1, MTU: 1500}}},
		Filters:      []Filter{{List: "1", Out: true, Protocol: rib.Static}},
	}
	w, a, b := policyPair(t, cfg, InstanceConfig{}, somePolicy)
	for _, p := range []string{"10.1.1.0/24", "10.9.0.0/24"} {
		a.routesRedistribution(w.now, RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix(p), Protocol: rib.Static}})
	}
	a.flush()
	w.run()
	b.want(one, two, "D EX 10.1.1.0/24 [170/3072] via 192.168.0.1 Gi1")
}

func (r *routesRouter) watch(p rib.Protocol, instance uint32) rib.Watch {
	return rib.Watch{Kind: rib.WatchRedistribute, Family: rib.IPv4, Protocol: p, Instance: instance}
}

// TestOffsetLists checks that a metric grows by the offset, to the digit in classic
// mode.
func TestOffsetLists(t *testing.T) {
	offset := func(o OffsetList) InstanceConfig { return InstanceConfig{Offsets: []OffsetList{o}} }
	bigger := strings.Replace(one, "3072", "4072", 1)
	tests := map[string]struct {
		a, b InstanceConfig
		want []string
	}{
		"in":              {b: offset(OffsetList{List: "1", Offset: 1000}), want: []string{bigger, two}},
		"out":             {a: offset(OffsetList{List: "1", Out: true, Offset: 1000}), want: []string{bigger, two}},
		"of all":          {b: offset(OffsetList{Offset: 1000}), want: []string{bigger, strings.Replace(two, "3072", "4072", 1)}},
		"by interface":    {b: offset(OffsetList{List: "1", Offset: 1000, Interface: "Gi1"}), want: []string{bigger, two}},
		"other interface": {b: offset(OffsetList{List: "1", Offset: 1000, Interface: "Gi2"}), want: []string{one, two}},
		"interface first": {b: InstanceConfig{Offsets: []OffsetList{{Offset: 5}, {List: "1", Offset: 1000, Interface: "Gi1"}, {Offset: 5}}}, want: []string{bigger, two}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, b := policyPair(t, test.a, test.b, somePolicy)
			b.want(test.want...)
		})
	}
}

// TestDefaultInformation checks which default routes pass.
func TestDefaultInformation(t *testing.T) {
	const byDefault = "D EX 0.0.0.0/0 [170/3072] via 192.168.0.1 Gi1"
	policyText := somePolicy + "access-list 3 permit 0.0.0.0\naccess-list 4 permit 10.0.0.0\n"
	tests := map[string]struct {
		out, in DefaultInformation
		pass    bool
	}{
		"yes":         {pass: true},
		"deny in":     {in: DefaultInformation{Deny: true}},
		"deny out":    {out: DefaultInformation{Deny: true}},
		"list in":     {in: DefaultInformation{List: "3"}, pass: true},
		"not in list": {in: DefaultInformation{List: "4"}},
		"list out":    {out: DefaultInformation{List: "4"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := policy.Vector{Bandwidth: 1_000_000, Delay: 1, Reliability: 255, Load: 1, MTU: 1500}
			w, a, b := policyPair(t, InstanceConfig{DefaultOut: test.out, Redistribute: []Redistribute{{Protocol: rib.Static, Metric: &v}}},
				InstanceConfig{DefaultIn: test.in}, policyText)
			a.routesRedistribution(w.now, RouteChanged{Watch: a.watch(rib.Static, 0), Route: rib.Route{Prefix: prefix("0.0.0.0/0"), Protocol: rib.Static}})
			a.flush()
			w.run()
			if test.pass {
				b.want(one, two, byDefault)
			} else {
				b.want(one, two)
			}
		})
	}
}
