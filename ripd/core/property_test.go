package core_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// mirror follows what a core states, as zebra and the network would.
type mirror struct {
	core     *core.Core
	now      clock.Instant
	routes   map[rib.Key]rib.Route
	listens  map[string]core.Listen
	watches  map[rib.Watch]bool
	attached int // Attached without an EndOfReplay yet
	trouble  []string
	reports  []core.Report
	log      []string // all effects, for comparison of two runs
	keep     bool     // the log
}

func newMirror(seed uint64) *mirror {
	return &mirror{
		core:   core.New(core.Options{Source: rand.NewPCG(seed, 4), Wall: time.Unix(1_768_900_000, 0)}),
		routes: map[rib.Key]rib.Route{}, listens: map[string]core.Listen{}, watches: map[rib.Watch]bool{},
	}
}

func (m *mirror) complain(format string, v ...any) {
	m.trouble = append(m.trouble, fmt.Sprintf("%v: ", m.now)+fmt.Sprintf(format, v...))
}

func (m *mirror) step(in core.Input) {
	if _, ok := in.(core.Attached); ok {
		m.attached = 1 // an older session is over
	}
	m.core.Step(m.now, in)
	for _, e := range m.core.Drain(nil) {
		if m.keep {
			m.log = append(m.log, fmt.Sprintf("%v %T %+v", m.now, e, e))
		}
		m.effect(e)
	}
}

func (m *mirror) effect(e core.Effect) {
	switch e := e.(type) {
	case core.PutRoute:
		key := e.Route.Key()
		if old, ok := m.routes[key]; ok && old.Equal(e.Route) {
			m.complain("stated again: %+v", e.Route)
		}
		if len(e.Route.NextHops) == 0 || key.Prefix != key.Prefix.Masked() || e.Route.Metric >= packet.Infinity {
			m.complain("unusable: %+v", e.Route)
		}
		m.routes[key] = e.Route
	case core.DelRoute:
		if _, ok := m.routes[e.Key]; !ok {
			m.complain("withdrawn, but never stated: %+v", e.Key)
		}
		delete(m.routes, e.Key)
	case core.Listen:
		if old, ok := m.listens[e.Interface]; ok && old == e {
			m.complain("listens again on %s", e.Interface)
		}
		m.listens[e.Interface] = e
	case core.Unlisten:
		if _, ok := m.listens[e.Interface]; !ok {
			m.complain("unlistens where it does not listen: %s", e.Interface)
		}
		delete(m.listens, e.Interface)
	case core.WatchRoutes:
		if m.watches[e.Watch] {
			m.complain("watches again: %+v", e.Watch)
		}
		m.watches[e.Watch] = true
	case core.UnwatchRoutes:
		if !m.watches[e.Watch] {
			m.complain("unwatches what it does not watch: %+v", e.Watch)
		}
		delete(m.watches, e.Watch)
	case core.EndOfReplay:
		if m.attached--; m.attached < 0 {
			m.complain("a second end of the replay")
		}
	case core.TxPacket:
		m.packet(e)
	case core.Trace:
		m.complain("a trace that nobody asked for: %+v", e)
	case core.Answer:
		m.reports = append(m.reports, e.Report)
	}
}

// packet checks what is sent: it decodes, fits into 512 octets, has metrics from
// 1 to 16, and its entries are valid but for those of an answer to one who asked
// for certain destinations, which come back as they were.
func (m *mirror) packet(tx core.TxPacket) {
	p, err := packet.Parse(tx.Packet)
	switch {
	case err != nil:
		m.complain("sent what cannot be parsed: %v %x", err, tx.Packet)
		return
	case len(tx.Packet) > packet.MaxLen:
		m.complain("sent %d octets", len(tx.Packet))
	case !tx.Source.Is4() || !tx.Dest.IsValid() || tx.Dest.Port() == 0:
		m.complain("sent from %v to %v", tx.Source, tx.Dest)
	case len(p.Entries) == 0:
		m.complain("sent nothing to %v", tx.Dest)
	}
	if p.Command != packet.Response {
		return
	}
	all := tx.Dest.Addr() == packet.Group || tx.Dest.Addr() == netip.AddrFrom4([4]byte{255, 255, 255, 255})
	seen := map[netip.Prefix]bool{}
	for _, e := range p.Entries {
		if e.Metric < 1 || e.Metric > packet.Infinity {
			m.complain("announced metric %d", e.Metric)
		}
		if !all {
			continue
		}
		if why := e.Check(); why != 0 {
			m.complain("announced %+v: %v", e, why)
		}
		d, _ := e.Prefix(netip.Prefix{})
		if seen[d] {
			m.complain("announced %v twice in a packet", d)
		}
		seen[d] = true
	}
}

// advance lets time pass; what wants to be woken at once over and over again is
// in trouble.
func (m *mirror) advance(d time.Duration) {
	end := m.now.Add(d)
	for n := 0; ; n++ {
		at, ok := m.core.Wake()
		if !ok || at > end {
			break
		}
		if n > 100_000 {
			m.complain("woken again and again")
			break
		}
		m.now = max(at, m.now)
		m.step(core.Tick{})
	}
	m.now = end
}

func (m *mirror) ask(kind core.ReportKind, vrf string) core.Report {
	m.reports = m.reports[:0]
	m.step(core.Query{ID: 3, Kind: kind, VRF: vrf})
	if len(m.reports) != 1 {
		m.complain("%d answers to a query", len(m.reports))
		return nil
	}
	return m.reports[0]
}

// check compares what was stated with what the core says it has.
func (m *mirror) check(t *rapid.T) {
	want, listens := map[rib.Key]rib.Route{}, map[string]core.Listen{}
	for _, vrf := range []string{"", "RED"} {
		r := m.ask(core.ReportRoutes, vrf).(*core.RouteReport)
		for _, e := range r.Routes {
			m.entry(want, vrf, e)
		}
		if !slices.IsSortedFunc(r.Routes, func(a, b core.RouteEntry) int { return a.Prefix.Compare(b.Prefix) }) {
			m.complain("the table is not sorted")
		}
		status := m.ask(core.ReportStatus, vrf).(*core.StatusReport)
		for _, i := range status.Interfaces {
			if i.Up {
				listens[i.Name] = core.Listen{Interface: i.Name, VRF: vrf, Group: true}
			}
		}
	}
	got := map[rib.Key]rib.Route{}
	for k, r := range m.routes { // unordered: into a map
		r.NextHops = slices.Clone(r.NextHops)
		slices.SortFunc(r.NextHops, compareHops)
		r.Metric, r.Tag, r.Distance = 0, 0, 0 // of which the report says nothing that is as simple
		got[k] = r
	}
	if d := cmp.Diff(want, got, cmp.Comparer(equalPrefix)); d != "" {
		m.complain("routes (-table +stated):\n%s", d)
	}
	if d := cmp.Diff(listens, m.listens); d != "" {
		m.complain("listens (-running +asked for):\n%s", d)
	}
	if len(m.trouble) > 0 {
		t.Fatalf("%v", m.trouble)
	}
}

func equalPrefix(a, b netip.Prefix) bool { return a == b }

func compareHops(a, b rib.NextHop) int {
	if c := a.Addr.Compare(b.Addr); c != 0 {
		return c
	}
	return strings.Compare(a.Interface, b.Interface)
}

// entry checks one line of the table and says what zebra should have for it.
func (m *mirror) entry(want map[rib.Key]rib.Route, vrf string, e core.RouteEntry) {
	switch {
	case e.Metric < 1 || e.Metric > packet.Infinity:
		m.complain("metric %d of %v", e.Metric, e.Prefix)
	case e.Garbage && len(e.Paths) > 0 && e.Source == core.SourceLearned:
		m.complain("garbage with paths: %+v", e)
	case e.Garbage && e.Left <= 0:
		m.complain("garbage that should be gone: %+v", e)
	}
	r := rib.Route{VRF: vrf, Prefix: e.Prefix, Protocol: rib.RIP}
	for _, p := range e.Paths {
		if p.Left <= 0 || p.Metric >= packet.Infinity {
			m.complain("a path that should be gone: %+v %+v", e, p)
		}
		hop := rib.NextHop{Addr: p.NextHop, Interface: p.Interface}
		if !slices.Contains(r.NextHops, hop) {
			r.NextHops = append(r.NextHops, hop)
		}
	}
	slices.SortFunc(r.NextHops, compareHops)
	if e.Source == core.SourceSummary && !e.Garbage && e.Prefix.Bits() > 0 {
		r.Type, r.NextHops = rib.TypeSummary, []rib.NextHop{{Discard: true}}
	}
	if len(r.NextHops) > 0 {
		want[r.Key()] = r
	}
}

// TestStated holds at each step of any sequence of inputs: the routes that zebra
// has are the learnt ones of the table, nothing is stated or withdrawn twice, all
// that is sent is valid, and there is one end of the replay for each session.
// When it has been quiet for long, nothing of what was learnt is left.
func TestStated(t *testing.T) {
	set := propertyPolicy(t)
	rapid.Check(t, func(t *rapid.T) {
		m := newMirror(3)
		if pick(t, "orderly", true, true, true, false) {
			m.step(core.Attached{Stale: 1})
			m.step(core.InterfacesKnown{})
			m.step(drawConfig(t, set))
			for range 3 {
				m.step(drawLink(t))
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			m.advance(time.Duration(pick(t, "pass", 0, 0, 1, 9, 25, 100)) * time.Second)
			m.step(drawInput(t, set))
			m.check(t)
		}
		m.step(core.Attached{Stale: 1})
		m.step(core.InterfacesKnown{})
		m.step(drawConfig(t, set))
		m.advance(time.Hour)
		m.check(t)
		if m.attached != 0 {
			t.Fatal("no end of the replay")
		}
		for _, vrf := range []string{"", "RED"} {
			for _, e := range m.ask(core.ReportRoutes, vrf).(*core.RouteReport).Routes {
				if len(e.Paths) > 0 || e.Garbage || e.Source == core.SourceLearned {
					t.Fatalf("left after an hour of silence: %+v", e)
				}
			}
			if n := len(m.ask(core.ReportStatus, vrf).(*core.StatusReport).Neighbors); n > 1 { // one may be configured
				t.Fatalf("%d neighbours left after an hour of silence", n)
			}
		}
	})
}

// TestNothingLeft: without configuration nothing is stated, listened to or
// watched any more.
func TestNothingLeft(t *testing.T) {
	set := propertyPolicy(t)
	rapid.Check(t, func(t *rapid.T) {
		m := newMirror(3)
		m.step(core.Attached{})
		m.step(core.InterfacesKnown{})
		m.step(drawConfig(t, set))
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			m.advance(time.Duration(pick(t, "pass", 0, 1, 9, 25)) * time.Second)
			m.step(drawInput(t, set))
		}
		m.step(core.ConfigSet{})
		if len(m.routes)+len(m.listens)+len(m.watches) > 0 {
			t.Fatalf("left: %v %v %v", m.routes, m.listens, m.watches)
		}
		m.advance(time.Hour)
		m.check(t)
		if at, ok := m.core.Wake(); ok {
			t.Fatalf("wants to be woken at %v", at)
		}
	})
}

// TestSameInputsSameEffects runs the same inputs through two cores.
func TestSameInputsSameEffects(t *testing.T) {
	set := propertyPolicy(t)
	rapid.Check(t, func(t *rapid.T) {
		a, b := newMirror(5), newMirror(5)
		a.keep, b.keep = true, true
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			pass := time.Duration(pick(t, "pass", 0, 1, 9, 25)) * time.Second
			in := drawInput(t, set)
			for _, m := range []*mirror{a, b} {
				m.advance(pass)
				m.step(in)
			}
		}
		if d := cmp.Diff(a.log, b.log); d != "" {
			t.Fatalf("two runs differ:\n%s", d)
		}
	})
}
