package core

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// key is an IPv4 prefix in 8 octets: address, then length. Keys are ordered as
// routes are shown and announced: by address, the shorter prefix first, so that
// what lies inside of a prefix follows it.
type key uint64

// keyOf returns the key of a masked IPv4 prefix.
func keyOf(p netip.Prefix) key { return key(addr4(p.Addr()))<<8 | key(p.Bits()) }

func (k key) bits() int { return int(k & 0xff) }

func (k key) prefix() netip.Prefix { return netip.PrefixFrom(addrOf(uint32(k>>8)), k.bits()) }

// last returns the greatest key inside of k.
func (k key) last() key {
	return (k>>8|key(^uint32(0))>>k.bits())<<8 | 32
}

// covers reports whether o is k or lies inside of it.
func (k key) covers(o key) bool { return o >= k && o <= k.last() }

// addr4 returns an IPv4 address as a number; 0.0.0.0 for the zero Addr.
func addr4(a netip.Addr) uint32 {
	if !a.Is4() {
		return 0
	}
	v := a.As4()
	return binary.BigEndian.Uint32(v[:])
}

func addrOf(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// route is what is known of one prefix. There may be very many: it is kept
// small.
type route struct {
	key   key
	own   *origin // why this router announces it by itself, the strongest first
	paths *path   // learnt, of one metric, in the order in which they came
	lost  clock.Instant
	from  uint32 // who told the last path that there was; for Holddown
	tag   uint16 // announced
	// metric is the announced one, without offsets; Infinity: garbage since lost.
	metric  uint8
	changed bool // in instance.changed
	removed bool // no more in the table
	ownLost bool // its last reason was an own origin; while changed, nobody knows yet
}

// path is one way of a learnt route.
type path struct {
	neighbor     *neighbor // who told; implies the interface
	route        *route
	next         *path // of the route
	older, newer *path // in instance.heard
	heard        clock.Instant
	nextHop      uint32
	tag          uint16
	metric       uint8 // with the cost of the network
	distance     uint8
}

// origin is a reason for which this router announces a prefix by itself.
type origin struct {
	source   RouteSource
	iface    string       // SourceConnected
	protocol rib.Protocol // SourceRedistributed
	instance uint32
	metric   uint8
	tag      uint16
	nextHops []rib.NextHop // SourceRedistributed
	next     *origin       // the next weaker one
}

// compare orders origins by strength; those that compare equal replace each
// other.
func (o *origin) compare(p *origin) int {
	return cmp.Or(cmp.Compare(o.source, p.source), cmp.Compare(o.iface, p.iface),
		cmp.Compare(o.protocol, p.protocol), cmp.Compare(o.instance, p.instance))
}

// equal reports whether both announce the same.
func (o *origin) equal(p *origin) bool {
	return o.compare(p) == 0 && o.metric == p.metric && o.tag == p.tag && slices.Equal(o.nextHops, p.nextHops)
}

// setOrigin adds an origin or replaces its equal. It reports whether that
// changed anything.
func (r *route) setOrigin(o origin) bool {
	at := &r.own
	for *at != nil && (*at).compare(&o) < 0 {
		at = &(*at).next
	}
	o.next = *at
	if *at != nil && (*at).compare(&o) == 0 {
		if (*at).equal(&o) {
			return false
		}
		o.next = (*at).next
	}
	*at = &o
	return true
}

// dropOrigin removes the origin that compares equal to o, if there is one.
func (r *route) dropOrigin(o origin) bool {
	for at := &r.own; *at != nil; at = &(*at).next {
		if (*at).compare(&o) == 0 {
			*at = (*at).next
			return true
		}
	}
	return false
}

// best returns the metric and tag to announce.
func (r *route) best() (metric uint8, tag uint16) {
	switch {
	case r.own != nil:
		return r.own.metric, r.own.tag
	case r.paths != nil:
		return r.paths.metric, r.paths.tag
	}
	return packet.Infinity, r.tag
}

// connected reports whether the prefix is a network of an interface that RIP
// runs on.
func (r *route) connected() bool { return r.own != nil && r.own.source == SourceConnected }

// pathFrom returns the path that the neighbour told, and the number of all.
func (r *route) pathFrom(n *neighbor) (found *path, count int) {
	for p := r.paths; p != nil; p = p.next {
		count++
		if p.neighbor == n {
			found = p
		}
	}
	return found, count
}

// addPath puts a path at the end of the route's.
func (r *route) addPath(p *path) {
	at := &r.paths
	for *at != nil {
		at = &(*at).next
	}
	*at, p.route, p.next = p, r, nil
}

// dropPath takes a path away from its route.
func (r *route) dropPath(p *path) {
	for at := &r.paths; *at != nil; at = &(*at).next {
		if *at == p {
			*at, p.next = p.next, nil
			return
		}
	}
}

// pathList holds all paths of an instance by when they were last told. Since all
// time out after the same time, the first to do so is the oldest.
type pathList struct{ oldest, newest *path }

func (l *pathList) add(p *path) {
	p.older, p.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = p
	} else {
		l.oldest = p
	}
	l.newest = p
}

func (l *pathList) remove(p *path) {
	if p.older != nil {
		p.older.newer = p.newer
	} else {
		l.oldest = p.newer
	}
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		l.newest = p.older
	}
	p.older, p.newer = nil, nil
}

// table holds routes by prefix. New ones are put in order when a walk needs
// them, all at once: adding one costs no more than a map does.
type table struct {
	routes  map[key]*route
	order   []*route // sorted; also routes that were removed since
	fresh   []*route // not in order yet
	removed int      // routes in order and fresh that are removed
}

func (t *table) get(k key) *route { return t.routes[k] }

// add makes a route for a prefix that has none. It is unreachable.
func (t *table) add(k key) *route {
	if t.routes == nil {
		t.routes = make(map[key]*route)
	}
	r := &route{key: k, metric: packet.Infinity}
	t.routes[k] = r
	t.fresh = append(t.fresh, r)
	return r
}

func (t *table) remove(r *route) {
	delete(t.routes, r.key)
	r.removed = true
	t.removed++
	if t.removed > 64+len(t.routes) {
		t.sort()
	}
}

// sort puts the new routes in order and forgets the removed ones.
func (t *table) sort() {
	if len(t.fresh) == 0 && t.removed <= len(t.order)/8 {
		return
	}
	slices.SortFunc(t.fresh, func(a, b *route) int { return cmp.Compare(a.key, b.key) })
	old, fresh := t.order, t.fresh
	merged := make([]*route, 0, len(t.routes))
	for len(old) > 0 || len(fresh) > 0 {
		from := &old
		if len(old) == 0 || len(fresh) > 0 && fresh[0].key < old[0].key {
			from = &fresh
		}
		if r := (*from)[0]; !r.removed {
			merged = append(merged, r)
		}
		*from = (*from)[1:]
	}
	t.order, t.fresh, t.removed = merged, nil, 0
}

// after returns the routes from k on, in order, some of which may have been
// removed. Routes that came since sort are missing.
func (t *table) after(k key) []*route {
	return t.order[sort.Search(len(t.order), func(i int) bool { return t.order[i].key >= k }):]
}

// within returns the routes for k and for what lies inside of it, like after.
func (t *table) within(k key) []*route {
	tail := t.after(k)
	return tail[:sort.Search(len(tail), func(i int) bool { return tail[i].key > k.last() })]
}

// all returns all routes in order.
func (t *table) all() []*route {
	t.sort()
	return slices.DeleteFunc(slices.Clone(t.order), func(r *route) bool { return r.removed })
}
