package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// protocolJSON is an instance as `show ip protocols` and `show eigrp protocols` have it,
// for programs. Times are in seconds.
type protocolJSON struct {
	Protocol string `json:"protocol"` // "eigrp"
	identityJSON
	Shutdown         bool               `json:"shutdown"`
	Down             bool               `json:"down"` // also by maximum-prefix
	Restarts         int                `json:"restarts"`
	RestartIn        float64            `json:"restartIn"`
	Weights          [6]uint8           `json:"weights"`  // K1 to K6
	RIBScale         uint8              `json:"ribScale"` // 0 with classic metrics
	MaximumPaths     int                `json:"maximumPaths"`
	Variance         int                `json:"variance"`
	MaximumHops      uint8              `json:"maximumHops"`
	InternalDistance uint8              `json:"internalDistance"`
	ExternalDistance uint8              `json:"externalDistance"`
	ActiveTime       float64            `json:"activeTime"` // 0: for ever
	NSF              bool               `json:"nsf"`
	PurgeTime        float64            `json:"purgeTime"`
	Stub             []string           `json:"stub"` // words of `eigrp stub`; none: no stub
	DefaultIn        bool               `json:"defaultIn"`
	DefaultOut       bool               `json:"defaultOut"`
	Networks         []string           `json:"networks"`
	Interfaces       []string           `json:"interfaces"`
	Passive          []string           `json:"passiveInterfaces"`
	Summaries        []summarizedJSON   `json:"summaries"`
	Redistribute     []redistributeJSON `json:"redistribute"`
	Filters          []filterJSON       `json:"filters"`
	Offsets          []offsetJSON       `json:"offsets"`
	Distances        []distanceJSON     `json:"sourceDistances"`
	Sources          []sourceJSON       `json:"sources"`
	Prefixes         int                `json:"prefixes"`
	Active           int                `json:"active"`
	Routes           int                `json:"routes"` // in the routing table
	Redistributed    int                `json:"redistributed"`
}

type summarizedJSON struct {
	Prefix    string `json:"prefix"`
	Interface string `json:"interface"`
}

type redistributeJSON struct {
	Protocol string `json:"protocol"`
	Instance uint32 `json:"instance,omitempty"`
	RouteMap string `json:"routeMap,omitempty"`
}

type filterJSON struct {
	Direction string `json:"direction"`        // in or out
	Type      string `json:"type"`             // accessList, prefixList or routeMap
	List      string `json:"list"`             // "" if there is a gateway only
	Gateway   string `json:"gateway"`          // prefix-list of neighbours
	Interface string `json:"interface"`        // "" for all
	Protocol  string `json:"from,omitempty"`   // out: of redistributed routes of it only
	Instance  uint32 `json:"fromID,omitempty"` // its process or autonomous system
}

type offsetJSON struct {
	Direction string `json:"direction"` // in or out
	List      string `json:"list"`
	Offset    uint32 `json:"offset"`
	Interface string `json:"interface"`
}

type distanceJSON struct {
	Address  string `json:"address"`
	Wildcard string `json:"wildcard"`
	Distance uint8  `json:"distance"`
	List     string `json:"list"`
}

type sourceJSON struct {
	Gateway    string  `json:"gateway"`
	Interface  string  `json:"interface"`
	Distance   uint8   `json:"distance"`
	LastUpdate float64 `json:"lastUpdate"`
}

var filterTypes = map[core.FilterKind]string{
	core.FilterAccessList: "accessList", core.FilterPrefixList: "prefixList", core.FilterRouteMap: "routeMap",
}

func protocolOf(in *core.InstanceStatus) protocolJSON {
	c, k := &in.Config, in.Config.Weights
	out := protocolJSON{Protocol: "eigrp", identityJSON: identityOf(in.Identity), Shutdown: c.Shutdown, Down: in.Down, Restarts: in.Restarts,
		RestartIn: in.RestartIn.Seconds(), Weights: [6]uint8{k.K1, k.K2, k.K3, k.K4, k.K5, k.K6}, MaximumPaths: c.MaximumPaths, Variance: c.Variance,
		MaximumHops: c.MaximumHops, InternalDistance: c.InternalDistance, ExternalDistance: c.ExternalDistance, ActiveTime: max(c.ActiveTime, 0).Seconds(),
		NSF: !c.NoNSF, PurgeTime: c.PurgeTime.Seconds(), Stub: []string{}, DefaultIn: !c.DefaultIn.Deny, DefaultOut: !c.DefaultOut.Deny,
		Networks: []string{}, Interfaces: append([]string{}, in.Interfaces...), Passive: append([]string{}, in.Passive...),
		Summaries: []summarizedJSON{}, Redistribute: []redistributeJSON{}, Filters: []filterJSON{}, Offsets: []offsetJSON{}, Distances: []distanceJSON{},
		Sources: []sourceJSON{}, Prefixes: in.Prefixes, Active: in.Active, Routes: in.Routes, Redistributed: in.Redistributed}
	if in.Wide {
		out.RIBScale = c.RIBScale
	}
	if c.Stub != nil {
		out.Stub = stubWords(c.Stub)
	}
	for _, n := range in.Neighbors {
		out.Sources = append(out.Sources, sourceJSON{text(n.Addr), n.Interface, distanceOf(c, n.Addr), n.LastUpdate.Seconds()})
	}
	out.settings(c)
	return out
}

// settings fills in what is configured as lists.
func (p *protocolJSON) settings(c *core.InstanceConfig) {
	for _, n := range c.Networks {
		p.Networks = append(p.Networks, networkText(n))
	}
	for _, i := range c.Interfaces {
		for _, s := range i.Summaries {
			p.Summaries = append(p.Summaries, summarizedJSON{s.Prefix.String(), i.Name})
		}
	}
	for _, d := range c.Redistribute {
		p.Redistribute = append(p.Redistribute, redistributeJSON{d.Protocol.String(), d.Instance, d.RouteMap})
	}
	for _, f := range c.Filters {
		j := filterJSON{Direction: direction(f.Out), Type: filterTypes[f.Kind], List: f.List, Gateway: f.Gateway, Interface: f.Interface, Instance: f.Instance}
		if f.Protocol != rib.Unspecified {
			j.Protocol = f.Protocol.String()
		}
		p.Filters = append(p.Filters, j)
	}
	for _, o := range c.Offsets {
		p.Offsets = append(p.Offsets, offsetJSON{direction(o.Out), o.List, o.Offset, o.Interface})
	}
	for _, d := range c.Distances {
		p.Distances = append(p.Distances, distanceJSON{address(d.Source.Addr).String(), address(d.Source.Bits).String(), d.Distance, d.List})
	}
}

func direction(out bool) string {
	if out {
		return "out"
	}
	return "in"
}

// redistributed lists the protocols, each once, in the order of their names.
func redistributed(c *core.InstanceConfig) []string {
	var words []string
	for _, d := range c.Redistribute {
		words = append(words, protocolText(d.Protocol, d.Instance))
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// protocolText is a protocol with its process or autonomous system, if it has one.
func protocolText(p rib.Protocol, instance uint32) string {
	if instance == 0 {
		return p.String()
	}
	return fmt.Sprintf("%v %d", p, instance)
}

// filterLines print the distribute-lists, of sent updates first: that of all
// interfaces, then those of single ones and of redistributed protocols.
func filterLines(w io.Writer, filters []core.Filter) {
	for _, out := range []bool{true, false} {
		var all, single []string
		for _, f := range filters {
			switch {
			case f.Out != out:
			case f.Interface != "":
				single = append(single, fmt.Sprintf("%s filtered by %s", f.Interface, listText(f)))
			case f.Protocol != rib.Unspecified:
				single = append(single, fmt.Sprintf("Redistributed %s filtered by %s", protocolText(f.Protocol, f.Instance), listText(f)))
			default:
				all = append(all, listText(f))
			}
		}
		if len(all) == 0 {
			all = []string{"not set"}
		}
		name := map[bool]string{true: "Outgoing", false: "Incoming"}[out]
		fmt.Fprintf(w, "  %s update filter list for all interfaces is %s\n", name, strings.Join(all, ", "))
		slices.Sort(single)
		for _, s := range single {
			fmt.Fprintf(w, "    %s\n", s)
		}
	}
}

func listText(f core.Filter) string {
	kind := map[core.FilterKind]string{core.FilterPrefixList: "(prefix-list) ", core.FilterRouteMap: "(route-map) "}[f.Kind]
	switch {
	case f.Gateway == "":
		return kind + f.List
	case f.List == "":
		return "(gateway) " + f.Gateway
	}
	return fmt.Sprintf("%s%s (gateway) %s", kind, f.List, f.Gateway)
}

// offsetLines print the offset-lists in the order in which they are asked.
func offsetLines(w io.Writer, offsets []core.OffsetList) {
	for _, o := range offsets {
		line := map[bool]string{true: "Outgoing", false: "Incoming"}[o.Out] + " routes"
		if o.Interface != "" {
			line += " in " + o.Interface
		}
		line += fmt.Sprintf(" will have %d added to metric", o.Offset)
		if o.List != "" {
			line += " if on list " + o.List
		}
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// distanceOf is the distance of what comes from a neighbour, whatever it is about.
func distanceOf(c *core.InstanceConfig, from netip.Addr) uint8 {
	for _, d := range c.Distances {
		if d.List == "" && d.Source.Match(from) {
			return d.Distance
		}
	}
	return c.InternalDistance
}

// distanceLines print the distances of single sources, if there are any.
func distanceLines(w io.Writer, list []core.SourceDistance) {
	if len(list) == 0 {
		return
	}
	table := cli.Table{W: w, Format: "    %-15s %-15s %8v  %s"}
	table.Row("Address", "Wild mask", "Distance", "List")
	for _, d := range list {
		table.Row(address(d.Source.Addr), address(d.Source.Bits), d.Distance, d.List)
	}
}
