package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/core"
)

// routesJSON is a RIP table for programs. Times are in seconds, metrics as RFC
// 2453 counts.
type routesJSON struct {
	VRF     string      `json:"vrf"`
	Enabled bool        `json:"enabled"`
	Routes  []routeJSON `json:"routes"`
}

type routeJSON struct {
	Prefix    string     `json:"prefix"`
	Source    string     `json:"source"`             // connected, static, default, redistributed, rip or summary
	Protocol  string     `json:"protocol,omitempty"` // of a redistributed route
	Metric    uint32     `json:"metric"`
	Tag       uint16     `json:"tag"`
	Interface string     `json:"interface,omitempty"`
	Garbage   bool       `json:"garbage"`
	Holddown  bool       `json:"holddown"`
	Changed   bool       `json:"changed"`
	Deleted   *float64   `json:"deletedIn,omitempty"`
	Paths     []pathJSON `json:"paths"`
}

type pathJSON struct {
	NextHop   string  `json:"nextHop"`
	From      string  `json:"from"`
	Interface string  `json:"interface"`
	Metric    uint32  `json:"metric"`
	Hops      uint32  `json:"hops"`
	Distance  uint8   `json:"distance"`
	Age       float64 `json:"age"`
	Timeout   float64 `json:"timeout"`
}

// sources names where routes come from, for programs.
var sources = map[core.RouteSource]string{
	core.SourceConnected: "connected", core.SourceStatic: "static", core.SourceDefault: "default",
	core.SourceRedistributed: "redistributed", core.SourceLearned: "rip", core.SourceSummary: "summary",
}

// tableOutput is what of a table is shown.
type tableOutput struct {
	report *core.RouteReport
	routes []core.RouteEntry
}

func routesOf(r *core.RouteReport, routes []core.RouteEntry) routesJSON {
	out := routesJSON{VRF: r.VRF, Enabled: r.Exists, Routes: []routeJSON{}}
	for _, e := range routes {
		j := routeJSON{Prefix: e.Prefix.String(), Source: sources[e.Source], Metric: e.Metric, Tag: e.Tag, Interface: e.Interface,
			Garbage: e.Garbage, Holddown: e.Holddown, Changed: e.Changed, Paths: []pathJSON{}}
		if e.Source == core.SourceRedistributed {
			j.Protocol = e.Protocol.String()
		}
		if e.Garbage {
			left := e.Left.Seconds()
			j.Deleted = &left
		}
		for _, p := range e.Paths {
			j.Paths = append(j.Paths, pathJSON{text(p.NextHop), text(p.From), p.Interface, p.Metric, hops(p.Metric), p.Distance,
				p.Age.Seconds(), p.Left.Seconds()})
		}
		out.Routes = append(out.Routes, j)
	}
	return out
}

// MarshalJSON makes the JSON of a table once it is asked for: it is large.
func (t tableOutput) MarshalJSON() ([]byte, error) { return json.Marshal(routesOf(t.report, t.routes)) }

// hops is a metric as Cisco counts.
func hops(metric uint32) uint32 { return max(metric, 1) - 1 }

// text is an address, "" if there is none.
func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// pick returns the routes that a show command asks for: a network (arguments
// "prefix", or "addr" and "mask"), the longest that an address is in ("addr"
// alone), or all. An unreachable network contains no address.
func pick(r *core.RouteReport, a cli.Args) []core.RouteEntry {
	want := a.Prefix("prefix")
	if !want.IsValid() {
		want, _ = a.MaskedPrefix("addr", "mask")
	}
	if !want.IsValid() {
		return r.Routes
	}
	lookup := a.Has("addr") && !a.Has("mask")
	var best []core.RouteEntry
	for i, e := range r.Routes {
		switch {
		case !lookup && e.Prefix == want.Masked():
			return r.Routes[i : i+1]
		case lookup && !e.Garbage && e.Prefix.Contains(want.Addr()) && (best == nil || e.Prefix.Bits() >= best[0].Prefix.Bits()):
			best = r.Routes[i : i+1]
		}
	}
	return best
}

// missing says that there is no RIP, or no such route; it reports whether it did.
func missing(w io.Writer, exists bool, vrf string, none bool) bool {
	switch {
	case !exists && vrf != "":
		fmt.Fprintf(w, "%% RIP is not configured in VRF %s\n", vrf)
	case !exists:
		fmt.Fprintln(w, "% RIP is not configured")
	case none:
		fmt.Fprintln(w, "% Network not in RIP's table")
	}
	return !exists || none
}

// letters are the codes of `show ip rip`, those of `show ip route` for what is
// redistributed.
var letters = map[rib.Protocol]string{
	rib.Connected: "C", rib.Kernel: "K", rib.Static: "S", rib.OSPF: "O", rib.EIGRP: "D", rib.BGP: "B", rib.NHRP: "H",
}

// code is the first column of `show ip rip`.
func code(e *core.RouteEntry) string {
	switch e.Source {
	case core.SourceConnected:
		return "C(i)"
	case core.SourceStatic:
		return "R(s)"
	case core.SourceDefault:
		return "R(d)"
	case core.SourceRedistributed:
		return letters[e.Protocol] + "(r)"
	case core.SourceSummary:
		return "R(a)"
	}
	return "R(n)"
}

// ShowRIP prints the table with RFC 2453's metrics: `show ip rip`. The arguments
// are those of the command.
func ShowRIP(r *core.RouteReport, a cli.Args) cli.Output {
	routes := pick(r, a)
	return cli.Output{JSON: tableOutput{r, routes}, Text: func(w io.Writer) {
		if missing(w, r.Exists, r.VRF, len(routes) == 0 && (a.Has("prefix") || a.Has("addr"))) {
			return
		}
		fmt.Fprintln(w, "Codes: R - RIP, C - connected, K - kernel, S - static, O - OSPF, D - EIGRP, B - BGP, H - NHRP")
		fmt.Fprintln(w, "Sub-codes:")
		fmt.Fprintln(w, "      (n) - normal, (s) - static, (d) - default, (r) - redistribute,")
		fmt.Fprintln(w, "      (i) - interface, (a) - summary")
		fmt.Fprintln(w)
		table := cli.Table{W: w, Format: "%-4s %-18s %-16s %6v %-15s %3v %s"}
		table.Row("", "Network", "Next Hop", "Metric", "From", "Tag", "Time")
		for i := range routes {
			routeRows(table, &routes[i])
		}
	}}
}

// routeRows prints a route: a line for what this router announces of itself, and
// one for each path. Time is what is left until it ends.
func routeRows(table cli.Table, e *core.RouteEntry) {
	switch {
	case e.Garbage:
		table.Row(code(e), e.Prefix, "0.0.0.0", e.Metric, "self", e.Tag, cli.Duration(e.Left))
	case e.Source != core.SourceLearned:
		table.Row(code(e), e.Prefix, "0.0.0.0", e.Metric, "self", e.Tag, "")
	}
	for _, p := range e.Paths {
		table.Row("R(n)", e.Prefix, text(p.NextHop), p.Metric, text(p.From), e.Tag, cli.Duration(p.Left))
	}
}

// ShowDatabase prints the table in Cisco's layout, which counts hops: `show ip
// rip database`. The arguments are those of the command.
func ShowDatabase(r *core.RouteReport, a cli.Args) cli.Output {
	routes := pick(r, a)
	return cli.Output{JSON: tableOutput{r, routes}, Text: func(w io.Writer) {
		if missing(w, r.Exists, r.VRF, len(routes) == 0 && a.Has("addr")) {
			return
		}
		for i := range routes {
			databaseEntry(w, &routes[i])
		}
	}}
}

func databaseEntry(w io.Writer, e *core.RouteEntry) {
	title := ""
	switch {
	case e.Garbage:
		title = "    is possibly down"
	case e.Source == core.SourceConnected:
		title = "    directly connected, " + e.Interface
	case e.Source == core.SourceStatic:
		title = "    static"
	case e.Source == core.SourceDefault, e.Source == core.SourceRedistributed:
		title = "    redistributed"
	case e.Source == core.SourceSummary:
		title = "    int-summary, " + e.Interface
	}
	fmt.Fprintf(w, "%v%s\n", e.Prefix, title)
	switch {
	case e.Garbage:
	case e.Source == core.SourceRedistributed:
		fmt.Fprintf(w, "    [%d] from %v\n", e.Metric, e.Protocol)
	case e.Source == core.SourceDefault:
		fmt.Fprintf(w, "    [%d] from default-information originate\n", e.Metric)
	}
	for _, p := range e.Paths {
		fmt.Fprintf(w, "    [%d] via %s, %s, %s\n", hops(p.Metric), text(p.NextHop), cli.Duration(p.Age), p.Interface)
	}
}

// Clear returns the core's input for a clear command; ok is false if the ID is of
// none. Without "vrf" the global table is meant.
func Clear(id string, a cli.Args) (c core.Clear, ok bool) {
	c = core.Clear{VRF: a.String("vrf"), Routes: id == ExecClear, Counters: id == ExecClearCounters}
	return c, c.Routes || c.Counters
}
