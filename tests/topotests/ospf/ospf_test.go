package ospf

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain has the tests run side by side: they wait for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.MainConfig(m, harness.Config{Ethernet: true})
}

// converge is how long anything may take: an election, and what a loaded machine adds.
const converge = 60 * time.Second

func await(t *testing.T, all ...func() error) { t.Helper(); harness.Await(t, converge, all...) }

// routes tells whether a kernel has exactly these routes of OSPF.
func routes(n *harness.Node, want ...string) func() error {
	return func() error { return n.HasRoutes(harness.ProtocolNumber(rib.OSPF), want...) }
}

// quick gives a device short timers; lines are further ones.
func quick(device, lines string) string {
	return fmt.Sprintf("interface %s\n ip ospf hello-interval 1\n ip ospf dead-interval 4\n%s", device, lines)
}

// ospf is `router ospf 1` with these lines.
func ospf(id int, lines string) string {
	return fmt.Sprintf("router ospf 1\n router-id %d.%d.%d.%d\n timers throttle spf 10 100 1000\n%s", id, id, id, id, lines)
}

// network is a line of it.
func network(prefix string, area int) string {
	return fmt.Sprintf(" network %s 0.255.255.255 area %d\n", prefix, area)
}
