package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// protocolJSON is OSPF in `show ip protocols` for programs.
type protocolJSON struct {
	Protocol string `json:"protocol"`
	identityJSON
	AreaBorder   bool         `json:"areaBorderRouter"`
	ASBoundary   bool         `json:"asBoundaryRouter"`
	Networks     []string     `json:"networks"`
	Passive      []string     `json:"passiveInterfaces"` // under passiveDefault: those that are not
	PassiveAll   bool         `json:"passiveDefault"`
	MaximumPaths int          `json:"maximumPaths"`
	Distances    [3]uint8     `json:"distances"` // intra-area, inter-area, external
	Redistribute []redistJSON `json:"redistribute"`
}

// showProtocols prints OSPF's sections of `show ip protocols`, one for each process. Where
// there is none, there is nothing.
func showProtocols(r *core.StatusReport, a cli.Args) cli.Output {
	list, chosen := []protocolJSON{}, []*core.InstanceStatus{}
	for i := range r.Instances {
		in := &r.Instances[i]
		if in.VRF != a.String("vrf") {
			continue
		}
		c := &in.Config
		p := protocolJSON{Protocol: "ospf", identityJSON: identityOf(in.Identity), AreaBorder: in.AreaBorder, ASBoundary: in.ASBoundary, Networks: []string{}, Passive: append([]string{}, c.Passive...),
			PassiveAll: c.PassiveDefault, MaximumPaths: c.MaximumPaths, Distances: [3]uint8{c.Distance.Intra, c.Distance.Inter, c.Distance.External}, Redistribute: statusOf(in).Redistribute}
		for _, n := range c.Networks {
			p.Networks = append(p.Networks, networkLine(in.Identity, n))
		}
		list, chosen = append(list, p), append(chosen, in)
	}
	return cli.Output{JSON: map[string]any{"protocols": list}, Text: func(w io.Writer) {
		for i, in := range chosen {
			if i > 0 {
				fmt.Fprintln(w)
			}
			routingProtocol(w, in)
		}
	}}
}

func networkLine(id core.Identity, n core.Network) string {
	return fmt.Sprintf("%v %v area %s", packet.ID(n.Addresses.Addr), packet.ID(n.Addresses.Bits), areaText(id, n.Area))
}

// routingProtocol prints a section of `show ip protocols`.
func routingProtocol(w io.Writer, in *core.InstanceStatus) {
	c := &in.Config
	fmt.Fprintf(w, "Routing Protocol is \"ospf %d\"\n", in.Process)
	filterLines(w, "Outgoing update", true, c.Filters)
	filterLines(w, "Incoming update", false, c.Filters)
	if in.RouterID != 0 {
		fmt.Fprintf(w, "  Router ID %v\n", in.RouterID)
	} else {
		fmt.Fprintln(w, "  Router ID none, OSPF does not run: no interface has an IPv4 address")
	}
	if in.AreaBorder || in.ASBoundary {
		fmt.Fprintf(w, "  %s\n", routerRole(in))
	}
	redistributionLines(w, "  ", in)
	areaNumbers(w, "  ", in)
	fmt.Fprintf(w, "  Maximum path: %d\n  Routing for Networks:\n", c.MaximumPaths)
	for _, n := range c.Networks {
		fmt.Fprintf(w, "    %s\n", networkLine(in.Identity, n))
	}
	switch {
	case c.PassiveDefault && len(c.Passive) > 0:
		fmt.Fprintln(w, "  Passive Interface(s): all but")
	case c.PassiveDefault:
		fmt.Fprintln(w, "  Passive Interface(s): all")
	case len(c.Passive) > 0:
		fmt.Fprintln(w, "  Passive Interface(s):")
	}
	for _, name := range c.Passive {
		fmt.Fprintf(w, "    %s\n", name)
	}
	d := c.Distance
	if d.Intra == core.DefaultDistance && d.Inter == d.Intra && d.External == d.Intra {
		fmt.Fprintf(w, "  Distance: (default is %d)\n", core.DefaultDistance)
	} else {
		fmt.Fprintf(w, "  Distance: intra-area %d inter-area %d external %d\n", d.Intra, d.Inter, d.External)
	}
}

// filterLines prints the filters of one direction.
func filterLines(w io.Writer, direction string, out bool, filters []core.Filter) {
	found := false
	for _, f := range filters {
		if f.Out != out {
			continue
		}
		found = true
		kind, where := "", "for all interfaces"
		switch {
		case f.Prefix:
			kind = "(prefix-list) "
		case f.RouteMap:
			kind = "(route-map) "
		}
		switch {
		case f.Interface != "":
			where = "for " + f.Interface
		case f.Protocol != 0 && f.Instance != 0:
			where = fmt.Sprintf("for routes of %v %d", f.Protocol, f.Instance)
		case f.Protocol != 0:
			where = fmt.Sprintf("for routes of %v", f.Protocol)
		}
		fmt.Fprintf(w, "  %s filter list %s is %s%s\n", direction, where, kind, f.List)
	}
	if !found {
		fmt.Fprintf(w, "  %s filter list for all interfaces is not set\n", direction)
	}
}
