// Ripbench measures two RIP routers that exchange many routes: FRRouting's zebra and
// ripd, and then this suite's, in the same run. The two routers are in network
// namespaces that it makes itself, joined by a veth pair. It needs root, Debian's
// package frr, and this suite built (make build); it changes nothing outside.
//
//	ripbench [-n 10000] [-runs 3] [-rate 5mbit|none] [-suites frr,godmvpn] [-timers standard,short] [-steady 20s]
//
// GODMVPN_BIN names the directory with zebra and ripd where that is not bin of the
// repository. If a run fails, the daemons' logs are kept and their place is printed.
//
// # What is measured
//
// The sender has n static discard routes, which it redistributes into RIP, and is
// left alone until it has them in its kernel and its daemons are idle. The receiver
// runs RIP as well, but its device has no address yet. The clock starts when the
// device gets its address: RIP begins there, the receiver asks for the whole table
// (RFC 2453 section 3.9.1) and gets it. The clock stops with the last of the n routes
// in the receiver's kernel.
//
//   - converge: from the address until then
//   - transfer: from the first response that the receiver's device sees until then
//   - CPU: user and system time of zebra and ripd of each side, from the address until
//     all are idle again after convergence
//   - packets and lost: responses that reached the receiver's device until
//     convergence, and datagrams that its full socket buffers threw away; what is lost
//     comes with the next periodic update
//   - steady: CPU of both sides per second afterwards, when updates repeat what is
//     known; where -steady is less than two updates it is not measured
//
// The link has a rate, that of a slow uplink, since FRR's ripd never has 10,000 routes
// without one: it sends the 400 packets of an update in one go, its receiver's socket
// buffer (41,600 octets, whatever the kernel allows) holds a part, and each periodic
// update loses the same ones again. "-rate none" shows that: a suite that does not
// converge within some updates is reported with the routes that it has, and no run is
// part of a median that did not converge.
//
// Timers standard are the protocol's (30, 180, 120 seconds), short are 5, 15 and 10.
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

// timers are what "timers basic" sets, in both suites' words.
type timers struct {
	name          string
	frr, ours     string
	update        time.Duration
	convergeLimit time.Duration // several updates
}

// allTimers by name. Where FRR counts the garbage time from the timeout, Cisco
// counts the flush time from the last update, and has a holddown between.
var allTimers = []timers{
	{"standard", "30 180 120", "30 180 0 300", 30 * time.Second, 100 * time.Second},
	{"short", "5 15 10", "5 15 0 25", 5 * time.Second, 40 * time.Second},
}

// options of a run.
type options struct {
	n      int
	runs   int
	rate   string
	steady time.Duration
	suites []suite
	timers []timers
}

func main() {
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ripbench:", err)
		os.Exit(2)
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "ripbench: root is needed, for network namespaces")
		os.Exit(1)
	}
	os.Exit(harness.Program("ripbench", func(t harness.TB) { measure(t, o) }))
}

func parse() (o options, err error) {
	flag.IntVar(&o.n, "n", 10000, "routes")
	flag.IntVar(&o.runs, "runs", 3, "runs of each")
	flag.DurationVar(&o.steady, "steady", 20*time.Second, "how long to watch after convergence")
	flag.StringVar(&o.rate, "rate", "5mbit", "rate of the link, in tc's words; none: that of a veth pair")
	suites := flag.String("suites", "frr,godmvpn", "suites to measure, separated by commas")
	which := flag.String("timers", "standard,short", "timers to measure with, separated by commas")
	flag.Parse()
	if o.n < 1 || o.n > 1<<16 || o.runs < 1 || flag.NArg() > 0 {
		return o, fmt.Errorf("usage: ripbench [options]; up to %d routes, one run at least", 1<<16)
	}
	for name := range strings.SplitSeq(*suites, ",") {
		i := slices.IndexFunc(allSuites, func(s suite) bool { return s.name == name })
		if i < 0 {
			return o, fmt.Errorf("no suite %q", name)
		}
		o.suites = append(o.suites, allSuites[i])
	}
	for name := range strings.SplitSeq(*which, ",") {
		i := slices.IndexFunc(allTimers, func(t timers) bool { return t.name == name })
		if i < 0 {
			return o, fmt.Errorf("no timers %q", name)
		}
		o.timers = append(o.timers, allTimers[i])
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
	fmt.Printf("%d routes, medians of %d\n%-10s %-10s %10s %10s %12s %12s %8s %6s %12s\n", o.n, o.runs,
		"timers", "", "converge", "transfer", "CPU sender", "CPU receiver", "packets", "lost", "steady CPU/s")
	for _, tm := range o.timers {
		figures := make([][]figure, len(o.suites))
		for range o.runs {
			for i, s := range o.suites {
				figures[i] = append(figures[i], once(t, s, tm, o))
			}
		}
		report(tm, o.suites, figures)
	}
}

// figure is what one run measured.
type figure struct {
	converge, transfer time.Duration
	sender, receiver   time.Duration // CPU
	packets, lost      int
	missing            int     // routes that were not there within the limit; the rest is then not measured
	steady             float64 // CPU seconds per second
}

// seconds are the figures that have a median and a ratio, in the order of the table.
var seconds = []func(figure) float64{
	func(f figure) float64 { return f.converge.Seconds() },
	func(f figure) float64 { return f.transfer.Seconds() },
	func(f figure) float64 { return f.sender.Seconds() },
	func(f figure) float64 { return f.receiver.Seconds() },
	func(f figure) float64 { return float64(f.packets) },
	func(f figure) float64 { return float64(f.lost) },
	func(f figure) float64 { return f.steady },
}

func report(tm timers, suites []suite, figures [][]figure) {
	medians := make([][]float64, len(suites))
	for i, s := range suites {
		good := slices.DeleteFunc(slices.Clone(figures[i]), func(f figure) bool { return f.missing > 0 })
		for _, f := range figures[i] {
			if f.missing > 0 {
				fmt.Printf("%-10s %-10s did not converge within %v: %d routes missing, %d packets, %d lost\n",
					tm.name, s.name, tm.convergeLimit, f.missing, f.packets, f.lost)
			}
		}
		if len(good) == 0 {
			continue
		}
		for _, of := range seconds {
			medians[i] = append(medians[i], median(good, of))
		}
		m := medians[i]
		fmt.Printf("%-10s %-10s %9.3fs %9.3fs %11.2fs %11.2fs %8.0f %6.0f %11.4fs\n", tm.name, s.name, m[0], m[1], m[2], m[3], m[4], m[5], m[6])
	}
	if len(suites) == 2 && len(medians[0]) > 0 && len(medians[1]) > 0 {
		ratios(tm, suites, medians)
	}
}

func ratios(tm timers, suites []suite, medians [][]float64) {
	fmt.Printf("%-10s %-10s", tm.name, "ratio")
	for k, width := range []int{10, 10, 12, 12, 8, 6, 12} {
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
