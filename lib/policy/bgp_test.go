package policy

import (
	"net/netip"
	"strings"
	"testing"
)

// asPath is an AS path as it is shown.
type asPath string

func (p asPath) String() string { return string(p) }

func TestASPathList(t *testing.T) {
	s := read(t, `ip as-path access-list 1 deny _65002_
ip as-path access-list 1 permit ^65001
ip as-path access-list 2 permit ^$
ip as-path access-list 3 permit _(65001|65002)$
`)
	for _, tc := range []struct {
		list, path string
		permit     bool
	}{
		{"1", "65001", true}, {"1", "65001 7", true}, {"1", "65001 65002", false}, {"1", "65001 {65002,7}", false}, {"1", "650021", false}, {"1", "65001 650021", true}, {"1", "7", false},
		{"2", "", true}, {"2", "7", false}, {"3", "7 65002", true}, {"3", "65002", true}, {"3", "165002", false}, {"99", "7", true},
	} {
		if permit, _ := s.ASPathList(tc.list).Match(tc.path); permit != tc.permit {
			t.Errorf("list %s, path %q: %t", tc.list, tc.path, permit)
		}
	}
}

func TestCommunityList(t *testing.T) {
	s := read(t, `ip community-list 1 permit 65000:1 65000:2
ip community-list 1 deny 65000:3
ip community-list standard ALL permit internet
ip community-list expanded X permit _65000:[0-9]5_
ip community-list 100 deny no-export
`)
	c := func(low ...int) (out []Community) {
		for _, n := range low {
			out = append(out, Community(65000<<16|n))
		}
		return out
	}
	for _, tc := range []struct {
		list   string
		of     []Community
		exact  bool
		permit bool
	}{
		{"1", c(1, 2), false, true}, {"1", c(3, 2, 1), false, true}, {"1", c(3, 2, 1), true, false}, {"1", c(2, 1), true, true}, {"1", c(1), false, false}, {"1", c(3), false, false},
		{"ALL", nil, false, true}, {"X", c(7, 25), false, true}, {"X", c(251), false, false}, {"100", []Community{CommunityNoExport}, false, false}, {"NONE", c(1), false, true},
	} {
		if permit, _ := s.CommunityList(tc.list).Match(tc.of, tc.exact); permit != tc.permit {
			t.Errorf("list %s, %v, exact %t: %t", tc.list, tc.of, tc.exact, permit)
		}
	}
	if got := s.CommunityList("X").Without(c(15, 7, 35)); len(got) != 1 || got[0] != c(7)[0] {
		t.Errorf("without: %v", got)
	}
	if got := s.CommunityList("NONE").Without(c(7)); len(got) != 1 {
		t.Errorf("without a list that is not defined: %v", got)
	}
}

// TestBGPRouteMap: the clauses that are about BGP.
func TestBGPRouteMap(t *testing.T) {
	s := read(t, `ip as-path access-list 1 permit ^65001
ip community-list 1 permit 65000:1
route-map M permit 10
 match as-path 1
 match community 1 exact-match
 match local-preference 100 200
 set as-path prepend 65000 65000
 set weight 7
 set origin incomplete
 set comm-list 1 delete
`)
	r := Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), ASPath: asPath("65001 7"), Communities: []Community{65000<<16 | 1}, LocalPref: 200}
	out, ok := s.RouteMap("M").Apply(r)
	if !ok || len(out.Prepend) != 2 || out.Weight != 7 || !out.WeightSet || out.Origin != "incomplete" || len(out.Communities) != 0 || !out.CommunitiesSet {
		t.Errorf("%t, %+v", ok, out)
	}
	for what, change := range map[string]func(*Route){
		"path": func(r *Route) { r.ASPath = asPath("7") }, "no path": func(r *Route) { r.ASPath = nil },
		"communities": func(r *Route) { r.Communities = append(r.Communities, 5) }, "preference": func(r *Route) { r.LocalPref = 101 },
	} {
		other := r
		change(&other)
		if _, ok := s.RouteMap("M").Apply(other); ok {
			t.Errorf("another %s is permitted", what)
		}
	}
	lines := strings.Join(append(s.RouteMap("M").Entries[0].match.lines(), s.RouteMap("M").Entries[0].set.lines()...), "; ")
	const want = "as-path (as-path filter): 1; community (community-list filter): 1 exact-match; local-preference 100 200; comm-list 1 delete; as-path prepend 65000 65000; weight 7; origin incomplete"
	if lines != want {
		t.Errorf("%s", lines)
	}
}
