package main

import (
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// cloud is a hub and the spokes that are played beside it.
type cloud struct {
	*harness.Topology
	node   *harness.Node
	hub    hub
	spokes *spokes
}

// newCloud starts a hub and has nobody register yet.
func newCloud(t harness.TB, s suite, n int) *cloud {
	tp := harness.New(t)
	c := &cloud{Topology: tp, node: tp.Router("hub")}
	far := tp.Node("spokes")
	tp.Link(c.node, uplink, "", far, uplink, spokesLink)
	c.hub = s.start(t, c.node)
	c.spokes = newSpokes(t, n, far, c.node)
	return c
}

func (c *cloud) close() { c.spokes.close(); c.Close() }

// registrations is what one run of a hub with many spokes measured.
type registrations struct {
	first, refresh time.Duration // processor time of one registration, of zebra and nhrpd
	firstNHRP      time.Duration // of nhrpd alone
	refreshNHRP    time.Duration
	wall           time.Duration // of one refresh
	memory         float64       // octets for each spoke
	repeated       int           // requests that were not answered in time
}

// refreshes is how many registrations are measured at least after the first ones.
const refreshes = 20000

// maxRound bounds what is sent within ten seconds: this suite's max-send has a largest
// value.
const maxRound = 60000

// measureRegistrations has n spokes register with a fresh hub, and then again and
// again.
func measureRegistrations(t harness.TB, s suite, n int) (r registrations) {
	c := newCloud(t, s, n)
	defer c.close()
	both, nhrpd := c.hub.usage()
	harness.WaitIdle(t, settleLimit, both)
	memory, cpu, cpuNHRP := both.Memory(), both.CPU(), nhrpd.CPU()
	r.repeated = c.spokes.registerAll()
	harness.Eventually(t, settleLimit, func() error {
		return missing("the hub's kernel", c.spokes.known(c.node, c.hub.device()), n)
	})
	harness.WaitIdle(t, settleLimit, both)
	r.first, r.firstNHRP = (both.CPU()-cpu)/time.Duration(n), (nhrpd.CPU()-cpuNHRP)/time.Duration(n)
	r.memory = float64(both.Memory()-memory) / float64(n)

	rounds := (refreshes + n - 1) / n
	if rounds*n > maxRound {
		t.Fatalf("%d registrations in one go", rounds*n)
	}
	cpu, cpuNHRP = both.CPU(), nhrpd.CPU()
	begin := time.Now()
	for range rounds {
		r.repeated += c.spokes.registerAll()
	}
	r.wall = time.Since(begin) / time.Duration(rounds*n)
	harness.WaitIdle(t, settleLimit, both)
	r.refresh, r.refreshNHRP = (both.CPU()-cpu)/time.Duration(rounds*n), (nhrpd.CPU()-cpuNHRP)/time.Duration(rounds*n)
	return r
}

// restart is what one restart of a hub measured, all from its end on.
type restart struct {
	answers time.Duration // until the first registration is answered
	all     time.Duration // until each spoke has registered again
	least   int           // the fewest spokes that the kernel could reach meanwhile
	reached time.Duration // until the kernel can reach all for good
}

// restarts are the ways to go.
var restarts = []struct {
	name string
	end  func(hub)
}{
	{"nhrpd killed", hub.killNHRP},
	{"both killed", hub.killAll},
	{"in order", hub.stop},
}

// sample is how often the kernel's neighbours are looked at during a restart.
const sample = 250 * time.Millisecond

// measureRestarts has a hub with n spokes, which refresh with this period, end and
// start again in each way.
func measureRestarts(t harness.TB, s suite, n int, period time.Duration) (rs []restart) {
	c := newCloud(t, s, n)
	defer c.close()
	c.spokes.registerAll()
	for _, way := range restarts {
		c.spokes.spread(period)
		settled := time.Now().Add(period + period/4)
		c.spokes.run(period, func(now time.Time) bool { return now.After(settled) })
		if err := missing("the hub's kernel before a restart", c.spokes.known(c.node, c.hub.device()), n); err != nil {
			t.Fatalf("%v", err)
		}
		rs = append(rs, c.restart(t, way.end, period))
	}
	return rs
}

// restart ends the hub, starts it again at once and waits for the spokes. They are
// played in the meantime.
func (c *cloud) restart(t harness.TB, end func(hub), period time.Duration) (r restart) {
	n := len(c.spokes.all)
	r.least = n
	begin := time.Now()
	started := make(chan any, 1)
	go func() {
		defer func() { started <- recover() }() // what Fatalf throws belongs to this goroutine
		end(c.hub)
		c.hub.start()
	}()
	up := false
	looked := begin
	var whole time.Time // since when the kernel reaches all
	c.spokes.run(period, func(now time.Time) bool {
		if now.Sub(looked) < sample {
			return false
		}
		looked = now
		known := c.knownNow()
		r.least = min(r.least, known)
		switch {
		case known < n:
			whole = time.Time{}
		case whole.IsZero():
			whole = now
		}
		select {
		case failed := <-started:
			if up = true; failed != nil {
				panic(failed)
			}
		default:
		}
		registered, _, _ := c.spokes.registeredSince(begin)
		if now.Sub(begin) > settleLimit+3*period {
			t.Fatalf("%d spokes of %d are registered again, %d are neighbours", registered, n, known)
		}
		return up && registered == n && !whole.IsZero()
	})
	_, first, last := c.spokes.registeredSince(begin)
	r.answers, r.all = first.Sub(begin), last.Sub(begin)
	if r.least < n {
		r.reached = whole.Sub(begin)
	}
	return r
}

// knownNow is how many spokes the kernel can reach; none while there is no tunnel.
func (c *cloud) knownNow() int {
	if _, err := c.node.Netlink().LinkByName(c.hub.device()); err != nil {
		return 0
	}
	return c.spokes.known(c.node, c.hub.device())
}
