package dataplane

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

var counter = dataplane.Unmatched{Device: dataplane.FallbackGRE}

// counters returns what Dump has.
func counters(t *testing.T, e *lktest.Env) (all []dataplane.Object) {
	t.Helper()
	for o, err := range e.P.Dump(t.Context(), dataplane.KindUnmatched) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func gre0Up(e *lktest.Env) bool { return e.Link("gre0").Attrs().Flags&net.FlagUp != 0 }

// TestUnmatched has the counter come and go: the device is up as long, and only with
// the program where packets come in by it; a later life puts its own in its place.
func TestUnmatched(t *testing.T) {
	e := lktest.New(t)
	opt := linuxkernel.Options{StateFile: filepath.Join(t.TempDir(), "saved.json")}
	e.P.Close()
	e.Open(opt)
	put(t, e.P, mgre, counter)
	filter := func() int {
		t.Helper()
		fs, err := e.Handle.FilterList(e.Link("gre0"), netlink.HANDLE_MIN_INGRESS)
		if err != nil || len(fs) != 1 || fs[0].(*netlink.BpfFilter).Name != "godmvpn-unmatched-v1" || !gre0Up(e) {
			t.Fatalf("gre0 is up: %v, with filters %v: %v", gre0Up(e), fs, err)
		}
		return fs[0].(*netlink.BpfFilter).Id
	}
	first := filter()
	if have := counters(t, e); !slices.Equal(have, []dataplane.Object{counter}) {
		t.Errorf("in force: %+v", have)
	}
	e.Changes()
	put(t, e.P, counter)
	if n := e.Changes(); n != 0 {
		t.Errorf("%d changes when it was put again", n)
	}
	e.P.Close()
	if filter() != first {
		t.Error("the program went with the provider")
	}
	e.Open(opt)
	if have := counters(t, e); len(have) != 1 || !have[0].(dataplane.Unmatched).Outdated {
		t.Errorf("in the next life: %+v", have)
	}
	put(t, e.P, counter)
	if filter() == first {
		t.Error("nobody reads the program of the life before")
	}
	for range 2 {
		if err := apply(t, e.P, dataplane.Delete(counter.Key())); err != nil {
			t.Fatal(err)
		}
		if text := shown(t, e, "tc", "qdisc", "show", "dev", "gre0"); gre0Up(e) || strings.Contains(text, "clsact") {
			t.Errorf("left: gre0 is up: %v, %s", gre0Up(e), text)
		}
	}
}

// TestUnmatchedInUse leaves the device alone where somebody else uses it.
func TestUnmatchedInUse(t *testing.T) {
	e := lktest.New(t)
	put(t, e.P, mgre)
	e.SetUp("gre0", true)
	if err := apply(t, e.P, dataplane.Put(counter)); err == nil || !strings.Contains(err.Error(), "somebody uses it") {
		t.Errorf("with gre0 up: %v", err)
	}
	if err := apply(t, e.P, dataplane.Delete(counter.Key())); err != nil || !gre0Up(e) {
		t.Errorf("gre0 is up: %v, %v", gre0Up(e), err)
	}
	e.SetUp("gre0", false)
	put(t, e.P, counter)
}
