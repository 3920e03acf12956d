package cli

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// entry prints an entry of the topology table in full, if there is one.
func (v View) entry(w io.Writer, in *core.InstanceTopology) {
	prefix := v.prefix
	if len(in.Entries) > 0 {
		prefix = in.Entries[0].Prefix
	}
	title := headingID(in.Identity, "Topology Entry")
	if in.VRF == "" {
		fmt.Fprintf(w, "%s for %v\n", title, prefix)
	} else {
		fmt.Fprintf(w, "%s\n           Topology(base) TID(0)%s\n", title, inVRF(in.VRF))
		fmt.Fprintf(w, "%s(%d): Topology base(0) entry for %v\n", protocolName(in.Family), in.AS, prefix)
	}
	if len(in.Entries) == 0 {
		fmt.Fprintf(w, "%%Entry %v not in topology table\n", prefix)
		return
	}
	entryFull(w, in, &in.Entries[0])
}

func entryFull(w io.Writer, in *core.InstanceTopology, e *core.TopologyEntry) {
	state := "Active"
	if e.State == dual.Passive {
		state = "Passive"
	}
	fmt.Fprintf(w, "  State is %s, Query origin flag is %d, %d Successor(s), FD is %s", state, queryOrigin(e.State), e.Successors, metricText(in.Wide, e.Feasible))
	if in.Wide && !infinite(true, e.Feasible) {
		fmt.Fprintf(w, ", RIB is %d", metric.RIB(e.Feasible, in.RIBScale))
	}
	fmt.Fprintln(w)
	activeLine(w, e)
	remainingReplies(w, e)
	fmt.Fprintln(w, "  Descriptor Blocks:")
	for i := range e.Paths {
		descriptor(w, in, &e.Paths[i])
	}
}

// descriptor prints a path in full.
func descriptor(w io.Writer, in *core.InstanceTopology, p *core.TopologyPath) {
	fmt.Fprintf(w, "  %s, Send flag is 0x0\n", descriptorSource(in.Family, p))
	kind := "Internal"
	if p.External {
		kind = "External"
	}
	fmt.Fprintf(w, "      Composite metric is (%s/%s), route is %s\n", metricText(in.Wide, p.Distance), metricText(in.Wide, p.Reported), kind)
	x := p.Vector
	fmt.Fprintln(w, "      Vector metric:")
	if x.Delay >= metric.Unreachable || x.Bandwidth == 0 {
		fmt.Fprintln(w, "        Total delay is Infinity")
	} else {
		fmt.Fprintf(w, "        Minimum bandwidth is %d Kbit\n", x.Bandwidth)
		fmt.Fprintf(w, "        Total delay is %s\n", delayText(in.Wide, x.Delay))
	}
	fmt.Fprintf(w, "        Reliability is %d/255\n", x.Reliability)
	fmt.Fprintf(w, "        Load is %d/255\n", x.Load)
	fmt.Fprintf(w, "        Minimum MTU is %d\n", x.MTU)
	fmt.Fprintf(w, "        Hop count is %d\n", x.Hops)
	if p.OriginRouter != 0 {
		fmt.Fprintf(w, "        Originating router is %v\n", p.OriginRouter)
	}
	if p.Tag != 0 && !p.External {
		fmt.Fprintf(w, "        Internal tag is %d\n", p.Tag)
	}
	if !p.External {
		return
	}
	fmt.Fprintln(w, "      External data:")
	fmt.Fprintf(w, "        AS number of route is %d\n", p.ExternalData.AS)
	fmt.Fprintf(w, "        External protocol is %v, external metric is %d\n", p.ExternalData.Protocol, p.ExternalData.Metric)
	fmt.Fprintf(w, "        Administrator tag is %d (0x%08X)\n", p.ExternalData.Tag, p.ExternalData.Tag)
}

// descriptorSource is where a path leads and who told it.
func descriptorSource(f rib.Family, p *core.TopologyPath) string {
	none := netip.IPv4Unspecified()
	if f == rib.IPv6 {
		none = netip.IPv6Unspecified()
	}
	hop, from := nextHop(p), text(p.Neighbor)
	if !hop.IsValid() {
		hop = none
	}
	switch p.Source {
	case core.OriginConnected:
		from = "Connected"
	case core.OriginSummary:
		from = none.String()
	case core.OriginRedistributed:
		return fmt.Sprintf("%v, from %s", hop, redistributedWord(p.Protocol))
	}
	return fmt.Sprintf("%v (%s), from %s", hop, p.Interface, from)
}

// delayText is a delay in the unit of the metrics: a classic one has no less than
// microseconds.
func delayText(wide bool, picoseconds uint64) string {
	if wide {
		return fmt.Sprintf("%d picoseconds", picoseconds)
	}
	return fmt.Sprintf("%d microseconds", picoseconds/1_000_000)
}
