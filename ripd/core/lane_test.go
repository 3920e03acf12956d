package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ripd/packet"
)

// many has the rig announce n static networks.
func (r *rig) many(n int) {
	for i := range n {
		r.cfg.Routers[0].Static = append(r.cfg.Routers[0].Static, prefix(fmt.Sprintf("172.%d.%d.0/24", 16+i>>8, i&255)))
	}
}

// packetsSent returns how many packets went out since the last take.
func (r *rig) packetsSent() (n int) {
	for _, e := range r.take() {
		if _, ok := e.(TxPacket); ok {
			n++
		}
	}
	return n
}

// TestNoRoomToSend: while packets wait for room no update goes on, and afterwards
// it does, with nothing left out.
func TestNoRoomToSend(t *testing.T) {
	const routes = 100 * packet.MaxEntries
	r := newRig(t)
	r.many(routes)
	r.start(link("eth0", "10.0.0.1/24"), link("eth1", "10.1.0.1/24"))
	r.quietDown()
	r.take()
	r.step(SendRoom{Interface: "eth0", Full: true})
	r.advance(time.Minute) // a regular update falls due
	for _, e := range r.take() {
		if tx, ok := e.(TxPacket); ok && tx.Interface == "eth0" {
			t.Fatal("eth0 sends without room")
		}
	}
	r.step(SendRoom{Interface: "eth0"})
	r.advance(time.Second)
	told := map[string]bool{}
	for _, e := range r.responses("eth0") {
		told[e] = true
	}
	if len(told) != routes+1 { // and the network of eth1
		t.Errorf("%d routes told", len(told))
	}

	// An interface that comes back starts anew.
	r.step(SendRoom{Interface: "eth0", Full: true})
	down := link("eth0", "10.0.0.1/24")
	down.Up = false
	r.step(InterfaceChanged{Interface: down})
	r.step(InterfaceChanged{Interface: link("eth0", "10.0.0.1/24")})
	r.take()
	r.advance(10 * time.Second)
	if r.packetsSent() < 100 {
		t.Error("eth0 is silent after it came back")
	}
	r.step(SendRoom{Interface: "nowhere", Full: true})
}
