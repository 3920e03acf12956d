package policy

import (
	"net/netip"
	"slices"
	"sort"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// maxCalls is how many route-maps may call one another in a row.
const maxCalls = 16

// RouteMap is a route-map: its entries by sequence number.
type RouteMap struct {
	Name    string
	Entries []*MapEntry
}

// MapEntry is one entry of a route-map.
type MapEntry struct {
	Seq         uint32
	Permit      bool
	Description string
	Continue    bool   // go on after this entry
	ContinueAt  uint32 // at the first entry with this number or a greater one; 0: at the next
	Call        string // the route-map to ask as well; "" for none

	match  matches
	set    changes
	called *RouteMap // nil: not defined
}

// matches are the match clauses of an entry: kinds that must all fit, each by
// one of its values. The lists behind a name are nil where none is defined.
type matches struct {
	address       []ref[*AccessList]
	prefix4       []ref[*PrefixList]
	prefix6       []ref[*PrefixList]
	nextHop       []ref[*AccessList]
	nextHopPrefix []ref[*PrefixList]
	source        []ref[*AccessList]
	interfaces    []string
	tags          []uint32
	metrics       []uint32
	protocols     []protocol
	paths         []ref[*ASPathList]
	communities   []communityRef[Community]
	extended      []communityRef[ExtCommunity]
	large         []communityRef[LargeCommunity]
	prefs         []uint32
}

// ref is a name and what it stands for.
type ref[L any] struct {
	name string
	list L
}

// communityRef is a value of match community, extcommunity or large-community.
type communityRef[C communityValue[C]] struct {
	ref[*CommunityListOf[C]]
	exact bool
}

// protocol is a value of match source-protocol; instance 0 is any.
type protocol struct {
	protocol rib.Protocol
	instance uint32
}

// Apply evaluates the route-map: it returns the route as the set clauses leave
// it and whether it is permitted. A route that is denied comes back as it was.
func (m *RouteMap) Apply(r Route) (Route, bool) {
	var set []*changes
	set, permit := m.walk(&r, set, 0)
	if !permit {
		return r, false
	}
	for _, c := range set {
		c.apply(&r)
	}
	return r, true
}

// walk finds the set clauses that apply to the route and the verdict.
func (m *RouteMap) walk(r *Route, set []*changes, depth int) ([]*changes, bool) {
	if m == nil || depth > maxCalls {
		return nil, false
	}
	permit := false
	for i := 0; i < len(m.Entries); {
		e := m.Entries[i]
		i++
		if !e.match.fit(r) {
			continue
		}
		if !e.Permit {
			return nil, false
		}
		set = append(set, &e.set)
		if e.Call != "" {
			if set, permit = e.called.walk(r, set, depth+1); !permit {
				return nil, false
			}
		}
		permit = true
		if !e.Continue {
			break
		}
		if e.ContinueAt > 0 {
			i = max(i, m.from(e.ContinueAt))
		}
	}
	return set, permit
}

// from returns the place of the first entry with that number or a greater one.
func (m *RouteMap) from(seq uint32) int {
	return sort.Search(len(m.Entries), func(i int) bool { return m.Entries[i].Seq >= seq })
}

// fit tells whether all kinds of clauses fit the route.
func (m *matches) fit(r *Route) bool {
	switch {
	case m.address != nil && !(r.Prefix.Addr().Is4() && anyRoute(m.address, r.Prefix)),
		m.prefix4 != nil && !(r.Prefix.Addr().Is4() && anyPrefix(m.prefix4, r.Prefix)),
		m.prefix6 != nil && !(r.Prefix.Addr().Is6() && anyPrefix(m.prefix6, r.Prefix)),
		m.nextHop != nil && !anyAccess(m.nextHop, r.NextHop),
		m.nextHopPrefix != nil && !(r.NextHop.Is4() && anyPrefix(m.nextHopPrefix, netip.PrefixFrom(r.NextHop, 32))),
		m.source != nil && !anyAccess(m.source, r.Source),
		m.interfaces != nil && !slices.Contains(m.interfaces, r.Interface),
		m.tags != nil && !slices.Contains(m.tags, r.Tag),
		m.metrics != nil && !slices.Contains(m.metrics, r.Metric):
		return false
	}
	if !m.fitBGP(r) {
		return false
	}
	return m.protocols == nil || slices.ContainsFunc(m.protocols, func(p protocol) bool {
		return p.protocol == r.Protocol && (p.instance == 0 || p.instance == r.Instance)
	})
}

// fitBGP is the part of fit that is about BGP. A route without an AS path, which is not
// of BGP, fits no list of them.
func (m *matches) fitBGP(r *Route) bool {
	if m.paths != nil {
		if r.ASPath == nil {
			return false
		}
		path := r.ASPath.String()
		if !slices.ContainsFunc(m.paths, func(l ref[*ASPathList]) bool { return yes(l.list.Match(path)) }) {
			return false
		}
	}
	if !anyCommunities(m.communities, r.Communities) || !anyCommunities(m.extended, r.Extended) || !anyCommunities(m.large, r.Large) {
		return false
	}
	return m.prefs == nil || slices.Contains(m.prefs, r.LocalPref)
}

// anyCommunities tells whether one of the lists permits the communities, or there are no
// lists.
func anyCommunities[C communityValue[C]](lists []communityRef[C], of []C) bool {
	return lists == nil || slices.ContainsFunc(lists, func(l communityRef[C]) bool { return yes(l.list.Match(of, l.exact)) })
}

// yes drops what a verdict rests on.
func yes(permit, _ bool) bool { return permit }

func anyPrefix(lists []ref[*PrefixList], p netip.Prefix) bool {
	return slices.ContainsFunc(lists, func(l ref[*PrefixList]) bool { return yes(l.list.Match(p)) })
}

func anyRoute(lists []ref[*AccessList], p netip.Prefix) bool {
	return slices.ContainsFunc(lists, func(l ref[*AccessList]) bool { return yes(l.list.MatchPrefix(p)) })
}

// anyAccess tells whether one of the lists permits the address. An address that
// is not known fits none.
func anyAccess(lists []ref[*AccessList], a netip.Addr) bool {
	return a.Is4() && slices.ContainsFunc(lists, func(l ref[*AccessList]) bool { return yes(l.list.MatchAddr(a)) })
}
