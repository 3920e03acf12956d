// Fibbench measures how fast routes reach the kernel: by `ip -batch`, by the
// data plane provider alone, by the reconciler over it (from Put to the reported
// outcome), and from a daemon in another process through all of zebra (from the
// first Put to the last acknowledgement), one after the other in network
// namespaces of their own. The processor time is that of this process.
// It needs root, and ip in the path; it changes nothing outside.
//
//	fibbench [-n 100000] [-runs 3]
//
// The figures of a run are comparable among themselves; the machine's other work
// moves them all. Printed are the medians, and the ratios to `ip -batch`.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/fib"
)

func main() {
	if filepath.Base(os.Args[0]) == daemonName {
		os.Exit(serveFeeder())
	}
	n := flag.Int("n", 100000, "routes")
	runs := flag.Int("runs", 3, "runs of each")
	flag.Parse()
	if err := run(*n, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "fibbench:", err)
		os.Exit(1)
	}
}

// figure is what one way took.
type figure struct {
	add, del time.Duration
	cpu      time.Duration // of adding, kernel time included
}

// way is one way of writing routes into a namespace.
type way struct {
	name string
	do   func(ns *os.File, routes []dataplane.Object) (figure, error)
}

func run(n, runs int) error {
	routes := makeRoutes(n)
	ways := []way{{"ip -batch", byIP}, {"provider", byProvider}, {"reconciler", byFIB}, {"daemon", byDaemon}}
	figures := make([][]figure, len(ways))
	for range runs {
		for i, w := range ways {
			f, err := once(w, routes)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			figures[i] = append(figures[i], f)
		}
	}
	report(n, ways, figures)
	return nil
}

func report(n int, ways []way, figures [][]figure) {
	var base float64
	fmt.Printf("%-12s %12s %10s %8s %12s %10s   (%d routes, medians of %d)\n", "", "add/s", "add", "CPU", "delete/s", "ratio", n, len(figures[0]))
	for i, w := range ways {
		add := median(figures[i], func(f figure) time.Duration { return f.add })
		del := median(figures[i], func(f figure) time.Duration { return f.del })
		cpu := median(figures[i], func(f figure) time.Duration { return f.cpu })
		rate := float64(n) / add.Seconds()
		if i == 0 {
			base = rate
		}
		fmt.Printf("%-12s %12.0f %9.3fs %7.2fs %12.0f %9.2fx\n", w.name, rate, add.Seconds(), cpu.Seconds(), float64(n)/del.Seconds(), rate/base)
	}
}

func median(fs []figure, of func(figure) time.Duration) time.Duration {
	var ds []time.Duration
	for _, f := range fs {
		ds = append(ds, of(f))
	}
	slices.Sort(ds)
	return ds[len(ds)/2]
}

func makeRoutes(n int) (rs []dataplane.Object) {
	for i := range n {
		a := netip.AddrFrom4([4]byte{byte(11 + i>>16), byte(i >> 8), byte(i), 0})
		rs = append(rs, dataplane.Route{
			Table: dataplane.TableMain, Prefix: netip.PrefixFrom(a, 24), Metric: dataplane.MetricDefault, Protocol: 196,
			NextHops: []dataplane.NextHop{{Device: "under0", Gateway: netip.MustParseAddr("192.0.2.2")}},
		})
	}
	return rs
}

// once runs a way in a fresh namespace, on a thread that ends with it.
func once(w way, routes []dataplane.Object) (f figure, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		var ns *os.File
		if ns, err = namespace(); err != nil {
			return
		}
		defer ns.Close()
		runtime.GC()
		f, err = w.do(ns, routes)
	}()
	<-done
	return f, err
}

func namespace() (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("new network namespace (root is needed): %w", err)
	}
	for _, args := range [][]string{
		{"link", "add", "under0", "type", "veth", "peer", "name", "under1"},
		{"addr", "add", "192.0.2.1/24", "dev", "under0"},
		{"link", "set", "under1", "up"}, {"link", "set", "under0", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return os.Open("/proc/thread-self/ns/net")
}

func processorTime(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// timed measures f; who is the process whose processor time counts.
func timed(who int, f func() error) (took, cpu time.Duration, err error) {
	c, t := processorTime(who), time.Now()
	err = f()
	return time.Since(t), processorTime(who) - c, err
}

func byIP(_ *os.File, routes []dataplane.Object) (f figure, err error) {
	dir, err := os.MkdirTemp("", "fibbench")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	batch := func(verb string) (func() error, error) {
		file, err := os.Create(filepath.Join(dir, verb))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		b := make([]byte, 0, 64*len(routes))
		for _, o := range routes {
			b = fmt.Appendf(b, "route %s %v via 192.0.2.2 dev under0 proto 196 metric 20\n", verb, o.(dataplane.Route).Prefix)
		}
		if _, err := file.Write(b); err != nil {
			return nil, err
		}
		return func() error {
			out, err := exec.Command("ip", "-batch", file.Name()).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		}, nil
	}
	add, err := batch("replace")
	if err != nil {
		return f, err
	}
	del, err := batch("delete")
	if err != nil {
		return f, err
	}
	if f.add, f.cpu, err = timed(syscall.RUSAGE_CHILDREN, add); err != nil {
		return f, err
	}
	f.del, _, err = timed(syscall.RUSAGE_CHILDREN, del)
	return f, err
}

func byProvider(ns *os.File, routes []dataplane.Object) (f figure, err error) {
	p, err := linuxkernel.New(linuxkernel.Options{Namespace: ns})
	if err != nil {
		return f, err
	}
	defer p.Close()
	puts, dels := make([]dataplane.Op, len(routes)), make([]dataplane.Op, len(routes))
	for i, o := range routes {
		puts[i], dels[i] = dataplane.Put(o), dataplane.Delete(o.Key())
	}
	apply := func(ops []dataplane.Op) func() error {
		return func() error {
			for i, r := range p.Apply(context.Background(), ops) {
				if r.Err != nil {
					return fmt.Errorf("%v: %w", ops[i].Key, r.Err)
				}
			}
			return nil
		}
	}
	if f.add, f.cpu, err = timed(syscall.RUSAGE_SELF, apply(puts)); err != nil {
		return f, err
	}
	f.del, _, err = timed(syscall.RUSAGE_SELF, apply(dels))
	return f, err
}

func byFIB(ns *os.File, routes []dataplane.Object) (f figure, err error) {
	p, err := linuxkernel.New(linuxkernel.Options{Namespace: ns})
	if err != nil {
		return f, err
	}
	defer p.Close()
	var failure error
	table := fib.New(fib.Options{Provider: p, AuditEvery: -1, Report: func(os []fib.Outcome) {
		for _, o := range os {
			if o.Err != nil {
				failure = o.Err
			}
		}
	}})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- table.Run(ctx) }()
	f.add, f.cpu, err = timed(syscall.RUSAGE_SELF, func() error {
		table.Put(routes...)
		return table.Sync(ctx)
	})
	if err == nil {
		f.del, _, err = timed(syscall.RUSAGE_SELF, func() error {
			keys := make([]dataplane.Key, len(routes))
			for i, o := range routes {
				keys[i] = o.Key()
			}
			table.Delete(keys...)
			return table.Sync(ctx)
		})
	}
	stop()
	if e := <-ended; err == nil {
		err = e
	}
	if err == nil {
		err = failure
	}
	return f, err
}
