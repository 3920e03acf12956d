package linuxkernel_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/mss"
)

var clamp = dataplane.MSSClamp{Device: dptest.Under, MSS: 1360}

// clampEnv is an Env whose provider can clamp.
func clampEnv(t *testing.T, opt linuxkernel.Options) *lktest.Env {
	t.Helper()
	e := lktest.NewWith(t, opt)
	if c := e.P.Caps(); !c.MSSClamp {
		t.Skipf("%s has no MSS clamps", c.Name)
	}
	return e
}

func apply(t *testing.T, e *lktest.Env, op dataplane.Op) error {
	t.Helper()
	return e.P.Apply(t.Context(), []dataplane.Op{op})[0].Err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// attached returns what of tc is on Under, by vishvananda/netlink.
func attached(t *testing.T, e *lktest.Env) (all []string) {
	t.Helper()
	l := e.Link(dptest.Under)
	qs, err := e.Handle.QdiscList(l)
	must(t, err)
	for _, q := range qs {
		if q.Attrs().Parent == netlink.HANDLE_CLSACT {
			all = append(all, q.Type())
		}
	}
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		fs, err := e.Handle.FilterList(l, parent)
		must(t, err)
		for _, f := range fs {
			name := f.Type()
			if b, ok := f.(*netlink.BpfFilter); ok {
				if name = b.Name; name != foreignName && (!b.DirectAction || b.Priority != 7 || b.Handle != 0x6d7373) {
					t.Errorf("filter %+v", b)
				}
			}
			all = append(all, fmt.Sprintf("%x %s", parent&0xffff, name))
		}
	}
	return all
}

func wantAttached(t *testing.T, e *lktest.Env, when string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, attached(t, e)); d != "" {
		t.Errorf("%s (-want +have):\n%s", when, d)
	}
}

const foreignName = "somebody"

// foreign is a filter of somebody else.
func foreign(t *testing.T, e *lktest.Env, parent, handle uint32) *netlink.BpfFilter {
	t.Helper()
	prog, err := mss.Load(1000, mss.Ethernet)
	must(t, err)
	t.Cleanup(func() { prog.Close() })
	return &netlink.BpfFilter{FilterAttrs: netlink.FilterAttrs{LinkIndex: e.Link(dptest.Under).Attrs().Index,
		Handle: handle, Parent: parent, Priority: 7, Protocol: unix.ETH_P_ALL}, Fd: prog.FD(), Name: foreignName, DirectAction: true}
}

func qdisc(e *lktest.Env, kind string) netlink.Qdisc {
	return &netlink.GenericQdisc{QdiscType: kind, QdiscAttrs: netlink.QdiscAttrs{LinkIndex: e.Link(dptest.Under).Attrs().Index,
		Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}}
}

const atIngress, atEgress = "fff2 godmvpn-mss-1360-v1", "fff3 godmvpn-mss-1360-v1"

// TestClampAmongOthers has somebody else's queueing discipline and filters stay.
func TestClampAmongOthers(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		e := clampEnv(t, linuxkernel.Options{})
		must(t, apply(t, e, dataplane.Put(clamp)))
		wantAttached(t, e, "with the clamp", "clsact", atIngress, atEgress)
		if have, want := tag(t, e), tagOf(t, mss.Ethernet); have != want {
			t.Errorf("program %s, wanted %s", have, want)
		}
		must(t, apply(t, e, dataplane.Delete(clamp.Key())))
		wantAttached(t, e, "after it")
	})
	t.Run("clsact before", func(t *testing.T) {
		e := clampEnv(t, linuxkernel.Options{})
		must(t, e.Handle.QdiscAdd(qdisc(e, "clsact")))
		must(t, apply(t, e, dataplane.Put(clamp)))
		must(t, apply(t, e, dataplane.Delete(clamp.Key())))
		wantAttached(t, e, "after the clamp", "clsact")
	})
	t.Run("filter after", func(t *testing.T) {
		e := clampEnv(t, linuxkernel.Options{})
		must(t, apply(t, e, dataplane.Put(clamp)))
		must(t, e.Handle.FilterAdd(foreign(t, e, netlink.HANDLE_MIN_EGRESS, 9)))
		must(t, apply(t, e, dataplane.Delete(clamp.Key())))
		wantAttached(t, e, "after the clamp", "clsact", "fff3 somebody")
	})
	t.Run("filter in our place", func(t *testing.T) {
		e := clampEnv(t, linuxkernel.Options{})
		must(t, e.Handle.QdiscAdd(qdisc(e, "clsact")))
		must(t, e.Handle.FilterAdd(foreign(t, e, netlink.HANDLE_MIN_EGRESS, 0x6d7373)))
		if err := apply(t, e, dataplane.Put(clamp)); err == nil {
			t.Error("somebody's filter was replaced")
		}
		must(t, apply(t, e, dataplane.Delete(clamp.Key())))
		wantAttached(t, e, "after the refusal", "clsact", "fff3 somebody")
	})
	t.Run("ingress before", func(t *testing.T) {
		e := clampEnv(t, linuxkernel.Options{})
		must(t, e.Handle.QdiscAdd(qdisc(e, "ingress")))
		if err := apply(t, e, dataplane.Put(clamp)); err == nil || !strings.Contains(err.Error(), `somebody's "ingress"`) {
			t.Errorf("a clamp on a device whose egress has no filters: %v", err)
		}
		must(t, apply(t, e, dataplane.Delete(clamp.Key())))
		wantAttached(t, e, "after the refusal", "ingress")
	})
}

// tag returns the kernel's tag of the program at the ingress of Under.
func tag(t *testing.T, e *lktest.Env) string {
	t.Helper()
	filters, err := e.Handle.FilterList(e.Link(dptest.Under), netlink.HANDLE_MIN_INGRESS)
	must(t, err)
	return filters[0].(*netlink.BpfFilter).Tag
}

// tagOf returns the tag that the program for a kind of header has.
func tagOf(t *testing.T, h mss.Header) string {
	t.Helper()
	prog, err := mss.Load(clamp.MSS, h)
	must(t, err)
	defer prog.Close()
	info, err := prog.Info()
	must(t, err)
	return info.Tag
}

// TestClampOutlivesProvider ends a provider without a word; the next knows the
// clamp, and that clsact was its own.
func TestClampOutlivesProvider(t *testing.T) {
	opt := linuxkernel.Options{StateFile: filepath.Join(t.TempDir(), "saved.json")}
	e := clampEnv(t, opt)
	must(t, apply(t, e, dataplane.Put(clamp)))
	must(t, e.P.Close())
	wantAttached(t, e, "without a provider", "clsact", atIngress, atEgress)
	e.Open(opt)
	dumped := func() (all []dataplane.Object) {
		for o, err := range e.P.Dump(t.Context(), dataplane.KindMSSClamp) {
			must(t, err)
			all = append(all, o)
		}
		return all
	}
	if d := cmp.Diff([]dataplane.Object{clamp}, dumped()); d != "" {
		t.Error(d)
	}
	e.Changes()
	must(t, apply(t, e, dataplane.Put(clamp)))
	if n := e.Changes(); n != 0 {
		t.Errorf("%d changes", n)
	}
	// Half of it, and one of another version, are not what is wanted.
	filters, err := e.Handle.FilterList(e.Link(dptest.Under), netlink.HANDLE_MIN_EGRESS)
	must(t, err)
	must(t, e.Handle.FilterDel(filters[0]))
	half := dataplane.MSSClamp{Device: dptest.Under}
	if d := cmp.Diff([]dataplane.Object{half}, dumped()); d != "" {
		t.Errorf("with half: %s", d)
	}
	must(t, apply(t, e, dataplane.Put(clamp)))
	filters, err = e.Handle.FilterList(e.Link(dptest.Under), netlink.HANDLE_MIN_INGRESS)
	must(t, err)
	old := filters[0].(*netlink.BpfFilter)
	prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(old.Id))
	must(t, err)
	defer prog.Close()
	old.Fd, old.Name = prog.FD(), "godmvpn-mss-1360-v0"
	must(t, e.Handle.FilterReplace(old))
	if d := cmp.Diff([]dataplane.Object{half}, dumped()); d != "" {
		t.Errorf("with one of another version: %s", d)
	}
	must(t, apply(t, e, dataplane.Put(clamp)))
	wantAttached(t, e, "put again", "clsact", atIngress, atEgress)
	must(t, apply(t, e, dataplane.Delete(clamp.Key())))
	wantAttached(t, e, "at the end")
}

// TestClampTransfers has a connection over a clamped device: both ends get the
// limit, and what is sent arrives.
func TestClampTransfers(t *testing.T) {
	e := clampEnv(t, linuxkernel.Options{})
	far := lktest.Namespace(t)
	must(t, e.Handle.LinkSetNsFd(e.Link(dptest.Under+"-peer"), int(far.Fd())))
	h, err := netlink.NewHandleAt(netns.NsHandle(far.Fd()))
	must(t, err)
	t.Cleanup(h.Close)
	peer, err := h.LinkByName(dptest.Under + "-peer")
	must(t, err)
	a, err := netlink.ParseAddr("192.0.2.2/24")
	must(t, err)
	must(t, h.AddrAdd(peer, a))
	must(t, h.LinkSetUp(peer))
	for _, limit := range []uint16{1360, 600} {
		must(t, apply(t, e, dataplane.Put(dataplane.MSSClamp{Device: dptest.Under, MSS: limit})))
		var l net.Listener
		lktest.In(t, far, func() (err error) { l, err = net.Listen("tcp4", "192.0.2.2:0"); return err })
		sizes := make(chan int, 2)
		go func() {
			c, err := l.Accept()
			if err != nil {
				sizes <- -1
				return
			}
			defer c.Close()
			sizes <- segment(c)
			_, _ = io.Copy(c, c)
		}()
		var c net.Conn
		e.Do(func() (err error) { c, err = net.DialTimeout("tcp4", l.Addr().String(), 10*time.Second); return err })
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		sizes <- segment(c)
		data := make([]byte, 100_000)
		sent := make(chan error, 1)
		go func() { _, err := c.Write(data); sent <- err }()
		if _, err := io.ReadFull(c, make([]byte, len(data))); err != nil {
			t.Error(err)
		}
		must(t, <-sent)
		c.Close()
		l.Close()
		// Timestamps take 12 bytes of each segment.
		if got := []int{<-sizes, <-sizes}; !slices.Equal(got, []int{int(limit) - 12, int(limit) - 12}) {
			t.Errorf("with %d the ends send segments of %v", limit, got)
		}
	}
}

// segment returns the size of the segments that an end sends, as it knows from
// the other's SYN.
func segment(c net.Conn) (n int) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { n, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) })
	}
	return n
}

// TestClampRefused makes a provider that may not load programs: it says so, and
// refuses clamps with the reason.
func TestClampRefused(t *testing.T) {
	e := clampEnv(t, linuxkernel.Options{})
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		data[0].Effective, data[0].Permitted = 1<<unix.CAP_NET_ADMIN, 1<<unix.CAP_NET_ADMIN
		if err := unix.Capset(&header, &data[0]); err != nil {
			done <- err
			return
		}
		p, err := linuxkernel.New(linuxkernel.Options{Namespace: e.NS})
		if err != nil {
			done <- err
			return
		}
		if p.Caps().MSSClamp {
			t.Error("the provider claims what it cannot do")
		}
		refused := p.Apply(t.Context(), []dataplane.Op{dataplane.Put(clamp)})[0].Err
		p.Close() // before the test's end takes the namespace away
		done <- refused
	}()
	if err := <-done; !errors.Is(err, dataplane.ErrUnsupported) || !strings.Contains(err.Error(), "CAP_BPF") {
		t.Errorf("refused with: %v", err)
	}
	wantAttached(t, e, "after the refusal")
}
