package linuxkernel_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSuite runs what this machine's kernel can do; tests/topotests/dataplane
// runs all of it.
func TestSuite(t *testing.T) {
	dptest.Run(t, func(t testing.TB) dptest.Env { return lktest.New(t) })
}
