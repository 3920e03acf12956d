package locrib

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
)

// Selection is how best paths are chosen.
type Selection struct {
	Paths         int // maximum-paths: of external paths; 0 and 1: only the best
	InternalPaths int // maximum-paths ibgp

	AlwaysCompareMED bool // bgp always-compare-med
	MissingMEDWorst  bool // bgp bestpath med missing-as-worst
	IgnoreASPath     bool // bgp bestpath as-path ignore
	MultipathRelax   bool // bgp bestpath as-path multipath-relax
	CompareRouterID  bool // bgp bestpath compare-routerid
	IgnoreMetric     bool // bgp bestpath igp-metric ignore: that to the next hop
}

// Select chooses the best paths of a prefix, the best first. Changed tells whether
// they are others than at the last call.
func (t *Table) Select(p netip.Prefix) (best []Path, changed bool) {
	d := t.dest(p)
	if d == nil {
		return nil, false
	}
	d.dirty = false
	first := t.choose(d)
	for i := range d.paths {
		d.paths[i].Best, d.paths[i].Multipath = false, false
	}
	var now told
	var more []told
	if first != nil {
		first.Best = true
		t.share(d, first)
		best = append(best, *first)
		now = told{first.Neighbor, first.Attributes}
		for i := range d.paths {
			if o := &d.paths[i]; o.Multipath && !o.Best {
				best = append(best, *o)
				more = append(more, told{o.Neighbor, o.Attributes})
			}
		}
	}
	if changed = !now.equal(d.told) || !slices.EqualFunc(more, d.more, told.equal); changed {
		t.contributes(p, first != nil)
	}
	if d.told, d.more = now, more; len(d.paths) == 0 {
		t.dests.Delete(p)
	}
	return best, changed
}

func (a told) equal(b told) bool {
	return a.neighbor == b.neighbor && a.attributes.Equal(b.attributes)
}

// choose returns the best path; nil if there is none. MED is compared within each
// neighbouring AS first.
func (t *Table) choose(d *dest) *Path {
	var few [4]*Path
	winners := few[:0]
	for i := range d.paths {
		o := &d.paths[i]
		if !t.Valid(o) {
			continue
		}
		as := o.Attributes.ASPath.First()
		at := slices.IndexFunc(winners, func(w *Path) bool { return w.Attributes.ASPath.First() == as })
		switch {
		case at < 0:
			winners = append(winners, o)
		case t.compare(o, winners[at], true) < 0:
			winners[at] = o
		}
	}
	var best *Path
	for _, w := range winners {
		if best == nil || t.compare(w, best, t.config.AlwaysCompareMED) < 0 {
			best = w
		}
	}
	return best
}

// compare returns a negative number if a is better than b.
func (t *Table) compare(a, b *Path, med bool) int {
	if c := t.rank(a, b, med); c != 0 {
		return c
	}
	// RFC 5004, as on IOS: the older of two external paths.
	if !t.config.CompareRouterID && external(a) && external(b) {
		if c := cmp.Compare(a.Since, b.Since); c != 0 {
			return c
		}
	}
	return cmp.Or(
		routerID(a).Compare(routerID(b)),
		cmp.Compare(len(a.Attributes.ClusterList), len(b.Attributes.ClusterList)), // RFC 4456, section 9
		address(a).Compare(address(b)),
		cmp.Compare(a.ID, b.ID),
	)
}

// rank compares as far as paths must be equal to share load.
func (t *Table) rank(a, b *Path, med bool) int {
	x, y := a.Attributes, b.Attributes
	if c := cmp.Or(
		boolean(x.Has(LLGRStale), y.Has(LLGRStale)),
		cmp.Compare(y.Weight, x.Weight),
		cmp.Compare(y.Preference(), x.Preference()),
		boolean(a.Neighbor != nil, b.Neighbor != nil),
	); c != 0 {
		return c
	}
	if a.Neighbor == nil {
		return cmp.Compare(a.ID, b.ID)
	}
	if !t.config.IgnoreASPath {
		if c := cmp.Compare(x.ASPath.Len(), y.ASPath.Len()); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(x.Origin, y.Origin); c != 0 {
		return c
	}
	if med {
		if c := cmp.Compare(t.med(x), t.med(y)); c != 0 {
			return c
		}
	}
	if c := boolean(!external(a), !external(b)); c != 0 || t.config.IgnoreMetric {
		return c
	}
	m, _ := t.Metric(a)
	n, _ := t.Metric(b)
	return cmp.Compare(m, n)
}

func (t *Table) med(a *Attributes) uint32 {
	if !a.HasMED && t.config.MissingMEDWorst {
		return math.MaxUint32
	}
	return a.MED
}

// share marks the paths that share load with the best.
func (t *Table) share(d *dest, best *Path) {
	limit := t.config.InternalPaths
	if best.Neighbor == nil {
		return
	}
	if external(best) {
		limit = t.config.Paths
	}
	if limit < 2 {
		return
	}
	var equal []*Path
	for i := range d.paths {
		if o := &d.paths[i]; o != best && t.Valid(o) && o.Neighbor != nil && t.shares(o, best) {
			equal = append(equal, o)
		}
	}
	if len(equal) == 0 {
		return
	}
	slices.SortFunc(equal, func(a, b *Path) int { return t.compare(a, b, true) })
	best.Multipath = true
	for _, o := range equal[:min(len(equal), limit-1)] {
		o.Multipath = true
	}
}

func (t *Table) shares(o, best *Path) bool {
	p, q := o.Attributes.ASPath, best.Attributes.ASPath
	med := t.config.AlwaysCompareMED || p.First() == q.First()
	if t.rank(o, best, med) != 0 || o.Attributes.NextHop == best.Attributes.NextHop {
		return false
	}
	return t.config.MultipathRelax || p.equal(q)
}

func external(o *Path) bool { return o.Neighbor != nil && o.Neighbor.External }

// routerID is ORIGINATOR_ID where there is one (RFC 4456, section 9).
func routerID(o *Path) netip.Addr {
	switch {
	case o.Neighbor == nil:
		return netip.Addr{}
	case o.Attributes.OriginatorID.IsValid():
		return o.Attributes.OriginatorID
	}
	return o.Neighbor.RouterID
}

func address(o *Path) netip.Addr {
	if o.Neighbor == nil {
		return netip.Addr{}
	}
	return o.Neighbor.Address
}

// boolean is negative if b but not a is true.
func boolean(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
