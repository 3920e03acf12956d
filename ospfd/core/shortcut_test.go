package core

import (
	"slices"
	"testing"
	"time"

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
