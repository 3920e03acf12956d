package core

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// toldKey is a type of LSAs in a scope.
type toldKey struct {
	scope *scope
	typ   packet.LSType
}

// told has the networks that this router tells of in LSAs of one type, with their Link State
// IDs: the network's address, or, if another network has that, one with host bits set (RFC
// 2328 appendix E). A network keeps its ID as long as it is told, unless a host route needs
// it, which has no other.
type told struct {
	want map[netip.Prefix]lsdb.Statement // without Link State ID
	id   map[netip.Prefix]packet.ID
	of   map[packet.ID]netip.Prefix
}

func (r *routesState) toldOf(s *scope, t packet.LSType) *told {
	k := toldKey{s, t}
	x := r.told[k]
	if x == nil {
		x = &told{want: make(map[netip.Prefix]lsdb.Statement), id: make(map[netip.Prefix]packet.ID), of: make(map[packet.ID]netip.Prefix)}
		r.told[k] = x
	}
	return x
}

// tell states what is said of a network; nil: nothing.
func (in *instance) tell(now clock.Instant, s *scope, t packet.LSType, p netip.Prefix, what *lsdb.Statement) {
	x := in.routes.toldOf(s, t)
	id, known := x.id[p]
	if what == nil {
		if known {
			delete(x.want, p)
			delete(x.id, p)
			delete(x.of, id)
			in.state(now, ownName{s, t, id}, nil)
		}
		return
	}
	x.want[p] = *what
	if !known {
		if id, known = x.choose(p); !known {
			return // each of its addresses is a host route's
		}
	}
	evicted, other := x.of[id]
	x.id[p], x.of[id] = id, p
	st := *what
	st.Type, st.ID = t, id
	in.state(now, ownName{s, t, id}, &st)
	if other && evicted != p {
		delete(x.id, evicted)
		st := x.want[evicted]
		in.tell(now, s, t, evicted, &st)
	}
}

// choose returns a Link State ID for a network. That of a host may be another network's.
func (x *told) choose(p netip.Prefix) (packet.ID, bool) {
	base := packet.IDOf(p.Addr())
	if p.IsSingleIP() {
		return base, true
	}
	host := ^packet.ID(0) >> p.Bits()
	for _, id := range [...]packet.ID{base, base | host} {
		if _, taken := x.of[id]; !taken {
			return id, true
		}
	}
	for k := packet.ID(1); k < min(host, 64); k++ {
		if _, taken := x.of[base|k]; !taken {
			return base | k, true
		}
	}
	return 0, false
}

// tellAll states all that is said of networks in LSAs of a type.
func (in *instance) tellAll(now clock.Instant, s *scope, t packet.LSType, want map[netip.Prefix]lsdb.Statement) {
	x := in.routes.toldOf(s, t)
	var gone, all []netip.Prefix
	for p := range x.want {
		if _, ok := want[p]; !ok {
			gone = append(gone, p)
		}
	}
	for p := range want {
		all = append(all, p)
	}
	slices.SortFunc(gone, comparePrefixes)
	slices.SortFunc(all, comparePrefixes)
	for _, p := range gone {
		in.tell(now, s, t, p, nil)
	}
	for _, p := range all {
		st := want[p]
		in.tell(now, s, t, p, &st)
	}
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// maskOf returns the network mask of a prefix.
func maskOf(p netip.Prefix) uint32 { return uint32(uint64(0xffffffff) << (32 - p.Bits())) }
