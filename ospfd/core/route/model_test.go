package route

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// The model is a whole routing domain: a backbone and areas around it, whose border routers
// are in both. It knows distances by Bellman-Ford, and from them what every router's table
// must say, without LSAs. The same numbers make the LSAs that the border routers originate.
type model struct {
	n     int
	areas []Area
	in    map[int][]packet.ID // areas of each router
	edges []edge
	nets  []net
	ext   []ext
	dist  map[packet.ID][][]uint32 // by area
}

type edge struct {
	area     packet.ID
	from, to int
	cost     uint16
	link     int // distinct for each pair of routers and area
}

type net struct {
	area   packet.ID
	router int
	prefix netip.Prefix
	cost   uint16
}

type ext struct {
	router int
	nssa   packet.ID // 0: type 5
	prefix netip.Prefix
	type2  bool
	metric uint32
	fwd    netip.Addr
}

const far = uint32(1) << 30

func rid(v int) packet.ID { return packet.ID(0x01010000 + v + 1) }

func draw(rng *rand.Rand) *model {
	m := &model{n: 6 + rng.IntN(14), in: map[int][]packet.ID{}}
	m.areas = []Area{{ID: 0}}
	for k := range rng.IntN(4) {
		m.areas = append(m.areas, Area{ID: packet.ID(k + 1), Kind: Kind(rng.IntN(3))})
	}
	for v := range m.n {
		a := m.areas[rng.IntN(len(m.areas))].ID
		m.in[v] = []packet.ID{a}
		if a != 0 && rng.IntN(3) == 0 {
			m.in[v] = []packet.ID{0, a}
		}
	}
	for _, a := range m.areas {
		var members []int
		for v := range m.n {
			if slices.Contains(m.in[v], a.ID) {
				members = append(members, v)
			}
		}
		seen := map[[2]int]bool{}
		for range 2 * len(members) {
			v, w := members[rng.IntN(len(members))], members[rng.IntN(len(members))]
			if v == w || seen[[2]int{v, w}] || seen[[2]int{w, v}] {
				continue
			}
			seen[[2]int{v, w}] = true
			m.edges = append(m.edges, edge{a.ID, v, w, uint16(1 + rng.IntN(4)), len(m.edges)})
			m.edges = append(m.edges, edge{a.ID, w, v, uint16(1 + rng.IntN(4)), len(m.edges)})
		}
		for _, v := range members {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(a.ID), byte(rng.IntN(m.n)), 0}), 24)
			m.nets = append(m.nets, net{a.ID, v, p, uint16(rng.IntN(5))})
		}
	}
	m.distances()
	m.externals(rng)
	return m
}

func (m *model) kind(id packet.ID) Kind { return m.areas[id].Kind }

func (m *model) border(v int) bool { return len(m.in[v]) > 1 }

// active reports whether a border router has a connection to the backbone: the model gives
// every one that counts (RFC 3509).
func (m *model) externals(rng *rand.Rand) {
	for k := range 2 * m.n {
		v := rng.IntN(m.n)
		e := ext{router: v, prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(rng.IntN(m.n)), 0}), 24), type2: rng.IntN(2) == 0, metric: uint32(1 + rng.IntN(4))}
		a := m.in[v][len(m.in[v])-1]
		if m.border(v) && rng.IntN(2) == 0 {
			a = 0
		}
		switch m.kind(a) {
		case Stub:
			continue
		case NSSA:
			e.nssa = a
		}
		if rng.IntN(2) == 0 {
			t := m.nets[rng.IntN(len(m.nets))]
			e.fwd = netip.AddrFrom4([4]byte{10, t.prefix.Addr().As4()[1], t.prefix.Addr().As4()[2], byte(100 + k%100)})
		}
		if !slices.ContainsFunc(m.ext, func(o ext) bool { return o.router == v && o.nssa == e.nssa && o.prefix == e.prefix }) {
			m.ext = append(m.ext, e)
		}
	}
}

func (m *model) distances() {
	m.dist = map[packet.ID][][]uint32{}
	for _, a := range m.areas {
		d := make([][]uint32, m.n)
		for v := range d {
			d[v] = make([]uint32, m.n)
			for w := range d[v] {
				d[v][w] = far
			}
			if slices.Contains(m.in[v], a.ID) {
				d[v][v] = 0
			}
		}
		for changed := true; changed; {
			changed = false
			for _, e := range m.edges {
				for w := range m.n {
					if c := uint32(e.cost) + d[e.to][w]; e.area == a.ID && d[e.to][w] < far && c < d[e.from][w] {
						d[e.from][w], changed = c, true
					}
				}
			}
		}
		m.dist[a.ID] = d
	}
}

// first returns the first hops from v to w in an area.
func (m *model) first(a packet.ID, v, w int) (hops []NextHop) {
	d := m.dist[a]
	for _, e := range m.edges {
		if e.area == a && e.from == v && v != w && d[v][w] < far && uint32(e.cost)+d[e.to][w] == d[v][w] {
			hops = append(hops, NextHop{fmt.Sprintf("if%d", e.link), netip.AddrFrom4([4]byte{192, 0, byte(e.to), byte(e.link)})})
		}
	}
	return hops
}

// want is what the model says of a destination.
type want struct {
	Type  Type
	Area  packet.ID
	Cost  uint32
	Type2 uint32
	Hops  []NextHop
}

func (w *want) offer(o want) {
	switch {
	case w.Type == 0 || o.Cost < w.Cost:
		*w = o
	case o.Cost == w.Cost:
		w.Area = max(w.Area, o.Area)
		w.Hops = append(w.Hops, o.Hops...)
	}
}

func (m *model) intra(v int, p netip.Prefix) (best want) {
	for _, n := range m.nets {
		d := m.dist[n.area][v][n.router]
		if n.prefix != p || d == far {
			continue
		}
		hops := m.first(n.area, v, n.router)
		if v == n.router {
			hops = []NextHop{{Interface: "stub" + n.area.String()}}
		}
		best.offer(want{Type: Intra, Area: n.area, Cost: d + uint32(n.cost), Hops: hops})
	}
	return best
}

// told returns what border router b tells of a network into an area, if it does.
func (m *model) told(b int, a packet.ID, p netip.Prefix) (uint32, bool) {
	if !m.border(b) || !slices.Contains(m.in[b], a) {
		return 0, false
	}
	r := m.internal(b, p)
	return r.Cost, r.Type != 0 && r.Area != a && (r.Type == Intra || a != 0)
}

// internal is the route within or between areas. Border routers look at the backbone only.
func (m *model) internal(v int, p netip.Prefix) want {
	best := m.intra(v, p)
	if best.Type != 0 {
		return best
	}
	a := m.in[v][0] // of a border router the backbone
	for b := range m.n {
		d := m.dist[a][v][b]
		if b == v || d == far {
			continue
		}
		if a == 0 && m.border(v) || !m.border(v) {
			if c, ok := m.toldIn(b, a, p); ok {
				best.offer(want{Type: Inter, Area: a, Cost: d + c, Hops: m.first(a, v, b)})
			}
		}
	}
	return best
}

// toldIn is told; into the backbone only networks of areas are, so that it ends.
func (m *model) toldIn(b int, a packet.ID, p netip.Prefix) (uint32, bool) {
	if a != 0 {
		return m.told(b, a, p)
	}
	r := m.intra(b, p)
	return r.Cost, m.border(b) && slices.Contains(m.in[b], a) && r.Type != 0 && r.Area != 0
}

// asbr is the best way to an AS boundary router for its AS-external-LSAs: within an area,
// or between.
func (m *model) asbr(v, w int) (best want) {
	choose := func(o want) {
		switch {
		case best.Type == 0 || o.Cost < best.Cost || o.Cost == best.Cost && o.Area > best.Area:
			best = o
		case o.Cost == best.Cost && o.Area == best.Area:
			best.Hops = append(best.Hops, o.Hops...)
		}
	}
	within := map[packet.ID]bool{}
	for _, a := range m.in[v] {
		if m.kind(a) == Normal && m.dist[a][v][w] < far && w != v {
			within[a] = true
			choose(want{Type: Intra, Area: a, Cost: m.dist[a][v][w], Hops: m.first(a, v, w)})
		}
	}
	a := m.in[v][0]
	if m.kind(a) != Normal || within[a] {
		return best
	}
	for b := range m.n {
		d := m.dist[a][v][b]
		if b == v || d == far || !m.border(b) || !slices.Contains(m.in[b], a) {
			continue
		}
		if c, ok := m.toldASBR(b, a, w); ok {
			choose(want{Type: Inter, Area: a, Cost: d + c, Hops: m.first(a, v, b)})
		}
	}
	return best
}

// toldASBR is what b tells of an AS boundary router into an area.
func (m *model) toldASBR(b int, a packet.ID, w int) (uint32, bool) {
	if a != 0 {
		if b == w {
			return 0, false
		}
		r := m.asbr(b, w)
		return r.Cost, r.Type != 0 && r.Area != a
	}
	best := far
	for _, x := range m.in[b] {
		if x != 0 && m.kind(x) == Normal && m.dist[x][b][w] < best && b != w {
			best = m.dist[x][b][w]
		}
	}
	r := m.asbr0(b, w)
	return best, best < far && best <= r
}

// asbr0 is the distance to a router within the backbone.
func (m *model) asbr0(b, w int) uint32 {
	if d := m.dist[0][b][w]; d < far {
		return d
	}
	return far
}

func (m *model) external(v int, p netip.Prefix) (best want) {
	for _, e := range m.ext {
		if e.prefix != p || e.router == v {
			continue
		}
		var to want
		if e.nssa != 0 {
			if !slices.Contains(m.in[v], e.nssa) || m.dist[e.nssa][v][e.router] == far {
				continue
			}
			to = want{Type: Intra, Area: e.nssa, Cost: m.dist[e.nssa][v][e.router], Hops: m.first(e.nssa, v, e.router)}
		} else if to = m.asbr(v, e.router); to.Type == 0 {
			continue
		}
		if e.fwd.IsValid() {
			q, _ := e.fwd.Prefix(24)
			if to = m.internal(v, q); to.Type == 0 || e.nssa != 0 && (to.Type != Intra || to.Area != e.nssa) || e.nssa == 0 && m.kind(to.Area) != Normal {
				continue
			}
			to.Hops = onLink(to.Hops, e.fwd)
		}
		o := want{Type: External1, Cost: to.Cost + e.metric, Hops: to.Hops}
		if e.type2 {
			o = want{Type: External2, Cost: to.Cost, Type2: e.metric, Hops: to.Hops}
		}
		switch {
		case best.Type != 0 && (best.Type < o.Type || best.Type == o.Type && best.Type2 < o.Type2):
		case best.Type != 0 && (best.Type > o.Type || best.Type2 > o.Type2):
			best = o
		default:
			best.offer(o)
		}
	}
	best.Area = 0
	return best
}

func (m *model) prefixes() (all []netip.Prefix) {
	for _, n := range m.nets {
		all = append(all, n.prefix)
	}
	for _, e := range m.ext {
		all = append(all, e.prefix)
	}
	slices.SortFunc(all, comparePrefixes)
	return slices.Compact(all)
}

// table fills a Table with the LSAs that router v has.
func (m *model) table(v int) *Table {
	t := New()
	c := Config{Router: rid(v), RFC1583: true, Border: m.border(v), Backbone: m.border(v)}
	for _, a := range m.in[v] {
		c.Areas = append(c.Areas, m.areas[a])
	}
	t.Configure(c)
	for _, l := range m.lsas(v) {
		t.Put(l.area, l.LSA)
	}
	for _, a := range m.in[v] {
		body, links := m.router(v, a)
		t.SetRoot(a, body, links)
	}
	return t
}

type scoped struct {
	area packet.ID
	packet.LSA
}

// router is the router-LSA of v in an area.
func (m *model) router(v int, a packet.ID) (body packet.Router, links []Link) {
	body.Flags = packet.RouterE
	if m.border(v) {
		body.Flags |= packet.RouterB
	}
	for _, e := range m.edges {
		if e.area == a && e.from == v {
			body.Links = append(body.Links, packet.RouterLink{ID: rid(e.to), Data: uint32(e.link), Type: packet.LinkPointToPoint, Metric: e.cost})
			links = append(links, Link{Interface: fmt.Sprintf("if%d", e.link), Addr: netip.AddrFrom4([4]byte{192, 0, byte(e.to), byte(e.link)})})
		}
	}
	for _, n := range m.nets {
		if n.area == a && n.router == v {
			body.Links = append(body.Links, packet.RouterLink{ID: packet.IDOf(n.prefix.Addr()), Data: 0xffffff00, Type: packet.LinkStub, Metric: n.cost})
			links = append(links, Link{Interface: "stub" + a.String()})
		}
	}
	return body, links
}

func newLSA(area packet.ID, t packet.LSType, id, by packet.ID, options packet.Options, body []byte) scoped {
	l, err := packet.NewLSA(packet.LSAHeader{LSAKey: packet.LSAKey{Type: t, ID: id, Router: by}, Options: options, Sequence: packet.InitialSequence}, body)
	if err != nil {
		panic(err)
	}
	return scoped{area, l}
}

func (m *model) lsas(v int) (all []scoped) {
	for _, a := range m.in[v] {
		for w := range m.n {
			if !slices.Contains(m.in[w], a) {
				continue
			}
			body, _ := m.router(w, a)
			all = append(all, newLSA(a, packet.RouterLSA, rid(w), rid(w), 0, body.Append(nil)))
			if !m.border(w) {
				continue
			}
			for _, p := range m.prefixes() {
				if c, ok := m.toldIn(w, a, p); ok && p.Addr().As4()[0] == 10 {
					all = append(all, newLSA(a, packet.SummaryLSA, packet.IDOf(p.Addr()), rid(w), 0, packet.Summary{Mask: 0xffffff00, Metric: c}.Append(nil)))
				}
			}
			for x := range m.n {
				if c, ok := m.toldASBR(w, a, x); ok && m.kind(a) == Normal {
					all = append(all, newLSA(a, packet.ASBRSummaryLSA, rid(x), rid(w), 0, packet.Summary{Metric: c}.Append(nil)))
				}
			}
		}
	}
	for _, e := range m.ext {
		body := packet.External{Mask: 0xffffff00, Type2: e.type2, Metric: e.metric, Forwarding: e.fwd}.Append(nil)
		switch {
		case e.nssa == 0:
			all = append(all, newLSA(0, packet.ExternalLSA, packet.IDOf(e.prefix.Addr()), rid(e.router), 0, body))
		case slices.Contains(m.in[v], e.nssa):
			all = append(all, newLSA(e.nssa, packet.NSSALSA, packet.IDOf(e.prefix.Addr()), rid(e.router), packet.OptionNP, body))
		}
	}
	return all
}

// TestModel: every router's table in drawn domains is what the model says.
func TestModel(t *testing.T) {
	kinds := map[Type]int{}
	for seed := range uint64(120) {
		m := draw(rand.New(rand.NewPCG(seed, 1)))
		for v := range m.n {
			tab := m.table(v)
			tab.Calculate()
			for _, p := range m.prefixes() {
				w := m.internal(v, p)
				if w.Type == 0 {
					w = m.external(v, p)
				}
				slices.SortFunc(w.Hops, compareHops)
				w.Hops = slices.Compact(w.Hops)
				r, _ := tab.Get(p)
				got := want{r.Type, r.Area, r.Cost, r.Type2, r.Hops}
				if r.Type >= External1 {
					got.Area = 0
				}
				if d := cmp.Diff(w, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
					t.Fatalf("seed %d, router %d: %v (-want +got):\n%s", seed, v, p, d)
				}
				kinds[w.Type]++
			}
		}
	}
	for _, k := range []Type{Intra, Inter, External1, External2} {
		if kinds[k] < 500 {
			t.Errorf("type %d: %d routes only", k, kinds[k])
		}
	}
}

// TestPartial: whatever LSAs come and go, what is computed in parts is what is computed as
// a whole.
func TestPartial(t *testing.T) {
	for seed := range uint64(80) {
		rng := rand.New(rand.NewPCG(seed, 2))
		m := draw(rng)
		v := rng.IntN(m.n)
		for k := range m.areas {
			m.areas[k].Shortcut = Shortcut(rng.IntN(3))
		}
		tab := m.table(v)
		tab.Calculate()
		all := m.lsas(v)
		for step := range 60 {
			before := tab.All()
			for range 1 + rng.IntN(3) {
				mutate(rng, tab, all[rng.IntN(len(all))])
			}
			o := tab.Calculate()
			after, borders := tab.All(), tab.Borders()
			if d := cmp.Diff(changes(before, after), o.Changed, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
				t.Fatalf("seed %d, step %d: changed (-want +got):\n%s", seed, step, d)
			}
			tab.Recompute()
			if o := tab.Calculate(); len(o.Changed) > 0 || o.Borders || !slices.EqualFunc(borders, tab.Borders(), Border.equal) {
				r, _ := tab.Get(o.Changed[0])
				t.Fatalf("seed %d, step %d: as a whole %v differ, as %+v", seed, step, o.Changed, r)
			}
		}
	}
}

// mutate puts, changes or removes an LSA.
func mutate(rng *rand.Rand, tab *Table, l scoped) {
	if rng.IntN(3) == 0 {
		tab.Remove(l.area, l.LSAKey)
		return
	}
	b := slices.Clone(l.Body())
	switch l.Type {
	case packet.RouterLSA:
		body, _ := l.LSA.Router()
		for k := range body.Links {
			if body.Links[k].Type == packet.LinkStub || rng.IntN(4) == 0 {
				body.Links[k].Metric = uint16(rng.IntN(6))
			}
		}
		body.Flags ^= packet.RouterFlags(rng.IntN(64)) & (packet.RouterB | packet.RouterE | packet.RouterV | packet.RouterS)
		b = body.Append(nil)
	default:
		b[len(b)-1]++ // tag, or metric
		if l.Type == packet.ExternalLSA || l.Type == packet.NSSALSA {
			b[7] = byte(rng.IntN(5))
		}
	}
	n := newLSA(l.area, l.Type, l.ID, l.LSAKey.Router, l.Options, b)
	tab.Put(l.area, n.LSA)
}

// changes returns the prefixes whose routes differ.
func changes(a, b []Route) (all []netip.Prefix) {
	of := map[netip.Prefix]Route{}
	for _, r := range a {
		of[r.Prefix] = r
	}
	for _, r := range b {
		if o, ok := of[r.Prefix]; !ok || !o.Equal(r) {
			all = append(all, r.Prefix)
		}
		delete(of, r.Prefix)
	}
	for p := range of {
		all = append(all, p)
	}
	slices.SortFunc(all, comparePrefixes)
	return all
}

// BenchmarkCalculate is an area of 2,000 routers with 10,000 external routes: all of it, and
// what a change of one LSA costs.
func BenchmarkCalculate(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 2000
	links := make([][]packet.RouterLink, n+1)
	for v := range n {
		for range 3 {
			w, c := rng.IntN(n), uint16(1+rng.IntN(20))
			links[v+1] = append(links[v+1], p2p(packet.ID(w+1), c))
			links[w+1] = append(links[w+1], p2p(packet.ID(v+1), c))
		}
		links[v+1] = append(links[v+1], packet.RouterLink{ID: packet.ID(0x0b000000 + v<<8), Data: 0xffffff00, Type: packet.LinkStub, Metric: 1})
	}
	tab := build(Area{ID: 0})
	self(tab, 0, links[1]...)
	for v := 2; v <= n; v++ {
		tab.router(0, packet.ID(v), packet.RouterE, links[v]...)
	}
	for k := range 10_000 {
		body := packet.External{Mask: 0xffffff00, Metric: 1}.Append(nil)
		tab.Put(0, newLSA(0, packet.ExternalLSA, packet.ID(0x0c000000+k<<8), packet.ID(2+k%(n-2)), 0, body).LSA)
	}
	tab.Calculate()
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tab.Recompute()
			tab.Calculate()
		}
	})
	b.Run("stub", func(b *testing.B) {
		b.ReportAllocs()
		for k := 0; b.Loop(); k++ {
			last := &links[2][len(links[2])-1]
			last.Metric = uint16(1 + k%2)
			tab.router(0, 2, packet.RouterE, links[2]...)
			tab.Calculate()
		}
	})
	b.Run("external", func(b *testing.B) {
		b.ReportAllocs()
		for k := 0; b.Loop(); k++ {
			body := packet.External{Mask: 0xffffff00, Metric: uint32(1 + k%2)}.Append(nil)
			tab.Put(0, newLSA(0, packet.ExternalLSA, 0x0c000000, 2, 0, body).LSA)
			tab.Calculate()
		}
	})
}
