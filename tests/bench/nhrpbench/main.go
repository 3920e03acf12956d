// Nhrpbench measures NHRP hubs: FRRouting's zebra and nhrpd, and this suite's, in the
// same run, on the same kernel. Where this machine's kernel has no multipoint GRE it
// runs itself in a User-Mode Linux. It needs root, Debian's package frr, and this suite
// built (make build).
//
//	nhrpbench [-spokes 1000,5000] [-restart 1000] [-refresh 20s] [-shortcuts 5] [-runs 3] [-suites frr,godmvpn]
//
// # What is measured
//
// The hub is a node of its own with zebra, nhrpd and one tunnel. The spokes are played
// by this program through one packet socket on the hub's uplink: each has an NBMA and a
// protocol address and sends the Registration Requests that spokes of this suite send.
//
//   - new: processor time of the hub's zebra and nhrpd for the first registration of a
//     spoke, until the neighbour is in the kernel and both are idle. All register as fast
//     as they are answered, 32 at a time. In brackets: of nhrpd alone.
//   - refresh: the same for each further registration
//   - memory: what the proportional set size of both grew by for each spoke
//   - restart: nhrpd is killed; both are killed; both end in order. They are started
//     again at once (nhrpd alone by zebra in this suite). The spokes refresh evenly over
//     the period -refresh, and repeat what is not answered after 1, 2, 4 … 64 s. Printed
//     is, from the end on, when the first registration was answered, when each spoke had
//     registered again, how few of the spokes the hub's kernel had as neighbours in
//     between, and when it had all for good.
//   - redirect: a hub and two spokes, all of them real routers of one suite, with LANs
//     whose hosts send to each other. From the first Traffic Indication on the hub's uplink
//     until the kernels of both spokes have the route to the other's LAN; the same from the
//     first packet of the flow; and the NHRP messages that the hub's uplink saw meanwhile,
//     registrations apart.
//
// Printed are medians, and the ratios of this suite to FRR. In a User-Mode Linux, which
// has one processor and a slow kernel, only the ratios mean something. Figures are in
// docs/benchmarks.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/uml"
)

// options of a run.
type options struct {
	spokes    []int // for registrations
	restart   int   // spokes in restarts; 0: none
	shortcuts int   // runs of redirects; 0: none
	refresh   time.Duration
	runs      int
	suites    []suite
}

// machine is the memory of the User-Mode Linux, limit its life.
const (
	machine = "1500M"
	limit   = 2 * time.Hour
)

func main() {
	uml.InitIfRequested()
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "nhrpbench:", err)
		os.Exit(2)
	}
	if status, elsewhere := harness.Enter(harness.Config{Memory: machine, Limit: limit}); elsewhere {
		os.Exit(status)
	}
	os.Exit(harness.Program("nhrpbench", func(t harness.TB) { measure(t, o) }))
}

func parse() (o options, err error) {
	spokes := flag.String("spokes", "1000,5000", "numbers of spokes to measure registrations with, separated by commas")
	flag.IntVar(&o.restart, "restart", 1000, "spokes in restarts of the hub; 0: no restarts")
	flag.DurationVar(&o.refresh, "refresh", 20*time.Second, "how often the spokes register, in restarts")
	flag.IntVar(&o.shortcuts, "shortcuts", 5, "runs of redirects; 0: none")
	flag.IntVar(&o.runs, "runs", 3, "runs of each")
	suites := flag.String("suites", "frr,godmvpn", "suites to measure, separated by commas")
	flag.Parse()
	const most = 1 << 16
	for text := range strings.SplitSeq(*spokes, ",") {
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n >= most {
			return o, fmt.Errorf("%q is no number of spokes below %d", text, most)
		}
		o.spokes = append(o.spokes, n)
	}
	if o.restart < 0 || o.restart >= most || o.refresh < time.Second || o.shortcuts < 0 || o.runs < 1 || flag.NArg() > 0 {
		return o, fmt.Errorf("usage: nhrpbench [options]")
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
	defer roomForNeighbors(t)()
	for _, n := range o.spokes {
		reportRegistrations(t, o, n)
	}
	if o.restart > 0 {
		reportRestarts(t, o)
	}
	if o.shortcuts > 0 {
		reportShortcuts(t, o)
	}
}

// roomForNeighbors lets the kernel hold more neighbours than 1024, which is its limit for
// those that are not permanent, such as FRR's. It returns what undoes that.
func roomForNeighbors(t harness.TB) (undo func()) {
	const dir, want = "/proc/sys/net/ipv4/neigh/default/", "100000"
	was := map[string]string{}
	names := []string{"gc_thresh3", "gc_thresh2", "gc_thresh1"}
	for _, name := range names {
		b, err := os.ReadFile(dir + name)
		fatal(t, err)
		was[name] = strings.TrimSpace(string(b))
		fatal(t, os.WriteFile(dir+name, []byte(want), 0o644))
	}
	return func() {
		for _, name := range names {
			_ = os.WriteFile(dir+name, []byte(was[name]), 0o644)
		}
	}
}

// runAll runs a measurement of all suites alternately.
func runAll[F any](t harness.TB, o options, once func(suite) F) [][]F {
	figures := make([][]F, len(o.suites))
	for range o.runs {
		for i, s := range o.suites {
			figures[i] = append(figures[i], once(s))
		}
	}
	return figures
}

// median of what of says about figures; figures of durations are in nanoseconds.
func median[F any](fs []F, of func(F) float64) float64 {
	var vs []float64
	for _, f := range fs {
		vs = append(vs, of(f))
	}
	slices.Sort(vs)
	return vs[len(vs)/2]
}

// ratios are those of the last of two suites to the first.
func ratios(name string, medians [][]float64, widths []int) {
	if len(medians) != 2 {
		return
	}
	fmt.Printf("%-13s %-8s", name, "ratio")
	for k, width := range widths {
		text := "-"
		if medians[0][k] != 0 {
			text = fmt.Sprintf("%.2fx", medians[1][k]/medians[0][k])
		}
		fmt.Printf(" %*s", width, text)
	}
	fmt.Println()
}
