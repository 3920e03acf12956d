package core

import (
	"net/netip"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/rib"
)

func drawPrefix(t *rapid.T) netip.Prefix {
	a := addrOf(rapid.SampledFrom([]uint32{0, 0x0a000000, 0x0a000100, 0xc0a80000, 0xffffff00}).Draw(t, "network") | rapid.Uint32Range(0, 3).Draw(t, "host"))
	p, _ := a.Prefix(rapid.SampledFrom([]int{0, 1, 8, 16, 24, 30, 31, 32}).Draw(t, "bits"))
	return p
}

// TestKey compares keys with the prefixes that they stand for.
func TestKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := drawPrefix(t), drawPrefix(t)
		k, l := keyOf(p), keyOf(q)
		if k.prefix() != p {
			t.Fatalf("%v became %v", p, k.prefix())
		}
		less := p.Addr().Less(q.Addr()) || p.Addr() == q.Addr() && p.Bits() < q.Bits()
		if (k < l) != less {
			t.Fatalf("%v < %v: %v", p, q, k < l)
		}
		if inside := p.Bits() <= q.Bits() && p.Contains(q.Addr()); k.covers(l) != inside {
			t.Fatalf("%v covers %v: %v", p, q, k.covers(l))
		}
	})
}

// TestTableAgainstModel adds and removes routes; walks have all that were there at
// the last sort, in order.
func TestTableAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x table
		model := map[key]bool{}
		for range rapid.IntRange(0, 60).Draw(t, "operations") {
			k := keyOf(drawPrefix(t))
			if r := x.get(k); (r != nil) != model[k] {
				t.Fatalf("%v: %v, want %v", k.prefix(), r, model[k])
			} else if r != nil {
				x.remove(r)
				delete(model, k)
			} else {
				x.add(k)
				model[k] = true
			}
			if rapid.Bool().Draw(t, "sort") {
				x.sort()
			}
		}
		x.sort()
		from := keyOf(drawPrefix(t))
		check := func(what string, got []*route, in func(key) bool) {
			var want, have []key
			for k := range model { // unordered: sorted below
				if in(k) {
					want = append(want, k)
				}
			}
			slices.Sort(want)
			for _, r := range got {
				if !r.removed {
					have = append(have, r.key)
				}
			}
			if !slices.Equal(have, want) {
				t.Fatalf("%s %v: %v, want %v", what, from.prefix(), have, want)
			}
		}
		check("all", x.all(), func(key) bool { return true })
		check("after", x.after(from), func(k key) bool { return k >= from })
		check("within", x.within(from), from.covers)
	})
}

// TestTableForgets: routes that come and go leave nothing behind.
func TestTableForgets(t *testing.T) {
	var x table
	for k := range 100_000 {
		x.remove(x.add(key(k)<<8 | 32))
	}
	if n := len(x.order) + len(x.fresh); n > 200 {
		t.Errorf("%d routes are kept of none", n)
	}
}

// TestSizes holds what the memory of many routes depends on.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(route{}); n > 48 {
		t.Errorf("a route takes %d octets", n)
	}
	if n := unsafe.Sizeof(path{}); n > 64 {
		t.Errorf("a path takes %d octets", n)
	}
}

func TestOrigins(t *testing.T) {
	var r route
	set := func(want bool, o origin) {
		t.Helper()
		if got := r.setOrigin(o); got != want {
			t.Errorf("set %+v: %v", o, got)
		}
	}
	order := func(want ...uint8) {
		t.Helper()
		var got []uint8
		for o := r.own; o != nil; o = o.next {
			got = append(got, o.metric)
		}
		if !slices.Equal(got, want) {
			t.Errorf("origins %v, want %v", got, want)
		}
	}
	set(true, origin{source: SourceRedistributed, protocol: rib.Static, metric: 5})
	set(true, origin{source: SourceConnected, iface: "b", metric: 1})
	set(true, origin{source: SourceStatic, metric: 2})
	set(true, origin{source: SourceRedistributed, protocol: rib.OSPF, instance: 1, metric: 6})
	order(1, 2, 5, 6)
	set(false, origin{source: SourceStatic, metric: 2})
	set(true, origin{source: SourceStatic, metric: 3})
	set(true, origin{source: SourceConnected, iface: "a", metric: 4})
	order(4, 1, 3, 5, 6)
	if m, _ := r.best(); m != 4 {
		t.Errorf("best metric %d", m)
	}
	if !r.dropOrigin(origin{source: SourceConnected, iface: "a"}) || r.dropOrigin(origin{source: SourceConnected, iface: "a"}) {
		t.Error("an origin goes once")
	}
	order(1, 3, 5, 6)
}
