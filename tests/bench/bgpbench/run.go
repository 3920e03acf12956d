package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Limits of waiting.
const (
	startLimit = time.Minute
	tableLimit = 10 * time.Minute
)

// bench is a router that is measured, and its neighbour.
type bench struct {
	harness.TB
	session   *speaker
	processes []*harness.Usage
	kernel    *kernel
	before    int // routes in the kernel
}

// once runs a suite once.
func once(t harness.TB, s suite, f *feed, settle time.Duration) (out figure) {
	tp := harness.New(t)
	defer tp.Close()
	b := newBench(t, tp, s)
	defer b.kernel.close()
	defer b.session.close()
	out.processes = make([]process, len(b.processes))
	var cpu []time.Duration
	out.add, cpu = b.tell(f.announce, b.before+f.routes)
	for i, u := range b.processes {
		out.processes[i].add = cpu[i]
		_, out.processes[i].peak = u.Resident()
	}
	at := b.cpu()
	time.Sleep(settle)
	for i, used := range b.cpu() {
		out.processes[i].add += used - at[i]
		out.processes[i].settled, _ = b.processes[i].Resident()
	}
	out.withdraw, cpu = b.tell(f.withdraw, b.before)
	for i := range b.processes {
		out.processes[i].withdraw = cpu[i]
	}
	return out
}

// newBench starts a suite and the session with it.
func newBench(t harness.TB, tp *harness.Topology, s suite) *bench {
	b := &bench{TB: t}
	router, feeder := tp.Router("router"), tp.Node("feeder")
	tp.Link(router, device, routerAddress+"/24", feeder, device, feederAddress+"/24")
	s.start(router)
	for _, name := range s.programs {
		b.processes = append(b.processes, router.Usage(name))
	}
	harness.Eventually(t, startLimit, func() error {
		return feeder.Do(func() (err error) { b.session, err = dial(); return err })
	})
	var err error
	if b.kernel, err = openKernel(router); err != nil {
		t.Fatalf("%v", err)
	}
	harness.WaitIdle(t, startLimit, b.processes...)
	b.before = b.count()
	return b
}

// tell writes UPDATEs, waits until the kernel has so many routes, and returns how long
// that took, and the processor time of each process until all are idle again.
func (b *bench) tell(updates []byte, routes int) (took time.Duration, cpu []time.Duration) {
	b.Helper()
	cpu = b.cpu()
	begin := time.Now()
	written := make(chan error, 1)
	go func() { written <- b.session.write(updates) }()
	for {
		at := time.Now()
		got := b.count()
		if got == routes {
			took = time.Since(begin)
			break
		}
		if err := b.session.failed(); err != nil || time.Since(begin) > tableLimit {
			b.Fatalf("the kernel has %d routes, want %d, after %v: %v", got, routes, time.Since(begin), err)
		}
		// Looking costs the kernel's time, which is not to be a tenth of it.
		time.Sleep(max(5*time.Millisecond, 10*time.Since(at)))
	}
	if err := <-written; err != nil {
		b.Fatalf("%v", err)
	}
	harness.WaitIdle(b.TB, tableLimit, b.processes...)
	for i, u := range b.processes {
		cpu[i] = u.CPU() - cpu[i]
	}
	if got := b.count(); got != routes {
		b.Fatalf("the kernel had %d routes, and has %d", routes, got)
	}
	return took, cpu
}

// cpu returns the processor time of each process so far.
func (b *bench) cpu() (cpu []time.Duration) {
	for _, u := range b.processes {
		cpu = append(cpu, u.CPU())
	}
	return cpu
}

func (b *bench) count() int {
	b.Helper()
	n, err := b.kernel.count()
	if err != nil {
		b.Fatalf("%v", err)
	}
	return n
}

// kernel counts the IPv4 routes of a node.
type kernel struct{ file *os.File }

// openKernel opens the kernel's count: the file stays that of the node's namespace.
func openKernel(n *harness.Node) (k *kernel, err error) {
	k = &kernel{}
	err = n.Do(func() (err error) { k.file, err = os.Open("/proc/thread-self/net/fib_triestat"); return err })
	return k, err
}

func (k *kernel) close() { k.file.Close() }

// count returns the prefixes of the main table.
func (k *kernel) count() (int, error) {
	s := bufio.NewScanner(io.NewSectionReader(k.file, 0, 1<<20))
	main := false
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		if strings.HasSuffix(line, ":") {
			main = line == "Main:"
		}
		if n, ok := strings.CutPrefix(line, "Prefixes:"); ok && main {
			return strconv.Atoi(strings.TrimSpace(n))
		}
	}
	if err := s.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%s does not tell the prefixes of the main table", k.file.Name())
}
