package lsdb

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

const me, other packet.ID = 1, 2

// sec is an instant, in seconds.
func sec(s float64) clock.Instant { return clock.Instant(s * float64(time.Second)) }

// instance makes an LSA of a key, with an external route's body.
func instance(t testing.TB, key packet.LSAKey, seq int32, age uint16, metric uint32) packet.LSA {
	t.Helper()
	lsa, err := packet.NewLSA(packet.LSAHeader{Age: age, LSAKey: key, Sequence: seq}, packet.External{Metric: metric}.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return lsa
}

func external(id, router packet.ID) packet.LSAKey {
	return packet.LSAKey{Type: packet.ExternalLSA, ID: id, Router: router}
}

func newAS(o Options) *Database {
	o.Router, o.Scope = me, ScopeAS
	return New(o)
}

// receive hands in an LSA and wants a verdict.
func receive(t *testing.T, d *Database, at float64, lsa packet.LSA, want Verdict) Receipt {
	t.Helper()
	got := d.Receive(sec(at), lsa, false)
	if got.Verdict != want {
		t.Fatalf("at %v s, %v %#x age %d: %v, want %v", at, lsa.LSAKey, lsa.Sequence, lsa.Age, got.Verdict, want)
	}
	return got
}

// RFC 2328 section 13, steps 1 to 3: what is not looked at.
func TestRefused(t *testing.T) {
	d := newAS(Options{})
	bad := instance(t, external(9, other), 1, 0, 5)
	bad.Octets = slices.Clone(bad.Octets)
	bad.Octets[30]++
	receive(t, d, 0, bad, BadChecksum)
	receive(t, d, 0, instance(t, packet.LSAKey{Type: 6, ID: 1, Router: other}, 1, 0, 5), Unacceptable)
	receive(t, d, 0, instance(t, packet.LSAKey{Type: packet.SummaryLSA, ID: 1, Router: other}, 1, 0, 5), Unacceptable)
	if d.Len() != 0 {
		t.Error("something was installed")
	}
	area := New(Options{Router: me, Scope: ScopeArea})
	receive(t, area, 0, instance(t, packet.LSAKey{Type: packet.RouterLSA, ID: 3, Router: other}, 1, 0, 5), Unacceptable)
	receive(t, area, 0, instance(t, packet.LSAKey{Type: packet.RouterLSA, ID: other, Router: other}, 1, 0, 5), Newer)
	receive(t, area, 0, instance(t, external(1, other), 1, 0, 5), Unacceptable)
}

func TestScopes(t *testing.T) {
	want := map[Scope][]packet.LSType{ScopeLink: {9}, ScopeArea: {1, 2, 3, 4, 7, 10}, ScopeAS: {5, 11}}
	got := map[Scope][]packet.LSType{}
	for i := range 256 {
		if s, ok := ScopeOf(packet.LSType(i)); ok {
			got[s] = append(got[s], packet.LSType(i))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Step 4: a MaxAge LSA that nobody has is acknowledged and forgotten, unless a neighbour is
// exchanging.
func TestMaxAgeUnknown(t *testing.T) {
	d, lsa := newAS(Options{}), instance(t, external(9, other), 1, packet.MaxAge, 5)
	receive(t, d, 0, lsa, Gone)
	if d.Len() != 0 {
		t.Error("installed")
	}
	if r := d.Receive(0, lsa, true); r.Verdict != Newer || r.Change.Kind != Installed || r.Change.Part != PartNone {
		t.Errorf("while exchanging: %+v", r)
	}
	lsa.Age = 9999 // as old as MaxAge
	if got := receive(t, newAS(Options{}), 0, lsa, Gone); got.Self {
		t.Error("self-originated")
	}
	receive(t, d, 0, lsa, Duplicate)
}

// Steps 5, 7 and 8.
func TestReceive(t *testing.T) {
	d, key := newAS(Options{}), external(9, other)
	first := instance(t, key, 5, 10, 1)
	if got := receive(t, d, 0, first, Newer); got.Change.Kind != Installed || got.Change.Part != PartExternal || !got.Change.Flood() || got.Self {
		t.Errorf("first: %+v", got)
	}
	receive(t, d, 0.5, first, Duplicate)
	receive(t, d, 0.999, instance(t, key, 6, 1, 1), TooSoon) // 5a
	if got := receive(t, d, 1, instance(t, key, 6, 1, 1), Newer); got.Change.Part != PartNone {
		t.Errorf("the same again: %+v", got.Change)
	}
	got := receive(t, d, 3, first, SendBack)
	if got.Copy.Sequence != 6 || got.Copy.Age != 3 || got.Change.Kind != Nothing {
		t.Errorf("sent back: %+v", got)
	}
	d.Sent(sec(3), key)
	receive(t, d, 3.999, first, JustSent)
	receive(t, d, 4, first, SendBack)
	if got := receive(t, d, 4, instance(t, key, 6, packet.MaxAge, 1), Newer); got.Change.Part != PartExternal || !got.Change.LSA.IsMaxAge() {
		t.Errorf("flushed: %+v", got.Change)
	}
	receive(t, d, 5, instance(t, key, packet.MaxSequence, packet.MaxAge, 1), Newer)
	receive(t, d, 7, instance(t, key, packet.InitialSequence, 0, 1), Wrapping)
	changes := d.Flushed(sec(8), key, nil)
	if len(changes) != 1 || changes[0].Kind != Removed || changes[0].Flood() || d.Len() != 0 {
		t.Errorf("flushed: %+v", changes)
	}
	receive(t, d, 8, instance(t, key, packet.InitialSequence, 0, 1), Newer)
	if changes := d.Flushed(sec(9), key, nil); len(changes) != 0 || d.Len() != 1 {
		t.Errorf("an LSA that is not MaxAge was removed: %+v", changes)
	}
}

// Section 13 step 5a: MinLSArrival is of copies that came by flooding.
func TestExchanged(t *testing.T) {
	d, key := newAS(Options{}), external(9, other)
	receive(t, d, 0, instance(t, key, 5, 10, 1), Newer)
	d.Exchanged(key)
	receive(t, d, 0.1, instance(t, key, 6, 1, 1), Newer)
	receive(t, d, 0.2, instance(t, key, 7, 1, 1), TooSoon)
}

// Section 13.4: an instance of a former life.
func TestSelfOriginated(t *testing.T) {
	d, key := newAS(Options{}), external(9, me)
	s := Statement{Type: packet.ExternalLSA, ID: 9, Body: packet.External{Metric: 7}.Append(nil)}
	if got := receive(t, d, 0, instance(t, key, 40, 10, 7), Newer); !got.Self || d.Own(key) {
		t.Errorf("former life: %+v", got)
	}
	c, err := d.Originate(sec(0.1), s) // though it says the same
	if err != nil || c.Kind != Originated || c.LSA.Sequence != 41 || c.LSA.Age != 0 || c.Part != PartNone || !d.Own(key) {
		t.Errorf("originated: %+v %v", c, err)
	}
	if lsas, octets := d.Load(); lsas != 0 || octets != 0 {
		t.Error("counted against the limits")
	}
	receive(t, d, 0.2, instance(t, key, 50, 10, 8), Newer) // not too soon: the copy was not received
	if c := d.Flush(sec(0.3), key); c.Kind != Flushing || c.LSA.Sequence != 50 || !c.LSA.IsMaxAge() || c.Part != PartExternal {
		t.Errorf("flushed: %+v", c)
	}
	if c := d.Flush(sec(0.4), key); c.Kind != Nothing {
		t.Errorf("flushed twice: %+v", c)
	}
	if c, _ := d.Originate(sec(0.5), s); c.Kind != Originated || c.LSA.Sequence != 51 || c.Part != PartExternal {
		t.Errorf("originated while it is flushed: %+v", c)
	}
	if c, _ := d.Originate(sec(0.6), s); c.Kind != Nothing {
		t.Errorf("originated without need: %+v", c)
	}

	area := New(Options{Router: me, Scope: ScopeArea})
	area.SetAddresses([]packet.ID{200, 100, 300})
	for key, want := range map[packet.LSAKey]bool{
		{Type: packet.NetworkLSA, ID: 200, Router: other}: true,
		{Type: packet.NetworkLSA, ID: 201, Router: other}: false,
		{Type: packet.SummaryLSA, ID: 200, Router: other}: false,
		{Type: packet.SummaryLSA, ID: 200, Router: me}:    true,
	} {
		if area.Self(key) != want {
			t.Errorf("%v: self-originated: %v", key, !want)
		}
		receive(t, area, 0, instance(t, key, 1, 0, 1), Newer)
		if flushed := area.Flush(0, key).Kind == Flushing; flushed != want { // section 14.1: only its own
			t.Errorf("%v: flushed: %v", key, flushed)
		}
	}
	if _, err := d.Originate(0, Statement{Type: packet.RouterLSA, ID: me}); err == nil {
		t.Error("a router-LSA in the database of the AS")
	}
	if _, err := d.Originate(0, Statement{Type: packet.ExternalLSA, ID: 1, Body: make([]byte, 1<<16)}); err == nil {
		t.Error("an LSA that is too long")
	}
}

// Section 12.1.6: after the largest sequence number the LSA is flushed, and begins anew.
func TestWrap(t *testing.T) {
	d, key := newAS(Options{}), external(9, me)
	s := Statement{Type: packet.ExternalLSA, ID: 9, Body: packet.External{Metric: 7}.Append(nil)}
	receive(t, d, 0, instance(t, key, packet.MaxSequence-1, 0, 1), Newer)
	if c, _ := d.Originate(0, s); c.LSA.Sequence != packet.MaxSequence {
		t.Fatalf("%+v", c)
	}
	changes := d.Tick(sec(packet.LSRefreshTime), nil) // the refresh wraps
	if len(changes) != 1 || changes[0].Kind != Flushing || changes[0].LSA.Sequence != packet.MaxSequence || !changes[0].LSA.IsMaxAge() {
		t.Fatalf("refresh: %+v", changes)
	}
	s.Body = packet.External{Metric: 8}.Append(nil)
	if c, _ := d.Originate(sec(1801), s); c.Kind != Nothing {
		t.Fatalf("originated before the flush is done: %+v", c)
	}
	receive(t, d, 1802, instance(t, key, packet.InitialSequence, 0, 8), Wrapping)
	changes = d.Flushed(sec(1803), key, nil)
	if len(changes) != 2 || changes[0].Kind != Removed || changes[1].Kind != Originated || changes[1].Part != PartExternal ||
		changes[1].LSA.Sequence != packet.InitialSequence || !slices.Equal(changes[1].LSA.Body(), s.Body) {
		t.Fatalf("flushed: %+v", changes)
	}

	receive(t, d, 1804, instance(t, key, packet.MaxSequence, 0, 8), Newer)
	if c, _ := d.Originate(sec(1805), s); c.Kind != Flushing {
		t.Fatalf("%+v", c)
	}
	d.Flush(sec(1806), key) // not wanted any more
	if changes := d.Flushed(sec(1807), key, nil); len(changes) != 1 {
		t.Errorf("came back: %+v", changes)
	}
}

// Sections 12.4 and 14: ages, refresh and expiry.
func TestAges(t *testing.T) {
	d := newAS(Options{})
	s := Statement{Type: packet.ExternalLSA, ID: 9, Body: packet.External{}.Append(nil)}
	receive(t, d, 0.5, instance(t, external(1, other), 1, 100, 1), Newer)
	receive(t, d, 0.5, instance(t, external(2, other), 1, 100|packet.DoNotAge, 1), Newer)
	if _, err := d.Originate(sec(0.5), s); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Originate(sec(0.5), Statement{Type: packet.ExternalLSA, ID: 10, DoNotAge: true}); err != nil {
		t.Fatal(err)
	}
	type event struct {
		At    clock.Instant
		Kind  Kind
		ID    packet.ID
		Seq   int32
		Age   uint16
		Flood bool
	}
	var got []event
	for {
		at, ok := d.Next()
		if !ok || at > sec(4000) {
			break
		}
		for _, c := range d.Tick(at, nil) {
			got = append(got, event{at, c.Kind, c.LSA.ID, c.LSA.Sequence, c.LSA.Age, c.Flood()})
		}
	}
	want := []event{
		{sec(1800.5), Refreshed, 9, packet.InitialSequence + 1, 0, true},
		{sec(3500.5), Expired, 1, 1, packet.MaxAge, true},
		{sec(3600.5), Refreshed, 9, packet.InitialSequence + 2, 0, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	ages := map[packet.ID]uint16{}
	for lsa := range d.All(sec(4000)) {
		ages[lsa.ID] = lsa.Age
	}
	if diff := cmp.Diff(map[packet.ID]uint16{1: packet.MaxAge, 2: 100 | packet.DoNotAge, 9: 399, 10: packet.DoNotAge}, ages); diff != "" {
		t.Error(diff)
	}
	receive(t, d, 3500.6, instance(t, external(1, other), 2, 0, 1), Newer) // what expired was not received just now
}

// Section 14: a checksum that has become wrong is found within CheckAge.
func TestCorrupt(t *testing.T) {
	d, lsa := newAS(Options{}), instance(t, external(1, other), 1, 0, 1)
	receive(t, d, 0, lsa, Newer)
	if at, _ := d.Next(); at != sec(CheckAge) {
		t.Errorf("first verification at %v", at)
	}
	if changes := d.Tick(sec(CheckAge), nil); len(changes) != 0 {
		t.Fatalf("%+v", changes)
	}
	if at, _ := d.Next(); at != sec(2*CheckAge) {
		t.Errorf("next verification at %v", at)
	}
	lsa.Octets[25]++ // of the packet: copied
	if kept, _ := d.Get(0, lsa.LSAKey); !kept.ChecksumOK() {
		t.Fatal("the database keeps the packet")
	}
	kept, _ := d.Get(0, lsa.LSAKey)
	kept.Octets[25]++ // shared
	if changes := d.Tick(sec(2*CheckAge-0.1), nil); len(changes) != 0 {
		t.Fatalf("too early: %+v", changes)
	}
	if changes := d.Tick(sec(2*CheckAge), nil); len(changes) != 1 || changes[0].Kind != Corrupt || changes[0].Flood() {
		t.Fatalf("%+v", changes)
	}
}

// An LSA that comes as one that does not age stays so while it says the same, but for own ones
// (RFC 4136 section 2); Purge ages only such (RFC 1793 sections 2.3 and 2.5).
func TestKept(t *testing.T) {
	d, key := newAS(Options{}), external(1, other)
	age := func(at float64, key packet.LSAKey) uint16 {
		lsa, _ := d.Get(sec(at), key)
		return lsa.Age
	}
	receive(t, d, 0, instance(t, key, 1, 7, 1), Newer)
	if c := d.Purge(sec(1), key); c.Kind != Nothing {
		t.Errorf("purged one that ages: %+v", c)
	}
	receive(t, d, 10, instance(t, key, 1, 3|packet.DoNotAge, 1), Duplicate)
	if got := age(5000, key); got != 17|packet.DoNotAge || d.Since(key) != sec(0) {
		t.Errorf("after a duplicate: %x since %v", got, d.Since(key))
	}
	if at, ok := d.Next(); ok {
		t.Errorf("something is due at %v", at)
	}
	receive(t, d, 20, instance(t, key, 2, 4, 1), Newer)
	if got := age(5000, key); got != 4|packet.DoNotAge || d.Since(key) != sec(20) {
		t.Errorf("after a refresh: %x since %v", got, d.Since(key))
	}
	receive(t, d, 30, instance(t, key, 3, 4, 2), Newer)
	if got := age(40, key); got != 14 {
		t.Errorf("after a change: %x", got)
	}
	receive(t, d, 50, instance(t, key, 4, packet.DoNotAge, 2), Newer)
	if c := d.Purge(sec(60), key); c.Kind != Flushing || c.LSA.Age != packet.MaxAge || !c.Flood() {
		t.Errorf("purge: %+v", c)
	}
	if c := d.Purge(sec(61), key); c.Kind != Nothing {
		t.Errorf("purged twice: %+v", c)
	}
	c, err := d.Originate(sec(70), Statement{Type: packet.ExternalLSA, ID: 9, Body: packet.External{}.Append(nil)})
	if err != nil {
		t.Fatal(err)
	}
	echo := c.LSA
	echo.Age = packet.DoNotAge + 1
	receive(t, d, 71, echo, Duplicate)
	if got := age(75, echo.LSAKey); got != 5 {
		t.Errorf("the router's own: %x", got)
	}
}

// InfTransDelay (sections 13.3 and 14, RFC 1793 section 2.2).
func TestDelayed(t *testing.T) {
	for age, want := range map[uint16]uint16{0: 2, 3597: 3599, 3598: 3600, 3599: 3600, 3600: 3600,
		packet.DoNotAge: packet.DoNotAge + 2, packet.DoNotAge + 3599: packet.DoNotAge + 3600} {
		if got := Delayed(packet.LSA{LSAHeader: packet.LSAHeader{Age: age}}, 2).Age; got != want {
			t.Errorf("%d: %d, want %d", age, got, want)
		}
	}
}

// What others put in is bounded; what is there may change as long as it does not grow.
func TestLimits(t *testing.T) {
	d := newAS(Options{MaxLSAs: 2, MaxOctets: 100}) // 36 octets each
	receive(t, d, 0, instance(t, external(1, other), 1, 0, 1), Newer)
	receive(t, d, 0, instance(t, external(2, other), 1, 0, 1), Newer)
	receive(t, d, 0, instance(t, external(3, other), 1, 0, 1), Full)
	receive(t, d, 0, instance(t, external(4, me), 1, 0, 1), Full) // anybody can send that
	if c, err := d.Originate(0, Statement{Type: packet.ExternalLSA, ID: 5, Body: packet.External{}.Append(nil)}); err != nil || c.Kind != Originated {
		t.Errorf("originated: %+v %v", c, err)
	}
	receive(t, d, 0, instance(t, external(5, me), 9, 0, 1), Newer) // has a place already
	if lsas, _ := d.Load(); lsas != 3 {
		t.Errorf("%d LSAs that were received", lsas)
	}
	d.Flush(0, external(5, me))
	d.Flushed(0, external(5, me), nil)
	receive(t, d, 2, instance(t, external(2, other), 2, 0, 1), Newer)
	long, err := packet.NewLSA(packet.LSAHeader{LSAKey: external(2, other), Sequence: 3}, make([]byte, 48))
	if err != nil {
		t.Fatal(err)
	}
	receive(t, d, 4, long, Full)
	receive(t, d, 4, instance(t, external(2, other), 3, packet.MaxAge, 1), Newer)
	d.Flushed(sec(5), external(2, other), nil)
	if lsas, octets := d.Load(); lsas != 1 || octets != 36 || d.Len() != 1 {
		t.Errorf("%d LSAs of %d octets", lsas, octets)
	}
	receive(t, d, 6, long, Full) // not for the number, for the octets
	receive(t, d, 6, instance(t, external(3, other), 1, 0, 1), Newer)
}

// Section 13.2: what a change means to the routes.
func TestParts(t *testing.T) {
	d := New(Options{Router: me, Scope: ScopeArea})
	at, seq := 0.0, int32(0)
	give := func(typ packet.LSType, options packet.Options, body []byte, age uint16) Part {
		at, seq = at+1, seq+1
		lsa, err := packet.NewLSA(packet.LSAHeader{Age: age, Options: options, LSAKey: packet.LSAKey{Type: typ, ID: other, Router: other}, Sequence: seq}, body)
		if err != nil {
			t.Fatal(err)
		}
		return receive(t, d, at, lsa, Newer).Change.Part
	}
	stub := func(m uint16) packet.RouterLink { return packet.RouterLink{ID: 8, Type: packet.LinkStub, Metric: m} }
	p2p := func(m uint16) packet.RouterLink {
		return packet.RouterLink{ID: 7, Type: packet.LinkPointToPoint, Metric: m}
	}
	router := func(flags packet.RouterFlags, links ...packet.RouterLink) []byte {
		return packet.Router{Flags: flags, Links: links}.Append(nil)
	}
	for i, tt := range []struct {
		want    Part
		typ     packet.LSType
		options packet.Options
		body    []byte
		age     uint16
	}{
		{PartTree, 1, 0, router(0, p2p(1), stub(1)), 0},
		{PartNone, 1, 0, router(0, p2p(1), stub(1)), 900},
		{PartRoutes, 1, 0, router(0, p2p(1), stub(2)), 0},
		{PartRoutes, 1, 0, router(0, p2p(1)), 0},
		{PartRoutes, 1, 0, router(packet.RouterB, p2p(1)), 0},
		{PartTree, 1, 0, router(packet.RouterB, p2p(2)), 0},
		{PartTree, 1, 0, router(packet.RouterB, stub(2), p2p(2)), 0}, // the link has another index
		{PartTree, 1, 0, []byte{1}, 0},
		{PartTree, 1, 0, []byte{2}, 0},
		{PartTree, 1, 0, []byte{2}, packet.MaxAge},
		{PartNone, 1, 0, []byte{3}, packet.MaxAge},
		{PartTree, 1, 0, router(0, stub(1)), 0},
		{PartRoutes, 1, packet.OptionE, router(0, stub(1)), 0},
		{PartTree, 2, 0, packet.Network{Mask: 1}.Append(nil), 0},
		{PartTree, 2, packet.OptionE, packet.Network{Mask: 1}.Append(nil), 0},
		{PartSummary, 3, 0, packet.Summary{Metric: 1}.Append(nil), 0},
		{PartSummary, 4, 0, packet.Summary{Metric: 1}.Append(nil), 0},
		{PartExternal, 7, 0, packet.External{Metric: 1}.Append(nil), 0},
		{PartOpaque, 10, 0, []byte{1, 2, 3, 4}, 0},
	} {
		if got := give(tt.typ, tt.options, tt.body, tt.age); got != tt.want {
			t.Errorf("%d: %v, want %v", i, got, tt.want)
		}
	}
}

// Sections 10.3 and 14: a new adjacency is told everything, in order, MaxAge LSAs apart.
func TestSummary(t *testing.T) {
	d := newAS(Options{})
	for i := range packet.ID(50) {
		receive(t, d, 0, instance(t, external(i*7%50, other+i%3), 1, 0, 1), Newer)
	}
	receive(t, d, 2, instance(t, external(7, other+1), 2, packet.MaxAge, 1), Newer)
	lsa, _ := packet.NewLSA(packet.LSAHeader{LSAKey: packet.LSAKey{Type: packet.OpaqueASLSA, ID: 1, Router: other}}, nil)
	receive(t, d, 2, lsa, Newer)
	headers, maxAge := d.Summary(sec(5))
	if len(headers) != 50 || !slices.Equal(maxAge, []packet.LSAKey{external(7, other+1)}) {
		t.Fatalf("%d headers, MaxAge %v", len(headers), maxAge)
	}
	if !slices.IsSortedFunc(headers, func(a, b packet.LSAHeader) int { return CompareKeys(a.LSAKey, b.LSAKey) }) {
		t.Error("not in order")
	}
	if headers[0].Age != 5 {
		t.Errorf("age %d", headers[0].Age)
	}
	n := 0
	for lsa := range d.OfType(sec(5), packet.ExternalLSA) {
		if lsa.Type != packet.ExternalLSA {
			t.Errorf("%v", lsa.LSAKey)
		}
		n++
	}
	if n != 50 {
		t.Errorf("%d external LSAs", n)
	}
	if _, ok := d.Get(0, external(99, other)); ok {
		t.Error("an LSA that is not there")
	}
}
