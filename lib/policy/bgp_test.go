package policy

import (
	"fmt"
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

// TestExtCommunity: the octets of RFC 4360 sections 3.1, 3.2, 4 and 5, and of RFC 5668
// section 2, and their text.
func TestExtCommunity(t *testing.T) {
	for _, tc := range []struct {
		kind, word string
		octets     ExtCommunity
		text       string
	}{
		{"rt", "65000:70000", ExtCommunity{0, 2, 0xFD, 0xE8, 0, 1, 0x11, 0x70}, "RT:65000:70000"},
		{"soo", "192.0.2.1:7", ExtCommunity{1, 3, 192, 0, 2, 1, 0, 7}, "SoO:192.0.2.1:7"},
		{"rt", "65536:9", ExtCommunity{2, 2, 0, 1, 0, 0, 0, 9}, "RT:65536:9"},
	} {
		if c, ok := ParseExtCommunity(tc.kind, tc.word); !ok || c != tc.octets || c.String() != tc.text {
			t.Errorf("%s %s: %v %x %t", tc.kind, tc.word, c, c[:], ok)
		}
	}
	for _, word := range []string{"65000", "65536:65536", "192.0.2.1:65536", "2001:db8::1:1", "1:4294967296", "x:1", ""} {
		if c, ok := ParseExtCommunity("rt", word); ok {
			t.Errorf("%q is taken as %v", word, c)
		}
	}
	if _, ok := ParseExtCommunity("", "1:1"); ok {
		t.Error("a value of no kind is taken")
	}
	if got := (ExtCommunity{0x40, 2, 1}).String(); got != "0x4002010000000000" {
		t.Errorf("another type: %s", got)
	}
}

func TestLargeCommunity(t *testing.T) {
	if c, ok := ParseLargeCommunity("4294967295:0:7"); !ok || c != (LargeCommunity{4294967295, 0, 7}) || c.String() != "4294967295:0:7" {
		t.Errorf("%v %t", c, ok)
	}
	for _, word := range []string{"1:2", "1:2:3:4", "1:2:4294967296", "a:1:2", "1::2"} {
		if c, ok := ParseLargeCommunity(word); ok {
			t.Errorf("%q is taken as %v", word, c)
		}
	}
}

// TestWideCommunityRouteMap: lists of extended and large communities, and what route-maps
// do with them.
func TestWideCommunityRouteMap(t *testing.T) {
	s := read(t, `ip extcommunity-list 1 permit rt 65000:1 65000:2 soo 65000:9
ip extcommunity-list standard TARGET permit rt 65000:2
ip extcommunity-list expanded ANY permit _RT:65000:[0-9]_
ip large-community-list 1 permit 65000:1:1
ip large-community-list expanded X permit _65000:1:
route-map LISTS permit 10
 match extcommunity 1
 match large-community 1 exact-match
route-map ANY permit 10
 match extcommunity 1 ANY
 match large-community X
route-map SET permit 10
 set extcommunity rt 65000:7
 set extcommunity soo 65000:8
 set large-community 65000:2:2 65000:0:1 additive
route-map MORE permit 10
 set extcommunity rt 65000:7 additive
 set extcomm-list TARGET delete
 set large-community 65000:3:3
route-map NONE permit 10
 set large-community none
route-map LESS permit 10
 set large-comm-list 1 delete
`)
	ext := func(words ...string) (out []ExtCommunity) {
		for i := 0; i < len(words); i += 2 {
			c, _ := ParseExtCommunity(words[i], words[i+1])
			out = append(out, c)
		}
		return out
	}
	r := Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Extended: ext("rt", "65000:1", "rt", "65000:2", "soo", "65000:9"), Large: []LargeCommunity{{65000, 1, 1}}}
	other := r
	other.Extended, other.Large = ext("rt", "65000:2"), append(other.Large[:1:1], LargeCommunity{7, 7, 7})
	for _, tc := range []struct {
		name   string
		route  Route
		permit bool
	}{{"LISTS", r, true}, {"LISTS", Route{Prefix: r.Prefix, Extended: other.Extended, Large: r.Large}, false}, {"LISTS", Route{Prefix: r.Prefix, Extended: r.Extended, Large: other.Large}, false}, {"ANY", other, true},
		{"ANY", Route{Prefix: r.Prefix, Large: r.Large}, false}} {
		if _, ok := s.RouteMap(tc.name).Apply(tc.route); ok != tc.permit {
			t.Errorf("%s, %v %v: %t", tc.name, tc.route.Extended, tc.route.Large, ok)
		}
	}
	for name, want := range map[string]string{
		"SET":  "RT:65000:7 SoO:65000:8, true; 65000:0:1 65000:1:1 65000:2:2, true",
		"MORE": "RT:65000:1 RT:65000:7 SoO:65000:9, true; 65000:3:3, true",
		"NONE": "RT:65000:1 RT:65000:2 SoO:65000:9, false; , true",
		"LESS": "RT:65000:1 RT:65000:2 SoO:65000:9, false; , true",
	} {
		out, _ := s.RouteMap(name).Apply(r)
		if got := fmt.Sprintf("%s, %t; %s, %t", strings.Join(texts(out.Extended), " "), out.ExtendedSet, strings.Join(texts(out.Large), " "), out.LargeSet); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if len(r.Extended) != 3 || len(r.Large) != 1 {
		t.Error("the route that was given is another now")
	}
	for name, want := range map[string]string{
		"LISTS": "extcommunity (extcommunity-list filter): 1; large-community (large-community-list filter): 1 exact-match",
		"SET":   "extcommunity RT:65000:7; extcommunity SoO:65000:8; large-community 65000:2:2 65000:0:1 additive",
		"MORE":  "extcommunity RT:65000:7 additive; extcomm-list TARGET delete; large-community 65000:3:3",
		"NONE":  "large-community none", "LESS": "large-comm-list 1 delete",
	} {
		e := s.RouteMap(name).Entries[0]
		if got := strings.Join(append(e.match.lines(), e.set.lines()...), "; "); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	var nothing *Set
	if nothing.ExtCommunityList("1") != nil || nothing.LargeCommunityList("1") != nil || s.ExtCommunityList("1") == nil || s.LargeCommunityList("1") == nil {
		t.Error("lists")
	}
}
