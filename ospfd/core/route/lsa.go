package route

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Put takes an LSA into account, in place of the instance before. The area does not matter
// to AS-external-LSAs. What the router itself originates, what is MaxAge or cannot be read
// is not used: such an instance ends the one before.
func (t *Table) Put(id packet.ID, lsa packet.LSA) {
	if lsa.IsMaxAge() {
		t.Remove(id, lsa.LSAKey)
		return
	}
	switch lsa.Type {
	case packet.RouterLSA, packet.NetworkLSA:
		t.putGraph(id, lsa)
	case packet.SummaryLSA, packet.ASBRSummaryLSA:
		t.putSummary(id, lsa)
	case packet.ExternalLSA, packet.NSSALSA:
		t.putExternal(id, lsa)
	}
}

func (t *Table) putGraph(id packet.ID, lsa packet.LSA) {
	a := t.area(id)
	if a == nil {
		return
	}
	if lsa.Type == packet.NetworkLSA {
		body, err := lsa.Network()
		if err != nil {
			t.Remove(id, lsa.LSAKey)
			return
		}
		a.run = a.graph.SetNetwork(lsa.ID, lsa.LSAKey.Router, body) || a.run
		a.collect = true // the mask
		return
	}
	if lsa.LSAKey.Router == t.cfg.Router {
		return
	}
	body, err := lsa.Router()
	if err != nil {
		t.Remove(id, lsa.LSAKey)
		return
	}
	a.run = a.graph.SetRouter(lsa.LSAKey.Router, body) || a.run
	a.collect, t.trees = true, true
}

func (t *Table) putSummary(id packet.ID, lsa packet.LSA) {
	a := t.area(id)
	if a == nil {
		return
	}
	body, err := lsa.Summary()
	at := place{a, lsa.LSAKey}
	p, ok := prefix(lsa.ID, body.Mask)
	if lsa.Type == packet.ASBRSummaryLSA {
		p, ok = netip.Prefix{}, true
	}
	if err != nil || !ok || body.Metric >= packet.LSInfinity || lsa.LSAKey.Router == t.cfg.Router {
		t.Remove(id, lsa.LSAKey)
		return
	}
	s := summary{place: at, metric: body.Metric}
	if lsa.Type == packet.ASBRSummaryLSA {
		t.setASBR(lsa.ID, insert(t.asbrs[lsa.ID], s, func(s summary) place { return s.place }))
		return
	}
	d := t.move(at, p)
	d.summaries = insert(d.summaries, s, func(s summary) place { return s.place })
	t.mark(d)
}

// setASBR replaces the type-4 LSAs for an AS boundary router.
func (t *Table) setASBR(id packet.ID, list []summary) {
	t.trees = true
	if len(list) == 0 {
		delete(t.asbrs, id)
		return
	}
	t.asbrs[id] = list
}

func (t *Table) putExternal(id packet.ID, lsa packet.LSA) {
	at := place{key: lsa.LSAKey}
	if lsa.Type == packet.NSSALSA {
		if at.area = t.area(id); at.area == nil {
			return
		}
	}
	body, err := lsa.External()
	p, ok := prefix(lsa.ID, body.Mask)
	if err != nil || !ok || body.Metric >= packet.LSInfinity || lsa.LSAKey.Router == t.cfg.Router {
		t.Remove(id, lsa.LSAKey)
		return
	}
	d := t.move(at, p)
	e := external{place: at, External: body, propagate: lsa.Options&packet.OptionNP != 0}
	d.externals = insert(d.externals, e, func(e external) place { return e.place })
	t.forwarding(d)
	t.mark(d)
}

// forwarding notes whether a destination depends on routes to forwarding addresses.
func (t *Table) forwarding(d *dest) {
	if slices.ContainsFunc(d.externals, func(e external) bool { return e.Forwarding.IsValid() }) {
		t.forward[d] = struct{}{}
		return
	}
	delete(t.forward, d)
}

// move notes the destination of an LSA, which its instance before may not have had.
func (t *Table) move(at place, p netip.Prefix) *dest {
	old := t.places[at]
	if old != nil && old.prefix == p {
		return old
	}
	t.remove(at)
	d := t.at(p)
	t.places[at] = d
	return d
}

// insert puts an element in a sorted list, in place of the one of the same LSA.
func insert[T any](list []T, x T, of func(T) place) []T {
	at, ok := slices.BinarySearchFunc(list, of(x), func(e T, p place) int { return comparePlaces(of(e), p) })
	if ok {
		list[at] = x
		return list
	}
	return slices.Insert(list, at, x)
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.areaID(), b.areaID()), cmp.Compare(a.key.Type, b.key.Type),
		cmp.Compare(a.key.Router, b.key.Router), cmp.Compare(a.key.ID, b.key.ID))
}

func (p place) areaID() packet.ID {
	if p.area == nil {
		return 0
	}
	return p.area.ID
}

// Remove takes an LSA out of account.
func (t *Table) Remove(id packet.ID, key packet.LSAKey) {
	at := place{t.area(id), key}
	if key.Type == packet.ExternalLSA {
		at.area = nil
	} else if at.area == nil {
		return
	}
	switch key.Type {
	case packet.RouterLSA:
		if key.Router != t.cfg.Router {
			at.area.graph.RemoveRouter(key.Router)
			at.area.run = true
		}
	case packet.NetworkLSA:
		at.area.graph.RemoveNetwork(key.ID, key.Router)
		at.area.run = true
	case packet.ASBRSummaryLSA:
		if list := t.asbrs[key.ID]; len(list) > 0 {
			t.setASBR(key.ID, slices.DeleteFunc(list, func(s summary) bool { return s.place == at }))
		}
	default:
		t.remove(at)
	}
}

// remove takes a summary-, AS-external- or type-7 LSA from its destination.
func (t *Table) remove(at place) {
	d := t.places[at]
	if d == nil {
		return
	}
	delete(t.places, at)
	d.summaries = slices.DeleteFunc(d.summaries, func(s summary) bool { return s.place == at })
	d.externals = slices.DeleteFunc(d.externals, func(e external) bool { return e.place == at })
	t.forwarding(d)
	t.mark(d)
}

// prefix returns the network of a Link State ID; ok is false for a mask with holes.
func prefix(id packet.ID, mask uint32) (netip.Prefix, bool) {
	n := bits.LeadingZeros32(^mask)
	if uint64(mask) != uint64(0xffffffff)<<(32-n)&0xffffffff {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(id.Addr(), n).Masked(), true
}
