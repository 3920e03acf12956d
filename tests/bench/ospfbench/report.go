package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rows of the same table: what was measured of a suite.
type row struct {
	name   string
	values []float64
}

// ratios prints those of this suite to the others, column by column.
func ratios(label string, rows []row, widths []int) {
	ours := slices.IndexFunc(rows, func(r row) bool { return r.name == own })
	for k, r := range rows {
		if ours < 0 || k == ours {
			continue
		}
		fmt.Printf("%-10s %-10s", label, "to "+r.name)
		for i, v := range r.values {
			text := "-"
			if v != 0 {
				text = fmt.Sprintf("%.2fx", rows[ours].values[i]/v)
			}
			fmt.Printf(" %*s", widths[i], text)
		}
		fmt.Println()
	}
}

// quantile of durations, in seconds: the least that is not less than a part of them.
func quantile(all []time.Duration, part float64) float64 {
	if len(all) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(all))
	return s[min(len(s)-1, int(part*float64(len(s))))].Seconds()
}

// reportLosses prints the medians and 95th percentiles of losses of the rings.
func reportLosses(what string, rings []*ring, rounds [][]loss) {
	if len(rounds) == 0 {
		return
	}
	fmt.Printf("%s: medians and 95th percentiles of %d\n%-10s %-10s %10s %10s %10s %10s\n", what, len(rounds), "throttles", "", "table", "p95", "lost", "p95")
	widths := []int{10, 10, 10, 10}
	for _, equal := range []bool{false, true} {
		label := map[bool]string{false: "own", true: "equal"}[equal]
		var rows []row
		for k, r := range rings {
			if r.equal != equal && r.suite.equal {
				continue
			}
			var table, packet []time.Duration
			for _, round := range rounds {
				table, packet = append(table, round[k].table), append(packet, round[k].packet)
			}
			v := []float64{quantile(table, 0.5), quantile(table, 0.95), quantile(packet, 0.5), quantile(packet, 0.95)}
			rows = append(rows, row{r.suite.name, v})
			fmt.Printf("%-10s %-10s %9.4fs %9.4fs %9.4fs %9.4fs\n", label, r.suite.name, v[0], v[1], v[2], v[3])
		}
		ratios(label, rows, widths)
	}
}

// column is a figure of the load: its name, its unit, and how it is printed.
type column struct {
	name, format string
	of           func(figure) float64
}

const megabyte = 1 << 20

var columns = []column{
	{"full", "%9.3fs", func(f figure) float64 { return f.full.Seconds() }},
	{"table", "%9.3fs", func(f figure) float64 { return f.table.Seconds() }},
	{"CPU", "%9.2fs", func(f figure) float64 { return f.cpu.Seconds() }},
	{"of OSPF", "%9.2fs", func(f figure) float64 { return f.ospf.Seconds() }},
	{"memory", "%8.1fMB", func(f figure) float64 { return float64(f.memory) / megabyte }},
	{"of OSPF", "%8.1fMB", func(f figure) float64 { return float64(f.ospfSize) / megabyte }},
	{"refresh", "%9.2fs", func(f figure) float64 { return f.refresh.Seconds() }},
	{"flush", "%9.3fs", func(f figure) float64 { return f.flush.Seconds() }},
	{"flush CPU", "%9.2fs", func(f figure) float64 { return f.flushCPU.Seconds() }},
}

// reportLoad prints the medians of runs of the load.
func reportLoad(o options, runs [][]figure) {
	fmt.Printf("%d routers, %d external LSAs: medians of %d\n%-21s", o.routers, o.external, len(runs), "")
	var widths []int
	for _, c := range columns {
		fmt.Printf(" %10s", c.name)
		widths = append(widths, 10)
	}
	fmt.Println()
	var rows []row
	for k, s := range o.suites {
		r := row{name: s.name}
		var text strings.Builder
		for _, c := range columns {
			var vs []float64
			for _, run := range runs {
				vs = append(vs, c.of(run[k]))
			}
			slices.Sort(vs)
			r.values = append(r.values, vs[len(vs)/2])
			fmt.Fprintf(&text, " "+c.format, vs[len(vs)/2])
		}
		fmt.Printf("%-21s%s\n", s.name, text.String())
		rows = append(rows, r)
	}
	ratios("", rows, widths)
}
