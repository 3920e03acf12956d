package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

const capable = packet.OptionE | packet.OptionDC

// says has a router originate an opaque LSA in an area; without the DC-bit it is as if a
// router that does not take LSAs that do not age had originated it.
func (r *router) says(area, id packet.ID, o packet.Options) packet.LSAKey {
	what := lsdb.Statement{Type: packet.OpaqueAreaLSA, ID: 200<<24 | id, Options: o, Body: []byte("says")}
	r.in().originate(r.town.now, r.in().areas[area].scope, what)
	r.step(Tick{})
	return packet.LSAKey{Type: what.Type, ID: what.ID, Router: r.in().id}
}

// age prints the age of an LSA in a router's database of an area: "kept" if it does not
// age, "" if it is not there or MaxAge.
func (r *router) age(area packet.ID, key packet.LSAKey) string {
	lsa, ok := r.in().areas[area].scope.db.Get(r.town.now, key)
	switch {
	case !ok || lsa.IsMaxAge():
		return ""
	case lsa.Age&packet.DoNotAge != 0:
		return "kept"
	}
	return "ages"
}

func reduce(ic *InstanceConfig) { ic.FloodReduction = true }

// line is a router a with flood-reduction, then b, then c, on point-to-point networks.
func line(t *testing.T, edit ...func(*InstanceConfig)) (l *town, a, b, c *router) {
	l = newTown(t)
	a = l.router("a", append(edit, reduce)...).on("ab", "Serial0", "10.0.1.1/24")
	b = l.router("b", edit...).on("ab", "Serial0", "10.0.1.2/24").on("bc", "Serial1", "10.0.2.2/24")
	c = l.router("c", edit...).on("bc", "Serial0", "10.0.2.3/24")
	return l, a, b, c
}

// updates counts the LSAs that go from one router to another.
func (l *town) updates(from, to *router) *int {
	count := new(int)
	l.pass = func(x, y *router, m *packet.Message) bool {
		if x == from && y == to {
			*count += len(m.Updates)
		}
		return true
	}
	return count
}

// TestFloodReduction: what goes out by the interface does not age, and is not refreshed
// while it says the same (RFC 4136 section 2, RFC 1793 section 3.3); what is the router's
// own ages with itself, and what comes by the interface ages.
func TestFloodReduction(t *testing.T) {
	l, a, b, c := line(t)
	l.start()
	early := a.says(0, 3, capable) // goes in the exchange of databases
	l.advance(2 * time.Minute)
	key := a.says(0, 1, capable)
	mine := packet.LSAKey{Type: packet.RouterLSA, ID: 1, Router: 1}
	l.advance(10 * time.Second)
	sent := l.updates(a, b)
	for range 6 {
		l.advance(47 * time.Minute)
		for _, k := range []packet.LSAKey{early, key, mine} {
			if got := fmt.Sprintln(a.age(0, k), b.age(0, k), c.age(0, k)); got != "ages kept kept\n" {
				t.Fatalf("%v: %v: %q", l.now, k, got)
			}
		}
		if theirs := (packet.LSAKey{Type: packet.RouterLSA, ID: 3, Router: 3}); a.age(0, theirs) != "ages" {
			t.Fatalf("of c: %q", a.age(0, theirs))
		}
	}
	if *sent != 0 {
		t.Errorf("%d LSAs were sent", *sent)
	}
	a.in().originate(l.now, a.in().areas[0].scope, lsdb.Statement{Type: key.Type, ID: key.ID, Options: capable, Body: []byte("else")})
	a.step(Tick{})
	l.advance(10 * time.Second)
	if lsa, _ := c.in().areas[0].scope.db.Get(l.now, key); string(lsa.Body()) != "else" || *sent != 1 || c.age(0, key) != "kept" {
		t.Errorf("%q after %d LSAs, %s", lsa.Body(), *sent, c.age(0, key))
	}
	a.in().flush(l.now, a.in().areas[0].scope, key)
	a.step(Tick{})
	l.advance(10 * time.Second)
	if _, ok := c.in().areas[0].scope.db.Get(l.now, key); ok {
		t.Error("the LSA was not flushed")
	}
	if i := a.in().byName["Serial0"]; i.reduces(packet.OpaqueLinkLSA) || !i.reduces(packet.ExternalLSA) {
		t.Error("grace-LSAs have to age, and externals not")
	}
}

// TestFloodReductionLater: with flood-reduction configured on an adjacency that is there, the
// next refresh goes out yet, as one that does not age; without it again, they all do.
func TestFloodReductionLater(t *testing.T) {
	l, a, b, c := line(t)
	a.instance().FloodReduction = false
	l.start()
	l.advance(10 * time.Minute)
	key := a.says(0, 1, capable)
	l.advance(10 * time.Minute)
	if c.age(0, key) != "ages" {
		t.Fatalf("%q", c.age(0, key))
	}
	a.instance().FloodReduction = true
	a.configure()
	sent := l.updates(a, b)
	for range 10 {
		l.advance(30 * time.Minute)
		if c.age(0, key) == "" {
			t.Fatalf("%v: the LSA is gone", l.now)
		}
	}
	if n := a.in().areas[0].scope.db.Len(); *sent != 2 || c.age(0, key) != "kept" { // its router-LSA, and this one
		t.Errorf("%d LSAs were sent, of %d; %q", *sent, n, c.age(0, key))
	}
	a.instance().FloodReduction = false
	a.configure()
	*sent = 0
	if l.advance(5 * time.Hour); *sent < 2*9 || c.age(0, key) == "" {
		t.Errorf("%d refreshes in 5 hours, %q", *sent, c.age(0, key))
	}
}

// TestFloodReductionLost: an unchanged instance goes out if the last one was not acknowledged.
func TestFloodReductionLost(t *testing.T) {
	l, a, b, _ := line(t)
	l.start()
	l.advance(2 * time.Minute)
	l.pass = func(x, y *router, m *packet.Message) bool { return x != a || m.Type != packet.LinkStateUpdate }
	key := a.says(0, 1, capable)
	l.advance(31 * time.Minute)
	l.pass = nil
	l.advance(time.Minute)
	if lsa, _ := b.in().areas[0].scope.db.Get(l.now, key); lsa.Sequence != packet.InitialSequence+1 || b.age(0, key) != "kept" {
		t.Errorf("%x, %q", uint32(lsa.Sequence), b.age(0, key))
	}
	l.advance(2 * time.Minute)
	for _, n := range a.in().byName["Serial0"].neighbors {
		if n.flood.List.Len() != 0 {
			t.Errorf("%d LSAs are not acknowledged", n.flood.List.Len())
		}
	}
}

// TestFloodReductionMesh: refreshes come by another way, without the reduction, which ends
// then: what was told as not ageing stays.
func TestFloodReductionMesh(t *testing.T) {
	l := newTown(t)
	a := l.router("a").on("ab", "Serial0", "10.0.1.1/24").on("ac", "Serial1", "10.0.3.1/24")
	b := l.router("b").on("ab", "Serial0", "10.0.1.2/24").on("bc", "Serial1", "10.0.2.2/24")
	l.router("c").on("bc", "Serial0", "10.0.2.3/24").on("ac", "Serial1", "10.0.3.3/24")
	a.iface("Serial0").FloodReduction = true
	l.start()
	l.advance(2 * time.Minute)
	key := a.says(0, 1, capable)
	l.advance(45 * time.Minute)
	if lsa, _ := b.in().areas[0].scope.db.Get(l.now, key); lsa.Sequence != packet.InitialSequence+1 {
		t.Fatalf("no refresh came by the other way: %x", uint32(lsa.Sequence))
	}
	a.edit("Serial1", setDown)
	for range 180 {
		l.advance(time.Minute)
		if b.age(0, key) != "kept" {
			t.Fatalf("%v: %q", l.now, b.age(0, key))
		}
	}
}

// TestStale: LSAs that do not age are flushed when their router has not been reached for
// MaxAge, and not before (RFC 1793 section 2.3).
func TestStale(t *testing.T) {
	l, a, b, c := line(t)
	l.start()
	l.advance(2 * time.Minute)
	key := a.says(0, 1, capable)
	l.advance(3 * time.Hour)
	a.crash()
	b.edit("Serial0", setDown)
	for range 59 {
		l.advance(time.Minute)
		if b.age(0, key) != "kept" || c.age(0, key) != "kept" {
			t.Fatalf("%v: %q %q", l.now, b.age(0, key), c.age(0, key))
		}
	}
	l.advance(4 * time.Minute)
	for _, r := range []*router{b, c} {
		if lsa, ok := r.in().areas[0].scope.db.Get(l.now, key); ok {
			t.Errorf("%s has %+v", r.name, lsa.LSAHeader)
		}
	}
	if b.age(0, packet.LSAKey{Type: packet.RouterLSA, ID: 3, Router: 3}) != "ages" {
		t.Error("the LSA of c is gone")
	}
}

// TestStaleAgain: a router that is reached again within MaxAge keeps its LSAs.
func TestStaleAgain(t *testing.T) {
	l, a, b, c := line(t)
	l.start()
	l.advance(2 * time.Minute)
	key := a.says(0, 1, capable)
	l.advance(3 * time.Hour)
	between := false
	for range 3 {
		b.edit("Serial0", setDown)
		l.advance(40 * time.Minute)
		if c.age(0, key) != "kept" {
			t.Fatalf("%v: %q", l.now, c.age(0, key))
		}
		b.edit("Serial0", setUp)
		check, r := c.in().reduction.stale.at, &c.in().reduction
		if _, gone := r.gone[origin{c.in().areas[0].scope, 1}]; !gone {
			t.Error("a was not missed")
		}
		l.until(time.Minute, "adjacency", func() bool { return a.full() == 1 })
		l.advance(8 * time.Second) // c may have to wait for the retransmission of what came within MinLSArrival
		if _, gone := r.gone[origin{c.in().areas[0].scope, 1}]; gone {
			t.Error("a was not found again")
		}
		if between = between || check == r.stale.at; !between {
			l.advance(20 * time.Second)
		}
	}
	if !between {
		t.Error("a came back in no time between two checks")
	}
}

// TestUnable: where an LSA has the DC-bit clear, LSAs that do not age are flushed, and come
// again as such that age (RFC 1793 section 2.5); when it is gone they do not again.
func TestUnable(t *testing.T) {
	l, a, b, c := line(t)
	l.start()
	l.advance(2 * time.Minute)
	key := a.says(0, 1, capable)
	mine := packet.LSAKey{Type: packet.RouterLSA, ID: 1, Router: 1}
	l.advance(time.Minute)
	unable := c.says(0, 2, packet.OptionE)
	l.advance(10 * time.Second)
	// What a says by itself it does not say again: it is no LSA of routes.
	if got := fmt.Sprintln(a.age(0, mine), b.age(0, mine), c.age(0, mine), b.age(0, key)); got != "ages ages ages \n" {
		t.Fatalf("%q", got)
	}
	sent := l.updates(a, b)
	if l.advance(65 * time.Minute); *sent != 2 {
		t.Errorf("%d refreshes", *sent)
	}
	c.in().flush(l.now, c.in().areas[0].scope, unable)
	c.step(Tick{})
	if l.advance(65 * time.Minute); c.age(0, mine) != "kept" {
		t.Errorf("%q", c.age(0, mine))
	}
	*sent = 0
	if l.advance(5 * time.Hour); *sent != 0 {
		t.Errorf("%d refreshes", *sent)
	}
}

// TestIndication is the example of RFC 1793 section 2.5.1.1: three areas, of which 1 and 2
// have routers that do not take LSAs that do not age, on the backbone by border routers with
// rising router IDs.
func TestIndication(t *testing.T) {
	l := newTown(t)
	var borders, inner []*router
	for n := 1; n <= 3; n++ {
		b := l.router(fmt.Sprint("border", n), byAddress()).on("backbone", "Eth0", fmt.Sprintf("10.0.0.%d/24", n))
		borders = append(borders, b.on(fmt.Sprint("area", n), "Eth1", fmt.Sprintf("10.%d.0.1/24", n)))
	}
	for n := 1; n <= 3; n++ {
		inner = append(inner, l.router(fmt.Sprint("inner", n), byAddress()).on(fmt.Sprint("area", n), "Eth0", fmt.Sprintf("10.%d.0.2/24", n)))
	}
	l.start()
	l.advance(3 * time.Minute)
	for _, r := range borders {
		same(t, "indications", r.lsas(packet.ASBRSummaryLSA))
	}
	first, second := inner[0].says(1, 1, packet.OptionE), inner[1].says(2, 1, packet.OptionE)
	l.advance(30 * time.Second)
	same(t, "of the first", borders[0].lsas(packet.ASBRSummaryLSA), "0.0.0.0: 0.0.0.2 of 0.0.0.2: 0.0.0.0 16777215")
	same(t, "of the second", borders[1].lsas(packet.ASBRSummaryLSA), "0.0.0.0: 0.0.0.2 of 0.0.0.2: 0.0.0.0 16777215")
	same(t, "of the third", borders[2].lsas(packet.ASBRSummaryLSA),
		"0.0.0.0: 0.0.0.2 of 0.0.0.2: 0.0.0.0 16777215", "0.0.0.3: 0.0.0.3 of 0.0.0.3: 0.0.0.0 16777215")
	if s := inner[2].in(); !s.areas[3].scope.ages || !s.as.ages {
		t.Error("area 3 does not know")
	}
	if st := borders[2].query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0]; len(st.Areas) != 2 {
		t.Errorf("%+v", st.Areas)
	}

	inner[1].in().flush(l.now, inner[1].in().areas[2].scope, second)
	inner[1].step(Tick{})
	l.advance(30 * time.Second)
	same(t, "of the second", borders[1].lsas(packet.ASBRSummaryLSA),
		"0.0.0.0: 0.0.0.1 of 0.0.0.1: 0.0.0.0 16777215", "0.0.0.2: 0.0.0.2 of 0.0.0.2: 0.0.0.0 16777215")
	inner[0].in().flush(l.now, inner[0].in().areas[1].scope, first)
	inner[0].step(Tick{})
	l.advance(30 * time.Second)
	for _, r := range l.routers {
		same(t, r.name, r.lsas(packet.ASBRSummaryLSA))
		if r.in().as.ages {
			t.Errorf("%s: LSAs of the AS have to age", r.name)
		}
	}
}

// TestIndicationEnds: of two border routers between the same areas neither takes the other's
// indication-LSA for a reason to originate one (RFC 1793 section 2.5.1, case 1).
func TestIndicationEnds(t *testing.T) {
	l := newTown(t)
	for n := 1; n <= 2; n++ {
		l.router(fmt.Sprint("border", n), byAddress()).on("0", "Eth0", fmt.Sprintf("10.0.0.%d/24", n)).on("1", "Eth1", fmt.Sprintf("10.1.0.%d/24", n))
	}
	y := l.router("y", byAddress()).on("0", "Eth0", "10.0.0.3/24")
	z := l.router("z", byAddress()).on("1", "Eth0", "10.1.0.4/24")
	l.start()
	l.advance(3 * time.Minute)
	unable := y.says(0, 1, packet.OptionE)
	l.advance(time.Minute)
	same(t, "into area 1", z.lsas(packet.ASBRSummaryLSA), "0.0.0.1: 0.0.0.2 of 0.0.0.2: 0.0.0.0 16777215")
	y.in().flush(l.now, y.in().areas[0].scope, unable)
	y.step(Tick{})
	l.advance(time.Minute)
	for _, r := range l.routers {
		same(t, r.name, r.lsas(packet.ASBRSummaryLSA))
	}
}

// TestIndicationStub: a stub area is by itself: it neither tells nor is told (RFC 1793
// section 2.5.1).
func TestIndicationStub(t *testing.T) {
	l, x, b, y, c, _ := chain(t, byAddress(AreaConfig{ID: 1, Kind: AreaStub}))
	l.start()
	l.advance(3 * time.Minute)
	unable := x.says(1, 1, 0)
	l.advance(30 * time.Second)
	if x.in().as.ages || !b.in().areas[1].scope.ages || b.in().as.ages {
		t.Error("the stub area tells")
	}
	same(t, "from the stub area", b.lsas(packet.ASBRSummaryLSA))
	x.in().flush(l.now, x.in().areas[1].scope, unable)
	x.step(Tick{})
	y.opaque(packet.OpaqueASLSA, 200<<24|7, "of the AS") // with the DC-bit clear
	l.advance(10 * time.Second)
	if x.in().areas[1].scope.ages || b.in().areas[1].scope.ages || !b.in().areas[0].scope.ages || !b.in().as.ages {
		t.Error("an LSA of the AS")
	}
	y.says(0, 2, packet.OptionE)
	l.advance(30 * time.Second)
	same(t, "into it", x.lsas(packet.ASBRSummaryLSA))
	same(t, "into the other", c.lsas(packet.ASBRSummaryLSA), "0.0.0.2: 0.0.0.4 of 0.0.0.4: 0.0.0.0 16777215")
	if x.in().areas[1].scope.ages || !y.in().as.ages {
		t.Error("the stub area is told")
	}
}
