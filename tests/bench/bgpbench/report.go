package main

import (
	"fmt"
	"slices"
	"time"
)

// figure is what one run measured.
type figure struct {
	add, withdraw time.Duration
	processes     []process // as the suite names them
}

// process is what one process cost.
type process struct {
	add, withdraw time.Duration // CPU
	peak, settled int           // octets
}

// total adds up the processes.
func (f figure) total() (sum process) {
	for _, p := range f.processes {
		sum.add += p.add
		sum.withdraw += p.withdraw
		sum.peak += p.peak
		sum.settled += p.settled
	}
	return sum
}

// columns are what has a median and a ratio, in the order of the table: of all
// processes together if which is negative. Only the totals have times of the clock.
func columns(f figure, which int) []float64 {
	const megabyte = 1e6
	p := f.total()
	if which >= 0 {
		p = f.processes[which]
	}
	out := []float64{f.add.Seconds(), p.add.Seconds(), float64(p.peak) / megabyte, float64(p.settled) / megabyte, f.withdraw.Seconds(), p.withdraw.Seconds()}
	if which >= 0 {
		out[0], out[4] = 0, 0
	}
	return out
}

var headings = []struct{ name, unit string }{
	{"add", "s"}, {"CPU", "s"}, {"peak", "MB"}, {"settled", "MB"}, {"withdraw", "s"}, {"CPU", "s"},
}

func report(suites []suite, figures [][]figure) {
	fmt.Printf("%-18s", "")
	for _, h := range headings {
		fmt.Printf(" %11s", h.name)
	}
	fmt.Println()
	var totals [][]float64
	for i, s := range suites {
		total := medians(figures[i], -1)
		totals = append(totals, total)
		line(s.name, total)
		for k, name := range s.programs {
			if len(s.programs) > 1 {
				line("  "+name, medians(figures[i], k))
			}
		}
	}
	ours := slices.IndexFunc(suites, func(s suite) bool { return s.name == own })
	for i, s := range suites {
		if ours < 0 || i == ours {
			continue
		}
		fmt.Printf("%-18s", "ratio to "+s.name)
		for k := range headings {
			text := "-"
			if totals[i][k] > 0 {
				text = fmt.Sprintf("%.2fx", totals[ours][k]/totals[i][k])
			}
			fmt.Printf(" %11s", text)
		}
		fmt.Println()
	}
}

// line prints a line of the table; what is not measured of a process alone is left out.
func line(name string, values []float64) {
	fmt.Printf("%-18s", name)
	for k, h := range headings {
		text := ""
		switch {
		case values[k] == 0 && h.name != "CPU":
		case h.unit == "MB":
			text = fmt.Sprintf("%.0f MB", values[k])
		default:
			text = fmt.Sprintf("%.2f s", values[k])
		}
		fmt.Printf(" %11s", text)
	}
	fmt.Println()
}

// medians of each column.
func medians(fs []figure, which int) []float64 {
	out := make([]float64, len(headings))
	for k := range out {
		var vs []float64
		for _, f := range fs {
			vs = append(vs, columns(f, which)[k])
		}
		slices.Sort(vs)
		out[k] = vs[len(vs)/2]
	}
	return out
}
