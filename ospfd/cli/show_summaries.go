package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// showSummaryAddresses prints `show ip ospf summary-address`.
func showSummaryAddresses(r *core.StatusReport, a cli.Args) cli.Output {
	type summary struct {
		Prefix       string  `json:"prefix"`
		NotAdvertise bool    `json:"notAdvertise"`
		Tag          uint32  `json:"tag"`
		NSSAOnly     bool    `json:"nssaOnly"`
		Active       bool    `json:"active"`
		Metric       *uint32 `json:"metric"` // null while nothing is in it
		Type         int     `json:"metricType"`
	}
	type instanceJSON struct {
		identityJSON
		Summaries []summary `json:"summaries"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i := range r.Instances {
		in := &r.Instances[i]
		list[i] = instanceJSON{identityOf(in.Identity), []summary{}}
		for _, s := range summaries(in) {
			row := summary{Prefix: s.Prefix.String(), NotAdvertise: s.NotAdvertise, Tag: s.Tag, NSSAOnly: s.NSSAOnly, Active: s.Active, Type: metricType(s.Type1)}
			if s.Active {
				row.Metric = &s.Metric
			}
			list[i].Summaries = append(list[i].Summaries, row)
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, statusIdentity, a, func(in *core.InstanceStatus) {
			fmt.Fprintf(w, "\nOSPF Process %d, Summary-address\n\n", in.Process)
			for _, s := range summaries(in) {
				text := fmt.Sprintf("%v/%v Metric -1, Type 0, Tag %d", s.Prefix.Addr(), maskOf(s.Prefix.Bits()), s.Tag)
				if s.Active {
					text = fmt.Sprintf("%v/%v Metric %d, Type %d, Tag %d", s.Prefix.Addr(), maskOf(s.Prefix.Bits()), s.Metric, metricType(s.Type1), s.Tag)
				}
				if s.NotAdvertise {
					text += ", not advertised"
				}
				if s.NSSAOnly {
					text += ", nssa only"
				}
				fmt.Fprintln(w, text)
			}
		})
	}}
}

// summaries are the summary addresses that are configured, with what is known of them.
func summaries(in *core.InstanceStatus) []core.SummaryStatus {
	out := make([]core.SummaryStatus, len(in.Config.SummaryAddresses))
	for i, s := range in.Config.SummaryAddresses {
		out[i].SummaryAddress = s
		if k := slices.IndexFunc(in.Summaries, func(o core.SummaryStatus) bool { return o.Prefix == s.Prefix }); k >= 0 {
			out[i] = in.Summaries[k]
		}
	}
	return out
}

// maskOf is a netmask by its length.
func maskOf(bits int) packet.ID { return packet.ID(^uint64(0) << (32 - bits)) }
