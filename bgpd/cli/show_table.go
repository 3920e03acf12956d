package cli

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// tableHead stands above a table, as on IOS.
const tableHead = `BGP table version is %d, local router ID is %v
Status codes: s suppressed, * valid, > best, i - internal, 
              r not accepted, S Stale, m multipath, p waits for installation
Origin codes: i - IGP, e - EGP, ? - incomplete

     Network          Next Hop            Metric LocPrf Weight Path
`

// pathJSON is a path for programs.
type pathJSON struct {
	NextHop      string   `json:"nextHop"` // "" is this router
	Neighbor     string   `json:"neighbor,omitempty"`
	RouterID     string   `json:"routerId,omitempty"`
	ASPath       string   `json:"asPath"`
	Origin       string   `json:"origin"` // i, e or ?
	MED          *uint32  `json:"med,omitempty"`
	LocalPref    *uint32  `json:"localPref,omitempty"`
	Weight       uint32   `json:"weight"`
	Communities  []string `json:"communities,omitempty"`
	Large        []string `json:"largeCommunities,omitempty"`
	Extended     []string `json:"extendedCommunities,omitempty"`
	OriginatorID string   `json:"originatorId,omitempty"`
	ClusterList  []string `json:"clusterList,omitempty"`
	PathID       uint32   `json:"pathId,omitempty"`
	IGPMetric    uint32   `json:"igpMetric"`
	Age          float64  `json:"age"` // seconds
	Valid        bool     `json:"valid"`
	Best         bool     `json:"best"`
	Multipath    bool     `json:"multipath"`
	External     bool     `json:"external"`
	Own          bool     `json:"local"`
	Aggregate    bool     `json:"aggregate,omitempty"`
	Denied       bool     `json:"denied,omitempty"`
	Stale        bool     `json:"stale,omitempty"`
	Suppressed   bool     `json:"suppressed,omitempty"`
	Pending      bool     `json:"pending,omitempty"`
}

func pathOf(p *speaker.Path, in *Instance) pathJSON {
	j := pathJSON{Neighbor: text(p.Neighbor), RouterID: text(p.RouterID), PathID: p.ID, IGPMetric: p.Metric, Age: since(p.Since, in.Now).Seconds(), Valid: p.Valid, Best: p.Best,
		Multipath: p.Multipath, External: p.External, Own: !p.Neighbor.IsValid(), Aggregate: p.Aggregate, Denied: p.Denied, Stale: p.Stale, Suppressed: p.Suppressed, Pending: p.Pending}
	a := p.Attributes
	if a == nil {
		return j
	}
	if a.NextHop.IsValid() && !a.NextHop.IsUnspecified() {
		j.NextHop = a.NextHop.String()
	}
	j.ASPath, j.Origin, j.Weight, j.OriginatorID = a.ASPath.String(), a.Origin.String(), a.Weight, text(a.OriginatorID)
	if a.HasMED {
		j.MED = &a.MED
	}
	if a.HasLocalPref {
		j.LocalPref = &a.LocalPref
	}
	for _, c := range a.Communities {
		j.Communities = append(j.Communities, c.String())
	}
	for _, c := range a.Large {
		j.Large = append(j.Large, c.String())
	}
	for _, c := range a.Extended {
		j.Extended = append(j.Extended, c.String())
	}
	for _, c := range a.ClusterList {
		j.ClusterList = append(j.ClusterList, c.String())
	}
	return j
}

type entryJSON struct {
	Prefix string     `json:"prefix"`
	Paths  []pathJSON `json:"paths"`
}

// ShowTable prints a table: `show ip bgp`, and what a neighbour sent or is sent.
func ShowTable(in *Instance, entries []speaker.Entry, v View) cli.Output {
	var list []entryJSON
	for _, e := range entries {
		j := entryJSON{Prefix: e.Prefix.String(), Paths: []pathJSON{}}
		for i := range e.Paths {
			j.Paths = append(j.Paths, pathOf(&e.Paths[i], in))
		}
		list = append(list, j)
	}
	if list == nil {
		list = []entryJSON{}
	}
	json := map[string]any{"vrf": v.VRF, "routerId": text(in.Config.Process.RouterID), "as": in.Config.Process.AS, "tableVersion": in.Version, "routes": list}
	return cli.Output{JSON: json, Text: func(w io.Writer) {
		if len(entries) == 0 {
			return
		}
		fmt.Fprintf(w, tableHead, in.Version, in.Config.Process.RouterID)
		paths := 0
		for _, e := range entries {
			for i := range e.Paths {
				row(w, e.Prefix, &e.Paths[i], i == 0)
				paths++
			}
		}
		if v.What != "" {
			fmt.Fprintf(w, "\nTotal number of prefixes %d \n", len(entries))
		}
	}}
}

// row prints a path. A prefix that is too long for its column has a line of its own.
func row(w io.Writer, prefix netip.Prefix, p *speaker.Path, first bool) {
	network := ""
	if first {
		network = prefix.String()
	}
	line := fmt.Sprintf("%-5s%s", status(p), network)
	const hopAt = 22
	if len(network) > 16 {
		fmt.Fprintln(w, strings.TrimRight(line, " "))
		line = ""
	}
	a := p.Attributes
	hop := a.NextHop.String()
	line = fmt.Sprintf("%-*s%-20s", hopAt, line, hop)
	if len(hop) > 19 {
		fmt.Fprintln(w, line)
		line = strings.Repeat(" ", hopAt+20)
	}
	med, pref := "", ""
	if a.HasMED {
		med = fmt.Sprint(a.MED)
	}
	if a.HasLocalPref {
		pref = fmt.Sprint(a.LocalPref)
	}
	path := a.ASPath.String()
	if path != "" {
		path += " "
	}
	// The metric may stick out to the left, as on IOS.
	line = fmt.Sprintf("%s%6s%7s%7d %s%s", line, med, pref, a.Weight, path, a.Origin)
	fmt.Fprintln(w, line)
}

// status are the status codes of a path.
func status(p *speaker.Path) string {
	code := []byte("    ")
	switch {
	case p.Stale:
		code[0] = 'S'
	case p.Pending:
		code[0] = 'p'
	}
	switch {
	case p.Denied:
		code[1] = 'r'
	case p.Suppressed:
		code[1] = 's'
	case p.Valid:
		code[1] = '*'
	}
	switch {
	case p.Best:
		code[2] = '>'
	case p.Multipath:
		code[2] = 'm'
	}
	if p.Neighbor.IsValid() && !p.External {
		code[3] = 'i'
	}
	return string(code)
}

// ShowEntry prints a prefix in full: `show ip bgp PREFIX`.
func ShowEntry(in *Instance, e *speaker.Entry, v View) cli.Output {
	if e == nil {
		return cli.Output{JSON: map[string]any{}, Text: func(w io.Writer) { fmt.Fprintln(w, "% Network not in table") }}
	}
	j := entryJSON{Prefix: e.Prefix.String(), Paths: []pathJSON{}}
	for i := range e.Paths {
		j.Paths = append(j.Paths, pathOf(&e.Paths[i], in))
	}
	return cli.Output{JSON: j, Text: func(w io.Writer) {
		best := "no best path"
		for i := range e.Paths {
			if e.Paths[i].Best {
				best = fmt.Sprintf("best #%d", i+1)
			}
		}
		table := "default"
		if v.VRF != "" {
			table = v.VRF
		}
		fmt.Fprintf(w, "BGP routing table entry for %v, version %d\nPaths: (%d available, %s, table %s)\n", e.Prefix, in.Version, len(e.Paths), best, table)
		for i := range e.Paths {
			entryPath(w, in, &e.Paths[i])
		}
	}}
}

// entryPath prints a path in full.
func entryPath(w io.Writer, in *Instance, p *speaker.Path) {
	a := p.Attributes
	path := a.ASPath.String()
	if path == "" {
		path = "Local"
	}
	if a.Aggregator.ID.IsValid() {
		path += fmt.Sprintf(", (aggregated by %d %v)", a.Aggregator.AS, a.Aggregator.ID)
	}
	if p.Stale {
		path += ", (stale)"
	}
	if p.Suppressed {
		path += ", (suppressed by an aggregate)"
	}
	if p.Denied {
		path += ", (not accepted)"
	}
	fmt.Fprintf(w, "  %s\n", path)
	from, id := p.Neighbor, p.RouterID
	if !from.IsValid() {
		from, id = netip.IPv4Unspecified(), in.Config.Process.RouterID
	}
	metric := ""
	if p.Metric > 0 {
		metric = fmt.Sprintf(" (metric %d)", p.Metric)
	}
	if !p.Valid && !p.Denied {
		metric = " (inaccessible)"
	}
	fmt.Fprintf(w, "    %v%s from %v (%v)\n", a.NextHop, metric, from, id)
	fmt.Fprintf(w, "      Origin %s%s, localpref %d%s%s\n", originWord(a.Origin.String()), medText(p), a.Preference(), weightText(a.Weight), strings.Join(marks(p), ""))
	words := func(head string, list []string) {
		if len(list) > 0 {
			fmt.Fprintf(w, "      %s: %s\n", head, strings.Join(list, " "))
		}
	}
	j := pathOf(p, in)
	words("Community", j.Communities)
	words("Extended Community", j.Extended)
	words("Large Community", j.Large)
	if a.OriginatorID.IsValid() {
		fmt.Fprintf(w, "      Originator: %v, Cluster list: %s\n", a.OriginatorID, strings.Join(j.ClusterList, ", "))
	}
	if p.ID != 0 {
		fmt.Fprintf(w, "      path id: %d\n", p.ID)
	}
	fmt.Fprintf(w, "      Last update: %s ago\n", cli.Duration(since(p.Since, in.Now)))
}

func originWord(code string) string {
	return map[string]string{"i": "IGP", "e": "EGP", "?": "incomplete"}[code]
}

func medText(p *speaker.Path) string {
	if !p.Attributes.HasMED {
		return ""
	}
	return fmt.Sprintf(", metric %d", p.MED)
}

func weightText(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", weight %d", n)
}

// marks are what is to be said of a path, as on IOS.
func marks(p *speaker.Path) []string {
	var out []string
	mark := func(yes bool, word string) {
		if yes {
			out = append(out, ", "+word)
		}
	}
	own := !p.Neighbor.IsValid()
	mark(p.Valid, "valid")
	mark(own && p.Aggregate, "aggregated, local")
	mark(own && !p.Aggregate, "sourced, local")
	mark(!own && p.External, "external")
	mark(!own && !p.External, "internal")
	mark(p.Attributes.AtomicAggregate, "atomic-aggregate")
	mark(p.Multipath, "multipath")
	mark(p.Best, "best")
	mark(p.Pending, "waits for installation")
	return out
}
