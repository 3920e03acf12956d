package cli

import (
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Policies remembers the policies of neighbours from one Read to the next: the speaker
// applies a policy anew if it is another value. The zero value is ready.
type Policies struct {
	lines string // of all policy
	set   *policy.Set
	known map[filterKey]*filter
	used  map[filterKey]bool
}

// filterKey names a combination of filters.
type filterKey struct {
	family                            rib.Family
	distribute, prefixes, paths, maps string
	originate                         bool // maps is the route-map of default-originate
}

// filter is what routes have to pass: all of its parts.
type filter struct {
	distribute *policy.AccessList
	prefixes   *policy.PrefixList
	has        filterKey
	paths      *policy.ASPathList
	routeMap   *policy.RouteMap
}

// begin takes the policies of a configuration.
func (p *Policies) begin(tree *conf.Tree, set *policy.Set) *Policies {
	if lines := policyLines(tree); p.known == nil || lines != p.lines {
		p.lines, p.set, p.known = lines, set, map[filterKey]*filter{}
	}
	for k := range p.known { // unordered: only removes
		if !p.used[k] {
			delete(p.known, k)
		}
	}
	p.used = map[filterKey]bool{}
	return p
}

// policyLines returns the text of all policy.
func policyLines(tree *conf.Tree) string {
	var b strings.Builder
	shared := policy.SharedIDs()
	var write func(n *conf.Node)
	write = func(n *conf.Node) {
		b.WriteString(n.Line)
		b.WriteByte('\n')
		for _, c := range n.Nodes {
			write(c)
		}
	}
	for _, n := range tree.Nodes {
		if slices.Contains(shared, n.ID) {
			write(n)
		}
	}
	return b.String()
}

// filter returns the filters of a neighbour in a direction, nil if there are none.
func (p *Policies) filter(lines []attributes, v int, direction string) speaker.Policy {
	k := filterKey{family: rib.IPv4}
	if v == 1 {
		k.family = rib.IPv6
	}
	name := func(id, arg string) string {
		if n := find(lines, id+" "+direction); n != nil {
			return n.Args.String(arg)
		}
		return ""
	}
	k.distribute, k.prefixes, k.paths, k.maps = name(CmdDistributeList, "list"), name(CmdPrefixList, "list"), name(CmdFilterList, "path"), name(CmdRouteMap, "map")
	if k == (filterKey{family: k.family}) {
		return nil
	}
	return p.get(k)
}

// routeMap returns a policy that is a route-map.
func (p *Policies) routeMap(name string) speaker.Policy { return p.get(filterKey{maps: name}) }

// defaultMap returns a policy that is the route-map of default-originate.
func (p *Policies) defaultMap(name string) speaker.Policy {
	return p.get(filterKey{maps: name, originate: true})
}

func (p *Policies) get(k filterKey) *filter {
	p.used[k] = true
	f := p.known[k]
	if f == nil {
		f = &filter{has: k, distribute: p.set.AccessList(k.distribute), prefixes: p.set.PrefixList(k.prefixes), paths: p.set.ASPathList(k.paths), routeMap: p.set.RouteMap(k.maps)}
		if k.family == rib.IPv6 {
			f.prefixes = p.set.PrefixList6(k.prefixes)
		}
		p.known[k] = f
	}
	return f
}

// Apply implements speaker.Policy.
func (f *filter) Apply(r locrib.Route) (*locrib.Attributes, bool) {
	if f.has.prefixes != "" {
		if permit, _ := f.prefixes.Match(r.Prefix); !permit {
			return nil, false
		}
	}
	if f.has.distribute != "" {
		if permit, _ := f.distribute.MatchPrefix(r.Prefix); !permit {
			return nil, false
		}
	}
	if f.has.paths != "" {
		if permit, _ := f.paths.Match(r.Attributes.ASPath.String()); !permit {
			return nil, false
		}
	}
	if f.has.maps == "" {
		return r.Attributes, true
	}
	of := policy.Route{Prefix: r.Prefix, Source: r.From, Protocol: rib.BGP}
	if f.has.originate {
		return core.DefaultRoute(f.routeMap, of, r.Attributes)
	}
	return core.Apply(f.routeMap, of, r.Attributes)
}
