package core

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// shortcut makes a router one of type ABRShortcut, with `area 1 shortcut`.
func shortcut(r *router, s AreaShortcut) {
	r.instance().ABR, r.instance().Areas = ABRShortcut, []AreaConfig{{ID: 1, Shortcut: s}}
	r.configure()
}

// TestShortcut: border routers b and c are neighbours in the backbone, where it is far, and in area
// 1. By that area they reach each other's areas 3 and 2 if both want it, and tell these what it costs
// then (draft-ietf-ospf-shortcut-abr-02). What is told never leads back.
func TestShortcut(t *testing.T) {
	l := newTown(t)
	b := l.router("b", byAddress()).on("backbone", "Eth0", "10.0.1.1/24").on("short", "Eth1", "10.1.0.1/24").on("bz", "Eth2", "10.3.0.1/24")
	c := l.router("c", byAddress()).on("backbone", "Eth0", "10.0.1.2/24").on("short", "Eth1", "10.1.0.2/24").on("", "Eth9", "10.2.92.1/24")
	z := l.router("z", byAddress()).on("bz", "Eth0", "10.3.0.3/24").on("", "Eth9", "10.3.93.1/24")
	b.iface("Eth0").Cost, c.iface("Eth0").Cost = 100, 100
	l.start()
	far := func() {
		t.Helper()
		z.want("IA 10.0.1.0/24 [110/101] via 10.3.0.1 Eth0", "IA 10.1.0.0/24 [110/2] via 10.3.0.1 Eth0", "IA 10.2.92.0/24 [110/102] via 10.3.0.1 Eth0")
		b.want("IA 10.2.92.0/24 [110/101] via 10.0.1.2 Eth0", "O 10.3.93.0/24 [110/2] via 10.3.0.3 Eth2")
		c.want("IA 10.3.0.0/24 [110/101] via 10.0.1.1 Eth0", "IA 10.3.93.0/24 [110/102] via 10.0.1.1 Eth0")
	}
	bits := func(want ...string) {
		t.Helper()
		l.until(time.Minute, "router-LSAs", func() bool {
			return slices.Equal(slices.DeleteFunc(b.lsas(packet.RouterLSA), func(s string) bool { return s[:8] != "0.0.0.1:" }), want)
		})
	}
	link := " transit 10.1.0.2/10.1.0."
	far()
	shortcut(b, ShortcutEnable)
	bits("0.0.0.1: 0.0.0.1 of 0.0.0.1: B, S,"+link+"1 1", "0.0.0.1: 0.0.0.2 of 0.0.0.2: B,"+link+"2 1")
	far() // c does not want it
	shortcut(c, ShortcutDefault)
	far() // nor with a neighbour in the backbone
	shortcut(c, ShortcutEnable)
	near := func() {
		t.Helper()
		z.want("IA 10.0.1.0/24 [110/101] via 10.3.0.1 Eth0", "IA 10.1.0.0/24 [110/2] via 10.3.0.1 Eth0", "IA 10.2.92.0/24 [110/3] via 10.3.0.1 Eth0")
		b.want("IA 10.2.92.0/24 [110/2] via 10.1.0.2 Eth1", "O 10.3.93.0/24 [110/2] via 10.3.0.3 Eth2")
		c.want("IA 10.3.0.0/24 [110/2] via 10.1.0.1 Eth1", "IA 10.3.93.0/24 [110/3] via 10.1.0.1 Eth1")
	}
	near()
	for _, s := range b.lsas(packet.SummaryLSA) {
		if s[:8] == "0.0.0.1:" && (s[9:18] == "10.2.92.0" && s[22:29] != "0.0.0.2" || s[9:17] == "10.3.0.0" && s[21:28] != "0.0.0.1") {
			t.Errorf("told into the area that it leads by: %s", s)
		}
	}
	shortcut(b, ShortcutDisable)
	far()
	shortcut(b, ShortcutEnable)
	near()
	c.instance().ABR = ABRCisco
	c.configure()
	far()
}

// TestShortcutAlone: a router of areas 1 and 3 that is not in the backbone: as a border router of
// type ABRShortcut it tells them of each other, and takes what is told there of others, which it does
// not tell on.
func TestShortcutAlone(t *testing.T) {
	l := newTown(t)
	b := l.router("b", byAddress()).on("backbone", "Eth0", "10.0.1.1/24").on("one", "Eth1", "10.1.0.1/24")
	s := l.router("s", byAddress()).on("one", "Eth0", "10.1.0.2/24").on("three", "Eth1", "10.3.0.2/24")
	z := l.router("z", byAddress()).on("three", "Eth0", "10.3.0.3/24").on("", "Eth9", "10.3.93.1/24")
	l.start()
	inner := "O 10.3.93.0/24 [110/2] via 10.3.0.3 Eth1"
	others := "IA 10.0.1.0/24 [110/2] via 10.1.0.1 Eth0"
	is := func(border bool, bit string, routes ...string) {
		t.Helper()
		s.want(routes...)
		st := s.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0]
		if st.AreaBorder != border || st.Areas[0].ShortcutBit != (bit != "") || st.Areas[0].Shortcut != (bit != "") {
			t.Errorf("border router: %v, area %+v", st.AreaBorder, st.Areas[0])
		}
	}
	b.want()
	is(false, "", others, inner)
	z.want()
	shortcut(s, ShortcutDefault)
	b.want("IA 10.3.0.0/24 [110/2] via 10.1.0.2 Eth1", "IA 10.3.93.0/24 [110/3] via 10.1.0.2 Eth1")
	is(true, "S", others, inner)
	z.want("IA 10.1.0.0/24 [110/2] via 10.3.0.2 Eth0") // not 10.0.1.0/24
	shortcut(s, ShortcutDisable)
	is(true, "", inner)
}

// drawTown draws a backbone and three areas, whose border routers all take shortcuts, and networks
// within each area.
func drawTown(t *testing.T, rng *rand.Rand) (l *town, behind []*router) {
	l = newTown(t)
	in := make([][]*router, 4)
	for k := range 4 + rng.IntN(2) {
		r := l.router(fmt.Sprint("border", k), byAddress())
		r.instance().ABR = ABRShortcut
		for a := range packet.ID(4) {
			if a == 0 || int(a) == k+1 || rng.IntN(3) > 0 {
				in[a] = append(in[a], r)
			}
			r.instance().Areas = append(r.instance().Areas, AreaConfig{ID: a, Shortcut: ShortcutEnable})
		}
	}
	for a := 1; a < 4; a++ {
		r := l.router(fmt.Sprint("inner", a), byAddress())
		in[a] = append(in[a], r.on("", "Eth99", fmt.Sprintf("10.%d.200.1/24", a)))
		behind = append(behind, r)
	}
	lans := 0
	for a, some := range in {
		for k := range some { // a ring
			x, y := some[k], some[(k+1)%len(some)]
			if x == y {
				continue
			}
			lans++
			name := fmt.Sprint("Eth", lans)
			for n, r := range []*router{x, y} {
				r.on(name, name, fmt.Sprintf("10.%d.%d.%d/24", a, lans, n+1))
				r.iface(name).Cost = uint16(1 + rng.IntN(50))
			}
		}
	}
	return l, behind
}

// leads follows packets to a network from a router on, and says how that goes wrong.
func (r *router) leads(p netip.Prefix, from map[*router]bool) string {
	if from[r] {
		return "a loop at " + r.name
	}
	from = maps.Clone(from)
	from[r] = true
	for _, x := range r.fib {
		if x.Prefix != p {
			continue
		}
		for _, h := range x.NextHops {
			for _, o := range r.town.routers {
				own := slices.ContainsFunc(o.link[h.Interface].Addresses, func(a rib.Address) bool { return a.Prefix.Addr() == h.Addr })
				if !own {
					continue
				}
				if wrong := o.leads(p, from); wrong != "" {
					return r.name + " by " + wrong
				}
			}
		}
		return ""
	}
	if _, ok := r.link["Eth99"]; ok && r.link["Eth99"].Addresses[0].Prefix.Masked() == p {
		return ""
	}
	return "an end at " + r.name
}

// TestShortcutLoops: whatever shortcuts there are, packets come where they should, also while a border
// router has no neighbour in the backbone, unless nobody knows a way; and a network that is gone is so
// everywhere: no routers keep it by what they tell each other.
func TestShortcutLoops(t *testing.T) {
	taken := 0
	for seed := range uint64(20) {
		l, behind := drawTown(t, rand.New(rand.NewPCG(seed, 3)))
		l.start()
		l.advance(3 * time.Minute)
		check := func(whole bool) {
			t.Helper()
			for a := range behind {
				p := netip.MustParsePrefix(fmt.Sprintf("10.%d.200.0/24", a+1))
				for _, r := range l.routers {
					has := slices.ContainsFunc(slices.Collect(maps.Values(r.fib)), func(x rib.Route) bool { return x.Prefix == p })
					if gone := !behind[a].link["Eth99"].Up; gone && has {
						t.Errorf("seed %d: %s still has %v: %q", seed, r.name, p, r.routes())
					} else if wrong := r.leads(p, map[*router]bool{}); !gone && (whole && wrong != "" || strings.Contains(wrong, "loop")) {
						t.Errorf("seed %d: to %v: %s", seed, p, wrong)
					}
				}
			}
		}
		check(true)
		for _, r := range l.routers {
			for _, x := range r.query(Query{Kind: ReportRoutes}).(*RouteReport).Instances[0].Routes {
				if x.Type == PathInter && x.Area == 0 && slices.ContainsFunc(x.Hops, func(h HopStatus) bool { return r.link[h.Interface].Addresses[0].Prefix.Addr().As4()[1] != 0 }) {
					taken++
				}
			}
		}
		behind[0].edit("Eth99", setDown)
		l.advance(time.Minute)
		check(true)
		behind[0].edit("Eth99", func(i *rib.Interface) { i.Up = true })
		for _, name := range l.routers[0].names() {
			if l.routers[0].link[name].Addresses[0].Prefix.Addr().As4()[1] == 0 { // it keeps its neighbours in areas
				l.routers[0].edit(name, setDown)
			}
		}
		l.advance(time.Minute)
		check(false)
		behind[0].edit("Eth99", setDown)
		l.advance(time.Minute)
		check(false)
	}
	if taken < 20 {
		t.Errorf("%d shortcuts were taken", taken)
	}
}
