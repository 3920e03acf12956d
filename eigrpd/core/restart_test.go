package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestPeerRestarted: a neighbour that begins anew, and says so by an INIT, is reset (RFC
// 7868 section 5.3.3), and is a neighbour again at once.
func TestPeerRestarted(t *testing.T) {
	l, a, b := pair(t, noNSF)
	l.start()
	l.advance(5 * time.Second)
	a.said()
	b.crash()
	l.advance(time.Second)
	b.fib = map[rib.Key]rib.Route{}
	b.start()
	l.advance(6 * time.Second)
	same(t, "log", a.said(), downB("peer restarted"), upB)
	same(t, "routes of a", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
	same(t, "routes of b", b.routes(), "10.1.0.0/24 [90/30720] 10.0.0.1,Eth0")
}

func noNSF(ic *InstanceConfig) { ic.NoNSF = true }

// chain is three routers in a row; the one in the middle restarts.
func chain(t testing.TB, edit ...func(*InstanceConfig)) (l *town, a, b, c *router) {
	l = newTown(t)
	a = l.router("a", edit...).on("ab", "Eth0", "10.0.0.1/24").on("", "Eth1", "10.1.0.1/24")
	b = l.router("b", edit...).on("ab", "Eth0", "10.0.0.2/24").on("bc", "Eth1", "10.0.1.2/24")
	c = l.router("c", edit...).on("bc", "Eth0", "10.0.1.3/24").on("", "Eth1", "10.3.0.1/24")
	return l, a, b, c
}

// withdrawals returns the prefixes of DelRoute effects since the last take.
func (r *router) withdrawals() (all []string) {
	for _, e := range r.take() {
		if d, ok := e.(DelRoute); ok {
			all = append(all, d.Key.Prefix.String())
		}
	}
	return all
}

// TestGracefulRestart: the daemon of a router ends and is started again. Nobody
// withdraws a route, neither it nor its neighbours, and what it stated is swept when
// the neighbours have told their tables (RFC 7868 section 6.5, RS-Flag).
func TestGracefulRestart(t *testing.T) {
	l, a, b, c := chain(t)
	l.start()
	l.advance(10 * time.Second)
	before := [][]string{a.routes(), b.routes(), c.routes()}
	for _, r := range l.routers {
		r.take()
		r.said()
	}
	b.crash()
	l.advance(2 * time.Second)
	b.start()
	old := b.routes()
	for range 200 {
		l.advance(100 * time.Millisecond)
		for _, e := range b.take() {
			if _, ok := e.(EndOfReplay); ok {
				same(t, "stated by the end of the replay", stated(b), before[1]...)
			}
		}
		same(t, "routes of b meanwhile", b.routes(), old...)
	}
	for k, r := range l.routers {
		if w := r.withdrawals(); len(w) > 0 {
			t.Errorf("%s withdrew %v", r.name, w)
		}
		same(t, "routes of "+r.name, r.routes(), before[k]...)
	}
	for _, r := range []*router{a, c} {
		for _, s := range r.said() {
			if strings.Contains(s, "down") {
				t.Error(s)
			}
		}
		if n := r.neighbors(); len(n) != 1 || strings.Contains(n[0], "restarting") {
			t.Errorf("neighbours of %s at the end: %q", r.name, n)
		}
	}
	// What was gone at c when b came back is gone everywhere.
	b.crash()
	c.edit("Eth1", setDown)
	l.advance(time.Second)
	b.start()
	l.advance(20 * time.Second)
	if got := a.routes(); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "10.3.") }) {
		t.Errorf("a keeps what is gone: %q", got)
	}
}

// stated is what a router stated in this life of its daemon.
func stated(r *router) []string {
	keep := r.fib
	r.fib = map[rib.Key]rib.Route{}
	for k := range keep {
		if r.core.instances[Key{Family: rib.IPv4, AS: 100}] != nil {
			if _, ok := r.core.order[0].routes.installed[k.Prefix]; ok {
				r.fib[k] = keep[k]
			}
		}
	}
	got := r.routes()
	r.fib = keep
	return got
}

// TestGracefulRestartRefused: a neighbour whose REPLY is awaited is reset nonetheless. It
// knows of no QUERY.
func TestGracefulRestartRefused(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(10 * time.Second)
	a.said()
	b.crash()
	a.edit("Eth1", setDown)
	l.advance(2 * time.Second)
	b.start()
	l.advance(10 * time.Second)
	same(t, "log", a.said(), "%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 10.0.0.2 (Eth0) is resync: peer NSF restarted",
		downB("peer restarted"), upB)
}

// TestGracefulRestartPurge: the routes of a neighbour that does not come back to the end
// of its table go after the purge time, if it goes on sending Hellos.
func TestGracefulRestartPurge(t *testing.T) {
	l, a, b := pair(t)
	a.instance().PurgeTime = 30 * time.Second
	l.start()
	l.advance(10 * time.Second)
	a.said()
	b.crash()
	for range 9 {
		h := hello()
		h.Flags = packet.FlagRestart
		a.rx("Eth0", "10.0.0.2", h)
		l.advance(4 * time.Second)
		if l.now.Sub(0) < 40*time.Second {
			same(t, "routes", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
			same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0 restarting")
		}
	}
	same(t, "routes", a.routes())
	same(t, "log", a.said(), "%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 10.0.0.2 (Eth0) is resync: peer NSF restarted",
		downB("graceful restart purge time expired"))
}

// TestOldRestart: a Hello with the RS flag that was delayed, or sent again by somebody,
// does no harm.
func TestOldRestart(t *testing.T) {
	l, a, _ := pair(t)
	l.start()
	l.advance(10 * time.Second)
	h := hello()
	h.Flags = packet.FlagRestart
	a.rx("Eth0", "10.0.0.2", h)
	a.said()
	l.advance(10 * time.Minute)
	same(t, "log", a.said())
	same(t, "routes", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
	same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
}

// TestGracefulRestartHalf: of a neighbour that begins to tell its table and does not end,
// what it told before goes after the purge time, and what it told since stays.
func TestGracefulRestartHalf(t *testing.T) {
	l, a, b := pair(t)
	var many []string
	for k := range 100 {
		many = append(many, fmt.Sprintf("10.4.%d.1/24", k))
	}
	b.on("", "Eth2", many...)
	a.instance().PurgeTime = 30 * time.Second
	l.start()
	l.advance(10 * time.Second)
	b.crash()
	b.start()
	l.pass = func(from, _ *router, m *packet.Message) bool { return from == a || m.Flags&packet.FlagEndOfTable == 0 }
	l.advance(20 * time.Second)
	if n := len(a.routes()); n != 101 {
		t.Errorf("%d routes while the neighbour restarts", n)
	}
	l.advance(11 * time.Second)
	if n := len(a.routes()); n == 0 || n > 99 {
		t.Errorf("%d routes after the purge time", n)
	}
}

// TestGracefulRestartWorse: a neighbour that comes back with a longer distance is reset:
// it may have chosen a way that leads through those who relied on it.
func TestGracefulRestartWorse(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(10 * time.Second)
	a.said()
	b.crash()
	b.edit("Eth1", func(x *rib.Interface) { x.Delay = 1000 })
	b.start()
	l.advance(30 * time.Second)
	logs := a.said()
	if !slices.Contains(logs, downB("topology changed in graceful restart")) {
		t.Errorf("log: %q", logs)
	}
	same(t, "routes", a.routes(), "10.2.0.0/24 [90/284160] 10.0.0.2,Eth0")
}

// TestSoftClear: `clear ip eigrp neighbors soft` exchanges the tables anew and resets
// nothing.
func TestSoftClear(t *testing.T) {
	for name, edit := range map[string]func(*InstanceConfig){"nsf": func(*InstanceConfig) {}, "no nsf": noNSF} {
		t.Run(name, func(t *testing.T) {
			l, a, b := pair(t, edit)
			l.start()
			l.advance(10 * time.Second)
			a.said()
			a.take()
			updates := 0
			l.pass = func(from, to *router, m *packet.Message) bool {
				if m.Opcode == packet.Update && len(m.Routes) > 0 {
					updates++
				}
				return true
			}
			a.step(Clear{Soft: true})
			l.advance(10 * time.Second)
			same(t, "log", a.said(), "%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 10.0.0.2 (Eth0) is resync: manually cleared")
			if w := a.withdrawals(); len(w) > 0 {
				t.Errorf("withdrew %v", w)
			}
			if updates < 2 {
				t.Errorf("%d UPDATEs", updates)
			}
			same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
			same(t, "routes of a", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
			same(t, "routes of b", b.routes(), "10.1.0.0/24 [90/30720] 10.0.0.1,Eth0")
		})
	}
}

// TestReplay: zebra's restart, with the adjacencies in place, is answered at once; that
// of the daemon without neighbours after the time in which they could have been heard.
func TestReplay(t *testing.T) {
	ends := func(r *router) (n int) {
		for _, e := range r.take() {
			if _, ok := e.(EndOfReplay); ok {
				n++
			}
		}
		return n
	}
	l, a, b := pair(t)
	b.dead = true
	a.step(Attached{})
	a.step(InterfacesKnown{})
	if n := ends(a); n != 0 {
		t.Errorf("%d before the configuration", n)
	}
	a.configure()
	if n := ends(a); n != 1 {
		t.Errorf("%d where nothing is stale", n)
	}
	a.crash()
	a.dead = false
	a.step(Attached{Stale: 5})
	for _, name := range a.names() {
		a.step(InterfaceChanged{a.link[name]})
	}
	a.step(InterfacesKnown{})
	a.configure()
	l.advance(14 * time.Second)
	if n := ends(a); n != 0 {
		t.Errorf("%d while neighbours may be heard of", n)
	}
	l.advance(2 * time.Second)
	if n := ends(a); n != 1 {
		t.Errorf("%d with no neighbour", n)
	}
	b.start()
	l.advance(10 * time.Second)
	a.said()
	a.take()
	a.step(Attached{Stale: 7})
	a.step(InterfaceChanged{a.link["Eth0"]})
	a.step(InterfacesKnown{}) // Eth1 is gone
	if n := ends(a); n != 1 {
		t.Errorf("%d for the restart of zebra", n)
	}
	same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
	same(t, "log", a.said())
	l.advance(time.Second)
	same(t, "routes of b", b.routes())
}

// TestGracefulRestartLossy: a router is restarted again and again, also within a restart,
// and a quarter of all packets is lost. When it has listened for a Hold Time, and the
// losses have ended, no neighbour waits for it any more, and all have all routes (RFC 7868
// section 6.5, EOT-Flag).
func TestGracefulRestartLossy(t *testing.T) {
	for seed := range uint64(200) {
		l, a, b, c := chain(t)
		random := rand.New(rand.NewPCG(seed, 1))
		l.start()
		l.advance(20 * time.Second)
		before := [][]string{a.routes(), b.routes(), c.routes()}
		l.pass = func(*router, *router, *packet.Message) bool { return random.IntN(4) > 0 }
		for range 1 + random.IntN(4) {
			b.crash()
			l.advance(time.Duration(random.IntN(2000)) * time.Millisecond)
			b.start()
			l.advance(time.Duration(random.IntN(20_000)) * time.Millisecond)
		}
		l.advance(DefaultHold)
		l.pass = nil
		l.advance(10 * time.Second)
		for k, r := range l.routers {
			if n := r.neighbors(); slices.ContainsFunc(n, func(s string) bool { return strings.Contains(s, "restarting") }) {
				t.Errorf("seed %d: neighbours of %s: %q", seed, r.name, n)
			}
			same(t, fmt.Sprintf("seed %d: routes of %s", seed, r.name), r.routes(), before[k]...)
		}
	}
}

// TestGracefulRestartLongHold: a router with a long Hold Time does not listen longer for
// neighbours than these keep its routes: when it has told its table, they have them still.
func TestGracefulRestartLongHold(t *testing.T) {
	l, a, b, c := chain(t)
	for _, r := range l.routers {
		for _, name := range []string{"Eth0", "Eth1"} {
			*r.iface(name) = InterfaceConfig{Name: name, Hello: 100 * time.Second, Hold: 300 * time.Second}
		}
	}
	l.start()
	l.advance(10 * time.Second)
	before := [][]string{a.routes(), b.routes(), c.routes()}
	for _, r := range l.routers {
		r.take()
	}
	b.crash()
	l.advance(2 * time.Second)
	b.start()
	l.advance(6 * time.Minute)
	for k, r := range l.routers {
		if w := r.withdrawals(); len(w) > 0 {
			t.Errorf("%s withdrew %v", r.name, w)
		}
		same(t, "routes of "+r.name, r.routes(), before[k]...)
		if n := r.neighbors(); slices.ContainsFunc(n, func(s string) bool { return strings.Contains(s, "restarting") }) {
			t.Errorf("neighbours of %s: %q", r.name, n)
		}
	}
}

// TestGracefulRestartShortPurge: nor does it wait longer for a neighbour that does not tell
// its table to the end.
func TestGracefulRestartShortPurge(t *testing.T) {
	l, a, b, c := chain(t, func(ic *InstanceConfig) { ic.PurgeTime = 20 * time.Second })
	l.start()
	l.advance(10 * time.Second)
	a.take()
	b.crash()
	b.start()
	l.pass = func(from, _ *router, m *packet.Message) bool { return from != c || m.Flags&packet.FlagEndOfTable == 0 }
	l.advance(2 * time.Minute)
	if w := a.withdrawals(); slices.Contains(w, "10.0.1.0/24") {
		t.Errorf("a withdrew %v", w)
	}
}
