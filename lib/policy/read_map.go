package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// mapEntry reads one entry of a route-map.
func (r *reader) mapEntry(n *conf.Node) {
	name := n.Args.String("name")
	m := r.set.maps[name]
	if m == nil {
		m = &RouteMap{Name: name}
		r.set.maps[name] = m
	}
	e := &MapEntry{Seq: uint32(n.Args.Uint("seq")), Permit: n.Args.String("action") == "permit"}
	m.Entries = append(m.Entries, e)
	r.inside(n, func(line *conf.Node) {
		switch line.ID {
		case cmdMapText:
			e.Description = line.Args.String("text")
		case cmdContinue:
			r.continues(e, line)
		case cmdCall:
			if !e.Permit {
				r.refuse(line, "a deny entry denies: it cannot call")
				return
			}
			e.Call = line.Args.String("name")
			r.calls[e] = call{block: n, line: line}
		default:
			readMatch(&e.match, line)
			r.readSet(&e.set, line)
		}
	})
}

func (r *reader) continues(e *MapEntry, n *conf.Node) {
	at := uint32(n.Args.Uint("seq"))
	switch {
	case !e.Permit:
		r.refuse(n, "a deny entry denies: it cannot continue")
	case n.Args.Has("seq") && at <= e.Seq:
		r.refuse(n, "continue must name an entry behind %d", e.Seq)
	default:
		e.Continue, e.ContinueAt = true, at
	}
}

// readMatch adds the value of a match clause.
func readMatch(m *matches, n *conf.Node) {
	a := n.Args
	switch n.ID {
	case cmdMatchList:
		m.address = append(m.address, ref[*AccessList]{name: a.String("list")})
	case cmdMatchPrefix:
		m.prefix4 = append(m.prefix4, ref[*PrefixList]{name: a.String("name")})
	case cmdMatchPrefix6:
		m.prefix6 = append(m.prefix6, ref[*PrefixList]{name: a.String("name")})
	case cmdMatchHop:
		m.nextHop = append(m.nextHop, ref[*AccessList]{name: a.String("list")})
	case cmdMatchHopPfx:
		m.nextHopPrefix = append(m.nextHopPrefix, ref[*PrefixList]{name: a.String("name")})
	case cmdMatchSource:
		m.source = append(m.source, ref[*AccessList]{name: a.String("list")})
	case cmdMatchIface:
		m.interfaces = append(m.interfaces, a.String("ifname"))
	case cmdMatchTag:
		m.tags = append(m.tags, uint32(a.Uint("value")))
	case cmdMatchMetric:
		m.metrics = append(m.metrics, uint32(a.Uint("value")))
	case cmdMatchASPath:
		m.paths = append(m.paths, ref[*ASPathList]{name: a.String("path")})
	case cmdMatchCommunity:
		m.communities = append(m.communities, communityRef[Community]{ref: ref[*CommunityList]{name: a.String("list")}, exact: a.Has("exact-match")})
	case cmdMatchExt:
		m.extended = append(m.extended, communityRef[ExtCommunity]{ref: ref[*ExtCommunityList]{name: a.String("list")}})
	case cmdMatchLarge:
		m.large = append(m.large, communityRef[LargeCommunity]{ref: ref[*LargeCommunityList]{name: a.String("list")}, exact: a.Has("exact-match")})
	case cmdMatchPref:
		m.prefs = append(m.prefs, uint32(a.Uint("value")))
	case cmdMatchProtocol:
		p, _ := rib.ParseProtocol(a.String("protocol"))
		m.protocols = append(m.protocols, protocol{p, uint32(a.Uint("instance"))})
	}
}

// readSet notes a set clause.
func (r *reader) readSet(c *changes, n *conf.Node) {
	a := n.Args
	number := func(name string) *uint32 { v := uint32(a.Uint(name)); return &v }
	switch n.ID {
	case cmdSetMetric:
		r.setMetric(c, n)
	case cmdSetTag:
		c.tag = number("tagvalue")
	case cmdSetHop, cmdSetHop6:
		addr := a.Addr("addr")
		if addr.IsUnspecified() || addr.IsMulticast() {
			r.refuse(n, "%v is not the address of a next hop", addr)
			return
		}
		if n.ID == cmdSetHop {
			c.nextHop4 = addr
		} else {
			c.nextHop6 = addr
		}
	case cmdSetType:
		c.metricType = MetricType2
		if a.String("type") == "type-1" {
			c.metricType = MetricType1
		}
	case cmdSetPref:
		c.localPref = number("preference")
	case cmdSetCommunity:
		r.setCommunity(c, n)
	default:
		r.bgpSet(c, n)
	}
}

func (r *reader) setMetric(c *changes, n *conf.Node) {
	a := n.Args
	switch {
	case a.Has("bandwidth"):
		c.metric = &metricChange{whole: true, vector: Vector{Bandwidth: uint32(a.Uint("bandwidth")), Delay: uint32(a.Uint("delay")),
			Reliability: uint8(a.Uint("reliability")), Load: uint8(a.Uint("load")), MTU: uint16(a.Uint("mtu"))}}
	case a.Has("value"):
		c.metric = &metricChange{set: true, value: int64(a.Uint("value"))}
	default:
		text := a.String("change")
		size, err := strconv.ParseUint(strings.TrimLeft(text[:min(1, len(text))], "+-")+text[min(1, len(text)):], 10, 32)
		if err != nil || text[0] != '+' && text[0] != '-' {
			r.refuse(n, "%q is no metric: a number up to 4294967295, +N or -N", text)
			return
		}
		c.metric = &metricChange{value: int64(size)}
		if text[0] == '-' {
			c.metric.value = -int64(size)
		}
	}
}

func (r *reader) setCommunity(c *changes, n *conf.Node) {
	list := r.communities(n)
	c.community, c.communities, c.additive = list != nil || n.Args.Strings("communities") == nil, list, n.Args.Has("additive")
}

// parseNumber reads a number of 32 bits.
func parseNumber(word string) (uint32, bool) {
	v, err := strconv.ParseUint(word, 10, 32)
	return uint32(v), err == nil
}

// ParseCommunity reads Cisco's word, aa:nn or a decimal number.
func ParseCommunity(word string) (Community, bool) {
	for v, name := range communityNames { // unordered: names are unique
		if strings.EqualFold(name, word) {
			return v, true
		}
	}
	high, low, pair := strings.Cut(word, ":")
	if !pair {
		v, err := strconv.ParseUint(word, 10, 32)
		return Community(v), err == nil
	}
	h, err1 := strconv.ParseUint(high, 10, 16)
	l, err2 := strconv.ParseUint(low, 10, 16)
	return Community(h<<16 | l), err1 == nil && err2 == nil
}

// link puts the lists behind their names and refuses calls that go round in a
// circle or too deep.
func (r *reader) link() {
	names := sortedNames(r.set.maps)
	for _, name := range names {
		m := r.set.maps[name]
		slices.SortFunc(m.Entries, func(a, b *MapEntry) int { return cmp.Compare(a.Seq, b.Seq) })
		for _, e := range m.Entries {
			e.called = r.set.maps[e.Call]
			c := &e.match
			resolve(c.address, r.set.access)
			resolve(c.prefix4, r.set.prefix4)
			resolve(c.prefix6, r.set.prefix6)
			resolve(c.nextHop, r.set.access)
			resolve(c.nextHopPrefix, r.set.prefix4)
			resolve(c.source, r.set.access)
			resolve(c.paths, r.set.paths)
			resolveCommunities(c.communities, e.set.without, r.set.communities)
			resolveCommunities(c.extended, e.set.withoutExt, r.set.extended)
			resolveCommunities(c.large, e.set.withoutLarge, r.set.large)
		}
	}
	depth := map[*RouteMap]int{}
	for _, name := range names {
		r.depth(r.set.maps[name], depth)
	}
}

// resolve looks the names up; what is not defined stays nil.
func resolve[L any](refs []ref[L], lists map[string]L) {
	for i := range refs {
		refs[i].list = lists[refs[i].name]
	}
}

// resolveCommunities is resolve for the match and the delete clause of a kind of communities.
func resolveCommunities[C communityValue[C]](refs []communityRef[C], without *ref[*CommunityListOf[C]], lists map[string]*CommunityListOf[C]) {
	for i := range refs {
		refs[i].list = lists[refs[i].name]
	}
	if without != nil {
		without.list = lists[without.name]
	}
}

// visiting marks a route-map whose calls are being followed.
const visiting = -1

// depth returns how many route-maps in a row the map calls.
func (r *reader) depth(m *RouteMap, known map[*RouteMap]int) int {
	if d, ok := known[m]; ok {
		return d
	}
	known[m] = visiting
	most := 0
	for _, e := range m.Entries {
		if e.called == nil {
			continue
		}
		why := ""
		d := r.depth(e.called, known)
		switch {
		case d == visiting:
			why = "the route-maps call one another in a circle"
		case d+1 > maxCalls:
			why = "more than " + strconv.Itoa(maxCalls) + " route-maps call one another in a row"
		default:
			most = max(most, d+1)
			continue
		}
		c := r.calls[e]
		r.path = []string{c.block.Key}
		r.refuse(c.line, "%s", why)
		r.path = nil
		e.called = nil
	}
	known[m] = most
	return most
}
