package core

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// summaryDistance is that of the discard route that goes with a summary.
const summaryDistance = 5

// summary is a prefix of `ip summary-address rip`. It is announced, in the place
// of the routes inside of it, on the interfaces that name it, while one of those
// routes is reachable. How many there are of each metric is counted as they come
// and go, so that nobody has to walk the table.
type summary struct {
	key     key
	users   []*iface             // active ones
	counts  [packet.Infinity]int // strictly longer reachable prefixes, by metric
	metric  uint8                // the lowest of theirs; Infinity: none
	lost    clock.Instant        // when the last of them went
	garbage bool                 // lost, and told as unreachable
	changed bool                 // the next triggered update tells of it
}

// discards reports whether packets for destinations that the summary promises,
// and no route has, are to be dropped here. A default route promises nothing.
func (s *summary) discards() bool {
	return s.metric < packet.Infinity && s.key != defaultKey && len(s.users) > 0
}

// summary returns the summary for exactly this prefix, or nil.
func (in *instance) summary(k key) *summary {
	for _, s := range in.summaries {
		if s.key == k {
			return s
		}
	}
	return nil
}

// setSummaries makes the given summaries those of the interface.
func (c *Core) setSummaries(now clock.Instant, i *iface, prefixes []netip.Prefix) {
	in := i.instance
	want := make([]key, 0, len(prefixes))
	for _, p := range prefixes {
		if p.Addr().Is4() {
			want = append(want, keyOf(p.Masked()))
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	old := i.summaries
	i.summaries = slices.Clone(old) // jobs under way go on with the old ones
	var gone []*summary
	for _, s := range old {
		if slices.Contains(want, s.key) {
			continue
		}
		if s.metric < packet.Infinity {
			gone = append(gone, &summary{key: s.key, metric: packet.Infinity, garbage: true})
		}
		c.dropSummary(in, i, s)
	}
	c.partWith(now, i, gone)
	for _, k := range want {
		s := in.summary(k)
		if s == nil {
			s = in.addSummary(k)
		}
		if slices.Contains(i.summaries, s) {
			continue
		}
		before := in.wanted(k)
		s.users = append(s.users, i)
		i.summaries = append(i.summaries, s)
		c.summaryChanged(now, in, s)
		c.restate(in, k, before)
	}
	slices.SortFunc(i.summaries, func(a, b *summary) int { return cmp.Compare(a.key, b.key) })
}

// addSummary makes a summary and counts what lies inside of it.
func (in *instance) addSummary(k key) *summary {
	s := &summary{key: k, metric: packet.Infinity}
	in.table.sort()
	for _, r := range in.table.within(k) {
		if !r.removed && r.key != k && r.metric < packet.Infinity {
			s.counts[r.metric]++
		}
	}
	s.metric = s.lowest()
	in.summaries = append(in.summaries, s)
	slices.SortFunc(in.summaries, func(a, b *summary) int { return cmp.Compare(a.key, b.key) })
	return s
}

// dropSummary takes a summary away from an interface.
func (c *Core) dropSummary(in *instance, i *iface, s *summary) {
	before := in.wanted(s.key)
	s.users = slices.DeleteFunc(s.users, func(o *iface) bool { return o == i })
	i.summaries = slices.DeleteFunc(i.summaries, func(o *summary) bool { return o == s })
	if len(s.users) == 0 {
		c.restate(in, s.key, before)
		s.metric, s.garbage = packet.Infinity, true // for jobs under way
		in.summaries = slices.DeleteFunc(in.summaries, func(o *summary) bool { return o == s })
	}
}

// partWith tells the neighbours on an interface that summaries are not announced
// any more, and marks what they stood for.
func (c *Core) partWith(now clock.Instant, i *iface, gone []*summary) {
	if !i.active || i.silent() || len(gone) == 0 {
		return
	}
	in := i.instance
	in.table.sort()
	for _, s := range gone {
		for _, r := range in.table.within(s.key) {
			if !r.removed {
				in.mark(now, r)
			}
		}
	}
	c.launch(now, i, i.jobs(jobTriggered, []*route{}, gone))
}

func (s *summary) lowest() uint8 {
	for m, n := range s.counts {
		if n > 0 {
			return uint8(m)
		}
	}
	return packet.Infinity
}

// count follows the metric of a route.
func (s *summary) count(k key, old, metric uint8) {
	if s.key == k || !s.key.covers(k) {
		return
	}
	if old < packet.Infinity {
		s.counts[old]--
	}
	if metric < packet.Infinity {
		s.counts[metric]++
	}
}

// summarize follows the metric of a route in the summaries that hold it.
func (c *Core) summarize(now clock.Instant, in *instance, k key, old, metric uint8) {
	for _, s := range in.summaries {
		before, was := in.wanted(s.key), s.metric
		s.count(k, old, metric)
		if s.metric = s.lowest(); s.metric == was {
			continue
		}
		c.summaryChanged(now, in, s)
		switch {
		case s.metric == packet.Infinity:
			s.lost, s.garbage = now, true
			c.bury(in, garbage{summary: s, lost: now})
			if r := in.table.get(s.key); r != nil {
				in.mark(now, r) // told in its place from now on
			}
		case was == packet.Infinity:
			s.garbage = false
		}
		c.restate(in, s.key, before)
	}
}

func (c *Core) summaryChanged(now clock.Instant, in *instance, s *summary) {
	s.changed, in.summaryChanged, in.changedAt = true, true, now
}

// hides reports whether a summary of the interface is announced in the place of
// a route.
func (i *iface) hides(k key) bool {
	for _, s := range i.summaries {
		if s.key == k && s.metric < packet.Infinity || s.key != k && s.key.covers(k) {
			return true
		}
	}
	return false
}
