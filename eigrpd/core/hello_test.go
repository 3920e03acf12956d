package core

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestFirstHello: the first Hello goes out as soon as an interface is up, and when the
// edge listens there already: without a socket it would be lost, and a Hello interval
// with it.
func TestFirstHello(t *testing.T) {
	config := ConfigSet{Config{Instances: []InstanceConfig{{Key: Key{Family: rib.IPv4, AS: 100}, Networks: everywhere}}}}
	up := InterfaceChanged{rib.Interface{Name: "eth0", KernelName: "eth0", Index: 2, AdminUp: true, Up: true, Multicast: true, MTU: 1500,
		Bandwidth: 100_000, Delay: 10, Addresses: []rib.Address{{Prefix: netip.MustParsePrefix("10.0.0.1/24")}}}}
	for _, order := range [][]Input{{config, up, InterfacesKnown{}}, {up, InterfacesKnown{}, config}} {
		c := New(Options{Source: rand.NewPCG(1, 1), Wall: rigWall})
		for _, in := range order {
			c.Step(0, in)
		}
		effects := c.Drain(nil)
		listen := slices.IndexFunc(effects, func(e Effect) bool { _, ok := e.(Listen); return ok })
		hello := slices.IndexFunc(effects, func(e Effect) bool { _, ok := e.(TxPacket); return ok })
		if listen < 0 || hello < listen {
			t.Errorf("%T first: listening is effect %d, the first packet %d of %v", order[0], listen, hello, effects)
		}
	}
}
