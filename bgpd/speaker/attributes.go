package speaker

import (
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// GoBGP's attributes become ours, and ours GoBGP's.

// reader reads the attributes of paths. Those of an UPDATE share them, and GoBGP keeps
// them one after another, so the last one is all the memory that it needs.
type reader struct {
	raw []bgp.PathAttributeInterface
	hop netip.Addr
	out *locrib.Attributes
}

// others are the attributes that locrib has no fields for and that are passed on.
type others []bgp.PathAttributeInterface

func (r *reader) read(raw []bgp.PathAttributeInterface) *locrib.Attributes {
	hop := reachHop(raw)
	if r.out != nil && hop == r.hop && same(raw, r.raw) {
		return r.out
	}
	a := &locrib.Attributes{}
	for _, x := range raw {
		readAttribute(a, x)
	}
	r.raw, r.hop, r.out = raw, hop, a
	return a
}

// same tells whether two paths have the same attributes. MP_REACH_NLRI, which is
// another for each prefix, differs in no more than its next hop.
func same(a, b []bgp.PathAttributeInterface) bool {
	return slices.EqualFunc(a, b, func(x, y bgp.PathAttributeInterface) bool {
		return x == y || x.GetType() == bgp.BGP_ATTR_TYPE_MP_REACH_NLRI && y.GetType() == bgp.BGP_ATTR_TYPE_MP_REACH_NLRI
	})
}

func reachHop(raw []bgp.PathAttributeInterface) (hop netip.Addr) {
	for _, x := range raw {
		if m, ok := x.(*bgp.PathAttributeMpReachNLRI); ok {
			hop = m.Nexthop
		}
	}
	return hop
}

func readAttribute(a *locrib.Attributes, x bgp.PathAttributeInterface) {
	switch x := x.(type) {
	case *bgp.PathAttributeOrigin:
		a.Origin = locrib.Origin(x.Value)
	case *bgp.PathAttributeAsPath:
		for _, s := range x.Value {
			a.ASPath = append(a.ASPath, locrib.Segment{Type: locrib.SegmentType(s.GetType()), AS: s.GetAS()})
		}
	case *bgp.PathAttributeNextHop:
		a.NextHop = x.Value
	case *bgp.PathAttributeMpReachNLRI:
		a.NextHop = x.Nexthop
	case *bgp.PathAttributeMultiExitDisc:
		a.MED, a.HasMED = x.Value, true
	case *bgp.PathAttributeLocalPref:
		a.LocalPref, a.HasLocalPref = x.Value, true
	case *bgp.PathAttributeAtomicAggregate:
		a.AtomicAggregate = true
	case *bgp.PathAttributeAggregator:
		a.Aggregator = locrib.Aggregator{AS: x.Value.AS, ID: x.Value.Address}
	case *bgp.PathAttributeOriginatorId:
		a.OriginatorID = x.Value
	case *bgp.PathAttributeClusterList:
		a.ClusterList = slices.Clone(x.Value)
	case *bgp.PathAttributeCommunities, *bgp.PathAttributeExtendedCommunities, *bgp.PathAttributeLargeCommunities:
		readCommunities(a, x)
	case *bgp.PathAttributeMpUnreachNLRI:
	default:
		list, _ := a.Other.(others)
		a.Other = append(list, x)
	}
}

func readCommunities(a *locrib.Attributes, x bgp.PathAttributeInterface) {
	switch x := x.(type) {
	case *bgp.PathAttributeCommunities:
		for _, c := range x.Value {
			if !isTag(policy.Community(c)) { // nobody speaks to our export policy
				a.Communities = append(a.Communities, policy.Community(c))
			}
		}
	case *bgp.PathAttributeExtendedCommunities:
		for _, c := range x.Value {
			if b, err := c.Serialize(); err == nil && len(b) == 8 {
				a.Extended = append(a.Extended, [8]byte(b))
			}
		}
	case *bgp.PathAttributeLargeCommunities:
		for _, c := range x.Values {
			a.Large = append(a.Large, [3]uint32{c.ASN, c.LocalData1, c.LocalData2})
		}
	}
}

// write makes GoBGP's attributes, but for the next hop, with tags among the
// communities.
func write(a *locrib.Attributes, tags []policy.Community, med bool) (out []bgp.PathAttributeInterface) {
	out = append(out, bgp.NewPathAttributeOrigin(uint8(a.Origin)))
	segments := make([]bgp.AsPathParamInterface, 0, len(a.ASPath))
	for _, s := range a.ASPath {
		segments = append(segments, bgp.NewAs4PathParam(uint8(s.Type), slices.Clone(s.AS)))
	}
	out = append(out, bgp.NewPathAttributeAsPath(segments))
	if a.HasMED && med {
		out = append(out, bgp.NewPathAttributeMultiExitDisc(a.MED))
	}
	if a.HasLocalPref {
		out = append(out, bgp.NewPathAttributeLocalPref(a.LocalPref))
	}
	if a.AtomicAggregate {
		out = append(out, bgp.NewPathAttributeAtomicAggregate())
	}
	if a.Aggregator.ID.Is4() {
		if x, err := bgp.NewPathAttributeAggregator(a.Aggregator.AS, a.Aggregator.ID); err == nil {
			out = append(out, x)
		}
	}
	out = append(out, writeCommunities(a, tags)...)
	if a.OriginatorID.Is4() {
		if x, err := bgp.NewPathAttributeOriginatorId(a.OriginatorID); err == nil {
			out = append(out, x)
		}
	}
	if len(a.ClusterList) > 0 {
		if x, err := bgp.NewPathAttributeClusterList(slices.Clone(a.ClusterList)); err == nil {
			out = append(out, x)
		}
	}
	list, _ := a.Other.(others)
	return append(out, list...)
}

func writeCommunities(a *locrib.Attributes, tags []policy.Community) (out []bgp.PathAttributeInterface) {
	list := make([]uint32, 0, len(a.Communities)+len(tags))
	for _, c := range a.Communities {
		if !isTag(c) { // of a policy, or an own route
			list = append(list, uint32(c))
		}
	}
	for _, c := range tags {
		list = append(list, uint32(c))
	}
	if len(list) > 0 {
		out = append(out, bgp.NewPathAttributeCommunities(list))
	}
	if len(a.Extended) > 0 {
		list := make([]bgp.ExtendedCommunityInterface, 0, len(a.Extended))
		for _, c := range a.Extended {
			if x, err := bgp.ParseExtended(c[:]); err == nil {
				list = append(list, x)
			}
		}
		out = append(out, bgp.NewPathAttributeExtendedCommunities(list))
	}
	if len(a.Large) > 0 {
		list := make([]*bgp.LargeCommunity, len(a.Large))
		for i, c := range a.Large {
			list[i] = &bgp.LargeCommunity{ASN: c[0], LocalData1: c[1], LocalData2: c[2]}
		}
		out = append(out, bgp.NewPathAttributeLargeCommunities(list))
	}
	return out
}
