package main

import (
	"fmt"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func reportRegistrations(t harness.TB, o options, n int) {
	figures := runAll(t, o, func(s suite) registrations { return measureRegistrations(t, s, n) })
	fmt.Printf("%d spokes, CPU of zebra and nhrpd for a registration (nhrpd alone), medians of %d\n", n, o.runs)
	fmt.Printf("%-13s %-8s %10s %12s %10s %12s %12s %12s %12s %9s\n", "", "",
		"new", "(nhrpd)", "refresh", "(nhrpd)", "new/CPU s", "refr./CPU s", "memory/spoke", "repeated")
	widths := []int{10, 12, 10, 12, 12, 12, 12}
	medians := make([][]float64, len(o.suites))
	for i, s := range o.suites {
		for _, of := range []func(registrations) float64{
			func(r registrations) float64 { return float64(r.first) },
			func(r registrations) float64 { return float64(r.firstNHRP) },
			func(r registrations) float64 { return float64(r.refresh) },
			func(r registrations) float64 { return float64(r.refreshNHRP) },
			func(r registrations) float64 { return perSecond(float64(r.first)) },
			func(r registrations) float64 { return perSecond(float64(r.refresh)) },
			func(r registrations) float64 { return r.memory },
			func(r registrations) float64 { return float64(r.repeated) },
		} {
			medians[i] = append(medians[i], median(figures[i], of))
		}
		m := medians[i]
		fmt.Printf("%-13s %-8s %8.1fµs %10.1fµs %8.1fµs %10.1fµs %12.0f %12.0f %10.0f B %9.0f\n", "registration", s.name,
			m[0]/1e3, m[1]/1e3, m[2]/1e3, m[3]/1e3, m[4], m[5], m[6], m[7])
	}
	ratios("registration", medians, widths)
}

// perSecond is how many events of so many nanoseconds a second has.
func perSecond(ns float64) float64 {
	if ns == 0 {
		return 0
	}
	return 1e9 / ns
}

func reportRestarts(t harness.TB, o options) {
	figures := runAll(t, o, func(s suite) []restart { return measureRestarts(t, s, o.restart, o.refresh) })
	fmt.Printf("restart of a hub of %d spokes that register every %v, medians of %d\n", o.restart, o.refresh, o.runs)
	fmt.Printf("%-13s %-8s %10s %10s %8s %12s\n", "", "", "answers", "all again", "least", "reachable")
	for w, way := range restarts {
		medians := make([][]float64, len(o.suites))
		for i, s := range o.suites {
			for _, of := range []func([]restart) float64{
				func(r []restart) float64 { return float64(r[w].answers) },
				func(r []restart) float64 { return float64(r[w].all) },
				func(r []restart) float64 { return float64(r[w].least) },
				func(r []restart) float64 { return float64(r[w].reached) },
			} {
				medians[i] = append(medians[i], median(figures[i], of))
			}
			m := medians[i]
			reached := "never lost"
			if m[3] > 0 {
				reached = fmt.Sprintf("%.2fs", m[3]/1e9)
			}
			fmt.Printf("%-13s %-8s %9.2fs %9.2fs %8.0f %12s\n", way.name, s.name, m[0]/1e9, m[1]/1e9, m[2], reached)
		}
		ratios(way.name, medians, []int{10, 10})
	}
}

func reportShortcuts(t harness.TB, o options) {
	o.runs = o.shortcuts
	figures := runAll(t, o, func(s suite) shortcut { return measureShortcut(t, s) })
	fmt.Printf("redirect to both shortcuts in the kernels, medians of %d\n", o.runs)
	fmt.Printf("%-13s %-8s %12s %14s %10s\n", "", "", "redirect", "first packet", "messages")
	medians := make([][]float64, len(o.suites))
	for i, s := range o.suites {
		for _, of := range []func(shortcut) float64{
			func(f shortcut) float64 { return float64(f.redirect) },
			func(f shortcut) float64 { return float64(f.packet) },
			func(f shortcut) float64 { return float64(f.messages) },
		} {
			medians[i] = append(medians[i], median(figures[i], of))
		}
		m := medians[i]
		fmt.Printf("%-13s %-8s %10.1fms %12.1fms %10.0f\n", "shortcut", s.name, m[0]/1e6, m[1]/1e6, m[2])
	}
	ratios("shortcut", medians, []int{12, 14, 10})
}
