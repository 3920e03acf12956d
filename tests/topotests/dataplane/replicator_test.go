package dataplane

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/mss"
)

var (
	replicator = dataplane.Multicast{Device: "Tunnel0"}
	clamp      = dataplane.MSSClamp{Device: "Tunnel0", MSS: 1360}
)

func peer(n int) dataplane.MulticastPeer {
	return dataplane.MulticastPeer{Device: "Tunnel0", NBMA: nth(n)}
}

func apply(t *testing.T, p dataplane.Provider, ops ...dataplane.Op) error {
	t.Helper()
	var errs []error
	for _, r := range p.Apply(t.Context(), ops) {
		errs = append(errs, r.Err)
	}
	return errors.Join(errs...)
}

// onTunnel returns what of tc is on Tunnel0: queueing discipline, and filters where
// packets leave, in their order.
func onTunnel(t *testing.T, e *lktest.Env) (all []string) {
	t.Helper()
	l := e.Link("Tunnel0")
	qs, err := e.Handle.QdiscList(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range qs {
		if q.Attrs().Parent == netlink.HANDLE_CLSACT {
			all = append(all, q.Type())
		}
	}
	fs, err := e.Handle.FilterList(l, netlink.HANDLE_MIN_EGRESS)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fs {
		all = append(all, f.(*netlink.BpfFilter).Name)
	}
	return all
}

func wantOnTunnel(t *testing.T, e *lktest.Env, when string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, onTunnel(t, e)); d != "" {
		t.Errorf("%s (-want +have):\n%s", when, d)
	}
}

const copies, clamps, foreigner = "godmvpn-multicast-v1", "godmvpn-mss-1360-v1", "somebody"

// foreign is a filter of somebody else where packets leave Tunnel0.
func foreign(t *testing.T, e *lktest.Env, priority uint16, handle uint32) *netlink.BpfFilter {
	t.Helper()
	prog, err := mss.Load(1000, mss.Network)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { prog.Close() })
	return &netlink.BpfFilter{FilterAttrs: netlink.FilterAttrs{LinkIndex: e.Link("Tunnel0").Attrs().Index, Handle: handle,
		Parent: netlink.HANDLE_MIN_EGRESS, Priority: priority, Protocol: unix.ETH_P_ALL}, Fd: prog.FD(), Name: foreigner, DirectAction: true}
}

// TestReplicatorAmongOthers has clamp and replicator come and go in any order, and
// somebody else's filters stay.
func TestReplicatorAmongOthers(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e := lktest.New(t)
	put(t, e.P, mgre, clamp, replicator)
	wantOnTunnel(t, e, "both", "clsact", copies, clamps)
	must(apply(t, e.P, dataplane.Delete(replicator.Key())))
	wantOnTunnel(t, e, "the clamp alone", "clsact", clamps)
	put(t, e.P, replicator)
	must(apply(t, e.P, dataplane.Delete(clamp.Key())))
	wantOnTunnel(t, e, "the replicator alone", "clsact", copies)
	must(apply(t, e.P, dataplane.Delete(replicator.Key())))
	wantOnTunnel(t, e, "neither")
	put(t, e.P, replicator, clamp)
	must(apply(t, e.P, dataplane.Delete(replicator.Key()), dataplane.Delete(clamp.Key())))
	wantOnTunnel(t, e, "neither again")

	put(t, e.P, replicator)
	must(e.Handle.FilterAdd(foreign(t, e, 9, 9)))
	must(apply(t, e.P, dataplane.Delete(replicator.Key())))
	wantOnTunnel(t, e, "with somebody", "clsact", foreigner)
	put(t, e.P, replicator)
	must(e.P.Apply(t.Context(), []dataplane.Op{dataplane.Delete(replicator.Key())})[0].Err)
	must(e.Handle.FilterAdd(foreign(t, e, 5, 0x6d6370)))
	if err := apply(t, e.P, dataplane.Put(replicator)); err == nil || !strings.Contains(err.Error(), "somebody's filter") {
		t.Errorf("in somebody's place: %v", err)
	}
	wantOnTunnel(t, e, "after the refusal", "clsact", foreigner, foreigner)
}

// TestReplicatorOutlivesProvider ends a provider without a word. What is sent goes
// on to everybody; the next life knows the list, changes nothing that is to stay,
// and changes one peer without touching the others.
func TestReplicatorOutlivesProvider(t *testing.T) {
	c := newGroup(t)
	opt := linuxkernel.Options{StateFile: filepath.Join(t.TempDir(), "saved.json")}
	e := c.e
	if err := apply(t, e.P, dataplane.Delete(replicator.Key())); err != nil {
		t.Fatal(err)
	}
	e.P.Close()
	e.Open(opt)
	put(t, e.P, replicator, peer(1), peer(2), peer(3))
	if err := apply(t, e.P, dataplane.Delete(peer(2).Key()), dataplane.Put(peer(4))); err != nil {
		t.Fatal(err)
	}
	list := map[netip.Addr]bool{nth(1): true, nth(3): true, nth(4): true}
	for life, change := range []dataplane.Op{dataplane.Put(peer(5)), dataplane.Delete(peer(1).Key()), dataplane.Put(peer(6))} {
		e.P.Close()
		c.wants("without a provider", list)
		e.Open(opt)
		var dumped []netip.Addr
		for o, err := range e.P.Dump(t.Context(), dataplane.KindMulticastPeer) {
			if err != nil {
				t.Fatal(err)
			}
			dumped = append(dumped, o.(dataplane.MulticastPeer).NBMA)
		}
		if len(dumped) != len(list) || slices.ContainsFunc(dumped, func(a netip.Addr) bool { return !list[a] }) {
			t.Errorf("life %d: dumped %v, wanted %v", life, dumped, list)
		}
		program := programOf(t, e)
		e.Changes()
		ops := []dataplane.Op{dataplane.Put(replicator)}
		for a := range list {
			ops = append(ops, dataplane.Put(dataplane.MulticastPeer{Device: "Tunnel0", NBMA: a}))
		}
		if err := apply(t, e.P, ops...); err != nil {
			t.Fatal(err)
		}
		if n := e.Changes(); n != 0 || programOf(t, e) != program {
			t.Errorf("life %d: %d changes by putting what is there", life, n)
		}
		if err := apply(t, e.P, change); err != nil {
			t.Fatal(err)
		}
		if list[change.Key.Prefix.Addr()] = true; change.IsDelete() {
			delete(list, change.Key.Prefix.Addr())
		}
		c.wants("after a change", list)
		if programOf(t, e) == program {
			t.Errorf("life %d: the program of the life before was changed", life)
		}
	}

	// The program of another version is replaced, with its list.
	e.P.Close()
	fs, err := e.Handle.FilterList(e.Link("Tunnel0"), netlink.HANDLE_MIN_EGRESS)
	if err != nil {
		t.Fatal(err)
	}
	old := fs[0].(*netlink.BpfFilter)
	prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(old.Id))
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	old.Fd, old.Name = prog.FD(), "godmvpn-multicast-v0"
	if err := e.Handle.FilterReplace(old); err != nil {
		t.Fatal(err)
	}
	e.Open(opt)
	outdated(t, e)
	put(t, e.P, replicator)
	wantOnTunnel(t, e, "with another version before", "clsact", copies)
	c.wants("with another version before", list)

	// A list that is not known is begun anew by a put, and until then goes on.
	e.P.Close()
	if err := os.Remove(opt.StateFile + ".multicast"); err != nil {
		t.Fatal(err)
	}
	e.Open(opt)
	c.wants("without a list", list)
	outdated(t, e)
	put(t, e.P, replicator, peer(9))
	c.wants("begun anew", map[netip.Addr]bool{nth(9): true})
}

// outdated checks that the replicator is not what a put would make.
func outdated(t *testing.T, e *lktest.Env) {
	t.Helper()
	n := 0
	for o, err := range e.P.Dump(t.Context(), dataplane.KindMulticast) {
		n++
		if m, ok := o.(dataplane.Multicast); err != nil || !ok || !m.Outdated {
			t.Errorf("dumped %+v: %v", o, err)
		}
	}
	if n != 1 {
		t.Errorf("%d replicators", n)
	}
}

// programOf is the number of the program that copies.
func programOf(t *testing.T, e *lktest.Env) int {
	t.Helper()
	fs, err := e.Handle.FilterList(e.Link("Tunnel0"), netlink.HANDLE_MIN_EGRESS)
	if err != nil || len(fs) != 1 {
		t.Fatalf("filters %v: %v", fs, err)
	}
	return fs[0].(*netlink.BpfFilter).Id
}

// TestReplicatorRefused makes a provider that may not load programs: it says so and
// refuses with the reason; the tunnel works, and multicast does not leave.
func TestReplicatorRefused(t *testing.T) {
	c := newGroup(t)
	if err := apply(t, c.e.P, dataplane.Delete(replicator.Key())); err != nil {
		t.Fatal(err)
	}
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
		p, err := linuxkernel.New(linuxkernel.Options{Namespace: c.e.NS})
		if err != nil {
			done <- err
			return
		}
		defer p.Close()
		if p.Caps().Multicast {
			t.Error("the provider claims what it cannot do")
		}
		put(t, p, mgre, dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")})
		if err := apply(t, p, dataplane.Put(peer(1))); !errors.Is(err, dataplane.ErrUnsupported) {
			t.Errorf("a peer: %v", err)
		}
		done <- apply(t, p, dataplane.Put(replicator))
	}()
	if err := <-done; !errors.Is(err, dataplane.ErrUnsupported) || !strings.Contains(err.Error(), "CAP_BPF") {
		t.Errorf("refused with: %v", err)
	}
	shown(t, c.e, "ip", "link", "set", "lo", "up")
	if got := c.send(100); len(got) > 0 {
		t.Errorf("multicast left to %v", got)
	}
}
