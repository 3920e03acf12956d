package vrfsock

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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
		b.sockets.Send(Packet{Interface: "Ethernet1", Source: hostA,
			Dest: netip.AddrPortFrom(group4, 0), Payload: []byte(strconv.Itoa(first + i))})
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

// roomsTold returns what was told of room since the last call.
func (b *bench) roomsTold() string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	all := strings.Join(b.rooms, ", ")
	b.rooms = nil
	return all
}

// TestWaitingForRoom: packets wait for a slow link and keep their order, and the
// protocol is told.
func TestWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(listen)
		b.sendNumbers(1, 1)
		b.busy(20)
		b.sendNumbers(2, 3)
		if got := b.roomsTold(); got != "Ethernet1 true" {
			t.Errorf("without room: %q", got)
		}
		time.Sleep(25 * sendAgain)
		if got := b.roomsTold(); got != "Ethernet1 false" {
			t.Errorf("with room: %q", got)
		}
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
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(listen)
		b.busy(1 << 20)
		b.sendNumbers(0, b.sockets.cfg.MaxWaiting+2)
		b.wantSaid("too much", "NOTSENT: a packet for 224.0.0.10 was not sent on Ethernet1: no room to send")
		time.Sleep(roomWithin + 2*sendAgain)
		if got := b.roomsTold(); got != "Ethernet1 true, Ethernet1 false" {
			t.Errorf("told %q", got)
		}
		b.busy(0)
		b.sendNumbers(1000, 1)
		if diff := cmp.Diff([]string{"1000"}, b.arrived(1)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSendWithin: such a packet goes ahead of those that wait, and waits itself.
func TestSendWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(listen)
		b.busy(3)
		began := time.Now()
		b.sockets.SendWithin(Packet{Interface: "Ethernet1", Source: hostA, Dest: netip.AddrPortFrom(group4, 0), Payload: []byte("farewell")}, time.Second)
		if took := time.Since(began); took != 3*sendAgain {
			t.Errorf("waited %v", took)
		}
		if diff := cmp.Diff([]string{"farewell"}, b.arrived(1)); diff != "" {
			t.Error(diff)
		}
		b.busy(1 << 20)
		b.sockets.SendWithin(Packet{Interface: "Ethernet1", Source: hostA, Dest: netip.AddrPortFrom(group4, 0)}, time.Second)
		if took := time.Since(began); took != time.Second+3*sendAgain {
			t.Errorf("waited %v in all", took)
		}
		b.wantSaid("without room", "NOTSENT: a packet for 224.0.0.10 was not sent on Ethernet1: no room to send")
	})
}

// TestInterfacesWait: one interface does not wait for another.
func TestInterfacesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.sockets.InterfaceChanged(b.link(5))
		b.sockets.Listen(listen)
		b.busy(1)
		b.sockets.Send(Packet{Interface: "", Source: hostA, Dest: netip.AddrPortFrom(group4, 0), Payload: []byte("slow")})
		b.sendNumbers(1, 1)
		if diff := cmp.Diff([]string{"1"}, b.arrived(1)); diff != "" {
			t.Error(diff)
		}
	})
}
