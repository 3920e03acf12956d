package route

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ospfd/core/spf"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Exports reports whether other areas may be told of a network of the area.
func (a Area) Exports(p netip.Prefix) bool {
	permit, _ := a.Export.MatchPrefix(p)
	return permit
}

// Kind says which LSAs an area has of what is outside of it.
type Kind uint8

// The kinds of areas.
const (
	Normal Kind = iota
	Stub        // RFC 2328 section 3.6
	NSSA        // RFC 3101
)

// Backbone is the ID of the backbone.
const Backbone packet.ID = 0

// Config is what the computation depends on beside LSAs.
type Config struct {
	Router  packet.ID
	RFC1583 bool // RFC1583Compatibility (RFC 2328 section 16.4.1)
	Border  bool // this router is an area border router
	// Backbone: only summary-LSAs of the backbone count. A border router with an active
	// connection to it (RFC 3509 section 2.2), or any (RFC 2328 section 16.2); otherwise those
	// of all areas do. Areas with a Shortcut are asked as well.
	Backbone  bool
	Areas     []Area       // by ID; each appears once
	Addresses []netip.Addr // of this router
}

// Area is an attached area.
type Area struct {
	ID        packet.ID
	Kind      Kind
	NoSummary bool    // only a default route is told into it (by this router, if it is a border router)
	Ranges    []Range // matter if this router is a border router
	// Export permits the networks of the area that make its ranges active; nil: all.
	Export   *policy.AccessList
	Shortcut Shortcut // matters if this router is a border router; not of the backbone
}

// Range is an area address range (RFC 2328 section 3.5).
type Range struct {
	Prefix    netip.Prefix // masked
	Advertise bool
	Cost      *uint32 // nil: by its parts
	// Substitute is what is told in place of the range; the zero Prefix: the range itself.
	Substitute netip.Prefix
}

// Told is the network that is told of the range.
func (r Range) Told() netip.Prefix {
	if r.Substitute.IsValid() {
		return r.Substitute
	}
	return r.Prefix
}

// Link is what a link of the router's own router-LSA is.
type Link struct {
	Interface string     // "" for a virtual link
	Addr      netip.Addr // of the neighbour at its other end; the zero Addr where the link leads to a network
	Transit   packet.ID  // of a virtual link: the area that it leads through
	Router    packet.ID  // of a virtual link: its other end; 0 for other links
}

// NextHop is a way out.
type NextHop struct {
	Interface string
	Addr      netip.Addr // the zero Addr: directly connected
}

func compareHops(a, b NextHop) int {
	return cmp.Or(cmp.Compare(a.Interface, b.Interface), a.Addr.Compare(b.Addr))
}

// Type is the type of a path, in the order of preference (RFC 2328 section 11).
type Type uint8

// Types of paths.
const (
	Intra Type = 1 + iota
	Inter
	External1
	External2
)

// Route is an entry of the routing table for a network.
type Route struct {
	Prefix  netip.Prefix
	Type    Type
	Area    packet.ID // of Intra and Inter; of NSSA: the NSSA
	NSSA    bool      // External: of a type-7 LSA
	Cost    uint32    // External2: to the border router or forwarding address
	Type2   uint32    // External2: what the LSA says
	Tag     uint32    // External
	Hops    []NextHop // sorted, at most spf.MaxHops; shared: not to be changed
	Router  packet.ID // who advertises it: of Intra the router-LSA or network-LSA
	Discard bool      // an active range: packets that match nothing better are dropped
	LSA     packet.LSAKey
	// Of the external LSA: its forwarding address, and whether it has the P-bit.
	Forward   netip.Addr
	Propagate bool
}

// Connected reports whether the router is attached to the network itself.
func (r Route) Connected() bool {
	return slices.ContainsFunc(r.Hops, func(h NextHop) bool { return !h.Addr.IsValid() })
}

// Equal reports whether two routes are the same.
func (r Route) Equal(o Route) bool {
	hops := slices.Equal(r.Hops, o.Hops)
	return hops && r.Prefix == o.Prefix && r.Type == o.Type && r.Area == o.Area && r.NSSA == o.NSSA && r.Cost == o.Cost &&
		r.Type2 == o.Type2 && r.Tag == o.Tag && r.Router == o.Router && r.Discard == o.Discard && r.LSA == o.LSA &&
		r.Forward == o.Forward && r.Propagate == o.Propagate
}

// Border is an entry of the routing table for an area border router or AS boundary router.
type Border struct {
	Router packet.ID
	Area   packet.ID // by which it is reached; there may be an entry for each
	Type   Type      // Intra or Inter
	ABR    bool
	ASBR   bool
	Nt     bool // it translates type-7 LSAs always (RFC 3101 section 3.1)
	Cost   uint32
	Hops   []NextHop
}

func (b Border) equal(o Border) bool {
	return b.Router == o.Router && b.Area == o.Area && b.Type == o.Type && b.ABR == o.ABR && b.ASBR == o.ASBR &&
		b.Nt == o.Nt && b.Cost == o.Cost && slices.Equal(b.Hops, o.Hops)
}

// RangeState is a range with what it makes of its parts.
type RangeState struct {
	Range
	Active bool
	Metric uint32 // of an active one
}

// Table is the routing table. It is not safe for concurrent use. Make it with New.
type Table struct {
	cfg   Config
	areas []*area // by ID

	dests   map[netip.Prefix]*dest
	places  map[place]*dest // of each summary-, AS-external- and type-7 LSA: its destination
	asbrs   map[packet.ID][]summary
	lengths [33]int            // how many internal routes of each length there are
	counts  [External2 + 1]int // … routes of each type
	forward map[*dest]struct{}
	borders map[packet.ID][]Border

	all      bool           // everything is to be computed
	trees    bool           // an area's borders are
	dirty    []*dest        // marked
	internal []netip.Prefix // whose internal route Calculate has changed: kept for its room
}

// place names an LSA within its scope. The area of what has the AS as its scope is nil.
type place struct {
	area *area
	key  packet.LSAKey
}

// area is an attached area.
type area struct {
	Area
	graph   spf.Area
	tree    spf.Tree
	root    packet.Router
	links   []Link
	intra   []*dest            // networks of the tree
	spare   []*dest            // kept for its room
	hops    map[hops][]NextHop // resolved
	ranges  []RangeState
	transit bool // TransitCapability
	shared  bool // all other border routers set the S-bit (ShortcutCapability)
	run     bool // the tree is to be computed
	collect bool // the networks are
	runs    int
	takes   int // how often the networks were taken
}

// hops identifies first hops of a tree, which vertices share.
type hops struct {
	first *spf.Hop
	n     int
}

// dest is a destination with all that is known of it.
type dest struct {
	prefix    netip.Prefix
	within    *within
	summaries []summary
	externals []external

	inside *Route // the best intra- or inter-area path; nil: none
	best   *Route // nil: it is not reached
	marked bool   // it is on the table's list
}

// within is a destination as a network of the tree of an area.
type within struct {
	area  *area
	run   int // of the area's networks, in which it was found
	route spf.Route
	next  *within // of another area
}

// in returns what a destination is in an area, nil if it is no network of it.
func (d *dest) in(a *area) *within {
	w := d.within
	for w != nil && w.area != a {
		w = w.next
	}
	return w
}

// leave forgets what a destination was in an area.
func (d *dest) leave(a *area) {
	for at := &d.within; *at != nil; at = &(*at).next {
		if (*at).area == a {
			*at = (*at).next
			return
		}
	}
}

// summary is a summary-LSA.
type summary struct {
	place
	metric uint32
}

// external is an AS-external-LSA or type-7 LSA.
type external struct {
	place
	packet.External
	propagate bool // the P-bit
}

// New returns an empty table.
func New() *Table {
	return &Table{
		dests: make(map[netip.Prefix]*dest), places: make(map[place]*dest), asbrs: make(map[packet.ID][]summary),
		forward: make(map[*dest]struct{}), borders: make(map[packet.ID][]Border),
	}
}

// Configure replaces the configuration. What the LSAs of an area that is not in it any more
// said is forgotten. Everything is computed anew by the next Calculate.
func (t *Table) Configure(cfg Config) {
	old := t.areas
	t.areas = nil
	t.cfg = cfg
	for _, c := range cfg.Areas {
		k := slices.IndexFunc(old, func(a *area) bool { return a.ID == c.ID })
		if k < 0 {
			t.areas = append(t.areas, &area{Area: c, hops: make(map[hops][]NextHop)})
			continue
		}
		old[k].Area = c
		t.areas = append(t.areas, old[k])
	}
	for _, a := range old {
		if !slices.Contains(t.areas, a) {
			t.forget(a)
		}
	}
	t.all = true
}

// forget removes what an area said.
func (t *Table) forget(a *area) {
	for at := range t.places { // unordered: each is removed
		if at.area == a {
			t.remove(at)
		}
	}
	for id, list := range t.asbrs { // unordered: each for itself
		t.setASBR(id, slices.DeleteFunc(list, func(s summary) bool { return s.area == a }))
	}
	for _, d := range a.intra {
		d.leave(a)
		t.mark(d)
	}
	for _, r := range a.ranges {
		t.mark(t.at(r.Prefix))
	}
}

// Recompute has the next Calculate compute everything anew.
func (t *Table) Recompute() { t.all = true }

// SetRoot gives the router's own router-LSA in an area, with what its links are. Put ignores
// it. It is kept: not to be changed. changed says that there is something to be computed.
func (t *Table) SetRoot(id packet.ID, body packet.Router, links []Link) (changed bool) {
	a := t.area(id)
	if a == nil {
		return false
	}
	tree := a.graph.SetRouter(t.cfg.Router, body)
	a.run = a.run || tree
	if !tree && slices.Equal(a.links, links) && a.root.Flags == body.Flags && slices.Equal(a.root.Links, body.Links) {
		return false
	}
	a.root, a.links = body, links
	a.collect, t.trees = true, true
	clear(a.hops)
	for _, b := range t.areas { // whose virtual links may lead through it
		if b.ID == Backbone {
			b.collect = true
			clear(b.hops)
		}
	}
	return true
}

func (t *Table) area(id packet.ID) *area {
	for _, a := range t.areas {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// at returns the destination of a prefix, made if there is none.
func (t *Table) at(p netip.Prefix) *dest {
	d := t.dests[p]
	if d == nil {
		d = &dest{prefix: p}
		t.dests[p] = d
	}
	return d
}

func (t *Table) mark(d *dest) {
	if !d.marked {
		d.marked = true
		t.dirty = append(t.dirty, d)
	}
}

// Get returns the route to a network.
func (t *Table) Get(p netip.Prefix) (Route, bool) {
	d := t.dests[p]
	if d == nil || d.best == nil {
		return Route{}, false
	}
	return *d.best, true
}

// All returns the routes, by prefix.
func (t *Table) All() []Route {
	out := make([]Route, 0, len(t.dests))
	for _, d := range t.dests { // unordered: sorted below
		if d.best != nil {
			out = append(out, *d.best)
		}
	}
	slices.SortFunc(out, func(a, b Route) int { return comparePrefixes(a.Prefix, b.Prefix) })
	return out
}

// Internal yields the best intra- or inter-area path to each network, also where it is
// connected; in no order. An internal path to a network is always the route to it.
func (t *Table) Internal() iter.Seq[Route] {
	return func(yield func(Route) bool) {
		for _, d := range t.dests { // unordered: who ranges over it sorts
			if d.inside != nil && !yield(*d.inside) {
				return
			}
		}
	}
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// Borders returns the entries for routers, by router and area.
func (t *Table) Borders() []Border {
	var out []Border
	for _, list := range t.borders { // unordered: sorted below
		out = append(out, list...)
	}
	slices.SortFunc(out, func(a, b Border) int {
		return cmp.Or(cmp.Compare(a.Router, b.Router), cmp.Compare(a.Area, b.Area), cmp.Compare(a.Type, b.Type))
	})
	return out
}

// Border returns the entry for a router within an area: by an intra-area path.
func (t *Table) Border(router, area packet.ID) (Border, bool) {
	for _, b := range t.borders[router] {
		if b.Area == area && b.Type == Intra {
			return b, true
		}
	}
	return Border{}, false
}

// Router returns the distance to a router within an area and the ways to it (none to the
// router itself); ok is false if it is not reached.
func (t *Table) Router(router, id packet.ID) (cost uint32, hops []NextHop, ok bool) {
	a := t.area(id)
	if a == nil || a.run || t.all {
		return 0, nil, false
	}
	v, ok := a.tree.Vertex(false, router, 0)
	if !ok {
		return 0, nil, false
	}
	return v.Distance, t.resolve(a, v.Hops), true
}

// Transit reports whether an area is a transit area: an end of a virtual link is in it
// (TransitCapability, RFC 2328 section 16.1).
func (t *Table) Transit(id packet.ID) bool {
	a := t.area(id)
	return a != nil && a.transit
}

// Runs returns how often the tree of an area was computed.
func (t *Table) Runs(id packet.ID) int {
	if a := t.area(id); a != nil {
		return a.runs
	}
	return 0
}

// Ranges returns the state of the ranges of an area.
func (t *Table) Ranges(id packet.ID) []RangeState {
	if a := t.area(id); a != nil {
		return a.ranges
	}
	return nil
}

// Count returns how many routes there are within areas, between areas, and external ones.
func (t *Table) Count() (intra, inter, external int) {
	return t.counts[Intra], t.counts[Inter], t.counts[External1] + t.counts[External2]
}

// count adds the route to a destination to the counts, or takes it off.
func (t *Table) count(d *dest, by int) {
	if d.best != nil && !d.best.Discard {
		t.counts[d.best.Type] += by
	}
}

// ASBR returns the preferred entry for an AS boundary router in areas that have
// AS-external-LSAs (RFC 2328 section 16.4 step 3).
func (t *Table) ASBR(router packet.ID) (Border, bool) {
	return t.asbr(&external{place: place{key: packet.LSAKey{Router: router}}})
}
