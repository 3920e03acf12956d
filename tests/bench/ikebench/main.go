// Ikebench measures responders of IKEv2: strongSwan's charon, and this suite's zebra and
// ipsecd, in the same run and with the same peers. The responder is in a network namespace
// that it makes itself, joined by a veth pair to that of the peers. It needs root, Debian's
// package charon-systemd, and this suite built (make build); it changes nothing outside.
//
//	ikebench [-sas 1000] [-runs 3] [-many 3000] [-rate 10000] [-flood 5s] [-suites charon,godmvpn]
//
// GODMVPN_BIN names the directory with zebra and ipsecd where that is not bin of the
// repository. If a run fails, the daemons' logs are kept and their place is printed.
//
// # What is measured
//
// The peers are played by this program through one socket, each with an address of its
// own, 24 at once: IKE_SA_INIT and IKE_AUTH with a pre-shared key, AES-GCM-256 and
// HMAC-SHA-384, and no child SA (RFC 6023). So neither kernel nor zebra has anything to do,
// and the kernel needs neither GRE nor ESP. Both responders log little, and in these runs
// ask for no cookies; charon has hash tables for many peers, which by default it has not.
//
//   - per CPU s: IKE SAs for each second of user and system time of the responder: charon,
//     or ipsecd and zebra together, until both are idle again
//   - wall/s: IKE SAs a second; peers and responder share the processors
//   - resent: requests that were not answered within a second
//   - kB an IKE SA: what the proportional set size of charon or ipsecd grew by
//   - flood: requests of IKE_SA_INIT from addresses of which nobody is there, while peers
//     come in one after the other; both responders defend themselves as they do by default.
//     From a peer's first request until it has the answer to IKE_AUTH: the first peer, the
//     median, the worst; the most cookies that one was asked for; and the processor time
//     and the memory of charon or ipsecd meanwhile.
//
// After each part the responder is asked how many IKE SAs it has.
//
// Printed are medians, and the ratios of this suite to charon. The machine's other work
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
	sas, many  int
	runs       int
	rate       int // packets a second
	flood      time.Duration
	responders []responder
}

func main() {
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ikebench:", err)
		os.Exit(2)
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "ikebench: root is needed, for network namespaces")
		os.Exit(1)
	}
	os.Exit(harness.Program("ikebench", func(t harness.TB) { measure(t, o) }))
}

func parse() (o options, err error) {
	flag.IntVar(&o.sas, "sas", 1000, "IKE SAs of a run with X25519 and P-256; a quarter with the others")
	flag.IntVar(&o.many, "many", 3000, "IKE SAs to measure memory with; 0: not measured")
	flag.IntVar(&o.runs, "runs", 3, "runs of each group; 0: none")
	flag.IntVar(&o.rate, "rate", 10_000, "packets a second of the flood")
	flag.DurationVar(&o.flood, "flood", 5*time.Second, "how long the flood lasts; 0: none")
	suites := flag.String("suites", "charon,godmvpn", "responders to measure, separated by commas")
	flag.Parse()
	if o.sas < 4 || o.sas > 1<<16 || o.many < 0 || o.many > 1<<16 || o.runs < 0 || o.rate < 1 || o.rate > 100_000 || o.flood < 0 || o.flood > time.Minute || flag.NArg() > 0 {
		return o, fmt.Errorf("usage: ikebench [options]; 4 to %d IKE SAs, up to 100000 packets a second for a minute", 1<<16)
	}
	for name := range strings.SplitSeq(*suites, ",") {
		i := slices.IndexFunc(allResponders, func(r responder) bool { return r.name == name })
		if i < 0 {
			return o, fmt.Errorf("no responder %q", name)
		}
		o.responders = append(o.responders, allResponders[i])
	}
	return o, nil
}

// measure runs all responders alternately and prints the tables.
func measure(t harness.TB, o options) {
	for _, r := range o.responders {
		if err := r.installed(); err != nil {
			t.Fatalf("%s cannot be measured: %v", r.name, err)
		}
	}
	all := make([][][]rate, len(o.responders)) // by responder and run those of each group
	for range o.runs {
		for i, r := range o.responders {
			all[i] = append(all[i], rates(t, r, o.sas))
		}
	}
	if o.runs > 0 {
		reportRates(o, all)
	}
	if o.many > 0 {
		fmt.Printf("\n%d IKE SAs, X25519\n%-10s %14s %12s %8s\n", o.many, "", "kB an IKE SA", "per CPU s", "wall/s")
		for _, r := range o.responders {
			per, made := memory(t, r, o.many)
			fmt.Printf("%-10s %14.1f %12.0f %8.0f\n", r.name, per/1000, made.perCPU(), float64(made.sas)/made.took.Seconds())
		}
	}
	if o.flood > 0 {
		fmt.Printf("\nflood of %d packets/s for %v\n%-10s %9s %6s %10s %6s %10s %10s %10s %8s %7s\n", o.rate, o.flood,
			"", "packets/s", "CPU", "memory", "peers", "first", "median", "worst", "cookies", "resent")
		for _, r := range o.responders {
			e := flood(t, r, o.rate, o.flood)
			fmt.Printf("%-10s %9.0f %5.0f%% %7d kB %6d %8.1fms %8.1fms %8.1fms %8d %7d\n", r.name, e.rate, 100*e.cpu, e.memory/1000, e.peers,
				ms(e.first), ms(e.median), ms(e.worst), e.cookies, e.resent)
			if e.failure != nil {
				fmt.Printf("%-10s then: %v\n", r.name, e.failure)
			}
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// reportRates prints medians of all groups, and the ratios.
func reportRates(o options, all [][][]rate) {
	fmt.Printf("medians of %d; window %d\n%-10s %-10s %6s %12s %14s %8s %7s\n", o.runs, window, "", "", "SAs", "per CPU s", "zebra's share", "wall/s", "resent")
	for k, g := range allGroups {
		var perCPU []float64
		for i, r := range o.responders {
			of := func(f func(rate) float64) float64 {
				var vs []float64
				for _, run := range all[i] {
					vs = append(vs, f(run[k]))
				}
				slices.Sort(vs)
				return vs[len(vs)/2]
			}
			perCPU = append(perCPU, of(rate.perCPU))
			fmt.Printf("%-10s %-10s %6d %12.0f %13.0f%% %8.0f %7.0f\n", g.name, r.name, all[i][0][k].sas, perCPU[i],
				of(func(r rate) float64 { return 100 * float64(r.cpuElse) / float64(r.cpu+r.cpuElse) }),
				of(func(r rate) float64 { return float64(r.sas) / r.took.Seconds() }), of(func(r rate) float64 { return float64(r.resent) }))
		}
		if len(perCPU) == 2 {
			fmt.Printf("%-10s %-10s %6s %11.2fx\n", g.name, "ratio", "", perCPU[1]/perCPU[0])
		}
	}
}
