package core

import "net/netip"

// offset adds what an offset list adds on an interface in a direction: that which
// names the interface goes before that which does not. It grows the delay by as much
// as makes the composite metric grow by the offset where K3 is 1.
func (in *instance) offset(v vector, i *iface, p netip.Prefix, out bool) vector {
	var best *OffsetList
	for k := range in.cfg.Offsets {
		o := &in.cfg.Offsets[k]
		if o.Out != out || o.Interface != "" && o.Interface != i.name || best != nil && o.Interface == "" {
			continue
		}
		best = o
	}
	if best == nil || best.Offset == 0 {
		return v
	}
	if permit, _ := in.policy().AccessList(best.List).MatchPrefix(p); best.List != "" && !permit {
		return v
	}
	link := vector{delay: uint64(best.Offset), bandwidth: v.bandwidth, mtu: v.mtu, reliability: v.reliability, load: v.load}
	if in.wide() {
		link.delay = wideOffset(best.Offset)
	}
	hops := v.hops
	v = in.add(v, link)
	v.hops = hops
	return v
}

// wideOffset returns the picoseconds that make a wide composite metric grow by so
// much, rounded up: the opposite of metric.Wide.Latency.
func wideOffset(n uint32) uint64 { return (uint64(n)*1_000_000 + 65535) / 65536 }
