package dataplane

import (
	"testing"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

// carrier is the device by which multipoint tunnels over IPv6 send.
const carrier = "godmvpn-gre6"

// TestCarrier: it comes with the first multipoint tunnel over IPv6 and goes with the
// last, whether that is deleted or gets another transport. Somebody takes it away, or the filter of a tunnel: that is told, and the
// tunnel is found not to be as it should. A later life finds all as it should be.
func TestCarrier(t *testing.T) {
	e := lktest.New(t)
	m := mgre
	m.Local, m.Underlay = ip("2001:db8:f::1"), ""
	second := m
	second.Name, second.GREKey = "Tunnel1", 7
	there := func() bool { _, err := e.Handle.LinkByName(carrier); return err == nil }
	state := func() dataplane.Tunnel {
		for o, err := range e.P.Dump(t.Context(), dataplane.KindTunnel) {
			if err != nil {
				t.Fatal(err)
			}
			if o.Key() == m.Key() {
				return o.(dataplane.Tunnel)
			}
		}
		t.Fatal("the tunnel is not there")
		return dataplane.Tunnel{}
	}
	put(t, e.P, m, second)
	if !there() || state().Outdated {
		t.Fatalf("carrier %v, tunnel %+v", there(), state())
	}

	e.Open(linuxkernel.Options{}) // a later life
	writes := e.P.Counters().Writes
	put(t, e.P, m, second)
	if n := e.P.Counters().Writes - writes; n != 0 || state().Outdated {
		t.Errorf("%d changes in a later life, tunnel %+v", n, state())
	}
	for what, remove := range map[string]func() error{
		"the carrier": func() error { return e.Handle.LinkDel(e.Link(carrier)) },
		"the filters": func() error { shown(t, e, "tc", "qdisc", "del", "dev", m.Name, "clsact"); return nil },
	} {
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		await(t, e.P, "the tunnel without "+what, func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: m.Key()} })
		if !state().Outdated {
			t.Errorf("without %s the tunnel is as it should be", what)
		}
		put(t, e.P, m, second)
		if !there() || state().Outdated {
			t.Errorf("%s: carrier %v, tunnel %+v", what, there(), state())
		}
	}

	for i, k := range []dataplane.Key{m.Key(), second.Key()} {
		if r := e.P.Apply(t.Context(), []dataplane.Op{dataplane.Delete(k)}); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		if there() != (i == 0) {
			t.Errorf("after %d tunnels are gone, the carrier is there: %v", i+1, there())
		}
	}
	put(t, e.P, m)
	if !there() {
		t.Error("the carrier does not come back")
	}
	m.Local = ip("192.0.2.1")
	put(t, e.P, m)
	if there() {
		t.Error("the carrier is there without a tunnel over IPv6")
	}
}
