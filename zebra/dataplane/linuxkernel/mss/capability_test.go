package mss_test

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/mss"
)

// TestCapabilities loads the programs with what doc.go says is needed, and no more.
func TestCapabilities(t *testing.T) {
	load(t, limit, mss.Ethernet)
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
		for _, h := range []mss.Header{mss.Ethernet, mss.Network} {
			done := make(chan error)
			go func() {
				runtime.LockOSThread() // and never unlocked: the thread ends
				if err := only(c.caps); err != nil {
					done <- err
					return
				}
				p, err := mss.Load(limit, h)
				if err == nil {
					err = p.Close()
				}
				done <- err
			}()
			if err := <-done; (err == nil) != c.ok {
				t.Errorf("%s, header %d: %+v", c.name, h, err)
			}
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
