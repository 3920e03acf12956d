package replicate_test

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/replicate"
)

// load makes a replicator, or skips the test where that is not allowed.
func load(t testing.TB) *replicate.Replicator {
	t.Helper()
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("locked memory: %v", err)
	}
	r, err := replicate.New()
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs CAP_BPF and CAP_NET_ADMIN: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestCapabilities loads the program with what doc.go says is needed, and no more.
func TestCapabilities(t *testing.T) {
	load(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root, to have something to give up")
	}
	for _, c := range []struct {
		name string
		caps []int
		ok   bool
	}{
		{"CAP_BPF and CAP_NET_ADMIN", []int{unix.CAP_BPF, unix.CAP_NET_ADMIN}, true},
		{"CAP_NET_ADMIN", []int{unix.CAP_NET_ADMIN}, false},
		{"CAP_BPF", []int{unix.CAP_BPF}, false},
	} {
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends
			if err := only(c.caps); err != nil {
				done <- err
				return
			}
			r, err := replicate.New()
			if err == nil {
				err = r.Close()
			}
			done <- err
		}()
		if err := <-done; (err == nil) != c.ok {
			t.Errorf("%s: %+v", c.name, err)
		}
	}
}

// only takes all capabilities but these from the effective ones of the thread.
func only(caps []int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, c := range caps {
		data[c/32].Effective |= 1 << (c % 32)
		data[c/32].Permitted |= 1 << (c % 32)
	}
	return unix.Capset(&header, &data[0])
}
