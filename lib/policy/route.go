package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Route is what a route-map looks at and changes.
type Route struct {
	Prefix    netip.Prefix
	NextHop   netip.Addr
	Source    netip.Addr // the router that it was learned from
	Interface string     // outgoing interface, by its configuration name
	Tag       uint32

	Protocol rib.Protocol // where the route comes from
	Instance uint32       // its process or autonomous system number

	Metric    uint32
	MetricSet bool   // a route-map set Metric
	Vector    Vector // EIGRP's metric
	VectorSet bool   // a route-map set Vector

	MetricType     MetricType // of an OSPF external route
	LocalPref      uint32     // BGP LOCAL_PREF
	LocalPrefSet   bool       // a route-map set LocalPref
	Communities    []Community
	CommunitiesSet bool // a route-map set Communities
	Extended       []ExtCommunity
	ExtendedSet    bool // a route-map set Extended
	Large          []LargeCommunity
	LargeSet       bool // a route-map set Large

	ASPath    fmt.Stringer // BGP AS_PATH as it is shown; nil: the route is not of BGP
	Prepend   []uint32     // what a route-map put before it
	Weight    uint32       // BGP weight
	WeightSet bool         // a route-map set Weight
	Origin    string       // that a route-map set: igp or incomplete
}

// Vector is an EIGRP metric as it is configured.
type Vector struct {
	Bandwidth   uint32 // kilobits per second
	Delay       uint32 // tens of microseconds
	Reliability uint8  // 255 is best
	Load        uint8  // 255 is worst
	MTU         uint16
}

// MetricType is the type of an OSPF external metric.
type MetricType uint8

// The metric types.
const (
	MetricTypeNone MetricType = iota // not said
	MetricType1                      // type-1
	MetricType2                      // type-2
)

// Community is a BGP community (RFC 1997).
type Community uint32

// Communities with a meaning of their own (RFC 1997, Well-known Communities);
// CommunityInternet is Cisco's.
const (
	CommunityInternet    Community = 0
	CommunityNoExport    Community = 0xFFFFFF01
	CommunityNoAdvertise Community = 0xFFFFFF02
	CommunityLocalAS     Community = 0xFFFFFF03 // NO_EXPORT_SUBCONFED
)

var communityNames = map[Community]string{CommunityInternet: "internet", CommunityNoExport: "no-export",
	CommunityNoAdvertise: "no-advertise", CommunityLocalAS: "local-AS"}

// String returns Cisco's word or aa:nn.
func (c Community) String() string {
	if name, ok := communityNames[c]; ok {
		return name
	}
	return fmt.Sprintf("%d:%d", uint32(c)>>16, uint32(c)&0xFFFF)
}

// metricChange is what "set metric" says.
type metricChange struct {
	set    bool  // value is the metric
	value  int64 // the metric, or what is added to it
	vector Vector
	whole  bool // vector is the metric
}

// changes are the set clauses of one entry.
type changes struct {
	metric      *metricChange
	tag         *uint32
	nextHop4    netip.Addr
	nextHop6    netip.Addr
	metricType  MetricType
	localPref   *uint32
	communities []Community
	community   bool // set community was given
	additive    bool
	without     *ref[*CommunityList] // set comm-list … delete
	prepend     []uint32

	targets, origins []ExtCommunity // set extcommunity rt and soo; nil: none was given
	moreTargets      bool           // rt additive
	withoutExt       *ref[*ExtCommunityList]
	setLarge         bool // set large-community was given
	large            []LargeCommunity
	moreLarge        bool // additive
	withoutLarge     *ref[*LargeCommunityList]

	weight *uint32
	origin string
}

// apply carries the clauses out.
func (c *changes) apply(r *Route) {
	if m := c.metric; m != nil {
		m.apply(r)
	}
	if c.tag != nil {
		r.Tag = *c.tag
	}
	switch {
	case c.nextHop4.IsValid() && r.Prefix.Addr().Is4():
		r.NextHop = c.nextHop4
	case c.nextHop6.IsValid() && r.Prefix.Addr().Is6():
		r.NextHop = c.nextHop6
	}
	if c.metricType != MetricTypeNone {
		r.MetricType = c.metricType
	}
	if c.localPref != nil {
		r.LocalPref, r.LocalPrefSet = *c.localPref, true
	}
	if c.community {
		r.CommunitiesSet = true
		r.Communities = merged(r.Communities, c.communities, c.additive)
	}
	c.applyBGP(r)
}

// applyBGP carries out what else concerns BGP.
func (c *changes) applyBGP(r *Route) {
	if c.without != nil {
		r.Communities, r.CommunitiesSet = c.without.list.Without(r.Communities), true
	}
	c.applyExtended(r)
	c.applyLarge(r)
	if c.prepend != nil {
		r.Prepend = c.prepend
	}
	if c.weight != nil {
		r.Weight, r.WeightSet = *c.weight, true
	}
	if c.origin != "" {
		r.Origin = c.origin
	}
}

// merged returns communities in place of those of a route, or beside them.
func merged[C communityValue[C]](of, set []C, additive bool) []C {
	if additive {
		set = append(slices.Clone(of), set...)
	}
	return inOrder(set)
}

// applyExtended changes extended communities: route targets and sites of origin are
// replaced each by themselves, and others stay.
func (c *changes) applyExtended(r *Route) {
	replace := func(kind byte, set []ExtCommunity, additive bool) {
		if set == nil {
			return
		}
		rest := slices.DeleteFunc(slices.Clone(r.Extended), func(x ExtCommunity) bool { return !additive && x.kind() == kind })
		r.Extended, r.ExtendedSet = merged(rest, set, true), true
	}
	replace(extRouteTarget, c.targets, c.moreTargets)
	replace(extSiteOfOrig, c.origins, false)
	if c.withoutExt != nil {
		r.Extended, r.ExtendedSet = c.withoutExt.list.Without(r.Extended), true
	}
}

func (c *changes) applyLarge(r *Route) {
	if c.setLarge {
		r.Large, r.LargeSet = merged(r.Large, c.large, c.moreLarge), true
	}
	if c.withoutLarge != nil {
		r.Large, r.LargeSet = c.withoutLarge.list.Without(r.Large), true
	}
}

// apply sets or changes the metric, within what 32 bits hold.
func (m *metricChange) apply(r *Route) {
	switch {
	case m.whole:
		r.Vector, r.VectorSet = m.vector, true
	case m.set:
		r.Metric, r.MetricSet = uint32(m.value), true
	default:
		r.Metric = uint32(min(max(int64(r.Metric)+m.value, 0), 1<<32-1))
		r.MetricSet = true
	}
}
