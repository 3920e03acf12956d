package rib

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// candidate is one owner's route for a prefix, or its override, which is held
// as the route that it may become. What is stated never changes: another Put
// makes another candidate.
type candidate struct {
	held
	node     *node
	route    rib.Route
	origin   string // interface from which a connected or local route derives
	deps     []dep
	override bool

	// The outcome of the last evaluation.
	reason Reason        // Active if it resolves, selected or not
	circle bool          // a next hop goes in a circle over other prefixes
	which  int16         // index of the next hop that reason is about
	depth  int16         // levels of recursion
	hops   []rib.NextHop // resolved; empty if reason is not Active. May be route.NextHops itself, or that of other candidates
	used   uint64        // bit i is set if next hop i resolves
	since  clock.Instant
}

// compare orders the candidates of a prefix, best first: distance, then
// metric, then what makes the order the same everywhere.
func compare(a, b *candidate) int {
	return cmp.Or(
		cmp.Compare(a.route.Distance, b.route.Distance),
		cmp.Compare(a.route.Metric, b.route.Metric),
		cmp.Compare(a.route.Protocol, b.route.Protocol),
		cmp.Compare(a.route.Instance, b.route.Instance),
		strings.Compare(a.owner.name, b.owner.name),
		strings.Compare(a.origin, b.origin),
	)
}

// outcome is what one next hop, or a whole route, comes down to.
type outcome struct {
	hops   []rib.NextHop
	depth  int16
	reason Reason
	which  int16
	used   uint64
	circle bool
}

// evaluate resolves the next hops of cand anew.
func (c *Core) evaluate(cand *candidate) {
	o := c.resolveRoute(cand)
	switch { // a million routes out of one interface, or by one gateway, need no list each
	case slices.Equal(o.hops, cand.route.NextHops):
		o.hops = cand.route.NextHops
	case slices.Equal(o.hops, c.hops):
		o.hops = c.hops
	default:
		c.hops = o.hops
	}
	cand.hops, cand.depth, cand.reason, cand.which = o.hops, o.depth, o.reason, o.which
	cand.used, cand.circle = o.used, o.circle
}

// resolveRoute resolves all next hops. One that resolves is enough; otherwise
// the reason is that of the first.
func (c *Core) resolveRoute(cand *candidate) outcome {
	if cand.route.Distance == rib.MaxDistance {
		return outcome{reason: ReasonDistance}
	}
	all := outcome{reason: ReasonNoNextHop}
	for i, nh := range cand.route.NextHops {
		o := c.resolveHop(cand, nh)
		all.circle = all.circle || o.circle
		if o.reason != Active {
			if i == 0 {
				all.reason, all.which = o.reason, int16(i)
			}
			continue
		}
		all.used |= 1 << i
		all.depth = max(all.depth, o.depth)
		for _, h := range o.hops {
			all.hops = appendHop(all.hops, h)
		}
	}
	if len(all.hops) == 0 {
		return all
	}
	return outcome{hops: dropDiscards(all.hops), depth: all.depth, used: all.used, circle: all.circle}
}

// appendHop appends h unless the same way out is there, or there is no room.
func appendHop(hops []rib.NextHop, h rib.NextHop) []rib.NextHop {
	if len(hops) == MaxNextHops || slices.ContainsFunc(hops, func(o rib.NextHop) bool {
		o.Weight = h.Weight
		return o == h
	}) {
		return hops
	}
	return append(hops, h)
}

// dropDiscards drops Null0 where traffic has another way.
func dropDiscards(hops []rib.NextHop) []rib.NextHop {
	discard := func(h rib.NextHop) bool { return h.Discard }
	if !slices.ContainsFunc(hops, discard) || !slices.ContainsFunc(hops, func(h rib.NextHop) bool { return !h.Discard }) {
		return hops
	}
	return slices.DeleteFunc(hops, discard)
}

// resolveHop resolves one next hop of cand to interfaces.
func (c *Core) resolveHop(cand *candidate, nh rib.NextHop) outcome {
	switch {
	case nh.Discard:
		return outcome{hops: []rib.NextHop{{Discard: true}}}
	case nh.Interface != "":
		return c.resolveInterface(cand, nh)
	}
	return c.resolveGateway(cand, nh)
}

func (c *Core) resolveInterface(cand *candidate, nh rib.NextHop) outcome {
	i := c.interfaces[nh.Interface]
	vrf := hopVRF(nh, cand.route.VRF)
	switch {
	case i == nil || !i.info.Up:
		return outcome{reason: ReasonInterface}
	case i.info.VRF != vrf:
		return outcome{reason: ReasonInterfaceVRF}
	case i.owns(nh.Addr):
		return outcome{reason: ReasonOwnAddress}
	}
	nh.OnLink = nh.Addr.IsValid() && (nh.OnLink || !i.onLink(nh.Addr))
	return outcome{hops: []rib.NextHop{relativeTo(nh, vrf, cand.route.VRF)}}
}

// relativeTo returns nh, which lies in vrf, as a next hop of a route of own.
func relativeTo(nh rib.NextHop, vrf, own string) rib.NextHop {
	nh.VRF, nh.LeaveVRF = vrf, vrf != own
	if !nh.LeaveVRF {
		nh.VRF = ""
	}
	return nh
}

// resolveGateway resolves a next hop without interface by the longest match.
func (c *Core) resolveGateway(cand *candidate, nh rib.NextHop) outcome {
	n := cand.node
	t := c.tables[hopVRF(nh, cand.route.VRF)]
	g, _ := t.gateways.Get(hostPrefix(nh.Addr))
	parent := g.parent
	switch {
	case parent == nil:
		return outcome{reason: ReasonUnreachable}
	case t == n.table && n.prefix.Contains(nh.Addr) && parent.prefix.Bits() <= n.prefix.Bits():
		return outcome{reason: ReasonLoop}
	case !c.usableBy(cand, parent):
		return outcome{reason: ReasonDefaultOnly}
	case parent.loop, n.coversGateway() && reaches(parent, n, nil):
		return outcome{reason: ReasonLoop, circle: true}
	case parent.best.depth+1 > c.opts.MaxDepth:
		return outcome{reason: ReasonDepth}
	case c.ownAddress(parent.best, nh.Addr):
		return outcome{reason: ReasonOwnAddress}
	}
	return outcome{hops: c.through(parent, nh, n.table.name), depth: parent.best.depth + 1}
}

// usableBy reports whether cand's next hops may resolve by parent.
func (c *Core) usableBy(cand *candidate, parent *node) bool {
	return parent.prefix.Bits() > 0 || c.viaDefault(cand.route.Protocol)
}

// ownAddress reports whether a, reached by the selected route r, is an address
// of this router.
func (c *Core) ownAddress(r *candidate, a netip.Addr) bool {
	switch r.route.Protocol {
	case rib.Local:
		return true
	case rib.Connected:
		i := c.interfaces[r.origin]
		return i != nil && i.owns(a)
	}
	return false
}

// through returns the ways out of nh's address over parent's selected route,
// as next hops of a route of VRF own.
func (c *Core) through(parent *node, nh rib.NextHop, own string) []rib.NextHop {
	out := make([]rib.NextHop, 0, len(parent.best.hops))
	for _, h := range parent.best.hops {
		if h.Discard {
			out = append(out, h)
			continue
		}
		vrf := hopVRF(h, parent.table.name)
		if !h.Addr.IsValid() {
			h.Addr = nh.Addr
			i := c.interfaces[h.Interface]
			h.OnLink = h.Addr.IsValid() && i != nil && !i.onLink(h.Addr)
		}
		if len(parent.best.hops) == 1 {
			h.Weight = nh.Weight
		}
		out = append(out, relativeTo(h, vrf, own))
	}
	return out
}

// reaches reports whether the recursion from node from comes to target, by
// next hops that are in use. seen holds the nodes visited.
func reaches(from, target *node, seen map[*node]bool) bool {
	if from == target {
		return true
	}
	best := from.routed()
	if best == nil {
		return false
	}
	for i, d := range best.deps { // in step with the next hops: Null0 has none, and stands alone
		if d.src.gw == nil || best.used&(1<<i) == 0 {
			continue
		}
		next := d.src.gw.parent
		if next == nil || next == from || seen[next] {
			continue
		}
		if seen == nil {
			seen = map[*node]bool{}
		}
		seen[next] = true
		if reaches(next, target, seen) {
			return true
		}
	}
	return false
}
