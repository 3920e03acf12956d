package speaker

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/api"

	"github.com/godmvpn/godmvpn/lib/policy"
)

// Policy is an ordered list of terms. The first that matches decides; a route
// that none matches is denied, as by a route-map.
type Policy struct {
	Terms []Term
}

// Term is one term: all kinds of conditions that it has must hold.
type Term struct {
	Permit bool

	Prefixes    []PrefixRange      // any of them; of one address family
	Communities []policy.Community // any of them
	ASPaths     []string           // any of these regular expressions; _ is a border of numbers

	// What a permitting term sets.
	LocalPref    *uint32
	MED          *uint32
	NextHop      netip.Addr
	Prepend      uint8              // the own AS, so many times
	SetCommunity []policy.Community // replaces all, or is added
	AddCommunity bool
}

// PrefixRange matches the prefixes within Prefix whose lengths are Min to Max.
type PrefixRange struct {
	Prefix   netip.Prefix
	Min, Max int
}

func (p *Policy) check() error {
	if p == nil {
		return nil
	}
	for _, t := range p.Terms {
		for _, r := range t.Prefixes {
			if !r.Prefix.IsValid() || r.Min < r.Prefix.Bits() || r.Max < r.Min || r.Max > r.Prefix.Addr().BitLen() {
				return fmt.Errorf("prefix range %v %d-%d is not valid", r.Prefix, r.Min, r.Max)
			}
			if r.Prefix.Addr().Is4() != t.Prefixes[0].Prefix.Addr().Is4() {
				return errors.New("a term matches prefixes of one address family")
			}
		}
	}
	return nil
}

// GoBGP has per-neighbour policies for clients of a route server only. So there
// is one import and one export policy for all, made of a block of statements for
// each combination of what is configured: its statements match the neighbours that
// have it, and its last one decides all that is left.

// block is what neighbours may have in common.
type block struct {
	policy  *Policy
	nextHop NextHop
}

// policies builds GoBGP's policies for a configuration.
type policies struct {
	as         uint32
	sets       []*api.DefinedSet
	statements []*api.Statement
	name       string
}

const (
	importPolicy = "import"
	exportPolicy = "export"
)

func (c *Config) policies() *api.SetPoliciesRequest {
	in, out := &policies{as: c.Process.AS, name: importPolicy}, &policies{as: c.Process.AS, name: exportPolicy}
	in.build(c, func(s *Settings) block { return block{policy: s.Import} })
	out.build(c, func(s *Settings) block { return block{s.Export, s.NextHop} })
	return &api.SetPoliciesRequest{
		DefinedSets: append(in.sets, out.sets...),
		Policies:    []*api.Policy{{Name: importPolicy, Statements: in.statements}, {Name: exportPolicy, Statements: out.statements}},
	}
}

// build adds the blocks of the configured neighbours before those of the listen
// ranges, which a configured neighbour may be in; of those, longer ranges first.
func (p *policies) build(c *Config, of func(*Settings) block) {
	var order []block
	at := map[block][]string{}
	add := func(b block, who string) {
		if _, ok := at[b]; !ok {
			order = append(order, b)
		}
		at[b] = append(at[b], who)
	}
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		add(of(&n.Settings), netip.PrefixFrom(n.Address, n.Address.BitLen()).String())
	}
	for _, b := range order {
		p.add(b, at[b])
	}
	type ranged struct {
		prefix netip.Prefix
		block  block
	}
	var ranges []ranged
	for i := range c.Groups {
		for _, r := range c.Groups[i].Ranges {
			ranges = append(ranges, ranged{r, of(&c.Groups[i].Settings)})
		}
	}
	slices.SortStableFunc(ranges, func(a, b ranged) int { return b.prefix.Bits() - a.prefix.Bits() })
	for _, r := range ranges {
		p.add(r.block, []string{r.prefix.String()})
	}
}

func (p *policies) set(kind api.DefinedType, list []string) *api.MatchSet {
	name := fmt.Sprintf("%s-%d", p.name, len(p.sets))
	p.sets = append(p.sets, &api.DefinedSet{DefinedType: kind, Name: name, List: list})
	return &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: name}
}

func (p *policies) add(b block, who []string) {
	neighbors := p.set(api.DefinedType_DEFINED_TYPE_NEIGHBOR, who)
	for _, types := range routeTypes(b.nextHop) {
		p.statement(&api.Conditions{NeighborSet: neighbors, RouteType: types}, &api.Actions{
			Nexthop: &api.NexthopAction{Self: b.nextHop != NextHopUnchanged, Unchanged: b.nextHop == NextHopUnchanged},
		})
	}
	rest := api.RouteAction_ROUTE_ACTION_ACCEPT
	if b.policy != nil {
		for i := range b.policy.Terms {
			p.term(&b.policy.Terms[i], neighbors)
		}
		rest = api.RouteAction_ROUTE_ACTION_REJECT
	}
	p.statement(&api.Conditions{NeighborSet: neighbors}, &api.Actions{RouteAction: rest})
}

// routeTypes are the types of routes for which a statement changes the next hop.
func routeTypes(n NextHop) []api.Conditions_RouteType {
	switch n {
	case NextHopSelf:
		return []api.Conditions_RouteType{api.Conditions_ROUTE_TYPE_EXTERNAL, api.Conditions_ROUTE_TYPE_LOCAL}
	case NextHopUnchanged: // the own routes may have none that could stay
		return []api.Conditions_RouteType{api.Conditions_ROUTE_TYPE_EXTERNAL, api.Conditions_ROUTE_TYPE_INTERNAL}
	case NextHopSelfAll:
		return []api.Conditions_RouteType{api.Conditions_ROUTE_TYPE_UNSPECIFIED}
	}
	return nil
}

func (p *policies) statement(c *api.Conditions, a *api.Actions) {
	name := fmt.Sprintf("%s-%d", p.name, len(p.statements))
	p.statements = append(p.statements, &api.Statement{Name: name, Conditions: c, Actions: a})
}

func (p *policies) term(t *Term, neighbors *api.MatchSet) {
	c := &api.Conditions{NeighborSet: neighbors}
	if len(t.Prefixes) > 0 {
		c.PrefixSet = p.set(api.DefinedType_DEFINED_TYPE_PREFIX, nil)
		last := p.sets[len(p.sets)-1]
		for _, r := range t.Prefixes {
			last.Prefixes = append(last.Prefixes, &api.Prefix{IpPrefix: r.Prefix.String(),
				MaskLengthMin: uint32(r.Min), MaskLengthMax: uint32(r.Max)})
		}
	}
	if len(t.Communities) > 0 {
		c.CommunitySet = p.set(api.DefinedType_DEFINED_TYPE_COMMUNITY, communities(t.Communities, "^%s$"))
	}
	if len(t.ASPaths) > 0 {
		c.AsPathSet = p.set(api.DefinedType_DEFINED_TYPE_AS_PATH, t.ASPaths)
	}
	if !t.Permit {
		p.statement(c, &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_REJECT})
		return
	}
	p.statement(c, t.actions(p.as))
}

func (t *Term) actions(as uint32) *api.Actions {
	a := &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT}
	if t.LocalPref != nil {
		a.LocalPref = &api.LocalPrefAction{Value: *t.LocalPref}
	}
	if t.MED != nil {
		a.Med = &api.MedAction{Type: api.MedAction_TYPE_REPLACE, Value: int64(*t.MED)}
	}
	if t.NextHop.IsValid() {
		a.Nexthop = &api.NexthopAction{Address: t.NextHop.String()}
	}
	if t.Prepend > 0 {
		a.AsPrepend = &api.AsPrependAction{Asn: as, Repeat: uint32(t.Prepend)}
	}
	if t.SetCommunity != nil {
		a.Community = &api.CommunityAction{Type: api.CommunityAction_TYPE_REPLACE, Communities: communities(t.SetCommunity, "%s")}
		if t.AddCommunity {
			a.Community.Type = api.CommunityAction_TYPE_ADD
		}
	}
	return a
}

func communities(list []policy.Community, format string) (out []string) {
	for _, c := range list {
		out = append(out, strings.ReplaceAll(format, "%s", fmt.Sprintf("%d:%d", uint32(c)>>16, uint32(c)&0xffff)))
	}
	return out
}
