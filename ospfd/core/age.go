package core

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// age lets the database do what is due: own LSAs are refreshed, those of others become too
// old (RFC 2328 sections 12.4 and 14).
func (s *scope) age(now clock.Instant) {
	s.next = deadline{}
	for _, c := range s.db.Tick(now, nil) {
		s.instance.changed(now, s, c, nil)
	}
}

// removeFlushed lets MaxAge LSAs go that are on no retransmission list, while no neighbour
// is exchanging databases (section 14). It reports whether any went.
func (in *instance) removeFlushed(now clock.Instant) (any bool) {
	if !in.unflushed || in.exchanging > 0 {
		return false
	}
	in.unflushed = false
	for s := range in.scopes() {
		if len(s.flushing) == 0 {
			continue
		}
		keys := make([]packet.LSAKey, 0, len(s.flushing))
		for key := range s.flushing {
			keys = append(keys, key)
		}
		slices.SortFunc(keys, lsdb.CompareKeys)
		for _, key := range keys {
			if in.listed(s, key) {
				continue
			}
			for _, c := range s.db.Flushed(now, key, nil) {
				in.changed(now, s, c, nil)
				any = true
			}
		}
	}
	return any
}

// listed reports whether an LSA is on any retransmission list.
func (in *instance) listed(s *scope, key packet.LSAKey) bool {
	ifaces := in.ifaces
	switch {
	case s.iface != nil:
		ifaces = []*iface{s.iface}
	case s.area != nil:
		ifaces = s.area.ifaces
	}
	for _, i := range ifaces {
		for _, n := range i.neighbors {
			if n.flood.List.Has(key) {
				return true
			}
		}
	}
	return false
}

// drain sends all that waits to be flooded, without pacing.
func (in *instance) drain(now clock.Instant) {
	for _, i := range in.ifaces {
		boxes := []*outbox{i.box}
		for _, n := range i.neighbors {
			boxes = append(boxes, n.box)
		}
		for _, b := range boxes {
			for len(b.keys) > 0 {
				b.send(now)
			}
		}
	}
	in.boxes = nil
}
