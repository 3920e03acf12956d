package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// hop is a next hop that some path has.
type hop struct {
	known  bool
	prefix netip.Prefix
	metric uint32
}

// hopUsed begins or ends to watch a next hop.
func (i *instance) hopUsed(a netip.Addr, used bool) {
	w := rib.Watch{Kind: rib.WatchNextHop, VRF: i.cfg.VRF, Addr: a}
	h := i.hops[a]
	switch {
	case used && h == nil:
		i.hops[a] = &hop{}
		i.core.watch(w)
	case used && h.known: // a speaker that forgot it in between
		i.tellHop(a, h)
	case !used && h != nil:
		delete(i.hops, a)
		i.core.unwatch(w)
	}
}

// hopChanged takes zebra's answer.
func (i *instance) hopChanged(c rib.NextHopChanged) {
	h := i.hops[c.Watch.Addr]
	if h == nil {
		return
	}
	h.known, h.prefix, h.metric = true, c.Prefix, c.Metric
	if len(c.NextHops) == 0 || c.Prefix.IsValid() && c.Prefix.Bits() == 0 {
		h.prefix = netip.Prefix{}
	}
	i.tellHop(c.Watch.Addr, h)
}

func (i *instance) tellHop(a netip.Addr, h *hop) {
	i.core.emit(SetNextHop{VRF: i.cfg.VRF, Addr: a, Reachable: h.prefix.IsValid(), Metric: h.metric})
}

// report answers a Query.
func (c *Core) report(vrf string) Report {
	r := Report{Replayed: !c.replay.pending}
	i := c.instances[vrf]
	if i == nil {
		return r
	}
	for _, p := range sortedKeys(i.own, netip.Prefix.Compare) {
		if i.own[p].network {
			r.Networks = append(r.Networks, i.networks[p].Network)
		}
	}
	for _, a := range sortedKeys(i.hops, netip.Addr.Compare) {
		h := i.hops[a]
		r.NextHops = append(r.NextHops, NextHop{a, h.known, h.prefix, h.metric})
	}
	r.Routes, r.Own = i.routes.Size(), len(i.own)
	return r
}
