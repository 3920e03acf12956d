package replicate

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"pgregory.net/rapid"
)

// table makes a replicator, or skips the test where that is not allowed.
func table(t testing.TB, ipv6 ...bool) *Replicator {
	t.Helper()
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("locked memory: %v", err)
	}
	r, err := New(len(ipv6) > 0 && ipv6[0])
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs CAP_BPF and CAP_NET_ADMIN: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestTable adds and removes peers in any order. The program's table has each of
// them once, none moves while it is in, and there are no more slots in use than up
// to the last one.
func TestTable(t *testing.T) {
	table(t)
	rapid.Check(t, func(t *rapid.T) {
		six := rapid.Bool().Draw(t, "IPv6")
		r, err := New(six)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		nth := func(n byte) netip.Addr {
			if six {
				return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: n})
			}
			return netip.AddrFrom4([4]byte{192, 0, 2, n})
		}
		want := map[netip.Addr]uint32{} // slot, 0 while it is not known
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			a := nth(rapid.ByteRange(1, 12).Draw(t, "peer"))
			if rapid.Bool().Draw(t, "in") {
				err = r.Add(a)
				want[a] += 0
			} else {
				err = r.Remove(a)
				delete(want, a)
			}
			if err != nil {
				t.Fatal(err)
			}
			last := check(t, r, want)
			b := make([]byte, r.addrLen)
			err := r.peers.Lookup(uint32(extentKey), &b)
			if extent := binary.NativeEndian.Uint32(b); err != nil || extent != last {
				t.Fatalf("%d slots in use, the last one with a peer is %d: %v", extent, last, err)
			}
		}
	})
}

// check compares the table with what is wanted, and returns the last slot.
func check(t *rapid.T, r *Replicator, want map[netip.Addr]uint32) (last uint32) {
	found := 0
	for slot := uint32(1); slot <= 16; slot++ {
		b := make([]byte, r.addrLen)
		if err := r.peers.Lookup(slot, &b); err != nil {
			t.Fatal(err)
		}
		a, _ := netip.AddrFromSlice(b)
		if a.IsUnspecified() {
			continue
		}
		last = slot
		was, ok := want[a]
		if !ok || was != 0 && was != slot {
			t.Fatalf("%v is in slot %d, it was in %d (%v)", a, slot, was, ok)
		}
		want[a] = slot
		found++
	}
	if found != len(want) || r.Len() != len(want) {
		t.Fatalf("%d of %d peers found, Len is %d", found, len(want), r.Len())
	}
	return last
}

func TestFull(t *testing.T) {
	r := table(t)
	nth := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}) }
	for n := range MaxPeers {
		if err := r.Add(nth(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Add(nth(MaxPeers)); !errors.Is(err, ErrFull) {
		t.Errorf("one more: %v", err)
	}
	if err := r.Add(nth(5)); err != nil {
		t.Errorf("one that is in: %v", err)
	}
	if err := errors.Join(r.Remove(nth(4000)), r.Add(nth(MaxPeers))); err != nil || r.Len() != MaxPeers {
		t.Errorf("another in its place: %v, %d peers", err, r.Len())
	}
}

// TestVerifier bounds the work of the kernel's verifier, which gives up after a
// million instructions.
func TestVerifier(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		verify(t, table(t, ipv6))
	}
}

func verify(t *testing.T, r *Replicator) {
	spec := r.programSpec(r.state.FD(), r.peers.FD())
	p, err := ebpf.NewProgramWithOptions(spec, ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n := 0
	for line := range strings.Lines(p.VerifierLog) {
		_, _ = fmt.Sscanf(line, "processed %d insns", &n)
	}
	if n == 0 || n > 100_000 {
		t.Errorf("%d instructions: %s", n, p.VerifierLog)
	}
	t.Logf("%d instructions, %d looked at", len(spec.Instructions), n)
}

// TestRevision reminds whoever changes the program of its revision.
func TestRevision(t *testing.T) {
	for over, want := range map[transport]string{over4: "f57983e5212c4984", over6: "df9d2a6cc900af09"} {
		var b strings.Builder
		if err := over.programSpec(3, 4).Instructions.Marshal(&b, binary.LittleEndian); err != nil {
			t.Fatal(err)
		}
		if have := fmt.Sprintf("%x", sha256.Sum256([]byte(b.String())))[:16]; have != want {
			t.Errorf("a program became %s: count Revision (%d) up, and note it here", have, Revision)
		}
	}
}

func TestOtherFamily(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		r := table(t, ipv6)
		if err := r.Add(map[bool]netip.Addr{true: netip.MustParseAddr("192.0.2.1"), false: netip.MustParseAddr("2001:db8::1")}[ipv6]); err == nil || r.Len() != 0 {
			t.Errorf("an address of the other family is in a table for IPv6 %v", ipv6)
		}
	}
}
