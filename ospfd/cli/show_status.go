package cli

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core"
)

// summaryJSON is a number of LSAs for programs.
type summaryJSON struct {
	Count    int    `json:"count"`
	Checksum uint64 `json:"checksum"`
}

// statusJSON is an instance for programs. Times are in seconds.
type statusJSON struct {
	identityJSON
	Uptime       float64         `json:"uptime"`
	AreaBorder   bool            `json:"areaBorderRouter"`
	ABRType      string          `json:"abrType"`
	ASBoundary   bool            `json:"asBoundaryRouter"`
	MaxMetric    bool            `json:"maxMetric"`
	MaxMetricFor float64         `json:"maxMetricLeft,omitempty"`
	Reference    uint32          `json:"referenceBandwidth"`
	Restart      bool            `json:"gracefulRestart"`
	Helper       bool            `json:"gracefulRestartHelper"`
	Restarting   bool            `json:"restarting"`
	RestartLeft  float64         `json:"restartLeft,omitempty"`
	LastRestart  string          `json:"lastRestart,omitempty"`
	SPF          spfJSON         `json:"spf"`
	External     summaryJSON     `json:"externalLsas"`
	OpaqueAS     summaryJSON     `json:"opaqueAsLsas"`
	Demand       demandJSON      `json:"demandCircuits"`
	Areas        []areaJSON      `json:"areas"`
	Redistribute []redistJSON    `json:"redistribute"`
	Counters     countersSummary `json:"counters"`
}

type spfJSON struct {
	Runs    int     `json:"runs"`
	Partial int     `json:"partial"`
	Pending bool    `json:"pending"`
	In      float64 `json:"in,omitempty"`
	Start   float64 `json:"start"`
	Hold    float64 `json:"hold"`
	Maximum float64 `json:"maximum"`
}

type redistJSON struct {
	Protocol string  `json:"protocol"`
	Instance uint32  `json:"instance,omitempty"`
	Metric   *uint32 `json:"metric"` // null: the default one
	Type     int     `json:"metricType"`
	Tag      uint32  `json:"tag"`
	RouteMap string  `json:"routeMap,omitempty"`
	Subnets  bool    `json:"subnets"`
	NSSAOnly bool    `json:"nssaOnly"`
	Routes   int     `json:"routes"`
	Filtered int     `json:"filtered"`
}

func statusOf(in *core.InstanceStatus) statusJSON {
	t := in.Config.Timers.SPF
	out := statusJSON{identityJSON: identityOf(in.Identity), Uptime: in.Uptime.Seconds(), AreaBorder: in.AreaBorder, ABRType: in.Config.ABR.String(), ASBoundary: in.ASBoundary, MaxMetric: in.StubRouter, MaxMetricFor: in.StubLeft.Seconds(),
		Reference: in.Config.Reference, Restart: in.Config.Restart.Enabled, Helper: !in.Config.Restart.NoHelper, Restarting: in.Restarting, RestartLeft: in.RestartLeft.Seconds(), LastRestart: in.LastRestart,
		SPF:      spfJSON{in.SPF.Runs, in.SPF.Partial, in.SPF.Pending, in.SPF.In.Seconds(), t.Start.Seconds(), t.Hold.Seconds(), t.Maximum.Seconds()},
		External: summaryJSON(in.External), OpaqueAS: summaryJSON(in.OpaqueAS), Demand: demandJSON(in.Demand), Areas: []areaJSON{}, Redistribute: []redistJSON{}, Counters: counted(&in.Counters)}
	for i := range in.Areas {
		out.Areas = append(out.Areas, areaOf(in.Identity, &in.Areas[i]))
	}
	for _, r := range in.Redistribute {
		out.Redistribute = append(out.Redistribute, redistJSON{r.Protocol.String(), r.Instance, r.Metric, metricType(r.Type1), r.Tag, r.RouteMap, !r.Classful, r.NSSAOnly, r.Routes, r.Filtered})
	}
	return out
}

func metricType(type1 bool) int {
	if type1 {
		return 1
	}
	return 2
}

// statusIdentity lets each print parts of a status report.
func statusIdentity(in *core.InstanceStatus) core.Identity { return in.Identity }

// statusOutput is what a command shows of a status report: part for people, and all of it
// for programs.
func statusOutput(r *core.StatusReport, a cli.Args, part func(w io.Writer, in *core.InstanceStatus)) cli.Output {
	list := make([]statusJSON, len(r.Instances))
	for i := range r.Instances {
		list[i] = statusOf(&r.Instances[i])
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, statusIdentity, a, func(in *core.InstanceStatus) { part(w, in) })
	}}
}

// showStatus prints `show ip ospf`.
func showStatus(r *core.StatusReport, a cli.Args) cli.Output {
	return statusOutput(r, a, func(w io.Writer, in *core.InstanceStatus) {
		processLines(w, in)
		for i := range in.Areas {
			areaParagraph(w, in.Identity, &in.Areas[i])
		}
		fmt.Fprintln(w)
	})
}

// processLines prints what concerns a process as a whole.
func processLines(w io.Writer, in *core.InstanceStatus) {
	line := func(format string, values ...any) { fmt.Fprintf(w, " "+format+"\n", values...) }
	c := &in.Config
	line("Routing Process \"ospf %d\" with ID %v", in.Process, in.RouterID)
	if in.VRF != "" {
		line("  Connected to VRF %s", in.VRF)
	}
	if c.Shutdown {
		line("It is shut down")
	}
	line("Time elapsed: %s", precise(in.Uptime))
	line("Supports only single TOS(TOS0) routes")
	if !c.NoOpaque {
		line("Supports opaque LSA")
	}
	line("Supports area transit capability")
	line("Supports NSSA (compatible with RFC 3101)")
	if in.AreaBorder || in.ASBoundary {
		line("%s", routerRole(in))
	}
	if in.AreaBorder || c.ABR != core.ABRCisco {
		line("ABR type is %s", abrTypes[c.ABR])
	}
	redistributionLines(w, " ", in)
	maxMetricLines(w, in)
	spf, lsa := c.Timers.SPF, c.Timers.LSA
	line("Initial SPF schedule delay %d msecs", spf.Start.Milliseconds())
	line("Minimum hold time between two consecutive SPFs %d msecs", spf.Hold.Milliseconds())
	line("Maximum wait time between two consecutive SPFs %d msecs", spf.Maximum.Milliseconds())
	if in.SPF.Pending {
		line("SPF is scheduled in %s", precise(in.SPF.In))
	}
	line("Initial LSA throttle delay %d msecs", lsa.Start.Milliseconds())
	line("Minimum hold time for LSA throttle %d msecs", lsa.Hold.Milliseconds())
	line("Maximum wait time for LSA throttle %d msecs", lsa.Maximum.Milliseconds())
	line("Minimum LSA arrival %d msecs", c.Timers.Arrival.Milliseconds())
	line("Interface flood pacing timer %d msecs", c.Timers.FloodPacing.Milliseconds())
	line("Retransmission pacing timer %d msecs", c.Timers.RetransmissionPacing.Milliseconds())
	line("EXCHANGE/LOADING adjacency limit: process maximum %d", c.AdjacencyParallel)
	line("Number of external LSA %d. Checksum Sum 0x%06X", in.External.Count, in.External.Checksum)
	line("Number of opaque AS LSA %d. Checksum Sum 0x%06X", in.OpaqueAS.Count, in.OpaqueAS.Checksum)
	line("Number of DCbitless external and opaque AS LSA %d", in.Demand.DCClear)
	line("Number of DoNotAge external and opaque AS LSA %d", in.Demand.DoNotAge)
	areaNumbers(w, " ", in)
	transit := 0
	for i := range in.Areas {
		if in.Areas[i].Transit {
			transit++
		}
	}
	line("Number of areas transit capable is %d", transit)
	nsfLines(w, in)
	line("Reference bandwidth unit is %d mbps", c.Reference)
}

var abrTypes = map[core.ABRType]string{core.ABRCisco: "Alternative Cisco (RFC 3509)", core.ABRIBM: "Alternative IBM (RFC 3509)", core.ABRStandard: "Standard (RFC 2328)",
	core.ABRShortcut: "Alternative Shortcut (draft-ietf-ospf-shortcut-abr-02)"}

// routerRole says where the borders are that this router is at.
func routerRole(in *core.InstanceStatus) string {
	switch {
	case in.AreaBorder && in.ASBoundary:
		return "It is an area border and autonomous system boundary router"
	case in.AreaBorder:
		return "It is an area border router"
	}
	return "It is an autonomous system boundary router"
}

func areaNumbers(w io.Writer, indent string, in *core.InstanceStatus) {
	var kinds [3]int
	for i := range in.Areas {
		kinds[min(in.Areas[i].Config.Kind, core.AreaNSSA)]++
	}
	fmt.Fprintf(w, "%sNumber of areas in this router is %d. %d normal %d stub %d nssa\n", indent, len(in.Areas), kinds[0], kinds[1], kinds[2])
}

// redistributionLines prints what routes are redistributed.
func redistributionLines(w io.Writer, indent string, in *core.InstanceStatus) {
	if len(in.Redistribute) == 0 && len(in.Config.Redistribute) == 0 {
		return
	}
	fmt.Fprintln(w, indent+"Redistributing External Routes from,")
	list := in.Redistribute
	if len(list) == 0 {
		for _, r := range in.Config.Redistribute {
			list = append(list, core.RedistributeStatus{Redistribute: r})
		}
	}
	for _, r := range list {
		text := r.Protocol.String()
		if r.Instance != 0 || r.Protocol == rib.BGP {
			text += fmt.Sprintf(" %d", r.Instance)
		}
		if r.Metric != nil {
			text += fmt.Sprintf(" with metric mapped to %d", *r.Metric)
		}
		if !r.Classful {
			text += ", includes subnets in redistribution"
		}
		if r.NSSAOnly {
			text += ", nssa only"
		}
		if r.RouteMap != "" {
			text += ", route-map " + r.RouteMap
		}
		fmt.Fprintf(w, "    %s\n", text)
	}
}

func maxMetricLines(w io.Writer, in *core.InstanceStatus) {
	m := in.Config.MaxMetric
	if m == nil {
		fmt.Fprintln(w, " Router is not originating router-LSAs with maximum metric")
		return
	}
	state, condition := "inactive", "always"
	if in.StubRouter {
		state = "active"
	}
	if m.OnStartup > 0 {
		condition = fmt.Sprintf("on startup for %d seconds", wholeSeconds(m.OnStartup))
	}
	fmt.Fprintln(w, " Originating router-LSAs with maximum metric")
	fmt.Fprintf(w, "    Condition: %s, State: %s\n", condition, state)
	if in.StubRouter && in.StubLeft > 0 {
		fmt.Fprintf(w, "    Time remaining: %s\n", cli.Duration(in.StubLeft))
	}
	if m.IncludeStub {
		fmt.Fprintln(w, "    Advertise stub links with maximum metric in router-LSAs")
	}
	if m.Summary > 0 {
		fmt.Fprintf(w, "    Advertise summary-LSAs with metric %d\n", m.Summary)
	}
	if m.External > 0 {
		fmt.Fprintf(w, "    Advertise external-LSAs with metric %d\n", m.External)
	}
}

func nsfLines(w io.Writer, in *core.InstanceStatus) {
	g := in.Config.Restart
	if g.Enabled {
		fmt.Fprintf(w, " IETF Non-Stop Forwarding enabled, restart-interval limit: %d sec\n", wholeSeconds(cmp.Or(g.Interval, core.DefaultRestartInterval)))
	} else {
		fmt.Fprintln(w, " IETF Non-Stop Forwarding disabled")
	}
	switch {
	case g.NoHelper:
		fmt.Fprintln(w, " IETF NSF helper support disabled")
	case g.Strict:
		fmt.Fprintln(w, " IETF NSF helper support enabled, with strict LSA checking")
	default:
		fmt.Fprintln(w, " IETF NSF helper support enabled")
	}
}

// showNSF prints `show ip ospf nsf`.
func showNSF(r *core.StatusReport, a cli.Args) cli.Output {
	return statusOutput(r, a, func(w io.Writer, in *core.InstanceStatus) {
		fmt.Fprintf(w, "Routing Process \"ospf %d\"\n", in.Process)
		nsfLines(w, in)
		if in.Restarting {
			fmt.Fprintf(w, " OSPF restart state is RESTARTING, %s left\n", cli.Duration(in.RestartLeft))
		} else {
			fmt.Fprintln(w, " OSPF restart state is NO_RESTART")
		}
		if in.LastRestart != "" {
			fmt.Fprintf(w, " Last restart: %s\n", in.LastRestart)
		}
	})
}

// showMaxMetric prints `show ip ospf max-metric`.
func showMaxMetric(r *core.StatusReport, a cli.Args) cli.Output {
	return statusOutput(r, a, func(w io.Writer, in *core.InstanceStatus) {
		title(w, in.Identity)
		fmt.Fprintf(w, " Time elapsed: %s\n", precise(in.Uptime))
		maxMetricLines(w, in)
	})
}

// ago is how long ago something was that happened runs times.
func ago(runs int, d time.Duration) string {
	if runs == 0 {
		return cli.Never
	}
	return precise(d) + " ago"
}
