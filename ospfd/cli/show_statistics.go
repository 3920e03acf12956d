package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
)

// showStatistics prints `show ip ospf statistics`.
func showStatistics(r *core.StatusReport, a cli.Args) cli.Output {
	type runJSON struct {
		Ago     float64  `json:"ago"`
		Full    bool     `json:"full"`
		Areas   []string `json:"areas"`
		Reason  string   `json:"reason"`
		Intra   int      `json:"intraArea"`
		Inter   int      `json:"interArea"`
		Ext     int      `json:"external"`
		Changed int      `json:"changed"`
	}
	type instanceJSON struct {
		identityJSON
		Runs    int       `json:"runs"`
		Partial int       `json:"partial"`
		Last    []runJSON `json:"last"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i := range r.Instances {
		in := &r.Instances[i]
		list[i] = instanceJSON{identityOf(in.Identity), in.SPF.Runs, in.SPF.Partial, []runJSON{}}
		for _, s := range in.SPF.Last {
			run := runJSON{s.Ago.Seconds(), s.Full, []string{}, s.Reason, s.Intra, s.Inter, s.Ext, s.Changed}
			for _, area := range s.Areas {
				run.Areas = append(run.Areas, areaText(in.Identity, area))
			}
			list[i].Last = append(list[i].Last, run)
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, statusIdentity, a, func(in *core.InstanceStatus) { statistics(w, in) })
	}}
}

func statistics(w io.Writer, in *core.InstanceStatus) {
	title(w, in.Identity)
	for i := range in.Areas {
		fmt.Fprintf(w, "  Area %s: SPF algorithm executed %d times\n", areaText(in.Identity, in.Areas[i].Config.ID), in.Areas[i].SPFRuns)
	}
	fmt.Fprintf(w, "\n  Summary OSPF SPF statistic: %d computations, %d of them partial\n\n", in.SPF.Runs, in.SPF.Partial)
	if len(in.SPF.Last) == 0 {
		return
	}
	fmt.Fprintln(w, "Delta T       Kind     Intra  Inter    Ext  Changed  Reason")
	for _, s := range in.SPF.Last {
		kind := "partial"
		if s.Full {
			kind = "full"
		}
		fmt.Fprintf(w, "%-13s %-7s %6d %6d %6d %8d  %s\n", cli.Duration(s.Ago), kind, s.Intra, s.Inter, s.Ext, s.Changed, s.Reason)
	}
}
