package harness

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what some processes of a node cost, for benchmarks.
type Usage struct {
	node *Node
	pids []int
}

// Usage looks at the processes of a node that have these names, as [Node.Pids]
// names them; each must be there once. A process that forks to run another program is
// there twice for a moment, which is waited for.
func (n *Node) Usage(names ...string) *Usage {
	n.t.Helper()
	u := &Usage{node: n}
	for _, name := range names {
		Eventually(n.t, peerLimit, func() error {
			pids := n.Pids(name)
			if len(pids) != 1 {
				return fmt.Errorf("%s: processes %v are named %s, want one", n.name, pids, name)
			}
			u.pids = append(u.pids, pids[0])
			return nil
		})
	}
	return u
}

// CPU is the user and system time that the processes have used.
func (u *Usage) CPU() (sum time.Duration) {
	u.node.t.Helper()
	for _, pid := range u.pids {
		d, err := processorTime(pid)
		u.node.check("processor time", err)
		sum += d
	}
	return sum
}

// Memory is the proportional set size of the processes, in octets: pages that
// several processes share count in parts.
func (u *Usage) Memory() (sum int) {
	u.node.t.Helper()
	for _, pid := range u.pids {
		n, err := proportional(pid)
		u.node.check("memory", err)
		sum += n
	}
	return sum
}

// Resident is the resident memory of the processes, in octets, and the sum of what each
// had at its most: pages that they share count in each.
func (u *Usage) Resident() (now, peak int) {
	u.node.t.Helper()
	for _, pid := range u.pids {
		for _, f := range []struct {
			key string
			sum *int
		}{{"VmRSS:", &now}, {"VmHWM:", &peak}} {
			n, err := kilobytes(fmt.Sprintf("/proc/%d/status", pid), f.key)
			u.node.check("memory", err)
			*f.sum += n
		}
	}
	return now, peak
}

// idleFor is how long processes are to use no processor time to be idle.
const idleFor = 700 * time.Millisecond

// WaitIdle waits until all of these processes use next to no processor time.
func WaitIdle(t TB, limit time.Duration, us ...*Usage) {
	t.Helper()
	var last time.Duration
	var since time.Time
	Eventually(t, limit, func() error {
		var sum time.Duration
		for _, u := range us {
			sum += u.CPU()
		}
		if sum-last > tick {
			last, since = sum, time.Now()
		}
		if time.Since(since) < idleFor {
			return fmt.Errorf("processes are still busy")
		}
		return nil
	})
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

// proportional is the proportional set size of a process (proc(5), smaps_rollup).
func proportional(pid int) (int, error) {
	return kilobytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
}

// kilobytes returns the octets that a line of a file in /proc has in kB.
func kilobytes(path, key string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == key {
			n, err := strconv.Atoi(fields[1])
			return n * 1024, err
		}
	}
	return 0, fmt.Errorf("%s: no %s", path, key)
}
