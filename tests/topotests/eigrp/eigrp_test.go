package eigrp

import (
	"flag"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain has the tests run side by side: they wait for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "7"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.MainConfig(m, harness.Config{Ethernet: true})
}

// converge is how long anything may take: a hold time, and what a loaded machine adds.
const converge = 60 * time.Second

// protocol is the number of EIGRP's routes in the kernel.
var protocol = harness.ProtocolNumber(rib.EIGRP)

// start starts all routers at once, each with its configuration, and waits for all.
func start(t *testing.T, configs map[*harness.Node]string) {
	t.Helper()
	harness.StartZebras(t, configs)
}

// await waits until all that is said is so.
func await(t *testing.T, all ...func() error) { t.Helper(); harness.Await(t, converge, all...) }

// routes tells whether a kernel has exactly these routes of EIGRP.
func routes(n *harness.Node, want ...string) func() error {
	return func() error { return n.HasRoutes(protocol, want...) }
}

// shows tells whether the JSON of a show command contains this.
func shows(n *harness.Node, command, want string) func() error {
	return func() error { return n.ShowJSON(command, want) }
}

// logs tells whether the log of a router has these texts.
func logs(n *harness.Node, texts ...string) func() error { return n.Logged(texts...) }

// classic is a `router eigrp 100` for everything in 10.0.0.0.
const classic = "router eigrp 100\n network 10.0.0.0\n"
