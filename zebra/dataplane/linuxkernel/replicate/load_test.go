package replicate

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCapabilities loads the program with what doc.go says is needed, and no more.
func TestCapabilities(t *testing.T) {
	table(t)
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
			r, err := New(true)
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
