package speaker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/api"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// GoBGP has one table and one export policy for all neighbours but clients of a route
// server. What a class of neighbours gets that is not the plain path is therefore
// worked out here, path by path, as a change; each change that occurs has a tag, a
// community that the path carries into GoBGP's table, and GoBGP's export policy does
// what the tags say: for the neighbours of the class, if the path has the tag. The tags
// end there.

// outbound is what a class has for an address family.
type outbound struct {
	export           Policy
	nextHop          NextHop
	client           bool
	defaultOriginate bool
	defaultMap       Policy

	standard, extended, large bool
}

// classKey tells classes apart: neighbours with equal ones are sent the same.
type classKey struct {
	external   bool
	six        bool // sessions are by IPv6
	ipv4, ipv6 outbound
}

// class is a class of neighbours, and the changes that occurred in it.
type class struct {
	key     classKey
	changes map[change]*tagged
	order   []*tagged
}

type tagged struct {
	change change
	tag    policy.Community
}

// class returns the class of a neighbour with an address, or of a listen range.
func (s *Settings) class(as uint32, a netip.Addr) classKey {
	of := func(f *Family) outbound {
		if !f.Active {
			return outbound{}
		}
		return outbound{f.Export, f.NextHop, f.ReflectorClient, f.DefaultOriginate, f.DefaultMap, f.SendStandard, f.SendExtended, f.SendLarge}
	}
	return classKey{s.external(as), a.Is6(), of(&s.IPv4), of(&s.IPv6)}
}

func (k *classKey) family(p netip.Prefix) *outbound {
	if p.Addr().Is6() {
		return &k.ipv6
	}
	return &k.ipv4
}

// Tags are 65535:20000 to 65535:29999, which are reserved (RFC 1997).
const (
	firstTag  policy.Community = 65535<<16 | 20000
	lastTag   policy.Community = 65535<<16 | 29999
	tagRegexp                  = "^65535:2[0-9]{4}$"
)

func isTag(c policy.Community) bool { return c >= firstTag && c <= lastTag }

// change is what becomes of a path on the way to a class. It is comparable.
type change struct {
	deny   bool
	self   bool       // next hop: the speaker
	hop    netip.Addr // next hop: this
	med    int64      // -1: as it is
	pref   int64      // -1: as it is
	origin int8       // -1: as it is

	prependAS uint32
	prepend   int

	replace bool   // communities become those listed
	list    string // communities, in GoBGP's words; added if not replace

	replaceExtended, replaceLarge bool
	extended, large               string
}

var unchanged = change{med: -1, pref: -1, origin: -1}

// exporter works out changes, and GoBGP's policies from them.
type exporter struct {
	as       uint32
	classes  []*class
	blocks   []block
	maps     []*condition
	next     policy.Community // tag
	last     policy.Community
	stripMED bool // no class is internal
	stale    bool // GoBGP's policies are not those of now
}

// block is neighbours, as prefixes, and their class.
type block struct {
	who   []string
	class *class
}

func newExporter(as uint32) *exporter {
	return &exporter{as: as, next: firstTag, last: lastTag, stale: true}
}

// enter makes sure that there are the classes of a configuration.
func (e *exporter) enter(c *Config) (added bool) {
	for _, k := range c.classes() {
		if e.find(k) == nil {
			e.classes = append(e.classes, &class{key: k, changes: map[change]*tagged{}})
			added = true
		}
	}
	e.enterMaps()
	strip := !slices.ContainsFunc(e.classes, func(c *class) bool { return !c.key.external })
	added = added || strip != e.stripMED
	e.stripMED = strip
	return added
}

func (e *exporter) find(k classKey) *class {
	i := slices.IndexFunc(e.classes, func(c *class) bool { return c.key == k })
	if i < 0 {
		return nil
	}
	return e.classes[i]
}

// classes returns those of all neighbours and listen ranges.
func (c *Config) classes() (out []classKey) {
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		out = append(out, n.class(c.Process.AS, n.Address))
	}
	for i := range c.Groups {
		for _, r := range c.Groups[i].Ranges {
			out = append(out, c.Groups[i].class(c.Process.AS, r.Addr()))
		}
	}
	return out
}

// settings returns those of all neighbours and groups.
func (c *Config) settings() (out []*Settings) {
	for i := range c.Neighbors {
		out = append(out, &c.Neighbors[i].Settings)
	}
	for i := range c.Groups {
		out = append(out, &c.Groups[i].Settings)
	}
	return out
}

// leave forgets the classes that a configuration does not have, and makes the
// blocks for it: configured neighbours first, since they may be in listen ranges,
// then the ranges, the longer ones first.
func (e *exporter) leave(c *Config) {
	var blocks []block
	at := map[*class]int{}
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		k := e.find(n.class(e.as, n.Address))
		if _, ok := at[k]; !ok {
			at[k] = len(blocks)
			blocks = append(blocks, block{class: k})
		}
		b := &blocks[at[k]]
		b.who = append(b.who, netip.PrefixFrom(n.Address.WithZone(""), n.Address.BitLen()).String())
	}
	type ranged struct {
		prefix netip.Prefix
		class  *class
	}
	var ranges []ranged
	for i := range c.Groups {
		for _, r := range c.Groups[i].Ranges {
			ranges = append(ranges, ranged{r, e.find(c.Groups[i].class(e.as, r.Addr()))})
		}
	}
	slices.SortStableFunc(ranges, func(a, b ranged) int { return b.prefix.Bits() - a.prefix.Bits() })
	for _, r := range ranges {
		blocks = append(blocks, block{[]string{r.prefix.String()}, r.class})
	}
	e.classes = slices.DeleteFunc(e.classes, func(k *class) bool {
		return !slices.ContainsFunc(blocks, func(b block) bool { return b.class == k })
	})
	e.leaveMaps()
	e.blocks, e.stale = blocks, true
}

// tags returns the tags of a path for all classes. Problem is not empty if a policy
// wants what cannot be sent, and ok is false if the path must not be sent at all.
func (e *exporter) tags(p netip.Prefix, o *locrib.Path, synthetic bool) (tags []policy.Community, problem string, ok bool) {
	for _, c := range e.classes {
		ch, wrong := e.change(&c.key, p, o, synthetic)
		if wrong != "" {
			problem = wrong
		}
		if ch == c.key.base(p) {
			continue
		}
		t := c.changes[ch]
		if t == nil {
			if e.next > e.last {
				// Nothing is sent rather than something wrong.
				return nil, "export policies make too many different routes", false
			}
			t = &tagged{ch, e.next}
			e.next++
			c.changes[ch] = t
			c.order = append(c.order, t)
			e.stale = true
		}
		tags = append(tags, t.tag)
	}
	return tags, problem, true
}

// full tells whether there are no tags left.
func (e *exporter) full() bool { return e.next > e.last }

// base is what a class gets of a path without a tag.
func (k *classKey) base(p netip.Prefix) change {
	f, c := k.family(p), unchanged
	c.self = k.external && f.nextHop != NextHopUnchanged || f.nextHop == NextHopSelf || f.nextHop == NextHopSelfAll
	c.replace, c.replaceExtended, c.replaceLarge = !f.standard, !f.extended, !f.large
	return c
}

func isDefault(p netip.Prefix) bool { return p.Bits() == 0 }

// change works out what a class gets. A synthetic path is the default route of
// default-originate, for those who have it alone.
func (e *exporter) change(k *classKey, p netip.Prefix, o *locrib.Path, synthetic bool) (c change, problem string) {
	f := k.family(p)
	if out, met := e.originated(f, p); met {
		return e.defaultRoute(k, p, o, out, synthetic)
	}
	if synthetic || !locrib.Reflects(o, p, k.external, f.client) {
		return change{deny: true}, ""
	}
	a, out := o.Attributes, o.Attributes
	if f.export != nil {
		r := locrib.Route{Prefix: p, Attributes: a}
		if o.Neighbor != nil {
			r.From = o.Neighbor.Address
		}
		var permit bool
		if out, permit = f.export.Apply(r); !permit {
			return change{deny: true}, ""
		}
	}
	if c, problem = e.difference(k, p, o, out); problem == "" {
		problem = c.checkSelf(k, p, a)
	}
	if problem != "" {
		return change{deny: true}, problem
	}
	return c, ""
}

// difference works out what becomes of a path that a policy turned into out.
func (e *exporter) difference(k *classKey, p netip.Prefix, o *locrib.Path, out *locrib.Attributes) (c change, problem string) {
	f, a := k.family(p), o.Attributes
	c = k.base(p)
	c.hops(k, f, o, out)
	switch own := o.Neighbor == nil; {
	case out.HasMED != a.HasMED || out.MED != a.MED:
		c.med = int64(out.MED)
	case k.external && !own && a.HasMED && !e.stripMED:
		c.med = 0 // RFC 4271, section 5.1.4: it goes no further; GoBGP cannot leave it out
	}
	if !k.external && out.Preference() != a.Preference() {
		c.pref = int64(out.LocalPref)
	}
	if out.Origin != a.Origin {
		c.origin = int8(out.Origin)
	}
	if problem = c.path(k, e.as, a.ASPath, out.ASPath); problem == "" {
		problem = c.communities(f, a, out)
	}
	return c, problem
}

// checkSelf denies what would have the address of a session as next hop that is of the
// other family: GoBGP would send 4 octets where there must be 16, or RFC 8950 unasked.
func (c *change) checkSelf(k *classKey, p netip.Prefix, a *locrib.Attributes) string {
	if k.six == p.Addr().Is6() || !c.self && (c.hop.IsValid() || !a.NextHop.IsUnspecified()) {
		return ""
	}
	*c = change{deny: true}
	return "a session by the other address family has no next hop of its own: an export policy has to give one"
}

// hops sets what becomes of the next hop.
func (c *change) hops(k *classKey, f *outbound, o *locrib.Path, out *locrib.Attributes) {
	switch own := o.Neighbor == nil; {
	case out.NextHop != o.Attributes.NextHop:
		if c.self = out.NextHop.IsUnspecified(); !c.self {
			c.hop = out.NextHop
		}
	case k.external && own:
		c.self = true
	case !k.external && f.nextHop == NextHopSelf:
		c.self = own || o.Neighbor.External
	}
}

// path finds what was put before an AS_PATH.
func (c *change) path(k *classKey, as uint32, old, now locrib.ASPath) string {
	n := now.Len() - old.Len()
	if n == 0 && now.String() == old.String() {
		return ""
	}
	first := now.First()
	switch {
	case n <= 0 || n > 255 || old.Prepend(first, n).String() != now.String():
		return "AS_PATH can only be prepended with one AS"
	case k.external && first != as:
		return "towards an external neighbor AS_PATH can only be prepended with the own AS"
	}
	c.prependAS, c.prepend = first, n
	return ""
}

// communities sets what becomes of the communities of all kinds.
func (c *change) communities(f *outbound, a, out *locrib.Attributes) string {
	if f.standard && !slices.Equal(a.Communities, out.Communities) {
		if n := len(a.Communities); n <= len(out.Communities) && slices.Equal(a.Communities, out.Communities[:n]) {
			c.list = words(out.Communities[n:])
		} else {
			c.replace, c.list = true, words(out.Communities)
		}
	}
	if f.large && !slices.Equal(a.Large, out.Large) {
		var list []string
		for _, l := range out.Large {
			list = append(list, fmt.Sprintf("%d:%d:%d", l[0], l[1], l[2]))
		}
		c.replaceLarge, c.large = true, strings.Join(list, " ")
	}
	if f.extended && !slices.Equal(a.Extended, out.Extended) {
		var list []string
		for _, x := range out.Extended {
			w := extendedWord(x)
			if w == "" {
				return fmt.Sprintf("an export policy cannot set the extended community %x", x)
			}
			list = append(list, w)
		}
		c.replaceExtended, c.extended = true, strings.Join(list, " ")
	}
	return ""
}

func words(list []policy.Community) string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = fmt.Sprintf("%d:%d", uint32(c)>>16, uint32(c)&0xffff)
	}
	return strings.Join(out, " ")
}

// extendedWord writes a route target or a site of origin (RFC 4360, sections 4 and
// 5; RFC 5668) as GoBGP reads it; "" for others.
func extendedWord(x [8]byte) string {
	kind := map[byte]string{2: "rt", 3: "soo"}[x[1]]
	switch {
	case kind == "":
		return ""
	case x[0] == 0:
		return fmt.Sprintf("%s:%d:%d", kind, int(x[2])<<8|int(x[3]), uint32(x[4])<<24|uint32(x[5])<<16|uint32(x[6])<<8|uint32(x[7]))
	case x[0] == 1:
		return fmt.Sprintf("%s:%v:%d", kind, netip.AddrFrom4([4]byte(x[2:6])), int(x[6])<<8|int(x[7]))
	case x[0] == 2: // GoBGP reads four octets as two numbers with a dot
		return fmt.Sprintf("%s:%d.%d:%d", kind, int(x[2])<<8|int(x[3]), int(x[4])<<8|int(x[5]), int(x[6])<<8|int(x[7]))
	}
	return ""
}

const (
	importPolicy = "import"
	exportPolicy = "export"
)

// policies makes GoBGP's policies. Into its table only what the speaker itself puts
// there; out of it what the classes say.
func (e *exporter) policies() *api.SetPoliciesRequest {
	e.stale = false
	p := &policies{}
	for _, b := range e.blocks {
		p.add(b)
	}
	local := &api.Statement{Name: importPolicy, Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions: &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT}}
	return &api.SetPoliciesRequest{DefinedSets: p.sets, Policies: []*api.Policy{
		{Name: importPolicy, Statements: []*api.Statement{local}}, {Name: exportPolicy, Statements: p.statements}}}
}

// policies builds GoBGP's export policy.
type policies struct {
	sets       []*api.DefinedSet
	statements []*api.Statement
}

func (p *policies) set(kind api.DefinedType, list []string) *api.MatchSet {
	name := fmt.Sprintf("set-%d", len(p.sets))
	p.sets = append(p.sets, &api.DefinedSet{DefinedType: kind, Name: name, List: list})
	return &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: name}
}

func (p *policies) statement(c *api.Conditions, a *api.Actions) {
	p.statements = append(p.statements, &api.Statement{Name: fmt.Sprintf("%s-%d", exportPolicy, len(p.statements)), Conditions: c, Actions: a})
}

func (p *policies) add(b block) {
	who := p.set(api.DefinedType_DEFINED_TYPE_NEIGHBOR, b.who)
	for _, t := range b.class.order {
		c := &api.Conditions{NeighborSet: who,
			CommunitySet: p.set(api.DefinedType_DEFINED_TYPE_COMMUNITY, []string{"^" + words([]policy.Community{t.tag}) + "$"})}
		if t.change.list != "" && !t.change.replace { // one statement adds or removes
			p.statement(c, &api.Actions{Community: &api.CommunityAction{Type: api.CommunityAction_TYPE_ADD, Communities: strings.Fields(t.change.list)}})
		}
		p.statement(c, t.change.actions())
	}
	for _, f := range families {
		base := b.class.key.base(defaultPrefix(f))
		p.statement(&api.Conditions{NeighborSet: who, AfiSafiIn: []*api.Family{apiFamily(f)}}, base.actions())
	}
}

func defaultPrefix(f rib.Family) netip.Prefix {
	if f == rib.IPv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func (c *change) actions() *api.Actions {
	if c.deny {
		return &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_REJECT}
	}
	a := &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT}
	switch {
	case c.self:
		a.Nexthop = &api.NexthopAction{Self: true}
	case c.hop.IsValid():
		a.Nexthop = &api.NexthopAction{Address: c.hop.String()}
	}
	if c.med >= 0 {
		a.Med = &api.MedAction{Type: api.MedAction_TYPE_REPLACE, Value: c.med}
	}
	if c.pref >= 0 {
		a.LocalPref = &api.LocalPrefAction{Value: uint32(c.pref)}
	}
	if c.origin >= 0 {
		a.OriginAction = &api.OriginAction{Origin: map[int8]api.OriginType{0: api.OriginType_ORIGIN_TYPE_IGP,
			1: api.OriginType_ORIGIN_TYPE_EGP, 2: api.OriginType_ORIGIN_TYPE_INCOMPLETE}[c.origin]}
	}
	if c.prepend > 0 {
		a.AsPrepend = &api.AsPrependAction{Asn: c.prependAS, Repeat: uint32(c.prepend)}
	}
	a.Community = &api.CommunityAction{Type: api.CommunityAction_TYPE_REMOVE, Communities: []string{tagRegexp}}
	if c.replace {
		a.Community = &api.CommunityAction{Type: api.CommunityAction_TYPE_REPLACE, Communities: strings.Fields(c.list)}
	}
	if c.replaceExtended {
		a.ExtCommunity = &api.CommunityAction{Type: api.CommunityAction_TYPE_REPLACE, Communities: strings.Fields(c.extended)}
	}
	if c.replaceLarge {
		a.LargeCommunity = &api.CommunityAction{Type: api.CommunityAction_TYPE_REPLACE, Communities: strings.Fields(c.large)}
	}
	return a
}
