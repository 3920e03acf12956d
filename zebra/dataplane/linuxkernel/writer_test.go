package linuxkernel

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// open makes a provider in an empty namespace.
func open(t testing.TB, opt Options) *Provider {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	if opt.Namespace == nil {
		opt.Namespace = emptyNamespace(t)
	}
	p, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func emptyNamespace(t testing.TB) *os.File {
	t.Helper()
	var f *os.File
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			f, err = os.Open("/proc/thread-self/ns/net")
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func blackhole(i int) dataplane.Route {
	a := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0})
	return dataplane.Route{Table: 254, Prefix: netip.PrefixFrom(a, 24), Metric: 20, Protocol: 196, Blackhole: true}
}

// TestAnswersLost makes the receive buffer so small that most answers to a
// batch of failures are lost: each operation must get its own verdict still.
func TestAnswersLost(t *testing.T) {
	p := open(t, Options{})
	if err := p.w.sock.conn.Control(func(fd uintptr) {
		if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<10); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if d := p.Apply(t.Context(), []dataplane.Op{dataplane.Put(dataplane.Link{Name: "lo", Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}})}); d[0].Err != nil {
		t.Fatal(d[0].Err)
	}
	var ops []dataplane.Op
	for i := range maxBatch {
		r := blackhole(i)
		if i%100 != 0 {
			r.Blackhole = false
			r.NextHops = []dataplane.NextHop{{Device: "lo", Gateway: netip.MustParseAddr("192.0.2.1")}}
		}
		ops = append(ops, dataplane.Put(r))
	}
	for i, r := range p.Apply(t.Context(), ops) {
		if good := i%100 == 0; good != (r.Err == nil) {
			t.Fatalf("operation %d: %v", i, r.Err)
		}
		if r.Err != nil && !strings.Contains(r.Err.Error(), "gateway") {
			t.Fatalf("operation %d: no word from the kernel in %q", i, r.Err)
		}
	}
	if p.Counters().Resent == 0 {
		t.Error("no answer was lost: the test tests nothing")
	}
}

// TestStaleIndex has the provider remember a wrong index for a device.
func TestStaleIndex(t *testing.T) {
	p := open(t, Options{})
	stale := func() { p.names.put(dataplane.LinkInfo{Name: "lo", Index: 9999}) }
	r := blackhole(1)
	r.Blackhole, r.NextHops = false, []dataplane.NextHop{{Device: "lo"}}
	for _, o := range []dataplane.Object{
		dataplane.Link{Name: "lo", Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}}, r,
		dataplane.Addr{Device: "lo", Prefix: netip.MustParsePrefix("192.0.2.1/32")},
		dataplane.Neighbor{Device: "lo", Addr: netip.MustParseAddr("192.0.2.2"), NBMA: netip.MustParseAddr("192.0.2.3")},
	} {
		stale()
		err := p.Apply(t.Context(), []dataplane.Op{dataplane.Put(o)})[0].Err
		if errors.Is(err, dataplane.ErrNoDevice) {
			t.Errorf("%v: %v", o.Key(), err)
		}
	}
}

func TestResultsWhenClosed(t *testing.T) {
	p := open(t, Options{})
	p.Close()
	r := p.Apply(t.Context(), []dataplane.Op{dataplane.Put(blackhole(1)), dataplane.Delete(blackhole(2).Key())})
	if !errors.Is(r[0].Err, dataplane.ErrClosed) || !errors.Is(r[1].Err, dataplane.ErrClosed) {
		t.Errorf("%v", r)
	}
	for {
		select {
		case _, ok := <-p.Events():
			if !ok {
				return
			}
		case <-time.After(10 * time.Second):
			t.Fatal("events do not end")
		}
	}
}

// TestOverflow lets notifications pile up unread until they overflow: the
// reader must find a Resync, and the present state.
func TestOverflow(t *testing.T) {
	p := open(t, Options{})
	other := open(t, Options{Namespace: p.opt.Namespace})
	const n = 60000
	var ops []dataplane.Op
	for i := range n {
		r := blackhole(i)
		r.Protocol = 4
		ops = append(ops, dataplane.Put(r))
	}
	for i, r := range other.Apply(t.Context(), ops) {
		if r.Err != nil {
			t.Fatalf("%v: %v", ops[i].Key, r.Err)
		}
	}
	timeout := time.After(time.Minute)
	known, resyncs := map[dataplane.Key]bool{}, 0
	for {
		select {
		case ev := <-p.Events():
			switch ev := ev.(type) {
			case dataplane.Resync:
				resyncs++
				clear(known)
			case dataplane.RouteChanged:
				known[ev.Route.Key()] = !ev.Gone
			case dataplane.Known:
				if resyncs < 2 {
					continue
				}
				if len(known) != n {
					t.Errorf("%d routes known", len(known))
				}
				return
			}
		case <-timeout:
			t.Fatalf("no second Resync; %d routes known", len(known))
		}
	}
}

// TestStateOutlivesCrash changes a switch and a link of others, forgets the
// provider without a word, and has another one put them back.
func TestStateOutlivesCrash(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	p := open(t, Options{StateFile: file})
	s := dataplane.Sysctl{Path: "ipv4/conf/lo/rp_filter", Value: "2"}
	l := dataplane.Link{Name: "lo", Attrs: dataplane.Attrs{Admin: dataplane.AdminUp, MTU: 1500}}
	before, err := p.readSysctl(s.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Apply(t.Context(), []dataplane.Op{dataplane.Put(s), dataplane.Put(l)}) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if v, _ := p.readSysctl(s.Path); v != "2" || before == "2" {
		t.Fatalf("rp_filter was %q, is %q", before, v)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o640 {
		t.Fatalf("%v %v", fi, err)
	}
	p.Close()
	q := open(t, Options{StateFile: file, Namespace: p.opt.Namespace})
	seen := false
	for o, err := range q.Dump(t.Context(), dataplane.KindSysctl) {
		seen = err == nil && o == dataplane.Object(s)
	}
	if !seen {
		t.Error("the next life does not know of the switch")
	}
	for _, r := range q.Apply(t.Context(), []dataplane.Op{dataplane.Put(s), dataplane.Delete(s.Key()), dataplane.Delete(l.Key())}) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if v, _ := q.readSysctl(s.Path); v != before {
		t.Errorf("rp_filter was %q, is %q", before, v)
	}
	d, _, err := q.device("lo")
	if err != nil || d.Up || d.MTU != 65536 {
		t.Errorf("lo is %+v", d.LinkInfo)
	}
}

func TestBadStateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	for _, text := range []string{"{", `{"Sysctls":null}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := New(Options{StateFile: file}); err == nil {
			p.Close()
			t.Errorf("%q was accepted", text)
		}
	}
}

// TestOwnRoutesAreNotTold writes routes and reads what is told: nothing of them.
func TestOwnRoutesAreNotTold(t *testing.T) {
	p := open(t, Options{})
	other := open(t, Options{Namespace: p.opt.Namespace})
	var ops []dataplane.Op
	for i := range 100 {
		ops = append(ops, dataplane.Put(blackhole(i)))
	}
	p.Apply(t.Context(), ops)
	p.Apply(t.Context(), []dataplane.Op{dataplane.Delete(blackhole(1).Key())})
	mark := blackhole(200)
	other.Apply(t.Context(), []dataplane.Op{dataplane.Delete(blackhole(7).Key()), dataplane.Put(mark)})
	timeout := time.After(10 * time.Second)
	var gone []dataplane.Key
	for {
		select {
		case ev := <-p.Events():
			g, ok := ev.(dataplane.ObjectGone)
			if !ok {
				continue
			}
			if gone = append(gone, g.Key); g.Key == mark.Key() {
				if len(gone) != 2 || gone[0] != blackhole(7).Key() {
					t.Errorf("told of %v", gone)
				}
				return
			}
		case <-timeout:
			t.Fatalf("told of %v", gone)
		}
	}
}

// FuzzParse feeds the parsers of notifications: none may panic.
func FuzzParse(f *testing.F) {
	var e encoder
	start := e.begin(unix.RTM_NEWROUTE, 0, 1)
	encodeRoute(&e, dataplane.Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Table: 1000, NextHops: []dataplane.NextHop{
		{Gateway: netip.MustParseAddr("fe80::1")}, {Weight: 3}}}, []int{1, 2})
	e.end(start)
	start = e.begin(unix.RTM_NEWLINK, 0, 1)
	linkHeader(&e, 3, 0, 0)
	info := e.open(unix.IFLA_LINKINFO)
	e.text(unix.IFLA_INFO_KIND, "gre")
	data := e.open(unix.IFLA_INFO_DATA)
	greData(&e, dataplane.Tunnel{HasKey: true, GREKey: 5}, 2)
	e.shut(data)
	e.shut(info)
	e.end(start)
	start = e.begin(unix.RTM_NEWADDR, 0, 1)
	encodeAddr(&e, dataplane.Addr{Prefix: netip.MustParsePrefix("10.0.0.1/32"), Peer: netip.MustParsePrefix("10.0.0.0/24")}, 1, 3)
	e.end(start)
	start = e.begin(unix.RTM_NEWNEIGH, 0, 1)
	neighHeader(&e, unix.AF_INET, 1, unix.NUD_PERMANENT)
	e.end(start)
	f.Add(e.b)
	p := &Provider{names: newNames()}
	f.Fuzz(func(_ *testing.T, b []byte) {
		for m := range messages(b) {
			parseLink(m)
			parseAddr(m)
			parseNeighbor(m)
			p.parseRoute(m)
			_ = verdict(m)
		}
	})
}
