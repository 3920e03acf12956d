package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// startLimit is how long the sender may take until it has its routes.
const startLimit = 2 * time.Minute

// router is a node with a suite in it.
type router struct {
	*harness.Node
	pids []int // of zebra and ripd, whose processor time counts
}

// findDaemons notes which processes are measured.
func (r *router) findDaemons(t harness.TB, s suite) {
	for _, name := range s.programs {
		pids := r.Pids(name)
		if len(pids) != 1 {
			t.Fatalf("%s: processes %v are named %s, want one", r.Name(), pids, name)
		}
		r.pids = append(r.pids, pids[0])
	}
}

// once runs a suite once.
func once(t harness.TB, s suite, tm timers, o options) (f figure) {
	tp := harness.New(t)
	sender, receiver := &router{Node: tp.Router("sender")}, &router{Node: tp.Router("receiver")}
	tp.Link(sender.Node, device, senderAddress, receiver.Node, device, "")
	if o.rate != "none" {
		if _, err := sender.Run("tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", o.rate, "burst", "4kb", "limit", "4mb"); err != nil {
			t.Fatalf("%v", err)
		}
	}
	wire := receiver.Capture(device)
	s.start(sender.Node, prefixes(o.n), tm)
	s.start(receiver.Node, nil, tm)
	sender.findDaemons(t, s)
	receiver.findDaemons(t, s)
	harness.Eventually(t, startLimit, func() error {
		if got := len(sender.RoutesOf(s.static)); got != o.n {
			return fmt.Errorf("the sender has %d static routes of %d", got, o.n)
		}
		return nil
	})
	idle(t, sender, receiver)
	wire.Clear()
	watch := receiver.WatchRoutes(harness.ProtocolNumber(rib.RIP))
	dropped := drops(t, receiver)
	cpuS, cpuR := sender.cpu(t), receiver.cpu(t)
	begin := time.Now()
	receiver.Addr(device, receiverAddress)
	end, err := watch.WaitPrefixes(o.n, tm.convergeLimit)
	packets := responses(wire)
	f.lost, f.packets = drops(t, receiver)-dropped, len(packets)
	if err != nil {
		f.missing = o.n - len(receiver.RoutesOf(harness.ProtocolNumber(rib.RIP)))
		tp.Close()
		return f
	}
	idle(t, sender, receiver)
	f.sender, f.receiver = sender.cpu(t)-cpuS, receiver.cpu(t)-cpuR
	f.converge = end.Sub(begin)
	if len(packets) > 0 {
		f.transfer = end.Sub(packets[0].At)
	}
	if got := len(receiver.RoutesOf(harness.ProtocolNumber(rib.RIP))); got != o.n {
		t.Fatalf("%s: the receiver's kernel has %d routes, want %d", s.name, got, o.n)
	}
	if o.steady >= 2*tm.update {
		f.steady = steady(t, o.steady, sender, receiver)
	}
	tp.Close()
	return f
}

// responses are the captured RIP responses of the sender (RFC 2453 section 3.6).
func responses(c *harness.Capture) []harness.Frame {
	const response = 2
	return c.Frames(harness.All(harness.IsUDP(harness.PortRIP), func(f harness.Frame) bool {
		data := f.UDP()
		return len(data) > 0 && data[0] == response && strings.HasPrefix(senderAddress, f.Src.String()+"/")
	}))
}

// steady is the processor time of all per second.
func steady(t harness.TB, d time.Duration, routers ...*router) float64 {
	sum := func() (all time.Duration) {
		for _, r := range routers {
			all += r.cpu(t)
		}
		return all
	}
	begin, before := time.Now(), sum()
	time.Sleep(d) // the measured interval
	return (sum() - before).Seconds() / time.Since(begin).Seconds()
}

// idleFor is how long daemons are to use no processor time to be idle.
const idleFor = 700 * time.Millisecond

// idle waits until the routers' daemons use next to no processor time.
func idle(t harness.TB, routers ...*router) {
	var last time.Duration
	var since time.Time
	harness.Eventually(t, startLimit, func() error {
		var sum time.Duration
		for _, r := range routers {
			sum += r.cpu(t)
		}
		if sum-last > 10*time.Millisecond {
			last, since = sum, time.Now()
		}
		if time.Since(since) < idleFor {
			return fmt.Errorf("daemons are still busy")
		}
		return nil
	})
}

// cpu is the processor time that the router's zebra and ripd have used.
func (r *router) cpu(t harness.TB) (sum time.Duration) {
	for _, pid := range r.pids {
		d, err := processorTime(pid)
		if err != nil {
			t.Fatalf("%s: %v", r.Name(), err)
		}
		sum += d
	}
	return sum
}

// tick is the unit of times in /proc/PID/stat, the same on all of Linux' ABIs.
const tick = 10 * time.Millisecond

// processorTime is the user and system time of a process (proc(5), stat).
func processorTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; the state follows it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	const utime, stime = 11, 12 // from the state on
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, b)
	}
	var ticks int64
	for _, f := range []string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// drops is how many UDP datagrams full socket buffers threw away in the router's
// namespace (RcvbufErrors of /proc/net/snmp).
func drops(t harness.TB, r *router) int {
	n := -1
	err := r.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		var names []string
		for line := range strings.Lines(string(b)) {
			fields := strings.Fields(line)
			if len(fields) == 0 || fields[0] != "Udp:" {
				continue
			}
			if names == nil {
				names = fields
				continue
			}
			for i, name := range names {
				if name == "RcvbufErrors" && i < len(fields) {
					n, err = strconv.Atoi(fields[i])
				}
			}
		}
		return err
	})
	if err != nil || n < 0 {
		t.Fatalf("no counter of lost datagrams: %v", err)
	}
	return n
}
