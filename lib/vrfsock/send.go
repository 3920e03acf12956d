package vrfsock

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Of sending.
const (
	// sendAgain is the pause between two attempts to send.
	sendAgain = 2 * time.Millisecond
	// roomWithin is how long a packet waits for room before all that waits on its
	// interface is given up.
	roomWithin = time.Second
)

// Packet is a packet to be sent.
type Packet struct {
	Interface string // by which it goes; "" where the routing table says
	VRF       string
	Source    netip.Addr
	Dest      netip.AddrPort // a group or a host; port 0 but for UDP
	TTL       int            // 0: that of the socket
	Payload   []byte
}

// line is where packets go out: they keep their order there.
type line struct {
	place  place
	ifname string
}

func (p Packet) line() line { return line{place{p.VRF, rib.FamilyOf(p.Dest.Addr())}, p.Interface} }

// Send sends a packet, or puts it behind those that wait for room on its interface. What
// cannot be sent at all is lost, as on any link. One goroutine may send at a time.
func (s *Sockets) Send(p Packet) {
	if s.enqueue(p) {
		return
	}
	err := s.write(p)
	if !errors.Is(err, rawsock.ErrBusy) {
		s.notSent(p, err)
		return
	}
	s.mu.Lock()
	s.waiting[p.line()] = []Packet{p}
	s.mu.Unlock()
	s.room(p.Interface, true)
	s.wait.Go(func() { s.sendWaiting(p) })
}

// enqueue puts a packet behind those that wait, or drops it where too many do. It returns
// false if none waits.
func (s *Sockets) enqueue(p Packet) bool {
	l := p.line()
	s.mu.RLock()
	idle := s.waiting[l] == nil
	s.mu.RUnlock()
	if idle {
		return false
	}
	s.mu.Lock()
	queue := s.waiting[l]
	full := len(queue) >= s.cfg.MaxWaiting
	if queue != nil && !full {
		s.waiting[l] = append(queue, p)
	}
	s.mu.Unlock()
	if full {
		s.notSent(p, rawsock.ErrBusy)
	}
	return queue != nil
}

// sendWaiting sends p, which is the first of those that wait on its line, and then the
// others, as there comes room.
func (s *Sockets) sendWaiting(p Packet) {
	l := p.line()
	for more := true; more; {
		err := s.writeWithin(p, roomWithin)
		s.notSent(p, err)
		p, more = s.nextWaiting(l, errors.Is(err, rawsock.ErrBusy))
	}
}

// nextWaiting takes the first of those that wait away, or all of them, and returns
// the next.
func (s *Sockets) nextWaiting(l line, giveUp bool) (next Packet, more bool) {
	s.mu.Lock()
	queue := s.waiting[l][1:]
	if more = len(queue) > 0 && !giveUp; more {
		s.waiting[l], next = queue, queue[0]
	} else {
		delete(s.waiting, l)
	}
	s.mu.Unlock()
	if !more {
		s.room(l.ifname, false)
	}
	return next, more
}

func (s *Sockets) room(ifname string, full bool) {
	if s.cfg.Room != nil {
		s.cfg.Room(ifname, full)
	}
}

// SendWithin sends a packet ahead of those that wait, and waits for room for at most a
// time.
func (s *Sockets) SendWithin(p Packet, within time.Duration) {
	s.notSent(p, s.writeWithin(p, within))
}

// writeWithin writes a packet as soon as there is room for it within the time.
func (s *Sockets) writeWithin(p Packet, within time.Duration) error {
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
func (s *Sockets) write(p Packet) error {
	s.mu.RLock()
	index := s.links[p.Interface].Index
	var c rawsock.IPConn
	if sock := s.open[p.line().place]; sock != nil {
		c = sock.conn
	}
	s.mu.RUnlock()
	if c == nil || index == 0 && p.Interface != "" {
		return rawsock.ErrGone
	}
	return c.WriteTo(p.Payload, rawsock.Meta{Src: netip.AddrPortFrom(p.Source, 0), Dst: p.Dest, Index: index, TTL: p.TTL})
}

// notSent complains of an error of write, unless it is about a device that is gone
// or down, of which zebra tells.
func (s *Sockets) notSent(p Packet, err error) {
	if err != nil && !rawsock.Retryable(err) && !errors.Is(err, net.ErrClosed) {
		s.complain("send "+p.Interface, "NOTSENT", "a packet for %v was not sent on %s: %v", p.Dest.Addr(), p.Interface, err)
	}
}

// Settle returns when nothing waits to be sent any more, or when ctx ends.
func (s *Sockets) Settle(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.RLock()
		waits := len(s.waiting) > 0
		s.mu.RUnlock()
		if !waits {
			return
		}
		time.Sleep(sendAgain)
	}
}
