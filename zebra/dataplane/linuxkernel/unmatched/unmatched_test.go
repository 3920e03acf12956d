package unmatched

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// loaded loads the program, or skips the test where that is not allowed.
func loaded(t testing.TB) *Counter {
	t.Helper()
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("locked memory: %v", err)
	}
	c, err := New()
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs CAP_BPF and CAP_NET_ADMIN: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// gre is a packet with an outer header of words words, and then what is given.
func gre(words int, src, dst string, rest ...byte) []byte {
	b := make([]byte, 4*words, 4*words+len(rest)+64)
	b[0], b[8], b[9] = 0x40|byte(words), 255, 47
	s, d := ip(src).As4(), ip(dst).As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	return append(append(b, rest...), make([]byte, 40)...)
}

// RFC 2784 section 2, RFC 2890 section 2: the key is behind the checksum, if there is
// one. Every packet is dropped, counted or not.
func TestCount(t *testing.T) {
	c := loaded(t)
	run := func(b []byte) {
		t.Helper()
		if ret, err := c.prog.Run(&ebpf.RunOptions{Data: b}); err != nil || ret != Verdict {
			t.Errorf("%x: verdict %d, %v", b, int32(ret), err)
		}
	}
	for range 3 {
		run(gre(5, "198.51.100.1", "192.0.2.1", 0x20, 0, 0x20, 1, 0, 0, 0, 99))
	}
	run(gre(5, "198.51.100.1", "192.0.2.1", 0, 0, 8, 0))
	run(gre(5, "198.51.100.1", "192.0.2.1", 0x20, 0, 8, 0, 0, 0, 0, 0))                        // key 0 is a key
	run(gre(5, "203.0.113.1", "192.0.2.1", 0xa0, 0, 8, 0, 1, 2, 3, 4, 0xff, 0xff, 0xff, 0xfe)) // with a checksum
	run(gre(5, "203.0.113.1", "192.0.2.1", 0xb0, 0, 8, 0, 1, 2, 3, 4, 0, 0, 0, 7, 0, 0, 0, 1)) // and a sequence number
	run(gre(7, "203.0.113.2", "192.0.2.2", 0x20, 0, 8, 0, 0, 0, 0, 8))                         // IP options
	other := gre(5, "203.0.113.3", "192.0.2.1", 0, 0, 8, 0)
	other[9] = 17
	run(other)
	six := gre(5, "203.0.113.3", "192.0.2.1", 0, 0, 8, 0)
	six[0] = 0x60
	run(six)
	run(gre(5, "203.0.113.3", "192.0.2.1")[:20])
	run(gre(15, "203.0.113.3", "192.0.2.1")[:40])
	got, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	want := []Row{
		{ip("198.51.100.1"), ip("192.0.2.1"), 0, false, 1},
		{ip("198.51.100.1"), ip("192.0.2.1"), 0, true, 1},
		{ip("198.51.100.1"), ip("192.0.2.1"), 99, true, 3},
		{ip("203.0.113.1"), ip("192.0.2.1"), 7, true, 1},
		{ip("203.0.113.1"), ip("192.0.2.1"), 0xfffffffe, true, 1},
		{ip("203.0.113.2"), ip("192.0.2.2"), 8, true, 1},
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.SortSlices(func(a, b Row) bool { return !a.HasKey && b.HasKey })); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	c.Close()
	if _, err := c.Read(); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestMany sends from more sources than there is room for.
func TestMany(t *testing.T) {
	c := loaded(t)
	for n := range 2 * MaxRows {
		if _, err := c.prog.Run(&ebpf.RunOptions{Data: gre(5, fmt.Sprintf("10.0.%d.%d", n>>8, n&255), "192.0.2.1", 0, 0, 8, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := c.Read()
	if err != nil || len(rows) == 0 || len(rows) > MaxRows {
		t.Errorf("%d rows: %v", len(rows), err)
	}
}

// TestRevision reminds whoever changes the program of its revision.
func TestRevision(t *testing.T) {
	var code bytes.Buffer
	if err := programSpec(3).Instructions.Marshal(&code, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	const want = "4e763a81e355782d"
	if got := fmt.Sprintf("%x", sha256.Sum256(code.Bytes()))[:16]; got != want {
		t.Errorf("the program became %s: count Revision (%d) up, and note it here", got, Revision)
	}
}
