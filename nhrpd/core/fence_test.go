package core

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// TestDecoderFaultCostsThePacket: a decoder that panics neither ends the daemon
// nor leaves anything of the packet behind.
func TestDecoderFaultCostsThePacket(t *testing.T) {
	c := New(Options{Source: rand.NewPCG(1, 2)})
	cfg := DefaultInterfaceConfig("Tunnel0", rib.IPv4)
	cfg.NetworkID = 1
	c.Step(0, ConfigSet{Config{Interfaces: []InterfaceConfig{cfg}}})
	c.Step(0, InterfaceChanged{rib.Interface{Name: "Tunnel0", Index: 5, AdminUp: true, Up: true, Type: rib.TypeTunnel, MTU: 1400,
		Addresses: []rib.Address{{Prefix: netip.MustParsePrefix("10.0.0.1/24")}},
		Tunnel:    &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr("192.0.2.1")}}})
	c.decode = func(m *packet.Message, _ []byte) error {
		m.Type = packet.RegistrationRequest
		panic("index out of range")
	}
	c.Drain(nil)
	c.Step(0, RxPacket{Interface: "Tunnel0", NBMA: netip.MustParseAddr("198.51.100.1"), Packet: []byte{1, 2, 3}})
	for _, e := range c.Drain(nil) {
		switch e.(type) {
		case TxPacket, PutNeighbor:
			t.Errorf("a packet that could not be decoded led to %+v", e)
		}
	}
	i := c.ifaces[ifaceKey{"Tunnel0", rib.IPv4}]
	if n := i.counters.Drop(DropParser); n != 1 {
		t.Errorf("%d packets counted", n)
	}
	if c.in.Type != 0 {
		t.Error("something of the packet is left")
	}
}
