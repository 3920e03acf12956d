package mgre6

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// redirected is TC_ACT_REDIRECT (linux/pkt_cls.h).
const redirected = 7

// loopback is a device that is everywhere: nothing is sent in a trial.
const loopback = 1

// loaded loads a program, or skips the test where that is not allowed.
func loaded(t *testing.T, open func() (*ebpf.Program, error)) *ebpf.Program {
	t.Helper()
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("locked memory: %v", err)
	}
	p, err := open()
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs CAP_BPF and CAP_NET_ADMIN: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// frame is what leaves a tunnel: the header that Linux makes, and a packet.
func frame(dst string, change func([]byte)) []byte {
	b := make([]byte, 40, 100)
	b[0], b[6], b[7] = 0x60, 47, 64
	src, to := netip.MustParseAddr("2001:db8::1").As16(), netip.MustParseAddr(dst).As16()
	copy(b[8:], src[:])
	copy(b[24:], to[:])
	b = append(b, 0, 4, 8, 0, 0, 0, 0, 0) // GRE, as the kernel has it at this point
	b = append(b, make([]byte, 28)...)
	change(b)
	return b
}

func asIs([]byte) {}

// TestEncap tells what is sent from what is dropped. What the packets look like
// outside is seen by the tests with real tunnels.
func TestEncap(t *testing.T) {
	for _, c := range []Config{{Carrier: loopback, HasKey: true, Key: 0xfffffffe, TTL: 64, TOS: 0xb8}, {Carrier: loopback}} {
		p := loaded(t, func() (*ebpf.Program, error) { return Encap(c) })
		for what, x := range map[string]struct {
			frame []byte
			want  uint32
		}{
			"a station":                    {frame("2001:db8::2", asIs), redirected},
			"a station like the broadcast": {frame("100::47:5246", asIs), redirected},
			"traffic class":                {frame("2001:db8::2", func(b []byte) { b[0], b[1] = 0x6f, 0xf0 }), redirected},
			"the broadcast address":        {frame("100::47:5245", asIs), VerdictDrop},
			"a group":                      {frame("ff02::9", asIs), VerdictDrop},
			"nobody":                       {frame("::", asIs), VerdictDrop},
			"not GRE":                      {frame("2001:db8::2", func(b []byte) { b[6] = 17 }), VerdictDrop},
			"IPv4":                         {frame("2001:db8::2", func(b []byte) { b[0] = 0x45 }), VerdictDrop},
			"half a header":                {frame("2001:db8::2", asIs)[:39], VerdictDrop},
		} {
			got, err := p.Run(&ebpf.RunOptions{Data: x.frame})
			if err != nil {
				t.Fatal(err)
			}
			if got != x.want {
				t.Errorf("%s: verdict %d, want %d (%+v)", what, got, x.want, c)
			}
		}
	}
}

func TestSink(t *testing.T) {
	p := loaded(t, Sink)
	if got, err := p.Run(&ebpf.RunOptions{Data: frame("2001:db8::2", asIs)}); err != nil || got != VerdictDrop {
		t.Errorf("verdict %d, %v", got, err)
	}
}

// TestCapabilities loads the programs with what doc.go says is needed, and no more.
func TestCapabilities(t *testing.T) {
	loaded(t, Sink)
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
			p, err := Encap(Config{Carrier: loopback})
			if err == nil {
				err = p.Close()
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

// TestRevision reminds whoever changes the program of its revision.
func TestRevision(t *testing.T) {
	var b strings.Builder
	if err := encapSpec(Config{Carrier: 7, TTL: 64, TOS: 1}).Instructions.Marshal(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	if have, want := fmt.Sprintf("%x", sha256.Sum256([]byte(b.String())))[:16], "59a22e599966abd2"; have != want {
		t.Errorf("the program became %s: count Revision (%d) up, and note it here", have, Revision)
	}
}
