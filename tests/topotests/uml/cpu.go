package uml

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A machine stays on one CPU of the host. Its kernel and the programs in it are processes
// that take turns: each system call and each page fault switches to the kernel and back.
// Where they are on two CPUs, each switch wakes the other CPU, and everything takes twice
// as long.

// oneCPU has the calling thread, and what it starts from now on, stay on that of its CPUs
// which the fewest machines have. The caller calls done when the kernel runs: until then
// no other machine chooses.
func oneCPU() (done func()) {
	done = func() {}
	if dir, err := os.Open(os.TempDir()); err == nil {
		_ = unix.Flock(int(dir.Fd()), unix.LOCK_EX) // without it two may choose the same, no more
		done = func() { dir.Close() }
	}
	var allowed unix.CPUSet
	if unix.SchedGetaffinity(0, &allowed) != nil || allowed.Count() < 2 {
		return done
	}
	var one unix.CPUSet
	one.Set(leastUsed(&allowed, machineCPUs(os.TempDir())))
	_ = unix.SchedSetaffinity(0, &one) // where it is not allowed, it is slower
	return done
}

// machineCPUs are the CPUs that the running machines stay on, one for each.
func machineCPUs(tmp string) (used []int) {
	dirs, _ := filepath.Glob(filepath.Join(tmp, dirPrefix+"*"))
	for _, dir := range dirs {
		var set unix.CPUSet
		pids := kernelPids(dir)
		if len(pids) == 0 || unix.SchedGetaffinity(pids[0], &set) != nil || set.Count() != 1 {
			continue
		}
		for cpu := range maxCPUs {
			if set.IsSet(cpu) {
				used = append(used, cpu)
			}
		}
	}
	return used
}

// maxCPUs is how many a unix.CPUSet can hold.
const maxCPUs = 1024

// leastUsed is that of the allowed CPUs, the first of several, which is used least.
func leastUsed(allowed *unix.CPUSet, used []int) int {
	uses := map[int]int{}
	for _, cpu := range used {
		uses[cpu]++
	}
	best := -1
	for cpu := range maxCPUs {
		if allowed.IsSet(cpu) && (best < 0 || uses[cpu] < uses[best]) {
			best = cpu
		}
	}
	return best
}
