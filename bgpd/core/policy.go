package core

import (
	"slices"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// Apply evaluates a route-map for path attributes. r says what is known of the route
// beside them; Apply fills in what they say. It returns a itself if nothing changed.
func Apply(m *policy.RouteMap, r policy.Route, a *locrib.Attributes) (*locrib.Attributes, bool) {
	b, permit := evaluate(m, r, a, a)
	if permit && b.Equal(a) {
		return a, true
	}
	return b, permit
}

// DefaultRoute evaluates the route-map of default-originate for a route with attributes a.
// It returns those of the default route: what the map sets, and else nothing.
func DefaultRoute(m *policy.RouteMap, r policy.Route, a *locrib.Attributes) (*locrib.Attributes, bool) {
	return evaluate(m, r, a, &locrib.Attributes{})
}

// evaluate returns base with what the route-map sets of a route with attributes a.
func evaluate(m *policy.RouteMap, r policy.Route, a, base *locrib.Attributes) (*locrib.Attributes, bool) {
	r.Metric, r.LocalPref, r.ASPath, r.Weight = a.MED, a.Preference(), a.ASPath, a.Weight
	r.Communities, r.Extended, r.Large = a.Communities, a.Extended, a.Large
	if !r.NextHop.IsValid() {
		r.NextHop = a.NextHop
	}
	was := r.NextHop
	out, permit := m.Apply(r)
	if !permit {
		return nil, false
	}
	b := *base
	if out.MetricSet {
		b.MED, b.HasMED = out.Metric, true
	}
	if out.LocalPrefSet {
		b.LocalPref, b.HasLocalPref = out.LocalPref, true
	}
	if out.CommunitiesSet && !slices.Equal(out.Communities, base.Communities) {
		b.Communities = out.Communities
	}
	if out.ExtendedSet && !slices.Equal(out.Extended, base.Extended) {
		b.Extended = out.Extended
	}
	if out.LargeSet && !slices.Equal(out.Large, base.Large) {
		b.Large = out.Large
	}
	if out.NextHop != was {
		b.NextHop = out.NextHop
	}
	for _, as := range slices.Backward(out.Prepend) {
		b.ASPath = b.ASPath.Prepend(as, 1)
	}
	if out.WeightSet {
		b.Weight = out.Weight
	}
	switch out.Origin {
	case "igp":
		b.Origin = locrib.IGP
	case "incomplete":
		b.Origin = locrib.Incomplete
	}
	return &b, true
}
