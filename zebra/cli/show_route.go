package cli

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/clock"
	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// RouteFilter selects what `show ip route` shows.
type RouteFilter struct {
	Protocol  librib.Protocol // Unspecified: all
	Overrides bool            // only prefixes with a next-hop override, and its next hop
	Within    netip.Prefix    // only this prefix and inside of it; zero: all
}

func (f RouteFilter) shows(v rib.PrefixView, r rib.RouteView) bool {
	if f.Protocol != librib.Unspecified && r.Route.Protocol != f.Protocol {
		return false
	}
	if f.Overrides && (v.Override == nil || !v.Override.InForce) {
		return false
	}
	return !f.Within.IsValid() || f.Within.Bits() <= v.Prefix.Bits() && f.Within.Contains(v.Prefix.Addr())
}

// routeJSON is a candidate for programs. Ages are in seconds.
type routeJSON struct {
	Protocol  string        `json:"protocol"`
	Instance  uint32        `json:"instance,omitempty"`
	Distance  uint8         `json:"distance"`
	Metric    uint32        `json:"metric"`
	Tag       uint32        `json:"tag,omitempty"`
	Name      string        `json:"name,omitempty"`
	Selected  bool          `json:"selected"`
	Installed bool          `json:"installed"`
	Stale     bool          `json:"stale,omitempty"`
	Override  bool          `json:"nextHopOverride,omitempty"`
	Age       float64       `json:"age"`
	Reason    string        `json:"inactiveReason,omitempty"`
	FIBError  string        `json:"fibError,omitempty"`
	NextHops  []nextHopJSON `json:"nextHops"`
}

type nextHopJSON struct {
	Address   string `json:"address,omitempty"`
	Interface string `json:"interface,omitempty"`
	Discard   bool   `json:"discard,omitempty"`
	Weight    uint16 `json:"weight,omitempty"`
	Active    bool   `json:"active"`
	Reason    string `json:"inactiveReason,omitempty"`
}

type prefixJSON struct {
	Prefix string      `json:"prefix"`
	Routes []routeJSON `json:"routes"`
}

func prefixOf(v rib.PrefixView, now clock.Instant) prefixJSON {
	p := prefixJSON{Prefix: v.Prefix.String(), Routes: []routeJSON{}}
	for _, r := range v.Routes {
		j := routeJSON{Protocol: r.Route.Protocol.String(), Instance: r.Route.Instance, Distance: r.Route.Distance,
			Metric: r.Route.Metric, Tag: r.Route.Tag, Name: r.Route.Name, Selected: r.Selected, Stale: r.Stale,
			Age: now.Sub(r.Since).Seconds(), Reason: r.Why, NextHops: []nextHopJSON{},
			Installed: r.Selected && (v.FIB == rib.FIBInstalled || kernelHas(r.Route.Protocol)),
			Override:  r.Selected && v.Override != nil && v.Override.InForce && !r.IsOverride}
		if r.Selected && v.FIB == rib.FIBFailed {
			j.FIBError = v.Error
		}
		for _, h := range r.NextHops {
			n := nextHopJSON{Interface: h.NextHop.Interface, Discard: h.NextHop.Discard, Weight: h.NextHop.Weight,
				Active: h.Reason == rib.Active, Reason: h.Why}
			if h.NextHop.Addr.IsValid() {
				n.Address = h.NextHop.Addr.String()
			}
			j.NextHops = append(j.NextHops, n)
		}
		p.Routes = append(p.Routes, j)
	}
	return p
}

// kernelHas reports whether the kernel has the protocol's routes by itself.
func kernelHas(p librib.Protocol) bool { return p.KernelNumber() == 0 }

// routeCode is the first columns of a line: Cisco's code, the candidate default
// mark and the override mark.
func routeCode(r rib.RouteView, v rib.PrefixView) string {
	code := map[librib.Protocol]string{librib.Connected: "C", librib.Local: "L", librib.Kernel: "K", librib.Static: "S",
		librib.RIP: "R", librib.OSPF: "O", librib.EIGRP: "D", librib.BGP: "B", librib.NHRP: "H"}[r.Route.Protocol]
	if v.Prefix.Bits() == 0 {
		code += "*"
	}
	second := map[librib.RouteType]string{librib.TypeInterArea: "IA", librib.TypeExternal1: "E1", librib.TypeExternal2: "E2",
		librib.TypeNSSAExternal1: "N1", librib.TypeNSSAExternal2: "N2"}[r.Route.Type]
	if r.Route.Type == librib.TypeExternal && r.Route.Protocol == librib.EIGRP {
		second = "EX"
	}
	if v.Override != nil && v.Override.InForce && !r.IsOverride {
		return fmt.Sprintf("%-4s%%", strings.TrimRight(fmt.Sprintf("%-2s%-2s", code, second), " "))
	}
	return strings.TrimRight(fmt.Sprintf("%-2s%s", code, second), " ")
}

// ShowRoutes prints the routing table: `show ip route`.
func ShowRoutes(vrf string, views []rib.PrefixView, f RouteFilter, now clock.Instant) cli.Output {
	var shown []rib.PrefixView
	list := []prefixJSON{}
	for _, v := range views {
		r, selected := v.Selected()
		if selected && f.shows(v, r) {
			shown = append(shown, v)
		}
		if len(v.Routes) > 0 && (f.shows(v, v.Routes[0]) || selected && f.shows(v, r)) {
			list = append(list, prefixOf(v, now))
		}
	}
	return cli.Output{JSON: map[string]any{"vrf": vrf, "routes": list}, Text: func(w io.Writer) {
		routeLegend(w)
		if vrf != "" {
			fmt.Fprintf(w, "Routing Table: %s\n", vrf)
		}
		lastResort(w, views)
		for i := 0; i < len(shown); {
			n := classfulGroup(w, shown[i:])
			for _, v := range shown[i : i+n] {
				r, _ := v.Selected()
				printRoute(w, v, r, indent(v, n, shown[i]), f.Overrides, now)
			}
			i += n
		}
	}}
}

func routeLegend(w io.Writer) {
	fmt.Fprint(w, `Codes: L - local, C - connected, S - static, K - kernel, R - RIP, B - BGP
       D - EIGRP, EX - EIGRP external, O - OSPF, IA - OSPF inter area
       N1, N2 - OSPF NSSA external type 1, 2, E1, E2 - OSPF external type 1, 2
       H - NHRP, * - candidate default, % - next hop override

`)
}

// lastResort prints which way unknown destinations go.
func lastResort(w io.Writer, views []rib.PrefixView) {
	for _, v := range views {
		r, ok := v.Selected()
		if v.Prefix.Bits() != 0 || !ok {
			continue
		}
		for _, h := range r.NextHops {
			if h.Reason != rib.Active || h.NextHop.Discard {
				continue
			}
			gateway := h.NextHop.Addr
			if !gateway.IsValid() { // an interface alone
				gateway = v.Prefix.Addr()
			}
			fmt.Fprintf(w, "Gateway of last resort is %v to network %v\n\n", gateway, v.Prefix.Addr())
			return
		}
	}
	fmt.Fprint(w, "Gateway of last resort is not set\n\n")
}

// classful returns the network of the days before CIDR, by which IOS groups.
func classful(p netip.Prefix) netip.Prefix {
	if !p.Addr().Is4() {
		return netip.Prefix{}
	}
	bits := 0
	switch first := p.Addr().As4()[0]; {
	case first == 0:
	case first < 128:
		bits = 8
	case first < 192:
		bits = 16
	case first < 224:
		bits = 24
	}
	if bits == 0 || p.Bits() < bits {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(p.Addr(), bits).Masked()
}

// classfulGroup returns how many prefixes at the beginning belong to one
// classful network, and prints its heading where it is subnetted.
func classfulGroup(w io.Writer, views []rib.PrefixView) int {
	network := classful(views[0].Prefix)
	if !network.IsValid() {
		return 1
	}
	n, masks := 0, map[int]bool{}
	for n < len(views) && classful(views[n].Prefix) == network {
		masks[views[n].Prefix.Bits()] = true
		n++
	}
	switch {
	case len(masks) > 1:
		fmt.Fprintf(w, "      %v is variably subnetted, %d subnets, %d masks\n", network, n, len(masks))
	case !masks[network.Bits()]:
		fmt.Fprintf(w, "      %v/%d is subnetted, %d subnets\n", network.Addr(), views[0].Prefix.Bits(), n)
	}
	return n
}

// indent is the column of the prefix: further right under a heading.
func indent(v rib.PrefixView, group int, first rib.PrefixView) int {
	network := classful(first.Prefix)
	if network.IsValid() && (group > 1 || v.Prefix != network) {
		return 9
	}
	return 6
}

func printRoute(w io.Writer, v rib.PrefixView, r rib.RouteView, column int, overrides bool, now clock.Instant) {
	head := fmt.Sprintf("%-*s%v", column, routeCode(r, v), v.Prefix)
	failed := ""
	if v.FIB == rib.FIBFailed {
		failed = fmt.Sprintf(" (not in the kernel: %s)", v.Error)
	}
	age := cli.Duration(now.Sub(r.Since))
	printed := false
	for _, h := range r.NextHops {
		if h.Reason != rib.Active {
			continue
		}
		if printed {
			head = strings.Repeat(" ", len(head))
		}
		fmt.Fprintf(w, "%s %s%s\n", head, hopText(r, h.NextHop, age), failed)
		printed = true
	}
	if !printed {
		fmt.Fprintf(w, "%s [%d/%d]%s\n", head, r.Route.Distance, r.Route.Metric, failed)
	}
	if overrides && v.Override != nil && !r.IsOverride {
		o := v.Override.Override
		// One column to the left of the routes', as on IOS.
		fmt.Fprintf(w, "%s[NHO][%d/255] via %v, %s, %s\n", strings.Repeat(" ", len(head)), r.Route.Distance, o.NextHop.Addr,
			cli.Duration(now.Sub(v.Override.Since)), o.NextHop.Interface)
	}
}

// hopText is what follows the prefix.
func hopText(r rib.RouteView, h librib.NextHop, age string) string {
	switch p := r.Route.Protocol; {
	case h.Discard && (p == librib.Static || p == librib.Connected):
		return "is directly connected, Null0"
	case h.Discard:
		return fmt.Sprintf("is a summary, %s, Null0", age)
	case !h.Addr.IsValid() && (p == librib.NHRP || p == librib.Kernel):
		return fmt.Sprintf("is directly connected, %s, %s", age, h.Interface)
	case !h.Addr.IsValid():
		return "is directly connected, " + h.Interface
	case p == librib.Static && h.Interface == "":
		return fmt.Sprintf("[%d/%d] via %v", r.Route.Distance, r.Route.Metric, h.Addr)
	case p == librib.Static:
		return fmt.Sprintf("[%d/%d] via %v, %s", r.Route.Distance, r.Route.Metric, h.Addr, h.Interface)
	}
	metric := fmt.Sprint(r.Route.Metric)
	if r.IsOverride {
		metric = "255"
	}
	text := fmt.Sprintf("[%d/%s] via %v, %s", r.Route.Distance, metric, h.Addr, age)
	name := h.Interface
	for _, res := range r.Resolved {
		if name == "" && res.Addr == h.Addr {
			name = res.Interface
		}
	}
	if name != "" {
		text += ", " + name
	}
	return text
}

// ShowPrefix prints all that is known of one prefix: `show ip route A.B.C.D`.
func ShowPrefix(v rib.PrefixView, found bool, asked string, now clock.Instant) cli.Output {
	if !found {
		return cli.Output{JSON: map[string]any{"found": false}, Text: func(w io.Writer) {
			fmt.Fprintf(w, "%% Network not in table: %s\n", asked)
		}}
	}
	return cli.Output{JSON: prefixOf(v, now), Text: func(w io.Writer) {
		fmt.Fprintf(w, "Routing entry for %v\n", v.Prefix)
		for _, r := range v.Routes {
			state := "selected"
			if !r.Selected {
				state = "not selected: " + r.Why
			} else if v.FIB == rib.FIBFailed {
				state += ", not in the kernel: " + v.Error
			}
			fmt.Fprintf(w, "  Known via %q, distance %d, metric %d%s (%s)\n", r.Route.Protocol, r.Route.Distance, r.Route.Metric, tagText(r.Route.Tag), state)
			fmt.Fprintf(w, "  Last update %s ago%s\n", cli.Duration(time.Duration(now.Sub(r.Since))), staleText(r.Stale))
			for _, h := range r.NextHops {
				fmt.Fprintf(w, "  * %s%s\n", describeHop(h.NextHop), whyText(h))
			}
		}
		if v.Override != nil {
			state := "in force"
			if !v.Override.InForce {
				state = "not in force: " + v.Override.Why
			}
			fmt.Fprintf(w, "  Next hop override: %s (%s)\n", describeHop(v.Override.Override.NextHop), state)
		}
	}}
}

func tagText(tag uint32) string {
	if tag == 0 {
		return ""
	}
	return fmt.Sprintf(", tag %d", tag)
}

func staleText(stale bool) string {
	if stale {
		return ", stale: its daemon is restarting"
	}
	return ""
}

func describeHop(h librib.NextHop) string {
	switch {
	case h.Discard:
		return "directly connected, via Null0"
	case !h.Addr.IsValid():
		return "directly connected, via " + h.Interface
	case h.Interface == "":
		return h.Addr.String()
	}
	return h.Addr.String() + ", via " + h.Interface
}

func whyText(h rib.NextHopView) string {
	if h.Reason == rib.Active {
		return ""
	}
	return " (" + h.Why + ")"
}

// ShowRouteSummary prints counts: `show ip route summary`.
func ShowRouteSummary(vrf string, counts []rib.Counts) cli.Output {
	type row struct {
		Protocol  string `json:"protocol"`
		Routes    int    `json:"routes"`
		Selected  int    `json:"selected"`
		Installed int    `json:"installed"`
		Failed    int    `json:"failed"`
	}
	list := []row{}
	total := row{Protocol: "total"}
	for _, c := range counts {
		list = append(list, row{c.Protocol.String(), c.Routes, c.Selected, c.Installed, c.Failed})
		total.Routes += c.Routes
		total.Selected += c.Selected
		total.Installed += c.Installed
		total.Failed += c.Failed
	}
	return cli.Output{JSON: map[string]any{"vrf": vrf, "protocols": list, "total": total}, Text: func(w io.Writer) {
		t := cli.Table{W: w, Format: "%-12s %9v %9v %9v %9v"}
		t.Row("Route Source", "Routes", "Selected", "Installed", "Failed")
		for _, r := range append(list, total) {
			t.Row(r.Protocol, r.Routes, r.Selected, r.Installed, r.Failed)
		}
	}}
}

// ShowNHT prints the next hops that daemons watch: `show ip nht`.
func ShowNHT(vrf string, watches []rib.NextHopWatchView) cli.Output {
	type row struct {
		Daemon    string        `json:"daemon"`
		NextHop   string        `json:"nextHop"`
		Reachable bool          `json:"reachable"`
		By        string        `json:"by,omitempty"`
		Metric    uint32        `json:"metric"`
		NextHops  []nextHopJSON `json:"resolved"`
	}
	list := []row{}
	for _, w := range watches {
		if w.Last.Watch.VRF != vrf {
			continue
		}
		r := row{Daemon: w.Owner, NextHop: w.Last.Watch.Addr.String(), Reachable: len(w.Last.NextHops) > 0, Metric: w.Last.Metric, NextHops: []nextHopJSON{}}
		if r.Reachable {
			r.By = fmt.Sprintf("%v %v", w.Last.Protocol, w.Last.Prefix)
		}
		for _, h := range w.Last.NextHops {
			n := nextHopJSON{Interface: h.Interface, Active: true}
			if h.Addr.IsValid() {
				n.Address = h.Addr.String()
			}
			r.NextHops = append(r.NextHops, n)
		}
		list = append(list, r)
	}
	return cli.Output{JSON: map[string]any{"vrf": vrf, "nextHops": list}, Text: func(w io.Writer) {
		t := cli.Table{W: w, Format: "%-10s %-20s %-12s %-28s %s"}
		t.Row("Daemon", "Next hop", "State", "By", "Via")
		for _, r := range list {
			state, via := "unreachable", []string{}
			if r.Reachable {
				state = "reachable"
			}
			for _, h := range r.NextHops {
				via = append(via, strings.TrimSpace(h.Address+" "+h.Interface))
			}
			t.Row(r.Daemon, r.NextHop, state, r.By, strings.Join(via, ", "))
		}
	}}
}
