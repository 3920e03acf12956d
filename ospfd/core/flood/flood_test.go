package flood

import (
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

var interfaceStates = []fsm.InterfaceState{fsm.InterfacePointToPoint, fsm.InterfaceDROther, fsm.InterfaceBackup, fsm.InterfaceDR}

// Table 19, cell by cell.
func TestTable19(t *testing.T) {
	const byDR = -1 // delayed if from the designated router, otherwise nothing
	for _, row := range []struct {
		name           string
		c              Circumstance
		backup, others int
	}{
		{"has been flooded back out receiving interface", FloodedBack, int(NoAck), int(NoAck)},
		{"is more recent than database copy, but was not flooded back", MoreRecent, byDR, int(DelayedAck)},
		{"is a duplicate, and was treated as an implied acknowledgment", Implied, byDR, int(NoAck)},
		{"is a duplicate, and was not treated as an implied acknowledgment", Unexpected, int(DirectAck), int(DirectAck)},
		{"LS age is MaxAge, no current instance, nobody in Exchange or Loading", UnknownFlush, int(DirectAck), int(DirectAck)},
	} {
		for _, s := range interfaceStates {
			for _, fromDR := range []bool{false, true} {
				t.Run(row.name+"/"+s.String(), func(t *testing.T) {
					want := row.others
					if s == fsm.InterfaceBackup {
						want = row.backup
					}
					if want == byDR {
						want = map[bool]int{true: int(DelayedAck), false: int(NoAck)}[fromDR]
					}
					if got := Acknowledge(row.c, s, fromDR); got != Ack(want) {
						t.Errorf("from DR %v: %v, want %v", fromDR, got, Ack(want))
					}
				})
			}
		}
	}
}

func header(id packet.ID, seq int32) packet.LSAHeader {
	return packet.LSAHeader{LSAKey: packet.LSAKey{Type: packet.ExternalLSA, ID: id, Router: 1}, Sequence: seq, Checksum: 7}
}

// Section 13.3 step 1.
func TestOffer(t *testing.T) {
	for s := fsm.NeighborDown; s <= fsm.NeighborFull; s++ {
		for _, sender := range []bool{false, true} {
			for asked := range int32(4) { // the instance on the request list; 0: none. The new one is 2
				n := Neighbor{State: s, Requests: map[packet.LSAKey]packet.LSAHeader{}, List: NewList(Options{})}
				if asked > 0 {
					n.Requests[header(1, 0).LSAKey] = header(1, asked)
				}
				loading := s == fsm.NeighborExchange || s == fsm.NeighborLoading
				want, left := s >= fsm.NeighborExchange && !sender, asked > 0
				if loading && asked > 0 {
					want, left = want && asked == 1, asked == 3
				}
				if got := n.Offer(0, header(1, 2), sender); got != want || n.List.Len() != map[bool]int{true: 1}[want] {
					t.Errorf("%v, sender %v, asked for %d: added %v, list %d", s, sender, asked, got, n.List.Len())
				}
				if (len(n.Requests) == 1) != left {
					t.Errorf("%v, sender %v, asked for %d: request list %v", s, sender, asked, n.Requests)
				}
			}
		}
	}
}

// Section 13.3 steps 2 to 5.
func TestSendOut(t *testing.T) {
	for _, s := range interfaceStates {
		for i := range 16 {
			added, a := i&1 != 0, Arrival{Here: i&2 != 0, FromDesignated: i&4 != 0, FromBackup: i&8 != 0}
			want := added                                                  // step 2
			want = want && !(a.Here && (a.FromDesignated || a.FromBackup)) // step 3
			want = want && !(a.Here && s == fsm.InterfaceBackup)           // step 4
			if SendOut(added, a, s) != want {
				t.Errorf("%v, added %v, %+v: not %v", s, added, a, want)
			}
		}
	}
}

// Sections 8.1, 13.3 step 5 and 13.5.
func TestGroup(t *testing.T) {
	for network := fsm.Broadcast; network <= fsm.VirtualLink; network++ {
		for _, s := range interfaceStates {
			want := ""
			switch {
			case network == fsm.PointToPoint, network == fsm.Broadcast && s >= fsm.InterfaceBackup:
				want = "224.0.0.5"
			case network == fsm.Broadcast:
				want = "224.0.0.6"
			}
			if got, ok := Group(network, s); ok != (want != "") || ok && got.String() != want {
				t.Errorf("network %d, %v: %v %v, want %q", network, s, got, ok, want)
			}
		}
	}
}

func ids(keys []packet.LSAKey) (out []packet.ID) {
	for _, k := range keys {
		out = append(out, k.ID)
	}
	return out
}

// Section 13.6, and the back-off of RFC 4222 section 2, recommendation 3.
func TestRetransmit(t *testing.T) {
	l := NewList(Options{})
	l.Add(0, header(1, 1))
	var got []time.Duration
	for len(got) < 7 {
		at, _ := l.Next()
		if due := l.Due(at, 0, nil); len(due) != 1 {
			t.Fatalf("at %v: %v", at, due)
		}
		got = append(got, time.Duration(at))
	}
	want := []time.Duration{5, 15, 35, 75, 115, 155, 195} // 5 s, then 10, 20, 40, 40 more
	for i := range want {
		if got[i] != want[i]*time.Second {
			t.Fatalf("at %v, want %v s", got, want)
		}
	}
	l.Add(clock.Instant(200*time.Second), header(1, 2)) // a new instance begins anew
	if at, _ := l.Next(); at != clock.Instant(205*time.Second) {
		t.Errorf("next at %v", at)
	}
}

// What would be due soon goes with what is due, and not before anything is.
func TestTogether(t *testing.T) {
	l, ms := NewList(Options{}), func(n int) clock.Instant { return clock.Instant(time.Duration(n) * time.Millisecond) }
	for i, at := range []int{0, 49, 50, 51} {
		l.Add(ms(at), header(packet.ID(i+1), 1))
	}
	step := func(at int, want ...packet.ID) {
		t.Helper()
		if got := ids(l.Due(ms(at), 50*time.Millisecond, nil)); !slices.Equal(got, want) {
			t.Errorf("at %d ms: due %v, want %v", at, got, want)
		}
	}
	step(4999)
	step(5000, 1, 2, 3)
	step(5050)
	step(5051, 4)
	step(15000, 1, 2, 3)
}

// No more than the window is under way; an acknowledgment makes room.
func TestWindow(t *testing.T) {
	l := NewList(Options{Window: 2})
	for i := range packet.ID(6) {
		l.Add(clock.Instant(i), header(i+1, 1))
	}
	now := clock.Instant(6 * time.Second)
	step := func(want ...packet.ID) {
		t.Helper()
		if got := ids(l.Due(now, 0, nil)); !slices.Equal(got, want) {
			t.Fatalf("due %v, want %v", got, want)
		}
		if at, ok := l.Next(); ok && at <= now {
			t.Fatalf("due again at %v, and there is nothing to do", at)
		}
	}
	step(1, 2)
	l.Acked(header(1, 1))
	step(3)
	l.Remove(header(4, 1).LSAKey) // while it is ready
	l.Add(now, header(5, 2))      // while it is ready: a new instance waits anew
	step()
	l.Acked(header(3, 1))
	l.Acked(header(2, 1))
	if at, ok := l.Next(); !ok || at > now {
		t.Errorf("next at %v", at)
	}
	step(6)
	now = now.Add(5 * time.Second)
	step(5)
	now = now.Add(5 * time.Second)
	step(6) // is due again, and lands
	l.Clear()
	step()
	if _, ok := l.Next(); ok || l.Len() != 0 {
		t.Error("not empty")
	}
}

// A new instance of what is under way makes room as well.
func TestReplaceUnderWay(t *testing.T) {
	l, now := NewList(Options{Window: 1}), clock.Instant(5*time.Second)
	l.Add(0, header(1, 1))
	l.Add(1, header(2, 1))
	if got := ids(l.Due(now.Add(1), 0, nil)); !slices.Equal(got, []packet.ID{1}) {
		t.Fatalf("due %v", got)
	}
	l.Add(now, header(1, 2))
	if got := ids(l.Due(now.Add(1), 0, nil)); !slices.Equal(got, []packet.ID{2}) {
		t.Fatalf("due %v", got)
	}
}

// Section 13.7: only the same instance is acknowledged.
func TestAcked(t *testing.T) {
	l := NewList(Options{})
	l.Add(0, header(1, 2))
	other, flushed := header(1, 2), header(1, 2)
	other.Checksum++
	flushed.Age = packet.MaxAge
	for _, h := range []packet.LSAHeader{header(1, 1), header(1, 3), other, flushed} {
		if same, listed := l.Acked(h); same || !listed || !l.Has(h.LSAKey) {
			t.Errorf("%+v: %v %v", h, same, listed)
		}
	}
	if _, listed := l.Acked(header(2, 2)); listed {
		t.Error("what is not on the list")
	}
	older := header(1, 2)
	older.Age = 9 // does not matter
	if same, listed := l.Acked(older); !same || !listed || l.Len() != 0 {
		t.Error("not acknowledged")
	}
}
