package rip_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ripd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// ring is four routers in a ring, r1 to r4, with the LANs 10.1.0.0/24 behind r1 and
// 10.3.0.0/24 behind r3. The link between rA and rB is 10.AB.0.0/24, their devices
// on it are toB and toA.
type ring struct {
	r     [5]*router // r[1] to r[4]
	links [5]*harness.Link
	lan3  *harness.Link
}

func buildRing(t *testing.T) *ring {
	t.Helper()
	tp := harness.New(t)
	g := &ring{}
	configs := map[*router]string{}
	for i := 1; i <= 4; i++ {
		g.r[i] = &router{Node: tp.Router(fmt.Sprintf("r%d", i))}
		configs[g.r[i]] = "router rip\n version 2\n network 10.0.0.0\n timers basic 2 20 0 30\n"
	}
	for i := 1; i <= 4; i++ {
		a, b := i, i%4+1
		low, high := min(a, b), max(a, b)
		net := fmt.Sprintf("10.%d%d.0", low, high)
		g.links[i] = tp.Link(g.r[a].Node, fmt.Sprintf("to%d", b), fmt.Sprintf("%s.%d/24", net, a),
			g.r[b].Node, fmt.Sprintf("to%d", a), fmt.Sprintf("%s.%d/24", net, b))
	}
	tp.Host("h1", g.r[1].Node, "10.1.0.10/24", "10.1.0.1")
	h3 := tp.Node("h3")
	g.lan3 = tp.Link(h3, "eth0", "10.3.0.10/24", g.r[3].Node, "lan", "10.3.0.3/24")
	start(t, configs)
	return g
}

// all is what the kernels have when all is well: r1 and r3 have two ways to each
// other, and so have r2 and r4 to the link that is opposite.
func (g *ring) all() tables {
	return tables{
		g.r[1]: {"10.3.0.0/24 via 10.12.0.2 dev to2 via 10.14.0.4 dev to4", "10.23.0.0/24 via 10.12.0.2 dev to2", "10.34.0.0/24 via 10.14.0.4 dev to4"},
		g.r[2]: {"10.1.0.0/24 via 10.12.0.1 dev to1", "10.3.0.0/24 via 10.23.0.3 dev to3", "10.14.0.0/24 via 10.12.0.1 dev to1", "10.34.0.0/24 via 10.23.0.3 dev to3"},
		g.r[3]: {"10.1.0.0/24 via 10.23.0.2 dev to2 via 10.34.0.4 dev to4", "10.12.0.0/24 via 10.23.0.2 dev to2", "10.14.0.0/24 via 10.34.0.4 dev to4"},
		g.r[4]: {"10.1.0.0/24 via 10.14.0.1 dev to1", "10.3.0.0/24 via 10.34.0.3 dev to3", "10.12.0.0/24 via 10.14.0.1 dev to1", "10.23.0.0/24 via 10.34.0.3 dev to3"},
	}
}

// without12 is what they have while the link between r1 and r2 is down: the ring is
// the line r1, r4, r3, r2.
func (g *ring) without12() tables {
	return tables{
		g.r[1]: {"10.3.0.0/24 via 10.14.0.4 dev to4", "10.23.0.0/24 via 10.14.0.4 dev to4", "10.34.0.0/24 via 10.14.0.4 dev to4"},
		g.r[2]: {"10.1.0.0/24 via 10.23.0.3 dev to3", "10.3.0.0/24 via 10.23.0.3 dev to3", "10.14.0.0/24 via 10.23.0.3 dev to3", "10.34.0.0/24 via 10.23.0.3 dev to3"},
		g.r[3]: {"10.1.0.0/24 via 10.34.0.4 dev to4", "10.14.0.0/24 via 10.34.0.4 dev to4"},
		g.r[4]: {"10.1.0.0/24 via 10.14.0.1 dev to1", "10.3.0.0/24 via 10.34.0.3 dev to3", "10.23.0.0/24 via 10.34.0.3 dev to3"},
	}
}

// has tells whether a router's kernel has a way to 10.3.0.0/24 by RIP.
func (g *ring) has(i int) bool {
	for _, r := range g.r[i].RoutesOf(protocol) {
		if r.Prefix.String() == "10.3.0.0/24" {
			return true
		}
	}
	return false
}

// goneEverywhere tells whether no kernel has a way to 10.3.0.0/24.
func (g *ring) goneEverywhere() error {
	var errs []error
	for i := 1; i <= 4; i++ {
		if g.has(i) {
			errs = append(errs, fmt.Errorf("r%d has a route to 10.3.0.0/24", i))
		}
	}
	return errors.Join(errs...)
}

// TestRing loses a link, and finds the other way round; then the LAN behind r3,
// which no way leads to.
func TestRing(t *testing.T) {
	t.Parallel()
	g := buildRing(t)
	g.all().wait(t, converge)
	if err := g.r[1].ShowJSON("show ip rip", `{"routes": [{"prefix": "10.3.0.0/24", "metric": 3, "paths": [
		{"from": "10.12.0.2", "interface": "to2", "metric": 3}, {"from": "10.14.0.4", "interface": "to4", "metric": 3}]}]}`); err != nil {
		t.Error(err)
	}
	g.links[1].Down()
	g.without12().wait(t, converge)
	g.links[1].Up()
	g.all().wait(t, converge)
	g.links[1].Cut()        // both ends stay up: timers tell
	silent := g.without12() // but for the link's own network: its ends have it still
	silent[g.r[3]] = append(silent[g.r[3]], "10.12.0.0/24 via 10.23.0.2 dev to2")
	silent[g.r[4]] = append(silent[g.r[4]], "10.12.0.0/24 via 10.14.0.1 dev to1")
	silent.wait(t, converge)
	g.links[1].Mend()
	g.all().wait(t, converge)
	g.countToInfinity(t)
}

// countToInfinity takes the LAN away while the message that says so is lost on its
// way to r4. With split horizon on every link, r4 still believes in it, and what it
// says goes round: to r1, r2 and back to r3, whose LAN it was. From then on the
// metric grows with each round, until it is 16 and the route gone (RFC 2453 section
// 2.2). Until then packets may go in circles; the bound is what counts.
func (g *ring) countToInfinity(t *testing.T) {
	t.Helper()
	var wires []*harness.Capture
	for i := 1; i <= 4; i++ {
		wires = append(wires, g.r[i].Capture(fmt.Sprintf("to%d", i%4+1)))
	}
	g.links[3].LossFrom(g.r[3].Node, 100)
	g.lan3.DownAt(g.r[3].Node)
	harness.Eventually(t, converge, func() error {
		if !g.has(3) {
			return errors.New("r3 has not learnt its own LAN of others yet")
		}
		return nil
	})
	g.links[3].LossFrom(g.r[3].Node, 0)
	mended := time.Now()
	harness.Eventually(t, converge, g.goneEverywhere)
	t.Logf("counted to infinity in %v", time.Since(mended))

	metrics := map[uint32]bool{}
	for _, w := range wires {
		for _, m := range messages(t, w, from("")) {
			for _, e := range m.Entries {
				if m.Command == packet.Response && e.Addr.String() == "10.3.0.0" {
					metrics[e.Metric] = true
				}
				if e.Metric > packet.Infinity {
					t.Errorf("metric %d of %v", e.Metric, e.Addr)
				}
			}
		}
	}
	if len(metrics) < 10 || !metrics[packet.Infinity] {
		t.Errorf("metrics of 10.3.0.0/24 on the wire: %v; a count to infinity has ten at least", metrics)
	}
	g.lan3.UpAt(g.r[3].Node)
	g.all().wait(t, converge)
	if err := harness.CheckDissected("rip", 8, wires...); err != nil {
		t.Error(err)
	}
}
