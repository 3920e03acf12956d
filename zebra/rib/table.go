package rib

import (
	"iter"
	"net/netip"

	"github.com/gaissmai/bart"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// table is one VRF.
type table struct {
	name     string
	nodes    bart.Table[*node]    // every prefix that somebody states something about
	gateways bart.Table[*gateway] // the dependency index: every next-hop address in use, as a host prefix
	counts   map[countKey]*Counts
}

type countKey struct {
	family   rib.Family
	protocol rib.Protocol
}

// node is a prefix of a table.
type node struct {
	table     *table
	prefix    netip.Prefix
	routes    []*candidate // best first, whether they resolve or not
	overrides []*candidate // by owner's name

	best *candidate // selected: of routes, or of overrides if no route resolves
	over *candidate // the override in force, where best is of routes
	// loop is set if nothing is selected because recursion goes in a circle
	// over other prefixes. Such a prefix still covers what lies in it: see
	// doc.go, "Loops".
	loop bool

	told   *candidate // the selected route as redistribution was told last
	fib    *fibEntry  // nil if the FIB was never asked, or has confirmed that it is gone
	force  bool       // an interface changed: users look again even if nothing seems new
	queued bool       // in Core.queue
	listed bool       // in Core.touched
	frozen bool       // did not settle in Core.epoch
	rounds uint16     // evaluations in Core.epoch
	epoch  uint64
}

// gateway is a next-hop address that routes resolve through or a watch tracks.
type gateway struct {
	source
	table   *table
	addr    netip.Addr
	parent  *node // the longest prefix that covers it; nil if none
	watches []*watch
}

// source is something that candidates depend on: a gateway or an interface.
type source struct {
	users []user
	gw    *gateway // one of the two is set
	ifc   *iface
}

// user is one next hop that depends on a source. It and dep point at each
// other, so that either can be removed in constant time.
type user struct {
	cand *candidate
	dep  int32 // index in cand.deps
}

type dep struct {
	src *source
	pos int32 // index in src.users
}

// covers reports whether the node takes part in longest-match lookups.
func (n *node) covers() bool { return n.routed() != nil || n.loop }

// routed returns what resolution and next-hop tracking follow: the selected route,
// but no override that stands in for one.
func (n *node) routed() *candidate {
	if n.best == nil || n.best.override {
		return nil
	}
	return n.best
}

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func (c *Core) table(name string) *table {
	t := c.tables[name]
	if t == nil {
		t = &table{name: name, counts: map[countKey]*Counts{}}
		c.tables[name] = t
	}
	return t
}

// dropTable forgets a table in which nothing is left.
func (c *Core) dropTable(t *table) {
	if t.nodes.Size() == 0 && t.gateways.Size() == 0 {
		delete(c.tables, t.name)
	}
}

func (t *table) node(p netip.Prefix) *node {
	if n, ok := t.nodes.Get(p); ok {
		return n
	}
	n := &node{table: t, prefix: p}
	t.nodes.Insert(p, n)
	return n
}

// dropNode forgets a node about which nothing is stated any more.
func (c *Core) dropNode(n *node) {
	if len(n.routes) > 0 || len(n.overrides) > 0 || n.fib != nil || n.queued {
		return
	}
	delete(c.looped, n)
	if got, ok := n.table.nodes.Get(n.prefix); ok && got == n {
		n.table.nodes.Delete(n.prefix)
	}
	c.dropTable(n.table)
}

// lookup returns the longest prefix that covers a.
func (t *table) lookup(a netip.Addr) *node {
	n, ok := t.nodes.Lookup(a)
	if !ok || n.covers() {
		return n
	}
	for _, n := range t.nodes.Supernets(hostPrefix(a)) {
		if n.covers() {
			return n
		}
	}
	return nil
}

func (t *table) gateway(a netip.Addr) *gateway {
	if g, ok := t.gateways.Get(hostPrefix(a)); ok {
		return g
	}
	g := &gateway{table: t, addr: a, parent: t.lookup(a)}
	g.source.gw = g
	t.gateways.Insert(hostPrefix(a), g)
	return g
}

func (c *Core) dropGateway(g *gateway) {
	if len(g.users) == 0 && len(g.watches) == 0 {
		g.table.gateways.Delete(hostPrefix(g.addr))
		c.dropTable(g.table)
	}
}

// coversGateway reports whether some next-hop address lies in n's prefix. Only
// such prefixes can be part of a circle.
func (n *node) coversGateway() bool {
	for range n.table.gateways.Subnets(n.prefix) {
		return true
	}
	return false
}

// depend enters cand as a user of every gateway and interface that its next
// hops name.
func (c *Core) depend(cand *candidate) {
	for _, nh := range cand.route.NextHops {
		var src *source
		switch {
		case nh.Discard:
			continue
		case nh.Interface != "":
			src = &c.iface(nh.Interface).source
		default:
			src = &c.table(hopVRF(nh, cand.route.VRF)).gateway(nh.Addr).source
		}
		cand.deps = append(cand.deps, dep{src, int32(len(src.users))})
		src.users = append(src.users, user{cand, int32(len(cand.deps) - 1)})
	}
}

// undepend undoes depend.
func (c *Core) undepend(cand *candidate) {
	for _, d := range cand.deps {
		last := len(d.src.users) - 1
		moved := d.src.users[last]
		d.src.users[d.pos] = moved
		moved.cand.deps[moved.dep].pos = d.pos
		d.src.users[last] = user{}
		d.src.users = d.src.users[:last]
		if d.src.gw != nil {
			c.dropGateway(d.src.gw)
		} else {
			c.dropIface(d.src.ifc)
		}
	}
	cand.deps = nil
}

// hopVRF returns the VRF in which nh is looked up, for a route of vrf.
func hopVRF(nh rib.NextHop, vrf string) string {
	if nh.LeaveVRF {
		return nh.VRF
	}
	return vrf
}

// sorted yields the nodes of a family in order of prefixes.
func (t *table) sorted(f rib.Family) iter.Seq2[netip.Prefix, *node] {
	if f == rib.IPv6 {
		return t.nodes.AllSorted6()
	}
	return t.nodes.AllSorted4()
}

// sortedAfter yields the nodes of after's family that follow it in order of
// prefixes, without looking at those before it: first what lies in after, then
// what lies in the upper half of each prefix around it, from the inside out.
func (t *table) sortedAfter(after netip.Prefix) iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for p, n := range t.nodes.Subnets(after) {
			if p != after && !yield(n) {
				return
			}
		}
		for bits := after.Bits(); bits > 0; bits-- {
			sibling, ok := upperSibling(after.Addr(), bits)
			if !ok {
				continue
			}
			for _, n := range t.nodes.Subnets(sibling) {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// upperSibling returns the prefix of length bits that differs from a's in the
// last bit, if that bit is 0 in a.
func upperSibling(a netip.Addr, bits int) (netip.Prefix, bool) {
	raw := a.AsSlice()
	i, mask := (bits-1)/8, byte(1)<<(7-(bits-1)%8)
	if raw[i]&mask != 0 {
		return netip.Prefix{}, false
	}
	raw[i] |= mask
	up, _ := netip.AddrFromSlice(raw)
	return netip.PrefixFrom(up, bits).Masked(), true
}

// count returns the counters of protocol p in family f.
func (t *table) count(f rib.Family, p rib.Protocol) *Counts {
	k := countKey{f, p}
	n := t.counts[k]
	if n == nil {
		n = &Counts{Protocol: p}
		t.counts[k] = n
	}
	return n
}
