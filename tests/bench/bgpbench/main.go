// Bgpbench measures how a BGP router takes many routes of one neighbour into the kernel,
// and out of it again: FRRouting's zebra and bgpd, BIRD, and this suite's zebra and bgpd,
// one after the other in the same run, each in network namespaces that it makes itself.
// It needs root, Debian's packages frr and bird2, and this suite built (make build); it
// changes nothing outside.
//
//	bgpbench [-n 1000000] [-runs 1] [-suites frr,bird,godmvpn] [-settle 10s]
//
// GODMVPN_BIN names the directory with zebra and bgpd where that is not bin of the
// repository. If a run fails, the daemons' logs are kept and their place is printed.
//
// # What is measured
//
// The neighbour is this program: an external one on the same link, which has encoded all
// of its UPDATEs beforehand and writes them as fast as the router reads them. The
// prefixes have lengths as on the Internet and are in no order; 4 to 10 of them share
// their attributes, and an UPDATE. All suites get the same octets.
//
//   - add: from the first UPDATE to the last route in the kernel, whose own count is
//     looked at (/proc/net/fib_triestat)
//   - CPU: user and system time of a process from then until all have been idle again,
//     with what it does until its memory is looked at
//   - peak: resident memory of a process at its most so far, when all routes are there
//   - settled: resident memory of a process, that long after it became idle
//   - withdraw, with its CPU: from the first UPDATE that takes the routes back, all of
//     them, to the last that is gone from the kernel
//
// Printed are medians, and the ratios of this suite to each of the others. The machine's
// other work moves all figures of a run; ratios of one run travel better.
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
	n, runs int
	settle  time.Duration
	suites  []suite
}

func main() {
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bgpbench:", err)
		os.Exit(2)
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "bgpbench: root is needed, for network namespaces")
		os.Exit(1)
	}
	os.Exit(harness.Program("bgpbench", func(t harness.TB) { measure(t, o) }))
}

func parse() (o options, err error) {
	flag.IntVar(&o.n, "n", 1_000_000, "routes")
	flag.IntVar(&o.runs, "runs", 1, "runs of each")
	flag.DurationVar(&o.settle, "settle", 10*time.Second, "from being idle to the look at the memory")
	suites := flag.String("suites", "frr,bird,godmvpn", "suites to measure, separated by commas")
	flag.Parse()
	if o.n < 1 || o.n > 1<<21 || o.runs < 1 || flag.NArg() > 0 {
		return o, fmt.Errorf("usage: bgpbench [options]; up to %d routes, one run at least", 1<<21)
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

// measure runs all suites alternately and prints the tables.
func measure(t harness.TB, o options) {
	for _, s := range o.suites {
		if err := s.installed(); err != nil {
			t.Fatalf("%s cannot be measured: %v", s.name, err)
		}
	}
	f := newFeed(o.n)
	fmt.Printf("%d routes, %d UPDATEs of %d kB, medians of %d\n", o.n, f.updates, len(f.announce)>>10, o.runs)
	figures := make([][]figure, len(o.suites))
	for range o.runs {
		for i, s := range o.suites {
			figures[i] = append(figures[i], once(t, s, f, o.settle))
		}
	}
	report(o.suites, figures)
}
