package edge

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rawsock"
)

// busy has the next n attempts to send find no room.
func (b *bench) busy(n int) {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	b.network.write = slices.Repeat([]error{rawsock.ErrBusy}, n)
}

// sendNumbers sends packets from first on, each with its number.
func (b *bench) sendNumbers(first, count int) {
	for i := range count {
		b.sockets.send(core.TxPacket{Interface: "Ethernet1", Source: hostA,
			Dest: packet.GroupIPv4, Packet: []byte(strconv.Itoa(first + i))})
	}
}

// arrived returns the next n packets that the other host gets.
func (b *bench) arrived(n int) []string {
	var all []string
	for range n {
		buf := make([]byte, 100)
		k, _, err := b.other.ReadFrom(buf)
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, string(buf[:k]))
	}
	return all
}

// TestWaitingForRoom: packets wait for a slow link, and keep their order.
func TestWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.interfaceChanged(b.link(5))
		b.sockets.listen(listen)
		b.sendNumbers(1, 1)
		b.busy(20)
		b.sendNumbers(2, 3)
		time.Sleep(25 * sendAgain)
		b.sendNumbers(5, 1)
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5"}, b.arrived(5)); diff != "" {
			t.Error(diff)
		}
		b.wantSaid("of that")
	})
}

// TestNoRoomForLong: what waits for too long is given up, all of it, and what is
// too much does not wait.
func TestNoRoomForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.interfaceChanged(b.link(5))
		b.sockets.listen(listen)
		b.busy(1 << 20)
		b.sendNumbers(0, maxWaiting+2)
		b.wantSaid("too much", "EIGRP-3-NOTSENT: a packet for 224.0.0.10 was not sent on Ethernet1: no room to send")
		time.Sleep(roomWithin + 2*sendAgain)
		b.busy(0)
		b.sendNumbers(1000, 1)
		if diff := cmp.Diff([]string{"1000"}, b.arrived(1)); diff != "" {
			t.Error(diff)
		}
	})
}
