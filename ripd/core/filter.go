package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/policy"
)

// rules are the lists that a RIP instance applies to routes, with their names
// resolved.
type rules struct {
	in, out struct {
		filters []filter
		offsets []offsetRule
	}
	distances []distanceRule
	otherwise uint8 // distance of what no rule fits
}

// filter is a distribute-list: one of its lists decides.
type filter struct {
	ifname   string // "" for all
	byPrefix bool
	prefixes *policy.PrefixList
	accesses *policy.AccessList
}

type offsetRule struct {
	ifname string
	list   *policy.AccessList // nil: all routes
	offset uint32
}

type distanceRule struct {
	source   policy.Wildcard
	list     *policy.AccessList // nil: all routes
	distance uint8
}

// newRules resolves the names that rc uses. Lists that are not defined permit
// everything.
func newRules(rc RouterConfig, set *policy.Set) *rules {
	r := &rules{otherwise: rc.Distance}
	if r.otherwise == 0 {
		r.otherwise = DefaultDistance
	}
	for _, f := range rc.Filters {
		c := filter{ifname: f.Interface, byPrefix: f.Prefix}
		if f.Prefix {
			c.prefixes = set.PrefixList(f.List)
		} else {
			c.accesses = set.AccessList(f.List)
		}
		if f.Out {
			r.out.filters = append(r.out.filters, c)
		} else {
			r.in.filters = append(r.in.filters, c)
		}
	}
	for _, named := range []bool{true, false} { // those with an interface go first
		for _, o := range rc.Offsets {
			if (o.Interface != "") != named {
				continue
			}
			c := offsetRule{ifname: o.Interface, list: accessList(set, o.List), offset: uint32(o.Offset)}
			if o.Out {
				r.out.offsets = append(r.out.offsets, c)
			} else {
				r.in.offsets = append(r.in.offsets, c)
			}
		}
	}
	for _, d := range rc.Distances {
		r.distances = append(r.distances, distanceRule{source: d.Source, list: accessList(set, d.List), distance: d.Distance})
	}
	return r
}

// accessList returns the list of that name; nil, which permits everything, for
// no name as for one that is not defined.
func accessList(set *policy.Set, name string) *policy.AccessList {
	if name == "" {
		return nil
	}
	return set.AccessList(name)
}

// permit tells whether the distribute-lists let p pass: in from that router, or
// out, where from has no meaning. An extended access-list compares inwards the
// router and the network, outwards the network and its mask (package policy).
func (r *rules) permit(out bool, ifname string, from netip.Addr, p netip.Prefix) bool {
	filters := r.in.filters
	if out {
		filters = r.out.filters
	}
	for i := range filters {
		if f := &filters[i]; (f.ifname == "" || f.ifname == ifname) && !f.permit(out, from, p) {
			return false
		}
	}
	return true
}

func (f *filter) permit(out bool, from netip.Addr, p netip.Prefix) (permit bool) {
	switch {
	case f.byPrefix:
		permit, _ = f.prefixes.Match(p)
	case out:
		permit, _ = f.accesses.MatchPrefix(p)
	default:
		permit, _ = f.accesses.MatchUpdate(from, p)
	}
	return permit
}

// offset returns what the offset-lists add to the metric of p. One list decides:
// the first that permits p, those that name the interface before the others.
func (r *rules) offset(out bool, ifname string, p netip.Prefix) uint32 {
	offsets := r.in.offsets
	if out {
		offsets = r.out.offsets
	}
	for i := range offsets {
		o := &offsets[i]
		if o.ifname != "" && o.ifname != ifname {
			continue
		}
		if permit, _ := o.list.MatchPrefix(p); permit {
			return o.offset
		}
	}
	return 0
}

// distance returns the distance of p as told by that router: of the first rule
// that fits both.
func (r *rules) distance(from netip.Addr, p netip.Prefix) uint8 {
	for i := range r.distances {
		d := &r.distances[i]
		if !d.source.Match(from) {
			continue
		}
		if permit, _ := d.list.MatchPrefix(p); permit {
			return d.distance
		}
	}
	return r.otherwise
}
