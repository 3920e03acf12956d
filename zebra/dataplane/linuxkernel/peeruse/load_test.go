package peeruse

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// TestCapabilities loads the program and reads the notes with what doc.go says is
// needed, and no more.
func TestCapabilities(t *testing.T) {
	loaded(t)
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
			w, err := New()
			if err == nil {
				_, err = w.Read()
				err = errors.Join(err, w.Close())
			}
			done <- err
		}()
		if err := <-done; (err == nil) != c.ok {
			var v *ebpf.VerifierError
			errors.As(err, &v)
			t.Errorf("%s: %v\n%+v", c.name, err, v)
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

// TestVerifier bounds the work of the kernel's verifier.
func TestVerifier(t *testing.T) {
	w := loaded(t)
	spec := programSpec(w.notes.FD())
	p, err := ebpf.NewProgramWithOptions(spec, ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n := 0
	for line := range strings.Lines(p.VerifierLog) {
		_, _ = fmt.Sscanf(line, "processed %d insns", &n)
	}
	if n == 0 || n > 1000 {
		t.Errorf("%d instructions: %s", n, p.VerifierLog)
	}
	t.Logf("%d instructions, %d looked at", len(spec.Instructions), n)
}

// TestRevision reminds whoever changes the program of its revision.
func TestRevision(t *testing.T) {
	var code bytes.Buffer
	if err := programSpec(3).Instructions.Marshal(&code, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	const want = "0e1c4b38a1917007"
	if got := fmt.Sprintf("%x", sha256.Sum256(code.Bytes()))[:16]; got != want {
		t.Errorf("the program became %s: count Revision (%d) up, and note it here", got, Revision)
	}
}
