package fake_test

import (
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type env struct{ p *fake.Provider }

func (e env) Provider() dataplane.Provider      { return e.p }
func (e env) Changes() int                      { return len(e.p.Changes()) }
func (e env) Remove(o dataplane.Object)         { e.p.Steal(o.Key()) }
func (e env) AddRoute(r dataplane.Route)        { e.p.PutForeign(r) }
func (e env) SetUp(device string, up bool)      { e.p.SetUp(device, up) }
func (e env) Send(device string, to netip.Addr) { e.p.Send(device, to) }
func (e env) AddDevice(name string)             { e.p.AddDevice(name) }
func (e env) RemoveDevice(name string)          { e.p.RemoveDevice(name) }

func TestSuite(t *testing.T) {
	dptest.Run(t, func(t testing.TB) dptest.Env {
		p := fake.New(dptest.Under)
		t.Cleanup(func() { p.Close() })
		return env{p}
	})
}
