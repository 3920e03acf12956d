package classify

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
)

// loaded loads the program, or skips the test where that is not allowed.
func loaded(t testing.TB) *Classifier {
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

// outer is a packet with the outer header of GRE, as it comes to the queueing
// discipline, and then some.
func outer(dst string) []byte {
	d := ip(dst).As4()
	b := append([]byte{0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, 255, 47, 0, 0, 192, 0, 2, 1}, d[:]...)
	return append(b, make([]byte, 60)...)
}

// RFC 791 section 3.1: the destination of the outer header decides; what has no such
// header, as the kernel writes it, is in no class.
func TestClass(t *testing.T) {
	c := loaded(t)
	const gold, silver = 0x676d0001, 0x676dfffe
	for nbma, class := range map[string]uint32{"198.51.100.1": gold, "203.0.113.1": silver, "203.0.113.9": gold} {
		if err := c.Put(ip(nbma), class); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.Remove(ip("203.0.113.9")), c.Remove(ip("203.0.113.10"))); err != nil {
		t.Fatal(err)
	}
	with := func(b []byte, at int, v byte) []byte { b[at] = v; return b }
	for name, x := range map[string]struct {
		packet []byte
		want   uint32
	}{
		"a peer":               {outer("198.51.100.1"), gold},
		"another":              {outer("203.0.113.1"), silver},
		"one that went":        {outer("203.0.113.9"), noClass},
		"nobody's":             {outer("203.0.113.2"), noClass},
		"a header's beginning": {outer("198.51.100.1")[:19], noClass},
		"options":              {with(outer("198.51.100.1"), 0, 0x46), noClass},
		"IPv6":                 {with(outer("198.51.100.1"), 0, 0x60), noClass},
		"another protocol":     {with(outer("198.51.100.1"), 9, 4), noClass},
	} {
		ret, err := c.prog.Run(&ebpf.RunOptions{Data: x.packet})
		if name == "a header's beginning" && err != nil {
			continue // newer kernels run no program on so little
		}
		if err != nil || ret != x.want {
			t.Errorf("%s: %#x, want %#x (%v)", name, ret, x.want, err)
		}
	}
}

// TestFull fills the table, and has the last one come when another has gone.
func TestFull(t *testing.T) {
	c := loaded(t)
	nth := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}) }
	for n := range MaxPeers {
		if err := c.Put(nth(n), uint32(n+1)); err != nil {
			t.Fatalf("peer %d: %v", n, err)
		}
	}
	if err := c.Put(nth(MaxPeers), 1); err == nil {
		t.Error("one too many")
	}
	if err := errors.Join(c.Remove(nth(7)), c.Put(nth(MaxPeers), 8)); err != nil {
		t.Error(err)
	}
}

// TestRevision fails when the program changes and its Revision does not.
func TestRevision(t *testing.T) {
	spec := programSpec(0)
	sum := sha256.Sum256([]byte(fmt.Sprint(spec.Instructions)))
	const want = "35dcee20a7a513e0"
	if have := fmt.Sprintf("%x", sum[:8]); have != want {
		t.Errorf("revision %d has the program %s; if that is a new one, count Revision up and write it here:\n%s",
			Revision, have, strings.TrimSpace(fmt.Sprint(spec.Instructions)))
	}
}
