package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// externalPacing is how often external LSAs are compared: what changes meanwhile is dealt
// with together.
const externalPacing = 100 * time.Millisecond

// externals are the networks outside of the AS that this router knows of, as AS boundary
// router or as translator.
type externals struct {
	sources  []*source
	all      bool // all networks are to be looked at
	dirty    map[netip.Prefix]struct{}
	due      deadline
	last     clock.Instant
	ran      bool
	networks map[netip.Prefix]network // what there is, whether told by itself or in a summary
	filtered map[netip.Prefix]bool    // redistributed routes that policy keeps out
	sums     map[netip.Prefix]network // `summary-address` that have parts
	discard  map[netip.Prefix]bool    // … and are told

	areas       map[packet.ID]*translator
	translators deadline // the end of the first TranslatorStabilityInterval
}

// network is what is said of an external network.
type network struct {
	metric     uint32
	type1      bool
	tag        uint32
	forward    netip.Addr // forwarding address; zero: this router
	nssaOnly   bool
	translated bool // of a type-7 LSA: only as type 5
}

func (e *externals) begin(_ clock.Instant, in *instance) {
	*e = externals{
		dirty: make(map[netip.Prefix]struct{}), networks: make(map[netip.Prefix]network),
		filtered: make(map[netip.Prefix]bool), sums: make(map[netip.Prefix]network), discard: make(map[netip.Prefix]bool), areas: make(map[packet.ID]*translator),
	}
	in.configureSources()
}

// changed says that a network may be told otherwise.
func (e *externals) changed(p netip.Prefix) { e.dirty[p] = struct{}{} }

// settleExternals compares the AS-external-LSAs and type-7 LSAs with what they should say.
func (in *instance) settleExternals(now clock.Instant) {
	e := &in.routes.external
	if !e.all && len(e.dirty) == 0 {
		return
	}
	if next := e.last.Add(externalPacing); e.ran && now < next {
		e.due = deadline{next, true}
		return
	}
	e.ran, e.last, e.due = true, now, deadline{}
	in.settleBoundary()
	if e.all {
		in.markExternals()
	}
	if d := in.cfg.DefaultOriginate; d != nil && d.RouteMap != "" {
		e.changed(defaultPrefix)
	}
	dirty := sortedKeys(e.dirty)
	e.dirty = make(map[netip.Prefix]struct{}) // it may have been large
	e.all = false
	again := make(map[netip.Prefix]bool) // summaries whose parts changed
	for _, p := range dirty {
		n, ok := in.externalNetwork(now, p)
		if ok {
			e.networks[p] = n
		} else {
			delete(e.networks, p)
		}
		if s := in.summaryOf(p); s != nil {
			again[s.Prefix.Masked()] = true
		}
	}
	for _, p := range dirty {
		s := in.summaryOf(p)
		if s != nil && s.Prefix.Masked() == p {
			continue
		}
		n, ok := e.networks[p]
		in.tellExternal(now, p, n, ok && s == nil)
		delete(e.sums, p)
		if e.discard[p] { // it is no summary any more
			delete(e.discard, p)
			in.install(p)
		}
	}
	in.settleDiscards(now, again)
}

// markExternals marks all networks there are, and all that there may be.
func (in *instance) markExternals() {
	e := &in.routes.external
	for p := range e.networks { // unordered: a set
		e.changed(p)
	}
	for _, s := range e.sources {
		for p := range s.routes { // unordered: a set
			e.changed(p)
		}
	}
	for p := range e.discard { // unordered: a set
		e.changed(p)
	}
	for _, s := range in.cfg.SummaryAddresses {
		e.changed(s.Prefix.Masked())
	}
	for _, a := range in.order {
		for _, g := range a.cfg.Ranges {
			if g.NSSA {
				e.changed(g.Prefix.Masked())
			}
		}
	}
	if in.hasNSSA() {
		for _, rt := range in.routes.table.All() {
			if rt.NSSA {
				e.changed(rt.Prefix)
			}
		}
	}
	e.changed(defaultPrefix)
}

func sortedKeys[V any](m map[netip.Prefix]V) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(m))
	for p := range m {
		all = append(all, p)
	}
	slices.SortFunc(all, comparePrefixes)
	return all
}

// settleBoundary decides whether this router is an AS boundary router: it redistributes, or
// tells a default route of the outside.
func (in *instance) settleBoundary() {
	r := &in.routes
	boundary := len(in.cfg.Redistribute) > 0 || in.cfg.DefaultOriginate != nil
	for _, a := range in.order {
		boundary = boundary || a.cfg.Kind == AreaNSSA && a.cfg.NSSADefault != nil
	}
	if boundary != r.boundary {
		r.boundary = boundary
		for _, a := range in.order {
			r.links[a.id] = true
		}
	}
}

// externalNetwork returns what is known of an external network: of redistributed routes the first
// source that has it, or else what is translated (RFC 3101 section 3.2).
func (in *instance) externalNetwork(now clock.Instant, p netip.Prefix) (network, bool) {
	e := &in.routes.external
	if p == defaultPrefix {
		if n, ok := in.defaultNetwork(); ok {
			return n, true
		}
		return in.translated(now, p)
	}
	delete(e.filtered, p)
	for _, s := range e.sources {
		x, ok := s.routes[p]
		if !ok || s.what.Kind != rib.WatchRedistribute || !tellable(p) {
			continue
		}
		n, filtered := in.redistributed(s, x)
		if !filtered {
			return n, true
		}
		e.filtered[p] = true
	}
	return in.translated(now, p)
}

// tellable reports whether a prefix may be told to others.
func tellable(p netip.Prefix) bool {
	a := p.Addr()
	return a.Is4() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && a.As4()[0] < 224 && a.As4()[0] != 0
}

// wantsDefault reports whether it matters that there is a default route.
func (in *instance) wantsDefault() bool {
	if d := in.cfg.DefaultOriginate; d != nil && (!d.Always || d.RouteMap != "") {
		return true
	}
	return slices.ContainsFunc(in.cfg.Areas, func(a AreaConfig) bool { return a.Kind == AreaNSSA && a.NSSADefault != nil })
}

// hasDefault returns the default route of this router, unless it is this process's own.
func (in *instance) hasDefault() (rib.Route, bool) {
	for _, s := range in.routes.external.sources {
		if s.what.Kind == rib.WatchNetwork {
			x, ok := s.routes[defaultPrefix]
			return x, ok && (x.Protocol != rib.OSPF || x.Instance != uint32(in.key.Process))
		}
	}
	return rib.Route{}, false
}

// defaultNetwork is what `default-information originate` tells.
func (in *instance) defaultNetwork() (n network, ok bool) {
	if in.cfg.DefaultOriginate == nil {
		return n, false
	}
	return in.originatesDefault(*in.cfg.DefaultOriginate)
}

// originatesDefault decides whether a default route is told: there is one, or always. With a
// route-map one of the routes known here must pass it, which says metric and type.
func (in *instance) originatesDefault(d DefaultOriginate) (n network, ok bool) {
	x, has := in.hasDefault()
	if !has && !d.Always {
		return n, false
	}
	n = network{metric: DefaultOriginateMetric, type1: d.Type1, tag: in.cfg.process()}
	if d.Always {
		n.metric = 1
	}
	if d.Metric != nil {
		n.metric = *d.Metric
	}
	if d.RouteMap == "" {
		return n, true
	}
	var known []policy.Route
	if has {
		known = append(known, mapInput(x))
	}
	for _, s := range in.routes.external.sources {
		for _, p := range sortedKeys(s.routes) {
			known = append(known, mapInput(s.routes[p]))
		}
	}
	for _, p := range sortedKeys(in.routes.installed) {
		known = append(known, mapInput(in.routes.installed[p]))
	}
	for _, k := range known {
		if out, permit := in.core.policy.RouteMap(d.RouteMap).Apply(k); permit {
			out.Tag = n.tag
			n.apply(out)
			return n, true
		}
	}
	return n, false
}

// process is the tag of default routes, as on IOS.
func (ic InstanceConfig) process() uint32 { return uint32(ic.Process) }

// forwarding returns the forwarding address for a next hop: the next hop itself if it is on
// a network of many where OSPF runs, so that others on it do not take the way through this
// router (RFC 2328 section 12.4.4.1).
func (in *instance) forwarding(h rib.NextHop) netip.Addr {
	if !h.Addr.Is4() {
		return netip.Addr{}
	}
	for _, i := range in.ifaces {
		if i.virtual == nil && (h.Interface == "" || h.Interface == i.name) && i.typ.Elects() && i.state > fsm.InterfaceLoopback &&
			!i.passive && i.addr.Contains(h.Addr) {
			return h.Addr
		}
	}
	return netip.Addr{}
}

// summaryOf returns the `summary-address` that a network is part of: the most specific one.
func (in *instance) summaryOf(p netip.Prefix) (best *SummaryAddress) {
	if p == defaultPrefix {
		return nil
	}
	for k := range in.cfg.SummaryAddresses {
		s := &in.cfg.SummaryAddresses[k]
		if s.Prefix.Bits() <= p.Bits() && s.Prefix.Contains(p.Addr()) && (best == nil || s.Prefix.Bits() > best.Prefix.Bits()) {
			best = s
		}
	}
	return best
}

// settleDiscards compares the summaries of external networks whose parts changed. The metric
// is that of the nearest part; of type 2 if any part is.
func (in *instance) settleDiscards(now clock.Instant, again map[netip.Prefix]bool) {
	e := &in.routes.external
	if len(again) == 0 {
		return
	}
	sums := make(map[netip.Prefix]network)
	for p, n := range e.networks { // unordered: least metric
		s := in.summaryOf(p)
		if s == nil || !again[s.Prefix.Masked()] {
			continue
		}
		key := s.Prefix.Masked()
		sum, ok := sums[key]
		if !ok {
			sum = network{metric: n.metric, type1: true, tag: s.Tag, nssaOnly: s.NSSAOnly}
		}
		sum.metric, sum.type1 = min(sum.metric, n.metric), sum.type1 && n.type1
		sums[key] = sum
	}
	for _, p := range sortedKeys(again) {
		sum, ok := sums[p]
		delete(e.sums, p)
		if ok {
			e.sums[p] = sum
		}
		ok = ok && !in.summaryOf(p).NotAdvertise
		in.tellExternal(now, p, sum, ok)
		if ok != e.discard[p] {
			if e.discard[p] = ok; !ok {
				delete(e.discard, p)
			}
			in.install(p)
		}
	}
}

// tellExternal states what is said of an external network, if it is told: in AS-external-LSAs
// if an area has these, and in a type-7 LSA for each NSSA.
func (in *instance) tellExternal(now clock.Instant, p netip.Prefix, n network, ok bool) {
	n.metric = in.maximum(now, func(m *MaxMetric) uint32 { return m.External }, n.metric)
	ok = ok && n.metric < packet.LSInfinity
	var five *lsdb.Statement
	if ok && !n.nssaOnly && in.hasExternal() {
		five = &lsdb.Statement{Options: packet.OptionE | packet.OptionDC, Body: n.body(p, n.forward)}
	}
	in.tell(now, in.as, packet.ExternalLSA, p, five)
	for _, a := range in.order {
		if a.cfg.Kind != AreaNSSA {
			in.tell(now, a.scope, packet.NSSALSA, p, nil)
			continue
		}
		in.tell(now, a.scope, packet.NSSALSA, p, in.sevenOf(a, p, n, ok))
	}
}

// sevenOf makes the type-7 LSA of a network for an NSSA; nil: there is none.
func (in *instance) sevenOf(a *area, p netip.Prefix, n network, ok bool) *lsdb.Statement {
	border := in.routes.border
	if p == defaultPrefix { // RFC 3101 section 2.7: of a border router without the P-bit
		d := a.cfg.NSSADefault
		if d == nil {
			return nil
		}
		if n, ok = in.originatesDefault(DefaultOriginate{Always: border || d.Always, Metric: d.Metric, Type1: d.Type1, RouteMap: d.RouteMap}); !ok {
			return nil
		}
	} else if !ok || n.translated || border && a.cfg.NoRedistribution {
		return nil
	}
	options := packet.OptionDC
	forward := n.forward
	if !border && !n.nssaOnly {
		if forward = a.forwarding(forward); forward.IsValid() { // section 2.4: it must not be zero with the P-bit
			options |= packet.OptionNP
		}
	}
	return &lsdb.Statement{Options: options, Body: n.body(p, forward)}
}

// forwarding returns the forwarding address for a type-7 LSA that is translated: one that is
// reached within the NSSA. If the next hop is not, an address of this router: of a loopback
// in the area, or else of any interface there (RFC 3101 section 2.3).
func (a *area) forwarding(hop netip.Addr) (best netip.Addr) {
	loopback := false
	for _, i := range a.ifaces {
		if i.state == fsm.InterfaceIsDown || !i.addr.IsValid() {
			continue
		}
		if hop.IsValid() && i.addr.Contains(hop) {
			return hop
		}
		lo := i.state == fsm.InterfaceLoopback
		if !best.IsValid() || lo && !loopback || lo == loopback && best.Less(i.addr.Addr()) {
			best, loopback = i.addr.Addr(), lo
		}
	}
	return best
}

// hasExternal reports whether an area has AS-external-LSAs.
func (in *instance) hasExternal() bool {
	return slices.ContainsFunc(in.order, func(a *area) bool { return a.external() })
}

func (n network) body(p netip.Prefix, forward netip.Addr) []byte {
	return packet.External{Mask: maskOf(p), Type2: !n.type1, Metric: n.metric, Forwarding: forward, Tag: n.tag}.Append(nil)
}

// clearExternals makes all external LSAs anew: the present ones are flushed.
func (in *instance) clearExternals(now clock.Instant) {
	e := &in.routes.external
	for _, p := range sortedKeys(e.networks) {
		in.tellExternal(now, p, network{}, false)
	}
	for _, p := range sortedKeys(e.discard) {
		in.tellExternal(now, p, network{}, false)
	}
	clear(e.networks)
	e.all = true
}
