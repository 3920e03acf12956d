// Eigrpbench measures two EIGRP routers that exchange many routes: FRRouting's zebra
// and eigrpd, and then this suite's, in the same run. The two routers are in network
// namespaces that it makes itself, joined by a veth pair. It needs root, Debian's
// package frr, and this suite built (make build); it changes nothing outside.
//
//	eigrpbench [-n 500] [-many 100000] [-runs 3] [-suites frr,godmvpn]
//
// GODMVPN_BIN names the directory with zebra and eigrpd where that is not bin of the
// repository. If a run fails, the daemons' logs are kept and their place is printed.
//
// # What is measured
//
// The sender has n networks, each on a device (macvlan) that EIGRP runs on: FRR's eigrpd
// announces nothing else, it accepts `redistribute` and does nothing. The receiver runs
// EIGRP as well, but its device has no address yet. The clock starts when it gets one,
// and stops with the last of the n routes in the receiver's kernel.
//
//   - converge: from the address until then: a Hello or two, the adjacency, the table
//   - transfer: from the first Update with routes that the receiver's device sees
//   - CPU: user and system time of zebra and eigrpd of each side, from the address until
//     all are idle again after convergence
//   - packets: Updates that reached the receiver's device until convergence
//   - withdraw: from the moment when the last of half of the sender's devices is deleted
//     until the receiver's kernel has none of their routes
//
// -many measures this suite alone with so many routes, redistributed from discard
// routes; 0 leaves that out.
//
// Printed are medians, and the ratios of this suite to FRR. The machine's other work
// moves all figures of a run; ratios of one run travel better.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// options of a run.
type options struct {
	n, many int
	runs    int
	suites  []suite
}

func main() {
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "eigrpbench:", err)
		os.Exit(2)
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "eigrpbench: root is needed, for network namespaces")
		os.Exit(1)
	}
	os.Exit(harness.Program("eigrpbench", func(t harness.TB) { measure(t, o) }))
}

func parse() (o options, err error) {
	flag.IntVar(&o.n, "n", 500, "networks on devices")
	flag.IntVar(&o.many, "many", 100_000, "redistributed routes, of this suite alone; 0: not measured")
	flag.IntVar(&o.runs, "runs", 3, "runs of each")
	suites := flag.String("suites", "frr,godmvpn", "suites to measure, separated by commas")
	flag.Parse()
	if o.n < 2 || o.n > 1<<12 || o.many < 0 || o.many > 1<<20 || o.runs < 1 || flag.NArg() > 0 {
		return o, fmt.Errorf("usage: eigrpbench [options]; 2 to %d networks, up to %d routes, one run at least", 1<<12, 1<<20)
	}
	for name := range strings.SplitSeq(*suites, ",") {
		i := slices.IndexFunc(allSuites, func(s suite) bool { return s.name == name })
		if i < 0 {
			return o, fmt.Errorf("no suite %q", name)
		}
		o.suites = append(o.suites, allSuites[i])
	}
	return o, nil
}

// measure runs all suites alternately and prints the table.
func measure(t harness.TB, o options) {
	for _, s := range o.suites {
		if err := s.installed(); err != nil {
			t.Fatalf("%s cannot be measured: %v", s.name, err)
		}
	}
	fmt.Printf("%d networks, medians of %d\n%-10s %10s %10s %12s %12s %8s %10s\n", o.n, o.runs,
		"", "converge", "transfer", "CPU sender", "CPU receiver", "packets", "withdraw")
	figures := make([][]figure, len(o.suites))
	for range o.runs {
		for i, s := range o.suites {
			figures[i] = append(figures[i], once(t, s, o.n, 0))
		}
	}
	report(o.suites, figures)
	if o.many > 0 {
		fmt.Printf("%d redistributed routes, medians of %d\n", o.many, o.runs)
		ours := allSuites[len(allSuites)-1:]
		many := [][]figure{nil}
		for range o.runs {
			many[0] = append(many[0], once(t, ours[0], 0, o.many))
		}
		report(ours, many)
	}
}

// figure is what one run measured.
type figure struct {
	converge, transfer time.Duration
	sender, receiver   time.Duration // CPU
	packets            int
	missing            int // routes that were not there within the limit; the rest is then not measured
	withdraw           time.Duration
	stale              int // routes that were still there after the limit
}

// columns are the figures that have a median and a ratio, in the order of the table.
var columns = []func(figure) float64{
	func(f figure) float64 { return f.converge.Seconds() },
	func(f figure) float64 { return f.transfer.Seconds() },
	func(f figure) float64 { return f.sender.Seconds() },
	func(f figure) float64 { return f.receiver.Seconds() },
	func(f figure) float64 { return float64(f.packets) },
	func(f figure) float64 { return f.withdraw.Seconds() },
}

func report(suites []suite, figures [][]figure) {
	medians := make([][]float64, len(suites))
	for i, s := range suites {
		var good []figure
		for _, f := range figures[i] {
			switch {
			case f.missing > 0:
				fmt.Printf("%-10s did not converge within %v: %d routes missing\n", s.name, convergeLimit, f.missing)
				continue
			case f.stale > 0:
				fmt.Printf("%-10s kept %d routes of deleted devices for %v\n", s.name, f.stale, withdrawLimit)
			}
			good = append(good, f)
		}
		if len(good) == 0 {
			continue
		}
		for _, of := range columns {
			medians[i] = append(medians[i], median(good, of))
		}
		m := medians[i]
		fmt.Printf("%-10s %9.3fs %9.3fs %11.2fs %11.2fs %8.0f %9.3fs\n", s.name, m[0], m[1], m[2], m[3], m[4], m[5])
	}
	if len(suites) == 2 && len(medians[0]) > 0 && len(medians[1]) > 0 {
		ratios(suites, medians)
	}
}

func ratios(suites []suite, medians [][]float64) {
	fmt.Printf("%-10s", "ratio")
	for k, width := range []int{10, 10, 12, 12, 8, 10} {
		text := "-"
		if medians[0][k] != 0 {
			text = fmt.Sprintf("%.2fx", medians[1][k]/medians[0][k])
		}
		fmt.Printf(" %*s", width, text)
	}
	fmt.Printf("  (%s to %s)\n", suites[1].name, suites[0].name)
}

func median(fs []figure, of func(figure) float64) float64 {
	var vs []float64
	for _, f := range fs {
		vs = append(vs, of(f))
	}
	slices.Sort(vs)
	return vs[len(vs)/2]
}
