package dptest

import (
	"errors"
	"slices"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

var detector = dataplane.Hairpin{Device: "Tunnel0", Group: 7}

func (t *T) needHairpin() {
	t.Helper()
	t.need(t.p.Caps().GRE, "GRE")
	t.need(t.p.Caps().Hairpin, "detection of hairpins")
}

func testHairpin(t *T) {
	t.needHairpin()
	if err := t.apply(dataplane.Put(detector))[0]; !errors.Is(err, dataplane.ErrNoDevice) {
		t.Errorf("a detector on a device that is not there: %v", err)
	}
	if err := t.apply(dataplane.Put(dataplane.Hairpin{Device: Under, Outdated: true}))[0]; !errors.Is(err, dataplane.ErrInvalid) {
		t.Errorf("an outdated detector: %v", err)
	}
	second := mgre()
	second.Name, second.GREKey = "Tunnel1", 7
	other := dataplane.Hairpin{Device: "Tunnel1"}
	t.put(mgre(), second, detector, other)
	moved := detector
	moved.Group = 8
	t.put(moved)
	t.wants(other)
	t.drop(moved)
	t.gone(detector.Key())
	t.wants(other)
	t.put(detector)
	t.drop(mgre())
	t.gone(detector.Key())
	t.must(dataplane.Delete(detector.Key()))
	t.put(mgre(), detector)
}

func testHairpinGone(t *T) {
	t.needHairpin()
	t.forget()
	t.put(mgre(), detector)
	t.link("Tunnel0", func(l dataplane.LinkInfo) bool { return l.Own })
	t.Remove(detector)
	t.event("detector gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: detector.Key()} })
	t.put(detector)
}

// testHairpinOthers has all kinds of filters on one tunnel, in any order.
func testHairpinOthers(t *T) {
	t.needHairpin()
	t.needMulticast()
	t.need(t.p.Caps().MSSClamp, "MSS clamps")
	c := dataplane.MSSClamp{Device: "Tunnel0", MSS: 1360}
	t.put(mgre())
	all := []dataplane.Object{detector, replicator, c}
	if t.p.Caps().PeerUse {
		all = append(all, usage)
	}
	for i, first := range all {
		others := slices.Concat(all[i+1:], all[:i])
		t.put(first)
		t.put(others...)
		t.drop(first)
		t.wants(others...)
		t.put(first)
		t.drop(others...)
		t.wants(first)
		for _, o := range others {
			t.gone(o.Key())
		}
		t.drop(first)
		t.gone(first.Key())
	}
}
