package locrib

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Config is what a table goes by.
type Config struct {
	AS        uint32
	RouterID  netip.Addr
	ClusterID netip.Addr // RFC 4456; that of the router where it is not valid
	// TrackNextHops makes paths depend on their next hops: one that was never told is
	// not reachable.
	TrackNextHops bool
	// LocalPref is what routes of external neighbours and own ones have where no policy
	// says another LOCAL_PREF; 0: DefaultLocalPref.
	LocalPref uint32
	Selection
}

// Neighbor is who sent a path. The table keeps the pointer; after a change of a field
// call [Table.Reimport].
type Neighbor struct {
	Address  netip.Addr
	AS       uint32
	LocalAS  uint32 // what it knows us as
	RouterID netip.Addr
	External bool
	Weight   uint32
	IPv4     Rules
	IPv6     Rules

	Count4, Count6 Count // kept by the table
}

// Count counts the paths of a neighbour: those that it sent and those that were let in.
type Count struct{ Received, Accepted int }

func (n *Neighbor) count(p netip.Prefix, o *Path, by int) {
	c := &n.Count4
	if p.Addr().Is6() {
		c = &n.Count6
	}
	if c.Received += by; o.Attributes != nil {
		c.Accepted += by
	}
}

// Rules are those of an address family of a neighbour.
type Rules struct {
	Import    Policy // nil permits everything
	AllowASIn uint8  // own AS so many times in AS_PATH
	Client    bool   // of the route reflector
}

// Rules returns those for a prefix.
func (n *Neighbor) Rules(p netip.Prefix) *Rules {
	if p.Addr().Is4() {
		return &n.IPv4
	}
	return &n.IPv6
}

// Path is a path to a prefix.
type Path struct {
	Neighbor   *Neighbor   // nil: the own route
	ID         uint32      // RFC 7911, as received; of own routes a [Source]
	Received   *Attributes // before import policy
	Attributes *Attributes // after; nil: not let in
	Since      int64       // Unix seconds
	Stale      bool        // kept for a neighbour that restarts (RFC 4724)
	Best       bool
	Multipath  bool // shares the load with the best; so does the best itself
}

// Source tells own routes of one prefix apart.
type Source = uint32

// The sources, in order of preference.
const (
	Originated Source = iota // network, redistribute
	Aggregated
)

// dest is a prefix.
type dest struct {
	paths []Path
	told  told   // the best path at the last Select
	more  []told // those that shared load with it
	dirty bool
}

type told struct {
	neighbor   *Neighbor
	attributes *Attributes
}

// hop is a next hop.
type hop struct {
	users     int
	reachable bool
	metric    uint32
}

// Table has the paths of a speaker.
type Table struct {
	config Config
	dests  bart.Table[*dest]
	dirty  []netip.Prefix // those whose dest is dirty

	hops    map[netip.Addr]*hop
	hopLog  []netip.Addr // whose first user came or last one went
	changed map[netip.Addr]bool

	aggregates []*aggregate

	lastIn, lastBase, lastOut *Attributes // memo of imported
	lastFrom                  *Neighbor
}

// New returns an empty table.
func New(c Config) *Table {
	return &Table{config: c, hops: map[netip.Addr]*hop{}, changed: map[netip.Addr]bool{}}
}

// Configure changes the configuration and marks all prefixes.
func (t *Table) Configure(c Config) {
	if t.config == c {
		return
	}
	preference := t.config.LocalPref != c.LocalPref
	t.config = c
	if preference {
		t.Reimport(func(*Neighbor) bool { return true })
		t.reoriginate()
	}
	t.MarkAll()
}

// Learn puts a path that a neighbour sent; one that it sent before with the same
// identifier is replaced (RFC 4271, section 3.1).
func (t *Table) Learn(p netip.Prefix, from *Neighbor, id uint32, a *Attributes, now int64) {
	t.put(p, Path{Neighbor: from, ID: id, Received: a, Attributes: t.imported(p, from, a), Since: now})
}

// Originate puts an own route.
func (t *Table) Originate(p netip.Prefix, s Source, a *Attributes, now int64) {
	t.put(p, Path{ID: s, Received: a, Attributes: t.preferred(a), Since: now})
}

// preferred gives attributes the configured LOCAL_PREF if they have none.
func (t *Table) preferred(a *Attributes) *Attributes {
	if t.config.LocalPref == 0 || a.HasLocalPref {
		return a
	}
	c := *a
	c.LocalPref, c.HasLocalPref = t.config.LocalPref, true
	return &c
}

// reoriginate gives all own routes what is configured now.
func (t *Table) reoriginate() {
	for _, d := range t.dests.All() {
		for i := range d.paths {
			if o := &d.paths[i]; o.Neighbor == nil {
				o.Attributes = t.preferred(o.Received)
			}
		}
	}
}

// dest returns a prefix, nil if nobody has a path to it.
func (t *Table) dest(p netip.Prefix) *dest {
	d, _ := t.dests.Get(p)
	return d
}

func (t *Table) put(p netip.Prefix, path Path) {
	d := t.dest(p)
	if d == nil {
		d = &dest{}
		t.dests.Insert(p, d)
	}
	t.mark(p, d)
	t.use(p, &path, 1)
	for i := range d.paths {
		o := &d.paths[i]
		if o.Neighbor != path.Neighbor || o.ID != path.ID {
			continue
		}
		if o.Received.Equal(path.Received) {
			path.Since = o.Since // said again: no younger for it
		}
		t.use(p, o, -1)
		path.Best, path.Multipath = o.Best, o.Multipath
		*o = path
		return
	}
	d.paths = append(d.paths, path)
}

// Unlearn takes a path back.
func (t *Table) Unlearn(p netip.Prefix, from *Neighbor, id uint32) {
	if d := t.dest(p); d != nil {
		t.remove(p, d, func(o *Path) bool { return o.Neighbor == from && o.ID == id })
	}
}

// Withdraw takes an own route back.
func (t *Table) Withdraw(p netip.Prefix, s Source) { t.Unlearn(p, nil, s) }

func (t *Table) remove(p netip.Prefix, d *dest, gone func(*Path) bool) {
	for i := len(d.paths) - 1; i >= 0; i-- {
		if o := &d.paths[i]; gone(o) {
			t.use(p, o, -1)
			d.paths = slices.Delete(d.paths, i, i+1)
			t.mark(p, d)
		}
	}
}

// Forget takes all paths of a neighbour back; with onlyStale, those that are stale, of
// one address family.
func (t *Table) Forget(n *Neighbor, f rib.Family, onlyStale bool) {
	for p, d := range t.dests.All() {
		if rib.FamilyOf(p.Addr()) == f {
			t.remove(p, d, func(o *Path) bool { return o.Neighbor == n && (o.Stale || !onlyStale) })
		}
	}
}

// Stale marks all paths of a neighbour that restarts, and returns their number.
func (t *Table) Stale(n *Neighbor) (count int) {
	for _, d := range t.dests.All() {
		for i := range d.paths {
			if d.paths[i].Neighbor == n {
				d.paths[i].Stale = true
				count++
			}
		}
	}
	return count
}

// LongLived makes the stale paths of a neighbour, which did not come back in its restart
// time, the least preferred ones; those that forbid it go (RFC 9494, section 4.2).
func (t *Table) LongLived(n *Neighbor) {
	stale := map[*Attributes]*Attributes{}
	for p, d := range t.dests.All() {
		t.remove(p, d, func(o *Path) bool { return o.Neighbor == n && o.Stale && o.Received.Has(NoLLGR) })
		for i := range d.paths {
			o := &d.paths[i]
			if o.Neighbor != n || !o.Stale || o.Received.Has(LLGRStale) {
				continue
			}
			a := stale[o.Received]
			if a == nil {
				c := *o.Received
				c.Communities = append(slices.Clone(c.Communities), LLGRStale)
				a = &c
				stale[o.Received] = a
			}
			t.use(p, o, -1)
			o.Received = a
			o.Attributes = t.imported(p, n, a)
			t.use(p, o, 1)
			t.mark(p, d)
		}
	}
}

// Reimport applies the import policies of neighbours anew, as after a change of them.
func (t *Table) Reimport(of func(*Neighbor) bool) {
	t.lastIn = nil
	for p, d := range t.dests.All() {
		for i := range d.paths {
			o := &d.paths[i]
			if o.Neighbor == nil || !of(o.Neighbor) {
				continue
			}
			t.use(p, o, -1)
			o.Attributes = t.imported(p, o.Neighbor, o.Received)
			t.use(p, o, 1)
			t.mark(p, d)
		}
	}
}

// imported applies what stands between a neighbour and the selection; nil: not let in.
func (t *Table) imported(p netip.Prefix, n *Neighbor, a *Attributes) *Attributes {
	if t.loops(p, n, a) {
		return nil
	}
	if a != t.lastIn || n != t.lastFrom {
		t.lastIn, t.lastFrom, t.lastBase = a, n, t.base(n, a)
	}
	base, rules := t.lastBase, n.Rules(p)
	if rules.Import == nil {
		return base
	}
	out, permit := rules.Import.Apply(Route{Prefix: p, From: n.Address, Attributes: base})
	switch {
	case !permit:
		return nil
	case out != base && out.Equal(t.lastOut):
		out = t.lastOut // many prefixes of an UPDATE are changed alike
	}
	t.lastOut = out
	return out
}

// base drops what a neighbour may not tell and adds what we say of all its routes.
func (t *Table) base(n *Neighbor, a *Attributes) *Attributes {
	// RFC 4271, section 5.1.5: LOCAL_PREF of an external neighbour is ignored.
	if a.Weight == n.Weight && (!n.External || !a.HasLocalPref && t.config.LocalPref == 0) {
		return a
	}
	c := *a
	c.Weight = n.Weight
	if n.External {
		c.LocalPref, c.HasLocalPref = t.config.LocalPref, t.config.LocalPref != 0
	}
	return &c
}

// loops tells whether a path has been here before.
func (t *Table) loops(p netip.Prefix, n *Neighbor, a *Attributes) bool {
	// RFC 4271, section 9.1.2.
	allowed := int(n.Rules(p).AllowASIn)
	if a.ASPath.Count(t.config.AS) > allowed || n.LocalAS != t.config.AS && a.ASPath.Count(n.LocalAS) > allowed {
		return true
	}
	if n.External {
		return false
	}
	// RFC 4456, section 8.
	return a.OriginatorID == t.config.RouterID || slices.Contains(a.ClusterList, t.config.cluster())
}

func (c *Config) cluster() netip.Addr {
	if c.ClusterID.IsValid() {
		return c.ClusterID
	}
	return c.RouterID
}

func (t *Table) mark(p netip.Prefix, d *dest) {
	if !d.dirty {
		d.dirty = true
		t.dirty = append(t.dirty, p)
	}
}

// MarkAll marks all prefixes as changed.
func (t *Table) MarkAll() {
	for p, d := range t.dests.All() {
		t.mark(p, d)
	}
}

// Mark marks a prefix as changed.
func (t *Table) Mark(p netip.Prefix) {
	if d := t.dest(p); d != nil {
		t.mark(p, d)
	}
}

// Changed returns up to n marked prefixes, in order of their marks, which it takes
// away. It is where aggregates are brought up to date, once nothing else is marked.
func (t *Table) Changed(n int, now int64) []netip.Prefix {
	t.hopsChanged()
	if len(t.dirty) == 0 {
		t.aggregate(now)
	}
	n = min(n, len(t.dirty))
	out := t.dirty[:n:n]
	if t.dirty = t.dirty[n:]; len(t.dirty) == 0 {
		t.dirty = nil
	}
	return out
}

// Marked returns the number of prefixes that are marked as changed.
func (t *Table) Marked() int { return len(t.dirty) }

// Len returns the number of prefixes.
func (t *Table) Len() int { return t.dests.Size() }

// Prefixes returns all prefixes of a family, in order.
func (t *Table) Prefixes(f rib.Family) (out []netip.Prefix) {
	for p := range t.sorted(f) {
		out = append(out, p)
	}
	return out
}

func (t *Table) sorted(f rib.Family) iter.Seq2[netip.Prefix, *dest] {
	if f == rib.IPv6 {
		return t.dests.AllSorted6()
	}
	return t.dests.AllSorted4()
}

// Bests are the best paths of the prefixes of a family, in order.
func (t *Table) Bests(f rib.Family) iter.Seq2[netip.Prefix, *Path] {
	return func(yield func(netip.Prefix, *Path) bool) {
		for p, d := range t.sorted(f) {
			for i := range d.paths {
				if o := &d.paths[i]; o.Best && !yield(p, o) {
					return
				}
			}
		}
	}
}

// Paths returns the paths of a prefix, the best first, then those that could be, then
// the others. It is a copy.
func (t *Table) Paths(p netip.Prefix) []Path {
	d := t.dest(p)
	if d == nil {
		return nil
	}
	out := slices.Clone(d.paths)
	rank := func(o *Path) int {
		switch {
		case o.Best:
			return 0
		case o.Multipath:
			return 1
		case t.Valid(o):
			return 2
		}
		return 3
	}
	slices.SortStableFunc(out, func(a, b Path) int { return rank(&a) - rank(&b) })
	return out
}

// Reflects tells whether a path may go to another neighbour of the kind given, by
// the rules for internal sessions (RFC 4271, section 9.2; RFC 4456, section 6) and
// the well-known communities (RFC 1997; NO_EXPORT_SUBCONFED is NO_EXPORT where
// there is no confederation).
func Reflects(o *Path, p netip.Prefix, external, client bool) bool {
	a := o.Attributes
	switch {
	case a.Has(policy.CommunityNoAdvertise):
		return false
	case external:
		return !a.Has(policy.CommunityNoExport) && !a.Has(policy.CommunityLocalAS)
	case o.Neighbor == nil || o.Neighbor.External:
		return true
	}
	return client || o.Neighbor.Rules(p).Client
}
