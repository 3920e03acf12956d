package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// TestBackoff: the first event waits Start, the next ones Hold, doubled up to Maximum, until
// it was calm for twice that.
func TestBackoff(t *testing.T) {
	th := Throttle{Start: 50 * time.Millisecond, Hold: 200 * time.Millisecond, Maximum: time.Second}
	var b backoff
	now := clock.Instant(0)
	for k, want := range []time.Duration{50, 200, 400, 800, 1000, 1000} {
		due := b.due(now, th)
		if got := due.Sub(now) / time.Millisecond; got != want {
			t.Errorf("event %d waits %d ms, want %d", k, got, want)
		}
		now = due
		b.served(now, th)
	}
	if due := b.due(now.Add(700*time.Millisecond), th); due.Sub(now) != time.Second {
		t.Errorf("one that comes later waits until %v after the last", due.Sub(now))
	}
	now = now.Add(2 * time.Second)
	if due := b.due(now, th); due.Sub(now) != th.Start {
		t.Errorf("after a calm it waits %v", due.Sub(now))
	}
}

// TestMinLSInterval: two instances of an LSA are MinLSInterval apart, and the last one says
// how things are (RFC 2328 section 12.4). None says the same as the one before.
func TestMinLSInterval(t *testing.T) {
	l, a, b := pair(t)
	b.on("", "Eth1", "10.9.0.1/24")
	l.start()
	a.want("O 10.9.0.0/24 [110/2] via 10.0.0.2 Eth0")
	l.advance(time.Minute)
	seen := map[string]clock.Instant{}
	bodies := map[string]string{}
	l.pass = func(_, _ *router, m *packet.Message) bool {
		for _, x := range m.Updates {
			name := fmt.Sprint(x.LSAKey)
			key := fmt.Sprint(name, x.Sequence)
			if _, again := seen[key]; again || x.IsMaxAge() {
				continue
			}
			seen[key] = l.now
			if last, ok := seen[name]; ok && l.now.Sub(last) < 5*time.Second {
				t.Errorf("%v: %s after %v", l.now, name, l.now.Sub(last))
			}
			if says(x) == bodies[name] {
				t.Errorf("%v: %s says the same again: %s", l.now, name, says(x))
			}
			seen[name], bodies[name] = l.now, says(x)
		}
		return true
	}
	for k := range 21 {
		b.edit("Eth1", func(x *rib.Interface) { x.Up = k%2 == 1 })
		l.advance(700 * time.Millisecond)
	}
	a.want()
	if n := len(seen); n < 4 {
		t.Errorf("%d instances", n)
	}
}

// TestSPFThrottle: computations of the tree back off; routes that change alone need none.
func TestSPFThrottle(t *testing.T) {
	l, a, b := pair(t)
	b.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
	b.on("", "Eth1", "10.9.0.1/24")
	l.start()
	a.want("O 10.9.0.0/24 [110/2] via 10.0.0.2 Eth0")
	l.advance(time.Minute)
	spf := func() SPFStatus { return a.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0].SPF }
	before := spf()
	b.redistribute(rib.Static, "172.16.0.0/16")
	a.want("O 10.9.0.0/24 [110/2] via 10.0.0.2 Eth0", "E2 172.16.0.0/16 [110/20] via 10.0.0.2 Eth0")
	if s := spf(); s.Partial != before.Partial+1 || s.Last[0].Full || s.Last[0].Reason != "X" || s.Last[0].Ext != 1 {
		t.Errorf("%+v", s)
	}
	l.advance(time.Minute)
	before = spf()
	b.edit("Eth1", setDown) // a stub network: the same tree
	a.want("E2 172.16.0.0/16 [110/20] via 10.0.0.2 Eth0")
	if s := spf(); s.Partial != before.Partial+1 || s.Last[0].Reason != "R" || s.Last[0].Changed != 1 {
		t.Errorf("%+v", s)
	}
	full := spf().Runs - spf().Partial
	at := l.now
	for range 40 {
		a.step(Clear{Kind: ClearSPF})
		l.advance(100 * time.Millisecond)
	}
	if n := spf().Runs - spf().Partial - full; n < 4 || n > 6 { // at 50, 250, 650, 1450, 3050 ms
		t.Errorf("%d computations in %v", n, l.now.Sub(at))
	}
}

// TestSPFOfFirstAdjacency: what is computed while the first neighbour's database comes leads
// nowhere, and the computation that counts does not wait for it.
func TestSPFOfFirstAdjacency(t *testing.T) {
	l, a, b := pair(t)
	a.on("", "Eth1", "10.9.0.1/24")
	l.start()
	for k := range 3000 {
		a.in().originate(l.now, a.in().as, lsdb.Statement{Type: packet.ExternalLSA, ID: packet.ID(k) << 8, Options: packet.OptionE,
			Body: packet.External{Mask: 0xffffff00, Metric: 20}.Append(nil)})
	}
	runs := func() int { return b.in().routes.spf.runs }
	before := 0
	l.until(time.Minute, "Full", func() bool {
		if b.in().exchanging == 0 && b.full() == 0 {
			before = runs()
		}
		return b.full() == 1
	})
	if runs() == before {
		t.Error("nothing was computed in the exchange of databases")
	}
	l.until(DefaultSPFStart+10*time.Millisecond, "the route", func() bool { return len(b.fib) == 1 })
}

// TestNothingTwice: nothing is originated while nothing that it says changes, but for
// refreshes.
func TestNothingTwice(t *testing.T) {
	l, a, _ := pair(t)
	a.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
	l.start()
	a.redistribute(rib.Static, "172.16.0.0/16")
	l.until(2*time.Minute, "Full", func() bool { return a.full() == 1 })
	l.advance(time.Minute)
	before := a.database()
	a.configure()
	a.step(Clear{Kind: ClearSPF})
	a.edit("Eth0", func(x *rib.Interface) { x.Description = "new" })
	l.advance(20 * time.Minute)
	same(t, "database", a.database(), before...)
	l.advance(20 * time.Minute) // LSRefreshTime
	if now := a.database(); len(now) != len(before) || now[0] == before[0] {
		t.Errorf("not refreshed: %q", now)
	}
	a.step(Clear{Kind: ClearRedistribution})
	l.advance(time.Minute)
	if now := a.database(); len(now) != len(before) {
		t.Errorf("%q", now)
	}
}

// TestRoomGivenBack: routes by the same next hop share it, and what an exchange of databases
// and a table of routes took for a while is given back.
func TestRoomGivenBack(t *testing.T) {
	l, a, b := pair(t)
	a.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
	l.start()
	const n = 1500
	var all []string
	for k := range n {
		all = append(all, fmt.Sprintf("172.%d.%d.0/24", 16+k>>8, k&255))
	}
	a.redistribute(rib.Static, all...)
	l.until(2*time.Minute, "all routes", func() bool { return len(b.fib) == n && b.full() == 1 })
	hops := map[*rib.NextHop]bool{}
	for _, r := range b.fib {
		hops[&r.NextHops[0]] = true
	}
	if len(hops) != 1 {
		t.Errorf("%d copies of the same next hop", len(hops))
	}
	nb := b.in().ifaces[0].neighbors[0]
	if x := &nb.exchange; x.order != nil || x.asked != nil || len(nb.flood.Requests) > 0 {
		t.Errorf("kept of the exchange: %d and %d keys, %d requests", cap(x.order), cap(x.asked), len(nb.flood.Requests))
	}
}
