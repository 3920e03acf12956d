package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/rib"
)

var compareRoutes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// base is the route that the tests send through route-maps.
func base() Route {
	return Route{Prefix: prefix("10.1.0.0/16"), NextHop: addr("192.168.0.1"), Source: addr("192.168.0.9"), Interface: "Tunnel0",
		Tag: 5, Metric: 20, Protocol: rib.EIGRP, Instance: 100, Communities: []Community{7<<16 | 7}}
}

const lists = `ip prefix-list TEN permit 10.0.0.0/8 le 32
ip prefix-list HOPS permit 192.168.0.0/24 le 32
ip prefix-list NOT deny 10.0.0.0/8 le 32
ip prefix-list ELEVEN permit 11.0.0.0/8 le 32
ipv6 prefix-list DOC permit 2001:db8::/32 le 64
access-list 1 permit 10.0.0.0 0.255.255.255
access-list 2 permit 192.168.0.1
access-list 3 permit 192.168.0.9
`

// Each match clause with what fits and what does not.
func TestMatch(t *testing.T) {
	for clause, want := range map[string]bool{
		"":                                 true,
		"match ip address 1":               true,
		"match ip address 2":               false,
		"match ip address 2 1":             true,
		"match ip address undefined":       true,
		"match ip address prefix-list TEN": true,
		"match ip address prefix-list ELEVEN TEN":                 true,
		"match ip address prefix-list ELEVEN":                     false,
		"match ip address prefix-list NOT":                        false,
		"match ip address prefix-list undefined":                  true,
		"match ipv6 address prefix-list DOC":                      false,
		"match ipv6 address prefix-list undefined":                false,
		"match ip next-hop 2":                                     true,
		"match ip next-hop 3":                                     false,
		"match ip next-hop prefix-list HOPS":                      true,
		"match ip next-hop prefix-list TEN":                       false,
		"match ip route-source 3":                                 true,
		"match ip route-source 2":                                 false,
		"match interface tu0":                                     true,
		"match interface Tunnel1":                                 false,
		"match interface Tunnel1 Tunnel0":                         true,
		"match tag 5":                                             true,
		"match tag 4 6":                                           false,
		"match metric 20":                                         true,
		"match metric 21":                                         false,
		"match source-protocol eigrp":                             true,
		"match source-protocol eigrp 100":                         true,
		"match source-protocol eigrp 101":                         false,
		"match source-protocol rip ospf":                          false,
		"match source-protocol rip eigrp":                         true,
		"match tag 5\nmatch metric 20":                            true,
		"match tag 5\nmatch metric 21":                            false, // kinds must all fit
		"match ip address 2\nmatch ip address 1":                  true,  // values of one kind need not
		"match ip address 1\nmatch ip address prefix-list ELEVEN": false,
	} {
		set := read(t, lists+"route-map M permit 10\n"+clause)
		if _, permit := set.RouteMap("M").Apply(base()); permit != want {
			t.Errorf("%q: %v", clause, permit)
		}
	}
}

func TestMatchIPv6(t *testing.T) {
	r := Route{Prefix: prefix("2001:db8:1::/48"), NextHop: addr("fe80::1")}
	for clause, want := range map[string]bool{
		"match ipv6 address prefix-list DOC": true, "match ip address undefined": false, "match ip address prefix-list undefined": false,
		"match ip next-hop undefined": false, "match ip next-hop prefix-list undefined": false, "match ip route-source undefined": false,
	} {
		set := read(t, lists+"route-map M permit 10\n"+clause)
		if _, permit := set.RouteMap("M").Apply(r); permit != want {
			t.Errorf("%q: %v", clause, permit)
		}
	}
}

// Each set clause with what it makes of the route.
func TestSet(t *testing.T) {
	for clause, change := range map[string]func(*Route){
		"set metric 7":                  func(r *Route) { r.Metric, r.MetricSet = 7, true },
		"set metric +5":                 func(r *Route) { r.Metric, r.MetricSet = 25, true },
		"set metric -5":                 func(r *Route) { r.Metric, r.MetricSet = 15, true },
		"set metric -21":                func(r *Route) { r.Metric, r.MetricSet = 0, true },
		"set metric +4294967295":        func(r *Route) { r.Metric, r.MetricSet = 4294967295, true },
		"set metric 1000 10 255 1 1400": func(r *Route) { r.Vector, r.VectorSet = Vector{1000, 10, 255, 1, 1400}, true },
		"set tag 9":                     func(r *Route) { r.Tag = 9 },
		"set ip next-hop 1.2.3.4":       func(r *Route) { r.NextHop = addr("1.2.3.4") },
		"set ipv6 next-hop 2001:db8::1": func(*Route) {},
		"set metric-type type-1":        func(r *Route) { r.MetricType = MetricType1 },
		"set metric-type type-2":        func(r *Route) { r.MetricType = MetricType2 },
		"set local-preference 300":      func(r *Route) { r.LocalPref, r.LocalPrefSet = 300, true },
		"set community 1:2 no-export 65536": func(r *Route) {
			r.Communities, r.CommunitiesSet = []Community{65536, 1<<16 | 2, CommunityNoExport}, true
		},
		"set community local-AS internet no-advertise additive": func(r *Route) {
			r.Communities, r.CommunitiesSet = []Community{CommunityInternet, 7<<16 | 7, CommunityNoAdvertise, CommunityLocalAS}, true
		},
		"set community none": func(r *Route) { r.Communities, r.CommunitiesSet = nil, true },
	} {
		set := read(t, "route-map M permit 10\n"+clause)
		got, permit := set.RouteMap("M").Apply(base())
		want := base()
		change(&want)
		if d := cmp.Diff(want, got, compareRoutes, compareAddrs); d != "" || !permit {
			t.Errorf("%q: %v\n%s", clause, permit, d)
		}
	}
}

// The walk through the entries: who decides, and which set clauses count.
func TestWalk(t *testing.T) {
	for _, c := range []struct {
		name, text string
		permit     bool
		tag        uint32 // of a route that is permitted
		metric     uint32
	}{
		{"undefined map", "", false, 0, 0},
		{"no entry fits", "route-map M permit 10\nmatch tag 1", false, 0, 0},
		{"first that fits", "route-map M permit 10\nmatch tag 1\nset tag 1\nroute-map M permit 20\nset tag 2\nroute-map M permit 30\nset tag 3", true, 2, 20},
		{"entered out of order", "route-map M permit 20\nset tag 2\nroute-map M permit 3\nset tag 3", true, 3, 20},
		{"deny", "route-map M deny 10\nmatch tag 5\nroute-map M permit 20", false, 0, 0},
		{"deny passes others", "route-map M deny 10\nmatch tag 6\nroute-map M permit 20", true, 5, 20},
		{"deny of a list is no denial", "ip prefix-list NOT deny 0.0.0.0/0 le 32\nroute-map M permit 10\nmatch ip address prefix-list NOT\nset tag 1\nroute-map M permit 20\nset tag 2", true, 2, 20},
		{"continue to the next", "route-map M permit 10\nset tag 1\ncontinue\nroute-map M permit 20\nset metric 2\nroute-map M permit 30\nset tag 3", true, 1, 2},
		{"continue at", "route-map M permit 10\nset tag 1\ncontinue 30\nroute-map M permit 20\nset metric 2\nroute-map M permit 30\nset tag 3", true, 3, 20},
		{"continue at a gap", "route-map M permit 10\nset tag 1\ncontinue 15\nroute-map M permit 20\nset metric 2", true, 1, 2},
		{"continue behind the end", "route-map M permit 10\nset tag 1\ncontinue 99\nroute-map M permit 20\nset metric 2", true, 1, 20},
		{"continue and no other fits", "route-map M permit 10\nset tag 1\ncontinue\nroute-map M permit 20\nmatch tag 9", true, 1, 20},
		{"continue and a denial", "route-map M permit 10\nset tag 1\ncontinue\nroute-map M deny 20", false, 0, 0},
		{"matches see the route as it came", "route-map M permit 10\nset tag 1\ncontinue\nroute-map M deny 20\nmatch tag 1\nroute-map M permit 30\nmatch tag 5\nset metric 3", true, 1, 3},
		{"changes add up", "route-map M permit 10\nset metric +1\ncontinue\nroute-map M permit 20\nset metric +2", true, 5, 23},
		{"call", "route-map N permit 10\nset metric 4\nroute-map M permit 10\nset tag 1\ncall N", true, 1, 4},
		{"call that denies", "route-map N deny 10\nroute-map M permit 10\ncall N\nroute-map M permit 20", false, 0, 0},
		{"call of what is undefined", "route-map M permit 10\ncall N\nroute-map M permit 20", false, 0, 0},
		{"call and continue", "route-map N permit 10\nset metric 4\nroute-map M permit 10\ncall N\ncontinue\nroute-map M permit 20\nset tag 1", true, 1, 4},
		{"two calls of one map", "route-map N permit 10\nset metric +4\nroute-map M permit 10\ncall N\ncontinue\nroute-map M permit 20\ncall N", true, 5, 28},
	} {
		set := read(t, c.text)
		got, permit := set.RouteMap("M").Apply(base())
		if permit != c.permit || permit && (got.Tag != c.tag || got.Metric != c.metric) {
			t.Errorf("%s: permit %v, tag %d, metric %d", c.name, permit, got.Tag, got.Metric)
		}
		if d := cmp.Diff(base(), got, compareRoutes, compareAddrs); !permit && d != "" {
			t.Errorf("%s: a route that was denied changed:\n%s", c.name, d)
		}
	}
}

// Route-maps that call one another in a circle, or too deep, are refused, and
// what is left of them ends.
func TestCalls(t *testing.T) {
	set, refused, _ := load(t, "route-map A permit 10\ncall B\nroute-map B permit 10\ncall C\nroute-map C permit 10\ncall A\nroute-map D permit 1\ncall A")
	if len(refused) != 1 || !strings.Contains(refused[0].Msg, "circle") {
		t.Errorf("circle: %v", refused)
	}
	set.RouteMap("A").Apply(base())
	chain := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "route-map M%d permit 10\ncall M%d\n", i, i+1)
		}
		fmt.Fprintf(&b, "route-map M%d permit 10\n", n)
		return b.String()
	}
	if _, permit := read(t, chain(maxCalls)).RouteMap("M0").Apply(base()); !permit {
		t.Error("the deepest calls that are allowed deny")
	}
	if _, refused, _ := load(t, chain(maxCalls+1)); len(refused) != 1 || !strings.Contains(refused[0].Msg, "in a row") {
		t.Errorf("too deep: %v", refused)
	}
}

// The route that the caller handed over is never changed.
func TestApplyKeepsItsArgument(t *testing.T) {
	set := read(t, "route-map M permit 10\nset community 1:1 additive\nset tag 3")
	r := base()
	r.Communities = append(make([]Community, 0, 8), 9, 3)
	set.RouteMap("M").Apply(r)
	if !slices.Equal(r.Communities, []Community{9, 3}) || slices.Contains(r.Communities[:4], 1<<16|1) {
		t.Errorf("communities became %v", r.Communities[:4])
	}
}

// Random route-maps of tag and metric clauses against a direct reading of the
// rules.
func TestWalkRapid(t *testing.T) {
	type entry struct {
		seq, tag, metric uint32
		permit, cont     bool
		at               uint32
	}
	g := rapid.Custom(func(t *rapid.T) []entry {
		var out []entry
		seq := uint32(0)
		for range rapid.IntRange(0, 8).Draw(t, "entries") {
			seq += rapid.Uint32Range(1, 3).Draw(t, "step")
			e := entry{seq: seq, tag: rapid.Uint32Range(0, 2).Draw(t, "tag"), metric: rapid.Uint32Range(1, 9).Draw(t, "metric"), permit: rapid.IntRange(0, 3).Draw(t, "permit") > 0}
			if e.cont = e.permit && rapid.Bool().Draw(t, "continue"); e.cont && rapid.Bool().Draw(t, "at") {
				e.at = seq + rapid.Uint32Range(1, 6).Draw(t, "where")
			}
			out = append(out, e)
		}
		return out
	})
	rapid.Check(t, func(rt *rapid.T) {
		entries := g.Draw(rt, "map")
		var text strings.Builder
		for _, e := range entries {
			fmt.Fprintf(&text, "route-map M %s %d\nset metric +%d\n", verb(e.permit), e.seq, e.metric)
			if e.tag > 0 {
				fmt.Fprintf(&text, "match tag %d\n", e.tag)
			}
			if e.at > 0 {
				fmt.Fprintf(&text, "continue %d\n", e.at)
			} else if e.cont {
				fmt.Fprintln(&text, "continue")
			}
		}
		r := base()
		r.Tag = rapid.Uint32Range(1, 2).Draw(rt, "route")
		wantPermit, want, from := false, uint32(0), uint32(0)
		for _, e := range entries {
			if e.seq < from || e.tag > 0 && e.tag != r.Tag {
				continue
			}
			if wantPermit = e.permit; !e.permit {
				break
			}
			want += e.metric
			if !e.cont {
				break
			}
			from = e.at
		}
		got, permit := read(t, text.String()).RouteMap("M").Apply(r)
		if permit != wantPermit || permit && got.Metric != r.Metric+want {
			rt.Fatalf("%s\npermit %v metric %d, want %v %d", text.String(), permit, got.Metric, wantPermit, r.Metric+want)
		}
	})
}

func BenchmarkRouteMap(b *testing.B) {
	set := read(b, lists+"route-map M deny 10\nmatch ip address prefix-list ELEVEN\nroute-map M permit 20\nmatch ip address prefix-list TEN\nset tag 4\nset metric 10")
	m, r := set.RouteMap("M"), base()
	b.ReportAllocs()
	for b.Loop() {
		m.Apply(r)
	}
}
