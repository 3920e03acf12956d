package lsdb

import (
	"bytes"
	"slices"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// says reports whether an LSA says what a statement says.
func (r *record) says(s Statement) bool {
	return r.lsa.Options == s.Options && (r.lsa.Age&packet.DoNotAge != 0) == s.DoNotAge && bytes.Equal(r.lsa.Body(), s.Body)
}

// difference tells which part of the routing table a new instance concerns (RFC 2328 section
// 13.2): none if it says what the old one said. Sequence number, checksum and age do not
// count, but for MaxAge, which is as good as no LSA.
func difference(old *record, lsa packet.LSA) Part {
	was, is := old != nil && !old.lsa.IsMaxAge(), !lsa.IsMaxAge()
	if !was && !is || was && is && old.lsa.Options == lsa.Options && bytes.Equal(old.lsa.Body(), lsa.Body()) {
		return PartNone
	}
	switch lsa.Type {
	case packet.RouterLSA:
		if was && is && sameTree(old.lsa, lsa) {
			return PartRoutes
		}
		return PartTree
	case packet.NetworkLSA:
		return PartTree
	case packet.SummaryLSA, packet.ASBRSummaryLSA:
		return PartSummary
	case packet.ExternalLSA, packet.NSSALSA:
		return PartExternal
	}
	return PartOpaque
}

// sameTree reports whether two instances of a router-LSA have the same links in the same
// places, stub links apart. What cannot be read may be anything.
func sameTree(a, b packet.LSA) bool {
	x, err1 := a.Router()
	y, err2 := b.Router()
	return err1 == nil && err2 == nil && slices.Equal(edges(x.Links), edges(y.Links))
}

// edges are links with stubs blotted out, and left out at the end.
func edges(links []packet.RouterLink) []packet.RouterLink {
	out := slices.Clone(links)
	n := 0
	for i := range out {
		if out[i].Type == packet.LinkStub {
			out[i] = packet.RouterLink{}
		} else {
			n = i + 1
		}
	}
	return out[:n]
}
