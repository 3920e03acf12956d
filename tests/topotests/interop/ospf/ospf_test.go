package ospf

import (
	"flag"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/ospfpeers"
)

// TestMain has the tests run side by side: they wait for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.MainConfig(m, harness.Config{Ethernet: true})
}

func await(t *testing.T, all ...func() error) {
	t.Helper()
	harness.Await(t, ospfpeers.Converge, all...)
}

type router = ospfpeers.Router

const (
	ours = ospfpeers.Ours
	frr  = ospfpeers.FRR
	bird = ospfpeers.BIRD
)

// links is how networks of links begin.
const links = "10.9."
