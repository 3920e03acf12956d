package core

import (
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ripd/packet"
)

// wire carries packets between cores, each with its own interface of one network.
type wire struct {
	rigs  []*rig
	names []string
	addrs []string
}

// settle exchanges packets until nobody has any, and lets time pass.
func (w *wire) run(d time.Duration) {
	step := 10 * time.Millisecond
	for ; d > 0; d -= step {
		for busy := true; busy; {
			busy = false
			for k, r := range w.rigs {
				for _, e := range r.take() {
					x, ok := e.(TxPacket)
					if !ok || x.Interface != w.names[k] {
						continue
					}
					busy = true
					for n, other := range w.rigs {
						if n == k || x.Dest.Addr() != packet.Group && x.Dest.Addr() != addr(w.addrs[n]) {
							continue
						}
						other.step(RxPacket{Interface: w.names[n], Source: packetSource(x), Dest: x.Dest.Addr(), Packet: x.Packet})
					}
				}
			}
		}
		for _, r := range w.rigs {
			r.advance(step)
		}
	}
}

// TestExchange has two routers learn each other's networks, lose one, and end.
func TestExchange(t *testing.T) {
	a, b := newRig(t), newRig(t)
	a.start(link("eth0", "10.0.0.1/24"), link("lan", "10.1.0.1/24"))
	b.start(link("eth0", "10.0.0.2/24"), link("lan", "10.2.0.1/24"), link("lan2", "10.3.0.1/24"))
	w := &wire{rigs: []*rig{a, b}, names: []string{"eth0", "eth0"}, addrs: []string{"10.0.0.1", "10.0.0.2"}}
	w.run(10 * time.Second)
	same(t, "a", a.routes(), "10.2.0.0/24 [120/1] 10.0.0.2,eth0", "10.3.0.0/24 [120/1] 10.0.0.2,eth0")
	same(t, "b", b.routes(), "10.1.0.0/24 [120/1] 10.0.0.1,eth0")

	down := link("lan2", "10.3.0.1/24")
	down.Up = false
	b.step(InterfaceChanged{down})
	w.run(6 * time.Second)
	same(t, "a without lan2", a.routes(), "10.2.0.0/24 [120/1] 10.0.0.2,eth0")

	b.step(Shutdown{})
	w.run(10 * time.Millisecond)
	same(t, "a after b's shutdown", a.routes())
	if e := a.entry("10.2.0.0/24"); e == nil || !e.Garbage || e.Metric != packet.Infinity {
		t.Errorf("a keeps no garbage of b's network: %+v", e)
	}
}

func packetSource(x TxPacket) netip.AddrPort { return netip.AddrPortFrom(x.Source, packet.Port) }
