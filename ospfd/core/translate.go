package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/route"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// translatorStability is TranslatorStabilityInterval (RFC 3101 appendix D): so long a
// translator goes on that was supplanted.
const translatorStability = 40 * time.Second

// translator is whether this router translates the type-7 LSAs of an NSSA (RFC 3101 section
// 3.1).
type translator struct {
	on      bool
	elected bool
	until   deadline // it is not elected any more, and goes on until then
}

// settleTranslators decides for each NSSA who translates.
func (in *instance) settleTranslators(now clock.Instant) {
	r := &in.routes
	e := &r.external
	if e.translators.set && now >= e.translators.at {
		r.translators = true
	}
	if !r.translators || r.spf.tree {
		return
	}
	r.translators, e.translators = false, deadline{}
	for _, a := range in.order {
		t := e.areas[a.id]
		if a.cfg.Kind != AreaNSSA {
			delete(e.areas, a.id)
			continue
		}
		if t == nil {
			t = &translator{}
			e.areas[a.id] = t
		}
		was := t.on
		t.elect(now, r.border, a.cfg.TranslateAlways, !a.cfg.TranslateAlways && in.supplanted(a.id))
		if t.until.set && (!e.translators.set || t.until.at < e.translators.at) {
			e.translators = t.until
		}
		if was != t.on {
			e.all = true
		}
	}
}

// elect decides whether an area border router translates: always, or as long as no other is
// to do it, and a while beyond.
func (t *translator) elect(now clock.Instant, border, always, supplanted bool) {
	switch {
	case !border:
		*t = translator{}
	case always:
		*t = translator{on: true}
	case !supplanted:
		*t = translator{on: true, elected: true}
	case t.on && !t.until.set:
		t.elected, t.until = false, deadline{now.Add(translatorStability), true}
	case t.on && now >= t.until.at:
		*t = translator{}
	}
}

// supplanted reports whether another border router of an NSSA is to translate: one that is
// reached within the NSSA and, as an AS boundary router, over the transit topology, and
// translates always or has the higher router ID.
func (in *instance) supplanted(id packet.ID) bool {
	for _, b := range in.routes.table.Borders() {
		if b.Area != id || b.Type != route.Intra || !b.ABR {
			continue
		}
		if _, reached := in.routes.table.ASBR(b.Router); reached && (b.Nt || b.Router > in.id) {
			return true
		}
	}
	return false
}

// translated returns what the type-7 LSAs of the NSSAs for which this router translates say
// of a network (section 3.2).
func (in *instance) translated(now clock.Instant, p netip.Prefix) (n network, ok bool) {
	for _, a := range in.order {
		if t := in.routes.external.areas[a.id]; a.cfg.Kind != AreaNSSA || t == nil || !t.on {
			continue
		}
		if g := a.nssaRange(p); g != nil {
			if n, ok := in.aggregated(now, a, g); ok && g.Prefix.Masked() == p {
				return n, true
			}
			continue
		}
		if n, ok := in.translate(now, a, p); ok {
			return n, true
		}
	}
	return n, false
}

// nssaRange returns the most specific type-7 address range that a network is in.
func (a *area) nssaRange(p netip.Prefix) (best *Range) {
	for k := range a.cfg.Ranges {
		g := &a.cfg.Ranges[k]
		if g.NSSA && g.Prefix.Bits() <= p.Bits() && g.Prefix.Contains(p.Addr()) && (best == nil || g.Prefix.Bits() > best.Prefix.Bits()) {
			best = g
		}
	}
	return best
}

// translate reads the type-7 LSA by which a network is reached, if it is to be translated:
// it has the P-bit and a forwarding address.
func (in *instance) translate(now clock.Instant, a *area, p netip.Prefix) (n network, ok bool) {
	rt, ok := in.routes.table.Get(p)
	if !ok || !rt.NSSA || rt.Area != a.id {
		return n, false
	}
	lsa, ok := a.scope.db.Get(now, rt.LSA)
	if !ok || lsa.Options&packet.OptionNP == 0 {
		return n, false
	}
	body, err := lsa.External()
	if err != nil || !body.Forwarding.IsValid() || in.translatesInstead(now, a, p, lsa) {
		return n, false
	}
	n = network{metric: body.Metric, type1: !body.Type2, tag: body.Tag, forward: body.Forwarding, translated: true}
	if a.cfg.SuppressFA {
		n.forward = netip.Addr{}
	}
	return n, true
}

// translatesInstead reports whether another translator with a higher router ID tells the
// same in an AS-external-LSA (step 2).
func (in *instance) translatesInstead(now clock.Instant, a *area, p netip.Prefix, seven packet.LSA) bool {
	for _, b := range in.routes.table.Borders() {
		if b.Area != a.id || b.Type != route.Intra || !b.Nt || b.Router <= in.id {
			continue
		}
		if _, reached := in.routes.table.ASBR(b.Router); !reached {
			continue
		}
		base := packet.IDOf(p.Addr())
		for _, id := range [...]packet.ID{base, base | ^packet.ID(maskOf(p))} {
			five, ok := in.as.db.Get(now, packet.LSAKey{Type: packet.ExternalLSA, ID: id, Router: b.Router})
			if ok && !five.IsMaxAge() && string(five.Body()) == string(seven.Body()) {
				return true
			}
		}
	}
	return false
}

// aggregated is what is told of a type-7 address range (step 3): type 2 if any of its parts
// is, with the greatest metric plus 1, otherwise the greatest metric of type 1.
func (in *instance) aggregated(now clock.Instant, a *area, g *Range) (sum network, ok bool) {
	if g.NotAdvertise {
		return sum, false
	}
	type2, one, two := false, uint32(0), uint32(0)
	parts, same := 0, network{}
	for _, rt := range in.routes.table.All() {
		if !rt.NSSA || rt.Area != a.id || a.nssaRange(rt.Prefix) != g {
			continue
		}
		n, translatable := in.translate(now, a, rt.Prefix)
		if !translatable {
			continue
		}
		if parts++; rt.Prefix == g.Prefix.Masked() {
			same = n
		}
		if n.type1 {
			one = max(one, rt.Cost)
		} else {
			type2, two = true, max(two, n.metric+1)
		}
	}
	switch {
	case parts == 0:
		return sum, false
	case parts == 1 && same.translated: // the range is the network itself
		return same, true
	}
	sum = network{metric: one, type1: true, tag: g.Tag, translated: true}
	if type2 {
		sum.metric, sum.type1 = two, false
	}
	if g.Cost != nil {
		sum.metric = *g.Cost
	}
	return sum, true
}

// rangeChanged returns the type-7 address ranges that a network is in: what is told of them
// depends on it.
func (in *instance) rangeChanged(p netip.Prefix) (all []netip.Prefix) {
	for _, a := range in.order {
		if a.cfg.Kind != AreaNSSA {
			continue
		}
		if g := a.nssaRange(p); g != nil {
			all = append(all, g.Prefix.Masked())
		}
	}
	return all
}
