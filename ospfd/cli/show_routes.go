package cli

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
)

func routesIdentity(in *core.InstanceRoutes) core.Identity { return in.Identity }

// borderJSON is a border router for programs.
type borderJSON struct {
	Router     string    `json:"routerId"`
	Type       string    `json:"type"` // "intra" or "inter"
	AreaBorder bool      `json:"areaBorderRouter"`
	ASBoundary bool      `json:"asBoundaryRouter"`
	Area       string    `json:"area"`
	Cost       uint32    `json:"cost"`
	NextHops   []hopJSON `json:"nextHops"`
}

// showBorderRouters prints `show ip ospf border-routers`.
func showBorderRouters(r *core.RouteReport, a cli.Args) cli.Output {
	type instanceJSON struct {
		identityJSON
		Routers []borderJSON `json:"routers"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = instanceJSON{identityOf(in.Identity), []borderJSON{}}
		for _, b := range in.Routers {
			kind := "intra"
			if b.Type == core.PathInter {
				kind = "inter"
			}
			list[i].Routers = append(list[i].Routers, borderJSON{b.Router.String(), kind, b.AreaBorder, b.ASBoundary, areaText(in.Identity, b.Area), b.Cost, hopsJSON(b.Hops)})
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, routesIdentity, a, func(in *core.InstanceRoutes) {
			title(w, in.Identity)
			fmt.Fprint(w, "\n\t\tBase Topology (MTID 0)\n\nInternal Router Routing Table\nCodes: i - Intra-area route, I - Inter-area route\n\n")
			for i := range in.Routers {
				borderLines(w, in.Identity, &in.Routers[i])
			}
		})
	}}
}

func borderLines(w io.Writer, id core.Identity, b *core.BorderStatus) {
	code, what := "i", "ABR"
	if b.Type == core.PathInter {
		code = "I"
	}
	switch {
	case b.AreaBorder && b.ASBoundary:
		what = "ABR/ASBR"
	case b.ASBoundary:
		what = "ASBR"
	}
	for _, h := range b.Hops {
		fmt.Fprintf(w, "%s %v [%d] via %s, %s, Area %s, SPF %d\n", code, b.Router, b.Cost, hopText(h), what, areaText(id, b.Area), b.SPF)
	}
}

// routeJSON is a route for programs.
type routeJSON struct {
	Prefix    string    `json:"prefix"`
	Type      string    `json:"type"` // "intra", "inter", "external-1", "nssa-2"
	Area      string    `json:"area,omitempty"`
	Cost      uint32    `json:"cost"`
	Type2     uint32    `json:"type2Metric,omitempty"`
	Tag       uint32    `json:"tag,omitempty"`
	Router    string    `json:"advertisingRouter,omitempty"`
	NextHops  []hopJSON `json:"nextHops"`
	Installed bool      `json:"installed"`
	Why       string    `json:"notInstalled,omitempty"`
}

func routeOf(id core.Identity, r *core.RouteStatus) routeJSON {
	out := routeJSON{Prefix: r.Prefix.String(), Type: routeWord(r), Cost: r.Cost, Tag: r.Tag, NextHops: hopsJSON(r.Hops), Installed: r.Installed, Why: r.Why}
	switch r.Type {
	case core.PathIntra, core.PathInter:
		out.Area = areaText(id, r.Area)
	case core.PathExternal2:
		out.Type2 = r.Type2
	}
	if r.Router != 0 {
		out.Router = r.Router.String()
	}
	return out
}

// routeWord is the type of a route for programs.
func routeWord(r *core.RouteStatus) string {
	kind := "external"
	if r.NSSA {
		kind = "nssa"
	}
	switch r.Type {
	case core.PathIntra:
		return "intra"
	case core.PathInter:
		return "inter"
	case core.PathExternal1:
		return kind + "-1"
	}
	return kind + "-2"
}

// routesOutput is what a command shows of routes: part for people, and those that are asked
// for for programs.
func routesOutput(r *core.RouteReport, a cli.Args, part func(w io.Writer, in *core.InstanceRoutes, routes []core.RouteStatus)) cli.Output {
	type instanceJSON struct {
		identityJSON
		Routes []routeJSON `json:"routes"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = instanceJSON{identityOf(in.Identity), []routeJSON{}}
		for _, route := range selected(in.Routes, a) {
			list[i].Routes = append(list[i].Routes, routeOf(in.Identity, &route))
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, routesIdentity, a, func(in *core.InstanceRoutes) {
			title(w, in.Identity)
			part(w, in, selected(in.Routes, a))
		})
	}}
}

// routeCodes are the codes of `show ip route`, by the words of routeWord.
var routeCodes = map[string]string{"intra": "O", "inter": "O IA", "external-1": "O E1", "external-2": "O E2", "nssa-1": "O N1", "nssa-2": "O N2"}

// showRoutes prints `show ip ospf route`, with the codes of `show ip route`.
func showRoutes(r *core.RouteReport, a cli.Args) cli.Output {
	return routesOutput(r, a, func(w io.Writer, in *core.InstanceRoutes, routes []core.RouteStatus) {
		fmt.Fprint(w, "Codes: O - intra area, IA - inter area\n       N1 - NSSA external type 1, N2 - NSSA external type 2\n       E1 - external type 1, E2 - external type 2\n\n")
		for i := range routes {
			route := &routes[i]
			head := fmt.Sprintf("%-4s     %v [%s]", routeCodes[routeWord(route)], route.Prefix, metricText(route))
			if len(route.Hops) == 0 {
				fmt.Fprintln(w, head)
			}
			for k, h := range route.Hops {
				if k > 0 {
					head = fmt.Sprintf("%*s", len(head), "["+metricText(route)+"]")
				}
				if h.Addr.IsValid() {
					fmt.Fprintf(w, "%s via %s\n", head, hopText(h))
				} else {
					fmt.Fprintf(w, "%s is directly connected, %s\n", head, h.Interface)
				}
			}
		}
	})
}

// metricText is the cost of a route; of type 2 its metric and the cost of the way.
func metricText(r *core.RouteStatus) string {
	if r.Type == core.PathExternal2 {
		return fmt.Sprintf("%d/%d", r.Type2, r.Cost)
	}
	return fmt.Sprint(r.Cost)
}

// showRIB prints `show ip ospf rib`.
func showRIB(r *core.RouteReport, a cli.Args) cli.Output {
	return routesOutput(r, a, func(w io.Writer, in *core.InstanceRoutes, routes []core.RouteStatus) {
		fmt.Fprint(w, "\n\t\tBase Topology (MTID 0)\n\nOSPF local RIB\nCodes: * - Best, > - Installed in global RIB\n\n")
		for i := range routes {
			ribLines(w, in.Identity, &routes[i])
		}
	})
}

func ribLines(w io.Writer, id core.Identity, r *core.RouteStatus) {
	flag := "* "
	if r.Installed {
		flag = "*>"
	}
	var text string
	switch r.Type {
	case core.PathIntra:
		text = fmt.Sprintf("Intra, cost %d, area %s", r.Cost, areaText(id, r.Area))
	case core.PathInter:
		text = fmt.Sprintf("Inter, cost %d, area %s", r.Cost, areaText(id, r.Area))
	case core.PathExternal1:
		text = fmt.Sprintf("%s, cost %d, tag %d", externalWord(r, 1), r.Cost, r.Tag)
	default:
		text = fmt.Sprintf("%s, cost %d, fwd cost %d, tag %d", externalWord(r, 2), r.Type2, r.Cost, r.Tag)
	}
	if connected(r.Hops) {
		text += ", Connected"
	}
	if r.Why != "" && !r.Installed {
		text += ", not installed: " + r.Why
	}
	fmt.Fprintf(w, "%s  %v, %s\n", flag, r.Prefix, text)
	for _, h := range r.Hops {
		if h.Addr.IsValid() {
			fmt.Fprintf(w, "      via %s\n", hopText(h))
		} else {
			fmt.Fprintf(w, "      via %s\n", h.Interface)
		}
	}
}

func externalWord(r *core.RouteStatus, n int) string {
	if r.NSSA {
		return fmt.Sprintf("NSSA%d", n)
	}
	return fmt.Sprintf("Ext%d", n)
}

func connected(hops []core.HopStatus) bool {
	return len(hops) > 0 && hops[0].Addr == netip.Addr{}
}
