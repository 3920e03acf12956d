package speaker

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// One goroutine chooses best paths, tells them to the queue, and keeps GoBGP's table to
// what is to be advertised. Paths are put there as GoBGP's own, so that it judges
// nothing any more; it still knows the router ID of who sent one, and does not send it
// back there.

// source is whom a path in GoBGP's table came from, for GoBGP: an AS, 0 for ourselves,
// and an IPv4 router ID.
type source struct {
	as uint32
	id [4]byte
}

// placed is a path in GoBGP's table.
type placed struct {
	neighbor   *locrib.Neighbor
	attributes *locrib.Attributes
	tags       []policy.Community
	pathID     uint32 // the neighbour's
	id         uint32 // GoBGP's; of use to additional paths only
	source     source
	reflected  bool // it came from an internal neighbour
	med        bool
}

func (a *placed) equal(b *placed) bool {
	return a.id == b.id && a.source == b.source && a.med == b.med && a.reflected == b.reflected &&
		slices.Equal(a.tags, b.tags) && a.attributes.Equal(b.attributes)
}

// round is how many prefixes are worked on at a time.
const round = 512

// work is the goroutine.
func (s *Speaker) work(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case <-s.wake:
			for ctx.Err() == nil && s.round(ctx) {
			}
		case done := <-s.flushes:
			for ctx.Err() == nil && s.round(ctx) {
			}
			close(done)
		case <-ctx.Done():
			return
		}
	}
}

// flush waits until all that is marked has been worked on.
func (s *Speaker) flush() error {
	done := make(chan struct{})
	select {
	case s.flushes <- done:
		<-done
		return nil
	case <-s.done:
		return ErrStopped
	}
}

// later has something done by the goroutine, without the lock.
func (s *Speaker) later(f func()) { s.todo = append(s.todo, f) }

// output is what a round is to tell GoBGP.
type output struct {
	add, remove []*apiutil.Path
}

// round works on some prefixes, and tells whether there may be more.
func (s *Speaker) round(ctx context.Context) bool {
	s.mu.Lock()
	prefixes := s.table.Changed(round, time.Now().Unix())
	var b Batch
	var out output
	for _, p := range prefixes {
		s.settle(p, &b, &out)
	}
	if s.table.Marked() == 0 && s.export.search(s.table) {
		s.defaults = true
	}
	if s.defaults {
		s.defaults = false
		for _, f := range families {
			s.place(defaultPrefix(f), &b, &out)
		}
	}
	b.NextHops = s.table.HopUses()
	if s.table.Marked() == 0 {
		b.EndOfRIB, s.ends = s.ends, nil
		b.Settled, s.settling = s.settling, false
	}
	todo := s.todo
	s.todo = nil
	if s.export.full() && time.Since(s.renumbered) > 10*time.Minute { // begin anew: all paths get other tags
		s.renumber()
	}
	var sets func() error
	if s.export.stale && s.started {
		r := s.export.policies()
		sets = func() error { return s.bgp.SetPolicies(ctx, r) }
	}
	s.mu.Unlock()

	s.queue.add(b)
	if sets != nil {
		s.report("policies", sets())
	}
	if len(out.add) > 0 {
		_, err := s.bgp.AddPath(apiutil.AddPathRequest{Paths: out.add})
		s.report("advertise", err)
	}
	if len(out.remove) > 0 {
		s.report("withdraw", s.bgp.DeletePath(apiutil.DeletePathRequest{Paths: out.remove}))
	}
	for _, f := range todo {
		f()
	}
	return len(prefixes)+len(todo) > 0
}

func (s *Speaker) report(what string, err error) {
	if err != nil {
		s.log.Warn("bgp: "+what, "error", err)
	}
}

// settle chooses the best paths of a prefix.
func (s *Speaker) settle(p netip.Prefix, b *Batch, out *output) {
	best, changed := s.table.Select(p)
	if changed {
		r := Route{Prefix: p}
		for i := range best {
			r.Paths = append(r.Paths, s.path(p, &best[i]))
		}
		b.Routes = append(b.Routes, r)
		if s.export.consider(p, best) {
			s.defaults = true
		}
		if s.want.WaitInstall {
			s.waits(p, best)
		}
	}
	s.place(p, b, out)
}

// waits notes whether a prefix has to be installed before it is advertised.
func (s *Speaker) waits(p netip.Prefix, best []locrib.Path) {
	if len(best) > 0 && best[0].Neighbor != nil {
		s.pending[p] = struct{}{}
	} else {
		delete(s.pending, p)
	}
}

// Installed tells that routes of the last Batch are in the kernel. With WaitInstall
// they are advertised from now on.
func (s *Speaker) Installed(prefixes []netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range prefixes {
		if _, waits := s.pending[p]; waits {
			delete(s.pending, p)
			s.table.Mark(p)
		}
	}
	wake(s.wake)
}

// place brings GoBGP's table up to date for a prefix.
func (s *Speaker) place(p netip.Prefix, b *Batch, out *output) {
	had := s.placed[p]
	if _, waits := s.pending[p]; waits && s.want.WaitInstall {
		return // what was advertised before stays until then
	}
	want := s.wanted(p, had, b)
	if slices.EqualFunc(had, want, func(x, y placed) bool { return x.equal(&y) }) {
		return
	}
	for i := range want {
		w := &want[i]
		// The best comes last, since GoBGP prefers the newest of its own paths.
		if i == len(want)-1 || !slices.ContainsFunc(had, func(o placed) bool { return o.equal(w) }) {
			out.add = append(out.add, s.writer.path(p, w))
		}
	}
	for i := range had {
		o := &had[i]
		if !slices.ContainsFunc(want, func(w placed) bool { return w.id == o.id && w.source == o.source }) {
			x := s.writer.path(p, o)
			x.Withdrawal = true
			out.remove = append(out.remove, x)
		}
	}
	if len(want) == 0 {
		delete(s.placed, p)
	} else {
		s.placed[p] = want
	}
}

// wanted returns the paths that are to be in GoBGP's table, the best one last.
func (s *Speaker) wanted(p netip.Prefix, had []placed, b *Batch) (out []placed) {
	var paths []locrib.Path
	if s.audience > 0 && !s.table.Suppressed(p) {
		paths = s.table.Paths(p)
	}
	most := max(1, s.additional[0])
	if p.Addr().Is6() {
		most = max(1, s.additional[1])
	}
	used := map[uint32]bool{}
	for i := range paths {
		o := &paths[i]
		if len(out) == most || !s.table.Valid(o) || !o.Best && len(out) == 0 || o.Neighbor != nil && s.audience == 1 {
			break
		}
		w, ok := s.placing(p, o, false, b)
		if !ok {
			break
		}
		if most > 1 {
			w.id = freeID(had, &w, used)
		}
		out = append(out, w)
	}
	if len(out) == 0 && isDefault(p) && s.audience > 0 && s.defaultOriginate(p) {
		own := locrib.Path{Attributes: &locrib.Attributes{NextHop: p.Addr()}}
		if w, ok := s.placing(p, &own, true, b); ok {
			out = append(out, w)
		}
	}
	slices.Reverse(out)
	return out
}

func freeID(had []placed, w *placed, used map[uint32]bool) uint32 {
	for i := range had {
		if o := &had[i]; o.neighbor == w.neighbor && o.pathID == w.pathID && o.source == w.source && o.id != 0 {
			used[o.id] = true
			return o.id
		}
	}
	for id := uint32(1); ; id++ {
		if !used[id] && !slices.ContainsFunc(had, func(o placed) bool { return o.id == id }) {
			used[id] = true
			return id
		}
	}
}

func (s *Speaker) placing(p netip.Prefix, o *locrib.Path, synthetic bool, b *Batch) (w placed, ok bool) {
	tags, problem, ok := s.export.tags(p, o, synthetic)
	if now := time.Now(); problem != "" && (problem != s.problem || now.Sub(s.problemAt) > time.Minute) {
		s.problem, s.problemAt = problem, now // one stands for many
		b.Notices = append(b.Notices, Notice{Kind: NotSent, Prefix: p, Text: problem})
	}
	w = placed{neighbor: o.Neighbor, pathID: o.ID, attributes: o.Attributes, tags: tags, med: true}
	if n := o.Neighbor; n != nil {
		w.source.as = n.AS
		if n.RouterID.Is4() {
			w.source.id = n.RouterID.As4()
		}
		w.reflected = !n.External
		w.med = !s.export.stripMED
	}
	return w, ok
}

func (s *Speaker) defaultOriginate(p netip.Prefix) bool {
	return slices.ContainsFunc(s.export.classes, func(c *class) bool {
		_, met := s.export.originated(c.key.family(p), p)
		return met
	})
}

// writer makes GoBGP's attributes. Prefixes that have the same share them, as those
// of an UPDATE do in GoBGP itself.
type writer struct {
	from *placed
	out  []bgp.PathAttributeInterface
}

func (w *writer) write(p *placed) []bgp.PathAttributeInterface {
	if o := w.from; o != nil && o.attributes == p.attributes && o.source == p.source && o.med == p.med && slices.Equal(o.tags, p.tags) {
		return w.out
	}
	a := p.attributes
	if p.reflected && !a.OriginatorID.IsValid() { // RFC 4456, section 8
		c := *a
		c.OriginatorID = netip.AddrFrom4(p.source.id)
		a = &c
	}
	w.from, w.out = p, write(a, p.tags, p.med)
	return w.out
}

// path makes the path for GoBGP.
func (w *writer) path(p netip.Prefix, o *placed) *apiutil.Path {
	nlri, _ := bgp.NewIPAddrPrefix(p) // refuses a prefix that is not valid
	f := familyOf(p)
	out := &apiutil.Path{Family: bgpFamily(f), Nlri: nlri, PeerASN: o.source.as, RemoteID: o.id, Age: time.Now().Unix()}
	if o.source.as != 0 {
		out.PeerID = netip.AddrFrom4(o.source.id)
	}
	attrs := w.write(o)
	out.Attrs = append(attrs[:len(attrs):len(attrs)], hopAttribute(f, nlri, o.attributes.NextHop))
	return out
}

// hopAttribute makes the attribute with the next hop; the unspecified address is GoBGP's
// word for its own.
func hopAttribute(f rib.Family, nlri bgp.NLRI, hop netip.Addr) bgp.PathAttributeInterface {
	if !hop.IsValid() {
		hop = defaultPrefix(f).Addr()
	}
	if f == rib.IPv4 && hop.Is4() {
		if a, err := bgp.NewPathAttributeNextHop(hop); err == nil {
			return a
		}
	}
	a, err := bgp.NewPathAttributeMpReachNLRI(bgpFamily(f), []bgp.PathNLRI{{NLRI: nlri}}, hop)
	if err != nil {
		return bgp.NewPathAttributeAtomicAggregate() // GoBGP refuses it: no next hop
	}
	return a
}

// renumber begins with the tags anew. The paths in GoBGP's table have old ones until
// they are worked on, which mean nothing any more or something else; so they go first.
func (s *Speaker) renumber() {
	s.renumbered = time.Now()
	e := newExporter(s.as)
	e.last, e.maps = s.export.last, s.export.maps
	e.enter(&s.want)
	e.leave(&s.want)
	s.export = e
	old := s.placed
	s.placed = map[netip.Prefix][]placed{}
	s.later(func() {
		var gone []*apiutil.Path
		var w writer
		for p, list := range old { // unordered: sorted below
			for i := range list {
				x := w.path(p, &list[i])
				x.Withdrawal = true
				gone = append(gone, x)
			}
		}
		slices.SortFunc(gone, func(a, b *apiutil.Path) int { return cmp.Compare(a.Nlri.String(), b.Nlri.String()) })
		s.report("withdraw", s.bgp.DeletePath(apiutil.DeletePathRequest{Paths: gone}))
		s.mu.Lock()
		s.table.MarkAll()
		s.mu.Unlock()
	})
}
