package edge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Of sending.
const (
	// sendAgain is the pause between two attempts to send.
	sendAgain = 2 * time.Millisecond
	// roomWithin is how long a packet waits for room before all that waits for its
	// socket is given up, and maxWaiting how many may wait: as many as there may be
	// neighbours on a hub, since their acknowledgments go out at once.
	roomWithin = time.Second
	maxWaiting = 4096
)

// send sends a packet, or puts it behind those that wait for room in the socket. What
// cannot be sent at all is lost, as on any link. It runs on the core's goroutine.
func (s *sockets) send(p core.TxPacket) {
	sock, queued := s.enqueue(p)
	if queued || sock == nil {
		return
	}
	err := s.write(p)
	if !errors.Is(err, rawsock.ErrBusy) {
		s.notSent(p, err)
		return
	}
	s.mu.Lock()
	sock.waiting = []core.TxPacket{p}
	s.mu.Unlock()
	s.wait.Go(func() { s.sendWaiting(sock) })
}

// enqueue puts a packet behind those that wait for its socket, or drops it where too
// many do. It returns the socket, nil if there is none, and false if none waits.
func (s *sockets) enqueue(p core.TxPacket) (sock *socket, queued bool) {
	s.mu.RLock()
	sock = s.open[placeOf(p)]
	idle := sock == nil || sock.waiting == nil
	s.mu.RUnlock()
	if idle {
		return sock, false
	}
	s.mu.Lock()
	full := len(sock.waiting) >= maxWaiting
	if queued = sock.waiting != nil; queued && !full {
		sock.waiting = append(sock.waiting, p)
	}
	s.mu.Unlock()
	if full {
		s.notSent(p, rawsock.ErrBusy)
	}
	return sock, queued
}

// placeOf returns the place of the socket that sends a packet.
func placeOf(p core.TxPacket) place { return place{p.VRF, rib.FamilyOf(p.Dest)} }

// sendWaiting sends what waits for a socket, as there comes room.
func (s *sockets) sendWaiting(sock *socket) {
	s.mu.RLock()
	p := sock.waiting[0]
	s.mu.RUnlock()
	for more := true; more; {
		err := s.writeWithin(p, roomWithin)
		s.notSent(p, err)
		p, more = s.nextWaiting(sock, errors.Is(err, rawsock.ErrBusy))
	}
}

// nextWaiting takes the first of those that wait away, or all of them, and returns
// the next.
func (s *sockets) nextWaiting(sock *socket, giveUp bool) (next core.TxPacket, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := sock.waiting[1:]
	if len(queue) == 0 || giveUp {
		sock.waiting = nil
		return next, false
	}
	sock.waiting = queue
	return queue[0], true
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
	if sock := s.open[placeOf(p)]; sock != nil {
		c = sock.conn
	}
	s.mu.RUnlock()
	if c == nil || index == 0 && p.Interface != "" {
		return rawsock.ErrGone
	}
	return c.WriteTo(p.Packet, rawsock.Meta{Src: netip.AddrPortFrom(p.Source, 0), Dst: netip.AddrPortFrom(p.Dest, 0),
		Index: index, TTL: int(p.TTL)})
}

// notSent complains of an error of write, unless it is about a device that is gone
// or down, of which zebra tells.
func (s *sockets) notSent(p core.TxPacket, err error) {
	if err != nil && !rawsock.Retryable(err) && !errors.Is(err, net.ErrClosed) {
		s.complain("send "+p.Interface, "NOTSENT", "a packet for %v was not sent on %s: %v", p.Dest, p.Interface, err)
	}
}

// settle returns when nothing waits to be sent any more, or when ctx ends.
func (s *sockets) settle(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.RLock()
		waits := false
		for _, sock := range s.open {
			waits = waits || sock.waiting != nil
		}
		s.mu.RUnlock()
		if !waits {
			return
		}
		time.Sleep(sendAgain)
	}
}
