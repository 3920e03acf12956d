package edge

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/ripd/core"
)

// Of sending.
const (
	// sendAgain is the pause between two attempts to send.
	sendAgain = 2 * time.Millisecond
	// roomWithin is how long a packet waits for room before all that waits on its
	// interface is given up, and maxWaiting how many may wait: more than the core
	// sends before it learns that there is no room.
	roomWithin = time.Second
	maxWaiting = 256
	// The core does not pace the farewell, since it has no time; so it is done
	// here, as the core paces updates: a neighbour that loses a part of it would
	// keep these routes for the timeout.
	farewellBurst = 32
	farewellPause = 5 * time.Millisecond
)

// send sends a packet, if its interface can send now. Where there is no room, as
// on a slow link, it waits with those behind it, and the core is told to stop.
// What cannot be sent at all is lost: RIP repeats everything. It runs on the
// core's goroutine.
func (s *sockets) send(p core.TxPacket) {
	s.mu.RLock()
	until, queue := s.patient, s.waiting[p.Interface]
	s.mu.RUnlock()
	switch {
	case !until.IsZero():
		s.bidFarewell(p, until)
		return
	case queue != nil && s.enqueue(p):
		return
	}
	err := s.write(p)
	if !errors.Is(err, rawsock.ErrBusy) {
		s.notSent(p, err)
		return
	}
	s.mu.Lock()
	s.waiting[p.Interface] = []core.TxPacket{p}
	s.mu.Unlock()
	s.room(core.SendRoom{Interface: p.Interface, Full: true})
	s.wait.Go(func() { s.sendWaiting(p) })
}

// enqueue puts a packet behind those that wait on its interface, or drops it where
// too many do. It reports false if none waits any more.
func (s *sockets) enqueue(p core.TxPacket) bool {
	s.mu.Lock()
	queue := s.waiting[p.Interface]
	if queue != nil && len(queue) < maxWaiting {
		s.waiting[p.Interface] = append(queue, p)
	}
	s.mu.Unlock()
	if len(queue) >= maxWaiting {
		s.notSent(p, rawsock.ErrBusy)
	}
	return queue != nil
}

// sendWaiting sends p, which is the first of those that wait on its interface, and
// then the others, as there comes room.
func (s *sockets) sendWaiting(p core.TxPacket) {
	for more := true; more; {
		err := s.writeWithin(p, roomWithin)
		s.notSent(p, err)
		p, more = s.nextWaiting(p.Interface, errors.Is(err, rawsock.ErrBusy))
	}
}

// nextWaiting takes the first of those that wait away, or all of them, and returns
// the next. When none is left the core may go on.
func (s *sockets) nextWaiting(ifname string, giveUp bool) (next core.TxPacket, more bool) {
	s.mu.Lock()
	queue := s.waiting[ifname][1:]
	if more = len(queue) > 0 && !giveUp; more {
		s.waiting[ifname], next = queue, queue[0]
	} else {
		delete(s.waiting, ifname)
	}
	s.mu.Unlock()
	if !more {
		s.room(core.SendRoom{Interface: ifname})
	}
	return next, more
}

// bidFarewell sends a packet of the farewell, at a pace, and waits for room until
// then.
func (s *sockets) bidFarewell(p core.TxPacket, until time.Time) {
	if s.farewell++; s.farewell%farewellBurst == 0 && time.Now().Before(until) {
		time.Sleep(farewellPause)
	}
	s.notSent(p, s.writeWithin(p, time.Until(until)))
}

// writeWithin writes a packet as soon as there is room for it within the time.
func (s *sockets) writeWithin(p core.TxPacket, within time.Duration) error {
	end := time.Now().Add(within)
	for {
		err := s.write(p)
		if !errors.Is(err, rawsock.ErrBusy) || !time.Now().Before(end) || s.life.Err() != nil {
			return err
		}
		time.Sleep(sendAgain)
	}
}

// write hands a packet to the kernel.
func (s *sockets) write(p core.TxPacket) error {
	s.mu.RLock()
	index := s.links[p.Interface].Index
	var c rawsock.IPConn
	if l, ok := s.wanted[p.Interface]; ok && s.open[l.VRF] != nil {
		c = s.open[l.VRF].conn
	}
	s.mu.RUnlock()
	if c == nil || index == 0 {
		return rawsock.ErrGone
	}
	return c.WriteTo(p.Packet, rawsock.Meta{Src: netip.AddrPortFrom(p.Source, 0), Dst: p.Dest, Index: index})
}

// notSent complains of an error of write, unless it is about a device that is gone
// or down, of which zebra tells.
func (s *sockets) notSent(p core.TxPacket, err error) {
	if err != nil && !rawsock.Retryable(err) && !errors.Is(err, net.ErrClosed) {
		s.complain("send "+p.Interface, "NOTSENT", "a packet for %v was not sent on %s: %v", p.Dest.Addr(), p.Interface, err)
	}
}

// waitUntil has send take its time until then, for the farewell.
func (s *sockets) waitUntil(then time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patient = then
}
