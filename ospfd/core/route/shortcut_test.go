package route

import (
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// shortcuts makes a table of router 1, a border router of the backbone and of area 1, where router 6
// is one as well, with the area's shortcut.
func shortcuts(s Shortcut, kind Kind) *Table {
	tab := build(Area{ID: 0}, Area{ID: 1, Shortcut: s, Kind: kind})
	self(tab, 0, p2p(5, 10))
	self(tab, 1, p2p(6, 2), p2p(7, 1))
	tab.router(0, 5, packet.RouterB, p2p(1, 10))
	tab.router(1, 6, packet.RouterB|packet.RouterS, p2p(1, 2), stub("10.8.0.0/16", 50))
	tab.router(1, 7, 0, p2p(1, 1), p2p(9, 1)) // within the area: it need not set the S-bit
	return tab
}

// TestShortcut: summary-LSAs of areas beside the backbone's (draft-ietf-ospf-shortcut-abr-02): they
// give shorter ways, and ways where the backbone has none. Ways within areas stay.
func TestShortcut(t *testing.T) {
	both := slices.Concat(via(0, 5), via(1, 6))
	backbone, area := &Route{Type: Inter, Area: 0, Cost: 14, Hops: via(0, 5)}, &Route{Type: Inter, Area: 0, Cost: 5, Hops: via(1, 6)}
	only := &Route{Type: Inter, Area: 1, Cost: 3, Hops: via(1, 6)}
	tell := func(s Shortcut) *Table {
		tab := shortcuts(s, Normal)
		for _, p := range []string{"10.5.0.0/16", "10.7.0.0/16", "10.8.0.0/16"} {
			tab.summary(0, 5, p, 4, 0)
			tab.summary(1, 6, p, map[string]uint32{"10.5.0.0/16": 3, "10.7.0.0/16": 12, "10.8.0.0/16": 1}[p], 0)
		}
		tab.summary(1, 6, "10.6.0.0/16", 1, 0)
		tab.expect(t, "10.8.0.0/16", &Route{Type: Intra, Area: 1, Cost: 52, Hops: via(1, 6)})
		return tab
	}
	tab := tell(NoShortcut)
	tab.expect(t, "10.5.0.0/16", backbone)
	tab.expect(t, "10.6.0.0/16", nil)
	tab.expect(t, "10.7.0.0/16", backbone)
	tab = tell(ShortcutAlways)
	tab.router(1, 6, packet.RouterB, p2p(1, 2), stub("10.8.0.0/16", 50)) // whatever others do
	tab.expect(t, "10.5.0.0/16", area)
	tab.expect(t, "10.6.0.0/16", only)
	tab.expect(t, "10.7.0.0/16", &Route{Type: Inter, Area: 0, Cost: 14, Hops: both})

	tab = tell(ShortcutIfShared)
	is := func(what string, shared bool) {
		t.Helper()
		a, o := backbone, (*Route)(nil)
		if shared {
			a, o = area, only
		}
		tab.expect(t, "10.5.0.0/16", a)
		tab.expect(t, "10.6.0.0/16", o)
		if tab.Shortens(1) != shared || tab.Shortens(0) {
			t.Errorf("%s: %v in area 1, %v in the backbone", what, tab.Shortens(1), tab.Shortens(0))
		}
	}
	is("all set it", true)
	tab.router(1, 9, packet.RouterB, p2p(7, 1))
	is("a border router does not", false)
	tab.router(1, 9, packet.RouterB|packet.RouterS, p2p(7, 1))
	is("it does", true)
	tab.router(1, 9, packet.RouterE, p2p(7, 1))
	is("no border router", true)
	tab.router(1, 9, packet.RouterB)
	is("not reached", true)
	tab.summary(0, 5, "10.6.0.0/16", 90, 0)
	tab.expect(t, "10.6.0.0/16", &Route{Type: Inter, Area: 0, Cost: 3, Hops: via(1, 6)}) // the backbone has one
}

// TestShortcutDefault: border routers of a stub area do not follow each other's default route.
func TestShortcutDefault(t *testing.T) {
	for _, k := range []Kind{Stub, NSSA} {
		tab := shortcuts(ShortcutAlways, k)
		tab.summary(1, 6, "0.0.0.0/0", 1, 0)
		tab.expect(t, "0.0.0.0/0", nil)
		tab.summary(0, 5, "0.0.0.0/0", 4, 0)
		tab.expect(t, "0.0.0.0/0", &Route{Type: Inter, Area: 0, Cost: 14, Hops: via(0, 5)})
	}
}

// TestShortcutASBR: the same of AS boundary routers.
func TestShortcutASBR(t *testing.T) {
	for _, s := range []Shortcut{NoShortcut, ShortcutAlways} {
		tab := shortcuts(s, Normal)
		tab.external(0, packet.ExternalLSA, 20, "10.20.0.0/16", packet.External{Metric: 1}, 0)
		asbr := func(area, by packet.ID, metric uint32) {
			tab.Put(area, newLSA(area, packet.ASBRSummaryLSA, 20, by, 0, packet.Summary{Metric: metric}.Append(nil)).LSA)
		}
		want := func(area packet.ID, o *Route) {
			t.Helper()
			if b, ok := tab.ASBR(20); o != nil {
				o.Type = External1
				if !ok || b.Area != area || b.Cost+1 != o.Cost {
					t.Errorf("%+v", b)
				}
			}
			tab.expect(t, "10.20.0.0/16", o)
		}
		asbr(1, 6, 3)
		tab.Calculate()
		if s == NoShortcut {
			want(1, nil)
		} else {
			want(1, &Route{Cost: 6, Hops: via(1, 6)})
		}
		asbr(0, 5, 4)
		tab.Calculate()
		if s == NoShortcut {
			want(0, &Route{Cost: 15, Hops: via(0, 5)})
		} else {
			want(0, &Route{Cost: 6, Hops: via(1, 6)})
		}
	}
}
