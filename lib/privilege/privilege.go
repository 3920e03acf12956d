package privilege

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Capability is a capability of Linux, by its number in capability.h.
type Capability uint8

// The capabilities that programs of the suite keep for a while or for ever.
const (
	Chown          Capability = unix.CAP_CHOWN            // give files to others
	NetBindService Capability = unix.CAP_NET_BIND_SERVICE // ports below 1024
	NetAdmin       Capability = unix.CAP_NET_ADMIN        // devices, routes, neighbours, IPsec
	NetRaw         Capability = unix.CAP_NET_RAW          // raw and packet sockets, SO_BINDTODEVICE
	BPF            Capability = unix.CAP_BPF              // load BPF programs; since Linux 5.8, before it is CAP_SYS_ADMIN
)

// ErrThreads says that the program contains C code: Go cannot reach all of its
// threads then (see syscall.AllThreadsSyscall), and capabilities are left as they
// are. Programs built with CGO_ENABLED=0 do not meet it.
var ErrThreads = errors.New("privileges can be limited in programs without cgo only")

// Limit sets the capabilities of the process, in all of its threads, to those of
// keep that it has; sets no_new_privs; and forbids core files (RLIMIT_CORE). There
// is no way back. It never adds a capability, so that it does no harm to a process
// that is not root, and it may be called again, with less.
//
// The bounding set can only be changed by a process with CAP_SETPCAP. One without
// is left with what it has there, which no_new_privs makes useless.
func Limit(keep ...Capability) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("no core files: %w", err)
	}
	if err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	has, err := read()
	if err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if has.effective&mask(unix.CAP_SETPCAP) != 0 {
		if err := bound(mask(keep...)); err != nil {
			return err
		}
	}
	kept := mask(keep...) & has.permitted
	if err := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	if err := (sets{kept, kept, kept}).write(); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	for c := Capability(0); c < maxCapability; c++ {
		if kept&mask(c) == 0 {
			continue
		}
		if err := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c)); err != nil {
			return fmt.Errorf("ambient capability %d: %w", c, err)
		}
	}
	return nil
}

// Conceal keeps other processes of the same user, and core files, away from the
// memory of this one (PR_SET_DUMPABLE): for programs that hold keys. Others
// then cannot read its smaps_rollup either.
func Conceal() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("conceal the memory: %w", err)
	}
	return nil
}

// maxCapability is more than the number of any capability.
const maxCapability = 64

// sets are the sets of a thread, a bit for each capability.
type sets struct{ effective, permitted, inheritable uint64 }

func mask(list ...Capability) (m uint64) {
	for _, c := range list {
		m |= 1 << c
	}
	return m
}

// read returns the sets of this thread, which are those of all.
func read() (sets, error) {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if err := unix.Capget(&h, &d[0]); err != nil {
		return sets{}, err
	}
	join := func(low, high uint32) uint64 { return uint64(low) | uint64(high)<<32 }
	return sets{join(d[0].Effective, d[1].Effective), join(d[0].Permitted, d[1].Permitted),
		join(d[0].Inheritable, d[1].Inheritable)}, nil
}

// write sets the sets of all threads.
func (s sets) write() error {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	for i := range d {
		shift := 32 * i
		d[i] = unix.CapUserData{Effective: uint32(s.effective >> shift), Permitted: uint32(s.permitted >> shift),
			Inheritable: uint32(s.inheritable >> shift)}
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&d[0])), 0)
	return typed(errno)
}

// bound drops all but these from the bounding set.
func bound(keep uint64) error {
	for c := Capability(0); c < maxCapability; c++ {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // the kernel has no more of them
		}
		if err != nil {
			return fmt.Errorf("bounding set: %w", err)
		}
		if has == 0 || keep&mask(c) != 0 {
			continue
		}
		if err := prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0); err != nil {
			return fmt.Errorf("bounding set without capability %d: %w", c, err)
		}
	}
	return nil
}

// prctl is prctl(2) in all threads.
func prctl(option, a, b uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, option, a, b, 0, 0, 0)
	return typed(errno)
}

func typed(errno syscall.Errno) error {
	switch errno {
	case 0:
		return nil
	case unix.ENOTSUP:
		return ErrThreads
	}
	return errno
}
