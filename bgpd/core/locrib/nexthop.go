package locrib

import (
	"net/netip"
	"slices"
)

// use counts a path, and its next hop if it was let in.
func (t *Table) use(p netip.Prefix, o *Path, by int) {
	if o.Neighbor == nil {
		return
	}
	o.Neighbor.count(p, o, by)
	if a := o.Attributes; a != nil && a.NextHop.IsValid() && !a.NextHop.IsUnspecified() {
		t.count(a.NextHop, by)
	}
}

func (t *Table) count(a netip.Addr, by int) {
	h := t.hops[a]
	if h == nil {
		h = &hop{}
		t.hops[a] = h
	}
	was := h.users
	if h.users += by; (was == 0) != (h.users == 0) {
		t.hopLog = append(t.hopLog, a)
	}
}

// HopUse says that a next hop has come into use or gone out of it.
type HopUse struct {
	Addr netip.Addr
	Used bool
}

// HopUses returns what changed in the use of next hops since the last call. What is
// known of one that is not used is forgotten.
func (t *Table) HopUses() (out []HopUse) {
	log := t.hopLog
	t.hopLog = nil
	slices.SortFunc(log, netip.Addr.Compare)
	for _, a := range slices.Compact(log) {
		h := t.hops[a]
		out = append(out, HopUse{a, h.users > 0})
		if h.users == 0 {
			delete(t.hops, a)
		}
	}
	return out
}

// SetNextHop tells of a next hop whether it is reachable, and at which metric. Of one
// that nobody uses it says nothing.
func (t *Table) SetNextHop(a netip.Addr, reachable bool, metric uint32) {
	h := t.hops[a]
	if h == nil || h.reachable == reachable && h.metric == metric {
		return
	}
	h.reachable, h.metric = reachable, metric
	t.changed[a] = true
}

// hopsChanged marks the prefixes that have a path by a next hop that changed.
func (t *Table) hopsChanged() {
	if len(t.changed) == 0 {
		return
	}
	for p, d := range t.dests.All() {
		for i := range d.paths {
			if o := &d.paths[i]; o.Attributes != nil && t.changed[o.Attributes.NextHop] {
				t.mark(p, d)
				break
			}
		}
	}
	clear(t.changed)
}

// Metric returns the metric to the next hop of a path, and whether it is reachable.
func (t *Table) Metric(o *Path) (metric uint32, reachable bool) {
	if o.Neighbor == nil || !t.config.TrackNextHops {
		return 0, true
	}
	h := t.hops[o.Attributes.NextHop]
	if h == nil {
		return 0, false
	}
	return h.metric, h.reachable
}

// Valid tells whether a path may be the best.
func (t *Table) Valid(o *Path) bool {
	if o.Attributes == nil {
		return false
	}
	_, reachable := t.Metric(o)
	return reachable
}
