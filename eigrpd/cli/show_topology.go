package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// topologyJSON is a topology table for programs. Times are in seconds. Metrics are
// composite, null where there is none.
type topologyJSON struct {
	identityJSON
	Summary summaryJSON `json:"summary"`
	Routes  []entryJSON `json:"routes"`
}

type summaryJSON struct {
	Routes         int `json:"routes"`
	Active         int `json:"active"`
	PendingReplies int `json:"pendingReplies"`
	Interfaces     int `json:"interfaces"`
	Neighbors      int `json:"neighbors"`
}

type entryJSON struct {
	Prefix      string        `json:"prefix"`
	State       string        `json:"state"`       // passive or active
	QueryOrigin int           `json:"queryOrigin"` // flag of RFC 7868 section 3.5, 0 to 3
	Successors  int           `json:"successors"`
	FD          *uint64       `json:"feasibleDistance"`
	Tag         uint32        `json:"tag"`
	Serial      uint64        `json:"serial"`
	ActiveFor   float64       `json:"activeFor,omitempty"`
	SIAQueries  int           `json:"siaQueries,omitempty"`
	Waiting     []waitingJSON `json:"waiting"` // whose REPLY is awaited
	Paths       []pathJSON    `json:"paths"`
}

type waitingJSON struct {
	Address   string `json:"address"`
	Interface string `json:"interface"`
}

type pathJSON struct {
	Source       string        `json:"source"`             // connected, summary, redistributed, or eigrp
	Protocol     string        `json:"protocol,omitempty"` // of a redistributed route
	NextHop      string        `json:"nextHop"`
	From         string        `json:"from"`
	Interface    string        `json:"interface"`
	Distance     *uint64       `json:"distance"`
	Reported     *uint64       `json:"reportedDistance"`
	Successor    bool          `json:"successor"`
	Feasible     bool          `json:"feasible"`
	Installed    bool          `json:"installed"`
	Type         string        `json:"type"` // internal or external
	Vector       vectorJSON    `json:"vector"`
	OriginRouter string        `json:"originatingRouter"`
	Tag          uint32        `json:"tag"`
	External     *externalJSON `json:"external,omitempty"`
}

// vectorJSON is a metric vector: kbit/s, picoseconds, octets.
type vectorJSON struct {
	Bandwidth   uint64 `json:"bandwidth"`
	Delay       uint64 `json:"delay"`
	Reliability uint8  `json:"reliability"`
	Load        uint8  `json:"load"`
	MTU         uint32 `json:"mtu"`
	Hops        uint8  `json:"hops"`
}

type externalJSON struct {
	Router   string `json:"router"` // that redistributed it
	AS       uint32 `json:"as"`
	Protocol string `json:"protocol"`
	Metric   uint32 `json:"metric"`
	Tag      uint32 `json:"tag"`
}

// origins names where routes come from, for programs.
var origins = map[core.Origin]string{
	0: "eigrp", core.OriginConnected: "connected", core.OriginSummary: "summary", core.OriginRedistributed: "redistributed",
}

// queryOrigin is the flag of a state: that of a PASSIVE route is 1 (RFC 7868 section 3.5).
func queryOrigin(s dual.State) int {
	switch s {
	case dual.Active0:
		return 0
	case dual.Active2:
		return 2
	case dual.Active3:
		return 3
	}
	return 1
}

// originWords say who made a route ACTIVE.
var originWords = map[dual.State]string{
	dual.Active0: "Local origin (distance increased)", dual.Active1: "Local origin",
	dual.Active2: "Multiple Origins", dual.Active3: "Successor Origin",
}

func entryOf(wide bool, e *core.TopologyEntry) entryJSON {
	out := entryJSON{Prefix: e.Prefix.String(), State: "active", QueryOrigin: queryOrigin(e.State), Successors: e.Successors,
		FD: metricJSON(wide, e.Feasible), Tag: e.Tag, Serial: e.Serial, ActiveFor: e.ActiveFor.Seconds(), SIAQueries: e.SIAQueries,
		Waiting: []waitingJSON{}, Paths: []pathJSON{}}
	if e.State == dual.Passive {
		out.State = "passive"
	}
	for _, n := range e.Waiting {
		out.Waiting = append(out.Waiting, waitingJSON{text(n.Addr), n.Interface})
	}
	for i := range e.Paths {
		out.Paths = append(out.Paths, pathOf(wide, &e.Paths[i]))
	}
	return out
}

func pathOf(wide bool, p *core.TopologyPath) pathJSON {
	v := p.Vector
	out := pathJSON{Source: origins[p.Source], NextHop: text(nextHop(p)), From: text(p.Neighbor), Interface: p.Interface,
		Distance: metricJSON(wide, p.Distance), Reported: metricJSON(wide, p.Reported), Successor: p.Successor, Feasible: p.Feasible,
		Installed: p.Installed, Type: "internal", Vector: vectorJSON{v.Bandwidth, v.Delay, v.Reliability, v.Load, v.MTU, v.Hops},
		OriginRouter: p.OriginRouter.String(), Tag: p.Tag}
	if p.Source == core.OriginRedistributed {
		out.Protocol = p.Protocol.String()
	}
	if x := p.ExternalData; p.External {
		out.Type = "external"
		out.External = &externalJSON{x.RouterID.String(), x.AS, x.Protocol.String(), x.Metric, x.Tag}
	}
	return out
}

// nextHop is where a path leads: to who told it, unless that said otherwise.
func nextHop(p *core.TopologyPath) netip.Addr {
	if p.NextHop.IsValid() {
		return p.NextHop
	}
	return p.Neighbor
}

// topologyOutput is what of the tables is shown.
type topologyOutput []core.InstanceTopology

// MarshalJSON makes the JSON of tables once it is asked for: they are large.
func (t topologyOutput) MarshalJSON() ([]byte, error) {
	list := make([]topologyJSON, len(t))
	for i := range t {
		in, s := &t[i], t[i].Summary
		list[i] = topologyJSON{identityOf(in.Identity), summaryJSON{s.Routes, s.Active, s.PendingReplies, s.Interfaces, s.Neighbors}, []entryJSON{}}
		for j := range in.Entries {
			list[i].Routes = append(list[i].Routes, entryOf(in.Wide, &in.Entries[j]))
		}
	}
	return json.Marshal(map[string]any{"instances": list})
}

// pick returns the tables with the entries that are asked for.
func (v View) pick(r *core.TopologyReport) topologyOutput {
	list := slices.Clone(r.Instances)
	if !v.prefix.IsValid() {
		return list
	}
	for i := range list {
		var best []core.TopologyEntry
		for j, e := range list[i].Entries {
			switch {
			case !v.longest && e.Prefix == v.prefix.Masked():
				best = list[i].Entries[j : j+1]
			case v.longest && e.Prefix.Contains(v.prefix.Addr()) && (best == nil || e.Prefix.Bits() > best[0].Prefix.Bits()):
				best = list[i].Entries[j : j+1]
			}
		}
		list[i].Entries = best
	}
	return list
}

// ShowTopology prints the topology table: `show ip eigrp topology`, with a prefix one
// entry in full, with `summary` numbers only.
func ShowTopology(r *core.TopologyReport, v View) cli.Output {
	list := v.pick(r)
	return cli.Output{JSON: list, Text: func(w io.Writer) {
		v.each(w, len(list), func(i int) {
			switch in := &list[i]; {
			case v.prefix.IsValid():
				v.entry(w, in)
			case v.selection == core.SelectedSummary:
				topologySummary(w, in)
			default:
				v.topologyTable(w, in)
			}
		})
	}}
}

// topologyTitle prints the heading of a table, which names a VRF in a line of its own.
func topologyTitle(w io.Writer, in *core.InstanceTopology) {
	fmt.Fprintln(w, headingID(in.Identity, "Topology Table"))
	if in.VRF != "" {
		fmt.Fprintf(w, "           Topology(base) TID(0)%s\n", inVRF(in.VRF))
	}
}

func topologySummary(w io.Writer, in *core.InstanceTopology) {
	topologyTitle(w, in)
	s := in.Summary
	fmt.Fprintf(w, "%d routes, %d pending replies, %d active\n", s.Routes, s.PendingReplies, s.Active)
	fmt.Fprintf(w, "%s(%d) enabled on %d interfaces, %d neighbors present\n", protocolName(in.Family), in.AS, s.Interfaces, s.Neighbors)
}

func (v View) topologyTable(w io.Writer, in *core.InstanceTopology) {
	topologyTitle(w, in)
	fmt.Fprintln(w, "Codes: P - Passive, A - Active,")
	fmt.Fprintln(w, "       r - its REPLY is awaited, s - it was sent an SIA-QUERY")
	fmt.Fprintln(w)
	for i := range in.Entries {
		e := &in.Entries[i]
		code := "P"
		if e.State != dual.Passive {
			code = "A"
		}
		fmt.Fprintf(w, "%s %v, %d successors, FD is %s", code, e.Prefix, e.Successors, metricText(in.Wide, e.Feasible))
		if e.Tag != 0 {
			fmt.Fprintf(w, ", tag is %d", e.Tag)
		}
		if v.selection == core.SelectedAllLinks {
			fmt.Fprintf(w, ", serno %d", e.Serial)
		}
		fmt.Fprintln(w)
		activeLine(w, e)
		for j := range e.Paths {
			p := &e.Paths[j]
			fmt.Fprintf(w, "        via %s\n", viaText(in.Wide, e, p))
		}
		remainingReplies(w, e)
	}
}

// activeLine tells of an ACTIVE route since when it is, and why.
func activeLine(w io.Writer, e *core.TopologyEntry) {
	if e.State == dual.Passive {
		return
	}
	fmt.Fprintf(w, "    %d replies, active %s, query-origin: %s", len(e.Waiting), cli.Duration(e.ActiveFor), originWords[e.State])
	if e.SIAQueries > 0 {
		fmt.Fprintf(w, ", retries(%d)", e.SIAQueries)
	}
	fmt.Fprintln(w)
}

// viaText is a path of the table.
func viaText(wide bool, e *core.TopologyEntry, p *core.TopologyPath) string {
	metrics := fmt.Sprintf(" (%s/%s)", metricText(wide, p.Distance), metricText(wide, p.Reported))
	switch p.Source {
	case core.OriginConnected:
		return "Connected, " + p.Interface
	case core.OriginSummary:
		return "Summary" + metrics + ", " + p.Interface
	case core.OriginRedistributed:
		return redistributedWord(p.Protocol) + metrics
	}
	flags := ""
	if p.Neighbor.IsValid() && slices.Contains(e.Waiting, core.WaitingNeighbor{Addr: p.Neighbor, Interface: p.Interface}) {
		flags = ", " + replyFlags(e)
	}
	return text(nextHop(p)) + metrics + flags + ", " + p.Interface
}

// redistributedWord is what Cisco calls a redistributed route.
func redistributedWord(p rib.Protocol) string {
	switch p {
	case rib.Connected:
		return "Rconnected"
	case rib.Static:
		return "Rstatic"
	}
	return "Redistributed"
}

// replyFlags are the flags of a neighbour whose REPLY is awaited.
func replyFlags(e *core.TopologyEntry) string {
	if e.SIAQueries > 0 {
		return "rs"
	}
	return "r"
}

// remainingReplies lists the neighbours whose REPLY is awaited and that have no path.
func remainingReplies(w io.Writer, e *core.TopologyEntry) {
	title := false
	for _, n := range e.Waiting {
		if slices.ContainsFunc(e.Paths, func(p core.TopologyPath) bool { return p.Neighbor == n.Addr && p.Interface == n.Interface }) {
			continue
		}
		if !title {
			fmt.Fprintln(w, "    Remaining replies:")
			title = true
		}
		fmt.Fprintf(w, "         via %v, %s, %s\n", n.Addr, replyFlags(e), n.Interface)
	}
}
