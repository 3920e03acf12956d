// Ospfbench measures OSPF of FRRouting, of BIRD and of this suite, side by side in one run.
// The routers are in network namespaces that it makes itself, joined by veth pairs. It needs
// root, Debian's packages frr and bird2, and this suite built (make build); it changes
// nothing outside.
//
//	ospfbench [-losses 5] [-silences 2] [-runs 3] [-routers 100] [-external 10000] [-suites frr,bird,godmvpn]
//
// GODMVPN_BIN names the directory with zebra and ospfd where that is not bin of the
// repository. If a run fails, the daemons' logs are kept and their place is printed.
//
// # What is measured
//
// A link is lost in a ring of five routers of the same suite, from one of which a datagram
// goes every millisecond to a station behind another, by the link that will be lost. It
// is two routers away from there:
//
//   - carrier: both ends of the link lose their carrier
//   - silent: both ends stay up and nothing passes; what finds out is the dead interval, 4 s
//     everywhere, of which up to a Hello interval, 1 s, is over already
//   - table: from the loss until the first router's kernel has the other way
//   - lost: from the loss until the last datagram left that was lost
//
// Each suite has its own throttles, and then FRR and this suite the same (see equalFRR).
// BIRD computes routes once a second (tick), and cannot be told to do it more often. In each
// round all rings lose their links, by carrier one after the other, at a random phase, and
// after a round all wait until throttles have forgotten it.
//
// A router learns a database from a feeder, the same for all, which this program plays: 100
// routers with 150 links and a network each, and 10,000 external LSAs of theirs.
//
//   - full: from the router's first Database Description until it tells of the adjacency in
//     its router-LSA
//   - table: until its kernel has all routes
//   - CPU: user and system time of OSPF's daemon and zebra until both are idle, and that of
//     the former alone; BIRD is one program
//   - memory: what the proportional set size of both has grown by some seconds later, and
//     that of the former, all told
//   - refresh: processor time where each external LSA comes again with a later sequence
//     number and the same content, as it does every half an hour
//   - flush: until the kernel has no external route after the feeder began to send the
//     external LSAs with MaxAge, 160 each 2 ms; and the processor time of that
//
// Printed are medians, 95th percentiles of losses, and the ratios of this suite to the
// others. The machine's other work moves all figures of a run; ratios of one run travel
// better.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// options of a run.
type options struct {
	losses, silences  int
	runs              int
	routers, external int
	suites            []suite
}

func main() {
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ospfbench:", err)
		os.Exit(2)
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "ospfbench: root is needed, for network namespaces")
		os.Exit(1)
	}
	os.Exit(harness.Program("ospfbench", func(t harness.TB) { measure(t, o) }))
}

func parse() (o options, err error) {
	flag.IntVar(&o.losses, "losses", 5, "losses of a carrier; 0: none")
	flag.IntVar(&o.silences, "silences", 2, "losses that only timers notice; 0: none")
	flag.IntVar(&o.runs, "runs", 3, "runs of the load; 0: none")
	flag.IntVar(&o.routers, "routers", 100, "routers behind the feeder")
	flag.IntVar(&o.external, "external", 10_000, "external LSAs of theirs")
	suites := flag.String("suites", "frr,bird,godmvpn", "suites to measure, separated by commas")
	flag.Parse()
	if o.losses < 0 || o.silences < 0 || o.runs < 0 || o.routers < 5 || o.routers > 250 || o.external < 1 || o.external > 1<<16 || flag.NArg() > 0 {
		return o, fmt.Errorf("usage: ospfbench [options]; 5 to 250 routers, 1 to %d external LSAs", 1<<16)
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

// measure measures all, and prints a table of each part.
func measure(t harness.TB, o options) {
	for _, s := range o.suites {
		if err := s.installed(); err != nil {
			t.Fatalf("%s cannot be measured: %v", s.name, err)
		}
	}
	if o.losses+o.silences > 0 {
		measureLosses(t, o)
	}
	if o.runs > 0 {
		reportLoad(o, loads(t, o))
	}
}

// measureLosses makes a ring of each suite, and a second one of those whose throttles can
// be set.
func measureLosses(t harness.TB, o options) {
	var rings []*ring
	for _, s := range o.suites {
		rings = append(rings, newRing(t, s, false))
		if s.equal {
			rings = append(rings, newRing(t, s, true))
		}
	}
	mend(t, rings, func(*ring) {})
	var carrier, silent [][]loss
	for range o.losses {
		carrier = append(carrier, carriers(t, rings))
	}
	for range o.silences {
		silent = append(silent, silences(t, rings))
	}
	reportLosses("carrier", rings, carrier)
	reportLosses("silent", rings, silent)
	for _, r := range rings {
		r.tp.Close()
	}
}
