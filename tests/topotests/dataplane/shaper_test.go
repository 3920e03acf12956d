package dataplane

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

// shaped is a shaper for a peer.
func shaped(n int, rate uint64) dataplane.Shaper {
	return dataplane.Shaper{Device: "Tunnel0", NBMA: nth(n), Rate: rate}
}

// classesOf returns the classes on Tunnel0 as somebody else sees them.
func classesOf(t *testing.T, e *lktest.Env) []netlink.Class {
	t.Helper()
	all, err := e.Handle.ClassList(e.Link("Tunnel0"), netlink.HANDLE_NONE)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// dumpedShapers returns the shapers in force by their peers.
func dumpedShapers(t *testing.T, e *lktest.Env) map[netip.Addr]dataplane.Shaper {
	t.Helper()
	all := map[netip.Addr]dataplane.Shaper{}
	for o, err := range e.P.Dump(t.Context(), dataplane.KindShaper) {
		if err != nil {
			t.Fatal(err)
		}
		s := o.(dataplane.Shaper)
		all[s.NBMA] = s
	}
	return all
}

// wantShapers compares what is in force with what is wanted.
func wantShapers(t *testing.T, e *lktest.Env, when string, want ...dataplane.Shaper) {
	t.Helper()
	have := dumpedShapers(t, e)
	for _, w := range want {
		if h, ok := have[w.NBMA]; !ok || !w.Equal(h) {
			t.Errorf("%s: %+v, wanted %+v", when, h, w)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%s: %d shapers, wanted %d: %+v", when, len(have), len(want), have)
	}
}

// TestShaperSeenFromOutside compares what iproute2 says with what was put.
func TestShaperSeenFromOutside(t *testing.T) {
	e := lktest.New(t)
	put(t, e.P, mgre, shaped(1, 1e6), shaped(2, 50e9))
	for n, rate := range []uint64{125000, 6250000000} { // bytes in a second
		h, ok := classesOf(t, e)[n].(*netlink.HtbClass)
		if !ok || h.Rate != rate || h.Ceil != rate || h.Handle != netlink.MakeHandle(0x676d, uint16(n+1)) {
			t.Errorf("rate %d: %+v", rate, h)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"tc qdisc show dev Tunnel0", "qdisc htb 676d: root"},
		{"tc qdisc show dev Tunnel0", "parent 676d:1 limit 256Kb"},
		{"tc filter show dev Tunnel0 parent 676d:", "godmvpn-shaper-v1"},
		{"tc class show dev Tunnel0", "burst 3000b cburst 3000b"},
	} {
		if text := strings.Join(strings.Fields(shown(t, e, strings.Fields(c.args)...)), " "); !strings.Contains(text, c.want) {
			t.Errorf("%s: no %q in %s", c.args, c.want, text)
		}
	}
	if err := apply(t, e.P, dataplane.Delete(shaped(1, 0).Key()), dataplane.Delete(shaped(2, 0).Key())); err != nil {
		t.Fatal(err)
	}
	if text := shown(t, e, "tc", "qdisc", "show", "dev", "Tunnel0"); strings.Contains(text, "htb") {
		t.Errorf("with nobody held down: %s", text)
	}
}

// burst sends packets to a station and returns how many bytes left for the NBMA
// address behind which it is, with their outer headers.
func (c *group) burst(station string, packets, size int) {
	c.Helper()
	for range packets {
		if _, err := c.from.WriteTo(make([]byte, size), &net.UDPAddr{IP: net.ParseIP(station), Port: 9}); err != nil && !errors.Is(err, unix.ENOBUFS) {
			c.Fatal(err) // ENOBUFS is how the kernel says that the queue is full
		}
	}
}

// left counts the bytes that left for each NBMA address.
func (c *group) left() map[netip.Addr]int {
	got := map[netip.Addr]int{}
	buf := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(c.wire, buf, unix.MSG_DONTWAIT)
		if err != nil {
			return got
		}
		if n > 28 && buf[9] == 47 {
			got[netip.AddrFrom4([4]byte(buf[16:20]))] += n
		}
	}
}

// TestShaperHolds sends the same to three stations: one whose peer is held down so
// much that most of it waits or is dropped, one that is held down to more than is
// sent, and one that is not held down. No packet is unaccounted for.
func TestShaperHolds(t *testing.T) {
	c := newGroup(t)
	const (
		slow, packets, size = 64000, 400, 1000
		whole               = size + 28 + 28 // with IPv4 and UDP, and with the outer IPv4 and GRE with key
	)
	shown(t, c.e, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/Tunnel0/disable_ipv6") // it speaks to groups of itself
	put(t, c.e.P, shaped(1, slow), shaped(2, 1e9))
	for n, station := range []string{"10.0.0.11", "10.0.0.12", "10.0.0.13"} {
		put(t, c.e.P, dataplane.Neighbor{Device: "Tunnel0", Addr: ip(station), NBMA: nth(n + 1)})
	}
	raw, err := c.from.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := raw.Control(func(fd uintptr) { // what waits is the sender's, who must not wait for it
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 64<<20)
	}); errors.Join(cerr, err) != nil {
		t.Fatal(cerr, err)
	}
	began := time.Now()
	for _, station := range []string{"10.0.0.11", "10.0.0.12", "10.0.0.13"} {
		c.burst(station, packets, size)
	}
	harness.Eventually(t, limit, func() error {
		if n := dumpedShapers(t, c.e)[nth(2)].Count; n.Packets != packets || n.Queued != 0 {
			return errors.New("the fast one has not sent everything")
		}
		return nil
	})
	got := c.left()
	bound := 3000 + whole + int(float64(slow)/8*time.Since(began).Seconds())
	if got[nth(1)] == 0 || got[nth(1)] > bound {
		t.Errorf("%d bytes left for the slow one, at most %d were allowed", got[nth(1)], bound)
	}
	for _, n := range []int{2, 3} {
		if got[nth(n)] != packets*whole {
			t.Errorf("%d bytes left for peer %d, wanted %d", got[nth(n)], n, packets*whole)
		}
	}
	have := dumpedShapers(t, c.e)
	if n := have[nth(1)].Count; n.Packets+n.Queued+n.Drops != packets || n.Drops == 0 || n.Queued == 0 || n.Bytes != n.Packets*whole {
		t.Errorf("the slow one: %+v", n)
	}
	if n := have[nth(2)].Count; n.Packets != packets || n.Drops != 0 {
		t.Errorf("the fast one: %+v", n)
	}
	before := have[nth(1)].Count
	put(t, c.e.P, peer(1))
	c.burst("224.0.0.9", 1, 200) // the copy for the peer waits in the same queue, or is dropped
	after := dumpedShapers(t, c.e)[nth(1)].Count
	if n := after.Packets + after.Queued + after.Drops; n != before.Packets+before.Queued+before.Drops+1 {
		t.Errorf("a copy of multicast: %+v, then %+v", before, after)
	}
}

// TestShaperOutlivesProvider ends a provider without a word. The next life knows the
// shapers, changes nothing that is to stay, and changes one without touching the
// others.
func TestShaperOutlivesProvider(t *testing.T) {
	e := lktest.New(t)
	opt := linuxkernel.Options{StateFile: filepath.Join(t.TempDir(), "saved.json")}
	e.P.Close()
	e.Open(opt)
	a, b, c := shaped(1, 1e6), shaped(2, 2e6), shaped(3, 3e6)
	put(t, e.P, mgre, a, b, c)
	e.P.Close()
	e.Open(opt)
	wantShapers(t, e, "in the next life", a, b, c)
	e.Changes()
	put(t, e.P, a, b, c)
	if n := e.Changes(); n != 0 {
		t.Errorf("%d changes by putting what is there", n)
	}
	if err := apply(t, e.P, dataplane.Delete(b.Key())); err != nil {
		t.Fatal(err)
	}
	wantShapers(t, e, "without one", a, c)
	e.P.Close()
	e.Open(opt)
	d := shaped(4, 4e6)
	put(t, e.P, d)
	wantShapers(t, e, "with another", a, c, d)
	e.P.Close()
	e.Open(opt)
	if c.Rate = 30e6; apply(t, e.P, dataplane.Put(c)) != nil {
		t.Error("another rate was refused")
	}
	wantShapers(t, e, "at another rate", a, c, d)

	// What is not known of anybody is told of as nobody's, and can be removed.
	e.P.Close()
	if err := os.Remove(opt.StateFile + ".shapers"); err != nil {
		t.Fatal(err)
	}
	e.Open(opt)
	nobody := dataplane.Shaper{Device: "Tunnel0"}
	wantShapers(t, e, "without the list", nobody)
	if err := apply(t, e.P, dataplane.Delete(nobody.Key())); err != nil {
		t.Fatal(err)
	}
	if have := classesOf(t, e); len(have) > 0 {
		t.Errorf("left: %+v", have)
	}
	put(t, e.P, a)
	wantShapers(t, e, "begun anew", a)
}

// TestShaperAmongOthers leaves somebody else's queueing discipline alone, and says so;
// when that goes it takes the place.
func TestShaperAmongOthers(t *testing.T) {
	e := lktest.New(t)
	put(t, e.P, mgre)
	theirs := netlink.NewPrio(netlink.QdiscAttrs{LinkIndex: e.Link("Tunnel0").Attrs().Index, Parent: netlink.HANDLE_ROOT, Handle: netlink.MakeHandle(7, 0)})
	if err := e.Handle.QdiscAdd(theirs); err != nil {
		t.Fatal(err)
	}
	if err := apply(t, e.P, dataplane.Put(shaped(1, 1e6))); err == nil || !strings.Contains(err.Error(), `somebody's "prio" queueing discipline`) {
		t.Errorf("beside somebody else's: %v", err)
	}
	if err := apply(t, e.P, dataplane.Delete(shaped(1, 0).Key())); err != nil {
		t.Error(err)
	}
	if text := shown(t, e, "tc", "qdisc", "show", "dev", "Tunnel0"); !strings.Contains(text, "prio 7:") {
		t.Errorf("somebody else's: %s", text)
	}
	if err := e.Handle.QdiscDel(theirs); err != nil {
		t.Fatal(err)
	}
	put(t, e.P, shaped(1, 1e6))

	// Somebody deletes our filter, or changes a class: both are put back.
	for name, damage := range map[string][]string{
		"filter": {"tc", "filter", "del", "dev", "Tunnel0", "parent", "676d:", "prio", "1"},
		"class":  {"tc", "class", "change", "dev", "Tunnel0", "parent", "676d:", "classid", "676d:1", "htb", "rate", "5mbit"},
	} {
		shown(t, e, damage...)
		harness.Eventually(t, limit, func() error {
			if have := dumpedShapers(t, e); len(have) == 1 && shaped(1, 1e6).Equal(have[nth(1)]) {
				return errors.New("the damage is not seen")
			}
			return nil
		})
		if err := apply(t, e.P, dataplane.Put(shaped(1, 1e6))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantShapers(t, e, name+" put back", shaped(1, 1e6))
	}
}

// TestManyShapers has as many as a large hub has spokes.
func TestManyShapers(t *testing.T) {
	e := lktest.New(t)
	put(t, e.P, mgre)
	var ops []dataplane.Op
	for n := range 1000 {
		ops = append(ops, dataplane.Put(shaped(n, uint64(n+1)*1e6)))
	}
	if err := apply(t, e.P, ops...); err != nil {
		t.Fatal(err)
	}
	have := dumpedShapers(t, e)
	for _, op := range ops {
		if w := op.Object.(dataplane.Shaper); !w.Equal(have[w.NBMA]) {
			t.Fatalf("%+v, wanted %+v", have[w.NBMA], w)
		}
	}
}
